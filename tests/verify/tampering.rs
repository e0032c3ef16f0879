//! Each tampering is found and named: the file, the act, the statement, the line, the amounts.

use std::path::{Path, PathBuf};

use insta::assert_snapshot;

use super::{billed, differences, tamper};
use crate::support::Home;

/// The only file below a folder whose name ends so.
fn file(home: &Home, folder: &str, ending: &str) -> PathBuf {
    let files = home.tree(folder);
    let mut found = files.into_keys().filter(|path| path.to_str().unwrap().ends_with(ending));
    let path = found.next().unwrap_or_else(|| panic!("no {ending} in {folder}"));
    home.path().join(path)
}

fn change(path: &Path, change: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = std::fs::read(path).unwrap();
    change(&mut bytes);
    std::fs::write(path, bytes).unwrap();
}

#[test]
fn a_bit_of_a_charge_file() {
    let home = billed();
    let path = file(&home, "instance/lake/charges", ".parquet");
    change(&path, |bytes| bytes[100] ^= 1);
    let told = differences(&home, "verify");
    let shown = path.strip_prefix(home.path().join("instance/lake")).unwrap().display().to_string();
    let line = told.lines().find(|line| line.starts_with(&shown)).unwrap_or_else(|| panic!("{told}"));
    assert!(line.contains("SHA-256"), "{line}");
}

#[test]
fn a_charge_file_that_is_gone() {
    let home = billed();
    std::fs::remove_file(file(&home, "instance/lake/charges", ".parquet")).unwrap();
    let told = differences(&home, "verify");
    assert!(told.contains(".parquet: it is missing"), "{told}");
    assert!(told.contains("cannot be computed"), "{told}");
}

#[test]
fn evidence_that_was_cut_short_or_changed() {
    let home = billed();
    let path = file(&home, "instance/lake/deliveries", ".frames");
    let whole = std::fs::read(&path).unwrap();
    change(&path, |bytes| bytes.truncate(bytes.len() - 7));
    let told = differences(&home, "verify");
    assert!(told.contains("its last bytes are not those of a kept delivery"), "{told}");
    assert!(told.contains("2025-01.csv of import"), "{told}");

    // A byte inside is found by reading the bytes, which only `--deep` does.
    std::fs::write(&path, whole).unwrap();
    change(&path, |bytes| bytes[20] ^= 0x55);
    home.ok("verify");
    let told = differences(&home, "verify --deep");
    assert!(told.contains("2025-01.csv of import"), "{told}");

    std::fs::remove_file(&path).unwrap();
    assert!(differences(&home, "verify").contains("it is missing"));
}

#[test]
fn a_document_that_is_gone_and_one_that_is_another() {
    let home = billed();
    std::fs::remove_file(file(&home, "instance/documents", ".pdf")).unwrap();
    change(&file(&home, "instance/documents", ".journal"), |bytes| bytes.push(b'\n'));
    let told = differences(&home, "verify");
    let places: Vec<&str> = told.lines().collect();
    let [document, journal] = places.as_slice() else { panic!("{told}") };
    assert!(document.starts_with("instance/documents/"), "{told}");
    assert!(document.contains(".pdf (pdf of statement S-2025-01-000"), "{told}");
    assert!(document.ends_with("v1): it is missing"), "{told}");
    let changed = ".journal (gl file of journal J-2025-01-1): bytes: 608 expected, 609 found";
    assert!(journal.ends_with(changed), "{told}");
}

#[test]
fn a_quarantined_row_that_is_gone() {
    let home = billed();
    home.write("instance/lake/quarantine/import-1.csv", "file,line,column,value,message,row\n");
    assert_snapshot!(differences(&home, "verify"), @"quarantine/import-1.csv: quarantined rows: 1 expected, 0 found");
}

#[test]
fn a_row_of_the_ledger() {
    let home = billed();
    tamper(&home, &["UPDATE part SET billed_cost = '1' WHERE import_id = 2"]);
    assert_snapshot!(differences(&home, "verify"), @"
    act 4 (import.committed of import 2): rows that act 4 wrote were edited, added or removed
    import 2 of HPC: billed cost of its parts: 34.004 expected, 1 found
    import 2 of HPC in 2025-01: billed cost: 1 expected, 34.004 found
    2025-01, HPC: cost of the live parts: 1 expected, 34.004 found
    ");
}

#[test]
fn a_row_that_cannot_be_read() {
    let home = billed();
    tamper(&home, &["UPDATE part SET billed_cost = 'much' WHERE import_id = 2"]);
    assert_snapshot!(differences(&home, "verify"), @"
    act 4 (import.committed of import 2): rows that act 4 wrote were edited, added or removed
    the sums of imports: cannot be computed: the ledger holds `much` in `billed_cost`, which cannot be read; run `audit verify`
    the sums of parts: cannot be computed: the ledger holds `much` in `billed_cost`, which cannot be read; run `audit verify`
    statements of 2025-01 computed as of 10: cannot be computed: the ledger holds `much` in `billed_cost`, which cannot be read; run `audit verify`
    2025-02: cannot be computed: the ledger holds `much` in `billed_cost`, which cannot be read; run `audit verify`
    ");
}

#[test]
fn a_decision_that_was_removed() {
    let home = billed();
    tamper(&home, &["DELETE FROM decision WHERE charge_row = 3 AND import_id = 1"]);
    assert_snapshot!(differences(&home, "verify"), @"
    act 6 (charges.approved of charge 1:3): rows that act 6 wrote were edited, added or removed
    statement S-2025-01-0001 v1: $50.00 was issued, and nothing of it follows from the books
    2025-01, AWS: 160 is posted by 4 lines, and 110.005 is billable: the rest of -49.995 is more than rounding makes
    ");
}

/// A forger who knows the books: the model and its digest, the row, the line, all say ten dollars less.
#[test]
fn a_statement_whose_model_was_edited_with_its_digest() {
    let home = billed();
    let id = "statement_number = 'S-2025-01-0002' AND version = 1";
    let ledger = home.path().join("instance/ledger.db");
    let model = super::select(&ledger, &format!("SELECT model FROM statement WHERE {id}"));
    let mut model: serde_json::Value = serde_json::from_str(&model).unwrap();
    let less = |amounts: &mut serde_json::Value| {
        for (name, change) in [("due", -1000), ("discount", 1000)] {
            amounts[name] = (amounts[name].as_i64().unwrap() + change).into();
        }
    };
    less(&mut model["totals"]);
    assert_eq!(model["lines"][1]["service_name"], "Compute", "{model:#}");
    less(&mut model["lines"][1]);
    let model = ledger::canonical_json(&model);
    let digest = ledger::sha256_hex(model.as_bytes());
    let amounts = "due_minor = due_minor - 1000, discount_minor = discount_minor + 1000";
    tamper(
        &home,
        &[
            &format!(
                "UPDATE statement SET model = '{model}', model_digest = '{digest}', {amounts} WHERE {id}"
            ),
            &format!("UPDATE statement_line SET {amounts} WHERE {id} AND service_name = 'Compute'"),
        ],
    );
    assert_snapshot!(differences(&home, "verify"), @r"
    act 11 (statements.issued of 2025-01): rows that act 11 wrote were edited, added or removed
    statement S-2025-01-0002 v1: amount due: $90.00 was issued, $100.00 follows from the books
    statement S-2025-01-0002 v1: discount: $70.00 was issued, $60.00 follows from the books
    statement S-2025-01-0002 v1: line Compute (usage) of AWS on PHYS-1001: amount due: $70.00 was issued, $80.00 follows from the books
    statement S-2025-01-0002 v1: line Compute (usage) of AWS on PHYS-1001: discount: $30.00 was issued, $20.00 follows from the books
    2025-01, AWS: 150 is posted by 4 lines, and 160.005 is billable: the rest of 10.005 is more than rounding makes
    journal J-2025-01-1: line 2: debit $80.00 on PHYS-1001 account 54100 (S-2025-01-0002, AWS, `AWS 2025-01 Research Computing Charges`) was exported, debit $70.00 on PHYS-1001 account 54100 (S-2025-01-0002, AWS, `AWS 2025-01 Research Computing Charges`) follows
    journal J-2025-01-1: line 5: credit $160.00 on IT-AWS account 54100 (J-2025-01-1, AWS, `AWS 2025-01 Research Computing Charges`) was exported, credit $150.00 on IT-AWS account 54100 (J-2025-01-1, AWS, `AWS 2025-01 Research Computing Charges`) follows
    ");
}

#[test]
fn a_line_of_a_journal() {
    let home = billed();
    tamper(&home, &["UPDATE journal_line SET amount_minor = amount_minor + 1 WHERE line = 2"]);
    assert_snapshot!(differences(&home, "verify"), @"
    act 17 (journal.exported of J-2025-01-1): rows that act 17 wrote were edited, added or removed
    journal J-2025-01-1: debits and credits of its lines: $175.01 expected, $175.00 found
    journal J-2025-01-1: debits of its lines: $175.00 expected, $175.01 found
    journal J-2025-01-1: line 2: debit $80.01 on PHYS-1001 account 54100 (S-2025-01-0002, AWS, `AWS 2025-01 Research Computing Charges`) was recorded in the ledger's lines, debit $80.00 on PHYS-1001 account 54100 (S-2025-01-0002, AWS, `AWS 2025-01 Research Computing Charges`) follows
    journals of 2025-01: amounts due and subsidies, and what payers were debited: $175.00 expected, $175.01 found
    ");
}

#[test]
fn the_way_on_is_told_for_each_kind() {
    let home = billed();
    std::fs::remove_file(file(&home, "instance/documents", ".journal")).unwrap();
    tamper(&home, &["UPDATE part SET flagged_count = 7 WHERE import_id = 2"]);
    assert_snapshot!(home.refused("verify"), @"
    error: the books do not hold: 4 differences
    hint: audit chain: somebody wrote to the ledger past the program; `audit list` shows the acts, a backup has the ledger as it was
    hint: documents: restore them from a backup of `instance/documents`
    hint: imports: `imports show` has what was recorded, the quarantined rows among it; a backup has the ledger as it was
    hint: parts: `imports reread` makes the charges again from the delivered bytes
    ");
}
