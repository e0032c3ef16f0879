//! Whether a statement that was issued still follows from the books, figure by figure.

use std::collections::{BTreeMap, BTreeSet};

use money::{Currency, Minor};
use serde::Serialize;

use super::{PostedLeg, PostedLine, ResourceLine, RestLine, Statement, Totals};
use crate::rate::RatedUse;
use crate::subsidy::Leg;

/// A place where two versions of what should be the same do not say the same.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Differs {
    /// `line EC2 of AWS on PHYS-1: amount due`.
    pub what: String,
    pub issued: String,
    /// What follows from the books.
    pub follows: String,
}

/// Everything in which an issued statement is not what the books come to, its number, version and date
/// apart. Unlike [`changed`](super::changed), exact sums count to their last digit: the same facts, the same
/// decisions and the same rules give the same sums.
#[must_use]
pub fn differences(issued: &Statement, follows: &Statement) -> Vec<Differs> {
    let mut found = Found { currency: &issued.currency, list: Vec::new() };
    found.text("PI", &issued.pi_email, &follows.pi_email);
    found.text("project", &issued.project_id, &follows.project_id);
    found.text("period", &issued.period.to_string(), &follows.period.to_string());
    found.text("currency", &currency_text(&issued.currency), &currency_text(&follows.currency));
    found.totals("", issued.totals, follows.totals);
    found.set("fund_org", &issued.fund_orgs, &follows.fund_orgs);
    found.set("reference", &issued.references, &follows.references);
    found.set("note", &issued.notes, &follows.notes);
    let rates = |statement: &Statement| statement.rates.iter().map(RatedUse::words).collect::<Vec<_>>();
    found.set("rate", &rates(issued), &rates(follows));
    found.lines(&issued.lines, &follows.lines);
    found.resources(&issued.resources, &follows.resources);
    found.rest(issued.rest.as_ref(), follows.rest.as_ref());
    if found.list.is_empty() && !same(issued, follows) {
        found.text("order of lines", "as issued", "another");
    }
    found.list
}

/// Whether all but number, version and date agree.
fn same(issued: &Statement, follows: &Statement) -> bool {
    let follows = Statement {
        number: issued.number.clone(),
        version: issued.version,
        replaces: issued.replaces.clone(),
        issued_on: issued.issued_on,
        ..follows.clone()
    };
    *issued == follows
}

/// Who pays what of a line, exactly.
fn paid(line: &PostedLine) -> Vec<String> {
    let words = |PostedLeg { leg, amount }: &PostedLeg| {
        let account = leg.account_code.as_ref().map_or_else(String::new, |code| format!(" account {code}"));
        let user = leg.user.as_ref().map_or_else(String::new, |user| format!(" for {user}"));
        let Leg { by, name, payer, seen, paid, .. } = leg;
        format!("{by} `{name}` by {payer}{account}{user}: {paid} of {seen}, {} minor units", amount.get())
    };
    line.legs.iter().map(words).collect()
}

fn currency_text(currency: &Currency) -> String {
    format!("{} ({})", currency.code, currency.symbol)
}

struct Found<'a> {
    currency: &'a Currency,
    list: Vec<Differs>,
}

const NOTHING: &str = "nothing";

impl Found<'_> {
    fn text(&mut self, what: &str, issued: &str, follows: &str) {
        if issued != follows {
            let (what, issued, follows) = (what.to_owned(), issued.to_owned(), follows.to_owned());
            self.list.push(Differs { what, issued, follows });
        }
    }

    fn amount(&mut self, what: &str, issued: Minor, follows: Minor) {
        let (issued, follows) = (self.currency.display(issued), self.currency.display(follows));
        self.text(what, &issued, &follows);
    }

    fn totals(&mut self, at: &str, issued: Totals, follows: Totals) {
        self.amount(&format!("{at}amount due"), issued.due, follows.due);
        self.amount(&format!("{at}list price"), issued.list, follows.list);
        self.amount(&format!("{at}discount"), issued.discount, follows.discount);
        self.amount(&format!("{at}subsidy"), issued.subsidy, follows.subsidy);
    }

    /// Words that stand in no order.
    fn set(&mut self, what: &str, issued: &[String], follows: &[String]) {
        let was: BTreeSet<&String> = issued.iter().collect();
        let is: BTreeSet<&String> = follows.iter().collect();
        was.difference(&is).for_each(|word| self.text(what, word, NOTHING));
        is.difference(&was).for_each(|word| self.text(what, NOTHING, word));
    }

    fn lines(&mut self, issued: &[PostedLine], follows: &[PostedLine]) {
        let key = |line: &PostedLine| {
            let group = &line.group;
            let service = group.service_name.as_deref().unwrap_or("charges without a service");
            let fund_org = group.fund_org.as_ref().map_or_else(String::new, |text| format!(" on {text}"));
            let account =
                group.account_code.as_ref().map_or_else(String::new, |text| format!(" account {text}"));
            format!("line {service} ({}) of {}{fund_org}{account}", group.kind.name(), group.source)
        };
        for (name, was, is) in paired(issued, follows, key) {
            let (Some(was), Some(is)) = (was, is) else {
                let due =
                    |line: Option<&PostedLine>| line.map_or(NOTHING.to_owned(), |line| self.due(line.due));
                let (was, is) = (due(was), due(is));
                self.text(&name, &was, &is);
                continue;
            };
            let totals = |line: &PostedLine| Totals {
                list: line.list,
                discount: line.discount,
                subsidy: line.subsidy,
                due: line.due,
            };
            self.totals(&format!("{name}: "), totals(was), totals(is));
            self.set(&format!("{name}: paid"), &paid(was), &paid(is));
            let (was, is) = (&was.group, &is.group);
            self.text(&format!("{name}: charges"), &was.charges.to_string(), &is.charges.to_string());
            self.text(&format!("{name}: exact cost"), &was.cost.to_string(), &is.cost.to_string());
            self.text(
                &format!("{name}: exact list cost"),
                &was.list_cost.to_string(),
                &is.list_cost.to_string(),
            );
        }
    }

    fn resources(&mut self, issued: &[ResourceLine], follows: &[ResourceLine]) {
        let key = |line: &ResourceLine| {
            let name =
                line.resource_id.as_deref().or(line.resource_name.as_deref()).unwrap_or("without a name");
            let service = line.service_name.as_deref().unwrap_or("charges without a service");
            format!("resource {name} of {service} ({})", line.kind.name())
        };
        let told = |line: &ResourceLine| {
            let name = line.resource_name.as_ref().map_or_else(String::new, |name| format!("`{name}`, "));
            let quantity = line.quantity.map_or_else(String::new, |quantity| {
                format!("{quantity} {}, ", line.unit.as_deref().unwrap_or_default())
            });
            let figures = self.figures(line.charges, line.list, line.due);
            format!("{name}{quantity}{figures}")
        };
        let pairs: Vec<_> = paired(issued, follows, key)
            .into_iter()
            .map(|(name, was, is)| (name, was.map(told), is.map(told)))
            .collect();
        for (name, was, is) in pairs {
            self.text(&name, was.as_deref().unwrap_or(NOTHING), is.as_deref().unwrap_or(NOTHING));
        }
    }

    fn rest(&mut self, issued: Option<&RestLine>, follows: Option<&RestLine>) {
        let told = |rest: Option<&RestLine>| {
            rest.map_or(NOTHING.to_owned(), |rest| {
                format!("{} resources, {}", rest.resources, self.figures(rest.charges, rest.list, rest.due))
            })
        };
        let (was, is) = (told(issued), told(follows));
        self.text("resources that are not listed", &was, &is);
    }

    fn figures(&self, charges: u64, list: Minor, due: Minor) -> String {
        let (list, due) = (self.due(list), self.due(due));
        format!("{charges} charges, list price {list}, due {due}")
    }

    fn due(&self, due: Minor) -> String {
        self.currency.display(due)
    }
}

type Pair<'a, T> = (String, Option<&'a T>, Option<&'a T>);

/// What has the same name on both sides; among equal names, in their order.
fn paired<'a, T>(issued: &'a [T], follows: &'a [T], name: impl Fn(&T) -> String) -> Vec<Pair<'a, T>> {
    let keyed = |lines: &'a [T]| {
        let mut twins: BTreeMap<String, usize> = BTreeMap::new();
        let mut keyed: BTreeMap<(String, usize), &T> = BTreeMap::new();
        for line in lines {
            let name = name(line);
            let twin = twins.entry(name.clone()).or_default();
            *twin += 1;
            keyed.insert((name, *twin), line);
        }
        keyed
    };
    let (issued, follows) = (keyed(issued), keyed(follows));
    let names: BTreeSet<&(String, usize)> = issued.keys().chain(follows.keys()).collect();
    let pair = |key: &(String, usize)| (key.0.clone(), issued.get(key).copied(), follows.get(key).copied());
    names.into_iter().map(pair).collect()
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::*;
    use crate::StatementNumber;
    use crate::settings::Settings;
    use crate::statement::testing::group;
    use crate::statement::{LineKind, PostingGroup, post_statement};

    fn statement(groups: Vec<PostingGroup>) -> Statement {
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
            rates: Vec::new(),
            totals,
            resources: vec![resource("i-1", 100), resource("i-1", 200)],
            rest: None,
            notes: Vec::new(),
        }
    }

    fn resource(id: &str, due: i64) -> ResourceLine {
        ResourceLine {
            service_name: Some("EC2".to_owned()),
            resource_id: Some(id.to_owned()),
            resource_name: None,
            kind: LineKind::Usage,
            charges: 1,
            quantity: None,
            unit: None,
            list: Minor::new(due),
            discount: Minor::ZERO,
            due: Minor::new(due),
        }
    }

    fn told(issued: &Statement, follows: &Statement) -> String {
        let line = |differs: Differs| format!("{}: {} | {}", differs.what, differs.issued, differs.follows);
        differences(issued, follows).into_iter().map(line).collect::<Vec<_>>().join("\n")
    }

    fn usage(service: &str, list: &str, cost: &str) -> PostingGroup {
        group(service, LineKind::Usage, list, cost)
    }

    #[test]
    fn number_version_and_date_do_not_count() {
        let issued = statement(vec![usage("EC2", "2", "1")]);
        let follows = Statement {
            number: StatementNumber(String::new()),
            version: 0,
            replaces: Some("version 1".to_owned()),
            issued_on: jiff::civil::date(2025, 3, 1),
            ..issued.clone()
        };
        assert_eq!(differences(&issued, &follows), []);
    }

    #[test]
    fn every_figure_counts_to_its_last_digit() {
        let issued =
            statement(vec![usage("EC2", "1200", "1000"), usage("S3", "5", "5"), usage("GPU", "9", "8")]);
        let mut follows = statement(vec![
            usage("EC2", "1200", "1000.001"),
            usage("S3", "6", "5"),
            usage("Lambda", "2", "2"),
        ]);
        follows.notes.push("2 charges are held back.".to_owned());
        follows.fund_orgs = vec!["CHEM-1".to_owned()];
        follows.resources[1].due = Minor::new(199);
        follows.resources[0].charges = 2;
        follows.resources.push(resource("i-2", 5));
        assert_snapshot!(told(&issued, &follows), @r"
        amount due: $1,013.00 | $1,007.00
        list price: $1,214.00 | $1,208.00
        fund_org: PHYS-1 | nothing
        fund_org: nothing | CHEM-1
        note: nothing | 2 charges are held back.
        line EC2 (usage) of AWS on PHYS-1: exact cost: 1000 | 1000.001
        line GPU (usage) of AWS on PHYS-1: $8.00 | nothing
        line Lambda (usage) of AWS on PHYS-1: nothing | $2.00
        line S3 (usage) of AWS on PHYS-1: list price: $5.00 | $6.00
        line S3 (usage) of AWS on PHYS-1: discount: $0.00 | $1.00
        line S3 (usage) of AWS on PHYS-1: exact list cost: 5 | 6
        resource i-1 of EC2 (usage): 1 charges, list price $1.00, due $1.00 | 2 charges, list price $1.00, due $1.00
        resource i-1 of EC2 (usage): 1 charges, list price $2.00, due $2.00 | 1 charges, list price $2.00, due $1.99
        resource i-2 of EC2 (usage): nothing | 1 charges, list price $0.05, due $0.05
        ");
    }

    #[test]
    fn who_pays_counts_with_all_that_is_said_of_it() {
        let pays = |user: &str, paid: &str| {
            let mut issued = statement(vec![usage("EC2", "2", "2")]);
            let leg = Leg {
                by: crate::subsidy::PaidBy::Subsidy(crate::subsidy::SubsidyId(1)),
                name: "Provost".to_owned(),
                payer: "PROV-1".to_owned(),
                account_code: None,
                user: Some(user.to_owned()),
                seen: "2".parse().unwrap(),
                paid: paid.parse().unwrap(),
            };
            issued.lines[0].legs = vec![PostedLeg { leg, amount: Minor::new(100) }];
            issued
        };
        assert_eq!(told(&pays("ada", "1"), &pays("ada", "1")), "");
        assert_snapshot!(told(&pays("ada", "1"), &pays("bo", "1.001")), @r"
        line EC2 (usage) of AWS on PHYS-1: paid: subsidy 1 `Provost` by PROV-1 for ada: 1 of 2, 100 minor units | nothing
        line EC2 (usage) of AWS on PHYS-1: paid: nothing | subsidy 1 `Provost` by PROV-1 for bo: 1.001 of 2, 100 minor units
        ");
    }

    #[test]
    fn what_is_equal_in_other_order_is_not_the_same() {
        let issued = statement(vec![usage("EC2", "2", "1"), usage("S3", "2", "1")]);
        let mut follows = issued.clone();
        follows.lines.reverse();
        assert_eq!(told(&issued, &follows), "order of lines: as issued | another");
    }
}
