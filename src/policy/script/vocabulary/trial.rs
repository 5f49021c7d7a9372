//! Runs scripts in the tests of the vocabulary.

use rhai::{Array, Dynamic, Engine, EvalAltResult, FLOAT, INT, Scope};
use tch::{Device, Kind, Tensor};

use super::{Handle, Rng, names, register};
use crate::policy::script::limits::Stopped;

/// The value of a script, in whose scope is `rng`.
pub(super) fn eval(script: &str) -> Result<Dynamic, String> {
    let mut engine = Engine::new();
    register(&mut engine);
    let mut scope = Scope::new();
    scope.push_constant("rng", Rng::new(Device::Cpu));
    let leaf = Tensor::ones([100, 100], (Kind::Float, Device::Cpu)).set_requires_grad(true);
    scope.push_constant("leaf", Handle::new(leaf));
    let answer = engine.eval_with_scope(&mut scope, script);
    answer.map_err(|error| match error.unwrap_inner() {
        EvalAltResult::ErrorRuntime(why, _) if why.is::<Stopped>() => {
            format!("{:?}", why.clone().cast::<Stopped>())
        }
        error => error.to_string(),
    })
}

pub(super) fn value(script: &str) -> Dynamic {
    eval(script).unwrap_or_else(|error| panic!("{script}: {error}"))
}

/// The elements of a tensor, or the number.
pub(super) fn numbers(script: &str) -> Vec<f64> {
    let value = value(script);
    match value.read_lock::<Handle>() {
        Some(handle) => Vec::try_from(&handle.flatten(0, -1).to_kind(Kind::Double)).unwrap(),
        None => vec![value.as_float().unwrap()],
    }
}

/// Whether the elements are these, within 1e-5.
pub(super) fn close(script: &str, expected: &[f64]) {
    let got = numbers(script);
    let near = |(a, b): (&f64, &f64)| (a - b).abs() <= 1e-5 * b.abs().max(1.0);
    assert!(
        got.len() == expected.len() && got.iter().zip(expected).all(near),
        "{script}: {got:?}, expected {expected:?}"
    );
}

/// The text, or how a value prints.
pub(super) fn text(script: &str) -> String {
    match value(script).into_string() {
        Ok(text) => text,
        Err(_) => value(&format!("let it = {{ {script} }}; it.to_string()"))
            .into_string()
            .unwrap(),
    }
}

pub(super) fn flag(script: &str) -> bool {
    value(script).as_bool().unwrap()
}

pub(super) fn int(script: &str) -> INT {
    value(script).as_int().unwrap()
}

pub(super) fn ints(script: &str) -> Vec<INT> {
    value(script).into_typed_array().unwrap()
}

/// The text of the error, without the place.
pub(super) fn fails(script: &str) -> String {
    let error = eval(script).expect_err(script);
    let error = error.strip_prefix("Runtime error: ").unwrap_or(&error);
    error.split(" (line ").next().unwrap().to_owned()
}

/// The rows of a matrix.
pub(super) fn rows(x: &Tensor) -> Vec<Vec<i64>> {
    Vec::<Vec<i64>>::try_from(&x.to_kind(Kind::Int64)).unwrap()
}

#[test]
fn every_name_can_be_written_in_a_script_and_is_documented() {
    let mut engine = Engine::new();
    register(&mut engine);
    let all = names();
    assert!(all.len() > 150, "{}", all.len());
    for name in &all {
        engine
            .compile(format!("let x = 1; x.{name}(1); {name}(x)"))
            .unwrap_or_else(|error| panic!("{name}: {error}"));
    }
    let documented = engine.collect_fn_metadata(
        None,
        |f| {
            let ours = f
                .metadata
                .params_info
                .iter()
                .any(|param| param.contains("Tensor") || param.contains("Rng"));
            (ours && f.metadata.comments.is_empty()).then(|| f.metadata.name.to_string())
        },
        false,
    );
    assert_eq!(documented, Vec::<String>::new());
}

#[test]
fn words_of_rhai_keep_their_meaning() {
    assert_eq!(
        value("[max(1, 2), min(3, 2), [1, 2].len(), \"ab\".len()]")
            .into_typed_array::<INT>()
            .unwrap(),
        [2, 2, 2, 2]
    );
    assert_eq!(
        value("abs(-1.5) + sqrt(4.0) + exp(0.0)").cast::<FLOAT>(),
        4.5
    );
    assert_eq!(value("let a = [1, 2]; a += 3; a").cast::<Array>().len(), 3);
    assert!(flag("1 == 1.0 && \"a\" != 1 && () == ()"));
    assert!(eval("1 + ()").is_err() && eval("#{} * 2").is_err());
}

#[test]
fn unknown_words_and_types_are_errors_in_the_words_of_scripts() {
    assert_eq!(
        fails("zeros(2).mutmal(zeros(2))"),
        "Function not found: mutmal (Tensor, Tensor)"
    );
    assert_eq!(
        fails("matmul(2, zeros(2))"),
        "Function not found: matmul (i64, Tensor)"
    );
    assert!(fails("rng.radn(2)").starts_with("Function not found: radn (Rng, i64)"));
}

#[test]
fn constants_and_captured_tensors_can_be_used() {
    assert_eq!(numbers("const X = arange(2); X + X.sum()"), [1.0, 2.0]);
    assert_eq!(
        numbers("let x = arange(2); let f = |y| x + y; f.call(x)"),
        [0.0, 2.0]
    );
}

#[test]
fn gradients_flow_through_an_arc_margin() {
    // ArcFace (Deng et al. 2019): the angle of the positive grows by the margin.
    let mut engine = Engine::new();
    register(&mut engine);
    let cosine = Tensor::from_slice(&[0.5_f32, 0.1]).set_requires_grad(true);
    let mut scope = Scope::new();
    scope.push("cosine", Handle::new(cosine.shallow_clone()));
    let script = "
        let theta = cosine.clamp(-1 + 1e-7, 1 - 1e-7).acos();
        let positive = where(arange(2) == 0, (theta + 0.5).cos(), cosine);
        (positive / 0.2).unsqueeze(0).cross_entropy(tensor([0]))";
    let loss = engine
        .eval_with_scope::<Handle>(&mut scope, script)
        .unwrap();
    assert!(loss.requires_grad());
    loss.backward();
    let gradient = Vec::<f32>::try_from(&cosine.grad()).unwrap();
    assert!(gradient[0] < 0.0 && gradient[1] > 0.0, "{gradient:?}");
}

/// Arguments that few verbs can take.
const ODD: &[&str] = &[
    "zeros([2, 3])",
    "arange(3)",
    "tensor([[true, false]])",
    "tensor([0.5, -1.5])",
    "zeros([0, 2])",
    "tensor(2)",
    "-7",
    "0",
    "3",
    "0.5",
    "-1e300",
    "true",
    "\"x\"",
    "[]",
    "[2, -3]",
    "[zeros(2), ones([3, 3])]",
    "()",
    "#{}",
    "rng",
    "tensor([0.5]).half()",
    "tensor([3]).int()",
    "4611686018427387904",
    "0.0 / 0.0",
];

/// Runs `name(..)` with a few of the many combinations of odd arguments, spread evenly.
fn with_odd_arguments(engine: &Engine, name: &str, count: usize) {
    let mut scope = Scope::new();
    scope.push_constant("rng", Rng::new(Device::Cpu));
    for seed in 0..3 * ODD.len() {
        let pick = |at: usize| {
            ODD[(seed * [1, 7, 11, 13, 17][at] + seed / ODD.len() * [0, 4, 9, 3, 5][at])
                % ODD.len()]
        };
        let arguments: Vec<&str> = (0..count).map(pick).collect();
        let script = format!("{name}({})", arguments.join(", "));
        let run = || {
            engine
                .eval_with_scope::<Dynamic>(&mut scope.clone(), &script)
                .is_ok()
        };
        let ran = std::panic::catch_unwind(std::panic::AssertUnwindSafe(run));
        assert!(ran.is_ok(), "{script} panicked");
    }
}

#[test]
fn no_verb_panics() {
    let mut engine = Engine::new();
    register(&mut engine);
    let words = names();
    let mut verbs: Vec<(String, usize)> = engine.collect_fn_metadata(
        None,
        |f| Some((f.metadata.name.to_string(), f.metadata.num_params)),
        false,
    );
    verbs.retain(|(name, _)| words.contains(name));
    verbs.sort();
    verbs.dedup();
    for (name, count) in verbs {
        with_odd_arguments(&engine, &name, count);
    }
}

#[test]
fn no_operator_panics() {
    let mut engine = Engine::new();
    register(&mut engine);
    let operators = [
        "+", "-", "*", "/", "%", "**", "==", "!=", "<", "<=", ">", ">=", "&", "|", "^",
    ];
    for (left, right) in ODD
        .iter()
        .flat_map(|left| ODD.iter().map(move |right| (left, right)))
    {
        let mut scripts: Vec<String> = operators
            .iter()
            .map(|operator| format!("({left}) {operator} ({right})"))
            .collect();
        scripts.extend([
            format!("let x = {left}; x[{right}]"),
            format!("-({left})"),
            format!("!({left})"),
        ]);
        for script in scripts {
            let ran = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                engine.eval::<Dynamic>(&script).is_ok()
            }));
            assert!(ran.is_ok(), "{script} panicked");
        }
    }
}
