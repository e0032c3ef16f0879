//! The options of a source, read so that everything wrong with them is said at once.

use std::fmt;

use money::Amount;
use serde_json::{Map, Value};

/// An option that cannot be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadOption {
    /// Below the options of the connector: `partitions.gpu.multiplier`.
    pub path: String,
    /// As written; empty where it is missing.
    pub value: String,
    /// Follows the value, and says what is possible.
    pub message: String,
}

impl fmt::Display for BadOption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.path)?;
        if !self.value.is_empty() {
            write!(f, " `{}`", self.value)?;
        }
        write!(f, " {}", self.message)
    }
}

impl std::error::Error for BadOption {}

/// One level of options. What is asked for is known; `finish` refuses the rest.
pub(crate) struct Options<'a> {
    map: &'a Map<String, Value>,
    path: String,
    asked: Vec<&'static str>,
    bad: &'a mut Vec<BadOption>,
}

impl<'a> Options<'a> {
    pub(crate) fn new(map: &'a Map<String, Value>, bad: &'a mut Vec<BadOption>) -> Options<'a> {
        Options { map, path: String::new(), asked: Vec::new(), bad }
    }

    fn get(&mut self, name: &'static str) -> Option<&'a Value> {
        self.asked.push(name);
        self.map.get(name).filter(|value| !value.is_null())
    }

    fn path_of(&self, name: &str) -> String {
        if self.path.is_empty() { name.to_owned() } else { format!("{}.{name}", self.path) }
    }

    pub(crate) fn refuse(&mut self, name: &str, value: &Value, message: impl Into<String>) {
        let path = self.path_of(name);
        self.bad.push(BadOption { path, value: shown(value), message: message.into() });
    }

    pub(crate) fn missing(&mut self, name: &str, message: impl Into<String>) {
        let path = self.path_of(name);
        self.bad.push(BadOption { path, value: String::new(), message: message.into() });
    }

    /// A text or a number, as text.
    pub(crate) fn text(&mut self, name: &'static str) -> Option<String> {
        let value = self.get(name)?;
        match plain(value) {
            Some(text) if !text.trim().is_empty() => Some(text.trim().to_owned()),
            _ => {
                self.refuse(name, value, "is no text");
                None
            }
        }
    }

    /// What a text means, with its own words for what it cannot mean.
    pub(crate) fn parsed<T>(
        &mut self,
        name: &'static str,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> Option<T> {
        let value = self.get(name)?;
        let parsed = plain(value).ok_or_else(|| "is no text".to_owned()).and_then(|text| parse(text.trim()));
        parsed.map_err(|message| self.refuse(name, value, message)).ok()
    }

    pub(crate) fn amount(&mut self, name: &'static str) -> Option<Amount> {
        self.parsed(name, |text| {
            let amount = text.parse::<Amount>().map_err(|error| error.to_string())?;
            if amount.is_negative() { Err("is below zero".to_owned()) } else { Ok(amount) }
        })
    }

    pub(crate) fn whole(&mut self, name: &'static str, at_most: u64) -> Option<u64> {
        self.parsed(name, |text| {
            let number = text.parse().ok().filter(|number| *number <= at_most);
            number.ok_or_else(|| format!("is no whole number from 0 to {at_most}"))
        })
    }

    /// A list of texts; one text alone is a list of one.
    pub(crate) fn list(&mut self, name: &'static str) -> Option<Vec<String>> {
        let value = self.get(name)?;
        let texts = match value {
            Value::Array(values) => values.iter().map(plain).collect::<Option<Vec<String>>>(),
            one => plain(one).map(|one| vec![one]),
        };
        if texts.is_none() {
            self.refuse(name, value, "is no list of texts");
        }
        texts
    }

    /// Names and what they stand for.
    pub(crate) fn entries(&mut self, name: &'static str) -> Vec<(&'a str, &'a Value)> {
        match self.get(name) {
            None => Vec::new(),
            Some(Value::Object(map)) => map.iter().map(|(key, value)| (key.as_str(), value)).collect(),
            Some(value) => {
                self.refuse(name, value, "is no list of names with their values, one a line");
                Vec::new()
            }
        }
    }

    /// The options below `name`, or those of one entry of it.
    pub(crate) fn below<T>(
        &mut self,
        name: &str,
        value: &Value,
        read: impl FnOnce(&mut Options<'_>) -> T,
    ) -> Option<T> {
        let Value::Object(map) = value else {
            self.refuse(name, value, "has no options below it");
            return None;
        };
        let path = self.path_of(name);
        let mut below = Options { map, path, asked: Vec::new(), bad: self.bad };
        let read = read(&mut below);
        below.finish();
        Some(read)
    }

    pub(crate) fn value(&mut self, name: &'static str) -> Option<&'a Value> {
        self.get(name)
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.map.contains_key(name)
    }

    pub(crate) fn finish(self) {
        for (name, value) in self.map {
            if !self.asked.contains(&name.as_str()) {
                let path = self.path_of(name);
                let message = format!("is no option; there are {}", listed(&self.asked));
                self.bad.push(BadOption { path, value: shown(value), message });
            }
        }
    }
}

/// `a, b and c`, in backticks.
pub(crate) fn listed(names: &[&str]) -> String {
    let quoted: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    match quoted.as_slice() {
        [] => String::new(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

/// Numbers come as the configuration spells them: `0.1` is its shortest text, not the nearest binary one.
pub(crate) fn plain(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(bool) => Some(bool.to_string()),
        _ => None,
    }
}

fn shown(value: &Value) -> String {
    crate::error::shorten(plain(value).unwrap_or_else(|| value.to_string()).as_bytes())
}
