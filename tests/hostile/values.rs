//! Wild values of every key of a configuration: each is refused under its key before anything is done, or the run ends in order.

use std::panic::catch_unwind;

use rand::seq::IndexedRandom;
use rand_chacha::ChaCha8Rng;
use sandbox::config::load::{Request, SHIPPED, load};
use sandbox::config::{Config, Plan};
use serde_yaml::Value;

use crate::guard::ends_in_order;
use crate::mutate;
use crate::rounds::{rounds, soaking};
use crate::support::Dir;

/// Numbers out of all bounds, sizes that no machine has, and what is no number.
const WILD: &[&str] = &[
    "0",
    "-1",
    "-0.0",
    "1",
    "2",
    "3",
    "7",
    "1e-320",
    "1e-38",
    "1e9",
    "1000000000",
    "2147483648",
    "1e38",
    "1e39",
    "1e308",
    "9223372036854775807",
    "18446744073709551615",
    "18446744073709551616",
    ".nan",
    ".inf",
    "-.inf",
    "",
    "''",
    "null",
    "[]",
    "{}",
    "[0]",
    "[1, 0]",
    "[-1, -1]",
    "[.nan, .nan]",
    "[1e38, 1e38]",
    "[1000000000]",
    "[[]]",
    "{a: 1}",
    "true",
    "text",
    "no such file.rhai",
    "../../..",
    "/dev/zero",
    "\u{202e}\u{1b}[31m",
    "&a [*a]",
    "!!binary a",
    "{<<: 1}",
    "a: b",
];

/// Every key with dots, those of the slots too.
fn keys() -> Vec<String> {
    fn below(tree: &Value, key: &str, all: &mut Vec<String>) {
        let Value::Mapping(fields) = tree else {
            return all.push(key.to_owned());
        };
        for (name, value) in fields {
            let name = name.as_str().unwrap();
            let key = match key {
                "" => name.to_owned(),
                _ => format!("{key}.{name}"),
            };
            below(value, &key, all);
        }
    }
    let mut all = Vec::new();
    below(
        &serde_yaml::to_value(Config::default()).unwrap(),
        "",
        &mut all,
    );
    let of_scripts = [
        "labels.clusters",
        "labels.min_cluster",
        "labels.restarts",
        "labels.iterations",
        "sampler.pool",
        "sampler.negatives",
        "sampler.positives",
        "boundary.margin",
        "labels",
        "sampler",
        "schedule",
        "views",
        "mixer.script",
        "schedule.script",
        "sampler.plugin",
    ];
    all.extend(of_scripts.map(String::from));
    all
}

/// The text of what is very long or very deep.
fn long() -> [String; 3] {
    [
        "x".repeat(100_000),
        "[".repeat(300),
        format!("[{}1]", "1, ".repeat(50_000)),
    ]
}

/// What a person is told of a value, if it is refused before there is a run.
fn refused(set: &str) -> Option<String> {
    let planned = catch_unwind(|| {
        let request = Request {
            config: None,
            set: vec![set.to_owned()],
        };
        load(&request).and_then(Plan::new).map(drop)
    });
    let shown: String = set.chars().take(100).collect();
    let planned = planned.unwrap_or_else(|_| panic!("{shown} panics"));
    planned.err().map(|error| error.to_string())
}

#[test]
fn a_wild_value_is_refused_under_its_key() {
    let keys = keys();
    assert!(keys.len() > 80, "{keys:?}");
    let long = long();
    let (mut taken, mut refusals) = (0, 0);
    for key in &keys {
        for value in WILD.iter().copied().chain(long.iter().map(String::as_str)) {
            match refused(&format!("{key}={value}")) {
                None => taken += 1,
                Some(said) => {
                    refusals += 1;
                    let last = key.rsplit('.').next().unwrap();
                    let said: String = said.chars().take(400).collect();
                    assert!(said.contains(last), "{key}={value:.100}: {said}");
                }
            }
        }
    }
    eprintln!("values: {refusals} refused, {taken} taken");
}

/// A run of two steps on few images; a wild value stands behind all this, and counts.
const SMALL: &[&str] = &[
    "run",
    "--plain",
    "--no-watch",
    "--config",
    "tiny.yaml",
    "--device",
    "cpu",
    "--set",
    "eval.every=1",
    "--set",
];

/// Keys that say how long a run takes: a run as long as was asked for is no fault.
fn is_length(key: &str) -> bool {
    ["train.epochs", "train.steps", "device"].contains(&key)
}

#[test]
fn a_wild_value_that_is_taken_trains_in_order() {
    let dir = Dir::new();
    let keys = keys();
    let [mut done, mut refusals, mut failed] = [0; 3];
    rounds("values that are taken", 14, |_, rng| {
        let set = taken(rng, &keys);
        let args = [SMALL, &[&set, "--steps", "2"]].concat();
        let end = ends_in_order(&mut dir.sandbox(&args));
        match end.code {
            0 => done += 1,
            2 => refusals += 1,
            _ => {
                failed += 1;
                eprintln!(
                    "{set}: exit code {}: {}",
                    end.code,
                    end.text.lines().last().unwrap()
                );
            }
        }
        let _ = std::fs::remove_dir_all(dir.file("runs"));
    });
    eprintln!(
        "values that are taken: {done} runs, {refusals} refused at the start, {failed} failed"
    );
    assert!(done > 0 || soaking() || std::env::var_os("SANDBOX_ROUND").is_some());
}

fn taken(rng: &mut ChaCha8Rng, keys: &[String]) -> String {
    loop {
        let key = keys.choose(rng).unwrap();
        let set = format!("{key}={}", WILD.choose(rng).unwrap());
        if !is_length(key) && refused(&set).is_none() {
            return set;
        }
    }
}

/// A configuration of which some bytes are others is read or refused.
#[test]
fn a_damaged_configuration_is_read_or_refused() {
    let dir = Dir::empty();
    let path = dir.file("damaged.yaml");
    let request = Request {
        config: Some(path.to_str().unwrap().to_owned()),
        set: Vec::new(),
    };
    rounds("configurations", 300, |_, rng| {
        let (_, text) = SHIPPED.choose(rng).unwrap();
        let mut bytes = text.as_bytes().to_vec();
        mutate::bytes(rng, &mut bytes);
        std::fs::write(&path, &bytes).unwrap();
        if let Err(error) = load(&request).and_then(Plan::new) {
            assert!(!error.to_string().is_empty());
        }
    });
}
