//! Why a delivery cannot be converted: everything that is wrong, each with its place.

use std::fmt;
use std::io;

/// One thing that is wrong with a file.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Problem {
    pub file: String,
    /// From 1; of a JSON file, the number of the job. `None` where the whole file is meant.
    pub line: Option<u64>,
    /// As the file calls it; empty where the whole line is meant.
    pub field: String,
    /// As delivered, shortened.
    pub value: String,
    /// Follows the value, and says the way on.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.file)?;
        if let Some(line) = self.line {
            write!(f, "{line}:")?;
        }
        if !self.field.is_empty() {
            write!(f, " {}:", self.field)?;
        }
        if !self.value.is_empty() {
            write!(f, " `{}`", self.value)?;
        }
        write!(f, " {}", self.message)
    }
}

/// The first thousand, and how many more there are.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Problems {
    pub listed: Vec<Problem>,
    pub more: u64,
}

impl Problems {
    const LISTED: usize = 1000;

    pub(crate) fn push(&mut self, problem: Problem) {
        if self.listed.len() < Problems::LISTED {
            self.listed.push(problem);
        } else {
            self.more += 1;
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.listed.is_empty()
    }

    #[must_use]
    pub fn count(&self) -> u64 {
        self.more + u64::try_from(self.listed.len()).unwrap_or(u64::MAX)
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, problem) in self.listed.iter().enumerate() {
            if 0 < at {
                writeln!(f)?;
            }
            write!(f, "{problem}")?;
        }
        if 0 < self.more {
            write!(f, "\nand {} more", self.more)?;
        }
        Ok(())
    }
}

#[derive(Debug, thiserror::Error)]
pub enum ConvertError {
    /// The files are wrong; nothing was handed out.
    #[error("{0}")]
    Problems(Problems),
    #[error("the delivery cannot be opened")]
    Open(#[source] io::Error),
    #[error("a row cannot be written")]
    Sink(#[source] io::Error),
    #[error("there is no row {row}; the delivery makes {rows} rows in {period}")]
    NoRow { row: u64, rows: u64, period: billing::Period },
    #[error(
        "{what} comes to {quantity} {unit}, larger than any charge can be; one of its runs must be wrong"
    )]
    TooLarge { what: String, quantity: String, unit: String },
}

const SHOWN_CHARACTERS: usize = 100;

/// A delivered value as text, with `…` where something was left out.
pub(crate) fn shorten(value: &[u8]) -> String {
    let head = value.get(..4 * SHOWN_CHARACTERS).unwrap_or(value);
    let text = String::from_utf8_lossy(head);
    let mut shown: String = text.chars().take(SHOWN_CHARACTERS).collect();
    if shown.len() < text.len() || head.len() < value.len() {
        shown.push('…');
    }
    shown
}
