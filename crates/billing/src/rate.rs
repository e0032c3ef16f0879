//! The rate book: what a unit of a service costs, for whom, and from when to when.
//!
//! A source that is `priced_by: rates` delivers usage. Each charge takes the first rate that fits it and is in
//! force on the day its charge period begins: quantity, converted to the rate's unit, times price. What depends
//! on a whole month of a project (free units, tiers, a minimum) is laid over the sums when the month is billed:
//! see [`pooled`](PooledPrice). Prices never change; a rate is ended, and the next version written.

mod pooled;

use std::cmp::Reverse;
use std::fmt;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use money::Amount;
use serde::{Deserialize, Serialize};

use crate::unit::{Prorate, Unit};
use crate::{Period, SourceName};

pub use pooled::{PooledPrice, RatedGroup, RatedUse};

/// Numbers are given once and never again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RateId(pub i64);

impl fmt::Display for RateId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Beyond so many units of a project and month, another price.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Above {
    pub quantity: Amount,
    pub price: Amount,
}

/// A version of a rate, as a person wrote it. `None`: whatever it may be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rate {
    pub id: RateId,
    /// What all versions of it share; the `SkuId` of charges that have none.
    pub code: String,
    #[serde(default)]
    pub source: Option<SourceName>,
    /// In any case; with `*` at its end, whatever begins so. So is `sku`.
    #[serde(default)]
    pub service: Option<String>,
    #[serde(default)]
    pub sku: Option<String>,
    /// The class of customer: tag or attribution field `customer_class`.
    #[serde(default)]
    pub class: Option<String>,
    pub unit: Unit,
    /// Of one unit, in the ledger's currency.
    pub price: Amount,
    /// What it costs without a discount; the price, where `None`.
    #[serde(default)]
    pub list_price: Option<Amount>,
    /// In rising order. Units are counted from the first of the month, free or not.
    #[serde(default)]
    pub above: Vec<Above>,
    /// So many units of a project cost nothing in a month.
    #[serde(default)]
    pub free: Option<Amount>,
    /// A project that uses any pays at least so much in a month.
    #[serde(default)]
    pub minimum: Option<Amount>,
    /// How a quantity without a time is one over time: 500 GB for ten days.
    #[serde(default)]
    pub prorate: Option<Prorate>,
    /// For charges whose tags name none.
    #[serde(default)]
    pub account_code: Option<String>,
    /// First and last day that charge periods begin on.
    pub from: Date,
    #[serde(default)]
    pub to: Option<Date>,
    #[serde(default)]
    pub note: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadRate {
    #[error("a rate needs a code")]
    NoCode,
    #[error("{what} {amount} is below nothing")]
    Negative { what: &'static str, amount: Amount },
    #[error("{what} of {amount} is none")]
    NotPositive { what: &'static str, amount: Amount },
    #[error("tiers rise: {0} does not come after the one before it")]
    TiersFall(Amount),
    #[error("`{0}` has no time that could be prorated; a unit such as GB-month has")]
    NothingToProrate(Unit),
    #[error("it ends on {to}, before it begins on {from}")]
    EndsFirst { from: Date, to: Date },
}

/// What of a rate two must not share on one day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rivalry {
    Code,
    /// Source, service, SKU, class and kind of unit.
    Subject,
}

impl Rate {
    /// # Errors
    /// Everything that is wrong with it by itself.
    pub fn check(&self) -> Result<(), Vec<BadRate>> {
        let mut wrong = Vec::new();
        if self.code.trim().is_empty() {
            wrong.push(BadRate::NoCode);
        }
        let prices = [("price", Some(self.price)), ("list price", self.list_price)];
        let prices = prices.into_iter().chain(self.above.iter().map(|tier| ("price", Some(tier.price))));
        for (what, amount) in prices {
            if let Some(amount) = amount.filter(|amount| amount.is_negative()) {
                wrong.push(BadRate::Negative { what, amount });
            }
        }
        let tiers = self.above.iter().map(|tier| ("a tier above", Some(tier.quantity)));
        let limits = [("a free quantity", self.free), ("a minimum", self.minimum)];
        for (what, amount) in tiers.chain(limits) {
            if let Some(amount) = amount.filter(|amount| *amount <= Amount::ZERO) {
                wrong.push(BadRate::NotPositive { what, amount });
            }
        }
        for pair in self.above.windows(2).filter(|pair| pair[1].quantity <= pair[0].quantity) {
            wrong.push(BadRate::TiersFall(pair[1].quantity));
        }
        if self.prorate.is_some() && !self.unit.has_time() {
            wrong.push(BadRate::NothingToProrate(self.unit.clone()));
        }
        if let Some(to) = self.to.filter(|to| *to < self.from) {
            wrong.push(BadRate::EndsFirst { from: self.from, to });
        }
        if wrong.is_empty() { Ok(()) } else { Err(wrong) }
    }

    /// What the two must not share and do, on a common day.
    #[must_use]
    pub fn rivals(&self, other: &Rate) -> Option<Rivalry> {
        let is_common_day =
            other.to.is_none_or(|to| self.from <= to) && self.to.is_none_or(|to| other.from <= to);
        if !is_common_day {
            return None;
        }
        if self.code_key() == other.code_key() {
            return Some(Rivalry::Code);
        }
        let lower = |text: &Option<String>| text.as_ref().map(|text| text.trim().to_lowercase());
        let of = |rate: &Rate| {
            let source = rate.source.as_ref().map(SourceName::key);
            (source, lower(&rate.service), lower(&rate.sku), lower(&rate.class))
        };
        (of(self) == of(other) && self.unit.is_like(&other.unit)).then_some(Rivalry::Subject)
    }

    #[must_use]
    pub fn code_key(&self) -> String {
        self.code.trim().to_lowercase()
    }

    /// `cpu (Compute, core-hour)`, for messages.
    #[must_use]
    pub fn subject(&self) -> String {
        let named =
            [self.source.as_ref().map(|source| source.0.clone()), self.service.clone(), self.sku.clone()];
        let class = self.class.as_ref().map(|class| format!("for {class}"));
        let of: Vec<String> =
            named.into_iter().flatten().chain(class).chain([self.unit.to_string()]).collect();
        format!("{} ({})", self.code, of.join(", "))
    }

    #[must_use]
    pub fn is_in_force(&self, day: Date) -> bool {
        self.from <= day && self.to.is_none_or(|to| day <= to)
    }

    /// The price before any discount.
    #[must_use]
    pub fn list_price(&self) -> Amount {
        self.list_price.unwrap_or(self.price)
    }

    /// Whether what a charge costs depends on the rest of its project's month.
    #[must_use]
    pub fn is_pooled(&self) -> bool {
        !self.above.is_empty() || self.free.is_some() || self.minimum.is_some()
    }
}

/// Which version of its code a rate is, from 1: the order in which they were written.
#[must_use]
pub fn version(rates: &[Rate], rate: &Rate) -> usize {
    let earlier = |other: &&Rate| other.id <= rate.id && other.code_key() == rate.code_key();
    rates.iter().filter(earlier).count()
}

/// The rates that charges of one source may have, those that say more first: an SKU before a beginning of
/// one, then a service, a class, this source before any.
#[derive(Clone, Debug, Default)]
pub struct RateBook {
    rates: Vec<Compiled>,
}

#[derive(Clone, Debug)]
struct Compiled {
    rate: Rate,
    service: Pattern,
    sku: Pattern,
    class: Pattern,
    /// Microseconds since 1970: the first instant, and the first after.
    from: i64,
    until: i64,
}

/// In lower case.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Pattern {
    Any,
    Beginning(String),
    Exactly(String),
}

impl Pattern {
    fn of(text: Option<&String>) -> Pattern {
        let Some(text) = text.map(|text| text.trim().to_lowercase()).filter(|text| !text.is_empty()) else {
            return Pattern::Any;
        };
        match text.strip_suffix('*') {
            Some("") => Pattern::Any,
            Some(start) => Pattern::Beginning(start.to_owned()),
            None => Pattern::Exactly(text),
        }
    }

    fn fits(&self, value: &str) -> bool {
        match self {
            Pattern::Any => true,
            Pattern::Beginning(start) => value.starts_with(start.as_str()),
            Pattern::Exactly(text) => value == text,
        }
    }

    /// How much it says.
    fn says(&self) -> (u8, usize) {
        match self {
            Pattern::Any => (0, 0),
            Pattern::Beginning(start) => (1, start.len()),
            Pattern::Exactly(_) => (2, 0),
        }
    }
}

/// What of a charge decides which rates fit; `None` where it says nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Usage<'a> {
    pub service: Option<&'a str>,
    pub sku: Option<&'a str>,
    pub class: Option<&'a str>,
}

impl RateBook {
    #[must_use]
    pub fn of_source(rates: &[Rate], source: &SourceName) -> RateBook {
        let is_meant = |rate: &&Rate| rate.source.as_ref().is_none_or(|of| of.key() == source.key());
        let mut rates: Vec<Compiled> = rates.iter().filter(is_meant).map(Compiled::of).collect();
        rates.sort_by_key(|one| {
            let says = (one.sku.says(), one.service.says(), one.class.says(), one.rate.source.is_some());
            (Reverse(says), one.rate.id)
        });
        RateBook { rates }
    }

    #[must_use]
    pub fn len(&self) -> usize {
        self.rates.len()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rates.is_empty()
    }

    #[must_use]
    pub fn get(&self, at: usize) -> &Rate {
        &self.rates[at].rate
    }

    /// Those that fit, in the order in which they are taken; unit and day are still to be looked at.
    #[must_use]
    pub fn fitting(&self, usage: Usage<'_>) -> Vec<usize> {
        let lower = |text: Option<&str>| text.unwrap_or_default().trim().to_lowercase();
        let (service, sku, class) = (lower(usage.service), lower(usage.sku), lower(usage.class));
        let fits =
            |one: &Compiled| one.service.fits(&service) && one.sku.fits(&sku) && one.class.fits(&class);
        (0..self.rates.len()).filter(|&at| fits(&self.rates[at])).collect()
    }

    /// Whether a rate is in force at an instant (microseconds since 1970).
    #[must_use]
    pub fn is_in_force(&self, at: usize, instant: i64) -> bool {
        (self.rates[at].from..self.rates[at].until).contains(&instant)
    }

    /// How many of the rate's units one `unit` is in a charge period, as numerator and denominator.
    #[must_use]
    pub fn conversion(
        &self,
        at: usize,
        unit: &Unit,
        month: Period,
        (start, end): (i64, i64),
    ) -> Option<(u128, u128)> {
        let rate = &self.rates[at].rate;
        unit.in_units_of(&rate.unit, month, rate.prorate.map(|prorate| prorate.used(start, end)))
    }
}

impl Compiled {
    fn of(rate: &Rate) -> Compiled {
        let micros = |day: Date| {
            day.to_zoned(TimeZone::UTC).map_or(i64::MAX, |start| start.timestamp().as_microsecond())
        };
        Compiled {
            service: Pattern::of(rate.service.as_ref()),
            sku: Pattern::of(rate.sku.as_ref()),
            class: Pattern::of(rate.class.as_ref()),
            from: micros(rate.from),
            until: rate.to.and_then(|to| to.tomorrow().ok()).map_or(i64::MAX, micros),
            rate: rate.clone(),
        }
    }
}
