//! The effective configuration by digest, so that what was computed with it can be computed again.

use crate::books::{Table, sha256_hex};
use crate::error::LedgerError;
use crate::query::{Query, Reader};
use crate::tx::Tx;

pub(crate) const CONFIGURATION: Table = Table { name: "configuration", columns: &["digest", "effective"] };

impl Reader {
    /// The effective configuration (canonical JSON without secrets) with this digest.
    pub async fn find_configuration(&mut self, digest: &str) -> Result<Option<String>, LedgerError> {
        let query = Query::new("SELECT effective FROM configuration WHERE digest = $1").bind(digest);
        self.row(query, |row| row.text("effective")).await
    }

    /// # Errors
    /// [`LedgerError::Missing`] when no act kept it.
    pub async fn load_configuration(&mut self, digest: &str) -> Result<String, LedgerError> {
        self.find_configuration(digest).await?.ok_or_else(|| LedgerError::missing("configuration", digest))
    }
}

impl Tx {
    /// Keep the effective configuration; again costs nothing. Returns its digest, the SHA-256 of the text.
    pub async fn keep_configuration(&mut self, effective: &str) -> Result<String, LedgerError> {
        let digest = sha256_hex(effective.as_bytes());
        if self.find_configuration(&digest).await?.is_none() {
            self.insert_one(&CONFIGURATION, vec![digest.as_str().into(), effective.into()]).await?;
        }
        Ok(digest)
    }
}
