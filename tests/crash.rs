//! Killed at any moment of an import: the books are as before it or as after it, never between, and the
//! import can simply be repeated.
//!
//! A third of the kills happen at named failpoints, around every sync and commit: `FOCUS_BILLING_ABORT_AT`
//! holds `name` or `name:count` and aborts the process at the count-th time that it comes by; the names are
//! what `debug failpoints` lists (both exist only in binaries built with the feature `failpoints`). The
//! others are `SIGKILL`, spread evenly over the time that an import takes.
//!
//! `crash/acts.rs` does the same to statements, e-mails and journals.
//!
//! About 60 kills, among them one at every moment that has a name; `FOCUS_BILLING_LONG=1` makes it more than 300.
#![expect(clippy::unwrap_used, reason = "a story that cannot be told is a failed test")]

#[path = "crash/acts.rs"]
mod acts;
mod support;

use std::io::Write as _;
use std::os::unix::process::ExitStatusExt as _;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use support::{Home, is_said, project, row_of};

/// One delivery of two files and two periods, so that there is more than one file to sync, with a row that is
/// set aside.
const INGEST: &str = "ingest --quarantine aws-1.csv aws-2.csv";
const ROWS: usize = 3000;

fn kills() -> usize {
    if std::env::var_os("FOCUS_BILLING_LONG").is_some() { 330 } else { 45 }
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
        let mut rows: Vec<String> = (0..ROWS).map(row).collect();
        if file == 2 {
            rows.push(row_of("2025-01", "vm-bad", "Compute", "0,25", "NaN", &project("genome")));
        }
        home.focus(&format!("aws-{file}.csv"), &rows);
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

/// What is known before the first kill.
struct Stage {
    base: Home,
    before: Books,
    after: Books,
    /// The files of an import that was not disturbed.
    files: Vec<PathBuf>,
}

/// Beyond every lease: what crashes left behind is swept by an import that begins then.
const LATER: &str = "2100-01-01T00:00:00Z";

/// The facts in the lake, by folder: file names hold import numbers, of which a crash uses up one.
fn files(home: &Home) -> Vec<PathBuf> {
    let folders = ["charges", "deliveries", "quarantine"].map(|name| format!("instance/lake/{name}"));
    let files = folders.iter().flat_map(|folder| home.tree(folder).into_keys());
    let mut files: Vec<PathBuf> =
        files.map(|path| path.with_file_name(path.extension().unwrap_or(path.as_os_str()))).collect();
    files.sort();
    files
}

struct Killed {
    /// Whether the process was ended; otherwise it was done before.
    ended: bool,
    /// Whether the import counts.
    counts: bool,
}

impl Stage {
    /// One kill and the import again: at once, or `later`, when everything that the killed one left is swept.
    fn kill_once(&self, kill: &Kill, later: bool) -> Killed {
        let home = Home::copy_of(&self.base);
        let status = kill.import(&home);
        let found = books(&home);
        let counts = found == self.after;
        assert!(
            counts || found == self.before,
            "killed {kill:?} ({status}), the books are between: {found:?}"
        );

        let mut again = home.command(&format!("{INGEST} --json"));
        if later {
            again.env("FOCUS_BILLING_NOW", LATER);
        }
        let answer = home.answer(&again.output().unwrap());
        assert_eq!(answer.code, 0, "killed {kill:?} and repeated: {}", answer.stderr);
        let again: serde_json::Value = serde_json::from_str(&answer.stdout).unwrap();
        assert_eq!(is_said(&again["unchanged"]), counts, "killed {kill:?}: {again}");
        assert_eq!(books(&home), self.after, "killed {kill:?} and repeated");
        home.ok("audit verify");
        if later {
            assert_eq!(files(&home), self.files, "killed {kill:?}, repeated and swept");
        }
        Killed { ended: status.signal().is_some(), counts }
    }

    /// Kills at each named failpoint, each of the first times that an import comes by.
    fn kill_at_failpoints(&self, name: &str) -> Vec<(String, bool)> {
        let mut kills = Vec::new();
        for count in 1..=4 {
            let point = format!("{name}:{count}");
            let killed = self.kill_once(&Kill::At(point.clone()), count % 2 == 1);
            if !killed.ended {
                break;
            }
            kills.push((point, killed.counts));
        }
        assert!(!kills.is_empty(), "an import does not come by {name}");
        kills
    }
}

/// Do the work of each item, two at a time.
fn on_two_threads<T: Sync, R: Send>(items: &[T], work: impl Fn(usize, &T) -> R + Sync) -> Vec<R> {
    let next = AtomicUsize::new(0);
    let done = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                loop {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    let Some(item) = items.get(at) else { break };
                    let result = work(at, item);
                    done.lock().unwrap().push(result);
                }
            });
        }
    });
    done.into_inner().unwrap()
}

#[test]
fn killed_at_any_moment() {
    let base = before();
    let undisturbed = Home::copy_of(&base);
    let started = Instant::now();
    undisturbed.ok(INGEST);
    let whole = started.elapsed();
    let stage = Stage { before: books(&base), after: books(&undisturbed), files: files(&undisturbed), base };
    assert_eq!((stage.before.imports, stage.after.imports), (1, 2));
    assert_ne!(stage.before.sums, stage.after.sums);

    let listed = stage.base.ok("debug failpoints");
    let names: Vec<&str> = listed.split_whitespace().collect();
    assert!(!names.is_empty(), "build the binary with the feature `failpoints`");
    let at_points: Vec<(String, bool)> =
        on_two_threads(&names, |_, name| stage.kill_at_failpoints(name)).into_iter().flatten().collect();

    // A third at failpoints, again in turn; the rest spread over an import's time and beyond its end, so that
    // some come too late.
    let points = at_points.iter().map(|(point, _)| Kill::At(point.clone())).cycle();
    let delays = u32::try_from(kills() - kills() / 3).unwrap();
    let after = (0..delays).map(|n| Kill::After(whole * 3 / 2 * n / delays));
    let plan: Vec<Kill> = points.take((kills() / 3).saturating_sub(at_points.len())).chain(after).collect();
    let more = on_two_threads(&plan, |at, kill| {
        (matches!(kill, Kill::At(_)), stage.kill_once(kill, at % 2 == 1).counts)
    });

    let outcomes: Vec<(bool, bool)> =
        at_points.iter().map(|(_, counts)| (true, *counts)).chain(more).collect();
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
    assert!(0 < count(true, false) + count(false, false), "no kill came before the commit");
    assert!(0 < count(true, true) + count(false, true), "no kill came after the commit");
    assert!(
        0 < count(true, false) && 0 < count(true, true),
        "failpoints stand on one side of the commit only"
    );
}
