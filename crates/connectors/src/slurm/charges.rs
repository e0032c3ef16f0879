//! Runs become rows: cut to the month, by policy, by what they are charged by.

use std::collections::BTreeMap;
use std::io;
use std::rc::Rc;

use billing::Period;
use foldhash::fast::RandomState;
use hashbrown::HashMap;

use super::policy::{BILLED, Policy, Reason};
use super::rating::{Product, Products};
use super::reading::Reading;
use super::rows::Texts;
use super::runs::{Owner, Run};
use super::settings::{ChargePeriod, Charges, Settings, Split};
use super::split::used_before;
use super::template::Part;
use crate::{ConvertError, Counted, Outcome, UsageRow};

/// One delivery and one month.
pub(super) struct Charging<'r, 's> {
    pub reading: &'r Reading<'s>,
    pub settings: &'s Settings,
    pub period: Period,
    pub policy: Policy<'s>,
    pub products: Products,
    /// Where each part of the month begins, and its end last.
    cuts: Vec<i64>,
    /// By owner: its partition by number.
    partitions: Vec<u32>,
    became: HashMap<Became, Counted, RandomState>,
}

/// What has a row, besides whose it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Key {
    pub owner: u32,
    pub product: u32,
    pub reason: Reason,
    /// Which part of the month.
    pub cut: u16,
}

#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Sum {
    pub ticks: u128,
    pub seconds: u64,
    pub runs: u64,
}

/// Seconds of a run in a part of the month, and why they are not billed.
#[derive(Clone, Copy, Debug)]
struct Slice {
    cut: u16,
    reason: Reason,
    seconds: u64,
}

/// What became of seconds, by numbers; a run is counted at the first of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Became {
    Billed,
    /// With the product that nothing fits.
    Held(u32),
    /// By owner.
    Uncharged(u32),
    Waived(Reason),
    Outside,
    Running,
    Resized,
}

/// Where a row comes from.
#[derive(Clone, Copy, Debug)]
pub(super) enum Origin {
    Sum(Key),
    Run(u32),
}

/// Seconds that no row of the month has.
#[derive(Clone, Copy, Debug, Default)]
struct Elsewhere {
    outside: u64,
    running: u64,
    /// Counted in the record from before the job was resized.
    resized: u64,
}

type EachRow<'e> = dyn FnMut(&UsageRow<'_>, Origin) -> io::Result<()> + 'e;

impl<'r, 's> Charging<'r, 's> {
    pub(super) fn new(reading: &'r Reading<'s>, period: Period) -> Charging<'r, 's> {
        let settings = reading.settings;
        let cuts = match settings.charge_period {
            ChargePeriod::Day => settings.clock.days_of(period),
            ChargePeriod::Month => {
                vec![settings.clock.start_of(period), settings.clock.start_of(period.next())]
            }
        };
        let mut known: HashMap<&str, u32, RandomState> = HashMap::default();
        let partition_of = |owner: &'r Owner| {
            let next = u32::try_from(known.len()).unwrap_or(u32::MAX);
            *known.entry(owner.get(Part::Partition)).or_insert(next)
        };
        Charging {
            reading,
            settings,
            period,
            policy: Policy::new(settings, &reading.runs),
            products: Products::default(),
            cuts,
            partitions: reading.runs.owned().iter().map(partition_of).collect(),
            became: HashMap::default(),
        }
    }

    /// The run's seconds in the month, and those that are not.
    fn slices(&self, run: &Run, slices: &mut Vec<Slice>) -> Elsewhere {
        slices.clear();
        let (share, reason) = self.policy.of(run);
        let resized = u64::from(run.counted_before);
        let elapsed = u64::from(run.elapsed) - resized;
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
        if !run.has_times() {
            add(0, (0, elapsed));
            return Elsewhere { resized, ..Elsewhere::default() };
        }
        let ends = (i64::from(run.start), i64::from(run.end));
        let last = self.cuts.len() - 1;
        if self.settings.split == Split::AtEnd {
            if !run.has_ended {
                return Elsewhere { running: elapsed, resized, outside: 0 };
            }
            let cut = self.cuts.partition_point(|cut| *cut <= ends.1);
            if cut == 0 || last < cut {
                return Elsewhere { outside: elapsed, resized, running: 0 };
            }
            add(cut - 1, (0, elapsed));
            return Elsewhere { resized, ..Elsewhere::default() };
        }
        let first = self.cuts.partition_point(|cut| *cut <= ends.0).saturating_sub(1);
        let used_before = |at: i64| used_before(at, ends, u64::from(run.elapsed)).saturating_sub(resized);
        let from = used_before(self.cuts[0]);
        let mut before = from;
        for cut in first..last {
            if ends.1 <= self.cuts[cut] {
                break;
            }
            let after = used_before(self.cuts[cut + 1]);
            add(cut, (before, after));
            before = after;
        }
        Elsewhere { outside: elapsed - (before - from), resized, running: 0 }
    }

    /// Counts what becomes of a run: its seconds by outcome, itself at the first.
    fn reconcile(&mut self, run: &Run, slices: &[Slice], counted: &[(u32, u128)], elsewhere: Elsewhere) {
        let cpus = u128::from(self.reading.runs.shape_of(run).cpus);
        let charged = match counted {
            [] => Became::Uncharged(run.owner),
            [(product, _), ..] if self.products.get(*product).held.is_some() => Became::Held(*product),
            _ => Became::Billed,
        };
        let (mut billed, mut waived, mut reason) = (0, 0, BILLED);
        for slice in slices {
            if slice.reason == BILLED {
                billed += slice.seconds;
            } else {
                waived += slice.seconds;
                reason = slice.reason;
            }
        }
        let mut is_counted = false;
        for (became, seconds) in [
            (charged, billed),
            (Became::Waived(reason), waived),
            (Became::Outside, elsewhere.outside),
            (Became::Running, elsewhere.running),
            (Became::Resized, elsewhere.resized),
        ] {
            if 0 < seconds {
                *self.became.entry(became).or_default() += Counted {
                    records: u64::from(!is_counted),
                    elapsed_seconds: seconds.into(),
                    core_seconds: u128::from(seconds) * cpus,
                };
                is_counted = true;
            }
        }
    }

    /// What became of the runs that count, in words.
    pub(super) fn outcomes(&self) -> BTreeMap<Outcome, Counted> {
        let mut outcomes: BTreeMap<Outcome, Counted> = BTreeMap::new();
        for (became, counted) in &self.became {
            let outcome = match *became {
                Became::Billed => Outcome::Billed,
                Became::Held(product) => {
                    Outcome::Held(self.products.get(product).held.clone().unwrap_or_default())
                }
                Became::Uncharged(owner) => {
                    let partition = self.reading.runs.owned()[owner as usize].get(Part::Partition);
                    Outcome::Uncharged(format!("runs on `{partition}` that have nothing that `tres` lists"))
                }
                Became::Waived(reason) => Outcome::Waived(self.policy.why(reason).to_owned()),
                Became::Outside => Outcome::Outside(self.period.to_string()),
                Became::Running => Outcome::NotEnded,
                Became::Resized => Outcome::Resized,
            };
            *outcomes.entry(outcome).or_default() += *counted;
        }
        outcomes
    }

    /// What a run is charged by, each second.
    fn counted_by(&mut self, run: &Run) -> Rc<[(u32, u128)]> {
        let runs = &self.reading.runs;
        let partition = (self.partitions[run.owner as usize], runs.owner_of(run).get(Part::Partition));
        self.products.of(self.settings, partition, (run.shape, runs.shape_of(run)))
    }

    /// All rows in their order, with where each comes from.
    pub(super) fn each_row(&mut self, each: &mut EachRow<'_>) -> Result<u64, ConvertError> {
        match self.settings.charges {
            Charges::Job => self.row_by_row(each),
            Charges::Account | Charges::User => self.summed(each),
        }
    }

    fn summed(&mut self, each: &mut EachRow<'_>) -> Result<u64, ConvertError> {
        let mut sums: HashMap<Key, Sum, RandomState> = HashMap::default();
        let mut slices = Vec::new();
        let runs = &self.reading.runs;
        for run in runs.iter().filter(|run| !run.is_repeated) {
            let elsewhere = self.slices(run, &mut slices);
            let counted = self.counted_by(run);
            self.reconcile(run, &slices, &counted, elsewhere);
            for slice in &slices {
                for (product, each) in counted.iter() {
                    let sum = sums.entry(key_of(run, *product, slice)).or_default();
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
            each(&row, Origin::Sum(*key)).map_err(ConvertError::Sink)?;
        }
        Ok(u64::try_from(sums.len()).unwrap_or(u64::MAX))
    }

    fn order(&self, key: Key) -> (&Owner, &Product, &str, u16) {
        let owner = &self.reading.runs.owned()[key.owner as usize];
        (owner, self.products.get(key.product), self.policy.why(key.reason), key.cut)
    }

    fn row_by_row(&mut self, each: &mut EachRow<'_>) -> Result<u64, ConvertError> {
        let (mut rows, mut slices, mut texts) = (0, Vec::new(), Texts::default());
        let runs = &self.reading.runs;
        for at in runs.in_order() {
            let run = runs.get(at);
            let elsewhere = self.slices(run, &mut slices);
            let counted = self.counted_by(run);
            self.reconcile(run, &slices, &counted, elsewhere);
            for slice in &slices {
                for (product, each_second) in counted.iter() {
                    let key = key_of(run, *product, slice);
                    let ticks = u128::from(slice.seconds).saturating_mul(*each_second);
                    texts.of_run(self, key, &Sum { ticks, seconds: slice.seconds, runs: 1 }, at)?;
                    let row = texts.row(self, key, self.charge_period_of(run, key.cut));
                    each(&row, Origin::Run(at)).map_err(ConvertError::Sink)?;
                    rows += 1;
                }
            }
        }
        Ok(rows)
    }

    /// A part of the month, on the office's clock.
    fn charge_period(&self, cut: u16) -> (i64, i64) {
        let shown = |at: usize| self.settings.clock.shown(self.cuts[at]);
        (shown(usize::from(cut)), shown(usize::from(cut) + 1))
    }

    /// The run's time in a part of the month, on the office's clock.
    fn charge_period_of(&self, run: &Run, cut: u16) -> (i64, i64) {
        if !run.has_times() {
            return self.charge_period(cut);
        }
        let at = usize::from(cut);
        let (mut start, mut end) = (i64::from(run.begins()), i64::from(run.end));
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
        let key = match origin {
            Origin::Run(at) => return vec![runs.get(at)],
            Origin::Sum(key) => key,
        };
        let (mut slices, mut behind) = (Vec::new(), Vec::new());
        for run in runs.iter().filter(|run| !run.is_repeated && run.owner == key.owner) {
            self.slices(run, &mut slices);
            let is_in = slices.iter().any(|slice| (slice.reason, slice.cut) == (key.reason, key.cut));
            if is_in && self.counted_by(run).iter().any(|(product, _)| *product == key.product) {
                behind.push(run);
            }
        }
        behind
    }
}

fn key_of(run: &Run, product: u32, slice: &Slice) -> Key {
    Key { owner: run.owner, product, reason: slice.reason, cut: slice.cut }
}
