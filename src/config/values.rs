//! Checks of values, with errors that name the key, what was expected and what was found.

use std::path::{Path, PathBuf};

use super::error::Error;
use crate::ground::suggest;
use crate::slots::schedule::LEAST_TEMPERATURE;

/// The value of a name, or an error that lists the names that exist.
pub(super) fn choose<T: Clone>(key: &str, name: &str, known: &[(&str, T)]) -> Result<T, Error> {
    if let Some((_, value)) = known.iter().find(|(known, _)| *known == name) {
        return Ok(value.clone());
    }
    let names: Vec<_> = known.iter().map(|(name, _)| *name).collect();
    let meant = suggest::nearest(name, names.iter().copied());
    let meant = meant.map_or_else(String::new, |near| format!("; did you mean '{near}'?"));
    Err(Error::Value {
        key: key.into(),
        message: format!(
            "expected one of {}, found '{name}'{meant}",
            names.join(", ")
        ),
    })
}

/// That a number is not below another one.
pub(super) fn at_least(key: &str, found: f64, least: f64) -> Result<(), Error> {
    need(key, found >= least, &format!("at least {least}"), found)
}

/// That a number is positive.
pub(super) fn above_0(key: &str, found: f64) -> Result<(), Error> {
    need(key, found > 0.0, "above 0", found)
}

/// That a number divides cosines: what is nearer to 0 makes logits that single precision has no numbers for.
pub(super) fn temperature(key: &str, found: f64) -> Result<(), Error> {
    above_0(key, found)?;
    at_least(key, found, LEAST_TEMPERATURE)
}

/// That a number is a share of a whole.
pub(super) fn fraction(key: &str, found: f64) -> Result<(), Error> {
    need(key, (0.0..=1.0).contains(&found), "0 to 1", found)
}

/// That a number counts things, and no more of them than there can be.
pub(super) fn within(key: &str, found: f64, most: f64) -> Result<(), Error> {
    let holds = (1.0..=most).contains(&found);
    need(key, holds, &format!("1 to {most}"), found)
}

/// An error that says what was expected of a key, unless that holds.
pub(super) fn need(key: &str, holds: bool, expected: &str, found: f64) -> Result<(), Error> {
    if holds {
        return Ok(());
    }
    let message = format!("expected {expected}, found {found}");
    Err(Error::Value {
        key: key.into(),
        message,
    })
}

/// A path with the home folder in the place of `~`, as a shell would have put it there.
///
/// # Errors
/// A variable that a shell would have replaced.
pub(super) fn at_home(key: &str, path: &Path) -> Result<PathBuf, Error> {
    let text = path.to_string_lossy();
    if text.contains('$') {
        return Err(Error::Value {
            key: key.into(),
            message: format!(
                "expected a path, found '{text}': only a shell knows variables, and not within single quotes"
            ),
        });
    }
    let home = std::env::var_os("HOME").map(PathBuf::from);
    Ok(match (text.strip_prefix("~/"), home) {
        (Some(below), Some(home)) => home.join(below),
        _ => path.to_owned(),
    })
}
