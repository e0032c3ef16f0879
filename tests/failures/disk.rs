//! Disks and memory that run out, and imports at the same time.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};

use insta::assert_snapshot;

use crate::support::{Answer, Home, exact, is_said, project, row};

/// A file system in memory, so small that a large import does not fit.
struct SmallDisk(PathBuf);

impl SmallDisk {
    /// `None` where this machine does not let us mount one.
    fn mount(at: &Path, size: &str) -> Option<SmallDisk> {
        std::fs::create_dir_all(at).unwrap();
        let size = format!("size={size}");
        let output =
            Command::new("mount").args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(at).output().ok()?;
        output.status.success().then(|| SmallDisk(at.to_owned()))
    }

    fn grow(&self, size: &str) {
        let remount =
            Command::new("mount").args(["-o", &format!("remount,size={size}")]).arg(&self.0).status();
        assert!(remount.unwrap().success());
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let unmounted = Command::new("umount").arg(&self.0).status();
        assert!(unmounted.is_ok_and(|status| status.success()) || std::thread::panicking());
    }
}

/// Rows whose ids hardly compress: about 0.4 kB each wherever they are kept.
fn incompressible(rows: usize) -> Vec<String> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    let mut id = || {
        (0..25).fold(String::new(), |mut id, _| {
            write!(id, "{:016x}", next()).unwrap();
            id
        })
    };
    (0..rows).map(|_| row(&id(), "Compute", "1", "1", &project("genome"))).collect()
}

/// What must hold after an import for which there was no room.
fn assert_no_room(home: &Home, answer: &Answer) {
    let words = &answer.stderr;
    assert_eq!(answer.code, 1, "{words}");
    let reasons = ["No space left", "File too large", "disk is full"];
    assert!(reasons.iter().any(|reason| words.contains(reason)), "{words}");
    assert!(words.contains("instance/"), "no place is named: {words}");
    assert_eq!(home.billed("all"), exact("7"), "the books are not as before");
    assert_eq!(home.json("imports list").as_array().map(Vec::len), Some(1));
    home.ok("audit verify");
}

#[test]
fn a_disk_that_fills_up() {
    let home = Home::bare();
    home.write("config.yaml", crate::support::CONFIG);
    let disk = SmallDisk::mount(&home.path().join("instance"), "6m");
    home.open("2025-01");
    home.focus("hpc.csv", &[row("job-1", "CPU", "7", "7", &project("genome"))]);
    home.ok("ingest hpc.csv");
    home.focus("aws.csv", &incompressible(20_000));

    if let Some(disk) = &disk {
        let answer = home.run("ingest aws.csv");
        assert_no_room(&home, &answer);
        // What the refused import had written is gone, so that there is room for a small one.
        home.focus("aws-small.csv", &incompressible(10));
        home.ok("ingest aws-small.csv");
        disk.grow("64m");
        home.ok("ingest aws.csv --append");
        assert_eq!(home.billed("all"), exact("20017"));
    } else {
        // Not captured by the test runner: whoever reads its output shall know.
        let _ = writeln!(
            std::io::stderr(),
            "\n*** a_disk_that_fills_up: mounting a tmpfs is not permitted here; the size of files is limited instead ***"
        );
        // Blocks of 512 bytes; a write beyond the limit is an error instead of a signal.
        let mut limited = home.command_after("trap '' XFSZ; ulimit -f 4000", "ingest aws.csv");
        let answer = home.answer(&limited.output().unwrap());
        assert_no_room(&home, &answer);
        home.ok("ingest aws.csv");
        assert_eq!(home.billed("all"), exact("20007"));
    }
}

/// The largest resident size of a process while it ran, in kB, and what it answered.
fn peak_kilobytes(home: &Home, mut child: Child) -> (u64, Answer) {
    let status = format!("/proc/{}/status", child.id());
    let mut peak = 0_u64;
    while child.try_wait().unwrap().is_none() {
        let text = std::fs::read_to_string(&status).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let seen = line.and_then(|line| line.trim().trim_end_matches("kB").trim().parse().ok());
        peak = peak.max(seen.unwrap_or(0));
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    (peak, home.answer(&child.wait_with_output().unwrap()))
}

#[test]
fn a_field_of_256_megabytes() {
    let home = Home::new();
    let path = home.focus("aws.csv", &[row("i-1", "Compute", "1", "1", &project("genome"))]);
    let mut file = std::fs::OpenOptions::new().append(true).open(path).unwrap();
    file.write_all(b"2025-01-01,2025-01-31,2025-01-01,2025-01-01,1,1,1,1,\"").unwrap();
    let block = vec![b'x'; 1 << 20];
    for _ in 0..256 {
        file.write_all(&block).unwrap();
    }
    file.write_all(b"\",x,x,{}\n").unwrap();
    drop(file);

    let (peak, answer) = peak_kilobytes(&home, home.start("ingest aws.csv"));

    assert_eq!(answer.code, 1, "{}", answer.stderr);
    assert!(answer.stderr.contains("aws.csv:3"), "{}", answer.stderr);
    assert_snapshot!(answer.stderr, @"error: aws.csv:3: the record that begins here is larger than 16 MB; a quote is probably never closed");
    assert!(0 < peak && peak < 200_000, "{peak} kB for a file of 262,144 kB");
    home.assert_nothing_stored();
}

#[test]
fn two_imports_at_once_both_count() {
    let home = Home::new();
    for (name, cost) in [("aws", "1"), ("hpc", "2")] {
        let rows: Vec<String> = (0..2000)
            .map(|n| row(&format!("{name}-{n}"), "Compute", cost, cost, &project("genome")))
            .collect();
        home.focus(&format!("{name}.csv"), &rows);
    }

    let children =
        [home.start("ingest aws.csv"), home.start("ingest hpc.csv"), home.start("ingest aws.csv --json")];
    let answers = children.map(|child| home.answer(&child.wait_with_output().unwrap()));

    // Two processes deliver the same file: one of them counts, the other finds it there.
    for answer in &answers {
        assert_eq!(answer.code, 0, "{}", answer.stderr);
    }
    let by_source = home.report("--period 2025-01 --by source --state all");
    assert_eq!(by_source.column("source"), ["AWS", "HPC"]);
    assert_eq!(by_source.column("billed_cost"), ["2000", "4000"]);
    assert_eq!(home.json("imports list").as_array().map(Vec::len), Some(2));
    home.ok("audit verify");
    home.write("again.csv", home.read("aws.csv"));
    assert!(is_said(&home.json("ingest again.csv --source AWS")["unchanged"]));
}

#[test]
fn an_import_while_its_period_closes() {
    let home = Home::new();
    let rows: Vec<String> =
        (0..2000).map(|n| row(&format!("i-{n}"), "Compute", "1", "1", &project("genome"))).collect();
    home.focus("aws.csv", &rows);

    let import = home.start("ingest aws.csv");
    let close = home.start("periods close 2025-01");
    let import = home.answer(&import.wait_with_output().unwrap());
    let close = home.answer(&close.wait_with_output().unwrap());

    assert_eq!(close.code, 0, "{}", close.stderr);
    // Whichever came first: charges are in the period, or the import was refused whole.
    match import.code {
        0 => assert_eq!(home.billed("all"), exact("2000")),
        1 => {
            assert!(import.stderr.contains("closed"), "{}", import.stderr);
            home.assert_nothing_stored();
        }
        code => panic!("exit {code}: {}", import.stderr),
    }
}
