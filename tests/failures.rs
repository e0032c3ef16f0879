//! What goes wrong, and what then: every case through the real binary, its words under snapshot and, for
//! each, what must not have happened: nothing is half done, nothing is lost.
//!
//! `failures/files.rs` has files that cannot be read, `values.rs` rows that cannot be charges,
//! `books.rs` imports and journals that the books refuse, `disk.rs` disks and memory that run out and
//! imports at the same time, `mail.rs` mail servers that refuse or vanish.
//!
//! After a change of words: `cargo insta review`, and show the words before and after in the commit.
#![expect(clippy::unwrap_used, reason = "a story that cannot be told is a failed test")]

mod support;

#[path = "failures/books.rs"]
mod books;
#[path = "failures/disk.rs"]
mod disk;
#[path = "failures/files.rs"]
mod files;
#[path = "failures/mail.rs"]
mod mail;
#[path = "failures/values.rs"]
mod values;
