//! One function per command: read the configuration, call the act, print.

mod accounts;
mod attribution;
mod audit;
mod charges;
mod completions;
mod config;
mod connectors;
mod credits;
mod demo;
mod door;
mod emails;
mod funding;
mod given;
mod import_config;
mod imports;
mod ingest;
mod installation;
mod journal;
mod journals;
mod keeping;
mod overview;
mod patterns;
mod payers;
mod people;
mod periods;
mod projects;
mod rates;
mod reading;
mod report;
mod review;
mod sources;
mod splits;
mod statement_diff;
mod statements;
mod subsidies;
mod tokens;
mod users;
mod verify;
mod web;
mod why;
mod words;

pub use accounts::{accounts, accounts_of_web, secret_key};
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
        _ => tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(act(cli, output)),
    }
}

async fn act(cli: Cli, output: Output) -> Result<(), Refusal> {
    if let Command::Demo(args) = &cli.command {
        return demo::run(args, &cli.global, output).await;
    }
    if let Command::Restore(args) = &cli.command {
        return keeping::run_restore(args, &cli.global, output, &door::stamp(&cli.global)).await;
    }
    let door = &Door::open(&cli.global, output)?;
    match cli.command {
        Command::Ingest(args) => ingest::run(args, door).await,
        Command::Convert(args) => connectors::run_convert(args, door),
        Command::Connectors(command) => connectors::run(command, door).await,
        Command::Imports(command) => imports::run(command, door).await,
        Command::Periods(command) => periods::run(command, door).await,
        Command::Sources(command) => sources::run(command, door).await,
        Command::Attribution(command) => attribution::run(command, door).await,
        Command::Rates(command) => rates::run(command, door).await,
        Command::People(command) => people::run(command, door).await,
        Command::ImportConfig(args) => import_config::run(&args, door).await,
        Command::Subsidies(command) => subsidies::run(command, door).await,
        Command::Credits(command) => credits::run(command, door).await,
        Command::Splits(command) => splits::run(command, door).await,
        Command::Review(command) => review::run(command, door).await,
        Command::Charges(command) => charges::run(command, door).await,
        Command::Show(args) => statements::run_show(&args, door).await,
        Command::Projects(command) => projects::run(command, door).await,
        Command::Pis(command) => projects::run_pis(command, door).await,
        Command::Overview(args) => overview::run(&args, door).await,
        Command::Generate(args) => statements::run_generate(&args, door).await,
        Command::Statements(command) => statements::run(command, door).await,
        Command::Send(args) if args.dry_run => emails::run_preview(&args, door).await,
        Command::Send(args) => statements::run_send(&args, door).await,
        Command::Emails(command) => emails::run(command, door).await,
        Command::ExportJournal(args) => journal::run(args, door).await,
        Command::Journals(command) => journals::run(command, door).await,
        Command::Why(args) => why::run(&args, door).await,
        Command::Report(args) => report::run(args, door).await,
        Command::Payers(args) => payers::run(args, door).await,
        Command::Web(args) => web::run(args, door).await,
        Command::Users(command) => users::run(command, door).await,
        Command::Tokens(command) => tokens::run(command, door).await,
        Command::Verify(args) => verify::run(&args, door).await,
        Command::Audit(command) => audit::run(command, door).await,
        Command::Backup(args) => keeping::run_backup(args, door).await,
        Command::Ledger(command) => keeping::run_ledger(command, door).await,
        Command::Lake(command) => keeping::run_lake(command, door).await,
        Command::Demo(_)
        | Command::Restore(_)
        | Command::Config(_)
        | Command::Completions { .. }
        | Command::Version => Ok(()),
    }
}
