//! Whether the derivatives that a novelty answers are those of its logit: differences as `beta` and `gamma` are moved.

use std::rc::Rc;

use tch::{Device, Kind as Dtype, Tensor};

use super::NOW;
use crate::ground::seed::{Purpose, seed_torch};
use crate::method::oupn::EMPTY;
use crate::slots::novelty::CONTRACT;
use crate::slots::{Answers, Fault, Kind, Question, Slot, seed};

/// Streams and places of their memories.
const SIZES: [i64; 2] = [8, 6];

/// Beta and gamma at which they are held against the logit; a gamma of 1 would not tell what is divided by it.
const AT: [f64; 2] = [-7.0, 1.5];

/// How far a number is moved. The logit is of single precision, so that less would be lost in rounding.
const STEP: f64 = 1e-2;

/// How far a difference may lie from what is said of it, relative to either.
const RELATIVE: f64 = 0.02;

/// Answers a question, each time with the state of the first one.
pub type Answering<'a> = dyn FnMut(&Rc<Question>) -> Result<Answers, Fault> + 'a;

/// Holds those derivatives that are answered against the logit.
///
/// # Errors
/// The policy's fault, and one of kind output where they do not agree.
pub fn check(answer: &mut Answering<'_>) -> Result<(), Fault> {
    seed_torch(0, Purpose::Rehearsal, 0, 0);
    let (scores, usage) = memories();
    let mut ask = |[beta, gamma]: [f64; 2]| {
        let each = |number: f64| Tensor::full([1], number, FLOAT).expand([SIZES[0]], false);
        let question = Question::begin(&CONTRACT, "decide", (256, Device::Cpu), NOW)
            .tensor("scores", &scores)
            .tensor("usage", &usage)
            .tensor("beta", &each(beta))
            .tensor("gamma", &each(gamma))
            .number("empty", EMPTY)
            .end();
        seed(&question);
        answer(&question)
    };
    let said = ask(AT)?;
    for (at, name) in ["d_beta", "d_gamma"].into_iter().enumerate() {
        let Some(said) = said.get(name) else { continue };
        let mut moved = |by: f64| {
            let mut learnt = AT;
            learnt[at] += by;
            ask(learnt).map(|mut answers| answers.required("logit").to_kind(Dtype::Double))
        };
        agree(
            name,
            &said.to_kind(Dtype::Double),
            [moved(-STEP)?, moved(STEP)?],
        )?;
    }
    Ok(())
}

const FLOAT: (Dtype, Device) = (Dtype::Float, Device::Cpu);

/// Scores and usages, of which some places, and all of the last stream, are empty.
fn memories() -> (Tensor, Tensor) {
    let scores = Tensor::rand(SIZES, FLOAT) * 20.0 - 10.0;
    let empty = Tensor::rand(SIZES, FLOAT).lt(0.3);
    let _ = empty.narrow(0, SIZES[0] - 1, 1).fill_(1);
    let usage = Tensor::rand(SIZES, FLOAT) + 0.1;
    (
        scores.masked_fill(&empty, EMPTY),
        usage.masked_fill(&empty, 0.0),
    )
}

/// That a derivative is the difference of two logits, but for their rounding.
fn agree(name: &str, said: &Tensor, [down, up]: [Tensor; 2]) -> Result<(), Fault> {
    let width = 2.0 * STEP;
    let found = (&up - &down) / width;
    let rounding = up.abs().maximum(&down.abs()) * (4.0 * f64::from(f32::EPSILON) / width);
    let bound = found.abs().maximum(&said.abs()) * RELATIVE + rounding + 2e-3;
    let beyond = (&found - said).abs() - bound;
    let worst = beyond.argmax(0, false).int64_value(&[]);
    if beyond.double_value(&[worst]) <= 0.0 {
        return Ok(());
    }
    let [found, said] = [&found, said].map(|all| all.double_value(&[worst]));
    let message = format!(
        "'{name}' of stream {worst} is not the derivative of its logit, which changes by {found:.4}: it says {said:.4}"
    );
    Err(Fault::new(Slot::Novelty, Kind::Output, message))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The paper's rule with its derivatives times `factors`; without those that have none.
    fn found(factors: [Option<f64>; 2]) -> Result<(), Fault> {
        check(&mut |question: &Rc<Question>| {
            let [scores, beta, gamma] =
                ["scores", "beta", "gamma"].map(|name| question.tensor(name));
            let logit = (-scores.amax([1], false) - beta) / &gamma;
            let slopes = [-gamma.reciprocal(), -&logit / &gamma];
            let mut answers = Answers::default();
            for (at, name) in ["d_beta", "d_gamma"].into_iter().enumerate() {
                if let Some(factor) = factors[at] {
                    answers.put(name, &slopes[at] * factor);
                }
            }
            answers.put("logit", logit);
            Ok(answers)
        })
    }

    #[test]
    fn a_derivative_of_another_logit_is_found() {
        for factors in [[Some(1.0); 2], [None, Some(1.0)], [None; 2]] {
            found(factors).unwrap();
        }
        for (at, name) in ["d_beta", "d_gamma"].into_iter().enumerate() {
            for factor in [-1.0, 0.0, 1.5, 2.0] {
                let mut factors = [Some(1.0); 2];
                factors[at] = Some(factor);
                let fault = found(factors).unwrap_err();
                let start = format!("'{name}' of stream ");
                assert!(fault.message.starts_with(&start), "{factor}: {fault}");
            }
        }
    }
}
