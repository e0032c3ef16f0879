use axum::extract::State;
use billing::Period;
use billing::decision::Reassignment;
use billing::unusual::{UnusualCost, ratio_percent};
use lake::Filter;
use money::Amount;
use serde::Deserialize;
use serde_json::json;
use utoipa::{IntoParams, ToSchema};
use workflow::patterns::try_patterns;
use workflow::review::{self, Act};
use workflow::unusual::try_rule;

use super::answer::{Answer, answer, page_of};
use super::asked::{Ask, Both, DryRun, Given, Nothing, OfPeriod, Paged, Words};
use super::charges::{ChargeFilter, need_some};
use super::{Api, Door};
use crate::App;
use crate::access::{Access, Caller};
use crate::error::{PageError, PageResult};

pub fn api() -> Api {
    const DECIDED: &str = "as the command with `--json`; of a dry run `act`, `charges`, `cost` and `skipped`: what would be decided";
    Api::of("Review")
        .on(Door::Read(Access::Viewer), "/api/v1/review", "review list", "Charges that wait for a decision", list)
        .with_query::<ChargeFilter>()
        .listed()
        .on(Door::Act(Access::Reviewer), "/api/v1/review/approve", "review approve",
            "Bill charges although they were flagged",
            approve,
        )
        .with_query::<DryRun>()
        .takes::<Decision>(r#"{"charges": {"period": "2025-01", "flag": ["pattern_match"]}, "note": "workshop"}"#)
        .answers(DECIDED)
        .on(Door::Act(Access::Reviewer), "/api/v1/review/reject", "review reject", "Do not bill charges", reject)
        .with_query::<DryRun>()
        .takes::<Decision>(r#"{"charges": {"id": ["1:7"]}, "note": "test account"}"#)
        .answers(DECIDED)
        .on(Door::Act(Access::Reviewer), "/api/v1/review/defer", "review defer",
            "Bill charges in the next open period, or in another",
            defer,
        )
        .with_query::<DryRun>()
        .takes::<Deferral>(r#"{"charges": {"period": "2025-01", "flag": ["missing_fund_org"]}, "to": "2025-02"}"#)
        .answers(DECIDED)
        .on(Door::Act(Access::Reviewer), "/api/v1/review/reassign", "review reassign",
            "Give charges another PI, project, fund_org, account or reference",
            reassign,
        )
        .with_query::<DryRun>()
        .takes::<Reassigned>(
            r#"{"charges": {"id": ["1:7"]}, "change": {"project_id": "soil-microbiome", "fund_org": "BIO-21502"}}"#,
        )
        .answers(DECIDED)
        .on(Door::Act(Access::Reviewer), "/api/v1/review/undo", "review undo",
            "Take back the last decision about charges, while their period is open",
            undo,
        )
        .with_query::<DryRun>()
        .takes::<Undone>(r#"{"charges": {"id": ["1:7"]}}"#)
        .answers(DECIDED)
        .on(Door::Read(Access::Viewer), "/api/v1/review/rules/try",
            "review rules try",
            "What the rule of unusual cost would have found in past months",
            try_unusual,
        )
        .with_query::<Trial>()
        .on(
            Door::Read(Access::Viewer),
            "/api/v1/review/rules/patterns",
            "review rules patterns",
            "What patterns of the review would flag and refuse, before they are configured",
            try_texts,
        )
        .with_query::<Both<OfPeriod, Patterns>>()
        .on(
            Door::Read(Access::Viewer),
            "/api/v1/review/history",
            "review history",
            "Acts of review, the latest first, and what still stands of each",
            history,
        )
        .listed()
}

/// Decisions are made in the period that bills a charge, which for a deferred one is not its own.
fn billed(filter: ChargeFilter) -> Filter {
    let period = filter.period;
    Filter { period: None, billed_in: period, ..filter.filter() }
}

async fn list(State(app): State<App>, Paged { query, page }: Paged<ChargeFilter>) -> Answer {
    let upto = page.offset() + page.limit();
    let queue = review::list(&app.installation, &billed(query), Some(upto)).await?;
    page_of(page, queue.total, queue.charges.get(page.offset()..).unwrap_or_default())
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Decision {
    charges: ChargeFilter,
    /// Why, for the books
    #[schema(value_type = Option<String>)]
    note: Option<Words>,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Deferral {
    charges: ChargeFilter,
    /// Why, for the books
    #[schema(value_type = Option<String>)]
    note: Option<Words>,
    /// Period to bill in; the next open one when it is not given
    #[schema(value_type = Option<String>, example = "2025-02")]
    to: Option<Period>,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Reassigned {
    charges: ChargeFilter,
    /// Why, for the books
    #[schema(value_type = Option<String>)]
    note: Option<Words>,
    change: ChargeChange,
}

/// What charges get; at least one field.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ChargeChange {
    #[schema(value_type = Option<String>)]
    pi_email: Option<Words>,
    #[schema(value_type = Option<String>)]
    project_id: Option<Words>,
    #[schema(value_type = Option<String>)]
    fund_org: Option<Words>,
    #[schema(value_type = Option<String>)]
    account_code: Option<Words>,
    #[schema(value_type = Option<String>)]
    reference_1: Option<Words>,
    #[schema(value_type = Option<String>)]
    reference_2: Option<Words>,
}

impl From<ChargeChange> for Reassignment {
    fn from(change: ChargeChange) -> Reassignment {
        let text = |words: Option<Words>| words.map(|words| words.0);
        Reassignment {
            pi_email: text(change.pi_email).map(|email| email.to_lowercase()),
            project_id: text(change.project_id),
            fund_org: text(change.fund_org),
            account_code: text(change.account_code),
            reference_1: text(change.reference_1),
            reference_2: text(change.reference_2),
        }
    }
}

type Who = (State<App>, Caller, Ask<DryRun>);

async fn approve(who: Who, Given(given): Given<Decision>) -> Answer {
    decide(who, Act::Approve, given.charges, given.note).await
}

async fn reject(who: Who, Given(given): Given<Decision>) -> Answer {
    decide(who, Act::Reject, given.charges, given.note).await
}

async fn defer(who: Who, Given(given): Given<Deferral>) -> Answer {
    decide(who, Act::Defer(given.to), given.charges, given.note).await
}

async fn reassign(who: Who, Given(given): Given<Reassigned>) -> Answer {
    let change = Reassignment::from(given.change);
    if change == Reassignment::default() {
        return Err(PageError::bad_request("change: say what the charges get"));
    }
    decide(who, Act::Reassign(change), given.charges, given.note).await
}

async fn decide(
    (State(app), caller, Ask(dry)): Who,
    act: Act,
    charges: ChargeFilter,
    note: Option<Words>,
) -> Answer {
    need_some(&charges)?;
    let filter = billed(charges);
    let selection = review::select(&app.installation, act, &filter).await?;
    if dry.dry_run {
        let (charges, cost) = (selection.charges.len(), selection.cost());
        return answer(json!({
            "act": selection.act.name(), "charges": charges, "cost": cost, "skipped": selection.skipped,
        }));
    }
    let note = note.map(|note| note.0);
    let decided =
        review::decide(&app.installation, &caller.actor(), &selection, &filter, note.as_deref()).await?;
    answer(decided)
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Undone {
    charges: ChargeFilter,
}

async fn undo(
    State(app): State<App>,
    caller: Caller,
    Ask(dry): Ask<DryRun>,
    Given(given): Given<Undone>,
) -> Answer {
    need_some(&given.charges)?;
    let filter = given.charges.filter();
    if dry.dry_run {
        let (charges, cost) = review::select_undo(&app.installation, &filter).await?;
        return answer(json!({ "act": "undo", "charges": charges, "cost": cost, "skipped": [] }));
    }
    answer(review::undo(&app.installation, &caller.actor(), &filter).await?)
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Trial {
    /// Only this billing period
    #[param(value_type = Option<String>, example = "2025-01")]
    period: Option<Period>,
    /// How many times the median a cost must reach, such as 2.5
    ratio: Option<String>,
    /// How far above the median it must be
    #[param(value_type = Option<String>)]
    minimum: Option<Amount>,
    /// How many months are looked back at, at least 3
    #[param(minimum = 3)]
    months: Option<u32>,
}

async fn try_unusual(State(app): State<App>, Ask(trial): Ask<Trial>) -> Answer {
    let configured = app.installation.settings.review.unusual_cost;
    let ratio = |text: String| -> PageResult<u32> {
        ratio_percent(&text).ok_or_else(|| {
            PageError::bad_request(format!("ratio: `{text}` is not a ratio from 1 to 1000, such as 2.5"))
        })
    };
    if let Some(months) = trial.months.filter(|months| !(3..=120).contains(months)) {
        return Err(PageError::bad_request(format!("months: {months} is not 3 to 120")));
    }
    let rule = UnusualCost {
        ratio_percent: trial.ratio.map(ratio).transpose()?.unwrap_or(configured.ratio_percent),
        minimum: trial.minimum.unwrap_or(configured.minimum),
        months: trial.months.unwrap_or(configured.months),
        ..configured
    };
    answer(try_rule(&app.installation, &rule, trial.period).await?)
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Patterns {
    /// Looked for in service, resource id and resource name; may be given again; as configured when it is not given
    #[serde(default)]
    #[param(example = json!(["training"]))]
    flag_pattern: Vec<String>,
    /// A fund must match one from its start; may be given again; as configured when it is not given
    #[serde(default)]
    #[param(example = json!(["[A-Z]+-[0-9]+"]))]
    fund_org_pattern: Vec<String>,
}

async fn try_texts(
    State(app): State<App>,
    Ask(Both(OfPeriod { period }, given)): Ask<Both<OfPeriod, Patterns>>,
) -> Answer {
    let mut patterns = app.installation.settings.review.clone();
    if !given.flag_pattern.is_empty() {
        patterns.flag_patterns = given.flag_pattern;
    }
    if !given.fund_org_pattern.is_empty() {
        patterns.fund_org_patterns = given.fund_org_pattern;
    }
    answer(try_patterns(&app.installation, &patterns, period).await?)
}

async fn history(State(app): State<App>, Paged { page, .. }: Paged<Nothing>) -> Answer {
    let (acts, total) = review::history(&app.installation, page.limit(), page.offset()).await?;
    page_of(page, total, &acts)
}
