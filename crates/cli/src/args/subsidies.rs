//! `subsidies`.

use billing::Period;
use billing::subsidy::{Percent, Scope, SubsidyId, Tier, Window};
use clap::{Args, Subcommand, ValueEnum};
use money::Amount;

use super::attribution::SureArgs;
use super::given::PaidArgs;
use super::values::words;

#[derive(Debug, Subcommand)]
pub enum SubsidyCommand {
    /// List the rules
    #[command(after_help = "Example:\n  focus-billing subsidies list --all")]
    List(SubsidyListArgs),
    /// Write a rule, after showing what it would change
    #[command(after_help = ADD_EXAMPLES)]
    Add(Box<SubsidyAddArgs>),
    /// Say the last period of a rule, after showing what that would change
    #[command(after_help = "Example:\n  focus-billing subsidies end 2 --last 2025-06")]
    End(SubsidyEndArgs),
    /// What was seen and paid, and what is left, when a period is billed as it stands
    #[command(after_help = "Example:\n  focus-billing subsidies show 2025-01")]
    Show(SubsidyShowArgs),
    /// What a rule paid by issued statements
    #[command(after_help = "Example:\n  focus-billing subsidies paid 2")]
    Paid(PaidArgs),
}

const ADD_EXAMPLES: &str = "Examples:
  focus-billing subsidies add \"College of Science\" --payer SCI-100 --percent 40 --from 2025-01
  focus-billing subsidies add \"Provost\" --payer PROV-1 --tier 500:100 --per project --every fiscal-year --from 2025-07
  focus-billing subsidies add \"Provost AI\" --payer PROV-2 --tier 50:100 --per user --source OpenAI --from 2025-07";

#[derive(Debug, Args)]
pub struct SubsidyListArgs {
    /// Also rules that have ended
    #[arg(long)]
    pub all: bool,
}

#[derive(Debug, Args)]
pub struct SubsidyAddArgs {
    /// Its name, as it stands on statements
    #[arg(value_name = "NAME", value_parser = words)]
    pub name: String,
    /// The `fund_org` that pays
    #[arg(long, value_name = "FUND_ORG", value_parser = words)]
    pub payer: String,
    /// The account it is posted to [default: that of the charges]
    #[arg(long, value_name = "CODE", value_parser = words)]
    pub account_code: Option<String>,
    /// So much of every charge
    #[arg(long, value_name = "PERCENT", required_unless_present = "tier", conflicts_with = "tier")]
    pub percent: Option<Percent>,
    /// So much of the cost up to an amount, of the next up to another, …; `:PERCENT` without an end
    #[arg(long, value_name = "UP_TO:PERCENT", value_parser = tier)]
    pub tier: Vec<Tier>,
    /// Not more than this
    #[arg(long, value_name = "AMOUNT", value_parser = amount)]
    pub cap: Option<Amount>,
    /// Whose costs count together
    #[arg(long, value_enum, default_value = "project")]
    pub per: PerArg,
    /// Over which time
    #[arg(long, value_enum, default_value = "month")]
    pub every: EveryArg,
    /// What is not used of tiers and cap in one such time is added to those of the next
    #[arg(long)]
    pub carry_over: bool,
    /// Before rules with larger numbers
    #[arg(long, value_name = "NUMBER", default_value_t = 0, allow_negative_numbers = true)]
    pub order: i64,
    /// Not where an earlier rule pays already
    #[arg(long)]
    pub alone: bool,
    /// Only charges of this source; may be given again
    #[arg(long, short, value_name = "NAME", value_parser = words)]
    pub source: Vec<String>,
    /// Only this service (`Storage*`: whatever begins so); may be given again
    #[arg(long, value_name = "SERVICE", value_parser = words)]
    pub service: Vec<String>,
    /// Only this PI; may be given again
    #[arg(long, value_name = "EMAIL", value_parser = words)]
    pub pi: Vec<String>,
    /// Only this project; may be given again
    #[arg(long, value_name = "PROJECT", value_parser = words)]
    pub project: Vec<String>,
    /// First billing period
    #[arg(long, value_name = "YYYY-MM")]
    pub from: Period,
    /// Last billing period
    #[arg(long, value_name = "YYYY-MM")]
    pub to: Option<Period>,
    /// Why, for the audit trail
    #[arg(long, value_name = "WORDS", value_parser = words)]
    pub note: Option<String>,
    #[command(flatten)]
    pub sure: SureArgs,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum PerArg {
    Project,
    Pi,
    /// Who used it, whoever is billed (`tag_mapping.usage_user`)
    User,
    /// One pool for everybody
    All,
}

impl From<PerArg> for Scope {
    fn from(per: PerArg) -> Scope {
        match per {
            PerArg::Project => Scope::Project,
            PerArg::Pi => Scope::Pi,
            PerArg::User => Scope::User,
            PerArg::All => Scope::All,
        }
    }
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum EveryArg {
    Month,
    Quarter,
    Year,
    FiscalYear,
    /// From the first to the last period of the rule
    Once,
}

impl From<EveryArg> for Window {
    fn from(every: EveryArg) -> Window {
        match every {
            EveryArg::Month => Window::Month,
            EveryArg::Quarter => Window::Quarter,
            EveryArg::Year => Window::Year,
            EveryArg::FiscalYear => Window::FiscalYear,
            EveryArg::Once => Window::Once,
        }
    }
}

#[derive(Debug, Args)]
pub struct SubsidyEndArgs {
    /// Number of the rule
    #[arg(value_name = "RULE", value_parser = subsidy_id)]
    pub rule: SubsidyId,
    /// Its last billing period
    #[arg(long, value_name = "YYYY-MM")]
    pub last: Period,
    /// Why, for the audit trail
    #[arg(long, value_name = "WORDS", value_parser = words)]
    pub note: Option<String>,
    #[command(flatten)]
    pub sure: SureArgs,
}

#[derive(Debug, Args)]
pub struct SubsidyShowArgs {
    /// Billing period
    #[arg(value_name = "YYYY-MM")]
    pub period: Period,
}

fn subsidy_id(text: &str) -> Result<SubsidyId, String> {
    let number = text.trim().parse().ok().filter(|number| 0 < *number);
    number.map(SubsidyId).ok_or_else(|| "subsidies have numbers, such as 2".to_owned())
}

pub(super) fn amount(text: &str) -> Result<Amount, String> {
    Amount::parse_total(text).ok_or_else(|| "write an amount, such as 500".to_owned())
}

fn tier(text: &str) -> Result<Tier, String> {
    let (up_to, percent) = text.split_once(':').ok_or("write UP_TO:PERCENT, such as 500:100")?;
    let up_to = if up_to.trim().is_empty() { None } else { Some(amount(up_to.trim())?) };
    Ok(Tier {
        up_to,
        percent: percent.parse().map_err(|error: billing::subsidy::BadPercent| error.to_string())?,
    })
}
