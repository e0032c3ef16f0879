//! The rules of billing: values in, values out. No async, no SQL, no files, no clock.
//!
//! Data goes one way: a row of a delivered file becomes a charge ([`intake`]), people decide about it
//! ([`decision`]), a period closes ([`period`]), charges are summed into posted lines of a [`statement`],
//! and posted lines are debited and credited in a [`journal`]. What a rule may depend on is in [`settings`].
//! Start with [`charge`] and [`statement`].

pub mod attribution;
pub mod attribution_table;
pub mod charge;
pub mod correction;
pub mod credit;
pub mod decision;
pub mod delivery;
pub mod flag;
pub mod ids;
pub mod intake;
pub mod journal;
pub mod pattern;
pub mod payers;
pub mod people;
pub mod period;
pub mod rate;
pub mod settings;
pub mod source_guess;
pub mod split;
pub mod statement;
pub mod subsidy;
pub mod unit;
pub mod unusual;

pub use charge::ChargeColumns;
pub use flag::{Flag, Flags};
pub use ids::{ChargeId, ContentDigest, Fingerprint, ImportId, LedgerNumber, SourceName, StatementNumber};
pub use period::Period;
