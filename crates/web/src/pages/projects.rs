//! Projects and PIs: what each used and pays, over time.

use askama::Template;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use billing::Period;
use billing::credit::Standing;
use billing::split::{Share, SplitRule};
use serde::Deserialize;
use workflow::WorkflowError;
use workflow::overview::MonthOf;
use workflow::projects::{self, Detail, PiUse, ProjectUse, Span, Who};
use workflow::statements::StatementStanding;

use crate::App;
use crate::access::Access;
use crate::chart::Trend;
use crate::error::{ErrorKind, PageError, PageResult};
use crate::form::Query;
use crate::frame::{Frame, page};
use crate::routes::Routes;

pub fn routes() -> Routes {
    Routes::default()
        .page("/projects", Access::Viewer, list)
        .page("/projects/{id}", Access::Viewer, project)
        .page("/pis/{email}", Access::Viewer, pi)
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Asked {
    /// `pi`: by PI instead of by project.
    by: String,
    /// `year`: the fiscal year of the period.
    over: String,
    text: String,
    page: String,
}

#[derive(Template)]
#[template(path = "projects/list.html")]
struct ListPage {
    frame: Frame,
    asked: Asked,
    span: String,
    projects: Vec<ProjectUse>,
    pis: Vec<PiUse>,
    total: u64,
    at: usize,
}

/// Rows of a page.
const ROWS: usize = 100;

impl ListPage {
    fn by_pi(&self) -> bool {
        self.asked.by == "pi"
    }

    fn address(&self, at: usize) -> String {
        let period = self.frame.period.map_or_else(String::new, |period| period.to_string());
        let text = crate::form::encoded(&self.asked.text);
        format!(
            "/projects?period={period}&by={}&over={}&text={text}&page={at}",
            self.asked.by, self.asked.over
        )
    }

    fn has_more(&self) -> bool {
        ((self.at * ROWS) as u64) < self.total
    }
}

fn holds(field: Option<&String>, words: &str) -> bool {
    field.is_some_and(|text| text.to_lowercase().contains(words))
}

async fn list(State(app): State<App>, frame: Frame, Query(asked): Query<Asked>) -> PageResult<Response> {
    let frame = frame.titled("Projects").help("overview");
    let at = asked.page.trim().parse().unwrap_or(1).clamp(1, 1_000_000_usize);
    let mut shown =
        ListPage { frame, asked, span: String::new(), projects: Vec::new(), pis: Vec::new(), total: 0, at };
    let Some(period) = shown.frame.period else { return page(&shown) };
    let year = period.fiscal_year(app.installation.settings.subsidies.fiscal_year_start);
    let is_year = shown.asked.over == "year";
    let span = if is_year { Span::FiscalYear(year) } else { Span::Period(period) };
    shown.span = if is_year { format!("fiscal year {year}") } else { period.to_string() };
    let words = shown.asked.text.trim().to_lowercase();
    let skipped = (at - 1) * ROWS;
    if shown.by_pi() {
        let mut pis = projects::list_pis(&app.installation, span).await?;
        pis.retain(|pi| words.is_empty() || holds(pi.pi_email.as_ref(), &words));
        shown.total = pis.len() as u64;
        shown.pis = pis.into_iter().skip(skipped).take(ROWS).collect();
    } else {
        let mut projects = projects::list(&app.installation, span).await?;
        projects.retain(|project| {
            words.is_empty()
                || holds(project.pi_email.as_ref(), &words)
                || holds(project.project_id.as_ref(), &words)
                || project.fund_orgs.iter().any(|fund| holds(Some(fund), &words))
        });
        shown.total = projects.len() as u64;
        shown.projects = projects.into_iter().skip(skipped).take(ROWS).collect();
    }
    page(&shown)
}

#[derive(Template)]
#[template(path = "projects/show.html")]
struct ShowPage {
    frame: Frame,
    name: String,
    is_pi: bool,
    detail: Detail,
    trend: Trend,
}

impl ShowPage {
    /// What a file calls a PI may be anything; only an address can be a person's.
    fn is_address(&self) -> bool {
        self.is_pi && billing::attribution::is_email_address(&self.name)
    }

    fn charges(&self) -> String {
        let field = if self.is_pi { "pi" } else { "project" };
        let period = self.frame.period.map_or_else(String::new, |period| period.to_string());
        format!("/charges?period={period}&{field}={}", crate::form::encoded(&self.name))
    }

    /// So many statements are shown; the others are in their own list.
    fn statements(&self) -> Vec<&StatementStanding> {
        self.detail.statements.iter().take(STATEMENTS).collect()
    }

    fn months(&self) -> Vec<(Period, &'static str, &projects::MonthUse)> {
        let known = self.detail.months.iter().rev().filter(|month| month.of != MonthOf::Nothing);
        known
            .map(|month| {
                (month.period, if month.of == MonthOf::Statements { "billed" } else { "so far" }, month)
            })
            .collect()
    }

    fn drawn(&self, standing: &Standing) -> money::Amount {
        standing.drawn_before + standing.drawn
    }

    fn ends(&self) -> Option<(String, bool)> {
        let end = self.detail.end_date.clone()?;
        let first = self.frame.period.map(|period| format!("{period}-01")).unwrap_or_default();
        let has_ended = end < first;
        Some((end, has_ended))
    }
}

const STATEMENTS: usize = 24;

pub fn parts(rule: &SplitRule) -> String {
    let part = |part: &billing::split::SplitPart| match &part.share {
        Share::Percent(percent) => format!("{} {percent} %", part.fund_org),
        Share::UpTo(amount) => format!("{} the first {amount} a month", part.fund_org),
    };
    rule.parts.iter().map(part).collect::<Vec<_>>().join(", ")
}

pub fn is_low(standing: &Standing) -> bool {
    !standing.alerts.is_empty()
}

async fn project(State(app): State<App>, Path(id): Path<String>, frame: Frame) -> PageResult<Response> {
    show(&app, frame, Who::Project(id.clone()), id, false).await
}

async fn pi(State(app): State<App>, Path(email): Path<String>, frame: Frame) -> PageResult<Response> {
    show(&app, frame, Who::Pi(email.clone()), email, true).await
}

async fn show(app: &App, frame: Frame, who: Who, name: String, is_pi: bool) -> PageResult<Response> {
    // Until the latest month: what is going on now is of interest, whatever month one works on.
    let detail = match projects::show(&app.installation, &who, None).await {
        Ok(detail) => detail,
        Err(WorkflowError::Refused(refusal)) => {
            return Err(PageError { status: StatusCode::NOT_FOUND, kind: ErrorKind::NotFound, refusal });
        }
        Err(error) => return Err(error.into()),
    };
    let months: Vec<_> = detail
        .months
        .iter()
        .map(|month| (month.period.to_string(), month.spent.billed.list, month.spent.billed.cost))
        .collect();
    let trend = Trend::new(
        "months",
        "List and billed by month",
        ["List", "Billed before subsidies"],
        &months,
        &frame.currency,
    );
    let frame = frame.titled(name.clone()).help("overview");
    page(&ShowPage { frame, name, is_pi, detail, trend })
}
