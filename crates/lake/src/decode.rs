//! Columns of an answer in the types that were asked for.

use arrow::array::{Array, AsArray, Decimal128Array, Int64Array, RecordBatch, StringViewArray, UInt64Array};
use arrow::datatypes::{Decimal128Type, Int64Type, UInt64Type};
use datafusion::error::DataFusionError;
use money::Amount;

use crate::LakeError;

/// A batch of an answer; columns are found by the name they were given.
pub(crate) struct Batch(pub RecordBatch);

impl Batch {
    pub(crate) fn rows(&self) -> usize {
        self.0.num_rows()
    }

    fn column(&self, name: &str) -> Result<&dyn Array, LakeError> {
        self.0.column_by_name(name).map(AsRef::as_ref).ok_or_else(|| unexpected(name, "missing"))
    }

    pub(crate) fn text(&self, name: &str) -> Result<Text<'_>, LakeError> {
        let column = self.column(name)?;
        column.as_string_view_opt().map(Text).ok_or_else(|| unexpected(name, column.data_type()))
    }

    pub(crate) fn integers(&self, name: &str) -> Result<&Int64Array, LakeError> {
        let column = self.column(name)?;
        column.as_primitive_opt::<Int64Type>().ok_or_else(|| unexpected(name, column.data_type()))
    }

    pub(crate) fn hashes(&self, name: &str) -> Result<&UInt64Array, LakeError> {
        let column = self.column(name)?;
        column.as_primitive_opt::<UInt64Type>().ok_or_else(|| unexpected(name, column.data_type()))
    }

    pub(crate) fn amounts(&self, name: &str) -> Result<Amounts<'_>, LakeError> {
        let column = self.column(name)?;
        let amounts = column.as_primitive_opt::<Decimal128Type>();
        amounts.map(Amounts).ok_or_else(|| unexpected(name, column.data_type()))
    }
}

/// A column that is not what the question asked for: a defect, and named as one.
fn unexpected(name: &str, found: impl std::fmt::Display) -> LakeError {
    DataFusionError::Internal(format!("the column `{name}` of an answer is {found}")).into()
}

pub(crate) struct Text<'a>(&'a StringViewArray);

impl<'a> Text<'a> {
    pub(crate) fn get(&self, row: usize) -> Option<&'a str> {
        self.0.is_valid(row).then(|| self.0.value(row))
    }

    pub(crate) fn owned(&self, row: usize) -> Option<String> {
        self.get(row).map(str::to_owned)
    }
}

pub(crate) struct Amounts<'a>(&'a Decimal128Array);

impl Amounts<'_> {
    pub(crate) fn get(&self, row: usize) -> Option<Amount> {
        self.0.is_valid(row).then(|| Amount::from_units(self.0.value(row)))
    }

    /// A null sum is a sum over nothing.
    pub(crate) fn or_zero(&self, row: usize) -> Amount {
        self.get(row).unwrap_or(Amount::ZERO)
    }
}

/// A count of an answer, never negative.
pub(crate) fn count(counts: &Int64Array, row: usize) -> u64 {
    u64::try_from(counts.value(row)).unwrap_or(0)
}
