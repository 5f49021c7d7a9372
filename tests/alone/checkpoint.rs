//! A run put back to a checkpoint goes on with the same bits.

use std::collections::BTreeSet;
use std::path::Path;

use sandbox::config::{Plan, Request, load};
use sandbox::data::{Images, Source, Splits, open};
use sandbox::record::checkpoint;
use sandbox::train::step::step;
use sandbox::train::trainer::Trainer;
use tch::Device;

const SET: &[&str] = &[
    "model.width=8",
    "model.hidden=16",
    "model.dim=16",
    "method.queue=64",
    "labels.clusters=8",
    "labels.min_cluster=4",
    "sampler.pool=64",
    "sampler.negatives=16",
    "train.batch=16",
    "optim.nesterov=true",
    "inter.warmup_epochs=0",
];

/// What each method adds to a checkpoint, and what changes the step around it.
const METHODS: &[&[&str]] = &[
    &["method.name=moco"],
    &[
        "method.name=moco",
        "method.symmetric=true",
        "method.key_groups=4",
        "method.margin_kind=cosine",
        "method.margin=0.1",
    ],
    &["method.name=npid", "bank.momentum=0.5"],
    &[
        "method.name=simclr",
        "model.norm=true",
        "model.share_neck=false",
    ],
    &[
        "method.name=byol",
        "method.symmetric=true",
        "method.momentum_schedule=cosine",
        "method.predictor=16",
    ],
    &[
        "train.accumulate=2",
        "train.batch=8",
        "train.precision=bf16",
    ],
    &["loss.inter=0"],
    &[
        "optim.name=lars",
        "optim.nesterov=false",
        "optim.schedule=step",
        "optim.milestones=[1]",
    ],
    &[
        "optim.name=adamw",
        "optim.nesterov=false",
        "optim.lr=0.001",
        "optim.exclude_norm_and_bias=true",
        "optim.clip=0.5",
    ],
];

#[test]
fn a_restored_run_goes_on_with_the_same_bits() {
    let _alone = crate::alone();
    for method in METHODS {
        restored_run_goes_on(method);
    }
}

#[track_caller]
pub(crate) fn restored_run_goes_on(method: &[&str]) {
    let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let trainer = |folder| trainer(folder, method);
    let mut whole = trainer(folders[0].path());
    losses(&mut whole, 13);
    let (files, extra) = whole.state().unwrap();
    let path = checkpoint::save(
        &folders[0].path().join("checkpoints"),
        whole.step,
        files,
        extra,
    )
    .unwrap();
    let expected = losses(&mut whole, 20);

    let mut restored = trainer(folders[1].path());
    restored.restore(&checkpoint::load(&path).unwrap()).unwrap();
    assert_eq!(restored.step, 13);
    assert_eq!(losses(&mut restored, 20), expected, "{method:?}");
    let different: BTreeSet<_> = expected.iter().collect();
    assert!(different.len() > 15, "{method:?}: the losses hardly change");
}

/// Bits of the losses of the next steps, across an epoch's end.
pub(crate) fn losses(trainer: &mut Trainer, steps: u64) -> Vec<u64> {
    let bits = (0..steps)
        .map(|_| {
            if trainer.begins_epoch() {
                let _ = trainer.start_inter().unwrap();
            }
            trainer.begin_step().unwrap();
            trainer.swap();
            let bits = step(trainer).total.double_value(&[]).to_bits();
            if trainer.begins_epoch() {
                trainer.end_epoch();
            }
            bits
        })
        .collect();
    // A policy that was too slow on a busy machine would be rolled back, and the losses would be others.
    for change in trainer.gate.take_changes() {
        assert!(change.fault.is_none(), "{:?}", change.fault);
    }
    bits
}

pub(crate) fn trainer(folder: &Path, method: &[&str]) -> Trainer {
    let set = SET
        .iter()
        .chain(method)
        .map(|set| (*set).to_owned())
        .collect();
    let loaded = load::load(&Request { config: None, set }).unwrap();
    let embedded = open(&Source::Embedded).unwrap();
    let splits = Splits::new(first(&embedded.train, 256), first(&embedded.eval, 64));
    Trainer::build(
        Plan::new(loaded).unwrap(),
        splits,
        Device::Cpu,
        folder,
        false,
    )
    .unwrap()
}

fn first(images: &Images, count: i64) -> Images {
    let pixels = (0..count).flat_map(|id| images.image(id)).collect();
    let labels = images.labels().unwrap()[..count as usize].to_vec();
    Images::new(
        "first",
        images.shape().unwrap(),
        pixels,
        labels,
        images.classes().to_vec(),
    )
}
