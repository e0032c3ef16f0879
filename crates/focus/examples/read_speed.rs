//! How fast files are read on one core: `cargo run --release -p focus --example read_speed FILE…`.

#![expect(clippy::cast_precision_loss, reason = "speeds are shown in three digits")]

use std::error::Error;
use std::path::Path;
use std::time::{Duration, Instant};

use focus::{FocusColumn, Kind, Source, TimeCache, visit_tags};

fn main() -> Result<(), Box<dyn Error>> {
    for path in std::env::args().skip(1) {
        for _ in 0..3 {
            measure(Path::new(&path))?;
        }
    }
    Ok(())
}

fn measure(path: &Path) -> Result<(), Box<dyn Error>> {
    let mut source = Source::open(path)?;
    let header = source.header().clone();
    let of_kind = |kind| -> Vec<usize> {
        let columns = FocusColumn::ALL.iter().filter(|column| column.kind() == kind);
        columns.filter_map(|column| header.find(*column)).collect()
    };
    let (times, tags) = (of_kind(Kind::Time), header.find(FocusColumn::Tags));
    let mut spent = [Duration::ZERO; 4];
    let (mut rows, mut bytes, mut problems, mut tag_bytes) = (0, 0, 0, 0);
    loop {
        let start = Instant::now();
        let block = source.next_block()?;
        spent[0] += start.elapsed();
        let Some(block) = block else { break };
        bytes += block.bytes.len();

        let start = Instant::now();
        let (cells, bad) = block.cells(&header);
        spent[1] += start.elapsed();
        rows += cells.rows;
        problems += bad.len();

        let start = Instant::now();
        for column in &times {
            let mut cache = TimeCache::default();
            for row in 0..cells.rows {
                cache.parse(cells.get(*column, row))?;
            }
        }
        spent[2] += start.elapsed();

        let start = Instant::now();
        for row in 0..tags.map_or(0, |_| cells.rows) {
            visit_tags(cells.get(tags.unwrap_or(0), row), |_, value| {
                tag_bytes += value.map_or(0, str::len);
            });
        }
        spent[3] += start.elapsed();
    }
    let rate = |spent: Duration| bytes as f64 / spent.as_secs_f64() / 1e6;
    let each = |spent: Duration| spent.as_nanos() as f64 / rows as f64;
    println!(
        "{}: {rows} rows, {problems} problems, {:.1} MB · cut {:.0} MB/s · cells {:.0} MB/s · {} times \
         {:.0} ns/row · tags {:.0} ns/row ({tag_bytes} bytes)",
        path.display(),
        bytes as f64 / 1e6,
        rate(spent[0]),
        rate(spent[1]),
        times.len(),
        each(spent[2]),
        each(spent[3]),
    );
    Ok(())
}
