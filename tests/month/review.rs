//! Decisions: what they do, what they may not do, and how they are taken back.

use insta::assert_snapshot;

use super::{TRAINING, decided, delivered};
use crate::support::{Change, Home, entries, exact, project, row, text, texts};

fn waiting(home: &Home) -> Vec<String> {
    let list = entries(&home.json("review list --period 2025-01"));
    list.iter().map(|charge| text(charge, "id").to_owned()).collect()
}

#[test]
fn what_waits_is_listed_with_its_reason() {
    let home = delivered();
    assert_eq!(waiting(&home), ["1:3", "2:4", "1:4", "2:3"], "the most expensive first");
    assert_snapshot!(home.ok("review list --period 2025-01"), @"
    charge     PI         project  service  resource     cost  why
    ─────────  ─────────  ───────  ───────  ──────────  ─────  ────────────────────────────────────────────────────
    1:3        ann@x.edu  course   Compute  training-1  50.00  pattern_match (`training` matches the resource_id)
    2:4        cyd@x.edu  late     GPU      training-3  12.00  pattern_match (`training` matches the resource_id)
    1:4        –          –        Compute  i-4         10.00  missing_pi_email missing_project_id missing_fund_org
    2:3        bob@x.edu  course   CPU      training-2   7.00  pattern_match (`training` matches the resource_id)
    ─────────  ─────────  ───────  ───────  ──────────  ─────  ────────────────────────────────────────────────────
    4 charges                                           79.00
    ");
    for (filter, ids) in [
        ("--flag pattern_match", &["1:3", "2:3", "2:4"][..]),
        ("--flag missing_pi_email", &["1:4"]),
        ("--source hpc", &["2:3", "2:4"]),
        ("--import 1", &["1:3", "1:4"]),
        ("--pi BOB@x.edu", &["2:3"]),
        ("--project late", &["2:4"]),
        ("--min-amount 12", &["1:3", "2:4"]),
        ("--max-amount 10", &["1:4", "2:3"]),
        ("--source HPC --min-amount 8 --flag pattern_match", &["2:4"]),
    ] {
        let list = entries(&home.json(&format!("review list {filter}")));
        let mut found: Vec<&str> = list.iter().map(|charge| text(charge, "id")).collect();
        found.sort_unstable();
        assert_eq!(found, ids, "{filter}");
    }
}

#[test]
fn a_bulk_act_says_how_much_and_asks() {
    let home = delivered();
    let words = home.refused("review approve --flag pattern_match --note 'the workshop'");
    assert!(words.contains("--yes"), "nobody is there to be asked: {words}");
    assert_eq!(home.billed("held"), exact("79"));
    let answer = home.run("review approve --flag pattern_match --note 'the workshop' --yes");
    assert_snapshot!(format!("{}\n{}", answer.stdout, answer.stderr), @"approved 3 charges, 69.00 in all (act 5)");
    assert_eq!(home.billed("held"), exact("10"));
    assert_eq!(
        home.run("review approve --note all --yes").code,
        2,
        "without a filter it is asked, not guessed"
    );
}

#[test]
fn a_blocking_flag_is_not_approved_away() {
    let home = delivered();
    assert_snapshot!(home.refused("review approve --id 1:4 --note 'looks fine' --yes"), @"
    error: cannot approve charge 1:4: approval does not clear `missing_pi_email`, `missing_project_id`, `missing_fund_org`: no PI is named in the tags; no project is named in the tags; no fund_org is named in the tags
    hint: `review reassign` it to a PI, project and fund_org that are valid, or `review reject` it
    ");
    let answer = home.run("review approve --period 2025-01 --note 'looks fine' --yes");
    assert_eq!(answer.code, 0, "{}", answer.stderr);
    assert!(answer.stderr.contains("missing_pi_email"), "what was skipped is not said: {}", answer.stderr);
    assert_eq!(waiting(&home), ["1:4"]);

    // Naming a PI alone does not help: a project and a fund are missing as well.
    home.reassign("--id 1:4", &Change { pi: Some("bob@x.edu"), ..Change::default() });
    assert_eq!(waiting(&home), ["1:4"]);
    let flags = entries(&home.json("review list --period 2025-01"));
    assert_eq!(texts(&flags[0]["flags"]), ["missing_project_id", "missing_fund_org"]);
    home.reassign(
        "--id 1:4",
        &Change { project: Some("p"), fund_org: Some("BIO-2002"), ..Change::default() },
    );
    assert_eq!(waiting(&home), Vec::<String>::new());
    let charge = home.charges("--id 1:4").swap_remove(0);
    for (field, value) in [("pi_email", "bob@x.edu"), ("project_id", "p"), ("fund_org", "BIO-2002")] {
        assert_eq!(text(&charge, field), value);
    }
}

#[test]
fn decisions_are_taken_back_one_by_one() {
    let home = decided();
    assert_eq!(waiting(&home), Vec::<String>::new());
    for (id, held) in [("1:3", "50"), ("2:3", "57"), ("2:4", "69"), ("1:4", "79")] {
        home.undo(&format!("--id {id}"));
        assert_eq!(home.billed("held"), exact(held), "{id}");
    }
    assert_eq!(home.billed("billable"), exact("110.005"), "the books are as if nobody had decided");
    let words = home.refused("review undo --id 1:3 --yes");
    assert!(words.contains("1:3"), "there is nothing to take back: {words}");

    // The latest decision counts, and undoing it brings back the one before.
    home.decide("approve", "--id 1:3");
    home.decide("reject", "--id 1:3");
    assert_eq!(home.billed("rejected"), exact("50"));
    home.undo("--id 1:3");
    assert_eq!((home.billed("rejected"), home.billed("held")), (exact("0"), exact("29")));
}

#[test]
fn a_reassigned_charge_keeps_what_was_delivered() {
    let home = delivered();
    home.reassign("--id 1:1", &Change { project: Some("other"), ..Change::default() });
    let shown = home.ok("charges show 1:1");
    assert!(shown.contains("other") && shown.contains("genome"), "{shown}");
    assert!(shown.contains("as agreed"), "the note is not shown: {shown}");
    let statements = home.bill_january();
    let projects: Vec<&str> = statements.iter().map(|statement| text(statement, "project_id")).collect();
    assert!(projects.contains(&"other"), "{projects:?}");
}

#[test]
fn every_decision_is_in_the_audit_with_who_and_why() {
    let home = decided();
    let audit = home.json("audit list").to_string();
    for words in ["casey", "as agreed", "1:4", "reassign", "reject", "defer", "approve"] {
        assert!(audit.contains(words), "`{words}` is not in the audit: {audit}");
    }
    home.ok("audit verify");
}

#[test]
fn a_period_with_charges_held_can_be_closed_but_not_finalized() {
    let home = Home::with(TRAINING);
    home.focus("aws.csv", &[row("training-1", "Compute", "5", "5", &project("genome"))]);
    home.ok("ingest aws.csv");
    home.close("2025-01");
    assert_snapshot!(home.refused("periods finalize 2025-01"), @"
    error: cannot finalize 2025-01: 1 charge is still held
    hint: `periods reopen 2025-01 --reason …` to decide them, or `review defer` to bill them next month
    hint: `review list --period 2025-01` shows them
    ");
    home.reopen("2025-01", "to decide");
    home.decide("reject", "--id 1:1");
    home.close("2025-01");
    home.ok("periods finalize 2025-01");
}

#[test]
fn ends_of_projects_and_of_reconciliations_are_noticed() {
    let home = Home::new();
    let with = |more: &str| project("genome").replace('}', &format!(", {more}}}"));
    home.focus(
        "aws.csv",
        &[
            row("i-1", "Compute", "1", "1", &with(r#""end_date": "2024-12-31""#)),
            row("i-2", "Compute", "1", "1", &with(r#""end_date": "2025-01-31""#)),
            row("i-3", "Compute", "1", "1", &with(r#""reconciliation_end": "2024-06-30""#)),
            row("i-4", "Compute", "1", "1", &with(r#""end_date": "soon""#)),
        ],
    );
    home.ok("ingest aws.csv");
    let flags: Vec<String> =
        home.charges("--period 2025-01").iter().map(|charge| texts(&charge["flags"]).join(",")).collect();
    assert_eq!(flags, ["project_ended", "", "past_reconciliation", "invalid_tags"]);
    home.decide("approve", "--period 2025-01");
    assert_eq!(home.billed("billable"), exact("4"));
}
