//! An encoder that gives NaN: the host's fault, for which no policy is blamed.

use sandbox::swap::Event;
use sandbox::train::step::step;
use sandbox::train::trainer::Trainer;
use tch::Tensor;

use crate::checkpoint::trainer;

/// Makes every embedding of both encoders NaN.
fn break_encoders(trainer: &Trainer) {
    for network in [&trainer.query, trainer.method.teacher(&trainer.query)] {
        let (_, mut weights) = network.parameters().swap_remove(0);
        tch::no_grad(|| {
            let _ = weights.fill_(f64::NAN);
        });
    }
}

fn assert_nobody_is_blamed(trainer: &mut Trainer) {
    for change in trainer.gate.take_changes() {
        assert_eq!(change.event, Event::Started, "{:?}", change.fault);
    }
}

#[test]
fn a_step_with_broken_queries_leaves_the_branch_out() {
    let _alone = crate::alone();
    let folder = tempfile::tempdir().unwrap();
    let mut trainer = trainer(folder.path(), &[]);
    assert!(trainer.start_inter().unwrap());
    assert!(step(&mut trainer).relation.is_some());
    break_encoders(&trainer);
    // Across an epoch's end, where the batch for rehearsals is taken anew.
    for _ in 0..trainer.loader.steps_per_epoch() {
        trainer.swap();
        assert!(step(&mut trainer).relation.is_none());
    }
    trainer.end_epoch();
    assert_nobody_is_blamed(&mut trainer);
    trainer.bank.as_ref().unwrap().check().unwrap();
}

#[test]
fn a_bank_is_not_filled_with_broken_embeddings() {
    let _alone = crate::alone();
    let folder = tempfile::tempdir().unwrap();
    let mut trainer = trainer(folder.path(), &[]);
    let key = trainer.method.teacher(&trainer.query).parameters();
    let weights: Vec<Tensor> = key.iter().map(|(_, weights)| weights.copy()).collect();
    break_encoders(&trainer);
    assert!(!trainer.start_inter().unwrap());
    assert!(trainer.bank.is_none());
    assert_nobody_is_blamed(&mut trainer);
    for ((_, mut broken), whole) in key.into_iter().zip(weights) {
        tch::no_grad(|| broken.copy_(&whole));
    }
    assert!(trainer.start_inter().unwrap());
}
