//! A folder of image files, `dir/<split>/<class>/<file>` or, without labels, `dir/<split>/<file>`: which files there
//! are, and what class each has.

use std::path::Path;

use super::listing::Listing;
use super::splits::{self, Decode};
use super::{Error, Splits, files};

/// Reads all splits: the folders to train on, to take neighbours from where that is another, and to evaluate on.
pub(super) fn open(
    dir: &Path,
    [train, eval]: [&str; 2],
    memory: Option<&str>,
    decode: &Decode,
) -> Result<Splits, Error> {
    let read = |split: &str| read(&dir.join(split));
    let memory = memory.filter(|memory| *memory != train).map(read);
    splits::open(dir, read(train)?, memory.transpose()?, read(eval)?, decode)
}

/// Walks the folder of a split. Where it has folders they are its classes; where it has none, its images have no labels.
pub(super) fn read(root: &Path) -> Result<Listing, Error> {
    let mut listing = Listing::new(root, root);
    let (classes, loose): (Vec<_>, Vec<_>) = files::entries(root)?
        .into_iter()
        .partition(|path| path.is_dir());
    if classes.is_empty() && loose.iter().any(|path| is_image(path)) {
        let foreign = walk(&mut listing, root)?;
        warn(&listing, foreign, "neither JPEG nor PNG");
        return Ok(listing);
    }
    let (mut labels, mut foreign) = (vec![], 0);
    for class in classes {
        let before = listing.files.len();
        foreign += walk(&mut listing, &class)?;
        if listing.files.len() == before {
            return Err(Error::unexpected(&class, "JPEG or PNG files", "none"));
        }
        labels.resize(listing.files.len(), listing.classes.len() as i64);
        listing.classes.push(files::name(&class));
    }
    if listing.files.is_empty() {
        let expected = "a folder for each class, or images without labels";
        return Err(Error::unexpected(root, expected, "none"));
    }
    listing.labels = Some(labels);
    warn(&listing, foreign, "neither JPEG nor PNG");
    let beside = loose.iter().filter(|path| is_image(path)).count();
    warn(&listing, beside, "images beside the folders of the classes");
    Ok(listing)
}

fn warn(listing: &Listing, count: usize, what: &str) {
    if count > 0 {
        let origin = listing.origin.display();
        tracing::warn!("'{origin}': {count} files are {what} and are ignored");
    }
}

/// Adds the images in a folder and the folders below it; the result is the number of other files.
fn walk(listing: &mut Listing, dir: &Path) -> Result<usize, Error> {
    let mut foreign = 0;
    for path in files::entries(dir)? {
        Error::unless_stopped()?;
        if path.is_dir() {
            foreign += walk(listing, &path)?;
        } else if is_image(&path) {
            let below = path
                .strip_prefix(&listing.root)
                .expect("the walk began at the root");
            listing.files.push(below.to_path_buf());
        } else {
            foreign += 1;
        }
    }
    Ok(foreign)
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
        open(dir, ["train", "val"], None, &cached(dir, 2))
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
        let live = open(dir.path(), ["train", "val"], None, &Decode::Live).unwrap();
        assert_eq!((live.train.len(), live.train.shape()), (3, None));
        assert_eq!(live.train.labels(), train.labels());
    }

    #[test]
    fn images_without_folders_for_classes_have_no_labels() {
        let dir = tempfile::tempdir().unwrap();
        tree(dir.path());
        for (file, red) in [("all/2.png", 22), ("all/1.png", 21), ("all/notes.txt", 0)] {
            draw(dir.path(), file, red);
        }
        let open = |splits, memory| open(dir.path(), splits, memory, &cached(dir.path(), 2));
        let Splits {
            train,
            memory,
            eval,
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
                "expected a labelled split to take neighbours from, found images without labels",
            ),
            (
                ["train", "all"],
                None,
                "all",
                "expected a labelled split to evaluate on, found images without labels",
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
            let text = open(dir.path(), ["train", "val"], None, &decode).unwrap_err();
            assert!(text.to_string().ends_with(&format!(
                "expected an image size from 1 to 4096, found {size}"
            )));
        }
    }
}
