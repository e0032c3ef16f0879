//! Sources, leases, imports and their parts.

use billing::{ImportId, Period, SourceName};
use ledger::*;
use money::Amount;

use crate::engines::{Bench, at, benches, commit, stamp};

pub fn amount(text: &str) -> Amount {
    Amount::parse_total(text).unwrap()
}

pub fn period(text: &str) -> Period {
    text.parse().unwrap()
}

pub fn name(text: &str) -> SourceName {
    SourceName(text.to_owned())
}

pub async fn with_source(bench: &Bench, source: &str) {
    let mut tx = bench.begin().await;
    let new = NewSource { name: name(source), description: None };
    tx.create_source(&new, &stamp("office", 1)).await.unwrap();
    commit(tx, "source.created").await;
}

/// An import of one file with one part per (period, account, billed cost).
pub fn record(import: ImportId, source: &str, sha256: &str, parts: &[(&str, &str, &str)]) -> ImportRecord {
    let parts: Vec<Part> = parts
        .iter()
        .map(|(month, account, cost)| Part {
            key: PartKey { import, period: period(month), account: (*account).to_owned() },
            rows: 3,
            flagged: 1,
            list_cost: amount(cost),
            contracted_cost: Amount::ZERO,
            billed_cost: amount(cost),
            effective_cost: amount(cost),
            flagged_cost: Amount::ZERO,
            billed_magnitude: amount(cost).abs(),
        })
        .collect();
    let mut periods: Vec<Period> = parts.iter().map(|part| part.key.period).collect();
    periods.dedup();
    let charge_files = periods
        .iter()
        .map(|period| ChargeFile {
            import,
            path: format!("charges/period={period}/source={source}/import-{import}.parquet"),
            period: *period,
            sha256: "c".repeat(64),
            rows: 3,
            size_bytes: 1000,
        })
        .collect();
    ImportRecord {
        import,
        source: name(source),
        expected_periods: Vec::new(),
        mode: ImportMode::New,
        rereads: None,
        configuration_digest: "d".repeat(64),
        notes: vec!["`ServiceName` was read as `service_name`".to_owned()],
        files: vec![DeliveredFile {
            ordinal: 0,
            name: "aws_2025-01.csv".to_owned(),
            sha256: sha256.to_owned(),
            size_bytes: 512,
            format: "csv".to_owned(),
            rows: 3,
            quarantined: 0,
        }],
        charge_files,
        quarantine_file: None,
        rows: 3,
        charges: 3,
        quarantined: 0,
        left_out: 4,
        flagged: 1,
        flags: vec![FlagSum { flag: "missing_fund_org".to_owned(), rows: 1, billed_cost: amount("0.125") }],
        costs: ImportCosts {
            billed_cost: amount("12345678901234567.000000000000000001"),
            ..ImportCosts::default()
        },
        parts,
    }
}

pub async fn import(
    bench: &Bench,
    source: &str,
    sha256: &str,
    parts: &[(&str, &str, &str)],
) -> (ImportId, LedgerNumber) {
    let id = bench.ledger.reserve_import(&name(source), &stamp("office", 2), at(10)).await.unwrap();
    let mut tx = bench.begin().await;
    tx.commit_import(&record(id, source, sha256, parts), &stamp("office", 3)).await.unwrap();
    (id, commit(tx, "import.committed").await)
}

async fn live(bench: &Bench, as_of: Option<LedgerNumber>) -> Vec<String> {
    let parts = bench.ledger.read().await.unwrap().live_parts(&PartFilter::default(), as_of).await.unwrap();
    parts
        .iter()
        .map(|live| {
            assert_eq!(live.files.len(), 1, "{live:?}");
            assert_eq!(live.files[0].period, live.part.key.period);
            format!("{} {} {}", live.part.key.import, live.part.key.period, live.part.key.account)
        })
        .collect()
}

#[tokio::test]
async fn a_source_is_one_in_any_spelling() {
    for bench in benches("source").await {
        with_source(&bench, " AWS ").await;
        let mut tx = bench.begin().await;
        let again = NewSource { name: name("aws"), description: None };
        let refused = tx.create_source(&again, &stamp("office", 2)).await.unwrap_err();
        assert_eq!(refused.to_string(), "the source `aws` is in the ledger already");
        let found = tx.find_source(&name("Aws")).await.unwrap().unwrap();
        assert_eq!((found.name.0.as_str(), found.last_import), ("AWS", None));
    }
}

#[tokio::test]
async fn an_import_is_read_as_it_was_committed() {
    for bench in benches("import").await {
        with_source(&bench, "AWS").await;
        let (id, number) =
            import(&bench, "aws", &"a".repeat(64), &[("2025-01", "", "10.5"), ("2025-01", "b", "2")]).await;
        let mut reader = bench.ledger.read().await.unwrap();
        let row = reader.load_import(id).await.unwrap();
        let written = record(id, "aws", &"a".repeat(64), &[("2025-01", "", "10.5"), ("2025-01", "b", "2")]);
        assert_eq!((row.number, &row.notes, row.costs), (number, &written.notes, written.costs));
        assert_eq!(row.left_out, Some(written.left_out));
        assert_eq!((row.mode, row.source_name.0.as_str(), row.rows), (ImportMode::New, "AWS", 3));
        assert_eq!(reader.list_delivered_files(id).await.unwrap(), written.files);
        assert_eq!(reader.list_charge_files(Some(id), None).await.unwrap(), written.charge_files);
        assert_eq!(reader.list_import_flags(id).await.unwrap(), written.flags);
        let parts = reader.list_parts(&PartFilter::default(), None).await.unwrap();
        assert_eq!(parts, written.parts.into_iter().map(|part| (part, PartState::Live)).collect::<Vec<_>>());
        assert_eq!(reader.find_source(&name("aws")).await.unwrap().unwrap().last_import, Some(id));
        let filter =
            ImportFilter { period: Some(period("2025-01")), limit: Some(5), ..ImportFilter::default() };
        assert_eq!(reader.list_imports(&filter).await.unwrap(), vec![row]);
        let filter = ImportFilter { period: Some(period("2025-02")), ..ImportFilter::default() };
        assert_eq!(reader.list_imports(&filter).await.unwrap(), vec![]);
    }
}

#[tokio::test]
async fn imports_are_found_by_state_and_a_page_at_a_time() {
    for bench in benches("import_pages").await {
        with_source(&bench, "AWS").await;
        let (first, _) =
            import(&bench, "aws", &"a".repeat(64), &[("2025-01", "x", "1"), ("2025-01", "y", "2")]).await;
        let (second, _) = import(&bench, "aws", &"b".repeat(64), &[("2025-01", "x", "3")]).await;
        let (third, _) = import(&bench, "aws", &"c".repeat(64), &[("2025-02", "", "3")]).await;
        let mut tx = bench.begin().await;
        let key = PartKey { import: first, period: period("2025-01"), account: "x".to_owned() };
        tx.supersede_part(&key, second).await.unwrap();
        tx.withdraw_import(third, "twice").await.unwrap();
        commit(tx, "import.withdrawn").await;
        let mut reader = bench.ledger.read().await.unwrap();
        for (state, found) in [
            (PartState::Live, vec![first, second]),
            (PartState::Superseded, vec![first]),
            (PartState::Withdrawn, vec![third]),
        ] {
            let filter = ImportFilter { state: Some(state), ..ImportFilter::default() };
            let ids: Vec<ImportId> =
                reader.list_imports(&filter).await.unwrap().iter().map(|row| row.import).collect();
            assert_eq!(ids, found, "{}", state.name());
            assert_eq!(reader.count_imports(&filter).await.unwrap(), found.len() as u64);
        }
        let page = ImportFilter { limit: Some(2), offset: 1, ..ImportFilter::default() };
        let ids: Vec<ImportId> =
            reader.list_imports(&page).await.unwrap().iter().map(|row| row.import).collect();
        assert_eq!((ids, reader.count_imports(&page).await.unwrap()), (vec![first, second], 3));
    }
}

#[tokio::test]
async fn what_is_live_is_read_as_of_any_number() {
    for bench in benches("live").await {
        with_source(&bench, "AWS").await;
        let (first, one) =
            import(&bench, "aws", &"a".repeat(64), &[("2025-01", "x", "1"), ("2025-01", "y", "2")]).await;
        let (second, two) = import(&bench, "aws", &"b".repeat(64), &[("2025-01", "x", "3")]).await;
        let mut tx = bench.begin().await;
        let key = PartKey { import: first, period: period("2025-01"), account: "x".to_owned() };
        tx.supersede_part(&key, second).await.unwrap();
        let again = tx.supersede_part(&key, second).await.unwrap_err();
        assert_eq!(again.to_string(), "import 1 is not live in 2025-01, account `x`: it is superseded");
        let three = commit(tx, "import.superseded").await;
        let mut tx = bench.begin().await;
        assert_eq!(tx.withdraw_import(second, "wrong source").await.unwrap().len(), 1);
        let again = tx.withdraw_import(second, "wrong source").await.unwrap_err();
        assert_eq!(again.to_string(), "the live import `2` is not in the ledger");
        commit(tx, "import.withdrawn").await;

        assert_eq!(live(&bench, Some(LedgerNumber(1))).await, [""; 0]);
        assert_eq!(live(&bench, Some(one)).await, ["1 2025-01 x", "1 2025-01 y"]);
        assert_eq!(live(&bench, Some(two)).await, ["1 2025-01 x", "1 2025-01 y", "2 2025-01 x"]);
        assert_eq!(live(&bench, Some(three)).await, ["1 2025-01 y", "2 2025-01 x"]);
        assert_eq!(live(&bench, None).await, ["1 2025-01 y"]);
        let events = bench.ledger.read().await.unwrap().list_part_events(second).await.unwrap();
        let told: Vec<String> = events
            .iter()
            .map(|event| {
                format!("{} {:?} {}", event.key.import, event.state, event.reason.as_deref().unwrap_or("-"))
            })
            .collect();
        assert_eq!(told, ["2 Live -", "1 Superseded -", "2 Withdrawn wrong source"]);
    }
}

#[tokio::test]
async fn the_same_bytes_are_known_again_while_they_are_live() {
    for bench in benches("bytes").await {
        with_source(&bench, "AWS").await;
        with_source(&bench, "Azure").await;
        let sha = ["a".repeat(64)];
        let (id, _) = import(&bench, "aws", &sha[0], &[("2025-01", "", "1")]).await;
        let mut reader = bench.ledger.read().await.unwrap();
        let found = reader.find_live_import_by_digest(&name("AWS"), &sha).await.unwrap();
        assert_eq!(found.unwrap().import, id);
        let more = ["a".repeat(64), "b".repeat(64)];
        assert_eq!(reader.find_live_import_by_digest(&name("AWS"), &more).await.unwrap(), None);
        assert_eq!(reader.find_live_import_by_digest(&name("Azure"), &sha).await.unwrap(), None);
        let elsewhere = reader.find_same_bytes_elsewhere(&name("Azure"), &sha).await.unwrap();
        assert_eq!((elsewhere[0].0.import, elsewhere[0].1.as_str()), (id, "aws_2025-01.csv"));
        assert_eq!(reader.find_same_bytes_elsewhere(&name("AWS"), &sha).await.unwrap(), vec![]);
        drop(reader);

        let mut tx = bench.begin().await;
        tx.withdraw_import(id, "test").await.unwrap();
        commit(tx, "import.withdrawn").await;
        let mut reader = bench.ledger.read().await.unwrap();
        assert_eq!(reader.find_live_import_by_digest(&name("AWS"), &sha).await.unwrap(), None);
        assert_eq!(reader.find_same_bytes_elsewhere(&name("Azure"), &sha).await.unwrap(), vec![]);
    }
}

#[tokio::test]
async fn an_abandoned_import_can_never_commit() {
    for bench in benches("lease").await {
        with_source(&bench, "AWS").await;
        let (source, by) = (name("AWS"), stamp("office", 2));
        let reserve = || bench.ledger.reserve_import(&source, &by, at(10));
        let (slow, quick) = (reserve().await.unwrap(), reserve().await.unwrap());
        assert_eq!((slow, quick), (ImportId(1), ImportId(2)));
        bench.ledger.extend_lease(quick, at(30)).await.unwrap();
        assert_eq!(bench.ledger.expired_imports(at(10)).await.unwrap(), vec![]);
        let expired = bench.ledger.expired_imports(at(11)).await.unwrap();
        assert_eq!(expired.iter().map(|lease| lease.import).collect::<Vec<_>>(), [slow]);
        bench.ledger.abandon_import(slow).await.unwrap();
        bench.ledger.abandon_import(slow).await.unwrap();

        let mut tx = bench.begin().await;
        let refused =
            tx.commit_import(&record(slow, "aws", "s", &[]), &stamp("office", 3)).await.unwrap_err();
        assert_eq!(
            refused.to_string(),
            "the import 1 cannot be committed: its reservation is abandoned; import again"
        );
        tx.commit_import(&record(quick, "aws", "s", &[]), &stamp("office", 3)).await.unwrap();
        commit(tx, "import.committed").await;
        assert!(bench.ledger.extend_lease(slow, at(50)).await.is_err());
        assert!(bench.ledger.abandon_import(quick).await.is_err(), "what is committed stays");
        assert_eq!(reserve().await.unwrap(), ImportId(3), "numbers are not given twice");
        // Leases are no act: the chain knows of the source and of the import only.
        assert_eq!(bench.ledger.read().await.unwrap().verify_books().await.unwrap().rows, 3);
    }
}
