//! `sandbox defend`: attack a classifier of a run's features, and defend it.

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;

use super::eval::Eval;
use crate::config::Evaluation;

/// Attack a classifier of a run's features, defend it, and say how often it is right: the evaluation `robustness` in short words.
///
/// Each option stands for a key of `eval.robustness`; what is not said is as the run's configuration has it. What comes out is written to
/// the run's eval.json, pictures of fits to its folder robustness.
#[derive(Debug, Args)]
pub struct Defend {
    /// The folder of a run or a sweep, or a part of the name of one in runs/ that no other there has.
    #[arg(value_name = "RUN|SWEEP")]
    pub run: String,
    /// pgd or fgsm.
    #[arg(long, value_name = "NAME")]
    pub attack: Option<String>,
    /// linf, the pixel that changes most, or l2, the Euclidean length of the change.
    #[arg(long, value_name = "NORM")]
    pub norm: Option<String>,
    /// The largest change, of pixels from 0 to 1.
    #[arg(long, value_name = "E")]
    pub eps: Option<f64>,
    /// The length of a step of pgd; 2.5 eps / steps unless given.
    #[arg(long, value_name = "A")]
    pub alpha: Option<f64>,
    /// Steps of pgd.
    #[arg(long, value_name = "N")]
    pub steps: Option<u64>,
    /// A script of slot `defence`, as in defences/stitch.rhai; may be repeated. What eval.robustness.defences names unless given.
    #[arg(long, value_name = "FILE")]
    pub defence: Vec<PathBuf>,
    /// What is attacked: linear, the linear probe of the features, or finetune, a copy of the encoder that was trained with labels.
    #[arg(long, value_name = "NAME")]
    pub victim: Option<String>,
    /// Images that are attacked, evenly taken from the evaluation split.
    #[arg(long, value_name = "N")]
    pub images: Option<usize>,
    /// Images that are also attacked through the first defence; 0: none.
    #[arg(long, value_name = "N")]
    pub aware: Option<usize>,
    /// A value in the place of the run's own, as in defence.burn_in=0.3, a parameter of the first --defence, or eval.robustness.prior.steps=400; may be repeated.
    #[arg(long, value_name = "KEY=VALUE")]
    pub set: Vec<String>,
    /// Judge with other images than the run had.
    #[arg(long)]
    pub changed_data: bool,
    /// cpu, cuda, cuda:N or auto.
    #[arg(long, value_name = "D", default_value = "auto")]
    pub device: String,
    /// Threads to compute with; one for each core that the process may use unless given.
    #[arg(long, value_name = "N")]
    pub threads: Option<u32>,
    /// Print JSON in the place of a table.
    #[arg(long)]
    pub json: bool,
}

impl Defend {
    /// As `sandbox eval RUN robustness` with these settings.
    ///
    /// # Errors
    /// As that.
    pub fn execute(self) -> Result<()> {
        Eval {
            set: self.settings(),
            run: self.run,
            evaluations: Some(Evaluation::Robustness.name().to_owned()),
            script: None,
            reference: None,
            changed_data: self.changed_data,
            device: self.device,
            threads: self.threads,
            json: self.json,
        }
        .execute()
    }

    /// The options as settings, before those that were set by their keys.
    fn settings(&self) -> Vec<String> {
        fn text<T: ToString>(value: Option<&T>) -> Option<String> {
            value.map(T::to_string)
        }
        let defences = self.defence.iter();
        let defences: Vec<_> = defences.map(|path| path.display().to_string()).collect();
        // The first is the slot's own, so that `defence.KEY` sets a parameter of it.
        let first = defences
            .first()
            .map(|file| format!("defence.script={file}"));
        let defences = (!defences.is_empty()).then(|| json_list(&defences));
        let options = [
            ("attack.name", text(self.attack.as_ref())),
            ("attack.norm", text(self.norm.as_ref())),
            ("attack.eps", text(self.eps.as_ref())),
            ("attack.alpha", text(self.alpha.as_ref())),
            ("attack.steps", text(self.steps.as_ref())),
            ("defences", defences),
            ("victim", text(self.victim.as_ref())),
            ("images", text(self.images.as_ref())),
            ("aware.images", text(self.aware.as_ref())),
        ];
        let told = options.into_iter().filter_map(|(key, value)| {
            let value = value?;
            Some(format!("eval.robustness.{key}={value}"))
        });
        told.chain(first).chain(self.set.iter().cloned()).collect()
    }
}

/// A list as YAML takes it, whatever its texts hold.
fn json_list(texts: &[String]) -> String {
    serde_json::Value::from(texts).to_string()
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use crate::cli::{Cli, Command};

    #[test]
    fn options_are_keys_and_what_is_set_comes_last() {
        let line = "sandbox defend RUN --attack fgsm --eps 0.25 --defence a/b.rhai --defence last --set eval.robustness.images=7";
        let Command::Defend(defend) = Cli::parse_from(line.split(' ')).command else {
            panic!("{line}")
        };
        let expected = [
            "eval.robustness.attack.name=fgsm",
            "eval.robustness.attack.eps=0.25",
            "eval.robustness.defences=[\"a/b.rhai\",\"last\"]",
            "defence.script=a/b.rhai",
            "eval.robustness.images=7",
        ];
        assert_eq!(defend.settings(), expected);
    }
}
