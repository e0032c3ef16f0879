use axum::extract::State;
use billing::SourceName;
use billing::attribution::Attribution;
use billing::attribution_table::{AttributionRule, RuleId, RuleKey};
use jiff::civil::Date;
use serde::Deserialize;
use std::collections::BTreeMap;
use utoipa::{IntoParams, ToSchema};
use workflow::attribution::{self, Change, file};
use workflow::given;

use super::answer::{Answer, CSV, answer, file as as_file, list as listed};
use super::asked::{
    AlsoEnded, Ask, At, Both, DryRun, GIVEN, Given, GivenText, InPeriod, Nothing, OfPeriod, Paged, Words,
};
use super::changes::{CHANGED, LastDay, change, nothing_new, read_again, text, today};
use super::{Api, Door};
use crate::App;
use crate::access::{Access, Caller};
use crate::change::Change as Rules;
use crate::error::{PageError, PageResult};

pub fn api() -> Api {
    Api::of("Attribution")
        .on(Door::Read(Access::Viewer), "/api/v1/attribution", "attribution list", "Rules that say whose what is", list)
        .with_query::<Both<AlsoEnded, OfSource>>()
        .listed()
        .on(Door::Act(Access::Reviewer), "/api/v1/attribution", "attribution add", "Write a rule", add)
        .with_query::<DryRun>()
        .takes::<NewRule>(
            r#"{"key": "sub_account_id", "value": "111122223333", "gives": {"pi_email": "ada@example.edu"}, "from": "2025-01-01"}"#,
        )
        .answers(CHANGED)
        .on(Door::Act(Access::Reviewer), "/api/v1/attribution/{rule}/end", "attribution end", "Say the last day of a rule", end)
        .with_query::<DryRun>()
        .takes::<LastDay>(r#"{"on": "2025-06-30", "note": "left"}"#)
        .answers(CHANGED)
        .on(Door::Act(Access::Reviewer), "/api/v1/attribution/import", "attribution import",
            "Write the rules of a CSV file, all or none",
            import,
        )
        .with_query::<DryRun>()
        .takes_bytes("text/csv", "the CSV that the export writes")
        .answers(CHANGED)
        .on(Door::Read(Access::Viewer), "/api/v1/attribution/export", "attribution export", "The rules as the CSV that import reads", export)
        .answers_file("text/csv")
        .on(Door::Ask(Access::Viewer), "/api/v1/attribution/test", "attribution test",
            "Who would have a charge with these values?",
            test,
        )
        .takes::<Sample>(r#"{"source": "AWS", "with": {"sub_account_id": "111122223333"}, "on": "2025-01-15"}"#)
        .on(Door::Act(Access::Reviewer), "/api/v1/attribution/apply", "attribution apply",
            "Read again what was read before the table changed",
            read_again,
        )
        .begins_job()
        .on(Door::Read(Access::Viewer), "/api/v1/attribution/unreached",
            "attribution unreached",
            "What neither tags nor rules reach, the most expensive first",
            unreached,
        )
        .with_query::<OfPeriod>()
        .listed()
        .on(
            Door::Read(Access::Viewer),
            "/api/v1/attribution/{rule}/reached",
            "attribution reached",
            "What a rule reached in a period, the most expensive first",
            reached,
        )
        .with_query::<InPeriod>()
        .listed()
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct OfSource {
    /// Of this source, with those of every source
    source: Option<String>,
}

async fn list(
    State(app): State<App>,
    caller: Caller,
    Paged { query: Both(ended, of), page }: Paged<Both<AlsoEnded, OfSource>>,
) -> Answer {
    let mut rows = attribution::list(&app.installation).await?;
    rows.retain(|row| ended.lists(row.rule.to, today(&caller)));
    if let Some(source) = of.source {
        let key = SourceName(source).key();
        rows.retain(|row| row.rule.source.as_ref().is_none_or(|source| source.key() == key));
    }
    listed(page, rows)
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewRule {
    /// Only for charges of this source
    #[schema(value_type = Option<String>)]
    source: Option<SourceName>,
    /// What to look at: a column (`sub_account_id`), a tag (`tag:Department`) or a field (`pi_email`)
    #[schema(value_type = String)]
    key: RuleKey,
    /// Its value, in any case; with `*` at the end, whatever begins so
    #[schema(value_type = String)]
    value: Words,
    gives: RuleGives,
    /// First day of the charge periods that it is for
    #[schema(value_type = Option<String>, format = Date)]
    from: Option<Date>,
    /// Last day
    #[schema(value_type = Option<String>, format = Date)]
    to: Option<Date>,
    /// Why, for the table and the audit trail
    #[schema(value_type = Option<String>)]
    note: Option<Words>,
}

/// The fields that a rule gives; at least one.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
struct RuleGives {
    pi_email: Option<String>,
    project_id: Option<String>,
    fund_org: Option<String>,
    cost_center: Option<String>,
    account_code: Option<String>,
    reference_1: Option<String>,
    reference_2: Option<String>,
    end_date: Option<String>,
    reconciliation_end: Option<String>,
    fallback_fund_org: Option<String>,
    customer_class: Option<String>,
    usage_user: Option<String>,
}

impl From<RuleGives> for Attribution {
    fn from(gives: RuleGives) -> Attribution {
        Attribution {
            pi_email: gives.pi_email,
            project_id: gives.project_id,
            fund_org: gives.fund_org,
            cost_center: gives.cost_center,
            account_code: gives.account_code,
            reference_1: gives.reference_1,
            reference_2: gives.reference_2,
            end_date: gives.end_date,
            reconciliation_end: gives.reconciliation_end,
            fallback_fund_org: gives.fallback_fund_org,
            customer_class: gives.customer_class,
            usage_user: gives.usage_user,
        }
    }
}

async fn add(
    State(app): State<App>,
    caller: Caller,
    Ask(dry): Ask<DryRun>,
    Given(new): Given<NewRule>,
) -> Answer {
    let note = text(new.note);
    let rule = AttributionRule {
        id: RuleId(0),
        source: new.source,
        key: new.key,
        value: new.value.0,
        gives: new.gives.into(),
        from: new.from,
        to: new.to,
        note: note.clone(),
    };
    let added = Change { add: vec![rule], note, ..Change::default() };
    change(&app, &caller, dry.dry_run, Rules::Attribution(added)).await
}

async fn end(
    State(app): State<App>,
    caller: Caller,
    At(rule): At<RuleId>,
    Ask(dry): Ask<DryRun>,
    Given(LastDay { on, note }): Given<LastDay>,
) -> Answer {
    let ended = Change { end: vec![(rule, on)], note: text(note), ..Change::default() };
    change(&app, &caller, dry.dry_run, Rules::Attribution(ended)).await
}

async fn import(
    State(app): State<App>,
    caller: Caller,
    Ask(dry): Ask<DryRun>,
    GivenText(given): GivenText,
) -> Answer {
    let wanted = file::read_bytes(GIVEN, given.as_bytes())?;
    let add = attribution::new_rules(&app.installation, wanted).await?;
    if add.is_empty() {
        return nothing_new();
    }
    change(&app, &caller, dry.dry_run, Rules::Attribution(Change { add, ..Change::default() })).await
}

async fn export(State(app): State<App>, Ask(Nothing {}): Ask<Nothing>) -> Answer {
    let rules: Vec<AttributionRule> =
        attribution::list(&app.installation).await?.into_iter().map(|row| row.rule).collect();
    as_file(CSV, "attribution.csv", file::write(&rules)?)
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Sample {
    /// Source of the charge
    source: String,
    /// Values of the charge by column, tag or field
    with: BTreeMap<String, String>,
    /// Day the charge period begins; today when it is not given
    #[schema(value_type = Option<String>, format = Date)]
    on: Option<Date>,
}

async fn test(State(app): State<App>, caller: Caller, Given(sample): Given<Sample>) -> Answer {
    let read = |(key, value): (String, String)| -> PageResult<(RuleKey, String)> {
        let key = key.parse::<RuleKey>().map_err(|error| PageError::bad_request(format!("with: {error}")))?;
        Ok((key, value))
    };
    let with: Vec<(RuleKey, String)> = sample.with.into_iter().map(read).collect::<Result<_, _>>()?;
    let mut tags: [Option<String>; Attribution::COUNT] = Default::default();
    for (key, value) in &with {
        if let RuleKey::Field(field) = key {
            tags[*field] = Some(value.clone());
        }
    }
    let (source, tags) = (SourceName(sample.source), Attribution::from_values(tags));
    let on = sample.on.unwrap_or_else(|| today(&caller));
    answer(attribution::test(&app.installation, &source, &tags, &with, on).await?)
}

async fn unreached(State(app): State<App>, Paged { query, page }: Paged<OfPeriod>) -> Answer {
    listed(page, attribution::unreached(&app.installation, query.period).await?)
}

async fn reached(
    State(app): State<App>,
    At(rule): At<RuleId>,
    Paged { query, page }: Paged<InPeriod>,
) -> Answer {
    listed(page, given::attributed(&app.installation, query.period, rule).await?)
}
