//! Plugins in a run that goes on: built again, broken, mixed with scripts.

use std::fs;

use safetensors::SafeTensors;
use serde_json::Value;

use super::{built, rows};
use crate::oupn;
use crate::support::{Dir, Finished};

const PLUGIN: [&str; 2] = ["--plugin", "target/librows.so"];

#[test]
fn a_library_that_is_built_again_is_live_from_the_next_step() {
    let dir = Dir::new();
    rows(&dir, &[]);
    let mut run = dir.start(&PLUGIN);
    assert!(run.text.contains("sampler: rows gen 1"), "{}", run.text);
    rows(&dir, &["-DVERSION=2"]);
    run.until("sampler: rows gen 2 is live after step");
    run.until("sampler: rows gen 2 has passed its trial");
    let run = run.stop();
    let live = &run.ledger("sampler", "live")[0];
    assert_eq!(live["carrier"], "plugin");
    assert_eq!(live["params"]["unused"], 2);
    let hash = live["files"]["librows.so"].as_str().unwrap();
    assert!(run.folder.join(format!("policies/{hash}.so")).is_file());
}

/// What is done to the file of a live plugin; each ends in a refusal, and the run goes on as if nothing had happened.
#[test]
fn a_live_library_that_is_spoilt_does_not_disturb_the_run() {
    let dir = Dir::new();
    let library = rows(&dir, &[]);
    let good = fs::read(&library).unwrap();
    let mut run = dir.start(&PLUGIN);
    let half = &good[..good.len() / 2];
    let mut zeros = good.clone();
    zeros[good.len() / 2..].fill(0);
    for bytes in [half, b"", &zeros, b"\x7fELF"] {
        // In place, as linkers of C write: over the file that was loaded, were it loaded from here.
        fs::write(&library, bytes).unwrap();
        run.until("sampler: refused at step");
        run.steps(1);
    }
    fs::remove_file(&library).unwrap();
    run.until("sampler: refused at step");
    rows(&dir, &["-DFAULT=15"]);
    run.until("sampler: refused at step");
    run.until("killed by signal 6");
    fs::write(&library, &good).unwrap();
    run.steps(2);
    let run = run.stop();
    assert_eq!(run.ledger("sampler", "refused").len(), 6);
    assert!(run.ledger("sampler", "live").is_empty());

    let mut quiet = dir.start(&[&PLUGIN[..], &["--no-watch"]].concat());
    quiet.steps(20);
    run.assert_same_losses(&quiet.stop());
}

#[test]
fn a_slot_changes_its_carrier_and_back() {
    let dir = Dir::new();
    let text = dir.copy_script("samplers/semi_hard.rhai");
    rows(&dir, &[]);
    let mut run = dir.start(&[&PLUGIN[..], &["--script", "samplers/semi_hard.rhai"]].concat());
    assert!(run.text.contains("sampler: rows gen 1"), "{}", run.text);
    let script = |n: u8| {
        dir.write(
            "scripts/samplers/semi_hard.rhai",
            &format!("{text}// {n}\n"),
        )
    };
    script(1);
    run.until("sampler: semi_hard gen 2 is live");
    run.until("the state of plugin 'rows' is bytes");
    rows(&dir, &["-DVERSION=2"]);
    run.until("sampler: rows gen 3 is live");
    script(2);
    run.until("sampler: semi_hard gen 4 is live");
    let run = run.stop();
    let live = run.ledger("sampler", "live");
    let carriers: Vec<_> = live.iter().map(|line| &line["carrier"]).collect();
    assert_eq!(carriers, ["script", "plugin", "script"]);
}

/// The images that have joined the prototypes, by the state in a run's last checkpoint, and the checkpoint's step.
fn joined(run: &Finished) -> (u64, u64) {
    let folders = fs::read_dir(run.folder.join("checkpoints")).unwrap();
    let whole = folders
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.join("manifest.json").is_file());
    let folder = whole.max().unwrap();
    let file = fs::read(folder.join("policies.safetensors")).unwrap();
    let file = SafeTensors::deserialize(&file).unwrap();
    let state = file.tensor("labels.live.bytes").unwrap().data().to_vec();
    // The counts of the 8 prototypes are its end.
    let counts = state[state.len() - 64..].chunks(8);
    let sum = counts
        .map(|count| u64::from_le_bytes(count.try_into().unwrap()))
        .sum();
    let name = folder.file_name().unwrap().to_str().unwrap();
    (sum, name.strip_prefix("step-").unwrap().parse().unwrap())
}

/// What a labels plugin has learnt goes on in the one that takes its place: it has counted every image since the run's first step, and
/// no bit of the losses tells that there was a swap.
#[test]
fn state_survives_a_swap() {
    let dir = Dir::new();
    let library = dir.file("libprototype_labels.so");
    let take = |name: &str| {
        let source = fs::read(built(name)).unwrap();
        fs::write(&library, source).unwrap();
    };
    take("prototype_labels");
    let options = [
        "--plugin",
        "libprototype_labels.so",
        "--set",
        "labels.clusters=8",
        "--set",
        "checkpoint.every=10",
    ];
    let mut run = dir.start(&options);
    // Another content, the same rule: bytes behind the end of an ELF file mean nothing.
    let mut bytes = fs::read(&library).unwrap();
    bytes.extend_from_slice(b"again");
    fs::write(&library, bytes).unwrap();
    run.until("labels: prototype_labels gen 2 is live");
    run.until("labels: prototype_labels gen 2 has passed its trial");
    run.steps(4);
    let run = run.stop();
    let live = &run.ledger("labels", "live")[0];
    assert!(live.get("state").is_none_or(Value::is_null), "{live}");
    let (joined, step) = joined(&run);
    assert!(step > live["step"].as_u64().unwrap());
    assert_eq!(joined, step * 16);

    let mut quiet = dir.start(&[&options[..], &["--no-watch"]].concat());
    quiet.steps(run.losses().len().min(1_000));
    run.assert_same_losses(&quiet.stop());
}

/// A run with plugins needs no more than its folder: the libraries that were live lie there.
#[test]
fn a_run_with_plugins_is_resumed_forked_and_replayed_without_their_files() {
    let dir = Dir::new();
    let library = dir.file("libprototype_labels.so");
    fs::copy(built("prototype_labels"), &library).unwrap();
    let options = [
        "--plugin",
        "libprototype_labels.so",
        "--set",
        "labels.clusters=8",
        "--set",
        "checkpoint.every=10",
        "--steps",
        "80",
    ];
    let whole = dir.train(&options);
    let mut run = dir.start(&options);
    run.until("step 45/");
    let run = run.stop();
    fs::remove_file(&library).unwrap();
    let (run, code) = dir.resume(&run, &[]).end();
    assert_eq!(code, Some(0), "{}", run.text);
    run.assert_same_bits(&whole);
    let folder = run.folder.to_str().unwrap();
    let (fork, _) = dir.again(&["fork", &format!("{folder}@70")]);
    fork.assert_same_bits_from(&whole, 70);
    let (_, said) = dir.again(&["replay", folder, "--verify"]);
    assert!(said.contains("same  bit for bit up to step 80"), "{said}");
}

/// A decision about streams goes from a library to a script and to another library, is cut and goes on, with the same bits each time.
#[test]
fn a_novelty_is_swapped_resumed_and_replayed() {
    let dir = oupn::dir();
    let text = dir.copy_script("novelties/nearest.rhai");
    let library = dir.file("libnearest_prototype.so");
    let mut bytes = fs::read(built("nearest_prototype")).unwrap();
    fs::write(&library, &bytes).unwrap();
    let mut run = oupn::start(&dir, &["--plugin", "libnearest_prototype.so"]);
    assert!(
        run.text.contains("novelty: nearest_prototype gen 1"),
        "{}",
        run.text
    );
    dir.write("scripts/novelties/nearest.rhai", &format!("{text}// 1\n"));
    run.until("novelty: nearest gen 2 is live");
    run.steps(2);
    bytes.extend_from_slice(b"again");
    fs::write(&library, bytes).unwrap();
    run.until("novelty: nearest_prototype gen 3 is live");
    run.steps(7);
    let cut = run.stop();
    fs::remove_file(&library).unwrap();
    let mut run = dir.resume(&cut, &[]);
    run.steps(8);
    run.ask_to_stop();
    let (run, _) = run.end();
    let live = run.ledger("novelty", "live");
    let carriers: Vec<_> = live.iter().map(|line| &line["carrier"]).collect();
    assert_eq!(carriers, ["script", "plugin"]);
    let (_, said) = dir.again(&["replay", run.folder.to_str().unwrap(), "--verify"]);
    assert!(said.contains("same  bit for bit"), "{said}");
}

/// A run that was cut has the bits of one that was not.
#[test]
fn a_run_with_a_novelty_is_resumed_with_its_bits() {
    let dir = oupn::dir();
    let library = built("nearest_prototype");
    let options = ["--plugin", library.to_str().unwrap(), "--steps", "40"];
    let whole = oupn::train(&dir, &options);
    let mut run = oupn::start(&dir, &options);
    run.until("step 13/");
    let (run, code) = dir.resume(&run.stop(), &[]).end();
    assert_eq!(code, Some(0), "{}", run.text);
    run.assert_same_bits(&whole);
}

/// Nothing is ever unloaded, so each swap costs what a library needs; and nothing else.
#[test]
fn thirty_swaps_cost_little_memory_and_no_bit_of_the_losses() {
    let dir = Dir::new();
    rows(&dir, &[]);
    let mut run = dir.start(&PLUGIN);
    let mut after_ten = 0;
    for version in 2..32 {
        rows(&dir, &[&format!("-DVERSION={version}")]);
        run.until(&format!("sampler: rows gen {version} is live"));
        if version == 11 {
            after_ten = run.memory_kib();
        }
    }
    let each = (run.memory_kib() - after_ten) / 20;
    assert!(each < 1024, "{each} KiB a swap");
    let run = run.stop();
    assert_eq!(run.ledger("sampler", "live").len(), 30);
    println!("{each} KiB a swap");

    let mut quiet = dir.start(&[&PLUGIN[..], &["--no-watch"]].concat());
    quiet.steps(run.losses().len().min(2_000));
    run.assert_same_losses(&quiet.stop());
}
