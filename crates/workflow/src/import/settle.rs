//! What a delivery means for the ones before it: which parts it supersedes, and what that changes.

use std::collections::{BTreeMap, BTreeSet};

use billing::correction::is_of_corrections;
use billing::delivery::{self, Choice, EarlierImport, PartKey, Size, Unclear};
use billing::settings::Delivery;
use billing::{ImportId, LedgerNumber, Period};
use lake::{Difference, Filter, LakeError, LiveFile, View, ViewSpec};
use ledger::{LivePart, PartFilter, Reader};
use money::Amount;
use serde::Serialize;

use super::Plan;
use super::read::Delivered;
use crate::charges::live_files;
use crate::{Installation, Refusal, WorkflowError, sources};

/// What the delivery supersedes, by import, with the difference.
#[derive(Clone, Debug, Serialize)]
pub struct Superseded {
    pub import: ImportId,
    pub periods: Vec<Period>,
    pub added: Change,
    pub gone: Change,
    pub changed: u64,
    pub billed_before: Amount,
    pub billed_after: Amount,
    /// PIs and projects of which something is different, the largest difference first.
    pub projects: Vec<ProjectChange>,
}

/// What a PI's project was charged by the earlier delivery, and is by the new one; as delivered.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ProjectChange {
    pub pi_email: Option<String>,
    pub project_id: Option<String>,
    pub rows_before: u64,
    pub rows_after: u64,
    pub billed_before: Amount,
    pub billed_after: Amount,
}

#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Change {
    pub rows: u64,
    pub billed_cost: Amount,
}

/// What was decided, and on what: when that has changed by the time of the commit, it is decided again.
pub struct Settlement {
    pub supersedes: Vec<PartKey>,
    pub told: Vec<Superseded>,
    /// The source's live parts in the periods of the delivery.
    pub seen: BTreeSet<PartKey>,
}

/// # Errors
/// A refusal: unclear overlap, a delivery that lost most of its content, an unknown `--replace`.
pub async fn settle(
    installation: &Installation,
    reader: &mut Reader,
    import: ImportId,
    plan: &Plan,
    delivered: &Delivered,
) -> Result<Settlement, WorkflowError> {
    let mut live = live_parts(reader, plan, delivered).await?;
    let seen = live.iter().map(part_key).collect();
    // Corrections of finalized periods are no delivery: only `--replace` of their import takes them back.
    let replaced = |part: &LivePart| plan.choice == Choice::Replace(part.part.key.import);
    live.retain(|part| replaced(part) || !is_of_corrections(&part.part.key.account));
    if delivered.is_corrections_only {
        return Ok(Settlement { supersedes: Vec::new(), told: Vec::new(), seen });
    }
    if let Choice::Replace(id) = plan.choice
        && !live.iter().any(|part| part.part.key.import == id)
    {
        return Err(no_such_import(reader, plan, id).await?.into());
    }
    let settings = sources::find_settings(&installation.settings, &plan.source.name);
    let mode = settings.map_or(Delivery::default(), |source| source.delivery);
    let new = view_of_new(installation, import, plan, delivered)?;
    let mut earlier = Vec::new();
    for (id, parts) in by_import(&live) {
        let mut found = EarlierImport::new(id, parts.iter().map(part_key).collect());
        if (plan.choice, mode) == (Choice::Automatic, Delivery::Ask) {
            hold_against(installation, reader, &mut found, &parts, plan, &new).await?;
        }
        earlier.push(found);
    }
    let accounts: Vec<(Period, String)> = delivered
        .sums
        .parts
        .keys()
        .map(|(period, account)| (*period, account.clone().unwrap_or_default()))
        .collect();
    let supersedes = match delivery::superseded(mode, plan.choice, &accounts, &earlier) {
        Ok(supersedes) => supersedes,
        Err(unclear) => return Err(unclear_refusal(installation, &live, unclear, &new).await?.into()),
    };
    guard_against_loss(plan, delivered, &live, &supersedes)?;
    let told = differences(installation, &live, &supersedes, &new).await?;
    Ok(Settlement { supersedes, told, seen })
}

/// The source's live parts in the delivery's periods; with `--replace`, all of that import's.
pub async fn live_parts(
    reader: &mut Reader,
    plan: &Plan,
    delivered: &Delivered,
) -> Result<Vec<LivePart>, WorkflowError> {
    let filter = PartFilter { source: Some(plan.source.name.clone()), ..PartFilter::default() };
    let replaced = match plan.choice {
        Choice::Replace(id) => Some(id),
        Choice::Automatic | Choice::Append => None,
    };
    // A delivery without rows says by its expected period what it is empty of.
    let expected = plan.expected.iter().filter(|_| delivered.periods.is_empty());
    let periods: BTreeSet<Period> = delivered.periods.iter().chain(expected).copied().collect();
    let mut parts = reader.live_parts(&filter, None).await?;
    parts.retain(|part| {
        let key = &part.part.key;
        let corrections = delivered.touches_finalized && is_of_corrections(&key.account);
        corrections || periods.contains(&key.period) || Some(key.import) == replaced
    });
    Ok(parts)
}

pub fn part_key(part: &LivePart) -> PartKey {
    part.part.key.clone()
}

fn by_import(live: &[LivePart]) -> BTreeMap<ImportId, Vec<LivePart>> {
    let mut imports: BTreeMap<ImportId, Vec<LivePart>> = BTreeMap::new();
    for part in live {
        imports.entry(part.part.key.import).or_default().push(part.clone());
    }
    imports
}

fn view_of_new(
    installation: &Installation,
    import: ImportId,
    plan: &Plan,
    delivered: &Delivered,
) -> Result<View, WorkflowError> {
    let files = new_files(installation, import, plan, delivered);
    Ok(installation.lake.view(ViewSpec { files, ..ViewSpec::default() })?)
}

/// The charge files of the delivery, as if they counted.
pub fn new_files(
    installation: &Installation,
    import: ImportId,
    plan: &Plan,
    delivered: &Delivered,
) -> Vec<LiveFile> {
    let basis = sources::find_settings(&installation.settings, &plan.source.name).map(|source| source.basis);
    let files = delivered.charge_files.iter().map(|file| LiveFile {
        path: file.path.clone(),
        import,
        source: plan.source.name.0.clone(),
        period: file.period,
        accounts: None,
        basis: basis.unwrap_or_default(),
    });
    files.collect()
}

/// When nobody has said how the source delivers: what of the earlier import is there again.
async fn hold_against(
    installation: &Installation,
    reader: &mut Reader,
    found: &mut EarlierImport,
    parts: &[LivePart],
    plan: &Plan,
    new: &View,
) -> Result<(), WorkflowError> {
    let files = live_files(parts, &installation.settings);
    let old = installation.lake.view(ViewSpec { files, ..ViewSpec::default() })?;
    let delivered = reader.list_delivered_files(found.import).await?;
    let is_input = |name: &str| plan.inputs.iter().any(|input| input.name == name);
    found.same_file_name = delivered.iter().any(|file| is_input(&file.name));
    found.overlapping = View::overlap(&old, new).await?.rows;
    let kept = View::kept_share(&old, new).await?;
    (found.kept, found.fingerprints) = (kept.kept, kept.of);
    Ok(())
}

async fn unclear_refusal(
    installation: &Installation,
    live: &[LivePart],
    unclear: Unclear,
    new: &View,
) -> Result<Refusal, WorkflowError> {
    let import = unclear.0.import;
    let told = differences(installation, live, &unclear.0.parts, new).await?;
    let refusal = Refusal::new(unclear.to_string()).details(told.iter().flat_map(Superseded::lines));
    Ok(refusal
        .hint(format!("`--replace {import}` if this delivery takes its place"))
        .hint("`--append` if both count; what overlaps is then flagged `possible_duplicate`")
        .hint("or say once how the source delivers: `delivery: snapshot` or `increment` under imports.known_sources"))
}

fn guard_against_loss(
    plan: &Plan,
    delivered: &Delivered,
    live: &[LivePart],
    supersedes: &[PartKey],
) -> Result<(), WorkflowError> {
    let new: Size = delivered.sums.parts.values().map(|part| (part.rows, part.billed_magnitude)).collect();
    let replaced = live.iter().filter(|part| supersedes.contains(&part.part.key));
    let old: Size = replaced.map(|part| (part.part.rows, part.part.billed_magnitude)).collect();
    if plan.force || !delivery::is_suspiciously_small(new, old) {
        return Ok(());
    }
    let refusal = if new.rows == 0 {
        Refusal::new("the delivery has no charges: there is a header, and no rows after it")
    } else {
        Refusal::new(format!(
            "the delivery has {} charges (Σ|billed| {}) and would supersede {} (Σ|billed| {}): more than half is lost",
            new.rows, new.billed, old.rows, old.billed
        ))
    };
    Err(refusal.hint("look at the file; `--force` if it is right all the same").into())
}

async fn differences(
    installation: &Installation,
    live: &[LivePart],
    supersedes: &[PartKey],
    new: &View,
) -> Result<Vec<Superseded>, WorkflowError> {
    let mut told = Vec::new();
    for (import, parts) in by_import(live) {
        let parts: Vec<LivePart> =
            parts.into_iter().filter(|part| supersedes.contains(&part.part.key)).collect();
        if parts.is_empty() {
            continue;
        }
        let files = live_files(&parts, &installation.settings);
        let old = installation.lake.view(ViewSpec { files, ..ViewSpec::default() })?;
        let periods: BTreeSet<Period> = parts.iter().map(|part| part.part.key.period).collect();
        let difference = View::compare(&old, new).await?;
        let projects = by_project(&old, new, &periods).await?;
        told.push(Superseded::new(import, periods.into_iter().collect(), &difference, projects));
    }
    Ok(told)
}

/// What an import took the place of, with the difference, as of its commit.
///
/// # Errors
/// An unknown import; charges that were pruned.
pub async fn superseded_by(
    installation: &Installation,
    import: ImportId,
) -> Result<Vec<Superseded>, WorkflowError> {
    let mut reader = installation.ledger.read().await?;
    let row = crate::imports::load(&mut reader, import).await?;
    let events = reader.list_part_events(import).await?;
    let supersedes: Vec<PartKey> =
        events.into_iter().filter(|event| event.by_import == Some(import)).map(|event| event.key).collect();
    if supersedes.is_empty() {
        return Ok(Vec::new());
    }
    let of_source = PartFilter { source: Some(row.source_name.clone()), ..PartFilter::default() };
    let before = reader.live_parts(&of_source, Some(LedgerNumber(row.number.0 - 1))).await?;
    let of_import = PartFilter { import: Some(import), ..PartFilter::default() };
    let after = reader.live_parts(&of_import, Some(row.number)).await?;
    let files = live_files(&after, &installation.settings);
    let compared = async {
        let new = installation.lake.view(ViewSpec { files, ..ViewSpec::default() })?;
        differences(installation, &before, &supersedes, &new).await
    };
    match compared.await {
        Err(WorkflowError::Lake(LakeError::NoChargeFile { import, .. })) => Err(Refusal::new(format!(
            "the charges of import {import} were pruned, so nothing can be held against them"
        ))
        .into()),
        compared => compared,
    }
}

async fn by_project(
    old: &View,
    new: &View,
    periods: &BTreeSet<Period>,
) -> Result<Vec<ProjectChange>, WorkflowError> {
    let by = ["pi_email", "project_id", "period"].map(str::to_owned);
    let mut projects: BTreeMap<(Option<String>, Option<String>), ProjectChange> = BTreeMap::new();
    for (view, is_new) in [(old, false), (new, true)] {
        for row in view.totals(&by, &Filter::default()).await? {
            let [pi_email, project_id, period] = row.keys.as_slice() else { continue };
            if !period.as_ref().and_then(|period| period.parse().ok()).is_some_and(|of| periods.contains(&of))
            {
                continue;
            }
            let change = projects.entry((pi_email.clone(), project_id.clone())).or_default();
            if is_new {
                change.rows_after += row.rows;
                change.billed_after += row.billed_cost;
            } else {
                change.rows_before += row.rows;
                change.billed_before += row.billed_cost;
            }
        }
    }
    let named = |((pi_email, project_id), change)| ProjectChange { pi_email, project_id, ..change };
    let mut changed: Vec<ProjectChange> = projects.into_iter().map(named).collect();
    changed.retain(|change| {
        (change.rows_before, change.billed_before) != (change.rows_after, change.billed_after)
    });
    changed.sort_by_key(|change| std::cmp::Reverse((change.billed_after - change.billed_before).abs()));
    Ok(changed)
}

async fn no_such_import(reader: &mut Reader, plan: &Plan, id: ImportId) -> Result<Refusal, WorkflowError> {
    let refusal = match reader.find_import(id).await? {
        None => Refusal::new(format!("import {id} is not known")),
        Some(row) if row.source_name != plan.source.name => Refusal::new(format!(
            "import {id} is of source `{}`, not `{}`",
            row.source_name, plan.source.name
        )),
        Some(_) => Refusal::new(format!("import {id} counts no more: it was superseded or withdrawn")),
    };
    Ok(refusal.hint("`imports list` shows what counts"))
}

impl Superseded {
    fn new(
        import: ImportId,
        periods: Vec<Period>,
        difference: &Difference,
        projects: Vec<ProjectChange>,
    ) -> Superseded {
        Superseded {
            import,
            periods,
            added: Change { rows: difference.added.rows, billed_cost: difference.added.billed_cost },
            gone: Change { rows: difference.gone.rows, billed_cost: difference.gone.billed_cost },
            changed: difference.changed_before.rows,
            billed_before: difference.before.billed_cost,
            billed_after: difference.after.billed_cost,
            projects,
        }
    }

    /// The difference in words.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        const SHOWN: usize = 10;
        let mut lines = vec![
            format!("import {}: {} charges added ({})", self.import, self.added.rows, self.added.billed_cost),
            format!("import {}: {} charges gone ({})", self.import, self.gone.rows, self.gone.billed_cost),
            format!(
                "import {}: {} charges changed; billed {} before, {} after",
                self.import, self.changed, self.billed_before, self.billed_after
            ),
        ];
        lines.extend(self.projects.iter().take(SHOWN).map(|change| {
            format!(
                "import {}: {} of {}: billed {} before, {} after",
                self.import,
                change.project_id.as_deref().unwrap_or("no project"),
                change.pi_email.as_deref().unwrap_or("no PI"),
                change.billed_before,
                change.billed_after
            )
        }));
        if SHOWN < self.projects.len() {
            let more = self.projects.len() - SHOWN;
            lines.push(format!("import {}: and {more} more projects (all with --json)", self.import));
        }
        lines
    }
}
