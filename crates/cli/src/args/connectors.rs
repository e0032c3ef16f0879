//! `convert`, `connectors`.

use std::path::PathBuf;

use billing::Period;
use clap::{Args, Subcommand};
use connectors::Kind;

pub(super) const CONVERT_EXAMPLES: &str = "Examples:
  focus-billing convert slurm sacct_2025-01.txt --period 2025-01 --output usage.csv
  focus-billing convert slurm a.json b.json --period 2025-01 --source HPC --output usage.parquet";

#[derive(Debug, Args)]
pub struct ConvertArgs {
    /// What the files are of: `connectors list` shows what is read
    #[arg(value_name = "KIND")]
    pub kind: Kind,
    /// The system's own files; several are the parts of one delivery
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// The month whose usage is wanted
    #[arg(long, short, value_name = "YYYY-MM")]
    pub period: Period,
    /// Where the FOCUS file is written (CSV, or .parquet)
    #[arg(long, short, value_name = "FILE")]
    pub output: PathBuf,
    /// The source whose options hold [default: the one of this kind]
    #[arg(long, short, value_name = "NAME")]
    pub source: Option<String>,
}

#[derive(Debug, Subcommand)]
pub enum ConnectorCommand {
    /// The systems that are read, and the sources that are of them
    #[command(after_help = "Example:\n  focus-billing connectors list")]
    List,
    /// What keeps a source's usage from being billed
    #[command(after_help = "Example:\n  focus-billing connectors check HPC")]
    Check {
        #[arg(value_name = "SOURCE")]
        source: String,
    },
}
