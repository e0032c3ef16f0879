//! One function per command: read the configuration, call the act, print.

mod completions;
mod config;
mod door;

pub use door::Door;

use crate::args::{Cli, Command};
use crate::output::{Output, Refusal};

/// Do one command.
///
/// # Errors
/// The [`Refusal`] that the user is told.
pub fn run(cli: Cli, output: Output) -> Result<(), Refusal> {
    match cli.command {
        Command::Version => Ok(output.text(&format!("focus-billing {}\n", env!("CARGO_PKG_VERSION")))?),
        Command::Completions { shell } => completions::run(shell, output),
        Command::Config(command) => config::run(&command, &cli.global, output),
        // The acts are wired here, a line each, as `workflow` gets them.
        _ => Err(Refusal::new("this command is not part of this version")),
    }
}
