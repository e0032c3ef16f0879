//! The office's clock: when its months and days begin, and what times in files mean.

use billing::Period;
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

pub(super) struct Clock {
    zone: TimeZone,
}

/// `None` in files: `Unknown`, `None`, nothing, and the numbers that stand for them in JSON.
pub(super) type Instant = Option<i64>;

const NO_VALUE: i64 = 4_294_967_294;

impl Clock {
    /// The time zone of that name in the database that is compiled in.
    pub(super) fn named(zone: &str) -> Result<Clock, String> {
        let found = if zone.eq_ignore_ascii_case("UTC") {
            Ok(TimeZone::UTC)
        } else {
            jiff::tz::TimeZoneDatabase::bundled().get(zone)
        };
        let no = |_| "is no time zone; write its IANA name, such as `America/Chicago` or `UTC`".to_owned();
        Ok(Clock { zone: found.map_err(no)? })
    }

    pub(super) fn utc() -> Clock {
        Clock { zone: TimeZone::UTC }
    }

    /// The first instant of the month, in seconds since 1970.
    pub(super) fn start_of(&self, period: Period) -> i64 {
        let midnight = period.first_day().to_datetime(jiff::civil::Time::midnight());
        self.instant(midnight).unwrap_or_else(|| period.start_micros().div_euclid(1_000_000))
    }

    /// Where the days of a month begin, and where the last one ends.
    pub(super) fn days_of(&self, period: Period) -> Vec<i64> {
        let midnights = period.first_day().series(jiff::Span::new().days(1));
        let days = midnights.take_while(|day| *day <= period.last_day());
        let mut starts: Vec<i64> =
            days.filter_map(|day| self.instant(day.to_datetime(jiff::civil::Time::midnight()))).collect();
        starts.push(self.start_of(period.next()));
        starts
    }

    /// What the office's clock shows then, in seconds since 1970 as if it were UTC.
    pub(super) fn shown(&self, instant: i64) -> i64 {
        let offset = Timestamp::from_second(instant).map(|instant| self.zone.to_offset(instant).seconds());
        instant + i64::from(offset.unwrap_or_default())
    }

    /// An hour that comes twice is the first one, an hour that is left out the next one.
    fn instant(&self, shown: DateTime) -> Option<i64> {
        let instant = self.zone.to_ambiguous_timestamp(shown).compatible().ok()?;
        Some(instant.as_second())
    }

    /// A time of a file: seconds since 1970, or ISO 8601 on the office's clock unless it has an offset.
    pub(super) fn parse(&self, text: &[u8]) -> Result<Instant, &'static str> {
        match text {
            b"" | b"Unknown" | b"None" | b"N/A" | b"INVALID" => Ok(None),
            digits if digits.iter().all(u8::is_ascii_digit) => {
                let seconds = number(digits).and_then(|seconds| i64::try_from(seconds).ok());
                seconds.map(known).ok_or("is too large for a time")
            }
            text => self.parse_iso(text).map(known).ok_or(
                "is no time; run sacct with `SLURM_TIME_FORMAT=%s`, or leave its ISO times as they are",
            ),
        }
    }

    fn parse_iso(&self, text: &[u8]) -> Option<i64> {
        let text = std::str::from_utf8(text).ok()?;
        if let Ok(instant) = text.parse::<Timestamp>() {
            return Some(instant.as_second());
        }
        self.instant(text.parse::<DateTime>().ok()?)
    }
}

/// 0 and the largest 32-bit numbers stand for no time.
pub(super) fn known(seconds: i64) -> Instant {
    (0 < seconds && seconds < NO_VALUE).then_some(seconds)
}

/// Digits alone, below 2⁶³.
pub(super) fn number(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() || 18 < digits.len() {
        return None;
    }
    digits.iter().try_fold(0_u64, |number, digit| {
        digit.is_ascii_digit().then(|| number * 10 + u64::from(digit - b'0'))
    })
}

/// Digits alone, below 2⁶⁴: newer versions number their records with all of it.
pub(super) fn id(digits: &[u8]) -> Option<u64> {
    let is_number = digits.iter().all(u8::is_ascii_digit);
    std::str::from_utf8(digits).ok().filter(|_| is_number)?.parse().ok()
}

/// Seconds, as a number or as `D-HH:MM:SS`, `HH:MM:SS` or `MM:SS`, whatever is behind a point left out.
pub(super) fn seconds(text: &[u8]) -> Option<u64> {
    if let Some(seconds) = number(text) {
        return Some(seconds);
    }
    let whole = text.split(|byte| *byte == b'.').next()?;
    let (days, clock) = match memchr::memchr(b'-', whole) {
        Some(dash) => (number(&whole[..dash])?, &whole[dash + 1..]),
        None => (0, whole),
    };
    let mut parts = [0_u64; 3];
    let mut count = 0;
    for part in clock.split(|byte| *byte == b':') {
        let part = number(part)?;
        if count == 3 {
            return None;
        }
        parts = [parts[1], parts[2], part];
        count += 1;
    }
    // `60` alone was a number already; minutes and seconds go to 59.
    if count < 2 || 59 < parts[2] || (count == 3 && 59 < parts[1]) {
        return None;
    }
    days.checked_mul(86_400)?.checked_add(parts[0] * 3600 + parts[1] * 60 + parts[2])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_in_every_form() {
        for (text, expected) in [
            ("3600", Some(3600)),
            ("00:00:10", Some(10)),
            ("01:02:03", Some(3723)),
            ("2-01:02:03", Some(2 * 86_400 + 3723)),
            ("100-00:00:00", Some(8_640_000)),
            ("05:30", Some(330)),
            ("05:30.250", Some(330)),
            ("30:00:00", Some(108_000)),
            ("", None),
            ("1:2:3:4", None),
            ("00:60:00", None),
            ("00:00:61", None),
            ("1-", None),
            ("-5", None),
            ("INVALID", None),
            ("Partition_Limit", None),
        ] {
            assert_eq!(seconds(text.as_bytes()), expected, "{text}");
        }
    }

    #[test]
    fn times_in_every_form() {
        let clock = Clock::named("America/New_York").unwrap();
        for (text, expected) in [
            ("1735689600", Ok(Some(1_735_689_600))),
            ("2025-01-01T00:00:00Z", Ok(Some(1_735_689_600))),
            ("2024-12-31T19:00:00", Ok(Some(1_735_689_600))),
            ("2025-01-01T01:00:00+01:00", Ok(Some(1_735_689_600))),
            ("Unknown", Ok(None)),
            ("None", Ok(None)),
            ("", Ok(None)),
            ("0", Ok(None)),
            ("4294967294", Ok(None)),
        ] {
            assert_eq!(clock.parse(text.as_bytes()), expected, "{text}");
        }
        for bad in ["yesterday", "01/02-03:04", "2025-13-01T00:00:00", "999999999999999999999"] {
            assert!(clock.parse(bad.as_bytes()).is_err(), "{bad}");
        }
    }

    #[test]
    fn months_are_as_long_as_the_clock_says() {
        let hours = |zone: &str, month: &str| {
            let (clock, month) = (Clock::named(zone).unwrap(), month.parse::<Period>().unwrap());
            let days = clock.days_of(month);
            assert_eq!(days.first(), Some(&clock.start_of(month)));
            assert!(days.is_sorted());
            ((clock.start_of(month.next()) - clock.start_of(month)) / 3600, days.len() - 1)
        };
        assert_eq!(hours("UTC", "2025-03"), (744, 31));
        assert_eq!(hours("America/Chicago", "2025-03"), (743, 31));
        assert_eq!(hours("America/Chicago", "2025-11"), (721, 30));
        assert_eq!(hours("Europe/Zurich", "2025-10"), (745, 31));
        assert!(Clock::named("America/Gotham").is_err());
    }
}
