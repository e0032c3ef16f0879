//! What is answered: JSON in the shapes of the commands, lists by pages, jobs, files.

use axum::Json;
use axum::body::Body;
use axum::http::StatusCode;
use axum::http::header::{HeaderValue, WWW_AUTHENTICATE};
use axum::response::{IntoResponse, Response};
use billing::Period;
use serde::Serialize;
use serde_json::{Value, json};
use std::sync::Arc;

use super::asked::Page;
use crate::App;
use crate::access::Caller;
use crate::download;
pub use crate::download::CSV;
use crate::error::{ErrorKind, PageError, PageResult};
use crate::jobs::{Ending, Progress};

pub type Answer = PageResult<Response>;

/// # Errors
/// None; handlers end with it.
#[expect(clippy::unnecessary_wraps, reason = "it is the last line of handlers that can fail")]
pub fn answer(value: impl Serialize) -> Answer {
    Ok(Json(value).into_response())
}

/// What an act came to where its command says nothing but that it is done.
///
/// # Errors
/// None.
pub fn done(number: ledger::LedgerNumber) -> Answer {
    answer(json!({ "number": number }))
}

/// A page of a list that is at hand whole.
///
/// # Errors
/// None.
pub fn list<T: Serialize>(page: Page, items: Vec<T>) -> Answer {
    let total = items.len() as u64;
    let items: Vec<T> = items.into_iter().skip(page.offset()).take(page.limit()).collect();
    page_of(page, total, &items)
}

/// A page of a list, of which there are `total` in all.
///
/// # Errors
/// None.
pub fn page_of<T: Serialize>(page: Page, total: u64, items: &[T]) -> Answer {
    answer(json!({ "total": total, "limit": page.limit, "offset": page.offset, "items": items }))
}

/// Begin long work and say where to look for it. What the work returns is the `result` of its job.
///
/// # Errors
/// None; handlers end with it.
#[expect(clippy::unnecessary_wraps, reason = "it is the last line of handlers that can fail")]
pub fn job<F>(
    app: &App,
    caller: &Caller,
    (name, period): (String, Option<Period>),
    work: impl FnOnce(Progress) -> F,
) -> Answer
where
    F: Future<Output = PageResult<Done>> + Send + 'static,
{
    let (status, body) = begun(begin(app, caller, (name, period), work));
    Ok((status, Json(body)).into_response())
}

/// The number of a job that is begun.
pub fn begin<F>(
    app: &App,
    caller: &Caller,
    (name, period): (String, Option<Period>),
    work: impl FnOnce(Progress) -> F,
) -> u64
where
    F: Future<Output = PageResult<Done>> + Send + 'static,
{
    app.jobs.begin(name, period, &caller.actor(), move |progress| {
        let work = work(progress);
        async move {
            let done = work.await?;
            let kept: Arc<dyn std::any::Any + Send + Sync> = Arc::new(done.result);
            Ok(Ending { kept: Some(kept), ..Ending::new(done.said, done.to) })
        }
    })
}

fn begun(id: u64) -> (StatusCode, Value) {
    (StatusCode::ACCEPTED, json!({ "job": id, "at": address(id) }))
}

/// Where a job is looked at.
#[must_use]
pub fn address(id: u64) -> String {
    format!("/api/v1/jobs/{id}")
}

/// How a job of the API ended.
pub struct Done {
    /// For people who look at its page.
    pub said: String,
    pub to: String,
    /// As the command writes it with `--json`.
    pub result: Value,
}

impl Done {
    /// # Errors
    /// A value that is no JSON, which would be our own mistake.
    pub fn new(said: impl Into<String>, to: impl Into<String>, result: impl Serialize) -> PageResult<Done> {
        let result = serde_json::to_value(result).map_err(PageError::internal)?;
        Ok(Done { said: said.into(), to: to.into(), result })
    }
}

/// A file under a name of ours.
///
/// # Errors
/// None.
#[expect(clippy::unnecessary_wraps, reason = "it is the last line of handlers that can fail")]
pub fn file(kind: &'static str, name: &str, bytes: impl Into<Body>) -> Answer {
    Ok(download::attachment(name, kind, bytes))
}

/// Why a request was not done.
#[must_use]
pub fn error(error: PageError, request_id: &str) -> Response {
    let hint = match error.kind {
        ErrorKind::SignedOut => Some("send `Authorization: Bearer …`, a token of your account that is good"),
        ErrorKind::StaleForm => Some("with a session, send the header `X-CSRF-Token` of its pages"),
        _ => None,
    };
    let refusal = error.refusal;
    let hints: Vec<String> = match error.kind {
        ErrorKind::StaleForm => hint.into_iter().map(str::to_owned).collect(),
        _ => refusal.hints.into_iter().chain(hint.map(str::to_owned)).collect(),
    };
    let body = json!({ "error": {
        "message": refusal.message, "details": refusal.details, "hints": hints, "request": request_id } });
    let mut response = (error.status, Json(body)).into_response();
    if error.status == StatusCode::UNAUTHORIZED {
        response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    response
}
