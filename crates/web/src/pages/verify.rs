//! The books proven: everything that was issued computed again, as a job, and its report.

use std::collections::BTreeSet;
use std::sync::Arc;

use askama::Template;
use axum::extract::{Path, State};
use axum::response::Response;
use billing::Period;
use money::grouped;
use serde::Deserialize;
use workflow::verify::{Check, Request, Verified};

use super::periods::read;
use crate::App;
use crate::access::{Access, Caller};
use crate::error::{PageError, PageResult};
use crate::flash::Next;
use crate::form::{Form, some};
use crate::frame::{Frame, page};
use crate::jobs::{Ending, Job};
use crate::routes::Routes;

pub fn routes() -> Routes {
    Routes::default()
        .page("/verify", Access::Viewer, ask)
        .act("/verify", Access::Viewer, "verify", begin)
        .page("/verify/{job}", Access::Viewer, show)
}

/// Names of jobs begin so.
const PROVING: &str = "Proving the books";

#[derive(Template)]
#[template(path = "verify/ask.html")]
struct AskPage {
    frame: Frame,
    running: Option<Job>,
    reports: Vec<(Job, Arc<Verified>)>,
}

async fn ask(State(app): State<App>, frame: Frame) -> PageResult<Response> {
    let jobs = app.jobs.list();
    let running = jobs.iter().find(|job| is_proving(job)).cloned();
    let reports = jobs.into_iter().filter_map(|job| {
        let found = job.kept::<Verified>()?;
        Some((job, found))
    });
    let reports = reports.take(10).collect();
    page(&AskPage { frame: frame.titled("Verify").help("verify"), running, reports })
}

fn is_proving(job: &Job) -> bool {
    job.is_running() && job.name.starts_with(PROVING)
}

#[derive(Deserialize)]
struct Wanted {
    #[serde(default)]
    period: String,
    #[serde(default)]
    deep: bool,
}

async fn begin(State(app): State<App>, caller: Caller, Form(wanted): Form<Wanted>) -> PageResult<Next> {
    let period = some(&wanted.period).map(|text| read(&text)).transpose()?;
    // One at a time is enough: it reads everything.
    if let Some(job) = app.jobs.list().iter().find(|job| is_proving(job)) {
        return Ok(
            Next::page(format!("/jobs/{}", job.id)).warning("this was begun before and is not done yet")
        );
    }
    let request = Request { period, deep: wanted.deep };
    let installation = app.installation.clone();
    let id = app.jobs.begin(name(period), period, &caller.actor(), move |progress| async move {
        let seen = |at: workflow::verify::Progress| {
            let of = (0 < at.bytes_total).then_some(at.bytes_total);
            progress.say(at.step, at.bytes, of);
        };
        let found = workflow::verify::verify(&installation, request, &seen).await?;
        let said = if found.sound {
            "the books hold".to_owned()
        } else {
            format!("the books do NOT hold: {} differences", grouped(found.differences.len() as u64))
        };
        let to = format!("/verify/{}", progress.job());
        Ok(Ending { kept: Some(Arc::new(found)), ..Ending::new(said, to) })
    });
    Ok(Next::page(format!("/jobs/{id}")))
}

fn name(period: Option<Period>) -> String {
    period.map_or_else(|| PROVING.to_owned(), |period| format!("{PROVING} of {period}"))
}

/// Differences that a page shows; `verify --json` has all.
const SHOWN: usize = 500;

#[derive(Template)]
#[template(path = "verify/show.html")]
struct ShowPage {
    frame: Frame,
    job: Job,
    found: Arc<Verified>,
    ways_on: Vec<&'static str>,
}

async fn show(State(app): State<App>, Path(id): Path<u64>, frame: Frame) -> PageResult<Response> {
    let job = app.jobs.find(id);
    let found = job.as_ref().and_then(Job::kept::<Verified>);
    let (job, found) = job
        .zip(found)
        .ok_or_else(|| PageError::not_found("this report is not known any more: prove the books again"))?;
    let kinds: BTreeSet<Check> = found.differences.iter().map(|difference| difference.check).collect();
    let ways_on = kinds.into_iter().map(Check::way_on).collect();
    page(&ShowPage { frame: frame.titled(job.name.clone()).help("verify"), job, found, ways_on })
}
