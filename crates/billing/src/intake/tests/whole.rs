//! What holds for any input: no row is lost, none is taken twice, and no digit of a sum.

use std::collections::BTreeMap;

use money::Amount;
use proptest::prelude::*;
use proptest::sample::select;

use super::{INTAKE, Row, TAGS, cells, take, text};
use crate::charge::{AmountColumn, COSTS, ChargeColumns};
use crate::intake::{Desk, FileContext, Sums, Taken};
use crate::{Flags, Period};

const COLUMNS: [(&str, &[&str]); 10] = [
    ("BillingPeriodStart", &["2025-01-01", "2025-01-01T00:00:00Z", "2025-02-01", "2025-01-05", "", "soon"]),
    ("BillingPeriodEnd", &["2025-02-01", "2025-03-01T00:00:00Z", "2025-01-31", "", "2025-02-30"]),
    ("ChargePeriodStart", &["2025-01-02", "2025-01-03T04:05:06Z", "2025-01-10", "2024-12-31", ""]),
    ("ChargePeriodEnd", &["2025-01-10", "2025-01-03", "2025-02-01", "", "x"]),
    ("ListCost", &["1", "0", "12.345678", "", "-7", "1,5"]),
    ("BilledCost", &["1", "0", "12.345678", "-3.000000000000000001", "999999999999", "6.123E-7", "", "abc"]),
    ("EffectiveCost", &["1", "12.345678", "0.30", "", "1000000000000"]),
    ("BillingAccountId", &["0042", "42", ""]),
    ("ChargeCategory", &["Usage", "usage", "Credit", "Fee", ""]),
    ("Tags", &[TAGS, "", "{}", "{", r#"{"pi_email": "x"}"#]),
];

/// Rows most of whose cells are good: the first half of each column's values.
fn any_rows() -> impl Strategy<Value = Vec<Row<'static>>> {
    let cell = |(name, values): (&'static str, &'static [&'static str])| {
        let good = &values[..values.len().div_ceil(2)];
        prop_oneof![7 => select(good), 1 => select(values)].prop_map(move |value| (name, value))
    };
    let row = COLUMNS.map(cell).into_iter().collect::<Vec<_>>();
    proptest::collection::vec(row, 1..40)
}

/// Whether the cell alone keeps the row from being a charge.
fn is_bad_cell((name, value): &(&str, &str)) -> bool {
    let value = value.as_bytes();
    match *name {
        "BilledCost" => Amount::parse(value).is_err(),
        "ListCost" | "EffectiveCost" => !value.is_empty() && Amount::parse(value).is_err(),
        "BillingPeriodStart" => focus::parse_time(value).is_err(),
        _ if name.contains("Period") => !value.is_empty() && focus::parse_time(value).is_err(),
        _ => false,
    }
}

/// Sums of the columns, added up row by row.
fn added_up(columns: &ChargeColumns) -> BTreeMap<(Period, Option<String>), (u64, [Amount; 4])> {
    let mut parts = BTreeMap::<_, (u64, [Amount; 4])>::new();
    for row in 0..columns.rows {
        let account = text(columns, "billing_account_id", row).map(str::to_owned);
        let part = parts.entry((columns.period[row], account)).or_default();
        part.0 += 1;
        for (which, sum) in part.1.iter_mut().enumerate() {
            *sum += match (columns.costs[which].0[row], COSTS[which]) {
                (AmountColumn::NULL, "list_cost") => Amount::from_units(columns.costs[2].0[row]),
                (AmountColumn::NULL, _) => Amount::ZERO,
                (units, _) => Amount::from_units(units),
            };
        }
    }
    parts
}

/// Everything about a charge but its place.
fn described(taken: &Taken) -> Vec<String> {
    let columns = &taken.columns;
    let row = |row: usize| {
        let texts: Vec<_> = columns.text.iter().map(|(name, column)| (name, column.get(row))).collect();
        let costs: Vec<_> = columns.costs.iter().map(|column| column.0[row]).collect();
        let times: Vec<_> = columns.times.iter().map(|column| column.0[row]).collect();
        let marks = [columns.fingerprint[row], columns.content_digest[row], columns.overlap_key[row]];
        format!("{} {} {times:?} {costs:?} {texts:?} {marks:?}", columns.line[row], columns.period[row])
    };
    (0..columns.rows).map(row).collect()
}

proptest! {
    #[test]
    fn every_row_is_a_charge_or_a_problem(rows in any_rows()) {
        let taken = take(&rows);
        let mut lines: Vec<i64> = taken.columns.line.clone();
        lines.extend(taken.bad_rows.iter().map(|row| row.line));
        lines.sort_unstable();
        let all: Vec<i64> = (2..).take(rows.len()).collect();
        prop_assert_eq!(lines, all, "each line once");

        let mut told: Vec<u64> = taken.problems.iter().map(|problem| problem.line).collect();
        told.dedup();
        let bad: Vec<u64> = taken.bad_rows.iter().map(|row| row.line.unsigned_abs()).collect();
        prop_assert_eq!(&told, &bad, "each bad row has a problem, in order of lines");
        for (line, row) in (2..).zip(&rows) {
            let bad_cells = row.iter().filter(|cell| is_bad_cell(cell)).count();
            let problems = taken.problems.iter().filter(|problem| problem.line == line).count();
            // Beside bad cells there is one more reason: a period that ends before it starts.
            prop_assert!((bad_cells..=bad_cells + 1).contains(&problems), "{:?}: {:?}", row, taken.problems);
        }
    }

    #[test]
    fn sums_of_parts_and_flags_are_sums_of_columns(rows in any_rows()) {
        let taken = take(&rows);
        let parts: BTreeMap<_, _> = taken.parts.iter().map(|(key, sums)| {
            let costs = [sums.list_cost, sums.contracted_cost, sums.billed_cost, sums.effective_cost];
            (key.clone(), (sums.rows, costs))
        }).collect();
        prop_assert_eq!(parts, added_up(&taken.columns));
        let billed = |row: usize| Amount::from_units(taken.columns.costs[2].0[row]);
        let flags = |row: usize| Flags::from_text(text(&taken.columns, "flags", row).unwrap_or_default());
        for (flag, sums) in &taken.flags {
            let rows: Vec<usize> = (0..taken.columns.rows).filter(|&row| flags(row).contains(*flag)).collect();
            prop_assert_eq!(sums.rows, rows.len() as u64);
            prop_assert_eq!(sums.billed_cost, rows.iter().map(|&row| billed(row)).sum::<Amount>());
        }
        let flagged = (0..taken.columns.rows).filter(|&row| !flags(row).is_empty());
        let flagged_billed: Amount = flagged.map(billed).sum();
        prop_assert_eq!(taken.parts.values().map(|part| part.flagged_billed).sum::<Amount>(), flagged_billed);
    }

    /// A worker's memory and where blocks are cut make no difference.
    #[test]
    fn blocks_make_no_difference(rows in any_rows(), cut in 0_usize..40) {
        let cut = cut.min(rows.len());
        let intake = &*INTAKE;
        let (header, whole) = cells(&rows);
        let file = FileContext::new(0, &header, None).expect("the required columns");
        let at_once = Desk::new(intake).charges(intake, &file, &whole);
        let mut desk = Desk::new(intake);
        let (mut sums, mut described_in_blocks, mut problems) = (Sums::default(), Vec::new(), Vec::new());
        for (first, block) in [(0, &rows[..cut]), (cut, &rows[cut..])] {
            if block.is_empty() {
                continue;
            }
            let (_, mut block_cells) = cells(block);
            let first = i64::try_from(first).expect("small");
            block_cells.lines.iter_mut().for_each(|line| *line += first);
            let taken = desk.charges(intake, &file, &block_cells);
            sums.add(&taken).expect("small sums");
            described_in_blocks.extend(described(&taken));
            problems.extend(taken.problems);
        }
        let mut whole_sums = Sums::default();
        whole_sums.add(&at_once).expect("small sums");
        prop_assert_eq!(sums, whole_sums);
        prop_assert_eq!(described_in_blocks, described(&at_once));
        prop_assert_eq!(problems, at_once.problems);
    }
}
