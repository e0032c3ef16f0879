use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use billing::period::Stamp;
use sqlx::AnyPool;
use tokio::sync::Mutex;

use crate::engine::{self, Found, Location, SCHEMA_VERSION};
use crate::error::LedgerError;
use crate::query::Reader;
use crate::tx::Tx;

/// The books of one installation. Cheap to clone; all clones share connections and the writer's turn.
#[derive(Clone, Debug)]
pub struct Ledger {
    pool: AnyPool,
    location: Location,
    /// Tasks of this process take turns here, in order; processes take turns in the database.
    turn: Arc<Mutex<()>>,
    wait: Duration,
    upgraded: Option<Upgraded>,
}

/// What opening did to an older ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upgraded {
    pub from: i64,
    pub to: i64,
    /// The ledger as it was, for SQLite.
    pub kept: Option<PathBuf>,
}

/// How long an act waits for another before it is refused.
pub(crate) const WAIT: Duration = Duration::from_secs(30);

impl Ledger {
    /// Open, and where nothing is yet, create: `stamp` says by whom and when (audit row 1). An older
    /// schema is upgraded in one transaction, after the SQLite file was kept beside it.
    ///
    /// # Errors
    /// [`LedgerError::Foreign`] for a database that is not ours (it is not written to),
    /// [`LedgerError::NewerSchema`], [`LedgerError::Open`].
    pub async fn open(location: &Location, stamp: &Stamp) -> Result<Ledger, LedgerError> {
        Ledger::open_waiting(location, stamp, WAIT).await
    }

    /// [`open`](Ledger::open), with the time that an act waits for another before it is refused.
    pub async fn open_waiting(
        location: &Location,
        stamp: &Stamp,
        wait: Duration,
    ) -> Result<Ledger, LedgerError> {
        let pool = engine::connect(location, wait).await?;
        let mut ledger =
            Ledger { pool, location: location.clone(), turn: Arc::default(), wait, upgraded: None };
        let found = {
            let mut connection =
                ledger.pool.acquire().await.map_err(|error| engine::open_failed(location, error.into()))?;
            engine::look(location, &mut connection).await?
        };
        if found != (Found::Ours { schema_version: SCHEMA_VERSION }) {
            ledger.upgraded = ledger.create_or_upgrade(stamp).await?;
        }
        engine::prepare_file(location, &ledger.pool, wait).await?;
        Ok(ledger)
    }

    async fn create_or_upgrade(&self, stamp: &Stamp) -> Result<Option<Upgraded>, LedgerError> {
        let mut connection = engine::begin_write(&self.location, &self.pool, self.wait).await?;
        // Another process may have been quicker: what is there is asked again under the lock.
        match engine::look(&self.location, &mut connection).await? {
            Found::Nothing => {
                engine::migrate(self.location.engine(), &mut connection, 0).await?;
                crate::installation::create(connection, &self.location, stamp).await?;
                Ok(None)
            }
            Found::Ours { schema_version } if schema_version < SCHEMA_VERSION => {
                let kept = engine::keep_before_upgrade(&self.location, &self.pool, SCHEMA_VERSION).await?;
                engine::migrate(self.location.engine(), &mut connection, schema_version).await?;
                crate::installation::upgrade(connection, &self.location, stamp, schema_version).await?;
                Ok(Some(Upgraded { from: schema_version, to: SCHEMA_VERSION, kept }))
            }
            Found::Ours { .. } => Ok(None),
        }
    }

    #[must_use]
    pub fn location(&self) -> &Location {
        &self.location
    }

    /// What opening changed, when the ledger was of an older schema.
    #[must_use]
    pub fn upgraded(&self) -> Option<&Upgraded> {
        self.upgraded.as_ref()
    }

    /// A snapshot of the books. It holds a connection until it is dropped.
    pub async fn read(&self) -> Result<Reader, LedgerError> {
        let connection = engine::begin_read(&self.location, &self.pool).await?;
        Reader::new(connection, self.location.clone()).await
    }

    /// Begin an act, as the one writer. Dropped without [`Tx::commit`], it never was.
    ///
    /// # Errors
    /// [`LedgerError::Busy`] when other acts did not end within half a minute.
    pub async fn begin(&self) -> Result<Tx, LedgerError> {
        let turn = tokio::time::timeout(self.wait, Arc::clone(&self.turn).lock_owned()).await;
        let turn = turn.map_err(|_| LedgerError::Busy { place: self.location.to_string() })?;
        let connection = engine::begin_write(&self.location, &self.pool, self.wait).await?;
        let reader = Reader::new(connection, self.location.clone()).await?;
        Ok(Tx::new(reader, turn))
    }

    /// Close the connections; on SQLite the write-ahead log is folded into the file.
    pub async fn close(&self) {
        self.pool.close().await;
    }
}
