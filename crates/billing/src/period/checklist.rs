//! What is done of a month's work, and what comes next.

use serde::Serialize;

use super::PeriodState;

/// The steps of a month, in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    Import,
    Review,
    Close,
    Generate,
    Send,
    Export,
    Finalize,
}

impl Step {
    pub const ALL: [Step; 7] =
        [Step::Import, Step::Review, Step::Close, Step::Generate, Step::Send, Step::Export, Step::Finalize];

    /// As it is called when it is done.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Step::Import => "imported",
            Step::Review => "reviewed",
            Step::Close => "closed",
            Step::Generate => "generated",
            Step::Send => "sent",
            Step::Export => "exported",
            Step::Finalize => "finalized",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum StepState {
    Done,
    /// The first that is not done.
    Next,
    /// Not the next, but nothing keeps anybody from it.
    Possible,
    /// Something else comes first.
    Blocked,
}

impl StepState {
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            StepState::Done => "done",
            StepState::Next => "next",
            StepState::Possible => "possible",
            StepState::Blocked => "blocked",
        }
    }
}

/// What is known of a month when it is asked what comes next, in counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Work {
    pub charges: u64,
    /// Known sources that have not delivered for it.
    pub missing_sources: u64,
    pub held: u64,
    /// Charges that it bills.
    pub billable: u64,
    pub statements: u64,
    /// PIs' projects whose statement is missing, or does not say what the books say.
    pub outdated: u64,
    /// Statements that no message has carried.
    pub unsent: u64,
    /// Messages of which nobody knows whether they arrived.
    pub uncertain: u64,
    /// Statements that no journal posts as they stand.
    pub unposted: u64,
    pub journals: u64,
    /// Journals that accounting has neither accepted nor rejected, and nobody waived.
    pub unanswered: u64,
    /// Whether accounting gets journals at all.
    pub posts: bool,
}

/// A step, where it stands, and why in words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StepStanding {
    pub step: Step,
    pub state: StepState,
    pub why: String,
}

/// What a person does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum NextAct {
    Import,
    Review,
    Close,
    /// To decide charges that were held when it was closed.
    Reopen,
    Generate,
    Send,
    /// Say of messages whether they arrived.
    SettleMessages,
    Export,
    /// Record what accounting said.
    Answer,
    Finalize,
}

/// Every step with its state; at most one is [`StepState::Next`].
#[must_use]
pub fn checklist(state: &PeriodState, work: &Work) -> Vec<StepStanding> {
    let mut standing: Vec<StepStanding> = Vec::with_capacity(Step::ALL.len());
    for step in Step::ALL {
        let is_next = standing.iter().all(|before| before.state == StepState::Done);
        let (is_done, why) = step.told(state, work);
        let state = match (is_done, is_next) {
            (true, _) => StepState::Done,
            (false, true) => StepState::Next,
            (false, false) if step.is_possible(state, work) => StepState::Possible,
            (false, false) => StepState::Blocked,
        };
        standing.push(StepStanding { step, state, why });
    }
    standing
}

/// What to do about the step that is next; `None` when all is done.
#[must_use]
pub fn next_act(state: &PeriodState, work: &Work) -> Option<NextAct> {
    let next = checklist(state, work).into_iter().find(|standing| standing.state == StepState::Next)?;
    Some(match next.step {
        Step::Import => NextAct::Import,
        Step::Review if state.is_open() => NextAct::Review,
        Step::Review => NextAct::Reopen,
        Step::Close => NextAct::Close,
        Step::Generate => NextAct::Generate,
        Step::Send if work.unsent == 0 => NextAct::SettleMessages,
        Step::Send => NextAct::Send,
        Step::Export => NextAct::Export,
        Step::Finalize if 0 < work.unanswered => NextAct::Answer,
        Step::Finalize => NextAct::Finalize,
    })
}

impl Step {
    /// Whether it is done, and what there is to say.
    fn told(self, state: &PeriodState, work: &Work) -> (bool, String) {
        let is_final = matches!(state, PeriodState::Finalized { .. });
        let is_closed = !state.is_open();
        let is_billed = 0 < work.statements || work.billable == 0;
        match self {
            Step::Import => import(is_closed, work),
            Step::Review if work.charges == 0 && !is_closed => (false, "nothing to look at yet".to_owned()),
            Step::Review if work.held == 0 => (true, "no charge is held".to_owned()),
            Step::Review => {
                (is_final, format!("{} for review", counted(work.held, "charge is held", "charges are held")))
            }
            Step::Close => (is_closed, if is_closed { "closed" } else { "open for deliveries" }.to_owned()),
            Step::Generate if !is_closed => (false, "a period is billed when it is closed".to_owned()),
            Step::Generate if 0 < work.outdated && !is_final => {
                let projects = counted(work.outdated, "project has", "projects have");
                (false, format!("{projects} no statement that says what the books say"))
            }
            Step::Generate if work.statements == 0 => (is_billed, "nothing is billed".to_owned()),
            Step::Generate => (true, counted(work.statements, "statement", "statements")),
            Step::Send if work.statements == 0 => (is_closed && is_billed, "no statement to send".to_owned()),
            Step::Send => send(is_closed, is_final, work),
            Step::Export => export(is_closed && is_billed, is_final, work),
            Step::Finalize if is_final => (true, "nothing of it changes any more".to_owned()),
            Step::Finalize if 0 < work.unanswered => {
                let journals = counted(work.unanswered, "journal waits", "journals wait");
                (false, format!("{journals} for accounting's answer"))
            }
            Step::Finalize => (false, "not finalized".to_owned()),
        }
    }

    /// Whether nothing forbids it, although another step comes first.
    fn is_possible(self, state: &PeriodState, work: &Work) -> bool {
        let (is_closed, is_billed) = (!state.is_open(), 0 < work.statements);
        match self {
            Step::Import => state.is_open(),
            Step::Review => state.is_open() && 0 < work.held,
            Step::Close => state.is_open() && 0 < work.charges && work.held == 0,
            Step::Generate => is_closed,
            Step::Send => is_closed && is_billed && 0 < work.unsent && work.outdated == 0,
            Step::Export => is_closed && is_billed && 0 < work.unposted && work.outdated == 0,
            Step::Finalize => is_closed && work.held + work.outdated + work.unposted + work.unanswered == 0,
        }
    }
}

fn import(is_closed: bool, work: &Work) -> (bool, String) {
    let charges = counted(work.charges, "charge", "charges");
    if work.missing_sources == 0 || is_closed {
        return (0 < work.charges || is_closed, charges);
    }
    let missing = counted(work.missing_sources, "source has", "sources have");
    (false, format!("{charges}; {missing} not delivered yet"))
}

fn send(is_closed: bool, is_final: bool, work: &Work) -> (bool, String) {
    if 0 < work.unsent {
        let which = counted(work.unsent, "statement was", "statements were");
        return (is_final, format!("{which} not sent"));
    }
    if 0 < work.uncertain {
        let which = counted(work.uncertain, "message", "messages");
        return (is_final, format!("nobody knows whether {which} arrived"));
    }
    (is_closed, format!("{} sent", counted(work.statements, "statement", "statements")))
}

fn export(is_billed: bool, is_final: bool, work: &Work) -> (bool, String) {
    if !work.posts && work.journals == 0 {
        return (is_billed, "no journal is needed without funds".to_owned());
    }
    if 0 < work.unposted {
        let which = counted(work.unposted, "statement is", "statements are");
        return (is_final, format!("{which} not posted"));
    }
    if work.statements == 0 {
        return (is_billed, "nothing to post".to_owned());
    }
    (is_billed, counted(work.journals, "journal", "journals"))
}

fn counted(number: u64, one: &str, many: &str) -> String {
    if number == 1 { format!("1 {one}") } else { format!("{number} {many}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::period::Stamp;

    fn closed() -> PeriodState {
        PeriodState::Closed { closed: Stamp { by: "ana".to_owned(), at: jiff::Timestamp::UNIX_EPOCH } }
    }

    /// The letters of the states, step by step, and what to do.
    fn told(state: &PeriodState, work: Work) -> String {
        let letters: String = checklist(state, &work)
            .iter()
            .map(|standing| match standing.state {
                StepState::Done => 'd',
                StepState::Next => 'N',
                StepState::Possible => 'p',
                StepState::Blocked => '-',
            })
            .collect();
        let act = next_act(state, &work).map_or("nothing".to_owned(), |act| format!("{act:?}"));
        format!("{letters} {act}")
    }

    #[test]
    fn the_next_step_follows_from_what_is_done() {
        let open = PeriodState::Open;
        let stamp = Stamp { by: "ana".to_owned(), at: jiff::Timestamp::UNIX_EPOCH };
        let finalized = PeriodState::Finalized { closed: stamp.clone(), finalized: stamp };
        let empty = Work { posts: true, ..Work::default() };
        let full = Work { charges: 9, billable: 9, ..empty };
        let billed = Work { statements: 2, ..full };
        for (state, work, expected) in [
            (&open, empty, "N------ Import"),
            (&open, full, "ddN---- Close"),
            (&open, Work { held: 3, ..full }, "dN----- Review"),
            (&open, Work { missing_sources: 1, ..full }, "Ndp---- Import"),
            (&open, Work { missing_sources: 1, held: 3, ..full }, "Np----- Import"),
            (&closed(), Work { outdated: 2, ..full }, "dddN--- Generate"),
            (&closed(), Work { held: 3, outdated: 2, ..full }, "dNdp--- Reopen"),
            (&closed(), Work { unsent: 2, unposted: 2, ..billed }, "ddddNp- Send"),
            (&closed(), Work { uncertain: 1, unposted: 2, ..billed }, "ddddNp- SettleMessages"),
            (&closed(), Work { unposted: 2, ..billed }, "dddddN- Export"),
            (&closed(), Work { journals: 1, unanswered: 1, ..billed }, "ddddddN Answer"),
            (&closed(), Work { journals: 1, ..billed }, "ddddddN Finalize"),
            (&closed(), Work { unsent: 1, journals: 1, ..billed }, "ddddNdp Send"),
            (&closed(), Work { posts: false, unposted: 0, ..billed }, "ddddddN Finalize"),
            (&closed(), Work { outdated: 1, unsent: 1, unposted: 1, ..billed }, "dddN--- Generate"),
            (&closed(), empty, "ddddddN Finalize"),
            (&finalized, Work { journals: 1, ..billed }, "ddddddd nothing"),
            (&finalized, Work { journals: 1, missing_sources: 1, unsent: 1, ..billed }, "ddddddd nothing"),
        ] {
            assert_eq!(told(state, work), expected, "{} {work:?}", state.name());
        }
    }
}
