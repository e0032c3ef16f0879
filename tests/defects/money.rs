//! Sums and journals: exact, balanced, and the same wherever they are shown.

use money::Amount;

use crate::support::{Home, Table, amount, due, exact, posted, project, row, tags, text};

/// The journal template of older installations, as far as it matters: the header that the earlier system
/// shipped, and a loop whose dash eats the line break after it.
const OLDER_TEMPLATE: &str = "\
Fund,Orgn,Account,Program,Activity,Location,Debit,Credit,Description (35 Characters maximum),Reference ID
{%- for line in entries %}
{{ line.fund }},{{ line.orgn }},{{ line.account }},,,,\
{{ \"%.2f\"|format(line.amount) if line.is_debit }},{{ \"%.2f\"|format(line.amount) if line.is_credit }},\
{{ line.description|truncate_desc }},{{ line.reference_id }}
{%- endfor %}
";

/// Debits equal credits, and every amount is above zero and on one side.
fn assert_balanced(journal: &Table) {
    assert_eq!(journal.sum("debit"), journal.sum("credit"));
    for (debit, credit) in journal.column("debit").into_iter().zip(journal.column("credit")) {
        let sides = [exact(debit), exact(credit)];
        assert!(sides.iter().all(|side| !side.is_negative()), "debit `{debit}`, credit `{credit}`");
        assert_eq!(
            sides.iter().filter(|side| side.is_zero()).count(),
            1,
            "debit `{debit}`, credit `{credit}`"
        );
    }
}

#[test]
fn defect_07_what_is_rejected_is_in_no_total() {
    let home = Home::new();
    let rows = [("i-1", "10.01"), ("i-2", "20.02")];
    home.focus("aws.csv", &rows.map(|(id, cost)| row(id, "Compute", cost, cost, &project("genome"))));
    home.ok("ingest aws.csv");
    home.decide("reject", "--id 1:2");

    assert_eq!(home.billed("billable"), exact("10.01"));
    assert_eq!(home.billed("rejected"), exact("20.02"));
    assert_eq!(home.billed("all"), exact("30.03"));
    let shown = home.ok("show pi@example.edu --period 2025-01");
    assert!(shown.contains("10.01") && !shown.contains("30.03"), "{shown}");
    assert_eq!(due(&home.bill_january()), exact("10.01"));
    let shown = home.ok("show pi@example.edu --period 2025-01");
    assert!(shown.contains("10.01") && !shown.contains("30.03"), "{shown}");
}

#[test]
fn defect_08_each_fund_pays_its_own_charges() {
    let home = Home::new();
    let rows = [("i-1", "100", "PHYS-1001"), ("i-2", "900", "PROVOST-2002")];
    let rows = rows.map(|(id, cost, fund_org)| {
        row(id, "Compute", cost, cost, &tags("pi@example.edu", "genome", fund_org))
    });
    home.focus("aws.csv", &rows);
    home.ok("ingest aws.csv");

    let statements = home.bill_january();

    assert_eq!(statements.len(), 1, "one project of one PI is one statement");
    assert_eq!(amount(&statements[0], "amount_due"), exact("1000"));
    let journal = home.gl("2025-01");
    assert_balanced(&journal);
    assert_eq!(journal.sum_where("debit", "fund_org", "PHYS-1001"), exact("100"));
    assert_eq!(journal.sum_where("debit", "fund_org", "PROVOST-2002"), exact("900"));
    assert_eq!(journal.sum_where("credit", "fund_org", "IT-AWS"), exact("1000"));
}

#[test]
fn defect_09_the_first_journal_line_is_a_line_of_its_own() {
    let home = Home::new();
    home.focus("aws.csv", &[row("i-1", "Compute", "12.50", "12.50", &project("genome"))]);
    home.ok("ingest aws.csv");
    home.bill_january();

    home.ok("export-journal --period 2025-01 --format template --output built-in.csv");
    let built_in = home.read("built-in.csv");
    assert_eq!(Table::read(&built_in).rows.len(), home.gl("2025-01").rows.len(), "{built_in}");

    home.write("instance/templates/journal_gl.csv", OLDER_TEMPLATE);
    let answer = home.run("export-journal --period 2025-01 --format template --output older.csv");
    assert_eq!(answer.code, 0, "{}", answer.stderr);
    assert!(
        answer.stderr.contains("journal_gl.csv"),
        "nothing said of the older template: {}",
        answer.stderr
    );
    let older = Table::read(&home.read("older.csv"));
    assert_eq!((older.header.len(), older.rows.len()), (10, 2));
    assert_eq!((older.sum("Debit"), older.sum("Credit")), (exact("12.50"), exact("12.50")));
}

#[test]
fn defect_10_a_source_without_a_credit_is_refused() {
    let home = Home::bare();
    let without = crate::support::CONFIG.replace("fund_org: IT-HPC, ", "");
    home.write("config.yaml", without);
    home.open("2025-01");
    home.focus("aws.csv", &[row("i-1", "Compute", "10", "10", &project("genome"))]);
    home.focus("hpc.csv", &[row("job-1", "CPU", "5", "5", &project("genome"))]);
    home.ok("ingest aws.csv");
    home.ok("ingest hpc.csv");
    home.bill_january();

    for format in ["detail", "summary", "gl", "template"] {
        let words = home.refused(&format!("export-journal --period 2025-01 --format {format}"));
        assert!(words.contains("HPC") && words.contains("fund_org"), "{format}: {words}");
        assert!(!words.contains("source `AWS`"), "{format}: {words}");
    }
    assert!(home.tree("instance/output/journals").is_empty(), "half a journal was written");

    // The way on: paste what the refusal printed.
    home.write("config.yaml", crate::support::CONFIG);
    let journal = home.gl("2025-01");
    assert_balanced(&journal);
    assert_eq!(journal.sum_where("credit", "fund_org", "IT-HPC"), exact("5"));
    assert_eq!(journal.sum("debit"), exact("15"));
}

#[test]
fn defect_11_lines_add_up_to_the_exact_total() {
    let home = Home::new();
    let costs = ["0.125", "0.375", "1.005", "2.675", "0.005", "0.015"];
    let of_service = |cost: &&str| row(cost, &format!("Service {cost}"), cost, cost, &project("genome"));
    home.focus("aws.csv", &costs.iter().map(of_service).collect::<Vec<_>>());
    let dimes: Vec<String> =
        (0..1000).map(|n| row(&format!("job-{n}"), "CPU", "0.10", "0.10", &project("dimes"))).collect();
    home.focus("hpc.csv", &dimes);
    home.ok("ingest aws.csv");
    home.ok("ingest hpc.csv");

    let by_source = home.report("--period 2025-01 --by source --state billable");
    assert_eq!(by_source.column("billed_cost"), ["4.2", "100"], "exact, with no more digits than there are");

    let statements = home.bill_january();
    let of_project = |name: &str| statements.iter().find(|one| text(one, "project_id") == name).unwrap();
    assert_eq!(text(of_project("genome"), "amount_due"), "4.20");
    assert_eq!(text(of_project("dimes"), "amount_due"), "100.00");
    let lines = home.statement_lines(text(of_project("genome"), "number"));
    assert_eq!(lines.len(), costs.len());
    assert_eq!(lines.iter().map(|line| posted(line, "due")).sum::<Amount>(), exact("4.20"));
    for line in &lines {
        let cent = exact("0.01");
        let off = posted(line, "due") - amount(line, "cost");
        assert!(off.abs() < cent, "a line is off by a cent or more: {line}");
    }
    let journal = home.gl("2025-01");
    assert_balanced(&journal);
    assert_eq!(journal.sum("debit"), exact("104.20"));
    let shown = home.ok("show pi@example.edu --period 2025-01");
    assert!(shown.contains("104.20"), "{shown}");
}

#[test]
fn defect_22_a_credit_swaps_sides() {
    let home = Home::new();
    home.focus("aws.csv", &[row("i-1", "Refund", "-50", "-50", &project("genome"))]);
    home.ok("ingest aws.csv");

    let statements = home.bill_january();

    assert_eq!(text(&statements[0], "amount_due"), "-50.00");
    let journal = home.gl("2025-01");
    assert_balanced(&journal);
    assert_eq!(journal.sum_where("debit", "fund_org", "IT-AWS"), exact("50"));
    assert_eq!(journal.sum_where("credit", "fund_org", "PHYS-1001"), exact("50"));
    let pdf = crate::support::pdf_text(&home.document(&statements[0]));
    assert!(pdf.to_lowercase().contains("credit"), "{pdf}");
}

#[test]
fn defect_28_each_charge_keeps_its_account() {
    let home = Home::new();
    let with_account = |id: &str, cost: &str, account: &str| {
        let tags = project("genome").replace('}', &format!(r#", "account_code": "{account}"}}"#));
        row(id, "Compute", cost, cost, &tags)
    };
    let plain = row("i-3", "Compute", "4", "4", &project("genome"));
    home.focus("aws.csv", &[with_account("i-1", "1", "11111"), with_account("i-2", "2", "22222"), plain]);
    home.ok("ingest aws.csv");
    home.bill_january();

    let journal = home.gl("2025-01");
    assert_balanced(&journal);
    for (account, debit) in [("11111", "1"), ("22222", "2"), ("54100", "4")] {
        assert_eq!(journal.sum_where("debit", "account", account), exact(debit), "{account}");
    }
}

#[test]
fn defect_30_a_cell_is_no_formula_and_no_two_cells() {
    let home = Home::with("journal: { debit_description: \"{project_id} {source}\" }\n");
    let project = "=1+1,\"x\"";
    let tags =
        serde_json::json!({"pi_email": "pi@example.edu", "project_id": project, "fund_org": "PHYS-1001"});
    let service = "\"=HYPERLINK(\"\"http://example.org\"\",\"\"pay\"\")\"";
    home.focus("aws.csv", &[row("i-1", service, "7", "7", &tags.to_string())]);
    home.ok("ingest aws.csv");
    home.bill_january();

    // For people, no cell is a formula; an amount below zero would still be a number.
    for format in ["detail", "summary"] {
        home.ok(&format!("export-journal --period 2025-01 --format {format} --output for-people.csv"));
        let table = Table::read(&home.read("for-people.csv"));
        for cell in table.rows.iter().flatten() {
            assert!(!cell.starts_with(['=', '@', '+']), "{format}: {cell}");
        }
        assert!(table.rows.iter().flatten().any(|cell| cell.contains("1+1")), "{format} lost the project");
    }

    // For machines, what was delivered, quoted as CSV asks.
    let journal = home.gl("2025-01");
    assert!(journal.column("description").contains(&"=1+1,\"x\" AWS"), "{:?}", journal.rows);
    home.ok("export-journal --period 2025-01 --format template --output template.csv");
    let table = Table::read(&home.read("template.csv"));
    assert_eq!(table.rows.len(), journal.rows.len());
    assert!(table.rows.iter().flatten().any(|cell| cell.contains(",\"x\"")), "{:?}", table.rows);
}
