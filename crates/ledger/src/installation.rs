//! The installation: its id, and the one currency its books are kept in.

use billing::period::Stamp;
use jiff::Timestamp;
use money::CurrencyCode;
use serde_json::json;
use sqlx::{Any, Executor, Transaction};

use crate::audit::AuditEvent;
use crate::books::{Table, Value, sha256_hex};
use crate::engine::{Location, SCHEMA_VERSION};
use crate::error::LedgerError;
use crate::query::{Query, Reader, arguments};
use crate::tx::Tx;

pub(crate) const CURRENCY: Table = Table { name: "currency", columns: &["code"] };

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Installation {
    /// Sixteen hexadecimal digits, different for every installation: in Message-IDs, for one.
    pub id: String,
    pub created_at: Timestamp,
    pub schema_version: i64,
    /// Fixed by its first use.
    pub currency: Option<CurrencyCode>,
}

/// The first act: audit row 1.
pub(crate) async fn create(
    mut connection: Transaction<'static, Any>,
    location: &Location,
    stamp: &Stamp,
) -> Result<(), LedgerError> {
    // Place and time tell installations apart; nothing random is needed.
    let mut id = sha256_hex(format!("{location}\n{}\n{}", stamp.at, stamp.by).as_bytes());
    id.truncate(16);
    let values: Vec<Value> = vec![id.as_str().into(), stamp.at.into(), SCHEMA_VERSION.into()];
    let insert = "INSERT INTO installation (id, product, created_at, schema_version) \
                  VALUES ($1, 'OpenChargeback', $2, $3)";
    connection.execute(sqlx::query_with(insert, arguments(values)?)).await?;
    connection.execute("INSERT INTO ledger_head (number, entries, hash) VALUES (0, 0, '')").await?;
    let tx = Tx::first(Reader::new(connection, location.clone()).await?);
    let detail = json!({ "id": id, "schema_version": SCHEMA_VERSION });
    tx.commit(AuditEvent::new(stamp, "installation.created", "installation", detail)).await?;
    Ok(())
}

pub(crate) async fn upgrade(
    connection: Transaction<'static, Any>,
    location: &Location,
    stamp: &Stamp,
    from: i64,
) -> Result<(), LedgerError> {
    let mut tx = Tx::first(Reader::new(connection, location.clone()).await?);
    tx.run("UPDATE installation SET schema_version = $1", vec![SCHEMA_VERSION.into()]).await?;
    let detail = json!({ "from": from, "to": SCHEMA_VERSION });
    tx.commit(AuditEvent::new(stamp, "installation.upgraded", "installation", detail)).await?;
    Ok(())
}

impl Reader {
    pub async fn installation(&mut self) -> Result<Installation, LedgerError> {
        let currency = self.currency().await?;
        let query = Query::new("SELECT id, created_at, schema_version FROM installation");
        let installation = self
            .row(query, |row| {
                Ok(Installation {
                    id: row.text("id")?,
                    created_at: row.at("created_at")?,
                    schema_version: row.int("schema_version")?,
                    currency,
                })
            })
            .await?;
        installation.ok_or_else(|| LedgerError::missing("table row", "installation"))
    }

    /// The currency of the books, once something used one.
    pub async fn currency(&mut self) -> Result<Option<CurrencyCode>, LedgerError> {
        let query = Query::new("SELECT code FROM currency ORDER BY number, seq");
        self.row(query, |row| {
            let code = row.str("code")?;
            code.parse().map_err(|_| LedgerError::unreadable("code", code))
        })
        .await
    }
}

impl Tx {
    /// The first use fixes the currency; afterwards another one is refused.
    ///
    /// # Errors
    /// [`LedgerError::OtherCurrency`].
    pub async fn fix_currency(&mut self, currency: CurrencyCode) -> Result<(), LedgerError> {
        match self.currency().await? {
            None => {
                self.insert_one(&CURRENCY, vec![currency.as_str().into()]).await?;
                Ok(())
            }
            Some(fixed) if fixed == currency => Ok(()),
            Some(fixed) => Err(LedgerError::OtherCurrency {
                ledger: fixed.as_str().to_owned(),
                asked: currency.as_str().to_owned(),
            }),
        }
    }
}
