//! A policy's state as it lies in a checkpoint and is handed from one generation to the next.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use tch::{Device, Tensor};

/// The key of a plugin's state; no script's variable is called so.
const PLUGIN: &str = "$plugin";

/// A state: a tree, and the tensors that it refers to by name.
#[derive(Debug, Default)]
pub struct Saved {
    /// Of a script: what `this` holds, with `{"$tensor": NAME}` in the place of each tensor. Of a plugin: `{"$plugin": NAME,
    /// "version": N}`, its bytes being the tensor `bytes`; the version is 0 where it has no state.
    pub tree: Value,
    /// The tensors.
    pub tensors: BTreeMap<String, Tensor>,
}

/// The state of a plugin: bytes that only plugins can read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PluginState {
    /// The plugin's name.
    pub plugin: String,
    /// The version of the bytes; 0 where there are none.
    pub version: u32,
    /// What its `save` gave.
    pub bytes: Vec<u8>,
}

impl From<PluginState> for Saved {
    fn from(state: PluginState) -> Self {
        let tree = json!({ PLUGIN: state.plugin, "version": state.version });
        let bytes = Tensor::from_slice(&state.bytes);
        Self {
            tree,
            tensors: BTreeMap::from([("bytes".to_owned(), bytes)]),
        }
    }
}

impl Saved {
    /// The state, if it is one of a plugin.
    ///
    /// # Errors
    /// A text when the bytes are missing.
    pub fn plugin(&self) -> Result<Option<PluginState>, String> {
        let Some(plugin) = self.tree.get(PLUGIN).and_then(Value::as_str) else {
            return Ok(None);
        };
        let bytes = self
            .tensors
            .get("bytes")
            .ok_or("tensor 'bytes' is missing")?;
        let bytes =
            Vec::<u8>::try_from(bytes.to_device(Device::Cpu)).map_err(|error| error.to_string())?;
        let version = self.tree["version"]
            .as_u64()
            .and_then(|version| version.try_into().ok());
        Ok(Some(PluginState {
            plugin: plugin.to_owned(),
            version: version.ok_or("it has no version")?,
            bytes,
        }))
    }

    /// Takes in the tensors of another state, each under `prefix.NAME`; returns its tree.
    pub fn take_in(&mut self, prefix: &str, part: Saved) -> Value {
        let named = part.tensors.into_iter();
        self.tensors
            .extend(named.map(|(name, tensor)| (format!("{prefix}.{name}"), tensor)));
        part.tree
    }

    /// The state with that tree whose tensors stand here under `prefix.NAME`.
    pub fn part(&self, prefix: &str, tree: Value) -> Saved {
        let own = self.tensors.iter().filter_map(|(name, tensor)| {
            let name = name.strip_prefix(prefix)?.strip_prefix('.')?;
            Some((name.to_owned(), tensor.shallow_clone()))
        });
        Saved {
            tree,
            tensors: own.collect(),
        }
    }

    /// Whether it is the state of a script that keeps nothing.
    pub fn is_empty(&self) -> bool {
        self.tree.as_object().is_none_or(serde_json::Map::is_empty)
    }
}

/// What became of the state of the generation before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Handover {
    /// There was none.
    Nothing,
    /// The new generation goes on with it.
    Taken,
    /// The new generation does not know it and begins anew, for the reason given.
    Fresh(String),
}
