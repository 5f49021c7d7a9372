//! Where the files of a data set in the IDX format lie, and which of its names each has: the archives, torchvision and
//! Keras leave them in folders and under names of their own.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::super::{Error, files};

/// Folders below the one that a person names.
const INNER: [&str; 7] = [
    "",
    "raw",
    "gzip",
    "MNIST/raw",
    "FashionMNIST/raw",
    "KMNIST/raw",
    "EMNIST/raw",
];

/// What the names of the files to train on end with, those of several data sets in one folder too (`emnist-letters-`).
const TRAIN: &str = "train-images-idx3-ubyte";

/// A data set: the folder with its files, and what their names begin with.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    dir: PathBuf,
    prefix: String,
}

impl Place {
    /// The one data set in a folder or in those that are known to hold one. The last part of `dir` may also be what the names
    /// of one of several begin with.
    pub(super) fn find(dir: &Path) -> Result<Self, Error> {
        let mut places = places(dir, "");
        if places.is_empty()
            && let (Some(above), false) = (dir.parent(), dir.exists())
        {
            places = self::places(above, &format!("{}-", files::name(dir)));
        }
        let one = places.pop_first();
        match (one, places.pop_first()) {
            (Some(first), Some(second)) => {
                let names = [first.shown(dir), second.shown(dir)];
                Err(Error::unexpected(
                    dir,
                    "one data set (data.dir may name one of several)",
                    files::listing(&names),
                ))
            }
            (Some(place), None) => Ok(place),
            // The error of the missing file says what there is.
            (None, _) => Ok(Self {
                dir: dir.to_owned(),
                prefix: String::new(),
            }),
        }
    }

    /// The images and the labels to train on.
    pub(super) fn train(&self) -> [PathBuf; 2] {
        ["train-images-idx3-ubyte", "train-labels-idx1-ubyte"].map(|name| self.file(name))
    }

    /// The images and the labels to evaluate on: `t10k` of MNIST, `test` of EMNIST.
    pub(super) fn eval(&self) -> [PathBuf; 2] {
        let split = match self.file("test-images-idx3-ubyte").exists() {
            true => "test",
            false => "t10k",
        };
        ["images-idx3-ubyte", "labels-idx1-ubyte"].map(|name| self.file(&format!("{split}-{name}")))
    }

    /// The file of that name in one of its forms, or the name itself for the error.
    fn file(&self, name: &str) -> PathBuf {
        let plain = format!("{}{name}", self.prefix);
        let dotted = plain.replace("-idx", ".idx");
        let forms = [
            plain.clone(),
            dotted.clone(),
            format!("{plain}.gz"),
            format!("{dotted}.gz"),
        ];
        let mut forms = forms.iter().map(|form| self.dir.join(form));
        forms
            .find(|path| path.exists())
            .unwrap_or_else(|| self.dir.join(plain))
    }

    /// What a person would write to mean it.
    fn shown(&self, named: &Path) -> String {
        let below = self.dir.strip_prefix(named).unwrap_or(&self.dir);
        let name = self.prefix.trim_end_matches('-');
        below.join(name).display().to_string()
    }
}

/// The data sets in a folder and its known inner ones, whose names begin with `prefix`.
fn places(dir: &Path, prefix: &str) -> BTreeSet<Place> {
    let mut places = BTreeSet::new();
    for inner in INNER {
        let dir = match inner {
            "" => dir.to_owned(),
            inner => dir.join(inner),
        };
        for path in files::entries(&dir).unwrap_or_default() {
            let name = files::name(&path).replace(".idx", "-idx");
            let begins = name.trim_end_matches(".gz").strip_suffix(TRAIN);
            if let Some(own) = begins.filter(|own| own.starts_with(prefix)) {
                let (dir, prefix) = (dir.clone(), own.to_owned());
                places.insert(Place { dir, prefix });
            }
        }
    }
    places
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn four(dir: &Path, names: [&str; 4]) {
        fs::create_dir_all(dir).unwrap();
        for name in names {
            fs::write(dir.join(name), "").unwrap();
        }
    }

    const MNIST: [&str; 4] = [
        "train-images-idx3-ubyte",
        "train-labels-idx1-ubyte",
        "t10k-images-idx3-ubyte",
        "t10k-labels-idx1-ubyte",
    ];
    const LETTERS: [&str; 4] = [
        "emnist-letters-train-images-idx3-ubyte.gz",
        "emnist-letters-train-labels-idx1-ubyte.gz",
        "emnist-letters-test-images-idx3-ubyte.gz",
        "emnist-letters-test-labels-idx1-ubyte.gz",
    ];

    #[test]
    fn files_are_found_under_the_names_that_are_in_use() {
        let dotted = MNIST.map(|name| name.replace("-idx", ".idx"));
        let dotted = dotted.each_ref().map(String::as_str);
        for (inner, names) in [
            ("", MNIST),
            ("", dotted),
            ("raw", MNIST),
            ("MNIST/raw", dotted),
            ("gzip", LETTERS),
        ] {
            let dir = tempfile::tempdir().unwrap();
            let inner = dir.path().join(inner);
            four(&inner, names);
            let place = Place::find(dir.path()).unwrap();
            let found = [place.train(), place.eval()].concat();
            assert_eq!(found, names.map(|name| inner.join(name)), "{names:?}");
        }
    }

    #[test]
    fn one_of_several_is_named_by_what_its_files_begin_with() {
        let dir = tempfile::tempdir().unwrap();
        four(dir.path(), LETTERS);
        let digits = LETTERS.map(|name| name.replace("letters", "digits"));
        four(dir.path(), digits.each_ref().map(String::as_str));
        let text = Place::find(dir.path()).unwrap_err().to_string();
        let expected = "expected one data set (data.dir may name one of several), found 'emnist-digits', 'emnist-letters'";
        assert!(text.ends_with(expected), "{text}");
        let place = Place::find(&dir.path().join("emnist-letters")).unwrap();
        assert_eq!(place.train()[0], dir.path().join(LETTERS[0]));
    }

    #[test]
    fn two_folders_are_two_data_sets() {
        let dir = tempfile::tempdir().unwrap();
        four(&dir.path().join("MNIST/raw"), MNIST);
        four(&dir.path().join("FashionMNIST/raw"), MNIST);
        let text = Place::find(dir.path()).unwrap_err().to_string();
        assert!(text.contains("'FashionMNIST/raw/', 'MNIST/raw/'"), "{text}");
        let place = Place::find(&dir.path().join("MNIST")).unwrap();
        assert_eq!(place.dir, dir.path().join("MNIST/raw"));
    }
}
