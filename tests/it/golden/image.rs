//! Goldens of `sandbox::views` against torchvision's functional transforms.

use sandbox::views::{self, Crop};
use tch::{Device, Kind, Tensor};

use super::Case;

/// Runs the transform that the case names.
pub(super) fn check(case: &Case) {
    let images = case.tensor("image");
    let each = |name: &str| {
        let count = images.size()[0];
        Tensor::full([count], case.number(name), (Kind::Float, Device::Cpu))
    };
    let got = match case.text("transform") {
        "resized_crop" => resized_crop(case),
        "hflip" => mirrored(images),
        "brightness" => views::brightness(images, &each("factor")),
        "contrast" => views::contrast(images, &each("factor")),
        "saturation" => views::saturation(images, &each("factor")),
        "hue" => views::hue(images, &each("factor")),
        "grayscale" => views::grayscale(images),
        "gaussian_blur" => {
            views::gaussian_blur(images, case.number("kernel") as i64, &each("sigma"))
        }
        "solarize" => views::solarize(images, case.number("threshold")),
        "normalize" => views::normalize(images, &channels(case, "mean"), &channels(case, "std")),
        other => panic!("unknown transform '{other}'"),
    };
    case.close("result", &got, case.tensor("result"));
}

fn resized_crop(case: &Case) -> Tensor {
    let [top, left, height, width, size] =
        ["top", "left", "height", "width", "size"].map(|name| case.number(name) as i64);
    let crop = Crop {
        top,
        left,
        height,
        width,
        mirrored: false,
    };
    let column = Tensor::from_slice(&crop.column()).unsqueeze(1);
    views::resized_crop(case.tensor("image"), &column, [size; 2])
}

/// Mirroring is part of the crop, here of the whole image at its own size.
fn mirrored(images: &Tensor) -> Tensor {
    let (_, _, height, width) = images.size4().unwrap();
    let crop = Crop {
        top: 0,
        left: 0,
        height,
        width,
        mirrored: true,
    };
    let column = Tensor::from_slice(&crop.column()).unsqueeze(1);
    views::resized_crop(images, &column, [height, width])
}

fn channels(case: &Case, name: &str) -> Tensor {
    let numbers: Vec<f32> = case
        .text(name)
        .split(',')
        .map(|number| number.trim().parse().unwrap())
        .collect();
    Tensor::from_slice(&numbers)
}
