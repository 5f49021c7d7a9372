//! From YAML and `--set` to a [`Config`], with errors that say where and what was meant.

use std::path::{Path, PathBuf};

use serde_yaml::{Mapping, Value};
use thiserror::Error;

use super::schema::Config;
use super::split::{BASE, File, SWEEP};
use crate::ground::suggest;

/// The configurations that the binary carries.
pub const SHIPPED: &[(&str, &str)] = &[
    ("embedded", include_str!("../../configs/embedded.yaml")),
    (
        "moco_interclr_cifar10",
        include_str!("../../configs/moco_interclr_cifar10.yaml"),
    ),
    (
        "moco_interclr_imagenet",
        include_str!("../../configs/moco_interclr_imagenet.yaml"),
    ),
    (
        "studies/labels",
        include_str!("../../configs/studies/labels.yaml"),
    ),
    (
        "studies/samplers",
        include_str!("../../configs/studies/samplers.yaml"),
    ),
    (
        "studies/boundaries",
        include_str!("../../configs/studies/boundaries.yaml"),
    ),
    (
        "studies/methods",
        include_str!("../../configs/studies/methods.yaml"),
    ),
];

/// Why a configuration cannot be used.
#[derive(Debug, Error)]
pub enum Error {
    /// There is no such file and no such shipped configuration.
    #[error(
        "no configuration '{name}': no such file, and shipped are {}",
        shipped()
    )]
    Missing {
        /// The name that was given.
        name: String,
    },
    /// The file cannot be read.
    #[error("cannot read '{}': {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The text is no YAML or says something that the schema does not know.
    #[error("{place}: {message}")]
    Parse {
        /// `FILE:LINE:COLUMN`, or the `--set` that said it.
        place: String,
        /// What is wrong.
        message: String,
    },
    /// A value that the schema allows but that makes no sense.
    #[error("{key}: {message}")]
    Value {
        /// The key, with dots.
        key: String,
        /// What was expected and what was found.
        message: String,
    },
}

fn shipped() -> String {
    SHIPPED
        .iter()
        .map(|(name, _)| *name)
        .collect::<Vec<_>>()
        .join(", ")
}

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
    Ok(Loaded {
        config: config.settle(),
        folder,
    })
}

fn is_base(set: &str) -> bool {
    set.strip_prefix(BASE)
        .is_some_and(|rest| rest.starts_with('='))
}

fn settled(tree: &Value, place: &str) -> Result<Config, Error> {
    serde_yaml::from_value(tree.clone()).map_err(|error| parse_error(place, &error))
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
    } = serde_yaml::from_str(&text).map_err(|error| parse_error(&file, &error))?;
    let mut tree: Value =
        serde_yaml::from_str(&text).map_err(|error| parse_error(&file, &error))?;
    if tree.is_null() {
        tree = Value::Mapping(Mapping::new());
    }
    if let Value::Mapping(keys) = &mut tree {
        keys.remove(BASE);
        keys.remove(SWEEP);
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
    let File { sweep, .. } =
        serde_yaml::from_str(&text).map_err(|error| parse_error(&file, &error))?;
    Ok(sweep.map(|sweep| (file, sweep)))
}

fn text(name: &str) -> Result<(String, String, Option<PathBuf>), Error> {
    let path = Path::new(name);
    if path.is_file() {
        let text = std::fs::read_to_string(path).map_err(|source| Error::Read {
            path: path.into(),
            source,
        })?;
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
    let value: Value = serde_yaml::from_str(value).map_err(|error| bad(error.to_string()))?;
    put(tree, path, value).map_err(bad)
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

/// serde's message with its place in front and a "did you mean" behind.
pub(super) fn parse_error(file: &str, error: &serde_yaml::Error) -> Error {
    let full = error.to_string();
    let message = full
        .rfind(" at line ")
        .map_or(full.as_str(), |at| &full[..at])
        .replace('`', "'");
    let place = match error.location() {
        Some(location) => format!("{file}:{}:{}", location.line(), location.column()),
        None => file.to_owned(),
    };
    let message = match meant(&message) {
        Some(near) => format!("{message}; did you mean '{near}'?"),
        None => message,
    };
    Error::Parse { place, message }
}

/// The known name nearest to an unknown one, from a message such as "unknown field 'x', expected one of 'a', 'b'".
fn meant(message: &str) -> Option<String> {
    let rest = &message[message.find("unknown ")?..];
    let mut quoted = rest.split('\'').skip(1).step_by(2);
    let unknown = quoted.next()?;
    suggest::nearest(unknown, quoted).map(str::to_owned)
}
