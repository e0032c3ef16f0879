//! What people say about charges, and where a charge stands after it.

use serde::{Deserialize, Serialize};

use crate::{Flags, Period};

/// Where a charge stands. Every charge of a live part is in exactly one of these.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ChargeState {
    Billable,
    Held,
    Rejected,
    Deferred,
}

/// One decision about one charge. The latest that was not undone counts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", tag = "kind")]
pub enum Decision {
    Approve,
    Reject,
    /// Billed in `to`, the next open period; the charge period is kept.
    Defer {
        to: Period,
    },
    Reassign {
        change: Reassignment,
    },
}

/// The fields a reassignment sets; `None` leaves what is there.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reassignment {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pi_email: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub project_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fund_org: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account_code: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reference_1: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reference_2: Option<String>,
}

/// What all decisions about a charge come to: the row of the overlay that the lake joins to charges.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    pub state: ChargeState,
    /// The period the charge is billed in, when it is not its own.
    pub billed_in: Option<Period>,
    /// What reassignments changed, merged.
    pub change: Reassignment,
    /// Flags that still stand.
    pub flags: Flags,
}
