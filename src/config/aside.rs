//! Keys of a map that are read apart from the others, in one go with them: only then errors have lines and columns.

use std::fmt;

use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{DeserializeSeed, Error, IntoDeserializer, MapAccess, Visitor};

/// Where some keys are put, and the keys.
pub(super) trait Aside {
    /// Its name for a key, if it takes that.
    fn takes(&self, key: &str) -> Option<&'static str>;

    /// All keys that it takes.
    fn names(&self) -> Vec<&'static str>;

    /// Reads the value of a key that it takes.
    fn read<'de, A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<(), A::Error>;
}

/// Reads a `T` of those keys that `aside` does not take.
pub(super) struct Apart<'a, T, S> {
    aside: &'a mut S,
    read: std::marker::PhantomData<T>,
}

impl<'a, T, S> Apart<'a, T, S> {
    /// The others are put into `aside`.
    pub(super) fn from(aside: &'a mut S) -> Self {
        Self {
            aside,
            read: std::marker::PhantomData,
        }
    }
}

impl<'de, T: Deserialize<'de>, S: Aside> Visitor<'de> for Apart<'_, T, S> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the keys of a configuration")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<T, A::Error> {
        let aside = self.aside;
        T::deserialize(MapAccessDeserializer::new(Others { map, aside }))
    }
}

/// A map without the keys that are put aside.
struct Others<'a, A, S> {
    map: A,
    aside: &'a mut S,
}

impl<'de, A: MapAccess<'de>, S: Aside> MapAccess<'de> for Others<'_, A, S> {
    type Error = A::Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, A::Error> {
        let mut seed = seed;
        loop {
            let key = Key {
                seed,
                aside: &*self.aside,
            };
            match self.map.next_key_seed(key)? {
                None => return Ok(None),
                Some(Found::Own(key)) => return Ok(Some(key)),
                Some(Found::Aside(key, unused)) => {
                    self.aside.read(key, &mut self.map)?;
                    seed = unused;
                }
            }
        }
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, A::Error> {
        self.map.next_value_seed(seed)
    }
}

/// A key: one that is put aside leaves the seed for the next one.
enum Found<K, V> {
    Aside(&'static str, K),
    Own(V),
}

struct Key<'a, K, S> {
    seed: K,
    aside: &'a S,
}

impl<'de, K: DeserializeSeed<'de>, S: Aside> DeserializeSeed<'de> for Key<'_, K, S> {
    type Value = Found<K, K::Value>;

    fn deserialize<D: serde::Deserializer<'de>>(
        self,
        deserializer: D,
    ) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

/// An unknown key is refused while it is read: later its line would no longer be known.
impl<'de, K: DeserializeSeed<'de>, S: Aside> Visitor<'de> for Key<'_, K, S> {
    type Value = Found<K, K::Value>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E: Error>(self, key: &str) -> Result<Self::Value, E> {
        if let Some(aside) = self.aside.takes(key) {
            return Ok(Found::Aside(aside, self.seed));
        }
        let own: Result<_, E> = self.seed.deserialize(key.into_deserializer());
        own.map(Found::Own).map_err(|error| {
            let aside = self.aside.names().into_iter();
            let aside: String = aside.map(|name| format!(", `{name}`")).collect();
            E::custom(format!("{error}{aside}"))
        })
    }
}
