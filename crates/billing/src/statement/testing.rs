//! What the tests of statements and journals share.

use money::Amount;
use proptest::prelude::*;

use super::{LineKind, PostingGroup, Statement, post_statement};
use crate::StatementNumber;
use crate::settings::Settings;

/// Version 1 of the first statement of January 2025, with what its posted lines come to.
pub fn statement(groups: Vec<PostingGroup>) -> Statement {
    let period = "2025-01".parse().unwrap();
    let (lines, totals) = post_statement(groups, 2);
    Statement {
        number: StatementNumber::new(period, 1),
        version: 1,
        replaces: None,
        issued_on: jiff::civil::date(2025, 2, 3),
        period,
        pi_email: "a@example.edu".to_owned(),
        project_id: "radium".to_owned(),
        fund_orgs: vec!["PHYS-1".to_owned()],
        references: Vec::new(),
        currency: Settings::default().currency,
        lines,
        totals,
        rates: Vec::new(),
        resources: Vec::new(),
        rest: None,
        notes: Vec::new(),
    }
}

pub fn group(service: &str, kind: LineKind, list: &str, cost: &str) -> PostingGroup {
    PostingGroup {
        fund_org: Some("PHYS-1".to_owned()),
        source: "AWS".to_owned(),
        service_name: Some(service.to_owned()),
        account_code: None,
        kind,
        charges: 1,
        list_cost: list.parse().unwrap(),
        cost: cost.parse().unwrap(),
    }
}

pub fn any_kind() -> impl Strategy<Value = LineKind> {
    prop_oneof![
        4 => Just(LineKind::Usage),
        1 => Just(LineKind::Credit),
        1 => Just(LineKind::Tax),
        1 => Just(LineKind::Adjustment),
    ]
}

/// Costs and lists as they come: ties, tiny and large amounts, no discount, full discount, markup.
pub fn any_costs() -> impl Strategy<Value = (Amount, Amount)> {
    const UNIT: i128 = 10_i128.pow(Amount::SCALE);
    let amount = || {
        prop_oneof![
            3 => (-40_i128..400).prop_map(|half_cents| half_cents * UNIT / 200),
            3 => -UNIT / 10..UNIT,
            1 => -10_000_000 * UNIT..1_000_000_000 * UNIT,
            1 => Just(0),
        ]
    };
    let tenth_of_cent = UNIT / 1000;
    (
        amount(),
        prop_oneof![
            2 => Just(None),
            2 => amount().prop_map(Some),
            1 => (-tenth_of_cent..10 * tenth_of_cent).prop_map(Some),
        ],
    )
        .prop_map(|(cost, more)| (Amount::from_units(cost + more.unwrap_or(0)), Amount::from_units(cost)))
}

pub fn any_groups() -> impl Strategy<Value = Vec<PostingGroup>> {
    let some = |names: &'static [&'static str]| prop::sample::select(names).prop_map(str::to_owned);
    let one = (
        some(&["PHYS-1", "CHEM-2", "BIO-3"]),
        some(&["AWS", "HPC"]),
        prop::option::of(some(&["EC2", "S3", "GPU"])),
        prop::option::of(some(&["51000", "52000"])),
        any_kind(),
        any_costs(),
        1_u64..5,
    )
        .prop_map(|(fund_org, source, service_name, account_code, kind, (list_cost, cost), charges)| {
            PostingGroup {
                fund_org: Some(fund_org),
                source,
                service_name,
                account_code,
                kind,
                charges,
                list_cost,
                cost,
            }
        });
    // As the lake gives them: one group a key.
    prop::collection::vec(one, 0..25).prop_map(|groups| {
        let mut keys = std::collections::HashSet::new();
        groups
            .into_iter()
            .filter(|group| {
                keys.insert((
                    group.fund_org.clone(),
                    group.source.clone(),
                    group.service_name.clone(),
                    group.account_code.clone(),
                    group.kind,
                ))
            })
            .collect()
    })
}
