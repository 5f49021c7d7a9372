//! Scripts to begin with, one for each slot, each with its tests; what their functions are given comes from the contract.

use std::fmt::Write as _;

use super::reference;
use crate::slots::Slot;
use crate::slots::contract::{COMMON, Contract, Type};

/// What stands in the place of the script's name.
const NAME: &str = "NAME";

/// How the line begins that makes room for what a function is given and answers.
const MARK: &str = "// contract: ";

/// A script and its tests.
#[derive(Clone, Debug)]
pub struct Template {
    /// The text of `NAME.rhai`.
    pub script: String,
    /// The text of `NAME_test.rhai`.
    pub tests: String,
}

/// A working script for a slot, with tests that it passes.
pub fn of(slot: Slot, name: &str) -> Template {
    let contract = slot.contract();
    let lines = contract.template.script.lines();
    let script: String = lines
        .map(|line| match line.strip_prefix(MARK) {
            Some(function) => about(contract, function),
            // A contract's own text has a NAME too, which stays.
            None => format!("{}\n", line.replace(NAME, name)),
        })
        .collect();
    Template {
        script,
        tests: contract.template.tests.replace(NAME, name),
    }
}

/// What a function is given and answers, as comments.
fn about(contract: &Contract, function: &str) -> String {
    let function = contract.function(function);
    let function = function.expect("a template's functions are those of its slot");
    let width = function.gets.iter().map(|input| input.name.len()).max();
    let width = width.unwrap_or(0) + "ctx.".len();
    let mut text = String::new();
    for input in function.gets {
        let name = format!("ctx.{}", input.name);
        let what = match input.kind {
            Type::Map(fields) => {
                let fields: Vec<_> = fields
                    .iter()
                    .map(|field| format!("{} {}", field.name, field.shape))
                    .collect();
                format!("#{{ {} }}, {}", fields.join(", "), input.doc)
            }
            kind => {
                let shaped = format!("{} {}", input.shape, kind.name());
                format!("{:<16} {}", shaped.trim_start(), input.doc)
            }
        };
        let _ = writeln!(text, "// {name:<width$}   {what}");
    }
    let common = COMMON.iter().map(|input| format!("ctx.{}", input.name));
    let common: Vec<_> = common.chain(["ctx.count(x)".to_owned()]).collect();
    let answers = reference::answers(function);
    let _ = writeln!(
        text,
        "// {}\n//\n// The answer: {answers}.",
        common.join(", ")
    );
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_template_says_what_each_of_its_functions_is_given() {
        for slot in Slot::all() {
            let Template { script, tests } = of(slot, "mine");
            assert!(!script.contains(MARK) && !tests.contains(NAME), "{slot}");
            assert!(script.starts_with(&format!("//! slot: {slot}\n")), "{slot}");
            let functions = slot.contract().functions.iter();
            let own = functions.filter(|function| {
                slot.contract()
                    .template
                    .script
                    .contains(&format!("{MARK}{}", function.name))
            });
            for input in own.flat_map(|function| function.gets) {
                let line = format!("// ctx.{} ", input.name);
                assert!(script.contains(&line), "{slot}: {line}");
            }
        }
    }
}
