//! What a further delivery of a source means: nothing new, a correction, an addition, or a question.

use std::fmt::Write as _;

use insta::assert_snapshot;
use serde_json::{Value, json};

use super::TRAINING;
use crate::support::{CONFIG, HEADER, Home, amount, entries, exact, is_said, project, row, text, texts};

/// Twenty charges of 1, the n-th of resource `vm-n`.
fn twenty() -> Vec<String> {
    (1..=20).map(|n| row(&format!("vm-{n:02}"), "Compute", "1", "1", &project("genome"))).collect()
}

/// Where the twenty have been imported from `aws_2025-01.csv`.
fn imported() -> Home {
    let home = Home::with(TRAINING);
    home.focus("aws_2025-01.csv", &twenty());
    home.ok("ingest aws_2025-01.csv");
    home
}

fn sources(delivery: &str) -> String {
    CONFIG.replace("fund_org: IT-AWS,", &format!("delivery: {delivery}, fund_org: IT-AWS,"))
}

fn books(home: &Home) -> (Value, String) {
    (home.json("imports list"), home.ok("report --by period,source --state all --format csv"))
}

#[test]
fn the_same_bytes_change_nothing() {
    let home = imported();
    let before = books(&home);
    let answer = home.json("ingest aws_2025-01.csv");
    assert!(is_said(&answer["unchanged"]), "{answer}");
    home.write("renamed.csv", home.read("aws_2025-01.csv"));
    assert!(is_said(&home.json("ingest renamed.csv --source AWS")["unchanged"]));
    assert_eq!(books(&home), before);

    // Under another source they are other charges, but that is worth a warning.
    let answer = home.json("ingest renamed.csv --source HPC");
    let notes = texts(&answer["notes"]).join("\n");
    assert!(notes.contains("AWS"), "the same bytes under another source are not noticed: {notes}");
    assert_eq!(home.billed("all"), exact("40"));
}

#[test]
fn a_dry_run_says_what_would_happen_and_changes_nothing() {
    let home = imported();
    let mut rows = twenty();
    rows[0] = row("vm-01", "Compute", "2", "2", &project("genome"));
    home.focus("aws_2025-01.csv", &rows);
    let before = (books(&home), home.tree("instance/lake/charges"), home.tree("instance/lake/deliveries"));

    let would_be = home.json("ingest aws_2025-01.csv --dry-run");

    let after = (books(&home), home.tree("instance/lake/charges"), home.tree("instance/lake/deliveries"));
    assert!(after == before, "the dry run left a trace");
    let done = home.json("ingest aws_2025-01.csv");
    for field in ["rows", "charges", "flagged", "list_cost", "billed_cost", "superseded", "periods"] {
        assert_eq!(would_be[field], done[field], "{field}");
    }
}

#[test]
fn a_corrected_copy_takes_the_place_of_the_first() {
    let home = Home::with(TRAINING);
    let mut rows = twenty();
    rows.push(row("training-1", "Compute", "5", "5", &project("genome")));
    rows.push(row("training-2", "Compute", "6", "6", &project("genome")));
    home.focus("aws_2025-01.csv", &rows);
    home.ok("ingest aws_2025-01.csv");
    home.decide("approve", "--id 1:21,1:22");
    assert_eq!(home.billed("held"), exact("0"));

    // vm-20 is gone, vm-01 costs more, training-2 too, and vm-21 is new.
    rows[0] = row("vm-01", "Compute", "3", "3", &project("genome"));
    rows[21] = row("training-2", "Compute", "9", "9", &project("genome"));
    rows.remove(19);
    rows.push(row("vm-21", "Compute", "1", "1", &project("genome")));
    home.focus("aws_2025-01.csv", &rows);
    let answer = home.run("ingest aws_2025-01.csv");

    assert_eq!(answer.code, 0, "{}", answer.stderr);
    assert_snapshot!(format!("{}\n{}", answer.stdout, answer.stderr), @"
    import 2: 22 charges of AWS
      periods          2025-01
      rows             22 delivered, 22 charges, 0 quarantined
      list cost        36.00
      billed cost      36.00
      held for review  2 charges, 14.00
      supersedes       import 1: 1 added, 1 gone, 2 changed; billed 31.00 before, 36.00 after

    flag           charges  billed cost  why
    ─────────────  ───────  ───────────  ─────────────────────────────────────────
    pattern_match        2        14.00  a pattern of review.flag_patterns matches

    note: aws_2025-01.csv: period ends are the last day inside the period, not the first after it as FOCUS says: read inclusively
    hint: `focus-billing review list --period 2025-01` shows what to decide
    ");
    assert_eq!(home.billed("all"), exact("36"));
    // The approval of training-1 follows it; training-2 is another amount and is asked about again,
    // with what was decided before in sight.
    assert_eq!(home.billed("held"), exact("9"));
    let waiting = entries(&home.json("review list --period 2025-01"));
    assert_eq!(waiting.len(), 1);
    let id = text(&waiting[0], "id");
    assert!(id.starts_with("2:"), "{id}");
    let shown = home.ok(&format!("charges show {id}"));
    assert!(shown.contains("approve"), "the earlier decision is not shown: {shown}");
}

#[test]
fn twins_keep_their_own_decisions() {
    let home = Home::with(TRAINING);
    let twin = row("training-1", "Compute", "5", "5", &project("genome"));
    let mut rows = twenty();
    rows.extend([twin.clone(), twin]);
    home.focus("aws_2025-01.csv", &rows);
    home.ok("ingest aws_2025-01.csv");
    home.decide("approve", "--id 1:21");
    home.decide("reject", "--id 1:22");

    rows.push(row("vm-21", "Compute", "1", "1", &project("genome")));
    home.focus("aws_2025-01.csv", &rows);
    home.ok("ingest aws_2025-01.csv");

    for (state, sum) in [("billable", "26"), ("rejected", "5"), ("held", "0")] {
        assert_eq!(home.billed(state), exact(sum), "{state}");
    }
}

#[test]
fn an_unclear_overlap_is_a_question() {
    let home = imported();
    let mut rows = twenty();
    rows[0] = row("vm-01", "Compute", "2", "2", &project("genome"));
    home.focus("other.csv", &rows);
    let before = books(&home);

    assert_snapshot!(home.refused("ingest other.csv --source AWS"), @r"
    import 1: 0 charges added (0)
    import 1: 0 charges gone (0)
    import 1: 1 charges changed; billed 20 before, 21 after
    import 1: genome of pi@example.edu: billed 20 before, 21 after
    error: the delivery overlaps import 1 in 20 charges, and it is not clear which of the two counts
    hint: `--replace 1` if this delivery takes its place
    hint: `--append` if both count; what overlaps is then flagged `possible_duplicate`
    hint: or say once how the source delivers: `delivery: snapshot` or `increment` under imports.known_sources
    ");
    assert_eq!(books(&home), before);

    let answer = home.json("ingest other.csv --source AWS --append");
    assert_eq!(answer["flagged"], json!(20), "what overlaps is flagged: {answer}");
    assert_eq!(home.billed("all"), exact("41"));
    assert_eq!(home.billed("held"), exact("21"));
    let flags = home.report("--period 2025-01 --by flags --state held");
    assert_eq!(flags.column("flags"), ["possible_duplicate"]);
}

#[test]
fn replacing_is_said_by_number() {
    let home = imported();
    let rows: Vec<String> =
        (1..=20).map(|n| row(&format!("vm-{n:02}"), "Compute", "2", "2", &project("genome"))).collect();
    home.focus("other.csv", &rows);
    let words = home.refused("ingest other.csv --source AWS --replace 77");
    assert!(words.contains("77"), "{words}");
    let answer = home.json("ingest other.csv --source AWS --replace 1");
    assert!(is_said(&answer["superseded"]), "{answer}");
    assert_eq!(home.billed("all"), exact("40"));
    assert_eq!(home.run("ingest other.csv --source AWS --replace 1 --append").code, 2);
}

#[test]
fn what_does_not_overlap_is_added() {
    let home = imported();
    home.focus("second.csv", &[row("disk-1", "Storage", "4", "4", &project("genome"))]);
    let answer = home.json("ingest second.csv --source AWS");
    assert!(!is_said(&answer["superseded"]), "{answer}");
    assert_eq!(home.billed("all"), exact("24"));
}

#[test]
fn a_snapshot_takes_the_place_of_the_one_before_by_account() {
    let home = Home::bare();
    home.write("config.yaml", sources("snapshot"));
    home.open("2025-01");
    let file = |name: &str, rows: &[(&str, &str, &str)]| {
        let mut text = format!("{HEADER},BillingAccountId\n");
        for (resource, cost, account) in rows {
            writeln!(text, "{},{account}", row(resource, "Compute", cost, cost, &project("genome"))).unwrap();
        }
        home.write(name, text);
    };
    file("first.csv", &[("i-1", "10", "0001"), ("i-2", "20", "0002")]);
    home.ok("ingest first.csv --source AWS");

    file("second.csv", &[("i-1", "11", "0001"), ("i-3", "5", "0001")]);
    let answer = home.json("ingest second.csv --source AWS");

    assert!(is_said(&answer["superseded"]), "{answer}");
    let by_account = home.report("--period 2025-01 --by billing_account_id --state all");
    assert_eq!(by_account.column("billing_account_id"), ["0001", "0002"]);
    assert_eq!(by_account.column("billed_cost"), ["16", "20"]);
}

#[test]
fn an_increment_is_added() {
    let home = Home::bare();
    home.write("config.yaml", sources("increment"));
    home.open("2025-01");
    home.focus("first.csv", &twenty());
    home.ok("ingest first.csv --source AWS");
    home.focus("second.csv", &twenty()[..5]);
    home.ok("ingest second.csv --source AWS");
    assert_eq!(home.billed("all"), exact("25"));
    assert!(
        is_said(&home.json("ingest second.csv --source AWS")["unchanged"]),
        "the same file is the same file"
    );
}

#[test]
fn several_files_are_one_delivery() {
    let home = Home::new();
    home.focus("aws-1.csv", &twenty()[..12]);
    home.focus("aws-2.csv", &twenty()[12..]);
    let answer = home.json("ingest aws-1.csv aws-2.csv");
    assert_eq!((&answer["rows"], &answer["charges"]), (&json!(20), &json!(20)));
    assert_eq!(home.json("imports list").as_array().map(Vec::len), Some(1));
    let charges = home.charges("--period 2025-01");
    let last = charges.last().unwrap();
    assert_eq!((text(last, "id"), text(last, "file"), &last["line"]), ("1:20", "aws-2.csv", &json!(9)));
    assert!(is_said(&home.json("ingest aws-1.csv aws-2.csv")["unchanged"]));
}

#[test]
fn a_withdrawn_delivery_counts_no_more() {
    let home = imported();
    home.ok("imports withdraw 1 --reason 'this was the test account' --yes");
    assert_eq!(home.billed("all"), exact("0"));
    let shown = home.ok("imports show 1");
    assert!(shown.contains("this was the test account"), "{shown}");
    let words = home.refused("imports withdraw 1 --reason again --yes");
    assert!(words.contains("withdrawn"), "{words}");

    // The same bytes are welcome again: what was withdrawn is not live.
    let answer = home.json("ingest aws_2025-01.csv");
    assert!(!is_said(&answer["unchanged"]), "{answer}");
    assert_eq!(home.billed("all"), exact("20"));
}

#[test]
fn kept_bytes_are_read_again_under_a_new_configuration() {
    let home = imported();
    std::fs::remove_file(home.path().join("aws_2025-01.csv")).unwrap();
    home.decide("reject", "--id 1:2");
    home.write("config.yaml", format!("{CONFIG}review: {{ flag_patterns: ['vm-0[1-3]'] }}\n"));

    let answer = home.json("imports reread 1");

    assert!(is_said(&answer["superseded"]), "{answer}");
    assert_eq!(amount(&answer, "billed_cost"), exact("20"));
    assert_eq!(home.billed("all"), exact("20"));
    // vm-02 had no flag when it was rejected; it is another charge now and asked about again.
    let held = home.report("--period 2025-01 --by resource_id --state held");
    assert_eq!(held.column("resource_id"), ["vm-01", "vm-02", "vm-03"]);
    let again = home.json("imports reread 2");
    assert!(is_said(&again["unchanged"]), "nothing changed in between: {again}");
}

#[test]
fn the_source_and_the_period_are_guessed_from_the_name() {
    let home = Home::new();
    home.open("2025-02");
    home.open("2025-03");
    for (name, source) in [
        ("AWS_2025-01.csv", "AWS"),
        ("export-hpc-202501.csv", "HPC"),
        ("hpc_2025_01_b.csv", "HPC"),
        ("aws-2025-Q1.csv", "AWS"),
    ] {
        home.focus(name, &[row(name, "Compute", "1", "1", &project("genome"))]);
        let answer = home.json(&format!("ingest {name}"));
        assert_eq!((text(&answer, "source"), &answer["flagged"]), (source, &json!(0)), "{name}");
    }
    // A name that says another month than the rows is a reason to look.
    home.focus("aws_2025-02.csv", &[row("i-9", "Compute", "1", "1", &project("genome"))]);
    assert_eq!(home.json("ingest aws_2025-02.csv")["flagged"], json!(1));
    let held = home.report("--period 2025-01 --by flags --state held");
    assert_eq!(held.column("flags"), ["period_mismatch"]);
}

#[test]
fn a_charge_leads_back_to_its_line() {
    let home = imported();
    let charge = home.charges("--period 2025-01").swap_remove(6);
    assert_eq!((text(&charge, "id"), &charge["line"]), ("1:7", &json!(8)));
    let line = home.read("aws_2025-01.csv").lines().nth(7).unwrap().to_owned();
    std::fs::remove_file(home.path().join("aws_2025-01.csv")).unwrap();

    let shown = home.ok("charges show 1:7");
    assert!(shown.contains("vm-07") && shown.contains("aws_2025-01.csv"), "{shown}");
    let chain = home.ok("why 1:7");
    assert!(chain.contains("aws_2025-01.csv") && chain.contains('8'), "{chain}");
    // The kept bytes hold the row exactly as it was delivered.
    let raw = home.json("charges show 1:7").to_string();
    let delivered = serde_json::to_string(&line).unwrap();
    assert!(raw.contains(delivered.trim_matches('"')), "{delivered}\nis not in\n{raw}");
}

/// A provider delivers the month so far every morning. What was decided stays with its charge, what is new waits.
#[test]
fn daily_snapshots_of_a_month_keep_every_decision() {
    const DAYS: usize = 28;
    let home = Home::bare();
    let flagged = "review: { flag_patterns: [sandbox] }\n";
    home.write("config.yaml", format!("{}{flagged}", sources("snapshot")));
    home.open("2025-01");
    // Each day brings a charge that needs no decision and one that does: approved on odd days, else rejected.
    let mut rows = Vec::new();
    for day in 1..=DAYS {
        rows.push(row(&format!("vm-{day}"), "Compute", "10", "10", &project("genome")));
        rows.push(row(&format!("sandbox-{day}"), "Compute", "1", "1", &project("genome")));
        home.focus("aws.csv", &rows);
        let answer = home.json("ingest aws.csv --source AWS");
        assert_eq!(answer["charges"], json!(2 * day));
        let held = entries(&home.json("review list"));
        assert_eq!(held.len(), 1, "on day {day} only what came with it waits: {held:?}");
        let act = if day % 2 == 1 { "approve" } else { "reject" };
        home.decide(act, &format!("--id {}", text(&held[0], "id")));
    }
    let sum = |state: &str| home.billed(state);
    assert_eq!((sum("billable"), sum("rejected"), sum("held")), (exact("294"), exact("14"), exact("0")));

    // The provider changes one charge of day 2, which was rejected: somebody looks at it again.
    rows[3] = row("sandbox-2", "Compute", "1", "0.5", &project("genome"));
    home.focus("aws.csv", &rows);
    home.ok("ingest aws.csv --source AWS");
    let held = entries(&home.json("review list"));
    assert_eq!(texts(&held[0]["flags"]), ["pattern_match", "changed_since_decision"]);
    assert_eq!((held.len(), sum("rejected"), sum("held")), (1, exact("13"), exact("0.5")));
    home.ok("verify");
}
