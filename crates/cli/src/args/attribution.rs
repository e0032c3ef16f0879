//! `attribution`.

use std::path::PathBuf;

use billing::Period;
use billing::attribution_table::{RuleId, RuleKey};
use clap::{Args, Subcommand};
use jiff::civil::Date;

use super::given::ReachedArgs;
use super::values::words;

#[derive(Debug, Subcommand)]
pub enum AttributionCommand {
    /// List the rules
    #[command(after_help = "Example:\n  focus-billing attribution list --all")]
    List(RuleListArgs),
    /// Write a rule, after showing what it would change
    #[command(after_help = ADD_EXAMPLES)]
    Add(Box<AddArgs>),
    /// Say the last day of a rule, after showing what that would change
    #[command(
        after_help = "Example:\n  focus-billing attribution end 3 --on 2025-06-30 --note \"project moved\""
    )]
    End(EndArgs),
    /// Write the rules of a CSV file, all or none
    #[command(after_help = IMPORT_EXAMPLES)]
    Import(RuleFileArgs),
    /// Write the rules as the CSV that `import` reads
    #[command(after_help = "Example:\n  focus-billing attribution export --output rules.csv")]
    Export(RuleExportArgs),
    /// Try the table: who would have a charge with these values?
    #[command(
        after_help = "Example:\n  focus-billing attribution test --source AWS --with sub_account_id=111122223333 --on 2025-01-15"
    )]
    Test(RuleTestArgs),
    /// Read again what was read before the table changed
    #[command(after_help = "Example:\n  focus-billing attribution apply")]
    Apply,
    /// The charges of a period that a rule reached, by owner
    #[command(after_help = "Example:\n  focus-billing attribution reached 3 --period 2025-01")]
    Reached(ReachedArgs),
    /// What neither tags nor rules reach, the most expensive first
    #[command(after_help = "Example:\n  focus-billing attribution unreached --period 2025-01")]
    Unreached(UnreachedArgs),
}

const ADD_EXAMPLES: &str = "Examples:
  focus-billing attribution add --source AWS --key sub_account_id --value 1111 --pi ada@example.edu
  focus-billing attribution add --key tag:Department --value \"Physics*\" --fund-org PHYS-1
  focus-billing attribution add --key pi_email --value a.lovelace@old.example.edu --pi ada@example.edu";

const IMPORT_EXAMPLES: &str = "Examples:
  focus-billing attribution import rules.csv

The file has a header; columns: source, key, value, from, to, note, and the fields that are
given: pi_email, project_id, fund_org, cost_center, account_code, reference_1, reference_2,
end_date, reconciliation_end, fallback_fund_org, customer_class, usage_user. Rules that are there
already are left alone.";

#[derive(Debug, Args)]
pub struct RuleListArgs {
    /// Of this source, with those of every source
    #[arg(long, short, value_name = "NAME")]
    pub source: Option<String>,
    /// Also rules that have ended
    #[arg(long)]
    pub all: bool,
}

#[derive(Debug, Args)]
pub struct AddArgs {
    /// What to look at: a column (`sub_account_id`), a tag (`tag:Department`) or a field (`pi_email`)
    #[arg(long, short, value_name = "KEY")]
    pub key: RuleKey,
    /// Its value, in any case; with `*` at the end, whatever begins so
    #[arg(long, value_name = "TEXT", value_parser = words)]
    pub value: String,
    /// Only for charges of this source
    #[arg(long, short, value_name = "NAME")]
    pub source: Option<String>,
    #[command(flatten)]
    pub gives: GivesArgs,
    /// First day of the charge periods that it is for
    #[arg(long, value_name = "YYYY-MM-DD")]
    pub from: Option<Date>,
    /// Last day of the charge periods that it is for
    #[arg(long, value_name = "YYYY-MM-DD")]
    pub to: Option<Date>,
    /// Why, for the table and the audit trail
    #[arg(long, value_name = "WORDS", value_parser = words)]
    pub note: Option<String>,
    #[command(flatten)]
    pub sure: SureArgs,
}

/// The fields that a rule gives.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "What it gives")]
pub struct GivesArgs {
    /// E-mail address of the PI
    #[arg(long, value_name = "EMAIL", value_parser = words)]
    pub pi: Option<String>,
    /// Project
    #[arg(long, value_name = "PROJECT", value_parser = words)]
    pub project: Option<String>,
    /// Fund and organisation
    #[arg(long, value_name = "FUND_ORG", value_parser = words)]
    pub fund_org: Option<String>,
    /// Cost centre
    #[arg(long, value_name = "TEXT", value_parser = words)]
    pub cost_center: Option<String>,
    /// Account code
    #[arg(long, value_name = "CODE", value_parser = words)]
    pub account_code: Option<String>,
    /// First reference
    #[arg(long, value_name = "TEXT", value_parser = words)]
    pub reference_1: Option<String>,
    /// Second reference
    #[arg(long, value_name = "TEXT", value_parser = words)]
    pub reference_2: Option<String>,
    /// Last day for new charges
    #[arg(long, value_name = "YYYY-MM-DD")]
    pub end_date: Option<Date>,
    /// Last day for late charges
    #[arg(long, value_name = "YYYY-MM-DD")]
    pub reconciliation_end: Option<Date>,
    /// Fund and organisation that pays after the award has ended
    #[arg(long, value_name = "FUND_ORG", value_parser = words)]
    pub fallback_fund_org: Option<String>,
    /// Class of customer, which the rate book may price differently
    #[arg(long, value_name = "CLASS", value_parser = words)]
    pub customer_class: Option<String>,
    /// Who used it, for subsidies that count by user
    #[arg(long, value_name = "USER", value_parser = words)]
    pub usage_user: Option<String>,
}

#[derive(Clone, Copy, Debug, Args)]
pub struct SureArgs {
    /// Show what it would change, and change nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Do not ask
    #[arg(long, short)]
    pub yes: bool,
}

#[derive(Debug, Args)]
pub struct EndArgs {
    /// Number of the rule
    #[arg(value_name = "RULE", value_parser = rule_id)]
    pub rule: RuleId,
    /// Its last day
    #[arg(long, value_name = "YYYY-MM-DD")]
    pub on: Date,
    /// Why, for the audit trail
    #[arg(long, value_name = "WORDS", value_parser = words)]
    pub note: Option<String>,
    #[command(flatten)]
    pub sure: SureArgs,
}

#[derive(Debug, Args)]
pub struct RuleFileArgs {
    /// CSV file of rules
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    #[command(flatten)]
    pub sure: SureArgs,
}

#[derive(Debug, Args)]
pub struct RuleExportArgs {
    /// Where to [default: standard output]
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct RuleTestArgs {
    /// Source of the charge
    #[arg(long, short, value_name = "NAME")]
    pub source: String,
    /// A value of the charge: column, tag or field
    #[arg(long = "with", value_name = "KEY=VALUE", value_parser = key_value, required = true)]
    pub with: Vec<(RuleKey, String)>,
    /// Day the charge period begins [default: today]
    #[arg(long, value_name = "YYYY-MM-DD")]
    pub on: Option<Date>,
}

#[derive(Debug, Args)]
pub struct UnreachedArgs {
    /// Billing period
    #[arg(long, short, value_name = "YYYY-MM")]
    pub period: Option<Period>,
}

fn rule_id(text: &str) -> Result<RuleId, String> {
    let number = text.trim().trim_start_matches("rule ").parse().ok().filter(|number| 0 < *number);
    number.map(RuleId).ok_or_else(|| "rules have numbers, such as 3".to_owned())
}

fn key_value(text: &str) -> Result<(RuleKey, String), String> {
    let (key, value) = text.split_once('=').ok_or("write KEY=VALUE, such as sub_account_id=1111")?;
    Ok((
        key.parse().map_err(|error: billing::attribution_table::BadRuleKey| error.to_string())?,
        value.to_owned(),
    ))
}

pub(super) const IMPORT_CONFIG_EXAMPLES: &str = "Examples:
  focus-billing import-config slurm/accounts.json --source HPC
  focus-billing import-config slurm/tiers.json --source HPC --from 2025-07
  focus-billing import-config projects.json subsidies.json subsidy_state.json --source OpenAI --from 2025-07";

#[derive(Debug, Args)]
pub struct ImportConfigArgs {
    /// The files
    #[arg(value_name = "FILE", required = true)]
    pub files: Vec<PathBuf>,
    /// Rules only for charges of this source
    #[arg(long, short, value_name = "NAME")]
    pub source: Option<String>,
    /// Where accounts, paths or users are looked for [default: `sub_account_id`, `resource_name`, `tag:usage_user`]
    #[arg(long, short, value_name = "KEY")]
    pub key: Option<RuleKey>,
    /// First billing period of prices and subsidies
    #[arg(long, value_name = "YYYY-MM")]
    pub from: Option<Period>,
    #[command(flatten)]
    pub sure: SureArgs,
}
