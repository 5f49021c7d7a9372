//! A change of a live policy, in words for the terminal and in Markdown for TensorBoard.

use similar::TextDiff;

use crate::dashboard::Turn;
use crate::swap::{Change, Event};

/// One sentence, and below it the diagnostic where something was wrong.
pub fn sentence(change: &Change) -> String {
    let Change {
        slot,
        event,
        generation,
        step,
        ..
    } = change;
    let what = match event {
        Event::Started => format!("{slot}: {generation} ({})", short(&generation.hash)),
        Event::Live => format!(
            "{slot}: {generation} is live after step {step} ({})",
            short(&generation.hash)
        ),
        Event::Confirmed => format!("{slot}: {generation} has passed its trial"),
        Event::Refused => format!("{slot}: refused at step {step}, {generation} stays live"),
        Event::RolledBack if change.fault.is_none() => {
            format!("{slot}: rolled back after step {step} as asked, {generation} is live")
        }
        Event::RolledBack => {
            format!("{slot}: rolled back at step {step}, {generation} decides the step again")
        }
        Event::Rested => {
            let without = slot.contract().without;
            format!(
                "{slot}: {generation} failed at step {step} and there is none before it: {without} until it is mended"
            )
        }
    };
    let what = change.warnings.iter().fold(what, |what, warning| {
        format!("{what}\n{}", warning.trim_end())
    });
    match (&change.fault, &change.state) {
        (Some(fault), _) => format!("{what}\n{}", fault.report),
        (None, Some(state)) => format!("{what}\nnote: {state}"),
        (None, None) => what,
    }
}

/// The same for a screen on which each slot has its place.
pub fn turn(change: &Change) -> Turn {
    Turn {
        slot: change.slot,
        event: change.event,
        generation: change.generation.clone(),
        step: change.step,
        report: change.fault.as_ref().map(|fault| fault.report.clone()),
    }
}

/// The same with the difference to the generation before, or the whole text of a first one.
pub fn markdown(change: &Change) -> String {
    let Change {
        event,
        generation,
        text,
        ..
    } = change;
    let head = format!(
        "**{}** {generation} `{}`",
        event.name(),
        short(&generation.hash)
    );
    let body = match (&change.fault, &change.before, event) {
        (Some(fault), ..) => block("text", &fault.report),
        (None, Some(before), _) => difference(before, text),
        (None, None, Event::Started) => block("rust", text),
        (None, None, _) => String::new(),
    };
    format!("{head}\n\n{body}")
}

/// What differs between two texts, in Markdown.
pub(crate) fn difference(before: &str, text: &str) -> String {
    let diff = TextDiff::from_lines(before, text);
    block("diff", &diff.unified_diff().context_radius(3).to_string())
}

/// A text as it is, in Markdown.
pub(crate) fn block(language: &str, text: &str) -> String {
    format!("```{language}\n{}\n```", text.trim_end())
}

/// As much of a hash as a person reads.
pub(crate) fn short(hash: &str) -> &str {
    hash.get(..8).unwrap_or(hash)
}
