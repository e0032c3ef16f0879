//! The attribution table laid over what the tags gave: once for each combination of tags and rules.

use std::collections::HashMap;

use crate::Period;
use crate::attribution_table::{AttributionTable, Fitting, RuleKey};
use crate::charge::TextColumn;
use crate::intake::Intake;
use crate::intake::tags::{Meaning, Tagged};
use crate::intake::text;
use crate::intake::times::Times;

/// The charges of a block under the table.
pub(super) struct Owners {
    pub codes: Vec<u32>,
    pub meanings: Vec<Meaning>,
    has_table: bool,
}

/// What decides whose a charge is.
#[derive(Clone, Default, PartialEq, Eq, Hash)]
struct Owner {
    /// The finalized period whose table it is.
    then: Option<Period>,
    /// Of its tags.
    code: u32,
    rules: Vec<usize>,
    /// Which addresses of people are current.
    era: usize,
}

/// For each row, which of the lists of rules fits it; the first list is empty.
struct Fits {
    rows: Vec<u32>,
    lists: Vec<Fitting>,
}

impl Owners {
    pub fn new(has_table: bool, rows: usize) -> Owners {
        Owners { codes: Vec::with_capacity(rows), meanings: Vec::new(), has_table }
    }

    /// `columns` are those of the file. `None` where no rule fits.
    pub fn of(
        intake: &Intake,
        tagged: &Tagged<'_>,
        columns: &[(String, TextColumn)],
        times: &Times,
    ) -> Option<Owners> {
        let fits = |table| Fits::all(table, tagged, columns);
        let now = (&intake.table, fits(&intake.table));
        let then: HashMap<Period, (&AttributionTable, Vec<Fits>)> = intake
            .finalized_tables
            .iter()
            .filter(|(period, _)| times.periods.contains(period))
            .map(|(&period, table)| (period, (table, fits(table))))
            .collect();
        let people = intake.table.has_people() || then.values().any(|(table, _)| table.has_people());
        if !people && now.1.is_empty() && then.values().all(|(_, fits)| fits.is_empty()) {
            return None;
        }
        let mut known: HashMap<Owner, u32, foldhash::fast::RandomState> = HashMap::default();
        let mut owners = Owners::new(tagged.has_table, times.periods.len());
        let mut owner = Owner::default();
        for (row, (&code, &start)) in tagged.codes.iter().zip(&times.columns[2]).enumerate() {
            let period = times.periods[row];
            let ((table, fits), then) = match then.get(&period) {
                Some(then) => (then, Some(period)),
                None => (&now, None),
            };
            (owner.then, owner.code, owner.era) = (then, code, table.era(start));
            owner.rules.clear();
            owner.rules.extend(fits.iter().filter_map(|fits| table.in_force(fits.list(row), start)));
            let own = known.get(&owner).copied().unwrap_or_else(|| {
                let own = text::key(owners.meanings.len());
                owners.meanings.push(tagged.meaning(code).owned_by(intake, table, &owner.rules, start));
                known.insert(owner.clone(), own);
                own
            });
            owners.codes.push(own);
        }
        Some(owners)
    }

    pub fn tagged(&self) -> Tagged<'_> {
        Tagged::new(self.codes.clone(), self.meanings.iter().collect(), self.has_table)
    }
}

impl Fits {
    /// Of the keys of which a rule fits a row.
    fn all(table: &AttributionTable, tagged: &Tagged<'_>, columns: &[(String, TextColumn)]) -> Vec<Fits> {
        let fits = (0..table.keys().len()).filter_map(|key| Fits::of(table, key, tagged, columns));
        fits.filter(|fits| 1 < fits.lists.len()).collect()
    }

    fn of(
        table: &AttributionTable,
        key: usize,
        tagged: &Tagged<'_>,
        columns: &[(String, TextColumn)],
    ) -> Option<Fits> {
        let mut fits = Fits { rows: Vec::new(), lists: vec![Box::default()] };
        match table.keys().nth(key)? {
            RuleKey::Column(name) => {
                let (_, column) = columns.iter().find(|(known, _)| known == name)?;
                fits.column(table, key, column);
            }
            RuleKey::Field(field) => {
                fits.codes(table, key, tagged, |meaning| meaning.field(*field).map(str::to_owned));
            }
            RuleKey::Tag(name) => fits.codes(table, key, tagged, |meaning| meaning.tag(name)),
        }
        Some(fits)
    }

    fn column(&mut self, table: &AttributionTable, key: usize, column: &TextColumn) {
        match column {
            TextColumn::Coded { keys, values } => {
                let by_key: Vec<u32> =
                    values.iter().map(|value| self.add(table.fitting(key, value))).collect();
                self.rows =
                    keys.iter().map(|&at| by_key.get(at as usize).copied().unwrap_or_default()).collect();
            }
            TextColumn::Plain { ends, .. } => {
                let fitting = |row| column.get(row).map_or(0, |value| self.add(table.fitting(key, value)));
                self.rows = (0..ends.len()).map(fitting).collect();
            }
        }
    }

    fn codes(
        &mut self,
        table: &AttributionTable,
        key: usize,
        tagged: &Tagged<'_>,
        value: impl Fn(&Meaning) -> Option<String>,
    ) {
        let fitting =
            |meaning: &&Meaning| value(meaning).map_or(0, |value| self.add(table.fitting(key, &value)));
        let by_code: Vec<u32> = tagged.meanings().iter().map(fitting).collect();
        self.rows = tagged.codes.iter().map(|&code| by_code[code as usize]).collect();
    }

    fn add(&mut self, list: Fitting) -> u32 {
        let at = self.lists.iter().position(|known| *known == list);
        text::key(at.unwrap_or_else(|| {
            self.lists.push(list);
            self.lists.len() - 1
        }))
    }

    fn list(&self, row: usize) -> &[usize] {
        &self.lists[self.rows[row] as usize]
    }
}
