//! The inter-image branch in the naive way, as a measure of what is won: each query looks for its positive and its negatives by
//! itself, the negatives' features are gathered as `[B, K, D]`, and the loss is differentiated through them.

use tch::{Kind, Tensor};

use super::sizes::Sizes;
use crate::bank::Bank;

const TEMPERATURE: f64 = 0.2;
const MARGIN: f64 = -0.5;

/// One step, to the gradient on the raw queries `[B, D]`. A sampler that is not known here draws at random.
pub(super) fn step(
    sampler: &str,
    queries: &Tensor,
    bank: &Bank,
    index: &Tensor,
    sizes: Sizes,
) -> Tensor {
    let raw = queries.detach().set_requires_grad(true);
    let query = &raw / raw.norm_scalaropt_dim(2.0, [1i64], true);
    let (positives, negatives) =
        tch::no_grad(|| pairs(sampler, &query.detach(), bank, index, sizes));
    let shape = [sizes.batch, sizes.negatives, sizes.dim];
    let positives = bank.features().index_select(0, &positives);
    let negatives = bank
        .features()
        .index_select(0, &negatives.flatten(0, 1))
        .view(shape); // [B, K, D]
    let positive =
        (&query * positives).sum_dim_intlist([1i64].as_slice(), true, Kind::Float) - MARGIN;
    let negative = negatives.bmm(&query.unsqueeze(2)).squeeze_dim(2);
    let logits = Tensor::cat(&[positive, negative], 1) / TEMPERATURE;
    let first = Tensor::zeros([sizes.batch], (Kind::Int64, logits.device()));
    logits.cross_entropy_for_logits(&first).backward();
    raw.grad()
}

/// A positive `[B]` and the negatives `[B, K]` of each query, found one query after the other.
fn pairs(
    sampler: &str,
    queries: &Tensor,
    bank: &Bank,
    index: &Tensor,
    sizes: Sizes,
) -> (Tensor, Tensor) {
    let (mut positives, mut negatives) = (Vec::new(), Vec::new());
    for row in 0..sizes.batch {
        let own = bank.labels().index_select(0, &index.narrow(0, row, 1));
        let same = bank.labels().eq_tensor(&own);
        positives.push(draw(&same.nonzero().squeeze_dim(1), 1));
        let similarity = queries
            .get(row)
            .unsqueeze(0)
            .matmul(&bank.features().tr())
            .squeeze_dim(0);
        negatives.push(of_query(sampler, &similarity, &same, sizes));
    }
    (Tensor::cat(&positives, 0), Tensor::stack(&negatives, 0))
}

/// K negatives `[K]` of one query, from its `similarity` `[N]` and the rows of its own class, `same` `[N]` bool.
fn of_query(sampler: &str, similarity: &Tensor, same: &Tensor, sizes: Sizes) -> Tensor {
    let name = sampler
        .rsplit('/')
        .next()
        .unwrap_or(sampler)
        .trim_end_matches(".rhai");
    let others = |rows: &Tensor| {
        let other = same.index_select(0, rows).logical_not();
        draw(&rows.masked_select(&other), sizes.negatives)
    };
    match name {
        "hard" => {
            similarity
                .masked_fill(same, -2.0)
                .topk(sizes.negatives, 0, true, true)
                .1
        }
        "easy" => {
            similarity
                .masked_fill(same, 2.0)
                .topk(sizes.negatives, 0, false, true)
                .1
        }
        "semi_hard" => others(&similarity.topk(sizes.pool, 0, true, true).1),
        "semi_easy" => others(&similarity.topk(sizes.pool, 0, false, true).1),
        _ => draw(
            &same.logical_not().nonzero().squeeze_dim(1),
            sizes.negatives,
        ),
    }
}

/// `n` of the rows, with replacement.
fn draw(rows: &Tensor, n: i64) -> Tensor {
    let places = Tensor::randint(rows.size()[0], [n], (Kind::Int64, rows.device()));
    rows.index_select(0, &places)
}
