//! One key of a sweep with its values, as `KEY=V1,V2` says it.

use serde_yaml::Value;

use super::job::{Job, Override, short};
use crate::config::load::value_of;

/// The key over whose values a variant's numbers are averaged.
const SEED: &str = "seed";

/// The values of one key.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Axis {
    pub(super) key: String,
    pub(super) values: Vec<Value>,
}

impl Axis {
    /// The job with one more override, which tells it from others unless all have it.
    pub(super) fn extend(&self, job: &Job, value: &Value) -> Job {
        let mut job = job.clone();
        if self.values.len() > 1 || self.key == SEED {
            job.what.push(format!("{}={}", self.key, short(value)));
        }
        job.overrides.push(Override {
            key: self.key.clone(),
            value: value.clone(),
        });
        job
    }
}

/// `KEY=V1,V2`, each value as `--set` reads it.
pub(super) fn axis(arg: &str) -> Result<Axis, String> {
    let (key, values) = arg
        .split_once('=')
        .ok_or("expected KEY=V1,V2, as in sampler=random,hard")?;
    let values = split(values)
        .into_iter()
        .map(|value| match value.trim() {
            "" => Err("expected a value between two commas, found nothing".to_owned()),
            value => value_of(key.trim(), value).map_err(|error| format!("'{value}': {error}")),
        })
        .collect::<Result<_, _>>()?;
    Ok(Axis {
        key: key.trim().to_owned(),
        values,
    })
}

/// Splits at the commas that stand outside brackets and quotes.
fn split(values: &str) -> Vec<&str> {
    let (mut depth, mut quote, mut start) = (0, None, 0);
    let mut parts = Vec::new();
    for (at, c) in values.char_indices() {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (Some(_), _) => {}
            (None, '"' | '\'') => quote = Some(c),
            (None, '[' | '{') => depth += 1,
            (None, ']' | '}') => depth -= 1,
            (None, ',') if depth == 0 => {
                parts.push(&values[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&values[start..]);
    parts
}
