//! Units of quantities: what files call them, and how many of one is another.
//!
//! A unit is a thing, or a thing over time: `GB`, `requests`, `core-hours`, `TiB-month`, `1000 tokens` (FOCUS
//! 1.2, `UnitFormat`, and the spellings that providers use instead). Decimal and binary sizes are different
//! units and are converted; a month is as long as the month that is billed.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::Period;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Unit {
    /// As it was written.
    text: String,
    /// `1000 requests` is a thousand of them.
    count: u64,
    thing: Thing,
    /// What it is multiplied with.
    time: Option<Time>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Thing {
    /// Time alone: `Hours`.
    Nothing,
    Bytes(u64),
    /// In lower case and singular: `core`, `gpu-a100`.
    Named(String),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Time {
    Seconds(u64),
    Month,
    Year,
}

const HOUR: u64 = 3600;
const DAY: u64 = 24 * HOUR;

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no unit; units are things, also over time: GB, TiB-month, core-hour, 1000 requests")]
pub struct BadUnit(String);

impl FromStr for Unit {
    type Err = BadUnit;

    fn from_str(text: &str) -> Result<Unit, BadUnit> {
        let text = text.trim();
        let bad = || BadUnit(text.to_owned());
        let is_between = |c: char| c.is_whitespace() || "-_*/·".contains(c);
        let mut words: Vec<&str> = text.split(is_between).filter(|word| !word.is_empty()).collect();
        let mut count = 1;
        if let Some(number) = words.first().map(|word| word.replace(',', ""))
            && number.starts_with(|c: char| c.is_ascii_digit())
        {
            count = number
                .parse()
                .ok()
                .filter(|count| (1..=1_000_000_000_000).contains(count))
                .ok_or_else(bad)?;
            words.remove(0);
        }
        let time = words.last().and_then(|word| Time::of(word));
        if time.is_some() {
            words.pop();
        }
        let thing = match words.as_slice() {
            [] if time.is_some() => Thing::Nothing,
            [] => return Err(bad()),
            [word] if bytes(word).is_some() => bytes(word).map_or(Thing::Nothing, Thing::Bytes),
            words => Thing::Named(words.iter().map(|word| singular(word)).collect::<Vec<_>>().join("-")),
        };
        Ok(Unit { text: text.to_owned(), count, thing, time })
    }
}

impl TryFrom<String> for Unit {
    type Error = BadUnit;

    fn try_from(text: String) -> Result<Unit, BadUnit> {
        text.parse()
    }
}

impl From<Unit> for String {
    fn from(unit: Unit) -> String {
        unit.text
    }
}

impl fmt::Display for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.text)
    }
}

impl Time {
    fn of(word: &str) -> Option<Time> {
        Some(match word.to_lowercase().as_str() {
            "s" | "sec" | "secs" | "second" | "seconds" => Time::Seconds(1),
            "min" | "mins" | "minute" | "minutes" => Time::Seconds(60),
            "h" | "hr" | "hrs" | "hour" | "hours" => Time::Seconds(HOUR),
            "d" | "day" | "days" => Time::Seconds(DAY),
            "week" | "weeks" => Time::Seconds(7 * DAY),
            "mo" | "mth" | "month" | "months" => Time::Month,
            "y" | "yr" | "yrs" | "year" | "years" => Time::Year,
            _ => return None,
        })
    }

    fn seconds(self, month: Period) -> u64 {
        let days = |first: Period, months: i32| {
            let after = Period::from_code(first.code() + months);
            let micros = after.start_micros().saturating_sub(first.start_micros());
            u64::try_from(micros / 1_000_000).unwrap_or_default()
        };
        match self {
            Time::Seconds(seconds) => seconds,
            Time::Month => days(month, 1),
            Time::Year => days(Period::from_code(month.code() - i32::from(month.month()) + 1), 12),
        }
    }
}

/// How many bytes a word names. The case is looked at for `Gb` only, which is bits and another unit.
fn bytes(word: &str) -> Option<u64> {
    if word.len() <= 3 && word.ends_with('b') && word.chars().any(char::is_uppercase) {
        return None;
    }
    let lower = word.to_lowercase();
    if matches!(lower.as_str(), "b" | "byte" | "bytes") {
        return Some(1);
    }
    let long = lower.strip_suffix("bytes").or_else(|| lower.strip_suffix("byte"));
    let (prefixes, start): ([&str; 10], &str) = match long {
        Some(start) => {
            (["kilo", "mega", "giga", "tera", "peta", "kibi", "mebi", "gibi", "tebi", "pebi"], start)
        }
        None => (["k", "m", "g", "t", "p", "ki", "mi", "gi", "ti", "pi"], lower.strip_suffix('b')?),
    };
    let at = u32::try_from(prefixes.iter().position(|prefix| *prefix == start)?).ok()?;
    Some(if at < 5 { 1000_u64.pow(at + 1) } else { 1024_u64.pow(at - 4) })
}

/// In lower case, without the plural's `s`; what has several usual names has one.
fn singular(word: &str) -> String {
    let word = word.to_lowercase();
    let one = match word.strip_suffix('s') {
        Some(one) if 1 < one.len() && !one.ends_with('s') => one,
        _ => &word,
    };
    match one {
        "cpu" => "core".to_owned(),
        one => one.to_owned(),
    }
}

/// Over what time a quantity without one was used, where a unit has one: how a month's price is prorated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Used {
    pub seconds: u64,
}

/// How the time that a charge period takes is counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Prorate {
    /// By the UTC days that a charge period touches.
    #[default]
    Day,
    /// By the hours that it touches.
    Hour,
}

impl fmt::Display for Prorate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Prorate::Day => "day",
            Prorate::Hour => "hour",
        })
    }
}

impl FromStr for Prorate {
    type Err = BadProrate;

    fn from_str(text: &str) -> Result<Prorate, BadProrate> {
        match text.trim().to_lowercase().as_str() {
            "day" => Ok(Prorate::Day),
            "hour" => Ok(Prorate::Hour),
            _ => Err(BadProrate(text.to_owned())),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not `day` or `hour`")]
pub struct BadProrate(String);

impl Prorate {
    /// Of a charge period in microseconds since 1970, its end exclusive.
    #[must_use]
    pub fn used(self, start: i64, end: i64) -> Used {
        let step = match self {
            Prorate::Day => DAY,
            Prorate::Hour => HOUR,
        };
        let micros = i64::try_from(step).unwrap_or_default() * 1_000_000;
        let steps = if start < end { (end - 1).div_euclid(micros) - start.div_euclid(micros) + 1 } else { 0 };
        Used { seconds: u64::try_from(steps).unwrap_or_default() * step }
    }
}

impl Unit {
    /// How many of `other` one of this is in a month, as numerator and denominator; `used` gives a unit
    /// without a time one. `None` where they are not of one kind.
    #[must_use]
    pub fn in_units_of(&self, other: &Unit, month: Period, used: Option<Used>) -> Option<(u128, u128)> {
        let size = |thing: &Thing| match thing {
            Thing::Bytes(bytes) => *bytes,
            _ => 1,
        };
        let is_one_kind = match (&self.thing, &other.thing) {
            (Thing::Bytes(_), Thing::Bytes(_)) => true,
            (one, other) => one == other,
        };
        let (own_time, other_time) = match (self.time, other.time) {
            (None, None) => (1, 1),
            (Some(own), Some(other)) => (own.seconds(month), other.seconds(month)),
            (None, Some(other)) => (used?.seconds, other.seconds(month)),
            (Some(_), None) => return None,
        };
        if !is_one_kind {
            return None;
        }
        let product = |count: u64, size: u64, time: u64| {
            u128::from(count).checked_mul(u128::from(size))?.checked_mul(u128::from(time))
        };
        let (one, many) = (
            product(self.count, size(&self.thing), own_time)?,
            product(other.count, size(&other.thing), other_time)?,
        );
        let divisor = gcd(one, many).max(1);
        Some((one / divisor, many / divisor))
    }

    /// Whether quantities in the one may be priced in the other.
    #[must_use]
    pub fn is_like(&self, other: &Unit) -> bool {
        let month = Period::from_code(2000 * 12);
        self.in_units_of(other, month, Some(Used { seconds: 1 })).is_some()
    }

    #[must_use]
    pub fn has_time(&self) -> bool {
        self.time.is_some()
    }
}

fn gcd(one: u128, other: u128) -> u128 {
    if other == 0 { one } else { gcd(other, one % other) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unit(text: &str) -> Unit {
        text.parse().unwrap()
    }

    #[test]
    fn one_unit_in_another() {
        for (from, to, expected) in [
            ("GB", "GB", "1/1"),
            ("TB", "GB", "1000/1"),
            ("TiB", "GiB", "1024/1"),
            ("GiB", "GB", "2097152/1953125"),
            ("gibibyte_hours", "GiB-Hour", "1/1"),
            ("TB-Hours", "TB-Mo", "1/744"),
            ("TB-Days", "TB-month", "1/31"),
            ("GB-month", "TB-year", "31/365000"),
            ("core-seconds", "core-hour", "1/3600"),
            ("CPU Hours", "core-hours", "1/1"),
            ("Hrs", "Hour", "1/1"),
            ("Requests", "1000 requests", "1/1000"),
            ("1,000 tokens", "1000000 tokens", "1/1000"),
            ("SUs", "SU", "1/1"),
            ("GPU-A100-Hours", "gpu-a100-hour", "1/1"),
            ("GB", "GB-month", "10/31"),
            ("GB-month", "GB", "-"),
            ("GB", "TiB-core", "-"),
            ("core-hour", "GPU-hour", "-"),
            ("Gb", "GB", "-"),
            ("Hours", "core-hour", "-"),
        ] {
            let used = Some(Used { seconds: 10 * DAY });
            let ratio = unit(from).in_units_of(&unit(to), "2025-01".parse().unwrap(), used);
            let ratio = ratio.map_or_else(|| "-".to_owned(), |(one, many)| format!("{one}/{many}"));
            assert_eq!(ratio, expected, "{from} in {to}");
        }
    }

    #[test]
    fn a_month_is_as_long_as_it_is() {
        let hours = |month: &str| {
            unit("GB-month").in_units_of(&unit("GB-hour"), month.parse().unwrap(), None).unwrap().0
        };
        assert_eq!([hours("2025-01"), hours("2025-02"), hours("2024-02")], [744, 672, 696]);
    }

    #[test]
    fn a_part_of_a_month_is_its_days_or_hours() {
        let used = |by: Prorate, start: &str, end: &str| {
            let micros = |text: &str| focus::parse_time(text.as_bytes()).unwrap().micros;
            by.used(micros(start), micros(end)).seconds / HOUR
        };
        assert_eq!(used(Prorate::Day, "2025-01-01T00:00:00Z", "2025-02-01T00:00:00Z"), 31 * 24);
        assert_eq!(used(Prorate::Day, "2025-01-03T18:00:00Z", "2025-01-05T06:00:00Z"), 3 * 24);
        assert_eq!(used(Prorate::Hour, "2025-01-03T18:30:00Z", "2025-01-03T20:00:00Z"), 2);
        assert_eq!(used(Prorate::Hour, "2025-01-03T18:00:00Z", "2025-01-03T18:00:00Z"), 0);
    }

    #[test]
    fn what_is_no_unit() {
        for bad in ["", "  ", "1000", "0 GB", "-", "12x GB"] {
            assert!(bad.parse::<Unit>().is_err(), "{bad}");
        }
        assert_eq!(unit(" TiB-month ").to_string(), "TiB-month");
    }
}
