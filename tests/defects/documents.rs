//! What is issued and sent: to the right person, once, and never touched by looking.

use std::collections::BTreeSet;

use crate::support::{Home, amount, due, entries, exact, pdf_text, pdf_words, project, row, tags, text};

#[test]
fn defect_04_everyone_gets_their_own_statement() {
    let home = Home::new();
    let people = [("jane@a.edu", "11.11"), ("jane@b.edu", "22.22")];
    let rows =
        people.map(|(pi, cost)| row(&format!("i-{pi}"), "Compute", cost, cost, &tags(pi, "shared", "A-1")));
    home.focus("aws.csv", &rows);
    home.ok("ingest aws.csv");

    let statements = home.bill_january();

    let files: BTreeSet<_> = statements.iter().map(|statement| home.document(statement)).collect();
    assert_eq!(files.len(), 2, "two statements share a file: {statements:?}");
    for statement in &statements {
        let pdf = pdf_text(&home.document(statement));
        for (pi, cost) in people {
            let theirs = pi == text(statement, "pi_email");
            assert_eq!(pdf.contains(pi), theirs, "{pdf}");
            assert_eq!(pdf.contains(cost), theirs, "{pdf}");
        }
    }
    home.ok("send --period 2025-01");
    let messages = home.eml();
    assert_eq!(messages.len(), 2);
    for (pi, _) in people {
        let to_them = messages.iter().filter(|(_, message)| message.contains(&format!("To: {pi}")));
        assert_eq!(to_them.count(), 1, "{pi}");
    }
}

#[test]
fn defect_14_sending_twice_sends_once() {
    let home = Home::new();
    home.focus("aws.csv", &[row("i-1", "Compute", "10", "10", &project("genome"))]);
    home.ok("ingest aws.csv");
    home.bill_january();

    home.ok("generate --period 2025-01 --send");
    let sent = home.eml();
    assert_eq!(sent.len(), 1);
    home.ok("generate --period 2025-01 --send");
    home.ok("send --period 2025-01");
    assert_eq!(home.eml(), sent, "a statement was sent again");
}

#[test]
fn defect_15_a_dry_run_changes_nothing() {
    let home = Home::new();
    home.focus("aws.csv", &[row("i-1", "Compute", "150", "150", &project("genome"))]);
    home.ok("ingest aws.csv");
    home.bill_january();
    home.reopen("2025-01", "a late file");
    home.focus("late.csv", &[row("i-2", "Compute", "899", "899", &project("genome"))]);
    home.ok("ingest late.csv --source AWS");
    let books = || {
        let issued = (home.tree("instance/output"), home.tree("instance/documents"));
        (issued, home.json("statements list --period 2025-01"), home.json("audit list"))
    };
    let before = books();

    let would_be = entries(&home.json("generate --period 2025-01 --dry-run"));

    assert_eq!(due(&would_be), exact("1049"));
    assert!(books() == before, "the dry run left a trace");
    home.close("2025-01");
    let drafts = books();
    home.json("generate --period 2025-01 --dry-run");
    assert!(books() == drafts, "the dry run left a trace");
}

#[test]
fn defect_21_no_name_leads_out_of_the_folder() {
    let home = Home::new();
    let long = "x".repeat(300);
    let names = [
        ("x/y@a.edu", "plain"),
        ("pi@a.edu", "../../escape"),
        ("pi@a.edu", "/etc/passwd"),
        ("pi@a.edu", "a\\b:c*?\"<>|"),
        ("pi@a.edu", "..."),
        ("pi@a.edu", "CON"),
        ("pi@a.edu", "con"),
        ("pi@a.edu", "größe 木"),
        ("pi@a.edu", long.as_str()),
    ];
    let rows: Vec<String> = names
        .iter()
        .enumerate()
        .map(|(n, (pi, project))| {
            let tags = serde_json::json!({"pi_email": pi, "project_id": project, "fund_org": "A-1"});
            row(&format!("i-{n}"), "Compute", "1", "1", &tags.to_string())
        })
        .collect();
    home.focus("aws.csv", &rows);
    home.ok("ingest aws.csv");

    let statements = home.bill_january();

    assert_eq!(statements.len(), names.len());
    let folder = home.path().join("instance/output/pdfs").canonicalize().unwrap();
    let mut seen = BTreeSet::new();
    for statement in &statements {
        let file = home.document(statement).canonicalize().unwrap();
        assert!(file.starts_with(&folder), "{}", file.display());
        assert!(std::fs::read(&file).unwrap().starts_with(b"%PDF-"), "{}", file.display());
        // Where case does not tell files apart, two names must still be two.
        assert!(seen.insert(file.display().to_string().to_lowercase()), "{} twice", file.display());
    }
    home.ok("send --period 2025-01");
    assert_eq!(home.eml().len(), 2);
}

#[test]
fn defect_27_the_currency_is_the_configured_one() {
    let home = Home::with("currency: \"€\"\ncurrency_code: EUR\n");
    home.focus("aws.csv", &[row("i-1", "Compute", "2000", "1234.50", &project("genome"))]);
    home.ok("ingest aws.csv");

    let statements = home.bill_january();

    assert_eq!(text(&statements[0], "currency"), "EUR");
    home.ok("send --period 2025-01");
    let html = home.tree("instance/output/emails");
    let html = html.iter().find(|(path, _)| path.extension().is_some_and(|e| e == "html")).unwrap().1;
    let html = String::from_utf8(html.clone()).unwrap();
    let pdf = pdf_text(&home.document(&statements[0]));
    let shown = home.ok("show pi@example.edu --period 2025-01");
    for (place, words) in [("e-mail", html), ("statement", pdf), ("show", shown)] {
        assert!(words.contains("€1,234.50"), "{place}: {words}");
        assert!(!words.contains('$'), "{place}: {words}");
    }
}

#[test]
fn defect_29_long_names_do_not_run_into_each_other() {
    let home = Home::new();
    let pi = "bartholomew.featherstonehaugh@computational-biology.example.edu";
    let project = "genome-wide-association-of-everything-with-everything-else-2025";
    home.focus(
        "aws.csv",
        &[row(
            "arn:aws:ec2:us-east-1:123456789012:instance/i-0123456789abcdef0123456789abcdef",
            "Amazon Elastic Compute Cloud with a name that goes on and on",
            "1500000",
            "1234567.89",
            &tags(pi, project, "PHYS-1001"),
        )],
    );
    home.ok("ingest aws.csv");

    let statements = home.bill_january();

    assert_eq!(amount(&statements[0], "amount_due"), exact("1234567.89"));
    let file = home.document(&statements[0]);
    let words = pdf_words(&file);
    assert!(words.len() > 30, "the statement says next to nothing");
    for (at, word) in words.iter().enumerate() {
        let covered = words[at + 1..].iter().find(|other| word.covers(other));
        assert!(covered.is_none(), "`{}` and `{}` overlap", word.text, covered.unwrap().text);
    }
    let pdf = pdf_text(&file);
    assert!(pdf.contains("1,234,567.89"), "{pdf}");
}
