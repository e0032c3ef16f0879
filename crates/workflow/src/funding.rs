//! Who pays in a period: the splits over funds and the subsidies, as of a ledger number.

use billing::people::People;
use billing::settings::Settings;
use billing::split::{SplitRule, Splits};
use billing::subsidy::{Subsidies, SubsidyRule};
use billing::{LedgerNumber, Period};
use ledger::{PeriodAct, Reader, Rule};

use crate::people::people;
use crate::{WorkflowError, subsidies};

pub struct Funding {
    pub splits: Splits,
    pub subsidies: Subsidies,
    pub people: People,
}

/// The rules, as they are or would be.
#[derive(Clone, Debug, Default)]
pub(crate) struct Rules {
    pub splits: Vec<SplitRule>,
    pub subsidies: Vec<SubsidyRule>,
    pub people: People,
}

impl Rules {
    pub async fn load(reader: &mut Reader, as_of: Option<LedgerNumber>) -> Result<Rules, WorkflowError> {
        let people = people(reader, as_of).await?;
        let mut splits: Vec<SplitRule> = rules(reader, as_of).await?;
        let mut subsidies: Vec<SubsidyRule> = rules(reader, as_of).await?;
        // Rules are for people, whichever of their addresses they name.
        let who = |address: &mut String| *address = people.key(address);
        splits.iter_mut().filter_map(|rule| rule.pi_email.as_mut()).for_each(who);
        subsidies.iter_mut().flat_map(|rule| &mut rule.pis).for_each(who);
        Ok(Rules { splits, subsidies, people })
    }

    /// With what other periods have used by then.
    pub async fn funding(
        &self,
        reader: &mut Reader,
        period: Period,
        settings: &Settings,
        as_of: Option<LedgerNumber>,
    ) -> Result<Funding, WorkflowError> {
        let seen = subsidies::seen(reader, period, settings, self, as_of).await?;
        let subsidies = Subsidies::of_period(&self.subsidies, period, seen);
        Ok(Funding { splits: Splits::new(&self.splits), subsidies, people: self.people.clone() })
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
