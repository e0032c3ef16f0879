//! What may be done when, and what a command says it did.

use crate::support::{Home, exact, project, row, row_of, text};

/// January 2025 with two charges of 10, one of them flagged.
fn january() -> Home {
    let home = Home::with("review: { flag_patterns: [training] }\n");
    let rows = ["i-1", "training-1"].map(|id| row(id, "Compute", "10", "10", &project("genome")));
    home.focus("aws.csv", &rows);
    home.ok("ingest aws.csv");
    home
}

#[test]
fn defect_12_a_closed_period_is_closed_for_every_act() {
    let home = january();
    home.bill_january();
    home.focus("more.csv", &[row("i-9", "Compute", "1", "1", &project("genome"))]);
    home.open("2025-02");
    let imports = ["ingest more.csv --source AWS", "ingest more.csv --source AWS --period 2025-02"];
    let acts = [
        "imports withdraw 1 --reason 'by mistake' --yes",
        "review approve --id 1:2 --note fine --yes",
        "review reject --id 1:1 --note fine --yes",
        "review defer --id 1:1 --note fine --yes",
        "review reassign --id 1:1 --to-project other --note fine --yes",
    ];
    for act in acts.into_iter().chain(imports) {
        let words = home.refused(act);
        assert!(words.contains("2025-01") && words.contains("closed"), "`{act}`: {words}");
    }
    // A file of two months is measured by its rows, whatever the command says.
    let february = row_of("2025-02", "i-9", "Compute", "1", "1", &project("genome"));
    home.focus("two.csv", &[row("i-9", "Compute", "1", "1", &project("genome")), february]);
    let words = home.refused("ingest two.csv --source AWS --period 2025-02");
    assert!(words.contains("2025-01") && words.contains("closed"), "{words}");
    assert_eq!((home.billed("all"), home.billed("held")), (exact("20"), exact("10")));

    home.reopen("2025-01", "to decide");
    home.decide("approve", "--id 1:2");
    home.bill_january();
    home.finalize("2025-01");
    for act in acts.into_iter().chain(["generate --period 2025-01", "periods reopen 2025-01 --reason again"])
    {
        let words = home.refused(act);
        assert!(words.contains("2025-01") && words.contains("finalized"), "`{act}`: {words}");
    }
    // What a finalized month is delivered is held in an open one; the month itself stays as it is.
    home.ok("ingest two.csv --source AWS --append");
    let by_period = home.report("--by period --state all");
    assert_eq!(by_period.sum_where("billed_cost", "period", "2025-01"), exact("20"));
}

#[test]
fn defect_24_notes_are_never_erased() {
    let home = january();
    home.decide("approve", "--id 1:2");
    home.bill_january();
    home.reopen("2025-01", "the storage file came late");
    home.close("2025-01");
    home.reopen("2025-01", "and so did the cluster");
    home.bill_january();
    home.settle("2025-01");
    home.ok("periods finalize 2025-01 --notes 'signed by Kim'");

    let shown = home.ok("periods show 2025-01");
    for words in ["the storage file came late", "and so did the cluster", "signed by Kim"] {
        assert!(shown.contains(words), "`{words}` is gone: {shown}");
    }
}

#[test]
fn defect_25_a_command_says_what_it_did() {
    let home = january();
    let words = home.refused("review approve --id 1:99999 --note fine --yes");
    assert!(words.contains("1:99999"), "{words}");

    home.decide("reject", "--id 1:1");
    assert_eq!(home.billed("rejected"), exact("10"), "an unflagged charge can be rejected, and then it is");

    home.close("2025-01");
    let words = home.refused("periods open 2025-01");
    assert!(words.contains("closed") && words.contains("reopen"), "{words}");
    assert_eq!(home.period_state("2025-01"), "closed");

    home.reopen("2025-01", "to approve");
    home.decide("approve", "--id 1:2");
    home.bill_january();
    let gl = "document,line,period,fund_org,fund,orgn,account,debit,credit,description,reference_id";
    assert_eq!(home.gl("2025-01").header.join(","), gl);
    assert_eq!(home.run("export-journal --period 2025-01 --format banana").code, 2);
}

#[test]
fn defect_26_no_request_ends_in_a_crash() {
    let home = january();
    home.decide("approve", "--id 1:2");
    home.bill_january();
    home.finalize("2025-01");
    let words = home.refused("periods close 2025-01");
    assert!(words.contains("2025-01") && words.contains("finalized"), "{words}");
    assert_eq!(text(&home.json("periods show 2025-01"), "state"), "finalized");

    // A pattern nested without end is a mistake in the configuration, said as one.
    let home = Home::bare();
    home.write("config.yaml", format!("review: {{ flag_patterns: ['{}'] }}\n", "(".repeat(5000)));
    home.focus("aws.csv", &[row("i-1", "Compute", "10", "10", &project("genome"))]);
    for command in ["config check", "ingest aws.csv --source AWS", "periods list"] {
        let answer = home.run(command);
        assert_eq!(answer.code, 1, "`{command}`");
        let words = answer.stdout + &answer.stderr;
        assert!(words.contains("flag_patterns") && !words.contains("panicked"), "`{command}`: {words}");
        assert!(words.len() < 2000, "`{command}` prints the whole pattern");
    }
}
