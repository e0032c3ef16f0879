//! Splits: charges of a project, a PI or a source over several funds.

use billing::split::{BadSplit, SplitCharge, SplitId, SplitRule};
use billing::{ChargeId, LedgerNumber};
use jiff::civil::Date;
use ledger::{AuditEvent, Reader, RuleRow};
use serde_json::json;

use crate::charges::{Scope, charges, locate};
use crate::funding::Rules;
use crate::rules::{NOT_LONGER, day_before, may_end, unparsed_funds};
use crate::subsidies::{Effect, effects};
use crate::{Actor, Installation, Refusal, WorkflowError, imports};

/// A rule to be written, or the last day of one.
#[derive(Clone, Debug)]
pub enum Change {
    Add(Box<SplitRule>),
    End { rule: SplitId, on: Date, note: String },
}

/// All rules, also those that ended.
///
/// # Errors
/// What the ledger could not read.
pub async fn list(installation: &Installation) -> Result<Vec<RuleRow<SplitRule>>, WorkflowError> {
    Ok(installation.ledger.read().await?.rules(None).await?)
}

/// A charge as a split names it, and the first day from which it is split.
///
/// # Errors
/// A charge that does not exist or does not count.
pub async fn charge(installation: &Installation, id: ChargeId) -> Result<(SplitCharge, Date), WorkflowError> {
    let mut reader = installation.ledger.read().await?;
    imports::load(&mut reader, id.import).await?;
    let scope = Scope { period: None, import: Some(id.import) };
    let view = charges(installation, &mut reader, scope, &installation.settings, None).await?;
    let Some(charge) = view.charge(id).await? else {
        return Err(Refusal::new(format!("charge {id} does not exist, or counts no more"))
            .hint("`charges list` shows those that do")
            .into());
    };
    let fingerprint = charge.fingerprint;
    let located = locate(&view, &[fingerprint]).await?;
    let ordinal = located.iter().find(|found| found.charge.id == id).map_or(0, |found| found.ordinal);
    Ok((SplitCharge { id, fingerprint, ordinal }, charge.period.first_day()))
}

/// What a change would do to the open periods. Nothing is recorded.
///
/// # Errors
/// As [`change`].
pub async fn preview(installation: &Installation, change: &Change) -> Result<Vec<Effect>, WorkflowError> {
    let mut reader = installation.ledger.read().await?;
    let before = Rules::load(&mut reader, None).await?;
    let after = Rules { splits: changed(installation, &mut reader, change).await?, ..before.clone() };
    effects(installation, &mut reader, [&before, &after]).await
}

/// Record a change. It is for periods that are not closed.
///
/// # Errors
/// All that is wrong with the rule, at once; another that speaks of the same charges and days.
pub async fn change(
    installation: &Installation,
    actor: &Actor,
    change: &Change,
) -> Result<(SplitId, LedgerNumber), WorkflowError> {
    let mut tx = installation.ledger.begin().await?;
    changed(installation, &mut tx, change).await?;
    let (id, act, detail) = match change {
        Change::Add(rule) => {
            let written = tx.write_rules(std::slice::from_ref(&**rule), actor).await?;
            let id = SplitId(written[0]);
            (id, "split.written", json!(SplitRule { id, ..(**rule).clone() }))
        }
        Change::End { rule, on, note } => {
            tx.end_rule::<SplitRule>(rule.0, on, Some(note), actor).await?;
            (*rule, "split.ended", json!({ "last_day": on, "note": note }))
        }
    };
    let number = tx.commit(AuditEvent::new(actor, act, format!("split {id}"), detail)).await?;
    Ok((id, number))
}

/// The rules as they would be.
async fn changed(
    installation: &Installation,
    reader: &mut Reader,
    change: &Change,
) -> Result<Vec<SplitRule>, WorkflowError> {
    let mut all = Rules::load(reader, None).await?.splits;
    match change {
        Change::Add(rule) => {
            let mut wrong: Vec<String> =
                rule.check().err().unwrap_or_default().iter().map(BadSplit::to_string).collect();
            let unparsed =
                unparsed_funds(&installation.settings, rule.parts.iter().map(|part| &part.fund_org))?;
            wrong.extend(
                unparsed.into_iter().map(|fund| format!("`{fund}` does not match journal.fund_org_regex")),
            );
            if let Some(rival) = all.iter().find(|known| known.rivals(rule)) {
                let to = rival.to.map_or_else(String::new, |to| format!(" to {to}"));
                wrong.push(format!(
                    "split {} is for the same charges from {}{to}; end it first",
                    rival.id, rival.from
                ));
            }
            if !wrong.is_empty() {
                return Err(Refusal::new("the split cannot be written").details(wrong).into());
            }
            let id = SplitId(all.last().map_or(0, |rule| rule.id.0) + 1);
            all.push(SplitRule { id, ..(**rule).clone() });
        }
        Change::End { rule, on, .. } => {
            let Some(known) = all.iter_mut().find(|known| known.id == *rule) else {
                return Err(Refusal::new(format!("split {rule} is not known"))
                    .hint("`splits list --all` shows those that are")
                    .into());
            };
            may_end(&format!("split {rule}"), (Some(known.from), known.to), *on, day_before)
                .map_err(|why| Refusal::new(why).hint(NOT_LONGER))?;
            known.to = Some(*on);
        }
    }
    Ok(all)
}
