//! The audit chain, read and verified.

use ledger::{AuditCheck, AuditFilter, AuditRow};

use crate::{Installation, WorkflowError};

/// # Errors
/// What the ledger could not read.
pub async fn list(installation: &Installation, filter: &AuditFilter) -> Result<Vec<AuditRow>, WorkflowError> {
    Ok(installation.ledger.read().await?.list_audit(filter).await?)
}

/// Check the chain of audit rows, and the books that they speak of.
///
/// # Errors
/// What the ledger could not read; what is wrong with the chain is in the findings.
pub async fn verify(installation: &Installation) -> Result<AuditCheck, WorkflowError> {
    let mut reader = installation.ledger.read().await?;
    let mut check = reader.verify_audit().await?;
    check.findings.extend(reader.verify_books().await?.findings);
    Ok(check)
}
