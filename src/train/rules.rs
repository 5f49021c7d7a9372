//! The rules of a window of a stream, as the live policies of its slots give them.

use std::cell::RefCell;
use std::collections::BTreeSet;

use tch::Tensor;

use crate::ground::Now;
use crate::judge::Deciders;
use crate::method::oupn::{Control, Failed, Paper, Placement, Read, Rules};
use crate::policy::Policy;
use crate::slots::{Fault, Slot, novelty, prototypes};
use crate::swap::{Gate, Verdict};
use crate::train::trainer::Trainer;

/// The slots that are asked about each frame.
const ASKED: [Slot; 2] = [Slot::Novelty, Slot::Prototypes];

impl Trainer {
    /// By what the frames of a stream are told apart now: what is learnt, and twins of the policies, in which a judge leaves no trace. A
    /// policy that cannot be made twice is warned of, and judged without.
    pub(super) fn deciders(&mut self) -> Deciders {
        let filled = ASKED.into_iter().filter(|slot| self.gate.filled(*slot));
        let filled: Vec<_> = filled.collect();
        let twins = filled.into_iter().filter_map(|slot| {
            let twin = self.gate.live(slot).restored();
            let warn = |fault: &Fault| tracing::warn!("{slot}: it is not judged with: {fault}");
            twin.inspect_err(warn).ok()
        });
        Deciders {
            without: Vec::new(),
            policies: twins.collect(),
            learnt: self.method.parameters().into_iter().collect(),
        }
    }
}

/// Asks the live policies; the paper's rules hold where a slot has none or rests.
///
/// A window sees one generation of each slot: after a fault it is done again from its first frame, with every state as it was, so a
/// disturbed window gives the same bits as an undisturbed one.
pub(super) struct LiveRules<'a> {
    gate: RefCell<&'a mut Gate>,
    rows: i64,
    now: Now,
}

impl<'a> LiveRules<'a> {
    /// For a window of a run with so many training images.
    pub(super) fn new(gate: &'a mut Gate, rows: i64, now: Now) -> Self {
        Self {
            gate: RefCell::new(gate),
            rows,
            now,
        }
    }
}

impl Control for LiveRules<'_> {
    fn settle(&self, window: &mut dyn FnMut(&mut dyn Rules) -> Result<(), Failed>) {
        let mut gate = self.gate.borrow_mut();
        if !ASKED.into_iter().any(|slot| gate.filled(slot)) {
            return Paper.settle(window);
        }
        let mut resting = BTreeSet::new();
        loop {
            let states = gate.states();
            let mut asked = AskedRules {
                gate: &mut gate,
                resting: &resting,
                rows: self.rows,
                now: self.now,
                fault: None,
            };
            if window(&mut asked).is_ok() {
                break;
            }
            let fault = asked.fault.take().expect("a rule that failed says why");
            let slot = fault.slot;
            gate.put_back(&states);
            if gate.fault(fault, self.now) == Verdict::Rest {
                resting.insert(slot);
            }
        }
        // What was kept of this window's graph would be gone through again with the next one's.
        ASKED.into_iter().for_each(|slot| gate.forget_graph(slot));
    }
}

/// The rules of one try.
struct AskedRules<'a> {
    gate: &'a mut Gate,
    resting: &'a BTreeSet<Slot>,
    rows: i64,
    now: Now,
    fault: Option<Fault>,
}

impl AskedRules<'_> {
    /// What the live policy of a slot answers; nothing where there is none or it rests.
    fn ask<T>(
        &mut self,
        slot: Slot,
        frame: u64,
        question: impl FnOnce(&mut Policy, i64, Now) -> Result<T, Fault>,
    ) -> Result<Option<T>, Failed> {
        if self.resting.contains(&slot) || !self.gate.filled(slot) {
            return Ok(None);
        }
        let now = Now {
            part: frame,
            ..self.now
        };
        let answer = question(self.gate.live(slot), self.rows, now);
        let answer = answer.and_then(|answer| self.gate.answered(slot, now).map(|()| answer));
        answer.map(Some).map_err(|fault| {
            self.fault = Some(fault);
            Failed
        })
    }
}

impl Rules for AskedRules<'_> {
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
