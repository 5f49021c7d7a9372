//! Runs that are done again, as they were and as they would have been; and runs that go on from another one's checkpoint.

use std::fs;

use crate::support::{Dir, Finished};

const SCRIPT: &str = "samplers/semi_hard.rhai";

/// A run of some steps in which a sampler was swapped three times, a value set, and a fault rolled back.
fn eventful(dir: &Dir) -> Finished {
    let text = dir.copy_script(SCRIPT);
    let mut run = dir.start(&["--script", SCRIPT, "--set", "checkpoint.every=50"]);
    let folder = run.folder.to_str().unwrap().to_owned();
    let save = |text: &str| dir.write(&format!("scripts/{SCRIPT}"), text);
    for positives in [2, 3] {
        save(&text.replace("positives: 1,", &format!("positives: {positives},")));
        run.until(&format!("sampler: semi_hard gen {positives} is live"));
        run.until("has passed its trial");
        run.steps(2);
    }
    let set = dir.output(&["set", &folder, "optim.lr=0.01"]);
    assert!(set.status.success());
    run.steps(2);
    // It fails in its fifth step: the same step is decided again by the generation before.
    let failing = "fn decide(ctx) {\n    this.n = (this.n ?? 0) + 1;\n    if this.n == 5 { throw \"enough\" }";
    save(&text.replace("fn decide(ctx) {", failing));
    run.until("sampler: semi_hard gen 4 is live");
    run.until("sampler: rolled back at step");
    run.steps(4);
    assert!(dir.output(&["stop", &folder]).status.success());
    let (run, code) = run.end();
    assert_eq!(code, Some(0), "{}", run.text);
    run
}

/// Number and step of the ledger's line about a generation of the sampler.
fn swap(run: &Finished, generation: u64) -> (String, u64) {
    let live = run.ledger("sampler", "live");
    let line = live.iter().find(|line| line["generation"] == generation);
    let line = line.unwrap();
    (line["seq"].to_string(), line["step"].as_u64().unwrap())
}

/// The first step whose loss differs, counted from 1.
fn parts(one: &Finished, other: &Finished) -> Option<u64> {
    let (one, other) = (one.digests(), other.digests());
    let losses = |run: &std::collections::BTreeMap<u64, serde_json::Value>| {
        let lines = run
            .values()
            .flat_map(|line| line["losses"].as_array().unwrap().clone());
        lines
            .map(|loss| loss.as_f64().unwrap().to_bits())
            .collect::<Vec<_>>()
    };
    let (one, other) = (losses(&one), losses(&other));
    let mut pairs = one.iter().zip(&other);
    pairs.position(|(a, b)| a != b).map(|at| at as u64 + 1)
}

#[test]
fn a_replay_is_the_run_and_what_is_left_out_or_moved_changes_it_from_there_on() {
    let dir = Dir::new();
    let run = eventful(&dir);
    let folder = run.folder.to_str().unwrap();
    // What the files say by now does not matter.
    fs::remove_dir_all(dir.file("scripts")).unwrap();
    let (again, said) = dir.again(&["replay", folder, "--verify"]);
    assert!(said.contains("same  bit for bit"), "{said}");
    again.assert_same_bits(&run);
    assert_eq!(again.digests().len(), run.digests().len());
    for event in ["live", "rolled_back", "confirmed"] {
        let steps = |run: &Finished| {
            let lines = run.ledger("sampler", event).into_iter();
            lines.map(|line| line["step"].as_u64()).collect::<Vec<_>>()
        };
        assert_eq!(steps(&again), steps(&run), "{event}");
    }

    let missed = "did not come again";
    let (seq, step) = swap(&run, 3);
    let (without, said) = dir.again(&["replay", folder, "--without", &seq, "--verify"]);
    assert!(
        said.contains(&format!("parts  at step {} ", step + 1)),
        "{said}"
    );
    assert_eq!(parts(&without, &run), Some(step + 1));
    assert!(
        !without.text.contains(missed),
        "what followed from a line that was left out is not missed"
    );

    let (seq, step) = swap(&run, 2);
    let (shifted, said) = dir.again(&["replay", folder, "--shift", &format!("{seq}=+3")]);
    assert!(
        said.contains(&format!("parts  at step {} ", step + 1)),
        "{said}"
    );
    assert_eq!(parts(&shifted, &run), Some(step + 1));
    assert_eq!(swap(&shifted, 2).1, step + 3);
    // A replay can be replayed.
    let folder = shifted.folder.to_str().unwrap();
    let (twice, said) = dir.again(&["replay", folder, "--verify"]);
    assert!(said.contains("same  bit for bit"), "{said}");
    twice.assert_same_bits(&shifted);
}

/// A fault that a clock made does not come again by itself: the ledger foretells it. It is put there by hand, in the place of a
/// roll-back that a person asked for, since no test should wait for a call of two seconds.
#[test]
fn a_policy_that_was_too_slow_is_rolled_back_again_at_the_same_step() {
    let dir = Dir::new();
    let mut run = dir.start(&["--set", "checkpoint.every=1000000"]);
    let folder = run.folder.to_str().unwrap().to_owned();
    for args in [
        &["swap", &folder, "sampler", "samplers/hard.rhai"][..],
        &["rollback", &folder, "sampler"],
    ] {
        assert!(dir.output(args).status.success());
        run.steps(3);
    }
    dir.output(&["stop", &folder]);
    let (run, _) = run.end();

    let mut lines = run.lines("swaps.jsonl");
    let back = lines.iter_mut().find(|line| line["event"] == "rolled_back");
    let back = back.unwrap();
    back["origin"] = "run".into();
    back["asked"] = 0.into();
    let slow = "'decide' took 2100 ms, its budget is 2000 ms";
    back["fault"] = serde_json::json!({"kind": "budget", "message": slow});
    let text: Vec<_> = lines.iter().map(ToString::to_string).collect();
    fs::write(run.folder.join("swaps.jsonl"), text.join("\n") + "\n").unwrap();
    let (again, said) = dir.again(&["replay", &folder, "--verify"]);
    assert!(said.contains("same  bit for bit"), "{said}");
    assert!(again.text.contains(slow), "{}", again.text);
    again.assert_same_bits(&run);
}

#[test]
fn a_replay_of_a_run_that_was_tampered_with_names_the_step() {
    let dir = Dir::new();
    let run = dir.train(&["--steps", "60"]);
    let file = run.folder.join("digests.jsonl");
    let mut lines = run.lines("digests.jsonl");
    lines[3]["losses"][4] = serde_json::json!(1.5);
    let text: Vec<_> = lines.iter().map(ToString::to_string).collect();
    fs::write(&file, text.join("\n") + "\n").unwrap();
    let folder = run.folder.to_str().unwrap();
    let output = dir.output(&["replay", folder, "--verify", "--plain"]);
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("parts  at step 35: loss"), "{said}");

    let output = dir.output(&["replay", folder, "--without", "2"]);
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(
        said.contains("line 2 of the ledger is no change that somebody made"),
        "{said}"
    );

    // A policy that the ledger names, and that is not there any more.
    fs::remove_dir_all(run.folder.join("policies")).unwrap();
    let output = dir.output(&["replay", folder]);
    assert!(!output.status.success());
    let runs = fs::read_dir(dir.file("runs")).unwrap().count();
    assert_eq!(runs, 2, "a run that cannot begin leaves no folder");
}

#[test]
fn a_fork_decides_as_its_parent_until_told_otherwise() {
    let dir = Dir::new();
    let text = dir.copy_script(SCRIPT);
    let parent = dir.train(&[
        "--script",
        SCRIPT,
        "--steps",
        "100",
        "--set",
        "checkpoint.every=20",
    ]);
    let folder = parent.folder.to_str().unwrap();
    // The parent's script is another one by now; a fork decides by what was live.
    dir.write(
        &format!("scripts/{SCRIPT}"),
        &text.replace("positives: 1,", "positives: 3,"),
    );
    let (fork, _) = dir.again(&["fork", &format!("{folder}@80")]);
    fork.assert_same_bits_from(&parent, 80);
    let status = fs::read_to_string(fork.folder.join("run.json")).unwrap();
    let status: serde_json::Value = serde_json::from_str(&status).unwrap();
    let id = parent.folder.file_name().unwrap().to_str().unwrap();
    assert_eq!(status["parent"], format!("{id}@80"));
    assert_eq!(status["kind"], "fork");

    let script = [
        "--script",
        SCRIPT,
        "--set",
        "optim.lr=0.01",
        "--name",
        "other",
    ];
    let (other, _) = dir.again(&[&["fork", &format!("{folder}@80")], &script[..]].concat());
    assert!(other.folder.to_str().unwrap().ends_with("-other"));
    let started = &other.ledger("sampler", "started")[0];
    assert_eq!(
        (&started["step"], &started["generation"]),
        (&80.into(), &1.into())
    );
    let live = &other.ledger("sampler", "live")[0];
    assert_eq!(
        (&live["step"], &live["generation"]),
        (&80.into(), &2.into())
    );
    assert_eq!(live["origin"], "command");
    let last = |run: &Finished| run.losses().last().copied();
    assert_ne!(last(&other), last(&parent));
    // A fork can be done again: its beginning is never pruned.
    let again = other.folder.to_str().unwrap();
    let (again, said) = dir.again(&["replay", again, "--verify"]);
    assert!(said.contains("same  bit for bit up to step 100"), "{said}");
    again.assert_same_bits_from(&other, 80);

    let output = dir.output(&["fork", &format!("{folder}@79")]);
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(
        said.contains("has no checkpoint of step 79, only of 0, 80, 100"),
        "{said}"
    );
}

/// A crash tears the last line of a ledger, here within a character; one that lost a policy is no ledger of a run.
#[test]
fn a_ledger_that_lost_the_policy_of_a_slot_is_told() {
    let dir = Dir::new();
    let run = dir.train(&["--steps", "10"]).folder;
    let ledger = run.join("swaps.jsonl");
    let text = fs::read_to_string(&ledger).unwrap();
    let whole: Vec<_> = text.split_inclusive('\n').collect();
    let at = whole
        .iter()
        .position(|line| line.contains("\"boundary\""))
        .unwrap();
    let torn = [
        whole[..at].concat().as_bytes(),
        &whole[at].as_bytes()[..40],
        b"\xc3",
    ]
    .concat();
    for left in [
        torn,
        [&whole[..at], &whole[at + 1..]]
            .concat()
            .concat()
            .into_bytes(),
    ] {
        fs::write(&ledger, left).unwrap();
        let output = dir.output(&["replay", run.to_str().unwrap(), "--plain"]);
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{said}");
        let expected =
            "swaps.jsonl': expected the policy with which slot 'boundary' began, found none";
        assert!(said.contains(expected), "{said}");
    }
}

/// On the CPU the bits depend on the number of threads: a run that is done again or gone on from computes with as many as before.
#[test]
fn a_replay_and_a_resume_take_over_the_number_of_threads() {
    let dir = Dir::new();
    // With one thread, as every test.
    let run = dir.train(&["--steps", "40"]).folder;
    let threads = |folder: &std::path::Path| {
        let text = fs::read_to_string(folder.join("run.json")).unwrap();
        serde_json::from_str::<serde_json::Value>(&text).unwrap()["threads"].as_u64()
    };
    assert_eq!(threads(&run), Some(1));
    let folder = run.to_str().unwrap();

    let again = |omp: Option<&str>| {
        let mut command = dir.sandbox(&["replay", folder, "--plain"]);
        match omp {
            Some(count) => command.env("OMP_NUM_THREADS", count),
            None => command.env_remove("OMP_NUM_THREADS"),
        };
        let output = command.output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        let replay = dir.newest_run();
        (
            threads(&replay),
            said,
            String::from_utf8_lossy(&output.stdout).into_owned(),
        )
    };
    let (taken, said, outcome) = again(None);
    assert_eq!(taken, Some(1));
    assert!(!said.contains("OMP_NUM_THREADS"), "{said}");
    assert!(
        outcome.contains("same  bit for bit up to step 40"),
        "{outcome}"
    );
    // MKL takes no more threads than there are cores.
    if std::thread::available_parallelism().unwrap().get() > 1 {
        let (asked, said, _) = again(Some("2"));
        assert_eq!(asked, Some(2));
        assert!(
            said.contains("threads: the run had 1, OMP_NUM_THREADS asks for 2"),
            "{said}"
        );
    }

    let further = ["resume", folder, "--plain", "--set", "train.steps=60"];
    let mut command = dir.sandbox(&further);
    let output = command.env_remove("OMP_NUM_THREADS").output().unwrap();
    assert!(output.status.success());
    assert_eq!(threads(&run), Some(1));
}
