//! The options below `slurm:` of a source.

use std::collections::BTreeMap;

use money::Amount;
use serde_json::{Map, Value};

use super::clock::Clock;
use super::state::States;
use super::template::{Part, Template};
use super::tres;
use crate::BadOption;
use crate::options::{Options, listed};

pub(super) struct Settings {
    /// Of records that do not name theirs.
    pub cluster: Option<String>,
    /// The cluster where nothing is said.
    pub provider: Option<String>,
    pub service_name: String,
    pub service_category: String,
    pub clock: Clock,
    pub charges: Charges,
    pub charge_period: ChargePeriod,
    pub split: Split,
    pub minimum_seconds: u64,
    /// In lower case.
    pub free_accounts: Vec<String>,
    pub states: States,
    /// Which TRES the rating `tres` charges.
    pub tres: Vec<String>,
    pub tags: Vec<(String, Template)>,
    /// Of partitions that are not named.
    pub rules: PartitionRules,
    pub partitions: BTreeMap<String, PartitionRules>,
    /// What rows are by, so that what nobody asks for makes no rows.
    pub parts: Vec<Part>,
}

/// What has a row of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Charges {
    Account,
    User,
    Job,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ChargePeriod {
    Month,
    Day,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Split {
    AtBoundary,
    AtEnd,
}

#[derive(Clone, Debug)]
pub(super) struct PartitionRules {
    pub rating: Rating,
    pub sku: Template,
    /// Why nothing is billed for it.
    pub free: Option<String>,
    /// Accounts for which nothing is, in lower case: who owns its nodes.
    pub free_for: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rating {
    CoreHours,
    /// With its multiplier, if anybody said it.
    ServiceUnits(Option<Amount>),
    Tres,
    Billing,
    NodeHours,
    /// Of a node of this shape.
    Dominant(Option<Node>),
}

/// What a node has; what is 0 is not compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Node {
    pub cpus: u64,
    pub mem_mib: u64,
    pub gpus: u64,
}

const RATINGS: [&str; 6] = ["core-hours", "su", "tres", "billing", "node-hours", "dominant"];

/// What was written of a partition, or of all of them.
struct Written {
    rating: Option<&'static str>,
    multiplier: Option<Amount>,
    node: Option<Node>,
    sku: Option<Template>,
    free: Option<String>,
    free_for: Vec<String>,
}

impl Settings {
    pub(super) fn read(map: &Map<String, Value>) -> Result<Settings, Vec<BadOption>> {
        let mut bad = Vec::new();
        let mut options = Options::new(map, &mut bad);
        let settings = Settings::from(&mut options);
        options.finish();
        if bad.is_empty() { Ok(settings) } else { Err(bad) }
    }

    fn from(options: &mut Options<'_>) -> Settings {
        let mut states = States::default();
        let mut settings = Settings {
            cluster: options.text("cluster"),
            provider: options.text("provider"),
            service_name: options.text("service").unwrap_or_else(|| "HPC".to_owned()),
            service_category: options.text("service_category").unwrap_or_else(|| "Compute".to_owned()),
            clock: options.parsed("time_zone", Clock::named).unwrap_or_else(Clock::utc),
            charges: one_of(
                options,
                "charges",
                &[("account", Charges::Account), ("user", Charges::User), ("job", Charges::Job)],
            ),
            charge_period: one_of(
                options,
                "charge_period",
                &[("month", ChargePeriod::Month), ("day", ChargePeriod::Day)],
            ),
            split: one_of(options, "split", &[("at_boundary", Split::AtBoundary), ("at_end", Split::AtEnd)]),
            minimum_seconds: options.whole("minimum_seconds", 86_400).unwrap_or_default(),
            free_accounts: lower(options.list("free_accounts")),
            tres: tres_list(options),
            tags: tags(options),
            rules: PartitionRules::plain(),
            partitions: BTreeMap::new(),
            states: States::default(),
            parts: Vec::new(),
        };
        for (name, policy) in options.entries("states") {
            let text = crate::options::plain(policy).unwrap_or_default();
            if let Err(message) = states.set(name, &text) {
                options.refuse(&format!("states.{name}"), policy, message);
            }
        }
        settings.states = states;
        let all = Written {
            rating: rating(options),
            multiplier: options.amount("multiplier"),
            node: node(options),
            sku: options.parsed("sku", Template::parse),
            free: None,
            free_for: Vec::new(),
        };
        check(options, &all, all.rating);
        settings.rules = all.rules(&all);
        for (name, value) in options.entries("partitions") {
            let read = options.below(&format!("partitions.{name}"), value, |options| {
                let own = Written::of_partition(options);
                check(options, &own, own.rating.or(all.rating));
                let needs_node = own.rating.or(all.rating) == Some("dominant");
                if needs_node && own.node.is_none() && all.node.is_none() && !options.has("node") {
                    options.missing("node", "is missing; `rating: dominant` needs what a node has");
                }
                own.rules(&all)
            });
            if let Some(rules) = read {
                settings.partitions.insert(name.to_owned(), rules);
            }
        }
        settings.parts = settings.parts_needed();
        settings
    }

    fn parts_needed(&self) -> Vec<Part> {
        let rules = std::iter::once(&self.rules).chain(self.partitions.values());
        let templates = rules.map(|rules| &rules.sku).chain(self.tags.iter().map(|(_, tag)| tag));
        let mut parts: Vec<Part> = templates.flat_map(Template::parts).collect();
        parts.extend([Part::Cluster, Part::Account, Part::Partition]);
        if self.charges != Charges::Account {
            parts.push(Part::User);
        }
        parts.sort_unstable();
        parts.dedup();
        parts
    }

    pub(super) fn rules_of(&self, partition: &str) -> &PartitionRules {
        self.partitions.get(partition).unwrap_or(&self.rules)
    }

    /// Whether any run is rated by its nodes.
    pub(super) fn needs_nodes(&self) -> bool {
        std::iter::once(&self.rules)
            .chain(self.partitions.values())
            .any(|rules| rules.rating == Rating::NodeHours)
    }

    /// Whether any run is rated by what its `AllocTRES` says.
    pub(super) fn needs_tres(&self) -> bool {
        std::iter::once(&self.rules)
            .chain(self.partitions.values())
            .any(|rules| matches!(rules.rating, Rating::Tres | Rating::Billing | Rating::Dominant(_)))
    }
}

impl PartitionRules {
    fn plain() -> PartitionRules {
        PartitionRules {
            rating: Rating::CoreHours,
            sku: Template::part(Part::Partition),
            free: None,
            free_for: Vec::new(),
        }
    }
}

impl Written {
    fn of_partition(options: &mut Options<'_>) -> Written {
        Written {
            rating: rating(options),
            multiplier: options.amount("multiplier"),
            node: node(options),
            sku: options.parsed("sku", Template::parse),
            free: free(options),
            free_for: lower(options.list("free_for")),
        }
    }

    fn rules(&self, all: &Written) -> PartitionRules {
        let rating = match self.rating.or(all.rating).unwrap_or(RATINGS[0]) {
            // What holds for all partitions is a multiplier only where it is said for all of them.
            "su" => Rating::ServiceUnits(self.multiplier.or(all.multiplier)),
            "tres" => Rating::Tres,
            "billing" => Rating::Billing,
            "node-hours" => Rating::NodeHours,
            "dominant" => Rating::Dominant(self.node.or(all.node)),
            _ => Rating::CoreHours,
        };
        let usual =
            if rating == Rating::Tres { Template::resource() } else { Template::part(Part::Partition) };
        PartitionRules {
            rating,
            sku: self.sku.clone().or_else(|| all.sku.clone()).unwrap_or(usual),
            free: self.free.clone(),
            free_for: self.free_for.clone(),
        }
    }
}

/// What is said for a rating that is not chosen would have no effect.
fn check(options: &mut Options<'_>, written: &Written, rating: Option<&str>) {
    if written.multiplier.is_some() && rating != Some("su") {
        options.missing("multiplier", "has no effect without `rating: su`");
    }
    if written.node.is_some() && rating != Some("dominant") {
        options.missing("node", "has no effect without `rating: dominant`");
    }
}

fn rating(options: &mut Options<'_>) -> Option<&'static str> {
    options.parsed("rating", |text| {
        let known = RATINGS.into_iter().find(|rating| *rating == text);
        known.ok_or_else(|| format!("is no rating; there are {}", listed(&RATINGS)))
    })
}

fn node(options: &mut Options<'_>) -> Option<Node> {
    let value = options.value("node")?;
    options.below("node", value, |options| {
        let cpus = options.whole("cpus", tres::COUNT_MAX);
        let mem_mib = options
            .parsed("mem", |text| tres::size(text).ok_or_else(|| "is no size such as `512 GiB`".to_owned()));
        let gpus = options.whole("gpus", tres::COUNT_MAX);
        if cpus.is_none_or(|cpus| cpus == 0) {
            options.missing("cpus", "must say how many a node has");
        }
        Node {
            cpus: cpus.unwrap_or_default(),
            mem_mib: mem_mib.unwrap_or_default(),
            gpus: gpus.unwrap_or_default(),
        }
    })
}

/// `true`, or why.
fn free(options: &mut Options<'_>) -> Option<String> {
    let text = options.text("free")?;
    match text.as_str() {
        "false" => None,
        _ => Some(text),
    }
}

fn tres_list(options: &mut Options<'_>) -> Vec<String> {
    let listed = lower(options.list("tres"));
    let is_tres = |name: &String| {
        matches!(name.as_str(), "cpu" | "mem" | "node" | "gpu" | "license" | "gres" | "bb")
            || ["license/", "gres/", "bb/"].iter().any(|kind| name.starts_with(kind))
    };
    for name in listed.iter().filter(|name| !is_tres(name)) {
        options.refuse(
            "tres",
            &Value::String(name.clone()),
            "is no TRES that is charged; there are `cpu`, `mem`, `gpu`, `node`, `license` or `license/NAME`, \
             `gres` or `gres/NAME`, `bb` or `bb/NAME`",
        );
    }
    if listed.is_empty() { ["cpu", "mem", "gpu"].map(str::to_owned).to_vec() } else { listed }
}

fn tags(options: &mut Options<'_>) -> Vec<(String, Template)> {
    let mut tags = Vec::new();
    for (name, value) in options.entries("tags") {
        match Template::parse(&crate::options::plain(value).unwrap_or_default()) {
            Ok(template) => tags.push((name.to_owned(), template)),
            Err(message) => options.refuse(&format!("tags.{name}"), value, message),
        }
    }
    tags
}

fn lower(texts: Option<Vec<String>>) -> Vec<String> {
    texts.unwrap_or_default().iter().map(|text| text.trim().to_ascii_lowercase()).collect()
}

/// The first one where nothing is said.
fn one_of<T: Copy>(options: &mut Options<'_>, name: &'static str, choices: &[(&str, T)]) -> T {
    let chosen = options.parsed(name, |text| {
        let chosen = choices.iter().find(|(choice, _)| *choice == text).map(|(_, chosen)| *chosen);
        let names: Vec<&str> = choices.iter().map(|(choice, _)| *choice).collect();
        chosen.ok_or_else(|| format!("is none of {}", listed(&names)))
    });
    chosen.unwrap_or(choices[0].1)
}
