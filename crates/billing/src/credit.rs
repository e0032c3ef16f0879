//! Credits: an amount that was granted to a project, a PI, or several projects that share it, by a provider, by
//! a prepayment or by an award. It pays what subsidies leave, until it is used up or expires, and is a funding
//! leg like theirs: the fund that it is drawn from is debited.
//!
//! What is drawn follows from all the cost that the credit has seen, so that the order of deliveries does not
//! matter: refunds give back, what the PI paid first. A month that comes to less than nothing gives back what
//! was drawn and no more; the next begins anew.

mod standing;

use std::collections::BTreeMap;
use std::fmt;

use money::Amount;
use serde::{Deserialize, Serialize};

pub use standing::{Alert, Standing};

use crate::statement::PostingGroup;
use crate::subsidy::{Leg, PaidBy, Seen, Used, is_any_or_in, is_of};
use crate::{Period, SourceName};

/// Numbers are given once and never again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CreditId(pub i64);

impl fmt::Display for CreditId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Where the money comes from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CreditKind {
    /// Given by who supplies the charges.
    #[default]
    Provider,
    /// Paid before.
    Prepayment,
    /// Granted by an institution or a programme: an allocation.
    Award,
}

impl CreditKind {
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            CreditKind::Provider => "provider",
            CreditKind::Prepayment => "prepayment",
            CreditKind::Award => "award",
        }
    }
}

/// A credit, as a person wrote it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Credit {
    pub id: CreditId,
    pub kind: CreditKind,
    /// As it stands on statements: "AWS research credits".
    pub name: String,
    /// The `fund_org` that it is drawn from, and the account it is posted to (else that of the charge).
    pub payer: String,
    #[serde(default)]
    pub account_code: Option<String>,
    pub amount: Amount,
    /// Credits with smaller numbers are used first; ties: what expires first, then the older.
    pub order: i64,
    /// Who may use it: any of these projects, of any of these PIs. Without both nobody does, until it is moved
    /// on to somebody.
    #[serde(default)]
    pub pis: Vec<String>,
    #[serde(default)]
    pub projects: Vec<String>,
    /// Any of these; empty: any. In any case; services with `*` at their end are beginnings.
    #[serde(default)]
    pub sources: Vec<SourceName>,
    #[serde(default)]
    pub services: Vec<String>,
    /// First and last billing period.
    pub from: Period,
    #[serde(default)]
    pub to: Option<Period>,
    /// The credit that this is a part of.
    #[serde(default)]
    pub moved_from: Option<CreditId>,
    #[serde(default)]
    pub note: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadCredit {
    #[error("a credit needs a name, for statements")]
    NoName,
    #[error("a credit needs a payer, the fund_org that is debited")]
    NoPayer,
    #[error("an amount of {0} is none to grant")]
    NotPositive(Amount),
    #[error("it ends with {to}, before it begins with {from}")]
    EndsFirst { from: Period, to: Period },
}

impl Credit {
    /// # Errors
    /// Everything that is wrong with it by itself.
    pub fn check(&self) -> Result<(), Vec<BadCredit>> {
        let mut wrong = Vec::new();
        if self.name.trim().is_empty() {
            wrong.push(BadCredit::NoName);
        }
        if self.payer.trim().is_empty() {
            wrong.push(BadCredit::NoPayer);
        }
        if self.amount <= Amount::ZERO {
            wrong.push(BadCredit::NotPositive(self.amount));
        }
        if let Some(to) = self.to.filter(|to| *to < self.from) {
            wrong.push(BadCredit::EndsFirst { from: self.from, to });
        }
        if wrong.is_empty() { Ok(()) } else { Err(wrong) }
    }

    #[must_use]
    pub fn is_in_force(&self, period: Period) -> bool {
        self.from <= period && self.to.is_none_or(|to| period <= to)
    }

    /// Whether nobody may use it before it is moved on.
    #[must_use]
    pub fn is_kept_back(&self) -> bool {
        self.pis.is_empty() && self.projects.is_empty()
    }

    fn is_held_by(&self, pi_email: &str, project_id: &str) -> bool {
        !self.is_kept_back() && is_any_or_in(&self.pis, pi_email) && is_any_or_in(&self.projects, project_id)
    }
}

/// What was moved on of a credit to others.
#[must_use]
pub fn moved_on(credits: &[Credit], id: CreditId) -> Amount {
    credits.iter().filter(|credit| credit.moved_from == Some(id)).map(|credit| credit.amount).sum()
}

/// The credits of a period, and all that there are by now. A closed period has those of its close, but what
/// was moved on since is no more to be drawn by it.
#[derive(Clone, Copy, Debug)]
pub struct Known<'a> {
    pub then: &'a [Credit],
    pub now: &'a [Credit],
}

/// A credit in a period.
#[derive(Clone, Debug)]
struct Drawn {
    credit: Credit,
    moved: Amount,
    /// What it may pay in all: its amount without all that was moved on by now.
    most: Amount,
    /// What the statements of earlier periods drew.
    before: Amount,
    /// In all periods: the cost that it looked at, and what was drawn.
    seen: Seen,
    /// What this period draws.
    now: Amount,
}

impl Drawn {
    /// Without what was moved on.
    fn amount(&self) -> Amount {
        self.credit.amount - self.moved
    }

    /// What it pays of a further `cost`: what it owes of all that it has seen then, less what was drawn. So it
    /// is never drawn beyond its amount, and never gives back more than was drawn. Where periods came out of
    /// their order, what other statements drew stays.
    fn pays(&self, cost: Amount) -> Amount {
        let owed = (self.seen.cost + cost).clamp(Amount::ZERO, self.most);
        (owed - self.seen.paid).clamp(cost.min(Amount::ZERO), cost.max(Amount::ZERO))
    }
}

/// The credits of a period, with what other periods drew.
#[derive(Clone, Debug)]
pub struct Credits {
    period: Period,
    drawn: Vec<Drawn>,
}

impl Credits {
    /// Those that are in force in `period`; `used` is what the statements of other periods have of them.
    #[must_use]
    pub fn of_period(known: Known<'_>, period: Period, used: &[Used]) -> Credits {
        let mut months: BTreeMap<(CreditId, Period), Seen> = BTreeMap::new();
        for used in used.iter().filter(|used| used.period != period) {
            if let PaidBy::Credit(id) = used.by {
                months.entry((id, used.period)).or_default().add(used.seen);
            }
        }
        let in_force = known.then.iter().filter(|credit| credit.is_in_force(period));
        let mut drawn: Vec<Drawn> = in_force
            .map(|credit| {
                let own = months.iter().filter(|((id, _), _)| *id == credit.id);
                let (mut seen, mut before) = (Seen::default(), Amount::ZERO);
                for ((_, month), of_month) in own {
                    seen.add(*of_month);
                    seen.cost = seen.cost.max(Amount::ZERO);
                    if *month < period {
                        before += of_month.paid;
                    }
                }
                let moved = moved_on(known.then, credit.id);
                let most = (credit.amount - moved_on(known.now, credit.id)).max(Amount::ZERO);
                Drawn { credit: credit.clone(), moved, most, before, seen, now: Amount::ZERO }
            })
            .collect();
        let expiry = |credit: &Credit| (credit.to.is_none(), credit.to);
        drawn.sort_by_key(|Drawn { credit, .. }| (credit.order, expiry(credit), credit.from, credit.id));
        Credits { period, drawn }
    }

    /// The legs of what is `left` of a group of a statement. Statements are to come in order of PI and project,
    /// groups in reading order.
    pub fn legs(
        &mut self,
        pi_email: &str,
        project_id: &str,
        group: &PostingGroup,
        mut left: Amount,
    ) -> Vec<Leg> {
        let mut legs = Vec::new();
        for drawn in &mut self.drawn {
            let credit = &drawn.credit;
            let is_for =
                credit.is_held_by(pi_email, project_id) && is_of(&credit.sources, &credit.services, group);
            if left.is_zero() || !is_for {
                continue;
            }
            let paid = drawn.pays(left);
            legs.push(Leg {
                by: PaidBy::Credit(credit.id),
                name: credit.name.clone(),
                payer: credit.payer.clone(),
                account_code: credit.account_code.clone(),
                user: None,
                seen: left,
                paid,
            });
            drawn.seen.add(Seen { cost: left, paid });
            drawn.now += paid;
            left = left - paid;
        }
        legs
    }
}

#[cfg(test)]
mod tests;
