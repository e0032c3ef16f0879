//! A month at a glance: what is done, what comes next, and the money; and where it was kept.
#![expect(clippy::unwrap_used, reason = "a story that cannot be told is a failed test")]

mod support;

use insta::assert_snapshot;
use support::{CONFIG, Home, amount, engines, entries, project, row_of, text};

fn deliver(home: &Home, period: &str, source: &str, rows: &[(&str, &str, &str, &str)]) {
    let rows: Vec<String> = rows
        .iter()
        .map(|(resource, name, list, cost)| {
            let service = if resource.starts_with("vm") { "Compute" } else { "Storage" };
            row_of(period, resource, service, list, cost, &project(name))
        })
        .collect();
    let name = format!("{source}_{period}.csv");
    home.focus(&name, &rows);
    home.ok(&format!("ingest {name}"));
}

/// The letters of the steps, and what comes next.
fn steps(home: &Home, period: &str) -> String {
    let overview = home.json(&format!("overview --period {period}"));
    let letters: String = entries(&overview["checklist"])
        .iter()
        .map(|step| match text(step, "state") {
            "done" => 'd',
            "next" => 'N',
            "possible" => 'p',
            _ => '-',
        })
        .collect();
    format!("{letters} {}", overview["next"].as_str().unwrap_or("nothing"))
}

#[test]
fn a_month_tells_what_is_done_and_what_comes_next() {
    for engine in engines() {
        let home = Home::bare_on(engine);
        home.write("config.yaml", CONFIG);
        home.ok(
            "subsidies add College --payer SCI-1 --percent 40 --order 1 --source AWS --from 2025-05 --yes",
        );
        deliver(&home, "2025-05", "aws", &[("vm-1", "genome", "120", "100"), ("disk-1", "genome", "8", "8")]);
        deliver(&home, "2025-05", "hpc", &[("vm-7", "course", "80", "80.005")]);
        home.close("2025-05");
        home.generate("2025-05");
        deliver(&home, "2025-06", "aws", &[("vm-1", "genome", "240", "200"), ("vm-2", "", "5", "5")]);
        let june = home.ok("overview --period 2025-06");
        insta::allow_duplicates! {
            assert_snapshot!(june, @r"
            June 2025 is open

              → imported   2 charges; 1 source has not delivered yet
              · reviewed   1 charge is held for review
              · closed     open for deliveries
              · generated  a period is billed when it is closed
              · sent       no statement to send
              · exported   nothing to post
              · finalized  not finalized

            USD                amount
            ─────────────────  ──────
            list price         240.00
            discount            40.00
            subsidies           80.00
            credits              0.00
            ─────────────────  ──────
            to bill, as it is  120.00
            1 charge of 1 resource in 1 project
            held for review: 1 charge, 5.00

            not delivered yet: HPC (last for 2025-05)

            PI, against 2025-05   before     now  difference
            ───────────────────  ───────  ──────  ──────────
            pi@example.edu       188.005  200.00     +11.995

            service, against 2025-05   before     now  difference
            ────────────────────────  ───────  ──────  ──────────
            Compute                   180.005  200.00     +19.995
            Storage                      8.00    0.00       -8.00

            source, against 2025-05  before     now  difference
            ───────────────────────  ──────  ──────  ──────────
            AWS                      108.00  200.00      +92.00
            HPC                      80.005    0.00     -80.005

            service  charges  list price    cost
            ───────  ───────  ──────────  ──────
            Compute        1      240.00  200.00

            source  charges  list price    cost
            ──────  ───────  ──────────  ──────
            AWS           1      240.00  200.00

            value delivered: 240.00 at list price for 120.00
              SCI-1 paid 80.00 (College)

            month    list price  billed  by
            ───────  ──────────  ──────  ──────────
            2025-05      208.00  144.80  statements
            2025-06      240.00  120.00  drafts
            ");
        }
        assert_eq!(steps(&home, "2025-06"), "Np----- import");
        deliver(&home, "2025-06", "hpc", &[("vm-7", "course", "80", "80")]);
        assert_eq!(steps(&home, "2025-06"), "dN----- review");
        home.decide("reject", "--id 3:2");
        assert_eq!(steps(&home, "2025-06"), "ddN---- close");
        home.close("2025-06");
        assert_eq!(steps(&home, "2025-06"), "dddN--- generate");
        home.generate("2025-06");
        assert_eq!(steps(&home, "2025-06"), "ddddNp- send");
        home.ok("send --period 2025-06");
        assert_eq!(steps(&home, "2025-06"), "dddddN- export");
        home.ok("export-journal --period 2025-06");
        assert_eq!(steps(&home, "2025-06"), "ddddddN answer");
        home.settle("2025-06");
        assert_eq!(steps(&home, "2025-06"), "ddddddN finalize");
        home.finalize("2025-06");
        assert_eq!(steps(&home, "2025-06"), "ddddddd nothing");
        let overview = home.json("overview --period 2025-06");
        let money = &overview["money"];
        let across = amount(money, "list") - amount(money, "discount") - amount(money, "subsidy");
        assert_eq!(across - amount(money, "credits"), amount(money, "billed"));
        assert_eq!(
            amount(money, "billed"),
            support::due(&entries(&home.json("statements list --period 2025-06")))
        );
        home.ok("verify");
    }
}

#[test]
fn charges_are_found_paged_and_handed_out() {
    let home = Home::new();
    home.focus(
        "aws_2025-01.csv",
        &[
            support::row("vm-1", "Compute", "12", "10", &project("genome")),
            support::row("vm-2", "Compute", "7", "7", &project("Straße")),
            support::row("=cmd()", "Storage", "3", "2.5", &project("genome")),
            support::row("disk-9", "Storage", "1", "1", ""),
        ],
    );
    home.ok("ingest aws_2025-01.csv");
    let found = |filter: &str| {
        let listed = entries(&home.json(&format!("charges list {filter}")));
        let limited = filter.contains("--limit");
        let paged = if limited { filter.to_owned() } else { format!("{filter} --limit 1000") };
        let paged = entries(&home.json(&format!("charges list {paged}")));
        assert_eq!(listed, paged, "a page has what the list has: {filter}");
        let ids: Vec<&str> = listed.iter().map(|charge| text(charge, "id")).collect();
        ids.join(" ")
    };
    for (filter, expected) in [
        ("--find GENO", "1:1 1:3"),
        ("--find straße", "1:2"),
        ("--find aws", "1:1 1:2 1:3 1:4"),
        ("--find '%'", ""),
        ("--service Storage --state held", "1:4"),
        ("--fund-org PHYS-1001 --sort cost", "1:1 1:2 1:3"),
        ("--sort cost --reverse", "1:4 1:3 1:2 1:1"),
        ("--sort pi --limit 2 --offset 2", "1:3 1:4"),
        ("--sort id --reverse --limit 2", "1:4 1:3"),
        ("--from 2025-01-02", ""),
        ("--to 2025-01-01 --min-amount 5", "1:1 1:2"),
    ] {
        assert_eq!(found(filter), expected, "{filter}");
    }
    let page = home.run("charges list --find genome --limit 1 --sort cost");
    assert_snapshot!(format!("{}{}", page.stdout, page.stderr), @r"
    charge  PI              project  fund_org   service  resource  list cost  billed cost  state
    ──────  ──────────────  ───────  ─────────  ───────  ────────  ─────────  ───────────  ────────
    1:1     pi@example.edu  genome   PHYS-1001  Compute  vm-1          12.00        10.00  billable
    1 of 2 charges; list cost 15.00, billed cost 12.50 in all
    ");
    home.ok("charges export --find genome --output found.csv");
    assert_snapshot!(home.read("found.csv"), @r"
    charge_id,import,row,source,period,charge_period_start,charge_period_end,pi_email,project_id,fund_org,cost_center,account_code,reference_1,reference_2,end_date,reconciliation_end,fallback_fund_org,customer_class,usage_user,service_name,charge_category,charge_description,sku_id,resource_id,resource_name,consumed_quantity,consumed_unit,pricing_quantity,pricing_unit,list_cost,contracted_cost,billed_cost,effective_cost,cost,kind,state,billed_in,flags
    1:1,1,1,AWS,2025-01,2025-01-01T00:00:00Z,2025-01-02T00:00:00Z,pi@example.edu,genome,PHYS-1001,,,,,,,,,,Compute,,,,vm-1,vm-1,,,,,12,10,10,10,10,usage,billable,2025-01,
    1:3,1,3,AWS,2025-01,2025-01-01T00:00:00Z,2025-01-02T00:00:00Z,pi@example.edu,genome,PHYS-1001,,,,,,,,,,Storage,,,,'=cmd(),'=cmd(),,,,,3,2.5,2.5,2.5,2.5,usage,billable,2025-01,
    ");
    assert_eq!(home.ok("charges export --find genome"), home.read("found.csv"));
    let said = home.run("charges export --format parquet --output all.parquet");
    assert_eq!((said.code, said.stderr.as_str()), (0, "4 charges in `all.parquet`\n"));
    assert_snapshot!(home.refused("charges export --output nowhere/all.csv"), @"error: cannot write `nowhere/all.csv`: entity not found");
    assert!(home.run("charges export --format parquet").code == 2);
}

#[test]
fn projects_and_pis_are_told_over_time() {
    let home = Home::bare();
    home.write("config.yaml", CONFIG);
    home.ok("people add 'Pia Ito' pi@example.edu --also old@example.edu --yes");
    home.ok("subsidies add College --payer SCI-1 --tier 50:100 --order 1 --per project --every fiscal-year --from 2025-01 --yes");
    home.ok("splits add --project genome A-1:60% B-2:40% --from 2025-02-01 --note agreed --yes");
    deliver(&home, "2025-01", "aws", &[("vm-1", "genome", "120", "100"), ("disk-1", "course", "8", "8")]);
    home.close("2025-01");
    home.generate("2025-01");
    deliver(&home, "2025-02", "aws", &[("vm-1", "genome", "240", "200")]);
    assert_snapshot!(home.ok("projects list --period 2025-01"), @r"
    project  PI              fund_org   award ends  charges  list price    cost  held    due
    ───────  ──────────────  ─────────  ──────────  ───────  ──────────  ──────  ────  ─────
    genome   pi@example.edu  PHYS-1001  –                 1      120.00  100.00  0.00  50.00
    course   pi@example.edu  PHYS-1001  –                 1        8.00    8.00  0.00   0.00
    ───────  ──────────────  ─────────  ──────────  ───────  ──────────  ──────  ────  ─────
    total                                                 2      128.00  108.00  0.00  50.00
    ");
    assert_snapshot!(home.ok("projects list --fiscal-year 2025"), @r"
    project  PI              fund_org   award ends  charges  list price    cost  held    due
    ───────  ──────────────  ─────────  ──────────  ───────  ──────────  ──────  ────  ─────
    genome   pi@example.edu  PHYS-1001  –                 2      360.00  300.00  0.00  50.00
    course   pi@example.edu  PHYS-1001  –                 1        8.00    8.00  0.00   0.00
    ───────  ──────────────  ─────────  ──────────  ───────  ──────────  ──────  ────  ─────
    total                                                 3      368.00  308.00  0.00  50.00
    ");
    assert_snapshot!(home.ok("pis list --fiscal-year 2025"), @r"
    PI              projects  charges  list price    cost  held    due
    ──────────────  ────────  ───────  ──────────  ──────  ────  ─────
    pi@example.edu         2        3      368.00  308.00  0.00  50.00
    ──────────────  ────────  ───────  ──────────  ──────  ────  ─────
    total                  2        3      368.00  308.00  0.00  50.00
    ");
    assert_snapshot!(home.ok("projects show genome"), @r"
    PI: Pia Ito, pi@example.edu, old@example.edu
    funds: PHYS-1001

    project  PI              fund_org   award ends  charges  list price    cost  held    due
    ───────  ──────────────  ─────────  ──────────  ───────  ──────────  ──────  ────  ─────
    genome   pi@example.edu  PHYS-1001  –                 2      360.00  300.00  0.00  50.00
    ───────  ──────────────  ─────────  ──────────  ───────  ──────────  ──────  ────  ─────
    total                                                 2      360.00  300.00  0.00  50.00

    month    charges  list price    cost  held    due
    ───────  ───────  ──────────  ──────  ────  ─────
    2025-01        1      120.00  100.00  0.00  50.00
    2025-02        1      240.00  200.00  0.00   0.00

    statement          period   PI              project    list  discount  subsidy  amount due  state
    ─────────────────  ───────  ──────────────  ───────  ──────  ────────  ───────  ──────────  ──────
    S-2025-01-0002 v1  2025-01  pi@example.edu  genome   120.00     20.00    50.00       50.00  issued

    split 1 from 2025-02-01: A-1 60%, B-2 40%

    subsidy 1 (College) of genome: 50.00 paid, 0.00 left until 2025-06
    ");
    assert_eq!(home.json("pis show old@example.edu"), home.json("pis show P-1"));
    assert_snapshot!(home.ok("pis show old@example.edu"), @r"
    PI: Pia Ito, pi@example.edu, old@example.edu
    funds: PHYS-1001

    project  PI              fund_org   award ends  charges  list price    cost  held    due
    ───────  ──────────────  ─────────  ──────────  ───────  ──────────  ──────  ────  ─────
    course   pi@example.edu  PHYS-1001  –                 1        8.00    8.00  0.00   0.00
    genome   pi@example.edu  PHYS-1001  –                 2      360.00  300.00  0.00  50.00
    ───────  ──────────────  ─────────  ──────────  ───────  ──────────  ──────  ────  ─────
    total                                                 3      368.00  308.00  0.00  50.00

    month    charges  list price    cost  held    due
    ───────  ───────  ──────────  ──────  ────  ─────
    2025-01        2      128.00  108.00  0.00  50.00
    2025-02        1      240.00  200.00  0.00   0.00

    statement          period   PI              project    list  discount  subsidy  amount due  state
    ─────────────────  ───────  ──────────────  ───────  ──────  ────────  ───────  ──────────  ──────
    S-2025-01-0002 v1  2025-01  pi@example.edu  genome   120.00     20.00    50.00       50.00  issued
    S-2025-01-0001 v1  2025-01  pi@example.edu  course     8.00      0.00     8.00        0.00  issued

    split 1 from 2025-02-01: A-1 60%, B-2 40%

    subsidy 1 (College) of course: 8.00 paid, 42.00 left until 2025-06
    subsidy 1 (College) of genome: 50.00 paid, 0.00 left until 2025-06
    ");
    assert_snapshot!(home.refused("projects show genom"), @r"
    error: the project `genom` has no charges in the last twelve months, and no statement
    hint: `projects list --period YYYY-MM` shows those of a month
    ");
    assert_snapshot!(home.refused("projects list --fiscal-year 1999"), @r"
    error: no period of fiscal year 1999 was ever opened
    hint: known fiscal years: 2025
    ");
}
