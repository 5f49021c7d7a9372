//! The contract of a script, checked before it is asked anything.

use std::collections::BTreeSet;

use rhai::{AST, ASTNode, Dynamic, Expr, Position, Stmt};
use serde_json::Value;

use super::diagnostic::{self, Functions};
use super::engine::Engine;
use super::vocabulary::kind_of;
use super::{Script, Source};
use crate::ground::suggest;
use crate::policy::Params;
use crate::slots::{Fault, Kind, Slot};

/// Functions of Rhai that would break a run's determinism or its loop.
const FORBIDDEN: [(&str, &str); 3] = [
    ("sleep", "the training loop would wait for it"),
    ("exit", "a policy does not end a run"),
    ("eval", "code that is not in the file could not be replayed"),
];

/// `//! slot: NAME` must name the slot that the script is to fill.
pub(super) fn header(slot: Slot, source: &Source) -> Result<(), Fault> {
    let text = source.main();
    if let Some(line) = declared_again(&text.text) {
        let message = "a second line '//! slot:': expected one, a script fills one slot";
        let place = Position::new(line, 1);
        return Err(diagnostic::at(
            slot,
            Kind::Contract,
            text,
            place,
            message,
            &[],
        ));
    }
    match declared_slot(&text.text) {
        Some((_, name)) if Slot::named(name) == Some(slot) => Ok(()),
        Some((line, name)) => {
            let message = match Slot::named(name) {
                Some(other) => {
                    format!("expected a script for slot '{slot}', found one for '{other}'")
                }
                None => {
                    let names: Vec<_> = Slot::ALL.iter().map(|slot| slot.name()).collect();
                    format!(
                        "unknown slot '{name}', expected one of {}",
                        names.join(", ")
                    )
                }
            };
            Err(diagnostic::at(
                slot,
                Kind::Contract,
                text,
                Position::new(line, 1),
                &message,
                &[],
            ))
        }
        None => {
            let message = format!("no line '//! slot: {slot}' declares what this script fills");
            Err(diagnostic::at(
                slot,
                Kind::Contract,
                text,
                Position::new(1, 1),
                &message,
                &[],
            ))
        }
    }
}

/// The line of a text that declares a slot once more.
fn declared_again(text: &str) -> Option<u16> {
    let lines = text.lines().enumerate();
    let mut declaring = lines.filter(|(_, line)| line.trim_start().starts_with("//! slot:"));
    declaring.nth(1).map(|(index, _)| index as u16 + 1)
}

/// The slot that a text declares, with the number of the line.
pub(super) fn declared_slot(text: &str) -> Option<(u16, &str)> {
    let (index, line) = text
        .lines()
        .enumerate()
        .find(|(_, line)| line.trim_start().starts_with("//! slot:"))?;
    Some((
        index as u16 + 1,
        line.trim_start().strip_prefix("//! slot:")?.trim(),
    ))
}

/// The required function, the top level, and every function called.
pub(super) fn contract(
    slot: Slot,
    source: &Source,
    engine: &Engine,
    ast: &AST,
) -> Result<(), Fault> {
    top_level(slot, source, ast)?;
    let functions: Vec<_> = ast
        .iter_functions()
        .map(|f| (f.name.to_owned(), f.params.len()))
        .collect();
    let needed = slot.contract().usual().name;
    if !functions
        .iter()
        .any(|(name, params)| name == needed && *params == 1)
    {
        let message = format!("a script for slot '{slot}' needs 'fn {needed}(ctx)'");
        return Err(diagnostic::at(
            slot,
            Kind::Contract,
            source.main(),
            Position::new(1, 1),
            &message,
            &[],
        ));
    }
    arguments(slot, source, &functions)?;
    calls(slot, source, engine, ast)
}

/// What the host calls must take what the host gives, or it would never be called.
fn arguments(slot: Slot, source: &Source, functions: &[(String, usize)]) -> Result<(), Fault> {
    let of_contract = slot
        .contract()
        .functions
        .iter()
        .map(|function| function.name);
    let mut known = of_contract
        .map(|name| (name, 1))
        .chain([("defaults", 0), ("restore", 1)]);
    let odd = known.find(|(name, count)| {
        let own: Vec<_> = functions.iter().filter(|(own, _)| own == name).collect();
        !own.is_empty() && own.iter().all(|(_, found)| found != count)
    });
    let Some((name, count)) = odd else {
        return Ok(());
    };
    let argument = if count == 0 {
        ""
    } else if name == "restore" {
        "old"
    } else {
        "ctx"
    };
    let start = format!("fn {name}");
    let text = source.main();
    let line = text
        .text
        .lines()
        .position(|line| line.trim_start().starts_with(&start));
    let place = Position::new(line.map_or(1, |index| index as u16 + 1), 1);
    let message = format!(
        "the host calls '{name}' as 'fn {name}({argument})', and there is none with so many arguments"
    );
    Err(diagnostic::at(
        slot,
        Kind::Contract,
        text,
        place,
        &message,
        &[],
    ))
}

/// Every function that the main text calls must exist.
pub(super) fn calls(slot: Slot, source: &Source, engine: &Engine, ast: &AST) -> Result<(), Fault> {
    let mut known: Vec<String> = engine.names().to_vec();
    known.extend(ast.iter_functions().map(|f| f.name.to_owned()));
    let variables = variables(ast);
    let mut fault = None;
    ast.walk(&mut |path| {
        fault = path.last().and_then(called).and_then(|(name, place)| {
            unknown(&name, &known, &variables).map(|(message, notes)| {
                diagnostic::at(slot, Kind::Compile, source.main(), place, &message, &notes)
            })
        });
        fault.is_none()
    });
    fault.map_or(Ok(()), Err)
}

/// The names of all variables and parameters.
fn variables(ast: &AST) -> BTreeSet<String> {
    let mut all: BTreeSet<_> = ast
        .iter_functions()
        .flat_map(|f| f.params.iter().map(ToString::to_string).collect::<Vec<_>>())
        .collect();
    ast.walk(&mut |path| {
        if let Some(ASTNode::Stmt(Stmt::Var(of, _, _))) = path.last() {
            all.insert(of.0.name.to_string());
        }
        true
    });
    all
}

/// Only `fn`, `const` and `import` stand at top level: anything else would run again with each call.
pub(super) fn top_level(slot: Slot, source: &Source, ast: &AST) -> Result<(), Fault> {
    for statement in ast.statements() {
        let allowed = match statement {
            Stmt::Noop(..) | Stmt::Import(..) => true,
            Stmt::Var(_, flags, _) => flags.intersects(rhai::ASTFlags::CONSTANT),
            _ => false,
        };
        if !allowed {
            let message = "only 'fn', 'const' and 'import' may stand at top level";
            let notes = ["state lives in 'this', inside a function".to_owned()];
            let fault = diagnostic::at(
                slot,
                Kind::Contract,
                source.main(),
                statement.position(),
                message,
                &notes,
            );
            return Err(fault);
        }
    }
    Ok(())
}

/// The function that a node calls, if it is a call by name that is not qualified by a module.
fn called(node: &ASTNode) -> Option<(String, Position)> {
    let (call, place) = match node {
        ASTNode::Expr(Expr::FnCall(call, place) | Expr::MethodCall(call, place)) => (call, *place),
        ASTNode::Stmt(Stmt::FnCall(call, place)) => (call, *place),
        _ => return None,
    };
    (call.op_token.is_none() && call.namespace.is_empty()).then(|| (call.name.to_string(), place))
}

fn unknown(
    name: &str,
    known: &[String],
    variables: &BTreeSet<String>,
) -> Option<(String, Vec<String>)> {
    if let Some((_, reason)) = FORBIDDEN.iter().find(|(forbidden, _)| *forbidden == name) {
        return Some((
            format!("'{name}' is not available to policies: {reason}"),
            Vec::new(),
        ));
    }
    if known.iter().any(|candidate| candidate == name)
        || matches!(name, "Fn" | "call" | "curry" | "type_of" | "print")
    {
        return None;
    }
    let names = known
        .iter()
        .map(String::as_str)
        .filter(|name| name.chars().all(|c| c.is_alphanumeric() || c == '_'));
    let notes = match variables.contains(name) {
        true => vec![format!(
            "'{name}' is a variable: a function in it is called '{name}.call(..)'"
        )],
        false => {
            let near = suggest::nearest(name, names);
            near.map(|near| format!("did you mean '{near}'?"))
                .into_iter()
                .collect()
        }
    };
    Some((format!("unknown function '{name}'"), notes))
}

/// A number, text, boolean or list of them; what is not finite has no JSON.
fn is_default(json: &Value) -> bool {
    match json {
        Value::Object(_) | Value::Null => false,
        Value::Array(items) => items.iter().all(is_default),
        _ => true,
    }
}

/// The map that `defaults()` answers, as parameters.
pub(super) fn defaults(script: &Script, value: &Dynamic) -> Result<Params, Fault> {
    let fault =
        |message: String| diagnostic::at_function(script, Kind::Contract, "defaults", message);
    let map = value.as_map_ref().map_err(|_| {
        fault(format!(
            "'defaults' must answer a map #{{ ... }}, found {}",
            kind_of(value)
        ))
    })?;
    map.iter()
        .map(|(name, value)| {
            let json: Value = rhai::serde::from_dynamic(value)
                .ok()
                .filter(is_default)
                .ok_or_else(|| {
                    fault(format!(
                        "default of '{name}' must be a number, text, boolean or list of them"
                    ))
                })?;
            Ok((name.to_string(), json))
        })
        .collect()
}
