//! What a script answered, read as the contract declares it.

use rhai::{Dynamic, FLOAT, INT, Map};
use tch::Tensor;

use super::vocabulary::{Handle, kind_of, map_of};
use crate::ground::suggest;
use crate::slots::contract::{Answer, Form, Function};
use crate::slots::{Answers, Number, Numbers};

/// The answers of a function; shapes, types and ranges are not looked at here.
///
/// # Errors
/// A text that says what was expected and what was found.
pub(super) fn read(function: &'static Function, value: &Dynamic) -> Result<Answers, String> {
    let mut answers = Answers::default();
    if value.is_unit() && function.nothing.is_some() {
        return Ok(answers);
    }
    match function.form {
        Form::Map => {
            let map = map(function, value)?;
            for answer in function.of_scripts() {
                if let Some(tensor) = entry(&map, answer)? {
                    answers.put(answer.name, tensor);
                }
            }
        }
        Form::Tensor => {
            let tensor = handle(value, &expected(function))?;
            let all = || function.of_scripts();
            let fitting = all().find(|answer| answer.shape.has_dims(tensor.dim()));
            let answer = fitting.or_else(|| all().next());
            answers.put(answer.expect("there is an answer to give").name, tensor);
        }
        Form::Numbers => answers.numbers = numbers(value)?,
    }
    Ok(answers)
}

/// What a function answers, in words.
fn expected(function: &'static Function) -> String {
    let one = |answer: &Answer| format!("{} {}", answer.doc, answer.shape);
    let ways: Vec<_> = function.of_scripts().map(one).collect();
    let nothing = function
        .nothing
        .map_or_else(String::new, |so| format!(", or nothing: {so}"));
    format!("{}{nothing}", ways.join(" or "))
}

/// A map whose keys are all among those of the declaration.
fn map(function: &'static Function, value: &Dynamic) -> Result<Map, String> {
    let known: Vec<_> = function.of_scripts().map(|answer| answer.name).collect();
    let Some(map) = map_of(value) else {
        return Err(format!(
            "expected a map with {}, found {}",
            known.join(", "),
            describe(value)
        ));
    };
    for name in map.keys() {
        if !known.contains(&name.as_str()) {
            return Err(format!(
                "the answer has an unknown key '{name}', known are {}",
                suggest::among(name, known.into_iter())
            ));
        }
    }
    Ok(map)
}

/// The tensor of a map's entry, if it is there or need not be.
fn entry(map: &Map, answer: &Answer) -> Result<Option<Tensor>, String> {
    let name = answer.name;
    match map.get(name) {
        None if answer.required => Err(format!("the answer has no '{name}'")),
        None => Ok(None),
        Some(value) if value.is_unit() && !answer.required => Ok(None),
        Some(value) if value.is_unit() => Err(format!("expected a tensor as '{name}', found ()")),
        Some(value) => handle(value, &format!("a tensor as '{name}'")).map(Some),
    }
}

/// A tensor.
fn handle(value: &Dynamic, expected: &str) -> Result<Tensor, String> {
    value
        .read_lock::<Handle>()
        .map(|handle| handle.tensor().shallow_clone())
        .ok_or_else(|| format!("expected {expected}, found {}", describe(value)))
}

/// The numbers of a map.
///
/// # Errors
/// A text that names the first that is none.
pub fn numbers(value: &Dynamic) -> Result<Numbers, String> {
    let Some(map) = map_of(value) else {
        return Err(format!(
            "expected a map from names to numbers, found {}",
            describe(value)
        ));
    };
    let number = |value: &Dynamic| {
        let count = value.read_lock::<INT>().map(|count| Number::Count(*count));
        count.or_else(|| value.read_lock::<FLOAT>().map(|real| Number::Real(*real)))
    };
    map.iter()
        .map(|(name, value)| match number(value) {
            Some(number) => Ok((name.to_string(), number)),
            None if value.is_unit() => Err(format!("'{name}': expected a number, found ()")),
            None => Err(format!(
                "'{name}': expected a number, found {}",
                describe(value)
            )),
        })
        .collect()
}

/// What a value is, in words.
fn describe(value: &Dynamic) -> String {
    if let Some(handle) = value.read_lock::<Handle>() {
        return format!("a tensor {:?}", handle.tensor().size());
    }
    match value.is_unit() {
        true => "nothing: the last expression has no value".into(),
        false => format!("a value of type {}", kind_of(value)),
    }
}
