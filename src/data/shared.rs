//! Images that are evaluated on and were there in training already: what is said of them is no surprise.

use std::collections::HashMap;
use std::path::PathBuf;

use blake3::Hash;

/// The files of one split.
pub(super) struct Files {
    /// The split's name.
    pub(super) name: String,
    /// Paths, for people.
    pub(super) paths: Vec<PathBuf>,
    /// What tells each file from others: the hash of its content, or of its path where no file is read before it is needed.
    pub(super) identities: Vec<Hash>,
}

impl Files {
    /// In words how many of its files are among those of another split; nothing where none are.
    pub(super) fn among(&self, others: &Files) -> Option<String> {
        let known: HashMap<_, _> = others.identities.iter().zip(&others.paths).collect();
        let pairs = self.identities.iter().zip(&self.paths);
        let mut shared = pairs.filter_map(|(identity, path)| Some((path, known.get(identity)?)));
        let (path, other) = shared.next()?;
        Some(format!(
            "{} of {} evaluation images of '{}' are among those of '{}' too, as '{}' and '{}': what was seen before is no test",
            shared.count() + 1,
            self.paths.len(),
            self.name,
            others.name,
            path.display(),
            other.display()
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(name: &str, files: &[(&str, &str)]) -> Files {
        Files {
            name: name.into(),
            paths: files.iter().map(|(path, _)| path.into()).collect(),
            identities: files
                .iter()
                .map(|(_, content)| blake3::hash(content.as_bytes()))
                .collect(),
        }
    }

    #[test]
    fn shared_files_are_counted_with_an_example() {
        let train = files("x/train", &[("a/1.png", "1"), ("a/2.png", "2")]);
        let eval = files(
            "x/val",
            &[("a/3.png", "3"), ("a/4.png", "2"), ("b/5.png", "1")],
        );
        let expected = "2 of 3 evaluation images of 'x/val' are among those of 'x/train' too, as 'a/4.png' and \
                        'a/2.png': what was seen before is no test";
        assert_eq!(eval.among(&train).unwrap(), expected);
        assert_eq!(files("x/val", &[("a/1.png", "3")]).among(&train), None);
    }
}
