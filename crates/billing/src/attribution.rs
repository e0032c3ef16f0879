//! Who a charge belongs to: read from the tags, overlaid by decisions, and checked by
//! [`AttributionRules`], which intake and review share.

use regex::{Regex, RegexSet};
use serde::{Deserialize, Serialize};

use crate::decision::Reassignment;
use crate::pattern::{Anchor, BadPattern, compile_pattern};
use crate::settings::Settings;
use crate::{Flag, Flags};

/// The fields that tags (or a reassignment) give a charge. Text as delivered, except that `pi_email`
/// and `usage_user` are trimmed and in lower case.
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
    /// Who is charged instead of `fund_org` when the award has ended.
    #[serde(default)]
    pub fallback_fund_org: Option<String>,
    /// Which prices of the rate book are meant: internal, external, …
    #[serde(default)]
    pub customer_class: Option<String>,
    /// Who used it: an address or a login, as one user is spelled once. Subsidies may count by it.
    #[serde(default)]
    pub usage_user: Option<String>,
}

impl Attribution {
    /// How many fields there are.
    pub const COUNT: usize = 12;

    /// Column names, in the order of [`values`](Attribution::values).
    pub const FIELDS: [&'static str; Attribution::COUNT] = [
        "pi_email",
        "project_id",
        "fund_org",
        "cost_center",
        "account_code",
        "reference_1",
        "reference_2",
        "end_date",
        "reconciliation_end",
        "fallback_fund_org",
        "customer_class",
        "usage_user",
    ];

    #[must_use]
    pub fn values(&self) -> [Option<&str>; Attribution::COUNT] {
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
            self.fallback_fund_org.as_deref(),
            self.customer_class.as_deref(),
            self.usage_user.as_deref(),
        ]
    }

    /// From values in the order of [`FIELDS`](Attribution::FIELDS).
    #[must_use]
    pub fn from_values(values: [Option<String>; Attribution::COUNT]) -> Attribution {
        let [
            pi_email,
            project_id,
            fund_org,
            cost_center,
            account_code,
            reference_1,
            reference_2,
            end_date,
            reconciliation_end,
            fallback_fund_org,
            customer_class,
            usage_user,
        ] = values;
        Attribution {
            pi_email,
            project_id,
            fund_org,
            cost_center,
            account_code,
            reference_1,
            reference_2,
            end_date,
            reconciliation_end,
            fallback_fund_org,
            customer_class,
            usage_user,
        }
    }

    /// This attribution with a reassignment laid over it.
    #[must_use]
    pub fn reassigned(&self, change: &Reassignment) -> Attribution {
        let over = |new: &Option<String>, old: &Option<String>| new.as_ref().or(old.as_ref()).cloned();
        Attribution {
            pi_email: over(&change.pi_email, &self.pi_email),
            project_id: over(&change.project_id, &self.project_id),
            fund_org: over(&change.fund_org, &self.fund_org),
            account_code: over(&change.account_code, &self.account_code),
            reference_1: over(&change.reference_1, &self.reference_1),
            reference_2: over(&change.reference_2, &self.reference_2),
            ..self.clone()
        }
    }
}

/// A field's value without surrounding blanks; nothing left is no value.
#[must_use]
pub fn field_text(delivered: &str) -> Option<&str> {
    Some(delivered.trim()).filter(|text| !text.is_empty())
}

/// One person has one spelling: trimmed and in lower case, so that `M@x.edu ` and `m@x.edu` are one PI, or one user.
#[must_use]
pub fn pi_email_text(delivered: &str) -> Option<String> {
    field_text(delivered).map(str::to_lowercase)
}

/// The parts of a `fund_org` that `journal.fund_org_regex` names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FundOrg {
    pub fund: String,
    pub orgn: String,
    /// Every named group in the pattern's order, `fund` and `orgn` among them; a group that took no
    /// part in the match is empty.
    pub segments: Vec<(String, String)>,
}

/// The checks of an attribution, compiled once from the configuration.
#[derive(Clone, Debug)]
pub struct AttributionRules {
    require_fund_org: bool,
    fund_org: Regex,
    fund_org_patterns: RegexSet,
}

impl AttributionRules {
    /// The flags that depend on the attribution and nothing else: the ones a reassignment may clear,
    /// or raise.
    pub const FLAGS: [Flag; 6] = [
        Flag::MissingPiEmail,
        Flag::InvalidPiEmail,
        Flag::MissingProjectId,
        Flag::MissingFundOrg,
        Flag::UnparsedFundOrg,
        Flag::InvalidFundOrg,
    ];

    /// # Errors
    /// The first pattern that is not a regular expression, or a `journal.fund_org_regex` that does not
    /// name the groups `fund` and `orgn`.
    pub fn compile(settings: &Settings) -> Result<AttributionRules, BadPattern> {
        let fund_org = fund_org_regex(&settings.journal.fund_org_regex)?;
        let anchored = settings
            .review
            .fund_org_patterns
            .iter()
            .enumerate()
            .map(|(index, pattern)| fund_org_pattern(index, pattern).map(|regex| regex.as_str().to_owned()))
            .collect::<Result<Vec<String>, BadPattern>>()?;
        let fund_org_patterns = regex::RegexSetBuilder::new(anchored)
            .case_insensitive(true)
            .build()
            .map_err(|error| BadPattern {
                key: FUND_ORG_PATTERNS,
                index: None,
                pattern: settings.review.fund_org_patterns.join(", "),
                why: format!("together: {error}"),
            })?;
        Ok(AttributionRules { require_fund_org: settings.require_fund_org, fund_org, fund_org_patterns })
    }

    /// What is missing or wrong in an attribution. Without `billing.require_fund_org` (showback, no
    /// journals) the `fund_org` is not looked at.
    #[must_use]
    pub fn flags(&self, attribution: &Attribution) -> Flags {
        let mut flags = Flags::NONE;
        match attribution.pi_email.as_deref().and_then(field_text) {
            None => flags.add(Flag::MissingPiEmail),
            Some(text) if !is_email_address(text) => flags.add(Flag::InvalidPiEmail),
            Some(_) => {}
        }
        if attribution.project_id.as_deref().and_then(field_text).is_none() {
            flags.add(Flag::MissingProjectId);
        }
        if self.require_fund_org {
            self.add_fund_flags(attribution.fund_org.as_deref().and_then(field_text), &mut flags);
        }
        flags
    }

    fn add_fund_flags(&self, fund_org: Option<&str>, flags: &mut Flags) {
        let Some(text) = fund_org else {
            flags.add(Flag::MissingFundOrg);
            return;
        };
        if !self.fund_org.is_match(text) {
            flags.add(Flag::UnparsedFundOrg);
        }
        if !self.fund_org_patterns.is_empty() && !self.fund_org_patterns.is_match(text) {
            flags.add(Flag::InvalidFundOrg);
        }
    }

    /// Take a `fund_org` apart; `None` where `journal.fund_org_regex` does not match from its start.
    #[must_use]
    pub fn parse_fund_org(&self, text: &str) -> Option<FundOrg> {
        let captures = self.fund_org.captures(text)?;
        let group = |name: &str| captures.name(name).map_or("", |group| group.as_str()).to_owned();
        let segments =
            self.fund_org.capture_names().flatten().map(|name| (name.to_owned(), group(name))).collect();
        Some(FundOrg { fund: group("fund"), orgn: group("orgn"), segments })
    }
}

const FUND_ORG_PATTERNS: &str = "review.fund_org_patterns";

/// Compile `journal.fund_org_regex`, which matches from the start of a `fund_org`, in its own case.
pub(crate) fn fund_org_regex(pattern: &str) -> Result<Regex, BadPattern> {
    const KEY: &str = "journal.fund_org_regex";
    let regex = compile_pattern(KEY, None, pattern, Anchor::Start, false)?;
    for name in ["fund", "orgn"] {
        if !regex.capture_names().flatten().any(|group| group == name) {
            let why = format!(
                "it has no group named `{name}`; write `(?P<{name}>…)`, or `(?P<{name}>)` where there is none"
            );
            return Err(BadPattern { key: KEY, index: None, pattern: pattern.to_owned(), why });
        }
    }
    Ok(regex)
}

/// Compile one of `review.fund_org_patterns`: from the start, in any case.
pub(crate) fn fund_org_pattern(index: usize, pattern: &str) -> Result<Regex, BadPattern> {
    compile_pattern(FUND_ORG_PATTERNS, Some(index), pattern, Anchor::Start, true)
}

/// Whether mail could be sent to this address: `local@domain` in the plain form of RFC 5321 (no quoted
/// local part, no address literal), at most 254 bytes. Stricter than the RFC where laxness would let
/// one recipient become two.
#[must_use]
pub fn is_email_address(text: &str) -> bool {
    let Some((local, domain)) = text.split_once('@') else {
        return false;
    };
    let atom = |atom: &str| {
        !atom.is_empty() && atom.chars().all(|c| c.is_alphanumeric() || "!#$%&'*+-/=?^_`{|}~".contains(c))
    };
    let label = |label: &str| {
        !label.is_empty()
            && label.chars().all(|c| c.is_alphanumeric() || c == '-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let top = domain.rsplit('.').next().unwrap_or_default();
    text.len() <= 254
        && local.len() <= 64
        && local.split('.').all(atom)
        && domain.contains('.')
        && domain.split('.').all(label)
        && top.chars().any(char::is_alphabetic)
}

#[cfg(test)]
#[path = "attribution_tests.rs"]
mod tests;
