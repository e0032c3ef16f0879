//! E-mail to each PI the statements of a period, at most once: that a message is about to be sent is
//! recorded first, so that what a crash leaves is uncertain, and known to be.

use std::collections::BTreeMap;

use billing::Period;
use billing::period::PeriodAct;
use documents::{EmailModel, EmailStatement, statement_email};
use jiff::civil::Date;
use ledger::{
    AuditEvent, EmailFilter, EmailMessage, EmailRecord, MessageState, Reader, StatementRow, StatementVersion,
};
use mail::{Address, Attachment, Message, Sent};
use serde::Serialize;
use serde_json::json;

use crate::people::people;
use crate::render::load_documents;
use crate::{Actor, Installation, Refusal, WorkflowError, periods};

/// What became of the messages of a period.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Outcome {
    pub sent: Vec<Delivery>,
    pub failed: Vec<Delivery>,
    pub uncertain: Vec<Delivery>,
    /// Messages that had been sent before, and were left alone.
    pub already_sent: u64,
}

#[derive(Clone, Debug, Serialize)]
pub struct Delivery {
    pub pi_email: String,
    pub message_id: String,
    pub statements: Vec<String>,
    /// What the server said, or the file that was written.
    pub detail: String,
}

/// Attachments beyond this go by a further message each.
const ATTACHED_BYTES_MAX: usize = 10 << 20;

/// A sender that was cut off is given this long before what it was sending counts as uncertain.
const SENDER_PATIENCE: jiff::SignedDuration = jiff::SignedDuration::from_secs(120);

/// Send what has not been sent. One refused message does not hold up the others.
///
/// # Errors
/// A period that is not closed; statements without documents; what could not be read.
pub async fn send(
    installation: &Installation,
    actor: &Actor,
    period: Period,
    retry_uncertain: bool,
    progress: &(dyn Fn(usize, usize) + Sync),
) -> Result<Outcome, WorkflowError> {
    let mut reader = installation.ledger.read().await?;
    periods::load(&mut reader, period).await?;
    drop(reader);
    settle_interrupted(installation, actor, retry_uncertain).await?;
    let mut reader = installation.ledger.read().await?;
    let records =
        reader.list_messages(&EmailFilter { period: Some(period), ..EmailFilter::default() }).await?;
    let by_pi = unsent(&mut reader, period, &records, retry_uncertain, actor.day()).await?;
    let act = if by_pi.is_empty() { PeriodAct::Resend } else { PeriodAct::Send };
    periods::require(&mut reader, period, act).await?;
    let mut outcome = Outcome {
        already_sent: records.iter().filter(|record| record.state == MessageState::Sent).count() as u64,
        ..Outcome::default()
    };
    let unclear = |(at, record): &(usize, &EmailRecord)| {
        record.state == MessageState::Uncertain && !made_up_for(record, &records[at + 1..])
    };
    for (_, record) in records.iter().enumerate().filter(unclear).filter(|_| !retry_uncertain) {
        outcome.uncertain.push(Delivery::of(record, "it may have arrived: sending was cut off"));
    }
    for record in records.iter().filter(|record| record.state == MessageState::Sending) {
        outcome
            .uncertain
            .push(Delivery::of(record, "it is being sent at this moment, or sending was cut off"));
    }
    if !by_pi.is_empty() && installation.email.from_address.is_empty() {
        return Err(Refusal::new("e-mails have no sender: `email.from_address` is not set")
            .hint("add to the configuration:\nemail:\n  from_address: billing@example.edu")
            .into());
    }
    let mut messages = Vec::new();
    for (pi_email, rows) in by_pi {
        messages.extend(compose(installation, &mut reader, actor, period, &pi_email, rows, None).await?);
    }
    drop(reader);
    let total = messages.len();
    for (at, (message, record)) in messages.into_iter().enumerate() {
        let how = How { retry_uncertain, again: None };
        send_one(installation, actor, &message, &record, how, &mut outcome).await?;
        progress(at + 1, total);
    }
    Ok(outcome)
}

/// What was being sent when something stopped it may have arrived.
pub(crate) async fn settle_interrupted(
    installation: &Installation,
    actor: &Actor,
    retry_uncertain: bool,
) -> Result<(), WorkflowError> {
    let mut tx = installation.ledger.begin().await?;
    // Who asks to retry what is uncertain says that no other sender is at work.
    let patience = if retry_uncertain { jiff::SignedDuration::from_secs(-1) } else { SENDER_PATIENCE };
    let before = actor.at.saturating_sub(patience).unwrap_or(actor.at);
    let crashed = tx.mark_crashed_as_uncertain(before, actor).await?;
    if !crashed.is_empty() {
        let detail = json!({ "messages": crashed });
        tx.commit(AuditEvent::new(actor, "email.uncertain", "interrupted messages", detail)).await?;
    }
    Ok(())
}

/// Whether all that a message carried went out again with later ones.
fn made_up_for(record: &EmailRecord, later: &[EmailRecord]) -> bool {
    let sent = |id: &StatementVersion| {
        later.iter().any(|later| later.state == MessageState::Sent && later.message.statements.contains(id))
    };
    record.message.statements.iter().all(sent)
}

/// Current statements that no message has carried yet, by the current address of their PI.
async fn unsent(
    reader: &mut Reader,
    period: Period,
    records: &[EmailRecord],
    retry_uncertain: bool,
    today: Date,
) -> Result<BTreeMap<String, Vec<StatementRow>>, WorkflowError> {
    let carried = |id: &StatementVersion| {
        records.iter().any(|record| {
            let again = match record.state {
                MessageState::Queued | MessageState::Failed => true,
                MessageState::Uncertain => retry_uncertain,
                MessageState::Sending | MessageState::Sent => false,
            };
            !again && record.message.statements.contains(id)
        })
    };
    let people = people(reader, None).await?;
    let mut by_pi: BTreeMap<String, Vec<StatementRow>> = BTreeMap::new();
    for row in reader.current_statements(period, None).await? {
        if !carried(&row.id) {
            by_pi.entry(people.address_on(&row.pi_email, today)).or_default().push(row);
        }
    }
    Ok(by_pi)
}

/// What was sent before is sent again on purpose: as a message of its own, with an id of its own, which
/// goes out at most once like any other.
pub(crate) struct Again {
    /// How many messages carried it before.
    pub before: usize,
    pub reason: String,
}

/// One message for a PI with all statements attached; more where they are too large for one.
pub(crate) async fn compose(
    installation: &Installation,
    reader: &mut Reader,
    actor: &Actor,
    period: Period,
    pi_email: &str,
    rows: Vec<StatementRow>,
    again: Option<&Again>,
) -> Result<Vec<(Message, EmailMessage)>, WorkflowError> {
    let mut batches: Vec<Vec<(StatementRow, Vec<Attachment>)>> = vec![Vec::new()];
    let mut bytes = 0;
    for row in rows {
        let attachments = attachments(installation, reader, &row).await?;
        let size: usize = attachments.iter().map(|attachment| attachment.bytes.len()).sum();
        if 0 < bytes && ATTACHED_BYTES_MAX < bytes + size {
            batches.push(Vec::new());
            bytes = 0;
        }
        bytes += size;
        if let Some(batch) = batches.last_mut() {
            batch.push((row, attachments));
        }
    }
    batches.into_iter().map(|batch| message(installation, actor, period, pi_email, batch, again)).collect()
}

async fn attachments(
    installation: &Installation,
    reader: &mut Reader,
    row: &StatementRow,
) -> Result<Vec<Attachment>, WorkflowError> {
    let documents = load_documents(installation, reader, &row.id).await?;
    if documents.is_empty() {
        return Err(Refusal::new(format!("statement {} has no document yet", row.id.number))
            .hint(format!("`generate --period {}` renders what is missing", row.period))
            .into());
    }
    let mut attachments = Vec::new();
    for (document, bytes) in documents {
        let name = match document.kind.as_str() {
            "csv" => documents::statement_csv_name,
            _ => documents::statement_file_name,
        };
        attachments.push(Attachment {
            file_name: name(row.period, &row.pi_email, &row.project_id, &row.id.number, row.id.version),
            media_type: if document.kind == "csv" { "text/csv" } else { "application/pdf" }.to_owned(),
            bytes,
        });
    }
    Ok(attachments)
}

fn message(
    installation: &Installation,
    actor: &Actor,
    period: Period,
    pi_email: &str,
    batch: Vec<(StatementRow, Vec<Attachment>)>,
    again: Option<&Again>,
) -> Result<(Message, EmailMessage), WorkflowError> {
    let settings = &installation.email;
    let model = EmailModel {
        institution: installation.institution.name.clone(),
        contact_email: installation.institution.contact_email.clone(),
        pi_email: pi_email.to_owned(),
        period,
        currency: installation.settings.currency.clone(),
        statements: batch.iter().map(|(row, _)| email_statement(row)).collect(),
        subject_template: settings.subject_template.clone(),
    };
    let text =
        statement_email(&model).map_err(|error| Refusal::new(format!("email.subject_template: {error}")))?;
    let statements: Vec<StatementVersion> = batch.iter().map(|(row, _)| row.id.clone()).collect();
    let attachments: Vec<Attachment> = batch.into_iter().flat_map(|(_, attachments)| attachments).collect();
    let digest = digest(pi_email, &text.subject, &text.text, &attachments);
    let digest = match again {
        None => digest,
        Some(again) => ledger::sha256_hex(format!("{digest} again {}", again.before).as_bytes()),
    };
    let domain = settings.from_address.rsplit_once('@').map_or("localhost", |(_, domain)| domain);
    let message_id = format!("<{period}.{}@{domain}>", &digest[..24]);
    let message = Message {
        message_id: message_id.clone(),
        from: Address { name: settings.from_name.clone(), email: settings.from_address.clone() },
        to: Address { name: String::new(), email: pi_email.to_owned() },
        reply_to: Some(installation.institution.contact_email.clone())
            .filter(|contact| !contact.is_empty() && *contact != settings.from_address)
            .map(|email| Address { name: String::new(), email }),
        date: actor.at.into(),
        subject: text.subject.clone(),
        text: text.text,
        html: text.html,
        attachments,
    };
    let record = EmailMessage {
        message_id,
        period,
        pi_email: pi_email.to_owned(),
        subject: text.subject,
        statements,
        digest,
    };
    Ok((message, record))
}

fn email_statement(row: &StatementRow) -> EmailStatement {
    EmailStatement {
        number: row.id.number.0.clone(),
        version: row.id.version,
        project_id: row.project_id.clone(),
        list: row.totals.list,
        discount: row.totals.discount,
        subsidy: row.totals.subsidy,
        due: row.totals.due,
        attached: true,
    }
}

/// What makes a message the same message: whom it is for, what it says and what it carries.
fn digest(pi_email: &str, subject: &str, text: &str, attachments: &[Attachment]) -> String {
    let files: Vec<String> = attachments.iter().map(|file| ledger::sha256_hex(&file.bytes)).collect();
    ledger::sha256_hex(json!([pi_email, subject, text, files]).to_string().as_bytes())
}

/// On whose word a message goes out that would not go by itself.
#[derive(Clone, Copy)]
pub(crate) struct How<'a> {
    pub retry_uncertain: bool,
    pub again: Option<&'a Again>,
}

pub(crate) async fn send_one(
    installation: &Installation,
    actor: &Actor,
    message: &Message,
    record: &EmailMessage,
    how: How<'_>,
    outcome: &mut Outcome,
) -> Result<(), WorkflowError> {
    let id = record.message_id.as_str();
    let mut tx = installation.ledger.begin().await?;
    if tx.find_message(id).await?.is_some_and(|known| known.state == MessageState::Uncertain)
        && how.retry_uncertain
    {
        tx.retry_uncertain(id, actor).await?;
    }
    tx.queue_message(record, actor).await?;
    tx.record_sending(id, actor).await?;
    let mut detail = json!({ "message_id": id, "statements": record.statements });
    if let Some(again) = how.again {
        detail["again"] = json!(again.reason);
    }
    tx.commit(AuditEvent::new(actor, "email.sending", &record.pi_email, detail.clone())).await?;
    let sent = installation.email.outbox.send(message).await;
    failpoint::hit("workflow.send.handed_over");
    let mut tx = installation.ledger.begin().await?;
    let (act, what) = match &sent {
        Ok(sent) => {
            tx.record_sent(id, actor).await?;
            ("email.sent", said(installation, sent))
        }
        Err(error) if error.is_uncertain() => {
            tx.record_uncertain(id, &error.to_string(), actor).await?;
            ("email.uncertain", crate::import::chain(error))
        }
        Err(error) => {
            tx.record_failed(id, &error.to_string(), actor).await?;
            ("email.failed", crate::import::chain(error))
        }
    };
    tx.commit(AuditEvent::new(actor, act, &record.pi_email, detail)).await?;
    let delivery = Delivery {
        pi_email: record.pi_email.clone(),
        message_id: id.to_owned(),
        statements: record.statements.iter().map(|id| id.number.0.clone()).collect(),
        detail: what,
    };
    match act {
        "email.sent" => outcome.sent.push(delivery),
        "email.uncertain" => outcome.uncertain.push(delivery),
        _ => outcome.failed.push(delivery),
    }
    Ok(())
}

fn said(installation: &Installation, sent: &Sent) -> String {
    match sent {
        Sent::Accepted { reply } => reply.clone(),
        Sent::Written { eml, .. } => installation.folders.shown(eml).to_string(),
        Sent::Kept => "kept".to_owned(),
    }
}

impl Delivery {
    fn of(record: &EmailRecord, detail: &str) -> Delivery {
        Delivery {
            pi_email: record.message.pi_email.clone(),
            message_id: record.message.message_id.clone(),
            statements: record.message.statements.iter().map(|id| id.number.0.clone()).collect(),
            detail: detail.to_owned(),
        }
    }
}
