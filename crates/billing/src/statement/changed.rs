//! Why a statement gets a new version: what it says now that it did not say before, in words.

use std::collections::BTreeMap;

use money::{Currency, Minor};

use super::{PostedLeg, PostedLine, PostingGroup, ResourceLine, Statement};
use crate::rate::RatedUse;

/// What changed from one version to the next, in words; `None` when the new one says the same apart from
/// its number, version and date, and so need not be issued.
///
/// Exact sums below a minor unit do not count: nobody who reads the statement sees them.
#[must_use]
pub fn changed(old: &Statement, new: &Statement) -> Option<Vec<String>> {
    let mut words = Vec::new();
    let amount = |words: &mut Vec<String>, what: &str, old_amount: Minor, new_amount: Minor| {
        if old_amount != new_amount {
            let (new_text, old_text) = (new.currency.display(new_amount), old.currency.display(old_amount));
            words.push(format!("{what}: {new_text}, was {old_text}"));
        }
    };
    compare(&mut words, "PI", &old.pi_email, &new.pi_email);
    compare(&mut words, "project", &old.project_id, &new.project_id);
    compare(&mut words, "period", &old.period.to_string(), &new.period.to_string());
    if old.currency != new.currency {
        words.push(format!(
            "currency: {}, was {}",
            currency_text(&new.currency),
            currency_text(&old.currency)
        ));
    }
    amount(&mut words, "amount due", old.totals.due, new.totals.due);
    amount(&mut words, "list price", old.totals.list, new.totals.list);
    amount(&mut words, "discount", old.totals.discount, new.totals.discount);
    amount(&mut words, "subsidy", old.totals.subsidy, new.totals.subsidy);
    compare_lists(&mut words, "fund_org", &old.fund_orgs, &new.fund_orgs);
    compare_lists(&mut words, "reference", &old.references, &new.references);
    compare_lines(&mut words, old, new);
    compare_resources(&mut words, old, new);
    let rates = |statement: &Statement| statement.rates.iter().map(RatedUse::words).collect::<Vec<_>>();
    compare_lists(&mut words, "rate", &rates(old), &rates(new));
    compare_lists(&mut words, "note", &old.notes, &new.notes);
    if words.is_empty() { None } else { Some(words) }
}

fn compare(words: &mut Vec<String>, what: &str, old: &str, new: &str) {
    if old != new {
        words.push(format!("{what}: {new}, was {old}"));
    }
}

fn currency_text(currency: &Currency) -> String {
    format!("{} ({})", currency.code, currency.symbol)
}

fn compare_lists(words: &mut Vec<String>, what: &str, old: &[String], new: &[String]) {
    words.extend(
        new.iter().filter(|value| !old.contains(value)).map(|value| format!("{what} added: {value}")),
    );
    words
        .extend(old.iter().filter(|value| !new.contains(value)).map(|value| format!("{what} gone: {value}")));
}

/// What makes a posted line the same line in another version: service, kind, source, `fund_org`, account.
pub(crate) type LineKey = (Option<String>, super::LineKind, String, Option<String>, Option<String>);

pub(crate) fn line_key(line: &PostedLine) -> LineKey {
    line.group.line_key()
}

impl PostingGroup {
    pub(crate) fn line_key(&self) -> LineKey {
        (
            self.service_name.clone(),
            self.kind,
            self.source.clone(),
            self.fund_org.clone(),
            self.account_code.clone(),
        )
    }
}

fn line_name(key: &LineKey) -> String {
    let (service, _, source, fund_org, account) = key;
    let service = service.as_deref().unwrap_or("charges without a service");
    let on = fund_org.as_ref().map(|fund_org| format!(" on {fund_org}")).unwrap_or_default();
    let account = account.as_ref().map(|account| format!(" account {account}")).unwrap_or_default();
    format!("{service} of {source}{on}{account}")
}

/// Who pays how much of a line; and of whose use, which is too long to be said.
#[derive(PartialEq)]
struct Payers {
    sums: Vec<String>,
    users: Vec<String>,
}

impl Payers {
    fn of(line: &PostedLine, currency: &Currency) -> Payers {
        let (mut sums, mut users): (Vec<(&str, Minor)>, Vec<String>) = (Vec::new(), Vec::new());
        for PostedLeg { leg, amount } in line.legs.iter().filter(|leg| !leg.amount.is_zero()) {
            match sums.iter_mut().find(|(payer, _)| *payer == leg.payer) {
                Some((_, sum)) if leg.user.is_some() => *sum += *amount,
                _ => sums.push((&leg.payer, *amount)),
            }
            users.extend(leg.user.as_ref().map(|user| format!("{} {user} {}", leg.by, amount.get())));
        }
        let sum = |(payer, sum): (&str, Minor)| format!("{} by {payer}", currency.display(sum));
        Payers { sums: sums.into_iter().map(sum).collect(), users }
    }
}

fn compare_lines(words: &mut Vec<String>, old: &Statement, new: &Statement) {
    let show = |amount: Minor| new.currency.display(amount);
    let keyed = |statement: &Statement| -> BTreeMap<LineKey, (Minor, Minor, Minor, u64, Payers)> {
        let figures = |line: &PostedLine| {
            (line.due, line.list, line.subsidy, line.group.charges, Payers::of(line, &new.currency))
        };
        statement.lines.iter().map(|line| (line_key(line), figures(line))).collect()
    };
    let (before, after) = (keyed(old), keyed(new));
    for (key, figures) in &after {
        let name = line_name(key);
        match before.get(key) {
            None => words.push(format!("{name}: added, {}", show(figures.0))),
            Some(was) if was == figures => {}
            Some(was) if was.0 != figures.0 => {
                words.push(format!("{name}: {}, was {}", show(figures.0), show(was.0)));
            }
            Some(was) if was.1 != figures.1 => {
                words.push(format!("{name}: list price {}, was {}", show(figures.1), show(was.1)));
            }
            Some(was) if was.2 != figures.2 => {
                words.push(format!("{name}: subsidy {}, was {}", show(figures.2), show(was.2)));
            }
            Some(was) if was.4.sums != figures.4.sums => {
                words.push(format!(
                    "{name}: paid {}, was {}",
                    figures.4.sums.join(", "),
                    was.4.sums.join(", ")
                ));
            }
            Some(was) if was.4.users != figures.4.users => {
                words.push(format!("{name}: paid for the use of others"));
            }
            Some(was) => words.push(format!("{name}: {} charges, was {}", figures.3, was.3)),
        }
    }
    for (key, was) in before.iter().filter(|(key, _)| !after.contains_key(key)) {
        words.push(format!("{}: gone, was {}", line_name(key), show(was.0)));
    }
}

fn compare_resources(words: &mut Vec<String>, old: &Statement, new: &Statement) {
    type ResourceKey = (Option<String>, super::LineKind, Option<String>, Option<String>, Option<String>);
    fn keyed(resources: &[ResourceLine]) -> BTreeMap<ResourceKey, Vec<&ResourceLine>> {
        let mut lines: BTreeMap<ResourceKey, Vec<&ResourceLine>> = BTreeMap::new();
        for line in resources {
            let key = (
                line.service_name.clone(),
                line.kind,
                line.resource_id.clone(),
                line.resource_name.clone(),
                line.unit.clone(),
            );
            lines.entry(key).or_default().push(line);
        }
        lines
    }
    let (before, after) = (keyed(&old.resources), keyed(&new.resources));
    let added = after.keys().filter(|key| !before.contains_key(key)).count();
    let gone = before.keys().filter(|key| !after.contains_key(key)).count();
    let different =
        after.iter().filter(|(key, lines)| before.get(key).is_some_and(|was| was != *lines)).count();
    let counts = [(added, "added"), (gone, "gone"), (different, "changed")];
    let parts: Vec<String> = counts
        .iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, what)| format!("{count} {what}"))
        .collect();
    if !parts.is_empty() {
        words.push(format!("resources: {}", parts.join(", ")));
    } else if old.rest != new.rest {
        words.push("resources that are not listed: changed".to_owned());
    }
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::*;
    use crate::StatementNumber;
    use crate::statement::testing::{group, statement};
    use crate::statement::{LineKind, PostingGroup, RestLine, Totals};

    fn usage(service: &str, list: &str, cost: &str) -> PostingGroup {
        group(service, LineKind::Usage, list, cost)
    }

    fn said(old: &Statement, new: &Statement) -> String {
        changed(old, new).unwrap_or_default().join("\n")
    }

    #[test]
    fn number_version_and_date_are_no_change() {
        let old = statement(vec![usage("EC2", "2", "1")]);
        let new = Statement {
            number: StatementNumber("S-2025-01-0007".to_owned()),
            version: 2,
            replaces: Some("version 1".to_owned()),
            issued_on: jiff::civil::date(2025, 3, 1),
            ..old.clone()
        };
        assert_eq!(changed(&old, &new), None);
        // Below a cent nothing changes for the reader.
        assert_eq!(changed(&old, &statement(vec![usage("EC2", "2", "1.001")])), None);
    }

    #[test]
    fn what_changed_is_said_in_words() {
        let old =
            statement(vec![usage("EC2", "1200", "1000"), usage("S3", "5", "5"), usage("GPU", "9", "8")]);
        let mut more = usage("EC2", "1200", "1000");
        more.charges = 7;
        let new = Statement {
            notes: vec!["1 charge is held back.".to_owned()],
            fund_orgs: vec!["CHEM-1".to_owned()],
            ..statement(vec![more, usage("S3", "6", "5"), usage("Lambda", "2", "2")])
        };
        assert_snapshot!(said(&old, &new), @"
        amount due: $1,007.00, was $1,013.00
        list price: $1,208.00, was $1,214.00
        fund_org added: CHEM-1
        fund_org gone: PHYS-1
        EC2 of AWS on PHYS-1: 7 charges, was 1
        Lambda of AWS on PHYS-1: added, $2.00
        S3 of AWS on PHYS-1: list price $6.00, was $5.00
        GPU of AWS on PHYS-1: gone, was $8.00
        note added: 1 charge is held back.
        ");
    }

    #[test]
    fn every_part_that_a_reader_sees_counts() {
        let old = statement(vec![usage("EC2", "2", "1")]);
        let check = |edit: &dyn Fn(&mut Statement), expected: &str| {
            let mut new = old.clone();
            edit(&mut new);
            assert_eq!(said(&old, &new), expected);
        };
        let resource = ResourceLine {
            service_name: None,
            resource_id: Some("i-1".to_owned()),
            resource_name: None,
            kind: LineKind::Usage,
            charges: 1,
            quantity: None,
            unit: None,
            list: Minor::ZERO,
            discount: Minor::ZERO,
            due: Minor::ZERO,
        };
        let rest =
            RestLine { resources: 1, charges: 1, list: Minor::ZERO, discount: Minor::ZERO, due: Minor::ZERO };
        check(&|s| s.pi_email = "b@example.edu".to_owned(), "PI: b@example.edu, was a@example.edu");
        check(&|s| s.project_id = "polonium".to_owned(), "project: polonium, was radium");
        check(&|s| s.references = vec!["R-1".to_owned()], "reference added: R-1");
        check(&|s| s.currency.symbol = "US$".to_owned(), "currency: USD (US$), was USD ($)");
        check(&|s| s.resources = vec![resource.clone()], "resources: 1 added");
        check(&|s| s.rest = Some(rest.clone()), "resources that are not listed: changed");
        check(
            &|s| {
                s.lines[0].due = Minor::new(90);
                s.lines[0].subsidy = Minor::new(10);
                s.totals = Totals::of(&s.lines);
            },
            "amount due: $0.90, was $1.00\nsubsidy: $0.10, was $0.00\nEC2 of AWS on PHYS-1: $0.90, was $1.00",
        );
    }
}
