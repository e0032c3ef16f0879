//! The lake keeps facts: the bytes of every delivered file ([`DeliveryWriter`]) and the charges made of
//! them as Parquet ([`ChargeWriter`]), on disk under one root, never edited. It does not know the ledger:
//! which files count is handed in, and what people decided comes as a small overlay.
//!
//! Start with [`Lake`], then [`charges`] for how charges are written and [`View`] for how they are
//! asked.

pub mod charges;
mod columns;
mod compare;
mod decode;
mod delivery;
mod each;
mod error;
mod export;
mod files;
mod filter;
mod find;
mod frame;
mod groups;
mod identities;
mod lake;
mod memory;
mod overlay;
mod page;
mod rows;
mod spending;
mod table;
mod totals;
mod usage_file;
mod view;

pub use charges::{ChargeEncoder, ChargeFile, ChargeWriter, EncodedCharges};
pub use compare::{Difference, KeptShare, Located, Overlap, Side};
pub use delivery::{DeliveryReader, DeliveryRef, DeliveryWriter, delivery_path};
pub use error::LakeError;
pub use files::FileFound;
pub use filter::Filter;
pub use frame::{Frame, compress_frame};
pub use groups::{Apart, Posted, Project, Resource, UsageGroup};
pub use identities::Identities;
pub use lake::Lake;
pub use overlay::OverlayRef;
pub use page::ChargePage;
pub use rows::{ChargeRow, Matched, Sort};
pub use spending::Spending;
pub use totals::TotalsRow;
pub use usage_file::usage_parquet;
pub use view::{LiveFile, View, ViewSpec};

/// So many amounts below 10¹² have a sum that `Decimal128(38, 18)` holds; a question over more is
/// refused, because the engine's sums wrap silently.
pub const MAX_ROWS: u64 = 100_000_000;
