use std::fmt;

use billing::{ImportId, LedgerNumber, Period};

/// Why the ledger could not be opened, asked or added to.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    #[error("cannot open the ledger `{place}`")]
    Open { place: String, source: Box<dyn std::error::Error + Send + Sync> },
    #[error(
        "`{place}` is not a ledger of OpenChargeback: {what}; nothing was written to it; \
         name another place, for example `ledger.db`"
    )]
    Foreign { place: String, what: String },
    #[error(
        "the ledger `{place}` has schema version {found}, newer than {known}, which this program knows; \
         use the program that wrote it, or a newer one"
    )]
    NewerSchema { place: String, found: i64, known: i64 },
    #[error("another act is being written to the ledger `{place}`, and it did not end in time; try again")]
    Busy { place: String },
    #[error(
        "the connection to the ledger `{place}` was lost in the middle of an act; when the database is back, \
         `audit list` shows whether the act was recorded: if not, do it again"
    )]
    Lost { place: String, source: sqlx::Error },
    #[error(
        "`{place}` is not empty: it holds a ledger already; nothing was written to it; name an empty database"
    )]
    NotEmpty { place: String },
    #[error("the copy in `{place}` is not the same: {what}; nothing of it was kept")]
    CopyDiffers { place: String, what: String },
    #[error("copying the ledger from `{from}` to `{to}` was interrupted; nothing of it was kept")]
    Copy { from: String, to: String, source: sqlx::Error },
    #[error("cannot keep a copy of the ledger `{place}` before its upgrade, so it was not upgraded")]
    NoBackup { place: String, source: Box<dyn std::error::Error + Send + Sync> },
    #[error("the ledger's database refused")]
    Database(#[from] sqlx::Error),
    #[error("the ledger holds `{value}` in `{column}`, which cannot be read; run `audit verify`")]
    Unreadable { column: String, value: String },
    #[error("the {what} `{name}` is not in the ledger")]
    Missing { what: &'static str, name: String },
    #[error("the {what} `{name}` is in the ledger already")]
    Exists { what: &'static str, name: String },
    #[error("the ledger is kept in `{ledger}`, not in `{asked}`; one ledger has one currency")]
    OtherCurrency { ledger: String, asked: String },
    #[error("the import {import} cannot be committed: its reservation is {state}; import again")]
    NotReserved { import: ImportId, state: String },
    #[error("import {import} is not live in {period}, account `{account}`: it is {state}")]
    PartNotLive { import: ImportId, period: Period, account: String, state: String },
    #[error("act {0} cannot be undone: no decision of it stands")]
    NothingToUndo(LedgerNumber),
    #[error("decision {number}.{n} cannot be undone: it does not stand")]
    NotStanding { number: LedgerNumber, n: i64 },
    #[error("statement `{number}` has version {latest}; the next is {next}, not {given}", next = latest + 1)]
    WrongVersion { number: String, latest: u32, given: u32 },
    #[error("journal `{document}` does not balance: debits {debits}, credits {credits} (minor units)")]
    Unbalanced { document: String, debits: i64, credits: i64 },
    #[error("the message `{message_id}` cannot be {asked}: it is {state}")]
    MessageState { message_id: String, state: &'static str, asked: &'static str },
    #[error("the text `{}` holds the character U+0000, which the ledger cannot keep", text.escape_debug())]
    NulCharacter { text: String },
}

impl LedgerError {
    pub(crate) fn missing(what: &'static str, name: impl fmt::Display) -> LedgerError {
        LedgerError::Missing { what, name: name.to_string() }
    }

    pub(crate) fn exists(what: &'static str, name: impl fmt::Display) -> LedgerError {
        LedgerError::Exists { what, name: name.to_string() }
    }

    pub(crate) fn unreadable(column: &str, value: impl fmt::Display) -> LedgerError {
        LedgerError::Unreadable { column: column.to_owned(), value: value.to_string() }
    }
}
