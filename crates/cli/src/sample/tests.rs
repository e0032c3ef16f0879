//! The sample data shows what its README says.

use std::collections::{BTreeMap, BTreeSet};

use money::Amount;

use super::*;

type Row = BTreeMap<String, String>;

fn rows(file: &SampleFile) -> Vec<Row> {
    csv::Reader::from_reader(file.bytes).deserialize().map(|row| row.unwrap()).collect()
}

fn all_rows() -> Vec<(&'static str, Row)> {
    FILES.iter().flat_map(|file| rows(file).into_iter().map(|row| (file.name, row))).collect()
}

fn amount(row: &Row, column: &str) -> Amount {
    row[column].parse().unwrap_or_else(|error| panic!("{column} of {row:?}: {error}"))
}

fn tags(row: &Row) -> serde_json::Map<String, serde_json::Value> {
    let text = row["Tags"].as_str();
    if text.is_empty() { serde_json::Map::new() } else { serde_json::from_str(text).unwrap() }
}

fn tag(row: &Row, name: &str) -> String {
    tags(row).get(name).and_then(|value| value.as_str()).unwrap_or_default().to_owned()
}

#[test]
fn the_readme_states_rows_and_sums() {
    let readme = include_str!("../../../../sample_data/README.md");
    for file in &FILES {
        let rows = rows(file);
        assert!((15..=40).contains(&rows.len()), "{} has {} rows", file.name, rows.len());
        let sum = |column| rows.iter().map(|row| amount(row, column)).sum::<Amount>().to_string();
        let line = readme.lines().find(|line| line.starts_with(&format!("| `{}`", file.name))).unwrap();
        let stated: Vec<String> =
            line.split('|').skip(2).take(3).map(|cell| cell.trim().replace(',', "")).collect();
        assert_eq!(stated, [rows.len().to_string(), sum("ListCost"), sum("BilledCost")], "{}", file.name);
    }
}

#[test]
fn the_rows_that_are_promised_are_there() {
    let rows = all_rows();
    let zero = Amount::ZERO;
    let billed = |row: &Row| amount(row, "BilledCost");
    let list = |row: &Row| amount(row, "ListCost");
    let count = |what: &dyn Fn(&Row) -> bool| rows.iter().filter(|(_, row)| what(row)).count();
    let column = |row: &Row, name: &str| row.get(name).cloned().unwrap_or_default();
    assert!(count(&|row| row["Tags"].is_empty() || row["Tags"] == "{}") > 1, "rows without tags");
    assert!(count(&|row| billed(row).is_zero() && list(row) > zero) > 1, "a full subsidy");
    assert!(count(&|row| billed(row) > zero && billed(row) < list(row)) > 1, "a partial discount");
    assert!(count(&|row| column(row, "ChargeCategory") == "Credit" && billed(row) < zero) == 1, "a credit");
    assert!(count(&|row| column(row, "ChargeClass") == "Correction") == 1, "a correction");
    assert!(count(&|row| row["BilledCost"].contains('E')) > 0, "an E-notation amount");
    assert!(count(&|row| list(row).is_zero() && billed(row) > zero) > 0, "an unknown list price");
    assert!(count(&|row| tag(row, "description").contains([',', '"'])) > 0, "a comma and a quote in a tag");
    assert!(count(&|row| row["ChargePeriodStart"] == row["ChargePeriodEnd"]) == 2, "inclusive days");
}

#[test]
fn projects_are_shared_and_split_as_promised() {
    let mut funds: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut sources: BTreeMap<String, BTreeSet<&str>> = BTreeMap::new();
    let mut owners: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (file, row) in all_rows() {
        let project = tag(&row, "project_id");
        if project.is_empty() {
            continue;
        }
        funds.entry(project.clone()).or_default().insert(tag(&row, "fund_org"));
        sources.entry(project.clone()).or_default().insert(file.split('_').next().unwrap());
        owners.entry(tag(&row, "pi_email")).or_default().insert(project);
    }
    assert_eq!(funds.len(), 12);
    assert_eq!(sources["glacier-genomics"].len(), 4);
    assert!(
        funds["cortex-imaging"].is_superset(&["NEURO-22310".to_owned(), "NEURO-22317".to_owned()].into())
    );
    let addresses: Vec<&String> = owners.keys().filter(|owner| owner.ends_with("@example.edu")).collect();
    assert_eq!(addresses.len(), 10, "{addresses:?}");
}

#[test]
fn the_dialects_are_those_of_the_sources() {
    for file in &FILES {
        let mut reader = csv::Reader::from_reader(file.bytes);
        let columns = reader.headers().unwrap().len();
        let source = file.name.split('_').next().unwrap();
        let expected = BTreeMap::from([("aws", 45), ("azure", 44), ("hpc", 12), ("storage", 12)]);
        assert_eq!(columns, expected[source], "{}", file.name);
        let period = &file.name[source.len() + 1..source.len() + 8];
        assert!(rows(file).iter().all(|row| row["BillingPeriodStart"].starts_with(period)), "{}", file.name);
    }
}

#[test]
fn the_flagged_rows_of_the_readme_are_there() {
    let readme = include_str!("../../../../sample_data/README.md");
    let flagged: Vec<Vec<&str>> = readme
        .lines()
        .filter(|line| line.starts_with("| 2025-"))
        .map(|line| line.split('|').map(str::trim).collect())
        .collect();
    assert!(flagged.len() > 20);
    for cells in flagged {
        let file = format!("{}_{}.csv", cells[2], cells[1]);
        let resource = cells[3].split('`').nth(1).unwrap();
        let rows = all_rows();
        let row = rows.iter().find(|(name, row)| *name == file && row["ResourceName"] == resource);
        assert!(row.is_some(), "{file} has no {resource}");
        let missing = |name| tag(&row.unwrap().1, name).is_empty();
        for name in ["pi_email", "project_id", "fund_org"] {
            assert_eq!(
                cells[4].contains(&format!("missing_{name}")),
                missing(name),
                "{file} {resource} {name}"
            );
        }
    }
}
