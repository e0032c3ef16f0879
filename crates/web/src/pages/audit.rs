//! The chain of everything that was done: found, read, handed out, proven.

use std::sync::Arc;

use askama::Template;
use axum::extract::{Path, State};
use axum::response::Response;
use billing::LedgerNumber;
use ledger::{AuditFilter, AuditRow};
use money::grouped;
use serde::{Deserialize, Serialize};
use workflow::Refusal;
use workflow::audit::{self, AnchorRef, ExportFormat, Verified};

use crate::App;
use crate::access::{Access, Caller};
use crate::download::{self, CSV, JSON};
use crate::error::{PageError, PageResult};
use crate::flash::Next;
use crate::form::{Fields, Form, Query, query, some};
use crate::frame::{Frame, page};
use crate::jobs::{Ending, Job};
use crate::routes::Routes;

pub fn routes() -> Routes {
    Routes::default()
        .page("/audit", Access::Viewer, list)
        .page("/audit/export", Access::Viewer, export)
        .page("/audit/anchor", Access::Viewer, anchor)
        .act("/audit/verify", Access::Viewer, "audit verify", verify)
        .page("/audit/verified/{job}", Access::Viewer, verified)
        .page("/audit/{number}", Access::Viewer, show)
}

/// Of one page. Pages go by number, so that they stay what they are while the chain grows.
const SHOWN: u64 = 50;

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct Asked {
    #[serde(skip_serializing_if = "String::is_empty")]
    act: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    by: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    subject: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    text: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    since: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    until: String,
    /// Only what was done before this act.
    #[serde(skip_serializing)]
    before: Option<i64>,
    #[serde(skip_serializing)]
    format: String,
}

impl Asked {
    fn filter(&self) -> Result<AuditFilter, Refusal> {
        let mut fields = Fields::default();
        let since = fields.optional("from", &self.since, "a day such as 2025-01-31");
        let until = fields.optional("to", &self.until, "a day such as 2025-01-31");
        fields.finish("cannot look for this")?;
        Ok(AuditFilter {
            act: some(&self.act),
            by: some(&self.by),
            subject: some(&self.subject),
            text: some(&self.text),
            since,
            until,
            to: self.before.map(|before| LedgerNumber(before - 1)),
            ..AuditFilter::default()
        })
    }
}

#[derive(Template)]
#[template(path = "audit/list.html")]
struct ListPage {
    frame: Frame,
    asked: Asked,
    /// The latest first.
    rows: Vec<AuditRow>,
    /// The address of what was done before these.
    earlier: Option<String>,
    people: Vec<String>,
    acts: Vec<String>,
    head: LedgerNumber,
}

impl ListPage {
    fn query(&self) -> String {
        query(&self.asked)
    }

    fn is_filtered(&self) -> bool {
        !self.query().is_empty()
    }

    /// Kinds of acts, each with all of its kind before it: `import`, `import.committed`, …
    fn kinds(&self) -> Vec<String> {
        let mut kinds: Vec<String> = Vec::new();
        for act in &self.acts {
            let noun = act.split('.').next().unwrap_or_default().to_owned();
            if kinds.last() != Some(&noun) && !kinds.contains(&noun) {
                kinds.push(noun);
            }
            kinds.push(act.clone());
        }
        kinds.dedup();
        kinds
    }
}

/// A time of the chain, to the minute.
pub fn moment(row: &AuditRow) -> String {
    row.at.get(..16).unwrap_or(&row.at).replace('T', " ")
}

async fn list(State(app): State<App>, frame: Frame, Query(asked): Query<Asked>) -> PageResult<Response> {
    let filter = AuditFilter { limit: Some(SHOWN + 1), ..asked.filter()? };
    let mut reader = app.installation.ledger.read().await?;
    let mut rows = reader.list_audit(&filter).await?;
    rows.reverse();
    let is_more = SHOWN < rows.len() as u64;
    rows.truncate(usize::try_from(SHOWN).unwrap_or(usize::MAX));
    let earlier = rows.last().filter(|_| is_more).map(|row| {
        let before = format!("before={}", row.number);
        match query(&asked) {
            asked if asked.is_empty() => format!("/audit?{before}"),
            asked => format!("/audit?{asked}&{before}"),
        }
    });
    let (people, acts) = reader.list_audit_names().await?;
    let head = reader.head();
    page(&ListPage { frame: frame.titled("Audit").help("verify"), asked, rows, earlier, people, acts, head })
}

#[derive(Template)]
#[template(path = "audit/show.html")]
struct ShowPage {
    frame: Frame,
    row: AuditRow,
    detail: String,
    /// Where what it speaks of is.
    subject: Option<String>,
    is_last: bool,
}

async fn show(State(app): State<App>, Path(number): Path<i64>, frame: Frame) -> PageResult<Response> {
    let mut reader = app.installation.ledger.read().await?;
    let row = reader.find_audit(LedgerNumber(number)).await?;
    let row = row.ok_or_else(|| PageError::not_found(format!("there is no act {number}")))?;
    let detail = serde_json::from_str::<serde_json::Value>(&row.detail)
        .and_then(|value| serde_json::to_string_pretty(&value))
        .unwrap_or_else(|_| row.detail.clone());
    let subject = address(&row);
    let is_last = reader.head() <= row.number;
    let frame = frame.titled(format!("Act {number}")).help("verify");
    page(&ShowPage { frame, row, detail, subject, is_last })
}

/// The page of what an act was about.
fn address(row: &AuditRow) -> Option<String> {
    let subject = row.subject.as_str();
    let kind = row.act.split('.').next().unwrap_or_default();
    match kind {
        "period" | "statements" => Some(format!("/periods/{}", subject.parse::<billing::Period>().ok()?)),
        "journal" => Some(format!("/journals/{}", crate::form::segment(subject))),
        "import" => {
            let number = subject.rsplit(' ').next()?.parse::<u64>().ok()?;
            Some(format!("/imports/{number}"))
        }
        _ => None,
    }
}

async fn export(State(app): State<App>, Query(asked): Query<Asked>) -> PageResult<Response> {
    let (format, name, media_type) = match asked.format.as_str() {
        "" | "json" => (ExportFormat::Json, "audit.json", JSON),
        "csv" => (ExportFormat::Csv, "audit.csv", CSV),
        "splunk" => (ExportFormat::Splunk, "audit.splunk.jsonl", "application/jsonl"),
        other => {
            return Err(PageError::bad_request(format!(
                "`{other}` is not a format: there are json, csv and splunk"
            )));
        }
    };
    let text = audit::export(&app.installation, &asked.filter()?, format, "focus-billing").await?;
    Ok(download::attachment(name, media_type, text))
}

async fn anchor(State(app): State<App>) -> PageResult<Response> {
    let anchor = audit::anchor(&app.installation).await?;
    let text = serde_json::to_string_pretty(&anchor).map_err(PageError::internal)? + "\n";
    Ok(download::attachment(&format!("anchor_{}.json", anchor.number), JSON, text))
}

#[derive(Deserialize)]
struct Wanted {
    #[serde(default)]
    anchor: String,
}

async fn verify(State(app): State<App>, caller: Caller, Form(wanted): Form<Wanted>) -> PageResult<Next> {
    const NAME: &str = "Proving the audit chain";
    let anchor = some(&wanted.anchor).map(|text| AnchorRef::read(&text)).transpose()?;
    // One at a time is enough: it reads every row of the books.
    if let Some(job) = app.jobs.list().iter().find(|job| job.is_running() && job.name == NAME) {
        return Ok(Next::page(format!("/jobs/{}", job.id)));
    }
    let installation = app.installation.clone();
    let id = app.jobs.begin(NAME, None, &caller.actor(), move |progress| async move {
        progress.say("reading every act, and every row of the books", 0, None);
        let found = audit::verify(&installation, anchor.as_ref()).await?;
        let said = if found.is_sound() {
            format!("the chain is sound: {} acts", grouped(found.check.rows))
        } else {
            "the chain is BROKEN".to_owned()
        };
        let to = format!("/audit/verified/{}", progress.job());
        Ok(Ending { kept: Some(Arc::new(found)), ..Ending::new(said, to) })
    });
    Ok(Next::page(format!("/jobs/{id}")))
}

#[derive(Template)]
#[template(path = "audit/verified.html")]
struct VerifiedPage {
    frame: Frame,
    job: Job,
    found: Arc<Verified>,
}

async fn verified(State(app): State<App>, Path(id): Path<u64>, frame: Frame) -> PageResult<Response> {
    let job = app.jobs.find(id);
    let found = job.as_ref().and_then(Job::kept::<Verified>);
    let (job, found) = job.zip(found).ok_or_else(|| {
        PageError::not_found("what this came to is not known any more: prove the chain again")
    })?;
    page(&VerifiedPage { frame: frame.titled("The audit chain").help("verify"), job, found })
}
