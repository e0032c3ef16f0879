//! A billing period is a calendar month in UTC, and has a life: open, closed, finalized.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

mod checklist;
mod life;

pub use checklist::{NextAct, Step, StepStanding, StepState, Work, checklist, next_act};
pub use life::{Opening, PeriodAct, PeriodRefusal, PeriodState, RefusedAct, Stamp, Unfinished, may, opening};

/// A calendar month, `2025-01`. Its end is exclusive, as FOCUS has it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Period {
    /// Months since year 0: year × 12 + month − 1.
    months: i32,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a period such as 2025-01")]
pub struct NotAPeriod(String);

impl Period {
    /// `month` is 1 to 12, `year` 1 to 9999.
    #[must_use]
    pub fn new(year: i16, month: u8) -> Option<Period> {
        ((1..=9999).contains(&year) && (1..=12).contains(&month))
            .then(|| Period { months: i32::from(year) * 12 + i32::from(month) - 1 })
    }

    #[must_use]
    pub fn year(self) -> i16 {
        i16::try_from(self.months / 12).unwrap_or(i16::MAX)
    }

    #[must_use]
    pub fn month(self) -> u8 {
        u8::try_from(self.months % 12 + 1).unwrap_or(12)
    }

    #[must_use]
    pub fn next(self) -> Period {
        Period { months: self.months + 1 }
    }

    #[must_use]
    pub fn previous(self) -> Period {
        Period { months: self.months - 1 }
    }

    /// The fiscal year it lies in, when that begins with this month (1 to 12): named by the year it ends in.
    #[must_use]
    pub fn fiscal_year(self, first_month: u8) -> i16 {
        self.year() + i16::from(1 < first_month && first_month <= self.month())
    }

    /// How many months `other` lies after this one (negative when before).
    #[must_use]
    pub fn months_until(self, other: Period) -> i32 {
        other.months - self.months
    }

    /// The period as one number, for columns and hashes.
    #[must_use]
    pub const fn code(self) -> i32 {
        self.months
    }

    #[must_use]
    pub const fn from_code(months: i32) -> Period {
        Period { months }
    }

    /// The first instant, in microseconds since 1970 UTC.
    #[must_use]
    pub fn start_micros(self) -> i64 {
        let days = jiff::civil::date(1970, 1, 1)
            .until(self.first_day())
            .map_or(0, |span| i64::from(span.get_days()));
        days * 86_400_000_000
    }

    #[must_use]
    pub fn first_day(self) -> jiff::civil::Date {
        jiff::civil::date(self.year(), i8::try_from(self.month()).unwrap_or(1), 1)
    }

    /// The last day: the period's end itself is exclusive.
    #[must_use]
    pub fn last_day(self) -> jiff::civil::Date {
        self.first_day().last_of_month()
    }

    /// The month a day lies in.
    #[must_use]
    pub fn of(day: jiff::civil::Date) -> Period {
        Period { months: i32::from(day.year()) * 12 + i32::from(day.month()) - 1 }
    }

    /// `January 2025`, for people.
    #[must_use]
    pub fn name(self) -> String {
        const MONTHS: [&str; 12] = [
            "January",
            "February",
            "March",
            "April",
            "May",
            "June",
            "July",
            "August",
            "September",
            "October",
            "November",
            "December",
        ];
        format!("{} {}", MONTHS[usize::from(self.month()) - 1], self.year())
    }
}

impl FromStr for Period {
    type Err = NotAPeriod;

    fn from_str(text: &str) -> Result<Period, NotAPeriod> {
        let parse = || {
            let (year, month) = text.split_once('-')?;
            if year.len() != 4 || month.len() != 2 || !text.bytes().all(|b| b == b'-' || b.is_ascii_digit()) {
                return None;
            }
            Period::new(year.parse().ok()?, month.parse().ok()?)
        };
        parse().ok_or_else(|| NotAPeriod(text.to_owned()))
    }
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{:04}-{:02}", self.year(), self.month()))
    }
}

impl fmt::Debug for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl Serialize for Period {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Period {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Period, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_period_is_a_month_and_nothing_else() {
        for text in ["2025-01", "2025-12", "0001-01", "9999-12"] {
            assert_eq!(text.parse::<Period>().unwrap().to_string(), text);
        }
        for text in [
            "",
            "banana",
            "2025",
            "2025-13",
            "2025-00",
            "2025-1",
            "25-01",
            "2025-01-01",
            "+025-01",
            "0000-01",
        ] {
            assert_eq!(text.parse::<Period>().unwrap_err(), NotAPeriod(text.to_owned()));
        }
    }

    #[test]
    fn a_period_knows_its_days_and_neighbours() {
        let period = |text: &str| text.parse::<Period>().unwrap();
        let february = period("2024-02");
        assert_eq!(february.first_day().to_string(), "2024-02-01");
        assert_eq!(february.last_day().to_string(), "2024-02-29");
        assert_eq!(Period::of(february.last_day()), february);
        assert_eq!(february.name(), "February 2024");
        assert_eq!(period("2024-12").next(), period("2025-01"));
        assert_eq!(period("2025-01").previous(), period("2024-12"));
        assert_eq!(period("2024-11").months_until(period("2025-02")), 3);
        assert_eq!(period("1970-01").start_micros(), 0);
        assert_eq!(period("2025-01").start_micros(), 1_735_689_600_000_000);
        assert_eq!(Period::from_code(february.code()), february);
    }
}
