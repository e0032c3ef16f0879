//! What the books refuse: periods that are not open, sources that are not known, journals that would not
//! balance, a ledger that is not ours.

use std::fmt::Write as _;

use insta::assert_snapshot;
use serde_json::json;

use crate::support::{CONFIG, Change, Home, amount, exact, is_said, project, row, row_of, tags, texts};

/// November finalized, December closed, January open; each of the first two has one charge of 100.
fn three_states() -> Home {
    let home = Home::new();
    for period in ["2024-11", "2024-12"] {
        home.open(period);
        let name = format!("hpc-{period}.csv");
        home.focus(&name, &[row_of(period, "job-1", "CPU", "100", "100", &project("genome"))]);
        home.ok(&format!("ingest {name}"));
        home.close(period);
        home.generate(period);
    }
    home.finalize("2024-11");
    home.focus(
        "aws.csv",
        &[
            row_of("2024-11", "i-1", "Compute", "1.5", "1.5", &project("genome")),
            row_of("2024-12", "i-1", "Compute", "2.25", "2.25", &project("genome")),
            row_of("2025-01", "i-1", "Compute", "3", "3", &project("genome")),
            row_of("2025-01", "i-2", "Compute", "4", "4", &project("genome")),
        ],
    );
    home
}

#[test]
fn a_file_of_a_finalized_a_closed_and_an_open_period() {
    let home = three_states();
    let before = home.json("imports list");

    assert_snapshot!(home.refused("ingest aws.csv"), @r"
    2024-12: it is closed (1 rows, billed 2.25)
    error: the delivery has charges of periods that take no imports
    hint: `periods reopen 2024-12 --reason …`, or `--only-open` to leave its rows out
    ");
    assert_eq!(home.json("imports list"), before);

    let answer = home.json("ingest aws.csv --only-open");
    assert_eq!(answer["charges"], json!(2));
    assert_eq!(amount(&answer, "billed_cost"), exact("7"));
    let notes = texts(&answer["notes"]).join("\n");
    for left in ["2024-11", "1.5", "2024-12", "2.25"] {
        assert!(notes.contains(left), "`{left}` was left out and not said: {notes}");
    }
    let by_period = home.report("--by period --state all");
    assert_eq!(by_period.column("period"), ["2024-11", "2024-12", "2025-01"]);
    assert_eq!(by_period.column("billed_cost"), ["100", "100", "7"]);
}

#[test]
fn a_source_with_one_letter_wrong() {
    let home = Home::new();
    home.focus("january.csv", &[row("i-1", "Compute", "1", "1", &project("genome"))]);
    assert_snapshot!(home.refused("ingest january.csv --source AWSS"), @"
    error: source `AWSS` is not known, but `AWS` is
    hint: `--source AWS` if that is meant
    hint: `sources add AWSS` if it really is another source
    ");
    home.assert_nothing_stored();
    for near in ["AW", "AWD", "HPD"] {
        home.refused(&format!("ingest january.csv --source {near}"));
    }

    // A name like no other is a new source, and that is said.
    let answer = home.run("ingest january.csv --source Lustre");
    assert_eq!(answer.code, 0, "{}", answer.stderr);
    assert!(answer.stderr.contains("Lustre") && answer.stderr.contains("new"), "{}", answer.stderr);
}

#[test]
fn a_file_whose_source_nobody_names() {
    let home = Home::new();
    home.focus("january.csv", &[row("i-1", "Compute", "1", "1", &project("genome"))]);
    assert_snapshot!(home.refused("ingest january.csv"), @"
    error: cannot tell the source of `january.csv` from the file name
    hint: say it: `--source NAME`; patterns are known for AWS (aws), HPC (hpc)
    ");
    home.assert_nothing_stored();
}

#[test]
fn a_source_without_a_credit_at_export() {
    let home = Home::bare();
    home.write("config.yaml", CONFIG.replace("fund_org: IT-HPC, ", "").replace("fund_org: IT-AWS, ", ""));
    home.open("2025-01");
    home.focus("aws.csv", &[row("i-1", "Compute", "10", "10", &project("genome"))]);
    home.focus("hpc.csv", &[row("job-1", "CPU", "10", "10", &project("genome"))]);
    home.ok("ingest aws.csv");
    home.ok("ingest hpc.csv");
    home.bill_january();

    assert_snapshot!(home.refused("export-journal --period 2025-01 --format gl"), @r#"
    source `AWS` has no `fund_org` to credit under imports.known_sources
    source `HPC` has no `fund_org` to credit under imports.known_sources
    error: cannot export the journal of 2025-01; nothing was written
    hint: add to the configuration, with values:
    imports:
      known_sources:
        - name: AWS
          pattern: aws
          fund_org: ""  # fill in: the fund_org to credit
          account_code: "54100"
        - name: HPC
          pattern: hpc
          fund_org: ""  # fill in: the fund_org to credit
          account_code: "54200"
    "#);
    assert!(home.tree("instance/output/journals").is_empty());
}

#[test]
fn without_any_configuration_all_works_up_to_the_journal() {
    let home = Home::bare();
    home.open("2025-01");
    home.focus("aws_2025-01.csv", &[row("i-1", "Compute", "10", "10", &project("genome"))]);
    home.ok("ingest aws_2025-01.csv");
    assert_eq!(home.bill_january().len(), 1);
    assert_snapshot!(home.refused("export-journal --period 2025-01 --format gl"), @r#"
    source `AWS` has no `account_code` under imports.known_sources, and journal.default_account is empty
    source `AWS` has no `fund_org` to credit under imports.known_sources
    error: cannot export the journal of 2025-01; nothing was written
    hint: add to the configuration, with values:
    imports:
      known_sources:
        - name: AWS
          pattern: aws
          fund_org: ""  # fill in: the fund_org to credit
          account_code: ""  # fill in: the account to post to (or set journal.default_account)
        - name: Azure
          pattern: azure
        - name: GCP
          pattern: gcp
        - name: HPC
          pattern: hpc
        - name: Storage
          pattern: storage
    "#);
}

#[test]
fn a_fund_org_that_cannot_be_parsed() {
    let home = Home::new();
    home.focus("aws.csv", &[row("i-1", "Compute", "10", "10", &tags("pi@x.edu", "genome", "PHYS1001"))]);
    home.ok("ingest aws.csv");
    assert_eq!(home.flags_of_only_charge(), ["unparsed_fund_org"]);

    assert_snapshot!(home.refused("review approve --id 1:1 --note fine --yes"), @"
    error: cannot approve charge 1:1: approval does not clear `unparsed_fund_org`: the fund_org does not match journal.fund_org_regex
    hint: `review reassign` it to a PI, project and fund_org that are valid, or `review reject` it
    ");
    assert_eq!(home.billed("held"), exact("10"));

    // Another name that cannot be parsed does not help; one that can does.
    home.run(&Home::reassignment("--id 1:1", &Change { fund_org: Some("PHYS1002"), ..Change::default() }));
    assert_eq!(home.billed("held"), exact("10"));
    home.reassign("--id 1:1", &Change { fund_org: Some("PHYS-1002"), ..Change::default() });
    assert_eq!(home.billed("billable"), exact("10"));
    home.bill_january();
    assert_eq!(home.gl("2025-01").sum_where("debit", "fund_org", "PHYS-1002"), exact("10"));
}

#[test]
fn acts_before_their_time() {
    let home = Home::new();
    home.focus("aws.csv", &[row("i-1", "Compute", "10", "10", "{}")]);
    home.ok("ingest aws.csv");
    let mut found = String::new();
    let mut refuse = |act: &str| writeln!(found, "$ {act}\n{}", home.refused(act)).unwrap();
    refuse("generate --period 2025-01");
    refuse("send --period 2025-01");
    refuse("export-journal --period 2025-01 --format gl");
    refuse("periods finalize 2025-01 --notes x");
    refuse("periods reopen 2025-01 --reason x");
    refuse("periods show 2023-07");
    home.close("2025-01");
    refuse("periods finalize 2025-01 --notes x");
    refuse("periods close 2025-01");
    refuse("imports withdraw 7 --reason x --yes");
    refuse("why 2025-01-99999");
    assert_snapshot!(found, @r"
    $ generate --period 2025-01
    error: cannot generate statements for 2025-01: it is still open
    hint: `periods close 2025-01` first

    $ send --period 2025-01
    error: cannot send again the statements of 2025-01: it is still open
    hint: `periods close 2025-01` first

    $ export-journal --period 2025-01 --format gl
    error: cannot export the journal of 2025-01: it is still open
    hint: `periods close 2025-01` first

    $ periods finalize 2025-01 --notes x
    error: cannot finalize 2025-01: it is still open
    hint: `periods close 2025-01` first

    $ periods reopen 2025-01 --reason x
    error: cannot reopen 2025-01: it is not closed
    hint: nothing is to be done: an open period takes imports and decisions

    $ periods show 2023-07
    error: period 2023-07 was never opened
    hint: known periods: 2025-01

    $ periods finalize 2025-01 --notes x
    error: cannot finalize 2025-01: 1 charge is still held
    hint: `periods reopen 2025-01 --reason …` to decide them, or `review defer` to bill them next month
    hint: `review list --period 2025-01` shows them

    $ periods close 2025-01
    error: cannot close 2025-01: it is closed already
    hint: next is `generate --period 2025-01`

    $ imports withdraw 7 --reason x --yes
    error: import 7 is not known
    hint: `imports list` shows what was imported

    $ why 2025-01-99999
    error: `2025-01-99999` is no statement, journal, import, charge, line of a file, project or PI that is known here
    hint: statements look like S-2025-01-0001, journals like J-2025-01-1, imports like 12, charges like 12:345, lines like aws.csv:17
    hint: `report --by pi_email,project_id` lists PIs and projects
    ");
}

#[test]
fn a_month_too_far_away() {
    let home = Home::bare();
    home.write("config.yaml", CONFIG);
    home.focus("aws.csv", &[row_of("2015-01", "i-1", "Compute", "10", "10", &project("genome"))]);
    home.focus("hpc.csv", &[row_of("2099-01", "i-1", "Compute", "10", "10", &project("genome"))]);
    assert_snapshot!(home.refused("ingest aws.csv"), @"
    2015-01: it was never opened, and it is far from today (1 rows, billed 10)
    error: the delivery has charges of periods that take no imports
    hint: `periods open 2015-01` if it is meant
    ");
    assert_snapshot!(home.refused("ingest hpc.csv"), @"
    2099-01: it was never opened, and it is far from today (1 rows, billed 10)
    error: the delivery has charges of periods that take no imports
    hint: `periods open 2099-01` if it is meant
    ");
    home.assert_nothing_stored();
    home.open("2015-01");
    home.ok("ingest aws.csv");
}

#[test]
fn a_delivery_that_lost_most() {
    let config = "    - { name: Storage, pattern: storage, fund_org: IT-STO, account_code: \"54300\", delivery: snapshot }\n";
    let home = Home::with(config);
    let rows: Vec<String> =
        (0..10).map(|n| row(&format!("share-{n}"), "Files", "1", "1", &project("genome"))).collect();
    home.focus("storage.csv", &rows);
    home.ok("ingest storage.csv");
    home.focus("storage.csv", &rows[..4]);

    assert_snapshot!(home.refused("ingest storage.csv"), @"
    error: the delivery has 4 charges (Σ|billed| 4) and would supersede 10 (Σ|billed| 10): more than half is lost
    hint: look at the file; `--force` if it is right all the same
    ");
    assert_eq!(home.billed("all"), exact("10"));
    let answer = home.json("ingest storage.csv --force");
    assert!(is_said(&answer["superseded"]), "{answer}");
    assert_eq!(home.billed("all"), exact("4"));
}

#[test]
fn a_ledger_that_is_not_ours() {
    let home = Home::bare();
    home.write("config.yaml", format!("{CONFIG}database: {{ path: billing.db }}\n"));
    let theirs = home.write("billing.db", "minutes of the meeting of the second of May\n".repeat(100));
    let before = std::fs::read(&theirs).unwrap();
    assert_snapshot!(home.refused("periods list"), @"error: `HOME/billing.db` is not a ledger of OpenChargeback: it is not a database; nothing was written to it; name another place, for example `ledger.db`");
    home.refused("periods open 2025-01");
    assert_eq!(std::fs::read(&theirs).unwrap(), before, "a file that is not ours was written");
}

#[test]
fn every_problem_of_the_configuration_at_once() {
    let home = Home::bare();
    home.write(
        "config.yaml",
        "currncy: \"$\"\nsmtp: { port: abc }\nreview: { flag_patterns: ['('] }\nimports:\n  known_sources:\n    \
         - { name: AWS, delivery: sometimes }\n",
    );
    assert_snapshot!(home.refused("config check"), @"error: the configuration has 4 problems");
    assert_snapshot!(home.refused("periods list"), @"
    config.yaml:1: currncy: unknown key (did you mean currency?)
    config.yaml:2: smtp.port: `abc` is not a port number
    config.yaml:3: review.flag_patterns[1]: `(` is not a pattern: unclosed group
    config.yaml:6: imports.known_sources[1].delivery: `sometimes` is not one of ask, snapshot, increment
    error: config.yaml has 4 problems
    ");
    assert_snapshot!(home.refused("periods list --config nowhere.yaml"), @"error: --config: there is no file `nowhere.yaml`");
}
