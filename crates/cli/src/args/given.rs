//! What a rule gave: the same arguments for all kinds.

use billing::Period;
use clap::Args;

#[derive(Debug, Args)]
pub struct ReachedArgs {
    /// Number of the rule
    #[arg(value_name = "RULE", value_parser = clap::value_parser!(i64).range(1..))]
    pub rule: i64,
    /// Billing period
    #[arg(long, short, value_name = "YYYY-MM")]
    pub period: Period,
}

#[derive(Debug, Args)]
pub struct PaidArgs {
    /// Number of the rule
    #[arg(value_name = "RULE", value_parser = clap::value_parser!(i64).range(1..))]
    pub rule: i64,
}
