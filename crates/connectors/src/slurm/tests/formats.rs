//! The forms in which Slurm's records come.

use super::*;

#[test]
fn the_six_fields_of_earlier_exporters() {
    let text = "101|physics|gpu|4|01:00:00|COMPLETED\n\
                102_3|Physics|gpu|8|1-00:00:00|TIMEOUT\n\
                103|chemistry|def|1|00:10:00|NODE_FAIL\n\
                104|chemistry|def|1|00:00:00|CANCELLED by 7\n\
                102_3|physics|gpu|8|1-00:00:00|TIMEOUT\n";
    let bare = told(&json!({}), text, "2025-01");
    assert_snapshot!(bare, @r"
    slurm:cluster:chemistry:def | def | 600 | core-seconds | 2025-01-01T00:00:00Z | 2025-02-01T00:00:00Z | {} | NODE_FAIL is free
    slurm:cluster:physics:gpu | gpu | 705600 | core-seconds | 2025-01-01T00:00:00Z | 2025-02-01T00:00:00Z | {} | 
    read 5 records, 177000 s, 1397400 core-s
    - billed: 2 records, 90000 s, 705600 core-s
    - waived: NODE_FAIL is free: 1 records, 600 s, 600 core-s
    - repeated: 1 records, 86400 s, 691200 core-s
    - ran for less than a second: 1 records, 0 s, 0 core-s
    note: 5 records have no times (the six-field form): all of them are charged in 2025-01, and nothing could be split between months
    note: the files do not name their cluster, so it is called `cluster`; add the field `Cluster`, or say `cluster:` below `slurm:` of the source
    ");
    let headed = format!("JobID|Account|Partition|AllocCPUS|Elapsed|State\n{text}");
    assert_eq!(told(&json!({}), &headed, "2025-01"), bare);
    let by_nodes = told(&json!({ "rating": "node-hours" }), text, "2025-01");
    assert!(by_nodes.starts_with("jobs.txt:1: NNodes is missing; run "), "{by_nodes}");
    assert_snapshot!(told(&json!({ "rating": "tres", "charges": "user" }), text, "2025-01"), @r"jobs.txt:1: AllocTRES, User are missing; run `TZ=UTC SLURM_TIME_FORMAT=%s sacct -a -X -D -P --noconvert --delimiter=$'\x1f' -S … -E … --format=Cluster,JobIDRaw,JobID,DBIndex,SLUID,Account,User,UID,Partition,QOS,WCKey,Reservation,State,ExitCode,Submit,Eligible,Start,End,ElapsedRaw,Suspended,AllocCPUS,NNodes,NodeList,AllocTRES,ReqTRES,Flags,Restarts` (without what `sacct -e` does not list)");
}

#[test]
fn delimiters_line_ends_times_and_packing_are_told_by_the_content() {
    let plain =
        sacct(&["1 physics ann gpu COMPLETED 10 11 3600 4 2", "2 physics bob gpu TIMEOUT 12 14 7200 8 0"]);
    let expected = told(&json!({}), &plain, "2025-01");
    let trailing = plain.replace('\n', "|\n");
    let twice = format!("{plain}{}", plain.lines().next().unwrap());
    let iso = plain
        .replace("|1735725600|1735729200|", "|2025-01-01T10:00:00|2025-01-01T05:00:00-06:00|")
        .replace("|1735732800|", "|2025-01-01T12:00:00Z|");
    for text in [
        plain.replace('|', "\x1f"),
        plain.replace('|', "\t"),
        plain.replace('|', "||"),
        plain.replace('\n', "\r\n"),
        plain.trim_end().to_owned(),
        format!("\u{feff}\n{plain}\n\n"),
        trailing,
        twice,
        iso,
    ] {
        assert_eq!(told(&json!({}), &text, "2025-01"), expected, "{text}");
    }
    let gzip = {
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        io::Write::write_all(&mut gzip, plain.as_bytes()).unwrap();
        gzip.finish().unwrap()
    };
    let zstd = zstd::encode_all(plain.as_bytes(), 1).unwrap();
    for packed in [gzip.as_slice(), &zstd] {
        let converted = convert(&json!({}), &[("jobs", packed)], "2025-01").unwrap();
        assert_eq!(converted.told(), expected);
        let cut = convert(&json!({}), &[("jobs", &packed[..packed.len() / 2])], "2025-01").err().unwrap();
        assert!(cut.to_string().starts_with("jobs: cannot be read: "), "{cut}");
    }
}

#[test]
fn everything_wrong_with_files_is_said_at_once() {
    let mut text = sacct(&[
        "1 physics ann gpu EXPLODED 10 11 3600 4 2",
        "2 physics ann gpu COMPLETED 10 1 3600 4 2",
        "3 physics ann gpu COMPLETED soon 11 3600 4 2",
        "4 physics ann gpu COMPLETED 10 11 long 4 2",
        "5 physics ann gpu COMPLETED None 11 3600 4 2",
    ]);
    text.push_str(
        "hpc|6|6|6|physics|ann|gpu|normal|COMPLETED|1735725600|1735729200|3600|0|4|1|cpu=4,mem=lots\n",
    );
    text.push_str("hpc|7|7|7|physics|ann|a|b|normal|COMPLETED|1735725600|1735729200|3600|0|4|1|cpu=4\n");
    text.push_str("hpc|||8|physics|ann|gpu|normal|COMPLETED|1735725600|1735729200|3600|0|4|1|cpu=4\n");
    let files: [(&str, &[u8]); 7] = [
        ("a.txt", text.as_bytes()),
        ("b.txt", b"JobID|Account|State|ElapsedRaw\n1|a|COMPLETED|5\n"),
        ("c.txt", b"  JobID    Account  State\n-------- -------- ------\n"),
        ("d.txt", b""),
        ("e.json", b"{\"meta\": {}, \"errors\": []}"),
        ("f.json", b"{\"jobs\": [{\"job_id\": 1, \"job_state\": [\"RUNNING\"]}"),
        ("g.json", b"{\"errors\": [{\"error\": \"no such cluster\"}], \"jobs\": []}"),
    ];
    let error = convert(&json!({}), &files, "2025-01").err().unwrap();
    assert_snapshot!(error, @r#"
    a.txt:2: State: `EXPLODED` is no state that is known; say below `states:` of the source what is billed of it
    a.txt:3: End: `1735693200` is before the start, 1735725600
    a.txt:4: Start: `soon` is no time; run sacct with `SLURM_TIME_FORMAT=%s`, or leave its ISO times as they are
    a.txt:5: ElapsedRaw: `long` is no time that a run takes; write seconds or D-HH:MM:SS
    a.txt:6: Start: says no time, but the run lasted 3600 s
    a.txt:7: AllocTRES: `cpu=4,mem=lots` has `mem=lots`, which is no number of anything
    a.txt:8: `hpc|7|7|7|physics|ann|a|b|normal|COMPLETED|1735725600|1735729200|3600|0|4|1|cpu=4` has 17 fields and not 16; either the line is cut off, or a name has the delimiter in it: run sacct with `--delimiter=$'\x1f'`
    a.txt:9: JobIDRaw: says no job
    b.txt:1: Partition, Start, End, AllocTRES are missing; run `TZ=UTC SLURM_TIME_FORMAT=%s sacct -a -X -D -P --noconvert --delimiter=$'\x1f' -S … -E … --format=Cluster,JobIDRaw,JobID,DBIndex,SLUID,Account,User,UID,Partition,QOS,WCKey,Reservation,State,ExitCode,Submit,Eligible,Start,End,ElapsedRaw,Suspended,AllocCPUS,NNodes,NodeList,AllocTRES,ReqTRES,Flags,Restarts` (without what `sacct -e` does not list)
    c.txt:1: `  JobID    Account  State` is no header of `sacct -P` and no record of its six-field form; run sacct with `-P` (or `--json`) and without `-n`
    d.txt: is empty; not even a header is in it, so sacct was refused or never ran
    e.json: has no `jobs`; it is no answer of `sacct --json` or /slurmdb/…/jobs
    f.json:1: time: says no times; ask slurmrestd for /slurmdb/…/jobs, not /slurm/…/jobs
    f.json: is no whole JSON: EOF while parsing a list at line 1 column 49; fetch it again
    g.json: is no list of jobs but a refusal: [{"error":"no such cluster"}]
    "#);
}

#[test]
fn more_problems_than_anybody_reads_are_counted() {
    let text = format!("{}{}", sacct(&[]), "x\n".repeat(2500));
    let Err(ConvertError::Problems(problems)) = convert(&json!({}), &[("a", text.as_bytes())], "2025-01")
    else {
        panic!("lines of one letter are records")
    };
    assert_eq!((problems.listed.len(), problems.count()), (1000, 2500));
    assert!(problems.to_string().ends_with("and 1500 more"));
}

/// The job of `sacct` as versions of Slurm write it.
fn json_job(version: &str) -> Value {
    let number = |number: u64| match version {
        "22.05" => json!(number),
        _ => json!({ "set": true, "infinite": false, "number": number }),
    };
    let state = if version == "22.05" { json!("TIMEOUT") } else { json!(["TIMEOUT"]) };
    let gone = if version == "22.05" { Value::Null } else { json!(-2) };
    json!({
        "account": "physics",
        "association": { "account": "physics", "cluster": "hpc", "user": "ann" },
        "cluster": "hpc",
        "user": "ann",
        "partition": "gpu",
        "qos": "normal",
        "job_id": 41,
        "array": { "job_id": 40, "task_id": number(3) },
        "state": { "current": state, "reason": "None" },
        "time": { "elapsed": 3600, "start": JANUARY + 3600, "end": JANUARY + 7200, "suspended": 0 },
        "allocation_nodes": number(1),
        "submit_line": "sbatch --export=SECRET=1",
        "steps": [{ "step": { "id": "41.batch" } }],
        "tres": { "allocated": [
            { "type": "cpu", "name": if version == "22.05" { Value::Null } else { json!("") }, "id": 1, "count": 4 },
            { "type": "mem", "name": "", "id": 2, "count": 4000 },
            { "type": "energy", "name": "", "id": 3, "count": gone },
            { "type": "node", "name": "", "id": 4, "count": 1 },
            { "type": "billing", "name": "", "id": 5, "count": 4 },
            { "type": "gres", "name": "gpu", "id": 1001, "count": 2 },
            { "type": "gres", "name": "gpu:a100", "id": 1002, "count": 2 },
        ] },
    })
}

#[test]
fn json_of_every_version_says_what_text_says() {
    let text = sacct(&["41 physics ann gpu TIMEOUT 1 2 3600 4 2"]).replace("|41|41|", "|41|40_3|");
    for rating in ["core-hours", "tres", "billing", "node-hours"] {
        for charges in ["account", "user", "job"] {
            let options = json!({ "rating": rating, "charges": charges });
            let expected = told(&options, &text, "2025-01");
            for version in ["22.05", "24.11"] {
                let json = json!({ "meta": { "slurm": {} }, "jobs": [json_job(version)], "errors": [] });
                assert_eq!(
                    told(&options, &json.to_string(), "2025-01"),
                    expected,
                    "{version} {rating} {charges}"
                );
            }
            // Both in one delivery: text has an index that JSON has not, and still it is one run.
            let json = json!({ "jobs": [json_job("24.11")] }).to_string();
            let files: [(&str, &[u8]); 2] = [("a", text.as_bytes()), ("b", json.as_bytes())];
            let both = convert(&options, &files, "2025-01").unwrap();
            let once = convert(&options, &files[..1], "2025-01").unwrap();
            assert_eq!(both.rows, once.rows);
        }
    }
}

#[test]
fn what_has_no_time_or_no_number_in_json() {
    let mut pending = json_job("24.11");
    pending["state"]["current"] = json!(["PENDING"]);
    pending["time"] = json!({ "elapsed": 0, "start": 0, "end": 0 });
    let mut never = json_job("22.05");
    never["state"]["current"] = json!("CANCELLED");
    never["time"] = json!({ "elapsed": 0, "start": 4_294_967_294_u64, "end": JANUARY });
    let mut running = json_job("24.11");
    running["state"]["current"] = json!(["COMPLETING", "RUNNING"]);
    running["time"] =
        json!({ "elapsed": { "set": true, "infinite": false, "number": 60 }, "start": JANUARY, "end": 0 });
    let json = json!({ "jobs": [pending, never, running] }).to_string();
    assert_snapshot!(told(&json!({}), &json, "2025-01"), @r"
    slurm:hpc:physics:gpu | gpu | 240 | core-seconds | 2025-01-01T00:00:00Z | 2025-02-01T00:00:00Z | {} | 
    read 3 records, 60 s, 240 core-s
    - billed: 1 records, 60 s, 240 core-s
    - never started: 1 records, 0 s, 0 core-s
    - pending: 1 records, 0 s, 0 core-s
    ");
}

#[test]
fn a_row_knows_its_records() {
    let text = sacct(&[
        "1 physics ann gpu COMPLETED 10 11 3600 4 2",
        "2 physics bob gpu NODE_FAIL 12 14 7200 8 0",
        "3 physics bob gpu TIMEOUT 12 14 7200 8 0",
        "4 physics bob gpu TIMEOUT 800 801 3600 8 0",
        "5 chemistry eve gpu TIMEOUT 12 14 7200 8 0",
    ]);
    let json = json!({ "jobs": [json_job("24.11")] }).to_string();
    let files: [(&str, &[u8]); 2] = [("a.txt", text.as_bytes()), ("b.json", json.as_bytes())];
    let open = || Ok(raw(&files));
    let behind = |options: &Value, row: u64| {
        connector(options).records_behind(&open, "2025-01".parse().unwrap(), row).map(|behind| {
            let of = |record: &crate::RawRecord| format!("{}:{}", record.file, record.line);
            (behind.records.iter().map(of).collect::<Vec<_>>(), behind.count)
        })
    };
    let (account, job) = (json!({}), json!({ "charges": "job" }));
    assert_eq!(behind(&account, 1).unwrap(), (vec!["a.txt:6".to_owned()], 1));
    let physics = vec!["a.txt:2".to_owned(), "a.txt:4".to_owned(), "b.json:1".to_owned()];
    assert_eq!(behind(&account, 2).unwrap(), (physics, 3));
    assert_eq!(behind(&account, 3).unwrap(), (vec!["a.txt:3".to_owned()], 1));
    let error = behind(&account, 4).unwrap_err();
    assert_eq!(error.to_string(), "there is no row 4; the delivery makes 3 rows in 2025-01");
    assert_eq!(behind(&job, 2).unwrap(), (vec!["b.json:1".to_owned()], 1));
    let all = connector(&job).records_behind(&open, "2025-01".parse().unwrap(), 2).unwrap();
    assert!(!all.records[0].text.contains("SECRET"), "{}", all.records[0].text);
    assert!(all.records[0].text.contains("physics"));
}
