//! A folder of image files, `dir/<split>/<class>/<file>`: which files there are, and what class each has. Their pixels
//! come by way of `cache.rs`.

use std::path::{Path, PathBuf};

use super::images::Pixels;
use super::{Error, Images, Splits, cache, files};

/// The files of one split, in the order of their ids.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Listing {
    /// The split's folder.
    pub(super) root: PathBuf,
    /// Paths below `root`, sorted.
    pub(super) files: Vec<PathBuf>,
    labels: Vec<i64>,
    classes: Vec<String>,
}

/// Reads both splits, from the cache where it is fresh.
pub(super) fn open(
    dir: &Path,
    size: u32,
    splits: [&str; 2],
    cache: &Path,
) -> Result<Splits, Error> {
    if !(1..=4096).contains(&size) {
        return Err(Error::unexpected(
            dir,
            "an image size from 1 to 4096",
            size.to_string(),
        ));
    }
    let [train, eval] = splits.map(|split| Listing::read(&dir.join(split)));
    let (train, eval) = (train?, eval?);
    eval.check_classes(&train)?;
    let images = |listing: Listing| {
        let name = format!("{}/{}", files::name(dir), files::name(&listing.root));
        let pixels = Pixels::Mapped(cache::pixels(&listing, size, cache)?);
        let shape = [3, i64::from(size), i64::from(size)];
        Ok(Images::from_pixels(
            name,
            shape,
            pixels,
            listing.labels,
            listing.classes,
        ))
    };
    Ok(Splits {
        train: images(train)?,
        eval: images(eval)?,
    })
}

impl Listing {
    /// Walks the folder of a split.
    pub(super) fn read(root: &Path) -> Result<Self, Error> {
        let mut listing = Self {
            root: root.to_path_buf(),
            files: vec![],
            labels: vec![],
            classes: vec![],
        };
        let mut foreign = 0;
        for class in files::entries(root)?
            .into_iter()
            .filter(|path| path.is_dir())
        {
            let before = listing.files.len();
            foreign += listing.walk(&class)?;
            if listing.files.len() == before {
                return Err(Error::unexpected(&class, "JPEG or PNG files", "none"));
            }
            listing
                .labels
                .resize(listing.files.len(), listing.classes.len() as i64);
            listing.classes.push(files::name(&class));
        }
        if listing.files.is_empty() {
            return Err(Error::unexpected(root, "a folder for each class", "none"));
        }
        if foreign > 0 {
            tracing::warn!(
                "'{}': {foreign} files are neither JPEG nor PNG and are ignored",
                root.display()
            );
        }
        Ok(listing)
    }

    /// Adds the images in a folder and the folders below it; the result is the number of other files.
    fn walk(&mut self, dir: &Path) -> Result<usize, Error> {
        let mut foreign = 0;
        for path in files::entries(dir)? {
            if path.is_dir() {
                foreign += self.walk(&path)?;
            } else if is_image(&path) {
                let below = path
                    .strip_prefix(&self.root)
                    .expect("the walk began at the root");
                self.files.push(below.to_path_buf());
            } else {
                foreign += 1;
            }
        }
        Ok(foreign)
    }

    fn check_classes(&self, other: &Self) -> Result<(), Error> {
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
            other.root.display()
        );
        Err(Error::unexpected(&self.root, expected, found.join(" and ")))
    }
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

    use image::{Rgb, RgbImage};

    use super::*;

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

    fn read(dir: &Path) -> Result<Splits, Error> {
        open(dir, 2, ["train", "val"], &dir.join("cache"))
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
        let Splits { train, eval } = read(dir.path()).unwrap();
        assert_eq!(train.classes(), ["ape", "cat"]);
        assert_eq!(
            (train.labels(), eval.labels()),
            (&[0, 1, 1][..], &[0, 1][..])
        );
        let reds = |images: &Images| {
            (0..images.len() as i64)
                .map(|id| images.image(id)[0])
                .collect::<Vec<_>>()
        };
        assert_eq!(
            (reds(&train), reds(&eval)),
            (vec![13, 11, 12], vec![15, 14])
        );
        assert_eq!(train.shape(), [3, 2, 2]);
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
                "expected a folder for each class, found none",
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
        let text = open(Path::new("d"), 0, ["a", "b"], Path::new("c"))
            .unwrap_err()
            .to_string();
        assert_eq!(text, "'d': expected an image size from 1 to 4096, found 0");
    }
}
