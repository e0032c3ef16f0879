//! Which charges a page is about, as its address says it: shared by the queue and the list.

use billing::decision::ChargeState;
use billing::{Flag, ImportId, Period};
use lake::{Filter, Sort};
use serde::{Deserialize, Serialize};
use workflow::Refusal;
use workflow::kept::PeriodSums;

use crate::form::{Fields, some};

/// As it was typed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default)]
pub struct Which {
    pub period: String,
    pub text: String,
    pub state: String,
    pub flag: String,
    pub source: String,
    pub pi: String,
    pub project: String,
    pub fund_org: String,
    pub service: String,
    pub min: String,
    pub max: String,
    pub import: String,
    pub sort: String,
    #[serde(skip_serializing)]
    pub page: String,
}

/// Rows of a page.
pub const ROWS: usize = 50;

/// Columns that a list is sorted by, and whether the largest come first.
const SORTED: [(&str, bool); 8] = [
    ("cost", true),
    ("list_cost", true),
    ("billed_cost", true),
    ("pi_email", false),
    ("project_id", false),
    ("source", false),
    ("service_name", false),
    ("state", false),
];

impl Which {
    /// In the lake's words: of the period that bills a charge (the queue), or of its own (the list).
    ///
    /// # Errors
    /// All fields that make no sense.
    pub fn filter(&self, period: Option<Period>, by_billing: bool) -> Result<Filter, Refusal> {
        let mut fields = Fields::default();
        let states = fields.optional_of("state", &self.state, |text| {
            ChargeState::ALL.into_iter().find(|state| state.name() == text)
        });
        let flags = fields.optional_of("flag", &self.flag, Flag::from_name);
        let filter = Filter {
            text: some(&self.text),
            states: states.into_iter().collect(),
            flags: flags.into_iter().collect(),
            source: some(&self.source),
            pi_email: some(&self.pi).map(|pi| pi.to_lowercase()),
            project_id: some(&self.project),
            fund_org: some(&self.fund_org),
            service_name: some(&self.service),
            amount_min: fields.optional("at least", &self.min, "an amount such as 12.50"),
            amount_max: fields.optional("at most", &self.max, "an amount such as 12.50"),
            import: fields.optional("import", &self.import, "the number of an import").map(ImportId),
            period: period.filter(|_| !by_billing),
            billed_in: period.filter(|_| by_billing),
            ..Filter::default()
        };
        fields.finish("these charges cannot be looked up")?;
        Ok(filter)
    }

    /// # Errors
    /// A column that charges are not sorted by.
    pub fn sort(&self) -> Result<Vec<Sort>, Refusal> {
        let (name, reverse) = match self.sort.strip_prefix('-') {
            Some(name) => (name, true),
            None => (self.sort.as_str(), false),
        };
        if name.is_empty() {
            return Ok(Vec::new());
        }
        let Some((column, largest_first)) = SORTED.into_iter().find(|(column, _)| *column == name) else {
            let known: Vec<&str> = SORTED.iter().map(|(column, _)| *column).collect();
            return Err(Refusal::new(format!("charges are not sorted by `{name}`"))
                .hint(format!("they are by {}", known.join(", "))));
        };
        Ok(vec![Sort { column: column.to_owned(), descending: largest_first != reverse }])
    }

    /// From 1.
    #[must_use]
    pub fn page(&self) -> usize {
        self.page.trim().parse().unwrap_or(1).clamp(1, 1_000_000)
    }

    #[must_use]
    pub fn offset(&self) -> usize {
        (self.page() - 1) * ROWS
    }

    /// What stands behind `?`, without the page; fields that say nothing are left out.
    #[must_use]
    pub fn query(&self) -> String {
        let all = serde_html_form::to_string(self).unwrap_or_default();
        let said: Vec<&str> = all.split('&').filter(|pair| !pair.ends_with('=')).collect();
        said.join("&")
    }

    #[must_use]
    pub fn page_query(&self, page: &usize) -> String {
        let query = self.query();
        let joint = if query.is_empty() { "" } else { "&" };
        format!("?{query}{joint}page={page}")
    }

    /// By this column, or the other way round when it is so already.
    #[must_use]
    pub fn sort_query(&self, column: &str) -> String {
        let sort = if self.sort == column { format!("-{column}") } else { column.to_owned() };
        format!("?{}", Which { sort, ..self.clone() }.query())
    }

    #[must_use]
    pub fn flag_query(&self, flag: &str) -> String {
        format!("?{}", Which { flag: flag.to_owned(), ..self.clone() }.query())
    }

    /// For `aria-sort`; empty when the list is not by this column.
    #[must_use]
    pub fn sorted(&self, column: &str) -> &'static str {
        let (name, reverse) = match self.sort.strip_prefix('-') {
            Some(name) => (name, true),
            None => (self.sort.as_str(), false),
        };
        let largest_first = SORTED.iter().any(|(known, largest)| *known == column && *largest);
        match name == column {
            false => "",
            true if largest_first != reverse => "descending",
            true => "ascending",
        }
    }

    /// More than the period and the order is said.
    #[must_use]
    pub fn is_narrow(&self) -> bool {
        let plain = Which {
            period: self.period.clone(),
            sort: self.sort.clone(),
            page: self.page.clone(),
            ..Which::default()
        };
        *self != plain
    }
}

/// Names to choose from, those of the month.
#[derive(Clone, Debug, Default)]
pub struct Known {
    pub sources: Vec<String>,
    pub services: Vec<String>,
    pub pis: Vec<String>,
    pub projects: Vec<String>,
    /// Flags that hold charges back: name, reason, how many, and whether approval clears them.
    pub flags: Vec<KnownFlag>,
}

#[derive(Clone, Debug)]
pub struct KnownFlag {
    pub name: &'static str,
    pub reason: &'static str,
    pub held: u64,
    pub blocks: bool,
}

/// A list to choose from that holds thousands helps nobody.
const CHOICES: usize = 300;

impl Known {
    #[must_use]
    pub fn of(sums: &PeriodSums) -> Known {
        let names = |sums: &[workflow::kept::Sums]| {
            let mut names: Vec<String> = sums.iter().filter_map(|sum| sum.name.clone()).collect();
            names.sort_unstable();
            names.truncate(CHOICES);
            names
        };
        let distinct = |names: Vec<&String>| {
            let mut names: Vec<String> = names.into_iter().cloned().collect();
            names.sort_unstable();
            names.dedup();
            names.truncate(CHOICES);
            names
        };
        let flags = sums.by_flag.iter().filter(|sum| 0 < sum.spent.held.charges);
        Known {
            sources: names(&sums.by_source),
            services: names(&sums.by_service),
            pis: distinct(sums.by_project.iter().filter_map(|sum| sum.pi_email.as_ref()).collect()),
            projects: distinct(sums.by_project.iter().filter_map(|sum| sum.project_id.as_ref()).collect()),
            flags: flags
                .map(|sum| KnownFlag {
                    name: sum.flag.name(),
                    reason: sum.flag.reason(),
                    held: sum.spent.held.charges,
                    blocks: sum.flag.is_blocking(),
                })
                .collect(),
        }
    }
}

/// Where one is in a list of pages.
#[derive(Clone, Debug)]
pub struct Pager {
    pub first: u64,
    pub last: u64,
    pub total: u64,
    pub before: Option<usize>,
    pub after: Option<usize>,
}

impl Pager {
    #[must_use]
    pub fn new(page: usize, shown: usize, total: u64) -> Pager {
        let offset = (page - 1) as u64 * ROWS as u64;
        let last = offset + shown as u64;
        Pager {
            first: if shown == 0 { 0 } else { offset + 1 },
            last,
            total,
            before: (1 < page).then(|| page - 1),
            after: (last < total).then_some(page + 1),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_says_only_what_was_asked() {
        let which = Which {
            period: "2025-01".to_owned(),
            text: "a&b c".to_owned(),
            page: "3".to_owned(),
            ..Which::default()
        };
        assert_eq!(which.query(), "period=2025-01&text=a%26b+c");
        assert_eq!(which.page_query(&4), "?period=2025-01&text=a%26b+c&page=4");
        assert_eq!(which.sort_query("cost"), "?period=2025-01&text=a%26b+c&sort=cost");
        let sorted = Which { sort: "cost".to_owned(), ..which };
        assert_eq!((sorted.sorted("cost"), sorted.sorted("state")), ("descending", ""));
        assert_eq!(sorted.sort_query("cost"), "?period=2025-01&text=a%26b+c&sort=-cost");
    }

    #[test]
    fn all_that_makes_no_sense_is_told_at_once() {
        let which = Which {
            min: "much".to_owned(),
            flag: "pretty".to_owned(),
            state: "lost".to_owned(),
            ..Which::default()
        };
        assert_eq!(which.filter(None, true).unwrap_err().details.len(), 3);
        assert!(Which { sort: "colour".to_owned(), ..Which::default() }.sort().is_err());
    }
}
