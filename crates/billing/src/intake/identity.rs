//! What a charge is (fingerprint), what it says (content digest), and what it is for (overlap key).
//!
//! All three are XXH3-64 with the seed [`SEED`] and are kept in the lake and in decisions: they are a
//! format. Whoever changes what goes in must change the seed and say how old decisions are carried over.
//!
//! - *Fingerprint*: for each of these that a charge has, in this order, its number (1 byte) and 8 bytes,
//!   little-endian: 1 the hash of the source's [key](crate::SourceName::key), 2 the billing period's
//!   [code](crate::Period::code), 3 and 4 start and end of the charge period in microseconds, then by
//!   the numbers of [`IDENTITY`] the hash of the text. The charge description (31) counts only where
//!   there is neither resource nor SKU: there it is what tells one credit from another, elsewhere it is
//!   prose with prices in it.
//! - *Content digest*: list, contracted, billed and effective cost (16 bytes each, little-endian units
//!   of 10⁻¹⁸; null is −2¹²⁷), the hash of the attribution, the hash of the flags' text.
//! - *Overlap key*: the hashes of resource, service and SKU, 8 bytes each, zero where there is none.
//!
//! Widths are fixed and fields are numbered, so no two lists of fields are the same bytes.

use focus::FocusColumn;
use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::charge::TextColumn;
use crate::intake::file::Kept;

/// Version 1 of the format: `OCB` and the version.
pub(super) const SEED: u64 = 0x4F43_4201;

const RESOURCE: u8 = 12;
const SKU: u8 = 13;
const SERVICE: u8 = 15;
const DESCRIPTION: u8 = 31;

/// The texts that identify a charge to its provider, by their numbers in the format.
const IDENTITY: [(u8, FocusColumn); 17] = [
    (10, FocusColumn::BillingAccountId),
    (11, FocusColumn::SubAccountId),
    (RESOURCE, FocusColumn::ResourceId),
    (SKU, FocusColumn::SkuId),
    (14, FocusColumn::SkuPriceId),
    (SERVICE, FocusColumn::ServiceName),
    (16, FocusColumn::RegionId),
    (17, FocusColumn::ChargeCategory),
    (18, FocusColumn::ChargeClass),
    (19, FocusColumn::PricingCategory),
    (20, FocusColumn::CommitmentDiscountId),
    (21, FocusColumn::CommitmentDiscountStatus),
    (22, FocusColumn::CapacityReservationId),
    (23, FocusColumn::CapacityReservationStatus),
    (24, FocusColumn::AllocatedResourceId),
    (25, FocusColumn::InvoiceIssuerName),
    (DESCRIPTION, FocusColumn::ChargeDescription),
];
/// The source, the billing period, two times, the texts, and a provider's own reference.
const FIELDS_MAX: usize = 4 + IDENTITY.len() + 1;
/// OCI numbers its rows; there is no FOCUS column for it.
const REFERENCE: (u8, &str) = (30, "oci_reference_number");

/// The hash of one text, never zero.
pub(super) fn text_hash(text: &str) -> u64 {
    xxh3_64_with_seed(text.as_bytes(), SEED).max(1)
}

/// Hashes of a column's texts by row; zero is null.
enum Hashes<'a> {
    Coded { keys: &'a [u32], by_key: Vec<u64> },
    Plain(Vec<u64>),
    Absent,
}

impl<'a> Hashes<'a> {
    fn of(column: &'a TextColumn) -> Hashes<'a> {
        match column {
            TextColumn::Coded { keys, values } => {
                Hashes::Coded { keys, by_key: values.iter().map(|value| text_hash(value)).collect() }
            }
            TextColumn::Plain { ends, .. } => {
                Hashes::Plain((0..ends.len()).map(|row| column.get(row).map_or(0, text_hash)).collect())
            }
        }
    }

    #[inline]
    fn get(&self, row: usize) -> u64 {
        match self {
            // The null key is beyond every value.
            Hashes::Coded { keys, by_key } => by_key.get(keys[row] as usize).copied().unwrap_or(0),
            Hashes::Plain(hashes) => hashes[row],
            Hashes::Absent => 0,
        }
    }
}

/// The hashes of a block's identifying texts.
pub(super) struct Identity<'a> {
    source: u64,
    /// Those that the file has, by number.
    texts: Vec<(u8, Hashes<'a>)>,
    description: Hashes<'a>,
}

impl<'a> Identity<'a> {
    /// `columns` are those of `kept`, in the same order.
    pub fn of(source: u64, kept: &[Kept], columns: &'a [(String, TextColumn)]) -> Identity<'a> {
        let mut identity = Identity { source, texts: Vec::new(), description: Hashes::Absent };
        for (kept, (name, column)) in kept.iter().zip(columns) {
            let number = match kept.focus {
                Some(focus) => {
                    IDENTITY.iter().find(|(_, identifying)| *identifying == focus).map(|(n, _)| *n)
                }
                None => (name == REFERENCE.1).then_some(REFERENCE.0),
            };
            match number {
                Some(DESCRIPTION) => identity.description = Hashes::of(column),
                Some(number) => identity.texts.push((number, Hashes::of(column))),
                None => {}
            }
        }
        identity.texts.sort_unstable_by_key(|&(number, _)| number);
        identity
    }

    /// Fingerprint and overlap key of a row.
    pub fn of_row(&self, row: usize, period: i32, start: i64, end: i64) -> (u64, u64) {
        let mut fields = Fields::default();
        fields.push(1, self.source);
        fields.push(2, i64::from(period).cast_unsigned());
        fields.push(3, start.cast_unsigned());
        fields.push(4, end.cast_unsigned());
        let mut overlap = [0_u64; 3];
        for (number, hashes) in &self.texts {
            let hash = hashes.get(row);
            if hash == 0 {
                continue;
            }
            fields.push(*number, hash);
            match *number {
                RESOURCE => overlap[0] = hash,
                SERVICE => overlap[1] = hash,
                SKU => overlap[2] = hash,
                _ => {}
            }
        }
        if overlap[0] == 0 && overlap[2] == 0 && self.description.get(row) != 0 {
            fields.push(DESCRIPTION, self.description.get(row));
        }
        let mut key = [0; 24];
        for (bytes, hash) in key.chunks_exact_mut(8).zip(overlap) {
            bytes.copy_from_slice(&hash.to_le_bytes());
        }
        (fields.hash(), xxh3_64_with_seed(&key, SEED))
    }
}

/// Numbered fields of eight bytes, as the fingerprint hashes them.
struct Fields {
    bytes: [u8; 9 * FIELDS_MAX],
    len: usize,
}

impl Default for Fields {
    fn default() -> Fields {
        Fields { bytes: [0; 9 * FIELDS_MAX], len: 0 }
    }
}

impl Fields {
    #[inline]
    fn push(&mut self, number: u8, value: u64) {
        let field = &mut self.bytes[self.len..self.len + 9];
        field[0] = number;
        field[1..].copy_from_slice(&value.to_le_bytes());
        self.len += 9;
    }

    fn hash(&self) -> u64 {
        xxh3_64_with_seed(&self.bytes[..self.len], SEED)
    }
}

/// The content digest of a charge.
#[inline]
pub(super) fn content_digest(costs: [i128; 4], attribution: u64, flags: u64) -> u64 {
    let mut bytes = [0; 80];
    for (place, cost) in bytes.chunks_exact_mut(16).zip(costs) {
        place.copy_from_slice(&cost.to_le_bytes());
    }
    bytes[64..72].copy_from_slice(&attribution.to_le_bytes());
    bytes[72..].copy_from_slice(&flags.to_le_bytes());
    xxh3_64_with_seed(&bytes, SEED)
}
