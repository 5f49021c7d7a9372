//! How a person says what to do: one file a verb.

mod again;
mod api;
mod bench;
mod best;
mod check;
mod compare;
mod completions;
mod defend;
mod doctor;
mod embed;
mod eval;
mod export;
mod fork;
mod gc;
mod live;
mod look;
mod ls;
mod new;
mod plot;
mod plugin;
mod progress;
mod reference;
mod replay;
mod report;
mod resume;
mod run;
mod show;
mod table;
mod test;
mod trained;
mod tree;

use std::fmt::Write as _;
use std::io::IsTerminal as _;

use anyhow::Error;
use clap::{Parser, Subcommand};
use tracing_subscriber::EnvFilter;

use crate::ground::plain::plain;
use crate::slots::Fault;
use crate::terminal::Writer;
use crate::{config, data, ground, model, registry, sweep, train};

/// A research sandbox for contrastive representation learning: train InterCLR, edit its policies while it runs.
#[derive(Debug, Parser)]
#[command(version, max_term_width = 100, after_help = EXAMPLES)]
pub struct Cli {
    /// Say more: -v what the host does, -vv everything.
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

const EXAMPLES: &str = "\
Examples:
  sandbox run                                        train on the embedded images
  sandbox run --script samplers/semi_hard.rhai       with this sampler; edit and save it: it is live at the next step
  sandbox run --set sampler.pool=0.2 --set optim.lr=0.1
  sandbox run -m sampler=random,hard seed=0,1,2      a sweep: every combination, one table, plots
  sandbox check my_sampler.rhai                      compile and rehearse a script without training
  sandbox new sampler mine                           a script to change, with its tests
  sandbox check --watch samplers/mine.rhai           check it at each save
  sandbox test                                       all tests of scripts
  sandbox eval runs/2026-11-23-190000-embedded       judge the newest checkpoint of a run, or of all runs of a sweep
  sandbox eval runs/2026-11-23-190000-embedded all   by every evaluation: linear, lowshot, finetune and others
  sandbox show SWEEP                                 its jobs and its table; likewise report, compare, best METRIC SWEEP
  sandbox export runs/RUN -o encoder.safetensors     its encoder, for torchvision and timm
  tensorboard --logdir runs                          watch all runs

Exit codes: 0 done, 1 failed, 2 wrong usage or invalid input, 3 strict and something was left out, 128 + N stopped by signal N.";

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Train, watching the scripts of the slots.
    Run(run::Run),
    /// Go on with a run that was stopped or killed.
    Resume(resume::Resume),
    /// A new run that goes on from another one's checkpoint.
    Fork(fork::Fork),
    /// Do a run again, or what it would have been otherwise.
    Replay(replay::Replay),
    /// Fill a slot of a live run from a file.
    Swap(live::Swap),
    /// Change values of a live run.
    Set(live::Set),
    /// Give a slot of a live run back to the generation before.
    Rollback(live::RollBack),
    /// Try a policy beside the live one.
    Shadow(live::Shadow),
    /// Try a shadow no longer.
    Unshadow(live::Unshadow),
    /// Make no further step of a live run.
    Pause(live::Live),
    /// Go on with a paused run.
    Continue(live::Live),
    /// Save everything of a live run now.
    Checkpoint(live::Live),
    /// Finish the step of a live run, save everything and end.
    Stop(live::Live),
    /// Say where a live run is, as JSON.
    Status(live::Live),
    /// The runs of a folder, a line each.
    Ls(ls::Ls),
    /// Everything about one run.
    Show(show::Show),
    /// Runs in the order of a number.
    Best(best::Best),
    /// Runs side by side: values, code, numbers, and where they part.
    Compare(compare::Compare),
    /// A run as one page of HTML.
    Report(report::Report),
    /// Which run goes on from which.
    Tree(tree::Tree),
    /// Say what may go from runs' folders, and remove it.
    Gc(gc::Gc),
    /// Compile scripts, check their contract, rehearse them on synthetic data and time them.
    Check(check::Check),
    /// Run the tests of scripts: files NAME_test.rhai beside them, and the examples in their heads.
    Test(test::Test),
    /// Print what scripts may use: every word with its types, and what each slot's ctx has.
    Api(api::Api),
    /// Judge the newest checkpoint of a run.
    Eval(eval::Eval),
    /// Attack a classifier of a run's features, and defend it.
    Defend(defend::Defend),
    /// Measure what things cost on this machine.
    Bench(bench::Bench),
    /// Write the encoder of a run as safetensors, under the names of torchvision or timm.
    Export(export::Export),
    /// Make something to begin with: a script or a plugin that works and passes its tests at once.
    New(new::New),
    /// Look into plugins: policies in shared libraries.
    Plugin(plugin::Plugins),
    /// Write the features and embeddings of given images.
    Embed(embed::Embed),
    /// Draw the curves of a sweep anew.
    Plot(plot::Plot),
    /// Say what the sandbox runs on: versions, device, libtorch, disk, decoded images.
    Doctor(doctor::Doctor),
    /// Print completions for a shell.
    Completions(completions::Completions),
}

/// Sends warnings, and more where asked for, to standard error. `RUST_LOG` overrides.
pub fn log(verbose: u8) {
    let level = ["warn,script=info,plugin=info", "info", "debug"][usize::from(verbose.min(2))];
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(level));
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(Writer::current)
        .without_time()
        .with_target(verbose > 0)
        // A file or a pipe wants no colours.
        .with_ansi(std::io::stderr().is_terminal())
        // Where nobody reads any more (`| tee`, which Ctrl-C ends first), the complaint about that would panic, and the thread
        // that was about to stop the run with it.
        .log_internal_errors(false)
        .try_init();
}

/// Makes a panic say where it was and why in a line; with RUST_BACKTRACE set everything is said.
pub fn panics_in_a_line() {
    if std::env::var_os("RUST_BACKTRACE").is_some_and(|set| set != "0") {
        return;
    }
    std::panic::set_hook(Box::new(|panic| {
        let first = ground::panic::first_line(panic.payload());
        let place = panic.location().map(|place| format!(" at {place}"));
        tracing::error!("panic{}: {first}", place.unwrap_or_default());
    }));
}

/// The error with its causes, or the whole diagnostic of a policy's fault.
pub fn describe(error: &Error) -> String {
    plain(&described(error)).into_owned()
}

fn described(error: &Error) -> String {
    if let Some(fault) = error.downcast_ref::<Fault>() {
        return fault.report.clone();
    }
    if let Some(refused) = error.downcast_ref::<live::Refused>() {
        return refused.to_string();
    }
    let mut text = format!("error: {error}");
    for cause in error.chain().skip(1) {
        let _ = write!(text, "\n  because {cause}");
    }
    text
}

/// 2 for what the person gave us, 3 for a strict run that left something out, 128 and the signal for what was asked to stop, 1 for
/// everything else.
pub fn exit_code(error: &Error) -> u8 {
    if let Some(signal) = ground::stop::signal().filter(|_| ground::stop::is_cause(error)) {
        return u8::try_from(128 + signal).unwrap_or(1);
    }
    if error.chain().any(|cause| cause.is::<train::Lapsed>()) {
        return 3;
    }
    let input = error.chain().any(|cause| {
        cause.is::<Fault>()
            || cause.is::<config::Error>()
            || cause.is::<data::Error>()
            || cause.is::<data::stream::Error>()
            || cause.is::<model::Error>()
            || cause.is::<ground::device::Error>()
            || cause.is::<ground::threads::Error>()
            || cause.is::<train::begin::init::Error>()
            || cause.is::<train::begin::past::Error>()
            || cause.is::<registry::Error>()
            || cause.is::<live::Refused>()
            || cause.is::<sweep::Error>()
            || cause.is::<Invalid>()
    });
    if input { 2 } else { 1 }
}

/// Input that is refused for a reason of the command line's own.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Invalid(pub String);
