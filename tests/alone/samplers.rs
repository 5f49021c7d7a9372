//! What the shipped samplers may draw, by plain loops, and how evenly they do. Deterministic: nothing else draws meanwhile.

use std::collections::BTreeSet;
use std::rc::Rc;

use sandbox::bank::{Bank, unit_rows};
use sandbox::ground::Now;
use sandbox::policy::Unknown;
use sandbox::policy::script::{Origin, Script, Source};
use sandbox::slots::Slot;
use sandbox::slots::sampler::{self, Pairs, Similarity};
use serde_json::{Value, json};
use tch::{Device, Kind, Tensor};

const ROWS: i64 = 60;
const BATCH: i64 = 4;
const DIM: i64 = 6;
const CLUSTERS: i64 = 5;

/// Draws of each query from which frequencies are counted.
const DRAWS: usize = 10_000;

/// Standard deviations that a correct sampler leaves less than once in a million times (normal quantile 5.2: 2e-7).
const SIGMAS: f64 = 5.2;

/// A batch before a bank.
struct World {
    bank: Bank,
    index: Tensor,
    labels: Tensor,
    similarity: Rc<Similarity>,
}

impl World {
    fn new() -> Self {
        tch::manual_seed(11);
        let float = (Kind::Float, Device::Cpu);
        let labels = Tensor::arange(ROWS, (Kind::Int64, Device::Cpu)).remainder(CLUSTERS);
        let mut bank = Bank::new(ROWS, DIM, CLUSTERS, 1.0, Device::Cpu);
        bank.fill(
            &Tensor::randn([ROWS, DIM], float),
            &labels,
            &Tensor::zeros([CLUSTERS, DIM], float),
        )
        .unwrap();
        let index = Tensor::from_slice(&[3_i64, 17, 30, 59]);
        let queries = unit_rows(&Tensor::randn([BATCH, DIM], float));
        Self {
            labels: labels.index_select(0, &index),
            similarity: Rc::new(Similarity::new(&queries, bank.features())),
            bank,
            index,
        }
    }

    fn ask(&self, script: &mut Script, now: Now) -> Pairs {
        let ctx = sampler::Context {
            index: &self.index,
            labels: &self.labels,
            similarity: &self.similarity,
            bank: &self.bank,
            now,
        };
        sampler::run(script, &ctx).unwrap_or_else(|fault| panic!("{}", fault.report))
    }

    fn label(&self, row: i64) -> i64 {
        self.bank.labels().int64_value(&[row])
    }

    /// All rows from the nearest to the farthest of a query, by their cosine in f64.
    fn ranked(&self, query: i64) -> Vec<i64> {
        let vector =
            |rows: &Tensor, row| Vec::<f64>::try_from(rows.get(row).to_kind(Kind::Double)).unwrap();
        let mine = vector(self.similarity.queries(), query);
        let cosine = |row: &i64| -> f64 {
            let other = vector(self.bank.features(), *row);
            mine.iter().zip(other).map(|(a, b)| a * b).sum()
        };
        let mut rows: Vec<i64> = (0..ROWS).collect();
        rows.sort_by(|a, b| cosine(b).total_cmp(&cosine(a)));
        rows
    }

    fn others(&self, query: i64, rows: &[i64]) -> BTreeSet<i64> {
        let own = self.labels.int64_value(&[query]);
        rows.iter()
            .copied()
            .filter(|row| self.label(*row) != own)
            .collect()
    }

    fn cluster(&self, query: i64) -> BTreeSet<i64> {
        let own = self.labels.int64_value(&[query]);
        (0..ROWS).filter(|row| self.label(*row) == own).collect()
    }
}

fn script(name: &str, params: &[(&str, Value)]) -> Script {
    let origin = Origin::Shipped(format!("samplers/{name}.rhai"));
    let source = Source::read(Slot::Sampler, &origin).unwrap();
    let params = params
        .iter()
        .map(|(name, value)| ((*name).to_owned(), value.clone()));
    Script::build(Slot::Sampler, source, &params.collect(), Unknown::Refused)
        .unwrap_or_else(|fault| panic!("{}", fault.report))
}

fn now(step: u64) -> Now {
    Now {
        step,
        epoch: 0,
        steps: 101,
        steps_per_epoch: 10,
        seed: 9,
        part: 0,
    }
}

fn rows(tensor: &Tensor) -> Vec<Vec<i64>> {
    Vec::try_from(tensor).unwrap()
}

/// The draws of each query, [`DRAWS`] of them, at one step of runs with different seeds.
fn draws(
    world: &World,
    script: &mut Script,
    step: u64,
    of: fn(&Pairs) -> &Tensor,
) -> Vec<Vec<i64>> {
    let mut drawn = vec![Vec::new(); BATCH as usize];
    for seed in 0.. {
        let pairs = world.ask(script, Now { seed, ..now(step) });
        for (all, new) in drawn.iter_mut().zip(rows(of(&pairs))) {
            all.extend(new);
        }
        if drawn[0].len() >= DRAWS {
            break;
        }
    }
    drawn.iter_mut().for_each(|all| all.truncate(DRAWS));
    drawn
}

/// Every draw lies in the set, every member of it comes up, as often as the others within chance, and a row follows itself as
/// often as draws with replacement do.
fn assert_even(what: &str, drawn: &[i64], set: &BTreeSet<i64>) {
    let seen: BTreeSet<i64> = drawn.iter().copied().collect();
    assert_eq!(&seen, set, "{what}: the support is another one");
    let (n, members) = (drawn.len() as f64, set.len() as f64);
    let expected = n / members;
    let chi: f64 = set
        .iter()
        .map(|row| drawn.iter().filter(|drawn| *drawn == row).count() as f64)
        .map(|count| (count - expected).powi(2) / expected)
        .sum();
    let (low, high) = (
        quantile(members - 1.0, -SIGMAS),
        quantile(members - 1.0, SIGMAS),
    );
    assert!(
        low <= chi && chi <= high,
        "{what}: chi-square {chi:.1}, expected {low:.1} to {high:.1}"
    );

    let repeats = drawn.windows(2).filter(|pair| pair[0] == pair[1]).count() as f64;
    let (p, pairs) = (1.0 / members, n - 1.0);
    let deviation = (pairs * p * (1.0 - p)).sqrt();
    assert!(
        (repeats - pairs * p).abs() <= SIGMAS * deviation,
        "{what}: {repeats} rows follow themselves, expected {:.0} within {deviation:.0}",
        pairs * p
    );
}

/// The quantile of the chi-square distribution at so many normal deviations (Wilson & Hilferty 1931).
fn quantile(freedom: f64, deviations: f64) -> f64 {
    let spread = 2.0 / (9.0 * freedom);
    freedom * (1.0 - spread + deviations * spread.sqrt()).max(0.0).powi(3)
}

#[test]
fn negatives_are_drawn_evenly_from_exactly_the_allowed_rows() {
    let _alone = crate::alone();
    let world = World::new();
    let all = ROWS as usize;
    let ring = |start: Value, end: Value| [("start", start), ("end", end)];
    // Sampler, parameters, step, and the ranks that it may draw from.
    let cases = [
        ("random", vec![], 0, 0..all),
        ("semi_hard", vec![("pool", json!(20))], 0, 0..20),
        ("semi_hard", vec![("pool", json!(1.0))], 0, 0..all),
        ("semi_easy", vec![("pool", json!(0.25))], 0, 45..all),
        ("curriculum", vec![], 0, 0..all),
        ("curriculum", vec![], 100, 0..6),
        // Half the way of the cosine is half the way: the window's end is at 0.55 of the bank.
        ("curriculum", vec![], 50, 0..33),
        ("curriculum", vec![("schedule", json!("linear"))], 25, 0..47),
        // From easy to hard without the nearest.
        (
            "curriculum",
            ring(json!([0.8, 1.0]), json!([0.1, 0.3])).to_vec(),
            0,
            48..all,
        ),
        (
            "curriculum",
            ring(json!([0.8, 1.0]), json!([0.1, 0.3])).to_vec(),
            50,
            27..39,
        ),
        (
            "curriculum",
            ring(json!([0.8, 1.0]), json!([0.1, 0.3])).to_vec(),
            100,
            6..18,
        ),
    ];
    for (name, params, step, ranks) in cases {
        let params = [&params[..], &[("negatives", json!(50))]].concat();
        let mut script = script(name, &params);
        let drawn = draws(&world, &mut script, step, |pairs| &pairs.negatives);
        for (query, drawn) in (0..).zip(&drawn) {
            let allowed = world.others(query, &world.ranked(query)[ranks.clone()]);
            assert_even(&format!("{name} at step {step}"), drawn, &allowed);
        }
    }
}

#[test]
fn random_positives_are_drawn_evenly_from_the_cluster_with_the_own_row() {
    let _alone = crate::alone();
    let world = World::new();
    let cases = [
        ("random", 1),
        ("semi_hard", 8),
        ("semi_easy", 8),
        ("hard", 8),
        ("easy", 8),
        ("curriculum", 8),
    ];
    for (name, positives) in cases {
        let params = [("positives", json!(positives)), ("negatives", json!(1))];
        let mut script = script(name, &params);
        let drawn = draws(&world, &mut script, 0, |pairs| &pairs.positives);
        for (query, drawn) in (0..).zip(&drawn) {
            let cluster = world.cluster(query);
            assert!(cluster.contains(&world.index.int64_value(&[query])));
            assert_even(&format!("{name}: {positives} positives"), drawn, &cluster);
        }
    }
}

#[test]
fn hard_and_easy_negatives_are_the_ends_of_the_ranking() {
    let _alone = crate::alone();
    let world = World::new();
    for (name, negatives) in [
        ("hard", 7),
        ("easy", 7),
        ("hard", 1),
        ("easy", 1),
        ("hard", 60),
        ("easy", 60),
    ] {
        let pairs = world.ask(
            &mut script(name, &[("negatives", json!(negatives))]),
            now(0),
        );
        for (query, mut found) in (0..).zip(rows(&pairs.negatives)) {
            let mut ranked = world.ranked(query);
            if name == "easy" {
                ranked.reverse();
            }
            let others = world.others(query, &ranked);
            ranked.retain(|row| others.contains(row));
            // Of 60 rows 48 lie in other clusters: the places left over hold nobody, and nobody stands twice.
            ranked.resize(60, -1);
            // In no order: a loss does not ask for one.
            ranked.truncate(negatives);
            ranked.sort_unstable();
            found.sort_unstable();
            assert_eq!(found, ranked, "{name}");
        }
    }
}

#[test]
fn nearest_and_farthest_positives_are_other_images_of_the_cluster() {
    let _alone = crate::alone();
    let world = World::new();
    for (positive, count) in [
        ("nearest", 1),
        ("nearest", 4),
        ("farthest", 4),
        ("nearest", 15),
        ("farthest", 15),
    ] {
        let params = [
            ("positive", json!(positive)),
            ("positives", json!(count)),
            ("negatives", json!(1)),
        ];
        let pairs = world.ask(&mut script("random", &params), now(0));
        for (query, found) in (0..).zip(rows(&pairs.positives)) {
            let mut ranked = world.ranked(query);
            if positive == "farthest" {
                ranked.reverse();
            }
            let (own, cluster) = (world.index.int64_value(&[query]), world.cluster(query));
            ranked.retain(|row| cluster.contains(row) && *row != own);
            ranked.resize(60, -1);
            assert_eq!(found, ranked[..count], "{positive}");
        }
    }
    let ctx = sampler::Context {
        index: &world.index,
        labels: &world.labels,
        similarity: &world.similarity,
        bank: &world.bank,
        now: now(0),
    };
    let fault =
        sampler::run(&mut script("hard", &[("positive", json!("best"))]), &ctx).unwrap_err();
    let said = "unknown positive 'best', known are random, nearest, farthest";
    assert!(fault.report.contains(said), "{}", fault.report);
}
