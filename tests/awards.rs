//! Awards that end: what is said before, what is held after, and the fund that pays instead where one is named.
#![expect(clippy::unwrap_used, reason = "a story that cannot be told is a failed test")]

mod support;

use insta::assert_snapshot;
use support::{Change, Home, engines, exact, row_of, text};

/// A charge of a day of January for a project of Ada's award.
fn on(day: u32, resource: &str, cost: &str, more: &str) -> String {
    let tags =
        format!(r#"{{"pi_email": "ada@example.edu", "project": "looms", "fund_org": "GRANT-1"{more}}}"#);
    let row = row_of("2025-01", resource, "Compute", cost, cost, &tags);
    row.replacen("2025-01-01,2025-01-01,", &format!("2025-01-{day:02},2025-01-{day:02},"), 1)
}

/// `fund due` of the lines of a statement, and what it says below them.
fn said(home: &Home, number: &str) -> String {
    let lines = home.statement_lines(number);
    let mut said: Vec<String> =
        lines.iter().map(|line| format!("{} {}", text(line, "fund_org"), line["due"])).collect();
    said.extend(support::texts(&home.json(&format!("statements show {number}"))["notes"]));
    said.join("\n")
}

#[test]
fn after_the_award_the_fallback_fund_pays_and_the_statement_says_so() {
    for engine in engines() {
        let home = Home::bare_on(engine);
        home.write("config.yaml", support::CONFIG);
        let ends = r#", "end_date": "2025-01-15", "fallback_fund_org": "DEPT-9""#;
        home.focus("aws.csv", &[on(15, "vm-1", "60", ends), on(16, "vm-2", "40", ends)]);
        home.ok("ingest aws.csv");
        let shown = home.ok("charges show 1:2");
        let made = shown.split("what was made of it:").nth(1).unwrap();
        let statements = home.bill_january();
        let number = text(&statements[0], "number");
        let said = said(&home, number);
        insta::allow_duplicates! {
            assert_snapshot!(made, @r"
            pi_email                   ada@example.edu
            project_id                 looms
            fund_org                   DEPT-9
            the fallback fund, instead of GRANT-1: the award ended on January 15, 2025
            ");
            assert_snapshot!(said, @r"
            DEPT-9 4000
            GRANT-1 6000
            Charges for use after award GRANT-1 ended on January 15, 2025 are billed to DEPT-9, the fallback fund.
            ");
        }
        let page = support::pdf_text(&home.document(&statements[0]));
        assert!(page.contains("billed to DEPT-9, the fallback fund"), "{page}");
        let journal = home.gl("2025-01");
        assert_eq!(journal.sum_where("debit", "fund_org", "GRANT-1"), exact("60"));
        assert_eq!(journal.sum_where("debit", "fund_org", "DEPT-9"), exact("40"));
        home.ok("verify --deep");
    }
}

#[test]
fn a_rule_of_the_table_names_award_and_fallback_and_without_a_fallback_the_charge_is_held() {
    let home = Home::with("");
    home.focus("aws.csv", &[on(15, "vm-1", "60", ""), on(16, "vm-2", "40", "")]);
    home.ok("ingest aws.csv");
    home.ok("attribution add --key project_id --value looms --end-date 2025-01-15 --yes");
    let held = home.charges("--period 2025-01 --flag project_ended");
    assert_eq!(held.iter().map(|charge| text(charge, "fund_org")).collect::<Vec<_>>(), ["GRANT-1"]);
    home.ok("attribution end 1 --on 2024-12-31 --yes");
    home.ok("attribution add --key project_id --value looms --end-date 2025-01-15 --fallback-fund-org DEPT-9 --from 2025-01-01 --yes");
    let report = home.report("--period 2025-01 --by fund_org,fallback_from,fallback_after");
    let rows: Vec<String> = report.rows.iter().map(|row| row[..4].join(" ")).collect();
    assert_eq!(rows, ["DEPT-9 GRANT-1 2025-01-15 1", "GRANT-1   1"]);
    let last = home.charges("--period 2025-01").last().cloned().unwrap();
    let shown = home.ok(&format!("why {}", text(&last, "id")));
    assert!(
        shown.contains("the fallback fund, instead of GRANT-1: the award ended on January 15, 2025"),
        "{shown}"
    );
    assert!(shown.contains("by rule 2"), "{shown}");
    // Who puts the charge on a fund of their own says more.
    let id = text(&last, "id");
    home.reassign(&format!("--id {id}"), &Change { fund_org: Some("MATH-2"), ..Change::default() });
    let shown = home.ok(&format!("why {id}"));
    assert!(!shown.contains("the fallback fund"), "{shown}");
    let statements = home.bill_january();
    assert_snapshot!(said(&home, text(&statements[0], "number")), @r"
    GRANT-1 6000
    MATH-2 4000
    The award of this project ended on January 15, 2025. Charges after that day are billed to DEPT-9, the fallback fund.
    ");
    home.ok("verify --deep");
}

#[test]
fn what_comes_after_reconciliation_is_too_late_whenever_it_was_used() {
    let home = Home::with("");
    home.open("2025-02");
    let tags = |more: &str| {
        format!(
            r#"{{"pi_email": "ada@example.edu", "project": "looms", "fund_org": "GRANT-1", "end_date": "2025-01-10", "reconciliation_end": "2025-01-31"{more}}}"#
        )
    };
    let late = |name: &str, resource: &str, more: &str| {
        let row = row_of("2025-02", resource, "Compute", "10", "10", &tags(more));
        home.focus(name, &[row.replacen("2025-02-01,2025-02-01,", "2025-01-05,2025-01-05,", 1)]);
        home.ok(&format!("ingest {name} --source AWS --append"));
    };
    late("aws-1.csv", "vm-1", "");
    late("aws-2.csv", "vm-2", r#", "fallback_fund_org": "DEPT-9""#);
    assert_eq!(home.charges("--period 2025-02 --flag past_reconciliation").len(), 1);
    home.decide("reject", "--period 2025-02 --flag past_reconciliation");
    home.close("2025-02");
    let number = text(&home.generate("2025-02")[0], "number").to_owned();
    assert_snapshot!(said(&home, &number), @r"
    DEPT-9 1000
    Charges that came after the reconciliation of award GRANT-1 ended on January 31, 2025 are billed to DEPT-9, the fallback fund.
    ");
}

#[test]
fn the_part_of_an_ended_award_in_a_split_goes_to_the_fallback() {
    let home = Home::with("");
    let ends = r#", "end_date": "2025-01-15", "fallback_fund_org": "DEPT-9""#;
    home.focus("aws.csv", &[on(15, "vm-1", "100", ends), on(16, "vm-2", "100", ends)]);
    home.ok("ingest aws.csv");
    home.ok("splits add --project looms GRANT-1:60% MATH-2:40% --from 2025-01-01 --note agreed --yes");
    let statements = home.bill_january();
    assert_snapshot!(said(&home, text(&statements[0], "number")), @r"
    DEPT-9 6000
    GRANT-1 6000
    MATH-2 8000
    Charges for use after award GRANT-1 ended on January 15, 2025 are billed to DEPT-9, the fallback fund.
    ");
    home.gl("2025-01");
    home.ok("verify --deep");
}
