//! The attribution table: look at it, try it, and change it. What was read before a change is read again by
//! [`reading`].

pub mod file;

use billing::attribution::Attribution;
use billing::attribution_table::{AttributionRule, AttributionTable, RuleId, RuleKey};
use billing::people::People;
use billing::{Flag, LedgerNumber, Period, SourceName};
use jiff::civil::Date;
use lake::Filter;
use ledger::{Reader, RuleRow};
use money::Amount;
use serde::Serialize;

use crate::people::people;
use crate::reading::{self, Effect};
use crate::rules::{NOT_LONGER, Written, day_before, may_end, rules};
use crate::{Actor, Installation, Refusal, WorkflowError, sources};

/// What a person wants to change. Ids of new rules are given when they are recorded.
#[derive(Clone, Debug, Default)]
pub struct Change {
    pub add: Vec<AttributionRule>,
    /// Rules and their new last days.
    pub end: Vec<(RuleId, Date)>,
    pub note: Option<String>,
}

/// A value of the files that no rule reaches, and what that comes to.
#[derive(Clone, Debug, Serialize)]
pub struct Unreached {
    pub source: String,
    pub billing_account_id: Option<String>,
    pub sub_account_id: Option<String>,
    pub charges: u64,
    pub billed_cost: Amount,
}

/// Who a charge with these values would belong to.
#[derive(Clone, Debug, Serialize)]
pub struct Tested {
    pub attribution: Attribution,
    pub rules: Vec<RuleId>,
}

/// The rules with what the addresses of people add to them.
pub(crate) async fn table(
    reader: &mut Reader,
    as_of: Option<LedgerNumber>,
) -> Result<Vec<AttributionRule>, WorkflowError> {
    let people = people(reader, as_of).await?;
    Ok(with_people(rules(reader, as_of).await?, &people))
}

pub(crate) fn with_people(mut rules: Vec<AttributionRule>, people: &People) -> Vec<AttributionRule> {
    rules.extend(people.aliases());
    rules
}

/// All rules, also those that ended.
///
/// # Errors
/// What the ledger could not read.
pub async fn list(installation: &Installation) -> Result<Vec<RuleRow<AttributionRule>>, WorkflowError> {
    Ok(installation.ledger.read().await?.rules(None).await?)
}

/// What a change would do, found by reading the imports that it concerns under the new table. Nothing is
/// recorded.
///
/// # Errors
/// A change that cannot be made: see [`change`].
pub async fn preview(
    installation: &Installation,
    actor: &Actor,
    change: &Change,
) -> Result<Effect, WorkflowError> {
    let mut reader = installation.ledger.read().await?;
    let (_, after) = changed(installation, &mut reader, change).await?;
    let after = with_people(after, &people(&mut reader, None).await?);
    reading::preview(installation, actor, reader, |rules| rules.attribution.now = after).await
}

/// Record a change. [`reading::apply`] then reads again what it concerns.
///
/// # Errors
/// All that is wrong with the rules, at once: rules that make no sense, two that say different things of one
/// day, an end of a rule that is not known or that ended before.
pub async fn change(
    installation: &Installation,
    actor: &Actor,
    change: &Change,
) -> Result<LedgerNumber, WorkflowError> {
    let mut tx = installation.ledger.begin().await?;
    let (add, _) = changed(installation, &mut tx, change).await?;
    if add.is_empty() && change.end.is_empty() {
        return Err(Refusal::new("nothing changes in the attribution table").into());
    }
    let end = change.end.iter().map(|(id, last_day)| (id.0, *last_day)).collect();
    let note = change.note.as_deref();
    Written { add: &add, end, note, noun: "rule", act: "attribution.changed" }.record(tx, actor).await
}

/// Of these rules, those that the table does not have yet.
///
/// # Errors
/// What the ledger could not read.
pub async fn new_rules(
    installation: &Installation,
    wanted: Vec<AttributionRule>,
) -> Result<Vec<AttributionRule>, WorkflowError> {
    let known: Vec<AttributionRule> = rules(&mut installation.ledger.read().await?, None).await?;
    let is_known = |rule: &AttributionRule| {
        let Ok(rule) = rule.clone().checked() else { return false };
        known.iter().any(|known| AttributionRule { id: rule.id, ..known.clone() } == rule)
    };
    Ok(wanted.into_iter().filter(|rule| !is_known(rule)).collect())
}

/// The rules to be written, and the whole table with them.
pub(crate) async fn changed(
    installation: &Installation,
    reader: &mut Reader,
    change: &Change,
) -> Result<(Vec<AttributionRule>, Vec<AttributionRule>), WorkflowError> {
    let mut table: Vec<AttributionRule> = rules(reader, None).await?;
    let mut wrong = Vec::new();
    for (id, last_day) in &change.end {
        let Some(rule) = table.iter_mut().find(|rule| rule.id == *id) else {
            wrong.push(format!("rule {id} is not known"));
            continue;
        };
        match may_end(&format!("rule {id}"), (rule.from, rule.to), *last_day, day_before) {
            Ok(()) => rule.to = Some(*last_day),
            Err(why) => wrong.push(format!("{why}; {NOT_LONGER}")),
        }
    }
    let mut next = table.iter().map(|rule| rule.id.0).max().unwrap_or_default();
    let mut add = Vec::new();
    for rule in &change.add {
        let subject = rule.subject();
        let rule = match rule.clone().checked() {
            Ok(rule) => rule,
            Err(bad) => {
                wrong.push(format!("{subject}: {bad}"));
                continue;
            }
        };
        if let Some(source) = &rule.source
            && sources::find_settings(&installation.settings, source).is_none()
            && reader.find_source(source).await?.is_none()
        {
            wrong.push(format!(
                "{subject}: source `{source}` is not known; `sources list` shows those that are"
            ));
        }
        if let Some(rival) = table.iter().find(|known| known.rivals(&rule)) {
            let known =
                if add.contains(rival) { "another new one".to_owned() } else { format!("rule {}", rival.id) };
            wrong.push(format!("{subject}: {known} speaks of the same days ({}); end it first", days(rival)));
            continue;
        }
        next += 1;
        let rule = AttributionRule { id: RuleId(next), ..rule };
        table.push(rule.clone());
        add.push(rule);
    }
    if wrong.is_empty() {
        return Ok((add, table));
    }
    Err(Refusal::new("the attribution table cannot be changed so").details(wrong).into())
}

/// `2025-01-01 to 2025-03-31`, with open ends.
#[must_use]
pub fn days(rule: &AttributionRule) -> String {
    match (rule.from, rule.to) {
        (None, None) => "always".to_owned(),
        (Some(from), None) => format!("from {from}"),
        (None, Some(to)) => format!("to {to}"),
        (Some(from), Some(to)) => format!("{from} to {to}"),
    }
}

/// Who a charge of `source` with these values would belong to on a day.
///
/// # Errors
/// What the ledger could not read.
pub async fn test(
    installation: &Installation,
    source: &SourceName,
    tags: &Attribution,
    values: &[(RuleKey, String)],
    on: Date,
) -> Result<Tested, WorkflowError> {
    let rules = table(&mut installation.ledger.read().await?, None).await?;
    let table = AttributionTable::of_source(&rules, source, installation.settings.attribution.precedence);
    let value = |key: &RuleKey| values.iter().find(|(known, _)| known == key).map(|(_, value)| value.clone());
    let (attribution, rules) = table.attribute(tags, value, on);
    Ok(Tested { attribution, rules })
}

/// What has no PI, project or fund after tags, table and decisions, by account; the most expensive first.
///
/// # Errors
/// What could not be read.
pub async fn unreached(
    installation: &Installation,
    period: Option<Period>,
) -> Result<Vec<Unreached>, WorkflowError> {
    let filter = Filter {
        period,
        flags: vec![Flag::MissingPiEmail, Flag::MissingProjectId, Flag::MissingFundOrg],
        ..Filter::default()
    };
    let mut reader = installation.ledger.read().await?;
    let view = crate::review::view_for(installation, &mut reader, &filter).await?;
    let by = ["source", "billing_account_id", "sub_account_id"].map(str::to_owned);
    let rows = view.totals(&by, &filter).await?.into_iter();
    let mut found: Vec<Unreached> = rows
        .map(|row| {
            let mut keys = row.keys.into_iter();
            let mut next = || keys.next().flatten();
            Unreached {
                source: next().unwrap_or_default(),
                billing_account_id: next(),
                sub_account_id: next(),
                charges: row.rows,
                billed_cost: row.billed_cost,
            }
        })
        .filter(|row| 0 < row.charges)
        .collect();
    found.sort_by_key(|row| std::cmp::Reverse(row.billed_cost.abs()));
    Ok(found)
}
