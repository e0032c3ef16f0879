//! What the pages of a Parquet file say that they hold, read before anything is unpacked: a file from somewhere
//! else may promise little in its directory and be large in its pages.

use std::io::Read as _;

use ::parquet::arrow::ProjectionMask;
use ::parquet::basic::Compression;
use ::parquet::file::metadata::{ColumnChunkMetaData, ParquetMetaData};
use ::parquet::file::reader::ChunkReader;

use crate::ReadError;
use crate::source::Format;

/// Writers make pages of a megabyte; nothing near this is ever written.
const PAGE_MAX_BYTES: u64 = 256 << 20;
/// Of the longest head of a page, which may hold the least and the greatest value.
const HEAD_MAX_BYTES: u64 = 16 << 20;
const HEAD_READ_BYTES: u64 = 4 << 10;
/// Entries of lists in a row group: so many a row, which is more than any provider allows tags.
const ENTRIES_A_ROW: u64 = 64;
const ENTRIES_MAX: u64 = 64 << 20;
const ENTRIES_FREE: u64 = 4 << 20;

/// All pages of the columns that will be read hold no more than `unpacked_max` bytes, and none holds more than
/// it says.
pub(crate) fn check(
    file: &impl ChunkReader,
    metadata: &ParquetMetaData,
    mask: &ProjectionMask,
    unpacked_max: u64,
) -> Result<(), ReadError> {
    let too_large = || ReadError::Unpacked { format: Format::Parquet, limit: unpacked_max };
    let (mut unpacked, mut row) = (0_u64, 0_u64);
    for group in metadata.row_groups() {
        let rows = u64::try_from(group.num_rows()).unwrap_or(0);
        let entries_max = rows.saturating_mul(ENTRIES_A_ROW).min(ENTRIES_MAX) + ENTRIES_FREE;
        let chunks = group.columns().iter().enumerate().filter(|(leaf, _)| mask.leaf_included(*leaf));
        for (_, chunk) in chunks {
            let is_list = chunk.column_descr().max_rep_level() > 0;
            let mut entries = 0_u64;
            for_each_page(file, chunk, row + 1, |page| {
                unpacked = unpacked.saturating_add(page.unpacked);
                entries = entries.saturating_add(page.values);
                let is_too_large = unpacked_max < unpacked
                    || PAGE_MAX_BYTES < page.unpacked
                    || (is_list && entries_max < entries);
                if is_too_large { Err(too_large()) } else { Ok(()) }
            })?;
        }
        row = row.saturating_add(rows);
    }
    Ok(())
}

fn for_each_page(
    file: &impl ChunkReader,
    chunk: &ColumnChunkMetaData,
    row: u64,
    mut look: impl FnMut(&Page) -> Result<(), ReadError>,
) -> Result<(), ReadError> {
    let damaged = |reason: &str| ReadError::Parquet { row, reason: reason.to_owned() };
    let (start, length) = chunk.byte_range();
    let end = start.checked_add(length).filter(|end| *end <= file.len());
    let end = end.ok_or_else(|| damaged("a column is said to lie beyond the end of the file"))?;
    let mut at = start;
    while at < end {
        let (page, head) = head(file, at, end).ok_or_else(|| damaged("the head of a page cannot be read"))?;
        look(&page)?;
        let body = at + head;
        at = body
            .checked_add(page.packed)
            .filter(|next| *next <= end)
            .ok_or_else(|| damaged("a page is said to be longer than its column"))?;
        // The other ways of packing are unpacked into as much room as the head says, and no more.
        if matches!(chunk.compression(), Compression::GZIP(_)) {
            let bytes =
                usize::try_from(page.packed).ok().and_then(|length| file.get_bytes(body, length).ok());
            let bytes = bytes.ok_or_else(|| damaged("a page cannot be read"))?;
            let packed = usize::try_from(page.levels).ok().and_then(|levels| bytes.get(levels..));
            let mut rest =
                flate2::read::MultiGzDecoder::new(packed.unwrap_or_default()).take(page.unpacked + 1);
            // What cannot be unpacked is told when it is read.
            let found = std::io::copy(&mut rest, &mut std::io::sink()).unwrap_or(0);
            if page.unpacked < found {
                return Err(damaged("a page holds more than it says"));
            }
        }
    }
    Ok(())
}

/// The head of a page, and how long it is.
fn head(file: &impl ChunkReader, at: u64, end: u64) -> Option<(Page, u64)> {
    let mut length = HEAD_READ_BYTES;
    loop {
        let taken = length.min(end - at);
        let bytes = file.get_bytes(at, usize::try_from(taken).ok()?).ok()?;
        let mut thrift = Thrift { bytes: &bytes, at: 0 };
        if let Some(page) = thrift.page() {
            return Some((page, thrift.at as u64));
        }
        if taken < length || HEAD_MAX_BYTES < length {
            return None;
        }
        length *= 16;
    }
}

/// What the head of a page says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Page {
    packed: u64,
    unpacked: u64,
    /// Rows, or entries of their lists.
    values: u64,
    /// Bytes before what is packed (version 2).
    levels: u64,
}

/// The compact protocol of Thrift, as far as heads of pages need it.
struct Thrift<'a> {
    bytes: &'a [u8],
    at: usize,
}

/// Structs within structs; those of the format have three.
const DEPTH_MAX: usize = 12;

impl Thrift<'_> {
    fn page(&mut self) -> Option<Page> {
        let mut page = Page::default();
        let (mut packed, mut unpacked) = (None, None);
        let mut field = 0;
        while let Some(kind) = self.field(&mut field)? {
            match (field, kind) {
                (2, INT) => unpacked = Some(self.int()?),
                (3, INT) => packed = Some(self.int()?),
                (5 | 7, STRUCT) => self.counts(&mut page, false)?,
                (8, STRUCT) => self.counts(&mut page, true)?,
                _ => self.skip(kind, DEPTH_MAX)?,
            }
        }
        page.packed = u64::try_from(packed?).ok()?;
        page.unpacked = u64::try_from(unpacked?).ok()?;
        Some(page)
    }

    /// Of the head of data or of a dictionary; their first field is the number of values.
    fn counts(&mut self, page: &mut Page, is_version_2: bool) -> Option<()> {
        let mut field = 0;
        while let Some(kind) = self.field(&mut field)? {
            match (field, kind) {
                (1, INT) => page.values = u64::try_from(self.int()?).ok()?,
                (5 | 6, INT) if is_version_2 => {
                    page.levels = page.levels.checked_add(u64::try_from(self.int()?).ok()?)?;
                }
                _ => self.skip(kind, DEPTH_MAX)?,
            }
        }
        Some(())
    }

    /// The kind of the next field, and `None` where the struct ends; the outer `None` where the bytes do.
    #[expect(clippy::option_option, reason = "the end of a struct is no end of the bytes")]
    fn field(&mut self, field: &mut i64) -> Option<Option<u8>> {
        let byte = self.byte()?;
        if byte == 0 {
            return Some(None);
        }
        *field = match byte >> 4 {
            0 => self.int()?,
            delta => field.checked_add(i64::from(delta))?,
        };
        Some(Some(byte & 0x0f))
    }

    fn skip(&mut self, kind: u8, depth: usize) -> Option<()> {
        let depth = depth.checked_sub(1)?;
        match kind {
            TRUE | FALSE => {}
            BYTE => drop(self.byte()?),
            SHORT | INT | LONG => drop(self.int()?),
            DOUBLE => self.step(8)?,
            BINARY => {
                let length = self.unsigned()?;
                self.step(usize::try_from(length).ok()?)?;
            }
            LIST | SET => {
                let head = self.byte()?;
                let count = if head >> 4 == 15 { self.unsigned()? } else { u64::from(head >> 4) };
                for _ in 0..count {
                    // In a list also a truth takes a byte, so that no count can outlast the bytes.
                    match head & 0x0f {
                        TRUE | FALSE => drop(self.byte()?),
                        STRUCT if self.bytes.len() <= self.at => return None,
                        kind => self.skip(kind, depth)?,
                    }
                }
            }
            STRUCT => {
                let mut field = 0;
                while let Some(kind) = self.field(&mut field)? {
                    self.skip(kind, depth)?;
                }
            }
            // No head of a page has a map.
            _ => return None,
        }
        Some(())
    }

    fn byte(&mut self) -> Option<u8> {
        let byte = *self.bytes.get(self.at)?;
        self.at += 1;
        Some(byte)
    }

    fn step(&mut self, length: usize) -> Option<()> {
        self.at = self.at.checked_add(length).filter(|at| *at <= self.bytes.len())?;
        Some(())
    }

    fn unsigned(&mut self) -> Option<u64> {
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }

    fn int(&mut self) -> Option<i64> {
        let value = self.unsigned()?;
        Some((value >> 1).cast_signed() ^ -(value & 1).cast_signed())
    }
}

const TRUE: u8 = 1;
const FALSE: u8 = 2;
const BYTE: u8 = 3;
const SHORT: u8 = 4;
const INT: u8 = 5;
const LONG: u8 = 6;
const DOUBLE: u8 = 7;
const BINARY: u8 = 8;
const LIST: u8 = 9;
const SET: u8 = 10;
const STRUCT: u8 = 12;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_head_is_read_and_what_it_does_not_need_is_passed_over() {
        // 1: type 0, 2: 300, 3: 20, 4: crc, 5: { 1: 7, 2: …, 5: { 5: a least value } }
        let bytes = [
            0x15, 0x00, 0x15, 0xd8, 0x04, 0x15, 0x28, 0x15, 0x01, 0x1c, 0x15, 0x0e, 0x15, 0x00, 0x3c, 0x58,
            0x02, b'a', b'b', 0x00, 0x00, 0x00,
        ];
        let mut thrift = Thrift { bytes: &bytes, at: 0 };
        assert_eq!(thrift.page(), Some(Page { packed: 20, unpacked: 300, values: 7, levels: 0 }));
        assert_eq!(thrift.at, bytes.len());
        for short in 0..bytes.len() {
            assert_eq!(Thrift { bytes: &bytes[..short], at: 0 }.page(), None, "{short} bytes");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_are_too_strange(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            let mut thrift = Thrift { bytes: &bytes, at: 0 };
            let _ = thrift.page();
            prop_assert!(thrift.at <= bytes.len());
        }
    }
}
