//! Lists that are read, and faulty ones, which are named.

use std::fs;
use std::sync::Arc;

use image::{Rgb, RgbImage};

use super::*;
use crate::data::Images;

/// Images whose red is their number, and lists of them.
fn write(dir: &Path) {
    fs::create_dir(dir.join("my images")).unwrap();
    for red in 1..=6 {
        RgbImage::from_pixel(3, 4, Rgb([red, 0, 0]))
            .save(dir.join(format!("my images/{red}.png")))
            .unwrap();
    }
    for (name, text) in [
        (
            "train.txt",
            "\u{feff}my images/3.png 2\r\n\nmy images/1.png\t 0\n",
        ),
        ("eval.txt", "my images/4.png 2"),
        (
            "all.txt",
            "my images/6.png\nmy images/5.png\nmy images/1.png\n",
        ),
        ("names.txt", "ape\nbee\ncat\n"),
    ] {
        fs::write(dir.join(name), text).unwrap();
    }
}

fn read(dir: &Path, train: &str, memory: &str, classes: &str) -> Result<Splits, Error> {
    let [memory, classes] =
        [memory, classes].map(|name| (!name.is_empty()).then_some(Path::new(name)));
    let decode = Decode::Cached {
        size: 2,
        cache: dir.join("cache"),
    };
    let lists = [Path::new(train), Path::new("eval.txt")];
    open(dir, lists, memory, classes, (&decode, Use::Judged))
}

fn reds(images: &Images) -> Vec<u8> {
    let ids = 0..images.len() as i64;
    ids.map(|id| images.image(id)[0]).collect()
}

#[test]
fn images_come_in_the_order_of_the_list() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path());
    for (classes, names) in [("", ["0", "2"]), ("names.txt", ["ape", "cat"])] {
        let splits = read(dir.path(), "train.txt", "", classes).unwrap();
        assert_eq!(
            (reds(&splits.train), reds(&splits.eval)),
            (vec![3, 1], vec![4])
        );
        assert_eq!(splits.train.labels(), Some(&[1, 0][..]));
        assert_eq!(splits.eval.labels(), Some(&[1][..]));
        assert_eq!(
            (splits.train.classes(), splits.eval.classes()),
            (&names.map(String::from)[..], &names.map(String::from)[..])
        );
        assert!(Arc::ptr_eq(&splits.train, &splits.memory));
        let splits = read(dir.path(), "all.txt", "train.txt", classes).unwrap();
        assert_eq!(
            (reds(&splits.train), splits.train.labels()),
            (vec![6, 5, 1], None)
        );
        assert_eq!(
            (reds(&splits.memory), splits.memory.labels()),
            (vec![3, 1], Some(&[1, 0][..]))
        );
    }
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table, a row a fault")]
fn a_faulty_line_is_named_with_what_was_expected_and_found() {
    let long = [b'x'; 100_000];
    let shown = format!(
        "expected the path of an image in line 1, found no '{}...' in '",
        "x".repeat(200)
    );
    let faults: [(&str, Option<&[u8]>, &str); 17] = [
        (
            "train.txt",
            Some(b"\xff\xfem\0y\0"),
            "expected text in UTF-8, found text in UTF-16",
        ),
        (
            "train.txt",
            Some(b"my images/1.png\rmy images/2.png\r"),
            "expected a line feed at the end of each line in line 1, found carriage returns alone",
        ),
        (
            "train.txt",
            Some(b"my images/1.png,0\n"),
            "expected a space between path and label in line 1, found a comma",
        ),
        ("train.txt", Some(&long), &shown),
        (
            "train.txt",
            Some(b"my images/1.png 0\n\nmy images/9.png 1\n"),
            "expected the path of an image in line 3, found no 'my images/9.png' in '",
        ),
        (
            "train.txt",
            Some(b"my images/1.png cat\n"),
            "expected a label, a whole number from 0, after the path in line 1, found 'cat'",
        ),
        (
            "train.txt",
            Some(b"my images/1.png 1.5\n"),
            "expected a label, a whole number from 0, after the path in line 1, found '1.5'",
        ),
        (
            "train.txt",
            Some(b"my images/1.png 0\nmy images/2.png -1\n"),
            "expected a label from 0 on in line 2, found -1",
        ),
        (
            "train.txt",
            Some(b"my images/1.png 0\nmy images/2.png\n"),
            "expected a label, as in line 1, in line 2, found none",
        ),
        (
            "train.txt",
            Some(b"\nmy images/1.png\nmy images/2.png 7\n"),
            "expected no label, as in line 2, in line 3, found 7",
        ),
        (
            "train.txt",
            Some(b"my images/1.png\n"),
            "expected a labelled split to take neighbours from, found images without labels; data.memory names another one, and with eval.online: [] nothing is evaluated",
        ),
        (
            "train.txt",
            Some(b" \n\n"),
            "expected a line for each image, found none",
        ),
        (
            "train.txt",
            Some(b"\xff.png\n"),
            "expected text in UTF-8 in line 1, found other bytes",
        ),
        (
            "train.txt",
            None,
            "expected this file, found only 'all.txt', 'eval.txt', ",
        ),
        (
            "eval.txt",
            Some(b"my images/1.png 2\nmy images/1.png 3\n"),
            "expected a label that an image to train on has ('0', '2') in line 2, found 3",
        ),
        (
            "eval.txt",
            Some(b"my images/1.png\n"),
            "expected a labelled split to evaluate on, found images without labels",
        ),
        (
            "eval.txt",
            None,
            "expected this file, found only 'all.txt', ",
        ),
    ];
    for (name, text, expected) in faults {
        let dir = tempfile::tempdir().unwrap();
        write(dir.path());
        let path = dir.path().join(name);
        match text {
            Some(text) => fs::write(&path, text).unwrap(),
            None => fs::remove_file(&path).unwrap(),
        }
        let text = read(dir.path(), "train.txt", "", "")
            .unwrap_err()
            .to_string();
        let expected = format!("'{}': {expected}", path.display());
        assert!(text.starts_with(&expected), "{text}");
    }
}

/// Identifiers and labels from 1 are as good as labels from 0; with a list of neighbours all three share one numbering.
#[test]
fn labels_that_no_image_has_are_no_classes() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path());
    for (train, eval, names) in [
        ([1, 2], 2, ["1", "2"]),
        ([500_001, 734_512], 734_512, ["500001", "734512"]),
    ] {
        let [one, two] = train;
        let list = |name: &str, text: String| fs::write(dir.path().join(name), text).unwrap();
        list(
            "train.txt",
            format!("my images/3.png {two}\nmy images/1.png {one}\n"),
        );
        list("eval.txt", format!("my images/4.png {eval}\n"));
        let splits = read(dir.path(), "train.txt", "", "").unwrap();
        assert_eq!(splits.train.labels(), Some(&[1, 0][..]));
        assert_eq!(splits.eval.labels(), Some(&[1][..]));
        assert_eq!(splits.eval.classes(), names);
        let splits = read(dir.path(), "all.txt", "train.txt", "").unwrap();
        assert_eq!(splits.memory.labels(), Some(&[1, 0][..]));
    }
}

#[test]
fn all_lines_without_an_image_are_named() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path());
    let text = "my images/7.png 0\nmy images/1.png 0\nmy images/8.png 1\n";
    fs::write(dir.path().join("train.txt"), text).unwrap();
    let text = read(dir.path(), "train.txt", "", "").unwrap_err();
    let text = text.to_string();
    assert!(text.starts_with("2 files cannot be used:\n"), "{text}");
    for line in [
        "line 1, found no 'my images/7.png'",
        "line 3, found no 'my images/8.png'",
    ] {
        assert!(text.contains(line), "{text}");
    }
}

#[test]
fn labels_stay_below_the_number_of_names() {
    for (names, place, expected) in [
        (
            "ape\nbee\n",
            "train.txt",
            "expected a label from 0 to 1 in line 1, found 2",
        ),
        (
            "\n",
            "names.txt",
            "expected a name of a class a line, found none",
        ),
    ] {
        let dir = tempfile::tempdir().unwrap();
        write(dir.path());
        fs::write(dir.path().join("names.txt"), names).unwrap();
        let text = read(dir.path(), "train.txt", "", "names.txt")
            .unwrap_err()
            .to_string();
        let place = dir.path().join(place);
        assert_eq!(text, format!("'{}': {expected}", place.display()));
    }
}

#[test]
fn a_broken_image_is_named_where_all_are_decoded_at_once() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path());
    fs::write(dir.path().join("my images/3.png"), "text").unwrap();
    let text = read(dir.path(), "train.txt", "", "")
        .unwrap_err()
        .to_string();
    assert!(
        text.contains("my images/3.png': expected a JPEG or PNG image, found"),
        "{text}"
    );
}
