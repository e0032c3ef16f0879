//! What real Slurms of two versions said (`tests/fixtures/slurm`): every form says the same, and what sacct and
//! sreport make of the same jobs is what is charged.

use std::collections::BTreeMap;

use super::*;

const VERSIONS: [&str; 2] = ["22.05", "24.11"];

/// `FOCUS_BILLING_TEST_SLURM` is a folder of fresh recordings.
fn recorded(version: &str, name: &str) -> Vec<u8> {
    let kept = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/fixtures/slurm");
    let folder = std::env::var("FOCUS_BILLING_TEST_SLURM").unwrap_or_else(|_| kept.to_owned());
    std::fs::read(format!("{folder}/{version}/{name}"))
        .unwrap_or_else(|error| panic!("{version}/{name}: {error}"))
}

fn converted(
    options: &Value,
    version: &str,
    names: &[&str],
    period: &str,
) -> Result<Converted, ConvertError> {
    let bytes: Vec<Vec<u8>> = names.iter().map(|name| recorded(version, name)).collect();
    let files: Vec<(&str, &[u8])> = names.iter().copied().zip(bytes.iter().map(Vec::as_slice)).collect();
    convert(options, &files, period)
}

#[test]
fn every_form_of_the_same_jobs_makes_the_same_rows() {
    for version in VERSIONS {
        for rating in ["core-hours", "tres", "billing", "node-hours"] {
            for charges in ["account", "user", "job"] {
                // The JSON of 22.05 does not name reservations.
                let reservation = if version == "22.05" { "none" } else { "{reservation}" };
                let options = json!({
                    "rating": rating, "charges": charges, "tres": ["cpu", "mem", "gpu", "license"],
                    "tags": { "wckey": "{wckey}", "reservation": reservation, "qos": "{qos}" },
                });
                for period in ["2025-01", "2025-02"] {
                    let text = converted(&options, version, &["sacct.txt"], period).unwrap();
                    for names in [
                        &["sacct-unit.txt"][..],
                        &["sacct-iso.txt"],
                        &["sacct.json"],
                        &["rest.json"],
                        &["sacct.json", "sacct.txt", "rest.json"],
                    ] {
                        let other = converted(&options, version, names, period).unwrap();
                        assert_eq!(text.rows, other.rows, "{version} {rating} {charges} {period} {names:?}");
                    }
                }
            }
        }
    }
}

#[test]
fn a_month_of_a_real_slurm() {
    let [older, newer] = VERSIONS.map(|version| {
        let converted = converted(&json!({ "rating": "tres" }), version, &["sacct.txt"], "2025-01").unwrap();
        // Seconds differ between recordings, but not what there is.
        let row = |row: &Vec<String>| [0, 1, 3, 7].map(|at| row[at].as_str()).join(" | ");
        let rows = converted.rows.iter().map(row);
        let notes = converted.reconciliation.notes.iter().cloned();
        rows.chain(notes).collect::<Vec<_>>().join("\n")
    });
    assert_eq!(older, newer);
    insta::assert_snapshot!(newer, @r"
    slurm:lab:biglab:cpu | cpu | core-seconds | 
    slurm:lab:biglab:cpu | mem | GiB-seconds | 
    slurm:lab:biglab:whole | cpu | core-seconds | 
    slurm:lab:biglab:whole | mem | GiB-seconds | 
    slurm:lab:biglab:wide | cpu | core-seconds | 
    slurm:lab:biglab:wide | mem | GiB-seconds | 
    slurm:lab:climate:bigmem | cpu | core-seconds | 
    slurm:lab:climate:bigmem | mem | GiB-seconds | 
    slurm:lab:climate:cpu | cpu | core-seconds | 
    slurm:lab:climate:cpu | mem | GiB-seconds | 
    slurm:lab:climate:fragile | cpu | core-seconds | NODE_FAIL is free
    slurm:lab:climate:fragile | mem | GiB-seconds | NODE_FAIL is free
    slurm:lab:climate:gpu | cpu | core-seconds | 
    slurm:lab:climate:gpu | gpu:a100 | GPU-seconds | 
    slurm:lab:climate:gpu | mem | GiB-seconds | 
    slurm:lab:climate:urgent | cpu | core-seconds | 
    slurm:lab:climate:urgent | mem | GiB-seconds | 
    slurm:lab:course:course | cpu | core-seconds | 
    slurm:lab:course:course | mem | GiB-seconds | 
    slurm:lab:genome:bigmem | cpu | core-seconds | 
    slurm:lab:genome:bigmem | mem | GiB-seconds | 
    slurm:lab:genome:cpu | cpu | core-seconds | 
    slurm:lab:genome:cpu | mem | GiB-seconds | 
    slurm:lab:genome:fragile | cpu | core-seconds | NODE_FAIL is free
    slurm:lab:genome:fragile | mem | GiB-seconds | NODE_FAIL is free
    slurm:lab:genome:gpu | cpu | core-seconds | 
    slurm:lab:genome:gpu | gpu:a100 | GPU-seconds | 
    slurm:lab:genome:gpu | gpu:v100 | GPU-seconds | 
    slurm:lab:genome:gpu | mem | GiB-seconds | 
    slurm:lab:genome:scavenge | cpu | core-seconds | 
    slurm:lab:genome:scavenge | mem | GiB-seconds | 
    slurm:lab:unknown:cpu | cpu | core-seconds | 
    slurm:lab:unknown:cpu | mem | GiB-seconds | 
    runs had `license/matlab`, which `tres:` does not list, so nothing is charged for it
    ");
}

#[test]
fn a_name_with_the_delimiter_in_it_is_refused() {
    for version in VERSIONS {
        let error = converted(&json!({}), version, &["sacct-name.txt"], "2025-01").err().unwrap().to_string();
        assert_eq!(error.lines().count(), 1, "{error}");
        assert!(error.contains("a name has the delimiter in it"), "{error}");
    }
}

/// Core-seconds by account, as sreport counts them for the hours around midnight: first January, then February.
fn sreport(version: &str) -> Vec<BTreeMap<String, u64>> {
    let text = String::from_utf8(recorded(version, "sreport.txt")).unwrap();
    let mut hours: Vec<BTreeMap<String, u64>> = Vec::new();
    for line in text.lines() {
        if line.starts_with("Cluster|") {
            hours.push(BTreeMap::new());
        }
        if let [_, account, "", _, "cpu", used] = line.split('|').collect::<Vec<_>>().as_slice() {
            hours.last_mut().unwrap().insert((*account).to_owned(), used.parse().unwrap());
        }
    }
    hours
}

fn core_seconds(converted: &Converted) -> BTreeMap<String, u64> {
    let mut of: BTreeMap<String, u64> = BTreeMap::new();
    for row in &converted.rows {
        let account = row[0].split(':').nth(2).unwrap();
        *of.entry(account.to_owned()).or_default() += row[2].parse::<u64>().unwrap();
    }
    of
}

#[test]
fn what_sreport_counts_is_what_is_charged() {
    for version in VERSIONS {
        let mut both: BTreeMap<String, i64> = BTreeMap::new();
        for (hour, period) in sreport(version).iter().zip(["2025-01", "2025-02"]) {
            let converted = converted(&json!({}), version, &["sacct-later.txt"], period).unwrap();
            let ours = core_seconds(&converted);
            let resized: u128 = converted
                .reconciliation
                .lines
                .iter()
                .filter(|line| line.what == Outcome::Resized)
                .map(|line| line.counted.core_seconds)
                .sum();
            for (account, used) in hour.iter().filter(|(account, _)| *account != "root") {
                let ours = ours.get(account).copied().unwrap_or_default();
                let difference = i64::try_from(*used).unwrap() - i64::try_from(ours).unwrap();
                *both.entry(account.clone()).or_default() += difference;
                match account.as_str() {
                    // The cores that a resized job kept, twice until it was resized.
                    "biglab" if period == "2025-01" => assert_eq!(u128::try_from(difference), Ok(resized)),
                    // Twenty seconds of four cores suspended around midnight: sreport knows when.
                    "climate" => assert!(difference.abs() < 80, "{difference}"),
                    // What was reserved and idle.
                    "course" => assert!(0 < difference, "{difference}"),
                    account => assert_eq!(difference, 0, "{version} {period} {account}"),
                }
            }
        }
        assert_eq!(both["climate"], 0, "{version}");
    }
}

#[test]
fn what_sacct_clips_is_what_is_split() {
    for version in VERSIONS {
        let by_job = json!({ "charges": "job" });
        let split = converted(&by_job, version, &["sacct-later.txt"], "2025-01").unwrap();
        let clipped = converted(&by_job, version, &["sacct-january.txt"], "2025-01").unwrap();
        assert_eq!(split.rows.len(), clipped.rows.len());
        for (split, clipped) in split.rows.iter().zip(&clipped.rows) {
            assert_eq!(split[0], clipped[0]);
            // Job 5 was suspended around midnight.
            if split[0] != "slurm:lab:5" {
                assert_eq!(split[2], clipped[2], "{version} {}", split[0]);
            }
        }
    }
}

#[test]
fn a_later_delivery_beside_the_first_changes_what_still_ran() {
    for version in VERSIONS {
        for period in ["2025-01", "2025-02"] {
            let later = converted(&json!({}), version, &["sacct-later.txt"], period).unwrap();
            let both = converted(&json!({}), version, &["sacct.txt", "sacct-later.txt"], period).unwrap();
            assert_eq!(both.rows, later.rows);
        }
    }
}

#[test]
fn six_fields_say_the_same_of_the_runs_they_have() {
    for version in VERSIONS {
        // Without `-D` sacct leaves out runs before the last one of a job, and without times all is one month.
        let six = converted(&json!({ "cluster": "lab" }), version, &["six.txt"], "2025-01").unwrap();
        let (mut whole, known) = (BTreeMap::<String, u64>::new(), core_seconds(&six));
        for period in ["2025-01", "2025-02"] {
            let converted = converted(&json!({}), version, &["sacct.txt"], period).unwrap();
            for (account, used) in core_seconds(&converted) {
                *whole.entry(account).or_default() += used;
            }
        }
        for account in ["climate", "course", "unknown"] {
            assert_eq!(known[account], whole[account], "{version} {account}");
        }
        // Nor can be said what of a resized job stands in two records.
        assert!(whole["biglab"] <= known["biglab"]);
        assert!(known["genome"] < whole["genome"]);
    }
}
