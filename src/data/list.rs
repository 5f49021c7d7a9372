//! Text files that name the images of a split, `path` or `path label` a line.

use std::path::{Path, PathBuf};

use rayon::prelude::*;

use super::listing::Listing;
use super::splits::{self, Decode};
use super::{Error, Splits, files};

/// Labels stay below this: a number that is none, such as an identifier, would otherwise ask for millions of classes.
const MOST: i64 = 1 << 20;

/// Reads the lists and makes splits of them. Paths, those of the lists too, are relative to `dir`.
pub(super) fn open(
    dir: &Path,
    [train, eval]: [&Path; 2],
    memory: Option<&Path>,
    classes: Option<&Path>,
    decode: &Decode,
) -> Result<Splits, Error> {
    let names = classes.map(|file| names(&dir.join(file))).transpose()?;
    let limit = names.as_ref().map(|names| names.len() as i64);
    let read = |list: &Path, limit| read(dir, &dir.join(list), limit);
    let mut train_list = read(train, limit.unwrap_or(MOST))?;
    let memory = memory.filter(|memory| *memory != train);
    let mut memory_list = memory
        .map(|list| read(list, limit.unwrap_or(MOST)))
        .transpose()?;
    // Without names there are as many classes as the images that are known from training have.
    let known = [Some(&train_list), memory_list.as_ref()];
    let known = known
        .into_iter()
        .flatten()
        .filter_map(|list| list.labels.as_ref());
    let last = known.flatten().max().map_or(0, |label| label + 1);
    // Neighbours without labels are a fault of another kind, which is found with the splits.
    let eval_limit = limit.unwrap_or(if last == 0 { MOST } else { last });
    let mut eval_list = read(eval, eval_limit)?;
    let names = names.unwrap_or_else(|| (0..last).map(|label| label.to_string()).collect());
    for list in [
        Some(&mut train_list),
        memory_list.as_mut(),
        Some(&mut eval_list),
    ] {
        if let Some(list) = list.filter(|list| list.labels.is_some()) {
            list.classes.clone_from(&names);
        }
    }
    splits::open(dir, train_list, memory_list, eval_list, decode)
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

/// Reads a list whose labels, if it has any, lie below `limit`.
fn read(dir: &Path, path: &Path, limit: i64) -> Result<Listing, Error> {
    let bytes = files::read(path)?;
    let lines: Vec<(usize, &[u8])> = (1..)
        .zip(bytes.split(|&byte| byte == b'\n'))
        .filter(|(_, line)| !line.trim_ascii().is_empty())
        .collect();
    // In parallel because each file is asked whether it exists.
    let entries: Vec<_> = lines
        .par_iter()
        .map(|&(number, line)| {
            Error::unless_stopped()?;
            Ok(entry(dir, line).map_err(|fault| (number, fault)))
        })
        .collect::<Result<_, Error>>()?;
    let mut listing = Listing::new(path, dir);
    let mut labels = vec![];
    let mut first = None;
    for (&(number, _), entry) in lines.iter().zip(entries) {
        let fault = |(number, (expected, found)): (usize, Fault)| {
            Error::unexpected(path, format!("{expected} in line {number}"), found)
        };
        let Entry { path, label } = entry.map_err(fault)?;
        let begun = *first.get_or_insert((number, label.is_some()));
        check(label, begun, limit).map_err(|why| fault((number, why)))?;
        listing.files.push(path);
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

/// A path may hold spaces: what follows the last one is a label if it is a number.
fn entry(dir: &Path, line: &[u8]) -> Result<Entry, Fault> {
    let line = std::str::from_utf8(line.trim_ascii())
        .map_err(|_| ("text in UTF-8".to_owned(), "other bytes".to_owned()))?;
    let (path, label) = match line.rsplit_once(char::is_whitespace) {
        Some((path, last)) => match last.parse() {
            Ok(label) => (path.trim_end(), Some(label)),
            Err(_) if !dir.join(line).is_file() && dir.join(path.trim_end()).is_file() => {
                let expected = "a label, a whole number from 0, after the path";
                return Err((expected.to_owned(), format!("'{last}'")));
            }
            Err(_) => (line, None),
        },
        None => (line, None),
    };
    if !dir.join(path).is_file() {
        let found = format!("no '{path}' in '{}'", dir.display());
        return Err(("the path of an image".to_owned(), found));
    }
    let path = path.into();
    Ok(Entry { path, label })
}

/// Whether a label fits the first line's and the number of classes.
fn check(label: Option<i64>, (first, labelled): (usize, bool), limit: i64) -> Result<(), Fault> {
    let fault = |expected: String, found: String| Err((expected, found));
    match label {
        Some(label) if !labelled => {
            fault(format!("no label, as in line {first},"), label.to_string())
        }
        None if labelled => fault(format!("a label, as in line {first},"), "none".to_owned()),
        Some(label) if !(0..limit).contains(&label) => fault(
            format!("a label from 0 to {}", limit - 1),
            label.to_string(),
        ),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;
