//! The same books in another place: SQLite to PostgreSQL and back, with the same numbers.
//!
//! Everything happens in one transaction of the target: rows table by table in their order, then the proof
//! (audit chain, digests of the books, counts), then the commit. A copy that stops leaves nothing behind.

use std::fmt::Write as _;

use billing::LedgerNumber;
use futures::TryStreamExt;
use serde::Serialize;
use sqlx::{Any, AssertSqlSafe, Executor, Transaction};

use crate::audit::AuditEvent;
use crate::books::{TABLES, Value};
use crate::engine::{self, Found, Location};
use crate::error::LedgerError;
use crate::ledger::WAIT;
use crate::query::{self, Cells, Query, Reader};
use crate::tx::{Tx, VALUES_MAX};

/// What was copied.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Copied {
    /// The last act that the copy has of the original.
    pub head: LedgerNumber,
    /// Its hash in the audit chain.
    pub head_hash: String,
    /// Rows by table, in the order they were copied.
    pub tables: Vec<(&'static str, u64)>,
}

impl Copied {
    /// All rows together.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.tables.iter().map(|(_, rows)| rows).sum()
    }
}

/// A table as it is copied: all columns, and what its rows are ordered by.
struct Whole {
    name: &'static str,
    columns: Vec<&'static str>,
    order: &'static str,
}

/// Tables beside those of the books.
const OTHERS: [(&str, &[&str], &str); 4] = [
    ("installation", &["id", "product", "created_at", "schema_version"], "id"),
    ("ledger_head", &["number", "entries", "hash"], "number"),
    (
        "audit",
        &["number", "at", "by_user", "act", "subject", "detail", "books", "prev_hash", "hash"],
        "number",
    ),
    ("import_lease", &["import_id", "source_key", "by_user", "at", "lease_until", "state"], "import_id"),
];

fn every_table() -> impl Iterator<Item = Whole> {
    let others =
        OTHERS.into_iter().map(|(name, columns, order)| Whole { name, columns: columns.to_vec(), order });
    let books = TABLES.iter().map(|table| Whole {
        name: table.name,
        columns: [&["number", "seq"], table.columns].concat(),
        order: "number, seq",
    });
    others.chain(books)
}

impl Reader {
    /// Copy the books as this snapshot has them into a database that is empty. With an `act`, the copy's
    /// next audit row says so; without one the copy ends where the snapshot does.
    ///
    /// # Errors
    /// [`LedgerError::NotEmpty`] and [`LedgerError::Foreign`] for a target that holds something,
    /// [`LedgerError::CopyDiffers`] when the copy does not prove to be the same. Then nothing was copied.
    pub async fn copy_to(
        &mut self,
        target: &Location,
        act: Option<AuditEvent>,
    ) -> Result<Copied, LedgerError> {
        let pool = engine::connect(target, WAIT).await?;
        let copied = self.copy_into(target, engine::begin_write(target, &pool, WAIT).await?, act).await;
        pool.close().await;
        copied
    }

    async fn copy_into(
        &mut self,
        target: &Location,
        mut into: Transaction<'static, Any>,
        act: Option<AuditEvent>,
    ) -> Result<Copied, LedgerError> {
        if engine::look(target, &mut into).await? != Found::Nothing {
            return Err(LedgerError::NotEmpty { place: target.to_string() });
        }
        engine::migrate(target.engine(), &mut into, 0).await?;
        let mut tables = Vec::new();
        for table in every_table() {
            let rows = copy_table(self, &mut into, &table)
                .await
                .map_err(|error| lost_on_the_way(&self.location, target, error))?;
            tables.push((table.name, rows));
        }
        let copied = Copied { head: self.head(), head_hash: self.head.hash.clone(), tables };
        failpoint::hit("ledger.copy.recorded");
        let mut copy = Reader::new(into, target.clone()).await?;
        prove(&mut copy, &copied).await?;
        failpoint::hit("ledger.copy.proven");
        match act {
            Some(event) => drop(Tx::first(copy).commit(event).await?),
            None => copy.connection.commit().await.map_err(|error| engine::busy(target, error))?,
        }
        Ok(copied)
    }

    async fn count(&mut self, table: &str) -> Result<u64, LedgerError> {
        let query = Query::new(&format!("SELECT COUNT(*) AS rows_there FROM {table}"));
        let rows = self.row(query, |row| row.count("rows_there")).await?;
        Ok(rows.unwrap_or(0))
    }
}

/// Which of the two databases failed is told by neither.
fn lost_on_the_way(source: &Location, target: &Location, error: LedgerError) -> LedgerError {
    match error {
        LedgerError::Database(cause) => {
            LedgerError::Copy { from: source.to_string(), to: target.to_string(), source: cause }
        }
        other => other,
    }
}

async fn copy_table(
    source: &mut Reader,
    into: &mut Transaction<'static, Any>,
    table: &Whole,
) -> Result<u64, LedgerError> {
    let columns = table.columns.join(", ");
    let select = format!("SELECT {columns} FROM {} ORDER BY {}", table.name, table.order);
    let batch = (VALUES_MAX / table.columns.len()).max(1);
    let mut rows = sqlx::query(AssertSqlSafe(select)).fetch(&mut *source.connection);
    let (mut waiting, mut copied) = (Vec::new(), 0);
    while let Some(row) = rows.try_next().await? {
        let cells = Cells(&row);
        let values = table.columns.iter().map(|column| cells.value(column));
        waiting.push(values.collect::<Result<Vec<Value>, LedgerError>>()?);
        if waiting.len() == batch {
            copied += put(into, table, std::mem::take(&mut waiting)).await?;
        }
    }
    Ok(copied + put(into, table, waiting).await?)
}

/// Insert rows as they are.
async fn put(
    into: &mut Transaction<'static, Any>,
    table: &Whole,
    rows: Vec<Vec<Value>>,
) -> Result<u64, LedgerError> {
    if rows.is_empty() {
        return Ok(0);
    }
    let mut sql = format!("INSERT INTO {} ({}) VALUES ", table.name, table.columns.join(", "));
    let (count, mut values) = (rows.len() as u64, Vec::new());
    for (at, row) in rows.into_iter().enumerate() {
        sql.push_str(if at == 0 { "(" } else { ", (" });
        for (column, value) in row.into_iter().enumerate() {
            sql.push_str(if column == 0 { "" } else { ", " });
            // NULL as a value would have to be of its column's type; in the text it has none.
            if let Value::Int(None) | Value::Text(None) = value {
                sql.push_str("NULL");
            } else {
                values.push(value);
                let _ = write!(sql, "${}", values.len());
            }
        }
        sql.push(')');
    }
    let insert = sqlx::query_with(AssertSqlSafe(sql), query::arguments(values)?);
    into.execute(insert).await?;
    Ok(count)
}

/// That what was written is what was read.
async fn prove(copy: &mut Reader, copied: &Copied) -> Result<(), LedgerError> {
    let differs = |what: String| LedgerError::CopyDiffers { place: copy.location.to_string(), what };
    if copy.head() != copied.head || copy.head.hash != copied.head_hash {
        return Err(differs("it does not end with the same act".to_owned()));
    }
    let place = copy.location.to_string();
    for (table, rows) in &copied.tables {
        let found = copy.count(table).await?;
        if found != *rows {
            let what = format!("`{table}` has {found} rows instead of {rows}");
            return Err(LedgerError::CopyDiffers { place, what });
        }
    }
    let check = copy.verify_books().await?;
    match check.findings.first() {
        None => Ok(()),
        Some(finding) => Err(LedgerError::CopyDiffers { place, what: finding.to_string() }),
    }
}
