//! `sandbox test`: assertions, made-up contexts, examples.

use serde_json::Value;

use super::{lines, said};
use crate::support::{Dir, repo};

/// One test of each kind that fails, and what its diagnostic says.
const FAILING: &[(&str, &str)] = &[
    (
        "fn test_shape() { assert_eq(ask(ctx_of(#{})).positives.shape, [4, 2]); }",
        "error: assert_eq failed at [1]: got 1, expected 2\n --> scripts/samplers/mine_test.rhai:2:19",
    ),
    (
        "fn test_word() { asert(true); }",
        "error: unknown function 'asert'\n --> scripts/samplers/mine_test.rhai:2:18",
    ),
    (
        "fn test_word() { asert(true); }",
        "note: did you mean 'assert'?",
    ),
    (
        "const X = 1; X + 1;",
        "only 'fn', 'const' and 'import' may stand at top level",
    ),
    (
        "fn test_with(x) { }",
        "a test has no parameters, 'test_with' has some",
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
        "fn test_index() { ctx_of(#{ index: [99] }); }",
        "'index' holds 99, expected 0..32",
    ),
    (
        "fn test_clusters() { ctx_of(#{ bank: #{ labels: [1000000000000] } }); }",
        "'labels' holds 1000000000000, expected 0..65536",
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
        "the script failed when it was asked: ctx.count(3.0): a fraction",
    ),
    (
        "fn test_counts() { ctx_of(#{ index: [0.5, 1.0] }); }",
        "ctx_of: 'index' must be int64, got float32",
    ),
    (
        "fn test_flags() { ctx_of(#{ slot: \"boundary\", valid: [[1]] }); }",
        "ctx_of: 'valid' must be bool, got int64",
    ),
    (
        "fn test_cosines() { ctx_of(#{ similarity: full([4, 32], 2.0) }); }",
        "ctx_of: 'similarity' holds 2.0, expected a cosine, -1 to 1",
    ),
    (
        "fn test_missing() { ctx_of(#{ slot: \"boundary\", negatives: [[-1e4, 0.0 / 0.0]] }); }",
        "'negatives' holds NaN, expected a cosine, -1 to 1, or -10000 for none",
    ),
    (
        "fn test_temperature() { ctx_of(#{ slot: \"boundary\", temperature: -1.0 }); }",
        "'temperature' must be a number of 0 or more, got -1.0",
    ),
    (
        "fn test_pixels() { ctx_of(#{ slot: \"mixer\", images: [[[[0.0 / 0.0]]]] }); }",
        "'images' holds NaN, expected a finite number",
    ),
    (
        "fn test_handle() { ctx_of(#{ step: tensor(1) }); }",
        "'step' must be a count, got Tensor",
    ),
    (
        "fn test_param_kind() { ctx_of(#{ params: #{ skip: tensor(3) } }); }",
        "'params' must hold numbers, texts, booleans and lists alone",
    ),
    (
        "fn test_steps() { ctx_of(#{ steps: 0 }); }",
        "'steps' must be at least 1, got 0",
    ),
    (
        "fn test_beyond() { ctx_of(#{ step: 100, steps: 100 }); }",
        "'step' must be below 'steps', 100, got 100",
    ),
    (
        "fn test_bank() { ctx_of(#{ bank: #{ features: [1.0] } }); }",
        "'bank.features' must be [N, D], got [1]",
    ),
    (
        "fn test_name() { ctx_of(#{ slot: \"schedule\", base: #{ \"optim.lrr\": 1.0 } }); }",
        "unknown name 'optim.lrr', known are bank.momentum",
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
         fn test_given_back() { let c = ctx_of(#{}); ctx_of(#{ params: c.params, bank: c.bank }); }\n\
         fn test_moments() { assert_eq(ctx_of(#{ steps: 5 }).step, 4); assert_eq(ctx_of(#{ epoch: 3 }).step, 30); }\n\
         fn test_numbers_back() { let c = ctx_of(#{ slot: \"schedule\" }); ctx_of(#{ slot: \"schedule\", base: c.base, last: c.last }); }\n\
         fn test_real() { assert_eq(ctx_of(#{ slot: \"schedule\", base: #{ \"optim.lr\": 1 } }).base[\"optim.lr\"] / 2, 0.5); }\n\
         fn test_rows() { assert_eq(ctx_of(#{ slot: \"boundary\" }).count(0.5), 16); }\n\
         fn test_seeded() { let c = ctx_of(#{ seed: 5 }); assert_eq(ask(c).negatives, ask(c).negatives); }\n\
         fn test_seeds_differ() {\n    let drawn = |seed| ask(ctx_of(#{ seed: seed, params: #{ wide: 9 } })).negatives;\n    \
         assert((drawn.call(1) != drawn.call(2)).any().item());\n}\n",
    );
    let (code, out, err) = said(&dir.output(&["test", "samplers"]));
    assert!(code == 0 && out.contains("10 passed"), "{out}{err}");
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
        (
            "f(1) => f(",
            "expecting ')' to close the arguments list of this function call 'f'\n --> wrong.rhai:2:24",
        ),
        (
            "f(1) => g(2)",
            "no function takes these arguments: g (int)\n --> wrong.rhai:2:22",
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
