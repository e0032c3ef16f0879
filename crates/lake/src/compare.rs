//! Deliveries beside each other: what changed, what overlaps, and where a charge of one is in the other.
//! Both sides are sorted by hash and walked together, a range of hashes at a time, so that memory does not
//! grow with the deliveries.

use std::collections::{HashMap, HashSet};
use std::ops::RangeInclusive;

use arrow::datatypes::DataType;
use billing::{ChargeId, ContentDigest, Fingerprint, ImportId};
use datafusion::prelude::{Expr, cast, ident};
use futures::StreamExt;
use money::Amount;
use serde::Serialize;

use crate::decode::Batch;
use crate::filter::Filter;
use crate::{LakeError, TotalsRow, View};

/// Rows and their sums.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Side {
    pub rows: u64,
    pub billed_cost: Amount,
    /// On the source's billing basis.
    pub cost: Amount,
}

/// What a delivery changes against an earlier one. Charges are the same if their fingerprints are; among
/// twins, those with equal content first, then in order of cost and row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Difference {
    pub before: Side,
    pub after: Side,
    pub added: Side,
    pub gone: Side,
    /// Charges that stayed and whose cost, attribution or flags are others.
    pub changed_before: Side,
    pub changed_after: Side,
}

/// Charges of a delivery for a resource, service and SKU that an earlier one has for the same time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Overlap {
    /// Charges of the new delivery that overlap.
    pub rows: u64,
    /// Some of them: new and old.
    pub samples: Vec<(ChargeId, ChargeId)>,
}

/// How many of the old charges the new delivery has again, by fingerprint.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KeptShare {
    pub kept: u64,
    pub of: u64,
}

impl KeptShare {
    /// `kept / of ≥ tenths / 10`.
    pub fn is_at_least_tenths(self, tenths: u64) -> bool {
        self.kept * 10 >= self.of * tenths
    }
}

/// Where a fingerprint is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Located {
    pub fingerprint: Fingerprint,
    /// Among the twins of its import, from 0, in order of billed cost and row.
    pub ordinal: u32,
    pub id: ChargeId,
    pub content_digest: ContentDigest,
}

const SAMPLES: usize = 10;

impl View {
    /// What `new` changes against `old`.
    pub async fn compare(old: &View, new: &View) -> Result<Difference, LakeError> {
        let (before, after) = (old.side().await?, new.side().await?);
        let mut difference = Difference { before, after, ..Difference::default() };
        let changed = View::changed(old, new).await?;
        for changed in changed.chunks(AT_ONCE / 2) {
            let is_changed = |key| changed.binary_search(&Fingerprint(key)).is_ok();
            let (old, new) = (old.twins(is_changed).await?, new.twins(is_changed).await?);
            walk(&old, &new, |_, old, new| difference.add(values(old), values(new)));
        }
        Ok(difference)
    }

    /// The fingerprints of which the two do not have the same charges with the same content, in order.
    pub async fn changed(old: &View, new: &View) -> Result<Vec<Fingerprint>, LakeError> {
        let mut changed = Vec::new();
        for keys in ranges(old, new, AT_ONCE * 2) {
            let is_meant = |key| keys.contains(&key);
            let (old, new) = (old.contents(is_meant).await?, new.contents(is_meant).await?);
            walk(&old, &new, |key, old, new| {
                if old != new {
                    changed.push(Fingerprint(key));
                }
            });
        }
        Ok(changed)
    }

    /// How many of `old`'s charges `new` has.
    pub async fn kept_share(old: &View, new: &View) -> Result<KeptShare, LakeError> {
        let mut share = KeptShare::default();
        for keys in ranges(old, new, AT_ONCE * 4) {
            let is_meant = |key| keys.contains(&key);
            let (old, new) = (old.fingerprints(is_meant).await?, new.fingerprints(is_meant).await?);
            walk(&old, &new, |_, old, new| {
                share.of += old.len() as u64;
                share.kept += old.len().min(new.len()) as u64;
            });
        }
        Ok(share)
    }

    /// Charges of `new` with the overlap key of a charge of `old` and an intersecting charge period.
    pub async fn overlap(old: &View, new: &View) -> Result<Overlap, LakeError> {
        let mut overlap = Overlap::default();
        for keys in ranges(old, new, AT_ONCE) {
            let is_meant = |key| keys.contains(&key);
            let (old, new) = (old.times(is_meant).await?, new.times(is_meant).await?);
            walk(&old, &new, |_, old, new| overlap.add(values(old), values(new)));
        }
        Ok(overlap)
    }

    /// Where the charges with these fingerprints are, by fingerprint, import and ordinal.
    pub async fn locate(&self, fingerprints: &[u64]) -> Result<Vec<Located>, LakeError> {
        let wanted: HashSet<u64> = fingerprints.iter().copied().collect();
        let mut found: Vec<(u64, Amount, ChargeId, u64)> = Vec::new();
        if wanted.is_empty() {
            return Ok(Vec::new());
        }
        let columns = ["fingerprint", "content_digest", "import", "row", "billed_cost"].map(ident);
        let mut batches = self.rows(&Filter::default())?.select(columns.to_vec())?.execute_stream().await?;
        while let Some(batch) = batches.next().await {
            let batch = Batch(batch?);
            let (hashes, digests) = (batch.hashes("fingerprint")?, batch.hashes("content_digest")?);
            let (ids, costs) = (Ids::of(&batch)?, batch.amounts("billed_cost")?);
            found.extend(
                (0..batch.rows())
                    .filter(|&row| wanted.contains(&hashes.value(row)))
                    .map(|row| (hashes.value(row), costs.or_zero(row), ids.get(row), digests.value(row))),
            );
        }
        found.sort_unstable_by_key(|&(hash, cost, id, _)| (hash, id.import, cost, id.row));
        let mut twins: HashMap<(u64, ImportId), u32> = HashMap::new();
        let located = found.into_iter().map(|(hash, _, id, digest)| {
            let next = twins.entry((hash, id.import)).or_default();
            let ordinal = *next;
            *next += 1;
            let (fingerprint, content_digest) = (Fingerprint(hash), ContentDigest(digest));
            Located { fingerprint, ordinal, id, content_digest }
        });
        Ok(located.collect())
    }

    async fn side(&self) -> Result<Side, LakeError> {
        let totals = self.totals(&[], &Filter::default()).await?;
        let side = |row: &TotalsRow| Side { rows: row.rows, billed_cost: row.billed_cost, cost: row.cost };
        Ok(totals.first().map(side).unwrap_or_default())
    }

    async fn twins(&self, is_meant: impl Fn(u64) -> bool) -> Result<Keyed<Twin>, LakeError> {
        let columns = vec![
            ident("fingerprint").alias("key"),
            ident("content_digest"),
            ident("billed_cost"),
            self.columns.cost().alias("_cost"),
            ident("import"),
            ident("row"),
        ];
        self.keyed(columns, is_meant, Twin::decode).await
    }

    async fn contents(&self, is_meant: impl Fn(u64) -> bool) -> Result<Keyed<u64>, LakeError> {
        let decode = |batch: &Batch| Ok(batch.hashes("content_digest")?.values().to_vec());
        self.keyed(vec![ident("fingerprint").alias("key"), ident("content_digest")], is_meant, decode).await
    }

    async fn fingerprints(&self, is_meant: impl Fn(u64) -> bool) -> Result<Keyed<()>, LakeError> {
        let decode = |batch: &Batch| Ok(vec![(); batch.rows()]);
        self.keyed(vec![ident("fingerprint").alias("key")], is_meant, decode).await
    }

    /// When which resource is charged for: overlap key, start and end of the charge period.
    ///
    /// # Errors
    /// What could not be read.
    pub async fn charge_periods(&self) -> Result<Vec<(u64, i64, i64)>, LakeError> {
        let spans = self.times(|_| true).await?;
        Ok(spans.into_iter().map(|(key, span)| (key, span.start, span.end)).collect())
    }

    async fn times(&self, is_meant: impl Fn(u64) -> bool) -> Result<Keyed<Span>, LakeError> {
        let time = |name: &str| cast(ident(name), DataType::Int64).alias(format!("_{name}"));
        let columns = vec![
            ident("overlap_key").alias("key"),
            time("charge_period_start"),
            time("charge_period_end"),
            ident("import"),
            ident("row"),
        ];
        self.keyed(columns, is_meant, Span::decode).await
    }

    /// The rows whose `key` is meant, in order of key and value.
    async fn keyed<T: Ord>(
        &self,
        columns: Vec<Expr>,
        is_meant: impl Fn(u64) -> bool,
        decode: fn(&Batch) -> Result<Vec<T>, LakeError>,
    ) -> Result<Keyed<T>, LakeError> {
        let mut batches = self.rows(&Filter::default())?.select(columns)?.execute_stream().await?;
        let mut keyed = Vec::new();
        while let Some(batch) = batches.next().await {
            let batch = Batch(batch?);
            let values = decode(&batch)?;
            let keys = batch.hashes("key")?.values().iter().copied();
            keyed.extend(keys.zip(values).filter(|(key, _)| is_meant(*key)));
        }
        keyed.sort_unstable();
        Ok(keyed)
    }
}

/// Rows with their hashes, in order.
type Keyed<T> = Vec<(u64, T)>;

/// About so many rows with all that is compared are in memory at a time.
const AT_ONCE: usize = 1 << 20;

/// The range of hashes, cut so that each piece has about so many rows of the two; hashes spread evenly.
fn ranges(old: &View, new: &View, at_once: usize) -> Vec<RangeInclusive<u64>> {
    let rows = old.rows_of_files() + new.rows_of_files();
    let pieces = rows.div_ceil(at_once as u64).max(1);
    let width = u64::MAX / pieces;
    let piece = |at: u64| {
        let last = if at + 1 == pieces { u64::MAX } else { (at + 1) * width - 1 };
        at * width..=last
    };
    (0..pieces).map(piece).collect()
}

/// Hand over the rows of each key of either side, together.
fn walk<T>(mut old: &[(u64, T)], mut new: &[(u64, T)], mut each: impl FnMut(u64, &[(u64, T)], &[(u64, T)])) {
    let first = |rows: &[(u64, T)]| rows.first().map(|&(key, _)| key);
    while let Some(key) = first(old).into_iter().chain(first(new)).min() {
        each(key, take(&mut old, key), take(&mut new, key));
    }
}

/// The next rows, as far as they have this key.
fn take<'a, T>(rows: &mut &'a [(u64, T)], key: u64) -> &'a [(u64, T)] {
    let end = rows.iter().position(|&(other, _)| other != key).unwrap_or(rows.len());
    let (taken, left) = rows.split_at(end);
    *rows = left;
    taken
}

fn values<T: Copy>(rows: &[(u64, T)]) -> Vec<T> {
    rows.iter().map(|&(_, value)| value).collect()
}

struct Ids<'a>(&'a arrow::array::Int64Array, &'a arrow::array::Int64Array);

impl Ids<'_> {
    fn of(batch: &Batch) -> Result<Ids<'_>, LakeError> {
        Ok(Ids(batch.integers("import")?, batch.integers("row")?))
    }

    fn get(&self, row: usize) -> ChargeId {
        ChargeId { import: ImportId(self.0.value(row)), row: self.1.value(row) }
    }
}

/// In order of billed cost and row.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Twin {
    billed: Amount,
    id: ChargeId,
    digest: u64,
    cost: Amount,
}

impl Twin {
    fn decode(batch: &Batch) -> Result<Vec<Twin>, LakeError> {
        let digests = batch.hashes("content_digest")?;
        let (billed, cost) = (batch.amounts("billed_cost")?, batch.amounts("_cost")?);
        let ids = Ids::of(batch)?;
        let twin = |row| Twin {
            billed: billed.or_zero(row),
            id: ids.get(row),
            digest: digests.value(row),
            cost: cost.or_zero(row),
        };
        Ok((0..batch.rows()).map(twin).collect())
    }
}

impl Side {
    fn add_all(&mut self, twins: &[Twin]) {
        for twin in twins {
            self.rows += 1;
            self.billed_cost += twin.billed;
            self.cost += twin.cost;
        }
    }
}

impl Difference {
    fn add(&mut self, old: Vec<Twin>, new: Vec<Twin>) {
        let (old, new) = without_equals(old, new);
        let both = old.len().min(new.len());
        self.changed_before.add_all(&old[..both]);
        self.changed_after.add_all(&new[..both]);
        self.gone.add_all(&old[both..]);
        self.added.add_all(&new[both..]);
    }
}

/// The twins of each side that the other does not have with the same content; their order is kept.
fn without_equals(old: Vec<Twin>, new: Vec<Twin>) -> (Vec<Twin>, Vec<Twin>) {
    let mut counts: HashMap<u64, u64> = HashMap::new();
    for twin in &new {
        *counts.entry(twin.digest).or_default() += 1;
    }
    let mut same: HashMap<u64, u64> = HashMap::new();
    let takes = |counts: &mut HashMap<u64, u64>, digest: u64| {
        counts.get_mut(&digest).filter(|left| **left > 0).map(|left| *left -= 1).is_some()
    };
    let is_left = |twin: &Twin| {
        let equal = takes(&mut counts, twin.digest);
        if equal {
            *same.entry(twin.digest).or_default() += 1;
        }
        !equal
    };
    let old = old.into_iter().filter(is_left).collect();
    let new = new.into_iter().filter(|twin| !takes(&mut same, twin.digest)).collect();
    (old, new)
}

/// When a charge was, in microseconds since 1970; what has no bound is unbounded. In order of starts.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Span {
    start: i64,
    id: ChargeId,
    end: i64,
}

impl Span {
    fn decode(batch: &Batch) -> Result<Vec<Span>, LakeError> {
        use arrow::array::Array;
        let starts = batch.integers("_charge_period_start")?;
        let ends = batch.integers("_charge_period_end")?;
        let ids = Ids::of(batch)?;
        let span = |row| Span {
            start: if starts.is_valid(row) { starts.value(row) } else { i64::MIN },
            end: if ends.is_valid(row) { ends.value(row) } else { i64::MAX },
            id: ids.get(row),
        };
        Ok((0..batch.rows()).map(span).collect())
    }
}

impl Overlap {
    /// Both sides are of one overlap key and in order of their starts.
    fn add(&mut self, old: Vec<Span>, new: Vec<Span>) {
        // Of the old charges up to each, the one that ends last.
        let mut lasting = old;
        for at in 1..lasting.len() {
            if lasting[at - 1].end > lasting[at].end {
                let (id, end) = (lasting[at - 1].id, lasting[at - 1].end);
                lasting[at] = Span { id, end, ..lasting[at] };
            }
        }
        for span in new {
            let before_end = lasting.partition_point(|old| old.start < span.end);
            let Some(last) = before_end.checked_sub(1).map(|at| lasting[at]) else { continue };
            if last.end > span.start {
                self.rows += 1;
                if self.samples.len() < SAMPLES {
                    self.samples.push((span.id, last.id));
                }
            }
        }
    }
}
