//! `subsidy_state.json` of the `OpenAI` integration: what was used of caps before, as opening balances.

use std::collections::BTreeMap;

use billing::Period;
use billing::subsidy::Opening;
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
    /// All that has no place: subsidies that are not in the files, projects of which no PI is known.
    pub(super) fn open(
        self,
        planned: &mut Planned,
        owners: &BTreeMap<String, String>,
        fiscal_year_start: u8,
    ) -> Result<(), Vec<String>> {
        let mut wrong = Vec::new();
        for (project, years) in self.projects {
            let pi = owners.get(&project);
            for (label, subsidies) in years {
                for (name, used) in subsidies {
                    let place = format!("`{project}`, {label}, `{name}`");
                    let Some(rule) = planned.subsidies.iter_mut().find(|rule| rule.name == name) else {
                        wrong.push(format!("{place}: no subsidy of that name; read subsidies.json with it"));
                        continue;
                    };
                    let Some(pi) = pi else {
                        wrong.push(format!("{place}: no PI of the project; read projects.json with it"));
                        continue;
                    };
                    match opening(&project, pi, &label, &used, fiscal_year_start) {
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
    project: &str,
    pi: &str,
    label: &str,
    used: &Used,
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
        pi_email: pi.to_owned(),
        project_id: project.to_owned(),
        period: period.ok_or("the year is not one")?,
        seen: amount(&used.used)?,
        paid: amount(&used.subsidized)?,
    })
}
