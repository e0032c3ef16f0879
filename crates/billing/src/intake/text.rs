//! Text columns: coded where values repeat, plain where nearly every row differs.

use std::hash::BuildHasher;

use focus::FocusColumn;
use hashbrown::{HashMap, HashTable};

use crate::charge::TextColumn;
use crate::intake::block::Column;
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

/// What a worker keeps to code columns without allocating for each.
#[derive(Default)]
pub(super) struct Coder {
    table: HashTable<u32>,
    hasher: foldhash::fast::RandomState,
}

impl Coder {
    /// Code the column; plain when more than half of its first rows differ, unless `always_coded`.
    pub fn column(&mut self, texts: &Column<'_>, rows: usize, always_coded: bool) -> TextColumn {
        self.table.clear();
        // The row where each value stands first.
        let mut firsts: Vec<u32> = Vec::new();
        let mut keys: Vec<u32> = Vec::with_capacity(rows);
        let mut last: (&[u8], u32) = (&[], NULL);
        for (row, text) in texts.iter().enumerate() {
            if text != last.0 {
                last = (text, if text.is_empty() { NULL } else { self.find(texts, text, row, &mut firsts) });
            }
            keys.push(last.1);
            if row == TRIED && !always_coded && is_plain(firsts.len(), row) {
                return plain(texts);
            }
        }
        let values = firsts.iter().map(|&row| String::from_utf8_lossy(texts.get(row as usize)).into());
        TextColumn::Coded { keys, values: values.collect() }
    }

    fn find(&mut self, texts: &Column<'_>, text: &[u8], row: usize, firsts: &mut Vec<u32>) -> u32 {
        let hash = self.hasher.hash_one(text);
        let value = |key: u32| texts.get(firsts[key as usize] as usize);
        if let Some(&known) = self.table.find(hash, |&key| value(key) == text) {
            return known;
        }
        let new = key(firsts.len());
        let hasher = &self.hasher;
        self.table.insert_unique(hash, new, |&key| hasher.hash_one(value(key)));
        firsts.push(key(row));
        new
    }
}

pub(super) fn plain(texts: &Column<'_>) -> TextColumn {
    let mut bytes = Vec::with_capacity(texts.size_bytes());
    let ends = texts.iter().map(|text| {
        bytes.extend_from_slice(text);
        key(bytes.len())
    });
    let ends = ends.collect();
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
