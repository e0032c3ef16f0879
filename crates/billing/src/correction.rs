//! What a delivery for a finalized period becomes: adjustments, billed in an open period.
//!
//! Statements and journals of a finalized period never change. A later delivery for it is held against what
//! was billed, the original charges plus every correction so far, and what differs becomes charges of its
//! own: for each charge that the provider identifies, and for each owner, the new amounts minus the old.
//! Adjustments keep the charge period of what they correct and point at it.

use std::collections::BTreeMap;

use money::Amount;
use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::attribution::Attribution;
use crate::decision::ChargeState;
use crate::{ChargeId, ContentDigest, Fingerprint, ImportId, Period, StatementNumber};

/// Columns that an adjustment has besides those of a charge.
pub const CORRECTS: &str = "x_corrects";
pub const CORRECTS_PERIOD: &str = "x_corrects_period";
pub const CORRECTS_FINGERPRINT: &str = "x_corrects_fingerprint";

/// What a billing account's adjustments are filed under, so that the account's ordinary deliveries do not
/// supersede them.
#[must_use]
pub fn account_of_corrections(account: &str, corrected: Period) -> String {
    format!("{account} (corrections of {corrected})").trim_start().to_owned()
}

/// The account that [`account_of_corrections`] made this name of.
#[must_use]
pub fn account_corrected<'a>(made: &'a str, corrected: &str) -> &'a str {
    made.strip_suffix(&format!("(corrections of {corrected})")).map_or(made, str::trim_end)
}

/// What an adjustment of a charge for `service` is called; with the statement that billed it, if one did.
#[must_use]
pub fn service_name(service: &str, corrected: Period, statement: Option<&StatementNumber>) -> String {
    match statement {
        Some(number) => format!("Correction of {corrected} ({number}): {service}"),
        None => format!("Correction of {corrected}: {service}"),
    }
}

/// The service that [`service_name`] made this name of.
#[must_use]
pub fn service_corrected<'a>(made: &'a str, corrected: &str) -> &'a str {
    let said =
        made.strip_prefix(&format!("Correction of {corrected}")).and_then(|rest| rest.split_once(": "));
    said.map_or(made, |(_, service)| service)
}

/// The service of a charge, whether or not it is a correction.
#[must_use]
pub fn corrected_service(name: &str) -> &str {
    let period = name.strip_prefix("Correction of ").and_then(|rest| rest.get(..7));
    period.map_or(name, |period| service_corrected(name, period))
}

/// Whether [`account_of_corrections`] made this name.
#[must_use]
pub fn is_of_corrections(account: &str) -> bool {
    account.ends_with(')') && account.contains("(corrections of ")
}

/// A charge on either side of the comparison.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Side {
    pub id: ChargeId,
    /// What identifies the charge to its provider; of an earlier correction, that of what it corrects.
    pub fingerprint: Fingerprint,
    /// List, contracted, billed and effective cost; `None` where the file has no value.
    pub costs: [Option<Amount>; 4],
    /// As the file says.
    pub delivered: Attribution,
    /// With the decisions laid over it: who was billed.
    pub owner: Attribution,
    pub state: ChargeState,
}

/// An amount that was billed too little (above zero) or too much (below) in a finalized period.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Adjustment {
    pub fingerprint: Fingerprint,
    pub owner: Attribution,
    /// New minus old; `None` where neither side has a value.
    pub costs: [Option<Amount>; 4],
    /// The charge that was billed; `None` for one that was never delivered before.
    pub corrects: Option<ChargeId>,
    /// The row of the new delivery that says so; `None` for a charge that is gone.
    pub said_by: Option<ChargeId>,
}

/// Which adjustments make what was billed (`original` plus `corrections`) what `new` says. In order of
/// fingerprint and owner; nothing where the two agree.
///
/// Who was billed pays or gets back: a new row whose file attribution is that of an original row belongs to
/// whoever that row was reassigned to. A charge whose original was rejected stays rejected. A correction
/// counts whatever was decided about it: what a person rejected is not proposed again.
#[must_use]
pub fn adjustments(original: &[Side], corrections: &[Side], new: &[Side]) -> Vec<Adjustment> {
    let mut charges: BTreeMap<Fingerprint, [Vec<&Side>; 3]> = BTreeMap::new();
    for (at, sides) in [original, corrections, new].into_iter().enumerate() {
        for side in sides {
            charges.entry(side.fingerprint).or_default()[at].push(side);
        }
    }
    charges.into_iter().flat_map(|(fingerprint, sides)| of_charge(fingerprint, &sides)).collect()
}

/// The sums of one owner, old and new.
#[derive(Default)]
struct Owed {
    costs: [Option<Amount>; 4],
    corrects: Option<ChargeId>,
    said_by: Option<ChargeId>,
}

fn of_charge(fingerprint: Fingerprint, [original, corrections, new]: &[Vec<&Side>; 3]) -> Vec<Adjustment> {
    let was_rejected = |side: &&Side| side.state == ChargeState::Rejected;
    if !original.is_empty() && original.iter().all(was_rejected) {
        return Vec::new();
    }
    // Attributions have no order of their own; their values have.
    let mut owed: BTreeMap<[Option<String>; Attribution::COUNT], (Attribution, Owed)> = BTreeMap::new();
    let mut add = |owner: &Attribution, side: &Side, sign: i128| -> () {
        let key = owner.values().map(|value| value.map(str::to_owned));
        let (_, owed) = owed.entry(key).or_insert_with(|| (owner.clone(), Owed::default()));
        for (sum, cost) in owed.costs.iter_mut().zip(filled(side.costs)) {
            if let Some(cost) = cost {
                *sum = Some(sum.unwrap_or(Amount::ZERO) + Amount::from_units(sign * cost.units()));
            }
        }
        if sign < 0 { &mut owed.corrects } else { &mut owed.said_by }.get_or_insert(side.id);
    };
    for side in original.iter().filter(|side| !was_rejected(side)) {
        add(&side.owner, side, -1);
    }
    for side in corrections {
        add(&side.owner, side, -1);
    }
    for side in new {
        let same = original.iter().find(|old| old.delivered == side.delivered);
        // Who used it is not who is billed: another user alone corrects nothing.
        let same =
            same.or_else(|| original.iter().find(|old| is_same_owner(&old.delivered, &side.delivered)));
        add(same.map_or(&side.owner, |old| &old.owner), side, 1);
    }
    let first = original.first().map(|side| side.id);
    owed.into_values()
        .filter(|(_, owed)| owed.costs.iter().flatten().any(|cost| *cost != Amount::ZERO))
        .map(|(owner, owed)| Adjustment {
            fingerprint,
            owner,
            costs: owed.costs,
            corrects: first.or(owed.corrects),
            said_by: owed.said_by,
        })
        .collect()
}

fn is_same_owner(one: &Attribution, other: &Attribution) -> bool {
    *one == Attribution { usage_user: one.usage_user.clone(), ..other.clone() }
}

/// Adjustments are identified by what they correct, and in which import and place among its adjustments, so
/// that a decision about one is never taken for a decision about the next.
#[must_use]
pub fn fingerprint(corrects: Fingerprint, import: ImportId, at: usize) -> Fingerprint {
    let mut bytes = [0; 24];
    bytes[..8].copy_from_slice(&corrects.0.to_le_bytes());
    bytes[8..16].copy_from_slice(&import.0.to_le_bytes());
    bytes[16..].copy_from_slice(&(at as u64).to_le_bytes());
    Fingerprint(xxh3_64_with_seed(&bytes, SEED))
}

/// A hash of what an adjustment says: costs and owner.
#[must_use]
pub fn content_digest(adjustment: &Adjustment) -> ContentDigest {
    let mut text = String::new();
    for (at, value) in adjustment.owner.values().into_iter().enumerate() {
        // The digests that the lake keeps are of the first nine; what came later counts where it is there.
        if at < 9 || value.is_some() {
            text.push_str(value.unwrap_or_default());
            text.push('\0');
        }
    }
    let mut bytes = text.into_bytes();
    for cost in adjustment.costs {
        bytes.extend(cost.map_or(i128::MIN, Amount::units).to_le_bytes());
    }
    ContentDigest(xxh3_64_with_seed(&bytes, SEED))
}

/// Version 1 of the two hashes, which the lake keeps: `OCC` and the version.
const SEED: u64 = 0x4F43_4301;

/// A cost that is missing counts as the billed cost, so that a difference is not taken for a price.
fn filled([list, contracted, billed, effective]: [Option<Amount>; 4]) -> [Option<Amount>; 4] {
    [list.or(billed), contracted.or(billed), billed, effective.or(billed)]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn owner(pi: &str) -> Attribution {
        Attribution { pi_email: Some(format!("{pi}@example.edu")), ..Attribution::default() }
    }

    fn side(id: &str, fingerprint: u64, list: &str, billed: &str, pi: &str) -> Side {
        let amount = |text: &str| (!text.is_empty()).then(|| text.parse().unwrap());
        let (import, row) = id.split_once(':').unwrap();
        Side {
            id: ChargeId { import: ImportId(import.parse().unwrap()), row: row.parse().unwrap() },
            fingerprint: Fingerprint(fingerprint),
            costs: [amount(list), None, amount(billed), None],
            delivered: owner(pi),
            owner: owner(pi),
            state: ChargeState::Billable,
        }
    }

    fn reassigned(mut side: Side, pi: &str) -> Side {
        side.owner = owner(pi);
        side
    }

    fn rejected(mut side: Side) -> Side {
        side.state = ChargeState::Rejected;
        side
    }

    fn told(adjustments: &[Adjustment]) -> String {
        let id = |id: Option<ChargeId>| id.map_or_else(|| "-".to_owned(), |id| id.to_string());
        let lines = adjustments.iter().map(|a| {
            let cost = |at: usize| a.costs[at].map_or_else(|| "-".to_owned(), |cost| cost.to_string());
            let pi = a.owner.pi_email.as_deref().unwrap_or("-").trim_end_matches("@example.edu");
            format!(
                "{pi} list {} billed {} corrects {} said by {}",
                cost(0),
                cost(2),
                id(a.corrects),
                id(a.said_by)
            )
        });
        lines.collect::<Vec<_>>().join("; ")
    }

    #[test]
    fn what_differs_is_adjusted() {
        let old = || side("1:1", 7, "10", "8", "ada");
        for (name, original, corrections, new, expected) in [
            ("nothing differs", vec![old()], vec![], vec![side("2:1", 7, "10", "8", "ada")], ""),
            (
                "dearer",
                vec![old()],
                vec![],
                vec![side("2:1", 7, "12", "9.5", "ada")],
                "ada list 2 billed 1.5 corrects 1:1 said by 2:1",
            ),
            ("gone", vec![old()], vec![], vec![], "ada list -10 billed -8 corrects 1:1 said by -"),
            (
                "never delivered before",
                vec![],
                vec![],
                vec![side("2:1", 7, "", "3", "bo")],
                "bo list 3 billed 3 corrects - said by 2:1",
            ),
            (
                "another owner in the file",
                vec![old()],
                vec![],
                vec![side("2:1", 7, "10", "8", "bo")],
                "ada list -10 billed -8 corrects 1:1 said by -; bo list 10 billed 8 corrects 1:1 said by 2:1",
            ),
            (
                "who was billed gets it back, not who the file names",
                vec![reassigned(old(), "cy")],
                vec![],
                vec![side("2:1", 7, "10", "7", "ada")],
                "cy list 0 billed -1 corrects 1:1 said by 2:1",
            ),
            (
                "rejected stays rejected",
                vec![rejected(old())],
                vec![],
                vec![side("2:1", 7, "10", "9", "ada")],
                "",
            ),
            (
                "corrected already",
                vec![old()],
                vec![side("2:5", 7, "2", "1.5", "ada")],
                vec![side("3:1", 7, "12", "9.5", "ada")],
                "",
            ),
            (
                "corrected, and again",
                vec![old()],
                vec![side("2:5", 7, "2", "1.5", "ada")],
                vec![side("3:1", 7, "10", "8", "ada")],
                "ada list -2 billed -1.5 corrects 1:1 said by 3:1",
            ),
            (
                "twins are one",
                vec![old(), side("1:2", 7, "10", "8", "ada")],
                vec![],
                vec![side("2:1", 7, "20", "16.5", "ada")],
                "ada list 0 billed 0.5 corrects 1:1 said by 2:1",
            ),
        ] {
            assert_eq!(told(&adjustments(&original, &corrections, &new)), expected, "{name}");
        }
    }

    fn any_side(import: i64) -> impl Strategy<Value = Side> {
        (1..4_u64, -500..500_i64, -500..500_i64, 0..3_usize, 1..9_i64).prop_map(
            move |(fingerprint, list, billed, pi, row)| {
                let id = format!("{import}:{row}");
                side(&id, fingerprint, &list.to_string(), &billed.to_string(), ["ada", "bo", "cy"][pi])
            },
        )
    }

    #[test]
    fn another_user_alone_corrects_nothing() {
        let used_by = |mut side: Side, user: &str| {
            side.delivered.usage_user = Some(user.to_owned());
            side.owner = side.delivered.clone();
            side
        };
        let old = [side("1:0", 7, "10", "10", "ada"), used_by(side("1:1", 7, "20", "20", "ada"), "bo")];
        let same = [
            used_by(side("2:0", 7, "20", "20", "ada"), "bo"),
            used_by(side("2:1", 7, "10", "10", "ada"), "cy"),
        ];
        assert_eq!(adjustments(&old, &[], &same), []);
        let more = [used_by(side("2:0", 7, "25", "25", "ada"), "bo"), side("2:1", 7, "10", "10", "ada")];
        let made = adjustments(&old, &[], &more);
        assert_eq!(made.len(), 1);
        assert_eq!(made[0].owner.usage_user.as_deref(), Some("bo"), "who used more of it");
    }

    proptest! {
        /// What was billed plus the adjustments is what the delivery says, for every cost.
        #[test]
        fn sums_become_those_of_the_delivery(
            original in prop::collection::vec(any_side(1), 0..8),
            corrections in prop::collection::vec(any_side(2), 0..4),
            new in prop::collection::vec(any_side(3), 0..8),
        ) {
            let sum = |sides: &[Side], at: usize| -> Amount {
                sides.iter().filter_map(|side| filled(side.costs)[at]).sum()
            };
            let made = adjustments(&original, &corrections, &new);
            for at in [0, 2] {
                let adjusted: Amount = made.iter().filter_map(|a| a.costs[at]).sum();
                prop_assert_eq!(sum(&original, at) + sum(&corrections, at) + adjusted, sum(&new, at));
            }
            // Said again after it was billed, it changes nothing.
            let billed: Vec<Side> = made.iter().map(|a| Side {
                id: ChargeId { import: ImportId(4), row: 1 },
                fingerprint: a.fingerprint,
                costs: a.costs,
                delivered: a.owner.clone(),
                owner: a.owner.clone(),
                state: ChargeState::Billable,
            }).collect();
            let corrections: Vec<Side> = corrections.into_iter().chain(billed).collect();
            prop_assert_eq!(adjustments(&original, &corrections, &new), vec![]);
        }
    }
}
