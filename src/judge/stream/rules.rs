//! The rules by which an encoder's prototypes are kept while it is judged: those of the run's policies, or the paper's.

use std::collections::BTreeMap;

use tch::{Device, Tensor};

use crate::config::Plan;
use crate::config::stream;
use crate::ground::Now;
use crate::method::oupn::{Failed, Learnt, Paper, Placement, Read, Rules};
use crate::policy::Policy;
use crate::slots::{Fault, Slot, novelty, prototypes};

/// What an encoder is judged with, beside its features.
#[derive(Default)]
pub struct Deciders {
    /// What method `oupn` has learnt, by names as `oupn.beta`; nothing of another method.
    pub learnt: BTreeMap<String, Tensor>,
    /// The policies that decide about each frame; the paper's rules hold where there is none.
    pub policies: Vec<Policy>,
    /// Slots in which the run had a policy that is not asked here.
    pub without: Vec<Slot>,
}

impl Deciders {
    /// By whose rules frames are told apart, by slot: a policy's, or the paper's.
    pub(super) fn names(&self) -> BTreeMap<&'static str, String> {
        let slots = [Slot::Novelty, Slot::Prototypes].into_iter();
        slots
            .map(|slot| {
                let policy = self.policies.iter().find(|policy| policy.slot() == slot);
                let name = policy.map(|policy| policy.content().name().to_owned());
                (slot.name(), name.unwrap_or_else(|| "paper".into()))
            })
            .collect()
    }

    /// The learnt numbers; where there are none those that they begin with.
    pub(super) fn numbers(&self, plan: &Plan, device: Device) -> Learnt {
        let start = stream::start(&plan.config);
        let number = |name: &str, start: f64| {
            let learnt = self.learnt.get(&format!("oupn.{name}"));
            let number = learnt.map_or_else(|| Tensor::from(start as f32), Tensor::detach);
            number.to_device(device)
        };
        Learnt {
            beta: number("beta", start.beta),
            gamma: number("gamma", start.gamma),
            tau: number("tau", start.tau),
        }
    }

    /// Twins of the policies, which leave no trace in them.
    ///
    /// # Errors
    /// A policy that cannot be made twice.
    pub(super) fn twins(&mut self, rows: i64, now: Now) -> Result<Twins, Fault> {
        let twins = self.policies.iter_mut().map(Policy::restored);
        Ok(Twins {
            policies: twins.collect::<Result<_, _>>()?,
            rows,
            now,
            fault: None,
        })
    }
}

/// The rules of one pass.
pub(super) struct Twins {
    policies: Vec<Policy>,
    rows: i64,
    now: Now,
    /// Why one failed.
    pub(super) fault: Option<Fault>,
}

impl Twins {
    /// The paper's rules.
    pub(super) fn of_the_paper(now: Now) -> Self {
        Self {
            policies: Vec::new(),
            rows: 1,
            now,
            fault: None,
        }
    }

    fn ask<T>(
        &mut self,
        slot: Slot,
        frame: u64,
        question: impl FnOnce(&mut Policy, i64, Now) -> Result<T, Fault>,
    ) -> Result<Option<T>, Failed> {
        let policy = self
            .policies
            .iter_mut()
            .find(|policy| policy.slot() == slot);
        let Some(policy) = policy else {
            return Ok(None);
        };
        let now = Now {
            part: frame,
            ..self.now
        };
        question(policy, self.rows, now).map(Some).map_err(|fault| {
            self.fault = Some(fault);
            Failed
        })
    }
}

impl Rules for Twins {
    fn novelty(&mut self, read: &Read<'_>) -> Result<Tensor, Failed> {
        let asked = self.ask(Slot::Novelty, read.frame, |policy, rows, now| {
            novelty::run(policy, read, rows, now)
        })?;
        Ok(asked.unwrap_or_else(|| Paper::novelty(read)))
    }

    fn placement(&mut self, read: &Read<'_>, new: &Tensor) -> Result<Placement, Failed> {
        let asked = self.ask(Slot::Prototypes, read.frame, |policy, rows, now| {
            prototypes::run(policy, (read, new), rows, now)
        })?;
        Ok(asked.unwrap_or_else(|| Paper::placement(read, new)))
    }
}
