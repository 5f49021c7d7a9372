//! The `sandbox` program: parse, one match, print the error chain, exit.

use std::io::Write;
use std::process::ExitCode;

use clap::Parser;
use sandbox::cli::{self, Cli, Command};

fn main() -> ExitCode {
    sandbox::train::memory::keep();
    let cli = Cli::parse();
    cli::log(cli.verbose);
    let outcome = match cli.command {
        Command::Run(run) => run.execute(),
        Command::Check(check) => check.execute(),
        Command::Test(test) => test.execute(),
        Command::Api(api) => api.execute(),
        Command::Eval(eval) => eval.execute(),
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
        Err(error) => {
            // A reader of standard error that went away changes nothing about the exit code.
            let _ = writeln!(std::io::stderr(), "{}", cli::describe(&error));
            ExitCode::from(cli::exit_code(&error))
        }
    }
}
