//! What becomes of delivered rows: none vanishes, none doubles, none is changed on the way.

use serde_json::{Value, json};

use crate::support::{HEADER, Home, amount, entries, exact, is_said, project, row, tags, text, texts};

/// Flags what has "training" in its name, so that there is something to decide.
const TRAINING: &str = "review: { flag_patterns: [training] }\n";

/// Twenty charges of 1.00 for one project; the resource is named by its number.
fn twenty() -> Vec<String> {
    (1..=20).map(|n| row(&format!("vm-{n:02}"), "Compute", "1.00", "1.00", &project("genome"))).collect()
}

/// Where the problems of a refused file are: line, column and value.
fn places(answer: &Value) -> Vec<(u64, String, String)> {
    let place = |problem: &Value| {
        let line = problem["line"].as_u64().unwrap();
        (line, text(problem, "column").to_owned(), text(problem, "value").to_owned())
    };
    entries(&answer["problems"]).iter().map(place).collect()
}

#[test]
fn defect_01_rows_do_not_vanish() {
    let home = Home::new();
    let rows = [("10", "Compute"), ("5", "Compute")];
    let rows = rows.map(|(cost, service)| row("i-1", service, cost, cost, &project("genome")));
    home.focus("aws.csv", &rows);

    let answer = home.json("ingest aws.csv");

    assert_eq!((&answer["rows"], &answer["charges"]), (&json!(2), &json!(2)));
    assert_eq!(amount(&answer, "billed_cost"), exact("15"));
    assert_eq!(home.billed("all"), exact("15"));
    assert_eq!(home.charges("--period 2025-01").len(), 2);
}

#[test]
fn defect_02_rows_without_a_resource_do_not_double() {
    let home = Home::new();
    let support = row("", "Support", "10", "10", &project("genome"));
    home.focus("aws.csv", std::slice::from_ref(&support));
    home.ok("ingest aws.csv");

    let again = home.json("ingest aws.csv");
    assert!(is_said(&again["unchanged"]), "{again}");
    assert_eq!(home.billed("all"), exact("10"));

    // Other bytes, the same charges, and one more: the new copy counts instead of the old one.
    home.focus("aws.csv", &[support, row("", "Tax", "1", "1", &project("genome"))]);
    let corrected = home.json("ingest aws.csv");
    assert!(is_said(&corrected["superseded"]), "{corrected}");
    assert_eq!(home.billed("all"), exact("11"));
}

#[test]
fn defect_03_source_names_differ_in_more_than_case() {
    let home = Home::new();
    home.focus("january.csv", &[row("i-1", "Compute", "100", "100", &project("genome"))]);
    home.ok("ingest january.csv --source aws");

    let again = home.json("ingest january.csv --source AWS");

    assert!(is_said(&again["unchanged"]), "{again}");
    assert_eq!(text(&again, "source"), "AWS", "a known source keeps the spelling of the configuration");
    let by_source = home.report("--period 2025-01 --by source --state all");
    assert_eq!(by_source.column("source"), ["AWS"]);
    assert_eq!(by_source.sum("billed_cost"), exact("100"));
}

#[test]
fn defect_05_charges_without_a_pi_are_held() {
    let home = Home::new();
    let mut rows = vec![row("i-0", "Compute", "1", "1", &project("genome"))];
    rows.extend((1..=15).map(|n| row(&format!("i-{n}"), "Compute", "2.01", "2.01", "{}")));
    home.focus("aws.csv", &rows);

    let answer = home.json("ingest aws.csv");

    assert_eq!((&answer["charges"], &answer["quarantined"]), (&json!(16), &json!(0)));
    assert_eq!(home.billed("held"), exact("30.15"));
    assert_eq!(home.billed("billable"), exact("1"));
    assert_eq!(entries(&home.json("review list --period 2025-01")).len(), 15);
    let held = home.charges("--period 2025-01").pop().unwrap();
    assert_eq!(texts(&held["flags"]), ["missing_pi_email", "missing_project_id", "missing_fund_org"]);

    // Nobody could be billed for it, so it cannot be approved, and it is on no statement.
    let words = home.refused("review approve --id 1:2 --note 'looks fine' --yes");
    assert!(words.contains("missing_pi_email"), "{words}");
    let statements = home.bill_january();
    assert_eq!(statements.len(), 1);
    assert_eq!(amount(&statements[0], "amount_due"), exact("1"));
}

#[test]
fn defect_06_decisions_outlive_another_import() {
    let home = Home::with(TRAINING);
    let mut rows = twenty();
    rows.push(row("training-a", "Compute", "3", "3", &project("genome")));
    rows.push(row("training-b", "Compute", "5", "5", &project("genome")));
    home.focus("aws.csv", &rows);
    home.ok("ingest aws.csv");
    assert_eq!(home.billed("held"), exact("8"));
    home.decide("approve", "--id 1:21");
    home.decide("reject", "--id 1:22");

    rows.push(row("vm-21", "Compute", "1", "1", &project("genome")));
    home.focus("aws.csv", &rows);
    home.ok("ingest aws.csv");

    assert_eq!(entries(&home.json("review list --period 2025-01")), Vec::<Value>::new());
    assert_eq!(home.billed("held"), exact("0"));
    assert_eq!(home.billed("rejected"), exact("5"));
    assert_eq!(home.billed("billable"), exact("24"));
    let statements = home.bill_january();
    assert_eq!(amount(&statements[0], "amount_due"), exact("24"));
}

#[test]
fn defect_13_a_line_removed_by_a_correction_is_not_billed() {
    let home = Home::new();
    let rows = twenty();
    home.focus("aws.csv", &rows);
    home.ok("ingest aws.csv");
    home.focus("aws.csv", &rows[..19]);
    home.ok("ingest aws.csv");
    assert_eq!(home.billed("all"), exact("19"));

    // So much less is not clearly a correction: it is refused, and a person says which counts.
    home.focus("aws.csv", &rows[..10]);
    let words = home.refused("ingest aws.csv");
    assert!(words.contains("--replace") && words.contains("--append"), "{words}");
    assert_eq!(home.billed("all"), exact("19"));
    home.ok("ingest aws.csv --replace 2");
    assert_eq!(home.billed("all"), exact("10"));

    // A project that lost its charges keeps no statement with its old total.
    home.bill_january();
    home.reopen("2025-01", "wrong project");
    home.reassign(
        "--period 2025-01",
        &crate::support::Change { project: Some("proteome"), ..Default::default() },
    );
    home.close("2025-01");
    home.generate("2025-01");
    let mut latest = std::collections::BTreeMap::new();
    for statement in entries(&home.json("statements list --period 2025-01")) {
        let version = statement["version"].as_u64().unwrap();
        let newest =
            latest.entry(text(&statement, "number").to_owned()).or_insert((version, statement.clone()));
        if newest.0 < version {
            *newest = (version, statement);
        }
    }
    let due: money::Amount = latest.values().map(|(_, statement)| amount(statement, "amount_due")).sum();
    assert_eq!(due, exact("10"), "{latest:?}");
}

#[test]
fn defect_16_a_missing_cost_is_not_zero() {
    let home = Home::new();
    let tags = project("genome").replace('"', "\"\"");
    home.write("aws.csv", format!("BillingPeriodStart,Tags\n2025-01-01,\"{tags}\"\n"));
    let words = home.refused("ingest aws.csv");
    assert!(words.contains("BilledCost"), "{words}");
    home.assert_nothing_stored();

    // An empty cell is not zero either.
    home.focus("aws.csv", &[row("i-1", "Compute", "1", "", &project("genome"))]);
    let answer = home.refused_json("ingest aws.csv");
    assert!(places(&answer).contains(&(2, "BilledCost".to_owned(), String::new())), "{answer}");
    home.assert_nothing_stored();
}

#[test]
fn defect_17_a_bad_cell_is_named_and_the_rest_can_be_had() {
    let home = Home::new();
    let mut rows = twenty();
    rows.push(row("i-1", "Compute", "1", "abc", &project("genome")));
    rows.push(row("i-2", "Compute", "1", "\"1,234.50\"", &project("genome")));
    // `row` writes its cost into three columns; only one of them is to be wrong here.
    for (at, bad) in [(20, "abc"), (21, "\"1,234.50\"")] {
        let wrong = rows[at].replacen(&format!(",{bad},{bad},{bad},"), &format!(",1,{bad},1,"), 1);
        rows[at] = wrong;
    }
    home.focus("aws.csv", &rows);

    let answer = home.refused_json("ingest aws.csv");
    let bad = |line, value: &str| (line, "BilledCost".to_owned(), value.to_owned());
    assert_eq!(places(&answer), [bad(22, "abc"), bad(23, "1,234.50")]);
    home.assert_nothing_stored();

    let taken = home.json("ingest aws.csv --quarantine");
    assert_eq!((&taken["charges"], &taken["quarantined"]), (&json!(20), &json!(2)));
    assert_eq!(home.billed("all"), exact("20"));
}

#[test]
fn defect_18_tags_of_any_kind_are_read() {
    for (tags, flags) in [
        (r#"{"pi_email":"m@x.edu","project_id":"p","fund_org":123456}"#, &["unparsed_fund_org"][..]),
        (r#"{"pi_email":"m@x.edu","project_id":["p"],"fund_org":"A-1"}"#, &["invalid_tags"]),
        (r#"{"pi_email":"nobody","project_id":"p","fund_org":"A-1"}"#, &["invalid_pi_email"]),
        (r#"{"pi_email":" M@X.edu ","project_id":" p ","fund_org":"A-1"}"#, &[]),
    ] {
        let home = Home::new();
        home.focus("aws.csv", &[row("i-1", "Compute", "1", "1", tags)]);
        home.ok("ingest aws.csv");
        let found = home.flags_of_only_charge();
        assert!(flags.iter().all(|flag| found.iter().any(|one| one == flag)), "{tags}: {found:?}");
        assert_eq!(found.is_empty(), flags.is_empty(), "{tags}: {found:?}");
    }

    // However an address is written, it is one PI with one statement.
    let home = Home::new();
    let spelled = ["M@x.edu", "m@x.edu", " m@X.edu "];
    let rows: Vec<String> = spelled
        .iter()
        .map(|pi| row(&format!("i-{pi}"), "Compute", "1", "1", &tags(pi, "p", "A-1")))
        .collect();
    home.focus("aws.csv", &rows);
    home.ok("ingest aws.csv");
    let statements = home.bill_january();
    assert_eq!(statements.len(), 1);
    assert_eq!(
        (text(&statements[0], "pi_email"), amount(&statements[0], "amount_due")),
        ("m@x.edu", exact("3"))
    );
}

#[test]
fn defect_19_ids_of_digits_stay_text() {
    let home = Home::new();
    let tags = r#"{"pi_email":"m@x.edu","project_id":"007","fund_org":"0042-0010","account_code":"0042"}"#;
    home.focus("aws.csv", &[row("0042", "0815", "1", "1", tags)]);
    home.ok("ingest aws.csv");

    let charges = home.charges("--period 2025-01");
    for (field, value) in
        [("resource_id", "0042"), ("service_name", "0815"), ("project_id", "007"), ("fund_org", "0042-0010")]
    {
        assert_eq!(text(&charges[0], field), value, "{field}");
    }
    home.bill_january();
    let journal = home.gl("2025-01");
    assert!(journal.column("account").contains(&"0042"), "{:?}", journal.rows);
    assert!(journal.column("orgn").contains(&"0042") && journal.column("fund").contains(&"0010"));
}

#[test]
fn defect_20_only_a_month_is_a_period() {
    for start in ["garbage-date", "03/04/2025", "2025-13-01", "2025-02-30", "2025"] {
        let home = Home::new();
        let wrong = row("i-1", "Compute", "1", "1", &project("genome")).replacen("2025-01-01", start, 1);
        home.focus("aws.csv", &[wrong]);
        let answer = home.refused_json("ingest aws.csv");
        let place = (2, "BillingPeriodStart".to_owned(), start.to_owned());
        assert!(places(&answer).contains(&place), "{start}: {answer}");
        home.assert_nothing_stored();
        assert_eq!(entries(&home.json("periods list")).len(), 1, "{start} became a period");
    }
    assert_eq!(Home::bare().run("periods open banana").code, 2);
}

#[test]
fn defect_23_a_partly_bad_file_leaves_nothing_behind() {
    let home = Home::new();
    let mut rows = twenty();
    rows[7] = rows[7].replace(",1.00,", ",x,");
    home.focus("aws.csv", &rows);
    let audit = home.ok("audit list --json");

    let words = home.refused("ingest aws.csv");

    assert!(words.contains("aws.csv:9"), "{words}");
    home.assert_nothing_stored();
    assert_eq!(home.ok("audit list --json"), audit, "what was refused is not an act");
    home.focus("aws.csv", &twenty());
    home.ok("ingest aws.csv");
    assert_eq!(home.billed("all"), exact("20"));
    assert_ne!(home.ok("audit list --json"), audit, "what was done is in the audit");
}

#[test]
fn defect_31_currencies_are_not_added_up() {
    let home = Home::new();
    let rows = [("i-1", "10", "USD"), ("i-2", "7", "EUR"), ("i-3", "5", "usd")];
    let rows =
        rows.map(|(id, cost, code)| format!("{},{code}", row(id, "Compute", cost, cost, &project("genome"))));
    home.write("aws.csv", format!("{HEADER},BillingCurrency\n{}\n", rows.join("\n")));
    home.ok("ingest aws.csv");

    assert_eq!(home.billed("billable"), exact("15"));
    assert_eq!(home.billed("held"), exact("7"));
    let words = home.refused("review approve --id 1:2 --note 'euros are fine' --yes");
    assert!(words.contains("currency_mismatch"), "{words}");
    let statements = home.bill_january();
    assert_eq!(amount(&statements[0], "amount_due"), exact("15"));
}
