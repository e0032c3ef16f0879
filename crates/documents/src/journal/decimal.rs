//! Amounts inside an institution's template: exact decimals that print, compare and add up as Python's
//! would, in an engine that only knows floats.

use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

use minijinja::value::{DynObject, Object, ObjectRepr};
use minijinja::{Error, ErrorKind, Value};
use money::{Amount, Currency, Minor};

/// A decimal and how many places it is printed with at least (2 for dollars), as in Python's `Decimal`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decimal {
    pub value: Amount,
    pub places: u8,
}

const ONE: u128 = 10_u128.pow(Amount::SCALE);

impl Decimal {
    pub fn of(amount: Minor, currency: &Currency) -> Decimal {
        let places = currency.code.places();
        Decimal { value: Amount::from_minor(amount, places), places }
    }

    fn whole(value: i128) -> Option<Decimal> {
        let units = value.checked_mul(i128::try_from(ONE).ok()?)?;
        Some(Decimal { value: Amount::from_units(units), places: 0 })
    }

    /// A number or a text that is one; `None` for anything else.
    pub fn read(text: &str) -> Option<Decimal> {
        let text = text.trim();
        let places = text.split_once('.').map_or(0, |(_, fraction)| fraction.len().min(18));
        let value = text.parse().ok().or_else(|| Amount::parse_total(text))?;
        Some(Decimal { value, places: u8::try_from(places).unwrap_or(18) })
    }

    /// The number a value is: a decimal, an integer, a truth value, or a number of the configuration.
    pub fn from_value(value: &Value) -> Option<Decimal> {
        if let Some(decimal) = value.downcast_object_ref::<Decimal>() {
            return Some(*decimal);
        }
        if let Ok(truth) = bool::try_from(value.clone()) {
            return Decimal::whole(truth.into());
        }
        if value.is_integer() {
            return Decimal::whole(i128::try_from(value.clone()).ok()?);
        }
        // A float of the configuration (a rate of 0.35) is read by what it prints as.
        value.is_number().then(|| Decimal::read(&value.to_string()))?
    }

    pub fn is_negative(self) -> bool {
        self.value.is_negative()
    }

    /// Rounded half-even to `places` decimals, negative places to tens and hundreds.
    pub fn rounded(self, places: i32, rounding: Rounding) -> Decimal {
        let places = places.clamp(-18, 18);
        let step = 10_i128.pow(u32::try_from(18 - places).unwrap_or(0));
        let units = self.value.units();
        let (quotient, rest) = (units.div_euclid(step), units.rem_euclid(step));
        let up = match rounding {
            Rounding::Floor => false,
            Rounding::Ceil => rest > 0,
            Rounding::HalfEven => match rest.cmp(&(step - rest)) {
                Ordering::Less => false,
                Ordering::Equal => quotient % 2 != 0,
                Ordering::Greater => true,
            },
        };
        let units = (quotient + i128::from(up)).saturating_mul(step);
        Decimal { value: Amount::from_units(units), places: u8::try_from(places).unwrap_or(0) }
    }

    /// The integer part, towards zero.
    pub fn truncated(self) -> i128 {
        self.value.units() / ONE.cast_signed()
    }

    /// The decimal with exactly `places` decimals, rounded half-even.
    pub fn fixed(self, places: u8) -> String {
        let rounded = self.rounded(places.into(), Rounding::HalfEven).value.units();
        let magnitude = rounded.unsigned_abs();
        let sign = if rounded < 0 { "-" } else { "" };
        let whole = magnitude / ONE;
        if places == 0 {
            return format!("{sign}{whole}");
        }
        let fraction = format!("{:018}", magnitude % ONE);
        let kept = usize::from(places).min(18);
        format!("{sign}{whole}.{:0<width$}", &fraction[..kept], width = usize::from(places))
    }

    pub fn abs(self) -> Decimal {
        Decimal { value: self.value.abs(), ..self }
    }

    pub fn negated(self) -> Decimal {
        Decimal { value: -self.value, ..self }
    }

    fn with(self, other: Decimal, units: Option<i128>) -> Option<Decimal> {
        Some(Decimal { value: Amount::from_units(units?), places: self.places.max(other.places) })
    }

    pub fn add(self, other: Decimal) -> Option<Decimal> {
        self.with(other, self.value.units().checked_add(other.value.units()))
    }

    pub fn sub(self, other: Decimal) -> Option<Decimal> {
        self.with(other, self.value.units().checked_sub(other.value.units()))
    }

    /// The product, rounded half-even at the eighteenth place.
    pub fn mul(self, other: Decimal) -> Option<Decimal> {
        let (a, b) = (self.value.units().unsigned_abs(), other.value.units().unsigned_abs());
        let (whole_a, rest_a) = (a / ONE, a % ONE);
        let (whole_b, rest_b) = (b / ONE, b % ONE);
        let low = rest_a * rest_b;
        let magnitude = whole_a
            .checked_mul(whole_b)?
            .checked_mul(ONE)?
            .checked_add(whole_a.checked_mul(rest_b)?)?
            .checked_add(whole_b.checked_mul(rest_a)?)?
            .checked_add(half_even(low / ONE, low % ONE, ONE))?;
        self.with(other, signed(magnitude, self.is_negative() != other.is_negative()))
    }

    /// The quotient, rounded half-even at the eighteenth place; `None` also for a division by zero.
    pub fn div(self, other: Decimal) -> Option<Decimal> {
        let (a, b) = (self.value.units().unsigned_abs(), other.value.units().unsigned_abs());
        let mut quotient = a.checked_div(b)?;
        let mut rest = a % b;
        for _ in 0..Amount::SCALE {
            rest = rest.checked_mul(10)?;
            quotient = quotient.checked_mul(10)?.checked_add(rest / b)?;
            rest %= b;
        }
        self.with(other, signed(half_even(quotient, rest, b), self.is_negative() != other.is_negative()))
    }

    /// Quotient rounded down, and what remains (Python's `//` and `%`: the rest has the divisor's sign).
    pub fn div_floor(self, other: Decimal) -> Option<(Decimal, Decimal)> {
        let (a, b) = (self.value.units(), other.value.units());
        let mut quotient = a.checked_div(b)?;
        if a % b != 0 && (a < 0) != (b < 0) {
            quotient -= 1;
        }
        let rest = a.checked_sub(quotient.checked_mul(b)?);
        Some((Decimal::whole(quotient)?, self.with(other, rest)?))
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rounding {
    HalfEven,
    Floor,
    Ceil,
}

fn half_even(quotient: u128, rest: u128, divisor: u128) -> u128 {
    let up = match rest.cmp(&(divisor - rest)) {
        Ordering::Less => false,
        Ordering::Equal => quotient % 2 == 1,
        Ordering::Greater => true,
    };
    quotient + u128::from(up)
}

fn signed(magnitude: u128, negative: bool) -> Option<i128> {
    let magnitude = i128::try_from(magnitude).ok()?;
    Some(if negative { -magnitude } else { magnitude })
}

impl PartialOrd for Decimal {
    fn partial_cmp(&self, other: &Decimal) -> Option<Ordering> {
        Some(self.value.cmp(&other.value))
    }
}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plain = self.value.to_string();
        let shown = plain.split_once('.').map_or(0, |(_, fraction)| fraction.len());
        if shown >= usize::from(self.places) {
            f.write_str(&plain)
        } else {
            f.write_str(&self.fixed(self.places))
        }
    }
}

impl Object for Decimal {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn is_true(self: &Arc<Self>) -> bool {
        !self.value.is_zero()
    }

    fn custom_cmp(self: &Arc<Self>, other: &DynObject) -> Option<Ordering> {
        Some(self.value.cmp(&other.downcast_ref::<Decimal>()?.value))
    }

    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl From<Decimal> for Value {
    fn from(decimal: Decimal) -> Value {
        Value::from_object(decimal)
    }
}

/// The error of a calculation that has no exact answer within 38 digits.
pub fn out_of_range(what: &str) -> Error {
    Error::new(
        ErrorKind::InvalidOperation,
        format!("{what} divides by zero or exceeds 20 digits before the point"),
    )
}
