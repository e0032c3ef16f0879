//! What became of journals: accounting's answers, waivers, and which document posts a rejected one again.

use std::collections::BTreeMap;

use billing::journal::JournalState;
use billing::period::Stamp;
use billing::{LedgerNumber, Period};
use serde::{Deserialize, Serialize};

use crate::books::Table;
use crate::error::LedgerError;
use crate::journal::JournalRow;
use crate::query::{Cells, Query, Reader};
use crate::tx::Tx;

pub(crate) const JOURNAL_EVENT: Table =
    Table { name: "journal_event", columns: &["document", "event", "note", "by_document", "at", "by_user"] };

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum JournalEventKind {
    Accepted,
    Rejected,
    Waived,
    /// Another document posts it again.
    Replaced,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct JournalEvent {
    pub number: LedgerNumber,
    pub kind: JournalEventKind,
    pub stamp: Stamp,
    /// A note, or the reason of a rejection or waiver.
    pub note: Option<String>,
    /// The document that replaces it.
    pub by_document: Option<String>,
}

/// A journal, where it stands, and how it came there (oldest first).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct JournalRecord {
    #[serde(flatten)]
    pub journal: JournalRow,
    #[serde(flatten)]
    pub state: JournalState,
    /// The rejected documents whose money it posts.
    pub replaces: Vec<String>,
    pub events: Vec<JournalEvent>,
}

impl JournalEventKind {
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            JournalEventKind::Accepted => "accepted",
            JournalEventKind::Rejected => "rejected",
            JournalEventKind::Waived => "waived",
            JournalEventKind::Replaced => "replaced",
        }
    }

    fn read(row: &Cells) -> Result<JournalEventKind, LedgerError> {
        match row.str("event")? {
            "accepted" => Ok(JournalEventKind::Accepted),
            "rejected" => Ok(JournalEventKind::Rejected),
            "waived" => Ok(JournalEventKind::Waived),
            "replaced" => Ok(JournalEventKind::Replaced),
            other => Err(LedgerError::unreadable("journal_event.event", other)),
        }
    }
}

fn replay(events: &[JournalEvent]) -> Result<JournalState, LedgerError> {
    let mut state = JournalState::Exported;
    for event in events {
        let (stamp, note) = (event.stamp.clone(), event.note.clone());
        let reason = note.clone().unwrap_or_default();
        state = match (event.kind, state) {
            (JournalEventKind::Accepted, _) => JournalState::Accepted { accepted: stamp, note },
            (JournalEventKind::Rejected, _) => {
                JournalState::Rejected { rejected: stamp, reason, replaced_by: None }
            }
            (JournalEventKind::Waived, _) => JournalState::Waived { waived: stamp, reason },
            (JournalEventKind::Replaced, JournalState::Rejected { rejected, reason, .. }) => {
                JournalState::Rejected { rejected, reason, replaced_by: event.by_document.clone() }
            }
            (JournalEventKind::Replaced, _) => {
                return Err(LedgerError::unreadable("journal_event.event", "replaced before rejected"));
            }
        };
    }
    Ok(state)
}

const EVENTS: &str = "SELECT event.number, event.document, event.event, event.note, event.by_document,
    event.at, event.by_user FROM journal_event event
    JOIN journal ON journal.document = event.document WHERE event.number <= $1";

impl Reader {
    pub async fn find_journal_record(
        &mut self,
        document: &str,
    ) -> Result<Option<JournalRecord>, LedgerError> {
        let Some(journal) = self.find_journal(document).await? else { return Ok(None) };
        let all = self.list_journal_records(Some(journal.period), None).await?;
        Ok(all.into_iter().find(|record| record.journal.document == document))
    }

    /// Oldest first.
    pub async fn list_journal_records(
        &mut self,
        period: Option<Period>,
        as_of: Option<LedgerNumber>,
    ) -> Result<Vec<JournalRecord>, LedgerError> {
        let journals = self.list_journals(period, as_of).await?;
        let query = Query::new(EVENTS).until(as_of).and_some("journal.period =", period);
        let mut events: BTreeMap<String, Vec<JournalEvent>> = BTreeMap::new();
        self.each(query.then("ORDER BY event.number, event.seq"), |row| {
            events.entry(row.text("document")?).or_default().push(JournalEvent {
                number: row.number()?,
                kind: JournalEventKind::read(row)?,
                stamp: row.stamp()?,
                note: row.opt_text("note")?,
                by_document: row.opt_text("by_document")?,
            });
            Ok(())
        })
        .await?;
        let mut replaces: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (document, events) in &events {
            for by in events.iter().filter_map(|event| event.by_document.clone()) {
                replaces.entry(by).or_default().push(document.clone());
            }
        }
        journals
            .into_iter()
            .map(|journal| {
                let events = events.remove(&journal.document).unwrap_or_default();
                let replaces = replaces.remove(&journal.document).unwrap_or_default();
                Ok(JournalRecord { state: replay(&events)?, journal, replaces, events })
            })
            .collect()
    }
}

impl Tx {
    /// Record what the rules of [`billing::journal::JournalState`] allowed. `note` is the reason of a
    /// rejection or waiver, `by_document` posts again what was rejected.
    ///
    /// # Errors
    /// [`LedgerError::Missing`] for a document that was never recorded.
    pub async fn record_journal_event(
        &mut self,
        document: &str,
        kind: JournalEventKind,
        note: Option<&str>,
        by_document: Option<&str>,
        stamp: &Stamp,
    ) -> Result<(), LedgerError> {
        if self.find_journal(document).await?.is_none() {
            return Err(LedgerError::missing("journal", document));
        }
        let row = vec![
            document.into(),
            kind.name().into(),
            note.into(),
            by_document.into(),
            stamp.at.into(),
            stamp.by.as_str().into(),
        ];
        self.insert_one(&JOURNAL_EVENT, row).await?;
        Ok(())
    }
}
