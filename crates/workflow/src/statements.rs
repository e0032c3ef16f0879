//! Look at issued statements.

use billing::statement::Statement;
use billing::{Period, StatementNumber};
use ledger::{StatementDocument, StatementFilter, StatementRow, StatementVersion};
use serde::Serialize;

use crate::render::documents_of;
use crate::{Installation, Refusal, WorkflowError};

#[derive(Clone, Debug, Serialize)]
pub struct StatementDetail {
    pub statement: Statement,
    pub documents: Vec<StatementDocument>,
    pub versions: Vec<StatementRow>,
}

/// Statements, current versions only unless `all_versions`.
///
/// # Errors
/// What the ledger could not read.
pub async fn list(
    installation: &Installation,
    period: Option<Period>,
    pi_email: Option<&str>,
    all_versions: bool,
) -> Result<Vec<StatementRow>, WorkflowError> {
    let filter = StatementFilter {
        period,
        pi_email: pi_email.map(str::to_lowercase),
        current: !all_versions,
        ..StatementFilter::default()
    };
    Ok(installation.ledger.read().await?.list_statements(&filter, None).await?)
}

/// A statement by its number: the current version, or the one asked for.
///
/// # Errors
/// An unknown number or version.
pub async fn show(
    installation: &Installation,
    number: &StatementNumber,
    version: Option<u32>,
) -> Result<StatementDetail, WorkflowError> {
    let mut reader = installation.ledger.read().await?;
    let filter = StatementFilter { number: Some(number.clone()), ..StatementFilter::default() };
    let versions = reader.list_statements(&filter, None).await?;
    let Some(latest) = versions.iter().map(|row| row.id.version).max() else {
        return Err(Refusal::new(format!("statement `{number}` is not known"))
            .hint("`statements list` shows the numbers")
            .into());
    };
    let id = StatementVersion { number: number.clone(), version: version.unwrap_or(latest) };
    if !versions.iter().any(|row| row.id == id) {
        return Err(Refusal::new(format!("statement {number} has no version {}", id.version))
            .hint(format!("its latest version is {latest}"))
            .into());
    }
    let statement = reader.load_statement(&id).await?;
    let documents = documents_of(&mut reader, &id).await?;
    Ok(StatementDetail { statement, documents, versions })
}
