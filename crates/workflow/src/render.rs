//! Turn recorded statements into documents: rendered on every core, kept by digest, and written again
//! under names for people.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use billing::Period;
use billing::statement::Statement;
use documents::{StatementRenderer, statement_file_name};
use ledger::{AuditEvent, Reader, StatementDocument, StatementFilter, StatementVersion};
use serde_json::json;

use crate::generate::Owner;
use crate::installation::write_file;
use crate::{Actor, Installation, WorkflowError};

/// Render the current statements of a period that have no document yet. Returns how many.
///
/// # Errors
/// A template that does not work; full disks.
pub async fn render_missing(
    installation: &Installation,
    actor: &Actor,
    period: Period,
    all_resources: BTreeMap<Owner, Vec<u8>>,
    progress: &(dyn Fn(usize, usize) + Sync),
) -> Result<usize, WorkflowError> {
    let mut reader = installation.ledger.read().await?;
    let mut missing = Vec::new();
    for row in reader.current_statements(period, None).await? {
        if documents_of(&mut reader, &row.id).await?.is_empty() {
            let statement = reader.load_statement(&row.id).await?;
            let owner = (row.pi_email, row.project_id);
            missing.push((row.id, statement, all_resources.get(&owner).cloned()));
        }
    }
    drop(reader);
    if missing.is_empty() {
        return Ok(0);
    }
    let renderer = installation.renderer()?;
    let documents = tokio::task::block_in_place(|| render_all(installation, &renderer, &missing, progress))?;
    let mut tx = installation.ledger.begin().await?;
    // Another process may have rendered the same meanwhile; the bytes are the same, and are kept once.
    let mut new = Vec::with_capacity(documents.len());
    for document in documents {
        let known = documents_of(&mut tx, &document.id).await?;
        if !known.iter().any(|known| known.kind == document.kind) {
            new.push(document);
        }
    }
    if new.is_empty() {
        return Ok(missing.len());
    }
    let documents = new;
    tx.record_statement_documents(&documents).await?;
    let detail = json!({ "documents": documents.len() });
    tx.commit(AuditEvent::new(actor, "statements.rendered", period, detail)).await?;
    Ok(missing.len())
}

type Work = (StatementVersion, Statement, Option<Vec<u8>>);

/// Render on every core; the documents come in the order of the work.
fn render_all(
    installation: &Installation,
    renderer: &StatementRenderer,
    work: &[Work],
    progress: &(dyn Fn(usize, usize) + Sync),
) -> Result<Vec<StatementDocument>, WorkflowError> {
    let made = on_every_core(work, progress, |item| render_one(installation, renderer, item))?;
    Ok(made.into_iter().flatten().collect())
}

/// Do the same with each item, on every core; what comes out is in the order of what went in.
pub(crate) fn on_every_core<T: Sync, R: Send>(
    work: &[T],
    progress: &(dyn Fn(usize, usize) + Sync),
    each: impl Fn(&T) -> Result<R, WorkflowError> + Sync,
) -> Result<Vec<R>, WorkflowError> {
    let (next, done) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let results = Mutex::new(BTreeMap::new());
    let workers = std::thread::available_parallelism().map_or(1, NonZeroUsize::get).min(work.len());
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..workers)
            .map(|_| {
                scope.spawn(|| {
                    loop {
                        let at = next.fetch_add(1, Ordering::Relaxed);
                        let Some(item) = work.get(at) else { return Ok::<(), WorkflowError>(()) };
                        let made = each(item)?;
                        progress(done.fetch_add(1, Ordering::Relaxed) + 1, work.len());
                        let mut results = results.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                        results.insert(at, made);
                    }
                })
            })
            .collect();
        threads.into_iter().try_for_each(|thread| {
            thread
                .join()
                .map_err(|_| WorkflowError::Internal("rendering stopped in the middle".to_owned()))?
        })
    })?;
    let results = results.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    Ok(results.into_values().collect())
}

fn render_one(
    installation: &Installation,
    renderer: &StatementRenderer,
    (id, statement, all_resources): &Work,
) -> Result<Vec<StatementDocument>, WorkflowError> {
    let failed = |why: String| WorkflowError::Render { what: format!("statement {}", id.number), why };
    let pdf = renderer.render(statement).map_err(|error| failed(error.to_string()))?;
    let mut made = vec![keep(installation, id, statement, "pdf", &pdf)?];
    if let Some(csv) = all_resources {
        made.push(keep(installation, id, statement, "csv", csv)?);
    }
    Ok(made)
}

fn keep(
    installation: &Installation,
    id: &StatementVersion,
    statement: &Statement,
    kind: &str,
    bytes: &[u8],
) -> Result<StatementDocument, WorkflowError> {
    let sha256 = ledger::sha256_hex(bytes);
    let relative = format!("{}/{sha256}.{kind}", &sha256[..2]);
    let kept = installation.folders.documents.join(&relative);
    if !kept.exists() {
        write_file(&kept, bytes)?;
    }
    failpoint::hit("workflow.render.kept");
    write_file(&for_people(installation, statement, kind), bytes)?;
    Ok(StatementDocument {
        id: id.clone(),
        kind: kind.to_owned(),
        sha256,
        path: relative,
        size_bytes: bytes.len() as u64,
    })
}

/// Where people find the document.
fn for_people(installation: &Installation, statement: &Statement, kind: &str) -> PathBuf {
    let name = statement_file_name(
        statement.period,
        &statement.pi_email,
        &statement.project_id,
        &statement.number,
        statement.version,
    );
    installation.folders.pdfs.join(name).with_extension(kind)
}

/// What was rendered of one version of a statement.
///
/// # Errors
/// What the ledger could not read.
pub async fn documents_of(
    reader: &mut Reader,
    id: &StatementVersion,
) -> Result<Vec<StatementDocument>, WorkflowError> {
    let filter = StatementFilter { number: Some(id.number.clone()), ..StatementFilter::default() };
    let mut documents = reader.list_statement_documents(&filter).await?;
    documents.retain(|document| document.id == *id);
    Ok(documents)
}

/// The bytes of a kept document.
///
/// # Errors
/// When the file is gone or was changed.
pub async fn load_documents(
    installation: &Installation,
    reader: &mut Reader,
    id: &StatementVersion,
) -> Result<Vec<(StatementDocument, Vec<u8>)>, WorkflowError> {
    let mut loaded = Vec::new();
    for document in documents_of(reader, id).await? {
        let path = installation.folders.documents.join(&document.path);
        let bytes = std::fs::read(&path).map_err(|source| WorkflowError::file("read", &path, source))?;
        if ledger::sha256_hex(&bytes) != document.sha256 {
            let refusal = crate::Refusal::new(format!(
                "`{}` is not what was issued as statement {} v{}",
                installation.folders.shown(&path),
                id.number,
                id.version
            ));
            return Err(refusal.hint("restore it from a backup").into());
        }
        loaded.push((document, bytes));
    }
    Ok(loaded)
}

/// The path for people of a statement's PDF, when it has been rendered.
///
/// # Errors
/// What the ledger could not read.
pub async fn pdf_path(
    installation: &Installation,
    reader: &mut Reader,
    id: &StatementVersion,
) -> Result<Option<String>, WorkflowError> {
    let documents = documents_of(reader, id).await?;
    if !documents.iter().any(|document| document.kind == "pdf") {
        return Ok(None);
    }
    let statement = reader.load_statement(id).await?;
    Ok(Some(installation.folders.shown(&for_people(installation, &statement, "pdf")).to_string()))
}
