//! What is charged before cents: the charges of a period summed by PI and project, priced for the month, and over
//! the funds that share them.

use std::collections::BTreeMap;

use billing::rate::{RatedGroup, RatedUse};
use billing::split::{SplitId, Splits, merged};
use billing::statement::PostingGroup;
use billing::{Fingerprint, Period};
use lake::{Apart, Posted, RatedPosted, View};

use crate::WorkflowError;
use crate::charges::{Found, locate};
use crate::funding::Funding;
use crate::generate::Owner;

/// What is summed apart for the sake of splits; of each single charge, the rule that it has.
#[derive(Default)]
pub(crate) struct SummedApart {
    apart: Apart,
    rules: Vec<SplitId>,
}

/// What the charges of a PI's project come to, before prices that depend on the month, and before splits.
#[derive(Default)]
pub(crate) struct Usage {
    posted: Vec<Posted>,
    /// The part that the rate book priced.
    rated: Vec<RatedPosted>,
}

impl Usage {
    /// The groups as they are posted, and how rates were used.
    pub fn funded(
        self,
        (pi_email, project_id): &Owner,
        period: Period,
        SummedApart { apart, rules }: &SummedApart,
        funding: &mut Funding,
    ) -> (Vec<PostingGroup>, Vec<RatedUse>) {
        let who = funding.people.key(pi_email);
        let of = |posted: &Posted| {
            let PostingGroup { fund_org, source, service_name, account_code, kind, .. } =
                posted.group.clone();
            (
                (posted.after, posted.charge, posted.fallback_from.clone()),
                fund_org,
                source,
                service_name,
                account_code,
                kind,
            )
        };
        let places: BTreeMap<_, usize> =
            self.posted.iter().enumerate().map(|(at, posted)| (of(posted), at)).collect();
        let (which, mut groups): (Vec<_>, Vec<PostingGroup>) = self
            .posted
            .into_iter()
            .map(|posted| ((posted.after, posted.charge, posted.fallback_from), posted.group))
            .unzip();
        let parts = self.rated.iter().filter_map(|part| {
            let (rate, quantity, cost) = (part.rate, part.quantity, part.posted.group.cost);
            Some(RatedGroup { group: *places.get(&of(&part.posted))?, rate, quantity, cost })
        });
        let rates = funding.rates.price(&mut groups, &parts.collect::<Vec<_>>());
        let groups = which.into_iter().zip(groups).flat_map(|((after, charge, fallback_from), group)| {
            let day = after.checked_sub(1).map_or(period.first_day(), |at| apart.days[at]);
            let own = charge.map(|at| rules[at]);
            funding.splits.over(&who, project_id, day, own, fallback_from.as_deref(), group)
        });
        (merged(groups.collect()), rates)
    }
}

/// Of every PI's project with something billed in a period.
pub(crate) async fn of_period(
    view: &View,
    period: Period,
    splits: &Splits,
) -> Result<(SummedApart, BTreeMap<Owner, Usage>), WorkflowError> {
    let summed = summed_apart(view, period, splits).await?;
    let mut owners: BTreeMap<Owner, Usage> = BTreeMap::new();
    let owner = |posted: &Posted| (posted.pi_email.clone(), posted.project_id.clone());
    for posted in view.posting_groups(period, &summed.apart).await? {
        owners.entry(owner(&posted)).or_default().posted.push(posted);
    }
    for rated in view.rated_groups(period, &summed.apart).await? {
        owners.entry(owner(&rated.posted)).or_default().rated.push(rated);
    }
    Ok((summed, owners))
}

async fn summed_apart(view: &View, period: Period, splits: &Splits) -> Result<SummedApart, WorkflowError> {
    let mut summed = SummedApart::default();
    summed.apart.days = splits.boundaries(period);
    let fingerprints: Vec<Fingerprint> = splits.of_charges().map(|(_, charge)| charge.fingerprint).collect();
    if fingerprints.is_empty() {
        return Ok(summed);
    }
    let found = locate(view, &fingerprints).await?;
    for (rule, charge) in splits.of_charges() {
        let same = |found: &&Found| {
            (found.charge.fingerprint, found.ordinal) == (charge.fingerprint, charge.ordinal)
        };
        // Beside each other may stand several; then it is the very one.
        let twins: Vec<&Found> = found.iter().filter(same).collect();
        let own = twins.iter().find(|found| found.charge.id == charge.id).or(twins.first());
        if let Some(own) = own {
            summed.apart.charges.push(own.charge.id);
            summed.rules.push(rule);
        }
    }
    Ok(summed)
}
