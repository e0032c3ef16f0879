//! The life of a statement: draft, issued, sent, superseded.

use serde::{Deserialize, Serialize};

use crate::period::Stamp;

/// Where one version of a statement is in its life. A state carries its facts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", tag = "state")]
pub enum StatementState {
    /// Made to be looked at before its period is closed: no number is taken, nothing is recorded.
    Draft,
    /// Recorded, and not sent yet.
    Issued,
    /// An e-mail with it was taken by a mail server.
    Sent { sent: Stamp },
    /// A later version stands in its place.
    Superseded {
        by_version: u32,
        /// What changed, in words.
        why: Option<String>,
        /// When it had been sent before.
        sent: Option<Stamp>,
    },
}

impl StatementState {
    /// Of an issued version: when it was first sent, and the version that replaced it with what changed.
    #[must_use]
    pub fn of(sent: Option<Stamp>, replaced: Option<(u32, Option<String>)>) -> StatementState {
        match (replaced, sent) {
            (Some((by_version, why)), sent) => StatementState::Superseded { by_version, why, sent },
            (None, Some(sent)) => StatementState::Sent { sent },
            (None, None) => StatementState::Issued,
        }
    }

    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            StatementState::Draft => "draft",
            StatementState::Issued => "issued",
            StatementState::Sent { .. } => "sent",
            StatementState::Superseded { .. } => "superseded",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_follows_from_what_happened() {
        let sent = || Some(Stamp { by: "casey".to_owned(), at: jiff::Timestamp::UNIX_EPOCH });
        let replaced = || Some((2, Some("amount due: $2.00, was $1.00".to_owned())));
        for (sent, replaced, name) in [
            (None, None, "issued"),
            (sent(), None, "sent"),
            (None, replaced(), "superseded"),
            (sent(), replaced(), "superseded"),
        ] {
            assert_eq!(StatementState::of(sent, replaced).name(), name);
        }
    }
}
