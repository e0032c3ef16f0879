//! Splits: charges of a project, a PI or a source, or a single charge, over several funds, from when to when.
//!
//! Parts are taken in their order: those with an amount take the first of the month's cost up to it, the others
//! share what is left by percent. The last part takes what rounding to 18 decimals leaves, so that the parts
//! always come to the whole. What counts is the day a charge period begins.

use std::collections::BTreeMap;
use std::fmt;

use jiff::civil::Date;
use money::Amount;
use serde::{Deserialize, Serialize};

use crate::statement::PostingGroup;
use crate::subsidy::Percent;
use crate::{ChargeId, Fingerprint, Period, SourceName};

/// Numbers are given once and never again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SplitId(pub i64);

impl fmt::Display for SplitId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// How much a fund takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Share {
    /// The next so much of a month's cost.
    UpTo(Amount),
    /// So much of what is beyond all amounts.
    Percent(Percent),
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SplitPart {
    pub fund_org: String,
    pub share: Share,
}

/// A single charge, in whatever delivery it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SplitCharge {
    /// Where it was when the rule was written.
    pub id: ChargeId,
    #[serde(with = "crate::ids::hex")]
    pub fingerprint: Fingerprint,
    /// Among the twins of its import.
    pub ordinal: u32,
}

/// A rule, as a person wrote it. It is for charges that meet all that it names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SplitRule {
    pub id: SplitId,
    #[serde(default)]
    pub source: Option<SourceName>,
    #[serde(default)]
    pub pi_email: Option<String>,
    #[serde(default)]
    pub project_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub charge: Option<SplitCharge>,
    pub parts: Vec<SplitPart>,
    pub from: Date,
    #[serde(default)]
    pub to: Option<Date>,
    pub note: String,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadSplit {
    #[error("a split is of a charge, a source, a PI or a project: name at least one")]
    OfEverything,
    #[error("a split has at least two parts")]
    TooFewParts,
    #[error("amounts come before percentages: `{0}` comes after one")]
    AmountAfterPercent(String),
    #[error("an amount of {0} is none to take")]
    NotPositive(Amount),
    #[error("the percentages come to {0}, not to 100")]
    NotWhole(Percent),
    #[error("`{0}` is named twice")]
    Twice(String),
    #[error("a part needs a fund_org")]
    NoFund,
    #[error("it ends on {to}, before it begins on {from}")]
    EndsFirst { from: Date, to: Date },
}

impl SplitRule {
    /// # Errors
    /// Everything that is wrong with it by itself.
    pub fn check(&self) -> Result<(), Vec<BadSplit>> {
        let mut wrong = Vec::new();
        let names_charge = self.charge.is_some();
        if !names_charge && self.source.is_none() && self.pi_email.is_none() && self.project_id.is_none() {
            wrong.push(BadSplit::OfEverything);
        }
        if self.parts.len() < 2 {
            wrong.push(BadSplit::TooFewParts);
        }
        let (mut percent, mut known) = (Percent::default(), Vec::<&str>::new());
        let mut in_percent = false;
        for SplitPart { fund_org, share } in &self.parts {
            if fund_org.trim().is_empty() {
                wrong.push(BadSplit::NoFund);
            } else if known.contains(&fund_org.as_str()) {
                wrong.push(BadSplit::Twice(fund_org.clone()));
            }
            known.push(fund_org);
            match share {
                Share::UpTo(_) if in_percent => wrong.push(BadSplit::AmountAfterPercent(fund_org.clone())),
                Share::UpTo(amount) if *amount <= Amount::ZERO => wrong.push(BadSplit::NotPositive(*amount)),
                Share::UpTo(_) => {}
                Share::Percent(share) => {
                    in_percent = true;
                    percent = percent.plus(*share);
                }
            }
        }
        if percent != Percent::ALL {
            wrong.push(BadSplit::NotWhole(percent));
        }
        if let Some(to) = self.to.filter(|to| *to < self.from) {
            wrong.push(BadSplit::EndsFirst { from: self.from, to });
        }
        if wrong.is_empty() { Ok(()) } else { Err(wrong) }
    }

    #[must_use]
    pub fn is_in_force(&self, day: Date) -> bool {
        self.from <= day && self.to.is_none_or(|to| day <= to)
    }

    /// Whether the two name the same charges on a common day.
    #[must_use]
    pub fn rivals(&self, other: &SplitRule) -> bool {
        let lower = |text: &Option<String>| text.as_ref().map(|text| text.trim().to_lowercase());
        let of = |rule: &SplitRule| {
            let charge = rule.charge.as_ref().map(|charge| (charge.fingerprint, charge.ordinal));
            (
                rule.source.as_ref().map(SourceName::key),
                lower(&rule.pi_email),
                lower(&rule.project_id),
                charge,
            )
        };
        of(self) == of(other)
            && other.to.is_none_or(|to| self.from <= to)
            && self.to.is_none_or(|to| other.from <= to)
    }

    /// Whether it may be meant by charges of a source of this PI and project.
    #[must_use]
    pub fn is_for(&self, pi_email: &str, project_id: &str, source: &str) -> bool {
        let same = |named: &Option<String>, value: &str| {
            named.as_ref().is_none_or(|named| named.trim().to_lowercase() == value.trim().to_lowercase())
        };
        same(&self.pi_email, pi_email)
            && same(&self.project_id, project_id)
            && self.source.as_ref().is_none_or(|named| named.key() == SourceName(source.to_owned()).key())
    }

    /// How many of source, PI and project it names: who names more says more.
    fn names(&self) -> usize {
        let named = [self.source.is_some(), self.pi_email.is_some(), self.project_id.is_some()];
        named.into_iter().filter(|is_named| *is_named).count()
    }

    /// What each part takes of a cost from nothing up to `cost`, in the order of the parts.
    fn parts_of(&self, cost: Amount) -> Vec<Amount> {
        let mut start = Amount::ZERO;
        let mut left = cost;
        let mut taken = Vec::with_capacity(self.parts.len());
        let mut beyond: Option<Amount> = None;
        for (at, part) in self.parts.iter().enumerate() {
            let share = match part.share {
                Share::UpTo(amount) => {
                    let share = (cost - start).max(Amount::ZERO).min(amount);
                    start += amount;
                    share
                }
                Share::Percent(_) if at + 1 == self.parts.len() => left,
                Share::Percent(percent) => percent.of(*beyond.get_or_insert(left)),
            };
            left = left - share;
            taken.push(share);
        }
        taken
    }
}

/// The splits of a period, with what they have seen of it.
#[derive(Clone, Debug, Default)]
pub struct Splits {
    rules: Vec<SplitRule>,
    /// By rule, PI and project, the cost so far.
    seen: BTreeMap<(SplitId, String, String), Amount>,
}

impl Splits {
    /// Those that say more come first; ties: the older rule.
    #[must_use]
    pub fn new(rules: &[SplitRule]) -> Splits {
        let mut rules = rules.to_vec();
        rules.sort_by_key(|rule| (rule.charge.is_none(), std::cmp::Reverse(rule.names()), rule.id));
        Splits { rules, seen: BTreeMap::new() }
    }

    /// The days within a period on which other splits come into force, in order: charges are to be summed
    /// apart before and from each.
    #[must_use]
    pub fn boundaries(&self, period: Period) -> Vec<Date> {
        let days = |rule: &SplitRule| [Some(rule.from), rule.to.and_then(|to| to.tomorrow().ok())];
        let within = |day: &Date| period.first_day() < *day && *day <= period.last_day();
        let mut days: Vec<Date> = self.rules.iter().flat_map(days).flatten().filter(within).collect();
        days.sort_unstable();
        days.dedup();
        days
    }

    /// The rules of single charges, in order.
    pub fn of_charges(&self) -> impl Iterator<Item = (SplitId, &SplitCharge)> {
        self.rules.iter().filter_map(|rule| Some((rule.id, rule.charge.as_ref()?)))
    }

    /// A group of charges that begin on or after `day` (and before the next boundary), over its funds; `own` is
    /// the rule of the single charge that it is. Groups are to come in order of PI, project, day and reading. Of a
    /// fund whose award has ended (`ended`), the group's own fund, which stands in for it, takes the part.
    pub fn over(
        &mut self,
        pi_email: &str,
        project_id: &str,
        day: Date,
        own: Option<SplitId>,
        ended: Option<&str>,
        group: PostingGroup,
    ) -> Vec<PostingGroup> {
        let fits = |rule: &&SplitRule| {
            let is_own = rule.charge.is_none() || own == Some(rule.id);
            is_own && rule.is_in_force(day) && rule.is_for(pi_email, project_id, &group.source)
        };
        let Some(rule) = self.rules.iter().find(fits) else { return vec![group] };
        let key = (rule.id, pi_email.to_owned(), project_id.to_owned());
        let seen = self.seen.entry(key).or_default();
        let before = rule.parts_of(*seen);
        *seen += group.cost;
        let after = rule.parts_of(*seen);
        let costs = after.into_iter().zip(before).map(|(after, before)| after - before);
        let taking: Vec<(&SplitPart, Amount)> =
            rule.parts.iter().zip(costs).filter(|(_, cost)| !cost.is_zero()).collect();
        let mut groups = Vec::new();
        let mut list_left = group.list_cost;
        for (at, &(part, cost)) in taking.iter().enumerate() {
            let is_last = at + 1 == taking.len();
            let list_cost =
                if is_last { list_left } else { in_proportion(group.list_cost, cost, group.cost) };
            list_left = list_left - list_cost;
            // A charge is counted once, with the first fund that pays of it.
            let charges = if groups.is_empty() { group.charges } else { 0 };
            let has_ended = ended.is_some_and(|ended| ended.trim() == part.fund_org.trim());
            let fund_org = if has_ended { group.fund_org.clone() } else { Some(part.fund_org.clone()) };
            groups.push(PostingGroup { fund_org, charges, list_cost, cost, ..group.clone() });
        }
        if groups.is_empty() { vec![group] } else { groups }
    }
}

/// `amount × part / whole`, to nine digits of the ratio.
fn in_proportion(amount: Amount, part: Amount, whole: Amount) -> Amount {
    const NINE: i128 = 1_000_000_000;
    if whole.is_zero() {
        return Amount::ZERO;
    }
    let ratio = part.units().saturating_mul(NINE) / whole.units();
    let units = amount.units();
    Amount::from_units(units / NINE * ratio + units % NINE * ratio / NINE)
}

/// Groups of the same line are one.
#[must_use]
pub fn merged(groups: Vec<PostingGroup>) -> Vec<PostingGroup> {
    let mut merged: Vec<PostingGroup> = Vec::new();
    for group in groups {
        match merged.iter_mut().find(|known| known.is_of_line(&group)) {
            Some(known) => known.add(&group),
            None => merged.push(group),
        }
    }
    merged
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::statement::LineKind;
    use crate::statement::testing::group;

    fn amount(text: &str) -> Amount {
        text.parse().unwrap()
    }

    /// `A-1 60%; B-2 40%` or `A-1 500; B-2 100%`.
    fn rule(id: i64, parts: &str) -> SplitRule {
        let part = |text: &str| {
            let (fund_org, share) = text.trim().split_once(' ').unwrap();
            let share = match share.strip_suffix('%') {
                Some(percent) => Share::Percent(percent.parse().unwrap()),
                None => Share::UpTo(amount(share)),
            };
            SplitPart { fund_org: fund_org.to_owned(), share }
        };
        SplitRule {
            id: SplitId(id),
            source: None,
            pi_email: None,
            project_id: Some("looms".to_owned()),
            charge: None,
            parts: parts.split(';').map(part).collect(),
            from: "2025-01-01".parse().unwrap(),
            to: None,
            note: "agreed".to_owned(),
        }
    }

    fn split(rules: &[SplitRule], costs: &str) -> String {
        let mut splits = Splits::new(rules);
        let day = "2025-01-01".parse().unwrap();
        let line = |cost: &str| {
            let over =
                splits.over("ada", "looms", day, None, None, group("EC2", LineKind::Usage, cost, cost));
            let part = |part: &PostingGroup| {
                format!(
                    "{} {}",
                    part.fund_org.as_deref().unwrap_or("-").split('-').next().unwrap(),
                    part.cost
                )
            };
            over.iter().map(part).collect::<Vec<_>>().join("+")
        };
        costs.split_whitespace().map(line).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn parts_take_in_their_order() {
        for (name, parts, costs, expected) in [
            ("by percent", "A-1 60%; B-2 40%", "100 -10", "A 60+B 40 A -6+B -4"),
            (
                "three thirds are the whole",
                "A-1 33.3333%; B-2 33.3333%; C-3 33.3334%",
                "1",
                "A 0.333333+B 0.333333+C 0.333334",
            ),
            (
                "the first 500, then the other",
                "A-1 500; B-2 100%",
                "300 300 -150",
                "A 300 A 200+B 100 A -50+B -100",
            ),
            ("a cap, then by percent", "A-1 100; B-2 50%; C-3 50%", "300", "A 100+B 100+C 100"),
        ] {
            assert_eq!(split(&[rule(1, parts)], costs), expected, "{name}");
        }
        assert_eq!(split(&[], "7"), "PHYS 7");
    }

    #[test]
    fn who_names_more_says_more_and_days_count() {
        let pi =
            SplitRule { project_id: None, pi_email: Some("ADA".to_owned()), ..rule(1, "P-1 50%; Q-1 50%") };
        let both = SplitRule { pi_email: Some("ada".to_owned()), ..rule(2, "A-1 60%; B-2 40%") };
        assert_eq!(split(&[pi.clone(), both.clone()], "10"), "A 6+B 4");
        let later = SplitRule { from: "2025-01-16".parse().unwrap(), ..both };
        let ended = SplitRule { to: Some("2025-01-09".parse().unwrap()), ..pi };
        assert_eq!(split(&[ended.clone(), later.clone()], "10"), "P 5+Q 5");
        let days: Vec<String> = Splits::new(&[ended.clone(), later.clone()])
            .boundaries("2025-01".parse().unwrap())
            .iter()
            .map(Date::to_string)
            .collect();
        assert_eq!(days, ["2025-01-10", "2025-01-16"]);
        assert!(!ended.rivals(&later) && later.rivals(&later.clone()));
    }

    #[test]
    fn a_split_that_makes_no_sense_is_refused_whole() {
        let mut bad = rule(1, "A-1 60%; A-1 30%; B-2 -5");
        bad.project_id = None;
        bad.to = Some("2024-12-31".parse().unwrap());
        let said: Vec<String> = bad.check().unwrap_err().iter().map(ToString::to_string).collect();
        insta::assert_snapshot!(said.join("\n"), @r"
        a split is of a charge, a source, a PI or a project: name at least one
        `A-1` is named twice
        amounts come before percentages: `B-2` comes after one
        the percentages come to 90, not to 100
        it ends on 2024-12-31, before it begins on 2025-01-01
        ");
        assert_eq!(rule(1, "A-1 100%").check().unwrap_err(), [BadSplit::TooFewParts]);
        rule(1, "A-1 10; B-2 100%").check().unwrap();
    }

    proptest! {
        #[test]
        fn parts_come_to_the_whole(
            costs in prop::collection::vec((-9_i128..90, 1_i128..7), 1..10), cut in 1_u32..99, first in 1_i128..50
        ) {
            let mut split = rule(1, "A-1 10; B-2 50%; C-3 50%");
            split.parts[0].share = Share::UpTo(Amount::from_units(first * 10_i128.pow(18)));
            let percent = |number: u32| Share::Percent(number.to_string().parse().unwrap());
            (split.parts[1].share, split.parts[2].share) = (percent(cut), percent(100 - cut));
            split.check().unwrap();
            let mut splits = Splits::new(&[split]);
            for (number, of) in costs {
                let cost = Amount::from_units(number * 10_i128.pow(18) / of);
                let whole = PostingGroup { cost, list_cost: cost, ..group("EC2", LineKind::Usage, "1", "1") };
                let parts = splits.over("ada", "looms", "2025-01-01".parse().unwrap(), None, None, whole.clone());
                prop_assert_eq!(parts.iter().map(|part| part.cost).sum::<Amount>(), cost);
                prop_assert_eq!(parts.iter().map(|part| part.list_cost).sum::<Amount>(), cost);
                prop_assert_eq!(parts.iter().map(|part| part.charges).sum::<u64>(), whole.charges);
            }
        }
    }
}
