//! What is charged in a period and who pays: the rates, the splits over funds and the subsidies, as of a
//! ledger number.

use billing::rate::{PooledPrice, Rate};
use billing::settings::Settings;
use billing::split::{SplitRule, Splits};
use billing::subsidy::{Subsidies, SubsidyRule};
use billing::{LedgerNumber, Period};
use ledger::{PeriodAct, Reader, Rule};

use crate::{WorkflowError, subsidies};

pub struct Funding {
    pub rates: PooledPrice,
    pub splits: Splits,
    pub subsidies: Subsidies,
}

/// The rules, as they are or would be.
#[derive(Clone, Debug, Default)]
pub(crate) struct Rules {
    pub rates: Vec<Rate>,
    pub splits: Vec<SplitRule>,
    pub subsidies: Vec<SubsidyRule>,
}

impl Rules {
    pub async fn load(reader: &mut Reader, as_of: Option<LedgerNumber>) -> Result<Rules, WorkflowError> {
        Ok(Rules {
            rates: rules(reader, as_of).await?,
            splits: rules(reader, as_of).await?,
            subsidies: rules(reader, as_of).await?,
        })
    }

    /// With what other periods have used by then.
    pub async fn funding(
        &self,
        reader: &mut Reader,
        period: Period,
        settings: &Settings,
        as_of: Option<LedgerNumber>,
    ) -> Result<Funding, WorkflowError> {
        let seen = subsidies::seen(reader, period, settings, &self.subsidies, as_of).await?;
        let subsidies = Subsidies::of_period(&self.subsidies, period, seen);
        let rates = PooledPrice::new(&self.rates);
        Ok(Funding { rates, splits: Splits::new(&self.splits), subsidies })
    }
}

/// The rules of a kind as they stood then, by number.
pub(crate) async fn rules<T: Rule>(
    reader: &mut Reader,
    as_of: Option<LedgerNumber>,
) -> Result<Vec<T>, WorkflowError> {
    Ok(reader.rules(as_of).await?.into_iter().map(|row| row.rule).collect())
}

/// Of a period as of a ledger number. The rules of a closed period are the ones of its close.
pub(crate) async fn of_period(
    reader: &mut Reader,
    period: Period,
    settings: &Settings,
    as_of: Option<LedgerNumber>,
) -> Result<Funding, WorkflowError> {
    let record = reader.find_period(period, as_of).await?.filter(|record| !record.state.is_open());
    let closed = record.and_then(|record| {
        let last = record.events.iter().rev().find(|event| event.act == PeriodAct::Closed);
        last.map(|event| event.number)
    });
    let rules = Rules::load(reader, closed.or(as_of)).await?;
    rules.funding(reader, period, settings, as_of).await
}
