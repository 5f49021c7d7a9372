//! What tests assert with.

use rhai::{Dynamic, Engine, EvalAltResult, FnPtr, FuncRegistration, NativeCallContext};

use super::super::diagnostic;
use super::super::failed::Failed;
use super::super::vocabulary::{Difference, differ, kind_of, shown};
use crate::slots::Budget;

type Verdict = Result<(), Box<EvalAltResult>>;

/// The tolerance of `assert_close` where none is given, and of examples.
pub(super) const TOLERANCE: f64 = 1e-5;

/// Adds the assertions to an engine.
pub(super) fn register(engine: &mut Engine) {
    word("assert", &["condition: bool"]).register_into_engine(engine, |ok: Dynamic| holds(&ok, ""));
    word("assert", &["condition: bool", "message: string"])
        .register_into_engine(engine, |ok: Dynamic, message: &str| holds(&ok, message));
    word("assert_eq", &["got: any", "expected: any"])
        .register_into_engine(engine, |got: Dynamic, expected: Dynamic| {
            equal("assert_eq", &got, &expected, None)
        });
    word("assert_close", &["got: any", "expected: any"])
        .register_into_engine(engine, |got: Dynamic, expected: Dynamic| {
            equal("assert_close", &got, &expected, Some(TOLERANCE))
        });
    word(
        "assert_close",
        &["got: any", "expected: any", "tolerance: number"],
    )
    .register_into_engine(
        engine,
        |got: Dynamic, expected: Dynamic, tolerance: Dynamic| {
            let number = tolerance
                .as_float()
                .or(tolerance.as_int().map(|int| int as f64));
            let tolerance = number.map_err(|_| {
                let kind = kind_of(&tolerance);
                Failed::new(
                    format!("assert_close: 'tolerance' must be number, got {kind}"),
                    Vec::new(),
                )
                .error()
            })?;
            equal("assert_close", &got, &expected, Some(tolerance))
        },
    );
    word("assert_throws", &["act: function"])
        .register_into_engine(engine, |call: NativeCallContext<'_>, act: FnPtr| {
            throws(&call, &act, "")
        });
    word("assert_throws", &["act: function", "part: string"]).register_into_engine(
        engine,
        |call: NativeCallContext<'_>, act: FnPtr, part: &str| throws(&call, &act, part),
    );
}

/// A word with its parameters, as diagnostics list them.
pub(super) fn word(name: &str, params: &[&str]) -> FuncRegistration {
    FuncRegistration::new(name).with_params_info(params)
}

fn holds(condition: &Dynamic, message: &str) -> Verdict {
    let said = match message {
        "" => String::new(),
        message => format!(": {message}"),
    };
    match condition.as_bool() {
        Ok(true) => Ok(()),
        Ok(false) => Err(Failed::new(format!("assert failed{said}"), Vec::new()).error()),
        Err(_) => {
            let message = format!(
                "assert: 'condition' must be bool, got {}",
                kind_of(condition)
            );
            let notes = match kind_of(condition) {
                "Tensor" => vec![
                    "a tensor becomes a bool by 'x.all().item()' or 'x.any().item()'".to_owned(),
                ],
                _ => Vec::new(),
            };
            Err(Failed::new(message, notes).error())
        }
    }
}

fn equal(word: &str, got: &Dynamic, expected: &Dynamic, tolerance: Option<f64>) -> Verdict {
    match difference(word, got, expected, tolerance) {
        None => Ok(()),
        Some(failed) => Err(failed.error()),
    }
}

/// What is wrong where two values are not equal, or not within a tolerance.
pub(super) fn difference(
    word: &str,
    got: &Dynamic,
    expected: &Dynamic,
    tolerance: Option<f64>,
) -> Option<Failed> {
    let Difference { path, text } = differ(got, expected, tolerance)?;
    let at = match path.as_str() {
        "" => String::new(),
        path => format!(" at {path}"),
    };
    let notes = vec![
        format!("got      {}", shown(got)),
        format!("expected {}", shown(expected)),
    ];
    Some(Failed::new(format!("{word} failed{at}: {text}"), notes))
}

fn throws(call: &NativeCallContext<'_>, act: &FnPtr, part: &str) -> Verdict {
    let error = match act.call_within_context::<Dynamic>(call, ()) {
        Ok(value) => {
            let notes = vec![format!("it answered {}", shown(&value))];
            return Err(Failed::new("assert_throws failed: nothing was thrown", notes).error());
        }
        Err(error) => error,
    };
    let inner = error.unwrap_inner();
    if let Some(failed) = Failed::of(inner).filter(|failed| failed.report.is_none()) {
        // An assertion within is not what the script throws.
        return Err(failed.error());
    }
    if matches!(
        inner,
        EvalAltResult::ErrorTooManyOperations(..) | EvalAltResult::ErrorTerminated(..)
    ) {
        return Err(error);
    }
    let said = || diagnostic::describe(inner, Budget::UPKEEP).1;
    let message = Failed::of(inner).map_or_else(said, |failed| failed.message);
    if message.contains(part) {
        return Ok(());
    }
    let notes = vec![format!("thrown was: {message}")];
    Err(Failed::new(
        format!("assert_throws failed: the message lacks \"{part}\""),
        notes,
    )
    .error())
}
