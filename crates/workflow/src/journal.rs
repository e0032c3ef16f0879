//! Hand a balanced journal of a closed period to accounting. A journal is recorded once; the same again
//! is a copy, and what statements say differently after it is posted as the difference.

use std::collections::BTreeMap;
use std::path::PathBuf;

use billing::journal::{CannotPost, Descriptions, Grouping, Journal, StatementLines, settings_to_paste};
use billing::period::PeriodAct;
use billing::settings::Settings;
use billing::statement::Statement;
use billing::{LedgerNumber, Period};
use documents::{JournalTemplate, journal_detail, journal_gl, journal_summary};
use ledger::{AuditEvent, JournalRow, NewJournal, NewJournalExport, Reader, StatementVersion};
use money::Minor;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::installation::{RULES_VERSION, with_accounts_of, write_file};
use crate::{Actor, Installation, Refusal, WorkflowError, periods};

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
}

/// What was exported.
#[derive(Clone, Debug, Serialize)]
pub struct Exported {
    pub document: String,
    pub period: Period,
    pub format: &'static str,
    pub lines: u64,
    #[serde(skip)]
    pub debits: Minor,
    #[serde(skip)]
    pub credits: Minor,
    pub debit_total: String,
    pub credit_total: String,
    /// Not the first file of this document and format.
    pub copy: bool,
    pub path: String,
    pub sha256: String,
    pub notes: Vec<String>,
    #[serde(skip)]
    pub bytes: Vec<u8>,
}

/// What the ledger keeps of a journal.
#[derive(Serialize, Deserialize)]
struct Model {
    journal: Journal,
    /// The statements whose posted lines it has, so that the next posts only the difference.
    statements: Vec<(String, u32)>,
    /// The configuration of the day, by digest: accounts that the period's own lacked are taken from it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    accounts_from: Option<String>,
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

/// # Errors
/// A period that is not closed, or without statements; everything that is missing in the configuration,
/// at once, before anything is written.
pub async fn export(
    installation: &Installation,
    actor: &Actor,
    request: &Request,
) -> Result<Exported, WorkflowError> {
    let mut tx = installation.ledger.begin().await?;
    let record = periods::load(&mut tx, request.period).await?;
    let settings = installation.settings_for_journal(&mut tx, request.period).await?;
    let statements = current(&mut tx, request.period, None).await?;
    let last = last_model(&mut tx, request.period).await?;
    let named: Vec<(String, u32)> =
        statements.iter().map(|statement| (statement.number.0.clone(), statement.version)).collect();
    let is_copy = last.as_ref().is_some_and(|(_, model)| covers(&model.statements, &named));
    let act = if is_copy { PeriodAct::CopyJournal } else { PeriodAct::ExportJournal };
    periods::require(&mut tx, request.period, act).await?;
    if statements.is_empty() {
        return Err(Refusal::new(format!("{} has no statements to post", request.period))
            .hint(format!("`generate --period {}`", request.period))
            .into());
    }
    let (row, journal) = match last {
        Some((row, model)) if is_copy => (row, model.journal),
        last => {
            let posted = match &last {
                Some(_) => posted_before(&mut tx, request.period, None).await?,
                None => BTreeMap::new(),
            };
            let document = tx.next_journal_document(request.period).await?;
            let journal = make(request.period, document, &statements, &posted, &settings)?;
            let accounts_from = Some(tx.keep_configuration(&installation.configuration.text).await?);
            let model = Model { journal: journal.clone(), statements: named, accounts_from };
            let model =
                serde_json::to_value(&model).map_err(|error| WorkflowError::Internal(error.to_string()))?;
            let computed_at = tx.head();
            let lines: Vec<_> = journal.lines().cloned().collect();
            let new = NewJournal {
                document: &journal.document,
                period: request.period,
                model: &model,
                lines: &lines,
                computed_at,
                configuration_digest: record.closed_with().unwrap_or(&installation.configuration.digest),
                rule_version: RULES_VERSION,
            };
            (tx.record_journal(&new, actor).await?, journal)
        }
    };
    let (bytes, notes) = file(installation, request, &journal, &statements, &settings)?;
    let path = request.output.clone().unwrap_or_else(|| file_path(installation, request, &journal));
    let sha256 = ledger::sha256_hex(&bytes);
    write_file(&installation.folders.documents.join(&sha256[..2]).join(format!("{sha256}.journal")), &bytes)?;
    write_file(&path, &bytes)?;
    let shown = installation.folders.shown(&path).to_string();
    let kept = NewJournalExport {
        document: &journal.document,
        format: request.format.name(),
        sha256: &sha256,
        path: &shown,
        size_bytes: bytes.len() as u64,
    };
    let copy = tx.record_journal_export(&kept, actor).await?;
    let detail = json!({
        "format": request.format.name(), "copy": copy, "sha256": sha256, "lines": row.lines,
        "debits_minor": row.debits, "credits_minor": row.credits, "path": shown,
    });
    tx.commit(AuditEvent::new(actor, "journal.exported", &journal.document, detail)).await?;
    let places = settings.currency.code.places();
    let totals = journal.control_totals();
    Ok(Exported {
        document: journal.document,
        period: request.period,
        format: request.format.name(),
        lines: totals.lines as u64,
        debits: totals.debits,
        credits: totals.credits,
        debit_total: totals.debits.decimal(places),
        credit_total: totals.credits.decimal(places),
        copy,
        path: shown,
        sha256,
        notes,
        bytes,
    })
}

async fn current(
    reader: &mut Reader,
    period: Period,
    as_of: Option<LedgerNumber>,
) -> Result<Vec<Statement>, WorkflowError> {
    let mut statements = Vec::new();
    for row in reader.current_statements(period, as_of).await? {
        statements.push(reader.load_statement(&row.id).await?);
    }
    Ok(statements)
}

async fn last_model(
    reader: &mut Reader,
    period: Period,
) -> Result<Option<(JournalRow, Model)>, WorkflowError> {
    let Some(row) = reader.list_journals(Some(period), None).await?.pop() else { return Ok(None) };
    let model = read_model(reader, &row.document).await?;
    Ok(Some((row, model)))
}

async fn read_model(reader: &mut Reader, document: &str) -> Result<Model, WorkflowError> {
    let text = reader.load_journal_model(document).await?;
    serde_json::from_str(&text)
        .map_err(|error| WorkflowError::Internal(format!("journal {document} cannot be read: {error}")))
}

fn covers(journaled: &[(String, u32)], current: &[(String, u32)]) -> bool {
    current.iter().all(|statement| journaled.contains(statement))
}

/// The statement versions that the journals so far have posted, by number: the latest of each.
pub(crate) async fn posted_before(
    reader: &mut Reader,
    period: Period,
    as_of: Option<LedgerNumber>,
) -> Result<BTreeMap<String, Statement>, WorkflowError> {
    let mut versions: BTreeMap<String, u32> = BTreeMap::new();
    for row in reader.list_journals(Some(period), as_of).await? {
        for (number, version) in read_model(reader, &row.document).await?.statements {
            let latest = versions.entry(number).or_default();
            *latest = version.max(*latest);
        }
    }
    let mut posted = BTreeMap::new();
    for (number, version) in versions {
        let id = StatementVersion { number: billing::StatementNumber(number.clone()), version };
        posted.insert(number, reader.load_statement(&id).await?);
    }
    Ok(posted)
}

fn make(
    period: Period,
    document: String,
    statements: &[Statement],
    posted: &BTreeMap<String, Statement>,
    settings: &Settings,
) -> Result<Journal, WorkflowError> {
    let mut reversed: Vec<Statement> = Vec::new();
    for statement in statements {
        if let Some(old) = posted.get(&statement.number.0).filter(|old| old.version != statement.version) {
            let mut old = old.clone();
            for line in &mut old.lines {
                line.due = -line.due;
                line.subsidy = -line.subsidy;
            }
            reversed.push(old);
        }
    }
    let is_posted = |statement: &&Statement| {
        posted.get(&statement.number.0).is_none_or(|old| old.version != statement.version)
    };
    let new = statements.iter().filter(is_posted);
    let lines: Vec<StatementLines<'_>> = new.chain(&reversed).map(StatementLines::from).collect();
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

fn file(
    installation: &Installation,
    request: &Request,
    journal: &Journal,
    statements: &[Statement],
    settings: &Settings,
) -> Result<(Vec<u8>, Vec<String>), WorkflowError> {
    let failed = |why: String| WorkflowError::Render { what: format!("journal {}", journal.document), why };
    let descriptions = Descriptions::compile(&settings.journal)
        .map_err(|bad| Refusal::new("journal descriptions").details(bad.iter().map(ToString::to_string)))?;
    let bytes = match request.format {
        Format::Detail => journal_detail(statements),
        Format::Summary => journal_summary(statements),
        Format::Gl => journal_gl(&journal.grouped(Grouping::Gl, &descriptions), &settings.currency),
        Format::Template => {
            let template = template(installation, request, settings)?;
            let grouped = journal.grouped(Grouping::Gl, &descriptions);
            let bytes = template
                .render(&grouped, &settings.currency, &installation.template_config)
                .map_err(|error| failed(error.to_string()))?;
            return Ok((bytes, template.note().map(str::to_owned).into_iter().collect()));
        }
    };
    Ok((bytes, Vec::new()))
}

/// A path given, then the institution's folders, then what is built in.
fn template(
    installation: &Installation,
    request: &Request,
    settings: &Settings,
) -> Result<JournalTemplate, WorkflowError> {
    let name = &settings.journal.template;
    let path = match &request.template {
        Some(path) => Some(path.clone()),
        None => {
            installation.folders.templates.iter().map(|folder| folder.join(name)).find(|path| path.exists())
        }
    };
    let Some(path) = path else {
        if name == "journal_gl.csv" {
            return JournalTemplate::built_in().map_err(|error| WorkflowError::Internal(error.to_string()));
        }
        return Err({
            let folders = installation.folders.templates.iter();
            let folders: Vec<String> =
                folders.map(|folder| installation.folders.shown(folder).to_string()).collect();
            Refusal::new(format!("journal template `{name}` cannot be found"))
                .hint(format!("looked in {}", folders.join(", ")))
                .hint("`--template FILE` names one; `journal_gl.csv` is built in")
                .into()
        });
    };
    let text = std::fs::read_to_string(&path).map_err(|source| WorkflowError::file("read", &path, source))?;
    let shown = installation.folders.shown(&path).to_string();
    JournalTemplate::compile(&shown, &text)
        .map_err(|error| Refusal::new(format!("journal template: {error}")).into())
}

fn file_path(installation: &Installation, request: &Request, journal: &Journal) -> PathBuf {
    let name = format!("{}_{}.csv", journal.document, request.format.name());
    installation.folders.journals.join(name)
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
    let as_of = Some(row.computed_at);
    let statements = current(reader, row.period, as_of).await?;
    let posted = posted_before(reader, row.period, as_of).await?;
    let follows = make(row.period, row.document.clone(), &statements, &posted, &settings)?;
    Ok(Recomputed { text, recorded: model.journal, follows })
}

/// The statements whose posted lines a journal has.
pub(crate) async fn statements_of(
    reader: &mut Reader,
    document: &str,
) -> Result<Vec<billing::StatementNumber>, WorkflowError> {
    let model = read_model(reader, document).await?;
    Ok(model.statements.into_iter().map(|(number, _)| billing::StatementNumber(number)).collect())
}
