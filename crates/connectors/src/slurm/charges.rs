//! Runs become rows: cut to the month, by policy, by what they are charged by.

use std::collections::BTreeMap;
use std::io;

use billing::Period;
use foldhash::fast::RandomState;
use hashbrown::HashMap;
use money::Amount;

use super::rating::{Product, Products};
use super::reading::Reading;
use super::runs::{Owner, Run};
use super::settings::{ChargePeriod, Charges, Settings, Split};
use super::split::{Share, used_before};
use super::template::Part;
use crate::{ConvertError, Counted, Kind, Outcome, UsageRow};

/// One delivery and one month.
pub(super) struct Charging<'r, 's> {
    reading: &'r Reading<'s>,
    settings: &'s Settings,
    period: Period,
    /// Where each part of the month begins, and its end last.
    cuts: Vec<i64>,
    products: Products,
    /// Why nothing is billed; the first one is that it is.
    reasons: Vec<String>,
    /// By owner: its partition by number, and why policy frees it as a whole.
    owners: Vec<(u32, u16)>,
    pub counted: BTreeMap<Outcome, Counted>,
}

/// What has a row, besides whose it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Key {
    owner: u32,
    product: u32,
    reason: u16,
    /// Which part of the month.
    cut: u16,
}

#[derive(Clone, Copy, Debug, Default)]
struct Sum {
    ticks: u128,
    seconds: u64,
    runs: u64,
}

/// Seconds of a run in a part of the month, and why they are not billed.
#[derive(Clone, Copy, Debug)]
struct Slice {
    cut: u16,
    reason: u16,
    seconds: u64,
}

const BILLED: u16 = 0;

/// Where a row comes from.
#[derive(Clone, Copy, Debug)]
pub(super) enum Origin {
    Sum(KeyOf),
    Run(u32),
}

/// A key that only this module can look into.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct KeyOf(Key);

impl<'r, 's> Charging<'r, 's> {
    pub(super) fn new(reading: &'r Reading<'s>, period: Period) -> Charging<'r, 's> {
        let settings = reading.settings;
        let cuts = match settings.charge_period {
            ChargePeriod::Day => settings.clock.days_of(period),
            ChargePeriod::Month => {
                vec![settings.clock.start_of(period), settings.clock.start_of(period.next())]
            }
        };
        let mut charging = Charging {
            reading,
            settings,
            period,
            cuts,
            products: Products::default(),
            reasons: vec![String::new()],
            owners: Vec::new(),
            counted: BTreeMap::new(),
        };
        let mut partitions: HashMap<&str, u32, RandomState> = HashMap::default();
        for owner in reading.runs.owned() {
            let next = u32::try_from(partitions.len()).unwrap_or(u32::MAX);
            let partition = *partitions.entry(owner.get(Part::Partition)).or_insert(next);
            let reason = charging.freed(owner).map_or(BILLED, |why| charging.reason(why));
            charging.owners.push((partition, reason));
        }
        charging
    }

    /// Why policy bills nothing of what an owner runs, whatever becomes of it.
    fn freed(&self, owner: &Owner) -> Option<String> {
        let (partition, account) = (owner.get(Part::Partition), owner.get(Part::Account));
        let rules = self.settings.rules_of(partition);
        if let Some(why) = &rules.free {
            let why = if why == "true" { format!("partition {partition} is free") } else { why.clone() };
            return Some(why);
        }
        let is_listed = |accounts: &[String]| accounts.iter().any(|listed| listed == account);
        if is_listed(&rules.free_for) {
            return Some(format!("partition {partition} is free for account {account}"));
        }
        is_listed(&self.settings.free_accounts).then(|| format!("account {account} is free"))
    }

    fn reason(&mut self, why: String) -> u16 {
        let known = self.reasons.iter().position(|reason| *reason == why).unwrap_or_else(|| {
            self.reasons.push(why);
            self.reasons.len() - 1
        });
        u16::try_from(known).unwrap_or(u16::MAX)
    }

    /// How much of a run's seconds is billed, and why the rest is not.
    fn policy(&mut self, run: &Run) -> (Share, u16) {
        let (_, freed) = self.owners[run.owner as usize];
        if freed != BILLED {
            return (Share::NOTHING, freed);
        }
        let state = self.settings.states.get(run.state);
        if state.billed == Share::NOTHING {
            return (Share::NOTHING, self.reason(state.waived.clone()));
        }
        // Who knows how long a run lasts before it has ended?
        if run.has_ended && u64::from(run.elapsed) < self.settings.minimum_seconds {
            let why = format!("runs below {} s are free", self.settings.minimum_seconds);
            return (Share::NOTHING, self.reason(why));
        }
        if state.billed == Share::WHOLE {
            return (Share::WHOLE, BILLED);
        }
        (state.billed, self.reason(state.waived.clone()))
    }

    /// The run's seconds in the month, and those that are not.
    fn slices(&mut self, run: &Run, slices: &mut Vec<Slice>) -> Elsewhere {
        slices.clear();
        let (share, reason) = self.policy(run);
        let elapsed = u64::from(run.elapsed);
        let mut add = |cut: usize, used: (u64, u64)| {
            let cut = u16::try_from(cut).unwrap_or(u16::MAX);
            // Shares of what was used before each end, so that slices add up to the share of the run.
            let billed = share.of(used.1) - share.of(used.0);
            let waived = used.1 - used.0 - billed;
            for (reason, seconds) in [(BILLED, billed), (reason, waived)] {
                if 0 < seconds {
                    slices.push(Slice { cut, reason, seconds });
                }
            }
        };
        if run.start == 0 {
            add(0, (0, elapsed));
            return Elsewhere::default();
        }
        let ends = (i64::from(run.start), i64::from(run.end));
        let last = self.cuts.len() - 1;
        if self.settings.split == Split::AtEnd {
            if !run.has_ended {
                return Elsewhere { outside: 0, running: elapsed };
            }
            let cut = self.cuts.partition_point(|cut| *cut <= ends.1);
            if cut == 0 || last < cut {
                return Elsewhere { outside: elapsed, running: 0 };
            }
            add(cut - 1, (0, elapsed));
            return Elsewhere::default();
        }
        let first = self.cuts.partition_point(|cut| *cut <= ends.0).saturating_sub(1);
        let from = used_before(self.cuts[0], ends, elapsed);
        let mut before = from;
        for cut in first..last {
            if ends.1 <= self.cuts[cut] {
                break;
            }
            let after = used_before(self.cuts[cut + 1], ends, elapsed);
            add(cut, (before, after));
            before = after;
        }
        Elsewhere { outside: elapsed - (before - from), running: 0 }
    }

    /// Counts what becomes of a run: its seconds by outcome, itself where most belongs.
    fn reconcile(&mut self, run: &Run, slices: &[Slice], held: Option<&str>, elsewhere: Elsewhere) {
        let cpus = u128::from(self.reading.runs.shape_of(run).cpus);
        let mut seconds: BTreeMap<Outcome, u64> = BTreeMap::new();
        for slice in slices {
            let outcome = match (slice.reason, held) {
                (BILLED, None) => Outcome::Billed,
                (BILLED, Some(why)) => Outcome::Unrated(why.to_owned()),
                (reason, _) => Outcome::Waived(self.reasons[usize::from(reason)].clone()),
            };
            *seconds.entry(outcome).or_default() += slice.seconds;
        }
        if 0 < elsewhere.outside {
            seconds.insert(Outcome::Outside(self.period.to_string()), elsewhere.outside);
        }
        if 0 < elsewhere.running {
            seconds.insert(Outcome::NotEnded, elsewhere.running);
        }
        for (at, (outcome, seconds)) in seconds.into_iter().enumerate() {
            *self.counted.entry(outcome).or_default() += Counted {
                records: u64::from(at == 0),
                elapsed_seconds: seconds.into(),
                core_seconds: u128::from(seconds) * cpus,
            };
        }
    }

    /// What a run is charged by, and why that is held.
    fn counted_by(&mut self, run: &Run) -> Vec<(u32, u128)> {
        let runs = &self.reading.runs;
        let partition = (self.owners[run.owner as usize].0, runs.owner_of(run).get(Part::Partition));
        self.products.of(self.settings, partition, (run.shape, runs.shape_of(run))).to_vec()
    }

    /// All rows in their order, with where each comes from.
    pub(super) fn each_row(
        &mut self,
        each: &mut dyn FnMut(&UsageRow<'_>, Origin) -> io::Result<()>,
    ) -> Result<u64, ConvertError> {
        match self.settings.charges {
            Charges::Job => self.row_by_row(each),
            Charges::Account | Charges::User => self.summed(each),
        }
    }

    fn summed(
        &mut self,
        each: &mut dyn FnMut(&UsageRow<'_>, Origin) -> io::Result<()>,
    ) -> Result<u64, ConvertError> {
        let mut sums: HashMap<Key, Sum, RandomState> = HashMap::default();
        let mut slices = Vec::new();
        let runs = &self.reading.runs;
        for run in runs.iter().filter(|run| !run.is_repeated) {
            let elsewhere = self.slices(run, &mut slices);
            let counted = self.counted_by(run);
            let held = self.held(&counted);
            self.reconcile(run, &slices, held.as_deref(), elsewhere);
            for slice in &slices {
                for (product, each) in &counted {
                    let key =
                        Key { owner: run.owner, product: *product, reason: slice.reason, cut: slice.cut };
                    let sum = sums.entry(key).or_default();
                    sum.ticks = sum.ticks.saturating_add(u128::from(slice.seconds).saturating_mul(*each));
                    sum.seconds += slice.seconds;
                    sum.runs += 1;
                }
            }
        }
        let mut sums: Vec<(Key, Sum)> = sums.into_iter().collect();
        sums.sort_unstable_by(|(one, _), (other, _)| self.order(*one).cmp(&self.order(*other)));
        let mut texts = Texts::default();
        for (key, sum) in &sums {
            texts.of_sum(self, *key, sum)?;
            let row = texts.row(self, *key, self.charge_period(key.cut));
            each(&row, Origin::Sum(KeyOf(*key))).map_err(ConvertError::Sink)?;
        }
        Ok(u64::try_from(sums.len()).unwrap_or(u64::MAX))
    }

    fn order(&self, key: Key) -> (&Owner, &str, &str, &str, u16) {
        let product = self.products.get(key.product);
        let reason = self.reasons[usize::from(key.reason)].as_str();
        (&self.reading.runs.owned()[key.owner as usize], &product.resource, &product.unit, reason, key.cut)
    }

    fn row_by_row(
        &mut self,
        each: &mut dyn FnMut(&UsageRow<'_>, Origin) -> io::Result<()>,
    ) -> Result<u64, ConvertError> {
        let (mut rows, mut slices, mut texts) = (0, Vec::new(), Texts::default());
        let runs = &self.reading.runs;
        for at in runs.in_order() {
            let run = runs.get(at);
            let elsewhere = self.slices(run, &mut slices);
            let mut counted = self.counted_by(run);
            let held = self.held(&counted);
            self.reconcile(run, &slices, held.as_deref(), elsewhere);
            counted.sort_unstable_by(|one, other| {
                self.products.get(one.0).resource.cmp(&self.products.get(other.0).resource)
            });
            for slice in &slices {
                for (product, each_second) in &counted {
                    let key =
                        Key { owner: run.owner, product: *product, reason: slice.reason, cut: slice.cut };
                    let sum = Sum {
                        ticks: u128::from(slice.seconds).saturating_mul(*each_second),
                        seconds: slice.seconds,
                        runs: 1,
                    };
                    texts.of_run(self, key, &sum, run)?;
                    let row = texts.row(self, key, self.charge_period_of(run, key.cut));
                    each(&row, Origin::Run(at)).map_err(ConvertError::Sink)?;
                    rows += 1;
                }
            }
        }
        Ok(rows)
    }

    fn held(&self, counted: &[(u32, u128)]) -> Option<String> {
        counted.iter().find_map(|(product, _)| self.products.get(*product).held.clone())
    }

    /// A part of the month, on the office's clock.
    fn charge_period(&self, cut: u16) -> (i64, i64) {
        let shown = |at: usize| self.settings.clock.shown(self.cuts[at]);
        let cut = usize::from(cut).min(self.cuts.len() - 2);
        (shown(cut), shown(cut + 1))
    }

    /// The run's time in a part of the month, on the office's clock.
    fn charge_period_of(&self, run: &Run, cut: u16) -> (i64, i64) {
        if run.start == 0 {
            return self.charge_period(cut);
        }
        let at = usize::from(cut).min(self.cuts.len() - 2);
        let (mut start, mut end) = (i64::from(run.start), i64::from(run.end));
        if self.settings.split == Split::AtBoundary {
            (start, end) = (start.max(self.cuts[at]), end.min(self.cuts[at + 1]));
        }
        let from = self.settings.clock.shown(start);
        let to = self.settings.clock.shown(end);
        // In the hour that comes twice an end can look earlier than its start.
        (from, if to <= from { from + (end - start).max(1) } else { to })
    }

    /// The runs behind a row.
    pub(super) fn runs_behind(&mut self, origin: Origin) -> Vec<&'r Run> {
        let runs = &self.reading.runs;
        match origin {
            Origin::Run(at) => vec![runs.get(at)],
            Origin::Sum(KeyOf(key)) => {
                let mut slices = Vec::new();
                let mut behind = Vec::new();
                for run in runs.iter().filter(|run| !run.is_repeated && run.owner == key.owner) {
                    self.slices(run, &mut slices);
                    let is_cut =
                        slices.iter().any(|slice| (slice.reason, slice.cut) == (key.reason, key.cut));
                    if is_cut && self.counted_by(run).iter().any(|(product, _)| *product == key.product) {
                        behind.push(run);
                    }
                }
                behind
            }
        }
    }
}

/// Seconds that no row of the month has.
#[derive(Clone, Copy, Debug, Default)]
struct Elsewhere {
    outside: u64,
    running: u64,
}

/// The texts of a row, kept for the next one.
#[derive(Default)]
struct Texts {
    sku: String,
    resource_id: String,
    resource_name: String,
    resource_type: &'static str,
    description: String,
    record_id: String,
    tags: String,
    unit: String,
    quantity: Amount,
    lineage: Vec<String>,
}

impl Texts {
    fn of_sum(&mut self, charging: &Charging<'_, '_>, key: Key, sum: &Sum) -> Result<(), ConvertError> {
        let owner = &charging.reading.runs.owned()[key.owner as usize];
        let (cluster, account) = (owner.get(Part::Cluster), named(owner.get(Part::Account)));
        let (partition, user) = (named(owner.get(Part::Partition)), owner.get(Part::User));
        let by_user = charging.settings.charges == Charges::User;
        self.resource_id = format!("slurm:{cluster}:{account}:{partition}");
        self.resource_name = format!("{account} on {partition}");
        self.resource_type = "Slurm account";
        let who = if by_user && !user.is_empty() {
            self.resource_id.push(':');
            self.resource_id.push_str(user);
            self.resource_type = "Slurm user";
            format!("{user} for {account}")
        } else {
            account.to_owned()
        };
        let runs = if sum.runs == 1 { "1 run".to_owned() } else { format!("{} runs", sum.runs) };
        self.description = format!("{runs} of {who} on {partition}");
        self.lineage.clear();
        self.lineage.extend([
            cluster.to_owned(),
            owner.get(Part::Partition).to_owned(),
            sum.runs.to_string(),
            sum.seconds.to_string(),
        ]);
        self.of_both(charging, key, sum, owner)?;
        self.record_id = self.identity(charging, key, owner);
        Ok(())
    }

    fn of_run(
        &mut self,
        charging: &Charging<'_, '_>,
        key: Key,
        sum: &Sum,
        run: &Run,
    ) -> Result<(), ConvertError> {
        let runs = &charging.reading.runs;
        let owner = runs.owner_of(run);
        let (cluster, partition) = (owner.get(Part::Cluster), owner.get(Part::Partition));
        let job = runs.job_of(run);
        let state = &charging.settings.states.get(run.state).name;
        self.resource_id = format!("slurm:{cluster}:{job}");
        self.resource_name = format!("job {job}");
        self.resource_type = "Slurm job";
        self.description =
            format!("job {job} of {} on {}, {state}", named(owner.get(Part::Account)), named(partition));
        let instant = |at: u32| if at == 0 { Ok(String::new()) } else { crate::usage::instant(at.into()) };
        self.lineage.clear();
        self.lineage.extend([
            cluster.to_owned(),
            partition.to_owned(),
            sum.runs.to_string(),
            sum.seconds.to_string(),
            job,
            state.clone(),
            instant(run.start).map_err(ConvertError::Sink)?,
            if run.has_ended { instant(run.end).map_err(ConvertError::Sink)? } else { String::new() },
        ]);
        self.of_both(charging, key, sum, owner)?;
        self.record_id = format!("{}@{}", self.identity(charging, key, owner), run.start);
        Ok(())
    }

    fn of_both(
        &mut self,
        charging: &Charging<'_, '_>,
        key: Key,
        sum: &Sum,
        owner: &Owner,
    ) -> Result<(), ConvertError> {
        let product = charging.products.get(key.product);
        let of = |part| owner.get(part).to_owned();
        let rules = charging.settings.rules_of(owner.get(Part::Partition));
        self.sku = rules.sku.fill(of, &product.resource).unwrap_or_default();
        let waived = &charging.reasons[usize::from(key.reason)];
        if !waived.is_empty() {
            self.description.push_str(": ");
            self.description.push_str(waived);
        } else if let Some(why) = &product.held {
            self.description.push_str(": ");
            self.description.push_str(why);
        }
        let mut tags = serde_json::Map::new();
        let user = owner.get(Part::User);
        if charging.settings.charges != Charges::Account && !user.is_empty() {
            tags.insert("usage_user".to_owned(), user.into());
        }
        for (name, template) in &charging.settings.tags {
            if let Some(value) = template.fill(of, &product.resource) {
                tags.insert(name.clone(), value.into());
            }
        }
        self.tags = serde_json::Value::Object(tags).to_string();
        (self.quantity, self.unit) = quantity(sum.ticks, product).ok_or_else(|| ConvertError::TooLarge {
            what: self.description.clone(),
            quantity: format!("{} × {}", sum.ticks, product.tick),
            unit: product.unit.clone(),
        })?;
        Ok(())
    }

    /// What no other row of the month has.
    fn identity(&self, charging: &Charging<'_, '_>, key: Key, owner: &Owner) -> String {
        let product = charging.products.get(key.product);
        let mut identity = format!("{}|{}|{}", self.resource_id, product.resource, product.unit);
        for part in charging.settings.parts.iter().skip(3).filter(|part| **part != Part::User) {
            identity.push('|');
            identity.push_str(owner.get(*part));
        }
        let waived = &charging.reasons[usize::from(key.reason)];
        if !waived.is_empty() {
            identity.push('|');
            identity.push_str(waived);
        }
        if charging.settings.charge_period == ChargePeriod::Day {
            identity.push('|');
            identity.push_str(&(key.cut + 1).to_string());
        }
        identity
    }

    fn row<'t>(&'t self, charging: &'t Charging<'_, '_>, key: Key, charged: (i64, i64)) -> UsageRow<'t> {
        let settings = charging.settings;
        let owner = &charging.reading.runs.owned()[key.owner as usize];
        let cluster = owner.get(Part::Cluster);
        UsageRow {
            period: charging.period,
            charged,
            billing_account: cluster,
            provider: settings.provider.as_deref().unwrap_or(cluster),
            service_name: &settings.service_name,
            service_category: &settings.service_category,
            sub_account: owner.get(Part::Account),
            resource_id: &self.resource_id,
            resource_name: &self.resource_name,
            resource_type: self.resource_type,
            sku: &self.sku,
            description: &self.description,
            quantity: self.quantity,
            unit: &self.unit,
            tags: &self.tags,
            kind: Kind::Slurm,
            record_id: &self.record_id,
            waived: &charging.reasons[usize::from(key.reason)],
            lineage: &self.lineage,
        }
    }
}

fn named(text: &str) -> &str {
    if text.is_empty() { "(none)" } else { text }
}

/// Ticks as a quantity. A charge is below 10¹²; what is larger is counted in thousands or millions of its unit.
fn quantity(ticks: u128, product: &Product) -> Option<(Amount, String)> {
    let ticks = i128::try_from(ticks).ok()?;
    let all = Amount::from_units(ticks.checked_mul(product.tick.units())?);
    [1_u32, 1000, 1_000_000].into_iter().find_map(|count| {
        let quantity = if count == 1 { all } else { all.scaled(1, count.into())? };
        let unit = if count == 1 { product.unit.clone() } else { format!("{count} {}", product.unit) };
        (quantity < Amount::LIMIT).then_some((quantity, unit))
    })
}
