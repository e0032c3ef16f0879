//! Deliveries as offices have them, and what becomes of them.

use std::fmt::Write as _;

use insta::assert_snapshot;

use serde_json::json;

use super::*;
use crate::{FocusCsv, configured};

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
    files.iter().map(|(name, bytes)| RawFile { name, bytes: Box::new(*bytes) }).collect()
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
