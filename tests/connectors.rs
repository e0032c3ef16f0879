//! Usage that systems report in their own words: what a real Slurm said of its jobs is billed, explained and
//! proven like any FOCUS file.
#![expect(clippy::unwrap_used, reason = "a story that cannot be told is a failed test")]

mod support;

use insta::assert_snapshot;
use support::{Home, amount, entries, exact, text};

const SLURM: &str = r#"dev_mode: true
email: { from_address: billing@example.edu }
imports:
  known_sources:
    - name: HPC
      pattern: sacct
      fund_org: RCS-20020
      account_code: "54200"
      delivery: snapshot
      kind: slurm
      slurm:
        rating: tres
        tres: [cpu, gpu]
        states: { NODE_FAIL: free, PREEMPTED: 50% }
        partitions: { fragile: { free: condo nodes } }
"#;

fn fixture(name: &str) -> Vec<u8> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/fixtures/slurm");
    std::fs::read(format!("{folder}/{name}")).unwrap()
}

/// A cluster whose rates and owners are known: prices by the second, so that seconds of a test are cents.
fn cluster() -> Home {
    let home = Home::bare();
    home.write("config.yaml", SLURM);
    home.write("sacct.txt", fixture("24.11/sacct.txt"));
    home.write(
        "rates.csv",
        "code,source,sku,unit,price,list_price,from\n\
         cpu,HPC,cpu,core-second,0.01,0.02,2025-01-01\n\
         gpu,HPC,gpu*,GPU-second,0.5,,2025-01-01\n",
    );
    home.write(
        "owners.csv",
        "source,key,value,pi_email,project_id,fund_org\n\
         HPC,sub_account_id,genome,gene@example.edu,genome,BIO-1\n\
         HPC,sub_account_id,climate,cleo@example.edu,climate,GEO-1\n\
         HPC,sub_account_id,BigLab,bea@example.edu,big-lab,PHYS-1\n\
         HPC,sub_account_id,course,cora@example.edu,course,EDU-1\n",
    );
    home.ok("rates import rates.csv --yes");
    home.ok("attribution import owners.csv --yes");
    home.open("2025-01");
    home
}

#[test]
fn a_month_of_slurm_is_billed_from_what_sacct_said() {
    let home = cluster();
    assert_snapshot!(home.ok("connectors check HPC"), @"HPC (slurm): what it delivers can be billed");
    assert_snapshot!(home.ok("ingest sacct.txt --period 2025-01"), @r"
    import 1: 19 charges of HPC
      periods          2025-01
      rows             19 delivered, 19 charges, 0 quarantined
      list cost        240.18
      billed cost      176.33
      held for review  1 charge, 0.20

    flag                charges  billed cost  why
    ──────────────────  ───────  ───────────  ────────────────────────────────
    missing_pi_email          1         0.20  no PI is named in the tags
    missing_project_id        1         0.20  no project is named in the tags
    missing_fund_org          1         0.20  no fund_org is named in the tags
    ");
    // Nobody said whose the account `unknown` is: its usage waits, and is not lost.
    let held = home.charges("--period 2025-01 --state held");
    let held: Vec<&str> = held.iter().map(|charge| text(charge, "resource_id")).collect();
    assert_eq!(held, ["slurm:lab:unknown:cpu"]);
    // What policy waives costs nothing and shows its list price.
    let charges = home.charges("--period 2025-01");
    let of = |name: &str, is_billed: bool| {
        let found = charges.iter().find(|charge| {
            let is_it = text(charge, "resource_id") == format!("slurm:lab:{name}");
            is_it && (amount(charge, "billed_cost") != exact("0")) == is_billed
        });
        found.unwrap_or_else(|| panic!("no {name}, billed: {is_billed}"))
    };
    for waived in ["climate:fragile", "genome:scavenge"] {
        assert!(exact("0") < amount(of(waived, false), "list_cost"), "{waived}");
    }
    assert_eq!(
        amount(of("genome:scavenge", false), "list_cost"),
        exact("7.36"),
        "half of what was preempted, 16 cores for 46 s"
    );
    let story = home.ok(&format!("charges show {}", text(of("biglab:wide", true), "id")));
    let (_, records) = story.split_once("made of").unwrap();
    let (records, _) = records.split_once("\n\n").unwrap();
    // Two sizes of one job, and another job.
    assert!(records.starts_with(" 3 records:"), "{records}");
    assert!(records.lines().skip(1).all(|line| line.contains("sacct.txt:") && line.contains("|biglab|bob|")));

    assert!(home.ok("why sacct.txt:9").contains("hpc_2025-01_usage.csv"));
    home.ok("review reject --yes --id 1:19 --note nobody");
    home.ok("periods close 2025-01");
    home.ok("generate --period 2025-01");
    let statements = home.json("statements list");
    let climate = entries(&statements);
    let climate = climate.iter().find(|row| text(row, "project_id") == "climate").unwrap();
    let shown = home.ok(&format!("statements show {}", text(climate, "number")));
    let shown: Vec<&str> =
        shown.lines().filter(|line| line.starts_with("rate ") || line.starts_with("HPC ")).collect();
    assert_snapshot!(shown.join("\n"), @r"
    HPC      HPC     GEO-1     –              6  123.30     13.01  110.29
    rate cpu v1: 1129 core-second at 0.01 = 11.29
    rate gpu v1: 198 GPU-second at 0.5 = 99.00
    ");
    home.ok("export-journal --period 2025-01 --format gl");
    home.ok("verify --deep");
}

#[test]
fn whatever_way_slurm_is_asked_the_bill_is_the_same() {
    for version in ["22.05", "24.11"] {
        let home = cluster();
        let mut usage: Vec<(&str, String)> = Vec::new();
        for name in ["sacct.txt", "sacct-unit.txt", "sacct-iso.txt", "sacct.json", "rest.json"] {
            home.write(name, fixture(&format!("{version}/{name}")));
            home.ok(&format!("convert slurm {name} --period 2025-01 --output usage.csv"));
            usage.push((name, home.read("usage.csv")));
        }
        for (name, made) in &usage[1..] {
            assert_eq!(*made, usage[0].1, "{version}: {name} beside {}", usage[0].0);
        }
    }
}

/// Core-seconds by account, as Slurm's own hourly sums have them. These hold what waits and what is waived.
#[test]
fn what_slurm_summed_itself_is_what_is_charged() {
    for version in ["22.05", "24.11"] {
        let home = cluster();
        // Clipped by sacct itself, which knows when a job was suspended.
        home.write("sacct.txt", fixture(&format!("{version}/sacct-january.txt")));
        home.ok("convert slurm sacct.txt --period 2025-01 --output usage.csv");
        let sums = String::from_utf8(fixture(&format!("{version}/sreport.txt"))).unwrap();
        let (january, _) = sums.split_once("2025-02-01T00:00:00 -").unwrap();
        let mut compared = 0;
        for line in january.lines() {
            let cells: Vec<&str> = line.split('|').collect();
            // Idle nodes of a reservation are nobody's run.
            let [_, account, "", "", "cpu", seconds] = cells.as_slice() else { continue };
            if ["root", "course"].contains(account) {
                continue;
            }
            // The older version does not.
            let twice = if version == "22.05" { 0 } else { twice(&home.read("sacct.txt"), account) };
            let ours = core_seconds(&home.read("usage.csv"), account) + twice;
            assert_eq!(ours, seconds.parse::<u64>().unwrap(), "{version} {account}");
            compared += 1;
        }
        assert!(3 < compared, "{version}: only {compared} accounts");
    }
}

/// What Slurm sums twice: the run after a resize has the begin of the job, and the time before the resize is
/// the other record's.
fn twice(sacct: &str, account: &str) -> u64 {
    let mut csv = csv::ReaderBuilder::new().delimiter(b'|').from_reader(sacct.as_bytes());
    let names = csv.headers().unwrap().clone();
    let at = |name: &str| names.iter().position(|column| column == name).unwrap();
    let rows: Vec<csv::StringRecord> = csv.records().map(Result::unwrap).collect();
    let resized = rows.iter().filter(|row| &row[at("State")] == "RESIZING" && &row[at("Account")] == account);
    let seconds = |row: &csv::StringRecord, name: &str| row[at(name)].parse::<u64>().unwrap();
    let of = |before: &csv::StringRecord| {
        let after = rows
            .iter()
            .find(|row| row[at("JobIDRaw")] == before[at("JobIDRaw")] && &row[at("State")] != "RESIZING");
        seconds(before, "ElapsedRaw") * seconds(after.unwrap(), "AllocCPUS")
    };
    resized.map(of).sum()
}

fn core_seconds(usage: &str, account: &str) -> u64 {
    let mut csv = csv::Reader::from_reader(usage.as_bytes());
    let names = csv.headers().unwrap().clone();
    let at = |name: &str| names.iter().position(|column| column == name).unwrap();
    let rows = csv
        .records()
        .map(Result::unwrap)
        .filter(|row| &row[at("SubAccountId")] == account && &row[at("ConsumedUnit")] == "core-seconds");
    rows.map(|row| row[at("ConsumedQuantity")].parse::<u64>().unwrap()).sum()
}

#[test]
fn the_same_act_twice_does_no_harm_and_options_are_read_again() {
    let home = cluster();
    home.ok("ingest sacct.txt --period 2025-01");
    assert!(home.ok("ingest sacct.txt --period 2025-01").contains("nothing to import"));
    home.write("config.yaml", SLURM.replace("PREEMPTED: 50%", "PREEMPTED: free"));
    let again = home.ok("imports reread 1");
    assert!(again.contains("supersedes       import 1"), "{again}");
    assert!(home.ok("verify --deep").contains("ok"));
    // A FOCUS file is imported as it is, also where there is a connector.
    home.ok("convert slurm sacct.txt --period 2025-01 --output sacct_2025-01.csv");
    let told = home.ok("ingest sacct_2025-01.csv");
    assert!(told.contains("19 delivered"), "{told}");
    home.ok("convert slurm sacct.txt --period 2025-01 --output sacct_2025-01.parquet");
    let told = home.ok("ingest sacct_2025-01.parquet --dry-run");
    assert!(told.contains("0 added, 0 gone, 0 changed"), "{told}");
}

#[test]
fn what_cannot_be_converted_is_said_with_its_place() {
    let home = cluster();
    assert_snapshot!(home.refused("ingest sacct.txt"), @r"
    its files say what was used and when, and one delivery is of one month
    error: which month of `HPC` is to be billed?
    hint: say it: `--period 2025-01`
    ");
    home.write(
        "sacct-bad.txt",
        "JobIDRaw|Account|Partition|State|Start|End|ElapsedRaw|AllocCPUS|AllocTRES\n\
         1|a|p|COMPLETED|yesterday|1738368014|100|2|cpu=2\n\
         2|a|p|FINISHED|1738367914|1738368014|100|two|cpu=2\n",
    );
    assert_snapshot!(home.refused("ingest sacct-bad.txt --period 2025-01"), @r"
    sacct-bad.txt:2: Start: `yesterday` is no time; run sacct with `SLURM_TIME_FORMAT=%s`, or leave its ISO times as they are
    sacct-bad.txt:3: State: `FINISHED` is no state that is known; say below `states:` of the source what is billed of it
    error: 2 problems in sacct-bad.txt; nothing was converted
    ");
    home.assert_nothing_stored();
    assert_snapshot!(home.refused("convert slurm sacct.txt --period 2025-01 --output u.csv --source AWS"), @r"
    error: source `AWS` is not configured
    hint: there are HPC
    ");
    home.write("config.yaml", SLURM.replace("50%", "150%").replace("free: condo", "fre: condo"));
    assert_snapshot!(home.run("config check").stdout.replace(&home.path().display().to_string(), "HOME"), @r"
    config.yaml:14: imports.known_sources[1].slurm.states.PREEMPTED: `150%` is not `bill`, `free` or a percentage such as `50%`, with at most four decimals
    config.yaml:15: imports.known_sources[1].slurm.partitions.fragile.fre: `condo nodes` is no option; there are `rating`, `multiplier`, `node`, `sku`, `free` and `free_for`
    ");
}
