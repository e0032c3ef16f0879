//! A delivery that touches a finalized period: its rows of that period are held against what was billed, and
//! what differs becomes adjustments in an open period, to be reviewed before they are billed. The rule is
//! `billing::correction`.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use billing::attribution::{Attribution, AttributionRules};
use billing::charge::{AmountColumn, COSTS, TIMES, TextColumn, TimeColumn};
use billing::correction::{self, Adjustment, CORRECTS, CORRECTS_FINGERPRINT, CORRECTS_PERIOD, Side};
use billing::delivery::{Choice, PartKey, Size, is_suspiciously_small};
use billing::intake::PartSums;
use billing::period::PeriodState;
use billing::settings::Delivery;
use billing::{ChargeColumns, ChargeId, Fingerprint, Flag, Flags, ImportId, Period, StatementNumber};
use lake::{ChargeFile, ChargeRow, Filter, LiveFile, View, ViewSpec};
use ledger::{LivePart, Part, PartFilter, Reader};
use money::Amount;

use super::Plan;
use super::read::Delivered;
use crate::charges::{Scope, charges, live_files};
use crate::{Installation, Refusal, WorkflowError, sources};

/// The adjustments of a delivery.
#[derive(Default)]
pub struct Corrections {
    /// The periods that were compared.
    pub corrected: BTreeSet<Period>,
    /// The open period that the adjustments are billed in.
    pub into: Option<Period>,
    pub files: Vec<ChargeFile>,
    pub parts: Vec<Part>,
    pub rows: u64,
    pub billed_cost: Amount,
}

/// Take the rows of finalized periods out of what was delivered, and make adjustments of them.
///
/// # Errors
/// A refusal when no period is open, or when the delivery lost most of what was billed.
pub async fn correct(
    installation: &Installation,
    import: ImportId,
    plan: &Plan,
    delivered: &mut Delivered,
    notes: &mut Vec<String>,
) -> Result<Corrections, WorkflowError> {
    let mut reader = installation.ledger.read().await?;
    let mut corrections = Corrections::default();
    for &period in &delivered.periods {
        let record = reader.find_period(period, None).await?;
        if plan.rereads.is_none()
            && record.is_some_and(|record| matches!(record.state, PeriodState::Finalized { .. }))
        {
            corrections.corrected.insert(period);
        }
    }
    delivered.touches_finalized = !corrections.corrected.is_empty();
    let mut maker = Maker { installation, import, plan, next_row: delivered.charges + 1 };
    for period in corrections.corrected.clone() {
        let taken = take_out(delivered, period);
        let new = maker.view(maker.new_files(&taken))?;
        let billed = maker.billed(&mut reader, period, &taken, &new).await?;
        maker.guard_against_loss(period, &taken, &billed)?;
        let made = maker.adjust(&mut reader, period, &new, billed).await?;
        let count = made.len() as u64;
        let billed: Amount = made.iter().filter_map(|(adjustment, _)| adjustment.costs[2]).sum();
        let rows = taken.rows();
        if made.is_empty() {
            notes.push(format!(
                "{period} is finalized, and what was delivered ({}) is what was billed: there is nothing to correct",
                counted(rows, "row")
            ));
            continue;
        }
        let into = open_period(&mut reader, period).await?;
        maker.write(&mut reader, period, into, made, &mut corrections).await?;
        corrections.into = Some(into);
        notes.push(format!(
            "{period} is finalized, and what was delivered ({rows}) is not what was billed: {made} (billed {billed}) held in {into} for review",
            rows = counted(rows, "row"),
            made = counted(count, "adjustment"),
        ));
    }
    delivered.is_corrections_only = delivered.touches_finalized && delivered.sums.parts.is_empty();
    Ok(corrections)
}

fn counted(count: u64, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

/// What was delivered for a finalized period.
struct Taken {
    files: Vec<ChargeFile>,
    /// By billing account.
    parts: BTreeMap<String, PartSums>,
}

impl Taken {
    fn rows(&self) -> u64 {
        self.parts.values().map(|part| part.rows).sum()
    }
}

/// The rows of `period` count as left out: they were read, and are not charges of this import.
fn take_out(delivered: &mut Delivered, period: Period) -> Taken {
    let is_of = |file: &ChargeFile| file.period == period;
    let files = delivered.charge_files.iter().filter(|file| is_of(file)).cloned().collect();
    delivered.charge_files.retain(|file| !is_of(file));
    delivered.periods.remove(&period);
    let (taken, kept) =
        std::mem::take(&mut delivered.sums.parts).into_iter().partition(|((of, _), _)| *of == period);
    delivered.sums.parts = kept;
    let taken: BTreeMap<_, PartSums> = taken;
    let mut parts = BTreeMap::new();
    for ((of, account), sums) in taken {
        delivered.charges -= sums.rows;
        delivered.sums.left_out.insert((of, account.clone()), sums);
        parts.insert(account.unwrap_or_default(), sums);
    }
    Taken { files, parts }
}

/// The first open period after the one that is corrected.
async fn open_period(reader: &mut Reader, corrected: Period) -> Result<Period, WorkflowError> {
    let periods = reader.list_periods(None).await?;
    let open = periods.into_iter().filter(|record| record.state.is_open() && corrected < record.period);
    open.map(|record| record.period).min().ok_or_else(|| {
        Refusal::new(format!(
            "the delivery corrects {corrected}, which is finalized, and no later period is open"
        ))
        .hint("`periods open YYYY-MM` opens one that the adjustments can be billed in")
        .into()
    })
}

/// What a delivery for a finalized period is held against.
struct Billed {
    /// The source's live parts of the period and the delivery's accounts.
    original: Vec<LivePart>,
    /// The adjustments of earlier deliveries, as charges of what they correct.
    corrections: Vec<ChargeRow>,
    /// Whether the delivery holds the whole of the period, or only rows to be added to it.
    is_whole: bool,
}

struct Maker<'a> {
    installation: &'a Installation,
    import: ImportId,
    plan: &'a Plan,
    next_row: u64,
}

impl Maker<'_> {
    async fn billed(
        &self,
        reader: &mut Reader,
        period: Period,
        taken: &Taken,
        new: &View,
    ) -> Result<Billed, WorkflowError> {
        let filter = PartFilter { source: Some(self.plan.source.name.clone()), ..PartFilter::default() };
        let (mut original, mut corrections) = (Vec::new(), Vec::new());
        let made: Vec<String> =
            taken.parts.keys().map(|account| correction::account_of_corrections(account, period)).collect();
        for part in reader.live_parts(&filter, None).await? {
            let key = &part.part.key;
            if key.period == period && taken.parts.contains_key(&key.account) {
                original.push(part);
            } else if made.contains(&key.account) {
                corrections.push(part);
            }
        }
        let corrections = self.corrections(reader, &corrections).await?;
        let is_whole = self.is_whole(&original, &corrections, new).await?;
        Ok(Billed { original, corrections, is_whole })
    }

    async fn is_whole(
        &self,
        original: &[LivePart],
        corrections: &[ChargeRow],
        new: &View,
    ) -> Result<bool, WorkflowError> {
        let settings = sources::find_settings(&self.installation.settings, &self.plan.source.name);
        let mode = settings.map_or(Delivery::default(), |source| source.delivery);
        Ok(match (self.plan.choice, mode) {
            (Choice::Append, _) | (Choice::Automatic, Delivery::Increment) => false,
            (Choice::Replace(_), _) | (Choice::Automatic, Delivery::Snapshot) => true,
            (Choice::Automatic, Delivery::Ask) => {
                let old = self.view(live_files(original, &self.installation.settings))?;
                let corrected: Vec<u64> = corrections.iter().map(|row| row.fingerprint.0).collect();
                0 < View::kept_share(&old, new).await?.kept
                    || 0 < View::overlap(&old, new).await?.rows
                    || !new.locate(&corrected).await?.is_empty()
            }
        })
    }

    fn view(&self, files: Vec<LiveFile>) -> Result<View, WorkflowError> {
        Ok(self.installation.lake.view(ViewSpec { files, ..ViewSpec::default() })?)
    }

    fn new_files(&self, taken: &Taken) -> Vec<LiveFile> {
        let file = |file: &ChargeFile| LiveFile {
            path: file.path.clone(),
            import: self.import,
            source: self.plan.source.name.0.clone(),
            period: file.period,
            accounts: None,
            basis: billing::settings::Basis::default(),
        };
        taken.files.iter().map(file).collect()
    }

    fn guard_against_loss(
        &self,
        period: Period,
        taken: &Taken,
        billed: &Billed,
    ) -> Result<(), WorkflowError> {
        let new: Size = taken.parts.values().map(|part| (part.rows, part.billed_magnitude)).collect();
        let old: Size =
            billed.original.iter().map(|part| (part.part.rows, part.part.billed_magnitude)).collect();
        if !billed.is_whole || self.plan.force || !is_suspiciously_small(new, old) {
            return Ok(());
        }
        Err(Refusal::new(format!(
            "the delivery has {} charges of {period} (Σ|billed| {}), and {} (Σ|billed| {}) were billed: more than half is lost",
            new.rows, new.billed, old.rows, old.billed
        ))
        .hint("look at the file; `--force` if it is right all the same")
        .into())
    }

    /// The adjustments, each with the row that it is shown as.
    async fn adjust(
        &self,
        reader: &mut Reader,
        period: Period,
        new: &View,
        billed: Billed,
    ) -> Result<Vec<(Adjustment, ChargeRow)>, WorkflowError> {
        let (original, corrections) =
            if billed.is_whole { (billed.original, billed.corrections) } else { Default::default() };
        let old = self.view(live_files(&original, &self.installation.settings))?;
        let mut changed: BTreeSet<Fingerprint> = View::changed(&old, new).await?.into_iter().collect();
        changed.extend(corrections.iter().map(|row| row.fingerprint));
        let changed: Vec<u64> = changed.into_iter().map(|fingerprint| fingerprint.0).collect();
        // Who was billed is said by the decisions that stood when the period was finalized.
        let settings = self.installation.settings_of(reader, period).await?;
        let decided = charges(self.installation, reader, Scope::period(period), &settings, None).await?;
        let original = rows_of(&old, &decided, &changed).await?;
        let new = rows_of(new, new, &changed).await?;
        let [original_sides, correction_sides, new_sides] =
            [&original, &corrections, &new].map(|rows| rows.iter().map(side).collect::<Vec<_>>());
        let rows: HashMap<ChargeId, &ChargeRow> =
            original.iter().chain(&corrections).chain(&new).map(|row| (row.id, row)).collect();
        let with_row = |adjustment: Adjustment| {
            let row = adjustment.said_by.or(adjustment.corrects).and_then(|id| rows.get(&id)).copied();
            let row = row.ok_or_else(|| {
                WorkflowError::Internal(format!("{period}: no row shows {:016x}", adjustment.fingerprint.0))
            })?;
            Ok((adjustment, row.clone()))
        };
        let made = correction::adjustments(&original_sides, &correction_sides, &new_sides);
        made.into_iter().map(with_row).collect()
    }

    async fn corrections(
        &self,
        reader: &mut Reader,
        parts: &[LivePart],
    ) -> Result<Vec<ChargeRow>, WorkflowError> {
        let mut rows = Vec::new();
        for period in parts.iter().map(|part| part.part.key.period).collect::<BTreeSet<_>>() {
            let decided =
                charges(self.installation, reader, Scope::period(period), &self.installation.settings, None)
                    .await?;
            let filter = Filter {
                source: Some(self.plan.source.name.0.clone()),
                period: Some(period),
                ..Filter::default()
            };
            for row in decided.charges(&filter, &[], None, 0).await? {
                let account = text_of(&row, "billing_account_id").unwrap_or_default();
                if parts.iter().any(|part| part.part.key.account == account) {
                    rows.push(as_corrected(row)?);
                }
            }
        }
        Ok(rows)
    }

    async fn write(
        &mut self,
        reader: &mut Reader,
        corrected: Period,
        into: Period,
        made: Vec<(Adjustment, ChargeRow)>,
        corrections: &mut Corrections,
    ) -> Result<(), WorkflowError> {
        let rules = AttributionRules::compile(&self.installation.settings)
            .map_err(|error| Refusal::new(error.to_string()))?;
        let statements = numbers(reader, corrected).await?;
        let mut writer = self.installation.lake.charge_writer(self.import, &self.plan.source.name);
        let encoder = writer.encoder();
        let mut by_file: BTreeMap<i64, Vec<Row>> = BTreeMap::new();
        for (at, (adjustment, row)) in made.into_iter().enumerate() {
            let account = text_of(&row, "billing_account_id").unwrap_or_default();
            let account = correction::account_of_corrections(account, corrected);
            let mut flags = rules.flags(&adjustment.owner);
            flags.add(Flag::Correction);
            let fingerprint = correction::fingerprint(adjustment.fingerprint, self.import, at);
            let row = Row {
                texts: texts(&adjustment, &row, &account, corrected, flags, &statements),
                has_line: adjustment.said_by.is_some(),
                adjustment,
                shown: row,
                account,
                fingerprint,
            };
            by_file.entry(if row.has_line { row.shown.file } else { 0 }).or_default().push(row);
        }
        for (file, rows) in by_file {
            let columns = columns(&rows, file, self.next_row, into)?;
            self.next_row += rows.len() as u64;
            writer.append(encoder.encode(&columns)?)?;
            self.count(&rows, into, corrections);
        }
        corrections.files.extend(writer.finish()?);
        Ok(())
    }

    fn count(&self, rows: &[Row], into: Period, corrections: &mut Corrections) {
        for row in rows {
            let [list, contracted, billed, effective] =
                row.adjustment.costs.map(|cost| cost.unwrap_or(Amount::ZERO));
            let key = PartKey { import: self.import, period: into, account: row.account.clone() };
            let known = corrections.parts.iter().position(|part| part.key == key);
            let at = known.unwrap_or_else(|| {
                corrections.parts.push(Part { key, ..no_rows() });
                corrections.parts.len() - 1
            });
            let part = &mut corrections.parts[at];
            part.rows += 1;
            part.flagged += 1;
            part.list_cost += list;
            part.contracted_cost += contracted;
            part.billed_cost += billed;
            part.effective_cost += effective;
            part.flagged_cost += billed;
            part.billed_magnitude += billed.abs();
            corrections.rows += 1;
            corrections.billed_cost += billed;
        }
    }
}

fn no_rows() -> Part {
    Part {
        key: PartKey { import: ImportId(0), period: Period::from_code(0), account: String::new() },
        rows: 0,
        flagged: 0,
        list_cost: Amount::ZERO,
        contracted_cost: Amount::ZERO,
        billed_cost: Amount::ZERO,
        effective_cost: Amount::ZERO,
        flagged_cost: Amount::ZERO,
        billed_magnitude: Amount::ZERO,
    }
}

/// The charges of `undecided` with these fingerprints, as `decided` shows them.
async fn rows_of(
    undecided: &View,
    decided: &View,
    fingerprints: &[u64],
) -> Result<Vec<ChargeRow>, WorkflowError> {
    let ids: Vec<ChargeId> =
        undecided.locate(fingerprints).await?.into_iter().map(|located| located.id).collect();
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    Ok(decided.charges(&Filter::ids(ids), &[], None, 0).await?)
}

fn text_of<'a>(row: &'a ChargeRow, name: &str) -> Option<&'a str> {
    row.delivered.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
}

/// An earlier adjustment under the identity, account and service of the charge that it corrects.
fn as_corrected(mut row: ChargeRow) -> Result<ChargeRow, WorkflowError> {
    let corrects = text_of(&row, CORRECTS_FINGERPRINT).unwrap_or_default();
    let fingerprint = u64::from_str_radix(corrects, 16)
        .map_err(|error| WorkflowError::Internal(format!("{}: {corrects}: {error}", row.id)))?;
    row.fingerprint = Fingerprint(fingerprint);
    let corrected = text_of(&row, CORRECTS_PERIOD).unwrap_or_default().to_owned();
    for (name, value) in &mut row.delivered {
        if name == "billing_account_id" {
            *value = correction::account_corrected(value, &corrected).to_owned();
        }
    }
    row.service_name =
        row.service_name.map(|service| correction::service_corrected(&service, &corrected).to_owned());
    Ok(row)
}

fn side(row: &ChargeRow) -> Side {
    let delivered = |name: &str| text_of(row, name).map(str::to_owned);
    Side {
        id: row.id,
        fingerprint: row.fingerprint,
        costs: COSTS.map(|name| text_of(row, name).and_then(|text| text.parse().ok())),
        delivered: Attribution::from_values(Attribution::FIELDS.map(delivered)),
        owner: row.attribution.clone(),
        state: row.state,
    }
}

/// The statements that are corrected, by PI and project.
async fn numbers(
    reader: &mut Reader,
    period: Period,
) -> Result<HashMap<(String, String), StatementNumber>, WorkflowError> {
    let rows = reader.current_statements(period, None).await?;
    Ok(rows.into_iter().map(|row| ((row.pi_email, row.project_id), row.id.number)).collect())
}

/// An adjustment on its way into the lake.
struct Row {
    adjustment: Adjustment,
    shown: ChargeRow,
    /// Whether `shown` is a row of this delivery; otherwise it is the charge that is gone.
    has_line: bool,
    account: String,
    fingerprint: Fingerprint,
    texts: BTreeMap<String, String>,
}

/// What an adjustment keeps of the row that it is shown as, and what it says of itself.
fn texts(
    adjustment: &Adjustment,
    row: &ChargeRow,
    account: &str,
    corrected: Period,
    flags: Flags,
    statements: &HashMap<(String, String), StatementNumber>,
) -> BTreeMap<String, String> {
    let is_text = |name: &str| {
        let focus = focus::FocusColumn::ALL.iter().find(|column| column.snake() == name);
        let number = focus.is_some_and(|column| matches!(column.kind(), focus::Kind::Decimal));
        let own = ["fingerprint", "content_digest", "overlap_key", "flags", "flag_detail"];
        !number
            && !COSTS.contains(&name)
            && !TIMES.contains(&name)
            && !own.contains(&name)
            && !Attribution::FIELDS.contains(&name)
    };
    let mut texts: BTreeMap<String, String> =
        row.delivered.iter().filter(|(name, _)| is_text(name)).cloned().collect();
    let owner = &adjustment.owner;
    for (name, value) in Attribution::FIELDS.into_iter().zip(owner.values()) {
        if let Some(value) = value {
            texts.insert(name.to_owned(), value.to_owned());
        }
    }
    let statement = owner.pi_email.clone().zip(owner.project_id.clone()).and_then(|key| statements.get(&key));
    let service = row.service_name.as_deref().unwrap_or("charges");
    texts.insert("service_name".to_owned(), correction::service_name(service, corrected, statement));
    texts.insert("charge_class".to_owned(), "Correction".to_owned());
    texts.insert("billing_account_id".to_owned(), account.to_owned());
    texts.insert("flags".to_owned(), flags.to_string());
    texts.insert(CORRECTS_PERIOD.to_owned(), corrected.to_string());
    texts.insert(CORRECTS_FINGERPRINT.to_owned(), format!("{:016x}", adjustment.fingerprint.0));
    if let Some(id) = adjustment.corrects {
        texts.insert(CORRECTS.to_owned(), id.to_string());
    }
    texts
}

fn columns(rows: &[Row], file: i64, first_row: u64, into: Period) -> Result<ChargeColumns, WorkflowError> {
    let place = |of: fn(&ChargeRow) -> i64| -> Vec<i64> {
        rows.iter().map(|row| if row.has_line { of(&row.shown) } else { 0 }).collect()
    };
    let first_row = i64::try_from(first_row).unwrap_or(i64::MAX);
    let names: BTreeSet<&String> = rows.iter().flat_map(|row| row.texts.keys()).collect();
    let time = |name: &str| -> Result<TimeColumn, WorkflowError> {
        let mut column = Vec::with_capacity(rows.len());
        for row in rows {
            column.push(match text_of(&row.shown, name) {
                Some(text) => text
                    .parse::<jiff::Timestamp>()
                    .map_err(|error| WorkflowError::Internal(format!("{name} `{text}`: {error}")))?
                    .as_microsecond(),
                None => TimeColumn::NULL,
            });
        }
        Ok(TimeColumn(column))
    };
    let cost = |at: usize| {
        let units = |row: &Row| row.adjustment.costs[at].map_or(AmountColumn::NULL, Amount::units);
        AmountColumn(rows.iter().map(units).collect())
    };
    Ok(ChargeColumns {
        rows: rows.len(),
        row: (first_row..).take(rows.len()).collect(),
        file: u32::try_from(file).unwrap_or_default(),
        line: place(|row| row.line),
        byte_offset: place(|row| row.byte_offset),
        byte_len: place(|row| row.byte_len).into_iter().map(|len| i32::try_from(len).unwrap_or(0)).collect(),
        period: vec![into; rows.len()],
        costs: std::array::from_fn(cost),
        times: [time(TIMES[0])?, time(TIMES[1])?, time(TIMES[2])?, time(TIMES[3])?],
        text: names
            .into_iter()
            .map(|name| (name.clone(), text_column(rows.iter().map(|row| row.texts.get(name)))))
            .collect(),
        numbers: Vec::new(),
        fingerprint: rows.iter().map(|row| row.fingerprint.0).collect(),
        content_digest: rows.iter().map(|row| correction::content_digest(&row.adjustment).0).collect(),
        // An adjustment overlaps nothing: it is not a charge for a resource at a time, but for a difference.
        overlap_key: rows.iter().map(|row| row.fingerprint.0).collect(),
    })
}

fn text_column<'a>(texts: impl Iterator<Item = Option<&'a String>>) -> TextColumn {
    let mut values: Vec<Box<str>> = Vec::new();
    let mut known: HashMap<&str, u32> = HashMap::new();
    let mut key = |text: Option<&'a String>| {
        let Some(text) = text else { return TextColumn::NULL_KEY };
        *known.entry(text).or_insert_with(|| {
            values.push(text.as_str().into());
            u32::try_from(values.len() - 1).unwrap_or(TextColumn::NULL_KEY)
        })
    };
    let keys = texts.map(&mut key).collect();
    TextColumn::Coded { keys, values }
}
