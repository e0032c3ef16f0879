//! Parts, notes, and the times that are put right.

use super::{Row, cells, row, take, text, without};
use crate::charge::{AmountColumn, TextColumn};
use crate::intake::{FileContext, PartSums, SumTooLarge, Sums};
use money::Amount;

#[test]
fn parts_are_periods_and_billing_accounts() {
    let rows = [
        row(&[("BillingAccountId", "0042")]),
        row(&[("BillingAccountId", "42"), ("BilledCost", "-3.5"), ("ListCost", "")]),
        row(&[("BillingAccountId", "0042"), ("Tags", "")]),
        row(&[("BillingAccountId", "")]),
        row(&[("BillingAccountId", "42"), ("BillingPeriodStart", "2025-02-01")]),
    ];
    let mut taken = take(&rows);
    let parts: Vec<String> = taken
        .parts
        .iter()
        .map(|((period, account), sums)| {
            let PartSums {
                rows,
                list_cost,
                contracted_cost,
                billed_cost,
                effective_cost,
                billed_magnitude: _,
                flagged_rows,
                flagged_billed,
            } = sums;
            format!(
                "{period} {account:?}: {rows} rows, list {list_cost}, contracted {contracted_cost}, billed \
                 {billed_cost}, effective {effective_cost}; flagged {flagged_rows}, {flagged_billed}"
            )
        })
        .collect();
    insta::assert_snapshot!(parts.join("\n"), @r#"
    2025-01 None: 1 rows, list 12, contracted 11, billed 10, effective 10; flagged 0, 0
    2025-01 Some("0042"): 2 rows, list 24, contracted 22, billed 20, effective 20; flagged 1, 10
    2025-01 Some("42"): 1 rows, list -3.5, contracted 11, billed -3.5, effective 10; flagged 0, 0
    2025-02 Some("42"): 1 rows, list 12, contracted 11, billed 10, effective 10; flagged 0, 0
    "#);
    assert_eq!(taken.number_from(101), 106);
    assert_eq!(taken.columns.row, [101, 102, 103, 104, 105]);
}

#[test]
fn notes_count_what_was_noticed() {
    let rows = [
        row(&[("ListCost", "0"), ("ChargeCategory", "usage"), ("ConsumedQuantity", "many")]),
        row(&[("EffectiveCost", ""), ("ChargeCategory", "Usage"), ("ConsumedQuantity", "3")]),
        row(&[
            ("BilledCost", "0.1234567890123456789"),
            ("ChargeCategory", "PURCHASE"),
            ("ConsumedQuantity", ""),
        ]),
        row(&[
            ("BillingPeriodStart", "2025-01-01 00:00:00"),
            ("ChargePeriodStart", ""),
            ("ChargeCategory", ""),
        ]),
        row(&[("BillingPeriodEnd", ""), ("ChargePeriodEnd", ""), ("ChargeCategory", "")]),
        row(&[
            ("BillingPeriodEnd", "2025-01-31"),
            ("ChargePeriodStart", "2024-12-01"),
            ("ChargeCategory", ""),
        ]),
        row(&[("BilledCost", "0"), ("ListCost", "0"), ("EffectiveCost", "0"), ("ChargeCategory", "Tax")]),
        // A row that is no charge is in no note.
        row(&[("BilledCost", "?"), ("ListCost", "0"), ("ChargeCategory", "TAX")]),
    ];
    let rows: Vec<Row<'_>> = rows
        .into_iter()
        .map(|mut row| {
            if !row.iter().any(|(name, _)| *name == "ConsumedQuantity") {
                row.push(("ConsumedQuantity", "1"));
            }
            row.sort_by_key(|(name, _)| *name);
            row
        })
        .collect();
    let taken = take(&rows);
    insta::assert_snapshot!(taken.notes.sentences().join("\n"), @r#"
    ListCost is 0 beside a cost in 1 row: the list price counts as unknown there
    EffectiveCost is missing in 1 row: BilledCost stands for it
    BilledCost has more than 18 decimal places in 1 row: rounded half-even to 18
    ConsumedQuantity is not a number in 1 row: left empty in the charge, kept as delivered
    ChargeCategory is not spelled as FOCUS spells it in 2 rows: the FOCUS spelling is used
    BillingPeriodStart has no time zone in 1 row: read as UTC
    BillingPeriodEnd is missing in 1 row: the end of the month stands for it
    the charge period is missing in 2 rows: the billing period stands for it
    the charge period is not inside the billing period in 1 row (late or corrected charges)
    "#);
    let categories: Vec<_> = (0..7).map(|row| text(&taken.columns, "charge_category", row)).collect();
    let (usage, purchase) = (Some("Usage"), Some("Purchase"));
    assert_eq!(categories, [usage, usage, purchase, None, None, None, Some("Tax")]);
    let quantities =
        &taken.columns.numbers.iter().find(|(name, _)| name == "consumed_quantity").expect("kept").1;
    assert_eq!(quantities.0[..3], [AmountColumn::NULL, 3 * 10_i128.pow(18), AmountColumn::NULL]);
}

#[test]
fn a_file_of_last_days_is_read_inclusively() {
    let day = |start, end| {
        row(&[
            ("BillingPeriodStart", "2025-01-01"),
            ("BillingPeriodEnd", "2025-01-31"),
            ("ChargePeriodStart", start),
            ("ChargePeriodEnd", end),
        ])
    };
    let rows = [
        day("2025-01-10", "2025-01-10"),
        day("2025-01-01", "2025-01-31"),
        day("2025-01-10", "2025-01-10T12:00:00Z"),
    ];
    let (header, cells) = cells(&rows);
    let file = FileContext::new(3, &header, Some(&cells)).expect("the required columns");
    assert!(file.is_inclusive());
    insta::assert_snapshot!(file.notes().join("\n"), @"period ends are the last day inside the period, not the first after it as FOCUS says: read inclusively");
    let columns = take(&rows).columns;
    let hours = |row: usize| (columns.times[3].0[row] - columns.times[2].0[row]) / 3_600_000_000;
    assert_eq!([hours(0), hours(1), hours(2)], [24, 31 * 24, 12]);
    assert_eq!(columns.times[1].0[0], columns.period[0].next().start_micros());

    // One such row among others is read as FOCUS says, and told.
    let mixed = ["2025-02-01", "2025-01-31", "2025-02-01"].map(|end| row(&[("BillingPeriodEnd", end)]));
    let told = take(&mixed).notes.sentences();
    insta::assert_snapshot!(told[0], @"BillingPeriodEnd is not the end of the month in 1 row: look at the period ends");

    let exclusive = row(&[("BillingPeriodEnd", "2025-02-01")]);
    let (header, cells) = super::cells(&[exclusive]);
    let file = FileContext::new(0, &header, Some(&cells)).expect("the required columns");
    assert!(!file.is_inclusive() && file.notes().is_empty());
}

#[test]
fn missing_times_come_from_the_billing_period() {
    let bare = ["BillingPeriodEnd", "ChargePeriodStart", "ChargePeriodEnd"]
        .iter()
        .fold(row(&[]), |row, column| without(&row, column));
    let columns = take(&[bare]).columns;
    let [starts, ends, charge_starts, charge_ends] = &columns.times;
    let month = columns.period[0];
    assert_eq!((starts.0[0], ends.0[0]), (month.start_micros(), month.next().start_micros()));
    assert_eq!((charge_starts.0[0], charge_ends.0[0]), (starts.0[0], ends.0[0]));

    // A correction of an earlier month that names only its end.
    let late = take(&[row(&[("ChargePeriodStart", ""), ("ChargePeriodEnd", "2024-11-02T00:00:00Z")])]);
    assert_eq!((late.problems.len(), late.columns.times[2].0[0]), (0, late.columns.times[3].0[0]));
}

#[test]
fn text_stays_text() {
    let taken = take(&[row(&[
        ("BillingAccountId", "0042"),
        ("ResourceId", "007"),
        ("x_Code", "1e5"),
        ("Color", "red"),
    ])]);
    for (name, value) in [("billing_account_id", "0042"), ("resource_id", "007"), ("x_code", "1e5")] {
        assert_eq!(text(&taken.columns, name, 0), Some(value), "{name}");
    }
    let tags = TAGS_WITH_ZEROS;
    let taken = take(&[row(&[("Tags", tags)])]);
    assert_eq!(text(&taken.columns, "account_code", 0), Some("0042"));
    assert_eq!(text(&taken.columns, "cost_center", 0), Some("7.50"));
    assert_eq!(text(&taken.columns, "pi_email", 0), Some("m@x.edu"));
    assert!(taken.columns.text.iter().all(|(name, _)| name != "color"), "kept in the delivered bytes only");
}

const TAGS_WITH_ZEROS: &str = r#"{"pi_email": " M@x.EDU ", "project": "p", "fund_org": "A-1", "account_code": "0042", "cost_center": 7.50}"#;

#[test]
fn columns_are_coded_where_values_repeat_and_plain_where_they_differ() {
    let names: Vec<(String, String)> =
        (0..2500).map(|n| (format!("r-{n}"), format!("s-{}", n % 7))).collect();
    let rows: Vec<Row<'_>> =
        names.iter().map(|(id, service)| row(&[("ResourceId", id), ("ServiceName", service)])).collect();
    let columns = take(&rows).columns;
    let column = |name: &str| &columns.text.iter().find(|(column, _)| column == name).expect("kept").1;
    assert!(matches!(column("resource_id"), TextColumn::Plain { .. }));
    assert!(matches!(column("service_name"), TextColumn::Coded { values, .. } if values.len() == 7));
    for (row, (id, service)) in names.iter().enumerate() {
        assert_eq!(column("resource_id").get(row), Some(id.as_str()));
        assert_eq!(column("service_name").get(row), Some(service.as_str()));
    }
}

#[test]
fn sums_of_blocks_are_added_and_never_wrap() {
    let taken = take(&[row(&[]), row(&[("Tags", "")])]);
    let mut sums = Sums::default();
    sums.add(&taken).expect("small sums");
    sums.add(&taken).expect("small sums");
    let part = sums.parts.values().next().expect("one part");
    assert_eq!((part.rows, part.billed_cost.to_string(), part.flagged_rows), (4, "40".to_owned(), 2));

    let mut full = PartSums { billed_cost: Amount::from_units(i128::MAX - 1), ..PartSums::default() };
    assert_eq!(full.merge(part), Err(SumTooLarge));
}
