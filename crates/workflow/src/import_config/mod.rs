//! Files of earlier integrations, read as rules: one module a format. What a file meant there and means otherwise
//! here is said in notes. Rules that are there already are left alone, so that a second run writes nothing.

mod accounts;
mod folder;
mod openings;
mod prices;
mod subsidies;
mod users;

use std::collections::BTreeMap;
use std::path::PathBuf;

use billing::attribution_table::{AttributionRule, RuleKey};
use billing::intake::ReadingRules;
use billing::rate::Rate;
use billing::subsidy::{SubsidyId, SubsidyRule};
use billing::{LedgerNumber, Period, SourceName};
use ledger::AuditEvent;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::attribution::{self, Change};
use crate::import_config::openings::{Known, State};
use crate::people::people;
use crate::reading::{self, Effect};
use crate::rules::rules;
use crate::{Actor, Installation, Refusal, WorkflowError, rates, subsidies as subsidy_rules};

/// What the files themselves do not say.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// Rules are for charges of this source only.
    pub source: Option<SourceName>,
    /// What the names of accounts, paths or users are looked for in, where not in the usual column.
    pub key: Option<RuleKey>,
    /// First billing period of prices and subsidies.
    pub from: Option<Period>,
}

/// The rules of the files, and what is to be known of them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Planned {
    pub attribution: Vec<AttributionRule>,
    pub rates: Vec<Rate>,
    pub subsidies: Vec<SubsidyRule>,
    /// Rules that are there already.
    pub known: usize,
    pub notes: Vec<String>,
}

impl Planned {
    /// Whether there is nothing to write.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.attribution.is_empty() && self.rates.is_empty() && self.subsidies.is_empty()
    }
}

/// The rules of one file.
#[derive(Default)]
struct Read {
    attribution: Vec<AttributionRule>,
    rates: Vec<Rate>,
    /// What was used of subsidies before.
    state: Option<State>,
    /// PIs by project, where the file names them.
    owners: BTreeMap<String, String>,
    /// Projects by user.
    users: BTreeMap<String, String>,
    subsidies: Vec<SubsidyRule>,
    notes: Vec<String>,
}

/// Read the files, and leave out what is there already.
///
/// # Errors
/// All files that cannot be read, each with why.
pub async fn plan(
    installation: &Installation,
    files: &[PathBuf],
    wanted: &Wanted,
) -> Result<Planned, WorkflowError> {
    let content = |path: &PathBuf| {
        let text = std::fs::read_to_string(path).map_err(|error| error.to_string());
        (path.display().to_string(), text)
    };
    plan_content(installation, files.iter().map(content).collect(), wanted).await
}

/// As [`plan`], of what the files say, or why they cannot be read, each with its name.
///
/// # Errors
/// All files that cannot be read, each with why.
pub async fn plan_content(
    installation: &Installation,
    files: Vec<(String, Result<String, String>)>,
    wanted: &Wanted,
) -> Result<Planned, WorkflowError> {
    let (mut planned, mut wrong) = (Planned::default(), Vec::new());
    let fiscal_year_start = installation.settings.subsidies.fiscal_year_start;
    let (mut states, mut known) = (Vec::new(), Known::default());
    for (name, text) in files {
        match text.and_then(|text| read(&text, wanted, fiscal_year_start)) {
            Ok(read) => {
                planned.attribution.extend(read.attribution);
                planned.rates.extend(read.rates);
                planned.subsidies.extend(read.subsidies);
                states.extend(read.state);
                known.owners.extend(read.owners);
                known.users.extend(read.users);
                planned.notes.extend(read.notes.into_iter().map(|note| format!("{name}: {note}")));
            }
            Err(why) => wrong.push(format!("{name}: {why}")),
        }
    }
    if !wrong.is_empty() {
        return Err(Refusal::new("not every file can be read; nothing was written").details(wrong).into());
    }
    for state in states {
        if let Err(why) = state.open(&mut planned, &known, fiscal_year_start) {
            return Err(Refusal::new("not every opening balance has a place; nothing was written")
                .details(why)
                .into());
        }
    }
    let all = planned.attribution.len() + planned.rates.len() + planned.subsidies.len();
    planned.attribution = attribution::new_rules(installation, planned.attribution).await?;
    let known: Vec<SubsidyRule> = rules(&mut installation.ledger.read().await?, None).await?;
    let numberless = |rule: &SubsidyRule| SubsidyRule { id: SubsidyId::default(), ..rule.clone() };
    planned.subsidies.retain(|rule| !known.iter().any(|known| numberless(known) == *rule));
    planned.rates = rates::new_rates(installation, planned.rates).await?;
    planned.known = all - planned.attribution.len() - planned.rates.len() - planned.subsidies.len();
    Ok(planned)
}

/// What the rules would do to open periods, as far as they are about reading. Nothing is recorded.
///
/// # Errors
/// As [`write()`].
pub async fn preview(
    installation: &Installation,
    actor: &Actor,
    planned: &Planned,
) -> Result<Effect, WorkflowError> {
    let mut reader = installation.ledger.read().await?;
    let (_, table) = attribution::changed(installation, &mut reader, &change(planned)).await?;
    let rates = rates::changed(installation, &mut reader, &rate_change(planned)).await?.book;
    let now = attribution::with_people(table, &people(&mut reader, None).await?);
    let change = |rules: &mut ReadingRules| (rules.attribution.now, rules.rates) = (now, rates);
    reading::preview(installation, actor, reader, change).await
}

/// Write all rules, or none. [`reading::apply`] then reads again what they concern.
///
/// # Errors
/// All that is wrong with the rules.
pub async fn write(
    installation: &Installation,
    actor: &Actor,
    planned: &Planned,
    files: &[PathBuf],
) -> Result<LedgerNumber, WorkflowError> {
    let mut tx = installation.ledger.begin().await?;
    let (add, _) = attribution::changed(installation, &mut tx, &change(planned)).await?;
    let book = rates::changed(installation, &mut tx, &rate_change(planned)).await?;
    for rule in &planned.subsidies {
        let add = subsidy_rules::Change::Add(Box::new(rule.clone()));
        subsidy_rules::changed(installation, &mut tx, &add).await?;
    }
    let attribution = tx.write_rules(&add, actor).await?;
    let rates = tx.write_rules(&book.add, actor).await?;
    let subsidies = tx.write_rules(&planned.subsidies, actor).await?;
    let names: Vec<String> = files.iter().map(|path| path.display().to_string()).collect();
    let detail = json!({
        "attribution": attribution,
        "rates": rates,
        "subsidies": subsidies,
        "notes": planned.notes,
    });
    Ok(tx.commit(AuditEvent::new(actor, "configuration.imported", names.join(", "), detail)).await?)
}

fn rate_change(planned: &Planned) -> rates::Change {
    rates::Change { add: planned.rates.clone(), ..rates::Change::default() }
}

fn change(planned: &Planned) -> Change {
    Change { add: planned.attribution.clone(), ..Change::default() }
}

fn read(text: &str, wanted: &Wanted, fiscal_year_start: u8) -> Result<Read, String> {
    let file: Value = serde_json::from_str(text).map_err(|error| format!("it is not JSON: {error}"))?;
    let has = |name: &str| file.get(name).is_some();
    let list = |name: &str| file.get(name).is_some_and(Value::is_array);
    if has("accounts") {
        accounts::read(file, wanted, accounts::SLURM)
    } else if list("projects") {
        users::read(file, wanted)
    } else if openings::is_state(&file) {
        Ok(Read { state: Some(openings::read(file)?), ..Read::default() })
    } else if has("projects") {
        accounts::read(file, wanted, accounts::PATHS)
    } else if list("subsidies") {
        subsidies::read(file, wanted, fiscal_year_start)
    } else if has("credit_pools") {
        prices::pools(file, wanted)
    } else if has("ratePerTBMonth") || has("monthlyRatePerGB") {
        prices::storage(file, wanted)
    } else if file.pointer("/rates/suRate").is_some() {
        prices::partitions(file, wanted)
    } else if has("tiers") || has("vmTiers") {
        prices::machines(file, wanted)
    } else if has("pi_email") {
        folder::read(file, wanted)
    } else {
        Err("it is none of accounts.json, projects.json, tiers.json, rates.json, pricing.json, subsidies.json, subsidy_state.json and .openchargeback.json".to_owned())
    }
}

fn parsed<T: DeserializeOwned>(file: Value) -> Result<T, String> {
    serde_json::from_value(file).map_err(|error| error.to_string())
}

/// A field that says nothing is not there.
fn said(text: Option<String>) -> Option<String> {
    text.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty())
}
