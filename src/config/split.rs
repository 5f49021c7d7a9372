//! The top level of a configuration file: the experiment's own keys; `base`, the configuration that they change; and `sweep`,
//! which says what to vary.

use serde::de::MapAccess;
use serde::{Deserialize, Deserializer};
use serde_yaml::Value;

use super::aside::{Apart, Aside};
use super::schema::Config;

/// The configuration that a file changes: another file, or the name of a shipped one.
pub(super) const BASE: &str = "base";

/// What is varied.
pub(super) const SWEEP: &str = "sweep";

/// A configuration file.
#[derive(Debug)]
pub(super) struct File {
    pub(super) config: Config,
    pub(super) base: Option<Value>,
    pub(super) sweep: Option<Value>,
}

impl<'de> Deserialize<'de> for File {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut no_part = NoPart::default();
        let config = deserializer.deserialize_map(Apart::from(&mut no_part))?;
        let NoPart { base, sweep } = no_part;
        Ok(File {
            config,
            base,
            sweep,
        })
    }
}

/// The keys that are no part of an experiment.
#[derive(Default)]
struct NoPart {
    base: Option<Value>,
    sweep: Option<Value>,
}

impl Aside for NoPart {
    fn takes(&self, key: &str) -> Option<&'static str> {
        self.names().into_iter().find(|name| *name == key)
    }

    fn names(&self) -> Vec<&'static str> {
        vec![BASE, SWEEP]
    }

    fn read<'de, A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<(), A::Error> {
        let value = Some(map.next_value()?);
        match key {
            BASE => self.base = value,
            _ => self.sweep = value,
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sweep_stands_apart_wherever_it_stands() {
        for text in [
            "sweep: {seed: [0, 1]}\nname: a\noptim: {lr: 0.5}\n",
            "name: a\nsweep:\n  seed: [0, 1]\noptim: {lr: 0.5}\n",
            "{name: a, optim: {lr: 0.5}, sweep: {seed: [0, 1]}}",
        ] {
            let file: File = serde_yaml::from_str(text).unwrap();
            assert_eq!(
                (file.config.name.as_str(), file.config.optim.lr),
                ("a", 0.5)
            );
            assert_eq!(
                file.sweep,
                Some(serde_yaml::from_str("{seed: [0, 1]}").unwrap())
            );
        }
    }

    #[test]
    fn without_a_sweep_it_is_the_configuration_alone() {
        for text in ["", "# nothing\n", "name: a\ntrain: {epochs: 3}\n"] {
            let file: File = serde_yaml::from_str(text).unwrap();
            let config: Config = serde_yaml::from_str(text).unwrap();
            assert_eq!(file.config, config, "{text:?}");
            assert_eq!(file.sweep, None);
        }
    }

    #[test]
    fn errors_keep_their_places() {
        for (text, line, column) in [
            ("sweep: {a: [1]}\nnmae: b\n", 2, 1),
            ("name: b\noptim:\n  momentun: 0.9\nsweep: {}\n", 3, 3),
        ] {
            let error = serde_yaml::from_str::<File>(text).unwrap_err();
            let place = error.location().unwrap();
            assert_eq!((place.line(), place.column()), (line, column), "{error}");
        }
    }
}
