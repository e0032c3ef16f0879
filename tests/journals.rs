//! Journals after they left the house: accepted, rejected and posted again, waived; what a correction
//! posts; what a period waits for. Start with `a_rejected_journal_is_posted_again_whole`.
#![expect(clippy::unwrap_used, reason = "a story that cannot be told is a failed test")]

mod support;

use std::fmt::Write as _;

use insta::assert_snapshot;
use support::{Home, Table, entries, exact, project, row, tags, text, texts};

/// January with two projects of 10 and 25, closed, with statements.
fn billed() -> Home {
    billed_with("")
}

fn billed_with(config: &str) -> Home {
    let home = Home::with(config);
    home.focus(
        "aws.csv",
        &[
            row("i-1", "Compute", "10", "10", &project("genome")),
            row("i-2", "Storage", "20", "20", &tags("bob@x.edu", "proteome", "BIO-2002")),
            row("i-3", "Compute", "5", "5", &tags("bob@x.edu", "proteome", "BIO-2002")),
        ],
    );
    home.ok("ingest aws.csv");
    home.bill_january();
    home
}

/// Reopen January, reject the charge of 20, close it, make the statements again.
fn correct(home: &Home) {
    home.reopen("2025-01", "storage was free");
    home.decide("reject", "--id 1:2");
    home.bill_january();
}

/// `fund_org debit credit` of every line of an exported file.
fn lines(home: &Home, file: &str) -> String {
    let table = Table::read(&home.read(file));
    let (funds, debits, credits) = (table.column("fund_org"), table.column("debit"), table.column("credit"));
    let rows = funds.iter().zip(debits).zip(credits);
    rows.fold(String::new(), |mut text, ((fund, debit), credit)| {
        writeln!(
            text,
            "{fund} {} {}",
            if debit.is_empty() { "-" } else { debit },
            if credit.is_empty() { "-" } else { credit }
        )
        .unwrap();
        text
    })
}

#[test]
fn a_rejected_journal_is_posted_again_whole() {
    let home = billed();
    let first = home.json("export-journal --period 2025-01 --format gl --output first.csv");
    assert_eq!(text(&first, "document"), "J-2025-01-1");
    assert_eq!(home.journals("2025-01"), ["J-2025-01-1 exported"]);

    home.ok("journals reject J-2025-01-1 --reason 'fund 2002 has ended'");
    assert_eq!(home.journals("2025-01"), ["J-2025-01-1 rejected"]);
    let answer = home.run("export-journal --period 2025-01 --format gl --output second.csv");
    assert_snapshot!(answer.stderr, @"
    J-2025-01-2 posts again what accounting rejected as J-2025-01-1
    hint: when accounting has answered: `focus-billing journals accept J-2025-01-2`, or `reject`
    ");
    assert_eq!(home.read("second.csv"), home.read("first.csv").replace("J-2025-01-1", "J-2025-01-2"));
    let shown = home.json("journals show J-2025-01-1");
    assert_eq!((text(&shown, "replaced_by"), text(&shown, "reason")), ("J-2025-01-2", "fund 2002 has ended"));
    assert_eq!(texts(&home.json("journals show J-2025-01-2")["replaces"]), ["J-2025-01-1"]);

    // The replacement is what counts now: another export is a copy of it, and the old one can still be had.
    let copy = home.json("export-journal --period 2025-01 --format gl --output copy.csv");
    assert_eq!(
        (text(&copy, "document"), &copy["copy"], &copy["same_bytes"]),
        ("J-2025-01-2", &true.into(), &true.into())
    );
    home.ok("export-journal --period 2025-01 --format gl --document j-2025-01-1 --output old.csv");
    assert_eq!(home.read("old.csv"), home.read("first.csv"));
    home.ok("journals accept J-2025-01-2 --note 'JV 7'");
    home.ok("periods finalize 2025-01");
}

#[test]
fn after_a_correction_only_the_difference_is_posted() {
    let home = billed();
    home.ok("export-journal --period 2025-01 --output first.csv");
    correct(&home);
    // Accounting answers in its own time.
    home.ok("journals accept J-2025-01-1");
    let second = home.json("export-journal --period 2025-01 --format gl --output second.csv");
    assert_eq!(text(&second, "document"), "J-2025-01-2");
    assert_snapshot!(lines(&home, "second.csv"), @"
    BIO-2002 - 20.00
    IT-AWS 20.00 -
    ");
    // What people read beside it lists what the document posts, and nothing else.
    for format in ["detail", "summary"] {
        home.ok(&format!("export-journal --period 2025-01 --format {format} --output {format}.csv"));
        let table = Table::read(&home.read(&format!("{format}.csv")));
        assert_eq!(table.column("amount_due"), ["-20.00"], "{format}");
        assert_eq!(table.column("version"), ["2"], "{format}");
        assert_eq!(table.column("project_id"), ["proteome"], "{format}");
    }
    // Nothing changed: nothing is to be posted, so it is a copy.
    assert_eq!(home.json("export-journal --period 2025-01 --format gl --output copy.csv")["copy"], true);
    let why = home.ok("why J-2025-01-2");
    assert!(why.contains("S-2025-01-0001"), "{why}");
}

/// The first document is rejected when a second one has posted a difference to it: what is posted again is
/// what the first one had, and the two that stand come to the statements.
#[test]
fn a_rejection_after_a_correction_leaves_the_right_sum() {
    let home = billed();
    home.ok("export-journal --period 2025-01 --output first.csv");
    correct(&home);
    home.ok("export-journal --period 2025-01 --output second.csv");
    home.ok("journals reject J-2025-01-1 --reason 'lost'");
    home.ok("export-journal --period 2025-01 --output third.csv");
    assert_eq!(lines(&home, "third.csv"), lines(&home, "first.csv"));
    let net = |fund: &str| {
        ["second.csv", "third.csv"].map(|file| {
            let table = Table::read(&home.read(file));
            table.sum_where("debit", "fund_org", fund) - table.sum_where("credit", "fund_org", fund)
        })
    };
    let sum = |fund: &str| net(fund)[0] + net(fund)[1];
    assert_eq!((sum("PHYS-1001"), sum("BIO-2002"), sum("IT-AWS")), (exact("10"), exact("5"), exact("-15")));
    assert_eq!(
        home.journals("2025-01"),
        ["J-2025-01-1 rejected", "J-2025-01-2 exported", "J-2025-01-3 exported"]
    );
}

#[test]
fn a_period_waits_for_its_journals() {
    let home = billed();
    let mut story = String::new();
    let mut refuse = |line: &str| writeln!(story, "$ {line}\n{}", home.refused(line)).unwrap();
    let finalize = "periods finalize 2025-01";
    refuse(finalize);
    home.ok("export-journal --period 2025-01 --output gl.csv");
    // The time of the export is the clock's: only what does not change is under the snapshot.
    assert!(home.refused(finalize).contains("J-2025-01-1: exported 20"));
    home.ok("journals reject J-2025-01-1 --reason 'no such account'");
    refuse(finalize);
    refuse("journals waive J-2025-01-1 --reason 'never mind'");
    home.ok("export-journal --period 2025-01 --output gl.csv");
    refuse("journals accept J-2025-01-1");
    home.ok("journals accept J-2025-01-2");
    refuse("journals reject J-2025-01-2 --reason 'too late'");
    refuse("journals accept J-2025-01-9");
    assert_snapshot!(story, @"
    $ periods finalize 2025-01
    S-2025-01-0001 v1 (bob@x.edu, proteome): $25.00 not posted
    S-2025-01-0002 v1 (pi@example.edu, genome): $10.00 not posted
    error: cannot finalize 2025-01: 2 statements are not posted
    hint: `export-journal --period 2025-01` posts them

    $ periods finalize 2025-01
    J-2025-01-1: rejected by accounting: no such account
    S-2025-01-0001 v1 (bob@x.edu, proteome): $25.00 not posted
    S-2025-01-0002 v1 (pi@example.edu, genome): $10.00 not posted
    error: cannot finalize 2025-01: 2 statements are not posted
    hint: `export-journal --period 2025-01` posts them

    $ journals waive J-2025-01-1 --reason 'never mind'
    error: cannot waive J-2025-01-1: accounting has rejected it
    hint: `export-journal --period 2025-01` posts it again; if accounting took it after all, `journals accept J-2025-01-1`

    $ journals accept J-2025-01-1
    error: cannot accept J-2025-01-1: it was rejected, and J-2025-01-2 posts it again
    hint: `journals accept J-2025-01-2` is about what is posted now

    $ journals reject J-2025-01-2 --reason 'too late'
    error: cannot reject J-2025-01-2: accounting has accepted it, which is final
    hint: what is wrong with it is corrected in an open period, and posted there

    $ journals accept J-2025-01-9
    error: journal `J-2025-01-9` is not known
    hint: the latest are J-2025-01-2, J-2025-01-1; `journals list` shows all
    ");
    let reopen = home.refused("periods reopen 2025-01 --reason 'late file'");
    assert!(reopen.contains("J-2025-01-2: accepted 20"), "{reopen}");
    assert!(reopen.contains("cannot reopen 2025-01: accounting has accepted a journal of it"), "{reopen}");
    home.ok(finalize);
    home.ok("audit verify");
}

#[test]
fn an_answer_that_never_comes_is_waived_with_a_reason() {
    let home = billed();
    home.ok("export-journal --period 2025-01 --output gl.csv");
    assert_eq!(home.run("journals waive J-2025-01-1 --reason ' '").code, 2);
    home.ok("journals waive J-2025-01-1 --reason 'entered by hand'");
    home.ok("periods finalize 2025-01");
    let late = home.refused("journals reject J-2025-01-1 --reason 'found in a drawer'");
    assert_snapshot!(late, @"
    error: cannot reject J-2025-01-1: its period is finalized
    hint: a finalized period stays as it is: bill what is missing in an open period
    ");
    home.ok("journals accept J-2025-01-1 --note 'it was there after all'");
    let acts: Vec<String> =
        entries(&home.json("audit list")).iter().map(|row| text(row, "act").to_owned()).collect();
    assert!(
        acts.ends_with(&["journal.waived", "period.finalized", "journal.accepted"].map(str::to_owned)),
        "{acts:?}"
    );
}

#[test]
fn nothing_to_post_needs_no_journal() {
    let home = Home::new();
    home.focus("aws.csv", &[row("i-1", "Compute", "10", "0", &project("given-away"))]);
    home.ok("ingest aws.csv");
    home.bill_january();
    assert_snapshot!(home.refused("export-journal --period 2025-01"), @"
    error: 2025-01 has nothing to post: its statements come to lines of zero
    hint: `periods finalize 2025-01` needs no journal then
    ");
    home.ok("periods finalize 2025-01");
}

#[test]
fn showback_needs_no_journal() {
    let home = Home::with("billing: { require_fund_org: false }\n");
    let nobody_pays = r#"{"pi_email": "pi@example.edu", "project_id": "genome"}"#;
    home.focus("aws.csv", &[row("i-1", "Compute", "10", "10", nobody_pays)]);
    home.ok("ingest aws.csv");
    assert_eq!(home.bill_january().len(), 1);
    home.ok("periods finalize 2025-01");
}

#[test]
fn control_totals_are_those_of_the_file() {
    let home = billed();
    let exported = home.json("export-journal --period 2025-01 --format gl --output gl.csv");
    let table = Table::read(&home.read("gl.csv"));
    assert_eq!(exported["lines"], table.rows.len());
    let totals = [
        ("debit_total", "35.00"),
        ("credit_total", "35.00"),
        ("balance", "0.00"),
        ("document_total", "70.00"),
    ];
    for (field, amount) in totals {
        assert_eq!(text(&exported, field), amount);
    }
    assert_eq!((table.sum("debit"), table.sum("credit")), (exact("35"), exact("35")));
    let accounts: u64 = table.column("account").iter().map(|account| account.parse::<u64>().unwrap()).sum();
    assert_eq!(exported["hash_total"], accounts);
    assert_eq!(home.json("journals show J-2025-01-1")["control"]["hash_total"], accounts);

    let shown = home.ok("journals show J-2025-01-1");
    let shown: Vec<&str> = shown.lines().take_while(|line| !line.starts_with("20")).collect();
    assert_snapshot!(shown.join("\n"), @"
    journal J-2025-01-1, January 2025, exported
      lines           3
      debits          35.00
      credits         35.00
      balance         0.00
      document total  70.00
      hash total      162300

    fund_org   account  debit  credit  description                             reference
    ─────────  ───────  ─────  ──────  ──────────────────────────────────────  ──────────────
    BIO-2002   54100    25.00          AWS 2025-01 Research Computing Charges  S-2025-01-0001
    PHYS-1001  54100    10.00          AWS 2025-01 Research Computing Charges  S-2025-01-0002
    IT-AWS     54100            35.00  AWS 2025-01 Research Computing Charges  J-2025-01-1

    it posts S-2025-01-0001, S-2025-01-0002
    gl file gl.csv
    ");
}

#[test]
fn texts_fit_the_ledger_that_takes_them() {
    let banner = "journal:\n  limits: { document: 8, description: 20, reference: 8 }\n";
    let home = billed_with(banner);
    assert_snapshot!(home.refused("export-journal --period 2025-01"), @r#"
    error: cannot export journal J-2025-01-1: document number `J-2025-01-1` has 11 characters, more than journal.limits.document (8)
    hint: number documents shorter, for example `journal: { document_format: "J{yy}{month}{sequence}" }` (J25011), or raise the limit
    "#);
    assert_eq!(home.json("journals list"), serde_json::json!([]), "nothing was recorded");

    let short = format!("{banner}  document_format: \"J{{yy}}{{month}}{{sequence}}\"\n");
    home.write("config.yaml", format!("{}{short}", support::CONFIG));
    let answer = home.run("export-journal --period 2025-01 --output gl.csv");
    assert_snapshot!(answer.stderr, @r"
    note: 3 descriptions were cut to 20 characters (journal.limits.description)
    note: 2 references are J25011, because a statement's number does not fit into 8 characters (journal.limits.reference); `why J25011` names the statements
    hint: when accounting has answered: `focus-billing journals accept J25011`, or `reject`
    ");
    let table = Table::read(&home.read("gl.csv"));
    assert!(table.column("document").iter().all(|document| *document == "J25011"));
    assert!(table.column("description").iter().all(|text| text.chars().count() <= 20), "{:?}", table.rows);
    assert!(table.column("reference_id").iter().all(|reference| *reference == "J25011"));
    let chain = home.ok("why J25011");
    assert!(chain.contains("S-2025-01-0001") && chain.contains("S-2025-01-0002"), "{chain}");
}
