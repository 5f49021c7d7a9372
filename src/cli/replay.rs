//! `sandbox replay`: do a run again, or what it would have been otherwise.

use std::io::Write;
use std::path::PathBuf;

use anyhow::{Result, anyhow, bail};
use clap::Args;

use super::Invalid;
use super::again::{self, Training};
use crate::swap::{Line, ledger};
use crate::train::begin::past::Past;
use crate::train::{self, Again, Comparison};

/// Do a run again as a new one: every policy, value and roll-back of its ledger at the same step.
///
/// Nothing is read but the run's folder and the images: the policies are those that were stored. Each step is held against the
/// digests that the run left, and the first one that differs is named. On the CPU every bit counts; on a GPU, losses that lie
/// within --tolerance of each other are equal.
///
/// With --without or --shift it is the run that would have been: `sandbox compare` shows both.
#[derive(Debug, Args)]
pub struct Replay {
    /// The run's folder, or a part of the name of one in runs/ that no other there has.
    #[arg(value_name = "RUN")]
    pub run: String,
    /// Stop after so many steps, with a checkpoint; where the run has got to, unless given.
    #[arg(long, value_name = "STEP")]
    pub until: Option<u64>,
    /// Fail (exit code 1) when a step differs; with --without or --shift, when one differs before the first change.
    #[arg(long)]
    pub verify: bool,
    /// Leave out what line SEQ of the ledger changed; may be repeated.
    #[arg(long, value_name = "SEQ")]
    pub without: Vec<u64>,
    /// Do what line SEQ of the ledger changed so many steps later, or with - earlier; may be repeated.
    #[arg(long, value_name = "SEQ=+STEPS", value_parser = shift, allow_hyphen_values = true)]
    pub shift: Vec<(u64, i64)>,
    /// How far losses may lie apart, relative to the run's; 0 on the CPU and 0.001 on a GPU unless given.
    #[arg(long, value_name = "T")]
    pub tolerance: Option<f64>,
    /// The folder that holds the new run; that of the run unless given.
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    #[command(flatten)]
    training: Training,
}

fn shift(text: &str) -> Result<(u64, i64), String> {
    let bad = || format!("expected SEQ=+STEPS or SEQ=-STEPS, as in 7=+500, found '{text}'");
    let (seq, steps) = text.split_once('=').ok_or_else(bad)?;
    Ok((
        seq.parse().map_err(|_| bad())?,
        steps.parse().map_err(|_| bad())?,
    ))
}

impl Replay {
    /// Does the run again and says whether it is the same.
    ///
    /// # Errors
    /// A run that cannot be done again, and with `--verify` one that is another.
    pub fn execute(self) -> Result<()> {
        let run = again::folder(&self.run)?;
        let mut past = Past::beginning(&run)?;
        let until = match self.until {
            Some(until) => until,
            None => past.reached()?,
        };
        let (lines, first_change) = self.changed(&past.ledger, past.step())?;
        let out = self.out.clone().unwrap_or_else(|| again::beside(&run));
        let options = self.training.options(&mut past, out.clone())?;
        let exact = options.device == tch::Device::Cpu;
        let again = Again {
            until: Some(until),
            tolerance: self.tolerance.unwrap_or(if exact { 0.0 } else { 1e-3 }),
            changed: first_change.is_some(),
            called: self.called(),
        };
        let trained = train::replay(past, lines, &again, &options);
        let Some(summary) = again::came_out(trained)? else {
            return Ok(());
        };
        again::tell(&summary, &out)?;
        let against = summary
            .against
            .ok_or_else(|| anyhow!("a replay is always held against its original"))?;
        let text = verdict(&against, first_change);
        writeln!(std::io::stdout(), "{text}")?;
        if !self.verify {
            return Ok(());
        }
        if !equal_up_to(&against, first_change) {
            bail!("the replay is not the run: {text}");
        }
        if against.difference.is_none() && against.compared < until {
            bail!(
                "steps {} to {until} were not looked at: the run left no digest of them",
                against.compared + 1
            );
        }
        Ok(())
    }

    /// `replay`, or what is changed, as in `without-4`: two replays of a run are told apart by their names.
    fn called(&self) -> String {
        let left_out = self.without.iter().map(|seq| format!("without-{seq}"));
        let moved = self.shift.iter().map(|(seq, by)| match by {
            0.. => format!("shift-{seq}-later-{by}"),
            _ => format!("shift-{seq}-earlier-{}", by.unsigned_abs()),
        });
        let all: Vec<_> = left_out.chain(moved).collect();
        match all.is_empty() {
            true => "replay".into(),
            false => all.join("-"),
        }
    }

    /// The ledger as it is to be done again, and the first step at which that differs from the run's.
    fn changed(&self, ledger: &[Line], begun: u64) -> Result<(Vec<Line>, Option<u64>)> {
        let mut lines = ledger.to_vec();
        let mut first: Option<u64> = None;
        let mut changes_from = |step: u64| first = Some(first.map_or(step, |old| old.min(step)));
        for seq in &self.without {
            let line = asked_for(ledger, *seq)?;
            changes_from(line.step);
            lines.retain(|line| line.seq != *seq);
        }
        for (seq, by) in &self.shift {
            let line = asked_for(ledger, *seq)?;
            let step = line.step.saturating_add_signed(*by).max(begun);
            changes_from(line.step.min(step));
            let shifted = lines.iter_mut().filter(|line| line.seq == *seq);
            shifted.for_each(|line| line.step = step);
        }
        Ok((lines, first))
    }
}

/// The line of a ledger that somebody asked for: only such a one can be left out or moved.
fn asked_for(ledger: &[Line], seq: u64) -> Result<&Line> {
    let all = ledger.iter().filter(|line| line.can_be_changed());
    if let Some(line) = all.clone().find(|line| line.seq == seq) {
        return Ok(line);
    }
    let all: Vec<_> = all.map(ledger::brief).collect();
    let all = match all.is_empty() {
        true => "nothing was changed in this run".to_owned(),
        false => format!("there are\n{}", all.join("\n")),
    };
    Err(Invalid(format!(
        "line {seq} of the ledger is no change that somebody made; {all}"
    ))
    .into())
}

/// Whether the runs are equal as far as they should be.
fn equal_up_to(against: &Comparison, first_change: Option<u64>) -> bool {
    match (&against.difference, first_change) {
        (None, _) => against.compared > 0,
        (Some(difference), Some(change)) => difference.step > change,
        (Some(_), None) => false,
    }
}

fn verdict(against: &Comparison, first_change: Option<u64>) -> String {
    let how = match against.tolerance > 0.0 {
        true => format!("within {}", against.tolerance),
        false => "bit for bit".to_owned(),
    };
    let changed = first_change.map_or(String::new(), |step| {
        format!(" (the ledger was changed from step {} on)", step + 1)
    });
    match &against.difference {
        _ if against.compared == 0 => {
            "same  nothing could be compared: the run left no digests".to_owned()
        }
        None => format!("same  {how} up to step {}{changed}", against.compared),
        Some(difference) => format!(
            "parts  at step {}{changed}: {}",
            difference.step, difference.what
        ),
    }
}
