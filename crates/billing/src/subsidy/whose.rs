//! Whose a charge is and who used it: what decides which pool of a rule it draws from.

use std::collections::BTreeMap;

use money::Amount;

use super::{Scope, SubsidyId, SubsidyRule};
use crate::statement::{LineKey, PostingGroup};

/// Of a part of a posted line.
#[derive(Clone, Copy, Debug)]
pub struct Whose<'a> {
    pub pi_email: &'a str,
    pub project_id: &'a str,
    pub user: Option<&'a str>,
}

/// Those who share what a rule pays: see [`Scope`].
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Pool {
    pub rule: SubsidyId,
    pub pi_email: Option<String>,
    pub project_id: Option<String>,
    pub user: Option<String>,
}

impl SubsidyRule {
    /// The pool that a charge draws from; none where users are counted and it names no user.
    pub(super) fn pool(&self, whose: Whose<'_>) -> Option<Pool> {
        let (pi, project) = (|| Some(whose.pi_email.to_owned()), || Some(whose.project_id.to_owned()));
        let user = || whose.user.map(str::to_owned);
        let (pi_email, project_id, user) = match self.scope {
            Scope::Project => (pi(), project(), None),
            Scope::Pi => (pi(), None, None),
            Scope::User => (None, None, Some(user()?)),
            Scope::All => (None, None, None),
        };
        Some(Pool { rule: self.id, pi_email, project_id, user })
    }
}

/// What users used of the lines of a statement. Empty where no rule asks for it.
#[derive(Clone, Debug, Default)]
pub struct Users(BTreeMap<LineKey, BTreeMap<Option<String>, Amount>>);

impl Users {
    /// Charges of a line, used by one user or by nobody who is named.
    pub fn add(&mut self, user: Option<String>, group: &PostingGroup) {
        let of_line = self.0.entry(group.line_key()).or_default();
        *of_line.entry(user).or_default() += group.cost;
    }

    /// The cost of a line by user: those who are not named first, then by name.
    pub(super) fn of(&self, group: &PostingGroup) -> Vec<(Option<&str>, Amount)> {
        match self.0.get(&group.line_key()) {
            Some(users) => users.iter().map(|(user, cost)| (user.as_deref(), *cost)).collect(),
            None => vec![(None, group.cost)],
        }
    }
}
