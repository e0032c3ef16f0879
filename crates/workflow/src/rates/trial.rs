//! Next year's prices over last year's months: what each PI and fund would have paid.

use std::collections::BTreeMap;

use billing::rate::{PooledPrice, Rate, RateBook, RateId, RatedGroup, Usage};
use billing::settings::PricedBy;
use billing::statement::{LineKind, PostingGroup};
use billing::{Period, SourceName};
use jiff::civil::Date;
use jiff::tz::TimeZone;
use lake::UsageGroup;
use money::Amount;
use serde::Serialize;

use crate::charges::{Scope, charges};
use crate::rules::rules;
use crate::{Installation, Refusal, WorkflowError};

/// What a book would have made of months that are known, before splits and subsidies.
#[derive(Clone, Debug, Serialize)]
pub struct Trial {
    /// By PI and fund; the largest difference first.
    pub rows: Vec<TrialRow>,
    pub billed: Amount,
    pub would_be: Amount,
    /// What the book has no price for; not in the sums above.
    pub unpriced: Vec<Unpriced>,
}

#[derive(Clone, Debug, Serialize)]
pub struct TrialRow {
    pub pi_email: String,
    pub fund_org: Option<String>,
    pub charges: u64,
    pub billed: Amount,
    pub would_be: Amount,
}

#[derive(Clone, Debug, Serialize)]
pub struct Unpriced {
    pub source: String,
    pub service_name: Option<String>,
    pub sku_id: Option<String>,
    pub unit: Option<String>,
    pub charges: u64,
    pub billed: Amount,
}

/// Price the billable usage of periods with the rates that `book` has on a day, whatever day it was used on.
/// Looks at sources that are priced by rates, and at those that the book names.
///
/// # Errors
/// Rates that make no sense; periods without charges; what could not be read.
pub async fn try_rates(
    installation: &Installation,
    book: &[Rate],
    on: Date,
    first: Period,
    last: Period,
) -> Result<Trial, WorkflowError> {
    let said = |rate: &Rate| {
        let bad = rate.check().err().unwrap_or_default();
        bad.into_iter().map(|bad| format!("{}: {bad}", rate.subject())).collect::<Vec<_>>()
    };
    let wrong: Vec<String> = book.iter().flat_map(said).collect();
    if !wrong.is_empty() {
        return Err(Refusal::new("these rates cannot be tried").details(wrong).into());
    }
    let mut reader = installation.ledger.read().await?;
    let current: Vec<Rate> = rules(&mut reader, None).await?;
    let book: Vec<Rate> = book.iter().filter(|rate| rate.is_in_force(on)).cloned().collect();
    if book.is_empty() {
        return Err(Refusal::new(format!("no rate is in force on {on}"))
            .hint("say another day: `--on`")
            .into());
    }
    // The ids of rates that are only tried are all the same.
    let book: Vec<Rate> = (1..).zip(book).map(|(id, rate)| Rate { id: RateId(id), ..rate }).collect();
    let is_tried = |source: &str| {
        let source = SourceName(source.to_owned());
        let of = |known: &SourceName| known.key() == source.key();
        installation.settings.sources.iter().any(|own| of(&own.name) && own.priced_by == PricedBy::Rates)
            || book.iter().any(|rate| rate.source.as_ref().is_some_and(of))
    };
    let mut sums = Sums::default();
    let mut period = first;
    while period <= last {
        if reader.find_period(period, None).await?.is_some() {
            let settings = installation.settings_of(&mut reader, period).await?;
            let view = charges(installation, &mut reader, Scope::period(period), &settings, None).await?;
            let mut used = view.usage_groups(period).await?;
            used.retain(|group| is_tried(&group.source));
            sums.add(period, on, &used, &current, &book);
        }
        period = period.next();
    }
    if sums.owners.is_empty() && sums.unpriced.is_empty() {
        return Err(Refusal::new(format!(
            "nothing that rates could price was billed from {first} to {last}"
        ))
        .hint("rates price the sources that are `priced_by: rates` or that they name")
        .into());
    }
    Ok(sums.trial())
}

#[derive(Default)]
struct Sums {
    owners: BTreeMap<(String, Option<String>), TrialRow>,
    unpriced: BTreeMap<[Option<String>; 4], Unpriced>,
}

impl Sums {
    /// A month's usage: tiers and free units count by PI and project.
    fn add(&mut self, period: Period, on: Date, used: &[UsageGroup], current: &[Rate], book: &[Rate]) {
        let sides = [PooledPrice::new(current), PooledPrice::new(book)];
        let owner = |group: &UsageGroup| (group.pi_email.clone(), group.project_id.clone());
        let instant = on.to_zoned(TimeZone::UTC).map_or(0, |start| start.timestamp().as_microsecond());
        for of_owner in used.chunk_by(|one, other| owner(one) == owner(other)) {
            let (mut before, mut after) = (Side::default(), Side::default());
            let mut priced = Vec::new();
            for group in of_owner {
                let book = RateBook::of_source(book, &SourceName(group.source.clone()));
                match price(&book, group, period, instant) {
                    Some((rate, quantity, cost)) => {
                        before.push(group, group.rate.zip(group.quantity), group.cost);
                        after.push(group, Some((rate, quantity)), cost);
                        priced.push(group);
                    }
                    None => self.add_unpriced(group),
                }
            }
            sides[0].price(&mut before.groups, &before.parts);
            sides[1].price(&mut after.groups, &after.parts);
            for ((group, before), after) in priced.into_iter().zip(before.groups).zip(after.groups) {
                let key = (group.pi_email.clone(), group.fund_org.clone());
                let row = self.owners.entry(key).or_insert_with(|| TrialRow {
                    pi_email: group.pi_email.clone(),
                    fund_org: group.fund_org.clone(),
                    charges: 0,
                    billed: Amount::ZERO,
                    would_be: Amount::ZERO,
                });
                row.charges += group.charges;
                row.billed += before.cost;
                row.would_be += after.cost;
            }
        }
    }

    fn add_unpriced(&mut self, group: &UsageGroup) {
        let UsageGroup { source, service_name, sku_id, unit, .. } = group.clone();
        let key = [Some(source.clone()), service_name.clone(), sku_id.clone(), unit.clone()];
        let row = self.unpriced.entry(key).or_insert_with(|| Unpriced {
            source,
            service_name,
            sku_id,
            unit,
            charges: 0,
            billed: Amount::ZERO,
        });
        row.charges += group.charges;
        row.billed += group.cost;
    }

    fn trial(self) -> Trial {
        let mut rows: Vec<TrialRow> = self.owners.into_values().collect();
        rows.sort_by_key(|row| std::cmp::Reverse((row.would_be - row.billed).abs()));
        Trial {
            billed: rows.iter().map(|row| row.billed).sum(),
            would_be: rows.iter().map(|row| row.would_be).sum(),
            rows,
            unpriced: self.unpriced.into_values().collect(),
        }
    }
}

/// Groups of one owner under one book.
#[derive(Default)]
struct Side {
    groups: Vec<PostingGroup>,
    parts: Vec<RatedGroup>,
}

impl Side {
    fn push(&mut self, of: &UsageGroup, rated: Option<(RateId, Amount)>, cost: Amount) {
        let group = self.groups.len();
        self.parts.extend(rated.map(|(rate, quantity)| RatedGroup { group, rate, quantity, cost }));
        self.groups.push(PostingGroup {
            fund_org: of.fund_org.clone(),
            source: of.source.clone(),
            service_name: of.service_name.clone(),
            account_code: None,
            kind: LineKind::Usage,
            charges: of.charges,
            list_cost: cost,
            cost,
        });
    }
}

/// The rate, the quantity in its unit, and the cost of a group.
fn price(
    book: &RateBook,
    group: &UsageGroup,
    period: Period,
    instant: i64,
) -> Option<(RateId, Amount, Amount)> {
    let (quantity, unit) = (group.quantity?, group.unit.as_ref()?.parse().ok()?);
    let usage = Usage {
        service: group.service_name.as_deref(),
        sku: group.sku_id.as_deref(),
        class: group.customer_class.as_deref(),
    };
    let month = (period.start_micros(), period.next().start_micros());
    book.fitting(usage).into_iter().filter(|&at| book.is_in_force(at, instant)).find_map(|at| {
        let (numerator, denominator) = book.conversion(at, &unit, period, month)?;
        let quantity = quantity.scaled(numerator, denominator)?;
        Some((book.get(at).id, quantity, quantity.times(book.get(at).price)?))
    })
}
