//! Questions to the view: decisions, sums, filters and orders.

use billing::attribution::Attribution;
use billing::decision::{ChargeState, Reassignment, Standing};
use billing::settings::Basis;
use billing::{Flag, Flags};
use lake::{ChargeRow, Filter, LiveFile, Sort, TotalsRow, View, ViewSpec};

use crate::common::{Charge, Home, amount, charge, id, period, wait};

fn standing(state: ChargeState) -> Standing {
    Standing { state, billed_in: None, change: Reassignment::default(), flags: Flags::NONE }
}

fn table(totals: &[TotalsRow]) -> String {
    let row = |row: &TotalsRow| {
        let keys: Vec<&str> = row.keys.iter().map(|key| key.as_deref().unwrap_or("-")).collect();
        let keys = keys.join(" ");
        format!(
            "{keys}: {} list {} contracted {} billed {} effective {} discount {} cost {}\n",
            row.rows,
            row.list_cost,
            row.contracted_cost,
            row.billed_cost,
            row.effective_cost,
            row.discount,
            row.cost
        )
    };
    totals.iter().map(row).collect()
}

fn totals(view: &View, by: &[&str], filter: &Filter) -> String {
    let by: Vec<String> = by.iter().map(|&name| name.to_owned()).collect();
    table(&wait(view.totals(&by, filter)).unwrap())
}

fn ids(view: &View, filter: &Filter) -> String {
    let found = wait(view.matching(filter)).unwrap();
    found.iter().map(|matched| matched.id.to_string()).collect::<Vec<_>>().join(" ")
}

#[test]
fn no_files_are_no_charges() {
    let home = Home::new();
    let view = home.view(Vec::new());
    let nothing = ": 0 list 0 contracted 0 billed 0 effective 0 discount 0 cost 0\n";
    assert_eq!(totals(&view, &[], &Filter::default()), nothing);
    assert_eq!(totals(&view, &["source", "kind"], &Filter::default()), "");
    assert_eq!(wait(view.charges(&Filter::default(), &[], Some(5), 0)).unwrap(), []);
}

#[test]
fn lists_that_are_missing_unknown_or_of_credits() {
    let home = Home::new();
    let kind = |charge: Charge, category| charge.with("charge_category", category);
    let charges = vec![
        kind(charge("8").list("10"), "Usage"),
        kind(charge("8"), "Usage"),
        kind(charge("8").list("0"), "Purchase"),
        kind(charge("0").list("5"), "Usage"),
        kind(charge("-3").list("-4"), "Credit"),
        kind(charge("2").list("3"), "Tax"),
        kind(charge("1").list("2"), "Adjustment"),
        kind(charge("1").list("2"), "Nonsense"),
        charge("6").list("7"),
        charge("-6").list("-7"),
    ];
    let view = home.view(home.import(1, "AWS", &[charges]));
    insta::assert_snapshot!(totals(&view, &["kind", "list_known"], &Filter::default()), @"
    adjustment true: 2 list 4 contracted 0 billed 2 effective 0 discount 0 cost 2
    credit true: 2 list -11 contracted 0 billed -9 effective 0 discount 0 cost -9
    tax true: 1 list 3 contracted 0 billed 2 effective 0 discount 0 cost 2
    usage false: 2 list 8 contracted 0 billed 16 effective 0 discount 0 cost 16
    usage true: 3 list 22 contracted 0 billed 14 effective 0 discount 8 cost 14
    ");
}

#[test]
fn files_with_other_columns_and_bases_are_one_table() {
    let home = Home::new();
    let mut files =
        home.import(1, "AWS", &[vec![charge("1.5").effective("1").with("x_a", "one").number("x_n", "2")]]);
    let mut others = home.import(
        2,
        "HPC",
        &[vec![charge("2").effective("0.0000000001").with("x_b", "two"), charge("3").with("x_b", "two")]],
    );
    for file in &mut others {
        file.basis = Basis::Effective;
    }
    files.extend(others);
    let mut contracted = home.import(3, "GCP", &[vec![charge("4")]]);
    contracted[0].basis = Basis::Contracted;
    files.extend(contracted);
    let view = home.view(files);
    insta::assert_snapshot!(totals(&view, &["source", "x_a", "x_b", "x_n"], &Filter::default()), @"
    AWS one - 2: 1 list 1.5 contracted 0 billed 1.5 effective 1 discount 0 cost 1.5
    GCP - - -: 1 list 4 contracted 0 billed 4 effective 0 discount 0 cost 4
    HPC - two -: 2 list 5 contracted 0 billed 5 effective 0.0000000001 discount 0 cost 3.0000000001
    ");
}

#[test]
fn an_unknown_column_is_refused_with_its_neighbours() {
    let home = Home::new();
    let view = home.view(home.import(1, "AWS", &[vec![charge("1").with("service_name", "EC2")]]));
    let error = wait(view.totals(&["servicename".to_owned()], &Filter::default())).unwrap_err();
    let words = error.to_string();
    let (near, known) = words.split_once("; the columns are ").unwrap();
    insta::assert_snapshot!(near, @"there is no column `servicename` (did you mean `service_name`?)");
    assert!(
        known.starts_with("`account_code`, `billed_cost`, `billed_in`,") && known.contains("`service_name`")
    );
    let sort = [Sort { column: "row_nr".to_owned(), descending: false }];
    assert!(wait(view.charges(&Filter::default(), &sort, None, 0)).is_err());
}

/// Charges 1 to 6 of import 1; 2, 4 and 6 are flagged; then decisions about some.
fn decided(home: &Home, period_of_view: Option<&str>) -> View {
    let flagged = |charge: Charge| {
        charge.with("flags", "missing_project_id,pattern_match").with("pi_email", "ada@x.edu")
    };
    let clear = |charge: Charge| charge.of("bob@x.edu", "p1").with("fund_org", "A-1");
    let charges = vec![
        clear(charge("1")),
        flagged(charge("2")),
        clear(charge("4")),
        flagged(charge("8")),
        clear(charge("16")),
        flagged(charge("32")),
        flagged(charge("64")),
    ];
    let mut files = home.import(1, "AWS", &[charges]);
    files.extend(home.import(2, "AWS", &[vec![clear(charge("128")).in_period("2025-02")]]));
    let change = Reassignment {
        pi_email: Some("eve@x.edu".to_owned()),
        project_id: Some("p9".to_owned()),
        ..Reassignment::default()
    };
    let still: Flags = [Flag::PatternMatch].into_iter().collect();
    let decisions = [
        (id("1:2"), Standing { change: change.clone(), ..standing(ChargeState::Billable) }),
        (id("1:3"), standing(ChargeState::Rejected)),
        (id("1:4"), Standing { change, flags: still, ..standing(ChargeState::Held) }),
        (id("1:5"), Standing { billed_in: Some(period("2025-02")), ..standing(ChargeState::Deferred) }),
        (
            id("1:6"),
            Standing { billed_in: Some(period("2025-02")), flags: still, ..standing(ChargeState::Deferred) },
        ),
        (id("9:9"), standing(ChargeState::Rejected)),
    ];
    let overlay = home.lake.write_overlay("41", &decisions).unwrap();
    assert_eq!(home.lake.write_overlay("41", &decisions).unwrap(), overlay);
    let other = home.lake.write_overlay("41", &decisions[..1]).unwrap();
    assert_ne!(other.path, overlay.path, "other decisions are never taken for these");
    assert_eq!(home.lake.remove_overlays(std::slice::from_ref(&overlay)).unwrap(), 1);
    let period = period_of_view.map(period);
    home.lake.view(ViewSpec { files, overlay: Some(overlay), period }).unwrap()
}

fn state(m: &ChargeRow, delivered: &Attribution) -> String {
    let or = |text: &Option<String>| text.clone().unwrap_or("-".to_owned());
    format!(
        "{} {:?} in {} pi {} (delivered {}) project {} flags [{}] (delivered [{}])",
        m.id,
        m.state,
        m.billed_in,
        or(&m.attribution.pi_email),
        or(&delivered.pi_email),
        or(&m.attribution.project_id),
        m.flags,
        m.delivered_flags
    )
}

fn states(view: &View) -> String {
    let charges = wait(view.charges(&Filter::default(), &[], None, 0)).unwrap();
    let delivered = wait(view.matching_as_delivered(&Filter::default())).unwrap();
    let both = charges.iter().zip(&delivered);
    both.map(|(charge, (matched, delivered))| {
        assert_eq!((charge.id, charge.state, charge.flags), (matched.id, matched.state, matched.flags));
        state(charge, delivered)
    })
    .collect::<Vec<_>>()
    .join("\n")
}

#[test]
fn decisions_stand_over_what_was_delivered() {
    let home = Home::new();
    insta::assert_snapshot!(states(&decided(&home, None)), @"
    1:1 Billable in 2025-01 pi bob@x.edu (delivered bob@x.edu) project p1 flags [] (delivered [])
    1:2 Billable in 2025-01 pi eve@x.edu (delivered ada@x.edu) project p9 flags [] (delivered [missing_project_id,pattern_match])
    1:3 Rejected in 2025-01 pi bob@x.edu (delivered bob@x.edu) project p1 flags [] (delivered [])
    1:4 Held in 2025-01 pi eve@x.edu (delivered ada@x.edu) project p9 flags [pattern_match] (delivered [missing_project_id,pattern_match])
    1:5 Deferred in 2025-02 pi bob@x.edu (delivered bob@x.edu) project p1 flags [] (delivered [])
    1:6 Deferred in 2025-02 pi ada@x.edu (delivered ada@x.edu) project - flags [pattern_match] (delivered [missing_project_id,pattern_match])
    1:7 Held in 2025-01 pi ada@x.edu (delivered ada@x.edu) project - flags [missing_project_id,pattern_match] (delivered [missing_project_id,pattern_match])
    2:1 Billable in 2025-02 pi bob@x.edu (delivered bob@x.edu) project p1 flags [] (delivered [])
    ");
}

#[test]
fn a_deferred_charge_is_deferred_in_its_period_and_open_in_the_next() {
    let home = Home::new();
    insta::assert_snapshot!(states(&decided(&home, Some("2025-01"))), @"
    1:1 Billable in 2025-01 pi bob@x.edu (delivered bob@x.edu) project p1 flags [] (delivered [])
    1:2 Billable in 2025-01 pi eve@x.edu (delivered ada@x.edu) project p9 flags [] (delivered [missing_project_id,pattern_match])
    1:3 Rejected in 2025-01 pi bob@x.edu (delivered bob@x.edu) project p1 flags [] (delivered [])
    1:4 Held in 2025-01 pi eve@x.edu (delivered ada@x.edu) project p9 flags [pattern_match] (delivered [missing_project_id,pattern_match])
    1:5 Deferred in 2025-02 pi bob@x.edu (delivered bob@x.edu) project p1 flags [] (delivered [])
    1:6 Deferred in 2025-02 pi ada@x.edu (delivered ada@x.edu) project - flags [pattern_match] (delivered [missing_project_id,pattern_match])
    1:7 Held in 2025-01 pi ada@x.edu (delivered ada@x.edu) project - flags [missing_project_id,pattern_match] (delivered [missing_project_id,pattern_match])
    ");
    insta::assert_snapshot!(states(&decided(&home, Some("2025-02"))), @"
    1:5 Billable in 2025-02 pi bob@x.edu (delivered bob@x.edu) project p1 flags [] (delivered [])
    1:6 Held in 2025-02 pi ada@x.edu (delivered ada@x.edu) project - flags [pattern_match] (delivered [missing_project_id,pattern_match])
    2:1 Billable in 2025-02 pi bob@x.edu (delivered bob@x.edu) project p1 flags [] (delivered [])
    ");
}

#[test]
fn every_filter_meets_what_it_says() {
    let home = Home::new();
    let view = decided(&home, None);
    let some = |text: &str| Some(text.to_owned());
    let all = Filter::default;
    let cases = [
        ("all", all(), "1:1 1:2 1:3 1:4 1:5 1:6 1:7 2:1"),
        ("import", Filter { import: Some(billing::ImportId(2)), ..all() }, "2:1"),
        ("ids", Filter::ids(vec![id("1:7"), id("1:2"), id("2:1"), id("3:3")]), "1:2 1:7 2:1"),
        ("standing flag", Filter { flags: vec![Flag::PatternMatch], ..all() }, "1:4 1:6 1:7"),
        ("cleared flag", Filter { flags: vec![Flag::MissingProjectId], ..all() }, "1:7"),
        ("source in any case", Filter { source: some("aWs "), ..all() }, "1:1 1:2 1:3 1:4 1:5 1:6 1:7 2:1"),
        ("another source", Filter { source: some("HPC"), ..all() }, ""),
        ("PI after reassignment", Filter { pi_email: some("eve@x.edu"), ..all() }, "1:2 1:4"),
        ("project", Filter { project_id: some("p1"), ..all() }, "1:1 1:3 1:5 2:1"),
        ("fund_org", Filter { fund_org: some("A-1"), ..all() }, "1:1 1:3 1:5 2:1"),
        ("billable", Filter { states: vec![ChargeState::Billable], ..all() }, "1:1 1:2 2:1"),
        ("held", Filter { states: vec![ChargeState::Held], ..all() }, "1:4 1:7"),
        (
            "rejected or deferred",
            Filter { states: vec![ChargeState::Rejected, ChargeState::Deferred], ..all() },
            "1:3 1:5 1:6",
        ),
        ("billed in", Filter { billed_in: Some(period("2025-02")), ..all() }, "1:5 1:6 2:1"),
        ("of period", Filter { period: Some(period("2025-02")), ..all() }, "2:1"),
        (
            "amounts",
            Filter { amount_min: Some(amount("4")), amount_max: Some(amount("16")), ..all() },
            "1:3 1:4 1:5",
        ),
        ("text", Filter { text: some("EVE@"), ..all() }, "1:2 1:4"),
        ("text of nothing", Filter { text: some("%"), ..all() }, ""),
    ];
    for (name, filter, expected) in cases {
        assert_eq!(ids(&view, &filter), expected, "{name}");
    }
}

#[test]
fn a_page_is_a_part_of_the_list_and_knows_the_whole() {
    let home = Home::new();
    for view in [decided(&home, None), decided(&home, Some("2025-01")), decided(&home, Some("2025-02"))] {
        for filter in [
            Filter::default(),
            Filter { text: Some("eve@".to_owned()), ..Filter::default() },
            Filter { text: Some("zebra".to_owned()), ..Filter::default() },
        ] {
            for (column, descending) in
                [("cost", true), ("cost", false), ("project_id", true), ("state", false)]
            {
                let sort = [Sort { column: column.to_owned(), descending }];
                let list = wait(view.charges(&filter, &sort, None, 0)).unwrap();
                let totals = wait(view.totals(&[], &filter)).unwrap().remove(0);
                for (limit, offset) in [(100, 0), (2, 0), (3, 2), (1, 7), (0, 1), (5, 8)] {
                    let page = wait(view.page(&filter, &sort, limit, offset)).unwrap();
                    let ids = |rows: &[ChargeRow]| rows.iter().map(|row| row.id).collect::<Vec<_>>();
                    let expected: Vec<_> = ids(&list).into_iter().skip(offset).take(limit).collect();
                    assert_eq!(ids(&page.charges), expected, "{column} {descending} {limit} {offset}");
                    let sums = (page.total, page.list_cost, page.billed_cost, page.cost);
                    assert_eq!(sums, (totals.rows, totals.list_cost, totals.billed_cost, totals.cost));
                }
            }
        }
    }
}

#[test]
fn no_name_of_a_flag_is_part_of_another() {
    for a in Flag::ALL {
        assert!(Flag::ALL.iter().all(|b| a == *b || !b.name().contains(a.name())), "{a}");
    }
}

#[test]
fn only_the_accounts_that_count() {
    let home = Home::new();
    let account = |billed: &str, name: &str| charge(billed).with("billing_account_id", name);
    let blocks =
        [vec![account("1", "a"), account("2", "b")], vec![charge("4"), account("8.0000000001", "a")]];
    let files = home.import(1, "AWS", &blocks);
    assert_eq!(files.len(), 2, "one file of each width");
    let cost = |accounts: Option<Vec<Option<&str>>>| {
        let accounts: Option<Vec<Option<String>>> =
            accounts.map(|names| names.into_iter().map(|name| name.map(str::to_owned)).collect());
        let files: Vec<LiveFile> =
            files.iter().map(|file| LiveFile { accounts: accounts.clone(), ..file.clone() }).collect();
        wait(home.view(files).totals(&[], &Filter::default())).unwrap()[0].billed_cost.to_string()
    };
    assert_eq!(cost(None), "15.0000000001");
    assert_eq!(cost(Some(vec![Some("a")])), "9.0000000001");
    assert_eq!(cost(Some(vec![Some("b"), None])), "6");
    assert_eq!(cost(Some(vec![None])), "4");
    assert_eq!(cost(Some(vec![])), "0");
    // A file without the column has only charges without an account.
    let mut bare = home.import(2, "AWS", &[vec![charge("3")]]);
    bare[0].accounts = Some(vec![None]);
    let view = home.view(bare);
    assert_eq!(ids(&view, &Filter::default()), "2:1");
}

#[test]
fn lists_are_sorted_cut_and_complete() {
    let home = Home::new();
    let charges: Vec<Charge> =
        (1..=20).map(|n| charge(&format!("{}.5", n * 7 % 10)).with("service_name", "EC2")).collect();
    let view = home.view(home.import(1, "AWS", &[charges]));
    let sort = [Sort { column: "cost".to_owned(), descending: true }];
    let list = |limit, offset| -> Vec<String> {
        let found = wait(view.charges(&Filter::default(), &sort, limit, offset)).unwrap();
        found.iter().map(|charge| format!("{}={}", charge.id, charge.cost)).collect()
    };
    assert_eq!(list(Some(3), 0), ["1:7=9.5", "1:17=9.5", "1:4=8.5"]);
    assert_eq!(list(Some(2), 19), ["1:20=0.5"]);
    assert_eq!(list(Some(2), 20), [] as [&str; 0]);
    assert_eq!(list(None, 0).len(), 20);
    assert_eq!(list(None, 2)[0], "1:4=8.5");
    let one = wait(view.charge(id("1:7"))).unwrap().unwrap();
    assert_eq!((one.billed_cost, one.service_name.as_deref()), (amount("9.5"), Some("EC2")));
    assert_eq!(wait(view.charge(id("1:21"))).unwrap(), None);
    assert_eq!(wait(view.charge(id("2:1"))).unwrap(), None);
}
