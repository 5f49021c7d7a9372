//! What is asked for against the jobs that it makes, and what is refused.

use super::*;
use crate::slots::Slot;

fn parse(args: &[&str]) -> Result<Request, Error> {
    let args: Vec<_> = args.iter().map(|arg| (*arg).to_owned()).collect();
    Request::parse(None, &args)
}

fn file(section: &str, args: &[&str]) -> Result<Request, Error> {
    let args: Vec<_> = args.iter().map(|arg| (*arg).to_owned()).collect();
    let section = serde_yaml::from_str(section).unwrap();
    Request::parse(Some(&("x.yaml".to_owned(), section)), &args)
}

fn labels(request: &Request) -> Vec<String> {
    request.jobs().iter().map(Job::label).collect()
}

#[test]
fn the_first_key_is_the_slowest() {
    let request = parse(&["a=1,2", "b=x,y,z", "seed=0,1"]).unwrap();
    let mut expected = Vec::new();
    for a in ["1", "2"] {
        for b in ["x", "y", "z"] {
            for seed in ["0", "1"] {
                expected.push(format!("a={a} b={b} seed={seed}"));
            }
        }
    }
    assert_eq!(labels(&request), expected);
    let job = &request.jobs()[3];
    assert_eq!(job.variant, "a=1 b=y");
    assert_eq!(job.sets(), ["a=1", "b=y", "seed=1"]);
}

#[test]
fn a_value_with_brackets_or_quotes_is_one_value() {
    let request = parse(&[
        "views.crop=[0.2,1],[0.3, 1.0]",
        "name='a,b',c",
        "m={p: 1, q: [2,3]}",
    ])
    .unwrap();
    let sets: Vec<_> = request.jobs().iter().map(Job::sets).collect();
    let map = "m={\"p\":1,\"q\":[2,3]}";
    assert_eq!(sets[0], ["views.crop=[0.2,1]", "name=a,b", map]);
    assert_eq!(sets[3], ["views.crop=[0.3,1.0]", "name=c", map]);
    assert_eq!(sets.len(), 4);
}

#[test]
fn variants_come_first_and_the_command_line_replaces_the_file() {
    let section = "{seed: [0, 1, 2], variants: {online: {labels: online}, offline: {labels: offline, labels.epochs_every: 1}, none: }}";
    let request = file(section, &["seed=7,8", "optim.lr=0.1"]).unwrap();
    assert_eq!(
        labels(&request),
        [
            "online seed=7",
            "online seed=8",
            "offline seed=7",
            "offline seed=8",
            "none seed=7",
            "none seed=8"
        ]
    );
    let job = &request.jobs()[3];
    assert_eq!(job.variant, "offline");
    assert_eq!(
        job.sets(),
        ["labels.epochs_every=1", "seed=8", "optim.lr=0.1"]
    );
    assert_eq!(
        job.scripts(),
        [(Slot::Labels, "labels/offline.rhai".into())]
    );
}

#[test]
fn what_cannot_be_meant_is_refused() {
    for (args, said) in [
        (&["seed"][..], "-m seed: expected KEY=V1,V2"),
        (
            &["seed=1,,2"],
            "-m seed=1,,2: expected a value between two commas, found nothing",
        ),
        (&["seed="], "found nothing"),
        (&["seed=1,2,1"], "seed: '1' stands twice"),
        (&["lr=0.1,0.10"], "lr: '0.1' stands twice"),
        (&["=1"], "expected a key"),
        (&["variants=a"], "variants are named in a file"),
        (&["a=[1"], "-m a=[1: '[1': "),
        (&[], "nothing to vary"),
    ] {
        let error = parse(args).unwrap_err().to_string();
        assert!(error.contains(said), "{args:?}: {error}");
    }
    for (section, said) in [
        ("[1]", "x.yaml: expected {KEY: [V1, V2], ...}, found '[1]'"),
        ("{seed: 3}", "x.yaml: seed: expected [V1, V2], found '3'"),
        ("{seed: []}", "seed: expected at least one value"),
        ("{variants: [a]}", "variants: expected {NAME: {KEY: VALUE}}"),
        ("{variants: {}}", "variants: expected at least one"),
        (
            "{variants: {a: 3}}",
            "variants.a: expected {KEY: VALUE}, found '3'",
        ),
        (
            "{variants: {a: {seed: 1}}, seed: [1, 2]}",
            "'seed' is varied, and variant 'a' sets it too",
        ),
    ] {
        let error = file(section, &[]).unwrap_err().to_string();
        assert!(error.contains(said), "{section}: {error}");
    }
    let request = parse(&["seed=1,2"]).unwrap();
    let error = request
        .refuse_set(["optim.lr", "seed"])
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("'seed' is varied by the sweep and set"),
        "{error}"
    );
    assert!(request.refuse_set(["optim.lr"]).is_ok());
}

/// As `--set` takes it, and through `--set` to the job.
#[test]
fn a_key_that_holds_a_text_takes_the_text() {
    let request = parse(&["name=2019,true", "data.dir=set #2", "seed=1"]).unwrap();
    let job = &request.jobs()[0];
    assert_eq!(job.overrides[0].value, Value::from("2019"));
    assert_eq!(
        job.sets(),
        ["name=\"2019\"", "data.dir=\"set #2\"", "seed=1"]
    );
}
