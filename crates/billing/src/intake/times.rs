//! The four times of a charge. FOCUS periods are half-open; files that write the last day instead are
//! put right here, and a missing time is taken from the period around it.

use focus::Time;

use crate::Period;
use crate::charge::TimeColumn;
use crate::intake::chunk::{Chunk, Faults, same};
use crate::intake::file::FileContext;
use crate::intake::notes::{Note, NoteCounts};

const DAY: i64 = 86_400_000_000;
const NULL: i64 = TimeColumn::NULL;

/// The times of all rows of a chunk, bad ones included (these are [`NULL`] and have a problem), or of
/// several chunks one after the other.
#[derive(Default)]
pub(super) struct Times {
    pub periods: Vec<Period>,
    /// The rows where `BillingPeriodStart` is something other than the first instant of its month.
    pub odd_starts: Vec<usize>,
    pub columns: [Vec<i64>; 4],
}

impl Times {
    pub fn append(&mut self, mut next: Times) {
        let rows = self.periods.len();
        self.odd_starts.extend(next.odd_starts.into_iter().map(|row| rows + row));
        self.periods.append(&mut next.periods);
        for (column, next) in self.columns.iter_mut().zip(&mut next.columns) {
            column.append(next);
        }
    }
}

/// The month an instant lies in, UTC.
pub(super) fn month_of(micros: i64) -> Option<Period> {
    let date = jiff::Timestamp::from_microsecond(micros).ok()?.to_zoned(jiff::tz::TimeZone::UTC).date();
    Period::new(date.year(), u8::try_from(date.month()).ok()?)
}

/// Its last day's first instant.
pub(super) fn last_day_of_month(month: Period) -> i64 {
    month.next().start_micros() - DAY
}

pub(super) fn read(
    chunk: &Chunk<'_>,
    file: &FileContext,
    faults: &mut Faults<'_>,
    notes: &mut NoteCounts,
) -> Times {
    let (periods, starts, odd_starts) = billing_starts(chunk, file, faults, notes);
    let ends = billing_ends(chunk, file, faults, notes, &periods);
    let mut charge_starts = column(chunk, file.times[2], faults, |time| time.micros);
    let mut charge_ends = column(chunk, file.times[3], faults, |time| end_of(time, file.inclusive));
    let (mut missing, mut outside) = (0, 0);
    for row in 0..chunk.rows {
        let (start, end) = (&mut charge_starts[row], &mut charge_ends[row]);
        if *start == NULL || *end == NULL {
            if faults.is_bad(row) {
                continue;
            }
            missing += 1;
            // One end alone is believed, even where the billing period contradicts it.
            match (*start == NULL, *end == NULL) {
                (true, true) => (*start, *end) = (starts[row], ends[row]),
                (true, false) => *start = starts[row].min(*end),
                _ => *end = ends[row].max(*start),
            }
        }
        if *end < *start {
            faults.add(row, file.times[3].or(file.times[2]), "lies before ChargePeriodStart".to_owned());
        } else if ends[row] < starts[row] && !faults.is_bad(row) {
            faults.add(row, file.times[1], "lies before BillingPeriodStart".to_owned());
        }
        outside += u64::from(*start < starts[row] || ends[row] < *end);
    }
    notes.add(Note::ChargePeriodMissing, missing);
    notes.add(Note::OutsidePeriod, outside);
    Times { periods, odd_starts, columns: [starts, ends, charge_starts, charge_ends] }
}

/// What one text of `BillingPeriodStart` says.
#[derive(Clone, Copy)]
struct BillingStart {
    period: Period,
    micros: i64,
    is_odd: bool,
    has_zone: bool,
}

fn billing_starts(
    chunk: &Chunk<'_>,
    file: &FileContext,
    faults: &mut Faults<'_>,
    notes: &mut NoteCounts,
) -> (Vec<Period>, Vec<i64>, Vec<usize>) {
    let (mut periods, mut starts) = (Vec::with_capacity(chunk.rows), Vec::with_capacity(chunk.rows));
    let mut odd_starts = Vec::new();
    let mut last: Option<(&[u8], BillingStart)> = None;
    let mut without_zone = 0;
    let texts = file.times[0].map(|column| chunk.column(column));
    for row in 0..chunk.rows {
        let text = texts.as_ref().map_or(&[][..], |texts| texts.get(row));
        let start = match last {
            Some((earlier, start)) if same(earlier, text) => Ok(start),
            _ => read_billing_start(text),
        };
        let start = start.unwrap_or_else(|message| {
            faults.add(row, file.times[0], message);
            BillingStart { period: Period::from_code(0), micros: NULL, is_odd: false, has_zone: true }
        });
        if start.micros != NULL {
            last = Some((text, start));
        }
        if start.is_odd {
            odd_starts.push(row);
        }
        without_zone += u64::from(!start.has_zone);
        periods.push(start.period);
        starts.push(start.micros);
    }
    notes.add(Note::NoZone, without_zone);
    (periods, starts, odd_starts)
}

fn read_billing_start(text: &[u8]) -> Result<BillingStart, String> {
    if text.is_empty() {
        return Err("is missing: a charge needs its billing period".to_owned());
    }
    let time = focus::parse_time(text).map_err(|error| error.to_string())?;
    let period = month_of(time.micros).ok_or("is not in the years 1 to 9999")?;
    // A date's own hyphens end at the tenth character.
    let rest = text.trim_ascii().get(10..).unwrap_or_default();
    let has_zone = time.date_only || rest.iter().any(|b| matches!(b, b'Z' | b'z' | b'+' | b'-'));
    Ok(BillingStart { period, micros: time.micros, is_odd: period.start_micros() != time.micros, has_zone })
}

fn billing_ends(
    chunk: &Chunk<'_>,
    file: &FileContext,
    faults: &mut Faults<'_>,
    notes: &mut NoteCounts,
    periods: &[Period],
) -> Vec<i64> {
    let mut ends = column(chunk, file.times[1], faults, |time| end_of(time, file.inclusive));
    let (mut missing, mut elsewhere) = (0, 0);
    let mut month: Option<(Period, i64)> = None;
    for (row, (end, &period)) in ends.iter_mut().zip(periods).enumerate() {
        let month_end = match month {
            Some((earlier, month_end)) if earlier == period => month_end,
            _ => period.next().start_micros(),
        };
        month = Some((period, month_end));
        if *end == month_end || faults.is_bad(row) {
            continue;
        }
        if *end == NULL {
            *end = month_end;
            missing += 1;
        } else {
            elsewhere += 1;
        }
    }
    notes.add(Note::PeriodEndMissing, missing);
    notes.add(Note::PeriodEndElsewhere, elsewhere);
    ends
}

/// An end, exclusive. In an inclusive file a date alone names the last day.
fn end_of(time: Time, inclusive: bool) -> i64 {
    if inclusive && time.date_only { time.micros.saturating_add(DAY) } else { time.micros }
}

/// A column of times: [`NULL`] where the file has none, and where it has a problem.
fn column(
    chunk: &Chunk<'_>,
    column: Option<usize>,
    faults: &mut Faults<'_>,
    value: impl Fn(Time) -> i64,
) -> Vec<i64> {
    let Some(texts) = column.map(|column| chunk.column(column)) else { return vec![NULL; chunk.rows] };
    let mut times = Vec::with_capacity(chunk.rows);
    let mut last: (&[u8], i64) = (&[], NULL);
    for (row, text) in texts.iter().enumerate() {
        if !same(text, last.0) {
            match focus::parse_time(text) {
                Ok(time) => last = (text, value(time)),
                _ if text.is_empty() => last = (text, NULL),
                Err(error) => {
                    faults.add(row, column, error.to_string());
                    times.push(NULL);
                    continue;
                }
            }
        }
        times.push(last.1);
    }
    times
}
