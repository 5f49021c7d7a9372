//! Slot `mixer` from outside: what a mixed view adds to each method, and that it swaps, resumes and replays as all else.

use crate::support::{Dir, Finished};

const METHODS: [&[&str]; 5] = [
    &["method.name=moco"],
    &["method.name=moco", "method.symmetric=true"],
    &["method.name=simclr"],
    &["method.name=byol", "method.symmetric=true"],
    &["method.name=npid"],
];

fn trained(dir: &Dir, sets: &[&str]) -> Finished {
    let mut args = vec!["--steps", "40", "--set", "log.every=1"];
    args.extend(sets.iter().flat_map(|set| ["--set", *set]));
    dir.train(&args)
}

/// What the total is made of, at each step.
fn assert_adds_up(run: &Finished, method: &[&str]) {
    let lines = run.lines("metrics.jsonl");
    let mut related = 0;
    for line in &lines {
        let Some(total) = line["loss/total"].as_f64() else {
            continue;
        };
        let term = |name: &str| line[name].as_f64();
        let intra = term("loss/intra").unwrap() + term("loss/intra_mixed").unwrap();
        let inter = term("loss/inter").unwrap_or(0.0) + term("loss/inter_mixed").unwrap_or(0.0);
        related += usize::from(term("loss/inter_mixed").is_some());
        let sum = 0.75 * intra + 0.25 * inter;
        assert!(
            (sum - total).abs() < 1e-4 * total.abs().max(1.0),
            "{method:?}: {line}"
        );
    }
    assert!(related > 30, "{method:?}: {related} of {}", lines.len());
}

/// A mixer that mixes nothing changes no bit; Un-Mix adds its terms to both losses.
#[test]
fn each_method_contrasts_the_mixed_view_beside_its_own() {
    let dir = Dir::new();
    for method in METHODS {
        let plain = trained(&dir, method);
        let none = trained(&dir, &[method, &["mixer=none"]].concat());
        assert_eq!(none.losses(), plain.losses(), "{method:?}");
        let mixed = trained(&dir, &[method, &["mixer=unmix"]].concat());
        assert_ne!(mixed.losses(), plain.losses(), "{method:?}");
        assert_adds_up(&mixed, method);
    }
}

/// A mixer is swapped while the run goes on, the run is killed and goes on, and all of it is done again with the same bits.
#[test]
fn a_swapped_mixer_is_resumed_and_replayed() {
    let dir = Dir::new();
    dir.copy_script("lib/mixtures.rhai");
    let mixup = dir.copy_script("mixers/mixup.rhai");
    let start = [
        "--script",
        "mixers/mixup.rhai",
        "--set",
        "checkpoint.every=7",
    ];
    let mut run = dir.start(&start);
    run.steps(1);
    dir.write(
        "scripts/mixers/mixup.rhai",
        &mixup.replace("least: 0.0", "least: 0.5"),
    );
    run.until("mixer: mixup gen 2 is live");
    run.steps(3);
    let cut = run.stop();
    let mut run = dir.resume(&cut, &[]);
    run.steps(2);
    dir.copy_script("mixers/unmix.rhai");
    let folder = run.folder.to_str().unwrap().to_owned();
    let swapped = dir.output(&["swap", &folder, "mixer", "mixers/unmix.rhai"]);
    assert!(swapped.status.success(), "{swapped:?}");
    run.until("mixer: unmix gen 3 is live");
    run.until("mixer: unmix gen 3 has passed its trial");
    run.ask_to_stop();
    let (run, _) = run.end();
    let (_, said) = dir.again(&["replay", &folder, "--verify"]);
    assert!(said.contains("same  bit for bit"), "{said}");
    assert_eq!(run.ledger("mixer", "live").len(), 2);
}

/// What a mixer does wrong is its own fault: its answer, or what becomes of the loss.
#[test]
fn a_mixture_that_is_none_is_the_mixers_fault() {
    let whole =
        "images: ctx.images, targets: arange(ctx.images.size(0)).unsqueeze(0), weights: ones(1)";
    for (wrong, said) in [
        (
            "images: ctx.images",
            "images: ctx.images * (0.0 / 0.0)",
            "is NaN, expected finite",
        ),
        (
            "weights: ones(1)",
            "weights: -ones(1)",
            "'weights[0]' is -1",
        ),
        (
            "arange(ctx.images.size(0))",
            "(arange(ctx.images.size(0)) + 1)",
            "'targets",
        ),
        (
            "images: ctx.images",
            "images: ctx.images * 1e38",
            "not finite",
        ),
    ]
    .map(|(right, wrong, said)| (whole.replace(right, wrong), said))
    {
        let dir = Dir::new();
        let script = |from: &str| {
            format!(
                "//! slot: mixer\nfn decide(ctx) {{\n    \
                 {from}\n    #{{ {whole} }}\n}}\n"
            )
        };
        dir.write("mine.rhai", &script(""));
        let mut run = dir.start(&["--script", "mine.rhai"]);
        run.steps(1);
        // The rehearsals before it goes live ask it three times.
        let late = format!(
            "if \"n\" in this {{ this.n += 1; }} else {{ this.n = 0; }} if this.n > 5 {{ return #{{ {wrong} }}; }}"
        );
        dir.write("mine.rhai", &script(&late));
        run.until("mixer: mine gen 2 is live");
        run.until("mixer: rolled back at step");
        run.steps(2);
        run.ask_to_stop();
        let (run, _) = run.end();
        assert!(run.text.contains(said), "{said}: {}", run.text);
        let losses = run.losses();
        let mut losses = losses.iter().map(|(_, bits)| f64::from_bits(*bits));
        assert!(losses.all(|loss| loss.abs() < 40.0), "{said}");
        let (_, again) = dir.again(&["replay", run.folder.to_str().unwrap(), "--verify"]);
        assert!(again.contains("same"), "{said}: {again}");
    }
}
