//! The cosine margin of InterCLR (arXiv 2008.11702) and CosFace (Wang et al. 2018), as the shipped script
//! `boundaries/cosine_margin.rhai` has it, with the InfoNCE that the host takes of a script's logits: a boundary in a library
//! answers with loss and gradient.

use sandbox_plugin::{Boundary, BoundaryCall, Policy, Result, export_policy, params};

params! {
    /// What can be set by `--set boundary.NAME=VALUE`.
    pub struct Params {
        /// what is taken from the positives' cosine; below 0 the softmax asks for less
        margin: f64 = -0.5,
        /// 0 is the branch's own
        temperature: f64 = 0.0,
    }
}

/// The policy.
pub struct CosineMargin {
    params: Params,
}

impl Policy for CosineMargin {
    type Params = Params;

    fn new(params: Params) -> Result<Self> {
        let Params {
            margin,
            temperature,
        } = params;
        if !(margin.is_finite() && (0.0..1e9).contains(&temperature)) {
            return Err(format!(
                "expected a finite margin and a temperature of 0 or more, found {margin} and {temperature}"
            )
            .into());
        }
        Ok(Self { params })
    }
}

impl Boundary for CosineMargin {
    fn decide(&mut self, call: &BoundaryCall<'_>) -> Result<()> {
        let temperature = match self.params.temperature {
            0.0 => call.temperature()?,
            own => own,
        };
        let missing = call.missing()? as f32;
        let (positives, negatives, valid) = (call.positives()?, call.negatives()?, call.valid()?);
        let (mut of_positives, mut of_negatives) = (call.d_positives()?, call.d_negatives()?);
        of_positives.values_mut().fill(0.0);
        of_negatives.values_mut().fill(0.0);

        // A query without a negative has nothing to be told apart from: it says nothing, and does not make others count for less.
        let queries: Vec<_> = (0..positives.shape()[0])
            .filter(|&query| negatives.row(query).iter().any(|&x| x > missing))
            .collect();
        let pairs: usize = queries
            .iter()
            .map(|&query| valid.row(query).iter().filter(|&&valid| valid != 0).count())
            .sum();
        let weight = 1.0 / (pairs.max(1) as f64);

        let mut loss = 0.0;
        for query in queries {
            let softmax = Softmax::of(&negatives.row(query), temperature);
            let mut share = 0.0;
            let gradient = of_positives.row_mut(query);
            for (p, &cosine) in positives.row(query).iter().enumerate() {
                if valid.row(query)[p] == 0 {
                    continue;
                }
                let logit = (f64::from(cosine) - self.params.margin) / temperature;
                // log(exp(positive) + sum of exp(negative)) - positive
                let ahead = softmax.log - logit;
                loss += weight * (ahead.max(0.0) + (-ahead.abs()).exp().ln_1p());
                // What of the softmax falls on the negatives.
                let others = 1.0 / (1.0 + (-ahead).exp());
                gradient[p] = (-others * weight / temperature) as f32;
                share += others * weight / temperature;
            }
            for (gradient, part) in of_negatives.row_mut(query).iter_mut().zip(&softmax.parts) {
                *gradient = (share * part) as f32;
            }
        }
        call.loss()?.values_mut()[0] = loss as f32;
        Ok(())
    }
}

/// The softmax of a row.
struct Softmax {
    /// The logarithm of the sum of exponentials.
    log: f64,
    /// What falls on each; they add up to 1.
    parts: Vec<f64>,
}

impl Softmax {
    fn of(cosines: &[f32], temperature: f64) -> Self {
        let most = cosines
            .iter()
            .fold(f32::NEG_INFINITY, |most, &x| most.max(x));
        let exp = |x: &f32| (f64::from(x - most) / temperature).exp();
        let mut parts: Vec<_> = cosines.iter().map(exp).collect();
        let sum: f64 = parts.iter().sum();
        parts.iter_mut().for_each(|part| *part /= sum);
        Self {
            log: f64::from(most) / temperature + sum.ln(),
            parts,
        }
    }
}

export_policy!(boundary: CosineMargin);

#[cfg(test)]
mod tests {
    use sandbox_plugin::testing::{BoundaryAnswer, ask_boundary, conform};

    use super::*;

    #[test]
    fn it_conforms() {
        conform(sandbox_plugin).unwrap();
    }

    fn asked(margin: f64, positives: &[f32], negatives: &[f32]) -> BoundaryAnswer {
        let params = Params {
            margin,
            temperature: 0.0,
        };
        let mut policy = CosineMargin::new(params).unwrap();
        ask_boundary(&mut policy, positives, negatives, 0.5).unwrap()
    }

    /// A positive at 0.5 and a negative at 0.1, temperature 0.5: ln(1 + exp((0.1 - 0.5 + margin) / 0.5)).
    #[test]
    fn the_margin_is_taken_from_the_cosine_of_the_positive() {
        for (margin, ahead) in [(0.3, 0.2_f64), (0.0, 0.8), (-0.5, 1.8)] {
            let answer = asked(margin, &[0.5], &[0.1]);
            let loss = (-ahead).exp().ln_1p();
            assert!(
                (f64::from(answer.loss) - loss).abs() < 1e-6,
                "{margin}: {answer:?}"
            );
            // What of the softmax falls on the negative, by the temperature.
            let slope = 1.0 / (1.0 + ahead.exp()) / 0.5;
            assert!(
                (f64::from(answer.d_positives[0]) + slope).abs() < 1e-6,
                "{answer:?}"
            );
            assert!(
                (f64::from(answer.d_negatives[0]) - slope).abs() < 1e-6,
                "{answer:?}"
            );
        }
    }

    #[test]
    fn a_wider_margin_asks_for_more() {
        let losses =
            [-0.5, 0.0, 0.5].map(|margin| asked(margin, &[0.9, 0.2], &[0.4, -0.3, 0.1]).loss);
        assert!(losses.is_sorted() && losses[0] < losses[2], "{losses:?}");
    }
}
