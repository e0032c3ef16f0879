//! A delivered file: its format, its header, and its rows in blocks.

use std::fmt;
use std::fs::File;
use std::io::{self, Cursor, Read, Seek, SeekFrom};
use std::path::Path;

use ::parquet::file::reader::ChunkReader;

use crate::blocks::{BYTE_ORDER_MARK, CsvBlocks, Input, Limits, header_names};
use crate::parquet::ParquetBlocks;
use crate::{Block, Header, HeaderError, ReadError};

/// One file being read, from the front to the end.
pub struct Source {
    format: Format,
    header: Header,
    preamble: Vec<u8>,
    notes: Vec<String>,
    rows: Rows,
}

enum Rows {
    Csv(CsvBlocks),
    Parquet(ParquetBlocks),
}

/// What the bytes are, whatever the file is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    Csv,
    /// CSV in gzip, of one or many members.
    Gzip,
    /// CSV in Zstandard, of one or many frames.
    Zstd,
    Parquet,
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Format::Csv => "CSV",
            Format::Gzip => "gzip",
            Format::Zstd => "zstd",
            Format::Parquet => "Parquet",
        })
    }
}

/// Why a file cannot be opened. The messages are whole sentences about "the file"; whoever asked names it.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("the file cannot be opened")]
    Io(#[source] io::Error),
    #[error("the file is empty: not even a header line is in it")]
    Empty,
    #[error("the file is {what}, which is not read; {way_on}")]
    Foreign { what: &'static str, way_on: &'static str },
    #[error("the file begins like Parquet, but its end is missing (it has {bytes} bytes); fetch it again")]
    TruncatedParquet { bytes: u64 },
    #[error("the Parquet file cannot be read: {reason}")]
    Parquet { reason: String },
    #[error(transparent)]
    Header(#[from] HeaderError),
    #[error(transparent)]
    Read(#[from] ReadError),
}

/// Enough of a file to tell its format.
const MAGIC_BYTES: usize = 16;
pub(crate) const PARQUET_MAGIC: &[u8] = b"PAR1";

impl Source {
    /// Open a file and read its header. The format is told by its content, never by its name.
    ///
    /// # Errors
    /// See [`OpenError`]. A header alone is a file without rows, not an error.
    pub fn open(path: &Path) -> Result<Source, OpenError> {
        Source::open_bounded(path, None)
    }

    /// The same for a file from somewhere else: compressed, it may not hold more than `unpacked_max` bytes.
    ///
    /// # Errors
    /// As [`open`](Source::open); what goes beyond is [`ReadError::Unpacked`], perhaps after some blocks.
    pub fn open_bounded(path: &Path, unpacked_max: Option<u64>) -> Result<Source, OpenError> {
        let limits = Limits::unpacked(unpacked_max);
        let mut file = File::open(path).map_err(OpenError::Io)?;
        if file.metadata().map_err(OpenError::Io)?.is_dir() {
            return Err(OpenError::Foreign { what: "a folder", way_on: "name the files in it" });
        }
        let magic = read_magic(&mut file)?;
        let mut source = if magic.starts_with(PARQUET_MAGIC) {
            Source::from_parquet_limited(file, limits)?
        } else if file.seek(SeekFrom::Start(0)).is_ok() {
            Source::from_stream(file, &magic, limits)?
        } else {
            Source::from_stream(Cursor::new(magic.clone()).chain(file), &magic, limits)?
        };
        source.notes.splice(0..0, extension_note(path, source.format));
        Ok(source)
    }

    /// Read from any stream, for example kept evidence. A Parquet file is first read into memory whole,
    /// because its directory is at its end; use [`Source::from_parquet`] where it can be sought in.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub fn from_reader(reader: impl Read + Send + 'static) -> Result<Source, OpenError> {
        Source::from_reader_limited(reader, Limits::default())
    }

    /// The same, and compressed it may not hold more than `unpacked_max` bytes.
    ///
    /// # Errors
    /// As [`open_bounded`](Source::open_bounded).
    pub fn from_reader_bounded(
        reader: impl Read + Send + 'static,
        unpacked_max: Option<u64>,
    ) -> Result<Source, OpenError> {
        Source::from_reader_limited(reader, Limits::unpacked(unpacked_max))
    }

    pub(crate) fn from_reader_limited(
        mut reader: impl Read + Send + 'static,
        limits: Limits,
    ) -> Result<Source, OpenError> {
        let magic = read_magic(&mut reader)?;
        let mut whole = Cursor::new(magic.clone()).chain(reader);
        if magic.starts_with(PARQUET_MAGIC) {
            let mut bytes = Vec::new();
            whole.read_to_end(&mut bytes).map_err(OpenError::Io)?;
            return Source::from_parquet_limited(bytes::Bytes::from(bytes), limits);
        }
        Source::from_stream(whole, &magic, limits)
    }

    /// Read a Parquet file that can be sought in (`File`, `Bytes`).
    ///
    /// # Errors
    /// See [`OpenError`].
    pub fn from_parquet(file: impl ChunkReader + 'static) -> Result<Source, OpenError> {
        Source::from_parquet_limited(file, Limits::default())
    }

    fn from_parquet_limited(file: impl ChunkReader + 'static, limits: Limits) -> Result<Source, OpenError> {
        let (header, notes, rows) = ParquetBlocks::open(file, limits.unpacked)?;
        Ok(Source { format: Format::Parquet, header, preamble: Vec::new(), notes, rows: Rows::Parquet(rows) })
    }

    fn from_stream(
        reader: impl Read + Send + 'static,
        magic: &[u8],
        limits: Limits,
    ) -> Result<Source, OpenError> {
        let format = stream_format(magic)?;
        let mut blocks = CsvBlocks::new(Input::new(reader, format).map_err(OpenError::Io)?, limits);
        refuse_wrapped(format, blocks.peek(MAGIC_BYTES)?)?;
        let preamble = blocks.take_header()?.ok_or(OpenError::Empty)?;
        let header = Header::new(header_names(&preamble.header)?.iter().map(String::as_str))?;
        let mut notes = Vec::new();
        if preamble.bytes.starts_with(BYTE_ORDER_MARK) {
            notes.push("the file begins with a byte order mark, which is left out".to_owned());
        }
        notes.extend(header.notes());
        Ok(Source { format, header, preamble: preamble.bytes, notes, rows: Rows::Csv(blocks) })
    }

    #[must_use]
    pub fn format(&self) -> Format {
        self.format
    }

    #[must_use]
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// The bytes before the first record: byte order mark, blank lines, header line. With the bytes of all
    /// blocks they are the whole decompressed file. Empty for Parquet.
    #[must_use]
    pub fn preamble(&self) -> &[u8] {
        &self.preamble
    }

    /// What is unusual about the file, as short sentences.
    #[must_use]
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// The next whole records, in order; `None` at the end.
    ///
    /// # Errors
    /// When the file cannot be read any further. What was handed out before is then part of a broken file.
    pub fn next_block(&mut self) -> Result<Option<Block>, ReadError> {
        match &mut self.rows {
            Rows::Csv(blocks) => blocks.next_block(),
            Rows::Parquet(blocks) => blocks.next_block(),
        }
    }
}

fn read_magic(reader: &mut impl Read) -> Result<Vec<u8>, OpenError> {
    let mut magic = Vec::with_capacity(MAGIC_BYTES);
    reader.take(MAGIC_BYTES as u64).read_to_end(&mut magic).map_err(OpenError::Io)?;
    Ok(magic)
}

fn stream_format(magic: &[u8]) -> Result<Format, OpenError> {
    match magic {
        [] => Err(OpenError::Empty),
        [0x1f, 0x8b, ..] => Ok(Format::Gzip),
        // A Zstandard frame, or a skippable frame before one (`pzstd` writes those).
        [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Ok(Format::Zstd),
        [b'P', b'K', 3 | 5 | 7, ..] => {
            Err(foreign("a ZIP archive or an Excel workbook", "unpack it, or save the sheet as CSV"))
        }
        [0xd0, 0xcf, 0x11, 0xe0, ..] => Err(foreign("an old Excel workbook", "save the sheet as CSV")),
        [b'B', b'Z', b'h', ..] => Err(foreign("compressed with bzip2", "unpack it, or use gzip or zstd")),
        [0xfd, b'7', b'z', b'X', b'Z', ..] => {
            Err(foreign("compressed with xz", "unpack it, or use gzip or zstd"))
        }
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => Err(foreign("UTF-16 text", "save it as UTF-8")),
        [b'%', b'P', b'D', b'F', ..] => Err(foreign("a PDF", "ask the source for its FOCUS export")),
        [b'A', b'R', b'R', b'O', b'W', b'1', ..] => Err(foreign("an Arrow file", "save it as Parquet")),
        _ => Ok(Format::Csv),
    }
}

fn foreign(what: &'static str, way_on: &'static str) -> OpenError {
    OpenError::Foreign { what, way_on }
}

/// What is inside a compressed file must be CSV.
fn refuse_wrapped(format: Format, decompressed: &[u8]) -> Result<(), OpenError> {
    if format == Format::Csv {
        return Ok(());
    }
    match stream_format(decompressed)? {
        Format::Csv if decompressed.starts_with(PARQUET_MAGIC) => {
            Err(foreign("Parquet inside another compression", "unpack it first"))
        }
        Format::Csv => Ok(()),
        _ => Err(foreign("compressed twice", "unpack it once")),
    }
}

/// Whether a name promised something else than the bytes are.
fn extension_note(path: &Path, format: Format) -> Option<String> {
    let extension = path.extension()?.to_str()?.to_ascii_lowercase();
    let promised = match extension.as_str() {
        "csv" | "txt" => Format::Csv,
        "gz" | "gzip" => Format::Gzip,
        "zst" | "zstd" => Format::Zstd,
        "parquet" | "pq" => Format::Parquet,
        _ => return None,
    };
    (promised != format)
        .then(|| format!("the file is named `.{extension}` but is {format}; it is read as {format}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reading_can_move_to_another_thread() {
        fn is_send<T: Send>() {}
        is_send::<Source>();
        is_send::<Block>();
    }
}
