//! The attribution table as a CSV file, out and in. What was written out reads in as nothing new.

use std::path::Path;

use billing::SourceName;
use billing::attribution::{Attribution, field_text};
use billing::attribution_table::{AttributionRule, RuleId};
use jiff::civil::Date;

use crate::{Refusal, WorkflowError};

const SOURCE: &str = "source";
const KEY: &str = "key";
const VALUE: &str = "value";
const FROM: &str = "from";
const TO: &str = "to";
const NOTE: &str = "note";

fn columns() -> impl Iterator<Item = &'static str> {
    [SOURCE, KEY, VALUE].into_iter().chain(Attribution::FIELDS).chain([FROM, TO, NOTE])
}

/// The rules as CSV, in the order given.
///
/// # Errors
/// None that a writer into memory can have.
pub fn write(rules: &[AttributionRule]) -> Result<String, WorkflowError> {
    let internal = |error: &dyn std::error::Error| WorkflowError::Internal(error.to_string());
    let mut csv = csv::Writer::from_writer(Vec::new());
    csv.write_record(columns()).map_err(|error| internal(&error))?;
    for rule in rules {
        let date = |date: Option<Date>| date.map(|date| date.to_string()).unwrap_or_default();
        let source = rule.source.as_ref().map_or("", |source| source.0.as_str());
        let (key, from, to) = (rule.key.to_string(), date(rule.from), date(rule.to));
        let note = rule.note.as_deref().unwrap_or_default();
        let given = rule.gives.values().map(Option::unwrap_or_default);
        let row = [source, &key, &rule.value].into_iter().chain(given).chain([from.as_str(), &to, note]);
        csv.write_record(row).map_err(|error| internal(&error))?;
    }
    let bytes = csv.into_inner().map_err(|error| internal(&error))?;
    String::from_utf8(bytes).map_err(|error| internal(&error))
}

/// The rules of a CSV file; their ids are not given yet.
///
/// # Errors
/// Everything that cannot be read, with its line.
pub fn read(path: &Path) -> Result<Vec<AttributionRule>, WorkflowError> {
    let name = path.display().to_string();
    let bytes = std::fs::read(path)
        .map_err(|error| Refusal::new(format!("cannot read rules from `{name}`: {error}")))?;
    read_bytes(&name, &bytes)
}

/// As [`read`], of the file's content; `name` is what it is called in refusals.
///
/// # Errors
/// Everything that cannot be read, with its line.
pub fn read_bytes(name: &str, bytes: &[u8]) -> Result<Vec<AttributionRule>, WorkflowError> {
    let unreadable =
        |error: &dyn std::fmt::Display| Refusal::new(format!("cannot read rules from `{name}`: {error}"));
    let mut csv = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(bytes);
    let header: Vec<String> =
        csv.headers().map_err(|error| unreadable(&error))?.iter().map(str::to_lowercase).collect();
    let place = |name: &str| header.iter().position(|known| known == name);
    let mut wrong: Vec<String> = header
        .iter()
        .filter(|name| !columns().any(|known| known == *name))
        .map(|name| format!("line 1: `{name}` is no column of the table"))
        .collect();
    wrong.extend(
        [KEY, VALUE]
            .into_iter()
            .filter(|name| place(name).is_none())
            .map(|name| format!("line 1: there is no column `{name}`")),
    );
    if !wrong.is_empty() {
        let known: Vec<&str> = columns().collect();
        return Err(unreadable(&"its header is not that of an attribution table")
            .details(wrong)
            .hint(format!("columns are {}", known.join(", ")))
            .into());
    }
    let mut rules = Vec::new();
    for record in csv.records() {
        let record = record.map_err(|error| unreadable(&error))?;
        let line = record.position().map_or(0, csv::Position::line);
        let cell = |name: &str| place(name).and_then(|at| record.get(at)).and_then(field_text);
        match rule(cell) {
            Ok(rule) => rules.push(rule),
            Err(problems) => wrong.extend(problems.into_iter().map(|what| format!("line {line}: {what}"))),
        }
    }
    if wrong.is_empty() {
        return Ok(rules);
    }
    Err(unreadable(&"not every cell can be read").details(wrong).into())
}

fn rule<'a>(cell: impl Fn(&str) -> Option<&'a str>) -> Result<AttributionRule, Vec<String>> {
    let mut wrong = Vec::new();
    let key = match cell(KEY).unwrap_or_default().parse() {
        Ok(key) => Some(key),
        Err(error) => {
            wrong.push(format!("key: {error}"));
            None
        }
    };
    let mut date = |name: &str| {
        let text = cell(name)?;
        let date = text.parse::<Date>();
        if date.is_err() {
            wrong.push(format!("{name}: `{text}` is not a date; write 2025-01-31"));
        }
        date.ok()
    };
    let (from, to) = (date(FROM), date(TO));
    let gives = Attribution::FIELDS.map(|name| cell(name).map(str::to_owned));
    let rule = key.filter(|_| wrong.is_empty()).map(|key| AttributionRule {
        id: RuleId(0),
        source: cell(SOURCE).map(|name| SourceName(name.to_owned())),
        key,
        value: cell(VALUE).unwrap_or_default().to_owned(),
        gives: Attribution::from_values(gives),
        from,
        to,
        note: cell(NOTE).map(str::to_owned),
    });
    rule.ok_or(wrong)
}
