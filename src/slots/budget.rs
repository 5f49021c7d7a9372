//! What a call of a policy may take.

use std::cell::Cell;

thread_local! {
    /// Whether budgets hold on this thread.
    static LIFTED: Cell<bool> = const { Cell::new(false) };
}

/// What one call of a policy may take.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Budget {
    /// Milliseconds of CPU time of the thread that asks: what others take of a busy machine, and a process that is stopped, cost
    /// nobody their policy.
    pub ms: f64,
}

impl Budget {
    /// Lifts all budgets of time of this thread, or lets them hold again.
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
    /// For `after_step`, which splits clusters now and then.
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
}

/// Whether a policy's last answer came late. What a clock says blames nobody at once: the first late answer is used, and the second
/// in a row is a fault.
#[derive(Clone, Copy, Debug, Default)]
pub struct Lateness(bool);

impl Lateness {
    /// Hears how long a call of `function` took of the thread. What is native cannot be interrupted, so this is asked after the call.
    ///
    /// # Errors
    /// A text that says that it has taken more than it may, twice.
    pub fn hear(&mut self, budget: Budget, function: &str, ms: f64) -> Result<(), String> {
        let late = ms > budget.limit();
        let again = std::mem::replace(&mut self.0, late);
        if !late {
            return Ok(());
        }
        let text = format!(
            "'{function}' took {ms:.0} ms of CPU time, its budget is {:.0} ms",
            budget.ms
        );
        if again {
            return Err(format!("{text}, and so the time before"));
        }
        tracing::warn!("{text}: what it answered is used this time");
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_late_answer_in_a_row_is_a_fault() {
        let budget = Budget { ms: 10.0 };
        let late = |times: &[f64]| {
            let mut lateness = Lateness::default();
            let heard = times.iter().map(|ms| lateness.hear(budget, "decide", *ms));
            heard.last().unwrap().err()
        };
        for good in [&[11.0][..], &[11.0, 9.0, 11.0], &[10.0, 10.0]] {
            assert_eq!(late(good), None, "{good:?}");
        }
        assert_eq!(
            late(&[9.0, 11.0, 12.0]).unwrap(),
            "'decide' took 12 ms of CPU time, its budget is 10 ms, and so the time before"
        );
        Budget::lift(true);
        assert_eq!(late(&[11.0, 12.0]), None);
        Budget::lift(false);
    }
}
