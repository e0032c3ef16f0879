//! Subsidies: somebody else pays a part. On the statement it says who, in the journal the payer is debited, and
//! what is left of a fund follows from what statements say.
#![expect(clippy::unwrap_used, reason = "a story that cannot be told is a failed test")]

mod support;

use insta::assert_snapshot;
use support::{CONFIG, Home, amount, due, engines, entries, exact, project, row_of, text};

fn deliver(home: &Home, period: &str, rows: &[(&str, &str, &str)]) {
    let rows: Vec<String> = rows
        .iter()
        .map(|(resource, name, cost)| row_of(period, resource, "Compute", cost, cost, &project(name)))
        .collect();
    home.focus(&format!("aws_{period}.csv"), &rows);
    home.ok(&format!("ingest aws_{period}.csv"));
}

/// `project subsidy due` of the statements of a period.
fn shares(home: &Home, period: &str) -> Vec<String> {
    let statements = entries(&home.json(&format!("statements list --period {period}")));
    let mut latest: Vec<(u64, String)> = Vec::new();
    for s in &statements {
        let line = format!("{} {} {}", text(s, "project_id"), text(s, "subsidy"), text(s, "amount_due"));
        latest.push((s["version"].as_u64().unwrap(), line));
    }
    latest.into_iter().map(|(_, line)| line).collect()
}

#[test]
fn the_college_pays_forty_per_cent_and_the_journal_debits_it() {
    // The worked journal: list 1,000.00; the college pays 40 %, the PI's award 60 %.
    let home = Home::with("");
    deliver(&home, "2025-01", &[("vm-1", "genome", "1000")]);
    assert_snapshot!(
        home.ok("subsidies add 'College of Science' --payer SCI-100 --percent 40 --from 2025-01 --dry-run"),
        @r"
    period   statements  subsidy     then  amount due     then
    ───────  ──────────  ───────  ───────  ──────────  ───────
    2025-01           1    $0.00  $400.00   $1,000.00  $600.00
    "
    );
    assert_eq!(home.json("subsidies list"), serde_json::json!([]), "a dry run wrote something");
    home.ok("subsidies add 'College of Science' --payer SCI-100 --percent 40 --from 2025-01 --yes");
    assert_snapshot!(home.ok("subsidies list"), @r"
    rule  name                payer    pays  for         when          order
    ────  ──────────────────  ───────  ────  ──────────  ────────────  ─────
       1  College of Science  SCI-100  40%   everything  from 2025-01      0
    ");
    let statements = home.bill_january();
    assert_eq!(text(&statements[0], "subsidy"), "400.00");
    assert_eq!(due(&statements), exact("600"));
    let page = support::pdf_text(&home.document(&statements[0]));
    assert!(page.contains("paid by College of Science"), "{page}");
    assert!(page.contains("College of Science (SCI-100) pays $400.00 of these charges."), "{page}");
    let journal = home.gl("2025-01");
    let lines: Vec<(&str, &str, &str)> = journal
        .column("fund_org")
        .into_iter()
        .zip(journal.column("debit"))
        .zip(journal.column("credit"))
        .map(|((fund, debit), credit)| (fund, debit, credit))
        .collect();
    assert_eq!(lines, [("PHYS-1001", "600.00", ""), ("SCI-100", "400.00", ""), ("IT-AWS", "", "1000.00")]);
    home.finalize("2025-01");
    // A refund of 100.00 that comes late: 60.00 to the PI, 40.00 to the college.
    home.open("2025-02");
    deliver(&home, "2025-01", &[("vm-1", "genome", "900")]);
    home.decide("approve", "--period 2025-02 --flag correction");
    home.close("2025-02");
    home.generate("2025-02");
    assert_eq!(shares(&home, "2025-02"), ["genome -40.00 -60.00"]);
    let journal = home.gl("2025-02");
    let credits = journal.column("fund_org").into_iter().zip(journal.column("credit"));
    assert_eq!(credits.collect::<Vec<_>>(), [("PHYS-1001", "60.00"), ("SCI-100", "40.00"), ("IT-AWS", "")]);
    home.ok("verify --deep");
}

#[test]
fn the_provost_pays_the_first_five_hundred_of_a_fiscal_year() {
    for engine in engines() {
        let home = Home::bare_on(engine);
        home.write("config.yaml", CONFIG);
        home.ok(
            "subsidies add Provost --payer PROV-1 --tier 500:100 --every fiscal-year --from 2025-05 --yes",
        );
        for (period, cost) in [("2025-05", "300"), ("2025-06", "300"), ("2025-07", "300")] {
            home.open(period);
            deliver(&home, period, &[("vm-1", "genome", cost), ("vm-2", "course", "10.005")]);
            home.close(period);
            home.generate(period);
        }
        // The fiscal year begins in July.
        assert_eq!(shares(&home, "2025-05"), ["course 10.00 0.00", "genome 300.00 0.00"]);
        assert_eq!(shares(&home, "2025-06"), ["course 10.00 0.00", "genome 200.00 100.00"]);
        assert_eq!(shares(&home, "2025-07"), ["course 10.00 0.00", "genome 300.00 0.00"]);
        let shown = home.ok("subsidies show 2025-06");
        insta::allow_duplicates! { assert_snapshot!(shown, @r"
        rule  name     PI              project  counted over        cost seen    paid    left
        ────  ───────  ──────────────  ───────  ──────────────────  ─────────  ──────  ──────
           1  Provost  pi@example.edu  course   2024-07 to 2025-06      20.01   20.01  479.99
           1  Provost  pi@example.edu  genome   2024-07 to 2025-06     600.00  500.00    0.00
        "); }
        // Run again, nothing is another; a month that is opened again has what the others left.
        assert_eq!(home.json("generate --period 2025-06")[0]["version"], 1);
        home.reopen("2025-05", "a late file");
        deliver(&home, "2025-05", &[("vm-1", "genome", "350"), ("vm-2", "course", "10.005")]);
        home.close("2025-05");
        home.generate("2025-05");
        let genome = entries(&home.json("statements list --period 2025-05"));
        let genome = genome.iter().rfind(|s| text(s, "project_id") == "genome").unwrap();
        assert_eq!((amount(genome, "subsidy"), amount(genome, "amount_due")), (exact("300"), exact("50")));
        assert_eq!(shares(&home, "2025-06"), ["course 10.00 0.00", "genome 200.00 100.00"]);
        home.gl("2025-06");
        home.ok("verify --deep");
    }
}

#[test]
fn rules_stack_in_their_order_and_are_for_whom_they_name() {
    let home = Home::with("");
    deliver(&home, "2025-01", &[("vm-1", "genome", "200"), ("vm-2", "course", "50")]);
    home.ok("subsidies add Department --payer DEP-1 --percent 50 --order 2 --from 2025-01 --yes");
    home.ok("subsidies add 'New groups' --payer NEW-1 --tier 100:100 --order 1 --project genome --from 2025-01 --yes");
    home.ok("subsidies add Never --payer NOT-1 --percent 10 --source HPC --from 2025-01 --yes");
    home.bill_january();
    assert_eq!(shares(&home, "2025-01"), ["course 25.00 25.00", "genome 150.00 50.00"]);
    let journal = home.gl("2025-01");
    assert_eq!(journal.sum_where("debit", "fund_org", "DEP-1"), exact("75"));
    assert_eq!(journal.sum_where("debit", "fund_org", "NEW-1"), exact("100"));
    assert_eq!(journal.sum("debit"), journal.sum("credit"));
    home.ok("verify");
}

#[test]
fn a_closed_month_keeps_the_rules_of_its_close() {
    let home = Home::with("");
    deliver(&home, "2025-01", &[("vm-1", "genome", "200")]);
    home.ok("periods close 2025-01");
    home.ok("subsidies add Late --payer DEP-1 --percent 50 --from 2025-01 --yes");
    home.generate("2025-01");
    assert_eq!(shares(&home, "2025-01"), ["genome 0.00 200.00"]);
    home.reopen("2025-01", "for the subsidy");
    home.close("2025-01");
    home.generate("2025-01");
    assert!(shares(&home, "2025-01").contains(&"genome 100.00 100.00".to_owned()));
    home.ok("subsidies end 1 --last 2025-01 --note 'the money is spent' --yes");
    home.open("2025-02");
    deliver(&home, "2025-02", &[("vm-1", "genome", "200")]);
    home.close("2025-02");
    home.generate("2025-02");
    assert_eq!(shares(&home, "2025-02"), ["genome 0.00 200.00"]);
    home.ok("verify");
}

#[test]
fn what_a_month_does_not_use_is_carried_over() {
    let home = Home::bare();
    home.write("config.yaml", CONFIG);
    home.ok("subsidies add Starter --payer NEW-1 --tier 100:100 --carry-over --from 2025-01 --yes");
    assert_snapshot!(home.ok("subsidies list"), @r"
    rule  name     payer  pays                                                    for         when          order
    ────  ───────  ─────  ──────────────────────────────────────────────────────  ──────────  ────────────  ─────
       1  Starter  NEW-1  100% up to 100.00, per project and month, carried over  everything  from 2025-01      0
    ");
    for (period, cost) in [("2025-01", "30"), ("2025-02", "200"), ("2025-03", "50")] {
        home.open(period);
        deliver(&home, period, &[("vm-1", "genome", cost)]);
        home.close(period);
        home.generate(period);
    }
    assert_eq!(shares(&home, "2025-01"), ["genome 30.00 0.00"]);
    assert_eq!(shares(&home, "2025-02"), ["genome 170.00 30.00"]);
    assert_eq!(shares(&home, "2025-03"), ["genome 50.00 0.00"]);
    assert_snapshot!(home.ok("subsidies show 2025-02"), @r"
    rule  name     PI              project  counted over  carried over  cost seen    paid  left
    ────  ───────  ──────────────  ───────  ────────────  ────────────  ─────────  ──────  ────
       1  Starter  pi@example.edu  genome   2025-02              70.00     200.00  170.00  0.00
    ");
    // January again: what February took of it is not there any more.
    home.reopen("2025-01", "a late file");
    deliver(&home, "2025-01", &[("vm-1", "genome", "45")]);
    home.close("2025-01");
    home.generate("2025-01");
    assert!(shares(&home, "2025-01").contains(&"genome 30.00 15.00".to_owned()));
    assert_eq!(home.json("generate --period 2025-02")[0]["version"], 1);
    home.ok("verify");
}

/// Rows of projects by who used them; `-`: nobody is named.
fn deliver_use(home: &Home, period: &str, file: &str, rows: &[(&str, &str, &str)]) {
    let row = |(at, (name, user, cost)): (usize, &(&str, &str, &str))| {
        let tags = match *user {
            "-" => project(name),
            user => project(name).replace('}', &format!(r#", "User": "{user}"}}"#)),
        };
        row_of(period, &format!("tokens-{at}"), "Compute", cost, cost, &tags)
    };
    home.focus(file, &rows.iter().enumerate().map(row).collect::<Vec<_>>());
    home.ok(&format!("ingest {file}"));
}

#[test]
fn the_provost_pays_the_first_fifty_of_each_user_whoever_is_billed() {
    for engine in engines() {
        let home = Home::bare_on(engine);
        home.write("config.yaml", CONFIG.replace("name: AWS,", "name: AWS, delivery: snapshot,"));
        home.ok("people add Ada ada@example.edu --also a.lovelace@example.edu --yes");
        home.ok("subsidies add Provost --payer PROV-1 --tier 50:100 --per user --every fiscal-year --from 2025-01 --yes");
        let listed = home.ok("subsidies list");
        home.open("2025-01");
        let january = [
            ("course", "ada@example.edu", "40"),
            ("course", "bo@example.edu", "80.005"),
            ("genome", "A.Lovelace@example.edu ", "30"),
            ("genome", "-", "12.50"),
        ];
        deliver_use(&home, "2025-01", "aws_2025-01.csv", &january);
        let shown = home.ok("subsidies show 2025-01");
        home.close("2025-01");
        let statements = home.generate("2025-01");
        assert_eq!(shares(&home, "2025-01"), ["course 90.00 30.00", "genome 10.00 32.50"]);
        let notes = |statement: &serde_json::Value| {
            support::texts(&home.json(&format!("statements show {}", text(statement, "number")))["notes"])
                .join(" ")
        };
        let notes: Vec<String> = statements.iter().map(notes).collect();
        // Accounting is not told of users: every payer has one line.
        let journal = home.gl("2025-01");
        let debits = journal.column("fund_org").into_iter().zip(journal.column("debit"));
        let debits: Vec<_> = debits.filter(|(_, debit)| !debit.is_empty()).collect();
        assert_eq!(debits, [("PHYS-1001", "62.50"), ("PROV-1", "100.00")]);
        // In February Ada has used up hers, Bo too, and Cy is new.
        home.open("2025-02");
        let february = [
            ("genome", "a.lovelace@example.edu", "5"),
            ("genome", "bo@example.edu", "5"),
            ("genome", "cy", "20"),
        ];
        deliver_use(&home, "2025-02", "aws_2025-02.csv", &february);
        home.close("2025-02");
        home.generate("2025-02");
        assert_eq!(shares(&home, "2025-02"), ["genome 20.00 10.00"]);
        let left = home.ok("subsidies show 2025-02");
        // January again, where it was another who used it: the same is due, and Bo has theirs.
        home.reopen("2025-01", "a late file");
        let again = [january[0], ("course", "dee", "80.005"), january[2], january[3]];
        deliver_use(&home, "2025-01", "aws_2025-01b.csv", &again);
        home.close("2025-01");
        let statements = entries(&home.json("generate --period 2025-01"));
        let told: Vec<_> = statements.iter().map(|s| s["version"].as_u64().unwrap()).collect();
        assert_eq!(told, [2, 1]);
        let bo = &entries(&home.json("subsidies show 2025-02"))[1];
        assert_eq!(
            (text(bo, "user"), text(bo, "paid"), text(bo, "left")),
            ("bo@example.edu", "5", "45"),
            "February again"
        );
        home.gl("2025-01");
        home.ok("verify --deep");
        insta::allow_duplicates! {
            assert_snapshot!(listed, @r"
            rule  name     payer   pays                                        for         when          order
            ────  ───────  ──────  ──────────────────────────────────────────  ──────────  ────────────  ─────
               1  Provost  PROV-1  100% up to 50.00, per user and fiscal year  everything  from 2025-01      0
            ");
            assert_snapshot!(shown, @r"
            rule  name     user             counted over        cost seen   paid  left
            ────  ───────  ───────────────  ──────────────────  ─────────  ─────  ────
               1  Provost  ada@example.edu  2024-07 to 2025-06      70.00  50.00  0.00
               1  Provost  bo@example.edu   2024-07 to 2025-06     80.005  50.00  0.00
               1  Provost  (not named)      2025-01                 12.50   0.00  0.00
            ");
            assert_snapshot!(left, @r"
            rule  name     user             counted over        cost seen   paid   left
            ────  ───────  ───────────────  ──────────────────  ─────────  ─────  ─────
               1  Provost  ada@example.edu  2024-07 to 2025-06      75.00  50.00   0.00
               1  Provost  bo@example.edu   2024-07 to 2025-06     85.005  50.00   0.00
               1  Provost  cy               2024-07 to 2025-06      20.00  20.00  30.00
            ");
            assert_snapshot!(notes.join("\n"), @r"
            Provost (PROV-1) pays $90.00 of these charges: $40.00 for ada@example.edu and $50.00 for bo@example.edu.
            Provost (PROV-1) pays $10.00 of these charges, for ada@example.edu.
            ");
        }
    }
}

#[test]
fn what_a_user_gets_back_was_paid_for_the_user() {
    let home = Home::with("");
    home.ok("subsidies add Provost --payer PROV-1 --percent 50 --cap 20 --per user --every once --from 2025-01 --yes");
    home.ok("attribution add --key resource_id --value tokens-2 --usage-user Ada --yes");
    deliver_use(
        &home,
        "2025-01",
        "aws_2025-01.csv",
        &[("genome", "ada", "30"), ("genome", "bo", "30"), ("genome", "-", "4")],
    );
    let charges = home.ok("report --period 2025-01 --by usage_user");
    home.bill_january();
    assert_eq!(shares(&home, "2025-01"), ["genome 32.00 32.00"]);
    home.finalize("2025-01");
    // Bo's tokens were 10.00: half of what is less goes back to the Provost, and Bo's next are paid for.
    home.open("2025-02");
    deliver_use(
        &home,
        "2025-01",
        "aws_2025-01b.csv",
        &[("genome", "ada", "30"), ("genome", "bo", "10"), ("genome", "-", "4")],
    );
    deliver_use(&home, "2025-02", "aws_2025-02.csv", &[("genome", "bo", "24"), ("genome", "ada", "24")]);
    home.decide("approve", "--period 2025-02 --flag correction");
    home.close("2025-02");
    home.generate("2025-02");
    let shown = home.ok("subsidies show 2025-02");
    assert_snapshot!(charges, @r"
    usage_user  rows  list cost  contracted cost  billed cost  effective cost  discount
    ──────────  ────  ─────────  ───────────────  ───────────  ──────────────  ────────
    ada            2      34.00            34.00        34.00           34.00      0.00
    bo             1      30.00            30.00        30.00           30.00      0.00
    ──────────  ────  ─────────  ───────────────  ───────────  ──────────────  ────────
    total          3      64.00            64.00        64.00           64.00      0.00
    ");
    assert_snapshot!(shown, @r"
    rule  name     user  counted over  cost seen   paid  left
    ────  ───────  ────  ────────────  ─────────  ─────  ────
       1  Provost  ada   from 2025-01      58.00  20.00  0.00
       1  Provost  bo    from 2025-01      34.00  17.00  3.00
    ");
    assert_snapshot!(home.ok("subsidies list"), @r"
    rule  name     payer   pays                                for         when          order
    ────  ───────  ──────  ──────────────────────────────────  ──────────  ────────────  ─────
       1  Provost  PROV-1  50%, at most 20.00, per user, once  everything  from 2025-01      0
    ");
    assert_eq!(shares(&home, "2025-02"), ["genome 5.00 23.00"]);
    home.ok("verify --deep");
}

#[test]
fn everything_that_is_wrong_is_said_at_once() {
    let home = Home::with("");
    home.ok("subsidies add Good --payer DEP-1 --percent 50 --from 2025-01 --to 2025-06 --yes");
    let acts = entries(&home.json("audit list")).len();
    let said: Vec<String> = [
        "subsidies add Bad --payer DEP-1 --tier 100:50 --tier 50:20 --tier :10 --cap 0 --from 2025-05 --to 2025-01 --yes",
        "subsidies add Odd --payer nodash --percent 50 --from 2025-01 --yes",
        "subsidies end 9 --last 2025-01 --yes",
        "subsidies end 1 --last 2025-07 --yes",
        "subsidies show 2031-01",
    ]
    .iter()
    .map(|line| home.refused(line))
    .collect();
    assert_snapshot!(said.join("\n"), @r"
    an amount of 0 is none to pay up to
    tiers rise: 50 does not come after the one before it
    it ends with 2025-01, before it begins with 2025-05
    error: the subsidy `Bad` cannot be written

    its payer `nodash` does not match journal.fund_org_regex
    error: the subsidy `Odd` cannot be written

    error: subsidy 9 is not known
    hint: `subsidies list --all` shows those that are

    error: subsidy 1 is from 2025-01 to 2025-06: it cannot end with 2025-07
    hint: a rule cannot be made longer; write a new one

    error: period 2031-01 was never opened
    hint: known periods: 2025-01
    ");
    assert_eq!(entries(&home.json("audit list")).len(), acts, "something was recorded");
}
