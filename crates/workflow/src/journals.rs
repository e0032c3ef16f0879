//! Journals after they were exported: look at them, and record what accounting made of them. What may be
//! answered when is in `billing::journal`.

use billing::journal::{ControlTotals, JournalAct, JournalLine, JournalState};
use billing::{Period, StatementNumber};
use ledger::{AuditEvent, JournalEventKind, JournalExport, JournalRecord, Reader};
use money::Minor;
use serde::Serialize;
use serde_json::json;

use crate::journal::{Control, all_postings, general_ledger, read_model, statements_of};
use crate::{Actor, Installation, Refusal, WorkflowError, periods};

/// A journal with what accounting checks it by.
#[derive(Clone, Debug, Serialize)]
pub struct JournalSummary {
    #[serde(flatten)]
    pub record: JournalRecord,
    pub control: Control,
    #[serde(skip)]
    pub totals: ControlTotals,
}

#[derive(Clone, Debug, Serialize)]
pub struct JournalDetail {
    #[serde(flatten)]
    pub summary: JournalSummary,
    /// The general-ledger lines, as the file for machines has them.
    pub general_ledger: Vec<JournalLine>,
    /// The statements that it posts.
    pub statements: Vec<StatementNumber>,
    /// The files that were handed out.
    pub files: Vec<JournalExport>,
}

/// What is said of a journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    Accept { note: Option<String> },
    Reject { reason: String },
    Waive { reason: String },
}

/// Oldest first.
///
/// # Errors
/// What the ledger could not read.
pub async fn list(
    installation: &Installation,
    period: Option<Period>,
) -> Result<Vec<JournalSummary>, WorkflowError> {
    let mut reader = installation.ledger.read().await?;
    let mut journals = Vec::new();
    for record in reader.list_journal_records(period, None).await? {
        journals.push(summarize(installation, &mut reader, record).await?.0);
    }
    Ok(journals)
}

/// # Errors
/// An unknown document.
pub async fn show(installation: &Installation, document: &str) -> Result<JournalDetail, WorkflowError> {
    let mut reader = installation.ledger.read().await?;
    let record = load(&mut reader, document).await?;
    let document = record.journal.document.clone();
    let (summary, general_ledger) = summarize(installation, &mut reader, record).await?;
    let statements = statements_of(&mut reader, &document).await?;
    let files = reader.list_journal_exports(Some(&document)).await?;
    Ok(JournalDetail { summary, general_ledger, statements, files })
}

async fn summarize(
    installation: &Installation,
    reader: &mut Reader,
    record: JournalRecord,
) -> Result<(JournalSummary, Vec<JournalLine>), WorkflowError> {
    let settings = installation.settings_for_journal(reader, record.journal.period).await?;
    let model = read_model(reader, &record.journal.document).await?;
    let journal = general_ledger(&model.journal, &settings)?;
    let totals = journal.control_totals();
    let control = Control::of(&totals, settings.currency.code.places());
    let lines = journal.lines().cloned().collect();
    Ok((JournalSummary { record, control, totals }, lines))
}

/// The bytes of a file that was handed out, as they were.
///
/// # Errors
/// An unknown document; a file that is not one of its files, is gone or was changed.
pub async fn file(
    installation: &Installation,
    document: &str,
    sha256: &str,
) -> Result<(JournalExport, Vec<u8>), WorkflowError> {
    let mut reader = installation.ledger.read().await?;
    let record = load(&mut reader, document).await?;
    let document = record.journal.document;
    let files = reader.list_journal_exports(Some(&document)).await?;
    let Some(export) = files.into_iter().find(|file| file.sha256 == sha256) else {
        return Err(Refusal::new(format!("journal {document} has no file with the SHA-256 `{sha256}`"))
            .hint(format!("`journals show {document}` lists its files"))
            .into());
    };
    let path = installation.folders.documents.join(&sha256[..2]).join(format!("{sha256}.journal"));
    let bytes = std::fs::read(&path).map_err(|source| WorkflowError::file("read", &path, source))?;
    if ledger::sha256_hex(&bytes) != export.sha256 {
        let shown = installation.folders.shown(&path).to_string();
        let refusal = Refusal::new(format!("`{shown}` is not what was handed out as journal {document}"));
        return Err(refusal.hint("restore it from a backup").into());
    }
    Ok((export, bytes))
}

/// The documents that post a statement.
#[derive(Clone, Debug, Serialize)]
pub struct PostedIn {
    pub document: String,
    #[serde(flatten)]
    pub state: JournalState,
    /// Which version is posted in full with it.
    pub version: u32,
    /// What it posts, in minor units.
    pub sum: Minor,
}

/// Oldest first.
///
/// # Errors
/// What the ledger could not read.
pub async fn posted_in(
    installation: &Installation,
    period: Period,
    number: &StatementNumber,
) -> Result<Vec<PostedIn>, WorkflowError> {
    let mut reader = installation.ledger.read().await?;
    let records = reader.list_journal_records(Some(period), None).await?;
    let mut documents = Vec::new();
    let all = all_postings(&mut reader, &records).await?;
    for (record, (_, postings)) in records.iter().zip(&all) {
        for posting in postings.iter().filter(|posting| posting.number == *number) {
            documents.push(PostedIn {
                document: record.journal.document.clone(),
                state: record.state.clone(),
                version: posting.version,
                sum: posting.sum(),
            });
        }
    }
    Ok(documents)
}

/// Record what accounting said, or that no answer is needed.
///
/// # Errors
/// An unknown document; an answer that its state does not allow.
pub async fn answer(
    installation: &Installation,
    actor: &Actor,
    document: &str,
    answer: &Answer,
) -> Result<JournalRecord, WorkflowError> {
    let mut tx = installation.ledger.begin().await?;
    let record = load(&mut tx, document).await?;
    let (document, period) = (record.journal.document.clone(), record.journal.period);
    let stamp = actor.clone();
    let (act, next) = match answer {
        Answer::Accept { note } => (JournalAct::Accept, record.state.accept(stamp, note.clone())),
        Answer::Reject { reason } => {
            let of_period = periods::load(&mut tx, period).await?.state;
            (JournalAct::Reject, record.state.reject(stamp, reason, &of_period))
        }
        Answer::Waive { reason } => (JournalAct::Waive, record.state.waive(stamp, reason)),
    };
    let state = next.map_err(|why| {
        let refused = why.of(act, &document);
        Refusal::new(refused.to_string()).hint(refused.hint(period))
    })?;
    let (kind, event, note) = match &state {
        JournalState::Accepted { note, .. } => {
            (JournalEventKind::Accepted, "journal.accepted", note.as_deref())
        }
        JournalState::Waived { reason, .. } => {
            (JournalEventKind::Waived, "journal.waived", Some(reason.as_str()))
        }
        JournalState::Rejected { reason, .. } => {
            (JournalEventKind::Rejected, "journal.rejected", Some(reason.as_str()))
        }
        JournalState::Exported => return Err(WorkflowError::Internal("an answer is no export".to_owned())),
    };
    tx.record_journal_event(&document, kind, note, None, actor).await?;
    let recorded = load(&mut tx, &document).await?;
    let detail = json!({ "period": period, "note": note, "debits_minor": record.journal.debits });
    tx.commit(AuditEvent::new(actor, event, &document, detail)).await?;
    Ok(recorded)
}

/// A journal by its document number, in capitals or not.
///
/// # Errors
/// An unknown document, with those that are known.
pub(crate) async fn load(reader: &mut Reader, document: &str) -> Result<JournalRecord, WorkflowError> {
    let document = document.trim();
    for spelled in [document.to_owned(), document.to_uppercase()] {
        if let Some(record) = reader.find_journal_record(&spelled).await? {
            return Ok(record);
        }
    }
    let known = reader.list_journals(None, None).await?;
    let last: Vec<String> = known.iter().rev().take(5).map(|row| row.document.clone()).collect();
    let refusal = Refusal::new(format!("journal `{document}` is not known"));
    Err(match last.as_slice() {
        [] => refusal.hint("`export-journal --period YYYY-MM` makes the journal of a closed period"),
        last => refusal.hint(format!("the latest are {}; `journals list` shows all", last.join(", "))),
    }
    .into())
}
