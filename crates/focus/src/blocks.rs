//! A CSV stream cut into blocks of whole records, in constant memory.

use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::scan::{Cutter, first_record_end};
use crate::source::Format;
use crate::{Block, HeaderError};

/// Why reading stopped in the middle. Everything before was read; nothing after it can be.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    #[error("the file cannot be read")]
    Io(#[source] io::Error),
    #[error(
        "the file ends in the middle of the compressed data after {bytes} bytes ({format}); fetch it again"
    )]
    Truncated { format: Format, bytes: u64 },
    #[error("the compressed data is damaged ({format}, within the first {bytes} bytes): {reason}")]
    Damaged { format: Format, bytes: u64, reason: String },
    #[error(
        "line {line}: the record that begins here is larger than {} MB; a quote is probably never closed",
        limit / 1_000_000
    )]
    RecordTooLong { line: u64, limit: usize },
    #[error(
        "the file holds more than {} MB when it is unpacked ({format}), which is the most that is taken",
        limit / 1_000_000
    )]
    Unpacked { format: Format, limit: u64 },
    #[error("the Parquet file is damaged at row {row}: {reason}")]
    Parquet { row: u64, reason: String },
}

/// How much is read and held at a time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Bytes of a block, about; a longer record makes a longer block.
    pub block: usize,
    /// Bytes of a record, at most.
    pub record: usize,
    /// Bytes of a compressed file when it is unpacked, at most: a small file can hold more than a disk.
    pub unpacked: u64,
}

impl Limits {
    /// `None`: as much as there is.
    pub fn unpacked(limit: Option<u64>) -> Limits {
        Limits { unpacked: limit.unwrap_or(u64::MAX), ..Limits::default() }
    }
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { block: 4 << 20, record: 16_000_000, unpacked: u64::MAX }
    }
}

/// How much of the header's neighbourhood is read to look at it.
const FIRST_READ: usize = 64 << 10;

/// What stands before the first record.
pub(crate) struct Preamble {
    pub bytes: Vec<u8>,
    /// The header record among them, without byte order mark.
    pub header: Vec<u8>,
}

pub(crate) struct CsvBlocks {
    input: Input,
    limits: Limits,
    /// Read, but not handed out yet; begins at a record.
    pending: Vec<u8>,
    /// Of the first pending byte.
    byte_offset: u64,
    line: u64,
}

impl CsvBlocks {
    pub fn new(input: Input, limits: Limits) -> CsvBlocks {
        CsvBlocks { input, limits, pending: Vec::new(), byte_offset: 0, line: 1 }
    }

    /// What the file begins with, up to `len` bytes; it stays pending.
    pub fn peek(&mut self, len: usize) -> Result<&[u8], ReadError> {
        self.input.fill(&mut self.pending, len)?;
        Ok(&self.pending)
    }

    /// Take the header record off the front, with the blank lines before it.
    /// `None` if there is nothing but blank lines.
    pub fn take_header(&mut self) -> Result<Option<Preamble>, ReadError> {
        let mut preamble = Vec::new();
        loop {
            let record = self.take_record()?;
            preamble.extend_from_slice(&record);
            let text = record.strip_prefix(BYTE_ORDER_MARK).unwrap_or(&record);
            if record.is_empty() {
                return Ok(None);
            }
            if !crate::fields::is_blank(text) {
                return Ok(Some(Preamble { header: text.to_vec(), bytes: preamble }));
            }
        }
    }

    /// The next single record with its line end; empty at the end of the file.
    fn take_record(&mut self) -> Result<Vec<u8>, ReadError> {
        let mut want = FIRST_READ;
        let end = loop {
            self.input.fill(&mut self.pending, want.min(self.limits.record + 1))?;
            self.check_length()?;
            match first_record_end(&self.pending) {
                Some(end) => break end,
                None if self.input.is_ended => break self.pending.len(),
                None => want *= 4,
            }
        };
        let rest = self.pending.split_off(end);
        Ok(self.hand_out(rest))
    }

    /// The next block, `None` at the end of the file.
    pub fn next_block(&mut self) -> Result<Option<Block>, ReadError> {
        let mut cutter = Cutter::default();
        let mut want = self.limits.block.max(self.pending.len() + 1);
        let end = loop {
            // Reading never goes further than one byte beyond what a record may have, so memory is bounded.
            self.input.fill(&mut self.pending, want.min(self.limits.record + 1))?;
            let cut = cutter.last_record_end(&self.pending);
            self.check_length()?;
            match cut {
                _ if self.input.is_ended => break self.pending.len(),
                Some(end) => break end,
                None => want = self.pending.len().saturating_mul(2),
            }
        };
        if end == 0 {
            return Ok(None);
        }
        // Room for what `Block::cells` will append, so that the block is never moved.
        let mut rest = Vec::with_capacity(2 * self.limits.block + FIRST_READ);
        rest.extend_from_slice(&self.pending[end..]);
        self.pending.truncate(end);
        let (first_line, byte_offset) = (self.line, self.byte_offset);
        Ok(Some(Block::csv(first_line, byte_offset, self.hand_out(rest))))
    }

    /// Everything pending, which becomes `rest`.
    fn hand_out(&mut self, rest: Vec<u8>) -> Vec<u8> {
        let taken = std::mem::replace(&mut self.pending, rest);
        self.byte_offset += taken.len() as u64;
        self.line += memchr::memchr_iter(b'\n', &taken).count() as u64;
        taken
    }

    /// The first pending record is not longer than a record may be, and the file no larger than a file.
    fn check_length(&self) -> Result<(), ReadError> {
        let (format, unpacked) = (self.input.format, self.limits.unpacked);
        if format != Format::Csv && unpacked < self.byte_offset + self.pending.len() as u64 {
            return Err(ReadError::Unpacked { format, limit: unpacked });
        }
        let limit = self.limits.record;
        match self.pending.get(..limit) {
            Some(allowed) if self.pending.len() > limit && first_record_end(allowed).is_none() => {
                Err(ReadError::RecordTooLong { line: self.line, limit })
            }
            _ => Ok(()),
        }
    }
}

pub(crate) const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

/// The names in a header record.
pub(crate) fn header_names(record: &[u8]) -> Result<Vec<String>, HeaderError> {
    let line = record.strip_suffix(b"\n").unwrap_or(record);
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let text = std::str::from_utf8(line).map_err(|error| HeaderError::NotText {
        byte: line[error.valid_up_to()],
        position: error.valid_up_to() + 1,
    })?;
    if let Some(nul) = line.iter().position(|byte| *byte == 0) {
        return Err(HeaderError::NotText { byte: 0, position: nul + 1 });
    }
    if !text.contains(',') {
        for (delimiter, name) in [(';', "semicolons"), ('\t', "tabs"), ('|', "vertical bars")] {
            if text.contains(delimiter) {
                return Err(HeaderError::Delimiter(name));
            }
        }
    }
    if text.contains('\r') && !text.contains('"') {
        return Err(HeaderError::CarriageReturns);
    }
    let mut ends = Vec::new();
    let mut scanner = crate::scan::Scanner::default();
    scanner.walk(line, |base, marks| {
        let mut fields = marks.fields;
        while fields != 0 {
            ends.push(base + crate::scan::bit(fields.trailing_zeros()));
            fields &= fields - 1;
        }
    });
    ends.push(line.len());
    let mut start = 0;
    let mut names = Vec::with_capacity(ends.len());
    for (column, end) in ends.into_iter().enumerate() {
        names.push(header_name(&text[start..end], column)?);
        start = end + 1;
    }
    Ok(names)
}

fn header_name(field: &str, column: usize) -> Result<String, HeaderError> {
    use crate::fields::{QuoteDefect, Text, unquote};
    if !field.starts_with('"') {
        return Ok(field.to_owned());
    }
    let mut unescaped = Vec::new();
    match unquote(field.as_bytes(), &mut unescaped) {
        Ok(Text::Within(from, to)) => Ok(field[from..to].to_owned()),
        Ok(Text::Unescaped(..)) => Ok(String::from_utf8_lossy(&unescaped).into_owned()),
        Err(QuoteDefect::NeverClosed) => {
            Err(HeaderError::Quotes { column, reason: "a quote is opened and never closed".to_owned() })
        }
        Err(QuoteDefect::TextAfterClosing) => {
            let reason = format!("`{field}` {}", QuoteDefect::TEXT_AFTER_CLOSING);
            Err(HeaderError::Quotes { column, reason })
        }
    }
}

/// Decompressed bytes, and how many compressed ones they took.
pub(crate) struct Input {
    reader: Box<dyn Read + Send>,
    format: Format,
    taken: Arc<AtomicU64>,
    is_ended: bool,
}

impl Input {
    /// A stream in `format`, which is not Parquet.
    pub fn new(raw: impl Read + Send + 'static, format: Format) -> io::Result<Input> {
        let taken = Arc::new(AtomicU64::new(0));
        let counted = Counted { inner: raw, taken: Arc::clone(&taken) };
        let buffered = |inner| io::BufReader::with_capacity(256 << 10, inner);
        let reader: Box<dyn Read + Send> = match format {
            Format::Gzip => Box::new(flate2::bufread::MultiGzDecoder::new(buffered(counted))),
            Format::Zstd => Box::new(zstd::stream::read::Decoder::with_buffer(buffered(counted))?),
            Format::Csv | Format::Parquet => Box::new(counted),
        };
        Ok(Input { reader, format, taken, is_ended: false })
    }

    /// Read until `buffer` has `want` bytes or the input ends.
    fn fill(&mut self, buffer: &mut Vec<u8>, want: usize) -> Result<(), ReadError> {
        let missing = want.saturating_sub(buffer.len());
        if missing == 0 || self.is_ended {
            return Ok(());
        }
        buffer.reserve(missing);
        let read = self.reader.by_ref().take(missing as u64).read_to_end(buffer).map_err(|e| self.name(e))?;
        self.is_ended = read < missing;
        Ok(())
    }

    fn name(&self, error: io::Error) -> ReadError {
        let (format, bytes) = (self.format, self.taken.load(Ordering::Relaxed));
        match (format, error.kind()) {
            (Format::Csv | Format::Parquet, _) => ReadError::Io(error),
            (_, io::ErrorKind::UnexpectedEof) => ReadError::Truncated { format, bytes },
            // What the decoders find wrong has no code of the operating system.
            _ if error.raw_os_error().is_none() => {
                ReadError::Damaged { format, bytes, reason: error.to_string() }
            }
            _ => ReadError::Io(error),
        }
    }
}

struct Counted<R> {
    inner: R,
    taken: Arc<AtomicU64>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.taken.fetch_add(read as u64, Ordering::Relaxed);
        Ok(read)
    }
}
