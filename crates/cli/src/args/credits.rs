//! `credits`.

use billing::Period;
use billing::credit::{CreditId, CreditKind};
use clap::{ArgGroup, Args, Subcommand, ValueEnum};
use money::Amount;

use super::attribution::SureArgs;
use super::given::PaidArgs;
use super::subsidies::amount;
use super::values::words;

#[derive(Debug, Subcommand)]
pub enum CreditCommand {
    /// List the credits
    #[command(after_help = "Example:\n  focus-billing credits list --all")]
    List(CreditListArgs),
    /// Grant a credit, after showing what it would change
    #[command(after_help = ADD_EXAMPLES)]
    Add(Box<CreditAddArgs>),
    /// Give an unused part of a credit to others, after showing what that would change
    #[command(after_help = MOVE_EXAMPLES)]
    Move(CreditMoveArgs),
    /// Say the last period of a credit, after showing what that would change
    #[command(after_help = "Example:\n  focus-billing credits end 2 --last 2025-06")]
    End(CreditEndArgs),
    /// What is left of each, when a period is billed as it stands
    #[command(after_help = "Example:\n  focus-billing credits show 2025-01")]
    Show(CreditShowArgs),
    /// What a credit paid by issued statements
    #[command(after_help = "Example:\n  focus-billing credits paid 2")]
    Paid(PaidArgs),
}

const ADD_EXAMPLES: &str = "Examples:
  focus-billing credits add \"AWS research credits\" --amount 5000 --payer IT-900 --source AWS --project genome --from 2025-01 --to 2025-12
  focus-billing credits add \"Cloud programme\" --kind award --amount 20000 --payer VPR-1 --kept-back --from 2025-01";

const MOVE_EXAMPLES: &str = "Examples:
  focus-billing credits move 2 --to-project genome --amount 2500 --note \"second round\"
  focus-billing credits move 3 --kept-back --amount 400 --note \"not needed\"";

#[derive(Debug, Args)]
pub struct CreditListArgs {
    /// Also credits that have ended
    #[arg(long)]
    pub all: bool,
}

#[derive(Debug, Args)]
#[command(group(ArgGroup::new("whose").required(true).multiple(true).args(["pi", "project", "kept_back"])))]
pub struct CreditAddArgs {
    /// Its name, as it stands on statements
    #[arg(value_name = "NAME", value_parser = words)]
    pub name: String,
    /// How much
    #[arg(long, value_name = "AMOUNT", value_parser = amount)]
    pub amount: Amount,
    /// The `fund_org` that it is drawn from
    #[arg(long, value_name = "FUND_ORG", value_parser = words)]
    pub payer: String,
    /// The account it is posted to [default: that of the charges]
    #[arg(long, value_name = "CODE", value_parser = words)]
    pub account_code: Option<String>,
    /// Where it comes from
    #[arg(long, value_enum, default_value = "provider")]
    pub kind: KindArg,
    /// For this PI; may be given again
    #[arg(long, value_name = "EMAIL", value_parser = words)]
    pub pi: Vec<String>,
    /// For this project; given again, they share it
    #[arg(long, value_name = "PROJECT", value_parser = words)]
    pub project: Vec<String>,
    /// For nobody, until it is moved on
    #[arg(long, conflicts_with_all = ["pi", "project"])]
    pub kept_back: bool,
    /// Only charges of this source; may be given again
    #[arg(long, short, value_name = "NAME", value_parser = words)]
    pub source: Vec<String>,
    /// Only this service (`Storage*`: whatever begins so); may be given again
    #[arg(long, value_name = "SERVICE", value_parser = words)]
    pub service: Vec<String>,
    /// Before credits with larger numbers; of equal ones what expires first, then the older
    #[arg(long, value_name = "NUMBER", default_value_t = 0, allow_negative_numbers = true)]
    pub order: i64,
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
pub enum KindArg {
    /// Given by who supplies the charges
    Provider,
    /// Paid before
    Prepayment,
    /// Granted: an allocation
    Award,
}

impl From<KindArg> for CreditKind {
    fn from(kind: KindArg) -> CreditKind {
        match kind {
            KindArg::Provider => CreditKind::Provider,
            KindArg::Prepayment => CreditKind::Prepayment,
            KindArg::Award => CreditKind::Award,
        }
    }
}

#[derive(Debug, Args)]
#[command(group(
    ArgGroup::new("whose").required(true).multiple(true).args(["to_pi", "to_project", "kept_back"])
))]
pub struct CreditMoveArgs {
    /// Number of the credit that it is taken from
    #[arg(value_name = "CREDIT", value_parser = credit_id)]
    pub credit: CreditId,
    /// How much
    #[arg(long, value_name = "AMOUNT", value_parser = amount)]
    pub amount: Amount,
    /// For this PI; may be given again
    #[arg(long, value_name = "EMAIL", value_parser = words)]
    pub to_pi: Vec<String>,
    /// For this project; given again, they share it
    #[arg(long, value_name = "PROJECT", value_parser = words)]
    pub to_project: Vec<String>,
    /// For nobody, until it is moved on
    #[arg(long, conflicts_with_all = ["to_pi", "to_project"])]
    pub kept_back: bool,
    /// Why, for the audit trail
    #[arg(long, value_name = "WORDS", value_parser = words)]
    pub note: String,
    #[command(flatten)]
    pub sure: SureArgs,
}

#[derive(Debug, Args)]
pub struct CreditEndArgs {
    /// Number of the credit
    #[arg(value_name = "CREDIT", value_parser = credit_id)]
    pub credit: CreditId,
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
pub struct CreditShowArgs {
    /// Billing period [default: the latest]
    #[arg(value_name = "YYYY-MM")]
    pub period: Option<Period>,
}

fn credit_id(text: &str) -> Result<CreditId, String> {
    let number = text.trim().parse().ok().filter(|number| 0 < *number);
    number.map(CreditId).ok_or_else(|| "credits have numbers, such as 2".to_owned())
}
