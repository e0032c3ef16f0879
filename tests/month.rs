//! The month of a billing office, told through the real binary.
//!
//! Start with `month/whole.rs`: two sources from files to a finalized period. Then `importing_again.rs`
//! (what a further delivery means), `review.rs` (decisions, and what they may not do), `shapes.rs` (what
//! commands print for machines, which other programs rely on), `demo.rs` (the newcomer's tour).
#![expect(clippy::unwrap_used, reason = "a story that cannot be told is a failed test")]

mod support;

#[path = "month/demo.rs"]
mod demo;
#[path = "month/importing_again.rs"]
mod importing_again;
#[path = "month/review.rs"]
mod review;
#[path = "month/shapes.rs"]
mod shapes;
#[path = "month/whole.rs"]
mod whole;

use support::{Home, row, tags};

const TRAINING: &str = "review: { flag_patterns: [training] }\n";

/// Two sources with January delivered: what can be billed, what a pattern flags, what nobody is named for.
fn delivered() -> Home {
    let home = Home::with(TRAINING);
    let ann = |project: &str| tags("ann@x.edu", project, "PHYS-1001");
    let bob = |project: &str| tags("bob@x.edu", project, "BIO-2002");
    home.focus(
        "aws_2025-01.csv",
        &[
            row("i-1", "Compute", "100", "80", &ann("genome")),
            row("i-2", "Storage", "20.005", "20.005", &ann("genome")),
            row("training-1", "Compute", "50", "50", &ann("course")),
            row("i-4", "Compute", "10", "10", "{}"),
            row("refund", "Compute", "-5", "-5", &ann("genome")),
        ],
    );
    home.focus(
        "hpc_2025-01.csv",
        &[
            row("job-1", "CPU", "40", "0", &ann("genome")),
            row("job-2", "CPU", "30", "15", &bob("proteome")),
            row("training-2", "CPU", "7", "7", &bob("course")),
            row("training-3", "GPU", "12", "12", &tags("cyd@x.edu", "late", "CHEM-3003")),
        ],
    );
    home.ok("ingest aws_2025-01.csv");
    home.ok("ingest hpc_2025-01.csv");
    home
}

/// The same with every flagged charge decided: training-1 approved, training-2 rejected, training-3
/// deferred to February, i-4 given to Bob's proteome.
fn decided() -> Home {
    let home = delivered();
    home.open("2025-02");
    home.decide("approve", "--id 1:3");
    home.decide("reject", "--id 2:3");
    home.decide("defer", "--id 2:4");
    let to = support::Change {
        pi: Some("bob@x.edu"),
        project: Some("proteome"),
        fund_org: Some("BIO-2002"),
        ..support::Change::default()
    };
    home.reassign("--id 1:4", &to);
    home
}
