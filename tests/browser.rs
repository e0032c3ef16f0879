//! What a person sees and does, in real Chromium: the month by clicking, with scripts and without (`month.rs`);
//! two people, the browser's own buttons (`trouble.rs`); what once was dead or lost (`defects.rs`); keys alone
//! (`keys.rs`); every page in both themes, on a telephone, as axe hears it (`looks.rs`). Whatever the browser
//! complains of fails the story.
#![expect(clippy::unwrap_used, reason = "a story that cannot be told is a failed test")]

#[path = "support/browser.rs"]
mod browser;
#[path = "browser/defects.rs"]
mod defects;
#[path = "browser/keys.rs"]
mod keys;
#[path = "browser/looks.rs"]
mod looks;
#[path = "browser/month.rs"]
mod month;
#[path = "support/mod.rs"]
mod support;
#[path = "browser/trouble.rs"]
mod trouble;

use std::path::PathBuf;

use browser::{Driver, Look, Window};
use support::web::Server;
use support::{Home, project, row, tags};

/// Run a story in a window; it must leave nothing to complain of.
fn story(look: Look, server: &Server, tell: impl FnOnce(&mut Window)) {
    let driver = Driver::start();
    let mut window = Window::open(&driver, server, look);
    tell(&mut window);
    window.has_nothing_to_complain_of();
}

/// January of one source: two charges that a pattern holds, one without a fund, one that is fine.
fn delivery() -> Vec<String> {
    vec![
        row("gpu-1", "GPU", "10.00", "8.00", &project("genome")),
        row("gpu-2", "GPU", "20.00", "16.00", &project("genome")),
        row("vm-1", "Compute", "5.00", "5.00", &project("genome")),
        row("vm-<b>2</b>", "Compute", "7.00", "7.00", &tags("pi@example.edu", "genome", "")),
    ]
}

/// An installation with accounts, whose pattern holds GPUs.
fn office() -> Home {
    let home = Home::with("review:\n  flag_patterns: [\"gpu\"]\n");
    home.accounts();
    home
}

/// The files of January, one of each source.
fn files(home: &Home) -> [PathBuf; 2] {
    let hpc = [row("job-1", "CPU", "4.00", "3.00", &project("genome"))];
    [home.focus("aws_2025-01.csv", &delivery()), home.focus("hpc_2025-01.csv", &hpc)]
}

/// The same with January imported and held.
fn held() -> Home {
    let home = office();
    files(&home);
    home.ok("ingest aws_2025-01.csv");
    home.ok("ingest hpc_2025-01.csv");
    home
}
