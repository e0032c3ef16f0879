//! Look at issued statements, where each is in its life, and how two of them differ.

use std::collections::BTreeMap;

use billing::period::Stamp;
use billing::statement::{Statement, StatementDifference, StatementState, difference};
use billing::{LedgerNumber, Period, StatementNumber};
use ledger::{
    EmailFilter, EmailRecord, MessageState, Reader, StatementDocument, StatementFilter, StatementRow,
    StatementVersion,
};
use serde::Serialize;

use crate::people::people;
use crate::render::documents_of;
use crate::{Installation, Refusal, WorkflowError};

/// One version with its place in its life.
#[derive(Clone, Debug, Serialize)]
pub struct StatementStanding {
    #[serde(flatten)]
    pub row: StatementRow,
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
    let mut standing = stand(&mut reader, rows, &emails).await?;
    standing.retain(|one| all_versions || !matches!(one.state, StatementState::Superseded { .. }));
    Ok(standing)
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
    let mut standing: Vec<StatementStanding> = Vec::with_capacity(rows.len());
    for row in rows {
        if let Some(before) = standing.last_mut().filter(|before| before.row.id.number == row.id.number) {
            let model = reader.load_statement(&row.id).await?;
            let why = model.replaces.as_deref().map(|text| what_changed(text, before.row.id.version));
            let sent = sent.get(&before.row.id).map(|&stamp| stamp.clone());
            before.state = StatementState::of(sent, Some((row.id.version, why)));
        }
        let state = StatementState::of(sent.get(&row.id).map(|&stamp| stamp.clone()), None);
        standing.push(StatementStanding { row, state });
    }
    Ok(standing)
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
