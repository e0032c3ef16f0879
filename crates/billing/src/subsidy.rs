//! Subsidies: what somebody else pays of a charge. A rule has a payer; what it pays is a funding leg, so that
//! the PI's amount due and the legs of a line always come to what its source is owed.
//!
//! Rules are taken in their order, each on what the ones before it left over. What a rule pays follows from
//! the cost that it has seen so far in its scope (a project, a PI, a user, everybody) and window (a month, a fiscal
//! year, its whole life): its tiers say how much of the next dollar it pays, its cap where it ends. So the
//! order of deliveries and the number of runs do not matter, and a refund takes back what was paid for it.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fmt;
use std::str::FromStr;

use money::Amount;
use serde::{Deserialize, Serialize};

mod carried;
mod whose;

use carried::Room;
pub use whose::{Pool, Users, Whose};

use crate::correction;
use crate::credit::CreditId;
use crate::statement::PostingGroup;
use crate::{Period, SourceName};

/// Numbers are given once and never again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SubsidyId(pub i64);

impl fmt::Display for SubsidyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A share in millionths: 40 % is 400,000.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Percent(u32);

const WHOLE: u32 = 1_000_000;

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a percentage from 0 to 100 with at most 4 decimals, such as 40 or 33.3333")]
pub struct BadPercent(String);

impl FromStr for Percent {
    type Err = BadPercent;

    fn from_str(text: &str) -> Result<Percent, BadPercent> {
        let bad = || BadPercent(text.to_owned());
        let number = Amount::parse_total(text.trim().trim_end_matches('%').trim_end()).ok_or_else(bad)?;
        // One percent is ten thousand millionths.
        let unit = 10_i128.pow(14);
        if number.units() % unit != 0 {
            return Err(bad());
        }
        let millionths = u32::try_from(number.units() / unit).map_err(|_| bad())?;
        if millionths <= WHOLE { Ok(Percent(millionths)) } else { Err(bad()) }
    }
}

impl TryFrom<String> for Percent {
    type Error = BadPercent;

    fn try_from(text: String) -> Result<Percent, BadPercent> {
        text.parse()
    }
}

impl From<Percent> for String {
    fn from(percent: Percent) -> String {
        percent.to_string()
    }
}

impl fmt::Display for Percent {
    /// Without zeros at the end: `33.3333`, `40`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Amount::from_units(i128::from(self.0) * 10_i128.pow(14)).fmt(f)
    }
}

impl Percent {
    pub const ALL: Percent = Percent(WHOLE);

    #[must_use]
    pub fn plus(self, other: Percent) -> Percent {
        Percent(self.0.saturating_add(other.0))
    }

    /// This share of an amount, to 18 decimals, towards zero.
    #[must_use]
    pub fn of(self, amount: Amount) -> Amount {
        let (units, share, whole) = (amount.units(), i128::from(self.0), i128::from(WHOLE));
        Amount::from_units(units / whole * share + units % whole * share / whole)
    }

    /// The amount that this is a share of, to 18 decimals, away from zero.
    fn whole_of(self, part: Amount) -> Amount {
        let (units, share, whole) = (part.units(), i128::from(self.0).max(1), i128::from(WHOLE));
        let rest = units % share * whole;
        let up = if rest % share == 0 { 0 } else { units.signum() };
        Amount::from_units(units / share * whole + rest / share + up)
    }
}

/// Up to this much of the cost (all of it, where `None`), so much is paid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tier {
    pub up_to: Option<Amount>,
    pub percent: Percent,
}

/// Over whom costs are counted together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    #[default]
    Project,
    Pi,
    /// Who used it, whoever is billed. What names no user gets nothing.
    User,
    /// One pool for everybody: in order of PI and project.
    All,
}

/// Over which time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Window {
    #[default]
    Month,
    Quarter,
    Year,
    /// From the first month of the institution's fiscal year (`subsidies.fiscal_year_start`).
    FiscalYear,
    /// From the first to the last period of the rule: a grant, or once.
    Once,
}

/// A rule, as a person wrote it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SubsidyRule {
    pub id: SubsidyId,
    /// As it stands on statements: "Provost's research fund".
    pub name: String,
    /// The `fund_org` that pays, and the account it is posted to (else that of the charge).
    pub payer: String,
    #[serde(default)]
    pub account_code: Option<String>,
    /// Rules with smaller numbers come first; ties: the older rule.
    pub order: i64,
    /// Whether it also pays what an earlier rule has paid a part of.
    pub stacks: bool,
    /// Any of these; empty: any. In any case; services with `*` at their end are beginnings.
    #[serde(default)]
    pub sources: Vec<SourceName>,
    #[serde(default)]
    pub services: Vec<String>,
    #[serde(default)]
    pub pis: Vec<String>,
    #[serde(default)]
    pub projects: Vec<String>,
    /// In rising order; beyond the last nothing is paid.
    pub tiers: Vec<Tier>,
    /// So much at most in a scope and window.
    #[serde(default)]
    pub cap: Option<Amount>,
    /// Whether what is not used of tiers and cap in a window is added to those of the next.
    #[serde(default)]
    pub carries_over: bool,
    pub scope: Scope,
    pub window: Window,
    /// First and last billing period.
    pub from: Period,
    #[serde(default)]
    pub to: Option<Period>,
    #[serde(default)]
    pub note: Option<String>,
    /// What was used of it before it was written here.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub opening: Vec<Opening>,
}

/// An opening balance: what another system had seen and paid for a project, or for one of its users, in the window
/// that a period is in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Opening {
    pub pi_email: String,
    pub project_id: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    pub period: Period,
    pub seen: Amount,
    pub paid: Amount,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadSubsidy {
    #[error("a subsidy needs a name, for statements")]
    NoName,
    #[error("a subsidy needs a payer, the fund_org that is debited")]
    NoPayer,
    #[error("a subsidy needs to say how much: a percentage, or tiers")]
    NoTiers,
    #[error("tiers rise: {0} does not come after the one before it")]
    TiersFall(Amount),
    #[error("only the last tier is without an end")]
    OpenTier,
    #[error("an amount of {0} is none to pay up to")]
    NotPositive(Amount),
    #[error("it ends with {to}, before it begins with {from}")]
    EndsFirst { from: Period, to: Period },
    #[error("nothing can be carried over: it has no window after its first")]
    CarriesOnce,
    #[error("nothing can be carried over: it has neither a cap nor tiers that end")]
    CarriesEverything,
}

impl SubsidyRule {
    /// # Errors
    /// Everything that is wrong with it by itself.
    pub fn check(&self) -> Result<(), Vec<BadSubsidy>> {
        let mut wrong = Vec::new();
        if self.name.trim().is_empty() {
            wrong.push(BadSubsidy::NoName);
        }
        if self.payer.trim().is_empty() {
            wrong.push(BadSubsidy::NoPayer);
        }
        if self.tiers.is_empty() {
            wrong.push(BadSubsidy::NoTiers);
        }
        let ends: Vec<Option<Amount>> = self.tiers.iter().map(|tier| tier.up_to).collect();
        for amount in ends.iter().chain([&self.cap]).flatten().filter(|amount| **amount <= Amount::ZERO) {
            wrong.push(BadSubsidy::NotPositive(*amount));
        }
        for pair in ends.windows(2) {
            match (pair[0], pair[1]) {
                (None, _) => wrong.push(BadSubsidy::OpenTier),
                (Some(before), Some(next)) if next <= before => wrong.push(BadSubsidy::TiersFall(next)),
                _ => {}
            }
        }
        if let Some(to) = self.to.filter(|to| *to < self.from) {
            wrong.push(BadSubsidy::EndsFirst { from: self.from, to });
        }
        if self.carries_over && self.window == Window::Once {
            wrong.push(BadSubsidy::CarriesOnce);
        } else if self.carries_over && self.cap.is_none() && ends.iter().all(Option::is_none) {
            wrong.push(BadSubsidy::CarriesEverything);
        }
        if wrong.is_empty() { Ok(()) } else { Err(wrong) }
    }

    #[must_use]
    pub fn is_in_force(&self, period: Period) -> bool {
        self.from <= period && self.to.is_none_or(|to| period <= to)
    }

    /// First and last period that count together with `period`.
    #[must_use]
    pub fn window_of(&self, period: Period, fiscal_year_start: u8) -> (Period, Period) {
        let months_from = |start: u8, length: i32| {
            let since = (i32::from(period.month()) - i32::from(start)).rem_euclid(length);
            let first = Period::from_code(period.code() - since);
            (first, Period::from_code(first.code() + length - 1))
        };
        match self.window {
            Window::Month => (period, period),
            Window::Quarter => months_from(1, 3),
            Window::Year => months_from(1, 12),
            Window::FiscalYear => months_from(fiscal_year_start, 12),
            Window::Once => (self.from, self.to.or(Period::new(9999, 12)).unwrap_or(period)),
        }
    }

    /// Whether it may pay for a group of charges.
    fn is_for(&self, pi_email: &str, project_id: &str, group: &PostingGroup) -> bool {
        is_any_or_in(&self.pis, pi_email)
            && is_any_or_in(&self.projects, project_id)
            && is_of(&self.sources, &self.services, group)
    }
}

fn is_same(one: &str, other: &str) -> bool {
    one.trim().to_lowercase() == other.trim().to_lowercase()
}

pub(crate) fn is_any_or_in(list: &[String], value: &str) -> bool {
    list.is_empty() || list.iter().any(|one| is_same(one, value))
}

/// Whether a group is of these sources and services. A correction is of the service that it corrects.
pub(crate) fn is_of(sources: &[SourceName], services: &[String], group: &PostingGroup) -> bool {
    let service = correction::corrected_service(group.service_name.as_deref().unwrap_or_default());
    let fits = |pattern: &String| match pattern.strip_suffix('*') {
        Some(start) => service.to_lowercase().starts_with(&start.to_lowercase()),
        None => is_same(pattern, service),
    };
    let is_from = |one: &SourceName| one.key() == SourceName(group.source.clone()).key();
    (sources.is_empty() || sources.iter().any(is_from)) && (services.is_empty() || services.iter().any(fits))
}

/// What a rule has seen and paid in a scope and window.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Seen {
    pub cost: Amount,
    pub paid: Amount,
}

impl Seen {
    pub(crate) fn add(&mut self, more: Seen) {
        self.cost += more.cost;
        self.paid += more.paid;
    }
}

/// By what a leg is paid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PaidBy {
    #[serde(alias = "rule")]
    Subsidy(SubsidyId),
    Credit(CreditId),
}

impl fmt::Display for PaidBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PaidBy::Subsidy(id) => write!(f, "subsidy {id}"),
            PaidBy::Credit(id) => write!(f, "credit {id}"),
        }
    }
}

/// What one rule pays of one posted line, before rounding.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Leg {
    #[serde(flatten)]
    pub by: PaidBy,
    pub name: String,
    pub payer: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account_code: Option<String>,
    /// Whose use is paid for, where the rule counts by user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// The cost that the rule looked at.
    pub seen: Amount,
    pub paid: Amount,
}

/// A leg that the statements of another period have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Used {
    pub period: Period,
    pub pi_email: String,
    pub project_id: String,
    pub user: Option<String>,
    pub by: PaidBy,
    pub seen: Seen,
}

impl Used {
    fn whose(&self) -> Whose<'_> {
        Whose { pi_email: &self.pi_email, project_id: &self.project_id, user: self.user.as_deref() }
    }
}

impl Opening {
    fn whose(&self) -> Whose<'_> {
        Whose { pi_email: &self.pi_email, project_id: &self.project_id, user: self.user.as_deref() }
    }
}

/// The rules of a period, with what other periods used of them.
#[derive(Clone, Debug, Default)]
pub struct Subsidies {
    rules: Vec<SubsidyRule>,
    /// What a pool has that nothing was seen of yet.
    untouched: BTreeMap<SubsidyId, Room>,
    pools: BTreeMap<Pool, (Room, Seen)>,
    /// What rules that count by user were for, and nobody was named to have used.
    without_user: BTreeMap<SubsidyId, Amount>,
}

/// What a pool has seen and paid by now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    pub seen: Seen,
    /// What it could pay in its window; `None` where there is no end to it.
    pub most: Option<Amount>,
    /// How much of that earlier windows left over.
    pub carried: Amount,
}

impl Subsidies {
    /// Those of `rules` that are in force in `period`; `used` is what the statements of other periods used of
    /// them, in their windows and, where it is carried over, in those before.
    #[must_use]
    pub fn of_period(
        rules: &[SubsidyRule],
        period: Period,
        fiscal_year_start: u8,
        used: &[Used],
    ) -> Subsidies {
        let mut rules: Vec<SubsidyRule> =
            rules.iter().filter(|rule| rule.is_in_force(period)).cloned().collect();
        rules.sort_by_key(|rule| (rule.order, rule.id));
        let mut windows: BTreeMap<Pool, BTreeMap<Period, Seen>> = BTreeMap::new();
        for rule in &rules {
            for opening in &rule.opening {
                let Some(pool) = rule.pool(opening.whose()) else { continue };
                let (first, _) = rule.window_of(opening.period, fiscal_year_start);
                let seen = Seen { cost: opening.seen, paid: opening.paid };
                windows.entry(pool).or_default().entry(first).or_default().add(seen);
            }
        }
        for used in used {
            let rule = rules.iter().find(|rule| used.by == PaidBy::Subsidy(rule.id));
            let Some(rule) = rule.filter(|_| used.period != period) else { continue };
            let Some(pool) = rule.pool(used.whose()) else { continue };
            let (first, _) = rule.window_of(used.period, fiscal_year_start);
            windows.entry(pool).or_default().entry(first).or_default().add(used.seen);
        }
        let room = |rule: &SubsidyRule, windows: &BTreeMap<Period, Seen>| {
            rule.room_in(period, fiscal_year_start, windows)
        };
        let untouched = rules.iter().map(|rule| (rule.id, room(rule, &BTreeMap::new()))).collect();
        let mut pools = BTreeMap::new();
        for (pool, windows) in windows {
            let Some(rule) = rules.iter().find(|rule| rule.id == pool.rule) else { continue };
            let (now, _) = rule.window_of(period, fiscal_year_start);
            let seen = windows.get(&now).copied();
            if seen.is_some() || rule.carries_over {
                pools.insert(pool, (room(rule, &windows), seen.unwrap_or_default()));
            }
        }
        Subsidies { rules, untouched, pools, without_user: BTreeMap::new() }
    }

    /// In the order in which they are taken.
    #[must_use]
    pub fn rules(&self) -> &[SubsidyRule] {
        &self.rules
    }

    /// Whether any of them counts by user, so that lines are to be looked at by user.
    #[must_use]
    pub fn count_users(&self) -> bool {
        self.rules.iter().any(|rule| rule.scope == Scope::User)
    }

    /// The legs of a group of a statement: one of each rule or, where it counts by user, of each user. Statements
    /// are to come in order of PI and project, groups in reading order.
    pub fn legs(
        &mut self,
        pi_email: &str,
        project_id: &str,
        group: &PostingGroup,
        users: &Users,
    ) -> Vec<Leg> {
        let mut legs: BTreeMap<(usize, Option<String>), Leg> = BTreeMap::new();
        for (user, cost) in users.of(group) {
            for (at, leg) in self.legs_of(Whose { pi_email, project_id, user }, group, cost) {
                match legs.entry((at, leg.user.clone())) {
                    Entry::Vacant(none) => drop(none.insert(leg)),
                    Entry::Occupied(known) => {
                        let known = known.into_mut();
                        known.seen += leg.seen;
                        known.paid += leg.paid;
                    }
                }
            }
        }
        legs.into_values().collect()
    }

    /// Those of what one user used of a group, each with the place of its rule.
    fn legs_of(&mut self, whose: Whose<'_>, group: &PostingGroup, cost: Amount) -> Vec<(usize, Leg)> {
        let mut legs = Vec::new();
        let mut left = cost;
        for (at, rule) in self.rules.iter().enumerate() {
            let is_taken = !legs.is_empty() && !rule.stacks;
            if left.is_zero() || is_taken || !rule.is_for(whose.pi_email, whose.project_id, group) {
                continue;
            }
            let Some(pool) = rule.pool(whose) else {
                *self.without_user.entry(rule.id).or_default() += left;
                continue;
            };
            let user = pool.user.clone();
            let (room, seen) =
                self.pools.entry(pool).or_insert_with(|| (self.untouched[&rule.id].clone(), Seen::default()));
            let paid = room.pays(*seen, left);
            let leg = Leg {
                by: PaidBy::Subsidy(rule.id),
                name: rule.name.clone(),
                payer: rule.payer.clone(),
                account_code: rule.account_code.clone(),
                user,
                seen: left,
                paid,
            };
            legs.push((at, leg));
            seen.add(Seen { cost: left, paid });
            left = left - paid;
        }
        legs
    }

    /// What a rule that counts by user was for by now, and nobody was named to have used: it pays nothing of it.
    #[must_use]
    pub fn without_user(&self, rule: &SubsidyRule) -> Option<Amount> {
        self.without_user.get(&rule.id).copied()
    }

    /// How the pools of a rule stand by now.
    pub fn standing<'a>(
        &'a self,
        rule: &'a SubsidyRule,
    ) -> impl Iterator<Item = (&'a Pool, Standing)> + use<'a> {
        let own = self.pools.iter().filter(|(pool, _)| pool.rule == rule.id);
        own.map(|(pool, (room, seen))| {
            let carried =
                room.most().zip(rule.room().most()).map(|(now, plain)| (now - plain).max(Amount::ZERO));
            (pool, Standing { seen: *seen, most: room.most(), carried: carried.unwrap_or_default() })
        })
    }
}

#[cfg(test)]
mod tests;
