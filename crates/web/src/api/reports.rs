use axum::extract::State;
use billing::Period;
use billing::decision::ChargeState;
use billing::payers::PayerKey;
use lake::Filter;
use serde::Deserialize;
use utoipa::IntoParams;
use workflow::overview::{current_period, overview};
use workflow::payers::{PayersRequest, payers};
use workflow::report::{ReportRequest, report, report_over};
use workflow::shapes::{ProjectMonth, payer_rows, report_rows};
use workflow::verify::{self, verify};
use workflow::why::why;

use super::answer::{Answer, Done, answer, job};
use super::asked::{Ask, At, Given, InPeriod, OfPeriod};
use super::{Api, Door};
use crate::App;
use crate::access::{Access, Caller};
use crate::error::{PageError, PageResult};

pub fn api() -> Api {
    Api::of("Reports")
        .on(
            Door::Read(Access::Viewer),
            "/api/v1/overview",
            "overview",
            "Where a period stands: what is done and what is next, money, changes, value delivered",
            standing,
        )
        .with_query::<OfPeriod>()
        .on(Door::Read(Access::Viewer), "/api/v1/report", "report", "Exact sums by any attribute", sums)
        .with_query::<AskedSums>()
        .on(
            Door::Read(Access::Viewer),
            "/api/v1/payers",
            "payers",
            "Who paid what: discounts, subsidies by payer, amounts due",
            paid,
        )
        .with_query::<AskedPayers>()
        .on(Door::Read(Access::Viewer), "/api/v1/pis/{pi}/month", "show", "A PI's month by project", month)
        .with_query::<InPeriod>()
        .on(
            Door::Read(Access::Viewer),
            "/api/v1/why",
            "why",
            "Follow a number back to the delivered line",
            follow,
        )
        .with_query::<AskedReference>()
        .on(
            Door::Ask(Access::Viewer),
            "/api/v1/verify",
            "verify",
            "Prove that what was issued follows from what was delivered and decided",
            prove,
        )
        .may_take::<Proof>(r#"{"period": "2025-01"}"#)
        .begins_job()
}

async fn standing(State(app): State<App>, Ask(asked): Ask<OfPeriod>) -> Answer {
    let period = or_current(&app, asked.period).await?;
    answer(&*overview(&app.installation, period).await?)
}

/// The period that a read is of: the one that is due where none is named.
///
/// # Errors
/// No period at all.
pub async fn or_current(app: &App, period: Option<Period>) -> PageResult<Period> {
    let none = || PageError::not_found("no period is open yet: an import opens those of its rows");
    match period {
        Some(period) => Ok(period),
        None => current_period(&app.installation).await?.ok_or_else(none),
    }
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct AskedSums {
    /// Columns to sum by; may be given again: period, source, import, any attribution or FOCUS column in `snake_case`
    #[serde(default)]
    #[param(example = json!(["source"]))]
    by: Vec<String>,
    /// One period, or several; all when none is given
    #[serde(default)]
    #[param(value_type = Vec<String>, example = json!(["2025-01"]))]
    period: Vec<Period>,
    /// `billable` (unless said), `held`, `rejected`, `deferred` or `all`
    state: Option<String>,
}

async fn sums(State(app): State<App>, Ask(asked): Ask<AskedSums>) -> Answer {
    let states = match asked.state.as_deref() {
        None | Some("billable") => vec![ChargeState::Billable],
        Some("held") => vec![ChargeState::Held],
        Some("rejected") => vec![ChargeState::Rejected],
        Some("deferred") => vec![ChargeState::Deferred],
        Some("all") => Vec::new(),
        Some(other) => {
            let words = format!("state: `{other}` is not billable, held, rejected, deferred or all");
            return Err(PageError::bad_request(words));
        }
    };
    let by = if asked.by.is_empty() { vec!["source".to_owned()] } else { asked.by };
    let request = ReportRequest { by: by.clone(), states, ..ReportRequest::default() };
    let rows = report_over(&app.installation, &request, &asked.period).await?;
    answer(report_rows(&by, &rows))
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct AskedPayers {
    /// What to sum by; may be given again: payer, `subsidy_name`, period, `fiscal_year`, source, `service_name`, `pi_email`, `project_id`, `fund_org`, `account_code`
    #[serde(default)]
    #[param(example = json!(["payer", "subsidy_name"]))]
    by: Vec<String>,
    /// One period, or several; all when none is given
    #[serde(default)]
    #[param(value_type = Vec<String>, example = json!(["2025-01"]))]
    period: Vec<Period>,
    /// The periods of a fiscal year, named by the year it ends in
    fiscal_year: Option<i16>,
    /// Also what has no statements yet, as it would be billed today
    #[serde(default)]
    drafts: bool,
}

async fn paid(State(app): State<App>, Ask(asked): Ask<AskedPayers>) -> Answer {
    if asked.fiscal_year.is_some() && !asked.period.is_empty() {
        return Err(PageError::bad_request(
            "fiscal_year: ask for a fiscal year or for periods, not for both",
        ));
    }
    let keys: PageResult<Vec<PayerKey>> = asked
        .by
        .iter()
        .map(|name| name.parse().map_err(|error| PageError::bad_request(format!("by: {error}"))))
        .collect();
    let keys = keys?;
    let request = PayersRequest {
        periods: asked.period,
        fiscal_year: asked.fiscal_year,
        by: if keys.is_empty() { vec![PayerKey::Payer, PayerKey::Subsidy] } else { keys },
        drafts: asked.drafts,
    };
    let payers = payers(&app.installation, &request).await?;
    answer(payer_rows(&request, &payers, app.installation.settings.currency.code.places()))
}

async fn month(State(app): State<App>, At(pi): At<String>, Ask(asked): Ask<InPeriod>) -> Answer {
    let pi = pi.to_lowercase();
    let request = ReportRequest {
        period: Some(asked.period),
        by: vec!["project_id".to_owned(), "state".to_owned()],
        filter: Filter { pi_email: Some(pi.clone()), ..Filter::default() },
        ..ReportRequest::default()
    };
    let rows = report(&app.installation, &request).await?;
    if rows.is_empty() {
        return Err(PageError::not_found(format!("{pi} has no charges in {}", asked.period)));
    }
    answer(rows.iter().map(ProjectMonth::of).collect::<Vec<_>>())
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct AskedReference {
    /// A statement, a journal, a charge, an import, a line of a delivered file (`FILE:LINE`), a project or a PI
    #[param(example = "12:345")]
    reference: String,
    /// The month of a project or a PI; the latest when it is not given
    #[param(value_type = Option<String>, example = "2025-01")]
    period: Option<Period>,
    /// So many charges of a statement are followed to their lines, up to 1000
    limit: Option<u32>,
}

/// As the command follows them.
const LINKS: u32 = 20;
const LINKS_MAX: u32 = 1000;

async fn follow(State(app): State<App>, Ask(asked): Ask<AskedReference>) -> Answer {
    let limit = asked.limit.unwrap_or(LINKS).min(LINKS_MAX) as usize;
    answer(why(&app.installation, &asked.reference, asked.period, limit).await?)
}

#[derive(Default, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields, default)]
struct Proof {
    /// Only this billing period; the audit chain is always verified whole
    #[schema(value_type = Option<String>, example = "2025-01")]
    period: Option<Period>,
    /// Read the delivered bytes again, too, and make their charges again
    deep: bool,
}

async fn prove(State(app): State<App>, caller: Caller, Given(proof): Given<Proof>) -> Answer {
    let installation = app.installation.clone();
    let request = verify::Request { period: proof.period, deep: proof.deep };
    job(&app, &caller, ("The books proven".to_owned(), proof.period), |progress| async move {
        let told = |at: verify::Progress| progress.say(at.step, at.bytes, Some(at.bytes_total));
        let found = verify(&installation, request, &told).await?;
        let said = match found.differences.len() {
            0 => "the books hold".to_owned(),
            1 => "the books do not hold: there is a difference".to_owned(),
            many => format!("the books do not hold: there are {many} differences"),
        };
        Done::new(said, "/audit", found)
    })
}
