//! What a configuration says of the slots, each under its name.

use std::path::PathBuf;

use serde::de::MapAccess;
use serde::{Deserialize, Serialize};
use serde_yaml::{Error, Mapping, Value};

use crate::config::aside::Aside;
use crate::policy::Params;
use crate::slots::Slot;

/// A slot: its policy, and parameters in the place of the policy's defaults.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, expecting = "keys below it, as in 'script: FILE'")]
pub struct SlotConfig {
    /// The script, looked for in the working directory, in its `scripts/`, beside the configuration, in the binary.
    pub script: PathBuf,
    /// A shared library in the script's place, looked for in the working directory, then beside the configuration. The script is
    /// watched too, and takes the slot when it is saved.
    #[serde(skip_serializing_if = "is_empty")]
    pub plugin: PathBuf,
    /// Parameters, as the policy names them.
    #[serde(flatten)]
    pub params: Params,
}

impl SlotConfig {
    fn of(script: &str) -> Self {
        Self {
            script: script.into(),
            plugin: PathBuf::new(),
            params: Params::new(),
        }
    }

    /// Whether nothing is said of the slot.
    fn is_unset(&self) -> bool {
        *self == Self::default()
    }
}

#[expect(clippy::ptr_arg, reason = "serde calls it with what the field is")]
fn is_empty(path: &PathBuf) -> bool {
    path.as_os_str().is_empty()
}

/// What is said of each slot, in the order of the list of slots.
#[derive(Clone, Debug, PartialEq)]
pub struct Slots(Vec<SlotConfig>);

impl Default for Slots {
    /// The slots of the inter-image branch have the scripts that their contracts name; the others have none.
    fn default() -> Self {
        let said = |slot: Slot| match slot.contract().default_script() {
            Some(script) => SlotConfig::of(script),
            None => SlotConfig::default(),
        };
        Self(Slot::all().map(said).collect())
    }
}

impl Slots {
    fn place(slot: Slot) -> usize {
        let place = Slot::all().position(|known| known == slot);
        place.expect("the list has all slots")
    }

    /// What is said of a slot.
    pub fn get(&self, slot: Slot) -> &SlotConfig {
        &self.0[Self::place(slot)]
    }

    /// What is said of a slot, to be changed.
    pub fn get_mut(&mut self, slot: Slot) -> &mut SlotConfig {
        &mut self.0[Self::place(slot)]
    }

    /// A key for each slot of which something is said.
    pub(super) fn written(&self) -> Result<Mapping, Error> {
        let said = Slot::all()
            .zip(&self.0)
            .filter(|(_, said)| !said.is_unset());
        said.map(|(slot, said)| Ok((Value::from(slot.name()), serde_yaml::to_value(said)?)))
            .collect()
    }
}

impl Aside for Slots {
    fn takes(&self, key: &str) -> Option<&'static str> {
        Slot::named(key).map(Slot::name)
    }

    fn names(&self) -> Vec<&'static str> {
        Slot::all().map(Slot::name).collect()
    }

    fn read<'de, A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<(), A::Error> {
        let slot = Slot::named(key).expect("only slots are read here");
        // A key with nothing behind it says nothing.
        let said: Option<SlotConfig> = map.next_value()?;
        *self.get_mut(slot) = said.unwrap_or_default();
        Ok(())
    }
}
