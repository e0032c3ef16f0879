//! Periods: the events of each month's life. Notes are part of the events, so none is ever erased.

use std::collections::BTreeMap;

use billing::period::{PeriodState, Stamp};
use billing::{LedgerNumber, Period};
use serde::{Deserialize, Serialize};

use crate::books::Table;
use crate::error::LedgerError;
use crate::query::{Cells, Query, Reader};
use crate::tx::Tx;

pub(crate) const PERIOD_EVENT: Table = Table {
    name: "period_event",
    columns: &["period", "event", "note", "at", "by_user", "configuration_digest"],
};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PeriodAct {
    Opened,
    Closed,
    Reopened,
    Finalized,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PeriodEvent {
    pub number: LedgerNumber,
    pub act: PeriodAct,
    pub stamp: Stamp,
    /// Notes, or the reason of a reopening.
    pub note: Option<String>,
    /// At closing: what the period is computed with from then on.
    pub configuration_digest: Option<String>,
}

/// A period that was opened, where it stands, and how it came there (oldest first).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PeriodRecord {
    pub period: Period,
    #[serde(flatten)]
    pub state: PeriodState,
    pub events: Vec<PeriodEvent>,
}

impl PeriodAct {
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            PeriodAct::Opened => "opened",
            PeriodAct::Closed => "closed",
            PeriodAct::Reopened => "reopened",
            PeriodAct::Finalized => "finalized",
        }
    }

    fn read(row: &Cells) -> Result<PeriodAct, LedgerError> {
        match row.str("event")? {
            "opened" => Ok(PeriodAct::Opened),
            "closed" => Ok(PeriodAct::Closed),
            "reopened" => Ok(PeriodAct::Reopened),
            "finalized" => Ok(PeriodAct::Finalized),
            other => Err(LedgerError::unreadable("period_event.event", other)),
        }
    }
}

impl PeriodRecord {
    /// The configuration the period was closed with, while it is not open.
    #[must_use]
    pub fn closed_with(&self) -> Option<&str> {
        match self.state {
            PeriodState::Open => None,
            PeriodState::Closed { .. } | PeriodState::Finalized { .. } => {
                let closed = self.events.iter().rev().find(|event| event.act == PeriodAct::Closed)?;
                closed.configuration_digest.as_deref()
            }
        }
    }

    fn replay(period: Period, events: Vec<PeriodEvent>) -> Result<PeriodRecord, LedgerError> {
        let mut state = PeriodState::Open;
        for event in &events {
            state = match (event.act, state) {
                (PeriodAct::Opened | PeriodAct::Reopened, _) => PeriodState::Open,
                (PeriodAct::Closed, _) => PeriodState::Closed { closed: event.stamp.clone() },
                (PeriodAct::Finalized, PeriodState::Closed { closed }) => {
                    PeriodState::Finalized { closed, finalized: event.stamp.clone() }
                }
                (PeriodAct::Finalized, _) => {
                    return Err(LedgerError::unreadable("period_event.event", "finalized before closed"));
                }
            };
        }
        Ok(PeriodRecord { period, state, events })
    }
}

const EVENTS: &str = "SELECT number, period, event, note, at, by_user, configuration_digest
    FROM period_event WHERE number <= $1";

impl Reader {
    /// `None` when the period was never opened.
    pub async fn find_period(
        &mut self,
        period: Period,
        as_of: Option<LedgerNumber>,
    ) -> Result<Option<PeriodRecord>, LedgerError> {
        let query = Query::new(EVENTS).until(as_of).and("period =", period);
        Ok(self.replay_periods(query).await?.into_iter().next())
    }

    /// Oldest month first.
    pub async fn list_periods(
        &mut self,
        as_of: Option<LedgerNumber>,
    ) -> Result<Vec<PeriodRecord>, LedgerError> {
        self.replay_periods(Query::new(EVENTS).until(as_of)).await
    }

    async fn replay_periods(&mut self, query: Query) -> Result<Vec<PeriodRecord>, LedgerError> {
        let mut periods: BTreeMap<Period, Vec<PeriodEvent>> = BTreeMap::new();
        self.each(query.then("ORDER BY number, seq"), |row| {
            periods.entry(row.period("period")?).or_default().push(PeriodEvent {
                number: row.number()?,
                act: PeriodAct::read(row)?,
                stamp: row.stamp()?,
                note: row.opt_text("note")?,
                configuration_digest: row.opt_text("configuration_digest")?,
            });
            Ok(())
        })
        .await?;
        periods.into_iter().map(|(period, events)| PeriodRecord::replay(period, events)).collect()
    }
}

impl Tx {
    /// Record what the rules of [`billing::period`] allowed. Closing names the configuration.
    pub async fn record_period(
        &mut self,
        period: Period,
        act: PeriodAct,
        stamp: &Stamp,
        note: Option<&str>,
        configuration_digest: Option<&str>,
    ) -> Result<(), LedgerError> {
        let row = vec![
            period.into(),
            act.name().into(),
            note.into(),
            stamp.at.into(),
            stamp.by.as_str().into(),
            configuration_digest.into(),
        ];
        self.insert_one(&PERIOD_EVENT, row).await?;
        Ok(())
    }
}
