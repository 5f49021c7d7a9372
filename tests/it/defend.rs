//! Attacks and defences from outside: every number with its interval, pictures of fits, defences that are scripts, what is refused.

use std::fs;

use serde_json::Value;

use crate::support::{Dir, Finished};

const DEFENCES: [&str; 4] = ["stitch", "last", "ses", "median"];

fn run(dir: &Dir) -> Finished {
    let sets = [
        "loss.inter=0",
        "model={width: 4, hidden: 8, dim: 8}",
        "data.limit=300",
        "train.batch=50",
        "train.threads=1",
        "eval.robustness={images: 6, pictures: 2, attack: {eps: 0.2, steps: 4}, prior: {widths: [4], steps: 8, group: 4}, \
         aware: {images: 3, steps: 2, draws: 2}}",
    ];
    let sets = sets.iter().flat_map(|set| ["--set", *set]);
    let args: Vec<_> = ["--steps", "4"].into_iter().chain(sets).collect();
    dir.train(&args)
}

fn defend(dir: &Dir, run: &Finished, args: &[&str]) -> (Option<i32>, String, Value) {
    let folder = run.folder.to_str().unwrap();
    let output = dir.output(&[&["defend", folder, "--json", "--threads", "1"], args].concat());
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let found = serde_json::from_slice(&output.stdout).unwrap_or(Value::Null);
    (output.status.code(), said, found["robustness"].clone())
}

fn accuracy(found: &Value, key: &str) -> f64 {
    let [value, low, high] = ["value", "low", "high"].map(|end| {
        let number = found[key][end].as_f64();
        number.unwrap_or_else(|| panic!("{key}.{end}: {found}"))
    });
    assert!(0.0 <= low && low <= value, "{key}: {found}");
    assert!(value <= high && high <= 100.0, "{key}: {found}");
    value
}

/// Everything has a number, the same each time and in groups of another size; a picture shows some of the fits.
#[test]
fn clean_attacked_and_defended_images_are_counted() {
    let dir = Dir::new();
    let run = run(&dir);
    let (code, said, found) = defend(&dir, &run, &[]);
    assert_eq!(code, Some(0), "{said}");
    let [clean, attacked] = ["clean", "attacked"].map(|key| accuracy(&found, key));
    assert!(attacked <= clean, "{found}");
    for name in DEFENCES {
        accuracy(&found, name);
        accuracy(&found, &format!("{name}_clean"));
        for near in ["psnr", "ssim"] {
            let key = format!("{name}_{near}");
            assert!(found[&key].is_number(), "{key}: {found}");
        }
        let hash = &found["settings"]["policies"][name]["hash"];
        assert!(hash.is_string(), "{name}: {found}");
    }
    accuracy(&found, "stitch_aware");
    // A change of 0.2 a pixel at the most is no more than that: 20 log10(1 / 0.2).
    assert!(
        found["attacked_psnr"].as_f64().unwrap() >= 13.979,
        "{found}"
    );
    assert_eq!(
        (&found["images"], &found["aware_images"]),
        (&6.into(), &3.into()),
        "{found}"
    );

    let folder = fs::read_dir(run.folder.join("robustness")).unwrap();
    let pictures: Vec<_> = folder.map(|file| file.unwrap().path()).collect();
    assert_eq!(pictures.len(), 2, "{pictures:?}");
    for picture in &pictures {
        let bytes = fs::read(picture).unwrap();
        assert!(bytes.starts_with(b"\x89PNG\r\n\x1a\n"), "{picture:?}");
    }

    let (code, said, again) = defend(&dir, &run, &["--set", "eval.robustness.prior.group=6"]);
    assert_eq!(code, Some(0), "{said}");
    for key in ["clean", "attacked", "median", "last", "last_clean"] {
        assert_eq!(found[key], again[key], "{key}");
    }
}

/// Without a change there is nothing to attack, and a defence that answers nothing changes nothing.
#[test]
fn an_attack_of_no_length_and_a_defence_of_no_answer_change_nothing() {
    let dir = Dir::new();
    let run = run(&dir);
    dir.write("nothing.rhai", "//! slot: defence\nfn finish(ctx) { }\n");
    let args = ["--eps", "0", "--defence", "nothing.rhai", "--aware", "0"];
    let (code, said, found) = defend(&dir, &run, &args);
    assert_eq!(code, Some(0), "{said}");
    let clean = accuracy(&found, "clean");
    for key in ["attacked", "nothing", "nothing_clean"] {
        assert_eq!(accuracy(&found, key), clean, "{key}");
    }
    // Images that are the same are infinitely near.
    assert!(found["attacked_psnr"].is_null(), "{found}");
    assert!(
        found["nothing_aware"].is_null() && found["last"].is_null(),
        "{found}"
    );
}

/// A defence of one's own, with what it is given; its faults are said with their line before the work.
#[test]
fn a_defence_is_a_script() {
    let dir = Dir::new();
    let run = run(&dir);
    let asked = |text: &str| {
        dir.write("mine.rhai", &format!("//! slot: defence\n{text}\n"));
        defend(
            &dir,
            &run,
            &["--defence", "mine.rhai", "--aware", "0", "--images", "3"],
        )
    };
    let given = "fn keep(ctx) {
                     if ctx.inputs.shape != ctx.images.shape || ctx.psnr.shape != [ctx.predictions.len()] { throw \"shapes\" }
                     ctx.predictions.ones_like() * (ctx.step % 2) == 1
                 }
                 fn finish(ctx) {
                     let odd = if ctx.steps == 4 { [1, 3] } else { [1, 3, 5, 7] };
                     if ctx.at.to_array() != odd { throw `${ctx.at}` }
                     let classes = ctx.victim.logits(ctx.images).argmax(1);
                     if (classes != ctx.predictions).any().item() { throw \"classes\" }
                     let own = ctx.victim.logits(ctx.input.unsqueeze(0)).argmax(1)[0];
                     if (own != ctx.input_prediction).item() { throw \"own class\" }
                     ctx.images.mean(0)
                 }";
    let (code, said, found) = asked(given);
    assert_eq!(code, Some(0), "{said}");
    accuracy(&found, "mine");
    for (text, expected) in [
        (
            "fn finish(ctx) { throw \"no\" }",
            "without a number: robustness: defence: mine.rhai:2:",
        ),
        ("fn finish(ctx) { ctx.images }", "'image' must be [C, H, W]"),
        (
            "fn finish(ctx) { ctx.input + 1.0 }",
            "expected numbers from 0 to 1",
        ),
        (
            "fn finish(ctx) { ctx.victim.logits(ctx.input) }",
            "'images' must be [N, C, H, W] float32",
        ),
        (
            "fn finish(ctx) { ctx.victim.logits(ctx.images.repeat([1, 1, 2, 1])) }",
            "'images' must be [N, 1, 28, 28] for the victim, got [1, 1, 56, 28]",
        ),
        (
            "fn keep(ctx) { ctx.predictions } fn finish(ctx) { ctx.images[-1] }",
            "'keep' must be bool, found int64",
        ),
        ("fn keep(ctx) { }", "needs 'fn finish(ctx)'"),
    ] {
        let (code, said, found) = asked(text);
        assert_eq!(code, Some(1), "{text}: {said}");
        assert!(
            said.contains(expected),
            "{text}: expected '{expected}' in\n{said}"
        );
        assert!(found["clean"].is_null(), "{text}: {found}");
    }
}

/// What cannot be attacked or defended is refused by its key, before anything is done.
#[test]
fn what_cannot_be_is_refused_by_its_key() {
    let dir = Dir::new();
    let run = run(&dir);
    for (args, expected) in [
        (
            &["--attack", "cw"][..],
            "eval.robustness.attack.name: expected one of pgd, fgsm, found 'cw'",
        ),
        (
            &["--norm", "l1"],
            "eval.robustness.attack.norm: expected one of linf, l2, found 'l1'",
        ),
        (
            &["--eps=-1"],
            "eval.robustness.attack.eps: expected at least 0, found -1",
        ),
        (
            &["--steps", "0"],
            "eval.robustness.attack.steps: expected 1 to 100000, found 0",
        ),
        (
            &["--images", "0"],
            "eval.robustness.images: expected 1 to 1000000, found 0",
        ),
        (
            &["--victim", "svm"],
            "eval.robustness.victim: expected one of linear, finetune, found 'svm'",
        ),
        (
            &["--set", "eval.robustness.prior.widths=[]"],
            "eval.robustness.prior.widths: expected at least one, found 0",
        ),
        (
            &["--set", "sampler.pool=0.1"],
            "expected a key of eval, data, views, probe, defence",
        ),
    ] {
        let (code, said, _) = defend(&dir, &run, args);
        assert_eq!(code, Some(2), "{args:?}: {said}");
        assert!(
            said.contains(expected),
            "{args:?}: expected '{expected}' in\n{said}"
        );
    }
}

/// Scripts that are none of a defence, and networks that the images are too small for.
#[test]
fn what_cannot_defend_is_said() {
    let dir = Dir::new();
    let run = run(&dir);
    let sampler = "//! slot: sampler\nfn decide(ctx) { }\n";
    dir.write("sampler.rhai", sampler);
    for (args, expected) in [
        (&["--defence", "none.rhai"][..], "none.rhai"),
        (&["--defence", "sampler.rhai"], "sampler"),
        (
            &["--set", "eval.robustness.prior.widths=[4,4,4,4,4]"],
            "more than two to the power of the number of scales",
        ),
    ] {
        let (code, said, _) = defend(&dir, &run, args);
        assert_eq!(code, Some(1), "{args:?}: {said}");
        assert!(
            said.contains(expected),
            "{args:?}: expected '{expected}' in\n{said}"
        );
    }
    let folder = run.folder.to_str().unwrap();
    let output = dir.output(&["eval", folder, "robustness", "--script", "sampler.rhai"]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(
        said.contains("no evaluation asks slot 'sampler', expected one of probe, defence"),
        "{said}"
    );
}
