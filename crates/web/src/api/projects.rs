use axum::extract::State;
use workflow::projects::{self, Span, Who};

use super::answer::{Answer, answer, list as listed};
use super::asked::{Ask, At, MonthOrYear, OfPeriod, Paged};
use super::reports::or_current;
use super::{Api, Door};
use crate::App;
use crate::access::Access;
use crate::error::{PageError, PageResult};

pub fn api() -> Api {
    Api::of("Projects")
        .on(
            Door::Read(Access::Viewer),
            "/api/v1/projects",
            "projects list",
            "Projects of a month or a fiscal year, the most expensive first",
            list,
        )
        .with_query::<MonthOrYear>()
        .listed()
        .on(
            Door::Read(Access::Viewer),
            "/api/v1/projects/{project}",
            "projects show",
            "A project over the twelve months up to a period: use, statements, splits, what is left of subsidies and credits",
            show,
        )
        .with_query::<OfPeriod>()
        .on(
            Door::Read(Access::Viewer),
            "/api/v1/pis",
            "pis list",
            "PIs of a month or a fiscal year, the most expensive first",
            list_pis,
        )
        .with_query::<MonthOrYear>()
        .listed()
        .on(
            Door::Read(Access::Viewer),
            "/api/v1/pis/{pi}",
            "pis show",
            "A PI, by any address or number, over the twelve months up to a period",
            show_pi,
        )
        .with_query::<OfPeriod>()
}

async fn span(app: &App, asked: MonthOrYear) -> PageResult<Span> {
    match (asked.period, asked.fiscal_year) {
        (Some(_), Some(_)) => {
            Err(PageError::bad_request("fiscal_year: ask for a fiscal year or for a period, not for both"))
        }
        (None, Some(year)) => Ok(Span::FiscalYear(year)),
        (period, None) => Ok(Span::Period(or_current(app, period).await?)),
    }
}

async fn list(State(app): State<App>, Paged { query, page }: Paged<MonthOrYear>) -> Answer {
    listed(page, projects::list(&app.installation, span(&app, query).await?).await?)
}

async fn list_pis(State(app): State<App>, Paged { query, page }: Paged<MonthOrYear>) -> Answer {
    listed(page, projects::list_pis(&app.installation, span(&app, query).await?).await?)
}

async fn show(State(app): State<App>, At(project): At<String>, Ask(until): Ask<OfPeriod>) -> Answer {
    answer(projects::show(&app.installation, &Who::Project(project), until.period).await?)
}

async fn show_pi(State(app): State<App>, At(pi): At<String>, Ask(until): Ask<OfPeriod>) -> Answer {
    answer(projects::show(&app.installation, &Who::Pi(pi.to_lowercase()), until.period).await?)
}
