use proptest::prelude::*;

use super::*;
use crate::statement::LineKind;
use crate::statement::testing::group;

pub(super) fn amount(text: &str) -> Amount {
    text.parse().unwrap()
}

pub(super) fn rule(id: i64, tiers: &[(&str, &str)], cap: &str, scope: Scope, window: Window) -> SubsidyRule {
    let tier = |(up_to, percent): &(&str, &str)| Tier {
        up_to: (!up_to.is_empty()).then(|| amount(up_to)),
        percent: percent.parse().unwrap(),
    };
    SubsidyRule {
        id: SubsidyId(id),
        name: format!("fund {id}"),
        payer: format!("PAY-{id}"),
        account_code: None,
        order: 0,
        stacks: true,
        sources: Vec::new(),
        services: Vec::new(),
        pis: Vec::new(),
        projects: Vec::new(),
        tiers: tiers.iter().map(tier).collect(),
        cap: (!cap.is_empty()).then(|| amount(cap)),
        carries_over: false,
        scope,
        window,
        from: "2025-01".parse().unwrap(),
        to: None,
        note: None,
        opening: Vec::new(),
    }
}

/// What is paid of costs that come one after the other, `-` between rules.
fn paid(rules: &[SubsidyRule], costs: &str) -> String {
    let mut subsidies = Subsidies::of_period(rules, "2025-01".parse().unwrap(), 7, &[]);
    let groups: Vec<PostingGroup> =
        costs.split_whitespace().map(|cost| group("Compute", LineKind::Usage, cost, cost)).collect();
    let line = |group: &PostingGroup| {
        let legs = subsidies.legs("ada", "looms", group, &Users::default());
        let each: Vec<String> = legs.iter().map(|leg| leg.paid.to_string()).collect();
        each.join("-")
    };
    groups.iter().map(line).collect::<Vec<_>>().join(" ")
}

#[test]
fn a_rule_pays_by_what_it_has_seen() {
    let rule = |tiers: &[(&str, &str)], cap: &str| rule(1, tiers, cap, Scope::Project, Window::Month);
    for (name, tiers, cap, costs, expected) in [
        ("a flat share", &[("", "40")][..], "", "1000 10 -100", "400 4 -40"),
        ("the first 500", &[("500", "100")], "", "300 300 300", "300 200 0"),
        ("a refund gives back what was paid last", &[("500", "100")], "", "300 300 -150", "300 200 -50"),
        ("tiers", &[("100", "100"), ("300", "50"), ("", "10")], "", "50 100 200 100", "50 75 80 10"),
        ("a share up to a cap", &[("", "50")], "60", "100 100 100", "50 10 0"),
        (
            "a refund of what the cap kept out takes nothing back",
            &[("", "50")],
            "60",
            "100 100 -60 -60",
            "50 10 0 -20",
        ),
        ("only above 100", &[("100", "0"), ("", "25")], "", "80 40", "0 5"),
        ("a credit alone", &[("500", "100")], "", "-20 30", "-20 30"),
    ] {
        assert_eq!(paid(&[rule(tiers, cap)], costs), expected, "{name}");
    }
}

#[test]
fn what_is_frozen_in_other_periods_is_taken_as_it_is() {
    let rule = rule(1, &[("500", "100")], "", Scope::Project, Window::FiscalYear);
    let pays = |cost: &str, paid: &str, further: &str| {
        rule.room().pays(Seen { cost: amount(cost), paid: amount(paid) }, amount(further)).to_string()
    };
    assert_eq!(pays("400", "200", "300"), "300", "January again, after February had what was left");
    assert_eq!(pays("400", "200", "350"), "300", "January has grown");
    assert_eq!(pays("400", "200", "10"), "10", "January has shrunk: not more than it costs");
    assert_eq!(pays("900", "550", "10"), "0", "February had too much: nobody pays twice");
}

/// Costs by user, as `ada 30` (`- 30`: nobody is named), and what is paid of them: `rule user paid`.
fn paid_by_user(rules: &[SubsidyRule], lines: &[&[&str]]) -> String {
    let mut subsidies = Subsidies::of_period(rules, "2025-01".parse().unwrap(), 7, &[]);
    let mut said = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        let mut users = Users::default();
        let mut whole = group("Compute", LineKind::Usage, "0", "0");
        for used in *line {
            let (user, cost) = used.split_once(' ').unwrap();
            let part = group("Compute", LineKind::Usage, cost, cost);
            users.add((user != "-").then(|| user.to_owned()), &part);
            whole.cost += part.cost;
        }
        let leg = |leg: &Leg| {
            let rule = leg.name.trim_start_matches("fund ");
            format!("{rule} {} {}", leg.user.as_deref().unwrap_or("-"), leg.paid)
        };
        let legs = subsidies.legs("ada@x.edu", &format!("project {at}"), &whole, &users);
        said.push(legs.iter().map(leg).collect::<Vec<_>>().join(", "));
    }
    for rule in rules {
        said.extend(subsidies.without_user(rule).map(|cost| format!("{} has {cost} of nobody", rule.id)));
    }
    said.join("; ")
}

#[test]
fn a_rule_that_counts_by_user_follows_the_user_over_lines_and_projects() {
    let per_user =
        |id: i64, tiers: &[(&str, &str)], cap: &str| rule(id, tiers, cap, Scope::User, Window::Month);
    let first_fifty = || per_user(1, &[("50", "100")], "");
    for (name, rules, lines, expected) in [
        (
            "each user has their own",
            vec![first_fifty()],
            &[&["ada 30", "bo 80"][..]][..],
            "1 ada 30, 1 bo 50",
        ),
        (
            "one user, whoever is billed",
            vec![first_fifty()],
            &[&["ada 30"], &["ada 30", "bo 10"]],
            "1 ada 30; 1 ada 20, 1 bo 10",
        ),
        (
            "what names no user gets nothing",
            vec![first_fifty()],
            &[&["- 40", "ada 30"], &["- 2.5"]],
            "1 ada 30; ; 1 has 42.5 of nobody",
        ),
        (
            "a share up to a cap",
            vec![per_user(1, &[("", "50")], "20")],
            &[&["ada 30", "bo 80"], &["ada 30"]],
            "1 ada 15, 1 bo 20; 1 ada 5",
        ),
        (
            "a refund gives back what was paid for its user",
            vec![first_fifty()],
            &[&["ada 30", "bo 50"], &["ada -10", "bo 10"]],
            "1 ada 30, 1 bo 50; 1 ada -10, 1 bo 0",
        ),
        (
            "a rule by project before it takes its part in the order of users",
            vec![
                SubsidyRule { order: -1, ..rule(2, &[("40", "100")], "", Scope::Project, Window::Month) },
                first_fifty(),
            ],
            &[&["- 10", "ada 50", "bo 80"]],
            "2 - 40, 1 ada 20, 1 bo 50",
        ),
    ] {
        assert_eq!(paid_by_user(&rules, lines), expected, "{name}");
    }
}

#[test]
fn other_months_and_what_was_before_count_for_the_user() {
    let opening = |user: Option<&str>, paid: &str| Opening {
        pi_email: "ada@x.edu".to_owned(),
        project_id: "looms".to_owned(),
        user: user.map(str::to_owned),
        period: "2025-01".parse().unwrap(),
        seen: amount(paid),
        paid: amount(paid),
    };
    let rule = SubsidyRule {
        opening: vec![opening(Some("bo"), "15")],
        ..rule(1, &[("50", "100")], "", Scope::User, Window::Year)
    };
    let used = |user: Option<&str>| Used {
        period: "2025-02".parse().unwrap(),
        pi_email: "cy@x.edu".to_owned(),
        project_id: "genome".to_owned(),
        user: user.map(str::to_owned),
        by: PaidBy::Subsidy(SubsidyId(1)),
        seen: Seen { cost: amount("30"), paid: amount("30") },
    };
    let used = [used(Some("ada")), used(None)];
    let mut subsidies = Subsidies::of_period(&[rule], "2025-03".parse().unwrap(), 7, &used);
    let group = group("Compute", LineKind::Usage, "200", "200");
    let mut users = Users::default();
    for user in ["ada", "bo", "cy"] {
        users.add(Some(user.to_owned()), &group);
    }
    let legs = subsidies.legs("ada@x.edu", "looms", &group, &users);
    let paid: Vec<String> = legs.iter().map(|leg| leg.paid.to_string()).collect();
    assert_eq!(paid, ["20", "35", "50"]);
}

#[test]
fn rules_come_in_their_order_each_on_what_is_left() {
    let first = SubsidyRule { order: 1, ..rule(1, &[("100", "100")], "", Scope::Project, Window::Month) };
    let second = SubsidyRule { order: 2, ..rule(2, &[("", "50")], "", Scope::Project, Window::Month) };
    assert_eq!(paid(&[second.clone(), first.clone()], "80 80"), "80 20-30");
    let alone = SubsidyRule { stacks: false, ..second };
    assert_eq!(paid(&[alone, first], "80 80"), "80 20");
}

#[test]
fn a_rule_is_for_whom_and_what_it_names() {
    let all = || rule(1, &[("", "100")], "", Scope::All, Window::Month);
    let for_it = |rule: &SubsidyRule, service: &str| {
        let group = group(service, LineKind::Usage, "1", "1");
        rule.is_for("ada@x.edu", "looms", &group)
    };
    assert!(for_it(&all(), "Compute"));
    assert!(for_it(&SubsidyRule { pis: vec!["Ada@x.edu".to_owned()], ..all() }, "Compute"));
    assert!(!for_it(&SubsidyRule { projects: vec!["genome".to_owned()], ..all() }, "Compute"));
    let storage = SubsidyRule { services: vec!["stor*".to_owned()], ..all() };
    assert!(for_it(&storage, "Storage") && !for_it(&storage, "Compute"));
    assert!(for_it(&storage, "Correction of 2025-01 (S-2025-01-0001): Storage"));
    assert!(!for_it(&SubsidyRule { sources: vec![SourceName("HPC".to_owned())], ..all() }, "Compute"));
}

#[test]
fn windows_are_of_months() {
    let check = |window: Window, period: &str, first: &str, last: &str| {
        let rule =
            SubsidyRule { to: Some("2027-06".parse().unwrap()), ..rule(1, &[], "", Scope::All, window) };
        let (from, to) = rule.window_of(period.parse().unwrap(), 7);
        assert_eq!((from.to_string(), to.to_string()), (first.to_owned(), last.to_owned()), "{window:?}");
    };
    check(Window::Month, "2025-05", "2025-05", "2025-05");
    check(Window::Quarter, "2025-05", "2025-04", "2025-06");
    check(Window::Year, "2025-05", "2025-01", "2025-12");
    check(Window::FiscalYear, "2025-05", "2024-07", "2025-06");
    check(Window::FiscalYear, "2025-07", "2025-07", "2026-06");
    check(Window::Once, "2025-05", "2025-01", "2027-06");
}

#[test]
fn a_rule_that_makes_no_sense_is_refused_whole() {
    let mut bad =
        rule(1, &[("100", "50"), ("", "10"), ("50", "5"), ("-1", "5")], "-3", Scope::All, Window::Month);
    (bad.name, bad.payer) = (" ".to_owned(), String::new());
    bad.to = Some("2024-12".parse().unwrap());
    let said: Vec<String> = bad.check().unwrap_err().iter().map(ToString::to_string).collect();
    insta::assert_snapshot!(said.join("\n"), @r"
    a subsidy needs a name, for statements
    a subsidy needs a payer, the fund_org that is debited
    an amount of -1 is none to pay up to
    an amount of -3 is none to pay up to
    only the last tier is without an end
    tiers rise: -1 does not come after the one before it
    it ends with 2024-12, before it begins with 2025-01
    ");
    assert_eq!(rule(1, &[], "", Scope::All, Window::Month).check().unwrap_err(), [BadSubsidy::NoTiers]);
    let carries = |cap: &str, window: Window| {
        SubsidyRule { carries_over: true, ..rule(1, &[("", "50")], cap, Scope::All, window) }.check()
    };
    assert_eq!(carries("9", Window::Month), Ok(()));
    assert_eq!(carries("9", Window::Once), Err(vec![BadSubsidy::CarriesOnce]));
    assert_eq!(carries("", Window::Month), Err(vec![BadSubsidy::CarriesEverything]));
}

#[test]
fn percentages_are_exact() {
    for (text, shown) in
        [("40", "40"), ("33.3333%", "33.3333"), ("0.0001", "0.0001"), ("100", "100"), ("0", "0")]
    {
        assert_eq!(text.parse::<Percent>().unwrap().to_string(), shown);
    }
    for bad in ["101", "-1", "33.33333", "x", ""] {
        assert!(bad.parse::<Percent>().is_err(), "{bad}");
    }
    assert_eq!("33.3333".parse::<Percent>().unwrap().of(amount("-300")), amount("-99.9999"));
}

proptest! {
    /// However what users used is spread over lines and projects, everybody is paid the same, and so is what a
    /// pool pays of the rest.
    #[test]
    fn it_does_not_matter_where_a_user_used_it(
        uses in prop::collection::vec((0_u8..4, 0_i64..90, 0_usize..3), 1..20), cap in 1_i64..60
    ) {
        let tiers = [("40", "100"), ("90", "50")];
        let pool = rule(2, &[("", "30")], &cap.to_string(), Scope::All, Window::Month);
        let rules = [rule(1, &tiers, "", Scope::User, Window::Month), SubsidyRule { order: 1, ..pool }];
        let paid = |lines: usize| {
            let mut subsidies = Subsidies::of_period(&rules, "2025-01".parse().unwrap(), 7, &[]);
            let mut paid: BTreeMap<Option<String>, Amount> = BTreeMap::new();
            for line in 0..lines {
                let (mut users, mut whole) = (Users::default(), group("EC2", LineKind::Usage, "0", "0"));
                for (user, cost, _) in uses.iter().filter(|(_, _, at)| at % lines == line) {
                    let part = group("EC2", LineKind::Usage, "0", &cost.to_string());
                    users.add(Some(user.to_string()), &part);
                    whole.cost += part.cost;
                }
                for leg in subsidies.legs("ada", &format!("project {line}"), &whole, &users) {
                    *paid.entry(leg.user).or_default() += leg.paid;
                }
            }
            paid.retain(|_, paid| !paid.is_zero());
            paid
        };
        prop_assert_eq!(paid(1), paid(3));
    }

    /// However a cost is cut into charges, the same is paid of it.
    #[test]
    fn it_does_not_matter_how_charges_are_cut(
        costs in prop::collection::vec(-500_i64..2_000, 1..12), percent in 0_u32..=100, cap in 1_i64..3_000
    ) {
        let tiers = [
            Tier { up_to: Some(amount("700")), percent: Percent(percent * 10_000) },
            Tier { up_to: None, percent: Percent(50_000) },
        ];
        let units = |cost: i64| Amount::from_units(i128::from(cost) * 10_i128.pow(18));
        let plain = rule(1, &[], "", Scope::Project, Window::Month);
        for cap in [None, Some(units(cap))] {
            let rule = SubsidyRule { tiers: tiers.to_vec(), cap, ..plain.clone() };
            let mut seen = Seen::default();
            for &cost in &costs {
                seen.paid += rule.room().pays(seen, units(cost));
                seen.cost += units(cost);
                prop_assert!(cap.is_none_or(|cap| seen.paid <= cap));
            }
            prop_assert_eq!(seen.paid, rule.room().pays(Seen::default(), seen.cost));
        }
    }
}
