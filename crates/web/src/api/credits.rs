use axum::extract::State;
use billing::credit::{Credit, CreditId, CreditKind};
use billing::{Period, SourceName};
use money::Amount;
use serde::Deserialize;
use utoipa::ToSchema;
use workflow::credits::{self, Change, Move};

use super::Api;
use super::answer::{Answer, answer, list as listed};
use super::asked::{AlsoEnded, Ask, At, DryRun, Given, OfPeriod, Paged, Words};
use super::attribution::today;
use super::subsidies::{FUNDED, funded};
use crate::App;
use crate::access::{Access, Caller};
use crate::error::{PageError, PageResult};

pub fn api() -> Api {
    Api::of("Credits")
        .read("/api/v1/credits", "credits list", "Amounts that were granted", list)
        .with_query::<AlsoEnded>()
        .listed()
        .act("/api/v1/credits", Access::Reviewer, "credits add", "Grant a credit", add)
        .with_query::<DryRun>()
        .takes::<NewCredit>(
            r#"{"name": "AWS research credits", "amount": "5000", "payer": "IT-AWS", "projects": ["soil-microbiome"], "from": "2025-01"}"#,
        )
        .answers(FUNDED)
        .act(
            "/api/v1/credits/{credit}/move",
            Access::Reviewer,
            "credits move",
            "Give an unused part of a credit to others",
            move_on,
        )
        .with_query::<DryRun>()
        .takes::<CreditPart>(r#"{"amount": "1000", "projects": ["river-genomes"], "note": "agreed by mail"}"#)
        .answers(FUNDED)
        .act("/api/v1/credits/{credit}/end", Access::Reviewer, "credits end", "Say the last period of a credit", end)
        .with_query::<DryRun>()
        .takes::<CreditEnd>(r#"{"last": "2025-06"}"#)
        .answers(FUNDED)
        .read(
            "/api/v1/credits/balances",
            "credits show",
            "What is left of each, when a period is billed as it stands",
            balances,
        )
        .with_query::<OfPeriod>()
        .listed()
}

async fn list(State(app): State<App>, caller: Caller, Paged { query, page }: Paged<AlsoEnded>) -> Answer {
    let today = Period::of(today(&caller));
    let mut rows = credits::list(&app.installation).await?;
    rows.retain(|row| query.all || row.rule.to.is_none_or(|to| today <= to));
    listed(page, rows)
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewCredit {
    /// Its name, as it stands on statements
    #[schema(value_type = String)]
    name: Words,
    /// How much
    #[schema(value_type = String, example = "5000")]
    amount: Amount,
    /// The `fund_org` that it is drawn from
    #[schema(value_type = String)]
    payer: Words,
    /// The account it is posted to; that of the charges when it is not given
    account_code: Option<String>,
    /// Where it comes from: `provider`, `prepayment` or `award`
    #[serde(default)]
    #[schema(value_type = Option<String>, default = "provider")]
    kind: CreditKind,
    /// For these PIs
    #[serde(default)]
    pis: Vec<String>,
    /// For these projects, which share it
    #[serde(default)]
    projects: Vec<String>,
    /// For nobody, until it is moved on
    #[serde(default)]
    kept_back: bool,
    /// Only charges of these sources
    #[serde(default)]
    sources: Vec<String>,
    /// Only these services (`Storage*`: whatever begins so)
    #[serde(default)]
    services: Vec<String>,
    /// Before credits with larger numbers
    #[serde(default)]
    order: i64,
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

/// Whom it is for is said, never forgotten.
fn need_holder(pis: &[String], projects: &[String], kept_back: bool) -> PageResult<()> {
    match (pis.is_empty() && projects.is_empty(), kept_back) {
        (true, false) => {
            Err(PageError::bad_request("say whom it is for: pis, projects, or kept_back for nobody yet"))
        }
        (false, true) => {
            Err(PageError::bad_request("kept_back: it is for nobody, or for those that are named"))
        }
        _ => Ok(()),
    }
}

async fn add(
    State(app): State<App>,
    caller: Caller,
    Ask(dry): Ask<DryRun>,
    Given(new): Given<NewCredit>,
) -> Answer {
    need_holder(&new.pis, &new.projects, new.kept_back)?;
    let credit = Credit {
        id: CreditId::default(),
        kind: new.kind,
        name: new.name.0,
        payer: new.payer.0,
        account_code: new.account_code,
        amount: new.amount,
        order: new.order,
        pis: new.pis,
        projects: new.projects,
        sources: new.sources.into_iter().map(SourceName).collect(),
        services: new.services,
        from: new.from,
        to: new.to,
        moved_from: None,
        note: new.note.map(|note| note.0),
    };
    change(&app, &caller, dry, &Change::Add(Box::new(credit))).await
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct CreditPart {
    /// How much
    #[schema(value_type = String, example = "1000")]
    amount: Amount,
    /// For these PIs
    #[serde(default)]
    pis: Vec<String>,
    /// For these projects, which share it
    #[serde(default)]
    projects: Vec<String>,
    /// For nobody, until it is moved on
    #[serde(default)]
    kept_back: bool,
    /// Why, for the audit trail
    #[schema(value_type = String)]
    note: Words,
}

async fn move_on(
    State(app): State<App>,
    caller: Caller,
    At(from): At<CreditId>,
    Ask(dry): Ask<DryRun>,
    Given(part): Given<CreditPart>,
) -> Answer {
    need_holder(&part.pis, &part.projects, part.kept_back)?;
    let CreditPart { amount, pis, projects, note, .. } = part;
    change(&app, &caller, dry, &Change::Move(Move { from, amount, pis, projects, note: note.0 })).await
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct CreditEnd {
    /// Its last billing period
    #[schema(value_type = String, example = "2025-06")]
    last: Period,
    /// Why, for the audit trail
    #[schema(value_type = Option<String>)]
    note: Option<Words>,
}

async fn end(
    State(app): State<App>,
    caller: Caller,
    At(credit): At<CreditId>,
    Ask(dry): Ask<DryRun>,
    Given(given): Given<CreditEnd>,
) -> Answer {
    let end = Change::End { credit, last: given.last, note: given.note.map(|note| note.0) };
    change(&app, &caller, dry, &end).await
}

async fn change(app: &App, caller: &Caller, dry: DryRun, change: &Change) -> Answer {
    let effects = credits::preview(&app.installation, change).await?;
    if dry.dry_run {
        return answer(effects);
    }
    let (credit, number) = credits::change(&app.installation, &caller.actor(), change).await?;
    funded(credit, number, &effects)
}

async fn balances(State(app): State<App>, Paged { query, page }: Paged<OfPeriod>) -> Answer {
    listed(page, credits::balances(&app.installation, query.period).await?.credits)
}
