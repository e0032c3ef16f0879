//! Everything that a period's first page shows, as one value of the books as they are: what is done and what
//! comes next, the money, who has not delivered, what changed against the month before, and the trend.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use billing::payers::{Billed, PayerKey, Shares};
use billing::people::People;
use billing::period::{NextAct, PeriodState, StepStanding, Work, checklist, next_act};
use billing::settings::Settings;
use billing::statement::{PostedLine, Totals};
use billing::subsidy::PaidBy;
use billing::{LedgerNumber, Period};
use ledger::{EmailFilter, EmailRecord, MessageState, PartFilter, PeriodRecord, Reader};
use money::{Amount, CurrencyCode, Minor};
use serde::Serialize;

use crate::charges::{Scope, charges};
use crate::generate::{Owner, post};
use crate::kept::{self, PeriodSums, Spend, Sums};
use crate::{Installation, WorkflowError, funding, journal, people, periods};

/// The shape of `overview --json`.
#[derive(Clone, Debug, Serialize)]
pub struct Overview {
    pub period: Period,
    #[serde(flatten)]
    pub state: PeriodState,
    pub currency: CurrencyCode,
    /// The books that it is of.
    pub number: LedgerNumber,
    pub checklist: Vec<StepStanding>,
    pub next: Option<NextAct>,
    pub work: WorkCounts,
    /// Whether the money is what statements say; else it is what they would say today.
    pub issued: bool,
    pub money: Money,
    pub missing_sources: Vec<MissingSource>,
    pub changes: Changes,
    pub value: Value,
    pub by_service: Slices,
    pub by_source: Slices,
    /// Twelve months, this one the last.
    pub trend: Vec<Month>,
}

/// [`Work`], for people.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct WorkCounts {
    pub charges: u64,
    pub held: u64,
    pub billable: u64,
    pub resources: u64,
    pub projects: u64,
    pub statements: u64,
    pub outdated: u64,
    pub unsent: u64,
    pub uncertain: u64,
    pub unposted: u64,
    pub journals: u64,
    pub unanswered: u64,
}

#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Money {
    pub list: Amount,
    pub discount: Amount,
    pub subsidy: Amount,
    pub credits: Amount,
    /// Amounts due.
    pub billed: Amount,
    /// The cost of charges that nobody has decided; on no statement.
    pub held: Amount,
}

/// A source that is expected to deliver and has not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct MissingSource {
    pub source: String,
    /// The configuration has it.
    pub configured: bool,
    /// The latest of the three months before that it delivered for.
    pub last: Option<Period>,
}

/// What differs most from the month before, in cost before subsidies.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Changes {
    pub against: Option<Period>,
    pub by_pi: Vec<Change>,
    pub by_service: Vec<Change>,
    pub by_source: Vec<Change>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Change {
    /// `None`: charges without one.
    pub name: Option<String>,
    pub before: Amount,
    pub now: Amount,
    pub difference: Amount,
}

/// What PIs got beyond what they pay.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Value {
    pub list: Amount,
    pub billed: Amount,
    /// List minus billed.
    pub delivered: Amount,
    /// Who pays subsidies and credits, the largest first.
    pub payers: Vec<Payer>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Payer {
    pub payer: String,
    /// Of the subsidy or the credit.
    pub name: String,
    pub paid: Amount,
}

/// The largest, and the others together.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Slices {
    pub largest: Vec<Slice>,
    pub others: Option<Slice>,
}

/// What is billed, before subsidies.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Slice {
    pub name: Option<String>,
    /// How many are in it: 1, but for the others.
    pub count: u64,
    #[serde(flatten)]
    pub spend: Spend,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Month {
    pub period: Period,
    pub of: MonthOf,
    pub list: Amount,
    pub billed: Amount,
}

/// What a month's figures are of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum MonthOf {
    Statements,
    /// Charges, before subsidies and rounding.
    Charges,
    /// What statements would say today.
    Drafts,
    /// It was never opened.
    Nothing,
}

/// The books as they are. Computed once for each state of the books, whoever asks.
///
/// # Errors
/// A period that was never opened; what could not be read.
pub async fn overview(installation: &Installation, period: Period) -> Result<Arc<Overview>, WorkflowError> {
    let mut reader = installation.ledger.read().await?;
    let state = kept::books(installation, &mut reader).await?;
    let cell = installation.kept.overview(period, &state);
    let made = cell
        .get_or_try_init(|| async {
            Ok::<_, WorkflowError>(Arc::new(computed(installation, &mut reader, period).await?))
        })
        .await?;
    Ok(Arc::clone(made))
}

/// The period that an overview is of when none is named: the latest that is open, else the latest.
///
/// # Errors
/// What the ledger could not read.
pub async fn current_period(installation: &Installation) -> Result<Option<Period>, WorkflowError> {
    let known = installation.ledger.read().await?.list_periods(None).await?;
    let open = known.iter().filter(|record| record.state.is_open()).map(|record| record.period);
    // A month that is open ahead of its time and empty is none to look at first; the oldest open is due.
    Ok(open.min().or_else(|| known.iter().map(|record| record.period).max()))
}

async fn computed(
    installation: &Installation,
    reader: &mut Reader,
    period: Period,
) -> Result<Overview, WorkflowError> {
    let record = periods::load(reader, period).await?;
    let settings = installation.settings_of(reader, period).await?;
    let sums = kept::sums_of(installation, reader, period).await?;
    let known = reader.list_periods(None).await?;
    let missing_sources = missing_sources(installation, reader, period).await?;
    let lines = Lines::of(installation, reader, &record, &settings).await?;
    let people = people::people(reader, None).await?;
    let posts = settings.require_fund_org;
    let work = work(reader, &record, &sums, &lines, posts, missing_sources.len() as u64).await?;
    let places = settings.currency.code.places();
    let before = known.iter().any(|known| known.period == period.previous()).then(|| period.previous());
    let changes = match before {
        Some(before) => {
            let earlier = kept::sums_of(installation, reader, before).await?;
            changes(before, &earlier, &sums, &people)
        }
        None => Changes::default(),
    };
    let money = lines.money(&sums, places);
    Ok(Overview {
        period,
        currency: settings.currency.code,
        number: reader.head(),
        checklist: checklist(&record.state, &work),
        next: next_act(&record.state, &work),
        work: WorkCounts {
            charges: work.charges,
            held: work.held,
            billable: work.billable,
            resources: sums.resources,
            projects: sums.by_project.iter().filter(|project| 0 < project.spent.billed.charges).count()
                as u64,
            statements: work.statements,
            outdated: work.outdated,
            unsent: work.unsent,
            uncertain: work.uncertain,
            unposted: work.unposted,
            journals: work.journals,
            unanswered: work.unanswered,
        },
        issued: lines.issued,
        money,
        missing_sources,
        changes,
        value: lines.value(&money, period, &settings, places),
        by_service: slices(&sums.by_service),
        by_source: slices(&sums.by_source),
        trend: trend(installation, reader, period, &known, (&lines, money)).await?,
        state: record.state,
    })
}

/// What a period posts: by its statements, or as it would be billed today.
struct Lines {
    issued: bool,
    of: Vec<(Owner, Vec<PostedLine>, Totals)>,
    /// Projects whose statement is not what would be issued now.
    outdated: u64,
    statements: u64,
}

impl Lines {
    async fn of(
        installation: &Installation,
        reader: &mut Reader,
        record: &PeriodRecord,
        settings: &Settings,
    ) -> Result<Lines, WorkflowError> {
        let period = record.period;
        let issued: Vec<(Owner, Vec<PostedLine>, Totals)> = reader
            .current_statement_lines(period, None)
            .await?
            .into_iter()
            .map(|(row, lines)| {
                let lines = lines.into_iter().map(|line| line.posted).collect();
                ((row.pi_email, row.project_id), lines, row.totals)
            })
            .collect();
        let statements = issued.len() as u64;
        if matches!(record.state, PeriodState::Finalized { .. }) {
            return Ok(Lines { issued: true, of: issued, outdated: 0, statements });
        }
        let view = charges(installation, reader, Scope::period(period), settings, None).await?;
        let mut funding = funding::of_period(reader, period, settings, None).await?;
        let now = post(&view, period, settings, &mut funding).await?;
        let outdated = outdated(&issued, &now);
        // An open period's statements are of before it was reopened.
        if record.state.is_open() || issued.is_empty() {
            return Ok(Lines { issued: false, of: now, outdated, statements });
        }
        Ok(Lines { issued: true, of: issued, outdated, statements })
    }

    fn totals(&self) -> Totals {
        let mut sum = Totals::default();
        for (_, _, totals) in &self.of {
            sum.list += totals.list;
            sum.discount += totals.discount;
            sum.subsidy += totals.subsidy;
            sum.due += totals.due;
        }
        sum
    }

    fn money(&self, sums: &PeriodSums, places: u8) -> Money {
        let totals = self.totals();
        let legs = self.of.iter().flat_map(|(_, lines, _)| lines).flat_map(|line| &line.legs);
        let of_credits = legs.filter(|leg| matches!(leg.leg.by, PaidBy::Credit(_)));
        let credits: Minor = of_credits.map(|leg| leg.amount).sum();
        let exact = |minor| Amount::from_minor(minor, places);
        Money {
            list: exact(totals.list),
            discount: exact(totals.discount),
            subsidy: exact(totals.subsidy - credits),
            credits: exact(credits),
            billed: exact(totals.due),
            held: sums.all.held.cost,
        }
    }

    fn value(&self, money: &Money, period: Period, settings: &Settings, places: u8) -> Value {
        let fiscal_year_start = settings.subsidies.fiscal_year_start;
        let mut paid: BTreeMap<Vec<Option<String>>, Shares> = BTreeMap::new();
        for ((pi_email, project_id), lines, _) in &self.of {
            for line in lines {
                let billed = Billed { period, fiscal_year_start, pi_email, project_id, line };
                for (keys, shares) in billed.shares(&[PayerKey::Payer, PayerKey::Subsidy]) {
                    paid.entry(keys).or_default().add(&shares);
                }
            }
        }
        let payers = paid.into_iter().filter_map(|(keys, shares)| match <[_; 2]>::try_from(keys) {
            Ok([Some(payer), Some(name)]) => {
                Some(Payer { payer, name, paid: Amount::from_minor(shares.subsidy, places) })
            }
            _ => None,
        });
        let mut payers: Vec<Payer> = payers.collect();
        payers.sort_by_key(|payer| std::cmp::Reverse(payer.paid));
        Value { list: money.list, billed: money.billed, delivered: money.list - money.billed, payers }
    }
}

fn outdated(issued: &[(Owner, Vec<PostedLine>, Totals)], now: &[(Owner, Vec<PostedLine>, Totals)]) -> u64 {
    let by_owner = |of: &[(Owner, Vec<PostedLine>, Totals)]| -> BTreeMap<Owner, Totals> {
        // A statement of nothing says what no statement says.
        let something = of.iter().filter(|(_, lines, _)| !lines.is_empty());
        something.map(|(owner, _, totals)| (owner.clone(), *totals)).collect()
    };
    let (issued, now) = (by_owner(issued), by_owner(now));
    let owners: BTreeSet<&Owner> = issued.keys().chain(now.keys()).collect();
    owners.into_iter().filter(|owner| issued.get(owner) != now.get(owner)).count() as u64
}

async fn work(
    reader: &mut Reader,
    record: &PeriodRecord,
    sums: &PeriodSums,
    lines: &Lines,
    posts: bool,
    missing_sources: u64,
) -> Result<Work, WorkflowError> {
    let period = record.period;
    let messages =
        reader.list_messages(&EmailFilter { period: Some(period), ..EmailFilter::default() }).await?;
    let carried: BTreeSet<_> = messages
        .iter()
        .filter(|message| is_out(message))
        .flat_map(|message| &message.message.statements)
        .collect();
    let current = reader.current_statements(period, None).await?;
    let unsent = current.iter().filter(|row| !carried.contains(&row.id)).count() as u64;
    let uncertain = messages.iter().filter(|message| message.state == MessageState::Uncertain).count() as u64;
    let journals = reader.list_journal_records(Some(period), None).await?;
    let unanswered =
        journals.iter().filter(|record| record.state == billing::journal::JournalState::Exported);
    let is_final = matches!(record.state, PeriodState::Finalized { .. });
    let unposted = if is_final || (!posts && journals.is_empty()) || current.is_empty() {
        0
    } else {
        journal::unposted(reader, period, None).await?.len() as u64
    };
    Ok(Work {
        charges: sums.totals.charges.rows + sums.totals.deferred_here.rows,
        missing_sources,
        held: sums.totals.held.rows,
        billable: sums.totals.billed_here.rows,
        statements: lines.statements,
        outdated: lines.outdated,
        unsent,
        uncertain,
        unposted,
        journals: journals.len() as u64,
        unanswered: unanswered.count() as u64,
        posts,
    })
}

/// Whether a message went out, or nobody knows better.
fn is_out(record: &EmailRecord) -> bool {
    matches!(record.state, MessageState::Sent | MessageState::Sending | MessageState::Uncertain)
}

const MONTHS_LOOKED_BACK: usize = 3;

/// Sources of the configuration, and those that delivered lately, without a live part of the period.
async fn missing_sources(
    installation: &Installation,
    reader: &mut Reader,
    period: Period,
) -> Result<Vec<MissingSource>, WorkflowError> {
    let mut delivered = BTreeSet::new();
    let mut last: BTreeMap<String, (String, Period)> = BTreeMap::new();
    let months = std::iter::successors(Some(period), |month| Some(month.previous()));
    for month in months.take(1 + MONTHS_LOOKED_BACK) {
        let filter = PartFilter { period: Some(month), ..PartFilter::default() };
        for part in reader.live_parts(&filter, None).await? {
            if month == period {
                delivered.insert(part.source_key);
            } else {
                last.entry(part.source_key).or_insert((part.source_name.0, month));
            }
        }
    }
    let configured = installation.settings.sources.iter();
    let configured: BTreeMap<String, String> =
        configured.map(|source| (source.name.key(), source.name.0.clone())).collect();
    let keys: BTreeSet<&String> = configured.keys().chain(last.keys()).collect();
    Ok(keys
        .into_iter()
        .filter(|key| !delivered.contains(*key))
        .map(|key| {
            let (known, last) = (configured.get(key), last.get(key));
            MissingSource {
                source: known.or(last.map(|(name, _)| name)).unwrap_or(key).clone(),
                configured: known.is_some(),
                last: last.map(|(_, month)| *month),
            }
        })
        .collect())
}

const SHOWN: usize = 10;

fn changes(against: Period, before: &PeriodSums, now: &PeriodSums, people: &People) -> Changes {
    let pis = |sums: &PeriodSums| {
        let mut by_pi: BTreeMap<Option<String>, Amount> = BTreeMap::new();
        for project in &sums.by_project {
            let who = project.pi_email.as_ref().map(|pi| people.current(pi));
            *by_pi.entry(who).or_default() += project.spent.billed.cost;
        }
        by_pi
    };
    let named = |sums: &[Sums]| sums.iter().map(|sum| (sum.name.clone(), sum.spent.billed.cost)).collect();
    Changes {
        against: Some(against),
        by_pi: largest_changes(&pis(before), &pis(now)),
        by_service: largest_changes(&named(&before.by_service), &named(&now.by_service)),
        by_source: largest_changes(&named(&before.by_source), &named(&now.by_source)),
    }
}

fn largest_changes(
    before: &BTreeMap<Option<String>, Amount>,
    now: &BTreeMap<Option<String>, Amount>,
) -> Vec<Change> {
    let names: BTreeSet<&Option<String>> = before.keys().chain(now.keys()).collect();
    let of = |sums: &BTreeMap<Option<String>, Amount>, name| sums.get(name).copied().unwrap_or_default();
    let mut changes: Vec<Change> = names
        .into_iter()
        .map(|name| {
            let (before, now) = (of(before, name), of(now, name));
            Change { name: name.clone(), before, now, difference: now - before }
        })
        .filter(|change| change.difference != Amount::ZERO)
        .collect();
    changes.sort_by_key(|change| std::cmp::Reverse(change.difference.max(-change.difference)));
    changes.truncate(SHOWN);
    changes
}

fn slices(sums: &[Sums]) -> Slices {
    let billed = sums.iter().filter(|sum| 0 < sum.spent.billed.charges);
    let mut largest: Vec<Slice> =
        billed.map(|sum| Slice { name: sum.name.clone(), count: 1, spend: sum.spent.billed }).collect();
    largest.sort_by_key(|slice| std::cmp::Reverse(slice.spend.cost.max(-slice.spend.cost)));
    let rest = largest.split_off(largest.len().min(SHOWN));
    let others = rest.into_iter().reduce(|mut sum, other| {
        sum.name = None;
        sum.count += other.count;
        sum.spend.plus(&other.spend);
        sum
    });
    Slices { largest, others }
}

const TREND: usize = 12;

async fn trend(
    installation: &Installation,
    reader: &mut Reader,
    period: Period,
    known: &[PeriodRecord],
    (lines, money): (&Lines, Money),
) -> Result<Vec<Month>, WorkflowError> {
    let months = std::iter::successors(Some(period), |month| Some(month.previous()));
    let mut months: Vec<Period> = months.take(TREND).collect();
    months.reverse();
    let mut trend = Vec::with_capacity(months.len());
    for month in months {
        let of = if lines.issued { MonthOf::Statements } else { MonthOf::Drafts };
        trend.push(if month == period {
            Month { period, of, list: money.list, billed: money.billed }
        } else {
            month_of(installation, reader, month, known).await?
        });
    }
    Ok(trend)
}

/// What a month came to: by its statements when it is closed and has some, else by its charges.
pub(crate) async fn month_of(
    installation: &Installation,
    reader: &mut Reader,
    period: Period,
    known: &[PeriodRecord],
) -> Result<Month, WorkflowError> {
    let nothing = Month { period, of: MonthOf::Nothing, list: Amount::ZERO, billed: Amount::ZERO };
    let Some(record) = known.iter().find(|record| record.period == period) else { return Ok(nothing) };
    let statements =
        if record.state.is_open() { Vec::new() } else { reader.current_statements(period, None).await? };
    let Some(first) = statements.first() else {
        let billed = kept::sums_of(installation, reader, period).await?.all.billed;
        return Ok(Month { of: MonthOf::Charges, list: billed.list, billed: billed.cost, ..nothing });
    };
    let places = first.currency.places();
    let sum = |of: fn(&Totals) -> Minor| {
        Amount::from_minor(statements.iter().map(|row| of(&row.totals)).sum(), places)
    };
    Ok(Month {
        of: MonthOf::Statements,
        list: sum(|totals| totals.list),
        billed: sum(|totals| totals.due),
        ..nothing
    })
}
