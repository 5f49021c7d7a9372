//! What was read of a policy's file, before anything of it runs.

use std::collections::BTreeMap;
use std::path::Path;

use super::Params;
use super::blob::Blob;
use super::plugin::{Library, Staging};
use super::script::Source;
use crate::slots::{Fault, Kind, Slot};

/// The content of a policy's file; its hash is the identity of a generation.
#[derive(Clone, Debug)]
pub enum Content {
    /// The texts of a script.
    Script(Source),
    /// The bytes of a plugin, which has survived its trial in a process of its own.
    Plugin(Library),
}

impl Content {
    /// A content read back from the folder that its files were stored in. `files` are their hashes, by the names of
    /// [`Blob::name`]; a library has not been tried yet.
    ///
    /// # Errors
    /// A [`Fault`] when a file is missing, or does not have its hash any more.
    pub fn stored(
        slot: Slot,
        carrier: &str,
        name: &str,
        files: &BTreeMap<String, String>,
        folder: &Path,
    ) -> Result<Self, Fault> {
        let path = |hash: &str, ending: &str| folder.join(format!("{hash}.{ending}"));
        let content = match carrier {
            "plugin" => {
                let hash = files.values().next().map_or("", String::as_str);
                Content::Plugin(Library::stored(slot, name, &path(hash, "so"))?)
            }
            _ => {
                let texts = files
                    .iter()
                    .map(|(file, hash)| (file.clone(), path(hash, "rhai")));
                Content::Script(Source::stored(slot, name, texts)?)
            }
        };
        for blob in content.blobs() {
            let expected = files.get(&blob.name).or_else(|| files.values().next());
            if expected != Some(&blob.hash) {
                let message = format!(
                    "'{}' in '{}' is not what was stored: it has hash {}, expected {}",
                    blob.name,
                    folder.display(),
                    blob.hash,
                    expected.map_or("none", String::as_str)
                );
                return Err(Fault::new(slot, Kind::Missing, message));
            }
        }
        Ok(content)
    }

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
