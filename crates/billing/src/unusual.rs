//! Unusual cost: what a project costs in a service this month, held against the median of its months before.
//!
//! A median, because one odd month before must not hide the next. Only months in which the project used the
//! service count, so that a service used now and then is compared with itself.

use std::collections::BTreeMap;

use money::Amount;
use serde::{Deserialize, Serialize};

/// Fewer months are no history to be far from.
pub const HISTORY_MIN: usize = 3;

/// What is done about unusual cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Nothing is looked at.
    #[default]
    Off,
    /// It is told, and the charges carry the flag; they are billed.
    Inform,
    /// The charges are held until a person decides.
    Hold,
}

/// When a cost is unusual (`review.unusual_cost`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct UnusualCost {
    pub mode: Mode,
    /// How many hundredths of the median the cost must reach: 300 is three times the median.
    pub ratio_percent: u32,
    /// How far above the median the cost must be, in the ledger's currency.
    pub minimum: Amount,
    /// How many months with this service are looked back at; at least [`HISTORY_MIN`].
    pub months: u32,
}

/// What each project costs in each service: (`project_id`, `service_name`).
pub type Costs = BTreeMap<(String, String), Amount>;

/// A project's service that costs unusually much.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unusual {
    pub project_id: String,
    pub service_name: String,
    pub cost: Amount,
    /// Of the months before.
    pub median: Amount,
    /// How many months that is the median of.
    pub months: usize,
}

impl Default for UnusualCost {
    fn default() -> UnusualCost {
        let minimum = Amount::from_units(100 * 10_i128.pow(18));
        UnusualCost { mode: Mode::Off, ratio_percent: 300, minimum, months: 6 }
    }
}

impl UnusualCost {
    /// What of a month is unusual; `before` is the months before it, the latest first. The most unusual
    /// (the farthest above its median) comes first.
    #[must_use]
    pub fn find(&self, month: &Costs, before: &[Costs]) -> Vec<Unusual> {
        let mut found: Vec<Unusual> = month
            .iter()
            .filter_map(|(key, &cost)| {
                let history = before.iter().filter_map(|costs| costs.get(key).copied());
                let history: Vec<Amount> = history.take(self.months as usize).collect();
                let median = median(&history).filter(|_| HISTORY_MIN <= history.len())?;
                self.is_unusual(cost, median).then(|| Unusual {
                    project_id: key.0.clone(),
                    service_name: key.1.clone(),
                    cost,
                    median,
                    months: history.len(),
                })
            })
            .collect();
        found.sort_by_key(|unusual| std::cmp::Reverse(unusual.cost - unusual.median));
        found
    }

    fn is_unusual(&self, cost: Amount, median: Amount) -> bool {
        // Beyond 10^17 of a currency the product saturates, on both sides.
        let reached = median.units().saturating_mul(i128::from(self.ratio_percent));
        self.minimum <= cost - median && reached <= cost.units().saturating_mul(100)
    }
}

impl Unusual {
    /// Cost over median, in hundredths; `None` where there is no such number.
    #[must_use]
    pub fn ratio_percent(&self) -> Option<i128> {
        let median = self.median.units();
        (0 < median).then(|| self.cost.units().saturating_mul(100) / median)
    }
}

/// A ratio such as `3` or `2.5` in hundredths; from 1 to 1000, two decimals at most.
#[must_use]
pub fn ratio_percent(text: &str) -> Option<u32> {
    let hundredth = 10_i128.pow(16);
    let units = Amount::parse_total(text)?.units();
    let percent = u32::try_from(units / hundredth).ok()?;
    (units % hundredth == 0 && (100..=100_000).contains(&percent)).then_some(percent)
}

/// Of an even number the middle between the two in the middle.
fn median(amounts: &[Amount]) -> Option<Amount> {
    let mut units: Vec<i128> = amounts.iter().map(|amount| amount.units()).collect();
    units.sort_unstable();
    let high = *units.get(units.len() / 2)?;
    let low = *units.get(units.len().checked_sub(1)? / 2)?;
    Some(Amount::from_units(low + (high - low) / 2))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn amount(text: &str) -> Amount {
        Amount::parse_total(text).unwrap()
    }

    fn month(cost: &str) -> Costs {
        Costs::from([(("genome".to_owned(), "Compute".to_owned()), amount(cost))])
    }

    /// `100 | 30 20 10` is a month of 100 after months of 30, 20 and 10.
    fn found(rule: &UnusualCost, line: &str) -> Option<(String, usize)> {
        let (now, before) = line.split_once(" | ").unwrap();
        let before: Vec<Costs> =
            before.split(' ').map(|cost| if cost == "-" { Costs::new() } else { month(cost) }).collect();
        rule.find(&month(now), &before).pop().map(|unusual| (unusual.median.to_string(), unusual.months))
    }

    #[test]
    fn cost_is_held_against_the_median_of_the_months_before() {
        let rule = UnusualCost { minimum: amount("50"), ..UnusualCost::default() };
        let table = [
            ("300 | 100 100 100", Some(("100", 3))),
            ("299.99 | 100 100 100", None),
            // One odd month before does not hide the next.
            ("300 | 5000 100 100", Some(("100", 3))),
            ("300 | 90 110 100 80", Some(("95", 4))),
            // Small money is not looked at, whatever the ratio.
            ("59.99 | 10 10 10", None),
            ("60 | 10 10 10", Some(("10", 3))),
            // Too short a history, also with months in between.
            ("900 | 10 10", None),
            ("900 | 10 - - 10 - 10", Some(("10", 3))),
            // Only the latest six months.
            ("900 | 10 10 10 10 10 10 9000 9000 9000 9000 9000 9000 9000", Some(("10", 6))),
            // Credits before, or nothing: only the money counts.
            ("60 | -10 0 -10", Some(("-10", 3))),
            ("-900 | 10 10 10", None),
        ];
        for (line, expected) in table {
            let expected = expected.map(|(median, months)| (median.to_owned(), months));
            assert_eq!(found(&rule, line), expected, "{line}");
        }
    }

    #[test]
    fn ratios_are_from_one_to_a_thousand() {
        let table = [("3", Some(300)), ("2.5", Some(250)), ("1", Some(100)), ("1000", Some(100_000))];
        let wrong = ["0.99", "1000.01", "1.005", "-3", "x", "", "1e2x"].map(|text| (text, None));
        for (text, expected) in table.into_iter().chain(wrong) {
            assert_eq!(ratio_percent(text), expected, "{text}");
        }
    }

    #[test]
    fn the_farthest_comes_first() {
        let key = |service: &str| ("genome".to_owned(), service.to_owned());
        let costs = |a: &str, b: &str| Costs::from([(key("a"), amount(a)), (key("b"), amount(b))]);
        let before = [costs("10", "10"), costs("10", "10"), costs("10", "10")];
        let found = UnusualCost::default().find(&costs("500", "501"), &before);
        let services: Vec<&str> = found.iter().map(|unusual| unusual.service_name.as_str()).collect();
        assert_eq!(services, ["b", "a"]);
        assert_eq!(found[0].ratio_percent(), Some(5010));
    }
}
