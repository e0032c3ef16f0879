//! Attribution, rates, subsidies, credits and splits: what people write so that charges find their owners,
//! prices and payers. Each kind has a list, a page of each rule with its history, and a form; a change is shown
//! with what it would do before it is written: see [`proposal`].

mod attribution;
mod credits;
mod import_config;
pub mod kind;
mod known;
pub mod proposal;
mod rates;
pub mod sent;
mod splits;
mod subsidies;
pub mod table;
mod try_rates;
pub mod words;

use std::fmt::Display;

use askama::Template;
use axum::response::Response;
use jiff::civil::Date;
use ledger::{Role, Rule, RuleRow};
use money::Amount;
use serde::Deserialize;
use workflow::Refusal;

use crate::access::{Access, Caller};
use crate::download::{CSV, attachment};
use crate::error::{PageError, PageResult};
use crate::form::Fields;
use crate::frame::{Frame, page};
use crate::routes::Routes;
use kind::{EndOf, Kind, RuleKind};
use table::{Cell, Table};

pub fn routes() -> Routes {
    Routes::default()
        .page("/changes/{id}", Access::Viewer, proposal::show)
        .page("/known", Access::Viewer, known::known)
        .and(attribution::routes())
        .and(rates::routes())
        .and(subsidies::routes())
        .and(credits::routes())
        .and(splits::routes())
        .and(import_config::routes())
}

/// What a list of rules is asked for.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Asked {
    /// `now`, `later`, `ended` or `all`.
    pub show: String,
    pub q: String,
    pub page: Option<usize>,
    /// `csv`: all that were found, as a file.
    #[serde(rename = "as")]
    pub format: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    Now,
    Later,
    Ended,
}

impl When {
    /// Of a rule from and to a day or a period, both included.
    pub fn of<D: Ord>(from: Option<D>, to: Option<D>, today: &D) -> When {
        if to.is_some_and(|to| to < *today) {
            When::Ended
        } else if from.is_some_and(|from| *today < from) {
            When::Later
        } else {
            When::Now
        }
    }

    pub fn cell(self) -> Cell {
        match self {
            When::Now => Cell::pill("good", "in force"),
            When::Later => Cell::pill("info", "to come"),
            When::Ended => Cell::pill("", "ended"),
        }
    }

    fn name(self) -> &'static str {
        match self {
            When::Now => "now",
            When::Later => "later",
            When::Ended => "ended",
        }
    }
}

/// A rule in a list.
pub struct Listed {
    pub when: When,
    pub cells: Vec<Cell>,
}

const ON_A_PAGE: usize = 100;

#[derive(Template)]
#[template(path = "rules/list.html")]
struct ListPage {
    frame: Frame,
    kind: &'static Kind,
    asked: Asked,
    table: Table,
    /// Of how many, and which of them stand on this page.
    total: usize,
    first: usize,
    /// Of all that there are: in force, to come, ended.
    counts: [usize; 3],
}

impl ListPage {
    fn may_change(&self) -> bool {
        self.frame.caller.as_ref().is_some_and(|caller| caller.may(self.kind.needs))
    }

    fn views(&self) -> Vec<(&'static str, &'static str)> {
        let caller = self.frame.caller.as_ref();
        let may = |needs: &Role| caller.is_some_and(|caller| caller.may(*needs));
        self.kind.views.iter().filter(|(.., needs)| may(needs)).map(|(to, name, _)| (*to, *name)).collect()
    }

    fn choices(&self) -> [(&'static str, String); 4] {
        let [now, later, ended] = self.counts;
        [
            ("now", format!("in force today ({now})")),
            ("later", format!("to come ({later})")),
            ("ended", format!("ended ({ended})")),
            ("all", format!("all ({})", now + later + ended)),
        ]
    }

    /// The list as a file; of kinds that can be read in again, such a file.
    fn file(&self) -> String {
        if self.kind.has_file {
            return format!("{}/export", self.kind.path);
        }
        format!(
            "{}?show={}&q={}&as=csv",
            self.kind.path,
            self.asked.show,
            crate::form::encoded(&self.asked.q)
        )
    }

    fn last(&self) -> usize {
        self.first + self.table.rows.len()
    }

    fn at(&self, page: usize) -> String {
        let q = crate::form::encoded(&self.asked.q);
        format!("{}?show={}&q={q}&page={page}", self.kind.path, self.asked.show)
    }

    fn earlier(&self) -> Option<String> {
        let page = self.asked.page.unwrap_or(1);
        (1 < page).then(|| self.at(page - 1))
    }

    fn later(&self) -> Option<String> {
        let page = self.asked.page.unwrap_or(1);
        (self.last() < self.total).then(|| self.at(page + 1))
    }
}

/// The list of a kind: filtered by state and words, a page of it.
pub fn list(frame: Frame, kind: &'static Kind, mut asked: Asked, rules: Vec<Listed>) -> PageResult<Response> {
    let mut counts = [0; 3];
    for rule in &rules {
        counts[rule.when as usize] += 1;
    }
    if !["now", "later", "ended", "all"].contains(&asked.show.as_str()) {
        "now".clone_into(&mut asked.show);
    }
    let words: Vec<String> = asked.q.split_whitespace().map(str::to_lowercase).collect();
    let fits = |rule: &Listed| {
        let is_meant = asked.show == "all" || asked.show == rule.when.name();
        let text = |cell: &Cell| format!("{} {}", cell.text, cell.sub).to_lowercase();
        is_meant && words.iter().all(|word| rule.cells.iter().any(|cell| text(cell).contains(word)))
    };
    let found: Vec<Listed> = rules.into_iter().filter(fits).collect();
    if asked.format == "csv" {
        let names: Vec<&str> = kind.columns.iter().map(|name| name.trim_start_matches('#')).collect();
        let rows = found.into_iter().map(|rule| rule.cells.into_iter().map(|cell| cell.text).collect());
        let name = format!("{}.csv", kind.path.trim_start_matches('/'));
        return Ok(attachment(&name, CSV, documents::table_for_people(&names, rows)));
    }
    let total = found.len();
    let pages = total.div_ceil(ON_A_PAGE).max(1);
    let at = asked.page.unwrap_or(1).clamp(1, pages);
    asked.page = Some(at);
    let first = (at - 1) * ON_A_PAGE;
    let is_any = counts.iter().any(|count| 0 < *count);
    let empty = if is_any { "None of them fits. Choose “all”, or fewer words." } else { kind.empty };
    let mut table = Table::new(kind.title, kind.columns, empty);
    table.rows = found.into_iter().skip(first).take(ON_A_PAGE).map(|rule| rule.cells).collect();
    let frame = frame.titled(kind.title).help(kind.help);
    page(&ListPage { frame, kind, asked, table, total, first, counts })
}

/// One rule.
#[derive(Template)]
#[template(path = "rules/show.html")]
pub struct ShowPage {
    frame: Frame,
    kind: &'static Kind,
    /// Of the rule: `3`.
    id: String,
    title: String,
    when: When,
    facts: Vec<(&'static str, Cell)>,
    history: Vec<Happened>,
    /// What it gave, with a heading and a sentence.
    given: Vec<Given>,
    /// More forms: buttons that lead to them.
    pub more: Vec<(String, String)>,
}

/// Something that a rule did.
pub struct Given {
    pub heading: String,
    pub lead: String,
    /// Whether it is of the period of the page, which may be chosen.
    pub of_period: bool,
    pub figures: Vec<(&'static str, String)>,
    pub table: Table,
}

/// An act in a rule's life.
pub struct Happened {
    pub at: jiff::Timestamp,
    pub what: String,
    pub by: String,
    pub note: String,
}

impl ShowPage {
    pub fn new<R: RuleKind>(frame: Frame, row: &RuleRow<R>, id: impl Display, today: Date) -> ShowPage {
        let (kind, words) = (R::OF, row.rule.words());
        let frame = frame.titled(words.title.clone()).help(kind.help);
        let mut history = vec![Happened {
            at: row.written.at,
            what: format!("written (act {})", row.number),
            by: row.written.by.clone(),
            note: words.note.unwrap_or_default().to_owned(),
        }];
        if let (Some(end), Some(last)) = (&row.ended, words.last) {
            history.push(Happened {
                at: end.stamp.at,
                what: format!("ended with {last} (act {})", end.number),
                by: end.stamp.by.clone(),
                note: end.note.clone().unwrap_or_default(),
            });
        }
        ShowPage {
            frame,
            kind,
            id: id.to_string(),
            title: words.title,
            when: row.rule.when(today),
            facts: Vec::new(),
            history,
            given: Vec::new(),
            more: Vec::new(),
        }
    }

    pub fn fact(&mut self, name: &'static str, value: impl Into<Cell>) {
        let cell = value.into();
        if !cell.text.is_empty() {
            self.facts.push((name, cell));
        }
    }

    pub fn given(&mut self, given: Given) {
        self.given.push(given);
    }

    pub fn happened(&mut self, happened: Happened) {
        self.history.push(happened);
        self.history.sort_by_key(|happened| happened.at);
    }

    fn may_end(&self) -> bool {
        self.when != When::Ended && self.may_change()
    }

    pub fn may_change(&self) -> bool {
        self.frame.caller.as_ref().is_some_and(|caller| caller.may(self.kind.needs))
    }

    fn address(&self) -> String {
        format!("{}/{}", self.kind.path, self.id)
    }

    fn is_by_day(&self) -> bool {
        self.kind.ends_by == EndOf::Day
    }
}

/// What a rule says of itself.
pub struct Words<'a> {
    pub title: String,
    pub note: Option<&'a str>,
    /// Its last day or period.
    pub last: Option<String>,
}

/// One rule of a kind by its number.
pub fn find<T: Rule>(rows: Vec<RuleRow<T>>, kind: &Kind, id: i64) -> PageResult<RuleRow<T>> {
    let at = usize::try_from(id - 1).ok();
    let found = at.and_then(|at| rows.into_iter().nth(at));
    found.ok_or_else(|| PageError::not_found(format!("there is no {} {id}", kind.noun)))
}

/// What was sent, for the rule that the address names.
pub fn of_rule(mut sent: sent::Sent, id: i64) -> sent::Sent {
    sent.pairs.retain(|(name, _)| name != "rule");
    sent.pairs.push(("rule".to_owned(), id.to_string()));
    sent
}

pub fn today(caller: &Caller) -> Date {
    caller.actor().day()
}

/// What was given again and again, without what is blank.
pub fn said(list: &[String]) -> Vec<String> {
    list.iter().map(|text| text.trim().to_owned()).filter(|text| !text.is_empty()).collect()
}

/// The same with blank places for more.
pub fn with_blanks(list: &[String]) -> Vec<String> {
    let mut list = said(list);
    let places = (list.len() + 1).max(2);
    list.resize(places, String::new());
    list
}

/// Two lists of a form side by side, numbered from 1, with at least so many places.
pub fn pairs(first: &[String], second: &[String], least: usize) -> Vec<(usize, String, String)> {
    let text = |list: &[String], at: usize| list.get(at).cloned().unwrap_or_default();
    (0..second.len().max(first.len()).max(least))
        .map(|at| (at + 1, text(first, at), text(second, at)))
        .collect()
}

/// An amount that may be left out.
pub fn amount(fields: &mut Fields, name: &str, text: &str) -> Option<Amount> {
    let text = text.trim();
    if text.is_empty() {
        return None;
    }
    let amount = Amount::parse_total(text);
    if amount.is_none() {
        fields.problem(format!("{name}: `{text}` is not a number; write 1234.50"));
    }
    amount
}

pub fn needed_amount(fields: &mut Fields, name: &str, text: &str) -> Option<Amount> {
    if text.trim().is_empty() {
        fields.problem(format!("{name} is missing"));
    }
    amount(fields, name, text)
}

pub const A_DAY: &str = "a day such as 2025-01-31";
pub const A_PERIOD: &str = "a billing period such as 2025-01";

/// All that is wrong with a form, for when it cannot be read.
pub fn unread(fields: Fields, what: &str) -> PageError {
    match fields.finish(what) {
        Err(refusal) => refusal.into(),
        Ok(()) => Refusal::new(what.to_owned()).into(),
    }
}

/// Sums of a period that rules are asked about.
pub fn reached(frame: &Frame, rows: &[workflow::given::Reached], verb: &str) -> Given {
    let period = frame.period.map_or_else(String::new, |period| period.to_string());
    let mut table = Table::new(
        "Charges by PI and project",
        &["PI", "Project", "Source", "#Charges", "#Cost"],
        "No charge of this period.",
    );
    let charges: u64 = rows.iter().map(|row| row.charges).sum();
    let cost: Amount = rows.iter().map(|row| row.cost).sum();
    table.rows = rows
        .iter()
        .take(ON_A_PAGE)
        .map(|row| {
            let pi = row.pi_email.as_deref().unwrap_or("no PI");
            vec![
                pi.into(),
                words::or_dash(row.project_id.as_deref()).into(),
                row.source.to_string().into(),
                frame.count(&row.charges).into(),
                frame.cost(&row.cost).into(),
            ]
        })
        .collect();
    Given {
        heading: format!("What it {verb} in {period}"),
        lead: String::new(),
        of_period: true,
        figures: vec![("Charges", frame.count(&charges)), ("Cost", frame.cost(&cost))],
        table,
    }
}

/// What a subsidy or a credit paid by issued statements.
pub fn paid(frame: &Frame, rows: &[workflow::given::Paid]) -> Given {
    let mut table = Table::new(
        "Paid by period, PI and project",
        &["Period", "PI", "Project", "#Cost it looked at", "#Paid"],
        "No statement has it yet.",
    );
    let total: Amount = rows.iter().map(|row| row.paid).sum();
    table.rows = rows
        .iter()
        .take(ON_A_PAGE * 2)
        .map(|row| {
            vec![
                Cell::link(row.period.to_string(), format!("/statements?period={}", row.period)),
                row.pi_email.clone().into(),
                row.project_id.clone().into(),
                frame.cost(&row.seen).into(),
                frame.cost(&row.paid).into(),
            ]
        })
        .collect();
    let lead = match rows.len().saturating_sub(ON_A_PAGE * 2) {
        0 => String::new(),
        more => format!("The latest; {more} more are in the statements of earlier periods."),
    };
    Given {
        heading: "What it paid, by issued statements".to_owned(),
        lead,
        of_period: false,
        figures: vec![("Paid", frame.cost(&total)), ("Statements’ projects", rows.len().to_string())],
        table,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_is_in_force_to_come_or_ended() {
        for (from, to, expected) in [
            (None, None, When::Now),
            (Some(5), None, When::Now),
            (Some(6), None, When::Later),
            (None, Some(5), When::Now),
            (None, Some(4), When::Ended),
            (Some(7), Some(9), When::Later),
        ] {
            assert_eq!(When::of(from, to, &5), expected, "{from:?} {to:?}");
        }
    }

    #[test]
    fn forms_have_blank_places_for_more() {
        let list = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<String>>();
        assert_eq!(with_blanks(&list(&[])), list(&["", ""]));
        assert_eq!(with_blanks(&list(&[" a ", "", "b"])), list(&["a", "b", ""]));
    }
}
