use proptest::prelude::*;

use super::*;
use crate::settings::Settings;
use crate::statement::LineKind;
use crate::statement::testing::group;

fn amount(text: &str) -> Amount {
    text.parse().unwrap()
}

fn period(text: &str) -> Period {
    text.parse().unwrap()
}

fn credit(id: i64, of: &str) -> Credit {
    Credit {
        id: CreditId(id),
        kind: CreditKind::Provider,
        name: format!("credit {id}"),
        payer: format!("CR-{id}"),
        account_code: None,
        amount: amount(of),
        order: 0,
        pis: vec!["ada@x.edu".to_owned()],
        projects: Vec::new(),
        sources: Vec::new(),
        services: Vec::new(),
        from: period("2025-01"),
        to: None,
        moved_from: None,
        note: None,
    }
}

/// What other statements have, as `period seen paid`.
fn used(id: i64, lines: &[&str]) -> Vec<Used> {
    let used = |line: &&str| {
        let words: Vec<&str> = line.split(' ').collect();
        Used {
            period: period(words[0]),
            pi_email: "ada@x.edu".to_owned(),
            project_id: "looms".to_owned(),
            user: None,
            by: PaidBy::Credit(CreditId(id)),
            seen: Seen { cost: amount(words[1]), paid: amount(words[2]) },
        }
    };
    lines.iter().map(used).collect()
}

fn of_period(credits: &[Credit], period: Period, used: &[Used]) -> Credits {
    Credits::of_period(Known { then: credits, now: credits }, period, used)
}

/// What is drawn in 2025-03 of costs that come one after the other, `-` between credits.
fn draws(credits: &[Credit], used: &[Used], costs: &str) -> String {
    let mut credits = of_period(credits, period("2025-03"), used);
    let line = |cost: &str| {
        let legs =
            credits.legs("ada@x.edu", "looms", &group("Compute", LineKind::Usage, cost, cost), amount(cost));
        legs.iter().map(|leg| leg.paid.to_string()).collect::<Vec<_>>().join("-")
    };
    costs.split_whitespace().map(line).collect::<Vec<_>>().join(" ")
}

#[test]
fn a_credit_pays_until_it_is_used_up_and_refunds_give_back() {
    for (name, before, costs, expected) in [
        ("all of it, then the rest", &[][..], "60 60 60", "60 40 0"),
        ("a refund goes to who paid last", &[], "60 60 -10 -30", "60 40 0 -20"),
        ("never more than was drawn", &[], "-50 20 50", "0 0 20"),
        ("what January and February left", &["2025-01 30 30", "2025-02 50 50"], "60", "20"),
        ("a refund of January gives back to February's use", &["2025-02 120 100"], "-50 10", "-30 10"),
        ("a month below nothing is not held against the next", &["2025-02 -500 0"], "40", "40"),
        ("April was billed first", &["2025-04 90 90"], "60", "10"),
        ("and had too much", &["2025-04 150 100"], "60", "0"),
    ] {
        assert_eq!(draws(&[credit(1, "100")], &used(1, before), costs), expected, "{name}");
    }
}

#[test]
fn what_expires_first_is_used_first_unless_it_is_said_otherwise() {
    let open = credit(1, "50");
    let soon = Credit { to: Some(period("2025-06")), ..credit(2, "50") };
    let later = Credit { to: Some(period("2025-12")), ..credit(3, "50") };
    assert_eq!(draws(&[open.clone(), later.clone(), soon.clone()], &[], "120"), "50-50-20");
    let order = |credits: &[Credit]| -> Vec<i64> {
        let standing = of_period(credits, period("2025-03"), &[]).standing();
        standing.iter().map(|one| one.credit.id.0).collect()
    };
    assert_eq!(order(&[open.clone(), later.clone(), soon.clone()]), [2, 3, 1]);
    let first = Credit { order: -1, ..open };
    let aged = Credit { from: period("2024-01"), to: soon.to, ..credit(4, "1") };
    assert_eq!(order(&[first, later, soon, aged]), [1, 4, 2, 3]);
    let ended = Credit { to: Some(period("2025-02")), ..credit(1, "50") };
    assert_eq!(draws(&[ended], &[], "10"), "");
}

#[test]
fn who_holds_it_may_use_it_for_what_it_is_limited_to() {
    let uses = |credit: Credit, pi: &str, project: &str, service: &str| {
        let mut credits = of_period(&[credit], period("2025-03"), &[]);
        let group = group(service, LineKind::Usage, "1", "1");
        !credits.legs(pi, project, &group, amount("1")).is_empty()
    };
    let pool =
        || Credit { pis: Vec::new(), projects: vec!["looms".into(), "Cards".into()], ..credit(1, "9") };
    assert!(uses(pool(), "ada@x.edu", "looms", "EC2") && uses(pool(), "bob@x.edu", "cards", "EC2"));
    assert!(!uses(pool(), "ada@x.edu", "genome", "EC2"));
    assert!(uses(credit(1, "9"), "Ada@x.edu", "genome", "EC2"));
    assert!(!uses(credit(1, "9"), "bob@x.edu", "genome", "EC2"));
    let kept = Credit { projects: Vec::new(), ..pool() };
    assert!(kept.is_kept_back() && !uses(kept, "ada@x.edu", "looms", "EC2"), "nobody has it yet");
    let storage = Credit { services: vec!["Stor*".into()], ..credit(1, "9") };
    assert!(uses(storage.clone(), "ada@x.edu", "looms", "Storage"));
    assert!(!uses(storage, "ada@x.edu", "looms", "EC2"));
}

#[test]
fn what_was_moved_on_is_no_longer_there() {
    let part = Credit { moved_from: Some(CreditId(1)), pis: vec!["bob@x.edu".into()], ..credit(2, "70") };
    assert_eq!(draws(&[credit(1, "100"), part.clone()], &[], "60"), "30");
    // Moved on after the month was closed: it is told what it had then, and draws no more than there is.
    let then = [credit(1, "100")];
    let known = Known { then: &then, now: &[credit(1, "100"), part] };
    let mut credits = Credits::of_period(known, period("2025-03"), &[]);
    let legs = credits.legs("ada@x.edu", "looms", &group("EC2", LineKind::Usage, "60", "60"), amount("60"));
    assert_eq!((legs[0].paid, credits.standing()[0].left), (amount("30"), amount("70")));
}

#[test]
fn a_balance_and_its_end_are_said_relative_to_the_period() {
    let currency = Settings::default().currency;
    let note = |to: &str, before: &str, costs: &str| {
        let to = (!to.is_empty()).then(|| period(to));
        let before = if before.is_empty() { vec![] } else { used(1, &[before]) };
        let mut credits = of_period(&[Credit { to, ..credit(1, "500") }], period("2025-03"), &before);
        for cost in costs.split_whitespace() {
            credits.legs("ada@x.edu", "looms", &group("EC2", LineKind::Usage, cost, cost), amount(cost));
        }
        let notes = credits.notes("ada@x.edu", "looms", &currency).join("\n");
        format!("{notes} [{}]\n", credits.alerts(&currency).join("; "))
    };
    insta::assert_snapshot!([
        note("", "", "87.5"),
        note("2025-12", "", "87.5"),
        note("2025-12", "2025-02 300 300", "100.01"),
        note("2025-05", "", "87.5"),
        note("2025-03", "", "87.5"),
        note("2025-05", "2025-02 300 300", "180"),
        note("2025-12", "", "600"),
        note("2025-12", "2025-02 600 500", "10"),
        note("2025-12", "2025-04 300 300", "100"),
    ].concat(), @r#"
    Credit "credit 1": $412.50 left. []
    Credit "credit 1": $412.50 left, to be used by 2025-12. []
    Credit "credit 1": $99.99 left, to be used by 2025-12. That is less than 20% of it. [credit 1 "credit 1": $99.99 left, less than 20% left]
    Credit "credit 1": $412.50 left, to be used by 2025-05. It expires 61 days after the end of this period. [credit 1 "credit 1": $412.50 left, expires 61 days after this period]
    Credit "credit 1": $412.50 was not used and expires with this period. [credit 1 "credit 1": $412.50 left, expires with this period]
    Credit "credit 1": $20.00 left, to be used by 2025-05. That is less than 20% of it. It expires 61 days after the end of this period. [credit 1 "credit 1": $20.00 left, less than 20% left, expires 61 days after this period]
    Credit "credit 1" is used up. [credit 1 "credit 1": used up]
     []
    Credit "credit 1": $400.00 left, to be used by 2025-12. []
    "#);
}

#[test]
fn a_credit_that_makes_no_sense_is_refused_whole() {
    let bad =
        Credit { name: " ".to_owned(), payer: String::new(), to: Some(period("2024-12")), ..credit(1, "-3") };
    let said: Vec<String> = bad.check().unwrap_err().iter().map(ToString::to_string).collect();
    insta::assert_snapshot!(said.join("\n"), @r"
    a credit needs a name, for statements
    a credit needs a payer, the fund_org that is debited
    an amount of -3 is none to grant
    it ends with 2024-12, before it begins with 2025-01
    ");
}

proptest! {
    /// However a month's cost is cut into charges the same is drawn; never more than the credit has, and never
    /// less than nothing.
    #[test]
    fn it_does_not_matter_how_charges_are_cut(
        months in prop::collection::vec(prop::collection::vec(-500_i64..900, 1..5), 1..6),
        amounts in prop::collection::vec(1_i64..2_000, 1..4)
    ) {
        let units = |cost: i64| Amount::from_units(i128::from(cost) * 10_i128.pow(16));
        let credits: Vec<Credit> = (1..)
            .zip(&amounts)
            .map(|(id, of)| Credit { amount: units(*of), ..credit(id, "1") })
            .collect();
        let (mut whole, mut cut): (Vec<Used>, Vec<Used>) = (Vec::new(), Vec::new());
        for (at, costs) in (1_u8..).zip(&months) {
            let month = Period::new(2025, at).unwrap();
            let all = [costs.iter().sum::<i64>()];
            for (used, costs) in [(&mut whole, &all[..]), (&mut cut, costs)] {
                let mut running = of_period(&credits, month, used);
                for &cost in costs {
                    let (cost, any) = (units(cost), group("EC2", LineKind::Usage, "1", "1"));
                    for leg in running.legs("ada@x.edu", "looms", &any, cost) {
                        let seen = Seen { cost: leg.seen, paid: leg.paid };
                        let mut line = super::tests::used(1, &["2025-01 0 0"]).remove(0);
                        (line.period, line.by, line.seen) = (month, leg.by, seen);
                        used.push(line);
                    }
                }
            }
            for credit in &credits {
                let drawn = |used: &[Used]| -> Amount {
                    let own = used.iter().filter(|used| used.by == PaidBy::Credit(credit.id));
                    own.map(|used| used.seen.paid).sum()
                };
                prop_assert_eq!(drawn(&whole), drawn(&cut));
                prop_assert!(Amount::ZERO <= drawn(&cut) && drawn(&cut) <= credit.amount);
            }
        }
    }
}
