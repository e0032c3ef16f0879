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
    assert_json_snapshot!(taken, @r#"
    {
      "import": 1,
      "source": "AWS",
      "periods": [
        "2025-01"
      ],
      "rows": 2,
      "charges": 2,
      "flagged": 1,
      "quarantined": 0,
      "list_cost": "2.501",
      "billed_cost": "1.251",
      "superseded": [],
      "unchanged": false,
      "notes": [
        "aws_2025-01.csv: period ends are the last day inside the period, not the first after it as FOCUS says: read inclusively",
        "ListCost is missing in 1 row: BilledCost stands for it"
      ],
      "problem_count": 0,
      "problems": []
    }
    "#);

    home.focus("hpc_2025-01.csv", &[row("job-1", "CPU", "1", "x", "{}")]);
    let refused = home.refused_json("ingest hpc_2025-01.csv");
    assert_eq!(names(&refused), INGEST);
    assert_eq!(names(&refused["problems"][0]), ["line", "column", "value", "message"]);
    assert_json_snapshot!(refused, @r#"
    {
      "import": null,
      "source": "HPC",
      "periods": [],
      "rows": 1,
      "charges": 0,
      "flagged": 0,
      "quarantined": 0,
      "list_cost": "0",
      "billed_cost": "0",
      "superseded": [],
      "unchanged": false,
      "notes": [
        "hpc_2025-01.csv: period ends are the last day inside the period, not the first after it as FOCUS says: read inclusively"
      ],
      "problem_count": 3,
      "problems": [
        {
          "line": 2,
          "column": "BilledCost",
          "value": "x",
          "message": "is not a decimal number"
        },
        {
          "line": 2,
          "column": "ContractedCost",
          "value": "x",
          "message": "is not a decimal number"
        },
        {
          "line": 2,
          "column": "EffectiveCost",
          "value": "x",
          "message": "is not a decimal number"
        }
      ]
    }
    "#);

    assert_eq!(names(&home.json("ingest aws_2025-01.csv")), INGEST, "unchanged");
    assert_eq!(names(&home.json("ingest aws_2025-01.csv --dry-run")), INGEST, "a dry run");
}

#[test]
fn of_report() {
    let home = decided();
    let sums = "rows,list_cost,contracted_cost,billed_cost,effective_cost,discount";
    let csv = home.ok("report --period 2025-01 --by project_id,service_name --state all --format csv");
    assert!(csv.starts_with(&format!("project_id,service_name,{sums}\n")), "{csv}");
    assert_snapshot!(csv, @"
    project_id,service_name,rows,list_cost,contracted_cost,billed_cost,effective_cost,discount
    course,CPU,1,7,7,7,7,0
    course,Compute,1,50,50,50,50,0
    genome,CPU,1,40,0,0,0,40
    genome,Compute,2,95,75,75,75,20
    genome,Storage,1,20.005,20.005,20.005,20.005,0
    late,GPU,1,12,12,12,12,0
    proteome,CPU,1,30,15,15,15,15
    proteome,Compute,1,10,10,10,10,0
    ");
    for column in
        ["period", "source", "import", "pi_email", "fund_org", "resource_id", "charge_category", "state"]
    {
        let csv = home.ok(&format!("report --by {column} --state all --format csv"));
        assert!(csv.starts_with(&format!("{column},{sums}\n")), "{csv}");
    }
    assert_json_snapshot!(home.json("report --period 2025-01 --by source --state all"), @r#"
    [
      {
        "source": "AWS",
        "rows": 5,
        "list_cost": "175.005",
        "contracted_cost": "155.005",
        "billed_cost": "155.005",
        "effective_cost": "155.005",
        "discount": "20"
      },
      {
        "source": "HPC",
        "rows": 4,
        "list_cost": "89",
        "contracted_cost": "34",
        "billed_cost": "34",
        "effective_cost": "34",
        "discount": "55"
      }
    ]
    "#);
    let words = home.refused("report --by projectid");
    assert!(words.contains("`projectid`") && words.contains("did you mean `project_id`"), "{words}");
}

#[test]
#[expect(clippy::too_many_lines, reason = "most of it is the snapshot")]
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
    assert_json_snapshot!(&charges[..4], @r#"
    [
      {
        "id": "1:1",
        "import": 1,
        "row": 1,
        "file": "aws_2025-01.csv",
        "line": 2,
        "source": "AWS",
        "period": "2025-01",
        "pi_email": "ann@x.edu",
        "project_id": "genome",
        "fund_org": "PHYS-1001",
        "service_name": "Compute",
        "resource_id": "i-1",
        "list_cost": "100",
        "billed_cost": "80",
        "state": "billable",
        "flags": []
      },
      {
        "id": "1:2",
        "import": 1,
        "row": 2,
        "file": "aws_2025-01.csv",
        "line": 3,
        "source": "AWS",
        "period": "2025-01",
        "pi_email": "ann@x.edu",
        "project_id": "genome",
        "fund_org": "PHYS-1001",
        "service_name": "Storage",
        "resource_id": "i-2",
        "list_cost": "20.005",
        "billed_cost": "20.005",
        "state": "billable",
        "flags": []
      },
      {
        "id": "1:3",
        "import": 1,
        "row": 3,
        "file": "aws_2025-01.csv",
        "line": 4,
        "source": "AWS",
        "period": "2025-01",
        "pi_email": "ann@x.edu",
        "project_id": "course",
        "fund_org": "PHYS-1001",
        "service_name": "Compute",
        "resource_id": "training-1",
        "list_cost": "50",
        "billed_cost": "50",
        "state": "held",
        "flags": [
          "pattern_match"
        ]
      },
      {
        "id": "1:4",
        "import": 1,
        "row": 4,
        "file": "aws_2025-01.csv",
        "line": 5,
        "source": "AWS",
        "period": "2025-01",
        "pi_email": null,
        "project_id": null,
        "fund_org": null,
        "service_name": "Compute",
        "resource_id": "i-4",
        "list_cost": "10",
        "billed_cost": "10",
        "state": "held",
        "flags": [
          "missing_pi_email",
          "missing_project_id",
          "missing_fund_org"
        ]
      }
    ]
    "#);

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
    assert_json_snapshot!(statements, @r#"
    [
      {
        "number": "S-2025-01-0001",
        "version": 1,
        "period": "2025-01",
        "pi_email": "ann@x.edu",
        "project_id": "course",
        "list_cost": "50.00",
        "discount": "0.00",
        "subsidy": "0.00",
        "amount_due": "50.00",
        "currency": "USD",
        "path": "instance/output/pdfs/2025-01_ann-x.edu_course_S-2025-01-0001_v1.pdf"
      },
      {
        "number": "S-2025-01-0002",
        "version": 1,
        "period": "2025-01",
        "pi_email": "ann@x.edu",
        "project_id": "genome",
        "list_cost": "155.00",
        "discount": "60.00",
        "subsidy": "0.00",
        "amount_due": "95.00",
        "currency": "USD",
        "path": "instance/output/pdfs/2025-01_ann-x.edu_genome_S-2025-01-0002_v1.pdf"
      },
      {
        "number": "S-2025-01-0003",
        "version": 1,
        "period": "2025-01",
        "pi_email": "bob@x.edu",
        "project_id": "proteome",
        "list_cost": "40.00",
        "discount": "15.00",
        "subsidy": "0.00",
        "amount_due": "25.00",
        "currency": "USD",
        "path": "instance/output/pdfs/2025-01_bob-x.edu_proteome_S-2025-01-0003_v1.pdf"
      }
    ]
    "#);
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
    assert_snapshot!(home.read("gl.csv"), @"
    document,line,period,fund_org,fund,orgn,account,debit,credit,description,reference_id
    J-2025-01-1,1,2025-01,BIO-2002,2002,BIO,54100,10.00,,AWS 2025-01 Research Computing Charges,S-2025-01-0003
    J-2025-01-1,2,2025-01,PHYS-1001,1001,PHYS,54100,145.00,,AWS 2025-01 Research Computing Charges,J-2025-01-1
    J-2025-01-1,3,2025-01,IT-AWS,AWS,IT,54100,,155.00,AWS 2025-01 Research Computing Charges,J-2025-01-1
    J-2025-01-1,4,2025-01,BIO-2002,2002,BIO,54200,15.00,,HPC 2025-01 Research Computing Charges,S-2025-01-0003
    J-2025-01-1,5,2025-01,IT-HPC,HPC,IT,54200,,15.00,HPC 2025-01 Research Computing Charges,J-2025-01-1
    ");
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
        "journals list",
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
