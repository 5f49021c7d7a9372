//! Faults as a person reads them: the line, the place underlined, the call chain, what was expected and what exists.

use std::rc::Rc;

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet, renderer::DecorStyle};
use rhai::{AST, Dynamic, EvalAltResult, ParseError, ParseErrorType, Position};

use super::failed::Failed;
use super::limits::{MAX_OPERATIONS, Stopped};
use super::source::{Source, Text};
use super::vocabulary::{in_words, shown};
use super::{Script, habits};
use crate::ground::suggest;
use crate::slots::fault::Place;
use crate::slots::{Budget, Fault, Kind, Slot};

/// Where something is nothing, which Rhai lets pass as a value.
const NOTHING: &str = "'()' is what a key gives that a map does not have, as a state that is not there yet: 'if this.x == () { .. }'";

/// Why a map of the host is not taken as one of the script's own.
const HOSTS_MAP: &str = "a map of ctx is the host's: 'm.to_map()' makes one of the script's own";

/// What a script can call, its own functions apart.
pub(super) trait Functions {
    /// The names of all.
    fn names(&self) -> Rc<Vec<String>>;

    /// How those of that name are called, a line each.
    fn overloads(&self, name: &str) -> Vec<String>;
}

/// A fault at a place of a text.
pub(super) fn at(
    slot: Slot,
    kind: Kind,
    text: &Text,
    place: Position,
    message: &str,
    notes: &[String],
) -> Fault {
    let (line, column) = (
        place.line().unwrap_or(1),
        place.position().unwrap_or(1).max(1),
    );
    let span = token(&text.text, line, column);
    let snippet = Snippet::source(text.text.as_str())
        .path(text.name.as_str())
        .annotation(AnnotationKind::Primary.span(span));
    let report = render(Level::ERROR.primary_title(message).element(snippet), notes);
    let place = Some(Place {
        file: text.name.clone(),
        line,
        column,
    });
    Fault {
        slot,
        kind,
        message: message.to_owned(),
        place,
        report,
    }
}

/// A warning at a whole line, from the column on.
pub(super) fn warning(text: &Text, place: &Place, message: &str, notes: &[String]) -> String {
    let start: usize = text
        .text
        .split_inclusive('\n')
        .take(place.line - 1)
        .map(str::len)
        .sum();
    let line = text.text[start..].lines().next().unwrap_or_default();
    let indent = line.len() - line.trim_start().len();
    let span = start + indent..start + line.trim_end().len().max(indent);
    let snippet = Snippet::source(text.text.as_str())
        .path(text.name.as_str())
        .annotation(AnnotationKind::Primary.span(span));
    render(
        Level::WARNING.primary_title(message).element(snippet),
        notes,
    )
}

/// A diagnostic with its notes below it, without a last newline.
fn render(group: Group<'_>, notes: &[String]) -> String {
    let notes = notes
        .iter()
        .map(|note| Group::with_title(Level::NOTE.secondary_title(note.as_str())));
    let groups: Vec<_> = std::iter::once(group).chain(notes).collect();
    Renderer::plain()
        .decor_style(DecorStyle::Ascii)
        .render(&groups)
}

/// A fault at the line that defines a function.
pub(super) fn at_function(script: &Script, kind: Kind, function: &str, message: String) -> Fault {
    let text = script.source().main();
    let defined = script.ast().iter_functions().any(|f| f.name == function);
    let start = format!("fn {function}");
    let line = text.text.lines().position(|line| {
        line.trim_start()
            .trim_start_matches("private ")
            .starts_with(&start)
    });
    match line {
        Some(index) if defined => {
            let column = text
                .text
                .lines()
                .nth(index)
                .and_then(|line| line.find(function))
                .unwrap_or(0);
            at(
                script.slot(),
                kind,
                text,
                Position::new(index as u16 + 1, column as u16 + 1),
                &message,
                &[],
            )
        }
        _ => Fault::new(script.slot(), kind, message),
    }
}

/// A text that does not parse.
pub(super) fn parse(slot: Slot, text: &Text, error: &ParseError) -> Fault {
    let message = lower(&error.err_type().to_string());
    // An unexpected end has no place: it is the end of the text.
    let place = if error.position().is_none() {
        end(&text.text)
    } else {
        error.position()
    };
    let note = global(error, text).or_else(|| habits::parsing(error.err_type(), text, place));
    let notes: Vec<_> = note.into_iter().collect();
    at(slot, Kind::Compile, text, place, &message, &notes)
}

/// A constant of the top level that is named as if it were the function's own.
fn global(error: &ParseError, text: &Text) -> Option<String> {
    let ParseErrorType::VariableUndefined(name) = error.err_type() else {
        return None;
    };
    let mut constants = text
        .text
        .lines()
        .filter_map(|line| line.trim_start().strip_prefix("const "));
    let names = |rest: &str| {
        rest.split(|c: char| !(c.is_alphanumeric() || c == '_'))
            .next()
            == Some(name)
    };
    constants
        .any(names)
        .then(|| format!("a constant of the file is 'global::{name}' in a function"))
}

/// A script that stopped while it ran.
pub(super) fn runtime(
    slot: Slot,
    source: &Source,
    functions: &dyn Functions,
    ast: &AST,
    error: &EvalAltResult,
    budget: Budget,
) -> Fault {
    let mut notes = Vec::new();
    let mut text = source.main();
    let mut inner = error;
    while let EvalAltResult::ErrorInFunctionCall(name, file, cause, place) = inner {
        if let Some(line) = place.line() {
            let name = if name.starts_with("anon$") {
                "a closure"
            } else {
                name
            };
            notes.push(format!(
                "in '{name}', called from line {line} of {}",
                text.name
            ));
        }
        text = source
            .texts()
            .find(|text| text.name == *file)
            .unwrap_or(text);
        inner = cause;
    }
    let failed = Failed::of(inner);
    let (kind, message) = match &failed {
        Some(failed) => (Kind::Call, failed.message.clone()),
        None => describe(inner, budget),
    };
    notes.extend(hint(inner, functions, ast));
    notes.extend(habits::running(inner).map(str::to_owned));
    if ["got ()", "type '()'", "unavailable: ()", "found ()"]
        .iter()
        .any(|what| message.contains(what))
        || of_nothing(inner)
    {
        notes.push(NOTHING.to_owned());
    }
    notes.extend(
        failed
            .iter()
            .flat_map(|failed| failed.notes.iter().rev().cloned()),
    );
    notes.reverse();
    let mut fault = at(slot, kind, text, inner.position(), &message, &notes);
    if let Some(report) = failed.and_then(|failed| failed.report) {
        fault.report = format!("{}\n{report}", fault.report);
    }
    fault
}

/// The kind of an error that stopped a script, and its message without a place.
pub(super) fn describe(error: &EvalAltResult, budget: Budget) -> (Kind, String) {
    match error {
        EvalAltResult::ErrorTooManyOperations(..) => (
            Kind::Budget,
            format!("more than {MAX_OPERATIONS} operations in one call: is there an endless loop?"),
        ),
        EvalAltResult::ErrorTerminated(..) => (
            Kind::Budget,
            format!("the call took more than {:.0} ms of CPU time", budget.ms),
        ),
        EvalAltResult::ErrorRuntime(value, ..) if value.is::<Stopped>() => {
            let text = match value.read_lock::<Stopped>().as_deref() {
                Some(Stopped::Memory(text)) => text.clone(),
                _ => String::new(),
            };
            (Kind::Budget, text)
        }
        EvalAltResult::ErrorRuntime(value, ..) => (Kind::Call, thrown(value)),
        EvalAltResult::ErrorFunctionNotFound(signature, ..) => (
            Kind::Call,
            format!("no function takes these arguments: {}", in_words(signature)),
        ),
        EvalAltResult::ErrorVariableNotFound(name, ..) => {
            (Kind::Call, format!("unknown variable '{name}'"))
        }
        other => {
            let mut bare = other.to_string();
            if let Some(at) = bare.rfind(" (line ") {
                bare.truncate(at);
            }
            (Kind::Call, in_words(&lower(&bare)))
        }
    }
}

/// What a script threw; a text is its message.
fn thrown(value: &Dynamic) -> String {
    match value.is_string() {
        true => value.to_string(),
        false => shown(value),
    }
}

/// Whether a function `name(m: map, ..)` takes the arguments of a call `name (map, ..)`: then one of these is a map of the host.
fn of_own_map(function: &str, call: &str) -> bool {
    let inside = |text: &str| {
        let (_, rest) = text.split_once('(')?;
        Some(rest.trim_end_matches(')').to_owned())
    };
    let (Some(takes), Some(given)) = (inside(function), inside(call)) else {
        return false;
    };
    let takes = takes
        .split(", ")
        .map(|one| one.rsplit(": ").next().unwrap_or_default());
    given.contains("map") && takes.eq(given.split(", "))
}

/// Whether a function was called with `()`.
fn of_nothing(error: &EvalAltResult) -> bool {
    matches!(error, EvalAltResult::ErrorFunctionNotFound(signature, ..)
        if signature.contains("(()") || signature.contains(", ()"))
}

/// What exists under the name that was called, or which name is near it.
fn hint(error: &EvalAltResult, functions: &dyn Functions, ast: &AST) -> Vec<String> {
    let EvalAltResult::ErrorFunctionNotFound(signature, ..) = error else {
        return Vec::new();
    };
    let name = signature.split([' ', '(']).next().unwrap_or_default();
    let overloads = functions.overloads(name);
    if !overloads.is_empty() {
        if of_nothing(error) {
            return Vec::new();
        }
        let exists = format!("'{name}' exists as\n{}", overloads.join("\n"));
        let of_map = overloads
            .iter()
            .any(|one| of_own_map(one, &in_words(signature)));
        return [exists]
            .into_iter()
            .chain(of_map.then(|| HOSTS_MAP.to_owned()))
            .collect();
    }
    let own = ast.iter_functions().map(|f| f.name.to_owned());
    let own: Vec<String> = own
        .filter(|own| !own.starts_with("anon$") && own != name)
        .collect();
    let names = functions.names();
    let all = names.iter().chain(&own).map(String::as_str);
    suggest::nearest(name, all)
        .map(|near| format!("did you mean '{near}'?"))
        .into_iter()
        .collect()
}

/// The bytes of the word that begins at (line, column), or of the one character there.
fn token(text: &str, line: usize, column: usize) -> std::ops::Range<usize> {
    let start_of_line: usize = text
        .split_inclusive('\n')
        .take(line - 1)
        .map(str::len)
        .sum();
    let line = text[start_of_line.min(text.len())..]
        .lines()
        .next()
        .unwrap_or_default();
    let start = line
        .char_indices()
        .nth(column - 1)
        .map_or(line.len(), |(at, _)| at);
    let word = |c: char| c.is_alphanumeric() || c == '_';
    let length = match line[start..].chars().next() {
        Some(first) if word(first) => line[start..]
            .find(|c| !word(c))
            .unwrap_or(line.len() - start),
        Some(first) => first.len_utf8(),
        None => 0,
    };
    let begin = start_of_line.min(text.len()) + start;
    begin..begin + length
}

fn end(text: &str) -> Position {
    let line = text.lines().count().max(1);
    let column = text
        .lines()
        .last()
        .map_or(1, |last| last.chars().count().max(1));
    Position::new(line as u16, column as u16)
}

/// Rhai's sentences begin with a capital, ours do not.
pub(super) fn lower(text: &str) -> String {
    let mut chars = text.chars();
    match chars.next() {
        Some(first) => first.to_lowercase().chain(chars).collect(),
        None => String::new(),
    }
}
