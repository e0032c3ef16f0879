//! `overview`, `projects` and `pis`.

use billing::Period;
use clap::{Args, Subcommand};

use super::values::pi;

pub const OVERVIEW_EXAMPLES: &str =
    "Examples:\n  focus-billing overview\n  focus-billing overview --period 2025-01 --json";

#[derive(Debug, Args)]
pub struct OverviewArgs {
    /// Billing period [default: the oldest that is open, else the latest]
    #[arg(long, short, value_name = "YYYY-MM")]
    pub period: Option<Period>,
}

#[derive(Debug, Subcommand)]
pub enum ProjectCommand {
    /// Projects of a month or a fiscal year, the most expensive first
    #[command(
        after_help = "Examples:\n  focus-billing projects list --period 2025-01\n  focus-billing projects list --fiscal-year 2025"
    )]
    List(SpanArgs),
    /// A project over twelve months: use, statements, funds, splits, what is left of subsidies and credits
    #[command(after_help = "Example:\n  focus-billing projects show soil-microbiome")]
    Show {
        #[arg(value_name = "PROJECT")]
        project: String,
        #[command(flatten)]
        until: UntilArgs,
    },
}

#[derive(Debug, Subcommand)]
pub enum PiCommand {
    /// PIs of a month or a fiscal year, the most expensive first
    #[command(
        after_help = "Examples:\n  focus-billing pis list --period 2025-01\n  focus-billing pis list --fiscal-year 2025"
    )]
    List(SpanArgs),
    /// A PI over twelve months: addresses, projects, use, statements, what is left of subsidies and credits
    #[command(after_help = "Example:\n  focus-billing pis show maren.okafor@example.edu")]
    Show {
        /// Any address of the PI, or the number of the person
        #[arg(value_name = "WHO", value_parser = pi)]
        who: String,
        #[command(flatten)]
        until: UntilArgs,
    },
}

#[derive(Debug, Args)]
pub struct SpanArgs {
    /// Billing period [default: the oldest that is open, else the latest]
    #[arg(long, short, value_name = "YYYY-MM")]
    pub period: Option<Period>,
    /// All periods of a fiscal year, named by the year it ends in
    #[arg(long, value_name = "YEAR", conflicts_with = "period")]
    pub fiscal_year: Option<i16>,
}

#[derive(Debug, Args)]
pub struct UntilArgs {
    /// The last of the twelve months [default: the latest]
    #[arg(long, short, value_name = "YYYY-MM")]
    pub period: Option<Period>,
}
