use axum::extract::State;
use billing::Period;
use serde::Deserialize;
use utoipa::ToSchema;
use workflow::periods;

use super::answer::{Answer, answer, list as listed};
use super::asked::{Ask, At, Given, Nothing, Paged, Words};
use super::{Api, Door};
use crate::App;
use crate::access::{Access, Caller};

pub fn api() -> Api {
    Api::of("Periods")
        .on(
            Door::Read(Access::Viewer),
            "/api/v1/periods",
            "periods list",
            "Billing periods with their states and sums",
            list,
        )
        .listed()
        .on(
            Door::Act(Access::Reviewer),
            "/api/v1/periods",
            "periods open",
            "Open a period that no import has opened",
            open,
        )
        .takes::<NewPeriod>(r#"{"period": "2025-02"}"#)
        .on(
            Door::Read(Access::Viewer),
            "/api/v1/periods/{period}",
            "periods show",
            "One period: state, life, sums by state",
            show,
        )
        .on(
            Door::Act(Access::Reviewer),
            "/api/v1/periods/{period}/close",
            "periods close",
            "Close a period: no more imports and decisions, statements can be made",
            close,
        )
        .may_take::<PeriodNotes>(r#"{"notes": "all files are there"}"#)
        .answers("the period, as `periods show --json`")
        .on(
            Door::Act(Access::Reviewer),
            "/api/v1/periods/{period}/reopen",
            "periods reopen",
            "Open a closed period again",
            reopen,
        )
        .takes::<PeriodReason>(r#"{"reason": "late storage file"}"#)
        .answers("the period, as `periods show --json`")
        .on(
            Door::Act(Access::Admin),
            "/api/v1/periods/{period}/finalize",
            "periods finalize",
            "Make a closed period final: what comes later is a correction",
            finalize,
        )
        .may_take::<PeriodNotes>(r#"{"notes": "posted by accounting"}"#)
        .answers("the period, as `periods show --json`")
}

async fn list(State(app): State<App>, paged: Paged<Nothing>) -> Answer {
    listed(paged.page, periods::list(&app.installation).await?)
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewPeriod {
    /// Billing period
    #[schema(value_type = String, example = "2025-02")]
    period: Period,
}

async fn open(State(app): State<App>, caller: Caller, Given(new): Given<NewPeriod>) -> Answer {
    periods::open(&app.installation, &caller.actor(), new.period).await?;
    answer(periods::show(&app.installation, new.period).await?)
}

async fn show(State(app): State<App>, At(period): At<Period>, Ask(Nothing {}): Ask<Nothing>) -> Answer {
    answer(periods::show(&app.installation, period).await?)
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct PeriodNotes {
    /// Words for the books
    #[schema(value_type = Option<String>)]
    notes: Option<Words>,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct PeriodReason {
    /// Why, for the audit trail
    #[schema(value_type = String)]
    reason: Words,
}

async fn close(
    State(app): State<App>,
    caller: Caller,
    At(period): At<Period>,
    Given(given): Given<PeriodNotes>,
) -> Answer {
    let notes = given.notes.as_ref().map(|notes| notes.0.as_str());
    periods::close(&app.installation, &caller.actor(), period, notes).await?;
    answer(periods::show(&app.installation, period).await?)
}

async fn reopen(
    State(app): State<App>,
    caller: Caller,
    At(period): At<Period>,
    Given(given): Given<PeriodReason>,
) -> Answer {
    periods::reopen(&app.installation, &caller.actor(), period, &given.reason.0).await?;
    answer(periods::show(&app.installation, period).await?)
}

async fn finalize(
    State(app): State<App>,
    caller: Caller,
    At(period): At<Period>,
    Given(given): Given<PeriodNotes>,
) -> Answer {
    let notes = given.notes.as_ref().map(|notes| notes.0.as_str());
    periods::finalize(&app.installation, &caller.actor(), period, notes).await?;
    answer(periods::show(&app.installation, period).await?)
}
