//! VLAD (Jégou et al. 2010): one vector of all descriptors of a picture.

use tch::{Kind, Tensor};

use super::{Error, Result, require, require_numbers};
use crate::bank::{Options, Start, kmeans};
use crate::eval::unit_rows;
use crate::ground::seed::{Purpose, seed_torch};

/// Most iterations of the clustering.
const ITERATIONS: i64 = 100;
/// Most numbers of residuals held at once: 64 MiB of `f32`.
const CHUNK: i64 = 1 << 24;

/// A vocabulary of descriptors: a picture is what its descriptors are off from their nearest word.
#[derive(Debug)]
pub struct Vlad {
    /// `[K, D]` f32.
    words: Tensor,
}

impl Vlad {
    /// The means of `words` clusters of `descriptors [N, D]` f32, by k-means from k-means++.
    ///
    /// # Errors
    /// What [`kmeans`] refuses: other shapes, more words than descriptors, numbers that are not finite.
    pub fn fit(descriptors: &Tensor, words: i64, seed: u64) -> Result<Self> {
        seed_torch(seed, Purpose::Vocabulary, 0, 0);
        let options = Options {
            clusters: words,
            iterations: ITERATIONS,
            restarts: 1,
            spherical: false,
            start: Start::PlusPlus,
        };
        let words = kmeans(descriptors, &options)?.centroids;
        Ok(Self { words })
    }

    /// The words `[K, D]` f32.
    pub fn words(&self) -> &Tensor {
        &self.words
    }

    /// The vectors `[pictures, K * D]` f32 of the pictures whose `descriptors [N, D]` f32 these are, `picture [N]` i64 saying whose
    /// each is: of each word the sum of x - word over the descriptors x that are nearest to it, then the signed square root of
    /// each number, then length 1. A picture without descriptors is zero.
    ///
    /// # Errors
    /// Descriptors of another length or not finite, numbers of pictures that are not one a descriptor in 0..`pictures`.
    pub fn encode(&self, descriptors: &Tensor, picture: &Tensor, pictures: i64) -> Result<Tensor> {
        let (words, width) = (self.words.size()[0], self.words.size()[1]);
        require("pictures", pictures > 0, "1 or more", pictures)?;
        let device = self.words.device();
        let sums = Tensor::zeros([pictures * words, width], (Kind::Float, device));
        let count = picture.size().first().copied().unwrap_or_default();
        if picture.size().len() != 1 || descriptors.size() != [count, width] {
            return Err(Error::Shape {
                what: "descriptors",
                expected: format!("[{count}, {width}], one for each number of a picture"),
                found: descriptors.size(),
            });
        }
        if count == 0 {
            return Ok(sums.view([pictures, -1]));
        }
        require_numbers("descriptors", descriptors, "[N, D]")?;
        for edge in [picture.min(), picture.max()] {
            let number = edge.int64_value(&[]);
            let expected = format!("numbers in 0..{pictures}");
            require(
                "picture",
                (0..pictures).contains(&number),
                &expected,
                number,
            )?;
        }
        tch::no_grad(|| {
            self.add(
                &sums,
                &descriptors.to_device(device),
                &picture.to_device(device),
            );
            let roots = sums.sign() * sums.abs().sqrt();
            Ok(unit_rows(&roots.view([pictures, -1])))
        })
    }

    /// Adds to `sums [pictures * K, D]` what each descriptor is off from its word.
    fn add(&self, sums: &Tensor, descriptors: &Tensor, picture: &Tensor) {
        let (words, width) = (self.words.size()[0], self.words.size()[1]);
        let halves = self
            .words
            .square()
            .sum_dim_intlist([1].as_slice(), false, Kind::Float)
            * 0.5;
        let chunk = (CHUNK / words.max(width)).max(1);
        let parts = descriptors.split(chunk, 0).into_iter();
        for (part, picture) in parts.zip(picture.split(chunk, 0)) {
            // |x - w|² is least where x·w - |w|²/2 is largest.
            let nearest = (part.matmul(&self.words.tr()) - &halves).argmax(1, false);
            let off = part - self.words.index_select(0, &nearest);
            let _ = sums
                .shallow_clone()
                .index_add_(0, &(picture * words + nearest), &off);
        }
    }
}

#[cfg(test)]
mod tests {
    use tch::Device;

    use super::*;

    fn descriptors() -> Tensor {
        tch::manual_seed(1);
        Tensor::randn([80, 3], (Kind::Float, Device::Cpu))
    }

    #[test]
    fn vectors_are_those_of_plain_loops() {
        let descriptors = descriptors();
        let vlad = Vlad::fit(&descriptors, 5, 3).unwrap();
        let picture: Vec<i64> = (0..80).map(|row| [0, 1, 1, 3][row % 4]).collect();
        let got = vlad
            .encode(&descriptors, &Tensor::from_slice(&picture), 4)
            .unwrap();
        assert_eq!(got.size(), [4, 15]);
        let numbers =
            |tensor: &Tensor| Vec::<Vec<f64>>::try_from(tensor.to_kind(Kind::Double)).unwrap();
        let (rows, words) = (numbers(&descriptors), numbers(vlad.words()));
        for at in 0..4 {
            let mut sums = [0.0; 15];
            for (row, _) in rows
                .iter()
                .zip(&picture)
                .filter(|(_, picture)| **picture == at)
            {
                let square = |word: &Vec<f64>| -> f64 {
                    row.iter().zip(word).map(|(x, w)| (x - w).powi(2)).sum()
                };
                let nearest = (0..5)
                    .min_by(|a, b| square(&words[*a]).total_cmp(&square(&words[*b])))
                    .unwrap();
                for dim in 0..3 {
                    sums[nearest * 3 + dim] += row[dim] - words[nearest][dim];
                }
            }
            let roots: Vec<_> = sums
                .iter()
                .map(|sum| sum.signum() * sum.abs().sqrt())
                .collect();
            let length = roots.iter().map(|root| root * root).sum::<f64>().sqrt();
            for (place, root) in (0..).zip(&roots) {
                let expected = if length > 0.0 { root / length } else { 0.0 };
                assert!(
                    (got.double_value(&[at, place]) - expected).abs() < 1e-4,
                    "{at} {place}"
                );
            }
        }
        // Picture 2 has no descriptor.
        assert!(
            got.get(2)
                .equal(&Tensor::zeros([15], (Kind::Float, Device::Cpu)))
        );
    }

    #[test]
    fn a_vocabulary_is_a_function_of_its_seed() {
        let descriptors = descriptors();
        let words = |seed| Vlad::fit(&descriptors, 6, seed).unwrap().words;
        assert!(words(1).equal(&words(1)) && !words(1).equal(&words(2)));
    }

    #[test]
    fn what_makes_no_vector_is_said() {
        let descriptors = descriptors();
        let vlad = Vlad::fit(&descriptors, 2, 0).unwrap();
        let said = |rows: &Tensor, picture: &[i64]| {
            vlad.encode(rows, &Tensor::from_slice(picture), 2)
                .unwrap_err()
                .to_string()
        };
        let two = descriptors.narrow(0, 0, 2);
        let message = "patches: 'picture': expected numbers in 0..2, got 2";
        assert_eq!(said(&two, &[0, 2]), message);
        let message = "patches: descriptors: expected shape [1, 3], one for each number of a picture, got [2, 3]";
        assert_eq!(said(&two, &[0]), message);
        let error = Vlad::fit(&two, 3, 0).unwrap_err().to_string();
        let message = "patches: descriptors cannot be clustered: k-means: 'clusters' is 3, expected 1 to 2, the number of rows";
        assert_eq!(error, message);
        let none = Tensor::zeros([0], (Kind::Int64, Device::Cpu));
        let empty = vlad.encode(&two.narrow(0, 0, 0), &none, 2).unwrap();
        assert!(empty.equal(&Tensor::zeros([2, 6], (Kind::Float, Device::Cpu))));
    }
}
