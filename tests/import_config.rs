//! Files of earlier integrations become rules, with a note on what means something else here.
#![expect(clippy::unwrap_used, reason = "a story that cannot be told is a failed test")]

mod support;

use insta::assert_snapshot;
use support::{Home, entries, text};

const ACCOUNTS: &str = r#"{"accounts": {
  "bumberlyPrj": {"piEmail": "frin@example.edu", "projectId": "bumberly-lab", "fundOrg": "NIH-2024"},
  "genomics": {"piEmail": "plex@example.edu", "projectId": "genomics", "fundOrg": "NSF-BIO"}}}"#;
const PATHS: &str = r#"{"projects": {"/ifs/research/bumberly-lab": {"piEmail": "frin@example.edu", "projectId": "bumberly-lab", "fundOrg": "NIH-2024"}}}"#;
const USERS: &str = r#"{"projects": [
  {"project_id": "ai", "pi_email": "alex@example.edu", "fund_org": "DEPT-X", "users": [{"email": "Ah@example.edu", "role": "pi"}]},
  {"project_id": "bots", "pi_email": "bo@example.edu", "fund_org": "DEPT-Y", "users": [{"email": "ah@example.edu"}, {"email": "s1@example.edu"}]}]}"#;
const SUBSIDIES: &str = r#"{"subsidies": [
  {"name": "provost_ai", "fund_org": "PROVOST-AI", "type": "per_project_cap", "cap_amount": 500.00, "period": "fiscal_year", "fiscal_year_start": "10-01", "applies_to_services": ["OpenAI"], "enabled": true},
  {"name": "pool", "fund_org": "DEAN-1", "type": "global_pool", "cap_amount": 1000, "period": "month", "enabled": true},
  {"name": "old", "fund_org": "DEAN-1", "type": "per_project_cap", "cap_amount": 1, "period": "month", "enabled": false}]}"#;
const FOLDER: &str = r#"{"pi_email": "quib@example.edu", "project_id": "climate", "fund_org": "NSF-ATM", "cost_center": "CC-1", "reference_1": "",
  "end_date": "2026-06-30", "active": true, "free_gb": 500, "subsidy_percent": 0, "daily_credit": 0.00, "notes": "NSF"}"#;

#[test]
fn files_of_earlier_integrations_become_rules_once() {
    let home = Home::with("");
    home.write("accounts.json", ACCOUNTS);
    home.write("isilon/projects.json", PATHS);
    home.write("openai/projects.json", USERS);
    home.write("subsidies.json", SUBSIDIES);
    home.write(".openchargeback.json", FOLDER);
    let all = "accounts.json isilon/projects.json openai/projects.json subsidies.json .openchargeback.json --from 2025-01";
    let tried = home.run(&format!("import-config {all} --dry-run"));
    assert_snapshot!(format!("{}{}", tried.stderr, tried.stdout), @r"
    note: accounts.json: accounts are looked for in `sub_account_id`; charges of others are held for review, where they were left out or billed to nobody
    note: accounts.json: names are compared in any case: Slurm writes them in lower case, so that those with capitals were never found
    note: isilon/projects.json: paths are looked for in `resource_name`; charges of others are held for review, where they were left out or billed to nobody
    note: openai/projects.json: users are looked for in `tag:usage_user`, in any case; their roles are not used
    note: openai/projects.json: charges of users of no project are held for review; they were billed to `unassigned`
    note: openai/projects.json: `ah@example.edu` is a user of `ai` and of `bots`: the last one counts, as it did
    note: subsidies.json: the payer is a leg of each line; it was a row of its own under the PI's name, which doubled the list cost
    note: subsidies.json: all 2 count, in their order, each of what the one before left; only the first did
    note: subsidies.json: `provost_ai`: its fiscal year begins in month 10, the configuration's in 7: set `subsidies: { fiscal_year_start: 10 }`
    note: subsidies.json: `pool`: type `global_pool` counts as it says; every type was counted per project
    note: subsidies.json: `pool`: period `month` counts as it says; it was taken for a calendar year
    note: subsidies.json: `old` is not enabled: no rule is written
    note: .openchargeback.json: free_gb 500 is a price, which is not read here: what a subsidy pays is written with `subsidies add`
      sub_account_id `bumberlyPrj` is of frin@example.edu, bumberly-lab, NIH-2024
      sub_account_id `genomics` is of plex@example.edu, genomics, NSF-BIO
      resource_name `/ifs/research/bumberly-lab` is of frin@example.edu, bumberly-lab, NIH-2024
      tag:usage_user `ah@example.edu` is of bo@example.edu, bots, DEPT-Y
      tag:usage_user `s1@example.edu` is of bo@example.edu, bots, DEPT-Y
      project_id `climate` is of quib@example.edu, NSF-ATM, CC-1, 2026-06-30
      subsidy `provost_ai`, paid by PROVOST-AI, up to 500, from 2025-01
      subsidy `pool`, paid by DEAN-1, up to 1000, from 2025-01
    8 rules would be written
    no import of an open period is concerned
    ");
    assert_eq!(home.json("attribution list"), serde_json::json!([]), "a dry run wrote something");
    home.ok(&format!("import-config {all} --yes"));
    assert_eq!(entries(&home.json("attribution list")).len(), 6);
    assert_snapshot!(home.ok("subsidies list"), @r"
    rule  name        payer       pays                                                   for             when          order
    ────  ──────────  ──────────  ─────────────────────────────────────────────────────  ──────────────  ────────────  ─────
       1  provost_ai  PROVOST-AI  100% up to 500.00, per project and fiscal year         service OpenAI  from 2025-01      1
       2  pool        DEAN-1      100% up to 1,000.00, per everybody together and month  everything      from 2025-01      2
    ");
    let tested = home.json("attribution test --source HPC --with sub_account_id=BUMBERLYPRJ");
    assert_eq!(text(&tested["attribution"], "project_id"), "bumberly-lab");
    let acts = entries(&home.json("audit list")).len();
    let again = home.ok(&format!("import-config {all} --yes"));
    assert_eq!(again, "all of it is there already: nothing changed\n");
    assert_eq!(entries(&home.json("audit list")).len(), acts, "something was recorded");
}

#[test]
fn what_cannot_be_read_is_said_of_every_file_and_nothing_is_written() {
    let home = Home::with("");
    home.write("accounts.json", ACCOUNTS);
    home.write("tiers.json", r#"{"serviceName": "HPC", "partitions": {}}"#);
    home.write("broken.json", "{");
    home.write("subsidies.json", SUBSIDIES);
    assert_snapshot!(home.refused("import-config accounts.json tiers.json broken.json subsidies.json --yes"), @r"
    tiers.json: it is none of accounts.json, projects.json, tiers.json, rates.json, pricing.json, subsidies.json, subsidy_state.json and .openchargeback.json
    broken.json: it is not JSON: EOF while parsing an object at line 1 column 1
    subsidies.json: subsidies need a first billing period: `--from 2025-07`
    error: not every file can be read; nothing was written
    ");
    assert_eq!(home.json("attribution list"), serde_json::json!([]));
}

const TIERS: &str = r#"{"serviceName": "HPC", "partitions": {
  "def": {"suMultiplier": 1, "subsidyPercent": 0, "description": "Default"},
  "def-sm": {"suMultiplier": 1, "subsidyPercent": 100, "description": "Small"},
  "gpu": {"suMultiplier": 20, "subsidyPercent": 25}},
  "rates": {"suRate": 0.01}, "billableStates": ["COMPLETED", "TIMEOUT"], "excludeAccounts": ["root"]}"#;
const MACHINES: &str =
    r#"{"tiers": {"small": {"annualCost": 600, "description": "2 vCPU"}, "gpu-a100": {"annualCost": 9600}}}"#;
const POWERSCALE: &str = r#"{"serviceName": "HPC Storage - Project", "ratePerTBMonth": 10.00, "freeGBPerProject": 500, "quotaCommand": "isi"}"#;
const QUMULO: &str = r#"{"serviceName": "Research Storage", "monthlyRatePerGB": 0.05, "defaultFreeGB": 500}"#;
const PRICING: &str = r#"{"currency": "USD", "credit_pools": [
  {"pool_id": "second", "effective_date": "2026-07-01", "credits_purchased": 30000, "purchase_amount": 1000},
  {"pool_id": "first", "effective_date": "2026-01-01", "credits_purchased": 20000, "purchase_amount": 1000}]}"#;
const STATE: &str = r#"{"projects": {"ai": {"FY2025": {"provost_ai": {"used": 480.00, "subsidized": 480.00, "remaining": 20.00}}}}}"#;

#[test]
fn prices_of_earlier_integrations_become_rates() {
    let home = Home::with("");
    for (name, text) in [
        ("slurm.json", TIERS),
        ("vm.json", MACHINES),
        ("isilon.json", POWERSCALE),
        ("qumulo.json", QUMULO),
        ("pricing.json", PRICING),
    ] {
        home.write(name, text);
    }
    assert_snapshot!(home.refused("import-config slurm.json --yes"), @r"
    slurm.json: prices need a first billing period: `--from 2025-07`
    error: not every file can be read; nothing was written
    ");
    let tried = home.run(
        "import-config slurm.json vm.json isilon.json qumulo.json pricing.json --from 2025-07 --dry-run",
    );
    assert_snapshot!(format!("{}{}", tried.stderr, tried.stdout), @r"
    note: slurm.json: a partition is the SKU of a charge, its unit a core-hour: suMultiplier × suRate is the list price
    note: slurm.json: `def-sm`: subsidyPercent 100 becomes a discount, which nobody pays; where a fund pays it, write a subsidy
    note: slurm.json: `gpu`: subsidyPercent 25 becomes a discount, which nobody pays; where a fund pays it, write a subsidy
    note: slurm.json: serviceName `HPC` is not looked at: any service of the source is priced
    note: slurm.json: billableStates COMPLETED, TIMEOUT are a policy of who delivers, and are not read here
    note: slurm.json: excludeAccounts root were left out; what is delivered of them is priced and held for review
    note: vm.json: a tier is the SKU of a charge, its unit a VM-month: a twelfth of annualCost, by the days that a machine was there
    note: isilon.json: a GB was 1024³ bytes: the unit is TiB-month, by the days that it was used
    note: isilon.json: what is free counts once for a project and month, over all its folders; it counted for each folder
    note: qumulo.json: a GB was 1024³ bytes: the unit is GiB-month, by the days that it was used
    note: qumulo.json: what is free counts once for a project and month, over all its folders; it counted for each folder
    note: pricing.json: prices are in the ledger's currency; the file says USD
    note: pricing.json: each pool's price holds from its day until the next one's; only the first pool's was used
      rate def (def, core-hour) costs 0.01 from 2025-07-01
      rate def-sm (def-sm, core-hour) costs 0 from 2025-07-01
      rate gpu (gpu, core-hour) costs 0.15 from 2025-07-01
      rate gpu-a100 (gpu-a100, VM-month) costs 800 from 2025-07-01
      rate small (small, VM-month) costs 50 from 2025-07-01
      rate HPC Storage - Project (HPC Storage - Project, TiB-month) costs 10 from 2025-07-01
      rate Research Storage (Research Storage, GiB-month) costs 0.05 from 2025-07-01
      rate openai-credit (credit) costs 0.05 from 2026-01-01 to 2026-06-30
      rate openai-credit (credit) costs 0.033333333333333333 from 2026-07-01
    9 rules would be written
    no import of an open period is concerned
    ");
    home.ok("import-config slurm.json vm.json isilon.json qumulo.json pricing.json --from 2025-07 --yes");
    assert_snapshot!(home.ok("rates list --all"), @r"
    rate  code                   for                            unit                      price  by month and project  when                      note
    ────  ─────────────────────  ─────────────────────────────  ─────────  ────────────────────  ────────────────────  ────────────────────────  ───────────
       1  def                    SKU def                        core-hour                  0.01                        from 2025-07-01           Default
       2  def-sm                 SKU def-sm                     core-hour         0 (list 0.01)                        from 2025-07-01           Small
       3  gpu                    SKU gpu                        core-hour       0.15 (list 0.2)                        from 2025-07-01
       4  gpu-a100               SKU gpu-a100                   VM-month                    800                        from 2025-07-01
       5  small                  SKU small                      VM-month                     50                        from 2025-07-01           2 vCPU
       6  HPC Storage - Project  service HPC Storage - Project  TiB-month                    10  0.48828125 free       from 2025-07-01
       7  Research Storage       service Research Storage       GiB-month                  0.05  500 free              from 2025-07-01
       8  openai-credit          everything                     credit                     0.05                        2026-01-01 to 2026-06-30  pool first
       9  openai-credit          everything                     credit     0.033333333333333333                        from 2026-07-01           pool second
    ");
    let again =
        home.ok("import-config slurm.json vm.json isilon.json qumulo.json pricing.json --from 2025-07 --yes");
    assert_eq!(again, "all of it is there already: nothing changed\n");
}

#[test]
fn subsidies_of_users_are_counted_by_user_with_what_each_had() {
    let home = Home::with("");
    home.write("projects.json", USERS);
    home.write("subsidies.json", SUBSIDIES.replace("per_project_cap", "per_user_cap"));
    // `bots` has two users.
    home.write("state.json", STATE.replace("\"ai\"", "\"bots\""));
    let files = "projects.json subsidies.json state.json --from 2025-01";
    assert_snapshot!(home.refused(&format!("import-config {files} --yes")), @r"
    `bots`, FY2025, `provost_ai`: it counts by user, and the project has 2: write what each used under their address, in place of the project
    error: not every opening balance has a place; nothing was written
    ");
    home.write("state.json", STATE.replace("\"ai\"", "\"Ah@example.edu\""));
    let tried = home.run(&format!("import-config {files} --dry-run"));
    assert_snapshot!(format!("{}{}", tried.stderr, tried.stdout), @r"
    note: projects.json: users are looked for in `tag:usage_user`, in any case; their roles are not used
    note: projects.json: charges of users of no project are held for review; they were billed to `unassigned`
    note: projects.json: `ah@example.edu` is a user of `ai` and of `bots`: the last one counts, as it did
    note: subsidies.json: the payer is a leg of each line; it was a row of its own under the PI's name, which doubled the list cost
    note: subsidies.json: all 2 count, in their order, each of what the one before left; only the first did
    note: subsidies.json: `provost_ai`: type `per_user_cap` counts as it says; every type was counted per project
    note: subsidies.json: `provost_ai`: its fiscal year begins in month 10, the configuration's in 7: set `subsidies: { fiscal_year_start: 10 }`
    note: subsidies.json: `pool`: type `global_pool` counts as it says; every type was counted per project
    note: subsidies.json: `pool`: period `month` counts as it says; it was taken for a calendar year
    note: subsidies.json: `old` is not enabled: no rule is written
      tag:usage_user `ah@example.edu` is of bo@example.edu, bots, DEPT-Y
      tag:usage_user `s1@example.edu` is of bo@example.edu, bots, DEPT-Y
      subsidy `provost_ai`, paid by PROVOST-AI, up to 500, from 2025-01
        had paid 480 for ah@example.edu in the year of 2024-07
      subsidy `pool`, paid by DEAN-1, up to 1000, from 2025-01
    4 rules would be written
    no import of an open period is concerned
    ");
    home.ok(&format!("import-config {files} --yes"));
    let row = |user: &str| {
        let tags = format!(r#"{{"usage_user": "{user}"}}"#);
        support::row(user, "OpenAI", "100", "100", &tags)
    };
    home.focus("aws_2025-01.csv", &[row("AH@example.edu"), row("s1@example.edu")]);
    home.ok("ingest aws_2025-01.csv");
    home.ok("subsidies end 2 --last 2024-12 --yes");
    assert_snapshot!(home.ok("subsidies show 2025-01"), @r"
    rule  name        user            counted over        cost seen    paid    left
    ────  ──────────  ──────────────  ──────────────────  ─────────  ──────  ──────
       1  provost_ai  ah@example.edu  2024-07 to 2025-06     580.00  500.00    0.00
       1  provost_ai  s1@example.edu  2024-07 to 2025-06     100.00  100.00  400.00
    ");
    let statements = home.bill_january();
    assert_eq!(text(&statements[0], "subsidy"), "120.00");
    home.ok("verify --deep");
}

#[test]
fn what_was_used_of_a_subsidy_before_is_its_opening_balance() {
    let home = Home::with("");
    home.write("projects.json", USERS);
    home.write("subsidies.json", SUBSIDIES);
    home.write("state.json", STATE);
    assert_snapshot!(home.refused("import-config state.json --yes"), @r"
    `ai`, FY2025, `provost_ai`: no subsidy of that name; read subsidies.json with it
    error: not every opening balance has a place; nothing was written
    ");
    home.ok("import-config projects.json subsidies.json state.json --from 2025-01 --yes");
    let row =
        support::row("vm-1", "OpenAI", "100", "100", &support::tags("alex@example.edu", "ai", "DEPT-X"));
    home.focus("aws_2025-01.csv", &[row]);
    home.ok("ingest aws_2025-01.csv");
    assert_snapshot!(home.ok("subsidies show 2025-01"), @r"
    rule  name        PI                project  counted over        cost seen    paid    left
    ────  ──────────  ────────────────  ───────  ──────────────────  ─────────  ──────  ──────
       1  provost_ai  alex@example.edu  ai       2024-07 to 2025-06     580.00  500.00    0.00
       2  pool        –                 –        2025-01                 80.00   80.00  920.00
    ");
    let statements = home.bill_january();
    assert_eq!(text(&statements[0], "subsidy"), "100.00", "20.00 by the Provost, then the dean's pool");
    home.ok("verify --deep");
}
