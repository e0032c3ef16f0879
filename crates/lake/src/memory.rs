//! How much memory questions may hold.

use std::fmt;

use datafusion::common::Result;
use datafusion::execution::memory_pool::{
    FairSpillPool, GreedyMemoryPool, MemoryConsumer, MemoryLimit, MemoryPool, MemoryReservation,
};

/// Sorts and groupings, which can write to disk, share one amount fairly. What cannot (the merge of sorted
/// runs, the hash table of the overlay) has an amount of its own, so that it never fails because the others
/// took everything, as it does when all are in one pool.
#[derive(Debug)]
pub(crate) struct Pools {
    spilling: FairSpillPool,
    staying: GreedyMemoryPool,
}

impl Pools {
    /// Bytes of each.
    pub fn new(spilling: usize, staying: usize) -> Pools {
        Pools { spilling: FairSpillPool::new(spilling), staying: GreedyMemoryPool::new(staying) }
    }

    fn of(&self, consumer: &MemoryConsumer) -> &dyn MemoryPool {
        if consumer.can_spill() { &self.spilling } else { &self.staying }
    }
}

impl fmt::Display for Pools {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} and {}", self.spilling, self.staying)
    }
}

impl MemoryPool for Pools {
    fn name(&self) -> &'static str {
        "spilling and staying"
    }

    fn register(&self, consumer: &MemoryConsumer) {
        self.of(consumer).register(consumer);
    }

    fn unregister(&self, consumer: &MemoryConsumer) {
        self.of(consumer).unregister(consumer);
    }

    fn grow(&self, reservation: &MemoryReservation, additional: usize) {
        self.of(reservation.consumer()).grow(reservation, additional);
    }

    fn shrink(&self, reservation: &MemoryReservation, shrink: usize) {
        self.of(reservation.consumer()).shrink(reservation, shrink);
    }

    fn try_grow(&self, reservation: &MemoryReservation, additional: usize) -> Result<()> {
        self.of(reservation.consumer()).try_grow(reservation, additional)
    }

    fn reserved(&self) -> usize {
        self.spilling.reserved() + self.staying.reserved()
    }

    fn memory_limit(&self) -> MemoryLimit {
        self.spilling.memory_limit()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn what_cannot_spill_is_not_starved_by_what_can() {
        let pool: Arc<dyn MemoryPool> = Arc::new(Pools::new(100, 50));
        let sort = MemoryConsumer::new("sort").with_can_spill(true).register(&pool);
        let merge = MemoryConsumer::new("merge").register(&pool);
        sort.try_grow(100).unwrap();
        assert!(sort.try_grow(1).is_err(), "time to spill");
        merge.try_grow(50).unwrap();
        assert!(merge.try_grow(1).is_err(), "there is an end to it");
        assert_eq!(pool.reserved(), 150);
        sort.shrink(60);
        assert!(merge.try_grow(1).is_err());
        sort.try_grow(60).unwrap();
    }
}
