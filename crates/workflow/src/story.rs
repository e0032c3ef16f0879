//! One charge, whole: the row as delivered, what was made of it, and what was decided about it.

use std::collections::BTreeSet;

use billing::attribution::Attribution;
use billing::attribution_table::{AttributionRule, RuleId};
use billing::decision::{ChargeState, Decision};
use billing::intake::{FALLBACK_AFTER, FALLBACK_FROM};
use billing::people::PersonAddress;
use billing::rate::{Rate, RateId, version};
use billing::statement::{Fallback, PostedLine};
use billing::{ChargeId, LedgerNumber, SourceName, StatementNumber};
use connectors::RecordsBehind;
use focus::{Block, Source};
use lake::{ChargeRow, Filter};
use ledger::{DecisionFilter, DeliveredFile, Reader, StatementFilter};
use money::Amount;
use serde::Serialize;

use crate::charges::{Scope, charges, locate};
use crate::import::convert::{Conversion, is_raw};
use crate::listing::ListedCharge;
use crate::{Installation, Refusal, WorkflowError, imports, statements};

#[derive(Clone, Debug, Serialize)]
pub struct Story {
    pub charge: ListedCharge,
    /// What was made of the row, by column: attribution after decisions is in `charge`.
    pub columns: Vec<(String, String)>,
    pub delivered: DeliveredRow,
    /// Where the row was made of a system's own records: these, unless their files are large.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub made_of: Option<RecordsBehind>,
    /// They are: [`records`] looks for them.
    #[serde(skip)]
    pub has_more_records: bool,
    /// Rules of the attribution table that gave it fields.
    pub attributed_by: Vec<GivenBy>,
    /// The rate that says what it costs.
    pub priced_by: Option<PricedBy>,
    /// Where its fund stands in for that of an award that has ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fallback: Option<Fallback>,
    pub decisions: Vec<Said>,
    /// The statement it is billed on, when that was issued.
    pub statement: Option<StatementNumber>,
}

/// A row of a delivered file, from the kept bytes.
#[derive(Clone, Debug, Serialize)]
pub struct DeliveredRow {
    pub file: String,
    pub sha256: String,
    pub line: i64,
    /// The line as it was delivered; of a Parquet file, `column=value` for each column that is kept.
    pub text: String,
    /// Delivered column name and value.
    pub columns: Vec<(String, String)>,
}

/// A rule of the attribution table, as it stood when the charge was read.
#[derive(Clone, Debug, Serialize)]
pub struct GivenBy {
    pub rule: RuleId,
    /// What it looked at.
    pub subject: String,
    pub days: String,
    pub by: String,
    pub at: jiff::Timestamp,
    pub note: Option<String>,
}

/// A rate of the rate book, and what it priced.
#[derive(Clone, Debug, Serialize)]
pub struct PricedBy {
    pub rate: RateId,
    /// Its code and what it is for.
    pub subject: String,
    pub version: usize,
    /// In the rate's unit.
    pub quantity: String,
    pub unit: String,
    pub price: Amount,
    pub by: String,
    pub at: jiff::Timestamp,
    pub note: Option<String>,
}

#[derive(Clone, Debug, Serialize)]
pub struct Said {
    pub number: LedgerNumber,
    pub by: String,
    pub at: jiff::Timestamp,
    #[serde(flatten)]
    pub decision: Decision,
    pub note: Option<String>,
    pub undone_by: Option<LedgerNumber>,
    /// Said about other costs, attribution or flags than the charge has today.
    pub outdated: bool,
}

/// # Errors
/// A charge that does not exist or does not count; evidence that is damaged.
pub async fn charge_story(installation: &Installation, id: ChargeId) -> Result<Story, WorkflowError> {
    let mut reader = installation.ledger.read().await?;
    let import = imports::load(&mut reader, id.import).await?;
    let scope = Scope { period: None, import: Some(id.import) };
    let view = charges(installation, &mut reader, scope, &installation.settings, None).await?;
    let Some(charge) = view.charge(id).await? else { return Err(missing(&mut reader, id).await?.into()) };
    let files = reader.list_delivered_files(id.import).await?;
    let delivered = delivered_row(installation, &files, &charge)?;
    let raw_bytes: u64 = files.iter().filter(|file| is_raw(file)).map(|file| file.size_bytes).sum();
    let has_more_records = AT_ONCE_BYTES < raw_bytes;
    let made_of = if has_more_records {
        None
    } else {
        made_of(installation, &mut reader, &import, &files, delivered.line).await?
    };
    let attributed_by = given_by(&mut reader, &import, &charge).await?;
    let priced_by = priced_by(&mut reader, &import, &charge).await?;
    let decisions = said_about(&mut reader, &view, id, &import.source_name).await?;
    let statement = statement_of(&mut reader, &charge).await?;
    let columns = charge.delivered.clone();
    let fallback = fallback_of(&charge);
    let names: Vec<String> = files.into_iter().map(|file| file.name).collect();
    Ok(Story {
        charge: ListedCharge::new(charge, &names),
        columns,
        delivered,
        made_of,
        has_more_records,
        attributed_by,
        priced_by,
        fallback,
        decisions,
        statement,
    })
}

/// Files of so many bytes are looked through while somebody waits for a page.
const AT_ONCE_BYTES: u64 = 64 << 20;

/// The records that a charge's row was made of, however large their files are; `None` where it was not.
///
/// # Errors
/// Evidence that is damaged.
pub async fn records(
    installation: &Installation,
    story: &Story,
) -> Result<Option<RecordsBehind>, WorkflowError> {
    let mut reader = installation.ledger.read().await?;
    let import = imports::load(&mut reader, story.charge.id.import).await?;
    let files = reader.list_delivered_files(import.import).await?;
    made_of(installation, &mut reader, &import, &files, story.delivered.line).await
}

/// The usage of a month is made of all raw files of its delivery; rows follow its header line by line.
async fn made_of(
    installation: &Installation,
    reader: &mut Reader,
    import: &ledger::ImportRow,
    files: &[DeliveredFile],
    line: i64,
) -> Result<Option<RecordsBehind>, WorkflowError> {
    let raw: Vec<&DeliveredFile> = files.iter().filter(|file| is_raw(file)).collect();
    let Some(row) = u64::try_from(line - 1).ok().filter(|row| 0 < *row && !raw.is_empty()) else {
        return Ok(None);
    };
    let settings = installation.kept_settings(reader, &import.configuration_digest).await?;
    let conversion = Conversion::of_import(&settings, import)?;
    tokio::task::block_in_place(|| conversion.records_behind(installation, &raw, row)).map(Some)
}

fn fallback_of(charge: &ChargeRow) -> Option<Fallback> {
    let Attribution { fund_org, end_date, fallback_fund_org, .. } = &charge.attribution;
    let column =
        |name: &str| charge.delivered.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone());
    let after = column(FALLBACK_AFTER).filter(|_| fund_org == fallback_fund_org)?;
    let of_use = end_date.as_ref() == Some(&after);
    Some(Fallback { fund_org: fund_org.clone()?, from: column(FALLBACK_FROM), after, of_use })
}

async fn given_by(
    reader: &mut Reader,
    import: &ledger::ImportRow,
    charge: &ChargeRow,
) -> Result<Vec<GivenBy>, WorkflowError> {
    let column = charge.delivered.iter().find(|(name, _)| name == billing::intake::ATTRIBUTED_BY);
    let Some((_, ids)) = column else { return Ok(Vec::new()) };
    let mut rules = reader.rules::<AttributionRule>(Some(LedgerNumber(import.number.0 - 1))).await?;
    rules.retain(|row| ids.split(", ").any(|id| id == row.rule.id.to_string()));
    let given = |row: ledger::RuleRow<AttributionRule>| GivenBy {
        rule: row.rule.id,
        subject: row.rule.subject(),
        days: crate::attribution::days(&row.rule),
        by: row.written.by,
        at: row.written.at,
        note: row.rule.note,
    };
    let mut given: Vec<GivenBy> = rules.into_iter().map(given).collect();
    let mut addresses = reader.rules::<PersonAddress>(Some(LedgerNumber(import.number.0 - 1))).await?;
    addresses.retain(|row| ids.split(", ").any(|id| id == row.rule.person.to_string()));
    // The one that was written last is the one that made the others aliases.
    given.extend(addresses.pop().map(|row| GivenBy {
        rule: RuleId(-row.rule.person.0),
        subject: row.rule.name,
        days: row.rule.from.map_or_else(|| "always".to_owned(), |from| format!("from {from}")),
        by: row.written.by,
        at: row.written.at,
        note: row.rule.note,
    }));
    Ok(given)
}

async fn priced_by(
    reader: &mut Reader,
    import: &ledger::ImportRow,
    charge: &ChargeRow,
) -> Result<Option<PricedBy>, WorkflowError> {
    let column = |name: &str| {
        let found = charge.delivered.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.clone()).unwrap_or_default()
    };
    let id = column(billing::intake::RATED_BY);
    let mut rows = reader.rules::<Rate>(Some(LedgerNumber(import.number.0 - 1))).await?;
    let rates: Vec<Rate> = rows.iter().map(|row| row.rule.clone()).collect();
    rows.retain(|row| row.rule.id.to_string() == id);
    Ok(rows.pop().map(|row| PricedBy {
        rate: row.rule.id,
        subject: row.rule.subject(),
        version: version(&rates, &row.rule),
        quantity: column("pricing_quantity"),
        unit: row.rule.unit.to_string(),
        price: row.rule.price,
        by: row.written.by,
        at: row.written.at,
        note: row.rule.note,
    }))
}

async fn missing(reader: &mut Reader, id: ChargeId) -> Result<Refusal, WorkflowError> {
    let import = imports::load(reader, id.import).await?;
    let charges = import.charges;
    let pruned = reader.list_pruned_files(Some(id.import)).await?;
    let refusal = match pruned.first() {
        Some(row) => Refusal::detail(
            missing_or_gone(id, charges),
            format!("charges of import {} were {}", id.import, imports::when(row)),
        ),
        None => missing_or_gone(id, charges),
    };
    Ok(refusal)
}

fn missing_or_gone(id: ChargeId, charges: u64) -> Refusal {
    if id.row <= i64::try_from(charges).unwrap_or(i64::MAX) {
        Refusal::new(format!("charge {id} counts no more: import {} was superseded or withdrawn", id.import))
            .hint(format!("`imports show {}` says by what", id.import))
    } else {
        Refusal::new(format!("charge {id} does not exist: import {} has {charges} charges", id.import))
    }
}

/// The row's bytes, read again from the evidence.
///
/// # Errors
/// Evidence that is missing or damaged.
pub fn delivered_row(
    installation: &Installation,
    files: &[DeliveredFile],
    charge: &ChargeRow,
) -> Result<DeliveredRow, WorkflowError> {
    let internal = |what: String| WorkflowError::Internal(what);
    if charge.byte_len == 0 && charge.line == 0 {
        return Ok(gone_from(files, charge));
    }
    let file = usize::try_from(charge.file).ok().and_then(|at| files.get(at));
    let file =
        file.ok_or_else(|| internal(format!("charge {} names a file that was not delivered", charge.id)))?;
    let mut sha256 = [0; 32];
    hex::decode_to_slice(&file.sha256, &mut sha256).map_err(|error| internal(error.to_string()))?;
    let reader = installation.lake.delivered_reader(&sha256)?;
    let mut source =
        Source::from_reader(reader).map_err(|error| internal(format!("{}: {error}", file.name)))?;
    let header = source.header().clone();
    let (offset, len) =
        (u64::try_from(charge.byte_offset).unwrap_or(0), u64::try_from(charge.byte_len).unwrap_or(0));
    let line = u64::try_from(charge.line).unwrap_or(1);
    let (text, block) = if source.format() == focus::Format::Csv {
        let bytes = installation.lake.delivered_bytes(&sha256, offset, len)?;
        (Some(trimmed(&bytes)), Block::csv(line, offset, bytes))
    } else {
        find_block(&mut source, offset, len, line)
            .map_err(|error| internal(format!("{}: {error}", file.name)))?
    };
    let first = block.first_line;
    let (cells, _) = block.cells(&header);
    let row = cells.lines.iter().position(|&at| at == charge.line).unwrap_or_default();
    let _ = first;
    let columns: Vec<(String, String)> = header
        .columns
        .iter()
        .enumerate()
        .filter(|(at, _)| cells.spans[*at].len() == cells.rows && 0 < cells.rows)
        .map(|(at, column)| {
            (column.delivered.clone(), String::from_utf8_lossy(cells.get(at, row)).into_owned())
        })
        .collect();
    let text = text.unwrap_or_else(|| {
        let pairs: Vec<String> = columns.iter().map(|(name, value)| format!("{name}={value}")).collect();
        pairs.join(", ")
    });
    Ok(DeliveredRow {
        file: file.name.clone(),
        sha256: file.sha256.clone(),
        line: charge.line,
        text,
        columns,
    })
}

/// A correction of a charge that its delivery no longer has: what says so is that no row does.
fn gone_from(files: &[DeliveredFile], charge: &ChargeRow) -> DeliveredRow {
    let names: Vec<&str> = files.iter().map(|file| file.name.as_str()).collect();
    let corrects = charge.delivered.iter().find(|(name, _)| name == billing::correction::CORRECTS);
    let corrects = corrects.map_or("what was billed", |(_, id)| id);
    DeliveredRow {
        file: names.join(", "),
        sha256: files.first().map(|file| file.sha256.clone()).unwrap_or_default(),
        line: 0,
        text: format!("no row: the delivery does not have charge {corrects} any more"),
        columns: Vec::new(),
    }
}

/// In a compressed or Parquet file a row is found by reading up to it.
fn find_block(
    source: &mut Source,
    offset: u64,
    len: u64,
    line: u64,
) -> Result<(Option<String>, Block), focus::ReadError> {
    let mut last = Block::csv(line, offset, Vec::new());
    while let Some(block) = source.next_block()? {
        let end = block.byte_offset + block.bytes.len() as u64;
        if block.bytes.is_empty() {
            // Parquet: offsets are row numbers, and the next block tells where this one ends.
            if offset < block.byte_offset {
                break;
            }
            last = block;
        } else if offset < end {
            let start = usize::try_from(offset - block.byte_offset).unwrap_or_default();
            let stop = (start + usize::try_from(len).unwrap_or_default()).min(block.bytes.len());
            let bytes = block.bytes[start..stop].to_vec();
            return Ok((Some(trimmed(&bytes)), Block::csv(line, offset, bytes)));
        }
    }
    Ok((None, last))
}

fn trimmed(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).trim_end_matches(['\r', '\n']).to_owned()
}

async fn said_about(
    reader: &mut Reader,
    view: &lake::View,
    id: ChargeId,
    source: &SourceName,
) -> Result<Vec<Said>, WorkflowError> {
    let matched = view.matching(&Filter::ids(vec![id])).await?;
    let Some(matched) = matched.first() else { return Ok(Vec::new()) };
    let located = locate(view, &[matched.fingerprint]).await?;
    let ordinal = located.iter().find(|found| found.charge.id == id).map_or(0, |found| found.ordinal);
    let filter = DecisionFilter {
        sources: vec![source.clone()],
        fingerprint: Some(matched.fingerprint),
        undone: true,
        ..DecisionFilter::default()
    };
    let rows = reader.decisions_for(&filter, None).await?;
    let own = rows.into_iter().filter(|row| row.ordinal == ordinal);
    Ok(own
        .map(|row| Said {
            number: row.id.number,
            by: row.act.stamp.by.clone(),
            at: row.act.stamp.at,
            outdated: row.content_digest != matched.content_digest,
            decision: row.decision,
            note: row.act.note.clone(),
            undone_by: row.undone_by,
        })
        .collect())
}

/// The lines of the statement that a charge is on that its cost is part of: who pays it.
#[derive(Clone, Debug, Serialize)]
pub struct Billed {
    pub lines: Vec<PostedLine>,
    /// Journals that post the statement.
    pub journals: Vec<String>,
}

/// # Errors
/// What the ledger could not read.
pub async fn billed(installation: &Installation, story: &Story) -> Result<Option<Billed>, WorkflowError> {
    let Some(number) = &story.statement else { return Ok(None) };
    let detail = statements::show(installation, number, None).await?;
    let charge = &story.charge;
    let same = |name: &str| name.trim().to_lowercase() == charge.source.trim().to_lowercase();
    let mut lines = detail.statement.lines;
    // A split has its parts on lines of other funds.
    lines.retain(|line| {
        same(&line.group.source)
            && line.group.service_name == charge.service_name
            && line.group.kind == charge.kind
    });
    if lines.iter().any(|line| line.group.fund_org == charge.fund_org) {
        lines.retain(|line| line.group.fund_org == charge.fund_org);
    }
    let mut reader = installation.ledger.read().await?;
    let posted = reader.find_journal_lines(&number.0).await?;
    let journals: BTreeSet<String> = posted.into_iter().map(|line| line.document).collect();
    Ok(Some(Billed { lines, journals: journals.into_iter().collect() }))
}

async fn statement_of(
    reader: &mut Reader,
    charge: &ChargeRow,
) -> Result<Option<StatementNumber>, WorkflowError> {
    let (Some(pi_email), Some(project_id)) = (&charge.attribution.pi_email, &charge.attribution.project_id)
    else {
        return Ok(None);
    };
    if matches!(charge.state, ChargeState::Held | ChargeState::Rejected) {
        return Ok(None);
    }
    let filter = StatementFilter {
        period: Some(charge.billed_in),
        pi_email: Some(pi_email.clone()),
        project_id: Some(project_id.clone()),
        current: true,
        ..StatementFilter::default()
    };
    let rows = reader.list_statements(&filter, None).await?;
    Ok(rows.into_iter().next().map(|row| row.id.number))
}
