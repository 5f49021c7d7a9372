//! The numbers against slow loops, and what shadows are called.

use std::collections::BTreeSet;

use tch::{Device, Kind as Dtype, Tensor};

use super::compare::{described, gradients, labels, overlap};
use super::{News, Shadows};
use crate::config::{Plan, Request, load};
use crate::data::{Source, open};
use crate::diagnostics::Scalars;
use crate::slots::Slot;
use crate::train::step::step;
use crate::train::trainer::Trainer;

const INT: (Dtype, Device) = (Dtype::Int64, Device::Cpu);
const FLOAT: (Dtype, Device) = (Dtype::Float, Device::Cpu);

fn near(scalars: &Scalars, name: &str, expected: f64) {
    let found = scalars.iter().find(|(of, _)| of == name);
    let got = found
        .unwrap_or_else(|| panic!("no '{name}' in {scalars:?}"))
        .1;
    assert!(
        (got - expected).abs() < 1e-6,
        "{name}: {got}, expected {expected}"
    );
}

/// The pairs (query, row) of a choice `[B, K]`, those that exist.
fn pairs(rows: &Tensor) -> BTreeSet<(i64, i64)> {
    let (b, k) = rows.size2().unwrap();
    let all = (0..b).flat_map(|query| (0..k).map(move |at| (query, at)));
    all.map(|(query, at)| (query, rows.int64_value(&[query, at])))
        .filter(|(_, row)| *row >= 0)
        .collect()
}

/// Choices with repetitions and with -1, of different widths.
#[test]
fn overlap_and_what_only_one_chose_are_those_of_sets() {
    for (own_width, live_width, n) in [(7, 5, 20), (1, 9, 6), (12, 12, 9)] {
        let own = Tensor::randint_low(-1, n, [20, own_width], INT);
        let live = Tensor::randint_low(-1, n, [20, live_width], INT);
        let similarity = Tensor::randn([20, n], FLOAT);
        let (mine, theirs) = (pairs(&own), pairs(&live));
        let shared = mine.intersection(&theirs).count() as f64;
        let mut scalars = Scalars::new();
        let (only, live_only) = overlap(&mut scalars, "rows", &own, &live);
        near(
            &scalars,
            "rows_jaccard",
            shared / mine.union(&theirs).count() as f64,
        );
        near(&scalars, "rows_share", shared / mine.len() as f64);
        for (chosen, expected) in [
            (&only, mine.difference(&theirs)),
            (&live_only, theirs.difference(&mine)),
        ] {
            let expected: Vec<_> = expected.copied().collect();
            let marked = chosen.rows.where_self(&chosen.kept, &Tensor::from(-1i64));
            assert_eq!(pairs(&marked).into_iter().collect::<Vec<_>>(), expected);
            let value = |(query, row): &(i64, i64)| similarity.double_value(&[*query, *row]);
            let mut scalars = Scalars::new();
            described(&mut scalars, "only", chosen, &similarity);
            let sum: f64 = expected.iter().map(value).sum();
            near(&scalars, "only_similarity", sum / expected.len() as f64);
            let nearer = |pair: &(i64, i64)| {
                let rows = (0..n).filter(|row| value(&(pair.0, *row)) > value(pair));
                rows.count() as f64
            };
            let sampled = expected.iter().filter(|(query, _)| *query < 16);
            let mut ranks: Vec<_> = sampled.map(nearer).collect();
            ranks.sort_by(f64::total_cmp);
            near(&scalars, "only_rank_median", ranks[(ranks.len() - 1) / 2]);
        }
    }
}

#[test]
fn what_is_chosen_by_nobody_or_by_both_has_no_numbers() {
    let mut scalars = Scalars::new();
    let none = Tensor::full([4, 3], -1, INT);
    overlap(&mut scalars, "rows", &none, &none);
    assert!(scalars.is_empty(), "{scalars:?}");
    let some = Tensor::randint(9, [4, 3], INT);
    let (only, live_only) = overlap(&mut scalars, "rows", &some, &some);
    near(&scalars, "rows_jaccard", 1.0);
    near(&scalars, "rows_share", 1.0);
    let mut scalars = Scalars::new();
    for chosen in [&only, &live_only] {
        described(&mut scalars, "only", chosen, &Tensor::randn([4, 9], FLOAT));
    }
    assert!(scalars.is_empty(), "{scalars:?}");
}

#[test]
fn gradients_are_compared_as_vectors_of_the_batch_and_of_each_query() {
    let own = Tensor::randn([9, 5], FLOAT);
    let live = &own * 0.5 + Tensor::randn([9, 5], FLOAT);
    // A query that says nothing on either side has no angle; on the live side it has no ratio either.
    let _ = own.get(2).fill_(0.0);
    let _ = live.get(7).fill_(0.0);
    let row = |of: &Tensor, query: i64| -> Vec<f64> {
        (0..5).map(|at| of.double_value(&[query, at])).collect()
    };
    let dot = |a: &[f64], b: &[f64]| -> f64 { a.iter().zip(b).map(|(a, b)| a * b).sum() };
    let norm = |a: &[f64]| dot(a, a).sqrt();
    let all = |of: &Tensor| (0..9).flat_map(|query| row(of, query)).collect::<Vec<_>>();
    let (g, h) = (all(&own), all(&live));
    let (mut ratios, mut cosines) = (Vec::new(), Vec::new());
    for query in 0..9 {
        let (g, h) = (row(&own, query), row(&live, query));
        if norm(&h) > 0.0 {
            ratios.push(norm(&g) / norm(&h));
        }
        if norm(&g) > 0.0 && norm(&h) > 0.0 {
            cosines.push(dot(&g, &h) / (norm(&g) * norm(&h)));
        }
    }
    assert_eq!((ratios.len(), cosines.len()), (8, 7));
    let mean = |of: &[f64]| of.iter().sum::<f64>() / of.len() as f64;
    let mut scalars = Scalars::new();
    gradients(&mut scalars, &own, &live);
    near(&scalars, "grad_ratio", norm(&g) / norm(&h));
    near(&scalars, "grad_cosine", dot(&g, &h) / (norm(&g) * norm(&h)));
    near(&scalars, "query_grad_ratio", mean(&ratios));
    near(&scalars, "query_grad_cosine", mean(&cosines));

    let mut scalars = Scalars::new();
    gradients(&mut scalars, &own, &live.zeros_like());
    assert!(scalars.is_empty(), "{scalars:?}");
    gradients(&mut scalars, &own, &own);
    assert!(
        scalars.iter().all(|(_, value)| (value - 1.0).abs() < 1e-12),
        "all but the query that says nothing: {scalars:?}"
    );
}

#[test]
fn labels_agree_where_they_are_equal() {
    let [own, live, before] = [
        [0i64, 1, 1, 2, 3, 3, 0, 2],
        [0, 1, 2, 2, 3, 3, 1, 2],
        [0, 0, 1, 2, 3, 0, 0, 1],
    ]
    .map(|labels| Tensor::from_slice(&labels));
    let mut scalars = Scalars::new();
    labels(&mut scalars, &own, &live, &before);
    near(&scalars, "agreement", 6.0 / 8.0);
    near(&scalars, "change_ratio", 3.0 / 8.0);
    // The other names of the same clusters: nothing agrees, and everything is known.
    let mut scalars = Scalars::new();
    labels(&mut scalars, &(&live + 1), &live, &live);
    near(&scalars, "agreement", 0.0);
    near(&scalars, "nmi", 1.0);
    near(&scalars, "change_ratio", 1.0);
}

/// Names are free again when their shadow is gone; on a step that is not logged nobody is asked.
#[test]
fn a_run_between_two_steps_takes_shadows_and_drops_them() {
    let folder = tempfile::tempdir().unwrap();
    let set = [
        "model.width=4",
        "model.hidden=0",
        "model.dim=8",
        "method.queue=32",
        "train.batch=8",
        "inter.warmup_epochs=0",
        "log.every=2",
    ];
    let set = set.map(str::to_owned).to_vec();
    let plan = Plan::new(load::load(&Request { config: None, set }).unwrap()).unwrap();
    let splits = open(&Source::Embedded).unwrap();
    let mut trainer = Trainer::build(plan, splits, Device::Cpu, folder.path(), false).unwrap();
    assert!(trainer.start_inter().unwrap());
    let seen = |trainer: &mut Trainer| -> Vec<String> {
        let _ = step(trainer);
        let sightings = trainer.shadows.take_sightings().into_iter();
        sightings.map(|sighting| sighting.name).collect()
    };
    let hard = || ("samplers/hard.rhai".into(), Slot::Sampler);
    let add = |trainer: &mut Trainer, (file, slot)| trainer.add_shadow(slot, file);
    assert_eq!(add(&mut trainer, hard()).unwrap(), "hard");
    assert_eq!(add(&mut trainer, hard()).unwrap(), "hard-2");
    let plain = ("boundaries/plain.rhai".into(), Slot::Boundary);
    assert_eq!(add(&mut trainer, plain).unwrap(), "plain");
    let wrong = ("boundaries/plain.rhai".into(), Slot::Sampler);
    let fault = add(&mut trainer, wrong).unwrap_err();
    assert!(
        fault.message.contains("found one for 'boundary'"),
        "{fault}"
    );
    assert!(seen(&mut trainer).is_empty(), "step 1 is not logged");
    assert_eq!(seen(&mut trainer), ["hard", "hard-2", "plain"]);
    trainer.drop_shadow("hard").unwrap();
    trainer.drop_shadow("plain").unwrap();
    assert!(trainer.drop_shadow("plain").is_err());
    assert!(seen(&mut trainer).is_empty());
    assert_eq!(seen(&mut trainer), ["hard-2"]);
    assert_eq!(add(&mut trainer, hard()).unwrap(), "hard");
    assert_eq!(
        trainer.shadows.names(),
        [("hard-2", Slot::Sampler), ("hard", Slot::Sampler)]
    );
    let told: Vec<_> = trainer
        .shadows
        .take_news()
        .iter()
        .map(News::sentence)
        .collect();
    assert_eq!(told.len(), 6, "four came and two went: {told:?}");
}

#[test]
fn a_name_that_does_not_exist_is_told_with_those_that_do() {
    let message = Shadows::default().drop_named("hard", NOW);
    assert_eq!(
        message.unwrap_err(),
        "no shadow is called 'hard', there is none"
    );
    assert_eq!(
        super::unknown("hart", &["hard", "plain"]),
        "no shadow is called 'hart', there are hard, plain; did you mean 'hard'?"
    );
}

const NOW: crate::ground::Now = crate::ground::Now {
    step: 0,
    epoch: 0,
    steps: 1,
    steps_per_epoch: 1,
    seed: 0,
    part: 0,
};
