//! What is charged before cents: the charges of a period summed by PI and project, priced for the month, and over
//! the funds that share them.

use std::collections::BTreeMap;

use billing::rate::{RatedGroup, RatedUse};
use billing::split::{SplitId, Splits, merged};
use billing::statement::PostingGroup;
use billing::{Fingerprint, Period};
use lake::{Apart, Posted, View};

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

/// The charges of a PI's project, summed, before prices that depend on the month, and before splits.
#[derive(Default)]
pub(crate) struct Usage(Vec<Posted>);

/// What of a group decides how it is split.
type Place = (usize, Option<usize>, Option<String>);

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
        let (places, mut groups, parts) = self.over_rates();
        let rates = funding.rates.price(&mut groups, &parts);
        let groups = places.into_iter().zip(groups).flat_map(|((after, charge, fallback_from), group)| {
            let day = after.checked_sub(1).map_or(period.first_day(), |at| apart.days[at]);
            let own = charge.map(|at| rules[at]);
            funding.splits.over(&who, project_id, day, own, fallback_from.as_deref(), group)
        });
        (merged(groups.collect()), rates)
    }

    /// Groups that differ in their rate alone are one; what each rate priced of it stands beside. They come
    /// one after the other.
    fn over_rates(self) -> (Vec<Place>, Vec<PostingGroup>, Vec<RatedGroup>) {
        let (mut places, mut groups, mut parts) = (Vec::new(), Vec::<PostingGroup>::new(), Vec::new());
        for Posted { after, charge, fallback_from, rated, group, .. } in self.0 {
            let (place, cost) = ((after, charge, fallback_from), group.cost);
            match groups.last_mut() {
                Some(last) if places.last() == Some(&place) && last.is_of_line(&group) => last.add(&group),
                _ => {
                    places.push(place);
                    groups.push(group);
                }
            }
            let at = groups.len() - 1;
            parts.extend(rated.map(|(rate, quantity)| RatedGroup { group: at, rate, quantity, cost }));
        }
        (places, groups, parts)
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
    for posted in view.posting_groups(period, &summed.apart).await? {
        let owner = (posted.pi_email.clone(), posted.project_id.clone());
        owners.entry(owner).or_default().0.push(posted);
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
