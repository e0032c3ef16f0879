//! Charges: find, sort and hand out over millions; and one of them with its whole story.

use askama::Template;
use axum::extract::{Path, State};
use axum::response::Response;
use billing::decision::{ChargeState, Decision};
use billing::{ChargeId, LedgerNumber, Period, correction};
use lake::Filter;
use workflow::listing::{self, ChargeList, ExportFormat};
use workflow::story::{self, Billed, Said, Story, charge_story};
use workflow::{Refusal, WorkflowError, kept};

use super::which::{Known, Pager, ROWS, Which};
use crate::App;
use crate::access::Access;
use crate::download;
use crate::error::{ErrorKind, PageError, PageResult};
use crate::form::Query;
use crate::frame::{Frame, page, refused_page};
use crate::routes::Routes;

pub fn routes() -> Routes {
    Routes::default()
        .page("/charges", Access::Viewer, list)
        .page("/charges/export.csv", Access::Viewer, csv)
        .page("/charges/export.parquet", Access::Viewer, parquet)
        .page("/charges/{id}", Access::Viewer, show)
        .page("/charges/{id}/evidence", Access::Viewer, evidence)
}

#[derive(Template)]
#[template(path = "charges/list.html")]
struct ListPage {
    frame: Frame,
    action: &'static str,
    which: Which,
    known: Known,
    list: Option<std::sync::Arc<ChargeList>>,
    pager: Pager,
    refusal: Option<Refusal>,
}

impl ListPage {
    fn columns(&self) -> [(&'static str, &'static str, bool); 8] {
        [
            ("source", "Charge", false),
            ("pi_email", "PI", false),
            ("project_id", "Project", false),
            ("service_name", "Service", false),
            ("list_cost", "List cost", true),
            ("billed_cost", "Billed cost", true),
            ("cost", "Cost", true),
            ("state", "State", false),
        ]
    }
}

/// `all`, or the period of the page.
fn asked(which: &mut Which, frame: &Frame) -> Result<Filter, Refusal> {
    let period: Option<Period> = if which.period == "all" { None } else { frame.period };
    which.period = period.map_or_else(|| "all".to_owned(), |period| period.to_string());
    which.filter(period, false)
}

async fn list(State(app): State<App>, frame: Frame, Query(mut which): Query<Which>) -> PageResult<Response> {
    let frame = frame.titled("Charges").help("review");
    let known = match frame.period {
        Some(period) => Known::of(&*kept::sums(&app.installation, period).await?),
        None => Known::default(),
    };
    let wanted = asked(&mut which, &frame).and_then(|filter| Ok((filter, which.sort()?)));
    let (list, pager, refusal) = match wanted {
        Ok((filter, sort)) => {
            let list = listing::page(&app.installation, &filter, &sort, ROWS, which.offset()).await?;
            let pager = Pager::new(which.page(), list.charges.len(), list.total);
            (Some(list), pager, None)
        }
        Err(refusal) => (None, Pager::new(1, 0, 0), Some(refusal)),
    };
    let is_refused = refusal.is_some();
    let shown = ListPage { frame, action: "/charges", which, known, list, pager, refusal };
    if is_refused { refused_page(&shown) } else { page(&shown) }
}

async fn csv(state: State<App>, frame: Frame, which: Query<Which>) -> PageResult<Response> {
    export(state, &frame, which, ExportFormat::Csv)
}

async fn parquet(state: State<App>, frame: Frame, which: Query<Which>) -> PageResult<Response> {
    export(state, &frame, which, ExportFormat::Parquet)
}

fn export(
    State(app): State<App>,
    frame: &Frame,
    Query(mut which): Query<Which>,
    format: ExportFormat,
) -> PageResult<Response> {
    let filter = asked(&mut which, frame)?;
    Ok(download::charges(&app, filter, format, &format!("charges_{}", which.period)))
}

#[derive(Template)]
#[template(path = "charges/show.html")]
struct ShowPage {
    frame: Frame,
    id: ChargeId,
    story: Story,
    billed: Option<Billed>,
    seen: LedgerNumber,
}

impl ShowPage {
    fn rows(&self) -> Vec<Row> {
        rows(&self.story)
    }

    fn decides(&self) -> bool {
        self.frame.may_review() && self.frame.state_of(&self.story.charge.billed_in) == "open"
    }

    fn can_be_approved(&self) -> bool {
        let charge = &self.story.charge;
        charge.state != ChargeState::Billable && charge.flags.blocking().is_empty()
    }

    fn stands(&self) -> bool {
        self.story.decisions.iter().any(|said| said.undone_by.is_none())
    }

    fn column(&self, name: &str) -> Option<&str> {
        let found = self.story.columns.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    }

    fn corrects(&self) -> Option<(String, &str)> {
        let period = self.column(correction::CORRECTS_PERIOD)?;
        let what = self.column(correction::CORRECTS);
        Some((what.map_or_else(|| "a charge that was not billed before".to_owned(), str::to_owned), period))
    }
}

pub fn decided(said: &Said) -> String {
    match &said.decision {
        Decision::Approve => "approved".to_owned(),
        Decision::Reject => "rejected".to_owned(),
        Decision::Defer { to } => format!("deferred to {to}"),
        Decision::Reassign { change } => format!("reassigned to {change}"),
    }
}

/// A delivered value beside what was made of it.
struct Row {
    name: String,
    delivered: Option<String>,
    made: Option<String>,
}

/// FOCUS writes `BilledCost`, the books `billed_cost`.
fn plain(name: &str) -> String {
    name.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_lowercase()
}

/// How the books tell charges apart; nobody reads them.
const INTERNAL: [&str; 3] = ["content_digest", "fingerprint", "overlap_key"];

fn rows(story: &Story) -> Vec<Row> {
    let charge = &story.charge;
    let mut made: Vec<(String, String)> =
        [("pi_email", &charge.pi_email), ("project_id", &charge.project_id), ("fund_org", &charge.fund_org)]
            .into_iter()
            .filter_map(|(name, value)| Some((name.to_owned(), value.clone()?)))
            .collect();
    for (name, value) in &story.columns {
        if !INTERNAL.contains(&name.as_str()) && !made.iter().any(|(known, _)| known == name) {
            made.push((name.clone(), value.clone()));
        }
    }
    let mut rows: Vec<Row> = Vec::new();
    for (name, value) in &story.delivered.columns {
        let at = made.iter().position(|(known, _)| plain(known) == plain(name));
        let made = at.map(|at| made.remove(at).1);
        if !value.is_empty() || made.is_some() {
            rows.push(Row { name: name.clone(), delivered: Some(value.clone()), made });
        }
    }
    let rest = made.into_iter().filter(|(_, value)| !value.is_empty());
    rows.extend(rest.map(|(name, value)| Row { name, delivered: None, made: Some(value) }));
    rows
}

async fn story_of(app: &App, id: &str) -> PageResult<(ChargeId, Story)> {
    let id: ChargeId =
        id.parse().map_err(|_| PageError::bad_request(format!("`{id}` is not a charge such as 12:345")))?;
    match charge_story(&app.installation, id).await {
        Ok(story) => Ok((id, story)),
        Err(WorkflowError::Refused(refusal)) => {
            Err(PageError { status: axum::http::StatusCode::NOT_FOUND, kind: ErrorKind::NotFound, refusal })
        }
        Err(error) => Err(error.into()),
    }
}

async fn show(State(app): State<App>, Path(id): Path<String>, frame: Frame) -> PageResult<Response> {
    let seen = app.installation.ledger.read().await?.head();
    let (id, story) = story_of(&app, &id).await?;
    let billed = story::billed(&app.installation, &story).await?;
    let frame = frame.titled(format!("Charge {id}")).help("why").of_period(story.charge.billed_in);
    page(&ShowPage { frame, id, story, billed, seen })
}

/// What the file said beside what was made of it: a part of the queue.
#[derive(Template)]
#[template(path = "charges/evidence.html")]
struct EvidencePart {
    id: ChargeId,
    story: Story,
}

impl EvidencePart {
    fn rows(&self) -> Vec<Row> {
        let mut rows = rows(&self.story);
        rows.retain(|row| row.delivered.is_some());
        rows
    }
}

async fn evidence(State(app): State<App>, Path(id): Path<String>) -> PageResult<Response> {
    let (id, story) = story_of(&app, &id).await?;
    page(&EvidencePart { id, story })
}
