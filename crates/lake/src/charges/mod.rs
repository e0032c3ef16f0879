//! Charges as Parquet: blocks are encoded on every core (`encode`) and appended in order (`write`).

mod columns;
mod encode;
mod pack;
mod pages;
mod schema;
mod write;

pub use encode::{ChargeEncoder, EncodedCharges};
pub(crate) use schema::{HASHES, PLACES};
pub(crate) use write::owner;
pub use write::{ChargeFile, ChargeWriter};
