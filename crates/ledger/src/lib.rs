//! Decisions: the only SQL of the project. Facts are in the lake; what people and configuration said about
//! them is here, append-only and numbered, so that the books can be read *as of* any [`LedgerNumber`].
//!
//! [`Ledger::open`] opens SQLite by path or PostgreSQL by URL. [`Ledger::read`] gives a [`Reader`], a
//! snapshot; all queries are functions of it. [`Ledger::begin`] gives a [`Tx`], which reads the same way,
//! records, and ends only by [`Tx::commit`] with the [`AuditEvent`] of the act; dropped, it never was.
//! What is written outside acts is no part of the books: leases of running imports
//! ([`Ledger::reserve_import`]), who is signed in ([`Ledger::bookkeeping`]), and sums that are kept for pages
//! ([`Ledger::keep_sums`]).
//!
//! One file per noun, its queries beside its functions; what differs between the engines is in
//! `engine.rs`; how a row is written and proven is in `books.rs` and `tx.rs`. Start with `tx.rs`.

mod api_token;
mod audit;
mod bookkeeping;
mod books;
mod configuration;
mod copy;
mod decision;
mod email;
mod engine;
mod error;
mod import;
mod installation;
mod journal;
mod journal_life;
mod kept;
mod lease;
mod ledger;
mod part;
mod period;
mod prune;
mod query;
mod rule;
mod session;
mod sign_in;
mod source;
mod statement;
mod tx;
mod unusual;
mod user;

pub use api_token::{ApiToken, ApiTokenRecord, NotAScope, Scope};
pub use audit::{AuditCheck, AuditEvent, AuditFilter, AuditFinding, AuditRow};
pub use billing::LedgerNumber;
pub use bookkeeping::Bookkeeping;
pub use books::{canonical_json, sha256_hex};
pub use copy::Copied;
pub use decision::{DecisionAct, DecisionFilter, DecisionId, DecisionRow, NewDecision, NewDecisionAct};
pub use email::{EmailEvent, EmailFilter, EmailMessage, EmailRecord, MessageState};
pub use engine::{EngineName, Location};
pub use error::LedgerError;
pub use import::{
    ChargeFile, DeliveredFile, FlagSum, ImportCosts, ImportFilter, ImportMode, ImportRecord, ImportRow,
};
pub use installation::Installation;
pub use journal::{JournalExport, JournalLineRow, JournalRow, NewJournal, NewJournalExport};
pub use journal_life::{JournalEvent, JournalEventKind, JournalRecord};
pub use kept::LastChange;
pub use lease::ImportLease;
pub use ledger::{Ledger, Upgraded};
pub use part::{LivePart, Part, PartEvent, PartFilter, PartKey, PartState};
pub use period::{PeriodAct, PeriodEvent, PeriodRecord};
pub use prune::{PrunedFile, PrunedKind, PrunedRow};
pub use query::Reader;
pub use rule::{Rule, RuleEnd, RuleRow};
pub use session::SessionRow;
pub use sign_in::SignInAttempt;
pub use source::{NewSource, Source};
pub use statement::{
    LegKind, NewStatement, StatementDocument, StatementFilter, StatementLine, StatementRow, StatementVersion,
};
pub use tx::Tx;
pub use unusual::UnusualRow;
pub use user::{NotARole, Role, User, UserRecord};
