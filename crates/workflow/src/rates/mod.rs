//! The rate book: look at it, change it, and try prices over months that are known.
//!
//! A price is never changed: it is ended, and another written. What was read before a change is read again by
//! [`reading`].

pub mod file;
mod trial;

use billing::rate::{BadRate, Rate, RateId, Rivalry};
use billing::{LedgerNumber, Period};
use jiff::civil::Date;
use ledger::{Reader, RuleRow};
use serde::Serialize;

pub use trial::{Trial, TrialRow, Unpriced, try_rates};

use crate::reading::{self, Effect};
use crate::rules::{NOT_LONGER, Written, day_before, may_end, rules};
use crate::{Actor, Installation, Refusal, WorkflowError, sources};

/// What a person wants to change. Ids of new rates are given when they are recorded.
#[derive(Clone, Debug, Default)]
pub struct Change {
    pub add: Vec<Rate>,
    /// Rates that speak of the same days end the day before a new one begins.
    pub replacing: bool,
    /// Rates and their last days.
    pub end: Vec<(RateId, Date)>,
    pub note: Option<String>,
}

/// A change as it would be recorded.
pub(crate) struct Changed {
    pub add: Vec<Rate>,
    end: Vec<(RateId, Date)>,
    /// The whole book after it.
    pub book: Vec<Rate>,
}

/// All rates, also those that ended.
///
/// # Errors
/// What the ledger could not read.
pub async fn list(installation: &Installation) -> Result<Vec<RuleRow<Rate>>, WorkflowError> {
    Ok(installation.ledger.read().await?.rules(None).await?)
}

/// What a change would do, found by reading the imports that it concerns with the new prices. Nothing is
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
    let rates = changed(installation, &mut reader, change).await?.book;
    reading::preview(installation, actor, reader, |rules| rules.rates = rates).await
}

/// Record a change. [`reading::apply`] then reads again what it concerns.
///
/// # Errors
/// All that is wrong with the rates, at once: rates that make no sense, two for the same things on one day,
/// an end within a period that is closed, or of a rate that is not known or ended before.
pub async fn change(
    installation: &Installation,
    actor: &Actor,
    change: &Change,
) -> Result<LedgerNumber, WorkflowError> {
    let mut tx = installation.ledger.begin().await?;
    let changed = changed(installation, &mut tx, change).await?;
    if changed.add.is_empty() && changed.end.is_empty() {
        return Err(Refusal::new("nothing changes in the rate book").into());
    }
    let end = changed.end.iter().map(|(id, last_day)| (id.0, *last_day)).collect();
    let note = change.note.as_deref();
    Written { add: &changed.add, end, note, noun: "rate", act: "rates.changed" }.record(tx, actor).await
}

/// Of these rates, those that the book does not have yet.
///
/// # Errors
/// What the ledger could not read.
pub async fn new_rates(installation: &Installation, wanted: Vec<Rate>) -> Result<Vec<Rate>, WorkflowError> {
    let known: Vec<Rate> = rules(&mut installation.ledger.read().await?, None).await?;
    // An end that was said later does not make it another.
    let same = |known: &Rate, rate: &Rate| {
        Rate { id: known.id, to: known.to, ..rate.clone() } == *known
            && (rate.to.is_none() || rate.to == known.to)
    };
    Ok(wanted.into_iter().filter(|rate| !known.iter().any(|known| same(known, rate))).collect())
}

pub(crate) async fn changed(
    installation: &Installation,
    reader: &mut Reader,
    change: &Change,
) -> Result<Changed, WorkflowError> {
    let mut book: Vec<Rate> = rules(reader, None).await?;
    let shut: Vec<Period> = reader
        .list_periods(None)
        .await?
        .into_iter()
        .filter(|record| !record.state.is_open())
        .map(|record| record.period)
        .collect();
    let (mut wrong, mut end, mut add) = (Vec::new(), Vec::new(), Vec::new());
    for (id, last) in &change.end {
        match end_rate(&mut book, *id, *last, &shut) {
            Ok(()) => end.push((*id, *last)),
            Err(what) => wrong.push(what),
        }
    }
    let mut next = book.iter().map(|rate| rate.id.0).max().unwrap_or_default();
    for rate in &change.add {
        let subject = rate.subject();
        if let Err(bad) = rate.check() {
            wrong.extend(bad.iter().map(|bad: &BadRate| format!("{subject}: {bad}")));
            continue;
        }
        if let Some(source) = &rate.source
            && sources::find_settings(&installation.settings, source).is_none()
            && reader.find_source(source).await?.is_none()
        {
            wrong.push(format!(
                "{subject}: source `{source}` is not known; `sources list` shows those that are"
            ));
        }
        let rivals: Vec<(RateId, Rivalry)> =
            book.iter().filter_map(|known| Some((known.id, known.rivals(rate)?))).collect();
        for (id, rivalry) in rivals {
            let is_new = add.iter().any(|known: &Rate| known.id == id);
            let begins_later = book.iter().any(|known| known.id == id && rate.from <= known.from);
            if change.replacing && !is_new && !begins_later {
                let last = day_before(rate.from);
                match end_rate(&mut book, id, last, &shut) {
                    Ok(()) => end.push((id, last)),
                    Err(what) => wrong.push(format!("{subject}: {what}")),
                }
                continue;
            }
            let known = if is_new { "another new one".to_owned() } else { format!("rate {id}") };
            let shared = match rivalry {
                Rivalry::Code => "has the same code on the same days",
                Rivalry::Subject => "is for the same things on the same days",
            };
            wrong.push(format!("{subject}: {known} {shared}; end it first, or let the new one replace it"));
        }
        next += 1;
        let rate = Rate { id: RateId(next), ..rate.clone() };
        book.push(rate.clone());
        add.push(rate);
    }
    if wrong.is_empty() {
        return Ok(Changed { add, end, book });
    }
    Err(Refusal::new("the rate book cannot be changed so").details(wrong).into())
}

/// A closed period was billed with its rates: they are in force to its end.
fn end_rate(book: &mut [Rate], id: RateId, last: Date, shut: &[Period]) -> Result<(), String> {
    let Some(rate) = book.iter_mut().find(|rate| rate.id == id) else {
        return Err(format!("rate {id} is not known"));
    };
    may_end(&format!("rate {id}"), (Some(rate.from), rate.to), last, day_before)
        .map_err(|why| format!("{why}; {NOT_LONGER}"))?;
    let billed = |period: &&Period| rate.is_in_force(period.last_day()) && last < period.last_day();
    if let Some(period) = shut.iter().filter(billed).max() {
        let day = period.last_day();
        return Err(format!(
            "rate {id} is in force in {period}, which is closed: it can end on {day} or later"
        ));
    }
    rate.to = Some(last);
    Ok(())
}

/// A code whose price is not the same on two days.
#[derive(Clone, Debug, Serialize)]
pub struct PriceChange {
    pub code: String,
    pub before: Option<Rate>,
    pub after: Option<Rate>,
}

/// What differs between the books of two days: by code, what is new, gone, or says something else.
#[must_use]
pub fn difference(before: &[Rate], after: &[Rate]) -> Vec<PriceChange> {
    let find = |rates: &[Rate], code: &str| rates.iter().find(|rate| rate.code_key() == code).cloned();
    let mut codes: Vec<String> = before.iter().chain(after).map(Rate::code_key).collect();
    codes.sort_unstable();
    codes.dedup();
    let changes = codes.into_iter().map(|code| {
        let (before, after) = (find(before, &code), find(after, &code));
        let named = after.as_ref().or(before.as_ref()).map(|rate| rate.code.clone()).unwrap_or_default();
        PriceChange { code: named, before, after }
    });
    let says = |rate: &Rate| Rate { id: RateId(0), from: Date::ZERO, to: None, note: None, ..rate.clone() };
    changes.filter(|change| change.before.as_ref().map(says) != change.after.as_ref().map(says)).collect()
}
