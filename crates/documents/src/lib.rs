//! What is sent out: a model in, bytes out. No database, no network, no clock.
//!
//! [`statement`] makes the PDF of a statement (Typst) and the CSV beside a long one, [`journal`] the
//! files for accounting, [`email`] the words of the message, [`file_name`] the names of the files.
//! Everything here is a function of its arguments: the same model and version give the same bytes.
//! Start with `statement/page.rs`, which turns a statement into what its page says.

pub mod statement;

pub use statement::{Institution, Logo, LogoKind, Paper, RenderError, StatementRenderer, Template};
