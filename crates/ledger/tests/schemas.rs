//! The two schemas have the same tables, columns and constraints by name; only the types are spelled
//! differently. (That the columns are those the program writes is shown by every test of the suite.)

#![expect(clippy::unwrap_used, reason = "what a test takes for granted fails it")]

use std::path::Path;

const FOLDERS: [&str; 2] = ["sqlite", "postgres"];

fn migrations(folder: &str) -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations").join(folder);
    let mut files: Vec<(String, String)> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| {
            let entry = entry.unwrap();
            (entry.file_name().into_string().unwrap(), std::fs::read_to_string(entry.path()).unwrap())
        })
        .collect();
    files.sort();
    files
}

/// A line without comment, and with SQLite's spelling of what PostgreSQL spells otherwise.
fn spelled_alike(line: &str) -> String {
    line.replace("BIGINT", "INTEGER").replace("TEXT COLLATE \"C\"", "TEXT").replace(") STRICT;", ");")
}

#[test]
fn migrations_have_the_same_names_in_the_same_order() {
    let [sqlite, postgres] = FOLDERS.map(|folder| migrations(folder).into_iter().map(|(name, _)| name));
    assert_eq!(sqlite.collect::<Vec<_>>(), postgres.collect::<Vec<_>>());
}

#[test]
fn tables_and_columns_are_the_same() {
    let [sqlite, postgres] = FOLDERS.map(|folder| {
        let files = migrations(folder);
        files.iter().flat_map(|(_, text)| text.lines()).map(spelled_alike).collect::<Vec<_>>()
    });
    assert!(sqlite.iter().filter(|line| line.starts_with("CREATE TABLE")).count() > 20);
    assert_eq!(sqlite, postgres);
}

#[test]
fn types_are_whole_numbers_and_text_only() {
    for (folder, allowed) in FOLDERS.into_iter().zip([["INTEGER", "TEXT"], ["BIGINT", "TEXT"]]) {
        for (name, text) in migrations(folder) {
            for line in text.lines().filter(|line| line.starts_with("  ") && !line.contains('(')) {
                let kind = line.split_whitespace().nth(1).unwrap().trim_end_matches(',');
                assert!(allowed.contains(&kind), "{folder}/{name}: {line}");
            }
        }
    }
}
