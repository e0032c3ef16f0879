//! Charges as both doors list them: with the name of the delivered file instead of its number.

use std::collections::BTreeMap;

use billing::decision::ChargeState;
use billing::statement::LineKind;
use billing::{ChargeId, Flags, ImportId, Period};
use lake::{ChargeRow, Filter, Sort, View};
use ledger::Reader;
use money::Amount;
use serde::Serialize;

use crate::{Installation, WorkflowError, people};

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

pub(crate) async fn listed(
    reader: &mut Reader,
    view: &View,
    filter: &Filter,
    sort: &[Sort],
    limit: Option<usize>,
    offset: usize,
) -> Result<Vec<ListedCharge>, WorkflowError> {
    let rows = view.charges(filter, sort, limit, offset).await?;
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
