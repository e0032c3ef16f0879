//! Charts as inline SVG: attributes only, no inline style, so that the strict policy holds. Each has a title
//! for those who hear pages, and a table behind it with the exact figures.

use askama::Template;
use money::{Amount, Currency, Minor};

/// A table whose rows have a bar: the chart is its own table.
#[derive(Template)]
#[template(path = "parts/bars.html")]
pub struct Bars {
    pub title: String,
    /// What the names are: `Service`.
    pub of: &'static str,
    pub rows: Vec<BarRow>,
}

pub struct BarRow {
    pub name: String,
    /// As people read it.
    pub value: String,
    /// Where the bar's name leads.
    pub to: Option<String>,
    pub width: u32,
}

/// Of the drawing, in its own units.
const WIDTH: u32 = 600;

impl Bars {
    /// `rows`: name, amount, where it leads; drawn in the order given.
    #[must_use]
    pub fn new(
        title: &str,
        of: &'static str,
        rows: Vec<(String, Amount, Option<String>)>,
        currency: &Currency,
    ) -> Bars {
        let places = currency.code.places();
        let minor: Vec<Minor> = rows.iter().map(|(_, amount, _)| amount.round(places)).collect();
        let longest = minor.iter().map(|amount| amount.get().unsigned_abs()).max().unwrap_or(0).max(1);
        let rows: Vec<BarRow> = rows
            .into_iter()
            .zip(minor)
            .map(|((name, _, to), amount)| BarRow {
                name,
                value: currency.display(amount),
                to,
                width: scaled(amount.get().unsigned_abs(), longest, WIDTH),
            })
            .collect();
        Bars { title: title.to_owned(), of, rows }
    }
}

/// Two amounts a month, side by side.
#[derive(Template)]
#[template(path = "parts/trend.html")]
pub struct Trend {
    pub id: &'static str,
    pub title: String,
    pub first: &'static str,
    pub second: &'static str,
    pub months: Vec<TrendMonth>,
    pub top: String,
    pub half: String,
}

pub struct TrendMonth {
    pub name: String,
    pub short: String,
    pub first: String,
    pub second: String,
    pub x: u32,
    pub first_height: u32,
    pub second_height: u32,
}

const TREND_HEIGHT: u32 = 160;
const MONTH_WIDTH: u32 = 44;

impl Trend {
    /// `months`: name as `2025-01`, and the two amounts.
    #[must_use]
    pub fn new(
        id: &'static str,
        title: &str,
        [first, second]: [&'static str; 2],
        months: &[(String, Amount, Amount)],
        currency: &Currency,
    ) -> Trend {
        let places = currency.code.places();
        let units = |amount: &Amount| amount.round(places).get().max(0).unsigned_abs();
        let most = months.iter().flat_map(|(_, a, b)| [units(a), units(b)]).max().unwrap_or(0).max(1);
        let shown = |units: u64| currency.display(Minor::new(i64::try_from(units).unwrap_or(i64::MAX)));
        let months = months
            .iter()
            .zip(0u32..)
            .map(|((name, a, b), at)| TrendMonth {
                name: name.clone(),
                short: name.get(2..).unwrap_or(name).to_owned(),
                first: currency.display(a.round(places)),
                second: currency.display(b.round(places)),
                x: 70 + at * MONTH_WIDTH,
                first_height: scaled(units(a), most, TREND_HEIGHT),
                second_height: scaled(units(b), most, TREND_HEIGHT),
            })
            .collect();
        Trend { id, title: title.to_owned(), first, second, months, top: shown(most), half: shown(most / 2) }
    }
}

/// `part` of `whole`, as so much of `length`; what is there is seen.
fn scaled(part: u64, whole: u64, length: u32) -> u32 {
    let scaled = u128::from(part) * u128::from(length) / u128::from(whole);
    let scaled = u32::try_from(scaled).unwrap_or(length).min(length);
    if 0 < part { scaled.max(1) } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_in_proportion_and_nothing_is_lost_to_sight() {
        for (part, whole, length) in [(0, 10, 0), (10, 10, 600), (5, 10, 300), (1, 1_000_000, 1)] {
            assert_eq!(scaled(part, whole, 600), length, "{part} of {whole}");
        }
        assert_eq!(scaled(u64::MAX, u64::MAX, 600), 600);
    }
}
