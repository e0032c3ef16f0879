//! Credits: what was granted to whom, how much of it is left, and what a change would do.

use std::collections::BTreeMap;

use billing::credit::{BadCredit, Credit, CreditId, Standing, moved_on};
use billing::period::PeriodState;
use billing::subsidy::PaidBy;
use billing::{LedgerNumber, Period};
use ledger::{AuditEvent, LegKind, Reader, RuleRow};
use money::Amount;
use serde_json::json;

use crate::charges::{Scope, charges};
use crate::funding::Rules;
use crate::generate::post;
use crate::rules::{may_end, unparsed_funds};
use crate::subsidies::{Effect, effects};
use crate::{Actor, Installation, Refusal, WorkflowError, funding, periods};

/// A credit to be granted, a part of one for somebody else, or its last period.
#[derive(Clone, Debug)]
pub enum Change {
    Add(Box<Credit>),
    Move(Move),
    End { credit: CreditId, last: Period, note: Option<String> },
}

/// A part that nobody used yet, and who is to have it; the rest is as it is.
#[derive(Clone, Debug)]
pub struct Move {
    pub from: CreditId,
    pub amount: Amount,
    pub pis: Vec<String>,
    pub projects: Vec<String>,
    pub note: String,
}

/// How the credits stand when a period is billed as it is.
#[derive(Clone, Debug)]
pub struct Balances {
    pub period: Period,
    pub credits: Vec<Standing>,
}

/// All credits, also those that ended.
///
/// # Errors
/// What the ledger could not read.
pub async fn list(installation: &Installation) -> Result<Vec<RuleRow<Credit>>, WorkflowError> {
    Ok(installation.ledger.read().await?.rules(None).await?)
}

/// What the statements of other periods drew.
pub(crate) async fn used(
    reader: &mut Reader,
    period: Period,
    credits: &[Credit],
    as_of: Option<LedgerNumber>,
) -> Result<Vec<billing::subsidy::Used>, WorkflowError> {
    let ever = Period::new(9999, 12).unwrap_or(period);
    let spans = credits.iter().filter(|credit| credit.is_in_force(period) && !credit.is_kept_back());
    let spans = spans.map(|credit| (credit.from, credit.to.unwrap_or(ever)));
    let span = spans.reduce(|(first, last), (from, to)| (first.min(from), last.max(to)));
    let Some(span) = span.filter(|(first, last)| first < last) else { return Ok(Vec::new()) };
    Ok(reader.used(LegKind::Credit, span, Some(period), as_of).await?)
}

/// What a change would do to the open periods. Nothing is recorded.
///
/// # Errors
/// As [`change`].
pub async fn preview(installation: &Installation, change: &Change) -> Result<Vec<Effect>, WorkflowError> {
    let mut reader = installation.ledger.read().await?;
    let before = Rules::load(&mut reader, None).await?;
    let (credits, _) = changed(installation, &mut reader, change).await?;
    let after = before.clone().with_credits(credits);
    effects(installation, &mut reader, [&before, &after]).await
}

/// Record a change. It is for periods that are not closed.
///
/// # Errors
/// All that is wrong with the credit, at once; one that is not known, that ended earlier, or that has not so
/// much left.
pub async fn change(
    installation: &Installation,
    actor: &Actor,
    change: &Change,
) -> Result<(CreditId, LedgerNumber), WorkflowError> {
    let mut tx = installation.ledger.begin().await?;
    let (_, written) = changed(installation, &mut tx, change).await?;
    let (id, act, detail) = match change {
        Change::Add(_) | Change::Move(_) => {
            tx.write_rules(std::slice::from_ref(&written), actor).await?;
            let act = if written.moved_from.is_some() { "credit.moved" } else { "credit.granted" };
            (written.id, act, json!(written))
        }
        Change::End { credit, last, note } => {
            tx.end_rule::<Credit>(credit.0, last, note.as_deref(), actor).await?;
            (*credit, "credit.ended", json!({ "last": last, "note": note }))
        }
    };
    let number = tx.commit(AuditEvent::new(actor, act, format!("credit {id}"), detail)).await?;
    Ok((id, number))
}

/// The credits as they would be, and the one that is new or ended.
async fn changed(
    installation: &Installation,
    reader: &mut Reader,
    change: &Change,
) -> Result<(Vec<Credit>, Credit), WorkflowError> {
    let mut all = Rules::load(reader, None).await?.credits;
    let id = CreditId(all.last().map_or(0, |credit| credit.id.0) + 1);
    let written = match change {
        Change::Add(credit) => {
            let credit = Credit { id, ..(**credit).clone() };
            check(installation, &credit)?;
            all.push(credit.clone());
            credit
        }
        Change::Move(part) => {
            let credit = Credit { id, ..parted(installation, reader, &all, part).await? };
            check(installation, &credit)?;
            all.push(credit.clone());
            credit
        }
        Change::End { credit, last, .. } => {
            let known = known(&all, *credit)?;
            may_end(&format!("credit {credit}"), (Some(known.from), known.to), *last, Period::previous)
                .map_err(|why| Refusal::new(why).hint("a credit cannot be made longer; grant a new one"))?;
            let ended = Credit { to: Some(*last), ..known.clone() };
            all.iter_mut().filter(|known| known.id == *credit).for_each(|known| known.clone_from(&ended));
            ended
        }
    };
    Ok((all, written))
}

fn check(installation: &Installation, credit: &Credit) -> Result<(), WorkflowError> {
    let mut wrong: Vec<String> =
        credit.check().err().unwrap_or_default().iter().map(BadCredit::to_string).collect();
    let payer = |fund| format!("its payer `{fund}` does not match journal.fund_org_regex");
    wrong.extend(unparsed_funds(&installation.settings, [&credit.payer])?.into_iter().map(payer));
    if wrong.is_empty() {
        return Ok(());
    }
    Err(Refusal::new(format!("the credit `{}` cannot be written", credit.name)).details(wrong).into())
}

fn known(all: &[Credit], id: CreditId) -> Result<&Credit, WorkflowError> {
    all.iter().find(|credit| credit.id == id).ok_or_else(|| {
        Refusal::new(format!("credit {id} is not known"))
            .hint("`credits list --all` shows those that are")
            .into()
    })
}

/// The part that is moved: for others, and otherwise as what it is taken from.
async fn parted(
    installation: &Installation,
    reader: &mut Reader,
    all: &[Credit],
    part: &Move,
) -> Result<Credit, WorkflowError> {
    let whole = known(all, part.from)?;
    let moved = moved_on(all, whole.id);
    let used = used_of(installation, reader, whole).await?;
    let left = whole.amount - moved - used;
    if left < part.amount {
        let show = |amount: Amount| {
            let currency = &installation.settings.currency;
            currency.display(amount.round(currency.code.places()))
        };
        return Err(Refusal::new(format!(
            "credit {} has {} left: {} cannot be moved",
            whole.id,
            show(left.max(Amount::ZERO)),
            show(part.amount)
        ))
        .details(vec![format!(
            "{} was granted, {} used by months that are closed, {} moved on",
            show(whole.amount),
            show(used),
            show(moved)
        )])
        .into());
    }
    Ok(Credit {
        amount: part.amount,
        pis: part.pis.clone(),
        projects: part.projects.clone(),
        moved_from: Some(whole.id),
        note: Some(part.note.clone()),
        ..whole.clone()
    })
}

/// What statements used of a credit. Those of a month that is closed, with the credit as it was then, may be
/// still to be made.
async fn used_of(
    installation: &Installation,
    reader: &mut Reader,
    credit: &Credit,
) -> Result<Amount, WorkflowError> {
    let ever = (credit.from, credit.to.unwrap_or(Period::new(9999, 12).unwrap_or(credit.from)));
    let mut issued: BTreeMap<Period, Amount> = BTreeMap::new();
    for used in reader.used(LegKind::Credit, ever, None, None).await? {
        if used.by == PaidBy::Credit(credit.id) {
            *issued.entry(used.period).or_default() += used.seen.paid;
        }
    }
    for record in reader.list_periods(None).await? {
        let period = record.period;
        if credit.is_in_force(period) && matches!(record.state, PeriodState::Closed { .. }) {
            let credits = standing(installation, reader, period).await?;
            let drawn = credits.iter().find(|one| one.credit.id == credit.id).map(|one| one.drawn);
            let known = issued.entry(period).or_default();
            *known = drawn.unwrap_or_default().max(*known);
        }
    }
    Ok(issued.into_values().sum())
}

async fn standing(
    installation: &Installation,
    reader: &mut Reader,
    period: Period,
) -> Result<Vec<Standing>, WorkflowError> {
    let settings = installation.settings_of(reader, period).await?;
    let view = charges(installation, reader, Scope::period(period), &settings, None).await?;
    let mut funding = funding::of_period(reader, period, &settings, None).await?;
    post(&view, period, &settings, &mut funding).await?;
    Ok(funding.credits.standing())
}

/// How the credits of a period stand when it is billed as it is; without one, of the latest.
///
/// # Errors
/// A period that was never opened; none at all.
pub async fn balances(
    installation: &Installation,
    period: Option<Period>,
) -> Result<Balances, WorkflowError> {
    let mut reader = installation.ledger.read().await?;
    let period = if let Some(period) = period {
        periods::load(&mut reader, period).await?.period
    } else {
        let latest = reader.list_periods(None).await?.into_iter().map(|record| record.period).max();
        latest.ok_or_else(|| Refusal::new("no period was opened yet").hint("`periods open YYYY-MM`"))?
    };
    let credits = standing(installation, &mut reader, period).await?;
    Ok(Balances { period, credits })
}
