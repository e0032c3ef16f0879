//! Where cents appear: the exact sums of a statement's lines become minor units, once.

use std::cmp::Ordering;

use money::{Amount, Bound, Minor, post, post_to};

use super::{LineKind, PostedLeg, PostedLine, PostingGroup, Totals};
use crate::subsidy::Leg;

/// Round the groups of one statement to lines that add down and across.
///
/// The amounts due are rounded by [`money::post`]: half-even, adding up to the rounded exact total. So is
/// the list column, with bounds that keep the discount (what remains) honest: a line without a discount
/// (its exact list is its exact cost, or it is a credit, tax or adjustment) lists what is due, and
/// rounding never turns a discount into a markup or the other way. Totals are the rounded exact totals of
/// both columns; a line's list may be off by up to two units where such bounds meet. `places` is the
/// currency's number of decimals.
///
/// Lines are sorted for reading: service, kind, source, `fund_org`, account code.
#[must_use]
pub fn post_statement(groups: Vec<PostingGroup>, places: u8) -> (Vec<PostedLine>, Totals) {
    post_subsidized(groups, places, |groups| vec![Vec::new(); groups.len()])
}

/// As [`post_statement`], with what others pay: `legs` gives the legs of the groups in reading order.
///
/// What a line owes its source is rounded first, and the legs after it, each adding up to its own rounded
/// exact total; the amount due is what they leave. So a line that is paid for whole leaves nothing, and a leg
/// never takes more than there is.
#[must_use]
pub fn post_subsidized(
    mut groups: Vec<PostingGroup>,
    places: u8,
    legs: impl FnOnce(&[PostingGroup]) -> Vec<Vec<Leg>>,
) -> (Vec<PostedLine>, Totals) {
    groups.sort_by(reading_order);
    let costs: Vec<Amount> = groups.iter().map(|group| group.cost).collect();
    let owed = post(&costs, places);
    let lists: Vec<Amount> =
        groups.iter().map(|group| stated_list(group.kind, group.list_cost, group.cost)).collect();
    let total: Amount = lists.iter().copied().sum();
    let list = post_list(&lists, &costs, &owed, total.round(places), places);
    let legs = post_legs(legs(&groups), &costs, &owed, places);
    let lines: Vec<PostedLine> = groups
        .into_iter()
        .zip(list.into_iter().zip(owed).zip(legs))
        .map(|(group, ((list, owed), legs))| {
            let subsidy = legs.iter().map(|leg| leg.amount).sum();
            PostedLine { group, list, discount: list - owed, subsidy, due: owed - subsidy, legs }
        })
        .collect();
    let totals = Totals::of(&lines);
    (lines, totals)
}

fn post_legs(legs: Vec<Vec<Leg>>, costs: &[Amount], owed: &[Minor], places: u8) -> Vec<Vec<PostedLeg>> {
    let mut left: Vec<(Amount, Minor)> = costs.iter().copied().zip(owed.iter().copied()).collect();
    let mut posted: Vec<Vec<PostedLeg>> = legs
        .into_iter()
        .map(|legs| legs.into_iter().map(|leg| PostedLeg { leg, amount: Minor::ZERO }).collect())
        .collect();
    let mut rules = Vec::new();
    for leg in posted.iter().flatten().filter(|leg| !leg.leg.paid.is_zero()) {
        if !rules.contains(&leg.leg.by) {
            rules.push(leg.leg.by);
        }
    }
    for rule in rules {
        let of_rule = |leg: &&PostedLeg| leg.leg.by == rule;
        let paid = |legs: &Vec<PostedLeg>| legs.iter().filter(of_rule).map(|leg| leg.leg.paid).sum();
        let exact: Vec<Amount> = posted.iter().map(paid).collect();
        let bound = |line: usize| match (exact[line], left[line]) {
            (paid, _) if paid.is_zero() => Bound::Exactly(Minor::ZERO),
            (paid, (cost, owed)) if paid == cost => Bound::Exactly(owed),
            (_, (_, owed)) if owed.is_negative() => Bound::AtLeast(owed),
            (_, (_, owed)) => Bound::AtMost(owed),
        };
        let fixed = |line: usize| match bound(line) {
            Bound::Exactly(amount) => Some(amount),
            _ => None,
        };
        // Where everything is paid whole, that is the total; else the exact one, rounded.
        let whole: Option<Minor> = (0..exact.len()).map(fixed).sum();
        let total = whole.unwrap_or_else(|| exact.iter().copied().sum::<Amount>().round(places));
        let amounts = post_to(&exact, total, places, bound);
        for (line, amount) in amounts.into_iter().enumerate() {
            let mut own: Vec<&mut PostedLeg> =
                posted[line].iter_mut().filter(|leg| leg.leg.by == rule).collect();
            if !own.is_empty() {
                left[line] = (left[line].0 - exact[line], left[line].1 - amount);
                post_users(&mut own, amount, places);
            }
        }
    }
    posted
}

/// What a rule pays of a line, over the users whose use it pays for.
fn post_users(legs: &mut [&mut PostedLeg], amount: Minor, places: u8) {
    let paid: Vec<Amount> = legs.iter().map(|leg| leg.leg.paid).collect();
    let bound = |at: usize| if paid[at].is_zero() { Bound::Exactly(Minor::ZERO) } else { Bound::Free };
    for (leg, amount) in legs.iter_mut().zip(post_to(&paid, amount, places, bound)) {
        leg.amount = amount;
    }
}

/// A discount is stated for usage only, so that a refund is not shown as a price.
pub(super) fn stated_list(kind: LineKind, list: Amount, cost: Amount) -> Amount {
    if kind == LineKind::Usage { list } else { cost }
}

/// The list column beside amounts due that are rounded already. `total` must be on the same side of
/// their sum as the exact totals are of each other.
pub(super) fn post_list(
    lists: &[Amount],
    costs: &[Amount],
    due: &[Minor],
    total: Minor,
    places: u8,
) -> Vec<Minor> {
    post_to(lists, total, places, |at| match lists[at].cmp(&costs[at]) {
        Ordering::Equal => Bound::Exactly(due[at]),
        Ordering::Greater => Bound::AtLeast(due[at]),
        Ordering::Less => Bound::AtMost(due[at]),
    })
}

fn reading_order(one: &PostingGroup, other: &PostingGroup) -> Ordering {
    let key = |group: &PostingGroup| {
        (
            named_first(group.service_name.clone()),
            group.kind,
            group.source.to_lowercase(),
            named_first(group.fund_org.clone()),
            named_first(group.account_code.clone()),
        )
    };
    key(one).cmp(&key(other)).then_with(|| one.source.cmp(&other.source))
}

/// Sorts what has no name after what has one.
pub(super) fn named_first(name: Option<String>) -> (bool, Option<String>) {
    (name.is_none(), name)
}

impl Totals {
    #[must_use]
    pub fn of(lines: &[PostedLine]) -> Totals {
        Totals {
            list: lines.iter().map(|line| line.list).sum(),
            discount: lines.iter().map(|line| line.discount).sum(),
            subsidy: lines.iter().map(|line| line.subsidy).sum(),
            due: lines.iter().map(|line| line.due).sum(),
        }
    }

    /// See [`discount_percent`].
    #[must_use]
    pub fn discount_percent(&self) -> Option<String> {
        discount_percent(self.list, self.discount)
    }
}

/// A discount as a percentage of the list price with one decimal, rounded half-even: `12.5`; negative for
/// a markup. `None` where there is no list price above zero to take it from.
#[must_use]
pub fn discount_percent(list: Minor, discount: Minor) -> Option<String> {
    let list = u128::try_from(list.get()).ok().filter(|&list| list > 0)?;
    let thousandfold = u128::from(discount.get().unsigned_abs()) * 1000;
    let (quotient, twice) = (thousandfold / list, thousandfold % list * 2);
    let up = twice > list || (twice == list && quotient % 2 == 1);
    let tenths = quotient + u128::from(up);
    let sign = if discount.is_negative() && tenths > 0 { "-" } else { "" };
    Some(format!("{sign}{}.{}", tenths / 10, tenths % 10))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::statement::testing::{any_groups, group};

    fn text(lines: &[PostedLine], totals: Totals) -> String {
        let row = |name: &str, list: Minor, discount: Minor, due: Minor| {
            format!("{name:12}{:>8}{:>8}{:>8}\n", list.decimal(2), discount.decimal(2), due.decimal(2))
        };
        let mut text: String = lines
            .iter()
            .map(|line| {
                row(line.group.service_name.as_deref().unwrap_or("-"), line.list, line.discount, line.due)
            })
            .collect();
        text.push_str(&row("total", totals.list, totals.discount, totals.due));
        text
    }

    #[test]
    fn a_statement_adds_down_and_across() {
        let (lines, totals) = post_statement(
            vec![
                group("Storage", LineKind::Usage, "10", "2.345"),
                group("EC2", LineKind::Usage, "33.335", "33.335"),
                group("EC2", LineKind::Credit, "0", "-5.005"),
                group("Free", LineKind::Usage, "12.5", "0"),
                group("EC2", LineKind::Tax, "9", "1.004"),
            ],
            2,
        );
        insta::assert_snapshot!(text(&lines, totals), @"
        EC2            33.34    0.00   33.34
        EC2            -5.00    0.00   -5.00
        EC2             1.00    0.00    1.00
        Free           12.49   12.49    0.00
        Storage        10.00    7.66    2.34
        total          51.83   20.15   31.68
        ");
    }

    #[test]
    fn six_awkward_rows_come_to_the_total_that_is_stated() {
        let rows = ["0.125", "0.375", "1.005", "2.675", "0.005", "0.015"];
        let groups = rows.iter().map(|row| group(row, LineKind::Usage, row, row)).collect();
        let (lines, totals) = post_statement(groups, 2);
        assert_eq!(totals.due, Minor::new(420));
        assert_eq!(lines.iter().map(|line| line.due).sum::<Minor>(), Minor::new(420));
    }

    #[test]
    fn rounding_does_not_make_a_markup_of_a_small_discount() {
        // The amounts due take a cent that the list prices do not.
        let groups = ["a", "b", "c"].map(|name| group(name, LineKind::Usage, "0.0034", "0.0033")).to_vec();
        let (lines, _) = post_statement(groups, 2);
        assert!(lines.iter().all(|line| !line.discount.is_negative()), "{lines:?}");
    }

    #[test]
    fn lines_stand_in_reading_order_and_nameless_services_last() {
        let mut nameless = group("", LineKind::Usage, "1", "1");
        nameless.service_name = None;
        let mut other_fund = group("a", LineKind::Usage, "1", "1");
        other_fund.fund_org = Some("A-1".to_owned());
        let credit = group("a", LineKind::Credit, "1", "1");
        let usage = group("a", LineKind::Usage, "1", "1");
        let (lines, _) =
            post_statement(vec![nameless.clone(), credit.clone(), usage.clone(), other_fund.clone()], 2);
        let order: Vec<PostingGroup> = lines.into_iter().map(|line| line.group).collect();
        assert_eq!(order, [other_fund, usage, credit, nameless]);
    }

    #[test]
    fn a_percentage_is_exact_and_only_of_a_list_price() {
        let check = |list: i64, discount: i64, expected: Option<&str>| {
            assert_eq!(discount_percent(Minor::new(list), Minor::new(discount)).as_deref(), expected);
        };
        check(10_000, 1_250, Some("12.5"));
        check(300, 100, Some("33.3"));
        check(300, 200, Some("66.7"));
        check(300, 300, Some("100.0"));
        check(300, 0, Some("0.0"));
        check(2_000, 1, Some("0.0"));
        check(2_000, 3, Some("0.2"));
        check(100, -3, Some("-3.0"));
        check(100_000, -1, Some("0.0"));
        check(i64::MAX, i64::MIN, Some("-100.0"));
        check(0, 0, None);
        check(-5, -5, None);
    }

    /// Each group pays `share` per cent of it by one rule and half of the rest by another.
    fn shared(groups: &[PostingGroup], share: i128) -> Vec<Vec<Leg>> {
        let leg = |rule: i64, seen: Amount, paid: Amount| Leg {
            by: crate::subsidy::PaidBy::Subsidy(crate::subsidy::SubsidyId(rule)),
            name: String::new(),
            payer: String::new(),
            account_code: None,
            user: None,
            seen,
            paid,
        };
        let legs = |group: &PostingGroup| {
            let first = Amount::from_units(group.cost.units() / 100 * share);
            let left = group.cost - first;
            vec![leg(1, group.cost, first), leg(2, left, Amount::from_units(left.units() / 2))]
        };
        groups.iter().map(legs).collect()
    }

    /// As [`shared`], each leg cut over users.
    fn shared_by_users(groups: &[PostingGroup], share: i128, users: i128) -> Vec<Vec<Leg>> {
        let over_users = |leg: Leg| {
            let part = |paid: Amount| Amount::from_units(paid.units() / users);
            (1..=users).map(move |user| {
                let rest = |paid: Amount| paid - Amount::from_units(part(paid).units() * (users - 1));
                let of = |paid: Amount| if user == users { rest(paid) } else { part(paid) };
                Leg { user: Some(user.to_string()), seen: of(leg.seen), paid: of(leg.paid), ..leg.clone() }
            })
        };
        let legs = shared(groups, share).into_iter();
        legs.map(|legs| legs.into_iter().flat_map(over_users).collect()).collect()
    }

    #[test]
    fn what_is_paid_whole_leaves_nothing() {
        let groups = ["0.333", "0.333", "0.334", "-0.005"];
        let groups = groups.map(|cost| group(cost, LineKind::Usage, cost, cost)).to_vec();
        let (lines, totals) = post_subsidized(groups, 2, |groups| shared(groups, 100));
        assert!(lines.iter().all(|line| line.due.is_zero() && line.discount.is_zero()), "{lines:?}");
        assert_eq!(totals.subsidy, totals.list);
    }

    #[test]
    fn nothing_comes_to_nothing() {
        assert_eq!(post_statement(Vec::new(), 2), (Vec::new(), Totals::default()));
    }

    proptest! {
        #[test]
        fn legs_and_amounts_due_come_to_what_the_source_is_owed(
            groups in any_groups(), places in 0_u8..4, share in 0_i128..=100
        ) {
            let cost: Amount = groups.iter().map(|group| group.cost).sum();
            let (plain, _) = post_statement(groups.clone(), places);
            let (lines, totals) = post_subsidized(groups, places, |groups| shared(groups, share));
            prop_assert_eq!(totals.due + totals.subsidy, cost.round(places));
            let unit = Amount::from_minor(Minor::new(2), places);
            for (line, plain) in lines.iter().zip(&plain) {
                prop_assert_eq!((line.list, line.discount), (plain.list, plain.discount));
                prop_assert_eq!(line.due + line.subsidy, plain.due);
                prop_assert_eq!(line.subsidy, line.legs.iter().map(|leg| leg.amount).sum::<Minor>());
                for leg in &line.legs {
                    let off = (leg.leg.paid - Amount::from_minor(leg.amount, places)).abs();
                    prop_assert!(off < unit, "{:?} of {:?}", leg, line.group.cost);
                }
            }
        }

        /// Counted by user, a rule pays of every line what it would without.
        #[test]
        fn legs_of_users_come_to_the_leg_of_their_rule(
            groups in any_groups(), share in 0_i128..=100, users in 1_i128..7
        ) {
            let (lines, totals) = post_subsidized(groups.clone(), 2, |groups| shared(groups, share));
            let (by_user, same) =
                post_subsidized(groups, 2, |groups| shared_by_users(groups, share, users));
            prop_assert_eq!(totals, same);
            for (line, by_user) in lines.iter().zip(&by_user) {
                for leg in &line.legs {
                    let own = by_user.legs.iter().filter(|own| own.leg.by == leg.leg.by);
                    prop_assert_eq!(own.map(|own| own.amount).sum::<Minor>(), leg.amount);
                }
                prop_assert_eq!(line.due, by_user.due);
            }
        }

        #[test]
        fn every_line_and_total_adds_up(groups in any_groups(), places in 0_u8..4) {
            let cost: Amount = groups.iter().map(|group| group.cost).sum();
            let list: Amount =
                groups.iter().map(|group| stated_list(group.kind, group.list_cost, group.cost)).sum();
            let (lines, totals) = post_statement(groups, places);
            prop_assert_eq!(totals, Totals::of(&lines));
            prop_assert_eq!(totals.due, cost.round(places));
            prop_assert_eq!(totals.list, list.round(places));
            prop_assert_eq!(totals.list - totals.discount - totals.subsidy, totals.due);
            let unit = Amount::from_minor(Minor::new(1), places);
            for line in &lines {
                prop_assert_eq!(line.list - line.discount - line.subsidy, line.due);
                let exact = stated_list(line.group.kind, line.group.list_cost, line.group.cost);
                match exact.cmp(&line.group.cost) {
                    Ordering::Equal => prop_assert!(line.discount.is_zero()),
                    Ordering::Greater => prop_assert!(!line.discount.is_negative()),
                    Ordering::Less => prop_assert!(!(-line.discount).is_negative()),
                }
                prop_assert!((Amount::from_minor(line.due, places) - line.group.cost).abs() < unit);
                prop_assert!((Amount::from_minor(line.list, places) - exact).abs() < unit + unit, "{:?}", line);
            }
        }

        #[test]
        fn a_statement_does_not_depend_on_the_order_of_its_groups(groups in any_groups()) {
            let mut reversed = groups.clone();
            reversed.reverse();
            prop_assert_eq!(post_statement(groups, 2), post_statement(reversed, 2));
        }
    }
}
