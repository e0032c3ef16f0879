//! Why: from a journal line to the statement, its lines, their charges, and the delivered row (this file); and
//! the other way, what became of a line (`line.rs`) and what a month has of a project (`nothing.rs`).
//! `evidence.rs` packs all of it for an auditor.

mod evidence;
mod line;
mod nothing;

use billing::{ChargeId, ImportId, Period, StatementNumber};
use lake::{Filter, Sort};
use ledger::{JournalExport, JournalLineRow, JournalRow, PartFilter, Reader, StatementVersion};
use serde::Serialize;

use crate::charges::{Scope, charges};
use crate::imports::ImportDetail;
use crate::listing::ListedCharge;
use crate::statements::StatementDetail;
use crate::story::{DeliveredRow, Story, charge_story, delivered_row};
use crate::{Installation, Refusal, WorkflowError, imports, statements};

pub use evidence::{Packed, evidence};
pub use line::{Became, LineOf, LineStory, Wrong};
pub use nothing::{Dead, MonthOf, Reassigned, Standing, Sum};

/// What a reference is, with the next links of the chain.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "lowercase", tag = "what")]
pub enum Why {
    Charge(Box<Story>),
    Import(Box<ImportDetail>),
    Statement(Box<StatementChain>),
    Journal(Box<JournalChain>),
    Line(Box<LineStory>),
    Month(Box<MonthOf>),
}

/// A statement with the charges behind it.
#[derive(Clone, Debug, Serialize)]
pub struct StatementChain {
    #[serde(flatten)]
    pub detail: StatementDetail,
    /// The journal lines that post it.
    pub journal_lines: Vec<JournalLineRow>,
    pub charge_count: u64,
    /// The most expensive charges, each with its delivered row.
    pub charges: Vec<Link>,
}

/// A charge and the row it was made of.
#[derive(Clone, Debug, Serialize)]
pub struct Link {
    pub charge: ListedCharge,
    pub delivered: DeliveredRow,
}

#[derive(Clone, Debug, Serialize)]
pub struct JournalChain {
    pub document: String,
    pub lines: Vec<JournalLineRow>,
    /// The files that were handed out.
    pub files: Vec<JournalExport>,
    /// The statements whose posted lines the journal has.
    pub statements: Vec<StatementNumber>,
    /// The deliveries that the statements were computed from.
    pub delivered: Vec<DeliveredBy>,
}

#[derive(Clone, Debug, Serialize)]
pub struct DeliveredBy {
    pub import: ImportId,
    pub source: String,
    pub files: Vec<String>,
}

/// Follow a statement number, journal document, import or charge id upwards; a line of a delivered file
/// (`FILE:LINE`), a project or a PI in a month (the latest when `None`) downwards.
///
/// # Errors
/// A reference that resolves to nothing.
pub async fn why(
    installation: &Installation,
    reference: &str,
    period: Option<Period>,
    limit: usize,
) -> Result<Why, WorkflowError> {
    let reference = reference.trim();
    if let Ok(id) = reference.parse::<ChargeId>() {
        return Ok(Why::Charge(Box::new(charge_story(installation, id).await?)));
    }
    if let Ok(id) = reference.trim_start_matches("import ").parse::<i64>() {
        return Ok(Why::Import(Box::new(imports::show(installation, ImportId(id)).await?)));
    }
    if let Some((file, line)) = line::reference(reference) {
        return Ok(Why::Line(Box::new(line::line_story(installation, file, line).await?)));
    }
    let mut reader = installation.ledger.read().await?;
    if let Some(row) = reader.find_journal(reference).await? {
        let lines = reader.list_journal_lines(&row.document).await?;
        let statements = crate::journal::statements_of(&mut reader, &row.document).await?;
        let files = reader.list_journal_exports(Some(&row.document)).await?;
        let delivered = deliveries(&mut reader, &row).await?;
        let chain = JournalChain { document: row.document, lines, files, statements, delivered };
        return Ok(Why::Journal(Box::new(chain)));
    }
    drop(reader);
    let (number, version) = statement_reference(reference);
    match statements::show(installation, &number, version).await {
        Ok(detail) => Ok(Why::Statement(Box::new(statement_chain(installation, detail, limit).await?))),
        Err(WorkflowError::Refused(_)) => month(installation, reference, period).await,
        Err(error) => Err(error),
    }
}

/// A project or a PI that the books have heard of.
async fn month(
    installation: &Installation,
    reference: &str,
    period: Option<Period>,
) -> Result<Why, WorkflowError> {
    let unknown = || {
        Refusal::new(format!(
            "`{reference}` is no statement, journal, import, charge, line of a file, project or PI that is known here"
        ))
        .hint("statements look like S-2025-01-0001, journals like J-2025-01-1, imports like 12, charges like 12:345, lines like aws.csv:17")
        .hint("`report --by pi_email,project_id` lists PIs and projects")
    };
    let latest = installation.ledger.read().await?.list_periods(None).await?;
    let period = period.or(latest.last().map(|record| record.period)).ok_or_else(unknown)?;
    let month = nothing::month_of(installation, reference, period).await?;
    if month.is_unknown() {
        return Err(unknown().into());
    }
    Ok(Why::Month(Box::new(month)))
}

/// `S-2025-01-0001`, or one version of it: `S-2025-01-0001 v2`.
fn statement_reference(reference: &str) -> (StatementNumber, Option<u32>) {
    let (number, version) = match reference.rsplit_once(['v', 'V']) {
        Some((number, version)) if version.parse::<u32>().is_ok() => (number.trim(), version.parse().ok()),
        _ => (reference, None),
    };
    (StatementNumber(number.to_uppercase()), version)
}

async fn deliveries(reader: &mut Reader, row: &JournalRow) -> Result<Vec<DeliveredBy>, WorkflowError> {
    let filter = PartFilter { period: Some(row.period), ..PartFilter::default() };
    let mut delivered: Vec<DeliveredBy> = Vec::new();
    for part in reader.live_parts(&filter, Some(row.computed_at)).await? {
        let import = part.part.key.import;
        if delivered.iter().any(|known| known.import == import) {
            continue;
        }
        let files = reader.list_delivered_files(import).await?.into_iter().map(|file| file.name).collect();
        delivered.push(DeliveredBy { import, source: part.source_name.0, files });
    }
    Ok(delivered)
}

async fn statement_chain(
    installation: &Installation,
    detail: StatementDetail,
    limit: usize,
) -> Result<StatementChain, WorkflowError> {
    let statement = &detail.statement;
    let id = StatementVersion { number: statement.number.clone(), version: statement.version };
    let mut reader = installation.ledger.read().await?;
    let row = reader.find_statement(&statement.number, Some(statement.version)).await?;
    let as_of = row.map(|row| row.computed_at);
    let settings = installation.settings_of(&mut reader, statement.period).await?;
    let scope = Scope::period(statement.period);
    let view = charges(installation, &mut reader, scope, &settings, as_of).await?;
    let filter = Filter {
        pi_email: Some(statement.pi_email.clone()),
        project_id: Some(statement.project_id.clone()),
        billed_in: Some(statement.period),
        states: vec![billing::decision::ChargeState::Billable],
        ..Filter::default()
    };
    let charge_count = view.totals(&[], &filter).await?.first().map_or(0, |row| row.rows);
    let sort = [Sort { column: "cost".to_owned(), descending: true }];
    let mut links = Vec::new();
    for charge in view.charges(&filter, &sort, Some(limit), 0).await? {
        let files = reader.list_delivered_files(charge.id.import).await?;
        let delivered = delivered_row(installation, &files, &charge)?;
        let names: Vec<String> = files.into_iter().map(|file| file.name).collect();
        links.push(Link { charge: ListedCharge::new(charge, &names), delivered });
    }
    let journal_lines = reader.find_journal_lines(&id.number.0).await?;
    Ok(StatementChain { detail, journal_lines, charge_count, charges: links })
}
