//! What is charged before cents: the charges of a period summed by PI and project, priced for the month, and over
//! the funds that share them; by who used it where a subsidy counts users.

use std::collections::BTreeMap;

use billing::rate::{RatedGroup, RatedUse};
use billing::split::{SplitId, Splits, merged};
use billing::statement::PostingGroup;
use billing::subsidy::Users;
use billing::{Fingerprint, Period};
use lake::{Apart, Posted, View};

use crate::WorkflowError;
use crate::charges::{Found, locate};
use crate::funding::Funding;
use crate::generate::Owner;

/// What is summed apart for the sake of splits and subsidies; of each single charge, the rule that it has.
#[derive(Default)]
pub(crate) struct SummedApart {
    apart: Apart,
    rules: Vec<SplitId>,
}

/// The charges of a PI's project, summed, before prices that depend on the month, and before splits.
#[derive(Default)]
pub(crate) struct Usage(Vec<Posted>);

/// What of a group decides how it is split, and by whom it is paid.
#[derive(PartialEq)]
struct Place {
    after: usize,
    charge: Option<usize>,
    fallback_from: Option<String>,
    user: Option<String>,
}

/// The groups of a PI's project as they are posted.
pub(crate) struct Funded {
    pub groups: Vec<PostingGroup>,
    pub users: Users,
    /// How rates were used.
    pub rates: Vec<RatedUse>,
}

impl Usage {
    pub fn funded(
        self,
        (pi_email, project_id): &Owner,
        period: Period,
        SummedApart { apart, rules }: &SummedApart,
        funding: &mut Funding,
    ) -> Funded {
        let who = funding.people.key(pi_email);
        let (places, mut groups, parts) = self.over_rates();
        let rates = funding.rates.price(&mut groups, &parts);
        let (mut users, mut all) = (Users::default(), Vec::new());
        for (Place { after, charge, fallback_from, user }, group) in places.into_iter().zip(groups) {
            let day = after.checked_sub(1).map_or(period.first_day(), |at| apart.days[at]);
            let own = charge.map(|at| rules[at]);
            let user = user.map(|user| funding.people.user(&user));
            let split = funding.splits.over(&who, project_id, day, own, fallback_from.as_deref(), group);
            if apart.users {
                for group in &split {
                    users.add(user.clone(), group);
                }
            }
            all.extend(split);
        }
        Funded { groups: merged(all), users, rates }
    }

    /// Groups that differ in their rate alone are one; what each rate priced of it stands beside. They come
    /// one after the other.
    fn over_rates(self) -> (Vec<Place>, Vec<PostingGroup>, Vec<RatedGroup>) {
        let (mut places, mut groups, mut parts) = (Vec::new(), Vec::<PostingGroup>::new(), Vec::new());
        for Posted { after, charge, user, fallback_from, rated, group, .. } in self.0 {
            let (place, cost) = (Place { after, charge, fallback_from, user }, group.cost);
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
    funding: &Funding,
) -> Result<(SummedApart, BTreeMap<Owner, Usage>), WorkflowError> {
    let mut summed = summed_apart(view, period, &funding.splits).await?;
    summed.apart.users = funding.subsidies.count_users();
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
