//! Downwards: what became of a line of a delivered file.

use billing::{ChargeId, ImportId, SourceName};
use focus::Source;
use lake::{ChargeRow, Filter, LiveFile, View, ViewSpec};
use ledger::{DeliveredFile, ImportFilter, ImportRow, PartEvent, PartFilter, PartState, Reader};
use serde::Serialize;

use crate::charges::{live_files, locate};
use crate::import::chain;
use crate::import::convert::is_raw;
use crate::story::{Story, charge_story};
use crate::{Installation, Refusal, WorkflowError};

/// What became of a line, in each delivery of a file of this name, the latest first.
#[derive(Clone, Debug, Serialize)]
pub struct LineStory {
    pub file: String,
    pub line: u64,
    pub deliveries: Vec<LineOf>,
}

#[derive(Clone, Debug, Serialize)]
pub struct LineOf {
    pub import: ImportId,
    pub source: SourceName,
    pub sha256: String,
    #[serde(flatten)]
    pub became: Became,
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "snake_case", tag = "became")]
pub enum Became {
    /// It counts.
    Charge { story: Box<Story> },
    /// It was a charge, and counts no more.
    Gone {
        charge: ChargeId,
        state: PartState,
        by_import: Option<ImportId>,
        reason: Option<String>,
        /// The charge that is in its place now.
        successor: Option<ChargeId>,
    },
    /// It could not be a charge.
    Quarantined { text: String, problems: Vec<Wrong> },
    /// It was read and is no charge of this import: its period took none.
    LeftOut { period: Option<String>, columns: Vec<(String, String)> },
    /// What was used of it is in this file, beside what others used.
    Used { usage: String },
    /// Names of columns.
    Header,
    /// No row begins there.
    NoRow { rows: u64 },
    /// The delivered bytes were removed on purpose, with what was made of them.
    Pruned,
}

#[derive(Clone, Debug, Serialize)]
pub struct Wrong {
    pub column: String,
    pub value: String,
    pub message: String,
}

/// `FILE:LINE`, unless it is something else.
pub(super) fn reference(text: &str) -> Option<(&str, u64)> {
    let (file, line) = text.rsplit_once(':')?;
    let line = line.trim_start_matches("line ").parse().ok().filter(|line| 0 < *line)?;
    (!file.is_empty() && file.parse::<i64>().is_err()).then_some((file, line))
}

/// # Errors
/// A file that was never delivered; evidence that is damaged.
pub(super) async fn line_story(
    installation: &Installation,
    name: &str,
    line: u64,
) -> Result<LineStory, WorkflowError> {
    let mut reader = installation.ledger.read().await?;
    let (mut deliveries, mut known) = (Vec::new(), Vec::new());
    for import in reader.list_imports(&ImportFilter::default()).await? {
        for file in reader.list_delivered_files(import.import).await? {
            if file.name == name || (8 <= name.len() && file.sha256.starts_with(name)) {
                let became = became(installation, &mut reader, &import, &file, line).await?;
                let (import, source) = (import.import, import.source_name.clone());
                deliveries.push(LineOf { import, source, sha256: file.sha256, became });
            } else if !known.contains(&file.name) {
                known.push(file.name);
            }
        }
    }
    deliveries.sort_by_key(|of| std::cmp::Reverse(of.import));
    if deliveries.is_empty() {
        known.truncate(10);
        let refusal = Refusal::new(format!("no delivered file is called `{name}`"));
        return Err(match known.as_slice() {
            [] => refusal.hint("nothing was imported yet: `ingest FILE`"),
            known => refusal.hint(format!("the latest: {}; `imports list` has all", known.join(", "))),
        }
        .into());
    }
    Ok(LineStory { file: name.to_owned(), line, deliveries })
}

async fn became(
    installation: &Installation,
    reader: &mut Reader,
    import: &ImportRow,
    file: &DeliveredFile,
    line: u64,
) -> Result<Became, WorkflowError> {
    let pruned = reader.list_pruned_files(Some(import.import)).await?;
    if !pruned.is_empty() {
        return Ok(Became::Pruned);
    }
    if is_raw(file) {
        let files = reader.list_delivered_files(import.import).await?;
        let usage = files.into_iter().find(|made| !is_raw(made)).map(|made| made.name);
        return Ok(Became::Used { usage: usage.unwrap_or_default() });
    }
    if let Some(charge) = find_charge(installation, reader, import, file, line).await? {
        return of_charge(installation, reader, import, &charge).await;
    }
    let wrong = quarantined(installation, import, file, line)?;
    if let Some((text, problems)) = wrong {
        return Ok(Became::Quarantined { text, problems });
    }
    if line == 1 && file.format != "parquet" {
        return Ok(Became::Header);
    }
    match row_at(installation, file, line)? {
        Some(columns) => {
            let period = columns.iter().find(|(name, _)| name == "BillingPeriodStart");
            Ok(Became::LeftOut { period: period.map(|(_, start)| start.clone()), columns })
        }
        None => Ok(Became::NoRow { rows: file.rows }),
    }
}

/// Among all charges of the import, also those that count no more.
async fn find_charge(
    installation: &Installation,
    reader: &mut Reader,
    import: &ImportRow,
    file: &DeliveredFile,
    line: u64,
) -> Result<Option<ChargeRow>, WorkflowError> {
    let files = reader.list_charge_files(Some(import.import), None).await?;
    let files = files.into_iter().map(|charges| LiveFile {
        path: charges.path,
        import: import.import,
        source: import.source_name.0.clone(),
        period: charges.period,
        accounts: None,
        basis: billing::settings::Basis::default(),
    });
    let view = installation.lake.view(ViewSpec { files: files.collect(), ..ViewSpec::default() })?;
    let filter =
        Filter { file: Some(i64::from(file.ordinal)), line: i64::try_from(line).ok(), ..Filter::default() };
    Ok(view.charges(&filter, &[], Some(1), 0).await?.pop())
}

async fn of_charge(
    installation: &Installation,
    reader: &mut Reader,
    import: &ImportRow,
    charge: &ChargeRow,
) -> Result<Became, WorkflowError> {
    let account = charge.delivered.iter().find(|(name, _)| name == "billing_account_id");
    let account = account.map_or("", |(_, account)| account);
    let of_part = |event: &&PartEvent| {
        event.key.import == import.import && event.key.period == charge.period && event.key.account == account
    };
    let events = reader.list_part_events(import.import).await?;
    match events.iter().rfind(of_part) {
        Some(event) if event.state != PartState::Live => Ok(Became::Gone {
            charge: charge.id,
            state: event.state,
            by_import: event.by_import,
            reason: event.reason.clone(),
            successor: successor(installation, reader, import, charge).await?,
        }),
        _ => Ok(Became::Charge { story: Box::new(charge_story(installation, charge.id).await?) }),
    }
}

/// What counts now of the same charge: the same fingerprint, and the same place among its twins.
async fn successor(
    installation: &Installation,
    reader: &mut Reader,
    import: &ImportRow,
    charge: &ChargeRow,
) -> Result<Option<ChargeId>, WorkflowError> {
    let filter = PartFilter {
        period: Some(charge.period),
        source: Some(import.source_name.clone()),
        ..PartFilter::default()
    };
    let parts = reader.live_parts(&filter, None).await?;
    let files = live_files(&parts, &installation.settings);
    let now: View = installation.lake.view(ViewSpec { files, ..ViewSpec::default() })?;
    let found = locate(&now, &[charge.fingerprint]).await?;
    Ok(found.iter().min_by_key(|found| found.ordinal).map(|found| found.charge.id))
}

fn quarantined(
    installation: &Installation,
    import: &ImportRow,
    file: &DeliveredFile,
    line: u64,
) -> Result<Option<(String, Vec<Wrong>)>, WorkflowError> {
    let Some(path) = &import.quarantine_file else { return Ok(None) };
    let path = installation.lake.root().join(path);
    let failed = |error: csv::Error| WorkflowError::file("read", &path, std::io::Error::other(error));
    let mut rows = csv::Reader::from_path(&path).map_err(failed)?;
    let (mut text, mut problems) = (String::new(), Vec::new());
    for record in rows.records() {
        let record = record.map_err(failed)?;
        let field = |at: usize| record.get(at).unwrap_or_default();
        if field(0) == file.name && field(1).parse() == Ok(line) {
            field(5).clone_into(&mut text);
            problems.push(Wrong {
                column: field(2).to_owned(),
                value: field(3).to_owned(),
                message: field(4).to_owned(),
            });
        }
    }
    Ok((!problems.is_empty()).then_some((text, problems)))
}

/// The row that begins at a line of the kept bytes.
fn row_at(
    installation: &Installation,
    file: &DeliveredFile,
    line: u64,
) -> Result<Option<Vec<(String, String)>>, WorkflowError> {
    let unreadable = |error: &dyn std::error::Error| Refusal::new(format!("{}: {}", file.name, chain(error)));
    let sha256 = crate::verify::digest(&file.sha256).map_err(Refusal::new)?;
    let bytes = installation.lake.delivered_reader(&sha256)?;
    let mut source = Source::from_reader(bytes).map_err(|error| unreadable(&error))?;
    let header = source.header().clone();
    while let Some(block) = source.next_block().map_err(|error| unreadable(&error))? {
        if line < block.first_line {
            break;
        }
        let (cells, _) = block.cells(&header);
        let Some(row) = cells.lines.iter().position(|&at| u64::try_from(at) == Ok(line)) else { continue };
        let columns = header.columns.iter().enumerate();
        let kept = columns.filter(|(at, _)| cells.spans[*at].len() == cells.rows);
        let value = |at: usize| String::from_utf8_lossy(cells.get(at, row)).into_owned();
        return Ok(Some(kept.map(|(at, column)| (column.delivered.clone(), value(at))).collect()));
    }
    Ok(None)
}
