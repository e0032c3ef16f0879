//! FOCUS as a format (`FinOps` Open Cost and Usage Specification, 1.0-preview to 1.4): bytes in, cells and
//! problems out. Reading is split so that it can run on every core: [`Source`] hands out [`Block`]s of
//! whole records in order, and [`Block::cells`] takes one apart wherever there is a free core.
//!
//! Start reading in `source.rs` (what a file is), then `scan.rs` (where records and fields end, the only
//! place that knows quotes while scanning) and `cells.rs` (a block taken apart). `header.rs` and
//! `column.rs` know the columns; `time.rs` and `tags.rs` read single cells. What a charge must hold is not
//! decided here but in `billing`.

mod blocks;
mod cells;
mod column;
mod fields;
mod header;
mod json;
mod pages;
mod parquet;
#[cfg(test)]
mod parquet_tests;
#[cfg(test)]
mod reading_tests;
mod scan;
mod source;
mod tags;
mod time;
mod values;

pub use blocks::ReadError;
pub use cells::{Block, Cells, Span};
pub use column::{
    FocusColumn, Kind, canonical, canonical_category, canonical_charge_class, canonical_charge_frequency,
    canonical_commitment_discount_status, canonical_pricing_category,
};
pub use header::{Column, FocusVersion, Header, HeaderError, snake_case};
pub use source::{Format, OpenError, Source};
pub use tags::{TagDefect, Tags, parse_tags, visit_tags};
pub use time::{SlashDate, Time, TimeCache, TimeError, parse_time};

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

impl RowProblem {
    /// A problem with the value shortened and made text, whatever its bytes are.
    #[must_use]
    pub fn new(line: u64, column: &str, value: &[u8], message: impl Into<String>) -> RowProblem {
        RowProblem { line, column: column.to_owned(), value: shorten(value), message: message.into() }
    }
}

const SHOWN_CHARACTERS: usize = 200;

/// The first 200 characters, with `…` where something was left out.
fn shorten(value: &[u8]) -> String {
    // A character has at most four bytes, so this many are enough and a 16 MB record costs nothing.
    let head = value.get(..4 * SHOWN_CHARACTERS + 4).unwrap_or(value);
    let text = String::from_utf8_lossy(head);
    let mut shown: String = text.chars().take(SHOWN_CHARACTERS).collect();
    if shown.len() < text.len() || head.len() < value.len() {
        shown.push('…');
    }
    shown
}
