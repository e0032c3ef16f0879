//! Make room: remove from the lake what counts no more and what nothing issued was computed from.

use std::collections::{BTreeMap, BTreeSet};

use billing::{ImportId, LedgerNumber, Period};
use jiff::{SignedDuration, Timestamp};
use ledger::{
    AuditEvent, AuditFilter, ChargeFile, ImportFilter, PartFilter, PartState, PrunedFile, PrunedKind, Reader,
    StatementFilter,
};
use serde::Serialize;
use serde_json::json;

use crate::charges::{Scope, in_scope};
use crate::{Actor, Installation, Refusal, WorkflowError};

/// What pruning removes, or would.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Pruned {
    pub files: Vec<PrunedFile>,
    /// Imports that lose charges, their delivered bytes, or both.
    pub imports: BTreeSet<ImportId>,
    pub size_bytes: u64,
    /// Superseded or withdrawn for long enough, and kept: something issued was computed from them.
    pub kept_as_evidence: u64,
    /// The files are still there because an import is running; the next pruning removes them.
    pub postponed: bool,
}

/// Remove the charges of parts that were superseded or withdrawn more than `days` ago, and the delivered bytes
/// of imports that have none left. What a statement or a journal was computed from stays for ever.
///
/// # Errors
/// Days that reach before all time; what the ledger or the lake could not do.
pub async fn prune(
    installation: &Installation,
    actor: &Actor,
    days: u32,
    dry_run: bool,
) -> Result<Pruned, WorkflowError> {
    let limit = actor.at.checked_sub(SignedDuration::from_hours(24 * i64::from(days)));
    let limit = limit.map_err(|_| Refusal::new(format!("{days} days ago is before all time")))?;
    let mut tx = installation.ledger.begin().await?;
    let mut pruned = plan(installation, &mut tx, limit).await?;
    if dry_run {
        return Ok(pruned);
    }
    if pruned.files.is_empty() {
        drop(tx);
    } else {
        tx.record_pruned_files(&pruned.files, actor).await?;
        let detail = json!({
            "older_than_days": days, "files": pruned.files.len(), "size_bytes": pruned.size_bytes,
            "imports": pruned.imports,
        });
        tx.commit(AuditEvent::new(actor, "lake.pruned", "lake", detail)).await?;
        failpoint::hit("workflow.prune.recorded");
    }
    pruned.postponed = !remove(installation, actor.at).await?;
    Ok(pruned)
}

async fn plan(
    installation: &Installation,
    reader: &mut Reader,
    limit: Timestamp,
) -> Result<Pruned, WorkflowError> {
    let before: BTreeSet<PrunedFile> =
        reader.list_pruned_files(None).await?.into_iter().map(|row| row.file).collect();
    let gone: BTreeSet<&str> = before.iter().map(|file| file.path.as_str()).collect();
    let dead = dead_since(reader, limit).await?;
    let proof = computed_from(reader).await?;
    let mut files = Vec::new();
    let (mut kept_as_evidence, mut left): (u64, BTreeSet<ImportId>) = (0, BTreeSet::new());
    let mut with_charges = BTreeSet::new();
    for file in reader.list_charge_files(None, None).await? {
        with_charges.insert(file.import);
        let is_dead = dead.contains(&(file.import, file.period));
        if gone.contains(file.path.as_str()) {
            continue;
        }
        if is_dead && !proof.contains(&file.path) {
            let (import, size_bytes) = (file.import, file.size_bytes);
            files.push(PrunedFile { import, kind: PrunedKind::Charges, path: file.path, size_bytes });
        } else {
            kept_as_evidence += u64::from(is_dead);
            left.insert(file.import);
        }
    }
    let spent = |import: &ImportId| with_charges.contains(import) && !left.contains(import);
    files.extend(evidence(installation, reader, &spent, &before).await?);
    let mut counted = BTreeSet::new();
    let once = files.iter().filter(|file| counted.insert(file.path.as_str()));
    let size_bytes = once.map(|file| file.size_bytes).sum();
    let imports = files.iter().map(|file| file.import).collect();
    Ok(Pruned { files, imports, size_bytes, kept_as_evidence, postponed: false })
}

/// Imports and periods of which no part counts, since before `limit`.
async fn dead_since(
    reader: &mut Reader,
    limit: Timestamp,
) -> Result<BTreeSet<(ImportId, Period)>, WorkflowError> {
    let mut times: BTreeMap<LedgerNumber, Timestamp> = BTreeMap::new();
    for row in reader.list_audit(&AuditFilter::default()).await? {
        if let Ok(at) = row.at.parse() {
            times.insert(row.number, at);
        }
    }
    let mut alive: BTreeSet<(ImportId, Period)> = BTreeSet::new();
    let mut parts: BTreeSet<(ImportId, Period)> = BTreeSet::new();
    for (part, state) in reader.list_parts(&PartFilter::default(), None).await? {
        parts.insert((part.key.import, part.key.period));
        if state == PartState::Live {
            alive.insert((part.key.import, part.key.period));
        }
    }
    for import in parts.iter().map(|(import, _)| *import).collect::<BTreeSet<_>>() {
        for event in reader.list_part_events(import).await? {
            let is_recent = times.get(&event.number).is_none_or(|at| limit <= *at);
            if event.key.import == import && event.state != PartState::Live && is_recent {
                alive.insert((import, event.key.period));
            }
        }
    }
    Ok(parts.difference(&alive).copied().collect())
}

/// The charge files that issued statements and journals were computed from, whatever became of them.
async fn computed_from(reader: &mut Reader) -> Result<BTreeSet<String>, WorkflowError> {
    let statements = reader.list_statements(&StatementFilter::default(), None).await?;
    let mut books: BTreeSet<(Period, LedgerNumber)> =
        statements.iter().map(|row| (row.period, row.computed_at)).collect();
    books.extend(reader.list_journals(None, None).await?.iter().map(|row| (row.period, row.computed_at)));
    let mut paths = BTreeSet::new();
    for (period, number) in books {
        let (parts, _) = in_scope(reader, Scope::period(period), Some(number)).await?;
        let files = parts.into_iter().flat_map(|part| part.files);
        paths.extend(files.map(|file: ChargeFile| file.path));
    }
    Ok(paths)
}

/// Delivered bytes and quarantined rows of imports that have no charges left. Bytes that were delivered more
/// than once are needed as long as one of the imports has some.
async fn evidence(
    installation: &Installation,
    reader: &mut Reader,
    spent: &dyn Fn(&ImportId) -> bool,
    before: &BTreeSet<PrunedFile>,
) -> Result<Vec<PrunedFile>, WorkflowError> {
    let imports: Vec<_> = reader.list_imports(&ImportFilter::default()).await?;
    let mut delivered = Vec::new();
    let mut needed = BTreeSet::new();
    for row in &imports {
        for file in reader.list_delivered_files(row.import).await? {
            let path = lake::delivery_path(&file.sha256);
            if spent(&row.import) {
                delivered.push((row.import, PrunedKind::Delivery, path));
            } else {
                needed.insert(path);
            }
        }
        if let Some(path) = row.quarantine_file.clone().filter(|_| spent(&row.import)) {
            delivered.push((row.import, PrunedKind::Quarantine, path));
        }
    }
    let is_known =
        |import: ImportId, path: &str| before.iter().any(|file| file.import == import && file.path == path);
    let mut files = Vec::new();
    for (import, kind, path) in delivered {
        if needed.contains(&path) || is_known(import, &path) {
            continue;
        }
        let size_bytes = installation.lake.kept_bytes(&path)?.unwrap_or(0);
        files.push(PrunedFile { import, kind, path, size_bytes });
    }
    files.dedup();
    Ok(files)
}

/// Remove the files that are recorded as pruned and still there: of this act, or of one that was interrupted.
/// While this lasts nobody else writes, so that no import begins to rely on bytes that are about to go; while
/// an import runs, nothing is removed. Returns whether it was done.
async fn remove(installation: &Installation, now: Timestamp) -> Result<bool, WorkflowError> {
    let mut tx = installation.ledger.begin().await?;
    if tx.list_leases().await?.iter().any(|lease| now <= lease.lease_until) {
        return Ok(false);
    }
    let rows = tx.list_pruned_files(None).await?;
    let mut needed = BTreeSet::new();
    for row in tx.list_imports(&ImportFilter::default()).await? {
        let is_pruned = |path: &str| {
            rows.iter().any(|pruned| pruned.file.import == row.import && pruned.file.path == path)
        };
        let files = tx.list_delivered_files(row.import).await?;
        let paths = files.iter().map(|file| lake::delivery_path(&file.sha256));
        needed.extend(paths.filter(|path| !is_pruned(path)));
    }
    for row in rows.iter().filter(|row| !needed.contains(&row.file.path)) {
        if installation.lake.remove_pruned(&row.file.path)? {
            failpoint::hit("workflow.prune.file_removed");
        }
    }
    Ok(true)
}
