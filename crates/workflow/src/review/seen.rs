//! Two people at one queue: what somebody decided after a charge was looked at is answered by words, so that
//! neither decision is lost unseen.

use std::collections::{BTreeSet, HashMap};

use billing::decision::Decision;
use billing::{ChargeId, LedgerNumber, Period};
use lake::{Filter, Matched};
use ledger::{DecisionFilter, DecisionRow, Reader};

use super::{ordinals, view_for};
use crate::{Installation, Refusal, WorkflowError};

/// What a person had before them when they made up their mind.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// The books as they were then.
    pub number: Option<LedgerNumber>,
    /// Of the charges that were confirmed: [`Selection::digest`](super::Selection::digest).
    pub digest: Option<String>,
}

/// Refuses what was decided, or taken back, about these charges after they were looked at.
pub(super) async fn unchanged(
    installation: &Installation,
    reader: &mut Reader,
    filter: &Filter,
    seen: &Seen,
) -> Result<(), WorkflowError> {
    let Some(number) = seen.number.filter(|_| !filter.ids.is_empty()) else { return Ok(()) };
    if reader.head() <= number {
        return Ok(());
    }
    let view = view_for(installation, reader, &Filter::ids(filter.ids.clone())).await?;
    let charges = view.matching(&Filter::ids(filter.ids.clone())).await?;
    let places = ordinals(&view, &charges).await?;
    let known: HashMap<(String, u64, u32), &Matched> =
        charges.iter().map(|charge| (key(charge, &places), charge)).collect();
    let periods: Vec<Period> =
        charges.iter().map(|charge| charge.period).collect::<BTreeSet<_>>().into_iter().collect();
    if periods.is_empty() {
        return Ok(());
    }
    let standing = DecisionFilter { periods, undone: true, ..DecisionFilter::default() };
    let rows = reader.decisions_for(&standing, None).await?;
    let since: Vec<String> = rows
        .iter()
        .filter(|row| number < row.id.number || row.undone_by.is_some_and(|undone| number < undone))
        .filter_map(|row| {
            let key = (row.source_key.to_string(), row.fingerprint.0, row.ordinal);
            known.get(&key).map(|charge| told(row, charge))
        })
        .collect();
    if since.is_empty() {
        return Ok(());
    }
    let what = match since.len() {
        1 => "this charge was decided about".to_owned(),
        many => format!("{many} of these charges were decided about"),
    };
    Err(Refusal::new(format!("{what} while you looked at it, so nothing was changed"))
        .details(since.into_iter().take(TOLD))
        .hint("load the page again to see what is left to decide; what was decided can be undone")
        .into())
}

/// So many are named.
const TOLD: usize = 20;

fn key(charge: &Matched, places: &HashMap<ChargeId, u32>) -> (String, u64, u32) {
    let place = places.get(&charge.id).copied().unwrap_or_default();
    (charge.source.trim().to_lowercase(), charge.fingerprint.0, place)
}

fn told(row: &DecisionRow, charge: &Matched) -> String {
    let (id, state) = (charge.id, charge.state.name());
    if let Some(undone) = row.undone_by {
        return format!(
            "charge {id}: what was decided about it was undone by act {undone}; it is {state} now"
        );
    }
    let what = match &row.decision {
        Decision::Approve => "approved".to_owned(),
        Decision::Reject => "rejected".to_owned(),
        Decision::Defer { to } => format!("deferred to {to}"),
        Decision::Reassign { .. } => "reassigned".to_owned(),
    };
    let (by, at) = (&row.act.stamp.by, row.act.stamp.at.strftime("%Y-%m-%d %H:%M"));
    format!("charge {id}: {what} by `{by}` at {at} UTC (act {}); it is {state} now", row.id.number)
}
