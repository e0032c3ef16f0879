//! What is written is what is read.

use lake::{Filter, LakeError};
use money::Amount;
use proptest::prelude::*;

use crate::common::{Charge, Home, amount, block, charge, files_below, live, wait};

/// Every value of every charge, read back through the view.
fn assert_round_trip(blocks: &[Vec<Charge>]) {
    let home = Home::new();
    let view = home.view(home.import(7, "AWS", blocks));
    let read = wait(view.charges(&Filter::default(), &[], None, 0)).unwrap();
    let written: Vec<&Charge> = blocks.iter().flatten().collect();
    assert_eq!(read.len(), written.len());
    for (at, (read, written)) in read.iter().zip(written).enumerate() {
        let row = i64::try_from(at).unwrap() + 1;
        assert_eq!(read.id.to_string(), format!("7:{row}"));
        assert_eq!((read.line, read.byte_offset, read.byte_len, read.file), (row + 1, row * 100, 100, 0),);
        assert_eq!(Some(read.period), written.period);
        assert_eq!(read.list_cost, written.costs[0]);
        assert_eq!(Some(read.billed_cost), written.costs[2]);
        assert_eq!(
            (read.fingerprint.0, read.content_digest.0),
            (written.fingerprint, written.content_digest)
        );
        let value = |name: &str| {
            read.delivered.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
        };
        for (name, expected) in &written.text {
            // Empty text in a plain column is none.
            assert_eq!(value(name).unwrap_or_default(), expected, "{name} of row {row}");
        }
        for (name, expected) in &written.numbers {
            assert_eq!(value(name).map(amount_of), Some(*expected), "{name} of row {row}");
        }
        for (name, expected) in billing::charge::COSTS.iter().zip(&written.costs) {
            assert_eq!(value(name).map(amount_of), *expected, "{name} of row {row}");
        }
        for (name, expected) in billing::charge::TIMES.iter().zip(&written.times) {
            assert_eq!(value(name).is_some(), expected.is_some(), "{name} of row {row}");
        }
    }
}

fn amount_of(text: &str) -> Amount {
    text.parse().unwrap()
}

#[test]
fn widths_places_and_nulls_come_back_exactly() {
    let largest = "999999999999.999999999999999999";
    assert_round_trip(&[
        vec![charge("12.5"), charge("-0.000001").list("0"), charge("999999999999.999999")],
        vec![charge("0.0000000000001"), charge("999999.999999999999")],
        vec![charge("0.000000000001"), charge("1000000.000000000001")],
        vec![charge(largest), charge(&format!("-{largest}")), charge("0.000000000000000001")],
        vec![charge("1").in_period("2024-12"), charge("2"), charge("3").in_period("2024-12")],
        vec![charge("1").during(0, i64::MAX), charge("1").during(-1, 1)],
    ]);
}

#[test]
fn many_times_leave_the_dictionary() {
    let step = 7_919_000_017;
    let charges: Vec<Charge> = (0..1500).map(|n| charge("1").during(n * step, n * step + step)).collect();
    let home = Home::new();
    let view = home.view(home.import(1, "HPC", &[charges]));
    let read = wait(view.totals(&["charge_period_start".to_owned()], &Filter::default())).unwrap();
    assert_eq!(read.len(), 1500);
    assert_eq!(read[0].keys[0].as_deref(), Some("1970-01-01T00:00:00Z"));
    assert_eq!(read[1].keys[0].as_deref(), Some("1970-01-01T02:11:59.000017Z"));
}

#[test]
fn an_amount_that_no_charge_can_have_is_refused() {
    let home = Home::new();
    let mut writer = home.lake.charge_writer(billing::ImportId(1), &billing::SourceName("AWS".to_owned()));
    let mut columns = block(&[charge("1"), charge("1")], 41);
    columns.costs[2].0[1] = Amount::LIMIT.units();
    let error = writer.encoder().encode(&columns).err().unwrap();
    insta::assert_snapshot!(
        error, @"`billed_cost` of charge 42 is 10^12 or more, larger than any charge can be"
    );
    columns.costs[2].0.pop();
    let error = writer.encoder().encode(&columns).err().unwrap();
    insta::assert_snapshot!(error, @"the column `billed_cost` has 1 rows in a block of 2");
    let empty = writer.encoder().encode(&block(&[], 1)).unwrap();
    writer.append(empty).unwrap();
    assert_eq!(writer.finish().unwrap(), []);
}

#[test]
fn files_are_named_by_period_source_import_and_digest() {
    let home = Home::new();
    let charges = vec![charge("1"), charge("2").in_period("2025-02"), charge("0.0000001")];
    let files = home.write(12, "Research Storage/2", &[charges]);
    let mut paths: Vec<String> = files.iter().map(|file| file.path.clone()).collect();
    for file in &files {
        let bytes = std::fs::read(home.lake.root().join(&file.path)).unwrap();
        assert_eq!(bytes.len() as u64, file.size_bytes);
        let digest: [u8; 32] = <sha2::Sha256 as sha2::Digest>::digest(&bytes).into();
        assert_eq!(digest, file.sha256);
        home.lake.check_charge_file(&file.path, &digest).unwrap();
        let error = home.lake.check_charge_file(&file.path, &[0; 32]).unwrap_err();
        assert!(matches!(error, LakeError::Damaged { .. }));
        assert!(file.path.ends_with(&format!("import-12-{}.parquet", hex::encode(&digest[..4]))));
    }
    assert_eq!(files_below(home.lake.root()), {
        paths.sort();
        paths.clone()
    });
    assert!(paths[0].starts_with("charges/period=2025-01/source=Research_Storage_2/import-12-"));
    assert_eq!(
        files.iter().map(|file| (file.period.to_string(), file.rows)).collect::<Vec<_>>(),
        [("2025-01".to_owned(), 2), ("2025-02".to_owned(), 1)]
    );
}

#[test]
fn a_long_delivery_is_several_files() {
    let home = Home::new();
    let source = billing::SourceName("AWS".to_owned());
    let mut writer = home.lake.charge_writer(billing::ImportId(3), &source).with_rows_per_file(2);
    for first_row in [1, 3, 5] {
        let rows = block(&[charge("1"), charge("2")], first_row);
        writer.append(writer.encoder().encode(&rows).unwrap()).unwrap();
    }
    assert!(files_below(home.lake.root()).iter().all(|path| path.contains(".tmp-")), "nothing counts yet");
    let files = writer.finish().unwrap();
    assert_eq!(files.iter().map(|file| file.rows).collect::<Vec<_>>(), [2, 2, 2]);
    let mut paths: Vec<String> = files.iter().map(|file| file.path.clone()).collect();
    paths.sort();
    assert_eq!(files_below(home.lake.root()), paths);
    let files = files.iter().map(|file| live(file, 3, "AWS")).collect();
    let read = wait(home.view(files).charges(&Filter::default(), &[], None, 0)).unwrap();
    let ids: Vec<String> = read.iter().map(|charge| charge.id.to_string()).collect();
    assert_eq!(ids, ["3:1", "3:2", "3:3", "3:4", "3:5", "3:6"]);
}

#[test]
fn what_is_not_finished_leaves_nothing_and_a_crash_is_swept() {
    let home = Home::new();
    let kept = home.write(1, "AWS", &[vec![charge("1")]]);
    let source = billing::SourceName("AWS".to_owned());
    let mut writer = home.lake.charge_writer(billing::ImportId(2), &source);
    writer.append(writer.encoder().encode(&block(&[charge("1")], 1)).unwrap()).unwrap();
    assert_eq!(files_below(home.lake.root()).len(), 2);
    drop(writer);
    assert_eq!(files_below(home.lake.root()), [kept[0].path.clone()]);

    // A crash: destructors do not run.
    let mut writer = home.lake.charge_writer(billing::ImportId(2), &source);
    writer.append(writer.encoder().encode(&block(&[charge("1")], 1)).unwrap()).unwrap();
    std::mem::forget(writer);
    std::mem::forget(home.lake.delivery_writer(billing::ImportId(2)).unwrap());
    home.write(2, "AWS", &[vec![charge("5")]]);
    home.write(21, "AWS", &[vec![charge("6")]]);
    assert_eq!(files_below(home.lake.root()).len(), 5);
    assert_eq!(home.lake.sweep(billing::ImportId(2)).unwrap(), 3);
    assert_eq!(home.lake.sweep(billing::ImportId(2)).unwrap(), 0);
    let left = files_below(home.lake.root());
    assert_eq!(left.len(), 2, "imports 1 and 21 stay: {left:?}");
}

#[test]
fn a_missing_file_and_a_path_outside_are_named() {
    let home = Home::new();
    let mut files = home.import(3, "AWS", &[vec![charge("1")]]);
    let outside = crate::common::live(
        &lake::ChargeFile {
            path: "../ledger.db".to_owned(),
            period: files[0].period,
            rows: 1,
            size_bytes: 1,
            sha256: [0; 32],
        },
        3,
        "AWS",
    );
    let view = |file: lake::LiveFile| {
        home.lake.view(lake::ViewSpec { files: vec![file], ..lake::ViewSpec::default() }).err().unwrap()
    };
    insta::assert_snapshot!(view(outside), @"`../ledger.db` is not a path inside the lake");
    files[0].path = "charges/gone.parquet".to_owned();
    let error = view(files.remove(0));
    assert!(matches!(error, LakeError::NoChargeFile { .. }));
    insta::assert_snapshot!(
        error, @"the charge file `charges/gone.parquet` of import 3 is missing; restore it from a backup of the lake"
    );
}

fn any_amount() -> impl Strategy<Value = Amount> {
    let limit = Amount::LIMIT.units() - 1;
    let scale = prop::sample::select(vec![1_i128, 1_000_000, 1_000_000_000_000, 1_000_000_000_000_000_000]);
    (-limit..=limit, scale).prop_map(|(units, scale)| Amount::from_units(units / scale * scale))
}

fn any_charge() -> impl Strategy<Value = Charge> {
    let costs = prop::array::uniform4(prop::option::weighted(0.8, any_amount()));
    let times = prop::array::uniform4(prop::option::weighted(0.8, -1_000_000_i64..1_000_000));
    let texts = prop::collection::vec(prop::sample::select(vec!["", "a", "bé", "0042", "a,\"b\"\n"]), 3);
    let hashes = prop::array::uniform3(any::<u64>());
    (costs, times, texts, hashes, any_amount(), any_amount(), 0..3_i32).prop_map(
        |(mut costs, times, texts, hashes, billed, number, month)| {
            costs[2] = Some(billed);
            Charge {
                period: Some(billing::Period::from_code(2025 * 12 + month)),
                costs,
                times,
                text: ["flags", "service_name", "x_text"]
                    .into_iter()
                    .zip(texts)
                    .map(|(name, value)| (name, value.to_owned()))
                    .collect(),
                numbers: vec![("consumed_quantity", number)],
                fingerprint: hashes[0],
                content_digest: hashes[1],
                overlap_key: hashes[2],
            }
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn any_charges_round_trip(blocks in prop::collection::vec(prop::collection::vec(any_charge(), 1..40), 1..4)) {
        assert_round_trip(&blocks);
    }
}

#[test]
fn exact_sums() {
    let home = Home::new();
    let charges = vec![
        charge("0.000000000000000001"),
        charge("999999999999.999999999999999999"),
        charge("-0.000000000000000002"),
        charge("999999999999"),
    ];
    let view = home.view(home.import(1, "AWS", &[charges]));
    let totals = wait(view.totals(&[], &Filter::default())).unwrap();
    assert_eq!(totals[0].billed_cost, amount("999999999999.999999999999999998") + amount("999999999999"));
}
