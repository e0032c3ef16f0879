//! Statements that were issued: found in a list, read in the page, handed out, sent again.

use askama::Template;
use axum::extract::{Path, State};
use axum::response::Response;
use billing::statement::{PostedLeg, PostedLine, ResourceLine, StatementState, Totals};
use billing::{Period, StatementNumber};
use money::Minor;
use serde::{Deserialize, Serialize};
use workflow::journals::{self, PostedIn};
use workflow::send_again::send_again;
use workflow::statements::{self, ComparedStatements, StatementDetail, StatementStanding};

use super::emails::told;
use crate::access::{Access, Caller};
use crate::download::{self, CSV, PDF};
use crate::error::{PageError, PageResult};
use crate::flash::Next;
use crate::form::{Form, Query, query, segment};
use crate::frame::{Frame, page};
use crate::pager::Pager;
use crate::routes::Routes;
use crate::{App, form};

pub fn routes() -> Routes {
    Routes::default()
        .page("/statements", Access::Viewer, list)
        .page("/statements/list.csv", Access::Viewer, list_csv)
        .page("/statements/all.zip", Access::Viewer, all_zip)
        .page("/statements/{number}", Access::Viewer, show)
        .page("/statements/{number}/pdf", Access::Viewer, pdf)
        .page("/statements/{number}/lines.csv", Access::Viewer, lines_csv)
        .page("/statements/{number}/resources.csv", Access::Viewer, resources_csv)
        .act("/statements/{number}/send-again", Access::Reviewer, "send", again)
}

/// Of one page of a list.
const SHOWN: usize = 50;

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct Asked {
    /// A period, or `all`; none is the one being worked on.
    #[serde(skip_serializing_if = "String::is_empty")]
    period: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    find: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    state: String,
    #[serde(skip_serializing)]
    page: usize,
}

impl Asked {
    fn period(&self, frame: &Frame) -> Option<Period> {
        if self.period == "all" { None } else { frame.period }
    }

    /// Earlier versions are listed when they are asked for.
    fn of_state(&self, state: &StatementState) -> bool {
        match self.state.as_str() {
            "" => !matches!(state, StatementState::Superseded { .. }),
            "all" => true,
            name => state.name() == name,
        }
    }

    fn finds(&self, one: &StatementStanding) -> bool {
        let wanted = self.find.trim().to_lowercase();
        let row = &one.row;
        let own = [&row.id.number.0, &row.pi_email, &row.project_id];
        wanted.is_empty()
            || own.into_iter().chain(&one.fund_orgs).any(|text| text.to_lowercase().contains(&wanted))
    }
}

/// The statements of a filter, and how many there are without it.
async fn chosen(app: &App, frame: &Frame, asked: &Asked) -> PageResult<(Vec<StatementStanding>, usize)> {
    let period = asked.period(frame);
    let with_earlier = ["all", "superseded"].contains(&asked.state.as_str());
    let mut all = statements::list(&app.installation, period, None, with_earlier).await?;
    let count = all.len();
    all.retain(|one| asked.of_state(&one.state) && asked.finds(one));
    Ok((all, count))
}

#[derive(Template)]
#[template(path = "statements/list.html")]
struct ListPage {
    frame: Frame,
    asked: Asked,
    period: Option<Period>,
    rows: Vec<StatementStanding>,
    totals: Totals,
    unsent: u64,
    /// Without the filter.
    known: usize,
    has_subsidy: bool,
    pager: Pager,
}

impl ListPage {
    fn states() -> [(&'static str, &'static str); 5] {
        [
            ("", "current"),
            ("issued", "issued, not sent"),
            ("sent", "sent"),
            ("superseded", "superseded"),
            ("all", "all versions"),
        ]
    }

    fn query(&self) -> String {
        query(&self.asked)
    }
}

async fn list(State(app): State<App>, frame: Frame, Query(asked): Query<Asked>) -> PageResult<Response> {
    let (rows, known) = chosen(&app, &frame, &asked).await?;
    let totals = sum(&rows);
    let unsent = rows.iter().filter(|one| matches!(one.state, StatementState::Issued)).count() as u64;
    let pager = Pager::new(asked.page, SHOWN, rows.len(), "/statements", &query(&asked));
    let period = asked.period(&frame);
    page(&ListPage {
        frame: frame.titled("Statements").help("statements-and-journals"),
        period,
        unsent,
        known,
        has_subsidy: rows.iter().any(|one| !one.row.totals.subsidy.is_zero()),
        rows: pager.part(rows),
        totals,
        pager,
        asked,
    })
}

fn sum(rows: &[StatementStanding]) -> Totals {
    rows.iter().fold(Totals::default(), |sum, one| {
        let totals = one.row.totals;
        Totals {
            list: sum.list + totals.list,
            discount: sum.discount + totals.discount,
            subsidy: sum.subsidy + totals.subsidy,
            due: sum.due + totals.due,
        }
    })
}

async fn list_csv(State(app): State<App>, frame: Frame, Query(asked): Query<Asked>) -> PageResult<Response> {
    let (rows, _) = chosen(&app, &frame, &asked).await?;
    let name = match asked.period(&frame) {
        Some(period) => format!("statements_{period}.csv"),
        None => "statements.csv".to_owned(),
    };
    Ok(download::attachment(&name, CSV, statements::list_csv(&rows)))
}

/// As [`Asked`], for what is about one month.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct OfVersion {
    version: Option<u32>,
    download: bool,
}

async fn all_zip(State(app): State<App>, frame: Frame) -> PageResult<Response> {
    let period = frame.need_period()?;
    Ok(download::statements(statements::bundle(&app.installation, period).await?, period))
}

#[derive(Template)]
#[template(path = "statements/show.html")]
struct ShowPage {
    frame: Frame,
    detail: StatementDetail,
    /// Against the version before, where there is one.
    compared: Option<ComparedStatements>,
    posted: Vec<PostedIn>,
    is_latest: bool,
    was_sent: bool,
}

impl ShowPage {
    fn has_subsidy(&self) -> bool {
        self.detail.statement.lines.iter().any(|line| !line.subsidy.is_zero())
    }

    fn has_pdf(&self) -> bool {
        self.detail.documents.iter().any(|document| document.kind == "pdf")
    }

    fn has_all_resources(&self) -> bool {
        self.detail.documents.iter().any(|document| document.kind == "csv")
    }

    fn number(&self) -> &StatementNumber {
        &self.detail.statement.number
    }

    fn version(&self) -> u32 {
        self.detail.statement.version
    }

    /// The charges of a line.
    fn charges(&self, line: &PostedLine) -> String {
        let statement = &self.detail.statement;
        let group = &line.group;
        format!(
            "/charges?{}",
            query(&Charges {
                period: statement.period.to_string(),
                pi: &statement.pi_email,
                project: &statement.project_id,
                source: &group.source,
                service: group.service_name.as_deref(),
                fund_org: group.fund_org.as_deref(),
            })
        )
    }

    fn service(name: Option<&str>) -> &str {
        name.unwrap_or("–")
    }

    /// Who pays which part of the whole statement: each payer once.
    fn payers(&self) -> Vec<(String, String, Minor)> {
        let mut payers: Vec<(String, String, Minor)> = Vec::new();
        for PostedLeg { leg, amount } in self.detail.statement.lines.iter().flat_map(|line| &line.legs) {
            let key = |known: &&mut (String, String, Minor)| known.0 == leg.payer && known.1 == leg.name;
            match payers.iter_mut().find(key) {
                Some(known) => known.2 += *amount,
                None => payers.push((leg.payer.clone(), leg.name.clone(), *amount)),
            }
        }
        payers
    }

    fn resources(&self) -> &[ResourceLine] {
        &self.detail.statement.resources
    }

    fn resource_count(&self) -> u64 {
        let rest = self.detail.statement.rest.as_ref().map_or(0, |rest| rest.resources);
        self.resources().len() as u64 + rest
    }

    fn signed(&self, amount: Minor) -> String {
        let plus = if Minor::ZERO < amount { "+" } else { "" };
        format!("{plus}{}", self.frame.money(&amount))
    }

    fn of(&self, part: &str) -> String {
        format!("/statements/{}/{part}?version={}", segment(&self.number().0), self.version())
    }
}

/// The address of charges.
#[derive(Serialize)]
struct Charges<'a> {
    period: String,
    pi: &'a str,
    project: &'a str,
    source: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    service: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    fund_org: Option<&'a str>,
}

async fn show(
    State(app): State<App>,
    Path(number): Path<String>,
    frame: Frame,
    Query(asked): Query<OfVersion>,
) -> PageResult<Response> {
    let number = read(&number)?;
    let detail = statements::show(&app.installation, &number, asked.version).await.map_err(not_found)?;
    let period = detail.statement.period;
    let version = detail.statement.version;
    let compared = if 1 < version {
        let (before, after) = (format!("{number}v{}", version - 1), format!("{number}v{version}"));
        Some(statements::compare(&app.installation, &before, Some(&after)).await?)
    } else {
        None
    };
    let posted = journals::posted_in(&app.installation, period, &number).await?;
    let is_latest = detail.versions.iter().all(|one| one.row.id.version <= version);
    let was_sent = matches!(detail.state, StatementState::Sent { .. });
    let frame = frame.titled(format!("Statement {number}")).help("statements-and-journals").of_period(period);
    page(&ShowPage { frame, detail, compared, posted, is_latest, was_sent })
}

/// A number of the address.
fn read(number: &str) -> PageResult<StatementNumber> {
    number
        .parse()
        .map_err(|_| PageError::not_found(format!("`{number}` is no statement such as S-2025-01-0001")))
}

/// What is not there is 404, in the words of the act.
pub(super) fn not_found(error: workflow::WorkflowError) -> PageError {
    match error {
        workflow::WorkflowError::Refused(refusal) => {
            PageError { refusal, ..PageError::not_found(String::new()) }
        }
        other => other.into(),
    }
}

async fn pdf(
    State(app): State<App>,
    Path(number): Path<String>,
    Query(asked): Query<OfVersion>,
) -> PageResult<Response> {
    let number = read(&number)?;
    let found = statements::document(&app.installation, &number, asked.version, "pdf").await;
    let (name, bytes) = found.map_err(not_found)?;
    Ok(if asked.download { download::attachment(&name, PDF, bytes) } else { download::framed_pdf(bytes) })
}

async fn lines_csv(
    State(app): State<App>,
    Path(number): Path<String>,
    Query(asked): Query<OfVersion>,
) -> PageResult<Response> {
    let number = read(&number)?;
    let detail = statements::show(&app.installation, &number, asked.version).await.map_err(not_found)?;
    let name = format!("{number}_v{}_lines.csv", detail.statement.version);
    Ok(download::attachment(&name, CSV, statements::lines_csv(&detail.statement)))
}

/// All resources of a statement that lists only the largest.
async fn resources_csv(
    State(app): State<App>,
    Path(number): Path<String>,
    Query(asked): Query<OfVersion>,
) -> PageResult<Response> {
    let number = read(&number)?;
    let found = statements::document(&app.installation, &number, asked.version, "csv").await;
    let (name, bytes) = found.map_err(not_found)?;
    Ok(download::attachment(&name, CSV, bytes))
}

#[derive(Deserialize)]
struct Reason {
    reason: String,
}

/// A mail server may take its time: a job.
async fn again(
    State(app): State<App>,
    caller: Caller,
    Path(number): Path<String>,
    Form(form): Form<Reason>,
) -> PageResult<Next> {
    let number = read(&number)?;
    let reason = form::some(&form.reason).ok_or_else(|| {
        PageError::bad_request(format!(
            "say why {number} is sent again: the reason goes into the audit chain"
        ))
    })?;
    let actor = caller.actor();
    let installation = app.installation.clone();
    let id = app.jobs.begin(format!("Sending {number} again"), None, &actor.clone(), move |_| async move {
        let outcome = send_again(&installation, &actor, &number, &reason).await?;
        told(&outcome, format!("/statements/{number}"))
    });
    Ok(Next::page(format!("/jobs/{id}")))
}
