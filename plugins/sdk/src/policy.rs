//! What every policy has, whatever slot it fills.

use crate::{Params, Result};

/// Where a policy's tensors must live.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Devices {
    /// On the CPU: the host copies where the model lives elsewhere.
    Cpu,
    /// Anywhere: the policy looks at the device of each tensor, and uses [`crate::Call::raw_input`].
    Any,
}

/// What became of a state that was offered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Restored {
    /// The policy goes on with it.
    Taken,
    /// The policy does not know this version and has taken nothing of it: it begins anew.
    Unknown,
}

/// A policy: how it is made, and what it keeps.
///
/// Everything that an answer depends on beside its inputs is state: what is not saved makes a resumed run differ from one that was
/// not cut, and the host refuses such a policy.
pub trait Policy: Sized + 'static {
    /// What it can be told, made by [`crate::params!`].
    type Params: Params;

    /// Where its tensors must live.
    const DEVICES: Devices = Devices::Cpu;

    /// The version of what `save` gives, from 1 on; 0 for a policy without state.
    const STATE_VERSION: u32 = 0;

    /// Makes it.
    ///
    /// # Errors
    /// Parameters that make no sense.
    fn new(params: Self::Params) -> Result<Self>;

    /// Its state, as bytes.
    ///
    /// # Errors
    /// What cannot be saved.
    fn save(&self) -> Result<Vec<u8>> {
        Ok(Vec::new())
    }

    /// Takes a state that `save` of this or another version gave; version 0 is the state of a script, a safetensors file.
    ///
    /// # Errors
    /// Bytes that are not what their version says.
    fn restore(&mut self, version: u32, bytes: &[u8]) -> Result<Restored> {
        let _ = (version, bytes);
        Ok(Restored::Unknown)
    }
}
