//! The same books in another place, either way.

use ledger::*;
use sqlx::Executor;

use crate::engines::{Bench, benches, commit, event, postgres_schema, stamp};
use crate::imports::{name, period};

/// Rows with and without values in columns that may be empty, of text and of numbers.
async fn some_acts(bench: &Bench) {
    let mut tx = bench.begin().await;
    tx.create_source(&NewSource { name: name("AWS"), description: None }, &stamp("office", 1)).await.unwrap();
    let described = NewSource { name: name("HPC"), description: Some("Größe – 大きさ".to_owned()) };
    tx.create_source(&described, &stamp("office", 2)).await.unwrap();
    commit(tx, "source.created").await;
    for month in 1..=12 {
        let mut tx = bench.begin().await;
        let month = period(&format!("2025-{month:02}"));
        tx.record_period(month, PeriodAct::Opened, &stamp("office", 3), None, None).await.unwrap();
        tx.record_period(month, PeriodAct::Closed, &stamp("office", 3), Some("done"), None).await.unwrap();
        commit(tx, "period.closed").await;
    }
    bench.ledger.reserve_import(&name("AWS"), &stamp("office", 4), crate::engines::at(9)).await.unwrap();
}

/// An empty place on the other engine, or a second one on this.
async fn elsewhere(bench: &Bench, folder: &std::path::Path, test: &str) -> Location {
    match (bench.location.engine(), std::env::var("FOCUS_BILLING_TEST_POSTGRES")) {
        (EngineName::Sqlite, Ok(url)) => postgres_schema(&url, test).await,
        _ => Location::Sqlite(folder.join(format!("{test}/ledger.db"))),
    }
}

#[tokio::test]
async fn a_copy_has_the_same_numbers_and_goes_on_from_there() {
    for bench in benches("copied").await {
        some_acts(&bench).await;
        let folder = tempfile::tempdir().unwrap();
        let there = elsewhere(&bench, folder.path(), "copy").await;
        let mut original = bench.ledger.read().await.unwrap();
        let copied = original.copy_to(&there, Some(event("ledger.copied", "ledger"))).await.unwrap();
        assert_eq!(copied.head, original.head());
        assert!(copied.tables.contains(&("period_event", 24)), "{copied:?}");
        assert!(copied.tables.contains(&("import_lease", 1)), "{copied:?}");

        let copy = Ledger::open(&there, &stamp("office", 5)).await.unwrap();
        let mut reader = copy.read().await.unwrap();
        assert_eq!(reader.installation().await.unwrap(), original.installation().await.unwrap());
        assert_eq!(reader.list_sources().await.unwrap(), original.list_sources().await.unwrap());
        assert_eq!(reader.list_leases().await.unwrap(), original.list_leases().await.unwrap());
        let both = AuditFilter { to: Some(original.head()), ..AuditFilter::default() };
        assert_eq!(reader.list_audit(&both).await.unwrap(), original.list_audit(&both).await.unwrap());
        assert_eq!(reader.head().0, original.head().0 + 1, "that it is a copy is its next act");
        drop(reader);

        // It refuses changes as the original does, and goes on.
        let mut tx = copy.begin().await.unwrap();
        tx.record_period(period("2026-01"), PeriodAct::Opened, &stamp("office", 6), None, None)
            .await
            .unwrap();
        commit(tx, "period.opened").await;
        let check = copy.read().await.unwrap().verify_books().await.unwrap();
        assert_eq!((check.findings, check.head.0), (vec![], original.head().0 + 2));

        // And back again.
        let back = Location::Sqlite(folder.path().join("back.db"));
        let copied = copy.read().await.unwrap().copy_to(&back, None).await.unwrap();
        assert_eq!(copied.head, check.head);
        let back = Ledger::open(&back, &stamp("office", 7)).await.unwrap();
        let again = back.read().await.unwrap().verify_books().await.unwrap();
        assert_eq!((again.head, again.head_hash), (check.head, check.head_hash));
    }
}

#[tokio::test]
async fn a_copy_goes_into_nothing_else() {
    for bench in benches("occupied").await {
        let folder = tempfile::tempdir().unwrap();
        let mut reader = bench.ledger.read().await.unwrap();
        let refused = reader.copy_to(&bench.location, None).await.unwrap_err().to_string();
        let refused = refused.replace(&bench.location.to_string(), "…");
        insta::allow_duplicates! {
            insta::assert_snapshot!(refused, @"`…` is not empty: it holds a ledger already; nothing was written to it; name an empty database");
        }
        let foreign = folder.path().join("notes.txt");
        std::fs::write(&foreign, "x".repeat(200)).unwrap();
        let refused = reader.copy_to(&Location::Sqlite(foreign.clone()), None).await.unwrap_err();
        assert!(matches!(refused, LedgerError::Foreign { .. }), "{refused}");
        assert_eq!(std::fs::read_to_string(&foreign).unwrap().len(), 200);
    }
}

#[tokio::test]
async fn books_that_do_not_prove_are_not_copied() {
    for bench in benches("tampered_copy").await {
        some_acts(&bench).await;
        bench.tamper("period_event", "UPDATE period_event SET note = 'other' WHERE period = '2025-03'").await;
        let folder = tempfile::tempdir().unwrap();
        let there = elsewhere(&bench, folder.path(), "tampered").await;
        let mut reader = bench.ledger.read().await.unwrap();
        let refused = reader.copy_to(&there, None).await.unwrap_err().to_string();
        let refused = refused.replace(&there.to_string(), "…");
        insta::allow_duplicates! {
            insta::assert_snapshot!(refused, @"the copy in `…` is not the same: rows that act 5 wrote were edited, added or removed; nothing of it was kept");
        }
        // The place is as empty as before.
        let fresh = Ledger::open(&there, &stamp("office", 9)).await.unwrap();
        assert_eq!(fresh.read().await.unwrap().head(), LedgerNumber(1));
        let mut behind = bench.behind().await;
        assert!(behind.execute("SELECT 1").await.is_ok());
    }
}
