use std::sync::{Mutex, PoisonError};

use crate::{Message, Outbox, SendError, Sending, Sent};

/// Keeps what it is given, for tests.
#[derive(Debug, Default)]
pub struct Memory {
    messages: Mutex<Vec<Message>>,
}

impl Memory {
    /// The messages so far, in the order in which they were sent.
    pub fn messages(&self) -> Vec<Message> {
        self.messages.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Outbox for Memory {
    fn send<'a>(&'a self, message: &'a Message) -> Sending<'a> {
        Box::pin(async move {
            message.bytes().map_err(SendError::from)?;
            self.messages.lock().unwrap_or_else(PoisonError::into_inner).push(message.clone());
            Ok(Sent::Kept)
        })
    }
}
