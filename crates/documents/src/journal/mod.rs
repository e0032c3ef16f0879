//! The files that accounting gets: `detail` and `summary` for people, `gl` for machines, and the
//! institution's own [`template`](JournalTemplate).

mod decimal;
mod expression;
mod methods;
mod operators;
mod python;
mod template;

pub use template::{JournalTemplate, TemplateError};

use std::collections::BTreeSet;

use billing::Period;
use billing::journal::{Journal, JournalEntry, Posting, Side};
use billing::statement::PostedLine;
use money::{Currency, Minor};

use crate::table::Table;

/// A row for each line that a document posts, in the order of the statements. For people: safe to open in
/// a spreadsheet.
#[must_use]
pub fn journal_detail(period: Period, postings: &[Posting], currency: &Currency) -> Vec<u8> {
    let mut table = Table::for_people(&[
        "period",
        "statement",
        "version",
        "pi_email",
        "project_id",
        "fund_org",
        "source",
        "service_name",
        "kind",
        "account_code",
        "charges",
        "list_cost",
        "discount",
        "subsidy",
        "amount_due",
    ]);
    let money = |amount: Minor| amount.decimal(currency.code.places());
    for statement in postings {
        for line in &statement.lines {
            let group = &line.group;
            table.row(&[
                &period.to_string(),
                &statement.number.0,
                &statement.version.to_string(),
                &statement.pi_email,
                &statement.project_id,
                group.fund_org.as_deref().unwrap_or_default(),
                &group.source,
                group.service_name.as_deref().unwrap_or_default(),
                crate::table::kind_name(group.kind),
                group.account_code.as_deref().unwrap_or_default(),
                &group.charges.to_string(),
                &money(line.list),
                &money(line.discount),
                &money(line.subsidy),
                &money(line.due),
            ]);
        }
    }
    table.into_bytes()
}

/// A row for each PI and project that a document posts. For people: safe to open in a spreadsheet.
#[must_use]
pub fn journal_summary(period: Period, postings: &[Posting], currency: &Currency) -> Vec<u8> {
    let mut table = Table::for_people(&[
        "period",
        "statement",
        "version",
        "pi_email",
        "project_id",
        "fund_orgs",
        "charges",
        "list_cost",
        "discount",
        "subsidy",
        "amount_due",
    ]);
    let money = |amount: Minor| amount.decimal(currency.code.places());
    for statement in postings {
        let charges: u64 = statement.lines.iter().map(|line| line.group.charges).sum();
        let funds: BTreeSet<&str> =
            statement.lines.iter().filter_map(|line| line.group.fund_org.as_deref()).collect();
        let sum = |of: fn(&PostedLine) -> Minor| money(statement.lines.iter().map(of).sum());
        table.row(&[
            &period.to_string(),
            &statement.number.0,
            &statement.version.to_string(),
            &statement.pi_email,
            &statement.project_id,
            &funds.into_iter().collect::<Vec<_>>().join("; "),
            &charges.to_string(),
            &sum(|line| line.list),
            &sum(|line| line.discount),
            &sum(|line| line.subsidy),
            &sum(|line| line.due),
        ]);
    }
    table.into_bytes()
}

/// A row for each debit and credit, exactly as a machine wants it: no cell is altered.
#[must_use]
pub fn journal_gl(journal: &Journal, currency: &Currency) -> Vec<u8> {
    let mut table = Table::for_machines(&[
        "document",
        "line",
        "period",
        "fund_org",
        "fund",
        "orgn",
        "account",
        "debit",
        "credit",
        "description",
        "reference_id",
    ]);
    let period = journal.period.to_string();
    for (at, line) in journal.entries.iter().flat_map(JournalEntry::lines).enumerate() {
        let amount = line.amount.decimal(currency.code.places());
        let segment = |name: &str| {
            line.segments.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value.as_str())
        };
        let (debit, credit) = match line.side {
            Side::Debit => (amount.as_str(), ""),
            Side::Credit => ("", amount.as_str()),
        };
        table.row(&[
            &journal.document,
            &(at + 1).to_string(),
            &period,
            &line.fund_org,
            segment("fund"),
            segment("orgn"),
            &line.account,
            debit,
            credit,
            &line.description,
            &line.reference_id,
        ]);
    }
    table.into_bytes()
}

#[cfg(test)]
mod tests;
