//! Text columns: coded where values repeat, plain where nearly every row differs.

use std::hash::BuildHasher;

use focus::FocusColumn;
use hashbrown::{HashMap, HashTable};

use crate::charge::TextColumn;
use crate::intake::chunk::{Column, same};
use crate::intake::notes::{Note, NoteCounts};

const NULL: u32 = TextColumn::NULL_KEY;
/// So many rows are looked at before a column is taken for plain.
const TRIED: usize = 1000;

/// A position as a key. A block is smaller than 4 GB, hence so is every position in it.
pub(super) fn key(position: usize) -> u32 {
    u32::try_from(position).unwrap_or(NULL)
}

/// Whether so many distinct values in so many rows are better kept plain.
pub(super) fn is_plain(distinct: usize, rows: usize) -> bool {
    rows >= TRIED && distinct > rows / 2
}

/// A value of its own.
pub(super) fn owned(text: &[u8]) -> Box<str> {
    match std::str::from_utf8(text) {
        Ok(text) => text.into(),
        Err(_) => String::from_utf8_lossy(text).into(),
    }
}

/// A column being coded, chunk by chunk. A worker keeps one for each column, for the table's memory.
#[derive(Default)]
pub(super) struct Coder {
    table: HashTable<u32>,
    hasher: foldhash::fast::RandomState,
    keys: Vec<u32>,
    values: Vec<Box<str>>,
    always_coded: bool,
    /// Ends and bytes, once the column was found to be plain.
    plain: Option<(Vec<u32>, Vec<u8>)>,
}

impl Coder {
    /// Before a block of about so many rows.
    pub fn begin(&mut self, rows: usize, always_coded: bool) {
        self.table.clear();
        self.values.clear();
        self.plain = None;
        self.keys = Vec::with_capacity(rows);
        self.always_coded = always_coded;
    }

    /// Add the rows of a chunk. The column turns plain when more than half of its first rows differ.
    pub fn read(&mut self, texts: &Column<'_>) {
        let mut last: (&[u8], u32) = (&[], NULL);
        for text in texts.iter() {
            if let Some((ends, bytes)) = &mut self.plain {
                bytes.extend_from_slice(text);
                ends.push(key(bytes.len()));
                continue;
            }
            if !same(text, last.0) {
                last = (text, if text.is_empty() { NULL } else { self.key(text) });
            }
            self.keys.push(last.1);
            let is_tried = self.keys.len() == TRIED && !self.always_coded;
            if is_tried && is_plain(self.values.len(), TRIED) {
                self.turn_plain();
            }
        }
    }

    fn key(&mut self, text: &[u8]) -> u32 {
        let hash = self.hasher.hash_one(text);
        let values = &self.values;
        if let Some(&known) = self.table.find(hash, |&key| same(values[key as usize].as_bytes(), text)) {
            return known;
        }
        let new = key(values.len());
        let hasher = &self.hasher;
        self.table.insert_unique(hash, new, |&key| hasher.hash_one(values[key as usize].as_bytes()));
        self.values.push(owned(text));
        new
    }

    fn turn_plain(&mut self) {
        let texts =
            self.keys.iter().map(|&key| self.values.get(key as usize).map_or(&[][..], |v| v.as_bytes()));
        let (mut ends, mut bytes) = ends_and_bytes(texts);
        ends.reserve(self.keys.capacity().saturating_sub(ends.len()));
        bytes.reserve(bytes.len() * (self.keys.capacity() / TRIED));
        self.plain = Some((ends, bytes));
    }

    /// After the last chunk.
    pub fn finish(&mut self) -> TextColumn {
        match self.plain.take() {
            Some((ends, bytes)) => TextColumn::Plain { ends, bytes },
            None => TextColumn::Coded {
                keys: std::mem::take(&mut self.keys),
                values: std::mem::take(&mut self.values),
            },
        }
    }
}

fn ends_and_bytes<'a>(texts: impl Iterator<Item = &'a [u8]>) -> (Vec<u32>, Vec<u8>) {
    let mut bytes = Vec::new();
    let ends = texts.map(|text| {
        bytes.extend_from_slice(text);
        key(bytes.len())
    });
    let ends = ends.collect();
    (ends, bytes)
}

pub(super) fn plain<'a>(texts: impl Iterator<Item = &'a [u8]>) -> TextColumn {
    let (ends, bytes) = ends_and_bytes(texts);
    TextColumn::Plain { ends, bytes }
}

/// Values in the order in which they came, each once.
#[derive(Default)]
pub(super) struct Dictionary<'a> {
    keys: HashMap<&'a str, u32, foldhash::fast::RandomState>,
    values: Vec<Box<str>>,
}

impl<'a> Dictionary<'a> {
    pub fn key(&mut self, value: Option<&'a str>) -> u32 {
        let Some(value) = value else { return NULL };
        *self.keys.entry(value).or_insert_with(|| {
            self.values.push(value.into());
            key(self.values.len() - 1)
        })
    }

    pub fn into_values(self) -> Vec<Box<str>> {
        self.values
    }
}

/// Give the values of an enum column the spelling of FOCUS; what FOCUS does not name stays.
pub(super) fn spell(
    column: TextColumn,
    focus: FocusColumn,
    delivered: &str,
    notes: &mut NoteCounts,
) -> TextColumn {
    let TextColumn::Coded { keys, values } = &column else { return column };
    let spelled: Vec<Option<&'static str>> =
        values.iter().map(|value| focus::canonical(focus, value)).collect();
    let is_wrong = |key: usize| spelled[key].is_some_and(|spelled| spelled != &*values[key]);
    if !(0..values.len()).any(is_wrong) {
        return column;
    }
    let wrong = keys.iter().filter(|&&key| key != NULL && is_wrong(key as usize)).count();
    notes.add(Note::WrongCase(delivered.to_owned()), wrong as u64);
    let mut dictionary = Dictionary::default();
    let renamed: Vec<u32> = spelled
        .iter()
        .zip(values)
        .map(|(&spelled, value)| dictionary.key(Some(spelled.unwrap_or(value))))
        .collect();
    let keys = keys.iter().map(|&key| renamed.get(key as usize).copied().unwrap_or(NULL)).collect();
    TextColumn::Coded { keys, values: dictionary.into_values() }
}
