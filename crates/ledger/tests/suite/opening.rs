//! Opening: what is created, what is taken as it is, what is refused untouched.

use std::path::Path;

use ledger::*;
use sqlx::{AnyConnection, AssertSqlSafe, Connection, Executor};

use crate::engines::{at, benches, commit, postgres_schema, schema_version, stamp};

async fn sqlite_with(path: &Path, sql: &str) {
    sqlx::any::install_default_drivers();
    let mut connection =
        AnyConnection::connect(&format!("sqlite://{}?mode=rwc", path.display())).await.unwrap();
    connection.execute(sqlx::raw_sql(AssertSqlSafe(sql.to_owned()))).await.unwrap();
    connection.close().await.unwrap();
}

async fn refused(location: &Location) -> String {
    Ledger::open(location, &stamp("office", 0)).await.unwrap_err().to_string()
}

/// The file's names and bytes.
fn everything(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| {
            let entry = entry.unwrap();
            (entry.file_name().into_string().unwrap(), std::fs::read(entry.path()).unwrap())
        })
        .collect();
    files.sort();
    files
}

#[tokio::test]
async fn a_ledger_is_opened_again_as_it_was() {
    for bench in benches("again").await {
        let mut tx = bench.begin().await;
        tx.fix_currency(money::CurrencyCode::USD).await.unwrap();
        tx.fix_currency(money::CurrencyCode::USD).await.unwrap();
        let other = tx.fix_currency("EUR".parse().unwrap()).await.unwrap_err();
        assert_eq!(
            other.to_string(),
            "the ledger is kept in `USD`, not in `EUR`; one ledger has one currency"
        );
        let digest = tx.keep_configuration("{\"currency\":\"$\"}").await.unwrap();
        assert_eq!(tx.keep_configuration("{\"currency\":\"$\"}").await.unwrap(), digest);
        commit(tx, "test.kept").await;
        let before = bench.ledger.read().await.unwrap().installation().await.unwrap();
        bench.ledger.close().await;

        let again = Ledger::open(&bench.location, &stamp("somebody", 99)).await.unwrap();
        let mut reader = again.read().await.unwrap();
        assert_eq!(reader.installation().await.unwrap(), before);
        assert_eq!((before.created_at, before.id.len()), (at(0), 16));
        assert_eq!(reader.head(), LedgerNumber(2), "opening is no act");
        assert_eq!(reader.load_configuration(&digest).await.unwrap(), "{\"currency\":\"$\"}");
        let missing = reader.load_configuration("0").await.unwrap_err().to_string();
        assert_eq!(missing, "the configuration `0` is not in the ledger");
    }
}

#[tokio::test]
async fn another_programs_database_is_refused_untouched() {
    let earlier = "PRAGMA journal_mode = WAL; CREATE TABLE billing_periods (id INTEGER); \
                   CREATE TABLE charges (id INTEGER); CREATE TABLE schema_version (version INTEGER)";
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("billing.db");
    sqlite_with(&path, earlier).await;
    let before = everything(folder.path());
    let message = refused(&Location::Sqlite(path)).await.replace(folder.path().to_str().unwrap(), "…");
    insta::assert_snapshot!(message, @"`…/billing.db` is not a ledger of OpenChargeback: it holds other tables (`billing_periods`, `charges`, `schema_version`); nothing was written to it; name another place, for example `ledger.db`");
    assert_eq!(everything(folder.path()), before);
}

#[tokio::test]
async fn a_file_that_is_no_database_is_refused_untouched() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notes.txt");
    std::fs::write(
        &path,
        "Dear diary, this is longer than a header of SQLite, which has one hundred bytes in all.\n",
    )
    .unwrap();
    let before = everything(folder.path());
    let message = refused(&Location::Sqlite(path)).await.replace(folder.path().to_str().unwrap(), "…");
    insta::assert_snapshot!(message, @"`…/notes.txt` is not a ledger of OpenChargeback: it is not a database; nothing was written to it; name another place, for example `ledger.db`");
    assert_eq!(everything(folder.path()), before);
}

#[tokio::test]
async fn a_schema_with_other_tables_is_refused() {
    let Ok(url) = std::env::var("FOCUS_BILLING_TEST_POSTGRES") else { return };
    let location = postgres_schema(&url, "foreign").await;
    let Location::Postgres(own) = &location else { unreachable!() };
    let mut connection = AnyConnection::connect(own).await.unwrap();
    connection.execute("CREATE TABLE charges (id BIGINT)").await.unwrap();
    let message = refused(&location).await;
    assert!(message.contains("it holds other tables (`charges`); nothing was written to it"), "{message}");
    assert!(!message.contains("search_path"), "{message}");
}

#[tokio::test]
async fn an_empty_file_and_an_empty_database_become_ledgers() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("empty.db"), "").unwrap();
    sqlite_with(&folder.path().join("blank.db"), "CREATE TABLE t (a); DROP TABLE t").await;
    for name in ["empty.db", "blank.db", "new folder/100 % ledger?.db"] {
        let location = Location::from_setting(name, folder.path());
        let ledger = Ledger::open(&location, &stamp("office", 0)).await.unwrap();
        assert_eq!(ledger.read().await.unwrap().head(), LedgerNumber(1), "{name}");
        assert!(folder.path().join(name).exists(), "{name}");
    }
}

#[tokio::test]
async fn a_newer_schema_is_refused_by_name() {
    for bench in benches("newer").await {
        let mut behind = bench.behind().await;
        behind.execute("UPDATE installation SET schema_version = 99").await.unwrap();
        bench.ledger.close().await;
        let ours = format!("newer than {}", schema_version());
        let message = refused(&bench.location).await.replace(&bench.location.to_string(), "…");
        let message = message.replace(&ours, "newer than ours");
        insta::allow_duplicates! {
            insta::assert_snapshot!(message, @"the ledger `…` has schema version 99, newer than ours, which this program knows; use the program that wrote it, or a newer one");
        }
    }
}

#[tokio::test]
async fn two_may_create_it_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let mut locations = vec![Location::Sqlite(folder.path().join("ledger.db"))];
    if let Ok(url) = std::env::var("FOCUS_BILLING_TEST_POSTGRES") {
        locations.push(postgres_schema(&url, "at_once").await);
    }
    for location in locations {
        let by = stamp("office", 0);
        let (one, two) = tokio::join!(Ledger::open(&location, &by), Ledger::open(&location, &by));
        for ledger in [one.unwrap(), two.unwrap()] {
            assert_eq!(ledger.read().await.unwrap().verify_audit().await.unwrap().rows, 1);
        }
    }
}

#[test]
fn a_location_never_shows_a_password() {
    let home = Path::new("/srv/billing");
    let url = "postgres://office:s3cret@db.example.edu:5432/billing?password=s3cret";
    let location = Location::from_setting(url, home);
    assert_eq!(format!("{location} {location:?}").matches("s3cret").count(), 0);
    assert_eq!(location.to_string(), "postgres://db.example.edu:5432/billing");
    let socket = "postgres://office:s3cret@localhost/billing?password=s3cret&host=/run/postgresql";
    let socket = Location::from_setting(socket, home).to_string();
    assert_eq!(socket, "postgres://localhost/billing?host=/run/postgresql");
    let path = Location::from_setting("sqlite:instance/ledger.db", home);
    assert_eq!(path.to_string(), "/srv/billing/instance/ledger.db");
    let path = Location::from_setting("instance/ledger.db", home);
    assert_eq!(path.to_string(), "/srv/billing/instance/ledger.db");
}
