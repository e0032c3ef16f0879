use std::fmt::Write as _;

use billing::people::{PeopleChange, Person};
use serde_json::json;
use workflow::people;

use super::Door;
use super::reading::{read_again, told};
use crate::args::{PeopleCommand, SureArgs};
use crate::output::{Column, Refusal, Table};

pub async fn run(command: PeopleCommand, door: &Door) -> Result<(), Refusal> {
    match command {
        PeopleCommand::List => list(door).await,
        PeopleCommand::Show { person } => show(&person, door).await,
        PeopleCommand::Add(args) => {
            let what = format!("write down {} with {}", args.name, args.address);
            let addresses = args.also.into_iter().chain([args.address]).collect();
            change(PeopleChange::Add { name: args.name, addresses, note: args.note }, &what, args.sure, door)
                .await
        }
        PeopleCommand::Address(args) => {
            let what = format!("make {} the current address of {}", args.address, args.person);
            let (person, address, from) = (args.person, args.address, args.from);
            change(PeopleChange::Address { person, address, from, note: args.note }, &what, args.sure, door)
                .await
        }
        PeopleCommand::Merge(args) => {
            let what = format!("merge {} into {}", args.person, args.into);
            let (person, into) = (args.person, args.into);
            change(PeopleChange::Merge { person, into, note: args.note }, &what, args.sure, door).await
        }
    }
}

/// Show what it would change, ask, record, and read again what it concerns.
async fn change(change: PeopleChange, what: &str, sure: SureArgs, door: &Door) -> Result<(), Refusal> {
    let installation = door.installation().await?;
    let effect = people::preview(&installation, &door.stamp(), &change).await?;
    if sure.dry_run {
        return Ok(door.output.data(&effect, |effect| told(effect, door))?);
    }
    if !door.output.is_json() && !effect.imports.is_empty() {
        door.output.message(told(&effect, door).trim_end());
    }
    door.output.confirm(&format!("{what}?"), sure.yes)?;
    let (person, number) = people::change(&installation, &door.stamp(), &change).await?;
    let reread = read_again(&installation, door).await?;
    let known = people::show(&installation, &person.to_string()).await?;
    let answer = json!({ "number": number, "person": known, "effect": effect, "read_again": reread });
    Ok(door.output.data(&answer, |_| shown(&known, door))?)
}

async fn list(door: &Door) -> Result<(), Refusal> {
    let installation = door.installation().await?;
    let people = people::list(&installation).await?;
    Ok(door.output.data(&people, |people| table(people, door))?)
}

fn table(people: &[Person], door: &Door) -> String {
    if people.is_empty() {
        return "nobody is written down; `focus-billing people add` does so\n".to_owned();
    }
    let columns = ["person", "name", "current address", "also"].map(Column::text);
    let mut table = Table::new(columns.into());
    for person in people {
        let current = person.address_on(today(door));
        let also = person.addresses.iter().map(|known| known.address.as_str());
        let also: Vec<&str> = also.filter(|address| *address != current).collect();
        table.row([person.id.to_string(), person.name.clone(), current.to_owned(), also.join(", ")]);
    }
    table.render()
}

async fn show(who: &str, door: &Door) -> Result<(), Refusal> {
    let installation = door.installation().await?;
    let person = people::show(&installation, who).await?;
    Ok(door.output.data(&person, |person| shown(person, door))?)
}

fn shown(person: &Person, door: &Door) -> String {
    let mut text = format!("{} {}\n", person.id, person.name);
    let current = person.address_on(today(door));
    for known in &person.addresses {
        let from = known.from.map_or_else(String::new, |from| format!(" from {from}"));
        let is_current = if known.address == current { " (current)" } else { "" };
        let _ = writeln!(text, "  {}{from}{is_current}", known.address);
    }
    text
}

fn today(door: &Door) -> jiff::civil::Date {
    door.stamp().day()
}
