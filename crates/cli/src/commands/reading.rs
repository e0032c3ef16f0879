//! What the attribution table and the rate book have in common: a change is shown before it is made, and what
//! was read before it is read again.

use std::fmt::Write as _;

use billing::{ImportId, LedgerNumber};
use serde::Serialize;
use serde_json::json;
use workflow::Installation;
use workflow::import::Outcome;
use workflow::reading::{self, Effect};

use super::Door;
use super::words::{count, joined, or_dash};
use crate::args::SureArgs;
use crate::output::{Column, Refusal, Table, exact};

/// So many PIs and projects are shown of what a change would do.
const SHOWN: usize = 20;

/// Show what a change would do, and ask. Whether it is to be made.
pub fn agreed(effect: &Effect, what: &str, sure: SureArgs, door: &Door) -> Result<bool, Refusal> {
    if sure.dry_run {
        door.output.data(effect, |effect| told(effect, door))?;
        return Ok(false);
    }
    if !door.output.is_json() {
        door.output.message(told(effect, door).trim_end());
    }
    door.output.confirm(&format!("{what}?"), sure.yes)?;
    Ok(true)
}

/// Read again what a recorded change concerns, and say what was done.
pub async fn done(
    installation: &Installation,
    number: LedgerNumber,
    effect: &Effect,
    words: &str,
    door: &Door,
) -> Result<(), Refusal> {
    let reread = read_again(installation, door).await?;
    let answer = json!({ "number": number, "effect": effect, "read_again": reread });
    Ok(door.output.data(&answer, |_| format!("{words} (act {number})\n"))?)
}

pub fn told(effect: &Effect, door: &Door) -> String {
    if effect.imports.is_empty() {
        return "no import of an open period is concerned\n".to_owned();
    }
    let mut text = format!(
        "would read again {} {}: {} with another owner or price; held {} before, {} after\n",
        if effect.imports.len() == 1 { "import" } else { "imports" },
        joined(&effect.imports),
        count(effect.charges, "charge", "charges"),
        effect.held_before,
        effect.held_after
    );
    if effect.projects.is_empty() {
        return text;
    }
    let mut table = Table::new(vec![
        Column::text("PI"),
        Column::text("project"),
        Column::number("charges"),
        Column::number("then"),
        Column::number("billed cost"),
        Column::number("then"),
    ]);
    for change in effect.projects.iter().take(SHOWN) {
        table.row([
            or_dash(change.pi_email.as_deref()),
            or_dash(change.project_id.as_deref()),
            change.rows_before.to_string(),
            change.rows_after.to_string(),
            exact(change.billed_before, door.currency()),
            exact(change.billed_after, door.currency()),
        ]);
    }
    text.push_str(&table.render());
    if SHOWN < effect.projects.len() {
        let _ = writeln!(text, "… and {} more", effect.projects.len() - SHOWN);
    }
    text
}

/// The imports that were read again, each with the one that took its place.
pub async fn read_again(
    installation: &workflow::Installation,
    door: &Door,
) -> Result<Vec<ReadAgain>, Refusal> {
    let say = |import| door.output.message(&format!("reading import {import} again"));
    let done = reading::apply(installation, &door.stamp(), &say).await?;
    let again =
        |(replaces, outcome): (ImportId, Outcome)| Some(ReadAgain { replaces, import: outcome.import? });
    let again: Vec<ReadAgain> = done.into_iter().filter_map(again).collect();
    for ReadAgain { replaces, import } in &again {
        door.output.message(&format!("import {import} takes the place of import {replaces}"));
    }
    Ok(again)
}

#[derive(Serialize)]
pub struct ReadAgain {
    import: ImportId,
    replaces: ImportId,
}

pub async fn apply(door: &Door) -> Result<(), Refusal> {
    let installation = door.installation().await?;
    let done = read_again(&installation, door).await?;
    let answer = json!({ "read_again": done });
    Ok(door.output.data(&answer, |_| match done.len() as u64 {
        0 => "everything was read with the rules as they stand\n".to_owned(),
        done => format!("read again {}\n", count(done, "import", "imports")),
    })?)
}
