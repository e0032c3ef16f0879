//! Decide about charges: approve, reject, defer, reassign, undo. One transaction an act: a decision for
//! each charge, one audit row for all.

mod history;
mod seen;
mod suggest;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use billing::decision::{ChargeState, Decision, Reassignment, approve as may_approve};
use billing::period::PeriodAct;
use billing::{ChargeId, Flag, LedgerNumber, Period};
use lake::{Filter, Matched, Sort, View};
use ledger::{AuditEvent, DecisionFilter, DecisionId, DecisionRow, NewDecision, NewDecisionAct, Reader, Tx};
use money::Amount;
use serde::Serialize;
use serde_json::json;
use sha2::{Digest, Sha256};

use crate::charges::{Scope, charges};
use crate::listing::{ListedCharge, listed};
use crate::{Actor, Installation, Refusal, WorkflowError, people, periods};

pub use history::{PastAct, history, undo_act};
pub use seen::Seen;
pub use suggest::{Suggested, Suggestions, suggest};

/// What a person wants to do with charges.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Act {
    Approve,
    Reject,
    /// To this period, or to the next open one.
    Defer(Option<Period>),
    Reassign(Reassignment),
}

/// Which charges an act is about, looked up in the books.
pub struct Selection {
    pub act: Act,
    pub charges: Vec<Matched>,
    /// Charges that the filter found and the act leaves alone, with why.
    pub skipped: Vec<Skipped>,
    filter: serde_json::Value,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Skipped {
    pub why: String,
    pub charges: u64,
}

#[derive(Clone, Debug, Serialize)]
pub struct Decided {
    pub act: &'static str,
    pub number: LedgerNumber,
    pub charges: u64,
    pub cost: Amount,
    pub skipped: Vec<Skipped>,
}

/// A charge in the queue, with what was said about it before it changed.
#[derive(Clone, Debug, Serialize)]
pub struct Queue {
    pub charges: Vec<ListedCharge>,
    pub total: u64,
    pub cost: Amount,
}

impl Act {
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Act::Approve => "approve",
            Act::Reject => "reject",
            Act::Defer(_) => "defer",
            Act::Reassign(_) => "reassign",
        }
    }

    const fn past(&self) -> &'static str {
        match self {
            Act::Approve => "charges.approved",
            Act::Reject => "charges.rejected",
            Act::Defer(_) => "charges.deferred",
            Act::Reassign(_) => "charges.reassigned",
        }
    }
}

impl Selection {
    #[must_use]
    pub fn cost(&self) -> Amount {
        self.charges.iter().map(|charge| charge.cost).sum()
    }

    /// Of the charges as they were looked up: ids, contents and flags.
    #[must_use]
    pub fn digest(&self) -> String {
        hex::encode(digest(&self.charges))
    }
}

/// Held charges (or those of other states, if the filter says so), the most expensive first.
///
/// # Errors
/// What could not be read.
pub async fn list(
    installation: &Installation,
    filter: &Filter,
    limit: Option<usize>,
) -> Result<Queue, WorkflowError> {
    let mut filter = filter.clone();
    if filter.states.is_empty() {
        filter.states = vec![ChargeState::Held];
    }
    let mut reader = installation.ledger.read().await?;
    let filter = people::widened(&mut reader, &filter).await?;
    let view = view_for(installation, &mut reader, &filter).await?;
    let totals = view.totals(&[], &filter).await?;
    let (total, cost) = totals.first().map_or((0, Amount::ZERO), |row| (row.rows, row.cost));
    let sort = [Sort { column: "cost".to_owned(), descending: true }];
    let charges = listed(&mut reader, &view, &filter, &sort, limit, 0).await?;
    Ok(Queue { charges, total, cost })
}

/// Look up what an act would do, to show count and sum before it is done.
///
/// # Errors
/// Charges that are not there, a single charge that the act is not possible for, periods that are not open.
pub async fn select(
    installation: &Installation,
    act: Act,
    filter: &Filter,
) -> Result<Selection, WorkflowError> {
    let mut reader = installation.ledger.read().await?;
    selected(installation, &mut reader, act, filter).await
}

/// Do it. The selection is looked up again in the transaction: what it finds is what was confirmed, or
/// the act is refused.
///
/// # Errors
/// As [`select`]; charges that changed since they were looked up.
pub async fn decide(
    installation: &Installation,
    actor: &Actor,
    confirmed: &Selection,
    filter: &Filter,
    note: Option<&str>,
) -> Result<Decided, WorkflowError> {
    let seen = Seen { number: None, digest: Some(confirmed.digest()) };
    decide_as_seen(installation, actor, confirmed.act.clone(), filter, note, &seen).await
}

/// Do it, if the charges still are what the person had before them.
///
/// # Errors
/// As [`decide`]; charges that somebody else has decided about meanwhile, with who and what.
pub async fn decide_as_seen(
    installation: &Installation,
    actor: &Actor,
    act: Act,
    filter: &Filter,
    note: Option<&str>,
    seen: &Seen,
) -> Result<Decided, WorkflowError> {
    let mut tx = installation.ledger.begin().await?;
    seen::unchanged(installation, &mut tx, filter, seen).await?;
    let selection = selected(installation, &mut tx, act, filter).await?;
    if seen.digest.as_ref().is_some_and(|digest| *digest != selection.digest()) {
        return Err(Refusal::new("the charges have changed since they were looked up")
            .hint("try again")
            .into());
    }
    if selection.charges.is_empty() {
        let refusal =
            Refusal::new(format!("nothing to {}: no charge is left to decide", selection.act.name()));
        return Err(refusal.details(selection.skipped.iter().map(Skipped::line)).into());
    }
    let targets = targets(&mut tx, &selection).await?;
    let decisions = decisions(installation, &mut tx, &selection, &targets).await?;
    let (count, cost) = (selection.charges.len() as u64, selection.cost());
    let act = NewDecisionAct {
        kind: selection.act.name().to_owned(),
        note: note.map(str::to_owned),
        filter: selection.filter.clone(),
        cost,
        stamp: actor.clone(),
    };
    let list_digest = tx.record_decisions(&act, &decisions).await?;
    let detail = json!({
        "charges": count, "cost": cost, "note": note, "filter": selection.filter, "list_digest": list_digest,
    });
    let subject = match selection.charges.as_slice() {
        [one] => format!("charge {}", one.id),
        _ => format!("{count} charges"),
    };
    let number = tx.commit(AuditEvent::new(actor, selection.act.past(), subject, detail)).await?;
    Ok(Decided { act: selection.act.name(), number, charges: count, cost, skipped: selection.skipped })
}

/// Take back the latest decision about each of the charges that the filter finds.
///
/// # Errors
/// Nothing to undo; a period that is not open any more.
pub async fn undo(
    installation: &Installation,
    actor: &Actor,
    filter: &Filter,
) -> Result<Decided, WorkflowError> {
    let mut tx = installation.ledger.begin().await?;
    let found = undoable(installation, &mut tx, filter).await?;
    if found.is_empty() {
        let which = match filter.ids.as_slice() {
            [] => "these charges".to_owned(),
            ids => ids.iter().map(ChargeId::to_string).collect::<Vec<_>>().join(", "),
        };
        return Err(Refusal::new(format!("nothing to undo: no decision about {which} stands")).into());
    }
    let filter = serde_json::to_value(filter).map_err(|error| WorkflowError::Internal(error.to_string()))?;
    take_back(tx, actor, found, filter).await
}

async fn take_back(
    mut tx: Tx,
    actor: &Actor,
    found: Vec<(Matched, DecisionRow)>,
    filter: serde_json::Value,
) -> Result<Decided, WorkflowError> {
    let touched: BTreeSet<Period> = found
        .iter()
        .flat_map(|(charge, row)| {
            let to = match row.decision {
                Decision::Defer { to } => Some(to),
                _ => None,
            };
            std::iter::once(charge.period).chain(to)
        })
        .collect();
    for period in touched {
        if tx.find_period(period, None).await?.is_some() {
            periods::require(&mut tx, period, PeriodAct::Review).await?;
        }
    }
    let cost: Amount = found.iter().map(|(charge, _)| charge.cost).sum();
    let act = NewDecisionAct {
        kind: "undo".to_owned(),
        note: None,
        filter: filter.clone(),
        cost,
        stamp: actor.clone(),
    };
    let ids: Vec<DecisionId> = found.iter().map(|(_, row)| row.id).collect();
    let list_digest = tx.undo_decisions(&ids, &act).await?;
    let count = found.len() as u64;
    let detail = json!({ "charges": count, "cost": cost, "filter": filter, "list_digest": list_digest });
    let event = AuditEvent::new(actor, "review.undone", format!("{count} decisions"), detail);
    let number = tx.commit(event).await?;
    Ok(Decided { act: "undo", number, charges: count, cost, skipped: Vec::new() })
}

/// What [`undo`] would take back, to show count and sum before it is done.
///
/// # Errors
/// What could not be read.
pub async fn select_undo(
    installation: &Installation,
    filter: &Filter,
) -> Result<(u64, Amount), WorkflowError> {
    let mut reader = installation.ledger.read().await?;
    let found = undoable(installation, &mut reader, filter).await?;
    Ok((found.len() as u64, found.iter().map(|(charge, _)| charge.cost).sum()))
}

/// The charges that the filter finds, each with the latest decision about it that stands.
async fn undoable(
    installation: &Installation,
    reader: &mut Reader,
    filter: &Filter,
) -> Result<Vec<(Matched, DecisionRow)>, WorkflowError> {
    let filter = &people::widened(reader, filter).await?;
    let view = view_for(installation, reader, filter).await?;
    let charges = view.matching(filter).await?;
    all_there(&filter.ids, &charges)?;
    let ordinals = ordinals(&view, &charges).await?;
    let periods = charges.iter().map(|charge| charge.period).collect::<BTreeSet<_>>().into_iter().collect();
    let standing = DecisionFilter { periods, ..DecisionFilter::default() };
    let mut said: BTreeMap<(String, u64, u32), Vec<DecisionRow>> = BTreeMap::new();
    for row in reader.decisions_for(&standing, None).await? {
        let key = (row.source_key.to_string(), row.fingerprint.0, row.ordinal);
        said.entry(key).or_default().push(row);
    }
    Ok(charges
        .into_iter()
        .filter_map(|charge| {
            let ordinal = ordinals.get(&charge.id).copied().unwrap_or_default();
            let key = (charge.source.trim().to_lowercase(), charge.fingerprint.0, ordinal);
            let rows = said.get_mut(&key)?;
            // What was said about a charge that counts is not about its twin in another delivery.
            let is_own = |row: &DecisionRow| row.charge == charge.id || !ordinals.contains_key(&row.charge);
            let row = rows.remove(rows.iter().rposition(is_own)?);
            Some((charge, row))
        })
        .collect())
}

/// The narrowest view that has what the filter asks for.
pub(crate) async fn view_for(
    installation: &Installation,
    reader: &mut Reader,
    filter: &Filter,
) -> Result<View, WorkflowError> {
    let period = filter.period.or(filter.billed_in);
    let settings = match period {
        Some(period) => {
            periods::load(reader, period).await?;
            installation.settings_of(reader, period).await?
        }
        None => installation.settings.clone(),
    };
    charges(installation, reader, Scope { period, import: None }, &settings, None).await
}

async fn selected(
    installation: &Installation,
    reader: &mut Reader,
    act: Act,
    filter: &Filter,
) -> Result<Selection, WorkflowError> {
    let act = match act {
        Act::Reassign(change) => {
            let mut change = change.normalized();
            let people = people::people(reader, None).await?;
            change.pi_email = change.pi_email.map(|who| people.current(&who));
            if change.is_empty() {
                return Err(Refusal::new("nothing to reassign to")
                    .hint("`--to-pi`, `--to-project`, `--to-fund-org` …")
                    .into());
            }
            Act::Reassign(change)
        }
        act => act,
    };
    let mut wanted = people::widened(reader, filter).await?;
    // By a filter, an approval is about what is held, and the other acts about what would be billed, too.
    if wanted.states.is_empty() && wanted.ids.is_empty() {
        wanted.states = match act {
            Act::Approve => vec![ChargeState::Held],
            Act::Reject | Act::Defer(_) | Act::Reassign(_) => vec![ChargeState::Held, ChargeState::Billable],
        };
    }
    let view = view_for(installation, reader, &wanted).await?;
    let found = view.matching(&wanted).await?;
    all_there(&wanted.ids, &found)?;
    require_open(reader, &found).await?;
    let one = (wanted.ids.len() == 1).then(|| found.first()).flatten();
    if let (Some(charge), Act::Approve) = (one, &act) {
        if charge.flags.is_empty() && charge.state == ChargeState::Billable {
            return Err(Refusal::new(format!(
                "charge {} has no flags: it is billed without approval",
                charge.id
            ))
            .into());
        }
        may_approve(charge.flags).map_err(|refused| {
            Refusal::new(format!("cannot approve charge {}: {refused}", charge.id)).hint(refused.hint())
        })?;
    }
    let (charges, skipped) = match act {
        Act::Approve => split_blocked(found),
        _ => (found, Vec::new()),
    };
    let filter = serde_json::to_value(&wanted).map_err(|error| WorkflowError::Internal(error.to_string()))?;
    Ok(Selection { act, charges, skipped, filter })
}

fn all_there(ids: &[ChargeId], found: &[Matched]) -> Result<(), Refusal> {
    let found: BTreeSet<ChargeId> = found.iter().map(|charge| charge.id).collect();
    let missing: Vec<String> = ids.iter().filter(|id| !found.contains(id)).map(ChargeId::to_string).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let what = if missing.len() == 1 { "charge" } else { "charges" };
    Err(Refusal::new(format!("{what} {} cannot be found among those that count", missing.join(", ")))
        .hint("`charges list` shows them; a charge of a superseded import counts no more"))
}

/// Decisions are made while the period of the charge, and the one it is billed in, are open.
async fn require_open(reader: &mut Reader, charges: &[Matched]) -> Result<(), WorkflowError> {
    // A charge that was deferred is decided in the period that bills it.
    let touched: BTreeSet<Period> = charges.iter().map(|charge| charge.billed_in).collect();
    for period in touched {
        periods::require(reader, period, PeriodAct::Review).await?;
    }
    Ok(())
}

/// A bulk approval leaves charges alone that approval cannot clear, and says how many.
fn split_blocked(found: Vec<Matched>) -> (Vec<Matched>, Vec<Skipped>) {
    let mut skipped: BTreeMap<Flag, u64> = BTreeMap::new();
    let mut charges = Vec::new();
    for charge in found {
        match charge.flags.blocking().iter().next() {
            Some(flag) => *skipped.entry(flag).or_default() += 1,
            None => charges.push(charge),
        }
    }
    let skipped = skipped.into_iter().map(|(flag, charges)| Skipped { why: flag.name().to_owned(), charges });
    (charges, skipped.collect())
}

impl Skipped {
    #[must_use]
    pub fn line(&self) -> String {
        let count =
            if self.charges == 1 { "1 charge".to_owned() } else { format!("{} charges", self.charges) };
        let flag = Flag::from_name(&self.why);
        let (reason, cleared_by) = flag.map_or(("", ""), |flag| (flag.reason(), flag.cleared_by()));
        format!("{count} left alone: `{}` ({reason}) is cleared only by {cleared_by}", self.why)
    }
}

/// For a deferral, the period each charge's period is deferred to.
async fn targets(tx: &mut Tx, selection: &Selection) -> Result<BTreeMap<Period, Period>, WorkflowError> {
    let mut targets = BTreeMap::new();
    let Act::Defer(to) = &selection.act else { return Ok(targets) };
    for charge in &selection.charges {
        if targets.contains_key(&charge.billed_in) {
            continue;
        }
        let target = match to {
            Some(to) if *to <= charge.billed_in => {
                return Err(Refusal::new(format!(
                    "cannot defer a charge of {} to {to}: it is not later",
                    charge.billed_in
                ))
                .into());
            }
            Some(to) => *to,
            None => next_open(tx, charge.billed_in).await?,
        };
        if tx.find_period(target, None).await?.is_some() {
            periods::require(tx, target, PeriodAct::Review).await?;
        }
        targets.insert(charge.billed_in, target);
    }
    Ok(targets)
}

/// The first later month that is open, or that nobody has opened yet.
async fn next_open(tx: &mut Tx, period: Period) -> Result<Period, WorkflowError> {
    let mut next = period.next();
    while let Some(record) = tx.find_period(next, None).await? {
        if record.state.is_open() {
            break;
        }
        next = next.next();
    }
    Ok(next)
}

async fn decisions(
    installation: &Installation,
    tx: &mut Tx,
    selection: &Selection,
    targets: &BTreeMap<Period, Period>,
) -> Result<Vec<NewDecision>, WorkflowError> {
    let periods: BTreeSet<Period> = selection.charges.iter().map(|charge| charge.period).collect();
    let mut places: HashMap<ChargeId, u32> = HashMap::new();
    for period in periods {
        let view = charges(installation, tx, Scope::period(period), &installation.settings, None).await?;
        places.extend(ordinals(&view, &selection.charges).await?);
    }
    let decision = |charge: &Matched| match &selection.act {
        Act::Approve => Decision::Approve,
        Act::Reject => Decision::Reject,
        Act::Defer(_) => {
            Decision::Defer { to: targets.get(&charge.billed_in).copied().unwrap_or(charge.billed_in.next()) }
        }
        Act::Reassign(change) => Decision::Reassign { change: change.clone() },
    };
    let new = |charge: &Matched| NewDecision {
        source: billing::SourceName(charge.source.clone()),
        fingerprint: charge.fingerprint,
        ordinal: places.get(&charge.id).copied().unwrap_or_default(),
        content_digest: charge.content_digest,
        charge: charge.id,
        period: charge.period,
        decision: decision(charge),
    };
    Ok(selection.charges.iter().map(new).collect())
}

/// The place of each among the twins of its import.
async fn ordinals(view: &View, charges: &[Matched]) -> Result<HashMap<ChargeId, u32>, WorkflowError> {
    let fingerprints: Vec<u64> = charges.iter().map(|charge| charge.fingerprint.0).collect();
    let located = view.locate(&fingerprints).await?;
    Ok(located.into_iter().map(|found| (found.id, found.ordinal)).collect())
}

/// The list that was decided about: ids, contents and flags.
fn digest(charges: &[Matched]) -> [u8; 32] {
    let mut hash = Sha256::new();
    for charge in charges {
        hash.update(charge.id.import.0.to_be_bytes());
        hash.update(charge.id.row.to_be_bytes());
        hash.update(charge.content_digest.0.to_be_bytes());
        hash.update(charge.flags.bits().to_be_bytes());
    }
    hash.finalize().into()
}
