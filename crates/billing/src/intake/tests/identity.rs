//! What makes a charge the same charge, and what makes it say something else.

use super::{Row, TAGS, row, take, take_with};
use crate::SourceName;
use crate::intake::{Desk, FileContext, Intake, IntakeOptions};
use crate::settings::Settings;

/// Fingerprint, content digest and overlap key of one row.
fn marks(row: Row<'_>) -> [u64; 3] {
    let columns = take(&[row]).columns;
    [columns.fingerprint[0], columns.content_digest[0], columns.overlap_key[0]]
}

/// Which of fingerprint, content digest and overlap key a change changes.
#[test]
fn each_change_is_seen_where_it_belongs() {
    let moved_fund = TAGS.replace("PHYS-0042", "PHYS-0043");
    let credit = [("ResourceId", ""), ("SkuId", ""), ("ChargeDescription", "grant credit")];
    let base = |extra: &[(&'static str, &'static str)]| row(extra);
    let cases: [(&str, Row<'_>, Row<'_>, [bool; 3]); 16] = [
        ("nothing", base(&[]), base(&[]), [false; 3]),
        ("billed cost", base(&[]), base(&[("BilledCost", "10.01")]), [false, true, false]),
        ("list cost", base(&[]), base(&[("ListCost", "0")]), [false, true, false]),
        ("no list cost", base(&[("ListCost", "0")]), base(&[("ListCost", "")]), [false, true, false]),
        ("how a cost is written", base(&[]), base(&[("BilledCost", "1E1")]), [false; 3]),
        ("the fund", base(&[]), row(&[("Tags", &moved_fund)]), [false, true, false]),
        ("the resource's name", base(&[]), base(&[("ResourceName", "other")]), [false; 3]),
        ("a quantity", base(&[]), base(&[("ConsumedQuantity", "7")]), [false; 3]),
        ("the currency", base(&[]), base(&[("BillingCurrency", "EUR")]), [false, true, false]),
        ("the resource", base(&[]), base(&[("ResourceId", "vol-2")]), [true, false, true]),
        ("the service", base(&[]), base(&[("ServiceName", "Tape")]), [true, false, true]),
        ("the SKU", base(&[]), base(&[("SkuId", "S1")]), [true, false, true]),
        ("the account", base(&[]), base(&[("BillingAccountId", "1")]), [true, false, false]),
        ("the day", base(&[]), base(&[("ChargePeriodStart", "2025-01-09T00:00:00Z")]), [true, false, false]),
        ("prose of a usage", base(&[]), base(&[("ChargeDescription", "$2 a month")]), [false; 3]),
        ("what a credit is for", row(&credit[..2]), row(&credit), [true, false, false]),
    ];
    for (what, before, after, expected) in cases {
        let (before, after) = (marks(before), marks(after));
        let changed: Vec<bool> = before.iter().zip(&after).map(|(a, b)| a != b).collect();
        assert_eq!(changed, expected, "{what}");
    }
}

#[test]
fn the_same_value_in_another_field_is_another_charge() {
    let [in_resource, ..] = marks(row(&[("ResourceId", "x"), ("SkuId", "")]));
    let [in_sku, ..] = marks(row(&[("ResourceId", ""), ("SkuId", "x")]));
    let [joined, ..] = marks(row(&[("ResourceId", "xS"), ("SkuId", "1")]));
    let [parted, ..] = marks(row(&[("ResourceId", "x"), ("SkuId", "S1")]));
    assert!(in_resource != in_sku && joined != parted);
}

#[test]
fn a_column_that_is_empty_is_like_a_column_that_is_absent() {
    let names =
        ["SkuId", "SubAccountId", "RegionId", "ChargeClass", "PricingCategory", "oci_ReferenceNumber"];
    let empty: Vec<(&str, &str)> = names.iter().map(|&name| (name, "")).collect();
    assert_eq!(marks(row(&[])), marks(row(&empty)));
}

#[test]
fn the_case_of_an_enum_value_is_no_other_charge() {
    assert_eq!(marks(row(&[("ChargeCategory", "usage")])), marks(row(&[("ChargeCategory", "Usage")])));
}

#[test]
fn twins_have_equal_fingerprints() {
    let rows = [row(&[]), row(&[("BilledCost", "5"), ("Tags", "{}")]), row(&[("ResourceId", "vol-2")])];
    let columns = take(&rows).columns;
    assert_eq!(columns.fingerprint[0], columns.fingerprint[1]);
    assert_ne!(columns.fingerprint[0], columns.fingerprint[2]);
    assert_ne!(columns.content_digest[0], columns.content_digest[1]);
}

#[test]
fn sources_that_differ_in_case_are_one_source() {
    let (header, cells) = super::cells(&[row(&[])]);
    let file = FileContext::new(0, &header, Some(&cells)).expect("the required columns");
    let of = |name: &str| {
        let source = SourceName(name.to_owned());
        let intake =
            Intake::compile(&Settings::default(), &source, IntakeOptions::default()).expect("patterns");
        Desk::new(&intake).charges(&intake, &file, &cells).columns.fingerprint[0]
    };
    assert_eq!(of("AWS"), of("aws "));
    assert_ne!(of("AWS"), of("GCP"));
}

#[test]
fn a_flag_of_the_import_changes_what_a_charge_says() {
    let digest = |period: &str| {
        let expected_periods = vec![period.parse().expect("a period")];
        let options = IntakeOptions { expected_periods, ..IntakeOptions::default() };
        take_with(&Settings::default(), options, &[row(&[])]).columns.content_digest[0]
    };
    assert_eq!(digest("2025-01"), marks(row(&[]))[1]);
    assert_ne!(digest("2025-01"), digest("2025-02"));
}

/// These values are in the books of every installation: if they change, decisions are lost.
#[test]
fn the_format_stays() {
    let full = row(&[
        ("BillingAccountId", "0042"),
        ("ChargeCategory", "Usage"),
        ("SkuId", "S1"),
        ("oci_ReferenceNumber", "r-9"),
    ]);
    let told = [marks(row(&[])), marks(full)].map(|marks| marks.map(|mark| format!("{mark:016x}")).join(" "));
    insta::assert_snapshot!(told.join("\n"), @r#"
    c04cb46ff44512af 0b17e9f8592e0f99 71daff97e32346de
    659ee9f881612ae5 0b17e9f8592e0f99 15c1c8991bafc742
    "#);
}
