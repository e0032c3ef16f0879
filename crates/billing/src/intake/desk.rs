//! One worker's place: what it remembers from block to block, and the way from cells to charges.

use std::fmt;

use focus::{Cells, FocusColumn};
use regex::RegexSet;

use crate::charge::{AmountColumn, ChargeColumns, TextColumn, TimeColumn};
use crate::intake::block::{Block, Faults};
use crate::intake::file::FileContext;
use crate::intake::flagging::Flagging;
use crate::intake::identity::{Identity, content_digest};
use crate::intake::notes::NoteCounts;
use crate::intake::tags::TagMemory;
use crate::intake::taken::Taken;
use crate::intake::text::{self, Coder};
use crate::intake::times::Times;
use crate::intake::{Intake, costs, sums, times};
use crate::{Flag, Flags};

/// What one worker keeps from block to block, bounded in size. It belongs to one [`Intake`].
pub struct Desk {
    tags: TagMemory,
    coder: Coder,
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
struct Essentials {
    costs: [Vec<i128>; 4],
    times: Times,
}

impl Desk {
    #[must_use]
    pub fn new(intake: &Intake) -> Desk {
        Desk { tags: TagMemory::default(), coder: Coder::default(), patterns: intake.flag_patterns.clone() }
    }

    /// Make charges of a block. Every row is a charge, or has problems, or is of a period to be left out.
    pub fn charges(&mut self, intake: &Intake, file: &FileContext, cells: &Cells) -> Taken {
        let mut taken = Taken::default();
        let mut block = Block::whole(cells);
        let mut faults = Faults::new(file, cells);
        let mut essentials = Essentials::read(&block, file, &mut faults, &mut taken.notes);
        if let Some(bad) = faults.bad() {
            block = block.part(bad).0;
            // Read again without them, so that notes count charges only.
            essentials = Essentials::again(&block, file, &mut taken.notes);
        }
        taken.bad_rows = faults.bad_rows();
        taken.problems = faults.into_problems();
        let out = intake.leaves_out(&essentials.times.periods);
        if out.contains(&true) {
            let (rest, gone) = block.part(&out);
            let Essentials { costs, times } = Essentials::again(&gone, file, &mut taken.notes);
            let accounts = self.accounts(file, &gone);
            taken.left_out = sums::by_part(&times.periods, &costs, accounts.as_ref(), &[]);
            block = rest;
            essentials = Essentials::again(&block, file, &mut taken.notes);
        }
        self.fill(intake, file, &block, essentials, &mut taken);
        taken
    }

    fn accounts(&mut self, file: &FileContext, block: &Block<'_>) -> Option<TextColumn> {
        let kept = file.texts.iter().find(|kept| kept.focus == Some(FocusColumn::BillingAccountId))?;
        Some(self.coder.column(&block.column(kept.column), block.rows, true))
    }

    /// Everything of the charges, from rows that are known to be charges.
    fn fill(
        &mut self,
        intake: &Intake,
        file: &FileContext,
        block: &Block<'_>,
        Essentials { costs, times }: Essentials,
        taken: &mut Taken,
    ) {
        let texts = self.texts(file, block, &mut taken.notes);
        let tags = block.column(file.tags);
        let tagged = self.tags.read(intake, &tags);
        let mut flagging =
            Flagging::new(intake, self.patterns.as_ref(), &tagged, &times, &file.texts, &texts);

        let identity = Identity::of(intake.source, &file.texts, &texts);
        let mut columns = ChargeColumns { rows: block.rows, file: file.file, ..ChargeColumns::default() };
        let [_, _, starts, ends] = &times.columns;
        for row in 0..block.rows {
            let (fingerprint, overlap_key) =
                identity.of_row(row, times.periods[row].code(), starts[row], ends[row]);
            columns.fingerprint.push(fingerprint);
            columns.overlap_key.push(overlap_key);
        }
        if !intake.options.earlier.is_empty() {
            for (row, flags) in flagging.flags.iter_mut().enumerate() {
                if intake.options.earlier.overlap(columns.overlap_key[row], starts[row], ends[row]) {
                    flags.add(Flag::PossibleDuplicate);
                }
            }
        }
        let (flags, flag_detail, flag_hashes) = flagging.columns();
        let digests = tagged.digests();
        columns.content_digest = (0..block.rows)
            .map(|row| {
                let costs = [costs[0][row], costs[1][row], costs[2][row], costs[3][row]];
                content_digest(costs, digests[tagged.codes[row] as usize], flag_hashes[row])
            })
            .collect();

        finish_sums(taken, file, &texts, &times, &costs, &flagging.flags);
        columns.line = block.lines();
        columns.byte_offset = block.byte_offsets();
        columns.byte_len = block.byte_lens();
        columns.text = tagged.columns(block, &tags);
        columns.text.push(("flags".to_owned(), flags));
        columns.text.push(("flag_detail".to_owned(), flag_detail));
        columns.text.extend(texts);
        columns.numbers = file
            .numbers
            .iter()
            .map(|kept| (kept.name.clone(), costs::numbers(block, file, kept, &mut taken.notes)))
            .collect();
        columns.costs = costs.map(AmountColumn);
        columns.times = times.columns.map(TimeColumn);
        columns.period = times.periods;
        taken.columns = columns;
        taken.number_from(1);
    }

    fn texts(
        &mut self,
        file: &FileContext,
        block: &Block<'_>,
        notes: &mut NoteCounts,
    ) -> Vec<(String, TextColumn)> {
        let mut code = |kept: &crate::intake::file::Kept| {
            let always = kept.focus.is_some_and(|focus| ALWAYS_CODED.contains(&focus));
            let column = self.coder.column(&block.column(kept.column), block.rows, always);
            let column = match kept.focus {
                Some(focus) => text::spell(column, focus, &file.delivered[kept.column], notes),
                None => column,
            };
            (kept.name.clone(), column)
        };
        file.texts.iter().map(&mut code).collect()
    }
}

fn finish_sums(
    taken: &mut Taken,
    file: &FileContext,
    texts: &[(String, TextColumn)],
    times: &Times,
    costs: &[Vec<i128>; 4],
    flags: &[Flags],
) {
    let account = file.texts.iter().position(|kept| kept.focus == Some(FocusColumn::BillingAccountId));
    let accounts = account.map(|at| &texts[at].1);
    taken.parts = sums::by_part(&times.periods, costs, accounts, flags);
    taken.flags = sums::by_flag(flags, &costs[costs::BILLED]);
}

impl Essentials {
    fn read(
        block: &Block<'_>,
        file: &FileContext,
        faults: &mut Faults<'_>,
        notes: &mut NoteCounts,
    ) -> Essentials {
        let costs = costs::read(block, file, faults, notes);
        let times = times::read(block, file, faults, notes);
        Essentials { costs, times }
    }

    /// Read rows that have no problems.
    fn again(block: &Block<'_>, file: &FileContext, notes: &mut NoteCounts) -> Essentials {
        *notes = NoteCounts::default();
        let mut faults = Faults::new(file, block.cells());
        Essentials::read(block, file, &mut faults, notes)
    }
}
