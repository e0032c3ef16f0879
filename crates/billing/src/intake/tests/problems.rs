//! Every problem, and that all of a row's problems are told.

use super::{Row, cells, row, take, take_with, without};
use crate::intake::{BadRow, FileContext, IntakeOptions};
use crate::settings::Settings;

fn told(rows: &[Row<'_>]) -> Vec<String> {
    let problems = take(rows).problems;
    problems.iter().map(|p| format!("{}: {}: `{}` {}", p.line, p.column, p.value, p.message)).collect()
}

#[test]
fn a_row_without_a_number_or_a_period_is_a_problem() {
    let mut all = Vec::new();
    for (column, value) in [
        ("BilledCost", ""),
        ("BilledCost", "12,50"),
        ("BilledCost", "NaN"),
        ("BilledCost", "1e400"),
        ("BilledCost", "1000000000000"),
        ("ListCost", "abc"),
        ("ContractedCost", "1.2.3"),
        ("EffectiveCost", "-inf"),
        ("BillingPeriodStart", ""),
        ("BillingPeriodStart", "garbage-date"),
        ("BillingPeriodStart", "2025-13-01"),
        ("BillingPeriodEnd", "2025-02-30"),
        ("BillingPeriodEnd", "2024-12-01T00:00:00Z"),
        ("ChargePeriodStart", "yesterday"),
        ("ChargePeriodEnd", "2025-01-32"),
        ("ChargePeriodEnd", "2025-01-09T00:00:00Z"),
    ] {
        let taken = told(&[row(&[(column, value)])]);
        assert_eq!(taken.len(), 1, "{column} `{value}`: {taken:?}");
        all.extend(taken);
    }
    insta::assert_snapshot!(all.join("\n"), @r#"
    2: BilledCost: `` is missing: a charge needs its cost
    2: BilledCost: `12,50` has a thousands separator or a decimal comma; write 1234.50
    2: BilledCost: `NaN` is not a finite number
    2: BilledCost: `1e400` is 10^12 or more, larger than any charge can be
    2: BilledCost: `1000000000000` is 10^12 or more, larger than any charge can be
    2: ListCost: `abc` is not a decimal number
    2: ContractedCost: `1.2.3` is not a decimal number
    2: EffectiveCost: `-inf` is not a finite number
    2: BillingPeriodStart: `` is missing: a charge needs its billing period
    2: BillingPeriodStart: `garbage-date` is not a date or date-time; write 2025-01-31 or 2025-01-31T00:00:00Z
    2: BillingPeriodStart: `2025-13-01` has no month 13; months are 01 to 12
    2: BillingPeriodEnd: `2025-02-30` has no day 30: 2025-02 has 28 days
    2: BillingPeriodEnd: `2024-12-01T00:00:00Z` lies before BillingPeriodStart
    2: ChargePeriodStart: `yesterday` is not a date or date-time; write 2025-01-31 or 2025-01-31T00:00:00Z
    2: ChargePeriodEnd: `2025-01-32` has no day 32: 2025-01 has 31 days
    2: ChargePeriodEnd: `2025-01-09T00:00:00Z` lies before ChargePeriodStart
    "#);
}

#[test]
fn all_problems_of_all_rows_are_told_by_line() {
    let rows = [
        row(&[("BilledCost", "x"), ("ListCost", "y"), ("ChargePeriodStart", "z")]),
        row(&[]),
        row(&[("BillingPeriodStart", ""), ("EffectiveCost", "?")]),
    ];
    insta::assert_snapshot!(told(&rows).join("\n"), @r#"
    2: BilledCost: `x` is not a decimal number
    2: ListCost: `y` is not a decimal number
    2: ChargePeriodStart: `z` is not a date or date-time; write 2025-01-31 or 2025-01-31T00:00:00Z
    4: EffectiveCost: `?` is not a decimal number
    4: BillingPeriodStart: `` is missing: a charge needs its billing period
    "#);
    let taken = take(&rows);
    let bad = [0, 2].map(|at| BadRow { line: at + 2, byte_offset: 100 * at, byte_len: 100 });
    assert_eq!((taken.bad_rows.as_slice(), taken.columns.line.as_slice()), (&bad[..], &[3][..]));
}

#[test]
fn ten_thousand_bad_rows_are_all_counted() {
    let rows: Vec<Row<'_>> = (0..10_000).map(|_| row(&[("BilledCost", "12,50")])).collect();
    let taken = take(&rows);
    assert_eq!((taken.problems.len(), taken.bad_rows.len(), taken.columns.rows), (10_000, 10_000, 0));
    assert!(taken.parts.is_empty() && taken.notes.is_empty());
}

#[test]
fn a_file_without_a_needed_column_is_refused_by_name() {
    let bare = without(&without(&row(&[]), "BilledCost"), "Tags");
    let (header, cells) = cells(&[bare]);
    let refused = FileContext::new(0, &header, Some(&cells)).expect_err("two columns are missing");
    insta::assert_snapshot!(refused, @"columns that every charge needs are missing: `BilledCost`, `Tags` (FOCUS names its columns in the first line)");
}

#[test]
fn blanks_around_a_number_do_no_harm() {
    let taken = take(&[row(&[("BilledCost", " 10.50 ")])]);
    assert_eq!(taken.columns.costs[2].0, [10_500_000_000_000_000_000]);
}

#[test]
fn rows_of_periods_to_be_left_out_are_summed_and_not_taken() {
    let january = row(&[("BillingAccountId", "007")]);
    let february = row(&[
        ("BillingAccountId", "007"),
        ("BillingPeriodStart", "2025-02-01"),
        ("BillingPeriodEnd", "2025-03-01"),
        ("BilledCost", "5"),
    ]);
    let bad = row(&[("BillingAccountId", "007"), ("BilledCost", "-")]);
    let left: crate::Period = "2025-02".parse().expect("a period");
    let options = IntakeOptions { leave_out: [left].into(), ..IntakeOptions::default() };
    let rows = [february.clone(), bad, january, february];
    let taken = take_with(&Settings::default(), options, &rows);
    assert_eq!((taken.columns.line.as_slice(), taken.problems.len()), (&[4][..], 1));
    let key = (left, Some("007".to_owned()));
    assert_eq!(
        (taken.left_out[&key].rows, taken.left_out[&key].billed_cost.to_string()),
        (2, "10".to_owned())
    );
    assert_eq!((taken.parts.len(), taken.left_out.len()), (1, 1));
}
