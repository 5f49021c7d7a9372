//! `sandbox run --record` and what other policies are asked on such batches.

use std::fs;
use std::path::Path;

use sandbox::author::recorded::Recording;
use sandbox::policy::PolicyFile;
use sandbox::policy::script::Search;
use sandbox::record::recorded;
use sandbox::slots::Slot;

use super::said;
use crate::support::Dir;

#[test]
fn recording_changes_no_loss_and_other_policies_are_asked_the_same() {
    let dir = Dir::new();
    let args = [
        "--steps",
        "70",
        "--seed",
        "3",
        "--script",
        "samplers/semi_hard.rhai",
    ];
    let plain = dir.train(&[&args[..], &["--name", "plain"]].concat());
    let run = dir.train(&[&args[..], &["--name", "recorded", "--record", "2"]].concat());
    run.assert_same_losses(&plain);
    assert!(!plain.folder.join("recorded").exists());
    let mut names: Vec<_> = fs::read_dir(run.folder.join("recorded"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    // 32 steps an epoch: its first one.
    assert_eq!(
        names,
        ["step-000000000.safetensors", "step-000000032.safetensors"]
    );

    let folder = run.folder.to_str().unwrap();
    let files = [
        "samplers/semi_hard.rhai",
        "labels/online.rhai",
        "boundaries/cosine_margin.rhai",
    ];
    let (code, out, err) = said(&dir.output(&[&["test", "--on", folder], &files[..]].concat()));
    assert!(
        code == 0 && out.contains("6 passed; 0 failed"),
        "{out}{err}"
    );
    assert!(
        out.contains("test samplers/semi_hard: step 32 of "),
        "{out}"
    );
    let (code, out, err) = said(&dir.output(&["check", "--on", folder, files[0]]));
    assert!(
        code == 0 && out.contains("as asked at step 32: ok, twice the same"),
        "{out}{err}"
    );
    // The run's own parameters: of the 512 images the pool is what the configuration says.
    dir.write("narrow.rhai", "//! slot: sampler\nfn defaults() { #{ pool: 3, negatives: 2 } }\nfn decide(ctx) {\n    if ctx.params.pool != 64 { throw `${ctx.params.pool}` }\n    #{ positives: ctx.index.unsqueeze(1), negatives: full([16, ctx.params.negatives], 600) }\n}\n");
    let (code, out, err) = said(&dir.output(&["test", "--on", folder, "narrow.rhai"]));
    assert!(
        code == 1 && out.contains("'negatives[0, 0]' is 600, expected 0..=511"),
        "{out}{err}"
    );
    assert!(out.contains("--> narrow.rhai:3:4"), "{out}");
    let (code, _, err) =
        said(&dir.output(&["test", "--on", plain.folder.to_str().unwrap(), files[0]]));
    assert!(
        code == 2 && err.contains("has no recorded batches: 'sandbox run --record N' makes them"),
        "{err}"
    );
}

#[test]
fn a_policy_that_is_no_function_of_what_it_is_asked_is_found_out() {
    let dir = Dir::new();
    let run = dir.train(&["--steps", "5", "--record", "1"]);
    let folder = run.folder.to_str().unwrap();
    for (fault, passes) in [("-DFAULT=0", true), ("-DFAULT=21", false)] {
        let library = crate::plugins::rows(&dir, &[fault]);
        let (code, out, err) =
            said(&dir.output(&["test", "--on", folder, library.to_str().unwrap()]));
        assert_eq!(code == 0, passes, "{fault}: {out}{err}");
        let found = out.contains("asked twice the same with the same seed it answers differently");
        assert_eq!(found, !passes, "{fault}: {out}{err}");
    }
}

/// A recorded batch is what the step was asked, so its own sampler answers what it answered then: also the last of several batches of
/// a step.
#[test]
fn a_recorded_batch_gets_the_answer_of_its_run() {
    let dir = Dir::new();
    let args = [
        "--steps",
        "20",
        "--record",
        "2",
        "--set",
        "train.accumulate=2",
    ];
    let run = dir.train(&args);
    let _turn = crate::turn();
    let recording = Recording::open(&run.folder).unwrap();
    let file = PolicyFile::Script(
        Search::default()
            .find(Slot::Sampler, Path::new("samplers/semi_hard.rhai"))
            .unwrap(),
    );
    let mut policy = recording
        .build(Slot::Sampler, file.read(Slot::Sampler).unwrap())
        .unwrap();
    let files = recorded::list(&run.folder.join("recorded")).unwrap();
    assert_eq!(files.len(), 2);
    for (batch, (step, path)) in recording.batches().iter().zip(&files) {
        assert_eq!(batch.step(), *step);
        let answers = batch.answers(&mut policy).unwrap();
        let stored = recorded::load(path).unwrap();
        for (answer, name) in answers.iter().zip(["pairs.positives", "pairs.negatives"]) {
            assert!(answer.equal(&stored.tensors[name]), "step {step}: {name}");
        }
        let cosines = stored.tensors["queries"].matmul(&stored.tensors["bank.features"].tr());
        let expected = cosines.gather(1, &answers[1], false);
        assert!(stored.tensors["cosines.negatives"].allclose(&expected, 1e-5, 1e-6, false));
        assert_eq!(stored.metadata["part"], "1");
    }
}
