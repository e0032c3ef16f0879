//! CSV files, for people or for machines.

use std::borrow::Cow;

use billing::statement::{LineKind, ResourceLine};
use money::Currency;

/// A CSV file being written.
pub struct Table {
    writer: csv::Writer<Vec<u8>>,
    for_people: bool,
}

impl Table {
    /// A spreadsheet will open it: no cell may become a formula.
    pub fn for_people(names: &[&str]) -> Table {
        Table::new(names, true)
    }

    /// A program will read it: cells are exactly what they are.
    pub fn for_machines(names: &[&str]) -> Table {
        Table::new(names, false)
    }

    fn new(names: &[&str], for_people: bool) -> Table {
        let mut table = Table { writer: csv::Writer::from_writer(Vec::new()), for_people };
        table.row(names);
        table
    }

    pub fn row(&mut self, cells: &[&str]) {
        for cell in cells {
            let cell = if self.for_people { formula_safe(cell) } else { Cow::Borrowed(*cell) };
            self.writer.write_field(cell.as_ref()).expect("writing to memory");
        }
        self.writer.write_record(None::<&[u8]>).expect("writing to memory");
    }

    pub fn into_bytes(self) -> Vec<u8> {
        self.writer.into_inner().expect("writing to memory")
    }
}

/// A CSV file that a spreadsheet can open: no cell becomes a formula.
///
/// # Panics
/// Never: it writes to memory.
#[must_use]
pub fn table_for_people(names: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let mut table = Table::for_people(names);
    for row in rows {
        table.row(&row.iter().map(String::as_str).collect::<Vec<_>>());
    }
    String::from_utf8_lossy(&table.into_bytes()).into_owned()
}

/// Rows of such a file, to be written after those that were written before.
///
/// # Panics
/// Never: it writes to memory.
#[must_use]
pub fn rows_for_people(rows: impl IntoIterator<Item = Vec<Option<String>>>) -> Vec<u8> {
    let mut table = Table { writer: csv::Writer::from_writer(Vec::new()), for_people: true };
    for row in rows {
        table.row(&row.iter().map(|cell| cell.as_deref().unwrap_or_default()).collect::<Vec<_>>());
    }
    table.into_bytes()
}

/// A cell that a spreadsheet shows instead of calculating it.
#[must_use]
pub fn formula_safe(cell: &str) -> Cow<'_, str> {
    if is_formula(cell) { Cow::Owned(format!("'{cell}")) } else { Cow::Borrowed(cell) }
}

/// Whether a spreadsheet would calculate the cell (OWASP, CSV injection). A plain number is none:
/// `-12.50` stays what it is.
fn is_formula(cell: &str) -> bool {
    let text = cell.trim_start_matches([' ', '\u{a0}']);
    let starts = text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠']);
    starts && !is_plain_number(cell)
}

/// `12`, `-12.50`: digits, at most one point between them, at most a minus before them.
fn is_plain_number(cell: &str) -> bool {
    let unsigned = cell.strip_prefix('-').unwrap_or(cell);
    let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, "0"));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits(whole) && digits(fraction)
}

pub fn kind_name(kind: LineKind) -> &'static str {
    match kind {
        LineKind::Usage => "usage",
        LineKind::Credit => "credit",
        LineKind::Tax => "tax",
        LineKind::Adjustment => "adjustment",
    }
}

/// All resources of a statement, for the person whose PDF lists only the largest. Safe to open in a
/// spreadsheet; amounts are plain decimals.
#[must_use]
pub fn statement_csv<'a>(
    resources: impl IntoIterator<Item = &'a ResourceLine>,
    currency: &Currency,
) -> Vec<u8> {
    let mut table = Table::for_people(&[
        "service_name",
        "resource_id",
        "resource_name",
        "kind",
        "charges",
        "quantity",
        "unit",
        "list_cost",
        "discount",
        "amount_due",
    ]);
    let places = currency.code.places();
    for line in resources {
        table.row(&[
            line.service_name.as_deref().unwrap_or_default(),
            line.resource_id.as_deref().unwrap_or_default(),
            line.resource_name.as_deref().unwrap_or_default(),
            kind_name(line.kind),
            &line.charges.to_string(),
            &line.quantity.map(|quantity| quantity.to_string()).unwrap_or_default(),
            line.unit.as_deref().unwrap_or_default(),
            &line.list.decimal(places),
            &line.discount.decimal(places),
            &line.due.decimal(places),
        ]);
    }
    table.into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statement::sample::{Shape, statement};

    /// Defect 30: a service named `=HYPERLINK(…)` was a formula in the accountant's spreadsheet.
    #[test]
    fn formulas_are_quoted_and_negative_amounts_are_not() {
        for (cell, formula) in [
            ("=1+1", true),
            (" =1+1", true),
            ("+1", true),
            ("@SUM(A1)", true),
            ("-2+3", true),
            ("-1.2.3", true),
            ("-.5", true),
            ("-", true),
            ("\t=1", true),
            ("＝1", true),
            ("-12.50", false),
            ("-12", false),
            ("12.50", false),
            ("a=b", false),
            ("", false),
        ] {
            assert_eq!(is_formula(cell), formula, "{cell:?}");
        }
        let row = |mut table: Table| {
            table.row(&["=1+1", "-12.50", "a,\"b\"\nc"]);
            String::from_utf8(table.into_bytes()).unwrap()
        };
        assert_eq!(row(Table::for_people(&["a", "b", "c"])), "a,b,c\n'=1+1,-12.50,\"a,\"\"b\"\"\nc\"\n");
        assert_eq!(row(Table::for_machines(&["a", "b", "c"])), "a,b,c\n=1+1,-12.50,\"a,\"\"b\"\"\nc\"\n");
    }

    #[test]
    fn the_csv_beside_a_statement_has_every_resource_and_adds_up() {
        let sample = statement(&Shape { lines: 500, credit: true, ..Shape::default() });
        let csv = statement_csv(&sample.resources, &sample.currency);
        let mut reader = csv::Reader::from_reader(csv.as_slice());
        let due: Vec<String> = reader.records().map(|row| row.unwrap()[9].to_owned()).collect();
        assert_eq!(due.len(), 500);
        let cents: i64 = due.iter().map(|due| due.replace('.', "").parse::<i64>().unwrap()).sum();
        assert_eq!(cents, sample.totals.due.get());
    }
}
