//! Slot `schedule`: what a script gives is what the configuration would say, no more and no less; and what it must not give.

use std::f64::consts::PI;
use std::fs;

use sandbox::ground::Now;
use sandbox::optim::{LearningRate, Schedule};
use sandbox::slots::Number;
use sandbox::slots::Slot;
use sandbox::slots::schedule::{self, Context, Last, NAMES, Schedulable};
use serde_json::{Value, json};

use crate::golden;
use crate::support::{Dir, Finished, repo};

/// A script whose `decide` is this.
fn script(body: &str) -> String {
    format!("//! slot: schedule\nfn decide(ctx) {{ {body} }}\n")
}

/// Arguments that set each of these values.
fn sets<'a>(values: &'a [&'a str]) -> Vec<&'a str> {
    values.iter().flat_map(|value| ["--set", value]).collect()
}

/// The values of a tag by step.
fn tag(lines: &[Value], tag: &str) -> Vec<(u64, f64)> {
    let values = lines
        .iter()
        .filter_map(|line| Some((line["step"].as_u64()?, line[tag].as_f64()?)));
    values.collect()
}

#[test]
fn a_constant_rate_is_that_of_the_configuration() {
    let dir = Dir::new();
    dir.write("constant.rhai", &script(r#"#{ "optim.lr": 0.02 }"#));
    let common = ["--steps", "40"];
    let scripted = dir.train(&[&common[..], &["--script", "constant.rhai"]].concat());
    let constant = sets(&["optim.schedule=constant", "optim.lr=0.02"]);
    let configured = dir.train(&[&common[..], &constant].concat());
    scripted.assert_same_losses(&configured);
    assert_eq!(scripted.losses().len(), configured.losses().len());
    let lines = scripted.lines("metrics.jsonl");
    for name in ["train/lr", "schedule/optim.lr"] {
        let rates = tag(&lines, name);
        assert!(rates.len() >= 8 && rates.iter().all(|(_, rate)| *rate == 0.02));
    }
    assert!(tag(&configured.lines("metrics.jsonl"), "schedule/optim.lr").is_empty());
    let plain = dir.train(&common);
    assert_ne!(plain.losses(), scripted.losses());
    let none = dir.train(&[&common[..], &["--script", "schedules/none.rhai"]].concat());
    assert_eq!(plain.losses(), none.losses());
}

/// Each number that a schedule may give, with another value than the configuration has.
#[test]
fn every_number_is_that_of_the_configuration() {
    let values = [
        "optim.lr=0.02",
        "optim.clip=0.5",
        "loss.intra=0.5",
        "loss.inter=0.5",
        "inter.temperature=0.3",
        "method.temperature=0.15",
        "method.momentum=0.9",
        "method.margin=0.1",
        "bank.momentum=0.5",
    ];
    let names = values.map(|value| value.split_once('=').unwrap().0);
    assert_eq!(names, NAMES.map(|name| name.key));
    let dir = Dir::new();
    let given: Vec<_> = values
        .iter()
        .map(|value| format!("\"{}", value.replace('=', "\": ")))
        .collect();
    dir.write("all.rhai", &script(&format!("#{{ {} }}", given.join(", "))));
    let common = [
        &["--steps", "30"][..],
        &sets(&["method.margin_kind=cosine", "optim.schedule=constant"]),
    ]
    .concat();
    let plain = dir.train(&common);
    let configured = dir.train(&[&common[..], &sets(&values)].concat());
    let scripted = dir.train(&[&common[..], &["--script", "all.rhai"]].concat());
    assert_eq!(scripted.losses(), configured.losses());
    assert_ne!(plain.losses(), configured.losses());
    let temperature = tag(&scripted.lines("metrics.jsonl"), "train/temperature");
    assert!(temperature.iter().all(|(_, value)| *value == 0.15));
    // Each alone has an effect, so none of them is read from elsewhere.
    for value in values {
        let one = format!("#{{ \"{} }}", value.replace('=', "\": "));
        dir.write("one.rhai", &script(&one));
        let one = dir.train(&[&common[..], &["--script", "one.rhai"]].concat());
        assert_ne!(one.losses(), plain.losses(), "{value}");
    }
}

#[test]
fn parameters_of_other_slots_hold_for_the_step_and_change_no_generation() {
    let dir = Dir::new();
    let given = r#"#{ "sampler.pool": 32, "boundary.margin": 0.2, "labels.centroids_every": 2 }"#;
    dir.write("other.rhai", &script(given));
    let common = ["--steps", "30"];
    let configured = sets(&[
        "sampler.pool=32",
        "boundary.margin=0.2",
        "labels.centroids_every=2",
    ]);
    let configured = dir.train(&[&common[..], &configured].concat());
    let scripted = dir.train(&[&common[..], &["--script", "other.rhai"]].concat());
    assert_eq!(scripted.losses(), configured.losses());
    assert_ne!(scripted.losses(), dir.train(&common).losses());
    let started = &scripted.ledger("sampler", "started")[0];
    assert_eq!(started["params"]["pool"], 64);
    let pool = tag(&scripted.lines("metrics.jsonl"), "schedule/sampler.pool");
    assert!(!pool.is_empty() && pool.iter().all(|(_, pool)| *pool == 32.0));
}

/// What a schedule must not answer, what the configuration says beside it, and what the refusal says.
const FAULTS: &[(&str, &[&str], &str)] = &[
    (r#"#{ "optim.lrr": 0.1 }"#, &[], "did you mean 'optim.lr'?"),
    (
        r#"#{ "banana": 0.1 }"#,
        &[],
        "unknown name 'banana', this run has bank.momentum, ",
    ),
    (
        r#"#{ "optim.lr": -0.1 }"#,
        &[],
        "'optim.lr': expected 0 or more, found -0.1",
    ),
    (
        r#"#{ "optim.lr": 0.0 / 0.0 }"#,
        &[],
        "'optim.lr': expected 0 or more, found NaN",
    ),
    (
        r#"#{ "optim.lr": "fast" }"#,
        &[],
        "'optim.lr': expected a number, found a value of type string",
    ),
    (
        r#"#{ "optim.lr": tensor([0.1]) }"#,
        &[],
        "'optim.lr': expected a number, found a tensor [1]",
    ),
    (
        "0.1",
        &[],
        "expected a map from names to numbers, found a value of type ",
    ),
    (
        "let lr = 0.1;",
        &[],
        "found nothing: the last expression has no value",
    ),
    (
        r#"#{ "method.temperature": 0 }"#,
        &[],
        "expected 1e-30 or more, found 0",
    ),
    (
        r#"#{ "method.momentum": 1.1 }"#,
        &[],
        "expected 0 to 1, found 1.1",
    ),
    (
        r#"#{ "method.margin": 0.1 }"#,
        &[],
        "method.margin_kind is 'none'",
    ),
    (
        r#"#{ "method.temperature": 0.1 }"#,
        &["method.name=byol"],
        "method 'byol' has no temperature",
    ),
    (
        r#"#{ "method.momentum": 0.1 }"#,
        &["method.name=simclr"],
        "method 'simclr' has no momentum encoder",
    ),
    (
        r#"#{ "sampler.pol": 9 }"#,
        &[],
        "did you mean 'sampler.pool'?",
    ),
    (
        r#"#{ "sampler.positive": 1 }"#,
        &[],
        "'sampler.positive' is not to be given: it is no number but \"random\"",
    ),
    (
        r#"#{ "sampler.pool": 9 }"#,
        &["loss.inter=0"],
        "the inter-image branch is off, loss.inter is 0",
    ),
    (
        r#"#{ "loss.inter": 1 }"#,
        &["loss.inter=0"],
        "the inter-image branch is off, loss.inter is 0",
    ),
    (
        r#"#{ "optim.lr": ctx.last["loss.total"] }"#,
        &[],
        "'optim.lr': expected a number, found ()",
    ),
];

#[test]
fn what_a_schedule_must_not_give_is_refused_at_the_start() {
    let dir = Dir::new();
    for (body, values, said) in FAULTS {
        dir.write("wrong.rhai", &script(body));
        let args = ["run", "--plain", "--config", "tiny.yaml", "--steps", "5"];
        let args = [&args[..], &["--script", "wrong.rhai"], &sets(values)].concat();
        let output = dir.output(&args);
        let text = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{body}: {text}");
        assert!(text.contains(said), "{body}: {text}");
        assert!(text.contains("wrong.rhai:2"), "{body}: no place in {text}");
    }
    let mut runs = fs::read_dir(dir.file("runs")).unwrap();
    assert!(runs.next().is_none(), "no run is left behind");
}

#[test]
fn the_configuration_of_the_slot_is_checked() {
    let dir = Dir::new();
    for (value, said) in [
        (
            "schedule.lr=0.1",
            "schedule.script: expected a script that has the parameter 'lr', found none",
        ),
        (
            "schedule.plugin=mine.so",
            "schedule.plugin: expected none, found 'mine.so': this slot is a script's only",
        ),
    ] {
        let output = dir.output(&["run", "--config", "tiny.yaml", "--set", value]);
        let text = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2));
        assert!(text.contains(said), "{text}");
    }
}

#[test]
fn a_saved_schedule_holds_from_the_next_step_on() {
    let dir = Dir::new();
    dir.write("mine.rhai", &script(r#"#{ "optim.lr": 0.01 }"#));
    let mut run = dir.start(&["--script", "mine.rhai", "--set", "log.every=1"]);
    dir.write(
        "mine.rhai",
        &script(r#"#{ "optim.lr": 0.02, "loss.inter": 0.5 }"#),
    );
    run.until("schedule: mine gen 2 is live after step");
    run.until("schedule: mine gen 2 has passed its trial");
    dir.write("mine.rhai", &script(r#"#{ "optim.lr": -0.02 }"#));
    run.until("schedule: refused at step");
    run.until("expected 0 or more, found -0.02");
    run.steps(3);
    let run = run.stop();
    let from = run.ledger("schedule", "live")[0]["step"].as_u64().unwrap();
    let lines = run.lines("metrics.jsonl");
    // A line's step counts the steps that are done.
    for (step, rate) in tag(&lines, "train/lr") {
        assert_eq!(rate, if step <= from { 0.01 } else { 0.02 }, "{step}");
    }
    let weights = tag(&lines, "schedule/loss.inter");
    assert_eq!(weights[0], (from + 1, 0.5));
    let generations = tag(&lines, "swap/schedule");
    assert!(generations.contains(&(from, 1.0)) && generations.contains(&(from + 1, 2.0)));
}

/// A schedule that fails in a step is rolled back, and the step is decided again: the losses are those of a run without it.
#[test]
fn a_schedule_that_fails_later_is_rolled_back_without_a_trace() {
    let dir = Dir::new();
    let good = script(r#"#{ "optim.lr": 0.01 }"#);
    dir.write("mine.rhai", &good);
    let undisturbed = dir.train(&["--script", "mine.rhai", "--steps", "400"]);
    let mut run = dir.start(&["--script", "mine.rhai", "--steps", "400"]);
    let later = r#"this.n = if "n" in this { this.n + 1 } else { 0 }; #{ "optim.lr": if this.n < 4 { 0.01 } else { -1 } }"#;
    dir.write("mine.rhai", &script(later));
    run.until("schedule: rolled back at step");
    run.until("'optim.lr': expected 0 or more, found -1");
    run.steps(2);
    let run = run.stop();
    assert_eq!(run.ledger("schedule", "rolled_back").len(), 1);
    run.assert_same_losses(&undisturbed);
}

#[test]
fn where_there_is_none_to_go_back_to_the_configured_numbers_hold() {
    let dir = Dir::new();
    let common = ["--steps", "30"];
    let plain = dir.train(&common);
    dir.write(
        "mine.rhai",
        &script(r#"if ctx.step == 0 || ctx.steps != 30 { #{} } else { #{ "optim.lr": -1 } }"#),
    );
    let run = dir.train(&[&common[..], &["--script", "mine.rhai"]].concat());
    assert!(run.text.contains(
        "schedule: mine gen 1 failed at step 1 and there is none before it: the configured numbers hold until it is mended"
    ));
    assert_eq!(run.ledger("schedule", "rested").len(), 1);
    assert_eq!(run.losses(), plain.losses());
}

/// A sampler that cannot do with what the schedule gave it is asked again with its own parameters, and the schedule is to blame.
#[test]
fn a_sampler_is_not_blamed_for_the_schedules_numbers() {
    let dir = Dir::new();
    let common = ["--steps", "20"];
    let plain = dir.train(&common);
    dir.write("mine.rhai", &script(r#"#{ "sampler.pool": 4.0 }"#));
    let run = dir.train(&[&common[..], &["--script", "mine.rhai"]].concat());
    assert_eq!(run.losses(), plain.losses());
    assert!(run.ledger("sampler", "rested").is_empty());
    let rested = run.ledger("schedule", "rested");
    let said = rested[0]["fault"]["message"].as_str().unwrap();
    assert!(
        said.starts_with(
            "slot 'sampler' failed with sampler.pool = 4.0, not with its own parameters"
        )
    );
}

/// A schedule is rehearsed with the names of its own run, at the start and when that is done again.
#[test]
fn a_schedule_may_read_a_parameter_that_only_this_runs_sampler_has() {
    let dir = Dir::new();
    let own = "//! slot: sampler\nfn defaults() { #{ skip: 1 } }\nfn decide(ctx) { let one = ctx.index.unsqueeze(1); #{ positives: one, negatives: (one + ctx.params.skip) % 8 } }\n";
    dir.write("own.rhai", own);
    dir.write(
        "mine.rhai",
        &script(r#"#{ "sampler.skip": ctx.base["sampler.skip"] + 1 }"#),
    );
    let run = dir.train(&[
        "--script",
        "own.rhai",
        "--script",
        "mine.rhai",
        "--steps",
        "100",
    ]);
    assert!(run.ledger("schedule", "rested").is_empty(), "{}", run.text);
    let given = tag(&run.lines("metrics.jsonl"), "schedule/sampler.skip");
    assert!(
        !given.is_empty() && given.iter().all(|(_, skip)| *skip == 2.0),
        "{given:?}"
    );
    let (again, said) = dir.again(&["replay", run.folder.to_str().unwrap(), "--verify"]);
    assert!(said.contains("same  bit for bit"), "{said}");
    again.assert_same_bits(&run);
}

#[test]
fn a_run_without_the_inter_image_branch_has_a_schedule_too() {
    let dir = Dir::new();
    let script = ["--script", "schedules/temperature.rhai", "--steps", "20"];
    let run = dir.train(&[&script[..], &sets(&["loss.inter=0", "log.every=1"])].concat());
    let temperatures = tag(&run.lines("metrics.jsonl"), "train/temperature");
    assert_eq!(temperatures.len(), 20);
    for (step, temperature) in temperatures {
        let expected = 0.1 + 0.9 * 0.5 * (1.0 + (2.0 * PI * (step - 1) as f64 / 20.0).cos());
        assert!((temperature - expected).abs() < 1e-12, "{step}");
    }
}

#[test]
fn a_schedule_knows_the_numbers_of_the_step_before() {
    let dir = Dir::new();
    let body = r#"let seen = |name| if name in ctx.last { 1e6 * (1.0 + ctx.last[name]) } else { 1e6 };
        #{ "optim.clip": seen.call("loss.total"), "boundary.margin": -seen.call("grad_norm"), "bank.momentum": 1.0 }"#;
    dir.write("mine.rhai", &script(body));
    let run = dir.train(&[
        "--script",
        "mine.rhai",
        "--steps",
        "15",
        "--set",
        "log.every=1",
    ]);
    let lines = run.lines("metrics.jsonl");
    for (given, of, sign) in [
        ("schedule/optim.clip", "loss/total", 1.0),
        ("schedule/boundary.margin", "train/grad_norm", -1.0),
    ] {
        let (given, of) = (tag(&lines, given), tag(&lines, of));
        assert_eq!((given.len(), of.len()), (15, 15));
        assert_eq!(given[0].1, sign * 1e6);
        for (given, of) in given[1..].iter().zip(&of) {
            assert_eq!(given.1, sign * 1e6 * (1.0 + of.1), "{}", given.0);
        }
    }
}

/// The command fills the slot with the first generation; a replay does that again, and so does a run that was cut before and goes on.
#[test]
fn a_run_without_a_schedule_takes_one_and_is_done_again_with_it() {
    let dir = Dir::new();
    let body = r#"this.n = if "n" in this { this.n + 1 } else { 1 };
        #{ "optim.lr": 0.01 * ctx.last["loss.total"] / this.n, "sampler.pool": 32 }"#;
    dir.write("mine.rhai", &script(body));
    dir.write("wrong.rhai", &script(r#"#{ "optim.lrr": 0.1 }"#));
    let mut run = dir.start(&["--set", "checkpoint.every=20"]);
    let folder = run.folder.to_str().unwrap().to_owned();
    let output = dir.output(&["swap", &folder, "schedule", "wrong.rhai"]);
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        !output.status.success() && text.contains("did you mean 'optim.lr'?"),
        "{text}"
    );
    run.steps(4);
    let output = dir.output(&["swap", &folder, "schedule", "mine.rhai"]);
    assert!(output.status.success(), "{output:?}");
    run.steps(2);
    dir.write("mine.rhai", &script(&body.replace("32", "48")));
    run.until("schedule: mine gen 2 is live");
    run.until("schedule: mine gen 2 has passed its trial");
    run.steps(2);
    assert!(dir.output(&["stop", &folder]).status.success());
    let (run, code) = run.end();
    assert_eq!(code, Some(0), "{}", run.text);
    assert_eq!(run.ledger("schedule", "started")[0]["origin"], "control");

    let (again, said) = dir.again(&["replay", &folder, "--verify"]);
    assert!(said.contains("same  bit for bit"), "{said}");
    again.assert_same_bits(&run);
    let started = |run: &Finished| run.ledger("schedule", "started")[0]["step"].clone();
    assert_eq!(started(&again), started(&run));
    // From a checkpoint that lies behind, the policy comes out of that.
    let newest = fs::read_dir(run.folder.join("checkpoints")).unwrap();
    let newest = newest.map(|entry| entry.unwrap().path()).max().unwrap();
    fs::remove_dir_all(newest).unwrap();
    let mut resumed = dir.resume(&run, &[]);
    resumed.steps(12);
    let again = resumed.stop();
    again.assert_same_bits(&run);
    assert_eq!(again.ledger("schedule", "started").len(), 1);
}

/// What a shipped schedule gives in each step of a run.
fn numbers(
    name: &str,
    params: &[(&str, Value)],
    [steps, per_epoch]: [u64; 2],
    key: &str,
) -> Vec<f64> {
    let _turn = crate::turn();
    let mut script = golden::script(Slot::Schedule, &format!("schedules/{name}.rhai"), params);
    let mut schedulable = Schedulable::new();
    for name in NAMES {
        schedulable.put(name.key, Number::Real(0.25));
    }
    let all = (0..steps).map(|step| {
        let now = Now {
            step,
            epoch: step / per_epoch,
            steps,
            steps_per_epoch: per_epoch,
            seed: 1,
            part: 0,
        };
        let last = Last::default();
        let ctx = Context {
            lr: 0.06,
            schedulable: &schedulable,
            last: &last,
            rows: 100,
            now,
        };
        schedule::run(&mut script, &ctx).unwrap()[key].value()
    });
    all.collect()
}

fn assert_near(found: &[f64], expected: impl Fn(u64) -> f64) {
    assert!(found.len() > 50);
    for (step, found) in (0..).zip(found) {
        let expected = expected(step);
        assert!(
            (found - expected).abs() < 1e-12,
            "{step}: {found}, {expected}"
        );
    }
}

#[test]
fn the_cosine_script_is_the_cosine_of_the_configuration() {
    for (warmup_epochs, final_fraction) in [(0.0, 0.0), (2.0, 0.1), (1.5, 0.0), (100.0, 0.5)] {
        let rate = LearningRate {
            base: 0.06,
            warmup_steps: (warmup_epochs * 10.0_f64).round() as u64,
            total_steps: 100,
            final_fraction,
            schedule: Schedule::Cosine,
        };
        let params = [
            ("warmup_epochs", json!(warmup_epochs)),
            ("final_fraction", json!(final_fraction)),
        ];
        assert_near(&numbers("cosine", &params, [100, 10], "optim.lr"), |step| {
            rate.at(step)
        });
    }
    let half = numbers("cosine", &[("lr", json!(0.5))], [100, 10], "optim.lr");
    assert_eq!(half[0], 0.5);
}

/// The cycles counted one step at a time.
#[test]
fn restarts_come_when_their_cycles_are_over() {
    for (period, factor) in [(1.0, 2.0), (0.5, 1.0), (0.75, 1.5)] {
        let params = [
            ("period", json!(period)),
            ("factor", json!(factor)),
            ("low", json!(0.01)),
        ];
        let found = numbers("warm_restarts", &params, [200, 8], "optim.lr");
        let (mut since, mut length) = (0.0, period * 8.0);
        let expected: Vec<f64> = (0..200)
            .map(|_| {
                let rate = 0.01 + 0.05 * 0.5 * (1.0 + (PI * since / length).cos());
                since += 1.0;
                if since >= length {
                    since -= length;
                    length *= factor;
                }
                rate
            })
            .collect();
        assert_near(&found, |step| expected[step as usize]);
        let restarts = found.windows(2).filter(|pair| pair[1] > pair[0]).count();
        assert!(restarts > 3, "{restarts}");
    }
}

#[test]
fn one_cycle_rises_to_its_peak_and_falls_to_almost_nothing() {
    let found = numbers("one_cycle", &[], [100, 10], "optim.lr");
    let first = 0.06 / 25.0;
    let wave = |from: f64, to: f64, way: f64| to + (from - to) * 0.5 * (1.0 + (PI * way).cos());
    assert_near(&found, |step| match step {
        0..29 => wave(first, 0.06, step as f64 / 29.0),
        _ => wave(0.06, first / 1e4, (step - 29) as f64 / 70.0),
    });
    assert!((found[29] - 0.06).abs() < 1e-12 && (found[99] - first / 1e4).abs() < 1e-12);
}

#[test]
fn the_weight_of_the_inter_image_loss_rises_to_the_configured_one() {
    for shape in ["gaussian", "linear"] {
        let params = [
            ("begin", json!(1.0)),
            ("epochs", json!(4.0)),
            ("shape", json!(shape)),
        ];
        let found = numbers("inter_ramp", &params, [100, 10], "loss.inter");
        assert_near(&found, |step| {
            let x = ((step as f64 / 10.0 - 1.0) / 4.0).clamp(0.0, 1.0);
            0.25 * match shape {
                "linear" => x,
                _ => (-5.0 * (1.0 - x) * (1.0 - x)).exp(),
            }
        });
    }
}

#[test]
fn the_temperature_swings_between_two_values() {
    let params = [("period", json!(5.0)), ("inter", json!(true))];
    for key in ["method.temperature", "inter.temperature"] {
        let found = numbers("temperature", &params, [100, 10], key);
        assert_near(&found, |step| {
            0.1 + 0.45 * (1.0 + (2.0 * PI * step as f64 / 50.0).cos())
        });
    }
}

#[test]
fn the_contract_has_a_line_for_each_name() {
    let text = fs::read_to_string(repo().join("scripts/README.md")).unwrap();
    for name in NAMES {
        let line = text
            .lines()
            .find(|line| line.starts_with(&format!("| `{}` |", name.key)));
        let line =
            line.unwrap_or_else(|| panic!("scripts/README.md has no line for '{}'", name.key));
        assert!(
            line.contains(&format!("| {} |", name.range.text())),
            "{line}"
        );
    }
}

/// A slot that one of two runs has filled is a difference of their code.
#[test]
fn a_policy_that_the_other_run_lacks_is_told_when_they_are_compared() {
    let dir = Dir::new();
    dir.write("half.rhai", &script("#{ \"optim.lr\": 0.5 * ctx.lr }"));
    let with = dir.train(&["--steps", "6", "--script", "half.rhai"]);
    let without = dir.train(&["--steps", "6"]);
    let [with, without] = [&with, &without].map(|run| run.folder.display().to_string());
    let output = dir.output(&["compare", &without, &with]);
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success());
    assert!(
        text.contains("schedule: none in A, half gen 1 in B"),
        "{text}"
    );
    assert!(text.contains("+fn decide(ctx)"), "{text}");
}

/// A schedule that makes the weights useless soon after it went live is undone with all that it did, and the run is done again equal.
#[test]
fn a_schedule_that_ruins_the_weights_is_undone() {
    for (name, ruin) in [
        ("in its trial", r#"#{ "optim.lr": 1e30 }"#),
        (
            "after its trial",
            r#"if "n" in this { this.n += 1; } else { this.n = 0; }
               #{ "loss.intra": if this.n < 14 { 1.0 } else { 1e38 } }"#,
        ),
    ] {
        let dir = Dir::new();
        dir.write("ruin.rhai", &script(r#"#{ "optim.clip": 1.0 }"#));
        let mut run = dir.start(&["--script", "ruin.rhai"]);
        run.until("sampler: ");
        dir.write("ruin.rhai", &script(ruin));
        run.until("schedule: ruin gen 2 is live");
        run.until("schedule: rolled back at step");
        run.until("not finite");
        run.steps(2);
        let run = run.stop();
        let back = run.ledger("schedule", "rolled_back");
        assert_eq!(back.len(), 1, "{name}");
        assert_eq!(back[0]["fault"]["kind"], "diverged", "{name}");
        let live = run.ledger("schedule", "live")[0]["step"].as_u64().unwrap();
        let step = back[0]["step"].as_u64().unwrap();
        assert_eq!(
            step > live + 10,
            name == "after its trial",
            "{name}: {live}, {step}"
        );
        let losses = run.losses();
        let losses = losses.iter().map(|(_, bits)| f64::from_bits(*bits));
        assert!(
            losses.clone().all(|loss| loss.abs() < 20.0),
            "{name}: {losses:?}"
        );
        let (_, said) = dir.again(&["replay", run.folder.to_str().unwrap(), "--verify"]);
        assert!(said.contains("same"), "{name}: {said}");
    }
}

/// What is needed to undo a generation is in a checkpoint: a run that is cut on probation goes on as one that is not.
#[test]
fn a_run_that_is_cut_on_probation_can_still_undo_it() {
    let dir = Dir::new();
    dir.write("ruin.rhai", &script(r#"#{ "optim.clip": 1.0 }"#));
    let mut run = dir.start(&["--script", "ruin.rhai", "--set", "checkpoint.every=5"]);
    run.until("sampler: ");
    let ruin = r#"if "n" in this { this.n += 1; } else { this.n = 0; }
                  #{ "loss.intra": if this.n < 14 { 1.0 } else { 1e38 } }"#;
    dir.write("ruin.rhai", &script(ruin));
    run.until("schedule: ruin gen 2 is live");
    // One checkpoint at least, and not yet what ruins the weights.
    run.steps(2);
    let cut = run.stop();
    let kept = fs::read_dir(cut.folder.join("checkpoints")).unwrap();
    let mut kept = kept.map(|checkpoint| checkpoint.unwrap().path());
    assert!(kept.any(|checkpoint| checkpoint.join("before.safetensors").exists()));
    let mut run = dir.resume(&cut, &[]);
    run.until("schedule: rolled back at step");
    run.steps(2);
    let run = run.stop();
    let back = &run.ledger("schedule", "rolled_back")[0];
    assert_eq!(back["fault"]["kind"], "diverged");
    let (_, said) = dir.again(&["replay", run.folder.to_str().unwrap(), "--verify"]);
    assert!(said.contains("same"), "{said}");
}
