//! What commands print for machines: stable from the first day, because other programs rely on it. Names
//! are asserted outright; values are under snapshot.

use insta::{assert_json_snapshot, assert_snapshot};
use serde_json::Value;

use super::{decided, delivered};
use crate::support::{HEADER, Home, entries, project, row};

fn names(object: &Value) -> Vec<&str> {
    object
        .as_object()
        .unwrap_or_else(|| panic!("not an object: {object}"))
        .keys()
        .map(String::as_str)
        .collect()
}

const INGEST: [&str; 14] = [
    "import",
    "source",
    "periods",
    "rows",
    "charges",
    "flagged",
    "quarantined",
    "list_cost",
    "billed_cost",
    "superseded",
    "unchanged",
    "notes",
    "problem_count",
    "problems",
];

#[test]
fn of_ingest() {
    let home = Home::new();
    home.focus(
        "aws_2025-01.csv",
        &[row("i-1", "Compute", "2.50", "1.25", &project("genome")), row("i-2", "Compute", "", "1E-3", "{}")],
    );
    let taken = home.json("ingest aws_2025-01.csv");
    assert_eq!(names(&taken), INGEST);
    assert_json_snapshot!(taken, @"");

    home.focus("hpc_2025-01.csv", &[row("job-1", "CPU", "1", "x", "{}")]);
    let refused = home.refused_json("ingest hpc_2025-01.csv");
    assert_eq!(names(&refused), INGEST);
    assert_eq!(names(&refused["problems"][0]), ["line", "column", "value", "message"]);
    assert_json_snapshot!(refused, @"");

    assert_eq!(names(&home.json("ingest aws_2025-01.csv")), INGEST, "unchanged");
    assert_eq!(names(&home.json("ingest aws_2025-01.csv --dry-run")), INGEST, "a dry run");
}

#[test]
fn of_report() {
    let home = decided();
    let sums = "rows,list_cost,contracted_cost,billed_cost,effective_cost,discount";
    let csv = home.ok("report --period 2025-01 --by project_id,service_name --state all --format csv");
    assert!(csv.starts_with(&format!("project_id,service_name,{sums}\n")), "{csv}");
    assert_snapshot!(csv, @"");
    for column in
        ["period", "source", "import", "pi_email", "fund_org", "resource_id", "charge_category", "state"]
    {
        let csv = home.ok(&format!("report --by {column} --state all --format csv"));
        assert!(csv.starts_with(&format!("{column},{sums}\n")), "{csv}");
    }
    assert_json_snapshot!(home.json("report --period 2025-01 --by source --state all"), @"");
    assert_snapshot!(home.refused("report --by projectid"), @"");
}

#[test]
fn of_charges_list() {
    let home = delivered();
    let charges = entries(&home.json("charges list --period 2025-01"));
    assert_eq!(charges.len(), 9);
    let expected = [
        "id",
        "import",
        "row",
        "file",
        "line",
        "source",
        "period",
        "pi_email",
        "project_id",
        "fund_org",
        "service_name",
        "resource_id",
        "list_cost",
        "billed_cost",
        "state",
        "flags",
    ];
    for charge in &charges {
        assert_eq!(names(charge), expected);
    }
    assert_json_snapshot!(&charges[..4], @"");

    let dearest = entries(&home.json("charges list --period 2025-01 --sort billed-cost --limit 2"));
    let ids: Vec<&str> = dearest.iter().map(|charge| charge["id"].as_str().unwrap()).collect();
    assert_eq!(ids, ["1:1", "1:3"]);
}

#[test]
fn of_generate() {
    let home = decided();
    let statements = home.bill_january();
    let expected = [
        "number",
        "version",
        "period",
        "pi_email",
        "project_id",
        "list_cost",
        "discount",
        "subsidy",
        "amount_due",
        "currency",
        "path",
    ];
    for statement in &statements {
        assert_eq!(names(statement), expected);
    }
    assert_json_snapshot!(statements, @"");
    for would_be in entries(&home.json("generate --period 2025-01 --dry-run")) {
        assert_eq!(names(&would_be), expected, "a dry run");
    }
}

#[test]
fn of_the_general_ledger() {
    let home = decided();
    home.bill_january();
    let gl = home.gl("2025-01");
    let columns = "document,line,period,fund_org,fund,orgn,account,debit,credit,description,reference_id";
    assert_eq!(gl.header.join(","), columns);
    assert_snapshot!(home.read("gl.csv"), @"");
}

#[test]
fn every_command_answers_a_machine() {
    let home = decided();
    home.bill_january();
    for command in [
        "imports list",
        "imports show 1",
        "periods list",
        "periods show 2025-01",
        "sources list",
        "review list",
        "charges list",
        "charges show 1:1",
        "show ann@x.edu --period 2025-01",
        "statements list",
        "report",
        "why 1:1",
        "users list",
        "audit list",
        "audit verify",
        "config check",
        "send --period 2025-01",
    ] {
        home.json(command);
    }
}

#[test]
fn data_on_stdout_and_the_rest_on_stderr() {
    let home = Home::new();
    home.write("aws.csv", format!("{HEADER}\n{}\n", row("i-1", "Compute", "1", "1", "{}")));
    let answer = home.run("ingest nowhere.csv");
    assert_eq!((answer.code, answer.stdout.as_str()), (1, ""));
    let answer = home.run("ingest");
    assert_eq!((answer.code, answer.stdout.as_str()), (2, ""));
    let answer = home.run("report --state everything");
    assert_eq!((answer.code, answer.stdout.as_str()), (2, ""));
    let answer = home.run("version");
    assert_eq!((answer.code, answer.stderr.as_str()), (0, ""));
    assert_eq!(answer.stdout, home.ok("--version"));
}
