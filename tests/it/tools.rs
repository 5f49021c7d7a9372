//! The tools of those who write scripts: begin, check at each save, test, ask on recorded batches, reference.

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Output, Stdio};

use regex::Regex;
use sandbox::author::api;
use sandbox::policy::Slot;
use serde_json::Value;

use crate::support::{Dir, repo};

/// Exit code, standard output and standard error.
fn said(output: &Output) -> (i32, String, String) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (
        output.status.code().unwrap(),
        text(&output.stdout),
        text(&output.stderr),
    )
}

fn lines(text: &str) -> Vec<Value> {
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// Each slot's word for `new`, and what is then named for the other tools.
fn begun() -> Vec<(&'static str, String)> {
    let begun = |slot: Slot| (slot.name(), format!("{}/mine.rhai", slot.folder()));
    Slot::ALL.into_iter().map(begun).collect()
}

#[test]
fn a_new_script_passes_its_check_and_its_tests_and_is_never_overwritten() {
    let dir = Dir::empty();
    for (slot, path) in begun() {
        let (code, out, err) = said(&dir.output(&["new", slot, "mine"]));
        assert_eq!(code, 0, "{err}");
        assert!(
            out.contains(&format!("sandbox run --script {path}")),
            "{out}"
        );
        let (code, out, err) = said(&dir.output(&["check", &path]));
        assert!(
            code == 0 && out.contains(&format!("{path}: ok, {slot}")),
            "{out}{err}"
        );
        let (code, out, err) = said(&dir.output(&["test", &path]));
        assert!(
            code == 0 && out.contains("4 passed; 0 failed"),
            "{out}{err}"
        );

        fs::remove_file(dir.file(&format!("scripts/{path}"))).unwrap();
        let tests = dir.file(&format!("scripts/{}", path.replace(".rhai", "_test.rhai")));
        fs::write(&tests, "mine").unwrap();
        let (code, _, err) = said(&dir.output(&["new", slot, "mine"]));
        assert!(
            code == 2 && err.contains("mine_test.rhai' exists: nothing was written"),
            "{err}"
        );
        assert_eq!(fs::read_to_string(&tests).unwrap(), "mine");
        assert!(!dir.file(&format!("scripts/{path}")).exists());
    }
    let (code, _, err) = said(&dir.output(&["new", "sampler", "my_test"]));
    assert!(
        code == 2 && err.contains("'_test' ends the names of tests"),
        "{err}"
    );
}

/// One test of each kind that fails, and what its diagnostic says.
const FAILING: &[(&str, &str)] = &[
    (
        "fn test_shape() { assert_eq(ask(ctx_of(#{})).positives.shape, [4, 2]); }",
        "error: assert_eq failed at [1]: got 1, expected 2\n --> scripts/samplers/mine_test.rhai:2:19",
    ),
    (
        "fn test_values() { assert_eq(tensor([[1, 2], [3, 4]]), tensor([[1, 2], [3, 5]])); }",
        "failed: 1 of 4 elements differ, the first at [1, 1]: got 4, expected 5",
    ),
    (
        "fn test_notes() { assert_eq(tensor([1]), tensor([2])); }",
        "note: got      Tensor [1] int64: 1\nnote: expected Tensor [1] int64: 2",
    ),
    (
        "fn test_type() { assert_eq(tensor([1]), tensor([1.0])); }",
        "assert_eq failed: the type is int64, expected float32",
    ),
    (
        "fn test_within() { assert_eq(#{ a: [1, tensor([1])] }, #{ a: [1, tensor([3])] }); }",
        "assert_eq failed at .a[1]: 1 of 1 elements differ",
    ),
    (
        "fn test_close() { assert_close(tensor([0.5, 0.25]), tensor([0.5, 0.5]), 0.1); }",
        "1 of 2 elements differ by more than 0.1, the first at [1]: got 0.25, expected 0.5",
    ),
    (
        "fn test_nan() { assert_close(tensor([0.0 / 0.0]), tensor([0.0 / 0.0])); }",
        "the first at [0]: got NaN, expected NaN",
    ),
    (
        "fn test_said() { assert(1 == 2, \"one is not two\"); }",
        "assert failed: one is not two",
    ),
    (
        "fn test_bool() { assert(tensor([true])); }",
        "'condition' must be bool, got Tensor",
    ),
    (
        "fn test_throws() { assert_throws(|| 1 + 1); }",
        "assert_throws failed: nothing was thrown",
    ),
    (
        "fn test_other() { assert_throws(|| throw \"one\", \"two\"); }",
        "the message lacks \"two\"",
    ),
    (
        "fn test_inside() { assert_throws(|| assert(false)); }",
        "error: assert failed\n",
    ),
    (
        "fn test_param() { ctx_of(#{ params: #{ skp: 1 } }); }",
        "'sampler.skp' is no parameter of 'mine', it has negatives, skip; did you mean 'sampler.skip'?",
    ),
    (
        "fn test_key() { ctx_of(#{ querys: 1 }); }",
        "did you mean 'queries'?",
    ),
    (
        "fn test_sizes() { ctx_of(#{ labels: [0, 1], queries: [[1.0, 0.0]] }); }",
        "'labels' must be [B], got [2]: B is 1 in 'queries'",
    ),
    (
        "fn test_rows() { ctx_of(#{ queries: [[1.0, 1.0]] }); }",
        "'queries[0]' has norm 1.414, expected 1",
    ),
    (
        "fn test_label() { ctx_of(#{ labels: [-1] }); }",
        "'labels' holds -1, expected 0..4",
    ),
    (
        "fn test_function() { ctx_of(#{ function: \"decied\" }); }",
        "did you mean 'decide'?",
    ),
    (
        "fn test_script() { policy::without_nearest(1, 1); }",
        "--> scripts/samplers/mine.rhai:31:39",
    ),
    (
        "fn test_chain() { policy::without_nearest(1, 1); }",
        "note: in 'without_nearest', called from line 2 of scripts/samplers/mine_test.rhai",
    ),
    (
        "fn test_asked() { ask(ctx_of(#{ params: #{ negatives: 3.0 } })); }",
        "the script failed when it was asked: ctx.count(3): a fraction",
    ),
    (
        "fn test_loop() { while true { } }",
        "is there an endless loop?\n --> scripts/samplers/mine_test.rhai:2:4",
    ),
];

#[test]
fn a_failing_test_shows_its_assertion_underlined_with_both_values() {
    let dir = Dir::empty();
    dir.output(&["new", "sampler", "mine"]);
    for (test, expected) in FAILING {
        dir.write(
            "scripts/samplers/mine_test.rhai",
            &format!("import \"mine\" as policy;\n{test}\n"),
        );
        let (code, out, err) = said(&dir.output(&["test"]));
        assert_eq!(code, 1, "{test}: {out}{err}");
        assert!(
            out.contains("... FAILED") && out.contains(expected),
            "{test}: expected '{expected}' in\n{out}"
        );
        assert_eq!(err, "error: 1 of 2 tests failed\n");
    }
}

#[test]
fn a_test_asks_with_state_that_ends_with_it() {
    let dir = Dir::empty();
    dir.write(
        "scripts/samplers/counts.rhai",
        "//! slot: sampler\nfn defaults() { #{ wide: 3 } }\nfn decide(ctx) {\n    this.n = if this.n == () { 1 } else { this.n + 1 };\n    \
         #{ positives: ctx.index.unsqueeze(1), negatives: ctx.rng.randint(0, 9, [4, ctx.params.wide]) }\n}\n",
    );
    dir.write(
        "scripts/samplers/counts_test.rhai",
        "import \"counts\" as counts;\n\
         fn test_counts() { let c = ctx_of(#{}); ask(c); ask(c); assert_eq(state().n, 2); }\n\
         fn test_afresh() { ask(ctx_of(#{})); assert_eq(state(), #{ n: 1 }); }\n\
         fn test_params() { assert_eq(ask(ctx_of(#{ params: #{ wide: 2 } })).negatives.shape, [4, 2]); }\n\
         fn test_seeded() { let c = ctx_of(#{ seed: 5 }); assert_eq(ask(c).negatives, ask(c).negatives); }\n\
         fn test_seeds_differ() {\n    let drawn = |seed| ask(ctx_of(#{ seed: seed, params: #{ wide: 9 } })).negatives;\n    \
         assert((drawn.call(1) != drawn.call(2)).any().item());\n}\n",
    );
    let (code, out, err) = said(&dir.output(&["test", "samplers"]));
    assert!(code == 0 && out.contains("5 passed"), "{out}{err}");
}

#[test]
fn tests_are_filtered_told_in_json_and_missing_ones_are_wrong_usage() {
    let dir = Dir::empty();
    dir.output(&["new", "sampler", "mine"]);
    dir.write(
        "scripts/lib/wrong.rhai",
        "//! Half of something.\n//! example: half(3) => 2.0\nfn half(x) { x / 2.0 }\n",
    );
    let (code, out, _) = said(&dir.output(&["test", "--filter", "mine: test_the_n"]));
    assert!(
        code == 0 && out.contains("1 passed; 0 failed; 4 filtered out"),
        "{out}"
    );
    let (code, out, _) = said(&dir.output(&["test", "--format", "json"]));
    assert_eq!(code, 1);
    let told = lines(&out);
    let failed: Vec<_> = told.iter().filter(|line| line["ok"] == false).collect();
    assert_eq!(failed.len(), 1);
    assert_eq!(failed[0]["script"], "lib/wrong");
    assert_eq!(
        (&failed[0]["line"], &failed[0]["column"]),
        (&Value::from(2), &Value::from(14))
    );
    assert_eq!(
        failed[0]["message"],
        "example failed: got 1.5, expected 2.0"
    );
    assert_eq!(
        (&told[5]["passed"], &told[5]["failed"]),
        (&Value::from(4), &Value::from(1))
    );

    let (code, _, err) = said(&dir.output(&["test", "samplers/hard.rhai"]));
    assert!(
        code == 2 && err.contains("'samplers/hard.rhai' has no tests"),
        "{err}"
    );
    let (code, _, err) = said(&dir.output(&["test", "nowhere.rhai"]));
    assert!(
        code == 2 && err.contains("no script 'nowhere.rhai'"),
        "{err}"
    );
}

#[test]
fn an_example_shows_what_is_wrong_with_it_in_its_own_line() {
    let dir = Dir::empty();
    let cases = [
        (
            "f(1) => 3",
            "example failed: got 2, expected 3\n --> wrong.rhai:2:14",
        ),
        ("f(1)", "an example reads 'EXPRESSION => EXPRESSION'"),
        ("f(1) => f(", "script is incomplete\n --> wrong.rhai:2:23"),
        (
            "f(1) => g(2)",
            "no function takes these arguments: g (i64)\n --> wrong.rhai:2:22",
        ),
        ("f(tensor([[1]]).matmul(2)) => 1", "--> wrong.rhai:2:30"),
    ];
    for (example, expected) in cases {
        let text = format!(
            "//! A library.\n//! example: {example}\nconst TWO = 2;\nfn f(x) {{ x * 2 }}\n// the end\n"
        );
        dir.write("wrong.rhai", &text);
        let (code, out, err) = said(&dir.output(&["test", "wrong.rhai"]));
        assert!(
            code == 1 && out.contains(expected),
            "{example}: expected '{expected}' in\n{out}{err}"
        );
    }
    dir.write("right.rhai", "//! example: f(TWO) => switch 1 { 1 => 4, _ => 5 }\n//! example: f(0.1) => 0.2\nconst TWO = 2;\nfn f(x) { x * 2 }");
    let (code, out, err) = said(&dir.output(&["test", "right.rhai"]));
    assert!(
        code == 1 && out.contains("1 passed; 1 failed"),
        "the last arrow divides: {out}{err}"
    );
}

#[test]
fn the_tests_of_the_shipped_scripts_pass() {
    let output = Dir::empty()
        .sandbox(&["test"])
        .current_dir(repo())
        .output()
        .unwrap();
    let (code, out, err) = said(&output);
    assert_eq!(code, 0, "{out}{err}");
    for part in [
        "test lib/clusters: test_",
        "test lib/margins: example",
        "test samplers/semi_hard: test_",
        "test labels/online: test_",
    ] {
        assert!(out.contains(part), "no '{part}' in\n{out}");
    }
}

#[test]
fn a_file_of_tests_is_no_policy() {
    let dir = Dir::empty();
    dir.output(&["new", "sampler", "mine"]);
    for verb in [&["check"][..], &["run", "--steps", "1", "--script"]] {
        let (code, _, err) = said(&dir.output(&[verb, &["samplers/mine_test.rhai"]].concat()));
        assert!(code == 2, "{err}");
        let output = dir.output(&[verb, &["samplers/mine_test.rhai"]].concat());
        let text = format!("{}{err}", String::from_utf8_lossy(&output.stdout));
        assert!(
            text.contains("holds tests, which are no policy: 'sandbox test' runs them"),
            "{text}"
        );
    }
}

#[test]
fn a_saved_test_is_no_new_generation() {
    let dir = Dir::new();
    let text = dir.copy_script("samplers/semi_hard.rhai");
    let mut run = dir.start(&["--script", "samplers/semi_hard.rhai"]);
    let tests = fs::read_to_string(repo().join("scripts/samplers/semi_hard_test.rhai")).unwrap();
    dir.write("scripts/samplers/semi_hard_test.rhai", &tests);
    dir.write(
        "scripts/samplers/semi_hard.rhai",
        &text.replace("pool: 0.10", "pool: 0.50"),
    );
    run.until("sampler: semi_hard gen 2 is live");
    assert_eq!(run.stop().ledger("sampler", "live").len(), 1);
}

#[test]
fn a_watched_script_is_checked_at_each_save() {
    let dir = Dir::empty();
    let good = "//! slot: sampler\nfn decide(ctx) { #{ positives: ctx.index.unsqueeze(1), negatives: ctx.index.unsqueeze(1) } }\n";
    dir.write("mine.rhai", good);
    let mut child = dir
        .sandbox(&["check", "--watch", "mine.rhai"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut out = BufReader::new(child.stdout.take().unwrap())
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
    child.kill().unwrap();
    child.wait().unwrap();

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

#[test]
fn recording_changes_no_loss_and_the_same_policy_chooses_the_same_again() {
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
        code == 1 && out.contains("negatives[0, 0] = 600, the bank has rows 0..=511"),
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

/// `SANDBOX_WRITE=1 cargo test --test it definitions` writes it anew.
#[test]
fn the_definitions_for_editors_are_fresh_and_name_every_word() {
    let path = repo().join("scripts/api.d.rhai");
    let fresh = api::definitions();
    if std::env::var_os("SANDBOX_WRITE").is_some() {
        fs::write(&path, &fresh).unwrap();
    }
    let stored = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        stored == fresh,
        "scripts/api.d.rhai is stale: SANDBOX_WRITE=1 cargo test --test it definitions"
    );
    for word in sandbox::policy::script::vocabulary::names() {
        let called = [format!("fn {word}("), format!("fn get {word}(")];
        assert!(
            called.iter().any(|start| stored.contains(start)),
            "'{word}' is not defined"
        );
    }
}

#[test]
fn the_reference_is_printed_for_people_and_programs() {
    let dir = Dir::empty();
    let (code, out, _) = said(&dir.output(&["api", "--format", "markdown"]));
    assert!(
        code == 0 && out.contains("| `similarity` | `[B, N]` | float32 |"),
        "{out}"
    );
    let (code, out, _) = said(&dir.output(&["api", "--format", "json", "-o", "made"]));
    assert!(code == 0 && out == "wrote made/api.json\n", "{out}");
    let json: Value =
        serde_json::from_str(&fs::read_to_string(dir.file("made/api.json")).unwrap()).unwrap();
    let words = json["words"].as_array().unwrap();
    let topk = words.iter().find(|word| word["name"] == "topk").unwrap();
    assert_eq!(
        topk["parameters"][0],
        serde_json::json!({"name": "x", "type": "Tensor", "default": null})
    );
    let fields = json["slots"]["sampler"]["decide"]["context"]
        .as_array()
        .unwrap();
    let similarity = fields
        .iter()
        .find(|field| field["name"] == "similarity")
        .unwrap();
    assert_eq!(
        (&similarity["shape"], &similarity["type"]),
        (&Value::from("[B, N]"), &Value::from("float32"))
    );
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
