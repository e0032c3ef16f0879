//! Reading what commands print for machines, with exact amounts.

use money::Amount;
use serde_json::Value;

/// A CSV file with its header.
pub struct Table {
    pub header: Vec<String>,
    pub rows: Vec<Vec<String>>,
}

impl Table {
    /// Every row must have as many fields as the header: anything else is a broken file.
    pub fn read(text: &str) -> Table {
        let mut reader = csv::ReaderBuilder::new().flexible(false).from_reader(text.as_bytes());
        let owned = |record: &csv::StringRecord| record.iter().map(str::to_owned).collect::<Vec<_>>();
        let header = owned(reader.headers().unwrap());
        let rows = reader
            .records()
            .map(|record| owned(&record.unwrap_or_else(|error| panic!("not CSV: {error}\n{text}"))))
            .collect();
        Table { header, rows }
    }

    pub fn column(&self, name: &str) -> Vec<&str> {
        let at = self
            .header
            .iter()
            .position(|column| column == name)
            .unwrap_or_else(|| panic!("no column `{name}` among {:?}", self.header));
        self.rows.iter().map(|row| row[at].as_str()).collect()
    }

    /// An exact sum; an empty field is nothing.
    pub fn sum(&self, name: &str) -> Amount {
        self.column(name).into_iter().map(exact).sum()
    }

    /// Σ of one column over the rows where another has a value.
    pub fn sum_where(&self, name: &str, column: &str, value: &str) -> Amount {
        self.sum_where_all(name, &[(column, value)])
    }

    /// Σ of one column over the rows where each of others has its value.
    pub fn sum_where_all(&self, name: &str, wanted: &[(&str, &str)]) -> Amount {
        let columns: Vec<_> = wanted.iter().map(|(column, value)| (self.column(column), value)).collect();
        let amounts = self.column(name).into_iter().enumerate();
        let is_wanted = |row: usize| columns.iter().all(|(column, value)| column[row] == **value);
        amounts.filter(|(row, _)| is_wanted(*row)).map(|(_, amount)| exact(amount)).sum()
    }
}

/// A plain decimal; no text is nothing.
pub fn exact(text: &str) -> Amount {
    if text.is_empty() {
        return Amount::ZERO;
    }
    Amount::parse_total(text).unwrap_or_else(|| panic!("`{text}` is not a plain decimal"))
}

/// A field that holds text.
pub fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value[field].as_str().unwrap_or_else(|| panic!("no text `{field}` in {value}"))
}

pub fn texts(list: &Value) -> Vec<String> {
    entries(list)
        .iter()
        .map(|text| text.as_str().unwrap_or_else(|| panic!("no text in {list}")).to_owned())
        .collect()
}

/// A field that holds an amount. In JSON amounts are text, so that no reader makes a float of them.
pub fn amount(value: &Value, field: &str) -> Amount {
    exact(text(value, field))
}

/// A posted figure: whole minor units in a model, a decimal where it is printed.
pub fn posted(value: &Value, field: &str) -> Amount {
    match value[field].as_i64() {
        Some(minor) => Amount::from_minor(money::Minor::new(minor), 2),
        None => amount(value, field),
    }
}

pub fn entries(list: &Value) -> Vec<Value> {
    list.as_array().unwrap_or_else(|| panic!("not a list: {list}")).clone()
}

/// Whether a field says something: not absent, null, false, zero or empty.
pub fn is_said(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(is) => *is,
        Value::Number(number) => number.as_u64() != Some(0),
        Value::String(text) => !text.is_empty(),
        Value::Array(list) => !list.is_empty(),
        Value::Object(fields) => !fields.is_empty(),
    }
}
