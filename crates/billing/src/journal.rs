//! Journal entries that balance, because no other kind can be built.

use money::Minor;
use serde::{Deserialize, Serialize};

use crate::Period;

/// One debit or credit. `amount` is above zero.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JournalLine {
    pub side: Side,
    pub amount: Minor,
    pub fund_org: String,
    /// Named groups of `journal.fund_org_regex`: `fund`, `orgn` and any other.
    pub segments: Vec<(String, String)>,
    pub account: String,
    pub description: String,
    /// Resolves by `why`: at most 25 characters.
    pub reference_id: String,
    pub source_name: String,
    pub pi_email: Option<String>,
    pub project_id: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Side {
    Debit,
    Credit,
}

/// A journal: the entries of one period, each balanced, under one document id.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Journal {
    pub document: String,
    pub period: Period,
    pub entries: Vec<JournalEntry>,
}

/// Balanced lines of one source. The only way in is a constructor that refuses anything else.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JournalEntry {
    source_name: String,
    lines: Vec<JournalLine>,
}

impl JournalEntry {
    #[must_use]
    pub fn source_name(&self) -> &str {
        &self.source_name
    }

    #[must_use]
    pub fn lines(&self) -> &[JournalLine] {
        &self.lines
    }
}
