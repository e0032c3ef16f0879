//! The two tables of a statement for reading: by service, and by resource.

use std::cmp::Reverse;
use std::collections::HashMap;

use money::{Amount, Bound, Minor, post_to};
use serde::{Deserialize, Serialize};

use super::posting::{named_first, post_list, stated_list};
use super::{LineKind, PostedLine, RESOURCE_LINES, ResourceLine, RestLine};

/// A line of the table "charges by service": posted lines of one service and kind, over all sources,
/// `fund_org`s and accounts. `list − discount − subsidy = due`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceLine {
    pub service_name: Option<String>,
    pub kind: LineKind,
    pub charges: u64,
    pub list: Minor,
    pub discount: Minor,
    pub subsidy: Minor,
    pub due: Minor,
}

/// The exact sums of one resource of a statement, before rounding.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResourceGroup {
    pub service_name: Option<String>,
    pub resource_id: Option<String>,
    pub resource_name: Option<String>,
    pub kind: LineKind,
    pub charges: u64,
    /// Sum of the consumed (else pricing) quantity, where every charge has it in one unit.
    pub quantity: Option<Amount>,
    pub unit: Option<String>,
    /// Exact list cost; where it is not known, the cost on the billing basis.
    pub list_cost: Amount,
    /// Exact cost on the source's billing basis.
    pub cost: Amount,
}

type ServiceKey<'a> = (Option<&'a str>, LineKind);

/// Sum the posted lines by service and kind, in the order of the lines.
#[must_use]
pub fn by_service(lines: &[PostedLine]) -> Vec<ServiceLine> {
    let mut services: Vec<ServiceLine> = Vec::new();
    let mut places: HashMap<ServiceKey<'_>, usize> = HashMap::new();
    for line in lines {
        let key = (line.group.service_name.as_deref(), line.group.kind);
        let at = *places.entry(key).or_insert_with(|| {
            services.push(ServiceLine {
                service_name: line.group.service_name.clone(),
                kind: line.group.kind,
                charges: 0,
                list: Minor::ZERO,
                discount: Minor::ZERO,
                subsidy: Minor::ZERO,
                due: Minor::ZERO,
            });
            services.len() - 1
        });
        let service = &mut services[at];
        service.charges += line.group.charges;
        service.list += line.list;
        service.discount += line.discount;
        service.subsidy += line.subsidy;
        service.due += line.due;
    }
    services
}

/// Round the resources of one statement so that those of each service add up to what its lines say
/// (`services`, from [`by_service`]), and list the largest [`RESOURCE_LINES`] by list price or amount
/// due: in the order of the services, the largest first. What is not listed is summed in the rest line.
#[must_use]
pub fn post_resources(groups: Vec<ResourceGroup>, services: &[ServiceLine], places: u8) -> PostedResources {
    let posted = post_within_services(&groups, services, places);
    let rank = |at: usize| Reverse(groups[at].list_cost.abs().max(groups[at].cost.abs()));
    let name = |at: usize| {
        let group: &ResourceGroup = &groups[at];
        (named_first(group.resource_id.clone()), named_first(group.resource_name.clone()), group.unit.clone())
    };
    let mut order: Vec<usize> = (0..groups.len()).collect();
    order.sort_by_cached_key(|&at| (rank(at), posted[at].service, name(at)));
    let listed_count = order.len().min(RESOURCE_LINES);
    let (listed, rest) = order.split_at_mut(listed_count);
    let rest_line = (!rest.is_empty()).then(|| rest_line(rest, &groups, &posted));
    listed.sort_by_key(|&at| posted[at].service);
    rest.sort_by_key(|&at| posted[at].service);
    let mut groups: Vec<Option<ResourceGroup>> = groups.into_iter().map(Some).collect();
    let mut line = |at: &usize| Some(posted[*at].line(groups[*at].take()?));
    let listed = listed.iter().filter_map(&mut line).collect();
    PostedResources { listed, not_listed: rest.iter().filter_map(line).collect(), rest: rest_line }
}

/// The resources of a statement after rounding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PostedResources {
    /// What the statement lists.
    pub listed: Vec<ResourceLine>,
    /// What it does not, in the same order; a CSV beside the statement has both.
    pub not_listed: Vec<ResourceLine>,
    /// What `not_listed` comes to.
    pub rest: Option<RestLine>,
}

/// A resource's figures after rounding, and where its service stands among the services.
#[derive(Clone, Copy)]
struct Posted {
    service: usize,
    list: Minor,
    due: Minor,
}

impl Posted {
    fn line(self, group: ResourceGroup) -> ResourceLine {
        ResourceLine {
            service_name: group.service_name,
            resource_id: group.resource_id,
            resource_name: group.resource_name,
            kind: group.kind,
            charges: group.charges,
            quantity: group.quantity,
            unit: group.unit,
            list: self.list,
            discount: self.list - self.due,
            due: self.due,
        }
    }
}

fn post_within_services(groups: &[ResourceGroup], services: &[ServiceLine], places: u8) -> Vec<Posted> {
    let numbers: HashMap<ServiceKey<'_>, usize> = services
        .iter()
        .enumerate()
        .map(|(number, service)| ((service.service_name.as_deref(), service.kind), number))
        .collect();
    let mut members: Vec<Vec<usize>> = vec![Vec::new(); services.len()];
    let mut posted =
        vec![Posted { service: services.len(), list: Minor::ZERO, due: Minor::ZERO }; groups.len()];
    let mut strangers = Vec::new();
    for (at, group) in groups.iter().enumerate() {
        match numbers.get(&(group.service_name.as_deref(), group.kind)) {
            Some(&number) => {
                posted[at].service = number;
                members[number].push(at);
            }
            None => strangers.push(at),
        }
    }
    for (service, members) in services.iter().zip(&members) {
        // Who pays is not said of a resource: its lines come to what is due and what others pay together.
        let owed = service.due + service.subsidy;
        post_members(groups, members, service.list, owed, places, &mut posted);
    }
    // Resources of no service cannot come from the charges of the lines; they are shown for what they are.
    let sum = |amount: fn(&ResourceGroup) -> Amount| {
        strangers.iter().map(|&at| amount(&groups[at])).sum::<Amount>().round(places)
    };
    let (list, due) =
        (sum(|group| stated_list(group.kind, group.list_cost, group.cost)), sum(|group| group.cost));
    post_members(groups, &strangers, list, due, places, &mut posted);
    posted
}

fn post_members(
    groups: &[ResourceGroup],
    members: &[usize],
    list: Minor,
    due: Minor,
    places: u8,
    posted: &mut [Posted],
) {
    let costs: Vec<Amount> = members.iter().map(|&at| groups[at].cost).collect();
    let lists: Vec<Amount> = members
        .iter()
        .map(|&at| stated_list(groups[at].kind, groups[at].list_cost, groups[at].cost))
        .collect();
    let dues = post_to(&costs, due, places, |_| Bound::Free);
    let list_posted = post_list(&lists, &costs, &dues, list, places);
    for (&at, (list, due)) in members.iter().zip(list_posted.into_iter().zip(dues)) {
        posted[at].list = list;
        posted[at].due = due;
    }
}

fn rest_line(rest: &[usize], groups: &[ResourceGroup], posted: &[Posted]) -> RestLine {
    let list: Minor = rest.iter().map(|&at| posted[at].list).sum();
    let due: Minor = rest.iter().map(|&at| posted[at].due).sum();
    RestLine {
        resources: u64::try_from(rest.len()).unwrap_or(u64::MAX),
        charges: rest.iter().map(|&at| groups[at].charges).sum(),
        list,
        discount: list - due,
        due,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::statement::testing::{any_costs, any_kind, group};
    use crate::statement::{PostingGroup, post_statement};

    fn resource(service: &str, id: &str, kind: LineKind, list: Amount, cost: Amount) -> ResourceGroup {
        ResourceGroup {
            service_name: Some(service.to_owned()),
            resource_id: Some(id.to_owned()),
            resource_name: None,
            kind,
            charges: 1,
            quantity: None,
            unit: None,
            list_cost: list,
            cost,
        }
    }

    fn amount(text: &str) -> Amount {
        text.parse().unwrap()
    }

    #[test]
    fn services_are_summed_over_sources_and_funds() {
        let mut other = group("EC2", LineKind::Usage, "2", "1");
        other.fund_org = Some("CHEM-1".to_owned());
        let (lines, totals) = post_statement(
            vec![
                group("EC2", LineKind::Usage, "3", "3"),
                other,
                group("EC2", LineKind::Credit, "-1", "-1"),
                group("S3", LineKind::Usage, "5", "4"),
            ],
            2,
        );
        let services = by_service(&lines);
        let shown: Vec<(Option<&str>, LineKind, u64, i64, i64)> = services
            .iter()
            .map(|line| {
                (line.service_name.as_deref(), line.kind, line.charges, line.list.get(), line.due.get())
            })
            .collect();
        assert_eq!(
            shown,
            [
                (Some("EC2"), LineKind::Usage, 2, 500, 400),
                (Some("EC2"), LineKind::Credit, 1, -100, -100),
                (Some("S3"), LineKind::Usage, 1, 500, 400),
            ]
        );
        assert_eq!(services.iter().map(|line| line.due).sum::<Minor>(), totals.due);
    }

    #[test]
    fn the_largest_are_listed_within_their_service_and_the_rest_is_one_line() {
        let mut resources: Vec<ResourceGroup> = (0..300)
            .map(|n| resource("S3", &format!("s{n:03}"), LineKind::Usage, amount("0.004"), amount("0.004")))
            .collect();
        resources.push(resource("S3", "free", LineKind::Usage, amount("90"), Amount::ZERO));
        resources.push(resource("EC2", "small", LineKind::Usage, amount("1"), amount("1")));
        resources.push(resource("EC2", "credit", LineKind::Credit, amount("-7"), amount("-7")));
        resources.push(resource("EC2", "large", LineKind::Usage, amount("8"), amount("8")));
        let (lines, totals) = post_statement(
            vec![
                group("EC2", LineKind::Usage, "9", "9"),
                group("EC2", LineKind::Credit, "-7", "-7"),
                group("S3", LineKind::Usage, "91.2", "1.2"),
            ],
            2,
        );
        let PostedResources { listed, rest, .. } = post_resources(resources, &by_service(&lines), 2);
        let ids: Vec<&str> = listed.iter().take(5).filter_map(|line| line.resource_id.as_deref()).collect();
        assert_eq!(ids, ["large", "small", "credit", "free", "s000"]);
        assert_eq!(listed.len(), RESOURCE_LINES);
        let rest = rest.unwrap();
        assert_eq!((rest.resources, rest.charges), (104, 104));
        let due = listed.iter().map(|line| line.due).sum::<Minor>() + rest.due;
        let list = listed.iter().map(|line| line.list).sum::<Minor>() + rest.list;
        assert_eq!((list, due), (totals.list, totals.due));
    }

    #[test]
    fn two_hundred_resources_need_no_rest() {
        let (lines, _) = post_statement(vec![group("S3", LineKind::Usage, "200", "200")], 2);
        let resources = (0..200)
            .map(|n| resource("S3", &n.to_string(), LineKind::Usage, amount("1"), amount("1")))
            .collect();
        let PostedResources { listed, rest, .. } = post_resources(resources, &by_service(&lines), 2);
        assert_eq!((listed.len(), rest), (200, None));
    }

    #[test]
    fn a_resource_of_no_service_is_shown_for_what_it_is() {
        let stray = resource("X", "x", LineKind::Usage, amount("2"), amount("1"));
        let PostedResources { listed, rest, .. } = post_resources(vec![stray], &[], 2);
        assert_eq!((listed[0].list.get(), listed[0].discount.get(), listed[0].due.get()), (200, 100, 100));
        assert_eq!(rest, None);
    }

    fn any_resources() -> impl Strategy<Value = Vec<(ResourceGroup, &'static str)>> {
        let names = || prop::sample::select(&["EC2", "S3"][..]);
        let funds = prop::sample::select(&["PHYS-1", "CHEM-2"][..]);
        let one = (names(), any_kind(), any_costs(), funds);
        prop::collection::vec(one, 0..300).prop_map(|all| {
            all.into_iter()
                .enumerate()
                .map(|(n, (service, kind, (list, cost), fund))| {
                    (resource(service, &format!("r{n}"), kind, list, cost), fund)
                })
                .collect()
        })
    }

    /// The posting groups that the same charges make.
    fn groups_of(resources: &[(ResourceGroup, &str)]) -> Vec<PostingGroup> {
        let mut groups: Vec<PostingGroup> = Vec::new();
        for (resource, fund) in resources {
            let mut new = group("", resource.kind, "0", "0");
            new.service_name = resource.service_name.clone();
            new.fund_org = Some((*fund).to_owned());
            let same = |group: &PostingGroup| {
                (&group.service_name, &group.fund_org, group.kind)
                    == (&new.service_name, &new.fund_org, new.kind)
            };
            let at = groups.iter().position(same).unwrap_or_else(|| {
                groups.push(new);
                groups.len() - 1
            });
            groups[at].list_cost += resource.list_cost;
            groups[at].cost += resource.cost;
        }
        groups
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn resources_add_up_to_their_service_and_across(resources in any_resources()) {
            let (lines, totals) = post_statement(groups_of(&resources), 2);
            let services = by_service(&lines);
            let groups: Vec<ResourceGroup> = resources.into_iter().map(|(resource, _)| resource).collect();
            let PostedResources { listed, rest, .. } = post_resources(groups.clone(), &services, 2);
            let rest_sums = rest.as_ref().map_or((Minor::ZERO, Minor::ZERO), |rest| (rest.list, rest.due));
            prop_assert_eq!(listed.iter().map(|line| line.list).sum::<Minor>() + rest_sums.0, totals.list);
            prop_assert_eq!(listed.iter().map(|line| line.due).sum::<Minor>() + rest_sums.1, totals.due);
            if rest.is_none() {
                for service in &services {
                    let own = || {
                        listed.iter().filter(|line| (&line.service_name, line.kind) == (&service.service_name, service.kind))
                    };
                    prop_assert_eq!(own().map(|line| line.list).sum::<Minor>(), service.list);
                    prop_assert_eq!(own().map(|line| line.due).sum::<Minor>(), service.due);
                }
            }
            for line in &listed {
                prop_assert_eq!(line.list - line.discount, line.due);
                let exact = groups.iter().find(|group| group.resource_id == line.resource_id).unwrap();
                let discount = stated_list(exact.kind, exact.list_cost, exact.cost) - exact.cost;
                prop_assert!(discount.is_negative() || !line.discount.is_negative(), "{:?}", line);
                prop_assert!(!discount.is_zero() || line.discount.is_zero(), "{:?}", line);
            }
        }
    }
}
