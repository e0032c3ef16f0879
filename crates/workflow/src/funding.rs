//! What is charged in a period and who pays: the rates, the splits over funds, the subsidies and the credits, as
//! of a ledger number.

use billing::credit::{Credit, Credits, Known};
use billing::people::People;
use billing::rate::{PooledPrice, Rate};
use billing::settings::Settings;
use billing::split::{SplitRule, Splits};
use billing::statement::PostingGroup;
use billing::subsidy::{Leg, Subsidies, SubsidyRule, Users};
use billing::{LedgerNumber, Period};
use ledger::{PeriodAct, Reader};
use money::Amount;

use crate::people::people;
use crate::rules::rules;
use crate::{WorkflowError, credits, subsidies};

pub struct Funding {
    pub rates: PooledPrice,
    pub splits: Splits,
    pub subsidies: Subsidies,
    pub credits: Credits,
    pub people: People,
}

impl Funding {
    /// What others pay of the groups of a statement: subsidies, and of what they leave, credits.
    pub fn legs(
        &mut self,
        pi_email: &str,
        project_id: &str,
        groups: &[PostingGroup],
        users: &Users,
    ) -> Vec<Vec<Leg>> {
        let who = self.people.key(pi_email);
        let legs_of = |group: &PostingGroup| {
            let mut legs = self.subsidies.legs(&who, project_id, group, users);
            let paid: Amount = legs.iter().map(|leg| leg.paid).sum();
            legs.extend(self.credits.legs(&who, project_id, group, group.cost - paid));
            legs
        };
        groups.iter().map(legs_of).collect()
    }
}

/// The rules, as they are or would be.
#[derive(Clone, Debug, Default)]
pub(crate) struct Rules {
    pub rates: Vec<Rate>,
    pub splits: Vec<SplitRule>,
    pub subsidies: Vec<SubsidyRule>,
    pub credits: Vec<Credit>,
    /// Also those that were written after the close of a period whose rules these are.
    pub all_credits: Vec<Credit>,
    pub people: People,
}

impl Rules {
    pub async fn load(reader: &mut Reader, as_of: Option<LedgerNumber>) -> Result<Rules, WorkflowError> {
        let (splits, subsidies) = (rules(reader, as_of).await?, rules(reader, as_of).await?);
        let (rates, people) = (rules(reader, as_of).await?, people(reader, as_of).await?);
        let credits = rules(reader, as_of).await?;
        Ok(Rules { rates, splits, subsidies, people, ..Rules::default() }.with_credits(credits))
    }

    pub fn with_credits(self, credits: Vec<Credit>) -> Rules {
        Rules { all_credits: credits.clone(), credits, ..self }
    }

    /// Rules are for people, whichever of their addresses they name.
    fn for_people(&self) -> Rules {
        let mut rules = self.clone();
        let who = |address: &mut String| *address = self.people.key(address);
        rules.splits.iter_mut().filter_map(|rule| rule.pi_email.as_mut()).for_each(who);
        for rule in &mut rules.subsidies {
            rule.pis.iter_mut().for_each(who);
            for opening in &mut rule.opening {
                who(&mut opening.pi_email);
                opening.user = opening.user.as_ref().map(|user| self.people.user(user));
            }
        }
        rules.credits.iter_mut().chain(&mut rules.all_credits).flat_map(|rule| &mut rule.pis).for_each(who);
        rules
    }

    /// With what other periods have used by then.
    pub async fn funding(
        &self,
        reader: &mut Reader,
        period: Period,
        settings: &Settings,
        as_of: Option<LedgerNumber>,
    ) -> Result<Funding, WorkflowError> {
        let rules = self.for_people();
        let mut used = subsidies::used(reader, period, settings, &rules.subsidies, as_of).await?;
        for used in &mut used {
            used.pi_email = self.people.key(&used.pi_email);
            used.user = used.user.as_ref().map(|user| self.people.user(user));
        }
        let year = settings.subsidies.fiscal_year_start;
        let subsidies = Subsidies::of_period(&rules.subsidies, period, year, &used);
        let known = Known { then: &rules.credits, now: &rules.all_credits };
        let used = credits::used(reader, period, &rules.credits, as_of).await?;
        let credits = Credits::of_period(known, period, &used);
        let (rates, splits) = (PooledPrice::new(&rules.rates), Splits::new(&rules.splits));
        Ok(Funding { rates, splits, subsidies, credits, people: self.people.clone() })
    }
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
    let mut rules = Rules::load(reader, closed.or(as_of)).await?;
    if closed.is_some() {
        rules.all_credits = self::rules(reader, as_of).await?;
    }
    rules.funding(reader, period, settings, as_of).await
}
