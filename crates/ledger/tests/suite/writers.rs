//! Several writers at once: each act sees what the one before left, and none is lost.

use ledger::*;

use crate::engines::{Bench, benches, commit, event, stamp};
use crate::imports::{name, period};

async fn add_acts(ledger: Ledger, acts: usize) {
    for _ in 0..acts {
        let mut tx = ledger.begin().await.unwrap();
        let number = tx.number();
        tx.record_period(period("2025-01"), PeriodAct::Opened, &stamp("office", 1), None, None)
            .await
            .unwrap();
        assert_eq!(tx.commit(event("period.opened", "2025-01")).await.unwrap(), number);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn acts_of_tasks_and_of_processes_take_turns() {
    for bench in benches("turns").await {
        // A second `Ledger` shares nothing with the first but the database, as another process would.
        let other = Ledger::open(&bench.location, &stamp("office", 0)).await.unwrap();
        let ledgers = [bench.ledger.clone(), bench.ledger.clone(), other.clone(), other];
        let tasks: Vec<_> = ledgers.into_iter().map(|ledger| tokio::spawn(add_acts(ledger, 5))).collect();
        for task in tasks {
            task.await.unwrap();
        }
        let mut reader = bench.ledger.read().await.unwrap();
        let check = reader.verify_books().await.unwrap();
        assert_eq!((check.rows, check.findings), (21, vec![]));
        let record = reader.find_period(period("2025-01"), None).await.unwrap().unwrap();
        let numbers: Vec<i64> = record.events.iter().map(|event| event.number.0).collect();
        assert_eq!(numbers, (2..=21).collect::<Vec<_>>());
    }
}

#[tokio::test]
async fn a_reader_keeps_its_snapshot_while_others_write() {
    for bench in benches("snapshot").await {
        let mut before = bench.ledger.read().await.unwrap();
        let mut tx = bench.begin().await;
        let source = NewSource { name: name("AWS"), description: None };
        tx.create_source(&source, &stamp("office", 1)).await.unwrap();
        assert_eq!(tx.list_sources().await.unwrap().len(), 1, "an act sees what it recorded");
        let mut during = bench.ledger.read().await.unwrap();
        assert_eq!(during.list_sources().await.unwrap(), vec![], "nobody else does before it commits");
        commit(tx, "source.created").await;
        for reader in [&mut before, &mut during] {
            assert_eq!((reader.list_sources().await.unwrap(), reader.head()), (vec![], LedgerNumber(1)));
        }
        assert_eq!(sources(&bench).await, 1);
    }
}

#[tokio::test]
async fn an_act_that_is_dropped_never_was() {
    for bench in benches("dropped").await {
        let mut tx = bench.begin().await;
        let source = NewSource { name: name("AWS"), description: None };
        tx.create_source(&source, &stamp("office", 1)).await.unwrap();
        drop(tx);
        let tx = bench.begin().await;
        assert_eq!(tx.number(), LedgerNumber(2));
        commit(tx, "test.after").await;
        assert_eq!(sources(&bench).await, 0);
        assert!(bench.ledger.read().await.unwrap().verify_books().await.unwrap().is_sound());
    }
}

#[tokio::test]
async fn what_one_engine_cannot_hold_both_refuse() {
    for bench in benches("nul").await {
        let mut tx = bench.begin().await;
        let source = NewSource { name: name("A\0B"), description: None };
        let refused = tx.create_source(&source, &stamp("office", 1)).await.unwrap_err();
        assert_eq!(
            refused.to_string(),
            "the text `a\\0b` holds the character U+0000, which the ledger cannot keep"
        );
    }
}

async fn sources(bench: &Bench) -> usize {
    bench.ledger.read().await.unwrap().list_sources().await.unwrap().len()
}

#[tokio::test]
async fn who_waits_too_long_is_told() {
    let wait = std::time::Duration::from_millis(100);
    for bench in benches("busy").await {
        let hasty = Ledger::open_waiting(&bench.location, &stamp("office", 0), wait).await.unwrap();
        let ours = bench.begin().await;
        let from_outside = hasty.begin().await.unwrap_err();
        commit(ours, "test.ended").await;
        let _second = hasty.begin().await.unwrap();
        let from_inside = hasty.begin().await.unwrap_err();
        for refused in [from_outside, from_inside] {
            let told = refused.to_string().replace(&bench.location.to_string(), "…");
            insta::allow_duplicates! {
                insta::assert_snapshot!(told, @"another act is being written to the ledger `…`, and it did not end in time; try again");
            }
        }
    }
}

/// A server moves what it waits for between threads; this would not compile otherwise.
#[tokio::test]
async fn everything_may_be_awaited_on_any_thread() {
    fn sent<F: Future + Send>(future: F) -> F {
        future
    }
    for bench in benches("send").await {
        let by = stamp("office", 1);
        let mut tx = sent(bench.ledger.begin()).await.unwrap();
        sent(tx.record_decisions(&crate::decisions::act("approve", 1), &[])).await.unwrap();
        sent(tx.mark_crashed_as_uncertain(by.at, &by)).await.unwrap();
        sent(tx.commit(event("test.sent", "threads"))).await.unwrap();
        let mut reader = sent(bench.ledger.read()).await.unwrap();
        sent(reader.live_parts(&PartFilter::default(), None)).await.unwrap();
        sent(reader.decisions_for(&DecisionFilter::default(), None)).await.unwrap();
        sent(reader.current_statement_lines(period("2025-01"), None)).await.unwrap();
        sent(reader.list_messages(&EmailFilter::default())).await.unwrap();
        sent(reader.list_users()).await.unwrap();
        sent(reader.list_periods(None)).await.unwrap();
        sent(reader.list_audit(&AuditFilter::default())).await.unwrap();
        sent(reader.find_same_bytes_elsewhere(&name("AWS"), &["s".to_owned()])).await.unwrap();
        assert!(sent(reader.verify_books()).await.unwrap().is_sound());
    }
}
