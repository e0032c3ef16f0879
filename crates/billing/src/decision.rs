//! What people say about charges, and where a charge stands after it.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::attribution::{Attribution, AttributionRules, field_text, pi_email_text};
use crate::{Flag, Flags, Period};

/// Where a charge stands. Every charge of a live part is in exactly one of these, seen from one period.
/// [`Standing::state`] is seen from the period that bills the charge and so is never `Deferred`;
/// [`Standing::seen_from`] answers for any period.
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
    /// Who pays is another. Says nothing about a rejection or a deferral, which stay.
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

impl Reassignment {
    /// What it gives, by the name that people know a field by.
    #[must_use]
    pub fn in_words(&self) -> Vec<(&'static str, &str)> {
        let fields = [
            ("PI", &self.pi_email),
            ("project", &self.project_id),
            ("fund_org", &self.fund_org),
            ("account code", &self.account_code),
            ("reference 1", &self.reference_1),
            ("reference 2", &self.reference_2),
        ];
        fields.into_iter().filter_map(|(name, value)| Some((name, value.as_deref()?))).collect()
    }
}

/// `PI ada@example.edu, fund_org MATH-1`
impl fmt::Display for Reassignment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, (name, value)) in self.in_words().into_iter().enumerate() {
            let comma = if at == 0 { "" } else { ", " };
            write!(f, "{comma}{name} {value}")?;
        }
        Ok(())
    }
}

/// What all decisions about a charge come to: the row of the overlay that the lake joins to charges.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    /// Billable, held or rejected, in the period that bills it (`billed_in`, else its own).
    pub state: ChargeState,
    /// The period the charge was deferred to. A deferred charge that still has flags is held *there*.
    pub billed_in: Option<Period>,
    /// What reassignments changed, merged.
    pub change: Reassignment,
    /// Flags that still stand.
    pub flags: Flags,
}

impl ChargeState {
    pub const ALL: [ChargeState; 4] =
        [ChargeState::Billable, ChargeState::Held, ChargeState::Rejected, ChargeState::Deferred];

    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            ChargeState::Billable => "billable",
            ChargeState::Held => "held",
            ChargeState::Rejected => "rejected",
            ChargeState::Deferred => "deferred",
        }
    }
}

impl Standing {
    /// Where a charge stands about which nobody has decided anything.
    #[must_use]
    pub fn undecided(flags: Flags) -> Standing {
        let state = if flags.is_empty() { ChargeState::Billable } else { ChargeState::Held };
        Standing { state, billed_in: None, change: Reassignment::default(), flags }
    }

    /// The state of a charge of `own` period as `period` sees it: deferred in its own period once it was
    /// handed on, whatever became of it there.
    #[must_use]
    pub fn seen_from(&self, period: Period, own: Period) -> ChargeState {
        let elsewhere = self.billed_in.is_some_and(|billed_in| billed_in != own);
        if elsewhere && period == own { ChargeState::Deferred } else { self.state }
    }
}

impl Reassignment {
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Reassignment::default()
    }

    /// This reassignment with a later one laid over it.
    #[must_use]
    pub fn merged(self, later: &Reassignment) -> Reassignment {
        let over = |new: &Option<String>, old: Option<String>| new.clone().or(old);
        Reassignment {
            pi_email: over(&later.pi_email, self.pi_email),
            project_id: over(&later.project_id, self.project_id),
            fund_org: over(&later.fund_org, self.fund_org),
            account_code: over(&later.account_code, self.account_code),
            reference_1: over(&later.reference_1, self.reference_1),
            reference_2: over(&later.reference_2, self.reference_2),
        }
    }

    /// The text as intake would have taken it from tags: trimmed, `pi_email` in lower case, blank is
    /// not set. Apply before recording what a person typed.
    #[must_use]
    pub fn normalized(&self) -> Reassignment {
        let text = |value: &Option<String>| value.as_deref().and_then(field_text).map(str::to_owned);
        Reassignment {
            pi_email: self.pi_email.as_deref().and_then(pi_email_text),
            project_id: text(&self.project_id),
            fund_org: text(&self.fund_org),
            account_code: text(&self.account_code),
            reference_1: text(&self.reference_1),
            reference_2: text(&self.reference_2),
        }
    }
}

/// An approval that would bill a charge nobody could be billed for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("approval does not clear {}: {}", self.names(), self.reasons())]
pub struct CannotApprove {
    pub blocking: Flags,
}

impl CannotApprove {
    /// What to do instead.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        if self.blocking.contains(Flag::CurrencyMismatch) {
            "`review reject` it, and have the source deliver it in the ledger's currency"
        } else {
            "`review reassign` it to a PI, project and fund_org that are valid, or `review reject` it"
        }
    }

    fn names(&self) -> String {
        self.blocking.iter().map(|flag| format!("`{flag}`")).collect::<Vec<_>>().join(", ")
    }

    fn reasons(&self) -> String {
        self.blocking.iter().map(Flag::reason).collect::<Vec<_>>().join("; ")
    }
}

/// Whether a charge with these standing flags may be approved. Gives the flags that the approval clears.
///
/// # Errors
/// [`CannotApprove`] names the blocking flags: only reassigning or rejecting clears them.
pub fn approve(flags: Flags) -> Result<Flags, CannotApprove> {
    let blocking = flags.blocking();
    if blocking.is_empty() { Ok(flags) } else { Err(CannotApprove { blocking }) }
}

/// What the decisions about a charge, oldest first and without those undone, come to.
///
/// The latest approval, rejection or deferral says whether the charge is billed, and the latest deferral
/// where. Reassignments merge. An approval clears the flags open to approval that stood at the time; a
/// reassignment has the attribution checked again (`recheck` is
/// [`AttributionRules::flags`]), so that it clears or raises those flags. Whatever stands at the end
/// holds the charge: an approval alone cannot make a charge with a blocking flag billable, even where
/// the reassignment that made way for it was undone.
#[must_use]
pub fn stand(
    flags: Flags,
    delivered: &Attribution,
    decisions: &[Decision],
    recheck: &dyn Fn(&Attribution) -> Flags,
) -> Standing {
    let mut standing = Standing::undecided(flags);
    let mut rejected = false;
    for decision in decisions {
        match decision {
            Decision::Approve => {
                standing.flags = standing.flags.blocking();
                rejected = false;
            }
            Decision::Reject => rejected = true,
            Decision::Defer { to } => {
                standing.billed_in = Some(*to);
                rejected = false;
            }
            Decision::Reassign { change } => {
                let before = delivered.reassigned(&standing.change);
                standing.change = standing.change.merged(change);
                let after = delivered.reassigned(&standing.change);
                standing.flags = recheck_flags(standing.flags, &before, &after, recheck);
            }
        }
    }
    standing.state = match (rejected, standing.flags.is_empty()) {
        (true, _) => ChargeState::Rejected,
        (false, true) => ChargeState::Billable,
        (false, false) => ChargeState::Held,
    };
    standing
}

/// The flags after a reassignment: those of the attribution anew, the others as they stood. An invalid
/// `fund_org` that was approved stays approved while the `fund_org` stays the same.
fn recheck_flags(
    standing: Flags,
    before: &Attribution,
    after: &Attribution,
    recheck: &dyn Fn(&Attribution) -> Flags,
) -> Flags {
    let approved = before.fund_org == after.fund_org && !standing.contains(Flag::InvalidFundOrg);
    let mut flags = standing;
    for flag in AttributionRules::FLAGS {
        flags.remove(flag);
    }
    recheck(after)
        .iter()
        .filter(|&flag| !(approved && flag == Flag::InvalidFundOrg))
        .for_each(|flag| flags.add(flag));
    flags
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::*;
    use crate::settings::Settings;

    fn reassign(field: &str, value: &str) -> Decision {
        let mut change = Reassignment::default();
        let slot = match field {
            "pi" => &mut change.pi_email,
            "project" => &mut change.project_id,
            "fund" => &mut change.fund_org,
            "account" => &mut change.account_code,
            other => unreachable!("{other}"),
        };
        *slot = Some(value.to_owned());
        Decision::Reassign { change }
    }

    /// `pi=a@b.edu`, `approve`, `reject`, `defer`; separated by blanks.
    fn decisions(text: &str) -> Vec<Decision> {
        let one = |word: &str| match word {
            "approve" => Decision::Approve,
            "reject" => Decision::Reject,
            "defer" => Decision::Defer { to: "2025-02".parse().unwrap() },
            "redefer" => Decision::Defer { to: "2025-03".parse().unwrap() },
            _ => word.split_once('=').map(|(field, value)| reassign(field, value)).unwrap(),
        };
        text.split_whitespace().map(one).collect()
    }

    fn standing(delivered: &Attribution, extra: &str, acts: &str) -> Standing {
        let mut settings = Settings::default();
        settings.review.fund_org_patterns = vec!["PHYS".to_owned()];
        let rules = AttributionRules::compile(&settings).unwrap();
        let flags: Flags = rules.flags(delivered).iter().chain(Flags::from_text(extra).iter()).collect();
        stand(flags, delivered, &decisions(acts), &|attribution| rules.flags(attribution))
    }

    fn attribution(pi: &str, project: &str, fund: &str) -> Attribution {
        let some = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
        Attribution {
            pi_email: some(pi),
            project_id: some(project),
            fund_org: some(fund),
            ..Attribution::default()
        }
    }

    #[test]
    fn decisions_come_to_a_standing() {
        let whole = attribution("a@b.edu", "p", "PHYS-1");
        let nobody = attribution("", "p", "PHYS-1");
        let odd_fund = attribution("a@b.edu", "p", "BIO-1");
        let check = |delivered: &Attribution, extra: &str, acts: &str, expected: &str| {
            let found = standing(delivered, extra, acts);
            let billed_in = found.billed_in.map(|period| format!(" in {period}")).unwrap_or_default();
            let text = format!("{}{billed_in} {}", found.state.name(), found.flags);
            assert_eq!(text.trim_end(), expected, "{acts}");
        };
        // Nothing decided.
        check(&whole, "", "", "billable");
        check(&whole, "pattern_match", "", "held pattern_match");
        check(&nobody, "", "", "held missing_pi_email");
        // Approval clears what is open to it, and only that.
        check(&whole, "pattern_match,period_mismatch", "approve", "billable");
        check(&odd_fund, "", "approve", "billable");
        check(&nobody, "pattern_match", "approve", "held missing_pi_email");
        check(&whole, "currency_mismatch", "approve", "held currency_mismatch");
        // A reassignment that leaves no flag makes a charge billable.
        check(&nobody, "", "pi=a@b.edu", "billable");
        check(&nobody, "", "pi=nobody", "held invalid_pi_email");
        check(&odd_fund, "", "fund=PHYS-2", "billable");
        // Flags of another kind stay until approved.
        check(&nobody, "pattern_match", "pi=a@b.edu", "held pattern_match");
        check(&nobody, "pattern_match", "pi=a@b.edu approve", "billable");
        check(&nobody, "pattern_match", "approve pi=a@b.edu", "billable");
        check(&whole, "currency_mismatch", "pi=c@d.edu", "held currency_mismatch");
        // A reassignment may raise a flag, even after an approval.
        check(&whole, "", "fund=BIO-1", "held invalid_fund_org");
        check(&whole, "", "approve fund=BIO-1", "held invalid_fund_org");
        check(&whole, "", "fund=nonsense", "held unparsed_fund_org,invalid_fund_org");
        // An approved fund_org stays approved while it stays the same.
        check(&odd_fund, "", "approve project=q", "billable");
        check(&odd_fund, "", "approve fund=CHEM-1", "held invalid_fund_org");
        check(&odd_fund, "", "project=q", "held invalid_fund_org");
        // The latest wins.
        check(&whole, "", "reject", "rejected");
        check(&whole, "", "reject approve", "billable");
        check(&whole, "pattern_match", "approve reject", "rejected");
        check(&nobody, "", "reject approve", "held missing_pi_email");
        // Who pays is another question than whether.
        check(&nobody, "", "reject pi=a@b.edu", "rejected");
        check(&whole, "", "defer pi=c@d.edu", "billable in 2025-02");
        // A deferral says where a charge is billed, not that it may be.
        check(&whole, "", "defer", "billable in 2025-02");
        check(&whole, "pattern_match", "defer", "held in 2025-02 pattern_match");
        check(&whole, "pattern_match", "defer approve", "billable in 2025-02");
        check(&nobody, "", "defer", "held in 2025-02 missing_pi_email");
        check(&whole, "", "defer redefer", "billable in 2025-03");
        check(&whole, "", "reject defer", "billable in 2025-02");
        check(&whole, "", "defer reject", "rejected in 2025-02");
    }

    #[test]
    fn reassignments_merge_and_the_later_wins_by_field() {
        let found = standing(&Attribution::default(), "", "pi=a@b.edu fund=PHYS-1 pi=c@d.edu account=51000");
        assert_eq!(
            found.change,
            Reassignment {
                pi_email: Some("c@d.edu".into()),
                fund_org: Some("PHYS-1".into()),
                account_code: Some("51000".into()),
                ..Reassignment::default()
            }
        );
        assert_eq!(found.flags.to_string(), "missing_project_id");
    }

    #[test]
    fn a_deferred_charge_is_deferred_in_its_own_period_only() {
        let period = |text: &str| text.parse::<Period>().unwrap();
        let own = period("2025-01");
        let whole = attribution("a@b.edu", "p", "PHYS-1");
        let seen = |extra: &str, acts: &str, from: &str| {
            standing(&whole, extra, acts).seen_from(period(from), own).name()
        };
        assert_eq!(seen("", "defer", "2025-01"), "deferred");
        assert_eq!(seen("", "defer", "2025-02"), "billable");
        assert_eq!(seen("pattern_match", "defer", "2025-01"), "deferred");
        assert_eq!(seen("pattern_match", "defer", "2025-02"), "held");
        assert_eq!(seen("", "defer reject", "2025-01"), "deferred");
        assert_eq!(seen("", "defer reject", "2025-02"), "rejected");
        assert_eq!(seen("", "reject", "2025-01"), "rejected");
        assert_eq!(seen("", "", "2025-01"), "billable");
    }

    #[test]
    fn approval_of_a_blocking_flag_is_refused_by_name() {
        let refusal = |text: &str| approve(Flags::from_text(text)).unwrap_err();
        assert_snapshot!(refusal("missing_pi_email,pattern_match,unparsed_fund_org"),
            @"approval does not clear `missing_pi_email`, `unparsed_fund_org`: no PI is named in the tags; the fund_org does not match journal.fund_org_regex");
        assert_snapshot!(refusal("missing_pi_email").hint(),
            @"`review reassign` it to a PI, project and fund_org that are valid, or `review reject` it");
        assert_snapshot!(refusal("currency_mismatch").hint(),
            @"`review reject` it, and have the source deliver it in the ledger's currency");
        for flag in Flag::ALL {
            let alone: Flags = [flag].into_iter().collect();
            assert_eq!(approve(alone).is_err(), flag.is_blocking(), "{flag}");
        }
        assert_eq!(approve(Flags::NONE), Ok(Flags::NONE));
    }

    #[test]
    fn what_a_person_typed_is_taken_like_a_tag() {
        let typed = Reassignment {
            pi_email: Some(" A@B.edu ".into()),
            fund_org: Some(" PHYS-1".into()),
            project_id: Some("  ".into()),
            ..Reassignment::default()
        };
        assert_eq!(
            typed.normalized(),
            Reassignment {
                pi_email: Some("a@b.edu".into()),
                fund_org: Some("PHYS-1".into()),
                ..Reassignment::default()
            }
        );
        assert!(
            Reassignment { project_id: Some(" ".into()), ..Reassignment::default() }.normalized().is_empty()
        );
    }
}
