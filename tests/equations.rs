//! What must hold for any input, through the real binary: sums in are sums out to the last digit, every
//! line and total adds across, journals balance, and for every period
//!
//! ```text
//! Σ debits = Σ credits, in each document
//! Σ (debit − credit) over those who pay = Σ amounts due
//! charges = posted + held + rejected + deferred + a residual below a minor unit a statement
//! ```
//!
//! Files are small and random; what should come of them is computed beside, in whole units of 10⁻¹⁸.
//! `FOCUS_BILLING_LONG=1` tries more of them.
#![expect(clippy::unwrap_used, reason = "a story that cannot be told is a failed test")]

mod support;

use std::collections::BTreeMap;

use money::Amount;
use proptest::prelude::*;
use serde_json::json;
use support::{Home, amount, due, posted, row, text};

const PIS: [&str; 3] = ["ann@x.edu", "bob@x.edu", "cyd@y.edu"];
/// Charges of `gone` are rejected, those of `later` deferred.
const PROJECTS: [&str; 4] = ["alpha", "beta, \"the second\"", "gone", "later"];
const FUNDS: [&str; 3] = ["F-1", "F-2", "F-3"];
const SERVICES: [&str; 3] = ["Compute", "Storage", "=Support"];

/// A decimal: `mantissa × 10^-places`, and the way it is written.
#[derive(Clone, Debug)]
struct Number {
    mantissa: i64,
    places: u32,
    style: u8,
}

impl Number {
    fn exact(&self) -> Amount {
        Amount::from_units(i128::from(self.mantissa) * 10_i128.pow(18 - self.places))
    }

    fn written(&self) -> String {
        let Number { mantissa, places, .. } = self;
        match self.style {
            0 => format!("{mantissa}E-{places}"),
            1 => format!("{mantissa}.0e-0{places}"),
            2 => format!("{}e+0", self.plain()),
            _ => self.plain(),
        }
    }

    fn plain(&self) -> String {
        let sign = if self.mantissa < 0 { "-" } else { "" };
        let places = usize::try_from(self.places).unwrap();
        let digits = format!("{:0>width$}", self.mantissa.unsigned_abs(), width = places + 1);
        let (whole, fraction) = digits.split_at(digits.len() - places);
        if fraction.is_empty() { format!("{sign}{whole}") } else { format!("{sign}{whole}.{fraction}") }
    }
}

#[derive(Clone, Debug)]
struct Charge {
    hpc: bool,
    pi: Option<usize>,
    project: usize,
    fund: Option<usize>,
    service: usize,
    resource: Option<u8>,
    list: Option<Number>,
    billed: Number,
    /// Twins are rows that are equal in everything.
    twins: usize,
}

/// What becomes of a charge in its own month.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Billable,
    Held,
    Rejected,
    Deferred,
}

impl Charge {
    fn fate(&self) -> Fate {
        match (PROJECTS[self.project], self.pi, self.fund) {
            ("gone", ..) => Fate::Rejected,
            ("later", ..) => Fate::Deferred,
            (_, Some(_), Some(_)) => Fate::Billable,
            _ => Fate::Held,
        }
    }

    fn row(&self) -> String {
        let mut tags = serde_json::Map::new();
        tags.insert("project_id".to_owned(), json!(PROJECTS[self.project]));
        if let Some(pi) = self.pi {
            tags.insert("pi_email".to_owned(), json!(PIS[pi]));
        }
        if let Some(fund) = self.fund {
            tags.insert("fund_org".to_owned(), json!(FUNDS[fund]));
        }
        let resource = self.resource.map(|n| format!("r-{n}")).unwrap_or_default();
        let list = self.list.as_ref().map(Number::written).unwrap_or_default();
        let tags = serde_json::Value::Object(tags).to_string();
        row(&resource, SERVICES[self.service], &list, &self.billed.written(), &tags)
    }

    fn billed(&self) -> Amount {
        std::iter::repeat_n(self.billed.exact(), self.twins).sum()
    }

    /// A list cost that is missing counts as billed.
    fn list(&self) -> Amount {
        std::iter::repeat_n(self.list.as_ref().unwrap_or(&self.billed).exact(), self.twins).sum()
    }
}

fn number() -> impl Strategy<Value = Number> {
    // Cents and their halves are what rounding is about; the rest has any digits.
    let halves = (-2000_i64..20_000, Just(3_u32));
    let any = (-100_000_000_i64..1_000_000_000, 0_u32..=18);
    (prop_oneof![halves, any], 0_u8..4).prop_map(|((mantissa, places), style)| Number {
        mantissa,
        places,
        style,
    })
}

fn charge() -> impl Strategy<Value = Charge> {
    let who = (
        any::<bool>(),
        prop::option::weighted(0.9, 0..PIS.len()),
        0..PROJECTS.len(),
        prop::option::weighted(0.9, 0..FUNDS.len()),
    );
    let what = (0..SERVICES.len(), prop::option::weighted(0.8, 0_u8..4));
    let costs =
        (prop::option::weighted(0.7, number()), number(), prop_oneof![4 => Just(1_usize), 1 => Just(2)]);
    (who, what, costs).prop_map(|((hpc, pi, project, fund), (service, resource), (list, billed, twins))| {
        Charge { hpc, pi, project, fund, service, resource, list, billed, twins }
    })
}

/// Σ of a cost over the charges that a test picks.
fn sum(charges: &[Charge], cost: fn(&Charge) -> Amount, pick: impl Fn(&Charge) -> bool) -> Amount {
    charges.iter().filter(|charge| pick(charge)).map(cost).sum()
}

/// Deliver, decide and compare what is reported with what was delivered.
fn deliver(charges: &[Charge]) -> Home {
    let home = Home::new();
    home.open("2025-02");
    for (hpc, name) in [(false, "aws.csv"), (true, "hpc.csv")] {
        let of_source = charges.iter().filter(|charge| charge.hpc == hpc);
        let rows: Vec<String> =
            of_source.flat_map(|charge| std::iter::repeat_n(charge.row(), charge.twins)).collect();
        if !rows.is_empty() {
            home.focus(name, &rows);
            let answer = home.json(&format!("ingest {name}"));
            let delivered = sum(charges, Charge::billed, |charge| charge.hpc == hpc);
            assert_eq!(amount(&answer, "billed_cost"), delivered, "of {name}");
        }
    }
    for (project, act) in [("gone", "reject"), ("later", "defer")] {
        if charges.iter().any(|charge| PROJECTS[charge.project] == project) {
            home.decide(act, &format!("--project {project}"));
        }
    }
    home
}

fn check_reports(home: &Home, charges: &[Charge]) {
    let states = [
        ("billable", Fate::Billable),
        ("held", Fate::Held),
        ("rejected", Fate::Rejected),
        ("deferred", Fate::Deferred),
    ];
    for (state, fate) in states {
        let expected = sum(charges, Charge::billed, |charge| charge.fate() == fate);
        assert_eq!(home.billed(state), expected, "{state}");
    }
    for by in ["source", "project_id,fund_org", "pi_email,service_name", "resource_id"] {
        let report = home.report(&format!("--period 2025-01 --by {by} --state all"));
        assert_eq!(report.sum("billed_cost"), sum(charges, Charge::billed, |_| true), "by {by}");
        assert_eq!(report.sum("effective_cost"), sum(charges, Charge::billed, |_| true), "by {by}");
        assert_eq!(report.sum("list_cost"), sum(charges, Charge::list, |_| true), "by {by}");
        let rows: usize = report.column("rows").iter().map(|rows| rows.parse::<usize>().unwrap()).sum();
        assert_eq!(rows, charges.iter().map(|charge| charge.twins).sum::<usize>(), "by {by}");
    }
}

/// Every statement is the exact sum of its charges, rounded once, and adds across in every line.
fn check_statements(home: &Home, charges: &[Charge], statements: &[serde_json::Value]) {
    let mut exact: BTreeMap<(&str, &str), Amount> = BTreeMap::new();
    for charge in charges.iter().filter(|charge| charge.fate() == Fate::Billable) {
        let key = (PIS[charge.pi.unwrap()], PROJECTS[charge.project]);
        *exact.entry(key).or_default() += charge.billed();
    }
    let issued: BTreeMap<(&str, &str), Amount> = statements
        .iter()
        .map(|one| ((text(one, "pi_email"), text(one, "project_id")), amount(one, "amount_due")))
        .collect();
    let rounded: BTreeMap<(&str, &str), Amount> =
        exact.iter().map(|(&key, sum)| (key, Amount::from_minor(sum.round(2), 2))).collect();
    assert_eq!(issued, rounded);

    for statement in statements {
        let totals = ["list_cost", "discount", "subsidy", "amount_due"].map(|field| amount(statement, field));
        assert_eq!(totals[0] - totals[1] - totals[2], totals[3], "{statement}");
        let mut sums = [Amount::ZERO; 4];
        for line in home.statement_lines(text(statement, "number")) {
            let figures = ["list", "discount", "subsidy", "due"].map(|field| posted(&line, field));
            assert_eq!(figures[0] - figures[1] - figures[2], figures[3], "{line}");
            sums.iter_mut().zip(figures).for_each(|(sum, figure)| *sum += figure);
        }
        assert_eq!(sums, totals, "the lines of {statement} do not add up");
    }
    let residual = exact.values().copied().sum::<Amount>() - due(statements);
    let half_a_cent = 5 * 10_i128.pow(15);
    let most = Amount::from_units(half_a_cent * i128::try_from(statements.len()).unwrap());
    assert!(residual.abs() <= most, "a residual of {residual} in {} statements", statements.len());
}

fn check_journal(home: &Home, statements: &[serde_json::Value]) {
    let journal = home.gl("2025-01");
    let sides = journal.column("debit").into_iter().zip(journal.column("credit")).map(|(debit, credit)| {
        let [debit, credit] = [debit, credit].map(support::exact);
        assert!(!debit.is_negative() && !credit.is_negative(), "{debit} {credit}");
        assert!(debit.is_zero() != credit.is_zero(), "one side and only one: {debit} {credit}");
        debit - credit
    });
    let nets: Vec<Amount> = sides.collect();
    let mut documents: BTreeMap<&str, Amount> = BTreeMap::new();
    for (document, net) in journal.column("document").into_iter().zip(&nets) {
        *documents.entry(document).or_default() += *net;
    }
    assert!(documents.values().all(|net| net.is_zero()), "{documents:?}");
    let payers =
        journal.column("fund_org").into_iter().zip(&nets).filter(|(fund_org, _)| FUNDS.contains(fund_org));
    assert_eq!(
        payers.map(|(_, net)| *net).sum::<Amount>(),
        due(statements),
        "what is owed is what is posted"
    );
}

fn cases() -> u32 {
    if std::env::var_os("FOCUS_BILLING_LONG").is_some() { 200 } else { 8 }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn money_is_neither_lost_nor_made(charges in prop::collection::vec(charge(), 1..25)) {
        let home = deliver(&charges);
        check_reports(&home, &charges);
        let statements = home.bill_january();
        check_reports(&home, &charges);
        check_statements(&home, &charges, &statements);
        // What comes to lines of zero is not posted.
        let moves_money = |statement: &serde_json::Value| {
            home.statement_lines(text(statement, "number")).iter().any(|line| !posted(line, "due").is_zero())
        };
        if statements.iter().any(moves_money) {
            check_journal(&home, &statements);
        }
        // What was put off is billed in the month after, to the last digit before it is rounded.
        home.close("2025-02");
        let later = home.generate("2025-02");
        let deferred = |charge: &Charge| charge.fate() == Fate::Deferred && charge.pi.is_some() && charge.fund.is_some();
        let mut by_pi: BTreeMap<&str, Amount> = BTreeMap::new();
        for charge in charges.iter().filter(|charge| deferred(charge)) {
            *by_pi.entry(PIS[charge.pi.unwrap()]).or_default() += charge.billed();
        }
        let expected: Amount = by_pi.values().map(|sum| Amount::from_minor(sum.round(2), 2)).sum();
        assert_eq!(due(&later), expected);
    }
}
