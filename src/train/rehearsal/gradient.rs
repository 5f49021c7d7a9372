//! Whether the gradient that a boundary answers is that of its loss: finite differences along some directions.

use tch::{Device, Kind as Dtype, Tensor};

use super::NOW;
use crate::ground::seed::{Purpose, seed_torch};
use crate::slots::boundary::{self, Context, Outcome};
use crate::slots::{Fault, Kind, Respondent, Slot};

/// Cosines at which it is asked: queries, positives and negatives of each.
const SIZES: [i64; 3] = [8, 2, 16];

/// How far cosines are moved. The loss is of single precision, so that less would be lost in rounding.
const STEP: f64 = 2e-3;

/// How far a difference may lie from what the gradient says of it: relative to either, and to the whole gradient where both are small.
const RELATIVE: f64 = 0.05;
const OF_WHOLE: f64 = 0.01;

/// Random directions beside the gradient's own.
const DIRECTIONS: usize = 2;

/// Holds the gradient of a boundary against its loss.
///
/// # Errors
/// The policy's fault, and one of kind output where they do not agree.
pub fn check(policy: &mut dyn Respondent) -> Result<(), Fault> {
    seed_torch(0, Purpose::Rehearsal, 0, 0);
    let [b, p, k] = SIZES;
    let place = (Dtype::Float, Device::Cpu);
    let at = [
        Tensor::rand([b, p], place) * 0.5 + 0.4,
        Tensor::rand([b, k], place) - 0.5,
    ];
    let mut ask = |cosines: &[Tensor; 2]| {
        let [positives, negatives] = cosines
            .each_ref()
            .map(|cosines| cosines.detach().set_requires_grad(true));
        let valid = Tensor::ones([b, p], (Dtype::Bool, Device::Cpu));
        let ctx = Context {
            positives: &positives,
            negatives: &negatives,
            valid: &valid,
            temperature: 0.2,
            rows: 256,
            now: NOW,
        };
        tch::with_grad(|| boundary::run(policy, &ctx))
    };
    let Outcome {
        positives,
        negatives,
        ..
    } = ask(&at)?;
    let gradient = [positives, negatives];
    for (side, name) in ["d_positives", "d_negatives"].into_iter().enumerate() {
        for direction in directions(&gradient[side]) {
            let mut moved = |by: f64| {
                let mut cosines = at.each_ref().map(Tensor::shallow_clone);
                cosines[side] = &at[side] + by * &direction;
                ask(&cosines).map(|outcome| outcome.loss.double_value(&[]))
            };
            let found = (moved(STEP)? - moved(-STEP)?) / (2.0 * STEP);
            let said = (&gradient[side] * &direction)
                .sum(Dtype::Double)
                .double_value(&[]);
            let whole = gradient[side].norm().double_value(&[]);
            let bound = RELATIVE * found.abs().max(said.abs()) + OF_WHOLE * whole + 1e-3;
            if (found - said).abs() > bound {
                let message = format!(
                    "'{name}' is not the gradient of the loss: along a direction the loss changes by {found:.4}, and '{name}' says {said:.4}"
                );
                return Err(Fault::new(Slot::Boundary, Kind::Output, message));
            }
        }
    }
    Ok(())
}

/// Unit directions: the gradient's own, where it has one, and random ones.
fn directions(gradient: &Tensor) -> Vec<Tensor> {
    let own = (gradient.norm().double_value(&[]) > 0.0).then(|| gradient.shallow_clone());
    let random = std::iter::repeat_with(|| gradient.randn_like()).take(DIRECTIONS);
    own.into_iter()
        .chain(random)
        .map(|direction| &direction / direction.norm())
        .collect()
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use super::*;
    use crate::slots::{Answers, Question};

    /// A plugin's answer: the loss mean(negatives²) - mean(positives), with its gradient times `factors`.
    struct Answering {
        factors: [f64; 2],
    }

    impl Respondent for Answering {
        fn answer(&mut self, question: &Rc<Question>) -> Result<Answers, Fault> {
            let [positives, negatives] =
                ["positives", "negatives"].map(|name| question.tensor(name).detach());
            let mut answers = Answers::default();
            let loss = (&negatives * &negatives).mean(Dtype::Float) - positives.mean(Dtype::Float);
            answers.put("loss", loss);
            let own = -positives.ones_like() / positives.numel() as f64;
            answers.put("d_positives", own * self.factors[0]);
            let own = &negatives * 2.0 / negatives.numel() as f64;
            answers.put("d_negatives", own * self.factors[1]);
            Ok(answers)
        }

        fn refuse(&self, _: &str, message: String) -> Fault {
            Fault::new(Slot::Boundary, Kind::Output, message)
        }
    }

    #[test]
    fn a_gradient_of_another_loss_is_found() {
        check(&mut Answering {
            factors: [1.0, 1.0],
        })
        .unwrap();
        for (factors, name) in [
            ([-1.0, 1.0], "d_positives"),
            ([1.0, -1.0], "d_negatives"),
            ([2.0, 1.0], "d_positives"),
            ([1.0, 0.5], "d_negatives"),
            ([0.0, 1.0], "d_positives"),
            ([1.0, 0.0], "d_negatives"),
        ] {
            let fault = check(&mut Answering { factors }).unwrap_err();
            let start = format!("'{name}' is not the gradient of the loss");
            assert!(fault.message.starts_with(&start), "{factors:?}: {fault}");
        }
    }
}
