//! Charges after the award that pays has ended, where it is said who pays then: the fallback fund is charged
//! instead, and the charge says which fund it stands in for and since when.
//!
//! Two ends are meant by the tags. `end_date` is the last day of use: a charge period that begins later is
//! never the award's. `reconciliation_end` is the last day on which what was used in time is still taken: a
//! billing period that begins later is too late, whenever the use was.

use std::collections::HashMap;

use crate::intake::Intake;
use crate::intake::owners::Owners;
use crate::intake::tags::{AwardEnd, Tagged};
use crate::intake::text;
use crate::intake::times::Times;

/// `None` where no charge of the block falls back.
pub(super) fn fallbacks(intake: &Intake, tagged: &Tagged<'_>, times: &Times) -> Option<Owners> {
    if !tagged.meanings().iter().any(|meaning| meaning.has_fallback()) {
        return None;
    }
    let mut known: HashMap<(u32, Option<AwardEnd>), u32> = HashMap::new();
    let mut owners = Owners::new(tagged.has_table, tagged.codes.len());
    let (mut meanings, mut falls) = (Vec::new(), false);
    for (row, &code) in tagged.codes.iter().enumerate() {
        let meaning = tagged.meaning(code);
        let end = meaning.ended(times.columns[2][row], times.periods[row]).filter(|_| meaning.has_fallback());
        falls |= end.is_some();
        owners.codes.push(*known.entry((code, end)).or_insert_with(|| {
            meanings.push(match end {
                Some(end) => meaning.fallen_back(intake, end),
                None => meaning.clone(),
            });
            text::key(meanings.len() - 1)
        }));
    }
    owners.meanings = meanings;
    falls.then_some(owners)
}
