//! Says when a policy has not answered for long: what is native cannot be interrupted, and a run that stands still would say nothing.
//!
//! A thread looks now and then at what the training thread left in [`asked`]; it touches nothing else.

use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::Duration;

use crate::ground::clock::Stopwatch;
use crate::policy::asked::{self, Question};

/// How often the thread looks.
const EVERY: Duration = Duration::from_secs(1);
/// A call of less is not worth a word, whatever its budget is.
const LEAST: Duration = Duration::from_secs(10);

/// The watching thread. It ends when this is dropped.
pub(super) struct Watchdog(#[expect(dead_code, reason = "dropping it ends the thread")] Sender<()>);

impl Watchdog {
    /// Starts the thread, which says what it sees by `say`.
    pub(super) fn start(say: impl Fn(&str) + Send + 'static) -> Self {
        let (alive, inbox) = channel::<()>();
        let run = move || {
            let watch = Stopwatch::start();
            let mut observer = Observer::default();
            while inbox.recv_timeout(EVERY) == Err(RecvTimeoutError::Timeout) {
                if let Some(text) = observer.look(asked::question(), watch.elapsed()) {
                    say(&text);
                }
            }
        };
        let thread = thread::Builder::new().name("watchdog".into()).spawn(run);
        if let Err(error) = thread {
            tracing::warn!("nobody watches for policies that never answer: {error}");
        }
        Self(alive)
    }
}

/// What has been seen of the question that is open.
#[derive(Default)]
struct Observer {
    ticket: u64,
    /// When it was seen first.
    since: Duration,
    told: bool,
}

impl Observer {
    /// What to say of the question that is open `now`, if it has been open for long and nothing was said yet.
    fn look(&mut self, question: Option<Question>, now: Duration) -> Option<String> {
        let question = question?;
        if question.ticket != self.ticket {
            *self = Self {
                ticket: question.ticket,
                since: now,
                told: false,
            };
        }
        let (open, budget) = (now - self.since, question.budget().ms);
        let patience = LEAST.max(Duration::from_secs_f64(2e-3 * budget));
        if open < patience || std::mem::replace(&mut self.told, true) {
            return None;
        }
        let Question {
            slot,
            policy,
            function,
            ..
        } = question;
        Some(format!(
            "warning: still waiting for '{function}' of {slot} policy '{policy}', asked {:.0} s ago; its budget is {:.0} s\n\
             note: it is in a native call, which the run cannot interrupt; if it never returns: kill -9 {}, and resume the run from \
             its last checkpoint, with another policy by --script or --plugin",
            open.as_secs_f64(),
            budget / 1e3,
            std::process::id()
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::slots::Slot;

    fn question(ticket: u64, function: &'static str) -> Option<Question> {
        Some(Question {
            ticket,
            slot: Slot::Sampler,
            policy: "mine".into(),
            function,
        })
    }

    #[test]
    fn a_question_that_is_open_for_long_is_told_once() {
        let mut observer = Observer::default();
        let mut look = |question, seconds| observer.look(question, Duration::from_secs(seconds));
        assert_eq!(look(None, 5), None);
        assert_eq!(
            look(question(1, "decide"), 100),
            None,
            "seen for the first time"
        );
        assert_eq!(look(question(1, "decide"), 109), None);
        let told = look(question(1, "decide"), 111).unwrap();
        let said = "still waiting for 'decide' of sampler policy 'mine', asked 11 s ago; its budget is 2 s";
        assert!(told.contains(said), "{told}");
        assert!(told.contains(&format!("kill -9 {}", std::process::id())));
        assert_eq!(look(question(1, "decide"), 500), None, "once");
        // Another call begins anew, answered or not.
        assert_eq!(look(None, 501), None);
        assert_eq!(look(question(2, "decide"), 502), None);
        assert_eq!(look(question(3, "decide"), 513), None);
        assert!(look(question(3, "decide"), 523).is_some());
    }

    #[test]
    fn what_may_take_long_is_waited_for() {
        for (function, early, late) in [("after_step", 59, 61), ("start", 1_199, 1_201)] {
            let mut observer = Observer::default();
            let mut look =
                |seconds| observer.look(question(1, function), Duration::from_secs(seconds));
            assert_eq!(look(0), None);
            assert_eq!(look(early), None, "{function}");
            assert!(look(late).is_some(), "{function}");
        }
    }
}
