use std::future::Future;
use std::path::PathBuf;
use std::pin::Pin;

use crate::{BadMessage, Message};

/// Somewhere messages go.
pub trait Outbox: Send + Sync {
    /// Hand over one message. It is done when the result says so, and not before.
    fn send<'a>(&'a self, message: &'a Message) -> Sending<'a>;
}

pub type Sending<'a> = Pin<Box<dyn Future<Output = Result<Sent, SendError>> + Send + 'a>>;

/// What became of a message that was taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sent {
    /// A server took responsibility for it; its words, usually with its own id of the message.
    Accepted {
        reply: String,
    },
    /// It was written to files.
    Written {
        eml: PathBuf,
        html: PathBuf,
    },
    Kept,
}

/// Why a message was not sent, or may not have been.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    #[error(transparent)]
    BadMessage(#[from] BadMessage),
    /// The server said no: nothing was delivered. A permanent refusal will be repeated, another
    /// (`permanent: false`) may be gone in a while.
    #[error("the mail server refused the message with {code}: {reply}")]
    Refused { permanent: bool, code: u16, reply: String },
    /// The message was not handed over: nothing was delivered.
    #[error("the message was not sent, {stage}: {cause}")]
    NotSent { stage: &'static str, cause: String },
    /// The connection was lost after the text was sent and before the server said that it has it. It may
    /// have been delivered or not.
    #[error("it is uncertain whether the message was sent: {cause}")]
    Uncertain { cause: String },
}

impl SendError {
    /// Whether the message may have been delivered all the same.
    #[must_use]
    pub fn is_uncertain(&self) -> bool {
        matches!(self, SendError::Uncertain { .. })
    }
}
