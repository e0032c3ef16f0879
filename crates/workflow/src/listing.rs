//! Charges as both doors list them: with the name of the delivered file instead of its number.

use std::collections::BTreeMap;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::sync::Arc;

use billing::decision::ChargeState;
use billing::statement::LineKind;
use billing::{ChargeId, Flags, ImportId, Period};
use lake::{ChargePage, ChargeRow, Filter, Sort, View};
use ledger::Reader;
use money::Amount;
use serde::Serialize;

use crate::{Installation, WorkflowError, kept, people};

/// A charge with its decisions; the shape of `charges list --json`.
#[derive(Clone, Debug, Serialize)]
pub struct ListedCharge {
    pub id: ChargeId,
    pub import: ImportId,
    pub row: i64,
    /// Name of the delivered file.
    pub file: String,
    pub line: i64,
    pub source: String,
    pub period: Period,
    pub pi_email: Option<String>,
    pub project_id: Option<String>,
    pub fund_org: Option<String>,
    pub service_name: Option<String>,
    pub resource_id: Option<String>,
    pub list_cost: Option<Amount>,
    pub billed_cost: Amount,
    pub state: ChargeState,
    pub flags: Flags,
    #[serde(skip)]
    pub resource_name: Option<String>,
    #[serde(skip)]
    pub cost: Amount,
    #[serde(skip)]
    pub kind: LineKind,
    #[serde(skip)]
    pub billed_in: Period,
    /// Why it was flagged: which pattern, which date.
    #[serde(skip)]
    pub flag_detail: Option<String>,
}

/// # Errors
/// An unknown column to sort by; what could not be read.
pub async fn list(
    installation: &Installation,
    filter: &Filter,
    sort: &[Sort],
    limit: Option<usize>,
    offset: usize,
) -> Result<Vec<ListedCharge>, WorkflowError> {
    let mut reader = installation.ledger.read().await?;
    let filter = &people::widened(&mut reader, filter).await?;
    let view = crate::review::view_for(installation, &mut reader, filter).await?;
    listed(&mut reader, &view, filter, sort, limit, offset).await
}

/// Some of the charges that a filter finds, and all of them summed.
#[derive(Clone, Debug, Serialize)]
pub struct ChargeList {
    pub charges: Vec<ListedCharge>,
    pub total: u64,
    pub list_cost: Amount,
    pub billed_cost: Amount,
    /// On the billing basis of each charge's source.
    pub cost: Amount,
}

/// A page of a list: `limit` charges after the first `offset`. The same page of the same books is looked up
/// once, whoever asks.
///
/// # Errors
/// An unknown column to sort by; what could not be read.
pub async fn page(
    installation: &Installation,
    filter: &Filter,
    sort: &[Sort],
    limit: usize,
    offset: usize,
) -> Result<Arc<ChargeList>, WorkflowError> {
    let mut reader = installation.ledger.read().await?;
    let asked = format!("{filter:?} {sort:?} {limit} {offset}");
    let cell = installation.kept.page(asked, &kept::books(installation, &mut reader).await?);
    let found = cell
        .get_or_try_init(|| async {
            let filter = people::widened(&mut reader, filter).await?;
            let view = crate::review::view_for(installation, &mut reader, &filter).await?;
            let page = view.page(&filter, sort, limit, offset).await?;
            let ChargePage { total, list_cost, billed_cost, cost, .. } = page;
            let charges = named(&mut reader, page.charges).await?;
            Ok::<_, WorkflowError>(Arc::new(ChargeList { charges, total, list_cost, billed_cost, cost }))
        })
        .await?;
    Ok(Arc::clone(found))
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExportFormat {
    /// For a spreadsheet: no cell becomes a formula.
    Csv,
    Parquet,
}

/// Write all charges that a filter finds, in the order of their ids, with everything that is known of each.
/// Says how many. Memory does not grow with their number.
///
/// # Errors
/// What could not be read or written.
pub async fn export(
    installation: &Installation,
    filter: &Filter,
    format: ExportFormat,
    mut out: impl Write + Send,
) -> Result<u64, WorkflowError> {
    let mut reader = installation.ledger.read().await?;
    let filter = people::widened(&mut reader, filter).await?;
    let view = crate::review::view_for(installation, &mut reader, &filter).await?;
    // The facts stay; the books need not wait for a slow reader.
    drop(reader);
    if format == ExportFormat::Parquet {
        return Ok(view.export_parquet(&filter, out).await?);
    }
    let failed = |source| WorkflowError::file("write", Path::new("the charges"), source);
    out.write_all(documents::table_for_people(&View::exported_columns(), []).as_bytes()).map_err(failed)?;
    let rows = view
        .export_texts(&filter, |rows| out.write_all(&documents::rows_for_people(rows)).map_err(failed))
        .await?;
    out.flush().map_err(failed)?;
    Ok(rows)
}

/// As [`export`], to a file that is there whole or not at all.
///
/// # Errors
/// As [`export`]; a folder that is not there.
pub async fn export_to(
    installation: &Installation,
    filter: &Filter,
    format: ExportFormat,
    path: &Path,
) -> Result<u64, WorkflowError> {
    let failed = |source| WorkflowError::file("write", path, source);
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let file = tempfile::Builder::new().prefix(".writing-").tempfile_in(folder);
    // What is said of the temporary file is of no use to anybody.
    let file = file.map_err(|error| failed(error.kind().into()))?;
    let rows = export(installation, filter, format, BufWriter::new(file.as_file())).await?;
    file.as_file().sync_all().map_err(failed)?;
    file.persist(path).map_err(|error| failed(error.error))?;
    Ok(rows)
}

pub(crate) async fn listed(
    reader: &mut Reader,
    view: &View,
    filter: &Filter,
    sort: &[Sort],
    limit: Option<usize>,
    offset: usize,
) -> Result<Vec<ListedCharge>, WorkflowError> {
    let rows = view.charges(filter, sort, limit, offset).await?;
    named(reader, rows).await
}

/// With the names of the delivered files.
async fn named(reader: &mut Reader, rows: Vec<ChargeRow>) -> Result<Vec<ListedCharge>, WorkflowError> {
    let mut names: BTreeMap<ImportId, Vec<String>> = BTreeMap::new();
    let mut charges = Vec::with_capacity(rows.len());
    for row in rows {
        if let std::collections::btree_map::Entry::Vacant(e) = names.entry(row.id.import) {
            let files = reader.list_delivered_files(row.id.import).await?;
            e.insert(files.into_iter().map(|file| file.name).collect());
        }
        let files = names.get(&row.id.import).map(Vec::as_slice).unwrap_or_default();
        charges.push(ListedCharge::new(row, files));
    }
    Ok(charges)
}

impl ListedCharge {
    /// `files` are the names of the import's files, in their order.
    #[must_use]
    pub fn new(row: ChargeRow, files: &[String]) -> ListedCharge {
        let file = usize::try_from(row.file).ok().and_then(|at| files.get(at)).cloned().unwrap_or_default();
        let detail = row.delivered.iter().find(|(name, _)| name == "flag_detail");
        ListedCharge {
            id: row.id,
            import: row.id.import,
            row: row.id.row,
            file,
            line: row.line,
            source: row.source,
            period: row.period,
            pi_email: row.attribution.pi_email,
            project_id: row.attribution.project_id,
            fund_org: row.attribution.fund_org,
            service_name: row.service_name,
            resource_id: row.resource_id,
            list_cost: row.list_cost,
            billed_cost: row.billed_cost,
            state: row.state,
            flags: row.flags,
            resource_name: row.resource_name,
            cost: row.cost,
            kind: row.kind,
            billed_in: row.billed_in,
            flag_detail: detail.map(|(_, text)| text.clone()),
        }
    }
}
