use crate::{Amount, Minor};

/// Round the exact amounts of a statement's lines so that they add up to their rounded exact total.
///
/// Each amount is rounded half-even; then single minor units go to the lines with the largest error
/// (ties: the earlier line) until the lines add up. A negative total mirrors the positive one:
/// `post(−x) = −post(x)`. `places` is the currency's number of decimals.
#[must_use]
pub fn post(exact: &[Amount], places: u8) -> Vec<Minor> {
    let total: Amount = exact.iter().copied().sum();
    if total.is_negative() {
        let mirrored: Vec<Amount> = exact.iter().map(|&amount| -amount).collect();
        return post(&mirrored, places).into_iter().map(|minor| -minor).collect();
    }
    let mut posted: Vec<Minor> = exact.iter().map(|amount| amount.round(places)).collect();
    let missing = (total.round(places) - posted.iter().copied().sum()).get();
    if missing == 0 {
        return posted;
    }
    let step = Minor::new(missing.signum());
    // The error of a line is what rounding took from it; give units where most was taken (or, when
    // there are too many units, take them where most was given).
    let error = |at: usize| {
        let taken = exact[at] - Amount::from_minor(posted[at], places);
        if missing > 0 { taken } else { -taken }
    };
    let mut order: Vec<usize> = (0..exact.len()).collect();
    order.sort_by_key(|&at| (std::cmp::Reverse(error(at)), at));
    // Each line is off by half a unit at most, so one unit a line is always enough.
    for &at in order.iter().take(usize::try_from(missing.unsigned_abs()).unwrap_or(usize::MAX)) {
        posted[at] += step;
    }
    posted
}

/// Split whole minor units by weights so that the parts are the whole (largest remainder; ties: the
/// earlier part). Weights must not be negative; if all are zero the first part takes everything.
#[must_use]
pub fn split(whole: Minor, weights: &[u64]) -> Vec<Minor> {
    let total: u128 = weights.iter().map(|&weight| u128::from(weight)).sum();
    let magnitude = u128::from(whole.get().unsigned_abs());
    if total == 0 {
        return (0..weights.len()).map(|at| if at == 0 { whole } else { Minor::ZERO }).collect();
    }
    let mut parts: Vec<u128> = weights.iter().map(|&weight| magnitude * u128::from(weight) / total).collect();
    let mut order: Vec<usize> = (0..weights.len()).collect();
    order.sort_by_key(|&at| (std::cmp::Reverse(magnitude * u128::from(weights[at]) % total), at));
    let missing = magnitude - parts.iter().sum::<u128>();
    for &at in order.iter().take(usize::try_from(missing).unwrap_or(usize::MAX)) {
        parts[at] += 1;
    }
    let sign = whole.get().signum();
    parts
        .into_iter()
        .map(|part| Minor::new(sign * i64::try_from(part).expect("a part is not larger than the whole")))
        .collect()
}
