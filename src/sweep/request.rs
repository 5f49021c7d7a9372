//! What a sweep was asked to vary, from `KEY=V1,V2` or a configuration's key `sweep`, and the jobs that this makes.

use serde_yaml::{Mapping, Value};

use super::Error;
use super::axis::{Axis, axis};
use super::job::{Job, Override, text};

/// The key of a file's `sweep` that holds named variants instead of values.
const VARIANTS: &str = "variants";

/// A name for overrides that belong together.
#[derive(Clone, Debug, PartialEq)]
struct Variant {
    name: String,
    overrides: Vec<Override>,
}

/// What a sweep varies: named variants, if there are any, times the product of the keys.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Request {
    variants: Vec<Variant>,
    axes: Vec<Axis>,
}

impl Request {
    /// Reads what a file says under `sweep` (with the file's name) and what the command line says in its place or beside it.
    ///
    /// # Errors
    /// What is not of the form that is expected, with its place.
    pub fn parse(section: Option<&(String, Value)>, args: &[String]) -> Result<Self, Error> {
        let mut request = Self::default();
        if let Some((file, section)) = section {
            request
                .read(section)
                .map_err(|message| place(file, message))?;
        }
        for arg in args {
            let axis = axis(arg).map_err(|message| place(&format!("-m {arg}"), message))?;
            request.put(axis);
        }
        request.check()?;
        Ok(request)
    }

    fn read(&mut self, section: &Value) -> Result<(), String> {
        let Value::Mapping(keys) = section else {
            return Err(format!(
                "expected {{KEY: [V1, V2], ...}}, found '{}'",
                text(section)
            ));
        };
        for (key, value) in keys {
            let key = text(key);
            match value {
                Value::Mapping(variants) if key == VARIANTS => self.variants = named(variants)?,
                Value::Sequence(values) if key != VARIANTS => self.put(Axis {
                    key,
                    values: values.clone(),
                }),
                other => {
                    let form = if key == VARIANTS {
                        "{NAME: {KEY: VALUE}}"
                    } else {
                        "[V1, V2]"
                    };
                    return Err(format!("{key}: expected {form}, found '{}'", text(other)));
                }
            }
        }
        Ok(())
    }

    /// The command line's values take the place of the file's.
    fn put(&mut self, axis: Axis) {
        match self.axes.iter_mut().find(|known| known.key == axis.key) {
            Some(known) => *known = axis,
            None => self.axes.push(axis),
        }
    }

    fn check(&self) -> Result<(), Error> {
        if self.axes.is_empty() && self.variants.is_empty() {
            let expected = "nothing to vary: expected KEY=V1,V2 after -m, or a key 'sweep' in the configuration";
            return Err(Error::Request(expected.into()));
        }
        for Axis { key, values } in &self.axes {
            if key.is_empty() || key == VARIANTS {
                let message = format!(
                    "'{key}': expected a key of the configuration; variants are named in a file"
                );
                return Err(place("sweep", message));
            }
            if values.is_empty() {
                return Err(place(
                    "sweep",
                    format!("{key}: expected at least one value, found none"),
                ));
            }
            let twice = (1..values.len()).find(|&at| values[..at].contains(&values[at]));
            if let Some(at) = twice {
                let message = format!("{key}: '{}' stands twice", text(&values[at]));
                return Err(place("sweep", message));
            }
            let variant = |variant: &&Variant| variant.overrides.iter().any(|o| o.key == *key);
            if let Some(variant) = self.variants.iter().find(variant) {
                let message = format!(
                    "'{key}' is varied, and variant '{}' sets it too",
                    variant.name
                );
                return Err(place("sweep", message));
            }
        }
        Ok(())
    }

    /// Refuses a key that is set for all jobs and varied too.
    ///
    /// # Errors
    /// That there is one.
    pub fn refuse_set<'a>(&self, keys: impl IntoIterator<Item = &'a str>) -> Result<(), Error> {
        let of_variants = self.variants.iter().flat_map(|variant| &variant.overrides);
        let varied: Vec<_> = of_variants
            .map(|o| &o.key)
            .chain(self.axes.iter().map(|axis| &axis.key))
            .collect();
        match keys
            .into_iter()
            .find(|key| varied.iter().any(|known| known == key))
        {
            None => Ok(()),
            Some(key) => Err(Error::Request(format!(
                "'{key}' is varied by the sweep and set for all its jobs"
            ))),
        }
    }

    /// All jobs: variants slowest, then the keys in their order, the last one fastest.
    pub fn jobs(&self) -> Vec<Job> {
        let mut jobs = vec![Job {
            what: Vec::new(),
            variant: String::new(),
            overrides: Vec::new(),
        }];
        if !self.variants.is_empty() {
            jobs = self.variants.iter().map(Variant::job).collect();
        }
        for axis in &self.axes {
            jobs = jobs
                .iter()
                .flat_map(|job| axis.values.iter().map(|value| axis.extend(job, value)))
                .collect();
        }
        for job in &mut jobs {
            let variant = job.what.iter().filter(|part| !part.starts_with("seed="));
            job.variant = variant.cloned().collect::<Vec<_>>().join(" ");
            if job.variant.is_empty() {
                job.variant = "all".into();
            }
        }
        jobs
    }
}

impl Variant {
    fn job(&self) -> Job {
        Job {
            what: vec![self.name.clone()],
            variant: String::new(),
            overrides: self.overrides.clone(),
        }
    }
}

fn place(place: &str, message: impl std::fmt::Display) -> Error {
    Error::Request(format!("{place}: {message}"))
}

fn named(variants: &Mapping) -> Result<Vec<Variant>, String> {
    let mut all = Vec::new();
    for (name, overrides) in variants {
        let name = text(name);
        let overrides = match overrides {
            Value::Null => Vec::new(),
            Value::Mapping(keys) => keys
                .iter()
                .map(|(key, value)| Override {
                    key: text(key),
                    value: value.clone(),
                })
                .collect(),
            other => {
                return Err(format!(
                    "{VARIANTS}.{name}: expected {{KEY: VALUE}}, found '{}'",
                    text(other)
                ));
            }
        };
        all.push(Variant { name, overrides });
    }
    if all.is_empty() {
        return Err(format!("{VARIANTS}: expected at least one, found none"));
    }
    Ok(all)
}

#[cfg(test)]
mod tests;
