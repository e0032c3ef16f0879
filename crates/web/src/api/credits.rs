use axum::extract::State;
use billing::credit::{Credit, CreditId, CreditKind};
use billing::{Period, SourceName};
use money::Amount;
use serde::Deserialize;
use utoipa::ToSchema;
use workflow::credits::{self, Change, Move};
use workflow::given;

use super::answer::{Answer, list as listed};
use super::asked::{AlsoEnded, Ask, At, DryRun, Given, Nothing, OfPeriod, Paged, Words};
use super::changes::{FUNDED, LastPeriod, change, text, today};
use super::{Api, Door};
use crate::App;
use crate::access::{Access, Caller};
use crate::change::Change as Rules;
use crate::error::{PageError, PageResult};

pub fn api() -> Api {
    Api::of("Credits")
        .on(Door::Read(Access::Viewer), "/api/v1/credits", "credits list", "Amounts that were granted", list)
        .with_query::<AlsoEnded>()
        .listed()
        .on(Door::Act(Access::Admin), "/api/v1/credits", "credits add", "Grant a credit", add)
        .with_query::<DryRun>()
        .takes::<NewCredit>(
            r#"{"name": "AWS research credits", "amount": "5000", "payer": "IT-AWS", "projects": ["soil-microbiome"], "from": "2025-01"}"#,
        )
        .answers(FUNDED)
        .on(Door::Act(Access::Admin), "/api/v1/credits/{credit}/move", "credits move",
            "Give an unused part of a credit to others",
            move_on,
        )
        .with_query::<DryRun>()
        .takes::<CreditPart>(r#"{"amount": "1000", "projects": ["river-genomes"], "note": "agreed by mail"}"#)
        .answers(FUNDED)
        .on(Door::Act(Access::Admin), "/api/v1/credits/{credit}/end", "credits end", "Say the last period of a credit", end)
        .with_query::<DryRun>()
        .takes::<LastPeriod>(r#"{"last": "2025-06"}"#)
        .answers(FUNDED)
        .on(Door::Read(Access::Viewer), "/api/v1/credits/balances",
            "credits show",
            "What is left of each, when a period is billed as it stands",
            balances,
        )
        .with_query::<OfPeriod>()
        .listed()
        .on(
            Door::Read(Access::Viewer),
            "/api/v1/credits/{credit}/paid",
            "credits paid",
            "What a credit paid by issued statements, the latest period first",
            paid,
        )
        .listed()
}

async fn list(State(app): State<App>, caller: Caller, Paged { query, page }: Paged<AlsoEnded>) -> Answer {
    let today = Period::of(today(&caller));
    let mut rows = credits::list(&app.installation).await?;
    rows.retain(|row| query.lists(row.rule.to, today));
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
        note: text(new.note),
    };
    change(&app, &caller, dry.dry_run, Rules::Credit(Change::Add(Box::new(credit)))).await
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
    let moved = Change::Move(Move { from, amount, pis, projects, note: note.0 });
    change(&app, &caller, dry.dry_run, Rules::Credit(moved)).await
}

async fn end(
    State(app): State<App>,
    caller: Caller,
    At(credit): At<CreditId>,
    Ask(dry): Ask<DryRun>,
    Given(LastPeriod { last, note }): Given<LastPeriod>,
) -> Answer {
    let ended = Change::End { credit, last, note: text(note) };
    change(&app, &caller, dry.dry_run, Rules::Credit(ended)).await
}

async fn balances(State(app): State<App>, Paged { query, page }: Paged<OfPeriod>) -> Answer {
    listed(page, credits::balances(&app.installation, query.period).await?.credits)
}

async fn paid(State(app): State<App>, At(credit): At<CreditId>, paged: Paged<Nothing>) -> Answer {
    listed(paged.page, given::by_credit(&app.installation, credit).await?)
}
