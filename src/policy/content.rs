//! What was read of a policy's file, before anything of it runs.

use super::plugin::{Library, Staging};
use super::script::Source;
use super::{Fault, Params, Slot};

/// The content of a policy's file; its hash is the identity of a generation.
#[derive(Clone, Debug)]
pub enum Content {
    /// The texts of a script.
    Script(Source),
    /// The bytes of a plugin, which has survived its trial in a process of its own.
    Plugin(Library),
}

/// A file of a content, as it is stored.
pub struct Blob<'a> {
    /// The name under which replay knows it.
    pub name: String,
    /// blake3 of its bytes, in hexadecimal.
    pub hash: String,
    /// How its file ends.
    pub ending: &'static str,
    /// Its bytes.
    pub bytes: &'a [u8],
}

impl Blob<'_> {
    /// The name of the file that stores it.
    pub fn file(&self) -> String {
        format!("{}.{}", self.hash, self.ending)
    }
}

impl Content {
    /// What carries the policy.
    pub fn carrier(&self) -> &'static str {
        match self {
            Content::Script(_) => "script",
            Content::Plugin(_) => "plugin",
        }
    }

    /// The policy's name: its file without folder, ending and, of a library, the `lib` before it.
    pub fn name(&self) -> &str {
        match self {
            Content::Script(source) => source.name(),
            Content::Plugin(library) => library.name(),
        }
    }

    /// blake3 in hexadecimal.
    pub fn hash(&self) -> String {
        match self {
            Content::Script(source) => source.hash(),
            Content::Plugin(library) => library.hash().to_owned(),
        }
    }

    /// A script as it is; a library that has survived its trial as a policy for `slot` with these parameters.
    ///
    /// # Errors
    /// A [`Fault`] of kind load or contract.
    pub fn tried(self, slot: Slot, params: &Params, staging: &Staging) -> Result<Self, Fault> {
        match self {
            Content::Plugin(library) => library.tried(slot, params, staging).map(Self::Plugin),
            script => Ok(script),
        }
    }

    /// All files that belong to it.
    pub fn blobs(&self) -> Vec<Blob<'_>> {
        match self {
            Content::Script(source) => source
                .named()
                .map(|(name, text)| Blob {
                    name,
                    hash: text.hash(),
                    ending: "rhai",
                    bytes: text.text.as_bytes(),
                })
                .collect(),
            Content::Plugin(library) => vec![library.blob()],
        }
    }
}
