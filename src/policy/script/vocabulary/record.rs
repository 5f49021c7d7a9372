//! Maps that the host gives to a script, in `ctx` or as the answer of a word. A name that they do not have is an error, not `()` as in a map of the script's own: a slip of
//! the pen would pass unseen.

use std::fmt;
use std::rc::Rc;

use rhai::{Array, Dynamic, Engine, EvalAltResult, INT, ImmutableString, Map};

use super::differ::whole;
use super::{Handle, Rng};
use crate::ground::suggest;

/// Makes up a value for a name, or says that it is none.
pub(in crate::policy::script) type MakeUp = Rc<dyn Fn(&str) -> Option<Dynamic>>;

/// A map of the host, registered as `map`: `ctx.params`, `ctx.bank`, what `topk` answers.
#[derive(Clone)]
pub(in crate::policy::script) struct Record(Rc<Inner>);

#[derive(Clone)]
struct Inner {
    /// How messages call it, as `ctx.params`.
    called: String,
    fields: Map,
    /// Names that it may have and has not: they are `()`.
    absent: Vec<String>,
    /// Values of names that are neither.
    made_up: Option<MakeUp>,
}

impl Record {
    /// A map that messages call so.
    pub(in crate::policy::script) fn new(called: impl Into<String>, fields: Map) -> Self {
        Self(Rc::new(Inner {
            called: called.into(),
            fields,
            absent: Vec::new(),
            made_up: None,
        }))
    }

    /// The same with names that it may have in other steps, and what stands for all others.
    pub(in crate::policy::script) fn with_absent(
        called: impl Into<String>,
        fields: Map,
        names: Vec<String>,
        made_up: MakeUp,
    ) -> Self {
        let absent = names.into_iter();
        let absent = absent.filter(|name| !fields.contains_key(name.as_str()));
        Self(Rc::new(Inner {
            called: called.into(),
            absent: absent.collect(),
            fields,
            made_up: Some(made_up),
        }))
    }

    fn get(&mut self, name: &str) -> Result<Dynamic, Box<EvalAltResult>> {
        if let Some(value) = self.0.fields.get(name) {
            return Ok(value.clone());
        }
        if self.0.absent.iter().any(|known| known == name) {
            return Ok(Dynamic::UNIT);
        }
        let made_up = self.0.made_up.as_ref();
        let made_up = made_up.and_then(|make_up| make_up(name));
        made_up.ok_or_else(|| self.no_such(name).into())
    }

    /// A script may change a copy of its own.
    fn set(&mut self, name: &str, value: Dynamic) -> Result<(), Box<EvalAltResult>> {
        // Whatever may be read may be changed.
        if unchanged(&self.get(name)?, &value) {
            return Ok(());
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
            ..
        } = &*self.0;
        let all = fields.keys().map(|name| name.as_str());
        let all = all.chain(absent.iter().map(String::as_str));
        format!(
            "{called} has no field '{name}', it has {}",
            suggest::among(name, all)
        )
    }
}

impl From<Record> for Dynamic {
    fn from(record: Record) -> Self {
        Dynamic::from(record)
    }
}

/// Whether a value is still the one that was held. Rhai gives back whatever a method was called on.
pub(in crate::policy::script) fn unchanged(held: &Dynamic, value: &Dynamic) -> bool {
    if let (Some(held), Some(value)) = (held.read_lock::<Record>(), value.read_lock::<Record>()) {
        return Rc::ptr_eq(&held.0, &value.0);
    }
    if let (Some(held), Some(value)) = (held.read_lock::<Handle>(), value.read_lock::<Handle>()) {
        return held.is(&value);
    }
    if let (Some(held), Some(value)) = (held.read_lock::<Array>(), value.read_lock::<Array>()) {
        let mut pairs = held.iter().zip(value.iter());
        return held.len() == value.len() && pairs.all(|(held, value)| unchanged(held, value));
    }
    if let (Some(held), Some(value)) = (held.read_lock::<Map>(), value.read_lock::<Map>()) {
        let mut pairs = held.iter().zip(value.iter());
        return held.len() == value.len()
            && pairs.all(|(held, value)| held.0 == value.0 && unchanged(held.1, value.1));
    }
    // What else a host gives has no parts; numbers are compared by what they are written as, so that NaN is itself.
    held.type_id() == value.type_id() && (held.is::<Rng>() || held.to_string() == value.to_string())
}

/// A map of the script's own, or one of the host's.
pub fn map_of(value: &Dynamic) -> Option<Map> {
    let own = value.read_lock::<Map>().map(|map| map.clone());
    own.or_else(|| Some(value.read_lock::<Record>()?.0.fields.clone()))
}

impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&whole(&Dynamic::from(self.clone())))
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
    // What a script keeps in `this` comes back from a checkpoint as a map of its own, and must do as before.
    engine.register_fn("to_map", |map: &mut Map| map.clone());
    engine.register_fn("has", |map: &mut Map, name: ImmutableString| {
        map.contains_key(name.as_str())
    });
    engine.register_fn("to_string", |map: &mut Record| map.to_string());
    engine.register_fn("to_debug", |map: &mut Record| map.to_string());
    engine.register_fn("+", |map: &mut Record, other: Map| {
        let mut fields = map.0.fields.clone();
        fields.extend(other);
        fields
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a script of one's own could always do with these maps.
    #[test]
    fn a_map_of_the_host_is_a_map_but_for_slips_of_the_pen() {
        let mut engine = Engine::new();
        super::super::register(&mut engine);
        let fields: Map = [("pool".into(), 0.5.into()), ("negatives".into(), 8.into())].into();
        let mut scope = rhai::Scope::new();
        let names = vec!["loss.inter".to_owned()];
        let record = Record::with_absent("ctx.params", fields, names, Rc::new(|_| None));
        scope.push("p", record);
        let mut yes = |text: &str| engine.eval_with_scope::<bool>(&mut scope, text).unwrap();
        for text in [
            "p.pool == 0.5 && p[\"negatives\"] == 8",
            "\"pool\" in p && !(\"loss.inter\" in p) && !p.contains(\"odd\")",
            "p[\"loss.inter\"] == ()",
            "p.len() == 2 && !p.is_empty() && p.keys() == [\"negatives\", \"pool\"]",
            "p == #{ pool: 0.5, negatives: 8 } && p != #{ pool: 0.5 } && p == p && p.to_map() == p",
            "type_of(p) == \"map\" && (p + #{ more: 1 }).more == 1",
            "let q = p; q.negatives = 9; q.negatives == 9 && p.negatives == 8",
            "let q = p.to_map(); q.to_map() == p && q.has(\"pool\") && !q.has(\"odd\") && q.get(\"pool\") == p.get(\"pool\")",
            "let q = p.to_map(); q.len() == p.len() && q.keys() == p.keys() && q.values() == p.values() && (q + #{ more: 1 }) == (p + #{ more: 1 })",
        ] {
            assert!(yes(text), "{text}");
        }
        for text in [
            "p.pol",
            "p.pol ?? 1",
            "p[\"pol\"]",
            "let q = p; q.pol = 1",
            "p.get(\"pol\")",
        ] {
            let error = engine
                .eval_with_scope::<Dynamic>(&mut scope, text)
                .unwrap_err();
            let said = error.to_string();
            assert!(
                said.contains("no field 'pol'") && said.contains("did you mean 'pool'?"),
                "{text}: {said}"
            );
        }
    }
}
