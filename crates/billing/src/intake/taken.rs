//! What came of a block of rows, and what several blocks come to together.

use std::collections::BTreeMap;

use focus::RowProblem;
use money::Amount;

use crate::charge::ChargeColumns;
use crate::intake::notes::NoteCounts;
use crate::{Flag, Period};

/// A part as a delivery knows it: billing period × billing account (the import is not numbered yet).
pub type PartKey = (Period, Option<String>);

/// What came of one block: every row of it is a charge, a [`BadRow`] with at least one problem, or one
/// of the rows left out because the caller said so.
#[derive(Debug, Default)]
pub struct Taken {
    /// The charges. `row` counts from 1 in this block until [`Taken::number_from`] is called.
    pub columns: ChargeColumns,
    /// By line, and within a line in the order in which columns are looked at.
    pub problems: Vec<RowProblem>,
    /// The rows that `problems` are about, for quarantine.
    pub bad_rows: Vec<BadRow>,
    pub notes: NoteCounts,
    pub parts: BTreeMap<PartKey, PartSums>,
    /// Charges by flag; a charge with two flags counts under both.
    pub flags: BTreeMap<Flag, FlagSums>,
    /// Rows of the periods in [`IntakeOptions::leave_out`](crate::intake::IntakeOptions::leave_out).
    pub left_out: BTreeMap<PartKey, PartSums>,
}

/// Where a row stands that cannot be a charge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadRow {
    pub line: i64,
    pub byte_offset: i64,
    pub byte_len: i32,
}

impl Taken {
    /// Number the charges `first_row`, `first_row + 1`, …; returns the number for the next block.
    pub fn number_from(&mut self, first_row: i64) -> i64 {
        self.columns.row.clear();
        let next = first_row + i64::try_from(self.columns.rows).unwrap_or(i64::MAX);
        self.columns.row.extend(first_row..next);
        next
    }
}

/// Counts and exact sums of the charges of one part, as delivered, except that a missing list cost
/// counts as the billed cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct PartSums {
    pub rows: u64,
    pub list_cost: Amount,
    pub contracted_cost: Amount,
    pub billed_cost: Amount,
    pub effective_cost: Amount,
    /// Σ|billed cost|: what a later delivery is measured against.
    pub billed_magnitude: Amount,
    pub flagged_rows: u64,
    pub flagged_billed: Amount,
}

/// Charges that carry a flag.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct FlagSums {
    pub rows: u64,
    pub billed_cost: Amount,
}

/// A sum beyond what 128 bits hold (1.7 × 10²⁰ with eighteen places).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the sum of the delivery's costs is too large to be exact; deliver it in smaller parts")]
pub struct SumTooLarge;

impl PartSums {
    /// # Errors
    /// [`SumTooLarge`] when a sum does not fit; nothing is wrapped.
    pub fn merge(&mut self, other: &PartSums) -> Result<(), SumTooLarge> {
        self.rows += other.rows;
        self.flagged_rows += other.flagged_rows;
        for (sum, more) in [
            (&mut self.list_cost, other.list_cost),
            (&mut self.contracted_cost, other.contracted_cost),
            (&mut self.billed_cost, other.billed_cost),
            (&mut self.effective_cost, other.effective_cost),
            (&mut self.billed_magnitude, other.billed_magnitude),
            (&mut self.flagged_billed, other.flagged_billed),
        ] {
            *sum = sum.checked_add(more).ok_or(SumTooLarge)?;
        }
        Ok(())
    }
}

impl FlagSums {
    /// # Errors
    /// [`SumTooLarge`] when the sum does not fit.
    pub fn merge(&mut self, other: &FlagSums) -> Result<(), SumTooLarge> {
        self.rows += other.rows;
        self.billed_cost = self.billed_cost.checked_add(other.billed_cost).ok_or(SumTooLarge)?;
        Ok(())
    }
}

/// The sums of all blocks of a delivery, merged in any order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sums {
    pub parts: BTreeMap<PartKey, PartSums>,
    pub flags: BTreeMap<Flag, FlagSums>,
    pub left_out: BTreeMap<PartKey, PartSums>,
    pub notes: NoteCounts,
}

impl Sums {
    /// # Errors
    /// [`SumTooLarge`] when a sum does not fit; the delivery must be refused then.
    pub fn add(&mut self, taken: &Taken) -> Result<(), SumTooLarge> {
        for (key, sums) in &taken.parts {
            self.parts.entry(key.clone()).or_default().merge(sums)?;
        }
        for (key, sums) in &taken.left_out {
            self.left_out.entry(key.clone()).or_default().merge(sums)?;
        }
        for (&flag, sums) in &taken.flags {
            self.flags.entry(flag).or_default().merge(sums)?;
        }
        self.notes.merge(&taken.notes);
        Ok(())
    }
}
