//! A generation that makes the weights useless is undone with all that it did: the bits are those of a run without it.

use std::collections::BTreeMap;

use sandbox::policy::PolicyFile;
use sandbox::policy::script::Origin;
use sandbox::slots::Slot;
use sandbox::swap::{Event, Origin as By};
use sandbox::train::step::step;
use sandbox::train::trainer::Trainer;
use tch::Tensor;

use crate::checkpoint::trainer;

const STEPS: u64 = 8;
/// Before so many steps the other generation goes live.
const SWAP: u64 = 3;

fn tensors(trainer: &mut Trainer) -> BTreeMap<String, Tensor> {
    let (files, _) = trainer.state().unwrap();
    let files = files.into_iter().flat_map(|(file, tensors)| {
        tensors
            .into_iter()
            .map(move |(name, tensor)| (format!("{file}/{name}"), tensor.copy()))
    });
    files.collect()
}

/// The run's tensors after its steps, and at which step a generation was rolled back.
fn after(ruin: Option<&str>) -> (BTreeMap<String, Tensor>, Vec<u64>) {
    let folder = tempfile::tempdir().unwrap();
    let content = |body: &str| {
        let path = folder.path().join("mine.rhai");
        let text = format!("//! slot: schedule\nfn decide(ctx) {{ {body} }}\n");
        std::fs::write(&path, text).unwrap();
        PolicyFile::Script(Origin::File(path))
            .read(Slot::Schedule)
            .unwrap()
    };
    let mut trainer = trainer(folder.path(), &[]);
    let good = content(r#"#{ "optim.clip": 1.0 }"#);
    trainer.fill(Slot::Schedule, good, By::Control).unwrap();
    trainer.start_inter().unwrap();
    while trainer.step < STEPS {
        if let Some(ruin) = ruin.filter(|_| trainer.step == SWAP) {
            let (now, ruin) = (trainer.now(), content(ruin));
            let gate = &mut trainer.gate;
            gate.propose(Slot::Schedule, ruin, By::Watch, now, &mut |_, _| Ok(()))
                .unwrap();
        }
        trainer.begin_step().unwrap();
        step(&mut trainer);
    }
    let changes = trainer.gate.take_changes();
    let back = changes
        .iter()
        .filter(|change| change.event == Event::RolledBack);
    let back = back.map(|change| change.step).collect();
    (tensors(&mut trainer), back)
}

#[test]
fn an_undone_generation_leaves_no_bit() {
    let _alone = crate::alone();
    let (expected, back) = after(None);
    assert!(back.is_empty() && expected.len() > 20);
    // The weights are not finite in its first step.
    let (found, back) = after(Some(r#"#{ "optim.lr": 3e38 }"#));
    assert_eq!(back, [SWAP]);
    assert_eq!(found.len(), expected.len());
    for (name, tensor) in &expected {
        assert!(tensor.equal(&found[name]), "{name}");
    }
}

/// What is seen later is undone as well, and the steps in between are lost: their weights were not worth keeping.
#[test]
fn weights_that_show_their_fault_later_are_those_of_before() {
    let _alone = crate::alone();
    let (found, back) = after(Some(r#"#{ "optim.lr": 1e25 }"#));
    assert_eq!(back.len(), 1);
    assert!(back[0] > SWAP, "{back:?}");
    for (name, tensor) in found {
        let largest = tensor.to_kind(tch::Kind::Double).abs().max();
        assert!(largest.double_value(&[]) < 1e6, "{name}");
    }
}
