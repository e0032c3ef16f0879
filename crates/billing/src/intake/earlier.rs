//! What earlier deliveries already charge for, to flag what a delivery added beside them repeats.

use hashbrown::HashMap;

/// Charge periods of earlier charges by overlap key (resource, service and SKU). Two charges overlap
/// when their keys are equal and their periods, ends exclusive, intersect.
#[derive(Clone, Debug, Default)]
pub struct EarlierCharges {
    /// Disjoint and in order.
    periods: HashMap<u64, Vec<(i64, i64)>, foldhash::fast::RandomState>,
}

impl EarlierCharges {
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.periods.is_empty()
    }

    /// Whether an earlier charge overlaps `[start, end)`, in microseconds since 1970 UTC.
    #[must_use]
    pub fn overlap(&self, key: u64, start: i64, end: i64) -> bool {
        let Some(periods) = self.periods.get(&key) else { return false };
        // A period of no length still happens at its instant.
        let end = end.max(start.saturating_add(1));
        let after = periods.partition_point(|&(earlier_start, _)| earlier_start < end);
        after > 0 && start < periods[after - 1].1
    }
}

/// From `(overlap_key, charge_period_start, charge_period_end)` in any order.
impl FromIterator<(u64, i64, i64)> for EarlierCharges {
    fn from_iter<I: IntoIterator<Item = (u64, i64, i64)>>(charges: I) -> EarlierCharges {
        let mut periods: HashMap<u64, Vec<(i64, i64)>, foldhash::fast::RandomState> = HashMap::default();
        for (key, start, end) in charges {
            periods.entry(key).or_default().push((start, end.max(start.saturating_add(1))));
        }
        for list in periods.values_mut() {
            list.sort_unstable();
            list.dedup_by(|next, kept| {
                let joins = next.0 <= kept.1;
                if joins {
                    kept.1 = kept.1.max(next.1);
                }
                joins
            });
        }
        EarlierCharges { periods }
    }
}
