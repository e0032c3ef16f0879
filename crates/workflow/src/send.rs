//! E-mail to each PI the statements of a period, at most once: that a message is about to be sent is
//! recorded first, so that what a crash leaves is uncertain, and known to be.

use std::collections::BTreeMap;

use billing::Period;
use billing::period::PeriodAct;
use documents::{EmailModel, EmailStatement, EmailText, statement_email};
use jiff::civil::Date;
use ledger::{
    AuditEvent, EmailFilter, EmailMessage, EmailRecord, MessageState, Reader, StatementDocument,
    StatementFilter, StatementRow, StatementVersion,
};
use mail::{Address, Attachment, Message, Sent};
use serde::Serialize;
use serde_json::json;

use crate::people::people;
use crate::render::{documents_of, load_documents};
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

/// A message that would go out, as it would read.
#[derive(Clone, Debug, Serialize)]
pub struct Outgoing {
    pub pi_email: String,
    pub subject: String,
    pub text: String,
    #[serde(skip)]
    pub html: String,
    pub statements: Vec<StatementRow>,
    pub attachments: Vec<Attached>,
}

/// A file that goes with a message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Attached {
    pub file_name: String,
    pub size_bytes: u64,
}

/// What `send` would do.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Pending {
    pub messages: Vec<Outgoing>,
    pub already_sent: u64,
    /// Messages that may have arrived, and are left alone unless asked to be sent again.
    pub uncertain: Vec<Delivery>,
    /// Statements whose documents are not rendered yet, as `S-2025-01-0001 v1`: nothing can be sent before.
    pub not_rendered: Vec<String>,
}

/// Attachments beyond this go by a further message each.
const ATTACHED_BYTES_MAX: u64 = 10 << 20;

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
    outcome.uncertain = unclear(&records, retry_uncertain);
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

/// What would go out, and nothing else happens: no message is recorded, none is sent.
///
/// # Errors
/// A period that was never opened; a subject that cannot be filled; what could not be read.
pub async fn preview(
    installation: &Installation,
    actor: &Actor,
    period: Period,
    retry_uncertain: bool,
) -> Result<Pending, WorkflowError> {
    let mut reader = installation.ledger.read().await?;
    periods::load(&mut reader, period).await?;
    let records =
        reader.list_messages(&EmailFilter { period: Some(period), ..EmailFilter::default() }).await?;
    let mut documents: BTreeMap<StatementVersion, Vec<StatementDocument>> = BTreeMap::new();
    let current = StatementFilter { period: Some(period), current: true, ..StatementFilter::default() };
    for document in reader.list_statement_documents(&current).await? {
        documents.entry(document.id.clone()).or_default().push(document);
    }
    let mut pending = Pending {
        already_sent: records.iter().filter(|record| record.state == MessageState::Sent).count() as u64,
        uncertain: unclear(&records, retry_uncertain),
        ..Pending::default()
    };
    for (pi_email, rows) in unsent(&mut reader, period, &records, retry_uncertain, actor.day()).await? {
        let rows: Vec<(StatementRow, Vec<StatementDocument>)> = rows
            .into_iter()
            .map(|row| {
                let own = documents.remove(&row.id).unwrap_or_default();
                (row, own)
            })
            .collect();
        let missing = rows.iter().filter(|(_, documents)| documents.is_empty());
        pending.not_rendered.extend(missing.map(|(row, _)| format!("{} v{}", row.id.number, row.id.version)));
        for batch in batches(rows) {
            let attachments = batch.iter().flat_map(|(row, documents)| attached(row, documents)).collect();
            let statements: Vec<StatementRow> = batch.into_iter().map(|(row, _)| row).collect();
            let words = words(installation, period, &pi_email, &statements, None)?;
            let EmailText { subject, text, html } = words;
            let pi_email = pi_email.clone();
            pending.messages.push(Outgoing { pi_email, subject, text, html, statements, attachments });
        }
    }
    Ok(pending)
}

/// Messages of which nobody knows whether they arrived.
fn unclear(records: &[EmailRecord], retry_uncertain: bool) -> Vec<Delivery> {
    let is_unclear = |(at, record): &(usize, &EmailRecord)| {
        record.state == MessageState::Uncertain && !made_up_for(record, &records[at + 1..])
    };
    let uncertain = records.iter().enumerate().filter(is_unclear).filter(|_| !retry_uncertain);
    let mut deliveries: Vec<Delivery> = uncertain
        .map(|(_, record)| Delivery::of(record, "it may have arrived: sending was cut off"))
        .collect();
    let sending = records.iter().filter(|record| record.state == MessageState::Sending);
    deliveries.extend(
        sending.map(|record| Delivery::of(record, "it is being sent at this moment, or sending was cut off")),
    );
    deliveries
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
    let mut with_documents = Vec::with_capacity(rows.len());
    for row in rows {
        let documents = documents_of(reader, &row.id).await?;
        with_documents.push((row, documents));
    }
    let mut messages = Vec::new();
    for batch in batches(with_documents) {
        let mut rows = Vec::with_capacity(batch.len());
        let mut files = Vec::new();
        for (row, _) in batch {
            files.extend(attachments(installation, reader, &row).await?);
            rows.push(row);
        }
        messages.push(message(installation, actor, period, pi_email, &rows, files, again)?);
    }
    Ok(messages)
}

/// The statements of each message: together, while their documents fit.
fn batches(
    rows: Vec<(StatementRow, Vec<StatementDocument>)>,
) -> Vec<Vec<(StatementRow, Vec<StatementDocument>)>> {
    let mut batches = vec![Vec::new()];
    let mut bytes = 0;
    for (row, documents) in rows {
        let size: u64 = documents.iter().map(|document| document.size_bytes).sum();
        if 0 < bytes && ATTACHED_BYTES_MAX < bytes + size {
            batches.push(Vec::new());
            bytes = 0;
        }
        bytes += size;
        if let Some(batch) = batches.last_mut() {
            batch.push((row, documents));
        }
    }
    batches
}

/// The files of a statement under the names that its reader sees.
pub(crate) fn attached(row: &StatementRow, documents: &[StatementDocument]) -> Vec<Attached> {
    let named = |document: &StatementDocument| Attached {
        file_name: document_name(row, document),
        size_bytes: document.size_bytes,
    };
    documents.iter().map(named).collect()
}

/// What a document of a statement is called, for people.
#[must_use]
pub fn document_name(row: &StatementRow, document: &StatementDocument) -> String {
    let name = match document.kind.as_str() {
        "csv" => documents::statement_csv_name,
        _ => documents::statement_file_name,
    };
    name(row.period, &row.pi_email, &row.project_id, &row.id.number, row.id.version)
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
        attachments.push(Attachment {
            file_name: document_name(row, &document),
            media_type: if document.kind == "csv" { "text/csv" } else { "application/pdf" }.to_owned(),
            bytes,
        });
    }
    Ok(attachments)
}

/// What a message says. `subject` stands for the configured one where it is known already.
pub(crate) fn words(
    installation: &Installation,
    period: Period,
    pi_email: &str,
    rows: &[StatementRow],
    subject: Option<&str>,
) -> Result<EmailText, Refusal> {
    let given = subject.map(|subject| subject.replace('{', "{{").replace('}', "}}"));
    let model = EmailModel {
        institution: installation.institution.name.clone(),
        contact_email: installation.institution.contact_email.clone(),
        pi_email: pi_email.to_owned(),
        period,
        currency: installation.settings.currency.clone(),
        statements: rows.iter().map(email_statement).collect(),
        subject_template: given.unwrap_or_else(|| installation.email.subject_template.clone()),
    };
    statement_email(&model).map_err(|error| Refusal::new(format!("email.subject_template: {error}")))
}

fn message(
    installation: &Installation,
    actor: &Actor,
    period: Period,
    pi_email: &str,
    rows: &[StatementRow],
    attachments: Vec<Attachment>,
    again: Option<&Again>,
) -> Result<(Message, EmailMessage), WorkflowError> {
    let settings = &installation.email;
    let text = words(installation, period, pi_email, rows, None)?;
    let statements: Vec<StatementVersion> = rows.iter().map(|row| row.id.clone()).collect();
    let files: Vec<String> = attachments.iter().map(|file| ledger::sha256_hex(&file.bytes)).collect();
    let digest = digest(pi_email, &text, &files, again.map(|again| again.before));
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

/// What makes a message the same message: whom it is for, what it says and what it carries (by digest);
/// and how many carried the same before, when it is sent again on purpose.
pub(crate) fn digest(pi_email: &str, text: &EmailText, files: &[String], again: Option<usize>) -> String {
    let first = ledger::sha256_hex(json!([pi_email, text.subject, text.text, files]).to_string().as_bytes());
    match again {
        None => first,
        Some(before) => ledger::sha256_hex(format!("{first} again {before}").as_bytes()),
    }
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
