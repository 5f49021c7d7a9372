//! Verbs for a run that goes on: each is a command to its socket, and says what the run answers.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, anyhow};
use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use serde_json::Value;

use super::{Invalid, again};
use crate::config::live;
use crate::control::{Command, socket};
use crate::policy::script::{Origin, Search};
use crate::record::RunLock;
use crate::slots::Slot;

/// A live run.
#[derive(Debug, Args)]
pub struct Live {
    /// The run's folder, or a part of the name of one in runs/ that no other there has.
    #[arg(value_name = "RUN")]
    pub run: String,
}

/// Fill a slot of a live run from a file, which is watched from then on.
#[derive(Debug, Args)]
pub struct Swap {
    #[command(flatten)]
    live: Live,
    /// The slot.
    #[arg(value_parser = slots(Slot::all()))]
    pub slot: Slot,
    /// A script, or a plugin (FILE.so).
    pub file: PathBuf,
    /// Not before so many steps are done. A run that ends before forgets it.
    #[arg(long, value_name = "STEP")]
    pub at: Option<u64>,
}

/// Change values of a live run's configuration from its next step on.
#[derive(Debug, Args)]
pub struct Set {
    #[command(flatten)]
    live: Live,
    /// As optim.lr=0.01 or sampler.pool=0.2.
    #[arg(value_name = "KEY=VALUE", required = true)]
    pub values: Vec<String>,
}

/// Give a slot of a live run back to the generation before the live one.
#[derive(Debug, Args)]
pub struct RollBack {
    #[command(flatten)]
    live: Live,
    /// The slot.
    #[arg(value_parser = slots(Slot::all()))]
    pub slot: Slot,
}

/// Try a policy beside the live one: the same batch, no effect on the run.
#[derive(Debug, Args)]
pub struct Shadow {
    #[command(flatten)]
    live: Live,
    /// The slot.
    #[arg(value_parser = slots(Slot::of_branch()))]
    pub slot: Slot,
    /// A script, or a plugin (FILE.so).
    pub file: PathBuf,
}

/// Try a shadow no longer.
#[derive(Debug, Args)]
pub struct Unshadow {
    #[command(flatten)]
    live: Live,
    /// The shadow's name, as its tags have it: shadow/NAME/...
    pub name: String,
}

/// A parser of the names of these slots, which `--help` lists.
fn slots(slots: impl Iterator<Item = Slot>) -> impl TypedValueParser<Value = Slot> {
    PossibleValuesParser::new(slots.map(Slot::name))
        .map(|name| Slot::named(&name).expect("a name of those above"))
}

impl Live {
    /// Gives the run a command and prints its answer.
    ///
    /// # Errors
    /// A run that is not live, or refuses.
    pub fn tell(&self, command: &Command) -> Result<()> {
        let answer = self.ask(command)?;
        let text = match answer {
            Value::String(text) => text,
            other => serde_json::to_string_pretty(&other)?,
        };
        writeln!(io::stdout(), "{text}")?;
        Ok(())
    }

    fn ask(&self, command: &Command) -> Result<Value> {
        let folder = again::folder(&self.run)?;
        let run = folder.display();
        if !folder.join("config.yaml").is_file() {
            return Err(Invalid(format!("'{run}' is no run: it has no config.yaml")).into());
        }
        let reply = match socket::ask(&folder, command) {
            Ok(reply) => reply,
            Err(_) if !RunLock::is_held(&folder) => {
                let message = format!("'{run}' is not live: sandbox resume {run} goes on with it");
                return Err(Invalid(message).into());
            }
            Err(error) => {
                return Err(anyhow!(error).context(format!("'{run}' does not answer")));
            }
        };
        reply.map_err(|message| match message.strip_prefix("error: ") {
            Some(_) => Refused(message).into(),
            None => Refused(format!("error: {message}")).into(),
        })
    }
}

/// What a run says when it refuses, whole.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct Refused(pub(super) String);

impl Swap {
    /// Swaps.
    ///
    /// # Errors
    /// As [`Live::tell`].
    pub fn execute(self) -> Result<()> {
        self.live.tell(&Command::Swap {
            slot: self.slot,
            file: whole(self.slot, &self.file)?,
            at: self.at,
        })
    }
}

impl Set {
    /// Sets all values in one step, or none.
    ///
    /// # Errors
    /// As [`Live::tell`].
    pub fn execute(self) -> Result<()> {
        let values = self.values.iter().map(|text| live::parse(text));
        let values = values.collect::<Result<_, _>>()?;
        self.live.tell(&Command::Set { values })
    }
}

impl RollBack {
    /// Rolls back.
    ///
    /// # Errors
    /// As [`Live::tell`].
    pub fn execute(self) -> Result<()> {
        self.live.tell(&Command::RollBack { slot: self.slot })
    }
}

impl Shadow {
    /// Adds the shadow.
    ///
    /// # Errors
    /// As [`Live::tell`].
    pub fn execute(self) -> Result<()> {
        self.live.tell(&Command::Shadow {
            slot: self.slot,
            file: whole(self.slot, &self.file)?,
        })
    }
}

impl Unshadow {
    /// Drops the shadow.
    ///
    /// # Errors
    /// As [`Live::tell`].
    pub fn execute(self) -> Result<()> {
        self.live.tell(&Command::Unshadow { name: self.name })
    }
}

/// The path as the run can find it, whatever its working directory: that of a file here, or the name of a shipped script.
fn whole(slot: Slot, file: &Path) -> Result<PathBuf> {
    let found = match Search::default().find(slot, file) {
        Ok(Origin::Shipped(name)) => return Ok(name.into()),
        Ok(Origin::File(place)) => place,
        // The run says what is wrong with it, which may find it elsewhere.
        Err(_) => return Ok(file.to_owned()),
    };
    std::path::absolute(found).context("the working directory is gone")
}
