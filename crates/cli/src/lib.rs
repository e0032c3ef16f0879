//! The binary `focus-billing`: commands, configuration, wiring. It holds no rule: those are in `billing`,
//! and what people do is in `workflow`.
//!
//! Start with [`args`] (what can be typed), then [`commands`] (what happens then). [`config`] reads the
//! installation's YAML; [`output`] is the only place that prints.

pub mod args;
pub mod commands;
pub mod config;
mod logging;
pub mod output;
pub mod sample;

use std::ffi::OsString;
use std::process::ExitCode;

use args::Cli;
use output::Output;

/// Do what the command line says. Exit codes: 0 done, 1 refused, 2 bad arguments.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    // For the test that kills imports: no build that people run has this command.
    if failpoint::ENABLED && arguments.get(1..).is_some_and(|words| words == ["debug", "failpoints"]) {
        let told = Output::new(false, false).text(&format!("{}\n", failpoint::NAMES.join("\n")));
        return told.map_or(ExitCode::FAILURE, |()| ExitCode::SUCCESS);
    }
    let cli = match Cli::read(arguments) {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version go to standard output, mistakes to standard error; a closed pipe is fine.
            let _ = error.print();
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
        }
    };
    let output = Output::new(cli.global.json, cli.global.quiet);
    match commands::run(cli, output) {
        Ok(()) => ExitCode::SUCCESS,
        Err(refusal) if refusal.is_closed_pipe() => ExitCode::SUCCESS,
        Err(refusal) => {
            output.refusal(&refusal);
            ExitCode::FAILURE
        }
    }
}
