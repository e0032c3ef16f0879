//! Imports: one delivery of one source each, with its files, its charge files in the lake, and its parts.

use billing::period::Stamp;
use billing::{ImportId, LedgerNumber, Period, SourceName};
use money::Amount;
use serde::{Deserialize, Serialize};

use crate::books::{Table, Value};
use crate::error::LedgerError;
use crate::part::{Part, PartFilter, PartState};
use crate::query::{Cells, Query, Reader};
use crate::tx::Tx;

pub(crate) const IMPORT: Table = Table {
    name: "import",
    columns: &[
        "import_id",
        "source_key",
        "at",
        "by_user",
        "expected_periods",
        "mode",
        "rereads",
        "configuration_digest",
        "notes",
        "row_count",
        "charge_count",
        "quarantined_count",
        "flagged_count",
        "list_cost",
        "contracted_cost",
        "billed_cost",
        "effective_cost",
        "quarantine_file",
        "left_out_count",
    ],
};

pub(crate) const IMPORT_FILE: Table = Table {
    name: "import_file",
    columns: &[
        "import_id",
        "ordinal",
        "name",
        "sha256",
        "size_bytes",
        "format",
        "row_count",
        "quarantined_count",
    ],
};

pub(crate) const IMPORT_CHARGE_FILE: Table = Table {
    name: "import_charge_file",
    columns: &["import_id", "path", "period", "sha256", "row_count", "size_bytes"],
};

pub(crate) const IMPORT_FLAG: Table =
    Table { name: "import_flag", columns: &["import_id", "flag", "row_count", "billed_cost"] };

/// How an import relates to what was there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ImportMode {
    /// Nothing was there that overlaps.
    New,
    /// Supersedes parts of an earlier import.
    Replace,
    /// Stands beside what overlaps.
    Append,
    /// The kept bytes of an earlier import under today's configuration.
    Reread,
}

/// A delivered file, as it came.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DeliveredFile {
    /// From 0: [`ChargeColumns::file`](billing::ChargeColumns::file).
    pub ordinal: u32,
    pub name: String,
    /// Lower-case hexadecimal, of the delivered bytes.
    pub sha256: String,
    pub size_bytes: u64,
    /// `csv`, `csv.gz`, `csv.zst`, `parquet`.
    pub format: String,
    pub rows: u64,
    pub quarantined: u64,
}

/// A file of charges in the lake: one import, one period.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ChargeFile {
    pub import: ImportId,
    /// Relative to the lake's root, with `/`.
    pub path: String,
    pub period: Period,
    pub sha256: String,
    pub rows: u64,
    pub size_bytes: u64,
}

/// How many rows carry a flag, and their billed cost. A row may carry several.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FlagSum {
    /// [`Flag::name`](billing::Flag::name).
    pub flag: String,
    pub rows: u64,
    pub billed_cost: Amount,
}

/// Exact sums; a missing list cost counts as billed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ImportCosts {
    pub list_cost: Amount,
    pub contracted_cost: Amount,
    pub billed_cost: Amount,
    pub effective_cost: Amount,
}

/// What an import commits: from then on its parts are live.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImportRecord {
    /// From [`Ledger::reserve_import`](crate::Ledger::reserve_import).
    pub import: ImportId,
    pub source: SourceName,
    pub expected_periods: Vec<Period>,
    pub mode: ImportMode,
    /// The import whose bytes were read again.
    pub rereads: Option<ImportId>,
    /// Of the configuration it was read with ([`Tx::keep_configuration`]).
    pub configuration_digest: String,
    /// Sentences for people.
    pub notes: Vec<String>,
    pub files: Vec<DeliveredFile>,
    pub charge_files: Vec<ChargeFile>,
    /// The quarantined rows, in the lake.
    pub quarantine_file: Option<String>,
    /// Delivered rows: charges, quarantined and left out.
    pub rows: u64,
    pub charges: u64,
    pub quarantined: u64,
    /// Rows of periods that were not open, left out because that was asked for.
    pub left_out: u64,
    /// Rows with at least one flag.
    pub flagged: u64,
    pub flags: Vec<FlagSum>,
    pub costs: ImportCosts,
    pub parts: Vec<Part>,
}

/// A committed import. Its files, flags and parts are asked for by id.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ImportRow {
    pub import: ImportId,
    pub number: LedgerNumber,
    pub committed: Stamp,
    pub source_key: String,
    pub source_name: SourceName,
    pub expected_periods: Vec<Period>,
    pub mode: ImportMode,
    pub rereads: Option<ImportId>,
    pub configuration_digest: String,
    pub notes: Vec<String>,
    pub quarantine_file: Option<String>,
    pub rows: u64,
    pub charges: u64,
    pub quarantined: u64,
    /// `None` in imports from before this was counted.
    #[serde(skip)]
    pub left_out: Option<u64>,
    pub flagged: u64,
    pub costs: ImportCosts,
}

#[derive(Clone, Debug, Default)]
pub struct ImportFilter {
    pub source: Option<SourceName>,
    /// Has a part of this period, live or not.
    pub period: Option<Period>,
    /// Has a part in this state.
    pub state: Option<PartState>,
    /// Only the last so many.
    pub limit: Option<u64>,
    /// Without the last so many; where there is a limit.
    pub offset: u64,
}

impl ImportMode {
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            ImportMode::New => "new",
            ImportMode::Replace => "replace",
            ImportMode::Append => "append",
            ImportMode::Reread => "reread",
        }
    }

    fn read(row: &Cells) -> Result<ImportMode, LedgerError> {
        match row.str("mode")? {
            "new" => Ok(ImportMode::New),
            "replace" => Ok(ImportMode::Replace),
            "append" => Ok(ImportMode::Append),
            "reread" => Ok(ImportMode::Reread),
            other => Err(LedgerError::unreadable("import.mode", other)),
        }
    }
}

const IMPORTS: &str = "SELECT import.number, import.import_id, import.source_key, source.name AS source_name,
    import.at, import.by_user, import.expected_periods, import.mode, import.rereads,
    import.configuration_digest, import.notes, import.row_count, import.charge_count,
    import.quarantined_count, import.flagged_count, import.list_cost, import.contracted_cost,
    import.billed_cost, import.effective_cost, import.quarantine_file, import.left_out_count
    FROM import JOIN source ON source.source_key = import.source_key WHERE 1 = 1";

fn read_import(row: &Cells) -> Result<ImportRow, LedgerError> {
    let (notes, periods) = (row.str("notes")?, row.str("expected_periods")?);
    Ok(ImportRow {
        import: row.import("import_id")?,
        number: row.number()?,
        committed: row.stamp()?,
        source_key: row.text("source_key")?,
        source_name: SourceName(row.text("source_name")?),
        expected_periods: serde_json::from_str(periods)
            .map_err(|_| LedgerError::unreadable("import.expected_periods", periods))?,
        mode: ImportMode::read(row)?,
        rereads: row.opt_import("rereads")?,
        configuration_digest: row.text("configuration_digest")?,
        notes: serde_json::from_str(notes).map_err(|_| LedgerError::unreadable("import.notes", notes))?,
        quarantine_file: row.opt_text("quarantine_file")?,
        rows: row.count("row_count")?,
        charges: row.count("charge_count")?,
        quarantined: row.count("quarantined_count")?,
        left_out: row.opt_int("left_out_count")?.and_then(|count| u64::try_from(count).ok()),
        flagged: row.count("flagged_count")?,
        costs: ImportCosts {
            list_cost: row.amount("list_cost")?,
            contracted_cost: row.amount("contracted_cost")?,
            billed_cost: row.amount("billed_cost")?,
            effective_cost: row.amount("effective_cost")?,
        },
    })
}

fn filtered(query: Query, filter: &ImportFilter) -> Query {
    let mut query = query.and_some("import.source_key =", filter.source.as_ref().map(SourceName::key));
    if let Some(period) = filter.period {
        query = query.and("import.import_id IN (SELECT part.import_id FROM part WHERE part.period =", period);
        query = query.then(")");
    }
    if let Some(state) = filter.state {
        query = query
            .then("AND import.import_id IN (SELECT latest.import_id FROM part_event latest WHERE latest.state =")
            .value(state.name())
            .then(
                "AND NOT EXISTS (SELECT 1 FROM part_event later WHERE later.import_id = latest.import_id \
                 AND later.period = latest.period AND later.account = latest.account \
                 AND (later.number > latest.number \
                      OR (later.number = latest.number AND later.seq > latest.seq))))",
            );
    }
    query
}

impl Reader {
    pub async fn find_import(&mut self, import: ImportId) -> Result<Option<ImportRow>, LedgerError> {
        self.row(Query::new(IMPORTS).and("import.import_id =", import), read_import).await
    }

    /// # Errors
    /// [`LedgerError::Missing`].
    pub async fn load_import(&mut self, import: ImportId) -> Result<ImportRow, LedgerError> {
        self.find_import(import).await?.ok_or_else(|| LedgerError::missing("import", import))
    }

    /// In the order of their ids.
    pub async fn list_imports(&mut self, filter: &ImportFilter) -> Result<Vec<ImportRow>, LedgerError> {
        let mut query = filtered(Query::new(IMPORTS), filter).then("ORDER BY import.import_id DESC");
        if let Some(limit) = filter.limit {
            query = query.then("LIMIT").value(limit).then("OFFSET").value(filter.offset);
        }
        let mut imports = self.rows(query, read_import).await?;
        imports.reverse();
        Ok(imports)
    }

    /// How many there are, whatever the limit is.
    pub async fn count_imports(&mut self, filter: &ImportFilter) -> Result<u64, LedgerError> {
        const COUNT: &str = "SELECT COUNT(*) AS imports FROM import WHERE 1 = 1";
        let counted = self.row(filtered(Query::new(COUNT), filter), |row| row.count("imports")).await?;
        Ok(counted.unwrap_or_default())
    }

    pub async fn list_delivered_files(
        &mut self,
        import: ImportId,
    ) -> Result<Vec<DeliveredFile>, LedgerError> {
        let query = Query::new(
            "SELECT ordinal, name, sha256, size_bytes, format, row_count, quarantined_count \
             FROM import_file WHERE import_id = $1 ORDER BY ordinal",
        );
        self.rows(query.bind(import), |row| {
            Ok(DeliveredFile {
                ordinal: row.small("ordinal")?,
                name: row.text("name")?,
                sha256: row.text("sha256")?,
                size_bytes: row.count("size_bytes")?,
                format: row.text("format")?,
                rows: row.count("row_count")?,
                quarantined: row.count("quarantined_count")?,
            })
        })
        .await
    }

    /// Files of charges in the lake, live or not: `verify` checks each.
    pub async fn list_charge_files(
        &mut self,
        import: Option<ImportId>,
        period: Option<Period>,
    ) -> Result<Vec<ChargeFile>, LedgerError> {
        let query = Query::new(
            "SELECT import_id, path, period, sha256, row_count, size_bytes FROM import_charge_file WHERE 1 = 1",
        );
        let query = query.and_some("import_id =", import).and_some("period =", period);
        self.rows(query.then("ORDER BY import_id, seq"), |row| {
            Ok(ChargeFile {
                import: row.import("import_id")?,
                path: row.text("path")?,
                period: row.period("period")?,
                sha256: row.text("sha256")?,
                rows: row.count("row_count")?,
                size_bytes: row.count("size_bytes")?,
            })
        })
        .await
    }

    pub async fn list_import_flags(&mut self, import: ImportId) -> Result<Vec<FlagSum>, LedgerError> {
        let query = Query::new("SELECT flag, row_count, billed_cost FROM import_flag WHERE import_id = $1");
        self.rows(query.bind(import).then("ORDER BY seq"), |row| {
            Ok(FlagSum {
                flag: row.text("flag")?,
                rows: row.count("row_count")?,
                billed_cost: row.amount("billed_cost")?,
            })
        })
        .await
    }

    /// The live import of this source that delivered exactly these files, in any order.
    pub async fn find_live_import_by_digest(
        &mut self,
        source: &SourceName,
        sha256s: &[String],
    ) -> Result<Option<ImportRow>, LedgerError> {
        let mut wanted: Vec<&str> = sha256s.iter().map(String::as_str).collect();
        wanted.sort_unstable();
        let Some(&first) = wanted.first() else { return Ok(None) };
        let query = Query::new(
            "SELECT DISTINCT import.import_id FROM import \
             JOIN import_file ON import_file.import_id = import.import_id WHERE import_file.sha256 = $1",
        );
        let query = query.bind(first).and("import.source_key =", source.key());
        let candidates = self.rows(query.then("ORDER BY 1 DESC"), |row| row.import("import_id")).await?;
        for import in candidates {
            let files = self.list_delivered_files(import).await?;
            let mut delivered: Vec<&str> = files.iter().map(|file| file.sha256.as_str()).collect();
            delivered.sort_unstable();
            if delivered == wanted && self.is_live(import).await? {
                return self.find_import(import).await;
            }
        }
        Ok(None)
    }

    /// Live imports of *other* sources that delivered any of these bytes, with the name of the file.
    pub async fn find_same_bytes_elsewhere(
        &mut self,
        source: &SourceName,
        sha256s: &[String],
    ) -> Result<Vec<(ImportRow, String)>, LedgerError> {
        let mut found = Vec::new();
        for sha256 in sha256s {
            let query = Query::new(
                "SELECT import.import_id, import_file.name FROM import \
                 JOIN import_file ON import_file.import_id = import.import_id WHERE import_file.sha256 = $1",
            );
            let query = query.bind(sha256).and("import.source_key <>", source.key());
            let query = query.then("ORDER BY import.import_id");
            for (import, name) in
                self.rows(query, |row| Ok((row.import("import_id")?, row.text("name")?))).await?
            {
                if self.is_live(import).await? {
                    found.push((self.load_import(import).await?, name));
                }
            }
        }
        Ok(found)
    }

    /// Whether any part of the import counts.
    async fn is_live(&mut self, import: ImportId) -> Result<bool, LedgerError> {
        let filter = PartFilter { import: Some(import), ..PartFilter::default() };
        Ok(!self.live_parts(&filter, None).await?.is_empty())
    }
}

impl Tx {
    /// Make an import count. What it supersedes is recorded beside it by [`Tx::supersede_part`].
    ///
    /// # Errors
    /// [`LedgerError::NotReserved`] when it was abandoned (its lease had expired) or is committed already;
    /// [`LedgerError::Missing`] for an unknown source.
    pub async fn commit_import(
        &mut self,
        record: &ImportRecord,
        committed: &Stamp,
    ) -> Result<(), LedgerError> {
        self.require_reserved(record.import).await?;
        let source = self.find_source(&record.source).await?;
        let source = source.ok_or_else(|| LedgerError::missing("source", &record.source))?;
        self.insert_one(&IMPORT, import_row(&source.key, record, committed)).await?;
        let files: Vec<Vec<Value>> = record.files.iter().map(|file| file_row(record.import, file)).collect();
        self.insert(&IMPORT_FILE, files).await?;
        let charge_files: Vec<Vec<Value>> =
            record.charge_files.iter().map(|file| charge_file_row(record.import, file)).collect();
        self.insert(&IMPORT_CHARGE_FILE, charge_files).await?;
        let flags: Vec<Vec<Value>> = record
            .flags
            .iter()
            .map(|sum| {
                vec![record.import.into(), (&sum.flag).into(), sum.rows.into(), sum.billed_cost.into()]
            })
            .collect();
        self.insert(&IMPORT_FLAG, flags).await?;
        self.insert_parts(&source.key, &record.parts).await?;
        self.set_lease_state(record.import, "committed").await
    }
}

fn import_row(source_key: &str, record: &ImportRecord, committed: &Stamp) -> Vec<Value> {
    vec![
        record.import.into(),
        source_key.into(),
        committed.at.into(),
        committed.by.as_str().into(),
        serde_json::json!(record.expected_periods).to_string().into(),
        record.mode.name().into(),
        record.rereads.into(),
        (&record.configuration_digest).into(),
        serde_json::Value::from(record.notes.clone()).to_string().into(),
        record.rows.into(),
        record.charges.into(),
        record.quarantined.into(),
        record.flagged.into(),
        record.costs.list_cost.into(),
        record.costs.contracted_cost.into(),
        record.costs.billed_cost.into(),
        record.costs.effective_cost.into(),
        (&record.quarantine_file).into(),
        record.left_out.into(),
    ]
}

fn file_row(import: ImportId, file: &DeliveredFile) -> Vec<Value> {
    vec![
        import.into(),
        file.ordinal.into(),
        (&file.name).into(),
        (&file.sha256).into(),
        file.size_bytes.into(),
        (&file.format).into(),
        file.rows.into(),
        file.quarantined.into(),
    ]
}

fn charge_file_row(import: ImportId, file: &ChargeFile) -> Vec<Value> {
    vec![
        import.into(),
        (&file.path).into(),
        file.period.into(),
        (&file.sha256).into(),
        file.rows.into(),
        file.size_bytes.into(),
    ]
}
