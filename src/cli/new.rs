//! `sandbox new`: a script or a plugin's folder to begin with.

mod script;

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use clap::{ArgMatches, Args, Command, FromArgMatches, Subcommand, ValueEnum};
use include_dir::{Dir, include_dir};

use super::Invalid;
use crate::slots::Slot;

/// What an author's folder is made of: the contract, the SDK, the header, and the plugins that are copied.
static ABI: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/plugins/abi");
static SDK: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/plugins/sdk");
static HEADER: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/plugins/include");

/// Make something to begin with.
#[derive(Debug, Args)]
pub struct New {
    /// Of what.
    #[command(subcommand)]
    pub what: What,
}

/// What can be begun.
#[derive(Debug)]
pub enum What {
    /// A script for a slot.
    Script(Slot, script::NewScript),
    /// A policy in a shared library.
    Plugin(NewPlugin),
}

/// The name of the command for plugins.
const PLUGIN: &str = "plugin";

impl Subcommand for What {
    fn augment_subcommands(command: Command) -> Command {
        let slots = Slot::all().map(|slot| {
            let about = format!("A script for slot '{slot}': {}", slot.contract().title);
            script::NewScript::augment_args(Command::new(slot.name())).about(about)
        });
        let plugin = NewPlugin::augment_args(Command::new(PLUGIN));
        command
            .subcommands(slots)
            .subcommand(plugin)
            .subcommand_required(true)
            .arg_required_else_help(true)
    }

    fn augment_subcommands_for_update(command: Command) -> Command {
        Self::augment_subcommands(command)
    }

    fn has_subcommand(name: &str) -> bool {
        name == PLUGIN || Slot::named(name).is_some()
    }
}

impl FromArgMatches for What {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let (name, matches) = matches
            .subcommand()
            .ok_or_else(|| clap::Error::new(clap::error::ErrorKind::MissingSubcommand))?;
        match Slot::named(name) {
            Some(slot) => Ok(What::Script(
                slot,
                script::NewScript::from_arg_matches(matches)?,
            )),
            None => NewPlugin::from_arg_matches(matches).map(What::Plugin),
        }
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

/// A policy in a shared library.
///
/// The folder holds all that is needed, this sandbox's header or SDK included, builds at once, and passes its tests: those of the
/// shipped plugin that it is a copy of, and the conformance test of all plugins.
#[derive(Debug, Args)]
pub struct NewPlugin {
    /// The plugin's name: a small letter, then small letters, digits and _.
    #[arg(value_parser = name)]
    pub name: String,
    /// The slot that it fills: labels, sampler, boundary or novelty.
    #[arg(long, value_parser = super::plugin::slot)]
    pub slot: Slot,
    /// The language that it is written in.
    #[arg(long, value_enum, default_value_t = Language::Rust)]
    pub lang: Language,
    /// The folder in which its folder is made.
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub out: PathBuf,
}

/// A language for plugins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Language {
    /// With the SDK: no unsafe code.
    Rust,
    /// With the header.
    C,
}

fn name(text: &str) -> Result<String, String> {
    let fits = text.starts_with(|c: char| c.is_ascii_lowercase())
        && text
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
    match fits {
        true => Ok(text.to_owned()),
        false => Err("expected a small letter, then small letters, digits and _".to_owned()),
    }
}

impl New {
    /// Makes it.
    ///
    /// # Errors
    /// What exists, or cannot be made.
    pub fn execute(self) -> Result<()> {
        match self.what {
            What::Script(slot, script) => script.execute(slot),
            What::Plugin(plugin) => plugin.execute(),
        }
    }
}

/// The file of a shipped plugin that begins an author's own, and the name of its type.
struct Template {
    name: &'static str,
    policy: &'static str,
    text: &'static str,
}

impl Template {
    /// None for a slot that no shipped plugin fills.
    fn of(slot: Slot) -> Option<Self> {
        Some(match slot {
            Slot::Labels => Self {
                name: "prototype_labels",
                policy: "PrototypeLabels",
                text: include_str!("../../plugins/prototype_labels/src/lib.rs"),
            },
            Slot::Sampler => Self {
                name: "semi_hard",
                policy: "SemiHard",
                text: include_str!("../../plugins/semi_hard/src/lib.rs"),
            },
            Slot::Boundary => Self {
                name: "cosine_margin",
                policy: "CosineMargin",
                text: include_str!("../../plugins/cosine_margin/src/lib.rs"),
            },
            Slot::Novelty => Self {
                name: "nearest_prototype",
                policy: "NearestPrototype",
                text: include_str!("../../plugins/nearest_prototype/src/lib.rs"),
            },
            _ => return None,
        })
    }
}

impl NewPlugin {
    fn execute(self) -> Result<()> {
        let folder = self.out.join(&self.name);
        if folder.exists() {
            let message = format!("'{}' exists: nothing was written", folder.display());
            return Err(Invalid(message).into());
        }
        if self.lang == Language::C && self.slot != Slot::Sampler {
            let message = format!(
                "there is a plugin to copy in C for slot 'sampler' alone, found '{}': begin with that one, whose table says how the \
                 other slots differ",
                self.slot
            );
            return Err(Invalid(message).into());
        }
        if self.lang == Language::Rust && Template::of(self.slot).is_none() {
            let message = format!(
                "there is no plugin to copy for slot '{}': begin with that of slot 'novelty'; the SDK that is copied with it has a \
                 trait for each slot",
                self.slot
            );
            return Err(Invalid(message).into());
        }
        let made = match self.lang {
            Language::Rust => self.rust(&folder),
            Language::C => self.c(&folder),
        };
        made.with_context(|| format!("'{}' cannot be made", folder.display()))?;
        self.say(&folder)
    }

    fn rust(&self, folder: &Path) -> Result<()> {
        let Template { name, policy, text } =
            Template::of(self.slot).context("there is no plugin for this slot to begin with")?;
        // Scripts that the text names are the sandbox's own, whatever the plugin is called.
        let (script, kept) = (format!("/{name}.rhai"), "/\0.rhai");
        let text = text
            .replace(&script, kept)
            .replace(policy, &camel(&self.name))
            .replace(name, &self.name)
            .replace(kept, &script);
        write(&folder.join("src/lib.rs"), &text)?;
        write(&folder.join("Cargo.toml"), &manifest(&self.name))?;
        write(&folder.join(".gitignore"), "/target\n")?;
        extract(&ABI, &folder.join("sandbox/abi"))?;
        extract(&SDK, &folder.join("sandbox/sdk"))
    }

    fn c(&self, folder: &Path) -> Result<()> {
        let text = include_str!("../../plugins/c_random/c_random.c");
        let makefile = include_str!("../../plugins/c_random/Makefile");
        let mine = |text: &str| text.replace("c_random", &self.name);
        write(&folder.join(format!("{}.c", self.name)), &mine(text))?;
        write(
            &folder.join("Makefile"),
            &mine(makefile).replace("../include", "include"),
        )?;
        write(&folder.join(".gitignore"), "/build\n")?;
        extract(&HEADER, &folder.join("include"))
    }

    fn say(&self, folder: &Path) -> Result<()> {
        let (test, build, library) = match self.lang {
            Language::Rust => ("cargo test", "cargo build --release", "target/release"),
            Language::C => ("make test", "make", "build"),
        };
        let library = folder.join(library).join(format!("lib{}.so", self.name));
        let (folder, library) = (folder.display(), library.display());
        writeln!(
            std::io::stdout(),
            "made {folder}\n\
             (cd {folder} && {test})     # the whole life of a plugin, with valid and hostile inputs\n\
             (cd {folder} && {build})\n\
             sandbox check {library}\n\
             sandbox run --plugin {library}     # build it again while it runs"
        )?;
        Ok(())
    }
}

/// The package and, because the SDK lies in the folder, the workspace.
fn manifest(name: &str) -> String {
    format!(
        "[package]\nname = \"{name}\"\nversion = \"0.1.0\"\nedition = \"2024\"\n\
         description = \"What it does, in a line\"\npublish = false\n\n\
         [lib]\ncrate-type = [\"cdylib\", \"rlib\"]\n\n\
         [dependencies]\nsandbox-plugin = {{ path = \"sandbox/sdk\" }}\n\n\
         [workspace]\n\n[workspace.lints.rust]\nunsafe_op_in_unsafe_fn = \"deny\"\n"
    )
}

/// The name as a type is written.
fn camel(name: &str) -> String {
    let words = name.split('_').map(|word| {
        let mut letters = word.chars();
        letters.next().map_or_else(String::new, |first| {
            first.to_ascii_uppercase().to_string() + letters.as_str()
        })
    });
    words.collect()
}

fn write(path: &Path, text: &str) -> Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::write(path, text)?;
    Ok(())
}

fn extract(from: &Dir<'_>, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    from.extract(to)?;
    Ok(())
}
