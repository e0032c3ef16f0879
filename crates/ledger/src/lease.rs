//! Leases of running imports: bookkeeping, not books. An import has its number and a lease before it
//! writes its first file, so that files nobody will ever count can be told from files of an import that
//! still runs. There is no audit row: until it commits, an import is no act.

use billing::period::Stamp;
use billing::{ImportId, SourceName};
use jiff::Timestamp;

use crate::error::LedgerError;
use crate::ledger::Ledger;
use crate::query::{Query, Reader};
use crate::tx::Tx;

/// A reservation that was neither committed nor abandoned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImportLease {
    pub import: ImportId,
    pub source_key: String,
    pub reserved: Stamp,
    pub lease_until: Timestamp,
}

impl Ledger {
    /// The number of an import that begins now. Numbers are never given twice.
    pub async fn reserve_import(
        &self,
        source: &SourceName,
        reserved: &Stamp,
        lease_until: Timestamp,
    ) -> Result<ImportId, LedgerError> {
        let mut tx = self.begin().await?;
        let next = Query::new("SELECT COALESCE(MAX(import_id), 0) + 1 AS next FROM import_lease");
        let import = tx.row(next, |row| row.import("next")).await?.unwrap_or(ImportId(1));
        tx.run(
            "INSERT INTO import_lease (import_id, source_key, by_user, at, lease_until, state) \
             VALUES ($1, $2, $3, $4, $5, 'pending')",
            vec![
                import.into(),
                source.key().into(),
                reserved.by.as_str().into(),
                reserved.at.into(),
                lease_until.into(),
            ],
        )
        .await?;
        tx.commit_bookkeeping().await?;
        Ok(import)
    }

    /// # Errors
    /// [`LedgerError::NotReserved`] when it was abandoned meanwhile: stop, its files may be gone.
    pub async fn extend_lease(&self, import: ImportId, lease_until: Timestamp) -> Result<(), LedgerError> {
        let mut tx = self.begin().await?;
        tx.require_reserved(import).await?;
        let sql = "UPDATE import_lease SET lease_until = $2 WHERE import_id = $1";
        tx.run(sql, vec![import.into(), lease_until.into()]).await?;
        tx.commit_bookkeeping().await
    }

    /// From now on this import cannot commit. Only then may its files be swept.
    ///
    /// # Errors
    /// [`LedgerError::NotReserved`] when it was committed.
    pub async fn abandon_import(&self, import: ImportId) -> Result<(), LedgerError> {
        let mut tx = self.begin().await?;
        match tx.lease_state(import).await?.as_deref() {
            Some("abandoned") => return Ok(()),
            _ => tx.require_reserved(import).await?,
        }
        tx.set_lease_state(import, "abandoned").await?;
        tx.commit_bookkeeping().await
    }

    /// Give back the number of an import that left nothing behind: a dry run, or one that was refused.
    pub async fn release_import(&self, import: ImportId) -> Result<(), LedgerError> {
        let mut tx = self.begin().await?;
        tx.require_reserved(import).await?;
        tx.run("DELETE FROM import_lease WHERE import_id = $1", vec![import.into()]).await?;
        tx.commit_bookkeeping().await
    }

    /// Imports whose lease ended before `now` and that were not committed: abandon each, then sweep it.
    pub async fn expired_imports(&self, now: Timestamp) -> Result<Vec<ImportLease>, LedgerError> {
        let mut leases = self.read().await?.list_leases().await?;
        leases.retain(|lease| lease.lease_until < now);
        Ok(leases)
    }
}

impl Reader {
    /// Imports that are running, or were when something stopped them.
    pub async fn list_leases(&mut self) -> Result<Vec<ImportLease>, LedgerError> {
        let query = Query::new(
            "SELECT import_id, source_key, by_user, at, lease_until FROM import_lease \
             WHERE state = 'pending' ORDER BY import_id",
        );
        self.rows(query, |row| {
            Ok(ImportLease {
                import: row.import("import_id")?,
                source_key: row.text("source_key")?,
                reserved: row.stamp()?,
                lease_until: row.at("lease_until")?,
            })
        })
        .await
    }

    async fn lease_state(&mut self, import: ImportId) -> Result<Option<String>, LedgerError> {
        let query = Query::new("SELECT state FROM import_lease WHERE import_id = $1").bind(import);
        self.row(query, |row| row.text("state")).await
    }
}

impl Tx {
    pub(crate) async fn require_reserved(&mut self, import: ImportId) -> Result<(), LedgerError> {
        match self.lease_state(import).await?.as_deref() {
            Some("pending") => Ok(()),
            state => {
                let state = state.unwrap_or("unknown").to_owned();
                Err(LedgerError::NotReserved { import, state })
            }
        }
    }

    pub(crate) async fn set_lease_state(&mut self, import: ImportId, state: &str) -> Result<(), LedgerError> {
        let sql = "UPDATE import_lease SET state = $2 WHERE import_id = $1";
        self.run(sql, vec![import.into(), state.into()]).await?;
        Ok(())
    }
}
