//! What a statement says below its tables.

use jiff::civil::Date;
use money::{Currency, Minor};

use super::{PostedLeg, PostedLine};
use crate::Period;
use crate::subsidy::{Leg, PaidBy};

/// When the award that pays ends, said from 180 days before on and counted from the period's end, so that
/// the same statement says the same whenever it is made.
#[must_use]
pub fn award_note(end: Date, period: Period) -> Option<String> {
    let last_day = period.last_day();
    let days = last_day.until(end).ok()?.get_days();
    let day = end.strftime("%B %-d, %Y");
    let ends = if days < 0 { "ended" } else { "ends" };
    let distance = match days {
        0 => ", the last day of this period".to_owned(),
        1 => ", 1 day after the end of this period".to_owned(),
        2.. => format!(", {days} days after the end of this period"),
        _ => String::new(),
    };
    let advice = match days {
        ..=30 => " Charges after that day need another fund_org.",
        31..=90 => " Please plan where later charges should go.",
        91..=180 => "",
        _ => return None,
    };
    Some(format!("The award of this project {ends} on {day}{distance}.{advice}"))
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
    paid_by(lines).into_iter().map(|(Leg { name, payer, .. }, sum)| {
        let amount = currency.display(sum.abs());
        if sum.is_negative() {
            format!("{name} ({payer}) gets back {amount} that it had paid for you.")
        } else {
            format!("{name} ({payer}) pays {amount} of these charges.")
        }
    })
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;
    use jiff::civil::date;

    use super::*;
    use crate::settings::Settings;

    #[test]
    fn an_award_is_said_to_end_from_180_days_before() {
        let period: Period = "2025-01".parse().unwrap();
        let note = |year, month, day| award_note(date(year, month, day), period).unwrap_or_default();
        assert_eq!(note(2025, 7, 31), "");
        assert_snapshot!(note(2025, 7, 30),
            @"The award of this project ends on July 30, 2025, 180 days after the end of this period.");
        assert_snapshot!(note(2025, 5, 1),
            @"The award of this project ends on May 1, 2025, 90 days after the end of this period. Please plan where later charges should go.");
        assert_snapshot!(note(2025, 3, 2),
            @"The award of this project ends on March 2, 2025, 30 days after the end of this period. Charges after that day need another fund_org.");
        assert_snapshot!(note(2025, 2, 1),
            @"The award of this project ends on February 1, 2025, 1 day after the end of this period. Charges after that day need another fund_org.");
        assert_snapshot!(note(2025, 1, 31),
            @"The award of this project ends on January 31, 2025, the last day of this period. Charges after that day need another fund_org.");
        assert_snapshot!(note(2025, 1, 30),
            @"The award of this project ended on January 30, 2025. Charges after that day need another fund_org.");
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
