//! What all kinds of rules that people write have in common: reading them, recording a change, and what may not
//! be said of one.

use std::fmt::Display;

use billing::LedgerNumber;
use billing::attribution::AttributionRules;
use billing::settings::Settings;
use jiff::civil::Date;
use ledger::{AuditEvent, Reader, Rule, Tx};
use serde_json::json;

use crate::{Actor, Refusal, WorkflowError};

/// What to do instead of making a rule longer.
pub(crate) const NOT_LONGER: &str = "a rule cannot be made longer; write a new one";

/// The rules of a kind as they stood then, by number.
pub(crate) async fn rules<T: Rule>(
    reader: &mut Reader,
    as_of: Option<LedgerNumber>,
) -> Result<Vec<T>, WorkflowError> {
    Ok(reader.rules(as_of).await?.into_iter().map(|row| row.rule).collect())
}

/// Whether a rule may end so: not later than it does, nor before what comes `before` its first day or period
/// (then it was never in force).
///
/// # Errors
/// Why not; [`NOT_LONGER`] says what to do.
pub(crate) fn may_end<D: Copy + Ord + Display>(
    what: &str,
    (from, to): (Option<D>, Option<D>),
    last: D,
    before: impl Fn(D) -> D,
) -> Result<(), String> {
    if from.is_none_or(|from| before(from) <= last) && to.is_none_or(|to| last <= to) {
        return Ok(());
    }
    let from = from.map_or_else(String::new, |from| format!(" from {from}"));
    let to = to.map_or_else(String::new, |to| format!(" to {to}"));
    Err(format!("{what} is{from}{to}: it cannot end with {last}"))
}

/// The day before; the first of all days has none.
pub(crate) fn day_before(day: Date) -> Date {
    day.yesterday().unwrap_or(day)
}

/// Of funds that rules name, those that no journal could debit.
pub(crate) fn unparsed_funds<'a>(
    settings: &Settings,
    funds: impl IntoIterator<Item = &'a String>,
) -> Result<Vec<&'a String>, WorkflowError> {
    let known = AttributionRules::compile(settings).map_err(|error| Refusal::new(error.to_string()))?;
    let is_unparsed = |fund: &&String| settings.require_fund_org && known.parse_fund_org(fund).is_none();
    Ok(funds.into_iter().filter(is_unparsed).collect())
}

/// Rules of one kind that are to be written and ended together.
pub(crate) struct Written<'a, T> {
    pub add: &'a [T],
    /// Their numbers, and last days.
    pub end: Vec<(i64, Date)>,
    pub note: Option<&'a str>,
    /// What one is called.
    pub noun: &'static str,
    pub act: &'static str,
}

impl<T: Rule> Written<'_, T> {
    /// Record the change as one act.
    pub async fn record(self, mut tx: Tx, actor: &Actor) -> Result<LedgerNumber, WorkflowError> {
        let Written { add, end, note, noun, act } = self;
        let ids = tx.write_rules(add, actor).await?;
        for (id, last_day) in &end {
            tx.end_rule::<T>(*id, last_day, note, actor).await?;
        }
        let subject = match (ids.as_slice(), end.as_slice()) {
            ([id], []) | ([], [(id, _)]) => format!("{noun} {id}"),
            (ids, ended) => format!("{} {noun}s", ids.len() + ended.len()),
        };
        let ended: Vec<_> = end.iter().map(|(id, to)| json!({ noun: id, "last_day": to })).collect();
        let detail = json!({ "written": ids, "ended": ended, "note": note });
        Ok(tx.commit(AuditEvent::new(actor, act, subject, detail)).await?)
    }
}
