//! Who paid the list price of a posted line: a discount that nobody pays, those who subsidize, and the fund that
//! owes what is left. The shares of a line come to its list price, so that any sums of them do.

use std::fmt;
use std::str::FromStr;

use money::Minor;
use serde::Serialize;

use crate::Period;
use crate::statement::{PostedLeg, PostedLine};

/// What is summed by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum PayerKey {
    /// The `fund_org` that pays; none for a discount.
    Payer,
    /// The name of the subsidy; none for who is charged.
    Subsidy,
    Period,
    FiscalYear,
    Source,
    Service,
    Pi,
    Project,
    /// The fund of the line, whoever pays.
    FundOrg,
    AccountCode,
}

impl PayerKey {
    pub const ALL: [PayerKey; 10] = [
        PayerKey::Payer,
        PayerKey::Subsidy,
        PayerKey::Period,
        PayerKey::FiscalYear,
        PayerKey::Source,
        PayerKey::Service,
        PayerKey::Pi,
        PayerKey::Project,
        PayerKey::FundOrg,
        PayerKey::AccountCode,
    ];

    /// As the columns of charges are called, where they are the same.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            PayerKey::Payer => "payer",
            PayerKey::Subsidy => "subsidy_name",
            PayerKey::Period => "period",
            PayerKey::FiscalYear => "fiscal_year",
            PayerKey::Source => "source",
            PayerKey::Service => "service_name",
            PayerKey::Pi => "pi_email",
            PayerKey::Project => "project_id",
            PayerKey::FundOrg => "fund_org",
            PayerKey::AccountCode => "account_code",
        }
    }
}

impl fmt::Display for PayerKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not one of payer, subsidy_name, period, fiscal_year, source, service_name, pi_email, project_id, fund_org, account_code"
)]
pub struct NotAPayerKey(String);

impl FromStr for PayerKey {
    type Err = NotAPayerKey;

    fn from_str(text: &str) -> Result<PayerKey, NotAPayerKey> {
        let named = |key: &PayerKey| key.name() == text.trim().to_lowercase();
        PayerKey::ALL.into_iter().find(named).ok_or_else(|| NotAPayerKey(text.to_owned()))
    }
}

/// Shares of list prices; together they are the list price.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Shares {
    pub discount: Minor,
    pub subsidy: Minor,
    pub due: Minor,
}

impl Shares {
    #[must_use]
    pub fn list(&self) -> Minor {
        self.discount + self.subsidy + self.due
    }

    pub fn add(&mut self, other: &Shares) {
        self.discount += other.discount;
        self.subsidy += other.subsidy;
        self.due += other.due;
    }
}

/// A posted line, and whose it is.
#[derive(Clone, Copy, Debug)]
pub struct Billed<'a> {
    pub period: Period,
    /// First month of the fiscal year, 1 to 12.
    pub fiscal_year_start: u8,
    pub pi_email: &'a str,
    pub project_id: &'a str,
    pub line: &'a PostedLine,
}

impl Billed<'_> {
    /// The line's shares by `keys`, each with the values of these.
    #[must_use]
    pub fn shares(&self, keys: &[PayerKey]) -> Vec<(Vec<Option<String>>, Shares)> {
        let PostedLine { group, discount, due, legs, .. } = self.line;
        let leg = |PostedLeg { leg, amount }: &PostedLeg| {
            let shares = Shares { subsidy: *amount, ..Shares::default() };
            (Some(leg.payer.clone()), Some(leg.name.clone()), shares)
        };
        let lower_price = (None, None, Shares { discount: *discount, ..Shares::default() });
        let charged = (group.fund_org.clone(), None, Shares { due: *due, ..Shares::default() });
        std::iter::once(lower_price)
            .chain(legs.iter().map(leg))
            .chain(std::iter::once(charged))
            .filter(|(_, _, shares)| *shares != Shares::default())
            .map(|(payer, subsidy, shares)| (self.values(keys, payer.as_deref(), subsidy.as_deref()), shares))
            .collect()
    }

    fn values(&self, keys: &[PayerKey], payer: Option<&str>, subsidy: Option<&str>) -> Vec<Option<String>> {
        let group = &self.line.group;
        let value = |key: &PayerKey| match key {
            PayerKey::Payer => payer.map(str::to_owned),
            PayerKey::Subsidy => subsidy.map(str::to_owned),
            PayerKey::Period => Some(self.period.to_string()),
            PayerKey::FiscalYear => Some(self.period.fiscal_year(self.fiscal_year_start).to_string()),
            PayerKey::Source => Some(group.source.clone()),
            PayerKey::Service => group.service_name.clone(),
            PayerKey::Pi => Some(self.pi_email.to_owned()),
            PayerKey::Project => Some(self.project_id.to_owned()),
            PayerKey::FundOrg => group.fund_org.clone(),
            PayerKey::AccountCode => group.account_code.clone(),
        };
        keys.iter().map(value).collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::statement::testing::any_groups;
    use crate::statement::{Totals, post_subsidized};
    use crate::subsidy::{Leg, PaidBy, SubsidyId};

    proptest! {
        /// Whatever is summed by, the shares come to the totals of the statement.
        #[test]
        fn shares_come_to_the_totals(groups in any_groups(), percent in 0_i128..=100, at in 0..PayerKey::ALL.len()) {
            let leg = |cost: money::Amount| Leg {
                by: PaidBy::Subsidy(SubsidyId(1)),
                name: "College".to_owned(),
                payer: "SCI-1".to_owned(),
                account_code: None,
                user: None,
                seen: cost,
                paid: money::Amount::from_units(cost.units() / 100 * percent),
            };
            let legs = |groups: &[crate::statement::PostingGroup]| {
                groups.iter().map(|group| vec![leg(group.cost)]).collect()
            };
            let (lines, totals) = post_subsidized(groups, 2, legs);
            let mut sum = Shares::default();
            for line in &lines {
                let billed = Billed {
                    period: "2025-01".parse().unwrap(),
                    fiscal_year_start: 7,
                    pi_email: "ada@example.edu",
                    project_id: "looms",
                    line,
                };
                for (values, shares) in billed.shares(&PayerKey::ALL[at..]) {
                    prop_assert_eq!(values.len(), PayerKey::ALL.len() - at);
                    sum.add(&shares);
                }
            }
            let Totals { list, discount, subsidy, due } = totals;
            prop_assert_eq!((sum.list(), sum), (list, Shares { discount, subsidy, due }));
        }
    }

    #[test]
    fn keys_are_read_as_they_are_written() {
        for key in PayerKey::ALL {
            assert_eq!(key.name().parse(), Ok(key));
        }
        insta::assert_snapshot!("colour".parse::<PayerKey>().unwrap_err(), @"`colour` is not one of payer, subsidy_name, period, fiscal_year, source, service_name, pi_email, project_id, fund_org, account_code");
    }
}
