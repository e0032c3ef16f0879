//! People and their addresses: write them down, and find all of a person's by any of them.
//!
//! Addresses are part of how deliveries are read, as the attribution table is: a change is recorded first, then
//! [`reading::apply`] reads the open periods again that it concerns.

use billing::LedgerNumber;
use billing::people::{BadPerson, People, PeopleChange, Person, PersonAddress, PersonId};
use lake::Filter;
use ledger::{AuditEvent, Reader};
use serde_json::json;

use crate::attribution;
use crate::reading::{self, Effect};
use crate::rules::rules;
use crate::{Actor, Installation, Refusal, WorkflowError};

pub(crate) async fn people(
    reader: &mut Reader,
    as_of: Option<LedgerNumber>,
) -> Result<People, WorkflowError> {
    Ok(People::new(&rules::<PersonAddress>(reader, as_of).await?))
}

/// # Errors
/// What the ledger could not read.
pub async fn list(installation: &Installation) -> Result<Vec<Person>, WorkflowError> {
    let people = people(&mut installation.ledger.read().await?, None).await?;
    Ok(people.iter().cloned().collect())
}

/// By number or by any address.
///
/// # Errors
/// Somebody who is not known.
pub async fn show(installation: &Installation, who: &str) -> Result<Person, WorkflowError> {
    let people = people(&mut installation.ledger.read().await?, None).await?;
    let unknown = || Refusal::new(format!("nobody has `{who}`")).hint("`people list` shows who is known");
    Ok(people.find(who).cloned().ok_or_else(unknown)?)
}

/// What a change would do to open periods. Nothing is recorded.
///
/// # Errors
/// As [`change`].
pub async fn preview(
    installation: &Installation,
    actor: &Actor,
    change: &PeopleChange,
) -> Result<Effect, WorkflowError> {
    let mut reader = installation.ledger.read().await?;
    let (mut all, new) = planned(&mut reader, change).await?;
    all.extend(new);
    let after = attribution::with_people(rules(&mut reader, None).await?, &People::new(&all));
    reading::preview(installation, actor, reader, |rules| rules.attribution.now = after).await
}

/// Record a change. [`reading::apply`] then reads again what it concerns.
///
/// # Errors
/// All that is wrong with it, at once.
pub async fn change(
    installation: &Installation,
    actor: &Actor,
    change: &PeopleChange,
) -> Result<(PersonId, LedgerNumber), WorkflowError> {
    let mut tx = installation.ledger.begin().await?;
    let (_, new) = planned(&mut tx, change).await?;
    let person = new.first().map_or(PersonId(0), |row| row.person);
    tx.write_rules(&new, actor).await?;
    let (act, note) = match change {
        PeopleChange::Add { note, .. } => ("person.added", note),
        PeopleChange::Address { note, .. } => ("person.address", note),
        PeopleChange::Merge { note, .. } => ("person.merged", note),
    };
    let addresses: Vec<_> =
        new.iter().map(|row| json!({ "address": row.address, "from": row.from })).collect();
    let mut detail = json!({ "addresses": addresses, "note": note });
    if let PeopleChange::Merge { person, .. } = change {
        detail["merged"] = json!(person.to_string());
    }
    let number = tx.commit(AuditEvent::new(actor, act, person, detail)).await?;
    Ok((person, number))
}

async fn planned(
    reader: &mut Reader,
    change: &PeopleChange,
) -> Result<(Vec<PersonAddress>, Vec<PersonAddress>), WorkflowError> {
    let all: Vec<PersonAddress> = rules(reader, None).await?;
    let next = all.last().map_or(1, |row| row.id + 1);
    let planned = People::new(&all).planned(change, &all).map_err(|wrong| {
        let what = match change {
            PeopleChange::Add { name, .. } => format!("`{}` cannot be added", name.trim()),
            PeopleChange::Address { person, .. } => format!("{person} cannot have this address"),
            PeopleChange::Merge { person, into, .. } => format!("{person} cannot be merged into {into}"),
        };
        Refusal::new(what).details(wrong.iter().map(BadPerson::to_string))
    })?;
    let new = (next..).zip(planned).map(|(id, row)| PersonAddress { id, ..row }).collect();
    Ok((all, new))
}

/// A filter by PI finds all of the person's, by any address or the number.
pub(crate) async fn widened(reader: &mut Reader, filter: &Filter) -> Result<Filter, WorkflowError> {
    let Some(who) = &filter.pi_email else { return Ok(filter.clone()) };
    let mut addresses = people(reader, None).await?.addresses(who);
    let first = (!addresses.is_empty()).then(|| addresses.remove(0));
    Ok(Filter { pi_email: first, pi_also: addresses, ..filter.clone() })
}
