//! Where an e-mail goes: [`Smtp`], a folder ([`Directory`], for trying out), memory ([`Memory`], for
//! tests).
//!
//! The promise this crate keeps is that a failure says what became of the message: [`SendError`] tells
//! "certainly not delivered" from "nobody knows", so that the caller sends each message at most once.
//! Start with `outbox.rs`; `message.rs` makes the bytes.

mod directory;
mod memory;
mod message;
mod outbox;
mod smtp;

pub use directory::Directory;
pub use memory::Memory;
pub use message::{Address, Attachment, BadMessage, Message};
pub use outbox::{Outbox, SendError, Sending, Sent};
pub use smtp::{Credentials, Smtp, SmtpSettings, SmtpSettingsError};
