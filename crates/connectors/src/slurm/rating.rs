//! What a run is charged by: how much of what, each second.

use std::collections::BTreeSet;
use std::rc::Rc;

use foldhash::fast::RandomState;
use hashbrown::HashMap;
use money::Amount;

use super::settings::{Node, PartitionRules, Rating, Settings};
use super::tres::Shape;

/// Something that is counted over time.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Product {
    /// `cpu`, `gpu:a100`: what a price list would name.
    pub resource: String,
    pub unit: String,
    /// Ticks are whole, so that sums are exact in any order: this much is so many of them.
    pub amount: Amount,
    pub ticks: u128,
    /// Why no rate fits it.
    pub held: Option<String>,
}

/// A product, and its ticks each second.
pub(super) type Counted = (u32, u128);

/// The products of a delivery; what runs alike were charged by is found once.
#[derive(Default)]
pub(super) struct Products {
    all: Vec<Product>,
    numbers: HashMap<Product, u32, RandomState>,
    by_shape: HashMap<(u32, u32), Rc<[Counted]>, RandomState>,
    /// TRES that runs had and that the rating `tres` leaves out.
    pub uncharged: BTreeSet<String>,
}

const WHOLE: Amount = Amount::from_units(10_i128.pow(Amount::SCALE));
const ONE: (Amount, u128) = (WHOLE, 1);
/// A tick is a MiB.
const GIB: (Amount, u128) = (WHOLE, 1024);

impl Products {
    pub(super) fn get(&self, number: u32) -> &Product {
        &self.all[number as usize]
    }

    /// `partition` and `shape` by number and by value.
    pub(super) fn of(
        &mut self,
        settings: &Settings,
        (partition_number, partition): (u32, &str),
        (shape_number, shape): (u32, &Shape),
    ) -> Rc<[Counted]> {
        let key = (partition_number, shape_number);
        if let Some(known) = self.by_shape.get(&key) {
            return Rc::clone(known);
        }
        let rules = settings.rules_of(partition);
        let mut charged = charged(rules, settings, partition, shape);
        charged.sort_unstable();
        if rules.rating == Rating::Tres {
            self.uncharged.extend(uncharged(settings, shape));
        }
        let counted: Rc<[Counted]> =
            charged.into_iter().map(|(product, each)| (self.number(product), each)).collect();
        self.by_shape.insert(key, Rc::clone(&counted));
        counted
    }

    fn number(&mut self, product: Product) -> u32 {
        let next = u32::try_from(self.all.len()).unwrap_or(u32::MAX);
        *self.numbers.entry(product).or_insert_with_key(|product| {
            self.all.push(product.clone());
            next
        })
    }
}

fn product(resource: &str, unit: &str, (amount, ticks): (Amount, u128)) -> Product {
    Product { resource: resource.to_owned(), unit: unit.to_owned(), amount, ticks, held: None }
}

/// A unit that no rate has: somebody must decide.
fn held(shape: &Shape, why: String) -> Vec<(Product, u128)> {
    let unrated = Product { held: Some(why), ..product("unrated", "unrated-core-seconds", ONE) };
    vec![(unrated, shape.cpus.into())]
}

fn charged(
    rules: &PartitionRules,
    settings: &Settings,
    partition: &str,
    shape: &Shape,
) -> Vec<(Product, u128)> {
    match rules.rating {
        Rating::CoreHours | Rating::ServiceUnits(Some(_)) if shape.cpus == 0 => {
            held(shape, format!("runs on `{partition}` do not say how many cores they had"))
        }
        Rating::NodeHours if shape.nodes == 0 => {
            held(shape, format!("runs on `{partition}` do not say how many nodes they had"))
        }
        Rating::CoreHours => vec![(product("cpu", "core-seconds", ONE), shape.cpus.into())],
        Rating::NodeHours => vec![(product("node", "node-seconds", ONE), shape.nodes.into())],
        Rating::ServiceUnits(Some(multiplier)) => {
            vec![(product("su", "SU-seconds", (multiplier, 1)), shape.cpus.into())]
        }
        Rating::ServiceUnits(None) => held(shape, format!("partition `{partition}` has no multiplier")),
        Rating::Billing => match shape.billing {
            Some(billing) => vec![(product("billing", "billing-seconds", ONE), billing.into())],
            None => held(shape, format!("runs on `{partition}` have no billing TRES")),
        },
        Rating::Tres if shape.is_whole => by_tres(settings, shape),
        Rating::Dominant(Some(node)) if shape.is_whole => dominant(node, partition, shape),
        Rating::Tres | Rating::Dominant(Some(_)) => {
            held(shape, format!("runs on `{partition}` have no AllocTRES"))
        }
        Rating::Dominant(None) => {
            held(shape, format!("partition `{partition}` does not say what a node has"))
        }
    }
}

fn by_tres(settings: &Settings, shape: &Shape) -> Vec<(Product, u128)> {
    let mut charged = Vec::new();
    let mut add = |resource: &str, unit: &str, of: (Amount, u128), count: u64| {
        if 0 < count {
            charged.push((product(resource, unit, of), u128::from(count)));
        }
    };
    let is_listed = |name: &str| settings.tres.iter().any(|listed| listed == name);
    if is_listed("cpu") {
        add("cpu", "core-seconds", ONE, shape.cpus);
    }
    if is_listed("mem") {
        add("mem", "GiB-seconds", GIB, shape.mem_mib);
    }
    if is_listed("node") {
        add("node", "node-seconds", ONE, shape.nodes);
    }
    if is_listed("gpu") {
        for (kind, count) in shape.gpus() {
            let sku = if kind.is_empty() { "gpu".to_owned() } else { format!("gpu:{kind}") };
            add(&sku, "GPU-seconds", ONE, count);
        }
    }
    for (name, count) in shape.others.iter().filter(|(name, _)| is_charged(settings, name)) {
        match name.split_once('/') {
            Some(("license", own)) => add(&format!("license:{own}"), "license-seconds", ONE, *count),
            Some(("bb", own)) => add(&format!("bb:{own}"), "GiB-seconds", GIB, *count),
            Some((_, own)) => add(own, &format!("{own}-seconds"), ONE, *count),
            None => {}
        }
    }
    charged
}

/// Whether a TRES that is neither cores, memory, nodes nor GPUs is charged.
fn is_charged(settings: &Settings, name: &str) -> bool {
    let kind = name.split_once('/').map_or(name, |(kind, _)| kind);
    !is_gpu(name) && !is_typed(name) && settings.tres.iter().any(|listed| listed == kind || listed == name)
}

fn is_gpu(name: &str) -> bool {
    name == "gres/gpu" || name.starts_with("gres/gpu:")
}

/// `gres/shard:a100` is the same thing as `gres/shard`, said again.
fn is_typed(name: &str) -> bool {
    name.contains(':')
}

fn uncharged(settings: &Settings, shape: &Shape) -> impl Iterator<Item = String> {
    let is_listed = |name: &str| settings.tres.iter().any(|listed| listed == name);
    let others = shape.others.iter().map(|(name, _)| name.clone());
    others.filter(move |name| {
        if is_gpu(name) { !is_listed("gpu") } else { !is_typed(name) && !is_charged(settings, name) }
    })
}

/// The largest part of a node that a run keeps from others, whatever it is a part of.
fn dominant(node: Node, partition: &str, shape: &Shape) -> Vec<(Product, u128)> {
    let gpus = shape.gpu_count();
    if 0 < gpus && node.gpus == 0 {
        return held(shape, format!("runs on `{partition}` have GPUs, and its node has none"));
    }
    let has = [node.cpus, node.mem_mib, node.gpus].map(|has| u128::from(has.max(1)));
    let ticks = has.into_iter().fold(1, least_common_multiple);
    let used = [shape.cpus, shape.mem_mib, gpus].map(u128::from);
    let is_compared = [true, node.mem_mib != 0, node.gpus != 0];
    let parts = (0..3).filter(|at| is_compared[*at]).map(|at| used[at] * (ticks / has[at]));
    vec![(product("node", "node-seconds", (WHOLE, ticks)), parts.max().unwrap_or_default())]
}

fn least_common_multiple(one: u128, other: u128) -> u128 {
    let (mut divisor, mut rest) = (one, other);
    while rest != 0 {
        (divisor, rest) = (rest, divisor % rest);
    }
    one / divisor * other
}
