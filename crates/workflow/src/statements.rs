//! Look at issued statements, where each is in its life, and how two of them differ.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::PathBuf;

use billing::period::Stamp;
use billing::statement::{Statement, StatementDifference, StatementState, difference};
use billing::{LedgerNumber, Period, StatementNumber};
use ledger::{
    EmailFilter, EmailRecord, MessageState, Reader, StatementDocument, StatementFilter, StatementRow,
    StatementVersion,
};
use serde::Serialize;
use zip::CompressionMethod;
use zip::write::{SimpleFileOptions, ZipWriter};

use crate::people::people;
use crate::render::{documents_of, load_documents};
use crate::send::document_name;
use crate::{Installation, Refusal, WorkflowError};

/// One version with its place in its life.
#[derive(Clone, Debug, Serialize)]
pub struct StatementStanding {
    #[serde(flatten)]
    pub row: StatementRow,
    /// Who is charged on its lines.
    pub fund_orgs: Vec<String>,
    #[serde(flatten)]
    pub state: StatementState,
}

#[derive(Clone, Debug, Serialize)]
pub struct StatementDetail {
    pub statement: Statement,
    #[serde(flatten)]
    pub state: StatementState,
    pub documents: Vec<StatementDocument>,
    /// Every version, the first one first.
    pub versions: Vec<StatementStanding>,
    /// The messages that carried this version.
    pub emails: Vec<StatementEmail>,
}

/// A message that carried a statement.
#[derive(Clone, Debug, Serialize)]
pub struct StatementEmail {
    pub message_id: String,
    pub to: String,
    pub state: MessageState,
    /// When it came to that state, and on whose act.
    pub stamp: Stamp,
    pub number: LedgerNumber,
}

/// Two versions of a statement, or the statements of a project in two periods.
#[derive(Clone, Debug, Serialize)]
pub struct ComparedStatements {
    pub before: StatementVersion,
    pub after: StatementVersion,
    pub project_id: String,
    #[serde(flatten)]
    pub difference: StatementDifference,
}

/// Statements, current versions only unless `all_versions`.
///
/// # Errors
/// What the ledger could not read.
pub async fn list(
    installation: &Installation,
    period: Option<Period>,
    pi_email: Option<&str>,
    all_versions: bool,
) -> Result<Vec<StatementStanding>, WorkflowError> {
    let mut reader = installation.ledger.read().await?;
    let whom = match pi_email {
        Some(who) => people(&mut reader, None).await?.addresses(who).into_iter().map(Some).collect(),
        None => vec![None],
    };
    let mut rows = Vec::new();
    for pi_email in whom {
        let filter = StatementFilter { period, pi_email, ..StatementFilter::default() };
        rows.extend(reader.list_statements(&filter, None).await?);
    }
    rows.sort_by_key(|row| (row.period, row.id.clone()));
    let emails = EmailFilter { period, ..EmailFilter::default() };
    let emails = reader.list_messages(&emails).await?;
    if !all_versions {
        // The last of each number; why earlier ones were replaced is in their models, which take time.
        let mut current: Vec<StatementRow> = Vec::with_capacity(rows.len());
        for row in rows {
            if current.last().is_some_and(|before| before.id.number == row.id.number) {
                current.pop();
            }
            current.push(row);
        }
        rows = current;
    }
    stand(&mut reader, rows, &emails).await
}

/// Where versions are in their lives; `rows` has every version of a number that it has one of.
async fn stand(
    reader: &mut Reader,
    rows: Vec<StatementRow>,
    emails: &[EmailRecord],
) -> Result<Vec<StatementStanding>, WorkflowError> {
    let mut sent: BTreeMap<&StatementVersion, &Stamp> = BTreeMap::new();
    for record in emails {
        let Some(event) = record.events.iter().find(|event| event.state == MessageState::Sent) else {
            continue;
        };
        for id in &record.message.statements {
            sent.entry(id).or_insert(&event.stamp);
        }
    }
    let of =
        StatementFilter { period: same(rows.iter().map(|row| row.period)), ..StatementFilter::default() };
    let mut funds = reader.list_statement_funds(&of).await?;
    let mut standing: Vec<StatementStanding> = Vec::with_capacity(rows.len());
    for row in rows {
        if let Some(before) = standing.last_mut().filter(|before| before.row.id.number == row.id.number) {
            let model = reader.load_statement(&row.id).await?;
            let why = model.replaces.as_deref().map(|text| what_changed(text, before.row.id.version));
            let sent = sent.get(&before.row.id).map(|&stamp| stamp.clone());
            before.state = StatementState::of(sent, Some((row.id.version, why)));
        }
        let state = StatementState::of(sent.get(&row.id).map(|&stamp| stamp.clone()), None);
        let fund_orgs = funds.remove(&row.id).unwrap_or_default();
        standing.push(StatementStanding { row, fund_orgs, state });
    }
    Ok(standing)
}

/// What all are, if they are the same.
fn same<T: PartialEq>(mut values: impl Iterator<Item = T>) -> Option<T> {
    let first = values.next()?;
    values.all(|value| value == first).then_some(first)
}

/// `version 1 (amount due: …)` says what it replaces; here only what changed is of interest.
fn what_changed(replaces: &str, version: u32) -> String {
    let inner =
        replaces.strip_prefix(&format!("version {version} (")).and_then(|text| text.strip_suffix(')'));
    inner.unwrap_or(replaces).to_owned()
}

/// A statement by its number: the current version, or the one asked for.
///
/// # Errors
/// An unknown number or version.
pub async fn show(
    installation: &Installation,
    number: &StatementNumber,
    version: Option<u32>,
) -> Result<StatementDetail, WorkflowError> {
    let mut reader = installation.ledger.read().await?;
    let (rows, id) = find(&mut reader, number, version).await?;
    let period = rows.first().map(|row| row.period);
    let emails = reader.list_messages(&EmailFilter { period, ..EmailFilter::default() }).await?;
    let versions = stand(&mut reader, rows, &emails).await?;
    let own = versions.iter().find(|one| one.row.id == id);
    let state = own.map_or(StatementState::Issued, |one| one.state.clone());
    let statement = reader.load_statement(&id).await?;
    let documents = documents_of(&mut reader, &id).await?;
    let emails = emails.into_iter().filter(|record| record.message.statements.contains(&id));
    let emails = emails.filter_map(|record| {
        let last = record.events.last()?;
        Some(StatementEmail {
            message_id: record.message.message_id,
            to: record.message.pi_email,
            state: record.state,
            stamp: last.stamp.clone(),
            number: last.number,
        })
    });
    Ok(StatementDetail { statement, state, documents, versions, emails: emails.collect() })
}

/// A document to be handed out with others.
#[derive(Clone, Debug)]
pub struct BundledFile {
    pub name: String,
    path: PathBuf,
    sha256: String,
}

/// The documents of the current statements of a period, in the order of their numbers.
///
/// # Errors
/// A period that was never opened, or without documents.
pub async fn bundle(installation: &Installation, period: Period) -> Result<Vec<BundledFile>, WorkflowError> {
    let mut reader = installation.ledger.read().await?;
    crate::periods::load(&mut reader, period).await?;
    let filter = StatementFilter { period: Some(period), current: true, ..StatementFilter::default() };
    let rows: BTreeMap<StatementVersion, StatementRow> =
        reader.list_statements(&filter, None).await?.into_iter().map(|row| (row.id.clone(), row)).collect();
    let mut documents = reader.list_statement_documents(&filter).await?;
    documents.sort_by(|a, b| (&a.id, &a.kind).cmp(&(&b.id, &b.kind)));
    let files = documents.into_iter().filter_map(|document| {
        let row = rows.get(&document.id)?;
        Some(BundledFile {
            name: document_name(row, &document),
            path: installation.folders.documents.join(&document.path),
            sha256: document.sha256,
        })
    });
    let files: Vec<BundledFile> = files.collect();
    if files.is_empty() {
        return Err(Refusal::new(format!("{period} has no statements to download"))
            .hint(format!("`generate --period {period}` makes them once it is closed"))
            .into());
    }
    Ok(files)
}

/// Write documents into one ZIP file, one at a time, so that memory does not grow with their number. PDFs
/// are compressed already and are stored as they are.
///
/// # Errors
/// A document that is gone or was changed; a reader who went away.
pub fn write_bundle(files: &[BundledFile], out: impl Write) -> Result<(), WorkflowError> {
    let options = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
    let mut zip = ZipWriter::new_stream(out);
    let failed = |error: &dyn std::fmt::Display| WorkflowError::Internal(format!("the ZIP file: {error}"));
    for file in files {
        let bytes =
            std::fs::read(&file.path).map_err(|source| WorkflowError::file("read", &file.path, source))?;
        if ledger::sha256_hex(&bytes) != file.sha256 {
            return Err(Refusal::new(format!("`{}` is not what was issued", file.path.display()))
                .hint("restore it from a backup")
                .into());
        }
        zip.start_file(&file.name, options).map_err(|error| failed(&error))?;
        zip.write_all(&bytes).map_err(|error| failed(&error))?;
    }
    zip.finish().map_err(|error| failed(&error))?;
    Ok(())
}

/// A document of a version: its name for people, and its bytes.
///
/// # Errors
/// An unknown number or version; a document that is not rendered, gone or was changed.
pub async fn document(
    installation: &Installation,
    number: &StatementNumber,
    version: Option<u32>,
    kind: &str,
) -> Result<(String, Vec<u8>), WorkflowError> {
    let mut reader = installation.ledger.read().await?;
    let (rows, id) = find(&mut reader, number, version).await?;
    let documents = load_documents(installation, &mut reader, &id).await?;
    let found = documents.into_iter().find(|(document, _)| document.kind == kind);
    match (found, rows.iter().find(|row| row.id == id)) {
        (Some((document, bytes)), Some(row)) => Ok((document_name(row, &document), bytes)),
        _ => Err(Refusal::new(format!("statement {} v{} has no {kind} document", id.number, id.version))
            .hint("`generate` renders what is missing of a closed period")
            .into()),
    }
}

/// A list of statements for a spreadsheet, amounts as plain decimals.
#[must_use]
pub fn list_csv(rows: &[StatementStanding]) -> String {
    const COLUMNS: [&str; 11] = [
        "statement",
        "version",
        "period",
        "pi_email",
        "project_id",
        "fund_org",
        "list_cost",
        "discount",
        "subsidy",
        "amount_due",
        "state",
    ];
    let cells = rows.iter().map(|StatementStanding { row, fund_orgs, state }| {
        let places = row.currency.places();
        let names = vec![
            row.id.number.to_string(),
            row.id.version.to_string(),
            row.period.to_string(),
            row.pi_email.clone(),
            row.project_id.clone(),
            fund_orgs.join(" "),
        ];
        let amounts = [row.totals.list, row.totals.discount, row.totals.subsidy, row.totals.due];
        let amounts = amounts.map(|amount| amount.decimal(places));
        names.into_iter().chain(amounts).chain([state.name().to_owned()]).collect()
    });
    documents::table_for_people(&COLUMNS, cells)
}

/// The posted lines of a statement for a spreadsheet: who pays what of each, as plain decimals.
#[must_use]
pub fn lines_csv(statement: &Statement) -> String {
    const COLUMNS: [&str; 12] = [
        "statement",
        "version",
        "service_name",
        "kind",
        "source",
        "fund_org",
        "account_code",
        "charges",
        "list_cost",
        "discount",
        "subsidy",
        "amount_due",
    ];
    let places = statement.currency.code.places();
    let rows = statement.lines.iter().map(|line| {
        let group = &line.group;
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        let names = vec![
            statement.number.to_string(),
            statement.version.to_string(),
            text(&group.service_name),
            group.kind.name().to_owned(),
            group.source.clone(),
            text(&group.fund_org),
            text(&group.account_code),
            group.charges.to_string(),
        ];
        let amounts = [line.list, line.discount, line.subsidy, line.due];
        names.into_iter().chain(amounts.map(|amount| amount.decimal(places))).collect()
    });
    documents::table_for_people(&COLUMNS, rows)
}

/// Every version of a number, and the one that is asked for.
async fn find(
    reader: &mut Reader,
    number: &StatementNumber,
    version: Option<u32>,
) -> Result<(Vec<StatementRow>, StatementVersion), WorkflowError> {
    let filter = StatementFilter { number: Some(number.clone()), ..StatementFilter::default() };
    let rows = reader.list_statements(&filter, None).await?;
    let Some(latest) = rows.iter().map(|row| row.id.version).max() else {
        return Err(Refusal::new(format!("statement `{number}` is not known"))
            .hint("`statements list` shows the numbers")
            .into());
    };
    let id = StatementVersion { number: number.clone(), version: version.unwrap_or(latest) };
    if !rows.iter().any(|row| row.id == id) {
        return Err(Refusal::new(format!("statement {number} has no version {}", id.version))
            .hint(format!("its latest version is {latest}"))
            .into());
    }
    Ok((rows, id))
}

/// Compare two statements: two versions of one (`S-2025-01-0001v1 S-2025-01-0001v2`), or a project's in
/// two periods. With one only: the version before its latest (or the version that is named) and the
/// latest.
///
/// # Errors
/// What is no statement; statements of two projects; one that has nothing to be compared with.
pub async fn compare(
    installation: &Installation,
    before: &str,
    after: Option<&str>,
) -> Result<ComparedStatements, WorkflowError> {
    let mut reader = installation.ledger.read().await?;
    let (number, version) = read_reference(before)?;
    let (before, after) = if let Some(after) = after {
        let (other, other_version) = read_reference(after)?;
        let before = find(&mut reader, &number, version).await?.1;
        (before, find(&mut reader, &other, other_version).await?.1)
    } else {
        let (_, latest) = find(&mut reader, &number, None).await?;
        let version = version.or(Some(latest.version - 1)).filter(|&version| version < latest.version);
        let Some(version) = version.filter(|&version| 0 < version) else {
            return Err(Refusal::new(format!(
                "{number} v{} has no later version to compare with",
                latest.version
            ))
            .hint("name two statements: `statements diff S-2025-01-0001 S-2025-02-0001`")
            .into());
        };
        (find(&mut reader, &number, Some(version)).await?.1, latest)
    };
    let (old, new) = (reader.load_statement(&before).await?, reader.load_statement(&after).await?);
    if old.project_id != new.project_id {
        let refusal =
            Refusal::new(format!("{} and {} are of different projects", before.number, after.number));
        return Err(refusal
            .detail(format!("{}: {}", before.number, old.project_id))
            .detail(format!("{}: {}", after.number, new.project_id))
            .hint(format!("`statements list --project {}` shows those of one project", old.project_id))
            .into());
    }
    let project_id = new.project_id.clone();
    Ok(ComparedStatements { before, after, project_id, difference: difference(&old, &new) })
}

/// `S-2025-01-0001`, or with a version `S-2025-01-0001v2`.
fn read_reference(text: &str) -> Result<(StatementNumber, Option<u32>), Refusal> {
    let (number, version) = match text.rsplit_once(['v', 'V']) {
        Some((number, version)) => (number, Some(version.parse::<u32>().ok().filter(|&version| 0 < version))),
        None => (text, None),
    };
    match (number.parse::<StatementNumber>(), version) {
        (Ok(number), None) => Ok((number, None)),
        (Ok(number), Some(Some(version))) => Ok((number, Some(version))),
        _ => Err(Refusal::new(format!("`{text}` is no statement such as S-2025-01-0001"))
            .hint("a version stands behind the number: S-2025-01-0001v2")),
    }
}
