use std::collections::BTreeMap;
use std::sync::Arc;

use askama::Template;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use billing::Period;
use billing::statement::StatementState;
use ledger::{AuditFilter, AuditRow, ImportFilter, PartState};
use money::{Amount, Minor};
use serde::Deserialize;
use workflow::imports::ImportSummary;
use workflow::journals::JournalSummary;
use workflow::periods::{self, Missing, PeriodSummary};
use workflow::report::Sum;
use workflow::{Refusal, WorkflowError};

use super::statements::not_found;
use crate::App;
use crate::access::{Access, Caller};
use crate::error::{PageError, PageResult};
use crate::flash::Next;
use crate::form::{Form, some};
use crate::frame::{Frame, page, refused_page};
use crate::routes::Routes;

pub fn routes() -> Routes {
    Routes::default()
        .page("/periods", Access::Viewer, list)
        .act("/periods", Access::Reviewer, "periods open", open)
        .page("/periods/{period}", Access::Viewer, show)
        .act("/periods/{period}/close", Access::Reviewer, "periods close", close)
        .act("/periods/{period}/reopen", Access::Reviewer, "periods reopen", reopen)
        .page("/periods/{period}/finalize", Access::Admin, ask_finalize)
        .act("/periods/{period}/finalize", Access::Admin, "periods finalize", finalize)
}

#[derive(Template)]
#[template(path = "periods/list.html")]
struct ListPage {
    frame: Frame,
    periods: Vec<PeriodSummary>,
}

async fn list(State(app): State<App>, frame: Frame) -> PageResult<Response> {
    let mut periods = periods::list(&app.installation).await?;
    periods.reverse();
    page(&ListPage { frame: frame.titled("Periods").help("operations"), periods })
}

#[derive(Deserialize)]
struct NewPeriod {
    period: String,
}

async fn open(State(app): State<App>, caller: Caller, Form(new): Form<NewPeriod>) -> PageResult<Next> {
    let period = read(new.period.trim())?;
    periods::open(&app.installation, &caller.actor(), period).await?;
    Ok(Next::page(format!("/periods/{period}")).saying(format!("{period} is open")))
}

#[derive(Template)]
#[template(path = "periods/show.html")]
struct ShowPage {
    frame: Frame,
    summary: PeriodSummary,
    /// What was done about it, the latest first.
    acts: Vec<AuditRow>,
    imports: Vec<ImportSummary>,
    /// The largest by amount due: PI, statements, amount.
    top: Vec<(String, u64, Minor)>,
    unsent: u64,
    journals: Vec<JournalSummary>,
}

/// Of each list on the page of a period.
const SHOWN: usize = 10;

impl ShowPage {
    fn states(&self) -> [(&'static str, Sum); 5] {
        let totals = &self.summary.totals;
        [
            ("billable", totals.billable),
            ("held for review", totals.held),
            ("rejected", totals.rejected),
            ("deferred to later", totals.deferred),
            ("deferred here from earlier", totals.deferred_here),
        ]
    }

    /// Notes of the act, or its reason.
    fn note(&self, row: &AuditRow) -> Option<String> {
        let event = self.summary.record.events.iter().find(|event| event.number == row.number)?;
        event.note.clone()
    }

    /// What of the period's charges an import holds, and whether it counts.
    fn part(&self, import: &ImportSummary) -> (u64, Amount, &'static str) {
        let period = self.summary.record.period;
        let own = || import.parts.iter().filter(|standing| standing.part.key.period == period);
        let is_live = own().any(|standing| standing.state == PartState::Live);
        let state = if is_live { "live" } else { own().next().map_or("", |standing| standing.state.name()) };
        let rows = own().map(|standing| standing.part.rows).sum();
        (rows, own().map(|standing| standing.part.billed_cost).sum(), state)
    }
}

async fn show(State(app): State<App>, Path(period): Path<String>, frame: Frame) -> PageResult<Response> {
    let period = read(&period)?;
    let summary = periods::show(&app.installation, period).await.map_err(not_found)?;
    let filter = AuditFilter {
        subject: Some(period.to_string()),
        limit: Some(SHOWN as u64),
        ..AuditFilter::default()
    };
    let mut acts = workflow::audit::list(&app.installation, &filter).await?;
    acts.reverse();
    let filter = ImportFilter { period: Some(period), limit: Some(SHOWN as u64), ..ImportFilter::default() };
    let imports = workflow::imports::list(&app.installation, &filter).await?;
    let statements = workflow::statements::list(&app.installation, Some(period), None, false).await?;
    let unsent = statements.iter().filter(|one| matches!(one.state, StatementState::Issued)).count() as u64;
    let mut by_pi: BTreeMap<&str, (u64, Minor)> = BTreeMap::new();
    for one in &statements {
        let sum = by_pi.entry(&one.row.pi_email).or_insert((0, Minor::ZERO));
        *sum = (sum.0 + 1, sum.1 + one.row.totals.due);
    }
    let mut top: Vec<(String, u64, Minor)> =
        by_pi.into_iter().map(|(pi, (count, due))| (pi.to_owned(), count, due)).collect();
    top.sort_by_key(|(_, _, due)| std::cmp::Reverse(*due));
    top.truncate(SHOWN);
    let journals = workflow::journals::list(&app.installation, Some(period)).await?;
    let frame = frame.titled(period.to_string()).help("operations").of_period(period);
    page(&ShowPage { frame, summary, acts, imports, top, unsent, journals })
}

#[derive(Template)]
#[template(path = "periods/finalize.html")]
struct FinalizePage {
    frame: Frame,
    period: Period,
    state: &'static str,
    missing: Arc<Missing>,
    refusal: Option<Refusal>,
    confirm: String,
    notes: String,
}

impl FinalizePage {
    fn unposted(&self) -> u64 {
        self.missing.not_settled.unposted.len() as u64
    }
}

/// Before it is done: everything that is missing, at once.
async fn ask_finalize(
    State(app): State<App>,
    Path(period): Path<String>,
    frame: Frame,
) -> PageResult<Response> {
    let period = read(&period)?;
    page(&finalize_page(&app, frame, period, None, Confirmation::default()).await?)
}

async fn finalize_page(
    app: &App,
    frame: Frame,
    period: Period,
    refusal: Option<Refusal>,
    form: Confirmation,
) -> PageResult<FinalizePage> {
    let missing = periods::missing(&app.installation, period).await.map_err(not_found)?;
    let state = frame.state_of(&period);
    let frame = frame.titled(format!("Finalize {period}")).help("operations").of_period(period);
    Ok(FinalizePage { frame, period, state, missing, refusal, confirm: form.confirm, notes: form.notes })
}

#[derive(Deserialize)]
struct Notes {
    #[serde(default)]
    notes: String,
}

async fn close(
    State(app): State<App>,
    caller: Caller,
    Path(period): Path<String>,
    Form(form): Form<Notes>,
) -> PageResult<Next> {
    let period = read(&period)?;
    periods::close(&app.installation, &caller.actor(), period, some(&form.notes).as_deref()).await?;
    Ok(Next::page(format!("/periods/{period}"))
        .saying(format!("{period} is closed; next are its statements")))
}

#[derive(Deserialize)]
struct Reason {
    #[serde(default)]
    reason: String,
}

async fn reopen(
    State(app): State<App>,
    caller: Caller,
    Path(period): Path<String>,
    Form(form): Form<Reason>,
) -> PageResult<Next> {
    let period = read(&period)?;
    periods::reopen(&app.installation, &caller.actor(), period, form.reason.trim()).await?;
    Ok(Next::page(format!("/periods/{period}")).saying(format!("{period} is open again")))
}

#[derive(Default, Deserialize)]
struct Confirmation {
    #[serde(default)]
    confirm: String,
    #[serde(default)]
    notes: String,
}

/// What cannot be taken back is typed.
async fn finalize(
    State(app): State<App>,
    caller: Caller,
    Path(period): Path<String>,
    frame: Frame,
    Form(form): Form<Confirmation>,
) -> PageResult<Response> {
    let period = read(&period)?;
    let typed = form.confirm.trim();
    let done = if typed == period.to_string() {
        let notes = some(&form.notes);
        periods::finalize(&app.installation, &caller.actor(), period, notes.as_deref()).await
    } else {
        let refusal =
            Refusal::new(format!("to finalize {period}, type {period} into the field; `{typed}` was typed"));
        Err(refusal.into())
    };
    match done {
        Ok(_) => {
            let next = Next::page(format!("/periods/{period}")).saying(format!("{period} is finalized"));
            Ok(next.into_response())
        }
        Err(WorkflowError::Refused(refusal)) => {
            refused_page(&finalize_page(&app, frame, period, Some(refusal), form).await?)
        }
        Err(error) => Err(error.into()),
    }
}

/// A period of the address.
pub fn read(text: &str) -> PageResult<Period> {
    text.parse()
        .map_err(|_| PageError::bad_request(format!("`{text}` is not a billing period such as 2025-01")))
}
