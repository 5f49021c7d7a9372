//! Faults as a SARIF 2.1.0 log: what editors and code scanning read.

use std::path::Path;

use serde_json::{Value, json};

use super::outcome::Outcome;
use crate::slots::Kind;

const SCHEMA: &str =
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json";

/// The log of one run of `sandbox check`, with a result for each file that cannot be used.
pub(super) fn log(results: &[(&Path, Outcome)]) -> Value {
    let rules: Vec<_> = Kind::ALL
        .iter()
        .map(|kind| {
            json!({
                "id": kind.name(),
                "name": format!("Policy{}", capital(kind.name())),
                "shortDescription": {"text": kind.about()},
                "defaultConfiguration": {"level": "error"},
            })
        })
        .collect();
    let driver =
        json!({"name": "sandbox", "semanticVersion": env!("CARGO_PKG_VERSION"), "rules": rules});
    let results: Vec<_> = results
        .iter()
        .map(|(file, outcome)| result(file, outcome))
        .collect();
    json!({
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": driver},
            "columnKind": "unicodeCodePoints",
            "invocations": [{"executionSuccessful": true}],
            "results": results,
        }],
    })
}

fn result(file: &Path, outcome: &Outcome) -> Value {
    let named = file.display().to_string();
    let (kind, message, report, place) = match outcome {
        Outcome::Unusable(message) => (Kind::Missing, message, message, None),
        Outcome::Fault(fault) => (
            fault.kind,
            &fault.message,
            &fault.report,
            fault.place.as_ref(),
        ),
    };
    // What has no place of its own is shown at the beginning of the file.
    let (named, line, column) = place.map_or((&named, 1, 1), |place| {
        (&place.file, place.line, place.column)
    });
    let rule = Kind::ALL.iter().position(|known| *known == kind);
    json!({
        "ruleId": kind.name(),
        "ruleIndex": rule,
        "level": "error",
        "message": {"text": message},
        "locations": [{
            "physicalLocation": {
                "artifactLocation": {"uri": uri(named)},
                "region": {"startLine": line, "startColumn": column},
            },
        }],
        "properties": {"report": report},
    })
}

/// A path as a relative reference, or as a `file` URI where it is absolute.
fn uri(path: &str) -> String {
    let mut text = match path.starts_with('/') {
        true => "file://".to_owned(),
        false => String::new(),
    };
    for byte in path.trim_start_matches("./").bytes() {
        match byte {
            b'/' | b'-' | b'.' | b'_' | b'~' => text.push(byte.into()),
            byte if byte.is_ascii_alphanumeric() => text.push(byte.into()),
            byte => text.push_str(&format!("%{byte:02X}")),
        }
    }
    text
}

fn capital(word: &str) -> String {
    let mut letters = word.chars();
    let first = letters.next().map(|letter| letter.to_ascii_uppercase());
    first.into_iter().chain(letters).collect()
}
