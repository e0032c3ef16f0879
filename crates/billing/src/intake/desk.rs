//! One worker's place: what it remembers from block to block, and the way from cells to charges.

use std::fmt;

use focus::{Cells, FocusColumn};
use regex::RegexSet;

use crate::charge::{AmountColumn, ChargeColumns, TextColumn, TimeColumn};
use crate::intake::chunk::{Chunk, Faults};
use crate::intake::fallbacks::fallbacks;
use crate::intake::file::{FileContext, Kept};
use crate::intake::flagging::Flagging;
use crate::intake::identity::{Identity, content_digest};
use crate::intake::notes::{Note, NoteCounts};
use crate::intake::owners::Owners;
use crate::intake::rated::Rated;
use crate::intake::tags::{TagMemory, Tagged};
use crate::intake::taken::Taken;
use crate::intake::text::{self, Coder};
use crate::intake::times::Times;
use crate::intake::{Intake, costs, sums, times};
use crate::{Flag, Period};

/// What one worker keeps from block to block, bounded in size. It belongs to one [`Intake`].
pub struct Desk {
    tags: TagMemory,
    /// By kept text column; the last is for the accounts of rows that are left out.
    coders: Vec<Coder>,
    /// A copy of its own: the copies of a regular expression do not wait for each other.
    patterns: Option<RegexSet>,
}

impl fmt::Debug for Desk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Desk").finish_non_exhaustive()
    }
}

/// Columns of which few values occur, or by which rows are told apart: always coded.
const ALWAYS_CODED: [FocusColumn; 4] = [
    FocusColumn::BillingAccountId,
    FocusColumn::BillingCurrency,
    FocusColumn::ChargeCategory,
    FocusColumn::ChargeClass,
];

/// What must be right before a row can be a charge.
#[derive(Default)]
struct Essentials {
    costs: [Vec<i128>; 4],
    times: Times,
}

/// What was read of a block so far.
#[derive(Default)]
struct Gathered {
    essentials: Essentials,
    left_out: Essentials,
    tag_codes: Vec<u32>,
    numbers: Vec<Vec<i128>>,
    lines: Vec<i64>,
    byte_offsets: Vec<i64>,
    byte_lens: Vec<i32>,
}

impl Desk {
    #[must_use]
    pub fn new(intake: &Intake) -> Desk {
        Desk { tags: TagMemory::default(), coders: Vec::new(), patterns: intake.flag_patterns.clone() }
    }

    /// Make charges of a block. Every row is a charge, or has problems, or is of a period to be left out.
    pub fn charges(&mut self, intake: &Intake, file: &FileContext, cells: &Cells) -> Taken {
        let mut taken = Taken::default();
        let mut gathered = self.begin(file, cells.rows);
        for chunk in Chunk::all(cells) {
            self.gather(intake, file, chunk, &mut gathered, &mut taken);
        }
        let account = file.texts.iter().position(|kept| kept.focus == Some(FocusColumn::BillingAccountId));
        let Essentials { costs, times } = &gathered.left_out;
        let accounts = account.map(|_| self.coders[file.texts.len()].finish());
        taken.left_out = sums::by_part(&times.periods, costs, accounts.as_ref(), &[]);

        let texts = self.texts(file, &mut taken.notes);
        let tagged = self.tags.tagged(intake, std::mem::take(&mut gathered.tag_codes));
        let Essentials { mut costs, times } = gathered.essentials;
        let owners = Owners::of(intake, &tagged, &texts, &times);
        let tagged = owners.as_ref().map_or(tagged, Owners::tagged);
        let fallbacks = fallbacks(intake, &tagged, &times);
        let tagged = fallbacks.as_ref().map_or(tagged, Owners::tagged);
        let numbers = gathered.numbers.into_iter().map(AmountColumn);
        let numbers: Vec<_> = file.numbers.iter().map(|kept| kept.name.clone()).zip(numbers).collect();
        let rated = intake
            .rates
            .as_ref()
            .map(|book| Rated::of(book, &tagged, &times, (&texts, &numbers), &mut costs));
        taken.notes.add(Note::PricedByRates, rated.as_ref().map_or(0, Rated::priced));
        let mut flagging =
            Flagging::new(intake, self.patterns.as_ref(), &tagged, &times, &file.texts, &texts);
        flagging.flag_unpriced(rated.as_ref());
        let mut columns = ChargeColumns { rows: times.periods.len(), file: file.file, ..Default::default() };
        let identity = Identity::of(intake.source, &file.texts, &texts);
        identify(&mut columns, &identity, &times);
        flag_duplicates(intake, &columns, &times, &mut flagging);
        let (flags, flag_detail, flag_hashes) = flagging.columns();
        columns.content_digest = digests(&costs, &tagged, &flag_hashes);
        taken.parts = sums::by_part(&times.periods, &costs, account.map(|at| &texts[at].1), &flagging.flags);
        taken.flags = sums::by_flag(&flagging.flags, &costs[costs::BILLED]);

        columns.text = tagged.columns();
        columns.text.push(("flags".to_owned(), flags));
        columns.text.push(("flag_detail".to_owned(), flag_detail));
        columns.text.extend(texts);
        columns.numbers = numbers;
        if let Some(rated) = &rated {
            rated.fill(&mut columns.text, &mut columns.numbers);
        }
        columns.line = gathered.lines;
        columns.byte_offset = gathered.byte_offsets;
        columns.byte_len = gathered.byte_lens;
        columns.costs = costs.map(AmountColumn);
        columns.times = times.columns.map(TimeColumn);
        columns.period = times.periods;
        taken.columns = columns;
        taken.number_from(1);
        taken
    }

    fn begin(&mut self, file: &FileContext, rows: usize) -> Gathered {
        self.tags.begin();
        self.coders.resize_with(self.coders.len().max(file.texts.len() + 1), Coder::default);
        for (coder, kept) in self.coders.iter_mut().zip(&file.texts) {
            coder.begin(rows, kept.focus.is_some_and(|focus| ALWAYS_CODED.contains(&focus)));
        }
        self.coders[file.texts.len()].begin(0, true);
        let mut gathered = Gathered::default();
        gathered.essentials.reserve(rows);
        gathered.tag_codes.reserve(rows);
        gathered.numbers = file.numbers.iter().map(|_| Vec::with_capacity(rows)).collect();
        gathered.lines.reserve(rows);
        gathered.byte_offsets.reserve(rows);
        gathered.byte_lens.reserve(rows);
        gathered
    }

    /// Everything that looks at text, while the text of the chunk is near.
    fn gather(
        &mut self,
        intake: &Intake,
        file: &FileContext,
        mut chunk: Chunk<'_>,
        gathered: &mut Gathered,
        taken: &mut Taken,
    ) {
        let mut notes = NoteCounts::default();
        let mut faults = Faults::new(file, &chunk);
        let mut essentials = Essentials::read(&chunk, file, &mut faults, &mut notes);
        let out = intake.leaves_out(&essentials.times.periods, faults.bad());
        if !faults.bad().is_empty() {
            taken.bad_rows.extend(faults.bad_rows());
            let good = chunk.part(faults.bad()).0;
            taken.problems.append(&mut faults.into_problems());
            chunk = good;
            // Read again without them, so that notes count charges only.
            essentials = Essentials::again(&chunk, file, &mut notes);
        }
        if out.contains(&true) {
            let (rest, gone) = chunk.part(&out);
            gathered.left_out.append(Essentials::again(&gone, file, &mut notes));
            if let Some(kept) =
                file.texts.iter().find(|kept| kept.focus == Some(FocusColumn::BillingAccountId))
            {
                self.coders[file.texts.len()].read(&gone.column(kept.column));
            }
            chunk = rest;
            essentials = Essentials::again(&chunk, file, &mut notes);
        }
        gathered.essentials.append(essentials);
        self.tags.read(intake, &chunk.column(file.tags), &mut gathered.tag_codes);
        for (coder, kept) in self.coders.iter_mut().zip(&file.texts) {
            coder.read(&chunk.column(kept.column));
        }
        for (values, kept) in gathered.numbers.iter_mut().zip(&file.numbers) {
            costs::numbers(&chunk, file, kept, values, &mut notes);
        }
        chunk.add_places(&mut gathered.lines, &mut gathered.byte_offsets, &mut gathered.byte_lens);
        taken.notes.merge(&notes);
    }

    fn texts(&mut self, file: &FileContext, notes: &mut NoteCounts) -> Vec<(String, TextColumn)> {
        let finish = |(coder, kept): (&mut Coder, &Kept)| {
            let column = coder.finish();
            let column = match kept.focus {
                Some(focus) => text::spell(column, focus, &file.delivered[kept.column], notes),
                None => column,
            };
            (kept.name.clone(), column)
        };
        self.coders.iter_mut().zip(&file.texts).map(finish).collect()
    }
}

fn identify(columns: &mut ChargeColumns, identity: &Identity<'_>, times: &Times) {
    let [_, _, starts, ends] = &times.columns;
    columns.fingerprint.reserve(columns.rows);
    columns.overlap_key.reserve(columns.rows);
    for (row, period) in times.periods.iter().enumerate() {
        let (fingerprint, overlap_key) = identity.of_row(row, period.code(), starts[row], ends[row]);
        columns.fingerprint.push(fingerprint);
        columns.overlap_key.push(overlap_key);
    }
}

fn flag_duplicates(intake: &Intake, columns: &ChargeColumns, times: &Times, flagging: &mut Flagging<'_>) {
    let earlier = &intake.options.earlier;
    if earlier.is_empty() {
        return;
    }
    let [_, _, starts, ends] = &times.columns;
    for (row, flags) in flagging.flags.iter_mut().enumerate() {
        if earlier.overlap(columns.overlap_key[row], starts[row], ends[row]) {
            flags.add(Flag::PossibleDuplicate);
        }
    }
}

fn digests(costs: &[Vec<i128>; 4], tagged: &Tagged<'_>, flag_hashes: &[u64]) -> Vec<u64> {
    let attributions = tagged.digests();
    let digest = |(row, &flags): (usize, &u64)| {
        let costs = [costs[0][row], costs[1][row], costs[2][row], costs[3][row]];
        content_digest(costs, attributions[tagged.codes[row] as usize], flags)
    };
    flag_hashes.iter().enumerate().map(digest).collect()
}

impl Essentials {
    fn read(
        chunk: &Chunk<'_>,
        file: &FileContext,
        faults: &mut Faults<'_>,
        notes: &mut NoteCounts,
    ) -> Essentials {
        let costs = costs::read(chunk, file, faults, notes);
        let times = times::read(chunk, file, faults, notes);
        Essentials { costs, times }
    }

    /// Read rows that have no problems, and forget the notes of the first reading.
    fn again(chunk: &Chunk<'_>, file: &FileContext, notes: &mut NoteCounts) -> Essentials {
        *notes = NoteCounts::default();
        Essentials::read(chunk, file, &mut Faults::new(file, chunk), notes)
    }

    fn append(&mut self, mut next: Essentials) {
        for (column, next) in self.costs.iter_mut().zip(&mut next.costs) {
            column.append(next);
        }
        self.times.append(next.times);
    }

    fn reserve(&mut self, rows: usize) {
        self.costs.iter_mut().for_each(|column| column.reserve(rows));
        self.times.columns.iter_mut().for_each(|column| column.reserve(rows));
        self.times.periods.reserve(rows);
    }
}

impl Intake {
    /// Of the rows that are not bad, which are of a period to be left out; empty when none can be.
    fn leaves_out(&self, periods: &[Period], bad: &[bool]) -> Vec<bool> {
        if self.options.leave_out.is_empty() {
            return Vec::new();
        }
        let good = periods.iter().enumerate().filter(|&(row, _)| !bad.get(row).copied().unwrap_or_default());
        good.map(|(_, period)| self.options.leave_out.contains(period)).collect()
    }
}
