//! A plugin's state: bytes with a version, and what becomes of a state that somebody else has left.

use std::collections::HashMap;

use sandbox_plugin_abi::{SBX_OK, SBX_UNSUPPORTED};
use tch::Device;

use super::Plugin;
use super::call::Call;
use super::request::Request;
use crate::policy::{Handover, PluginState, Saved};
use crate::slots::{Fault, Kind};
use crate::storage::tensors;

/// The version under which a plugin is offered the state of a script: a safetensors file, with the tree of what is no tensor as JSON
/// under the key `state` of its metadata.
const OF_A_SCRIPT: u32 = 0;

impl Plugin {
    /// The state as it can be saved.
    ///
    /// # Errors
    /// The fault of the plugin's `save`.
    pub fn save_state(&mut self) -> Result<Saved, Fault> {
        let bytes = self.save()?;
        Ok(Saved::from(PluginState {
            plugin: self.table.name.clone(),
            version: bytes.as_ref().map_or(0, |_| self.table.raw.state_version),
            bytes: bytes.unwrap_or_default(),
        }))
    }

    /// Takes a saved state, its own or that of another policy.
    ///
    /// # Errors
    /// A state that cannot be read, and the fault of the plugin's `restore`.
    pub fn load_state(&mut self, saved: &Saved) -> Result<Handover, Fault> {
        let unreadable = |message: String| self.fault(Kind::State, "restore", &[message]);
        match saved.plugin().map_err(unreadable)? {
            Some(state) if state.version == 0 => Ok(Handover::Nothing),
            Some(state) => self.restore(state.version, &state.bytes),
            None if saved.is_empty() => Ok(Handover::Nothing),
            None => {
                let bytes = file(saved)
                    .map_err(|message| self.fault(Kind::State, "restore", &[message]))?;
                self.restore(OF_A_SCRIPT, &bytes)
            }
        }
    }

    /// The bytes of its state, where it has one.
    pub(super) fn save(&mut self) -> Result<Option<Vec<u8>>, Fault> {
        let Some(save) = self
            .table
            .raw
            .save
            .filter(|_| self.table.raw.state_version > 0)
        else {
            return Ok(None);
        };
        let request = Request::of_life("save");
        let call = Call::new(&request, Device::Cpu);
        let instance = self.instance;
        // SAFETY: `instance` is of this plugin's `create`, `host` lives until the return, and this is the training thread.
        self.enter(&call, |host| unsafe { save(instance, host) })?;
        Ok(Some(call.into_state()))
    }

    /// Offers a state to an instance that was asked nothing yet.
    pub(super) fn restore(&mut self, version: u32, bytes: &[u8]) -> Result<Handover, Fault> {
        let name = &self.table.name;
        let Some(restore) = self.table.raw.restore else {
            let message =
                format!("plugin '{name}' keeps no state: that of the policy before is left behind");
            return Ok(Handover::Fresh(message));
        };
        let unknown = match version {
            OF_A_SCRIPT => {
                format!("plugin '{name}' does not read the state of a script: it begins anew")
            }
            version => format!(
                "plugin '{name}' does not know version {version} of a state: it begins anew"
            ),
        };
        let request = Request::of_life("restore");
        let call = Call::new(&request, Device::Cpu);
        let (instance, mut answer) = (self.instance, SBX_OK);
        self.enter(&call, |host| {
            // SAFETY: as for `save`; the bytes live until the return.
            let status =
                unsafe { restore(instance, host, version, bytes.as_ptr(), bytes.len() as u64) };
            answer = status;
            match status {
                SBX_UNSUPPORTED => SBX_OK,
                other => other,
            }
        })?;
        Ok(match answer {
            SBX_UNSUPPORTED => Handover::Fresh(unknown),
            _ => Handover::Taken,
        })
    }
}

/// A script's state as a safetensors file.
fn file(saved: &Saved) -> Result<Vec<u8>, String> {
    let named: Vec<_> = saved
        .tensors
        .iter()
        .map(|(name, tensor)| (name.clone(), tensor.shallow_clone()))
        .collect();
    let metadata = HashMap::from([("state".to_owned(), saved.tree.to_string())]);
    tensors::encode(&named, Some(metadata)).map_err(|error| error.to_string())
}
