use std::fmt;
use std::iter::Sum;
use std::ops::{Add, AddAssign, Neg, Sub};

use serde::{Deserialize, Serialize};

/// Whole minor units of a currency (cents of a dollar): what is posted. Never multiplied or divided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Minor(i64);

impl Minor {
    pub const ZERO: Minor = Minor(0);

    #[must_use]
    pub const fn new(units: i64) -> Minor {
        Minor(units)
    }

    #[must_use]
    pub const fn get(self) -> i64 {
        self.0
    }

    #[must_use]
    pub const fn is_zero(self) -> bool {
        self.0 == 0
    }

    #[must_use]
    pub const fn is_negative(self) -> bool {
        self.0 < 0
    }

    #[must_use]
    pub const fn abs(self) -> Minor {
        Minor(self.0.abs())
    }

    /// The plain decimal a machine reads: `-1234.50`, never with separators.
    #[must_use]
    pub fn decimal(self, places: u8) -> String {
        let sign = if self.0 < 0 { "-" } else { "" };
        let digits = self.0.unsigned_abs();
        if places == 0 {
            return format!("{sign}{digits}");
        }
        let unit = 10_u64.pow(u32::from(places));
        format!("{sign}{}.{:0width$}", digits / unit, digits % unit, width = usize::from(places))
    }
}

impl fmt::Display for Minor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Add for Minor {
    type Output = Minor;
    /// # Panics
    /// On overflow, in every profile: a wrapped sum of money is worse than a stop.
    fn add(self, other: Minor) -> Minor {
        Minor(self.0.checked_add(other.0).expect("a total below 9 × 10¹⁸ minor units"))
    }
}

impl AddAssign for Minor {
    fn add_assign(&mut self, other: Minor) {
        *self = *self + other;
    }
}

impl Sub for Minor {
    type Output = Minor;
    fn sub(self, other: Minor) -> Minor {
        self + -other
    }
}

impl Neg for Minor {
    type Output = Minor;
    fn neg(self) -> Minor {
        Minor(self.0.checked_neg().expect("a total below 9 × 10¹⁸ minor units"))
    }
}

impl Sum for Minor {
    fn sum<I: Iterator<Item = Minor>>(amounts: I) -> Minor {
        amounts.fold(Minor::ZERO, Add::add)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_reads_a_plain_decimal() {
        let check = |units: i64, places: u8, expected: &str| {
            assert_eq!(Minor::new(units).decimal(places), expected);
        };
        check(0, 2, "0.00");
        check(5, 2, "0.05");
        check(-5, 2, "-0.05");
        check(123_450, 2, "1234.50");
        check(-123_450, 0, "-123450");
        check(7, 3, "0.007");
        check(i64::MIN, 2, "-92233720368547758.08");
    }

    #[test]
    #[should_panic(expected = "a total below")]
    fn a_sum_does_not_wrap() {
        let _ = Minor::new(i64::MAX) + Minor::new(1);
    }
}
