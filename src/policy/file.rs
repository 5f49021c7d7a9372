//! Where a policy is read from.

use std::path::PathBuf;

use super::Content;
use super::plugin::Library;
use super::script::{Origin, Source};
use crate::slots::{Fault, Slot};

/// A policy's file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PolicyFile {
    /// A script, with what it imports.
    Script(Origin),
    /// A shared library.
    Plugin(PathBuf),
}

impl PolicyFile {
    /// Reads it, as a policy for `slot`; nothing of it is run.
    ///
    /// # Errors
    /// A [`Fault`] of kind missing, compile or load.
    pub fn read(&self, slot: Slot) -> Result<Content, Fault> {
        match self {
            PolicyFile::Script(origin) => Source::read(slot, origin).map(Content::Script),
            PolicyFile::Plugin(path) => Library::read(slot, path).map(Content::Plugin),
        }
    }

    /// The path at which a person can change it.
    pub fn path(&self) -> Option<&PathBuf> {
        match self {
            PolicyFile::Script(Origin::File(path)) | PolicyFile::Plugin(path) => Some(path),
            PolicyFile::Script(Origin::Shipped(_)) => None,
        }
    }
}
