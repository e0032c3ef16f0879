//! `subsidy_state.json` of the `OpenAI` integration: what was used of caps before, as opening balances.

use std::collections::BTreeMap;

use billing::Period;
use billing::subsidy::{Opening, Scope};
use money::Amount;
use serde::Deserialize;
use serde_json::{Number, Value};

use super::{Planned, parsed};

#[derive(Deserialize)]
pub(super) struct State {
    /// By project, then `FY2026` or `2026`, then the subsidy's name.
    projects: BTreeMap<String, BTreeMap<String, BTreeMap<String, Used>>>,
}

#[derive(Deserialize)]
struct Used {
    used: Number,
    subsidized: Number,
}

/// What the files beside it say of projects.
#[derive(Default)]
pub(super) struct Known {
    /// PIs by project.
    pub owners: BTreeMap<String, String>,
    /// Projects by user.
    pub users: BTreeMap<String, String>,
}

impl Known {
    /// Of a project, or of the user that stands in its place: the project, its PI and, for a rule that counts by
    /// user, the user.
    fn place(&self, name: &str, scope: Scope) -> Result<(String, String, Option<String>), String> {
        let user = (scope == Scope::User).then(|| self.user_of(name)).transpose()?;
        let project = user.as_ref().and_then(|user| self.users.get(user)).map_or(name, String::as_str);
        let pi = self.owners.get(project).ok_or("no PI of the project; read projects.json with it")?;
        Ok((project.to_owned(), pi.clone(), user))
    }

    /// Sums were kept by project, whatever they were to be counted by.
    fn user_of(&self, name: &str) -> Result<String, String> {
        let user = name.trim().to_lowercase();
        if self.users.contains_key(&user) {
            return Ok(user);
        }
        let users: Vec<&String> =
            self.users.iter().filter(|(_, project)| *project == name).map(|(user, _)| user).collect();
        match users.as_slice() {
            [one] => Ok((*one).clone()),
            [] => Err("no user of the project; read projects.json with it".to_owned()),
            all => Err(format!(
                "it counts by user, and the project has {}: write what each used under their address, in place of \
                 the project",
                all.len()
            )),
        }
    }
}

pub(super) fn read(file: Value) -> Result<State, String> {
    parsed(file)
}

/// Whether a file's projects are those of a state: years within projects.
pub(super) fn is_state(file: &Value) -> bool {
    let Some(Value::Object(projects)) = file.get("projects") else { return false };
    let years = projects.values().filter_map(Value::as_object).flat_map(serde_json::Map::keys);
    !projects.is_empty() && years.map(|label| year_of(label)).all(|year| year.is_some())
}

/// Whether the year is a fiscal one, and which.
fn year_of(label: &str) -> Option<(bool, i16)> {
    let digits = label.trim_start_matches(['F', 'C', 'Y']);
    Some((label.starts_with('F'), digits.parse().ok().filter(|year| (1990..2200).contains(year))?))
}

impl State {
    /// Give the subsidies that are to be written what was used of them.
    ///
    /// # Errors
    /// All that has no place: subsidies that are not in the files, projects of which no PI is known, or several
    /// users where these are counted.
    pub(super) fn open(
        self,
        planned: &mut Planned,
        known: &Known,
        fiscal_year_start: u8,
    ) -> Result<(), Vec<String>> {
        let mut wrong = Vec::new();
        for (project, years) in self.projects {
            for (label, subsidies) in years {
                for (name, used) in subsidies {
                    let place = format!("`{project}`, {label}, `{name}`");
                    let Some(rule) = planned.subsidies.iter_mut().find(|rule| rule.name == name) else {
                        wrong.push(format!("{place}: no subsidy of that name; read subsidies.json with it"));
                        continue;
                    };
                    let opening = known
                        .place(&project, rule.scope)
                        .and_then(|owner| opening(owner, &label, &used, fiscal_year_start));
                    match opening {
                        Ok(opening) => rule.opening.push(opening),
                        Err(why) => wrong.push(format!("{place}: {why}")),
                    }
                }
            }
        }
        if wrong.is_empty() { Ok(()) } else { Err(wrong) }
    }
}

fn opening(
    (project, pi, user): (String, String, Option<String>),
    label: &str,
    of: &Used,
    fiscal_year_start: u8,
) -> Result<Opening, String> {
    let (is_fiscal, year) = year_of(label).ok_or("the year is not one")?;
    // A fiscal year has the name of the calendar year that it ends in.
    let period = match (is_fiscal, fiscal_year_start) {
        (true, 2..) => Period::new(year - 1, fiscal_year_start),
        _ => Period::new(year, 1),
    };
    let amount = |number: &Number| {
        let text = number.to_string();
        Amount::parse_total(&text).ok_or_else(|| format!("`{text}` is not an amount"))
    };
    Ok(Opening {
        pi_email: pi,
        project_id: project,
        user,
        period: period.ok_or("the year is not one")?,
        seen: amount(&of.used)?,
        paid: amount(&of.subsidized)?,
    })
}
