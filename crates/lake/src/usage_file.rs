//! Usage that was written as FOCUS CSV, as Parquet.

use std::fs::File;
use std::io::{self, Read};
use std::sync::Arc;

use arrow::array::{ArrayRef, Decimal128Builder, RecordBatch, StringBuilder, TimestampMicrosecondBuilder};
use arrow::datatypes::{DataType, Field, Schema, TimeUnit};
use money::Amount;
use parquet::arrow::ArrowWriter;
use parquet::basic::Compression;
use parquet::file::properties::WriterProperties;

/// Rows of a batch.
const ROWS: usize = 64 << 10;

/// A column of the file, as its values are collected.
enum Column {
    Text(StringBuilder),
    Number(Decimal128Builder),
    Instant(TimestampMicrosecondBuilder),
}

impl Column {
    /// Quantities are exact decimals, starts and ends are instants, everything else is text.
    fn of(name: &str) -> Column {
        if name.ends_with("PeriodStart") || name.ends_with("PeriodEnd") {
            return Column::Instant(TimestampMicrosecondBuilder::new().with_timezone("UTC"));
        }
        if name.ends_with("Quantity") {
            let kind = DataType::Decimal128(38, 18);
            return Column::Number(Decimal128Builder::new().with_data_type(kind));
        }
        Column::Text(StringBuilder::new())
    }

    fn kind(&self) -> DataType {
        match self {
            Column::Text(_) => DataType::Utf8,
            Column::Number(_) => DataType::Decimal128(38, 18),
            Column::Instant(_) => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
        }
    }

    fn push(&mut self, value: &str) -> io::Result<()> {
        let value = Some(value).filter(|value| !value.is_empty());
        match self {
            Column::Text(texts) => texts.append_option(value),
            Column::Number(numbers) => {
                let number = value.map(str::parse::<Amount>).transpose().map_err(io::Error::other)?;
                numbers.append_option(number.map(Amount::units));
            }
            Column::Instant(instants) => {
                let instant =
                    value.map(str::parse::<jiff::Timestamp>).transpose().map_err(io::Error::other)?;
                instants.append_option(instant.map(jiff::Timestamp::as_microsecond));
            }
        }
        Ok(())
    }

    fn finish(&mut self) -> ArrayRef {
        match self {
            Column::Text(texts) => Arc::new(texts.finish()),
            Column::Number(numbers) => Arc::new(numbers.finish()),
            Column::Instant(instants) => Arc::new(instants.finish()),
        }
    }
}

/// Write rows of FOCUS CSV as Parquet.
///
/// # Errors
/// What cannot be read, is no number or no time where it must be, or cannot be written.
pub fn usage_parquet(csv: impl Read, out: File) -> io::Result<()> {
    let mut csv = csv::Reader::from_reader(csv);
    let names = csv.headers()?.clone();
    let mut columns: Vec<Column> = names.iter().map(Column::of).collect();
    let fields = names.iter().zip(&columns).map(|(name, column)| Field::new(name, column.kind(), true));
    let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
    let properties = WriterProperties::builder().set_compression(Compression::SNAPPY).build();
    let mut writer =
        ArrowWriter::try_new(out, Arc::clone(&schema), Some(properties)).map_err(io::Error::other)?;
    let (mut row, mut rows) = (csv::StringRecord::new(), 0);
    loop {
        let is_row = csv.read_record(&mut row)?;
        if is_row {
            for (column, value) in columns.iter_mut().zip(&row) {
                column.push(value)?;
            }
            rows += 1;
        }
        if rows == ROWS || (!is_row && 0 < rows) {
            let arrays = columns.iter_mut().map(Column::finish).collect();
            let batch = RecordBatch::try_new(Arc::clone(&schema), arrays).map_err(io::Error::other)?;
            writer.write(&batch).map_err(io::Error::other)?;
            rows = 0;
        }
        if !is_row {
            writer.close().map_err(io::Error::other)?;
            return Ok(());
        }
    }
}
