//! Splits: one project's charges over several funds, from when to when, and the parts come to the whole.
#![expect(clippy::unwrap_used, reason = "a story that cannot be told is a failed test")]

mod support;

use insta::assert_snapshot;
use support::{Home, due, engines, entries, exact, project, row, row_of, text};

/// A charge of genome on a day of January.
fn on(day: u32, resource: &str, cost: &str) -> String {
    let row = row_of("2025-01", resource, "Compute", cost, cost, &project("genome"));
    row.replacen("2025-01-01,2025-01-01,", &format!("2025-01-{day:02},2025-01-{day:02},"), 1)
}

/// `fund due charges` of the lines of a statement.
fn lines(home: &Home, number: &str) -> Vec<String> {
    let lines = home.statement_lines(number);
    lines
        .iter()
        .map(|line| format!("{} {} {}", text(line, "fund_org"), line["due"], line["charges"]))
        .collect()
}

#[test]
fn a_project_is_split_over_funds_to_the_cent() {
    for engine in engines() {
        let home = Home::bare_on(engine);
        home.write("config.yaml", support::CONFIG);
        home.focus("aws.csv", &[on(1, "vm-1", "0.05"), on(2, "vm-2", "100")]);
        home.ok("ingest aws.csv");
        let split = "splits add --project genome A-1:33.3333% B-2:33.3333% C-3:33.3334% --from 2025-01-01 --note agreed";
        let shown = home.ok(&format!("{split} --dry-run"));
        assert_eq!(home.json("splits list"), serde_json::json!([]), "a dry run wrote something");
        home.ok(&format!("{split} --yes"));
        let listed = home.ok("splits list");
        insta::allow_duplicates! {
            assert_snapshot!(shown, @r"
            period   statements  subsidy   then  amount due     then
            ───────  ──────────  ───────  ─────  ──────────  ───────
            2025-01           1    $0.00  $0.00     $100.05  $100.05
            ");
            assert_snapshot!(listed, @r"
            rule  for             over                                      when             note
            ────  ──────────────  ────────────────────────────────────────  ───────────────  ──────
               1  project genome  A-1 33.3333%, B-2 33.3333%, C-3 33.3334%  from 2025-01-01  agreed
            ");
        }
        let statements = home.bill_january();
        assert_eq!(lines(&home, text(&statements[0], "number")), ["A-1 3335 2", "B-2 3335 0", "C-3 3335 0"]);
        let journal = home.gl("2025-01");
        assert_eq!(journal.sum("debit"), exact("100.05"));
        assert_eq!(journal.sum("credit"), exact("100.05"));
        home.ok("verify --deep");
    }
}

#[test]
fn the_split_in_force_on_the_day_of_the_charge_counts() {
    let home = Home::with("");
    home.focus(
        "aws.csv",
        &[on(9, "vm-1", "10"), on(10, "vm-2", "20"), on(20, "vm-3", "40"), on(31, "vm-4", "80")],
    );
    home.ok("ingest aws.csv");
    home.ok(
        "splits add --project genome A-1:50% B-2:50% --from 2025-01-10 --to 2025-01-19 --note agreed --yes",
    );
    home.ok("splits add --project genome A-1:25% C-3:75% --from 2025-01-20 --note agreed --yes");
    home.ok("splits end 2 --on 2025-01-30 --note spent --yes");
    let statements = home.bill_january();
    // 10 and 80 on the project's own fund; 20 by halves; 40 by quarters.
    assert_eq!(
        lines(&home, text(&statements[0], "number")),
        ["A-1 2000 2", "B-2 1000 0", "C-3 3000 0", "PHYS-1001 9000 2"]
    );
    // What comes later is for later: the closed month stays.
    home.ok("splits add --project genome D-4:50% E-5:50% --from 2025-01-31 --note agreed --yes");
    assert_eq!(home.generate("2025-01")[0]["version"], 1);
    home.ok("verify");
}

#[test]
fn a_grant_pays_first_and_a_subsidy_looks_at_what_the_funds_owe() {
    let home = Home::with("");
    home.focus("aws.csv", &[on(1, "vm-1", "300"), on(2, "vm-2", "500")]);
    home.ok("ingest aws.csv");
    home.ok(
        "splits add --pi pi@example.edu NSF-9:500 MATH-1:100% --from 2025-01-01 --note 'grant first' --yes",
    );
    home.ok("subsidies add College --payer SCI-1 --percent 10 --from 2025-01 --yes");
    home.bill_january();
    let journal = home.gl("2025-01");
    let debit = |fund: &str| journal.sum_where("debit", "fund_org", fund);
    assert_eq!([debit("NSF-9"), debit("MATH-1"), debit("SCI-1")], ["450", "270", "80"].map(exact));
    home.ok("verify");
}

#[test]
fn everything_that_is_wrong_is_said_at_once() {
    let home = Home::with("");
    home.ok("splits add --project genome A-1:50% B-2:50% --from 2025-01-01 --note agreed --yes");
    let acts = entries(&home.json("audit list")).len();
    let said: Vec<String> = [
        "splits add --project Genome A-1:50% A-1:20% nodash:5 --from 2025-05-01 --to 2025-01-01 --note x --yes",
        "splits add --project genome A-1:50% B-2:50% --from 2025-05-01 --note x --yes",
        "splits end 7 --on 2025-05-01 --note x --yes",
        "splits end 1 --on 2024-05-01 --note x --yes",
    ]
    .iter()
    .map(|line| home.refused(line))
    .collect();
    assert_snapshot!(said.join("\n"), @r"
    `A-1` is named twice
    amounts come before percentages: `nodash` comes after one
    the percentages come to 70, not to 100
    it ends on 2025-01-01, before it begins on 2025-05-01
    `nodash` does not match journal.fund_org_regex
    split 1 is for the same charges from 2025-01-01; end it first
    error: the split cannot be written

    split 1 is for the same charges from 2025-01-01; end it first
    error: the split cannot be written

    error: split 7 is not known
    hint: `splits list --all` shows those that are

    error: split 1 is from 2025-01-01: it cannot end with 2024-05-01
    hint: a rule cannot be made longer; write a new one
    ");
    assert_eq!(entries(&home.json("audit list")).len(), acts, "something was recorded");
}

#[test]
fn a_single_charge_is_split_in_whatever_delivery_it_comes() {
    let home = Home::with("");
    let rows = |cost: &str| {
        [
            row("vm-1", "Compute", cost, cost, &project("genome")),
            row("vm-2", "Compute", "50", "50", &project("genome")),
        ]
    };
    home.focus("aws_2025-01.csv", &rows("100"));
    home.ok("ingest aws_2025-01.csv");
    assert_snapshot!(home.refused("splits add --charge 1:9 A-1:50% B-2:50% --note bought --yes"), @r"
    error: charge 1:9 does not exist, or counts no more
    hint: `charges list` shows those that do
    ");
    home.ok("splits add --charge 1:1 A-1:30 B-2:100% --note 'bought together' --yes");
    assert_snapshot!(home.refused("splits add --charge 1:1 A-1:50% B-2:50% --note again --yes"), @r"
    split 1 is for the same charges from 2025-01-01; end it first
    error: the split cannot be written
    ");
    assert_snapshot!(home.ok("splits list"), @r"
    rule  for         over                       when             note
    ────  ──────────  ─────────────────────────  ───────────────  ───────────────
       1  charge 1:1  A-1 up to 30.00, B-2 100%  from 2025-01-01  bought together
    ");
    // It has grown, and is still the same charge.
    home.focus("aws_2025-01.csv", &rows("120"));
    home.ok("ingest aws_2025-01.csv --replace 1");
    let statements = home.bill_january();
    assert_eq!(due(&statements), exact("170"));
    assert_eq!(
        lines(&home, text(&statements[0], "number")),
        ["A-1 3000 1", "B-2 9000 0", "PHYS-1001 5000 1"]
    );
    home.ok("verify --deep");
}
