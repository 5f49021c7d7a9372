//! Runs that are cut, and go on as if they had not been.

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::Stdio;

use crate::support::{Dir, Finished, Live};

const SCRIPT: &str = "samplers/semi_hard.rhai";

/// Two hundred steps, and everything saved at each seventh.
const WHOLE: &[&str] = &["--steps", "200", "--set", "checkpoint.every=7"];

/// Kills the run without a warning once it has said that so many steps are done.
fn cut(mut run: Live, step: u64) -> Finished {
    run.until(&format!("step {step}/"));
    run.stop()
}

fn status(run: &Finished, key: &str) -> serde_json::Value {
    let text = fs::read_to_string(run.folder.join("run.json")).unwrap();
    serde_json::from_str::<serde_json::Value>(&text).unwrap()[key].clone()
}

#[test]
fn a_run_that_is_killed_twenty_times_has_the_bits_of_one_that_was_not() {
    let dir = Dir::new();
    let whole = dir.train(WHOLE);
    let mut run = dir.start(WHOLE).stop();
    // Each time some ten steps further, and never at the same place between two checkpoints.
    for step in (15..190).step_by(10).chain([190]) {
        run = cut(dir.resume(&run, &[]), step);
    }
    let (run, code) = dir.resume(&run, &[]).end();
    assert_eq!(code, Some(0), "{}", run.text);
    assert_eq!(run.digests().len(), 20);
    run.assert_same_bits(&whole);
    assert_eq!(status(&run, "status"), "finished");
    assert_eq!(status(&run, "steps"), 200);
    let resumed = run.lines("swaps.jsonl");
    let resumed = resumed.iter().filter(|line| line["event"] == "resumed");
    assert_eq!(resumed.count(), 20);
}

#[test]
fn a_run_that_was_killed_before_its_first_checkpoint_begins_again() {
    let dir = Dir::new();
    let args = ["--steps", "40"];
    let whole = dir.train(&args);
    let run = cut(dir.start(&args), 25);
    let (run, code) = dir.resume(&run, &[]).end();
    assert_eq!(code, Some(0), "{}", run.text);
    run.assert_same_bits(&whole);
    assert_eq!(run.ledger("sampler", "started").len(), 1);
}

/// What was swapped after the checkpoint is swapped again at its step, though the file holds something else by now; what was saved
/// while nobody watched is taken when that is done.
#[test]
fn swaps_after_the_checkpoint_are_done_again_and_later_saves_are_taken() {
    let dir = Dir::new();
    let text = dir.copy_script(SCRIPT);
    let path = format!("scripts/{SCRIPT}");
    let mut run = dir.start(&["--script", SCRIPT, "--set", "checkpoint.every=1000000"]);
    dir.write(&path, &text.replace("positives: 1,", "positives: 2,"));
    run.until("sampler: semi_hard gen 2 is live");
    dir.write(&path, "//! slot: sampler\nfn decide(ctx) { ctx.no }");
    run.until("sampler: refused");
    dir.write(&path, &text.replace("positives: 1,", "positives: 3,"));
    run.until("sampler: semi_hard gen 3 is live");
    run.until("has passed its trial");
    run.steps(4);
    let first = run.stop();
    let before = first.losses();

    dir.write(&path, &text.replace("positives: 1,", "positives: 4,"));
    let mut run = dir.resume(&first, &[]);
    run.until("doing again what its ledger says");
    let line = run.until("sampler: semi_hard gen 4 is live");
    run.steps(2);
    let run = run.stop();
    let at = run.ledger("sampler", "live");
    let steps: Vec<_> = at
        .iter()
        .map(|line| line["step"].as_u64().unwrap())
        .collect();
    assert_eq!(
        steps.len(),
        3,
        "each swap stands in the ledger once: {at:?}"
    );
    assert!(line.contains(&format!("after step {} (", steps[2])));
    assert!(steps[2] > steps[1]);
    // Up to the new swap the second time is the first time.
    let after = run.losses();
    let after = &after[before.len()..];
    let common = after.iter().filter(|(step, _)| *step <= steps[2]);
    let common: Vec<_> = common
        .filter(|line| before.iter().any(|old| old.0 == line.0))
        .collect();
    assert!(common.len() > 4, "{steps:?}: {before:?}, {after:?}");
    assert!(common.iter().all(|line| before.contains(line)));
}

#[test]
fn values_change_at_a_resume_and_the_ledger_says_so() {
    let dir = Dir::new();
    let run = cut(dir.start(WHOLE), 50);
    let set = ["--set", "optim.lr=0.001", "--set", "sampler.negatives=8"];
    let (run, code) = dir.resume(&run, &set).end();
    assert_eq!(code, Some(0), "{}", run.text);
    let ledger = run.lines("swaps.jsonl");
    let set = ledger.iter().find(|line| line["event"] == "set").unwrap();
    let at = set["step"].as_u64().unwrap();
    assert_eq!(set["set"]["optim.lr"], 0.001);
    assert_eq!(set["origin"], "command");
    let live = run.ledger("sampler", "live");
    assert_eq!(live[0]["params"]["negatives"], 8);
    let metrics = run.lines("metrics.jsonl");
    let lr = |step| {
        let lines = metrics.iter().rev();
        let mut lines = lines.filter(|line| line["step"] == step);
        lines.next().unwrap()["train/lr"].as_f64().unwrap()
    };
    assert!(lr(at + 5 - at % 5) < 0.0011 && lr(at - at % 5) > 0.04);
    // Cut again, it goes on with the values that it was given.
    let (again, said) = dir.again(&["replay", run.folder.to_str().unwrap(), "--verify"]);
    assert!(said.contains("same  bit for bit up to step 200"), "{said}");
    again.assert_same_bits(&run);
}

/// What is asked, and what is said of it. Nothing is changed by any.
const REFUSED: &[(&[&str], &str)] = &[
    (
        &["--set", "model.dim=32"],
        "model.dim: cannot change while a run goes on",
    ),
    (&["--set", "optim.lrr=1"], "did you mean 'optim.lr'"),
    (&["--set", "sampler.pol=3"], "no parameter of 'semi_hard'"),
    (&["--set", "optim.lr"], "expected KEY=VALUE"),
    (&["--device", "cuda:7"], "cuda"),
    (&["--data", "nowhere"], "nowhere"),
];

#[test]
fn what_cannot_be_resumed_is_told_and_nothing_is_changed() {
    let dir = Dir::new();
    let mut live = dir.start(WHOLE);
    let folder = live.folder.to_str().unwrap().to_owned();
    let refused = |args: &[&str]| {
        let output = dir.output(&[&["resume", &folder], args].concat());
        assert!(!output.status.success(), "{args:?}");
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    live.until("step 30/");
    assert!(refused(&[]).contains("is live: another process trains in it"));
    let run = live.stop();
    let ledger = fs::read(run.folder.join("swaps.jsonl")).unwrap();
    for (args, expected) in REFUSED {
        let said = refused(args);
        assert!(said.contains(expected), "{args:?}: {said}");
    }
    assert_eq!(fs::read(run.folder.join("swaps.jsonl")).unwrap(), ledger);

    // A damaged checkpoint is passed over, and where all are damaged that is said.
    let checkpoints = fs::read_dir(run.folder.join("checkpoints")).unwrap();
    for checkpoint in checkpoints {
        let file = checkpoint.unwrap().path().join("model.safetensors");
        let mut bytes = fs::read(&file).unwrap();
        let at = bytes.len() - 3;
        bytes[at] ^= 1;
        fs::write(&file, bytes).unwrap();
    }
    let said = refused(&[]);
    assert!(said.contains("none of the 2 checkpoints"), "{said}");
    let said = String::from_utf8(dir.output(&["resume", "nowhere"]).stderr).unwrap();
    assert!(said.contains("no run 'nowhere': it is no folder"), "{said}");
}

/// A policy that ends the process would end it again: a resumed run takes another one. What the ledger says of that slot after the
/// checkpoint is void then, for this run and for who does it again.
#[test]
fn a_resumed_run_takes_another_policy() {
    let dir = Dir::new();
    dir.copy_script(SCRIPT);
    let args = ["--script", SCRIPT, "--set", "checkpoint.every=10"];
    let mut run = dir.start(&args);
    let text = dir.copy_script(SCRIPT);
    dir.write(
        &format!("scripts/{SCRIPT}"),
        &format!("{text}\n// Another one.\n"),
    );
    run.until("sampler: semi_hard gen 2 is live");
    let run = run.stop();
    let swapped = run.ledger("sampler", "live")[0]["step"].as_u64().unwrap();
    // Back to a checkpoint before the swap.
    for step in (swapped + 1..swapped + 1000).filter(|step| step % 10 == 0) {
        let _ = fs::remove_dir_all(run.folder.join(format!("checkpoints/step-{step:09}")));
    }
    let end = swapped + 25;
    let longer = format!("train.steps={end}");
    let resume = [
        "--script",
        "samplers/hard.rhai",
        "--no-watch",
        "--set",
        &longer,
    ];
    let (run, code) = dir.resume(&run, &resume).end();
    assert_eq!(code, Some(0), "{}", run.text);
    let live = run.ledger("sampler", "live");
    assert_eq!(live.len(), 2, "the swap was not done again: {live:?}");
    assert_eq!(
        (&live[1]["policy"], &live[1]["origin"]),
        (&"hard".into(), &"command".into())
    );
    assert!(live[1]["step"].as_u64().unwrap() <= swapped);
    assert!(!run.text.contains("did not come again"), "{}", run.text);
    let replay = dir.output(&[
        "replay",
        run.folder.to_str().unwrap(),
        "--plain",
        "--verify",
    ]);
    let said = String::from_utf8(replay.stdout).unwrap();
    let replayed = Finished {
        folder: dir.newest_run(),
        text: String::new(),
    };
    assert_eq!(replayed.ledger("sampler", "live").len(), 1, "{said}");
    assert_eq!(replay.status.code(), Some(0), "{said}");
    assert!(
        said.contains(&format!("same  bit for bit up to step {end}")),
        "{said}"
    );
}

#[test]
fn a_signal_saves_everything_and_says_how_to_go_on() {
    let dir = Dir::new();
    let whole = dir.train(&["--steps", "120"]);
    for signal in ["INT", "TERM"] {
        let mut run = dir.start(&["--steps", "120"]);
        run.until("step 40/");
        let pid = run.pid().to_string();
        let sent = std::process::Command::new("kill")
            .args(["-s", signal, &pid])
            .status();
        assert!(sent.unwrap().success());
        let (stopped, code) = run.end();
        assert_eq!(code, Some(0), "{}", stopped.text);
        assert_eq!(status(&stopped, "status"), "interrupted");
        let (run, code) = dir.resume(&stopped, &[]).end();
        assert_eq!(code, Some(0), "{}", run.text);
        run.assert_same_bits(&whole);
        let tenths = run.digests().into_keys().filter(|step| step % 10 == 0);
        assert_eq!(tenths.count(), 12);
    }
}

/// Ctrl-C behind `| tee` ends the reader as well, and often first.
#[test]
fn a_signal_stops_a_run_whose_reader_has_gone() {
    let dir = Dir::new();
    // Of a run that did not hear the signal it is said that it finished.
    let mut child = dir
        .sandbox(&["run", "--plain", "--config", "tiny.yaml", "--steps", "2000"])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stderr.take().unwrap()).lines();
    assert!(
        lines
            .map_while(Result::ok)
            .any(|line| line.starts_with("step 10/"))
    );
    let sent = std::process::Command::new("kill")
        .args(["-s", "INT", &child.id().to_string()])
        .status();
    assert!(sent.unwrap().success());
    child.wait().unwrap();
    let run = Finished {
        folder: dir.newest_run(),
        text: String::new(),
    };
    assert_eq!(status(&run, "status"), "interrupted");

    let folder = run.folder.to_str().unwrap();
    let output = dir.output(&["resume", folder, "--set", "train.steps=5"]);
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("train.steps = 5 is no further"), "{said}");
    assert_eq!(status(&run, "status"), "interrupted");
}

/// A step takes long, and the second signal comes before its end: one that comes within a second is taken for the first.
#[test]
fn a_second_signal_leaves_at_once_and_nothing_is_lost_but_the_steps_since_the_checkpoint() {
    let dir = Dir::new();
    let text = dir.copy_script("labels/online.rhai");
    let slow = "fn after_step(ctx) {\n    if ctx.step >= 15 { kmeans(ctx.bank.features, 8, ctx.rng, #{ iterations: 10_000, restarts: 10_000 }); }";
    assert!(text.contains("fn after_step(ctx) {"));
    dir.write(
        "scripts/labels/online.rhai",
        &text.replace("fn after_step(ctx) {", slow),
    );
    let args = [
        "--script",
        "labels/online.rhai",
        "--set",
        "checkpoint.every=10",
    ];
    let mut run = dir.start(&args);
    run.until("step 15/");
    let pid = run.pid().to_string();
    let interrupt = || {
        let sent = std::process::Command::new("kill")
            .args(["-s", "INT", &pid])
            .status();
        assert!(sent.unwrap().success());
    };
    interrupt();
    run.until("once more leaves at once");
    let ended = || {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        !status.contains("State:") || status.contains("State:\tZ")
    };
    while !ended() {
        interrupt();
    }
    let (run, code) = run.end();
    assert_eq!(code, Some(130), "{}", run.text);
    assert_eq!(status(&run, "status"), "running");
    dir.copy_script("labels/online.rhai");
    let mut run = dir.resume(&run, &[]);
    run.until("goes on from step 10 of");
    run.until("step 15/");
}

/// Of what TensorBoard reads, a resumed run says nothing twice: an event file's START makes it forget what it says anew.
#[test]
fn a_resumed_run_says_each_step_once_to_tensorboard() {
    let dir = Dir::new();
    let run = cut(dir.start(WHOLE), 33 / 5 * 5);
    let run = cut(dir.resume(&run, &[]), 65);
    let (run, _) = dir.resume(&run, &[]).end();
    let files = fs::read_dir(&run.folder).unwrap();
    let files = files.map(|file| file.unwrap().file_name().into_string().unwrap());
    assert_eq!(files.filter(|name| name.starts_with("events.")).count(), 3);
    // Of two lines with one step the later one counts, here as there.
    let mut steps: Vec<_> = run.losses().iter().map(|(step, _)| *step).collect();
    steps.sort_unstable();
    steps.dedup();
    assert_eq!(steps, (1..=40).map(|n| n * 5).collect::<Vec<_>>());
}

/// Killed before its slots had their policies, a run has done nothing, and begins anew in its folder.
#[test]
fn a_run_that_was_killed_before_its_slots_were_filled_begins_anew() {
    let dir = Dir::new();
    let whole = dir.train(&["--steps", "12"]);
    let ledger = fs::read_to_string(whole.folder.join("swaps.jsonl")).unwrap();
    for lines in [0, 1] {
        let cut = dir.train(&["--steps", "12"]);
        for left in ["checkpoints", "metrics.jsonl", "digests.jsonl", "eval.json"] {
            let path = cut.folder.join(left);
            let _ = fs::remove_dir_all(&path);
            let _ = fs::remove_file(&path);
        }
        let status = fs::read_to_string(cut.folder.join("run.json")).unwrap();
        let mut status: serde_json::Value = serde_json::from_str(&status).unwrap();
        status["status"] = "running".into();
        status["steps"] = 0.into();
        fs::write(cut.folder.join("run.json"), status.to_string()).unwrap();
        let kept: String = ledger.split_inclusive('\n').take(lines).collect();
        fs::write(cut.folder.join("swaps.jsonl"), kept).unwrap();
        let (run, code) = dir.resume(&cut, &[]).end();
        assert_eq!(code, Some(0), "{}", run.text);
        run.assert_same_losses(&whole);
        for slot in ["labels", "sampler", "boundary"] {
            assert_eq!(run.ledger(slot, "started").len(), 1, "{slot}");
        }
    }
}

/// What a command gives a key holds from there on, whatever the ledger says of it further down: values of before the cut, and those of an
/// earlier command.
#[test]
fn the_value_that_was_asked_for_last_holds() {
    let dir = Dir::new();
    let mut run = dir.start(&[
        "--set",
        "checkpoint.every=10",
        "--set",
        "optim.schedule=constant",
    ]);
    run.steps(4);
    let folder = run.folder.to_str().unwrap().to_owned();
    let set = dir.output(&["set", &folder, "optim.lr=0.5", "loss.intra=0.5"]);
    assert!(set.status.success(), "{set:?}");
    run.steps(1);
    let cut_once = run.stop();
    // Killed before it has a checkpoint of its own.
    let quarter = ["--set", "optim.lr=0.25", "--set", "checkpoint.every=0"];
    let mut first = dir.resume(&cut_once, &quarter);
    first.steps(1);
    let cut_twice = first.stop();
    let mut run = dir.resume(&cut_twice, &["--set", "optim.lr=0.02"]);
    run.steps(8);
    let run = run.stop();
    let lines = run.lines("metrics.jsonl");
    let last = lines
        .iter()
        .rev()
        .find_map(|line| line["train/lr"].as_f64());
    assert_eq!(last, Some(0.02), "{:?}", run.lines("swaps.jsonl"));
    let total = lines
        .iter()
        .rev()
        .find(|line| line["loss/total"].is_f64())
        .unwrap();
    let [total, intra, inter] =
        ["loss/total", "loss/intra", "loss/inter"].map(|tag| total[tag].as_f64().unwrap());
    assert!(
        (0.5 * intra + 0.25 * inter - total).abs() < 1e-4,
        "loss.intra is set again"
    );
    let (_, said) = dir.again(&["replay", &folder, "--verify"]);
    assert!(said.contains("same"), "{said}");
}
