//! `rates`.

use std::path::PathBuf;

use billing::Period;
use billing::rate::{Above, RateId};
use billing::unit::{Prorate, Unit};
use clap::{Args, Subcommand};
use jiff::civil::Date;
use money::Amount;
use workflow::rates::file::tier;

use super::attribution::{RuleExportArgs, SureArgs};
use super::given::ReachedArgs;
use super::values::words;

#[derive(Debug, Subcommand)]
pub enum RateCommand {
    /// List the rates
    #[command(after_help = "Example:\n  focus-billing rates list --on 2025-07-01")]
    List(RateListArgs),
    /// Write a rate, after showing what it would change
    #[command(after_help = ADD_EXAMPLES)]
    Add(Box<RateAddArgs>),
    /// Say the last day of a rate, after showing what that would change
    #[command(after_help = "Example:\n  focus-billing rates end 3 --on 2025-06-30")]
    End(RateEndArgs),
    /// Write the rates of a CSV file, all or none
    #[command(after_help = IMPORT_EXAMPLES)]
    Import(RateImportArgs),
    /// Write the rates as the CSV that `import` reads
    #[command(after_help = "Example:\n  focus-billing rates export --output rates.csv")]
    Export(RuleExportArgs),
    /// Look for everything that is wrong with a CSV file of rates
    #[command(after_help = "Example:\n  focus-billing rates check rates-2026.csv --replacing")]
    Check(RateFileArgs),
    /// What differs between the rates of two days, or from those of a CSV file
    #[command(
        after_help = "Examples:\n  focus-billing rates diff --from 2025-06-30 --to 2025-07-01\n  focus-billing rates diff rates-2026.csv --to 2026-07-01"
    )]
    Diff(RateDiffArgs),
    /// What other rates would have made of months that are known, by PI and fund
    #[command(after_help = "Example:\n  focus-billing rates try rates-2026.csv --from 2024-07 --to 2025-06")]
    Try(RateTryArgs),
    /// The charges of a period that a rate priced, by owner
    #[command(after_help = "Example:\n  focus-billing rates priced 3 --period 2025-01")]
    Priced(ReachedArgs),
    /// Read again what was read before the rate book changed
    #[command(after_help = "Example:\n  focus-billing rates apply")]
    Apply,
}

const ADD_EXAMPLES: &str = "Examples:
  focus-billing rates add cpu --service Compute --unit core-hour --price 0.012 --from 2025-07-01
  focus-billing rates add archive --source Storage --sku archive --unit TB-month --price 4.50 --prorate day --free 1 --from 2025-07-01 --replacing";

const IMPORT_EXAMPLES: &str = "Examples:
  focus-billing rates import rates-2026.csv --replacing

The file has a header; columns: code, source, service, sku, class, unit, price, list_price, above
(`1000:0.010 5000:0.008`), free, minimum, prorate (day or hour), account_code, from, to, note.
Rates that are there already are left alone.";

#[derive(Debug, Args)]
pub struct RateListArgs {
    /// In force on this day
    #[arg(long, value_name = "YYYY-MM-DD", conflicts_with = "all")]
    pub on: Option<Date>,
    /// Also rates that have ended
    #[arg(long)]
    pub all: bool,
}

#[derive(Debug, Args)]
pub struct RateAddArgs {
    /// Its code, the same for all its versions
    #[arg(value_name = "CODE", value_parser = words)]
    pub code: String,
    /// What is counted: core-hour, GPU-hour, SU, TB-month, GiB, 1000 tokens
    #[arg(long, value_name = "UNIT")]
    pub unit: Unit,
    /// Price of one unit
    #[arg(long, value_name = "AMOUNT", value_parser = amount)]
    pub price: Amount,
    /// Price without a discount [default: the price]
    #[arg(long, value_name = "AMOUNT", value_parser = amount)]
    pub list_price: Option<Amount>,
    #[command(flatten)]
    pub subject: RateSubjectArgs,
    /// Another price beyond so many units of a project and month; may be given again
    #[arg(long, value_name = "QUANTITY:PRICE", value_parser = tier)]
    pub above: Vec<Above>,
    /// So many units of a project and month cost nothing
    #[arg(long, value_name = "QUANTITY", value_parser = amount)]
    pub free: Option<Amount>,
    /// What a project pays at least in a month in which it uses any
    #[arg(long, value_name = "AMOUNT", value_parser = amount)]
    pub minimum: Option<Amount>,
    /// How a quantity without a time is one over time: by `day` or by `hour`
    #[arg(long, value_name = "STEP")]
    pub prorate: Option<Prorate>,
    /// Account of charges whose tags name none
    #[arg(long, value_name = "CODE", value_parser = words)]
    pub account_code: Option<String>,
    /// First day that charge periods begin on
    #[arg(long, value_name = "YYYY-MM-DD")]
    pub from: Date,
    /// Last day that charge periods begin on
    #[arg(long, value_name = "YYYY-MM-DD")]
    pub to: Option<Date>,
    /// Why, for the book and the audit trail
    #[arg(long, value_name = "WORDS", value_parser = words)]
    pub note: Option<String>,
    /// End what it takes the place of, the day before
    #[arg(long)]
    pub replacing: bool,
    #[command(flatten)]
    pub sure: SureArgs,
}

/// Which charges a rate is for.
#[derive(Debug, Args)]
#[command(next_help_heading = "What it is for")]
pub struct RateSubjectArgs {
    /// Only charges of this source
    #[arg(long, short, value_name = "NAME", value_parser = words)]
    pub source: Option<String>,
    /// Only this service (`Storage*`: whatever begins so)
    #[arg(long, value_name = "SERVICE", value_parser = words)]
    pub service: Option<String>,
    /// Only this SKU (`gpu-*`: whatever begins so)
    #[arg(long, value_name = "SKU", value_parser = words)]
    pub sku: Option<String>,
    /// Only this class of customer, as the tag `customer_class` or the attribution table says
    #[arg(long, value_name = "CLASS", value_parser = words)]
    pub class: Option<String>,
}

#[derive(Debug, Args)]
pub struct RateEndArgs {
    /// Number of the rate
    #[arg(value_name = "RATE", value_parser = rate_id)]
    pub rate: RateId,
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
pub struct RateFileArgs {
    /// CSV file of rates
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// End what they take the place of, the day before
    #[arg(long)]
    pub replacing: bool,
}

#[derive(Debug, Args)]
pub struct RateImportArgs {
    #[command(flatten)]
    pub rates: RateFileArgs,
    #[command(flatten)]
    pub sure: SureArgs,
}

#[derive(Debug, Args)]
pub struct RateDiffArgs {
    /// CSV file of rates, in place of the book of the second day
    #[arg(value_name = "FILE")]
    pub file: Option<PathBuf>,
    /// First day [default: today]
    #[arg(long, value_name = "YYYY-MM-DD")]
    pub from: Option<Date>,
    /// Second day [default: the latest on which a rate begins]
    #[arg(long, value_name = "YYYY-MM-DD")]
    pub to: Option<Date>,
}

#[derive(Debug, Args)]
pub struct RateTryArgs {
    /// CSV file of rates
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// First billing period
    #[arg(long, value_name = "YYYY-MM")]
    pub from: Period,
    /// Last billing period [default: the first]
    #[arg(long, value_name = "YYYY-MM")]
    pub to: Option<Period>,
    /// Day whose rates are tried [default: the latest on which a rate begins]
    #[arg(long, value_name = "YYYY-MM-DD")]
    pub on: Option<Date>,
}

fn rate_id(text: &str) -> Result<RateId, String> {
    let number = text.trim().trim_start_matches("rate ").parse().ok().filter(|number| 0 < *number);
    number.map(RateId).ok_or_else(|| "rates have numbers, such as 3".to_owned())
}

fn amount(text: &str) -> Result<Amount, String> {
    Amount::parse_total(text).ok_or_else(|| "write a number such as 0.012".to_owned())
}
