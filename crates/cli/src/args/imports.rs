//! `demo`, `ingest`, `imports`, `periods`, `sources`.

use std::path::PathBuf;

use billing::{ImportId, Period};
use clap::{Args, Subcommand};

use super::values::{import_id, words};

#[derive(Debug, Args)]
pub struct DemoArgs {
    /// Where the demo's own installation is made [default: a new folder `focus-billing-demo`]
    #[arg(long, value_name = "FOLDER")]
    pub dir: Option<PathBuf>,
}

pub(super) const INGEST_EXAMPLES: &str = "Examples:
  focus-billing ingest sample_data/aws_2025-01.csv
  focus-billing ingest sample_data/hpc_2025-01.csv --source HPC --period 2025-01 --dry-run";

#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch on the command line")]
pub struct IngestArgs {
    /// FOCUS files (CSV, .gz, .zst, Parquet); several are the parts of one delivery
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Who delivers [default: guessed from the file name]
    #[arg(long, short, value_name = "NAME")]
    pub source: Option<String>,
    /// Expected period; charges of another are flagged [default: guessed from the file name]
    #[arg(long, short, value_name = "YYYY-MM")]
    pub period: Option<Period>,
    /// Say what would happen, and change nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Take the good rows of a file with problems, keep the bad ones aside
    #[arg(long)]
    pub quarantine: bool,
    /// This delivery takes the place of an earlier one
    #[arg(long, value_name = "IMPORT", value_parser = import_id, conflicts_with = "append")]
    pub replace: Option<ImportId>,
    /// This delivery comes beside earlier ones, although they overlap
    #[arg(long)]
    pub append: bool,
    /// Accept a delivery that is empty or has lost more than half
    #[arg(long)]
    pub force: bool,
    /// Take only the charges of open periods
    #[arg(long)]
    pub only_open: bool,
}

#[derive(Debug, Subcommand)]
pub enum ImportCommand {
    /// List deliveries
    #[command(after_help = "Example:\n  focus-billing imports list")]
    List,
    /// One delivery: parts, counts, exact totals, flags, quarantined rows
    #[command(after_help = "Example:\n  focus-billing imports show 1")]
    Show(ImportRef),
    /// Read the kept bytes again under today's configuration
    #[command(after_help = "Example:\n  focus-billing imports reread 1")]
    Reread(ImportRef),
    /// Take a delivery out of the books, while its periods are open
    #[command(after_help = "Example:\n  focus-billing imports withdraw 1 --reason \"wrong source\"")]
    Withdraw(WithdrawArgs),
}

#[derive(Debug, Args)]
pub struct ImportRef {
    /// Number of the import
    #[arg(value_name = "IMPORT", value_parser = import_id)]
    pub import: ImportId,
}

#[derive(Debug, Args)]
pub struct WithdrawArgs {
    #[command(flatten)]
    pub import: ImportRef,
    /// Why, for the audit trail
    #[arg(long, value_name = "WORDS", value_parser = words)]
    pub reason: String,
    /// Do not ask
    #[arg(long, short)]
    pub yes: bool,
}

#[derive(Debug, Subcommand)]
pub enum PeriodCommand {
    /// List periods with their states and sums
    #[command(after_help = "Example:\n  focus-billing periods list")]
    List,
    /// One period: state, sources, what is held back
    #[command(after_help = "Example:\n  focus-billing periods show 2025-01")]
    Show(PeriodRef),
    /// Open a period (imports open new months by themselves)
    #[command(after_help = "Example:\n  focus-billing periods open 2025-02")]
    Open(PeriodRef),
    /// Close a period: no more imports and decisions, statements can be made
    #[command(after_help = "Example:\n  focus-billing periods close 2025-01")]
    Close(PeriodNotes),
    /// Open a closed period again
    #[command(after_help = "Example:\n  focus-billing periods reopen 2025-01 --reason \"late storage file\"")]
    Reopen(PeriodReason),
    /// Make a closed period final: what comes later is a correction
    #[command(
        after_help = "Example:\n  focus-billing periods finalize 2025-01 --notes \"posted by accounting\""
    )]
    Finalize(PeriodNotes),
}

#[derive(Debug, Args)]
pub struct PeriodRef {
    #[arg(value_name = "YYYY-MM")]
    pub period: Period,
}

#[derive(Debug, Args)]
pub struct PeriodNotes {
    #[arg(value_name = "YYYY-MM")]
    pub period: Period,
    /// Words for the books
    #[arg(long, short, value_name = "WORDS", value_parser = words)]
    pub notes: Option<String>,
}

#[derive(Debug, Args)]
pub struct PeriodReason {
    #[arg(value_name = "YYYY-MM")]
    pub period: Period,
    /// Why, for the audit trail
    #[arg(long, value_name = "WORDS", value_parser = words)]
    pub reason: String,
}

#[derive(Debug, Subcommand)]
pub enum SourceCommand {
    /// List known sources with their last import
    #[command(after_help = "Example:\n  focus-billing sources list")]
    List,
    /// Make a source known
    #[command(after_help = "Example:\n  focus-billing sources add Sequencing")]
    Add {
        #[arg(value_name = "NAME", value_parser = words)]
        name: String,
    },
}
