//! The numbers of a run over its steps, from `metrics.jsonl`. Of two lines with one step the later one counts, since a resumed run
//! repeats steps; a torn line is left out.

use std::collections::BTreeMap;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

use serde_json::{Map, Value};

use crate::record::value;
use crate::storage;

/// A number of a run over its steps.
pub type Curve = BTreeMap<u64, f64>;

/// Bytes at a file's end in which its last whole line is looked for first; a line of metrics has one or two thousand.
const TAIL: u64 = 16 * 1024;
/// How much larger the next end is in which a rarer line is looked for.
const GROWS: u64 = 8;

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

/// How the tags of evaluations begin.
const EVALUATION: &str = "eval/";

/// The numbers of the last line in which there are some, of tags that are recorded more rarely their last ones in the file's end, and
/// those of the last evaluation wherever it stands.
pub fn last(run: &Path) -> BTreeMap<String, f64> {
    let path = run.join("metrics.jsonl");
    let mut last = BTreeMap::new();
    for line in tail(&path).lines() {
        last.extend(numbers(line));
    }
    if !last.keys().any(|tag| tag.starts_with(EVALUATION)) {
        let evaluated = last_line_with(&path, &format!("\"{EVALUATION}"));
        let evaluated = evaluated.iter().flat_map(|line| numbers(line));
        last.extend(evaluated.filter(|(tag, _)| tag.starts_with(EVALUATION)));
    }
    last
}

/// The numbers of a line by their tags; none of a torn one.
fn numbers(line: &str) -> impl Iterator<Item = (String, f64)> + use<> {
    let fields = parsed(line).map(|(_, fields)| fields).unwrap_or_default();
    let numbers = fields.into_iter();
    numbers.filter_map(|(tag, number)| Some((tag, value(&number)?)))
}

/// The last whole line in which this stands, looked for in ever larger ends of the file.
fn last_line_with(path: &Path, key: &str) -> Option<String> {
    let length = path.metadata().ok()?.len();
    let mut size = TAIL;
    loop {
        let text = end(path, size).ok()?;
        // The first line of an end may lack its beginning.
        let whole = text.lines().skip(usize::from(size < length));
        let found = whole
            .filter(|line| line.contains(key) && line.ends_with('}'))
            .last();
        if let Some(line) = found {
            return Some(line.to_owned());
        }
        if size >= length {
            return None;
        }
        size = size.saturating_mul(GROWS);
    }
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
    end(path, TAIL).unwrap_or_default()
}

/// So many bytes at a file's end.
fn end(path: &Path, size: u64) -> io::Result<String> {
    let mut file = storage::open(path)?;
    let start = file.metadata()?.len().saturating_sub(size);
    file.seek(SeekFrom::Start(start))?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
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
    fn an_evaluation_is_found_whatever_follows_it() {
        let folder = tempfile::tempdir().unwrap();
        let line = |step: u64| format!("{{\"step\":{step},\"epoch\":0,\"loss/total\":{step}.5}}\n");
        let evaluated = "{\"step\":2,\"epoch\":0,\"loss/total\":2.5,\"eval/knn_top1\":61.5}\n";
        let after: String = (3..20_000).map(line).collect();
        assert!(after.len() as u64 > TAIL * GROWS);
        fs::write(
            folder.path().join("metrics.jsonl"),
            format!("{}{evaluated}{after}", line(1)),
        )
        .unwrap();
        let last = last(folder.path());
        assert_eq!((last["step"], last["loss/total"]), (19_999.0, 19_999.5));
        assert_eq!(last["eval/knn_top1"], 61.5);
    }

    #[test]
    fn no_file_is_no_curve() {
        let folder = tempfile::tempdir().unwrap();
        assert!(all(folder.path(), |_| true).is_empty());
        assert!(one(folder.path(), "a").is_empty() && last(folder.path()).is_empty());
    }
}
