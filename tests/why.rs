//! Why, downwards: what became of a delivered line, and what a month has of a project; and the auditor's pack.
#![expect(clippy::unwrap_used, reason = "a story that cannot be told is a failed test")]

mod support;

use std::collections::BTreeMap;
use std::io::Read as _;

use insta::assert_snapshot;
use serde_json::json;
use sha2::{Digest as _, Sha256};
use support::{Home, Table, entries, exact, project, row, row_of, text};

/// January: a delivery with a row that is no charge, then one in its place without its second row; a row of
/// December, which is closed, left out.
fn january() -> Home {
    let home = Home::with("");
    home.open("2024-12");
    home.close("2024-12");
    let first = [
        row("i-1", "Compute", "10", "8", &project("genome")),
        row("i-2", "Compute", "5", "5", &project("course")),
        row("i-3", "Compute", "x", "5", &project("genome")),
        row_of("2024-12", "i-4", "Compute", "3", "3", &project("genome")),
    ];
    home.focus("aws_2025-01.csv", &first);
    home.ok("ingest aws_2025-01.csv --quarantine --only-open");
    let second = [row("i-1", "Compute", "10", "9", &project("genome")), row("i-9", "GPU", "4", "4", "{}")];
    home.focus("aws_2025-01.csv", &second);
    home.ok("ingest aws_2025-01.csv --replace 1");
    home
}

/// Without digests, which have nothing to say to a reader of this test.
fn words(home: &Home, line: &str) -> String {
    let text = home.ok(line);
    let digit = |word: &str| word.len() == 64 && word.bytes().all(|byte| byte.is_ascii_hexdigit());
    text.split_inclusive([' ', '\n', ')'])
        .map(|word| {
            let bare = word.trim_end_matches([' ', '\n', ')']);
            if digit(bare) { word.replace(bare, "#") } else { word.to_owned() }
        })
        .collect()
}

#[test]
fn where_a_line_ended_up() {
    let home = january();
    assert_snapshot!(words(&home, "why aws_2025-01.csv:2"), @r#"
    aws_2025-01.csv line 2, in import 2 of AWS: it is a charge
    charge 2:1 of AWS in 2025-01: 9.00, billable

    as delivered: aws_2025-01.csv, line 2 (sha256 #)
      BillingPeriodStart         2025-01-01
      BillingPeriodEnd           2025-01-31
      ChargePeriodStart          2025-01-01
      ChargePeriodEnd            2025-01-01
      ListCost                   10
      ContractedCost             9
      BilledCost                 9
      EffectiveCost              9
      ResourceId                 i-1
      ResourceName               i-1
      ServiceName                Compute
      Tags                       {"pi_email": "pi@example.edu", "project_id": "genome", "fund_org": "PHYS-1001"}

    what was made of it:
      pi_email                   pi@example.edu
      project_id                 genome
      fund_org                   PHYS-1001

    aws_2025-01.csv line 2, in import 1 of AWS: it was charge 1:1, and counts no more: the import was superseded by import 2
      charge 2:1 is in its place now
    "#);
    assert_snapshot!(words(&home, "why aws_2025-01.csv:3"), @r"
    aws_2025-01.csv line 3, in import 2 of AWS: it is a charge
    charge 2:2 of AWS in 2025-01: 4.00, held
      held: missing_pi_email, no PI is named in the tags
      held: missing_project_id, no project is named in the tags
      held: missing_fund_org, no fund_org is named in the tags

    as delivered: aws_2025-01.csv, line 3 (sha256 #)
      BillingPeriodStart         2025-01-01
      BillingPeriodEnd           2025-01-31
      ChargePeriodStart          2025-01-01
      ChargePeriodEnd            2025-01-01
      ListCost                   4
      ContractedCost             4
      BilledCost                 4
      EffectiveCost              4
      ResourceId                 i-9
      ResourceName               i-9
      ServiceName                GPU
      Tags                       {}

    what was made of it:
      pi_email                   –
      project_id                 –
      fund_org                   –

    aws_2025-01.csv line 3, in import 1 of AWS: it was charge 1:2, and counts no more: the import was superseded by import 2
      nothing that counts now is in its place
    ");
    assert_snapshot!(words(&home, "why aws_2025-01.csv:4"), @r#"
    aws_2025-01.csv line 4, in import 2 of AWS: no row begins there; the file has 2 rows

    aws_2025-01.csv line 4, in import 1 of AWS: it could not be a charge, and was kept aside
      ListCost: `x` is not a decimal number
      as delivered: 2025-01-01,2025-01-31,2025-01-01,2025-01-01,x,5,5,5,i-3,i-3,Compute,"{""pi_email"": ""pi@example.edu"", ""project_id"": ""genome"", ""fund_org"": ""PHYS-1001""}"
    "#);
    assert_snapshot!(words(&home, "why aws_2025-01.csv:5"), @r#"
    aws_2025-01.csv line 5, in import 2 of AWS: no row begins there; the file has 2 rows

    aws_2025-01.csv line 5, in import 1 of AWS: it was read and made no charge: 2024-12-01 took no imports then
      BillingPeriodStart         2024-12-01
      BillingPeriodEnd           2024-12-31
      ChargePeriodStart          2024-12-01
      ChargePeriodEnd            2024-12-01
      ListCost                   3
      ContractedCost             3
      BilledCost                 3
      EffectiveCost              3
      ResourceId                 i-4
      ResourceName               i-4
      ServiceName                Compute
      Tags                       {"pi_email": "pi@example.edu", "project_id": "genome", "fund_org": "PHYS-1001"}
    "#);
    assert_snapshot!(words(&home, "why aws_2025-01.csv:1"), @r"
    aws_2025-01.csv line 1, in import 2 of AWS: it is the header

    aws_2025-01.csv line 1, in import 1 of AWS: it is the header
    ");
    assert_snapshot!(home.refused("why azure.csv:5"), @r"
    error: no delivered file is called `azure.csv`
    hint: the latest: aws_2025-01.csv; `imports list` has all
    ");
    let told = home.json("why aws_2025-01.csv:3");
    assert_eq!(told["what"], json!("line"));
    assert_eq!(entries(&told["deliveries"]).len(), 2);
    assert_eq!(text(&told["deliveries"][1], "became"), "gone");

    home.ok("imports withdraw 2 --reason 'not ours' --yes");
    let told = words(&home, "why aws_2025-01.csv:2");
    assert!(told.contains("withdrawn (not ours)"), "{told}");
}

#[test]
fn why_a_project_has_no_charges() {
    let home = january();
    home.ok("review reassign --id 2:1 --to-project other --note moved --yes");
    assert_snapshot!(home.ok("why genome --period 2025-01"), @r"
    project genome in 2025-01
      no charges
      reassigned to other: 1 charge, 9.00
      in import 1 of AWS, which was superseded: 1 charge, 8.00
      held because they name no project: 1 charge, 4.00
    ");
    assert_snapshot!(home.ok("why course --period 2025-01"), @r"
    project course in 2025-01
      no charges
      in import 1 of AWS, which was superseded: 1 charge, 5.00
      held because they name no project: 1 charge, 4.00
    ");
    assert_snapshot!(home.ok("why other"), @r"
    project other in 2025-01
      billable: 1 charge, 9.00
      held because they name no project: 1 charge, 4.00
    ");
    home.open("2025-02");
    home.focus("hpc_2025-02.csv", &[row_of("2025-02", "job-1", "CPU", "1", "1", &project("course"))]);
    home.ok("ingest hpc_2025-02.csv");
    assert_snapshot!(home.ok("why other --period 2025-02"), @r"
    project other in 2025-02
      no charges
      AWS has delivered nothing for 2025-02, and had charges of it before
      the latest month before with charges of it: 2025-01
    ");
    assert_snapshot!(home.ok("why PI@example.edu --period 2025-02"), @r"
    PI pi@example.edu in 2025-02
      billable: 1 charge, 1.00
      AWS has delivered nothing for 2025-02, and had charges of it before
      the latest month before with charges of it: 2025-01
    ");
    assert_snapshot!(home.refused("why nothing-like-it"), @r"
    error: `nothing-like-it` is no statement, journal, import, charge, line of a file, project or PI that is known here
    hint: statements look like S-2025-01-0001, journals like J-2025-01-1, imports like 12, charges like 12:345, lines like aws.csv:17
    hint: `report --by pi_email,project_id` lists PIs and projects
    ");
    assert_snapshot!(home.refused("why genome --period 2031-01"), @r"
    error: period 2031-01 was never opened
    hint: known periods: 2024-12, 2025-01, 2025-02
    ");
}

fn unzipped(home: &Home, name: &str) -> BTreeMap<String, Vec<u8>> {
    let mut zip = zip::ZipArchive::new(std::fs::File::open(home.path().join(name)).unwrap()).unwrap();
    let mut files = BTreeMap::new();
    for at in 0..zip.len() {
        let mut file = zip.by_index(at).unwrap();
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).unwrap();
        files.insert(file.name().unwrap().into_owned(), bytes);
    }
    files
}

#[test]
fn the_pack_of_an_auditor_is_whole_and_checks_itself() {
    let home = january();
    home.decide("reassign", "--id 2:2 --to-pi pi@example.edu --to-project genome --to-fund-org PHYS-1001");
    home.bill_january();
    home.ok("send --period 2025-01");
    home.gl("2025-01");
    let number = text(&entries(&home.json("statements list"))[0], "number").to_owned();
    let packed = home.json(&format!("why {number} --evidence pack.zip"));
    assert_eq!(packed["charges"], json!(2));
    let files = unzipped(&home, "pack.zip");
    let of = |name: &str| std::str::from_utf8(&files[name]).unwrap();
    let names: Vec<String> = files
        .keys()
        .map(
            |name| {
                if name.starts_with("configuration/") { "configuration/#".to_owned() } else { name.clone() }
            },
        )
        .collect();
    assert_snapshot!(names.join("\n"), @r"
    README.txt
    SHA256SUMS
    audit.json
    charges.csv
    configuration/#
    decisions.json
    delivered-rows.csv
    journals/J-2025-01-1.json
    journals/J-2025-01-1/gl.csv
    statements/S-2025-01-0001-v1.emails.json
    statements/S-2025-01-0001-v1.json
    statements/S-2025-01-0001-v1.pdf
    statements/S-2025-01-0001-v1.record.json
    ");

    // Every file is what SHA256SUMS says.
    for line in of("SHA256SUMS").lines() {
        let (sum, name) = line.split_once("  ").unwrap();
        assert_eq!(hex::encode(Sha256::digest(&files[name])), sum, "{name}");
    }
    assert_eq!(of("SHA256SUMS").lines().count() + 1, files.len());
    // From the amount due down to the bytes of the provider.
    let charges = Table::read(of("charges.csv"));
    assert_eq!(charges.sum("cost"), exact("13"));
    let rows = Table::read(of("delivered-rows.csv"));
    let delivered = home.read("aws_2025-01.csv");
    for (line, row) in rows.column("line").into_iter().zip(rows.column("row")) {
        assert_eq!(delivered.lines().nth(line.parse::<usize>().unwrap() - 1), Some(row));
    }
    assert!(of("decisions.json").contains("reassign"));
    let audit: serde_json::Value = serde_json::from_str(of("audit.json")).unwrap();
    let acts: Vec<String> = entries(&audit).iter().map(|row| text(row, "act").to_owned()).collect();
    for act in
        ["import.committed", "charges.reassigned", "period.closed", "statements.issued", "journal.exported"]
    {
        assert!(acts.iter().any(|done| done == act), "no {act} in {acts:?}");
    }

    // The same books, the same bytes; nothing is written over; a journal has a pack, too.
    home.ok(&format!("why {number} --evidence again.zip"));
    let bytes = |name: &str| std::fs::read(home.path().join(name)).unwrap();
    assert_eq!(bytes("pack.zip"), bytes("again.zip"));
    assert_snapshot!(home.refused(&format!("why {number} --evidence pack.zip")), @r"
    error: `pack.zip` is there already
    hint: an evidence pack is never written over another file
    ");
    assert_snapshot!(home.refused("why 2:1 --evidence charge.zip"), @r"
    error: `2:1` is no statement and no journal
    hint: an evidence pack is of a statement such as S-2025-01-0001 or a journal such as J-2025-01-1
    ");
    home.ok("why J-2025-01-1 --evidence journal.zip");
    let journal = unzipped(&home, "journal.zip");
    assert!(journal.contains_key("journals/J-2025-01-1.json"), "{:?}", journal.keys());
    assert_eq!(Table::read(std::str::from_utf8(&journal["charges.csv"]).unwrap()).sum("cost"), exact("13"));
}

#[test]
fn the_pack_has_the_rules_that_said_who_pays() {
    let home = Home::with("");
    home.ok("subsidies add College --payer SCI-1 --percent 25 --from 2025-01 --yes");
    home.ok("credits add Cloud --amount 3 --payer CR-1 --project genome --from 2025-01 --yes");
    home.ok("splits add --project genome A-1:50% B-2:50% --from 2025-01-01 --note agreed --yes");
    home.ok("attribution add --key resource_id --value vm-1 --cost-center CC-7 --yes");
    home.focus("aws_2025-01.csv", &[row("vm-1", "Compute", "10", "8", &project("genome"))]);
    home.ok("ingest aws_2025-01.csv");
    home.bill_january();
    home.ok("why S-2025-01-0001 --evidence pack.zip");
    let files = unzipped(&home, "pack.zip");
    let rules: serde_json::Value = serde_json::from_slice(&files["rules.json"]).unwrap();
    let named = [("subsidies", "name"), ("credits", "name"), ("splits", "note"), ("attribution", "key")];
    let named = named.map(|(kind, what)| &rules[kind][0][what]);
    assert_eq!(named, ["College", "Cloud", "agreed", "resource_id"]);
    let acts = String::from_utf8(files["audit.json"].clone()).unwrap();
    for act in ["subsidy.written", "credit.granted", "split.written", "attribution.changed"] {
        assert!(acts.contains(act), "{act} is not in the pack");
    }
}
