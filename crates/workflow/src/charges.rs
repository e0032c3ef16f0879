//! Charges with their decisions: the one view that reviews, reports, statements and `why` read. The lake
//! and the ledger do not know each other; here the ledger's decisions are resolved to charges and handed
//! to the lake as an overlay named by the ledger number.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use billing::attribution::{Attribution, AttributionRules};
use billing::decision::{Decision, Standing, stand};
use billing::settings::Settings;
use billing::{ChargeId, ContentDigest, Fingerprint, Flag, Flags, ImportId, LedgerNumber, Period};
use lake::{Filter, LiveFile, Matched, View, ViewSpec};
use ledger::{DecisionFilter, DecisionRow, LivePart, PartFilter, Reader};

use crate::kept::made_of;
use crate::{Installation, Refusal, WorkflowError, unusual};

/// Which charges: `None` is all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Scope {
    pub period: Option<Period>,
    pub import: Option<ImportId>,
}

impl Scope {
    #[must_use]
    pub fn period(period: Period) -> Scope {
        Scope { period: Some(period), import: None }
    }
}

/// The charges of the live parts in scope, with where each stands as of `as_of` (now when `None`). A
/// period has its own charges and those that were deferred to it.
///
/// # Errors
/// What the lake or the ledger could not read; a bad pattern in the settings.
pub async fn charges(
    installation: &Installation,
    reader: &mut Reader,
    scope: Scope,
    settings: &Settings,
    as_of: Option<LedgerNumber>,
) -> Result<View, WorkflowError> {
    let state = match as_of {
        None => made_of(reader, scope.period, settings).await?,
        Some(_) => None,
    };
    let Some(state) = state else { return view(installation, reader, scope, settings, as_of).await };
    let kept = installation.kept.view(scope, &state);
    let made = kept.get_or_try_init(|| view(installation, reader, scope, settings, as_of)).await?;
    if made.is_there() { Ok(made.clone()) } else { view(installation, reader, scope, settings, as_of).await }
}

async fn view(
    installation: &Installation,
    reader: &mut Reader,
    scope: Scope,
    settings: &Settings,
    as_of: Option<LedgerNumber>,
) -> Result<View, WorkflowError> {
    let (parts, decisions) = in_scope(reader, scope, as_of).await?;
    let files = live_files(&parts, settings);
    let undecided = installation.lake.view(ViewSpec { files: files.clone(), ..ViewSpec::default() })?;
    let mut standings = resolve(&undecided, decisions, settings).await?;
    let decided = standings.iter().map(|(id, _)| *id).collect();
    standings.extend(unusual::standings(reader, &undecided, &parts, &decided, as_of).await?);
    let number = as_of.unwrap_or_else(|| reader.head());
    with_standings(installation, scope, files, standings, number)
}

/// Charges of these files with these decisions and nothing else: what rules look at.
pub(crate) async fn decided(
    installation: &Installation,
    reader: &mut Reader,
    scope: Scope,
    files: Vec<LiveFile>,
    decisions: Vec<DecisionRow>,
    settings: &Settings,
) -> Result<View, WorkflowError> {
    let undecided = installation.lake.view(ViewSpec { files: files.clone(), ..ViewSpec::default() })?;
    let standings = resolve(&undecided, decisions, settings).await?;
    with_standings(installation, scope, files, standings, reader.head())
}

fn with_standings(
    installation: &Installation,
    scope: Scope,
    files: Vec<LiveFile>,
    mut standings: Vec<(ChargeId, Standing)>,
    number: LedgerNumber,
) -> Result<View, WorkflowError> {
    standings.sort_unstable_by_key(|(id, _)| *id);
    let overlay = match standings.as_slice() {
        [] => None,
        standings => Some(installation.lake.write_overlay(&overlay_name(number, scope), standings)?),
    };
    Ok(installation.lake.view(ViewSpec { files, overlay, period: scope.period })?)
}

/// The live parts of the scope and of the charges that were deferred to it, with the decisions about them.
pub(crate) async fn in_scope(
    reader: &mut Reader,
    scope: Scope,
    as_of: Option<LedgerNumber>,
) -> Result<(Vec<LivePart>, Vec<DecisionRow>), WorkflowError> {
    let filter = PartFilter { period: scope.period, import: scope.import, ..PartFilter::default() };
    let mut parts = reader.live_parts(&filter, as_of).await?;
    let own = DecisionFilter { periods: scope.period.into_iter().collect(), ..DecisionFilter::default() };
    let mut decisions = reader.decisions_for(&own, as_of).await?;
    let Some(period) = scope.period else { return Ok((parts, decisions)) };
    let deferred = DecisionFilter { deferred_to: Some(period), ..DecisionFilter::default() };
    let origins: BTreeSet<Period> =
        reader.decisions_for(&deferred, as_of).await?.iter().map(|row| row.period).collect();
    for origin in origins.into_iter().filter(|origin| *origin != period) {
        let filter = PartFilter { period: Some(origin), ..filter.clone() };
        parts.extend(reader.live_parts(&filter, as_of).await?);
        let filter = DecisionFilter { periods: vec![origin], ..DecisionFilter::default() };
        decisions.extend(reader.decisions_for(&filter, as_of).await?);
    }
    Ok((parts, decisions))
}

/// The charge files of live parts; of a file with several billing accounts, only those that are live.
#[must_use]
pub fn live_files(parts: &[LivePart], settings: &Settings) -> Vec<LiveFile> {
    let mut files: BTreeMap<&str, LiveFile> = BTreeMap::new();
    for part in parts {
        let source = settings.sources.iter().find(|source| source.name == part.source_name);
        let account = Some(part.part.key.account.clone()).filter(|account| !account.is_empty());
        for file in &part.files {
            let live = files.entry(&file.path).or_insert_with(|| LiveFile {
                path: file.path.clone(),
                import: file.import,
                source: part.source_name.0.clone(),
                period: file.period,
                accounts: Some(Vec::new()),
                basis: source.map(|source| source.basis).unwrap_or_default(),
            });
            if let Some(accounts) = &mut live.accounts {
                accounts.push(account.clone());
            }
        }
    }
    files.into_values().collect()
}

/// What identifies a charge over deliveries.
type Key = (String, Fingerprint, u32);

/// Where every decided charge stands. A decision follows its charge into the next delivery as long as
/// nothing about the charge has changed; otherwise the charge is held to be looked at again.
async fn resolve(
    view: &View,
    decisions: Vec<DecisionRow>,
    settings: &Settings,
) -> Result<Vec<(ChargeId, Standing)>, WorkflowError> {
    if decisions.is_empty() {
        return Ok(Vec::new());
    }
    let rules = AttributionRules::compile(settings).map_err(|error| Refusal::new(error.to_string()))?;
    let recheck = |attribution: &_| rules.flags(attribution);
    let mut by_key: HashMap<Key, Vec<DecisionRow>> = HashMap::new();
    for row in decisions {
        by_key.entry((row.source_key.to_string(), row.fingerprint, row.ordinal)).or_default().push(row);
    }
    let fingerprints: Vec<Fingerprint> =
        by_key.keys().map(|(_, fingerprint, _)| *fingerprint).collect::<BTreeSet<_>>().into_iter().collect();
    // Of imports that stand beside each other, several may have a charge of one key.
    let mut by_charge: HashMap<Key, Vec<Found>> = HashMap::new();
    for found in locate(view, &fingerprints).await? {
        let key = (found.charge.source.trim().to_lowercase(), found.charge.fingerprint, found.ordinal);
        if by_key.contains_key(&key) {
            by_charge.entry(key).or_default().push(found);
        }
    }
    let mut standings = Vec::with_capacity(by_key.len());
    for (key, twins) in &by_charge {
        for found in twins {
            let own: Vec<&DecisionRow> =
                by_key[key].iter().filter(|row| is_about(row, found, twins)).collect();
            if own.is_empty() {
                continue;
            }
            let said = said_about(&own, found.charge.content_digest);
            let standing = match said.as_slice() {
                [] => changed_since(found.charge.delivered_flags),
                said => stand(found.charge.delivered_flags, &found.delivered, said, &recheck),
            };
            standings.push((found.charge.id, standing));
        }
    }
    standings.sort_unstable_by_key(|(id, _)| *id);
    Ok(standings)
}

/// Whether a decision is about this one of the charges of its key: about the very charge, as long as that
/// counts; else about those that say the same; else about all of them, which have changed then.
fn is_about(row: &DecisionRow, found: &Found, twins: &[Found]) -> bool {
    let is_it = |twin: &Found| twin.charge.id == row.charge;
    let says_so = |twin: &Found| twin.charge.content_digest == row.content_digest;
    if twins.iter().any(is_it) { is_it(found) } else { says_so(found) || !twins.iter().any(says_so) }
}

/// A charge found by its fingerprint.
pub struct Found {
    pub charge: Matched,
    pub delivered: Attribution,
    /// Among the twins of its import.
    pub ordinal: u32,
}

/// Where the charges with these fingerprints are, and what they are as delivered.
///
/// # Errors
/// What the lake could not read.
pub async fn locate(view: &View, fingerprints: &[Fingerprint]) -> Result<Vec<Found>, WorkflowError> {
    let wanted: Vec<u64> = fingerprints.iter().map(|fingerprint| fingerprint.0).collect();
    let ordinals: BTreeMap<ChargeId, u32> =
        view.locate(&wanted).await?.into_iter().map(|found| (found.id, found.ordinal)).collect();
    if ordinals.is_empty() {
        return Ok(Vec::new());
    }
    let charges = view.matching_as_delivered(&Filter::ids(ordinals.keys().copied().collect())).await?;
    let found = |(charge, delivered): (Matched, Attribution)| {
        ordinals.get(&charge.id).map(|&ordinal| Found { charge, delivered, ordinal })
    };
    Ok(charges.into_iter().filter_map(found).collect())
}

/// The decisions about exactly this content, oldest first.
fn said_about(rows: &[&DecisionRow], content: ContentDigest) -> Vec<Decision> {
    rows.iter().filter(|row| row.content_digest == content).map(|row| row.decision.clone()).collect()
}

/// A person decided about this charge, and then its costs, attribution or flags changed.
fn changed_since(mut flags: Flags) -> Standing {
    flags.add(Flag::ChangedSinceDecision);
    Standing::undecided(flags)
}

fn overlay_name(number: LedgerNumber, scope: Scope) -> String {
    let period = scope.period.map_or_else(|| "all".to_owned(), |period| period.to_string());
    let import = scope.import.map_or_else(String::new, |import| format!("-import-{import}"));
    format!("{period}{import}-{number}")
}
