//! The first thing that a newcomer runs: the whole month on bundled data, in a folder of its own.

use money::Amount;

use crate::support::{Home, Table, due, entries};

#[test]
fn the_demo_ends_with_statements_mail_and_a_balanced_journal() {
    let home = Home::bare();

    let answer = home.run("demo --dir tour");

    assert_eq!(answer.code, 0, "{}", answer.stderr);
    let words = format!("{}{}", answer.stdout, answer.stderr);
    assert!(
        words.contains("tour") && words.contains("focus-billing"),
        "where it is, what to try next: {words}"
    );
    let files = home.tree("tour");
    let of_kind = |kind: &str| -> Vec<&Vec<u8>> {
        let found = files.iter().filter(|(path, _)| path.extension().is_some_and(|e| e == kind));
        found.filter(|(path, _)| path.starts_with("tour/instance/output")).map(|(_, bytes)| bytes).collect()
    };
    let pdfs = of_kind("pdf");
    assert!(!pdfs.is_empty() && pdfs.iter().all(|pdf| pdf.starts_with(b"%PDF-")));
    assert!(!of_kind("eml").is_empty());
    assert!(!of_kind("csv").is_empty());

    // What it made is an installation like any other.
    home.ok("audit verify --home tour");
    let periods = entries(&home.json("periods list --home tour"));
    assert!(!periods.is_empty());
    let statements = entries(&home.json("statements list --home tour"));
    let period = statements[0]["period"].as_str().unwrap();
    // A path of the command line is the caller's, wherever the installation is.
    let output = home.path().join("gl.csv");
    home.ok(&format!(
        "export-journal --home tour --period {period} --format gl --output {}",
        output.display()
    ));
    let journal = Table::read(&home.read("gl.csv"));
    assert_eq!(journal.sum("debit"), journal.sum("credit"));
    assert!(Amount::ZERO < journal.sum("debit"));
    assert!(Amount::ZERO < due(&statements));

    // A second tour does not walk over the first.
    let after = home.tree("tour");
    let again = home.refused("demo --dir tour");
    assert!(again.contains("tour"), "{again}");
    assert!(home.tree("tour") == after, "the first tour was changed");
}
