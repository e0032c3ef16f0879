//! What nobody touched is sound, whatever the office did.

use insta::assert_snapshot;
use serde_json::json;

use super::{billed, decided};
use crate::support::{Home, project, row};

fn assert_sound(home: &Home) {
    let found = home.json("verify --deep");
    assert_eq!(found["sound"], json!(true), "{found:#}");
    assert_eq!(found["differences"], json!([]));
}

#[test]
fn a_month_is_proven_in_words() {
    let home = billed();
    let answer = home.run("verify");
    assert_eq!(answer.code, 0, "{}{}", answer.stdout, answer.stderr);
    assert_snapshot!(answer.stdout, @"
    audit chain      17  the chain of acts, and every row of the books by the digest of its act: ok
    charge files      3  size and SHA-256; of quarantined rows the number: ok
    evidence          2  delivered files kept whole, by length and index: ok
    documents         4  size and SHA-256 of what was issued: ok
    imports           2  rows delivered = charges + quarantined + left out: ok
    parts             2  counts and sums of what is live: the ledger = the charge files: ok
    statements        3  every version computed again, equal to the last digit: ok
    periods           3  by source: charges = posted + held + rejected + deferred, but for rounding: ok
    journals          1  made again; debits = credits; payers = amounts due + subsidies: ok
    ");
    assert_snapshot!(answer.stderr, @"hint: the delivered bytes were not read again: `focus-billing verify --deep` does");
    let deep = home.run("verify --deep --period 2025-01");
    assert_eq!(deep.code, 0, "{}{}", deep.stdout, deep.stderr);
    assert!(deep.stdout.contains("delivered bytes"), "{}", deep.stdout);
    assert_eq!(deep.stderr, "");
}

#[test]
fn an_empty_installation_is_sound() {
    assert_sound(&Home::new());
    assert_snapshot!(Home::new().refused("verify --period 2031-05"), @"
    error: period 2031-05 was never opened
    hint: known periods: 2025-01
    ");
}

#[test]
fn an_open_month_is_sound() {
    assert_sound(&decided());
}

#[test]
fn what_changed_after_a_reopening_is_a_second_version_and_both_are_proven() {
    let home = billed();
    home.reopen("2025-01", "a late file");
    home.undo("--id 2:3");
    home.decide("approve", "--id 2:3");
    home.focus("aws-late.csv", &[row("i-9", "Lambda", "3.333", "3.333", &project("late"))]);
    home.ok("ingest aws-late.csv --source AWS --append");
    home.bill_january();
    home.ok("export-journal --period 2025-01 --format gl");
    assert_sound(&home);
    // What was deferred is billed in February.
    home.decide("approve", "--id 2:4");
    home.close("2025-02");
    home.generate("2025-02");
    home.ok("export-journal --period 2025-02 --format detail");
    assert_sound(&home);
}

#[test]
fn deliveries_that_were_replaced_read_again_and_withdrawn_are_proven() {
    let home = decided();
    home.write(
        "config.yaml",
        format!("{}review: {{ flag_patterns: [training, job-2] }}\n", crate::support::CONFIG),
    );
    home.ok("imports reread 2");
    home.decide("approve", "--id 3:2");
    home.focus("storage_2025-01.csv", &[row("s-1", "Disk", "1", "1", &project("genome"))]);
    home.ok("ingest storage_2025-01.csv --source AWS --append");
    home.ok("imports withdraw 4 --reason 'wrong source' --yes");
    home.bill_january();
    home.ok("export-journal --period 2025-01 --format gl");
    assert_sound(&home);
    // The configuration of another day does not change what was closed with this one.
    home.write("config.yaml", format!("{}billing: {{ require_fund_org: false }}\n", crate::support::CONFIG));
    assert_sound(&home);
}

#[test]
fn rows_that_were_left_out_are_accounted_for() {
    let home = Home::new();
    home.open("2024-12");
    home.close("2024-12");
    home.focus(
        "aws.csv",
        &[
            crate::support::row_of("2024-12", "i-1", "Compute", "2", "2", &project("genome")),
            row("i-1", "Compute", "3", "3", &project("genome")),
        ],
    );
    home.ok("ingest aws.csv --only-open");
    assert_sound(&home);
}

#[test]
fn an_account_that_was_configured_after_the_close_stays_what_it_was() {
    let without = crate::support::CONFIG.replace("fund_org: IT-HPC, ", "").replace("fund_org: IT-AWS, ", "");
    let home = Home::bare();
    home.write("config.yaml", &without);
    home.open("2025-01");
    home.focus("aws.csv", &[row("i-1", "Compute", "10", "10", &project("genome"))]);
    home.ok("ingest aws.csv");
    home.bill_january();
    home.write("config.yaml", crate::support::CONFIG);
    home.ok("export-journal --period 2025-01 --format gl");
    home.write("config.yaml", crate::support::CONFIG.replace("IT-AWS", "IT-OTHER"));
    assert_sound(&home);
}
