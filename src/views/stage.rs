//! The parameters of a batch, brought to the device in one transfer, and the stages in which its images change.

use tch::{Device, Kind, Tensor};

use super::draw::{Draw, ROUNDS, Rule};
use super::{
    SOLARIZE_THRESHOLD, brightness, contrast, gaussian_blur, grayscale, hue, saturation, solarize,
};

/// What a batch drew, on its device.
pub(super) struct Parameters {
    /// `[5, B] f32`, the columns of [`super::Crop::column`].
    pub(super) crops: Tensor,
    /// In the order in which they apply.
    pub(super) stages: Vec<Stage>,
    /// `[C] f32`.
    pub(super) mean: Tensor,
    /// `[C] f32`.
    pub(super) std: Tensor,
}

/// One rule for those images of the batch that drew it for one round.
pub(super) struct Stage {
    pub(super) rule: Rule,
    /// `[n] i64`, ascending.
    pub(super) rows: Tensor,
    /// `[n] f32`, the amount of each.
    pub(super) amounts: Tensor,
}

impl Parameters {
    /// Packs all numbers in one `f32` tensor, so that they cross to the device once; row numbers are exact up to 2^24.
    pub(super) fn send(draws: &[Draw], mean: &[f64], std: &[f64], device: Device) -> Self {
        let mut numbers: Vec<f32> = Vec::with_capacity(draws.len() * (5 + 2 * ROUNDS) + 6);
        let columns: Vec<[f32; 5]> = draws.iter().map(|draw| draw.crop.column()).collect();
        numbers.extend((0..5).flat_map(|row| columns.iter().map(move |column| column[row])));
        numbers.extend(mean.iter().chain(std).map(|&number| number as f32));
        let mut counts: Vec<(Rule, i64)> = Vec::new();
        for round in 0..ROUNDS {
            for rule in Rule::ALL {
                let chosen: Vec<(usize, f64)> = (0..)
                    .zip(draws)
                    .filter_map(|(row, draw)| match draw.changes[round] {
                        Some((drawn, amount)) if drawn == rule => Some((row, amount)),
                        _ => None,
                    })
                    .collect();
                if !chosen.is_empty() {
                    counts.push((rule, chosen.len() as i64));
                    numbers.extend(chosen.iter().map(|&(row, _)| row as f32));
                    numbers.extend(chosen.iter().map(|&(_, amount)| amount as f32));
                }
            }
        }
        let batch = draws.len() as i64;
        Self::unpack(
            &Tensor::from_slice(&numbers).to_device(device),
            batch,
            mean.len() as i64,
            &counts,
        )
    }

    fn unpack(numbers: &Tensor, batch: i64, channels: i64, counts: &[(Rule, i64)]) -> Self {
        let rows = numbers.to_kind(Kind::Int64);
        let mut start = 0;
        let mut next = |from: &Tensor, length: i64| {
            start += length;
            from.narrow(0, start - length, length)
        };
        Self {
            crops: next(numbers, 5 * batch).view([5, batch]),
            mean: next(numbers, channels),
            std: next(numbers, channels),
            stages: counts
                .iter()
                .map(|&(rule, count)| Stage {
                    rule,
                    rows: next(&rows, count),
                    amounts: next(numbers, count),
                })
                .collect(),
        }
    }
}

impl Stage {
    /// Changes the rows of `views [B, C, S, S] f32` that the stage names and leaves the others bit for bit.
    pub(super) fn apply(&self, mut views: Tensor, kernel: i64) -> Tensor {
        // Rows ascend, so a stage that names all of them names them in order.
        if self.rows.size() == [views.size()[0]] {
            return self.change(&views, kernel);
        }
        let changed = self.change(&views.index_select(0, &self.rows), kernel);
        views.index_copy_(0, &self.rows, &changed)
    }

    fn change(&self, images: &Tensor, kernel: i64) -> Tensor {
        match self.rule {
            Rule::Brightness => brightness(images, &self.amounts),
            Rule::Contrast => contrast(images, &self.amounts),
            Rule::Saturation => saturation(images, &self.amounts),
            Rule::Hue => hue(images, &self.amounts),
            Rule::Grey => grayscale(images),
            Rule::Blur => gaussian_blur(images, kernel, &self.amounts),
            Rule::Solarize => solarize(images, SOLARIZE_THRESHOLD),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_that_a_stage_does_not_name_stay_bit_for_bit() {
        tch::manual_seed(1);
        let images = Tensor::rand([5, 3, 8, 8], (Kind::Float, Device::Cpu));
        for rule in Rule::ALL {
            let stage = Stage {
                rule,
                rows: Tensor::from_slice(&[1i64, 4]),
                amounts: Tensor::from_slice(&[0.3f32, 0.4]),
            };
            let got = stage.apply(images.copy(), 3);
            for row in 0..5 {
                let same = got.get(row).equal(&images.get(row));
                assert_eq!(same, ![1, 4].contains(&row), "{rule:?} {row}");
            }
            let alone = stage.change(&images.index_select(0, &stage.rows), 3);
            assert!(got.index_select(0, &stage.rows).equal(&alone), "{rule:?}");
        }
    }
}
