//! Cropping, resizing and mirroring as two small matrices an image, and how such matrices are applied.

use tch::{Kind, Tensor};

/// A box of an image, in pixels, and whether its view is mirrored left to right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Crop {
    /// First row.
    pub top: i64,
    /// First column.
    pub left: i64,
    /// Count of rows.
    pub height: i64,
    /// Count of columns.
    pub width: i64,
    /// Whether left and right change places.
    pub mirrored: bool,
}

impl Crop {
    /// The largest square in the middle.
    pub fn centre(height: i64, width: i64) -> Self {
        let side = height.min(width);
        Self {
            top: (height - side) / 2,
            left: (width - side) / 2,
            height: side,
            width: side,
            mirrored: false,
        }
    }

    /// Top, left, height, width and mirrored (0 or 1): a column of what [`resized_crop`] takes.
    pub fn column(&self) -> [f32; 5] {
        let Self {
            top,
            left,
            height,
            width,
            ..
        } = *self;
        [top, left, height, width, i64::from(self.mirrored)].map(|number| number as f32)
    }
}

/// Crops each image to its box and resizes it to `size` (height, width), bilinearly with antialiasing, as
/// torchvision's `resized_crop` does; then mirrors those that ask for it.
///
/// `images [B, C, H, W] f32` and `crops [5, B] f32` (rows as in [`Crop::column`]; one column serves all images) give
/// `[B, C, h, w] f32`. A box of the view's own size is copied exactly.
pub fn resized_crop(images: &Tensor, crops: &Tensor, size: [i64; 2]) -> Tensor {
    let (_, _, height, width) = super::shape(images);
    let [top, left, rows, columns, mirrored] = [0, 1, 2, 3, 4].map(|row| crops.get(row));
    let vertical = resampling(&top, &rows, None, height, size[0]);
    let horizontal = resampling(&left, &columns, Some(&mirrored), width, size[1]);
    separable(images, &vertical, &horizontal)
}

/// The matrices `[B, to, from] f32` that resize `extent [B]` pixels beginning at `start [B]` of a line of `from`
/// pixels to `to` pixels, mirrored where `mirrored [B]` is 1.
///
/// The weights are the triangle filter of PyTorch's antialiased bilinear interpolation (`UpSampleKernel.cpp`,
/// `HelperInterpLinear::aa_filter`), its terms in the same order, so that they round alike.
fn resampling(
    start: &Tensor,
    extent: &Tensor,
    mirrored: Option<&Tensor>,
    from: i64,
    to: i64,
) -> Tensor {
    let options = (Kind::Float, start.device());
    let (start, extent) = (start.view([-1, 1, 1]), extent.view([-1, 1, 1]));
    let scale = &extent / to as f64;
    let support = scale.clamp_min(1.0);
    let mut outputs = Tensor::arange(to, options).view([1, -1, 1]);
    if let Some(mirrored) = mirrored {
        let last = &outputs * -2.0 + (to - 1) as f64;
        outputs = mirrored.view([-1, 1, 1]) * last + outputs;
    }
    let pixels = Tensor::arange(from, options).view([1, 1, -1]) - start;
    let inside = pixels.ge(0.0).logical_and(&pixels.lt_tensor(&extent));
    let centres = (outputs + 0.5) * scale;
    let mut weights = (pixels - centres + 0.5) / support;
    weights = weights.abs_().neg_() + 1.0;
    weights = weights.relu_() * inside;
    weights /= weights.sum_dim_intlist(-1, true, None);
    weights
}

/// Multiplies each channel of an image by its `rows [B, S, H]` from the left and its `columns [B, T, W]`, transposed,
/// from the right: `[B, C, H, W]` to `[B, C, S, T]`. One matrix serves all images where its `B` is 1.
pub(super) fn separable(images: &Tensor, rows: &Tensor, columns: &Tensor) -> Tensor {
    let (batch, channels, height, _) = super::shape(images);
    let narrowed = images.flatten(1, 2).matmul(&columns.transpose(1, 2));
    let narrowed = narrowed.view([batch, channels, height, columns.size()[1]]);
    rows.unsqueeze(1).matmul(&narrowed)
}

#[cfg(test)]
mod tests {
    use tch::Device;

    use super::*;

    /// PyTorch's rule for one line, pixel by pixel, on the cut-out pixels only.
    fn resize_line(line: &[f64], to: usize) -> Vec<f64> {
        let scale = line.len() as f64 / to as f64;
        let support = scale.max(1.0);
        (0..to)
            .map(|output| {
                let centre = scale * (output as f64 + 0.5);
                let first = (centre - support + 0.5).max(0.0) as usize;
                let end = ((centre + support + 0.5) as usize).min(line.len());
                let weight =
                    |pixel: usize| (1.0 - ((pixel as f64 - centre + 0.5) / support).abs()).max(0.0);
                let total: f64 = (first..end).map(weight).sum();
                (first..end)
                    .map(|pixel| line[pixel] * weight(pixel))
                    .sum::<f64>()
                    / total
            })
            .collect()
    }

    /// The same for a plane, its lines and then its columns: `[to rows][to columns]`.
    fn resize_plane(plane: &[Vec<f64>], [rows, columns]: [usize; 2]) -> Vec<Vec<f64>> {
        let narrowed: Vec<_> = plane
            .iter()
            .map(|line| resize_line(line, columns))
            .collect();
        let column = |x: usize| narrowed.iter().map(|line| line[x]).collect::<Vec<f64>>();
        let resized: Vec<_> = (0..columns)
            .map(|x| resize_line(&column(x), rows))
            .collect();
        (0..rows)
            .map(|y| resized.iter().map(|column| column[y]).collect())
            .collect()
    }

    fn boxed([top, left, height, width]: [i64; 4], mirrored: bool) -> Crop {
        Crop {
            top,
            left,
            height,
            width,
            mirrored,
        }
    }

    #[test]
    fn each_image_is_cut_and_resized_by_its_own_box() {
        tch::manual_seed(1);
        let images = Tensor::rand([4, 2, 11, 13], (Kind::Float, Device::Cpu));
        let crops = [
            boxed([0, 0, 11, 13], false),
            boxed([3, 5, 4, 8], true),
            boxed([10, 12, 1, 1], true),
            boxed([1, 0, 7, 6], false),
        ];
        let columns: Vec<f32> = crops.iter().flat_map(Crop::column).collect();
        let columns = Tensor::from_slice(&columns).view([4, 5]).transpose(0, 1);
        let got = resized_crop(&images, &columns, [7, 6]);
        for ((image, crop), channel) in (0..).zip(crops).flat_map(|each| [(each, 0), (each, 1)]) {
            let cut = images
                .get(image)
                .get(channel)
                .narrow(0, crop.top, crop.height)
                .narrow(1, crop.left, crop.width);
            let plane = Vec::<Vec<f64>>::try_from(cut.to_kind(Kind::Double)).unwrap();
            let mut expected = resize_plane(&plane, [7, 6]);
            if crop.mirrored {
                expected.iter_mut().for_each(|line| line.reverse());
            }
            let expected = Tensor::from_slice2(&expected);
            let got = got.get(image).get(channel).to_kind(Kind::Double);
            assert!(
                got.allclose(&expected, 0.0, 1e-5, false),
                "{image} {channel}"
            );
        }
    }

    #[test]
    fn a_box_of_the_views_size_is_copied_and_mirrored_exactly() {
        tch::manual_seed(1);
        let images = Tensor::rand([2, 3, 9, 7], (Kind::Float, Device::Cpu));
        let crop = boxed([2, 1, 5, 6], true);
        let column = Tensor::from_slice(&crop.column()).unsqueeze(1);
        let expected = images.narrow(2, 2, 5).narrow(3, 1, 6).flip([3]);
        assert!(resized_crop(&images, &column, [5, 6]).equal(&expected));
    }
}
