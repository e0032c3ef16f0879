//! Flags of a block, column by column: a rule that has nothing to say about a block costs nothing.

use focus::FocusColumn;
use hashbrown::HashMap;
use regex::RegexSet;

use crate::charge::TextColumn;
use crate::intake::Intake;
use crate::intake::file::Kept;
use crate::intake::identity::text_hash;
use crate::intake::rated::Rated;
use crate::intake::tags::Tagged;
use crate::intake::text;
use crate::intake::times::Times;
use crate::{Flag, Flags, Period};

const NULL: u32 = TextColumn::NULL_KEY;
const SEARCHED: [FocusColumn; 3] =
    [FocusColumn::ServiceName, FocusColumn::ResourceId, FocusColumn::ResourceName];

/// The flags of a block's rows, being gathered.
pub(super) struct Flagging<'a> {
    intake: &'a Intake,
    pub flags: Vec<Flags>,
    tagged: &'a Tagged<'a>,
    /// For each row the pattern that matched and the column, see [`Hit`]; empty when none did.
    hits: Vec<Option<Hit>>,
    currency: Option<Suspect<'a>>,
    category: Option<Suspect<'a>>,
    mismatched: Option<&'a [Period]>,
    rated: Option<&'a Rated<'a>>,
}

/// `review.flag_patterns[pattern]` matched in `SEARCHED[column]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Hit {
    pattern: u32,
    column: u8,
}

/// A coded column some of whose values are flagged.
struct Suspect<'a> {
    keys: &'a [u32],
    values: &'a [Box<str>],
    is_flagged: Vec<bool>,
}

impl<'a> Suspect<'a> {
    fn find(column: &'a TextColumn, is_flagged: impl Fn(&str) -> bool) -> Option<Suspect<'a>> {
        let TextColumn::Coded { keys, values } = column else { return None };
        let is_flagged: Vec<bool> = values.iter().map(|value| is_flagged(value)).collect();
        is_flagged.contains(&true).then_some(Suspect { keys, values, is_flagged })
    }

    /// The key of the row's value, if that is flagged.
    fn key(&self, row: usize) -> Option<u32> {
        let key = self.keys[row];
        self.is_flagged.get(key as usize).copied().unwrap_or_default().then_some(key)
    }
}

impl<'a> Flagging<'a> {
    /// `columns` are those of `kept`, in the same order; `patterns` is the worker's own copy.
    pub fn new(
        intake: &'a Intake,
        patterns: Option<&RegexSet>,
        tagged: &'a Tagged<'a>,
        times: &'a Times,
        kept: &[Kept],
        columns: &'a [(String, TextColumn)],
    ) -> Flagging<'a> {
        let by_code = tagged.flags();
        let flags = tagged.codes.iter().map(|&code| by_code[code as usize]).collect();
        let find = |focus: FocusColumn| {
            kept.iter().position(|kept| kept.focus == Some(focus)).map(|at| &columns[at].1)
        };
        let currency = find(FocusColumn::BillingCurrency).and_then(|column| {
            Suspect::find(column, |value| !value.trim().eq_ignore_ascii_case(&intake.currency))
        });
        let category = find(FocusColumn::ChargeCategory)
            .and_then(|column| Suspect::find(column, |value| focus::canonical_category(value).is_none()));
        let mut flagging = Flagging {
            intake,
            flags,
            tagged,
            hits: Vec::new(),
            currency,
            category,
            mismatched: None,
            rated: None,
        };
        flagging.flag_suspects();
        flagging.flag_times(times);
        if let Some(patterns) = patterns {
            for (number, focus) in (0_u8..).zip(SEARCHED) {
                if let Some(column) = find(focus) {
                    flagging.search(patterns, number, column);
                }
            }
        }
        flagging
    }

    fn flag_suspects(&mut self) {
        for (suspect, flag) in
            [(&self.currency, Flag::CurrencyMismatch), (&self.category, Flag::UnknownCategory)]
        {
            let Some(suspect) = suspect else { continue };
            for (row, flags) in self.flags.iter_mut().enumerate() {
                if suspect.key(row).is_some() {
                    flags.add(flag);
                }
            }
        }
    }

    fn flag_times(&mut self, times: &'a Times) {
        for &row in &times.odd_starts {
            self.flags[row].add(Flag::PeriodStart);
        }
        let expected = &self.intake.options.expected_periods;
        if !expected.is_empty() {
            for (flags, _) in
                self.flags.iter_mut().zip(&times.periods).filter(|&(_, p)| !expected.contains(p))
            {
                flags.add(Flag::PeriodMismatch);
                self.mismatched = Some(&times.periods);
            }
        }
        if let Some(limits) = self.tagged.limits() {
            let rows =
                self.flags.iter_mut().zip(&self.tagged.codes).zip(&times.columns[2]).zip(&times.periods);
            for (((flags, &code), &start), &period) in rows {
                let limits = limits[code as usize];
                if limits.has_ended(start) {
                    flags.add(Flag::ProjectEnded);
                }
                if limits.is_too_late(start, period) {
                    flags.add(Flag::PastReconciliation);
                }
            }
        }
    }

    /// Charges of a source that is priced by the rate book and for which it has no rate.
    pub fn flag_unpriced(&mut self, rated: Option<&'a Rated<'a>>) {
        self.rated = rated;
        let Some(rated) = rated else { return };
        for (row, flags) in self.flags.iter_mut().enumerate() {
            if rated.unpriced(row).is_some() {
                flags.add(Flag::NoRate);
            }
        }
    }

    /// The first pattern that matches in a column, once for each value where it is coded.
    fn search(&mut self, patterns: &RegexSet, column: u8, texts: &TextColumn) {
        let hit = |text: &str| {
            // `matches` allocates, and most texts match nothing.
            let first = patterns.is_match(text).then(|| patterns.matches(text).iter().next()).flatten();
            first.map(|pattern| Hit { pattern: text::key(pattern), column })
        };
        let mut record = |row: usize, hit: Option<Hit>| {
            if hit.is_some() {
                self.flags[row].add(Flag::PatternMatch);
                self.hits.resize(self.flags.len(), None);
                self.hits[row] = self.hits[row].or(hit);
            }
        };
        match texts {
            TextColumn::Coded { keys, values } => {
                let by_key: Vec<Option<Hit>> = values.iter().map(|value| hit(value)).collect();
                if by_key.iter().any(Option::is_some) {
                    for (row, &key) in keys.iter().enumerate() {
                        record(row, by_key.get(key as usize).copied().flatten());
                    }
                }
            }
            TextColumn::Plain { ends, .. } => {
                for row in 0..ends.len() {
                    record(row, texts.get(row).and_then(hit));
                }
            }
        }
    }

    /// The columns `flags` and `flag_detail`, and the hash of each row's flags for the content digest.
    pub fn columns(&self) -> (TextColumn, TextColumn, Vec<u64>) {
        let mut known: Vec<(Flags, u64)> = Vec::new();
        let mut last: Option<(Flags, u32)> = None;
        let none = text_hash("");
        let (mut keys, mut hashes) =
            (Vec::with_capacity(self.flags.len()), Vec::with_capacity(self.flags.len()));
        for &flags in &self.flags {
            let key = match last {
                _ if flags.is_empty() => NULL,
                Some((earlier, key)) if earlier == flags => key,
                _ => text::key(known.iter().position(|&(known, _)| known == flags).unwrap_or_else(|| {
                    known.push((flags, text_hash(&flags.to_string())));
                    known.len() - 1
                })),
            };
            last = Some((flags, key));
            keys.push(key);
            hashes.push(known.get(key as usize).map_or(none, |&(_, hash)| hash));
        }
        let values = known.iter().map(|(flags, _)| flags.to_string().into()).collect();
        (TextColumn::Coded { keys, values }, self.details(), hashes)
    }

    /// What the flags' names do not say, in words. Rows with the same reasons share one text.
    fn details(&self) -> TextColumn {
        let mut known: HashMap<Reasons, u32, foldhash::fast::RandomState> = HashMap::default();
        let mut dictionary = Vec::<Box<str>>::new();
        let keys = (0..self.flags.len()).map(|row| {
            if self.flags[row].is_empty() {
                return NULL;
            }
            let reasons = self.reasons(row);
            *known.entry(reasons).or_insert_with(|| match self.words(reasons) {
                words if words.is_empty() => NULL,
                words => {
                    let at = dictionary.iter().position(|known| **known == *words);
                    text::key(at.unwrap_or_else(|| {
                        dictionary.push(words.into());
                        dictionary.len() - 1
                    }))
                }
            })
        });
        let keys = keys.collect();
        TextColumn::Coded { keys, values: dictionary }
    }

    fn reasons(&self, row: usize) -> Reasons {
        let code = self.tagged.codes[row];
        Reasons {
            tags: self.tagged.detail(code).map(|_| code),
            hit: self.hits.get(row).copied().flatten(),
            currency: self.currency.as_ref().and_then(|currency| currency.key(row)),
            category: self.category.as_ref().and_then(|category| category.key(row)),
            period: self
                .mismatched
                .map(|periods| periods[row])
                .filter(|_| self.flags[row].contains(Flag::PeriodMismatch)),
            unpriced: self.rated.and_then(|rated| rated.unpriced(row)),
        }
    }

    fn words(&self, reasons: Reasons) -> String {
        let mut parts: Vec<String> = Vec::new();
        if let Some(key) = reasons.currency
            && let Some(currency) = &self.currency
        {
            let ours = &self.intake.currency;
            parts.push(format!(
                "billed in `{}`, the ledger's currency is {ours}",
                currency.values[key as usize]
            ));
        }
        if let Some(hit) = reasons.hit {
            let pattern = &self.intake.pattern_texts[hit.pattern as usize];
            parts.push(format!("`{pattern}` matches the {}", SEARCHED[usize::from(hit.column)].snake()));
        }
        if let Some(period) = reasons.period {
            let expected: Vec<String> =
                self.intake.options.expected_periods.iter().map(Period::to_string).collect();
            parts.push(format!("of {period}, imported as {}", expected.join(", ")));
        }
        parts.extend(reasons.tags.and_then(|code| self.tagged.detail(code)).map(str::to_owned));
        if let Some(key) = reasons.category
            && let Some(category) = &self.category
        {
            parts.push(format!("charge_category is `{}`", category.values[key as usize]));
        }
        if let (Some(reason), Some(rated)) = (reasons.unpriced, self.rated) {
            parts.push(rated.words(reason).to_owned());
        }
        parts.join("; ")
    }
}

/// Everything that decides the words of a row's detail.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Reasons {
    tags: Option<u32>,
    hit: Option<Hit>,
    currency: Option<u32>,
    category: Option<u32>,
    period: Option<Period>,
    unpriced: Option<u32>,
}
