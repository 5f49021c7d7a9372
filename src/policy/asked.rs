//! Which question a policy is being asked at this moment, for a thread that watches.
//!
//! The training thread writes it with one relaxed store when a call begins and one when it ends; nothing waits for it.

use std::cell::Cell;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::slots::{Budget, Slot};

/// 0 where nobody is asked; else the number of the call, of the policy and of the function, as [`ticket`] packs them.
static ASKED: AtomicU64 = AtomicU64::new(0);

/// Policies that were ever built in this process.
static POLICIES: Mutex<Vec<(Slot, String)>> = Mutex::new(Vec::new());

thread_local! {
    static CALLS: Cell<u64> = const { Cell::new(0) };
}

/// Functions of policies that the host calls.
const FUNCTIONS: [&str; 10] = [
    "start",
    "decide",
    "after_step",
    "after_epoch",
    "restore",
    "defaults",
    "create",
    "save",
    "keep",
    "finish",
];

/// A policy's number, under which it says that it is asked.
#[derive(Clone, Copy, Debug)]
pub(in crate::policy) struct Asker(u32);

/// Stands for a call while it lasts.
pub(in crate::policy) struct Asking(());

impl Asker {
    /// The number of the policy of that slot and name.
    pub(in crate::policy) fn new(slot: Slot, name: &str) -> Self {
        let mut all = POLICIES.lock().unwrap_or_else(PoisonError::into_inner);
        let known = all
            .iter()
            .position(|(of, known)| *of == slot && known == name);
        let number = known.unwrap_or_else(|| {
            all.push((slot, name.to_owned()));
            all.len() - 1
        });
        Self(number as u32)
    }

    /// Says that a function is called, until the answer is dropped.
    pub(in crate::policy) fn ask(self, function: &str) -> Asking {
        let call = CALLS.get() + 1;
        CALLS.set(call);
        ASKED.store(ticket(call, self.0, function), Ordering::Relaxed);
        Asking(())
    }
}

impl Drop for Asking {
    fn drop(&mut self) {
        ASKED.store(0, Ordering::Relaxed);
    }
}

/// 32 bits of the call's number, one that says that somebody is asked, 23 of the policy's number and 8 of the function's.
fn ticket(call: u64, policy: u32, function: &str) -> u64 {
    let known = FUNCTIONS.iter().position(|known| *known == function);
    let function = known.map_or(0, |at| at as u64 + 1);
    (call << 32) | (u64::from(policy & 0x7f_ffff) << 8) | (1 << 31) | function
}

/// A question that a policy has not answered yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// Another number for each call.
    pub ticket: u64,
    /// The slot whose policy is asked.
    pub slot: Slot,
    /// The policy's name.
    pub policy: String,
    /// The function.
    pub function: &'static str,
}

impl Question {
    /// What its call may take.
    pub fn budget(&self) -> Budget {
        Budget::of(self.function)
    }
}

/// The question that a policy is being asked now, by any thread of this process.
pub fn question() -> Option<Question> {
    read(ASKED.load(Ordering::Relaxed))
}

fn read(ticket: u64) -> Option<Question> {
    let policy = ((ticket >> 8) & 0x7f_ffff) as usize;
    let function = (ticket & 0xff) as usize;
    let all = POLICIES.lock().unwrap_or_else(PoisonError::into_inner);
    let (slot, name) = all.get(policy).filter(|_| ticket != 0)?;
    Some(Question {
        ticket,
        slot: *slot,
        policy: name.clone(),
        function: function
            .checked_sub(1)
            .and_then(|at| FUNCTIONS.get(at).copied())
            .unwrap_or("a function"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ticket_says_who_is_asked_what_and_tells_calls_apart() {
        let mine = Asker::new(Slot::Sampler, "asked, mine");
        let other = Asker::new(Slot::Boundary, "asked, mine");
        assert_ne!(mine.0, other.0);
        assert_eq!(mine.0, Asker::new(Slot::Sampler, "asked, mine").0);
        for function in FUNCTIONS {
            let question = read(ticket(7, other.0, function)).unwrap();
            assert_eq!(question.function, function);
            assert_eq!(question.slot, Slot::Boundary);
            assert_eq!(question.policy, "asked, mine");
        }
        assert_eq!(
            read(ticket(7, mine.0, "else")).unwrap().function,
            "a function"
        );
        assert_ne!(ticket(7, mine.0, "decide"), ticket(8, mine.0, "decide"));
        assert_eq!(read(0), None);
    }
}
