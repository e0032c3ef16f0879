//! `audit`, `verify`, `config`.

use std::path::PathBuf;

use billing::Period;
use clap::{Args, Subcommand, ValueEnum};

use super::values::words;

#[derive(Debug, Subcommand)]
pub enum AuditCommand {
    /// List what was done, the latest last
    #[command(after_help = "Example:\n  focus-billing audit list --limit 20")]
    List(AuditRows),
    /// Write what was done for another program: JSON, CSV, Splunk
    #[command(after_help = "Example:\n  focus-billing audit export --format splunk --from 120")]
    Export {
        /// What the other program reads
        #[arg(long, short, value_enum, default_value_t = AuditFormat::Json)]
        format: AuditFormat,
        #[command(flatten)]
        rows: AuditRows,
        /// Where events come from, for Splunk
        #[arg(long, value_name = "NAME", value_parser = words, default_value = "focus-billing")]
        host: String,
    },
    /// Write the end of the chain, to be kept elsewhere
    #[command(after_help = "Example:\n  focus-billing audit anchor --output anchor.json")]
    Anchor {
        /// A new file [default: standard output]
        #[arg(long, short, value_name = "FILE")]
        output: Option<PathBuf>,
    },
    /// Prove that no entry was edited, inserted or removed
    #[command(after_help = "Examples:\n  focus-billing audit verify\n  \
                            focus-billing audit verify --anchor anchor.json")]
    Verify {
        /// Prove, too, that the chain contains this: a file that `audit anchor` wrote, or its hash
        #[arg(long, value_name = "FILE|HASH")]
        anchor: Option<String>,
    },
}

#[derive(Debug, Args)]
pub struct AuditRows {
    /// How many at most, from the end [default: all]
    #[arg(long, value_name = "COUNT")]
    pub limit: Option<usize>,
    /// Only these acts: `import` for all of imports, `import.committed` for one kind
    #[arg(long, value_name = "ACT", value_parser = words)]
    pub act: Option<String>,
    /// Only what this person did
    #[arg(long, value_name = "NAME", value_parser = words)]
    pub by: Option<String>,
    /// Only what was done to this: `import 12`, `2025-01`
    #[arg(long, value_name = "SUBJECT", value_parser = words)]
    pub subject: Option<String>,
    /// Only entries with these words in their subject or detail
    #[arg(long, value_name = "WORDS", value_parser = words)]
    pub find: Option<String>,
    /// Only what was done on this day or later, in UTC
    #[arg(long, value_name = "YYYY-MM-DD")]
    pub since: Option<jiff::civil::Date>,
    /// Only what was done on this day or earlier, in UTC
    #[arg(long, value_name = "YYYY-MM-DD")]
    pub until: Option<jiff::civil::Date>,
    /// From this entry on
    #[arg(long, value_name = "NUMBER")]
    pub from: Option<i64>,
    /// Up to this entry
    #[arg(long, value_name = "NUMBER")]
    pub to: Option<i64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum AuditFormat {
    /// A list with every field, hashes included
    Json,
    /// For a spreadsheet
    Csv,
    /// Events for the HTTP Event Collector, one a line
    Splunk,
}

#[derive(Debug, Args)]
pub struct WebArgs {
    /// Where to listen [default: `web.host`, else 127.0.0.1]
    #[arg(long, value_name = "ADDRESS", value_parser = words)]
    pub host: Option<String>,
    /// At which port; 0 is any that is free [default: `web.port`, else 8000]
    #[arg(long, value_name = "PORT")]
    pub port: Option<u16>,
}

#[derive(Debug, Args)]
pub struct VerifyArgs {
    /// Only this billing period; the audit chain is always verified whole [default: all]
    #[arg(long, short, value_name = "YYYY-MM")]
    pub period: Option<Period>,
    /// Read the delivered bytes again, too, and make their charges again
    #[arg(long)]
    pub deep: bool,
}

#[derive(Debug, Subcommand)]
pub enum ConfigCommand {
    /// Write a commented configuration file to start from
    #[command(after_help = "Example:\n  focus-billing config init config.yaml")]
    Init(InitArgs),
    /// Name every problem of the configuration with its line
    #[command(after_help = "Example:\n  focus-billing config check --config sample_data/config.yaml")]
    Check,
    /// Print the effective values; secrets are hidden
    #[command(after_help = "Example:\n  focus-billing config show --config sample_data/config.yaml")]
    Show,
}

#[derive(Debug, Args)]
pub struct InitArgs {
    /// The new file; an existing one is never overwritten
    #[arg(value_name = "FILE", default_value = "config.yaml")]
    pub file: PathBuf,
}
