//! Files that are read, gzipped or not, and faulty ones, which are named.

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
            "expected 34 bytes for 3 images of 2x3, found more",
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
        text.ends_with("mnist/train-images-idx3-ubyte': expected this file, found no such folder"),
        "{text}"
    );
    let text = open(dir.path()).unwrap_err().to_string();
    assert!(
        text.ends_with("expected this file, found an empty folder"),
        "{text}"
    );
}
