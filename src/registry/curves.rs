//! The numbers of a run over its steps, from `metrics.jsonl`. Of two lines with one step the later one counts, since a resumed run
//! repeats steps; a torn line is left out.

use std::collections::BTreeMap;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

use serde_json::{Map, Value};

use crate::record::value;
use crate::storage;

/// A number of a run over its steps.
pub type Curve = BTreeMap<u64, f64>;

/// Bytes at a file's end in which its last whole line is looked for first; a line of metrics has one or two thousand.
const TAIL: u64 = 16 * 1024;

/// All curves of those tags that are wanted.
pub fn all(run: &Path, wanted: impl Fn(&str) -> bool) -> BTreeMap<String, Curve> {
    let mut curves: BTreeMap<String, Curve> = BTreeMap::new();
    for line in text(run).lines() {
        let Some((step, fields)) = parsed(line) else {
            continue;
        };
        for (tag, number) in fields.iter().filter(|(tag, _)| wanted(tag)) {
            if let Some(number) = value(number) {
                curves.entry(tag.clone()).or_default().insert(step, number);
            }
        }
    }
    curves
}

/// One curve. The lines are looked through, not taken apart: many runs are read for one number.
pub fn one(run: &Path, tag: &str) -> Curve {
    let key = format!("{}:", Value::from(tag));
    let mut curve = Curve::new();
    // A torn line has no end.
    for line in text(run).lines().filter(|line| line.ends_with('}')) {
        let number = |key: &str| {
            let (_, rest) = line.split_once(key)?;
            let end = rest.find([',', '}'])?;
            value(&serde_json::from_str(&rest[..end]).ok()?)
        };
        if let (Some(step), Some(number)) = (number("\"step\":"), number(&key)) {
            curve.insert(step as u64, number);
        }
    }
    curve
}

/// The numbers of the last line in which there are some, and of tags that are recorded more rarely their last ones in the file's
/// end.
pub fn last(run: &Path) -> BTreeMap<String, f64> {
    let mut last = BTreeMap::new();
    for line in tail(&run.join("metrics.jsonl")).lines() {
        if let Some((_, fields)) = parsed(line) {
            let numbers = fields.into_iter();
            last.extend(numbers.filter_map(|(tag, number)| Some((tag, value(&number)?))));
        }
    }
    last
}

fn parsed(line: &str) -> Option<(u64, Map<String, Value>)> {
    let fields: Map<String, Value> = serde_json::from_str(line).ok()?;
    Some((fields.get("step")?.as_u64()?, fields))
}

fn text(run: &Path) -> String {
    let bytes = storage::read(&run.join("metrics.jsonl")).unwrap_or_default();
    // A byte that is none must not hide the lines around it.
    String::from_utf8_lossy(&bytes).into_owned()
}

fn tail(path: &Path) -> String {
    let read = || {
        let mut file = storage::open(path)?;
        let start = file.metadata()?.len().saturating_sub(TAIL);
        file.seek(SeekFrom::Start(start))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        Ok::<_, std::io::Error>(String::from_utf8_lossy(&bytes).into_owned())
    };
    read().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    const LINES: &str = "{\"step\":5,\"epoch\":0,\"loss/total\":4.5,\"eval/knn_top1\":50.0}\n\
        {\"step\":10,\"epoch\":0,\"loss/total\":\"NaN\",\"a\\\"b\":1.0}\n\
        {\"step\":15,\"epoch\":0,\"loss/to\n\
        {\"step\":10,\"epoch\":0,\"loss/total\":3.5}\n\
        {\"step\":15,\"epoch\":1,\"loss/total\":2.5}\n\
        {\"step\":20,\"epo";

    #[test]
    fn the_later_of_two_lines_counts_and_torn_ones_do_not() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("metrics.jsonl"), LINES).unwrap();
        let expected = Curve::from([(5, 4.5), (10, 3.5), (15, 2.5)]);
        let curves = all(folder.path(), |_| true);
        assert_eq!(curves["loss/total"], expected);
        for (tag, curve) in &curves {
            assert_eq!(&one(folder.path(), tag), curve, "{tag}");
        }
        assert!(one(folder.path(), "loss").is_empty());
        let last = last(folder.path());
        assert_eq!((last["step"], last["loss/total"]), (15.0, 2.5));
        assert_eq!(last["eval/knn_top1"], 50.0);
    }

    #[test]
    fn no_file_is_no_curve() {
        let folder = tempfile::tempdir().unwrap();
        assert!(all(folder.path(), |_| true).is_empty());
        assert!(one(folder.path(), "a").is_empty() && last(folder.path()).is_empty());
    }
}
