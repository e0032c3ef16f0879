//! Which database an installation of a story has its ledger in.

use std::sync::atomic::{AtomicUsize, Ordering};

use sqlx::{AnyConnection, AssertSqlSafe, Connection, Executor};

use super::{CONFIG, Home};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    Sqlite,
    /// A schema of its own in the database of `FOCUS_BILLING_TEST_POSTGRES`.
    Postgres,
}

/// `SQLite` always, `PostgreSQL` where there is one (`scripts/with-postgres`).
pub fn engines() -> Vec<Engine> {
    let mut engines = vec![Engine::Sqlite];
    if std::env::var_os("FOCUS_BILLING_TEST_POSTGRES").is_some() {
        engines.push(Engine::Postgres);
    }
    engines
}

impl Engine {
    /// What stories run on that do not say it themselves: `FOCUS_BILLING_TEST_ENGINE=postgres` turns them.
    pub fn of_stories() -> Engine {
        match std::env::var("FOCUS_BILLING_TEST_ENGINE").as_deref() {
            Ok("postgres") => Engine::Postgres,
            Ok(other) if other != "sqlite" => panic!("FOCUS_BILLING_TEST_ENGINE: no engine `{other}`"),
            _ => Engine::Sqlite,
        }
    }

    /// The URL of an empty database; `None` is the file that is there without any configuration.
    pub(super) fn empty_database(self) -> Option<String> {
        match self {
            Engine::Sqlite => None,
            Engine::Postgres => Some(empty_schema()),
        }
    }
}

/// The URL of a new schema on the test server.
pub fn empty_schema() -> String {
    static SERIAL: AtomicUsize = AtomicUsize::new(0);
    let url = std::env::var("FOCUS_BILLING_TEST_POSTGRES").expect("scripts/with-postgres sets it");
    let serial = SERIAL.fetch_add(1, Ordering::Relaxed);
    let schema = format!("story_{}_{serial}", std::process::id());
    sql(&url, &format!("CREATE SCHEMA {schema}"));
    let mark = if url.contains('?') { '&' } else { '?' };
    format!("{url}{mark}options=-c%20search_path%3D{schema}")
}

/// Run SQL in a database, behind the back of the program.
pub fn sql(url: &str, text: &str) {
    sqlx::any::install_default_drivers();
    let run = async {
        let mut connection = AnyConnection::connect(url).await.unwrap();
        connection.execute(sqlx::raw_sql(AssertSqlSafe(text.to_owned()))).await.unwrap();
        connection.close().await.unwrap();
    };
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(run);
}

impl Home {
    /// An installation with [`CONFIG`] and January 2025 open, its ledger in a database of this engine.
    pub fn on(engine: Engine) -> Home {
        let home = Home::bare_on(engine);
        home.write("config.yaml", CONFIG);
        home.open("2025-01");
        home
    }

    /// The URL of its database, when it is on a server.
    pub fn database(&self) -> Option<String> {
        self.database.clone()
    }
}
