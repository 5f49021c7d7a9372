//! The context of slot `schedule` that a test asks for.

use rhai::{Dynamic, Map};
use tch::Tensor;

use crate::ground::Now;
use crate::ground::suggest;
use crate::policy::script::Fields;
use crate::slots::schedule::{self, Context, Last};
use crate::train::rehearsal;

/// Numbers of a step before, unless they are given; a test that gives `last` has those alone.
const BEFORE: [(&str, f64); 4] = [
    ("grad_norm", 1.0),
    ("loss.inter", 5.0),
    ("loss.intra", 5.0),
    ("loss.total", 5.0),
];

/// Images of the made-up run.
const ROWS: i64 = 32;

/// The fields of a context with what is given in the place of every name that a schedule may give, and of the numbers of a step.
pub(super) fn fields(
    base: Option<Map>,
    last: Option<Map>,
    lr: f64,
    now: Now,
) -> Result<Fields, String> {
    let mut offer = rehearsal::any_numbers().clone();
    for (name, number) in numbers("base", base.unwrap_or_default())? {
        offer.check(&name, number)?;
        offer.put(name, number);
    }
    let known = BEFORE.map(|(name, _)| name);
    let last: Vec<_> = match last {
        None => BEFORE.map(|(name, n)| (name.to_owned(), n)).into(),
        Some(last) => {
            let last = numbers("last", last)?.into_iter();
            last.map(|(name, n)| (name, n.value())).collect()
        }
    };
    for (name, _) in &last {
        if !known.contains(&name.as_str()) {
            let meant = suggest::nearest(name, known.into_iter());
            let meant = meant.map_or_else(String::new, |near| format!("; did you mean '{near}'?"));
            return Err(format!(
                "unknown key '{name}' in 'last', known are {}{meant}",
                known.join(", ")
            ));
        }
    }
    let last = last.into_iter().map(|(name, n)| (name, Tensor::from(n)));
    let last: Last = last.collect();
    Ok(schedule::script::fields(&Context {
        lr,
        offer: &offer,
        last: &last,
        rows: ROWS,
        now,
    }))
}

fn numbers(field: &str, map: Map) -> Result<schedule::Numbers, String> {
    schedule::script::numbers(&Dynamic::from_map(map))
        .map_err(|found| format!("'{field}': {found}"))
}
