//! What a run was to do and did not: without it a number of the run would pass for one of a run that did.

use serde::{Deserialize, Serialize};

/// Why something was left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// A slot's policy failed, and there was none to go back to.
    Rested,
    /// The host could not ask: an embedding that is not finite, a bank that could not be filled.
    LeftOut,
    /// The gradient was not finite, so that the step changed no weight.
    Skipped,
    /// The run ended before its time came, as its configuration says.
    NeverBegan,
    /// An evaluation could not be made, so that it has no number.
    NotJudged,
}

/// Something that was left out of some steps.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lapse {
    /// What: a slot, `inter` for the inter-image branch, or `update`.
    pub what: String,
    /// Why it was.
    pub cause: Cause,
    /// The first step without it, counted from 1.
    pub from: u64,
    /// The last one.
    pub to: u64,
    /// In how many steps.
    pub steps: u64,
    /// What was wrong the first time, in a line.
    pub why: String,
}

impl Lapse {
    /// Whether a run of so many steps is another one than it was to be: such a run enters no mean. A step in a hundred may be skipped.
    pub fn is_grave(&self, steps: u64) -> bool {
        match self.cause {
            Cause::Rested | Cause::LeftOut | Cause::NotJudged => true,
            Cause::Skipped => self.steps.saturating_mul(100) > steps,
            Cause::NeverBegan => false,
        }
    }

    /// Whether a run ends with it that is to leave nothing out.
    pub fn ends_strict(&self) -> bool {
        self.cause != Cause::NeverBegan
    }

    /// In words, of a run that did so many steps: `without boundary from step 12 on: the loss is NaN`.
    pub fn text(&self, steps: u64) -> String {
        let Self {
            what,
            cause,
            from,
            to,
            steps: count,
            why,
        } = self;
        match cause {
            Cause::NeverBegan => format!("{what} never began: {why}"),
            Cause::NotJudged => format!("not judged by {what} at step {to}: {why}"),
            Cause::Skipped => format!("{count} steps without an update, the first {from}: {why}"),
            _ if *to == steps && to + 1 - from == *count => {
                format!("without {what} from step {from} on: {why}")
            }
            _ => format!("without {what} in {count} of its steps, {from} to {to}: {why}"),
        }
    }
}

/// All lapses of a run, one for each thing and cause.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Lapses(Vec<Lapse>);

impl Lapses {
    /// Takes in that `what` was left out of a step, counted from 1.
    pub fn take_in(&mut self, what: &str, cause: Cause, step: u64, why: &str) {
        let mut all = self.0.iter_mut();
        if let Some(known) = all.find(|known| known.what == what && known.cause == cause) {
            known.steps += u64::from(known.to != step);
            known.to = step;
            return;
        }
        self.0.push(Lapse {
            what: what.to_owned(),
            cause,
            from: step,
            to: step,
            steps: 1,
            why: why.lines().next().unwrap_or_default().to_owned(),
        });
    }

    /// Each, the first to come first.
    pub fn iter(&self) -> impl Iterator<Item = &Lapse> {
        self.0.iter()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether a run of so many steps is another one than it was to be.
    pub fn is_grave(&self, steps: u64) -> bool {
        self.iter().any(|lapse| lapse.is_grave(steps))
    }

    /// In how many steps something was left out, at least; skipped steps have a number of their own.
    pub fn grave_steps(&self) -> u64 {
        let left_out = [Cause::Rested, Cause::LeftOut];
        let grave = self.iter().filter(|lapse| left_out.contains(&lapse.cause));
        grave.map(|lapse| lapse.steps).max().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_of_a_lapse_are_counted_once_and_said_as_they_lie() {
        let mut lapses = Lapses::default();
        assert!(lapses.is_empty() && !lapses.is_grave(0));
        lapses.take_in("update", Cause::Skipped, 3, "the gradient is not finite");
        assert!(!lapses.is_grave(100), "one step fewer is the same run");
        assert!(lapses.is_grave(99), "one in ten is not");
        for step in [12, 12, 13, 14] {
            lapses.take_in("boundary", Cause::Rested, step, "the loss is NaN\nmore");
        }
        lapses.take_in("labels", Cause::Rested, 5, "one");
        lapses.take_in("labels", Cause::Rested, 9, "two");
        lapses.take_in("inter", Cause::NeverBegan, 20, "it begins with epoch 6");
        let texts: Vec<_> = lapses.iter().map(|lapse| lapse.text(14)).collect();
        assert_eq!(
            texts,
            [
                "1 steps without an update, the first 3: the gradient is not finite",
                "without boundary from step 12 on: the loss is NaN",
                "without labels in 2 of its steps, 5 to 9: one",
                "inter never began: it begins with epoch 6",
            ]
        );
        assert!(lapses.is_grave(0));
        assert_eq!(lapses.grave_steps(), 3);
        let json = serde_json::to_value(&lapses).unwrap();
        assert_eq!(json[1]["cause"], "rested");
        assert_eq!(serde_json::from_value::<Lapses>(json).unwrap(), lapses);
    }
}
