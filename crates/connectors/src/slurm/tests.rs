//! Deliveries as offices have them, and what becomes of them.

use std::fmt::Write as _;

use insta::assert_snapshot;

use billing::unit::Unit;
use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::{FocusCsv, configured};

mod formats;
mod properties;
mod recorded;

/// Rows and reconciliation of a delivery, as a person would check them.
struct Converted {
    rows: Vec<Vec<String>>,
    reconciliation: Reconciliation,
}

const SHOWN: [&str; 8] = [
    "ResourceId",
    "SkuId",
    "ConsumedQuantity",
    "ConsumedUnit",
    "ChargePeriodStart",
    "ChargePeriodEnd",
    "Tags",
    "x_Waived",
];

fn connector(options: &Value) -> Box<dyn Connector> {
    configured(Kind::Slurm, options.as_object().unwrap()).unwrap_or_else(|bad| panic!("{bad:?}"))
}

fn raw<'a>(files: &[(&'a str, &'a [u8])]) -> Vec<RawFile<'a>> {
    files.iter().map(|(name, bytes)| RawFile::new(name, *bytes)).collect()
}

fn csv_of(
    connector: &dyn Connector,
    files: &[(&str, &[u8])],
    period: &str,
) -> Result<(String, Reconciliation), ConvertError> {
    let mut csv = FocusCsv::new(Vec::new(), connector.lineage_columns()).unwrap();
    let reconciliation = connector.convert(raw(files), period.parse().unwrap(), &mut |row| csv.write(row))?;
    assert!(reconciliation.is_even(), "{reconciliation:?}");
    Ok((String::from_utf8(csv.finish().unwrap()).unwrap(), reconciliation))
}

fn convert(options: &Value, files: &[(&str, &[u8])], period: &str) -> Result<Converted, ConvertError> {
    let connector = connector(options);
    let (csv, reconciliation) = csv_of(&*connector, files, period)?;
    let mut reader = csv::Reader::from_reader(csv.as_bytes());
    let header = reader.headers().unwrap().clone();
    let rows = reader.records().map(|record| {
        let record = record.unwrap();
        let cell = |name: &str| record[header.iter().position(|column| column == name).unwrap()].to_owned();
        SHOWN.iter().map(|name| cell(name)).collect()
    });
    Ok(Converted { rows: rows.collect(), reconciliation })
}

impl Converted {
    fn told(&self) -> String {
        let mut told = String::new();
        for row in &self.rows {
            writeln!(told, "{}", row.join(" | ")).unwrap();
        }
        let counted = |counted: &Counted| {
            format!(
                "{} records, {} s, {} core-s",
                counted.records, counted.elapsed_seconds, counted.core_seconds
            )
        };
        writeln!(told, "read {}", counted(&self.reconciliation.read)).unwrap();
        for line in &self.reconciliation.lines {
            writeln!(told, "- {}: {}", line.what, counted(&line.counted)).unwrap();
        }
        for note in &self.reconciliation.notes {
            writeln!(told, "note: {note}").unwrap();
        }
        told
    }
}

fn told(options: &Value, text: &str, period: &str) -> String {
    match convert(options, &[("jobs.txt", text.as_bytes())], period) {
        Ok(converted) => converted.told(),
        Err(error) => error.to_string(),
    }
}

const HEADER: &str = "Cluster|JobIDRaw|JobID|DBIndex|Account|User|Partition|QOS|State|Start|End|ElapsedRaw|Suspended|AllocCPUS|NNodes|AllocTRES";

/// `job account user partition state start end elapsed cpus gpus`, of January 2025 in hours since it began.
fn sacct(lines: &[&str]) -> String {
    let mut text = format!("{HEADER}\n");
    for (at, line) in lines.iter().enumerate() {
        let cells: Vec<&str> = line.split_whitespace().collect();
        let [job, account, user, partition, state, start, end, elapsed, cpus, gpus] = cells.as_slice() else {
            panic!("{line}")
        };
        let hour = |text: &str| {
            let hours = text.parse::<i64>();
            hours.map_or_else(|_| text.to_owned(), |hours| (JANUARY + hours * 3600).to_string())
        };
        let mut tres =
            format!("billing={cpus},cpu={cpus},mem={}M,node=1", cpus.parse::<u64>().unwrap() * 1000);
        if *gpus != "0" {
            write!(tres, ",gres/gpu={gpus},gres/gpu:a100={gpus}").unwrap();
        }
        writeln!(
            text,
            "hpc|{job}|{job}|{}|{account}|{user}|{partition}|normal|{}|{}|{}|{elapsed}|00:00:00|{cpus}|1|{tres}",
            at + 1,
            state.replace('~', " "),
            hour(start),
            hour(end),
        )
        .unwrap();
    }
    text
}

/// 2025-01-01T00:00:00Z.
const JANUARY: i64 = 1_735_689_600;

#[test]
fn a_month_of_a_small_cluster() {
    let text = sacct(&[
        "1 Physics ann gpu COMPLETED 10 11 3600 4 2",
        "2 physics bob gpu TIMEOUT 12 14 7200 8 0",
        "3 chemistry eve def FAILED -1 1 7200 1 0",
        "4 chemistry eve def CANCELLED~by~1000 743 745 7200 2 0",
        "5 chemistry eve def NODE_FAIL 20 21 3600 16 0",
        "6 chemistry eve def RUNNING 700 Unknown 36000 1 0",
        "7 chemistry eve def PENDING Unknown Unknown 0 0 0",
        "8 chemistry eve def CANCELLED~by~0 None 30 0 0 0",
        "9 chemistry eve def COMPLETED 30 30 0 4 0",
        "4.batch chemistry eve def COMPLETED 743 745 7200 2 0",
        "10 chemistry eve def REVOKED 50 50 0 0 0",
    ]);
    assert_snapshot!(told(&json!({}), &text, "2025-01"), @r"
    slurm:hpc:chemistry:def | def | 46800 | core-seconds | 2025-01-01T00:00:00Z | 2025-02-01T00:00:00Z | {} | 
    slurm:hpc:chemistry:def | def | 57600 | core-seconds | 2025-01-01T00:00:00Z | 2025-02-01T00:00:00Z | {} | NODE_FAIL is free
    slurm:hpc:physics:gpu | gpu | 72000 | core-seconds | 2025-01-01T00:00:00Z | 2025-02-01T00:00:00Z | {} | 
    read 11 records, 64800 s, 187200 core-s
    - billed: 5 records, 54000 s, 118800 core-s
    - waived: NODE_FAIL is free: 1 records, 3600 s, 57600 core-s
    - outside 2025-01: 0 records, 7200 s, 10800 core-s
    - ran for less than a second: 1 records, 0 s, 0 core-s
    - never started: 1 records, 0 s, 0 core-s
    - pending: 1 records, 0 s, 0 core-s
    - revoked: another cluster of the federation ran it: 1 records, 0 s, 0 core-s
    - job steps, counted with their job: 1 records, 0 s, 0 core-s
    ");
}

#[test]
fn what_runs_are_charged_by() {
    let text = sacct(&[
        "1 physics ann gpu COMPLETED 10 11 3600 4 2",
        "2 physics bob def COMPLETED 12 14 7200 8 0",
        "3 physics bob old COMPLETED 12 13 3600 32 0",
    ]);
    let unsaid = sacct(&["4 physics bob def COMPLETED 12 13 3600 0 0"]).replace("node=1", "energy=7");
    for (rating, missing) in [("core-hours", "cores"), ("node-hours", "nodes")] {
        let text = if missing == "nodes" { unsaid.replace("|0|1|", "|0||") } else { unsaid.clone() };
        let told = told(&json!({ "rating": rating }), &text, "2025-01");
        assert!(
            told.contains(&format!("held: runs on `def` do not say how many {missing} they had")),
            "{told}"
        );
    }
    let by = |options: &Value| told(options, &text, "2025-01");
    assert_snapshot!(by(&json!({ "rating": "su", "partitions": { "gpu": { "multiplier": 20 }, "def": { "multiplier": "0.5" } } })), @r"
    slurm:hpc:physics:def | def | 28800 | SU-seconds | 2025-01-01T00:00:00Z | 2025-02-01T00:00:00Z | {} | 
    slurm:hpc:physics:gpu | gpu | 288000 | SU-seconds | 2025-01-01T00:00:00Z | 2025-02-01T00:00:00Z | {} | 
    slurm:hpc:physics:old | old | 115200 | unrated-core-seconds | 2025-01-01T00:00:00Z | 2025-02-01T00:00:00Z | {} | 
    read 3 records, 14400 s, 187200 core-s
    - billed: 2 records, 10800 s, 72000 core-s
    - held: partition `old` has no multiplier: 1 records, 3600 s, 115200 core-s
    ");
    assert_snapshot!(by(&json!({ "rating": "tres" })), @r"
    slurm:hpc:physics:def | cpu | 57600 | core-seconds | 2025-01-01T00:00:00Z | 2025-02-01T00:00:00Z | {} | 
    slurm:hpc:physics:def | mem | 56250 | GiB-seconds | 2025-01-01T00:00:00Z | 2025-02-01T00:00:00Z | {} | 
    slurm:hpc:physics:gpu | cpu | 14400 | core-seconds | 2025-01-01T00:00:00Z | 2025-02-01T00:00:00Z | {} | 
    slurm:hpc:physics:gpu | gpu:a100 | 7200 | GPU-seconds | 2025-01-01T00:00:00Z | 2025-02-01T00:00:00Z | {} | 
    slurm:hpc:physics:gpu | mem | 14062.5 | GiB-seconds | 2025-01-01T00:00:00Z | 2025-02-01T00:00:00Z | {} | 
    slurm:hpc:physics:old | cpu | 115200 | core-seconds | 2025-01-01T00:00:00Z | 2025-02-01T00:00:00Z | {} | 
    slurm:hpc:physics:old | mem | 112500 | GiB-seconds | 2025-01-01T00:00:00Z | 2025-02-01T00:00:00Z | {} | 
    read 3 records, 14400 s, 187200 core-s
    - billed: 3 records, 14400 s, 187200 core-s
    ");
    assert_snapshot!(by(&json!({ "rating": "tres", "tres": ["gpu"], "sku": "{partition}/{resource}" })), @r"
    slurm:hpc:physics:gpu | gpu/gpu:a100 | 7200 | GPU-seconds | 2025-01-01T00:00:00Z | 2025-02-01T00:00:00Z | {} | 
    read 3 records, 14400 s, 187200 core-s
    - billed: 1 records, 3600 s, 14400 core-s
    - not charged: runs on `def` that have nothing that `tres` lists: 1 records, 7200 s, 57600 core-s
    - not charged: runs on `old` that have nothing that `tres` lists: 1 records, 3600 s, 115200 core-s
    ");
    assert_snapshot!(by(&json!({ "rating": "billing" })), @r"
    slurm:hpc:physics:def | def | 57600 | billing-seconds | 2025-01-01T00:00:00Z | 2025-02-01T00:00:00Z | {} | 
    slurm:hpc:physics:gpu | gpu | 14400 | billing-seconds | 2025-01-01T00:00:00Z | 2025-02-01T00:00:00Z | {} | 
    slurm:hpc:physics:old | old | 115200 | billing-seconds | 2025-01-01T00:00:00Z | 2025-02-01T00:00:00Z | {} | 
    read 3 records, 14400 s, 187200 core-s
    - billed: 3 records, 14400 s, 187200 core-s
    ");
    assert_snapshot!(by(&json!({ "rating": "node-hours" })), @r"
    slurm:hpc:physics:def | def | 7200 | node-seconds | 2025-01-01T00:00:00Z | 2025-02-01T00:00:00Z | {} | 
    slurm:hpc:physics:gpu | gpu | 3600 | node-seconds | 2025-01-01T00:00:00Z | 2025-02-01T00:00:00Z | {} | 
    slurm:hpc:physics:old | old | 3600 | node-seconds | 2025-01-01T00:00:00Z | 2025-02-01T00:00:00Z | {} | 
    read 3 records, 14400 s, 187200 core-s
    - billed: 3 records, 14400 s, 187200 core-s
    ");
    assert_snapshot!(by(&json!({ "partitions": {
        "gpu": { "rating": "dominant", "node": { "cpus": 48, "mem": "192 GiB", "gpus": 8 } },
        "def": { "rating": "dominant", "node": { "cpus": 48, "mem": "16000 MiB" } },
        "old": { "rating": "dominant", "node": { "cpus": 48 } },
    } })), @r"
    slurm:hpc:physics:def | def | 3600 | node-seconds | 2025-01-01T00:00:00Z | 2025-02-01T00:00:00Z | {} | 
    slurm:hpc:physics:gpu | gpu | 900 | node-seconds | 2025-01-01T00:00:00Z | 2025-02-01T00:00:00Z | {} | 
    slurm:hpc:physics:old | old | 2400 | node-seconds | 2025-01-01T00:00:00Z | 2025-02-01T00:00:00Z | {} | 
    read 3 records, 14400 s, 187200 core-s
    - billed: 3 records, 14400 s, 187200 core-s
    ");
}

#[test]
fn what_policy_says_of_runs() {
    let text = sacct(&[
        "1 physics ann gpu PREEMPTED 10 11 3601 4 2",
        "2 physics bob condo COMPLETED 12 14 7200 8 0",
        "3 chemistry eve condo COMPLETED 12 13 3600 1 0",
        "4 root root def COMPLETED 12 13 3600 2 0",
        "5 chemistry eve def COMPLETED 12 13 30 2 0",
        "6 chemistry eve def TIMEOUT 12 13 3600 2 0",
        "7 chemistry eve test FAILED 12 13 3600 2 0",
        "8 chemistry eve def RUNNING 12 Unknown 30 2 0",
        "9 chemistry eve def NODE_FAIL 12 13 30 2 0",
    ]);
    let options = json!({
        "partitions": { "condo": { "free_for": "Physics" }, "test": { "free": "for trying out" } },
        "free_accounts": ["root"],
        "states": { "PREEMPTED": "50%", "timeout": "free", "NODE_FAIL": "bill" },
        "minimum_seconds": 60,
    });
    assert_snapshot!(told(&options, &text, "2025-01"), @r"
    slurm:hpc:chemistry:condo | condo | 3600 | core-seconds | 2025-01-01T00:00:00Z | 2025-02-01T00:00:00Z | {} | 
    slurm:hpc:chemistry:def | def | 60 | core-seconds | 2025-01-01T00:00:00Z | 2025-02-01T00:00:00Z | {} | 
    slurm:hpc:chemistry:def | def | 7200 | core-seconds | 2025-01-01T00:00:00Z | 2025-02-01T00:00:00Z | {} | TIMEOUT is free
    slurm:hpc:chemistry:def | def | 120 | core-seconds | 2025-01-01T00:00:00Z | 2025-02-01T00:00:00Z | {} | runs below 60 s are free
    slurm:hpc:chemistry:test | test | 7200 | core-seconds | 2025-01-01T00:00:00Z | 2025-02-01T00:00:00Z | {} | for trying out
    slurm:hpc:physics:condo | condo | 57600 | core-seconds | 2025-01-01T00:00:00Z | 2025-02-01T00:00:00Z | {} | partition condo is free for account physics
    slurm:hpc:physics:gpu | gpu | 7204 | core-seconds | 2025-01-01T00:00:00Z | 2025-02-01T00:00:00Z | {} | 
    slurm:hpc:physics:gpu | gpu | 7200 | core-seconds | 2025-01-01T00:00:00Z | 2025-02-01T00:00:00Z | {} | PREEMPTED is billed at 50 %
    slurm:hpc:root:def | def | 7200 | core-seconds | 2025-01-01T00:00:00Z | 2025-02-01T00:00:00Z | {} | account root is free
    read 9 records, 25291 s, 97384 core-s
    - billed: 3 records, 5431 s, 10864 core-s
    - waived: PREEMPTED is billed at 50 %: 0 records, 1800 s, 7200 core-s
    - waived: TIMEOUT is free: 1 records, 3600 s, 7200 core-s
    - waived: account root is free: 1 records, 3600 s, 7200 core-s
    - waived: for trying out: 1 records, 3600 s, 7200 core-s
    - waived: partition condo is free for account physics: 1 records, 7200 s, 57600 core-s
    - waived: runs below 60 s are free: 2 records, 60 s, 120 core-s
    ");
}

#[test]
fn who_has_a_row() {
    let text = sacct(&[
        "1 physics ann gpu COMPLETED 10 11 3600 4 2",
        "2 physics bob gpu COMPLETED 743 746 10800 8 0",
        "3_7 physics bob gpu COMPLETED -1 1 7200 1 0",
    ])
    .replace("|3_7|3_7|", "|9|3_7|");
    assert_snapshot!(told(&json!({ "charges": "user" }), &text, "2025-01"), @r#"
    slurm:hpc:physics:gpu:ann | gpu | 14400 | core-seconds | 2025-01-01T00:00:00Z | 2025-02-01T00:00:00Z | {"usage_user":"ann"} | 
    slurm:hpc:physics:gpu:bob | gpu | 32400 | core-seconds | 2025-01-01T00:00:00Z | 2025-02-01T00:00:00Z | {"usage_user":"bob"} | 
    read 3 records, 21600 s, 108000 core-s
    - billed: 3 records, 10800 s, 46800 core-s
    - outside 2025-01: 0 records, 10800 s, 61200 core-s
    "#);
    assert_snapshot!(
        told(&json!({ "charges": "user", "tags": { "qos": "{qos}", "owner": "{account}@example.edu" } }), &text, "2025-01"),
        @r#"
    slurm:hpc:physics:gpu:ann | gpu | 14400 | core-seconds | 2025-01-01T00:00:00Z | 2025-02-01T00:00:00Z | {"usage_user":"ann","qos":"normal","owner":"physics@example.edu"} | 
    slurm:hpc:physics:gpu:bob | gpu | 32400 | core-seconds | 2025-01-01T00:00:00Z | 2025-02-01T00:00:00Z | {"usage_user":"bob","qos":"normal","owner":"physics@example.edu"} | 
    read 3 records, 21600 s, 108000 core-s
    - billed: 3 records, 10800 s, 46800 core-s
    - outside 2025-01: 0 records, 10800 s, 61200 core-s
    "#
    );
    let options = json!({ "charges": "job", "cluster": "unused", "provider": "Research Computing" });
    let (csv, _) = csv_of(&*connector(&options), &[("jobs.txt", text.as_bytes())], "2025-01").unwrap();
    assert_snapshot!(csv, @r#"
    BillingAccountId,BillingPeriodStart,BillingPeriodEnd,ChargeCategory,ChargeDescription,ChargeFrequency,ChargePeriodStart,ChargePeriodEnd,ConsumedQuantity,ConsumedUnit,InvoiceIssuerName,ProviderName,PublisherName,ResourceId,ResourceName,ResourceType,ServiceCategory,ServiceName,SkuId,SubAccountId,Tags,x_Connector,x_RecordId,x_Waived,x_Cluster,x_Partition,x_Jobs,x_ElapsedSeconds,x_JobId,x_State,x_Start,x_End
    hpc,2025-01-01T00:00:00Z,2025-02-01T00:00:00Z,Usage,"job 1 of physics on gpu, COMPLETED",Usage-Based,2025-01-01T10:00:00Z,2025-01-01T11:00:00Z,14400,core-seconds,Research Computing,Research Computing,Research Computing,slurm:hpc:1,job 1,Slurm job,Compute,HPC,gpu,physics,"{""usage_user"":""ann""}",slurm,slurm:hpc:1|cpu|core-seconds|ann@1735725600,,hpc,gpu,1,3600,1,COMPLETED,2025-01-01T10:00:00Z,2025-01-01T11:00:00Z
    hpc,2025-01-01T00:00:00Z,2025-02-01T00:00:00Z,Usage,"job 3_7 of physics on gpu, COMPLETED",Usage-Based,2025-01-01T00:00:00Z,2025-01-01T01:00:00Z,3600,core-seconds,Research Computing,Research Computing,Research Computing,slurm:hpc:9,job 3_7,Slurm job,Compute,HPC,gpu,physics,"{""usage_user"":""bob""}",slurm,slurm:hpc:9|cpu|core-seconds|bob@1735686000,,hpc,gpu,1,3600,3_7,COMPLETED,2024-12-31T23:00:00Z,2025-01-01T01:00:00Z
    hpc,2025-01-01T00:00:00Z,2025-02-01T00:00:00Z,Usage,"job 2 of physics on gpu, COMPLETED",Usage-Based,2025-01-31T23:00:00Z,2025-02-01T00:00:00Z,28800,core-seconds,Research Computing,Research Computing,Research Computing,slurm:hpc:2,job 2,Slurm job,Compute,HPC,gpu,physics,"{""usage_user"":""bob""}",slurm,slurm:hpc:2|cpu|core-seconds|bob@1738364400,,hpc,gpu,1,3600,2,COMPLETED,2025-01-31T23:00:00Z,2025-02-01T02:00:00Z
    "#);
}

#[test]
fn months_of_the_office() {
    // Two hours around midnight in Chicago, which is 06:00 UTC.
    let text = sacct(&["1 physics ann gpu COMPLETED 5 7 7200 1 0"]);
    let chicago = json!({ "time_zone": "America/Chicago", "charges": "job" });
    assert_snapshot!(told(&chicago, &text, "2024-12"), @r#"
    slurm:hpc:1 | gpu | 3600 | core-seconds | 2024-12-31T23:00:00Z | 2025-01-01T00:00:00Z | {"usage_user":"ann"} | 
    read 1 records, 7200 s, 7200 core-s
    - billed: 1 records, 3600 s, 3600 core-s
    - outside 2024-12: 0 records, 3600 s, 3600 core-s
    "#);
    assert_snapshot!(told(&chicago, &text, "2025-01"), @r#"
    slurm:hpc:1 | gpu | 3600 | core-seconds | 2025-01-01T00:00:00Z | 2025-01-01T01:00:00Z | {"usage_user":"ann"} | 
    read 1 records, 7200 s, 7200 core-s
    - billed: 1 records, 3600 s, 3600 core-s
    - outside 2025-01: 0 records, 3600 s, 3600 core-s
    "#);
    let daily = json!({ "charge_period": "day" });
    let text = sacct(&["1 physics ann gpu COMPLETED 22 50 100800 1 0"]);
    assert_snapshot!(told(&daily, &text, "2025-01"), @r"
    slurm:hpc:physics:gpu | gpu | 7200 | core-seconds | 2025-01-01T00:00:00Z | 2025-01-02T00:00:00Z | {} | 
    slurm:hpc:physics:gpu | gpu | 86400 | core-seconds | 2025-01-02T00:00:00Z | 2025-01-03T00:00:00Z | {} | 
    slurm:hpc:physics:gpu | gpu | 7200 | core-seconds | 2025-01-03T00:00:00Z | 2025-01-04T00:00:00Z | {} | 
    read 1 records, 100800 s, 100800 core-s
    - billed: 1 records, 100800 s, 100800 core-s
    ");
    let at_end = json!({ "split": "at_end" });
    let text = sacct(&[
        "1 physics ann gpu COMPLETED -10 1 39600 1 0",
        "2 physics ann gpu COMPLETED 743 744 3600 1 0",
        "3 physics ann gpu RUNNING 10 Unknown 3600 1 0",
    ]);
    assert_snapshot!(told(&at_end, &text, "2025-01"), @r"
    slurm:hpc:physics:gpu | gpu | 39600 | core-seconds | 2025-01-01T00:00:00Z | 2025-02-01T00:00:00Z | {} | 
    read 3 records, 46800 s, 46800 core-s
    - billed: 1 records, 39600 s, 39600 core-s
    - outside 2025-01: 1 records, 3600 s, 3600 core-s
    - not ended yet: 1 records, 3600 s, 3600 core-s
    ");
    assert_snapshot!(told(&at_end, &text, "2025-02"), @r"
    slurm:hpc:physics:gpu | gpu | 3600 | core-seconds | 2025-02-01T00:00:00Z | 2025-03-01T00:00:00Z | {} | 
    read 3 records, 46800 s, 46800 core-s
    - billed: 1 records, 3600 s, 3600 core-s
    - outside 2025-02: 1 records, 39600 s, 39600 core-s
    - not ended yet: 1 records, 3600 s, 3600 core-s
    ");
}

#[test]
fn a_run_counts_once() {
    let january =
        sacct(&["1 physics ann gpu RUNNING 10 Unknown 3600 1 0", "2 physics ann gpu COMPLETED 1 2 3600 1 0"]);
    let february = sacct(&["1 physics ann gpu COMPLETED 10 20 36000 1 0"]);
    let files: [(&str, &[u8]); 2] = [("a.txt", january.as_bytes()), ("b.txt", february.as_bytes())];
    let converted = convert(&json!({}), &files, "2025-01").unwrap();
    assert_snapshot!(converted.told(), @r"
    slurm:hpc:physics:gpu | gpu | 39600 | core-seconds | 2025-01-01T00:00:00Z | 2025-02-01T00:00:00Z | {} | 
    read 3 records, 43200 s, 43200 core-s
    - billed: 2 records, 39600 s, 39600 core-s
    - repeated: 1 records, 3600 s, 3600 core-s
    ");
    let swapped = convert(&json!({}), &[files[1], files[0]], "2025-01").unwrap();
    assert_eq!(converted.told(), swapped.told());
    // A requeued job has the number of the run before, and is another run.
    let requeued =
        sacct(&["1 physics ann gpu REQUEUED 1 2 3600 1 0", "1 physics ann gpu COMPLETED 3 4 3600 1 0"]);
    for text in [requeued.clone(), requeued.replace("|DBIndex|", "|Index|")] {
        let converted = convert(&json!({}), &[("a.txt", text.as_bytes())], "2025-01").unwrap();
        assert_eq!(converted.reconciliation.lines.len(), 1, "{}", converted.told());
    }
}

#[test]
fn what_a_resized_job_used_before_is_counted_once() {
    // Ten hours of eight cores, then two of four: Slurm lets the second record start with the job, or later.
    let resizing = "1 physics ann gpu RESIZING 0 10 36000 8 0";
    for (after, resized) in [
        ("1 physics ann gpu COMPLETED 0 12 43200 4 0", true),
        ("1 physics ann gpu COMPLETED 10 12 7200 4 0", false),
    ] {
        let text = sacct(&[after, resizing]);
        for text in [text.replace("|DBIndex|", "|Index|"), text] {
            let converted = convert(&json!({}), &[("a.txt", text.as_bytes())], "2025-01").unwrap();
            let core_hours = converted.rows[0][2].parse::<u64>().unwrap() / 3600;
            assert_eq!(core_hours, 10 * 8 + 2 * 4, "{}", converted.told());
            let has_resized = converted.reconciliation.lines.iter().any(|line| line.what == Outcome::Resized);
            assert_eq!(has_resized, resized);
        }
    }
}

#[test]
fn two_clusters_may_number_their_records_alike() {
    let one = sacct(&["1 physics ann gpu COMPLETED 1 2 3600 1 0"]);
    let other = one.replace("\nhpc|", "\nold|");
    let files: [(&str, &[u8]); 2] = [("a.txt", one.as_bytes()), ("b.txt", other.as_bytes())];
    let converted = convert(&json!({}), &files, "2025-01").unwrap();
    let resources: Vec<&str> = converted.rows.iter().map(|row| row[0].as_str()).collect();
    assert_eq!(resources, ["slurm:hpc:physics:gpu", "slurm:old:physics:gpu"]);
}

#[test]
fn records_are_told_apart_by_indices_of_64_bits() {
    // A job that was requeued within the second has two runs with one start.
    let text =
        sacct(&["1 physics ann gpu REQUEUED 1 2 3600 1 0", "1 physics ann gpu COMPLETED 1 2 3600 1 0"]);
    let text = text
        .replace("|1|1|1|", "|1|1|17273084659708630016|")
        .replace("|1|1|2|", "|1|1|17273084659708630017|");
    let converted = convert(&json!({}), &[("a.txt", text.as_bytes())], "2025-01").unwrap();
    assert_eq!(converted.rows[0][2], "7200", "{}", converted.told());
}

#[test]
fn a_run_in_the_hour_that_comes_twice_keeps_its_length() {
    // From 01:50 to 01:10 in Chicago, twenty minutes later, as sacct's own times have it.
    let iso = "2025-11-02T01:50:00|2025-11-02T01:10:00|1200|";
    let text = format!("{HEADER}\nhpc|1|1|1|physics|ann|gpu|normal|COMPLETED|{iso}00:00:00|2|1|cpu=2\n");
    let options = json!({ "time_zone": "America/Chicago", "charges": "job" });
    let converted = convert(&options, &[("a.txt", text.as_bytes())], "2025-11").unwrap();
    let row = &converted.rows[0];
    assert_eq!([&row[2], &row[4], &row[5]], ["2400", "2025-11-02T01:50:00Z", "2025-11-02T02:10:00Z"]);
}

#[test]
fn quantities_beyond_any_charge_are_counted_in_larger_units() {
    let text = sacct(&["1 physics ann big COMPLETED 0 744 2678400 99999999 0"])
        .replace("mem=99999999000M", "mem=1P");
    assert_snapshot!(told(&json!({ "rating": "tres" }), &text, "2025-01"), @r"
    slurm:hpc:physics:big | cpu | 267839997321.6 | 1000 core-seconds | 2025-01-01T00:00:00Z | 2025-02-01T00:00:00Z | {} | 
    slurm:hpc:physics:big | mem | 2808505958.4 | 1000 GiB-seconds | 2025-01-01T00:00:00Z | 2025-02-01T00:00:00Z | {} | 
    read 1 records, 2678400 s, 267839997321600 core-s
    - billed: 1 records, 2678400 s, 267839997321600 core-s
    ");
    for unit in
        ["1000 core-seconds", "1000000 GiB-seconds", "unrated-core-seconds", "billing-seconds", "SU-seconds"]
    {
        unit.parse::<Unit>().unwrap();
    }
}

#[test]
fn units_are_those_of_rates() {
    let like =
        |used: &str, rated: &str| used.parse::<Unit>().unwrap().is_like(&rated.parse::<Unit>().unwrap());
    for (used, rated) in [
        ("core-seconds", "core-hour"),
        ("1000 core-seconds", "core-hour"),
        ("GPU-seconds", "GPU-hour"),
        ("GiB-seconds", "GB-month"),
        ("node-seconds", "node-hour"),
        ("SU-seconds", "SU-hour"),
        ("billing-seconds", "billing-hour"),
        ("license-seconds", "license-hour"),
    ] {
        assert!(like(used, rated), "{used} in {rated}");
    }
    for rated in ["core-hour", "SU-hour", "SU", "node-hour", "Hour"] {
        assert!(!like("unrated-core-seconds", rated), "{rated} would price what nobody rated");
    }
}

#[test]
fn options_are_refused_all_at_once() {
    let options = json!({
        "rating": "cpu-hours",
        "time_zone": "America/Gotham",
        "charges": "project",
        "minimum_seconds": -1,
        "multiplier": 2,
        "sku": "{nodes}",
        "tres": ["cpu", "energy"],
        "states": { "REVOKED": "bill", "TIMEOUT": "half" },
        "colour": "red",
        "partitions": {
            "gpu": { "multiplier": "many", "rating": "su" },
            "def": { "rating": "dominant", "mutliplier": 3 },
            "big": { "rating": "dominant", "node": { "mem": "lots" } },
            "old": 20,
        },
    });
    let bad = configured(Kind::Slurm, options.as_object().unwrap()).err().unwrap();
    let told: Vec<String> = bad.iter().map(ToString::to_string).collect();
    assert_snapshot!(told.join("\n"), @r"
    time_zone: `America/Gotham` is no time zone; write its IANA name, such as `America/Chicago` or `UTC`
    charges: `project` is none of `account`, `user` and `job`
    minimum_seconds: `-1` is no whole number from 0 to 86400
    tres: `energy` is no TRES that is charged; there are `cpu`, `mem`, `gpu`, `node`, `license` or `license/NAME`, `gres` or `gres/NAME`, `bb` or `bb/NAME`
    states.REVOKED: `bill` cannot be said of REVOKED: such a job ran elsewhere, or not at all
    states.TIMEOUT: `half` is not `bill`, `free` or a percentage such as `50%`, with at most four decimals
    rating: `cpu-hours` is no rating; there are `core-hours`, `su`, `tres`, `billing`, `node-hours` and `dominant`
    sku: `{nodes}` names `{nodes}`; there are `cluster`, `account`, `partition`, `user`, `qos`, `wckey`, `reservation` and `resource`
    multiplier: has no effect without `rating: su`
    partitions.gpu.multiplier: `many` is not a decimal number
    partitions.def.node: is missing; `rating: dominant` needs what a node has
    partitions.def.mutliplier: `3` is no option; there are `rating`, `multiplier`, `node`, `sku`, `free` and `free_for`
    partitions.big.node.mem: `lots` is no size such as `512 GiB`
    partitions.big.node.cpus: must say how many a node has
    partitions.old: `20` has no options below it
    colour: `red` is no option; there are `cluster`, `provider`, `service`, `service_category`, `time_zone`, `charges`, `charge_period`, `split`, `minimum_seconds`, `free_accounts`, `tres`, `tags`, `states`, `rating`, `multiplier`, `node`, `sku` and `partitions`
    ");
}
