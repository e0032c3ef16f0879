//! `show`, `generate`, `statements`, `send`, `export-journal`, `why`, `report`.
#![expect(clippy::doc_markdown, reason = "these comments are the help, where backticks would be noise")]

use std::path::PathBuf;

use billing::Period;
use clap::{Args, Subcommand, ValueEnum};

use super::values::pi_email;

#[derive(Debug, Args)]
pub struct ShowArgs {
    /// E-mail address of the PI
    #[arg(value_name = "PI", value_parser = pi_email)]
    pub pi: String,
    /// Billing period
    #[arg(long, short, value_name = "YYYY-MM")]
    pub period: Period,
}

pub(super) const GENERATE_EXAMPLES: &str = "Examples:
  focus-billing generate --period 2025-01 --dry-run
  focus-billing generate --period 2025-01 --send";

#[derive(Debug, Args)]
pub struct GenerateArgs {
    /// Closed period
    #[arg(long, short, value_name = "YYYY-MM")]
    pub period: Period,
    /// Say what would be made, and change nothing
    #[arg(long, conflicts_with = "send")]
    pub dry_run: bool,
    /// Then e-mail what has not been sent
    #[arg(long)]
    pub send: bool,
}

#[derive(Debug, Subcommand)]
pub enum StatementCommand {
    /// List statements
    #[command(after_help = "Example:\n  focus-billing statements list --period 2025-01")]
    List(StatementFilter),
    /// One statement: its lines, versions and e-mails
    #[command(after_help = "Example:\n  focus-billing statements show S-2025-01-0001")]
    Show {
        #[arg(value_name = "NUMBER")]
        number: String,
        /// An earlier version [default: the latest]
        #[arg(long, value_name = "VERSION")]
        version: Option<u32>,
    },
}

#[derive(Debug, Args)]
pub struct StatementFilter {
    /// Billing period
    #[arg(long, short, value_name = "YYYY-MM")]
    pub period: Option<Period>,
    /// E-mail address of the PI
    #[arg(long, value_name = "EMAIL", value_parser = pi_email)]
    pub pi: Option<String>,
    /// Project they are of
    #[arg(long, value_name = "PROJECT")]
    pub project: Option<String>,
}

#[derive(Debug, Args)]
pub struct SendArgs {
    /// Period of the statements
    #[arg(long, short, value_name = "YYYY-MM")]
    pub period: Period,
    /// Also send what may have been sent before a crash
    #[arg(long)]
    pub retry_uncertain: bool,
}

pub(super) const EXPORT_EXAMPLES: &str = "Examples:
  focus-billing export-journal --period 2025-01 --format gl
  focus-billing export-journal --period 2025-01 --format template --template journal.csv --output journal.csv";

#[derive(Debug, Args)]
pub struct ExportArgs {
    /// Closed period
    #[arg(long, short, value_name = "YYYY-MM")]
    pub period: Period,
    /// What accounting takes
    #[arg(long, short, value_enum, default_value_t = JournalFormat::Gl)]
    pub format: JournalFormat,
    /// The institution's Jinja file [default: journal.template of the configuration]
    #[arg(long, value_name = "FILE")]
    pub template: Option<PathBuf>,
    /// Where to write [default: a new file in output.journal_dir]
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum JournalFormat {
    /// A line per posted line
    Detail,
    /// A line per PI and project
    Summary,
    /// Debits and credits for the general ledger
    Gl,
    /// The institution's own format
    Template,
}

#[derive(Debug, Args)]
pub struct WhyArgs {
    /// Number of a statement, reference of a journal line, id of a charge or an import
    #[arg(value_name = "REFERENCE")]
    pub reference: String,
}

pub(super) const REPORT_EXAMPLES: &str = "Examples:
  focus-billing report --period 2025-01 --by project_id,service_name
  focus-billing report --period 2025-01 --by source --state held --format csv";

#[derive(Debug, Args)]
pub struct ReportArgs {
    /// One period, or several [default: all]
    #[arg(long, short, value_name = "YYYY-MM", value_delimiter = ',')]
    pub period: Vec<Period>,
    /// Columns to sum by: period, source, import, any attribution or FOCUS column in snake_case
    #[arg(long, value_name = "COLUMN", value_delimiter = ',', default_value = "source")]
    pub by: Vec<String>,
    /// Which charges
    #[arg(long, value_enum, default_value_t = ReportState::Billable)]
    pub state: ReportState,
    /// How it is written
    #[arg(long, short, value_enum, default_value_t = ReportFormat::Table)]
    pub format: ReportFormat,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ReportState {
    Billable,
    Held,
    Rejected,
    Deferred,
    All,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ReportFormat {
    Table,
    Csv,
    Json,
}
