//! Parts: an import's charges of one period and billing account. What is live is decided here.

pub use billing::delivery::PartKey;
use billing::{ImportId, LedgerNumber, Period, SourceName};
use money::Amount;
use serde::{Deserialize, Serialize};

use crate::books::{Table, Value};
use crate::error::LedgerError;
use crate::import::ChargeFile;
use crate::query::{Cells, Query, Reader};
use crate::tx::Tx;

pub(crate) const PART: Table = Table {
    name: "part",
    columns: &[
        "import_id",
        "source_key",
        "period",
        "account",
        "row_count",
        "flagged_count",
        "list_cost",
        "contracted_cost",
        "billed_cost",
        "effective_cost",
        "flagged_cost",
        "billed_magnitude",
    ],
};

pub(crate) const PART_EVENT: Table = Table {
    name: "part_event",
    columns: &["import_id", "period", "account", "state", "by_import", "reason"],
};

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Part {
    #[serde(flatten)]
    pub key: PartKey,
    pub rows: u64,
    pub flagged: u64,
    /// Exact sums over the part; a missing list cost counts as billed.
    pub list_cost: Amount,
    pub contracted_cost: Amount,
    pub billed_cost: Amount,
    pub effective_cost: Amount,
    /// Billed cost of the flagged rows.
    pub flagged_cost: Amount,
    /// Σ|billed cost|: what a later delivery is measured against.
    pub billed_magnitude: Amount,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PartState {
    Live,
    /// By another import's part.
    Superseded,
    /// By a person, with a reason.
    Withdrawn,
}

/// A part that counts, with the lake's files that hold it. A file may hold several accounts of the same
/// import and period: take only the rows of those that are live.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LivePart {
    pub part: Part,
    pub source_key: String,
    pub source_name: SourceName,
    pub files: Vec<ChargeFile>,
}

/// What happened to a part.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PartEvent {
    pub number: LedgerNumber,
    #[serde(flatten)]
    pub key: PartKey,
    pub state: PartState,
    pub by_import: Option<ImportId>,
    pub reason: Option<String>,
}

/// `None` does not filter.
#[derive(Clone, Debug, Default)]
pub struct PartFilter {
    pub period: Option<Period>,
    pub source: Option<SourceName>,
    pub import: Option<ImportId>,
}

impl PartState {
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            PartState::Live => "live",
            PartState::Superseded => "superseded",
            PartState::Withdrawn => "withdrawn",
        }
    }

    fn read(row: &Cells) -> Result<PartState, LedgerError> {
        match row.str("state")? {
            "live" => Ok(PartState::Live),
            "superseded" => Ok(PartState::Superseded),
            "withdrawn" => Ok(PartState::Withdrawn),
            other => Err(LedgerError::unreadable("part_event.state", other)),
        }
    }
}

/// Parts with their state as of `$1`: the event that no later one follows.
const PARTS: &str = "SELECT part.number, part.import_id, part.source_key, source.name AS source_name,
    part.period, part.account, part.row_count, part.flagged_count, part.list_cost, part.contracted_cost,
    part.billed_cost, part.effective_cost, part.flagged_cost, part.billed_magnitude, latest.state
    FROM part
    JOIN source ON source.source_key = part.source_key
    JOIN part_event latest ON latest.import_id = part.import_id
      AND latest.period = part.period AND latest.account = part.account
    WHERE latest.number <= $1
      AND NOT EXISTS (SELECT 1 FROM part_event later
        WHERE later.import_id = latest.import_id AND later.period = latest.period
          AND later.account = latest.account AND later.number <= $1
          AND (later.number > latest.number OR (later.number = latest.number AND later.seq > latest.seq)))";

fn read_key(row: &Cells) -> Result<PartKey, LedgerError> {
    Ok(PartKey {
        import: row.import("import_id")?,
        period: row.period("period")?,
        account: row.text("account")?,
    })
}

fn read_part(row: &Cells) -> Result<Part, LedgerError> {
    Ok(Part {
        key: read_key(row)?,
        rows: row.count("row_count")?,
        flagged: row.count("flagged_count")?,
        list_cost: row.amount("list_cost")?,
        contracted_cost: row.amount("contracted_cost")?,
        billed_cost: row.amount("billed_cost")?,
        effective_cost: row.amount("effective_cost")?,
        flagged_cost: row.amount("flagged_cost")?,
        billed_magnitude: row.amount("billed_magnitude")?,
    })
}

fn filtered(filter: &PartFilter, as_of: Option<LedgerNumber>) -> Query {
    Query::new(PARTS)
        .until(as_of)
        .and_some("part.period =", filter.period)
        .and_some("part.source_key =", filter.source.as_ref().map(SourceName::key))
        .and_some("part.import_id =", filter.import)
}

impl Reader {
    /// What counts as of a number, by period, source, import and account.
    pub async fn live_parts(
        &mut self,
        filter: &PartFilter,
        as_of: Option<LedgerNumber>,
    ) -> Result<Vec<LivePart>, LedgerError> {
        let query = filtered(filter, as_of).and("latest.state =", PartState::Live.name());
        let query = query.then("ORDER BY part.period, part.source_key, part.import_id, part.account");
        let mut parts = self
            .rows(query, |row| {
                let (source_key, source_name) =
                    (row.text("source_key")?, SourceName(row.text("source_name")?));
                Ok(LivePart { part: read_part(row)?, source_key, source_name, files: Vec::new() })
            })
            .await?;
        let imports: std::collections::BTreeSet<ImportId> =
            parts.iter().map(|live| live.part.key.import).collect();
        let files = match imports.len() {
            0 => Vec::new(),
            1 => self.list_charge_files(imports.first().copied(), filter.period).await?,
            _ => self.list_charge_files(None, filter.period).await?,
        };
        for live in &mut parts {
            let of_part = |file: &&ChargeFile| {
                (file.import, file.period) == (live.part.key.import, live.part.key.period)
            };
            live.files = files.iter().filter(of_part).cloned().collect();
        }
        Ok(parts)
    }

    /// Parts with their state as of a number, live or not.
    pub async fn list_parts(
        &mut self,
        filter: &PartFilter,
        as_of: Option<LedgerNumber>,
    ) -> Result<Vec<(Part, PartState)>, LedgerError> {
        let query = filtered(filter, as_of).then("ORDER BY part.import_id, part.period, part.account");
        self.rows(query, |row| Ok((read_part(row)?, PartState::read(row)?))).await
    }

    /// The history of an import's parts: what superseded or withdrew them, and what they superseded.
    pub async fn list_part_events(&mut self, import: ImportId) -> Result<Vec<PartEvent>, LedgerError> {
        let query = Query::new(
            "SELECT number, import_id, period, account, state, by_import, reason FROM part_event \
             WHERE (import_id = $1 OR by_import = $1) ORDER BY number, seq",
        );
        self.rows(query.bind(import), |row| {
            Ok(PartEvent {
                number: row.number()?,
                key: read_key(row)?,
                state: PartState::read(row)?,
                by_import: row.opt_import("by_import")?,
                reason: row.opt_text("reason")?,
            })
        })
        .await
    }
}

impl Tx {
    pub(crate) async fn insert_parts(&mut self, source_key: &str, parts: &[Part]) -> Result<(), LedgerError> {
        let rows: Vec<Vec<Value>> = parts.iter().map(|part| part_row(source_key, part)).collect();
        self.insert(&PART, rows).await?;
        let events: Vec<Vec<Value>> =
            parts.iter().map(|part| event_row(&part.key, PartState::Live, None, None)).collect();
        self.insert(&PART_EVENT, events).await?;
        Ok(())
    }

    /// `by` delivers what this part delivered: it no longer counts.
    ///
    /// # Errors
    /// [`LedgerError::PartNotLive`], [`LedgerError::Missing`].
    pub async fn supersede_part(&mut self, part: &PartKey, by: ImportId) -> Result<(), LedgerError> {
        self.require_live(part).await?;
        let row = event_row(part, PartState::Superseded, Some(by), None);
        self.insert_one(&PART_EVENT, row).await?;
        Ok(())
    }

    /// Take back every live part of an import. Returns them.
    ///
    /// # Errors
    /// [`LedgerError::Missing`] when none is live.
    pub async fn withdraw_import(
        &mut self,
        import: ImportId,
        reason: &str,
    ) -> Result<Vec<Part>, LedgerError> {
        let filter = PartFilter { import: Some(import), ..PartFilter::default() };
        let mut parts = self.list_parts(&filter, None).await?;
        parts.retain(|(_, state)| *state == PartState::Live);
        if parts.is_empty() {
            return Err(LedgerError::missing("live import", import));
        }
        let parts: Vec<Part> = parts.into_iter().map(|(part, _)| part).collect();
        let rows: Vec<Vec<Value>> =
            parts.iter().map(|part| event_row(&part.key, PartState::Withdrawn, None, Some(reason))).collect();
        self.insert(&PART_EVENT, rows).await?;
        Ok(parts)
    }

    async fn require_live(&mut self, part: &PartKey) -> Result<(), LedgerError> {
        let filter = PartFilter { import: Some(part.import), period: Some(part.period), source: None };
        let query = filtered(&filter, None).and("part.account =", &part.account);
        match self.row(query, PartState::read).await? {
            Some(PartState::Live) => Ok(()),
            Some(state) => Err(LedgerError::PartNotLive {
                import: part.import,
                period: part.period,
                account: part.account.clone(),
                state: state.name().to_owned(),
            }),
            None => {
                Err(LedgerError::missing("part", format!("{} {} {}", part.import, part.period, part.account)))
            }
        }
    }
}

fn part_row(source_key: &str, part: &Part) -> Vec<Value> {
    vec![
        part.key.import.into(),
        source_key.into(),
        part.key.period.into(),
        (&part.key.account).into(),
        part.rows.into(),
        part.flagged.into(),
        part.list_cost.into(),
        part.contracted_cost.into(),
        part.billed_cost.into(),
        part.effective_cost.into(),
        part.flagged_cost.into(),
        part.billed_magnitude.into(),
    ]
}

fn event_row(part: &PartKey, state: PartState, by: Option<ImportId>, reason: Option<&str>) -> Vec<Value> {
    vec![
        part.import.into(),
        part.period.into(),
        (&part.account).into(),
        state.name().into(),
        by.into(),
        reason.into(),
    ]
}
