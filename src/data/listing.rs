//! The image files of a split, whoever found them: a walk through folders or a list.

use std::path::{Path, PathBuf};

use super::{Error, files};

/// The files of one split, in the order of their ids.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Listing {
    /// What says which images there are: the split's folder or a list.
    pub(super) origin: PathBuf,
    /// The folder below which the files are.
    pub(super) root: PathBuf,
    /// Paths below `root`.
    pub(super) files: Vec<PathBuf>,
    /// A class for each file, or nothing.
    pub(super) labels: Option<Vec<i64>>,
    pub(super) classes: Vec<String>,
}

impl Listing {
    /// Nothing yet.
    pub(super) fn new(origin: &Path, root: &Path) -> Self {
        Self {
            origin: origin.to_path_buf(),
            root: root.to_path_buf(),
            files: vec![],
            labels: None,
            classes: vec![],
        }
    }

    /// That its files have labels; `key` may name others.
    pub(super) fn expect_labels(&self, expected: &str, key: &str) -> Result<(), Error> {
        if self.labels.is_some() {
            return Ok(());
        }
        let found = format!(
            "images without labels; {key} names another one, and with eval.online: [] nothing is evaluated"
        );
        Err(Error::unexpected(&self.origin, expected, found))
    }

    /// That it knows the same classes as another one.
    pub(super) fn check_classes(&self, other: &Self) -> Result<(), Error> {
        if self.classes == other.classes {
            return Ok(());
        }
        let without = |some: &[String], others: &[String]| -> Vec<String> {
            some.iter()
                .filter(|class| !others.contains(class))
                .cloned()
                .collect()
        };
        let mut found = vec![];
        for (what, classes) in [
            ("lacks", without(&other.classes, &self.classes)),
            ("adds", without(&self.classes, &other.classes)),
        ] {
            if !classes.is_empty() {
                found.push(format!("one that {what} {}", files::listing(&classes)));
            }
        }
        let expected = format!(
            "the {} classes of '{}'",
            other.classes.len(),
            other.origin.display()
        );
        Err(Error::unexpected(
            &self.origin,
            expected,
            found.join(" and "),
        ))
    }
}
