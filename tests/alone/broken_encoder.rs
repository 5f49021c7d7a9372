//! An encoder that gives NaN: the host's fault, for which no policy is blamed.

use sandbox::swap::Event;
use sandbox::train::rig::Rig;
use sandbox::train::step::step;
use tch::Tensor;

use crate::checkpoint::rig;

/// Makes every embedding of both encoders NaN.
fn break_encoders(rig: &Rig) {
    for network in [&rig.query, rig.method.teacher(&rig.query)] {
        let (_, mut weights) = network.parameters().swap_remove(0);
        tch::no_grad(|| {
            let _ = weights.fill_(f64::NAN);
        });
    }
}

fn assert_nobody_is_blamed(rig: &mut Rig) {
    for change in rig.gate.take_changes() {
        assert_eq!(change.event, Event::Started, "{:?}", change.fault);
    }
}

#[test]
fn a_step_with_broken_queries_leaves_the_branch_out() {
    let _alone = crate::alone();
    let folder = tempfile::tempdir().unwrap();
    let mut rig = rig(folder.path(), &[]);
    assert!(rig.start_inter().unwrap());
    assert!(step(&mut rig).relation.is_some());
    break_encoders(&rig);
    // Across an epoch's end, where the batch for rehearsals is taken anew.
    for _ in 0..rig.loader.steps_per_epoch() {
        rig.swap();
        assert!(step(&mut rig).relation.is_none());
    }
    rig.end_epoch();
    assert_nobody_is_blamed(&mut rig);
    rig.bank.as_ref().unwrap().check().unwrap();
}

#[test]
fn a_bank_is_not_filled_with_broken_embeddings() {
    let _alone = crate::alone();
    let folder = tempfile::tempdir().unwrap();
    let mut rig = rig(folder.path(), &[]);
    let key = rig.method.teacher(&rig.query).parameters();
    let weights: Vec<Tensor> = key.iter().map(|(_, weights)| weights.copy()).collect();
    break_encoders(&rig);
    assert!(!rig.start_inter().unwrap());
    assert!(rig.bank.is_none());
    assert_nobody_is_blamed(&mut rig);
    for ((_, mut broken), whole) in key.into_iter().zip(weights) {
        tch::no_grad(|| broken.copy_(&whole));
    }
    assert!(rig.start_inter().unwrap());
}
