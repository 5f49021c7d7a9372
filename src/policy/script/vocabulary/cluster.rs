//! Verbs on labels and clusters.

use rhai::{Dynamic, Map};
use tch::{Kind, Tensor};

use super::answer::{Answer, Fault, Give, Value, record, said, sync};
use super::arguments::Arguments;
use super::guard;
use super::kind::kind_of;
use super::verb::{Verb, verb};
use crate::bank;
use crate::bank::kmeans::{Options, Start, kmeans};

pub(super) const VERBS: &[Verb] = &[
    verb(
        "segment_sum(x: Tensor, labels: Tensor, classes: int) -> Tensor",
        "The sum [C, ...] of the rows of x [N, ...] of each label [N]; rows of label -1 belong to none.",
        |a| segment_sum(&*a.tensor(0)?, &*a.tensor(1)?, a.int(2)?).give(),
    ),
    verb(
        "segment_mean(x: Tensor, labels: Tensor, classes: int, fallback: Tensor = ()) -> Tensor",
        "The mean [C, ...] of the rows of x [N, ...] of each label [N]; rows of label -1 belong to none. \
         A class without rows is zero, or keeps its row of fallback [C, ...].",
        |a| {
            let (x, labels, classes) = (a.tensor(0)?, a.tensor(1)?, a.int(2)?);
            let fallback = if a.given(3) { Some(a.tensor(3)?) } else { None };
            segment_mean(&x, &labels, classes, fallback.as_deref()).give()
        },
    ),
    verb(
        "segment_count(labels: Tensor, classes: int) -> Tensor",
        "How often each label occurs, [C] i64; -1 is not counted.",
        |a| segment_count(&*a.tensor(0)?, a.int(1)?).give(),
    ),
    verb(
        "entropy(counts: Tensor) -> Tensor",
        "The entropy in nats of counts or weights along the last dimension, normalised to sum to 1.",
        |a| {
            let counts = a.tensor(0)?.f_to_kind(Kind::Float)?;
            let p = counts.f_div(&counts.f_sum_dim_intlist([-1].as_slice(), true, None)?)?;
            p.f_xlogy(&p)?
                .f_sum_dim_intlist([-1].as_slice(), false, None)?
                .f_neg()
                .give()
        },
    ),
    verb(
        "kmeans(x: Tensor, clusters: int, rng: Rng, options: map = #{}) -> map",
        "k-means of the rows of x [N, D]: .labels [N] i64, .centroids [C, D], .inertia, .iterations.\n\
         Options: iterations (20), restarts (1), spherical (false: cosine on unit rows), start (\"k-means++\" or \"random\").\n\
         Waits for the device.",
        cluster,
    ),
];

/// Each row's segment, with a last one, cut off later, for rows that belong to none.
fn segments(labels: &Tensor, classes: i64) -> Result<Tensor, Fault> {
    if classes < 1 {
        return Err(said(format!("'classes' must be at least 1, got {classes}")));
    }
    if labels.dim() != 1 {
        return Err(said(format!(
            "'labels' must be [N], got {:?}",
            labels.size()
        )));
    }
    guard::within(labels, -1, classes)?;
    Ok(labels.f_where_scalarother(&labels.f_ge(0)?, classes)?)
}

fn sums(x: &Tensor, segments: &Tensor, classes: i64) -> Result<Tensor, Fault> {
    let mut shape = x.size();
    let Some(rows) = shape.first_mut() else {
        return Err(said("'x' must have rows, it has no dimension"));
    };
    *rows = classes + 1;
    let all = Tensor::f_zeros(shape, (x.f_kind()?, x.device()))?.f_index_add(0, segments, x)?;
    Ok(all.f_narrow(0, 0, classes)?)
}

fn segment_sum(x: &Tensor, labels: &Tensor, classes: i64) -> Result<Tensor, Fault> {
    sums(x, &segments(labels, classes)?, classes)
}

fn segment_count(labels: &Tensor, classes: i64) -> Result<Tensor, Fault> {
    let segments = segments(labels, classes)?;
    sums(&segments.f_ones_like()?, &segments, classes)
}

fn segment_mean(
    x: &Tensor,
    labels: &Tensor,
    classes: i64,
    fallback: Option<&Tensor>,
) -> Result<Tensor, Fault> {
    let segments = segments(labels, classes)?;
    let counts = sums(&segments.f_ones_like()?, &segments, classes)?;
    let column = [vec![-1], vec![1; x.dim().saturating_sub(1)]].concat();
    let counts = counts.f_reshape(column)?;
    let means = sums(x, &segments, classes)?.f_div(&counts.f_clamp_min(1)?)?;
    match fallback {
        None => Ok(means),
        Some(fallback) => Ok(means.f_where_self(&counts.f_gt(0)?, fallback)?),
    }
}

fn cluster(a: &Arguments<'_>) -> Answer {
    let (x, clusters, _) = (a.tensor(0)?, a.int(1)?, a.rng(2)?);
    let options = options(clusters, &a.map(3)?)?;
    sync();
    let found = super::in_time(|| kmeans(&x, &options)).map_err(|error| match error {
        bank::Error::Stopped(_) => Fault::Late,
        error => said(error.to_string().trim_start_matches("k-means: ")),
    })?;
    Ok(record([
        ("labels", found.labels.value()),
        ("centroids", found.centroids.value()),
        ("inertia", found.inertia.value()),
        ("iterations", found.iterations.value()),
    ]))
}

/// Rounds of k-means, and repetitions of it, that anybody waits for.
const MOST_ROUNDS: i64 = 10_000;

fn options(clusters: i64, given: &Map) -> Result<Options, Fault> {
    let mut options = Options {
        clusters,
        iterations: 20,
        restarts: 1,
        spherical: false,
        start: Start::PlusPlus,
    };
    for (name, value) in given {
        let wrong = |expected: &str| {
            said(format!(
                "option '{name}' must be {expected}, got {}",
                kind_of(value)
            ))
        };
        match name.as_str() {
            "iterations" => options.iterations = value.as_int().map_err(|_| wrong("int"))?,
            "restarts" => options.restarts = value.as_int().map_err(|_| wrong("int"))?,
            "spherical" => options.spherical = value.as_bool().map_err(|_| wrong("bool"))?,
            "start" => options.start = start(value)?,
            _ => {
                let known = "iterations, restarts, spherical, start";
                return Err(said(format!("unknown option '{name}', known are {known}")));
            }
        }
    }
    for (name, got) in [
        ("iterations", options.iterations),
        ("restarts", options.restarts),
    ] {
        if !(1..=MOST_ROUNDS).contains(&got) {
            return Err(said(format!(
                "option '{name}' must be 1 to {MOST_ROUNDS}, got {got}"
            )));
        }
    }
    Ok(options)
}

fn start(value: &Dynamic) -> Result<Start, Fault> {
    match value.clone().into_string().as_deref() {
        Ok("k-means++") => Ok(Start::PlusPlus),
        Ok("random") => Ok(Start::Random),
        Ok(other) => Err(said(format!(
            "unknown start '{other}', known are k-means++, random"
        ))),
        Err(_) => Err(said(format!(
            "option 'start' must be string, got {}",
            kind_of(value)
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::super::trial::{close, fails, flag, numbers, text};

    const X: &str = "let x = tensor([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0], [9.0, 9.0]]); let l = tensor([2, 0, 2, -1]);";

    #[test]
    fn segments_leave_out_what_belongs_to_none() {
        assert_eq!(
            numbers(&format!("{X} x.segment_sum(l, 3)")),
            [3.0, 4.0, 0.0, 0.0, 6.0, 8.0]
        );
        assert_eq!(
            numbers(&format!("{X} x.segment_mean(l, 3)")),
            [3.0, 4.0, 0.0, 0.0, 3.0, 4.0]
        );
        assert_eq!(
            numbers(&format!("{X} x.segment_mean(l, 3, x[..3])")),
            [3.0, 4.0, 3.0, 4.0, 3.0, 4.0]
        );
        assert_eq!(
            numbers(&format!("{X} x.select(1, 0).segment_mean(l, 3)")),
            [3.0, 0.0, 3.0]
        );
        assert_eq!(
            text(&format!("{X} l.segment_count(4)")),
            "Tensor [4] int64: 1, 0, 2, 0"
        );
    }

    #[test]
    fn labels_outside_the_classes_are_errors() {
        assert_eq!(
            fails(&format!("{X} x.segment_sum(l, 2)")),
            "segment_sum: index 2 is out of range, expected -1..2"
        );
        assert_eq!(
            fails("tensor([-2]).segment_count(2)"),
            "segment_count: index -2 is out of range, expected -1..2"
        );
        assert_eq!(
            fails(&format!("{X} x.segment_mean(l, 0)")),
            "segment_mean: 'classes' must be at least 1, got 0"
        );
        assert_eq!(
            fails(&format!("{X} x.segment_mean(x, 2)")),
            "segment_mean: 'labels' must be [N], got [4, 2]"
        );
        assert!(
            fails(&format!("{X} x.segment_sum(l[..2], 3)"))
                .starts_with("segment_sum: [4, 2] x [2]: ")
        );
        assert!(
            fails("tensor(1).segment_sum(tensor([0]), 1)")
                .starts_with("segment_sum: 'x' must have rows")
        );
    }

    #[test]
    fn entropy_of_equal_counts_is_the_log_of_their_number() {
        close("tensor([5, 5, 0, 5, 5]).entropy()", &[4.0_f64.ln()]);
        close("tensor([[1, 0], [1, 1]]).entropy()", &[0.0, 2.0_f64.ln()]);
    }

    #[test]
    fn kmeans_finds_two_heaps() {
        let script = "let x = tensor([[0.0], [0.2], [9.0], [9.2]]); let c = x.kmeans(2, rng);";
        assert!(flag(&format!(
            "{script} let l = c.labels; ((l[0] == l[1]) & (l[2] == l[3]) & (l[0] != l[2])).item()"
        )));
        close(
            &format!("{script} c.centroids.flatten().sort().values"),
            &[0.1, 9.1],
        );
        close(&format!("{script} c.inertia"), &[0.04]);
        assert!(flag(&format!("{script} c.iterations > 0")));
        let options = "#{iterations: 5, restarts: 2, spherical: true, start: \"random\"}";
        assert!(flag(&format!(
            "let c = tensor([[1.0, 0.0], [0.0, 1.0]]).kmeans(2, rng, {options}); c.labels.dtype == \"int64\""
        )));
        let fails_with =
            |options: &str| fails(&format!("tensor([[0.0], [1.0]]).kmeans(2, rng, {options})"));
        assert_eq!(
            fails_with("#{iters: 3}"),
            "kmeans: unknown option 'iters', known are iterations, restarts, spherical, start"
        );
        assert_eq!(
            fails_with("#{start: \"best\"}"),
            "kmeans: unknown start 'best', known are k-means++, random"
        );
        assert_eq!(
            fails_with("#{restarts: 0}"),
            "kmeans: option 'restarts' must be 1 to 10000, got 0"
        );
        assert_eq!(
            fails_with("#{restarts: 0.5}"),
            "kmeans: option 'restarts' must be int, got float"
        );
        assert!(fails("tensor([[0.0], [1.0]]).kmeans(3, rng)").starts_with("kmeans: 'clusters'"));
    }

    /// The upkeep of InterCLR (section "pseudo-label maintenance"): members of small clusters join the nearest other cluster, and
    /// the largest cluster is split in two to fill the place.
    #[test]
    fn a_script_dissolves_a_small_cluster_and_splits_the_largest() {
        let script = "
            let x = tensor([[1.0, 0.0], [0.98, 0.2], [0.0, 1.0], [0.1, 0.99], [-1.0, 0.0], [-0.99, 0.1], [0.9, 0.43]]).normalize();
            let labels = tensor([0, 0, 1, 1, 1, 1, 2]);
            let means = x.segment_mean(labels, 3).normalize();
            let small = labels.segment_count(3) < 2;
            let nearest = x.matmul(means.t()).masked_fill(small.unsqueeze(0), -2).argmax(1);
            labels = where(small[labels], nearest, labels);
            let empty = small.nonzero().squeeze(1)[0];
            let rows = (labels == labels.segment_count(3).argmax()).nonzero().squeeze(1);
            let halves = x[rows].kmeans(2, rng).labels;
            labels = labels.index_put(rows, where(halves == 1, empty, labels[rows]));
            cat([labels.segment_count(3), (labels[2] == labels[3]).long().unsqueeze(0), (labels[4] == labels[5]).long().unsqueeze(0)])";
        assert_eq!(numbers(script), [3.0, 2.0, 2.0, 1.0, 1.0]);
    }
}
