//! Blocks of charges to row groups, on as many threads as there are: pure CPU, no file is touched.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use billing::charge::{AmountColumn, TextColumn, TimeColumn};
use billing::{ChargeColumns, Period};
use bytes::Bytes;
use parquet::column::writer::ColumnCloseResult;

use super::columns;
use super::pages::RowGroup;
use super::schema::{FileSchema, SchemaKey, Width};
use crate::LakeError;

/// Encodes blocks of one import; clones share what they learn about its columns.
#[derive(Clone, Default)]
pub struct ChargeEncoder {
    schemas: Arc<Mutex<Vec<Arc<FileSchema>>>>,
}

/// A block as it will stand in charge files: a compressed Parquet row group per period.
pub struct EncodedCharges {
    pub(super) groups: Vec<EncodedGroup>,
}

pub(super) struct EncodedGroup {
    pub period: Period,
    pub schema: Arc<FileSchema>,
    pub rows: usize,
    pub bytes: Bytes,
    pub columns: Vec<ColumnCloseResult>,
}

impl EncodedCharges {
    pub fn rows(&self) -> usize {
        self.groups.iter().map(|group| group.rows).sum()
    }

    pub fn size_bytes(&self) -> usize {
        self.groups.iter().map(|group| group.bytes.len()).sum()
    }
}

impl ChargeEncoder {
    /// Encode a block: 16,000 to 128,000 rows make good row groups.
    ///
    /// # Errors
    /// [`LakeError::TooLarge`] for an amount of 10¹² or more, [`LakeError::Ragged`] when a column does not
    /// have the block's rows.
    pub fn encode(&self, columns: &ChargeColumns) -> Result<EncodedCharges, LakeError> {
        check_lengths(columns)?;
        let Some(&first) = columns.period.first() else {
            return Ok(EncodedCharges { groups: Vec::new() });
        };
        if columns.period.iter().all(|&period| period == first) && is_compact(columns) {
            return Ok(EncodedCharges { groups: vec![self.group(first, columns)?] });
        }
        let mut rows: BTreeMap<Period, Vec<usize>> = BTreeMap::new();
        for (row, &period) in columns.period.iter().enumerate() {
            rows.entry(period).or_default().push(row);
        }
        let groups = rows.iter().map(|(&period, rows)| self.group(period, &select(columns, rows)));
        Ok(EncodedCharges { groups: groups.collect::<Result<_, _>>()? })
    }

    fn group(&self, period: Period, columns: &ChargeColumns) -> Result<EncodedGroup, LakeError> {
        let width = width(columns)?;
        let schema = self.schema(columns, width)?;
        let mut group = RowGroup::new(columns.rows);
        let mut next = schema.columns.columns().iter().cloned();
        let mut column = || next.next().ok_or_else(|| missing_column(&schema));
        group.append(columns::integers(column()?, &columns.row))?;
        group.append(columns::integers(column()?, &vec![i64::from(columns.file); columns.rows]))?;
        group.append(columns::integers(column()?, &columns.line))?;
        group.append(columns::integers(column()?, &columns.byte_offset))?;
        let byte_len: Vec<i64> = columns.byte_len.iter().copied().map(i64::from).collect();
        group.append(columns::integers(column()?, &byte_len))?;
        for cost in &columns.costs {
            group.append(columns::decimals(column()?, cost, width))?;
        }
        for time in &columns.times {
            group.append(columns::times(column()?, time))?;
        }
        for (_, text) in &columns.text {
            group.append(columns::text(column()?, text))?;
        }
        for (_, number) in &columns.numbers {
            group.append(columns::decimals(column()?, number, width))?;
        }
        for hashes in [&columns.fingerprint, &columns.content_digest, &columns.overlap_key] {
            group.append(columns::hashes(column()?, hashes))?;
        }
        let (bytes, closed) = group.into_parts()?;
        Ok(EncodedGroup { period, schema, rows: columns.rows, bytes, columns: closed })
    }

    fn schema(&self, columns: &ChargeColumns, width: Width) -> Result<Arc<FileSchema>, LakeError> {
        let mut schemas = self.schemas.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = schemas.iter().find(|schema| schema.key.matches(columns, width)) {
            return Ok(Arc::clone(known));
        }
        let schema = Arc::new(FileSchema::new(SchemaKey::of(columns, width))?);
        schemas.push(Arc::clone(&schema));
        Ok(schema)
    }
}

fn missing_column(schema: &FileSchema) -> LakeError {
    LakeError::Encode(parquet::errors::ParquetError::General(format!("{schema:?} has too few columns")))
}

/// The narrowest width that holds every decimal of the block.
fn width(columns: &ChargeColumns) -> Result<Width, LakeError> {
    let decimals = || {
        let costs = billing::charge::COSTS.into_iter().zip(&columns.costs);
        costs.chain(columns.numbers.iter().map(|(name, amounts)| (name.as_str(), amounts)))
    };
    for width in [Width::Micro, Width::Pico, Width::Full] {
        let mut all = true;
        for (name, amounts) in decimals() {
            all &= columns::fits(amounts, width).map_err(|at| LakeError::TooLarge {
                column: name.to_owned(),
                row: columns.row.get(at).copied().unwrap_or_default(),
            })?;
            if !all {
                break;
            }
        }
        if all {
            return Ok(width);
        }
    }
    Ok(Width::Full)
}

fn check_lengths(columns: &ChargeColumns) -> Result<(), LakeError> {
    let text = |column: &TextColumn| match column {
        TextColumn::Coded { keys, .. } => keys.len(),
        TextColumn::Plain { ends, .. } => ends.len(),
    };
    let mut lengths = vec![
        ("row", columns.row.len()),
        ("line", columns.line.len()),
        ("byte_offset", columns.byte_offset.len()),
        ("byte_len", columns.byte_len.len()),
        ("period", columns.period.len()),
        ("fingerprint", columns.fingerprint.len()),
        ("content_digest", columns.content_digest.len()),
        ("overlap_key", columns.overlap_key.len()),
    ];
    let costs = billing::charge::COSTS.into_iter().zip(&columns.costs);
    lengths.extend(costs.map(|(name, column)| (name, column.0.len())));
    let times = billing::charge::TIMES.into_iter().zip(&columns.times);
    lengths.extend(times.map(|(name, column)| (name, column.0.len())));
    lengths.extend(columns.text.iter().map(|(name, column)| (name.as_str(), text(column))));
    lengths.extend(columns.numbers.iter().map(|(name, column)| (name.as_str(), column.0.len())));
    match lengths.into_iter().find(|&(_, len)| len != columns.rows) {
        Some((name, found)) => Err(LakeError::Ragged { column: name.to_owned(), found, rows: columns.rows }),
        None => Ok(()),
    }
}

/// Whether the dictionaries are of this block (not of the whole file so far).
fn is_compact(columns: &ChargeColumns) -> bool {
    columns.text.iter().all(|(_, text)| match text {
        TextColumn::Coded { keys, values } => values.len() <= keys.len().max(256),
        TextColumn::Plain { .. } => true,
    })
}

/// The block's rows of one period, with dictionaries of only what they use.
fn select(columns: &ChargeColumns, rows: &[usize]) -> ChargeColumns {
    fn pick<T: Copy>(values: &[T], rows: &[usize]) -> Vec<T> {
        rows.iter().map(|&row| values[row]).collect()
    }
    let amounts = |column: &AmountColumn| AmountColumn(pick(&column.0, rows));
    ChargeColumns {
        rows: rows.len(),
        row: pick(&columns.row, rows),
        file: columns.file,
        line: pick(&columns.line, rows),
        byte_offset: pick(&columns.byte_offset, rows),
        byte_len: pick(&columns.byte_len, rows),
        period: pick(&columns.period, rows),
        costs: std::array::from_fn(|at| amounts(&columns.costs[at])),
        times: std::array::from_fn(|at| TimeColumn(pick(&columns.times[at].0, rows))),
        text: columns.text.iter().map(|(name, text)| (name.clone(), select_text(text, rows))).collect(),
        numbers: columns.numbers.iter().map(|(name, column)| (name.clone(), amounts(column))).collect(),
        fingerprint: pick(&columns.fingerprint, rows),
        content_digest: pick(&columns.content_digest, rows),
        overlap_key: pick(&columns.overlap_key, rows),
    }
}

fn select_text(text: &TextColumn, rows: &[usize]) -> TextColumn {
    match text {
        TextColumn::Coded { keys, values } => {
            let mut new_keys = vec![TextColumn::NULL_KEY; values.len()];
            let mut used: Vec<Box<str>> = Vec::new();
            let keys = rows.iter().map(|&row| {
                let Some(value) = values.get(keys[row] as usize) else { return TextColumn::NULL_KEY };
                let key = &mut new_keys[keys[row] as usize];
                if *key == TextColumn::NULL_KEY {
                    *key = u32::try_from(used.len()).unwrap_or(TextColumn::NULL_KEY);
                    used.push(value.clone());
                }
                *key
            });
            TextColumn::Coded { keys: keys.collect(), values: used }
        }
        TextColumn::Plain { ends, bytes } => {
            let mut new_ends = Vec::with_capacity(rows.len());
            let mut new_bytes = Vec::new();
            for &row in rows {
                let start = if row == 0 { 0 } else { ends[row - 1] };
                new_bytes.extend_from_slice(&bytes[start as usize..ends[row] as usize]);
                new_ends.push(u32::try_from(new_bytes.len()).unwrap_or(u32::MAX));
            }
            TextColumn::Plain { ends: new_ends, bytes: new_bytes }
        }
    }
}
