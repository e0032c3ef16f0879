//! What overviews sum: every charge of a view once, by all that they show.

use billing::decision::ChargeState;
use billing::{Flags, Period};
use datafusion::functions::core::expr_fn::coalesce;
use datafusion::functions_aggregate::expr_fn::{count, count_distinct, sum};
use datafusion::prelude::{ident, lit};
use money::Amount;

use crate::decode::{Batch, count as counted};
use crate::filter::Filter;
use crate::overlay::state_of;
use crate::rows::{flags, period};
use crate::{LakeError, View};

/// Charges that are alike in all of this, summed exactly.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spending {
    pub period: Period,
    pub billed_in: Period,
    pub state: ChargeState,
    pub flags: Flags,
    pub source: String,
    pub pi_email: Option<String>,
    pub project_id: Option<String>,
    pub service_name: Option<String>,
    pub rows: u64,
    /// As delivered; a missing one counts as billed.
    pub list_cost: Amount,
    /// As statements have it: where it is not known, the cost.
    pub list: Amount,
    /// On the billing basis of each charge's source.
    pub cost: Amount,
}

const KEYS: [&str; 8] =
    ["period", "billed_in", "state", "flags", "source", "pi_email", "project_id", "service_name"];

impl View {
    /// # Errors
    /// What could not be read.
    pub async fn spending(&self) -> Result<Vec<Spending>, LakeError> {
        let keys = KEYS.map(|name| self.columns.get(name).alias(format!("_{name}"))).to_vec();
        let sums = vec![
            count(lit(1)).alias("rows"),
            sum(coalesce(vec![ident("list_cost"), ident("billed_cost")])).alias("delivered_list"),
            sum(self.columns.list()).alias("list"),
            sum(self.columns.cost()).alias("cost"),
        ];
        let mut spending = Vec::new();
        for batch in self.rows(&Filter::default())?.aggregate(keys, sums)?.collect().await? {
            decode(&Batch(batch), &mut spending)?;
        }
        Ok(spending)
    }

    /// How many resources the charges billed in a period are of; those without an id are told apart by name.
    ///
    /// # Errors
    /// What could not be read.
    pub async fn count_resources(&self, period: Period) -> Result<u64, LakeError> {
        let resource = coalesce(vec![self.columns.get("resource_id"), self.columns.get("resource_name")]);
        let rows = self.billable(period)?.aggregate(Vec::new(), vec![count_distinct(resource).alias("n")])?;
        let batches = rows.collect().await?;
        let mut resources = 0;
        for batch in batches {
            let batch = Batch(batch);
            let counts = batch.integers("n")?;
            resources += (0..batch.rows()).map(|row| counted(counts, row)).sum::<u64>();
        }
        Ok(resources)
    }
}

fn decode(batch: &Batch, spending: &mut Vec<Spending>) -> Result<(), LakeError> {
    let [own, billed_in, state, standing, source, pi, project, service] =
        KEYS.map(|name| batch.text(&format!("_{name}")));
    let (own, billed_in, state, standing) = (own?, billed_in?, state?, standing?);
    let (source, pi, project, service) = (source?, pi?, project?, service?);
    let rows = batch.integers("rows")?;
    let [delivered, list, cost] = ["delivered_list", "list", "cost"].map(|name| batch.amounts(name));
    let (delivered, list, cost) = (delivered?, list?, cost?);
    spending.extend((0..batch.rows()).map(|row| Spending {
        period: period(own.get(row)),
        billed_in: period(billed_in.get(row)),
        state: state_of(state.get(row).unwrap_or_default()),
        flags: flags(standing.get(row)),
        source: source.owned(row).unwrap_or_default(),
        pi_email: pi.owned(row),
        project_id: project.owned(row),
        service_name: service.owned(row),
        rows: counted(rows, row),
        list_cost: delivered.or_zero(row),
        list: list.or_zero(row),
        cost: cost.or_zero(row),
    }));
    Ok(())
}
