//! What all rules and people have in common here: a change is answered with its effect, recorded at once, and
//! what was read before it is read again as a job.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use billing::{ImportId, Period};
use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;
use workflow::import::Outcome;
use workflow::people;
use workflow::reading::apply;

use super::answer::{Answer, Done, address, answer, begin};
use super::asked::{Given, Nothing, Words};
use crate::App;
use crate::access::Caller;
use crate::change::{About, Change, Effect};
use crate::error::PageResult;

/// What a change of owners and prices is answered.
pub const CHANGED: &str = "`number` of the act, `effect` as the command with `--dry-run --json`, and `job` where \
    imports are read again; of a dry run the effect alone";

/// What a change of who pays is answered.
pub const FUNDED: &str = "`rule`, `number` of the act, `effect` on open periods, as the command with `--json`; of a dry run the effect alone";

/// Say what it would change, or change it.
pub async fn change(app: &App, caller: &Caller, dry_run: bool, change: Change) -> Answer {
    let effect = change.preview(&app.installation, &caller.actor()).await?;
    if dry_run {
        return answer(effect);
    }
    answer(write(app, caller, &change, &effect).await?)
}

/// Record it, say what was, and begin to read again what it concerns.
///
/// # Errors
/// What the act refuses.
pub async fn write(app: &App, caller: &Caller, change: &Change, effect: &Effect) -> PageResult<Value> {
    let written = change.write(&app.installation, &caller.actor()).await?;
    let mut told = json!({ "number": written.number, "effect": effect });
    match written.about {
        About::Table => {}
        About::Rule(rule, _) => told["rule"] = json!(rule),
        About::Person(person) => {
            told["person"] = json!(people::show(&app.installation, &person.to_string()).await?);
        }
    }
    if let Effect::Reading(effect) = effect
        && !effect.imports.is_empty()
    {
        let id = begin_reading(app, caller);
        told["job"] = json!(id);
        told["at"] = json!(address(id));
    }
    Ok(told)
}

/// Every rule of a file is there already.
pub fn nothing_new() -> Answer {
    answer(json!({ "number": null, "effect": null }))
}

/// `attribution apply` and `rates apply`.
pub async fn read_again(State(app): State<App>, caller: Caller, Given(Nothing {}): Given<Nothing>) -> Answer {
    let id = begin_reading(&app, &caller);
    Ok((StatusCode::ACCEPTED, axum::Json(json!({ "job": id, "at": address(id) }))).into_response())
}

#[derive(Serialize)]
struct ReadAgain {
    import: ImportId,
    replaces: ImportId,
}

fn begin_reading(app: &App, caller: &Caller) -> u64 {
    let (installation, actor) = (app.installation.clone(), caller.actor());
    begin(app, caller, ("What rules changed is read again".to_owned(), None), |progress| async move {
        let told = |import: ImportId| progress.say(&format!("reading import {import} again"), 0, None);
        let done = apply(&installation, &actor, &told).await?;
        let again =
            |(replaces, outcome): (ImportId, Outcome)| Some(ReadAgain { replaces, import: outcome.import? });
        let again: Vec<ReadAgain> = done.into_iter().filter_map(again).collect();
        let said = match again.len() {
            0 => "everything was read with the rules as they stand".to_owned(),
            1 => "one import was read again".to_owned(),
            many => format!("{many} imports were read again"),
        };
        Done::new(said, "/imports", json!({ "read_again": again }))
    })
}

/// The day of the request, as commands have it.
pub fn today(caller: &Caller) -> Date {
    caller.actor().day()
}

/// The end of a rule that is for days.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LastDay {
    /// Its last day
    #[schema(value_type = String, format = Date)]
    pub on: Date,
    /// Why, for the audit trail
    #[schema(value_type = Option<String>)]
    pub note: Option<Words>,
}

/// The end of a rule that is for billing periods.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LastPeriod {
    /// Its last billing period
    #[schema(value_type = String, example = "2025-06")]
    pub last: Period,
    /// Why, for the audit trail
    #[schema(value_type = Option<String>)]
    pub note: Option<Words>,
}

/// Of words that may be left out.
pub fn text(words: Option<Words>) -> Option<String> {
    words.map(|words| words.0)
}
