//! The numbers that a schedule may give, their ranges, and which of them a run has.

use std::collections::BTreeMap;

use crate::ground::suggest;
use crate::slots::{Named, Number, Numbers, Slot};

/// What a number may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Range {
    /// 0 or more.
    FromZero,
    /// More than 0.
    Temperature,
    /// 0 to 1.
    Fraction,
    /// Any finite number.
    Finite,
}

/// The least number that divides cosines: of what is nearer to 0 single precision has no logits.
pub const LEAST_TEMPERATURE: f64 = 1e-30;

impl Range {
    /// In words.
    pub fn text(self) -> &'static str {
        match self {
            Range::FromZero => "0 or more",
            Range::Temperature => "1e-30 or more",
            Range::Fraction => "0 to 1",
            Range::Finite => "a finite number",
        }
    }

    fn holds(self, number: f64) -> bool {
        // In single precision, in which the host computes.
        number.abs() <= f64::from(f32::MAX)
            && match self {
                Range::FromZero => number >= 0.0,
                Range::Temperature => number >= LEAST_TEMPERATURE,
                Range::Fraction => (0.0..=1.0).contains(&number),
                Range::Finite => true,
            }
    }
}

/// A number of the configuration that a schedule may give.
#[derive(Clone, Copy, Debug)]
pub struct Name {
    /// Its key in the configuration.
    pub key: &'static str,
    /// What it may be.
    pub range: Range,
}

const fn name(key: &'static str, range: Range) -> Name {
    Name { key, range }
}

/// The numbers of the configuration that a schedule may give; beside them there are the parameters of the other slots' scripts.
pub const NAMES: [Name; 9] = [
    name("optim.lr", Range::FromZero),
    name("optim.clip", Range::FromZero),
    name("loss.intra", Range::FromZero),
    name("loss.inter", Range::FromZero),
    name("inter.temperature", Range::Temperature),
    name("method.temperature", Range::Temperature),
    name("method.momentum", Range::Fraction),
    name("method.margin", Range::Finite),
    name("bank.momentum", Range::Fraction),
];

/// What a schedule may give in a step.
#[derive(Clone, Debug, Default)]
pub struct Schedulable {
    /// By name, the number that holds without a schedule.
    numbers: BTreeMap<String, Number>,
    /// Why the run has no use for a name, or for all names of a slot.
    closed: BTreeMap<String, String>,
    /// Whether any parameter of another slot is taken: there is no run that says which there are.
    unseen: bool,
}

impl Schedulable {
    /// A schedulable of nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Lets a name be given; with the number that holds without a schedule.
    pub fn put(&mut self, name: impl Into<String>, number: Number) {
        self.numbers.insert(name.into(), number);
    }

    /// The same for a name that cannot be given yet, whatever was said of it.
    pub fn put_unless_there(&mut self, name: &str, number: Number) {
        self.closed.remove(name);
        self.numbers.entry(name.to_owned()).or_insert(number);
    }

    /// Says why a name, or each name of a slot, is not to be given.
    pub fn close(&mut self, name: impl Into<String>, why: impl Into<String>) {
        self.closed.insert(name.into(), why.into());
    }

    /// Takes any parameter of the other slots, and makes a number up where one is read, as where there is no run whose policies are
    /// known.
    pub fn take_unseen(&mut self) {
        self.unseen = true;
    }

    /// The names with the numbers that hold without a schedule.
    pub fn numbers(&self) -> impl Iterator<Item = (&String, Number)> {
        self.numbers.iter().map(|(name, number)| (name, *number))
    }

    /// Whether a number may be given under that name.
    ///
    /// # Errors
    /// A text that says what was expected.
    pub fn check(&self, name: &str, number: Number) -> Result<(), String> {
        let offered = self.numbers.contains_key(name);
        if !(offered || self.takes_unseen(name)) {
            return Err(self.no_such(name));
        }
        let known = NAMES.iter().find(|known| known.key == name);
        let range = known.map_or(Range::Finite, |known| known.range);
        match range.holds(number.value()) {
            true => Ok(()),
            false => Err(format!(
                "'{name}': expected {}, found {number}",
                range.text()
            )),
        }
    }

    fn takes_unseen(&self, name: &str) -> bool {
        self.unseen && of_slot(name).is_some()
    }

    fn no_such(&self, name: &str) -> String {
        let section = name.split('.').next().unwrap_or_default();
        if let Some(why) = self.closed.get(name).or_else(|| self.closed.get(section)) {
            return format!("'{name}' is not to be given: {why}");
        }
        let all = self.numbers.keys().map(String::as_str);
        let has = match self.unseen {
            true => "known are",
            false => "this run has",
        };
        format!("unknown name '{name}', {has} {}", suggest::among(name, all))
    }
}

impl Named for Schedulable {
    fn read(&self) -> Result<Numbers, String> {
        Ok(self.numbers.clone())
    }

    fn names(&self) -> Vec<String> {
        self.numbers.keys().cloned().collect()
    }

    fn made_up(&self, name: &str) -> Option<Number> {
        self.takes_unseen(name).then_some(Number::Real(0.5))
    }

    fn check(&self, name: &str, number: Number) -> Result<(), String> {
        Schedulable::check(self, name, number)
    }
}

/// The slot of the inter-image branch and its parameter that a name means.
pub(crate) fn of_slot(name: &str) -> Option<(Slot, &str)> {
    let (slot, parameter) = name.split_once('.')?;
    let slot = Slot::named(slot).filter(|slot| slot.in_branch() && !parameter.is_empty())?;
    Some((slot, parameter))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schedulable() -> Schedulable {
        let mut schedulable = Schedulable::new();
        for name in NAMES {
            schedulable.put(name.key, Number::Real(0.5));
        }
        schedulable.put("sampler.pool", Number::Count(64));
        schedulable.close("boundary", "'mine' is a plugin");
        schedulable
    }

    /// The ranges, one number on each side of every end.
    #[test]
    fn a_number_is_in_its_range_or_named() {
        let real = Number::Real;
        let cases = [
            ("optim.lr", &[0.0, 1e9][..], &[-1e-9, f64::INFINITY][..]),
            ("optim.clip", &[0.0], &[-0.1]),
            ("loss.intra", &[0.0, 3.0], &[-0.1]),
            ("loss.inter", &[0.0, 3.0], &[-0.1]),
            ("inter.temperature", &[1e-9], &[0.0, -1.0, 1e-31]),
            ("method.temperature", &[1e-9], &[0.0]),
            ("method.momentum", &[0.0, 1.0], &[-1e-9, 1.0 + 1e-9]),
            ("method.margin", &[-0.5, 0.5], &[f64::NEG_INFINITY]),
            ("bank.momentum", &[0.0, 1.0], &[1.5]),
            ("sampler.pool", &[0.1, -3.0], &[f64::NAN]),
        ];
        assert_eq!(cases.len(), NAMES.len() + 1);
        for (name, good, bad) in cases {
            for number in good {
                schedulable().check(name, real(*number)).unwrap();
            }
            for number in bad.iter().chain(&[f64::NAN]) {
                let said = schedulable().check(name, real(*number)).unwrap_err();
                let (start, end) = (format!("'{name}': expected "), format!("found {number}"));
                assert!(said.starts_with(&start) && said.ends_with(&end), "{said}");
            }
        }
        schedulable()
            .check("sampler.pool", Number::Count(12))
            .unwrap();
    }

    #[test]
    fn a_name_that_the_run_has_no_use_for_says_why() {
        let said = |name: &str| schedulable().check(name, Number::Count(1)).unwrap_err();
        assert_eq!(
            said("boundary.margin"),
            "'boundary.margin' is not to be given: 'mine' is a plugin"
        );
        let unknown = said("optim.lrr");
        assert!(unknown.starts_with("unknown name 'optim.lrr', this run has bank.momentum, "));
        assert!(unknown.ends_with("; did you mean 'optim.lr'?"), "{unknown}");
        assert!(said("sampler.pol").ends_with("did you mean 'sampler.pool'?"));
        assert!(!said("banana").contains("did you mean"));
        let mut unseen = Schedulable::new();
        unseen.take_unseen();
        unseen.check("labels.any", Number::Count(1)).unwrap();
        assert!(unseen.check("optim.any", Number::Count(1)).is_err());
        let made_up = ["labels.any", "optim.any", "schedule.any"].map(|name| unseen.made_up(name));
        assert_eq!(made_up, [Some(Number::Real(0.5)), None, None]);
        assert_eq!(schedulable().made_up("sampler.any"), None);
    }
}
