//! PIs and their projects: what each used over a month or a fiscal year, and one of them in full: over time,
//! statements, funds, splits, and what is left of subsidies and credits.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use billing::Period;
use billing::credit::Standing;
use billing::people::People;
use billing::split::SplitRule;
use ledger::Reader;
use money::Amount;
use serde::Serialize;

use crate::kept::{self, ProjectSums, Spent};
use crate::overview::MonthOf;
use crate::rules::rules;
use crate::statements::StatementStanding;
use crate::subsidies::Balance;
use crate::{Installation, Refusal, WorkflowError, credits, people, statements, subsidies};

/// Which months are summed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Span {
    Period(Period),
    FiscalYear(i16),
}

/// A project of a PI, over a span.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ProjectUse {
    /// The current address of the PI; `None`: charges that name none.
    pub pi_email: Option<String>,
    pub project_id: Option<String>,
    /// Of what was billed.
    pub fund_orgs: Vec<String>,
    /// The latest that the tags name.
    pub end_date: Option<String>,
    /// Before subsidies.
    #[serde(flatten)]
    pub spent: Spent,
    /// Amounts due of the issued statements of closed months.
    pub due: Amount,
}

/// A PI, over a span.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PiUse {
    pub pi_email: Option<String>,
    pub projects: u64,
    #[serde(flatten)]
    pub spent: Spent,
    pub due: Amount,
}

/// A project or a PI in full.
#[derive(Clone, Debug, Serialize)]
pub struct Detail {
    /// Every address of each PI, the current one first.
    pub pis: Vec<PiAddresses>,
    pub projects: Vec<ProjectUse>,
    pub months: Vec<MonthUse>,
    /// The months together.
    pub fund_orgs: Vec<String>,
    pub end_date: Option<String>,
    pub statements: Vec<StatementStanding>,
    pub splits: Vec<SplitRule>,
    /// As the last month leaves them.
    pub subsidies: Vec<Balance>,
    pub credits: Vec<Standing>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PiAddresses {
    pub name: Option<String>,
    pub addresses: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct MonthUse {
    pub period: Period,
    /// `statements` when something of it was issued, `charges` when not, `nothing` when it was never opened.
    pub of: MonthOf,
    #[serde(flatten)]
    pub spent: Spent,
    pub due: Amount,
}

/// Projects with something billed or held, the most expensive first.
///
/// # Errors
/// A period that was never opened; a fiscal year without one; what could not be read.
pub async fn list(installation: &Installation, span: Span) -> Result<Vec<ProjectUse>, WorkflowError> {
    let mut reader = installation.ledger.read().await?;
    let people = people::people(&mut reader, None).await?;
    let periods = periods_of(installation, &mut reader, span).await?;
    used(installation, &mut reader, &periods, &people).await
}

/// PIs with something billed or held, the most expensive first.
///
/// # Errors
/// As [`list`].
pub async fn list_pis(installation: &Installation, span: Span) -> Result<Vec<PiUse>, WorkflowError> {
    let mut pis: BTreeMap<Option<String>, PiUse> = BTreeMap::new();
    for project in list(installation, span).await? {
        let pi = pis.entry(project.pi_email.clone()).or_insert_with(|| PiUse {
            pi_email: project.pi_email,
            projects: 0,
            spent: Spent::default(),
            due: Amount::ZERO,
        });
        pi.projects += u64::from(project.project_id.is_some());
        pi.spent.plus(&project.spent);
        pi.due += project.due;
    }
    let mut pis: Vec<PiUse> = pis.into_values().collect();
    pis.sort_by_key(|pi| std::cmp::Reverse(pi.spent.billed.cost));
    Ok(pis)
}

async fn periods_of(
    installation: &Installation,
    reader: &mut Reader,
    span: Span,
) -> Result<Vec<Period>, WorkflowError> {
    let year = match span {
        Span::Period(period) => return Ok(vec![crate::periods::load(reader, period).await?.period]),
        Span::FiscalYear(year) => year,
    };
    let start = installation.settings.subsidies.fiscal_year_start;
    let known = reader.list_periods(None).await?;
    let mut of_year: Vec<Period> = known.iter().map(|record| record.period).collect();
    of_year.retain(|period| period.fiscal_year(start) == year);
    if of_year.is_empty() {
        let years: BTreeSet<i16> = known.iter().map(|record| record.period.fiscal_year(start)).collect();
        let years: Vec<String> = years.iter().map(i16::to_string).collect();
        let refusal = Refusal::new(format!("no period of fiscal year {year} was ever opened"));
        return Err(refusal.hint(format!("known fiscal years: {}", years.join(", "))).into());
    }
    Ok(of_year)
}

type Key = (Option<String>, Option<String>);

async fn used(
    installation: &Installation,
    reader: &mut Reader,
    periods: &[Period],
    people: &People,
) -> Result<Vec<ProjectUse>, WorkflowError> {
    let mut projects: BTreeMap<Key, ProjectUse> = BTreeMap::new();
    for &period in periods {
        let sums = kept::sums_of(installation, reader, period).await?;
        for sums in &sums.by_project {
            if sums.spent != Spent::default() {
                entry(&mut projects, people, sums.pi_email.as_ref(), sums.project_id.as_ref()).add(sums);
            }
        }
        for (pi_email, project_id, due) in issued(reader, period).await? {
            entry(&mut projects, people, Some(&pi_email), Some(&project_id)).due += due;
        }
    }
    let mut projects: Vec<ProjectUse> = projects.into_values().collect();
    projects.sort_by_key(|project| std::cmp::Reverse(project.spent.billed.cost));
    Ok(projects)
}

fn entry<'a>(
    projects: &'a mut BTreeMap<Key, ProjectUse>,
    people: &People,
    pi_email: Option<&String>,
    project_id: Option<&String>,
) -> &'a mut ProjectUse {
    let pi_email = pi_email.map(|pi| people.current(pi));
    projects.entry((pi_email.clone(), project_id.cloned())).or_insert_with(|| ProjectUse {
        pi_email,
        project_id: project_id.cloned(),
        fund_orgs: Vec::new(),
        end_date: None,
        spent: Spent::default(),
        due: Amount::ZERO,
    })
}

impl ProjectUse {
    fn add(&mut self, sums: &ProjectSums) {
        self.spent.plus(&sums.spent);
        let funds: BTreeSet<String> =
            self.fund_orgs.drain(..).chain(sums.fund_orgs.iter().cloned()).collect();
        self.fund_orgs = funds.into_iter().collect();
        // ISO dates: the latest is the largest.
        self.end_date = self.end_date.take().max(sums.end_date.clone());
    }
}

/// PI, project and amount due of the current statements of a closed period.
async fn issued(reader: &mut Reader, period: Period) -> Result<Vec<(String, String, Amount)>, WorkflowError> {
    let record = reader.find_period(period, None).await?;
    if record.is_none_or(|record| record.state.is_open()) {
        return Ok(Vec::new());
    }
    let rows = reader.current_statements(period, None).await?;
    Ok(rows
        .into_iter()
        .map(|row| {
            let due = Amount::from_minor(row.totals.due, row.currency.places());
            (row.pi_email, row.project_id, due)
        })
        .collect())
}

/// Whose use is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Who {
    /// By any address, or the person's number.
    Pi(String),
    /// Of whichever PIs it has.
    Project(String),
}

/// So many months are told.
const MONTHS: usize = 12;

/// One PI or project, over the twelve months that end with `last` (else with the latest known).
///
/// # Errors
/// One that has nothing in these months and no statement; what could not be read.
pub async fn show(
    installation: &Installation,
    who: &Who,
    last: Option<Period>,
) -> Result<Detail, WorkflowError> {
    let mut reader = installation.ledger.read().await?;
    let people = people::people(&mut reader, None).await?;
    let known: Vec<Period> =
        reader.list_periods(None).await?.into_iter().map(|record| record.period).collect();
    let last = match last {
        Some(last) => crate::periods::load(&mut reader, last).await?.period,
        None => known.iter().copied().max().ok_or_else(|| unknown(who))?,
    };
    let is_own = |pi: Option<&String>, project: Option<&String>| match who {
        Who::Pi(who) => pi.is_some_and(|pi| people.key(pi) == people.key(who)),
        Who::Project(name) => project == Some(name),
    };
    let months = std::iter::successors(Some(last), |month| Some(month.previous()));
    let mut periods: Vec<Period> = months.take(MONTHS).collect();
    periods.reverse();
    let (mut months, mut projects) = (Vec::new(), BTreeMap::new());
    for period in periods {
        let mut month = MonthUse { period, of: MonthOf::Nothing, spent: Spent::default(), due: Amount::ZERO };
        if known.contains(&period) {
            month.of = MonthOf::Charges;
            let sums = kept::sums_of(installation, &mut reader, period).await?;
            for sums in &sums.by_project {
                if is_own(sums.pi_email.as_ref(), sums.project_id.as_ref()) {
                    month.spent.plus(&sums.spent);
                    entry(&mut projects, &people, sums.pi_email.as_ref(), sums.project_id.as_ref()).add(sums);
                }
            }
            for (pi_email, project_id, due) in issued(&mut reader, period).await? {
                if is_own(Some(&pi_email), Some(&project_id)) {
                    month.of = MonthOf::Statements;
                    month.due += due;
                    entry(&mut projects, &people, Some(&pi_email), Some(&project_id)).due += due;
                }
            }
        }
        months.push(month);
    }
    let projects: Vec<ProjectUse> = projects.into_values().collect();
    let own_statements = statements::list(installation, None, pi_of(who), false).await?;
    let mut own_statements: Vec<StatementStanding> = own_statements
        .into_iter()
        .filter(|one| is_own(Some(&one.row.pi_email), Some(&one.row.project_id)))
        .collect();
    own_statements.reverse();
    if projects.is_empty() && own_statements.is_empty() {
        return Err(unknown(who).into());
    }
    let pis: BTreeSet<&String> = projects.iter().filter_map(|project| project.pi_email.as_ref()).collect();
    let keys: BTreeSet<String> = pis.iter().map(|pi| people.key(pi)).collect();
    let names: BTreeSet<&String> =
        projects.iter().filter_map(|project| project.project_id.as_ref()).collect();
    // A rule concerns them when all that it names is theirs.
    let concerns = |pi: Option<&String>, project: Option<&String>| {
        pi.is_none_or(|pi| keys.contains(&people.key(pi))) && project.is_none_or(|name| names.contains(name))
    };
    let splits: Vec<SplitRule> = rules(&mut reader, None).await?;
    let splits = splits.into_iter().filter(|rule| {
        (rule.pi_email.is_some() || rule.project_id.is_some())
            && concerns(rule.pi_email.as_ref(), rule.project_id.as_ref())
    });
    let pools = pools(installation, &mut reader, last).await?;
    let subsidies = pools.subsidies.iter().filter(|pool| {
        (pool.pi_email.is_some() || pool.project_id.is_some())
            && concerns(pool.pi_email.as_ref(), pool.project_id.as_ref())
    });
    let credits = pools.credits.iter().filter(|standing| {
        let credit = &standing.credit;
        let of_pi = credit.pis.is_empty() || credit.pis.iter().any(|pi| keys.contains(&people.key(pi)));
        let of_project =
            credit.projects.is_empty() || credit.projects.iter().any(|name| names.contains(name));
        of_pi && of_project && !credit.is_kept_back()
    });
    let fund_orgs: BTreeSet<String> =
        projects.iter().flat_map(|project| project.fund_orgs.iter().cloned()).collect();
    Ok(Detail {
        pis: pis.iter().map(|pi| addresses(&people, pi)).collect(),
        fund_orgs: fund_orgs.into_iter().collect(),
        end_date: projects.iter().filter_map(|project| project.end_date.clone()).max(),
        splits: splits.collect(),
        subsidies: subsidies.cloned().collect(),
        credits: credits.cloned().collect(),
        statements: own_statements,
        projects,
        months,
    })
}

fn pi_of(who: &Who) -> Option<&str> {
    match who {
        Who::Pi(who) => Some(who),
        Who::Project(_) => None,
    }
}

fn addresses(people: &People, pi: &str) -> PiAddresses {
    let mut addresses = people.addresses(pi);
    addresses.sort_by_key(|address| address != pi);
    PiAddresses { name: people.find(pi).map(|person| person.name.clone()), addresses }
}

fn unknown(who: &Who) -> Refusal {
    let (what, list) = match who {
        Who::Pi(who) => (format!("`{who}`"), "pis"),
        Who::Project(name) => (format!("the project `{name}`"), "projects"),
    };
    Refusal::new(format!("{what} has no charges in the last twelve months, and no statement"))
        .hint(format!("`{list} list --period YYYY-MM` shows those of a month"))
}

/// What is left of subsidies and credits when a period is billed as it is.
#[derive(Clone, Debug, Default)]
pub struct Pools {
    pub subsidies: Vec<Balance>,
    pub credits: Vec<Standing>,
}

async fn pools(
    installation: &Installation,
    reader: &mut Reader,
    period: Period,
) -> Result<Arc<Pools>, WorkflowError> {
    let cell = installation.kept.pools(period, &kept::books(installation, reader).await?);
    let made = cell
        .get_or_try_init(|| async {
            let subsidies = subsidies::balances(installation, period).await?;
            let credits = credits::balances(installation, Some(period)).await?.credits;
            Ok::<_, WorkflowError>(Arc::new(Pools { subsidies, credits }))
        })
        .await?;
    Ok(Arc::clone(made))
}
