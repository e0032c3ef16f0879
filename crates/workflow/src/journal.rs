//! Hand a balanced journal of a closed period to accounting. A journal is recorded once; the same again
//! is a copy, and what statements say differently after it is posted as the difference. What accounting
//! rejected counts as not posted, so that the next document posts it again.

mod file;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use billing::journal::{
    CannotPost, ControlTotals, DocumentFormat, Journal, Posting, StatementLines, settings_to_paste, to_post,
};
use billing::period::PeriodAct;
use billing::settings::Settings;
use billing::statement::Statement;
use billing::{LedgerNumber, Period, StatementNumber};
use ledger::{
    AuditEvent, JournalEventKind, JournalRecord, JournalRow, NewJournal, NewJournalExport, PeriodRecord,
    Reader, StatementVersion, Tx,
};
use money::Minor;
use serde::{Deserialize, Serialize};
use serde_json::json;

pub(crate) use file::general_ledger;
use file::{file, file_path};

use crate::installation::{RULES_VERSION, with_accounts_of, write_file};
use crate::{Actor, Installation, Refusal, WorkflowError, kept, periods};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// A line for each posted line.
    Detail,
    /// A line for each PI and project.
    Summary,
    /// A line for each `fund_org`, account and source, for machines.
    Gl,
    /// The institution's own Jinja file.
    Template,
}

#[derive(Clone, Debug)]
pub struct Request {
    pub period: Period,
    pub format: Format,
    /// Instead of the configured `journal.template`.
    pub template: Option<PathBuf>,
    /// Instead of the journals folder.
    pub output: Option<PathBuf>,
    /// A copy of this document, instead of what is to be posted now.
    pub document: Option<String>,
}

/// What was exported.
#[derive(Clone, Debug, Serialize)]
pub struct Exported {
    pub document: String,
    pub period: Period,
    pub format: &'static str,
    #[serde(flatten)]
    pub control: Control,
    #[serde(skip)]
    pub totals: ControlTotals,
    /// The rejected documents that this one posts again.
    pub replaces: Vec<String>,
    /// Not the first file of this document and format.
    pub copy: bool,
    /// Of a copy: whether it has the bytes of the first file.
    pub same_bytes: bool,
    pub path: String,
    pub sha256: String,
    pub notes: Vec<String>,
    #[serde(skip)]
    pub bytes: Vec<u8>,
}

/// What accounting checks a document by: totals of its general-ledger lines (`gl` and `template` files
/// hold them; `detail` and `summary` explain the same document by statement). Amounts are decimals.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Control {
    pub lines: u64,
    pub debit_total: String,
    pub credit_total: String,
    /// Debits less credits.
    pub balance: String,
    /// Debits and credits together, as Banner totals a document.
    pub document_total: String,
    /// The sum of the account numbers of all lines: see [`ControlTotals::hash_total`].
    pub hash_total: u64,
}

impl Control {
    #[must_use]
    pub fn of(totals: &ControlTotals, places: u8) -> Control {
        Control {
            lines: totals.lines as u64,
            debit_total: totals.debits.decimal(places),
            credit_total: totals.credits.decimal(places),
            balance: totals.balance().decimal(places),
            document_total: totals.document_total().decimal(places),
            hash_total: totals.hash_total,
        }
    }
}

/// What the ledger keeps of a journal.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Model {
    pub journal: Journal,
    /// The statements it posts, with the version that is posted in full by it.
    pub statements: Vec<(String, u32)>,
    /// What it posts of each; `None` in the books of schema 1, where a document posted what the statements
    /// said beyond all documents before it.
    #[serde(default)]
    pub postings: Option<Vec<Posting>>,
    /// The rejected documents that it posts again.
    #[serde(default)]
    pub replaces: Vec<String>,
    /// The configuration of the day, by digest: accounts that the period's own lacked are taken from it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accounts_from: Option<String>,
}

impl Format {
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Format::Detail => "detail",
            Format::Summary => "summary",
            Format::Gl => "gl",
            Format::Template => "template",
        }
    }
}

/// What an export would post, and nothing else happens.
#[derive(Clone, Debug, Serialize)]
pub struct Preview {
    pub period: Period,
    /// What is to be posted of each statement: all of it, or what changed since it was posted.
    pub postings: Vec<ToPost>,
    /// The general-ledger lines, entry by entry; `None` when nothing is to be posted, or when `missing` says
    /// why it cannot be.
    pub journal: Option<Journal>,
    pub control: Option<Control>,
    #[serde(skip)]
    pub totals: ControlTotals,
    /// The rejected documents that it would post again.
    pub replaces: Vec<String>,
    /// The documents that stand.
    pub standing: Vec<String>,
    /// Why no journal can be made of it: what the configuration lacks.
    #[serde(skip)]
    pub missing: Option<Refusal>,
}

/// A statement as the next document posts it.
#[derive(Clone, Debug, Serialize)]
pub struct ToPost {
    #[serde(flatten)]
    pub posting: Posting,
    /// What its payers owe by it, in minor units.
    pub sum: Minor,
    /// A document that stands has posted it before: only the difference is posted.
    pub posted_before: bool,
}

/// # Errors
/// A period that was never opened; what could not be read.
pub async fn preview(installation: &Installation, period: Period) -> Result<Arc<Preview>, WorkflowError> {
    let mut reader = installation.ledger.read().await?;
    periods::load(&mut reader, period).await?;
    let cell = installation.kept.preview(period, &kept::books(installation, &mut reader).await?);
    let preview = cell.get_or_try_init(|| async {
        Ok::<_, WorkflowError>(Arc::new(computed(installation, &mut reader, period).await?))
    });
    Ok(Arc::clone(preview.await?))
}

async fn computed(
    installation: &Installation,
    reader: &mut Reader,
    period: Period,
) -> Result<Preview, WorkflowError> {
    let settings = installation.settings_for_journal(reader, period).await?;
    let records = reader.list_journal_records(Some(period), None).await?;
    let posted = all_postings(reader, &records).await?;
    let standing = || posted.iter().filter(|(record, _)| record.state.stands());
    let before: BTreeSet<StatementNumber> =
        standing().flat_map(|(_, postings)| postings).map(|posting| posting.number.clone()).collect();
    let standing = standing().map(|(record, _)| record.journal.document.clone()).collect();
    let postings = unposted(reader, period, None).await?;
    let (mut journal, mut missing) = (None, None);
    if !postings.is_empty() {
        let sequence = reader.next_journal_sequence(period).await?;
        let made = DocumentFormat::compile(&settings.journal.document_format)
            .map_err(|error| Refusal::new(error.to_string()).into())
            .and_then(|format| make(period, format.document_id(period, sequence), &postings, &settings))
            .and_then(|journal| general_ledger(&journal, &settings));
        match made {
            Ok(made) => journal = Some(made),
            Err(WorkflowError::Refused(refusal)) => missing = Some(refusal),
            Err(error) => return Err(error),
        }
    }
    let totals = journal.as_ref().map(Journal::control_totals).unwrap_or_default();
    let places = settings.currency.code.places();
    let to_post = |posting: Posting| ToPost {
        sum: posting.sum(),
        posted_before: before.contains(&posting.number),
        posting,
    };
    Ok(Preview {
        period,
        control: journal.as_ref().map(|_| Control::of(&totals, places)),
        journal,
        totals,
        postings: postings.into_iter().map(to_post).collect(),
        replaces: to_replace(reader, period).await?,
        standing,
        missing,
    })
}

/// # Errors
/// A period that is not closed, or without anything to post; everything that is missing in the
/// configuration, at once, before anything is written.
pub async fn export(
    installation: &Installation,
    actor: &Actor,
    request: &Request,
) -> Result<Exported, WorkflowError> {
    let mut tx = installation.ledger.begin().await?;
    let record = periods::load(&mut tx, request.period).await?;
    let settings = installation.settings_for_journal(&mut tx, request.period).await?;
    let model = match due(&mut tx, request).await? {
        Due::Copy(document) => {
            periods::require(&mut tx, request.period, PeriodAct::CopyJournal).await?;
            read_model(&mut tx, &document).await?
        }
        Due::New(postings) => post(installation, &mut tx, actor, &record, &settings, postings).await?,
    };
    let document = model.journal.document.clone();
    let postings = match &model.postings {
        Some(postings) => postings.clone(),
        None => postings_of(&mut tx, request.period, &document).await?,
    };
    let made = file(installation, request, &model.journal, &postings, &settings)?;
    let path = request.output.clone().unwrap_or_else(|| file_path(installation, request, &model.journal));
    let sha256 = ledger::sha256_hex(&made.bytes);
    let kept = installation.folders.documents.join(&sha256[..2]).join(format!("{sha256}.journal"));
    write_file(&kept, &made.bytes)?;
    failpoint::hit("workflow.export.kept");
    write_file(&path, &made.bytes)?;
    failpoint::hit("workflow.export.written");
    let shown = installation.folders.shown(&path).to_string();
    let first = tx.list_journal_exports(Some(&document)).await?;
    let first = first.into_iter().find(|export| export.format == request.format.name());
    let new = NewJournalExport {
        document: &document,
        format: request.format.name(),
        sha256: &sha256,
        path: &shown,
        size_bytes: made.bytes.len() as u64,
    };
    let copy = tx.record_journal_export(&new, actor).await?;
    let totals = made.totals;
    let detail = json!({
        "format": request.format.name(), "copy": copy, "sha256": sha256, "lines": totals.lines,
        "debits_minor": totals.debits, "credits_minor": totals.credits, "hash_total": totals.hash_total,
        "replaces": model.replaces, "path": shown,
    });
    tx.commit(AuditEvent::new(actor, "journal.exported", &document, detail)).await?;
    Ok(Exported {
        document,
        period: request.period,
        format: request.format.name(),
        control: Control::of(&totals, settings.currency.code.places()),
        totals,
        replaces: model.replaces,
        copy,
        same_bytes: first.is_none_or(|first| first.sha256 == sha256),
        path: shown,
        sha256,
        notes: made.notes,
        bytes: made.bytes,
    })
}

/// What an export hands out.
enum Due {
    /// A document that is there.
    Copy(String),
    /// A new one, of what is not posted yet.
    New(Vec<Posting>),
}

/// A copy of the document that is named, or of the last that stands where nothing is left to be posted.
async fn due(tx: &mut Tx, request: &Request) -> Result<Due, WorkflowError> {
    if let Some(document) = &request.document {
        let journal = crate::journals::load(tx, document).await?.journal;
        if journal.period == request.period {
            return Ok(Due::Copy(journal.document));
        }
        let refusal = Refusal::new(format!(
            "journal {} is of {}, not of {}",
            journal.document, journal.period, request.period
        ));
        return Err(refusal.into());
    }
    let postings = unposted(tx, request.period, None).await?;
    let records = tx.list_journal_records(Some(request.period), None).await?;
    let standing = records.into_iter().rev().find(|record| record.state.stands());
    Ok(match standing {
        Some(record) if postings.is_empty() => Due::Copy(record.journal.document),
        _ => Due::New(postings),
    })
}

/// Record a document of everything that is not posted yet.
async fn post(
    installation: &Installation,
    tx: &mut Tx,
    actor: &Actor,
    record: &PeriodRecord,
    settings: &Settings,
    postings: Vec<Posting>,
) -> Result<Model, WorkflowError> {
    let period = record.period;
    periods::require(tx, period, PeriodAct::ExportJournal).await?;
    if postings.is_empty() {
        return Err(if tx.current_statements(period, None).await?.is_empty() {
            Refusal::new(format!("{period} has no statements to post"))
                .hint(format!("`generate --period {period}`"))
        } else {
            Refusal::new(format!("{period} has nothing to post: its statements come to lines of zero"))
                .hint(format!("`periods finalize {period}` needs no journal then"))
        }
        .into());
    }
    let sequence = tx.next_journal_sequence(period).await?;
    let format = DocumentFormat::compile(&settings.journal.document_format)
        .map_err(|error| Refusal::new(error.to_string()))?;
    let journal = make(period, format.document_id(period, sequence), &postings, settings)?;
    let replaces = to_replace(tx, period).await?;
    let named = |posting: &Posting| (posting.number.0.clone(), posting.version);
    let model = Model {
        statements: postings.iter().map(named).collect(),
        journal,
        postings: Some(postings),
        replaces,
        accounts_from: Some(tx.keep_configuration(&installation.configuration.text).await?),
    };
    let lines: Vec<_> = model.journal.lines().cloned().collect();
    let new = NewJournal {
        document: &model.journal.document,
        period,
        model: &serde_json::to_value(&model).map_err(|error| WorkflowError::Internal(error.to_string()))?,
        lines: &lines,
        computed_at: tx.head(),
        configuration_digest: record.closed_with().unwrap_or(&installation.configuration.digest),
        rule_version: RULES_VERSION,
    };
    tx.record_journal(&new, actor).await?;
    for rejected in &model.replaces {
        let by = Some(model.journal.document.as_str());
        tx.record_journal_event(rejected, JournalEventKind::Replaced, None, by, actor).await?;
    }
    Ok(model)
}

/// The rejected documents whose money no document posts again yet.
async fn to_replace(reader: &mut Reader, period: Period) -> Result<Vec<String>, WorkflowError> {
    use billing::journal::JournalState::Rejected;
    let records = reader.list_journal_records(Some(period), None).await?;
    let rejected =
        records.into_iter().filter(|record| matches!(record.state, Rejected { replaced_by: None, .. }));
    Ok(rejected.map(|record| record.journal.document).collect())
}

/// What the current statements of a period say beyond the documents that stand. With `as_of` as the books
/// were then: what a document computed at that number posts.
pub(crate) async fn unposted(
    reader: &mut Reader,
    period: Period,
    as_of: Option<LedgerNumber>,
) -> Result<Vec<Posting>, WorkflowError> {
    let mut statements = Vec::new();
    for row in reader.current_statements(period, as_of).await? {
        statements.push(reader.load_statement(&row.id).await?);
    }
    let records = reader.list_journal_records(Some(period), as_of).await?;
    let posted = all_postings(reader, &records).await?;
    let standing = posted.iter().filter(|(record, _)| record.state.stands());
    Ok(to_post(&statements, standing.flat_map(|(_, postings)| postings)))
}

/// What each document posts, oldest first.
pub(crate) async fn all_postings<'a>(
    reader: &mut Reader,
    records: &'a [JournalRecord],
) -> Result<Vec<(&'a JournalRecord, Vec<Posting>)>, WorkflowError> {
    let mut all: Vec<(&JournalRecord, Vec<Posting>)> = Vec::new();
    for record in records {
        let model = read_model(reader, &record.journal.document).await?;
        let postings = if let Some(postings) = model.postings {
            postings
        } else {
            let statements = load_named(reader, &model.statements).await?;
            to_post(&statements, all.iter().flat_map(|(_, postings)| postings))
        };
        all.push((record, postings));
    }
    Ok(all)
}

async fn load_named(
    reader: &mut Reader,
    statements: &[(String, u32)],
) -> Result<Vec<Statement>, WorkflowError> {
    let mut loaded = Vec::new();
    for (number, version) in statements {
        let id = StatementVersion { number: StatementNumber(number.clone()), version: *version };
        loaded.push(reader.load_statement(&id).await?);
    }
    Ok(loaded)
}

/// What one document posts.
async fn postings_of(
    reader: &mut Reader,
    period: Period,
    document: &str,
) -> Result<Vec<Posting>, WorkflowError> {
    let records = reader.list_journal_records(Some(period), None).await?;
    let all = all_postings(reader, &records).await?;
    let own = all.into_iter().find(|(record, _)| record.journal.document == document);
    Ok(own.map(|(_, postings)| postings).unwrap_or_default())
}

pub(crate) async fn read_model(reader: &mut Reader, document: &str) -> Result<Model, WorkflowError> {
    let text = reader.load_journal_model(document).await?;
    serde_json::from_str(&text)
        .map_err(|error| WorkflowError::Internal(format!("journal {document} cannot be read: {error}")))
}

/// A recorded journal, what it is computed to be from the books of then, and its text.
pub(crate) struct Recomputed {
    pub text: String,
    pub recorded: Journal,
    pub follows: Journal,
}

/// Make a journal again as of the number it was computed from, with the settings that it was made with.
///
/// # Errors
/// What cannot be read, or cannot be posted any more.
pub(crate) async fn recompute(
    installation: &Installation,
    reader: &mut Reader,
    row: &JournalRow,
) -> Result<Recomputed, WorkflowError> {
    let text = reader.load_journal_model(&row.document).await?;
    let model = read_model(reader, &row.document).await?;
    let today = match &model.accounts_from {
        Some(digest) => installation.kept_settings(reader, digest).await?,
        None => installation.settings.clone(),
    };
    let settings = installation.kept_settings(reader, &row.configuration_digest).await?;
    let settings = with_accounts_of(settings, &today);
    let postings = unposted(reader, row.period, Some(row.computed_at)).await?;
    let follows = make(row.period, row.document.clone(), &postings, &settings)?;
    Ok(Recomputed { text, recorded: model.journal, follows })
}

fn make(
    period: Period,
    document: String,
    postings: &[Posting],
    settings: &Settings,
) -> Result<Journal, WorkflowError> {
    let lines: Vec<StatementLines<'_>> = postings.iter().map(StatementLines::from).collect();
    let journal = Journal::from_statements(period, document, &lines, settings)
        .map_err(|problems| cannot_post(period, &problems, settings))?;
    journal.check_payers(&lines).map_err(|error| WorkflowError::Internal(error.to_string()))?;
    Ok(journal)
}

fn cannot_post(period: Period, problems: &[CannotPost], settings: &Settings) -> Refusal {
    let refusal = Refusal::new(format!("cannot export the journal of {period}; nothing was written"))
        .details(problems.iter().map(CannotPost::to_string));
    match settings_to_paste(problems, settings) {
        Some(yaml) => refusal.hint(format!("add to the configuration, with values:\n{yaml}")),
        None => refusal,
    }
}

/// The statements whose posted lines a journal has.
pub(crate) async fn statements_of(
    reader: &mut Reader,
    document: &str,
) -> Result<Vec<StatementNumber>, WorkflowError> {
    Ok(versions_of(reader, document).await?.into_iter().map(|(number, _)| number).collect())
}

/// The versions of statements whose posted lines a journal has.
pub(crate) async fn versions_of(
    reader: &mut Reader,
    document: &str,
) -> Result<Vec<(StatementNumber, u32)>, WorkflowError> {
    let model = read_model(reader, document).await?;
    Ok(model.statements.into_iter().map(|(number, version)| (StatementNumber(number), version)).collect())
}
