//! Method `oupn` and streams from outside: what is recorded, that its slots swap, resume and replay as all else, and whose fault is whose.

mod judged;
mod refused;

use crate::support::{Dir, Finished, Live};

/// Windows of 24 frames of two contexts, 16 prototypes; a run that never ends by itself.
pub(crate) const STREAM: &str = "\
name: stream
data:
  source: idx
  dir: .
  stream: {process: restaurant, contexts: 2, classes: 3, rotations: true, per_class: 6}
views: {size: 28, crop: [0.2, 1.0], flip: 0.0, jitter: {prob: 0.0}, grey: 0.0, blur: {prob: 0.0}}
model: {encoder: conv4, width: 4, hidden: 0, dim: 4}
method: {name: oupn, oupn: {prototypes: 16, beta: -9.0, lr: 0.02, entropy: 1.0, straight_through: true}}
loss: {intra: 1.0, inter: 0.0}
novelty: {script: novelties/nearest.rhai}
prototypes: {script: prototypes/soft.rhai}
optim: {name: adam, lr: 0.001, weight_decay: 0.0, schedule: constant}
train: {epochs: 1000000, batch: 24, threads: 1}
eval: {every: 0, online: []}
log: {every: 1, histograms: 0, images: 0}
checkpoint: {every: 5}
";

pub(crate) fn dir() -> Dir {
    let dir = Dir::new();
    dir.write("stream.yaml", STREAM);
    dir
}

/// The same without scripts.
fn bare() -> String {
    let lines = STREAM.lines();
    let lines = lines.filter(|line| !line.contains("script: "));
    lines.map(|line| format!("{line}\n")).collect()
}

pub(crate) fn train(dir: &Dir, args: &[&str]) -> Finished {
    dir.train(&[&["--config", "stream.yaml"], args].concat())
}

pub(crate) fn start(dir: &Dir, args: &[&str]) -> Live {
    let mut live = dir.live(&[&["run", "--plain", "--config", "stream.yaml"], args].concat());
    live.until("step 3/");
    live.folder = dir.newest_run();
    live
}

/// Each number of the method is there at each step, and the loss is the weighted sum of its terms.
#[test]
fn a_window_is_recorded_with_its_terms() {
    let dir = dir();
    let run = train(&dir, &["--steps", "12"]);
    let mut lines = run.lines("metrics.jsonl");
    lines.retain(|line| line.get("loss/total").is_some());
    assert_eq!(lines.len(), 12);
    for line in &lines {
        let term = |name: &str| {
            line[name]
                .as_f64()
                .unwrap_or_else(|| panic!("{name}: {line}"))
        };
        let sum =
            term("oupn/self_supervision") + term("oupn/entropy") + 0.5 * term("oupn/new_loss");
        assert!((sum - term("loss/total")).abs() < 1e-4, "{line}");
        let counts = ["stream/alive", "stream/born", "stream/evicted"].map(term);
        assert!(counts[0] >= 1.0 && counts[0] <= 16.0, "{line}");
        assert!(counts[2] <= counts[1], "{line}");
        assert_eq!((term("oupn/new_share") * 24.0).round(), counts[1], "{line}");
        let purity = term("stream/purity");
        assert!(purity > 0.0 && purity <= 1.0);
    }
    // What is learnt beside the encoder moves by its own rate, which Adam makes the size of a step.
    let beta = |at: usize| lines[at]["oupn/beta"].as_f64().unwrap();
    let step = (beta(1) - beta(0)).abs();
    assert!((0.002..=0.0201).contains(&step), "{step}");
}

/// The shipped scripts that write the paper's rules out give the bits of the rules that hold without them.
#[test]
fn the_papers_rules_as_scripts_are_the_papers_rules() {
    let dir = dir();
    let scripts = train(&dir, &["--steps", "8"]);
    dir.write("bare.yaml", &bare());
    let bare = dir.train(&["--config", "bare.yaml", "--steps", "8"]);
    assert!(bare.ledger("novelty", "started").is_empty());
    assert_eq!(bare.losses(), scripts.losses());
    for other in ["novelty=likelihood", "prototypes=winner"] {
        let other_run = train(&dir, &["--steps", "8", "--set", other]);
        assert_ne!(other_run.losses(), scripts.losses(), "{other}");
    }
}

/// Every slot of a stream is swapped while the run goes on, which is killed and goes on, and all of it is done again with the same bits.
#[test]
fn swapped_rules_are_resumed_and_replayed_with_the_memory_kept() {
    let dir = dir();
    for script in [
        "novelties/nearest.rhai",
        "prototypes/soft.rhai",
        "streams/shuffled.rhai",
    ] {
        dir.copy_script(script);
    }
    let mut run = start(&dir, &["--set", "stream=shuffled"]);
    let changed = |path: &str, from: &str, to: &str| {
        let text = dir.copy_script(path);
        assert!(text.contains(from), "{path}");
        dir.write(&format!("scripts/{path}"), &text.replace(from, to));
    };
    changed(
        "novelties/nearest.rhai",
        "(-nearest - beta)",
        "(-nearest - beta + 0.5)",
    );
    run.until("novelty: nearest gen 2 is live");
    run.steps(2);
    changed(
        "prototypes/soft.rhai",
        "scores.softmax(1)",
        "(scores * 2.0).softmax(1)",
    );
    run.until("prototypes: soft gen 2 is live");
    run.steps(6);
    let cut = run.stop();
    let mut run = dir.resume(&cut, &[]);
    run.steps(2);
    changed(
        "streams/shuffled.rhai",
        "fn decide(ctx) {",
        "fn decide(ctx) {\n    this.windows = (this.windows ?? 0) + 1;",
    );
    run.until("stream: shuffled gen 2 is live");
    run.steps(12);
    run.ask_to_stop();
    let (run, _) = run.end();
    let folder = run.folder.to_str().unwrap();
    let (_, said) = dir.again(&["replay", folder, "--verify"]);
    assert!(said.contains("same  bit for bit"), "{said}");
    for slot in ["novelty", "prototypes", "stream"] {
        assert_eq!(run.ledger(slot, "live").len(), 1, "{slot}");
    }
}

/// A saved rule that fails later in a window is rolled back, the window is done again from its first frame, and the run has the bits of one
/// that was left alone.
#[test]
fn a_rule_that_fails_within_a_window_costs_no_bit() {
    for (slot, path, wrong) in [
        ("novelty", "novelties/nearest.rhai", "throw \"late\""),
        ("novelty", "novelties/nearest.rhai", "return ctx.scores"),
        ("novelty", "novelties/nearest.rhai", "return ctx.beta / 0.0"),
        (
            "prototypes",
            "prototypes/soft.rhai",
            "return #{ share: ctx.scores, place: ctx.usage.argmin(1) }",
        ),
        (
            "prototypes",
            "prototypes/soft.rhai",
            "return #{ share: ctx.scores.softmax(1), place: ctx.usage.argmin(1) * 0 - 1 }",
        ),
        ("prototypes", "prototypes/soft.rhai", "return 3"),
    ] {
        let dir = dir();
        let text = dir.copy_script(path);
        let quiet = train(&dir, &["--steps", "30", "--no-watch"]);
        let mut run = start(&dir, &[]);
        // Rehearsals ask it a few times, a window 24 times.
        let late = format!(
            "fn decide(ctx) {{\n    this.asked = (this.asked ?? 0) + 1;\n    if this.asked > 17 {{ {wrong}; }}"
        );
        dir.write(
            &format!("scripts/{path}"),
            &text.replace("fn decide(ctx) {", &late),
        );
        run.until(&format!("{slot}: "));
        run.until(&format!("{slot}: rolled back at step"));
        run.steps(3);
        run.ask_to_stop();
        let (run, _) = run.end();
        assert_eq!(
            run.ledger(slot, "rolled_back").len(),
            1,
            "{wrong}: {}",
            run.text
        );
        run.assert_same_losses(&quiet);
        let (_, said) = dir.again(&["replay", run.folder.to_str().unwrap(), "--verify"]);
        assert!(said.contains("same  bit for bit"), "{wrong}: {said}");
    }
}

/// A rule whose answers are good but whose gradient is no number is undone with all that it did.
#[test]
fn a_window_that_is_not_finite_is_its_slots_fault() {
    let dir = dir();
    let text = dir.copy_script("prototypes/soft.rhai");
    let mut run = start(&dir, &[]);
    let late = "fn decide(ctx) {\n    this.asked = (this.asked ?? 0) + 1;\n    \
                if this.asked > 40 { return #{ share: (ctx.scores.softmax(1) * 0.0).sqrt(), place: ctx.usage.argmin(1) }; }";
    let path = "scripts/prototypes/soft.rhai";
    dir.write(path, &text.replace("fn decide(ctx) {", late));
    run.until("prototypes: soft gen 2 is live");
    run.until("prototypes: rolled back at step");
    run.steps(3);
    run.ask_to_stop();
    let (run, _) = run.end();
    assert!(run.text.contains("not finite in step"), "{}", run.text);
    let finite = |bits: u64| f64::from_bits(bits).is_finite();
    assert!(
        run.losses().iter().all(|(_, bits)| finite(*bits)),
        "{}",
        run.text
    );
    let (_, said) = dir.again(&["replay", run.folder.to_str().unwrap(), "--verify"]);
    assert!(said.contains("same  bit for bit"), "{said}");
}

/// A first rule that fails rests: the paper's holds for that window, and the run says that it was so.
#[test]
fn where_a_rule_rests_the_papers_holds() {
    let dir = dir();
    dir.write("mine.rhai", "//! slot: novelty\nfn decide(ctx) {\n    if ctx.step >= 3 && ctx.steps != 100 { throw \"tired\" }\n    (-ctx.scores.amax(1) - ctx.beta) / ctx.gamma\n}\n");
    let run = train(&dir, &["--steps", "8", "--set", "novelty.script=mine.rhai"]);
    assert_eq!(run.losses(), train(&dir, &["--steps", "8"]).losses());
    assert_eq!(run.ledger("novelty", "rested").len(), 1);
    let status = std::fs::read_to_string(run.folder.join("run.json")).unwrap();
    assert!(status.contains("novelty"), "{status}");
}

/// The weights of the losses and the rates are set in a live run; a rate that ruins the weights is taken back.
#[test]
fn a_live_run_takes_its_numbers() {
    let dir = dir();
    let mut run = start(&dir, &[]);
    let folder = run.folder.to_str().unwrap().to_owned();
    let set = |value: &str| {
        let output = dir.output(&["set", &folder, value]);
        (
            output.status.success(),
            String::from_utf8_lossy(&output.stderr).into_owned(),
        )
    };
    assert!(set("method.oupn.entropy=0.25").0);
    let (taken, said) = set("method.oupn.prototypes=8");
    assert!(
        !taken && said.contains("cannot change while a run goes on"),
        "{said}"
    );
    let swapped = dir.output(&["swap", &folder, "mixer", "mixers/unmix.rhai"]);
    let said = String::from_utf8_lossy(&swapped.stderr);
    let expected = "method 'oupn' takes no mixture of frames";
    assert!(
        !swapped.status.success() && said.contains(expected),
        "{said}"
    );
    run.steps(3);
    assert!(set("method.oupn.lr=1e30").0);
    run.until("method.oupn.lr");
    run.steps(3);
    run.ask_to_stop();
    let (run, _) = run.end();
    let mut lines = run.lines("metrics.jsonl");
    lines.retain(|line| line.get("loss/total").is_some());
    let last = lines.last().unwrap();
    let term = |name: &str| last[name].as_f64().unwrap();
    let sum =
        term("oupn/self_supervision") + 0.25 * term("oupn/entropy") + 0.5 * term("oupn/new_loss");
    assert!((sum - term("loss/total")).abs() < 1e-4, "{last}");
    assert!(term("oupn/beta").abs() < 20.0, "{last}");
    let (_, said) = dir.again(&["replay", &folder, "--verify"]);
    assert!(said.contains("same  bit for bit"), "{said}");
}

/// What a script keeps of a window's graph does no harm in the next one.
#[test]
fn a_kept_graph_ends_with_its_window() {
    let dir = dir();
    dir.write("keep.rhai", "//! slot: novelty\nfn decide(ctx) {\n    let before = this.before ?? ctx.beta;\n    this.before = ctx.beta * 1.0;\n    (-ctx.scores.amax(1) - 0.5 * ctx.beta - 0.5 * before) / ctx.gamma\n}\n");
    dir.write("hold.rhai", "//! slot: prototypes\nfn decide(ctx) {\n    let before = this.before ?? ctx.scores.softmax(1);\n    this.before = ctx.scores.softmax(1);\n    #{ share: (before + ctx.scores.softmax(1)) * 0.5, place: ctx.usage.argmin(1) }\n}\n");
    let sets = [
        "--set",
        "novelty.script=keep.rhai",
        "--set",
        "prototypes.script=hold.rhai",
    ];
    let run = train(&dir, &[&["--steps", "6"], &sets[..]].concat());
    assert_eq!(run.losses().len(), 6);
    assert!(run.ledger("novelty", "rested").is_empty(), "{}", run.text);
    let mut live = start(&dir, &sets);
    live.steps(8);
    let cut = live.stop();
    let mut live = dir.resume(&cut, &[]);
    live.steps(8);
    live.ask_to_stop();
    let (run, _) = live.end();
    let (_, said) = dir.again(&["replay", run.folder.to_str().unwrap(), "--verify"]);
    assert!(said.contains("same  bit for bit"), "{said}");
}

/// Any method trains on a stream; images in their own order need no labels.
#[test]
fn streams_are_data_for_any_method() {
    let dir = dir();
    for method in ["moco", "simclr", "byol"] {
        let named = format!("name: {method}, queue: 48");
        dir.write("other.yaml", &bare().replace("name: oupn", &named));
        let run = dir.train(&["--config", "other.yaml", "--steps", "4"]);
        assert_eq!(run.losses().len(), 4, "{method}");
    }
    let named = "train: {accumulate: 2, ";
    let text = bare().replace("name: oupn", "name: simclr");
    dir.write("other.yaml", &text.replace("train: {", named));
    let refused = dir.output(&["run", "--config", "other.yaml", "--steps", "2"]);
    let said = String::from_utf8_lossy(&refused.stderr);
    assert!(
        said.contains("train.accumulate: expected 1 with data.stream.process restaurant"),
        "{said}"
    );
    let order = [
        "--set",
        "data.stream.process=order",
        "--set",
        "data.stream.rotations=false",
    ];
    let run = train(&dir, &[&["--steps", "4"], &order[..]].concat());
    assert!(run.lines("metrics.jsonl")[0].get("stream/purity").is_none());
    let parallel = train(
        &dir,
        &[
            "--steps",
            "4",
            "--set",
            "data.stream.parallel=2",
            "--set",
            "data.stream.per_class=4",
        ],
    );
    assert_ne!(parallel.losses(), train(&dir, &["--steps", "4"]).losses());
}
