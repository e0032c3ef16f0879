//! A block taken apart into cells, column by column.

use arrow::record_batch::RecordBatch;

use crate::fields::{QuoteDefect, Text, check_quotes, is_blank, is_null, unquote};
use crate::scan::{Scanner, bit};
use crate::{Header, RowProblem};

/// A run of whole records of one file, as they stand in the (decompressed) bytes.
#[derive(Clone)]
pub struct Block {
    /// Line number of the first record, from 1.
    pub first_line: u64,
    /// Where the block begins in the (decompressed) file.
    pub byte_offset: u64,
    /// Empty for a Parquet file.
    pub bytes: Vec<u8>,
    batch: Option<RecordBatch>,
}

/// A block taken apart. Text is found by span, so that nothing is copied that need not be.
#[derive(Default)]
pub struct Cells {
    /// The block's bytes, followed by what had to be unescaped.
    pub text: Vec<u8>,
    /// Column by column, in the order of the file's header. Every column that the charge keeps
    /// ([`kept_as`](crate::Column::kept_as)) has `rows` spans, every other column none.
    pub spans: Vec<Vec<Span>>,
    pub rows: usize,
    /// Per row: line, byte offset in the file, byte length with the line end. In a Parquet file: row
    /// number from 1, row number from 0, zero.
    pub lines: Vec<i64>,
    pub byte_offsets: Vec<i64>,
    pub byte_lens: Vec<i32>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Span {
    pub start: u32,
    pub len: u32,
}

impl Span {
    #[expect(clippy::cast_possible_truncation, reason = "a block and its text stay far below 4 GB")]
    #[inline]
    pub(crate) fn new(start: usize, end: usize) -> Span {
        Span { start: start as u32, len: (end - start) as u32 }
    }
}

impl Cells {
    /// The cell's bytes, valid UTF-8; empty when the cell is null (empty, blank, `NULL`, `null`, `(null)`,
    /// `\N`) or its column is not kept.
    #[must_use]
    #[inline]
    pub fn get(&self, column: usize, row: usize) -> &[u8] {
        let Some(span) = self.spans[column].get(row) else { return &[] };
        &self.text[span.start as usize..][..span.len as usize]
    }

    /// The same as text.
    #[must_use]
    pub fn get_str(&self, column: usize, row: usize) -> &str {
        // `Block::cells` keeps invalid rows out, so the fallback is never seen.
        std::str::from_utf8(self.get(column, row)).unwrap_or_default()
    }
}

impl Block {
    /// Whole records of a CSV file (less than 1 GB), for example one record out of the kept evidence.
    #[must_use]
    pub fn csv(first_line: u64, byte_offset: u64, bytes: Vec<u8>) -> Block {
        Block { first_line, byte_offset, bytes, batch: None }
    }

    /// Rows of a Parquet file; `first_row` counts from 0.
    pub(crate) fn parquet(first_row: u64, batch: RecordBatch) -> Block {
        Block { first_line: first_row + 1, byte_offset: first_row, bytes: Vec::new(), batch: Some(batch) }
    }

    /// Take the block apart. Rows that cannot be read (wrong number of fields, invalid UTF-8, …) are
    /// problems and are not among the cells.
    #[must_use]
    pub fn cells(self, header: &Header) -> (Cells, Vec<RowProblem>) {
        match self.batch {
            Some(batch) => crate::parquet::cells(&batch, self.byte_offset, header),
            None => Rows::new(header, self.first_line, self.byte_offset, &self.bytes).read(self.bytes),
        }
    }
}

/// The state of taking a CSV block apart.
struct Rows<'h> {
    header: &'h Header,
    /// Per column: is it kept?
    kept: Vec<bool>,
    first_line: u64,
    byte_offset: u64,
    is_utf8: bool,
    /// Where the fields of the record end; one more than there are columns, at most.
    field_ends: Vec<usize>,
    unescaped: Vec<u8>,
    cells: Cells,
    problems: Vec<RowProblem>,
}

/// One record as the scan found it.
#[derive(Clone, Copy)]
struct Record {
    start: usize,
    /// After the line end.
    end: usize,
    fields: usize,
    line: u64,
    /// The bytes ended while a quote was open.
    is_unclosed: bool,
}

impl<'h> Rows<'h> {
    fn new(header: &'h Header, first_line: u64, byte_offset: u64, bytes: &[u8]) -> Rows<'h> {
        let columns = header.columns.len();
        let kept: Vec<bool> = header.columns.iter().map(|column| column.kept_as.is_some()).collect();
        // A first guess that saves most of the growing: records of 20 bytes a column.
        let rows = bytes.len() / (20 * columns.max(1)) + 1;
        let spans = kept.iter().map(|kept| Vec::with_capacity(if *kept { rows } else { 0 })).collect();
        Rows {
            header,
            kept,
            first_line,
            byte_offset,
            is_utf8: simdutf8::basic::from_utf8(bytes).is_ok(),
            field_ends: vec![0; columns + 1],
            unescaped: Vec::with_capacity(bytes.len() / 2),
            cells: Cells { spans, ..Cells::default() },
            problems: Vec::new(),
        }
    }

    fn read(mut self, bytes: Vec<u8>) -> (Cells, Vec<RowProblem>) {
        let mut scanner = Scanner::default();
        let mut record = Record { start: 0, end: 0, fields: 0, line: self.first_line, is_unclosed: false };
        let mut line = self.first_line;
        scanner.walk(&bytes, |base, marks| {
            let mut fields = marks.fields;
            while fields != 0 {
                let number = fields.trailing_zeros();
                let place = base + bit(number);
                if let Some(end) = self.field_ends.get_mut(record.fields) {
                    *end = place;
                }
                record.fields += 1;
                if marks.records >> number & 1 == 1 {
                    record.end = place + 1;
                    self.end_record(&bytes, record);
                    let through_here = marks.newlines & (u64::MAX >> (63 - number));
                    let line = line + u64::from(through_here.count_ones());
                    record = Record { start: place + 1, fields: 0, line, ..record };
                }
                fields &= fields - 1;
            }
            line += u64::from(marks.newlines.count_ones());
        });
        if record.start < bytes.len() {
            if let Some(end) = self.field_ends.get_mut(record.fields) {
                *end = bytes.len();
            }
            record.fields += 1;
            record.end = bytes.len();
            record.is_unclosed = scanner.is_inside_quotes();
            self.end_record(&bytes, record);
        }
        self.finish(bytes)
    }

    fn finish(self, bytes: Vec<u8>) -> (Cells, Vec<RowProblem>) {
        let mut cells = self.cells;
        cells.text = bytes;
        cells.text.extend_from_slice(&self.unescaped);
        (cells, self.problems)
    }

    #[inline]
    fn end_record(&mut self, bytes: &[u8], record: Record) {
        let columns = self.header.columns.len();
        let text = &bytes[record.start..record.end];
        if record.fields == 1 && (trim_end(text).is_empty() || (columns > 1 && is_blank(text))) {
            return;
        }
        let read = record.fields == columns && !record.is_unclosed && {
            self.trim_line_end(bytes, record);
            (self.is_utf8 || std::str::from_utf8(text).is_ok()) && self.read_fields(bytes, record).is_ok()
        };
        if !read {
            let problem = self.explain(bytes, record);
            self.problems.push(problem);
            return;
        }
        self.cells.rows += 1;
        // Files, lines and records stay far below the limits of these types.
        self.cells.lines.push(record.line.cast_signed());
        self.cells.byte_offsets.push((self.byte_offset + record.start as u64).cast_signed());
        self.cells.byte_lens.push(i32::try_from(text.len()).unwrap_or(i32::MAX));
    }

    /// The carriage return before the line feed is no part of the last field.
    #[inline]
    fn trim_line_end(&mut self, bytes: &[u8], record: Record) {
        let last = record.fields - 1;
        let start = self.field_start(record, last);
        let end = &mut self.field_ends[last];
        if *end > start && bytes[*end - 1] == b'\r' {
            *end -= 1;
        }
    }

    #[inline]
    fn field_start(&self, record: Record, field: usize) -> usize {
        if field == 0 { record.start } else { self.field_ends[field - 1] + 1 }
    }

    /// Add the record's spans to the columns; after a defect none of them stays.
    #[inline]
    fn read_fields(&mut self, bytes: &[u8], record: Record) -> Result<(), QuoteDefect> {
        let mut start = record.start;
        for (column, (&end, &kept)) in self.field_ends.iter().zip(&self.kept).enumerate() {
            let field = &bytes[start..end];
            let read = if kept {
                cell(field, start, bytes.len(), &mut self.unescaped)
                    .map(|span| self.cells.spans[column].push(span))
            } else if field.first() == Some(&b'"') {
                check_quotes(field)
            } else {
                Ok(())
            };
            if let Err(defect) = read {
                self.cells.spans[..column].iter_mut().for_each(|spans| spans.truncate(self.cells.rows));
                return Err(defect);
            }
            start = end + 1;
        }
        Ok(())
    }

    #[cold]
    fn explain(&self, bytes: &[u8], record: Record) -> RowProblem {
        let whole = trim_end(&bytes[record.start..record.end]);
        let known = record.fields.min(self.header.columns.len());
        for field in 0..known {
            let start = self.field_start(record, field);
            let text = &bytes[start..self.field_ends[field]];
            let text = if field + 1 == record.fields { trim_end(text) } else { text };
            let name = &self.header.columns[field].delivered;
            if let Err(error) = std::str::from_utf8(text) {
                let at = error.valid_up_to();
                let message = format!(
                    "is not UTF-8 text: byte 0x{:02X} at position {}; save the file as UTF-8",
                    text[at],
                    at + 1
                );
                return RowProblem::new(record.line, name, text, message);
            }
            if text.first() != Some(&b'"') {
                continue;
            }
            match check_quotes(text) {
                Ok(()) => {}
                Err(QuoteDefect::TextAfterClosing) => {
                    let message = format!("{}{}", QuoteDefect::TEXT_AFTER_CLOSING, lines_hint(whole, record));
                    return RowProblem::new(record.line, name, text, message);
                }
                Err(QuoteDefect::NeverClosed) => {
                    let line = record.line + newlines(&bytes[record.start..start]);
                    let message = format!("opens with a quote on line {line} that is never closed");
                    return RowProblem::new(record.line, name, text, message);
                }
            }
        }
        RowProblem::new(record.line, "", whole, self.explain_count(whole, record))
    }

    fn explain_count(&self, whole: &[u8], record: Record) -> String {
        let lines = lines_hint(whole, record);
        let hint = if lines.is_empty() && record.fields > self.header.columns.len() {
            "; text with a comma in it belongs in quotes".to_owned()
        } else {
            lines
        };
        let fields =
            if record.fields == 1 { "1 field".to_owned() } else { format!("{} fields", record.fields) };
        format!("has {fields} where the header has {}{hint}", self.header.columns.len())
    }
}

/// A record of several lines is often two, joined by a quote too many.
fn lines_hint(whole: &[u8], record: Record) -> String {
    match newlines(whole) {
        0 => String::new(),
        more => {
            format!(
                "; it runs over lines {} to {}, so a quote may be missing",
                record.line,
                record.line + more
            )
        }
    }
}

/// The span of one kept field.
#[inline]
fn cell(field: &[u8], start: usize, bytes: usize, unescaped: &mut Vec<u8>) -> Result<Span, QuoteDefect> {
    let Some(first) = field.first() else { return Ok(Span::default()) };
    if *first != b'"' {
        return Ok(if is_null(field) { Span::default() } else { Span::new(start, start + field.len()) });
    }
    Ok(match unquote(field, unescaped)? {
        Text::Within(from, to) if is_null(&field[from..to]) => Span::default(),
        Text::Within(from, to) => Span::new(start + from, start + to),
        // What had to be unescaped holds a quote, so it cannot be null.
        Text::Unescaped(from, to) => Span::new(bytes + from, bytes + to),
    })
}

fn trim_end(record: &[u8]) -> &[u8] {
    let record = record.strip_suffix(b"\n").unwrap_or(record);
    record.strip_suffix(b"\r").unwrap_or(record)
}

fn newlines(bytes: &[u8]) -> u64 {
    memchr::memchr_iter(b'\n', bytes).count() as u64
}
