//! The rate book: a source delivers what was used, and the office's own prices say what that costs.
#![expect(clippy::unwrap_used, reason = "a story that cannot be told is a failed test")]

mod support;

use insta::assert_snapshot;
use support::{CONFIG, Home, amount, due, entries, exact, project, text};

const USAGE: &str = "BillingPeriodStart,BillingPeriodEnd,ChargePeriodStart,ChargePeriodEnd,ServiceName,SkuId,\
                     ResourceId,ConsumedQuantity,ConsumedUnit,Tags\n";

/// `from to service sku resource quantity unit project`.
fn used(row: &str, class: &str) -> String {
    let cells: Vec<&str> = row.split_whitespace().collect();
    let [from, to, service, sku, resource, quantity, unit, name] = cells.as_slice() else { panic!("{row}") };
    let month = from.rsplit_once('-').unwrap().0;
    let (year, number) = month.split_once('-').unwrap();
    let next = format!("{year}-{:02}-01", number.parse::<u8>().unwrap() + 1);
    let tags =
        project(name).replace('}', &format!(r#", "customer_class": "{class}"}}"#)).replace('"', "\"\"");
    let sku = sku.trim_start_matches('-');
    format!("{month}-01,{next},{from},{to},{service},{sku},{resource},{quantity},{unit},\"{tags}\"\n")
}

fn deliver(home: &Home, period: &str, rows: &[&str]) {
    let rows: String = rows.iter().map(|row| used(row, "")).collect();
    home.write(&format!("hpc_{period}.csv"), format!("{USAGE}{rows}"));
    home.ok(&format!("ingest hpc_{period}.csv"));
}

/// An installation whose HPC source is priced by rates.
fn office() -> Home {
    let home = Home::bare();
    home.write(
        "config.yaml",
        CONFIG.replace("pattern: hpc,", "pattern: hpc, delivery: snapshot, priced_by: rates,"),
    );
    home.open("2025-01");
    home
}

/// What a statement says of prices.
fn rates_of(home: &Home, statement: &serde_json::Value) -> Vec<String> {
    let shown = home.ok(&format!("statements show {}", text(statement, "number")));
    shown.lines().filter(|line| line.starts_with("rate ")).map(str::to_owned).collect()
}

const CPU: &str = "rates add cpu --service Compute --unit core-hour --price 0.012 --list-price 0.03 --from 2025-01-01 --yes";

#[test]
fn usage_is_priced_and_billed_and_proven() {
    let home = office();
    home.ok(CPU);
    home.ok(
        "rates add disk --service Storage --unit TB-month --price 31 --prorate day --from 2025-01-01 --yes",
    );
    deliver(
        &home,
        "2025-01",
        &[
            "2025-01-01 2025-02-01 Compute - job-1 36000 core-seconds genome",
            "2025-01-10 2025-01-12 Compute - job-2 12390 CPU-Hours genome",
            "2025-01-01 2025-01-11 Storage - vol-1 500 GB course",
            "2025-01-01 2025-02-01 Compute gpu job-3 2 GPU-Hours course",
        ],
    );
    let charges = home.charges("--period 2025-01");
    let of = |resource: &str| charges.iter().find(|charge| text(charge, "resource_id") == resource).unwrap();
    assert_eq!(amount(of("job-1"), "billed_cost"), exact("0.12"));
    assert_eq!(amount(of("job-2"), "billed_cost"), exact("148.68"));
    assert_eq!(amount(of("vol-1"), "billed_cost"), exact("5"), "half a TB for ten of 31 days");
    assert_snapshot!(home.ok("review list"), @r"
    charge    PI              project  service  resource  cost  why
    ────────  ──────────────  ───────  ───────  ────────  ────  ─────────────────────────────────────────────────────────────────────────────────────────────────
    1:4       pi@example.edu  course   Compute  job-3     0.00  no_rate (the rate book has no rate in 2025-01 for service `Compute`, SKU `gpu`, unit `GPU-Hours`)
    ────────  ──────────────  ───────  ───────  ────────  ────  ─────────────────────────────────────────────────────────────────────────────────────────────────
    1 charge                                              0.00
    ");
    let told = home.ok("why 1:2");
    let (told, day) = told.rsplit_once(" on ").unwrap();
    assert!(day.trim_end().parse::<jiff::civil::Date>().is_ok(), "when the rate was written: {day}");
    assert_snapshot!(told, @r#"
    charge 1:2 of HPC in 2025-01: 148.68, billable

    as delivered: hpc_2025-01.csv, line 3 (sha256 6577f43c83112298e29a84f64a373a6d9767f86dc84aab63d4b16c1fc43e5570)
      BillingPeriodStart         2025-01-01
      BillingPeriodEnd           2025-02-01
      ChargePeriodStart          2025-01-10
      ChargePeriodEnd            2025-01-12
      ServiceName                Compute
      ResourceId                 job-2
      ConsumedQuantity           12390
      ConsumedUnit               CPU-Hours
      Tags                       {"pi_email": "pi@example.edu", "project_id": "genome", "fund_org": "PHYS-1001", "customer_class": ""}

    what was made of it:
      pi_email                   pi@example.edu
      project_id                 genome
      fund_org                   PHYS-1001
      priced                     12390 core-hour at 0.012
      by rate 1 (cpu (Compute, core-hour)), version 1, written by casey
    "#);
    home.decide("reject", "--period 2025-01 --flag no_rate");
    let statements = home.bill_january();
    assert_eq!(due(&statements), exact("153.80"));
    let genome = statements.iter().find(|statement| text(statement, "project_id") == "genome").unwrap();
    assert_eq!(rates_of(&home, genome), ["rate cpu v1: 12400 core-hour at 0.012 = 148.80"]);
    home.ok("verify --deep");
    assert_snapshot!(
        home.refused("rates end 1 --on 2025-01-15 --yes"),
        @r"
    rate 1 is in force in 2025-01, which is closed: it can end on 2025-01-31 or later
    error: the rate book cannot be changed so
    "
    );
}

#[test]
fn what_has_no_rate_is_held_until_one_is_written() {
    let home = office();
    deliver(&home, "2025-01", &["2025-01-01 2025-02-01 Compute - job-1 1000 core-hours genome"]);
    assert_eq!(home.flags_of_only_charge(), ["no_rate"]);
    assert_snapshot!(home.refused("review approve --period 2025-01 --yes"), @r"
    1 charge left alone: `no_rate` (the rate book has no price for it) is cleared only by a rate for it (`rates add`) or by rejecting
    error: nothing to approve: no charge is left to decide
    ");
    assert_snapshot!(home.ok(&CPU.replace("--yes", "--dry-run")), @r"
    would read again import 1: 1 charge with another owner or price; held 1 before, 0 after
    PI              project  charges  then  billed cost   then
    ──────────────  ───────  ───────  ────  ───────────  ─────
    pi@example.edu  genome         1     1         0.00  12.00
    ");
    assert_eq!(home.json("rates list"), serde_json::json!([]), "a dry run wrote something");
    assert_snapshot!(home.ok(CPU), @"the rate book has changed (act 4)");
    assert_eq!(home.flags_of_only_charge(), [""; 0]);
    assert_eq!(due(&home.bill_january()), exact("12"));
    home.ok("verify --deep");
}

#[test]
fn free_units_tiers_and_minima_follow_from_the_month_however_it_is_delivered() {
    let rows = [
        "2025-01-01 2025-01-02 Compute - job-1 600 core-hours genome",
        "2025-01-02 2025-01-03 Compute - job-2 900 core-hours genome",
        "2025-01-03 2025-01-04 Compute - job-3 40 core-hours course",
    ];
    let told = |deliveries: &[&[&str]]| {
        let home = office();
        home.ok(
            "rates add cpu --unit core-hour --price 0.10 --free 100 --above 1000:0.05 --minimum 2 --from 2025-01-01 --yes",
        );
        for rows in deliveries {
            deliver(&home, "2025-01", rows);
        }
        let statements = home.bill_january();
        home.ok("verify --deep");
        let journal = home.gl("2025-01");
        assert_eq!(journal.sum("debit"), journal.sum("credit"));
        assert_eq!(journal.sum("debit"), exact("117"));
        (home, statements)
    };
    let (home, statements) = told(&[&rows]);
    // genome: 1000 × 0.10 + 500 × 0.05 − 100 × 0.10; course: all free, but not below the minimum.
    let shares: Vec<String> = statements
        .iter()
        .map(|statement| {
            let of = |field| text(statement, field);
            format!("{} {} {} {}", of("project_id"), of("list_cost"), of("discount"), of("amount_due"))
        })
        .collect();
    assert_eq!(shares, ["course 6.00 4.00 2.00", "genome 150.00 35.00 115.00"]);
    let genome = &statements[1];
    assert_eq!(
        rates_of(&home, genome),
        ["rate cpu v1: 1500 core-hour at 0.1 = 150.00, free units -10.00, higher tiers -25.00"]
    );
    let page = support::pdf_text(&home.document(genome));
    assert!(
        page.contains("1,500 core-hour") && page.contains("free units −$10.00, higher tiers −$25.00"),
        "{page}"
    );
    let (_, again) = told(&[&rows[..1], &rows[..2], &rows]);
    for (one, other) in statements.iter().zip(&again) {
        assert_eq!(one["amount_due"], other["amount_due"]);
    }
}

#[test]
fn next_years_rates_are_checked_compared_and_tried_before_they_are_written() {
    let home = office();
    home.ok(CPU);
    deliver(
        &home,
        "2025-01",
        &[
            "2025-01-01 2025-02-01 Compute - job-1 1000 core-hours genome",
            "2025-01-01 2025-02-01 Compute - job-2 500 core-hours course",
        ],
    );
    home.write(
        "bad.csv",
        "code,service,unit,price,above,from,to\ncpu,Compute,core-hour,-1,100:0.01 50:0.02,2025-07-01,2025-06-01\n\
         gpu,Compute,GPU-hour,1.5,,2025-07-01,\nGPU,Compute,core-hour,1.5,,2025-08-01,\n",
    );
    assert_snapshot!(home.refused("rates check bad.csv --replacing"), @r"
    cpu (Compute, core-hour): price -1 is below nothing
    cpu (Compute, core-hour): tiers rise: 50 does not come after the one before it
    cpu (Compute, core-hour): it ends on 2025-06-01, before it begins on 2025-07-01
    GPU (Compute, core-hour): another new one has the same code on the same days; end it first, or let the new one replace it
    error: the rate book cannot be changed so
    ");
    home.write("worse.csv", "code,unit,price,frm\ncpu,core-hour,1,2025-01-01\n");
    assert_snapshot!(home.refused("rates check worse.csv"), @r"
    line 1: `frm` is no column of the rate book
    line 1: there is no column `from`
    error: cannot read rates from `worse.csv`: its header is not that of a rate book
    hint: columns are code, source, service, sku, class, unit, price, list_price, above, free, minimum, prorate, account_code, from, to, note
    ");
    home.write("cells.csv", "code,unit,price,from,prorate\n,0 core,1.x,soon,week\n");
    assert_snapshot!(home.refused("rates check cells.csv"), @r"
    line 2: code is missing
    line 2: unit: `0 core` is no unit; units are things, also over time: GB, TiB-month, core-hour, 1000 requests
    line 2: price: `1.x` is not a number; write 1234.50
    line 2: from: `soon` is not a date; write 2025-01-31
    line 2: prorate: `week` is not `day` or `hour`
    error: cannot read rates from `cells.csv`: not every cell can be read
    ");
    home.write(
        "next.csv",
        "code,service,unit,price,above,free,from\ncpu,Compute,core-hour,0.015,,100,2025-07-01\n\
         gpu,Compute,GPU-hour,1.5,1000:1.2,,2025-07-01\n",
    );
    assert_snapshot!(home.refused("rates import next.csv --yes"), @r"
    cpu (Compute, core-hour): rate 1 has the same code on the same days; end it first, or let the new one replace it
    error: the rate book cannot be changed so
    ");
    assert_snapshot!(home.ok("rates diff next.csv --from 2025-06-30"), @r"
    from 2025-06-30 to 2025-07-01:
    code  unit                   price   then  by month and project  then
    ────  ─────────  ─────────────────  ─────  ────────────────────  ─────────────────
    cpu   core-hour  0.012 (list 0.03)  0.015                        100 free
    gpu   GPU-hour                   -    1.5  -                     above 1000 at 1.2
    ");
    assert_snapshot!(home.ok("rates try next.csv --from 2025-01"), @r"
    PI              fund_org   charges  billed  would be  difference
    ──────────────  ─────────  ───────  ──────  ────────  ──────────
    pi@example.edu  PHYS-1001        2   18.00     19.50        1.50
    all                              2   18.00     19.50        1.50
    ");
    assert_snapshot!(home.ok("rates import next.csv --replacing --yes"), @"the rate book has changed (act 5)");
    assert_snapshot!(home.ok("rates list --all"), @r"
    rate  code  for              unit                   price  by month and project  when                      note
    ────  ────  ───────────────  ─────────  ─────────────────  ────────────────────  ────────────────────────  ────
       1  cpu   service Compute  core-hour  0.012 (list 0.03)                        2025-01-01 to 2025-06-30
       2  cpu   service Compute  core-hour              0.015  100 free              from 2025-07-01
       3  gpu   service Compute  GPU-hour                 1.5  above 1000 at 1.2     from 2025-07-01
    ");
    let exported = home.ok("rates export");
    home.write("again.csv", exported);
    assert!(home.ok("rates import again.csv --yes").is_empty(), "what was written out is nothing new");
}

#[test]
fn classes_of_customers_and_accounts_have_their_own_prices() {
    let home = office();
    home.ok("rates add cpu --unit core-hour --price 0.01 --from 2025-01-01 --yes");
    home.ok("rates add cpu-ext --unit core-hour --price 0.05 --class external --account-code 48000 --from 2025-01-01 --yes");
    home.ok("rates add cpu-feb --source AWS --unit core-hour --price 9 --from 2025-01-01 --yes");
    let rows = [
        used("2025-01-01 2025-02-01 Compute - job-1 1000 core-hours genome", "External"),
        used("2025-01-01 2025-02-01 Compute - job-2 1000 core-hours course", "internal"),
    ];
    home.write("hpc_2025-01.csv", format!("{USAGE}{}", rows.concat()));
    home.ok("ingest hpc_2025-01.csv");
    let statements = home.bill_january();
    let shares: Vec<(&str, &str)> =
        statements.iter().map(|one| (text(one, "project_id"), text(one, "amount_due"))).collect();
    assert_eq!(shares, [("course", "10.00"), ("genome", "50.00")]);
    let journal = home.gl("2025-01");
    let debited: Vec<(&str, &str)> = journal
        .column("account")
        .into_iter()
        .zip(journal.column("debit"))
        .filter(|(_, debit)| !debit.is_empty())
        .collect();
    assert_eq!(debited, [("48000", "50.00"), ("54200", "10.00")]);
    // The table may say the class, too.
    home.reopen("2025-01", "a class was missing");
    home.ok(
        "attribution add --key project_id --value course --customer-class external --from 2025-01-01 --yes",
    );
    home.ok("verify --deep");
    assert_eq!(entries(&home.json("rates list")).len(), 3);
}
