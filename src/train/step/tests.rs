//! A step of several batches against the batches alone.

use super::*;
use crate::config::{Plan, Request, load};
use crate::data::{Source, open};

fn gradients(trainer: &Trainer) -> Vec<Tensor> {
    let gradients = trainer
        .parameters
        .iter()
        .map(|(_, parameter)| parameter.grad());
    gradients.map(|gradient| gradient.copy()).collect()
}

/// Two batches of a step give the mean of the gradients that each gives alone.
#[test]
fn gradients_of_several_batches_are_averaged() {
    let folder = tempfile::tempdir().unwrap();
    let set = [
        "model.width=4",
        "model.hidden=0",
        "model.dim=8",
        "method.queue=32",
    ];
    let more = ["train.batch=6", "train.accumulate=2", "loss.inter=0"];
    let set = set
        .iter()
        .chain(&more)
        .map(|set| (*set).to_owned())
        .collect();
    let plan = Plan::new(load::load(&Request { config: None, set }).unwrap()).unwrap();
    let splits = open(&Source::Embedded).unwrap();
    let mut trainer = Trainer::build(plan, splits, tch::Device::Cpu, folder.path(), false).unwrap();
    let now = trainer.now();
    let hyper = trainer.turn(now);
    let ids = trainer.loader.at(0).ids.to_vec();
    assert_eq!(ids.len(), 12);
    let alone: Vec<_> = ids
        .chunks(6)
        .zip(0..)
        .map(|(ids, part)| {
            zero_grad(&trainer.parameters);
            let now = Now { part, ..now };
            let first = trainer.view(0, (ids, &[]), now);
            let _ = contrast(&mut trainer, &hyper, (&first, (ids, &[])), now, 1.0);
            gradients(&trainer)
        })
        .collect();
    zero_grad(&trainer.parameters);
    let parts = contrast_all(&mut trainer, &hyper, now);
    assert_eq!(parts.len(), 2);
    for ((got, one), other) in gradients(&trainer).iter().zip(&alone[0]).zip(&alone[1]) {
        let expected = (one + other) / 2.0;
        assert!(got.allclose(&expected, 1e-4, 1e-6, false));
        assert!(
            !got.allclose(one, 1e-4, 1e-6, false),
            "both batches take part"
        );
    }
}
