//! With every rule on at once (attribution, people, rates, splits, subsidies, credits, fallbacks), what is billed
//! follows from what was delivered: not from the order of the files, how a month is cut into deliveries, how often
//! one is read again, or when a rule was written.
#![expect(clippy::unwrap_used, reason = "a story that cannot be told is a failed test")]

mod support;

use money::Amount;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use serde_json::{Value, json};
use support::{CONFIG, Home, amount, text};

const HEADER: &str = "BillingPeriodStart,ChargePeriodStart,ChargePeriodEnd,BilledCost,ListCost,ServiceName,ResourceId,\
                      SubAccountId,ConsumedQuantity,ConsumedUnit,Tags";

/// What is written before anything is delivered, or after all of it.
const RULES: [&str; 12] = [
    "people add Ada ada@x.edu --also a.old@x.edu",
    "attribution add --key sub_account_id --value 1111 --pi a.old@x.edu --project looms --fund-org MATH-1",
    "attribution add --source Lab --key resource_id --value 'r-1*' --customer-class external --from 2025-01-10",
    "rates add cpu --source Lab --unit core-hour --price 0.0137 --list-price 0.02 --free 40 --above 200:0.009 --from 2025-01-01",
    "rates add cpu-ext --source Lab --class external --unit core-hour --price 0.051 --minimum 7 --from 2025-01-01",
    "splits add --project looms MATH-1:30 CS-2:60% BIO-3:40% --from 2025-01-12 --note agreed",
    "splits add --pi bo@x.edu --source AWS A-1:33.3333% B-2:66.6667% --from 2025-01-01 --to 2025-01-20 --note agreed",
    "subsidies add Provost --payer PROV-1 --tier 25:100 --tier 60:50 --every fiscal-year --from 2025-01",
    "subsidies add College --payer SCI-1 --percent 12.5 --service Stor* --cap 9 --per all --order 2 --from 2025-01",
    "subsidies add Starter --payer USER-1 --tier 8:100 --tier 20:50 --per user --order 3 --from 2025-01",
    "credits add Cloud --kind provider --amount 31.005 --payer CRED-1 --project looms --project quanta --from 2025-01 --to 2025-06",
    "credits add Prepaid --kind prepayment --amount 11 --payer PRE-1 --pi bo@x.edu --order 2 --from 2025-01",
];

#[derive(Clone, Debug)]
struct Row {
    lab: bool,
    day: u8,
    /// Thousandths of a dollar, or of an hour.
    amount: i64,
    storage: bool,
    resource: u8,
    account: Option<u16>,
    who: usize,
    user: usize,
    ended: bool,
}

const WHO: [(&str, &str, &str); 4] = [
    ("ada@x.edu", "looms", "MATH-1"),
    ("a.old@x.edu", "engines", "MATH-2"),
    ("bo@x.edu", "quanta", "PHYS-1"),
    ("cy@x.edu", "genome", "BIO-7"),
];

/// Ada under two addresses, a login, one that looks like the number of a person, and nobody.
const USERS: [&str; 5] = ["Ada@x.edu", "a.old@x.edu", "bo7", "p-1", ""];

impl Row {
    fn line(&self, number: usize) -> String {
        let Row { day, amount, resource, .. } = self;
        let (pi, project, fund) = WHO[self.who];
        let mut tags = json!({ "pi_email": pi, "project_id": project, "fund_org": fund });
        if !USERS[self.user].is_empty() {
            tags["user"] = json!(USERS[self.user]);
        }
        if self.ended {
            tags["end_date"] = json!("2025-01-08");
            tags["fallback_fund_org"] = json!("DEPT-9");
        }
        let tags = tags.to_string().replace('"', "\"\"");
        let sign = if *amount < 0 { "-" } else { "" };
        let number_text = format!("{sign}{}.{:03}", amount.abs() / 1000, amount.abs() % 1000);
        let account = self.account.map(|account| account.to_string()).unwrap_or_default();
        let service = if self.storage { "Storage" } else { "Compute" };
        let (cost, list, quantity, unit) = if self.lab {
            ("0", "", number_text.as_str(), "cpu-hours")
        } else {
            (number_text.as_str(), "55.5", "", "")
        };
        format!(
            "2025-01-01,2025-01-{day:02},2025-01-{:02},{cost},{list},{service},r-{resource}-{number},{account},{quantity},{unit},\"{tags}\"",
            day + 1
        )
    }
}

fn row() -> impl Strategy<Value = Row> {
    let what = (any::<bool>(), 1_u8..28, -20_000_i64..90_000, any::<bool>(), 0_u8..3);
    let who = (prop::option::weighted(0.2, Just(1111_u16)), 0..WHO.len(), 0..USERS.len(), any::<bool>());
    (what, who).prop_map(|((lab, day, amount, storage, resource), (account, who, user, ended))| Row {
        lab,
        day,
        amount: if lab { amount.abs() } else { amount },
        storage,
        resource,
        account,
        who,
        user,
        ended,
    })
}

fn office() -> Home {
    let home = Home::bare();
    let lab = "    - { name: Lab, pattern: lab, fund_org: IT-LAB, account_code: \"54300\", delivery: increment, priced_by: rates }\n";
    let aws = "name: AWS, delivery: increment,";
    home.write("config.yaml", format!("{}{lab}", CONFIG.replace("name: AWS,", aws)));
    home.open("2025-01");
    home
}

fn write_rules(home: &Home, which: std::ops::Range<usize>) {
    for rule in &RULES[which] {
        home.ok(&format!("{rule} --yes"));
    }
}

/// Deliver rows in an order, cut after every so many.
fn deliver(home: &Home, rows: &[(usize, &Row)], every: usize) {
    for (lab, source) in [(false, "aws"), (true, "lab")] {
        let lines: Vec<String> =
            rows.iter().filter(|(_, row)| row.lab == lab).map(|(number, row)| row.line(*number)).collect();
        for (part, lines) in lines.chunks(every).enumerate() {
            let name = format!("{source}-{part}.csv");
            home.write(&name, format!("{HEADER}\n{}\n", lines.join("\n")));
            home.ok(&format!("ingest {name}"));
        }
    }
}

/// Everything that is billed: what statements say, and the journal.
#[derive(Debug, PartialEq)]
struct Billed {
    statements: Vec<Vec<Value>>,
    journal: Vec<String>,
}

fn bill(home: &Home) -> Billed {
    let issued = home.bill_january();
    let said = |statement: &Value| {
        let shown = home.json(&format!("statements show {}", text(statement, "number")));
        let parts =
            ["pi_email", "project_id", "fund_orgs", "lines", "totals", "rates", "resources", "rest", "notes"];
        parts.map(|part| shown[part].clone()).to_vec()
    };
    let journal = home.gl("2025-01");
    let (debits, credits) = (journal.sum("debit"), journal.sum("credit"));
    assert_eq!(debits, credits, "the journal does not balance");
    let funds = journal.column("fund_org");
    let of_sources = |name: &str| {
        journal.sum_where(name, "fund_org", "IT-AWS") + journal.sum_where(name, "fund_org", "IT-LAB")
    };
    let paid = (debits - of_sources("debit")) - (credits - of_sources("credit"));
    let owed = |statement: &Value| amount(statement, "amount_due") + amount(statement, "subsidy");
    assert_eq!(paid, issued.iter().map(owed).sum::<Amount>(), "those who pay pay something else");
    let rows = funds.into_iter().zip(journal.column("debit")).zip(journal.column("credit"));
    let journal = rows.map(|((fund, debit), credit)| format!("{fund} {debit} {credit}")).collect();
    home.ok("verify --deep");
    Billed { statements: issued.iter().map(said).collect(), journal }
}

/// Every one of these must have paid something in some case, else the test proves less than it says.
const PAYERS: [&str; 10] =
    ["PROV-1", "SCI-1", "USER-1", "CRED-1", "PRE-1", "DEPT-9", "MATH-1", "CS-2", "BIO-3", "B-2"];

#[test]
fn it_does_not_matter_how_and_when_things_are_said() {
    let is_long = std::env::var_os("FOCUS_BILLING_LONG").is_some();
    let config =
        Config { cases: if is_long { 60 } else { 2 }, failure_persistence: None, ..Config::default() };
    let fixed = || TestRunner::new_with_rng(config.clone(), TestRng::deterministic_rng(RngAlgorithm::ChaCha));
    let mut runner = if is_long { TestRunner::new(config.clone()) } else { fixed() };
    let paid = std::cell::RefCell::new(std::collections::BTreeSet::new());
    let rows = prop::collection::vec(row(), 15..40);
    let told = runner.run(&(rows, 1_usize..15, any::<u64>()), |(rows, every, seed)| {
        let in_order: Vec<(usize, &Row)> = rows.iter().enumerate().collect();
        let first = office();
        write_rules(&first, 0..RULES.len());
        deliver(&first, &in_order, rows.len());
        // Rules come late, files in another order and in pieces, one is read again.
        let mut shuffled = in_order.clone();
        shuffled.sort_by_key(|(number, _)| (seed ^ (*number as u64)).wrapping_mul(0x9E37_79B9_7F4A_7C15));
        let second = office();
        let known = usize::try_from(seed % RULES.len() as u64).unwrap();
        write_rules(&second, 0..known);
        deliver(&second, &shuffled, every);
        second.ok("imports reread 1");
        write_rules(&second, known..RULES.len());
        let billed = bill(&first);
        paid.borrow_mut()
            .extend(billed.journal.iter().filter_map(|row| row.split(' ').next().map(str::to_owned)));
        prop_assert_eq!(billed, bill(&second));
        Ok(())
    });
    told.unwrap_or_else(|failed| panic!("{failed}"));
    let paid = paid.into_inner();
    let idle: Vec<&str> = PAYERS.into_iter().filter(|payer| !paid.contains(*payer)).collect();
    assert_eq!(idle, [""; 0], "never paid anything");
}
