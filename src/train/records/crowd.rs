//! Notices that a run waits for processors that others have: a barrier of many threads waits for the last of them, so two busy
//! programs make a step many times as long.

use std::time::Duration;

/// So much of the time may go by in waiting before a word is said.
const SHARE: f64 = 0.25;
/// What is shorter may be anything.
const LEAST: Duration = Duration::from_secs(20);

/// How long the training thread has waited for a processor, and whether that was said.
#[derive(Debug, Default)]
pub(super) struct Crowd {
    passed: Duration,
    waited: Duration,
    told: bool,
}

impl Crowd {
    /// Hears how long some steps took, and how long of that the training thread could have computed and was not let; says a word once
    /// when that is much. `threads` are libtorch's.
    pub(super) fn hear(
        &mut self,
        passed: Duration,
        waited: Duration,
        threads: i32,
    ) -> Option<String> {
        self.passed += passed;
        self.waited += waited;
        if self.told || self.passed < LEAST {
            return None;
        }
        let (passed, waited) = (self.passed.as_secs_f64(), self.waited.as_secs_f64());
        *self = Self::default();
        self.told = waited > SHARE * passed;
        let fewer = match threads {
            2.. => format!(
                "fewer threads wait less for each other: it has {threads}, and --threads N says how many"
            ),
            _ => "it has one thread already".to_owned(),
        };
        self.told.then(|| {
            format!(
                "note: the machine is busy: of the last {passed:.0} s the run waited {waited:.0} s for a processor; {fewer}"
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hear(crowd: &mut Crowd, passed: u64, waited: u64) -> Option<String> {
        crowd.hear(Duration::from_secs(passed), Duration::from_secs(waited), 2)
    }

    #[test]
    fn waiting_is_said_once_and_only_where_it_is_much() {
        let mut crowd = Crowd::default();
        assert_eq!(hear(&mut crowd, 19, 19), None, "too short to say");
        let said = hear(&mut crowd, 11, 0).unwrap();
        let expected = "of the last 30 s the run waited 19 s for a processor";
        assert!(
            said.contains(expected) && said.contains("--threads N"),
            "{said}"
        );
        assert_eq!(hear(&mut crowd, 30, 30), None, "once");
        let mut idle = Crowd::default();
        assert_eq!(hear(&mut idle, 30, 7), None);
        // What was long ago does not count any more.
        assert_eq!(hear(&mut idle, 20, 5), None);
        assert!(hear(&mut idle, 20, 6).is_some());
    }
}
