//! The names things have: small types, so that an import is never mistaken for a row.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The number of a delivery: one `ingest` of one source, of one or many files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ImportId(pub i64);

/// `12:345`, the 345th charge of import 12 (numbered through its files, from 1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChargeId {
    pub import: ImportId,
    pub row: i64,
}

/// The position in the ledger: the number of the audit row an act was committed with. Books are read
/// *as of* such a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct LedgerNumber(pub i64);

/// What identifies a charge to its provider (no costs, quantities, tags or names): the same charge in
/// the next delivery has the same fingerprint. Twins (equal fingerprints in one delivery) are told
/// apart by an ordinal, ordered by cost and row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint(pub u64);

/// A hash of a charge's costs, attribution and flags: when it changes, earlier decisions do not apply.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ContentDigest(pub u64);

/// Who supplies charges and is credited. Two spellings that differ only in case are the same source.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SourceName(pub String);

impl SourceName {
    /// What two spellings of one source have in common.
    #[must_use]
    pub fn key(&self) -> String {
        self.0.trim().to_lowercase()
    }
}

impl PartialEq for SourceName {
    fn eq(&self, other: &SourceName) -> bool {
        self.key() == other.key()
    }
}

impl Eq for SourceName {}

impl fmt::Display for SourceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// `2025-01-00042`: the forty-second statement of January 2025. Versions share the number.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct StatementNumber(pub String);

impl fmt::Display for StatementNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a charge id such as 12:345")]
pub struct NotAChargeId(String);

impl FromStr for ChargeId {
    type Err = NotAChargeId;

    fn from_str(text: &str) -> Result<ChargeId, NotAChargeId> {
        let parse = || {
            let (import, row) = text.split_once(':')?;
            let id = ChargeId { import: ImportId(import.parse().ok()?), row: row.parse().ok()? };
            (id.import.0 > 0 && id.row > 0).then_some(id)
        };
        parse().ok_or_else(|| NotAChargeId(text.to_owned()))
    }
}

impl fmt::Display for ChargeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.import.0, self.row)
    }
}

impl Serialize for ChargeId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl fmt::Display for ImportId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for LedgerNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
