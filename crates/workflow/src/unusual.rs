//! Unusual cost: looked for by the act that changes the charges of a period, and recorded with it, so that
//! what was held then is what was held; tried on history by [`try_rule`], which changes nothing.

use std::collections::{BTreeMap, BTreeSet};

use billing::correction::is_of_corrections;
use billing::decision::{ChargeState, Standing};
use billing::unusual::{Costs, Mode, Unusual, UnusualCost};
use billing::{ChargeId, Flag, LedgerNumber, Period};
use lake::{Filter, LiveFile, View};
use ledger::{LivePart, Reader, Tx};
use money::Amount;
use serde::Serialize;

use crate::charges::{Scope, decided, in_scope, live_files};
use crate::{Installation, WorkflowError};

/// What an act found, to be recorded with it.
pub(crate) struct Looked {
    pub period: Period,
    rule: UnusualCost,
    pub found: Vec<Unusual>,
}

/// How the parts of a period change by an act that is not recorded yet.
pub(crate) struct Changing<'a> {
    pub gone: &'a (dyn Fn(&LivePart) -> bool + Sync),
    pub new: Vec<LiveFile>,
}

/// Look at a period as it will be; `None` where nothing changes about what was found.
pub(crate) async fn look(
    installation: &Installation,
    reader: &mut Reader,
    period: Period,
    changing: Changing<'_>,
) -> Result<Option<Looked>, WorkflowError> {
    let rule = installation.settings.review.unusual_cost;
    let known = reader.find_unusual(period, None).await?;
    let found = if rule.mode == Mode::Off {
        Vec::new()
    } else {
        let month = costs(installation, reader, period, Some(changing)).await?;
        rule.find(&month, &before(installation, reader, period, rule.months).await?)
    };
    let is_known = known.map_or(found.is_empty(), |known| (known.rule, &known.found) == (rule, &found));
    Ok((!is_known).then_some(Looked { period, rule, found }))
}

impl Looked {
    pub async fn record(&self, tx: &mut Tx) -> Result<(), WorkflowError> {
        Ok(tx.record_unusual(self.period, &self.rule, &self.found).await?)
    }

    /// In words, the farthest from its median first.
    pub fn notes(&self) -> Vec<String> {
        const SHOWN: usize = 5;
        let then = if self.rule.mode == Mode::Hold { "; held for review" } else { "" };
        let mut notes: Vec<String> = self
            .found
            .iter()
            .take(SHOWN)
            .map(|unusual| {
                format!(
                    "unusual cost in {}: {} for {} is {}, and the median of {} months before is {}{then}",
                    self.period,
                    unusual.service_name,
                    unusual.project_id,
                    unusual.cost,
                    unusual.months,
                    unusual.median
                )
            })
            .collect();
        if SHOWN < self.found.len() {
            let more = self.found.len() - SHOWN;
            notes.push(format!(
                "unusual cost in {}: and {more} more (`charges list --flag unusual_cost`)",
                self.period
            ));
        }
        notes
    }
}

/// Where charges stand that were found unusual and that nobody has decided about.
pub(crate) async fn standings(
    reader: &mut Reader,
    undecided: &View,
    parts: &[LivePart],
    decided: &BTreeSet<ChargeId>,
    as_of: Option<LedgerNumber>,
) -> Result<Vec<(ChargeId, Standing)>, WorkflowError> {
    let periods: BTreeSet<Period> = parts.iter().map(|part| part.part.key.period).collect();
    let mut standings = BTreeMap::new();
    for period in periods {
        let Some(row) = reader.find_unusual(period, as_of).await? else { continue };
        for unusual in row.found {
            let filter = Filter {
                period: Some(period),
                project_id: Some(unusual.project_id),
                service_name: Some(unusual.service_name),
                ..Filter::default()
            };
            for charge in undecided.matching(&filter).await? {
                if decided.contains(&charge.id) {
                    continue;
                }
                let as_delivered = Standing::undecided(charge.delivered_flags).state;
                let mut flags = charge.delivered_flags;
                flags.add(Flag::UnusualCost);
                let mut standing = Standing::undecided(flags);
                if row.rule.mode == Mode::Inform {
                    standing.state = as_delivered;
                }
                standings.insert(charge.id, standing);
            }
        }
    }
    Ok(standings.into_iter().collect())
}

/// What a rule would have found.
#[derive(Clone, Debug, Serialize)]
pub struct Tried {
    /// Months that have a history to be held against.
    pub periods: Vec<Period>,
    /// How often a project used a service in them.
    pub looked_at: u64,
    pub found: Vec<TriedUnusual>,
    pub cost: Amount,
}

#[derive(Clone, Debug, Serialize)]
pub struct TriedUnusual {
    pub period: Period,
    #[serde(flatten)]
    pub unusual: Unusual,
}

/// Hold every month (or one) against the months before it, by a rule that need not be the configured one.
///
/// # Errors
/// A period that was never opened; what could not be read.
pub async fn try_rule(
    installation: &Installation,
    rule: &UnusualCost,
    only: Option<Period>,
) -> Result<Tried, WorkflowError> {
    let mut reader = installation.ledger.read().await?;
    if let Some(period) = only {
        crate::periods::load(&mut reader, period).await?;
    }
    let mut tried = Tried { periods: Vec::new(), looked_at: 0, found: Vec::new(), cost: Amount::ZERO };
    let mut earlier: Vec<Costs> = Vec::new();
    for record in reader.list_periods(None).await? {
        let month = costs(installation, &mut reader, record.period, None).await?;
        let has_history = billing::unusual::HISTORY_MIN <= earlier.len();
        if has_history && only.is_none_or(|only| only == record.period) {
            let before: Vec<Costs> = earlier.iter().rev().take(rule.months as usize).cloned().collect();
            tried.periods.push(record.period);
            tried.looked_at += month.len() as u64;
            let found = rule.find(&month, &before).into_iter();
            tried.found.extend(found.map(|unusual| TriedUnusual { period: record.period, unusual }));
        }
        earlier.push(month);
    }
    tried.cost = tried.found.iter().map(|found| found.unusual.cost).sum();
    Ok(tried)
}

/// The months before a period, the latest first.
async fn before(
    installation: &Installation,
    reader: &mut Reader,
    period: Period,
    months: u32,
) -> Result<Vec<Costs>, WorkflowError> {
    let mut known: Vec<Period> =
        reader.list_periods(None).await?.iter().map(|record| record.period).collect();
    known.retain(|earlier| *earlier < period);
    let mut before = Vec::new();
    for earlier in known.into_iter().rev().take(months as usize) {
        before.push(costs(installation, reader, earlier, None).await?);
    }
    Ok(before)
}

/// What a period costs by project and service, as decided, without what was rejected and without corrections
/// of other periods.
async fn costs(
    installation: &Installation,
    reader: &mut Reader,
    period: Period,
    changing: Option<Changing<'_>>,
) -> Result<Costs, WorkflowError> {
    let settings = installation.settings_of(reader, period).await?;
    let scope = Scope::period(period);
    let (mut parts, decisions) = in_scope(reader, scope, None).await?;
    let mut files = Vec::new();
    if let Some(Changing { gone, new }) = changing {
        parts.retain(|part| !gone(part));
        files = new;
    }
    files.extend(live_files(&parts, &settings));
    let view = decided(installation, reader, scope, files, decisions, &settings).await?;
    let filter = Filter {
        period: Some(period),
        states: vec![ChargeState::Billable, ChargeState::Held, ChargeState::Deferred],
        ..Filter::default()
    };
    let by = ["project_id", "service_name", "billing_account_id"].map(str::to_owned);
    let mut costs = Costs::new();
    for row in view.totals(&by, &filter).await? {
        let [project, service, account] = row.keys.as_slice() else { continue };
        let is_correction = account.as_deref().is_some_and(is_of_corrections);
        if let (Some(project), Some(service), false) = (project, service, is_correction) {
            *costs.entry((project.clone(), service.clone())).or_default() += row.cost;
        }
    }
    Ok(costs)
}
