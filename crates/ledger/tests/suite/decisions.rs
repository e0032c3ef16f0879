//! Decisions, their undoing, and how they are read as of a number.

use billing::decision::{Decision, Reassignment};
use billing::{ChargeId, ContentDigest, Fingerprint, ImportId};
use ledger::*;

use crate::engines::{benches, commit, stamp};
use crate::imports::{amount, name, period};

pub fn act(kind: &str, minute: i64) -> NewDecisionAct {
    NewDecisionAct {
        kind: kind.to_owned(),
        note: Some(format!("{kind} it")),
        filter: serde_json::json!({ "flag": "pattern_match" }),
        cost: amount("12.500000000000000001"),
        stamp: stamp("reviewer", minute),
    }
}

fn about(row: i64, decision: Decision) -> NewDecision {
    NewDecision {
        source: name("AWS"),
        fingerprint: Fingerprint(u64::MAX - row.cast_unsigned()),
        ordinal: 1,
        content_digest: ContentDigest(1 << 63),
        charge: ChargeId { import: ImportId(12), row },
        period: period("2025-01"),
        decision,
    }
}

fn rows(decisions: &[DecisionRow]) -> Vec<i64> {
    decisions.iter().map(|decision| decision.charge.row).collect()
}

#[tokio::test]
async fn a_decision_is_read_as_it_was_recorded() {
    for bench in benches("decision").await {
        let change = Reassignment { fund_org: Some("1-2".to_owned()), ..Reassignment::default() };
        let decisions = [
            about(1, Decision::Approve),
            about(2, Decision::Reject),
            about(3, Decision::Defer { to: period("2025-02") }),
            about(4, Decision::Reassign { change }),
            NewDecision { source: name("HPC"), period: period("2024-12"), ..about(5, Decision::Approve) },
        ];
        let mut tx = bench.begin().await;
        let digest = tx.record_decisions(&act("mixed", 1), &decisions).await.unwrap();
        let second = tx.record_decisions(&act("mixed", 1), &decisions).await.unwrap_err();
        assert_eq!(second.to_string(), "the decision act `2` is in the ledger already");
        commit(tx, "review.decided").await;

        let mut reader = bench.ledger.read().await.unwrap();
        let read = reader.decisions_for(&DecisionFilter::default(), None).await.unwrap();
        let again: Vec<NewDecision> = read
            .iter()
            .map(|row| NewDecision {
                source: name(&row.source_key),
                fingerprint: row.fingerprint,
                ordinal: row.ordinal,
                content_digest: row.content_digest,
                charge: row.charge,
                period: row.period,
                decision: row.decision.clone(),
            })
            .collect();
        assert_eq!(again, decisions);
        let told = &read[0].act;
        assert_eq!((told.count, told.cost, &told.list_digest), (5, amount("12.500000000000000001"), &digest));
        assert_eq!((told.note.as_deref(), &told.stamp), (Some("mixed it"), &stamp("reviewer", 1)));

        let cases = [
            (
                DecisionFilter { periods: vec![period("2025-01")], ..DecisionFilter::default() },
                vec![1, 2, 3, 4],
            ),
            (
                DecisionFilter { sources: vec![name("hpc"), name("gcp")], ..DecisionFilter::default() },
                vec![5],
            ),
            (DecisionFilter { deferred_to: Some(period("2025-02")), ..DecisionFilter::default() }, vec![3]),
            (
                DecisionFilter { fingerprint: Some(decisions[1].fingerprint), ..DecisionFilter::default() },
                vec![2],
            ),
            (DecisionFilter { number: Some(LedgerNumber(1)), ..DecisionFilter::default() }, vec![]),
        ];
        for (filter, expected) in cases {
            assert_eq!(rows(&reader.decisions_for(&filter, None).await.unwrap()), expected, "{filter:?}");
        }
    }
}

#[tokio::test]
async fn an_undone_decision_no_longer_counts_from_then_on() {
    for bench in benches("undo").await {
        let all = DecisionFilter::default();
        let mut tx = bench.begin().await;
        let decisions =
            [about(1, Decision::Approve), about(2, Decision::Approve), about(3, Decision::Approve)];
        tx.record_decisions(&act("approve", 1), &decisions).await.unwrap();
        let decided = commit(tx, "review.approved").await;

        let mut tx = bench.begin().await;
        let second = tx.decisions_for(&all, None).await.unwrap()[1].id;
        tx.undo_decisions(&[second], &act("undo", 2)).await.unwrap();
        assert_eq!(rows(&tx.decisions_for(&all, None).await.unwrap()), [1, 3]);
        let once = commit(tx, "review.undone").await;

        let mut tx = bench.begin().await;
        let twice = tx.undo_decisions(&[second], &act("undo", 3)).await.unwrap_err();
        assert_eq!(
            twice.to_string(),
            format!("decision {decided}.{} cannot be undone: it does not stand", second.n)
        );
        assert_eq!(rows(&tx.undo_act(decided, &act("undo", 3)).await.unwrap()), [1, 3]);
        let rest = commit(tx, "review.undone").await;

        let mut tx = bench.begin().await;
        let nothing = tx.undo_act(decided, &act("undo", 4)).await.unwrap_err();
        assert_eq!(nothing.to_string(), "act 2 cannot be undone: no decision of it stands");
        for (as_of, expected) in [(decided, vec![1, 2, 3]), (once, vec![1, 3]), (rest, vec![])] {
            assert_eq!(rows(&tx.decisions_for(&all, Some(as_of)).await.unwrap()), expected, "as of {as_of}");
        }
        let history = DecisionFilter { undone: true, ..DecisionFilter::default() };
        let undone: Vec<_> =
            tx.decisions_for(&history, None).await.unwrap().iter().map(|row| row.undone_by).collect();
        assert_eq!(undone, [Some(rest), Some(once), Some(rest)]);
        let kinds: Vec<String> =
            tx.list_decision_acts(None).await.unwrap().into_iter().map(|act| act.kind).collect();
        assert_eq!(kinds, ["approve", "undo", "undo"]);
    }
}

#[tokio::test]
async fn more_decisions_than_one_statement_holds_are_all_there() {
    for bench in benches("bulk").await {
        let decisions: Vec<NewDecision> = (1..=2_000).map(|row| about(row, Decision::Approve)).collect();
        let mut tx = bench.begin().await;
        tx.record_decisions(&act("approve", 1), &decisions).await.unwrap();
        commit(tx, "review.approved").await;
        let mut reader = bench.ledger.read().await.unwrap();
        let read = reader.decisions_for(&DecisionFilter::default(), None).await.unwrap();
        assert_eq!(rows(&read), (1..=2_000).collect::<Vec<_>>());
        assert!(reader.verify_books().await.unwrap().is_sound());
    }
}
