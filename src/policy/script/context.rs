//! What a script gets as `ctx`: a question of its slot, as the contract declares it.

use std::cell::{OnceCell, RefCell};
use std::collections::BTreeSet;
use std::rc::Rc;

use rhai::{Dynamic, Engine, EvalAltResult, FLOAT, INT, ImmutableString, Map};

use super::vocabulary::{self, Classifier, Handle, Record, Rng};
use crate::ground::suggest;
use crate::policy::Params;
use crate::slots::contract::{COMMON, Input, Type};
use crate::slots::{Given, Named, Number, Question};

/// The fractions that a script has asked `ctx.count` for, as their bits.
pub(super) type Counted = Rc<RefCell<BTreeSet<u64>>>;

/// `ctx` of a script.
#[derive(Clone)]
pub struct Context(Rc<Inner>);

struct Inner {
    question: Rc<Question>,
    params: Record,
    counted: Counted,
    /// What has been read of the question, in the order of the declaration.
    read: Vec<OnceCell<Dynamic>>,
}

impl Context {
    pub(super) fn new(question: &Rc<Question>, params: &Params, counted: &Counted) -> Self {
        let params = params
            .iter()
            .map(|(name, value)| (name.as_str().into(), dynamic(value)))
            .collect();
        let inputs = question.function.gets.len();
        Self(Rc::new(Inner {
            question: Rc::clone(question),
            counted: Rc::clone(counted),
            params: Record::new("ctx.params", params),
            read: std::iter::repeat_with(OnceCell::new).take(inputs).collect(),
        }))
    }

    /// The question that it is.
    pub(super) fn question(&self) -> &Rc<Question> {
        &self.0.question
    }

    fn get(&mut self, name: &str) -> Result<Dynamic, Box<EvalAltResult>> {
        let question = &self.0.question;
        let declared = question.given().zip(&self.0.read);
        let mut declared = declared.filter(|((input, _), _)| input.name == name);
        if let Some(((input, given), read)) = declared.next() {
            if let Some(value) = read.get() {
                return Ok(value.clone());
            }
            let value = value(input, given)?;
            return Ok(read.get_or_init(|| value).clone());
        }
        let now = question.now;
        Ok(match name {
            "params" => Dynamic::from(self.0.params.clone()),
            "rng" => Dynamic::from(Rng::new(question.device)),
            "step" => (now.step as INT).into(),
            "epoch" => (now.epoch as INT).into(),
            "steps" => (now.steps as INT).into(),
            "steps_per_epoch" => (now.steps_per_epoch as INT).into(),
            _ => return Err(self.no_such(name).into()),
        })
    }

    /// Nothing that the host gives can be changed; Rhai gives back whatever a method was called on.
    fn set(&mut self, name: &str, value: &Dynamic) -> Result<(), Box<EvalAltResult>> {
        if vocabulary::unchanged(&self.get(name)?, value) {
            return Ok(());
        }
        let message = format!(
            "ctx.{name} is the host's and cannot be changed: change a copy, 'let {name} = ctx.{name};'"
        );
        Err(message.into())
    }

    fn no_such(&self, name: &str) -> String {
        let question = &self.0.question;
        let all = question.function.gets.iter().chain(COMMON);
        let slot = question.contract.name;
        format!(
            "ctx of slot '{slot}' has no field '{name}', it has {}",
            suggest::among(name, all.map(|input| input.name))
        )
    }

    /// A fraction of the bank (a float in 0..=1) or an absolute count (an integer), as a count in 1..=N.
    fn count_fraction(&mut self, fraction: FLOAT) -> Result<INT, Box<EvalAltResult>> {
        if !(0.0..=1.0).contains(&fraction) {
            return Err(format!(
                "ctx.count({fraction:?}): a fraction of the bank lies in 0..=1, a count is an integer"
            )
            .into());
        }
        self.0.counted.borrow_mut().insert(fraction.to_bits());
        let rows = self.0.question.rows;
        Ok(((fraction * rows as f64).round() as i64).clamp(1, rows))
    }

    fn count_absolute(&mut self, count: INT) -> Result<INT, Box<EvalAltResult>> {
        if count < 1 {
            return Err(format!("ctx.count({count}): a count is at least 1").into());
        }
        Ok(count.min(self.0.question.rows))
    }
}

/// Something that is given, as a script's value.
fn value(input: &Input, given: &Given) -> Result<Dynamic, Box<EvalAltResult>> {
    Ok(match given {
        Given::Tensor(tensor) => Handle::new(tensor.shallow_clone()).into(),
        Given::Lazy(compute) => Handle::new(vocabulary::working(|| compute())).into(),
        Given::Classifier(ask) => Dynamic::from(Classifier::new(ask)),
        Given::Number(number) => (*number).into(),
        Given::Numbers(numbers) => numbers_of(input, numbers)?,
        Given::Map(fields) => {
            let Type::Map(declared) = input.kind else {
                unreachable!("a map is declared as one")
            };
            let fields = declared.iter().zip(fields);
            let fields = fields.map(|(input, given)| Ok((input.name.into(), value(input, given)?)));
            let fields = fields.collect::<Result<Map, Box<EvalAltResult>>>()?;
            Record::new(format!("ctx.{}", input.name), fields).into()
        }
    })
}

fn numbers_of(input: &Input, numbers: &Rc<dyn Named>) -> Result<Dynamic, Box<EvalAltResult>> {
    if input.lazy {
        vocabulary::sync();
    }
    let read = vocabulary::working(|| numbers.read())?;
    let fields = read
        .iter()
        .map(|(name, number)| (name.as_str().into(), (*number).into()));
    let (names, unseen) = (numbers.names(), Rc::clone(numbers));
    let made_up = Rc::new(move |name: &str| unseen.made_up(name).map(Into::into));
    Ok(Record::with_absent(
        format!("ctx.{}", input.name),
        fields.collect(),
        names,
        made_up,
    )
    .into())
}

impl From<Number> for Dynamic {
    fn from(number: Number) -> Self {
        match number {
            Number::Count(count) => Dynamic::from_int(count),
            Number::Real(real) => Dynamic::from_float(real),
        }
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
    engine.register_indexer_set(|ctx: &mut Context, name: ImmutableString, value: Dynamic| {
        ctx.set(&name, &value)
    });
    engine.register_fn("count", Context::count_fraction);
    engine.register_fn("count", Context::count_absolute);
}
