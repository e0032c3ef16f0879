//! Look at the messages of a period: where each stands, why it did not go out, and how it reads.

use billing::Period;
use documents::EmailText;
use ledger::{EmailFilter, EmailRecord, Reader, StatementFilter, StatementRow};
use serde::Serialize;

use crate::render::documents_of;
use crate::send::{Attached, attached, digest, words};
use crate::{Installation, Refusal, WorkflowError};

/// A message with its words.
#[derive(Clone, Debug, Serialize)]
pub struct EmailDetail {
    #[serde(flatten)]
    pub record: EmailRecord,
    pub statements: Vec<StatementRow>,
    pub attachments: Vec<Attached>,
    pub text: String,
    #[serde(skip)]
    pub html: String,
    /// The digest that was recorded says that these are the words that went out. Otherwise the institution's
    /// name or its contact has changed since, and this is how the message would read today.
    pub as_recorded: bool,
}

/// In the order they were made.
///
/// # Errors
/// What the ledger could not read.
pub async fn list(
    installation: &Installation,
    period: Option<Period>,
) -> Result<Vec<EmailRecord>, WorkflowError> {
    let filter = EmailFilter { period, ..EmailFilter::default() };
    Ok(installation.ledger.read().await?.list_messages(&filter).await?)
}

/// A message by its id, with angle brackets or without.
///
/// # Errors
/// An id that is not known.
pub async fn show(installation: &Installation, message_id: &str) -> Result<EmailDetail, WorkflowError> {
    let mut reader = installation.ledger.read().await?;
    let record = load(&mut reader, message_id).await?;
    let message = &record.message;
    let (mut statements, mut attachments, mut files) = (Vec::new(), Vec::new(), Vec::new());
    for id in &message.statements {
        let filter = StatementFilter { number: Some(id.number.clone()), ..StatementFilter::default() };
        let rows = reader.list_statements(&filter, None).await?;
        let Some(row) = rows.into_iter().find(|row| row.id == *id) else { continue };
        let documents = documents_of(&mut reader, id).await?;
        attachments.extend(attached(&row, &documents));
        files.extend(documents.into_iter().map(|document| document.sha256));
        statements.push(row);
    }
    let words = words(installation, message.period, &message.pi_email, &statements, Some(&message.subject))?;
    let all = EmailFilter { period: Some(message.period), ..EmailFilter::default() };
    let before = reader.list_messages(&all).await?.len();
    let is_recorded = |again| digest(&message.pi_email, &words, &files, again) == message.digest;
    let as_recorded = is_recorded(None) || (0..=before).any(|before| is_recorded(Some(before)));
    let EmailText { text, html, .. } = words;
    Ok(EmailDetail { record, statements, attachments, text, html, as_recorded })
}

async fn load(reader: &mut Reader, message_id: &str) -> Result<EmailRecord, WorkflowError> {
    let id = message_id.trim().trim_start_matches('<').trim_end_matches('>');
    let filter = EmailFilter { message_id: Some(format!("<{id}>")), ..EmailFilter::default() };
    let found = reader.list_messages(&filter).await?.into_iter().next();
    let unknown = || Refusal::new(format!("message `{id}` is not known")).hint("`emails list` shows the ids");
    Ok(found.ok_or_else(unknown)?)
}
