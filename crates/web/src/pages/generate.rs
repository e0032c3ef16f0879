//! Statements before they are issued: what they would be, as a list or as drafts, and the act itself. All of
//! it takes longer than a request may, so all of it is a job.

use std::fmt::Write as _;
use std::sync::Arc;

use askama::Template;
use axum::extract::{Path, State};
use axum::response::Response;
use billing::Period;
use billing::period::PeriodState;
use billing::statement::Totals;
use money::grouped;
use serde::{Deserialize, Serialize};
use workflow::Refusal;
use workflow::drafts::write_drafts;
use workflow::generate::{Change, Generated, Issued, generate};

use super::periods::read;
use crate::App;
use crate::access::{Access, Caller};
use crate::download;
use crate::error::{PageError, PageResult};
use crate::flash::Next;
use crate::form::{Form, Query, query};
use crate::frame::{Frame, page};
use crate::jobs::{Ending, Job};
use crate::pager::Pager;
use crate::routes::Routes;

pub fn routes() -> Routes {
    Routes::default()
        .page("/statements/generate", Access::Viewer, ask)
        .act("/statements/generate", Access::Reviewer, "generate", make)
        .act("/statements/preview", Access::Reviewer, "generate", preview)
        .act("/statements/drafts", Access::Reviewer, "generate", drafts)
        .page("/statements/previews/{job}", Access::Viewer, show)
        .page("/statements/previews/{job}/{at}/pdf", Access::Viewer, draft_pdf)
}

#[derive(Template)]
#[template(path = "generate/ask.html")]
struct AskPage {
    frame: Frame,
    period: Period,
    state: PeriodState,
    issued: usize,
    /// Looks at what would be made that are still known, the latest first.
    looks: Vec<Job>,
}

async fn ask(State(app): State<App>, frame: Frame) -> PageResult<Response> {
    let period = frame.need_period()?;
    let mut reader = app.installation.ledger.read().await?;
    let state = workflow::periods::load(&mut reader, period).await?.state;
    let issued = reader.current_statements(period, None).await?.len();
    let is_look = |job: &Job| job.period == Some(period) && job.kept::<Look>().is_some();
    let looks = app.jobs.list().into_iter().filter(is_look).take(5).collect();
    let frame = frame.titled("Make statements").help("statements-and-journals");
    page(&AskPage { frame, period, state, issued, looks })
}

/// What would be made, as it was computed.
struct Look {
    generated: Generated,
    /// As files that can be read, beside the list.
    as_drafts: bool,
}

#[derive(Deserialize)]
struct Wanted {
    period: String,
}

async fn preview(State(app): State<App>, caller: Caller, Form(wanted): Form<Wanted>) -> PageResult<Next> {
    const CHANGES_NOTHING: bool = true;
    let period = read(&wanted.period)?;
    let (installation, actor) = (app.installation.clone(), caller.actor());
    let name = format!("Statements of {period}, before they are made");
    let id = app.jobs.begin(name, Some(period), &caller.actor(), move |progress| async move {
        progress.say("computing the statements", 0, None);
        let generated = generate(&installation, &actor, period, CHANGES_NOTHING, &|_, _| {}).await?;
        Ok(looked(Look { generated, as_drafts: false }, progress.job()))
    });
    Ok(Next::page(format!("/jobs/{id}")))
}

async fn drafts(State(app): State<App>, caller: Caller, Form(wanted): Form<Wanted>) -> PageResult<Next> {
    let period = read(&wanted.period)?;
    let (installation, actor) = (app.installation.clone(), caller.actor());
    let name = format!("Drafts of the statements of {period}");
    let id = app.jobs.begin(name, Some(period), &caller.actor(), move |progress| async move {
        progress.say("computing the statements", 0, None);
        let seen = |done: usize, of: usize| progress.say("writing drafts", done as u64, Some(of as u64));
        let generated = write_drafts(&installation, &actor, period, &seen).await?;
        Ok(looked(Look { generated, as_drafts: true }, progress.job()))
    });
    Ok(Next::page(format!("/jobs/{id}")))
}

fn looked(look: Look, job: u64) -> Ending {
    let (new, replaced, unchanged) = counts(&look.generated.statements);
    let said = format!(
        "{} new, {} changed, {} unchanged; nothing was issued",
        grouped(new),
        grouped(replaced),
        grouped(unchanged)
    );
    Ending { kept: Some(Arc::new(look)), ..Ending::new(said, format!("/statements/previews/{job}")) }
}

fn counts(statements: &[Issued]) -> (u64, u64, u64) {
    let count = |is: fn(&Change) -> bool| statements.iter().filter(|one| is(&one.change)).count() as u64;
    (
        count(|change| matches!(change, Change::New)),
        count(|change| matches!(change, Change::Replaced(_))),
        count(|change| matches!(change, Change::Unchanged)),
    )
}

async fn make(State(app): State<App>, caller: Caller, Form(wanted): Form<Wanted>) -> PageResult<Next> {
    const CHANGES_NOTHING: bool = true;
    let period = read(&wanted.period)?;
    let (installation, actor) = (app.installation.clone(), caller.actor());
    let name = format!("Statements of {period}");
    let id = app.jobs.begin(name, Some(period), &caller.actor(), move |progress| async move {
        progress.say("computing the statements", 0, None);
        let seen = |done: usize, of: usize| progress.say("rendering documents", done as u64, Some(of as u64));
        let generated = generate(&installation, &actor, period, !CHANGES_NOTHING, &seen).await?;
        let (new, replaced, unchanged) = counts(&generated.statements);
        let mut said = format!(
            "{} new, {} changed, {} unchanged; {} documents rendered",
            grouped(new),
            grouped(replaced),
            grouped(unchanged),
            grouped(generated.rendered as u64)
        );
        if 0 < generated.held.rows {
            let _ = write!(said, "; {} charges are held and on no statement", grouped(generated.held.rows));
        }
        Ok(Ending::new(said, format!("/statements?period={period}")))
    });
    Ok(Next::page(format!("/jobs/{id}")))
}

const SHOWN: usize = 50;

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct Asked {
    #[serde(skip_serializing_if = "String::is_empty")]
    change: String,
    #[serde(skip_serializing)]
    page: usize,
}

#[derive(Template)]
#[template(path = "generate/show.html")]
struct ShowPage {
    frame: Frame,
    job: Job,
    period: Period,
    is_closed: bool,
    look: Arc<Look>,
    asked: Asked,
    /// With their places in the whole list.
    rows: Vec<(usize, Issued)>,
    totals: Totals,
    counts: (u64, u64, u64),
    pager: Pager,
}

impl ShowPage {
    fn to_make(&self) -> u64 {
        self.counts.0 + self.counts.1
    }

    fn is(&self, change: &str) -> bool {
        self.asked.change == change
    }
}

fn kind(change: &Change) -> &'static str {
    match change {
        Change::New => "new",
        Change::Replaced(_) => "changed",
        Change::Unchanged => "unchanged",
    }
}

async fn show(
    State(app): State<App>,
    Path(id): Path<u64>,
    frame: Frame,
    Query(asked): Query<Asked>,
) -> PageResult<Response> {
    let (job, look) = find(&app, id)?;
    let period = job.period.map_or_else(|| frame.need_period(), Ok)?;
    let mut reader = app.installation.ledger.read().await?;
    let state = workflow::periods::load(&mut reader, period).await?.state;
    let statements = &look.generated.statements;
    let is_asked = |one: &&Issued| asked.change.is_empty() || kind(&one.change) == asked.change;
    let chosen: Vec<usize> =
        (0..statements.len()).filter(|&at| statements.get(at).as_ref().is_some_and(is_asked)).collect();
    let totals = chosen.iter().fold(Totals::default(), |sum, &at| {
        let totals = statements[at].totals;
        Totals {
            list: sum.list + totals.list,
            discount: sum.discount + totals.discount,
            subsidy: sum.subsidy + totals.subsidy,
            due: sum.due + totals.due,
        }
    });
    let path = format!("/statements/previews/{id}");
    let pager = Pager::new(asked.page, SHOWN, chosen.len(), &path, &query(&asked));
    let rows = pager.part(chosen).into_iter().map(|at| (at, statements[at].clone())).collect();
    page(&ShowPage {
        frame: frame.titled(job.name.clone()).help("statements-and-journals").of_period(period),
        is_closed: matches!(state, PeriodState::Closed { .. }),
        counts: counts(statements),
        period,
        rows,
        totals,
        pager,
        asked,
        look: Arc::clone(&look),
        job,
    })
}

fn find(app: &App, id: u64) -> PageResult<(Job, Arc<Look>)> {
    let job = app.jobs.find(id);
    let look = job.as_ref().and_then(Job::kept::<Look>);
    job.zip(look).ok_or_else(|| {
        let refusal = Refusal::new("this look at statements is not known any more: look again")
            .hint("it was kept until the server was started again");
        PageError { refusal, ..PageError::not_found(String::new()) }
    })
}

/// The path is the one that the act wrote to; the address says only which.
async fn draft_pdf(State(app): State<App>, Path((id, at)): Path<(u64, usize)>) -> PageResult<Response> {
    let (_, look) = find(&app, id)?;
    let gone = || PageError::not_found("this draft is not there any more: write drafts again");
    let path = look.generated.statements.get(at).filter(|_| look.as_drafts).and_then(|one| one.path.as_ref());
    let path = app.installation.folders.home.join(path.ok_or_else(gone)?);
    let bytes = tokio::fs::read(&path).await.map_err(|_| gone())?;
    Ok(download::framed_pdf(bytes))
}
