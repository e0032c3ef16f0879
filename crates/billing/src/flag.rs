//! Flags: a rule's reason that a person must look at a charge before it is billed.

use std::fmt;

/// Why a charge is held back. The order is the order in which flags are listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Flag {
    MissingPiEmail,
    InvalidPiEmail,
    MissingProjectId,
    MissingFundOrg,
    UnparsedFundOrg,
    CurrencyMismatch,
    InvalidFundOrg,
    PatternMatch,
    PeriodMismatch,
    InvalidTags,
    PossibleDuplicate,
    ProjectEnded,
    PastReconciliation,
    UnusualCost,
    /// `BillingPeriodStart` is not the first UTC instant of a month.
    PeriodStart,
    /// A `ChargeCategory` that FOCUS does not name; treated like an Adjustment.
    UnknownCategory,
    /// Someone decided about this charge, and then a delivery changed its costs, attribution or flags.
    ChangedSinceDecision,
    /// An adjustment of a finalized period.
    Correction,
    /// The source is priced by the rate book, which has no rate for it.
    NoRate,
}

impl Flag {
    pub const ALL: [Flag; 19] = [
        Flag::MissingPiEmail,
        Flag::InvalidPiEmail,
        Flag::MissingProjectId,
        Flag::MissingFundOrg,
        Flag::UnparsedFundOrg,
        Flag::CurrencyMismatch,
        Flag::InvalidFundOrg,
        Flag::PatternMatch,
        Flag::PeriodMismatch,
        Flag::InvalidTags,
        Flag::PossibleDuplicate,
        Flag::ProjectEnded,
        Flag::PastReconciliation,
        Flag::UnusualCost,
        Flag::PeriodStart,
        Flag::UnknownCategory,
        Flag::ChangedSinceDecision,
        Flag::Correction,
        Flag::NoRate,
    ];

    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Flag::MissingPiEmail => "missing_pi_email",
            Flag::InvalidPiEmail => "invalid_pi_email",
            Flag::MissingProjectId => "missing_project_id",
            Flag::MissingFundOrg => "missing_fund_org",
            Flag::UnparsedFundOrg => "unparsed_fund_org",
            Flag::CurrencyMismatch => "currency_mismatch",
            Flag::InvalidFundOrg => "invalid_fund_org",
            Flag::PatternMatch => "pattern_match",
            Flag::PeriodMismatch => "period_mismatch",
            Flag::InvalidTags => "invalid_tags",
            Flag::PossibleDuplicate => "possible_duplicate",
            Flag::ProjectEnded => "project_ended",
            Flag::PastReconciliation => "past_reconciliation",
            Flag::UnusualCost => "unusual_cost",
            Flag::PeriodStart => "period_start",
            Flag::UnknownCategory => "unknown_category",
            Flag::ChangedSinceDecision => "changed_since_decision",
            Flag::Correction => "correction",
            Flag::NoRate => "no_rate",
        }
    }

    /// The reason in words, for the review queue.
    #[must_use]
    pub const fn reason(self) -> &'static str {
        match self {
            Flag::MissingPiEmail => "no PI is named in the tags",
            Flag::InvalidPiEmail => "the PI's e-mail address is not an address",
            Flag::MissingProjectId => "no project is named in the tags",
            Flag::MissingFundOrg => "no fund_org is named in the tags",
            Flag::UnparsedFundOrg => "the fund_org does not match journal.fund_org_regex",
            Flag::CurrencyMismatch => "the charge is not in the ledger's currency",
            Flag::InvalidFundOrg => "the fund_org matches none of review.fund_org_patterns",
            Flag::PatternMatch => "a pattern of review.flag_patterns matches",
            Flag::PeriodMismatch => "the charge is not of the period that was given",
            Flag::InvalidTags => "the tags could not be read as delivered",
            Flag::PossibleDuplicate => "an earlier delivery has a charge for the same resource and time",
            Flag::ProjectEnded => "the charge is later than the project's end date",
            Flag::PastReconciliation => "the project's reconciliation has ended",
            Flag::UnusualCost => "the cost is far from what this project usually has",
            Flag::PeriodStart => "the billing period does not start on the first of a month",
            Flag::UnknownCategory => "FOCUS does not know the charge category",
            Flag::ChangedSinceDecision => "the charge has changed since it was decided about",
            Flag::Correction => "a later delivery changes what was billed in a finalized period",
            Flag::NoRate => "the rate book has no price for it",
        }
    }

    /// A blocking flag is cleared only by reassigning or rejecting, never by approval: without what
    /// is missing there is nobody to send the statement to, no account to debit, or no price.
    #[must_use]
    pub const fn is_blocking(self) -> bool {
        matches!(
            self,
            Flag::MissingPiEmail
                | Flag::InvalidPiEmail
                | Flag::MissingProjectId
                | Flag::MissingFundOrg
                | Flag::UnparsedFundOrg
                | Flag::CurrencyMismatch
                | Flag::NoRate
        )
    }

    /// What clears a blocking flag, in words.
    #[must_use]
    pub const fn cleared_by(self) -> &'static str {
        match self {
            Flag::NoRate => "a rate for it (`rates add`) or by rejecting",
            _ => "reassigning or rejecting",
        }
    }

    #[must_use]
    pub fn from_name(name: &str) -> Option<Flag> {
        Flag::ALL.into_iter().find(|flag| flag.name() == name)
    }
}

impl fmt::Display for Flag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A set of flags. As text: names in order, joined by commas (`missing_fund_org,pattern_match`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub struct Flags(u32);

impl Flags {
    pub const NONE: Flags = Flags(0);

    pub fn add(&mut self, flag: Flag) {
        self.0 |= 1 << flag as u8;
    }

    pub fn remove(&mut self, flag: Flag) {
        self.0 &= !(1 << flag as u8);
    }

    #[must_use]
    pub const fn contains(self, flag: Flag) -> bool {
        self.0 & (1 << flag as u8) != 0
    }

    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    #[must_use]
    pub const fn bits(self) -> u32 {
        self.0
    }

    #[must_use]
    pub fn blocking(self) -> Flags {
        self.iter().filter(|flag| flag.is_blocking()).collect()
    }

    pub fn iter(self) -> impl Iterator<Item = Flag> {
        Flag::ALL.into_iter().filter(move |&flag| self.contains(flag))
    }

    /// Read what [`Display`](fmt::Display) wrote; unknown names are left out.
    #[must_use]
    pub fn from_text(text: &str) -> Flags {
        text.split(',').filter_map(Flag::from_name).collect()
    }
}

impl FromIterator<Flag> for Flags {
    fn from_iter<I: IntoIterator<Item = Flag>>(flags: I) -> Flags {
        let mut set = Flags::NONE;
        flags.into_iter().for_each(|flag| set.add(flag));
        set
    }
}

impl fmt::Display for Flags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.iter().map(Flag::name).collect();
        f.pad(&names.join(","))
    }
}

impl serde::Serialize for Flag {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl<'de> serde::Deserialize<'de> for Flag {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Flag, D::Error> {
        let name = String::deserialize(deserializer)?;
        Flag::from_name(&name).ok_or_else(|| serde::de::Error::custom(format!("`{name}` is not a flag")))
    }
}

impl serde::Serialize for Flags {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter().map(Flag::name))
    }
}

impl<'de> serde::Deserialize<'de> for Flags {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Flags, D::Error> {
        let names = Vec::<String>::deserialize(deserializer)?;
        Ok(names.iter().filter_map(|name| Flag::from_name(name)).collect())
    }
}
