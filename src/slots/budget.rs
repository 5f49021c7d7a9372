//! What a call of a policy may take.

use std::cell::Cell;

thread_local! {
    /// Whether budgets hold on this thread.
    static LIFTED: Cell<bool> = const { Cell::new(false) };
}

/// What one call of a policy may take.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Budget {
    /// Milliseconds on the wall clock.
    pub ms: f64,
}

impl Budget {
    /// Lifts all budgets of this thread, or lets them hold again.
    ///
    /// A run that is done again knows which call was too slow the first time. This machine's clock must not decide it anew.
    pub fn lift(lifted: bool) {
        LIFTED.set(lifted);
    }

    /// The milliseconds after which a call is to be stopped.
    pub fn limit(self) -> f64 {
        if LIFTED.get() { f64::INFINITY } else { self.ms }
    }

    /// For what is called in each step.
    pub const DECIDE: Budget = Budget { ms: 2_000.0 };
    /// For `after_step`, which splits clusters now and then: a busy machine makes tens of milliseconds seconds.
    pub const STEP: Budget = Budget { ms: 30_000.0 };
    /// For what is called once in a run or an epoch and may cluster the whole bank.
    pub const UPKEEP: Budget = Budget { ms: 600_000.0 };

    /// What a call of that function may take.
    pub fn of(function: &str) -> Budget {
        match function {
            "start" | "after_epoch" => Self::UPKEEP,
            "after_step" => Self::STEP,
            _ => Self::DECIDE,
        }
    }

    /// A text that says so where a call of `function` has taken more. What is native cannot be interrupted, so this is asked
    /// after the call.
    ///
    /// # Errors
    /// That text.
    pub fn check(self, function: &str, ms: f64) -> Result<(), String> {
        if ms <= self.limit() {
            return Ok(());
        }
        Err(format!(
            "'{function}' took {ms:.0} ms, its budget is {:.0} ms",
            self.ms
        ))
    }
}
