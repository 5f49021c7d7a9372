//! The texts of a script: where they are found, what they import, and the hash that names them.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::{Component, Path, PathBuf};

use super::shipped;
use crate::ground::suggest;
use crate::slots::{Fault, Kind, Slot};
use crate::storage;

/// Where a text comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A file, which can be edited while a run goes on.
    File(PathBuf),
    /// The binary itself: the path below `scripts/`.
    Shipped(String),
}

impl Origin {
    /// Whether it is the binary's own, which never changes.
    pub fn is_shipped(&self) -> bool {
        matches!(self, Origin::Shipped(_))
    }
}

/// One text of a script.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Text {
    /// The name under which messages show it.
    pub name: String,
    /// Where it was read.
    pub origin: Origin,
    /// Its content.
    pub text: String,
}

impl Text {
    /// blake3 of the content, in hexadecimal.
    pub fn hash(&self) -> String {
        blake3::hash(self.text.as_bytes()).to_hex().to_string()
    }
}

/// A script's main text with everything that it imports, read once: nothing is read again while it runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    name: String,
    main: Text,
    imports: BTreeMap<String, Text>,
}

/// Where scripts are looked for: the working directory, its `scripts/`, beside the configuration, in the binary.
#[derive(Clone, Debug, Default)]
pub struct Search {
    /// The folder of the configuration file, if there is one.
    pub config: Option<PathBuf>,
}

impl Search {
    /// The places, in order, where a script of that path is looked for on disk.
    fn candidates(&self, path: &Path) -> Vec<PathBuf> {
        let mut places = vec![path.to_owned(), Path::new("scripts").join(path)];
        places.extend(self.config.iter().map(|folder| folder.join(path)));
        places
    }

    /// Finds a script by the path that a person gave.
    ///
    /// # Errors
    /// A [`Fault`] that lists where it was looked for and what the binary ships.
    pub fn find(&self, slot: Slot, path: &Path) -> Result<Origin, Fault> {
        if let Some(whole) = bare(path)
            .map(|name| of_slot(slot, name))
            .filter(|whole| self.has(whole))
        {
            return self.find(slot, &whole);
        }
        let candidates = self.candidates(path);
        if let Some(found) = candidates.iter().find(|place| place.is_file()) {
            return Ok(Origin::File(found.clone()));
        }
        let name = path.to_string_lossy();
        if shipped::text(&name).is_some() {
            return Ok(Origin::Shipped(name.into_owned()));
        }
        let looked: Vec<_> = candidates
            .iter()
            .map(|place| format!("'{}'", place.display()))
            .collect();
        let message = format!(
            "no script '{name}': looked for {}; shipped are {}",
            looked.join(", "),
            shipped::near(&name)
        );
        Err(Fault::new(slot, Kind::Missing, message))
    }
}

impl Search {
    /// The path that a person means who does not say the slot: `hard` is `samplers/hard.rhai`. What is no bare name of a script that
    /// there is stays as it is.
    ///
    /// # Errors
    /// That several slots have a script of that name, with their paths.
    pub fn spelt(&self, path: &Path) -> Result<PathBuf, String> {
        let Some(name) = bare(path) else {
            return Ok(path.to_owned());
        };
        let wholes = Slot::all().map(|slot| of_slot(slot, name));
        let there: Vec<_> = wholes.filter(|whole| self.has(whole)).collect();
        match &there[..] {
            [] => Ok(path.to_owned()),
            [whole] => Ok(whole.clone()),
            several => {
                let several: Vec<_> = several
                    .iter()
                    .map(|path| format!("'{}'", path.display()))
                    .collect();
                Err(format!(
                    "'{name}' may be {}: name one of them",
                    suggest::either(&several)
                ))
            }
        }
    }

    /// Whether there is a script of that path, on disk or in the binary.
    fn has(&self, path: &Path) -> bool {
        let on_disk = self.candidates(path).iter().any(|place| place.is_file());
        on_disk || shipped::text(&path.to_string_lossy()).is_some()
    }

    /// Finds a plugin by the path that a person gave: in the working directory, then beside the configuration.
    ///
    /// # Errors
    /// A [`Fault`] that lists where it was looked for.
    pub fn find_plugin(&self, slot: Slot, path: &Path) -> Result<PathBuf, Fault> {
        let mut places = vec![path.to_owned()];
        places.extend(self.config.iter().map(|folder| folder.join(path)));
        if let Some(found) = places.iter().find(|place| place.is_file()) {
            return Ok(found.clone());
        }
        let looked: Vec<_> = places
            .iter()
            .map(|place| format!("'{}'", place.display()))
            .collect();
        let message = format!(
            "no plugin '{}': looked for {}; has it been built?",
            path.display(),
            looked.join(", ")
        );
        Err(Fault::new(slot, Kind::Missing, message))
    }
}

/// The name of a script without folder and ending, as in `hard`; none of what is a file of that very name.
fn bare(path: &Path) -> Option<&str> {
    let name = path.to_str()?;
    (!name.is_empty() && !name.contains(['/', '.']) && !path.is_file()).then_some(name)
}

/// Where the script of a bare name lies.
fn of_slot(slot: Slot, name: &str) -> PathBuf {
    Path::new(slot.folder()).join(format!("{name}.rhai"))
}

impl Source {
    /// Reads a script and, recursively, its imports.
    ///
    /// # Errors
    /// A [`Fault`] of kind missing when a text cannot be read, or of kind compile when an import leaves its folder.
    pub fn read(slot: Slot, origin: &Origin) -> Result<Self, Fault> {
        let main = read(slot, origin)?;
        Self::with_main(slot, main)
    }

    /// The source whose main text is given and whose imports are read from beside it.
    ///
    /// # Errors
    /// As [`Source::read`].
    pub fn with_main(slot: Slot, main: Text) -> Result<Self, Fault> {
        let path = match &main.origin {
            Origin::File(path) => path.clone(),
            Origin::Shipped(name) => PathBuf::from(name),
        };
        let name = path
            .file_stem()
            .map_or_else(String::new, |stem| stem.to_string_lossy().into_owned());
        let mut source = Self {
            name,
            main,
            imports: BTreeMap::new(),
        };
        let mut wanted = imported(&source.main.text);
        while let Some(import) = wanted.pop() {
            if source.imports.contains_key(&import) {
                continue;
            }
            let text = source.read_import(slot, &import)?;
            wanted.extend(imported(&text.text));
            source.imports.insert(import, text);
        }
        Ok(source)
    }

    /// A script put together again from its stored texts, each under the name that [`Source::named`] gave it and with the file
    /// that holds it now. Nothing is looked for elsewhere: these are the texts that were live.
    ///
    /// # Errors
    /// A [`Fault`] of kind missing when a text is not there.
    pub fn stored(
        slot: Slot,
        name: &str,
        files: impl IntoIterator<Item = (String, PathBuf)>,
    ) -> Result<Self, Fault> {
        let mut main = None;
        let mut imports = BTreeMap::new();
        for (file, path) in files {
            let text = Text {
                name: file.clone(),
                ..read(slot, &Origin::File(path))?
            };
            match file.strip_suffix(".rhai") {
                Some(stem) if stem == name => main = Some(text),
                stem => {
                    imports.insert(stem.unwrap_or(&file).to_owned(), text);
                }
            }
        }
        let missing = || {
            let message = format!("script '{name}' was stored without its main text");
            Fault::new(slot, Kind::Missing, message)
        };
        Ok(Self {
            name: name.to_owned(),
            main: main.ok_or_else(missing)?,
            imports,
        })
    }

    /// The script's name: its file without folder and ending.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The main text.
    pub fn main(&self) -> &Text {
        &self.main
    }

    /// The imported texts by the path that the import names.
    pub fn imports(&self) -> &BTreeMap<String, Text> {
        &self.imports
    }

    /// Each text under the name that replay knows it by: its file's for the main text, the import's path for an import.
    pub fn named(&self) -> impl Iterator<Item = (String, &Text)> {
        let imports = self
            .imports
            .iter()
            .map(|(path, text)| (format!("{path}.rhai"), text));
        std::iter::once((format!("{}.rhai", self.name), &self.main)).chain(imports)
    }

    /// Main text and imports.
    pub fn texts(&self) -> impl Iterator<Item = &Text> {
        std::iter::once(&self.main).chain(self.imports.values())
    }

    /// The files on disk whose change changes this script.
    pub fn files(&self) -> Vec<PathBuf> {
        self.texts()
            .filter_map(|text| match &text.origin {
                Origin::File(path) => Some(path.clone()),
                Origin::Shipped(_) => None,
            })
            .collect()
    }

    /// blake3 in hexadecimal: of the main text when it imports nothing, else of the hashes of all its texts.
    pub fn hash(&self) -> String {
        if self.imports.is_empty() {
            return self.main.hash();
        }
        let mut hasher = blake3::Hasher::new();
        hasher.update(self.main.hash().as_bytes());
        for (import, text) in &self.imports {
            hasher.update(import.as_bytes());
            hasher.update(text.hash().as_bytes());
        }
        hasher.finalize().to_hex().to_string()
    }

    /// Imports are resolved below the script's folder or, for `lib/...`, beside the slots' folders.
    fn read_import(&self, slot: Slot, import: &str) -> Result<Text, Fault> {
        let relative = PathBuf::from(format!("{import}.rhai"));
        if !relative
            .components()
            .all(|part| matches!(part, Component::Normal(_)))
        {
            let message =
                format!("import \"{import}\" leaves the script's folder: name a file below it");
            return Err(Fault::new(slot, Kind::Compile, message));
        }
        let origin = match &self.main.origin {
            Origin::Shipped(_) => Origin::Shipped(relative.to_string_lossy().into_owned()),
            Origin::File(path) => {
                let folder = path.parent().unwrap_or(Path::new(""));
                let above = folder.parent().unwrap_or(Path::new(""));
                let places = [folder.join(&relative), above.join(&relative)];
                match places.iter().find(|place| place.is_file()) {
                    Some(place) => Origin::File(place.clone()),
                    None if shipped::text(&relative.to_string_lossy()).is_some() => {
                        Origin::Shipped(relative.to_string_lossy().into_owned())
                    }
                    None => {
                        let message = format!(
                            "import \"{import}\" of '{}': neither '{}' nor '{}' exists",
                            self.main.name,
                            places[0].display(),
                            places[1].display()
                        );
                        return Err(Fault::new(slot, Kind::Missing, message));
                    }
                }
            }
        };
        read(slot, &origin)
    }
}

/// Bytes of a script that somebody could have written.
const LARGEST: u64 = 4 << 20;

/// What stands in a regular file of that size.
fn file(path: &Path) -> std::io::Result<Vec<u8>> {
    let mut file = storage::open(path)?;
    let length = file.metadata()?.len();
    if length > LARGEST {
        let (found, most) = (length / 1_000_000, LARGEST / 1_000_000);
        let refused = format!("it has {found} MB, expected a script of at most {most}");
        return Err(std::io::Error::new(
            std::io::ErrorKind::InvalidInput,
            refused,
        ));
    }
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn read(slot: Slot, origin: &Origin) -> Result<Text, Fault> {
    match origin {
        Origin::Shipped(name) => match shipped::text(name) {
            Some(text) => Ok(Text {
                name: name.clone(),
                origin: origin.clone(),
                text: text.to_owned(),
            }),
            None => Err(Fault::new(
                slot,
                Kind::Missing,
                format!("the binary ships no script '{name}'"),
            )),
        },
        Origin::File(path) => {
            let name = path.display().to_string();
            let bytes = file(path).map_err(|error| {
                Fault::new(
                    slot,
                    Kind::Missing,
                    format!("cannot read '{name}': {error}"),
                )
            })?;
            let text = String::from_utf8(bytes).map_err(|error| {
                let at = error.utf8_error().valid_up_to();
                Fault::new(
                    slot,
                    Kind::Compile,
                    format!("'{name}' is not UTF-8: byte {at} begins no character"),
                )
            })?;
            Ok(Text {
                name,
                origin: origin.clone(),
                // What some editors put before a text says nothing.
                text: text.trim_start_matches('\u{feff}').to_owned(),
            })
        }
    }
}

/// The paths that a text imports: the string of each `import "..."` that begins a line.
///
/// Imports must be known before the text is compiled, because they belong to its identity; an import whose path is
/// computed, or that stands elsewhere, finds no module and is refused when it runs.
fn imported(text: &str) -> Vec<String> {
    text.lines()
        .filter_map(|line| {
            line.trim_start()
                .strip_prefix("import")?
                .trim_start()
                .strip_prefix('"')?
                .split('"')
                .next()
        })
        .map(str::to_owned)
        .collect()
}
