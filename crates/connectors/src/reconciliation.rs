//! What was read, and what became of it: the one equals the other, to the second.

use std::fmt;
use std::ops::AddAssign;

use serde::{Serialize, Serializer};

/// How much, in the measures that every record has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counted {
    /// A record is counted where most of what becomes of it belongs: billed before waived before outside.
    pub records: u64,
    pub elapsed_seconds: u128,
    pub core_seconds: u128,
}

impl AddAssign for Counted {
    fn add_assign(&mut self, other: Counted) {
        self.records += other.records;
        self.elapsed_seconds += other.elapsed_seconds;
        self.core_seconds += other.core_seconds;
    }
}

/// What became of records.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Outcome {
    Billed,
    /// A row with a unit that no rate fits: somebody must decide. Why.
    Held(String),
    /// It has nothing that is charged. Which runs.
    Uncharged(String),
    /// A row that bills nothing. Why.
    Waived(String),
    /// Used in another month than the one that was asked for.
    Outside(String),
    /// Still running, where runs are charged in the month of their end.
    NotEnded,
    /// Counted in the record from before the job was resized.
    Resized,
    /// The same run is counted already.
    Repeated,
    /// Ran for less than a second.
    NoTime,
    NeverStarted,
    Pending,
    /// Ran on another cluster of the federation, and is that cluster's.
    Revoked,
    /// Counted with their job.
    Step,
}

impl Outcome {
    /// Whether it becomes rows.
    #[must_use]
    pub fn is_charged(&self) -> bool {
        matches!(self, Outcome::Billed | Outcome::Held(_) | Outcome::Waived(_))
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self {
            Outcome::Billed => "billed".to_owned(),
            Outcome::Held(why) => format!("held: {why}"),
            Outcome::Uncharged(which) => format!("not charged: {which}"),
            Outcome::Waived(why) => format!("waived: {why}"),
            Outcome::Outside(period) => format!("outside {period}"),
            Outcome::NotEnded => "not ended yet".to_owned(),
            Outcome::Resized => "counted before the job was resized".to_owned(),
            Outcome::Repeated => "repeated".to_owned(),
            Outcome::NoTime => "ran for less than a second".to_owned(),
            Outcome::NeverStarted => "never started".to_owned(),
            Outcome::Pending => "pending".to_owned(),
            Outcome::Revoked => "revoked: another cluster of the federation ran it".to_owned(),
            Outcome::Step => "job steps, counted with their job".to_owned(),
        };
        f.pad(&text)
    }
}

impl Serialize for Outcome {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ReconciledLine {
    pub what: Outcome,
    #[serde(flatten)]
    pub counted: Counted,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Reconciliation {
    pub period: String,
    pub read: Counted,
    /// By what became of it, what is charged first.
    pub lines: Vec<ReconciledLine>,
    pub rows: u64,
    /// What is unusual about the files, as short sentences.
    pub notes: Vec<String>,
}

impl Reconciliation {
    /// Read less all lines, which is nothing.
    #[must_use]
    pub fn difference(&self) -> (i128, i128, i128) {
        let sum = |of: fn(&Counted) -> u128| {
            let lines = self.lines.iter().map(|line| signed(of(&line.counted))).sum::<i128>();
            signed(of(&self.read)) - lines
        };
        (
            sum(|counted| u128::from(counted.records)),
            sum(|counted| counted.elapsed_seconds),
            sum(|counted| counted.core_seconds),
        )
    }

    #[must_use]
    pub fn is_even(&self) -> bool {
        self.difference() == (0, 0, 0)
    }
}

fn signed(number: u128) -> i128 {
    i128::try_from(number).unwrap_or(i128::MAX)
}
