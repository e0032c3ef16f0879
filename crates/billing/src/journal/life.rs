//! The life of a journal: exported, then accepted, rejected or waived. Accounting answers outside of this
//! program; what it said is recorded here, because a month is not final before its money has arrived.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::Period;
use crate::period::{PeriodState, Stamp};

/// Where a journal is in its life. A state carries its facts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", tag = "state")]
pub enum JournalState {
    /// Handed to accounting, which has not answered.
    Exported,
    /// In the books of accounting. This is final.
    Accepted { accepted: Stamp, note: Option<String> },
    /// Accounting did not take it: what it posted counts as not posted.
    Rejected {
        rejected: Stamp,
        reason: String,
        /// The document that posts it again.
        replaced_by: Option<String>,
    },
    /// Accounting gives no answer, and somebody said why none is needed: it counts as posted.
    Waived { waived: Stamp, reason: String },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum JournalAct {
    Accept,
    Reject,
    Waive,
}

/// Why an answer is refused. The message reads after "cannot reject J-2025-01-1: ".
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JournalRefusal {
    #[error("accounting has accepted it, which is final")]
    Accepted,
    #[error("accounting has rejected it")]
    Rejected,
    #[error("it was rejected, and {0} posts it again")]
    Replaced(String),
    #[error("it was waived already")]
    Waived,
    #[error("its period is finalized")]
    Finalized,
    #[error("no reason was given")]
    NoReason,
}

/// A [`JournalRefusal`] with the act and the document.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("cannot {act} {document}: {why}")]
pub struct RefusedAnswer {
    pub act: JournalAct,
    pub document: String,
    pub why: JournalRefusal,
}

impl JournalState {
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            JournalState::Exported => "exported",
            JournalState::Accepted { .. } => "accepted",
            JournalState::Rejected { .. } => "rejected",
            JournalState::Waived { .. } => "waived",
        }
    }

    /// Whether what it posts counts as posted: everything but what accounting rejected.
    #[must_use]
    pub const fn stands(&self) -> bool {
        !matches!(self, JournalState::Rejected { .. })
    }

    /// Whether a period can be finalized with it.
    #[must_use]
    pub const fn is_answered(&self) -> bool {
        !matches!(self, JournalState::Exported)
    }

    #[must_use]
    pub const fn is_accepted(&self) -> bool {
        matches!(self, JournalState::Accepted { .. })
    }

    /// Accounting has it in its books. What was rejected by mistake is accepted as long as no other
    /// document posts it again: otherwise the same money would be in the books twice.
    ///
    /// # Errors
    /// When it is accepted already, or replaced.
    pub fn accept(self, accepted: Stamp, note: Option<String>) -> Result<JournalState, JournalRefusal> {
        match self {
            JournalState::Accepted { .. } => Err(JournalRefusal::Accepted),
            JournalState::Rejected { replaced_by: Some(by), .. } => Err(JournalRefusal::Replaced(by)),
            JournalState::Exported | JournalState::Waived { .. } | JournalState::Rejected { .. } => {
                Ok(JournalState::Accepted { accepted, note })
            }
        }
    }

    /// Accounting did not take it; `reason` in its words. What was waived may still be rejected, but not
    /// in a finalized period, where nothing could be posted in its stead.
    ///
    /// # Errors
    /// When it is accepted or rejected, when the period is finalized, or without a reason.
    pub fn reject(
        self,
        rejected: Stamp,
        reason: &str,
        period: &PeriodState,
    ) -> Result<JournalState, JournalRefusal> {
        match self {
            JournalState::Accepted { .. } => Err(JournalRefusal::Accepted),
            JournalState::Rejected { replaced_by: Some(by), .. } => Err(JournalRefusal::Replaced(by)),
            JournalState::Rejected { .. } => Err(JournalRefusal::Rejected),
            JournalState::Exported | JournalState::Waived { .. } => {
                if matches!(period, PeriodState::Finalized { .. }) {
                    return Err(JournalRefusal::Finalized);
                }
                let reason = said(reason)?;
                Ok(JournalState::Rejected { rejected, reason, replaced_by: None })
            }
        }
    }

    /// Go on without an answer of accounting.
    ///
    /// # Errors
    /// When there is an answer, or without a reason.
    pub fn waive(self, waived: Stamp, reason: &str) -> Result<JournalState, JournalRefusal> {
        match self {
            JournalState::Accepted { .. } => Err(JournalRefusal::Accepted),
            JournalState::Rejected { replaced_by: Some(by), .. } => Err(JournalRefusal::Replaced(by)),
            JournalState::Rejected { .. } => Err(JournalRefusal::Rejected),
            JournalState::Waived { .. } => Err(JournalRefusal::Waived),
            JournalState::Exported => Ok(JournalState::Waived { waived, reason: said(reason)? }),
        }
    }
}

fn said(reason: &str) -> Result<String, JournalRefusal> {
    let reason = reason.trim();
    if reason.is_empty() { Err(JournalRefusal::NoReason) } else { Ok(reason.to_owned()) }
}

impl JournalRefusal {
    /// The whole sentence, with the act and the document.
    #[must_use]
    pub fn of(self, act: JournalAct, document: &str) -> RefusedAnswer {
        RefusedAnswer { act, document: document.to_owned(), why: self }
    }
}

impl RefusedAnswer {
    /// The way on, as a command.
    #[must_use]
    pub fn hint(&self, period: Period) -> String {
        let document = &self.document;
        match &self.why {
            JournalRefusal::Accepted if self.act == JournalAct::Accept => {
                format!("nothing is to be done; `journals list --period {period}` shows what else is open")
            }
            JournalRefusal::Accepted => {
                "what is wrong with it is corrected in an open period, and posted there".to_owned()
            }
            JournalRefusal::Rejected if self.act == JournalAct::Waive => format!(
                "`export-journal --period {period}` posts it again; if accounting took it after all, \
                 `journals accept {document}`"
            ),
            JournalRefusal::Rejected => format!("`export-journal --period {period}` posts it again"),
            JournalRefusal::Replaced(by) => {
                format!("`journals {} {by}` is about what is posted now", self.act)
            }
            JournalRefusal::Waived => {
                format!(
                    "`journals accept {document}` or `journals reject {document} --reason …` when there is an answer"
                )
            }
            JournalRefusal::Finalized => {
                "a finalized period stays as it is: bill what is missing in an open period".to_owned()
            }
            JournalRefusal::NoReason => {
                format!("`journals {} {document} --reason \"fund 40210 has ended\"`", self.act)
            }
        }
    }
}

/// The act as it reads before a document, and as its command is called.
impl fmt::Display for JournalAct {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            JournalAct::Accept => "accept",
            JournalAct::Reject => "reject",
            JournalAct::Waive => "waive",
        })
    }
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::*;

    fn stamp() -> Stamp {
        Stamp { by: "casey".to_owned(), at: "2025-02-03T10:00:00Z".parse().unwrap() }
    }

    fn states() -> [JournalState; 5] {
        let rejected = |replaced_by: Option<&str>| JournalState::Rejected {
            rejected: stamp(),
            reason: "fund ended".to_owned(),
            replaced_by: replaced_by.map(str::to_owned),
        };
        [
            JournalState::Exported,
            JournalState::Waived { waived: stamp(), reason: "no reply file".to_owned() },
            rejected(None),
            rejected(Some("J-2025-01-2")),
            JournalState::Accepted { accepted: stamp(), note: None },
        ]
    }

    /// Every answer in every state and period, as a table.
    #[test]
    fn what_may_be_answered_when() {
        let periods = [
            PeriodState::Open,
            PeriodState::Closed { closed: stamp() },
            PeriodState::Finalized { closed: stamp(), finalized: stamp() },
        ];
        let mut table = Vec::new();
        for state in states() {
            let replaced = matches!(&state, JournalState::Rejected { replaced_by: Some(_), .. });
            table.push(format!("{}{}:", state.name(), if replaced { ", replaced" } else { "" }));
            for act in [JournalAct::Accept, JournalAct::Reject, JournalAct::Waive] {
                let outcomes = periods.each_ref().map(|period| {
                    let state = state.clone();
                    let next = match act {
                        JournalAct::Accept => state.accept(stamp(), None),
                        JournalAct::Reject => state.reject(stamp(), "why", period),
                        JournalAct::Waive => state.waive(stamp(), "why"),
                    };
                    next.map_or_else(|why| why.to_string(), |next| next.name().to_owned())
                });
                let [open, closed, finalized] = outcomes;
                assert_eq!(open, closed, "{act}: accounting answers in its own time");
                let finalized =
                    if finalized == closed { String::new() } else { format!(" (finalized: {finalized})") };
                table.push(format!("  {act:<6} {closed}{finalized}"));
            }
        }
        assert_snapshot!(table.join("\n"), @"
        exported:
          accept accepted
          reject rejected (finalized: its period is finalized)
          waive  waived
        waived:
          accept accepted
          reject rejected (finalized: its period is finalized)
          waive  it was waived already
        rejected:
          accept accepted
          reject accounting has rejected it
          waive  accounting has rejected it
        rejected, replaced:
          accept it was rejected, and J-2025-01-2 posts it again
          reject it was rejected, and J-2025-01-2 posts it again
          waive  it was rejected, and J-2025-01-2 posts it again
        accepted:
          accept accounting has accepted it, which is final
          reject accounting has accepted it, which is final
          waive  accounting has accepted it, which is final
        ");
    }

    #[test]
    fn what_counts_as_posted_and_as_answered() {
        let facts: Vec<_> = states().iter().map(|state| (state.stands(), state.is_answered())).collect();
        assert_eq!(facts, [(true, false), (true, true), (false, true), (false, true), (true, true)]);
    }

    #[test]
    fn a_rejection_and_a_waiver_need_a_reason() {
        let closed = PeriodState::Closed { closed: stamp() };
        for reason in ["", "  "] {
            assert_eq!(
                JournalState::Exported.reject(stamp(), reason, &closed),
                Err(JournalRefusal::NoReason)
            );
            assert_eq!(JournalState::Exported.waive(stamp(), reason), Err(JournalRefusal::NoReason));
        }
    }

    #[test]
    fn a_refusal_names_the_document_the_reason_and_the_way_on() {
        let period = "2025-01".parse().unwrap();
        let say = |why: JournalRefusal, act| {
            let refused = why.of(act, "J-2025-01-1");
            format!("{refused}\n{}", refused.hint(period))
        };
        assert_snapshot!(say(JournalRefusal::Accepted, JournalAct::Reject), @"
        cannot reject J-2025-01-1: accounting has accepted it, which is final
        what is wrong with it is corrected in an open period, and posted there
        ");
        assert_snapshot!(say(JournalRefusal::Rejected, JournalAct::Waive), @"
        cannot waive J-2025-01-1: accounting has rejected it
        `export-journal --period 2025-01` posts it again; if accounting took it after all, `journals accept J-2025-01-1`
        ");
        assert_snapshot!(say(JournalRefusal::Replaced("J-2025-01-2".to_owned()), JournalAct::Accept), @"
        cannot accept J-2025-01-1: it was rejected, and J-2025-01-2 posts it again
        `journals accept J-2025-01-2` is about what is posted now
        ");
    }
}
