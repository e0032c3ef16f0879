//! One row group as bytes: a column chunk per column, each a data page and perhaps a dictionary.

use bytes::Bytes;
use parquet::basic::{Compression, Encoding};
use parquet::column::page::{CompressedPage, Page, PageWriter};
use parquet::column::writer::ColumnCloseResult;
use parquet::errors::{ParquetError, Result};
use parquet::file::metadata::ColumnChunkMetaData;
use parquet::file::statistics::Statistics;
use parquet::file::writer::{SerializedPageWriter, TrackedWrite};
use parquet::schema::types::ColumnDescPtr;

/// Which values of a column are there. A required column has no bytes.
#[derive(Default)]
pub(crate) struct Levels {
    pub bytes: Vec<u8>,
    pub nulls: usize,
}

/// A column of one row group, encoded and not yet compressed.
pub(crate) struct Chunk {
    pub column: ColumnDescPtr,
    pub levels: Levels,
    pub encoding: Encoding,
    pub values: Vec<u8>,
    /// `PLAIN` values, and how many.
    pub dictionary: Option<(Vec<u8>, usize)>,
    pub statistics: Option<Statistics>,
    /// Whether compression is worth trying; what does not shrink is stored as it is.
    pub compress: bool,
}

/// The chunks of one row group, end to end.
pub(crate) struct RowGroup {
    sink: TrackedWrite<Vec<u8>>,
    rows: usize,
    closed: Vec<ColumnCloseResult>,
}

impl RowGroup {
    pub(crate) fn new(rows: usize) -> RowGroup {
        RowGroup { sink: TrackedWrite::new(Vec::with_capacity(rows * 80)), rows, closed: Vec::new() }
    }

    pub(crate) fn into_parts(self) -> Result<(Bytes, Vec<ColumnCloseResult>)> {
        Ok((Bytes::from(self.sink.into_inner()?), self.closed))
    }

    pub(crate) fn append(&mut self, chunk: Chunk) -> Result<()> {
        let start = self.sink.bytes_written();
        let mut encodings = vec![Encoding::RLE, chunk.encoding];
        let mut writer = SerializedPageWriter::new(&mut self.sink);
        // A dictionary page has no flag that it is not compressed: the codec of the chunk decides for
        // it, while a data page says for itself.
        let codec = if chunk.compress { Compression::LZ4_RAW } else { Compression::UNCOMPRESSED };
        let mut uncompressed = 0;
        let has_dictionary = chunk.dictionary.is_some();
        if let Some((values, len)) = chunk.dictionary {
            encodings.push(Encoding::PLAIN);
            let size = values.len();
            let buf = if chunk.compress { lz4(&values) } else { values };
            let page = Page::DictionaryPage {
                buf: buf.into(),
                num_values: small(len)?,
                encoding: Encoding::PLAIN,
                is_sorted: false,
            };
            uncompressed += writer.write_page(CompressedPage::new(page, size))?.uncompressed_size;
        }
        let page = data_page(chunk.levels, chunk.encoding, &chunk.values, chunk.compress, self.rows)?;
        let spec = writer.write_page(page)?;
        uncompressed += spec.uncompressed_size;
        let written = self.sink.bytes_written() - start;
        let mut metadata = ColumnChunkMetaData::builder(chunk.column)
            .set_compression(codec)
            .set_encodings(encodings)
            .set_total_compressed_size(wide(written)?)
            .set_total_uncompressed_size(wide(uncompressed)?)
            .set_num_values(wide(self.rows)?)
            .set_data_page_offset(i64::try_from(spec.offset).map_err(too_large)?)
            .set_dictionary_page_offset(if has_dictionary { Some(wide(start)?) } else { None });
        if let Some(statistics) = chunk.statistics {
            metadata = metadata.set_statistics(statistics);
        }
        self.closed.push(ColumnCloseResult {
            bytes_written: written as u64,
            rows_written: self.rows as u64,
            metadata: metadata.build()?,
            bloom_filter: None,
            column_index: None,
            offset_index: None,
        });
        Ok(())
    }
}

fn data_page(
    levels: Levels,
    encoding: Encoding,
    values: &[u8],
    compress: bool,
    rows: usize,
) -> Result<CompressedPage> {
    let size = levels.bytes.len() + values.len();
    let def_levels_byte_len = small(levels.bytes.len())?;
    let mut buf = levels.bytes;
    let packed = if compress && values.len() >= WORTH_COMPRESSING { Some(lz4(values)) } else { None };
    let packed = packed.filter(|packed| packed.len() < values.len());
    buf.extend_from_slice(packed.as_deref().unwrap_or(values));
    let page = Page::DataPageV2 {
        buf: buf.into(),
        num_values: small(rows)?,
        encoding,
        num_nulls: small(levels.nulls)?,
        num_rows: small(rows)?,
        def_levels_byte_len,
        rep_levels_byte_len: 0,
        is_compressed: packed.is_some(),
        statistics: None,
    };
    Ok(CompressedPage::new(page, size))
}

/// Bytes; below, a page header costs more than compression saves.
const WORTH_COMPRESSING: usize = 256;

fn lz4(bytes: &[u8]) -> Vec<u8> {
    lz4_flex::block::compress(bytes)
}

fn small(size: usize) -> Result<u32> {
    u32::try_from(size).map_err(too_large)
}

fn wide(size: usize) -> Result<i64> {
    i64::try_from(size).map_err(too_large)
}

fn too_large(_: std::num::TryFromIntError) -> ParquetError {
    ParquetError::General(
        "a block of charges is larger than 2 GB; read the file in smaller blocks".to_owned(),
    )
}
