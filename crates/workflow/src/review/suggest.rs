//! To whom charges that lack somebody could be given: what earlier decisions said, and what is known of their
//! projects and PIs.

use std::collections::{BTreeMap, BTreeSet};

use billing::Period;
use billing::decision::{Decision, Reassignment};
use ledger::DecisionFilter;
use serde::Serialize;

use crate::listing::ListedCharge;
use crate::{Installation, WorkflowError, kept};

#[derive(Clone, Debug, Default, Serialize)]
pub struct Suggestions {
    /// The likeliest first.
    pub changes: Vec<Suggested>,
    /// Known in this month and the two before it.
    pub pis: Vec<String>,
    pub projects: Vec<String>,
    pub fund_orgs: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Suggested {
    pub change: Reassignment,
    pub why: String,
}

/// So many are told.
const TOLD: usize = 6;
const KNOWN: usize = 500;
const MONTHS: usize = 3;

/// For charges of a period.
///
/// # Errors
/// What could not be read.
pub async fn suggest(
    installation: &Installation,
    period: Period,
    charges: &[ListedCharge],
) -> Result<Suggestions, WorkflowError> {
    let mut reader = installation.ledger.read().await?;
    let mut known: Vec<Period> =
        reader.list_periods(None).await?.into_iter().map(|record| record.period).collect();
    known.retain(|month| *month <= period);
    known.sort_unstable_by_key(|month| std::cmp::Reverse(*month));
    let mut suggestions = Suggestions::default();
    let (mut pis, mut projects, mut funds) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    for month in known.into_iter().take(MONTHS) {
        let sums = kept::sums_of(installation, &mut reader, month).await?;
        for sums in &sums.by_project {
            pis.extend(sums.pi_email.clone());
            projects.extend(sums.project_id.clone());
            funds.extend(sums.fund_orgs.iter().cloned());
            for charge in charges {
                if let Some(suggested) = completed(charge, sums, month)
                    && !suggestions.changes.iter().any(|known| known.change == suggested.change)
                {
                    suggestions.changes.push(suggested);
                }
            }
        }
    }
    suggestions.changes.truncate(TOLD / 2);
    let sources: BTreeSet<String> =
        charges.iter().map(|charge| charge.source.trim().to_lowercase()).collect();
    for suggested in said_before(&mut reader, &sources).await? {
        if suggestions.changes.len() < TOLD
            && !suggestions.changes.iter().any(|known| known.change == suggested.change)
        {
            suggestions.changes.push(suggested);
        }
    }
    suggestions.pis = pis.into_iter().take(KNOWN).collect();
    suggestions.projects = projects.into_iter().take(KNOWN).collect();
    suggestions.fund_orgs = funds.into_iter().take(KNOWN).collect();
    Ok(suggestions)
}

/// What the other charges of the same project, or else of the same PI, have and this one lacks.
fn completed(charge: &ListedCharge, sums: &kept::ProjectSums, month: Period) -> Option<Suggested> {
    let same = |own: &Option<String>, other: &Option<String>| own.is_some() && own == other;
    let (by_project, by_pi) =
        (same(&charge.project_id, &sums.project_id), same(&charge.pi_email, &sums.pi_email));
    let why = match (by_project, by_pi) {
        (true, _) => format!("as the project {} had in {month}", charge.project_id.as_deref()?),
        (false, true) => format!("as charges of {} had in {month}", charge.pi_email.as_deref()?),
        (false, false) => return None,
    };
    let fund_org = sums.fund_orgs.first()?;
    let given = Reassignment {
        pi_email: sums.pi_email.clone().filter(|pi| charge.pi_email.as_ref() != Some(pi)),
        project_id: sums.project_id.clone().filter(|name| charge.project_id.as_ref() != Some(name)),
        fund_org: Some(fund_org.clone()).filter(|fund| charge.fund_org.as_ref() != Some(fund)),
        ..Reassignment::default()
    };
    (!given.is_empty()).then_some(Suggested { change: given, why })
}

/// What charges of these sources were given by people, the most frequent first.
async fn said_before(
    reader: &mut ledger::Reader,
    sources: &BTreeSet<String>,
) -> Result<Vec<Suggested>, WorkflowError> {
    let acts = reader.list_decision_acts(None).await?;
    let mut said: BTreeMap<String, (Reassignment, u64, String)> = BTreeMap::new();
    for act in acts.iter().rev().filter(|act| act.kind == "reassign").take(ACTS) {
        let of_act = DecisionFilter { number: Some(act.number), ..DecisionFilter::default() };
        let rows = reader.decisions_for(&of_act, None).await?;
        for row in rows.into_iter().filter(|row| sources.contains(&*row.source_key)) {
            let Decision::Reassign { change } = row.decision else { continue };
            let entry = said.entry(format!("{change:?}")).or_insert_with(|| {
                let when = act.stamp.at.strftime("%Y-%m-%d");
                (change, 0, format!("by {} on {when}", act.stamp.by))
            });
            entry.1 += 1;
        }
    }
    let mut said: Vec<(Reassignment, u64, String)> = said.into_values().collect();
    said.sort_by_key(|(_, times, _)| std::cmp::Reverse(*times));
    Ok(said
        .into_iter()
        .map(|(change, times, last)| {
            let charges = if times == 1 { "1 charge".to_owned() } else { format!("{times} charges") };
            Suggested { change, why: format!("given to {charges} of the source, last {last}") }
        })
        .collect())
}

/// So many acts are looked back at.
const ACTS: usize = 20;
