//! Deliveries beside each other: what changed, what overlaps, and where a charge of one is in the other.
//! Both sides come sorted by hash and are walked together, so that memory holds one group of twins.

use std::collections::{HashMap, HashSet, VecDeque};

use arrow::datatypes::DataType;
use billing::{ChargeId, ContentDigest, Fingerprint, ImportId};
use datafusion::execution::SendableRecordBatchStream;
use datafusion::prelude::{Expr, cast, ident};
use futures::StreamExt;
use money::Amount;
use serde::Serialize;

use crate::decode::Batch;
use crate::filter::Filter;
use crate::{LakeError, View};

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
        let mut difference = Difference::default();
        let (old, new) = (old.twins().await?, new.twins().await?);
        walk(old, new, |old, new| difference.add(old, new)).await?;
        Ok(difference)
    }

    /// The fingerprints of which the two do not have the same charges with the same content, in order.
    pub async fn changed(old: &View, new: &View) -> Result<Vec<Fingerprint>, LakeError> {
        let mut changed = Vec::new();
        let (old, new) = (old.twins().await?, new.twins().await?);
        walk_keys(old, new, |key, old, new| {
            let (old, new) = without_equals(old, new);
            if !old.is_empty() || !new.is_empty() {
                changed.push(Fingerprint(key));
            }
        })
        .await?;
        Ok(changed)
    }

    /// How many of `old`'s charges `new` has.
    pub async fn kept_share(old: &View, new: &View) -> Result<KeptShare, LakeError> {
        let mut share = KeptShare::default();
        let (old, new) = (old.fingerprints().await?, new.fingerprints().await?);
        walk(old, new, |old, new| {
            share.of += old.len() as u64;
            share.kept += old.len().min(new.len()) as u64;
        })
        .await?;
        Ok(share)
    }

    /// Charges of `new` with the overlap key of a charge of `old` and an intersecting charge period.
    pub async fn overlap(old: &View, new: &View) -> Result<Overlap, LakeError> {
        let mut overlap = Overlap::default();
        let (old, new) = (old.times().await?, new.times().await?);
        walk(old, new, |old, new| overlap.add(old, new)).await?;
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

    async fn twins(&self) -> Result<Sorted<Twin>, LakeError> {
        let columns = vec![
            ident("fingerprint").alias("key"),
            ident("content_digest"),
            ident("billed_cost"),
            self.columns.cost().alias("_cost"),
            ident("import"),
            ident("row"),
        ];
        self.sorted(columns, &["billed_cost", "import", "row"], Twin::decode).await
    }

    async fn fingerprints(&self) -> Result<Sorted<()>, LakeError> {
        let decode = |batch: &Batch| Ok(vec![(); batch.rows()]);
        self.sorted(vec![ident("fingerprint").alias("key")], &[], decode).await
    }

    /// When which resource is charged for: overlap key, start and end of the charge period.
    ///
    /// # Errors
    /// What could not be read.
    pub async fn charge_periods(&self) -> Result<Vec<(u64, i64, i64)>, LakeError> {
        let mut spans = self.times().await?;
        let mut periods = Vec::new();
        while spans.fill().await? {
            periods.extend(spans.ready.drain(..).map(|(key, span)| (key, span.start, span.end)));
        }
        Ok(periods)
    }

    async fn times(&self) -> Result<Sorted<Span>, LakeError> {
        let time = |name: &str| cast(ident(name), DataType::Int64).alias(format!("_{name}"));
        let columns = vec![
            ident("overlap_key").alias("key"),
            time("charge_period_start"),
            time("charge_period_end"),
            ident("import"),
            ident("row"),
        ];
        self.sorted(columns, &["_charge_period_start", "import", "row"], Span::decode).await
    }

    async fn sorted<T>(
        &self,
        columns: Vec<Expr>,
        then_by: &[&str],
        decode: fn(&Batch) -> Result<Vec<T>, LakeError>,
    ) -> Result<Sorted<T>, LakeError> {
        let rows = self.rows(&Filter::default())?.select(columns)?;
        let order = std::iter::once(&"key").chain(then_by).map(|name| ident(*name).sort(true, true));
        let stream = rows.sort(order.collect())?.execute_stream().await?;
        Ok(Sorted { stream, decode, ready: VecDeque::new() })
    }
}

/// Rows in order of a hash, group by group.
struct Sorted<T> {
    stream: SendableRecordBatchStream,
    decode: fn(&Batch) -> Result<Vec<T>, LakeError>,
    ready: VecDeque<(u64, T)>,
}

impl<T> Sorted<T> {
    async fn fill(&mut self) -> Result<bool, LakeError> {
        while self.ready.is_empty() {
            let Some(batch) = self.stream.next().await else { return Ok(false) };
            let batch = Batch(batch?);
            let values = (self.decode)(&batch)?;
            self.ready.extend(batch.hashes("key")?.values().iter().copied().zip(values));
        }
        Ok(true)
    }

    async fn next_key(&mut self) -> Result<Option<u64>, LakeError> {
        Ok(if self.fill().await? { self.ready.front().map(|&(key, _)| key) } else { None })
    }

    /// The rows with this key, if the next ones have it.
    async fn take(&mut self, key: u64) -> Result<Vec<T>, LakeError> {
        let mut group = Vec::new();
        while self.fill().await? {
            match self.ready.pop_front() {
                Some((next, value)) if next == key => group.push(value),
                Some(other) => {
                    self.ready.push_front(other);
                    break;
                }
                None => break,
            }
        }
        Ok(group)
    }
}

/// Hand over the rows of each key of either side, together.
async fn walk<T>(
    old: Sorted<T>,
    new: Sorted<T>,
    mut each: impl FnMut(Vec<T>, Vec<T>),
) -> Result<(), LakeError> {
    walk_keys(old, new, |_, old, new| each(old, new)).await
}

async fn walk_keys<T>(
    mut old: Sorted<T>,
    mut new: Sorted<T>,
    mut each: impl FnMut(u64, Vec<T>, Vec<T>),
) -> Result<(), LakeError> {
    loop {
        let key = match (old.next_key().await?, new.next_key().await?) {
            (Some(a), Some(b)) => a.min(b),
            (Some(key), None) | (None, Some(key)) => key,
            (None, None) => return Ok(()),
        };
        each(key, old.take(key).await?, new.take(key).await?);
    }
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

#[derive(Clone, Copy)]
struct Twin {
    digest: u64,
    billed: Amount,
    cost: Amount,
}

impl Twin {
    fn decode(batch: &Batch) -> Result<Vec<Twin>, LakeError> {
        let digests = batch.hashes("content_digest")?;
        let (billed, cost) = (batch.amounts("billed_cost")?, batch.amounts("_cost")?);
        let twin =
            |row| Twin { digest: digests.value(row), billed: billed.or_zero(row), cost: cost.or_zero(row) };
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
        self.before.add_all(&old);
        self.after.add_all(&new);
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
    if let ([one], [other]) = (old.as_slice(), new.as_slice())
        && one.digest == other.digest
    {
        return (Vec::new(), Vec::new());
    }
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

/// When a charge was, in microseconds since 1970; what has no bound is unbounded.
#[derive(Clone, Copy)]
struct Span {
    start: i64,
    end: i64,
    id: ChargeId,
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
                let (end, id) = (lasting[at - 1].end, lasting[at - 1].id);
                lasting[at] = Span { end, id, ..lasting[at] };
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
