//! `sandbox new sampler NAME` and likewise: a script and its tests.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use clap::Args;

use super::super::Invalid;
use crate::author::template;
use crate::slots::Slot;

/// A script and its tests.
///
/// Written are scripts/SLOT/NAME.rhai and NAME_test.rhai beside it, which pass `sandbox check` and `sandbox test` at once; nothing is
/// ever overwritten.
#[derive(Debug, Args)]
pub struct NewScript {
    /// The script's name: a small letter, then small letters, digits and _.
    #[arg(value_parser = name)]
    pub name: String,
    /// The folder whose scripts/ it is for.
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub out: PathBuf,
}

/// A script's name; one that ends in `_test` would be taken for a file of tests.
fn name(text: &str) -> Result<String, String> {
    match super::name(text)? {
        name if name.ends_with("_test") => Err("'_test' ends the names of tests".to_owned()),
        name => Ok(name),
    }
}

impl NewScript {
    pub(super) fn execute(self, slot: Slot) -> Result<()> {
        let scripts = match self.out.as_os_str() == "." {
            true => PathBuf::from("scripts"),
            false => self.out.join("scripts"),
        };
        let folder = scripts.join(slot.folder());
        let script = folder.join(format!("{}.rhai", self.name));
        let tests = folder.join(format!("{}_test.rhai", self.name));
        if let Some(taken) = [&script, &tests].into_iter().find(|path| path.exists()) {
            let message = format!("'{}' exists: nothing was written", taken.display());
            return Err(Invalid(message).into());
        }
        let template = template::of(slot, &self.name);
        fs::create_dir_all(&folder)
            .with_context(|| format!("cannot make '{}'", folder.display()))?;
        write(&script, &template.script)?;
        write(&tests, &template.tests)?;
        self.say(slot, &script, &tests)
    }

    fn say(&self, slot: Slot, script: &Path, tests: &Path) -> Result<()> {
        let below = format!("{}/{}.rhai", slot.folder(), self.name);
        // A run finds it by its path below scripts/ in the working directory alone.
        let named = match self.out.as_os_str() == "." {
            true => below,
            false => script.display().to_string(),
        };
        let config = match slot.contract().config {
            "embedded" => String::new(),
            other => format!("--config {other} "),
        };
        let ask = match slot.evaluation() {
            Some(evaluation) => format!("sandbox eval RUN {evaluation} --script {named}"),
            None => format!("sandbox run {config}--script {named}      # edit it while it runs"),
        };
        writeln!(
            std::io::stdout(),
            "made {} and {}\n\
             sandbox check --watch {named}     # at each save: compile, contract, rehearsal, time\n\
             sandbox test {named}              # its tests and examples\n\
             {ask}",
            script.display(),
            tests.display(),
        )?;
        Ok(())
    }
}

/// Writes a file that must not exist.
fn write(path: &Path, text: &str) -> Result<()> {
    let written = File::create_new(path).and_then(|mut file| file.write_all(text.as_bytes()));
    written.with_context(|| format!("cannot write '{}'", path.display()))
}
