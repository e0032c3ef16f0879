//! Whether two readings of the same bytes came to the same charges, without keeping either.

use std::collections::BTreeMap;

use xxhash_rust::xxh3::xxh3_128;

use crate::charge::{ChargeColumns, TextColumn};
use crate::intake::PartKey;

/// A digest of the charges of a part, whatever order they come in: the sum of a hash of each one's place
/// (file and line), fingerprint and content digest. It finds what differs by accident; what was changed on
/// purpose is found by the SHA-256 of the files.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PartIdentity {
    pub rows: u64,
    pub digest: u128,
}

impl PartIdentity {
    pub fn add(&mut self, file: i64, line: i64, fingerprint: u64, content_digest: u64) {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&file.to_le_bytes());
        bytes[8..16].copy_from_slice(&line.to_le_bytes());
        bytes[16..24].copy_from_slice(&fingerprint.to_le_bytes());
        bytes[24..].copy_from_slice(&content_digest.to_le_bytes());
        self.rows += 1;
        self.digest = self.digest.wrapping_add(xxh3_128(&bytes));
    }

    pub fn merge(&mut self, other: &PartIdentity) {
        self.rows += other.rows;
        self.digest = self.digest.wrapping_add(other.digest);
    }
}

/// The identities of the parts in a block of charges.
#[must_use]
pub fn identities(columns: &ChargeColumns) -> BTreeMap<PartKey, PartIdentity> {
    let accounts =
        columns.text.iter().find(|(name, _)| name == "billing_account_id").map(|(_, column)| column);
    let account = |row: usize| accounts.and_then(|column: &TextColumn| column.get(row));
    let file = i64::from(columns.file);
    let mut parts: BTreeMap<PartKey, PartIdentity> = BTreeMap::new();
    let mut run = None;
    for row in 0..columns.rows {
        let key = (columns.period[row], account(row));
        let (known, mut identity) = match run.take() {
            Some((known, identity)) if known == key => (known, identity),
            Some((known, identity)) => {
                keep(&mut parts, known, &identity);
                (key, PartIdentity::default())
            }
            None => (key, PartIdentity::default()),
        };
        identity.add(file, columns.line[row], columns.fingerprint[row], columns.content_digest[row]);
        run = Some((known, identity));
    }
    if let Some((known, identity)) = run {
        keep(&mut parts, known, &identity);
    }
    parts
}

fn keep(
    parts: &mut BTreeMap<PartKey, PartIdentity>,
    (period, account): (crate::Period, Option<&str>),
    identity: &PartIdentity,
) {
    parts.entry((period, account.map(str::to_owned))).or_default().merge(identity);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(charges: &[(i64, i64, u64, u64)]) -> PartIdentity {
        let mut identity = PartIdentity::default();
        for &(file, line, fingerprint, content) in charges {
            identity.add(file, line, fingerprint, content);
        }
        identity
    }

    #[test]
    fn the_order_of_charges_does_not_matter_and_their_content_does() {
        let one = digest(&[(0, 2, 7, 8), (0, 3, 7, 8)]);
        assert_eq!(one, digest(&[(0, 3, 7, 8), (0, 2, 7, 8)]));
        let others: [&[(i64, i64, u64, u64)]; 5] = [
            &[(0, 2, 7, 8)],
            &[(0, 2, 7, 8), (0, 4, 7, 8)],
            &[(0, 2, 7, 8), (1, 3, 7, 8)],
            &[(0, 2, 7, 8), (0, 3, 8, 7)],
            &[(0, 2, 7, 8), (0, 3, 7, 9)],
        ];
        for other in others {
            assert_ne!(one, digest(other), "{other:?}");
        }
    }
}
