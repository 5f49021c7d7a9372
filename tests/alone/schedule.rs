//! A schedule's state goes on from a checkpoint, and a run that began without a schedule takes one.

use std::fs;
use std::path::{Path, PathBuf};

use sandbox::policy::PolicyFile;
use sandbox::policy::script::Origin;
use sandbox::slots::{Kind, Slot};
use sandbox::swap::Origin as By;

use crate::checkpoint::{losses, restored_run_goes_on, trainer};

fn write(folder: &Path, body: &str) -> PathBuf {
    let path = folder.join("mine.rhai");
    fs::write(
        &path,
        format!("//! slot: schedule\nfn decide(ctx) {{ {body} }}\n"),
    )
    .unwrap();
    path
}

/// What it gives depends on its state, on the step before and on what it draws.
#[test]
fn a_restored_schedule_gives_the_same_numbers() {
    let _alone = crate::alone();
    let folder = tempfile::tempdir().unwrap();
    let body = r#"
        this.n = if "n" in this { this.n + 1 } else { 0 };
        let loss = if "loss.total" in ctx.last { ctx.last["loss.total"] } else { 4.0 };
        this.mean = if "mean" in this { 0.9 * this.mean + 0.1 * loss } else { loss };
        let draw = ctx.rng.rand([1]).item();
        #{ "optim.lr": 0.02 * this.mean / (1.0 + this.n), "loss.inter": draw, "sampler.pool": 40 + this.n,
           "boundary.margin": -0.5 + 0.01 * this.n }"#;
    let script = format!("schedule.script={}", write(folder.path(), body).display());
    restored_run_goes_on(&[&script]);
    restored_run_goes_on(&[&script, "train.accumulate=2", "train.batch=8"]);
}

#[test]
fn a_run_without_a_schedule_takes_one_later() {
    let _alone = crate::alone();
    let folders = [(); 3].map(|()| tempfile::tempdir().unwrap());
    let mut plain = trainer(folders[0].path(), &[]);
    let mut later = trainer(folders[1].path(), &[]);
    assert_eq!(losses(&mut plain, 5), losses(&mut later, 5));

    let read = |body| {
        let file = Origin::File(write(folders[2].path(), body));
        PolicyFile::Script(file).read(Slot::Schedule).unwrap()
    };
    let wrong = read(r#"#{ "optim.lr": -ctx.last["loss.total"] }"#);
    let fault = later.fill(Slot::Schedule, wrong, By::Control).unwrap_err();
    assert_eq!(fault.kind, Kind::Output);
    assert!(!later.gate.filled(Slot::Schedule));

    let good = read(r#"#{ "optim.lr": 0.0 }"#);
    later
        .fill(Slot::Schedule, good.clone(), By::Control)
        .unwrap();
    let (_, generation) = later.gate.generations().remove(0);
    assert_eq!((generation.number, generation.name.as_str()), (1, "mine"));
    let [one, other] = [&mut plain, &mut later].map(|trainer| losses(trainer, 3));
    assert_eq!(one[0], other[0], "the weights are still the same");
    assert_ne!(one[1..], other[1..]);

    let fault = later.fill(Slot::Schedule, good, By::Control).unwrap_err();
    assert_eq!(fault.message, "the slot has a policy: expected none");
    let ledger = fs::read_to_string(folders[1].path().join("swaps.jsonl")).unwrap();
    let line = ledger.lines().last().unwrap();
    assert!(line.contains(r#""step":5"#) && line.contains(r#""slot":"schedule""#));
}
