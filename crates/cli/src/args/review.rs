//! `review` and `charges`.
#![expect(clippy::doc_markdown, reason = "these comments are the help, where backticks would be noise")]

use std::path::PathBuf;

use billing::decision::Reassignment;
use billing::{ChargeId, Flag, ImportId, Period};
use clap::{Args, Subcommand, ValueEnum};
use jiff::civil::Date;
use money::Amount;

use super::values::{flag, import_id, pi, ratio, words};

/// Which charges: all that is given must hold, and of several values of one option any.
#[derive(Clone, Debug, Default, PartialEq, Eq, Args)]
#[command(next_help_heading = "Which charges")]
pub struct ReviewFilter {
    /// Charges by id, such as 12:345
    #[arg(long = "id", value_name = "CHARGE", value_delimiter = ',')]
    pub ids: Vec<ChargeId>,
    /// Billing period
    #[arg(long, short, value_name = "YYYY-MM")]
    pub period: Option<Period>,
    /// Flag that still stands, such as missing_fund_org
    #[arg(long = "flag", value_name = "FLAG", value_delimiter = ',', value_parser = flag)]
    pub flags: Vec<Flag>,
    /// Source that delivered them
    #[arg(long, short, value_name = "NAME")]
    pub source: Option<String>,
    /// Import that brought them
    #[arg(long, value_name = "IMPORT", value_parser = import_id)]
    pub import: Option<ImportId>,
    /// E-mail address of the PI
    #[arg(long, value_name = "EMAIL", value_parser = pi)]
    pub pi: Option<String>,
    /// Project they are attributed to
    #[arg(long, value_name = "PROJECT")]
    pub project: Option<String>,
    /// Billed cost at least
    #[arg(long, value_name = "AMOUNT", allow_negative_numbers = true)]
    pub min_amount: Option<Amount>,
    /// Billed cost at most
    #[arg(long, value_name = "AMOUNT", allow_negative_numbers = true)]
    pub max_amount: Option<Amount>,
}

impl ReviewFilter {
    /// Nothing was said: every charge is meant.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == ReviewFilter::default()
    }
}

#[derive(Debug, Subcommand)]
pub enum ReviewCommand {
    /// List charges that wait for a decision
    #[command(after_help = "Example:\n  focus-billing review list --period 2025-01 --flag pattern_match")]
    List(ReviewFilter),
    /// Bill charges although they were flagged
    #[command(
        after_help = "Example:\n  focus-billing review approve --period 2025-01 --flag pattern_match --note \"workshop\" --yes"
    )]
    Approve(DecisionArgs),
    /// Do not bill charges
    #[command(after_help = "Example:\n  focus-billing review reject --id 1:7 --note \"test account\"")]
    Reject(DecisionArgs),
    /// Bill charges in the next open period
    #[command(
        after_help = "Example:\n  focus-billing review defer --period 2025-01 --flag missing_fund_org --yes"
    )]
    Defer(DeferArgs),
    /// Give charges another PI, project, fund_org, account or reference
    #[command(
        override_usage = "focus-billing review reassign [WHICH CHARGES] <WHAT THEY GET>",
        after_help = "Example:\n  focus-billing review reassign --id 1:7 --to-project soil-microbiome --to-fund-org BIO-21502"
    )]
    Reassign(ReassignArgs),
    /// Rules that flag charges: try one on what was billed before
    #[command(subcommand)]
    Rules(RulesCommand),
    /// Take back the last decision about charges, while their period is open
    #[command(after_help = "Example:\n  focus-billing review undo --id 1:7")]
    Undo(UndoArgs),
    /// List what was decided, act by act, the latest first
    #[command(after_help = "Example:\n  focus-billing review history --limit 10")]
    History(HistoryArgs),
}

impl ReviewCommand {
    /// An act without any filter would decide about everything in the books: rather asked than guessed.
    pub(super) fn refuses_to_guess(&self) -> Option<&'static str> {
        let filter = match self {
            ReviewCommand::List(_) | ReviewCommand::Rules(_) | ReviewCommand::History(_) => return None,
            ReviewCommand::Approve(act) | ReviewCommand::Reject(act) => &act.filter,
            ReviewCommand::Defer(act) => &act.decision.filter,
            ReviewCommand::Reassign(act) => &act.decision.filter,
            ReviewCommand::Undo(act) if act.act.is_some() => return None,
            ReviewCommand::Undo(act) => &act.filter,
        };
        filter.is_empty().then_some("say which charges: --id, --period, --flag or another filter")
    }
}

#[derive(Debug, Subcommand)]
pub enum RulesCommand {
    /// What the rule of unusual cost would have found in past months; changes nothing
    #[command(
        after_help = "Examples:\n  focus-billing review rules try\n  focus-billing review rules try --ratio 2.5 --minimum 250 --period 2025-01"
    )]
    Try(TryArgs),
    /// What patterns of the review would match among the charges that count; changes nothing
    #[command(
        after_help = "Examples:\n  focus-billing review rules patterns\n  focus-billing review rules patterns --flag-pattern '^gpu-' --period 2025-01"
    )]
    Patterns(PatternArgs),
}

#[derive(Debug, Args)]
pub struct PatternArgs {
    /// Only this billing period [default: all]
    #[arg(long, short, value_name = "YYYY-MM")]
    pub period: Option<Period>,
    /// Looked for in service, resource id and resource name; may be repeated [default: as configured]
    #[arg(long, value_name = "REGEX")]
    pub flag_pattern: Vec<String>,
    /// A fund must match one from its start; may be repeated [default: as configured]
    #[arg(long, value_name = "REGEX")]
    pub fund_org_pattern: Vec<String>,
}

#[derive(Debug, Args)]
pub struct TryArgs {
    /// Only this billing period [default: all that have a history]
    #[arg(long, short, value_name = "YYYY-MM")]
    pub period: Option<Period>,
    /// How many times the median a cost must reach [default: as configured]
    #[arg(long, value_name = "TIMES", value_parser = ratio)]
    pub ratio: Option<u32>,
    /// How far above the median it must be [default: as configured]
    #[arg(long, value_name = "AMOUNT")]
    pub minimum: Option<Amount>,
    /// How many months are looked back at, at least 3 [default: as configured]
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(3..))]
    pub months: Option<u32>,
}

#[derive(Debug, Args)]
pub struct DecisionArgs {
    #[command(flatten)]
    pub filter: ReviewFilter,
    /// Why, for the books
    #[arg(long, help_heading = "The decision", value_name = "WORDS", value_parser = words)]
    pub note: Option<String>,
    /// Do not ask
    #[arg(long, short, help_heading = "The decision")]
    pub yes: bool,
}

#[derive(Debug, Args)]
pub struct DeferArgs {
    #[command(flatten)]
    pub decision: DecisionArgs,
    /// Period to bill in [default: the next open one]
    #[arg(long, value_name = "YYYY-MM")]
    pub to: Option<Period>,
}

#[derive(Debug, Args)]
pub struct ReassignArgs {
    #[command(flatten)]
    pub decision: DecisionArgs,
    #[command(flatten)]
    pub change: ChangeArgs,
}

/// What a reassignment sets; at least one.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "What they get")]
#[group(required = true, multiple = true)]
#[expect(clippy::struct_field_names, reason = "the filter has the same names without `to`")]
pub struct ChangeArgs {
    /// E-mail address of the PI
    #[arg(long, value_name = "EMAIL", value_parser = pi)]
    pub to_pi: Option<String>,
    /// Project
    #[arg(long, value_name = "PROJECT", value_parser = words)]
    pub to_project: Option<String>,
    /// Fund that pays
    #[arg(long, value_name = "FUND_ORG", value_parser = words)]
    pub to_fund_org: Option<String>,
    /// Account that is debited
    #[arg(long, value_name = "ACCOUNT", value_parser = words)]
    pub to_account_code: Option<String>,
    /// First reference
    #[arg(long, value_name = "TEXT", value_parser = words)]
    pub to_reference_1: Option<String>,
    /// Second reference
    #[arg(long, value_name = "TEXT", value_parser = words)]
    pub to_reference_2: Option<String>,
}

impl From<&ChangeArgs> for Reassignment {
    fn from(change: &ChangeArgs) -> Reassignment {
        let change = change.clone();
        Reassignment {
            pi_email: change.to_pi,
            project_id: change.to_project,
            fund_org: change.to_fund_org,
            account_code: change.to_account_code,
            reference_1: change.to_reference_1,
            reference_2: change.to_reference_2,
        }
    }
}

#[derive(Debug, Args)]
pub struct UndoArgs {
    #[command(flatten)]
    pub filter: ReviewFilter,
    /// A whole act, by its number; `review history` lists them
    #[arg(long, value_name = "ACT", conflicts_with_all = ["ids", "period", "flags", "source", "import", "pi", "project", "min_amount", "max_amount"])]
    pub act: Option<i64>,
    /// Do not ask
    #[arg(long, short, help_heading = "The decision")]
    pub yes: bool,
}

#[derive(Debug, Args)]
pub struct HistoryArgs {
    /// So many acts
    #[arg(long, value_name = "COUNT", default_value_t = 50)]
    pub limit: usize,
}

#[derive(Debug, Subcommand)]
pub enum ChargeCommand {
    /// List charges
    #[command(
        after_help = "Examples:\n  focus-billing charges list --period 2025-01 --sort billed-cost --limit 20\n  focus-billing charges list --period 2025-01 --find gpu --state held"
    )]
    List(ChargeListArgs),
    /// Write charges to a file, for a spreadsheet or for a program
    #[command(
        after_help = "Examples:\n  focus-billing charges export --period 2025-01 --output january.csv\n  focus-billing charges export --period 2025-01 --service Compute --format parquet --output compute.parquet"
    )]
    Export(ChargeExportArgs),
    /// One charge: the row as delivered, what was made of it, its flags and decisions
    #[command(after_help = "Example:\n  focus-billing charges show 1:7")]
    Show {
        #[arg(value_name = "CHARGE")]
        charge: ChargeId,
    },
}

/// Which charges: what acts of review can say, and more.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Which charges")]
pub struct ChargeFilter {
    #[command(flatten)]
    pub filter: ReviewFilter,
    /// Words anywhere in source, service, SKU, resource, PI, project, fund, account or description
    #[arg(long, value_name = "WORDS", value_parser = words)]
    pub find: Option<String>,
    /// Fund that pays
    #[arg(long, value_name = "FUND_ORG")]
    pub fund_org: Option<String>,
    /// Service
    #[arg(long, value_name = "NAME")]
    pub service: Option<String>,
    /// Where they stand
    #[arg(long, value_enum, value_delimiter = ',')]
    pub state: Vec<StateName>,
    /// First day of use
    #[arg(long, value_name = "YYYY-MM-DD")]
    pub from: Option<Date>,
    /// Last day of use
    #[arg(long, value_name = "YYYY-MM-DD")]
    pub to: Option<Date>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum StateName {
    Billable,
    Held,
    Rejected,
    Deferred,
}

#[derive(Debug, Args)]
pub struct ChargeListArgs {
    #[command(flatten)]
    pub filter: ChargeFilter,
    /// Order; costs begin with the largest
    #[arg(long, value_enum, default_value_t = ChargeSort::Id)]
    pub sort: ChargeSort,
    /// The other way round
    #[arg(long)]
    pub reverse: bool,
    /// How many at most [default: 100 in a table, all as JSON]
    #[arg(long, value_name = "COUNT")]
    pub limit: Option<usize>,
    /// How many to leave out before
    #[arg(long, value_name = "COUNT", default_value_t = 0)]
    pub offset: usize,
}

#[derive(Debug, Args)]
pub struct ChargeExportArgs {
    #[command(flatten)]
    pub filter: ChargeFilter,
    /// csv for a spreadsheet, parquet for a program
    #[arg(long, value_enum, default_value_t = ChargeFormat::Csv)]
    pub format: ChargeFormat,
    /// Where to write [default: standard output, for csv]
    #[arg(long, short, value_name = "FILE", required_if_eq("format", "parquet"))]
    pub output: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ChargeFormat {
    Csv,
    Parquet,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ChargeSort {
    Id,
    Cost,
    BilledCost,
    ListCost,
    Pi,
    Project,
    FundOrg,
    AccountCode,
    Service,
    Resource,
    Source,
    Period,
    Date,
    State,
    Flags,
}

impl ChargeSort {
    /// The column, and whether it begins with the largest.
    #[must_use]
    pub fn column(self) -> Option<(&'static str, bool)> {
        Some(match self {
            ChargeSort::Id => return None,
            ChargeSort::Cost => ("cost", true),
            ChargeSort::BilledCost => ("billed_cost", true),
            ChargeSort::ListCost => ("list_cost", true),
            ChargeSort::Pi => ("pi_email", false),
            ChargeSort::Project => ("project_id", false),
            ChargeSort::FundOrg => ("fund_org", false),
            ChargeSort::AccountCode => ("account_code", false),
            ChargeSort::Service => ("service_name", false),
            ChargeSort::Resource => ("resource_name", false),
            ChargeSort::Source => ("source", false),
            ChargeSort::Period => ("period", false),
            ChargeSort::Date => ("charge_period_start", false),
            ChargeSort::State => ("state", false),
            ChargeSort::Flags => ("flags", false),
        })
    }
}
