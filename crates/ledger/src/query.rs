//! Asking: a [`Reader`] is a snapshot of the books; the queries are in the files of their nouns.

use std::fmt::Write;

use billing::{ImportId, LedgerNumber, Period};
use futures::TryStreamExt;
use jiff::Timestamp;
use money::{Amount, Minor};
use sqlx::any::{AnyArguments, AnyRow, AnyTypeInfoKind};
use sqlx::{Any, Arguments, AssertSqlSafe, Row, Transaction, ValueRef};

use crate::books::Value;
use crate::engine::{self, Location};
use crate::error::LedgerError;

/// A snapshot of the books. Functions that statements depend on take `as_of`: `None` is now (in a
/// [`Tx`](crate::Tx): with what it has recorded), a number is the books as that act left them.
#[derive(Debug)]
pub struct Reader {
    pub(crate) connection: Transaction<'static, Any>,
    pub(crate) location: Location,
    pub(crate) head: Head,
}

/// The last committed act.
#[derive(Clone, Debug)]
pub(crate) struct Head {
    pub number: i64,
    pub entries: i64,
    pub hash: String,
}

impl Reader {
    pub(crate) async fn new(
        connection: Transaction<'static, Any>,
        location: Location,
    ) -> Result<Reader, LedgerError> {
        let head = Head { number: 0, entries: 0, hash: String::new() };
        let mut reader = Reader { connection, location, head };
        // Reading the head fixes the snapshot.
        reader.head = reader.load_head().await?;
        Ok(reader)
    }

    pub(crate) async fn load_head(&mut self) -> Result<Head, LedgerError> {
        let head = self
            .row(Query::new("SELECT number, entries, hash FROM ledger_head"), |row| {
                Ok(Head { number: row.int("number")?, entries: row.int("entries")?, hash: row.text("hash")? })
            })
            .await?;
        head.ok_or_else(|| LedgerError::missing("table row", "ledger_head"))
    }

    /// The number of the last committed act of this snapshot.
    #[must_use]
    pub fn head(&self) -> LedgerNumber {
        LedgerNumber(self.head.number)
    }

    pub(crate) async fn rows<T: Send>(
        &mut self,
        query: Query,
        mut read: impl FnMut(&Cells) -> Result<T, LedgerError> + Send,
    ) -> Result<Vec<T>, LedgerError> {
        let mut all = Vec::new();
        self.each(query, |row| {
            all.push(read(row)?);
            Ok(())
        })
        .await?;
        Ok(all)
    }

    pub(crate) async fn row<T: Send>(
        &mut self,
        query: Query,
        read: impl FnMut(&Cells) -> Result<T, LedgerError> + Send,
    ) -> Result<Option<T>, LedgerError> {
        Ok(self.rows(query, read).await?.into_iter().next())
    }

    /// One row at a time, so that memory does not grow with their number.
    pub(crate) async fn each(
        &mut self,
        query: Query,
        mut read: impl FnMut(&Cells) -> Result<(), LedgerError> + Send,
    ) -> Result<(), LedgerError> {
        let arguments = arguments(query.values)?;
        let location = &self.location;
        let mut rows = sqlx::query_with(AssertSqlSafe(query.sql), arguments).fetch(&mut *self.connection);
        while let Some(row) = rows.try_next().await.map_err(|error| engine::busy(location, error))? {
            read(&Cells(&row))?;
        }
        Ok(())
    }
}

pub(crate) fn arguments(values: Vec<Value>) -> Result<AnyArguments, LedgerError> {
    let mut arguments = AnyArguments::default();
    for value in values {
        match value {
            Value::Int(number) => arguments.add(number),
            // PostgreSQL has no text with U+0000; what one engine refuses, both refuse.
            Value::Text(Some(text)) if text.contains('\0') => return Err(LedgerError::NulCharacter { text }),
            Value::Text(text) => arguments.add(text),
        }
        .map_err(sqlx::Error::Encode)?;
    }
    Ok(arguments)
}

/// A statement and its values, numbered `$1` and on.
pub(crate) struct Query {
    sql: String,
    values: Vec<Value>,
}

impl Query {
    pub fn new(sql: &str) -> Query {
        Query { sql: sql.to_owned(), values: Vec::new() }
    }

    /// The value of the next `$n` that stands in the text already.
    pub fn bind(mut self, value: impl Into<Value>) -> Query {
        self.values.push(value.into());
        self
    }

    /// The value of `$n` for "up to this number".
    pub fn until(self, as_of: Option<LedgerNumber>) -> Query {
        self.bind(as_of.map_or(i64::MAX, |number| number.0))
    }

    /// ` AND condition $n`; the text has a WHERE.
    pub fn and(mut self, condition: &str, value: impl Into<Value>) -> Query {
        self.values.push(value.into());
        let _ = write!(self.sql, " AND {condition} ${}", self.values.len());
        self
    }

    pub fn and_some<T: Into<Value>>(self, condition: &str, value: Option<T>) -> Query {
        match value {
            Some(value) => self.and(condition, value),
            None => self,
        }
    }

    /// ` AND column IN ($n, …)`; an empty list leaves the column free.
    pub fn and_in<T: Into<Value>>(mut self, column: &str, list: impl IntoIterator<Item = T>) -> Query {
        let first = self.values.len() + 1;
        self.values.extend(list.into_iter().map(Into::into));
        let marks: Vec<String> = (first..=self.values.len()).map(|n| format!("${n}")).collect();
        if !marks.is_empty() {
            let _ = write!(self.sql, " AND {column} IN ({})", marks.join(", "));
        }
        self
    }

    /// A value in the middle of text: ` $n`.
    pub fn value(mut self, value: impl Into<Value>) -> Query {
        self.values.push(value.into());
        let _ = write!(self.sql, " ${}", self.values.len());
        self
    }

    pub fn then(mut self, text: &str) -> Query {
        self.sql.push(' ');
        self.sql.push_str(text);
        self
    }
}

/// A row that was read, by column name.
pub(crate) struct Cells<'a>(pub &'a AnyRow);

impl Cells<'_> {
    pub fn int(&self, column: &str) -> Result<i64, LedgerError> {
        Ok(self.0.try_get(column)?)
    }

    pub fn opt_int(&self, column: &str) -> Result<Option<i64>, LedgerError> {
        Ok(self.0.try_get(column)?)
    }

    pub fn count(&self, column: &str) -> Result<u64, LedgerError> {
        let count = self.int(column)?;
        u64::try_from(count).map_err(|_| LedgerError::unreadable(column, count))
    }

    pub fn small(&self, column: &str) -> Result<u32, LedgerError> {
        let count = self.int(column)?;
        u32::try_from(count).map_err(|_| LedgerError::unreadable(column, count))
    }

    /// 64 bits of a hash.
    pub fn bits(&self, column: &str) -> Result<u64, LedgerError> {
        Ok(self.int(column)?.cast_unsigned())
    }

    pub fn text(&self, column: &str) -> Result<String, LedgerError> {
        Ok(self.0.try_get(column)?)
    }

    pub fn str(&self, column: &str) -> Result<&str, LedgerError> {
        Ok(self.0.try_get(column)?)
    }

    pub fn opt_text(&self, column: &str) -> Result<Option<String>, LedgerError> {
        Ok(self.0.try_get(column)?)
    }

    pub fn at(&self, column: &str) -> Result<Timestamp, LedgerError> {
        let text = self.str(column)?;
        text.parse().map_err(|_| LedgerError::unreadable(column, text))
    }

    pub fn period(&self, column: &str) -> Result<Period, LedgerError> {
        let text = self.str(column)?;
        text.parse().map_err(|_| LedgerError::unreadable(column, text))
    }

    pub fn opt_period(&self, column: &str) -> Result<Option<Period>, LedgerError> {
        match self.opt_text(column)? {
            Some(text) => Ok(Some(text.parse().map_err(|_| LedgerError::unreadable(column, text))?)),
            None => Ok(None),
        }
    }

    pub fn amount(&self, column: &str) -> Result<Amount, LedgerError> {
        let text = self.str(column)?;
        Amount::parse_total(text).ok_or_else(|| LedgerError::unreadable(column, text))
    }

    pub fn minor(&self, column: &str) -> Result<Minor, LedgerError> {
        Ok(Minor::new(self.int(column)?))
    }

    pub fn import(&self, column: &str) -> Result<ImportId, LedgerError> {
        Ok(ImportId(self.int(column)?))
    }

    pub fn opt_import(&self, column: &str) -> Result<Option<ImportId>, LedgerError> {
        Ok(self.opt_int(column)?.map(ImportId))
    }

    pub fn number(&self) -> Result<LedgerNumber, LedgerError> {
        Ok(LedgerNumber(self.int("number")?))
    }

    /// Whatever the column holds.
    pub fn value(&self, column: &str) -> Result<Value, LedgerError> {
        let raw = self.0.try_get_raw(column)?;
        if raw.is_null() {
            return Ok(Value::Text(None));
        }
        match raw.type_info().kind() {
            AnyTypeInfoKind::Text => Ok(Value::Text(Some(self.text(column)?))),
            _ => Ok(Value::Int(Some(self.int(column)?))),
        }
    }

    /// Who and when, in the columns `by_user` and `at`.
    pub fn stamp(&self) -> Result<billing::period::Stamp, LedgerError> {
        Ok(billing::period::Stamp { by: self.text("by_user")?, at: self.at("at")? })
    }
}
