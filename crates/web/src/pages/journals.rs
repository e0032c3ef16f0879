//! Journals: what is to be posted, what was handed to accounting, and what accounting made of it.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use askama::Template;
use axum::extract::{Path, State};
use axum::response::Response;
use billing::Period;
use billing::journal::{ControlTotals, JournalEntry, JournalLine, JournalState, Side};
use money::Minor;
use serde::Deserialize;
use workflow::journal::{self, Exported, Format, Preview, Request};
use workflow::journals::{self, Answer, JournalDetail, JournalSummary};

use super::periods::read;
use super::statements::not_found;
use crate::App;
use crate::access::{Access, Caller};
use crate::download::{self, CSV};
use crate::error::{PageError, PageResult};
use crate::flash::Next;
use crate::form::{Form, Query, some};
use crate::frame::{Frame, page};
use crate::pager::Pager;
use crate::routes::Routes;

pub fn routes() -> Routes {
    Routes::default()
        .page("/journals", Access::Viewer, list)
        .act("/journals", Access::Reviewer, "export-journal", export)
        .page("/journals/preview", Access::Viewer, preview)
        .page("/journals/{document}", Access::Viewer, show)
        .act("/journals/{document}/copy", Access::Reviewer, "export-journal", copy)
        .page("/journals/{document}/files/{sha256}", Access::Viewer, file)
        .act("/journals/{document}/accept", Access::Reviewer, "journals accept", accept)
        .act("/journals/{document}/reject", Access::Reviewer, "journals reject", reject)
        .act("/journals/{document}/waive", Access::Reviewer, "journals waive", waive)
}

/// The forms that a file is handed out in, and what each is for.
const FORMATS: [(Format, &str); 4] = [
    (Format::Gl, "a line for each fund and account, for the general ledger"),
    (Format::Detail, "a line for each posted line, to explain it"),
    (Format::Summary, "a line for each PI and project"),
    (Format::Template, "the institution's own form"),
];

fn read_format(text: &str) -> PageResult<Format> {
    let named = FORMATS.iter().find(|(format, _)| format.name() == text);
    named.map(|(format, _)| *format).ok_or_else(|| {
        PageError::bad_request(format!(
            "`{text}` is not a format: there are gl, detail, summary and template"
        ))
    })
}

/// A state as a word with a colour.
pub fn pill(state: &JournalState) -> String {
    let tone = match state {
        JournalState::Exported => "warn",
        JournalState::Accepted { .. } => "good",
        JournalState::Rejected { .. } => "bad",
        JournalState::Waived { .. } => "info",
    };
    format!("<span class=\"pill {tone}\">{}</span>", state.name())
}

/// What accounting or somebody said about it.
fn words(state: &JournalState) -> Option<&str> {
    match state {
        JournalState::Exported => None,
        JournalState::Accepted { note, .. } => note.as_deref(),
        JournalState::Rejected { reason, .. } | JournalState::Waived { reason, .. } => Some(reason),
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Asked {
    period: String,
    state: String,
}

#[derive(Template)]
#[template(path = "journals/list.html")]
struct ListPage {
    frame: Frame,
    asked: Asked,
    period: Option<Period>,
    rows: Vec<JournalSummary>,
    known: usize,
}

impl ListPage {
    fn debits(&self) -> Minor {
        self.rows.iter().map(|one| one.totals.debits).sum()
    }
}

async fn list(State(app): State<App>, frame: Frame, Query(asked): Query<Asked>) -> PageResult<Response> {
    let period = if asked.period == "all" { None } else { frame.period };
    let mut rows = journals::list(&app.installation, period).await?;
    let known = rows.len();
    rows.retain(|one| asked.state.is_empty() || one.record.state.name() == asked.state);
    rows.reverse();
    let frame = frame.titled("Journals").help("statements-and-journals");
    page(&ListPage { frame, asked, period, rows, known })
}

/// What a fund pays or gets by the whole journal.
struct FundSum {
    fund_org: String,
    debits: Minor,
    credits: Minor,
}

impl FundSum {
    fn balance(&self) -> Minor {
        self.debits - self.credits
    }
}

#[derive(Template)]
#[template(path = "journals/preview.html")]
struct PreviewPage {
    frame: Frame,
    preview: Arc<Preview>,
    is_open: bool,
    is_final: bool,
}

impl PreviewPage {
    fn entries(&self) -> &[JournalEntry] {
        self.preview.journal.as_ref().map_or(&[], |journal| &journal.entries)
    }

    fn funds(&self) -> Vec<FundSum> {
        let mut funds: BTreeMap<&str, FundSum> = BTreeMap::new();
        for line in self.entries().iter().flat_map(JournalEntry::lines) {
            let fund = funds.entry(&line.fund_org).or_insert_with(|| FundSum {
                fund_org: line.fund_org.clone(),
                debits: Minor::ZERO,
                credits: Minor::ZERO,
            });
            match line.side {
                Side::Debit => fund.debits += line.amount,
                Side::Credit => fund.credits += line.amount,
            }
        }
        funds.into_values().collect()
    }

    fn may_export(&self) -> bool {
        self.preview.journal.is_some() && !self.is_open && !self.is_final && self.frame.may_review()
    }
}

fn totals(entry: &JournalEntry) -> ControlTotals {
    ControlTotals::of(entry.lines())
}

/// The amount, if it stands on this side.
fn on(line: &JournalLine, side: &str) -> Option<Minor> {
    let is_debit = line.side == Side::Debit;
    (is_debit == (side == "debit")).then_some(line.amount)
}

async fn preview(State(app): State<App>, frame: Frame) -> PageResult<Response> {
    let period = frame.need_period()?;
    let preview = journal::preview(&app.installation, period).await?;
    let state = frame.state_of(&period);
    let (is_open, is_final) = (state == "open", state == "finalized");
    let frame = frame.titled("The next journal").help("statements-and-journals");
    page(&PreviewPage { frame, preview, is_open, is_final })
}

#[derive(Deserialize)]
struct Wanted {
    period: String,
    format: String,
}

async fn export(State(app): State<App>, caller: Caller, Form(wanted): Form<Wanted>) -> PageResult<Next> {
    let request = Request {
        period: read(&wanted.period)?,
        format: read_format(&wanted.format)?,
        template: None,
        output: None,
        document: None,
    };
    let exported = journal::export(&app.installation, &caller.actor(), &request).await?;
    Ok(handed_out(&exported))
}

#[derive(Deserialize)]
struct WantedCopy {
    format: String,
}

async fn copy(
    State(app): State<App>,
    caller: Caller,
    Path(document): Path<String>,
    Form(wanted): Form<WantedCopy>,
) -> PageResult<Next> {
    let format = read_format(&wanted.format)?;
    let detail = journals::show(&app.installation, &document).await.map_err(not_found)?;
    let journal = detail.summary.record.journal;
    let document = Some(journal.document);
    let request = Request { period: journal.period, format, template: None, output: None, document };
    let exported = journal::export(&app.installation, &caller.actor(), &request).await?;
    Ok(handed_out(&exported))
}

fn handed_out(exported: &Exported) -> Next {
    let Exported { document, format, copy, same_bytes, notes, .. } = exported;
    let mut said = match (*copy, *same_bytes) {
        (false, _) => format!("{document} is written as {format}; its file is below"),
        (true, true) => {
            format!("this is a COPY: {document} was handed out as {format} before, with the same bytes")
        }
        (true, false) => format!(
            "this is a COPY with other bytes than the first {format} file of {document}: the template or the \
             configuration has changed since"
        ),
    };
    if !exported.replaces.is_empty() {
        let _ = write!(said, "; it posts again what accounting rejected as {}", exported.replaces.join(", "));
    }
    for note in notes {
        let _ = write!(said, "; {note}");
    }
    let next = Next::page(format!("/journals/{document}#files"));
    if *copy || !notes.is_empty() { next.warning(said) } else { next.saying(said) }
}

#[derive(Template)]
#[template(path = "journals/show.html")]
struct ShowPage {
    frame: Frame,
    detail: JournalDetail,
    /// Of this page.
    lines: Vec<JournalLine>,
    pager: Pager,
}

/// Lines and statements of one page.
const SHOWN: usize = 100;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct AskedLines {
    page: usize,
}

impl ShowPage {
    fn formats() -> [(Format, &'static str); 4] {
        FORMATS
    }

    fn may_be(&self, answer: &str) -> bool {
        match (&self.detail.summary.record.state, answer) {
            (JournalState::Exported, _) => true,
            (JournalState::Waived { .. }, answer) => answer != "waived",
            (JournalState::Rejected { replaced_by: None, .. }, answer) => answer == "accepted",
            _ => false,
        }
    }
}

async fn show(
    State(app): State<App>,
    Path(document): Path<String>,
    frame: Frame,
    Query(asked): Query<AskedLines>,
) -> PageResult<Response> {
    let mut detail = journals::show(&app.installation, &document).await.map_err(not_found)?;
    let journal = &detail.summary.record.journal;
    let frame = frame.titled(format!("Journal {}", journal.document));
    let frame = frame.help("statements-and-journals").of_period(journal.period);
    let lines = std::mem::take(&mut detail.general_ledger);
    let path = format!("/journals/{}", detail.summary.record.journal.document);
    let pager = Pager::new(asked.page, SHOWN, lines.len(), &path, "");
    page(&ShowPage { frame, detail, lines: pager.part(lines), pager })
}

async fn file(
    State(app): State<App>,
    Path((document, sha256)): Path<(String, String)>,
) -> PageResult<Response> {
    let (export, bytes) = journals::file(&app.installation, &document, &sha256).await.map_err(not_found)?;
    let name = format!("{}_{}.csv", export.document, export.format);
    Ok(download::attachment(&name, CSV, bytes))
}

#[derive(Deserialize)]
struct Note {
    #[serde(default)]
    note: String,
}

async fn accept(
    State(app): State<App>,
    caller: Caller,
    Path(document): Path<String>,
    Form(form): Form<Note>,
) -> PageResult<Next> {
    answer(&app, &caller, &document, &Answer::Accept { note: some(&form.note) }).await
}

#[derive(Deserialize)]
struct Reason {
    #[serde(default)]
    reason: String,
}

async fn reject(
    State(app): State<App>,
    caller: Caller,
    Path(document): Path<String>,
    Form(form): Form<Reason>,
) -> PageResult<Next> {
    answer(&app, &caller, &document, &Answer::Reject { reason: form.reason }).await
}

async fn waive(
    State(app): State<App>,
    caller: Caller,
    Path(document): Path<String>,
    Form(form): Form<Reason>,
) -> PageResult<Next> {
    answer(&app, &caller, &document, &Answer::Waive { reason: form.reason }).await
}

async fn answer(app: &App, caller: &Caller, document: &str, answer: &Answer) -> PageResult<Next> {
    let record = journals::answer(&app.installation, &caller.actor(), document, answer).await?;
    let (document, state) = (&record.journal.document, record.state.name());
    let next = Next::page(format!("/journals/{document}"));
    if record.state.stands() {
        return Ok(next.saying(format!("{document} is {state}")));
    }
    Ok(next.saying(format!(
        "{document} is {state}; the next journal of {} posts its money again",
        record.journal.period
    )))
}
