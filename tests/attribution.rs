//! The attribution table: whose an account, a label or an alias is, from when to when; and what a change of it
//! does to charges that were read before.
#![expect(clippy::unwrap_used, reason = "a story that cannot be told is a failed test")]

mod support;

use insta::assert_snapshot;
use support::{CONFIG, HEADER, Home, amount, engines, entries, exact, project, row_of, text, texts};

/// A row of the core columns and its sub-account.
fn of(period: &str, resource: &str, cost: &str, tags: &str, account: &str) -> String {
    format!("{},{account}", row_of(period, resource, "Compute", cost, cost, tags))
}

fn deliver(home: &Home, name: &str, rows: &[String]) {
    home.write(name, format!("{HEADER},SubAccountId\n{}\n", rows.join("\n")));
    home.ok(&format!("ingest {name}"));
}

/// January with charges of two accounts without tags, and one with.
fn untagged() -> Home {
    let home = Home::with("");
    deliver(
        &home,
        "aws_2025-01.csv",
        &[
            of("2025-01", "vm-1", "10", "{}", "1111"),
            of("2025-01", "vm-2", "2.5", "{}", "2222"),
            of("2025-01", "vm-3", "4", &project("genome"), "1111"),
        ],
    );
    home
}

const ADD: &str = "attribution add --source AWS --key sub_account_id --value 1111 --pi ada@example.edu --project looms --fund-org MATH-1";

/// `resource PI project by rules`.
fn owners(home: &Home, period: &str) -> Vec<String> {
    let mut found: Vec<String> = home
        .charges(&format!("--period {period}"))
        .iter()
        .map(|charge| {
            let or = |name: &str| charge[name].as_str().unwrap_or("-").to_owned();
            let story = home.json(&format!("charges show {}", text(charge, "id")));
            let by = story["attributed_by"].as_array().unwrap();
            let by: Vec<String> = by.iter().map(|given| format!(" by {}", given["rule"])).collect();
            format!("{} {} {}{}", or("resource_id"), or("pi_email"), or("project_id"), by.concat())
        })
        .collect();
    found.sort();
    found
}

#[test]
fn what_has_no_tags_belongs_to_whom_the_table_says() {
    let home = untagged();
    assert_snapshot!(home.ok("attribution unreached"), @r"
    source  billing account  sub-account  charges  billed cost
    ──────  ───────────────  ───────────  ───────  ───────────
    AWS     –                1111               1        10.00
    AWS     –                2222               1         2.50
    ");
    assert_snapshot!(home.ok(&format!("{ADD} --dry-run")), @r"
    would read again import 1: 1 charge with another owner or price; held 2 before, 1 after
    PI               project  charges  then  billed cost   then
    ───────────────  ───────  ───────  ────  ───────────  ─────
    –                –              2     1        12.50   2.50
    ada@example.edu  looms          0     1         0.00  10.00
    ");
    assert_eq!(home.json("attribution list"), serde_json::json!([]), "a dry run wrote something");
    let told = home.run(&format!("{ADD} --note 'from the cloud team' --yes"));
    assert_snapshot!(told.stderr, @r"
    would read again import 1: 1 charge with another owner or price; held 2 before, 1 after
    PI               project  charges  then  billed cost   then
    ───────────────  ───────  ───────  ────  ───────────  ─────
    –                –              2     1        12.50   2.50
    ada@example.edu  looms          0     1         0.00  10.00
    reading import 1 again
    import 2 takes the place of import 1
    ");
    assert_snapshot!(home.ok("attribution list"), @r"
    rule  source  key             value  gives                                                        when    note
    ────  ──────  ──────────────  ─────  ───────────────────────────────────────────────────────────  ──────  ───────────────────
       1  AWS     sub_account_id  1111   pi_email ada@example.edu, project_id looms, fund_org MATH-1  always  from the cloud team
    ");
    assert_eq!(
        owners(&home, "2025-01"),
        ["vm-1 ada@example.edu looms by 1", "vm-2 - -", "vm-3 pi@example.edu genome"]
    );
    assert_snapshot!(home.ok("attribution unreached --period 2025-01"), @r"
    source  billing account  sub-account  charges  billed cost
    ──────  ───────────────  ───────────  ───────  ───────────
    AWS     –                2222               1         2.50
    ");
    let first = home.charges("--period 2025-01 --project looms");
    let story = home.ok(&format!("charges show {}", text(&first[0], "id")));
    assert!(story.contains("rule 1 (AWS sub_account_id `1111`, always)"), "{story}");
    home.ok("attribution add --key sub_account_id --value '22*' --pi bo@example.edu --project quanta --fund-org PHYS-1 --yes");
    home.bill_january();
    let due: Vec<_> = entries(&home.json("statements list --period 2025-01"))
        .iter()
        .map(|s| (text(s, "pi_email").to_owned(), amount(s, "amount_due")))
        .collect();
    let owed = |pi: &str, due: &str| (pi.to_owned(), exact(due));
    assert_eq!(
        due,
        [owed("ada@example.edu", "10"), owed("bo@example.edu", "2.5"), owed("pi@example.edu", "4")]
    );
    home.ok("verify --deep");
}

#[test]
fn a_change_is_for_open_periods() {
    for engine in engines() {
        let home = Home::bare_on(engine);
        home.write("config.yaml", CONFIG);
        let both = |period: &str| {
            vec![of(period, "vm-1", "10", "{}", "1111"), of(period, "vm-9", "1", &project("genome"), "3")]
        };
        home.open("2025-02");
        deliver(&home, "aws_2025-01.csv", &both("2025-01"));
        home.ok(&format!("{ADD} --yes"));
        home.bill_january();
        deliver(&home, "aws_2025-02.csv", &both("2025-02"));
        home.ok("attribution end 1 --on 2025-01-31 --note moved --yes");
        home.ok("attribution add --source AWS --key sub_account_id --value 1111 --pi bo@example.edu --project quanta --fund-org PHYS-1 --from 2025-02-01 --yes");
        let january = ["vm-1 ada@example.edu looms by 1", "vm-9 pi@example.edu genome"];
        assert_eq!(owners(&home, "2025-01"), january);
        assert_eq!(
            owners(&home, "2025-02"),
            ["vm-1 bo@example.edu quanta by 2", "vm-9 pi@example.edu genome"]
        );
        // Closed is closed, also for a rule without a day.
        let words = home.run("attribution add --key sub_account_id --value 3 --project other --yes");
        assert!(!words.stderr.contains("import 2 "), "{}", words.stderr);
        assert_eq!(owners(&home, "2025-01"), january);
        home.gl("2025-01");
        home.finalize("2025-01");
        // Delivered again, a finalized month belongs to whom it belonged: nothing is to be corrected.
        home.ok("attribution add --source AWS --key billing_account_id --value 7 --project x --yes");
        let mut again = both("2025-01");
        again.reverse();
        home.write("aws_2025-01.csv", format!("{HEADER},SubAccountId\n{}\n", again.join("\n")));
        let told = home.json("ingest aws_2025-01.csv");
        assert_eq!(told["unchanged"], true, "{told}");
        home.ok("verify --deep");
    }
}

#[test]
fn what_was_interrupted_is_read_again_before_a_period_closes() {
    let home = untagged();
    let status =
        home.command(&format!("{ADD} --yes")).env("FOCUS_BILLING_ABORT_AT", "ledger.act.committed").output();
    assert!(!status.unwrap().status.success());
    assert_eq!(entries(&home.json("attribution list")).len(), 1);
    assert_snapshot!(home.refused("periods close 2025-01"), @r"
    error: cannot close 2025-01: the attribution table or the rate book has changed since import 1 was read
    hint: `attribution apply` reads it again
    ");
    assert_snapshot!(home.run("attribution apply").stderr, @r"
    reading import 1 again
    import 2 takes the place of import 1
    ");
    assert_snapshot!(home.ok("attribution apply"), @"everything was read with the rules as they stand");
    assert_eq!(owners(&home, "2025-01")[0], "vm-1 ada@example.edu looms by 1");
    home.ok("periods close 2025-01");
    home.ok("verify --deep");
}

#[test]
fn decisions_stay_with_charges_that_keep_their_owner() {
    let home = Home::with("review: { flag_patterns: [vm] }\n");
    deliver(
        &home,
        "aws_2025-01.csv",
        &[
            of("2025-01", "vm-1", "10", &project("genome"), "1111"),
            of("2025-01", "vm-2", "2", &project("genome"), "2222"),
        ],
    );
    home.decide("approve", "--period 2025-01");
    home.ok("attribution add --key sub_account_id --value 1111 --cost-center CC-7 --yes");
    let held = entries(&home.json("review list --period 2025-01"));
    let held: Vec<_> =
        held.iter().map(|charge| (text(charge, "resource_id"), texts(&charge["flags"]).join(" "))).collect();
    assert_eq!(held, [("vm-1", "pattern_match changed_since_decision".to_owned())]);
}

#[test]
fn what_was_appended_stays_a_possible_duplicate() {
    let home = Home::with("");
    deliver(&home, "aws_2025-01.csv", &[of("2025-01", "vm-1", "10", &project("genome"), "1111")]);
    let again = [
        of("2025-01", "vm-1", "9", &project("genome"), "1111"),
        of("2025-01", "vm-2", "1", &project("genome"), "2"),
    ];
    home.write("more_aws.csv", format!("{HEADER},SubAccountId\n{}\n", again.join("\n")));
    home.ok("ingest more_aws.csv --append");
    home.decide("approve", "--period 2025-01 --flag possible_duplicate");
    let words = home.refused("review undo --id 1:1 --yes");
    assert!(words.contains("no decision about 1:1 stands"), "{words}");
    home.ok("attribution add --key sub_account_id --value 2 --cost-center CC-7 --yes");
    // Both were read again; the first is no duplicate of the second, and what was decided stands.
    let charges = home.charges("--period 2025-01");
    let states: Vec<(&str, &str)> =
        charges.iter().map(|c| (text(c, "billed_cost"), text(c, "state"))).collect();
    assert_eq!(states, [("10", "billable"), ("9", "billable"), ("1", "billable")]);
    assert!(home.ok("imports list").matches("superseded").count() == 2);
    home.ok("verify --deep");
}

#[test]
fn an_alias_is_one_person_and_a_tag_or_the_table_says_more() {
    let home = Home::with("");
    let old = r#"{"pi_email": "A.Lovelace@Old.example.edu", "project": "looms", "fund_org": "MATH-1", "Department": "Mathematics"}"#;
    deliver(&home, "aws_2025-01.csv", &[of("2025-01", "vm-1", "10", old, "1111")]);
    home.ok("attribution add --key pi_email --value a.lovelace@old.example.edu --pi ada@example.edu --yes");
    home.ok("attribution add --key tag:department --value math* --project engines --reference-1 R-1 --yes");
    assert_eq!(owners(&home, "2025-01"), ["vm-1 ada@example.edu looms by 1 by 2"]);
    home.write("config.yaml", format!("{CONFIG}attribution: {{ precedence: table }}\n"));
    home.ok("imports reread 3");
    assert_eq!(owners(&home, "2025-01"), ["vm-1 ada@example.edu engines by 1 by 2"]);
    assert_snapshot!(home.ok("attribution test --source AWS --with pi_email=a.lovelace@old.example.edu --with tag:Department=Mathematics --on 2025-01-05"), @r"
    on 2025-01-05 by rule 1, 2
      pi_email           ada@example.edu
      project_id         engines
      reference_1        R-1
    ");
    assert_snapshot!(home.ok("attribution test --source AWS --with sub_account_id=9 --on 2025-01-05"), @"on 2025-01-05 no rule fits");
    home.ok("verify --deep");
}

#[test]
fn tags_that_differ_in_case_only_are_reported() {
    let home = Home::with("");
    let twice = r#"{"pi_email": "ada@example.edu", "PI_Email": "bo@example.edu", "project": "looms", "fund_org": "MATH-1"}"#;
    deliver(&home, "aws_2025-01.csv", &[of("2025-01", "vm-1", "10", twice, "1111")]);
    let held = entries(&home.json("review list --period 2025-01"));
    assert_eq!(texts(&held[0]["flags"]), ["invalid_tags"]);
    let queue = home.ok("review list --period 2025-01");
    assert!(queue.contains("has `pi_email` and `PI_Email` with different values"), "{queue}");
}

#[test]
fn the_table_goes_out_and_in_as_csv() {
    let home = untagged();
    home.write(
        "rules.csv",
        "key,value,source,pi_email,project_id,fund_org,from,to,note\n\
         sub_account_id,1111,AWS,Ada@example.edu,looms,MATH-1,2025-01-01,2025-06-30,\"moved, in summer\"\n\
         sub_account_id,1111,AWS,bo@example.edu,quanta,PHYS-1,2025-07-01,,\n\
         tag:Team,blue*,,cy@example.edu,genome,,,,\n",
    );
    home.ok("attribution import rules.csv --yes");
    let out = home.ok("attribution export");
    assert_snapshot!(out, @r#"
    source,key,value,pi_email,project_id,fund_org,cost_center,account_code,reference_1,reference_2,end_date,reconciliation_end,fallback_fund_org,customer_class,usage_user,from,to,note
    AWS,sub_account_id,1111,ada@example.edu,looms,MATH-1,,,,,,,,,,2025-01-01,2025-06-30,"moved, in summer"
    AWS,sub_account_id,1111,bo@example.edu,quanta,PHYS-1,,,,,,,,,,2025-07-01,,
    ,tag:team,blue*,cy@example.edu,genome,,,,,,,,,,,,,
    "#);
    home.write("out.csv", &out);
    let acts = entries(&home.json("audit list")).len();
    let again = home.run("attribution import out.csv --yes");
    assert_eq!((again.code, again.stderr.as_str()), (0, "all 3 rules are there already: nothing changed\n"));
    assert_eq!(entries(&home.json("audit list")).len(), acts);
    home.ok("attribution export --output kept.csv");
    assert_eq!(home.read("kept.csv"), out);
}

#[test]
fn everything_that_is_wrong_is_said_at_once() {
    let home = untagged();
    home.ok(&format!("{ADD} --yes"));
    home.write("header.csv", "key,colour,pi\nx,y,z\n");
    home.write(
        "cells.csv",
        "key,value,source,pi_email,from\na key,1,AWS,ada@example.edu,\nsub_account_id,1,AWS,ada@example.edu,1.1.2025\n",
    );
    home.write(
        "rules.csv",
        "key,value,source,pi_email,from,to\n\
         sub_account_id,1111,aws,bo@example.edu,2025-05-01,\n\
         sub_account_id,*,AWS,bo@example.edu,,\n\
         sub_account_id,3,Moon,bo@example.edu,,\n\
         sub_account_id,4,AWS,,,\n\
         sub_account_id,5,AWS,bo@example.edu,,\n\
         sub_account_id,5,AWS,cy@example.edu,2025-01-01,\n\
         sub_account_id,6,AWS,cy@example.edu,2025-02-01,2025-01-01\n",
    );
    let acts = entries(&home.json("audit list")).len();
    let said: Vec<String> = [
        "attribution import missing.csv --yes",
        "attribution import header.csv --yes",
        "attribution import cells.csv --yes",
        "attribution import rules.csv --yes",
        "attribution end 9 --on 2025-01-31 --yes",
        "attribution add --key sub_account_id --value 8 --end-date 2025-01-01 --from 2025-02-01 --to 2025-01-01 --yes",
        &format!("{ADD} --from 2025-03-01 --yes"),
    ]
    .iter()
    .map(|line| home.refused(line))
    .collect();
    assert_snapshot!(said.join("\n"), @r"
    error: cannot read rules from `missing.csv`: No such file or directory (os error 2)

    line 1: `colour` is no column of the table
    line 1: `pi` is no column of the table
    line 1: there is no column `value`
    error: cannot read rules from `header.csv`: its header is not that of an attribution table
    hint: columns are source, key, value, pi_email, project_id, fund_org, cost_center, account_code, reference_1, reference_2, end_date, reconciliation_end, fallback_fund_org, customer_class, usage_user, from, to, note

    line 2: key: `a key` is no key; keys are columns (sub_account_id, resource_id), tags (tag:Department) and fields (pi_email, project_id, fund_org)
    line 3: from: `1.1.2025` is not a date; write 2025-01-31
    error: cannot read rules from `cells.csv`: not every cell can be read

    aws sub_account_id `1111`: rule 1 speaks of the same days (always); end it first
    AWS sub_account_id `*`: `*` would fit everything
    Moon sub_account_id `3`: source `Moon` is not known; `sources list` shows those that are
    AWS sub_account_id `4`: a rule gives at least one field, such as a PI or a project
    AWS sub_account_id `5`: another new one speaks of the same days (always); end it first
    AWS sub_account_id `6`: it ends on 2025-01-01, before it begins on 2025-02-01
    error: the attribution table cannot be changed so

    rule 9 is not known
    error: the attribution table cannot be changed so

    sub_account_id `8`: it ends on 2025-01-01, before it begins on 2025-02-01
    error: the attribution table cannot be changed so

    AWS sub_account_id `1111`: rule 1 speaks of the same days (always); end it first
    error: the attribution table cannot be changed so
    ");
    assert_eq!(entries(&home.json("audit list")).len(), acts, "something was recorded");
    home.ok("attribution end 1 --on 2025-03-31 --yes");
    assert_snapshot!(home.refused("attribution end 1 --on 2025-06-30 --yes"), @r"
    rule 1 is to 2025-03-31: it cannot end with 2025-06-30; a rule cannot be made longer; write a new one
    error: the attribution table cannot be changed so
    ");
    home.ok("verify");
}
