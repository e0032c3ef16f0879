//! Costs, quantities and unit prices: exact, as delivered.

use money::{Amount, ParseAmountError, Parsed};

use crate::charge::AmountColumn;
use crate::intake::chunk::{Chunk, Column, Faults, same};
use crate::intake::file::{FileContext, Kept};
use crate::intake::notes::{Note, NoteCounts};

const NULL: i128 = AmountColumn::NULL;
const NAMES: [&str; 4] = ["ListCost", "ContractedCost", "BilledCost", "EffectiveCost"];
pub(super) const LIST: usize = 0;
pub(super) const CONTRACTED: usize = 1;
pub(super) const BILLED: usize = 2;
pub(super) const EFFECTIVE: usize = 3;

/// The cost columns of all rows of a chunk; a bad cell is null and has a problem.
pub(super) fn read(
    chunk: &Chunk<'_>,
    file: &FileContext,
    faults: &mut Faults<'_>,
    notes: &mut NoteCounts,
) -> [Vec<i128>; 4] {
    if file.is_usage {
        let none = || vec![NULL; chunk.rows];
        return [none(), none(), vec![0; chunk.rows], none()];
    }
    let mut costs: [Vec<i128>; 4] = Default::default();
    let billed_texts = file.costs[BILLED].map(|column| chunk.column(column));
    let (billed, rounded) = cost_column(chunk, file, BILLED, None, faults, notes);
    costs[BILLED] = billed;
    for (row, &billed) in costs[BILLED].iter().enumerate() {
        let is_missing =
            billed == NULL && billed_texts.as_ref().is_none_or(|texts| texts.get(row).is_empty());
        if is_missing {
            faults.add(row, file.costs[BILLED], "is missing: a charge needs its cost".to_owned());
        }
    }
    for which in [LIST, CONTRACTED, EFFECTIVE] {
        // Where texts were rounded each is read, so that each is counted.
        let like = billed_texts.as_ref().filter(|_| rounded == 0);
        let like = like.map(|texts| (texts, costs[BILLED].as_slice()));
        costs[which] = cost_column(chunk, file, which, like, faults, notes).0;
    }
    let list_unknown = (0..chunk.rows).filter(|&row| {
        let cost = |which: usize| !matches!(costs[which][row], 0 | NULL);
        costs[LIST][row] == 0 && (cost(BILLED) || cost(EFFECTIVE))
    });
    notes.add(Note::ListPriceUnknown, list_unknown.count() as u64);
    costs
}

/// One cost column. Costs of a row are often written alike, so a text that equals the one in `like`
/// is not read twice. Also how many were rounded.
fn cost_column(
    chunk: &Chunk<'_>,
    file: &FileContext,
    which: usize,
    like: Option<(&Column<'_>, &[i128])>,
    faults: &mut Faults<'_>,
    notes: &mut NoteCounts,
) -> (Vec<i128>, u64) {
    let Some(column) = file.costs[which] else {
        notes.add(Note::CostMissing(NAMES[which]), chunk.rows as u64);
        return (vec![NULL; chunk.rows], 0);
    };
    let texts = chunk.column(column);
    let mut values = Vec::with_capacity(chunk.rows);
    let (mut missing, mut rounded) = (0, 0);
    for (row, text) in texts.iter().enumerate() {
        if text.is_empty() {
            missing += 1;
            values.push(NULL);
            continue;
        }
        if let Some((texts, read)) = like
            && same(texts.get(row), text)
            && read[row] != NULL
        {
            values.push(read[row]);
            continue;
        }
        match parse(text) {
            Ok(parsed) => {
                rounded += u64::from(parsed.rounded);
                values.push(parsed.amount.units());
            }
            Err(error) => {
                faults.add(row, Some(column), error.to_string());
                values.push(NULL);
            }
        }
    }
    if which != BILLED {
        notes.add(Note::CostMissing(NAMES[which]), missing);
    }
    if rounded > 0 {
        notes.add(Note::AmountRounded(file.delivered[column].clone()), rounded);
    }
    (values, rounded)
}

/// Read a column of quantities or unit prices into `values`. What is not a number is null and noted: no
/// money hangs on it.
pub(super) fn numbers(
    chunk: &Chunk<'_>,
    file: &FileContext,
    kept: &Kept,
    values: &mut Vec<i128>,
    notes: &mut NoteCounts,
) {
    let texts = chunk.column(kept.column);
    let mut last: (&[u8], i128, bool) = (&[], NULL, false);
    let (mut unreadable, mut rounded) = (0, 0);
    values.extend(texts.iter().map(|text| {
        if !same(text, last.0) {
            last = match parse(text) {
                Ok(parsed) => (text, parsed.amount.units(), parsed.rounded),
                Err(_) => (text, NULL, false),
            };
        }
        rounded += u64::from(last.2);
        unreadable += u64::from(last.1 == NULL && !text.is_empty());
        last.1
    }));
    let name = || file.delivered[kept.column].clone();
    if unreadable > 0 {
        notes.add(Note::NotANumber(name()), unreadable);
    }
    if rounded > 0 {
        notes.add(Note::AmountRounded(name()), rounded);
    }
}

#[inline]
fn parse(text: &[u8]) -> Result<Parsed, ParseAmountError> {
    Amount::parse(text).or_else(|error| match text.trim_ascii() {
        trimmed if trimmed.len() < text.len() => Amount::parse(trimmed),
        _ => Err(error),
    })
}
