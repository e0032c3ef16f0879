//! From one database to another, and on from there.

use insta::assert_snapshot;

use super::{billed, said};
use crate::support::{CONFIG, Engine, empty_schema, engines, entries, text};

#[test]
fn an_installation_moves_to_a_server_and_back() {
    if !engines().contains(&Engine::Postgres) {
        return;
    }
    let home = billed(Engine::Sqlite);
    let before = said(&home);
    let acts = entries(&home.json("audit list"));
    let url = empty_schema();
    let told = home.ok(&format!("ledger copy --to '{url}'"));
    assert!(told.contains("chain, digests and counts are the same"), "{told}");
    let (_, yaml) = told.split_once("\n\ndatabase:").unwrap();
    home.write("config.yaml", format!("{CONFIG}database:{yaml}"));

    assert_eq!(said(&home), before);
    let moved = entries(&home.json("audit list"));
    assert_eq!(moved[..acts.len()], acts, "the same acts with the same numbers");
    assert_eq!(text(moved.last().unwrap(), "act"), "ledger.copied");
    home.ok("audit verify");
    home.open("2025-02");
    home.reopen("2025-01", "a late file");

    // Into the same server again, or into the old file, nothing goes.
    let refused =
        home.refused(&format!("ledger copy --to '{url}'")).replace(url.split('?').next().unwrap(), "URL");
    assert!(refused.contains("is not empty: it holds a ledger already"), "{refused}");
    assert_snapshot!(home.refused("ledger copy --to instance/ledger.db"), @"error: `HOME/instance/ledger.db` is not empty: it holds a ledger already; nothing was written to it; name an empty database");

    home.ok("ledger copy --to instance/back.db");
    home.write("config.yaml", format!("{CONFIG}database: {{ path: instance/back.db }}\n"));
    assert_eq!(home.period_state("2025-01"), "open");
    assert_eq!(entries(&home.json("audit list")).len(), acts.len() + 4);
    home.ok("audit verify");
}

#[test]
fn a_copy_says_what_to_write_into_the_configuration() {
    let home = crate::support::Home::new();
    let told = home.ok("ledger copy --to instance/other.db");
    assert_snapshot!(told, @"
    copied 5 rows of 4 tables from `HOME/instance/ledger.db`
      to `HOME/instance/other.db`, up to act 2; chain, digests and counts are the same

    To use it, stop everything that uses the old ledger, and write into the configuration instead
    of what `database` says now:

    database:
      path: instance/other.db
    ");
    assert_snapshot!(home.refused("ledger copy --to 'postgres://${NOBODY}@db/ledger'"), @"error: --to: the environment variable `NOBODY` is not set");
    let gone = "postgres://billing@localhost/ledger?host=/nonexistent/socket";
    assert_snapshot!(home.refused(&format!("ledger copy --to {gone}")), @"error: cannot open the ledger `postgres://localhost/ledger?host=/nonexistent/socket`: error communicating with database: No such file or directory (os error 2)");
}
