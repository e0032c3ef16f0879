//! Charges, in columns: what [`intake`](crate::intake) makes of a block of delivered rows and what the
//! lake writes. Facts: costs stay as delivered, and text stays text.

use crate::Period;

/// A block of charges of one import, column by column. All columns have [`rows`](ChargeColumns::rows)
/// entries.
#[derive(Clone, Debug, Default)]
pub struct ChargeColumns {
    pub rows: usize,
    /// Number of the charge in its import, from 1, through all files.
    pub row: Vec<i64>,
    /// Which file of the delivery, from 0.
    pub file: u32,
    /// Line of the file where the row begins, from 1 (the header is line 1). For Parquet: row + 1.
    pub line: Vec<i64>,
    /// Where the row begins in the (decompressed) file, in bytes; its length with the line end.
    pub byte_offset: Vec<i64>,
    pub byte_len: Vec<i32>,
    /// The billing period each row belongs to.
    pub period: Vec<Period>,
    /// Names in [`COSTS`] order; `None` where the file had no value. Exact, as delivered.
    pub costs: [AmountColumn; 4],
    /// Names in [`TIMES`] order, microseconds since 1970 UTC, ends exclusive.
    pub times: [TimeColumn; 4],
    /// Attribution ([`Attribution::FIELDS`](crate::attribution::Attribution::FIELDS)), `flags` (as
    /// [`Flags`](crate::Flags) text, null when there are none), `flag_detail` (which pattern, in
    /// words), `tags` (text as delivered), and every other FOCUS, `x_` or `oci_` column that the file
    /// has, by snake-case name (`service_name`, `x_service_code`).
    pub text: Vec<(String, TextColumn)>,
    /// FOCUS quantities and unit prices, by snake-case name (`consumed_quantity`).
    pub numbers: Vec<(String, AmountColumn)>,
    pub fingerprint: Vec<u64>,
    pub content_digest: Vec<u64>,
    /// A hash of resource, service and SKU: two charges with an equal key and intersecting charge
    /// periods overlap (see the design, "Importing again").
    pub overlap_key: Vec<u64>,
}

pub const COSTS: [&str; 4] = ["list_cost", "contracted_cost", "billed_cost", "effective_cost"];
pub const TIMES: [&str; 4] =
    ["billing_period_start", "billing_period_end", "charge_period_start", "charge_period_end"];

/// Exact decimals as [`Amount::units`](money::Amount::units) (10⁻¹⁸). A null is [`AmountColumn::NULL`].
#[derive(Clone, Debug, Default)]
pub struct AmountColumn(pub Vec<i128>);

impl AmountColumn {
    pub const NULL: i128 = i128::MIN;
}

/// Microseconds since 1970 UTC. A null is [`TimeColumn::NULL`].
#[derive(Clone, Debug, Default)]
pub struct TimeColumn(pub Vec<i64>);

impl TimeColumn {
    pub const NULL: i64 = i64::MIN;
}

/// Text. Coded where few values repeat (most columns), plain where nearly every row differs.
#[derive(Clone, Debug)]
pub enum TextColumn {
    /// `keys[row]` indexes `values`, or is [`TextColumn::NULL_KEY`]. Every value stands once.
    Coded { keys: Vec<u32>, values: Vec<Box<str>> },
    /// `bytes[ends[row - 1]..ends[row]]`, UTF-8; empty is null.
    Plain { ends: Vec<u32>, bytes: Vec<u8> },
}

impl TextColumn {
    pub const NULL_KEY: u32 = u32::MAX;

    #[must_use]
    pub fn get(&self, row: usize) -> Option<&str> {
        match self {
            TextColumn::Coded { keys, values } => {
                values.get(usize::try_from(keys[row]).ok()?).map(AsRef::as_ref)
            }
            TextColumn::Plain { ends, bytes } => {
                let start = if row == 0 { 0 } else { ends[row - 1] };
                let text = std::str::from_utf8(&bytes[start as usize..ends[row] as usize]).ok()?;
                (!text.is_empty()).then_some(text)
            }
        }
    }
}
