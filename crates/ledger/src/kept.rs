//! Sums that are kept so that pages need not ask the lake: bookkeeping, not books. What they were made of
//! stands beside them, so that sums of other books, settings or programs are never taken for today's.

use billing::{LedgerNumber, Period};

use crate::error::LedgerError;
use crate::ledger::Ledger;
use crate::query::{Query, Reader};

/// The last act that changed which charges there are, or where they stand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LastChange {
    pub number: LedgerNumber,
    /// Of its audit row: of two ledgers that were one once, the same number may be two acts.
    pub hash: String,
}

/// Parts that began or ceased to count, decisions, unusual cost, and the settings of a close. An undone
/// decision counts for every period: there are few.
const CHANGED: [&str; 4] = ["part_event", "decision", "unusual_cost", "period_event"];

impl Reader {
    /// The last change of the charges that a period has or bills (of all periods when `None`). `None` when an
    /// act under way has changed them.
    pub async fn last_change(&mut self, period: Option<Period>) -> Result<Option<LastChange>, LedgerError> {
        let mut periods: Vec<Period> = period.into_iter().collect();
        if let Some(period) = period {
            // Also from where something was deferred that no longer is: what stays in the list can only
            // make the number larger.
            let query = Query::new("SELECT DISTINCT period FROM decision WHERE deferred_to = $1");
            periods.extend(self.rows(query.bind(period), |row| row.period("period")).await?);
        }
        let mut query = Query::new("SELECT MAX(number) AS number FROM (SELECT MAX(number) AS number");
        query = query.then("FROM decision_undo");
        for table in CHANGED {
            query = query.then(&format!("UNION ALL SELECT MAX(number) AS number FROM {table} WHERE 1 = 1"));
            query = query.and_in("period", periods.iter().copied());
        }
        let query = query.then(") changed");
        let number = self.row(query, |row| row.opt_int("number")).await?.flatten().unwrap_or_default();
        if self.head().0 < number {
            return Ok(None);
        }
        let query = Query::new("SELECT hash FROM audit WHERE number = $1").bind(number);
        let hash = self.row(query, |row| row.text("hash")).await?.unwrap_or_default();
        Ok(Some(LastChange { number: LedgerNumber(number), hash }))
    }

    /// The kept sums of a period, if they were made of this.
    pub async fn find_kept_sums(
        &mut self,
        period: Period,
        made_of: &str,
    ) -> Result<Option<String>, LedgerError> {
        let query = Query::new("SELECT sums FROM kept_sums WHERE period = $1").bind(period);
        self.row(query.and("made_of =", made_of), |row| row.text("sums")).await
    }
}

impl Ledger {
    /// Keep the sums of a period instead of those that were kept.
    pub async fn keep_sums(&self, period: Period, made_of: &str, sums: &str) -> Result<(), LedgerError> {
        let mut tx = self.begin().await?;
        tx.run(
            "INSERT INTO kept_sums (period, made_of, sums) VALUES ($1, $2, $3) \
             ON CONFLICT (period) DO UPDATE SET made_of = excluded.made_of, sums = excluded.sums",
            vec![period.into(), made_of.into(), sums.into()],
        )
        .await?;
        tx.commit_bookkeeping().await
    }
}
