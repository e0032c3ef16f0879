use std::path::{Path, PathBuf};

use billing::{ImportId, Period};

/// Why the lake could not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum LakeError {
    #[error("cannot {act} `{}`", path.display())]
    Io { act: &'static str, path: PathBuf, source: std::io::Error },
    #[error("cannot {act} the charge file `{}`", path.display())]
    Parquet { act: &'static str, path: PathBuf, source: parquet::errors::ParquetError },
    #[error("cannot encode charges")]
    Encode(#[from] parquet::errors::ParquetError),
    #[error("cannot read charges")]
    Query(#[from] datafusion::error::DataFusionError),
    #[error("cannot decode what was read of the charges")]
    Arrow(#[from] arrow::error::ArrowError),
    #[error("`{column}` of charge {row} is 10^12 or more, larger than any charge can be")]
    TooLarge { column: String, row: i64 },
    #[error("the column `{column}` has {found} rows in a block of {rows}")]
    Ragged { column: String, found: usize, rows: usize },
    #[error("there is no column `{name}`{}; the columns are {}", near_words(near), list(known))]
    UnknownColumn { name: String, near: Vec<String>, known: Vec<String> },
    #[error(
        "{rows} charges are more than one question can sum exactly (at most {}); ask for fewer periods",
        crate::MAX_ROWS
    )]
    TooManyRows { rows: u64 },
    #[error("a sum of `{column}` does not fit 20 digits before the point")]
    Overflow { column: String },
    #[error(
        "{charges} charges billed in {period} are billable and have no PI or no project; reassign or reject them"
    )]
    NobodyToBill { period: Period, charges: u64 },
    #[error("no delivered file with SHA-256 `{sha256}` is kept in the lake")]
    NoDelivery { sha256: String },
    #[error("`{}` is damaged: {what}; restore it from a backup of the lake", path.display())]
    Damaged { path: PathBuf, what: String },
    #[error("`{0}` is not a path inside the lake")]
    NotInLake(String),
    #[error("the charge file `{path}` of import {import} is missing; restore it from a backup of the lake")]
    NoChargeFile { path: String, import: ImportId },
}

impl LakeError {
    pub(crate) fn io<'a>(act: &'static str, path: &'a Path) -> impl FnOnce(std::io::Error) -> LakeError + 'a {
        move |source| LakeError::Io { act, path: path.to_owned(), source }
    }

    pub(crate) fn damaged(path: &Path, what: impl Into<String>) -> LakeError {
        LakeError::Damaged { path: path.to_owned(), what: what.into() }
    }
}

fn near_words(near: &[String]) -> String {
    if near.is_empty() { String::new() } else { format!(" (did you mean {}?)", list(near)) }
}

fn list(names: &[String]) -> String {
    let quoted: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    quoted.join(", ")
}
