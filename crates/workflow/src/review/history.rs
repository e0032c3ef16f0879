//! What was decided, act by act, and taking back a whole act.

use std::collections::BTreeSet;

use billing::{Fingerprint, LedgerNumber, Period};
use lake::Filter;
use ledger::{DecisionAct, DecisionFilter, DecisionRow};
use serde::Serialize;

use super::{Decided, take_back, undoable};
use crate::charges::{Scope, charges};
use crate::{Actor, Installation, Refusal, WorkflowError};

/// An act of review, and what still stands of it.
#[derive(Clone, Debug, Serialize)]
pub struct PastAct {
    pub number: LedgerNumber,
    pub kind: String,
    pub note: Option<String>,
    pub charges: u64,
    pub cost: money::Amount,
    pub by: String,
    pub at: jiff::Timestamp,
    /// Decisions of it that nobody has undone.
    pub standing: u64,
}

/// Acts of review, the latest first: `limit` of them after the first `offset`, and how many there are.
///
/// # Errors
/// What the ledger could not read.
pub async fn history(
    installation: &Installation,
    limit: usize,
    offset: usize,
) -> Result<(Vec<PastAct>, u64), WorkflowError> {
    let mut reader = installation.ledger.read().await?;
    let acts = reader.list_decision_acts(None).await?;
    let total = acts.len() as u64;
    let shown: Vec<DecisionAct> = acts.into_iter().rev().skip(offset).take(limit).collect();
    let (Some(last), Some(first)) = (shown.first(), shown.last()) else { return Ok((Vec::new(), total)) };
    let standing = reader.count_standing_decisions(first.number, last.number).await?;
    let past = |act: DecisionAct| PastAct {
        standing: standing.get(&act.number).copied().unwrap_or_default(),
        number: act.number,
        kind: act.kind,
        note: act.note,
        charges: act.count,
        cost: act.cost,
        by: act.stamp.by,
        at: act.stamp.at,
    };
    Ok((shown.into_iter().map(past).collect(), total))
}

/// Take back all decisions of an act that still are the latest about their charge.
///
/// # Errors
/// An act of which nothing stands; a period that is not open any more.
pub async fn undo_act(
    installation: &Installation,
    actor: &Actor,
    number: LedgerNumber,
) -> Result<Decided, WorkflowError> {
    let mut tx = installation.ledger.begin().await?;
    let of_act = DecisionFilter { number: Some(number), ..DecisionFilter::default() };
    let rows = tx.decisions_for(&of_act, None).await?;
    let nothing = || {
        Refusal::new(format!("nothing to undo: no decision of act {number} stands"))
            .hint("`review history` lists acts and what stands of each")
    };
    let periods: BTreeSet<Period> = rows.iter().map(|row| row.period).collect();
    let mut ids = Vec::new();
    for period in periods {
        let view =
            charges(installation, &mut tx, Scope::period(period), &installation.settings, None).await?;
        let own: Vec<&DecisionRow> = rows.iter().filter(|row| row.period == period).collect();
        let prints: Vec<Fingerprint> = own.iter().map(|row| row.fingerprint).collect();
        let places: BTreeSet<(&str, u64, u32)> =
            own.iter().map(|row| (&*row.source_key, row.fingerprint.0, row.ordinal)).collect();
        // A charge may have come again with another delivery, under another id.
        for found in crate::charges::locate(&view, &prints).await? {
            let source = found.charge.source.trim().to_lowercase();
            if places.contains(&(source.as_str(), found.charge.fingerprint.0, found.ordinal)) {
                ids.push(found.charge.id);
            }
        }
    }
    if ids.is_empty() {
        return Err(nothing().into());
    }
    let filter = Filter::ids(ids);
    let mut found = undoable(installation, &mut tx, &filter).await?;
    found.retain(|(_, row)| row.id.number == number);
    if found.is_empty() {
        return Err(nothing().hint("what was decided later about its charges is undone first").into());
    }
    take_back(tx, actor, found, serde_json::json!({ "act": number })).await
}
