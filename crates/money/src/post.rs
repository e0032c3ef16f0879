use std::cmp::Reverse;

use crate::{Amount, Minor};

/// What a line may become when it is rounded together with others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bound {
    Free,
    AtLeast(Minor),
    AtMost(Minor),
    Exactly(Minor),
}

/// Round the exact amounts of a statement's lines so that they add up to their rounded exact total.
///
/// Each amount is rounded half-even; then single minor units go to the lines with the largest error
/// (ties: the earlier line) until the lines add up. Every line is off by less than one unit. A negative
/// total mirrors the positive one: `post(−x) = −post(x)`. `places` is the currency's number of decimals.
#[must_use]
pub fn post(exact: &[Amount], places: u8) -> Vec<Minor> {
    let total: Amount = exact.iter().copied().sum();
    post_to(exact, total.round(places), places, |_| Bound::Free)
}

/// Like [`post`], to a total that is given, with each line kept within a bound. The lines always add up
/// to `total`: where the bounds leave no room for it, they give way. (No lines add up to nothing.)
#[must_use]
pub fn post_to(exact: &[Amount], total: Minor, places: u8, bound: impl Fn(usize) -> Bound) -> Vec<Minor> {
    let mut bounds: Vec<Bound> = (0..exact.len()).map(bound).collect();
    let mut posted: Vec<Minor> =
        exact.iter().zip(&bounds).map(|(amount, bound)| bound.clamp(amount.round(places))).collect();
    while !posted.is_empty() {
        let missing = total - posted.iter().copied().sum();
        if missing.is_zero() {
            break;
        }
        let up = !missing.is_negative();
        // The error of a line is what rounding took from it; units go where most was taken (or, when
        // there are too many, come from where most was given).
        let error = |at: usize| {
            let taken = exact[at] - Amount::from_minor(posted[at], places);
            if up { taken } else { -taken }
        };
        let mut order: Vec<(Reverse<Amount>, usize, i64)> = (0..exact.len())
            .map(|at| (Reverse(error(at)), at, bounds[at].room(posted[at], up)))
            .filter(|&(_, _, room)| room > 0)
            .collect();
        if order.is_empty() {
            bounds.fill(Bound::Free);
            continue;
        }
        order.sort_unstable();
        let mut left = missing.abs().get();
        let lines = i64::try_from(order.len()).unwrap_or(i64::MAX);
        // One unit a line, unless the total was given far away from what the lines come to.
        let each = (left / lines).max(1);
        for (_, at, room) in order {
            let units = each.min(room).min(left);
            posted[at] += Minor::new(if up { units } else { -units });
            left -= units;
        }
    }
    posted
}

impl Bound {
    fn clamp(self, posted: Minor) -> Minor {
        match self {
            Bound::Free => posted,
            Bound::AtLeast(least) => posted.max(least),
            Bound::AtMost(most) => posted.min(most),
            Bound::Exactly(value) => value,
        }
    }

    /// How many units the line may still move up (or down).
    fn room(self, posted: Minor, up: bool) -> i64 {
        match self {
            Bound::Exactly(_) => 0,
            Bound::AtLeast(least) if !up => (posted - least).get(),
            Bound::AtMost(most) if up => (most - posted).get(),
            _ => i64::MAX,
        }
    }
}

/// Split whole minor units by weights so that the parts are the whole (largest remainder; ties: the
/// earlier part). A part of weight zero gets nothing, unless all are zero: then the first part takes
/// everything. A negative whole mirrors the positive one. Only with no weights at all are there no parts.
#[must_use]
pub fn split(whole: Minor, weights: &[u64]) -> Vec<Minor> {
    let total: u128 = weights.iter().map(|&weight| u128::from(weight)).sum();
    let magnitude = u128::from(whole.get().unsigned_abs());
    if total == 0 {
        return (0..weights.len()).map(|at| if at == 0 { whole } else { Minor::ZERO }).collect();
    }
    let mut parts: Vec<u128> = weights.iter().map(|&weight| magnitude * u128::from(weight) / total).collect();
    let mut order: Vec<usize> = (0..weights.len()).collect();
    order.sort_by_key(|&at| (Reverse(magnitude * u128::from(weights[at]) % total), at));
    let missing = magnitude - parts.iter().sum::<u128>();
    for &at in order.iter().take(usize::try_from(missing).unwrap_or(usize::MAX)) {
        parts[at] += 1;
    }
    let sign = i128::from(whole.get().signum());
    parts
        .into_iter()
        .map(|part| i128::try_from(part).ok().and_then(|part| i64::try_from(sign * part).ok()))
        .map(|part| Minor::new(part.expect("a part is not larger than the whole")))
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn amounts(texts: &str) -> Vec<Amount> {
        texts.split_whitespace().map(|text| text.parse().unwrap()).collect()
    }

    fn units(minors: &[Minor]) -> Vec<i64> {
        minors.iter().map(|minor| minor.get()).collect()
    }

    #[test]
    fn lines_add_up_to_the_rounded_total() {
        let check = |texts: &str, expected: &[i64]| {
            assert_eq!(units(&post(&amounts(texts), 2)), expected, "{texts}");
        };
        check("", &[]);
        check("0.005", &[0]);
        check("0.015", &[2]);
        check("-0.015", &[-2]);
        // Defect 11 of the earlier system: the lines came to 4.19 where the statement said 4.20.
        check("0.125 0.375 1.005 2.675 0.005 0.015", &[12, 38, 100, 268, 0, 2]);
        // Three thirds of a dollar: the earlier line takes the cent.
        check("0.333333333333333333 0.333333333333333333 0.333333333333333334", &[33, 33, 34]);
        // Too many units after rounding: taken from the largest error, ties from the earlier line.
        check("0.006 0.006 0.006", &[0, 1, 1]);
        check("-0.006 -0.006 -0.006", &[0, -1, -1]);
        // A total of zero with lines that round alike.
        check("0.004 0.004 -0.008", &[1, 0, -1]);
        // No float: a thousand dimes are a hundred dollars.
        assert_eq!(post(&amounts(&"0.10 ".repeat(1000)), 2).into_iter().sum::<Minor>(), Minor::new(10_000));
    }

    #[test]
    fn bounds_hold_where_there_is_room_and_give_way_where_not() {
        let check = |texts: &str, total: i64, bounds: &[Bound], expected: &[i64]| {
            let posted = post_to(&amounts(texts), Minor::new(total), 2, |at| bounds[at]);
            assert_eq!(units(&posted), expected, "{texts} to {total}");
        };
        let minor = Minor::new;
        check("0.30 0.30", 60, &[Bound::Exactly(minor(31)), Bound::Free], &[31, 29]);
        check("0.30 0.30", 60, &[Bound::AtLeast(minor(33)), Bound::Free], &[33, 27]);
        check("0.30 0.30", 60, &[Bound::AtMost(minor(20)), Bound::Free], &[20, 40]);
        check("0.30 0.30", 70, &[Bound::AtMost(minor(32)), Bound::Free], &[32, 38]);
        check("0.30 0.30", 70, &[Bound::Exactly(minor(30)), Bound::Exactly(minor(30))], &[35, 35]);
        check(
            "0.30 0.30 0.30",
            1_000_000_000_000,
            &[Bound::Free; 3],
            &[333_333_333_334, 333_333_333_333, 333_333_333_333],
        );
    }

    #[test]
    fn parts_are_the_whole() {
        let check = |whole: i64, weights: &[u64], expected: &[i64]| {
            assert_eq!(units(&split(Minor::new(whole), weights)), expected, "{whole} by {weights:?}");
        };
        check(5, &[33, 33, 34], &[2, 1, 2]);
        check(10_000, &[1, 1, 1], &[3334, 3333, 3333]);
        check(-10_000, &[1, 1, 1], &[-3334, -3333, -3333]);
        check(1, &[0, 1, 0], &[0, 1, 0]);
        check(7, &[0, 0], &[7, 0]);
        check(0, &[1, 2], &[0, 0]);
        check(i64::MIN, &[1], &[i64::MIN]);
        check(i64::MAX, &[u64::MAX, 0], &[i64::MAX, 0]);
    }

    /// Amounts as they come: many small ones with many places, ties, a few large ones, both signs.
    fn any_amount() -> impl Strategy<Value = Amount> {
        const UNIT: i128 = 10_i128.pow(Amount::SCALE);
        prop_oneof![
            (-10 * UNIT..10 * UNIT).prop_map(Amount::from_units),
            (-40_i128..40).prop_map(|half_cents| Amount::from_units(half_cents * UNIT / 200)),
            (-1_000_000_000_000 * UNIT..1_000_000_000_000 * UNIT).prop_map(Amount::from_units),
        ]
    }

    fn any_bound() -> impl Strategy<Value = Bound> {
        let minor = || (-2000_i64..2000).prop_map(Minor::new);
        prop_oneof![
            Just(Bound::Free),
            minor().prop_map(Bound::AtLeast),
            minor().prop_map(Bound::AtMost),
            minor().prop_map(Bound::Exactly),
        ]
    }

    proptest! {
        #[test]
        fn posted_lines_are_the_rounded_exact_total_and_each_near_its_amount(
            exact in prop::collection::vec(any_amount(), 0..40), places in 0_u8..4,
        ) {
            let posted = post(&exact, places);
            let total: Amount = exact.iter().copied().sum();
            prop_assert_eq!(posted.iter().copied().sum::<Minor>(), total.round(places));
            let unit = Amount::from_minor(Minor::new(1), places);
            for (amount, minor) in exact.iter().zip(&posted) {
                let off = (*amount - Amount::from_minor(*minor, places)).abs();
                prop_assert!(off < unit, "{amount} became {minor}");
            }
            let mirrored: Vec<Amount> = exact.iter().map(|&amount| -amount).collect();
            let negative: Vec<Minor> = posted.iter().map(|&minor| -minor).collect();
            prop_assert_eq!(post(&mirrored, places), negative);
        }

        #[test]
        fn lines_posted_to_a_total_are_that_total(
            lines in prop::collection::vec((any_amount(), any_bound()), 1..20),
            total in -1_000_000_000_i64..1_000_000_000,
        ) {
            let exact: Vec<Amount> = lines.iter().map(|line| line.0).collect();
            let posted = post_to(&exact, Minor::new(total), 2, |at| lines[at].1);
            prop_assert_eq!(posted.into_iter().sum::<Minor>(), Minor::new(total));
        }

        #[test]
        fn a_split_is_whole_and_fair(whole: i64, weights in prop::collection::vec(any::<u64>(), 1..20)) {
            let parts = split(Minor::new(whole), &weights);
            prop_assert_eq!(parts.iter().map(|part| i128::from(part.get())).sum::<i128>(), i128::from(whole));
            let total: u128 = weights.iter().map(|&weight| u128::from(weight)).sum();
            for (part, &weight) in parts.iter().zip(&weights).filter(|_| total > 0) {
                let exact = u128::from(whole.unsigned_abs()) * u128::from(weight);
                let given = u128::from(part.get().unsigned_abs()) * total;
                prop_assert!(exact.abs_diff(given) < total, "{part} for weight {weight}");
            }
        }
    }
}
