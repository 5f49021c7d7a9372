//! A schedule written in Rhai.

use rhai::{Dynamic, FLOAT, INT, Map};
use tch::Device;

use super::{Context, Number, Numbers, Schedule};
use crate::policy::script::{Fields, Script, answer};
use crate::slots::{Budget, Fault, Slot};

/// What a script finds in `ctx`.
pub fn fields(ctx: &Context<'_>) -> Fields {
    let base = ctx.offer.numbers();
    let base = base.map(|(name, number)| (name, number.into()));
    let last = ctx.last.clone();
    Fields::new(Slot::Schedule, ctx.rows, Device::Cpu, ctx.now)
        .with("lr", ctx.lr)
        .with("base", map(base))
        .with_lazy("last", move || {
            let last = last.read()?;
            let last = last.iter().map(|(name, number)| (name, (*number).into()));
            Ok(map(last))
        })
}

impl Schedule for Script {
    fn decide(&mut self, ctx: &Context<'_>) -> Result<Numbers, Fault> {
        let decision = self.call("decide", fields(ctx), Budget::DECIDE)?;
        numbers(&decision).map_err(|message| self.output_fault("decide", message))
    }

    fn refuse(&self, message: String) -> Fault {
        self.output_fault("decide", message)
    }
}

fn map<'a>(numbers: impl Iterator<Item = (&'a String, Dynamic)>) -> Dynamic {
    let numbers = numbers.map(|(name, number)| (name.as_str().into(), number));
    Dynamic::from_map(numbers.collect())
}

impl From<Number> for Dynamic {
    fn from(number: Number) -> Self {
        match number {
            Number::Count(count) => Dynamic::from_int(count),
            Number::Real(real) => Dynamic::from_float(real),
        }
    }
}

/// The numbers of a map.
///
/// # Errors
/// A text that names the first that is none.
pub fn numbers(decision: &Dynamic) -> Result<Numbers, String> {
    let Some(map) = decision.read_lock::<Map>() else {
        return Err(format!(
            "expected a map from names to numbers, found {}",
            answer::describe(decision)
        ));
    };
    let number = |value: &Dynamic| {
        let count = value.read_lock::<INT>().map(|count| Number::Count(*count));
        count.or_else(|| value.read_lock::<FLOAT>().map(|real| Number::Real(*real)))
    };
    map.iter()
        .map(|(name, value)| match number(value) {
            Some(number) => Ok((name.to_string(), number)),
            None => Err(format!(
                "'{name}': expected a number, found {}",
                answer::describe(value)
            )),
        })
        .collect()
}
