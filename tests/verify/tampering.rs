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

/// Digests and paths with digests differ from run to run where PDFs do; here they are shortened.
fn shortened(text: &str) -> String {
    let mut out = String::new();
    let mut digits = String::new();
    for letter in text.chars().chain(['\n']) {
        if letter.is_ascii_hexdigit() {
            digits.push(letter);
            continue;
        }
        if digits.len() == 64 {
            out.push('#');
        } else {
            out.push_str(&digits);
        }
        digits.clear();
        out.push(letter);
    }
    out.trim_end().to_owned()
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
    assert_snapshot!(shortened(&differences(&home, "verify")), @"");
}

#[test]
fn a_quarantined_row_that_is_gone() {
    let home = billed();
    home.write("instance/lake/quarantine/import-1.csv", "file,line,column,value,message,row\n");
    assert_snapshot!(differences(&home, "verify"), @"");
}

#[test]
fn a_row_of_the_ledger() {
    let home = billed();
    tamper(&home, &["UPDATE part SET billed_cost = '1' WHERE import_id = 2"]);
    assert_snapshot!(differences(&home, "verify"), @"");
}

#[test]
fn a_decision_that_was_removed() {
    let home = billed();
    tamper(&home, &["DELETE FROM decision WHERE charge_row = 3 AND import_id = 2"]);
    assert_snapshot!(differences(&home, "verify"), @"");
}

#[test]
fn a_statement_whose_model_was_edited_with_its_digest() {
    let home = billed();
    let id = "statement_number = 'S-2025-01-0002' AND version = 1";
    let url = home.path().join("instance/ledger.db");
    let model = super::select(&url, &format!("SELECT model FROM statement WHERE {id}"));
    let edited =
        model.replace("\"due\":10000", "\"due\":9000").replace("\"discount\":2000", "\"discount\":3000");
    let edited = if edited == model { model.replacen("\"due\":", "\"due\":1", 1) } else { edited };
    let digest = super::sha256(&edited);
    tamper(
        &home,
        &[&format!("UPDATE statement SET model = '{edited}', model_digest = '{digest}' WHERE {id}")],
    );
    assert_snapshot!(differences(&home, "verify"), @"");
}

#[test]
fn a_line_of_a_journal() {
    let home = billed();
    tamper(&home, &["UPDATE journal_line SET amount_minor = amount_minor + 1 WHERE line = 2"]);
    assert_snapshot!(differences(&home, "verify"), @"");
}

#[test]
fn the_way_on_is_told_for_each_kind() {
    let home = billed();
    std::fs::remove_file(file(&home, "instance/documents", ".journal")).unwrap();
    tamper(&home, &["UPDATE part SET flagged_count = 7 WHERE import_id = 2"]);
    assert_snapshot!(home.refused("verify"), @"");
}
