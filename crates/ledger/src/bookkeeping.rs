//! What is written beside the books: who is signed in, what was tried. It reads as a [`Reader`] does and
//! cannot write what belongs to the books, so it needs no audit row.

use std::ops::{Deref, DerefMut};

use crate::error::LedgerError;
use crate::ledger::Ledger;
use crate::query::Reader;
use crate::tx::Tx;

/// A transaction of what is no part of the books. Dropped, it never was.
#[derive(Debug)]
pub struct Bookkeeping(pub(crate) Tx);

impl Deref for Bookkeeping {
    type Target = Reader;

    fn deref(&self) -> &Reader {
        &self.0
    }
}

impl DerefMut for Bookkeeping {
    fn deref_mut(&mut self) -> &mut Reader {
        &mut self.0
    }
}

impl Ledger {
    /// # Errors
    /// [`LedgerError::Busy`] when acts did not end within half a minute.
    pub async fn bookkeeping(&self) -> Result<Bookkeeping, LedgerError> {
        Ok(Bookkeeping(self.begin().await?))
    }
}

impl Bookkeeping {
    pub async fn commit(self) -> Result<(), LedgerError> {
        self.0.commit_bookkeeping().await
    }
}
