//! The columns of a charge file.

use std::sync::Arc;

use billing::ChargeColumns;
use billing::charge::{COSTS, TIMES};
use parquet::basic::{LogicalType, Repetition, TimeUnit, Type as Physical};
use parquet::errors::Result;
use parquet::schema::types::{SchemaDescriptor, Type, TypePtr};

/// Where the charge is in its import and in the delivered file.
pub(crate) const PLACES: [&str; 5] = ["row", "file", "line", "byte_offset", "byte_len"];
pub(crate) const HASHES: [&str; 3] = ["fingerprint", "content_digest", "overlap_key"];

/// How the decimals of a file are written. Most providers deliver few places, and 64 bits are then half
/// the bytes and a fraction of the work of 128. A reader sees `Decimal128(38, 18)` in any case. Which
/// one a block takes depends on its values alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Width {
    /// 64 bits, 6 places.
    Micro,
    /// 64 bits, 12 places, below 10⁶.
    Pico,
    /// 128 bits, 18 places.
    Full,
}

impl Width {
    pub(crate) const fn places(self) -> u32 {
        match self {
            Width::Micro => 6,
            Width::Pico => 12,
            Width::Full => 18,
        }
    }
}

/// What tells apart the schemas of an import's files: the names and the width.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct SchemaKey {
    pub width: Width,
    pub text: Vec<String>,
    pub numbers: Vec<String>,
}

impl SchemaKey {
    pub(crate) fn matches(&self, columns: &ChargeColumns, width: Width) -> bool {
        self.width == width
            && self.text.iter().eq(columns.text.iter().map(|(name, _)| name))
            && self.numbers.iter().eq(columns.numbers.iter().map(|(name, _)| name))
    }

    pub(crate) fn of(columns: &ChargeColumns, width: Width) -> SchemaKey {
        SchemaKey {
            width,
            text: columns.text.iter().map(|(name, _)| name.clone()).collect(),
            numbers: columns.numbers.iter().map(|(name, _)| name.clone()).collect(),
        }
    }
}

/// A file's schema; the order of columns is that of [`SchemaKey`]: places, costs, times, text, numbers,
/// hashes.
#[derive(Debug)]
pub(crate) struct FileSchema {
    pub key: SchemaKey,
    pub root: TypePtr,
    pub columns: SchemaDescriptor,
}

impl FileSchema {
    pub(crate) fn new(key: SchemaKey) -> Result<FileSchema> {
        let mut fields = Vec::new();
        for name in PLACES {
            fields.push(required(name, None)?);
        }
        for name in COSTS {
            fields.push(decimal(name, key.width)?);
        }
        for name in TIMES {
            let kind = LogicalType::timestamp(true, TimeUnit::MICROS);
            fields.push(optional(name, Physical::INT64, kind)?);
        }
        for name in &key.text {
            fields.push(optional(name, Physical::BYTE_ARRAY, LogicalType::String)?);
        }
        for name in &key.numbers {
            fields.push(decimal(name, key.width)?);
        }
        for name in HASHES {
            fields.push(required(name, Some(LogicalType::integer(64, false)))?);
        }
        let root = Arc::new(Type::group_type_builder("charge").with_fields(fields).build()?);
        Ok(FileSchema { key, columns: SchemaDescriptor::new(Arc::clone(&root)), root })
    }
}

fn required(name: &str, kind: Option<LogicalType>) -> Result<TypePtr> {
    let builder = Type::primitive_type_builder(name, Physical::INT64)
        .with_repetition(Repetition::REQUIRED)
        .with_logical_type(kind);
    Ok(Arc::new(builder.build()?))
}

fn optional(name: &str, physical: Physical, kind: LogicalType) -> Result<TypePtr> {
    let builder = Type::primitive_type_builder(name, physical)
        .with_repetition(Repetition::OPTIONAL)
        .with_logical_type(Some(kind));
    Ok(Arc::new(builder.build()?))
}

fn decimal(name: &str, width: Width) -> Result<TypePtr> {
    let (physical, length, precision) = match width {
        Width::Micro | Width::Pico => (Physical::INT64, -1, 18),
        Width::Full => (Physical::FIXED_LEN_BYTE_ARRAY, 16, 38),
    };
    let scale = i32::try_from(width.places()).unwrap_or(18);
    let builder = Type::primitive_type_builder(name, physical)
        .with_repetition(Repetition::OPTIONAL)
        .with_length(length)
        .with_precision(precision)
        .with_scale(scale)
        .with_logical_type(Some(LogicalType::decimal(scale, precision)));
    Ok(Arc::new(builder.build()?))
}
