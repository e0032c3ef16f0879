//! The life of a period, as of any number.

use billing::period::PeriodState;
use ledger::*;

use crate::engines::{benches, commit, stamp};
use crate::imports::period;

#[tokio::test]
async fn a_period_is_what_its_events_say_as_of_a_number() {
    for bench in benches("period").await {
        let january = period("2025-01");
        let events = [
            (PeriodAct::Opened, Some("first month"), None),
            (PeriodAct::Closed, None, Some("c1")),
            (PeriodAct::Reopened, Some("late delivery"), None),
            (PeriodAct::Closed, Some("all in"), Some("c2")),
            (PeriodAct::Finalized, None, None),
        ];
        let mut numbers = Vec::new();
        for (minute, (act, note, configuration)) in (1..).zip(events) {
            let mut tx = bench.begin().await;
            tx.record_period(january, act, &stamp("office", minute), note, configuration).await.unwrap();
            numbers.push(commit(tx, "period.changed").await);
        }
        let mut tx = bench.begin().await;
        tx.record_period(period("2024-12"), PeriodAct::Opened, &stamp("office", 9), None, None)
            .await
            .unwrap();
        commit(tx, "period.opened").await;

        let closed = |minute| PeriodState::Closed { closed: stamp("office", minute) };
        let finalized = PeriodState::Finalized { closed: stamp("office", 4), finalized: stamp("office", 5) };
        let expected = [
            (PeriodState::Open, None),
            (closed(2), Some("c1")),
            (PeriodState::Open, None),
            (closed(4), Some("c2")),
            (finalized, Some("c2")),
        ];
        let mut reader = bench.ledger.read().await.unwrap();
        assert_eq!(reader.find_period(january, Some(LedgerNumber(1))).await.unwrap(), None);
        for (number, (state, closed_with)) in numbers.iter().zip(expected) {
            let record = reader.find_period(january, Some(*number)).await.unwrap().unwrap();
            assert_eq!((&record.state, record.closed_with()), (&state, closed_with), "as of {number}");
        }
        let all = reader.list_periods(None).await.unwrap();
        assert_eq!(all.iter().map(|record| record.period).collect::<Vec<_>>(), [period("2024-12"), january]);
        let notes: Vec<_> = all[1].events.iter().filter_map(|event| event.note.as_deref()).collect();
        assert_eq!(notes, ["first month", "late delivery", "all in"]);
    }
}
