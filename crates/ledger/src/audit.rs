//! The audit chain: one row an act, each holding the hash of the one before.

use std::collections::BTreeMap;
use std::fmt;

use billing::LedgerNumber;
use billing::period::Stamp;
use jiff::Timestamp;
use jiff::civil::Date;
use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::books::{self, ActDigest, TABLES, Value, canonical_json, feed};
use crate::error::LedgerError;
use crate::query::{Cells, Query, Reader};

/// What an act says about itself when it commits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditEvent {
    pub at: Timestamp,
    pub by: String,
    /// Noun and past verb: `import.committed`.
    pub act: String,
    /// The thing: `import 12`, `2025-01`.
    pub subject: String,
    pub detail: serde_json::Value,
}

impl AuditEvent {
    #[must_use]
    pub fn new(
        stamp: &Stamp,
        act: &str,
        subject: impl fmt::Display,
        detail: serde_json::Value,
    ) -> AuditEvent {
        AuditEvent {
            at: stamp.at,
            by: stamp.by.clone(),
            act: act.to_owned(),
            subject: subject.to_string(),
            detail,
        }
    }

    pub(crate) fn into_row(self, number: LedgerNumber, books: String, prev_hash: String) -> AuditRow {
        let mut row = AuditRow {
            number,
            at: self.at.to_string(),
            by: self.by,
            act: self.act,
            subject: self.subject,
            detail: canonical_json(&self.detail),
            books,
            prev_hash,
            hash: String::new(),
        };
        row.hash = row.expected_hash();
        row
    }
}

/// A row of the chain, as stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AuditRow {
    pub number: LedgerNumber,
    /// RFC 3339, UTC.
    pub at: String,
    pub by: String,
    pub act: String,
    pub subject: String,
    /// Canonical JSON.
    pub detail: String,
    /// SHA-256 of all rows the act wrote to the books.
    pub books: String,
    /// Empty in row 1.
    pub prev_hash: String,
    pub hash: String,
}

impl AuditRow {
    fn expected_hash(&self) -> String {
        let mut hash = Sha256::new();
        feed(&mut hash, b"openchargeback.audit.v1");
        feed(&mut hash, &self.number.0.to_be_bytes());
        for field in
            [&self.at, &self.by, &self.act, &self.subject, &self.detail, &self.books, &self.prev_hash]
        {
            feed(&mut hash, field.as_bytes());
        }
        hex::encode(hash.finalize())
    }

    pub(crate) fn values(&self) -> Vec<Value> {
        let text = [&self.at, &self.by, &self.act, &self.subject, &self.detail];
        let hashes = [&self.books, &self.prev_hash, &self.hash];
        std::iter::once(self.number.into()).chain(text.into_iter().chain(hashes).map(Value::from)).collect()
    }
}

/// Which rows to list; empty lists all.
#[derive(Clone, Debug, Default)]
pub struct AuditFilter {
    /// Act or its begin: `import` finds `import.committed`.
    pub act: Option<String>,
    pub by: Option<String>,
    pub subject: Option<String>,
    /// Words of the subject or of the detail, in capitals or not.
    pub text: Option<String>,
    pub from: Option<LedgerNumber>,
    pub to: Option<LedgerNumber>,
    /// The first day, in UTC.
    pub since: Option<Date>,
    /// The last day, in UTC.
    pub until: Option<Date>,
    /// Only the last so many.
    pub limit: Option<u64>,
}

/// What is wrong with the chain, or with the books it proves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, thiserror::Error)]
#[serde(rename_all = "snake_case", tag = "finding")]
pub enum AuditFinding {
    #[error("audit row {number} was edited: its hash does not fit what it says")]
    Edited { number: LedgerNumber },
    #[error("audit row {number} does not follow row {after}: a row was edited, added or removed before it")]
    Unchained { number: LedgerNumber, after: LedgerNumber },
    #[error("audit row {number} is missing")]
    Removed { number: LedgerNumber },
    #[error("audit row {number} was added: the ledger ends at {head}")]
    Inserted { number: LedgerNumber, head: LedgerNumber },
    #[error("the head of the ledger, {head}, does not fit the last audit row")]
    HeadMismatch { head: LedgerNumber },
    #[error("rows that act {number} wrote were edited, added or removed")]
    BooksChanged { number: LedgerNumber },
    #[error("`{table}` holds rows of act {number}, which has no audit row")]
    BooksUnknown { number: LedgerNumber, table: &'static str },
}

/// The result of verifying: what was looked at, and what is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AuditCheck {
    pub rows: u64,
    /// The head's number and hash: kept elsewhere, they prove that nothing up to here was rewritten.
    pub head: LedgerNumber,
    pub head_hash: String,
    pub findings: Vec<AuditFinding>,
}

impl AuditCheck {
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.findings.is_empty()
    }
}

const AUDIT: &str =
    "SELECT number, at, by_user, act, subject, detail, books, prev_hash, hash FROM audit WHERE 1 = 1";

/// What LIKE takes for itself.
fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_")
}

fn read_row(row: &Cells) -> Result<AuditRow, LedgerError> {
    Ok(AuditRow {
        number: row.number()?,
        at: row.text("at")?,
        by: row.text("by_user")?,
        act: row.text("act")?,
        subject: row.text("subject")?,
        detail: row.text("detail")?,
        books: row.text("books")?,
        prev_hash: row.text("prev_hash")?,
        hash: row.text("hash")?,
    })
}

impl Reader {
    /// In the order of their numbers.
    pub async fn list_audit(&mut self, filter: &AuditFilter) -> Result<Vec<AuditRow>, LedgerError> {
        let mut query = Query::new(AUDIT)
            .and_some("by_user =", filter.by.as_deref())
            .and_some("subject =", filter.subject.as_deref())
            .and_some("number >=", filter.from)
            .and_some("number <=", filter.to)
            // Times are kept as text, whose order is theirs.
            .and_some("at >=", filter.since.map(|day| day.to_string()))
            .and_some(
                "at <",
                filter.until.map(|day| day.saturating_add(jiff::Span::new().days(1)).to_string()),
            );
        if let Some(text) = &filter.text {
            let like = format!("%{}%", escaped(&text.to_lowercase()));
            query = query.and("(LOWER(subject) LIKE", like.clone()).then("ESCAPE '\\'");
            query = query.then("OR LOWER(detail) LIKE").value(like).then("ESCAPE '\\')");
        }
        if let Some(act) = &filter.act {
            // `import` up to, not including, `import/`: the character after the dot.
            query = query.and("(act =", act).then("OR (act >").value(format!("{act}."));
            query = query.then("AND act <").value(format!("{act}/")).then("))");
        }
        let query = query.then("ORDER BY number DESC");
        let query = match filter.limit {
            Some(limit) => query.then("LIMIT").value(limit),
            None => query,
        };
        let mut rows = self.rows(query, read_row).await?;
        rows.reverse();
        Ok(rows)
    }

    /// Everybody who did something, and every kind of act, each in order: what a filter can ask for.
    pub async fn list_audit_names(&mut self) -> Result<(Vec<String>, Vec<String>), LedgerError> {
        let people = Query::new("SELECT DISTINCT by_user FROM audit ORDER BY by_user");
        let people = self.rows(people, |row| row.text("by_user")).await?;
        let acts = Query::new("SELECT DISTINCT act FROM audit ORDER BY act");
        Ok((people, self.rows(acts, |row| row.text("act")).await?))
    }

    pub async fn find_audit(&mut self, number: LedgerNumber) -> Result<Option<AuditRow>, LedgerError> {
        self.row(Query::new(AUDIT).and("number =", number), read_row).await
    }

    pub async fn find_audit_by_hash(&mut self, hash: &str) -> Result<Option<AuditRow>, LedgerError> {
        self.row(Query::new(AUDIT).and("hash =", hash), read_row).await
    }

    /// Recompute the chain: any edit, insertion or removal of audit rows is found, the last included.
    /// (Who rewrites the whole chain and its head is found by comparing with a head kept elsewhere.)
    pub async fn verify_audit(&mut self) -> Result<AuditCheck, LedgerError> {
        let head = self.load_head().await?;
        let mut findings = Vec::new();
        let (mut rows, mut last) = (0_i64, 0_i64);
        let mut prev_hash = String::new();
        self.each(Query::new(AUDIT).then("ORDER BY number"), |row| {
            let row = read_row(row)?;
            let number = row.number;
            rows += 1;
            if number.0 < 1 || number.0 > head.number {
                findings.push(AuditFinding::Inserted { number, head: LedgerNumber(head.number) });
                return Ok(());
            }
            findings.extend((last + 1..number.0).map(|n| AuditFinding::Removed { number: LedgerNumber(n) }));
            if row.expected_hash() != row.hash {
                findings.push(AuditFinding::Edited { number });
            }
            if row.prev_hash != prev_hash && last + 1 == number.0 {
                findings.push(AuditFinding::Unchained { number, after: LedgerNumber(last) });
            }
            (last, prev_hash) = (number.0, row.hash);
            Ok(())
        })
        .await?;
        findings.extend((last + 1..=head.number).map(|n| AuditFinding::Removed { number: LedgerNumber(n) }));
        if last == head.number && (prev_hash != head.hash || head.entries != head.number) {
            findings.push(AuditFinding::HeadMismatch { head: LedgerNumber(head.number) });
        }
        let rows = u64::try_from(rows).unwrap_or(0);
        Ok(AuditCheck { rows, head: LedgerNumber(head.number), head_hash: head.hash, findings })
    }

    /// [`verify_audit`](Reader::verify_audit), and every row of the books against the digest that its
    /// act left in the audit row.
    pub async fn verify_books(&mut self) -> Result<AuditCheck, LedgerError> {
        let mut check = self.verify_audit().await?;
        let mut acts: BTreeMap<LedgerNumber, ActDigest> = BTreeMap::new();
        for table in TABLES {
            let sql = format!("SELECT number, seq, {} FROM {}", table.columns.join(", "), table.name);
            self.each(Query::new(&sql).then("ORDER BY number, seq"), |row| {
                let values = table.columns.iter().map(|column| row.value(column));
                let values = values.collect::<Result<Vec<Value>, LedgerError>>()?;
                let act = acts.entry(row.number()?).or_default();
                act.entry(table.name).or_default().add(row.int("seq")?, table.columns, &values);
                Ok(())
            })
            .await?;
        }
        let mut findings = Vec::new();
        let nothing = ActDigest::new();
        self.each(Query::new("SELECT number, books FROM audit ORDER BY number"), |row| {
            let number = row.number()?;
            let found = acts.remove(&number);
            if books::books_digest(found.as_ref().unwrap_or(&nothing)) != row.str("books")? {
                findings.push(AuditFinding::BooksChanged { number });
            }
            Ok(())
        })
        .await?;
        for (number, act) in acts {
            findings.extend(act.into_keys().map(|table| AuditFinding::BooksUnknown { number, table }));
        }
        check.findings.append(&mut findings);
        Ok(check)
    }
}
