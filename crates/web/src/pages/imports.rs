//! What was delivered: the list, one delivery, reading it again and taking it back.

use askama::Template;
use axum::extract::{Path, State};
use axum::response::Response;
use billing::{ImportId, Period, SourceName};
use ledger::{ImportFilter, PartEvent, PartState};
use money::Amount;
use serde::Deserialize;
use workflow::import::{ProjectChange, Superseded, reread, superseded_by};
use workflow::imports::{self, ImportDetail, ImportSummary};
use workflow::sources;

use crate::App;
use crate::access::{Access, Caller};
use crate::download::{BYTES, CSV, attachment, read_out};
use crate::error::{PageError, PageResult};
use crate::flash::Next;
use crate::form::{Form, Query};
use crate::frame::{Frame, page};
use crate::jobs::Ending;
use crate::routes::Routes;

pub fn routes() -> Routes {
    Routes::default()
        .page("/imports", Access::Viewer, list)
        .page("/imports/{import}", Access::Viewer, show)
        .page("/imports/{import}/difference", Access::Viewer, difference)
        .page("/imports/{import}/quarantined.csv", Access::Reviewer, quarantined)
        .page("/imports/{import}/files/{file}", Access::Reviewer, file)
        .act("/imports/{import}/reread", Access::Reviewer, "imports reread", read_again)
        .act("/imports/{import}/withdraw", Access::Reviewer, "imports withdraw", withdraw)
}

#[derive(Clone, Deserialize)]
struct Asked {
    #[serde(default)]
    period: String,
    #[serde(default)]
    source: String,
    #[serde(default)]
    state: String,
    #[serde(default)]
    page: Option<u64>,
}

#[derive(Template)]
#[template(path = "imports/list.html")]
struct ListPage {
    frame: Frame,
    asked: Asked,
    imports: Vec<ImportSummary>,
    count: u64,
    page: u64,
    sources: Vec<String>,
}

const PAGE: u64 = 50;
const STATES: [PartState; 3] = [PartState::Live, PartState::Superseded, PartState::Withdrawn];

impl ListPage {
    fn states(&self) -> [&'static str; 3] {
        STATES.map(PartState::name)
    }

    fn is_filtered(&self) -> bool {
        [&self.asked.period, &self.asked.source, &self.asked.state].iter().any(|text| !text.is_empty())
    }

    fn first(&self) -> u64 {
        (self.page - 1) * PAGE + 1
    }

    fn last(&self) -> u64 {
        (self.page * PAGE).min(self.count)
    }

    fn first_count(&self) -> String {
        self.frame.count(&self.first())
    }

    fn last_count(&self) -> String {
        self.frame.count(&self.last())
    }

    /// The address of another page of the same list.
    fn at(&self, page: u64) -> String {
        use crate::form::encoded;
        let Asked { period, source, state, .. } = &self.asked;
        let [period, source, state] = [period, source, state].map(|text| encoded(text));
        format!("/imports?period={period}&source={source}&state={state}&page={page}")
    }
}

async fn list(State(app): State<App>, frame: Frame, Query(asked): Query<Asked>) -> PageResult<Response> {
    let period: Option<Period> = match asked.period.trim() {
        "" => None,
        text => Some(super::periods::read(text)?),
    };
    let state = match asked.state.trim() {
        "" => None,
        text => Some(*STATES.iter().find(|state| state.name() == text).ok_or_else(|| {
            PageError::bad_request(format!("`{text}` is not live, superseded or withdrawn"))
        })?),
    };
    let page_number = asked.page.unwrap_or(1).max(1);
    let source = Some(asked.source.trim()).filter(|text| !text.is_empty());
    let filter = ImportFilter {
        source: source.map(|text| SourceName(text.to_owned())),
        period,
        state,
        limit: Some(PAGE),
        offset: (page_number - 1).saturating_mul(PAGE).min(1 << 40),
    };
    let found = imports::page(&app.installation, &filter).await?;
    let known = sources::list(&app.installation).await?;
    page(&ListPage {
        frame: frame.titled("Imports").help("web#imports"),
        asked,
        imports: found.imports,
        count: found.count,
        page: page_number,
        sources: known.into_iter().map(|source| source.name.0).collect(),
    })
}

/// Where a delivery stands, by its parts.
fn state(summary: &ImportSummary) -> (&'static str, &'static str) {
    let live = summary.parts.iter().filter(|part| part.state == PartState::Live).count();
    match (live, summary.parts.first().map(|part| part.state)) {
        (0, Some(PartState::Withdrawn)) => ("bad", "withdrawn"),
        (0, Some(_)) => ("", "superseded"),
        (0, None) => ("", "empty"),
        (live, _) if live == summary.parts.len() => ("good", "live"),
        _ => ("warn", "partly live"),
    }
}

fn periods(summary: &ImportSummary) -> Vec<Period> {
    let mut periods: Vec<Period> = summary.parts.iter().map(|part| part.part.key.period).collect();
    periods.dedup();
    periods
}

#[derive(Template)]
#[template(path = "imports/show.html")]
struct ShowPage {
    frame: Frame,
    detail: ImportDetail,
}

impl ShowPage {
    fn state(&self) -> (&'static str, &'static str) {
        state(&self.detail.summary)
    }

    fn is_live(&self) -> bool {
        self.detail.summary.parts.iter().any(|part| part.state == PartState::Live)
    }

    fn costs(&self) -> [(&'static str, Amount); 4] {
        let costs = &self.detail.summary.row.costs;
        [
            ("List cost", costs.list_cost),
            ("Contracted cost", costs.contracted_cost),
            ("Billed cost", costs.billed_cost),
            ("Effective cost", costs.effective_cost),
        ]
    }

    fn reason(&self, flag: &str) -> &'static str {
        billing::Flag::from_name(flag).map_or("", billing::Flag::reason)
    }

    /// What happened to its parts, and what it did to others'.
    fn events(&self) -> Vec<&PartEvent> {
        self.detail.events.iter().filter(|event| event.state != PartState::Live).collect()
    }

    fn supersedes(&self) -> bool {
        let own = self.detail.summary.row.import;
        self.detail.events.iter().any(|event| event.by_import == Some(own))
    }

    fn is_pruned(&self, path: &str) -> bool {
        self.detail.pruned.iter().any(|pruned| pruned.file.path == path)
    }

    fn is_there(&self, sha256: &str) -> bool {
        !self.is_pruned(&lake::delivery_path(sha256))
    }

    fn has_quarantined(&self) -> bool {
        self.detail.summary.row.quarantine_file.as_ref().is_some_and(|file| !self.is_pruned(file))
    }
}

async fn show(State(app): State<App>, Path(import): Path<i64>, frame: Frame) -> PageResult<Response> {
    let detail = imports::show(&app.installation, ImportId(import)).await.map_err(unknown_is_not_found)?;
    let frame = frame.titled(format!("Import {import}")).help("web#imports");
    let frame = match periods(&detail.summary).first() {
        Some(period) => frame.of_period(*period),
        None => frame,
    };
    page(&ShowPage { frame, detail })
}

fn unknown_is_not_found(error: workflow::WorkflowError) -> PageError {
    match error {
        workflow::WorkflowError::Refused(refusal) if refusal.message.ends_with("is not known") => {
            PageError::not_found(refusal.message)
        }
        other => other.into(),
    }
}

/// What a delivery took the place of, project by project: looked for in the lake, so apart from the page.
#[derive(Template)]
#[template(path = "imports/difference.html")]
struct DifferencePage {
    frame: Frame,
    import: ImportId,
    all: Vec<Superseded>,
}

const SHOWN_PROJECTS: usize = 200;

impl DifferencePage {
    fn projects<'a>(&self, superseded: &'a Superseded) -> &'a [ProjectChange] {
        &superseded.projects[..superseded.projects.len().min(SHOWN_PROJECTS)]
    }

    fn difference(&self, change: &ProjectChange) -> String {
        self.frame.cost(&(change.billed_after - change.billed_before))
    }

    fn whole_difference(&self, superseded: &Superseded) -> String {
        self.frame.cost(&(superseded.billed_after - superseded.billed_before))
    }
}

async fn difference(State(app): State<App>, Path(import): Path<i64>, frame: Frame) -> PageResult<Response> {
    let import = ImportId(import);
    let all = superseded_by(&app.installation, import).await.map_err(unknown_is_not_found)?;
    let frame = frame.titled(format!("What import {import} changed")).help("web#imports");
    page(&DifferencePage { frame, import, all })
}

async fn quarantined(State(app): State<App>, Path(import): Path<i64>) -> PageResult<Response> {
    let text = imports::quarantined_for_people(&app.installation, ImportId(import)).await;
    let text = text.map_err(unknown_is_not_found)?;
    Ok(attachment(&format!("quarantined-{import}.csv"), CSV, text))
}

/// The bytes as they were delivered.
async fn file(State(app): State<App>, Path((import, file)): Path<(i64, u32)>) -> PageResult<Response> {
    let delivered = imports::delivered(&app.installation, ImportId(import), file).await;
    let delivered = delivered.map_err(unknown_is_not_found)?;
    Ok(attachment(&delivered.file.name, BYTES, read_out(delivered.bytes)))
}

async fn read_again(State(app): State<App>, caller: Caller, Path(import): Path<i64>) -> PageResult<Next> {
    let id = ImportId(import);
    imports::show(&app.installation, id).await?;
    let (app_then, actor) = (app.clone(), caller.actor());
    let job = app.jobs.begin(
        format!("Import {import} read again"),
        None,
        &caller.actor(),
        move |progress| async move {
            let show = |read: workflow::import::Progress| {
                progress.say("reading (kB)", read.bytes / 1000, Some(read.bytes_total.max(1000) / 1000));
            };
            let outcome = reread(&app_then.installation, &actor, id, false, &show).await?;
            if let Some(refusal) = outcome.refusal {
                return Err(refusal.into());
            }
            let said = match outcome.import {
                Some(new) => {
                    format!("import {import} was read again as import {new}: {} charges", outcome.charges)
                }
                None => {
                    "nothing changes: it was read under today's configuration and rules already".to_owned()
                }
            };
            Ok(Ending::new(said, format!("/imports/{}", outcome.import.unwrap_or(id))))
        },
    );
    Ok(Next::page(format!("/jobs/{job}")))
}

#[derive(Deserialize)]
struct Reason {
    reason: String,
}

async fn withdraw(
    State(app): State<App>,
    caller: Caller,
    Path(import): Path<i64>,
    Form(form): Form<Reason>,
) -> PageResult<Next> {
    imports::withdraw(&app.installation, &caller.actor(), ImportId(import), form.reason.trim()).await?;
    Ok(Next::page(format!("/imports/{import}"))
        .saying(format!("import {import} is withdrawn: its charges count no more")))
}
