//! From delivered files to a finalized period, and what is refused afterwards.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use insta::assert_snapshot;
use money::Amount;

use super::{TRAINING, decided, delivered};
use crate::support::{
    CONFIG, Home, Table, amount, due, exact, is_said, pdf_text, posted, project, row, row_of, text,
};

/// Amount due by PI and project.
fn by_project(statements: &[serde_json::Value]) -> BTreeMap<(String, String), String> {
    let entry = |statement: &serde_json::Value| {
        let key = (text(statement, "pi_email").to_owned(), text(statement, "project_id").to_owned());
        (key, text(statement, "amount_due").to_owned())
    };
    statements.iter().map(entry).collect()
}

fn expected(statements: &[(&str, &str, &str)]) -> BTreeMap<(String, String), String> {
    let entry =
        |&(pi, project, due): &(&str, &str, &str)| ((pi.to_owned(), project.to_owned()), due.to_owned());
    statements.iter().map(entry).collect()
}

#[test]
fn a_month_from_files_to_a_finalized_period() {
    let home = delivered();
    assert_eq!(home.billed("all"), exact("189.005"));
    assert_eq!(home.billed("held"), exact("79"));
    assert_eq!(home.billed("billable"), exact("110.005"));

    let home = decided();
    for (state, sum) in
        [("billable", "170.005"), ("held", "0"), ("rejected", "7"), ("deferred", "12"), ("all", "189.005")]
    {
        assert_eq!(home.billed(state), exact(sum), "{state}");
    }

    home.close("2025-01");
    let would_be = home.json("generate --period 2025-01 --dry-run");
    let statements = home.generate("2025-01");
    assert_eq!(due(would_be.as_array().unwrap()), due(&statements), "a dry run says what will be");
    let bills = [
        ("ann@x.edu", "genome", "95.00"), // 80 + 20.005 − 5 = 95.005, and half a cent goes to the even side
        ("ann@x.edu", "course", "50.00"),
        ("bob@x.edu", "proteome", "25.00"),
    ];
    assert_eq!(by_project(&statements), expected(&bills));
    assert_statements_add_across(&home, &statements);
    assert_statements_say_so(&home, &statements);

    home.ok("send --period 2025-01");
    let mail = home.eml();
    assert_eq!(mail.len(), 2, "one message a PI");
    assert!(mail.iter().any(|(_, message)| message.contains("To: ann@x.edu")));

    assert_journals(&home);

    home.finalize("2025-01");
    assert_eq!(home.period_state("2025-01"), "finalized");
    let copy = home.run("export-journal --period 2025-01 --format gl --output copy.csv");
    assert_eq!(copy.code, 0, "a copy can always be had: {}", copy.stderr);
    assert!(copy.stderr.contains("COPY"), "not marked as a copy: {}", copy.stderr);
    assert_eq!(home.read("copy.csv"), home.read("gl.csv"));
    home.ok("send --period 2025-01");
    assert_eq!(home.eml(), mail, "a statement was sent twice");
    home.ok("audit verify");

    let mut refusals = String::new();
    for act in [
        "imports withdraw 1 --reason late --yes",
        "imports reread 1",
        "review reject --id 1:1 --note late --yes",
        "review undo --id 2:3 --yes",
        "periods close 2025-01",
        "periods reopen 2025-01 --reason late",
        "periods finalize 2025-01",
        "generate --period 2025-01",
    ] {
        writeln!(refusals, "$ {act}\n{}", home.refused(act)).unwrap();
    }
    assert_snapshot!(refusals, @"
    $ imports withdraw 1 --reason late --yes
    error: cannot withdraw an import from 2025-01: it is finalized
    hint: a finalized period stays as it is: bill what is missing in an open period

    $ imports reread 1
    2025-01: it is finalized (5 rows, billed 155.005)
    error: the delivery has charges of periods that take no imports
    hint: a finalized period stays as it is: `--only-open` leaves its rows out

    $ review reject --id 1:1 --note late --yes
    error: cannot decide charges of 2025-01: it is finalized
    hint: a finalized period stays as it is: bill what is missing in an open period

    $ review undo --id 2:3 --yes
    error: cannot decide charges of 2025-01: it is finalized
    hint: a finalized period stays as it is: bill what is missing in an open period

    $ periods close 2025-01
    error: cannot close 2025-01: it is finalized
    hint: a finalized period stays as it is: bill what is missing in an open period

    $ periods reopen 2025-01 --reason late
    error: cannot reopen 2025-01: it is finalized
    hint: a finalized period stays as it is: bill what is missing in an open period

    $ periods finalize 2025-01
    error: cannot finalize 2025-01: it is finalized already
    hint: nothing is left to be done

    $ generate --period 2025-01
    error: cannot generate statements for 2025-01: it is finalized
    hint: a finalized period stays as it is: bill what is missing in an open period
    ");
}

/// `list − discount − subsidy = due` for every line and every total, and lines add up to totals.
fn assert_statements_add_across(home: &Home, statements: &[serde_json::Value]) {
    for statement in statements {
        let net = |list: Amount, discount: Amount, subsidy: Amount| list - discount - subsidy;
        let [list, discount, subsidy, due] =
            ["list_cost", "discount", "subsidy", "amount_due"].map(|field| amount(statement, field));
        assert_eq!(net(list, discount, subsidy), due, "{statement}");
        let lines = home.statement_lines(text(statement, "number"));
        let mut sums = [Amount::ZERO; 4];
        for line in &lines {
            let figures = ["list", "discount", "subsidy", "due"].map(|field| posted(line, field));
            assert_eq!(net(figures[0], figures[1], figures[2]), figures[3], "{line}");
            for (sum, figure) in sums.iter_mut().zip(figures) {
                *sum += figure;
            }
        }
        assert_eq!(sums, [list, discount, subsidy, due], "lines do not add up: {statement}");
    }
}

/// Every PDF says whose it is, for what, how much, and that a part was given away.
fn assert_statements_say_so(home: &Home, statements: &[serde_json::Value]) {
    for statement in statements {
        let pdf = pdf_text(&home.document(statement));
        for field in ["number", "pi_email", "project_id"] {
            assert!(pdf.contains(text(statement, field)), "no {field}: {pdf}");
        }
        let due = text(statement, "amount_due");
        assert!(pdf.contains(&format!("${due}")), "no amount due {due}: {pdf}");
        assert!(pdf.contains("Example University") && pdf.contains("January 2025"), "{pdf}");
        assert!(pdf.contains("of 1"), "a short statement has one page: {pdf}");
    }
}

/// Every format of the journal: balanced, complete, and each reference leads back to where it came from.
fn assert_journals(home: &Home) {
    let gl = home.gl("2025-01");
    assert_eq!(gl.sum("debit"), gl.sum("credit"));
    let net = |fund_org: &str| {
        gl.sum_where("debit", "fund_org", fund_org) - gl.sum_where("credit", "fund_org", fund_org)
    };
    for (fund_org, sum) in [("PHYS-1001", "145"), ("BIO-2002", "25"), ("IT-AWS", "-155"), ("IT-HPC", "-15")] {
        assert_eq!(net(fund_org), exact(sum), "{fund_org}");
    }
    assert!(!gl.column("fund_org").contains(&"CHEM-3003"), "what is deferred is not posted");
    for reference in gl.column("reference_id") {
        assert!((1..=25).contains(&reference.len()), "`{reference}`");
        let chain = home.ok(&format!("why {reference}"));
        assert!(chain.contains("_2025-01.csv"), "`{reference}` leads to no file: {chain}");
    }
    for format in ["detail", "summary", "template"] {
        home.ok(&format!("export-journal --period 2025-01 --format {format} --output {format}.csv"));
        let table = Table::read(&home.read(&format!("{format}.csv")));
        assert!(2 <= table.rows.len(), "{format}");
        home.ok(&format!("export-journal --period 2025-01 --format {format}"));
    }
    assert_eq!(home.tree("instance/output/journals").len(), 3, "a file for each format that named none");

    home.write(
        "own.txt",
        "{{ period }}\n{% for entry in entries %}\n{{ 'D' if entry.is_debit else 'C' }} {{ entry.fund_org }} \
         {{ \"%.2f\"|format(entry.amount) }} {{ entry.description|truncate_desc(10) }}\n{% endfor %}\n",
    );
    home.ok("export-journal --period 2025-01 --format template --template own.txt --output own.out");
    let own = home.read("own.out");
    assert!(own.starts_with("2025-01\nD ") || own.starts_with("2025-01\nC "), "{own}");
    let sum = |side: &str| -> Amount {
        let lines = own.lines().filter(|line| line.starts_with(side));
        lines.map(|line| exact(line.split(' ').nth(2).unwrap())).sum()
    };
    assert_eq!(sum("D "), sum("C "), "{own}");
}

#[test]
fn what_is_deferred_is_billed_next_month() {
    let home = decided();
    home.bill_january();
    home.focus(
        "hpc_2025-02.csv",
        &[row_of(
            "2025-02",
            "job-7",
            "CPU",
            "3",
            "3",
            &crate::support::tags("cyd@x.edu", "late", "CHEM-3003"),
        )],
    );
    home.ok("ingest hpc_2025-02.csv");
    // What was deferred with a flag is looked at in the month that bills it.
    home.decide("approve", "--period 2025-02");
    home.close("2025-02");
    let statements = home.generate("2025-02");

    assert_eq!(by_project(&statements), expected(&[("cyd@x.edu", "late", "15.00")]));
    let journal = home.gl("2025-02");
    assert_eq!(journal.sum_where("debit", "fund_org", "CHEM-3003"), exact("15"));
    assert_eq!(home.billed("deferred"), exact("12"), "January still says where it went");
    // January stays as it was.
    home.gl("2025-01");
    home.finalize("2025-01");
    assert_eq!(home.gl("2025-01").sum("debit") - home.gl("2025-01").sum("credit"), Amount::ZERO);
}

#[test]
fn generating_again_makes_a_version_only_of_what_changed() {
    let home = decided();
    let first = home.bill_january();
    assert!(first.iter().all(|statement| statement["version"] == 1));
    assert_eq!(home.generate("2025-01"), first, "nothing changed, so nothing is issued");

    home.reopen("2025-01", "a share was wrong");
    home.decide("reject", "--id 2:2");
    home.close("2025-01");
    let second = home.generate("2025-01");
    let version = |name: &str| {
        let statement = second.iter().find(|one| text(one, "project_id") == name).unwrap();
        (statement["version"].as_u64().unwrap(), text(statement, "amount_due").to_owned())
    };
    assert_eq!(version("proteome"), (2, "10.00".to_owned()));
    assert_eq!(version("genome"), (1, "95.00".to_owned()));
    let number = text(second.iter().find(|one| one["version"] == 2).unwrap(), "number").to_owned();
    let old = home.ok(&format!("statements show {number} --version 1"));
    assert!(old.contains("25.00"), "an issued version is never lost: {old}");
}

#[test]
fn a_closed_period_keeps_the_configuration_it_was_closed_with() {
    let home = decided();
    let first = home.bill_january();
    let older = CONFIG.replace("account_code: \"54100\"", "account_code: \"99999\"");
    home.write("config.yaml", format!("{older}review: {{ flag_patterns: [Compute] }}\n"));
    assert_eq!(home.generate("2025-01"), first);
    let accounts = home.gl("2025-01");
    assert!(!accounts.column("account").contains(&"99999"), "{:?}", accounts.rows);
    assert!(accounts.column("account").contains(&"54100"), "{:?}", accounts.rows);
    home.write("config.yaml", format!("{CONFIG}{TRAINING}"));
}

#[test]
fn a_new_month_is_opened_and_said_so() {
    #[expect(clippy::disallowed_methods, reason = "which months open by themselves depends on today")]
    let today = jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).date();
    let last_month = today.first_of_month().yesterday().unwrap();
    let period = format!("{:04}-{:02}", last_month.year(), last_month.month());
    let home = Home::bare();
    home.write("config.yaml", CONFIG);
    home.focus("aws.csv", &[row_of(&period, "i-1", "Compute", "1", "1", &project("genome"))]);

    let answer = home.run("ingest aws.csv");

    assert_eq!(answer.code, 0, "{}", answer.stderr);
    assert!(answer.stderr.contains(&period) && answer.stderr.contains("open"), "{}", answer.stderr);
    assert_eq!(home.period_state(&period), "open");
    assert!(is_said(&home.json("imports list")));
}

#[test]
fn a_statement_of_zero_and_one_below() {
    let home = Home::new();
    home.focus(
        "aws.csv",
        &[
            row("i-1", "Compute", "10", "0", &project("given-away")),
            row("i-2", "Refund", "-4.5", "-4.5", &project("refunded")),
        ],
    );
    home.ok("ingest aws.csv");
    let statements = home.bill_january();
    let pi = "pi@example.edu";
    assert_eq!(by_project(&statements), expected(&[(pi, "given-away", "0.00"), (pi, "refunded", "-4.50")]));
    assert_statements_add_across(&home, &statements);
    let journal = home.gl("2025-01");
    assert_eq!(journal.rows.len(), 2, "a line of zero is left out: {:?}", journal.rows);
}

#[test]
fn charges_held_back_are_named_on_the_statement() {
    let home = Home::with(TRAINING);
    home.focus(
        "aws.csv",
        &[
            row("i-1", "Compute", "10", "10", &project("genome")),
            row("training-1", "Compute", "33.25", "33.25", &project("genome")),
        ],
    );
    home.ok("ingest aws.csv");
    let statements = home.bill_january();
    assert_eq!(text(&statements[0], "amount_due"), "10.00");
    let pdf = pdf_text(&home.document(&statements[0]));
    assert!(pdf.contains("33.25"), "what is held back is not said: {pdf}");
}
