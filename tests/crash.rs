//! Killed at any moment of an import: the books are as before it or as after it, never between, and the
//! import can simply be repeated.
//!
//! A third of the kills happen at named failpoints, around every sync and commit: `FOCUS_BILLING_ABORT_AT`
//! holds `name` or `name:count` and aborts the process at the count-th time that it comes by; the names are
//! what `debug failpoints` lists (both exist only in binaries built with the feature `failpoints`). The
//! others are `SIGKILL`, spread evenly over the time that an import takes.
//!
//! 60 kills; `FOCUS_BILLING_LONG=1` makes it 360.
#![expect(clippy::unwrap_used, reason = "a story that cannot be told is a failed test")]

mod support;

use std::io::Write as _;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{ExitStatus, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use support::{Home, is_said, project, row_of};

/// One delivery of two files and two periods, so that there is more than one file to sync.
const INGEST: &str = "ingest aws-1.csv aws-2.csv";
const ROWS: usize = 3000;

fn kills() -> usize {
    if std::env::var_os("FOCUS_BILLING_LONG").is_some() { 360 } else { 60 }
}

/// An installation with one import in it and the files of the next beside it.
fn before() -> Home {
    let home = Home::new();
    home.open("2025-02");
    home.focus("hpc.csv", &[row_of("2025-01", "job-1", "CPU", "7.5", "7.5", &project("genome"))]);
    home.ok("ingest hpc.csv");
    for file in 1..=2 {
        let row = |n: usize| {
            let period = ["2025-01", "2025-02"][n % 2];
            row_of(period, &format!("vm-{file}-{n}"), "Compute", "0.25", "0.125", &project("genome"))
        };
        home.focus(&format!("aws-{file}.csv"), &(0..ROWS).map(row).collect::<Vec<_>>());
    }
    home
}

/// What the books say: how many imports count, and the sums of every source and period.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Books {
    imports: usize,
    sums: String,
}

fn books(home: &Home) -> Books {
    Books {
        imports: home.json("imports list").as_array().unwrap().len(),
        sums: home.ok("report --by period,source --state all --format csv"),
    }
}

#[derive(Clone, Debug)]
enum Kill {
    /// At a named failpoint, the n-th time.
    At(String),
    After(Duration),
}

impl Kill {
    /// Run the import and end it; the status it ended with.
    fn import(&self, home: &Home) -> ExitStatus {
        let mut command = home.command(INGEST);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        match self {
            Kill::At(point) => command.env("FOCUS_BILLING_ABORT_AT", point).status().unwrap(),
            Kill::After(delay) => {
                let mut child = command.spawn().unwrap();
                std::thread::sleep(*delay);
                // Already over is fine: then it ended after.
                let _ = child.kill();
                child.wait().unwrap()
            }
        }
    }
}

/// The failpoints that an import comes by, with how often.
fn failpoints(base: &Home) -> Vec<(String, usize)> {
    let listed = base.ok("debug failpoints");
    let names: Vec<&str> = listed.split_whitespace().collect();
    assert!(!names.is_empty(), "build the binary with the feature `failpoints`");
    let mut met = Vec::new();
    for name in names {
        let count = (1..=4)
            .take_while(|count| {
                let home = Home::copy_of(base);
                Kill::At(format!("{name}:{count}")).import(&home).signal().is_some()
            })
            .count();
        if 0 < count {
            met.push((name.to_owned(), count));
        }
    }
    met
}

/// A third at failpoints, in turn and at each time that they are met; the rest spread over an import's time.
fn plan(points: &[(String, usize)], whole: Duration) -> Vec<Kill> {
    let moments: Vec<String> =
        points.iter().flat_map(|(name, count)| (1..=*count).map(move |n| format!("{name}:{n}"))).collect();
    let at_points = (kills() / 3).max(moments.len());
    let at = moments.into_iter().cycle().take(at_points).map(Kill::At);
    let delays = u32::try_from(kills() - kills() / 3).unwrap();
    // A little beyond the end, so that some come too late.
    let after = (0..delays).map(|n| Kill::After(whole * 11 / 10 * n / delays));
    at.chain(after).collect()
}

/// One kill and the import again. `true`: the killed import counts.
fn kill_once(base: &Home, kill: &Kill, before: &Books, after: &Books) -> bool {
    let home = Home::copy_of(base);
    let status = kill.import(&home);
    let found = books(&home);
    let counts = found == *after;
    assert!(counts || found == *before, "killed {kill:?} ({status}), the books are between: {found:?}");
    home.ok("audit verify");

    let again = home.json(INGEST);
    assert_eq!(is_said(&again["unchanged"]), counts, "killed {kill:?}: {again}");
    assert_eq!(books(&home), *after, "killed {kill:?} and repeated");
    home.ok("audit verify");
    counts
}

#[test]
fn killed_at_any_moment() {
    let base = before();
    let books_before = books(&base);
    let undisturbed = Home::copy_of(&base);
    let started = Instant::now();
    undisturbed.ok(INGEST);
    let whole = started.elapsed();
    let books_after = books(&undisturbed);
    assert_eq!((books_before.imports, books_after.imports), (1, 2));
    assert_ne!(books_before.sums, books_after.sums);

    let points = failpoints(&base);
    assert!(4 <= points.len(), "an import syncs and commits at more places than {points:?}");
    let plan = plan(&points, whole);
    let next = AtomicUsize::new(0);
    let outcomes = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while let Some(kill) = plan.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let counts = kill_once(&base, kill, &books_before, &books_after);
                    outcomes.lock().unwrap().push((matches!(kill, Kill::At(_)), counts));
                }
            });
        }
    });

    let outcomes = outcomes.into_inner().unwrap();
    let count = |at_point, counts| outcomes.iter().filter(|one| **one == (at_point, counts)).count();
    // Written past the test runner's capture: the numbers are part of the answer.
    let _ = writeln!(
        std::io::stderr(),
        "\n{} kills: {} at failpoints ({} ended before, {} after), {} at any time ({} before, {} after), 0 between",
        outcomes.len(),
        count(true, false) + count(true, true),
        count(true, false),
        count(true, true),
        count(false, false) + count(false, true),
        count(false, false),
        count(false, true),
    );
    assert_eq!(outcomes.len(), plan.len());
    assert!(0 < count(true, false) + count(false, false), "no kill came before the commit");
    assert!(0 < count(true, true) + count(false, true), "no kill came after the commit");
    assert!(
        0 < count(true, false) && 0 < count(true, true),
        "failpoints stand on one side of the commit only"
    );
}
