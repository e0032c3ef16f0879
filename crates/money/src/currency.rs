use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::Minor;

/// An ISO 4217 code of a national currency, with its number of minor-unit decimals.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CurrencyCode {
    code: [u8; 3],
    places: u8,
}

/// The ledger's currency: code, symbol for display, decimals.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Currency {
    pub code: CurrencyCode,
    pub symbol: String,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not an ISO 4217 currency code such as USD")]
pub struct UnknownCurrency(String);

/// Codes whose minor unit is not a hundredth (ISO 4217:2015, table A.1).
const OTHER_PLACES: [(&str, u8); 26] = [
    ("BIF", 0),
    ("CLP", 0),
    ("DJF", 0),
    ("GNF", 0),
    ("ISK", 0),
    ("JPY", 0),
    ("KMF", 0),
    ("KRW", 0),
    ("PYG", 0),
    ("RWF", 0),
    ("UGX", 0),
    ("UYI", 0),
    ("VND", 0),
    ("VUV", 0),
    ("XAF", 0),
    ("XOF", 0),
    ("XPF", 0),
    ("BHD", 3),
    ("IQD", 3),
    ("JOD", 3),
    ("KWD", 3),
    ("LYD", 3),
    ("OMR", 3),
    ("TND", 3),
    ("CLF", 4),
    ("UYW", 4),
];

impl CurrencyCode {
    pub const USD: CurrencyCode = CurrencyCode { code: *b"USD", places: 2 };

    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.code).unwrap_or("???")
    }

    /// Decimals of the minor unit: 2 for USD, 0 for JPY, 3 for KWD.
    #[must_use]
    pub const fn places(&self) -> u8 {
        self.places
    }
}

impl FromStr for CurrencyCode {
    type Err = UnknownCurrency;

    fn from_str(text: &str) -> Result<CurrencyCode, UnknownCurrency> {
        let code: [u8; 3] = text.as_bytes().try_into().map_err(|_| UnknownCurrency(text.to_owned()))?;
        if !code.iter().all(u8::is_ascii_uppercase) {
            return Err(UnknownCurrency(text.to_owned()));
        }
        let places = OTHER_PLACES.iter().find(|(name, _)| *name == text).map_or(2, |&(_, places)| places);
        Ok(CurrencyCode { code, places })
    }
}

impl fmt::Display for CurrencyCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl Serialize for CurrencyCode {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for CurrencyCode {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<CurrencyCode, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// Thousands apart: `1,204` of the digits of a whole number without a sign.
#[must_use]
pub fn grouped(number: impl fmt::Display) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

impl Currency {
    /// What a person reads: `$1,234.50`, `−$0.05`, `1,234.50 kr` when the symbol is a word.
    #[must_use]
    pub fn display(&self, amount: Minor) -> String {
        let plain = amount.abs().decimal(self.code.places());
        let (whole, fraction) = plain.split_once('.').map_or((plain.as_str(), None), |(w, f)| (w, Some(f)));
        let mut grouped = grouped(whole);
        if let Some(fraction) = fraction {
            grouped.push('.');
            grouped.push_str(fraction);
        }
        let sign = if amount.is_negative() { "\u{2212}" } else { "" };
        if self.symbol.chars().count() > 1 && self.symbol.chars().all(char::is_alphabetic) {
            format!("{sign}{grouped}\u{a0}{}", self.symbol)
        } else {
            format!("{sign}{}{grouped}", self.symbol)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_person_reads_separators_and_a_symbol() {
        let check = |code: &str, symbol: &str, units: i64, expected: &str| {
            let currency = Currency { code: code.parse().unwrap(), symbol: symbol.to_owned() };
            assert_eq!(currency.display(Minor::new(units)), expected);
        };
        check("USD", "$", 0, "$0.00");
        check("USD", "$", 99_999, "$999.99");
        check("USD", "$", 100_000, "$1,000.00");
        check("USD", "$", -123_456_789, "\u{2212}$1,234,567.89");
        check("EUR", "\u{20ac}", 5, "\u{20ac}0.05");
        check("JPY", "\u{a5}", 1_234_567, "\u{a5}1,234,567");
        check("KWD", "KD", 1_234_567, "1,234.567\u{a0}KD");
        check("NOK", "kr", -5, "\u{2212}0.05\u{a0}kr");
        check("USD", "US$", 5, "US$0.05");
    }

    #[test]
    fn a_code_is_three_capitals_and_knows_its_decimals() {
        for (code, places) in [("USD", 2), ("EUR", 2), ("JPY", 0), ("KWD", 3), ("CLF", 4)] {
            assert_eq!(code.parse::<CurrencyCode>().unwrap().places(), places, "{code}");
        }
        for code in ["", "usd", "US", "USDT", "$", "US1", "\u{20ac}"] {
            assert_eq!(code.parse::<CurrencyCode>(), Err(UnknownCurrency(code.to_owned())));
        }
    }
}
