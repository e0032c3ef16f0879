//! Decisions as the lake sees them: where each decided charge stands, as a small Parquet file that can be
//! thrown away and written again at any time.

use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::FieldRef;
use billing::ChargeId;
use billing::decision::{ChargeState, Standing};
use parquet::arrow::ArrowWriter;
use parquet::basic::Compression;
use parquet::file::properties::WriterProperties;

use crate::LakeError;
use crate::files::NewFile;
use crate::table::{Footers, Table, TableFile};

/// An overlay that has been written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OverlayRef {
    /// Relative to the lake: `overlay/<name>.parquet`.
    pub path: String,
    /// Charges that have been decided about.
    pub charges: u64,
}

/// Text columns of an overlay; no charge has a column that begins so.
const TEXT: [&str; 9] = [
    "_o_state",
    "_o_billed_in",
    "_o_flags",
    "_o_pi_email",
    "_o_project_id",
    "_o_fund_org",
    "_o_account_code",
    "_o_reference_1",
    "_o_reference_2",
];

pub(crate) fn state_name(state: ChargeState) -> &'static str {
    match state {
        ChargeState::Billable => "billable",
        ChargeState::Held => "held",
        ChargeState::Rejected => "rejected",
        ChargeState::Deferred => "deferred",
    }
}

pub(crate) fn state_of(name: &str) -> ChargeState {
    match name {
        "billable" => ChargeState::Billable,
        "rejected" => ChargeState::Rejected,
        "deferred" => ChargeState::Deferred,
        _ => ChargeState::Held,
    }
}

/// The overlay under a name.
pub(crate) fn find(root: &Path, footers: &Footers, name: &str) -> Result<Option<OverlayRef>, LakeError> {
    let relative = relative_path(name)?;
    let path = root.join(&relative);
    if !path.exists() {
        return Ok(None);
    }
    let footer = footers.get(&path)?;
    Ok(Some(OverlayRef { path: relative, charges: footer.rows }))
}

fn relative_path(name: &str) -> Result<String, LakeError> {
    if name.is_empty() || !name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b)) {
        return Err(LakeError::NotInLake(name.to_owned()));
    }
    Ok(format!("overlay/{name}.parquet"))
}

/// Write an overlay, or take the one that is there under the name.
pub(crate) fn write(
    root: &Path,
    footers: &Footers,
    name: &str,
    standings: &[(ChargeId, Standing)],
) -> Result<OverlayRef, LakeError> {
    if let Some(known) = find(root, footers, name)? {
        return Ok(known);
    }
    let relative = relative_path(name)?;
    let path = root.join(&relative);
    let batch = batch(standings)?;
    let failed = |source| LakeError::Parquet { act: "write", path: path.clone(), source };
    let properties = WriterProperties::builder().set_compression(Compression::LZ4_RAW).build();
    let mut bytes = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut bytes, batch.schema(), Some(properties)).map_err(failed)?;
    writer.write(&batch).map_err(failed)?;
    writer.close().map_err(failed)?;
    let mut file = NewFile::create(&root.join("overlay"), "overlay")?;
    file.write_all(&bytes).map_err(LakeError::io("write", &path))?;
    file.commit(&path)?;
    Ok(OverlayRef { path: relative, charges: standings.len() as u64 })
}

fn batch(standings: &[(ChargeId, Standing)]) -> Result<RecordBatch, LakeError> {
    let imports: Int64Array = standings.iter().map(|(id, _)| id.import.0).collect::<Vec<_>>().into();
    let rows: Int64Array = standings.iter().map(|(id, _)| id.row).collect::<Vec<_>>().into();
    let mut columns: Vec<(&str, ArrayRef)> =
        vec![("_o_import", Arc::new(imports)), ("_o_row", Arc::new(rows))];
    for name in TEXT {
        let values: StringArray = standings.iter().map(|(_, standing)| value(name, standing)).collect();
        columns.push((name, Arc::new(values)));
    }
    Ok(RecordBatch::try_from_iter_with_nullable(
        columns.into_iter().map(|(name, array)| (name, array, true)),
    )?)
}

fn value(column: &str, standing: &Standing) -> Option<String> {
    let change = &standing.change;
    match column {
        "_o_state" => Some(state_name(standing.state).to_owned()),
        "_o_billed_in" => standing.billed_in.map(|period| period.to_string()),
        "_o_flags" => (!standing.flags.is_empty()).then(|| standing.flags.to_string()),
        "_o_pi_email" => change.pi_email.clone(),
        "_o_project_id" => change.project_id.clone(),
        "_o_fund_org" => change.fund_org.clone(),
        "_o_account_code" => change.account_code.clone(),
        "_o_reference_1" => change.reference_1.clone(),
        _ => change.reference_2.clone(),
    }
}

pub(crate) fn table(root: &Path, footers: &Footers, overlay: &OverlayRef) -> Result<Table, LakeError> {
    let path = root.join(&overlay.path);
    let footer = footers.get(&path)?;
    let columns: Vec<FieldRef> = footer.fields.clone();
    Ok(Table::new(vec![TableFile { path, footer, constants: Vec::new() }], columns, Vec::new()))
}
