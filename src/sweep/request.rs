//! What a sweep was asked to vary, from `KEY=V1,V2` or a configuration's key `sweep`, and the jobs that this makes.

use serde_yaml::{Mapping, Value};

use super::Error;
use super::job::{Job, Override, short, text};

/// The key of a file's `sweep` that holds named variants instead of values.
const VARIANTS: &str = "variants";

/// The key over whose values a variant's numbers are averaged.
const SEED: &str = "seed";

/// The values of one key.
#[derive(Clone, Debug, PartialEq)]
struct Axis {
    key: String,
    values: Vec<Value>,
}

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

impl Axis {
    /// The job with one more override, which tells it from others unless all have it.
    fn extend(&self, job: &Job, value: &Value) -> Job {
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

/// `KEY=V1,V2`, each value read as YAML.
fn axis(arg: &str) -> Result<Axis, String> {
    let (key, values) = arg
        .split_once('=')
        .ok_or("expected KEY=V1,V2, as in sampler=random,hard")?;
    let values = split(values)
        .into_iter()
        .map(|value| match value.trim() {
            "" => Err("expected a value between two commas, found nothing".to_owned()),
            value => serde_yaml::from_str(value).map_err(|error| format!("'{value}': {error}")),
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::slots::Slot;

    fn parse(args: &[&str]) -> Result<Request, Error> {
        let args: Vec<_> = args.iter().map(|arg| (*arg).to_owned()).collect();
        Request::parse(None, &args)
    }

    fn file(section: &str, args: &[&str]) -> Result<Request, Error> {
        let args: Vec<_> = args.iter().map(|arg| (*arg).to_owned()).collect();
        let section = serde_yaml::from_str(section).unwrap();
        Request::parse(Some(&("x.yaml".to_owned(), section)), &args)
    }

    fn labels(request: &Request) -> Vec<String> {
        request.jobs().iter().map(Job::label).collect()
    }

    #[test]
    fn the_first_key_is_the_slowest() {
        let request = parse(&["a=1,2", "b=x,y,z", "seed=0,1"]).unwrap();
        let mut expected = Vec::new();
        for a in ["1", "2"] {
            for b in ["x", "y", "z"] {
                for seed in ["0", "1"] {
                    expected.push(format!("a={a} b={b} seed={seed}"));
                }
            }
        }
        assert_eq!(labels(&request), expected);
        let job = &request.jobs()[3];
        assert_eq!(job.variant, "a=1 b=y");
        assert_eq!(job.sets(), ["a=1", "b=y", "seed=1"]);
    }

    #[test]
    fn a_value_with_brackets_or_quotes_is_one_value() {
        let request = parse(&[
            "views.crop=[0.2,1],[0.3, 1.0]",
            "name='a,b',c",
            "m={p: 1, q: [2,3]}",
        ])
        .unwrap();
        let sets: Vec<_> = request.jobs().iter().map(Job::sets).collect();
        let map = "m={\"p\":1,\"q\":[2,3]}";
        assert_eq!(sets[0], ["views.crop=[0.2,1]", "name=a,b", map]);
        assert_eq!(sets[3], ["views.crop=[0.3,1.0]", "name=c", map]);
        assert_eq!(sets.len(), 4);
    }

    #[test]
    fn variants_come_first_and_the_command_line_replaces_the_file() {
        let section = "{seed: [0, 1, 2], variants: {online: {labels: online}, offline: {labels: offline, labels.epochs_every: 1}, none: }}";
        let request = file(section, &["seed=7,8", "optim.lr=0.1"]).unwrap();
        assert_eq!(
            labels(&request),
            [
                "online seed=7",
                "online seed=8",
                "offline seed=7",
                "offline seed=8",
                "none seed=7",
                "none seed=8"
            ]
        );
        let job = &request.jobs()[3];
        assert_eq!(job.variant, "offline");
        assert_eq!(
            job.sets(),
            ["labels.epochs_every=1", "seed=8", "optim.lr=0.1"]
        );
        assert_eq!(
            job.scripts(),
            [(Slot::Labels, "labels/offline.rhai".into())]
        );
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        for (args, said) in [
            (&["seed"][..], "-m seed: expected KEY=V1,V2"),
            (
                &["seed=1,,2"],
                "-m seed=1,,2: expected a value between two commas, found nothing",
            ),
            (&["seed="], "found nothing"),
            (&["seed=1,2,1"], "seed: '1' stands twice"),
            (&["lr=0.1,0.10"], "lr: '0.1' stands twice"),
            (&["=1"], "expected a key"),
            (&["variants=a"], "variants are named in a file"),
            (&["a=[1"], "-m a=[1: '[1': "),
            (&[], "nothing to vary"),
        ] {
            let error = parse(args).unwrap_err().to_string();
            assert!(error.contains(said), "{args:?}: {error}");
        }
        for (section, said) in [
            ("[1]", "x.yaml: expected {KEY: [V1, V2], ...}, found '[1]'"),
            ("{seed: 3}", "x.yaml: seed: expected [V1, V2], found '3'"),
            ("{seed: []}", "seed: expected at least one value"),
            ("{variants: [a]}", "variants: expected {NAME: {KEY: VALUE}}"),
            ("{variants: {}}", "variants: expected at least one"),
            (
                "{variants: {a: 3}}",
                "variants.a: expected {KEY: VALUE}, found '3'",
            ),
            (
                "{variants: {a: {seed: 1}}, seed: [1, 2]}",
                "'seed' is varied, and variant 'a' sets it too",
            ),
        ] {
            let error = file(section, &[]).unwrap_err().to_string();
            assert!(error.contains(said), "{section}: {error}");
        }
        let request = parse(&["seed=1,2"]).unwrap();
        let error = request
            .refuse_set(["optim.lr", "seed"])
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("'seed' is varied by the sweep and set"),
            "{error}"
        );
        assert!(request.refuse_set(["optim.lr"]).is_ok());
    }
}
