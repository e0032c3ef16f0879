//! What is sent out: a model in, bytes out. No database, no network, no clock.
//!
//! [`statement`] makes the PDF of a statement (Typst), [`statement_csv`] the file beside a long one,
//! [`journal`] the files for accounting, [`email`] the words of the message, [`statement_file_name`] the
//! names of the files. Everything here is a function of its arguments: the same model and version give
//! the same bytes. Start with `statement/page.rs`, which turns a statement into what its page says.

pub mod email;
mod file_name;
pub mod journal;
pub mod statement;
mod table;

pub use email::{
    EmailModel, EmailStatement, EmailText, SubjectError, check_subject_template, statement_email,
};
pub use file_name::{statement_csv_name, statement_file_name};
pub use journal::{JournalTemplate, TemplateError, journal_detail, journal_gl, journal_summary};
pub use statement::{Institution, Logo, LogoKind, Paper, RenderError, StatementRenderer, Template};
pub use table::{formula_safe, rows_for_people, statement_csv, table_for_people};
