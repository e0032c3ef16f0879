//! Where an installation is kept: in another database, in a backup, in less space; and what an older ledger
//! becomes.
//!
//! `keeping/copies.rs` moves a ledger between engines, `backups.rs` backs up and restores (and is killed while it
//! does), `pruning.rs` makes room, `upgrades.rs` opens a ledger of the past, `faults.rs` takes the ground away.
#![expect(clippy::unwrap_used, reason = "a story that cannot be told is a failed test")]

mod support;

#[path = "keeping/backups.rs"]
mod backups;
#[path = "keeping/copies.rs"]
mod copies;
#[path = "keeping/faults.rs"]
mod faults;
#[path = "keeping/pruning.rs"]
mod pruning;
#[path = "keeping/upgrades.rs"]
mod upgrades;

use support::{Engine, Home, row, tags};

/// A month that was billed: a superseded delivery, a decision, statements, e-mails, a journal.
fn billed(engine: Engine) -> Home {
    let home = Home::on(engine);
    let ann = tags("ann@x.edu", "genome", "PHYS-1001");
    home.focus(
        "aws_2025-01.csv",
        &[row("i-1", "Compute", "100", "80", &ann), row("i-2", "Compute", "1", "1", "{}")],
    );
    home.ok("ingest aws_2025-01.csv");
    home.focus(
        "aws_2025-01.csv",
        &[row("i-1", "Compute", "100", "80.5", &ann), row("i-2", "Compute", "1", "1", "{}")],
    );
    home.ok("ingest aws_2025-01.csv --replace 1");
    home.decide("reject", "--id 2:2");
    home.bill_january();
    home.ok("send --period 2025-01");
    home.gl("2025-01");
    home
}

/// What people see of the books.
fn said(home: &Home) -> String {
    [
        "imports list --json",
        "report --by period,source --state all --format csv",
        "statements list --json",
        "why S-2025-01-0001 --json",
        "why 2:1 --json",
        "charges list --json",
    ]
    .map(|line| home.ok(line))
    .join("\n")
}
