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

/// What somebody who writes PyTorch is used to, and what is said of it.
const HABITS: &[(&str, &str)] = &[
    (
        "let x = ctx.queries.softmax(dim=1);",
        "arguments have no names",
    ),
    (
        "let x = ctx.labels[:, 0];",
        "'[:, None]' is 'x.unsqueeze(1)'",
    ),
    ("let x = None;", "'None' is '()'"),
    ("if True { }", "'True' is 'true'"),
    ("if not true { }", "'!'"),
    ("if true and false { }", "'&&', '||', '!'"),
    (
        "let x = ~(ctx.labels == 1);",
        "the opposite of a mask is '!mask'",
    ),
    (
        "let x = ctx.queries @ ctx.queries.t();",
        "the matrix product is 'x.matmul(y)'",
    ),
    (
        "let m = ctx.labels == 1; m[0] = true;",
        "nothing changes in place",
    ),
    (
        "if (ctx.labels > 1).any() { throw 1; }",
        "a tensor is no bool: 'if x.any().item() { .. }'",
    ),
    ("let x = 1 # one", "a comment begins with '//'"),
    ("let f = |x| x; f(3);", "called 'f.call(..)'"),
    (
        "let x = ctx.queries.max(1).values;",
        "max and min with a dimension give the values only",
    ),
    ("let x = ctx.queries.dtyp;", "did you mean 'dtype'?"),
    (
        "let x = ctx.queries.topk(3).indicies;",
        "the answer has no field 'indicies', it has indices, values; did you mean 'indices'?",
    ),
    (
        "let (v, i) = ctx.queries.topk(3);",
        "several values at once are not taken apart",
    ),
    ("let x = inf;", "infinity is '1.0 / 0.0'"),
    (
        "let x = torch.zeros(3);",
        "words stand alone or behind a tensor",
    ),
    (
        "let x = 1\n    let y = 2;",
        "a statement ends with ';', also in the line before",
    ),
];

/// What is odd in a script that passes.
const ODD: &[(&str, &str)] = &[
    (
        "let s = ctx.similarity; s.masked_fill(s > 0.5, -2.0); let y = 1;",
        "nobody takes what 'masked_fill' answers, and nothing changes in place",
    ),
    (
        "for i in 0..2 { ctx.similarity.exp(); }",
        "nobody takes what 'exp' answers",
    ),
    (
        "if ctx.step > 2 { ctx.queries.t(); this.n = 3; }",
        "nobody takes what 't' answers",
    ),
    (
        "let x = ctx.step / ctx.steps;",
        "a quotient of integers is whole",
    ),
    (
        "let a = ctx.step; let b = ctx.steps; let x = 1 - a / b;",
        "a quotient of integers is whole",
    ),
    (
        "let x = ctx.step; x /= ctx.steps;",
        "a quotient of integers is whole",
    ),
    (
        "if this.cuont == 3 { let y = 1; } this.count = 1;",
        "nothing sets 'this.cuont', so that it is () always: did you mean 'count'?",
    ),
    (
        "if \"wram\" in ctx.params { let y = 1; }",
        "it has no parameter 'wram': did you mean 'warm'?",
    ),
    (
        "if ctx.params.has(\"wram\") { let y = 1; }",
        "it has no parameter 'wram': did you mean 'warm'?",
    ),
    (
        "if ctx.step > 1000000 { return #{ positive: ctx.index, negatives: ctx.index }; }",
        "the host takes no 'positive': did you mean 'positives'?",
    ),
];

fn of_sampler(line: &str) -> String {
    format!(
        "//! slot: sampler\nfn decide(ctx) {{\n    {line}\n    #{{ positives: ctx.index.unsqueeze(1), negatives: \
         ctx.index.unsqueeze(1) }}\n}}\nfn defaults() {{ #{{ warm: 1 }} }}\n"
    )
}

#[test]
fn habits_of_pytorch_are_answered() {
    let dir = Dir::empty();
    for (line, expected) in HABITS {
        dir.write("one.rhai", &of_sampler(line));
        let (code, out, err) = said(&dir.output(&["check", "one.rhai"]));
        assert_eq!(code, 2, "{line}: {out}{err}");
        assert!(
            out.contains(expected),
            "{line}: expected '{expected}' in\n{out}"
        );
    }
}

#[test]
fn what_is_odd_is_a_warning_with_its_line() {
    let dir = Dir::empty();
    for (line, expected) in ODD {
        dir.write("one.rhai", &of_sampler(line));
        let (code, out, err) = said(&dir.output(&["check", "one.rhai"]));
        assert_eq!(code, 0, "{line}: {out}{err}");
        let warned = format!("warning: {expected}");
        assert!(
            out.contains(&warned) && out.contains("one.rhai:3:"),
            "{line}: expected '{warned}' in\n{out}"
        );
    }
    let fine = "let x = [3, 1]; x.sort(); let n = 1.0 * ctx.step / ctx.steps; let y = ctx.queries.t(); let half = ctx.steps / 2; let e = ctx.step / ctx.steps_per_epoch; let z = 2 * (ctx.epoch / 4); \
         if \"n\" in this { this.n += 1; } else { this.n = 0; } if \"warm\" in ctx.params { let z = 1; }";
    dir.write("one.rhai", &of_sampler(fine));
    let (_, out, _) = said(&dir.output(&["check", "one.rhai"]));
    assert!(!out.contains("warning"), "{out}");
    let closure = of_sampler("let x = parts(ctx.queries);")
        + "fn parts(x) {\n    cat(x.chunk(2).map(|part| part.exp()))\n}\n";
    dir.write("one.rhai", &closure);
    let (_, out, _) = said(&dir.output(&["check", "one.rhai"]));
    assert!(!out.contains("warning"), "{out}");
    let near = "//! slot: labels\nfn start(ctx) { let n = ctx.features.size(0); #{ labels: zeros([n]).to(\"int64\"), centroids: ctx.features[0..1] } }\n\
                fn decide(ctx) { () }\nfn afterstep(ctx) { () }\n";
    dir.write("two.rhai", near);
    let (code, out, _) = said(&dir.output(&["check", "two.rhai"]));
    assert!(
        code == 0 && out.contains("warning: nobody calls 'afterstep': did you mean 'after_step'?"),
        "{out}"
    );
    let begun = near
        .replace("fn decide(ctx) { () }", "fn decide(ctx) { this.n + 1; () }")
        .replace("#{ labels", "this.n = 1; #{ labels");
    dir.write("three.rhai", &begun);
    let (code, out, _) = said(&dir.output(&["check", "three.rhai"]));
    assert!(
        code == 0 && out.contains("it can begin a run, and cannot be swapped in"),
        "{out}"
    );
}

/// Whole scripts with what is said of them, and whether they pass.
const SCRIPTS: &[(&str, &str, bool)] = &[
    // A schedule alone may read what only its run has, and change what it has copied.
    (
        "//! slot: schedule\nfn decide(ctx) { #{ \"sampler.mine\": 0.5 * ctx.base[\"sampler.mine\"] } }\n",
        "ok, schedule",
        true,
    ),
    (
        "//! slot: schedule\nfn decide(ctx) { let b = ctx.base; b[\"sampler.mine\"] = 0.5; b }\n",
        "ok, schedule",
        true,
    ),
    (
        "//! slot: schedule\nfn decide(ctx) { let l = ctx.last; l[\"loss.total\"] = 4.0; #{ \"optim.lr\": 0.01 * l[\"loss.total\"] } }\n",
        "ok, schedule",
        true,
    ),
    (
        "//! slot: schedule\nfn decide(ctx) { #{ \"optim.lr\": () } }\n",
        "'optim.lr': expected a number, found ()",
        false,
    ),
    // Pixels are normalised.
    (
        "//! slot: mixer\nfn decide(ctx) { #{ images: ctx.images.log(), targets: arange(ctx.images.size(0)).unsqueeze(0), weights: ones([1]) } }\n",
        "'images[0, ",
        false,
    ),
    // Counts that are written out are as good as parameters.
    (
        "//! slot: sampler\nfn decide(ctx) { #{ positives: ctx.index.unsqueeze(1), negatives: ctx.similarity.topk(2).indices } }\n",
        "ok, sampler",
        true,
    ),
    (
        "//! slot: sampler\nfn decide(ctx) { #{ positives: ctx.index.unsqueeze(1), negatives: ctx.similarity.topk(1000).indices } }\n",
        "ok, sampler",
        true,
    ),
    (
        "//! slot: sampler\nfn decide(ctx) { #{ positives: ctx.index.unsqueeze(1), negatives: () } }\n",
        "expected a tensor as 'negatives', found ()",
        false,
    ),
    (
        "//! slot: sampler\nfn decide(ctx) { this = 5; #{ positives: ctx.index.unsqueeze(1), negatives: ctx.index.unsqueeze(1) } }\n",
        "'this' is a map, and 'decide' has put int in its place",
        false,
    ),
    (
        "//! slot: sampler\nfn defaults() { #{ l: [0.0 / 0.0, 1.0] } }\nfn decide(ctx) { () }\n",
        "default of 'l' must be a number",
        false,
    ),
    (
        "//! slot: labels\nfn start(ctx) { () }\nfn decide(ctx) { () }\nfn after_step() { () }\n",
        "the host calls 'after_step' as 'fn after_step(ctx)'",
        false,
    ),
    (
        "//! slot: sampler\nfn defaults(x) { #{} }\nfn decide(ctx) { () }\n",
        "the host calls 'defaults' as 'fn defaults()'",
        false,
    ),
];

#[test]
fn what_a_run_would_take_passes_and_what_it_would_not_does_not() {
    let dir = Dir::empty();
    for (script, expected, passes) in SCRIPTS {
        dir.write("one.rhai", script);
        let (code, out, err) = said(&dir.output(&["check", "one.rhai"]));
        assert_eq!(code == 0, *passes, "{script}: {out}{err}");
        assert!(
            out.contains(expected),
            "{script}: expected '{expected}' in\n{out}"
        );
    }
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
