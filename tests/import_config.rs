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
    tiers.json: it is none of accounts.json, projects.json, subsidies.json and .openchargeback.json
    broken.json: it is not JSON: EOF while parsing an object at line 1 column 1
    subsidies.json: subsidies need a first billing period: `--from 2025-07`
    error: not every file can be read; nothing was written
    ");
    assert_eq!(home.json("attribution list"), serde_json::json!([]));
}
