//! What a rule has in a window: its tiers and cap, and where it carries over, what earlier windows left of
//! theirs.

use std::collections::BTreeMap;

use money::Amount;

use super::{Percent, Seen, SubsidyRule, Tier};
use crate::Period;

/// Tiers and cap of one pool in one window.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Room {
    tiers: Vec<Tier>,
    cap: Option<Amount>,
}

impl SubsidyRule {
    /// Without anything from other windows.
    pub(super) fn room(&self) -> Room {
        Room { tiers: self.tiers.clone(), cap: self.cap }
    }

    /// In the window of a period. `windows` is what a pool saw in each, by its first period.
    pub(super) fn room_in(
        &self,
        period: Period,
        fiscal_year_start: u8,
        windows: &BTreeMap<Period, Seen>,
    ) -> Room {
        let mut room = self.room();
        if !self.carries_over {
            return room;
        }
        let (now, _) = self.window_of(period, fiscal_year_start);
        let (mut first, mut last) = self.window_of(self.from, fiscal_year_start);
        let mut number = 1;
        while first < now {
            room = room.then(self, windows.get(&first).map_or(Amount::ZERO, |seen| seen.paid));
            (first, last) = self.window_of(last.next(), fiscal_year_start);
            number += 1;
        }
        self.leave_to_later(&mut room, (now, last), number, windows);
        room
    }

    /// All windows up to this one, and up to any later one that was billed before it is billed again, come to at
    /// most as many times what one can pay: it gets no more than what they leave.
    fn leave_to_later(
        &self,
        room: &mut Room,
        (now, last): (Period, Period),
        number: i128,
        windows: &BTreeMap<Period, Seen>,
    ) {
        let Some(most) = self.room().most() else { return };
        let mut others: Amount = windows.range(..now).map(|(_, seen)| seen.paid).sum();
        let later = windows.range(now.next()..).map(|(later, seen)| (*later, seen.paid));
        for (window, paid) in std::iter::once((now, Amount::ZERO)).chain(later) {
            others += paid;
            let number = number + i128::from(now.months_until(window) / (now.months_until(last) + 1));
            let left = Amount::from_units(most.units().saturating_mul(number)) - others;
            room.cap = Some(room.cap.map_or(left, |cap| cap.min(left)).max(Amount::ZERO));
        }
    }
}

impl Room {
    /// What the next window has, after this one has paid so much. A tier is as much wider as was not used of it,
    /// by what was paid: cost that later windows' use left unpaid has used nothing. What must be exceeded before
    /// anything is paid is not carried.
    fn then(self, rule: &SubsidyRule, paid: Amount) -> Room {
        let cap = rule.cap.zip(self.cap).map(|(next, cap)| (next + cap - paid).max(Amount::ZERO));
        let (mut start, mut next_start, mut plain_start) = (Amount::ZERO, Amount::ZERO, Amount::ZERO);
        let (mut rest, mut least) = (paid, None);
        let mut tiers = Vec::with_capacity(self.tiers.len());
        for (tier, plain) in self.tiers.iter().zip(&rule.tiers) {
            let percent = plain.percent;
            let up_to = tier.up_to.zip(plain.up_to).map(|(end, plain_end)| {
                let (width, mut unused) = (end - start, Amount::ZERO);
                if percent != Percent::default() {
                    let whole = percent.of(width);
                    // Where refunds exceed costs, the first tier gets back what it paid before.
                    let of_it = rest.clamp(least.unwrap_or(rest.min(whole)), whole);
                    unused = if of_it == whole { Amount::ZERO } else { width - percent.whole_of(of_it) };
                    (rest, least) = (rest - of_it, Some(Amount::ZERO));
                }
                next_start = next_start + (plain_end - plain_start) + unused;
                (start, plain_start) = (end, plain_end);
                next_start
            });
            tiers.push(Tier { up_to, percent });
        }
        Room { tiers, cap }
    }

    /// All that it can pay, if there is an end to it.
    pub(super) fn most(&self) -> Option<Amount> {
        let tiers = self.tiers.last().and_then(|tier| tier.up_to).map(|end| self.paid_of(end));
        match (tiers, self.cap) {
            (Some(tiers), Some(cap)) => Some(tiers.min(cap)),
            (tiers, cap) => tiers.or(cap),
        }
    }

    /// What the tiers pay of a cost from nothing up to `cost`; nothing for less than nothing.
    fn paid_of(&self, cost: Amount) -> Amount {
        let (mut paid, mut start) = (Amount::ZERO, Amount::ZERO);
        for tier in &self.tiers {
            let end = tier.up_to.map_or(cost, |end| end.min(cost));
            if end <= start {
                break;
            }
            paid += tier.percent.of(end - start);
            start = end;
        }
        paid
    }

    /// What it pays of a further `cost`: what it owes of all it has seen then, less what was paid. Where
    /// periods came out of their order, what is frozen in others is made up for, but never by more than this
    /// cost.
    pub(super) fn pays(&self, seen: Seen, cost: Amount) -> Amount {
        let first = self.tiers.first().map(|tier| tier.percent).unwrap_or_default();
        let paid_of = |cost: Amount| {
            // Below nothing, where refunds exceed costs, the first tier goes on.
            let paid = if cost.is_negative() { first.of(cost) } else { self.paid_of(cost) };
            self.cap.map_or(paid, |cap| paid.min(cap))
        };
        let paid = paid_of(seen.cost + cost) - seen.paid;
        paid.clamp(cost.min(Amount::ZERO), cost.max(Amount::ZERO))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::tests::{amount, rule};
    use super::super::{PaidBy, Scope, Subsidies, Used, Users, Window};
    use super::*;
    use crate::statement::LineKind;
    use crate::statement::testing::group;

    fn carrying(tiers: &[(&str, &str)], cap: &str, window: Window) -> SubsidyRule {
        SubsidyRule { carries_over: true, ..rule(1, tiers, cap, Scope::Project, window) }
    }

    fn month(number: usize) -> Period {
        Period::from_code("2025-01".parse::<Period>().unwrap().code() + i32::try_from(number).unwrap())
    }

    /// Bill a month: what its charges are paid of stands in `used` instead of what stood there of it.
    fn bill(rule: &SubsidyRule, number: usize, costs: &[Amount], used: &mut Vec<Used>) -> Amount {
        let rules = std::slice::from_ref(rule);
        let mut subsidies = Subsidies::of_period(rules, month(number), 7, used);
        used.retain(|used| used.period != month(number));
        let mut paid = Amount::ZERO;
        for cost in costs {
            let group =
                crate::statement::PostingGroup { cost: *cost, ..group("EC2", LineKind::Usage, "1", "1") };
            for leg in subsidies.legs("ada", "looms", &group, &Users::default()) {
                paid += leg.paid;
                let seen = Seen { cost: leg.seen, paid: leg.paid };
                let (pi_email, project_id) = ("ada".to_owned(), "looms".to_owned());
                used.push(Used {
                    period: month(number),
                    pi_email,
                    project_id,
                    user: None,
                    by: PaidBy::Subsidy(rule.id),
                    seen,
                });
            }
        }
        paid
    }

    /// What is paid month by month; `3=80` bills the third month again.
    fn paid(rule: &SubsidyRule, months: &str) -> String {
        let (mut used, mut said) = (Vec::new(), Vec::new());
        for (at, text) in months.split_whitespace().enumerate() {
            let (number, cost) = match text.split_once('=') {
                Some((number, cost)) => (number.parse::<usize>().unwrap() - 1, cost),
                None => (at, text),
            };
            said.push(bill(rule, number, &[amount(cost)], &mut used).to_string());
        }
        said.join(" ")
    }

    #[test]
    fn what_one_window_leaves_the_next_has_too() {
        for (name, rule, months, expected) in [
            ("a cap", carrying(&[("", "50")], "100", Window::Month), "60 400 400", "30 170 100"),
            (
                "the first 100",
                carrying(&[("100", "100")], "", Window::Month),
                "30 200 50 200",
                "30 170 50 150",
            ),
            (
                "each tier has what it left",
                carrying(&[("100", "100"), ("300", "50")], "", Window::Month),
                "40 600 400",
                "40 360 200",
            ),
            (
                "a month of nothing leaves all",
                carrying(&[("100", "100")], "", Window::Month),
                "0 0 500",
                "0 0 300",
            ),
            (
                "a deductible stays what it is",
                carrying(&[("100", "0"), ("300", "50")], "", Window::Month),
                "80 160 900",
                "0 30 270",
            ),
            (
                "quarters are counted as quarters",
                carrying(&[("100", "100")], "", Window::Quarter),
                "30 30 0 500 100",
                "30 30 0 140 0",
            ),
            (
                "what refunds gave back is there again",
                carrying(&[("100", "100")], "", Window::Month),
                "100 -40 500",
                "100 -40 240",
            ),
            (
                "billed again, a month has what later ones left",
                carrying(&[("100", "100")], "", Window::Month),
                "30 200 1=90 3=400",
                "30 170 30 100",
            ),
        ] {
            assert_eq!(paid(&rule, months), expected, "{name}");
        }
        let plain = rule(1, &[("100", "100")], "", Scope::Project, Window::Month);
        assert_eq!(paid(&plain, "30 200 50"), "30 100 50", "without carrying over");
    }

    proptest! {
        /// However months are cut into charges the same is paid, and over all windows at most as many times
        /// what one can pay: also when months are billed again.
        #[test]
        fn windows_together_pay_no_more_than_they_can(
            months in prop::collection::vec(prop::collection::vec(0_i64..900, 1..4), 1..9),
            again in prop::collection::vec((0_usize..9, 0_i64..2_000), 0..4),
            percent in 1_u32..=100, cap in 1_i64..700, with_cap: bool, quarterly: bool
        ) {
            let units = |cost: i64| Amount::from_units(i128::from(cost) * 10_i128.pow(18));
            let percent = percent.to_string();
            let tiers = [("300", percent.as_str()), ("700", "10")];
            let window = if quarterly { Window::Quarter } else { Window::Month };
            let cap_text = if with_cap { cap.to_string() } else { String::new() };
            let rule = carrying(&tiers, &cap_text, window);
            let (mut whole, mut cut) = (Vec::new(), Vec::new());
            for (at, costs) in months.iter().enumerate() {
                let costs: Vec<Amount> = costs.iter().copied().map(units).collect();
                let all: Amount = costs.iter().copied().sum();
                prop_assert_eq!(bill(&rule, at, &[all], &mut whole), bill(&rule, at, &costs, &mut cut));
            }
            for (at, cost) in again {
                bill(&rule, at % months.len(), &[units(cost)], &mut whole);
            }
            let windows = months.len().div_ceil(if quarterly { 3 } else { 1 });
            let most = rule.room().most().unwrap().units() * i128::try_from(windows).unwrap();
            for used in [&whole, &cut] {
                prop_assert!(used.iter().map(|used| used.seen.paid).sum::<Amount>().units() <= most);
            }
        }
    }
}
