//! CIFAR-10 and CIFAR-100 in their binary version: records of one or two label bytes and 3x32x32 pixels, CHW
//! (A. Krizhevsky, "Learning multiple layers of features from tiny images", 2009).

use std::path::{Path, PathBuf};

use super::{Error, Images, Splits, files};

const SHAPE: [i64; 3] = [3, 32, 32];
const PIXELS: usize = 3 * 32 * 32;

/// What sets one of the two data sets apart.
pub(super) struct Format {
    /// The folder that the published archive unpacks to.
    folder: &'static str,
    train: &'static [&'static str],
    eval: &'static str,
    /// How many values each label byte of a record may take; the last byte is the label we use.
    labels: &'static [u8],
    /// The file with the names of the classes, one a line.
    classes: &'static str,
}

pub(super) const CIFAR10: Format = Format {
    folder: "cifar-10-batches-bin",
    train: &[
        "data_batch_1.bin",
        "data_batch_2.bin",
        "data_batch_3.bin",
        "data_batch_4.bin",
        "data_batch_5.bin",
    ],
    eval: "test_batch.bin",
    labels: &[10],
    classes: "batches.meta.txt",
};

/// The first label byte of a record is the superclass.
pub(super) const CIFAR100: Format = Format {
    folder: "cifar-100-binary",
    train: &["train.bin"],
    eval: "test.bin",
    labels: &[20, 100],
    classes: "fine_label_names.txt",
};

/// Reads both splits from a folder, or from the published folder in it.
pub(super) fn open(format: &Format, dir: &Path) -> Result<Splits, Error> {
    let inner = dir.join(format.folder);
    let dir = if inner.is_dir() { &inner } else { dir };
    let classes = format.classes(&dir.join(format.classes))?;
    let images = |names: &[&str]| {
        let paths = names.iter().map(|name| dir.join(name)).collect();
        let (pixels, labels) = format.read(paths)?;
        let split = if names[0] == format.eval {
            "test"
        } else {
            "train"
        };
        let name = format!("{}/{split}", files::name(dir));
        Ok(Images::new(name, SHAPE, pixels, labels, classes.clone()))
    };
    Ok(Splits::new(images(format.train)?, images(&[format.eval])?))
}

impl Format {
    /// The pixels and labels of some files, one after the other.
    fn read(&self, paths: Vec<PathBuf>) -> Result<(Vec<u8>, Vec<i64>), Error> {
        let (mut pixels, mut labels) = (vec![], vec![]);
        for path in paths {
            let bytes = files::read(&path)?;
            let record = self.labels.len() + PIXELS;
            if bytes.is_empty() || !bytes.len().is_multiple_of(record) {
                return Err(Error::unexpected(
                    &path,
                    format!("a whole number of records of {record} bytes"),
                    format!("{} bytes", bytes.len()),
                ));
            }
            for (at, record) in bytes.chunks_exact(record).enumerate() {
                let (found, image) = record.split_at(self.labels.len());
                for (&label, &count) in found.iter().zip(self.labels) {
                    if label >= count {
                        let expected = format!("labels from 0 to {} in record {at}", count - 1);
                        return Err(Error::unexpected(&path, expected, label.to_string()));
                    }
                }
                pixels.extend_from_slice(image);
                labels.push(i64::from(found[found.len() - 1]));
            }
        }
        Ok((pixels, labels))
    }

    /// The names in the file, or the labels' numbers where there is none.
    fn classes(&self, path: &Path) -> Result<Vec<String>, Error> {
        let count = self.labels[self.labels.len() - 1];
        if !path.exists() {
            return Ok((0..count).map(|label| label.to_string()).collect());
        }
        let names = files::lines(path)?;
        if names.len() != usize::from(count) {
            let expected = format!("{count} names of classes");
            return Err(Error::unexpected(path, expected, names.len().to_string()));
        }
        Ok(names)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// Records whose pixels are all equal to their last label.
    fn records(labels: &[&[u8]]) -> Vec<u8> {
        labels
            .iter()
            .flat_map(|bytes| [bytes.to_vec(), vec![bytes[bytes.len() - 1]; PIXELS]].concat())
            .collect()
    }

    /// Batch `n` of CIFAR-10 holds one image of class `n`, the test batch two of class 9.
    fn cifar10(dir: &Path) {
        for (n, name) in CIFAR10.train.iter().enumerate() {
            fs::write(dir.join(name), records(&[&[n as u8 + 1]])).unwrap();
        }
        fs::write(dir.join("test_batch.bin"), records(&[&[9], &[9]])).unwrap();
    }

    #[test]
    fn cifar10_is_read_here_or_in_its_folder() {
        let dir = tempfile::tempdir().unwrap();
        let inner = dir.path().join("cifar-10-batches-bin");
        fs::create_dir(&inner).unwrap();
        cifar10(&inner);
        for dir in [dir.path(), &inner] {
            let Splits { train, eval, .. } = open(&CIFAR10, dir).unwrap();
            assert_eq!(
                (train.shape(), train.labels()),
                (Some(SHAPE), Some(&[1, 2, 3, 4, 5][..]))
            );
            assert_eq!(eval.labels(), Some(&[9, 9][..]));
            assert_eq!(train.image(3), [4; PIXELS]);
            assert_eq!(train.classes()[9], "9");
        }
        fs::write(
            inner.join("batches.meta.txt"),
            "a\nb\nc\nd\ne\nf\ng\nh\ni\nj\n\n",
        )
        .unwrap();
        assert_eq!(open(&CIFAR10, &inner).unwrap().eval.classes()[9], "j");
    }

    #[test]
    fn cifar100_takes_the_fine_label() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("train.bin"), records(&[&[3, 99], &[19, 7]])).unwrap();
        fs::write(dir.path().join("test.bin"), records(&[&[0, 42]])).unwrap();
        let Splits { train, eval, .. } = open(&CIFAR100, dir.path()).unwrap();
        assert_eq!(train.labels(), Some(&[99, 7][..]));
        assert_eq!(eval.labels(), Some(&[42][..]));
        assert_eq!(train.image(1), [7; PIXELS]);
        assert_eq!(train.classes()[99], "99");
        let names: String = (0..100).map(|n| format!("fine {n}\n")).collect();
        fs::write(dir.path().join("fine_label_names.txt"), names).unwrap();
        let named = open(&CIFAR100, dir.path()).unwrap();
        assert_eq!(named.eval.classes()[42], "fine 42");
    }

    #[test]
    fn a_label_of_cifar100_has_a_range_of_its_own() {
        for (record, expected) in [
            (
                &[20, 0],
                "expected labels from 0 to 19 in record 1, found 20",
            ),
            (
                &[0, 100],
                "expected labels from 0 to 99 in record 1, found 100",
            ),
        ] {
            let dir = tempfile::tempdir().unwrap();
            fs::write(dir.path().join("train.bin"), records(&[&[3, 99], record])).unwrap();
            fs::write(dir.path().join("test.bin"), records(&[&[0, 42]])).unwrap();
            let text = open(&CIFAR100, dir.path()).unwrap_err().to_string();
            assert!(text.ends_with(&format!("train.bin': {expected}")), "{text}");
        }
    }

    #[test]
    fn a_faulty_file_is_named_with_what_was_expected_and_found() {
        let whole = records(&[&[1]]);
        let faults: [(&str, Option<&[u8]>, &str); 6] = [
            (
                "data_batch_2.bin",
                Some(&whole[..1000]),
                "expected a whole number of records of 3073 bytes, found 1000 bytes",
            ),
            (
                "data_batch_3.bin",
                Some(&[]),
                "expected a whole number of records of 3073 bytes, found 0 bytes",
            ),
            (
                "test_batch.bin",
                Some(&records(&[&[1], &[10]])),
                "expected labels from 0 to 9 in record 1, found 10",
            ),
            (
                "data_batch_5.bin",
                None,
                "expected this file, found only 'data_batch_1.bin', 'data_batch_2.bin', ",
            ),
            (
                "test_batch.bin",
                None,
                "expected this file, found only 'data_batch_1.bin', 'data_batch_2.bin', ",
            ),
            (
                "batches.meta.txt",
                Some(b"cat\ndog\n"),
                "expected 10 names of classes, found 2",
            ),
        ];
        for (name, bytes, expected) in faults {
            let dir = tempfile::tempdir().unwrap();
            cifar10(dir.path());
            let path = dir.path().join(name);
            match bytes {
                Some(bytes) => fs::write(&path, bytes).unwrap(),
                None => fs::remove_file(&path).unwrap(),
            }
            let text = open(&CIFAR10, dir.path()).unwrap_err().to_string();
            assert!(
                text.starts_with(&format!("'{}': {expected}", path.display())),
                "{text}"
            );
        }
    }
}
