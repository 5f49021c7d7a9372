//! From YAML and `--set` to a [`Config`], with errors that say where and what was meant.

use std::path::{Path, PathBuf};

use serde_yaml::{Mapping, Value};

use super::error::{Error, parse_error};
use super::schema::Config;
use super::split::{BASE, File, SWEEP};
use super::values::at_home;
use super::yaml;
use crate::slots::Slot;

pub use super::shipped::SHIPPED;

/// What a person asked for.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// A file, or the name of a shipped configuration; the default is `embedded`.
    pub config: Option<String>,
    /// `a.b=c`, in the order in which they were given.
    pub set: Vec<String>,
}

/// A configuration with the folder it came from.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// What it says.
    pub config: Config,
    /// Its file's folder, beside which scripts are looked for.
    pub folder: Option<PathBuf>,
}

/// Loads what was asked for.
///
/// # Errors
/// An [`Error`] that names the file, line and column, or the `--set`.
pub fn load(request: &Request) -> Result<Loaded, Error> {
    let name = request.config.as_deref().unwrap_or("embedded");
    let (bases, sets): (Vec<_>, Vec<_>) = request.set.iter().partition(|set| is_base(set));
    let base = bases.last().map(|set| &set[BASE.len() + 1..]);
    let Layer {
        mut config,
        mut tree,
        folder,
    } = layer(name, None, base, 0)?;
    for set in sets {
        apply(&mut tree, set)?;
        config = settled(&tree, &format!("--set {set}"))?;
    }
    config.data.dir = at_home("data.dir", &config.data.dir)?;
    config.model.init = at_home("model.init", &config.model.init)?;
    Ok(Loaded {
        config: config.settle(),
        folder,
    })
}

/// A configuration with `set`, keys with dots, in the place of its own values.
///
/// # Errors
/// An [`Error`] that names the `--set`.
pub fn changed(config: &Config, set: &[String]) -> Result<Config, Error> {
    let tree = serde_yaml::to_value(config);
    let mut tree = tree.map_err(|error| parse_error("config", &error))?;
    let mut config = config.clone();
    for set in set {
        apply(&mut tree, set)?;
        config = settled(&tree, &format!("--set {set}"))?;
    }
    config.data.dir = at_home("data.dir", &config.data.dir)?;
    Ok(config.settle())
}

fn is_base(set: &str) -> bool {
    set.strip_prefix(BASE)
        .is_some_and(|rest| rest.starts_with('='))
}

/// The tree is read as the text that it is: a tree's own reader is stricter, and would blame `place` for what a file may say.
fn settled(tree: &Value, place: &str) -> Result<Config, Error> {
    let text = serde_yaml::to_string(tree).map_err(|error| parse_error(place, &error))?;
    yaml::from_str(&text).map_err(|error| match parse_error(place, &error) {
        // Lines of that text are nobody's.
        Error::Parse { message, .. } => Error::Parse {
            place: place.to_owned(),
            message,
        },
        other => other,
    })
}

/// What a file says, on top of what its base says.
struct Layer {
    config: Config,
    tree: Value,
    folder: Option<PathBuf>,
}

/// Bases of bases end somewhere.
const DEEPEST: usize = 8;

/// Reads a file and its base; `base` takes the place of the one that it names. `beside` is where its name may also be looked for.
fn layer(
    name: &str,
    beside: Option<&Path>,
    base: Option<&str>,
    depth: usize,
) -> Result<Layer, Error> {
    let found = beside
        .map(|folder| folder.join(name))
        .filter(|path| path.is_file());
    let found = found.map(|path| path.display().to_string());
    let (file, text, folder) = text(found.as_deref().unwrap_or(name))?;
    // Once as it stands, because only then errors have lines and columns.
    let File {
        mut config,
        base: named,
        ..
    } = parsed(&file, &text)?;
    let mut tree: Value = yaml::from_str(&text).map_err(|error| parse_error(&file, &error))?;
    if tree.is_null() {
        tree = Value::Mapping(Mapping::new());
    }
    if let Value::Mapping(keys) = &mut tree {
        keys.remove(BASE);
        keys.remove(SWEEP);
        // A section with nothing in it says nothing.
        keys.retain(|_, value| !value.is_null());
    }
    let bad = |message: String| Error::Value {
        key: format!("{file}: {BASE}"),
        message,
    };
    let named = match &named {
        Some(Value::String(named)) => Some(named.as_str()),
        Some(other) => {
            let found = serde_yaml::to_string(other).unwrap_or_default();
            return Err(bad(format!(
                "expected the name of a configuration or a file, found {}",
                found.trim()
            )));
        }
        None => None,
    };
    if let Some(base) = base.or(named) {
        if depth == DEEPEST {
            return Err(bad(format!(
                "expected at most {DEEPEST} bases on top of each other; is it its own?"
            )));
        }
        let below = layer(base, folder.as_deref(), None, depth + 1)?;
        tree = on_top(below.tree, tree);
        config = settled(&tree, &file)?;
    }
    Ok(Layer {
        config,
        tree,
        folder,
    })
}

/// A file's text as what it says, with errors that have lines and columns.
fn parsed(file: &str, text: &str) -> Result<File, Error> {
    let found = yaml::from_str(text);
    // Its own error calls it an unknown field, or a parameter that a policy has not.
    let tree = yaml::from_str::<Value>(text);
    if tree.is_ok_and(|tree| merges(&tree)) {
        let line = text
            .lines()
            .position(|line| line.contains(MERGE))
            .map(|at| at + 1);
        return Err(Error::Parse {
            place: line.map_or(file.to_owned(), |line| format!("{file}:{line}")),
            message: format!(
                "merge keys ('{MERGE}') are not taken: write the keys out, or say 'base: NAME' to change another configuration"
            ),
        });
    }
    found.map_err(|error| parse_error(file, &error))
}

/// The key by which YAML 1.1 takes over the keys of another map.
const MERGE: &str = "<<";

/// Whether a map somewhere in it has a merge key.
fn merges(tree: &Value) -> bool {
    match tree {
        Value::Mapping(map) => map
            .iter()
            .any(|(key, value)| key.as_str() == Some(MERGE) || merges(value)),
        Value::Sequence(all) => all.iter().any(merges),
        _ => false,
    }
}

/// Keys of `top` take the place of those below. A slot that names its script begins anew: parameters belong to a script.
fn on_top(below: Value, top: Value) -> Value {
    let (mut all, top) = match (below, top) {
        (Value::Mapping(below), Value::Mapping(top)) => (below, top),
        (_, top) => return top,
    };
    for (key, value) in top {
        let names_script = value.get("script").is_some();
        let merged = match all.get(&key) {
            Some(old) if !names_script => on_top(old.clone(), value),
            _ => value,
        };
        all.insert(key, merged);
    }
    Value::Mapping(all)
}

/// What a configuration says under its key `sweep`, with the name of its file.
///
/// # Errors
/// As [`load`].
pub fn sweep(config: Option<&str>) -> Result<Option<(String, Value)>, Error> {
    let (file, text, _) = text(config.unwrap_or("embedded"))?;
    let File { sweep, .. } = parsed(&file, &text)?;
    Ok(sweep.map(|sweep| (file, sweep)))
}

fn text(name: &str) -> Result<(String, String, Option<PathBuf>), Error> {
    let path = Path::new(name);
    if path.is_file() {
        let text = std::fs::read_to_string(path).map_err(|source| Error::Read {
            path: path.into(),
            source,
        })?;
        // What some editors put before a text says nothing.
        let text = text.trim_start_matches('\u{feff}').to_owned();
        let folder = path.parent().map(Path::to_path_buf);
        return Ok((name.to_owned(), text, folder));
    }
    let bare = name.trim_end_matches(".yaml");
    let bare = bare.strip_prefix("configs/").unwrap_or(bare);
    match SHIPPED.iter().find(|(shipped, _)| *shipped == bare) {
        Some((shipped, text)) => Ok((format!("configs/{shipped}.yaml"), (*text).to_owned(), None)),
        None => Err(Error::Missing {
            name: name.to_owned(),
        }),
    }
}

/// Puts the value of `a.b=c`, read as YAML, into the tree.
fn apply(tree: &mut Value, set: &str) -> Result<(), Error> {
    let bad = |message: String| Error::Parse {
        place: format!("--set {set}"),
        message,
    };
    let (path, value) = set
        .split_once('=')
        .ok_or_else(|| bad("expected KEY=VALUE, as in optim.lr=0.1".into()))?;
    let value = value_of(path, value).map_err(bad)?;
    match (Slot::named(path), &value) {
        // As a file's section that names its script begins anew: parameters belong to a script.
        (Some(_), Value::String(_)) => {
            let script = Mapping::from_iter([(Value::from("script"), value)]);
            put(tree, path, Value::Mapping(script)).map_err(bad)
        }
        (Some(slot), Value::Null) => Err(bad(format!(
            "expected a script for slot '{slot}', or keys of it as in {slot}.script=FILE, found nothing"
        ))),
        _ => put(tree, path, value).map_err(bad),
    }
}

/// The value that a text means for a key: of one that holds a text the text itself, else what YAML reads.
///
/// # Errors
/// What is no YAML.
pub fn value_of(key: &str, text: &str) -> Result<Value, String> {
    match is_text(key) && !is_quoted(text) {
        true => Ok(Value::String(text.to_owned())),
        // Its own error names a type of Rust.
        false if text.parse::<f64>().is_ok() && yaml::from_str::<Value>(text).is_err() => {
            Err(format!("expected a number of 64 bits, found {text}"))
        }
        false => match yaml::from_str(text).map_err(|error| error.to_string())? {
            Value::Number(number) if number.as_f64() == Some(0.0) && says_more_than_0(text) => {
                Err(format!("'{text}' is nearer to 0 than a number can be"))
            }
            value => Ok(value),
        },
    }
}

/// Whether a text of a number has a digit before its exponent that is none of 0.
fn says_more_than_0(text: &str) -> bool {
    let decimal = !text.trim_start_matches(['-', '+']).starts_with("0x");
    let digits = text.split(['e', 'E']).next().unwrap_or_default();
    decimal && digits.contains(|c: char| c.is_ascii_digit() && c != '0')
}

/// Whether a key holds a text: then `2019` and `set #2` are texts too, which YAML reads as something else.
fn is_text(path: &str) -> bool {
    let of_slot = |(slot, key): (&str, &str)| {
        Slot::named(slot).is_some() && ["script", "plugin"].contains(&key)
    };
    let default = serde_yaml::to_value(Config::default()).unwrap_or_default();
    let mut keys = path.split('.');
    let found = keys.try_fold(&default, |tree, key| tree.get(key));
    found.is_some_and(Value::is_string) || path.split_once('.').is_some_and(of_slot)
}

/// Whether somebody has written the text as YAML does.
fn is_quoted(value: &str) -> bool {
    ['"', '\'']
        .iter()
        .any(|quote| value.len() > 1 && value.starts_with(*quote) && value.ends_with(*quote))
}

/// Puts a value at a key with dots.
pub(super) fn put(tree: &mut Value, path: &str, value: Value) -> Result<(), String> {
    let mut place = tree;
    let mut keys = path.split('.').peekable();
    while let Some(key) = keys.next() {
        let Value::Mapping(map) = place else {
            return Err(format!("'{key}' is asked of something that has no keys"));
        };
        let entry = map.entry(Value::String(key.to_owned()));
        place = entry.or_insert_with(|| match keys.peek() {
            Some(_) => Value::Mapping(Mapping::new()),
            None => Value::Null,
        });
        if place.is_null() && keys.peek().is_some() {
            *place = Value::Mapping(Mapping::new());
        }
    }
    *place = value;
    Ok(())
}
