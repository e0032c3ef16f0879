//! FOCUS as a format (FinOps Open Cost and Usage Specification, 1.0-preview to 1.4): bytes in, cells and
//! problems out. Reading is split so that it can run on every core: [`Source`] hands out [`Block`]s of
//! whole records in order, and [`Block::cells`] takes one apart wherever there is a free core.

mod cells;
mod header;

pub use cells::{Block, Cells, Span};
pub use header::{Column, FocusColumn, Header};

/// Why a row cannot be a charge: where, and in which words. `line` counts from 1; the header is line 1.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct RowProblem {
    pub line: u64,
    /// The column's name as delivered; empty when the whole row is meant.
    pub column: String,
    /// The value as delivered, shortened to 200 characters.
    pub value: String,
    /// Follows the value: "`12,50` has a thousands separator …".
    pub message: String,
}
