//! `splits`.

use billing::ChargeId;
use billing::split::{Share, SplitId, SplitPart};
use clap::{ArgGroup, Args, Subcommand};
use jiff::civil::Date;
use money::Amount;

use super::attribution::SureArgs;
use super::given::ReachedArgs;
use super::values::words;

#[derive(Debug, Subcommand)]
pub enum SplitCommand {
    /// List the rules
    #[command(after_help = "Example:\n  focus-billing splits list --all")]
    List(SplitListArgs),
    /// Write a rule, after showing what it would change
    #[command(after_help = ADD_EXAMPLES)]
    Add(SplitAddArgs),
    /// Say the last day of a rule, after showing what that would change
    #[command(
        after_help = "Example:\n  focus-billing splits end 1 --on 2025-06-30 --note \"the grant is spent\""
    )]
    End(SplitEndArgs),
    /// What the funds of a split carry on the statements of a period
    #[command(after_help = "Example:\n  focus-billing splits carried 1 --period 2025-01")]
    Carried(ReachedArgs),
}

const ADD_EXAMPLES: &str = "Examples:
  focus-billing splits add --project looms MATH-1:60% CS-2:40% --from 2025-01-01 --note agreed
  focus-billing splits add --pi ada@example.edu NSF-9:500 MATH-1:100% --from 2025-01-01 --note \"grant first\"
  focus-billing splits add --charge 1:2 MATH-1:50% CS-2:50% --note \"bought together\"";

#[derive(Debug, Args)]
pub struct SplitListArgs {
    /// Also rules that have ended
    #[arg(long)]
    pub all: bool,
}

#[derive(Debug, Args)]
#[command(group(ArgGroup::new("whose").required(true).multiple(true).args(["source", "pi", "project", "charge"])))]
pub struct SplitAddArgs {
    /// Funds in their order: `FUND:500` takes the first 500 of a month, `FUND:60%` of what is left
    #[arg(value_name = "FUND:SHARE", required = true, num_args = 2.., value_parser = part)]
    pub parts: Vec<SplitPart>,
    /// Charges of this source
    #[arg(long, short, value_name = "NAME", value_parser = words)]
    pub source: Option<String>,
    /// Charges of this PI
    #[arg(long, value_name = "EMAIL", value_parser = words)]
    pub pi: Option<String>,
    /// Charges of this project
    #[arg(long, value_name = "PROJECT", value_parser = words)]
    pub project: Option<String>,
    /// This charge alone, in whatever delivery it comes
    #[arg(long, value_name = "IMPORT:ROW", conflicts_with_all = ["source", "pi", "project"])]
    pub charge: Option<ChargeId>,
    /// First day of the charge periods that it is for
    #[arg(long, value_name = "YYYY-MM-DD", required_unless_present = "charge")]
    pub from: Option<Date>,
    /// Last day of the charge periods that it is for
    #[arg(long, value_name = "YYYY-MM-DD")]
    pub to: Option<Date>,
    /// On what basis, for the audit trail
    #[arg(long, value_name = "WORDS", value_parser = words)]
    pub note: String,
    #[command(flatten)]
    pub sure: SureArgs,
}

#[derive(Debug, Args)]
pub struct SplitEndArgs {
    /// Number of the rule
    #[arg(value_name = "RULE", value_parser = split_id)]
    pub rule: SplitId,
    /// Its last day
    #[arg(long, value_name = "YYYY-MM-DD")]
    pub on: Date,
    /// Why, for the audit trail
    #[arg(long, value_name = "WORDS", value_parser = words)]
    pub note: String,
    #[command(flatten)]
    pub sure: SureArgs,
}

fn split_id(text: &str) -> Result<SplitId, String> {
    let number = text.trim().parse().ok().filter(|number| 0 < *number);
    number.map(SplitId).ok_or_else(|| "splits have numbers, such as 1".to_owned())
}

fn part(text: &str) -> Result<SplitPart, String> {
    let (fund_org, share) = text.rsplit_once(':').ok_or("write FUND:60% or FUND:500")?;
    let share = share.trim();
    let share = match share.strip_suffix('%') {
        Some(percent) => {
            Share::Percent(percent.parse().map_err(|error: billing::subsidy::BadPercent| error.to_string())?)
        }
        None => Share::UpTo(Amount::parse_total(share).ok_or("write FUND:60% or FUND:500")?),
    };
    Ok(SplitPart { fund_org: fund_org.trim().to_owned(), share })
}
