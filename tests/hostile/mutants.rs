//! Shipped scripts with a few tokens changed: each is a policy or is refused, in its time, and what is refused changes no number.

use rand::RngExt;
use rand::seq::IndexedRandom;
use rand_chacha::ChaCha8Rng;
use sandbox::policy::script::SHIPPED;
use serde_json::Value;

use crate::guard::{Guard, ends_in_order};
use crate::mutate;
use crate::rounds::{rounds, soaking};
use crate::support::{Dir, Live};

/// Mutants that one process checks.
const AT_ONCE: usize = 20;

/// The shipped scripts that fill a slot.
fn policies() -> Vec<(&'static str, &'static str)> {
    let all = SHIPPED.iter().copied();
    all.filter(|(path, _)| !path.starts_with("lib/") && !path.ends_with("_test.rhai"))
        .collect()
}

/// Checks scripts, and returns what was found of each.
fn check(dir: &Dir, files: &[String]) -> Vec<Value> {
    let files: Vec<_> = files.iter().map(String::as_str).collect();
    let args = [&["check", "--format", "json"], &files[..]].concat();
    let end = ends_in_order(&mut dir.sandbox(&args));
    let found: Vec<Value> = end
        .printed
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(found.len(), files.len(), "{}{}", end.printed, end.text);
    found
}

/// A folder with all shipped scripts, where those that are imported are found.
fn workshop() -> Dir {
    let dir = Dir::new();
    for (path, text) in SHIPPED.iter() {
        dir.write(&format!("scripts/{path}"), text);
    }
    dir
}

#[test]
fn a_mutant_is_a_policy_or_is_refused() {
    let dir = workshop();
    let (policies, mut good, mut bad) = (policies(), 0, 0);
    rounds("mutants", 3, |_, rng| {
        let files: Vec<_> = (0..AT_ONCE)
            .map(|number| {
                let (path, text) = policies.choose(rng).unwrap();
                let folder = path.split('/').next().unwrap();
                let file = format!("scripts/{folder}/mutant_{number}.rhai");
                dir.write(&file, &mutate::script(rng, text));
                file
            })
            .collect();
        for found in check(&dir, &files) {
            match found["ok"] == true {
                true => good += 1,
                false => {
                    assert!(!found["message"].as_str().unwrap().is_empty(), "{found}");
                    bad += 1;
                }
            }
        }
    });
    eprintln!("mutants: {good} are policies, {bad} are refused");
    assert!(bad > 0);
}

/// The slots whose scripts are changed while a run goes on.
const LIVE: &[&str] = &[
    "labels/online.rhai",
    "samplers/semi_hard.rhai",
    "boundaries/cosine_margin.rhai",
    "schedules/one_cycle.rhai",
];

/// A mutant that `check` refuses.
fn broken(dir: &Dir, rng: &mut ChaCha8Rng, path: &str, text: &str) -> String {
    let folder = path.split('/').next().unwrap();
    loop {
        let mutant = mutate::script(rng, text);
        let file = format!("scripts/{folder}/mutant.rhai");
        dir.write(&file, &mutant);
        if check(dir, &[file])[0]["ok"] == false {
            return mutant;
        }
    }
}

/// Whether what was saved is refused, or live; other lines name the slot too.
fn is_refused(run: &mut Live, slot: &str) -> bool {
    loop {
        let line = run.until(slot);
        if line.contains("refused at step") || line.contains("is live after step") {
            return line.contains("refused at step");
        }
    }
}

/// Saved over the script of a live run, what `check` refuses is refused there too; or it is taken, because the run's own batches are
/// easier than those of `check`, and the losses up to there count.
#[test]
fn what_is_refused_changes_no_loss() {
    let (mut refused, mut taken) = (0, 0);
    rounds("saved mutants", 2, |_, rng| {
        let dir = workshop();
        let path = *LIVE.choose(rng).unwrap();
        let (_, text) = SHIPPED.iter().find(|(name, _)| *name == path).unwrap();
        let mut args = vec!["--script", path];
        if !path.starts_with("schedules/") {
            // Of this slot there is nothing to see where it is asked by chance alone.
            args.extend(["--set", "inter.warmup_epochs=0"]);
        }
        let mut run = dir.start(&args);
        let guard = Guard::of(run.pid());
        let slot = path.split('/').next().unwrap();
        let slot = format!(
            "{}: ",
            slot.trim_end_matches('s')
                .replace("label", "labels")
                .replace("boundarie", "boundary")
        );
        for _ in 0..rng.random_range(8..=12) {
            dir.write(&format!("scripts/{path}"), &broken(&dir, rng, path, text));
            match is_refused(&mut run, &slot) {
                true => refused += 1,
                false => {
                    taken += 1;
                    break;
                }
            }
        }
        run.steps(3);
        assert!(!guard.hung(), "{}", run.text);
        let run = run.stop();
        let live = run.ledger(slot.trim_end_matches(": "), "live");
        let losses = run.losses();
        let until = live
            .first()
            .map_or(u64::MAX, |line| line["step"].as_u64().unwrap());
        let losses: Vec<_> = losses
            .into_iter()
            .filter(|(step, _)| *step <= until)
            .collect();
        let steps = losses.last().unwrap().0.to_string();
        dir.write(&format!("scripts/{path}"), text);
        let alone = dir.train(&[&args[..], &["--steps", &steps]].concat());
        assert_eq!(losses, alone.losses(), "{}", run.text);
    });
    eprintln!("saved mutants: {refused} were refused, {taken} taken");
    assert!(refused > 0 || soaking());
}
