//! A script's state, `this`: what may stand in it, how it is saved and how a new generation takes it over.

use std::collections::BTreeMap;

use rhai::{Dynamic, Map};
use serde_json::Value;
use tch::Tensor;

use super::vocabulary::{Handle, kind_of, map_of};
use super::{Script, context, diagnostic};
use crate::policy::{Handover, PluginState, Saved};
use crate::slots::{Budget, Fault, Kind};

/// The key under which a saved state names one of its tensors.
const TENSOR: &str = "$tensor";

/// The key under which a saved state spells a float that JSON has no number for.
const FLOAT: &str = "$float";

impl Script {
    /// The state as it can be saved.
    ///
    /// # Errors
    /// A [`Fault`] that names what cannot be saved, such as a function pointer: it would come back as something else.
    pub fn save_state(&self) -> Result<Saved, Fault> {
        let mut tensors = BTreeMap::new();
        let tree = save(&self.state, "this", &mut tensors).map_err(|m| self.unreadable(&m))?;
        Ok(Saved { tree, tensors })
    }

    /// Takes a saved state, tensors on the device where they are. That of a plugin is bytes, which only `fn restore(old)` can make
    /// something of; it gets them as `#{ plugin, version, bytes }`.
    ///
    /// # Errors
    /// A [`Fault`] when the tree names a tensor that is not there, or of `restore`.
    pub fn load_state(&mut self, saved: &Saved) -> Result<Handover, Fault> {
        let plugin = saved
            .plugin()
            .map_err(|message| self.unreadable(&message))?;
        let Some(PluginState {
            plugin,
            version,
            bytes,
        }) = plugin
        else {
            self.state = load(&saved.tree, &saved.tensors).map_err(|m| self.unreadable(&m))?;
            return Ok(Handover::Taken);
        };
        if version == 0 {
            return Ok(Handover::Nothing);
        }
        if !self.has("restore") {
            return Ok(Handover::Fresh(format!(
                "the state of plugin '{plugin}' is bytes, and '{}' has no 'fn restore(old)' to read them",
                self.source.name()
            )));
        }
        let mut old = Map::new();
        old.insert("plugin".into(), plugin.into());
        old.insert("version".into(), Dynamic::from_int(version.into()));
        old.insert("bytes".into(), Dynamic::from_blob(bytes));
        self.restore(Dynamic::from_map(old))
    }

    /// Takes over the state of the generation before: through `fn restore(old)` where the script has one, else as it is.
    ///
    /// # Errors
    /// The fault of `restore`, or of what it answers.
    pub fn take_over(&mut self, old: &Script) -> Result<Handover, Fault> {
        if !self.has("restore") {
            self.state = old.state.clone();
            return Ok(Handover::Taken);
        }
        self.restore(old.state.clone())
    }

    fn unreadable(&self, message: &str) -> Fault {
        let message = format!("state of '{}': {message}", self.source.name());
        Fault::new(self.slot, Kind::State, message)
    }

    fn restore(&mut self, old: Dynamic) -> Result<Handover, Fault> {
        let state = self.call_raw("restore", vec![old], Budget::DECIDE)?;
        if !state.is_map() {
            let message = format!(
                "'restore' must answer the new state, a map, found {}",
                kind_of(&state)
            );
            return Err(diagnostic::at_function(
                self,
                Kind::State,
                "restore",
                message,
            ));
        }
        self.state = state;
        Ok(Handover::Taken)
    }

    /// The state as it is now, for [`Script::put_back`].
    pub fn state(&self) -> Dynamic {
        self.state.clone()
    }

    /// Puts the state back.
    pub fn put_back(&mut self, state: Dynamic) {
        self.state = state;
    }
}

fn save(
    value: &Dynamic,
    path: &str,
    tensors: &mut BTreeMap<String, Tensor>,
) -> Result<Value, String> {
    if let Some(map) = map_of(value) {
        let fields = map.iter().map(|(name, value)| {
            Ok((
                name.to_string(),
                save(value, &format!("{path}.{name}"), tensors)?,
            ))
        });
        return Ok(Value::Object(fields.collect::<Result<_, String>>()?));
    }
    if let Some(array) = value.read_lock::<rhai::Array>() {
        let items = array
            .iter()
            .enumerate()
            .map(|(i, value)| save(value, &format!("{path}.{i}"), tensors));
        return Ok(Value::Array(items.collect::<Result<_, String>>()?));
    }
    if let Some(handle) = value.read_lock::<Handle>() {
        tensors.insert(path.to_owned(), handle.tensor().shallow_clone());
        return Ok(serde_json::json!({ TENSOR: path }));
    }
    if let Some(float) = value.as_float().ok().filter(|float| !float.is_finite()) {
        return Ok(serde_json::json!({ FLOAT: float.to_string() }));
    }
    if value.is_unit() || value.is_bool() || value.is_int() || value.is_float() || value.is_string()
    {
        return rhai::serde::from_dynamic(value).map_err(|error| error.to_string());
    }
    Err(format!(
        "'{path}' is a {}, which cannot be saved: keep numbers, texts, arrays, maps and tensors",
        kind_of(value)
    ))
}

fn load(value: &Value, tensors: &BTreeMap<String, Tensor>) -> Result<Dynamic, String> {
    match value {
        Value::Object(fields) if fields.contains_key(FLOAT) => {
            let text = fields[FLOAT].as_str().unwrap_or_default();
            let float = text.parse::<f64>();
            float
                .map(Dynamic::from_float)
                .map_err(|_| format!("'{text}' is no float"))
        }
        Value::Object(fields) => match fields.get(TENSOR).and_then(Value::as_str) {
            Some(name) => {
                let tensor = tensors
                    .get(name)
                    .ok_or_else(|| format!("tensor '{name}' is missing"))?;
                Ok(Dynamic::from(Handle::new(tensor.shallow_clone())))
            }
            None => {
                let fields = fields
                    .iter()
                    .map(|(name, value)| Ok((name.as_str().into(), load(value, tensors)?)));
                Ok(Dynamic::from_map(fields.collect::<Result<Map, String>>()?))
            }
        },
        Value::Array(items) => Ok(Dynamic::from_array(
            items
                .iter()
                .map(|item| load(item, tensors))
                .collect::<Result<_, String>>()?,
        )),
        other => Ok(context::dynamic(other)),
    }
}
