//! The top level of a configuration file: the experiment's own keys; `base`, the configuration that they change; and `sweep`,
//! which says what to vary.

use std::fmt;

use serde::de::value::MapAccessDeserializer;
use serde::de::{DeserializeSeed, Error, IntoDeserializer, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_yaml::Value;

use super::schema::Config;

/// The configuration that a file changes: another file, or the name of a shipped one.
pub(super) const BASE: &str = "base";

/// What is varied.
pub(super) const SWEEP: &str = "sweep";

/// A configuration file.
///
/// Read in one go, not by way of a [`Value`], because only then errors have lines and columns.
#[derive(Debug)]
pub(super) struct File {
    pub(super) config: Config,
    pub(super) base: Option<Value>,
    pub(super) sweep: Option<Value>,
}

impl<'de> Deserialize<'de> for File {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(TopLevel)
    }
}

struct TopLevel;

impl<'de> Visitor<'de> for TopLevel {
    type Value = File;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the keys of a configuration")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<File, A::Error> {
        let mut aside = Aside::default();
        let own = OwnKeys {
            map,
            aside: &mut aside,
        };
        let config = Config::deserialize(MapAccessDeserializer::new(own))?;
        let Aside { base, sweep } = aside;
        Ok(File {
            config,
            base,
            sweep,
        })
    }
}

/// The keys that are no part of an experiment.
#[derive(Default)]
struct Aside {
    base: Option<Value>,
    sweep: Option<Value>,
}

impl Aside {
    fn place(&mut self, key: &str) -> Option<&mut Option<Value>> {
        match key {
            BASE => Some(&mut self.base),
            SWEEP => Some(&mut self.sweep),
            _ => None,
        }
    }
}

/// A map without the keys that are put aside.
struct OwnKeys<'a, A> {
    map: A,
    aside: &'a mut Aside,
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for OwnKeys<'_, A> {
    type Error = A::Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, A::Error> {
        let mut seed = seed;
        loop {
            match self.map.next_key_seed(Key(seed))? {
                None => return Ok(None),
                Some(Found::Own(key)) => return Ok(Some(key)),
                Some(Found::Aside(key, unused)) => {
                    *self.aside.place(key).expect("it was found there") =
                        Some(self.map.next_value()?);
                    seed = unused;
                }
            }
        }
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, A::Error> {
        self.map.next_value_seed(seed)
    }
}

/// A key of the top level: one that is put aside leaves the seed for the next one.
enum Found<K, V> {
    Aside(&'static str, K),
    Own(V),
}

struct Key<K>(K);

impl<'de, K: DeserializeSeed<'de>> DeserializeSeed<'de> for Key<K> {
    type Value = Found<K, K::Value>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

/// An unknown key is refused while it is read: later its line would no longer be known.
impl<'de, K: DeserializeSeed<'de>> Visitor<'de> for Key<K> {
    type Value = Found<K, K::Value>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E: Error>(self, key: &str) -> Result<Self::Value, E> {
        if let Some(aside) = [BASE, SWEEP].into_iter().find(|aside| *aside == key) {
            return Ok(Found::Aside(aside, self.0));
        }
        self.0.deserialize(key.into_deserializer()).map(Found::Own)
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
