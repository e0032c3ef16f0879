//! What a rule has in a window: its tiers and cap, and where it carries over, what earlier windows left of
//! theirs.

use std::collections::BTreeMap;

use money::Amount;

use super::{Seen, SubsidyRule, Tier};
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
            room = room.then(self, windows.get(&first).copied().unwrap_or_default());
            (first, last) = self.window_of(last.next(), fiscal_year_start);
            number += 1;
        }
        self.leave_to_later(&mut room, (now, last), number, windows);
        room
    }

    /// A window that is billed again after later ones were gets no more than what they left: all windows up
    /// to any of them come to at most as many times what one can pay.
    fn leave_to_later(
        &self,
        room: &mut Room,
        (now, last): (Period, Period),
        number: i128,
        windows: &BTreeMap<Period, Seen>,
    ) {
        let Some(most) = self.room().most() else { return };
        let mut others: Amount = windows.range(..now).map(|(_, seen)| seen.paid).sum();
        for (later, seen) in windows.range(now.next()..) {
            others += seen.paid;
            let number = number + i128::from(now.months_until(*later) / (now.months_until(last) + 1));
            let left = Amount::from_units(most.units().saturating_mul(number)) - others;
            room.cap = Some(room.cap.map_or(left, |cap| cap.min(left)).max(Amount::ZERO));
        }
    }
}

impl Room {
    /// What the next window has, after this one has seen and paid so much.
    fn then(self, rule: &SubsidyRule, seen: Seen) -> Room {
        let cap = rule.cap.zip(self.cap).map(|(next, cap)| (next + cap - seen.paid).max(Amount::ZERO));
        let cost = seen.cost.max(Amount::ZERO);
        let (mut start, mut next_start, mut plain_start) = (Amount::ZERO, Amount::ZERO, Amount::ZERO);
        let mut tiers = Vec::with_capacity(self.tiers.len());
        for (tier, plain) in self.tiers.iter().zip(&rule.tiers) {
            let up_to = tier.up_to.zip(plain.up_to).map(|(end, plain_end)| {
                let unused = end - cost.clamp(start, end);
                next_start = next_start + (plain_end - plain_start) + unused;
                (start, plain_start) = (end, plain_end);
                next_start
            });
            tiers.push(Tier { up_to, percent: plain.percent });
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
