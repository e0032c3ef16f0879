use crate::{Header, RowProblem};

/// A run of whole records of one file, as they stand in the (decompressed) bytes.
pub struct Block {
    /// Line number of the first record, from 1.
    pub first_line: u64,
    /// Where the block begins in the (decompressed) file.
    pub byte_offset: u64,
    pub bytes: Vec<u8>,
}

/// A block taken apart. Text is found by span, so that nothing is copied that need not be.
#[derive(Default)]
pub struct Cells {
    /// The block's bytes, followed by what had to be unescaped.
    pub text: Vec<u8>,
    /// Column by column, in the order of the file's header; every column has `rows` spans.
    pub spans: Vec<Vec<Span>>,
    pub rows: usize,
    /// Per row: line, byte offset in the file, byte length with the line end.
    pub lines: Vec<i64>,
    pub byte_offsets: Vec<i64>,
    pub byte_lens: Vec<i32>,
}

#[derive(Clone, Copy, Default)]
pub struct Span {
    pub start: u32,
    pub len: u32,
}

impl Cells {
    /// The cell's bytes, valid UTF-8; empty when the cell is null (empty, blank, `NULL`, `null`, `(null)`, `\N`).
    #[must_use]
    pub fn get(&self, column: usize, row: usize) -> &[u8] {
        let span = self.spans[column][row];
        &self.text[span.start as usize..][..span.len as usize]
    }
}

impl Block {
    /// Take the block apart. Rows that cannot be read (wrong number of fields, invalid UTF-8, …) are
    /// problems and are not among the cells.
    #[must_use]
    pub fn cells(self, header: &Header) -> (Cells, Vec<RowProblem>) {
        let _ = header;
        unimplemented!("being written")
    }
}
