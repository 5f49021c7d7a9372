//! Where commands to a live run are served: between two steps, on the training thread.

pub mod changes;
mod retune;

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Result, anyhow, bail};
use serde_json::{Value, json};

use crate::config::live;
use crate::control::socket::Socket;
use crate::control::{Ask, Command, Inbox};
use crate::policy::{Content, Params, PolicyFile};
use crate::slots::{Asked, Fault, Kind, Slot};
use crate::swap::Origin;
use crate::train::records::Records;
use crate::train::trainer::Trainer;

/// How often a paused run looks up.
const NAP: Duration = Duration::from_secs(1);

/// What the loop does after the commands were served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// The next step.
    Step,
    /// Save everything and end.
    Stop,
}

/// The commands that come in, and those that wait for their step.
pub(crate) struct CommandServer {
    inbox: Inbox,
    /// Other processes cannot give commands any more when this is dropped.
    _socket: Option<Socket>,
    later: Vec<Later>,
    paused: bool,
    stopping: bool,
}

/// A swap that waits for its step.
struct Later {
    at: u64,
    slot: Slot,
    file: PathBuf,
}

impl CommandServer {
    pub(crate) fn new(inbox: Inbox, socket: Option<Socket>) -> Self {
        Self {
            inbox,
            _socket: socket,
            later: Vec::new(),
            paused: false,
            stopping: false,
        }
    }

    /// Serves what was asked since the last step; a paused run stays here until it is told to go on.
    pub(crate) fn serve(&mut self, trainer: &mut Trainer, records: &mut Records) -> Next {
        self.swap_what_is_due(trainer, records);
        for ask in self.inbox.take() {
            self.answer(ask, trainer, records);
        }
        let waited = self.paused;
        while self.paused && !self.stopping {
            if let Some(ask) = self.inbox.wait(NAP) {
                self.answer(ask, trainer, records);
            }
        }
        if waited {
            records.reopen_window();
        }
        match self.stopping {
            true => Next::Stop,
            false => Next::Step,
        }
    }

    /// Stops where the run left something long undone because it was asked to: the command may be on its way still.
    pub(crate) fn stop(&mut self, trainer: &mut Trainer, records: &mut Records) -> Next {
        if let Err(error) = self.obey(Command::Stop, trainer, records) {
            tracing::warn!("the ledger does not say that the run was stopped: {error}");
        }
        Next::Stop
    }

    fn answer(&mut self, ask: Ask, trainer: &mut Trainer, records: &mut Records) {
        let outcome = self.obey(ask.command, trainer, records);
        records.changes(trainer);
        let reply = outcome.map_err(|error| words(&error));
        // Whoever asked may have gone.
        let _ = ask.reply.send(reply);
    }

    fn obey(
        &mut self,
        command: Command,
        trainer: &mut Trainer,
        records: &mut Records,
    ) -> Result<Value> {
        if changes_the_course(&command) && trainer.gate.reruns() {
            bail!(
                "the run does again what a ledger holds, at step {}, and takes no changes until that is done",
                trainer.step
            );
        }
        match command {
            Command::Pause => {
                self.paused = true;
                records.terminal.paused(true);
                act(trainer, records, "paused")
            }
            Command::Continue => {
                self.paused = false;
                records.terminal.paused(false);
                act(trainer, records, "continued")
            }
            Command::Checkpoint => {
                let path = records.save(trainer)?;
                act(trainer, records, "checkpoint")?;
                Ok(json!(format!("saved {}", path.display())))
            }
            Command::Stop => {
                self.stopping = true;
                act(trainer, records, "stopped")
            }
            Command::RollBack { slot } => {
                let now = trainer.now();
                trainer.gate.roll_back(slot, Origin::Control, now)?;
                Ok(json!(said(trainer, slot)))
            }
            Command::Set { values } => {
                trainer.set(&values, Origin::Control)?;
                let text = records.say_set(trainer, &values);
                Ok(json!(text))
            }
            Command::Swap { slot, file, at } => self.swap(
                trainer,
                Later {
                    at: at.unwrap_or(0),
                    slot,
                    file,
                },
            ),
            Command::Shadow { slot, file } => {
                let name = trainer.add_shadow(slot, file)?;
                Ok(json!(format!(
                    "{slot}: '{name}' is tried after step {}",
                    trainer.step
                )))
            }
            Command::Unshadow { name } => {
                trainer
                    .drop_shadow(&name)
                    .map_err(|message| anyhow!(message))?;
                Ok(json!(format!("'{name}' is tried no longer")))
            }
            Command::Status => Ok(self.status(trainer)),
        }
    }

    /// Swaps now, or when its step has come.
    fn swap(&mut self, trainer: &mut Trainer, later: Later) -> Result<Value> {
        let Later { at, slot, file } = &later;
        if *at <= trainer.step {
            swap(trainer, *slot, file, Origin::Control)?;
            return Ok(json!(said(trainer, *slot)));
        }
        // Read now, so that a slip of the pen is told now.
        read(trainer, *slot, file)?;
        let text = format!("{slot}: '{}' waits for step {at}", file.display());
        self.later.push(later);
        Ok(json!(text))
    }

    fn status(&self, trainer: &Trainer) -> Value {
        let generations = trainer.gate.generations().into_iter();
        let generations: Params = generations
            .map(|(slot, generation)| (slot.name().to_owned(), json!(generation)))
            .collect();
        let later = self.later.iter();
        let later: Vec<_> = later
            .map(|later| json!({"slot": later.slot, "file": later.file, "at": later.at}))
            .collect();
        json!({
            "step": trainer.step,
            "steps": trainer.steps,
            "epoch": trainer.now().epoch,
            "paused": self.paused,
            "reruns": trainer.gate.reruns(),
            "generations": generations,
            "later": later,
            "shadows": trainer.shadows.names(),
            "pid": std::process::id(),
        })
    }

    fn swap_what_is_due(&mut self, trainer: &mut Trainer, records: &mut Records) {
        let step = trainer.step;
        let due: Vec<_> = self
            .later
            .extract_if(.., |later| later.at <= step)
            .collect();
        for Later { slot, file, .. } in due {
            if let Err(error) = swap(trainer, slot, &file, Origin::Control) {
                let error = words(&error);
                let text =
                    format!("{slot}: not swapped at step {step}, the live policy stays\n{error}");
                records.say(&text);
            }
        }
    }
}

/// The whole diagnostic of a policy's fault, or the error with its causes.
fn words(error: &anyhow::Error) -> String {
    match error.downcast_ref::<Fault>() {
        Some(fault) => fault.report.clone(),
        None => format!("{error:#}"),
    }
}

/// Whether a command changes what the run computes.
fn changes_the_course(command: &Command) -> bool {
    matches!(
        command,
        Command::Set { .. } | Command::Swap { .. } | Command::RollBack { .. }
    )
}

/// Records an act of a person that changes nothing of what the run computes.
fn act(trainer: &mut Trainer, records: &mut Records, event: &str) -> Result<Value> {
    let (now, step) = (trainer.now(), trainer.step);
    let noted = trainer
        .gate
        .note_run(event, Params::new(), Origin::Control, now);
    if let Err(error) = noted {
        tracing::warn!("the ledger cannot be written: {error}");
    }
    let text = format!("{event} after step {step}");
    records.say(&text);
    Ok(json!(text))
}

fn said(trainer: &Trainer, slot: Slot) -> String {
    let generations = trainer.gate.generations();
    let live = generations.iter().find(|(of, _)| *of == slot);
    let live = live.map_or("none".to_owned(), |(_, generation)| generation.to_string());
    format!("{slot}: {live} is live after step {}", trainer.step)
}

fn read(trainer: &Trainer, slot: Slot, file: &Path) -> Result<(PolicyFile, Content)> {
    let file = match file.extension().is_some_and(|ending| ending == "so") {
        true => PolicyFile::Plugin(trainer.plan.search.find_plugin(slot, file)?),
        false => PolicyFile::Script(trainer.plan.search.find(slot, file)?),
    };
    let content = file.read(slot)?;
    let params = trainer.plan.slot(slot).params;
    let content = content.tried(slot, &params, &trainer.gate.staging())?;
    Ok((file, content))
}

/// Fills a slot from a file, which is watched from now on.
pub(crate) fn swap(trainer: &mut Trainer, slot: Slot, file: &Path, origin: Origin) -> Result<()> {
    let now = trainer.now();
    let (file, content) = read(trainer, slot, file)?;
    let hash = content.hash();
    match (trainer.gate.filled(slot), slot) {
        (true, _) => trainer.rehearsing(|gate, rehearse| {
            let proposed = gate.propose(slot, content, origin, now, rehearse);
            proposed.inspect_err(|fault| gate.refuse(fault.clone(), &hash, (now, origin)))
        })?,
        (false, slot) if slot.contract().asked == Asked::WhereNamed => {
            trainer.fill(slot, content, origin)?;
        }
        (false, _) => {
            let message = "it has no policy in this run: the inter-image branch is off";
            return Err(Fault::new(slot, Kind::Contract, message).into());
        }
    }
    if file.path().is_some() {
        trainer.gate.follow(slot, file, &hash);
    }
    Ok(())
}

/// `KEY=VALUE` arguments as they are set.
///
/// # Errors
/// A text that is none.
pub fn sets(texts: &[String]) -> Result<Params> {
    let parsed = texts.iter().map(|text| live::parse(text));
    Ok(parsed.collect::<Result<Params, _>>()?)
}
