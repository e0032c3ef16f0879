//! What was computed for pages and is still true: views with their decisions in the memory of this process,
//! sums of periods also in the ledger, so that several web servers share them. Each is kept with what it was
//! made of: the last act that changed the charges of its period, and the settings. Requests for the same thing
//! at the same time compute it once.

use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use billing::decision::ChargeState;
use billing::settings::Settings;
use billing::{Flag, Period};
use lake::{Spending, TotalsRow, View};
use ledger::{LastChange, Reader, sha256_hex};
use money::Amount;
use serde::{Deserialize, Serialize};
use tokio::sync::OnceCell;

use crate::charges::{Scope, charges};
use crate::journal::Preview;
use crate::listing::ChargeList;
use crate::overview::Overview;
use crate::periods::Missing;
use crate::projects::Pools;
use crate::report::{StateTotals, Sum};
use crate::{Installation, WorkflowError};

/// Sums of the charges of a period.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PeriodSums {
    pub totals: StateTotals,
    pub all: Spent,
    pub by_source: Vec<Sums>,
    pub by_service: Vec<Sums>,
    /// By the PI's address, as charges have it, and project.
    pub by_project: Vec<ProjectSums>,
    /// A charge with two flags counts for both.
    pub by_flag: Vec<FlagSums>,
    /// Resources of what is billed.
    pub resources: u64,
}

/// What is billed in the period and what is held back from it, apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spent {
    pub billed: Spend,
    pub held: Spend,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spend {
    pub charges: u64,
    /// As statements have it: where no list cost is known, the cost.
    pub list: Amount,
    pub cost: Amount,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sums {
    /// Source or service; `None`: charges without one.
    pub name: Option<String>,
    #[serde(flatten)]
    pub spent: Spent,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FlagSums {
    pub flag: Flag,
    #[serde(flatten)]
    pub spent: Spent,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProjectSums {
    pub pi_email: Option<String>,
    pub project_id: Option<String>,
    /// Of what is billed.
    pub fund_orgs: Vec<String>,
    /// The award's, as delivered in the tags.
    pub end_date: Option<String>,
    #[serde(flatten)]
    pub spent: Spent,
}

impl Spend {
    fn add(&mut self, other: &Spending) {
        self.charges += other.rows;
        self.list += other.list;
        self.cost += other.cost;
    }
}

impl Spend {
    pub(crate) fn plus(&mut self, other: &Spend) {
        self.charges += other.charges;
        self.list += other.list;
        self.cost += other.cost;
    }
}

impl Spent {
    pub(crate) fn plus(&mut self, other: &Spent) {
        self.billed.plus(&other.billed);
        self.held.plus(&other.held);
    }

    #[must_use]
    pub fn and(mut self, other: &Spent) -> Spent {
        self.plus(other);
        self
    }

    /// Count what is billable or held in the period that it is billed in.
    fn add(&mut self, row: &Spending) {
        match row.state {
            ChargeState::Billable => self.billed.add(row),
            ChargeState::Held => self.held.add(row),
            ChargeState::Rejected | ChargeState::Deferred => {}
        }
    }
}

/// In the memory of this process.
#[derive(Default)]
pub struct Kept {
    views: Latest<Scope, View>,
    sums: Latest<Period, Arc<PeriodSums>>,
    overviews: Latest<Period, Arc<Overview>>,
    pages: Latest<String, Arc<ChargeList>>,
    pools: Latest<Period, Arc<Pools>>,
    reports: Latest<String, Arc<Vec<TotalsRow>>>,
    previews: Latest<Period, Arc<Preview>>,
    missing: Latest<Period, Arc<Missing>>,
}

impl Kept {
    pub(crate) fn view(&self, scope: Scope, made_of: &str) -> Arc<OnceCell<View>> {
        self.views.of(scope, made_of)
    }

    pub(crate) fn pools(&self, period: Period, made_of: &str) -> Arc<OnceCell<Arc<Pools>>> {
        self.pools.of(period, made_of)
    }

    pub(crate) fn report(&self, asked: String, made_of: &str) -> Arc<OnceCell<Arc<Vec<TotalsRow>>>> {
        self.reports.of(asked, made_of)
    }

    pub(crate) fn preview(&self, period: Period, made_of: &str) -> Arc<OnceCell<Arc<Preview>>> {
        self.previews.of(period, made_of)
    }

    pub(crate) fn missing(&self, period: Period, made_of: &str) -> Arc<OnceCell<Arc<Missing>>> {
        self.missing.of(period, made_of)
    }

    pub(crate) fn page(&self, asked: String, made_of: &str) -> Arc<OnceCell<Arc<ChargeList>>> {
        self.pages.of(asked, made_of)
    }

    pub(crate) fn overview(&self, period: Period, made_of: &str) -> Arc<OnceCell<Arc<Overview>>> {
        self.overviews.of(period, made_of)
    }
}

/// The latest of each key, computed once.
struct Latest<K, V>(Mutex<HashMap<K, MadeOf<V>>>);

type MadeOf<V> = (String, Arc<OnceCell<V>>);

impl<K, V> Default for Latest<K, V> {
    fn default() -> Latest<K, V> {
        Latest(Mutex::default())
    }
}

/// A view is small; but whoever asks for every import must not fill the memory.
const KEPT_MAX: usize = 256;

impl<K: Eq + Hash, V> Latest<K, V> {
    fn of(&self, key: K, made_of: &str) -> Arc<OnceCell<V>> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((known, cell)) = kept.get(&key)
            && known == made_of
        {
            return Arc::clone(cell);
        }
        if KEPT_MAX <= kept.len() {
            kept.clear();
        }
        let cell = Arc::default();
        kept.insert(key, (made_of.to_owned(), Arc::clone(&cell)));
        cell
    }
}

/// What charges with their decisions are made of, as a short text: equal texts, equal charges. `None` within
/// an act that has changed them.
pub(crate) async fn made_of(
    reader: &mut Reader,
    period: Option<Period>,
    settings: &Settings,
) -> Result<Option<String>, WorkflowError> {
    let Some(LastChange { number, hash }) = reader.last_change(period).await? else { return Ok(None) };
    let settings =
        serde_json::to_vec(settings).map_err(|error| WorkflowError::Internal(error.to_string()))?;
    Ok(Some(format!("{number}-{}-{}", short(&hash), short(&sha256_hex(&settings)))))
}

/// The books as a whole: of what depends on more than the charges.
pub(crate) async fn books(installation: &Installation, reader: &mut Reader) -> Result<String, WorkflowError> {
    let number = reader.head();
    let hash = reader.find_audit(number).await?.map(|row| row.hash).unwrap_or_default();
    Ok(format!("{number}-{}-{}", short(&hash), short(&installation.configuration.digest)))
}

fn short(hash: &str) -> &str {
    hash.get(..16).unwrap_or(hash)
}

/// Raise it when what is summed changes: what other versions of the program kept is then made again.
const SUMS_VERSION: u32 = 1;

/// The sums of a period as the books are now: kept ones, if they are true still.
///
/// # Errors
/// What could not be read.
pub async fn sums(installation: &Installation, period: Period) -> Result<Arc<PeriodSums>, WorkflowError> {
    let mut reader = installation.ledger.read().await?;
    sums_of(installation, &mut reader, period).await
}

/// As [`sums`], of the books as a reader has them. Not within an act: what is computed is written down.
pub(crate) async fn sums_of(
    installation: &Installation,
    reader: &mut Reader,
    period: Period,
) -> Result<Arc<PeriodSums>, WorkflowError> {
    let settings = installation.settings_of(reader, period).await?;
    let Some(state) = made_of(reader, Some(period), &settings).await? else {
        return Ok(Arc::new(fresh(installation, reader, period, &settings).await?));
    };
    let state = format!("{SUMS_VERSION}-{state}");
    let cell = installation.kept.sums.of(period, &state);
    let kept = cell
        .get_or_try_init(|| async {
            if let Some(text) = reader.find_kept_sums(period, &state).await?
                && let Ok(sums) = serde_json::from_str::<PeriodSums>(&text)
            {
                return Ok(Arc::new(sums));
            }
            let sums = Arc::new(fresh(installation, reader, period, &settings).await?);
            keep(installation, period, state.clone(), &sums).await?;
            Ok::<_, WorkflowError>(sums)
        })
        .await?;
    Ok(Arc::clone(kept))
}

/// So long a page waits for the writer's turn; what is not kept is computed again by the next process.
const WAIT: Duration = Duration::from_millis(300);

async fn keep(
    installation: &Installation,
    period: Period,
    made_of: String,
    sums: &PeriodSums,
) -> Result<(), WorkflowError> {
    let text = serde_json::to_string(sums).map_err(|error| WorkflowError::Internal(error.to_string()))?;
    let ledger = installation.ledger.clone();
    let writing = tokio::spawn(async move { ledger.keep_sums(period, &made_of, &text).await });
    // Whether they were kept changes no answer.
    let _ = tokio::time::timeout(WAIT, writing).await;
    Ok(())
}

/// The kept sums of a period that would be taken for true, and what is true; for `verify`.
pub(crate) async fn kept_and_fresh(
    installation: &Installation,
    reader: &mut Reader,
    period: Period,
) -> Result<Option<(PeriodSums, PeriodSums)>, WorkflowError> {
    let settings = installation.settings_of(reader, period).await?;
    let Some(state) = made_of(reader, Some(period), &settings).await? else { return Ok(None) };
    let Some(text) = reader.find_kept_sums(period, &format!("{SUMS_VERSION}-{state}")).await? else {
        return Ok(None);
    };
    let Ok(kept) = serde_json::from_str(&text) else { return Ok(None) };
    Ok(Some((kept, fresh(installation, reader, period, &settings).await?)))
}

/// Computed from the lake, whatever is kept.
async fn fresh(
    installation: &Installation,
    reader: &mut Reader,
    period: Period,
    settings: &Settings,
) -> Result<PeriodSums, WorkflowError> {
    let view = charges(installation, reader, Scope::period(period), settings, None).await?;
    let mut totals = StateTotals::default();
    let mut all = Spent::default();
    let mut by_source: BTreeMap<Option<String>, Spent> = BTreeMap::new();
    let mut by_service: BTreeMap<Option<String>, Spent> = BTreeMap::new();
    let mut by_project: BTreeMap<(Option<String>, Option<String>), ProjectSums> = BTreeMap::new();
    let mut by_flag: BTreeMap<Flag, Spent> = BTreeMap::new();
    for row in view.spending().await? {
        let sum = Sum { rows: row.rows, list_cost: row.list_cost, cost: row.cost };
        totals.add(period, (row.period, row.billed_in), row.state, &sum);
        if row.billed_in != period {
            continue;
        }
        all.add(&row);
        by_source.entry(Some(row.source.clone())).or_default().add(&row);
        by_service.entry(row.service_name.clone()).or_default().add(&row);
        for flag in row.flags.iter() {
            by_flag.entry(flag).or_default().add(&row);
        }
        let owner = (row.pi_email.clone(), row.project_id.clone());
        let project = by_project.entry(owner).or_insert_with(|| ProjectSums {
            pi_email: row.pi_email.clone(),
            project_id: row.project_id.clone(),
            fund_orgs: Vec::new(),
            end_date: None,
            spent: Spent::default(),
        });
        project.spent.add(&row);
    }
    for known in view.projects(period).await? {
        if let Some(project) = by_project.get_mut(&(Some(known.pi_email), Some(known.project_id))) {
            project.fund_orgs = known.fund_orgs;
            project.end_date = known.end_date;
        }
    }
    let named = |sums: BTreeMap<Option<String>, Spent>| {
        sums.into_iter().map(|(name, spent)| Sums { name, spent }).collect()
    };
    Ok(PeriodSums {
        totals,
        all,
        by_source: named(by_source),
        by_service: named(by_service),
        by_project: by_project.into_values().collect(),
        by_flag: by_flag.into_iter().map(|(flag, spent)| FlagSums { flag, spent }).collect(),
        resources: view.count_resources(period).await?,
    })
}
