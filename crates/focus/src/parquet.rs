//! Parquet files turned into the same cells as CSV: exact values as text.

use std::sync::Arc;

use ::parquet::arrow::ProjectionMask;
use ::parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder,
};
use ::parquet::file::metadata::RowGroupMetaData;
use ::parquet::file::reader::ChunkReader;
use arrow::array::ArrayRef;
use arrow::datatypes::{DataType, Schema};
use arrow::record_batch::RecordBatch;

use crate::cells::Span;
use crate::fields::is_null;
use crate::pages;
use crate::source::{Format, PARQUET_MAGIC};
use crate::values::{Shape, text_bytes, unpacked, viewed, write_value};
use crate::{Block, Cells, FocusColumn, Header, Kind, OpenError, ReadError, RowProblem};

/// Rows of a block: some megabytes, and row groups are larger.
const BATCH_ROWS: usize = 8192;

/// Text of a block, and of a row, as much as a record of CSV may have: a page can repeat one long value a million
/// times in a few bytes.
const TEXT_MAX_BYTES: u64 = 16_000_000;
/// No identifier is as long, and eight thousand of them are unpacked at once.
const FIXED_MAX_BYTES: i32 = 8192;

/// The end of an encrypted file.
const ENCRYPTED_MAGIC: &[u8] = b"PARE";

pub(crate) struct ParquetBlocks {
    batches: ParquetRecordBatchReader,
    /// Of a batch that was too large for one block, the last first.
    pending: Vec<RecordBatch>,
    next_row: u64,
    unpacked: u64,
    unpacked_max: u64,
}

impl ParquetBlocks {
    /// Read the directory of the file. Only the columns that a charge keeps will be decoded.
    pub fn open(
        file: impl ChunkReader + 'static,
        unpacked_max: u64,
    ) -> Result<(Header, Vec<String>, ParquetBlocks), OpenError> {
        check_end(&file)?;
        let unreadable =
            |error: ::parquet::errors::ParquetError| OpenError::Parquet { reason: error.to_string() };
        let delivered = ArrowReaderMetadata::load(&file, ArrowReaderOptions::new()).map_err(unreadable)?;
        let unpacked = |group: &RowGroupMetaData| u64::try_from(group.total_byte_size()).unwrap_or(u64::MAX);
        let sizes = delivered.metadata().row_groups().iter().map(unpacked);
        if unpacked_max < sizes.fold(0, u64::saturating_add) {
            return Err(ReadError::Unpacked { format: Format::Parquet, limit: unpacked_max }.into());
        }
        let header = Header::new(delivered.schema().fields().iter().map(|field| field.name().as_str()))?;
        let notes = notes(&header, delivered.schema());
        let mask = ProjectionMask::roots(delivered.parquet_schema(), kept(&header));
        if unpacked_max < u64::MAX {
            check_fixed(&header, delivered.schema())?;
            pages::check(&file, delivered.metadata(), &mask, unpacked_max)?;
        }
        // Text stays where its page was unpacked, however often a value is repeated.
        let options = ArrowReaderOptions::new().with_schema(viewed(delivered.schema()));
        let metadata =
            ArrowReaderMetadata::try_new(Arc::clone(delivered.metadata()), options).map_err(unreadable)?;
        let builder = ParquetRecordBatchReaderBuilder::new_with_metadata(file, metadata);
        let batches =
            builder.with_projection(mask).with_batch_size(BATCH_ROWS).build().map_err(unreadable)?;
        let blocks = ParquetBlocks { batches, pending: Vec::new(), next_row: 0, unpacked: 0, unpacked_max };
        Ok((header, notes, blocks))
    }

    pub fn next_block(&mut self) -> Result<Option<Block>, ReadError> {
        let row = self.next_row;
        let damaged = |reason: String| ReadError::Parquet { row: row + 1, reason };
        if self.pending.is_empty() {
            let Some(batch) = self.batches.next() else { return Ok(None) };
            let batch = batch.map_err(|error| damaged(error.to_string()))?;
            // As it would be in CSV: the text, and a comma for each cell.
            let cells = (batch.num_rows() as u64).saturating_mul(batch.num_columns() as u64);
            self.unpacked = self.unpacked.saturating_add(batch_text(&batch)).saturating_add(cells);
            if self.unpacked_max < self.unpacked {
                return Err(ReadError::Unpacked { format: Format::Parquet, limit: self.unpacked_max });
            }
            self.pending.push(batch);
        }
        while let Some(batch) = self.pending.pop() {
            let (rows, text) = (batch.num_rows(), batch_text(&batch));
            if rows == 1 && TEXT_MAX_BYTES < text {
                return Err(damaged(format!("it holds more than {} MB", TEXT_MAX_BYTES / 1_000_000)));
            }
            if text <= TEXT_MAX_BYTES || rows == 1 {
                self.next_row += rows as u64;
                return Ok(Some(Block::parquet(row, batch)));
            }
            self.pending.push(batch.slice(rows / 2, rows - rows / 2));
            self.pending.push(batch.slice(0, rows / 2));
        }
        Ok(None)
    }
}

fn batch_text(batch: &RecordBatch) -> u64 {
    batch.columns().iter().map(|column| text_bytes(column)).fold(0, u64::saturating_add)
}

fn check_fixed(header: &Header, schema: &Schema) -> Result<(), OpenError> {
    let is_large = |index: &usize| matches!(schema.field(*index).data_type(), DataType::FixedSizeBinary(bytes) if FIXED_MAX_BYTES < *bytes);
    match kept(header).find(is_large) {
        Some(index) => Err(OpenError::Parquet {
            reason: format!(
                "every value of `{}` has more than {FIXED_MAX_BYTES} bytes",
                header.columns[index].delivered
            ),
        }),
        None => Ok(()),
    }
}

/// A Parquet file ends as it begins; the directory stands before that.
fn check_end(file: &impl ChunkReader) -> Result<(), OpenError> {
    let bytes = file.len();
    let end = bytes.checked_sub(PARQUET_MAGIC.len() as u64).filter(|end| *end >= PARQUET_MAGIC.len() as u64);
    let magic = end.and_then(|end| file.get_bytes(end, PARQUET_MAGIC.len()).ok());
    match magic.as_deref() {
        Some(PARQUET_MAGIC) => Ok(()),
        Some(ENCRYPTED_MAGIC) => Err(OpenError::Foreign {
            what: "encrypted Parquet",
            way_on: "ask the source for an export that is not encrypted",
        }),
        _ => Err(OpenError::TruncatedParquet { bytes }),
    }
}

fn kept(header: &Header) -> impl Iterator<Item = usize> {
    let columns = header.columns.iter().enumerate();
    columns.filter(|(_, column)| column.kept_as.is_some()).map(|(index, _)| index)
}

fn notes(header: &Header, schema: &Schema) -> Vec<String> {
    let mut notes = header.notes();
    let is_binary = |column: &FocusColumn| {
        let field = header.find(*column).map(|index| schema.field(index).data_type());
        matches!(field, Some(DataType::Float16 | DataType::Float32 | DataType::Float64))
    };
    let costs = FocusColumn::ALL.iter().filter(|column| column.kind() == Kind::Cost);
    let binary: Vec<&str> = costs.filter(|column| is_binary(column)).map(|column| column.name()).collect();
    if !binary.is_empty() {
        notes.push(format!(
            "costs delivered in binary floating point ({}) are read as the shortest decimal that stands for each",
            binary.join(", ")
        ));
    }
    notes
}

/// The cells of a batch, which holds the kept columns only.
pub(crate) fn cells(batch: &RecordBatch, first_row: u64, header: &Header) -> (Cells, Vec<RowProblem>) {
    let rows = batch.num_rows();
    let mut cells = Cells { spans: vec![Vec::new(); header.columns.len()], rows, ..Cells::default() };
    let mut problems = Vec::new();
    for (index, array) in kept(header).zip(batch.columns()) {
        let column = &header.columns[index];
        let is_tags = column.focus.is_some_and(|focus| focus.kind() == Kind::Json);
        let shape = if is_tags { Shape::Pairs } else { Shape::Plain };
        cells.spans[index] = column_spans(array, shape, &mut cells.text, |row, value, reason| {
            problems
                .push((row, RowProblem::new(first_row + row as u64 + 1, &column.delivered, value, reason)));
        });
    }
    let numbers = (0..rows as u64).map(|row| (first_row + row).cast_signed());
    cells.byte_offsets = numbers.clone().collect();
    cells.lines = numbers.map(|number| number + 1).collect();
    cells.byte_lens = vec![0; rows];
    problems.sort_by_key(|(row, _)| *row);
    problems.dedup_by_key(|(row, _)| *row);
    drop_rows(&mut cells, &problems);
    (cells, problems.into_iter().map(|(_, problem)| problem).collect())
}

fn column_spans(
    array: &ArrayRef,
    shape: Shape,
    text: &mut Vec<u8>,
    mut problem: impl FnMut(usize, &[u8], String),
) -> Vec<Span> {
    let array = match unpacked(array) {
        Ok(array) => array,
        Err(reason) => {
            (0..array.len()).for_each(|row| problem(row, b"", reason.clone()));
            return vec![Span::default(); array.len()];
        }
    };
    let mut spans = Vec::with_capacity(array.len());
    for row in 0..array.len() {
        let start = text.len();
        if array.is_valid(row)
            && let Err(reason) = write_value(&*array, row, shape, text)
        {
            problem(row, &text[start..], reason);
            text.truncate(start);
        }
        if is_null(&text[start..]) {
            text.truncate(start);
        }
        spans.push(Span::new(start, text.len()));
    }
    spans
}

/// Rows with a problem are not among the cells.
fn drop_rows(cells: &mut Cells, problems: &[(usize, RowProblem)]) {
    if problems.is_empty() {
        return;
    }
    let mut good = vec![true; cells.rows];
    for (row, _) in problems {
        good[*row] = false;
    }
    cells.rows -= problems.len();
    keep(&mut cells.lines, &good);
    keep(&mut cells.byte_offsets, &good);
    keep(&mut cells.byte_lens, &good);
    cells.spans.iter_mut().for_each(|spans| keep(spans, &good));
}

fn keep<T>(values: &mut Vec<T>, good: &[bool]) {
    let mut good = good.iter();
    values.retain(|_| good.next().is_some_and(|good| *good));
}
