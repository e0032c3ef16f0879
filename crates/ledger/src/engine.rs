//! Everything that differs between SQLite and PostgreSQL. All other SQL is one text for both.

use std::fmt::{self, Write};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use sqlx::any::AnyPoolOptions;
use sqlx::{Any, AnyConnection, AnyPool, AssertSqlSafe, Connection, Executor, Row, Transaction};

use crate::books::TABLES;
use crate::error::LedgerError;

/// `PRAGMA application_id` of our SQLite files: `OCbk`. Standing in the file's header, it tells ours from
/// others' before any page is read.
const APPLICATION_ID: u32 = 0x4f43_626b;

/// One migration: its number is its place in the list, from 1.
struct Migration {
    sqlite: &'static str,
    postgres: &'static str,
}

const MIGRATIONS: [Migration; 10] = [
    Migration {
        sqlite: include_str!("../migrations/sqlite/0001_the_books.sql"),
        postgres: include_str!("../migrations/postgres/0001_the_books.sql"),
    },
    Migration {
        sqlite: include_str!("../migrations/sqlite/0002_journal_life.sql"),
        postgres: include_str!("../migrations/postgres/0002_journal_life.sql"),
    },
    Migration {
        sqlite: include_str!("../migrations/sqlite/0003_prune.sql"),
        postgres: include_str!("../migrations/postgres/0003_prune.sql"),
    },
    Migration {
        sqlite: include_str!("../migrations/sqlite/0004_rows_left_out.sql"),
        postgres: include_str!("../migrations/postgres/0004_rows_left_out.sql"),
    },
    Migration {
        sqlite: include_str!("../migrations/sqlite/0005_unusual_cost.sql"),
        postgres: include_str!("../migrations/postgres/0005_unusual_cost.sql"),
    },
    Migration {
        sqlite: include_str!("../migrations/sqlite/0006_rules.sql"),
        postgres: include_str!("../migrations/postgres/0006_rules.sql"),
    },
    Migration {
        sqlite: include_str!("../migrations/sqlite/0007_credits.sql"),
        postgres: include_str!("../migrations/postgres/0007_credits.sql"),
    },
    Migration {
        sqlite: include_str!("../migrations/sqlite/0008_web.sql"),
        postgres: include_str!("../migrations/postgres/0008_web.sql"),
    },
    Migration {
        sqlite: include_str!("../migrations/sqlite/0009_leg_user.sql"),
        postgres: include_str!("../migrations/postgres/0009_leg_user.sql"),
    },
    Migration {
        sqlite: include_str!("../migrations/sqlite/0010_kept_sums.sql"),
        postgres: include_str!("../migrations/postgres/0010_kept_sums.sql"),
    },
];

/// The schema version this program writes.
pub(crate) const SCHEMA_VERSION: i64 = MIGRATIONS.len().cast_signed() as i64;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EngineName {
    Sqlite,
    Postgres,
}

/// Where a ledger is. Shown (and printed for debugging) without a password.
#[derive(Clone, PartialEq, Eq)]
pub enum Location {
    /// A file, relative to the working directory unless absolute.
    Sqlite(PathBuf),
    /// `postgres://user:password@host/database`; `?host=/run/postgresql` for a socket,
    /// `options=-c%20search_path%3Dname` for a schema other than `public`.
    Postgres(String),
}

impl Location {
    /// A URL that begins with `postgres://` or `postgresql://`, else a path (after `sqlite:` or not), taken
    /// from `home` when relative.
    #[must_use]
    pub fn from_setting(text: &str, home: &Path) -> Location {
        if text.starts_with("postgres://") || text.starts_with("postgresql://") {
            Location::Postgres(text.to_owned())
        } else {
            let path = text.strip_prefix("sqlite://").or_else(|| text.strip_prefix("sqlite:"));
            Location::Sqlite(home.join(path.unwrap_or(text)))
        }
    }

    #[must_use]
    pub fn engine(&self) -> EngineName {
        match self {
            Location::Sqlite(_) => EngineName::Sqlite,
            Location::Postgres(_) => EngineName::Postgres,
        }
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Location::Sqlite(path) => write!(f, "{}", path.display()),
            Location::Postgres(url) => {
                let (url, options) = url.split_once(['?', '#']).unwrap_or((url, ""));
                let (scheme, rest) = url.split_once("://").unwrap_or(("postgres", url));
                write!(f, "{scheme}://{}", rest.rsplit_once('@').map_or(rest, |(_, host)| host))?;
                // A socket's folder is where it is.
                let socket = options.split('&').find(|option| option.starts_with("host="));
                socket.map_or(Ok(()), |socket| write!(f, "?{socket}"))
            }
        }
    }
}

impl fmt::Debug for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// What a database is before we touch it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Found {
    Nothing,
    Ours { schema_version: i64 },
}

/// Connect without writing anything, except that an SQLite file that does not exist begins to.
pub(crate) async fn connect(location: &Location, wait: Duration) -> Result<AnyPool, LedgerError> {
    sqlx::any::install_default_drivers();
    let failed = |source| open_failed(location, source);
    let url = match location {
        Location::Sqlite(path) => sqlite_url(path).map_err(|source| open_failed(location, source))?,
        Location::Postgres(url) => url.clone(),
    };
    match location {
        Location::Sqlite(path) => refuse_foreign_file(location, path).await?,
        // A pool tries again until its time is up; a database that is not there is said at once.
        Location::Postgres(url) => {
            let connection = AnyConnection::connect(url).await.map_err(|error| failed(error.into()))?;
            connection.close().await.map_err(|error| failed(error.into()))?;
        }
    }
    let engine = location.engine();
    // FULL: in WAL mode NORMAL could lose the last commits when the power fails.
    // The cache (32 MiB): an act about 100,000 charges fits, instead of being spilled and read again.
    let pragmas = "PRAGMA synchronous = FULL; PRAGMA cache_size = -32768";
    let pragmas: Arc<str> = format!("{pragmas}; PRAGMA busy_timeout = {}", wait.as_millis()).into();
    AnyPoolOptions::new()
        .max_connections(8)
        .acquire_timeout(wait)
        .after_connect(move |connection, _| {
            let pragmas = Arc::clone(&pragmas);
            Box::pin(async move {
                if engine == EngineName::Sqlite {
                    connection.execute(sqlx::raw_sql(AssertSqlSafe(pragmas))).await?;
                }
                Ok(())
            })
        })
        .connect(&url)
        .await
        .map_err(|error| failed(error.into()))
}

pub(crate) fn open_failed(
    location: &Location,
    source: Box<dyn std::error::Error + Send + Sync>,
) -> LedgerError {
    LedgerError::Open { place: location.to_string(), source }
}

/// An absolute `sqlite:` URL; the folder is made when it is not there.
fn sqlite_url(path: &Path) -> Result<String, Box<dyn std::error::Error + Send + Sync>> {
    let path = std::path::absolute(path)?;
    let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else {
        return Err("it names no file".into());
    };
    std::fs::create_dir_all(folder)?;
    // The URL parser resolves `..` as text; links must be followed first.
    let path = folder.canonicalize()?.join(name);
    let text = path.to_str().ok_or("its path is not UTF-8")?;
    let mut url = String::from("sqlite://");
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"/-_.".contains(&byte) {
            url.push(char::from(byte));
        } else {
            let _ = write!(url, "%{byte:02X}");
        }
    }
    url.push_str("?mode=rwc");
    Ok(url)
}

/// Look at the header before SQLite opens the file: even to read, SQLite may write beside it.
async fn refuse_foreign_file(location: &Location, path: &Path) -> Result<(), LedgerError> {
    let mut header = Vec::with_capacity(100);
    match std::fs::File::open(path) {
        Ok(file) => {
            file.take(100).read_to_end(&mut header).map_err(|error| open_failed(location, error.into()))?;
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(open_failed(location, error.into())),
    }
    if header.is_empty() || header.get(68..72) == Some(&APPLICATION_ID.to_be_bytes()) {
        return Ok(());
    }
    let what = if header.starts_with(b"SQLite format 3\0") {
        match foreign_tables(path).await {
            Ok(tables) if tables.is_empty() => return Ok(()),
            Ok(tables) => format!("it holds other tables ({})", named(&tables)),
            Err(_) => "it is another program's database".to_owned(),
        }
    } else {
        "it is not a database".to_owned()
    };
    Err(LedgerError::Foreign { place: location.to_string(), what })
}

/// The tables of another's file, read without taking part in its locking: nothing appears beside it.
async fn foreign_tables(path: &Path) -> Result<Vec<String>, Box<dyn std::error::Error + Send + Sync>> {
    let url = sqlite_url(path)?.replace("?mode=rwc", "?mode=ro&immutable=1");
    let mut connection = AnyConnection::connect(&url).await?;
    let tables = list_tables(EngineName::Sqlite, &mut connection).await?;
    connection.close().await?;
    Ok(tables)
}

fn named(tables: &[String]) -> String {
    let some: Vec<String> = tables.iter().take(4).map(|name| format!("`{name}`")).collect();
    let more = if tables.len() > 4 { ", …" } else { "" };
    format!("{}{more}", some.join(", "))
}

async fn list_tables(engine: EngineName, connection: &mut AnyConnection) -> Result<Vec<String>, sqlx::Error> {
    let sql = match engine {
        EngineName::Sqlite => {
            "SELECT name AS name FROM sqlite_master \
             WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name"
        }
        EngineName::Postgres => {
            "SELECT CAST(table_name AS TEXT) AS name FROM information_schema.tables \
             WHERE table_schema = current_schema() ORDER BY 1"
        }
    };
    connection.fetch_all(sql).await?.iter().map(|row| row.try_get("name")).collect()
}

/// Ours, nothing yet, or a refusal that names what is there.
pub(crate) async fn look(location: &Location, connection: &mut AnyConnection) -> Result<Found, LedgerError> {
    let tables = list_tables(location.engine(), connection).await?;
    if tables.is_empty() {
        return Ok(Found::Nothing);
    }
    let foreign = |what: String| LedgerError::Foreign { place: location.to_string(), what };
    if !["installation", "ledger_head", "audit"].iter().all(|ours| tables.iter().any(|table| table == ours)) {
        return Err(foreign(format!("it holds other tables ({})", named(&tables))));
    }
    let row = connection
        .fetch_optional("SELECT product, schema_version FROM installation")
        .await
        .map_err(|_| foreign("its table `installation` is another program's".to_owned()))?;
    let row = row.ok_or_else(|| foreign("its table `installation` is empty".to_owned()))?;
    let schema_version: i64 = row.try_get("schema_version")?;
    if schema_version > SCHEMA_VERSION {
        let (place, known) = (location.to_string(), SCHEMA_VERSION);
        return Err(LedgerError::NewerSchema { place, found: schema_version, known });
    }
    Ok(Found::Ours { schema_version })
}

/// Begin as the one writer: nobody else writes until this transaction ends.
pub(crate) async fn begin_write(
    location: &Location,
    pool: &AnyPool,
    wait: Duration,
) -> Result<Transaction<'static, Any>, LedgerError> {
    let began = async {
        match location.engine() {
            EngineName::Sqlite => pool.begin_with("BEGIN IMMEDIATE").await,
            EngineName::Postgres => {
                let mut tx = pool.begin().await?;
                // The lock belongs to the schema, so that two ledgers of one database do not wait for
                // each other. It is taken before the first read: what is read is what is committed.
                let sql = format!(
                    "SET LOCAL lock_timeout = {}; SET LOCAL synchronous_commit = on; \
                     SELECT pg_advisory_xact_lock(1329816171, hashtext(current_schema()::text))",
                    wait.as_millis()
                );
                tx.execute(sqlx::raw_sql(AssertSqlSafe(sql))).await?;
                Ok(tx)
            }
        }
    };
    began.await.map_err(|error| busy(location, error))
}

/// Begin a snapshot: every query of the transaction sees the same books.
pub(crate) async fn begin_read(
    location: &Location,
    pool: &AnyPool,
) -> Result<Transaction<'static, Any>, LedgerError> {
    let begin = match location.engine() {
        EngineName::Sqlite => "BEGIN DEFERRED",
        EngineName::Postgres => "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
    };
    pool.begin_with(begin).await.map_err(|error| busy(location, error))
}

/// Name a lock that did not become free; everything else stays as it is.
pub(crate) fn busy(location: &Location, error: sqlx::Error) -> LedgerError {
    let locked = match &error {
        sqlx::Error::PoolTimedOut => true,
        // SQLITE_BUSY (5), SQLITE_LOCKED (6) with their extended codes; PostgreSQL lock_not_available.
        sqlx::Error::Database(error) => error.code().is_some_and(|code| match location.engine() {
            EngineName::Sqlite => code.parse::<i64>().is_ok_and(|code| matches!(code & 0xff, 5 | 6)),
            EngineName::Postgres => code == "55P03",
        }),
        _ => false,
    };
    let place = || location.to_string();
    let lost = match &error {
        sqlx::Error::Io(_) | sqlx::Error::WorkerCrashed => true,
        // Class 08 is connection exceptions, 57P the server being stopped or starting.
        sqlx::Error::Database(error) => error.code().is_some_and(|code| {
            location.engine() == EngineName::Postgres && (code.starts_with("08") || code.starts_with("57P"))
        }),
        _ => false,
    };
    match (locked, lost) {
        (true, _) => LedgerError::Busy { place: place() },
        (false, true) => LedgerError::Lost { place: place(), source: error },
        (false, false) => LedgerError::Database(error),
    }
}

/// Keep an SQLite ledger as it is beside its file, as `ledger.db.before-schema-N`: before the upgrade to
/// schema `to`, while the caller keeps others from writing. PostgreSQL has tools of its own.
pub(crate) async fn keep_before_upgrade(
    location: &Location,
    pool: &AnyPool,
    to: i64,
) -> Result<Option<PathBuf>, LedgerError> {
    let Location::Sqlite(path) = location else { return Ok(None) };
    let failed = |source: Box<dyn std::error::Error + Send + Sync>| LedgerError::NoBackup {
        place: location.to_string(),
        source,
    };
    let named = |ending: &str| {
        let mut name = path.clone().into_os_string();
        name.push(format!(".before-schema-{to}{ending}"));
        PathBuf::from(name)
    };
    // What an earlier upgrade kept may be of other books, if someone put an older file back.
    let kept = std::iter::once(named(""))
        .chain((2..=u32::MAX).map(|n| named(&format!(".{n}"))))
        .find(|path| !path.exists())
        .unwrap_or_else(|| named(".last"));
    let writing = named(".writing");
    match std::fs::remove_file(&writing) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(failed(error.into())),
        _ => {}
    }
    let text = writing.to_str().ok_or_else(|| failed("its path is not UTF-8".into()))?;
    sqlx::query("VACUUM INTO $1").bind(text).execute(pool).await.map_err(|error| failed(error.into()))?;
    failpoint::hit("ledger.upgrade.copied");
    let keep = || {
        std::fs::File::open(&writing)?.sync_all()?;
        std::fs::rename(&writing, &kept)?;
        std::fs::File::open(kept.parent().unwrap_or(Path::new(".")))?.sync_all()
    };
    keep().map_err(|error| failed(error.into()))?;
    failpoint::hit("ledger.upgrade.kept");
    Ok(Some(kept))
}

/// Bring the schema from `from` to ours, within the caller's transaction.
pub(crate) async fn migrate(
    engine: EngineName,
    connection: &mut AnyConnection,
    from: i64,
) -> Result<(), sqlx::Error> {
    let done = usize::try_from(from).unwrap_or(0);
    for migration in MIGRATIONS.iter().skip(done) {
        let sql = match engine {
            EngineName::Sqlite => migration.sqlite,
            EngineName::Postgres => migration.postgres,
        };
        connection.execute(sqlx::raw_sql(sql)).await?;
    }
    match engine {
        EngineName::Sqlite => {
            let sql = format!("PRAGMA application_id = {APPLICATION_ID}");
            connection.execute(sqlx::raw_sql(AssertSqlSafe(sql))).await?;
        }
        EngineName::Postgres => {
            connection.execute(sqlx::raw_sql(REFUSE_CHANGE)).await?;
        }
    }
    for table in TABLES.iter().map(|table| table.name).chain(["audit"]) {
        let sql = append_only(engine, table);
        connection.execute(sqlx::raw_sql(AssertSqlSafe(sql))).await?;
    }
    Ok(())
}

/// Concurrent readers while one writes. Kept in the file; must be outside a transaction.
pub(crate) async fn prepare_file(
    location: &Location,
    pool: &AnyPool,
    wait: Duration,
) -> Result<(), LedgerError> {
    if location.engine() == EngineName::Postgres {
        return Ok(());
    }
    // SQLite does not wait here when another connection is at the same step; waiting is up to us.
    let pause = Duration::from_millis(20);
    let mut waited = Duration::ZERO;
    loop {
        match pool.execute("PRAGMA journal_mode = WAL").await.map_err(|error| busy(location, error)) {
            Err(LedgerError::Busy { .. }) if waited < wait => {
                tokio::time::sleep(pause).await;
                waited += pause;
            }
            done => return done.map(drop),
        }
    }
}

const REFUSE_CHANGE: &str =
    "CREATE OR REPLACE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN RAISE EXCEPTION 'rows of the ledger are never changed (%)', TG_TABLE_NAME; END $$";

/// Triggers that refuse to change or remove a row.
fn append_only(engine: EngineName, table: &str) -> String {
    match engine {
        EngineName::Sqlite => ["UPDATE", "DELETE"]
            .map(|verb| {
                format!(
                    "CREATE TRIGGER IF NOT EXISTS {table}_no_{} BEFORE {verb} ON {table} BEGIN \
                     SELECT RAISE(ABORT, 'rows of the ledger are never changed ({table})'); END;",
                    verb.to_lowercase()
                )
            })
            .join("\n"),
        EngineName::Postgres => format!(
            "CREATE OR REPLACE TRIGGER {table}_no_change BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} \
             FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
        ),
    }
}
