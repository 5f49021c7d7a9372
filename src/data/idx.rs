//! The IDX format of MNIST and its kin: big-endian header, then bytes (Y. LeCun et al., "The MNIST database of
//! handwritten digits"). Magic 0x00000803 is u8 in 3 dimensions, 0x00000801 is u8 in one.

use std::path::{Path, PathBuf};

use super::{Error, Images, Splits, files};

/// The images and labels of one split.
pub(super) struct Part {
    /// `[1, H, W]`.
    pub(super) shape: [i64; 3],
    /// u8, `N * H * W`.
    pub(super) pixels: Vec<u8>,
    pub(super) labels: Vec<i64>,
}

/// Reads both splits from a folder.
pub(super) fn open(dir: &Path) -> Result<Splits, Error> {
    let [images, labels] =
        ["train-images-idx3-ubyte", "train-labels-idx1-ubyte"].map(|name| find(dir, name));
    let train = read(&images, &labels)?;
    let [images, labels] =
        ["t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"].map(|name| find(dir, name));
    let eval = read(&images, &labels)?;
    if eval.shape != train.shape {
        let [expected, found] =
            [&train, &eval].map(|part| format!("images of {}", side(part.shape)));
        return Err(Error::unexpected(
            &images,
            format!("{expected}, as to train on"),
            found,
        ));
    }
    let last = |part: &Part| part.labels.iter().copied().max().unwrap_or(0);
    if last(&eval) > last(&train) {
        return Err(Error::unexpected(
            &labels,
            format!("labels up to {}, as to train on", last(&train)),
            format!("label {}", last(&eval)),
        ));
    }
    let classes: Vec<_> = (0..=last(&train)).map(|label| label.to_string()).collect();
    let name = files::name(dir);
    let images = |split, part: Part| {
        Images::new(
            format!("{name}/{split}"),
            part.shape,
            part.pixels,
            part.labels,
            classes.clone(),
        )
    };
    Ok(Splits::new(images("train", train), images("t10k", eval)))
}

/// The file of that name, or else its gzipped form, or else the name itself for the error.
fn find(dir: &Path, name: &str) -> PathBuf {
    let (plain, zipped) = (dir.join(name), dir.join(format!("{name}.gz")));
    if !plain.exists() && zipped.exists() {
        zipped
    } else {
        plain
    }
}

fn read(images: &Path, labels: &Path) -> Result<Part, Error> {
    parse(
        (images, files::read(images)?),
        (labels, files::read(labels)?),
    )
}

/// The content of a file of images and a file of labels, gzipped or not. The paths are for errors.
pub(super) fn parse(images: (&Path, Vec<u8>), labels: (&Path, Vec<u8>)) -> Result<Part, Error> {
    let bytes = files::unzipped(images.0, images.1)?;
    let [count, height, width] = header(images.0, &bytes, 0x803)?;
    if count * height * width == 0 {
        return Err(Error::unexpected(
            images.0,
            "at least one image of at least one pixel",
            format!("{count} images of {height}x{width}"),
        ));
    }
    let what = format!("{count} images of {height}x{width}");
    let pixels = body(images.0, bytes, [count, height, width], &what)?;

    let bytes = files::unzipped(labels.0, labels.1)?;
    let [found] = header(labels.0, &bytes, 0x801)?;
    if found != count {
        return Err(Error::unexpected(
            labels.0,
            format!(
                "{count} labels, as many as '{}' has images",
                images.0.display()
            ),
            found.to_string(),
        ));
    }
    let labels = body(labels.0, bytes, [count], &format!("{count} labels"))?;
    Ok(Part {
        shape: [1, height as i64, width as i64],
        pixels,
        labels: labels.into_iter().map(i64::from).collect(),
    })
}

/// The `D` dimensions that follow the magic number.
fn header<const D: usize>(path: &Path, bytes: &[u8], magic: u32) -> Result<[u128; D], Error> {
    let (words, _) = bytes.as_chunks::<4>();
    if words.len() <= D {
        let expected = format!("a header of {} bytes", 4 * (D + 1));
        return Err(Error::unexpected(
            path,
            expected,
            format!("{} bytes", bytes.len()),
        ));
    }
    let found = u32::from_be_bytes(words[0]);
    if found != magic {
        let expected = format!("the magic number {magic:#010x} (u8 in {D} dimensions)");
        return Err(Error::unexpected(path, expected, format!("{found:#010x}")));
    }
    // As u128, three of them multiply without overflow, whatever a damaged file says.
    Ok(std::array::from_fn(|at| {
        u128::from(u32::from_be_bytes(words[at + 1]))
    }))
}

/// What follows the header, which must be exactly as long as the dimensions say.
fn body<const D: usize>(
    path: &Path,
    mut bytes: Vec<u8>,
    sizes: [u128; D],
    what: &str,
) -> Result<Vec<u8>, Error> {
    let header = 4 * (D + 1);
    let expected = header as u128 + sizes.iter().product::<u128>();
    if bytes.len() as u128 != expected {
        return Err(Error::unexpected(
            path,
            format!("{expected} bytes for {what}"),
            bytes.len().to_string(),
        ));
    }
    Ok(bytes.split_off(header))
}

fn side([_, height, width]: [i64; 3]) -> String {
    format!("{height}x{width}")
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Write;

    use super::*;

    const FILES: [&str; 4] = [
        "train-images-idx3-ubyte",
        "train-labels-idx1-ubyte",
        "t10k-images-idx3-ubyte",
        "t10k-labels-idx1-ubyte",
    ];

    fn idx(sizes: &[u32], body: &[u8]) -> Vec<u8> {
        let mut bytes = (0x800 + sizes.len() as u32).to_be_bytes().to_vec();
        sizes
            .iter()
            .for_each(|size| bytes.extend(size.to_be_bytes()));
        bytes.extend(body);
        bytes
    }

    /// Three images of 2x3 to train on, two to evaluate.
    fn contents() -> [Vec<u8>; 4] {
        [
            idx(&[3, 2, 3], &(0..18).collect::<Vec<_>>()),
            idx(&[3], &[0, 2, 1]),
            idx(&[2, 2, 3], &(100..112).collect::<Vec<_>>()),
            idx(&[2], &[1, 1]),
        ]
    }

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(vec![], flate2::Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn both_splits_are_read_gzipped_or_not() {
        for zipped in [false, true] {
            let dir = tempfile::tempdir().unwrap();
            for (name, bytes) in FILES.iter().zip(contents()) {
                match zipped {
                    true => fs::write(dir.path().join(format!("{name}.gz")), gzip(&bytes)).unwrap(),
                    false => fs::write(dir.path().join(name), bytes).unwrap(),
                }
            }
            let Splits { train, eval, .. } = open(dir.path()).unwrap();
            for (images, labels) in [(&train, &[0, 2, 1][..]), (&eval, &[1, 1])] {
                assert_eq!(
                    (images.shape(), images.labels()),
                    (Some([1, 2, 3]), Some(labels))
                );
            }
            assert_eq!(train.image(1), [6, 7, 8, 9, 10, 11]);
            assert_eq!(eval.image(0), [100, 101, 102, 103, 104, 105]);
            assert_eq!(train.classes(), ["0", "1", "2"]);
        }
    }

    #[test]
    #[expect(clippy::too_many_lines, reason = "a table, a row a fault")]
    fn a_faulty_file_is_named_with_what_was_expected_and_found() {
        let cut = gzip(&idx(&[3], &[0, 2, 1]));
        let faults: [(usize, Option<Vec<u8>>, &str); 13] = [
            (
                0,
                Some(idx(&[60000, 28, 28], &[0; 984])),
                "expected 47040016 bytes for 60000 images of 28x28, found 1000",
            ),
            (
                0,
                Some(idx(&[3, 2, 3], &[0; 19])),
                "expected 34 bytes for 3 images of 2x3, found 35",
            ),
            (
                0,
                Some(idx(&[u32::MAX; 3], &[])),
                "expected 79228162458924105385300197391 bytes for",
            ),
            (
                0,
                Some(idx(&[0, 2, 3], &[])),
                "expected at least one image of at least one pixel, found 0 images of 2x3",
            ),
            (
                0,
                Some(idx(&[3], &[0, 2, 1])),
                "expected a header of 16 bytes, found 11 bytes",
            ),
            (
                0,
                Some(idx(&[3], &[0; 9])),
                "expected the magic number 0x00000803 (u8 in 3 dimensions), found 0x00000801",
            ),
            (
                1,
                Some(vec![]),
                "expected a header of 8 bytes, found 0 bytes",
            ),
            (
                1,
                Some(idx(&[2], &[0, 2])),
                "train-images-idx3-ubyte' has images, found 2",
            ),
            (
                1,
                Some(idx(&[3], &[0, 2])),
                "expected 11 bytes for 3 labels, found 10",
            ),
            (
                1,
                Some(cut[..cut.len() - 9].to_vec()),
                "expected a whole gzip stream, found a fault after",
            ),
            (
                2,
                Some(idx(&[2, 3, 2], &[0; 12])),
                "expected images of 2x3, as to train on, found images of 3x2",
            ),
            (
                3,
                Some(idx(&[2], &[1, 3])),
                "expected labels up to 2, as to train on, found label 3",
            ),
            (
                3,
                None,
                "expected this file, found only 't10k-images-idx3-ubyte', 'train-images-idx3-ubyte', 'train-labels-idx1-ubyte' in its folder",
            ),
        ];
        for (file, bytes, expected) in faults {
            let dir = tempfile::tempdir().unwrap();
            let mut all = contents().map(Some);
            all[file] = bytes;
            for (name, bytes) in FILES.iter().zip(all) {
                bytes.inspect(|bytes| fs::write(dir.path().join(name), bytes).unwrap());
            }
            let text = open(dir.path()).unwrap_err().to_string();
            let path = dir.path().join(FILES[file]);
            assert!(
                text.starts_with(&format!("'{}': ", path.display())),
                "{text}"
            );
            assert!(text.contains(expected), "{text}");
        }
    }

    #[test]
    fn a_missing_folder_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let text = open(&dir.path().join("mnist")).unwrap_err().to_string();
        assert!(
            text.ends_with(
                "mnist/train-images-idx3-ubyte': expected this file, found no such folder"
            ),
            "{text}"
        );
        let text = open(dir.path()).unwrap_err().to_string();
        assert!(
            text.ends_with("expected this file, found an empty folder"),
            "{text}"
        );
    }
}
