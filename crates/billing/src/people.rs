//! People: a PI is a person with a number and one or more addresses, one of which is current. Whatever address a
//! file names, its charges belong to the person, and stand under the address that is current for them.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::str::FromStr;

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use crate::attribution::{Attribution, is_email_address, pi_email_text};
use crate::attribution_table::{AttributionRule, RuleId, RuleKey};

/// "P-12"; numbers are given once and never again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PersonId(pub i64);

const PREFIX: &str = "P-";

impl fmt::Display for PersonId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{PREFIX}{}", self.0))
    }
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not the number of a person, such as P-12")]
pub struct NotAPerson(String);

impl FromStr for PersonId {
    type Err = NotAPerson;

    fn from_str(text: &str) -> Result<PersonId, NotAPerson> {
        let upper = text.trim().to_uppercase();
        let number = upper.strip_prefix(PREFIX).and_then(|digits| digits.parse().ok());
        number.filter(|number| 0 < *number).map(PersonId).ok_or_else(|| NotAPerson(text.to_owned()))
    }
}

/// An address of a person, as it was written down. What was written later says more: an address that another
/// person has now, the name a person goes by.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PersonAddress {
    pub id: i64,
    pub person: PersonId,
    pub name: String,
    pub address: String,
    /// Current for charges from the first of this day's month on; `None`: for all.
    pub from: Option<Date>,
    #[serde(default)]
    pub note: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Person {
    pub id: PersonId,
    pub name: String,
    /// The last one that has begun is current.
    pub addresses: Vec<Known>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Known {
    pub address: String,
    pub from: Option<Date>,
}

impl Person {
    /// The address for charges of a day.
    #[must_use]
    pub fn address_on(&self, day: Date) -> &str {
        let begun =
            self.addresses.iter().rfind(|known| known.from.is_none_or(|from| from.first_of_month() <= day));
        begun.or(self.addresses.first()).map_or("", |known| known.address.as_str())
    }

    fn last_begins(&self) -> Option<Date> {
        self.addresses.last().and_then(|known| known.from)
    }
}

/// All that are known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct People {
    people: BTreeMap<PersonId, Person>,
    by_address: HashMap<String, PersonId>,
}

/// What a person wants to write down of people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PeopleChange {
    /// Somebody new; the last address is current.
    Add { name: String, addresses: Vec<String>, note: Option<String> },
    /// A new address.
    Address { person: PersonId, address: String, from: Option<Date>, note: Option<String> },
    /// Two that are one: the first goes, its addresses are the second's, whose current one stays.
    Merge { person: PersonId, into: PersonId, note: Option<String> },
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadPerson {
    #[error("a person needs a name")]
    NoName,
    #[error("a person needs an address")]
    NoAddress,
    #[error("`{0}` is not an e-mail address")]
    NotAnAddress(String),
    #[error("`{address}` is an address of {person} ({name}); if they are one: `people merge`")]
    Taken { address: String, person: PersonId, name: String },
    #[error("{person} has `{address}` already")]
    Known { person: PersonId, address: String },
    #[error("{0} is not known")]
    Unknown(PersonId),
    #[error("{0} cannot be merged into itself")]
    Itself(PersonId),
    #[error("{person} has an address from {last} on; a further one begins then or later")]
    Earlier { person: PersonId, last: Date },
}

impl People {
    /// In the order in which they were written.
    #[must_use]
    pub fn new(written: &[PersonAddress]) -> People {
        let mut latest: BTreeMap<&str, &PersonAddress> = BTreeMap::new();
        let mut names: BTreeMap<PersonId, &str> = BTreeMap::new();
        for row in written {
            latest.insert(&row.address, row);
            names.insert(row.person, &row.name);
        }
        let mut rows: Vec<&PersonAddress> = latest.into_values().collect();
        rows.sort_by_key(|row| (row.from, row.id));
        let mut all = People::default();
        for row in rows {
            let name = names.get(&row.person).copied().unwrap_or_default();
            let person = all.people.entry(row.person).or_insert_with(|| Person {
                id: row.person,
                name: name.to_owned(),
                addresses: Vec::new(),
            });
            person.addresses.push(Known { address: row.address.clone(), from: row.from });
            all.by_address.insert(row.address.clone(), row.person);
        }
        all
    }

    pub fn iter(&self) -> impl Iterator<Item = &Person> {
        self.people.values()
    }

    /// By number or by any address.
    #[must_use]
    pub fn find(&self, who: &str) -> Option<&Person> {
        let id = who.parse().ok().or_else(|| self.by_address.get(&who.trim().to_lowercase()).copied())?;
        self.people.get(&id)
    }

    /// All addresses of who is meant by a number or an address; what nobody has is itself.
    #[must_use]
    pub fn addresses(&self, who: &str) -> Vec<String> {
        match self.find(who) {
            Some(person) => person.addresses.iter().map(|known| known.address.clone()).collect(),
            None => vec![who.trim().to_lowercase()],
        }
    }

    /// What stays the same of a PI over all changes of address: pools count by it.
    #[must_use]
    pub fn key(&self, address: &str) -> String {
        self.find(address).map_or_else(|| address.to_owned(), |person| person.id.to_string())
    }

    /// The address of a PI that charges of a day stand under; from any of theirs, or the number.
    #[must_use]
    pub fn address_on(&self, who: &str, day: Date) -> String {
        self.find(who).map_or_else(|| who.to_owned(), |person| person.address_on(day).to_owned())
    }

    /// The last address of a PI.
    #[must_use]
    pub fn current(&self, who: &str) -> String {
        self.address_on(who, Date::MAX)
    }

    /// Who a user is: the current address of the person who has theirs, else what was delivered. A login may
    /// look like the number of a person, and is none.
    #[must_use]
    pub fn user(&self, name: &str) -> String {
        let id = self.by_address.get(&name.trim().to_lowercase());
        let person = id.and_then(|id| self.people.get(id));
        person.map_or_else(|| name.to_owned(), |person| person.address_on(Date::MAX).to_owned())
    }

    /// Rules that put charges of any address of a person under the current one. Their numbers are those of
    /// the persons, below zero.
    #[must_use]
    pub fn aliases(&self) -> Vec<AttributionRule> {
        self.people.values().flat_map(Person::aliases).collect()
    }

    /// What is to be written for a change.
    ///
    /// # Errors
    /// All that is wrong with it.
    pub fn planned(
        &self,
        change: &PeopleChange,
        written: &[PersonAddress],
    ) -> Result<Vec<PersonAddress>, Vec<BadPerson>> {
        let mut wrong = Vec::new();
        let rows = match change {
            PeopleChange::Add { name, addresses, note } => {
                let person = PersonId(written.iter().map(|row| row.person.0).max().unwrap_or_default() + 1);
                let name = name.trim();
                if name.is_empty() {
                    wrong.push(BadPerson::NoName);
                }
                if addresses.is_empty() {
                    wrong.push(BadPerson::NoAddress);
                }
                let row = |address: &String| row(person, name, address, None, note.as_deref());
                addresses.iter().map(row).collect()
            }
            PeopleChange::Address { person, address, from, note } => match self.people.get(person) {
                None => return Err(vec![BadPerson::Unknown(*person)]),
                Some(known) => {
                    let last = known.last_begins();
                    if let Some(last) = last.filter(|last| from.is_none_or(|from| from < *last)) {
                        wrong.push(BadPerson::Earlier { person: *person, last });
                    }
                    vec![row(*person, &known.name, address, *from, note.as_deref())]
                }
            },
            PeopleChange::Merge { person, into, note } => {
                if person == into {
                    return Err(vec![BadPerson::Itself(*person)]);
                }
                let unknown = [person, into].into_iter().filter(|id| !self.people.contains_key(id));
                wrong.extend(unknown.map(|id| BadPerson::Unknown(*id)));
                let (Some(gone), Some(stays)) = (self.people.get(person), self.people.get(into)) else {
                    return Err(wrong);
                };
                // The addresses that stay are written last, so that they stay current.
                let both = gone.addresses.iter().map(|known| (known, None));
                let both = both.chain(stays.addresses.iter().map(|known| (known, known.from)));
                return Ok(both
                    .map(|(known, from)| row(*into, &stays.name, &known.address, from, note.as_deref()))
                    .collect());
            }
        };
        wrong.extend(rows.iter().filter_map(|row| self.bad_address(row)));
        if wrong.is_empty() { Ok(rows) } else { Err(wrong) }
    }

    fn bad_address(&self, row: &PersonAddress) -> Option<BadPerson> {
        let address = row.address.clone();
        if !is_email_address(&address) {
            return Some(BadPerson::NotAnAddress(address));
        }
        let known = self.find(&address)?;
        Some(if known.id == row.person {
            BadPerson::Known { person: known.id, address }
        } else {
            BadPerson::Taken { address, person: known.id, name: known.name.clone() }
        })
    }
}

fn row(person: PersonId, name: &str, address: &str, from: Option<Date>, note: Option<&str>) -> PersonAddress {
    PersonAddress {
        id: 0,
        person,
        name: name.to_owned(),
        address: pi_email_text(address).unwrap_or_default(),
        from,
        note: note.map(str::to_owned),
    }
}

impl Person {
    fn aliases(&self) -> Vec<AttributionRule> {
        let mut starts: Vec<Option<Date>> = vec![None];
        starts.extend(
            self.addresses.iter().filter_map(|known| known.from.map(|from| Some(from.first_of_month()))),
        );
        starts.sort_unstable();
        starts.dedup();
        let mut rules = Vec::new();
        for (at, &from) in starts.iter().enumerate() {
            let current = self.address_on(from.unwrap_or(Date::MIN));
            let next = starts.get(at + 1).copied().flatten();
            let others = self.addresses.iter().filter(|known| known.address != current);
            rules.extend(others.map(|known| AttributionRule {
                id: RuleId(-self.id.0),
                source: None,
                key: RuleKey::Field(0),
                value: known.address.clone(),
                gives: Attribution { pi_email: Some(current.to_owned()), ..Attribution::default() },
                from,
                to: next.and_then(|next| next.yesterday().ok()),
                note: None,
            }));
        }
        rules
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(changes: &[PeopleChange]) -> Vec<PersonAddress> {
        let mut rows: Vec<PersonAddress> = Vec::new();
        for change in changes {
            for row in People::new(&rows).planned(change, &rows).unwrap() {
                rows.push(PersonAddress { id: i64::try_from(rows.len()).unwrap() + 1, ..row });
            }
        }
        rows
    }

    fn add(name: &str, addresses: &[&str]) -> PeopleChange {
        let addresses = addresses.iter().map(|&address| address.to_owned()).collect();
        PeopleChange::Add { name: name.to_owned(), addresses, note: None }
    }

    fn address(person: i64, address: &str, from: &str) -> PeopleChange {
        PeopleChange::Address {
            person: PersonId(person),
            address: address.to_owned(),
            from: from.parse().ok(),
            note: None,
        }
    }

    fn merge(person: i64, into: i64) -> PeopleChange {
        PeopleChange::Merge { person: PersonId(person), into: PersonId(into), note: None }
    }

    #[test]
    fn any_address_leads_to_the_person_and_the_last_that_began_is_current() {
        let changes = [
            add("Ada", &["Ada@Old.edu"]),
            add("Bo", &["bo@x.edu"]),
            address(1, "ada@new.edu", "2025-07-15"),
            add("A. Lovelace", &["al@x.edu"]),
            merge(3, 1),
        ];
        let people = People::new(&written(&changes));
        let told: Vec<String> = ["ada@old.edu", "AL@x.edu", "P-1", "p-2", "P-3", "eve@x.edu"]
            .iter()
            .map(|who| {
                let on = |day: &str| people.address_on(who, day.parse().unwrap());
                format!(
                    "{who}: {} {} {} {}",
                    people.key(who),
                    on("2025-06-30"),
                    on("2025-07-01"),
                    people.addresses(who).len()
                )
            })
            .collect();
        insta::assert_snapshot!(told.join("\n"), @r"
        ada@old.edu: P-1 ada@old.edu ada@new.edu 3
        AL@x.edu: P-1 ada@old.edu ada@new.edu 3
        P-1: P-1 ada@old.edu ada@new.edu 3
        p-2: P-2 bo@x.edu bo@x.edu 1
        P-3: P-3 P-3 P-3 1
        eve@x.edu: eve@x.edu eve@x.edu eve@x.edu 1
        ");
        let aliases = people.aliases();
        let told: Vec<String> = aliases
            .iter()
            .map(|rule| {
                let day = |day: Option<Date>| day.map_or_else(String::new, |day| day.to_string());
                format!(
                    "{} is {} {}..{}",
                    rule.value,
                    rule.gives.pi_email.as_deref().unwrap(),
                    day(rule.from),
                    day(rule.to)
                )
            })
            .collect();
        insta::assert_snapshot!(told.join("\n"), @r"
        al@x.edu is ada@old.edu ..2025-06-30
        ada@new.edu is ada@old.edu ..2025-06-30
        al@x.edu is ada@new.edu 2025-07-01..
        ada@old.edu is ada@new.edu 2025-07-01..
        ");
    }

    #[test]
    fn all_that_is_wrong_is_said() {
        let rows = written(&[
            add("Ada", &["ada@x.edu"]),
            add("Bo", &["bo@x.edu"]),
            address(2, "bo@y.edu", "2025-03-01"),
        ]);
        let people = People::new(&rows);
        let said: Vec<String> = [
            add(" ", &["bo@x.edu", "nobody"]),
            add("Eve", &[]),
            address(1, "bo@y.edu", ""),
            address(1, "Ada@X.edu", ""),
            address(2, "bo@z.edu", "2025-02-01"),
            address(9, "bo@z.edu", ""),
            merge(2, 2),
            merge(2, 7),
        ]
        .iter()
        .flat_map(|change| people.planned(change, &rows).unwrap_err())
        .map(|bad| bad.to_string())
        .collect();
        insta::assert_snapshot!(said.join("\n"), @r"
        a person needs a name
        `bo@x.edu` is an address of P-2 (Bo); if they are one: `people merge`
        `nobody` is not an e-mail address
        a person needs an address
        `bo@y.edu` is an address of P-2 (Bo); if they are one: `people merge`
        P-1 has `ada@x.edu` already
        P-2 has an address from 2025-03-01 on; a further one begins then or later
        P-9 is not known
        P-2 cannot be merged into itself
        P-7 is not known
        ");
    }
}
