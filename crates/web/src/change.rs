//! A change of rules or of people, whatever kind: what it would do, and that it is written. Pages show the one
//! before the other (`pages::rules::proposal`), the API answers with both.

use billing::LedgerNumber;
use billing::people::{PeopleChange, PersonId};
use serde::Serialize;
use workflow::import_config::Planned;
use workflow::{
    Actor, Installation, WorkflowError, attribution, credits, import_config, people, rates, reading, splits,
    subsidies,
};

#[derive(Clone, Debug)]
pub enum Change {
    Attribution(attribution::Change),
    Rates(rates::Change),
    People(PeopleChange),
    /// With the names of the files.
    Configuration(Box<Planned>, Vec<String>),
    Subsidy(subsidies::Change),
    Credit(credits::Change),
    Split(splits::Change),
}

/// What a change would do.
#[derive(Clone, Debug, Serialize)]
#[serde(untagged)]
pub enum Effect {
    /// Charges with another owner or price.
    Reading(reading::Effect),
    /// Statements of open periods with another payer.
    Funding(Vec<subsidies::Effect>),
}

/// What was recorded.
#[derive(Clone, Debug)]
pub struct Written {
    pub number: LedgerNumber,
    pub about: About,
    /// In words, without the number.
    pub said: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum About {
    /// A table of rules.
    Table,
    /// One rule, with the address of its kind's list.
    Rule(i64, &'static str),
    Person(PersonId),
}

impl About {
    /// The page of it, where it has one.
    #[must_use]
    pub fn page(&self) -> Option<String> {
        match self {
            About::Table => None,
            About::Rule(rule, kind) => Some(format!("{kind}/{rule}")),
            About::Person(person) => Some(format!("/people/{person}")),
        }
    }
}

impl Change {
    /// # Errors
    /// What the act refuses.
    pub async fn preview(&self, installation: &Installation, actor: &Actor) -> Result<Effect, WorkflowError> {
        Ok(match self {
            Change::Attribution(change) => {
                Effect::Reading(attribution::preview(installation, actor, change).await?)
            }
            Change::Rates(change) => Effect::Reading(rates::preview(installation, actor, change).await?),
            Change::People(change) => Effect::Reading(people::preview(installation, actor, change).await?),
            Change::Configuration(planned, _) => {
                Effect::Reading(import_config::preview(installation, actor, planned).await?)
            }
            Change::Subsidy(change) => Effect::Funding(subsidies::preview(installation, change).await?),
            Change::Credit(change) => Effect::Funding(credits::preview(installation, change).await?),
            Change::Split(change) => Effect::Funding(splits::preview(installation, change).await?),
        })
    }

    /// Record it.
    ///
    /// # Errors
    /// What the act refuses.
    pub async fn write(&self, installation: &Installation, actor: &Actor) -> Result<Written, WorkflowError> {
        let (number, about, said) = match self {
            Change::Attribution(change) => {
                let number = attribution::change(installation, actor, change).await?;
                (number, About::Table, "the attribution table has changed".to_owned())
            }
            Change::Rates(change) => {
                let number = rates::change(installation, actor, change).await?;
                (number, About::Table, "the rate book has changed".to_owned())
            }
            Change::People(change) => {
                let (person, number) = people::change(installation, actor, change).await?;
                (number, About::Person(person), format!("{person} is written down"))
            }
            Change::Configuration(planned, files) => {
                let number = import_config::write(installation, actor, planned, files).await?;
                (number, About::Table, "the rules are written".to_owned())
            }
            Change::Subsidy(change) => {
                let (rule, number) = subsidies::change(installation, actor, change).await?;
                let said = match change {
                    subsidies::Change::Add(_) => format!("subsidy {rule} is written"),
                    subsidies::Change::End { last, .. } => format!("subsidy {rule} ends with {last}"),
                };
                (number, About::Rule(rule.0, "/subsidies"), said)
            }
            Change::Credit(change) => {
                let (credit, number) = credits::change(installation, actor, change).await?;
                let said = match change {
                    credits::Change::Add(_) => format!("credit {credit} is granted"),
                    credits::Change::Move(part) => {
                        format!("credit {credit} is taken from credit {}", part.from)
                    }
                    credits::Change::End { last, .. } => format!("credit {credit} ends with {last}"),
                };
                (number, About::Rule(credit.0, "/credits"), said)
            }
            Change::Split(change) => {
                let (rule, number) = splits::change(installation, actor, change).await?;
                let said = match change {
                    splits::Change::Add(_) => format!("split {rule} is written"),
                    splits::Change::End { on, .. } => format!("split {rule} ends on {on}"),
                };
                (number, About::Rule(rule.0, "/splits"), said)
            }
        };
        Ok(Written { number, about, said })
    }
}
