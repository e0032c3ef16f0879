//! Two processes on one ledger, at the same moment, on both engines: each act happens once or is refused with
//! its reason; both may be served in turn; nobody sees a lock, a deadlock or a lost update.
#![expect(clippy::unwrap_used, reason = "a story that cannot be told is a failed test")]

mod support;

use std::collections::BTreeSet;

use support::{Answer, Engine, Home, amount, due, engines, entries, exact, row_of, tags, text};

/// A month a round; each has five pairs of acts at once.
fn rounds() -> u32 {
    if std::env::var_os("FOCUS_BILLING_LONG").is_some() { 24 } else { 4 }
}

/// Start two commands, and wait for both.
fn at_once(home: &Home, lines: [&str; 2]) -> [Answer; 2] {
    let children = lines.map(|line| home.start(line));
    let answers = children.map(|child| home.answer(&child.wait_with_output().unwrap()));
    for (line, answer) in lines.iter().zip(&answers) {
        let words = answer.stderr.to_lowercase();
        for internal in ["locked", "deadlock", "serializ", "another act", "refused", "sqlx", "duplicate key"]
        {
            assert!(!words.contains(internal), "`{line}` says `{internal}`: {words}");
        }
        assert!(answer.code <= 1, "`{line}` ended with {}: {words}", answer.code);
    }
    answers
}

fn json(answer: &Answer) -> serde_json::Value {
    assert_eq!(answer.code, 0, "{}", answer.stderr);
    serde_json::from_str(&answer.stdout).unwrap()
}

/// The numbers of acts of a kind about a subject.
fn acts(home: &Home, act: &str) -> usize {
    entries(&home.json("audit list")).iter().filter(|row| text(row, "act") == act).count()
}

/// Two decide differently about one charge: what was served is recorded, one after the other, and the later
/// counts.
fn two_decisions(home: &Home, import: &str) {
    let decided = |home: &Home| acts(home, "charges.approved") + acts(home, "charges.rejected");
    let before = decided(home);
    let decide = |act: &str| format!("review {act} --id {import}:1 --note {act} --yes");
    let answers = at_once(home, [&decide("approve"), &decide("reject")]);
    let served = answers.iter().filter(|answer| answer.code == 0).count();
    assert!(0 < served, "{}{}", answers[0].stderr, answers[1].stderr);
    assert_eq!(decided(home), before + served, "what was served is not what is recorded");
    let story = home.json(&format!("charges show {import}:1"));
    let state = text(&story["charge"], "state");
    let last = entries(&story["decisions"]).pop().unwrap();
    let expected = if text(&last, "note") == "approve" { "billable" } else { "rejected" };
    assert_eq!(state, expected, "{story}");
    // Everyone agrees from here on.
    if state == "rejected" {
        home.decide("approve", &format!("--id {import}:1"));
    }
}

/// A delivery comes while the period is closed: it is in the closed period, or it is refused and is not.
fn close_and_import(home: &Home, month: &str) -> bool {
    let name = format!("aws_{month}.csv");
    home.focus(
        &name,
        &[row_of(month, "i-1", "Compute", "30", "30", &tags("bob@x.edu", "proteome", "BIO-2"))],
    );
    let before = entries(&home.json("imports list")).len();
    let [close, import] = at_once(home, [&format!("periods close {month}"), &format!("ingest {name}")]);
    assert_eq!(close.code, 0, "{}", close.stderr);
    assert_eq!(home.period_state(month), "closed");
    let counted = import.code == 0;
    assert!(counted || import.stderr.contains("it is closed"), "{}", import.stderr);
    assert_eq!(entries(&home.json("imports list")).len(), before + usize::from(counted));
    let billed = home.report(&format!("--period {month} --state all")).sum("billed_cost");
    assert_eq!(billed, exact(if counted { "72" } else { "42" }));
    counted
}

fn two_generates(home: &Home, month: &str, sum: &str) {
    let line = format!("generate --period {month} --json");
    for answer in at_once(home, [&line, &line]) {
        assert_eq!(answer.code, 0, "{}", answer.stderr);
    }
    let statements = entries(&home.json(&format!("statements list --period {month}")));
    assert_eq!(due(&statements), exact(sum));
    let owners: BTreeSet<&str> = statements.iter().map(|statement| text(statement, "project_id")).collect();
    assert_eq!(owners.len(), statements.len(), "one statement a project");
    for statement in &statements {
        assert_eq!(statement["version"], 1, "{statement}");
        let shown = home.json(&format!("statements show {}", text(statement, "number")));
        assert_eq!(entries(&shown["documents"]).len(), 1, "rendered twice: {shown}");
    }
}

fn two_sends(home: &Home, month: &str, messages: usize) {
    let line = format!("send --period {month}");
    let before = home.eml().len();
    at_once(home, [&line, &line]);
    // Who came second may have been told that the first was at it; asked again, nothing is left to do.
    home.ok(&line);
    assert_eq!(home.eml().len(), before + messages, "a statement was sent twice, or not at all");
}

fn two_exports(home: &Home, month: &str, sum: &str) {
    let lines = ["one", "two"]
        .map(|name| format!("export-journal --period {month} --format gl --output {name}.csv --json"));
    let answers = at_once(home, [&lines[0], &lines[1]]).map(|answer| json(&answer));
    let copies = answers.iter().filter(|exported| exported["copy"] == true).count();
    assert_eq!(copies, 1, "one is the journal, the other a copy");
    assert_eq!(text(&answers[0], "document"), text(&answers[1], "document"));
    assert_eq!(home.read("one.csv"), home.read("two.csv"));
    assert!(answers.iter().all(|exported| amount(exported, "debit_total") == exact(sum)), "{answers:?}");
}

fn a_year_of_pairs(engine: Engine) {
    let home = Home::on(engine);
    home.write("config.yaml", format!("{}review: {{ flag_patterns: [training] }}\n", support::CONFIG));
    for round in 0..rounds() {
        let month = format!("{}-{:02}", 2025 + round / 12, 1 + round % 12);
        if 0 < round {
            home.open(&month);
        }
        let name = format!("hpc_{month}.csv");
        let ann = |resource: &str, cost: &str| {
            row_of(&month, resource, "CPU", cost, cost, &tags("ann@x.edu", "genome", "PHYS-1"))
        };
        home.focus(&name, &[ann("training-1", "2"), ann("job-1", "40")]);
        let import = home.json(&format!("ingest {name}"))["import"].to_string();

        two_decisions(&home, &import);
        let both = close_and_import(&home, &month);
        let (sum, messages) = if both { ("72", 2) } else { ("42", 1) };
        two_generates(&home, &month, sum);
        two_sends(&home, &month, messages);
        two_exports(&home, &month, sum);
    }
    home.ok("audit verify");
    let months = home.report("--by period --state all");
    assert_eq!(months.column("period").len(), rounds() as usize);
}

#[test]
fn two_processes_on_one_file() {
    a_year_of_pairs(Engine::Sqlite);
}

#[test]
fn two_processes_on_one_server() {
    if engines().contains(&Engine::Postgres) {
        a_year_of_pairs(Engine::Postgres);
    }
}

#[test]
fn the_first_commands_of_two_people_make_one_ledger() {
    for engine in engines() {
        for _ in 0..3 {
            let home = Home::bare_on(engine);
            let answers = at_once(&home, ["periods open 2025-01", "periods open 2025-02"]);
            assert!(
                answers.iter().all(|answer| answer.code == 0),
                "{}{}",
                answers[0].stderr,
                answers[1].stderr
            );
            assert_eq!(acts(&home, "installation.created"), 1);
            assert_eq!(entries(&home.json("periods list")).len(), 2);
            home.ok("audit verify");
        }
    }
}
