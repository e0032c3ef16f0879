//! From tags to attribution. Everything that depends on the text of the tags alone is worked out once
//! for each text and remembered, so that a row costs one comparison or one look-up.

use std::hash::BuildHasher;

use hashbrown::HashTable;
use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::attribution::{Attribution, field_text, pi_email_text};
use crate::attribution_table::AttributionTable;
use crate::charge::TextColumn;
use crate::intake::Intake;
use crate::intake::chunk::Column;
use crate::intake::identity::SEED;
use crate::intake::text::{self, Dictionary};
use crate::{Flag, Flags, Period};

/// A worker forgets its texts beyond either, so that memory does not grow with the file.
const ENTRIES_MAX: usize = 1 << 16;
const TEXT_MAX_BYTES: usize = 8 << 20;
const DAY: i64 = 86_400_000_000;

/// The column that says which rules of the attribution table gave a charge its owner.
pub const ATTRIBUTED_BY: &str = "attributed_by";

/// Of a charge that the fallback fund is charged for: the fund that was to pay, and the last day on which it
/// would have.
pub const FALLBACK_FROM: &str = "fallback_from";
pub const FALLBACK_AFTER: &str = "fallback_after";

/// The first instants after the award's end and after its reconciliation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Limits {
    ended_from: i64,
    reconciled_from: i64,
}

impl Limits {
    const NONE: Limits = Limits { ended_from: i64::MAX, reconciled_from: i64::MAX };

    pub fn has_ended(self, charge_start: i64) -> bool {
        self.ended_from <= charge_start
    }

    pub fn is_too_late(self, charge_start: i64, billed: Period) -> bool {
        self.reconciled_from <= charge_start.max(billed.start_micros())
    }
}

/// Which end of an award a charge is after.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum AwardEnd {
    Use,
    Reconciliation,
}

/// What one text of tags means; or, with the attribution table laid over it, whose its charges are.
#[derive(Clone)]
pub(super) struct Meaning {
    text: Box<str>,
    attribution: Attribution,
    digest: u64,
    flags: Flags,
    limits: Limits,
    /// The fund that the fallback fund stands in for, and since when.
    fallback: Option<(Option<Box<str>>, Box<str>)>,
    detail: Option<Box<str>>,
    /// The rules of the table that gave something: `14` or `3, 14`.
    by: Option<Box<str>>,
    /// Where the text stands among those of `block`.
    code: u32,
    block: u64,
}

/// A worker's memory of tags.
#[derive(Default)]
pub(super) struct TagMemory {
    table: HashTable<u32>,
    hasher: foldhash::fast::RandomState,
    meanings: Vec<Meaning>,
    size_bytes: usize,
    /// The number of the block being read, and its texts by code.
    block: u64,
    used: Vec<u32>,
}

/// The tags of a block: a code for each row, and what the codes mean.
pub(super) struct Tagged<'a> {
    pub codes: Vec<u32>,
    meanings: Vec<&'a Meaning>,
    /// Whether there is an attribution table, and so a column that says which rule it was.
    pub has_table: bool,
}

impl TagMemory {
    /// Before a block: forget what is too much.
    pub fn begin(&mut self) {
        if self.meanings.len() > ENTRIES_MAX || self.size_bytes > TEXT_MAX_BYTES {
            self.table.clear();
            self.meanings.clear();
            self.size_bytes = 0;
        }
        self.block += 1;
        self.used.clear();
    }

    /// Add the rows of a chunk to `codes`.
    pub fn read(&mut self, intake: &Intake, tags: &Column<'_>, codes: &mut Vec<u32>) {
        let mut last: Option<(&[u8], u32)> = None;
        codes.extend(tags.iter().map(|text| match last {
            Some((earlier, code)) if earlier == text => code,
            _ => {
                let code = self.code(intake, text);
                last = Some((text, code));
                code
            }
        }));
    }

    /// What the codes of the block mean.
    pub fn tagged(&self, intake: &Intake, codes: Vec<u32>) -> Tagged<'_> {
        let meanings = self.used.iter().map(|&at| &self.meanings[at as usize]).collect();
        Tagged { codes, meanings, has_table: intake.has_table() }
    }

    fn code(&mut self, intake: &Intake, text: &[u8]) -> u32 {
        let hash = self.hasher.hash_one(text);
        let known = self.table.find(hash, |&at| self.meanings[at as usize].text.as_bytes() == text);
        let at = known.copied().unwrap_or_else(|| {
            let at = text::key(self.meanings.len());
            self.size_bytes += text.len();
            self.meanings.push(Meaning::of(intake, text));
            let (hasher, meanings) = (&self.hasher, &self.meanings);
            self.table.insert_unique(hash, at, |&at| hasher.hash_one(meanings[at as usize].text.as_bytes()));
            at
        });
        let meaning = &mut self.meanings[at as usize];
        if meaning.block != self.block {
            meaning.block = self.block;
            meaning.code = text::key(self.used.len());
            self.used.push(at);
        }
        meaning.code
    }
}

impl Meaning {
    fn of(intake: &Intake, text: &[u8]) -> Meaning {
        let tags = focus::parse_tags(text);
        let mapping = &intake.mapping;
        let first = |names: &[String]| {
            names.iter().filter_map(|name| tags.get(name)).find_map(field_text).map(str::to_owned)
        };
        let attribution = Attribution {
            pi_email: first(&mapping.pi_email).as_deref().and_then(pi_email_text),
            project_id: first(&mapping.project_id),
            fund_org: first(&mapping.fund_org),
            cost_center: first(&mapping.cost_center),
            account_code: first(&mapping.account_code),
            reference_1: first(&mapping.reference_1),
            reference_2: first(&mapping.reference_2),
            end_date: first(&mapping.end_date),
            reconciliation_end: first(&mapping.reconciliation_end),
            fallback_fund_org: first(&mapping.fallback_fund_org),
            customer_class: first(&mapping.customer_class),
            usage_user: first(&mapping.usage_user).as_deref().and_then(pi_email_text),
        };
        let mut defects: Vec<String> = tags.problems.iter().map(ToString::to_string).collect();
        defects.extend(spellings(&tags));
        let mut meaning = Meaning::with(intake, text, attribution, &mut defects);
        if !defects.is_empty() {
            meaning.flags.add(Flag::InvalidTags);
            meaning.detail = Some(defects.join("; ").into());
        }
        meaning
    }

    fn with(intake: &Intake, text: &[u8], attribution: Attribution, defects: &mut Vec<String>) -> Meaning {
        let mut first_after = |name: &str, date: Option<&str>| {
            let date = date?;
            match focus::parse_time(date.as_bytes()) {
                Ok(time) if time.date_only => Some(time.micros.saturating_add(DAY)),
                Ok(time) => Some(time.micros.saturating_add(1)),
                Err(_) => {
                    defects.push(format!("{name} `{date}` is not a date"));
                    None
                }
            }
        };
        let ended_from = first_after("end_date", attribution.end_date.as_deref());
        let reconciled_from = first_after("reconciliation_end", attribution.reconciliation_end.as_deref());
        Meaning {
            text: text::owned(text),
            digest: digest(&attribution),
            flags: intake.rules.flags(&attribution),
            attribution,
            limits: Limits {
                ended_from: ended_from.unwrap_or(i64::MAX),
                reconciled_from: reconciled_from.unwrap_or(i64::MAX),
            },
            fallback: None,
            detail: None,
            by: None,
            code: 0,
            block: 0,
        }
    }

    /// With rules of the table laid over it.
    pub fn owned_by(
        &self,
        intake: &Intake,
        table: &AttributionTable,
        rules: &[usize],
        start: i64,
    ) -> Meaning {
        let (attribution, by) = table.laid_over(&self.attribution, rules, start);
        let mut meaning = self.attributed(intake, attribution);
        let by: Vec<String> = by.iter().map(ToString::to_string).collect();
        meaning.by = (!by.is_empty()).then(|| by.join(", ").into());
        meaning
    }

    fn attributed(&self, intake: &Intake, attribution: Attribution) -> Meaning {
        let mut meaning = Meaning::with(intake, self.text.as_bytes(), attribution, &mut Vec::new());
        if self.flags.contains(Flag::InvalidTags) {
            meaning.flags.add(Flag::InvalidTags);
        }
        meaning.detail.clone_from(&self.detail);
        meaning
    }

    /// Whether another fund is named to be charged after the award's end.
    pub fn has_fallback(&self) -> bool {
        let Attribution { fund_org, fallback_fund_org, .. } = &self.attribution;
        fallback_fund_org.is_some() && fallback_fund_org != fund_org
    }

    /// The end that a charge of this start and billing period is after.
    pub fn ended(&self, charge_start: i64, billed: Period) -> Option<AwardEnd> {
        if self.limits.has_ended(charge_start) {
            return Some(AwardEnd::Use);
        }
        self.limits.is_too_late(charge_start, billed).then_some(AwardEnd::Reconciliation)
    }

    /// With the fallback fund instead of the award's.
    pub fn fallen_back(&self, intake: &Intake, end: AwardEnd) -> Meaning {
        let mut attribution = self.attribution.clone();
        let from = attribution.fund_org.take().map(String::into_boxed_str);
        attribution.fund_org.clone_from(&attribution.fallback_fund_org);
        let after = match end {
            AwardEnd::Use => &attribution.end_date,
            AwardEnd::Reconciliation => &attribution.reconciliation_end,
        };
        let after = after.as_deref().unwrap_or_default().into();
        let mut meaning = self.attributed(intake, attribution);
        meaning.by.clone_from(&self.by);
        meaning.limits = Limits::NONE;
        meaning.fallback = Some((from, after));
        meaning
    }

    pub fn field(&self, field: usize) -> Option<&str> {
        self.attribution.values()[field]
    }

    pub fn tag(&self, name: &str) -> Option<String> {
        focus::parse_tags(self.text.as_bytes()).get(name).map(str::to_owned)
    }
}

/// A hash of the attribution: for each field that has a value its number (1 byte), the length in bytes
/// (4 bytes, little-endian), and the text. Part of the content digest's format.
fn digest(attribution: &Attribution) -> u64 {
    let mut bytes = Vec::with_capacity(160);
    for (number, value) in (0_u8..).zip(attribution.values()) {
        if let Some(value) = value {
            bytes.push(number);
            bytes.extend_from_slice(&text::key(value.len()).to_le_bytes());
            bytes.extend_from_slice(value.as_bytes());
        }
    }
    xxh3_64_with_seed(&bytes, SEED)
}

/// Tags whose names differ in case only, and whose values are not the same.
fn spellings(tags: &focus::Tags) -> impl Iterator<Item = String> {
    tags.entries.iter().enumerate().filter_map(|(at, (name, value))| {
        let same = |(known, _): &&(String, String)| known.eq_ignore_ascii_case(name);
        let (known, other) = tags.entries[..at].iter().find(same)?;
        (other != value).then(|| format!("has `{known}` and `{name}` with different values"))
    })
}

impl<'a> Tagged<'a> {
    pub fn new(codes: Vec<u32>, meanings: Vec<&'a Meaning>, has_table: bool) -> Tagged<'a> {
        Tagged { codes, meanings, has_table }
    }

    pub fn meaning(&self, code: u32) -> &Meaning {
        self.meanings[code as usize]
    }

    pub fn meanings(&self) -> &[&'a Meaning] {
        &self.meanings
    }

    /// The attribution columns, `tags`, `attributed_by` where there is a table, and those of users and of the
    /// fallback where one is named.
    pub fn columns(&self) -> Vec<(String, TextColumn)> {
        let has = |name: &str| match name {
            "fallback_fund_org" => self.names_fallback(),
            "usage_user" => self.meanings.iter().any(|meaning| meaning.attribution.usage_user.is_some()),
            _ => true,
        };
        let mut columns: Vec<(String, TextColumn)> = (0..Attribution::COUNT)
            .filter(|&field| has(Attribution::FIELDS[field]))
            .map(|field| (Attribution::FIELDS[field].to_owned(), self.field(field)))
            .collect();
        let delivered = if text::is_plain(self.meanings.len(), self.codes.len()) {
            let texts = self.codes.iter().map(|&code| self.meanings[code as usize].text.as_bytes());
            text::plain(texts)
        } else {
            self.coded(|meaning| Some(&*meaning.text).filter(|text| !text.is_empty()))
        };
        columns.push(("tags".to_owned(), delivered));
        if self.has_table {
            columns.push((ATTRIBUTED_BY.to_owned(), self.coded(|meaning| meaning.by.as_deref())));
        }
        if self.names_fallback() {
            let from = self.coded(|meaning| meaning.fallback.as_ref().and_then(|(from, _)| from.as_deref()));
            let after = self.coded(|meaning| meaning.fallback.as_ref().map(|(_, after)| &**after));
            columns.extend([(FALLBACK_FROM.to_owned(), from), (FALLBACK_AFTER.to_owned(), after)]);
        }
        columns
    }

    /// Files without a fallback have no columns for it.
    fn names_fallback(&self) -> bool {
        self.meanings.iter().any(|meaning| meaning.attribution.fallback_fund_org.is_some())
    }

    fn field(&self, field: usize) -> TextColumn {
        self.coded(|meaning| meaning.attribution.values()[field])
    }

    fn coded(&self, value: impl Fn(&Meaning) -> Option<&str>) -> TextColumn {
        let mut dictionary = Dictionary::default();
        let by_code: Vec<u32> = self.meanings.iter().map(|meaning| dictionary.key(value(meaning))).collect();
        let keys = self.codes.iter().map(|&code| by_code[code as usize]).collect();
        TextColumn::Coded { keys, values: dictionary.into_values() }
    }

    /// The flags that the tags alone give, by code.
    pub fn flags(&self) -> Vec<Flags> {
        self.meanings.iter().map(|meaning| meaning.flags).collect()
    }

    pub fn digests(&self) -> Vec<u64> {
        self.meanings.iter().map(|meaning| meaning.digest).collect()
    }

    /// The first instants after the project's end and its reconciliation, by code; `None` when no
    /// project of the block has either.
    pub fn limits(&self) -> Option<Vec<Limits>> {
        let limits = || self.meanings.iter().map(|meaning| meaning.limits);
        limits().any(|limits| limits != Limits::NONE).then(|| limits().collect())
    }

    /// What is wrong with the tags of `code`, in words.
    pub fn detail(&self, code: u32) -> Option<&str> {
        self.meanings[code as usize].detail.as_deref()
    }
}
