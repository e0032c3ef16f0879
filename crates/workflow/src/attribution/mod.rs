//! The attribution table: look at it, change it, and read again what was read before the change.
//!
//! The table is part of how a delivery is read, so that a charge's owner stands in the lake with the rule that
//! gave it. A change is recorded first; then the live imports of open periods that it concerns are read again
//! from their kept bytes. Whatever stops in between is finished by [`apply`]; until then no period closes that
//! has charges read before the change. Closed periods are as they were.

pub mod file;

use std::collections::{BTreeMap, BTreeSet};

use billing::attribution::Attribution;
use billing::attribution_table::{AttributionRecord, AttributionRule, AttributionTable, RuleId, RuleKey};
use billing::people::People;
use billing::{Flag, ImportId, LedgerNumber, Period, SourceName};
use jiff::civil::Date;
use lake::Filter;
use ledger::{AuditEvent, ImportFilter, ImportRow, PartFilter, PeriodAct, Reader, RuleRow};
use money::Amount;
use serde::Serialize;
use serde_json::json;

use crate::funding::rules;
use crate::import::{Outcome, ProjectChange, reread_with};
use crate::people::people;
use crate::{Actor, Installation, Refusal, WorkflowError, sources};

/// What a person wants to change. Ids of new rules are given when they are recorded.
#[derive(Clone, Debug, Default)]
pub struct Change {
    pub add: Vec<AttributionRule>,
    /// Rules and their new last days.
    pub end: Vec<(RuleId, Date)>,
    pub note: Option<String>,
}

/// What a change would do.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Effect {
    /// Imports that would be read again.
    pub imports: Vec<ImportId>,
    pub charges: u64,
    /// PIs and projects whose charges would be others, the largest difference first.
    pub projects: Vec<ProjectChange>,
    /// Charges held because an owner is missing, before and after.
    pub held_before: u64,
    pub held_after: u64,
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

/// The table as it stood then, and as it stood for each period that was finalized by then.
pub(crate) async fn record(
    reader: &mut Reader,
    as_of: Option<LedgerNumber>,
) -> Result<AttributionRecord, WorkflowError> {
    let now = table(reader, as_of).await?;
    let mut finalized = BTreeMap::new();
    for record in reader.list_periods(as_of).await? {
        let last = record.events.iter().rev().find(|event| event.act == PeriodAct::Finalized);
        let Some(event) = last else { continue };
        let then = table(reader, Some(event.number)).await?;
        if then != now {
            finalized.insert(record.period, then);
        }
    }
    Ok(AttributionRecord { now, finalized })
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
    effect(installation, actor, reader, after).await
}

/// What another table would do to the imports of open periods.
pub(crate) async fn effect(
    installation: &Installation,
    actor: &Actor,
    mut reader: Reader,
    after: Vec<AttributionRule>,
) -> Result<Effect, WorkflowError> {
    let attribution = AttributionRecord { now: after, ..record(&mut reader, None).await? };
    let stale = read_otherwise(&mut reader, &attribution.now, None).await?;
    drop(reader);
    let mut effect = Effect::default();
    let mut projects: BTreeMap<(Option<String>, Option<String>), ProjectChange> = BTreeMap::new();
    for row in stale {
        let outcome =
            reread_with(installation, actor, row.import, attribution.clone(), true, &|_| ()).await?;
        if let Some(refusal) = outcome.refusal {
            return Err(refusal.into());
        }
        effect.imports.push(row.import);
        effect.held_before += row.flagged;
        effect.held_after += outcome.flagged;
        for superseded in &outcome.superseded {
            effect.charges += superseded.changed;
            for change in &superseded.projects {
                let key = (change.pi_email.clone(), change.project_id.clone());
                let sum = projects.entry(key).or_insert_with(|| ProjectChange {
                    pi_email: change.pi_email.clone(),
                    project_id: change.project_id.clone(),
                    ..ProjectChange::default()
                });
                sum.rows_before += change.rows_before;
                sum.rows_after += change.rows_after;
                sum.billed_before += change.billed_before;
                sum.billed_after += change.billed_after;
            }
        }
    }
    effect.projects = projects.into_values().collect();
    effect
        .projects
        .sort_by_key(|change| std::cmp::Reverse((change.billed_after - change.billed_before).abs()));
    Ok(effect)
}

/// Record a change. [`apply`] then reads again what it concerns.
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
    let ids = tx.write_rules(&add, actor).await?;
    for (id, last_day) in &change.end {
        tx.end_rule::<AttributionRule>(id.0, last_day, change.note.as_deref(), actor).await?;
    }
    let subject = match (ids.as_slice(), change.end.as_slice()) {
        ([id], []) => format!("rule {id}"),
        ([], [(id, _)]) => format!("rule {id}"),
        (ids, ended) => format!("{} rules", ids.len() + ended.len()),
    };
    let ended: Vec<_> = change.end.iter().map(|(id, to)| json!({ "rule": id, "last_day": to })).collect();
    let detail = json!({ "written": ids, "ended": ended, "note": change.note });
    Ok(tx.commit(AuditEvent::new(actor, "attribution.changed", subject, detail)).await?)
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
        match table.iter_mut().find(|rule| rule.id == *id) {
            None => wrong.push(format!("rule {id} is not known")),
            Some(rule) if rule.from.is_some_and(|from| *last_day < from.yesterday().unwrap_or(from)) => {
                wrong
                    .push(format!("rule {id} begins on {}, after {last_day}", rule.from.unwrap_or_default()));
            }
            Some(rule) if rule.to.is_some_and(|to| to < *last_day) => {
                wrong.push(format!(
                    "rule {id} ended on {} already; a rule cannot be made longer, write a new one",
                    rule.to.unwrap_or_default()
                ));
            }
            Some(rule) => rule.to = Some(*last_day),
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

/// The imports that [`apply`] would read again; of one period, or of all.
pub(crate) async fn stale(
    reader: &mut Reader,
    period: Option<Period>,
) -> Result<Vec<ImportId>, WorkflowError> {
    let now = table(reader, None).await?;
    let rows = read_otherwise(reader, &now, period).await?;
    Ok(rows.into_iter().map(|row| row.import).collect())
}

/// Live imports, all of whose live parts are of open periods, that were read with other rules than `now`.
async fn read_otherwise(
    reader: &mut Reader,
    now: &[AttributionRule],
    period: Option<Period>,
) -> Result<Vec<ImportRow>, WorkflowError> {
    let mut live: BTreeMap<ImportId, BTreeSet<Period>> = BTreeMap::new();
    for part in reader.live_parts(&PartFilter::default(), None).await? {
        if !billing::correction::is_of_corrections(&part.part.key.account) {
            live.entry(part.part.key.import).or_default().insert(part.part.key.period);
        }
    }
    let open: BTreeSet<Period> = reader
        .list_periods(None)
        .await?
        .into_iter()
        .filter(|record| record.state.is_open())
        .map(|record| record.period)
        .collect();
    let mut found = Vec::new();
    for row in reader.list_imports(&ImportFilter::default()).await? {
        let Some(periods) = live.get(&row.import) else { continue };
        let is_meant = periods.is_subset(&open) && period.is_none_or(|period| periods.contains(&period));
        if is_meant && !is_same(reader, &row, periods, now).await? {
            found.push(row);
        }
    }
    found.sort_by_key(|row| row.import);
    Ok(found)
}

/// Whether an import was read with these rules, as far as they can be meant by its charges.
pub(crate) async fn was_read_with(
    reader: &mut Reader,
    row: &ImportRow,
    now: &[AttributionRule],
) -> Result<bool, WorkflowError> {
    let filter = PartFilter { import: Some(row.import), ..PartFilter::default() };
    let parts = reader.live_parts(&filter, None).await?;
    let periods = parts.iter().map(|part| part.part.key.period).collect();
    is_same(reader, row, &periods, now).await
}

async fn is_same(
    reader: &mut Reader,
    row: &ImportRow,
    periods: &BTreeSet<Period>,
    now: &[AttributionRule],
) -> Result<bool, WorkflowError> {
    let (Some(first), Some(last)) = (periods.first(), periods.last()) else { return Ok(true) };
    // Charge periods lie in the billing period, or, where a provider is late, somewhat before it.
    let (first, last) = (first.previous().first_day(), last.last_day());
    let meant = |rules: &[AttributionRule]| -> Vec<AttributionRule> {
        let of_source = |rule: &&AttributionRule| {
            rule.source.as_ref().is_none_or(|source| source.key() == row.source_name.key())
                && rule.touches(first, last)
        };
        rules.iter().filter(of_source).cloned().collect()
    };
    let then = table(reader, Some(LedgerNumber(row.number.0 - 1))).await?;
    Ok(meant(&then) == meant(now))
}

/// Read again every live import of open periods that was read before the table changed.
///
/// # Errors
/// The first import that cannot be read again; those before it are done, and it can be repeated.
pub async fn apply(
    installation: &Installation,
    actor: &Actor,
    told: &(dyn Fn(ImportId) + Sync),
) -> Result<Vec<(ImportId, Outcome)>, WorkflowError> {
    let mut reader = installation.ledger.read().await?;
    let stale = stale(&mut reader, None).await?;
    let attribution = record(&mut reader, None).await?;
    drop(reader);
    let mut outcomes = Vec::new();
    for import in stale {
        told(import);
        let mut outcome =
            reread_with(installation, actor, import, attribution.clone(), false, &|_| ()).await?;
        if let Some(refusal) = outcome.refusal.take() {
            return Err(refusal.into());
        }
        outcomes.push((import, outcome));
    }
    Ok(outcomes)
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
