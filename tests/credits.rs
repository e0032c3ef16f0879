//! Credits: an amount that was granted pays until it is used up or expires. The statement says what was drawn and
//! what is left, the journal debits the fund that it is drawn from, and a part can be given to others.
#![expect(clippy::unwrap_used, reason = "a story that cannot be told is a failed test")]

mod support;

use insta::assert_snapshot;
use support::{CONFIG, Home, amount, engines, entries, exact, project, row_of, text};

fn deliver(home: &Home, period: &str, rows: &[(&str, &str)]) {
    let rows: Vec<String> = rows
        .iter()
        .map(|(name, cost)| row_of(period, &format!("vm-{name}"), "Compute", cost, cost, &project(name)))
        .collect();
    home.focus(&format!("aws_{period}.csv"), &rows);
    home.ok(&format!("ingest aws_{period}.csv"));
}

fn bill(home: &Home, period: &str, rows: &[(&str, &str)]) {
    home.open(period);
    deliver(home, period, rows);
    home.close(period);
    home.generate(period);
}

/// `project subsidy due` of the latest statements of a period.
fn shares(home: &Home, period: &str) -> Vec<String> {
    let mut latest = std::collections::BTreeMap::new();
    for s in entries(&home.json(&format!("statements list --period {period}"))) {
        let (name, version) = (text(&s, "project_id").to_owned(), s["version"].as_u64().unwrap());
        let line = format!("{name} {} {}", text(&s, "subsidy"), text(&s, "amount_due"));
        let known = latest.entry(name).or_insert((0, String::new()));
        if known.0 < version {
            *known = (version, line);
        }
    }
    latest.into_values().map(|(_, line)| line).collect()
}

/// What the current statements of a period say below their tables, about credits.
fn notes(home: &Home, period: &str) -> String {
    let mut said = Vec::new();
    for s in entries(&home.json(&format!("statements list --period {period}"))) {
        let shown = home.json(&format!("statements show {}", text(&s, "number")));
        for note in entries(&shown["notes"]) {
            said.push(format!("{}: {}\n", text(&s, "project_id"), note.as_str().unwrap()));
        }
    }
    said.concat()
}

#[test]
fn research_credits_pay_until_they_are_used_up() {
    let home = Home::with("");
    deliver(&home, "2025-01", &[("genome", "87.50"), ("course", "120")]);
    let grant = "credits add 'AWS research credits' --amount 500 --payer IT-900 --account-code 7300 \
                 --project genome --source AWS --from 2025-01 --to 2025-12";
    assert_snapshot!(home.ok(&format!("{grant} --dry-run")), @r"
    period   statements  subsidy    then  amount due     then
    ───────  ──────────  ───────  ──────  ──────────  ───────
    2025-01           1    $0.00  $87.50     $207.50  $120.00
    ");
    assert_eq!(home.json("credits list"), serde_json::json!([]), "a dry run wrote something");
    assert_snapshot!(home.ok(&format!("{grant} --yes")), @"credit 1 is granted (act 4)");
    assert_snapshot!(home.ok("credits list --all"), @r"
    credit  name                  kind      payer   amount  moved on  held by         for         when                     order
    ──────  ────────────────────  ────────  ──────  ──────  ────────  ──────────────  ──────────  ───────────────────────  ─────
         1  AWS research credits  provider  IT-900  500.00      0.00  project genome  source AWS  from 2025-01 to 2025-12      0
    ");
    let statements = home.bill_january();
    assert_eq!(shares(&home, "2025-01"), ["course 0.00 120.00", "genome 87.50 0.00"]);
    assert_snapshot!(notes(&home, "2025-01"), @r#"
    genome: AWS research credits (IT-900) pays $87.50 of these charges.
    genome: Credit "AWS research credits": $412.50 left, to be used by 2025-12.
    "#);
    let genome = statements.iter().find(|s| text(s, "project_id") == "genome").unwrap();
    let page = support::pdf_text(&home.document(genome));
    assert!(page.contains("paid by AWS research credits"), "{page}");
    assert!(page.contains("$412.50 left"), "{page}");
    let journal = home.gl("2025-01");
    let lines: Vec<String> = ["fund_org", "account", "debit", "credit"]
        .map(|column| journal.column(column))
        .into_iter()
        .fold(vec![String::new(); journal.column("debit").len()], |lines, column| {
            lines.iter().zip(column).map(|(line, cell)| format!("{line} {cell}")).collect()
        });
    assert_snapshot!(lines.join("\n"), @r"
    IT-900 7300 87.50 
    PHYS-1001 54100 120.00 
    IT-AWS 54100  207.50
    ");
    bill(&home, "2025-02", &[("genome", "350")]);
    bill(&home, "2025-03", &[("genome", "100")]);
    assert_eq!(shares(&home, "2025-03"), ["genome 62.50 37.50"]);
    assert_snapshot!([notes(&home, "2025-02"), notes(&home, "2025-03")].concat(), @r#"
    genome: AWS research credits (IT-900) pays $350.00 of these charges.
    genome: Credit "AWS research credits": $62.50 left, to be used by 2025-12. That is less than 20% of it.
    genome: AWS research credits (IT-900) pays $62.50 of these charges.
    genome: Credit "AWS research credits" is used up.
    "#);
    bill(&home, "2025-04", &[("genome", "10")]);
    assert_eq!(shares(&home, "2025-04"), ["genome 0.00 10.00"]);
    assert_eq!(notes(&home, "2025-04"), "", "what is used up is said once");
    assert_snapshot!(home.ok("credits show 2025-03"), @r"
    credit  name                  held by         amount  moved on  used before  used now  left  until    note
    ──────  ────────────────────  ──────────────  ──────  ────────  ───────────  ────────  ────  ───────  ───────
         1  AWS research credits  project genome  500.00      0.00       437.50     62.50  0.00  2025-12  used up
    ");
    // A refund of a month whose journal is posted: the PI paid last, and gets back first.
    home.finalize("2025-01");
    home.open("2025-05");
    deliver(&home, "2025-01", &[("genome", "27.50"), ("course", "120")]);
    home.decide("approve", "--period 2025-05 --flag correction");
    home.close("2025-05");
    home.generate("2025-05");
    assert_eq!(shares(&home, "2025-05"), ["genome -12.50 -47.50"]);
    assert_snapshot!(notes(&home, "2025-05"), @r#"
    genome: AWS research credits (IT-900) gets back $12.50 that it had paid for you.
    genome: Credit "AWS research credits": $12.50 left, to be used by 2025-12. That is less than 20% of it.
    "#);
    home.gl("2025-05");
    home.ok("verify --deep");
}

#[test]
fn a_part_is_given_to_others_and_what_is_used_cannot_be() {
    for engine in engines() {
        let home = Home::bare_on(engine);
        home.write("config.yaml", CONFIG);
        home.ok("credits add Programme --kind award --amount 1000 --payer VPR-1 --kept-back --from 2025-01 --to 2025-06 --yes");
        home.ok("credits move 1 --to-project genome --amount 300 --note 'round one' --yes");
        home.ok("credits move 1 --to-project genome --to-project course --amount 100 --note 'they share it' --yes");
        bill(&home, "2025-01", &[("genome", "250"), ("course", "40")]);
        // The shared one is as old and ends as late; statements come in order of PI and project.
        assert_eq!(shares(&home, "2025-01"), ["course 40.00 0.00", "genome 250.00 0.00"]);
        home.open("2025-02");
        deliver(&home, "2025-02", &[("genome", "80"), ("course", "40")]);
        let shown = home.ok("credits move 2 --to-project course --amount 20 --note 'not needed' --dry-run");
        insta::allow_duplicates! { assert_snapshot!(shown, @r"
        period   statements  subsidy    then  amount due    then
        ───────  ──────────  ───────  ──────  ──────────  ──────
        2025-02           1  $110.00  $90.00      $10.00  $30.00
        "); }
        let refused = home.refused("credits move 2 --to-project course --amount 50.01 --note more --yes");
        insta::allow_duplicates! { assert_snapshot!(refused, @r"
        $300.00 was granted, $250.00 used by months that are closed, $0.00 moved on
        error: credit 2 has $50.00 left: $50.01 cannot be moved
        "); }
        home.ok("credits move 2 --kept-back --amount 50 --note 'not needed' --yes");
        let shown = home.ok("credits show");
        insta::allow_duplicates! { assert_snapshot!(shown, @r"
        credit  name       held by                     amount  moved on  used before  used now    left  until    note
        ──────  ─────────  ────────────────────────  ────────  ────────  ───────────  ────────  ──────  ───────  ───────
             1  Programme  nobody yet                1,000.00    400.00         0.00      0.00  600.00  2025-06
             2  Programme  project genome              300.00     50.00       250.00      0.00    0.00  2025-06  used up
             3  Programme  project genome or course    100.00      0.00        40.00     60.00    0.00  2025-06  used up
             4  Programme  nobody yet                   50.00      0.00         0.00      0.00   50.00  2025-06
        "); }
        home.close("2025-02");
        // Closed, and not billed yet: what its statements will draw is not there to be moved.
        let refused = home.refused("credits move 3 --kept-back --amount 40 --note late --yes");
        insta::allow_duplicates! { assert_snapshot!(refused, @r"
        $100.00 was granted, $100.00 used by months that are closed, $0.00 moved on
        error: credit 3 has $0.00 left: $40.00 cannot be moved
        "); }
        home.generate("2025-02");
        assert_eq!(shares(&home, "2025-02"), ["course 40.00 0.00", "genome 20.00 60.00"]);
        // A month that is opened again takes the credits as they are now; what others drew stays.
        home.reopen("2025-01", "a late file");
        deliver(&home, "2025-01", &[("genome", "270"), ("course", "40")]);
        home.close("2025-01");
        home.generate("2025-01");
        assert_eq!(shares(&home, "2025-01"), ["course 40.00 0.00", "genome 250.00 20.00"]);
        assert_eq!(shares(&home, "2025-02"), ["course 40.00 0.00", "genome 20.00 60.00"]);
        assert!(!home.ok("generate --period 2025-02").contains(" v2"), "nothing changed");
        home.gl("2025-02");
        home.ok("verify --deep");
    }
}

#[test]
fn a_credit_pays_what_subsidies_leave_and_ends_when_it_is_said() {
    let home = Home::with("");
    deliver(&home, "2025-01", &[("genome", "200")]);
    home.ok("subsidies add College --payer SCI-1 --percent 40 --from 2025-01 --yes");
    home.ok("credits add Later --kind prepayment --amount 50 --payer PRE-1 --pi pi@example.edu --from 2025-01 --yes");
    home.ok("credits add First --amount 100 --payer CR-1 --project genome --from 2025-01 --to 2025-03 --yes");
    let statements = home.bill_january();
    assert_eq!(shares(&home, "2025-01"), ["genome 200.00 0.00"]);
    assert_snapshot!(notes(&home, "2025-01"), @r#"
    genome: College (SCI-1) pays $80.00 of these charges.
    genome: First (CR-1) pays $100.00 of these charges.
    genome: Later (PRE-1) pays $20.00 of these charges.
    genome: Credit "First" is used up.
    genome: Credit "Later": $30.00 left.
    "#);
    let why = home.ok(&format!("why {}", text(&statements[0], "number")));
    assert!(why.contains("First (CR-1) pays $100.00 of these charges."), "{why}");
    let journal = home.gl("2025-01");
    for (fund, paid) in [("SCI-1", "80"), ("CR-1", "100"), ("PRE-1", "20")] {
        assert_eq!(journal.sum_where("debit", "fund_org", fund), exact(paid), "{fund}");
    }
    home.ok("credits end 1 --last 2025-01 --note 'paid back' --yes");
    bill(&home, "2025-02", &[("genome", "100")]);
    assert_eq!(shares(&home, "2025-02"), ["genome 40.00 60.00"]);
    let said = home.run("generate --period 2025-01");
    assert!(said.stderr.contains("credit 2 \"First\": used up"), "{}", said.stderr);
    assert_eq!(amount(&statements[0], "subsidy"), exact("200"));
    home.ok("verify");
}

#[test]
fn everything_that_is_wrong_is_said_at_once() {
    let home = Home::with("");
    home.ok(
        "credits add Good --payer DEP-1 --amount 50 --pi pi@example.edu --from 2025-01 --to 2025-06 --yes",
    );
    let acts = entries(&home.json("audit list")).len();
    let said: Vec<String> = [
        "credits add Bad --payer nodash --amount 0 --pi pi@example.edu --from 2025-05 --to 2025-01 --yes",
        "credits move 9 --to-project course --amount 5 --note more --yes",
        "credits move 1 --to-project course --amount 50.5 --note more --yes",
        "credits end 9 --last 2025-01 --yes",
        "credits end 1 --last 2025-07 --yes",
        "credits show 2031-01",
    ]
    .iter()
    .map(|line| home.refused(line))
    .collect();
    assert_snapshot!(said.join("\n"), @r"
    an amount of 0 is none to grant
    it ends with 2025-01, before it begins with 2025-05
    its payer `nodash` does not match journal.fund_org_regex
    error: the credit `Bad` cannot be written

    error: credit 9 is not known
    hint: `credits list --all` shows those that are

    $50.00 was granted, $0.00 used by months that are closed, $0.00 moved on
    error: credit 1 has $50.00 left: $50.50 cannot be moved

    error: credit 9 is not known
    hint: `credits list --all` shows those that are

    error: credit 1 is from 2025-01 to 2025-06: it cannot end with 2025-07
    hint: a credit cannot be made longer; grant a new one

    error: period 2031-01 was never opened
    hint: known periods: 2025-01
    ");
    assert_eq!(entries(&home.json("audit list")).len(), acts, "something was recorded");
}
