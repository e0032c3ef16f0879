//! What the attribution table, the rate book and people have in common: a change is recorded at once, and what
//! was read before it is read again as a job.

use billing::{ImportId, LedgerNumber};
use serde::Serialize;
use serde_json::{Value, json};
use workflow::import::Outcome;
use workflow::reading::{Effect, apply};

use super::answer::{Answer, Done, address, answer, begin};
use crate::App;
use crate::access::Caller;

pub const CHANGED: &str = "`number` of the act, `effect` as the command with `--dry-run --json`, and `job` where \
    imports are read again; of a dry run the effect alone";

/// Say what was recorded, and begin to read again what it concerns.
pub fn changed(app: &App, caller: &Caller, number: LedgerNumber, effect: &Effect, more: Value) -> Answer {
    let mut told = json!({ "number": number, "effect": effect });
    if let (Some(told), Value::Object(more)) = (told.as_object_mut(), more) {
        told.extend(more);
    }
    if !effect.imports.is_empty() {
        let id = begin_reading(app, caller);
        told["job"] = json!(id);
        told["at"] = json!(address(id));
    }
    answer(told)
}

#[derive(Serialize)]
struct ReadAgain {
    import: ImportId,
    replaces: ImportId,
}

pub fn begin_reading(app: &App, caller: &Caller) -> u64 {
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
