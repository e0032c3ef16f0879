//! Intake: from a delivered row to a charge with flags, or to the problems that keep it from being one.
//!
//! [`Intake`] is compiled once for an import and shared; every worker has a [`Desk`], which takes a block
//! of cells and gives [`Taken`]: columns of charges, problems, notes, and sums by part. Start reading at
//! [`Desk::charges`]. What is worked out column by column stands in a file of its own: `costs`, `times`,
//! `tags` (attribution), `text`, `flagging`; `identity` says what makes a charge the same charge.

mod chunk;
mod costs;
mod desk;
mod earlier;
mod fallbacks;
mod file;
mod flagging;
mod identity;
mod notes;
mod owners;
mod part_identity;
mod rated;
mod sums;
mod tags;
mod taken;
mod text;
mod times;

use std::collections::{BTreeMap, BTreeSet};

use focus::{Cells, Header};
use regex::{RegexSet, RegexSetBuilder};

use crate::attribution::AttributionRules;
use crate::attribution_table::{AttributionRecord, AttributionRule, AttributionTable};
use crate::pattern::{Anchor, BadPattern, compile_pattern};
use crate::rate::{Rate, RateBook};
use crate::settings::{PricedBy, Settings, TagMapping};
use crate::{Period, SourceName};

pub use desk::Desk;
pub use earlier::EarlierCharges;
pub use file::{FileContext, MissingColumns};
pub use notes::{Note, NoteCounts};
pub use part_identity::{PartIdentity, identities};
pub use rated::{RATED_BY, WAIVED};
pub use tags::{ATTRIBUTED_BY, FALLBACK_AFTER, FALLBACK_FROM};
pub use taken::{BadRow, FlagSums, PartKey, PartSums, SumTooLarge, Sums, Taken};

/// The rules of one import, compiled once and shared by all workers.
#[derive(Clone, Debug)]
pub struct Intake {
    mapping: TagMapping,
    rules: AttributionRules,
    table: AttributionTable,
    finalized_tables: BTreeMap<Period, AttributionTable>,
    /// `None` where the files say what their charges cost.
    rates: Option<RateBook>,
    currency: String,
    /// The hash of the source's key, for fingerprints.
    source: u64,
    /// `None` where there are no patterns, so that nothing is searched.
    flag_patterns: Option<RegexSet>,
    pattern_texts: Vec<String>,
    options: IntakeOptions,
}

/// What is particular to one import.
#[derive(Clone, Debug, Default)]
pub struct IntakeOptions {
    /// From `--period` or the file names: charges of any other are flagged `period_mismatch`. Empty: any.
    pub expected_periods: Vec<Period>,
    /// `--only-open`: rows of these periods are not taken, only summed.
    pub leave_out: BTreeSet<Period>,
    /// `--append`: what overlaps these is flagged `possible_duplicate`.
    pub earlier: EarlierCharges,
    pub rules: ReadingRules,
}

/// What people wrote that reading depends on, of all sources.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReadingRules {
    pub attribution: AttributionRecord,
    pub rates: Vec<Rate>,
}

const FLAG_PATTERNS: &str = "review.flag_patterns";

impl Intake {
    /// # Errors
    /// The first pattern of the settings that is not a regular expression.
    pub fn compile(
        settings: &Settings,
        source: &SourceName,
        options: IntakeOptions,
    ) -> Result<Intake, BadPattern> {
        let texts = &settings.review.flag_patterns;
        for (index, pattern) in texts.iter().enumerate() {
            compile_pattern(FLAG_PATTERNS, Some(index), pattern, Anchor::Anywhere, true)?;
        }
        let set = RegexSetBuilder::new(texts).case_insensitive(true).build().map_err(|error| BadPattern {
            key: FLAG_PATTERNS,
            index: None,
            pattern: texts.join(", "),
            why: format!("together: {error}"),
        })?;
        let table = |rules: &[AttributionRule]| {
            AttributionTable::of_source(rules, source, settings.attribution.precedence)
        };
        let then = options.rules.attribution.finalized.iter();
        let finalized_tables = then.map(|(&period, rules)| (period, table(rules))).collect();
        let own = settings.sources.iter().find(|known| known.name.key() == source.key());
        let is_rated = own.is_some_and(|own| own.priced_by == PricedBy::Rates);
        Ok(Intake {
            rates: is_rated.then(|| RateBook::of_source(&options.rules.rates, source)),
            mapping: settings.tag_mapping.clone(),
            rules: AttributionRules::compile(settings)?,
            table: table(&options.rules.attribution.now),
            finalized_tables,
            currency: settings.currency.code.to_string(),
            source: identity::text_hash(&source.key()),
            flag_patterns: (!texts.is_empty()).then_some(set),
            pattern_texts: texts.clone(),
            options,
        })
    }

    /// One of the import's files: see [`FileContext::new`].
    ///
    /// # Errors
    /// [`MissingColumns`]. Where the rate book says what charges cost, `BilledCost` may be missing.
    pub fn file(
        &self,
        file: u32,
        header: &Header,
        first: Option<&Cells>,
    ) -> Result<FileContext, MissingColumns> {
        FileContext::read(file, header, first, self.rates.is_some())
    }

    /// Whether charges of this import may get their owner from the attribution table.
    fn has_table(&self) -> bool {
        !self.table.is_empty() || self.finalized_tables.values().any(|table| !table.is_empty())
    }
}

#[cfg(test)]
mod tests;
