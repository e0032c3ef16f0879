use std::fmt;
use std::iter::Sum;
use std::ops::{Add, AddAssign, Neg, Sub};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::Minor;

/// An exact amount of money or quantity: a multiple of 10⁻¹⁸.
///
/// Eighteen places are more than any provider delivers (11 to 17 were seen) and leave room for
/// amounts below 10¹² with sums over 10⁸ of them (`i128` holds 1.7 × 10²⁰).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Amount(i128);

/// What came of reading an amount: the value, and whether digits beyond the eighteenth place were
/// rounded half-even (they are counted in a note of the import; the delivered text is kept).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parsed {
    pub amount: Amount,
    pub rounded: bool,
}

/// Why a text is not an amount. The message follows the text in backticks: "`12,50` is not …".
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseAmountError {
    #[error("is not a decimal number")]
    NotANumber,
    #[error("is not a finite number")]
    NotFinite,
    #[error("has a thousands separator or a decimal comma; write 1234.50")]
    Comma,
    #[error("is 10^12 or more, larger than any charge can be")]
    TooLarge,
}

impl Amount {
    pub const ZERO: Amount = Amount(0);
    /// Places after the decimal point.
    pub const SCALE: u32 = 18;
    const ONE: i128 = 10_i128.pow(Self::SCALE);
    /// A single charge must stay below this (10¹²), so that sums over 10⁸ of them cannot overflow.
    pub const LIMIT: Amount = Amount(10_i128.pow(12) * Self::ONE);

    /// The value times 10¹⁸, as it is stored in a `Decimal128(38, 18)` column.
    #[must_use]
    pub const fn from_units(units: i128) -> Amount {
        Amount(units)
    }

    #[must_use]
    pub const fn units(self) -> i128 {
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
    pub fn abs(self) -> Amount {
        if self.is_negative() { -self } else { self }
    }

    #[must_use]
    pub const fn checked_add(self, other: Amount) -> Option<Amount> {
        match self.0.checked_add(other.0) {
            Some(sum) => Some(Amount(sum)),
            None => None,
        }
    }

    /// Read a plain or E-notation decimal (FOCUS 1.4, numeric format; sign and exponent sign are
    /// read leniently). Thousands separators, `NaN`, infinities and values of 10¹² and more are errors.
    ///
    /// # Errors
    /// [`ParseAmountError`] says what is wrong with the text.
    pub fn parse(text: &[u8]) -> Result<Parsed, ParseAmountError> {
        if let Some(amount) = parse_plain(text) {
            return if amount.0.unsigned_abs() < Self::LIMIT.0.unsigned_abs() {
                Ok(Parsed { amount, rounded: false })
            } else {
                Err(ParseAmountError::TooLarge)
            };
        }
        parse_any(text)
    }

    /// Round half-even to minor units with `places` decimals (2 for USD, 0 for JPY).
    ///
    /// # Panics
    /// When the result does not fit 64 bits, which sums of amounts below [`Amount::LIMIT`] cannot reach
    /// before 10⁵ lines of the largest size.
    #[must_use]
    pub fn round(self, places: u8) -> Minor {
        let unit = 10_i128.pow(Self::SCALE - u32::from(places));
        let quotient = self.0.div_euclid(unit);
        let twice = self.0.rem_euclid(unit) * 2;
        let up = twice > unit || (twice == unit && quotient % 2 != 0);
        Minor::new(i64::try_from(quotient + i128::from(up)).expect("a statement line below 9 × 10¹⁶"))
    }

    /// The exact value of whole minor units.
    #[must_use]
    pub fn from_minor(minor: Minor, places: u8) -> Amount {
        Amount(i128::from(minor.get()) * 10_i128.pow(Self::SCALE - u32::from(places)))
    }
}

/// The fast path: `[-]digits[.digits]` with at most 18 digits before and after the point.
fn parse_plain(text: &[u8]) -> Option<Amount> {
    let (negative, digits) = match text.split_first()? {
        (b'-', rest) => (true, rest),
        _ => (false, text),
    };
    let mut value: u64 = 0;
    let mut seen = 0_usize;
    let mut point = None;
    for (at, &byte) in digits.iter().enumerate() {
        let digit = byte.wrapping_sub(b'0');
        if digit < 10 {
            value = value.wrapping_mul(10).wrapping_add(u64::from(digit));
            seen += 1;
        } else if byte == b'.' && point.is_none() {
            point = Some(at);
        } else {
            return None;
        }
    }
    if seen == 0 || seen > 18 {
        return None;
    }
    let places = point.map_or(0, |at| digits.len() - at - 1);
    let units = i128::from(value) * POWERS[18 - places];
    Some(Amount(if negative { -units } else { units }))
}

const POWERS: [i128; 19] = {
    let mut powers = [1_i128; 19];
    let mut n = 1;
    while n < 19 {
        powers[n] = powers[n - 1] * 10;
        n += 1;
    }
    powers
};

/// Everything the fast path leaves: E notation, long numbers, and the words for what is wrong.
fn parse_any(text: &[u8]) -> Result<Parsed, ParseAmountError> {
    let refuse = || {
        let lower = text.to_ascii_lowercase();
        let bare = lower.strip_prefix(b"-").or(lower.strip_prefix(b"+")).unwrap_or(&lower);
        match bare {
            b"nan" | b"inf" | b"infinity" => ParseAmountError::NotFinite,
            _ if text.contains(&b',') && text.iter().all(|b| b"0123456789.,+-".contains(b)) => {
                ParseAmountError::Comma
            }
            _ => ParseAmountError::NotANumber,
        }
    };
    let (negative, unsigned) = match text.split_first() {
        Some((b'-', rest)) => (true, rest),
        Some((b'+', rest)) => (false, rest),
        _ => (false, text),
    };
    let (mantissa, exponent) = match unsigned.iter().position(|b| matches!(b, b'e' | b'E')) {
        Some(at) => (&unsigned[..at], parse_exponent(&unsigned[at + 1..]).ok_or_else(refuse)?),
        None => (unsigned, 0),
    };
    let (whole, fraction) = match mantissa.iter().position(|&b| b == b'.') {
        Some(at) => (&mantissa[..at], &mantissa[at + 1..]),
        None => (mantissa, &mantissa[..0]),
    };
    let digits: Vec<u8> = whole.iter().chain(fraction).copied().collect();
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return Err(refuse());
    }
    let digits: &[u8] = {
        let zeros = digits.iter().take_while(|&&b| b == b'0').count();
        &digits[zeros..]
    };
    if digits.is_empty() {
        return Ok(Parsed { amount: Amount::ZERO, rounded: false });
    }
    // The value is 0.d₁d₂… × 10^top; it is below 10¹² exactly when top ≤ 12, as d₁ is not zero.
    let digit_count = i64::try_from(digits.len()).map_err(|_| ParseAmountError::TooLarge)?;
    let fraction_len = i64::try_from(fraction.len()).map_err(|_| ParseAmountError::TooLarge)?;
    let top = digit_count - fraction_len + exponent;
    if top > 12 {
        return Err(ParseAmountError::TooLarge);
    }
    // Digits that stand at or above the eighteenth place.
    let kept = top + i64::from(Amount::SCALE);
    let mut units: i128 = 0;
    for at in 0..kept.max(0) {
        let digit = usize::try_from(at).ok().and_then(|at| digits.get(at)).map_or(0, |b| b - b'0');
        units = units * 10 + i128::from(digit);
    }
    let rest =
        if kept < 0 { digits } else { digits.get(usize::try_from(kept).unwrap_or(0)..).unwrap_or(&[]) };
    let rounded = rest.iter().any(|&b| b != b'0');
    if rounded && kept >= 0 {
        let tail_is_zero = rest[1..].iter().all(|&b| b == b'0');
        let up = rest[0] > b'5' || (rest[0] == b'5' && (!tail_is_zero || units % 2 == 1));
        units += i128::from(up);
        // Rounding may have carried through all nines.
        if units >= Amount::LIMIT.0 {
            return Err(ParseAmountError::TooLarge);
        }
    }
    Ok(Parsed { amount: Amount(if negative { -units } else { units }), rounded })
}

/// An exponent, clamped far outside what can be a charge so that `1e999999999999` is only too large.
fn parse_exponent(text: &[u8]) -> Option<i64> {
    let (negative, digits) = match text.split_first()? {
        (b'-', rest) => (true, rest),
        (b'+', rest) => (false, rest),
        _ => (false, text),
    };
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let size = digits.iter().fold(0_i64, |n, b| (n * 10 + i64::from(b - b'0')).min(1 << 40));
    Some(if negative { -size } else { size })
}

/// The plain decimal with no trailing zeros: `12.5`, `-0.0000008`, `0`.
impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let magnitude = self.0.unsigned_abs();
        let one = Self::ONE.unsigned_abs();
        let sign = if self.0 < 0 { "-" } else { "" };
        let (whole, fraction) = (magnitude / one, magnitude % one);
        let text = if fraction == 0 {
            format!("{sign}{whole}")
        } else {
            let fraction = format!("{fraction:018}");
            format!("{sign}{whole}.{}", fraction.trim_end_matches('0'))
        };
        f.pad(&text)
    }
}

impl fmt::Debug for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl std::str::FromStr for Amount {
    type Err = ParseAmountError;

    fn from_str(text: &str) -> Result<Amount, ParseAmountError> {
        Amount::parse(text.as_bytes()).map(|parsed| parsed.amount)
    }
}

/// In JSON an amount is a string, so that no reader makes a float of it.
impl Serialize for Amount {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Amount {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Amount, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        read_total(&text).ok_or_else(|| serde::de::Error::custom(format!("`{text}` is not an amount")))
    }
}

/// A sum may exceed what one charge may be, so totals are read without [`Amount::LIMIT`].
fn read_total(text: &str) -> Option<Amount> {
    let (negative, unsigned) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
    let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, ""));
    if whole.is_empty() || fraction.len() > 18 || !unsigned.bytes().all(|b| b == b'.' || b.is_ascii_digit()) {
        return None;
    }
    let units: i128 = format!("{whole}{fraction:0<18}").parse().ok()?;
    Some(Amount(if negative { -units } else { units }))
}

impl Amount {
    /// Read a total as written by `Display`, which may be larger than one charge may be.
    #[must_use]
    pub fn parse_total(text: &str) -> Option<Amount> {
        read_total(text)
    }
}

impl Add for Amount {
    type Output = Amount;
    /// # Panics
    /// On overflow, in every profile: a wrapped sum of money is worse than a stop.
    fn add(self, other: Amount) -> Amount {
        self.checked_add(other).expect("a sum of amounts below 1.7 × 10²⁰")
    }
}

impl AddAssign for Amount {
    fn add_assign(&mut self, other: Amount) {
        *self = *self + other;
    }
}

impl Sub for Amount {
    type Output = Amount;
    fn sub(self, other: Amount) -> Amount {
        self + -other
    }
}

impl Neg for Amount {
    type Output = Amount;
    fn neg(self) -> Amount {
        Amount(self.0.checked_neg().expect("an amount below 1.7 × 10²⁰"))
    }
}

impl Sum for Amount {
    fn sum<I: Iterator<Item = Amount>>(amounts: I) -> Amount {
        amounts.fold(Amount::ZERO, Add::add)
    }
}

#[cfg(test)]
#[path = "amount_tests.rs"]
mod tests;
