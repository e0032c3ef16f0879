//! What goes wrong underneath: a server that goes away, a lake that cannot be written to.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use insta::assert_snapshot;
use serde_json::json;
use sqlx::{AnyConnection, AssertSqlSafe, Connection, Executor, Row};

use crate::support::{Engine, Home, PATIENCE, engines, entries, exact, project, row};

/// Keep everyone from a table of the books, wait until an act is stuck there, and end its connection.
async fn end_the_act_that_waits(url: &str, table: &str) {
    let mut holder = AnyConnection::connect(url).await.unwrap();
    let lock = format!("BEGIN; LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE");
    holder.execute(sqlx::raw_sql(AssertSqlSafe(lock))).await.unwrap();
    let find = format!(
        "SELECT CAST(pid AS BIGINT) AS pid FROM pg_locks \
         WHERE NOT granted AND relation = CAST('{table}' AS regclass) LIMIT 1"
    );
    let since = Instant::now();
    let pid: i64 = loop {
        assert!(since.elapsed() < PATIENCE, "no act came by");
        if let Some(row) = holder.fetch_optional(AssertSqlSafe(find.clone())).await.unwrap() {
            break row.get("pid");
        }
    };
    holder.execute(AssertSqlSafe(format!("SELECT pg_terminate_backend({pid})"))).await.unwrap();
    holder.close().await.unwrap();
}

#[test]
fn a_server_that_is_gone_in_the_middle_of_an_act() {
    if !engines().contains(&Engine::Postgres) {
        return;
    }
    let home = Home::on(Engine::Postgres);
    home.focus("hpc_2025-01.csv", &[row("job-1", "CPU", "7", "7", &project("genome"))]);
    let url = home.database().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    for (line, table) in
        [("periods open 2025-02", "period_event"), ("ingest hpc_2025-01.csv", "import_charge_file")]
    {
        let before = entries(&home.json("audit list")).len();
        let child = home.start(line);
        runtime.block_on(end_the_act_that_waits(&url, table));
        let answer = home.answer(&child.wait_with_output().unwrap());
        assert_eq!(answer.code, 1, "`{line}`: {}", answer.stderr);
        let place = url.split_once('@').unwrap().1.split("&options").next().unwrap();
        let words = answer.stderr.replace(place, "PLACE");
        let error = words.lines().find(|line| line.starts_with("error:")).unwrap();
        // The line of the server's own source is another in every version.
        let error = error.split(" at line ").next().unwrap();
        insta::allow_duplicates! {
            assert_snapshot!(error, @"error: the connection to the ledger `postgres://PLACE` was lost in the middle of an act; when the database is back, `audit list` shows whether the act was recorded: if not, do it again: error returned from database: terminating connection due to administrator command");
        }
        assert_eq!(entries(&home.json("audit list")).len(), before, "`{line}` was recorded in part");
        home.ok(line);
        home.ok("audit verify");
    }
    assert_eq!(home.billed("all"), exact("7"));
}

#[test]
fn a_server_that_is_not_there_is_said_at_once() {
    let home = Home::bare_on(Engine::Sqlite);
    let nowhere = home.path().join("socket");
    let url = format!("postgres://billing@localhost/ledger?host={}", nowhere.display());
    home.write("config.yaml", format!("database: {{ url: '{url}' }}\n"));
    let since = Instant::now();
    assert_snapshot!(home.refused("periods list"), @"error: cannot open the ledger `postgres://localhost/ledger?host=HOME/socket`: error communicating with database: No such file or directory (os error 2)");
    assert!(since.elapsed().as_secs() < 20, "it waited for a server that is not there");
}

/// A file system in memory, made read-only; `None` where this machine does not let us mount one.
struct ReadOnly(PathBuf);

impl ReadOnly {
    fn mount(at: &Path) -> Option<ReadOnly> {
        std::fs::create_dir_all(at).unwrap();
        let mounted = Command::new("mount").args(["-t", "tmpfs", "tmpfs"]).arg(at).output().ok()?;
        mounted.status.success().then(|| ReadOnly(at.to_owned()))
    }

    fn remount(&self, how: &str) {
        let done = Command::new("mount").args(["-o", &format!("remount,{how}")]).arg(&self.0).status();
        assert!(done.unwrap().success());
    }
}

impl Drop for ReadOnly {
    fn drop(&mut self) {
        let unmounted = Command::new("umount").arg(&self.0).status();
        assert!(unmounted.is_ok_and(|status| status.success()) || std::thread::panicking());
    }
}

#[test]
fn a_lake_that_cannot_be_written_to() {
    let home = Home::bare_on(Engine::Sqlite);
    home.write("config.yaml", crate::support::CONFIG);
    let Some(disk) = ReadOnly::mount(&home.path().join("instance/lake")) else {
        eprintln!(
            "*** a_lake_that_cannot_be_written_to: mounting is not permitted here, so it is not tested ***"
        );
        return;
    };
    home.open("2025-01");
    home.focus("hpc_2025-01.csv", &[row("job-1", "CPU", "7", "7", &project("genome"))]);
    home.ok("ingest hpc_2025-01.csv");
    home.focus("aws_2025-01.csv", &[row("i-1", "Compute", "1", "1", &project("genome"))]);
    disk.remount("ro");
    let refused = home.refused("ingest aws_2025-01.csv");
    let error = refused.lines().find(|line| line.starts_with("error:")).unwrap();
    let digits: String = error
        .split('-')
        .map(|part| if part.parse::<u32>().is_ok() { "N" } else { part })
        .collect::<Vec<_>>()
        .join("-");
    assert_snapshot!(digits, @"error: cannot create `HOME/instance/lake/deliveries/.tmp-import-N-N-0`: Read-only file system (os error 30)");
    // What is there can be read, and nothing was half recorded.
    assert_eq!(home.billed("all"), exact("7"));
    assert_eq!(home.json("imports list").as_array().map(Vec::len), Some(1));
    assert_eq!(home.json("backup backup")["head"], json!(entries(&home.json("audit list")).len()));
    disk.remount("rw");
    home.ok("ingest aws_2025-01.csv");
    assert_eq!(home.billed("all"), exact("8"));
    home.ok("audit verify");
}

/// Another program that holds the SQLite file for longer than anybody waits.
#[test]
fn a_ledger_that_another_process_holds() {
    let home = Home::bare_on(Engine::Sqlite);
    home.write("config.yaml", crate::support::CONFIG);
    home.open("2025-01");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        sqlx::any::install_default_drivers();
        let url = format!("sqlite://{}", home.path().join("instance/ledger.db").display());
        let mut holder = AnyConnection::connect(&url).await.unwrap();
        holder.execute("BEGIN IMMEDIATE").await.unwrap();
        assert_snapshot!(home.refused("periods open 2025-02"), @"error: another act is being written to the ledger `HOME/instance/ledger.db`, and it did not end in time; try again");
        assert_eq!(entries(&home.json("periods list")).len(), 1, "reading goes on");
        holder.execute("ROLLBACK").await.unwrap();
        holder.close().await.unwrap();
    });
    home.ok("periods open 2025-02");
}

/// The books are in the order of their numbers, whatever the clock says.
#[test]
fn a_clock_that_goes_backwards() {
    for engine in engines() {
        let home = Home::bare_on(engine);
        home.write("config.yaml", crate::support::CONFIG);
        home.focus("aws.csv", &[row("i-1", "Compute", "7", "7", &project("genome"))]);
        let at = |now: &str, line: &str| {
            let output = home.command(line).env("FOCUS_BILLING_NOW", now).output().unwrap();
            let answer = home.answer(&output);
            assert_eq!(answer.code, 0, "`{line}`: {}", answer.stderr);
        };
        at("2025-02-01T10:00:00Z", "periods open 2025-01");
        at("2025-02-03T10:00:00Z", "ingest aws.csv");
        at("2025-02-01T09:00:00Z", "periods close 2025-01");
        at("2025-01-31T23:59:59Z", "generate --period 2025-01");
        at("2024-12-24T00:00:00Z", "send --period 2025-01");
        at("2025-02-02T00:00:00Z", "export-journal --period 2025-01 --format gl");
        at("2025-02-01T00:00:00Z", "send --period 2025-01");
        let acts = entries(&home.json("audit list"));
        let numbers: Vec<u64> = acts.iter().filter_map(|act| act["number"].as_u64()).collect();
        assert!(numbers.is_sorted() && numbers.len() == acts.len());
        assert_eq!(home.eml().len(), 1);
        home.ok("verify --deep");
    }
}
