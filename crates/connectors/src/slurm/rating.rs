//! What a run is charged by: how much of what, each second.

use foldhash::fast::RandomState;
use hashbrown::HashMap;
use money::Amount;

use super::settings::{Node, PartitionRules, Rating, Settings};
use super::tres::Shape;

/// Something that is counted over time.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Product {
    /// `cpu`, `gpu:a100`: what a price list would name.
    pub resource: String,
    pub unit: String,
    /// How much one tick is. Ticks are whole, so that sums are exact in any order.
    pub tick: Amount,
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
    by_shape: HashMap<(u32, u32), Box<[Counted]>, RandomState>,
}

const WHOLE: Amount = Amount::from_units(10_i128.pow(Amount::SCALE));
/// Exact: it has ten decimals.
const MIB_IN_GIB: Amount = Amount::from_units(10_i128.pow(Amount::SCALE) / 1024);

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
    ) -> &[Counted] {
        let key = (partition_number, shape_number);
        if !self.by_shape.contains_key(&key) {
            let charged = charged(settings.rules_of(partition), settings, partition, shape);
            let counted = charged.into_iter().map(|(product, each)| (self.number(product), each)).collect();
            self.by_shape.insert(key, counted);
        }
        self.by_shape.get(&key).map_or(&[], |counted| counted)
    }

    fn number(&mut self, product: Product) -> u32 {
        let next = u32::try_from(self.all.len()).unwrap_or(u32::MAX);
        *self.numbers.entry(product).or_insert_with_key(|product| {
            self.all.push(product.clone());
            next
        })
    }
}

fn product(resource: &str, unit: &str, tick: Amount) -> Product {
    Product { resource: resource.to_owned(), unit: unit.to_owned(), tick, held: None }
}

/// A unit that no rate has: somebody must decide.
fn held(shape: &Shape, why: String) -> Vec<(Product, u128)> {
    let unrated = Product { held: Some(why), ..product("unrated", "unrated-core-seconds", WHOLE) };
    vec![(unrated, shape.cpus.into())]
}

fn charged(
    rules: &PartitionRules,
    settings: &Settings,
    partition: &str,
    shape: &Shape,
) -> Vec<(Product, u128)> {
    match rules.rating {
        Rating::CoreHours => vec![(product("cpu", "core-seconds", WHOLE), shape.cpus.into())],
        Rating::NodeHours => vec![(product("node", "node-seconds", WHOLE), shape.nodes.into())],
        Rating::ServiceUnits(Some(multiplier)) => {
            vec![(product("su", "SU-seconds", multiplier), shape.cpus.into())]
        }
        Rating::ServiceUnits(None) => held(shape, format!("partition `{partition}` has no multiplier")),
        Rating::Billing => match shape.billing {
            Some(billing) => vec![(product("billing", "billing-seconds", WHOLE), billing.into())],
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
    let mut add = |resource: &str, unit: &str, tick: Amount, count: u64| {
        if 0 < count {
            charged.push((product(resource, unit, tick), u128::from(count)));
        }
    };
    let is_listed = |name: &str| settings.tres.iter().any(|listed| listed == name);
    if is_listed("cpu") {
        add("cpu", "core-seconds", WHOLE, shape.cpus);
    }
    if is_listed("mem") {
        add("mem", "GiB-seconds", MIB_IN_GIB, shape.mem_mib);
    }
    if is_listed("node") {
        add("node", "node-seconds", WHOLE, shape.nodes);
    }
    if is_listed("gpu") {
        for (kind, count) in shape.gpus() {
            let sku = if kind.is_empty() { "gpu".to_owned() } else { format!("gpu:{kind}") };
            add(&sku, "GPU-seconds", WHOLE, count);
        }
    }
    for (name, count) in &shape.others {
        let Some((kind, own)) = name.split_once('/') else { continue };
        let is_gpu = kind == "gres" && (own == "gpu" || own.starts_with("gpu:"));
        if is_gpu || !(is_listed(kind) || is_listed(name)) {
            continue;
        }
        match kind {
            "license" => add(&format!("license:{own}"), "license-seconds", WHOLE, *count),
            "bb" => add(&format!("bb:{own}"), "GiB-seconds", MIB_IN_GIB, *count),
            // A type after the name is the same thing twice, as with GPUs.
            _ if own.contains(':') => {}
            _ => add(own, &format!("{own}-seconds"), WHOLE, *count),
        }
    }
    charged
}

/// The largest part of a node that a run keeps from others, whatever it is a part of.
fn dominant(node: Node, partition: &str, shape: &Shape) -> Vec<(Product, u128)> {
    let gpus = shape.gpu_count();
    if 0 < gpus && node.gpus == 0 {
        return held(shape, format!("runs on `{partition}` have GPUs, and its node has none"));
    }
    let part = |used: u64, has: u64| WHOLE.scaled(used.into(), has.into());
    let shares = [part(shape.cpus, node.cpus), part(shape.mem_mib, node.mem_mib), part(gpus, node.gpus)];
    let largest = shares.into_iter().flatten().max().unwrap_or_default();
    let ticks = u128::try_from(largest.units()).unwrap_or_default();
    vec![(product("node", "node-seconds", Amount::from_units(1)), ticks)]
}
