//! The names things have: small types, so that an import is never mistaken for a row.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::Period;

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

/// `S-2025-01-0042`: the forty-second statement of January 2025, allocated by the ledger. The same PI ×
/// project × period keeps its number; versions share it. At most 25 characters, so that it fits the
/// reference field of an accounting system.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct StatementNumber(pub String);

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a statement number such as S-2025-01-0042")]
pub struct NotAStatementNumber(String);

impl StatementNumber {
    /// `sequence` counts the statements of a period from 1; beyond 9999 the number grows longer.
    #[must_use]
    pub fn new(period: Period, sequence: u32) -> StatementNumber {
        StatementNumber(format!("S-{period}-{sequence:04}"))
    }

    /// The period and the sequence in it; `None` for text that is not a number of ours.
    #[must_use]
    pub fn parts(&self) -> Option<(Period, u32)> {
        let (period, sequence) = self.0.strip_prefix("S-")?.rsplit_once('-')?;
        let digits = sequence.len() <= 9 && sequence.bytes().all(|b| b.is_ascii_digit());
        let sequence = sequence.parse().ok().filter(|&sequence| digits && sequence > 0)?;
        Some((period.parse().ok()?, sequence))
    }
}

/// As a person types it: `s-2025-01-42` is `S-2025-01-0042`.
impl FromStr for StatementNumber {
    type Err = NotAStatementNumber;

    fn from_str(text: &str) -> Result<StatementNumber, NotAStatementNumber> {
        StatementNumber(text.trim().to_ascii_uppercase())
            .parts()
            .map(|(period, sequence)| StatementNumber::new(period, sequence))
            .ok_or_else(|| NotAStatementNumber(text.to_owned()))
    }
}

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

impl<'de> Deserialize<'de> for ChargeId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<ChargeId, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// A fingerprint as text: JSON's numbers end before it does.
pub(crate) mod hex {
    use serde::{Deserialize, Deserializer, Serializer};

    use super::Fingerprint;

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature is serde's")]
    pub fn serialize<S: Serializer>(fingerprint: &Fingerprint, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{:016x}", fingerprint.0))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Fingerprint, D::Error> {
        let text = String::deserialize(deserializer)?;
        u64::from_str_radix(&text, 16).map(Fingerprint).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statement_number_reads_back() {
        let period: Period = "2025-01".parse().unwrap();
        for (sequence, text) in
            [(1, "S-2025-01-0001"), (9999, "S-2025-01-9999"), (123_456, "S-2025-01-123456")]
        {
            let number = StatementNumber::new(period, sequence);
            assert_eq!(number.to_string(), text);
            assert_eq!(number.parts(), Some((period, sequence)));
            assert_eq!(text.parse(), Ok(number));
        }
        assert_eq!(" s-2025-01-42".parse(), Ok(StatementNumber::new(period, 42)));
        for text in [
            "",
            "S-2025-01",
            "S-2025-01-",
            "S-2025-01-0",
            "S-2025-13-1",
            "J-2025-01-1",
            "S-2025-01-+1",
            "S-2025-01-1111111111",
            "12:345",
        ] {
            assert_eq!(text.parse::<StatementNumber>(), Err(NotAStatementNumber(text.to_owned())));
        }
    }

    #[test]
    fn a_charge_id_reads_back() {
        assert_eq!("12:345".parse(), Ok(ChargeId { import: ImportId(12), row: 345 }));
        assert_eq!(ChargeId { import: ImportId(12), row: 345 }.to_string(), "12:345");
        for text in ["", "12", ":", "0:1", "1:0", "-1:1", "1:2:3", "a:1"] {
            assert_eq!(text.parse::<ChargeId>(), Err(NotAChargeId(text.to_owned())));
        }
    }

    #[test]
    fn a_source_is_the_same_in_any_case() {
        assert_eq!(SourceName("AWS".into()), SourceName(" aws".into()));
        assert_ne!(SourceName("AWS".into()), SourceName("AWS2".into()));
    }
}
