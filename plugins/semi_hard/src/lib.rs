//! Semi-hard negatives of InterCLR (arXiv 2008.11702), as the shipped script `samplers/semi_hard.rhai` has them: drawn evenly from
//! those of a query's nearest neighbours that lie in other clusters. The wider the pool, the easier they are.

use sandbox_plugin::{Number, Policy, Result, Sampler, SamplerCall, export_policy, params};

params! {
    /// Set by `--set sampler.NAME=VALUE`.
    pub struct Params {
        /// nearest neighbours to draw from; a fraction of the bank or a count
        pool: Number = Number::Fraction(0.10),
        /// how many a query gets; likewise
        negatives: Number = Number::Fraction(0.0128),
        /// how many positives a query gets from its cluster; likewise
        positives: Number = Number::Count(1),
    }
}

/// The policy.
pub struct SemiHard(Params);

impl Policy for SemiHard {
    type Params = Params;

    fn new(params: Params) -> Result<Self> {
        Ok(Self(params))
    }
}

impl Sampler for SemiHard {
    fn decide(&mut self, call: &SamplerCall<'_>) -> Result<()> {
        let (bank, labels, similarity) =
            (call.bank().labels()?, call.labels()?, call.similarity()?);
        let (bank, labels) = (bank.values(), labels.values());
        let count = call.count(self.0.positives)?;
        let mut positives = call.positives(count)?;
        let draws = call.uniform(labels.len() * count as usize)?;
        let clusters = clusters(&bank);
        for (query, draws) in draws.chunks(count as usize).enumerate() {
            let own = clusters.get(labels[query] as usize);
            draw(
                own.map_or(&[], Vec::as_slice),
                draws,
                positives.row_mut(query),
            );
        }
        let pool = call.count(self.0.pool)? as usize;
        let count = call.count(self.0.negatives)?;
        let mut negatives = call.negatives(count)?;
        let draws = call.uniform(labels.len() * count as usize)?;
        for (query, draws) in draws.chunks(count as usize).enumerate() {
            let mut others = nearest(&similarity.row(query), pool);
            others.retain(|&row| bank[row as usize] != labels[query]);
            draw(&others, draws, negatives.row_mut(query));
        }
        Ok(())
    }
}

/// Draws evenly among the candidates; without any the places keep their -1.
fn draw(candidates: &[i64], draws: &[f64], places: &mut [i64]) {
    let Some(last) = candidates.len().checked_sub(1) else {
        return;
    };
    for (place, draw) in places.iter_mut().zip(draws) {
        *place = candidates[((draw * candidates.len() as f64) as usize).min(last)];
    }
}

/// The `count` largest of a row, in the order of their columns; of equal ones the first.
fn nearest(row: &[f32], count: usize) -> Vec<i64> {
    // Floats as integers that are smaller the larger the number is: they compare by one instruction.
    let key = |x: f32| !(x.to_bits() as i32 ^ ((x.to_bits() as i32 >> 31) as u32 >> 1) as i32);
    let mut keys: Vec<_> = row.iter().map(|&x| key(x)).zip(0..).collect();
    let last = *keys.select_nth_unstable(count - 1).1;
    let all = row.iter().map(|&x| key(x)).zip(0..);
    all.filter(|&pair| pair <= last)
        .map(|(_, row)| row)
        .collect()
}

/// The rows of each label, in their order.
fn clusters(labels: &[i64]) -> Vec<Vec<i64>> {
    let most = labels.iter().max().map_or(0, |&label| label as usize + 1);
    let mut rows = vec![Vec::new(); most];
    (0..)
        .zip(labels)
        .for_each(|(row, &label)| rows[label as usize].push(row));
    rows
}

export_policy!(sampler: SemiHard);

#[cfg(test)]
mod tests {
    #[test]
    fn it_conforms() {
        sandbox_plugin::testing::conform(super::sandbox_plugin).unwrap();
    }
}
