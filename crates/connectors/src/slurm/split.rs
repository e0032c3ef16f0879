//! Which seconds of a run lie in which part of a month.

/// The seconds that a run used before an instant. What it was suspended lies evenly between start and end, as
/// nobody knows when it was; whole seconds are counted as soon as they are over, so that the slices of
/// adjoining times add up to the run exactly.
pub(super) fn used_before(at: i64, (start, end): (i64, i64), elapsed: u64) -> u64 {
    if at <= start {
        return 0;
    }
    if end <= at {
        return elapsed;
    }
    let (passed, whole) = (u128::from(at.abs_diff(start)), u128::from(end.abs_diff(start)));
    u64::try_from(u128::from(elapsed) * passed / whole).unwrap_or(elapsed)
}

/// A share in millionths.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Share(pub u32);

impl Share {
    pub(super) const NOTHING: Share = Share(0);
    pub(super) const WHOLE: Share = Share(1_000_000);

    /// Of so many seconds; a second that cannot be divided is part of it.
    pub(super) fn of(self, seconds: u64) -> u64 {
        let share = (u128::from(seconds) * u128::from(self.0)).div_ceil(1_000_000);
        u64::try_from(share).unwrap_or(seconds)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_run_over_an_instant() {
        for (at, run, elapsed, expected) in [
            (100, (100, 200), 100, 0),
            (150, (100, 200), 100, 50),
            (200, (100, 200), 100, 100),
            (50, (100, 200), 100, 0),
            (300, (100, 200), 100, 100),
            // Ten of twenty seconds suspended: five of them before the middle, as far as anybody knows.
            (110, (100, 120), 10, 5),
            (101, (100, 103), 2, 0),
            (102, (100, 103), 2, 1),
            (100, (100, 100), 5, 0),
            (101, (100, 100), 5, 5),
        ] {
            assert_eq!(used_before(at, run, elapsed), expected, "{at} in {run:?}, {elapsed}");
        }
    }

    #[test]
    fn a_second_that_cannot_be_divided_is_billed() {
        for (millionths, seconds, expected) in
            [(500_000, 10, 5), (500_000, 11, 6), (0, 11, 0), (1_000_000, 11, 11), (125_000, 8, 1), (1, 1, 1)]
        {
            assert_eq!(Share(millionths).of(seconds), expected, "{millionths} of {seconds}");
        }
    }

    proptest! {
        #[test]
        fn slices_add_up_whatever_the_cuts(
            start in 0_i64..2_000_000_000,
            length in 0_i64..10_000_000,
            suspended in 0_i64..10_000_000,
            millionths in 0_u32..=1_000_000,
            mut cuts in prop::collection::vec(0_i64..2_020_000_000, 0..40),
        ) {
            let run = (start, start + length);
            let elapsed = u64::try_from((length - suspended).max(0)).unwrap();
            cuts.extend([0, 2_030_000_000]);
            cuts.sort_unstable();
            let used: Vec<u64> = cuts.iter().map(|at| used_before(*at, run, elapsed)).collect();
            prop_assert!(used.is_sorted());
            let billed: Vec<u64> = used.iter().map(|used| Share(millionths).of(*used)).collect();
            for slice in used.iter().zip(&billed).collect::<Vec<_>>().windows(2) {
                prop_assert!(slice[1].1 - slice[0].1 <= slice[1].0 - slice[0].0, "waived is never negative");
            }
            prop_assert_eq!(used.last(), Some(&elapsed));
        }
    }
}
