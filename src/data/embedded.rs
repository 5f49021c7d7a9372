//! The 10,000 test images of Fashion-MNIST, compiled in, so that a run needs neither network nor files. Their licence
//! lies beside them.

use std::path::Path;

use super::content::Content;
use super::{Error, Images, Splits, idx};

const IMAGES: &[u8] = include_bytes!("fashion-mnist/t10k-images-idx3-ubyte.gz");
const LABELS: &[u8] = include_bytes!("fashion-mnist/t10k-labels-idx1-ubyte.gz");

/// How many of the images, from the first on, are trained on; the others evaluate. The order of the published files is
/// already random, so both halves hold every class.
const TRAIN: usize = 8000;

/// The names of the classes, in the order of their labels (arXiv 1708.07747, table 2).
const CLASSES: [&str; 10] = [
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
];

/// Unpacks both splits.
pub(super) fn open() -> Result<Splits, Error> {
    let [images, labels] = [
        "embedded t10k-images-idx3-ubyte.gz",
        "embedded t10k-labels-idx1-ubyte.gz",
    ]
    .map(Path::new);
    let mut train = idx::parse(
        (images, Content::of(images, IMAGES)?),
        (labels, Content::of(labels, LABELS)?),
    )?;
    let image = train.shape.iter().product::<i64>() as usize;
    let pixels = train.pixels.split_off(TRAIN * image);
    let labels = train.labels.split_off(TRAIN);
    let images = |name, pixels, labels| {
        Images::new(
            name,
            train.shape,
            pixels,
            labels,
            CLASSES.map(String::from).to_vec(),
        )
    };
    let eval = images("fashion-mnist/eval", pixels, labels);
    let train = images("fashion-mnist/train", train.pixels, train.labels);
    Ok(Splits::new(train, eval))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn eight_thousand_train_and_two_thousand_evaluate() {
        let Splits { train, eval, .. } = open().unwrap();
        for (images, len) in [(&train, 8000), (&eval, 2000)] {
            assert_eq!((images.len(), images.shape()), (len, Some([1, 28, 28])));
            for class in 0..10 {
                let members = images
                    .labels()
                    .unwrap()
                    .iter()
                    .filter(|&&label| label == class)
                    .count();
                assert!(
                    members * 10 > len * 8 / 10,
                    "class {class}: {members} of {len}"
                );
            }
        }
        // The published file begins with an ankle boot, a pullover and two trousers.
        assert_eq!(train.labels().unwrap()[..4], [9, 2, 1, 1]);
        assert_eq!(train.classes()[9], "Ankle boot");
    }
}
