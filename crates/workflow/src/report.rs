//! Exact sums of charges, by any columns and state.

use std::collections::BTreeMap;
use std::sync::Arc;

use billing::decision::ChargeState;
use billing::people::People;
use billing::{LedgerNumber, Period};
use lake::{Filter, TotalsRow, View};
use ledger::Reader;
use money::Amount;
use serde::{Deserialize, Serialize};

use crate::charges::{Scope, charges};
use crate::{Installation, WorkflowError, kept, people};

/// Where the charges of a period stand: counts and exact sums on the billing basis.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StateTotals {
    /// All charges of the live parts of the period.
    pub charges: Sum,
    /// Of these, billed in the period.
    pub billable: Sum,
    pub held: Sum,
    pub rejected: Sum,
    /// Of these, billed in a later period.
    pub deferred: Sum,
    /// Deferred to this period by an earlier one, and billable.
    pub deferred_here: Sum,
    /// What statements of the period bill: billable and deferred here.
    pub billed_here: Sum,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sum {
    pub rows: u64,
    pub list_cost: Amount,
    pub cost: Amount,
}

impl Sum {
    fn add(&mut self, other: &Sum) {
        self.rows += other.rows;
        self.list_cost += other.list_cost;
        self.cost += other.cost;
    }
}

impl StateTotals {
    /// Count charges of one period that are billed in one and stand alike.
    pub(crate) fn add(
        &mut self,
        period: Period,
        (own, billed_in): (Period, Period),
        state: ChargeState,
        sum: &Sum,
    ) {
        let is_here = billed_in == period;
        if own == period {
            self.charges.add(sum);
            match state {
                ChargeState::Billable => self.billable.add(sum),
                ChargeState::Held => self.held.add(sum),
                ChargeState::Rejected => self.rejected.add(sum),
                ChargeState::Deferred => self.deferred.add(sum),
            }
        } else if is_here && state == ChargeState::Billable {
            self.deferred_here.add(sum);
        } else if is_here && state == ChargeState::Held {
            self.held.add(sum);
        }
        if is_here && state == ChargeState::Billable {
            self.billed_here.add(sum);
        }
    }
}

/// # Errors
/// What the lake could not read.
pub async fn state_totals(view: &View, period: Period) -> Result<StateTotals, WorkflowError> {
    let by = ["period".to_owned(), "billed_in".to_owned(), "state".to_owned()];
    let mut totals = StateTotals::default();
    for row in view.totals(&by, &Filter::default()).await? {
        let [own, billed_in, state] = row.keys.as_slice() else { continue };
        let of = |text: &Option<String>| text.as_deref().and_then(|text| text.parse().ok());
        let (Some(own), Some(billed_in)) = (of(own), of(billed_in)) else { continue };
        let state = match state.as_deref() {
            Some("billable") => ChargeState::Billable,
            Some("held") => ChargeState::Held,
            Some("rejected") => ChargeState::Rejected,
            _ => ChargeState::Deferred,
        };
        let sum = Sum { rows: row.rows, list_cost: row.list_cost, cost: row.cost };
        totals.add(period, (own, billed_in), state, &sum);
    }
    Ok(totals)
}

/// What `report` is asked.
#[derive(Clone, Debug, Default)]
pub struct ReportRequest {
    pub period: Option<Period>,
    pub by: Vec<String>,
    /// Empty: all.
    pub states: Vec<ChargeState>,
    pub filter: Filter,
    pub as_of: Option<LedgerNumber>,
}

/// Sums by the columns asked for, in their order. A period's report has its own charges.
///
/// # Errors
/// An unknown column; what could not be read.
pub async fn report(
    installation: &Installation,
    request: &ReportRequest,
) -> Result<Arc<Vec<TotalsRow>>, WorkflowError> {
    let mut reader = installation.ledger.read().await?;
    let state = kept::books(installation, &mut reader).await?;
    let cell = installation.kept.report(format!("{request:?}"), &state);
    let rows = cell.get_or_try_init(|| async {
        Ok::<_, WorkflowError>(Arc::new(computed(installation, &mut reader, request).await?))
    });
    Ok(Arc::clone(rows.await?))
}

async fn computed(
    installation: &Installation,
    reader: &mut Reader,
    request: &ReportRequest,
) -> Result<Vec<TotalsRow>, WorkflowError> {
    let settings = match request.period {
        Some(period) => {
            crate::periods::load(reader, period).await?;
            installation.settings_of(reader, period).await?
        }
        None => installation.settings.clone(),
    };
    let scope = Scope { period: request.period, import: request.filter.import };
    let view = charges(installation, reader, scope, &settings, request.as_of).await?;
    let filter = people::widened(reader, &request.filter).await?;
    let filter = Filter { states: request.states.clone(), period: request.period, ..filter };
    let rows = view.totals(&request.by, &filter).await?;
    let people = people::people(reader, None).await?;
    Ok(by_person(rows, &request.by, &people))
}

/// The same over several periods; none: over all.
///
/// # Errors
/// As [`report`].
pub async fn report_over(
    installation: &Installation,
    request: &ReportRequest,
    periods: &[Period],
) -> Result<Vec<TotalsRow>, WorkflowError> {
    let periods: Vec<Option<Period>> =
        if periods.is_empty() { vec![None] } else { periods.iter().copied().map(Some).collect() };
    let mut sums: BTreeMap<Vec<Option<String>>, TotalsRow> = BTreeMap::new();
    for period in periods {
        for row in report(installation, &ReportRequest { period, ..request.clone() }).await?.iter() {
            match sums.get_mut(&row.keys) {
                Some(sum) => sum.add(row),
                None => {
                    sums.insert(row.keys.clone(), row.clone());
                }
            }
        }
    }
    Ok(sums.into_values().collect())
}

/// A person is one row, under the last of their addresses.
fn by_person(rows: Vec<TotalsRow>, by: &[String], people: &People) -> Vec<TotalsRow> {
    let Some(at) = by.iter().position(|column| column == "pi_email") else { return rows };
    let mut of_people: BTreeMap<Vec<Option<String>>, TotalsRow> = BTreeMap::new();
    for mut row in rows {
        row.keys[at] = row.keys[at].take().map(|address| people.current(&address));
        match of_people.get_mut(&row.keys) {
            Some(sum) => sum.add(&row),
            None => {
                of_people.insert(row.keys.clone(), row);
            }
        }
    }
    of_people.into_values().collect()
}
