//! Numbers of chosen pairs against loops.

use std::rc::Rc;

use tch::Device;

use super::*;
use crate::slots::sampler::{Pairs, Similarity};

const FLOAT: (Kind, Device) = (Kind::Float, Device::Cpu);

/// 3 queries, 20 rows of 2 classes, with what is missing in both tables.
fn relation() -> Relation {
    let rows = |n: i64| crate::bank::unit_rows(&Tensor::randn([n, 4], FLOAT));
    let similarity = Rc::new(Similarity::new(&rows(3), &rows(20)));
    let pairs = Pairs {
        positives: Tensor::from_slice2(&[[4_i64, 7], [5, -1], [-1, -1]]),
        negatives: Tensor::from_slice2(&[[0_i64, 1, 1, 9], [3, -1, 19, 2], [6, 8, 10, 12]]),
    };
    let cosines = Cosines::gather(&similarity, &pairs);
    Relation {
        pairs,
        cosines,
        loss: Tensor::zeros([], FLOAT),
        gradient: Tensor::zeros([3, 4], FLOAT),
        similarity,
    }
}

fn rows(of: &Tensor, query: i64) -> Vec<i64> {
    let rows: Vec<i64> = Vec::try_from(of.get(query)).unwrap();
    rows.into_iter().filter(|row| *row >= 0).collect()
}

fn sorted(mut values: Vec<f64>) -> Vec<f64> {
    values.sort_by(f64::total_cmp);
    values
}

fn lower(values: &[f64], share: f64) -> f64 {
    values[(share * (values.len() - 1) as f64).floor() as usize]
}

/// Query and row of each pair that exists.
fn each(of: &Tensor) -> Vec<(i64, i64)> {
    let of_query = |query| rows(of, query).into_iter().map(move |row| (query, row));
    (0..3).flat_map(of_query).collect()
}

#[track_caller]
fn assert_near(numbers: &Scalars, expected: &[(&str, f64)]) {
    for (tag, expected) in expected {
        let found = numbers.iter().find(|(name, _)| name == tag);
        let (_, found) = found.unwrap_or_else(|| panic!("no {tag}"));
        assert!(
            (found - expected).abs() < 1e-6,
            "{tag}: {found}, expected {expected}"
        );
    }
}

#[test]
fn ranks_and_false_pairs_agree_with_loops() {
    let relation = relation();
    let truth: Vec<i64> = (0..20).map(|row| row % 2).collect();
    let index = [5_i64, 8, 11];
    let chosen = Chosen {
        relation: &relation,
        index: &Tensor::from_slice(&index),
        truth: Some(&Tensor::from_slice(&truth)),
    };
    let cosine = |query: i64, row: i64| relation.similarity.get().double_value(&[query, row]);
    let nearer = |(query, row): (i64, i64)| {
        let all = (0..20).filter(|other| cosine(query, *other) > cosine(query, row));
        all.count() as f64
    };
    let ranks = |of| sorted(each(of).into_iter().map(nearer).collect());
    let alike = |of: &Tensor| {
        let all = each(of);
        let own = |(query, row): &&(i64, i64)| {
            truth[*row as usize] == truth[index[*query as usize] as usize]
        };
        all.iter().filter(own).count() as f64 / all.len() as f64
    };
    let (positives, negatives) = (&relation.pairs.positives, &relation.pairs.negatives);
    let expected = [
        ("sampler/rank_p10", lower(&ranks(negatives), 0.1)),
        ("sampler/rank_median", lower(&ranks(negatives), 0.5)),
        ("sampler/rank_p90", lower(&ranks(negatives), 0.9)),
        (
            "sampler/positive_rank_median",
            lower(&ranks(positives), 0.5),
        ),
        ("sampler/false_negative_rate", alike(negatives)),
        ("sampler/false_positive_rate", 1.0 - alike(positives)),
        // One row is twice among the first query's negatives; of -1 there is one.
        ("sampler/unique_fraction", 11.0 / 12.0),
        ("sampler/missing", 1.0 / 12.0),
        ("sampler/missing_positives", 0.5),
    ];
    assert_near(&chosen.numbers(), &expected);
}

#[test]
fn violations_and_gaps_agree_with_loops() {
    let relation = relation();
    let cosine = |query: i64, row: i64| relation.similarity.get().double_value(&[query, row]);
    let (mut violations, mut counted, mut gaps) = (0.0, 0.0, Vec::new());
    for query in 0..2 {
        let of = |rows: Vec<i64>| rows.into_iter().map(move |row| cosine(query, row));
        let farthest = of(rows(&relation.pairs.positives, query)).fold(f64::INFINITY, f64::min);
        let others: Vec<_> = of(rows(&relation.pairs.negatives, query)).collect();
        let nearest = others.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        counted += others.len() as f64;
        violations += others.iter().filter(|other| **other > farthest).count() as f64;
        gaps.push(farthest - nearest);
    }
    let gaps = sorted(gaps);
    let mut scalars = Scalars::new();
    boundary(&mut scalars, &relation.cosines);
    let expected = [
        ("boundary/violations", violations / counted),
        ("boundary/gap_p10", lower(&gaps, 0.1)),
        ("boundary/gap_median", lower(&gaps, 0.5)),
    ];
    assert_near(&scalars, &expected);
}

#[test]
fn what_does_not_exist_is_in_no_histogram() {
    let relation = relation();
    let chosen = Chosen {
        relation: &relation,
        index: &Tensor::from_slice(&[5_i64, 8, 11]),
        truth: None,
    };
    let counts = chosen
        .histograms()
        .into_iter()
        .map(|(tag, values)| (tag, values.len()));
    let expected = [
        ("sim/positives", 3),
        ("sim/negatives", 11),
        ("sampler/positive_ranks", 3),
        ("sampler/negative_ranks", 11),
    ];
    assert!(counts.eq(expected));
    assert!(
        chosen
            .numbers()
            .iter()
            .all(|(tag, _)| !tag.contains("false"))
    );
}

#[test]
fn a_batch_without_any_positive_has_no_gap() {
    let mut relation = relation();
    relation.pairs.positives = Tensor::full([3, 2], -1, (Kind::Int64, Device::Cpu));
    relation.cosines = Cosines::gather(&relation.similarity, &relation.pairs);
    let mut scalars = Scalars::new();
    boundary(&mut scalars, &relation.cosines);
    assert!(scalars.is_empty(), "{scalars:?}");
}
