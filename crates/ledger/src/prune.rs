//! Files of the lake that were removed on purpose.

use billing::period::Stamp;
use billing::{ImportId, LedgerNumber};
use serde::Serialize;

use crate::books::{Table, Value};
use crate::error::LedgerError;
use crate::query::{Cells, Query, Reader};
use crate::tx::Tx;

pub(crate) const PRUNED_FILE: Table =
    Table { name: "pruned_file", columns: &["import_id", "kind", "path", "size_bytes", "at", "by_user"] };

/// What a file of the lake holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum PrunedKind {
    /// The charges of one import and period.
    Charges,
    /// A delivered file. It is named for every import that delivered it.
    Delivery,
    /// The quarantined rows of an import.
    Quarantine,
}

/// A file that an act of pruning took out of the lake.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct PrunedFile {
    pub import: ImportId,
    pub kind: PrunedKind,
    /// Relative to the lake's root, with `/`.
    pub path: String,
    /// As it was kept.
    pub size_bytes: u64,
}

/// The same with when and by whom.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PrunedRow {
    pub number: LedgerNumber,
    #[serde(flatten)]
    pub file: PrunedFile,
    pub pruned: Stamp,
}

impl PrunedKind {
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            PrunedKind::Charges => "charges",
            PrunedKind::Delivery => "delivery",
            PrunedKind::Quarantine => "quarantine",
        }
    }

    fn read(row: &Cells) -> Result<PrunedKind, LedgerError> {
        match row.str("kind")? {
            "charges" => Ok(PrunedKind::Charges),
            "delivery" => Ok(PrunedKind::Delivery),
            "quarantine" => Ok(PrunedKind::Quarantine),
            other => Err(LedgerError::unreadable("pruned_file.kind", other)),
        }
    }
}

impl Reader {
    /// In the order they were pruned; of one import, or all.
    pub async fn list_pruned_files(
        &mut self,
        import: Option<ImportId>,
    ) -> Result<Vec<PrunedRow>, LedgerError> {
        let query = Query::new(
            "SELECT number, import_id, kind, path, size_bytes, at, by_user FROM pruned_file WHERE 1 = 1",
        );
        let query = query.and_some("import_id =", import).then("ORDER BY number, seq");
        self.rows(query, |row| {
            let file = PrunedFile {
                import: row.import("import_id")?,
                kind: PrunedKind::read(row)?,
                path: row.text("path")?,
                size_bytes: row.count("size_bytes")?,
            };
            Ok(PrunedRow { number: row.number()?, file, pruned: row.stamp()? })
        })
        .await
    }
}

impl Tx {
    /// From now on these files may be removed, and are not missed.
    pub async fn record_pruned_files(
        &mut self,
        files: &[PrunedFile],
        pruned: &Stamp,
    ) -> Result<(), LedgerError> {
        let row = |file: &PrunedFile| -> Vec<Value> {
            vec![
                file.import.into(),
                file.kind.name().into(),
                (&file.path).into(),
                file.size_bytes.into(),
                pruned.at.into(),
                pruned.by.as_str().into(),
            ]
        };
        let rows: Vec<Vec<Value>> = files.iter().map(row).collect();
        self.insert(&PRUNED_FILE, rows).await?;
        Ok(())
    }
}
