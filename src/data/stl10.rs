//! STL-10 in its binary version: 3x96x96 u8 without header, each channel by columns, and labels 1 to 10 (A. Coates,
//! H. Lee and A. Ng, "An analysis of single-layer networks in unsupervised feature learning", 2011).

use std::path::Path;
use std::sync::Arc;

use super::images::Content;
use super::pixels::{Block, Pixels};
use super::{Error, Images, Splits, cache, files};

/// The folder that the published archive unpacks to.
const FOLDER: &str = "stl10_binary";

const SHAPE: [i64; 3] = [3, 96, 96];
const BYTES: usize = 3 * 96 * 96;

/// Labels run from 1 to this.
const CLASSES: u8 = 10;

/// Which images of STL-10 are trained on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stl10Split {
    /// The 100,000 without labels.
    Unlabeled,
    /// The 5,000 with labels.
    Train,
    /// Both, those with labels first; as a whole the split has no labels.
    TrainUnlabeled,
}

/// Maps the files in a folder, or in the published folder in it. The neighbours are always the 5,000 images with labels,
/// and the 8,000 of the test evaluate.
pub(super) fn open(dir: &Path, split: Stl10Split) -> Result<Splits, Error> {
    let inner = dir.join(FOLDER);
    let dir = if inner.is_dir() { &inner } else { dir };
    let classes = classes(&dir.join("class_names.txt"))?;
    let name = |split: &str| format!("{}/{split}", files::name(dir));
    let labelled = |split: &str| {
        let block = block(&dir.join(format!("{split}_X.bin")))?;
        let pixels = Pixels::new(SHAPE, vec![Arc::clone(&block)]);
        let labels = labels(&dir.join(format!("{split}_y.bin")), pixels.len())?;
        let content = Content::Pixels(pixels);
        let images = Images::of(name(split), content, Some(labels), classes.clone());
        Ok((Arc::new(images), block))
    };
    let unlabelled = |split, blocks| {
        let content = Content::Pixels(Pixels::new(SHAPE, blocks));
        Arc::new(Images::of(name(split), content, None, vec![]))
    };
    let ((memory, known), (eval, _)) = (labelled("train")?, labelled("test")?);
    let unknown = || block(&dir.join("unlabeled_X.bin"));
    let train = match split {
        Stl10Split::Train => Arc::clone(&memory),
        Stl10Split::Unlabeled => unlabelled("unlabeled", vec![unknown()?]),
        Stl10Split::TrainUnlabeled => unlabelled("train+unlabeled", vec![known, unknown()?]),
    };
    Ok(Splits {
        train,
        memory,
        eval,
        notes: Vec::new(),
    })
}

/// A file of images, mapped as it is: the largest has 2.7 GB, and a batch turns columns into rows in no time.
fn block(path: &Path) -> Result<Arc<Block>, Error> {
    let file = files::open(path)?;
    let read = |source| Error::read(path, source);
    let bytes = file.metadata().map_err(read)?.len() as usize;
    if bytes == 0 || !bytes.is_multiple_of(BYTES) {
        let expected = format!("a whole number of images of {BYTES} bytes");
        return Err(Error::unexpected(path, expected, format!("{bytes} bytes")));
    }
    let map = cache::map(&file, 0, bytes).map_err(read)?;
    Ok(Arc::new(Block::mapped(map, true)))
}

/// Labels from 0, as many as there are images.
fn labels(path: &Path, images: usize) -> Result<Vec<i64>, Error> {
    let bytes = files::read(path)?;
    if bytes.len() != images {
        let expected = format!("{images} labels, as many as there are images");
        return Err(Error::unexpected(path, expected, bytes.len().to_string()));
    }
    let label = |(at, &label): (usize, &u8)| match label {
        1..=CLASSES => Ok(i64::from(label) - 1),
        _ => {
            let expected = format!("a label from 1 to {CLASSES} for image {at}");
            Err(Error::unexpected(path, expected, label.to_string()))
        }
    };
    bytes.iter().enumerate().map(label).collect()
}

/// The names in the file, or the labels' numbers where there is none.
fn classes(path: &Path) -> Result<Vec<String>, Error> {
    if !path.exists() {
        return Ok((1..=CLASSES).map(|label| label.to_string()).collect());
    }
    let names = files::lines(path)?;
    if names.len() != usize::from(CLASSES) {
        let expected = format!("{CLASSES} names of classes");
        return Err(Error::unexpected(path, expected, names.len().to_string()));
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// The value of a pixel, which tells its image, channel, row and column apart.
    fn value(image: usize, c: usize, y: usize, x: usize) -> u8 {
        ((image * 7919 + c * 1009 + y * 97 + x) % 251) as u8
    }

    /// Images numbered from `first`, column by column.
    fn images(first: usize, count: usize) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(count * BYTES);
        for image in first..first + count {
            for (c, x) in (0..3).flat_map(|c| (0..96).map(move |x| (c, x))) {
                bytes.extend((0..96).map(|y| value(image, c, y, x)));
            }
        }
        bytes
    }

    /// Three images with labels, two to test, four without labels.
    fn write(dir: &Path) {
        let files: [(&str, Vec<u8>); 6] = [
            ("train_X.bin", images(0, 3)),
            ("train_y.bin", vec![10, 1, 3]),
            ("test_X.bin", images(3, 2)),
            ("test_y.bin", vec![2, 2]),
            ("unlabeled_X.bin", images(5, 4)),
            (
                "class_names.txt",
                b"airplane\nbird\ncar\ncat\ndeer\ndog\nhorse\nmonkey\nship\ntruck\n".to_vec(),
            ),
        ];
        files
            .iter()
            .for_each(|(name, bytes)| fs::write(dir.join(name), bytes).unwrap());
    }

    fn is(images: &Images, id: i64, number: usize) {
        let mut rows = Vec::with_capacity(BYTES);
        for (c, y) in (0..3).flat_map(|c| (0..96).map(move |y| (c, y))) {
            rows.extend((0..96).map(|x| value(number, c, y, x)));
        }
        assert!(
            images.image(id) == rows,
            "{id} of {images:?} is not {number}"
        );
    }

    #[test]
    fn each_split_has_its_images_upright() {
        let dir = tempfile::tempdir().unwrap();
        let inner = dir.path().join(FOLDER);
        fs::create_dir(&inner).unwrap();
        write(&inner);
        let cases = [
            (Stl10Split::Unlabeled, "stl10_binary/unlabeled", 5..9),
            (Stl10Split::Train, "stl10_binary/train", 0..3),
        ];
        for dir in [dir.path(), &inner] {
            for (split, name, numbers) in cases.clone() {
                let splits = open(dir, split).unwrap();
                assert_eq!(
                    (splits.train.name(), splits.train.len()),
                    (name, numbers.len())
                );
                (0..)
                    .zip(numbers)
                    .for_each(|(id, number)| is(&splits.train, id, number));
                (0..3).for_each(|id| is(&splits.memory, id as i64, id));
                assert_eq!(splits.memory.labels(), Some(&[9, 0, 2][..]));
                (0..2).for_each(|id| is(&splits.eval, id as i64, 3 + id));
                assert_eq!(splits.eval.labels(), Some(&[1, 1][..]));
                assert_eq!(splits.eval.classes()[9], "truck");
                let same = Arc::ptr_eq(&splits.train, &splits.memory);
                assert_eq!(same, split == Stl10Split::Train);
                assert_eq!(splits.train.labels().is_some(), same);
            }
        }
    }

    #[test]
    fn both_splits_together_have_no_labels() {
        let dir = tempfile::tempdir().unwrap();
        write(dir.path());
        fs::remove_file(dir.path().join("class_names.txt")).unwrap();
        let splits = open(dir.path(), Stl10Split::TrainUnlabeled).unwrap();
        assert_eq!((splits.train.len(), splits.train.labels()), (7, None));
        let numbers = [0, 1, 2, 5, 6, 7, 8];
        (0..)
            .zip(numbers)
            .for_each(|(id, number)| is(&splits.train, id, number));
        assert_eq!(splits.eval.classes()[9], "10");
    }

    #[test]
    fn only_a_split_that_is_trained_on_needs_the_unlabelled_images() {
        let dir = tempfile::tempdir().unwrap();
        write(dir.path());
        fs::remove_file(dir.path().join("unlabeled_X.bin")).unwrap();
        open(dir.path(), Stl10Split::Train).unwrap();
        for split in [Stl10Split::Unlabeled, Stl10Split::TrainUnlabeled] {
            let text = open(dir.path(), split).unwrap_err().to_string();
            assert!(
                text.contains("unlabeled_X.bin': expected this file, found"),
                "{text}"
            );
        }
    }

    #[test]
    fn a_faulty_file_is_named_with_what_was_expected_and_found() {
        let whole = images(0, 2);
        let faults: [(&str, Option<&[u8]>, &str); 8] = [
            (
                "train_X.bin",
                Some(&whole[..30_000]),
                "expected a whole number of images of 27648 bytes, found 30000 bytes",
            ),
            (
                "unlabeled_X.bin",
                Some(&[]),
                "expected a whole number of images of 27648 bytes, found 0 bytes",
            ),
            (
                "train_y.bin",
                Some(&[1, 2]),
                "expected 3 labels, as many as there are images, found 2",
            ),
            (
                "train_y.bin",
                Some(&[1, 0, 2]),
                "expected a label from 1 to 10 for image 1, found 0",
            ),
            (
                "test_y.bin",
                Some(&[10, 11]),
                "expected a label from 1 to 10 for image 1, found 11",
            ),
            (
                "test_X.bin",
                None,
                "expected this file, found only 'class_names.txt', ",
            ),
            (
                "test_y.bin",
                None,
                "expected this file, found only 'class_names.txt', ",
            ),
            (
                "class_names.txt",
                Some(b"cat\ndog\n"),
                "expected 10 names of classes, found 2",
            ),
        ];
        for (name, bytes, expected) in faults {
            let dir = tempfile::tempdir().unwrap();
            write(dir.path());
            let path = dir.path().join(name);
            match bytes {
                Some(bytes) => fs::write(&path, bytes).unwrap(),
                None => fs::remove_file(&path).unwrap(),
            }
            let text = open(dir.path(), Stl10Split::Unlabeled)
                .unwrap_err()
                .to_string();
            let expected = format!("'{}': {expected}", path.display());
            assert!(text.starts_with(&expected), "{text}");
        }
    }
}
