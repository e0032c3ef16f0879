//! Journal entries that balance, because no other kind can be built.
//!
//! [`to_post`] says what is still to be posted of a period's statements; [`Journal::from_statements`] makes
//! the journal of it; [`Journal::grouped`] sums its lines for the formats; [`JournalState`] is what
//! accounting made of it. Read `posting.rs` first.

mod description;
mod document;
mod grouping;
mod life;
mod posting;
mod postings;

pub use description::{BadDescription, Descriptions};
pub use document::{BadDocumentFormat, DocumentFormat, JournalLimits, Shortened, TooLong};
pub use grouping::Grouping;
pub use life::{JournalAct, JournalRefusal, JournalState, RefusedAnswer};
pub(crate) use posting::account_code_regex;
pub use posting::{CannotPost, StatementLines, settings_to_paste};
pub use postings::{Posting, to_post};

use money::Minor;
use serde::{Deserialize, Serialize};

use crate::Period;

/// One debit or credit. `amount` is above zero.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JournalLine {
    pub side: Side,
    /// Who the line is for: a payer may be credited (a refund), and a source debited.
    pub party: Party,
    pub amount: Minor,
    pub fund_org: String,
    /// Named groups of `journal.fund_org_regex`: `fund`, `orgn` and any other.
    pub segments: Vec<(String, String)>,
    pub account: String,
    pub description: String,
    /// Resolves by `why`, at most 25 characters: the statement's number, or the document's id where the
    /// line is of more than one statement.
    pub reference_id: String,
    pub source_name: String,
    /// Of a payer's line that is of one PI (one project).
    pub pi_email: Option<String>,
    pub project_id: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Side {
    Debit,
    Credit,
}

/// The two ends of a recharge.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Party {
    /// The `fund_org` of a statement (later also of a subsidy).
    Payer,
    /// The `fund_org` of the source that supplied the charges.
    Source,
}

/// A journal: the entries of one period, each balanced, under one document id.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Journal {
    pub document: String,
    pub period: Period,
    pub entries: Vec<JournalEntry>,
}

/// Balanced lines of one source (of all, in a summary). The only way in is a constructor that refuses
/// anything else, reading from JSON included.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "UncheckedEntry")]
pub struct JournalEntry {
    source_name: String,
    lines: Vec<JournalLine>,
}

#[derive(Deserialize)]
struct UncheckedEntry {
    source_name: String,
    lines: Vec<JournalLine>,
}

/// Lines that are no entry. Amounts are in minor units.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unbalanced {
    #[error(
        "entry of source `{source_name}`: debits of {debits} and credits of {credits} minor units differ"
    )]
    Differ { source_name: String, debits: Minor, credits: Minor },
    #[error(
        "entry of source `{source_name}`: a line on `{fund_org}` is {amount} minor units, not above zero"
    )]
    NotAboveZero { source_name: String, fund_org: String, amount: Minor },
}

/// What accounting checks a file by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ControlTotals {
    pub lines: usize,
    pub debits: Minor,
    pub credits: Minor,
    /// The sum over all lines of the account's last twelve digits, read as a number: a line that is lost,
    /// doubled or put on another account changes it.
    pub hash_total: u64,
}

/// The journal and the statements it was made from do not say the same. Amounts are in minor units.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "document `{document}`: payers are debited {journal} minor units, their statements come to {statements}"
)]
pub struct PayersDiffer {
    pub document: String,
    pub journal: Minor,
    pub statements: Minor,
}

impl JournalLine {
    /// The amount with its sign: debits above zero, credits below.
    #[must_use]
    pub fn debit_less_credit(&self) -> Minor {
        match self.side {
            Side::Debit => self.amount,
            Side::Credit => -self.amount,
        }
    }
}

impl JournalEntry {
    /// # Errors
    /// [`Unbalanced`] when debits and credits differ or a line is not above zero.
    pub fn balanced(source_name: String, lines: Vec<JournalLine>) -> Result<JournalEntry, Unbalanced> {
        if let Some(line) = lines.iter().find(|line| line.amount <= Minor::ZERO) {
            let (fund_org, amount) = (line.fund_org.clone(), line.amount);
            return Err(Unbalanced::NotAboveZero { source_name, fund_org, amount });
        }
        let ControlTotals { debits, credits, .. } = ControlTotals::of(&lines);
        if debits != credits {
            return Err(Unbalanced::Differ { source_name, debits, credits });
        }
        Ok(JournalEntry { source_name, lines })
    }

    #[must_use]
    pub fn source_name(&self) -> &str {
        &self.source_name
    }

    #[must_use]
    pub fn lines(&self) -> &[JournalLine] {
        &self.lines
    }
}

impl TryFrom<UncheckedEntry> for JournalEntry {
    type Error = Unbalanced;

    fn try_from(entry: UncheckedEntry) -> Result<JournalEntry, Unbalanced> {
        JournalEntry::balanced(entry.source_name, entry.lines)
    }
}

impl ControlTotals {
    /// Debits less credits: zero, for every document.
    #[must_use]
    pub fn balance(&self) -> Minor {
        self.debits - self.credits
    }

    /// Debits and credits together, as Banner totals a document.
    #[must_use]
    pub fn document_total(&self) -> Minor {
        self.debits + self.credits
    }
}

impl Journal {
    /// All lines, entry by entry.
    pub fn lines(&self) -> impl Iterator<Item = &JournalLine> {
        self.entries.iter().flat_map(|entry| &entry.lines)
    }

    #[must_use]
    pub fn control_totals(&self) -> ControlTotals {
        ControlTotals::of(self.lines())
    }

    /// The equation of a period: over the lines of those who pay, debits less credits are the amounts
    /// due and the subsidies of the statements.
    ///
    /// # Errors
    /// [`PayersDiffer`] with both sides.
    pub fn check_payers(&self, statements: &[StatementLines<'_>]) -> Result<(), PayersDiffer> {
        let payers = self.lines().filter(|line| line.party == Party::Payer);
        let journal: Minor = payers.map(JournalLine::debit_less_credit).sum();
        let lines = statements.iter().flat_map(|statement| statement.lines);
        let statements: Minor = lines.map(|line| line.due + line.subsidy).sum();
        if journal == statements {
            Ok(())
        } else {
            Err(PayersDiffer { document: self.document.clone(), journal, statements })
        }
    }
}

#[cfg(test)]
#[path = "journal/tests.rs"]
mod tests;
