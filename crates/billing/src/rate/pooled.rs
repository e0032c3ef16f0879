//! What a month of a project costs beyond quantity times price: free units, tiers, a minimum. It follows from
//! the sums of the month, so that neither the order of deliveries nor the number of runs matters.

use std::collections::{BTreeMap, BTreeSet};

use money::Amount;
use serde::{Deserialize, Serialize};

use super::{Rate, RateId, version};
use crate::statement::{LineKind, PostingGroup, ResourceGroup};
use crate::unit::Unit;

/// The charges of one rate in a posting group, summed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RatedGroup {
    /// Where the group stands among those of the statement.
    pub group: usize,
    pub rate: RateId,
    /// In the rate's unit.
    pub quantity: Amount,
    /// Quantity times price, charge by charge.
    pub cost: Amount,
}

/// How the usage of a rate was priced on a statement, by source, service and kind of line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RatedUse {
    pub rate: RateId,
    pub code: String,
    pub version: usize,
    pub source: String,
    pub service_name: Option<String>,
    pub kind: LineKind,
    pub unit: Unit,
    pub price: Amount,
    pub quantity: Amount,
    /// Quantity times price.
    pub cost: Amount,
    /// What higher tiers, free units and a minimum change of it.
    pub tiers: Amount,
    pub free: Amount,
    pub minimum: Amount,
}

impl RatedUse {
    /// What is billed beside quantity times price.
    #[must_use]
    pub fn adjustment(&self) -> Amount {
        self.tiers + self.free + self.minimum
    }

    /// What makes up the adjustment, in words and amounts.
    pub fn adjustments(&self) -> impl Iterator<Item = (&'static str, Amount)> {
        let parts =
            [("free units", self.free), ("higher tiers", self.tiers), ("to reach the minimum", self.minimum)];
        parts.into_iter().filter(|(_, amount)| !amount.is_zero())
    }

    /// `cpu v2: 12400 core-hour at 0.012, free units -12`, for comparisons and messages.
    #[must_use]
    pub fn words(&self) -> String {
        let mut words = vec![format!(
            "{} v{}: {} {} at {}",
            self.code, self.version, self.quantity, self.unit, self.price
        )];
        words.extend(self.adjustments().map(|(what, amount)| format!("{what} {amount}")));
        words.join(", ")
    }

    /// The adjustment as a line beside the resources, if there is one.
    #[must_use]
    pub fn resource(&self) -> Option<ResourceGroup> {
        let why: Vec<&str> = self.adjustments().map(|(why, _)| why).collect();
        let line = ResourceGroup {
            service_name: self.service_name.clone(),
            resource_id: None,
            resource_name: Some(format!("Rate {}: {}", self.code, why.join(", "))),
            kind: self.kind,
            charges: 0,
            quantity: None,
            unit: None,
            list_cost: self.minimum,
            cost: self.adjustment(),
        };
        (!why.is_empty()).then_some(line)
    }
}

/// The rates of a period, as they price what a project used of them.
#[derive(Clone, Debug, Default)]
pub struct PooledPrice {
    rates: BTreeMap<RateId, Rate>,
    versions: BTreeMap<RateId, usize>,
}

/// What a rate comes to in a pool, beside quantity times price.
#[derive(Clone, Copy, Debug, Default)]
struct Adjusted {
    cost: Amount,
    tiers: Amount,
    free: Amount,
    minimum: Amount,
}

impl PooledPrice {
    #[must_use]
    pub fn new(rates: &[Rate]) -> PooledPrice {
        PooledPrice {
            versions: rates.iter().map(|rate| (rate.id, version(rates, rate))).collect(),
            rates: rates.iter().map(|rate| (rate.id, rate.clone())).collect(),
        }
    }

    /// Lay free units, tiers and minima over the groups of one PI's project. Returns how each rate was used.
    /// Of the versions of a code, units of the earlier one are counted first.
    pub fn price(&self, groups: &mut [PostingGroup], rated: &[RatedGroup]) -> Vec<RatedUse> {
        let numbers: BTreeSet<RateId> = rated.iter().map(|one| one.rate).collect();
        let mut order: Vec<&Rate> = numbers.iter().filter_map(|id| self.rates.get(id)).collect();
        order.sort_by_key(|rate| (rate.code_key(), rate.from, rate.id));
        let mut priced: Vec<RatedUse> = Vec::with_capacity(order.len());
        for versions in order.chunk_by(|one, other| one.code_key() == other.code_key()) {
            let parts = |rate: &Rate| rated.iter().filter(|one| one.rate == rate.id).collect::<Vec<_>>();
            for (rate, adjusted) in versions.iter().zip(adjusted(versions, parts)) {
                let parts = parts(rate);
                let tiers = shares(adjusted.tiers, &parts);
                let free = shares(adjusted.free, &parts);
                let minimum = shares(adjusted.minimum, &parts);
                for (at, part) in parts.into_iter().enumerate() {
                    let group = &mut groups[part.group];
                    let used = self.used_of(&mut priced, rate, group);
                    used.quantity += part.quantity;
                    used.cost += part.cost;
                    used.tiers += tiers[at];
                    used.free += free[at];
                    used.minimum += minimum[at];
                    group.cost += tiers[at] + free[at] + minimum[at];
                    // A minimum is a price of its own, and no markup on what was used.
                    group.list_cost += minimum[at];
                }
            }
        }
        priced
    }

    fn used_of<'a>(&self, priced: &'a mut Vec<RatedUse>, rate: &Rate, of: &PostingGroup) -> &'a mut RatedUse {
        let same = |used: &RatedUse| {
            used.rate == rate.id
                && used.kind == of.kind
                && used.source == of.source
                && used.service_name == of.service_name
        };
        let at = priced.iter().position(same).unwrap_or_else(|| {
            priced.push(RatedUse {
                rate: rate.id,
                code: rate.code.clone(),
                version: self.versions.get(&rate.id).copied().unwrap_or(1),
                source: of.source.clone(),
                service_name: of.service_name.clone(),
                kind: of.kind,
                unit: rate.unit.clone(),
                price: rate.price,
                quantity: Amount::ZERO,
                cost: Amount::ZERO,
                tiers: Amount::ZERO,
                free: Amount::ZERO,
                minimum: Amount::ZERO,
            });
            priced.len() - 1
        });
        &mut priced[at]
    }
}

/// What the versions of a code come to, one after the other.
fn adjusted<'a>(versions: &[&Rate], parts: impl Fn(&Rate) -> Vec<&'a RatedGroup>) -> Vec<Adjusted> {
    let (mut pool, mut before) = (Vec::with_capacity(versions.len()), Amount::ZERO);
    for rate in versions {
        let parts = parts(rate);
        let quantity: Amount = parts.iter().map(|one| one.quantity).sum();
        let after = before + quantity;
        let tiers = match rate.above.as_slice() {
            [] => Amount::ZERO,
            _ => cost_up_to(rate, after) - cost_up_to(rate, before) - product(quantity, rate.price),
        };
        let free = rate.free.map_or(Amount::ZERO, |free| {
            let of = |quantity: Amount| cost_up_to(rate, quantity.min(free).max(Amount::ZERO));
            of(before) - of(after)
        });
        let cost = parts.iter().map(|one| one.cost).sum();
        pool.push(Adjusted { cost, tiers, free, minimum: Amount::ZERO });
        before = after;
    }
    // The last version that has a minimum adds it, where something was used.
    let last = versions.iter().rposition(|rate| rate.minimum.is_some());
    if let Some((at, minimum)) = last.and_then(|at| Some((at, versions[at].minimum?))) {
        let billed: Amount = pool.iter().map(|one| one.cost + one.tiers + one.free).sum();
        if Amount::ZERO < before && billed < minimum {
            pool[at].minimum = minimum - billed;
        }
    }
    pool
}

/// What units from none up to `quantity` cost by the tiers.
fn cost_up_to(rate: &Rate, quantity: Amount) -> Amount {
    let (mut cost, mut start, mut price) = (Amount::ZERO, Amount::ZERO, rate.price);
    for tier in &rate.above {
        if quantity <= tier.quantity {
            break;
        }
        cost += product(tier.quantity - start, price);
        (start, price) = (tier.quantity, tier.price);
    }
    cost + product(quantity - start, price)
}

/// A charge is below 10¹², so that the sums of a month are far from what does not fit.
fn product(quantity: Amount, price: Amount) -> Amount {
    quantity.times(price).unwrap_or_default()
}

/// Shares of an amount by quantity; the last takes what rounding to 18 decimals leaves. Where refunds are
/// among them there is no share of each, and the largest takes all.
fn shares(amount: Amount, parts: &[&RatedGroup]) -> Vec<Amount> {
    let mut shares = vec![Amount::ZERO; parts.len()];
    if amount.is_zero() || parts.is_empty() {
        return shares;
    }
    let whole: Amount = parts.iter().map(|one| one.quantity).sum();
    if whole.is_zero() || parts.iter().any(|one| one.quantity.is_negative()) {
        let largest = (0..parts.len()).rev().max_by_key(|&at| parts[at].quantity).unwrap_or_default();
        shares[largest] = amount;
        return shares;
    }
    let last = parts.len() - 1;
    let mut left = amount;
    for (share, part) in shares.iter_mut().zip(parts).take(last) {
        let (part, whole) = (part.quantity.units().unsigned_abs(), whole.units().unsigned_abs());
        *share = amount.scaled(part, whole).unwrap_or_default();
        left = left - *share;
    }
    shares[last] = left;
    shares
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::Above;
    use super::*;
    use crate::statement::testing::group;

    fn amount(text: &str) -> Amount {
        text.parse().unwrap()
    }

    fn rate(id: i64, price: &str, above: &[(&str, &str)], free: &str, minimum: &str) -> Rate {
        let some = |text: &str| (!text.is_empty()).then(|| amount(text));
        Rate {
            id: RateId(id),
            code: "cpu".to_owned(),
            source: None,
            service: None,
            sku: None,
            class: None,
            unit: "core-hour".parse().unwrap(),
            price: amount(price),
            list_price: None,
            above: above
                .iter()
                .map(|(quantity, price)| Above { quantity: amount(quantity), price: amount(price) })
                .collect(),
            free: some(free),
            minimum: some(minimum),
            prorate: None,
            account_code: None,
            from: jiff::civil::date(2025, 1, i8::try_from(id).unwrap()),
            to: None,
            note: None,
        }
    }

    /// What is billed of quantities of rates, each a group.
    fn billed(book: &[Rate], used: &[(i64, &str)]) -> (Vec<PostingGroup>, Vec<RatedUse>) {
        let mut groups = Vec::new();
        let mut parts = Vec::new();
        for (at, (id, quantity)) in used.iter().enumerate() {
            let price = book.iter().find(|rate| rate.id == RateId(*id)).unwrap().price;
            let cost = amount(quantity).times(price).unwrap();
            let text = cost.to_string();
            groups.push(group("Compute", LineKind::Usage, &text, &text));
            parts.push(RatedGroup { group: at, rate: RateId(*id), quantity: amount(quantity), cost });
        }
        let priced = PooledPrice::new(book).price(&mut groups, &parts);
        (groups, priced)
    }

    fn costs(rates: &[Rate], used: &[(i64, &str)]) -> String {
        let (groups, _) = billed(rates, used);
        groups.iter().map(|group| group.cost.to_string()).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn a_month_of_a_project() {
        let plain = || rate(1, "0.10", &[], "", "");
        let free = || rate(1, "0.10", &[], "100", "");
        let tiers = || rate(1, "0.10", &[("100", "0.08"), ("1000", "0.05")], "", "");
        for (name, rates, used, expected) in [
            ("nothing pooled", vec![plain()], &[(1, "50"), (1, "150")][..], "5 15"),
            ("all of it free", vec![free()], &[(1, "50"), (1, "30")], "0 0"),
            ("the first 100 free, shared by quantity", vec![free()], &[(1, "50"), (1, "150")], "2.5 7.5"),
            ("a refund alone", vec![free()], &[(1, "-50")], "-5"),
            ("a refund among them", vec![free()], &[(1, "150"), (1, "-20")], "5 -2"),
            ("tiers", vec![tiers()], &[(1, "1100")], "87"),
            ("within the first tier", vec![tiers()], &[(1, "60"), (1, "40")], "6 4"),
            (
                "free units are counted in tiers",
                vec![rate(1, "1", &[("10", "0.5")], "5", "")],
                &[(1, "20")],
                "10",
            ),
            ("a minimum", vec![rate(1, "0.10", &[], "", "25")], &[(1, "10"), (1, "30")], "6.25 18.75"),
            ("a minimum that is reached", vec![rate(1, "0.10", &[], "", "25")], &[(1, "300")], "30"),
            ("free, but not below the minimum", vec![rate(1, "0.10", &[], "100", "5")], &[(1, "40")], "5"),
            ("no use, no minimum", vec![rate(1, "0.10", &[], "", "25")], &[(1, "0")], "0"),
        ] {
            assert_eq!(costs(&rates, used), expected, "{name}");
        }
    }

    #[test]
    fn versions_of_a_month_share_what_is_free() {
        let rates = [rate(1, "0.10", &[], "100", ""), rate(2, "0.20", &[], "100", "")];
        assert_eq!(costs(&rates, &[(2, "50"), (1, "80")]), "6 0", "20 of the second are free");
        let (_, uses) = billed(&rates, &[(2, "50"), (1, "80")]);
        let said: Vec<String> = uses
            .iter()
            .map(|used| {
                format!(
                    "v{}: {} × {} = {}, free {}",
                    used.version, used.quantity, used.price, used.cost, used.free
                )
            })
            .collect();
        assert_eq!(said, ["v1: 80 × 0.1 = 8, free -8", "v2: 50 × 0.2 = 10, free -4"]);
    }

    #[test]
    fn a_minimum_is_listed_and_no_markup() {
        let (groups, uses) = billed(&[rate(1, "0.10", &[], "", "25")], &[(1, "10")]);
        assert_eq!((groups[0].list_cost, groups[0].cost), (amount("25"), amount("25")));
        assert_eq!(uses[0].adjustment(), amount("24"));
    }

    proptest! {
        /// However usage is cut into groups, the project pays the same; and it is what the uses say.
        #[test]
        fn it_does_not_matter_how_usage_is_cut(
            quantities in prop::collection::vec(0_u32..5_000, 1..10), free in 1_u32..2_000, tier in 1_u32..9_000,
            minimum in 1_u32..2_000
        ) {
            let (free, tier, minimum) = (free.to_string(), tier.to_string(), minimum.to_string());
            let rates = [rate(1, "0.137", &[(&tier, "0.091")], &free, &minimum)];
            let texts: Vec<String> = quantities.iter().map(ToString::to_string).collect();
            let used: Vec<(i64, &str)> = texts.iter().map(|text| (1, text.as_str())).collect();
            let whole = quantities.iter().sum::<u32>().to_string();
            let (groups, uses) = billed(&rates, &used);
            let (one, _) = billed(&rates, &[(1, &whole)]);
            let total: Amount = groups.iter().map(|group| group.cost).sum();
            prop_assert_eq!(total, one[0].cost);
            prop_assert_eq!(total, uses.iter().map(|used| used.cost + used.adjustment()).sum::<Amount>());
        }
    }
}
