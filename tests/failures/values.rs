//! Rows that cannot be charges: every one is named by line, column and value.

use std::fmt::Write as _;

use insta::assert_snapshot;
use serde_json::json;

use crate::support::{HEADER, Home, amount, entries, exact, project, row, tags, text, texts};

/// A row whose `BilledCost` and `BillingPeriodStart` are as given, the rest as it should be.
fn with(start: &str, billed: &str) -> String {
    let good = row("i-1", "Compute", "1", "1", &project("genome"));
    good.replacen("2025-01-01", start, 1).replacen(",1,1,1,1,", &format!(",1,1,{billed},1,"), 1)
}

#[test]
fn numbers_that_are_none_and_months_that_are_none() {
    let home = Home::new();
    home.focus(
        "aws.csv",
        &[
            with("2025-01-01", "\"12,50\""),
            with("2025-01-01", "\"1,234.50\""),
            with("2025-01-01", "NaN"),
            with("2025-01-01", "-Infinity"),
            with("2025-01-01", "1e400"),
            with("2025-01-01", "1000000000000"),
            with("2025-01-01", "$5"),
            with("2025-01-01", ""),
            with("2025-01-01", "999999999999.999999999999999999"),
            with("2025-13-01", "1"),
            with("2025-02-30", "1"),
            with("03/04/2025", "1"),
            with("", "x"),
        ],
    );

    assert_snapshot!(home.refused("ingest aws.csv"), @"
    aws.csv:2: BilledCost: `12,50` has a thousands separator or a decimal comma; write 1234.50
    aws.csv:3: BilledCost: `1,234.50` has a thousands separator or a decimal comma; write 1234.50
    aws.csv:4: BilledCost: `NaN` is not a finite number
    aws.csv:5: BilledCost: `-Infinity` is not a finite number
    aws.csv:6: BilledCost: `1e400` is 10^12 or more, larger than any charge can be
    aws.csv:7: BilledCost: `1000000000000` is 10^12 or more, larger than any charge can be
    aws.csv:8: BilledCost: `$5` is not a decimal number
    aws.csv:9: BilledCost: is missing: a charge needs its cost
    aws.csv:11: BillingPeriodStart: `2025-13-01` has no month 13; months are 01 to 12
    aws.csv:12: BillingPeriodStart: `2025-02-30` has no day 30: 2025-02 has 28 days
    aws.csv:13: BillingPeriodStart: `03/04/2025` is not how FOCUS writes a date; write 2025-04-03 or 2025-03-04
    aws.csv:14: BilledCost: `x` is not a decimal number
    aws.csv:14: BillingPeriodStart: is missing: a charge needs its billing period
    error: 13 problems in 12 rows cannot be charges; nothing was imported
    hint: correct the file, or `--quarantine` to import the other rows and keep these aside
    ");
    home.assert_nothing_stored();
    let answer = home.refused_json("ingest aws.csv");
    assert_eq!(answer["import"], json!(null));
    // Line 10 is a good row; the last has two problems, and both are said.
    let lines: Vec<u64> = entries(&answer["problems"]).iter().map(|p| p["line"].as_u64().unwrap()).collect();
    assert_eq!(lines, [2, 3, 4, 5, 6, 7, 8, 9, 11, 12, 13, 14, 14]);
}

#[test]
fn ten_thousand_bad_rows_are_all_counted() {
    let home = Home::new();
    let mut rows = Vec::new();
    for n in 0..10_000 {
        rows.push(with("2025-01-01", &format!("x{n}")));
    }
    rows.push(with("2025-01-01", "1"));
    home.focus("aws.csv", &rows);

    let answer = home.refused_json("ingest aws.csv");
    assert_eq!((&answer["problem_count"], &answer["rows"]), (&json!(10_000), &json!(10_001)));
    let problems = entries(&answer["problems"]);
    assert_eq!(problems.len(), 50, "the first fifty are shown");
    assert_eq!((problems[0]["line"].as_u64(), text(&problems[0], "value")), (Some(2), "x0"));
    let words = home.refused("ingest aws.csv");
    assert!(words.contains("10000") || words.contains("10,000"), "{words}");
    assert!(words.lines().count() < 100, "nobody reads so much: {} lines", words.lines().count());
    home.assert_nothing_stored();

    let taken = home.json("ingest aws.csv --quarantine");
    assert_eq!((&taken["charges"], &taken["quarantined"]), (&json!(1), &json!(10_000)));
    let shown = home.ok("imports show 1");
    assert!(shown.contains("10000") || shown.contains("10,000"), "{shown}");
}

#[test]
fn numbers_as_providers_write_them_are_exact() {
    let costs =
        ["8.0e-7", "1E-18", "-1.5E+1", "0.000000000000000001", "999999999999.999999999999999999", " 2.50 "];
    let sum = "999999999987.500000800000000001";
    let home = Home::new();
    let rows: Vec<String> = costs.iter().map(|cost| with("2025-01-01", cost)).collect();
    home.focus("aws.csv", &rows);
    let answer = home.json("ingest aws.csv");
    // 8E-7 + 1E-18 − 15 + 1E-18 + 999999999999.999999999999999999 + 2.50, by hand.
    assert_eq!(text(&answer, "billed_cost"), sum);
    assert_eq!(home.billed("all"), exact(sum));

    // More digits than eighteen are rounded half-even, counted and said; never silently.
    home.focus(
        "hpc.csv",
        &[with("2025-01-01", "0.0000000000000000015"), with("2025-01-01", "0.0000000000000000025")],
    );
    let answer = home.json("ingest hpc.csv");
    assert_eq!(amount(&answer, "billed_cost"), exact("0.000000000000000004"));
    let notes = texts(&answer["notes"]).join("\n");
    assert!(notes.contains("18"), "rounding is not said: {notes}");
}

#[test]
fn tags_that_are_not_what_they_should_be() {
    let full = |more: &str| format!(r#"{{"pi_email":"pi@x.edu","project_id":"p","fund_org":"A-1"{more}}}"#);
    let mut found = String::new();
    for tags in [
        "",
        "NULL",
        "{}",
        "not json",
        r#"{"pi_email":"pi@x.edu","#,
        "[1, 2]",
        "7",
        &full(r#","depth":3,"ok":true,"none":null"#),
        &full(r#","list":[1,2]"#),
        &full(r#","object":{"a":1}"#),
        &full(r#","project_id":"q""#),
        r#"{" pi_email ":"pi@x.edu","PROJECT_ID":"p","fund_org":"A-1"}"#,
        r#"{"pi_email":17,"project_id":42,"fund_org":"A-1"}"#,
        r#"[{"Key":"pi_email","Value":"pi@x.edu"},{"Key":"project_id","Value":"p"},{"Key":"fund_org","Value":"A-1"}]"#,
    ] {
        let home = Home::new();
        home.focus("aws.csv", &[row("i-1", "Compute", "1", "1", tags)]);
        home.ok("ingest aws.csv");
        writeln!(found, "{tags}\n    {}", home.flags_of_only_charge().join(" ")).unwrap();
    }
    assert_snapshot!(found, @r#"
        missing_pi_email missing_project_id missing_fund_org
    NULL
        missing_pi_email missing_project_id missing_fund_org
    {}
        missing_pi_email missing_project_id missing_fund_org
    not json
        missing_pi_email missing_project_id missing_fund_org invalid_tags
    {"pi_email":"pi@x.edu",
        missing_project_id missing_fund_org invalid_tags
    [1, 2]
        missing_pi_email missing_project_id missing_fund_org invalid_tags
    7
        missing_pi_email missing_project_id missing_fund_org invalid_tags
    {"pi_email":"pi@x.edu","project_id":"p","fund_org":"A-1","depth":3,"ok":true,"none":null}
        
    {"pi_email":"pi@x.edu","project_id":"p","fund_org":"A-1","list":[1,2]}
        invalid_tags
    {"pi_email":"pi@x.edu","project_id":"p","fund_org":"A-1","object":{"a":1}}
        invalid_tags
    {"pi_email":"pi@x.edu","project_id":"p","fund_org":"A-1","project_id":"q"}
        invalid_tags
    {" pi_email ":"pi@x.edu","PROJECT_ID":"p","fund_org":"A-1"}
        
    {"pi_email":17,"project_id":42,"fund_org":"A-1"}
        invalid_pi_email
    [{"Key":"pi_email","Value":"pi@x.edu"},{"Key":"project_id","Value":"p"},{"Key":"fund_org","Value":"A-1"}]
    "#);
}

#[test]
fn a_row_never_vanishes() {
    let home = Home::new();
    let rows = [
        with("2025-01-01", "1"),
        with("2025-01-01", "bad"),
        row("", "", "", "2", "{}"),
        row("i-3", "Compute", "0", "4", &tags("nobody", "", "x")),
    ];
    home.write("aws.csv", format!("{HEADER}\n{}", rows.join("\r\n")));
    let answer = home.json("ingest aws.csv --quarantine");
    assert_eq!(
        (&answer["rows"], &answer["charges"], &answer["quarantined"]),
        (&json!(4), &json!(3), &json!(1)),
        "delivered = charges + quarantined"
    );
    assert_eq!(amount(&answer, "billed_cost"), exact("7"));
    assert_eq!(home.billed("billable") + home.billed("held"), exact("7"));
}
