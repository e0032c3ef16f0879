//! What statements are made of adds up to the charges.

use billing::statement::LineKind;
use futures::TryStreamExt;
use lake::{Filter, LakeError, Posted, Resource, View};
use money::Amount;
use proptest::prelude::*;

use crate::common::{Charge, Home, amount, charge, period, wait};

fn resources(view: &View, project: Option<(&str, &str)>) -> Vec<Resource> {
    wait(async { view.resources(period("2025-01"), project).await.unwrap().try_collect().await.unwrap() })
}

fn used(billed: &str, list: &str, resource: &str) -> Charge {
    charge(billed).list(list).of("ada@x.edu", "p1").with("service_name", "EC2").with("resource_id", resource)
}

#[test]
fn groups_are_by_user_only_where_that_is_asked() {
    let home = Home::new();
    let by = |user: &str, billed: &str| used(billed, billed, "i-1").with("usage_user", user);
    let charges = vec![by("ada", "8"), by("bo", "2"), by("ada", "1"), used("4", "4", "i-1")];
    let view = home.view(home.import(1, "AWS", &[charges]));
    let told = |users: bool| {
        let apart = lake::Apart { users, ..lake::Apart::default() };
        let groups = wait(view.posting_groups(period("2025-01"), &apart)).unwrap();
        let line = |posted: Posted| format!("{:?} {}", posted.user, posted.group.cost);
        groups.into_iter().map(line).collect::<Vec<_>>().join(", ")
    };
    assert_eq!(told(true), r#"None 4, Some("ada") 9, Some("bo") 2"#);
    assert_eq!(told(false), "None 15");
}

#[test]
fn groups_are_by_all_that_a_line_is_of() {
    let home = Home::new();
    let charges = vec![
        used("8", "10", "i-1").with("fund_org", "A-1"),
        used("0.000000000000000001", "0", "i-1").with("fund_org", "A-1"),
        used("4", "5", "i-1").with("fund_org", "A-2"),
        used("4", "5", "i-1").with("account_code", "54100"),
        used("-1", "-1", "i-1"),
        charge("3").of("ada@x.edu", "p1"),
        charge("5").of("ada@x.edu", "p0"),
        charge("7").of("aaa@x.edu", "p9"),
        charge("1000").of("ada@x.edu", "p1").with("flags", "pattern_match"),
        charge("2000").of("ada@x.edu", "p1").in_period("2025-02"),
    ];
    let view = home.view(home.import(1, "AWS", &[charges]));
    let groups = wait(view.posting_groups(period("2025-01"), &lake::Apart::default())).unwrap();
    let line = |Posted { pi_email: pi, project_id: project, group: g, .. }: &Posted| {
        let or = |text: &Option<String>| text.clone().unwrap_or("-".to_owned());
        format!(
            "{pi} {project} {} {} {} {} {:?} × {}: list {} cost {}",
            or(&g.fund_org),
            g.source,
            or(&g.service_name),
            or(&g.account_code),
            g.kind,
            g.charges,
            g.list_cost,
            g.cost
        )
    };
    let text = groups.iter().map(line).collect::<Vec<_>>().join("\n");
    insta::assert_snapshot!(text, @"
    aaa@x.edu p9 - AWS - - Usage × 1: list 7 cost 7
    ada@x.edu p0 - AWS - - Usage × 1: list 5 cost 5
    ada@x.edu p1 - AWS - - Usage × 1: list 3 cost 3
    ada@x.edu p1 - AWS EC2 - Credit × 1: list -1 cost -1
    ada@x.edu p1 - AWS EC2 54100 Usage × 1: list 5 cost 4
    ada@x.edu p1 A-1 AWS EC2 - Usage × 2: list 10.000000000000000001 cost 8.000000000000000001
    ada@x.edu p1 A-2 AWS EC2 - Usage × 1: list 5 cost 4
    ");
}

#[test]
fn nobody_to_bill_is_an_error_not_a_loss() {
    let home = Home::new();
    let view = home.view(home.import(1, "AWS", &[vec![charge("1").with("pi_email", "ada@x.edu")]]));
    let error = wait(view.posting_groups(period("2025-01"), &lake::Apart::default())).unwrap_err();
    assert!(matches!(error, LakeError::NobodyToBill { charges: 1, .. }));
}

#[test]
fn resources_come_largest_first_with_quantities_of_one_unit() {
    let home = Home::new();
    let hours = |charge: Charge, quantity: &str| {
        charge.number("consumed_quantity", quantity).with("consumed_unit", "Hours")
    };
    let charges = vec![
        hours(used("1", "2", "i-1").with("resource_name", "web"), "2.5"),
        hours(used("2", "3", "i-1").with("resource_name", "web"), "1.25"),
        hours(used("-9", "-9", "i-2"), "1"),
        used("0.5", "1", "i-2").number("pricing_quantity", "3").with("pricing_unit", "GB"),
        hours(used("4", "4", "i-3"), "1"),
        used("4", "4", "i-3").number("pricing_quantity", "3").with("pricing_unit", "GB"),
        charge("3").of("ada@x.edu", "p1").with("resource_name", "named only"),
        charge("3").of("zoe@x.edu", "p1"),
    ];
    let view = home.view(home.import(1, "AWS", &[charges]));
    let line = |r: &Resource| {
        let or = |text: &Option<String>| text.clone().unwrap_or("-".to_owned());
        let quantity = r.quantity.map_or("-".to_owned(), |quantity| quantity.to_string());
        format!(
            "{} {} {} {} ({}) {:?} × {}: {quantity} {} list {} cost {}\n",
            r.pi_email,
            r.project_id,
            or(&r.service_name),
            or(&r.resource_id),
            or(&r.resource_name),
            r.kind,
            r.charges,
            or(&r.unit),
            r.list_cost,
            r.cost
        )
    };
    let all = resources(&view, None);
    insta::assert_snapshot!(all.iter().map(line).collect::<String>(), @"
    ada@x.edu p1 - - (named only) Usage × 1: - - list 3 cost 3
    ada@x.edu p1 EC2 i-2 (-) Credit × 1: 1 Hours list -9 cost -9
    ada@x.edu p1 EC2 i-3 (-) Usage × 2: - - list 8 cost 8
    ada@x.edu p1 EC2 i-1 (web) Usage × 2: 3.75 Hours list 5 cost 3
    ada@x.edu p1 EC2 i-2 (-) Usage × 1: 3 GB list 1 cost 0.5
    zoe@x.edu p1 - - (-) Usage × 1: - - list 3 cost 3
    ");
    let of_zoe = resources(&view, Some(("zoe@x.edu", "p1")));
    assert_eq!(of_zoe, all[all.len() - 1..]);
    assert_eq!(resources(&view, Some(("zoe@x.edu", "p2"))), []);
}

#[test]
fn projects_know_their_funds_references_ends_and_what_is_held() {
    let home = Home::new();
    let of = |billed: &str| charge(billed).of("ada@x.edu", "p1");
    let charges = vec![
        of("1").with("fund_org", "B-2").with("reference_1", "REQ-2").with("end_date", "2026-06-30"),
        of("2").with("fund_org", "A-1").with("reference_2", "REQ-1").with("end_date", "2025-12-31"),
        of("4").with("fund_org", "C-3").with("flags", "pattern_match"),
        charge("8").with("pi_email", "ada@x.edu").with("flags", "missing_project_id"),
    ];
    let view = home.view(home.import(1, "AWS", &[charges]));
    let projects = wait(view.projects(period("2025-01"))).unwrap();
    assert_eq!(
        projects,
        [lake::Project {
            pi_email: "ada@x.edu".to_owned(),
            project_id: "p1".to_owned(),
            fund_orgs: vec!["A-1".to_owned(), "B-2".to_owned()],
            references: vec!["REQ-1".to_owned(), "REQ-2".to_owned()],
            end_date: Some("2026-06-30".to_owned()),
            reconciliation_end: None,
            fallback_fund_org: None,
            fallbacks: Vec::new(),
            charges: 2,
            cost: amount("3"),
            held_charges: 1,
            held_cost: amount("4"),
        }]
    );
}

fn any_charge() -> impl Strategy<Value = Charge> {
    let pick = prop::sample::select::<&str>;
    (
        (-10_i128.pow(29)..10_i128.pow(29), -10_i128.pow(29)..10_i128.pow(29)),
        (pick(vec!["a@x.edu", "b@x.edu"]), pick(vec!["p1", "p2"]), pick(vec!["", "S1", "S2"])),
        (
            pick(vec!["", "i-1", "i-2"]),
            pick(vec!["", "Usage", "Credit", "Tax"]),
            pick(vec!["", "", "pattern_match"]),
        ),
        pick(vec!["2025-01", "2025-02"]),
    )
        .prop_map(|((billed, list), (pi, project, service), (resource, category, flags), month)| {
            let mut charge = charge("0").of(pi, project).in_period(month);
            charge.costs[2] = Some(Amount::from_units(billed));
            charge.costs[0] = Some(Amount::from_units(list));
            let optional = [
                ("service_name", service),
                ("resource_id", resource),
                ("charge_category", category),
                ("flags", flags),
            ];
            optional
                .into_iter()
                .filter(|(_, value)| !value.is_empty())
                .fold(charge, |charge, (name, value)| charge.with(name, value))
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    /// Billed + held = delivered, and groups, resources and projects each add up to the billed.
    #[test]
    fn everything_adds_up(charges in prop::collection::vec(any_charge(), 1..60)) {
        let month = period("2025-01");
        let sum = |keep: &dyn Fn(&Charge) -> bool| -> Amount {
            charges.iter().filter(|c| c.period == Some(month) && keep(c)).filter_map(|c| c.costs[2]).sum()
        };
        let billed = sum(&|c| c.value("flags").is_none());
        let held = sum(&|c| c.value("flags").is_some());
        let home = Home::new();
        let view = home.view(home.import(1, "AWS", std::slice::from_ref(&charges)));
        let groups = wait(view.posting_groups(month, &lake::Apart::default())).unwrap();
        prop_assert_eq!(groups.iter().map(|posted| posted.group.cost).sum::<Amount>(), billed);
        let resources = resources(&view, None);
        prop_assert_eq!(resources.iter().map(|resource| resource.cost).sum::<Amount>(), billed);
        let lists = groups.iter().map(|posted| posted.group.list_cost).sum::<Amount>();
        prop_assert_eq!(resources.iter().map(|resource| resource.list_cost).sum::<Amount>(), lists);
        let projects = wait(view.projects(month)).unwrap();
        prop_assert_eq!(projects.iter().map(|project| project.cost).sum::<Amount>(), billed);
        prop_assert_eq!(projects.iter().map(|project| project.held_cost).sum::<Amount>(), held);
        let totals = wait(view.totals(&[], &Filter { period: Some(month), ..Filter::default() })).unwrap();
        prop_assert_eq!(totals[0].cost, billed + held);
        let discount: Amount = groups.iter().map(|posted| &posted.group).filter(|g| g.kind == LineKind::Usage).map(|g| g.list_cost - g.cost).sum();
        let billable = Filter { states: vec![billing::decision::ChargeState::Billable], period: Some(month), ..Filter::default() };
        let totals = wait(view.totals(&[], &billable)).unwrap();
        prop_assert_eq!(totals.first().map_or(Amount::ZERO, |row| row.discount), discount);
    }
}
