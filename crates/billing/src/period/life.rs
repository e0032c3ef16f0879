//! The life of a period, open to closed to finalized, and what may be done in each state: the table of
//! the design's section "Periods", for every door.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::Period;

/// Who did something, and when: handed in from outside, so that no rule asks the clock.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stamp {
    pub by: String,
    pub at: jiff::Timestamp,
}

impl Stamp {
    /// The day of it, in UTC.
    #[must_use]
    pub fn day(&self) -> jiff::civil::Date {
        self.at.to_zoned(jiff::tz::TimeZone::UTC).date()
    }
}

/// Where a period is in its life. A state carries its facts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", tag = "state")]
pub enum PeriodState {
    Open,
    Closed { closed: Stamp },
    Finalized { closed: Stamp, finalized: Stamp },
}

/// What may be asked of a period.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PeriodAct {
    Import,
    Withdraw,
    /// Approve, reject, defer, undo.
    Review,
    Reassign,
    Split,
    /// Drafts, dry runs, reports: whatever changes nothing.
    Look,
    Generate,
    Send,
    /// Send again what was sent before.
    Resend,
    ExportJournal,
    /// The same bytes of a journal again, marked COPY.
    CopyJournal,
    Close,
    Reopen,
    Finalize,
}

/// Why an act is refused. The message reads after "cannot close 2025-01: ".
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum PeriodRefusal {
    #[error("it is still open")]
    StillOpen,
    #[error("it is not closed")]
    NotClosed,
    #[error("it is closed")]
    Closed,
    #[error("it is closed already")]
    AlreadyClosed,
    #[error("it is finalized")]
    Finalized,
    #[error("it is finalized already")]
    AlreadyFinalized,
    #[error("accounting has accepted a journal of it")]
    JournalAccepted,
    #[error("no reason was given")]
    NoReason,
    #[error("{}", held_text(*.0))]
    Held(usize),
    #[error("{}", unposted_text(*.0))]
    NotPosted(usize),
    #[error("{}", unanswered_text(*.0))]
    Unanswered(usize),
}

/// What keeps a period from being final, in counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Unfinished {
    /// Charges that it bills and that nobody has decided.
    pub held: usize,
    /// Statements that no journal, or only a rejected one, posts as they stand.
    pub unposted: usize,
    /// Journals that accounting has neither accepted nor rejected, and nobody waived.
    pub unanswered: usize,
}

/// A [`PeriodRefusal`] with the act and the period: "cannot finalize 2025-01: 3 charges are still held".
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("cannot {act} {period}: {why}")]
pub struct RefusedAct {
    pub act: PeriodAct,
    pub period: Period,
    pub why: PeriodRefusal,
}

fn held_text(held: usize) -> String {
    if held == 1 { "1 charge is still held".to_owned() } else { format!("{held} charges are still held") }
}

fn unposted_text(statements: usize) -> String {
    if statements == 1 {
        "1 statement is not posted".to_owned()
    } else {
        format!("{statements} statements are not posted")
    }
}

fn unanswered_text(journals: usize) -> String {
    if journals == 1 {
        "1 journal is neither accepted nor waived".to_owned()
    } else {
        format!("{journals} journals are neither accepted nor waived")
    }
}

impl PeriodState {
    #[must_use]
    pub const fn is_open(&self) -> bool {
        matches!(self, PeriodState::Open)
    }

    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            PeriodState::Open => "open",
            PeriodState::Closed { .. } => "closed",
            PeriodState::Finalized { .. } => "finalized",
        }
    }

    /// # Errors
    /// When it is closed or finalized already.
    pub fn close(self, closed: Stamp) -> Result<PeriodState, PeriodRefusal> {
        may(PeriodAct::Close, &self)?;
        Ok(PeriodState::Closed { closed })
    }

    /// Open a closed period again; `reason` is kept by the ledger.
    ///
    /// # Errors
    /// When it is open or finalized, when accounting has accepted a journal of it, or without a reason.
    pub fn reopen(self, reason: &str, journal_accepted: bool) -> Result<PeriodState, PeriodRefusal> {
        may(PeriodAct::Reopen, &self)?;
        if journal_accepted {
            return Err(PeriodRefusal::JournalAccepted);
        }
        if reason.trim().is_empty() {
            return Err(PeriodRefusal::NoReason);
        }
        Ok(PeriodState::Open)
    }

    /// # Errors
    /// When it is open or finalized; when charges that it bills are still held, statements are not
    /// posted, or journals not answered.
    pub fn finalize(self, unfinished: Unfinished, finalized: Stamp) -> Result<PeriodState, PeriodRefusal> {
        may(PeriodAct::Finalize, &self)?;
        let Unfinished { held, unposted, unanswered } = unfinished;
        match self {
            PeriodState::Closed { .. } if held > 0 => Err(PeriodRefusal::Held(held)),
            PeriodState::Closed { .. } if unposted > 0 => Err(PeriodRefusal::NotPosted(unposted)),
            PeriodState::Closed { .. } if unanswered > 0 => Err(PeriodRefusal::Unanswered(unanswered)),
            PeriodState::Closed { closed } => Ok(PeriodState::Finalized { closed, finalized }),
            PeriodState::Open => Err(PeriodRefusal::StillOpen),
            PeriodState::Finalized { .. } => Err(PeriodRefusal::AlreadyFinalized),
        }
    }
}

/// Whether an act is allowed in a state: the one table that every door asks, in the transaction of the
/// act.
///
/// # Errors
/// The reason; [`PeriodRefusal::of`] adds act and period.
pub fn may(act: PeriodAct, state: &PeriodState) -> Result<(), PeriodRefusal> {
    use PeriodAct::{
        Close, CopyJournal, ExportJournal, Finalize, Generate, Import, Look, Reassign, Reopen, Resend,
        Review, Send, Split, Withdraw,
    };
    use PeriodState::{Closed, Finalized, Open};
    match (act, state) {
        (Import | Withdraw | Review | Reassign | Split | Close, Open)
        | (Generate | Send | Resend | ExportJournal | CopyJournal | Reopen | Finalize, Closed { .. })
        | (Resend | CopyJournal, Finalized { .. })
        | (Look, _) => Ok(()),
        (Import | Withdraw | Review | Reassign | Split, Closed { .. }) => Err(PeriodRefusal::Closed),
        (Close, Closed { .. }) => Err(PeriodRefusal::AlreadyClosed),
        (Reopen, Open) => Err(PeriodRefusal::NotClosed),
        (Generate | Send | Resend | ExportJournal | CopyJournal | Finalize, Open) => {
            Err(PeriodRefusal::StillOpen)
        }
        (Finalize, Finalized { .. }) => Err(PeriodRefusal::AlreadyFinalized),
        (
            Import | Withdraw | Review | Reassign | Split | Generate | Send | ExportJournal | Close | Reopen,
            Finalized { .. },
        ) => Err(PeriodRefusal::Finalized),
    }
}

impl PeriodRefusal {
    /// The whole sentence, with the act and the period.
    #[must_use]
    pub fn of(self, act: PeriodAct, period: Period) -> RefusedAct {
        RefusedAct { act, period, why: self }
    }
}

impl RefusedAct {
    /// The way on, as a command.
    #[must_use]
    pub fn hint(&self) -> String {
        let period = self.period;
        match self.why {
            PeriodRefusal::StillOpen => format!("`periods close {period}` first"),
            PeriodRefusal::NotClosed => {
                "nothing is to be done: an open period takes imports and decisions".to_owned()
            }
            PeriodRefusal::Closed if self.act == PeriodAct::Import => {
                format!("`periods reopen {period} --reason …`, or `--only-open` to leave its rows out")
            }
            PeriodRefusal::Closed => format!("`periods reopen {period} --reason …` first"),
            PeriodRefusal::AlreadyClosed => format!("next is `generate --period {period}`"),
            PeriodRefusal::Finalized if self.act == PeriodAct::Import => {
                "a finalized period stays as it is: `--only-open` leaves its rows out".to_owned()
            }
            PeriodRefusal::Finalized => {
                "a finalized period stays as it is: bill what is missing in an open period".to_owned()
            }
            PeriodRefusal::AlreadyFinalized => "nothing is left to be done".to_owned(),
            PeriodRefusal::JournalAccepted => format!(
                "accounting has it in its books: `periods finalize {period}`, and correct it in the next period"
            ),
            PeriodRefusal::NoReason => format!("`periods reopen {period} --reason \"late delivery of HPC\"`"),
            PeriodRefusal::Held(_) => format!(
                "`periods reopen {period} --reason …` to decide them, or `review defer` to bill them next month"
            ),
            PeriodRefusal::NotPosted(_) => format!("`export-journal --period {period}` posts them"),
            PeriodRefusal::Unanswered(_) => {
                "`journals accept ID` or `journals reject ID --reason …` with what accounting says; \
                 `journals waive ID --reason …` goes on without"
                    .to_owned()
            }
        }
    }
}

impl PeriodAct {
    pub const ALL: [PeriodAct; 14] = [
        PeriodAct::Import,
        PeriodAct::Withdraw,
        PeriodAct::Review,
        PeriodAct::Reassign,
        PeriodAct::Split,
        PeriodAct::Look,
        PeriodAct::Generate,
        PeriodAct::Send,
        PeriodAct::Resend,
        PeriodAct::ExportJournal,
        PeriodAct::CopyJournal,
        PeriodAct::Close,
        PeriodAct::Reopen,
        PeriodAct::Finalize,
    ];
}

/// The act as it reads before a period: "cannot import into 2025-01".
impl fmt::Display for PeriodAct {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            PeriodAct::Import => "import into",
            PeriodAct::Withdraw => "withdraw an import from",
            PeriodAct::Review => "decide charges of",
            PeriodAct::Reassign => "reassign charges of",
            PeriodAct::Split => "split charges of",
            PeriodAct::Look => "look at",
            PeriodAct::Generate => "generate statements for",
            PeriodAct::Send => "send statements of",
            PeriodAct::Resend => "send again the statements of",
            PeriodAct::ExportJournal => "export the journal of",
            PeriodAct::CopyJournal => "copy the journal of",
            PeriodAct::Close => "close",
            PeriodAct::Reopen => "reopen",
            PeriodAct::Finalize => "finalize",
        })
    }
}

/// Whether a month that was never seen before is opened by the import that touches it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opening {
    Automatic,
    /// So far from today that it is more likely a mistake: `periods open` says that it is not.
    NeedsCommand,
}

/// A month from 24 months back to 2 ahead of `today` opens by itself.
#[must_use]
pub fn opening(period: Period, today: jiff::civil::Date) -> Opening {
    if (-24..=2).contains(&Period::of(today).months_until(period)) {
        Opening::Automatic
    } else {
        Opening::NeedsCommand
    }
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::*;

    fn stamp(by: &str) -> Stamp {
        Stamp { by: by.to_owned(), at: jiff::Timestamp::UNIX_EPOCH }
    }

    fn states() -> [PeriodState; 3] {
        [
            PeriodState::Open,
            PeriodState::Closed { closed: stamp("ann") },
            PeriodState::Finalized { closed: stamp("ann"), finalized: stamp("bob") },
        ]
    }

    #[test]
    fn the_table_of_acts_and_states() {
        let period: Period = "2025-01".parse().unwrap();
        let row = |act: PeriodAct| {
            let cells = states().map(|state| match may(act, &state) {
                Ok(()) => "yes".to_owned(),
                Err(why) => why.to_string(),
            });
            let sentence = format!("{act} {period}");
            format!("{sentence:42}{:18}{:22}{}", cells[0], cells[1], cells[2])
        };
        let table = PeriodAct::ALL.map(row).join("\n");
        assert_snapshot!(table, @r"
        import into 2025-01                       yes               it is closed          it is finalized
        withdraw an import from 2025-01           yes               it is closed          it is finalized
        decide charges of 2025-01                 yes               it is closed          it is finalized
        reassign charges of 2025-01               yes               it is closed          it is finalized
        split charges of 2025-01                  yes               it is closed          it is finalized
        look at 2025-01                           yes               yes                   yes
        generate statements for 2025-01           it is still open  yes                   it is finalized
        send statements of 2025-01                it is still open  yes                   it is finalized
        send again the statements of 2025-01      it is still open  yes                   yes
        export the journal of 2025-01             it is still open  yes                   it is finalized
        copy the journal of 2025-01               it is still open  yes                   yes
        close 2025-01                             yes               it is closed already  it is finalized
        reopen 2025-01                            it is not closed  yes                   it is finalized
        finalize 2025-01                          it is still open  yes                   it is finalized already
        ");
    }

    #[test]
    fn a_period_goes_through_its_life() {
        let [open, closed, finalized] = states();
        assert_eq!(open.clone().close(stamp("ann")), Ok(closed.clone()));
        assert_eq!(closed.clone().reopen("late file", false), Ok(open));
        assert_eq!(closed.finalize(Unfinished::default(), stamp("bob")), Ok(finalized));
    }

    #[test]
    fn each_refusal_has_its_name() {
        let [open, closed, finalized] = states();
        assert_eq!(closed.clone().close(stamp("bob")), Err(PeriodRefusal::AlreadyClosed));
        assert_eq!(finalized.clone().close(stamp("bob")), Err(PeriodRefusal::Finalized));
        assert_eq!(open.clone().reopen("why", false), Err(PeriodRefusal::NotClosed));
        assert_eq!(finalized.clone().reopen("why", false), Err(PeriodRefusal::Finalized));
        assert_eq!(closed.clone().reopen("why", true), Err(PeriodRefusal::JournalAccepted));
        assert_eq!(closed.clone().reopen(" \t", false), Err(PeriodRefusal::NoReason));
        let done = Unfinished::default();
        assert_eq!(open.finalize(done, stamp("bob")), Err(PeriodRefusal::StillOpen));
        assert_eq!(finalized.finalize(done, stamp("bob")), Err(PeriodRefusal::AlreadyFinalized));
        for (held, unposted, unanswered, why) in [
            (3, 2, 1, PeriodRefusal::Held(3)),
            (0, 2, 1, PeriodRefusal::NotPosted(2)),
            (0, 0, 1, PeriodRefusal::Unanswered(1)),
        ] {
            let unfinished = Unfinished { held, unposted, unanswered };
            assert_eq!(closed.clone().finalize(unfinished, stamp("bob")), Err(why));
        }
    }

    #[test]
    fn a_refusal_names_the_thing_the_reason_and_the_way_on() {
        let period: Period = "2025-01".parse().unwrap();
        let say = |why: PeriodRefusal, act| {
            let refused = why.of(act, period);
            format!("{refused}\n{}", refused.hint())
        };
        assert_snapshot!(say(PeriodRefusal::Held(3), PeriodAct::Finalize), @"
        cannot finalize 2025-01: 3 charges are still held
        `periods reopen 2025-01 --reason …` to decide them, or `review defer` to bill them next month
        ");
        assert_snapshot!(say(PeriodRefusal::Held(1), PeriodAct::Finalize).lines().next().unwrap(),
            @"cannot finalize 2025-01: 1 charge is still held");
        assert_snapshot!(say(PeriodRefusal::Closed, PeriodAct::Import), @"
        cannot import into 2025-01: it is closed
        `periods reopen 2025-01 --reason …`, or `--only-open` to leave its rows out
        ");
        assert_snapshot!(say(PeriodRefusal::StillOpen, PeriodAct::Generate), @"
        cannot generate statements for 2025-01: it is still open
        `periods close 2025-01` first
        ");
    }

    #[test]
    fn months_near_today_open_by_themselves() {
        let today = jiff::civil::date(2025, 6, 30);
        let check =
            |text: &str, expected| assert_eq!(opening(text.parse().unwrap(), today), expected, "{text}");
        check("2023-05", Opening::NeedsCommand);
        check("2023-06", Opening::Automatic);
        check("2025-06", Opening::Automatic);
        check("2025-08", Opening::Automatic);
        check("2025-09", Opening::NeedsCommand);
        check("1970-01", Opening::NeedsCommand);
    }
}
