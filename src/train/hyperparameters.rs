//! The numbers of a step: what the configuration says, and what the schedule gives in its place. They are asked for when a step
//! begins and hold to its end; nothing is kept for the next one.

use crate::config::plan::MethodKind;
use crate::config::{Config, Plan, stream};
use crate::ground::Now;
use crate::method::{Margin, Tuning, oupn};
use crate::model::rising_momentum;
use crate::optim::LearningRate;
use crate::policy::{Params, Policy};
use crate::slots::schedule::{self, Schedulable, of_slot};
use crate::slots::{Number, Numbers, Slot};

/// The numbers that hold in one step.
#[derive(Clone, Debug)]
pub struct Hyperparameters {
    /// The learning rate.
    pub lr: f64,
    /// Largest norm of the gradient; 0 is none.
    pub clip: f64,
    /// Weight of the intra-image loss.
    pub intra: f64,
    /// Weight of the inter-image loss.
    pub inter: f64,
    /// Temperature of the boundary.
    pub inter_temperature: f64,
    /// Temperature of the method's softmax.
    pub method_temperature: f64,
    /// m of the momentum encoder.
    pub method_momentum: f64,
    /// The margin on the method's positive cosine; 0 where there is none.
    pub method_margin: f64,
    /// Weight of the new feature when a row of the bank is renewed.
    pub bank_momentum: f64,
    /// Learning rate of what method `oupn` learns beside its encoder, as a multiple of the other one.
    pub own_rate: f64,
    /// Numbers of a window of a stream.
    pub window: oupn::Numbers,
    /// What the schedule gave.
    pub given: Numbers,
}

impl Hyperparameters {
    /// What holds in a step by the configuration alone.
    pub fn of(plan: &Plan, rate: &LearningRate, now: Now) -> Self {
        let config = &plan.config;
        let momentum = config.method.momentum;
        let progress = now.step as f64 / now.steps.max(1) as f64;
        Self {
            lr: rate.at(now.step),
            clip: config.optim.clip,
            intra: config.loss.intra,
            inter: config.loss.inter,
            inter_temperature: config.inter.temperature,
            method_temperature: config.method.temperature,
            method_momentum: match config.method.momentum_schedule.as_str() {
                "cosine" => rising_momentum(momentum, progress),
                _ => momentum,
            },
            method_margin: plan.margin.value().unwrap_or(0.0),
            bank_momentum: config.bank.momentum,
            own_rate: own_rate(config),
            window: stream::numbers(config),
            given: Numbers::new(),
        }
    }

    /// Each number under its name, in the order of [`schedule::NAMES`].
    fn named(&mut self) -> [(&'static str, &mut f64); schedule::NAMES.len()] {
        [
            ("optim.lr", &mut self.lr),
            ("optim.clip", &mut self.clip),
            ("loss.intra", &mut self.intra),
            ("loss.inter", &mut self.inter),
            ("inter.temperature", &mut self.inter_temperature),
            ("method.temperature", &mut self.method_temperature),
            ("method.momentum", &mut self.method_momentum),
            ("method.margin", &mut self.method_margin),
            ("bank.momentum", &mut self.bank_momentum),
        ]
    }

    /// Takes what a schedule gave.
    pub(super) fn take(&mut self, numbers: Numbers) {
        for (name, number) in self.named() {
            *number = numbers.get(name).map_or(*number, |number| number.value());
        }
        self.given = numbers;
    }

    /// The parameters that the schedule gives a slot.
    pub(super) fn params(&self, slot: Slot) -> Params {
        let given = self.given.iter().filter_map(|(name, number)| {
            let (of, parameter) = of_slot(name)?;
            (of == slot).then(|| (parameter.to_owned(), number.json()))
        });
        given.collect()
    }

    /// What the method reads.
    pub(super) fn tuning(&self, margin: Margin) -> Tuning {
        Tuning {
            temperature: self.method_temperature,
            momentum: self.method_momentum,
            margin: margin.with(self.method_margin),
            memory: self.bank_momentum,
            window: self.window,
        }
    }
}

/// `method.oupn.lr` as a multiple of `optim.lr`, whose way through the run it shares.
fn own_rate(config: &Config) -> f64 {
    match (config.method.oupn.lr, config.optim.lr) {
        (0.0, _) | (_, 0.0) => 1.0,
        (own, other) => own / other,
    }
}

/// What a schedule may give in a run of this plan, whose live policies are given: the numbers that have an effect there.
pub(super) fn schedulable<'a>(
    plan: &Plan,
    mut hyper: Hyperparameters,
    policies: impl Iterator<Item = &'a Policy>,
) -> Schedulable {
    let mut schedulable = Schedulable::new();
    for (name, number) in hyper.named() {
        match useless(plan, name) {
            Some(why) => schedulable.close(name, why),
            None => schedulable.put(name, Number::Real(*number)),
        }
    }
    if !plan.inter() {
        for slot in Slot::of_branch() {
            schedulable.close(slot.name(), OFF);
        }
    }
    for policy in policies.filter(|policy| policy.slot().in_branch()) {
        parameters(&mut schedulable, policy);
    }
    schedulable
}

const OFF: &str = "the inter-image branch is off, loss.inter is 0 in the configuration";

/// Why a number has no effect in a run of this plan, if it has none.
fn useless(plan: &Plan, name: &str) -> Option<String> {
    let method = &plan.config.method.name;
    let without = |what: &str| Some(format!("method '{method}' has no {what}"));
    match (name, plan.method) {
        ("loss.inter" | "inter.temperature", _) if !plan.inter() => Some(OFF.to_owned()),
        ("bank.momentum", kind) if !plan.inter() && kind != MethodKind::Npid => {
            Some("there is no bank, loss.inter is 0 in the configuration".to_owned())
        }
        ("optim.lr" | "optim.clip", MethodKind::Ckn) => without("gradient"),
        ("method.temperature", MethodKind::Byol | MethodKind::Oupn | MethodKind::Ckn) => {
            without("temperature")
        }
        (
            "method.momentum",
            MethodKind::SimClr | MethodKind::Npid | MethodKind::Oupn | MethodKind::Ckn,
        ) => without("momentum encoder"),
        ("method.margin", MethodKind::Byol | MethodKind::Oupn | MethodKind::Ckn) => {
            without("margin")
        }
        ("method.margin", _) if plan.margin == Margin::None => {
            Some("method.margin_kind is 'none'".to_owned())
        }
        _ => None,
    }
}

/// Offers the numbers among a policy's parameters.
fn parameters(schedulable: &mut Schedulable, policy: &Policy) {
    let slot = policy.slot();
    if let Policy::Plugin(_) = policy {
        let name = policy.content().name().to_owned();
        let why = format!("'{name}' is a plugin, whose parameters are fixed when it is made");
        return schedulable.close(slot.name(), why);
    }
    for (name, value) in policy.params() {
        let name = format!("{slot}.{name}");
        match Number::of(value) {
            Some(number) => schedulable.put(name, number),
            None => schedulable.close(name, format!("it is no number but {value}")),
        }
    }
}
