//! What reading depends on beside the configuration: the attribution table and the rate book.
//!
//! They are part of how a delivery is read, so that a charge's owner and price stand in the lake with the rule
//! that gave them. A change is recorded first; then the live imports of open periods that it concerns are read
//! again from their kept bytes. Whatever stops in between is finished by [`apply`]; until then no period closes
//! that has charges read before the change. Closed periods are as they were.

use std::collections::{BTreeMap, BTreeSet};

use billing::attribution_table::{AttributionRecord, AttributionRule};
use billing::intake::ReadingRules;
use billing::rate::Rate;
use billing::settings::{PricedBy, Settings};
use billing::{ImportId, LedgerNumber, Period, SourceName};
use ledger::{ImportFilter, ImportRow, PartFilter, PeriodAct, Reader};
use serde::Serialize;
use tokio::sync::Mutex;

use crate::import::{Outcome, ProjectChange, reread_with};
use crate::rules::rules;
use crate::{Actor, Installation, WorkflowError, attribution, sources};

/// What other rules would make of what was read.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Effect {
    /// Imports that would be read again.
    pub imports: Vec<ImportId>,
    /// Charges that would be others.
    pub charges: u64,
    /// PIs and projects whose charges would be others, the largest difference first.
    pub projects: Vec<ProjectChange>,
    /// Charges held, before and after.
    pub held_before: u64,
    pub held_after: u64,
}

/// The rules as they stood then; of the attribution table also as it stood for each period that was finalized
/// by then.
pub(crate) async fn record(
    reader: &mut Reader,
    as_of: Option<LedgerNumber>,
) -> Result<ReadingRules, WorkflowError> {
    let now = attribution::table(reader, as_of).await?;
    let mut finalized = BTreeMap::new();
    for record in reader.list_periods(as_of).await? {
        let last = record.events.iter().rev().find(|event| event.act == PeriodAct::Finalized);
        let Some(event) = last else { continue };
        let then = attribution::table(reader, Some(event.number)).await?;
        if then != now {
            finalized.insert(record.period, then);
        }
    }
    let rates = rules(reader, as_of).await?;
    Ok(ReadingRules { attribution: AttributionRecord { now, finalized }, rates })
}

/// What other rules would make of the imports that they concern, found by reading these under them; `change`
/// makes them of those that are. Nothing is recorded.
pub(crate) async fn preview(
    installation: &Installation,
    actor: &Actor,
    mut reader: Reader,
    change: impl FnOnce(&mut ReadingRules),
) -> Result<Effect, WorkflowError> {
    let mut after = record(&mut reader, None).await?;
    change(&mut after);
    let stale = read_otherwise(installation, &mut reader, &after, None).await?;
    drop(reader);
    let mut effect = Effect::default();
    let mut projects: BTreeMap<(Option<String>, Option<String>), ProjectChange> = BTreeMap::new();
    for row in stale {
        let outcome = reread_with(installation, actor, row.import, after.clone(), true, &|_| ()).await?;
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

/// The imports that [`apply`] would read again; of one period, or of all.
pub(crate) async fn stale(
    installation: &Installation,
    reader: &mut Reader,
    period: Option<Period>,
) -> Result<Vec<ImportId>, WorkflowError> {
    let now = record(reader, None).await?;
    let rows = read_otherwise(installation, reader, &now, period).await?;
    Ok(rows.into_iter().map(|row| row.import).collect())
}

/// Live imports, all of whose live parts are of open periods, that were read with other rules than `now`.
async fn read_otherwise(
    installation: &Installation,
    reader: &mut Reader,
    now: &ReadingRules,
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
    let recorded = Recorded::load(reader).await?;
    let mut found = Vec::new();
    for row in reader.list_imports(&ImportFilter::default()).await? {
        let Some(periods) = live.get(&row.import) else { continue };
        let is_meant = periods.is_subset(&open) && period.is_none_or(|period| periods.contains(&period));
        if !is_meant {
            continue;
        }
        let then = recorded.when_read(reader, &row).await?;
        if !is_same(&installation.settings, &row, periods, [&then, &Rules::of(now)]) {
            found.push(row);
        }
    }
    found.sort_by_key(|row| row.import);
    Ok(found)
}

/// Whether an import was read with these rules, as far as they can be meant by its charges.
pub(crate) async fn was_read_with(
    settings: &Settings,
    reader: &mut Reader,
    row: &ImportRow,
    now: &ReadingRules,
) -> Result<bool, WorkflowError> {
    let filter = PartFilter { import: Some(row.import), ..PartFilter::default() };
    let parts = reader.live_parts(&filter, None).await?;
    let periods = parts.iter().map(|part| part.part.key.period).collect();
    let then = Recorded::load(reader).await?.when_read(reader, row).await?;
    Ok(is_same(settings, row, &periods, [&then, &Rules::of(now)]))
}

/// The attribution table and the rate book of one moment.
#[derive(Clone)]
struct Rules {
    table: Vec<AttributionRule>,
    rates: Vec<Rate>,
}

impl Rules {
    async fn load(reader: &mut Reader, as_of: Option<LedgerNumber>) -> Result<Rules, WorkflowError> {
        Ok(Rules { table: attribution::table(reader, as_of).await?, rates: rules(reader, as_of).await? })
    }

    fn of(rules: &ReadingRules) -> Rules {
        Rules { table: rules.attribution.now.clone(), rates: rules.rates.clone() }
    }
}

/// The rules that are in force, and since which act: what was read later need not be asked for.
struct Recorded {
    rules: Rules,
    since: LedgerNumber,
}

impl Recorded {
    async fn load(reader: &mut Reader) -> Result<Recorded, WorkflowError> {
        Ok(Recorded { rules: Rules::load(reader, None).await?, since: reader.last_rule_act().await? })
    }

    async fn when_read(&self, reader: &mut Reader, row: &ImportRow) -> Result<Rules, WorkflowError> {
        if self.since < row.number {
            return Ok(self.rules.clone());
        }
        Rules::load(reader, Some(LedgerNumber(row.number.0 - 1))).await
    }
}

/// Whether two sets of rules are the same for an import, as far as they can be meant by its charges.
fn is_same(settings: &Settings, row: &ImportRow, periods: &BTreeSet<Period>, sides: [&Rules; 2]) -> bool {
    let (Some(first), Some(last)) = (periods.first(), periods.last()) else { return true };
    // Charge periods lie in the billing period, or, where a provider is late, somewhat before it.
    let (first, last) = (first.previous().first_day(), last.last_day());
    let of_source = |source: &Option<SourceName>| {
        source.as_ref().is_none_or(|source| source.key() == row.source_name.key())
    };
    let [then, now] = sides.map(|rules| {
        let meant = rules.table.iter().filter(|rule| of_source(&rule.source) && rule.touches(first, last));
        meant.collect::<Vec<_>>()
    });
    if then != now {
        return false;
    }
    let own = sources::find_settings(settings, &row.source_name);
    if own.is_none_or(|own| own.priced_by == PricedBy::File) {
        return true;
    }
    let touches = |rate: &Rate| rate.from <= last && rate.to.is_none_or(|to| first <= to);
    let [then, now] = sides.map(|rules| {
        rules.rates.iter().filter(|rate| of_source(&rate.source) && touches(rate)).collect::<Vec<_>>()
    });
    then == now
}

/// Within one program imports are read again by one at a time: whoever comes second finds what is left to do,
/// instead of imports that were superseded meanwhile.
static TURN: Mutex<()> = Mutex::const_new(());

/// Read again every live import of open periods that was read before the rules changed.
///
/// # Errors
/// The first import that cannot be read again; those before it are done, and it can be repeated.
pub async fn apply(
    installation: &Installation,
    actor: &Actor,
    told: &(dyn Fn(ImportId) + Sync),
) -> Result<Vec<(ImportId, Outcome)>, WorkflowError> {
    let _turn = TURN.lock().await;
    let mut reader = installation.ledger.read().await?;
    let stale = stale(installation, &mut reader, None).await?;
    let rules = record(&mut reader, None).await?;
    drop(reader);
    let mut outcomes = Vec::new();
    for import in stale {
        told(import);
        let mut outcome = reread_with(installation, actor, import, rules.clone(), false, &|_| ()).await?;
        if let Some(refusal) = outcome.refusal.take() {
            return Err(refusal.into());
        }
        outcomes.push((import, outcome));
    }
    Ok(outcomes)
}
