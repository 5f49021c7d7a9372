//! Text files that name the images of a split, `path` or `path label` a line.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use rayon::prelude::*;

use super::listing::Listing;
use super::splits::{self, Decode, Known};
use super::{Error, Faults, Splits, Use, classes, files};

/// Reads the lists and makes splits of them. Paths, those of the lists too, are relative to `dir`.
pub(super) fn open(
    dir: &Path,
    [train, eval]: [&Path; 2],
    memory: Option<&Path>,
    class_names: Option<&Path>,
    (decode, purpose): (&Decode, Use),
) -> Result<Splits, Error> {
    let names = class_names.map(|file| names(&dir.join(file))).transpose()?;
    let read = |list: &Path, known: &Labels| read(dir, &dir.join(list), known);
    let known = match &names {
        Some(names) => Labels::Below(names.len() as i64),
        None => Labels::Any,
    };
    let mut train_list = read(train, &known)?;
    let memory = memory.filter(|memory| *memory != train);
    let mut memory_list = memory.map(|list| read(list, &known)).transpose()?;
    // Without names the classes are those that images known from training have.
    let trained = [Some(&train_list), memory_list.as_ref()]
        .into_iter()
        .flatten();
    let labels: BTreeSet<i64> = trained
        .filter_map(|list| list.labels.as_ref())
        .flatten()
        .copied()
        .collect();
    let known = match names.is_some() || labels.is_empty() {
        true => known,
        false => Labels::These(labels),
    };
    let mut eval_list = read(eval, &known);
    let mut lists: Vec<_> = [
        Some(&mut train_list),
        memory_list.as_mut(),
        eval_list.as_mut().ok(),
    ]
    .into_iter()
    .flatten()
    .filter(|list| list.labels.is_some())
    .collect();
    let mut labels: Vec<_> = lists
        .iter_mut()
        .filter_map(|list| list.labels.as_mut())
        .collect();
    let settled = classes::settle(&dir.join(train), &mut labels, |label| match &names {
        Some(names) => names[label as usize].clone(),
        None => label.to_string(),
    });
    for list in lists {
        list.classes.clone_from(&settled);
    }
    let known = Known::new(train_list, memory_list, purpose)?;
    splits::open(dir, known, eval_list, decode)
}

/// Which labels a list may have.
enum Labels {
    /// Any whole number from 0.
    Any,
    /// Those that have a name.
    Below(i64),
    /// Those of other lists.
    These(BTreeSet<i64>),
}

impl Labels {
    fn has(&self, label: i64) -> bool {
        match self {
            Labels::Any => label >= 0,
            Labels::Below(limit) => (0..*limit).contains(&label),
            Labels::These(labels) => labels.contains(&label),
        }
    }

    /// What is expected of a label.
    fn expected(&self) -> String {
        match self {
            Labels::Any => "a label from 0 on".to_owned(),
            Labels::Below(limit) => format!("a label from 0 to {}", limit - 1),
            Labels::These(labels) => {
                let names: Vec<_> = labels.iter().map(i64::to_string).collect();
                format!(
                    "a label that an image to train on has ({})",
                    files::listing(&names)
                )
            }
        }
    }
}

/// The names of the classes, one a line.
fn names(path: &Path) -> Result<Vec<String>, Error> {
    let names = files::lines(path)?;
    match names.is_empty() {
        true => Err(Error::unexpected(path, "a name of a class a line", "none")),
        false => Ok(names),
    }
}

/// One line of a list.
struct Entry {
    path: PathBuf,
    label: Option<i64>,
}

/// Reads a list whose labels, if it has any, are `known`.
fn read(dir: &Path, path: &Path, known: &Labels) -> Result<Listing, Error> {
    let bytes = files::text(path)?;
    if bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff") {
        return Err(Error::unexpected(path, "text in UTF-8", "text in UTF-16"));
    }
    let lines: Vec<(usize, &[u8])> = (1..)
        .zip(bytes.split(|&byte| byte == b'\n'))
        .filter(|(_, line)| !line.trim_ascii().is_empty())
        .collect();
    // In parallel because each file is asked whether it exists.
    let entries: Vec<_> = lines
        .par_iter()
        .map(|&(number, line)| {
            Error::unless_stopped()?;
            entry(dir, line).map_err(|fault| fault_of(path, number, fault))
        })
        .collect();
    let entries = Faults::all(entries, "")?;
    let mut listing = Listing::new(path, dir);
    let mut labels = vec![];
    let mut first = None;
    for (&(number, _), entry) in lines.iter().zip(entries) {
        let Entry { path: file, label } = entry;
        let begun = *first.get_or_insert((number, label.is_some()));
        check(label, begun, known).map_err(|why| fault_of(path, number, why))?;
        listing.files.push(file);
        labels.extend(label);
    }
    match first {
        None => Err(Error::unexpected(path, "a line for each image", "none")),
        Some((_, labelled)) => {
            listing.labels = labelled.then_some(labels);
            Ok(listing)
        }
    }
}

/// What was expected in a line, and what was found.
type Fault = (String, String);

fn fault_of(list: &Path, number: usize, (expected, found): Fault) -> Error {
    Error::unexpected(list, format!("{expected} in line {number}"), found)
}

/// Why a line's path names no file: what other programs write in its place, and what a person may have meant.
fn misplaced(dir: &Path, path: &str) -> Fault {
    let is_file = |part: &str| dir.join(part.trim()).is_file();
    let before = |separator: char| path.split(separator).next().is_some_and(is_file);
    if path.contains('\r') && before('\r') {
        let expected = "a line feed at the end of each line";
        return (expected.to_owned(), "carriage returns alone".to_owned());
    }
    for (separator, name) in [(',', "a comma"), (';', "a semicolon")] {
        if path.contains(separator) && before(separator) {
            return ("a space between path and label".to_owned(), name.to_owned());
        }
    }
    let found = format!("no '{}' in '{}'", files::cut(path), dir.display());
    ("the path of an image".to_owned(), found)
}

/// A path may hold spaces: what follows the last one is a label if it is a number.
fn entry(dir: &Path, line: &[u8]) -> Result<Entry, Fault> {
    let line = std::str::from_utf8(line.trim_ascii())
        .map_err(|_| ("text in UTF-8".to_owned(), "other bytes".to_owned()))?;
    let (path, label) = match line.rsplit_once(char::is_whitespace) {
        Some((path, last)) => match last.parse() {
            Ok(label) => (path.trim_end(), Some(label)),
            Err(_) if !dir.join(line).is_file() && dir.join(path.trim_end()).is_file() => {
                let expected = "a label, a whole number from 0, after the path";
                return Err((expected.to_owned(), format!("'{}'", files::cut(last))));
            }
            Err(_) => (line, None),
        },
        None => (line, None),
    };
    if !dir.join(path).is_file() {
        return Err(misplaced(dir, path));
    }
    let path = path.into();
    Ok(Entry { path, label })
}

/// Whether a label fits the first line's and those that are known.
fn check(
    label: Option<i64>,
    (first, labelled): (usize, bool),
    known: &Labels,
) -> Result<(), Fault> {
    let fault = |expected: String, found: String| Err((expected, found));
    match label {
        Some(label) if !labelled => {
            fault(format!("no label, as in line {first},"), label.to_string())
        }
        None if labelled => fault(format!("a label, as in line {first},"), "none".to_owned()),
        Some(label) if !known.has(label) => fault(known.expected(), label.to_string()),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;
