//! `show`, `generate`, `statements`, `send`, `export-journal`, `journals`, `why`, `report`.
#![expect(clippy::doc_markdown, reason = "these comments are the help, where backticks would be noise")]

use std::path::PathBuf;

use billing::payers::PayerKey;
use billing::{Period, StatementNumber};
use clap::{Args, Subcommand, ValueEnum};

use super::values::{pi, words};

#[derive(Debug, Args)]
pub struct ShowArgs {
    /// E-mail address of the PI
    #[arg(value_name = "PI", value_parser = pi)]
    pub pi: String,
    /// Billing period
    #[arg(long, short, value_name = "YYYY-MM")]
    pub period: Period,
}

pub(super) const GENERATE_EXAMPLES: &str = "Examples:
  focus-billing generate --period 2025-01 --draft
  focus-billing generate --period 2025-01 --dry-run
  focus-billing generate --period 2025-01 --send";

#[derive(Debug, Args)]
pub struct GenerateArgs {
    /// Closed period; for drafts, any
    #[arg(long, short, value_name = "YYYY-MM")]
    pub period: Period,
    /// Say what would be made, and change nothing
    #[arg(long, conflicts_with = "send")]
    pub dry_run: bool,
    /// Write PDFs marked DRAFT to output.draft_dir; nothing is issued, recorded or sent
    #[arg(long, conflicts_with_all = ["send", "dry_run"])]
    pub draft: bool,
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
    /// How two statements differ: two versions, or a project's in two periods
    #[command(after_help = "Examples:\n  focus-billing statements diff S-2025-01-0001\n  \
                      focus-billing statements diff S-2025-01-0001v1 S-2025-01-0001v2\n  \
                      focus-billing statements diff S-2025-01-0001 S-2025-02-0001")]
    Diff {
        #[arg(value_name = "BEFORE")]
        before: String,
        /// The later one [default: the latest version of the same statement]
        #[arg(value_name = "AFTER")]
        after: Option<String>,
    },
    /// Write the PDFs of a period's statements into one ZIP file
    #[command(after_help = "Example:\n  focus-billing statements zip --period 2025-01 --output january.zip")]
    Zip {
        /// Billing period
        #[arg(long, short, value_name = "YYYY-MM")]
        period: Period,
        /// A new file
        #[arg(long, short, value_name = "FILE")]
        output: PathBuf,
    },
}

#[derive(Debug, Subcommand)]
pub enum EmailCommand {
    /// List messages, where each stands and why it did not go out
    #[command(after_help = "Example:\n  focus-billing emails list --period 2025-01 --state failed")]
    List {
        /// Billing period
        #[arg(long, short, value_name = "YYYY-MM")]
        period: Option<Period>,
        /// Only these: queued, sending, sent, failed, uncertain
        #[arg(long, value_name = "STATE", value_parser = ["queued", "sending", "sent", "failed", "uncertain"])]
        state: Option<String>,
    },
    /// One message: its words, files and what became of it
    #[command(after_help = "Example:\n  focus-billing emails show 2025-01.0b9f…@example.edu")]
    Show {
        /// Its Message-ID, with angle brackets or without
        #[arg(value_name = "ID", value_parser = words)]
        id: String,
    },
}

#[derive(Debug, Args)]
pub struct StatementFilter {
    /// Billing period
    #[arg(long, short, value_name = "YYYY-MM")]
    pub period: Option<Period>,
    /// E-mail address of the PI
    #[arg(long, value_name = "EMAIL", value_parser = pi)]
    pub pi: Option<String>,
    /// Project they are of
    #[arg(long, value_name = "PROJECT")]
    pub project: Option<String>,
}

pub(super) const SEND_EXAMPLES: &str = "Examples:
  focus-billing send --period 2025-01 --dry-run
  focus-billing send --period 2025-01
  focus-billing send --again S-2025-01-0001 --reason \"the PI lost it\"";

#[derive(Debug, Args)]
pub struct SendArgs {
    /// Period of the statements
    #[arg(long, short, value_name = "YYYY-MM", required_unless_present = "again")]
    pub period: Option<Period>,
    /// Also send what may have been sent before a crash
    #[arg(long)]
    pub retry_uncertain: bool,
    /// Show every message as it would go out, and send nothing
    #[arg(long, conflicts_with = "again")]
    pub dry_run: bool,
    /// Send one statement again that was sent before
    #[arg(long, value_name = "NUMBER", requires = "reason", conflicts_with_all = ["period", "retry_uncertain"])]
    pub again: Option<StatementNumber>,
    /// Why it is sent again, for the audit trail
    #[arg(long, value_name = "TEXT", requires = "again", value_parser = words)]
    pub reason: Option<String>,
}

pub(super) const EXPORT_EXAMPLES: &str = "Examples:
  focus-billing export-journal --period 2025-01 --dry-run
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
    /// A copy of this document [default: what is not posted yet, else a copy of the last one]
    #[arg(long, value_name = "ID")]
    pub document: Option<String>,
    /// Show what would be posted, and record nothing
    #[arg(long, conflicts_with_all = ["template", "output", "document"])]
    pub dry_run: bool,
}

#[derive(Debug, Subcommand)]
pub enum JournalCommand {
    /// List journals with their control totals and what accounting made of them
    #[command(after_help = "Example:\n  focus-billing journals list --period 2025-01")]
    List {
        /// Billing period
        #[arg(long, short, value_name = "YYYY-MM")]
        period: Option<Period>,
    },
    /// One journal: its lines, control totals, statements and files
    #[command(after_help = "Example:\n  focus-billing journals show J-2025-01-1")]
    Show(JournalRef),
    /// Accounting has it in its books; this is final
    #[command(
        after_help = "Example:\n  focus-billing journals accept J-2025-01-1 --note \"posted as JV 10442\""
    )]
    Accept {
        #[command(flatten)]
        journal: JournalRef,
        /// What accounting said, for example its own number
        #[arg(long, value_name = "TEXT", value_parser = words)]
        note: Option<String>,
    },
    /// Accounting did not take it: the next export posts its money again
    #[command(
        after_help = "Example:\n  focus-billing journals reject J-2025-01-1 --reason \"fund 40210 has ended\""
    )]
    Reject {
        #[command(flatten)]
        journal: JournalRef,
        /// What accounting said
        #[arg(long, value_name = "TEXT", value_parser = words)]
        reason: String,
    },
    /// Go on without an answer of accounting
    #[command(
        after_help = "Example:\n  focus-billing journals waive J-2025-01-1 --reason \"entered by hand\""
    )]
    Waive {
        #[command(flatten)]
        journal: JournalRef,
        /// Why no answer is needed
        #[arg(long, value_name = "TEXT", value_parser = words)]
        reason: String,
    },
}

#[derive(Debug, Args)]
pub struct JournalRef {
    /// Number of the document
    #[arg(value_name = "ID")]
    pub document: String,
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

pub(super) const WHY_EXAMPLES: &str = "Examples:
  focus-billing why S-2025-01-0001
  focus-billing why 1:7
  focus-billing why aws_2025-01.csv:17
  focus-billing why soil-microbiome --period 2025-01
  focus-billing why S-2025-01-0001 --evidence evidence.zip";

#[derive(Debug, Args)]
pub struct WhyArgs {
    /// A statement, a journal, a charge, an import, a line of a delivered file (FILE:LINE), a project or a PI
    #[arg(value_name = "REFERENCE")]
    pub reference: String,
    /// The month of a project or a PI [default: the latest]
    #[arg(long, short, value_name = "YYYY-MM")]
    pub period: Option<Period>,
    /// Write the pack that an auditor asks for, of a statement or a journal: a new ZIP file
    #[arg(long, value_name = "FILE")]
    pub evidence: Option<PathBuf>,
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

pub(super) const PAYERS_EXAMPLES: &str = "Examples:
  focus-billing payers --period 2025-01
  focus-billing payers --fiscal-year 2025 --by payer,source --format csv
  focus-billing payers --period 2025-01,2025-02 --by project_id --drafts";

#[derive(Debug, Args)]
pub struct PayersArgs {
    /// One period, or several [default: all]
    #[arg(long, short, value_name = "YYYY-MM", value_delimiter = ',')]
    pub period: Vec<Period>,
    /// The periods of a fiscal year, named by the year it ends in
    #[arg(long, value_name = "YYYY", conflicts_with = "period")]
    pub fiscal_year: Option<i16>,
    /// What to sum by: `payer`, `subsidy_name`, `period`, `fiscal_year`, `source`, `service_name`, `pi_email`,
    /// `project_id`, `fund_org`, `account_code`
    #[arg(long, value_name = "KEY", value_delimiter = ',', default_value = "payer,subsidy_name")]
    pub by: Vec<PayerKey>,
    /// Also what has no statements yet, as it would be billed today
    #[arg(long)]
    pub drafts: bool,
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
