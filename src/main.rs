//! The `sandbox` program: parse, one match, print the error chain, exit.

use std::io::Write;
use std::process::ExitCode;

use clap::Parser;
use sandbox::cli::{self, Cli, Command};
use sandbox::control;

fn main() -> ExitCode {
    sandbox::ground::allocator::keep();
    cli::panics_in_a_line();
    let cli = Cli::parse();
    cli::log(cli.verbose);
    let outcome = match cli.command {
        Command::Run(run) => run.execute(),
        Command::Resume(resume) => resume.execute(),
        Command::Fork(fork) => fork.execute(),
        Command::Replay(replay) => replay.execute(),
        Command::Swap(swap) => swap.execute(),
        Command::Set(set) => set.execute(),
        Command::Rollback(back) => back.execute(),
        Command::Shadow(shadow) => shadow.execute(),
        Command::Unshadow(unshadow) => unshadow.execute(),
        Command::Pause(live) => live.tell(&control::Command::Pause),
        Command::Continue(live) => live.tell(&control::Command::Continue),
        Command::Checkpoint(live) => live.tell(&control::Command::Checkpoint),
        Command::Stop(live) => live.tell(&control::Command::Stop),
        Command::Status(live) => live.tell(&control::Command::Status),
        Command::Ls(ls) => ls.execute(),
        Command::Show(show) => show.execute(),
        Command::Best(best) => best.execute(),
        Command::Compare(compare) => compare.execute(),
        Command::Report(report) => report.execute(),
        Command::Tree(tree) => tree.execute(),
        Command::Gc(gc) => gc.execute(),
        Command::Check(check) => check.execute(),
        Command::Test(test) => test.execute(),
        Command::Api(api) => api.execute(),
        Command::Eval(eval) => eval.execute(),
        Command::Defend(defend) => defend.execute(),
        Command::Bench(bench) => bench.execute(),
        Command::Export(export) => export.execute(),
        Command::Embed(embed) => embed.execute(),
        Command::New(new) => new.execute(),
        Command::Plugin(plugins) => plugins.execute(),
        Command::Plot(plot) => plot.execute(),
        Command::Doctor(doctor) => doctor.execute(),
        Command::Completions(completions) => completions.execute(),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        // `| head` has seen enough.
        Err(error) if is_unread(&error) => ExitCode::FAILURE,
        Err(error) => {
            // A reader of standard error that went away changes nothing about the exit code.
            let _ = writeln!(std::io::stderr(), "{}", cli::describe(&error));
            ExitCode::from(cli::exit_code(&error))
        }
    }
}

/// Whether nobody reads standard output any more; whatever else breaks says what it was about.
fn is_unread(error: &anyhow::Error) -> bool {
    let root = error.downcast_ref::<std::io::Error>();
    error.chain().len() == 1
        && root.is_some_and(|root| root.kind() == std::io::ErrorKind::BrokenPipe)
}
