//! What tells a data set from another one: a number of a run is of these images with these labels, and of no others.

use std::collections::BTreeMap;
use std::sync::Arc;

use blake3::Hasher;
use serde::{Deserialize, Serialize};

use super::images::Content;
use super::{Images, Splits};
use crate::ground::stop::{self, Stopped};

/// As many digits of a hash as nobody finds twice by chance.
const DIGITS: usize = 32;

/// What a split is made of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fingerprint {
    /// How many images.
    pub images: usize,
    /// blake3 of their pixels, in their order; where they are decoded live, of the paths and lengths of their files.
    pub pixels: String,
    /// blake3 of their labels and the classes' names; none without labels.
    pub labels: Option<String>,
}

/// Those of a run's splits, by their names.
pub type Fingerprints = BTreeMap<String, Fingerprint>;

impl Fingerprint {
    /// That of some images.
    pub fn of(images: &Images) -> Self {
        let mut pixels = Hasher::new();
        match images.content() {
            Content::Pixels(of) => of.hash(&mut pixels),
            Content::Files(of) => of.hash(&mut pixels),
        }
        let labels = images.labels().map(|labels| {
            let mut hasher = Hasher::new();
            for label in labels {
                hasher.update(&label.to_le_bytes());
            }
            for class in images.classes() {
                hasher.update(class.as_bytes());
                hasher.update(&[0]);
            }
            digits(&hasher)
        });
        Self {
            images: images.len(),
            pixels: digits(&pixels),
            labels,
        }
    }
}

fn digits(hasher: &Hasher) -> String {
    hasher.finalize().to_hex()[..DIGITS].to_owned()
}

/// The fingerprints of splits; of the others only where they are not `train`.
///
/// # Errors
/// When the process was asked to stop before all was hashed.
pub fn fingerprints(splits: &Splits) -> Result<Fingerprints, Stopped> {
    let Splits {
        train,
        memory,
        eval,
        ..
    } = splits;
    let all = [("train", train), ("eval", eval), ("memory", memory)];
    let all = all
        .into_iter()
        .filter(|(name, images)| *name == "train" || !Arc::ptr_eq(train, images));
    let all = all.map(|(name, images)| (name.to_owned(), Fingerprint::of(images)));
    let all = all.collect();
    stop::look().map(|()| all)
}

/// In words what differs between the splits of before and those of now; nothing where they are the same.
pub fn difference(before: &Fingerprints, now: &Fingerprints) -> Option<String> {
    let of_split = |name: &String| match (before.get(name), now.get(name)) {
        (Some(before), Some(now)) => parts(before, now).map(|what| format!("{name}: {what}")),
        (Some(_), None) => Some(format!("{name}: it is the training split now")),
        (None, _) => Some(format!("{name}: it was the training split")),
    };
    let names = before
        .keys()
        .chain(now.keys().filter(|name| !before.contains_key(*name)));
    let all: Vec<_> = names.filter_map(of_split).collect();
    (!all.is_empty()).then(|| all.join("; "))
}

fn parts(before: &Fingerprint, now: &Fingerprint) -> Option<String> {
    if before.images != now.images {
        return Some(format!("{} images, {} before", now.images, before.images));
    }
    match (before.pixels == now.pixels, before.labels == now.labels) {
        (true, true) => None,
        (false, true) => Some("other images, or in another order".to_owned()),
        (true, false) => Some("other labels".to_owned()),
        (false, false) => Some("other images with other labels".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn splits(pixels: [u8; 4], labels: [i64; 2]) -> Splits {
        let classes = || vec!["a".to_owned(), "b".to_owned()];
        let images = |pixels: &[u8], labels: &[i64]| {
            Images::new(
                "few",
                [1, 1, 2],
                pixels.to_vec(),
                labels.to_vec(),
                classes(),
            )
        };
        Splits::new(images(&pixels, &labels), images(&[9, 9], &[0]))
    }

    #[test]
    fn each_part_that_changes_is_told() {
        let before = fingerprints(&splits([1, 2, 3, 4], [0, 1])).unwrap();
        assert_eq!(before.len(), 2, "neighbours are the training images");
        let said =
            |pixels, labels| difference(&before, &fingerprints(&splits(pixels, labels)).unwrap());
        assert_eq!(said([1, 2, 3, 4], [0, 1]), None);
        let text = said([3, 4, 1, 2], [0, 1]).unwrap();
        assert_eq!(text, "train: other images, or in another order");
        assert_eq!(said([1, 2, 3, 4], [1, 0]).unwrap(), "train: other labels");
        let text = said([1, 2, 3, 5], [1, 1]).unwrap();
        assert_eq!(text, "train: other images with other labels");
        let mut fewer = before.clone();
        fewer.get_mut("eval").unwrap().images = 0;
        fewer.insert("memory".into(), before["train"].clone());
        assert_eq!(
            difference(&fewer, &before).unwrap(),
            "eval: 1 images, 0 before; memory: it is the training split now"
        );
    }

    #[test]
    fn what_was_written_is_read_as_the_same() {
        let json =
            serde_json::to_string(&fingerprints(&splits([1, 2, 3, 4], [0, 1])).unwrap()).unwrap();
        let again: Fingerprints = serde_json::from_str(&json).unwrap();
        assert_eq!(again, fingerprints(&splits([1, 2, 3, 4], [0, 1])).unwrap());
    }
}
