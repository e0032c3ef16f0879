//! How long intake takes: `cargo run --release -p billing --example intake_speed -- FILE [ROUNDS]`.
//! Reads the file once, then makes charges of its blocks `ROUNDS` times on one core and prints the best.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use billing::SourceName;
use billing::intake::{Desk, FileContext, Intake, IntakeOptions, Sums};
use billing::settings::Settings;
use focus::{Cells, Source};

fn main() {
    let mut arguments = std::env::args().skip(1);
    let file = PathBuf::from(arguments.next().expect("a FOCUS file"));
    let rounds: u32 = arguments.next().map_or(5, |text| text.parse().expect("a number of rounds"));
    let mut source = Source::open(&file).expect("a FOCUS file");
    let mut blocks: Vec<Cells> = Vec::new();
    while let Some(block) = source.next_block().expect("a readable file") {
        blocks.push(block.cells(source.header()).0);
    }
    let rows: usize = blocks.iter().map(|cells| cells.rows).sum();
    let mut settings = Settings::default();
    if let Some(pattern) = arguments.next() {
        settings.review.flag_patterns.push(pattern);
    }
    let name = SourceName("AWS".to_owned());
    let intake = Intake::compile(&settings, &name, IntakeOptions::default()).expect("good patterns");
    let context = FileContext::new(0, source.header(), blocks.first()).expect("the required columns");
    let mut best = Duration::MAX;
    let mut sums = Sums::default();
    for _ in 0..rounds {
        let mut desk = Desk::new(&intake);
        sums = Sums::default();
        let mut spent = Duration::ZERO;
        for cells in &blocks {
            let started = Instant::now();
            let taken = desk.charges(&intake, &context, cells);
            spent += started.elapsed();
            sums.add(&taken).expect("a sum that fits");
        }
        best = best.min(spent);
    }
    println!("{rows} rows in {} blocks: {} ns a row", blocks.len(), best.as_nanos() / rows.max(1) as u128);
    for ((period, account), part) in &sums.parts {
        println!("{period} {account:?}: {part:?}");
    }
    sums.notes.sentences().iter().for_each(|note| println!("{note}"));
}
