//! What a further delivery of a source means for the ones before it: added, superseding, or unclear.

use money::Amount;
use serde::{Deserialize, Serialize};

use crate::settings::Delivery;
use crate::{ImportId, Period};

/// What is live or superseded: an import's charges of one period and billing account.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct PartKey {
    pub import: ImportId,
    pub period: Period,
    /// `BillingAccountId`; empty where the file has none.
    pub account: String,
}

/// What was found when a delivery was held against one earlier live import of its source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EarlierImport {
    pub import: ImportId,
    /// Its live parts in the periods of the new delivery.
    pub parts: Vec<PartKey>,
    pub same_file_name: bool,
    /// Charges of the new delivery with equal resource, service and SKU and an intersecting period.
    pub overlapping: u64,
    /// Of `fingerprints` in those parts, how many the new delivery has too.
    pub kept: u64,
    pub fingerprints: u64,
}

impl EarlierImport {
    /// Not held against anything yet: nothing of it is there again.
    #[must_use]
    pub fn new(import: ImportId, parts: Vec<PartKey>) -> EarlierImport {
        EarlierImport { import, parts, same_file_name: false, overlapping: 0, kept: 0, fingerprints: 0 }
    }
}

/// What the person who imports has said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Choice {
    Automatic,
    Replace(ImportId),
    Append,
}

/// The delivery overlaps an earlier one, and nothing says which of the two counts.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the delivery overlaps import {} in {} charges, and it is not clear which of the two counts", .0.import, .0.overlapping)]
pub struct Unclear(pub EarlierImport);

/// Which parts a delivery supersedes (design, "Importing again"). `accounts` are the period × billing
/// account pairs of the new delivery.
///
/// # Errors
/// [`Unclear`] when the source's `delivery` is `ask` and the overlap is neither none nor a corrected copy.
pub fn superseded(
    delivery: Delivery,
    choice: Choice,
    accounts: &[(Period, String)],
    earlier: &[EarlierImport],
) -> Result<Vec<PartKey>, Unclear> {
    let of_same_accounts = |import: &EarlierImport| -> Vec<PartKey> {
        let covered = |part: &&PartKey| accounts.iter().any(|(p, a)| *p == part.period && *a == part.account);
        import.parts.iter().filter(covered).cloned().collect()
    };
    match (choice, delivery) {
        (Choice::Replace(id), _) => {
            let replaced = earlier.iter().filter(|import| import.import == id);
            Ok(replaced.flat_map(|import| import.parts.clone()).collect())
        }
        (Choice::Append, _) | (Choice::Automatic, Delivery::Increment) => Ok(Vec::new()),
        (Choice::Automatic, Delivery::Snapshot) => Ok(earlier.iter().flat_map(of_same_accounts).collect()),
        (Choice::Automatic, Delivery::Ask) => {
            let mut parts = Vec::new();
            for import in earlier.iter().filter(|import| 0 < import.overlapping || is_corrected_copy(import))
            {
                if !is_corrected_copy(import) {
                    return Err(Unclear(import.clone()));
                }
                parts.extend(import.parts.clone());
            }
            Ok(parts)
        }
    }
}

/// The same file name, and at least nine tenths of what was there is there again.
fn is_corrected_copy(import: &EarlierImport) -> bool {
    import.same_file_name && 0 < import.kept && import.fingerprints * 9 <= import.kept * 10
}

/// How much a set of charges is: for the guard against deliveries that lost most of their content.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Size {
    pub rows: u64,
    /// Σ|`billed_cost`|.
    pub billed: Amount,
}

impl FromIterator<(u64, Amount)> for Size {
    /// From rows and `Σ|billed_cost`| of parts.
    fn from_iter<I: IntoIterator<Item = (u64, Amount)>>(parts: I) -> Size {
        parts.into_iter().fold(Size::default(), |size, (rows, billed)| Size {
            rows: size.rows + rows,
            billed: size.billed + billed,
        })
    }
}

/// A delivery that is empty, or loses more than half of the rows or of Σ|billed| that it supersedes,
/// counts only when someone insists.
#[must_use]
pub fn is_suspiciously_small(new: Size, superseded: Size) -> bool {
    let lost_half = |new: i128, old: i128| new * 2 < old;
    new.rows == 0
        || lost_half(i128::from(new.rows), i128::from(superseded.rows))
        || lost_half(new.billed.units(), superseded.billed.units())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn january() -> Period {
        Period::new(2025, 1).unwrap()
    }

    fn part(import: i64, account: &str) -> PartKey {
        PartKey { import: ImportId(import), period: january(), account: account.to_owned() }
    }

    fn earlier(import: i64, same_file_name: bool, overlapping: u64, kept: u64) -> EarlierImport {
        let parts = vec![part(import, "a"), part(import, "b")];
        EarlierImport { import: ImportId(import), parts, same_file_name, overlapping, kept, fingerprints: 10 }
    }

    #[test]
    fn which_parts_a_delivery_supersedes() {
        let of_a = [(january(), "a".to_owned())];
        let both = vec![part(1, "a"), part(1, "b")];
        for (delivery, choice, import, expected) in [
            (Delivery::Snapshot, Choice::Automatic, earlier(1, false, 0, 0), Ok(vec![part(1, "a")])),
            (Delivery::Increment, Choice::Automatic, earlier(1, true, 10, 10), Ok(vec![])),
            (Delivery::Ask, Choice::Automatic, earlier(1, true, 0, 0), Ok(vec![])),
            (Delivery::Ask, Choice::Automatic, earlier(1, true, 10, 9), Ok(both.clone())),
            (Delivery::Ask, Choice::Automatic, earlier(1, true, 10, 8), Err(())),
            (Delivery::Ask, Choice::Automatic, earlier(1, false, 10, 10), Err(())),
            (Delivery::Ask, Choice::Append, earlier(1, false, 10, 10), Ok(vec![])),
            (Delivery::Ask, Choice::Replace(ImportId(1)), earlier(1, false, 10, 1), Ok(both)),
            (Delivery::Ask, Choice::Replace(ImportId(2)), earlier(1, false, 10, 1), Ok(vec![])),
        ] {
            let found = superseded(delivery, choice, &of_a, std::slice::from_ref(&import));
            assert_eq!(found.map_err(|_| ()), expected, "{delivery:?} {choice:?} {import:?}");
        }
    }

    #[test]
    fn a_delivery_that_lost_most_is_suspicious() {
        let size = |rows, billed: &str| Size { rows, billed: billed.parse().unwrap() };
        for (new, old, suspicious) in [
            (size(0, "0"), size(0, "0"), true),
            (size(1, "5"), size(0, "0"), false),
            (size(5, "50"), size(10, "100"), false),
            (size(4, "100"), size(10, "100"), true),
            (size(10, "49.99"), size(10, "100"), true),
            (size(10, "0"), size(10, "0"), false),
        ] {
            assert_eq!(is_suspiciously_small(new, old), suspicious, "{new:?} after {old:?}");
        }
    }
}
