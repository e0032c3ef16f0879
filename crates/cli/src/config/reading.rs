//! Reading keys out of the YAML tree. Everything that is wrong is noted with its place and a default is
//! used in its stead, so that one reading finds all problems. What is asked for is what is known: a key
//! that nobody asked for is an unknown key.

use std::fmt;

use serde::Serialize;
use serde_json::{Map as JsonMap, Value as Json};

use super::env_text::{EnvText, Environment, expand};
use super::yaml::{Entry, Node, Value};

/// Shown in place of a secret.
pub(super) const HIDDEN: &str = "********";

/// A line of the configuration file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Place {
    /// The file as the user would name it.
    pub file: String,
    /// From 1.
    pub line: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}

/// Something about the configuration that its owner should know.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    #[serde(flatten)]
    pub place: Place,
    /// `smtp.port`; empty when it is about the file.
    pub key: String,
    pub message: String,
    /// A problem stops every command; a note is only told by `config check`.
    #[serde(skip)]
    pub is_problem: bool,
}

/// `config.yaml:9: smtp.port: ``abc`` is not a port number`
impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.place)?;
        if !self.key.is_empty() {
            write!(f, "{}: ", self.key)?;
        }
        f.write_str(&self.message)
    }
}

/// A whole reading: the file's name, where variables come from, what was found.
pub(super) struct Reading<'e> {
    pub file: String,
    pub environment: &'e Environment<'e>,
    pub findings: Vec<Finding>,
}

impl Reading<'_> {
    pub(super) fn find(&mut self, line: usize, key: &str, message: String, is_problem: bool) {
        let place = Place { file: self.file.clone(), line };
        self.findings.push(Finding { place, key: key.to_owned(), message, is_problem });
    }
}

/// The keys of one mapping, `smtp:` for example. The root has an empty path.
pub(super) struct Section<'r, 'e> {
    pub reading: &'r mut Reading<'e>,
    path: String,
    /// The line of the mapping's own key; 1 for the root.
    pub line: usize,
    entries: &'r [Entry],
    known: Vec<String>,
    effective: JsonMap<String, Json>,
}

/// What a check says of a text: fine, or what is wrong.
pub(super) type Checked = Result<(), String>;

#[expect(clippy::unnecessary_wraps, reason = "one of the checks, the one that takes everything")]
pub(super) fn any_text(_: &str) -> Checked {
    Ok(())
}

impl<'r, 'e> Section<'r, 'e> {
    pub(super) fn root(reading: &'r mut Reading<'e>, entries: &'r [Entry]) -> Section<'r, 'e> {
        Section::new(reading, String::new(), 1, entries)
    }

    fn new(reading: &'r mut Reading<'e>, path: String, line: usize, entries: &'r [Entry]) -> Self {
        let mut section =
            Section { reading, path, line, entries, known: Vec::new(), effective: JsonMap::new() };
        section.report_duplicates();
        section
    }

    fn report_duplicates(&mut self) {
        for (at, entry) in self.entries.iter().enumerate() {
            if let Some(first) = self.entries[..at].iter().find(|first| first.key == entry.key) {
                let message = format!("written twice (first on line {})", first.line);
                self.problem(entry.line, &entry.key, message);
            }
        }
    }

    /// Report what nobody asked for; returns the effective values.
    pub(super) fn finish(mut self) -> Json {
        for entry in self.entries {
            if !self.known.contains(&entry.key) {
                let message = match nearest(&entry.key, &self.known) {
                    Some(near) => format!("unknown key (did you mean {near}?)"),
                    None => format!("unknown key (known here: {})", self.known.join(", ")),
                };
                self.problem(entry.line, &entry.key, message);
            }
        }
        Json::Object(self.effective)
    }

    pub(super) fn path_of(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }

    pub(super) fn problem(&mut self, line: usize, key: &str, message: String) {
        let key = self.path_of(key);
        self.reading.find(line, &key, message, true);
    }

    pub(super) fn note(&mut self, line: usize, key: &str, message: String) {
        let key = self.path_of(key);
        self.reading.find(line, &key, message, false);
    }

    /// The line a key stands on, if it is given.
    pub(super) fn line_of(&self, key: &str) -> Option<usize> {
        self.entries.iter().find(|entry| entry.key == key).map(|entry| entry.line)
    }

    fn entry(&mut self, key: &str) -> Option<&'r Entry> {
        self.known.push(key.to_owned());
        self.entries.iter().find(|entry| entry.key == key)
    }

    /// An entry that holds something.
    fn given(&mut self, key: &str) -> Option<&'r Entry> {
        self.entry(key).filter(|entry| !entry.value.is_null())
    }

    fn keep(&mut self, key: &str, value: impl Into<Json>) {
        self.effective.insert(key.to_owned(), value.into());
    }

    fn scalar(&mut self, entry: &'r Entry, expected: &str) -> Option<&'r str> {
        if let Value::Scalar { text, .. } = &entry.value.value {
            Some(text)
        } else {
            let message = format!("expected {expected}, found {}", kind(&entry.value));
            self.problem(entry.line, &entry.key, message);
            None
        }
    }

    /// A text of which the variables are filled in.
    fn expanded(&mut self, line: usize, key: &str, text: &str) -> Option<String> {
        match expand(text, self.reading.environment) {
            Ok(text) => Some(text),
            Err(variable) => {
                self.problem(line, key, format!("the environment variable `{variable}` is not set"));
                None
            }
        }
    }

    fn typed<T>(&mut self, key: &str, expected: &str, parse: impl Fn(&str) -> Option<T>) -> Option<T> {
        let entry = self.given(key)?;
        let text = self.scalar(entry, expected)?;
        let text = self.expanded(entry.line, key, text)?;
        let value = parse(&text);
        if value.is_none() {
            self.problem(entry.line, key, format!("`{text}` is not {expected}"));
        }
        value
    }

    /// Text; a text that does not pass `check` is a problem.
    pub(super) fn text(&mut self, key: &str, default: &str, check: impl Fn(&str) -> Checked) -> String {
        let read = |section: &mut Self| {
            let entry = section.given(key)?;
            let text = section.scalar(entry, "a text")?;
            let text = section.expanded(entry.line, key, text)?;
            if let Err(reason) = check(&text) {
                section.problem(entry.line, key, reason);
            }
            Some(text)
        };
        let text = read(self).unwrap_or_else(|| default.to_owned());
        self.keep(key, text.as_str());
        text
    }

    /// Text, or nothing when the key is missing or empty.
    pub(super) fn optional(&mut self, key: &str, check: impl Fn(&str) -> Checked) -> Option<String> {
        let check = |text: &str| if text.is_empty() { Ok(()) } else { check(text) };
        Some(self.text(key, "", check)).filter(|text| !text.is_empty())
    }

    /// Text that is resolved where it is used, and shown only as `shown` says.
    pub(super) fn lazy(&mut self, key: &str, shown: impl Fn(&str) -> String) -> EnvText {
        let entry = self.given(key);
        let text = entry.and_then(|entry| self.scalar(entry, "a text")).unwrap_or_default();
        let place = entry.map(|entry| Place { file: self.reading.file.clone(), line: entry.value.line });
        self.keep(key, if text.is_empty() { String::new() } else { shown(text) });
        EnvText::new(text, &self.path_of(key), place)
    }

    pub(super) fn secret(&mut self, key: &str) -> EnvText {
        self.lazy(key, |_| HIDDEN.to_owned())
    }

    /// YAML 1.1 words are taken too: older files were read that way.
    pub(super) fn flag(&mut self, key: &str, default: bool) -> bool {
        let parse = |text: &str| match text.to_ascii_lowercase().as_str() {
            "true" | "yes" | "on" => Some(true),
            "false" | "no" | "off" => Some(false),
            _ => None,
        };
        let value = self.typed(key, "true or false", parse).unwrap_or(default);
        self.keep(key, value);
        value
    }

    pub(super) fn port(&mut self, key: &str, default: u16) -> u16 {
        let parse = |text: &str| text.parse().ok().filter(|&port: &u16| port > 0);
        let value = self.typed(key, "a port number", parse).unwrap_or(default);
        self.keep(key, value);
        value
    }

    pub(super) fn count(&mut self, key: &str, default: u32) -> u32 {
        let parse = |text: &str| text.parse().ok().filter(|&count: &u32| count > 0);
        let value = self.typed(key, "a whole number above zero", parse).unwrap_or(default);
        self.keep(key, value);
        value
    }

    /// Anything that `parse` takes; `shown` is its default as it would be written.
    pub(super) fn parsed<T>(
        &mut self,
        key: &str,
        expected: &str,
        default: T,
        parse: impl Fn(&str) -> Option<T>,
        shown: impl Fn(&T) -> String,
    ) -> T {
        let value = self.typed(key, expected, parse).unwrap_or(default);
        self.keep(key, shown(&value));
        value
    }

    /// A number of characters, or none: shown as an empty text.
    pub(super) fn limit(&mut self, key: &str) -> Option<u32> {
        let parse = |text: &str| match text {
            "" => Some(None),
            text => text.parse().ok().filter(|&count: &u32| count > 0).map(Some),
        };
        let value = self.typed(key, "a whole number above zero", parse).flatten();
        self.keep(key, value.map_or_else(|| Json::from(""), Json::from));
        value
    }

    /// One of some words, in any case. The first choice is the default.
    pub(super) fn choice<T: Copy>(&mut self, key: &str, choices: &[(&str, T)]) -> T {
        let words: Vec<&str> = choices.iter().map(|(word, _)| *word).collect();
        let expected = format!("one of {}", words.join(", "));
        let parse = |text: &str| choices.iter().position(|(word, _)| word.eq_ignore_ascii_case(text));
        let at = self.typed(key, &expected, parse).unwrap_or(0);
        self.keep(key, choices[at].0);
        choices[at].1
    }

    /// A list of texts, or one text. Written but empty is an empty list.
    pub(super) fn texts(
        &mut self,
        key: &str,
        default: &[String],
        check: impl Fn(&str) -> Checked,
    ) -> Vec<String> {
        let entry = self.entry(key);
        let mut texts = Vec::new();
        match entry.map(|entry| &entry.value) {
            None => texts.extend_from_slice(default),
            Some(node) if node.is_null() => {}
            Some(Node { value: Value::List(items), .. }) => {
                for (at, item) in items.iter().enumerate() {
                    self.list_item(&format!("{key}[{}]", at + 1), item, &mut texts, &check);
                }
            }
            Some(node) => self.list_item(key, node, &mut texts, &check),
        }
        self.keep(key, texts.clone());
        texts
    }

    fn list_item(
        &mut self,
        key: &str,
        item: &Node,
        texts: &mut Vec<String>,
        check: impl Fn(&str) -> Checked,
    ) {
        let Value::Scalar { text, .. } = &item.value else {
            return self.problem(item.line, key, format!("expected a text, found {}", kind(item)));
        };
        let Some(text) = self.expanded(item.line, key, text) else { return };
        if text.is_empty() {
            return;
        }
        if let Err(reason) = check(&text) {
            self.problem(item.line, key, reason);
        }
        texts.push(text);
    }

    /// The keys below a key.
    pub(super) fn section<T>(&mut self, key: &str, read: impl FnOnce(&mut Section<'_, 'e>) -> T) -> T {
        let entry = self.given(key);
        let entries = entry.map_or(&[][..], |entry| self.mapping(key, entry.line, &entry.value));
        let line = entry.map_or(self.line, |entry| entry.line);
        let (value, effective) = self.below(key, line, entries, read);
        self.keep(key, effective);
        value
    }

    /// A list of mappings; `None` when it is not given.
    pub(super) fn sections<T>(
        &mut self,
        key: &str,
        mut read: impl FnMut(&mut Section<'_, 'e>) -> T,
    ) -> Option<Vec<T>> {
        let entry = self.given(key)?;
        let Value::List(items) = &entry.value.value else {
            let message =
                format!("expected a list (lines that begin with `-`), found {}", kind(&entry.value));
            self.problem(entry.line, key, message);
            return None;
        };
        let mut values = Vec::new();
        let mut effective = Vec::new();
        for (at, item) in items.iter().enumerate() {
            let key = format!("{key}[{}]", at + 1);
            let entries = self.mapping(&key, item.line, item);
            let (value, shown) = self.below(&key, item.line, entries, &mut read);
            values.push(value);
            effective.push(shown);
        }
        self.keep(key, effective);
        Some(values)
    }

    /// What is below a key as it was written, for whoever knows what it means: single values are texts.
    pub(super) fn as_written(&mut self, key: &str) -> JsonMap<String, Json> {
        let entry = self.given(key);
        let entries = entry.map_or(&[][..], |entry| self.mapping(key, entry.line, &entry.value));
        let written = self.written(key, entries);
        self.keep(key, written.clone());
        written
    }

    fn written(&mut self, path: &str, entries: &[Entry]) -> JsonMap<String, Json> {
        let mut written = JsonMap::new();
        for entry in entries {
            let path = format!("{path}.{}", entry.key);
            if written.contains_key(&entry.key) {
                self.problem(entry.line, &path, "written twice".to_owned());
            }
            let value = self.written_value(&path, &entry.value);
            written.insert(entry.key.clone(), value);
        }
        written
    }

    fn written_value(&mut self, path: &str, node: &Node) -> Json {
        match &node.value {
            _ if node.is_null() => Json::Null,
            Value::Scalar { text, .. } => self.expanded(node.line, path, text).map_or(Json::Null, Json::from),
            Value::List(items) => items.iter().map(|item| self.written_value(path, item)).collect(),
            Value::Map(entries) => Json::Object(self.written(path, entries)),
        }
    }

    /// The line of what is below a key, `partitions.gpu.multiplier`, or of the nearest above it.
    pub(super) fn line_below(&self, key: &str, path: &str) -> usize {
        let Some(entry) = self.entries.iter().find(|entry| entry.key == key) else { return self.line };
        let (mut line, mut below, mut path) = (entry.line, &entry.value, path);
        while let Value::Map(entries) = &below.value {
            let next = entries.iter().find_map(|entry| {
                let rest = path.strip_prefix(&entry.key)?;
                (rest.is_empty() || rest.starts_with(['.', '['])).then_some((entry, rest))
            });
            let Some((entry, rest)) = next else { break };
            (line, below, path) = (entry.line, &entry.value, rest.trim_start_matches('.'));
        }
        line
    }

    /// Mappings under names of the owner's choice, such as `web.users`.
    pub(super) fn named<T>(
        &mut self,
        key: &str,
        mut read: impl FnMut(&str, &mut Section<'_, 'e>) -> T,
    ) -> Vec<T> {
        let entry = self.given(key);
        let entries = entry.map_or(&[][..], |entry| self.mapping(key, entry.line, &entry.value));
        let line = entry.map_or(self.line, |entry| entry.line);
        let (values, effective) = self.below(key, line, entries, |section| {
            let read_one = |entry: &Entry| section.section(&entry.key, |s| read(&entry.key, s));
            entries.iter().map(read_one).collect()
        });
        self.keep(key, effective);
        values
    }

    fn below<T>(
        &mut self,
        key: &str,
        line: usize,
        entries: &[Entry],
        read: impl FnOnce(&mut Section<'_, 'e>) -> T,
    ) -> (T, Json) {
        let path = self.path_of(key);
        let mut section = Section::new(self.reading, path, line, entries);
        let value = read(&mut section);
        (value, section.finish())
    }

    fn mapping(&mut self, key: &str, line: usize, node: &'r Node) -> &'r [Entry] {
        if let Value::Map(entries) = &node.value {
            entries
        } else {
            self.problem(line, key, format!("expected keys below it, found {}", kind(node)));
            &[]
        }
    }
}

fn kind(node: &Node) -> &'static str {
    match &node.value {
        Value::Scalar { .. } => "a single value",
        Value::List(_) => "a list",
        Value::Map(_) => "keys below it",
    }
}

/// The known word a misspelled one probably stands for: at most a third of its letters differ.
fn nearest<'k>(word: &str, known: &'k [String]) -> Option<&'k str> {
    let distance = |known: &str| strsim::damerau_levenshtein(&word.to_lowercase(), known);
    let near = known.iter().min_by_key(|known| distance(known))?;
    (distance(near) * 3 <= near.len().max(word.len())).then_some(near.as_str())
}
