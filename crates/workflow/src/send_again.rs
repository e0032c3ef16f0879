//! Send one statement again, because somebody asked for it: a message of its own, with an id of its own.

use billing::StatementNumber;
use billing::period::PeriodAct;
use ledger::{EmailFilter, MessageState};

use crate::people::people;
use crate::send::{Again, How, Outcome, compose, send_one, settle_interrupted};
use crate::{Actor, Installation, Refusal, WorkflowError, periods};

/// E-mail the current version of a statement that was sent before. Each call sends one message.
///
/// # Errors
/// A statement that is not known, was not sent yet, or is being sent; no reason; a period that is open.
pub async fn send_again(
    installation: &Installation,
    actor: &Actor,
    number: &StatementNumber,
    reason: &str,
) -> Result<Outcome, WorkflowError> {
    let reason = reason.trim();
    if reason.is_empty() {
        return Err(Refusal::new(format!("cannot send {number} again: no reason was given"))
            .hint(format!("`send --again {number} --reason \"the PI lost it\"`"))
            .into());
    }
    settle_interrupted(installation, actor, false).await?;
    let mut reader = installation.ledger.read().await?;
    let Some(row) = reader.find_statement(number, None).await? else {
        return Err(Refusal::new(format!("statement `{number}` is not known"))
            .hint("`statements list` shows the numbers")
            .into());
    };
    periods::require(&mut reader, row.period, PeriodAct::Resend).await?;
    let filter = EmailFilter { period: Some(row.period), ..EmailFilter::default() };
    let mut carried = reader.list_messages(&filter).await?;
    carried.retain(|record| record.message.statements.contains(&row.id));
    let (what, period) = (format!("{} v{}", number, row.id.version), row.period);
    if carried.iter().any(|record| record.state == MessageState::Sending) {
        let refusal = Refusal::new(format!("cannot send {what} again: it is being sent at this moment"));
        return Err(refusal
            .hint("wait for it; what was cut off counts as uncertain after two minutes")
            .into());
    }
    if !carried.iter().any(|record| matches!(record.state, MessageState::Sent | MessageState::Uncertain)) {
        let refusal = Refusal::new(format!("cannot send {what} again: it has not been sent yet"));
        return Err(refusal.hint(format!("`send --period {period}` sends it")).into());
    }
    let again = Again { before: carried.len(), reason: reason.to_owned() };
    let pi_email = people(&mut reader, None).await?.address_on(&row.pi_email, actor.day());
    let composed =
        compose(installation, &mut reader, actor, period, &pi_email, vec![row], Some(&again)).await?;
    drop(reader);
    let mut outcome = Outcome::default();
    for (message, record) in composed {
        let how = How { retry_uncertain: false, again: Some(&again) };
        send_one(installation, actor, &message, &record, how, &mut outcome).await?;
    }
    Ok(outcome)
}
