//! Who a charge belongs to: read from the tags, overlaid by decisions.

use serde::{Deserialize, Serialize};

/// The fields that tags (or a reassignment) give a charge. Text as delivered, except that `pi_email`
/// is trimmed and in lower case.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Attribution {
    pub pi_email: Option<String>,
    pub project_id: Option<String>,
    pub fund_org: Option<String>,
    pub cost_center: Option<String>,
    pub account_code: Option<String>,
    pub reference_1: Option<String>,
    pub reference_2: Option<String>,
    /// ISO date as delivered in the tag, `2026-06-30`.
    pub end_date: Option<String>,
    pub reconciliation_end: Option<String>,
}

impl Attribution {
    /// Column names, in the order of [`values`](Attribution::values).
    pub const FIELDS: [&'static str; 9] = [
        "pi_email",
        "project_id",
        "fund_org",
        "cost_center",
        "account_code",
        "reference_1",
        "reference_2",
        "end_date",
        "reconciliation_end",
    ];

    #[must_use]
    pub fn values(&self) -> [Option<&str>; 9] {
        [
            self.pi_email.as_deref(),
            self.project_id.as_deref(),
            self.fund_org.as_deref(),
            self.cost_center.as_deref(),
            self.account_code.as_deref(),
            self.reference_1.as_deref(),
            self.reference_2.as_deref(),
            self.end_date.as_deref(),
            self.reconciliation_end.as_deref(),
        ]
    }
}
