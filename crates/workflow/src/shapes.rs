//! What commands write with `--json` and the API answers, where that is not a value of an act as it is.

use lake::TotalsRow;
use money::{Amount, Minor};
use serde::Serialize;
use serde_json::{Map, Value, json};

use billing::StatementNumber;
use billing::payers::Shares;
use billing::statement::{Statement, StatementState};
use ledger::{LedgerNumber, StatementDocument};

use crate::Refusal;
use crate::audit::Verified;
use crate::import::{FileProblem, Outcome};
use crate::payers::{Payers, PayersRequest};
use crate::statements::{StatementDetail, StatementEmail, StatementStanding};

/// `statements list`.
#[derive(Serialize)]
pub struct ListedStatement<'a> {
    #[serde(flatten)]
    standing: &'a StatementStanding,
    number: &'a StatementNumber,
    version: u32,
    list_cost: String,
    discount: String,
    subsidy: String,
    amount_due: String,
}

impl ListedStatement<'_> {
    /// `places` of the currency's minor unit.
    #[must_use]
    pub fn of(standing: &StatementStanding, places: u8) -> ListedStatement<'_> {
        let (id, totals) = (&standing.row.id, &standing.row.totals);
        ListedStatement {
            standing,
            number: &id.number,
            version: id.version,
            list_cost: totals.list.decimal(places),
            discount: totals.discount.decimal(places),
            subsidy: totals.subsidy.decimal(places),
            amount_due: totals.due.decimal(places),
        }
    }
}

/// `statements show`: the model as issued, with its documents and versions.
#[derive(Serialize)]
pub struct ShownStatement<'a> {
    #[serde(flatten)]
    statement: &'a Statement,
    #[serde(flatten)]
    state: &'a StatementState,
    documents: &'a [StatementDocument],
    versions: Vec<u32>,
    /// The versions with what became of each.
    history: &'a [StatementStanding],
    emails: &'a [StatementEmail],
}

impl ShownStatement<'_> {
    #[must_use]
    pub fn of(detail: &StatementDetail) -> ShownStatement<'_> {
        ShownStatement {
            statement: &detail.statement,
            state: &detail.state,
            documents: &detail.documents,
            versions: detail.versions.iter().map(|one| one.row.id.version).collect(),
            history: &detail.versions,
            emails: &detail.emails,
        }
    }
}

/// `show`: a project of a PI's month. Of a report by `project_id` and `state`.
#[derive(Serialize)]
pub struct ProjectMonth<'a> {
    pub project_id: Option<&'a str>,
    pub state: Option<&'a str>,
    pub charges: u64,
    pub list_cost: Amount,
    pub billed_cost: Amount,
}

impl ProjectMonth<'_> {
    #[must_use]
    pub fn of(row: &TotalsRow) -> ProjectMonth<'_> {
        let key = |at: usize| row.keys.get(at).and_then(Option::as_deref);
        ProjectMonth {
            project_id: key(0),
            state: key(1),
            charges: row.rows,
            list_cost: row.list_cost,
            billed_cost: row.billed_cost,
        }
    }
}

/// The sums of a row of `report`, by their names.
pub const SUMS: [&str; 5] = ["list_cost", "contracted_cost", "billed_cost", "effective_cost", "discount"];

#[must_use]
pub fn sums(row: &TotalsRow) -> [Amount; 5] {
    [row.list_cost, row.contracted_cost, row.billed_cost, row.effective_cost, row.discount]
}

/// `report`: the columns asked for, then the sums.
#[must_use]
pub fn report_rows(by: &[String], rows: &[TotalsRow]) -> Vec<Map<String, Value>> {
    let told = |row: &TotalsRow| {
        let keys = by.iter().cloned().zip(row.keys.iter().map(|key| json!(key)));
        let rows = std::iter::once(("rows".to_owned(), json!(row.rows)));
        let sums = SUMS.map(str::to_owned).into_iter().zip(sums(row).map(|amount| json!(amount)));
        keys.chain(rows).chain(sums).collect()
    };
    rows.iter().map(told).collect()
}

/// The shares of a row of `payers`, by their names.
pub const SHARES: [&str; 4] = ["list_price", "discount", "subsidy", "due"];

#[must_use]
pub fn shares(shares: &Shares) -> [Minor; 4] {
    [shares.list(), shares.discount, shares.subsidy, shares.due]
}

/// `payers`, with the sums as decimals of so many places.
#[must_use]
pub fn payer_rows(request: &PayersRequest, payers: &Payers, places: u8) -> Value {
    let rows: Vec<Map<String, Value>> = payers
        .rows
        .iter()
        .map(|row| {
            let keys =
                request.by.iter().zip(&row.keys).map(|(key, value)| (key.name().to_owned(), json!(value)));
            let sums = shares(&row.shares).map(|amount| json!(amount.decimal(places)));
            keys.chain(SHARES.map(str::to_owned).into_iter().zip(sums)).collect()
        })
        .collect();
    json!({ "issued": payers.issued, "drafts": payers.drafts, "left_out": payers.left_out, "rows": rows })
}

/// `audit verify`.
#[derive(Serialize)]
pub struct VerifiedChain {
    pub sound: bool,
    pub rows: u64,
    pub head: i64,
    pub head_hash: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub anchored: Option<LedgerNumber>,
    pub findings: Vec<String>,
}

impl VerifiedChain {
    #[must_use]
    pub fn of(found: &Verified) -> VerifiedChain {
        let anchor =
            found.not_anchored.iter().map(|why| format!("the chain does not contain the anchor: {why}"));
        VerifiedChain {
            sound: found.is_sound(),
            rows: found.check.rows,
            head: found.check.head.0,
            head_hash: found.check.head_hash.clone(),
            anchored: found.anchored,
            findings: found.check.findings.iter().map(ToString::to_string).chain(anchor).collect(),
        }
    }
}

/// So many problems of files are told.
const SHOWN_PROBLEMS: usize = 50;

/// What is wrong with the files of an import, a line each, and how many more there are.
pub fn problem_lines(outcome: &mut Outcome) -> Vec<String> {
    outcome.problems.truncate(SHOWN_PROBLEMS);
    let mut lines: Vec<String> = outcome.problems.iter().map(problem_line).collect();
    match outcome.problem_count.saturating_sub(lines.len() as u64) {
        0 => {}
        1 => lines.push("… and 1 problem more like these".to_owned()),
        more => lines.push(format!("… and {more} problems more like these")),
    }
    lines
}

fn problem_line(FileProblem { file, problem }: &FileProblem) -> String {
    let value = if problem.value.is_empty() { String::new() } else { format!("`{}` ", problem.value) };
    let column = if problem.column.is_empty() { String::new() } else { format!("{}: ", problem.column) };
    format!("{file}:{}: {column}{value}{}", problem.line, problem.message)
}

/// An import that was refused, with all that is wrong; `None` when it was not.
pub fn import_refusal(outcome: &mut Outcome) -> Option<Refusal> {
    let refused = outcome.refusal.take()?;
    let mut details = problem_lines(outcome);
    details.extend(refused.details);
    Some(Refusal { message: refused.message, details, hints: refused.hints })
}
