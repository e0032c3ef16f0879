//! A ledger of every released schema is opened by today's program: brought up to date in one transaction,
//! after it was kept as it was; and nothing that was said in it is lost.

use std::path::{Path, PathBuf};

use ledger::*;
use sqlx::{AnyConnection, AssertSqlSafe, Connection, Executor, Row};

use crate::engines::{postgres_schema, schema_version, stamp};

/// Every fixture with its schema version, oldest first.
fn fixtures() -> Vec<(i64, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/ledgers");
    let mut found: Vec<(i64, String)> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| {
            let path = entry.unwrap().path();
            let name = path.file_stem().unwrap().to_str().unwrap();
            let version = name.strip_prefix("schema-").unwrap().parse().unwrap();
            (version, std::fs::read_to_string(&path).unwrap())
        })
        .collect();
    found.sort();
    assert_eq!(found[0].0, 1, "the first schema is the oldest that people have");
    found
}

async fn connect(location: &Location) -> AnyConnection {
    sqlx::any::install_default_drivers();
    let url = match location {
        Location::Sqlite(path) => format!("sqlite://{}?mode=rwc", path.display()),
        Location::Postgres(url) => url.clone(),
    };
    AnyConnection::connect(&url).await.unwrap()
}

async fn execute(location: &Location, sql: String) {
    let mut connection = connect(location).await;
    connection.execute(sqlx::raw_sql(AssertSqlSafe(sql))).await.unwrap();
    connection.close().await.unwrap();
}

/// The ledger of a fixture, as its program left it: on SQLite, and on PostgreSQL where there is one.
async fn places(folder: &Path, test: &str, version: i64, dump: &str) -> Vec<Location> {
    let file = Location::Sqlite(folder.join(format!("schema-{version}/ledger.db")));
    std::fs::create_dir(folder.join(format!("schema-{version}"))).unwrap();
    execute(&file, dump.to_owned()).await;
    let Ok(url) = std::env::var("FOCUS_BILLING_TEST_POSTGRES") else { return vec![file] };
    let server = postgres_schema(&url, &format!("upgrade_{test}_{version}")).await;
    let migrations = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations/postgres");
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(migrations).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    for file in &files[..usize::try_from(version).unwrap()] {
        execute(&server, std::fs::read_to_string(file).unwrap()).await;
    }
    let rows: Vec<&str> = dump.lines().filter(|line| line.starts_with("INSERT INTO")).collect();
    execute(&server, rows.join("\n")).await;
    vec![file, server]
}

async fn one_number(connection: &mut AnyConnection, sql: &str) -> i64 {
    connection.fetch_one(AssertSqlSafe(sql)).await.unwrap().get(0)
}

/// Every line of the ledger that people look at, as text.
async fn words(reader: &mut Reader) -> String {
    let imports = reader.list_imports(&ImportFilter::default()).await.unwrap();
    let parts = reader.list_parts(&PartFilter::default(), None).await.unwrap();
    let statements = reader.list_statements(&StatementFilter::default(), None).await.unwrap();
    let decisions = reader.decisions_for(&DecisionFilter::default(), None).await.unwrap();
    let journals = reader.list_journals(None, None).await.unwrap();
    format!("{imports:#?}{parts:#?}{statements:#?}{decisions:#?}{journals:#?}")
}

#[tokio::test]
async fn a_ledger_of_every_schema_is_upgraded_and_kept_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    for (version, dump) in fixtures() {
        let mut told = Vec::new();
        for location in places(folder.path(), "every", version, &dump).await {
            let mut old = connect(&location).await;
            let head = one_number(&mut old, "SELECT number FROM ledger_head").await;
            let lines = one_number(&mut old, "SELECT COUNT(*) FROM statement_line").await;
            old.close().await.unwrap();
            assert!(20 < head && 4 < lines, "a fixture holds something of everything");

            let ledger = Ledger::open(&location, &stamp("office", 0)).await.unwrap();
            let mut reader = ledger.read().await.unwrap();
            let check = reader.verify_books().await.unwrap();
            assert_eq!(check.findings, vec![], "schema {version} on {location}");
            let installation = reader.installation().await.unwrap();
            assert_eq!(installation.schema_version, schema_version());
            let upgraded = i64::from(version < schema_version());
            assert_eq!(reader.head().0, head + upgraded, "an upgrade is an act, and opening is none");
            let last = reader.find_audit(reader.head()).await.unwrap().unwrap();
            assert_eq!(last.act == "installation.upgraded", upgraded == 1);
            told.push(words(&mut reader).await);
            drop(reader);
            if let Location::Sqlite(_) = location {
                assert_eq!(schema(&location).await, schema(&new_ledger(folder.path()).await).await);
            }
            kept_as_it_was(&ledger, version, head).await;
        }
        assert!(told.windows(2).all(|pair| pair[0] == pair[1]), "both engines read schema {version} alike");
        assert!(told[0].contains("ann@example.edu"));
    }
}

/// Every table, index and guard, by name.
async fn schema(location: &Location) -> Vec<String> {
    let mut connection = connect(location).await;
    let sql =
        "SELECT type || ' ' || name FROM sqlite_master WHERE name NOT LIKE 'sqlite_%' ORDER BY type, name";
    let rows = connection.fetch_all(sql).await.unwrap();
    connection.close().await.unwrap();
    rows.iter().map(|row| row.get(0)).collect()
}

async fn new_ledger(folder: &Path) -> Location {
    let location = Location::Sqlite(folder.join("new.db"));
    Ledger::open(&location, &stamp("office", 0)).await.unwrap().close().await;
    location
}

/// What stands beside an upgraded file is the ledger before, whole and untouched.
async fn kept_as_it_was(ledger: &Ledger, version: i64, head: i64) {
    let (now, place) = (schema_version(), ledger.location().to_string());
    let kept = ledger.upgraded().and_then(|upgraded| {
        assert_eq!((upgraded.from, upgraded.to), (version, now));
        upgraded.kept.clone()
    });
    if version == now || ledger.location().engine() == EngineName::Postgres {
        assert_eq!(kept, None);
        return;
    }
    let kept = kept.unwrap();
    assert_eq!(kept.display().to_string(), format!("{place}.before-schema-{now}"));
    let mut old = connect(&Location::Sqlite(kept)).await;
    assert_eq!(one_number(&mut old, "SELECT schema_version FROM installation").await, version);
    assert_eq!(one_number(&mut old, "SELECT number FROM ledger_head").await, head);
    assert_eq!(one_number(&mut old, "SELECT COUNT(*) FROM audit").await, head);
    old.close().await.unwrap();
}

#[tokio::test]
async fn an_upgrade_that_cannot_be_kept_is_not_made() {
    let folder = tempfile::tempdir().unwrap();
    let (version, dump) = fixtures().remove(0);
    let location = places(folder.path(), "unkept", version, &dump).await.remove(0);
    let Location::Sqlite(path) = &location else { unreachable!() };
    // Something that cannot be removed stands where the copy is written first.
    let now = schema_version();
    let in_the_way = path.with_file_name(format!("ledger.db.before-schema-{now}.writing"));
    std::fs::create_dir(&in_the_way).unwrap();
    let refused = Ledger::open(&location, &stamp("office", 0)).await.unwrap_err().to_string();
    let refused = refused.replace(&location.to_string(), "…");
    insta::assert_snapshot!(refused, @"cannot keep a copy of the ledger `…` before its upgrade, so it was not upgraded");
    let mut old = connect(&location).await;
    assert_eq!(one_number(&mut old, "SELECT schema_version FROM installation").await, version);
    old.close().await.unwrap();

    std::fs::remove_dir(&in_the_way).unwrap();
    let ledger = Ledger::open(&location, &stamp("office", 0)).await.unwrap();
    assert_eq!(ledger.upgraded().map(|upgraded| upgraded.from), Some(version));
}

#[tokio::test]
async fn what_an_earlier_upgrade_kept_is_never_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    let (version, dump) = fixtures().remove(0);
    let location = places(folder.path(), "earlier", version, &dump).await.remove(0);
    let earlier = PathBuf::from(format!("{location}.before-schema-{}", schema_version()));
    std::fs::write(&earlier, "of other books").unwrap();
    let ledger = Ledger::open(&location, &stamp("office", 0)).await.unwrap();
    assert_eq!(std::fs::read_to_string(&earlier).unwrap(), "of other books");
    let kept = ledger.upgraded().and_then(|upgraded| upgraded.kept.clone()).unwrap();
    assert_eq!(kept.display().to_string(), format!("{}.2", earlier.display()));
}

#[tokio::test]
async fn two_may_upgrade_it_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let (version, dump) = fixtures().remove(0);
    for location in places(folder.path(), "at_once", version, &dump).await {
        let by = stamp("office", 0);
        let (one, two) = tokio::join!(Ledger::open(&location, &by), Ledger::open(&location, &by));
        let (one, two) = (one.unwrap(), two.unwrap());
        assert_ne!(one.upgraded().is_some(), two.upgraded().is_some(), "one of them did it");
        let mut reader = one.read().await.unwrap();
        assert!(reader.verify_books().await.unwrap().is_sound());
    }
}
