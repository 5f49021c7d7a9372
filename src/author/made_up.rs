//! Contexts that tests ask for: what they give, and in the place of everything else what the contract makes up.

use std::rc::Rc;

use rhai::Map;

use super::schedules;
use crate::ground::Now;
use crate::ground::seed::{Purpose, seed_torch};
use crate::ground::suggest;
use crate::policy::script::testing::MakeUp;
use crate::policy::script::vocabulary;
use crate::slots::contract::{COMMON, Input, Made, Type};
use crate::slots::made_up::Scene;
use crate::slots::{Given, Question, Slot};

/// What makes contexts for tests.
pub fn make_up() -> MakeUp {
    Rc::new(make_up_context)
}

/// A question of a slot: what `given` names, and in the place of the rest unit rows, labels and cosines that are a function of
/// `given.seed`.
///
/// # Errors
/// A text that names the field that is unknown or does not fit.
pub fn make_up_context(slot: Slot, given: &Map) -> Result<Rc<Question>, String> {
    let given = Fields(given);
    let function = match given.text("function")? {
        None => slot.contract().usual(),
        Some(name) => slot.function(&name)?,
    };
    let constant = |input: &&Input| !matches!(input.made, Made::Constant(_));
    let fields = function.gets.iter().filter(constant);
    let common = COMMON.iter().filter(|input| input.name != "rng");
    let names = fields.chain(common).map(|input| input.name);
    let known: Vec<_> = names.chain(["slot", "function", "seed"]).collect();
    given.only("", &known)?;
    let now = moment(&given)?;
    seed_torch(now.seed, Purpose::Rehearsal, 0, 0);
    let mut scene = Scene::new(now);
    for input in function.gets {
        take(&mut scene, &given, input)?;
    }
    schedules::complete(&mut scene, given.0, function)?;
    scene.question(slot.contract(), function)
}

/// When the script is asked; the synthetic run of `sandbox check`, unless it is given.
fn moment(given: &Fields<'_>) -> Result<Now, String> {
    let steps_per_epoch = given.count_from(1, "steps_per_epoch", 10)?;
    let told = |field: &str| given.0.contains_key(field);
    // What is not given follows from what is.
    let usual = match (told("epoch"), told("steps")) {
        (true, _) => given.count("epoch", 0)?.saturating_mul(steps_per_epoch),
        (false, true) => 9.min(given.count_from(1, "steps", 100)? - 1),
        (false, false) => 9,
    };
    let step = given.count("step", usual)?;
    let steps = given.count_from(1, "steps", 100.max(step.saturating_add(1)))?;
    if step >= steps {
        return Err(format!("'step' must be below 'steps', {steps}, got {step}"));
    }
    Ok(Now {
        step,
        epoch: given.count("epoch", step / steps_per_epoch)?,
        steps,
        steps_per_epoch,
        seed: given.count("seed", 0)?,
        part: 0,
    })
}

/// Puts what is given of an input into the scene.
fn take(scene: &mut Scene, given: &Fields<'_>, input: &Input) -> Result<(), String> {
    let name = input.name;
    match input.kind {
        Type::Map(fields) => {
            let Some(inside) = given.map(name)? else {
                return Ok(());
            };
            let part = Fields(&inside);
            let names: Vec<_> = fields.iter().map(|field| field.name).collect();
            part.only(&format!(" in '{name}'"), &names)?;
            for field in fields {
                let inside = format!("{name}.{}", field.name);
                if let Some(tensor) = part.tensor(field, &inside)? {
                    scene.give(inside, tensor);
                }
            }
        }
        Type::Float | Type::Int => {
            if let Some(number) = given.number(name)? {
                scene.give(name, Given::Number(number));
            }
        }
        // The slot's own file makes these.
        Type::Numbers => {}
        _ => {
            if let Some(tensor) = given.tensor(input, name)? {
                scene.give(name, tensor);
            }
        }
    }
    Ok(())
}

/// A number as it is, of anything else its type.
fn shown(value: &rhai::Dynamic) -> String {
    match value.is_int() || value.is_float() {
        true => value.to_string(),
        false => vocabulary::kind_of(value).to_owned(),
    }
}

/// What a test gives.
struct Fields<'a>(&'a Map);

impl Fields<'_> {
    fn only(&self, place: &str, known: &[&str]) -> Result<(), String> {
        let Some(name) = self.0.keys().find(|name| !known.contains(&name.as_str())) else {
            return Ok(());
        };
        Err(format!(
            "unknown key '{name}'{place}, known are {}",
            suggest::among(name, known.iter().copied())
        ))
    }

    /// A tensor, or an array that becomes one.
    fn tensor(&self, input: &Input, field: &str) -> Result<Option<Given>, String> {
        let Some(value) = self.0.get(input.name) else {
            return Ok(None);
        };
        let kind = input.kind.dtype().expect("it is declared as a tensor");
        let tensor =
            vocabulary::tensor(value, kind).map_err(|found| format!("'{field}': {found}"))?;
        if tensor.kind() != kind {
            let [expected, got] = [kind, tensor.kind()].map(vocabulary::dtype_name);
            return Err(format!("'{field}' must be {expected}, got {got}"));
        }
        Ok(Some(Given::Tensor(tensor)))
    }

    fn text(&self, field: &str) -> Result<Option<String>, String> {
        let Some(value) = self.0.get(field) else {
            return Ok(None);
        };
        let text = value.clone().into_string();
        let found = vocabulary::kind_of(value);
        text.map(Some)
            .map_err(|_| format!("'{field}' must be a text, got {found}"))
    }

    fn map(&self, field: &str) -> Result<Option<Map>, String> {
        let Some(value) = self.0.get(field) else {
            return Ok(None);
        };
        vocabulary::map_of(value).map(Some).ok_or_else(|| {
            format!(
                "'{field}' must be a map #{{ .. }}, got {}",
                vocabulary::kind_of(value)
            )
        })
    }

    fn count(&self, field: &str, default: u64) -> Result<u64, String> {
        let Some(value) = self.0.get(field) else {
            return Ok(default);
        };
        let count = value.as_int().ok().and_then(|int| u64::try_from(int).ok());
        count.ok_or_else(|| format!("'{field}' must be a count, got {}", shown(value)))
    }

    fn count_from(&self, least: u64, field: &str, default: u64) -> Result<u64, String> {
        match self.count(field, default)? {
            count if count >= least => Ok(count),
            count => Err(format!("'{field}' must be at least {least}, got {count}")),
        }
    }

    /// A number of the host: finite, 0 or more.
    fn number(&self, field: &str) -> Result<Option<f64>, String> {
        let Some(value) = self.0.get(field) else {
            return Ok(None);
        };
        let number = value
            .as_float()
            .ok()
            .or(value.as_int().ok().map(|int| int as f64));
        let number = number.filter(|number| number.is_finite() && *number >= 0.0);
        let wrong = || {
            format!(
                "'{field}' must be a number of 0 or more, got {}",
                shown(value)
            )
        };
        number.map(Some).ok_or_else(wrong)
    }
}
