//! Maps that the host gives to a script. A name that they do not have is an error, not `()` as in a map of the script's own: a slip of
//! the pen would pass unseen.

use std::fmt;
use std::rc::Rc;

use rhai::{Array, Dynamic, Engine, EvalAltResult, INT, ImmutableString, Map};

use crate::ground::suggest;

/// A map of the host, registered as `map`: `ctx.params`, `ctx.bank` and their like.
#[derive(Clone)]
pub struct Record(Rc<Inner>);

#[derive(Clone)]
struct Inner {
    /// The field of `ctx` that it is, such as `params`.
    called: &'static str,
    fields: Map,
    /// Names that it may have and has not: they are `()`.
    absent: Vec<String>,
}

impl Record {
    /// The map that a script finds as the field `called` of `ctx`.
    pub(super) fn new(called: &'static str, fields: Map) -> Self {
        Self::with_absent(called, fields, Vec::new())
    }

    /// The same with names that it may have in other steps.
    pub(super) fn with_absent(called: &'static str, fields: Map, names: Vec<String>) -> Self {
        let absent = names.into_iter();
        let absent = absent.filter(|name| !fields.contains_key(name.as_str()));
        Self(Rc::new(Inner {
            called,
            absent: absent.collect(),
            fields,
        }))
    }

    /// Its fields.
    pub(crate) fn fields(&self) -> &Map {
        &self.0.fields
    }

    fn get(&mut self, name: &str) -> Result<Dynamic, Box<EvalAltResult>> {
        match self.0.fields.get(name) {
            Some(value) => Ok(value.clone()),
            None if self.0.absent.iter().any(|known| known == name) => Ok(Dynamic::UNIT),
            None => Err(self.no_such(name).into()),
        }
    }

    /// A script may change a copy of its own.
    fn set(&mut self, name: &str, value: Dynamic) -> Result<(), Box<EvalAltResult>> {
        if !self.0.fields.contains_key(name) {
            return Err(self.no_such(name).into());
        }
        let fields = &mut Rc::make_mut(&mut self.0).fields;
        fields.insert(name.into(), value);
        Ok(())
    }

    fn no_such(&self, name: &str) -> String {
        let Inner {
            called,
            fields,
            absent,
        } = &*self.0;
        let all = fields.keys().map(|name| name.as_str());
        let all = all.chain(absent.iter().map(String::as_str));
        format!(
            "ctx.{called} has no field '{name}', it has {}",
            suggest::among(name, all)
        )
    }
}

impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0.fields)
    }
}

/// Registers the type, with what a map of the script's own can do as well.
pub(super) fn register(engine: &mut Engine) {
    engine.register_type_with_name::<Record>("map");
    engine.register_indexer_get(|map: &mut Record, name: ImmutableString| map.get(&name));
    engine.register_indexer_set(|map: &mut Record, name: ImmutableString, value: Dynamic| {
        map.set(&name, value)
    });
    engine.register_fn("get", |map: &mut Record, name: ImmutableString| {
        map.get(&name)
    });
    for name in ["contains", "has"] {
        engine.register_fn(name, |map: &mut Record, name: ImmutableString| {
            map.0.fields.contains_key(name.as_str())
        });
    }
    engine.register_fn("keys", |map: &mut Record| -> Array {
        let names = map.0.fields.keys();
        names.map(|name| name.to_string().into()).collect()
    });
    engine.register_fn("values", |map: &mut Record| -> Array {
        map.0.fields.values().cloned().collect()
    });
    engine.register_fn("len", |map: &mut Record| map.0.fields.len() as INT);
    engine.register_fn("is_empty", |map: &mut Record| map.0.fields.is_empty());
    engine.register_fn("to_map", |map: &mut Record| map.0.fields.clone());
    engine.register_fn("to_string", |map: &mut Record| map.to_string());
    engine.register_fn("to_debug", |map: &mut Record| map.to_string());
    engine.register_fn("+", |map: &mut Record, other: Map| {
        let mut fields = map.0.fields.clone();
        fields.extend(other);
        fields
    });
}
