use askama::Template;
use axum::extract::{Path, State};
use axum::response::Response;
use billing::Period;
use serde::Deserialize;
use workflow::periods::{self, PeriodSummary};
use workflow::report::Sum;

use crate::App;
use crate::access::{Access, Caller};
use crate::error::{PageError, PageResult};
use crate::flash::Next;
use crate::form::{Form, some};
use crate::frame::{Frame, page};
use crate::routes::Routes;

pub fn routes() -> Routes {
    Routes::default()
        .page("/periods", Access::Viewer, list)
        .act("/periods", Access::Reviewer, "periods open", open)
        .page("/periods/{period}", Access::Viewer, show)
        .act("/periods/{period}/close", Access::Reviewer, "periods close", close)
        .act("/periods/{period}/reopen", Access::Reviewer, "periods reopen", reopen)
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
}

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
}

async fn show(State(app): State<App>, Path(period): Path<String>, frame: Frame) -> PageResult<Response> {
    let period = read(&period)?;
    let summary = periods::show(&app.installation, period).await?;
    page(&ShowPage { frame: frame.titled(period.to_string()).help("operations").of_period(period), summary })
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

#[derive(Deserialize)]
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
    Form(form): Form<Confirmation>,
) -> PageResult<Next> {
    let period = read(&period)?;
    if form.confirm.trim() != period.to_string() {
        return Err(PageError::bad_request(format!(
            "to finalize {period}, type {period} into the field; `{}` was typed",
            form.confirm.trim()
        )));
    }
    periods::finalize(&app.installation, &caller.actor(), period, some(&form.notes).as_deref()).await?;
    Ok(Next::page(format!("/periods/{period}")).saying(format!("{period} is finalized")))
}

/// A period of the address.
pub fn read(text: &str) -> PageResult<Period> {
    text.parse()
        .map_err(|_| PageError::bad_request(format!("`{text}` is not a billing period such as 2025-01")))
}
