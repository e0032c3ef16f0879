//! Sums by part and by flag of the charges of a block.

use std::collections::BTreeMap;

use hashbrown::HashMap;
use money::Amount;

use crate::charge::{AmountColumn, TextColumn};
use crate::intake::costs::{BILLED, CONTRACTED, EFFECTIVE, LIST};
use crate::intake::taken::{FlagSums, PartKey, PartSums};
use crate::{Flag, Flags, Period};

const NULL: i128 = AmountColumn::NULL;

/// A part's sums in units of 10⁻¹⁸. Every amount is below 10³⁰ units and a block has fewer than 2³² rows,
/// so these sums do not overflow; merging blocks is checked.
#[derive(Default, Clone, Copy)]
struct Running {
    rows: u64,
    costs: [i128; 4],
    /// Σ|billed cost|.
    billed_magnitude: i128,
    flagged_rows: u64,
    flagged_billed: i128,
}

/// Sum `costs` by period and by the billing account of each row. `flags` may be empty.
pub(super) fn by_part(
    periods: &[Period],
    costs: &[Vec<i128>; 4],
    accounts: Option<&TextColumn>,
    flags: &[Flags],
) -> BTreeMap<PartKey, PartSums> {
    let keys = match accounts {
        Some(TextColumn::Coded { keys, .. }) => Some(keys),
        _ => None,
    };
    let mut running: Vec<Running> = Vec::new();
    let mut known: HashMap<(Period, u32), usize, foldhash::fast::RandomState> = HashMap::default();
    let mut last: Option<((Period, u32), usize)> = None;
    for (row, &period) in periods.iter().enumerate() {
        let key = (period, keys.map_or(TextColumn::NULL_KEY, |keys| keys[row]));
        let at = match last {
            Some((earlier, at)) if earlier == key => at,
            _ => *known.entry(key).or_insert_with(|| {
                running.push(Running::default());
                running.len() - 1
            }),
        };
        last = Some((key, at));
        let billed = costs[BILLED][row];
        let or_zero = |cost: i128| if cost == NULL { 0 } else { cost };
        let part = &mut running[at];
        part.rows += 1;
        part.costs[LIST] += if costs[LIST][row] == NULL { billed } else { costs[LIST][row] };
        part.costs[CONTRACTED] += or_zero(costs[CONTRACTED][row]);
        part.costs[BILLED] += billed;
        part.billed_magnitude += billed.abs();
        part.costs[EFFECTIVE] += or_zero(costs[EFFECTIVE][row]);
        if flags.get(row).is_some_and(|flags| !flags.is_empty()) {
            part.flagged_rows += 1;
            part.flagged_billed += billed;
        }
    }
    let account = |key: u32| match accounts {
        Some(TextColumn::Coded { values, .. }) => values.get(key as usize).map(ToString::to_string),
        _ => None,
    };
    known.into_iter().map(|((period, key), at)| ((period, account(key)), running[at].sums())).collect()
}

impl Running {
    fn sums(self) -> PartSums {
        PartSums {
            rows: self.rows,
            list_cost: Amount::from_units(self.costs[LIST]),
            contracted_cost: Amount::from_units(self.costs[CONTRACTED]),
            billed_cost: Amount::from_units(self.costs[BILLED]),
            effective_cost: Amount::from_units(self.costs[EFFECTIVE]),
            billed_magnitude: Amount::from_units(self.billed_magnitude),
            flagged_rows: self.flagged_rows,
            flagged_billed: Amount::from_units(self.flagged_billed),
        }
    }
}

pub(super) fn by_flag(flags: &[Flags], billed: &[i128]) -> BTreeMap<Flag, FlagSums> {
    // Few sets occur, so rows are summed by set first.
    let mut sets: Vec<(Flags, u64, i128)> = Vec::new();
    for (&flags, &billed) in flags.iter().zip(billed).filter(|(flags, _)| !flags.is_empty()) {
        let at = sets.iter().position(|&(set, ..)| set == flags).unwrap_or_else(|| {
            sets.push((flags, 0, 0));
            sets.len() - 1
        });
        sets[at].1 += 1;
        sets[at].2 += billed;
    }
    let mut sums = BTreeMap::<Flag, FlagSums>::new();
    for (set, rows, billed) in sets {
        for flag in set.iter() {
            let sum = sums.entry(flag).or_default();
            sum.rows += rows;
            sum.billed_cost += Amount::from_units(billed);
        }
    }
    sums
}
