//! A seeded random office against the real program: deliveries, corrections, decisions, deferrals, withdrawals,
//! closes, reopenings, statements, e-mails, journals, crashes at random places, two people at once. Beside it a
//! small model keeps only the sums; after every act the books are held against it, and `verify` proves the rest.
//!
//! Every failure prints the seed and what was done. `FOCUS_BILLING_SIMULATE=SEED:ACTS` tells one office again;
//! `FOCUS_BILLING_LONG=1` makes offices longer and many (`FOCUS_BILLING_OFFICES`, 200).
#![expect(clippy::unwrap_used, reason = "a story that cannot be told is a failed test")]

#[path = "simulator/model.rs"]
mod model;
#[path = "simulator/office.rs"]
mod office;
mod support;

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher as _, Hasher as _};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use office::Office;
use support::{Engine, engines};

/// The same on every run; each found something once, or covers what others do not.
const FIXED: [u64; 2] = [1, 20_250_131];

fn simulate(seed: u64, acts: usize, engine: Engine, until: Option<Instant>) {
    let mut office = Office::open(seed, engine);
    let mut done = 0;
    while done < acts && until.is_none_or(|until| Instant::now() < until) {
        office.act();
        done += 1;
    }
    office.prove();
    println!("seed {seed}: {done} acts on {engine:?}: {}", office.summary());
}

/// `SEED:ACTS` of the environment, or nothing.
fn asked_for() -> Option<(u64, usize)> {
    let asked = std::env::var("FOCUS_BILLING_SIMULATE").ok()?;
    let (seed, acts) = asked.split_once(':').expect("FOCUS_BILLING_SIMULATE=SEED:ACTS");
    Some((seed.parse().expect("a seed"), acts.parse().expect("a number of acts")))
}

/// Offices of 500 acts, 200 of them if nobody says otherwise: a hundred thousand acts.
fn long() {
    let offices =
        std::env::var("FOCUS_BILLING_OFFICES").map_or(200, |count| count.parse().expect("a number"));
    let (engines, next) = (engines(), AtomicU64::new(0));
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if offices <= seed {
                        break;
                    }
                    let engine = engines[usize::try_from(seed).unwrap() % engines.len()];
                    simulate(seed, 500, engine, None);
                }
            });
        }
    });
}

#[test]
fn the_books_hold_whatever_the_office_does() {
    if let Some((seed, acts)) = asked_for() {
        return simulate(seed, acts, Engine::of_stories(), None);
    }
    if std::env::var_os("FOCUS_BILLING_LONG").is_some() {
        return long();
    }
    for seed in FIXED {
        simulate(seed, 30, Engine::Sqlite, None);
    }
    // Fresh ones, so that every run looks somewhere new; the whole stays within two minutes.
    for engine in engines() {
        let fresh = RandomState::new().build_hasher().finish();
        simulate(fresh, 60, engine, Some(Instant::now() + Duration::from_secs(15)));
    }
}
