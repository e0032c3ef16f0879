//! What splits and subsidies have in common: a change of who pays is shown before it is made.

use std::fmt::Display;

use ledger::LedgerNumber;
use serde::Serialize;
use serde_json::json;
use workflow::subsidies::Effect;

use super::Door;
use crate::args::SureArgs;
use crate::output::{Column, Refusal, Table};

/// Show what a change would do, and ask. Whether it is to be made.
pub fn agreed(effects: &[Effect], what: &str, sure: SureArgs, door: &Door) -> Result<bool, Refusal> {
    if sure.dry_run {
        door.output.data(&effects, |effects| told(effects, door))?;
        return Ok(false);
    }
    if !door.output.is_json() {
        door.output.message(told(effects, door).trim_end());
    }
    door.output.confirm(&format!("{what}?"), sure.yes)?;
    Ok(true)
}

/// Say that a rule was written or ended: `words` follow its name.
pub fn done<Id: Serialize + Display>(
    (rule, number): (Id, LedgerNumber),
    words: &str,
    effects: &[Effect],
    door: &Door,
) -> Result<(), Refusal> {
    let answer = json!({ "rule": rule, "number": number, "effect": effects });
    Ok(door.output.data(&answer, |_| format!("{words} (act {number})\n"))?)
}

fn told(effects: &[Effect], door: &Door) -> String {
    if effects.is_empty() {
        return "no statement of an open period would be another\n".to_owned();
    }
    let mut table = Table::new(vec![
        Column::text("period"),
        Column::number("statements"),
        Column::number("subsidy"),
        Column::number("then"),
        Column::number("amount due"),
        Column::number("then"),
    ]);
    for effect in effects {
        let amount = |amount| door.currency().display(amount);
        table.row([
            effect.period.to_string(),
            effect.statements.to_string(),
            amount(effect.subsidy_before),
            amount(effect.subsidy_after),
            amount(effect.due_before),
            amount(effect.due_after),
        ]);
    }
    table.render()
}
