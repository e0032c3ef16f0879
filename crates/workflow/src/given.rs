//! What rules gave: charges to owners, prices to charges, money to statements.

use std::collections::BTreeMap;

use billing::attribution_table::RuleId;
use billing::credit::CreditId;
use billing::intake::{ATTRIBUTED_BY, RATED_BY};
use billing::rate::RateId;
use billing::split::{SplitId, SplitRule};
use billing::subsidy::{PaidBy, SubsidyId};
use billing::{Period, SourceName};
use lake::Filter;
use ledger::LegKind;
use money::Amount;
use serde::Serialize;

use crate::charges::{Scope, charges};
use crate::people::people;
use crate::{Installation, Refusal, WorkflowError, periods};

/// Charges of a period that a rule of the attribution table or of the rate book is meant by, of one owner.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Reached {
    pub source: SourceName,
    pub pi_email: Option<String>,
    pub project_id: Option<String>,
    pub charges: u64,
    pub cost: Amount,
}

/// What a subsidy or a credit paid of a project by the current statements of a period.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Paid {
    pub period: Period,
    pub pi_email: String,
    pub project_id: String,
    /// The cost that it looked at.
    pub seen: Amount,
    pub paid: Amount,
}

/// What the funds of a split carry on the statements that it is for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Carried {
    pub pi_email: String,
    pub project_id: String,
    pub fund_org: String,
    pub cost: Amount,
}

/// What a rule of the attribution table reached in a period, the most expensive first.
///
/// # Errors
/// A period that was never opened; what could not be read.
pub async fn attributed(
    installation: &Installation,
    period: Period,
    rule: RuleId,
) -> Result<Vec<Reached>, WorkflowError> {
    reached(installation, period, ATTRIBUTED_BY, &rule.to_string()).await
}

/// What a rate priced in a period, the most expensive first.
///
/// # Errors
/// As [`attributed`].
pub async fn rated(
    installation: &Installation,
    period: Period,
    rate: RateId,
) -> Result<Vec<Reached>, WorkflowError> {
    reached(installation, period, RATED_BY, &rate.to_string()).await
}

async fn reached(
    installation: &Installation,
    period: Period,
    column: &str,
    id: &str,
) -> Result<Vec<Reached>, WorkflowError> {
    let mut reader = installation.ledger.read().await?;
    periods::load(&mut reader, period).await?;
    let settings = installation.settings_of(&mut reader, period).await?;
    let view = charges(installation, &mut reader, Scope::period(period), &settings, None).await?;
    // Files that were read before there was a rule have no such column.
    if !view.column_names().iter().any(|known| known == column) {
        return Ok(Vec::new());
    }
    let by = ["source", "pi_email", "project_id", column].map(str::to_owned);
    let mut owners: BTreeMap<[Option<String>; 3], Reached> = BTreeMap::new();
    for row in view.totals(&by, &Filter::default()).await? {
        let mut keys = row.keys.into_iter();
        let owner: [Option<String>; 3] = std::array::from_fn(|_| keys.next().flatten());
        let ids = keys.next().flatten().unwrap_or_default();
        if !ids.split(", ").any(|one| one == id) {
            continue;
        }
        let [source, pi_email, project_id] = owner.clone();
        let reached = owners.entry(owner).or_insert_with(|| Reached {
            source: SourceName(source.unwrap_or_default()),
            pi_email,
            project_id,
            charges: 0,
            cost: Amount::ZERO,
        });
        reached.charges += row.rows;
        reached.cost += row.cost;
    }
    let mut rows: Vec<Reached> = owners.into_values().collect();
    rows.sort_by_key(|row| std::cmp::Reverse(row.cost.abs()));
    Ok(rows)
}

/// What a subsidy paid, the latest period first.
///
/// # Errors
/// What the ledger could not read.
pub async fn by_subsidy(installation: &Installation, rule: SubsidyId) -> Result<Vec<Paid>, WorkflowError> {
    paid(installation, LegKind::Subsidy, PaidBy::Subsidy(rule)).await
}

/// What a credit paid, the latest period first.
///
/// # Errors
/// What the ledger could not read.
pub async fn by_credit(installation: &Installation, credit: CreditId) -> Result<Vec<Paid>, WorkflowError> {
    paid(installation, LegKind::Credit, PaidBy::Credit(credit)).await
}

async fn paid(installation: &Installation, kind: LegKind, by: PaidBy) -> Result<Vec<Paid>, WorkflowError> {
    let mut reader = installation.ledger.read().await?;
    let periods = reader.list_periods(None).await?;
    let known = periods.iter().map(|record| record.period);
    let (Some(first), Some(last)) = (known.clone().min(), known.max()) else { return Ok(Vec::new()) };
    let people = people(&mut reader, None).await?;
    let mut sums: BTreeMap<(std::cmp::Reverse<Period>, String, String), (Amount, Amount)> = BTreeMap::new();
    for used in reader.used(kind, (first, last), None, None).await? {
        if used.by == by {
            let key = (std::cmp::Reverse(used.period), people.current(&used.pi_email), used.project_id);
            let sum = sums.entry(key).or_default();
            sum.0 += used.seen.cost;
            sum.1 += used.seen.paid;
        }
    }
    let row = |((period, pi_email, project_id), (seen, paid))| {
        let std::cmp::Reverse(period) = period;
        Paid { period, pi_email, project_id, seen, paid }
    };
    Ok(sums.into_iter().map(row).collect())
}

/// The funds of a split on the issued statements of a period that it is for, before others pay.
///
/// # Errors
/// A split that is not known; what the ledger could not read.
pub async fn by_split(
    installation: &Installation,
    period: Period,
    split: SplitId,
) -> Result<Vec<Carried>, WorkflowError> {
    let mut reader = installation.ledger.read().await?;
    let people = people(&mut reader, None).await?;
    let known = reader.rules::<SplitRule>(None).await?.into_iter().find(|row| row.rule.id == split);
    let unknown = || {
        Refusal::new(format!("split {split} is not known")).hint("`splits list --all` shows those that are")
    };
    let rule = known.ok_or_else(unknown)?.rule;
    let rule = SplitRule { pi_email: rule.pi_email.as_ref().map(|pi| people.current(pi)), ..rule };
    let mut sums: BTreeMap<[String; 3], Amount> = BTreeMap::new();
    for (statement, lines) in reader.current_statement_lines(period, None).await? {
        let pi_email = people.current(&statement.pi_email);
        for line in lines {
            let group = line.posted.group;
            let fund_org = group.fund_org.unwrap_or_default();
            let is_part = rule.parts.iter().any(|part| part.fund_org.trim() == fund_org.trim());
            if is_part && rule.is_for(&pi_email, &statement.project_id, &group.source) {
                let key = [pi_email.clone(), statement.project_id.clone(), fund_org];
                *sums.entry(key).or_default() += group.cost;
            }
        }
    }
    let row = |([pi_email, project_id, fund_org], cost): ([String; 3], Amount)| Carried {
        pi_email,
        project_id,
        fund_org,
        cost,
    };
    Ok(sums.into_iter().map(row).collect())
}
