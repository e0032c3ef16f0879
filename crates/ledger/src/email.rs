//! E-mail: messages and what became of them. At most once: `sending` is committed before the first byte
//! leaves; a message whose sending was cut off is `uncertain` and goes again only when a person says so.

use std::collections::BTreeMap;

use billing::period::Stamp;
use billing::{LedgerNumber, Period, StatementNumber};
use jiff::Timestamp;
use serde::Serialize;

use crate::books::{Table, Value};
use crate::error::LedgerError;
use crate::query::{Cells, Query, Reader};
use crate::statement::StatementVersion;
use crate::tx::Tx;

pub(crate) const EMAIL_MESSAGE: Table =
    Table { name: "email_message", columns: &["message_id", "period", "pi_email", "subject", "digest"] };

pub(crate) const EMAIL_STATEMENT: Table =
    Table { name: "email_statement", columns: &["message_id", "statement_number", "version"] };

pub(crate) const EMAIL_EVENT: Table =
    Table { name: "email_event", columns: &["message_id", "event", "error", "at", "by_user"] };

/// A message to a PI. Its id is stable: the same statements make the same message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct EmailMessage {
    pub message_id: String,
    pub period: Period,
    pub pi_email: String,
    pub subject: String,
    pub statements: Vec<StatementVersion>,
    /// SHA-256 of what is sent.
    pub digest: String,
}

/// Where a message stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum MessageState {
    Queued,
    Sending,
    Sent,
    /// The server refused it: it did not go out and may go again.
    Failed,
    /// Sending was cut off: it may have gone out.
    Uncertain,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct EmailEvent {
    pub number: LedgerNumber,
    pub state: MessageState,
    pub error: Option<String>,
    pub stamp: Stamp,
}

/// A message with its events, oldest first; there is always one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct EmailRecord {
    #[serde(flatten)]
    pub message: EmailMessage,
    pub state: MessageState,
    pub events: Vec<EmailEvent>,
}

#[derive(Clone, Debug, Default)]
pub struct EmailFilter {
    pub period: Option<Period>,
    pub pi_email: Option<String>,
    pub message_id: Option<String>,
}

impl MessageState {
    pub const ALL: [MessageState; 5] = [
        MessageState::Queued,
        MessageState::Sending,
        MessageState::Sent,
        MessageState::Failed,
        MessageState::Uncertain,
    ];

    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            MessageState::Queued => "queued",
            MessageState::Sending => "sending",
            MessageState::Sent => "sent",
            MessageState::Failed => "failed",
            MessageState::Uncertain => "uncertain",
        }
    }

    fn read(row: &Cells) -> Result<MessageState, LedgerError> {
        match row.str("event")? {
            "queued" => Ok(MessageState::Queued),
            "sending" => Ok(MessageState::Sending),
            "sent" => Ok(MessageState::Sent),
            "failed" => Ok(MessageState::Failed),
            "uncertain" => Ok(MessageState::Uncertain),
            other => Err(LedgerError::unreadable("email_event.event", other)),
        }
    }

    /// The one table of what may follow what.
    const fn may_become(self, next: MessageState) -> bool {
        use MessageState::{Failed, Queued, Sending, Sent, Uncertain};
        match next {
            Sending => matches!(self, Queued | Failed),
            Sent | Failed | Uncertain => matches!(self, Sending),
            // Only a person who accepts that it may arrive twice.
            Queued => matches!(self, Uncertain),
        }
    }
}

fn filtered(base: &str, filter: &EmailFilter) -> Query {
    Query::new(base)
        .and_some("message.period =", filter.period)
        .and_some("message.pi_email =", filter.pi_email.as_deref())
        .and_some("message.message_id =", filter.message_id.as_deref())
}

impl Reader {
    /// In the order they were queued.
    pub async fn list_messages(&mut self, filter: &EmailFilter) -> Result<Vec<EmailRecord>, LedgerError> {
        let query = filtered(
            "SELECT message.message_id, message.period, message.pi_email, message.subject, message.digest \
             FROM email_message message WHERE 1 = 1",
            filter,
        );
        let messages = self
            .rows(query.then("ORDER BY message.number, message.seq"), |row| {
                Ok(EmailMessage {
                    message_id: row.text("message_id")?,
                    period: row.period("period")?,
                    pi_email: row.text("pi_email")?,
                    subject: row.text("subject")?,
                    statements: Vec::new(),
                    digest: row.text("digest")?,
                })
            })
            .await?;
        let mut statements = self.statements_by_message(filter).await?;
        let mut events = self.events_by_message(filter).await?;
        messages
            .into_iter()
            .map(|mut message| {
                message.statements = statements.remove(&message.message_id).unwrap_or_default();
                let events = events.remove(&message.message_id).unwrap_or_default();
                let last = events.last().map(|event: &EmailEvent| event.state);
                let state = last.ok_or_else(|| LedgerError::missing("e-mail event", &message.message_id))?;
                Ok(EmailRecord { message, state, events })
            })
            .collect()
    }

    pub async fn find_message(&mut self, message_id: &str) -> Result<Option<EmailRecord>, LedgerError> {
        let filter = EmailFilter { message_id: Some(message_id.to_owned()), ..EmailFilter::default() };
        Ok(self.list_messages(&filter).await?.into_iter().next())
    }

    async fn statements_by_message(
        &mut self,
        filter: &EmailFilter,
    ) -> Result<BTreeMap<String, Vec<StatementVersion>>, LedgerError> {
        let query = filtered(
            "SELECT attached.message_id, attached.statement_number, attached.version \
             FROM email_statement attached JOIN email_message message \
             ON message.message_id = attached.message_id WHERE 1 = 1",
            filter,
        );
        let mut found: BTreeMap<String, Vec<StatementVersion>> = BTreeMap::new();
        self.each(query.then("ORDER BY attached.number, attached.seq"), |row| {
            let number = StatementNumber(row.text("statement_number")?);
            let version = row.small("version")?;
            found.entry(row.text("message_id")?).or_default().push(StatementVersion { number, version });
            Ok(())
        })
        .await?;
        Ok(found)
    }

    async fn events_by_message(
        &mut self,
        filter: &EmailFilter,
    ) -> Result<BTreeMap<String, Vec<EmailEvent>>, LedgerError> {
        let query = filtered(
            "SELECT event.number, event.message_id, event.event, event.error, event.at, event.by_user \
             FROM email_event event JOIN email_message message \
             ON message.message_id = event.message_id WHERE 1 = 1",
            filter,
        );
        let mut found: BTreeMap<String, Vec<EmailEvent>> = BTreeMap::new();
        self.each(query.then("ORDER BY event.number, event.seq"), |row| {
            found.entry(row.text("message_id")?).or_default().push(EmailEvent {
                number: row.number()?,
                state: MessageState::read(row)?,
                error: row.opt_text("error")?,
                stamp: row.stamp()?,
            });
            Ok(())
        })
        .await?;
        Ok(found)
    }
}

impl Tx {
    /// Queue a message. The same message again (id and digest) changes nothing.
    ///
    /// # Errors
    /// [`LedgerError::Exists`] when the id stands for another content.
    pub async fn queue_message(&mut self, message: &EmailMessage, queued: &Stamp) -> Result<(), LedgerError> {
        if let Some(known) = self.find_message(&message.message_id).await? {
            return if known.message.digest == message.digest {
                Ok(())
            } else {
                Err(LedgerError::exists("message", &message.message_id))
            };
        }
        let row = vec![
            (&message.message_id).into(),
            message.period.into(),
            (&message.pi_email).into(),
            (&message.subject).into(),
            (&message.digest).into(),
        ];
        self.insert_one(&EMAIL_MESSAGE, row).await?;
        let statements: Vec<Vec<Value>> = message
            .statements
            .iter()
            .map(|id| vec![(&message.message_id).into(), (&id.number).into(), id.version.into()])
            .collect();
        self.insert(&EMAIL_STATEMENT, statements).await?;
        self.insert_event(&message.message_id, MessageState::Queued, None, queued).await
    }

    /// Commit this before the message is handed to a server.
    ///
    /// # Errors
    /// [`LedgerError::MessageState`] unless the message is queued or failed: so it goes out at most once.
    pub async fn record_sending(&mut self, message_id: &str, stamp: &Stamp) -> Result<(), LedgerError> {
        self.move_message(message_id, MessageState::Sending, None, stamp).await
    }

    /// The server took it.
    pub async fn record_sent(&mut self, message_id: &str, stamp: &Stamp) -> Result<(), LedgerError> {
        self.move_message(message_id, MessageState::Sent, None, stamp).await
    }

    /// The server refused it, in its words.
    pub async fn record_failed(
        &mut self,
        message_id: &str,
        error: &str,
        stamp: &Stamp,
    ) -> Result<(), LedgerError> {
        self.move_message(message_id, MessageState::Failed, Some(error), stamp).await
    }

    /// The connection was lost when the server may have taken it.
    pub async fn record_uncertain(
        &mut self,
        message_id: &str,
        error: &str,
        stamp: &Stamp,
    ) -> Result<(), LedgerError> {
        self.move_message(message_id, MessageState::Uncertain, Some(error), stamp).await
    }

    /// A person accepts that an uncertain message may arrive twice: it is queued again.
    pub async fn retry_uncertain(&mut self, message_id: &str, stamp: &Stamp) -> Result<(), LedgerError> {
        self.move_message(message_id, MessageState::Queued, None, stamp).await
    }

    /// What began to be sent before `before` and never said how it ended is uncertain. Choose `before` so
    /// that no sender can still be at it (the longest time-out). Returns the messages.
    pub async fn mark_crashed_as_uncertain(
        &mut self,
        before: Timestamp,
        stamp: &Stamp,
    ) -> Result<Vec<String>, LedgerError> {
        let mut crashed = self.list_messages(&EmailFilter::default()).await?;
        crashed.retain(|record| {
            record.state == MessageState::Sending
                && record.events.last().is_some_and(|event| event.stamp.at < before)
        });
        let ids: Vec<String> = crashed.into_iter().map(|record| record.message.message_id).collect();
        for id in &ids {
            self.record_uncertain(id, "the program ended while sending", stamp).await?;
        }
        Ok(ids)
    }

    async fn move_message(
        &mut self,
        message_id: &str,
        next: MessageState,
        error: Option<&str>,
        stamp: &Stamp,
    ) -> Result<(), LedgerError> {
        let record = self.find_message(message_id).await?;
        let state = record.ok_or_else(|| LedgerError::missing("message", message_id))?.state;
        if !state.may_become(next) {
            let (state, asked) = (state.name(), next.name());
            return Err(LedgerError::MessageState { message_id: message_id.to_owned(), state, asked });
        }
        self.insert_event(message_id, next, error, stamp).await
    }

    async fn insert_event(
        &mut self,
        message_id: &str,
        state: MessageState,
        error: Option<&str>,
        stamp: &Stamp,
    ) -> Result<(), LedgerError> {
        let row = vec![
            message_id.into(),
            state.name().into(),
            error.into(),
            stamp.at.into(),
            stamp.by.as_str().into(),
        ];
        self.insert_one(&EMAIL_EVENT, row).await?;
        Ok(())
    }
}
