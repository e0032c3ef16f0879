//! `overview`.

use billing::Period;
use clap::Args;

pub const OVERVIEW_EXAMPLES: &str =
    "Examples:\n  focus-billing overview\n  focus-billing overview --period 2025-01 --json";

#[derive(Debug, Args)]
pub struct OverviewArgs {
    /// Billing period [default: the oldest that is open, else the latest]
    #[arg(long, short, value_name = "YYYY-MM")]
    pub period: Option<Period>,
}
