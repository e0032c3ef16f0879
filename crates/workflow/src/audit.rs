//! The audit chain: read, handed out, anchored elsewhere and verified.

use std::fmt::Write as _;

use billing::LedgerNumber;
use jiff::Timestamp;
use ledger::{AuditCheck, AuditFilter, AuditRow, canonical_json};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::{Installation, Refusal, WorkflowError};

/// The shapes that other programs take the chain in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExportFormat {
    /// A list of rows with every field, hashes included: the chain can be verified from it.
    Json,
    /// For a spreadsheet: no cell becomes a formula.
    Csv,
    /// Events of Splunk's HTTP Event Collector, one a line.
    Splunk,
}

/// The end of the chain at some time. Kept elsewhere, it proves later that nothing up to there was rewritten.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Anchor {
    /// Of the installation, so that anchors of several are told apart.
    pub installation: String,
    pub number: LedgerNumber,
    pub entries: u64,
    pub hash: String,
    /// When the last act was done.
    pub at: String,
}

/// What the chain is compared with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AnchorRef {
    Whole(Anchor),
    /// The hash alone.
    Hash(String),
}

/// What verifying the chain came to.
#[derive(Clone, Debug)]
pub struct Verified {
    pub check: AuditCheck,
    /// The act that an anchor stands for, where one was given and the chain contains it.
    pub anchored: Option<LedgerNumber>,
    /// Why the chain does not contain the anchor.
    pub not_anchored: Option<String>,
}

impl Verified {
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.check.is_sound() && self.not_anchored.is_none()
    }
}

impl AnchorRef {
    /// The content of a file that [`anchor`] made, or a hash.
    ///
    /// # Errors
    /// Text that is neither.
    pub fn read(text: &str) -> Result<AnchorRef, Refusal> {
        let text = text.trim();
        if text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Ok(AnchorRef::Hash(text.to_lowercase()));
        }
        serde_json::from_str(text).map(AnchorRef::Whole).map_err(|error| {
            Refusal::new(format!("this is no anchor: {error}"))
                .hint("`audit anchor --output FILE` writes one; its hash alone will do, too")
        })
    }
}

/// # Errors
/// What the ledger could not read.
pub async fn list(installation: &Installation, filter: &AuditFilter) -> Result<Vec<AuditRow>, WorkflowError> {
    Ok(installation.ledger.read().await?.list_audit(filter).await?)
}

/// The rows of a filter for another program. `host` says to Splunk where events come from.
///
/// # Errors
/// What the ledger could not read.
pub async fn export(
    installation: &Installation,
    filter: &AuditFilter,
    format: ExportFormat,
    host: &str,
) -> Result<String, WorkflowError> {
    let rows = list(installation, filter).await?;
    let failed = |error: serde_json::Error| WorkflowError::Internal(error.to_string());
    match format {
        ExportFormat::Json => Ok(serde_json::to_string_pretty(&rows).map_err(failed)? + "\n"),
        ExportFormat::Csv => Ok(csv(&rows)),
        ExportFormat::Splunk => Ok(splunk(&rows, host, &installation.ledger.location().to_string())),
    }
}

const COLUMNS: [&str; 9] = ["number", "at", "by", "act", "subject", "detail", "books", "prev_hash", "hash"];

fn csv(rows: &[AuditRow]) -> String {
    let cells = rows.iter().map(|row| {
        let text =
            [&row.at, &row.by, &row.act, &row.subject, &row.detail, &row.books, &row.prev_hash, &row.hash];
        std::iter::once(row.number.to_string()).chain(text.into_iter().cloned()).collect::<Vec<String>>()
    });
    documents::table_for_people(&COLUMNS, cells)
}

fn splunk(rows: &[AuditRow], host: &str, source: &str) -> String {
    let mut lines = String::new();
    for row in rows {
        let detail: serde_json::Value =
            serde_json::from_str(&row.detail).unwrap_or_else(|_| json!(row.detail));
        let event = json!({
            "number": row.number, "at": row.at, "by": row.by, "act": row.act, "subject": row.subject,
            "detail": detail, "prev_hash": row.prev_hash, "hash": row.hash,
        });
        let rest = json!({
            "host": host, "source": source, "sourcetype": "focus_billing:audit", "event": event,
        });
        // Splunk wants seconds with milliseconds, as a number; a double would round them.
        let millis = row.at.parse::<Timestamp>().map_or(0, Timestamp::as_millisecond);
        let time = format!("{}.{:03}", millis.div_euclid(1000), millis.rem_euclid(1000));
        let _ = writeln!(lines, "{{\"time\":{time},{}", &canonical_json(&rest)[1..]);
    }
    lines
}

/// The end of the chain as it is now.
///
/// # Errors
/// What the ledger could not read.
pub async fn anchor(installation: &Installation) -> Result<Anchor, WorkflowError> {
    let mut reader = installation.ledger.read().await?;
    let number = reader.head();
    let row = reader.find_audit(number).await?;
    let row = row.ok_or_else(|| {
        Refusal::new(format!("the audit row of the last act, {number}, is missing"))
            .hint("`audit verify` says what else is wrong")
    })?;
    let installation = reader.installation().await?.id;
    let entries = u64::try_from(number.0).unwrap_or(0);
    Ok(Anchor { installation, number, entries, hash: row.hash, at: row.at })
}

/// Check the chain of audit rows, the books that they speak of and, with an anchor, that the chain still
/// contains it: then nothing up to there was rewritten since.
///
/// # Errors
/// What the ledger could not read; what is wrong with the chain is in the findings.
pub async fn verify(
    installation: &Installation,
    anchor: Option<&AnchorRef>,
) -> Result<Verified, WorkflowError> {
    let mut reader = installation.ledger.read().await?;
    let check = reader.verify_books().await?;
    let proof = match anchor {
        None => Ok(None),
        Some(AnchorRef::Hash(hash)) => match reader.find_audit_by_hash(hash).await? {
            Some(row) => Ok(Some(row.number)),
            None => Err(format!("no act has the hash {hash}")),
        },
        Some(AnchorRef::Whole(anchor)) => {
            let id = reader.installation().await?.id;
            if anchor.installation == id {
                contains(anchor, reader.find_audit(anchor.number).await?)
            } else {
                Err(format!("the anchor is of installation {}, and this is {id}", anchor.installation))
            }
        }
    };
    let (anchored, not_anchored) = match proof {
        Ok(number) => (number, None),
        Err(why) => (None, Some(why)),
    };
    Ok(Verified { check, anchored, not_anchored })
}

fn contains(anchor: &Anchor, found: Option<AuditRow>) -> Result<Option<LedgerNumber>, String> {
    let Anchor { number, hash, .. } = anchor;
    match found {
        Some(row) if row.hash == *hash && row.at == anchor.at => Ok(Some(*number)),
        Some(row) => Err(format!(
            "act {number} was done at {} with hash {hash}; here it is {} with {}",
            anchor.at, row.at, row.hash
        )),
        None => Err(format!("act {number} is missing: the chain ends before it")),
    }
}
