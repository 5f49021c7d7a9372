//! Pictures of what the policies do: the pairs of a sampler, the clusters of the labels, where the true classes lie in them, and what
//! became of a stream's window; and of what evaluations ask: the words of a probing, and numbers of several runs as bars.
//! What is shown is chosen by pure functions of tensors, apart from the drawing.

pub mod bars;
mod canvas;
pub mod clusters;
pub mod confusion;
mod counts;
pub mod episode;
pub mod fit;
pub mod montage;
pub mod pairs;
mod palette;
pub mod prototypes;
mod seen;
pub mod superpixels;
mod tile;
pub mod words;

use tch::Tensor;

use super::{integers, list};

pub use seen::Seen;
pub use tile::Tile;

/// A picture as TensorBoard takes it.
#[derive(Clone, Debug, PartialEq)]
pub struct Picture {
    /// A PNG file of RGB pixels.
    pub png: Vec<u8>,
    /// In pixels.
    pub width: u32,
    /// In pixels.
    pub height: u32,
}

/// The true classes of the training images. Diagnostics and evaluation alone see them.
#[derive(Clone, Copy, Debug)]
pub struct Truth<'a> {
    /// `[N]` i64, on the bank's device.
    pub labels: &'a Tensor,
    /// The names of the classes; a label is an index into them.
    pub names: &'a [String],
}

impl Truth<'_> {
    /// The names of the classes of some images, by their numbers `[n]` i64; this waits for the device.
    pub fn names_of(&self, images: &Tensor) -> Vec<String> {
        let classes = integers(&self.labels.index_select(0, images));
        let names = classes.iter().map(|&class| self.name(class).to_owned());
        names.collect()
    }

    /// The name of a class.
    fn name(&self, class: i64) -> &str {
        self.names.get(class as usize).map_or("?", String::as_str)
    }
}

/// A number with its thousands apart, as 1,281,167.
fn thousands(number: i64) -> String {
    let digits = number.to_string();
    let mut apart = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            apart.push(',');
        }
        apart.push(digit);
    }
    apart
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_stand_apart() {
        assert_eq!(
            [7, 999, 1_200, 1_281_167].map(thousands),
            ["7", "999", "1,200", "1,281,167"]
        );
    }
}
