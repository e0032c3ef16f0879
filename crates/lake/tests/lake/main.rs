//! The lake through its public API, on real files in a temporary folder.

#![expect(clippy::unwrap_used, reason = "a helper of tests fails where it stands")]

mod common;
mod compare;
mod evidence;
mod identities;
mod statements;
mod view;
mod write;
