//! Reading files and folders so that an error says what was expected there and what is there instead.

use std::borrow::Cow;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::Error;
use crate::ground::{memory, stop};
use crate::storage;

/// The byte order mark of UTF-8.
const BOM: &[u8] = b"\xef\xbb\xbf";

/// Bytes of a picture or a list that somebody could have made.
const LARGE: u64 = 1 << 30;

/// The whole content of a file that must be there, of at most a quarter of the memory. A pipe or a device is none: it may have no end.
pub(super) fn read(path: &Path) -> Result<Vec<u8>, Error> {
    read_up_to(path, memory::total().unwrap_or(u64::MAX) / 4)
}

/// The whole content of a file that holds a picture or a list.
pub(super) fn read_one(path: &Path) -> Result<Vec<u8>, Error> {
    read_up_to(path, LARGE)
}

fn read_up_to(path: &Path, most: u64) -> Result<Vec<u8>, Error> {
    let fault = |source: io::Error| match source.kind() {
        io::ErrorKind::NotFound => Error::unexpected(path, "this file", neighbours(path)),
        io::ErrorKind::InvalidInput => Error::unexpected(path, "a file", "a pipe or a device"),
        _ => Error::read(path, source),
    };
    let mut file = storage::open(path).map_err(fault)?;
    let length = file.metadata().map_err(fault)?.len();
    if length > most {
        let [most, length] = [most, length].map(memory::readable);
        return Err(Error::unexpected(path, format!("at most {most}"), length));
    }
    let mut bytes = Vec::new();
    while file
        .by_ref()
        .take(PART as u64)
        .read_to_end(&mut bytes)
        .map_err(fault)?
        > 0
    {
        Error::unless_stopped()?;
    }
    Ok(bytes)
}

/// Bytes that are read or hashed between two looks at whether the process was asked to stop: a fraction of a second.
const PART: usize = 64 << 20;

/// Takes bytes, of a mapped file of any length, into a hash; not all of them where the process was asked to stop.
pub(super) fn hash(hasher: &mut blake3::Hasher, bytes: &[u8]) {
    for part in bytes.chunks(PART).take_while(|_| !stop::asked()) {
        hasher.update_rayon(part);
    }
}

/// A file that must be there, opened to be mapped.
pub(super) fn open(path: &Path) -> Result<File, Error> {
    storage::open(path).map_err(|source| match source.kind() {
        io::ErrorKind::NotFound => Error::unexpected(path, "this file", neighbours(path)),
        _ => Error::read(path, source),
    })
}

/// The bytes of a text file, without the mark that some editors put before them.
pub(super) fn text(path: &Path) -> Result<Vec<u8>, Error> {
    let mut bytes = read(path)?;
    if bytes.starts_with(BOM) {
        bytes.drain(..BOM.len());
    }
    Ok(bytes)
}

/// The lines of a text file that hold anything, without the space around them.
pub(super) fn lines(path: &Path) -> Result<Vec<String>, Error> {
    let text = String::from_utf8_lossy(&text(path)?).into_owned();
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    Ok(lines.map(String::from).collect())
}

/// What a folder holds, sorted by name, without hidden files.
pub(super) fn entries(dir: &Path) -> Result<Vec<PathBuf>, Error> {
    let mut paths = everything(dir)?;
    paths.retain(|path| !name(path).starts_with('.'));
    Ok(paths)
}

/// All that a folder holds, sorted by name.
pub(super) fn everything(dir: &Path) -> Result<Vec<PathBuf>, Error> {
    let read = |dir: &Path| -> io::Result<Vec<PathBuf>> {
        fs::read_dir(dir)?.map(|entry| Ok(entry?.path())).collect()
    };
    let mut paths = read(dir).map_err(|source| match source.kind() {
        io::ErrorKind::NotFound => Error::unexpected(dir, "this folder", neighbours(dir)),
        io::ErrorKind::NotADirectory => Error::unexpected(dir, "a folder", "a file"),
        _ => Error::read(dir, source),
    })?;
    paths.sort_unstable();
    Ok(paths)
}

/// The last part of a path, for people.
pub(super) fn name(path: &Path) -> String {
    path.file_name()
        .map(|name| name.to_string_lossy().into_owned())
        .unwrap_or_default()
}

/// As much of a text as an error has room for.
pub(super) fn cut(text: &str) -> Cow<'_, str> {
    const MOST: usize = 200;
    match text.len() > MOST {
        true => format!("{}...", &text[..text.floor_char_boundary(MOST)]).into(),
        false => text.into(),
    }
}

/// Names in quotes, the first few of them, for an error.
pub(super) fn listing(names: &[String]) -> String {
    const SHOWN: usize = 8;
    let mut text: Vec<_> = names
        .iter()
        .take(SHOWN)
        .map(|name| format!("'{name}'"))
        .collect();
    if names.len() > SHOWN {
        text.push(format!("and {} more", names.len() - SHOWN));
    }
    text.join(", ")
}

/// What is beside a path that is missing.
fn neighbours(path: &Path) -> String {
    let Some(dir) = path.parent().filter(|dir| dir.is_dir()) else {
        return "no such folder".into();
    };
    let names: Vec<_> = entries(dir)
        .unwrap_or_default()
        .iter()
        .map(|path| name(path))
        .collect();
    match names.is_empty() {
        true => "an empty folder".into(),
        false => format!("only {} in its folder", listing(&names)),
    }
}
