//! `sandbox check --watch`: the verdict again at each save.

use std::io::{IsTerminal, Write};
use std::path::Path;

use anyhow::{Result, bail};

use super::{Check, Format, Invalid};
use crate::author::recorded::Recording;
use crate::policy::plugin::Staging;
use crate::policy::script::Search;
use crate::policy::{Content, Params, PolicyFile};
use crate::slots::Slot;
use crate::swap::watch::Watch;

/// Moves to the upper left corner of an empty screen.
const CLEAR: &str = "\x1b[2J\x1b[3J\x1b[H";

impl Check {
    /// Checks all files, and all again whenever one of them, or what one imports, was saved.
    pub(super) fn watch(&self, recording: Option<&Recording>) -> Result<()> {
        if self.format == Format::Sarif {
            let message = "--format sarif is one log: expected human or json with --watch";
            return Err(Invalid(message.into()).into());
        }
        let watch = Watch::start(Staging::temporary()?);
        // Followed before they are checked: what is saved meanwhile is seen.
        for file in &self.files {
            let (file, known) = followed(file)?;
            watch.follow(Slot::Sampler, file, &known, &Params::new());
        }
        loop {
            self.round(recording)?;
            if watch.wait().is_none() {
                bail!("files are no longer watched: the watching thread has ended");
            }
        }
    }

    /// One round. Its first and last line are what editors know it by.
    fn round(&self, recording: Option<&Recording>) -> Result<()> {
        let human = self.format == Format::Human;
        let mut out = std::io::stdout();
        let files = match self.files.len() {
            1 => "1 file".to_owned(),
            count => format!("{count} files"),
        };
        if human {
            let clear = if out.is_terminal() { CLEAR } else { "" };
            writeln!(out, "{clear}checking {files}")?;
        }
        let faults = self.check(recording)?;
        if human {
            let verdict = match faults {
                0 => "all can be used".to_owned(),
                faults => format!("{faults} cannot be used"),
            };
            writeln!(out, "{verdict}; watching {files}, Ctrl-C ends")?;
        }
        out.flush()?;
        Ok(())
    }
}

/// The file that is watched, and its hash, or why it cannot be read.
fn followed(path: &Path) -> Result<(PolicyFile, String)> {
    let search = Search::default();
    let file = match path.extension().is_some_and(|ending| ending == "so") {
        true => PolicyFile::Plugin(search.find_plugin(Slot::Sampler, path)?),
        false => {
            let path = search.spelt(path).map_err(Invalid)?;
            PolicyFile::Script(search.find(Slot::Sampler, &path)?)
        }
    };
    if file.path().is_none() {
        let message = format!(
            "'{}' is in the program itself and never changes: it cannot be watched",
            path.display()
        );
        return Err(Invalid(message).into());
    }
    let known = match file.read(Slot::Sampler) {
        Ok(content) => Content::hash(&content),
        Err(fault) => fault.message,
    };
    Ok((file, known))
}
