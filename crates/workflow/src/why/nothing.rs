//! Downwards from a project or a PI: what of them is in a month, and where the rest is. Answers "why has this
//! project no charges this month?"

use std::collections::{BTreeMap, BTreeSet};

use billing::{Flag, ImportId, Period, StatementNumber};
use lake::{Filter, LiveFile, TotalsRow, ViewSpec};
use ledger::{PartFilter, PartState, Reader, StatementFilter};
use money::Amount;
use serde::Serialize;

use crate::charges::{Scope, charges};
use crate::people::people;
use crate::{Installation, WorkflowError};

/// A project, or a PI, in a month.
#[derive(Clone, Debug, Serialize)]
pub struct MonthOf {
    pub subject: String,
    pub is_pi: bool,
    pub period: Period,
    pub statements: Vec<StatementNumber>,
    /// Charges of the subject by where they stand.
    pub standing: Vec<Standing>,
    /// Delivered as the subject's, and reassigned to another.
    pub reassigned: Vec<Reassigned>,
    /// Of deliveries that count no more.
    pub dead: Vec<Dead>,
    /// Held in the month because they name nobody: the subject's may be among them.
    pub nameless: Sum,
    /// Sources that had charges of the subject in the month before, and have delivered nothing in this.
    pub missing_sources: Vec<String>,
    /// The latest earlier month with charges of the subject.
    pub last_seen: Option<Period>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Sum {
    pub charges: u64,
    pub cost: Amount,
}

#[derive(Clone, Debug, Serialize)]
pub struct Standing {
    pub state: String,
    /// Where a deferred charge is billed.
    pub billed_in: Option<String>,
    /// Why it is held.
    pub flags: Option<String>,
    #[serde(flatten)]
    pub sum: Sum,
}

#[derive(Clone, Debug, Serialize)]
pub struct Reassigned {
    pub to: String,
    #[serde(flatten)]
    pub sum: Sum,
}

#[derive(Clone, Debug, Serialize)]
pub struct Dead {
    pub import: ImportId,
    pub source: String,
    pub state: PartState,
    #[serde(flatten)]
    pub sum: Sum,
}

impl MonthOf {
    /// Whether the books have never heard of the subject.
    #[must_use]
    pub fn is_unknown(&self) -> bool {
        self.standing.is_empty()
            && self.reassigned.is_empty()
            && self.dead.is_empty()
            && self.last_seen.is_none()
    }
}

impl Sum {
    fn add(&mut self, row: &TotalsRow) {
        self.charges += row.rows;
        self.cost += row.cost;
    }
}

/// # Errors
/// A period that was never opened; what could not be read.
pub(super) async fn month_of(
    installation: &Installation,
    subject: &str,
    period: Period,
) -> Result<MonthOf, WorkflowError> {
    let mut reader = installation.ledger.read().await?;
    crate::periods::load(&mut reader, period).await?;
    let people = people(&mut reader, None).await?;
    let is_pi = subject.contains('@') || people.find(subject).is_some();
    let names = if is_pi { people.addresses(subject) } else { vec![subject.to_owned()] };
    let subject = if is_pi { people.current(&subject.to_lowercase()) } else { subject.to_owned() };
    let column = if is_pi { "pi_email" } else { "project_id" };
    let mut month = MonthOf {
        is_pi,
        period,
        statements: statements(&mut reader, period, &names, is_pi).await?,
        standing: Vec::new(),
        reassigned: Vec::new(),
        dead: dead(installation, &mut reader, period, &names, column).await?,
        nameless: Sum::default(),
        missing_sources: Vec::new(),
        last_seen: None,
        subject,
    };
    standing(installation, &mut reader, column, &names, &mut month).await?;
    let mut earlier: Vec<Period> =
        reader.list_periods(None).await?.iter().map(|record| record.period).collect();
    earlier.retain(|earlier| *earlier < period);
    for earlier in earlier.into_iter().rev() {
        let sources = sources_of(installation, &mut reader, earlier, &names, is_pi).await?;
        if sources.is_empty() {
            continue;
        }
        month.last_seen = Some(earlier);
        let filter = PartFilter { period: Some(period), ..PartFilter::default() };
        let parts = reader.live_parts(&filter, None).await?;
        let here: BTreeSet<&str> = parts.iter().map(|part| part.source_name.0.as_str()).collect();
        month.missing_sources =
            sources.into_iter().filter(|source| !here.contains(source.as_str())).collect();
        break;
    }
    Ok(month)
}

async fn statements(
    reader: &mut Reader,
    period: Period,
    names: &[String],
    is_pi: bool,
) -> Result<Vec<StatementNumber>, WorkflowError> {
    let mut numbers = Vec::new();
    for name in names {
        let filter = StatementFilter {
            period: Some(period),
            pi_email: is_pi.then(|| name.clone()),
            project_id: (!is_pi).then(|| name.clone()),
            current: true,
            ..StatementFilter::default()
        };
        numbers.extend(reader.list_statements(&filter, None).await?.into_iter().map(|row| row.id.number));
    }
    Ok(numbers)
}

async fn standing(
    installation: &Installation,
    reader: &mut Reader,
    column: &str,
    names: &[String],
    month: &mut MonthOf,
) -> Result<(), WorkflowError> {
    let settings = installation.settings_of(reader, month.period).await?;
    let view = charges(installation, reader, Scope::period(month.period), &settings, None).await?;
    let delivered = format!("delivered_{column}");
    let by = [column, &delivered, "state", "billed_in", "flags"].map(str::to_owned);
    let mut standing: BTreeMap<(String, Option<String>, Option<String>), Sum> = BTreeMap::new();
    let mut reassigned: BTreeMap<String, Sum> = BTreeMap::new();
    let missing = if month.is_pi { Flag::MissingPiEmail } else { Flag::MissingProjectId };
    for row in view.totals(&by, &Filter::default()).await? {
        let [now, before, state, billed_in, flags] = row.keys.as_slice() else { continue };
        let is_it = |name: &Option<String>| name.as_ref().is_some_and(|name| names.contains(name));
        let (is_now, was) = (is_it(now), is_it(before));
        if is_now {
            let state = state.clone().unwrap_or_default();
            let elsewhere = billed_in.clone().filter(|_| state == "deferred");
            standing.entry((state, elsewhere, flags.clone())).or_default().add(&row);
        } else if was {
            reassigned.entry(now.clone().unwrap_or_default()).or_default().add(&row);
        }
        if flags.as_deref().is_some_and(|flags| billing::Flags::from_text(flags).contains(missing)) {
            month.nameless.add(&row);
        }
    }
    month.standing = standing
        .into_iter()
        .map(|((state, billed_in, flags), sum)| Standing { state, billed_in, flags, sum })
        .collect();
    month.reassigned = reassigned.into_iter().map(|(to, sum)| Reassigned { to, sum }).collect();
    Ok(())
}

async fn dead(
    installation: &Installation,
    reader: &mut Reader,
    period: Period,
    names: &[String],
    column: &str,
) -> Result<Vec<Dead>, WorkflowError> {
    let filter = PartFilter { period: Some(period), ..PartFilter::default() };
    let mut states: BTreeMap<ImportId, PartState> = BTreeMap::new();
    for (part, state) in reader.list_parts(&filter, None).await? {
        let known = states.entry(part.key.import).or_insert(state);
        if state == PartState::Live {
            *known = state;
        }
    }
    let pruned: BTreeSet<String> =
        reader.list_pruned_files(None).await?.into_iter().map(|row| row.file.path).collect();
    let mut dead = Vec::new();
    for (import, state) in states.into_iter().filter(|(_, state)| *state != PartState::Live) {
        let Some(row) = reader.find_import(import).await? else { continue };
        let files = reader.list_charge_files(Some(import), Some(period)).await?;
        let files = files.into_iter().filter(|file| !pruned.contains(&file.path)).map(|file| LiveFile {
            path: file.path,
            import,
            source: row.source_name.0.clone(),
            period,
            accounts: None,
            basis: billing::settings::Basis::default(),
        });
        let view = installation.lake.view(ViewSpec { files: files.collect(), ..ViewSpec::default() })?;
        let mut sum = Sum::default();
        for totals in view.totals(&[column.to_owned()], &Filter::default()).await? {
            if totals.keys.first().and_then(Option::as_ref).is_some_and(|name| names.contains(name)) {
                sum.add(&totals);
            }
        }
        if 0 < sum.charges {
            dead.push(Dead { import, source: row.source_name.0, state, sum });
        }
    }
    Ok(dead)
}

async fn sources_of(
    installation: &Installation,
    reader: &mut Reader,
    period: Period,
    names: &[String],
    is_pi: bool,
) -> Result<Vec<String>, WorkflowError> {
    let settings = installation.settings_of(reader, period).await?;
    let view = charges(installation, reader, Scope::period(period), &settings, None).await?;
    let filter = Filter {
        pi_email: names.first().filter(|_| is_pi).cloned(),
        pi_also: names.iter().skip(1).cloned().collect(),
        project_id: names.first().filter(|_| !is_pi).cloned(),
        period: Some(period),
        ..Filter::default()
    };
    let rows = view.totals(&["source".to_owned()], &filter).await?;
    Ok(rows.into_iter().filter_map(|row| row.keys.into_iter().next().flatten()).collect())
}
