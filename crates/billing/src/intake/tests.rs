//! One row is written as its columns' values; tables of such rows show the rules.

mod flags;
mod identity;
mod problems;
mod sums;
mod whole;

use std::sync::LazyLock;

use focus::{Cells, Header, Span};

use super::{Desk, FileContext, Intake, IntakeOptions, Taken};
use crate::SourceName;
use crate::charge::ChargeColumns;
use crate::settings::Settings;

pub(super) type Row<'a> = Vec<(&'a str, &'a str)>;

pub(super) const TAGS: &str =
    r#"{"pi_email": "Ada@Example.edu ", "project": "optics-0007", "fund_org": "PHYS-0042"}"#;

/// A row with nothing to be said about, changed as told; unknown columns are added.
pub(super) fn row<'a>(changes: &[(&'a str, &'a str)]) -> Row<'a> {
    let mut row: Row<'a> = vec![
        ("BillingPeriodStart", "2025-01-01T00:00:00Z"),
        ("BillingPeriodEnd", "2025-02-01T00:00:00Z"),
        ("ChargePeriodStart", "2025-01-10T00:00:00Z"),
        ("ChargePeriodEnd", "2025-01-11T00:00:00Z"),
        ("ListCost", "12.00"),
        ("ContractedCost", "11.00"),
        ("BilledCost", "10.00"),
        ("EffectiveCost", "10.00"),
        ("ResourceId", "vol-1"),
        ("ResourceName", "scratch"),
        ("ServiceName", "Storage"),
        ("Tags", TAGS),
    ];
    for &(column, value) in changes {
        match row.iter_mut().find(|(name, _)| *name == column) {
            Some(cell) => cell.1 = value,
            None => row.push((column, value)),
        }
    }
    row
}

/// The row without a column.
pub(super) fn without<'a>(row: &Row<'a>, column: &str) -> Row<'a> {
    row.iter().copied().filter(|(name, _)| *name != column).collect()
}

/// Cells as the reader gives them. All rows have the columns of the first.
pub(super) fn cells(rows: &[Row<'_>]) -> (Header, Cells) {
    let names: Vec<&str> = rows[0].iter().map(|(name, _)| *name).collect();
    let header = Header::new(names.iter().copied()).expect("names that differ");
    let mut cells = Cells { rows: rows.len(), spans: vec![Vec::new(); names.len()], ..Cells::default() };
    for (number, row) in (0_i64..).zip(rows) {
        cells.lines.push(number + 2);
        cells.byte_offsets.push(100 * number);
        cells.byte_lens.push(100);
        for (column, (_, value)) in row.iter().enumerate() {
            let start = u32::try_from(cells.text.len()).expect("a small table");
            let len = u32::try_from(value.len()).expect("a small table");
            cells.text.extend_from_slice(value.as_bytes());
            if header.columns[column].kept_as.is_some() {
                cells.spans[column].push(Span { start, len });
            }
        }
    }
    (header, cells)
}

pub(super) fn take_with(settings: &Settings, options: IntakeOptions, rows: &[Row<'_>]) -> Taken {
    take_at(&compile(settings, options), rows)
}

/// The rules without any configuration, compiled once for all tests.
pub(super) static INTAKE: LazyLock<Intake> =
    LazyLock::new(|| compile(&Settings::default(), IntakeOptions::default()));

fn compile(settings: &Settings, options: IntakeOptions) -> Intake {
    Intake::compile(settings, &SourceName("AWS".to_owned()), options).expect("good patterns")
}

fn take_at(intake: &Intake, rows: &[Row<'_>]) -> Taken {
    let (header, cells) = cells(rows);
    let file = FileContext::new(0, &header, Some(&cells)).expect("the required columns");
    Desk::new(intake).charges(intake, &file, &cells)
}

pub(super) fn take(rows: &[Row<'_>]) -> Taken {
    take_at(&INTAKE, rows)
}

pub(super) fn text<'a>(columns: &'a ChargeColumns, name: &str, row: usize) -> Option<&'a str> {
    columns.text.iter().find(|(column, _)| column == name).and_then(|(_, column)| column.get(row))
}

/// `flags` and `flag_detail` of the only row.
pub(super) fn flagged(taken: &Taken) -> (String, String) {
    assert_eq!((taken.columns.rows, taken.problems.as_slice()), (1, &[][..]), "one charge");
    let word = |name| text(&taken.columns, name, 0).unwrap_or_default().to_owned();
    (word("flags"), word("flag_detail"))
}
