//! How long intake takes: `cargo run --release -p billing --example intake_speed -- FILE [ROUNDS [PATTERN]]`.
//! Reads the file `ROUNDS` times on one core and prints the CPU time of making charges in the best round, which other programs disturb less than the wall clock.

use std::path::PathBuf;

use billing::SourceName;
use billing::intake::{Desk, FileContext, Intake, IntakeOptions, Sums};
use billing::settings::Settings;
use focus::Source;

fn main() {
    let mut arguments = std::env::args().skip(1);
    let file = PathBuf::from(arguments.next().expect("a FOCUS file"));
    let rounds: u32 = arguments.next().map_or(5, |text| text.parse().expect("a number of rounds"));
    let mut settings = Settings::default();
    settings.review.flag_patterns.extend(arguments.next());
    let name = SourceName("AWS".to_owned());
    let intake = Intake::compile(&settings, &name, IntakeOptions::default()).expect("good patterns");
    let mut best = u64::MAX;
    let (mut rows, mut sums) = (0, Sums::default());
    for _ in 0..rounds {
        let mut source = Source::open(&file).expect("a FOCUS file");
        let mut desk = Desk::new(&intake);
        let (mut context, mut spent) = (None, 0);
        (rows, sums) = (0, Sums::default());
        while let Some(block) = source.next_block().expect("a readable file") {
            let (cells, _) = block.cells(source.header());
            let context = context.get_or_insert_with(|| {
                FileContext::new(0, source.header(), Some(&cells)).expect("the required columns")
            });
            let before = cpu_nanos();
            let taken = desk.charges(&intake, context, &cells);
            spent += cpu_nanos() - before;
            rows += cells.rows as u64;
            sums.add(&taken).expect("a sum that fits");
        }
        best = best.min(spent);
    }
    println!("{rows} rows: {} ns a row", best / rows.max(1));
    for ((period, account), part) in &sums.parts {
        println!("{period} {account:?}: {part:?}");
    }
    sums.notes.sentences().iter().for_each(|note| println!("{note}"));
}

/// CPU time of this thread so far (Linux).
fn cpu_nanos() -> u64 {
    let told = std::fs::read_to_string("/proc/thread-self/schedstat").expect("a Linux system");
    told.split(' ').next().and_then(|nanos| nanos.parse().ok()).expect("nanoseconds")
}
