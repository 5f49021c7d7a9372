//! `sandbox run`: train.

use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::Args;

use super::look::Looks;
use super::{Invalid, again, plugin};
use crate::config::{self, Plan, Request};
use crate::ground::{device, threads};
use crate::policy::script::Search;
use crate::registry;
use crate::slots::Slot;
use crate::sweep;
use crate::train::{self, Options};

/// Train, watching the scripts of the slots.
///
/// Without a configuration the embedded example is trained: MoCo v2 with InterCLR on 8,000 images of Fashion-MNIST,
/// in minutes on two CPU cores. A saved script is live from the next step on; one that is broken is refused, or rolled
/// back, with its place underlined.
///
/// With -m, or a key 'sweep' in the configuration, every combination of the values is a run of its own: all are checked
/// and frozen before the first one starts, and a table and plots compare them.
#[derive(Clone, Debug, Args)]
pub struct Run {
    /// A configuration: a YAML file, or the name of a shipped one.
    #[arg(long, value_name = "FILE|NAME")]
    pub config: Option<String>,
    /// A script for the slot that its first lines declare; may be repeated. Looked for in the working directory, in its
    /// scripts/, beside the configuration, in the binary.
    #[arg(long, value_name = "FILE")]
    pub script: Vec<PathBuf>,
    /// A shared library for the slot that it declares, in the place of that slot's script; may be repeated. Where a script is
    /// named for the same slot, it is watched too, and takes the slot when it is saved.
    #[arg(long, value_name = "FILE")]
    pub plugin: Vec<PathBuf>,
    /// A script or a library (FILE.so) that is tried beside the live policy of the slot that it declares; may be repeated. It is
    /// asked on the logged steps and compared (shadow/NAME/... in the metrics), and has no effect on the run.
    #[arg(long, value_name = "FILE")]
    pub shadow: Vec<PathBuf>,
    /// A value in the place of the configuration's, as in optim.lr=0.1; may be repeated.
    #[arg(long, value_name = "KEY=VALUE")]
    pub set: Vec<String>,
    /// The run's name, a part of its folder's name.
    #[arg(long)]
    pub name: Option<String>,
    /// The folder that holds the runs.
    #[arg(long, value_name = "DIR", default_value = "runs")]
    pub out: PathBuf,
    /// Seed of everything random.
    #[arg(long)]
    pub seed: Option<u64>,
    /// A safetensors file of torchvision, timm or `sandbox export` from which the encoder starts.
    #[arg(long, value_name = "FILE")]
    pub init: Option<PathBuf>,
    /// End with exit code 3 as soon as something is left out of a step that was to be done in it, as where a policy fails and there
    /// is none to go back to. Without it the run goes on, and says what it is without.
    #[arg(long)]
    pub strict: bool,
    /// Stop after so many steps.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub steps: Option<u64>,
    /// cpu, cuda, cuda:N or auto.
    #[arg(long, value_name = "D")]
    pub device: Option<String>,
    /// Threads to compute with, as train.threads; one for each core that the process may use unless given.
    #[arg(long, value_name = "N")]
    pub threads: Option<u32>,
    /// Do not take saved scripts.
    #[arg(long)]
    pub no_watch: bool,
    /// How it is shown.
    #[command(flatten)]
    pub looks: Looks,
    /// Record N batches in the run's folder, of each epoch the first step in which the slots are asked: what they are asked and
    /// the bank as it stood then. `sandbox test --on RUN` asks other policies the same.
    #[arg(long, value_name = "N", default_value_t = 0, hide_default_value = true, conflicts_with_all = ["multirun", "resume"])]
    pub record: usize,
    /// Run every combination of the values that follow.
    #[arg(short = 'm', long)]
    pub multirun: bool,
    /// What to vary, the first key slowest: sampler=random,hard optim.lr=0.1,0.2 seed=0,1,2. The bare name of a slot means
    /// its script, with its own defaults and what --set says; [0.2,1] is one value.
    #[arg(value_name = "KEY=V1,V2")]
    pub vary: Vec<String>,
    /// Runs of a sweep at once; each then gets its part of the cores (unless train.threads or OMP_NUM_THREADS says how many
    /// threads it has), and its numbers may differ in their last digits. Else one after the other.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub jobs: Option<u16>,
    /// Go on with a sweep: run what is not done of it, as it was frozen. Its folder, or a part of the name of one in runs/.
    #[arg(long, value_name = "SWEEP", conflicts_with_all = [
        "multirun", "vary", "config", "script", "plugin", "shadow", "set", "name", "out", "seed", "steps", "device", "threads",
    ])]
    pub resume: Option<String>,
    /// Scripts that a sweep varies.
    #[arg(skip)]
    pub varied: Vec<PathBuf>,
    /// End when standard input closes, as a sweep's jobs do when the sweep is killed.
    #[arg(long, hide = true)]
    pub end_with_parent: bool,
}

impl Run {
    /// Trains and says what came out.
    ///
    /// # Errors
    /// What cannot be used, and what fails.
    pub fn execute(self) -> Result<()> {
        if self.end_with_parent {
            sweep::jobs::end_with_parent();
        }
        if let Some(named) = &self.resume {
            let folder = registry::sweep(Path::new("runs"), named)?;
            return sweep::resume(&folder, self.jobs.map(usize::from));
        }
        self.refuse_unasked()?;
        let varied = config::load::sweep(self.config.as_deref())?;
        if self.multirun || varied.is_some() {
            if self.record > 0 {
                let message = "--record is for one run, the configuration says 'sweep'";
                return Err(Invalid(message.into()).into());
            }
            self.refuse_shadows()?;
            return self.sweep(&sweep::Request::parse(varied.as_ref(), &self.vary)?);
        }
        if self.jobs.is_some() {
            let message = "--jobs is for a sweep: expected -m KEY=V1,V2, or a key 'sweep' in the configuration";
            return Err(Invalid(message.into()).into());
        }
        self.train()
    }

    /// All runs of a sweep, each of which is this one with other values and scripts.
    fn sweep(&self, request: &sweep::Request) -> Result<()> {
        let set = self.set.iter().filter_map(|set| set.split('=').next());
        request.refuse_set(set.chain(self.seed.map(|_| "seed")))?;
        let resolve = |sets: &[String], scripts: &[PathBuf]| {
            let mut run = self.clone();
            run.name = None;
            run.set.extend_from_slice(sets);
            run.script.extend_from_slice(scripts);
            run.varied = scripts.to_vec();
            run.plan()
        };
        sweep::start(&sweep::Ask {
            request: request.clone(),
            name: self.name.clone(),
            out: &self.out,
            at_once: self.jobs.map_or(1, usize::from),
            resolve: &resolve,
        })
    }

    fn train(self) -> Result<()> {
        let plan = self.plan()?;
        if self.record > 0 && !plan.inter() {
            let message = "--record keeps batches of the inter-image branch: expected loss.inter above 0, found 0";
            return Err(Invalid(message.into()).into());
        }
        let shadows = again::policies(&plan.search, &self.shadow)?;
        let device = device::resolve(&plan.config.device)?;
        let options = Options {
            out: self.out,
            device,
            watch: !self.no_watch,
            threads: None,
            look: self.looks.look()?,
            record: self.record,
            changed_data: false,
            shadows,
        };
        again::say(train::run(plan, &options), &options.out)
    }

    fn plan(&self) -> Result<Plan> {
        let mut loaded = config::load::load(&Request {
            config: self.config.clone(),
            set: self.set.clone(),
        })?;
        let config = &mut loaded.config;
        config.name = self.name.clone().unwrap_or(config.name.clone());
        config.seed = self.seed.unwrap_or(config.seed);
        config.strict |= self.strict;
        config.model.init = self.init.clone().unwrap_or(config.model.init.clone());
        config.train.steps = self.steps.unwrap_or(config.train.steps);
        config.train.threads = self.threads.unwrap_or(config.train.threads);
        if config.train.threads > 0 || self.threads.is_some() {
            threads::check(config.train.threads)?;
        }
        config.device = self.device.clone().unwrap_or(config.device.clone());
        let search = Search {
            config: loaded.folder.clone(),
        };
        let mut said = Vec::new();
        let scripts = self.script.iter().map(|path| search.spelt(path));
        let scripts = scripts.collect::<Result<Vec<_>, _>>().map_err(Invalid)?;
        for path in &scripts {
            let slot = again::slot_of(&search, path)?;
            self.once(&mut said, (slot, "script", path))?;
            let planned = config.slot_mut(slot);
            // The configuration's parameters were meant for the script that it names; what --set says is meant for this one.
            // Where scripts are compared none of them keeps parameters that the others do not get.
            if planned.script != *path || self.varied.contains(path) {
                planned.params.retain(|name, _| self.says(slot, name));
            }
            planned.script = path.clone();
            planned.plugin = PathBuf::new();
        }
        for path in &self.plugin {
            let slot = plugin::slot_of(&search.find_plugin(Slot::Sampler, path)?)?;
            self.once(&mut said, (slot, "plugin", path))?;
            let planned = config.slot_mut(slot);
            if planned.plugin != *path {
                planned.params.retain(|name, _| self.says(slot, name));
            }
            planned.plugin = path.clone();
        }
        Ok(Plan::new(loaded)?)
    }
}

impl Run {
    /// Refuses words that stand where only a sweep has some, and says what they may have been meant as.
    fn refuse_unasked(&self) -> Result<(), Invalid> {
        let Some(word) = self.vary.first().filter(|_| !self.multirun) else {
            return Ok(());
        };
        let is = |ending: &str| {
            Path::new(word)
                .extension()
                .is_some_and(|found| found == ending)
        };
        let help = match word.split_once('=') {
            Some(_) => format!("--set {word} for one run, -m {word} for a sweep"),
            None if is("rhai") => format!("--script {word}"),
            None if is("so") => format!("--plugin {word}"),
            None => format!("--config {word}"),
        };
        Err(Invalid(format!(
            "unexpected '{word}': did you mean {help}?"
        )))
    }

    fn refuse_shadows(&self) -> Result<(), Invalid> {
        match self.shadow.is_empty() {
            true => Ok(()),
            false => Err(Invalid(
                "--shadow is for a single run: the runs of a sweep are compared by what they become".into(),
            )),
        }
    }

    /// That nothing else was named for a slot before: one of two would win, and nobody would know which.
    fn once<'a>(
        &self,
        said: &mut Vec<(Slot, &'static str, &'a PathBuf)>,
        new: (Slot, &'static str, &'a PathBuf),
    ) -> Result<(), Invalid> {
        let (slot, option, path) = new;
        let twice = |other: &str| {
            let said = match self.varied.contains(path) {
                true => format!(
                    "-m {slot}={}",
                    path.file_stem().unwrap_or_default().to_string_lossy()
                ),
                false => format!("--{option} {}", path.display()),
            };
            Invalid(format!(
                "slot '{slot}' is given '{said}' and {other}: expected one {option}"
            ))
        };
        let same = |known: &&(Slot, &str, &PathBuf)| (known.0, known.1) == (slot, option);
        if let Some((_, _, other)) = said.iter().find(same) {
            return Err(twice(&format!("'--{option} {}'", other.display())));
        }
        let (key, whole) = (format!("{slot}.{option}="), format!("{slot}="));
        let names = |set: &&String| {
            let map = set.strip_prefix(&whole);
            let map = map.and_then(|map| config::yaml::from_str::<serde_yaml::Mapping>(map).ok());
            set.starts_with(&key) || map.is_some_and(|map| map.contains_key(option))
        };
        if let Some(set) = self.set.iter().find(names) {
            return Err(twice(&format!("'--set {set}'")));
        }
        said.push(new);
        Ok(())
    }

    /// Whether --set gives this parameter of a slot's policy.
    fn says(&self, slot: Slot, name: &str) -> bool {
        let key = format!("{slot}.{name}=");
        self.set.iter().any(|set| set.starts_with(&key))
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use serde_json::json;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        run: Run,
    }

    /// What the sampler is told beside its defaults.
    fn parameters(args: &[&str], varied: bool) -> serde_json::Value {
        let script = ["sandbox", "--script", "samplers/semi_hard.rhai"];
        let Line { mut run } = Line::parse_from([&script[..], args].concat());
        if varied {
            run.varied = run.script.clone();
        }
        json!(run.plan().unwrap().config.slot(Slot::Sampler).params)
    }

    /// The embedded example has 512 negatives for this sampler, and none for those that it is compared with.
    #[test]
    fn scripts_that_are_compared_keep_no_parameters_that_others_do_not_get() {
        let set = ["--set", "sampler.negatives=9"];
        assert_eq!(
            parameters(&[], false),
            json!({"pool": 0.1, "negatives": 512})
        );
        assert_eq!(
            parameters(&set, false),
            json!({"pool": 0.1, "negatives": 9})
        );
        assert_eq!(parameters(&[], true), json!({}));
        assert_eq!(parameters(&set, true), json!({"negatives": 9}));
    }
}
