//! What a plugin says of itself, once it is loaded.

use std::path::Path;

use super::Plugin;
use super::library::{self, Library};
use super::probe::Description;
use super::table::{self, Table};
use crate::policy::Params;
use crate::slots::{Fault, Kind, Slot};

impl Plugin {
    /// What it says of itself.
    pub fn describe(&self) -> Description {
        describe(&self.table, &self.params)
    }

    /// The same in lines, for those who look at what was live.
    pub fn description(&self) -> String {
        let Description {
            name, version, doc, ..
        } = self.describe();
        let hash = self.library.hash();
        let mut text = format!("plugin {name} {version}\n{doc}\nblake3 {hash}\n");
        for (name, value) in &self.params {
            text.push_str(&format!("{name} = {value}\n"));
        }
        text
    }
}

/// Loads the library at `path` into this process, which may die of it, and asks what it says of itself, no more.
///
/// # Errors
/// A [`Fault`] of kind missing, load or contract.
pub fn describe_here(path: &Path) -> Result<Description, Fault> {
    let library = Library::in_trial(Slot::Sampler, path)?;
    let table = table::load(library.staged().unwrap_or(path)).map_err(|message| {
        library::about(Slot::Sampler, Kind::Contract, library.path(), &message)
    })?;
    Ok(describe(&table, &table.defaults))
}

fn describe(table: &Table, params: &Params) -> Description {
    Description {
        slot: table.slot,
        name: table.name.clone(),
        version: table.version.clone(),
        doc: table.doc.clone(),
        abi: format!("{}.{}", table.raw.abi_major, table.raw.abi_minor),
        devices: table.devices.name().to_owned(),
        state_version: table.raw.state_version,
        params: params.clone(),
        docs: table.docs.clone(),
    }
}
