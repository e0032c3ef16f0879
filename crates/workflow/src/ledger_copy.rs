//! Move the books to another database: `SQLite` to `PostgreSQL`, or back.

use ledger::{AuditEvent, Copied, Location};
use serde_json::json;

use crate::{Actor, Installation, WorkflowError};

/// Copy the ledger into an empty database, with the same numbers, proven before it is done. The ledger that
/// is in use stays as it is; that the other is a copy is the first thing that happens there.
///
/// # Errors
/// A target that is not empty or cannot be reached; books that do not prove.
pub async fn copy(
    installation: &Installation,
    actor: &Actor,
    to: &Location,
) -> Result<Copied, WorkflowError> {
    let mut reader = installation.ledger.read().await?;
    let from = installation.ledger.location().to_string();
    let detail = json!({ "from": from, "head": reader.head() });
    let act = AuditEvent::new(actor, "ledger.copied", "ledger", detail);
    Ok(reader.copy_to(to, Some(act)).await?)
}
