//! Features for TensorBoard's embedding projector: which images, and what is said of them.

use std::fmt::Write as _;

use tch::{Device, Kind, Tensor};

use super::pictures::{Picture, montage};
use crate::bank::unit_rows;
use crate::ground::spread;

/// Images of an embedding.
const IMAGES: usize = 5000;
/// Numbers of an embedding, 20 MB as text: of features of more than 512 dimensions fewer images are taken.
const NUMBERS: usize = 2_560_000;

/// Images as points, with their names.
#[derive(Clone, Debug)]
pub struct Embedding {
    /// What the points are, such as "bank".
    pub name: &'static str,
    /// The points, a line each, with tabs between the numbers.
    pub features: String,
    /// A line of titles, then one for each point, with tabs between the columns.
    pub metadata: String,
    /// All images in one square sheet, row by row.
    pub sprite: Picture,
    /// Width and height of each, in pixels.
    pub image: [i64; 2],
}

/// A column of the metadata: its title and its values.
pub type Column = (&'static str, Vec<String>);

/// Up to 5,000 of `0..len`, evenly spread; fewer where a feature has more than 512 numbers.
pub fn chosen(len: usize, dim: i64) -> Vec<i64> {
    spread(len, IMAGES.min(NUMBERS / dim.max(1) as usize).max(1))
}

impl Embedding {
    /// Of `features [n, D]` f32, which are brought to unit length, and the `images [n, C, H, W]` f32 in 0..1; each of the `columns`
    /// has n values. There are at least two, since TensorBoard reads the title of a single one as a value.
    pub fn of(name: &'static str, features: &Tensor, columns: &[Column], images: &Tensor) -> Self {
        let size = images.size();
        Self {
            name,
            features: rows(&tch::no_grad(|| unit_rows(features))),
            metadata: metadata(columns),
            sprite: montage::sheet(images),
            image: [size[3], size[2]],
        }
    }
}

fn rows(features: &Tensor) -> String {
    let dim = features.size()[1] as usize;
    let numbers: Vec<f32> = Vec::try_from(
        features
            .to_kind(Kind::Float)
            .to_device(Device::Cpu)
            .flatten(0, -1),
    )
    .expect("a line of numbers is a Vec<f32>");
    let mut text = String::with_capacity(numbers.len() * 9);
    for row in numbers.chunks(dim) {
        for (at, number) in row.iter().enumerate() {
            let end = if at + 1 == dim { '\n' } else { '\t' };
            write!(text, "{number:.5}{end}").expect("a text takes every text");
        }
    }
    text
}

fn metadata(columns: &[Column]) -> String {
    let titles: Vec<_> = columns.iter().map(|(title, _)| *title).collect();
    let mut text = titles.join("\t") + "\n";
    let count = columns.first().map_or(0, |(_, values)| values.len());
    for row in 0..count {
        // Names are the user's: a tab or a line break in one would shift all that follows.
        let values = columns.iter().map(|(_, values)| {
            let value = values[row].as_str();
            value.replace(char::is_control, " ")
        });
        text += &values.collect::<Vec<_>>().join("\t");
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wide_features_are_of_fewer_images() {
        assert_eq!(chosen(8000, 128).len(), 5000);
        assert_eq!(chosen(8000, 2048).len(), 1250);
        assert_eq!(chosen(3, 128), [0, 1, 2]);
    }

    #[test]
    fn lines_agree_and_the_sprite_has_its_size() {
        let features = Tensor::from_slice(&[3f32, 4.0, 0.0, -2.0, 1.0, 0.0]).view([3, 2]);
        let columns = [
            ("class", vec!["a\tb".into(), "c".into(), "d\ne".into()]),
            ("image", vec!["0".into(), "4".into(), "9".into()]),
        ];
        let images = Tensor::zeros([3, 1, 5, 4], (Kind::Float, Device::Cpu));
        let embedding = Embedding::of("bank", &features, &columns, &images);
        assert_eq!(
            embedding.features,
            "0.60000\t0.80000\n0.00000\t-1.00000\n1.00000\t0.00000\n"
        );
        assert_eq!(embedding.metadata, "class\timage\na b\t0\nc\t4\nd e\t9\n");
        assert_eq!(embedding.image, [4, 5]);
        let sprite = image::load_from_memory(&embedding.sprite.png).unwrap();
        assert_eq!((sprite.width(), sprite.height()), (8, 10));
    }
}
