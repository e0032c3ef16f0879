//! Columns of a block to chunks of a row group. A kind of column is one function; each makes one pass.

use billing::charge::{AmountColumn, TextColumn, TimeColumn};
use money::Amount;
use parquet::basic::Encoding;
use parquet::file::statistics::Statistics;
use parquet::schema::types::ColumnDescPtr;

use super::pack;
use super::pages::{Chunk, Levels};
use super::schema::Width;

/// Whole numbers that mostly grow (rows, lines, offsets): never null, with bounds to prune by.
pub(crate) fn integers(column: ColumnDescPtr, values: &[i64]) -> Chunk {
    let mut bytes = Vec::with_capacity(values.len() * 2 + 32);
    pack::delta(values, &mut bytes);
    let statistics =
        Statistics::int64(values.iter().min().copied(), values.iter().max().copied(), None, Some(0), false);
    Chunk {
        column,
        levels: Levels::default(),
        encoding: Encoding::DELTA_BINARY_PACKED,
        values: bytes,
        dictionary: None,
        statistics: Some(statistics),
        compress: false,
    }
}

/// Hashes: there is nothing to compress and nothing to prune.
pub(crate) fn hashes(column: ColumnDescPtr, values: &[u64]) -> Chunk {
    let mut bytes = Vec::with_capacity(values.len() * 8);
    for value in values {
        bytes.extend_from_slice(&value.to_le_bytes());
    }
    Chunk {
        column,
        levels: Levels::default(),
        encoding: Encoding::PLAIN,
        values: bytes,
        dictionary: None,
        statistics: None,
        compress: false,
    }
}

/// Times: few differ within a month, so they are keys into a small dictionary while that holds.
pub(crate) fn times(column: ColumnDescPtr, times: &TimeColumn) -> Chunk {
    let present = |time: i64| time != TimeColumn::NULL;
    let nulls = times.0.iter().filter(|&&time| !present(time)).count();
    let levels = levels(times.0.len(), nulls, times.0.iter().map(|&time| present(time)));
    let there = || times.0.iter().copied().filter(|&time| present(time));
    let statistics = Statistics::int64(there().min(), there().max(), None, Some(nulls as u64), false);
    let (encoding, dictionary, values) = match few(there(), times.0.len() - nulls) {
        Some((keys, distinct)) => {
            let plain = distinct.iter().flat_map(|time| time.to_le_bytes()).collect();
            (Encoding::RLE_DICTIONARY, Some((plain, distinct.len())), key_bytes(&keys, distinct.len()))
        }
        None => {
            let mut bytes = Vec::with_capacity(times.0.len() * 6);
            pack::delta(&there().collect::<Vec<i64>>(), &mut bytes);
            (Encoding::DELTA_BINARY_PACKED, None, bytes)
        }
    };
    Chunk { column, levels, encoding, values, dictionary, statistics: Some(statistics), compress: false }
}

/// Keys and distinct values, in order of first use, if there are at most 512.
fn few(values: impl Iterator<Item = i64>, len: usize) -> Option<(Vec<u32>, Vec<i64>)> {
    const SLOTS: usize = 2048;
    const MOST: usize = 512;
    let mut slots = [u32::MAX; SLOTS];
    let mut distinct: Vec<i64> = Vec::new();
    let mut keys = Vec::with_capacity(len);
    let (mut last, mut last_key) = (i64::MIN, 0);
    for value in values {
        if value != last || distinct.is_empty() {
            // Fibonacci hashing: the top 11 bits of a product with 2⁶⁴ / φ.
            let hash = value.cast_unsigned().wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 53;
            let mut slot = usize::try_from(hash).unwrap_or(0);
            last_key = loop {
                match distinct.get(slots[slot] as usize) {
                    Some(&known) if known == value => break slots[slot],
                    Some(_) => slot = (slot + 1) % SLOTS,
                    None if distinct.len() == MOST => return None,
                    None => {
                        slots[slot] = u32::try_from(distinct.len()).ok()?;
                        distinct.push(value);
                        break slots[slot];
                    }
                }
            };
            last = value;
        }
        keys.push(last_key);
    }
    (!distinct.is_empty()).then_some((keys, distinct))
}

/// Text: the intake's keys are the Parquet dictionary's keys; text that hardly repeats is lengths and
/// then bytes.
pub(crate) fn text(column: ColumnDescPtr, text: &TextColumn) -> Chunk {
    match text {
        TextColumn::Coded { keys, values } => coded(column, keys, values),
        TextColumn::Plain { ends, bytes } => plain(column, ends, bytes),
    }
}

fn coded(column: ColumnDescPtr, keys: &[u32], values: &[Box<str>]) -> Chunk {
    let nulls = keys.iter().filter(|&&key| key as usize >= values.len()).count();
    let present = |key: u32| (key as usize) < values.len();
    let levels = levels(keys.len(), nulls, keys.iter().map(|&key| present(key)));
    let bytes = if nulls == 0 {
        key_bytes(keys, values.len())
    } else {
        let there: Vec<u32> = keys.iter().copied().filter(|&key| present(key)).collect();
        key_bytes(&there, values.len())
    };
    let mut plain = Vec::with_capacity(values.iter().map(|value| value.len() + 4).sum());
    for value in values {
        plain.extend_from_slice(&length(value.len()));
        plain.extend_from_slice(value.as_bytes());
    }
    let compress = plain.len() >= 4096;
    Chunk {
        column,
        levels,
        encoding: Encoding::RLE_DICTIONARY,
        values: bytes,
        dictionary: Some((plain, values.len())),
        statistics: Some(Statistics::byte_array(None, None, None, Some(nulls as u64), false)),
        compress,
    }
}

fn plain(column: ColumnDescPtr, ends: &[u32], bytes: &[u8]) -> Chunk {
    let mut lengths = Vec::with_capacity(ends.len());
    let mut start = 0;
    for &end in ends {
        if end > start {
            lengths.push(i64::from(end - start));
        }
        start = end;
    }
    let nulls = ends.len() - lengths.len();
    let starts = std::iter::once(0).chain(ends.iter().copied());
    let levels = levels(ends.len(), nulls, ends.iter().zip(starts).map(|(&end, start)| end > start));
    let mut values = Vec::with_capacity(bytes.len() + ends.len());
    pack::delta(&lengths, &mut values);
    values.extend_from_slice(&bytes[..start as usize]);
    Chunk {
        column,
        levels,
        encoding: Encoding::DELTA_LENGTH_BYTE_ARRAY,
        values,
        dictionary: None,
        statistics: Some(Statistics::byte_array(None, None, None, Some(nulls as u64), false)),
        compress: true,
    }
}

/// Decimals in the width that [`fits`] every one of them.
pub(crate) fn decimals(column: ColumnDescPtr, amounts: &AmountColumn, width: Width) -> Chunk {
    let nulls = amounts.0.iter().filter(|&&units| units == AmountColumn::NULL).count();
    let levels = levels(amounts.0.len(), nulls, amounts.0.iter().map(|&units| units != AmountColumn::NULL));
    let there = amounts.0.iter().filter(|&&units| units != AmountColumn::NULL);
    let (encoding, values) = match narrowing(width) {
        Some(narrowing) => {
            let narrow: Vec<i64> = there.map(|&units| narrowing.apply(units)).collect();
            let mut bytes = Vec::with_capacity(narrow.len() * 5);
            pack::delta(&narrow, &mut bytes);
            (Encoding::DELTA_BINARY_PACKED, bytes)
        }
        None => {
            let mut bytes = Vec::with_capacity(amounts.0.len() * 16);
            for units in there {
                bytes.extend_from_slice(&units.to_be_bytes());
            }
            (Encoding::PLAIN, bytes)
        }
    };
    let statistics = match width {
        Width::Full => Statistics::fixed_len_byte_array(None, None, None, Some(nulls as u64), false),
        _ => Statistics::int64(None, None, None, Some(nulls as u64), false),
    };
    let compress = width == Width::Full;
    Chunk { column, levels, encoding, values, dictionary: None, statistics: Some(statistics), compress }
}

/// Exact division by 10¹² or 10⁶, without a division: a shift takes the power of two, and a product with
/// the inverse of the power of five modulo 2⁶⁴ the rest. It is right where the quotient is whole and fits.
#[derive(Clone, Copy)]
struct Narrowing {
    shift: u32,
    inverse: u64,
    divisor: i128,
}

const fn narrowing(width: Width) -> Option<Narrowing> {
    let zeros = match width {
        Width::Micro => 12,
        Width::Pico => 6,
        Width::Full => return None,
    };
    let five = 5_u64.pow(zeros);
    // Newton: each step doubles the number of right bits.
    let mut inverse = five;
    let mut step = 0;
    while step < 6 {
        inverse = inverse.wrapping_mul(2_u64.wrapping_sub(five.wrapping_mul(inverse)));
        step += 1;
    }
    Some(Narrowing { shift: zeros, inverse, divisor: 10_i128.pow(zeros) })
}

impl Narrowing {
    fn apply(self, units: i128) -> i64 {
        let low = (units >> self.shift) & i128::from(u64::MAX);
        let low = u64::try_from(low).unwrap_or(0);
        low.wrapping_mul(self.inverse).cast_signed()
    }

    fn fits(self, units: i128) -> bool {
        const LIMIT: u64 = 10_u64.pow(18);
        let quotient = self.apply(units);
        quotient.unsigned_abs() < LIMIT && i128::from(quotient) * self.divisor == units
    }
}

/// Whether every amount has the places and the size of the width. `Err` is the row (from 0) of an amount
/// that no width holds.
pub(crate) fn fits(amounts: &AmountColumn, width: Width) -> Result<bool, usize> {
    let Some(narrowing) = narrowing(width) else {
        let limit = Amount::LIMIT.units().unsigned_abs();
        let bad = amounts.0.iter().position(|&u| u != AmountColumn::NULL && u.unsigned_abs() >= limit);
        return bad.map_or(Ok(true), Err);
    };
    Ok(amounts.0.iter().all(|&units| units == AmountColumn::NULL || narrowing.fits(units)))
}

fn levels(rows: usize, nulls: usize, present: impl Iterator<Item = bool>) -> Levels {
    let mut bytes = Vec::with_capacity(if nulls == 0 { 8 } else { rows / 8 + 8 });
    pack::presence(rows, nulls, present, &mut bytes);
    Levels { bytes, nulls }
}

/// A data page of dictionary keys: their width, then the keys.
fn key_bytes(keys: &[u32], distinct: usize) -> Vec<u8> {
    let width = pack::width_of(distinct.saturating_sub(1) as u64).max(1);
    let mut bytes = Vec::with_capacity(keys.len() * width as usize / 8 + 16);
    bytes.push(width.to_le_bytes()[0]);
    pack::hybrid(keys, width, &mut bytes);
    bytes
}

/// The length before a `PLAIN` byte array. A value is a cell of a block, far below 4 GB.
fn length(len: usize) -> [u8; 4] {
    u32::try_from(len).unwrap_or(u32::MAX).to_le_bytes()
}
