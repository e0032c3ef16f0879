use axum::extract::State;
use billing::subsidy::{Percent, Scope, SubsidyId, SubsidyRule, Tier, Window};
use billing::{Period, SourceName};
use money::Amount;
use serde::Deserialize;
use utoipa::ToSchema;
use workflow::given;
use workflow::subsidies::{self, Change};

use super::answer::{Answer, list as listed};
use super::asked::{AlsoEnded, Ask, At, DryRun, Given, InPeriod, Nothing, Paged, Words};
use super::changes::{FUNDED, LastPeriod, change, text, today};
use super::{Api, Door};
use crate::App;
use crate::access::{Access, Caller};
use crate::change::Change as Rules;

pub fn api() -> Api {
    Api::of("Subsidies")
        .on(Door::Read(Access::Viewer), "/api/v1/subsidies", "subsidies list", "Who else pays: the rules", list)
        .with_query::<AlsoEnded>()
        .listed()
        .on(Door::Act(Access::Admin), "/api/v1/subsidies", "subsidies add", "Write a rule", add)
        .with_query::<DryRun>()
        .takes::<NewSubsidy>(
            r#"{"name": "Provost's research fund", "payer": "PROV-10001", "tiers": [{"up_to": "500", "percent": "100"}], "window": "fiscal-year", "from": "2025-01"}"#,
        )
        .answers(FUNDED)
        .on(Door::Act(Access::Admin), "/api/v1/subsidies/{rule}/end", "subsidies end", "Say the last period of a rule", end)
        .with_query::<DryRun>()
        .takes::<LastPeriod>(r#"{"last": "2025-06", "note": "the fund is used up"}"#)
        .answers(FUNDED)
        .on(Door::Read(Access::Viewer), "/api/v1/subsidies/balances",
            "subsidies show",
            "What was seen and paid, and what is left, when a period is billed as it stands",
            balances,
        )
        .with_query::<InPeriod>()
        .listed()
        .on(
            Door::Read(Access::Viewer),
            "/api/v1/subsidies/{rule}/paid",
            "subsidies paid",
            "What a rule paid by issued statements, the latest period first",
            paid,
        )
        .listed()
}

async fn list(State(app): State<App>, caller: Caller, Paged { query, page }: Paged<AlsoEnded>) -> Answer {
    let today = Period::of(today(&caller));
    let mut rows = subsidies::list(&app.installation).await?;
    rows.retain(|row| query.lists(row.rule.to, today));
    listed(page, rows)
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewSubsidy {
    /// Its name, as it stands on statements
    #[schema(value_type = String)]
    name: Words,
    /// The `fund_org` that pays
    #[schema(value_type = String)]
    payer: Words,
    /// The account it is posted to; that of the charges when it is not given
    account_code: Option<String>,
    /// Before rules with larger numbers
    #[serde(default)]
    order: i64,
    /// Also where an earlier rule pays already; `true` unless said
    #[serde(default = "yes")]
    #[schema(default = true)]
    stacks: bool,
    /// Only charges of these sources
    #[serde(default)]
    sources: Vec<String>,
    /// Only these services (`Storage*`: whatever begins so)
    #[serde(default)]
    services: Vec<String>,
    /// Only these PIs
    #[serde(default)]
    pis: Vec<String>,
    /// Only these projects
    #[serde(default)]
    projects: Vec<String>,
    /// So much of the cost up to an amount, of the next up to another, …
    tiers: Vec<SubsidyTier>,
    /// Not more than this
    #[schema(value_type = Option<String>)]
    cap: Option<Amount>,
    /// What is not used of tiers and cap in one window is added to those of the next
    #[serde(default)]
    carries_over: bool,
    /// Whose costs count together: `project`, `pi` or `all`
    #[serde(default)]
    #[schema(value_type = Option<String>, default = "project")]
    scope: Scope,
    /// Over which time: `month`, `quarter`, `year`, `fiscal-year` or `once`
    #[serde(default)]
    #[schema(value_type = Option<String>, default = "month")]
    window: Window,
    /// First billing period
    #[schema(value_type = String, example = "2025-01")]
    from: Period,
    /// Last billing period
    #[schema(value_type = Option<String>)]
    to: Option<Period>,
    /// Why, for the audit trail
    #[schema(value_type = Option<String>)]
    note: Option<Words>,
}

const fn yes() -> bool {
    true
}

/// Up to this much of the cost (all of it, where not given), so much is paid.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct SubsidyTier {
    #[schema(value_type = Option<String>)]
    up_to: Option<Amount>,
    #[schema(value_type = String, example = "50")]
    percent: Percent,
}

async fn add(
    State(app): State<App>,
    caller: Caller,
    Ask(dry): Ask<DryRun>,
    Given(new): Given<NewSubsidy>,
) -> Answer {
    let rule = SubsidyRule {
        id: SubsidyId::default(),
        name: new.name.0,
        payer: new.payer.0,
        account_code: new.account_code,
        order: new.order,
        stacks: new.stacks,
        sources: new.sources.into_iter().map(SourceName).collect(),
        services: new.services,
        pis: new.pis,
        projects: new.projects,
        tiers: new.tiers.iter().map(|tier| Tier { up_to: tier.up_to, percent: tier.percent }).collect(),
        cap: new.cap,
        carries_over: new.carries_over,
        scope: new.scope,
        window: new.window,
        from: new.from,
        to: new.to,
        note: text(new.note),
        opening: Vec::new(),
    };
    change(&app, &caller, dry.dry_run, Rules::Subsidy(Change::Add(Box::new(rule)))).await
}

async fn end(
    State(app): State<App>,
    caller: Caller,
    At(rule): At<SubsidyId>,
    Ask(dry): Ask<DryRun>,
    Given(LastPeriod { last, note }): Given<LastPeriod>,
) -> Answer {
    let ended = Change::End { rule, last, note: text(note) };
    change(&app, &caller, dry.dry_run, Rules::Subsidy(ended)).await
}

async fn balances(State(app): State<App>, Paged { query, page }: Paged<InPeriod>) -> Answer {
    listed(page, subsidies::balances(&app.installation, query.period).await?)
}

async fn paid(State(app): State<App>, At(rule): At<SubsidyId>, paged: Paged<Nothing>) -> Answer {
    listed(paged.page, given::by_subsidy(&app.installation, rule).await?)
}
