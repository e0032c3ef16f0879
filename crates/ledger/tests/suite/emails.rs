//! At most once.

use billing::StatementNumber;
use ledger::*;

use crate::engines::{Bench, at, benches, commit, stamp};
use crate::imports::period;

fn message(id: &str) -> EmailMessage {
    EmailMessage {
        message_id: id.to_owned(),
        period: period("2025-01"),
        pi_email: "jane@example.edu".to_owned(),
        subject: "Statements for January 2025".to_owned(),
        statements: vec![
            StatementVersion { number: StatementNumber("S-2025-01-0001".to_owned()), version: 1 },
            StatementVersion { number: StatementNumber("S-2025-01-0002".to_owned()), version: 3 },
        ],
        digest: "e".repeat(64),
    }
}

async fn queued(bench: &Bench, id: &str) {
    let mut tx = bench.begin().await;
    tx.queue_message(&message(id), &stamp("office", 1)).await.unwrap();
    commit(tx, "email.queued").await;
}

#[tokio::test]
async fn a_message_is_read_as_it_was_queued() {
    for bench in benches("message").await {
        queued(&bench, "a@x").await;
        queued(&bench, "b@x").await;
        queued(&bench, "a@x").await;
        let mut tx = bench.begin().await;
        let other = EmailMessage { digest: "f".repeat(64), ..message("a@x") };
        let refused = tx.queue_message(&other, &stamp("office", 2)).await.unwrap_err();
        assert_eq!(refused.to_string(), "the message `a@x` is in the ledger already");
        tx.record_sending("b@x", &stamp("office", 3)).await.unwrap();
        tx.record_failed("b@x", "550 no such user", &stamp("office", 4)).await.unwrap();
        let all = tx.list_messages(&EmailFilter::default()).await.unwrap();
        let states: Vec<_> = all.iter().map(|record| (&record.message, record.state)).collect();
        let (a, b) = (message("a@x"), message("b@x"));
        assert_eq!(states, [(&a, MessageState::Queued), (&b, MessageState::Failed)]);
        assert_eq!(all[1].events[2].error.as_deref(), Some("550 no such user"));
        let none = EmailFilter { period: Some(period("2025-02")), ..EmailFilter::default() };
        assert_eq!(tx.list_messages(&none).await.unwrap(), vec![]);
    }
}

#[tokio::test]
async fn only_what_did_not_go_out_is_sent() {
    use MessageState::{Failed, Queued, Sending, Sent, Uncertain};
    // What may follow a state; everything else is refused.
    let table = [
        (Queued, vec![Sending]),
        (Sending, vec![Sent, Failed, Uncertain]),
        (Sent, vec![]),
        (Failed, vec![Sending]),
        (Uncertain, vec![Queued]),
    ];
    for bench in benches("at_most_once").await {
        for (state, followers) in &table {
            for next in [Queued, Sending, Sent, Failed, Uncertain] {
                let mut tx = bench.begin().await;
                tx.queue_message(&message("m@x"), &stamp("office", 1)).await.unwrap();
                if *state != Queued {
                    step(&mut tx, Sending).await.unwrap();
                }
                if !matches!(state, Queued | Sending) {
                    step(&mut tx, *state).await.unwrap();
                }
                let done = step(&mut tx, next).await;
                assert_eq!(done.is_ok(), followers.contains(&next), "{state:?} to {next:?}");
                let now = tx.find_message("m@x").await.unwrap().unwrap().state;
                assert_eq!(now, if done.is_ok() { next } else { *state });
            }
        }
        let mut tx = bench.begin().await;
        tx.queue_message(&message("m@x"), &stamp("office", 1)).await.unwrap();
        step(&mut tx, Sending).await.unwrap();
        let refused = step(&mut tx, Sending).await.unwrap_err();
        assert_eq!(refused.to_string(), "the message `m@x` cannot be sending: it is sending");
    }
}

async fn step(tx: &mut Tx, next: MessageState) -> Result<(), LedgerError> {
    let by = stamp("office", 2);
    match next {
        MessageState::Queued => tx.retry_uncertain("m@x", &by).await,
        MessageState::Sending => tx.record_sending("m@x", &by).await,
        MessageState::Sent => tx.record_sent("m@x", &by).await,
        MessageState::Failed => tx.record_failed("m@x", "no", &by).await,
        MessageState::Uncertain => tx.record_uncertain("m@x", "lost", &by).await,
    }
}

#[tokio::test]
async fn what_a_crash_left_is_uncertain() {
    for bench in benches("crash").await {
        queued(&bench, "old@x").await;
        queued(&bench, "new@x").await;
        queued(&bench, "waiting@x").await;
        let mut tx = bench.begin().await;
        tx.record_sending("old@x", &stamp("office", 2)).await.unwrap();
        tx.record_sending("new@x", &stamp("office", 20)).await.unwrap();
        assert_eq!(tx.mark_crashed_as_uncertain(at(10), &stamp("office", 21)).await.unwrap(), ["old@x"]);
        assert_eq!(tx.mark_crashed_as_uncertain(at(10), &stamp("office", 22)).await.unwrap(), [""; 0]);
        assert!(tx.record_sending("old@x", &stamp("office", 23)).await.is_err());
        assert!(tx.record_sending("waiting@x", &stamp("office", 23)).await.is_ok());
    }
}
