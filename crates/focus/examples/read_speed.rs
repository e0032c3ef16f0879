//! What reading costs on one core: `cargo run --release -p focus --example read_speed FILE…`.
//!
//! Each step is measured as the difference of two whole passes, in processor time where the system tells
//! it, so that a busy machine does not spoil the figures.

#![expect(clippy::cast_precision_loss, reason = "speeds are shown in three digits")]

use std::error::Error;
use std::path::Path;
use std::time::{Duration, Instant};

use focus::{Cells, FocusColumn, Header, Kind, Source, TimeCache, visit_tags};

fn main() -> Result<(), Box<dyn Error>> {
    for path in std::env::args().skip(1) {
        let path = Path::new(&path);
        pass(path, Step::Cut)?;
        let [cut, cells, times, tags] = [Step::Cut, Step::Cells, Step::Times, Step::Tags].map(|step| {
            // The best of three is the one least disturbed.
            (0..3).filter_map(|_| pass(path, step).ok()).min_by_key(|pass| pass.spent).unwrap_or_default()
        });
        let rate = |spent: Duration| cut.bytes as f64 / spent.as_secs_f64() / 1e6;
        let each = |spent: Duration| spent.as_nanos() as f64 / cells.rows as f64;
        println!(
            "{}: {} rows, {} problems, {:.1} MB · cut {:.0} MB/s · cells {:.0} MB/s · times {:.0} ns/row · \
             tags {:.0} ns/row",
            path.display(),
            cells.rows,
            cells.problems,
            cut.bytes as f64 / 1e6,
            rate(cut.spent),
            rate(cells.spent.saturating_sub(cut.spent)),
            each(times.spent.saturating_sub(cells.spent)),
            each(tags.spent.saturating_sub(cells.spent)),
        );
    }
    Ok(())
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Step {
    Cut,
    Cells,
    /// Cells, and every time column parsed.
    Times,
    /// Cells, and every tag visited.
    Tags,
}

#[derive(Default)]
struct Pass {
    spent: Duration,
    bytes: usize,
    rows: usize,
    problems: usize,
}

fn pass(path: &Path, step: Step) -> Result<Pass, Box<dyn Error>> {
    let clock = Clock::start();
    let mut pass = Pass::default();
    let mut source = Source::open(path)?;
    let header = source.header().clone();
    while let Some(block) = source.next_block()? {
        pass.bytes += block.bytes.len();
        if step == Step::Cut {
            continue;
        }
        let (cells, problems) = block.cells(&header);
        pass.rows += cells.rows;
        pass.problems += problems.len();
        match step {
            Step::Times => parse_times(&cells, &header)?,
            Step::Tags => count_tags(&cells, &header),
            Step::Cut | Step::Cells => {}
        }
    }
    pass.spent = clock.spent();
    Ok(pass)
}

fn parse_times(cells: &Cells, header: &Header) -> Result<(), Box<dyn Error>> {
    let columns = FocusColumn::ALL.iter().filter(|column| column.kind() == Kind::Time);
    for column in columns.filter_map(|column| header.find(*column)) {
        let mut cache = TimeCache::default();
        for row in 0..cells.rows {
            std::hint::black_box(cache.parse(cells.get(column, row))?);
        }
    }
    Ok(())
}

fn count_tags(cells: &Cells, header: &Header) {
    let Some(column) = header.find(FocusColumn::Tags) else { return };
    for row in 0..cells.rows {
        visit_tags(cells.get(column, row), |key, value| {
            std::hint::black_box((key, value));
        });
    }
}

struct Clock {
    wall: Instant,
    processor: Option<Duration>,
}

impl Clock {
    fn start() -> Clock {
        Clock { wall: Instant::now(), processor: processor_time() }
    }

    fn spent(&self) -> Duration {
        match (self.processor, processor_time()) {
            (Some(start), Some(end)) => end.saturating_sub(start),
            _ => self.wall.elapsed(),
        }
    }
}

/// How long this thread has run, as Linux counts it.
fn processor_time() -> Option<Duration> {
    let counters = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    Some(Duration::from_nanos(counters.split(' ').next()?.parse().ok()?))
}
