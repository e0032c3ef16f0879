//! Products: a quantity times a price, and a quantity in another unit. Exact, then rounded half-even once.

use crate::Amount;

impl Amount {
    /// `self × other`, rounded half-even to 18 places; `None` where an amount cannot hold it (1.7 × 10²⁰).
    #[must_use]
    pub fn times(self, other: Amount) -> Option<Amount> {
        const ONE: u128 = 10_u128.pow(Amount::SCALE);
        let is_negative = self.is_negative() != other.is_negative();
        signed(is_negative, ratio(self.units().unsigned_abs(), other.units().unsigned_abs(), ONE)?)
    }

    /// `self × numerator ÷ denominator`, rounded half-even to 18 places; `None` where an amount cannot hold
    /// it, or the denominator is nothing.
    #[must_use]
    pub fn scaled(self, numerator: u128, denominator: u128) -> Option<Amount> {
        signed(self.is_negative(), ratio(self.units().unsigned_abs(), numerator, denominator)?)
    }
}

fn signed(is_negative: bool, units: u128) -> Option<Amount> {
    let units = i128::try_from(units).ok()?;
    Some(Amount::from_units(if is_negative { -units } else { units }))
}

/// `a × b ÷ d`, rounded half-even; `None` where it does not fit or `d` is nothing.
fn ratio(a: u128, b: u128, d: u128) -> Option<u128> {
    let (quotient, remainder) = match a.checked_mul(b) {
        Some(product) => (product.checked_div(d)?, product % d),
        None => wide_ratio(a, b, d)?,
    };
    // Twice the remainder, against a divisor that may need all 128 bits.
    let up = match remainder.cmp(&(d - remainder)) {
        std::cmp::Ordering::Less => false,
        std::cmp::Ordering::Equal => quotient % 2 == 1,
        std::cmp::Ordering::Greater => true,
    };
    quotient.checked_add(u128::from(up))
}

/// Long division of the 256 bits of a product: by 64 bits at a time where the divisor has no more, else bit by
/// bit.
fn wide_ratio(a: u128, b: u128, d: u128) -> Option<(u128, u128)> {
    let (high, low) = wide_product(a, b);
    // Then the quotient fits 128 bits.
    if d <= high {
        return None;
    }
    if d <= LOW {
        let upper = high << 64 | low >> 64;
        let lower = ((upper % d) << 64) | (low & LOW);
        return Some((((upper / d) << 64) | (lower / d), lower % d));
    }
    let (mut remainder, mut quotient) = (high, 0_u128);
    for bit in (0..128).rev() {
        let carry = remainder >> 127 == 1;
        remainder = remainder << 1 | (low >> bit & 1);
        quotient <<= 1;
        if carry || d <= remainder {
            remainder = remainder.wrapping_sub(d);
            quotient |= 1;
        }
    }
    Some((quotient, remainder))
}

/// The lower half of 128 bits.
const LOW: u128 = (1 << 64) - 1;

/// The upper and the lower 128 bits of a product.
fn wide_product(a: u128, b: u128) -> (u128, u128) {
    let (a_high, a_low, b_high, b_low) = (a >> 64, a & LOW, b >> 64, b & LOW);
    let low = a_low * b_low;
    let middle = a_high * b_low + (low >> 64);
    let other = a_low * b_high + (middle & LOW);
    (a_high * b_high + (middle >> 64) + (other >> 64), other << 64 | (low & LOW))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_product_is_exact_and_rounded_once() {
        for (quantity, price, expected) in [
            ("12400", "0.012", "148.8"),
            ("-3", "0.05", "-0.15"),
            ("374.135", "0.05", "18.70675"),
            ("0.000000001", "0.000000001", "0.000000000000000001"),
            ("0.5", "0.000000000000000001", "0"),
            ("1.5", "0.000000000000000001", "0.000000000000000002"),
            ("2.5", "0.000000000000000001", "0.000000000000000002"),
            ("-2.5", "0.000000000000000001", "-0.000000000000000002"),
            ("123456789.123456789", "987.654321987654321", "121932631356.500531347203169113"),
            ("0", "-7", "0"),
        ] {
            let amount = |text: &str| text.parse::<Amount>().unwrap();
            let product = amount(quantity).times(amount(price)).map(|product| product.to_string());
            assert_eq!(product.as_deref(), Some(expected), "{quantity} × {price}");
        }
        let large: Amount = "99999999999".parse().unwrap();
        assert_eq!(large.times(large), None);
    }

    #[test]
    fn a_quantity_in_another_unit() {
        let check = |quantity: &str, numerator, denominator, expected: Option<&str>| {
            let scaled = quantity.parse::<Amount>().unwrap().scaled(numerator, denominator);
            assert_eq!(scaled.map(|scaled| scaled.to_string()).as_deref(), expected);
        };
        check("744", 1, 744, Some("1"));
        check("1", 1, 3, Some("0.333333333333333333"));
        check("2", 1, 3, Some("0.666666666666666667"));
        check("1", 1 << 40, 10_u128.pow(12), Some("1.099511627776"));
        check("-1000000000", u128::from(u64::MAX), u128::from(u64::MAX), Some("-1000000000"));
        check("1", 1, 0, None);
    }

    proptest! {
        #[test]
        fn a_wide_ratio_is_what_a_narrow_one_is(a: u64, b: u64, d in 1..u64::MAX) {
            let (a, b, d) = (u128::from(a), u128::from(b), u128::from(d));
            // The quotient of the wide one must fit; of these it does.
            prop_assert_eq!(wide_ratio(a, b, d), Some((a * b / d, a * b % d)));
        }

        #[test]
        fn a_wide_ratio_is_undone_by_its_divisor(quotient: u128, d in 1_u128..1 << 100) {
            // With a divisor of any width: q × d ÷ d is q, and nothing remains.
            prop_assert_eq!(wide_ratio(quotient, d, d), Some((quotient, 0)));
        }

        #[test]
        fn a_scaled_amount_is_the_nearest(units in -(10_i128.pow(18))..10_i128.pow(18), by in 0_u128..1 << 60, of in 1_u128..1 << 60) {
            let scaled = Amount::from_units(units).scaled(by, of);
            let off = scaled.map(|scaled| units * by.cast_signed() - scaled.units() * of.cast_signed());
            prop_assert!(off.is_some_and(|off| off.abs() * 2 <= of.cast_signed()));
            prop_assert_eq!(Amount::from_units(units).scaled(of, of), Some(Amount::from_units(units)));
        }
    }
}
