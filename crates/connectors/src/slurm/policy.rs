//! What of a run is billed, and why the rest is not.

use super::runs::{Owner, Run, Runs};
use super::settings::Settings;
use super::split::Share;
use super::template::Part;

/// A reason by number; 0 is that it is billed.
pub(super) type Reason = u16;

pub(super) const BILLED: Reason = 0;

pub(super) struct Policy<'s> {
    settings: &'s Settings,
    reasons: Vec<String>,
    /// By owner, where nothing of it is billed.
    owners: Vec<Reason>,
    states: Vec<Reason>,
    minimum: Reason,
}

impl<'s> Policy<'s> {
    pub(super) fn new(settings: &'s Settings, runs: &Runs) -> Policy<'s> {
        let mut policy = Policy {
            settings,
            reasons: vec![String::new()],
            owners: Vec::new(),
            states: Vec::new(),
            minimum: BILLED,
        };
        policy.owners = runs
            .owned()
            .iter()
            .map(|owner| freed(settings, owner).map_or(BILLED, |why| policy.number(why)))
            .collect();
        policy.states = settings.states.iter().map(|state| policy.number(state.waived.clone())).collect();
        policy.minimum = policy.number(format!("runs below {} s are free", settings.minimum_seconds));
        policy
    }

    fn number(&mut self, why: String) -> Reason {
        let known = self.reasons.iter().position(|reason| *reason == why).unwrap_or_else(|| {
            self.reasons.push(why);
            self.reasons.len() - 1
        });
        Reason::try_from(known).unwrap_or(Reason::MAX)
    }

    pub(super) fn why(&self, reason: Reason) -> &str {
        &self.reasons[usize::from(reason)]
    }

    /// How much of a run's seconds is billed, and why the rest is not.
    pub(super) fn of(&self, run: &Run) -> (Share, Reason) {
        let freed = self.owners[run.owner as usize];
        if freed != BILLED {
            return (Share::NOTHING, freed);
        }
        let billed = self.settings.states.get(run.state).billed;
        // Who knows how long a run lasts before it has ended?
        let is_short = run.has_ended && u64::from(run.elapsed) < self.settings.minimum_seconds;
        if is_short && billed != Share::NOTHING {
            return (Share::NOTHING, self.minimum);
        }
        (billed, self.states[usize::from(run.state)])
    }
}

/// Why nothing is billed of what an owner runs, whatever becomes of it.
fn freed(settings: &Settings, owner: &Owner) -> Option<String> {
    let (partition, account) = (owner.get(Part::Partition), owner.get(Part::Account));
    let rules = settings.rules_of(partition);
    if let Some(why) = &rules.free {
        return Some(if why == "true" { format!("partition {partition} is free") } else { why.clone() });
    }
    let is_listed = |accounts: &[String]| accounts.iter().any(|listed| listed == account);
    if is_listed(&rules.free_for) {
        return Some(format!("partition {partition} is free for account {account}"));
    }
    is_listed(&settings.free_accounts).then(|| format!("account {account} is free"))
}
