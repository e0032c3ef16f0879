//! Statements: numbers, versions, lines, documents.

use billing::StatementNumber;
use billing::statement::{LineKind, PostedLeg, PostedLine, PostingGroup, Statement, Totals};
use billing::subsidy::{Leg, PaidBy, SubsidyId};
use ledger::*;
use money::{Currency, CurrencyCode, Minor};

use crate::engines::{benches, commit, stamp};
use crate::imports::{amount, period};

fn statement(number: &StatementNumber, version: u32, project: &str, due: i64) -> Statement {
    let line = |service: &str, due: i64| PostedLine {
        group: PostingGroup {
            fund_org: Some("1234-567".to_owned()),
            source: "AWS".to_owned(),
            service_name: Some(service.to_owned()),
            account_code: None,
            kind: LineKind::Usage,
            charges: 3,
            list_cost: amount("10.000000000000000001"),
            cost: amount("-0.005"),
        },
        list: Minor::new(due + 10),
        discount: Minor::new(10),
        subsidy: Minor::ZERO,
        due: Minor::new(due),
        legs: Vec::new(),
    };
    Statement {
        number: number.clone(),
        version,
        replaces: None,
        issued_on: "2025-02-03".parse().unwrap(),
        period: period("2025-01"),
        pi_email: "jane@example.edu".to_owned(),
        project_id: project.to_owned(),
        fund_orgs: vec!["1234-567".to_owned()],
        references: vec![],
        currency: Currency { code: CurrencyCode::USD, symbol: "$".to_owned() },
        lines: vec![line("Compute", due - 1), line("Storage", 1)],
        rates: Vec::new(),
        totals: Totals {
            list: Minor::new(due + 20),
            discount: Minor::new(20),
            subsidy: Minor::ZERO,
            due: Minor::new(due),
        },
        resources: vec![],
        rest: None,
        notes: vec!["the award ends soon".to_owned()],
    }
}

fn new(statement: &Statement) -> NewStatement<'_> {
    NewStatement { statement, computed_at: LedgerNumber(1), configuration_digest: "d", rule_version: 7 }
}

#[tokio::test]
async fn a_project_keeps_its_number_through_all_versions() {
    for bench in benches("numbers").await {
        let mut tx = bench.begin().await;
        let mut numbers = Vec::new();
        for (month, pi, project) in [
            ("2025-01", "a@x.edu", "p"),
            ("2025-01", "a@x.edu", "q"),
            ("2025-01", "b@x.edu", "p"),
            ("2025-02", "a@x.edu", "p"),
            ("2025-01", "a@x.edu", "q"),
        ] {
            numbers.push(tx.allot_statement_number(period(month), pi, project).await.unwrap().0);
        }
        let expected =
            ["S-2025-01-0001", "S-2025-01-0002", "S-2025-01-0003", "S-2025-02-0001", "S-2025-01-0002"];
        assert_eq!(numbers, expected);
    }
}

#[tokio::test]
async fn a_statement_is_read_as_it_was_issued() {
    for bench in benches("statement").await {
        let mut tx = bench.begin().await;
        let number = tx.allot_statement_number(period("2025-01"), "jane@example.edu", "p").await.unwrap();
        let first = statement(&number, 1, "p", 1234);
        let digest = tx.record_statement(&new(&first), &stamp("office", 1)).await.unwrap();
        commit(tx, "statement.issued").await;

        let mut reader = bench.ledger.read().await.unwrap();
        let row = reader.find_statement(&number, None).await.unwrap().unwrap();
        assert_eq!((row.totals, row.rule_version, &row.model_digest), (first.totals, 7, &digest));
        assert_eq!((row.ledger_number, row.computed_at), (LedgerNumber(2), LedgerNumber(1)));
        assert_eq!(reader.load_statement(&row.id).await.unwrap(), first);
        let model = reader.load_statement_model(&row.id).await.unwrap();
        assert_eq!(sha256_hex(model.as_bytes()), digest);
        let lines = reader.list_statement_lines(&row.id).await.unwrap();
        assert_eq!(lines.iter().map(|line| line.line).collect::<Vec<_>>(), [1, 2]);
        assert_eq!(lines.into_iter().map(|line| line.posted).collect::<Vec<_>>(), first.lines);
    }
}

#[tokio::test]
async fn legs_are_kept_by_user_and_counted_by_them() {
    for bench in benches("legs").await {
        let mut tx = bench.begin().await;
        let number = tx.allot_statement_number(period("2025-01"), "jane@example.edu", "p").await.unwrap();
        let mut first = statement(&number, 1, "p", 1234);
        let leg = |user: Option<&str>| PostedLeg {
            leg: Leg {
                by: PaidBy::Subsidy(SubsidyId(4)),
                name: "Provost".to_owned(),
                payer: "PROV-1".to_owned(),
                account_code: None,
                user: user.map(str::to_owned),
                seen: amount("1.5"),
                paid: amount("0.5"),
            },
            amount: Minor::new(50),
        };
        first.lines[1].legs = vec![leg(None), leg(Some("Ada")), leg(Some("ada"))];
        tx.record_statement(&new(&first), &stamp("office", 1)).await.unwrap();
        commit(tx, "statement.issued").await;

        let mut reader = bench.ledger.read().await.unwrap();
        let id = StatementVersion { number, version: 1 };
        assert_eq!(reader.load_statement(&id).await.unwrap(), first);
        let lines = reader.list_statement_lines(&id).await.unwrap();
        assert_eq!(lines.into_iter().map(|line| line.posted).collect::<Vec<_>>(), first.lines);
        let span = (period("2025-01"), period("2025-03"));
        let used = reader.used(LegKind::Subsidy, span, None, None).await.unwrap();
        let users: Vec<Option<&str>> = used.iter().map(|used| used.user.as_deref()).collect();
        assert_eq!(users, [None, Some("Ada"), Some("ada")]);
    }
}

#[tokio::test]
async fn versions_follow_each_other_and_the_last_is_current() {
    for bench in benches("versions").await {
        let mut tx = bench.begin().await;
        let p = tx.allot_statement_number(period("2025-01"), "jane@example.edu", "p").await.unwrap();
        let q = tx.allot_statement_number(period("2025-01"), "jane@example.edu", "q").await.unwrap();
        tx.record_statement(&new(&statement(&p, 1, "p", 100)), &stamp("office", 1)).await.unwrap();
        tx.record_statement(&new(&statement(&q, 1, "q", 200)), &stamp("office", 1)).await.unwrap();
        let issued = commit(tx, "statement.issued").await;
        let mut tx = bench.begin().await;
        for version in [1, 3] {
            let wrong = statement(&p, version, "p", 100);
            let refused = tx.record_statement(&new(&wrong), &stamp("office", 2)).await.unwrap_err();
            assert_eq!(
                refused.to_string(),
                format!("statement `S-2025-01-0001` has version 1; the next is 2, not {version}")
            );
        }
        tx.record_statement(&new(&statement(&p, 2, "p", 90)), &stamp("office", 2)).await.unwrap();
        commit(tx, "statement.issued").await;

        let mut reader = bench.ledger.read().await.unwrap();
        let mut totals = Vec::new();
        for as_of in [Some(LedgerNumber(1)), Some(issued), None] {
            let lines = reader.current_statement_lines(period("2025-01"), as_of).await.unwrap();
            totals.push(
                lines
                    .iter()
                    .map(|(row, lines)| {
                        let due: Minor = lines.iter().map(|line| line.posted.due).sum();
                        assert_eq!(due, row.totals.due);
                        assert!(lines.iter().all(|line| line.id == row.id));
                        format!("{} v{} {due}", row.id.number, row.id.version)
                    })
                    .collect::<Vec<_>>(),
            );
        }
        assert_eq!(
            totals,
            [
                vec![],
                vec!["S-2025-01-0001 v1 100".to_owned(), "S-2025-01-0002 v1 200".to_owned()],
                vec!["S-2025-01-0001 v2 90".to_owned(), "S-2025-01-0002 v1 200".to_owned()],
            ]
        );
        assert_eq!(reader.find_statement(&p, Some(1)).await.unwrap().unwrap().totals.due, Minor::new(100));
        let all = StatementFilter { project_id: Some("p".to_owned()), ..StatementFilter::default() };
        assert_eq!(reader.list_statements(&all, None).await.unwrap().len(), 2);
    }
}

#[tokio::test]
async fn documents_are_attached_later() {
    for bench in benches("documents").await {
        let mut tx = bench.begin().await;
        let number = tx.allot_statement_number(period("2025-01"), "jane@example.edu", "p").await.unwrap();
        tx.record_statement(&new(&statement(&number, 1, "p", 100)), &stamp("office", 1)).await.unwrap();
        commit(tx, "statement.issued").await;
        let document = StatementDocument {
            id: StatementVersion { number: number.clone(), version: 1 },
            kind: "pdf".to_owned(),
            sha256: "f".repeat(64),
            path: "documents/ff/f.pdf".to_owned(),
            size_bytes: 12_345,
        };
        let mut tx = bench.begin().await;
        tx.record_statement_documents(std::slice::from_ref(&document)).await.unwrap();
        commit(tx, "statement.rendered").await;
        let mut reader = bench.ledger.read().await.unwrap();
        let filter = StatementFilter { number: Some(number), current: true, ..StatementFilter::default() };
        assert_eq!(reader.list_statement_documents(&filter).await.unwrap(), vec![document]);
        let other = StatementFilter { period: Some(period("2025-02")), ..StatementFilter::default() };
        assert_eq!(reader.list_statement_documents(&other).await.unwrap(), vec![]);
    }
}
