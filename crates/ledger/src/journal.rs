//! Journals: batches for accounting, with control totals, found again by the reference on any line.

use billing::journal::{JournalLine, Party, Side};
use billing::period::Stamp;
use billing::{LedgerNumber, Period};
use money::Minor;
use serde::Serialize;

use crate::books::{Table, Value, canonical_json, sha256_hex};
use crate::error::LedgerError;
use crate::query::{Cells, Query, Reader};
use crate::tx::Tx;

pub(crate) const JOURNAL: Table = Table {
    name: "journal",
    columns: &[
        "document",
        "period",
        "ordinal",
        "computed_at",
        "configuration_digest",
        "rule_version",
        "line_count",
        "debit_minor",
        "credit_minor",
        "model",
        "model_digest",
        "at",
        "by_user",
    ],
};

pub(crate) const JOURNAL_LINE: Table = Table {
    name: "journal_line",
    columns: &[
        "document",
        "line",
        "reference_id",
        "party",
        "side",
        "amount_minor",
        "fund_org",
        "segments",
        "account",
        "description",
        "source_name",
        "pi_email",
        "project_id",
    ],
};

pub(crate) const JOURNAL_EXPORT: Table = Table {
    name: "journal_export",
    columns: &["document", "format", "copy", "sha256", "path", "size_bytes", "at", "by_user"],
};

/// A journal to record, and what it was computed from.
#[derive(Clone, Copy, Debug)]
pub struct NewJournal<'a> {
    /// Its name, made of the period and [`Reader::next_journal_sequence`].
    pub document: &'a str,
    pub period: Period,
    /// The whole journal, as JSON.
    pub model: &'a serde_json::Value,
    pub lines: &'a [JournalLine],
    pub computed_at: LedgerNumber,
    pub configuration_digest: &'a str,
    pub rule_version: u32,
}

/// A recorded journal without its model.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct JournalRow {
    /// `J-2025-01-1`.
    pub document: String,
    pub ledger_number: LedgerNumber,
    pub period: Period,
    pub computed_at: LedgerNumber,
    pub configuration_digest: String,
    pub rule_version: u32,
    pub lines: u64,
    /// Control totals; they are equal.
    pub debits: Minor,
    pub credits: Minor,
    /// SHA-256 of the model as canonical JSON.
    pub model_digest: String,
    pub recorded: Stamp,
}

/// A line of a recorded journal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct JournalLineRow {
    pub document: String,
    /// From 1.
    pub line: u32,
    #[serde(flatten)]
    pub posted: JournalLine,
}

/// A file that was handed out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct JournalExport {
    pub document: String,
    /// `detail`, `summary`, `gl`, `template`.
    pub format: String,
    /// Not the first of this document and format: marked COPY.
    pub copy: bool,
    pub sha256: String,
    /// Relative to the home, with `/`.
    pub path: String,
    pub size_bytes: u64,
    pub exported: Stamp,
}

/// A file to hand out.
#[derive(Clone, Copy, Debug)]
pub struct NewJournalExport<'a> {
    pub document: &'a str,
    pub format: &'a str,
    pub sha256: &'a str,
    pub path: &'a str,
    pub size_bytes: u64,
}

const JOURNALS: &str = "SELECT number, document, period, computed_at, configuration_digest, rule_version,
    line_count, debit_minor, credit_minor, model_digest, at, by_user FROM journal WHERE number <= $1";

const LINES: &str = "SELECT document, line, reference_id, side, amount_minor, fund_org, segments, account,
    description, source_name, pi_email, project_id, party FROM journal_line WHERE 1 = 1";

fn read_journal(row: &Cells) -> Result<JournalRow, LedgerError> {
    Ok(JournalRow {
        document: row.text("document")?,
        ledger_number: row.number()?,
        period: row.period("period")?,
        computed_at: LedgerNumber(row.int("computed_at")?),
        configuration_digest: row.text("configuration_digest")?,
        rule_version: row.small("rule_version")?,
        lines: row.count("line_count")?,
        debits: row.minor("debit_minor")?,
        credits: row.minor("credit_minor")?,
        model_digest: row.text("model_digest")?,
        recorded: row.stamp()?,
    })
}

fn read_line(row: &Cells) -> Result<JournalLineRow, LedgerError> {
    let segments = row.str("segments")?;
    let side = match row.str("side")? {
        "debit" => Side::Debit,
        "credit" => Side::Credit,
        other => return Err(LedgerError::unreadable("journal_line.side", other)),
    };
    let party = match row.str("party")? {
        "payer" => Party::Payer,
        "source" => Party::Source,
        other => return Err(LedgerError::unreadable("journal_line.party", other)),
    };
    let posted = JournalLine {
        side,
        party,
        amount: row.minor("amount_minor")?,
        fund_org: row.text("fund_org")?,
        segments: serde_json::from_str(segments)
            .map_err(|_| LedgerError::unreadable("journal_line.segments", segments))?,
        account: row.text("account")?,
        description: row.text("description")?,
        reference_id: row.text("reference_id")?,
        source_name: row.text("source_name")?,
        pi_email: row.opt_text("pi_email")?,
        project_id: row.opt_text("project_id")?,
    };
    Ok(JournalLineRow { document: row.text("document")?, line: row.small("line")?, posted })
}

impl Reader {
    pub async fn find_journal(&mut self, document: &str) -> Result<Option<JournalRow>, LedgerError> {
        self.row(Query::new(JOURNALS).until(None).and("document =", document), read_journal).await
    }

    /// The journal of a period that says exactly this: an export of it again is a copy.
    pub async fn find_journal_by_model(
        &mut self,
        period: Period,
        model_digest: &str,
    ) -> Result<Option<JournalRow>, LedgerError> {
        let query = Query::new(JOURNALS).until(None).and("period =", period);
        self.row(query.and("model_digest =", model_digest), read_journal).await
    }

    /// Oldest first.
    pub async fn list_journals(
        &mut self,
        period: Option<Period>,
        as_of: Option<LedgerNumber>,
    ) -> Result<Vec<JournalRow>, LedgerError> {
        let query = Query::new(JOURNALS).until(as_of).and_some("period =", period);
        self.rows(query.then("ORDER BY period, ordinal"), read_journal).await
    }

    /// The model as canonical JSON text.
    pub async fn load_journal_model(&mut self, document: &str) -> Result<String, LedgerError> {
        let query = Query::new("SELECT model FROM journal WHERE document = $1").bind(document);
        let model = self.row(query, |row| row.text("model")).await?;
        model.ok_or_else(|| LedgerError::missing("journal", document))
    }

    pub async fn list_journal_lines(&mut self, document: &str) -> Result<Vec<JournalLineRow>, LedgerError> {
        self.rows(Query::new(LINES).and("document =", document).then("ORDER BY line"), read_line).await
    }

    /// All lines with this reference, of any journal.
    pub async fn find_journal_lines(&mut self, reference: &str) -> Result<Vec<JournalLineRow>, LedgerError> {
        let query = Query::new(LINES).and("reference_id =", reference);
        self.rows(query.then("ORDER BY number, seq"), read_line).await
    }

    /// Oldest first.
    pub async fn list_journal_exports(
        &mut self,
        document: Option<&str>,
    ) -> Result<Vec<JournalExport>, LedgerError> {
        let query = Query::new(
            "SELECT document, format, copy, sha256, path, size_bytes, at, by_user FROM journal_export \
             WHERE 1 = 1",
        );
        let query = query.and_some("document =", document).then("ORDER BY number, seq");
        self.rows(query, |row| {
            Ok(JournalExport {
                document: row.text("document")?,
                format: row.text("format")?,
                copy: row.int("copy")? != 0,
                sha256: row.text("sha256")?,
                path: row.text("path")?,
                size_bytes: row.count("size_bytes")?,
                exported: row.stamp()?,
            })
        })
        .await
    }

    /// The place of a new journal among those of its period, from 1.
    pub async fn next_journal_sequence(&mut self, period: Period) -> Result<u32, LedgerError> {
        let next = self.last_journal_ordinal(period).await? + 1;
        u32::try_from(next).map_err(|_| LedgerError::unreadable("journal.ordinal", next))
    }

    async fn last_journal_ordinal(&mut self, period: Period) -> Result<i64, LedgerError> {
        let query = Query::new("SELECT COALESCE(MAX(ordinal), 0) AS last FROM journal WHERE period = $1");
        Ok(self.row(query.bind(period), |row| row.int("last")).await?.unwrap_or(0))
    }
}

impl Tx {
    /// Record the period's next journal. Returns its row.
    ///
    /// # Errors
    /// [`LedgerError::Unbalanced`]; [`LedgerError::Exists`] when the document id was given before.
    pub async fn record_journal(
        &mut self,
        new: &NewJournal<'_>,
        recorded: &Stamp,
    ) -> Result<JournalRow, LedgerError> {
        let ordinal = self.last_journal_ordinal(new.period).await? + 1;
        if self.find_journal(new.document).await?.is_some() {
            return Err(LedgerError::exists("journal document", new.document));
        }
        let of_side =
            |side: Side| new.lines.iter().filter(move |line| line.side == side).map(|line| line.amount);
        let (debits, credits): (Minor, Minor) = (of_side(Side::Debit).sum(), of_side(Side::Credit).sum());
        if debits != credits {
            let (debits, credits) = (debits.get(), credits.get());
            return Err(LedgerError::Unbalanced { document: new.document.to_owned(), debits, credits });
        }
        let model = canonical_json(new.model);
        let row = JournalRow {
            document: new.document.to_owned(),
            ledger_number: self.number(),
            period: new.period,
            computed_at: new.computed_at,
            configuration_digest: new.configuration_digest.to_owned(),
            rule_version: new.rule_version,
            lines: u64::try_from(new.lines.len()).unwrap_or(u64::MAX),
            debits,
            credits,
            model_digest: sha256_hex(model.as_bytes()),
            recorded: recorded.clone(),
        };
        self.insert_one(&JOURNAL, journal_row(&row, ordinal, model)).await?;
        let lines: Vec<Vec<Value>> =
            (1_u32..).zip(new.lines).map(|(at, line)| line_row(new.document, at, line)).collect();
        self.insert(&JOURNAL_LINE, lines).await?;
        Ok(row)
    }

    /// Record a file that is handed out. Returns whether it is a copy: not the first of its format.
    pub async fn record_journal_export(
        &mut self,
        new: &NewJournalExport<'_>,
        exported: &Stamp,
    ) -> Result<bool, LedgerError> {
        if self.find_journal(new.document).await?.is_none() {
            return Err(LedgerError::missing("journal", new.document));
        }
        let earlier = self.list_journal_exports(Some(new.document)).await?;
        let copy = earlier.iter().any(|export| export.format == new.format);
        let row = vec![
            new.document.into(),
            new.format.into(),
            i64::from(copy).into(),
            new.sha256.into(),
            new.path.into(),
            new.size_bytes.into(),
            exported.at.into(),
            exported.by.as_str().into(),
        ];
        self.insert_one(&JOURNAL_EXPORT, row).await?;
        Ok(copy)
    }
}

fn journal_row(row: &JournalRow, ordinal: i64, model: String) -> Vec<Value> {
    vec![
        (&row.document).into(),
        row.period.into(),
        ordinal.into(),
        row.computed_at.into(),
        (&row.configuration_digest).into(),
        row.rule_version.into(),
        row.lines.into(),
        row.debits.into(),
        row.credits.into(),
        model.into(),
        (&row.model_digest).into(),
        row.recorded.at.into(),
        row.recorded.by.as_str().into(),
    ]
}

fn line_row(document: &str, at: u32, line: &JournalLine) -> Vec<Value> {
    let segments: Vec<serde_json::Value> =
        line.segments.iter().map(|(name, text)| serde_json::json!([name, text])).collect();
    let side = match line.side {
        Side::Debit => "debit",
        Side::Credit => "credit",
    };
    let party = match line.party {
        Party::Payer => "payer",
        Party::Source => "source",
    };
    vec![
        document.into(),
        at.into(),
        (&line.reference_id).into(),
        party.into(),
        side.into(),
        line.amount.into(),
        (&line.fund_org).into(),
        serde_json::Value::from(segments).to_string().into(),
        (&line.account).into(),
        (&line.description).into(),
        (&line.source_name).into(),
        (&line.pi_email).into(),
        (&line.project_id).into(),
    ]
}
