//! The contracts of the slots in words, for people: the tables of `scripts/README.md` and `plugins/README.md` and the answers that
//! references and templates name.

use std::fmt::Write as _;

use crate::config::Evaluation;
use crate::slots::contract::{
    Answer, BANK, By, COMMON, Contract, Form, Function, Input, Need, Type,
};
use crate::slots::{Asked, Slot, When};

/// What scripts answer to a function.
pub fn answers(function: &'static Function) -> String {
    let one = |answer: &Answer| {
        let range = answer.range.text();
        let range = range.map_or_else(String::new, |range| format!(" {range}"));
        format!("{} {}{range}", answer.shape, answer.kind.name())
    };
    let said = match function.form {
        Form::Map => {
            let all = function.of_scripts();
            let fields: Vec<_> = all.map(|answer| format!("{}: {}", answer.name, one(answer))).collect();
            let mut said = format!("#{{ {} }}", fields.join(", "));
            if function.of_scripts().all(|answer| !answer.required) {
                said.push_str(", each of which may be left out");
            }
            said
        }
        Form::Tensor => {
            let all = function.of_scripts();
            let ways: Vec<_> = all.map(|answer| format!("{} {}", answer.doc, one(answer))).collect();
            ways.join("; or ")
        }
        Form::Numbers => {
            "#{ \"NAME\": number, .. }: numbers by the names of ctx.base, each of which may be left out"
                .to_owned()
        }
    };
    match function.nothing {
        Some(so) => format!("{said}; or nothing: {so}"),
        None => said,
    }
}

/// A table of inputs, a row each.
pub fn table(inputs: &[Input], prefix: &str) -> String {
    let mut text = String::from("| field | shape | type | what |\n|---|---|---|---|\n");
    for input in inputs {
        let shape = match input.shape.is_tensor() {
            true => format!("`{}`", input.shape),
            false => String::new(),
        };
        let (name, kind, doc) = (input.name, input.kind.name(), input.doc);
        let _ = writeln!(text, "| `{prefix}{name}` | {shape} | {kind} | {doc} |");
    }
    text
}

/// What every `ctx` has, and the sections of all slots, as `scripts/README.md` holds them between its marks.
pub fn of_scripts() -> String {
    let mut text = String::from("## What every `ctx` has\n\n");
    text.push_str(&table(COMMON, "ctx."));
    text.push_str("| `ctx.count(x)` | | int | a fraction of the bank (float in 0..=1) or a count (int), as a count in 1..=N |\n");
    text.push_str("\n`ctx.bank`, where there is one, has\n\n");
    text.push_str(&table(BANK, ""));
    for slot in Slot::all() {
        text.push_str(&section(slot.contract()));
    }
    text
}

/// Whether a policy must have a function, in words.
pub fn need(need: Need) -> &'static str {
    match need {
        Need::Always => "required",
        Need::First(_) => "required of the first generation",
        Need::Never => "may be left out",
    }
}

/// When a function is called, in words.
pub fn when(when: When) -> &'static str {
    match when {
        When::Start => "once, before the first step in which the slot is asked",
        When::Step => "in each step",
        When::AfterStep => "after each step",
        When::AfterEpoch => "after each epoch",
    }
}

fn section(contract: &'static Contract) -> String {
    let Contract {
        name,
        title,
        about,
        folder,
        ..
    } = contract;
    let asked = match contract.asked {
        Asked::InBranch(script) => {
            format!(
                "Asked where the inter-image branch is on; by `{script}`, unless another policy is named."
            )
        }
        Asked::WhereNamed if let Some(evaluation) = contract.slot.evaluation() => {
            let mut online = Evaluation::ALL.iter().filter(|one| one.is_online());
            let online = match online.any(|one| one.name() == evaluation) {
                true => ", and where `eval.online` names that",
                false => "",
            };
            format!(
                "Asked by `sandbox eval RUN {evaluation}`{online}: `--script {folder}/NAME.rhai` there, `--set {name}.script=...`, or in the YAML."
            )
        }
        Asked::WhereNamed => format!(
            "Asked where a script is named: `--script {folder}/NAME.rhai`, `--set {name}.script=...`, or in the YAML."
        ),
    };
    let mut text = format!("\n## Slot `{name}`: {title}\n\n{asked} {about}\n");
    for function in contract.functions {
        let need = need(function.need);
        let Function { name, doc, .. } = function;
        let _ = write!(
            text,
            "\n`{name}(ctx)`, {need}: {doc}. Answers {}.\n\n",
            code(&answers(function))
        );
        text.push_str(&table(function.gets, "ctx."));
    }
    text
}

/// A map among words as code.
fn code(text: &str) -> String {
    match text.split_once('}') {
        Some((map, rest)) if map.starts_with("#{") => format!("`{map}}}`{rest}"),
        _ => text.to_owned(),
    }
}

/// What plugins of each slot read and answer, as `plugins/README.md` holds it between its marks.
pub fn of_plugins() -> String {
    let mut text = String::from("| slot | function | reads | answers |\n|---|---|---|---|\n");
    for slot in Slot::of_plugins() {
        for function in slot.contract().functions {
            let reads: Vec<_> = function.gets.iter().flat_map(readable).collect();
            let answers = function.of_plugins().map(|answer| {
                let need = if answer.required {
                    ""
                } else {
                    ", may be left out"
                };
                format!(
                    "`{}` {} {}{need}",
                    answer.name,
                    answer.shape,
                    answer.kind.name()
                )
            });
            let answers: Vec<_> = answers.collect();
            let need = match function.need {
                Need::Never => " (may be null)",
                _ => "",
            };
            let _ = writeln!(
                text,
                "| `{slot}` | `{}`{need} | {} | {} |",
                function.name,
                reads.join(", "),
                answers.join(", ")
            );
        }
    }
    text
}

/// How plugins name what an input holds.
fn readable(input: &Input) -> Vec<String> {
    match input.kind {
        Type::Map(fields) => fields
            .iter()
            .map(|field| format!("`{}.{}` {}", input.name, field.name, field.shape))
            .collect(),
        Type::Float => vec![format!("number `{}`", input.name)],
        _ => vec![format!("`{}` {}", input.name, input.shape)],
    }
}

/// Who gives an answer, in a word.
pub(super) fn by(answer: &Answer) -> &'static str {
    match answer.by {
        By::Both => "both",
        By::Script => "script",
        By::Plugin => "plugin",
    }
}
