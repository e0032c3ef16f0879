//! The raw files of a delivery: unpacked, and cut into lines.

use std::io::{self, BufRead, BufReader, Read};

/// One file of a delivery, to be read from its first byte. It may be packed with gzip or Zstandard; what it is
/// is told by its content.
pub struct RawFile<'a> {
    pub name: &'a str,
    pub bytes: Box<dyn Read + Send + 'a>,
    /// So much a packed file may hold: a megabyte can hold more than a disk.
    pub unpacked_max_bytes: u64,
}

impl<'a> RawFile<'a> {
    /// More than a month of any cluster.
    pub const UNPACKED_MAX_BYTES: u64 = 64 << 30;

    pub fn new(name: &'a str, bytes: impl Read + Send + 'a) -> RawFile<'a> {
        RawFile { name, bytes: Box::new(bytes), unpacked_max_bytes: RawFile::UNPACKED_MAX_BYTES }
    }
}

/// A record of a raw file as it was delivered.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct RawRecord {
    pub file: String,
    /// From 1; of a JSON file, the number of the job.
    pub line: u64,
    pub text: String,
}

/// What a row was made of.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct RecordsBehind {
    /// The first thousand, by file and line.
    pub records: Vec<RawRecord>,
    /// All of them.
    pub count: u64,
}

impl RecordsBehind {
    pub(crate) const LISTED: usize = 1000;
}

const LINE_MAX: usize = 16 << 20;
const BLOCK: usize = 1 << 20;

/// The content of a file, unpacked, without its byte order mark.
pub(crate) struct Content<'a> {
    bytes: BufReader<Bounded<'a>>,
}

impl<'a> Content<'a> {
    pub(crate) fn open(file: RawFile<'a>) -> io::Result<Content<'a>> {
        let max = file.unpacked_max_bytes;
        let mut bytes = BufReader::with_capacity(1 << 16, file.bytes);
        let unpacked: Box<dyn Read + Send + 'a> = match bytes.fill_buf()? {
            [0x1f, 0x8b, ..] => Box::new(flate2::bufread::MultiGzDecoder::new(bytes)),
            // A frame of Zstandard, or a skippable frame before one.
            [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => {
                Box::new(zstd::Decoder::with_buffer(bytes)?)
            }
            [b'P', b'K', 3 | 5 | 7, ..] => return Err(io::Error::other("it is a ZIP archive; unpack it")),
            [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => {
                return Err(io::Error::other("it is UTF-16 text; save it as UTF-8"));
            }
            [b'P', b'A', b'R', b'1', ..] => {
                return Err(io::Error::other("it is Parquet; a FOCUS file is imported as it is"));
            }
            _ => Box::new(bytes),
        };
        let mut bytes = BufReader::with_capacity(BLOCK, Bounded { bytes: unpacked, left: max, max });
        if bytes.fill_buf()?.starts_with(b"\xef\xbb\xbf") {
            bytes.consume(3);
        }
        Ok(Content { bytes })
    }

    /// The first byte that is not white space, if it is among the first megabyte.
    pub(crate) fn first_byte(&mut self) -> io::Result<Option<u8>> {
        Ok(self.bytes.fill_buf()?.iter().copied().find(|byte| !byte.is_ascii_whitespace()))
    }

    pub(crate) fn into_reader(self) -> impl Read {
        self.bytes
    }

    /// Each line with its number, from 1, without its end.
    pub(crate) fn each_line(mut self, mut each: impl FnMut(u64, &[u8])) -> io::Result<()> {
        let (mut number, mut begun) = (0, Vec::new());
        loop {
            let block = self.bytes.fill_buf()?;
            if block.is_empty() {
                break;
            }
            let mut rest = block;
            while let Some(end) = memchr::memchr(b'\n', rest) {
                number += 1;
                if begun.is_empty() {
                    each(number, without_return(&rest[..end]));
                } else {
                    begun.extend_from_slice(&rest[..end]);
                    each(number, without_return(&begun));
                    begun.clear();
                }
                rest = &rest[end + 1..];
            }
            if LINE_MAX < begun.len() + rest.len() {
                let message =
                    format!("line {} is longer than {} MB; it is no such text", number + 1, LINE_MAX >> 20);
                return Err(io::Error::other(message));
            }
            begun.extend_from_slice(rest);
            let read = block.len();
            self.bytes.consume(read);
        }
        if !begun.is_empty() {
            each(number + 1, without_return(&begun));
        }
        Ok(())
    }
}

fn without_return(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\r").unwrap_or(line)
}

struct Bounded<'a> {
    bytes: Box<dyn Read + Send + 'a>,
    left: u64,
    max: u64,
}

impl Read for Bounded<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = self.bytes.read(into)?;
        self.left = self.left.checked_sub(u64::try_from(read).unwrap_or(u64::MAX)).ok_or_else(|| {
            let megabytes = money::grouped(self.max >> 20);
            io::Error::other(format!("it holds more than {megabytes} MB when it is unpacked"))
        })?;
        Ok(read)
    }
}
