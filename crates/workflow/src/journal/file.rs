//! The bytes of a journal's file, in each format.

use std::path::PathBuf;

use billing::journal::{ControlTotals, Descriptions, Grouping, Journal, Posting};
use billing::settings::Settings;
use documents::{JournalTemplate, journal_detail, journal_gl, journal_summary};

use super::{Format, Request};
use crate::{Installation, Refusal, WorkflowError};

/// What is written, and what the person who hands it on should know.
pub(super) struct File {
    pub bytes: Vec<u8>,
    pub notes: Vec<String>,
    /// Of the document's general-ledger lines, whatever the format.
    pub totals: ControlTotals,
}

pub(super) fn file(
    installation: &Installation,
    request: &Request,
    journal: &Journal,
    postings: &[Posting],
    settings: &Settings,
) -> Result<File, WorkflowError> {
    let failed = |why: String| WorkflowError::Render { what: format!("journal {}", journal.document), why };
    let gl = general_ledger(journal, settings)?;
    let totals = gl.control_totals();
    let currency = &settings.currency;
    let explained = |bytes| Ok(File { bytes, notes: Vec::new(), totals });
    if request.format == Format::Detail {
        return explained(journal_detail(journal.period, postings, currency));
    }
    if request.format == Format::Summary {
        return explained(journal_summary(journal.period, postings, currency));
    }
    let (fitted, mut notes) = fitted(gl, settings)?;
    let bytes = if request.format == Format::Template {
        let template = template(installation, request, settings)?;
        notes.extend(template.note().map(str::to_owned));
        let rendered = template.render(&fitted, currency, &installation.template_config);
        rendered.map_err(|error| failed(error.to_string()))?
    } else {
        journal_gl(&fitted, currency)
    };
    Ok(File { bytes, notes, totals })
}

/// The document as accounting gets it: a line for each source, `fund_org` and account.
pub(crate) fn general_ledger(journal: &Journal, settings: &Settings) -> Result<Journal, WorkflowError> {
    let descriptions = Descriptions::compile(&settings.journal)
        .map_err(|bad| Refusal::new("journal descriptions").details(bad.iter().map(ToString::to_string)))?;
    Ok(journal.grouped(Grouping::Gl, &descriptions))
}

/// With texts that fit the ledger that takes it, and what was done to make them fit.
fn fitted(journal: Journal, settings: &Settings) -> Result<(Journal, Vec<String>), WorkflowError> {
    let limits = &settings.journal.limits;
    let document = journal.document.clone();
    let (journal, shortened) = journal.within(limits).map_err(|too_long| {
        Refusal::new(format!("cannot export journal {document}: {too_long}")).hint(too_long.hint())
    })?;
    let mut notes = Vec::new();
    if let (1.., Some(limit)) = (shortened.descriptions, limits.description) {
        let count = shortened.descriptions;
        notes.push(format!(
            "{count} descriptions were cut to {limit} characters (journal.limits.description)"
        ));
    }
    if let (1.., Some(limit)) = (shortened.references, limits.reference) {
        notes.push(format!(
            "{} references are {document}, because a statement's number does not fit into {limit} characters \
             (journal.limits.reference); `why {document}` names the statements",
            shortened.references
        ));
    }
    Ok((journal, notes))
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

pub(super) fn file_path(installation: &Installation, request: &Request, journal: &Journal) -> PathBuf {
    let name = format!("{}_{}.csv", journal.document, request.format.name());
    installation.folders.journals.join(name)
}
