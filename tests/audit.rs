//! Every act of the program leaves its one row in the audit chain, and nothing else leaves any. The list of
//! commands is taken from the program: a new one without an entry here fails.
//!
//! And the chain handed out: exports that other programs read, anchors that prove it.
#![expect(clippy::unwrap_used, reason = "a story that cannot be told is a failed test")]

mod support;

use std::collections::BTreeSet;
use std::process::Stdio;

use clap::CommandFactory as _;
use insta::assert_snapshot;
use serde_json::{Value, json};
use support::{Home, Table, entries, project, row, tags, text};

/// What a command line does: the acts of the rows it adds to the chain, in order.
struct Told {
    line: &'static str,
    acts: &'static [&'static str],
}

const fn act(line: &'static str, acts: &'static [&'static str]) -> Told {
    Told { line, acts }
}

const fn read(line: &'static str) -> Told {
    Told { line, acts: &[] }
}

/// A month, in an order in which every command does its work. Reads and dry runs stand where there is
/// something to be read; the same act again stands where it must change nothing.
const MONTH: &[Told] = &[
    act("periods open 2025-01", &["period.opened"]),
    act("periods open 2025-02", &["period.opened"]),
    act("sources add Sequencing", &["source.added"]),
    act("users add maria --email maria@example.edu --role reviewer", &["user.created"]),
    act("users set-role maria admin", &["user.role_set"]),
    act("users reset maria", &["user.password_reset"]),
    act("users add lee --email lee@example.edu", &["user.created"]),
    act("users change lee --display-name 'Lee Chan'", &["user.changed"]),
    act("tokens add export --owner lee --scope read", &["token.created"]),
    act("tokens revoke 1", &["token.revoked"]),
    act("users remove lee --yes", &["user.removed"]),
    read("tokens list"),
    read("users list"),
    read("users sessions maria"),
    // Nobody is signed in, so there is nothing to record.
    read("users sign-out maria"),
    read("sources list"),
    read("connectors list"),
    read("connectors check Cluster"),
    read("convert slurm sacct.txt --period 2025-01 --output usage.csv"),
    // Before there is a delivery that would be read again.
    read("people add Zoe zoe@x.edu --dry-run"),
    act("people add Zoe zoe@x.edu --yes", &["person.added"]),
    act("people add Zoey zoey@x.edu --yes", &["person.added"]),
    act("people address P-1 zoe@y.edu --from 2031-01-01 --yes", &["person.address"]),
    act("people merge P-2 --into P-1 --yes", &["person.merged"]),
    read("people list"),
    read("people show zoe@y.edu"),
    read("ingest aws.csv --dry-run"),
    act("ingest aws.csv", &["import.committed"]),
    read("ingest aws.csv"),
    act("ingest hpc.csv", &["import.committed"]),
    act("ingest extra_aws.csv --append", &["import.committed"]),
    act("imports withdraw 3 --reason 'by mistake' --yes", &["import.withdrawn"]),
    read("imports list"),
    read("imports show 1"),
    read("imports reread 1"),
    read("attribution add --key sub_account_id --value 1 --project other --dry-run"),
    act(
        "attribution add --key sub_account_id --value 1 --project other --from 2031-01-01 --yes",
        &["attribution.changed"],
    ),
    act("attribution end 1 --on 2031-12-31 --yes", &["attribution.changed"]),
    act("attribution import rules.csv --yes", &["attribution.changed"]),
    read("attribution import rules.csv --yes"),
    read("attribution list"),
    read("attribution reached 1 --period 2025-01"),
    read("rates add cpu --unit core-hour --price 1 --from 2031-01-01 --dry-run"),
    act("rates add cpu --unit core-hour --price 1 --from 2031-01-01 --yes", &["rates.changed"]),
    act("rates end 1 --on 2031-12-31 --yes", &["rates.changed"]),
    read("rates check rates.csv"),
    read("rates diff rates.csv"),
    act("rates import rates.csv --yes", &["rates.changed"]),
    read("rates import rates.csv --yes"),
    read("rates list"),
    read("rates priced 1 --period 2025-01"),
    read("rates export"),
    read("rates try rates.csv --from 2025-01"),
    read("rates apply"),
    read("subsidies add Dean --payer A-1 --percent 5 --from 2031-01 --dry-run"),
    act("subsidies add Dean --payer A-1 --percent 5 --from 2031-01 --yes", &["subsidy.written"]),
    act("subsidies end 1 --last 2031-02 --yes", &["subsidy.ended"]),
    read("subsidies list"),
    read("subsidies paid 1"),
    read("splits add --project other A-1:50% B-2:50% --from 2031-01-01 --note agreed --dry-run"),
    act(
        "splits add --project other A-1:50% B-2:50% --from 2031-01-01 --note agreed --yes",
        &["split.written"],
    ),
    act("splits end 1 --on 2031-06-30 --note spent --yes", &["split.ended"]),
    read("splits list"),
    read("splits carried 1 --period 2025-01"),
    read("subsidies show 2025-01"),
    read("credits add Cloud --amount 50 --payer A-1 --kept-back --from 2031-01 --dry-run"),
    act("credits add Cloud --amount 50 --payer A-1 --kept-back --from 2031-01 --yes", &["credit.granted"]),
    act("credits move 1 --to-project other --amount 20 --note 'round one' --yes", &["credit.moved"]),
    act("credits end 1 --last 2031-02 --yes", &["credit.ended"]),
    read("credits list"),
    read("credits paid 1"),
    read("credits show 2025-01"),
    read("import-config accounts.json --dry-run"),
    read("attribution export"),
    read("attribution test --source AWS --with sub_account_id=1"),
    read("attribution apply"),
    read("attribution unreached"),
    act("review approve --id 1:2 --note 'a workshop' --yes", &["charges.approved"]),
    act("review undo --id 1:2 --yes", &["review.undone"]),
    act("review reject --id 1:2 --note 'a test' --yes", &["charges.rejected"]),
    act("review defer --id 1:3 --note 'late' --yes", &["charges.deferred"]),
    act(
        "review reassign --id 1:4 --to-pi bob@x.edu --to-project other --to-fund-org BIO-1 --yes",
        &["charges.reassigned"],
    ),
    read("review list"),
    read("review history"),
    read("review rules try"),
    read("review rules patterns"),
    read("charges list"),
    read("charges show 1:1"),
    read("charges export --period 2025-01 --output charges.csv"),
    read("overview"),
    read("projects list"),
    read("projects show genome"),
    read("pis list"),
    read("pis show pi@example.edu"),
    read("show pi@example.edu --period 2025-01"),
    read("report --by source"),
    read("payers --drafts"),
    read("periods list"),
    read("periods show 2025-01"),
    read("generate --period 2025-01 --dry-run"),
    act("periods close 2025-01", &["period.closed"]),
    act("periods reopen 2025-01 --reason 'a late file'", &["period.reopened"]),
    act("periods close 2025-01", &["period.closed"]),
    // Numbers and models first, then the documents made of them: two acts.
    act("generate --period 2025-01", &["statements.issued", "statements.rendered"]),
    read("generate --period 2025-01"),
    read("statements list"),
    read("statements zip --period 2025-01 --output january.zip"),
    read("statements show S-2025-01-0001"),
    // That a message is about to be sent, and that it was, for each PI.
    act(
        "send --period 2025-01",
        &["email.sending", "email.sent", "email.sending", "email.sent", "email.sending", "email.sent"],
    ),
    read("send --period 2025-01"),
    read("emails list"),
    act("export-journal --period 2025-01 --format gl", &["journal.exported"]),
    // A copy that is handed out is an act, too.
    act("export-journal --period 2025-01 --format gl", &["journal.exported"]),
    read("journals list"),
    read("journals show J-2025-01-1"),
    act("journals reject J-2025-01-1 --reason 'no such fund'", &["journal.rejected"]),
    act("export-journal --period 2025-01 --format gl", &["journal.exported"]),
    act("journals waive J-2025-01-2 --reason 'accounting is on leave'", &["journal.waived"]),
    act("journals accept J-2025-01-2 --note posted", &["journal.accepted"]),
    read("why S-2025-01-0001"),
    read("statements diff S-2025-01-0001 S-2025-01-0001"),
    read("verify"),
    read("verify --deep"),
    read("audit list"),
    read("audit export --format splunk"),
    read("audit anchor"),
    read("audit verify"),
    read("config init other.yaml"),
    read("config check"),
    read("config show"),
    read("completions bash"),
    read("version"),
    // What is kept elsewhere has a chain of its own.
    read("backup kept"),
    read("restore kept --home restored"),
    read("ledger copy --to copied.db"),
    act("lake prune --older-than 0 --yes", &["lake.pruned"]),
    act("periods finalize 2025-01", &["period.finalized"]),
    // What comes now is a correction, in the month that is open.
    act("ingest more_aws.csv", &["import.committed"]),
    // The tour has a home of its own.
    read("demo --dir tour"),
];

/// What needs somebody who signed in (`accounts.rs`), a message's own id (`statements.rs`), or does not end (`web/`).
const ELSEWHERE: [&str; 3] = ["users totp-remove", "emails show", "web"];

/// Refusals, when the month is finalized: nothing is done, nothing is recorded.
const REFUSED: &[&str] = &[
    "periods open 2025-01",
    "periods close 2025-01",
    "periods reopen 2025-01 --reason late",
    "periods finalize 2025-01",
    "sources add sequencing",
    "users set-role nobody admin",
    "users totp-remove maria",
    "users remove maria --yes",
    "tokens revoke 1",
    "ingest broken_aws.csv",
    "imports withdraw 1 --reason late --yes",
    "imports withdraw 3 --reason again --yes",
    "imports reread 1",
    "review approve --id 1:1 --yes",
    "review reject --id 1:1 --yes",
    "review defer --id 1:1 --yes",
    "review reassign --id 1:1 --to-project other --yes",
    "review undo --id 1:2 --yes",
    "generate --period 2025-01",
    "generate --period 2031-01",
    "send --period 2031-01",
    "export-journal --period 2025-02",
];

fn office() -> Home {
    let home = Home::bare();
    home.write("config.yaml", format!(
            "{}    - {{ name: Cluster, pattern: sacct, kind: slurm }}\nreview: {{ flag_patterns: [training] }}\n",
            support::CONFIG
        ));
    let ann = project("genome");
    home.focus(
        "aws.csv",
        &[
            row("i-1", "Compute", "10", "8", &ann),
            row("training-1", "Compute", "5", "5", &ann),
            row("training-2", "Compute", "6", "6", &ann),
            row("i-4", "Compute", "1", "1", "{}"),
        ],
    );
    home.focus("hpc.csv", &[row("job-1", "CPU", "3", "3", &tags("ann@x.edu", "course", "PHYS-1"))]);
    home.write(
        "sacct.txt",
        "JobIDRaw|Account|Partition|State|Start|End|ElapsedRaw|AllocTRES\n\
         1|genome|cpu|COMPLETED|1736000000|1736000100|100|cpu=2\n",
    );
    home.focus("extra_aws.csv", &[row("i-8", "Disk", "2", "2", &ann)]);
    home.focus("more_aws.csv", &[row("i-9", "Disk", "2", "2", &ann)]);
    home.focus("broken_aws.csv", &[row("i-9", "Disk", "2", "x", &ann)]);
    home
}

/// The acts of the chain after the first so many.
fn acts_after(home: &Home, known: usize) -> Vec<String> {
    entries(&home.json("audit list")).iter().skip(known).map(|row| text(row, "act").to_owned()).collect()
}

/// Run a line with a password on standard input, for the commands that ask for one.
fn run(home: &Home, line: &str) -> support::Answer {
    home.write("rules.csv", "key,value,project_id,from\nsub_account_id,2,other,2031-01-01\n");
    home.write("rates.csv", "code,source,unit,price,from\ngpu,AWS,GPU-hour,2,2031-01-01\n");
    home.write("accounts.json", r#"{"accounts": {"lab": {"piEmail": "ann@x.edu", "projectId": "course"}}}"#);
    home.write("password", "Correct-horse-battery-9\n");
    let mut command = home.command(line);
    command.stdin(Stdio::from(std::fs::File::open(home.path().join("password")).unwrap()));
    home.answer(&command.output().unwrap())
}

/// Every command that can be typed.
fn commands() -> BTreeSet<String> {
    fn leaves(command: &clap::Command, path: &str, found: &mut BTreeSet<String>) {
        for sub in command.get_subcommands() {
            let path = format!("{path} {}", sub.get_name());
            if sub.has_subcommands() {
                leaves(sub, &path, found);
            } else {
                found.insert(path.trim_start().to_owned());
            }
        }
    }
    let mut found = BTreeSet::new();
    leaves(&cli::args::Cli::command(), "", &mut found);
    found
}

#[test]
fn every_act_is_one_row_and_nothing_else_is_any() {
    let home = office();
    let is_of = |line: &str, command: &String| line == command || line.starts_with(&format!("{command} "));
    let without: Vec<String> = commands()
        .into_iter()
        .filter(|command| !ELSEWHERE.contains(&command.as_str()))
        .filter(|command| !MONTH.iter().any(|told| is_of(told.line, command)))
        .collect();
    assert_eq!(without, [""; 0], "commands without an entry in this test");

    let mut known = acts_after(&home, 0).len();
    for told in MONTH {
        let answer = run(&home, told.line);
        assert_eq!(answer.code, 0, "{}\n{}{}", told.line, answer.stdout, answer.stderr);
        assert_eq!(acts_after(&home, known), told.acts, "{}", told.line);
        known += told.acts.len();
    }
    for line in REFUSED {
        let answer = run(&home, line);
        assert_eq!(answer.code, 1, "`{line}` was not refused\n{}{}", answer.stdout, answer.stderr);
        assert_eq!(acts_after(&home, known), [""; 0], "{line}");
    }
    home.ok("audit verify");
    home.ok("verify --deep");
}

fn some_acts() -> Home {
    let home = office();
    home.ok("periods open 2025-01 --as '=cmd'");
    home.ok("ingest aws.csv --as maria");
    home.decide("approve", "--id 1:2");
    home
}

#[test]
fn the_chain_for_other_programs() {
    let home = some_acts();
    let all = home.json("audit list");
    let exported: Value = serde_json::from_str(&home.ok("audit export --format json")).unwrap();
    assert_eq!(exported, all);

    // For a spreadsheet, where a name must not become a formula.
    let csv = home.ok("audit export --format csv");
    let table = Table::read(&csv);
    assert_eq!(table.column("by")[1], "'=cmd", "{csv}");
    assert_eq!(table.rows.len(), entries(&all).len());

    let splunk = home.ok("audit export --format splunk --act import --host billing-1");
    let events: Vec<Value> = splunk.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(events.len(), 1, "{splunk}");
    let [event] = events.as_slice() else { unreachable!() };
    assert_eq!(event["host"], json!("billing-1"));
    assert_eq!(event["sourcetype"], json!("focus_billing:audit"));
    assert!(text(event, "source").ends_with("ledger.db"), "{event}");
    assert_eq!(event["event"]["detail"]["source"], json!("AWS"));
    assert_eq!(event["event"]["by"], json!("maria"));
    assert!(event["time"].is_number(), "{event}");
    let at: jiff::Timestamp = text(&event["event"], "at").parse().unwrap();
    let millis = at.as_millisecond();
    assert!(splunk.starts_with(&format!("{{\"time\":{}.{:03},", millis / 1000, millis % 1000)), "{splunk}");
}

#[test]
fn filters_of_the_chain() {
    let home = some_acts();
    let acts = |filter: &str| {
        let rows = entries(&home.json(&format!("audit list {filter}")));
        rows.iter().map(|row| text(row, "act").to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(acts("--by maria"), ["import.committed"]);
    assert_eq!(acts("--subject 2025-01"), ["period.opened"]);
    assert_eq!(acts("--act charges"), ["charges.approved"]);
    assert_eq!(acts("--from 2 --to 3"), ["period.opened", "import.committed"]);
    assert_eq!(acts("--limit 1"), ["charges.approved"]);
    assert_eq!(acts("--by nobody"), [""; 0]);
    assert_eq!(home.ok("audit export --by nobody").trim(), "[]");
}

#[test]
fn an_anchor_is_contained_in_what_follows_it() {
    let home = some_acts();
    home.ok("audit anchor --output anchor.json");
    let anchor: Value = serde_json::from_str(&home.read("anchor.json")).unwrap();
    assert_eq!(anchor, home.json("audit anchor"));
    assert_eq!((&anchor["number"], &anchor["entries"]), (&json!(4), &json!(4)));
    assert!(home.refused("audit anchor --output anchor.json").contains("anchor.json"), "it was overwritten");

    home.decide("reject", "--id 1:3");
    let told = home.json("audit verify --anchor anchor.json");
    assert_eq!((&told["anchored"], &told["head"]), (&json!(4), &json!(5)));
    home.ok(&format!("audit verify --anchor {}", text(&anchor, "hash")));

    // Another installation that did the same at other times has another chain.
    let other = some_acts();
    other.write("anchor.json", home.read("anchor.json"));
    assert!(other.refused("audit verify --anchor anchor.json").contains("the anchor is of installation"));
    let answer = other.run(&format!("audit verify --anchor {}", "ab".repeat(32)));
    assert_snapshot!(answer.stderr, @"
    the chain does not contain the anchor: no act has the hash abababababababababababababababababababababababababababababababab
    error: the audit chain is broken
    ");
    assert_snapshot!(other.refused("audit verify --anchor nowhere.json"), @"error: `nowhere.json` is no file and no hash");
    other.write("anchor.json", "{\"number\": 4}");
    assert_snapshot!(other.refused("audit verify --anchor anchor.json"), @"
    error: this is no anchor: missing field `installation` at line 1 column 13
    hint: `audit anchor --output FILE` writes one; its hash alone will do, too
    ");
}

#[test]
fn a_chain_that_was_put_back_does_not_contain_the_anchor() {
    let home = some_acts();
    let before = home.tree("instance");
    home.decide("reject", "--id 1:3");
    home.ok("audit anchor --output anchor.json");
    // The ledger as it was before, with another act in the place of the anchored one.
    for (path, _) in home.tree("instance") {
        std::fs::remove_file(home.path().join(path)).unwrap();
    }
    for (path, bytes) in before {
        home.write(path.to_str().unwrap(), bytes);
    }
    home.ok("audit verify");
    assert!(home.refused("audit verify --anchor anchor.json").contains("act 5 is missing"));
    home.decide("defer", "--id 1:3 --period 2025-01");
    assert!(home.refused("audit verify --anchor anchor.json").contains("here it is"));
}
