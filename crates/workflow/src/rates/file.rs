//! The rate book as a CSV file, out and in. What was written out reads in as nothing new.

use std::path::Path;
use std::str::FromStr;

use billing::SourceName;
use billing::attribution::field_text;
use billing::rate::{Above, Rate, RateId};
use billing::unit::Prorate;
use jiff::civil::Date;
use money::Amount;

use crate::{Refusal, WorkflowError};

const COLUMNS: [&str; 16] = [
    "code",
    "source",
    "service",
    "sku",
    "class",
    "unit",
    "price",
    "list_price",
    "above",
    "free",
    "minimum",
    "prorate",
    "account_code",
    "from",
    "to",
    "note",
];
const NEEDED: [&str; 4] = ["code", "unit", "price", "from"];

/// The rates as CSV, in the order given.
///
/// # Errors
/// None that a writer into memory can have.
pub fn write(rates: &[Rate]) -> Result<String, WorkflowError> {
    let internal = |error: &dyn std::error::Error| WorkflowError::Internal(error.to_string());
    let mut csv = csv::Writer::from_writer(Vec::new());
    csv.write_record(COLUMNS).map_err(|error| internal(&error))?;
    for rate in rates {
        let amount = |amount: Option<Amount>| amount.map(|amount| amount.to_string()).unwrap_or_default();
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        let row: [String; COLUMNS.len()] = [
            rate.code.clone(),
            rate.source.as_ref().map(|source| source.0.clone()).unwrap_or_default(),
            text(&rate.service),
            text(&rate.sku),
            text(&rate.class),
            rate.unit.to_string(),
            rate.price.to_string(),
            amount(rate.list_price),
            tiers(&rate.above),
            amount(rate.free),
            amount(rate.minimum),
            rate.prorate.map(|prorate| prorate.to_string()).unwrap_or_default(),
            text(&rate.account_code),
            rate.from.to_string(),
            rate.to.map(|to| to.to_string()).unwrap_or_default(),
            text(&rate.note),
        ];
        csv.write_record(row).map_err(|error| internal(&error))?;
    }
    let bytes = csv.into_inner().map_err(|error| internal(&error))?;
    String::from_utf8(bytes).map_err(|error| internal(&error))
}

/// `1000:0.010 5000:0.008`.
#[must_use]
pub fn tiers(above: &[Above]) -> String {
    let tiers: Vec<String> = above.iter().map(|tier| format!("{}:{}", tier.quantity, tier.price)).collect();
    tiers.join(" ")
}

/// A tier as a person writes it, `1000:0.010`.
///
/// # Errors
/// A text that is none.
pub fn tier(text: &str) -> Result<Above, String> {
    let bad = || format!("`{text}` is not a tier; write QUANTITY:PRICE, such as 1000:0.010");
    let (quantity, price) = text.trim().split_once(':').ok_or_else(bad)?;
    let amount = |text: &str| Amount::parse_total(text.trim()).ok_or_else(bad);
    Ok(Above { quantity: amount(quantity)?, price: amount(price)? })
}

/// The rates of a CSV file; their ids are not given yet.
///
/// # Errors
/// Everything that cannot be read, with its line.
pub fn read(path: &Path) -> Result<Vec<Rate>, WorkflowError> {
    let name = path.display().to_string();
    let bytes = std::fs::read(path)
        .map_err(|error| Refusal::new(format!("cannot read rates from `{name}`: {error}")))?;
    read_bytes(&name, &bytes)
}

/// As [`read`], of the file's content; `name` is what it is called in refusals.
///
/// # Errors
/// Everything that cannot be read, with its line.
pub fn read_bytes(name: &str, bytes: &[u8]) -> Result<Vec<Rate>, WorkflowError> {
    let unreadable =
        |error: &dyn std::fmt::Display| Refusal::new(format!("cannot read rates from `{name}`: {error}"));
    let mut csv = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(bytes);
    let header: Vec<String> =
        csv.headers().map_err(|error| unreadable(&error))?.iter().map(str::to_lowercase).collect();
    let place = |name: &str| header.iter().position(|known| known == name);
    let unknown = header.iter().filter(|name| !COLUMNS.contains(&name.as_str()));
    let mut wrong: Vec<String> =
        unknown.map(|name| format!("line 1: `{name}` is no column of the rate book")).collect();
    let missing = NEEDED.into_iter().filter(|name| place(name).is_none());
    wrong.extend(missing.map(|name| format!("line 1: there is no column `{name}`")));
    if !wrong.is_empty() {
        return Err(unreadable(&"its header is not that of a rate book")
            .details(wrong)
            .hint(format!("columns are {}", COLUMNS.join(", ")))
            .into());
    }
    let mut rates = Vec::new();
    for record in csv.records() {
        let record = record.map_err(|error| unreadable(&error))?;
        let line = record.position().map_or(0, csv::Position::line);
        let cell = |name: &str| place(name).and_then(|at| record.get(at)).and_then(field_text);
        match rate(cell) {
            Ok(rate) => rates.push(rate),
            Err(problems) => wrong.extend(problems.into_iter().map(|what| format!("line {line}: {what}"))),
        }
    }
    if wrong.is_empty() {
        return Ok(rates);
    }
    Err(unreadable(&"not every cell can be read").details(wrong).into())
}

/// Cells by name; what cannot be read is noted.
struct Row<'a, F: Fn(&str) -> Option<&'a str>> {
    cell: F,
    wrong: Vec<String>,
}

impl<'a, F: Fn(&str) -> Option<&'a str>> Row<'a, F> {
    fn read<T, E: ToString>(&mut self, name: &str, parse: impl Fn(&str) -> Result<T, E>) -> Option<T> {
        let text = (self.cell)(name)?;
        parse(text).map_err(|error| self.wrong.push(format!("{name}: {}", error.to_string()))).ok()
    }

    fn needed<T, E: ToString>(&mut self, name: &str, parse: impl Fn(&str) -> Result<T, E>) -> Option<T> {
        if (self.cell)(name).is_none() {
            self.wrong.push(format!("{name} is missing"));
        }
        self.read(name, parse)
    }

    fn amount(&mut self, name: &str) -> Option<Amount> {
        self.read(name, amount)
    }

    fn text(&self, name: &str) -> Option<String> {
        (self.cell)(name).map(str::to_owned)
    }
}

fn amount(text: &str) -> Result<Amount, String> {
    Amount::parse_total(text).ok_or_else(|| format!("`{text}` is not a number; write 1234.50"))
}

fn date(text: &str) -> Result<Date, String> {
    Date::from_str(text).map_err(|_| format!("`{text}` is not a date; write 2025-01-31"))
}

fn rate<'a>(cell: impl Fn(&str) -> Option<&'a str>) -> Result<Rate, Vec<String>> {
    let mut row = Row { cell, wrong: Vec::new() };
    let code = row.needed("code", |text| Ok::<_, String>(text.to_owned()));
    let unit = row.needed("unit", str::parse);
    let price = row.needed("price", amount);
    let from = row.needed("from", date);
    let above = row.read("above", |text| text.split_whitespace().map(tier).collect::<Result<Vec<_>, _>>());
    let (list_price, free, minimum) = (row.amount("list_price"), row.amount("free"), row.amount("minimum"));
    let prorate = row.read("prorate", Prorate::from_str);
    let to = row.read("to", date);
    let (Some(code), Some(unit), Some(price), Some(from), []) =
        (code, unit, price, from, row.wrong.as_slice())
    else {
        return Err(row.wrong);
    };
    Ok(Rate {
        id: RateId(0),
        code,
        source: row.text("source").map(SourceName),
        service: row.text("service"),
        sku: row.text("sku"),
        class: row.text("class"),
        unit,
        price,
        list_price,
        above: above.unwrap_or_default(),
        free,
        minimum,
        prorate,
        account_code: row.text("account_code"),
        from,
        to,
        note: row.text("note"),
    })
}
