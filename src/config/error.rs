//! Why a configuration cannot be used, with the place and what was meant.

use std::path::PathBuf;

use thiserror::Error;

use super::shipped;
use crate::ground::suggest;

/// Why a configuration cannot be used.
#[derive(Debug, Error)]
pub enum Error {
    /// There is no such file and no such shipped configuration.
    #[error(
        "no configuration '{name}': no such file, and shipped are {}",
        shipped::names()
    )]
    Missing {
        /// The name that was given.
        name: String,
    },
    /// The file cannot be read.
    #[error("cannot read '{}': {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The text is no YAML or says something that the schema does not know.
    #[error("{place}: {message}")]
    Parse {
        /// `FILE:LINE:COLUMN`, or the `--set` that said it.
        place: String,
        /// What is wrong.
        message: String,
    },
    /// A value that the schema allows but that makes no sense.
    #[error("{key}: {message}")]
    Value {
        /// The key, with dots.
        key: String,
        /// What was expected and what was found.
        message: String,
    },
}

/// serde's message with its place in front and a "did you mean" behind.
pub(super) fn parse_error(file: &str, error: &serde_yaml::Error) -> Error {
    let full = error.to_string();
    let message = full
        .rfind(" at line ")
        .map_or(full.as_str(), |at| &full[..at])
        .replace('`', "'");
    let message = plain(&message);
    let place = match error.location() {
        Some(location) => format!("{file}:{}:{}", location.line(), location.column()),
        None => file.to_owned(),
    };
    let message = match meant(&message) {
        Some(near) => format!("{message}; did you mean '{near}'?"),
        None => message,
    };
    Error::Parse { place, message }
}

/// serde's message in the words of a person who writes YAML.
fn plain(message: &str) -> String {
    let words = [
        ("unit value", "nothing"),
        ("floating point ", "number "),
        ("path string", "a path"),
        ("an array of length", "a list of length"),
        ("sequence of", "a list of"),
        (" as u128", ""),
        (" as i128", ""),
        ("expected any YAML value", "expected a smaller number"),
        ("a boolean", "true or false"),
        ("expected f64", "expected a number"),
        ("expected f32", "expected a number"),
        ("expected u64", "expected an integer of 0 or more"),
        ("expected usize", "expected an integer of 0 or more"),
        ("expected i64", "expected an integer"),
    ];
    let message = words.iter().fold(message.to_owned(), |text, (from, to)| {
        text.replace(from, to)
    });
    let Some((before, after)) = message.split_once("expected struct ") else {
        return message;
    };
    let rest = after.trim_start_matches(|c: char| c.is_alphanumeric());
    format!("{before}expected keys below it{rest}")
}

/// The known name nearest to an unknown one, from a message such as "unknown field 'x', expected one of 'a', 'b'".
fn meant(message: &str) -> Option<String> {
    let rest = &message[message.find("unknown ")?..];
    let mut quoted = rest.split('\'').skip(1).step_by(2);
    let unknown = quoted.next()?;
    suggest::nearest(unknown, quoted).map(str::to_owned)
}
