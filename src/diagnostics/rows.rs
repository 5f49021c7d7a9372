//! How the rows of the bank fare: which are ever chosen, how old they are, which are neighbours of everybody.

use std::collections::BTreeMap;

use tch::{Device, Kind, Tensor};

use super::scalars::{Scalars, number, put, quantiles};
use crate::bank::Bank;
use crate::ground::spread;
use crate::slots::sampler::Pairs;

/// Which rows of the bank were chosen since this was last told.
pub struct Coverage {
    /// `[N]` bool each.
    positives: Tensor,
    negatives: Tensor,
}

impl Coverage {
    /// Of a bank of `rows` rows, none of which was chosen yet.
    pub fn new(rows: i64, device: Device) -> Self {
        let [positives, negatives] = [(); 2].map(|()| Tensor::zeros([rows], (Kind::Bool, device)));
        Self {
            positives,
            negatives,
        }
    }

    /// Takes in what a sampler chose.
    pub fn take_in(&mut self, pairs: &Pairs) {
        for (seen, rows) in [
            (&mut self.positives, &pairs.positives),
            (&mut self.negatives, &pairs.negatives),
        ] {
            let _ = seen.index_fill_(0, &rows.masked_select(&rows.ge(0)), 1);
        }
    }

    /// The share of the rows that were chosen, and begins anew.
    pub fn tell(&mut self) -> Scalars {
        let mut scalars = Scalars::new();
        for (tag, seen) in [
            ("bank/coverage_positives", &mut self.positives),
            ("bank/coverage_negatives", &mut self.negatives),
        ] {
            let share = seen.to_kind(Kind::Float).mean(Kind::Float);
            put(&mut scalars, tag, number(&share));
            let _ = seen.zero_();
        }
        scalars
    }

    /// What a checkpoint keeps: `chosen_positives` and `chosen_negatives`, `[N]` u8.
    pub fn state(&self) -> BTreeMap<String, Tensor> {
        let kept = |seen: &Tensor| seen.to_kind(Kind::Uint8);
        BTreeMap::from([
            ("chosen_positives".to_owned(), kept(&self.positives)),
            ("chosen_negatives".to_owned(), kept(&self.negatives)),
        ])
    }

    /// What [`Coverage::state`] gave, or nothing where a checkpoint does not have it.
    pub fn load(state: &BTreeMap<String, Tensor>, device: Device) -> Option<Self> {
        let kept = |name: &str| Some(state.get(name)?.to_device(device).to_kind(Kind::Bool));
        Some(Self {
            positives: kept("chosen_positives")?,
            negatives: kept("chosen_negatives")?,
        })
    }
}

/// Age of the rows after step number `step`, in steps.
pub fn ages(bank: &Bank, step: u64) -> Scalars {
    let mut scalars = Scalars::new();
    let [median, oldest] = quantiles(&bank.ages(step), [0.5, 1.0]);
    put(&mut scalars, "bank/age_median", median);
    put(&mut scalars, "bank/age_max", oldest);
    scalars
}

/// Rows among which hubs are looked for.
const CROWD: i64 = 2048;

/// Neighbours of a row that are counted.
const NEIGHBOURS: i64 = 10;

/// Hubness of the bank (Radovanović, Nanopoulos and Ivanović 2010, equation 1), on up to 2,048 of its rows that lie evenly in it:
/// the skewness of N₁₀, which is how often a row is among the ten nearest of another one. 0 where all are so equally often; the larger,
/// the more neighbourhoods a few rows hold. The antihubs are the share of the rows that are in nobody's.
pub fn hubness(bank: &Bank) -> Scalars {
    let mut scalars = Scalars::new();
    let rows = CROWD.min(bank.rows());
    if rows <= NEIGHBOURS {
        return scalars;
    }
    let at = Tensor::from_slice(&spread(bank.rows() as usize, rows as usize));
    let some = bank
        .features()
        .index_select(0, &at.to_device(bank.device()));
    let mut similarity = some.matmul(&some.tr());
    let _ = similarity.fill_diagonal_(-2.0, false);
    let (_, nearest) = similarity.topk(NEIGHBOURS, 1, true, false);
    let often = nearest.flatten(0, 1).bincount(None::<Tensor>, rows);
    put(&mut scalars, "bank/hubness", number(&skewness(&often)));
    let never = often.eq(0).to_kind(Kind::Float).mean(Kind::Float);
    put(&mut scalars, "bank/antihubs", number(&never));
    scalars
}

/// E[(x - µ)³] / σ³ of counts, 0 where all are equal.
fn skewness(counts: &Tensor) -> Tensor {
    let counts = counts.to_kind(Kind::Double);
    let away = &counts - counts.mean(Kind::Double);
    let variance = away.square().mean(Kind::Double);
    let third = away.pow_tensor_scalar(3).mean(Kind::Double);
    let skewness = third / variance.pow_tensor_scalar(1.5);
    skewness.where_self(&variance.gt(0.0), &variance.zeros_like())
}

#[cfg(test)]
mod tests {
    use super::*;

    const FLOAT: (Kind, Device) = (Kind::Float, Device::Cpu);

    fn value(scalars: &Scalars, tag: &str) -> f64 {
        let found = scalars.iter().find(|(name, _)| name == tag);
        found.unwrap_or_else(|| panic!("no {tag}")).1
    }

    #[test]
    fn coverage_counts_each_row_once_until_it_is_told() {
        let mut coverage = Coverage::new(10, Device::Cpu);
        for negatives in [[[0_i64, 1, -1], [1, 2, -1]], [[2, 9, 9], [-1, -1, -1]]] {
            coverage.take_in(&Pairs {
                positives: Tensor::from_slice2(&[[5_i64], [-1]]),
                negatives: Tensor::from_slice2(&negatives),
            });
        }
        let mut kept = Coverage::load(&coverage.state(), Device::Cpu).unwrap();
        for coverage in [&mut coverage, &mut kept] {
            let told = coverage.tell();
            assert!((value(&told, "bank/coverage_positives") - 0.1).abs() < 1e-6);
            assert!((value(&told, "bank/coverage_negatives") - 0.4).abs() < 1e-6);
            assert_eq!(value(&coverage.tell(), "bank/coverage_negatives"), 0.0);
        }
        assert!(Coverage::load(&BTreeMap::new(), Device::Cpu).is_none());
    }

    fn bank(rows: &Tensor) -> Bank {
        let (n, d) = rows.size2().unwrap();
        let mut bank = Bank::new(n, d, 1, 1.0, Device::Cpu);
        let labels = Tensor::zeros([n], (Kind::Int64, Device::Cpu));
        bank.fill(rows, &labels, &Tensor::ones([1, d], FLOAT))
            .unwrap();
        bank
    }

    #[test]
    fn hubness_agrees_with_loops() {
        let rows = Tensor::randn([60, 5], FLOAT);
        let bank = bank(&rows);
        let cosines = bank.features().matmul(&bank.features().tr());
        let mut often = vec![0.0; 60];
        for row in 0..60_i64 {
            let mut others: Vec<i64> = (0..60).filter(|other| *other != row).collect();
            let cosine = |other: i64| cosines.double_value(&[row, other]);
            others.sort_by(|a, b| cosine(*b).total_cmp(&cosine(*a)));
            others[..10]
                .iter()
                .for_each(|near| often[*near as usize] += 1.0);
        }
        let moment = |power: i32| {
            often
                .iter()
                .map(|n: &f64| (n - 10.0).powi(power))
                .sum::<f64>()
                / 60.0
        };
        let scalars = hubness(&bank);
        let expected = moment(3) / moment(2).powf(1.5);
        assert!((value(&scalars, "bank/hubness") - expected).abs() < 1e-9);
        let never = often.iter().filter(|n| **n == 0.0).count() as f64 / 60.0;
        assert!((value(&scalars, "bank/antihubs") - never).abs() < 1e-6);
    }

    #[test]
    fn a_row_that_is_near_to_all_is_a_hub_and_few_rows_have_no_hubness() {
        // A star: all rows point along their own axis, one points along all of them.
        let star = Tensor::cat(&[Tensor::eye(39, FLOAT), Tensor::ones([1, 39], FLOAT)], 0);
        assert!(value(&hubness(&bank(&star)), "bank/hubness") > 0.5);
        assert!(hubness(&bank(&Tensor::randn([10, 5], FLOAT))).is_empty());
        assert_eq!(number(&skewness(&Tensor::from_slice(&[3_i64; 4]))), 0.0);
    }
}
