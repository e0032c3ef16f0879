//! How rows of the books are written and proven.
//!
//! Every table of the books begins with `number` and `seq`. The rows that an act wrote are digested, and
//! the digest stands in the act's audit row: a row edited, added or removed behind the program's back is
//! found by [`Reader::verify_books`](crate::Reader::verify_books).

use std::collections::BTreeMap;

use billing::{LedgerNumber, Period};
use jiff::Timestamp;
use money::{Amount, Minor};
use sha2::{Digest, Sha256};

use crate::{
    api_token, configuration, decision, email, import, installation, journal, journal_life, part, period,
    prune, rule, source, statement, unusual, user,
};

/// A table of the books: its columns after `number` and `seq`, in the order they are inserted in.
pub(crate) struct Table {
    pub name: &'static str,
    pub columns: &'static [&'static str],
}

/// Every table of the books.
pub(crate) const TABLES: &[&Table] = &[
    &installation::CURRENCY,
    &configuration::CONFIGURATION,
    &source::SOURCE,
    &import::IMPORT,
    &import::IMPORT_FILE,
    &import::IMPORT_CHARGE_FILE,
    &import::IMPORT_FLAG,
    &part::PART,
    &part::PART_EVENT,
    &period::PERIOD_EVENT,
    &decision::DECISION_ACT,
    &decision::DECISION,
    &decision::DECISION_UNDO,
    &statement::STATEMENT_NUMBER,
    &statement::STATEMENT,
    &statement::STATEMENT_LINE,
    &statement::STATEMENT_DOCUMENT,
    &journal::JOURNAL,
    &journal::JOURNAL_LINE,
    &journal::JOURNAL_EXPORT,
    &journal_life::JOURNAL_EVENT,
    &email::EMAIL_MESSAGE,
    &email::EMAIL_STATEMENT,
    &email::EMAIL_EVENT,
    &user::USER_EVENT,
    &prune::PRUNED_FILE,
    &unusual::UNUSUAL_COST,
    &rule::RULE,
    &rule::RULE_END,
    &statement::STATEMENT_LEG,
    &api_token::API_TOKEN_EVENT,
];

/// A value of a column. `None` is NULL, which PostgreSQL wants to be of a type, too.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Value {
    Int(Option<i64>),
    Text(Option<String>),
}

/// The digest of the rows one act wrote to one table, row by row.
#[derive(Clone, Debug, Default)]
pub(crate) struct RowsDigest {
    rows: u64,
    hash: Sha256,
}

impl RowsDigest {
    /// NULLs are left out, so that a column added later (NULL in old rows) leaves old digests as they are.
    pub fn add(&mut self, seq: i64, columns: &[&str], values: &[Value]) {
        self.rows += 1;
        self.hash.update(seq.to_be_bytes());
        for (column, value) in columns.iter().zip(values) {
            match value {
                Value::Int(Some(number)) => {
                    feed(&mut self.hash, column.as_bytes());
                    self.hash.update(b"i");
                    self.hash.update(number.to_be_bytes());
                }
                Value::Text(Some(text)) => {
                    feed(&mut self.hash, column.as_bytes());
                    self.hash.update(b"t");
                    feed(&mut self.hash, text.as_bytes());
                }
                Value::Int(None) | Value::Text(None) => {}
            }
        }
        // No column has an empty name: the end of a row is not the begin of a value.
        feed(&mut self.hash, b"");
    }
}

/// The digest of all rows of an act, by table.
pub(crate) type ActDigest = BTreeMap<&'static str, RowsDigest>;

pub(crate) fn books_digest(act: &ActDigest) -> String {
    let mut hash = Sha256::new();
    feed(&mut hash, b"openchargeback.books.v1");
    for (table, rows) in act {
        feed(&mut hash, table.as_bytes());
        hash.update(rows.rows.to_be_bytes());
        hash.update(rows.hash.clone().finalize());
    }
    hex::encode(hash.finalize())
}

/// A length and the bytes: no two lists of fields read the same.
pub(crate) fn feed(hash: &mut Sha256, bytes: &[u8]) {
    hash.update((bytes.len() as u64).to_be_bytes());
    hash.update(bytes);
}

/// SHA-256 in lower-case hexadecimal.
#[must_use]
pub fn sha256_hex(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

/// JSON with sorted keys and no spaces: equal values have equal text, so that digests of them agree.
#[must_use]
pub fn canonical_json(value: &serde_json::Value) -> String {
    let mut text = String::new();
    write_canonical(value, &mut text);
    text
}

fn write_canonical(value: &serde_json::Value, out: &mut String) {
    match value {
        serde_json::Value::Object(fields) => {
            let mut sorted: Vec<_> = fields.iter().collect();
            sorted.sort_unstable_by_key(|(name, _)| *name);
            out.push('{');
            for (at, (name, value)) in sorted.into_iter().enumerate() {
                if at > 0 {
                    out.push(',');
                }
                out.push_str(&serde_json::Value::from(name.as_str()).to_string());
                out.push(':');
                write_canonical(value, out);
            }
            out.push('}');
        }
        serde_json::Value::Array(values) => {
            out.push('[');
            for (at, value) in values.iter().enumerate() {
                if at > 0 {
                    out.push(',');
                }
                write_canonical(value, out);
            }
            out.push(']');
        }
        scalar => out.push_str(&scalar.to_string()),
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Value {
        Value::Int(Some(number))
    }
}

impl From<u32> for Value {
    fn from(number: u32) -> Value {
        Value::Int(Some(i64::from(number)))
    }
}

/// For counts and sizes. Hashes are stored by `cast_signed` instead.
impl From<u64> for Value {
    fn from(count: u64) -> Value {
        Value::Int(Some(i64::try_from(count).unwrap_or(i64::MAX)))
    }
}

impl From<String> for Value {
    fn from(text: String) -> Value {
        Value::Text(Some(text))
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Value {
        Value::Text(Some(text.to_owned()))
    }
}

impl From<&String> for Value {
    fn from(text: &String) -> Value {
        Value::Text(Some(text.clone()))
    }
}

impl From<&Option<String>> for Value {
    fn from(text: &Option<String>) -> Value {
        Value::Text(text.clone())
    }
}

impl From<Option<&str>> for Value {
    fn from(text: Option<&str>) -> Value {
        Value::Text(text.map(str::to_owned))
    }
}

impl From<LedgerNumber> for Value {
    fn from(number: LedgerNumber) -> Value {
        number.0.into()
    }
}

impl From<billing::ImportId> for Value {
    fn from(import: billing::ImportId) -> Value {
        import.0.into()
    }
}

impl From<Option<billing::ImportId>> for Value {
    fn from(import: Option<billing::ImportId>) -> Value {
        Value::Int(import.map(|import| import.0))
    }
}

impl From<&billing::StatementNumber> for Value {
    fn from(number: &billing::StatementNumber) -> Value {
        number.0.as_str().into()
    }
}

impl From<Period> for Value {
    fn from(period: Period) -> Value {
        period.to_string().into()
    }
}

impl From<Option<Period>> for Value {
    fn from(period: Option<Period>) -> Value {
        Value::Text(period.map(|period| period.to_string()))
    }
}

impl From<Timestamp> for Value {
    fn from(at: Timestamp) -> Value {
        at.to_string().into()
    }
}

impl From<Amount> for Value {
    fn from(amount: Amount) -> Value {
        amount.to_string().into()
    }
}

impl From<Minor> for Value {
    fn from(minor: Minor) -> Value {
        minor.get().into()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value as Json, json};

    use super::*;

    fn digest(rows: &[Vec<Value>]) -> String {
        let mut act = ActDigest::new();
        for (seq, row) in (1..).zip(rows) {
            act.entry("t").or_default().add(seq, &["a", "b"], row);
        }
        books_digest(&act)
    }

    fn cell() -> impl Strategy<Value = Value> {
        prop_oneof![
            (0..3_i64).prop_map(Value::from),
            Just(Value::Text(None)),
            "[ab]{0,2}".prop_map(Value::from)
        ]
    }

    fn rows() -> impl Strategy<Value = Vec<Vec<Value>>> {
        prop::collection::vec(prop::collection::vec(cell(), 2), 0..3)
    }

    proptest! {
        #[test]
        fn only_equal_rows_have_equal_digests(one in rows(), two in rows()) {
            prop_assert_eq!(one == two, digest(&one) == digest(&two));
        }

        #[test]
        fn a_total_is_kept_to_the_last_digit(units in any::<i64>(), more in any::<i64>()) {
            let amount = Amount::from_units(i128::from(units) * i128::from(more));
            let Value::Text(Some(text)) = Value::from(amount) else { unreachable!() };
            prop_assert_eq!(Amount::parse_total(&text), Some(amount));
        }
    }

    #[test]
    fn a_column_added_later_leaves_old_digests() {
        let mut old = RowsDigest::default();
        old.add(1, &["a"], &[Value::from(1_i64)]);
        let mut new = RowsDigest::default();
        new.add(1, &["a", "added"], &[Value::from(1_i64), Value::Text(None)]);
        let digest = |rows: RowsDigest| books_digest(&ActDigest::from([("t", rows)]));
        assert_eq!(digest(old), digest(new));
    }

    #[test]
    fn equal_json_has_equal_text() {
        let one: Json =
            serde_json::from_str(r#"{ "b": [1, {"y": null, "x": "\u0000é"}], "a": {} }"#).unwrap();
        let two: Json = serde_json::from_str(r#"{"a":{},"b":[1,{"x":"\u0000é","y":null}]}"#).unwrap();
        let text = canonical_json(&one);
        assert_eq!(text, canonical_json(&two));
        assert_eq!(text, r#"{"a":{},"b":[1,{"x":"\u0000é","y":null}]}"#);
        assert_eq!(serde_json::from_str::<Json>(&text).unwrap(), one);
        assert_ne!(text, canonical_json(&json!({ "a": {}, "b": [] })));
    }
}
