//! Journals.

use billing::journal::{JournalLine, JournalState, Party, Side};
use ledger::*;
use money::Minor;

use crate::engines::{benches, commit, stamp};
use crate::imports::period;

fn line(side: Side, amount: i64, reference: &str) -> JournalLine {
    JournalLine {
        side,
        party: Party::Payer,
        amount: Minor::new(amount),
        fund_org: "1234-567".to_owned(),
        segments: vec![("fund".to_owned(), "567".to_owned()), ("orgn".to_owned(), "1234".to_owned())],
        account: "7100".to_owned(),
        description: "AWS 2025-01".to_owned(),
        reference_id: reference.to_owned(),
        source_name: "AWS".to_owned(),
        pi_email: Some("jane@example.edu".to_owned()),
        project_id: None,
    }
}

fn journal<'a>(document: &'a str, model: &'a serde_json::Value, lines: &'a [JournalLine]) -> NewJournal<'a> {
    NewJournal {
        document,
        period: period("2025-01"),
        model,
        lines,
        computed_at: LedgerNumber(1),
        configuration_digest: "d",
        rule_version: 1,
    }
}

#[tokio::test]
async fn a_journal_is_found_by_any_reference() {
    for bench in benches("journal").await {
        let lines =
            [line(Side::Debit, 150, "J1-1"), line(Side::Debit, 50, "J1-2"), line(Side::Credit, 200, "J1-1")];
        let model = serde_json::json!({ "b": 1, "a": 2 });
        let mut tx = bench.begin().await;
        assert_eq!(tx.next_journal_sequence(period("2025-01")).await.unwrap(), 1);
        let document = "J-2025-01-1".to_owned();
        let row = tx.record_journal(&journal(&document, &model, &lines), &stamp("office", 1)).await.unwrap();
        assert_eq!((row.lines, row.debits, row.credits), (3, Minor::new(200), Minor::new(200)));
        let again = tx.record_journal(&journal(&document, &model, &lines), &stamp("office", 1)).await;
        assert_eq!(
            again.unwrap_err().to_string(),
            "the journal document `J-2025-01-1` is in the ledger already"
        );
        commit(tx, "journal.recorded").await;

        let mut tx = bench.begin().await;
        assert_eq!(tx.find_journal(&document).await.unwrap().as_ref(), Some(&row));
        assert_eq!(
            tx.find_journal_by_model(period("2025-01"), &row.model_digest).await.unwrap(),
            Some(row.clone())
        );
        assert_eq!(tx.list_journals(None, None).await.unwrap(), vec![row]);
        assert_eq!(tx.list_journals(None, Some(LedgerNumber(1))).await.unwrap(), vec![]);
        assert_eq!(tx.load_journal_model(&document).await.unwrap(), "{\"a\":2,\"b\":1}");
        let read: Vec<JournalLine> =
            tx.list_journal_lines(&document).await.unwrap().into_iter().map(|row| row.posted).collect();
        assert_eq!(read, lines);
        let found = tx.find_journal_lines("J1-1").await.unwrap();
        assert_eq!(found.iter().map(|row| row.line).collect::<Vec<_>>(), [1, 3]);
        assert_eq!(tx.next_journal_sequence(period("2025-01")).await.unwrap(), 2);
        assert_eq!(tx.next_journal_sequence(period("2025-02")).await.unwrap(), 1);
    }
}

#[tokio::test]
async fn an_unbalanced_journal_is_refused() {
    for bench in benches("unbalanced").await {
        let lines = [line(Side::Debit, 150, "a"), line(Side::Credit, 149, "a")];
        let model = serde_json::json!({});
        let mut tx = bench.begin().await;
        let refused = tx.record_journal(&journal("J-2025-01-1", &model, &lines), &stamp("office", 1)).await;
        assert_eq!(
            refused.unwrap_err().to_string(),
            "journal `J-2025-01-1` does not balance: debits 150, credits 149 (minor units)"
        );
    }
}

#[tokio::test]
async fn a_second_export_of_a_format_is_a_copy() {
    for bench in benches("export").await {
        let model = serde_json::json!({});
        let mut tx = bench.begin().await;
        tx.record_journal(&journal("J-2025-01-1", &model, &[]), &stamp("office", 1)).await.unwrap();
        let export = |document, format| NewJournalExport {
            document,
            format,
            sha256: "s",
            path: "output/journals/a.csv",
            size_bytes: 12,
        };
        for (format, copy) in [("gl", false), ("detail", false), ("gl", true)] {
            let made = tx.record_journal_export(&export("J-2025-01-1", format), &stamp("office", 2)).await;
            assert_eq!(made.unwrap(), copy, "{format}");
        }
        let exports = tx.list_journal_exports(Some("J-2025-01-1")).await.unwrap();
        assert_eq!(exports.iter().map(|export| export.copy).collect::<Vec<_>>(), [false, false, true]);
        let unknown = tx.record_journal_export(&export("J-1", "gl"), &stamp("office", 2)).await.unwrap_err();
        assert_eq!(unknown.to_string(), "the journal `J-1` is not in the ledger");
    }
}

#[tokio::test]
async fn a_journal_is_where_its_events_put_it_as_of_a_number() {
    for bench in benches("journal_life").await {
        let model = serde_json::json!({});
        let mut tx = bench.begin().await;
        for document in ["J-2025-01-1", "J-2025-01-2", "J-2025-01-3"] {
            tx.record_journal(&journal(document, &model, &[]), &stamp("office", 1)).await.unwrap();
        }
        let exported = commit(tx, "journal.exported").await;

        let rejected = |replaced_by: Option<&str>| JournalState::Rejected {
            rejected: stamp("accounting", 2),
            reason: "fund ended".to_owned(),
            replaced_by: replaced_by.map(str::to_owned),
        };
        let waived = JournalState::Waived { waived: stamp("office", 3), reason: "no reply".to_owned() };
        let accepted = JournalState::Accepted { accepted: stamp("office", 4), note: Some("JV 7".to_owned()) };
        let mut tx = bench.begin().await;
        for (document, kind, note, stamp) in [
            ("J-2025-01-1", JournalEventKind::Rejected, "fund ended", stamp("accounting", 2)),
            ("J-2025-01-3", JournalEventKind::Waived, "no reply", stamp("office", 3)),
        ] {
            tx.record_journal_event(document, kind, Some(note), None, &stamp).await.unwrap();
        }
        let answered = commit(tx, "journal.rejected").await;
        let mut tx = bench.begin().await;
        for (document, kind, note, by) in [
            ("J-2025-01-1", JournalEventKind::Replaced, None, Some("J-2025-01-2")),
            ("J-2025-01-3", JournalEventKind::Accepted, Some("JV 7"), None),
        ] {
            tx.record_journal_event(document, kind, note, by, &stamp("office", 4)).await.unwrap();
        }
        commit(tx, "journal.exported").await;

        let mut reader = bench.ledger.read().await.unwrap();
        for (as_of, expected) in [
            (Some(exported), [JournalState::Exported, JournalState::Exported, JournalState::Exported]),
            (Some(answered), [rejected(None), JournalState::Exported, waived]),
            (None, [rejected(Some("J-2025-01-2")), JournalState::Exported, accepted]),
        ] {
            let records = reader.list_journal_records(Some(period("2025-01")), as_of).await.unwrap();
            let states: Vec<JournalState> = records.into_iter().map(|record| record.state).collect();
            assert_eq!(states, expected, "as of {as_of:?}");
        }
        let second = reader.find_journal_record("J-2025-01-2").await.unwrap().unwrap();
        assert_eq!((second.replaces, second.events), (vec!["J-2025-01-1".to_owned()], vec![]));
        let third = reader.find_journal_record("J-2025-01-3").await.unwrap().unwrap();
        let notes: Vec<_> = third.events.iter().map(|event| (event.kind, event.note.as_deref())).collect();
        let expected =
            [(JournalEventKind::Waived, Some("no reply")), (JournalEventKind::Accepted, Some("JV 7"))];
        assert_eq!(notes, expected, "what was said before is not lost");
        assert_eq!(reader.list_journal_records(Some(period("2025-02")), None).await.unwrap(), vec![]);
        drop(reader);

        let mut tx = bench.begin().await;
        let accepted = JournalEventKind::Accepted;
        let unknown = tx.record_journal_event("J-1", accepted, None, None, &stamp("office", 5)).await;
        assert_eq!(unknown.unwrap_err().to_string(), "the journal `J-1` is not in the ledger");
    }
}
