//! What a script gets as `ctx`: named fields, some of them computed at the first use.

use std::collections::BTreeMap;
use std::rc::Rc;

use rhai::{Dynamic, Engine, EvalAltResult, FLOAT, INT, ImmutableString, Map};

use tch::{Device, Tensor};

use super::vocabulary::{self, Handle, Rng};
use crate::ground::Now;
use crate::policy::Params;
use crate::slots::Slot;

/// A field of a context.
enum Field {
    Value(Dynamic),
    Lazy(Rc<dyn Fn() -> Result<Dynamic, String>>),
}

/// The fields that a slot gives its scripts.
pub struct Fields {
    slot: Slot,
    rows: i64,
    device: Device,
    now: Now,
    function: &'static str,
    fields: BTreeMap<&'static str, Field>,
}

impl Fields {
    /// The fields that each slot has: `rng`, and those that say when: `step` and `epoch` done before this one, `steps` of
    /// the whole run, `steps_per_epoch`. `rows` is the size of the bank, of which `ctx.count` takes fractions; on `device`
    /// lies what the script creates.
    pub fn new(slot: Slot, rows: i64, device: Device, now: Now) -> Self {
        let when = [
            ("step", now.step),
            ("epoch", now.epoch),
            ("steps", now.steps),
            ("steps_per_epoch", now.steps_per_epoch),
        ];
        let fields = Self {
            slot,
            rows,
            device,
            now,
            function: "decide",
            fields: BTreeMap::new(),
        };
        let fields = fields.with("rng", Dynamic::from(Rng::new(device)));
        when.into_iter()
            .fold(fields, |all, (name, value)| all.with(name, value as INT))
    }

    /// Adds a tensor.
    pub fn tensor(self, name: &'static str, tensor: &Tensor) -> Self {
        self.with(name, Handle::new(tensor.shallow_clone()))
    }

    /// Adds a field.
    pub fn with(mut self, name: &'static str, value: impl Into<Dynamic>) -> Self {
        self.fields.insert(name, Field::Value(value.into()));
        self
    }

    /// Adds a field that is computed when a script first reads it.
    pub fn with_lazy(
        mut self,
        name: &'static str,
        value: impl Fn() -> Result<Dynamic, String> + 'static,
    ) -> Self {
        self.fields.insert(name, Field::Lazy(Rc::new(value)));
        self
    }

    /// The same for another function of the slot than `decide`.
    pub fn of(self, function: &'static str) -> Self {
        Self { function, ..self }
    }

    /// The slot that they are of.
    pub(super) fn slot(&self) -> Slot {
        self.slot
    }

    /// The function of the slot that they are of.
    pub(super) fn function(&self) -> &'static str {
        self.function
    }

    /// When it is asked.
    pub(super) fn now(&self) -> Now {
        self.now
    }

    /// Where a script's new tensors lie.
    pub(super) fn device(&self) -> Device {
        self.device
    }

    /// The names of the fields.
    pub fn names(&self) -> Vec<&'static str> {
        self.fields.keys().copied().collect()
    }
}

/// `ctx` of a script.
#[derive(Clone)]
pub struct Context(Rc<Inner>);

struct Inner {
    fields: Fields,
    params: Map,
}

impl Context {
    pub(super) fn new(fields: Fields, params: &Params) -> Self {
        let params = params
            .iter()
            .map(|(name, value)| (name.as_str().into(), dynamic(value)))
            .collect();
        Self(Rc::new(Inner { fields, params }))
    }

    pub(super) fn fields(&self) -> &Fields {
        &self.0.fields
    }

    fn get(&mut self, name: &str) -> Result<Dynamic, Box<EvalAltResult>> {
        if name == "params" {
            return Ok(Dynamic::from_map(self.0.params.clone()));
        }
        match self.0.fields.fields.get(name) {
            Some(Field::Value(value)) => Ok(value.clone()),
            Some(Field::Lazy(compute)) => vocabulary::working(|| compute()).map_err(Into::into),
            None => {
                let mut names = self.0.fields.names();
                names.push("params");
                let meant = crate::ground::suggest::nearest(name, names.iter().copied());
                let meant =
                    meant.map_or_else(String::new, |near| format!("; did you mean '{near}'?"));
                Err(format!(
                    "ctx of slot '{}' has no field '{name}', it has {}{meant}",
                    self.0.fields.slot,
                    names.join(", ")
                )
                .into())
            }
        }
    }

    /// A fraction of the bank (a float in 0..=1) or an absolute count (an integer), as a count in 1..=N.
    fn count_fraction(&mut self, fraction: FLOAT) -> Result<INT, Box<EvalAltResult>> {
        if !(0.0..=1.0).contains(&fraction) {
            return Err(format!(
                "ctx.count({fraction}): a fraction of the bank lies in 0..=1, a count is an integer"
            )
            .into());
        }
        Ok(((fraction * self.0.fields.rows as f64).round() as i64).clamp(1, self.0.fields.rows))
    }

    fn count_absolute(&mut self, count: INT) -> Result<INT, Box<EvalAltResult>> {
        if count < 1 {
            return Err(format!("ctx.count({count}): a count is at least 1").into());
        }
        Ok(count.min(self.0.fields.rows))
    }
}

/// A parameter as a script's value.
pub(super) fn dynamic(value: &serde_json::Value) -> Dynamic {
    use serde_json::Value;
    match value {
        Value::Null => Dynamic::UNIT,
        Value::Bool(value) => (*value).into(),
        Value::Number(value) => value.as_i64().map_or_else(
            || value.as_f64().unwrap_or(f64::NAN).into(),
            Dynamic::from_int,
        ),
        Value::String(value) => ImmutableString::from(value.as_str()).into(),
        Value::Array(values) => values.iter().map(dynamic).collect::<Vec<_>>().into(),
        Value::Object(values) => Dynamic::from_map(
            values
                .iter()
                .map(|(name, value)| (name.as_str().into(), dynamic(value)))
                .collect(),
        ),
    }
}

/// Registers the context's type with an engine.
pub(super) fn register(engine: &mut Engine) {
    engine.register_type_with_name::<Context>("Context");
    engine.register_indexer_get(|ctx: &mut Context, name: ImmutableString| ctx.get(&name));
    engine.register_fn("count", Context::count_fraction);
    engine.register_fn("count", Context::count_absolute);
}
