//! Dates and date-times as providers write them.

use std::fmt;

/// An instant in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time {
    /// Microseconds since 1970-01-01T00:00:00Z.
    pub micros: i64,
    /// Only a date was written; `micros` is its first instant. An inclusive period end is told by this.
    pub date_only: bool,
}

/// Why a text is not a time. The message follows the text in backticks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TimeError {
    #[error("is not a date or date-time; write 2025-01-31 or 2025-01-31T00:00:00Z")]
    NotATime,
    #[error("has no month {0:02}; months are 01 to 12")]
    Month(u8),
    #[error("has no day {day:02}: {year:04}-{month:02} has {days} days")]
    Day { year: u16, month: u8, day: u8, days: u8 },
    #[error("has no such time of day; hours are 00 to 23, minutes and seconds 00 to 59")]
    Clock,
    #[error("has no such offset from UTC; write Z or +01:00")]
    Offset,
    #[error("is not how FOCUS writes a date; write {0}")]
    Slashes(SlashDate),
}

/// What a date with slashes may mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SlashDate {
    day_first: Option<(u16, u8, u8)>,
    month_first: Option<(u16, u8, u8)>,
}

impl fmt::Display for SlashDate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let date = |(year, month, day): (u16, u8, u8)| format!("{year:04}-{month:02}-{day:02}");
        match (self.day_first, self.month_first) {
            (Some(one), Some(other)) if one != other => write!(f, "{} or {}", date(one), date(other)),
            (Some(one), _) | (None, Some(one)) => write!(f, "{}", date(one)),
            (None, None) => f.write_str("the date as 2025-01-31"),
        }
    }
}

const SECOND: i64 = 1_000_000;
const DAY: i64 = 86_400 * SECOND;

/// Read a date or date-time: `2025-01-31`, `2025-01-31T12:30:00Z`, with a space instead of `T`, with
/// fractions (beyond microseconds cut off), `Z`, `UTC` or an offset, without seconds. No zone means UTC.
///
/// # Errors
/// [`TimeError`] says what is wrong with the text.
#[inline]
pub fn parse_time(text: &[u8]) -> Result<Time, TimeError> {
    let text = text.trim_ascii();
    let Some((date, rest)) = text.split_first_chunk::<10>() else { return Err(refuse(text)) };
    let day = parse_date(date).ok_or_else(|| refuse(text))??;
    let (separator, clock) = match rest.split_first() {
        None => return Ok(Time { micros: day * DAY, date_only: true }),
        Some((separator, clock)) => (*separator, clock),
    };
    if !matches!(separator, b'T' | b't' | b' ') {
        return Err(refuse(text));
    }
    let (clock, zone) = parse_clock(clock)?;
    let offset = parse_zone(zone)?;
    Ok(Time { micros: day * DAY + clock - offset, date_only: false })
}

/// Days since 1970-01-01; `None` if this is no date at all.
#[inline]
fn parse_date(date: &[u8; 10]) -> Option<Result<i64, TimeError>> {
    if date[4] != b'-' || date[7] != b'-' {
        return None;
    }
    let year = u16::from(two_digits(date[0], date[1])?) * 100 + u16::from(two_digits(date[2], date[3])?);
    let month = two_digits(date[5], date[6])?;
    let day = two_digits(date[8], date[9])?;
    Some(check_date(year, month, day).map(|()| days_since_epoch(year, month, day)))
}

#[inline]
fn check_date(year: u16, month: u8, day: u8) -> Result<(), TimeError> {
    let days = match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 if is_leap(year) => 29,
        2 => 28,
        _ => return Err(TimeError::Month(month)),
    };
    if day == 0 || day > days { Err(TimeError::Day { year, month, day, days }) } else { Ok(()) }
}

fn is_leap(year: u16) -> bool {
    year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
}

/// The Gregorian calendar counted from March, so that the leap day is the last of its year.
#[inline]
fn days_since_epoch(year: u16, month: u8, day: u8) -> i64 {
    let (month, day) = (i64::from(month), i64::from(day));
    let year = i64::from(year) - i64::from(month <= 2);
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

/// Microseconds since midnight, and what follows the clock.
#[inline]
fn parse_clock(text: &[u8]) -> Result<(i64, &[u8]), TimeError> {
    let Some((&[h1, h2, b':', m1, m2], rest)) = text.split_first_chunk::<5>() else {
        return Err(TimeError::NotATime);
    };
    let number = |a, b| two_digits(a, b).ok_or(TimeError::NotATime);
    let (hour, minute) = (number(h1, h2)?, number(m1, m2)?);
    let (second, rest) = match rest {
        [b':', s1, s2, rest @ ..] => (number(*s1, *s2)?, rest),
        _ => (0, rest),
    };
    if hour > 23 || minute > 59 || second > 59 {
        return Err(TimeError::Clock);
    }
    let seconds = (i64::from(hour) * 60 + i64::from(minute)) * 60 + i64::from(second);
    let Some((b'.' | b',', fraction)) = rest.split_first() else { return Ok((seconds * SECOND, rest)) };
    let digits = fraction.iter().take_while(|byte| byte.is_ascii_digit()).count();
    if digits == 0 {
        return Err(TimeError::NotATime);
    }
    let micros = (0..6)
        .fold(0, |micros, at| micros * 10 + if at < digits { i64::from(fraction[at] - b'0') } else { 0 });
    Ok((seconds * SECOND + micros, &fraction[digits..]))
}

/// Microseconds that the clock is ahead of UTC.
#[inline]
fn parse_zone(zone: &[u8]) -> Result<i64, TimeError> {
    let (sign, hours, minutes) = match zone.trim_ascii_start() {
        [] | b"Z" | b"z" | b"UTC" | b"GMT" => return Ok(0),
        [sign, h1, h2] => (*sign, two_digits(*h1, *h2), Some(0)),
        [sign, h1, h2, m1, m2] | [sign, h1, h2, b':', m1, m2] => {
            (*sign, two_digits(*h1, *h2), two_digits(*m1, *m2))
        }
        _ => return Err(TimeError::NotATime),
    };
    let sign = match sign {
        b'+' => 1,
        b'-' => -1,
        _ => return Err(TimeError::NotATime),
    };
    let (Some(hours), Some(minutes)) = (hours, minutes) else { return Err(TimeError::NotATime) };
    // Offsets in use reach from -12:00 to +14:00.
    if hours > 15 || minutes > 59 {
        return Err(TimeError::Offset);
    }
    Ok(sign * (i64::from(hours) * 60 + i64::from(minutes)) * 60 * SECOND)
}

#[inline]
fn two_digits(tens: u8, ones: u8) -> Option<u8> {
    let (tens, ones) = (tens.wrapping_sub(b'0'), ones.wrapping_sub(b'0'));
    (tens < 10 && ones < 10).then(|| tens * 10 + ones)
}

/// The words for a text that is not laid out like a time.
#[cold]
fn refuse(text: &[u8]) -> TimeError {
    let date = text.split(|byte| matches!(byte, b' ' | b'T')).next().unwrap_or_default();
    let parts: Vec<&[u8]> = date.split(|byte| *byte == b'/').collect();
    let number = |part: &[u8]| std::str::from_utf8(part).ok()?.parse::<u16>().ok();
    let &[first, second, year] = parts.as_slice() else { return TimeError::NotATime };
    let (Some(first), Some(second), Some(year)) = (number(first), number(second), number(year)) else {
        return TimeError::NotATime;
    };
    let date = |month: u16, day: u16| {
        let (month, day) = (u8::try_from(month).ok()?, u8::try_from(day).ok()?);
        let is_date = (1000..10_000).contains(&year) && check_date(year, month, day).is_ok();
        is_date.then_some((year, month, day))
    };
    TimeError::Slashes(SlashDate { day_first: date(second, first), month_first: date(first, second) })
}

/// Remembers the last text: in most files a column repeats one time for thousands of rows.
#[derive(Clone, Debug, Default)]
pub struct TimeCache {
    text: Vec<u8>,
    time: Option<Time>,
}

impl TimeCache {
    /// [`parse_time`], or what it said last time to the same text.
    ///
    /// # Errors
    /// As [`parse_time`].
    #[inline]
    pub fn parse(&mut self, text: &[u8]) -> Result<Time, TimeError> {
        if let Some(time) = self.time.filter(|_| self.text == text) {
            return Ok(time);
        }
        let time = parse_time(text)?;
        self.text.clear();
        self.text.extend_from_slice(text);
        self.time = Some(time);
        Ok(time)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn micros(text: &str) -> i64 {
        text.parse::<jiff::Timestamp>().unwrap().as_microsecond()
    }

    #[test]
    fn every_spelling_seen_is_read() {
        for (text, wanted) in [
            ("2025-01-31T12:30:15Z", "2025-01-31T12:30:15Z"),
            ("2025-01-31t12:30:15z", "2025-01-31T12:30:15Z"),
            ("2025-01-31 12:30:15", "2025-01-31T12:30:15Z"),
            ("2025-01-31 12:30:15 UTC", "2025-01-31T12:30:15Z"),
            ("2025-01-31T12:30:15.000Z", "2025-01-31T12:30:15Z"),
            ("2025-01-31T12:30:15.5", "2025-01-31T12:30:15.5Z"),
            ("2025-01-31T12:30:15.1234567Z", "2025-01-31T12:30:15.123456Z"),
            ("2025-01-31T12:30Z", "2025-01-31T12:30:00Z"),
            ("2025-01-31 12:30", "2025-01-31T12:30:00Z"),
            ("2025-01-31T12:30:15+00:00", "2025-01-31T12:30:15Z"),
            ("2025-01-31T12:30:15+02:00", "2025-01-31T10:30:15Z"),
            ("2025-01-31T12:30:15-0530", "2025-01-31T18:00:15Z"),
            ("2025-01-31T23:30:15.25 -07", "2025-02-01T06:30:15.25Z"),
            (" 2025-01-31T12:30:15Z ", "2025-01-31T12:30:15Z"),
            ("2024-02-29T00:00:00Z", "2024-02-29T00:00:00Z"),
            ("1969-12-31T23:59:59Z", "1969-12-31T23:59:59Z"),
        ] {
            let time = Time { micros: micros(wanted), date_only: false };
            assert_eq!(parse_time(text.as_bytes()), Ok(time), "{text}");
        }
        let date = Time { micros: micros("2025-01-31T00:00:00Z"), date_only: true };
        assert_eq!(parse_time(b"2025-01-31"), Ok(date));
    }

    #[test]
    fn what_is_no_time_is_refused_in_words() {
        let said = [
            "2025-13-01",
            "2025-00-01T00:00:00Z",
            "2025-02-30",
            "2023-02-29",
            "2025-01-00",
            "2025-01-31T24:00:00Z",
            "2025-01-31T12:30:60Z",
            "2025-01-31T12",
            "2025-01-31T12:30:15.Z",
            "2025-01-31T12:30:15+99:00",
            "2025-01-31T12:30:15 CET",
            "2025-01-31X12:30:15Z",
            "03/04/2025",
            "03/25/2025 10:00",
            "25/03/2025",
            "02/02/2025",
            "99/99/2025",
            "2025-1-5",
            "20250131",
            "January 2025",
            "",
            "45678",
        ]
        .map(|text| format!("`{text}` {}", parse_time(text.as_bytes()).unwrap_err()));
        insta::assert_snapshot!(said.join("\n"), @r###"
`2025-13-01` has no month 13; months are 01 to 12
`2025-00-01T00:00:00Z` has no month 00; months are 01 to 12
`2025-02-30` has no day 30: 2025-02 has 28 days
`2023-02-29` has no day 29: 2023-02 has 28 days
`2025-01-00` has no day 00: 2025-01 has 31 days
`2025-01-31T24:00:00Z` has no such time of day; hours are 00 to 23, minutes and seconds 00 to 59
`2025-01-31T12:30:60Z` has no such time of day; hours are 00 to 23, minutes and seconds 00 to 59
`2025-01-31T12` is not a date or date-time; write 2025-01-31 or 2025-01-31T00:00:00Z
`2025-01-31T12:30:15.Z` is not a date or date-time; write 2025-01-31 or 2025-01-31T00:00:00Z
`2025-01-31T12:30:15+99:00` has no such offset from UTC; write Z or +01:00
`2025-01-31T12:30:15 CET` is not a date or date-time; write 2025-01-31 or 2025-01-31T00:00:00Z
`2025-01-31X12:30:15Z` is not a date or date-time; write 2025-01-31 or 2025-01-31T00:00:00Z
`03/04/2025` is not how FOCUS writes a date; write 2025-04-03 or 2025-03-04
`03/25/2025 10:00` is not how FOCUS writes a date; write 2025-03-25
`25/03/2025` is not how FOCUS writes a date; write 2025-03-25
`02/02/2025` is not how FOCUS writes a date; write 2025-02-02
`99/99/2025` is not how FOCUS writes a date; write the date as 2025-01-31
`2025-1-5` is not a date or date-time; write 2025-01-31 or 2025-01-31T00:00:00Z
`20250131` is not a date or date-time; write 2025-01-31 or 2025-01-31T00:00:00Z
`January 2025` is not a date or date-time; write 2025-01-31 or 2025-01-31T00:00:00Z
`` is not a date or date-time; write 2025-01-31 or 2025-01-31T00:00:00Z
`45678` is not a date or date-time; write 2025-01-31 or 2025-01-31T00:00:00Z
"###);
    }

    #[test]
    fn the_days_of_four_hundred_years_follow_each_other() {
        let first = days_since_epoch(1900, 1, 1);
        assert_eq!(first * DAY, micros("1900-01-01T00:00:00Z"));
        let dates = jiff::civil::date(1900, 1, 1).series(jiff::ToSpan::day(1));
        for (day, date) in (first..first + 146_097 + 10).zip(dates) {
            let text = date.to_string();
            let time = Time { micros: day * DAY, date_only: true };
            assert_eq!(parse_time(text.as_bytes()), Ok(time), "{text}");
        }
    }

    #[test]
    fn the_cache_answers_like_the_parser() {
        let mut cache = TimeCache::default();
        for text in ["2025-01-01", "2025-01-01", "nonsense", "2025-01-01", "2025-01-02", "nonsense"] {
            assert_eq!(cache.parse(text.as_bytes()), parse_time(text.as_bytes()), "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(text in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..40)) {
            let _ = parse_time(&text);
        }

        #[test]
        fn any_instant_is_read_back(seconds in -30_000_000_000_i64..250_000_000_000) {
            let instant = jiff::Timestamp::from_second(seconds).unwrap();
            let time = parse_time(instant.to_string().as_bytes());
            proptest::prop_assert_eq!(time, Ok(Time { micros: seconds * SECOND, date_only: false }));
        }
    }
}
