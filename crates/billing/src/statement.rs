//! What one PI is charged for one project in one period.
//!
//! The types are here; how the cents come about is in [`posting`](post_statement), and read from there.

mod changed;
mod difference;
mod differences;
mod life;
mod notes;
mod posting;
mod resources;
#[cfg(test)]
pub(crate) mod testing;

pub use changed::changed;
pub(crate) use changed::{LineKey, line_key};
pub use difference::{LineDifference, LineFigures, StatementDifference, difference};
pub use differences::{Differs, differences};
pub use life::StatementState;
pub use notes::{Award, Fallback, fallback_notes, held_note, paid_by, paid_name, paid_notes};
pub use posting::{discount_percent, post_statement, post_subsidized};
pub use resources::{PostedResources, ResourceGroup, ServiceLine, by_service, post_resources};

use money::{Amount, Currency, Minor};
use serde::{Deserialize, Serialize};

use crate::rate::RatedUse;
use crate::subsidy::Leg;
use crate::{Period, StatementNumber};

/// What is rounded: PI × project × `fund_org` × source × service × account code (the PI and the project
/// are the statement's). The sums are exact.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PostingGroup {
    pub fund_org: Option<String>,
    pub source: String,
    pub service_name: Option<String>,
    pub account_code: Option<String>,
    /// Kind of line: usage and purchases may have a discount, the others are lines of their own.
    pub kind: LineKind,
    pub charges: u64,
    /// Exact list cost; where it is not known, the cost on the billing basis.
    pub list_cost: Amount,
    /// Exact cost on the source's billing basis.
    pub cost: Amount,
}

impl PostingGroup {
    /// Whether both are of one posted line.
    #[must_use]
    pub fn is_of_line(&self, other: &PostingGroup) -> bool {
        self.fund_org == other.fund_org
            && self.source == other.source
            && self.service_name == other.service_name
            && self.account_code == other.account_code
            && self.kind == other.kind
    }

    /// With the charges of another group of the line.
    pub fn add(&mut self, other: &PostingGroup) {
        self.charges += other.charges;
        self.list_cost += other.list_cost;
        self.cost += other.cost;
    }
}

/// FOCUS `ChargeCategory`, as far as a statement tells them apart. Discount is stated only for `Usage`
/// (Usage, Purchase, or absent with a cost of zero or more) with a known list price.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LineKind {
    Usage,
    Credit,
    Tax,
    Adjustment,
}

impl LineKind {
    pub const ALL: [LineKind; 4] = [LineKind::Usage, LineKind::Credit, LineKind::Tax, LineKind::Adjustment];

    /// The kind of a charge with this `ChargeCategory` (in FOCUS's own spelling; `None` where absent) and
    /// this cost on the billing basis. What FOCUS does not name is treated like an adjustment.
    #[must_use]
    pub fn of(charge_category: Option<&str>, cost: Amount) -> LineKind {
        match charge_category {
            None if cost.is_negative() => LineKind::Credit,
            None | Some("Usage" | "Purchase") => LineKind::Usage,
            Some("Credit") => LineKind::Credit,
            Some("Tax") => LineKind::Tax,
            Some(_) => LineKind::Adjustment,
        }
    }

    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            LineKind::Usage => "usage",
            LineKind::Credit => "credit",
            LineKind::Tax => "tax",
            LineKind::Adjustment => "adjustment",
        }
    }
}

/// A line after rounding, in minor units: `list − discount − subsidy = due`, always. A negative discount
/// is a markup: more is due than the list price.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PostedLine {
    #[serde(flatten)]
    pub group: PostingGroup,
    pub list: Minor,
    pub discount: Minor,
    /// What others pay: the sum of the legs.
    pub subsidy: Minor,
    pub due: Minor,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub legs: Vec<PostedLeg>,
}

/// What a subsidy or a credit pays of a line, after rounding.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PostedLeg {
    #[serde(flatten)]
    pub leg: Leg,
    pub amount: Minor,
}

/// A line of the statement's resource table: `list − discount = due`, before subsidies. The lines of a service (with those
/// of [`RestLine`]) add up to what its posted lines say.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResourceLine {
    pub service_name: Option<String>,
    pub resource_id: Option<String>,
    pub resource_name: Option<String>,
    pub kind: LineKind,
    pub charges: u64,
    /// Sum of the consumed (else pricing) quantity, where every charge has it in one unit.
    pub quantity: Option<Amount>,
    pub unit: Option<String>,
    pub list: Minor,
    pub discount: Minor,
    pub due: Minor,
}

/// Everything a statement says: the document renders this and nothing else, and `verify` computes it
/// again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Statement {
    pub number: StatementNumber,
    pub version: u32,
    /// The number and version this one replaces, and what changed, in words.
    pub replaces: Option<String>,
    pub issued_on: jiff::civil::Date,
    pub period: Period,
    pub pi_email: String,
    pub project_id: String,
    pub fund_orgs: Vec<String>,
    pub references: Vec<String>,
    pub currency: Currency,
    pub lines: Vec<PostedLine>,
    pub totals: Totals,
    /// How usage was priced, where the rate book says so.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rates: Vec<RatedUse>,
    /// The largest resources first within their service, at most [`RESOURCE_LINES`].
    pub resources: Vec<ResourceLine>,
    /// What the resources that are not listed come to, and how many they are.
    pub rest: Option<RestLine>,
    pub notes: Vec<String>,
}

/// At most so many resource lines stand on a statement; beyond, a CSV beside it has all.
pub const RESOURCE_LINES: usize = 200;

/// The sums of the posted lines; they add across as every line does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals {
    pub list: Minor,
    pub discount: Minor,
    pub subsidy: Minor,
    pub due: Minor,
}

/// What the resources beyond the first [`RESOURCE_LINES`] come to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RestLine {
    pub resources: u64,
    pub charges: u64,
    pub list: Minor,
    pub discount: Minor,
    pub due: Minor,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_follows_from_category_and_sign() {
        let check = |category: Option<&str>, cost: &str, expected: LineKind| {
            assert_eq!(LineKind::of(category, cost.parse().unwrap()), expected, "{category:?} {cost}");
        };
        check(None, "0", LineKind::Usage);
        check(None, "5", LineKind::Usage);
        check(None, "-5", LineKind::Credit);
        check(Some("Usage"), "-5", LineKind::Usage);
        check(Some("Purchase"), "5", LineKind::Usage);
        check(Some("Credit"), "5", LineKind::Credit);
        check(Some("Tax"), "-5", LineKind::Tax);
        check(Some("Adjustment"), "5", LineKind::Adjustment);
        check(Some("Refund"), "5", LineKind::Adjustment);
    }

    #[test]
    fn a_kind_has_the_name_that_it_is_stored_under() {
        for kind in LineKind::ALL {
            assert_eq!(serde_json::to_string(&kind).unwrap(), format!("\"{}\"", kind.name()));
        }
    }
}
