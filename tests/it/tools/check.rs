//! `sandbox check --watch`, its SARIF log, and what an editor makes of its lines.

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};

use regex::Regex;
use serde_json::Value;

use super::said;
use crate::support::{Dir, repo};

/// A program that ends with the test, whatever comes of that.
struct Watching(Child);

impl Drop for Watching {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_watched_script_is_checked_at_each_save() {
    let dir = Dir::empty();
    let good = "//! slot: sampler\nfn decide(ctx) { #{ positives: ctx.index.unsqueeze(1), negatives: ctx.index.unsqueeze(1) } }\n";
    dir.write("mine.rhai", good);
    let child = dir
        .sandbox(&["check", "--watch", "mine.rhai"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut watching = Watching(child);
    let mut out = BufReader::new(watching.0.stdout.take().unwrap())
        .lines()
        .map(Result::unwrap);
    let mut round = || -> Vec<String> {
        let mut lines: Vec<String> = Vec::new();
        while lines
            .last()
            .is_none_or(|line| !line.contains("watching 1 file"))
        {
            lines.push(out.next().unwrap());
        }
        lines
    };
    let first = round();
    assert_eq!(
        first[0], "checking 1 file",
        "no control characters without a terminal"
    );
    assert!(first[1].starts_with("mine.rhai: ok, sampler"), "{first:?}");
    dir.write("mine.rhai", &good.replace("unsqueeze", "unsqeeze"));
    let second = round().join("\n");
    assert!(
        second.contains("error: unknown function 'unsqeeze'\n --> mine.rhai:2:"),
        "{second}"
    );
    assert!(
        second.ends_with("1 cannot be used; watching 1 file, Ctrl-C ends"),
        "{second}"
    );
    dir.write("mine.rhai", good);
    assert!(round().join("\n").contains("all can be used"));
    drop(watching);

    let (code, _, err) = said(&dir.output(&["check", "--watch", "samplers/hard.rhai"]));
    assert!(code == 2 && err.contains("it cannot be watched"), "{err}");
}

#[test]
fn a_sarif_log_has_what_the_schema_requires() {
    let dir = Dir::empty();
    dir.write(
        "my scripts/broken.rhai",
        "//! slot: sampler\nfn decide(ctx) {\n    ctx.similarity.topkk(3)\n}\n",
    );
    let args = [
        "check",
        "--format",
        "sarif",
        "my scripts/broken.rhai",
        "samplers/hard.rhai",
        "nowhere.rhai",
    ];
    let (code, out, _) = said(&dir.output(&args));
    assert_eq!(code, 2);
    let log: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(log["version"], "2.1.0");
    let run = &log["runs"][0];
    let driver = &run["tool"]["driver"];
    assert_eq!(driver["name"], "sandbox");
    let rules: Vec<_> = driver["rules"]
        .as_array()
        .unwrap()
        .iter()
        .map(|rule| rule["id"].as_str().unwrap())
        .collect();
    let mut distinct = rules.clone();
    distinct.sort_unstable();
    distinct.dedup();
    assert_eq!(distinct.len(), rules.len());
    let results = run["results"].as_array().unwrap();
    assert_eq!(results.len(), 2, "a script that can be used is no result");
    for result in results {
        let index = result["ruleIndex"].as_u64().unwrap() as usize;
        assert_eq!(result["ruleId"], rules[index]);
        assert!(!result["message"]["text"].as_str().unwrap().is_empty());
        let region = &result["locations"][0]["physicalLocation"]["region"];
        assert!(
            region["startLine"].as_u64().unwrap() >= 1
                && region["startColumn"].as_u64().unwrap() >= 1
        );
    }
    let place = &results[0]["locations"][0]["physicalLocation"];
    assert_eq!(place["artifactLocation"]["uri"], "my%20scripts/broken.rhai");
    assert_eq!(
        (
            &place["region"]["startLine"],
            &place["region"]["startColumn"]
        ),
        (&Value::from(3), &Value::from(20))
    );
    assert_eq!(results[0]["ruleId"], "compile");
    assert!(
        results[0]["properties"]["report"]
            .as_str()
            .unwrap()
            .contains("did you mean 'topk'?")
    );
    assert_eq!(results[1]["ruleId"], "missing");
}

/// What VS Code is told of the output is what the output is.
#[test]
fn the_problem_matcher_finds_every_diagnostic() {
    let text = fs::read_to_string(repo().join("examples/vscode/tasks.json")).unwrap();
    let tasks: Value = serde_json::from_str(&text).unwrap();
    let dir = Dir::empty();
    dir.write(
        "broken.rhai",
        "//! slot: sampler\nfn decide(ctx) {\n    ctx.similarity.topkk(3)\n}\n",
    );
    dir.write("failing_test.rhai", "fn test_it() { assert_eq(1, 2); }\n");
    let checked = said(&dir.output(&["check", "broken.rhai"])).1;
    let tested = said(&dir.output(&["test", "."])).1;
    for task in tasks["tasks"].as_array().unwrap() {
        let verb = task["args"][0].as_str().unwrap();
        let (output, expected) = match verb {
            "check" => (
                &checked,
                ["unknown function 'topkk'", "broken.rhai", "3", "20"],
            ),
            _ => (
                &tested,
                [
                    "assert_eq failed: got 1, expected 2",
                    "./failing_test.rhai",
                    "1",
                    "16",
                ],
            ),
        };
        assert_eq!(
            problems(&task["problemMatcher"], output),
            [expected.map(str::to_owned)],
            "{output}"
        );
        let background = &task["problemMatcher"]["background"];
        for (pattern, line) in [
            ("beginsPattern", "checking 1 file"),
            (
                "endsPattern",
                "1 cannot be used; watching 1 file, Ctrl-C ends",
            ),
        ] {
            if let Some(pattern) = background[pattern].as_str() {
                assert!(Regex::new(pattern).unwrap().is_match(line), "{pattern}");
            }
        }
    }
}

/// What stands in a sampler's `decide`, and what is said of it.
const REFUSED: &[(&str, &str)] = &[
    (
        "ctx.params.skip = 3;",
        "ctx.params is the host's and cannot be changed: change a copy, 'let params = ctx.params;'",
    ),
    ("ctx.params[\"skip\"] = 3;", "ctx.params is the host's"),
    ("ctx.bank.labels = 3;", "ctx.bank is the host's"),
    ("ctx.params.list.push(3);", "ctx.params is the host's"),
    ("ctx.params.list[0] = 3;", "ctx.params is the host's"),
    ("ctx.step += 3;", "ctx.step is the host's"),
    (
        "ctx.params.remove(\"skip\");",
        "'m.to_map()' makes one of the script's own",
    ),
    ("ctx.params.mixin(#{});", "mixin(map: map, map2: map)"),
    ("throw ctx.params;", "error: #{list: [1, 2], skip: 1}"),
    ("throw ctx;", "error: a value of type Context"),
    ("ctx.queries.matmul(0..3);", "'y' must be Tensor, got range"),
    (
        "ctx.queries.matmul(this.means);",
        "note: '()' is what a key gives that a map does not have",
    ),
    (
        "topk(this.means, 3);",
        "note: '()' is what a key gives that a map does not have",
    ),
    (
        "while ctx.params { }",
        "data type incorrect: map (expecting bool)",
    ),
    (
        "let x = K;",
        "note: a constant of the file is 'global::K' in a function",
    ),
    ("ctx.queries.shap;", "a Tensor has no field 'shap'"),
    ("ctx.count(1e300);", "ctx.count(1e300): a fraction"),
    ("return ctx;", "found a value of type Context"),
];

/// Nothing of Rust's shows, and nothing that is asked for is lost in silence.
#[test]
fn what_a_script_may_not_do_is_said_in_its_own_words() {
    let dir = Dir::empty();
    let script = |line: &str| {
        format!(
            "//! slot: sampler\nconst K = 3;\nfn defaults() {{ #{{ skip: 1, list: [1, 2] }} }}\nfn decide(ctx) {{\n    {line}\n    \
             #{{ positives: ctx.index.unsqueeze(1), negatives: ctx.index.unsqueeze(1) }}\n}}\n"
        )
    };
    for (line, expected) in REFUSED {
        dir.write("one.rhai", &script(line));
        let (code, out, err) = said(&dir.output(&["check", "one.rhai"]));
        let text = format!("{out}{err}");
        assert_eq!(code, 2, "{line}: {text}");
        assert!(
            text.contains(expected),
            "{line}: expected '{expected}' in\n{text}"
        );
        let foreign = ["::policy::", "core::", "i64", "f64"];
        assert!(
            !foreign.iter().any(|word| text.contains(word)),
            "{line}: {text}"
        );
    }
    // Copies are the script's own.
    dir.write("one.rhai", &script("let p = ctx.params; p.skip = 3; let n = ctx.bank.labels.size(0) + ctx.params.list.len();"));
    assert_eq!(said(&dir.output(&["check", "one.rhai"])).0, 0);
}

#[test]
fn labels_are_asked_only_after_they_have_begun() {
    let dir = Dir::empty();
    let start = "let k = ctx.features.kmeans(5, ctx.rng); this.p = k.centroids; #{ labels: k.labels, centroids: k.centroids }";
    let answers = [
        ("kept", "ctx.keys.matmul(this.p.t()).argmax(1)"),
        ("shifted", "(ctx.index + ctx.step) % 5"),
    ];
    for (name, decide) in answers {
        let after = "#{ centroids: ctx.bank.features.segment_mean(ctx.bank.labels, 5, ctx.bank.centroids) }";
        let file = format!("{name}.rhai");
        dir.write(
            &file,
            &format!(
                "//! slot: labels\nfn start(ctx) {{ {start} }}\nfn decide(ctx) {{ {decide} }}\nfn after_step(ctx) {{ {after} }}\n"
            ),
        );
        let checked = dir.sandbox(&["check", &file]).output().unwrap();
        assert!(checked.status.success(), "{name}: {checked:?}");
    }
}

/// Message, file, line and column of what a problem matcher with two patterns finds in two lines that follow each other.
fn problems(matcher: &Value, output: &str) -> Vec<[String; 4]> {
    let pattern =
        |at: usize| Regex::new(matcher["pattern"][at]["regexp"].as_str().unwrap()).unwrap();
    let group = |at: usize, name: &str| matcher["pattern"][at][name].as_u64().unwrap() as usize;
    let (first, second) = (pattern(0), pattern(1));
    let lines: Vec<_> = output.lines().collect();
    let pairs = lines.windows(2);
    pairs
        .filter_map(|pair| {
            let (message, place) = (first.captures(pair[0])?, second.captures(pair[1])?);
            let place = |name: &str| place[group(1, name)].to_owned();
            Some([
                message[group(0, "message")].to_owned(),
                place("file"),
                place("line"),
                place("column"),
            ])
        })
        .collect()
}
