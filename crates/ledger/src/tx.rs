//! One act: read, record, commit with its audit row. Nothing else writes to the books.

use std::collections::HashMap;
use std::fmt::Write;
use std::ops::{Deref, DerefMut};

use billing::LedgerNumber;
use sqlx::any::AnyArguments;
use sqlx::{Any, AssertSqlSafe, Executor};
use tokio::sync::OwnedMutexGuard;

use crate::audit::AuditEvent;
use crate::books::{self, ActDigest, Table, Value};
use crate::engine;
use crate::error::LedgerError;
use crate::query::{self, Reader};

/// An act under way. It reads like a [`Reader`] (and sees what it recorded) and is the only writer until it
/// ends: by [`commit`](Tx::commit), or by being dropped, which leaves the books as they were.
#[derive(Debug)]
pub struct Tx {
    reader: Reader,
    seq: i64,
    digest: ActDigest,
    /// Released after the connection is given back: fields are dropped in this order.
    _turn: Option<OwnedMutexGuard<()>>,
}

/// Values of one INSERT. SQLite finds `$n` by walking a list of them, so that the time of a statement grows
/// with the square of their number: 6,000 took three times as long as 400.
pub(crate) const VALUES_MAX: usize = 200;

/// Rows of one INSERT.
const ROWS_MAX: usize = 500;

impl Deref for Tx {
    type Target = Reader;

    fn deref(&self) -> &Reader {
        &self.reader
    }
}

impl DerefMut for Tx {
    fn deref_mut(&mut self) -> &mut Reader {
        &mut self.reader
    }
}

impl Tx {
    pub(crate) fn new(reader: Reader, turn: OwnedMutexGuard<()>) -> Tx {
        Tx { reader, seq: 0, digest: ActDigest::new(), _turn: Some(turn) }
    }

    /// For the first act of all, before anybody else can have the ledger.
    pub(crate) fn first(reader: Reader) -> Tx {
        Tx { reader, seq: 0, digest: ActDigest::new(), _turn: None }
    }

    /// The number this act will have: one more than the last. Safe, because there is one writer.
    #[must_use]
    pub fn number(&self) -> LedgerNumber {
        LedgerNumber(self.reader.head.number + 1)
    }

    /// Write the audit row, move the head, commit. Durable when it returns.
    pub async fn commit(mut self, event: AuditEvent) -> Result<LedgerNumber, LedgerError> {
        failpoint::hit("ledger.act.recorded");
        let number = self.number();
        let books = books::books_digest(&self.digest);
        let row = event.into_row(number, books, self.reader.head.hash.clone());
        self.run(
            "INSERT INTO audit (number, at, by_user, act, subject, detail, books, prev_hash, hash) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
            row.values(),
        )
        .await?;
        self.run(
            "UPDATE ledger_head SET number = $1, entries = entries + 1, hash = $2",
            vec![number.into(), row.hash.into()],
        )
        .await?;
        failpoint::hit("ledger.act.audited");
        let Tx { reader, .. } = self;
        let Reader { connection, location, .. } = reader;
        connection.commit().await.map_err(|error| engine::busy(&location, error))?;
        failpoint::hit("ledger.act.committed");
        Ok(number)
    }

    /// End without an audit row: only for what is no part of the books.
    pub(crate) async fn commit_bookkeeping(self) -> Result<(), LedgerError> {
        debug_assert!(self.digest.is_empty(), "rows of the books are committed with an audit row");
        failpoint::hit("ledger.bookkeeping.recorded");
        let Reader { connection, location, .. } = self.reader;
        connection.commit().await.map_err(|error| engine::busy(&location, error))?;
        failpoint::hit("ledger.bookkeeping.committed");
        Ok(())
    }

    /// Add rows to a table of the books. Returns the `seq` of the first; the others follow.
    pub(crate) async fn insert<R>(&mut self, table: &'static Table, rows: R) -> Result<i64, LedgerError>
    where
        R: IntoIterator<Item = Vec<Value>> + Send,
        R::IntoIter: Send,
    {
        let (first, number) = (self.seq + 1, self.number());
        let mut statement = InsertStatement::of(table);
        for row in rows {
            debug_assert_eq!(row.len(), table.columns.len(), "{}", table.name);
            self.seq += 1;
            self.digest.entry(table.name).or_default().add(self.seq, table.columns, &row);
            statement.add(number, self.seq, row);
            if statement.is_full() {
                let (sql, values) = std::mem::replace(&mut statement, InsertStatement::of(table)).end();
                self.run_once(&sql, values).await?;
            }
        }
        if statement.rows > 0 {
            let (sql, values) = statement.end();
            self.run_once(&sql, values).await?;
        }
        Ok(first)
    }

    pub(crate) async fn insert_one(
        &mut self,
        table: &'static Table,
        row: Vec<Value>,
    ) -> Result<i64, LedgerError> {
        self.insert(table, [row]).await
    }

    pub(crate) async fn run(&mut self, sql: &str, values: Vec<Value>) -> Result<u64, LedgerError> {
        let statement = sqlx::query_with(AssertSqlSafe(sql), query::arguments(values)?);
        self.execute(statement).await
    }

    /// A statement that will not come again: it is not kept prepared.
    async fn run_once(&mut self, sql: &str, values: Vec<Value>) -> Result<u64, LedgerError> {
        let statement = sqlx::query_with(AssertSqlSafe(sql), query::arguments(values)?);
        self.execute(statement.persistent(false)).await
    }

    async fn execute(
        &mut self,
        statement: sqlx::query::Query<'_, Any, AnyArguments>,
    ) -> Result<u64, LedgerError> {
        let Reader { connection, location, .. } = &mut self.reader;
        let done = connection.execute(statement).await.map_err(|error| engine::busy(location, error))?;
        Ok(done.rows_affected())
    }
}

/// An INSERT of many rows. Integers and NULL are written into the text; texts are bound, each once, because
/// rows of an act say mostly the same.
struct InsertStatement {
    sql: String,
    rows: usize,
    /// By text, the `n` of its `$n`.
    texts: HashMap<String, usize>,
}

impl InsertStatement {
    fn of(table: &Table) -> InsertStatement {
        let columns = table.columns.join(", ");
        let sql = format!("INSERT INTO {} (number, seq, {columns}) VALUES ", table.name);
        InsertStatement { sql, rows: 0, texts: HashMap::new() }
    }

    fn add(&mut self, number: LedgerNumber, seq: i64, row: Vec<Value>) {
        let comma = if self.rows == 0 { "" } else { ", " };
        let _ = write!(self.sql, "{comma}({}, {seq}", number.0);
        for value in row {
            let _ = match value {
                Value::Int(Some(number)) => write!(self.sql, ", {number}"),
                Value::Text(Some(text)) => {
                    let next = self.texts.len() + 1;
                    let n = *self.texts.entry(text).or_insert(next);
                    write!(self.sql, ", ${n}")
                }
                Value::Int(None) | Value::Text(None) => write!(self.sql, ", NULL"),
            };
        }
        self.sql.push(')');
        self.rows += 1;
    }

    fn is_full(&self) -> bool {
        ROWS_MAX <= self.rows || VALUES_MAX <= self.texts.len()
    }

    fn end(self) -> (String, Vec<Value>) {
        let mut values = vec![Value::Text(None); self.texts.len()];
        for (text, n) in self.texts {
            values[n - 1] = Value::Text(Some(text));
        }
        (self.sql, values)
    }
}
