//! Unusual cost: tried on what was billed before, then told of or held when a delivery makes it so.
#![expect(clippy::unwrap_used, reason = "a story that cannot be told is a failed test")]

mod support;

use insta::assert_snapshot;
use serde_json::json;
use support::{CONFIG, Home, amount, entries, exact, project, row_of, text, texts};

/// Three quiet months of genome (Compute 100, 110, 90) and course (Compute 5 each month), and April open.
fn three_months(more: &str) -> Home {
    let home = Home::bare();
    home.write("config.yaml", format!("{CONFIG}{more}"));
    for (period, cost) in [("2025-01", "100"), ("2025-02", "110"), ("2025-03", "90"), ("2025-04", "0")] {
        home.open(period);
        if cost != "0" {
            deliver(&home, period, cost);
        }
    }
    home
}

fn rows(period: &str, cost: &str) -> Vec<String> {
    vec![
        row_of(period, "vm-1", "Compute", cost, cost, &project("genome")),
        row_of(period, "vm-2", "Compute", "5", "5", &project("course")),
    ]
}

fn deliver(home: &Home, period: &str, cost: &str) -> String {
    let name = format!("aws_{period}_{cost}.csv");
    home.focus(&name, &rows(period, cost));
    let answer = home.run(&format!("ingest {name} --source AWS"));
    assert_eq!(answer.code, 0, "{}", answer.stderr);
    answer.stderr
}

fn sum(home: &Home, state: &str) -> money::Amount {
    home.report(&format!("--state {state}")).sum("billed_cost")
}

const HOLD: &str = "review: { unusual_cost: { mode: hold, ratio: 3, minimum: 50 } }\n";

#[test]
fn a_rule_is_tried_on_history_before_it_is_switched_on() {
    let home = three_months("");
    deliver(&home, "2025-04", "420.5");
    let acts = entries(&home.json("audit list")).len();
    assert_snapshot!(home.ok("review rules try"), @r"
    period   project  service    cost  median  months  times
    ───────  ───────  ───────  ──────  ──────  ──────  ─────
    2025-04  genome   Compute  420.50  100.00       3   4.20

    at least 3.00 times the median of up to 6 months before, and 100.00 above it: 1 of 2 uses of a service by a project in 1 month, 420.50 in all
    ");
    assert_snapshot!(home.ok("review rules try --ratio 5"), @"at least 5.00 times the median of up to 6 months before, and 100.00 above it: 0 of 2 uses of a service by a project in 1 month, 0.00 in all");
    assert_snapshot!(home.ok("review rules try --period 2025-02"), @"at least 3.00 times the median of up to 6 months before, and 100.00 above it: no month has three months before it to be held against");
    let tried = home.json("review rules try --minimum 10 --ratio 1.01");
    assert_eq!(tried["periods"], json!(["2025-04"]));
    assert_eq!(text(&tried["found"][0], "median"), "100");
    assert_eq!(sum(&home, "held"), exact("0"), "it only was tried");
    assert_eq!(entries(&home.json("audit list")).len(), acts);
    for wrong in ["--ratio 0.5", "--ratio x", "--months 2", "--minimum x"] {
        assert_eq!(home.run(&format!("review rules try {wrong}")).code, 2, "{wrong}");
    }
}

#[test]
fn unusual_cost_is_held_until_somebody_has_looked() {
    let home = three_months(HOLD);
    let told = deliver(&home, "2025-04", "420.5");
    assert_snapshot!(told, @r"
    note: aws_2025-04_420.5.csv: period ends are the last day inside the period, not the first after it as FOCUS says: read inclusively
    note: unusual cost in 2025-04: Compute for genome is 420.5, and the median of 3 months before is 100; held for review
    ");
    assert_eq!(sum(&home, "held"), exact("420.5"));
    let held = entries(&home.json("review list --flag unusual_cost"));
    assert_eq!(texts(&held[0]["flags"]), ["unusual_cost"]);
    assert_eq!(text(&held[0], "project_id"), "genome");

    home.decide("approve", "--flag unusual_cost");
    assert_eq!(sum(&home, "held"), exact("0"));
    home.close("2025-04");
    let statements = home.generate("2025-04");
    assert_eq!(support::due(&statements), exact("425.5"));
    home.ok("verify");

    // What changes later in the months before does not reach into a closed month.
    home.focus("less.csv", &[row_of("2025-01", "vm-1", "Compute", "1", "1", &project("genome"))]);
    home.ok("ingest less.csv --source AWS --replace 1 --force");
    home.ok("verify");
    assert_eq!(home.report("--period 2025-04 --state held").sum("billed_cost"), exact("0"));
}

#[test]
fn a_delivery_that_puts_it_right_lets_go_of_it() {
    let home = three_months(HOLD);
    deliver(&home, "2025-04", "420.5");
    home.focus("right.csv", &rows("2025-04", "101"));
    home.ok("ingest right.csv --source AWS --replace 4 --force");
    assert_eq!((sum(&home, "held"), sum(&home, "billable")), (exact("0"), exact("421")));

    // A dry run says what it would make unusual, and a withdrawal looks again.
    home.focus("more.csv", &[row_of("2025-04", "vm-9", "Compute", "300", "300", &project("genome"))]);
    let dry = home.json("ingest more.csv --source AWS --append --dry-run");
    let notes = texts(&dry["notes"]).join("\n");
    assert!(notes.contains("unusual cost in 2025-04") && notes.contains("401"), "{notes}");
    assert_eq!(sum(&home, "held"), exact("0"));
    home.ok("ingest more.csv --source AWS --append");
    assert_eq!(sum(&home, "held"), exact("401"));
    home.ok("imports withdraw 6 --reason 'by mistake' --yes");
    assert_eq!(sum(&home, "held"), exact("0"));
    home.ok("verify");
}

#[test]
fn where_it_only_informs_it_is_billed() {
    let home = three_months("review: { unusual_cost: { mode: inform, minimum: 50 } }\n");
    let told = deliver(&home, "2025-04", "420.5");
    assert!(told.contains("unusual cost in 2025-04") && !told.contains("held"), "{told}");
    assert_eq!((sum(&home, "held"), sum(&home, "all")), (exact("0"), exact("740.5")));
    let told = entries(&home.json("charges list --flag unusual_cost"));
    assert_eq!((told.len(), amount(&told[0], "billed_cost")), (1, exact("420.5")));
    assert_eq!(text(&told[0], "state"), "billable");
    let shown = home.ok(&format!("charges show {}", text(&told[0], "id")));
    assert!(shown.contains("flag: unusual_cost"), "{shown}");
    home.close("2025-04");
    assert_eq!(support::due(&home.generate("2025-04")), exact("425.5"));
}

#[test]
fn a_rule_that_cannot_be_is_named() {
    let home = Home::bare();
    let bad = "review: { unusual_cost: { mode: maybe, ratio: 0, minimum: -1, months: 2 } }\n";
    home.write("config.yaml", format!("{CONFIG}{bad}"));
    let answer = home.run("config check");
    assert_eq!(answer.code, 1);
    assert_snapshot!(answer.stdout, @r"
    config.yaml:11: review.unusual_cost.mode: `maybe` is not one of off, inform, hold
    config.yaml:11: review.unusual_cost.ratio: `0` is not a ratio from 1 to 1000, such as 2.5
    config.yaml:11: review.unusual_cost.minimum: `-1` is not an amount, such as 100
    config.yaml:11: review.unusual_cost.months: `2` is not a number of months, at least 3
    ");
}
