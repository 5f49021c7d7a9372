//! The numbers of a step, read from the device when they are logged.

use tch::Tensor;

use crate::diagnostics::{Chosen, Scalars, number, put};
use crate::train::step::Report;
use crate::train::trainer::Trainer;

/// Losses, learning rate and what was chosen in a step. `truth [N]` are the true labels of the training images, where they
/// have any: only diagnostics see them.
pub fn step(report: &Report, truth: Option<&Tensor>, temperature: Option<f64>) -> Scalars {
    let mut scalars = Scalars::new();
    put(&mut scalars, "loss/total", number(&report.total));
    put(&mut scalars, "loss/intra", number(&report.intra));
    if let Some(relation) = &report.relation {
        put(&mut scalars, "loss/inter", number(&relation.loss));
    }
    for (name, loss) in ["loss/intra_mixed", "loss/inter_mixed"]
        .iter()
        .zip(&report.mixed)
    {
        if let Some(loss) = loss {
            put(&mut scalars, *name, number(loss));
        }
    }
    put(&mut scalars, "train/lr", report.hyper.lr);
    put(&mut scalars, "train/grad_norm", number(&report.grad_norm));
    if let Some(temperature) = temperature {
        put(&mut scalars, "train/temperature", temperature);
    }
    for (name, number) in &report.hyper.given {
        put(&mut scalars, format!("schedule/{name}"), number.value());
    }
    if let Some(relation) = &report.relation {
        let chosen = Chosen {
            relation,
            index: &report.index,
            truth,
        };
        scalars.extend(chosen.numbers());
    }
    if let Some(ratio) = &report.change_ratio {
        put(&mut scalars, "labels/change_ratio", number(ratio));
    }
    scalars
}

/// What method `oupn` learns beside its encoder.
pub fn learnt(trainer: &Trainer) -> Scalars {
    let named = trainer.method.parameters().into_iter();
    let numbers = named.map(|(name, value)| (name.replace('.', "/"), number(&value.detach())));
    numbers.collect()
}
