//! A folder of image files, `dir/<split>/<class>/<file>` or, without labels, `dir/<split>/<file>`: which files there
//! are, and what class each has.

mod walk;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use unicode_normalization::UnicodeNormalization;

use super::listing::Listing;
use super::splits::{self, Decode, Known};
use super::{Error, Splits, Use, files};
use walk::Walk;

/// Reads all splits: the folders to train on, to take neighbours from where that is another, and to evaluate on.
pub(super) fn open(
    dir: &Path,
    [train, eval]: [&str; 2],
    memory: Option<&str>,
    decode: &Decode,
    purpose: Use,
) -> Result<Splits, Error> {
    let read = |split: &str| read(&dir.join(split));
    let train_images = read(train)?;
    let memory = memory.filter(|memory| *memory != train).map(read);
    let known = Known::new(train_images, memory.transpose()?, purpose)?;
    splits::open(dir, known, read(eval), decode)
}

/// Walks the folder of a split. Where it has folders they are its classes; where it has none, its images have no labels.
pub(super) fn read(root: &Path) -> Result<Listing, Error> {
    let mut walk = Walk::new(root);
    let content = walk.look(root)?;
    let loose = content.files.iter().filter(|path| is_image(path)).count();
    let classes = named(root, walk.claim(content.folders))?;
    if classes.is_empty() && loose > 0 {
        let mut walk = Walk::new(root);
        walk.take(root)?;
        return walk.end();
    }
    let (mut labels, mut empty) = (vec![], None);
    for (label, class) in (0..).zip(classes.values()) {
        let before = walk.found();
        walk.take(class)?;
        if walk.found() == before {
            empty = empty.or(Some(class));
        }
        labels.resize(walk.found(), label);
    }
    let mut listing = walk.end()?;
    if let Some(empty) = empty {
        return Err(Error::unexpected(empty, "JPEG or PNG files", "none"));
    }
    if listing.files.is_empty() {
        let expected = "a folder for each class, or images without labels";
        return Err(Error::unexpected(root, expected, "none"));
    }
    listing.labels = Some(labels);
    listing.classes = classes.into_keys().collect();
    if loose > 0 {
        let origin = root.display();
        tracing::warn!(
            "'{origin}': {loose} files are images beside the folders of the classes and are ignored"
        );
    }
    Ok(listing)
}

/// The folders of classes by their names in Unicode's normal form C, in the order of those: systems and archives write the
/// same letter in more than one way.
fn named(root: &Path, folders: Vec<PathBuf>) -> Result<BTreeMap<String, PathBuf>, Error> {
    let mut classes = BTreeMap::new();
    for folder in folders {
        let name: String = files::name(&folder).nfc().collect();
        if classes.insert(name.clone(), folder).is_some() {
            let expected = "folders whose names differ in more than the form of Unicode";
            return Err(Error::unexpected(root, expected, format!("'{name}' twice")));
        }
    }
    Ok(classes)
}

fn is_image(path: &Path) -> bool {
    path.extension().is_some_and(|extension| {
        ["jpg", "jpeg", "png"]
            .iter()
            .any(|known| extension.eq_ignore_ascii_case(known))
    })
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::sync::Arc;

    use image::{Rgb, RgbImage};

    use super::*;
    use crate::data::Images;

    /// Each image has its own shade of red.
    fn draw(dir: &Path, file: &str, red: u8) {
        let path = dir.join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let image = RgbImage::from_pixel(4, 4, Rgb([red, 0, 0]));
        image
            .save_with_format(path, image::ImageFormat::Png)
            .unwrap();
    }

    fn tree(dir: &Path) {
        for (file, red) in [
            ("train/cat/2.PNG", 12),
            ("train/cat/1.JPEG", 11),
            ("train/ape/images/3.png", 13),
            ("val/ape/5.png", 15),
            ("val/cat/4.jpg", 14),
        ] {
            draw(dir, file, red);
        }
    }

    fn cached(dir: &Path, size: u32) -> Decode {
        let cache = dir.join("cache");
        Decode::Cached { size, cache }
    }

    fn read(dir: &Path) -> Result<Splits, Error> {
        open(dir, ["train", "val"], None, &cached(dir, 2), Use::Judged)
    }

    fn reds(images: &Images) -> Vec<u8> {
        (0..images.len() as i64)
            .map(|id| images.image(id)[0])
            .collect()
    }

    #[test]
    fn images_are_sorted_by_class_and_name_and_the_rest_ignored() {
        let dir = tempfile::tempdir().unwrap();
        tree(dir.path());
        for other in [
            "train/notes.txt",
            "train/cat/.9.png",
            "train/.git/8.png",
            "train/cat/notes.txt",
        ] {
            draw(dir.path(), other, 0);
        }
        let Splits {
            train,
            memory,
            eval,
            ..
        } = read(dir.path()).unwrap();
        assert!(Arc::ptr_eq(&train, &memory));
        assert_eq!(train.classes(), ["ape", "cat"]);
        assert_eq!(train.labels(), Some(&[0, 1, 1][..]));
        assert_eq!(eval.labels(), Some(&[0, 1][..]));
        assert_eq!(
            (reds(&train), reds(&eval)),
            (vec![13, 11, 12], vec![15, 14])
        );
        assert_eq!(train.shape(), Some([3, 2, 2]));
        let live = open(
            dir.path(),
            ["train", "val"],
            None,
            &Decode::Live,
            Use::Judged,
        )
        .unwrap();
        assert_eq!((live.train.len(), live.train.shape()), (3, None));
        assert_eq!(live.train.labels(), train.labels());
    }

    /// `e` with an accent as one letter and as two; in the second form the class would come before `caff`.
    #[test]
    fn a_class_is_the_same_in_each_form_of_unicode() {
        let dir = tempfile::tempdir().unwrap();
        for (file, red) in [
            ("train/cafe\u{301}/1.png", 11),
            ("train/caff/2.png", 12),
            ("val/caf\u{e9}/3.png", 13),
            ("val/caff/4.png", 14),
        ] {
            draw(dir.path(), file, red);
        }
        let Splits { train, eval, .. } = read(dir.path()).unwrap();
        assert_eq!(train.classes(), ["caff", "caf\u{e9}"]);
        assert_eq!(
            (train.classes(), reds(&train)),
            (eval.classes(), vec![12, 11])
        );
        draw(dir.path(), "train/caf\u{e9}/5.png", 15);
        let text = read(dir.path()).unwrap_err().to_string();
        let expected = "expected folders whose names differ in more than the form of Unicode, found 'caf\u{e9}' twice";
        assert!(text.ends_with(expected), "{text}");
    }

    #[test]
    fn images_without_folders_for_classes_have_no_labels() {
        let dir = tempfile::tempdir().unwrap();
        tree(dir.path());
        for (file, red) in [("all/2.png", 22), ("all/1.png", 21), ("all/notes.txt", 0)] {
            draw(dir.path(), file, red);
        }
        let open = |splits, memory| {
            let decode = cached(dir.path(), 2);
            open(dir.path(), splits, memory, &decode, Use::Judged)
        };
        let Splits {
            train,
            memory,
            eval,
            ..
        } = open(["all", "val"], Some("train")).unwrap();
        assert_eq!((train.labels(), reds(&train)), (None, vec![21, 22]));
        assert_eq!(memory.labels(), Some(&[0, 1, 1][..]));
        assert_eq!(
            (memory.classes(), reds(&eval)),
            (eval.classes(), vec![15, 14])
        );
        for (splits, memory, place, expected) in [
            (
                ["all", "val"],
                None,
                "all",
                "expected a labelled split to take neighbours from, found images without labels; data.memory names \
                 another one, and with eval.online: [] nothing is evaluated",
            ),
            (
                ["train", "all"],
                None,
                "all",
                "expected a labelled split to evaluate on, found images without labels; data.eval names another \
                 one, and with eval.online: [] nothing is evaluated",
            ),
            (
                ["all", "val"],
                Some("val"),
                "val",
                "expected another split to evaluate on than to take neighbours from, found the same",
            ),
            (
                ["all", "val"],
                Some("labelled"),
                "labelled",
                "expected this folder, found only 'all', 'cache', 'train', 'val' in its folder",
            ),
        ] {
            let text = open(splits, memory).unwrap_err().to_string();
            let place = dir.path().join(place);
            assert_eq!(text, format!("'{}': {expected}", place.display()));
        }
    }

    /// Where nothing is judged, what cannot be judged by stands in nobody's way; where it could be, it is there as ever.
    #[test]
    fn images_alone_can_be_trained_on() {
        let dir = tempfile::tempdir().unwrap();
        tree(dir.path());
        draw(dir.path(), "all/1.png", 21);
        let open = |splits, memory| {
            let decode = cached(dir.path(), 2);
            super::open(dir.path(), splits, memory, &decode, Use::Trained)
        };
        for (splits, memory) in [
            (["all", "nowhere"], None),
            (["all", "val"], None),
            (["train", "all"], None),
            (["train", "nowhere"], None),
            (["train", "train"], None),
            (["all", "nowhere"], Some("train")),
        ] {
            let found = open(splits, memory).unwrap();
            assert!(
                !found.judge() && Arc::ptr_eq(&found.train, &found.memory),
                "{splits:?}"
            );
        }
        let found = open(["train", "val"], None).unwrap();
        assert!(found.judge());
        assert_eq!(found.eval.labels(), Some(&[0, 1][..]));
        let text = open(["nowhere", "val"], None).unwrap_err().to_string();
        assert!(text.contains("nowhere': expected this folder"), "{text}");
    }

    #[test]
    fn a_faulty_tree_is_named_with_what_was_expected_and_found() {
        type Fault = fn(&Path);
        let faults: [(Fault, &str, &str); 6] = [
            (
                |dir| fs::remove_dir_all(dir.join("val")).unwrap(),
                "val",
                "expected this folder, found only 'train' in its folder",
            ),
            (
                |dir| fs::remove_dir_all(dir.join("train/cat")).unwrap(),
                "val",
                "expected the 1 classes of '",
            ),
            (
                |dir| fs::remove_dir_all(dir.join("val/ape")).unwrap(),
                "val",
                "train', found one that lacks 'ape'",
            ),
            (
                |dir| fs::remove_file(dir.join("val/cat/4.jpg")).unwrap(),
                "val/cat",
                "expected JPEG or PNG files, found none",
            ),
            (
                |dir| fs::write(dir.join("val/cat/4.jpg"), "text").unwrap(),
                "val/cat/4.jpg",
                "expected a JPEG or PNG image, found",
            ),
            (
                |dir| {
                    ["train/ape", "train/cat"]
                        .iter()
                        .for_each(|class| fs::remove_dir_all(dir.join(class)).unwrap())
                },
                "train",
                "expected a folder for each class, or images without labels, found none",
            ),
        ];
        for (fault, place, expected) in faults {
            let dir = tempfile::tempdir().unwrap();
            tree(dir.path());
            fault(dir.path());
            let text = read(dir.path()).unwrap_err().to_string();
            assert!(
                text.starts_with(&format!("'{}': ", dir.path().join(place).display())),
                "{text}"
            );
            assert!(text.contains(expected), "{text}");
        }
        let dir = tempfile::tempdir().unwrap();
        tree(dir.path());
        for size in [0, 4097] {
            let decode = cached(dir.path(), size);
            let text = open(dir.path(), ["train", "val"], None, &decode, Use::Judged).unwrap_err();
            assert!(text.to_string().ends_with(&format!(
                "expected an image size from 1 to 4096, found {size}"
            )));
        }
    }
}
