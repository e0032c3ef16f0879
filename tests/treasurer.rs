//! Scenarios that a treasurer can read: what was charged, under which rules, what the statement says and what the
//! journal posts. The sums of every month are checked beside.
#![expect(clippy::unwrap_used, reason = "a story that cannot be told is a failed test")]

mod support;

use std::fmt::Write as _;

use insta::assert_snapshot;
use money::Amount;
use support::{Home, Table, amount, due, entries, exact, posted, row_of, text};

struct Office(Home);

impl Office {
    /// With rules, each a command without `--yes`.
    fn with(rules: &[&str]) -> Office {
        let home = Home::with("");
        for rule in rules {
            home.ok(&format!("{rule} --yes"));
        }
        Office(home)
    }

    /// A month's file of AWS: day, resource, cost, and more tags of the project `looms` on GRANT-1.
    fn deliver(&self, period: &str, file: &str, charges: &[(u32, &str, &str, &str)]) {
        let row = |(day, resource, cost, more): &(u32, &str, &str, &str)| {
            let tags = format!(
                r#"{{"pi_email": "ada@example.edu", "project": "looms", "fund_org": "GRANT-1"{more}}}"#
            );
            let row = row_of(period, resource, "Compute", cost, cost, &tags);
            let first = format!("{period}-01,{period}-01,");
            row.replacen(&first, &format!("{period}-{day:02},{period}-{day:02},"), 1)
        };
        self.0.focus(file, &charges.iter().map(row).collect::<Vec<_>>());
        self.0.ok(&format!("ingest {file}"));
    }

    /// Close, issue, post; and what that comes to.
    fn month(&self, period: &str) -> String {
        self.0.close(period);
        let statements = self.0.generate(period);
        let journal = self.0.gl(period);
        ties_out(period, &statements, &journal);
        let mut told = format!("{period}\n");
        for statement in &statements {
            for line in self.0.statement_lines(text(statement, "number")) {
                let cents = |name: &str| posted(&line, name);
                write!(told, "  on {}: list {}", text(&line, "fund_org"), money(cents("list"))).unwrap();
                for leg in line.get("legs").map(entries).unwrap_or_default() {
                    write!(told, ", {} pays {}", text(&leg, "name"), money(posted(&leg, "amount"))).unwrap();
                    if let Some(user) = leg.get("user").and_then(serde_json::Value::as_str) {
                        write!(told, " for {user}").unwrap();
                    }
                }
                writeln!(told, ", due {}", money(cents("due"))).unwrap();
            }
            for note in support::texts(
                &self.0.json(&format!("statements show {}", text(statement, "number")))["notes"],
            ) {
                writeln!(told, "  \"{note}\"").unwrap();
            }
        }
        for side in ["debit", "credit"] {
            for (fund, cents) in journal.column("fund_org").iter().zip(journal.column(side)) {
                if !cents.is_empty() {
                    writeln!(told, "  {side:<6} {fund:<8} {cents:>10}").unwrap();
                }
            }
        }
        told
    }
}

/// Debits are credits; what those who pay are debited is due or subsidy; what the source gets is owed to it.
fn ties_out(period: &str, statements: &[serde_json::Value], journal: &Table) {
    assert_eq!(journal.sum("debit"), journal.sum("credit"), "{period}");
    let subsidy: Amount = statements.iter().map(|statement| amount(statement, "subsidy")).sum();
    let source =
        journal.sum_where("credit", "fund_org", "IT-AWS") - journal.sum_where("debit", "fund_org", "IT-AWS");
    assert_eq!(source, due(statements) + subsidy, "{period}");
}

fn money(amount: Amount) -> String {
    amount.round(2).decimal(2)
}

#[test]
fn the_provost_pays_first_and_the_department_shares_what_is_left_up_to_a_cap() {
    let office = Office::with(&[
        "subsidies add Provost --payer PROV-1 --tier 500:100 --every fiscal-year --order 1 --from 2025-05",
        "subsidies add Mathematics --payer MATH-2 --percent 50 --cap 150 --every fiscal-year --order 2 --from 2025-05",
    ]);
    let mut told = String::new();
    // The fiscal year ends with June: both begin anew in July.
    for (period, cost) in [("2025-05", "400"), ("2025-06", "600"), ("2025-07", "800")] {
        office.0.open(period);
        office.deliver(period, &format!("aws_{period}.csv"), &[(1, "vm-1", cost, "")]);
        told.push_str(&office.month(period));
    }
    assert_snapshot!(told, @r#"
    2025-05
      on GRANT-1: list 400.00, Provost pays 400.00, due 0.00
      "Provost (PROV-1) pays $400.00 of these charges."
      debit  PROV-1       400.00
      credit IT-AWS       400.00
    2025-06
      on GRANT-1: list 600.00, Provost pays 100.00, Mathematics pays 150.00, due 350.00
      "Provost (PROV-1) pays $100.00 of these charges."
      "Mathematics (MATH-2) pays $150.00 of these charges."
      debit  GRANT-1      350.00
      debit  MATH-2       150.00
      debit  PROV-1       100.00
      credit IT-AWS       600.00
    2025-07
      on GRANT-1: list 800.00, Provost pays 500.00, Mathematics pays 150.00, due 150.00
      "Provost (PROV-1) pays $500.00 of these charges."
      "Mathematics (MATH-2) pays $150.00 of these charges."
      debit  GRANT-1      150.00
      debit  MATH-2       150.00
      debit  PROV-1       500.00
      credit IT-AWS       800.00
    "#);
    office.0.ok("verify --deep");
}

#[test]
fn a_charge_on_two_funds_with_a_college_that_pays_and_what_a_late_refund_gives_back() {
    let office = Office::with(&[
        "splits add --project looms NSF-1:60% MATH-2:40% --from 2025-01-01 --note 'joint appointment'",
        "subsidies add 'College of Science' --payer SCI-1 --percent 40 --from 2025-01",
    ]);
    office.deliver("2025-01", "aws_2025-01.csv", &[(1, "vm-1", "1000", ""), (2, "vm-2", "0.05", "")]);
    let mut told = office.month("2025-01");
    office.0.finalize("2025-01");
    // The provider takes 100 off January when January is final: February gives it back, to those who paid.
    office.0.open("2025-02");
    office.deliver("2025-01", "aws_2025-01.csv", &[(1, "vm-1", "900", ""), (2, "vm-2", "0.05", "")]);
    office.0.decide("approve", "--period 2025-02 --flag correction");
    told.push_str(&office.month("2025-02"));
    assert_snapshot!(told, @r#"
    2025-01
      on MATH-2: list 400.02, College of Science pays 160.01, due 240.01
      on NSF-1: list 600.03, College of Science pays 240.01, due 360.02
      "College of Science (SCI-1) pays $400.02 of these charges."
      debit  MATH-2       240.01
      debit  NSF-1        360.02
      debit  SCI-1        400.02
      credit IT-AWS      1000.05
    2025-02
      on MATH-2: list -40.00, College of Science pays -16.00, due -24.00
      on NSF-1: list -60.00, College of Science pays -24.00, due -36.00
      "College of Science (SCI-1) gets back $40.00 that it had paid for you."
      debit  IT-AWS       100.00
      credit MATH-2        24.00
      credit NSF-1         36.00
      credit SCI-1         40.00
    "#);
    let line = &office.0.statement_lines("S-2025-02-0001")[0];
    assert_eq!(text(line, "service_name"), "Correction of 2025-01 (S-2025-01-0001): Compute");
    office.0.ok("verify --deep");
}

#[test]
fn a_class_with_fifty_for_each_on_two_funds_and_a_department_that_shares_the_rest() {
    let office = Office::with(&[
        "splits add --project looms NSF-1:60% MATH-2:40% --from 2025-01-01 --note 'taught together'",
        "subsidies add Teaching --payer EDU-1 --tier 50:100 --per user --every quarter --order 1 --from 2025-01",
        "subsidies add Department --payer DEP-7 --percent 50 --order 2 --from 2025-01",
    ]);
    let used_by = |user: &str| format!(r#", "user": "{user}""#);
    let (ada, bo, cy) = (used_by("ada"), used_by("bo"), used_by("cy"));
    // 130.00 of it is within the fifty of ada, bo and cy; the department pays half of 32.004.
    let january = [(1, "a", "70", &*ada), (2, "b", "30", &*bo), (3, "c", "50.004", &*cy), (4, "d", "12", "")];
    office.deliver("2025-01", "aws_2025-01.csv", &january);
    let mut told = office.month("2025-01");
    // Of the quarter, 20.00 are left for bo, and nothing for ada, who gives 25.00 back: 20.00 were not paid for.
    office.0.open("2025-02");
    office.deliver("2025-02", "aws_2025-02.csv", &[(1, "a", "-25", &*ada), (2, "b", "30", &*bo)]);
    told.push_str(&office.month("2025-02"));
    assert_snapshot!(told, @r#"
    2025-01
      on MATH-2: list 64.80, Teaching pays 28.00 for ada, Teaching pays 12.00 for bo, Teaching pays 20.00 for cy, Department pays 2.40, due 2.40
      on NSF-1: list 97.20, Teaching pays 22.00 for ada, Teaching pays 18.00 for bo, Teaching pays 30.00 for cy, Department pays 13.60, due 13.60
      "Teaching (EDU-1) pays $130.00 of these charges: $50.00 for ada, $30.00 for bo and $50.00 for cy."
      "Department (DEP-7) pays $16.00 of these charges."
      debit  DEP-7         16.00
      debit  EDU-1        130.00
      debit  MATH-2         2.40
      debit  NSF-1         13.60
      credit IT-AWS       162.00
    2025-02
      on MATH-2: list 12.00, Teaching pays 12.00 for bo, due 0.00
      on NSF-1: list 18.00, Teaching pays 8.00 for bo, Department pays 5.00, due 5.00
      on MATH-2: list -10.00, Teaching pays 0.00 for ada, Department pays -5.00, due -5.00
      on NSF-1: list -15.00, Teaching pays -5.00 for ada, Department pays -5.00, due -5.00
      "Teaching (EDU-1) pays $15.00 of these charges: −$5.00 for ada and $20.00 for bo."
      "Department (DEP-7) gets back $5.00 that it had paid for you."
      debit  EDU-1         15.00
      credit DEP-7          5.00
      credit MATH-2         5.00
      credit IT-AWS         5.00
    "#);
    assert_snapshot!(office.0.ok("subsidies show 2025-02"), @r"
    rule  name        PI               project  user  counted over        cost seen   paid  left
    ────  ──────────  ───────────────  ───────  ────  ──────────────────  ─────────  ─────  ────
       1  Teaching    –                –        ada   2025-01 to 2025-03      45.00  45.00  5.00
       1  Teaching    –                –        bo    2025-01 to 2025-03      60.00  50.00  0.00
       1  Teaching    –                –        cy    2025-01 to 2025-03     50.004  50.00  0.00
       2  Department  ada@example.edu  looms    –     2025-02                -10.00  -5.00     –
    ");
    office.0.ok("verify --deep");
}

#[test]
fn a_refund_in_the_next_month_goes_back_the_way_the_money_came() {
    let office = Office::with(&[
        "subsidies add Provost --payer PROV-1 --tier 500:100 --every fiscal-year --from 2025-01",
    ]);
    office.deliver("2025-01", "aws_2025-01.csv", &[(1, "vm-1", "620", "")]);
    let mut told = office.month("2025-01");
    office.0.open("2025-02");
    // Of 200 that come back, the first 120 are what the award paid beyond the Provost's 500.
    office.deliver("2025-02", "aws_2025-02.csv", &[(1, "vm-1", "-200", "")]);
    told.push_str(&office.month("2025-02"));
    assert_snapshot!(told, @r#"
    2025-01
      on GRANT-1: list 620.00, Provost pays 500.00, due 120.00
      "Provost (PROV-1) pays $500.00 of these charges."
      debit  GRANT-1      120.00
      debit  PROV-1       500.00
      credit IT-AWS       620.00
    2025-02
      on GRANT-1: list -200.00, Provost pays -80.00, due -120.00
      "Provost (PROV-1) gets back $80.00 that it had paid for you."
      debit  IT-AWS       200.00
      credit GRANT-1      120.00
      credit PROV-1        80.00
    "#);
    office.0.ok("verify --deep");
}

#[test]
fn an_award_that_ends_in_the_middle_of_a_month() {
    const ENDS: &str =
        r#", "end_date": "2025-01-15", "reconciliation_end": "2025-04-15", "fallback_fund_org": "DEPT-9""#;
    let office =
        Office::with(&["subsidies add 'College of Science' --payer SCI-1 --percent 10 --from 2025-01"]);
    office.deliver("2025-01", "aws_2025-01.csv", &[(15, "vm-1", "300", ENDS), (16, "vm-2", "100", ENDS)]);
    let mut told = office.month("2025-01");
    office.0.open("2025-02");
    office.deliver("2025-02", "aws_2025-02.csv", &[(3, "vm-2", "50", ENDS)]);
    told.push_str(&office.month("2025-02"));
    assert_snapshot!(told, @r#"
    2025-01
      on DEPT-9: list 100.00, College of Science pays 10.00, due 90.00
      on GRANT-1: list 300.00, College of Science pays 30.00, due 270.00
      "College of Science (SCI-1) pays $40.00 of these charges."
      "Charges for use after award GRANT-1 ended on January 15, 2025 are billed to DEPT-9, the fallback fund."
      debit  DEPT-9        90.00
      debit  GRANT-1      270.00
      debit  SCI-1         40.00
      credit IT-AWS       400.00
    2025-02
      on DEPT-9: list 50.00, College of Science pays 5.00, due 45.00
      "College of Science (SCI-1) pays $5.00 of these charges."
      "Charges for use after award GRANT-1 ended on January 15, 2025 are billed to DEPT-9, the fallback fund."
      debit  DEPT-9        45.00
      debit  SCI-1          5.00
      credit IT-AWS        50.00
    "#);
    assert_eq!(office.0.report("--by fund_org").sum_where("billed_cost", "fund_org", "DEPT-9"), exact("150"));
    office.0.ok("verify --deep");
}
