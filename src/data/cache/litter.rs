//! What of the decoded images in a folder nobody needs.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::super::{Decode, Source, files};
use super::{ENDING, beside, name};

/// Where the decoded images of a source are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// The folder.
    pub dir: PathBuf,
    /// The files in it, one for each split, whether they are there or not.
    pub files: BTreeSet<PathBuf>,
}

/// Where the decoded images of a source are kept; nothing where none are.
pub fn kept(source: &Source) -> Option<Kept> {
    let (dir, splits, decode) = match source {
        Source::Folder {
            dir,
            train,
            memory,
            eval,
            decode,
        } => {
            let splits = [Some(train), memory.as_ref(), Some(eval)];
            (dir, splits.map(|split| split.map(PathBuf::from)), decode)
        }
        Source::List {
            dir,
            train,
            memory,
            eval,
            decode,
            ..
        } => {
            let splits = [Some(train), memory.as_ref(), Some(eval)];
            (dir, splits.map(|split| split.cloned()), decode)
        }
        _ => return None,
    };
    let Decode::Cached { size, cache } = decode else {
        return None;
    };
    let files = splits.into_iter().flatten();
    Some(Kept {
        dir: cache.clone(),
        files: files
            .map(|split| cache.join(name(&dir.join(split), *size)))
            .collect(),
    })
}

/// What may go from a folder of decoded images, and why: what killed decodings left, and all that is none of `used`.
pub fn litter(dir: &Path, used: &BTreeSet<PathBuf>) -> Vec<(PathBuf, &'static str)> {
    let why = |path: PathBuf| {
        if beside::was_left(&path) {
            return Some((path, "a decoding that was killed left it"));
        }
        let foreign = files::name(&path).starts_with('.') || used.contains(&path);
        let images = files::name(&path).ends_with(ENDING) && !foreign;
        images.then_some((path, "decoded images that none of the runs reads"))
    };
    let all = files::everything(dir).unwrap_or_default();
    all.into_iter().filter_map(why).collect()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn what_was_left_and_what_no_run_reads_may_go() {
        let dir = tempfile::tempdir().unwrap();
        let source = |size| Source::Folder {
            dir: dir.path().to_owned(),
            train: "train".into(),
            memory: None,
            eval: "val".into(),
            decode: Decode::Cached {
                size,
                cache: dir.path().join("cache"),
            },
        };
        let (used, other) = (kept(&source(32)).unwrap(), kept(&source(48)).unwrap());
        assert_eq!((&used.dir, used.files.len()), (&other.dir, 2));
        fs::create_dir(&used.dir).unwrap();
        let left = used.dir.join(".tmp-17-train-32-0123456789ab.images");
        for path in used.files.iter().chain(&other.files).chain([&left]) {
            fs::write(path, "").unwrap();
        }
        fs::write(used.dir.join("notes.txt"), "").unwrap();
        let found: BTreeSet<_> = litter(&used.dir, &used.files).into_iter().collect();
        let mut expected: BTreeSet<_> = other
            .files
            .iter()
            .map(|path| (path.clone(), "decoded images that none of the runs reads"))
            .collect();
        expected.insert((left, "a decoding that was killed left it"));
        assert_eq!(found, expected);
    }
}
