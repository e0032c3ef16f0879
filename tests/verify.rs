//! The books are proven, and whatever is changed behind the program's back is found and named.
#![expect(clippy::unwrap_used, reason = "a story that cannot be told is a failed test")]

mod support;

#[path = "verify/sound.rs"]
mod sound;
#[path = "verify/tampering.rs"]
mod tampering;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::OnceLock;

use sqlx::Connection as _;
use support::{Change, Home, row, tags};

const TRAINING: &str = "review: { flag_patterns: [training] }\n";

/// January delivered by two sources (one file with a row that cannot be a charge), and decided.
fn decided() -> Home {
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
            row("broken", "Compute", "12,50", "12,50", &ann("genome")),
        ],
    );
    home.focus(
        "hpc_2025-01.csv",
        &[
            row("job-1", "CPU", "40", "0", &ann("genome")),
            row("job-2", "CPU", "30", "15.004", &bob("proteome")),
            row("training-2", "CPU", "7", "7", &bob("course")),
            row("training-3", "GPU", "12", "12", &tags("cyd@x.edu", "late", "CHEM-3003")),
        ],
    );
    home.ok("ingest aws_2025-01.csv --quarantine");
    home.ok("ingest hpc_2025-01.csv");
    home.open("2025-02");
    home.decide("approve", "--id 1:3");
    home.decide("reject", "--id 2:3");
    home.decide("defer", "--id 2:4");
    let to = Change {
        pi: Some("bob@x.edu"),
        project: Some("proteome"),
        fund_org: Some("BIO-2002"),
        ..Change::default()
    };
    home.reassign("--id 1:4", &to);
    home
}

/// The same, billed: statements, e-mails and a journal. Made once; every story gets a copy.
fn billed() -> Home {
    static FILES: OnceLock<BTreeMap<PathBuf, Vec<u8>>> = OnceLock::new();
    let files = FILES.get_or_init(|| {
        let home = decided();
        home.bill_january();
        home.ok("send --period 2025-01");
        home.ok("export-journal --period 2025-01 --format gl");
        home.tree("")
    });
    let home = Home::bare();
    for (path, bytes) in files {
        home.write(path.to_str().unwrap(), bytes);
    }
    home
}

/// What `verify` says is wrong, one line each.
fn differences(home: &Home, line: &str) -> String {
    let found = home.refused_json(line);
    let list = support::entries(&found["differences"]);
    let told =
        |one: &serde_json::Value| format!("{}: {}", support::text(one, "place"), support::text(one, "what"));
    let lines: Vec<String> = list.iter().map(told).collect();
    assert!(!lines.is_empty(), "{found}");
    lines.join("\n")
}

/// Write to the ledger past the program: its guards first, then the statements.
fn tamper(home: &Home, statements: &[&str]) {
    let url = format!("sqlite://{}", home.path().join("instance/ledger.db").display());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut connection = sqlx::SqliteConnection::connect(&url).await.unwrap();
        let triggers: Vec<(String,)> =
            sqlx::query_as("SELECT name FROM sqlite_master WHERE type = 'trigger'")
                .fetch_all(&mut connection)
                .await
                .unwrap();
        assert!(!triggers.is_empty(), "the ledger has no guards");
        for (trigger,) in triggers {
            run(&mut connection, &format!("DROP TRIGGER {trigger}")).await;
        }
        for statement in statements {
            assert!(run(&mut connection, statement).await > 0, "`{statement}` changed nothing");
        }
        connection.close().await.unwrap();
    });
}

async fn run(connection: &mut sqlx::SqliteConnection, sql: &str) -> u64 {
    sqlx::query(sqlx::AssertSqlSafe(sql)).execute(connection).await.unwrap().rows_affected()
}

/// One text of the ledger.
fn select(ledger: &std::path::Path, sql: &str) -> String {
    let url = format!("sqlite://{}", ledger.display());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut connection = sqlx::SqliteConnection::connect(&url).await.unwrap();
        let (text,): (String,) =
            sqlx::query_as(sqlx::AssertSqlSafe(sql)).fetch_one(&mut connection).await.unwrap();
        connection.close().await.unwrap();
        text
    })
}
