//! The runs of a delivery in little room: five million of them are a month of a national centre.

use std::cmp::Ordering;
use std::hash::BuildHasher;

use foldhash::fast::RandomState;
use hashbrown::{HashMap, HashTable};

use super::settings::Settings;
use super::template::Part;
use super::tres::Shape;

/// A time that a job had cores: a requeued job has several. Times are in seconds since 1970.
#[derive(Clone, Copy, Debug)]
pub(super) struct Run {
    /// What its accounting calls it, as `identified` says.
    id: u64,
    /// Its number, or with `NAMED` the name that stands for one.
    job: u64,
    /// Both 0 where the file has no times.
    pub start: u32,
    pub end: u32,
    pub elapsed: u32,
    /// Seconds at its beginning that an earlier record of the job has, from before it was resized.
    pub counted_before: u32,
    /// Whose it is, and in which file and line it was found.
    pub owner: u32,
    pub shape: u32,
    pub line: u32,
    pub file: u16,
    pub state: u8,
    identified: Identified,
    pub has_ended: bool,
    /// Another record of the same run counts.
    pub is_repeated: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Identified {
    JobAndStart,
    Sluid,
    DbIndex,
}

const NAMED: u64 = 1 << 63;

impl Run {
    /// When what it has itself begins.
    pub(super) fn begins(&self) -> u32 {
        self.start.saturating_add(self.counted_before).min(self.end)
    }

    /// Files of six fields do not say when.
    pub(super) fn has_times(&self) -> bool {
        self.start != 0
    }
}

/// A record as a file has it.
pub(super) struct Sighting<'a> {
    pub job: &'a str,
    /// What people call it, where that is not its number: `5_4`, `14+1`.
    pub label: &'a str,
    pub db_index: Option<u64>,
    pub sluid: &'a str,
    pub owner: u32,
    pub shape: u32,
    pub state: u8,
    pub start: u32,
    pub end: u32,
    pub elapsed: u32,
    pub has_ended: bool,
    pub file: u16,
    pub line: u32,
}

#[derive(Default)]
pub(super) struct Runs {
    /// In blocks, as growing one list of half a gigabyte would need it twice.
    blocks: Vec<Vec<Run>>,
    owners: Names,
    /// Owners taken apart.
    owned: Vec<Owner>,
    jobs: Names,
    labels: HashMap<u32, Box<str>, RandomState>,
    shapes: Vec<Shape>,
    shape_numbers: HashMap<Shape, u32, RandomState>,
}

const BLOCK: usize = 1 << 16;

/// What a run belongs to; of the parts that no row is by, nothing.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Owner([Box<str>; Part::ALL.len()]);

impl Owner {
    pub(super) fn get(&self, part: Part) -> &str {
        &self.0[part as usize]
    }
}

impl Runs {
    pub(super) fn len(&self) -> usize {
        self.blocks.last().map_or(0, |last| (self.blocks.len() - 1) * BLOCK + last.len())
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Run> {
        self.blocks.iter().flatten()
    }

    pub(super) fn get(&self, at: u32) -> &Run {
        let at = at as usize;
        &self.blocks[at / BLOCK][at % BLOCK]
    }

    fn get_mut(&mut self, at: u32) -> &mut Run {
        let at = at as usize;
        &mut self.blocks[at / BLOCK][at % BLOCK]
    }

    pub(super) fn add(&mut self, seen: &Sighting<'_>) {
        let (identified, id) = match (seen.db_index, sluid(seen.sluid)) {
            (Some(index), _) if 0 < index => (Identified::DbIndex, index),
            (_, Some(id)) => (Identified::Sluid, id),
            _ => (Identified::JobAndStart, 0),
        };
        let number = super::clock::number(seen.job.as_bytes());
        let job = number.unwrap_or_else(|| NAMED | u64::from(self.jobs.number(seen.job.as_bytes())));
        let run = Run {
            id,
            job,
            start: seen.start,
            end: seen.end,
            elapsed: seen.elapsed,
            counted_before: 0,
            owner: seen.owner,
            shape: seen.shape,
            line: seen.line,
            file: seen.file,
            state: seen.state,
            identified,
            has_ended: seen.has_ended,
            is_repeated: false,
        };
        if !seen.label.is_empty() && seen.label != seen.job {
            let at = u32::try_from(self.len()).unwrap_or(u32::MAX);
            self.labels.insert(at, seen.label.into());
        }
        match self.blocks.last_mut() {
            Some(block) if block.len() < BLOCK => block.push(run),
            _ => {
                let mut block = Vec::with_capacity(BLOCK);
                block.push(run);
                self.blocks.push(block);
            }
        }
    }

    /// The number of an owner: its parts in the order of [`Part::ALL`], with nothing for what no row is by.
    pub(super) fn owner(&mut self, joined: &[u8]) -> u32 {
        let number = self.owners.number(joined);
        if self.owned.len() <= number as usize {
            let mut parts = joined.split(|byte| *byte == 0).map(|part| String::from_utf8_lossy(part).into());
            self.owned.push(Owner(std::array::from_fn(|_| parts.next().unwrap_or_default())));
        }
        number
    }

    pub(super) fn owned(&self) -> &[Owner] {
        &self.owned
    }

    pub(super) fn owner_of(&self, run: &Run) -> &Owner {
        &self.owned[run.owner as usize]
    }

    pub(super) fn shape(&mut self, shape: Shape) -> u32 {
        let next = u32::try_from(self.shapes.len()).unwrap_or(u32::MAX);
        *self.shape_numbers.entry(shape).or_insert_with_key(|shape| {
            self.shapes.push(shape.clone());
            next
        })
    }

    pub(super) fn shape_at(&self, number: u32) -> &Shape {
        &self.shapes[number as usize]
    }

    pub(super) fn shape_of(&self, run: &Run) -> &Shape {
        &self.shapes[run.shape as usize]
    }

    /// `JobIDRaw`, or the `JobID` of files that have no other.
    pub(super) fn job_of(&self, run: &Run) -> String {
        match u32::try_from(run.job & !NAMED) {
            Ok(name) if run.job & NAMED != 0 => String::from_utf8_lossy(self.jobs.get(name)).into_owned(),
            _ => run.job.to_string(),
        }
    }

    pub(super) fn label_of(&self, at: u32) -> Option<&str> {
        self.labels.get(&at).map(|label| &**label)
    }

    /// Of records of the same run, the one that ran longest counts: it was written last. What tells runs apart
    /// is the best that all records have.
    pub(super) fn settle(&mut self, settings: &Settings) {
        let identified = self.identified_by_all();
        let mut clusters = Names::default();
        let clusters: Vec<u32> =
            self.owned.iter().map(|owner| clusters.number(owner.get(Part::Cluster).as_bytes())).collect();
        let identity = |run: &Run| {
            let cluster = clusters[run.owner as usize];
            match identified {
                // The records of a resized job have one start.
                Identified::JobAndStart => (cluster, run.job, run.start, resized_at(run, settings)),
                Identified::Sluid | Identified::DbIndex => (cluster, run.id, 0, 0),
            }
        };
        let hasher = RandomState::default();
        let hash_of = |run: &Run| hasher.hash_one(identity(run));
        let mut counting: HashTable<u32> = HashTable::with_capacity(self.len());
        for at in 0..u32::try_from(self.len()).unwrap_or(u32::MAX) {
            let run = *self.get(at);
            let runs = &*self;
            match counting.find_mut(hash_of(&run), |known| identity(runs.get(*known)) == identity(&run)) {
                None => {
                    counting.insert_unique(hash_of(&run), at, |known| hash_of(runs.get(*known)));
                }
                Some(known) => {
                    let other = *known;
                    let repeated = match runs.counts_before(runs.get(other), &run, settings) {
                        Ordering::Greater => {
                            *known = at;
                            other
                        }
                        _ => at,
                    };
                    self.get_mut(repeated).is_repeated = true;
                }
            }
        }
        self.settle_resized(settings);
    }

    /// A job that is resized goes on in a new record, which sometimes starts when the job did: what stands in two
    /// records is counted in the earlier one, with the resources of that time.
    fn settle_resized(&mut self, settings: &Settings) {
        let mut resized: HashMap<(u64, u32), Vec<u32>, RandomState> = HashMap::default();
        let key = |run: &Run| (run.job, run.start);
        let has_overlap = |run: &&Run| run.has_times() && !run.is_repeated && resized_at(run, settings) != 0;
        for run in self.iter().filter(has_overlap) {
            resized.entry(key(run)).or_default();
        }
        if resized.is_empty() {
            return;
        }
        for (at, run) in (0..).zip(self.iter()).filter(|(_, run)| !run.is_repeated) {
            if let Some(records) = resized.get_mut(&key(run)) {
                records.push(at);
            }
        }
        for mut records in resized.into_values() {
            records.sort_unstable_by_key(|at| {
                let run = self.get(*at);
                (self.owner_of(run).get(Part::Cluster), run.elapsed, run.end)
            });
            for pair in records.windows(2) {
                let (before, after) = (*self.get(pair[0]), *self.get(pair[1]));
                let is_one_job =
                    self.owner_of(&before).get(Part::Cluster) == self.owner_of(&after).get(Part::Cluster);
                if is_one_job && resized_at(&before, settings) != 0 {
                    self.get_mut(pair[1]).counted_before = before.elapsed.min(after.elapsed);
                }
            }
        }
    }

    fn identified_by_all(&self) -> Identified {
        let mut found = self.iter().map(|run| run.identified);
        match found.next() {
            Some(first) if found.all(|other| other == first) => first,
            _ => Identified::JobAndStart,
        }
    }

    /// Which of two records of one run counts, by their content alone, so that the order of files is nothing.
    fn counts_before(&self, one: &Run, other: &Run, settings: &Settings) -> Ordering {
        let name = |run: &Run| settings.states.get(run.state).name.as_str();
        (other.elapsed, other.has_ended, other.end, other.start)
            .cmp(&(one.elapsed, one.has_ended, one.end, one.start))
            .then_with(|| name(one).cmp(name(other)))
            .then_with(|| self.owner_of(one).cmp(self.owner_of(other)))
            .then_with(|| self.shape_of(one).cmp(self.shape_of(other)))
            .then_with(|| self.order_of_jobs(one, other))
    }

    fn order_of_jobs(&self, one: &Run, other: &Run) -> Ordering {
        if (one.job | other.job) & NAMED == 0 {
            one.job.cmp(&other.job)
        } else {
            (one.job & NAMED)
                .cmp(&(other.job & NAMED))
                .then_with(|| self.job_of(one).cmp(&self.job_of(other)))
        }
    }

    /// The runs that count, by owner, start and job: an order that the order of files does not change.
    pub(super) fn in_order(&self) -> Vec<u32> {
        let mut owners: Vec<u32> = (0..u32::try_from(self.owned.len()).unwrap_or(u32::MAX)).collect();
        owners.sort_unstable_by_key(|owner| &self.owned[*owner as usize]);
        let mut rank = vec![0_u32; owners.len()];
        for (at, owner) in (0_u32..).zip(&owners) {
            rank[*owner as usize] = at;
        }
        let all = 0..u32::try_from(self.len()).unwrap_or(u32::MAX);
        let mut order: Vec<u32> = all.filter(|at| !self.get(*at).is_repeated).collect();
        order.sort_unstable_by(|one, other| {
            let (one, other) = (self.get(*one), self.get(*other));
            (rank[one.owner as usize], one.start)
                .cmp(&(rank[other.owner as usize], other.start))
                .then_with(|| self.order_of_jobs(one, other))
                .then_with(|| (one.id, one.elapsed).cmp(&(other.id, other.elapsed)))
                .then_with(|| (one.end, one.state).cmp(&(other.end, other.state)))
                .then_with(|| self.shape_of(one).cmp(self.shape_of(other)))
        });
        order
    }
}

/// When a record ended because its job was resized, else 0.
fn resized_at(run: &Run, settings: &Settings) -> u32 {
    // Where there are no times, how long it had run tells it from the record that follows.
    if settings.states.get(run.state).is_resizing { run.end.max(run.elapsed) } else { 0 }
}

/// The number that a SLUID is: `s` and thirteen digits of Crockford's base 32.
fn sluid(text: &str) -> Option<u64> {
    let digits = text.strip_prefix('s').filter(|digits| digits.len() == 13)?;
    let number = digits.bytes().try_fold(0_u64, |number, digit| {
        let value = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ".iter().position(|known| *known == digit)?;
        number.checked_mul(32)?.checked_add(u64::try_from(value).ok()?)
    });
    number.filter(|number| 0 < *number)
}

/// Texts by number.
#[derive(Default)]
pub(super) struct Names {
    bytes: Vec<u8>,
    ends: Vec<usize>,
    known: HashTable<u32>,
    hasher: RandomState,
}

impl Names {
    pub(super) fn number(&mut self, name: &[u8]) -> u32 {
        let hash = self.hasher.hash_one(name);
        let (bytes, ends, hasher) = (&self.bytes, &self.ends, &self.hasher);
        if let Some(known) = self.known.find(hash, |at| slice(bytes, ends, *at) == name) {
            return *known;
        }
        let number = u32::try_from(ends.len()).unwrap_or(u32::MAX);
        self.known.insert_unique(hash, number, |at| hasher.hash_one(slice(bytes, ends, *at)));
        self.bytes.extend_from_slice(name);
        self.ends.push(self.bytes.len());
        number
    }

    pub(super) fn find(&self, name: &[u8]) -> Option<u32> {
        let hash = self.hasher.hash_one(name);
        self.known.find(hash, |at| slice(&self.bytes, &self.ends, *at) == name).copied()
    }

    fn get(&self, number: u32) -> &[u8] {
        slice(&self.bytes, &self.ends, number)
    }
}

fn slice<'a>(bytes: &'a [u8], ends: &[usize], at: u32) -> &'a [u8] {
    let at = at as usize;
    let start = at.checked_sub(1).map_or(0, |before| ends[before]);
    &bytes[start..ends[at]]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sluids_are_numbers() {
        for (text, expected) in [
            ("s0000000000001", Some(1)),
            ("s000000000000Z", Some(31)),
            ("s0000000000010", Some(32)),
            ("sFZZZZZZZZZZZZ", Some(u64::MAX)),
            ("sGZZZZZZZZZZZZ", None),
            ("s0000000000000", None),
            ("s000000000000U", None),
            ("123", None),
            ("", None),
        ] {
            assert_eq!(sluid(text), expected, "{text}");
        }
    }
}
