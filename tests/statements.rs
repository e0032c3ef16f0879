//! Statements through their lives: drafts before a period is closed, versions that replace each other and
//! say why, what differs between two, and one that is sent again.
#![expect(clippy::unwrap_used, reason = "a story that cannot be told is a failed test")]

mod support;

use std::path::Path;

use insta::assert_snapshot;
use support::{Home, Reply, SmtpServer, entries, pdf_text, project, row, row_of, text};

fn delivered() -> Home {
    let home = Home::new();
    deliver(&home);
    home
}

fn deliver(home: &Home) {
    home.focus(
        "aws.csv",
        &[
            row("i-1", "Compute", "10", "10", &project("genome")),
            row("i-2", "Storage", "20", "15", &project("genome")),
            row("i-3", "Compute", "5", "5", &project("course")),
        ],
    );
    home.ok("ingest aws.csv");
}

/// `number vN state` of every version.
fn states(home: &Home) -> Vec<String> {
    let statements = entries(&home.json("statements list"));
    let shown = |one: &serde_json::Value| {
        format!("{} v{} {}", text(one, "number"), one["version"], text(one, "state"))
    };
    statements.iter().map(shown).collect()
}

#[test]
fn a_draft_is_looked_at_before_the_period_is_closed() {
    let home = delivered();
    let audit = home.json("audit list");
    let ledger = home.json("statements list");

    let answer = home.run("generate --period 2025-01 --draft");
    assert_snapshot!(format!("{}{}", answer.stdout, answer.stderr), @"
    statement     PI              project   list  discount  amount due  file
    ────────────  ──────────────  ───────  ─────  ────────  ──────────  ──────────────────────────────────────────────────────────────────────────────
    draft         pi@example.edu  course    5.00      0.00        5.00  instance/output/drafts/2025-01/2025-01_pi-example.edu_course_draft-0001_v0.pdf
    draft         pi@example.edu  genome   30.00      5.00       25.00  instance/output/drafts/2025-01/2025-01_pi-example.edu_genome_draft-0002_v0.pdf
    ────────────  ──────────────  ───────  ─────  ────────  ──────────  ──────────────────────────────────────────────────────────────────────────────
    2 statements                           35.00      5.00       30.00
    2 drafts were written; nothing was issued, and nothing can be sent
    ");
    let drafts = home.tree("instance/output/drafts/2025-01");
    assert_eq!(drafts.len(), 2);
    for path in drafts.keys() {
        let pdf = pdf_text(&home.path().join(path));
        assert!(pdf.contains("DRAFT statement") && pdf.contains("amounts may still change"), "{pdf}");
        assert!(!pdf.contains("S-2025-01"), "a number was taken: {pdf}");
    }
    assert_eq!(home.json("audit list"), audit, "a draft is no act");
    assert_eq!(home.json("statements list"), ledger);
    assert!(home.tree("instance/documents").is_empty());
    assert_eq!(home.run("generate --period 2025-01 --draft --send").code, 2);

    // A project that is billed nothing any more has no draft, and a real statement is none.
    home.decide("reject", "--id 1:3");
    home.ok("generate --period 2025-01 --draft");
    assert_eq!(home.tree("instance/output/drafts/2025-01").len(), 1);
    let issued = home.bill_january();
    assert_eq!(text(&issued[0], "number"), "S-2025-01-0001");
    assert!(!pdf_text(&home.document(&issued[0])).contains("DRAFT"));
}

#[test]
fn a_draft_of_a_reopened_period_says_what_it_would_replace() {
    let home = delivered();
    home.bill_january();
    home.reopen("2025-01", "storage was free");
    home.decide("reject", "--id 1:2");
    let drafts = entries(&home.json("generate --period 2025-01 --draft"));
    let genome = drafts.iter().find(|draft| text(draft, "project_id") == "genome").unwrap();
    let pdf = pdf_text(&home.path().join(Path::new(text(genome, "path"))));
    assert!(pdf.contains("Would replace version 1"), "{pdf}");
    assert_eq!(states(&home).len(), 2);
}

#[test]
fn a_statement_is_issued_sent_and_superseded() {
    let home = delivered();
    home.bill_january();
    assert_eq!(states(&home), ["S-2025-01-0001 v1 issued", "S-2025-01-0002 v1 issued"]);
    home.ok("send --period 2025-01");
    assert_eq!(states(&home), ["S-2025-01-0001 v1 sent", "S-2025-01-0002 v1 sent"]);
    home.reopen("2025-01", "storage was free");
    home.decide("reject", "--id 1:2");
    home.bill_january();
    assert_eq!(
        states(&home),
        ["S-2025-01-0001 v1 sent", "S-2025-01-0002 v1 superseded", "S-2025-01-0002 v2 issued"]
    );

    let old = home.json("statements show S-2025-01-0002 --version 1");
    assert_eq!((text(&old, "state"), &old["by_version"]), ("superseded", &2.into()));
    let why = text(&old, "why");
    assert!(why.contains("amount due: $10.00, was $25.00"), "what replaced it and why: {why}");
    assert_eq!(entries(&old["emails"]).len(), 1);
    let shown = home.ok("statements show S-2025-01-0002 --version 1");
    assert!(shown.contains("replaced by      version 2 (amount due: $10.00, was $25.00"), "{shown}");
    assert!(shown.contains("e-mail to pi@example.edu: sent"), "{shown}");
    let new = home.ok("statements show S-2025-01-0002");
    assert!(new.contains("replaces         version 1 (amount due: $10.00, was $25.00"), "{new}");
}

#[test]
fn two_statements_are_compared_line_by_line() {
    let home = delivered();
    home.bill_january();
    assert_snapshot!(home.refused("statements diff S-2025-01-0002"), @"
    error: S-2025-01-0002 v1 has no later version to compare with
    hint: name two statements: `statements diff S-2025-01-0001 S-2025-02-0001`
    ");
    home.reopen("2025-01", "storage was free");
    home.decide("reject", "--id 1:2");
    home.bill_january();
    let versions = home.ok("statements diff S-2025-01-0002");
    assert_snapshot!(versions, @"
    genome: S-2025-01-0002 v1 and S-2025-01-0002 v2

    line        service  source  fund_org   account  charges  due before  due after  difference
    ──────────  ───────  ──────  ─────────  ───────  ───────  ──────────  ─────────  ──────────
    gone        Storage  AWS     PHYS-1001  –          1 → 0       15.00                 -15.00
    ──────────  ───────  ──────  ─────────  ───────  ───────  ──────────  ─────────  ──────────
    amount due                                                     25.00      10.00      -15.00
    1 line is the same
    ");
    assert_eq!(home.ok("statements diff S-2025-01-0002v1 s-2025-01-2v2"), versions);
    assert_eq!(home.ok("statements diff S-2025-01-0002v1"), versions);

    home.open("2025-02");
    home.focus(
        "aws-2.csv",
        &[
            row_of("2025-02", "i-1", "Compute", "12", "12", &project("genome")),
            row_of("2025-02", "i-9", "GPU", "1", "1", &project("genome")),
        ],
    );
    home.ok("ingest aws-2.csv");
    home.close("2025-02");
    home.generate("2025-02");
    assert_snapshot!(home.ok("statements diff S-2025-01-0002v1 S-2025-02-0001"), @r"
    genome: S-2025-01-0002 v1 and S-2025-02-0001 v1

    line        service  source  fund_org   account  charges  due before  due after  difference
    ──────────  ───────  ──────  ─────────  ───────  ───────  ──────────  ─────────  ──────────
    changed     Compute  AWS     PHYS-1001  –              1       10.00      12.00       +2.00
    added       GPU      AWS     PHYS-1001  –          0 → 1                   1.00       +1.00
    gone        Storage  AWS     PHYS-1001  –          1 → 0       15.00                 -15.00
    ──────────  ───────  ──────  ─────────  ───────  ───────  ──────────  ─────────  ──────────
    amount due                                                     25.00      13.00      -12.00
    0 lines are the same
    ");
    let json = home.json("statements diff S-2025-01-0002v1 S-2025-02-0001");
    let lines = entries(&json["lines"]);
    assert_eq!(lines.len(), 3);

    assert_snapshot!(home.refused("statements diff S-2025-01-0001 S-2025-01-0002"), @r"
    S-2025-01-0001: course
    S-2025-01-0002: genome
    error: S-2025-01-0001 and S-2025-01-0002 are of different projects
    hint: `statements list --project course` shows those of one project
    ");
    assert_snapshot!(home.refused("statements diff J-2025-01-1 S-2025-01-0002"), @"
    error: `J-2025-01-1` is no statement such as S-2025-01-0001
    hint: a version stands behind the number: S-2025-01-0001v2
    ");
}

#[test]
fn a_statement_is_sent_again_on_purpose_and_as_a_message_of_its_own() {
    let server = SmtpServer::start(&[]);
    let home = Home::bare();
    home.write("config.yaml", support::CONFIG.replace("dev_mode: true\n", &server.config()));
    home.open("2025-01");
    deliver(&home);
    home.bill_january();
    let again = "send --again S-2025-01-0002 --reason 'the PI lost it'";
    assert_snapshot!(home.refused(again), @"
    error: cannot send S-2025-01-0002 v1 again: it has not been sent yet
    hint: `send --period 2025-01` sends it
    ");
    home.ok("send --period 2025-01");
    home.ok(again);
    home.ok(again);
    let delivered = server.delivered();
    assert_eq!(delivered.len(), 3);
    let mut ids: Vec<&str> = delivered.iter().map(|message| message.header("Message-ID")).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 3, "a message of its own each time");
    let listed = entries(&home.json("emails list --period 2025-01 --state sent"));
    let mut known: Vec<&str> = listed.iter().map(|email| text(email, "message_id")).collect();
    known.sort_unstable();
    assert_eq!(known, ids, "the list has what went out");
    for id in known {
        let shown = home.ok(&format!("emails show {}", id.trim_matches(['<', '>'])));
        assert!(shown.contains("the digest that was recorded proves these words"), "{shown}");
        assert!(shown.contains("S-2025-01-0002") && shown.contains("sent by casey"), "{shown}");
    }
    assert!(home.refused("emails show nobody").contains("`nobody`"));
    let attached = |at: usize| delivered[at].data.matches("Content-Type: application/pdf").count();
    assert_eq!([attached(0), attached(1), attached(2)], [2, 1, 1], "this statement and no other");
    home.ok("send --period 2025-01");
    assert_eq!(server.delivered().len(), 3, "what was sent is not sent by itself again");

    let audit = entries(&home.json("audit list"));
    let sending = audit.iter().filter(|row| text(row, "act") == "email.sending");
    let reasons = sending.filter(|row| row.to_string().contains("the PI lost it")).count();
    assert_eq!(reasons, 2, "the reason is kept with the act");
    assert_eq!(entries(&home.json("statements show S-2025-01-0002")["emails"]).len(), 3);
    assert_eq!(home.run("send --again S-2025-01-0002").code, 2, "a reason is asked for");
    assert_eq!(home.run("send").code, 2);
}

/// A message that was cut off may have arrived; the next one, sent on purpose, is another message.
#[test]
fn a_resend_that_vanishes_is_uncertain_and_goes_out_at_most_once() {
    let server = SmtpServer::start(&[Reply::Accept, Reply::Vanish]);
    let home = Home::bare();
    home.write("config.yaml", support::CONFIG.replace("dev_mode: true\n", &server.config()));
    home.open("2025-01");
    deliver(&home);
    home.bill_january();
    home.ok("send --period 2025-01");
    let again = "send --again S-2025-01-0002 --reason 'the PI lost it'";
    assert!(home.refused(again).contains("uncertain"));
    let attempts = server.delivered().len();
    assert!(home.refused("send --period 2025-01").contains("1 uncertain"));
    assert_eq!(server.delivered().len(), attempts, "nothing goes out by itself");
    home.ok(again);
    home.ok("send --period 2025-01");
}
