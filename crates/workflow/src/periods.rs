//! Open, close, reopen and finalize a billing period. What may be done when is in `billing::period`.

use std::sync::Arc;

use billing::journal::JournalState;
use billing::period::{Opening, PeriodAct, PeriodRefusal, PeriodState, RefusedAct, Unfinished, may, opening};
use billing::settings::Settings;
use billing::{ImportId, Period};
use ledger::{AuditEvent, LedgerNumber, PeriodAct as Event, PeriodRecord, Reader, Tx};
use serde::Serialize;
use serde_json::json;

use crate::charges::{Scope, charges};
use crate::report::{StateTotals, state_totals};
use crate::{Actor, Installation, Refusal, WorkflowError, kept, reading};

/// A period with what is in it.
#[derive(Clone, Debug, Serialize)]
pub struct PeriodSummary {
    #[serde(flatten)]
    pub record: PeriodRecord,
    pub totals: StateTotals,
    pub statements: u64,
    pub amount_due: money::Minor,
}

/// # Errors
/// What the lake or the ledger could not read.
pub async fn list(installation: &Installation) -> Result<Vec<PeriodSummary>, WorkflowError> {
    let mut reader = installation.ledger.read().await?;
    let mut periods = Vec::new();
    for record in reader.list_periods(None).await? {
        periods.push(summarize(installation, &mut reader, record).await?);
    }
    Ok(periods)
}

/// # Errors
/// A period that was never opened.
pub async fn show(installation: &Installation, period: Period) -> Result<PeriodSummary, WorkflowError> {
    let mut reader = installation.ledger.read().await?;
    let record = load(&mut reader, period).await?;
    summarize(installation, &mut reader, record).await
}

async fn summarize(
    installation: &Installation,
    reader: &mut Reader,
    record: PeriodRecord,
) -> Result<PeriodSummary, WorkflowError> {
    let totals = kept::sums_of(installation, reader, record.period).await?.totals;
    let statements = reader.current_statements(record.period, None).await?;
    let amount_due = statements.iter().map(|statement| statement.totals.due).sum();
    Ok(PeriodSummary { record, totals, statements: statements.len() as u64, amount_due })
}

/// Open a month that no import has opened.
///
/// # Errors
/// When it is known already: a closed period is reopened instead.
pub async fn open(
    installation: &Installation,
    actor: &Actor,
    period: Period,
) -> Result<LedgerNumber, WorkflowError> {
    let mut tx = installation.ledger.begin().await?;
    if let Some(known) = tx.find_period(period, None).await? {
        let refusal = Refusal::new(format!("cannot open {period}: it is {} already", known.state.name()));
        return Err(match known.state {
            PeriodState::Closed { .. } => refusal.hint(format!("`periods reopen {period} --reason …`")),
            _ => refusal,
        }
        .into());
    }
    tx.record_period(period, Event::Opened, actor, None, None).await?;
    Ok(tx.commit(AuditEvent::new(actor, "period.opened", period, json!({}))).await?)
}

/// Close a period: from now on it is computed with the configuration of today.
///
/// # Errors
/// When it is not open.
pub async fn close(
    installation: &Installation,
    actor: &Actor,
    period: Period,
    notes: Option<&str>,
) -> Result<LedgerNumber, WorkflowError> {
    let mut tx = installation.ledger.begin().await?;
    let record = load(&mut tx, period).await?;
    record.state.close(actor.clone()).map_err(|why| refused(why.of(PeriodAct::Close, period)))?;
    let stale = reading::stale(installation, &mut tx, Some(period)).await?;
    if !stale.is_empty() {
        let which: Vec<String> = stale.iter().map(ImportId::to_string).collect();
        let refusal = Refusal::new(format!(
            "cannot close {period}: the attribution table or the rate book has changed since import {} was read",
            which.join(", ")
        ));
        return Err(refusal.hint("`attribution apply` reads it again").into());
    }
    let digest = tx.keep_configuration(&installation.configuration.text).await?;
    tx.record_period(period, Event::Closed, actor, notes, Some(&digest)).await?;
    let detail = json!({ "configuration": digest, "notes": notes });
    Ok(tx.commit(AuditEvent::new(actor, "period.closed", period, detail)).await?)
}

/// # Errors
/// When it is not closed, when accounting has accepted a journal of it, or without a reason.
pub async fn reopen(
    installation: &Installation,
    actor: &Actor,
    period: Period,
    reason: &str,
) -> Result<LedgerNumber, WorkflowError> {
    let mut tx = installation.ledger.begin().await?;
    let record = load(&mut tx, period).await?;
    let mut accepted = tx.list_journal_records(Some(period), None).await?;
    accepted.retain(|record| record.state.is_accepted());
    record.state.reopen(reason, !accepted.is_empty()).map_err(|why| {
        let refusal = refused(why.of(PeriodAct::Reopen, period));
        if why != PeriodRefusal::JournalAccepted {
            return refusal;
        }
        refusal.details(accepted.iter().filter_map(|record| match &record.state {
            JournalState::Accepted { accepted, .. } => Some(format!(
                "{}: accepted {} by {}",
                record.journal.document,
                accepted.at.strftime("%Y-%m-%d"),
                accepted.by
            )),
            _ => None,
        }))
    })?;
    tx.record_period(period, Event::Reopened, actor, Some(reason), None).await?;
    Ok(tx.commit(AuditEvent::new(actor, "period.reopened", period, json!({ "reason": reason }))).await?)
}

/// Finalize a closed period: its statements and journals never change again.
///
/// # Errors
/// When it is not closed, when charges are held, when what is billable has no statements, when statements
/// are not posted, or when a journal is neither accepted nor waived.
pub async fn finalize(
    installation: &Installation,
    actor: &Actor,
    period: Period,
    notes: Option<&str>,
) -> Result<LedgerNumber, WorkflowError> {
    let mut tx = installation.ledger.begin().await?;
    let record = load(&mut tx, period).await?;
    may(PeriodAct::Finalize, &record.state).map_err(|why| refused(why.of(PeriodAct::Finalize, period)))?;
    let settings = installation.settings_of(&mut tx, period).await?;
    let scope = Scope::period(period);
    let view = charges(installation, &mut tx, scope, &settings, None).await?;
    let totals = state_totals(&view, period).await?;
    if 0 < totals.billed_here.rows
        && totals.held.rows == 0
        && tx.current_statements(period, None).await?.is_empty()
    {
        let refusal = Refusal::new(format!(
            "cannot finalize {period}: it has {} billable charges and no statements",
            totals.billed_here.rows
        ));
        return Err(refusal.hint(format!("`generate --period {period}`")).into());
    }
    let NotSettled { unposted, rejected, unanswered } = not_settled(&mut tx, period, &settings).await?;
    let unfinished = Unfinished {
        held: usize::try_from(totals.held.rows).unwrap_or(usize::MAX),
        unposted: unposted.len(),
        unanswered: unanswered.len(),
    };
    record.state.finalize(unfinished, actor.clone()).map_err(|why| {
        let refusal = refused(why.of(PeriodAct::Finalize, period));
        match why {
            PeriodRefusal::NotPosted(_) => refusal.details(rejected).details(some_of(unposted)),
            PeriodRefusal::Unanswered(_) => refusal.details(some_of(unanswered)),
            _ => refusal,
        }
    })?;
    tx.record_period(period, Event::Finalized, actor, notes, None).await?;
    Ok(tx.commit(AuditEvent::new(actor, "period.finalized", period, json!({ "notes": notes }))).await?)
}

/// Everything that stands between a closed period and being final.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Missing {
    /// Charges that wait for a decision.
    pub held: u64,
    /// Charges that are billable, and no statement was made.
    pub without_statements: u64,
    #[serde(flatten)]
    pub not_settled: NotSettled,
}

impl Missing {
    #[must_use]
    pub fn is_nothing(&self) -> bool {
        let NotSettled { unposted, rejected, unanswered } = &self.not_settled;
        let settled = unposted.is_empty() && rejected.is_empty() && unanswered.is_empty();
        self.held == 0 && self.without_statements == 0 && settled
    }
}

/// What [`finalize`] would refuse a closed period for, all of it.
///
/// # Errors
/// A period that was never opened; what could not be read.
pub async fn missing(installation: &Installation, period: Period) -> Result<Arc<Missing>, WorkflowError> {
    let mut reader = installation.ledger.read().await?;
    load(&mut reader, period).await?;
    let cell = installation.kept.missing(period, &kept::books(installation, &mut reader).await?);
    let missing = cell.get_or_try_init(|| async {
        let totals = kept::sums_of(installation, &mut reader, period).await?.totals;
        let settings = installation.settings_of(&mut reader, period).await?;
        let has_none = reader.current_statements(period, None).await?.is_empty();
        Ok::<_, WorkflowError>(Arc::new(Missing {
            held: totals.held.rows,
            without_statements: if has_none { totals.billed_here.rows } else { 0 },
            not_settled: not_settled(&mut reader, period, &settings).await?,
        }))
    });
    Ok(Arc::clone(missing.await?))
}

/// What of a period's money has not arrived, a line of words for each.
#[derive(Clone, Debug, Default, Serialize)]
pub struct NotSettled {
    /// Statements that no document posts as they stand.
    pub unposted: Vec<String>,
    /// Documents that accounting rejected and nothing replaces yet.
    pub rejected: Vec<String>,
    /// Documents without an answer.
    pub unanswered: Vec<String>,
}

/// Where funds are not required (showback) nothing has to be posted, unless something was.
async fn not_settled(
    reader: &mut Reader,
    period: Period,
    settings: &Settings,
) -> Result<NotSettled, WorkflowError> {
    let records = reader.list_journal_records(Some(period), None).await?;
    if !settings.require_fund_org && records.is_empty() {
        return Ok(NotSettled::default());
    }
    let (mut rejected, mut unanswered) = (Vec::new(), Vec::new());
    for record in &records {
        let journal = &record.journal;
        match &record.state {
            JournalState::Exported => {
                // What the document says: its lines are sums of those that the books count.
                let handed_out = crate::journal::read_model(reader, &journal.document).await?.journal;
                unanswered.push(format!(
                    "{}: exported {} by {}, {} debited",
                    journal.document,
                    journal.recorded.at.strftime("%Y-%m-%d"),
                    journal.recorded.by,
                    settings.currency.display(handed_out.control_totals().debits)
                ));
            }
            JournalState::Rejected { reason, replaced_by: None, .. } => {
                rejected.push(format!("{}: rejected by accounting: {reason}", journal.document));
            }
            _ => {}
        }
    }
    let unposted = crate::journal::unposted(reader, period, None).await?;
    let unposted = unposted.iter().map(|posting| {
        let sum = settings.currency.display(posting.sum());
        format!(
            "{} v{} ({}, {}): {sum} not posted",
            posting.number, posting.version, posting.pi_email, posting.project_id
        )
    });
    Ok(NotSettled { unposted: unposted.collect(), rejected, unanswered })
}

/// The first lines of a long list, and how many more there are.
fn some_of(lines: Vec<String>) -> Vec<String> {
    const SHOWN: usize = 10;
    let more = lines.len().saturating_sub(SHOWN);
    let rest = (0 < more).then(|| format!("… and {more} more"));
    lines.into_iter().take(SHOWN).chain(rest).collect()
}

/// Refuse an act that the period's state does not allow.
///
/// # Errors
/// [`Refusal`] with the way on; a period that was never opened.
pub async fn require(
    reader: &mut Reader,
    period: Period,
    act: PeriodAct,
) -> Result<PeriodRecord, WorkflowError> {
    let record = load(reader, period).await?;
    may(act, &record.state).map_err(|why| refused(why.of(act, period)))?;
    Ok(record)
}

/// Open a period that was never seen, if it is near enough to today. Says whether it did.
///
/// # Errors
/// [`Refusal`] for a month so far away that it is more likely a mistake.
pub async fn open_if_new(tx: &mut Tx, actor: &Actor, period: Period) -> Result<bool, WorkflowError> {
    if tx.find_period(period, None).await?.is_some() {
        return Ok(false);
    }
    require_near(period, actor)?;
    tx.record_period(period, Event::Opened, actor, None, None).await?;
    Ok(true)
}

/// # Errors
/// [`Refusal`] for a month that only `periods open` opens.
pub fn require_near(period: Period, actor: &Actor) -> Result<(), Refusal> {
    let today = actor.day();
    match opening(period, today) {
        Opening::Automatic => Ok(()),
        Opening::NeedsCommand => Err(Refusal::new(format!(
            "period {period} was never opened, and it is more than 24 months back or 2 ahead"
        ))
        .hint(format!("`periods open {period}` if it is meant"))),
    }
}

/// # Errors
/// A period that was never opened.
pub async fn load(reader: &mut Reader, period: Period) -> Result<PeriodRecord, WorkflowError> {
    if let Some(record) = reader.find_period(period, None).await? {
        Ok(record)
    } else {
        let known = reader.list_periods(None).await?;
        let known: Vec<String> = known.iter().map(|record| record.period.to_string()).collect();
        let refusal = Refusal::new(format!("period {period} was never opened"));
        let refusal = match known.as_slice() {
            [] => refusal.hint("`ingest FILE` opens the periods of its rows"),
            known => refusal.hint(format!("known periods: {}", known.join(", "))),
        };
        Err(refusal.into())
    }
}

#[must_use]
pub fn refused(refused: RefusedAct) -> Refusal {
    let hint = refused.hint();
    let held = matches!(refused.why, PeriodRefusal::Held(_));
    let refusal = Refusal::new(refused.to_string()).hint(hint);
    if held { refusal.hint(format!("`review list --period {}` shows them", refused.period)) } else { refusal }
}
