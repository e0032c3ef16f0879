//! The rows of a block that are being read, and the problems found among them.

use std::borrow::Cow;

use focus::{Cells, RowProblem, Span};

use crate::intake::file::FileContext;
use crate::intake::taken::BadRow;

/// The rows of a block: all of them, or those that are left after some were taken out.
pub(super) struct Block<'a> {
    cells: &'a Cells,
    /// Which rows of the cells; `None` is all.
    kept: Option<Vec<u32>>,
    pub rows: usize,
}

/// One column of a [`Block`].
pub(super) struct Column<'a> {
    text: &'a [u8],
    spans: Cow<'a, [Span]>,
}

impl<'a> Block<'a> {
    pub fn whole(cells: &'a Cells) -> Block<'a> {
        Block { cells, kept: None, rows: cells.rows }
    }

    pub fn cells(&self) -> &'a Cells {
        self.cells
    }

    /// The rows for which `out` does not hold, and those for which it does.
    pub fn part(&self, out: &[bool]) -> (Block<'a>, Block<'a>) {
        let pick = |wanted: bool| {
            let rows = out.iter().enumerate().filter(|&(_, &out)| out == wanted);
            let kept: Vec<u32> = rows.map(|(row, _)| self.original(row)).collect();
            Block { cells: self.cells, rows: kept.len(), kept: Some(kept) }
        };
        (pick(false), pick(true))
    }

    pub fn column(&self, column: usize) -> Column<'a> {
        let spans = &self.cells.spans[column];
        let spans = match &self.kept {
            None => Cow::Borrowed(spans.as_slice()),
            Some(kept) => kept.iter().map(|&row| spans[row as usize]).collect(),
        };
        Column { text: &self.cells.text, spans }
    }

    pub fn lines(&self) -> Vec<i64> {
        self.pick(&self.cells.lines)
    }

    pub fn byte_offsets(&self) -> Vec<i64> {
        self.pick(&self.cells.byte_offsets)
    }

    pub fn byte_lens(&self) -> Vec<i32> {
        self.pick(&self.cells.byte_lens)
    }

    fn pick<T: Copy>(&self, values: &[T]) -> Vec<T> {
        match &self.kept {
            None => values.to_vec(),
            Some(kept) => kept.iter().map(|&row| values[row as usize]).collect(),
        }
    }

    /// The row's number in the cells. A block is smaller than 4 GB, hence so are its row numbers.
    fn original(&self, row: usize) -> u32 {
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

    pub fn size_bytes(&self) -> usize {
        self.spans.iter().map(|span| span.len as usize).sum()
    }
}

#[inline]
fn at(text: &[u8], span: Span) -> &[u8] {
    &text[span.start as usize..][..span.len as usize]
}

/// The rows that cannot be charges, with every reason.
pub(super) struct Faults<'a> {
    file: &'a FileContext,
    cells: &'a Cells,
    /// Empty while there is none.
    bad: Vec<bool>,
    problems: Vec<RowProblem>,
}

impl<'a> Faults<'a> {
    pub fn new(file: &'a FileContext, cells: &'a Cells) -> Faults<'a> {
        Faults { file, cells, bad: Vec::new(), problems: Vec::new() }
    }

    /// `message` follows the value in `column`; no column is the whole row.
    pub fn add(&mut self, row: usize, column: Option<usize>, message: String) {
        if self.bad.is_empty() {
            self.bad = vec![false; self.cells.rows];
        }
        self.bad[row] = true;
        let (name, value) = match column {
            Some(column) => (self.file.delivered[column].as_str(), self.cells.get(column, row)),
            None => ("", &[][..]),
        };
        let line = u64::try_from(self.cells.lines[row]).unwrap_or_default();
        self.problems.push(RowProblem::new(line, name, value, message));
    }

    pub fn is_bad(&self, row: usize) -> bool {
        self.bad.get(row).copied().unwrap_or_default()
    }

    /// Which rows are bad; `None` when there is none.
    pub fn bad(&self) -> Option<&[bool]> {
        (!self.bad.is_empty()).then_some(self.bad.as_slice())
    }

    pub fn bad_rows(&self) -> Vec<BadRow> {
        let bad = self.bad.iter().enumerate().filter(|&(_, &bad)| bad);
        bad.map(|(row, _)| BadRow {
            line: self.cells.lines[row],
            byte_offset: self.cells.byte_offsets[row],
            byte_len: self.cells.byte_lens[row],
        })
        .collect()
    }

    pub fn into_problems(mut self) -> Vec<RowProblem> {
        self.problems.sort_by_key(|problem| problem.line);
        self.problems
    }
}
