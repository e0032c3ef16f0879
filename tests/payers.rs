//! Who paid what of list prices, over months: it comes to the statements, and to the journals.
#![expect(clippy::unwrap_used, reason = "a story that cannot be told is a failed test")]

mod support;

use insta::assert_snapshot;
use support::{CONFIG, Home, Table, amount, engines, entries, exact, project, row_of};

fn deliver(home: &Home, period: &str, source: &str, rows: &[(&str, &str, &str, &str)]) {
    let rows: Vec<String> = rows
        .iter()
        .map(|(resource, name, list, cost)| row_of(period, resource, "Compute", list, cost, &project(name)))
        .collect();
    let name = format!("{source}_{period}.csv");
    home.focus(&name, &rows);
    home.ok(&format!("ingest {name}"));
}

fn bill(home: &Home, period: &str) {
    home.close(period);
    home.generate(period);
}

fn payers(home: &Home, arguments: &str) -> Table {
    Table::read(&home.ok(&format!("payers {arguments} --format csv")))
}

#[test]
fn discounts_subsidies_and_funds_come_to_statements_and_journals() {
    for engine in engines() {
        let home = Home::bare_on(engine);
        home.write("config.yaml", CONFIG);
        home.ok(
            "subsidies add College --payer SCI-1 --percent 40 --order 1 --source AWS --from 2025-05 --yes",
        );
        home.ok("subsidies add Provost --payer PROV-1 --tier 100:100 --order 2 --every fiscal-year --from 2025-05 --yes");
        home.ok("splits add --project course A-1:60% B-2:40% --from 2025-01-01 --note agreed --yes");
        for period in ["2025-05", "2025-06", "2025-07"] {
            home.open(period);
            deliver(
                &home,
                period,
                "aws",
                &[("vm-1", "genome", "120", "100"), ("vm-2", "course", "33.333", "33.333")],
            );
            deliver(&home, period, "hpc", &[("job-1", "genome", "80", "80.005")]);
        }
        bill(&home, "2025-05");
        bill(&home, "2025-06");
        let by_payer = home.ok("payers --fiscal-year 2025");
        let by_month = home.ok("payers --by fiscal_year,period,source --drafts");
        insta::allow_duplicates! {
            assert_snapshot!(by_payer, @r"
            payer      subsidy_name  list price  discount  subsidy     due
            ─────────  ────────────  ──────────  ────────  ───────  ──────
            –          –                  40.00     40.00     0.00    0.00
            PHYS-1001  –                 180.00      0.00     0.00  180.00
            PROV-1     Provost           140.00      0.00   140.00    0.00
            SCI-1      College           106.66      0.00   106.66    0.00
            ─────────  ────────────  ──────────  ────────  ───────  ──────
            total                        466.66     40.00   246.66  180.00
            ");
            assert_snapshot!(by_month, @r"
            fiscal_year  period   source  list price  discount  subsidy     due
            ───────────  ───────  ──────  ──────────  ────────  ───────  ──────
            2025         2025-05  AWS         153.33     20.00   133.33    0.00
            2025         2025-05  HPC          80.00      0.00    40.00   40.00
            2025         2025-06  AWS         153.33     20.00    73.33   60.00
            2025         2025-06  HPC          80.00      0.00     0.00   80.00
            2026         2025-07  AWS         153.33     20.00   133.33    0.00
            2026         2025-07  HPC          80.00      0.00    40.00   40.00
            ───────────  ───────  ──────  ──────────  ────────  ───────  ──────
            total                             699.99     60.00   419.99  220.00
            ");
        }
        let mut whole = payers(&home, "--fiscal-year 2025");
        for (share, of) in [
            ("list_price", "list_cost"),
            ("discount", "discount"),
            ("subsidy", "subsidy"),
            ("due", "amount_due"),
        ] {
            let statements = entries(&home.json("statements list"));
            let said: money::Amount = statements.iter().map(|statement| amount(statement, of)).sum();
            assert_eq!(whole.sum(share), said, "{share}");
        }
        let journals = [home.gl("2025-05"), home.gl("2025-06")];
        for payer in ["SCI-1", "PROV-1", "A-1", "B-2", "PHYS-1001"] {
            let posted: money::Amount = journals
                .iter()
                .map(|journal| {
                    journal.sum_where("debit", "fund_org", payer)
                        - journal.sum_where("credit", "fund_org", payer)
                })
                .sum();
            let paid = whole.sum_where("subsidy", "payer", payer) + whole.sum_where("due", "payer", payer);
            assert_eq!(paid, posted, "{payer}");
        }
        // Whatever it is summed by, it comes to the same.
        for by in
            ["pi_email", "project_id,payer", "service_name,account_code,fund_org", "source,subsidy_name"]
        {
            let other = payers(&home, &format!("--fiscal-year 2025 --by {by}"));
            assert_eq!(other.sum("list_price"), whole.sum("list_price"), "{by}");
            whole = payers(&home, "--period 2025-05,2025-06");
        }
        // What would be billed is what is billed.
        let drafts = payers(&home, "--period 2025-07 --drafts");
        assert_eq!(payers(&home, "--period 2025-07").rows.len(), 0);
        bill(&home, "2025-07");
        assert_eq!(payers(&home, "--period 2025-07").rows, drafts.rows);
        assert_eq!(payers(&home, "--fiscal-year 2026").rows, drafts.rows);
        assert_ne!(drafts.sum("list_price"), exact("0"));
    }
}

#[test]
fn what_is_not_there_is_said() {
    let home = Home::with("");
    let nothing = home.run("payers --period 2025-01");
    let said = [
        nothing.stderr,
        nothing.stdout,
        home.refused("payers --period 2031-01"),
        home.run("payers --by colour").stderr,
    ];
    assert_snapshot!(said.join("\n"), @r"
    no statements yet, not counted: 2025-01 (`--drafts` counts them)

    nothing was billed

    error: period 2031-01 was never opened
    hint: known periods: 2025-01

    error: invalid value 'colour' for '--by <KEY>': `colour` is not one of payer, subsidy_name, period, fiscal_year, source, service_name, pi_email, project_id, fund_org, account_code

    For more information, try '--help'.
    ");
}
