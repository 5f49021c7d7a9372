//! Commands to a live run, as a person gives them.

use std::process::Output;

use crate::support::{Dir, Finished, Live};

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Gives a command to the run and returns what it answered.
#[track_caller]
fn tell(dir: &Dir, run: &Live, verb: &str, args: &[&str]) -> String {
    let output = ask(dir, run, verb, args);
    assert!(output.status.success(), "{}", text(&output.stderr));
    text(&output.stdout)
}

fn ask(dir: &Dir, run: &Live, verb: &str, args: &[&str]) -> Output {
    let folder = run.folder.to_str().unwrap();
    dir.output(&[&[verb, folder], args].concat())
}

#[test]
fn a_live_run_obeys_and_the_ledger_keeps_every_act() {
    let dir = Dir::new();
    let mut run = dir.start(&[]);
    let said = tell(&dir, &run, "pause", &[]);
    assert!(said.starts_with("paused after step "), "{said}");
    let status = |run: &Live| -> serde_json::Value {
        serde_json::from_str(&tell(&dir, run, "status", &[])).unwrap()
    };
    let paused = status(&run);
    assert_eq!(paused["paused"], true);
    // A paused run still takes changes, and makes no step.
    let said = tell(&dir, &run, "set", &["optim.lr=0.5", "sampler.pool=32"]);
    assert_eq!(said.lines().count(), 1, "{said}");
    let said = tell(&dir, &run, "swap", &["sampler", "samplers/hard.rhai"]);
    assert!(said.contains("sampler: hard gen 3 is live"), "{said}");
    tell(&dir, &run, "checkpoint", &[]);
    let at = paused["step"].as_u64().unwrap();
    assert_eq!(status(&run)["step"], at);
    let saved = run
        .folder
        .join(format!("checkpoints/step-{at:09}/manifest.json"));
    assert!(saved.is_file());

    let later = (at + 30).to_string();
    let said = tell(
        &dir,
        &run,
        "swap",
        &["boundary", "boundaries/plain.rhai", "--at", &later],
    );
    assert!(said.contains("waits for step"), "{said}");
    tell(&dir, &run, "continue", &[]);
    run.until(&format!("boundary: plain gen 2 is live after step {later}"));
    run.steps(1);
    let said = tell(&dir, &run, "rollback", &["sampler"]);
    assert!(said.contains("sampler: semi_hard gen 2 is live"), "{said}");
    run.steps(2);
    tell(&dir, &run, "stop", &[]);
    let (run, code) = run.end();
    assert_eq!(code, Some(0), "{}", run.text);

    assert_every_act_is_kept(&run);
    assert_what_is_live_again_has_its_own_hash(&dir, &run);
    assert!(!run.folder.join("control.sock").exists());
    let folder = run.folder.to_str().unwrap();
    let (again, said) = dir.again(&["replay", folder, "--verify"]);
    assert!(said.contains("same  bit for bit"), "{said}");
    again.assert_same_bits(&run);
}

/// The line of the roll-back has the hash of what was left; what is live has that of its own first line.
fn assert_what_is_live_again_has_its_own_hash(dir: &Dir, run: &Finished) {
    let first = &run.ledger("sampler", "started")[0];
    let back = &run.ledger("sampler", "rolled_back")[0];
    let [own, left] = [first, back].map(|line| &line["hash"].as_str().unwrap()[..8]);
    assert_ne!(own, left);
    let shown = dir
        .sandbox(&["show", run.folder.to_str().unwrap()])
        .output()
        .unwrap();
    let shown = String::from_utf8(shown.stdout).unwrap();
    let standing = shown
        .lines()
        .find(|line| line.contains("semi_hard gen 2, from"));
    assert!(standing.unwrap().ends_with(&format!("({own})")), "{shown}");
    let line = format!("sampler: rolled back {left}, semi_hard gen 2 is live");
    assert!(shown.contains(&line), "{shown}");
}

fn assert_every_act_is_kept(run: &Finished) {
    let ledger = run.lines("swaps.jsonl");
    let events: Vec<_> = ledger
        .iter()
        .map(|line| line["event"].as_str().unwrap())
        .collect();
    for event in [
        "paused",
        "set",
        "checkpoint",
        "continued",
        "rolled_back",
        "stopped",
    ] {
        assert!(events.contains(&event), "{event}: {events:?}");
    }
    let control = ledger.iter().filter(|line| line["origin"] == "control");
    assert_eq!(control.count(), 8, "{events:?}");
    let set = ledger.iter().find(|line| line["event"] == "set").unwrap();
    let both = ["optim.lr", "sampler.pool"].map(|key| set["set"][key].as_f64());
    assert_eq!(both, [Some(0.5), Some(32.0)], "one step has both");
}

/// What is asked of a live run, and why it refuses; the run has the bits of one of which nothing was asked.
const REFUSED: &[(&str, &[&str], &str)] = &[
    ("set", &["model.dim=3"], "cannot change while a run goes on"),
    ("set", &["optim.lr=fast"], "expected a number"),
    ("set", &["optim.momentum=3"], "momentum"),
    ("set", &["sampler.pool=many"], "expected a number"),
    (
        "set",
        &["sampler.script=x.rhai"],
        "sandbox swap RUN sampler FILE",
    ),
    (
        "swap",
        &["sampler", "nowhere.rhai"],
        "no script 'nowhere.rhai'",
    ),
    (
        "swap",
        &["sampler", "labels/online.rhai"],
        "expected a script for slot 'sampler'",
    ),
    ("swap", &["sampler", "broken.rhai"], "did you mean 'topk'"),
    ("swap", &["smapler", "samplers/hard.rhai"], "sampler"),
    ("rollback", &["labels"], "there is none to go back to"),
    ("unshadow", &["nobody"], "shadow"),
];

#[test]
fn what_is_refused_changes_nothing() {
    let dir = Dir::new();
    let broken = "//! slot: sampler\nfn decide(ctx) { ctx.similarity.topkk(3) }";
    dir.write("broken.rhai", broken);
    let mut run = dir.start(&[]);
    for (verb, args, expected) in REFUSED {
        let output = ask(&dir, &run, verb, args);
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{verb} {args:?}: {said}");
        assert!(said.contains(expected), "{verb} {args:?}: {said}");
        run.steps(1);
    }
    run.steps(2);
    let run = run.stop();
    let mut quiet = dir.start(&["--no-watch"]);
    quiet.steps(run.losses().len().min(2_000));
    let quiet = quiet.stop();
    run.assert_same_losses(&quiet);

    // The run is over.
    let folder = run.folder.to_str().unwrap();
    let output = dir.output(&["pause", folder]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("is not live: sandbox resume"));
    let output = dir.output(&["pause", "nowhere"]);
    assert!(text(&output.stderr).contains("no run 'nowhere': it is no folder"));
}

/// A value that makes the weights useless soon after it was set is taken back with all that it did: in the run, in the same run that
/// was cut meanwhile, and where it is done again.
#[test]
fn a_value_that_ruins_the_weights_is_taken_back() {
    for (value, before) in [
        ("optim.lr=1e38", "optim.lr = 0.05"),
        ("method.temperature=1e-30", "method.temperature = 0.2"),
        ("loss.intra=1e38", "loss.intra = 0.75"),
        // Its weights go first, and its memories with them.
        ("optim.lr=1e6", "optim.lr = 0.05"),
    ] {
        let dir = Dir::new();
        let mut run = dir.start(&[]);
        run.steps(1);
        tell(&dir, &run, "pause", &[]);
        // What was set before it stays.
        tell(&dir, &run, "set", &["optim.weight_decay=0.001"]);
        tell(&dir, &run, "set", &[value, "train.epochs=100000"]);
        tell(&dir, &run, "checkpoint", &[]);
        let cut = run.stop();
        let mut run = dir.resume(&cut, &[]);
        run.until(&format!("{before} again"));
        run.steps(2);
        let run = run.stop();
        let sets: Vec<_> = run.lines("swaps.jsonl");
        let sets = sets.iter().filter(|line| line["event"] == "set");
        let sets: Vec<_> = sets.map(|line| (&line["origin"], &line["set"])).collect();
        let key = value.split('=').next().unwrap();
        assert_eq!(sets.len(), 3, "{value}: {sets:?}");
        assert_eq!(sets[2].0, "run", "{value}: {sets:?}");
        assert_eq!(sets[2].1.as_object().unwrap().len(), 1, "{value}: {sets:?}");
        assert!(sets[2].1.get(key).is_some(), "{value}: {sets:?}");
        let losses = run.losses();
        let mut losses = losses.iter().map(|(_, bits)| f64::from_bits(*bits));
        assert!(losses.all(|loss| loss.abs() < 20.0), "{value}");
        let (_, said) = dir.again(&["replay", run.folder.to_str().unwrap(), "--verify"]);
        assert!(said.contains("same"), "{value}: {said}");
    }
}

/// Without its ledger a run takes no change, and what is gone is told when it ends.
#[test]
fn what_is_taken_out_of_the_folder_is_told() {
    let dir = Dir::new();
    let mut run = dir.start(&[]);
    run.steps(1);
    let remove = |run: &Live, name: &str| std::fs::remove_file(run.folder.join(name)).unwrap();
    remove(&run, "swaps.jsonl");
    let shorter = ask(&dir, &run, "set", &["train.steps=1"]);
    let said = text(&shorter.stderr);
    assert!(
        said.contains("train.steps: expected more than the"),
        "{said}"
    );
    let output = ask(&dir, &run, "set", &["optim.lr=0.01"]);
    let said = text(&output.stderr);
    assert!(
        !output.status.success() && said.contains("'swaps.jsonl' was removed"),
        "{said}"
    );
    remove(&run, "config.yaml");
    run.ask_to_stop();
    let (run, _) = run.end();
    for name in ["config.yaml", "swaps.jsonl"] {
        let expected = format!("{name}' was removed while the run went on");
        assert!(run.text.contains(&expected), "{}", run.text);
    }
    let status = std::fs::read_to_string(run.folder.join("run.json")).unwrap();
    assert!(status.contains("config.yaml' was removed"), "{status}");
}
