use std::io::IsTerminal;

use money::{Amount, Currency, Minor};
use unicode_width::UnicodeWidthStr;

/// A table for the terminal: a header, a rule, rows; long texts wrap so that it fits the width.
///
/// ```text
/// project_id        charges   billed_cost
/// ────────────────  ───────  ────────────
/// glacier-genomics       31      1,204.55
/// ```
#[derive(Clone, Debug)]
pub struct Table {
    columns: Vec<Column>,
    rows: Vec<Vec<String>>,
    total: Option<Vec<String>>,
}

#[derive(Clone, Debug)]
pub struct Column {
    name: String,
    is_number: bool,
}

impl Column {
    /// Left-aligned; wraps when there is no room.
    #[must_use]
    pub fn text(name: &str) -> Column {
        Column { name: name.to_owned(), is_number: false }
    }

    /// Right-aligned; never wraps.
    #[must_use]
    pub fn number(name: &str) -> Column {
        Column { name: name.to_owned(), is_number: true }
    }
}

const GAP: &str = "  ";
/// A text column is not made narrower than this.
const NARROWEST: usize = 12;

impl Table {
    #[must_use]
    pub fn new(columns: Vec<Column>) -> Table {
        Table { columns, rows: Vec::new(), total: None }
    }

    /// Cells in the order of the columns; missing ones are empty.
    pub fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push(self.fitted(cells));
    }

    /// Leave out the column of this name.
    pub fn drop_column(&mut self, name: &str) {
        let Some(at) = self.columns.iter().position(|column| column.name == name) else { return };
        self.columns.remove(at);
        for row in self.rows.iter_mut().chain(&mut self.total) {
            row.remove(at);
        }
    }

    /// The last line, below a rule.
    pub fn total(&mut self, cells: impl IntoIterator<Item = String>) {
        self.total = Some(self.fitted(cells));
    }

    fn fitted(&self, cells: impl IntoIterator<Item = String>) -> Vec<String> {
        let mut cells: Vec<String> = cells.into_iter().map(|cell| printable(&cell)).collect();
        cells.resize(self.columns.len(), String::new());
        cells
    }

    /// For the terminal's width; where there is no terminal nothing wraps.
    #[must_use]
    pub fn render(&self) -> String {
        let width = if std::io::stdout().is_terminal() {
            terminal_size::terminal_size().map(|(width, _)| usize::from(width.0))
        } else {
            None
        };
        self.render_to(width.unwrap_or(usize::MAX))
    }

    /// For a width in columns of the terminal.
    #[must_use]
    pub fn render_to(&self, width: usize) -> String {
        let widths = self.widths(width);
        let rule: Vec<String> = widths.iter().map(|&width| "─".repeat(width)).collect();
        let names: Vec<String> = self.columns.iter().map(|column| column.name.clone()).collect();
        let mut text = String::new();
        self.write(&names, &widths, &mut text);
        self.write(&rule, &widths, &mut text);
        self.rows.iter().for_each(|row| self.write(row, &widths, &mut text));
        if let Some(total) = &self.total {
            self.write(&rule, &widths, &mut text);
            self.write(total, &widths, &mut text);
        }
        text
    }

    /// Natural widths, then the widest text columns give way until the table fits.
    fn widths(&self, width: usize) -> Vec<usize> {
        let widest = |at: usize| {
            let cells = self.rows.iter().chain(&self.total).map(|row| row[at].width());
            cells.max().unwrap_or(0).max(self.columns[at].name.width())
        };
        let mut widths: Vec<usize> = (0..self.columns.len()).map(widest).collect();
        let gaps = GAP.len() * self.columns.len().saturating_sub(1);
        let mut over = (widths.iter().sum::<usize>() + gaps).saturating_sub(width);
        while over > 0 {
            let texts = (0..widths.len()).filter(|&at| !self.columns[at].is_number);
            let Some(at) = texts.max_by_key(|&at| widths[at]).filter(|&at| widths[at] > NARROWEST) else {
                break;
            };
            widths[at] -= 1;
            over -= 1;
        }
        widths
    }

    fn write(&self, cells: &[String], widths: &[usize], text: &mut String) {
        let wrapped: Vec<Vec<String>> =
            cells.iter().zip(widths).map(|(cell, &width)| wrap(cell, width)).collect();
        let height = wrapped.iter().map(Vec::len).max().unwrap_or(1);
        for line in 0..height {
            let mut out = String::new();
            for (at, column) in self.columns.iter().enumerate() {
                let part = wrapped[at].get(line).map_or("", String::as_str);
                let pad = " ".repeat(widths[at].saturating_sub(part.width()));
                if at > 0 {
                    out.push_str(GAP);
                }
                let (left, right) =
                    if column.is_number { (pad.as_str(), part) } else { (part, pad.as_str()) };
                out.push_str(left);
                out.push_str(right);
            }
            text.push_str(out.trim_end());
            text.push('\n');
        }
    }
}

/// Text of a delivered file may hold anything: control characters must not reach the terminal.
fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

/// Break at spaces where that works, inside words where it does not.
fn wrap(text: &str, width: usize) -> Vec<String> {
    if text.width() <= width {
        return vec![text.to_owned()];
    }
    let mut lines = vec![String::new()];
    for word in text.split_inclusive(' ') {
        let line = lines.last().map_or(0, |line| line.width());
        if line > 0 && line + word.trim_end().width() > width {
            lines.push(String::new());
        }
        for letter in word.chars() {
            let mut buffer = [0; 4];
            let letter = letter.encode_utf8(&mut buffer);
            if lines.last().is_some_and(|line| line.width() + letter.width() > width) {
                lines.push(String::new());
            }
            if let Some(line) = lines.last_mut() {
                line.push_str(letter);
            }
        }
    }
    lines.iter().map(|line| line.trim().to_owned()).filter(|line| !line.is_empty()).collect()
}

/// An exact amount with separators: as many decimals as it has, at least the currency's.
///
/// ```text
/// 1,204.5 USD → 1,204.50     0.00000360 USD → 0.0000036
/// ```
#[must_use]
pub fn exact(amount: Amount, currency: &Currency) -> String {
    let places = usize::from(currency.code.places());
    let plain = amount.to_string();
    let (sign, plain) = plain.strip_prefix('-').map_or(("", plain.as_str()), |rest| ("-", rest));
    let (whole, fraction) = plain.split_once('.').unwrap_or((plain, ""));
    let point = if places.max(fraction.len()) > 0 { "." } else { "" };
    format!("{sign}{}{point}{fraction:0<places$}", grouped(whole))
}

/// Minor units with separators and decimals, without a symbol: `1,204.55`.
#[must_use]
pub fn posted(amount: Minor, currency: &Currency) -> String {
    let plain = amount.abs().decimal(currency.code.places());
    let (whole, fraction) = plain.split_once('.').map_or((plain.as_str(), None), |(w, f)| (w, Some(f)));
    let sign = if amount.is_negative() { "-" } else { "" };
    let fraction = fraction.map(|fraction| format!(".{fraction}")).unwrap_or_default();
    format!("{sign}{}{fraction}", grouped(whole))
}

fn grouped(digits: &str) -> String {
    let mut grouped = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::*;

    fn table() -> Table {
        let mut table = Table::new(vec![
            Column::text("project_id"),
            Column::text("reason"),
            Column::number("billed_cost"),
        ]);
        let row = |cells: [&str; 3]| cells.map(str::to_owned);
        table.row(row(["glacier-genomics", "no fund_org is named in the tags", "1,204.55"]));
        table.row(row(["气候模型", "a\x1b[31mb", "-0.05"]));
        table.total(row(["2 charges", "", "1,204.50"]));
        table
    }

    #[test]
    fn amounts_are_right_aligned_and_control_characters_do_nothing() {
        assert_snapshot!(table().render_to(usize::MAX), @"
        project_id        reason                            billed_cost
        ────────────────  ────────────────────────────────  ───────────
        glacier-genomics  no fund_org is named in the tags     1,204.55
        气候模型          a�[31mb                                 -0.05
        ────────────────  ────────────────────────────────  ───────────
        2 charges                                              1,204.50
        ");
    }

    #[test]
    fn long_texts_wrap_and_amounts_do_not() {
        assert_snapshot!(table().render_to(40), @"
        project_id     reason        billed_cost
        ─────────────  ────────────  ───────────
        glacier-genom  no fund_org      1,204.55
        ics            is named in
                       the tags
        气候模型       a�[31mb             -0.05
        ─────────────  ────────────  ───────────
        2 charges                       1,204.50
        ");
        let narrow = table().render_to(1);
        assert!(narrow.contains("1,204.55"), "{narrow}");
        assert!(narrow.lines().all(|line| line.width() <= 12 + 2 + 12 + 2 + 11), "{narrow}");
    }

    #[test]
    fn amounts_keep_their_digits_and_get_separators() {
        let currency = |code: &str| Currency { code: code.parse().unwrap(), symbol: String::new() };
        let cases = [
            ("1204.5", "USD", "1,204.50"),
            ("-1234567", "USD", "-1,234,567.00"),
            ("3.6E-6", "USD", "0.0000036"),
            ("0", "USD", "0.00"),
            ("100", "JPY", "100"),
            ("100.5", "JPY", "100.5"),
            ("1.5", "KWD", "1.500"),
        ];
        for (amount, code, expected) in cases {
            assert_eq!(exact(amount.parse().unwrap(), &currency(code)), expected);
        }
        let minor = |units| posted(Minor::new(units), &currency("USD"));
        assert_eq!([minor(120_455), minor(-5), minor(0)], ["1,204.55", "-0.05", "0.00"]);
        assert_eq!(posted(Minor::new(1_234), &currency("JPY")), "1,234");
    }
}
