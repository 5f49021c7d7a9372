//! `metrics.jsonl`: one line of JSON for each step that is recorded, for `tail`, `grep`, `jq` and the tests.

use std::path::Path;

use serde_json::{Map, Value};

use super::Result;
use super::lines::Lines;

/// The open file, at its end.
///
/// A resumed run repeats the steps after its checkpoint: of two lines with one step, the later one counts.
pub struct Metrics(Lines);

impl Metrics {
    /// Opens the file at its end, and makes it if there is none.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub fn append(path: &Path) -> Result<Self> {
        Lines::append(path).map(Self)
    }

    /// Appends `{"step":..,"epoch":..,<scalars in the given order>}`; a number that JSON lacks becomes the string
    /// "NaN", "Infinity" or "-Infinity".
    pub fn line(&mut self, step: u64, epoch: u64, scalars: &[(String, f64)]) {
        let mut fields = Map::with_capacity(scalars.len() + 2);
        fields.insert("step".into(), step.into());
        fields.insert("epoch".into(), epoch.into());
        for (name, value) in scalars {
            fields.insert(name.clone(), number(*value));
        }
        self.0.line(&fields);
    }

    /// Tries again to write what waits, and says what is missing all the same.
    pub fn finish(&mut self) -> Option<String> {
        self.0.finish()
    }
}

/// A number as it stands in JSON: one that JSON lacks becomes the string "NaN", "Infinity" or "-Infinity".
pub(crate) fn number(value: f64) -> Value {
    let name = match value {
        value if value.is_nan() => "NaN",
        f64::INFINITY => "Infinity",
        f64::NEG_INFINITY => "-Infinity",
        value => return value.into(),
    };
    name.into()
}

/// What [`number`] made of a number; none for anything else.
pub(crate) fn value(number: &Value) -> Option<f64> {
    match number.as_str() {
        Some("NaN") => Some(f64::NAN),
        Some("Infinity") => Some(f64::INFINITY),
        Some("-Infinity") => Some(f64::NEG_INFINITY),
        _ => number.as_f64(),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn numbers_keep_their_order_and_the_others_have_names() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("metrics.jsonl");
        let mut metrics = Metrics::append(&path).unwrap();
        let scalars = [
            ("z".to_owned(), 0.1),
            ("a".to_owned(), f64::NAN),
            ("m".to_owned(), f64::INFINITY),
            ("b".to_owned(), f64::NEG_INFINITY),
        ];
        metrics.line(3, 1, &scalars);
        assert_eq!(
            fs::read_to_string(&path).unwrap(),
            "{\"step\":3,\"epoch\":1,\"z\":0.1,\"a\":\"NaN\",\"m\":\"Infinity\",\"b\":\"-Infinity\"}\n"
        );
    }

    #[test]
    fn a_torn_line_stays_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("metrics.jsonl");
        fs::write(&path, b"{\"step\":1,\"epoch\":0}\n{\"step\":2,\"ep").unwrap();
        Metrics::append(&path).unwrap().line(2, 0, &[]);
        let text = fs::read_to_string(&path).unwrap();
        assert_eq!(text.lines().last(), Some("{\"step\":2,\"epoch\":0}"));
        Metrics::append(&path).unwrap().line(3, 0, &[]);
        assert_eq!(fs::read_to_string(&path).unwrap().lines().count(), 4);
    }

    #[test]
    fn a_full_disk_stops_the_lines_only() {
        let full = fs::File::options().write(true).open("/dev/full").unwrap();
        let mut metrics = Metrics(Lines::on(Path::new("/dev/full"), full));
        metrics.line(1, 0, &[]);
        metrics.line(2, 0, &[]);
        let missing = metrics.finish().unwrap();
        assert!(
            missing.starts_with("'/dev/full': ")
                && missing.ends_with(" bytes could not be written"),
            "{missing}"
        );
    }
}
