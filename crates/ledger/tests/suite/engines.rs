//! A fresh ledger per engine and test, and a way behind its back.

use billing::period::Stamp;
use jiff::Timestamp;
use ledger::{AuditEvent, EngineName, Ledger, LedgerNumber, Location, Tx};
use sqlx::{AnyConnection, AssertSqlSafe, Connection, Executor};

/// A ledger of one test. The folder (or the schema of the database) is its own.
pub struct Bench {
    pub ledger: Ledger,
    pub location: Location,
    _folder: tempfile::TempDir,
}

/// One bench per engine that is there.
pub async fn benches(test: &str) -> Vec<Bench> {
    let folder = tempfile::tempdir().unwrap();
    let location = Location::Sqlite(folder.path().join("instance/ledger.db"));
    let mut benches = vec![bench(location, folder).await];
    if let Ok(url) = std::env::var("FOCUS_BILLING_TEST_POSTGRES") {
        let folder = tempfile::tempdir().unwrap();
        benches.push(bench(postgres_schema(&url, test).await, folder).await);
    }
    benches
}

async fn bench(location: Location, folder: tempfile::TempDir) -> Bench {
    let ledger = Ledger::open(&location, &stamp("office", 0)).await.unwrap();
    Bench { ledger, location, _folder: folder }
}

/// An empty schema of the test database, named after the test.
pub async fn postgres_schema(url: &str, test: &str) -> Location {
    sqlx::any::install_default_drivers();
    let mut connection = AnyConnection::connect(url).await.unwrap();
    let schema = format!("test_{test}_{}", std::process::id());
    let sql = format!("DROP SCHEMA IF EXISTS {schema} CASCADE; CREATE SCHEMA {schema}");
    connection.execute(sqlx::raw_sql(AssertSqlSafe(sql))).await.unwrap();
    let mark = if url.contains('?') { '&' } else { '?' };
    Location::Postgres(format!("{url}{mark}options=-c%20search_path%3D{schema}"))
}

impl Bench {
    /// Do what the program never does: write to the database directly, triggers out of the way.
    pub async fn tamper(&self, table: &str, sql: &str) {
        let mut connection = self.behind().await;
        let drop = match self.location.engine() {
            EngineName::Sqlite => format!("DROP TRIGGER {table}_no_update; DROP TRIGGER {table}_no_delete"),
            EngineName::Postgres => format!("DROP TRIGGER {table}_no_change ON {table}"),
        };
        connection.execute(sqlx::raw_sql(AssertSqlSafe(drop))).await.unwrap();
        connection.execute(sqlx::raw_sql(AssertSqlSafe(sql.to_owned()))).await.unwrap();
    }

    /// A connection of its own.
    pub async fn behind(&self) -> AnyConnection {
        let url = match &self.location {
            Location::Sqlite(path) => format!("sqlite://{}", path.display()),
            Location::Postgres(url) => url.clone(),
        };
        AnyConnection::connect(&url).await.unwrap()
    }

    pub async fn begin(&self) -> Tx {
        self.ledger.begin().await.unwrap()
    }
}

/// The schema version of today: as many as there are migrations.
pub fn schema_version() -> i64 {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/migrations/sqlite");
    std::fs::read_dir(folder).unwrap().count().try_into().unwrap()
}

/// Minute `minute` of 2025.
pub fn at(minute: i64) -> Timestamp {
    "2025-01-01T00:00:00Z".parse::<Timestamp>().unwrap() + jiff::SignedDuration::from_mins(minute)
}

pub fn stamp(by: &str, minute: i64) -> Stamp {
    Stamp { by: by.to_owned(), at: at(minute) }
}

pub fn event(act: &str, subject: &str) -> AuditEvent {
    AuditEvent::new(&stamp("office", 1), act, subject, serde_json::json!({}))
}

pub async fn commit(tx: Tx, act: &str) -> LedgerNumber {
    tx.commit(event(act, "test")).await.unwrap()
}
