//! What scripts before the import did to usage (defects 55 and 56).

use super::support::{Home, amount, exact, text};

const SACCT: &str = "JobIDRaw|Account|Partition|State|Start|End|ElapsedRaw|AllocTRES\n";

/// `[Slurm]` of a cluster without options; three runs of an hour each.
fn cluster() -> Home {
    let home = Home::with("");
    home.write(
        "config.yaml",
        "imports: { known_sources: [{ name: Slurm, pattern: sacct, kind: slurm, delivery: snapshot }] }\n",
    );
    let runs =
        [1, 2, 3].map(|n| format!("{n}|genome|cpu|COMPLETED|1736000000|1736003600|3600|cpu={n}\n")).concat();
    home.write("sacct_2025-01.txt", format!("{SACCT}{runs}"));
    home
}

#[test]
fn defect_55_no_record_ends_a_conversion() {
    let home = cluster();
    home.ok("rates add core --unit core-hour --price 1 --from 2025-01-01 --yes");
    home.ok("ingest sacct_2025-01.txt");
    let charges = home.charges("--period 2025-01");
    assert_eq!(charges.len(), 1, "one account on one partition");
    assert_eq!(text(&charges[0], "resource_id"), "slurm:cluster:genome:cpu");
    assert_eq!(amount(&charges[0], "billed_cost"), exact("6"), "all three runs: 1 + 2 + 3 cores");
}

#[test]
fn defect_56_what_a_run_says_is_json_and_nothing_is_not_a_bill() {
    let home = cluster();
    let said = home.json("convert slurm sacct_2025-01.txt --period 2025-01 --output usage.csv");
    assert_eq!(said["rows"], 1);
    assert_eq!(said["read"]["records"], 3);
    // What a `sacct` that was refused leaves behind.
    home.write("sacct_2025-01.txt", "");
    let told = home.refused("ingest sacct_2025-01.txt");
    assert!(told.contains("sacct_2025-01.txt") && told.contains("is empty"), "{told}");
    // A month in which nothing ran is said to be one before it counts.
    home.write("sacct_2025-01.txt", SACCT);
    home.refused("ingest sacct_2025-01.txt");
    home.assert_nothing_stored();
}
