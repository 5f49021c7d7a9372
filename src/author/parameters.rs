//! What a script says of its parameters: the comments above `fn defaults()`, as `name: what it means; other, third: ...`.

use crate::policy::script::{Origin, SHIPPED, Script, Source, declared};
use crate::policy::{Params, Unknown};
use crate::slots::{Fault, Slot};

/// A parameter of a script.
#[derive(Clone, Debug, PartialEq)]
pub struct Parameter {
    /// Its name.
    pub name: String,
    /// Its default.
    pub default: serde_json::Value,
    /// What it means; empty where the script does not say.
    pub doc: String,
}

/// A policy that the binary carries.
#[derive(Clone, Debug)]
pub struct Shipped {
    /// Its path below `scripts/`.
    pub path: &'static str,
    /// The slot that it fills.
    pub slot: Slot,
    /// What it says of its parameters.
    pub parameters: Vec<Parameter>,
}

/// The policies that the binary carries.
///
/// # Errors
/// The fault of one that cannot be used.
pub fn shipped() -> Result<Vec<Shipped>, Fault> {
    let policies = SHIPPED
        .iter()
        .filter_map(|(path, text)| Some((*path, *text, declared(text)?)));
    policies
        .map(|(path, text, slot)| {
            let source = Source::read(slot, &Origin::Shipped(path.to_owned()))?;
            let script = Script::build(slot, source, &Params::new(), Unknown::Refused)?;
            Ok(Shipped {
                path,
                slot,
                parameters: parameters(text, script.params()),
            })
        })
        .collect()
}

/// The parameters of the script with that text, whose defaults are given.
pub fn parameters(text: &str, defaults: &Params) -> Vec<Parameter> {
    let said = said(text);
    let doc = |name: &str| {
        let found = said
            .iter()
            .find(|(names, _)| names.iter().any(|known| known == name));
        found.map_or_else(String::new, |(_, doc)| doc.clone())
    };
    defaults
        .iter()
        .map(|(name, default)| Parameter {
            name: name.clone(),
            default: default.clone(),
            doc: doc(name),
        })
        .collect()
}

/// Names with what is said of them, as they stand above `fn defaults()`.
fn said(text: &str) -> Vec<(Vec<String>, String)> {
    let before: Vec<_> = text
        .lines()
        .take_while(|line| !line.starts_with("fn defaults("))
        .collect();
    let comments = before
        .iter()
        .rev()
        .map_while(|line| line.strip_prefix("///"));
    let mut comments: Vec<_> = comments.map(str::trim).collect();
    comments.reverse();
    let mut all: Vec<(Vec<String>, String)> = Vec::new();
    for part in comments.iter().flat_map(|line| line.split("; ")) {
        match (part.split_once(": ").and_then(named), all.last_mut()) {
            (Some(said), _) => all.push(said),
            // It goes on with what was said before.
            (None, Some((_, doc))) => *doc = format!("{doc}; {part}"),
            (None, None) => {}
        }
    }
    all
}

/// `a, b` before a colon are names, anything else is text.
fn named((names, doc): (&str, &str)) -> Option<(Vec<String>, String)> {
    let names: Vec<_> = names.split(", ").map(str::to_owned).collect();
    let name = |name: &String| {
        !name.is_empty()
            && name
                .chars()
                .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
    };
    names.iter().all(name).then(|| (names, doc.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_of_each_parameter_is_found() {
        let text = "//! slot: sampler\n\n/// apart\n\n/// skip: rows left out; negatives: how many; a count or a share\n\
                    /// start, end: the window, in ranks: 0 is the nearest\nfn defaults() { #{} }\n";
        let defaults = [("skip", 4), ("negatives", 8), ("end", 1), ("odd", 2)];
        let defaults = defaults.map(|(name, value)| (name.to_owned(), value.into()));
        let found = parameters(text, &defaults.into_iter().collect());
        let docs: Vec<_> = found
            .iter()
            .map(|one| (one.name.as_str(), one.doc.as_str()))
            .collect();
        let expected = [
            ("skip", "rows left out"),
            ("negatives", "how many; a count or a share"),
            ("end", "the window, in ranks: 0 is the nearest"),
            ("odd", ""),
        ];
        assert_eq!(docs, expected);
    }
}
