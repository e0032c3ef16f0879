//! Look at imports, and withdraw one.

use std::collections::BTreeSet;

use billing::period::PeriodAct;
use billing::{ImportId, LedgerNumber, Period};
use ledger::{
    AuditEvent, DeliveredFile, FlagSum, ImportFilter, ImportRow, LivePart, Part, PartEvent, PartFilter,
    PartState, PrunedRow, Reader,
};
use serde::Serialize;
use serde_json::json;

use crate::unusual::{Changing, look};
use crate::{Actor, Installation, Refusal, WorkflowError, periods};

/// An import with its parts and where they stand.
#[derive(Clone, Debug, Serialize)]
pub struct ImportSummary {
    #[serde(flatten)]
    pub row: ImportRow,
    pub parts: Vec<PartStanding>,
    pub files: Vec<DeliveredFile>,
}

#[derive(Clone, Debug, Serialize)]
pub struct PartStanding {
    #[serde(flatten)]
    pub part: Part,
    pub state: PartState,
}

#[derive(Clone, Debug, Serialize)]
pub struct ImportDetail {
    #[serde(flatten)]
    pub summary: ImportSummary,
    pub flags: Vec<FlagSum>,
    pub events: Vec<PartEvent>,
    /// Files that were removed from the lake on purpose.
    pub pruned: Vec<PrunedRow>,
}

/// Imports, the latest first.
///
/// # Errors
/// What the ledger could not read.
pub async fn list(
    installation: &Installation,
    filter: &ImportFilter,
) -> Result<Vec<ImportSummary>, WorkflowError> {
    let mut reader = installation.ledger.read().await?;
    let mut imports = Vec::new();
    for row in reader.list_imports(filter).await? {
        imports.push(summarize(&mut reader, row).await?);
    }
    Ok(imports)
}

/// Imports of a page, and how many there are in all.
#[derive(Clone, Debug, Serialize)]
pub struct ImportPage {
    /// The latest first.
    pub imports: Vec<ImportSummary>,
    pub count: u64,
}

/// # Errors
/// What the ledger could not read.
pub async fn page(installation: &Installation, filter: &ImportFilter) -> Result<ImportPage, WorkflowError> {
    let mut imports = list(installation, filter).await?;
    imports.reverse();
    let count = installation.ledger.read().await?.count_imports(filter).await?;
    Ok(ImportPage { imports, count })
}

/// # Errors
/// An unknown import.
pub async fn show(installation: &Installation, import: ImportId) -> Result<ImportDetail, WorkflowError> {
    let mut reader = installation.ledger.read().await?;
    let row = load(&mut reader, import).await?;
    Ok(ImportDetail {
        summary: summarize(&mut reader, row).await?,
        flags: reader.list_import_flags(import).await?,
        events: reader.list_part_events(import).await?,
        pruned: reader.list_pruned_files(Some(import)).await?,
    })
}

async fn summarize(reader: &mut Reader, row: ImportRow) -> Result<ImportSummary, WorkflowError> {
    let filter = PartFilter { import: Some(row.import), ..PartFilter::default() };
    let parts = reader.list_parts(&filter, None).await?;
    let files = reader.list_delivered_files(row.import).await?;
    let parts = parts.into_iter().map(|(part, state)| PartStanding { part, state }).collect();
    Ok(ImportSummary { row, parts, files })
}

/// The import whose bytes this one has read again, first of all; itself, where it was not a reading again.
pub(crate) async fn first_reading(reader: &mut Reader, row: ImportRow) -> Result<ImportRow, WorkflowError> {
    let mut first = row;
    while let Some(earlier) = first.rereads {
        first = load(reader, earlier).await?;
    }
    Ok(first)
}

/// Take back an import: none of its charges counts any more. Its periods must be open.
///
/// # Errors
/// An unknown import, one that counts no more, a missing reason, a period that is not open.
pub async fn withdraw(
    installation: &Installation,
    actor: &Actor,
    import: ImportId,
    reason: &str,
) -> Result<LedgerNumber, WorkflowError> {
    if reason.trim().is_empty() {
        return Err(Refusal::new(format!("cannot withdraw import {import}: no reason was given"))
            .hint("`--reason \"delivered twice\"`")
            .into());
    }
    let mut tx = installation.ledger.begin().await?;
    load_live(&mut tx, import).await?;
    let filter = PartFilter { import: Some(import), ..PartFilter::default() };
    let live = tx.live_parts(&filter, None).await?;
    let mut touched: Vec<Period> = live.iter().map(|part| part.part.key.period).collect();
    touched.dedup();
    for period in &touched {
        periods::require(&mut tx, *period, PeriodAct::Withdraw).await?;
    }
    let mut unusual = Vec::new();
    for period in touched.iter().copied().collect::<BTreeSet<_>>() {
        let gone = |part: &LivePart| part.part.key.import == import;
        unusual.extend(look(installation, &mut tx, period, Changing { gone: &gone, new: Vec::new() }).await?);
    }
    let parts = tx.withdraw_import(import, reason).await?;
    for looked in &unusual {
        looked.record(&mut tx).await?;
    }
    let billed: money::Amount = parts.iter().map(|part| part.billed_cost).sum();
    let rows: u64 = parts.iter().map(|part| part.rows).sum();
    let detail = json!({ "reason": reason, "charges": rows, "billed_cost": billed, "periods": touched });
    Ok(tx.commit(AuditEvent::new(actor, "import.withdrawn", format!("import {import}"), detail)).await?)
}

/// The quarantined rows of an import, as CSV.
///
/// # Errors
/// An unknown import, or one without quarantined rows.
pub async fn quarantined(installation: &Installation, import: ImportId) -> Result<Vec<u8>, WorkflowError> {
    let mut reader = installation.ledger.read().await?;
    let row = load(&mut reader, import).await?;
    let Some(file) = row.quarantine_file else {
        return Err(Refusal::new(format!("import {import} has no quarantined rows")).into());
    };
    let pruned = reader.list_pruned_files(Some(import)).await?;
    if let Some(gone) = pruned.into_iter().find(|pruned| pruned.file.path == file) {
        return Err(
            Refusal::new(format!("the quarantined rows of import {import} were {}", when(&gone))).into()
        );
    }
    let path = installation.lake.root().join(file);
    std::fs::read(&path).map_err(|source| WorkflowError::file("read", &path, source))
}

/// The same for a spreadsheet: no cell becomes a formula.
///
/// # Errors
/// As [`quarantined`].
pub async fn quarantined_for_people(
    installation: &Installation,
    import: ImportId,
) -> Result<String, WorkflowError> {
    let bytes = quarantined(installation, import).await?;
    let mut reader = csv::Reader::from_reader(bytes.as_slice());
    let unreadable = |error: csv::Error| WorkflowError::Internal(format!("quarantined rows: {error}"));
    let names = reader.headers().map_err(unreadable)?.clone();
    let mut rows = Vec::new();
    for record in reader.records() {
        rows.push(record.map_err(unreadable)?.iter().map(str::to_owned).collect());
    }
    Ok(documents::table_for_people(&names.iter().collect::<Vec<_>>(), rows))
}

/// A file as it was delivered.
pub struct DeliveredBytes {
    pub file: DeliveredFile,
    pub bytes: lake::DeliveryReader,
}

/// The kept bytes of a delivered file, by its place in the delivery, from 0.
///
/// # Errors
/// An unknown import or file; bytes that were pruned or are damaged.
pub async fn delivered(
    installation: &Installation,
    import: ImportId,
    ordinal: u32,
) -> Result<DeliveredBytes, WorkflowError> {
    let mut reader = installation.ledger.read().await?;
    load(&mut reader, import).await?;
    let files = reader.list_delivered_files(import).await?;
    let Some(file) = files.into_iter().find(|file| file.ordinal == ordinal) else {
        return Err(Refusal::new(format!("import {import} has no file {ordinal}")).into());
    };
    let path = lake::delivery_path(&file.sha256);
    let pruned = reader.list_pruned_files(Some(import)).await?;
    if let Some(gone) = pruned.into_iter().find(|pruned| pruned.file.path == path) {
        return Err(Refusal::new(format!("`{}` was {}", file.name, when(&gone))).into());
    }
    let mut sha256 = [0; 32];
    hex::decode_to_slice(&file.sha256, &mut sha256)
        .map_err(|error| WorkflowError::Internal(format!("digest of `{}`: {error}", file.name)))?;
    let bytes = installation.lake.delivered_reader(&sha256)?;
    Ok(DeliveredBytes { file, bytes })
}

/// `pruned on 2025-06-01 by casey (act 57)`
#[must_use]
pub fn when(pruned: &PrunedRow) -> String {
    let day = pruned.pruned.at.strftime("%Y-%m-%d");
    format!("pruned on {day} by {} (act {})", pruned.pruned.by, pruned.number)
}

pub(crate) async fn load(reader: &mut Reader, import: ImportId) -> Result<ImportRow, WorkflowError> {
    match reader.find_import(import).await? {
        Some(row) => Ok(row),
        None => Err(Refusal::new(format!("import {import} is not known"))
            .hint("`imports list` shows what was imported")
            .into()),
    }
}

pub(crate) async fn load_live(reader: &mut Reader, import: ImportId) -> Result<ImportRow, WorkflowError> {
    let row = load(reader, import).await?;
    let filter = PartFilter { import: Some(import), ..PartFilter::default() };
    if reader.live_parts(&filter, None).await?.is_empty() {
        return Err(Refusal::new(format!("import {import} counts no more: it was superseded or withdrawn"))
            .hint(format!("`imports show {import}` says by what"))
            .into());
    }
    Ok(row)
}
