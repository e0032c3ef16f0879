//! The rows that are being read, a run of a block at a time, and the problems found among them.

use std::borrow::Cow;

use focus::{Cells, RowProblem, Span};

use crate::intake::file::FileContext;
use crate::intake::taken::BadRow;

/// So much text is worked through column by column before the next rows, so that it stays in the nearest
/// caches: over a whole block every column would fetch every row from memory again.
const CHUNK_BYTES: usize = 256 << 10;

/// A run of rows of a block, or those of them that are left after some were taken out.
pub(super) struct Chunk<'a> {
    cells: &'a Cells,
    /// Where the run begins.
    first: usize,
    /// Which rows of the run; `None` is all.
    kept: Option<Vec<u32>>,
    pub rows: usize,
}

/// One column of a [`Chunk`].
pub(super) struct Column<'a> {
    text: &'a [u8],
    spans: Cow<'a, [Span]>,
}

impl<'a> Chunk<'a> {
    /// All rows of the cells, in runs.
    pub fn all(cells: &'a Cells) -> impl Iterator<Item = Chunk<'a>> {
        let chunks = (cells.text.len() / CHUNK_BYTES).max(1);
        let rows = cells.rows.div_ceil(chunks).max(1);
        (0..cells.rows).step_by(rows).map(move |first| Chunk {
            cells,
            first,
            kept: None,
            rows: rows.min(cells.rows - first),
        })
    }

    /// The rows for which `out` does not hold, and those for which it does.
    pub fn part(&self, out: &[bool]) -> (Chunk<'a>, Chunk<'a>) {
        let pick = |wanted: bool| {
            let rows = out.iter().enumerate().filter(|&(_, &out)| out == wanted);
            let kept: Vec<u32> = rows.map(|(row, _)| self.place(row)).collect();
            Chunk { cells: self.cells, first: self.first, rows: kept.len(), kept: Some(kept) }
        };
        (pick(false), pick(true))
    }

    pub fn column(&self, column: usize) -> Column<'a> {
        let run = &self.cells.spans[column][self.first..];
        let spans = match &self.kept {
            None => Cow::Borrowed(&run[..self.rows]),
            Some(kept) => kept.iter().map(|&row| run[row as usize]).collect(),
        };
        Column { text: &self.cells.text, spans }
    }

    /// Line, byte offset and byte length of a row.
    pub fn place_of(&self, row: usize) -> BadRow {
        let at = self.first + self.place(row) as usize;
        BadRow {
            line: self.cells.lines[at],
            byte_offset: self.cells.byte_offsets[at],
            byte_len: self.cells.byte_lens[at],
        }
    }

    /// Add lines, byte offsets and byte lengths of all rows.
    pub fn add_places(&self, lines: &mut Vec<i64>, byte_offsets: &mut Vec<i64>, byte_lens: &mut Vec<i32>) {
        self.add(&self.cells.lines, lines);
        self.add(&self.cells.byte_offsets, byte_offsets);
        self.add(&self.cells.byte_lens, byte_lens);
    }

    fn add<T: Copy>(&self, from: &[T], to: &mut Vec<T>) {
        let run = &from[self.first..];
        match &self.kept {
            None => to.extend_from_slice(&run[..self.rows]),
            Some(kept) => to.extend(kept.iter().map(|&row| run[row as usize])),
        }
    }

    /// The row's number in the run. A block is smaller than 4 GB, hence so are its row numbers.
    fn place(&self, row: usize) -> u32 {
        self.kept.as_ref().map_or_else(|| u32::try_from(row).unwrap_or(u32::MAX), |kept| kept[row])
    }
}

impl<'a> Column<'a> {
    /// Empty when null.
    #[inline]
    pub fn get(&self, row: usize) -> &'a [u8] {
        at(self.text, self.spans[row])
    }

    pub fn iter(&self) -> impl Iterator<Item = &'a [u8]> {
        self.spans.iter().map(|&span| at(self.text, span))
    }
}

#[inline]
fn at(text: &[u8], span: Span) -> &[u8] {
    &text[span.start as usize..][..span.len as usize]
}

/// Whether two cells are the same text. Most are short, and a call of `memcmp` takes longer than this.
#[inline]
pub(super) fn same(one: &[u8], other: &[u8]) -> bool {
    let len = one.len();
    if len != other.len() {
        return false;
    }
    match len {
        0 => true,
        1..=3 => one[0] == other[0] && one[len / 2] == other[len / 2] && one[len - 1] == other[len - 1],
        4..=7 => {
            word::<4>(one, 0) == word::<4>(other, 0) && word::<4>(one, len - 4) == word::<4>(other, len - 4)
        }
        8..=16 => {
            word::<8>(one, 0) == word::<8>(other, 0) && word::<8>(one, len - 8) == word::<8>(other, len - 8)
        }
        _ => one == other,
    }
}

#[inline]
fn word<const LEN: usize>(text: &[u8], at: usize) -> Option<&[u8; LEN]> {
    text[at..].first_chunk()
}

/// The rows of a chunk that cannot be charges, with every reason.
pub(super) struct Faults<'a> {
    file: &'a FileContext,
    chunk: &'a Chunk<'a>,
    /// Empty while there is none.
    bad: Vec<bool>,
    problems: Vec<RowProblem>,
}

impl<'a> Faults<'a> {
    pub fn new(file: &'a FileContext, chunk: &'a Chunk<'a>) -> Faults<'a> {
        Faults { file, chunk, bad: Vec::new(), problems: Vec::new() }
    }

    /// `message` follows the value in `column`; no column is the whole row.
    pub fn add(&mut self, row: usize, column: Option<usize>, message: String) {
        self.bad.resize(self.chunk.rows, false);
        self.bad[row] = true;
        let chunk = self.chunk;
        let (name, value) = match column {
            Some(at) => (
                self.file.delivered[at].as_str(),
                chunk.cells.get(at, chunk.first + chunk.place(row) as usize),
            ),
            None => ("", &[][..]),
        };
        let line = u64::try_from(chunk.place_of(row).line).unwrap_or_default();
        self.problems.push(RowProblem::new(line, name, value, message));
    }

    pub fn is_bad(&self, row: usize) -> bool {
        self.bad.get(row).copied().unwrap_or_default()
    }

    /// Which rows are bad; empty when none is.
    pub fn bad(&self) -> &[bool] {
        &self.bad
    }

    pub fn bad_rows(&self) -> impl Iterator<Item = BadRow> {
        let bad = self.bad.iter().enumerate().filter(|&(_, &bad)| bad);
        bad.map(|(row, _)| self.chunk.place_of(row))
    }

    pub fn into_problems(mut self) -> Vec<RowProblem> {
        self.problems.sort_by_key(|problem| problem.line);
        self.problems
    }
}

#[cfg(test)]
mod tests {
    use super::same;

    #[test]
    fn same_is_equality_at_every_length() {
        let text: Vec<u8> = (1..=40).collect();
        for len in 0..=text.len() {
            let one = &text[..len];
            let copy = one.to_vec();
            assert!(same(one, &copy), "{len}");
            assert_eq!(same(one, &text[..len.saturating_sub(1)]), len == 0, "{len}");
            for at in 0..len {
                let mut other = one.to_vec();
                other[at] = 0;
                assert!(!same(one, &other), "{len} bytes that differ at {at}");
            }
        }
    }
}
