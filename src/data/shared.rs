//! Images that are there more than once: evaluated on and seen in training, so that what is said of them is no surprise, or twice in
//! one split.

use std::collections::HashMap;
use std::path::PathBuf;

use blake3::Hash;

use crate::ground::plain::in_line;

/// The files of one split.
pub(super) struct Files {
    /// The split's name.
    pub(super) name: String,
    /// Paths, for people.
    pub(super) paths: Vec<PathBuf>,
    /// What tells each file from others: the hash of its content, or of its path where no file is read before it is needed.
    pub(super) identities: Vec<Hash>,
    /// Their labels, where they have any.
    pub(super) labels: Option<Vec<i64>>,
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
            in_line(path),
            in_line(other)
        ))
    }

    /// What is to be said of it alone.
    pub(super) fn notes(&self) -> Vec<String> {
        self.copies().into_iter().collect()
    }

    /// In words how many of its files are copies of others of it, and how many of those have another label; nothing where none are.
    fn copies(&self) -> Option<String> {
        let label = |at: usize| self.labels.as_ref().map(|labels| labels[at]);
        let mut first = HashMap::new();
        let mut copies = Vec::new();
        for (at, identity) in self.identities.iter().enumerate() {
            match first.get(identity) {
                Some(&other) => copies.push((at, other)),
                None => drop(first.insert(identity, at)),
            }
        }
        let odd = |&&(at, other): &&(usize, usize)| label(at) != label(other);
        let contradicted = copies.iter().filter(odd).count();
        let (at, other) = copies.iter().find(odd).or(copies.first())?;
        let classes = match contradicted {
            0 => String::new(),
            some => format!(", {some} of them under another label"),
        };
        Some(format!(
            "{} of {} images of '{}' are copies of others of it{classes}, as '{}' of '{}'",
            copies.len(),
            self.paths.len(),
            self.name,
            in_line(&self.paths[*at]),
            in_line(&self.paths[*other])
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
            labels: None,
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

    #[test]
    fn copies_are_counted_and_those_under_another_label_first() {
        let mut split = files(
            "x/train",
            &[("a/1", "1"), ("a/2", "1"), ("b/3", "1"), ("b/4", "4")],
        );
        let mut copies = |labels: Option<Vec<i64>>| {
            split.labels = labels;
            split.copies()
        };
        let begin = "2 of 4 images of 'x/train' are copies of others of it";
        assert_eq!(
            copies(Some(vec![0, 0, 1, 1])).unwrap(),
            format!("{begin}, 1 of them under another label, as 'b/3' of 'a/1'")
        );
        let plain = format!("{begin}, as 'a/2' of 'a/1'");
        assert_eq!(copies(None).unwrap(), plain);
        assert_eq!(copies(Some(vec![5; 4])).unwrap(), plain);
        let train = files("x/train", &[("a/1.png", "1"), ("a/2.png", "2")]);
        assert_eq!(train.copies(), None);
    }
}
