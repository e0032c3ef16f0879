//! Sources: who supplies charges. One source, however it is spelled.

use billing::period::Stamp;
use billing::{ImportId, LedgerNumber, SourceName};

use crate::books::Table;
use crate::error::LedgerError;
use crate::query::{Cells, Query, Reader};
use crate::tx::Tx;

pub(crate) const SOURCE: Table =
    Table { name: "source", columns: &["source_key", "name", "description", "at", "by_user"] };

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// Trimmed, lower case ([`SourceName::key`]).
    pub key: String,
    /// As it was spelled first.
    pub name: SourceName,
    pub description: Option<String>,
    pub created: Stamp,
    pub number: LedgerNumber,
    pub last_import: Option<ImportId>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewSource {
    pub name: SourceName,
    pub description: Option<String>,
}

const SOURCES: &str = "SELECT number, source_key, name, description, at, by_user,
    (SELECT MAX(import.import_id) FROM import WHERE import.source_key = source.source_key) AS last_import
    FROM source WHERE 1 = 1";

fn read_source(row: &Cells) -> Result<Source, LedgerError> {
    Ok(Source {
        key: row.text("source_key")?,
        name: SourceName(row.text("name")?),
        description: row.opt_text("description")?,
        created: row.stamp()?,
        number: row.number()?,
        last_import: row.opt_import("last_import")?,
    })
}

impl Reader {
    /// By name in any case.
    pub async fn find_source(&mut self, name: &SourceName) -> Result<Option<Source>, LedgerError> {
        self.row(Query::new(SOURCES).and("source_key =", name.key()), read_source).await
    }

    /// By key.
    pub async fn list_sources(&mut self) -> Result<Vec<Source>, LedgerError> {
        self.rows(Query::new(SOURCES).then("ORDER BY source_key"), read_source).await
    }
}

impl Tx {
    /// # Errors
    /// [`LedgerError::Exists`] when the name is known in any spelling.
    pub async fn create_source(&mut self, source: &NewSource, created: &Stamp) -> Result<(), LedgerError> {
        let key = source.name.key();
        if self.find_source(&source.name).await?.is_some() {
            return Err(LedgerError::exists("source", &source.name));
        }
        let name = source.name.0.trim();
        let row = vec![
            key.into(),
            name.into(),
            (&source.description).into(),
            created.at.into(),
            created.by.as_str().into(),
        ];
        self.insert_one(&SOURCE, row).await?;
        Ok(())
    }
}
