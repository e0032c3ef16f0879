use clap::CommandFactory;
use clap_complete::Shell;

use crate::args::Cli;
use crate::output::{Output, Refusal};

pub(super) fn run(shell: Shell, output: Output) -> Result<(), Refusal> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "focus-billing", &mut script);
    Ok(output.text(&String::from_utf8_lossy(&script))?)
}
