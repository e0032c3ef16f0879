//! What systems without a FOCUS export say about their usage, as FOCUS rows of usage without prices: the rate
//! book prices them (`docs/decisions/0017-connectors-deliver-usage.md`).
//!
//! Start reading at [`Connector`]. A connector is built from the options of a source ([`configured`]), takes a
//! whole delivery of raw files and hands out [`UsageRow`]s and a [`Reconciliation`]: what was read, and what
//! became of it. It is a function of its input: no clock, no network, no files of its own.
#![forbid(unsafe_code)]

mod error;
mod options;
mod raw;
mod reconciliation;
mod slurm;
mod usage;

use std::fmt;
use std::io;
use std::str::FromStr;

use billing::Period;
use serde_json::{Map, Value};

pub use error::{ConvertError, Problem, Problems};
pub use options::BadOption;
pub use raw::{RawFile, RawRecord, RecordsBehind};
pub use reconciliation::{Counted, Outcome, ReconciledLine, Reconciliation};
pub use usage::{FocusCsv, UsageRow};

/// The systems whose files are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    Slurm,
}

impl Kind {
    pub const ALL: [Kind; 1] = [Kind::Slurm];

    /// As a source's `kind:` names it; its options stand under the same name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Kind::Slurm => "slurm",
        }
    }

    /// What the system is and what is read of it, in one line.
    #[must_use]
    pub const fn describe(self) -> &'static str {
        match self {
            Kind::Slurm => "Slurm: `sacct -P` text, `sacct --json`, slurmrestd's answer for jobs",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no kind of connector; there is `slurm`")]
pub struct NoSuchKind(String);

impl FromStr for Kind {
    type Err = NoSuchKind;

    fn from_str(text: &str) -> Result<Kind, NoSuchKind> {
        let named = |kind: &Kind| kind.name().eq_ignore_ascii_case(text.trim());
        Kind::ALL.into_iter().find(named).ok_or_else(|| NoSuchKind(text.to_owned()))
    }
}

/// Opens the files of a delivery from their first byte, as often as it is asked.
pub type Open<'a> = dyn Fn() -> io::Result<Vec<RawFile<'a>>> + 'a;

pub trait Connector: Send + Sync {
    fn kind(&self) -> Kind;

    /// The `x_` columns that its rows have beyond those of every connector ([`UsageRow::COLUMNS`]).
    fn lineage_columns(&self) -> &'static [&'static str];

    /// The usage of one period in a whole delivery: all files together, so that what stands in two of them
    /// counts once. The rows come in an order that is the same whatever the order of files and lines.
    ///
    /// # Errors
    /// [`ConvertError`]: everything that is wrong with the files, or what `sink` said. Rows are handed out
    /// after all files were read, so none is before files are known to be right.
    fn convert(
        &self,
        files: Vec<RawFile<'_>>,
        period: Period,
        sink: &mut dyn FnMut(&UsageRow<'_>) -> io::Result<()>,
    ) -> Result<Reconciliation, ConvertError>;

    /// The raw records that row number `row` (from 1) was made of.
    ///
    /// # Errors
    /// As [`convert`](Connector::convert), and when there is no such row.
    fn records_behind(
        &self,
        open: &Open<'_>,
        period: Period,
        row: u64,
    ) -> Result<RecordsBehind, ConvertError>;
}

/// The connector of a source, with the options that stand under its kind's name.
///
/// # Errors
/// All options that are wrong, each with its path, its value and what is possible.
pub fn configured(kind: Kind, options: &Map<String, Value>) -> Result<Box<dyn Connector>, Vec<BadOption>> {
    match kind {
        Kind::Slurm => Ok(Box::new(slurm::Slurm::configured(options)?)),
    }
}
