//! What a statement says below its tables.

use std::collections::BTreeMap;

use jiff::civil::Date;
use money::{Currency, Minor};
use serde::Serialize;

use super::{PostedLeg, PostedLine};
use crate::Period;
use crate::subsidy::{Leg, PaidBy};

/// When the award that pays ends, as the charges of the project say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Award {
    /// Last day of use.
    pub end: Option<Date>,
    /// Last day on which late charges are taken.
    pub reconciliation_end: Option<Date>,
    /// Who pays after either.
    pub fallback: Option<String>,
}

impl Award {
    /// Said from 180 days before the end on and counted from the period's end, so that the same statement says
    /// the same whenever it is made.
    #[must_use]
    pub fn notes(&self, period: Period) -> Vec<String> {
        let last_day = period.last_day();
        let mut notes = Vec::new();
        notes.extend(self.end.and_then(|end| self.ending(end, last_day)));
        let has_ended = self.end.is_none_or(|end| end < last_day);
        if let Some(reconciled) = self.reconciliation_end.filter(|_| has_ended) {
            if reconciled < last_day {
                let its = if notes.is_empty() {
                    "The reconciliation of this project's award"
                } else {
                    "Its reconciliation"
                };
                notes.push(format!(
                    "{its} ended on {}. Charges that come later, also for earlier use, {}.",
                    day(reconciled),
                    self.later()
                ));
            } else if self.end.is_some() {
                notes.push(format!(
                    "Late charges for use up to the award's end are taken until {}.",
                    day(reconciled)
                ));
            }
        }
        notes
    }

    fn ending(&self, end: Date, last_day: Date) -> Option<String> {
        let days = last_day.until(end).ok()?.get_days();
        let ends = if days < 0 { "ended" } else { "ends" };
        let distance = match days {
            0 => ", the last day of this period".to_owned(),
            1 => ", 1 day after the end of this period".to_owned(),
            2.. => format!(", {days} days after the end of this period"),
            _ => String::new(),
        };
        let advice = match days {
            ..=30 => format!(" Charges after that day {}.", self.later()),
            31..=90 => " Please plan where later charges should go.".to_owned(),
            91..=180 => String::new(),
            _ => return None,
        };
        Some(format!("The award of this project {ends} on {}{distance}.{advice}", day(end)))
    }

    fn later(&self) -> String {
        match &self.fallback {
            Some(fund_org) => format!("are billed to {fund_org}, the fallback fund"),
            None => "need another fund_org".to_owned(),
        }
    }
}

fn day(day: Date) -> String {
    day.strftime("%B %-d, %Y").to_string()
}

/// A fund that pays instead of an award's, and since when.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Fallback {
    pub fund_org: String,
    pub from: Option<String>,
    /// The last day of the award, or of its reconciliation, as delivered.
    pub after: String,
    /// Whether that is the last day of use.
    pub of_use: bool,
}

impl Fallback {
    /// `the award ended on March 31, 2025`.
    #[must_use]
    pub fn reason(&self) -> String {
        let after = self.after.parse().map_or_else(|_| self.after.clone(), day);
        let what = if self.of_use { "the award" } else { "the reconciliation of the award" };
        format!("{what} ended on {after}")
    }
}

/// A sentence for each fallback that lines of the statement are billed to.
pub fn fallback_notes(fallbacks: &[Fallback], lines: &[PostedLine]) -> Vec<String> {
    let is_billed = |fallback: &&Fallback| {
        lines.iter().any(|line| line.group.fund_org.as_ref() == Some(&fallback.fund_org))
    };
    let note = |Fallback { fund_org, from, after, of_use }: &Fallback| {
        let award = from.as_ref().map_or_else(|| "the award".to_owned(), |from| format!("award {from}"));
        let after = after.parse().map_or_else(|_| after.clone(), day);
        let what = if *of_use {
            format!("for use after {award} ended on {after}")
        } else {
            format!("that came after the reconciliation of {award} ended on {after}")
        };
        format!("Charges {what} are billed to {fund_org}, the fallback fund.")
    };
    fallbacks.iter().filter(is_billed).map(note).collect()
}

/// What is not on the statement because someone must look at it first; `None` when that is nothing.
#[must_use]
pub fn held_note(charges: u64, sum: Minor, currency: &Currency) -> Option<String> {
    let sum = currency.display(sum);
    match charges {
        0 => None,
        1 => Some(format!("1 charge of {sum} is held back for review and is not part of this statement.")),
        _ => Some(format!(
            "{charges} charges of {sum} in all are held back for review and are not part of this statement."
        )),
    }
}

/// Who paid the subsidies and credits of these lines, each with what it came to, in the order of the lines.
#[must_use]
pub fn paid_by(lines: &[PostedLine]) -> Vec<(&Leg, Minor)> {
    let mut payers: Vec<(&Leg, Minor)> = Vec::new();
    for PostedLeg { leg, amount } in lines.iter().flat_map(|line| &line.legs) {
        match payers.iter_mut().find(|(known, _)| (&known.name, &known.payer) == (&leg.name, &leg.payer)) {
            Some((_, sum)) => *sum += *amount,
            None => payers.push((leg, *amount)),
        }
    }
    payers.retain(|(_, sum)| !sum.is_zero());
    payers
}

/// What it is called that others pay of these lines.
#[must_use]
pub fn paid_name(lines: &[PostedLine]) -> &'static str {
    let paid: Vec<&Leg> = paid_by(lines).into_iter().map(|(leg, _)| leg).collect();
    let is_credit = |leg: &&Leg| matches!(leg.by, PaidBy::Credit(_));
    match paid.iter().filter(|leg| is_credit(leg)).count() {
        0 => "Subsidy",
        credits if credits == paid.len() => "Credits used",
        _ => "Paid for you",
    }
}

/// A sentence for each of [`paid_by`].
pub fn paid_notes(lines: &[PostedLine], currency: &Currency) -> impl Iterator<Item = String> {
    paid_by(lines).into_iter().map(|(leg, sum)| {
        let (Leg { name, payer, .. }, amount) = (leg, currency.display(sum.abs()));
        if sum.is_negative() {
            format!("{name} ({payer}) gets back {amount} that it had paid for you.")
        } else {
            let users = by_user(lines, leg, currency);
            format!("{name} ({payer}) pays {amount} of these charges{users}.")
        }
    })
}

/// So many users are named with what is paid for them; of more it is said how many they are.
const NAMED_USERS: usize = 5;

fn by_user(lines: &[PostedLine], of: &Leg, currency: &Currency) -> String {
    let mut users: BTreeMap<&str, Minor> = BTreeMap::new();
    for PostedLeg { leg, amount } in lines.iter().flat_map(|line| &line.legs) {
        if let Some(user) = leg.user.as_deref().filter(|_| (&leg.name, &leg.payer) == (&of.name, &of.payer)) {
            *users.entry(user).or_default() += *amount;
        }
    }
    let users: Vec<(&str, Minor)> = users.into_iter().filter(|(_, sum)| !sum.is_zero()).collect();
    let said = |(user, sum): &(&str, Minor)| format!("{} for {user}", currency.display(*sum));
    match users.as_slice() {
        [] => String::new(),
        [(user, _)] => format!(", for {user}"),
        [rest @ .., last] if rest.len() < NAMED_USERS => {
            let rest: Vec<String> = rest.iter().map(said).collect();
            format!(": {} and {}", rest.join(", "), said(last))
        }
        all => format!(", for {} users", all.len()),
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use insta::assert_snapshot;

    use super::*;
    use crate::settings::Settings;

    #[test]
    fn the_ladder_of_an_award_that_ends() {
        let award = |end: &str, reconciled: &str, fallback: &str| Award {
            end: end.parse().ok(),
            reconciliation_end: reconciled.parse().ok(),
            fallback: Some(fallback.to_owned()).filter(|fund| !fund.is_empty()),
        };
        let period: Period = "2025-01".parse().unwrap();
        let mut ladder = String::new();
        for (end, reconciled, fallback) in [
            ("2025-07-31", "2025-10-29", ""),
            ("2025-07-30", "2025-10-28", ""),
            ("2025-05-02", "", ""),
            ("2025-05-01", "", "F-900"),
            ("2025-03-03", "", ""),
            ("2025-03-02", "", ""),
            ("2025-03-02", "", "F-900"),
            ("2025-02-01", "", ""),
            ("2025-01-31", "2025-05-01", ""),
            ("2025-01-30", "", ""),
            ("2025-01-30", "", "F-900"),
            ("2025-01-30", "2025-04-30", ""),
            ("2025-01-30", "2025-01-31", ""),
            ("2024-10-01", "2025-01-30", ""),
            ("2024-10-01", "2025-01-30", "F-900"),
            ("", "2025-01-30", ""),
            ("", "2025-01-31", ""),
        ] {
            let notes = award(end, reconciled, fallback).notes(period).join(" ");
            let _ = writeln!(ladder, "{end:10} {reconciled:10} {fallback:5} | {notes}");
        }
        assert_snapshot!(ladder, @r"
        2025-07-31 2025-10-29       | 
        2025-07-30 2025-10-28       | The award of this project ends on July 30, 2025, 180 days after the end of this period.
        2025-05-02                  | The award of this project ends on May 2, 2025, 91 days after the end of this period.
        2025-05-01            F-900 | The award of this project ends on May 1, 2025, 90 days after the end of this period. Please plan where later charges should go.
        2025-03-03                  | The award of this project ends on March 3, 2025, 31 days after the end of this period. Please plan where later charges should go.
        2025-03-02                  | The award of this project ends on March 2, 2025, 30 days after the end of this period. Charges after that day need another fund_org.
        2025-03-02            F-900 | The award of this project ends on March 2, 2025, 30 days after the end of this period. Charges after that day are billed to F-900, the fallback fund.
        2025-02-01                  | The award of this project ends on February 1, 2025, 1 day after the end of this period. Charges after that day need another fund_org.
        2025-01-31 2025-05-01       | The award of this project ends on January 31, 2025, the last day of this period. Charges after that day need another fund_org.
        2025-01-30                  | The award of this project ended on January 30, 2025. Charges after that day need another fund_org.
        2025-01-30            F-900 | The award of this project ended on January 30, 2025. Charges after that day are billed to F-900, the fallback fund.
        2025-01-30 2025-04-30       | The award of this project ended on January 30, 2025. Charges after that day need another fund_org. Late charges for use up to the award's end are taken until April 30, 2025.
        2025-01-30 2025-01-31       | The award of this project ended on January 30, 2025. Charges after that day need another fund_org. Late charges for use up to the award's end are taken until January 31, 2025.
        2024-10-01 2025-01-30       | The award of this project ended on October 1, 2024. Charges after that day need another fund_org. Its reconciliation ended on January 30, 2025. Charges that come later, also for earlier use, need another fund_org.
        2024-10-01 2025-01-30 F-900 | The award of this project ended on October 1, 2024. Charges after that day are billed to F-900, the fallback fund. Its reconciliation ended on January 30, 2025. Charges that come later, also for earlier use, are billed to F-900, the fallback fund.
                   2025-01-30       | The reconciliation of this project's award ended on January 30, 2025. Charges that come later, also for earlier use, need another fund_org.
                   2025-01-31       |
        ");
    }

    #[test]
    fn a_fallback_is_said_where_it_is_billed() {
        let fallback = |from: &str, of_use| Fallback {
            fund_org: "F-900".to_owned(),
            from: Some(from.to_owned()).filter(|from| !from.is_empty()),
            after: "2025-03-31".to_owned(),
            of_use,
        };
        let line = |fund_org: &str| {
            let mut group =
                crate::statement::testing::group("EC2", crate::statement::LineKind::Usage, "1", "1");
            group.fund_org = Some(fund_org.to_owned());
            crate::statement::post_statement(vec![group], 2).0
        };
        let fallbacks = [fallback("GRANT-1", true), fallback("", true), fallback("GRANT-2", false)];
        assert_snapshot!(fallback_notes(&fallbacks, &line("F-900")).join("\n"), @r"
        Charges for use after award GRANT-1 ended on March 31, 2025 are billed to F-900, the fallback fund.
        Charges for use after the award ended on March 31, 2025 are billed to F-900, the fallback fund.
        Charges that came after the reconciliation of award GRANT-2 ended on March 31, 2025 are billed to F-900, the fallback fund.
        ");
        assert_eq!(
            fallback_notes(&fallbacks, &line("GRANT-1")),
            Vec::<String>::new(),
            "a split sent it elsewhere"
        );
    }

    #[test]
    fn for_whose_use_is_said_where_users_are_counted() {
        let currency = Settings::default().currency;
        let said = |users: &[&str]| {
            let group = crate::statement::testing::group("EC2", crate::statement::LineKind::Usage, "9", "9");
            let leg = |user: &&str| Leg {
                by: PaidBy::Subsidy(crate::subsidy::SubsidyId(1)),
                name: "Provost".to_owned(),
                payer: "PROV-1".to_owned(),
                account_code: None,
                user: Some((*user).to_owned()).filter(|user| !user.is_empty()),
                seen: "1".parse().unwrap(),
                paid: "1.25".parse().unwrap(),
            };
            let legs = |_: &[crate::statement::PostingGroup]| vec![users.iter().map(leg).collect()];
            let (lines, _) = crate::statement::post_subsidized(vec![group], 2, legs);
            paid_notes(&lines, &currency).collect::<Vec<_>>().join(" ")
        };
        assert_snapshot!(said(&[""]), @"Provost (PROV-1) pays $1.25 of these charges.");
        assert_snapshot!(said(&["ada"]), @"Provost (PROV-1) pays $1.25 of these charges, for ada.");
        assert_snapshot!(said(&["ada", "bo", "cy"]), @"Provost (PROV-1) pays $3.75 of these charges: $1.25 for ada, $1.25 for bo and $1.25 for cy.");
        assert_snapshot!(said(&["a", "b", "c", "d", "e", "f", "g"]), @"Provost (PROV-1) pays $8.75 of these charges, for 7 users.");
    }

    #[test]
    fn what_is_held_back_is_said_with_its_sum() {
        let currency = Settings::default().currency;
        let note = |charges, sum| held_note(charges, Minor::new(sum), &currency).unwrap_or_default();
        assert_eq!(note(0, 0), "");
        assert_snapshot!(note(1, 1200), @"1 charge of $12.00 is held back for review and is not part of this statement.");
        assert_snapshot!(note(31, 123_400),
            @"31 charges of $1,234.00 in all are held back for review and are not part of this statement.");
    }
}
