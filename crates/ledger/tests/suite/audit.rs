//! The chain finds what happened behind the program's back.

use ledger::*;
use sqlx::Executor;

use crate::engines::{Bench, at, benches, commit, event};
use crate::imports::{import, with_source};

/// Five acts: the creation, a source, an import and two empty ones.
async fn five_acts(test: &str) -> Vec<Bench> {
    let benches = benches(test).await;
    for bench in &benches {
        with_source(bench, "AWS").await;
        import(bench, "aws", &"a".repeat(64), &[("2025-01", "", "1"), ("2025-02", "", "2")]).await;
        commit(bench.begin().await, "test.first").await;
        commit(bench.begin().await, "test.second").await;
    }
    benches
}

async fn findings(bench: &Bench) -> Vec<String> {
    let check = bench.ledger.read().await.unwrap().verify_books().await.unwrap();
    assert_eq!(check.is_sound(), check.findings.is_empty());
    check.findings.iter().map(ToString::to_string).collect()
}

#[tokio::test]
async fn an_untouched_ledger_is_sound() {
    for bench in five_acts("sound").await {
        let mut reader = bench.ledger.read().await.unwrap();
        let check = reader.verify_audit().await.unwrap();
        assert_eq!((check.rows, check.head, check.findings.as_slice()), (5, LedgerNumber(5), &[][..]));
        assert_eq!(reader.verify_books().await.unwrap(), check);
        let rows = reader.list_audit(&AuditFilter::default()).await.unwrap();
        assert_eq!(rows[4].hash, check.head_hash);
        assert_eq!(reader.find_audit_by_hash(&rows[2].hash).await.unwrap().as_ref(), Some(&rows[2]));
        assert_eq!(reader.find_audit_by_hash("").await.unwrap(), None);
        assert_eq!(rows.iter().map(|row| row.number.0).collect::<Vec<_>>(), [1, 2, 3, 4, 5]);
        assert_eq!((rows[0].act.as_str(), rows[0].prev_hash.as_str()), ("installation.created", ""));
    }
}

#[tokio::test]
async fn every_kind_of_tampering_is_found() {
    let copy = "INSERT INTO audit SELECT 6, at, by_user, act, subject, detail, books, prev_hash, hash
                FROM audit WHERE number = 5";
    let cases = [
        (
            "audit",
            "UPDATE audit SET by_user = 'nobody' WHERE number = 3",
            vec!["audit row 3 was edited: its hash does not fit what it says"],
        ),
        ("audit", "DELETE FROM audit WHERE number = 4", vec!["audit row 4 is missing"]),
        (
            "audit",
            "DELETE FROM audit WHERE number >= 4",
            vec!["audit row 4 is missing", "audit row 5 is missing"],
        ),
        ("audit", copy, vec!["audit row 6 was added: the ledger ends at 5"]),
        (
            "audit",
            "UPDATE audit SET number = number + 10 WHERE number = 5",
            vec!["audit row 15 was added: the ledger ends at 5", "audit row 5 is missing"],
        ),
        (
            "part",
            "UPDATE part SET billed_cost = '0' WHERE period = '2025-02'",
            vec!["rows that act 3 wrote were edited, added or removed"],
        ),
        (
            "part",
            "DELETE FROM part WHERE period = '2025-02'",
            vec!["rows that act 3 wrote were edited, added or removed"],
        ),
        (
            "period_event",
            "INSERT INTO period_event (number, seq, period, event, at, by_user)
                          VALUES (4, 1, '2025-01', 'opened', '2025-01-01T00:00:00Z', 'me')",
            vec!["rows that act 4 wrote were edited, added or removed"],
        ),
        (
            "period_event",
            "INSERT INTO period_event (number, seq, period, event, at, by_user)
                          VALUES (9, 1, '2025-01', 'opened', '2025-01-01T00:00:00Z', 'me')",
            vec!["`period_event` holds rows of act 9, which has no audit row"],
        ),
    ];
    for (at, (table, sql, expected)) in cases.into_iter().enumerate() {
        for bench in five_acts(&format!("tamper_{at}")).await {
            bench.tamper(table, sql).await;
            let found = findings(&bench).await;
            assert_eq!(found, expected, "{sql}");
        }
    }
}

#[tokio::test]
async fn a_removed_end_is_found_even_with_a_moved_head() {
    for bench in five_acts("moved_head").await {
        let sql = "DELETE FROM audit WHERE number = 5; UPDATE ledger_head SET number = 4, entries = 4";
        bench.tamper("audit", sql).await;
        assert_eq!(findings(&bench).await, ["the head of the ledger, 4, does not fit the last audit row"]);
    }
}

#[tokio::test]
async fn an_edited_row_with_a_hash_of_its_own_breaks_the_chain() {
    for bench in five_acts("rehash").await {
        let other = five_acts("rehash_other").await.remove(0);
        // A row that is sound in itself, but of another ledger's history.
        let foreign = other.ledger.read().await.unwrap().find_audit(LedgerNumber(4)).await.unwrap().unwrap();
        let sql = format!(
            "UPDATE audit SET hash = '{}', prev_hash = '{}' WHERE number = 4",
            foreign.hash, foreign.prev_hash
        );
        bench.tamper("audit", &sql).await;
        assert_eq!(
            findings(&bench).await,
            [
                "audit row 4 does not follow row 3: a row was edited, added or removed before it",
                "audit row 5 does not follow row 4: a row was edited, added or removed before it",
            ]
        );
    }
}

#[tokio::test]
async fn rows_refuse_to_change() {
    for bench in five_acts("append_only").await {
        let mut behind = bench.behind().await;
        for table in
            ["audit", "source", "import", "import_file", "part", "part_event", "decision", "statement"]
        {
            for sql in [format!("UPDATE {table} SET number = number"), format!("DELETE FROM {table}")] {
                let done = behind.execute(sqlx::raw_sql(sqlx::AssertSqlSafe(sql.clone()))).await;
                // SQLite fires per row: a table without rows has nothing to refuse.
                let rows = matches!(table, "decision" | "statement");
                if rows && bench.location.engine() == EngineName::Sqlite {
                    continue;
                }
                let refused = done.expect_err(&sql).to_string();
                assert!(
                    refused.contains(&format!("rows of the ledger are never changed ({table})")),
                    "{refused}"
                );
            }
        }
        assert_eq!(findings(&bench).await, [""; 0]);
    }
}

#[tokio::test]
async fn every_table_of_the_books_has_its_guard() {
    for bench in benches("guards").await {
        let mut behind = bench.behind().await;
        let sql = match bench.location.engine() {
            EngineName::Sqlite => {
                "SELECT name AS name FROM sqlite_master AS t WHERE type = 'table' AND name NOT LIKE 'sqlite_%'
                 AND 2 <> (SELECT COUNT(*) FROM sqlite_master g WHERE g.type = 'trigger' AND g.tbl_name = t.name)"
            }
            EngineName::Postgres => {
                "SELECT CAST(table_name AS TEXT) AS name FROM information_schema.tables t
                 WHERE table_schema = current_schema() AND 2 <> (
                   SELECT COUNT(*) FROM information_schema.triggers g
                   WHERE g.event_object_schema = current_schema() AND g.event_object_table = t.table_name)"
            }
        };
        let mut free: Vec<String> = behind
            .fetch_all(sql)
            .await
            .unwrap()
            .iter()
            .map(|row| sqlx::Row::get::<String, _>(row, "name"))
            .collect();
        free.sort();
        assert_eq!(
            free,
            [
                "import_lease",
                "installation",
                "kept_sums",
                "ledger_head",
                "session",
                "set_up_link",
                "sign_in_attempt",
                "totp_used"
            ]
        );
    }
}

#[tokio::test]
async fn the_list_is_filtered() {
    for bench in five_acts("list").await {
        let mut reader = bench.ledger.read().await.unwrap();
        let acts = |rows: Vec<AuditRow>| rows.into_iter().map(|row| row.act).collect::<Vec<_>>();
        let of = |act: &str| AuditFilter { act: Some(act.to_owned()), ..AuditFilter::default() };
        assert_eq!(acts(reader.list_audit(&of("test")).await.unwrap()), ["test.first", "test.second"]);
        assert_eq!(acts(reader.list_audit(&of("test.first")).await.unwrap()), ["test.first"]);
        assert_eq!(acts(reader.list_audit(&of("tes")).await.unwrap()), [""; 0]);
        let last = AuditFilter { limit: Some(2), to: Some(LedgerNumber(4)), ..AuditFilter::default() };
        assert_eq!(acts(reader.list_audit(&last).await.unwrap()), ["import.committed", "test.first"]);
        let by = AuditFilter { by: Some("nobody".to_owned()), ..AuditFilter::default() };
        assert_eq!(acts(reader.list_audit(&by).await.unwrap()), [""; 0]);
    }
}

#[tokio::test]
async fn an_audit_row_says_what_the_event_said() {
    for bench in benches("event").await {
        let mut said = event("test.told", "2025-01");
        said.detail = serde_json::json!({ "z": 1, "a": ["é", null, { "b": "\u{0}" }] });
        said.at = at(5);
        let number = bench.begin().await.commit(said).await.unwrap();
        let row = bench.ledger.read().await.unwrap().find_audit(number).await.unwrap().unwrap();
        assert_eq!((row.by.as_str(), row.at.as_str()), ("office", "2025-01-01T00:05:00Z"));
        assert_eq!(row.detail, "{\"a\":[\"é\",null,{\"b\":\"\\u0000\"}],\"z\":1}");
    }
}
