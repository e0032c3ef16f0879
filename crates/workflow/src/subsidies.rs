//! Subsidies: who pays what of others' charges, how much of it is left, and what a change would do.

use std::collections::BTreeSet;

use billing::settings::Settings;
use billing::statement::{Statement, Totals};
use billing::subsidy::{BadSubsidy, Standing, SubsidyId, SubsidyRule, Used};
use billing::{LedgerNumber, Period};
use ledger::{AuditEvent, LegKind, Reader, RuleRow};
use money::{Amount, Minor};
use serde::Serialize;
use serde_json::json;

use crate::charges::{Scope, charges};
use crate::funding::Rules;
use crate::generate::{compute, post};
use crate::rules::{NOT_LONGER, may_end, unparsed_funds};
use crate::{Actor, Installation, Refusal, WorkflowError, funding, periods};

/// A rule to be written, or the last period of one.
#[derive(Clone, Debug)]
pub enum Change {
    Add(Box<SubsidyRule>),
    End { rule: SubsidyId, last: Period, note: Option<String> },
}

/// What a change would do to an open period.
#[derive(Clone, Debug, Serialize)]
pub struct Effect {
    pub period: Period,
    pub subsidy_before: Minor,
    pub subsidy_after: Minor,
    pub due_before: Minor,
    pub due_after: Minor,
    /// Statements that would say something else.
    pub statements: u64,
}

/// A pool of a rule, as a period leaves it.
#[derive(Clone, Debug, Serialize)]
pub struct Balance {
    pub rule: SubsidyId,
    pub name: String,
    pub counts_by: billing::subsidy::Scope,
    pub pi_email: Option<String>,
    pub project_id: Option<String>,
    /// Of a rule that counts by user; `None` for what names no user.
    pub user: Option<String>,
    pub first: Period,
    pub last: Period,
    /// What earlier windows left over, of a rule that carries over.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub carried: Option<Amount>,
    pub seen: Amount,
    pub paid: Amount,
    /// `None` where there is no end to it.
    pub left: Option<Amount>,
}

/// All rules, also those that ended.
///
/// # Errors
/// What the ledger could not read.
pub async fn list(installation: &Installation) -> Result<Vec<RuleRow<SubsidyRule>>, WorkflowError> {
    Ok(installation.ledger.read().await?.rules(None).await?)
}

/// What was used of the rules by the statements of other periods in their windows and, where a rule carries
/// over, in all its windows.
pub(crate) async fn used(
    reader: &mut Reader,
    period: Period,
    settings: &Settings,
    rules: &[SubsidyRule],
    as_of: Option<LedgerNumber>,
) -> Result<Vec<Used>, WorkflowError> {
    let year = settings.subsidies.fiscal_year_start;
    let ever = Period::new(9999, 12).unwrap_or(period);
    let windows = rules.iter().filter(|rule| rule.is_in_force(period)).map(|rule| {
        if rule.carries_over {
            (rule.window_of(rule.from, year).0, rule.to.unwrap_or(ever))
        } else {
            rule.window_of(period, year)
        }
    });
    let span = windows.reduce(|(first, last), (from, to)| (first.min(from), last.max(to)));
    let Some(span) = span.filter(|(first, last)| first < last) else { return Ok(Vec::new()) };
    Ok(reader.used(LegKind::Subsidy, span, Some(period), as_of).await?)
}

/// What a change would do to the open periods. Nothing is recorded.
///
/// # Errors
/// As [`change`].
pub async fn preview(installation: &Installation, change: &Change) -> Result<Vec<Effect>, WorkflowError> {
    let mut reader = installation.ledger.read().await?;
    let before = Rules::load(&mut reader, None).await?;
    let after = Rules { subsidies: changed(installation, &mut reader, change).await?, ..before.clone() };
    effects(installation, &mut reader, [&before, &after]).await
}

/// What other rules would do to the open periods.
pub(crate) async fn effects(
    installation: &Installation,
    reader: &mut Reader,
    sides: [&Rules; 2],
) -> Result<Vec<Effect>, WorkflowError> {
    let settings = &installation.settings;
    let mut effects = Vec::new();
    for record in reader.list_periods(None).await? {
        let period = record.period;
        if !record.state.is_open() {
            continue;
        }
        let view = charges(installation, reader, Scope::period(period), settings, None).await?;
        let mut computed = Vec::new();
        for rules in sides {
            let mut funding = rules.funding(reader, period, settings, None).await?;
            let statements = compute(&view, period, settings, BTreeSet::new(), &mut funding).await?;
            computed.push(statements.into_iter().map(|(statement, _)| statement).collect::<Vec<_>>());
        }
        let sum =
            |side: usize, of: fn(&Totals) -> Minor| computed[side].iter().map(|one| of(&one.totals)).sum();
        let differs = |(before, after): &(&Statement, &Statement)| before.lines != after.lines;
        let statements = computed[0].iter().zip(&computed[1]).filter(differs).count() as u64;
        if 0 < statements {
            effects.push(Effect {
                period,
                subsidy_before: sum(0, |totals| totals.subsidy),
                subsidy_after: sum(1, |totals| totals.subsidy),
                due_before: sum(0, |totals| totals.due),
                due_after: sum(1, |totals| totals.due),
                statements,
            });
        }
    }
    Ok(effects)
}

/// Record a change. It is for periods that are not closed.
///
/// # Errors
/// All that is wrong with the rule, at once; a rule that is not known, or that ended earlier.
pub async fn change(
    installation: &Installation,
    actor: &Actor,
    change: &Change,
) -> Result<(SubsidyId, LedgerNumber), WorkflowError> {
    let mut tx = installation.ledger.begin().await?;
    changed(installation, &mut tx, change).await?;
    let (id, act, detail) = match change {
        Change::Add(rule) => {
            let written = tx.write_rules(std::slice::from_ref(&**rule), actor).await?;
            let id = SubsidyId(written[0]);
            (id, "subsidy.written", json!(SubsidyRule { id, ..(**rule).clone() }))
        }
        Change::End { rule, last, note } => {
            tx.end_rule::<SubsidyRule>(rule.0, last, note.as_deref(), actor).await?;
            (*rule, "subsidy.ended", json!({ "last": last, "note": note }))
        }
    };
    let number = tx.commit(AuditEvent::new(actor, act, format!("subsidy {id}"), detail)).await?;
    Ok((id, number))
}

/// The rules as they would be.
pub(crate) async fn changed(
    installation: &Installation,
    reader: &mut Reader,
    change: &Change,
) -> Result<Vec<SubsidyRule>, WorkflowError> {
    let mut all = Rules::load(reader, None).await?.subsidies;
    match change {
        Change::Add(rule) => {
            let mut wrong: Vec<String> =
                rule.check().err().unwrap_or_default().iter().map(BadSubsidy::to_string).collect();
            let unparsed = unparsed_funds(&installation.settings, [&rule.payer])?;
            let payer = |fund| format!("its payer `{fund}` does not match journal.fund_org_regex");
            wrong.extend(unparsed.into_iter().map(payer));
            if !wrong.is_empty() {
                let refusal = Refusal::new(format!("the subsidy `{}` cannot be written", rule.name));
                return Err(refusal.details(wrong).into());
            }
            let id = SubsidyId(all.last().map_or(0, |rule| rule.id.0) + 1);
            all.push(SubsidyRule { id, ..(**rule).clone() });
        }
        Change::End { rule, last, .. } => {
            let Some(known) = all.iter_mut().find(|known| known.id == *rule) else {
                return Err(Refusal::new(format!("subsidy {rule} is not known"))
                    .hint("`subsidies list --all` shows those that are")
                    .into());
            };
            may_end(&format!("subsidy {rule}"), (Some(known.from), known.to), *last, Period::previous)
                .map_err(|why| Refusal::new(why).hint(NOT_LONGER))?;
            known.to = Some(*last);
        }
    }
    Ok(all)
}

/// What every pool has seen and paid when this period is billed as it stands.
///
/// # Errors
/// A period that was never opened.
pub async fn balances(installation: &Installation, period: Period) -> Result<Vec<Balance>, WorkflowError> {
    let mut reader = installation.ledger.read().await?;
    periods::load(&mut reader, period).await?;
    let settings = installation.settings_of(&mut reader, period).await?;
    let view = charges(installation, &mut reader, Scope::period(period), &settings, None).await?;
    let mut funding = funding::of_period(&mut reader, period, &settings, None).await?;
    post(&view, period, &settings, &mut funding).await?;
    let (subsidies, people) = (funding.subsidies, funding.people);
    let mut balances = Vec::new();
    for rule in subsidies.rules() {
        let (first, last) = rule.window_of(period, settings.subsidies.fiscal_year_start);
        let plain = Balance {
            rule: rule.id,
            name: rule.name.clone(),
            counts_by: rule.scope,
            pi_email: None,
            project_id: None,
            user: None,
            first,
            last,
            carried: None,
            seen: Amount::ZERO,
            paid: Amount::ZERO,
            left: None,
        };
        for (pool, Standing { seen, most, carried }) in subsidies.standing(rule) {
            balances.push(Balance {
                pi_email: pool.pi_email.as_ref().map(|pi| people.current(pi)),
                project_id: pool.project_id.clone(),
                user: pool.user.clone(),
                carried: rule.carries_over.then_some(carried),
                seen: seen.cost,
                paid: seen.paid,
                left: most.map(|most| (most - seen.paid).max(Amount::ZERO)),
                ..plain.clone()
            });
        }
        // What names no user draws from nobody's pool, and is not counted beyond the period.
        let (first, last, left) = (period, period, Some(Amount::ZERO));
        let unnamed = subsidies.without_user(rule);
        balances.extend(unnamed.map(|seen| Balance { first, last, seen, left, ..plain }));
    }
    Ok(balances)
}
