//! The schedule's turn in a step: which numbers it may give, and what it gives.

use super::hyperparameters::{Hyperparameters, schedulable};
use super::inter::ask;
use super::trainer::Trainer;
use crate::ground::Now;
use crate::policy::Params;
use crate::slots::Slot;
use crate::slots::schedule::{self, Schedulable};

impl Trainer {
    /// What a schedule may give in the step that comes.
    pub(super) fn schedulable(&self, now: Now) -> Schedulable {
        let hyper = Hyperparameters::of(&self.plan, &self.rate, now);
        let policies = self.gate.generations();
        let policies = policies.iter().map(|(slot, _)| self.gate.policy(*slot));
        schedulable(&self.plan, hyper, policies)
    }

    /// The numbers of the step that begins, told to those who keep them: the configuration's, and in their place what the schedule
    /// gives.
    pub(super) fn turn(&mut self, now: Now) -> Hyperparameters {
        let mut hyper = Hyperparameters::of(&self.plan, &self.rate, now);
        if self.gate.filled(Slot::Schedule) {
            let schedulable = self.schedulable(now);
            let ctx = schedule::Context {
                lr: self.plan.config.optim.lr,
                schedulable: &schedulable,
                last: &self.last,
                rows: self.train.images().len() as i64,
                now,
            };
            let numbers = ask(&mut self.gate, Slot::Schedule, now, |policy| {
                schedule::run(policy, &ctx)
            });
            hyper.take(numbers.unwrap_or_default());
            for slot in Slot::of_branch() {
                self.gate.override_params(slot, hyper.params(slot));
            }
        }
        self.method.tune(&hyper.tuning(self.plan.margin));
        if let Some(bank) = &mut self.bank {
            bank.momentum = hyper.bank_momentum;
        }
        hyper
    }

    /// The step is over: what the schedule gave the other slots ends with it.
    pub(super) fn turn_back(&mut self) {
        for slot in Slot::of_branch() {
            self.gate.override_params(slot, Params::new());
        }
    }
}
