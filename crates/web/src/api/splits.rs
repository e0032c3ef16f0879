use axum::extract::State;
use billing::split::{Share, SplitId, SplitPart, SplitRule};
use billing::subsidy::Percent;
use billing::{ChargeId, SourceName};
use jiff::civil::Date;
use money::Amount;
use serde::Deserialize;
use utoipa::ToSchema;
use workflow::given;
use workflow::splits::{self, Change};

use super::answer::{Answer, list as listed};
use super::asked::{AlsoEnded, Ask, At, DryRun, Given, InPeriod, Paged, Words};
use super::changes::{FUNDED, change, today};
use super::{Api, Door};
use crate::App;
use crate::access::{Access, Caller};
use crate::change::Change as Rules;
use crate::error::PageError;

pub fn api() -> Api {
    Api::of("Splits")
        .on(Door::Read(Access::Viewer), "/api/v1/splits", "splits list", "Charges over several funds: the rules", list)
        .with_query::<AlsoEnded>()
        .listed()
        .on(Door::Act(Access::Reviewer), "/api/v1/splits", "splits add", "Write a rule", add)
        .with_query::<DryRun>()
        .takes::<NewSplit>(
            r#"{"project_id": "soil-microbiome", "parts": [{"fund_org": "BIO-21502", "share": {"percent": "60"}}, {"fund_org": "GEO-11000", "share": {"percent": "40"}}], "from": "2025-01-01", "note": "as agreed"}"#,
        )
        .answers(FUNDED)
        .on(Door::Act(Access::Reviewer), "/api/v1/splits/{rule}/end", "splits end", "Say the last day of a rule", end)
        .with_query::<DryRun>()
        .takes::<SplitEnd>(r#"{"on": "2025-06-30", "note": "the second grant has ended"}"#)
        .answers(FUNDED)
        .on(
            Door::Read(Access::Viewer),
            "/api/v1/splits/{rule}/carried",
            "splits carried",
            "The funds of a rule on the statements of a period, before others pay",
            carried,
        )
        .with_query::<InPeriod>()
        .listed()
}

async fn list(State(app): State<App>, caller: Caller, Paged { query, page }: Paged<AlsoEnded>) -> Answer {
    let mut rows = splits::list(&app.installation).await?;
    rows.retain(|row| query.lists(row.rule.to, today(&caller)));
    listed(page, rows)
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewSplit {
    /// Charges of this source
    #[schema(value_type = Option<String>)]
    source: Option<SourceName>,
    /// Charges of this PI
    pi_email: Option<String>,
    /// Charges of this project
    project_id: Option<String>,
    /// This charge alone, in whatever delivery it comes
    #[schema(value_type = Option<String>, example = "12:345")]
    charge: Option<ChargeId>,
    /// Funds in their order, two or more; those with amounts come first
    parts: Vec<FundPart>,
    /// First day of the charge periods that it is for; of a charge its own when it is not given
    #[schema(value_type = Option<String>, format = Date)]
    from: Option<Date>,
    /// Last day
    #[schema(value_type = Option<String>, format = Date)]
    to: Option<Date>,
    /// On what basis, for the audit trail
    #[schema(value_type = String)]
    note: Words,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct FundPart {
    fund_org: String,
    share: FundShare,
}

/// How much a fund takes.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum FundShare {
    /// The next so much of a month's cost
    #[schema(value_type = String)]
    UpTo(Amount),
    /// So much of what is beyond all amounts
    #[schema(value_type = String)]
    Percent(Percent),
}

async fn add(
    State(app): State<App>,
    caller: Caller,
    Ask(dry): Ask<DryRun>,
    Given(new): Given<NewSplit>,
) -> Answer {
    if new.charge.is_some() && (new.source.is_some() || new.pi_email.is_some() || new.project_id.is_some()) {
        return Err(PageError::bad_request("charge: a split of one charge names nothing else"));
    }
    let charge = match new.charge {
        Some(id) => Some(splits::charge(&app.installation, id).await?),
        None => None,
    };
    let (charge, first) = charge.unzip();
    let Some(from) = new.from.or(first) else {
        return Err(PageError::bad_request("from: say the first day of the charges that it is for"));
    };
    let part = |part: FundPart| {
        let share = match part.share {
            FundShare::UpTo(amount) => Share::UpTo(amount),
            FundShare::Percent(percent) => Share::Percent(percent),
        };
        SplitPart { fund_org: part.fund_org, share }
    };
    let rule = SplitRule {
        id: SplitId::default(),
        source: new.source,
        pi_email: new.pi_email,
        project_id: new.project_id,
        charge,
        parts: new.parts.into_iter().map(part).collect(),
        from,
        to: new.to,
        note: new.note.0,
    };
    change(&app, &caller, dry.dry_run, Rules::Split(Change::Add(Box::new(rule)))).await
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct SplitEnd {
    /// Its last day
    #[schema(value_type = String, format = Date)]
    on: Date,
    /// Why, for the audit trail
    #[schema(value_type = String)]
    note: Words,
}

async fn end(
    State(app): State<App>,
    caller: Caller,
    At(rule): At<SplitId>,
    Ask(dry): Ask<DryRun>,
    Given(given): Given<SplitEnd>,
) -> Answer {
    let ended = Change::End { rule, on: given.on, note: given.note.0 };
    change(&app, &caller, dry.dry_run, Rules::Split(ended)).await
}

async fn carried(
    State(app): State<App>,
    At(split): At<SplitId>,
    Paged { query, page }: Paged<InPeriod>,
) -> Answer {
    listed(page, given::by_split(&app.installation, query.period, split).await?)
}
