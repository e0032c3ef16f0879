//! What the books must say, kept as sums: by source and period what is live, and what corrections came to.

use std::collections::{BTreeMap, BTreeSet};

use money::Amount;

pub type SourcePeriod = (&'static str, String);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    Open,
    Closed,
    Finalized,
}

#[derive(Default)]
pub struct Model {
    pub periods: BTreeMap<String, State>,
    /// What is live, by the import that delivered it.
    pub live: BTreeMap<SourcePeriod, BTreeMap<u64, Amount>>,
    /// Adjustments of a finalized period, by the import that made them.
    pub corrections: BTreeMap<SourcePeriod, BTreeMap<u64, Amount>>,
    /// Periods of which something was rejected: what is rejected is not corrected, and the model does not
    /// know how much that is.
    pub rejected: BTreeSet<String>,
    /// Which open period the adjustments of an import are billed in.
    pub billed_in: BTreeMap<u64, String>,
}

impl Model {
    pub fn state(&self, period: &str) -> State {
        self.periods[period]
    }

    pub fn sum(&self, key: &SourcePeriod) -> Amount {
        self.live.get(key).map(|imports| imports.values().copied().sum()).unwrap_or_default()
    }

    pub fn corrected(&self, key: &SourcePeriod) -> Amount {
        self.corrections.get(key).map(|imports| imports.values().copied().sum()).unwrap_or_default()
    }

    /// The first open period after `corrected`.
    pub fn takes_corrections(&self, corrected: &str) -> Option<String> {
        let mut later = self.periods.iter().filter(|(period, _)| corrected < period.as_str());
        later.find(|(_, state)| **state == State::Open).map(|(period, _)| period.clone())
    }

    pub fn imports(&self) -> BTreeSet<u64> {
        let all = self.live.values().chain(self.corrections.values());
        all.flat_map(|imports| imports.keys().copied()).collect()
    }

    /// An import was read again under another number.
    pub fn renumber(&mut self, old: u64, new: u64) {
        for imports in self.live.values_mut() {
            if let Some(sum) = imports.remove(&old) {
                imports.insert(new, sum);
            }
        }
    }

    pub fn withdraw(&mut self, import: u64) {
        for imports in self.live.values_mut().chain(self.corrections.values_mut()) {
            imports.remove(&import);
        }
    }
}
