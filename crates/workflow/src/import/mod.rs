//! Import a delivery: read it, decide what it means for the ones before it, and make it count in one
//! transaction. A crash leaves the books before or after, never between. Read `ingest` first, then
//! `read.rs` (files to charges), `corrections.rs` (what touches a finalized period), `settle.rs` (what it
//! supersedes) and `commit.rs`.

mod commit;
pub mod convert;
mod corrections;
mod evidence;
mod pipeline;
mod quarantine;
mod read;
mod settle;

use std::collections::BTreeSet;
use std::path::PathBuf;

use billing::delivery::Choice;
use billing::intake::ReadingRules;
use billing::intake::{EarlierCharges, Intake, IntakeOptions};
use billing::settings::Settings;
use billing::source_guess::{GuessedPeriod, guess_period, guess_source};
use billing::{ImportId, LedgerNumber, Period, SourceName};
use ledger::ImportMode;
use money::Amount;
use serde::Serialize;

pub use quarantine::FileProblem;
pub use read::{Input, Origin, Progress, chain};
pub use settle::{Change, ProjectChange, Superseded, superseded_by};

use crate::sources::{self, ResolvedSource};
use crate::{Actor, Installation, Refusal, WorkflowError, reading};
use convert::Conversion;
use read::{Delivered, Reading};

/// What a person asks for with `ingest`.
#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch that a person sets")]
pub struct Request {
    pub files: Vec<GivenFile>,
    /// Guessed from the file names when `None`.
    pub source: Option<SourceName>,
    /// Expected period; guessed from the file names when `None`.
    pub period: Option<Period>,
    pub choice: Choice,
    pub dry_run: bool,
    pub quarantine: bool,
    /// Take a delivery that is empty or lost most of what it supersedes.
    pub force: bool,
    /// Leave out the rows of periods that are not open.
    pub only_open: bool,
    /// So much a compressed file may hold at most; `None` where the files are the person's own.
    pub unpacked_max_bytes: Option<u64>,
    /// Where every row that cannot be a charge is written, as CSV, whatever else comes of the delivery.
    pub problems_to: Option<PathBuf>,
}

/// A file to be imported, and the name that people and source patterns know it by.
#[derive(Clone, Debug)]
pub struct GivenFile {
    pub name: String,
    pub path: PathBuf,
}

impl From<PathBuf> for GivenFile {
    fn from(path: PathBuf) -> GivenFile {
        let name = path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
        GivenFile { name, path }
    }
}

impl Request {
    /// Files with nothing said about them.
    #[must_use]
    pub fn new(files: Vec<GivenFile>) -> Request {
        Request {
            files,
            source: None,
            period: None,
            choice: Choice::Automatic,
            dry_run: false,
            quarantine: false,
            force: false,
            only_open: false,
            unpacked_max_bytes: None,
            problems_to: None,
        }
    }
}

/// What an import came to; the shape of `ingest --json`.
#[derive(Clone, Debug, Serialize)]
pub struct Outcome {
    /// `None` when it was refused or a dry run.
    pub import: Option<ImportId>,
    pub source: SourceName,
    pub periods: Vec<Period>,
    pub rows: u64,
    pub charges: u64,
    pub flagged: u64,
    pub quarantined: u64,
    pub list_cost: Amount,
    pub billed_cost: Amount,
    pub superseded: Vec<Superseded>,
    /// The same bytes had been imported already; nothing changed.
    pub unchanged: bool,
    pub notes: Vec<String>,
    pub problem_count: u64,
    pub problems: Vec<FileProblem>,
    #[serde(skip)]
    pub dry_run: bool,
    #[serde(skip)]
    pub flags: Vec<(billing::Flag, u64, Amount)>,
    #[serde(skip)]
    pub flagged_cost: Amount,
    /// Charges that correct a finalized period, in the open period that they are billed in.
    #[serde(skip_serializing_if = "is_none")]
    pub adjustments: u64,
    /// Set when nothing was imported because something is wrong with the delivery.
    #[serde(skip)]
    pub refusal: Option<Refusal>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature is serde's")]
fn is_none(count: &u64) -> bool {
    *count == 0
}

/// How the import came to be, beyond the request.
#[expect(clippy::struct_excessive_bools, reason = "each is a switch that a person sets")]
struct Plan {
    inputs: Vec<Input>,
    /// For files that are not FOCUS.
    conversion: Option<Conversion>,
    source: ResolvedSource,
    expected: Vec<Period>,
    mode: ImportMode,
    rereads: Option<ImportId>,
    choice: Choice,
    dry_run: bool,
    quarantine: bool,
    force: bool,
    only_open: bool,
    unpacked_max_bytes: Option<u64>,
    problems_to: Option<PathBuf>,
    /// What it is read with.
    rules: ReadingRules,
    notes: Vec<String>,
}

/// How long an import may run before another may sweep its files.
const LEASE: jiff::SignedDuration = jiff::SignedDuration::from_hours(6);

/// Import one delivery of one source.
///
/// # Errors
/// Requests that make no sense, books that cannot be read. What is wrong with the delivery itself is in
/// [`Outcome::refusal`].
pub async fn ingest(
    installation: &Installation,
    actor: &Actor,
    request: Request,
    progress: &(dyn Fn(Progress) + Sync),
) -> Result<Outcome, WorkflowError> {
    let plan = plan(installation, request).await?;
    run(installation, actor, plan, progress).await
}

/// Read the kept bytes of an import again, under the configuration of today; it supersedes itself.
///
/// # Errors
/// An import that is unknown or no longer counts.
pub async fn reread(
    installation: &Installation,
    actor: &Actor,
    import: ImportId,
    dry_run: bool,
    progress: &(dyn Fn(Progress) + Sync),
) -> Result<Outcome, WorkflowError> {
    let mut reader = installation.ledger.read().await?;
    let rules = reading::record(&mut reader, None).await?;
    drop(reader);
    reread_with(installation, actor, import, rules, dry_run, progress).await
}

/// [`reread`], with rules that are perhaps not written yet.
pub(crate) async fn reread_with(
    installation: &Installation,
    actor: &Actor,
    import: ImportId,
    rules: ReadingRules,
    dry_run: bool,
    progress: &(dyn Fn(Progress) + Sync),
) -> Result<Outcome, WorkflowError> {
    let mut reader = installation.ledger.read().await?;
    let row = crate::imports::load_live(&mut reader, import).await?;
    let mut inputs = Vec::new();
    let mut files = reader.list_delivered_files(import).await?;
    let mut conversion = None;
    if files.iter().any(convert::is_raw) {
        // What was used is found out again.
        files.retain(convert::is_raw);
        conversion = Some(Conversion::of_import(&installation.settings, &row)?);
    }
    for file in files {
        let mut sha256 = [0; 32];
        hex::decode_to_slice(&file.sha256, &mut sha256)
            .map_err(|error| WorkflowError::Internal(format!("digest of `{}`: {error}", file.name)))?;
        inputs.push(Input { name: file.name, origin: Origin::Kept { sha256, size_bytes: file.size_bytes } });
    }
    drop(reader);
    let plan = Plan {
        inputs,
        conversion,
        source: ResolvedSource { name: row.source_name, known: true },
        expected: row.expected_periods,
        mode: ImportMode::Reread,
        rereads: Some(import),
        choice: Choice::Replace(import),
        dry_run,
        quarantine: row.quarantine_file.is_some(),
        force: true,
        only_open: false,
        unpacked_max_bytes: None,
        problems_to: None,
        rules,
        notes: Vec::new(),
    };
    run(installation, actor, plan, progress).await
}

async fn plan(installation: &Installation, request: Request) -> Result<Plan, WorkflowError> {
    let inputs = inputs(&request.files)?;
    let mut notes = Vec::new();
    let mut reader = installation.ledger.read().await?;
    let name = match &request.source {
        Some(name) => name.clone(),
        None => guess_one_source(installation, &mut reader, &inputs).await?,
    };
    let source = sources::resolve(&mut reader, &installation.settings, &name).await?;
    if !source.known && sources::find_settings(&installation.settings, &source.name).is_none() {
        notes.push(format!("source `{}` is new: it is created with this import", source.name));
    }
    let expected = match request.period {
        Some(period) => vec![period],
        None => guessed_periods(&inputs),
    };
    let mode = match request.choice {
        Choice::Automatic => ImportMode::New,
        Choice::Replace(_) => ImportMode::Replace,
        Choice::Append => ImportMode::Append,
    };
    let conversion = Conversion::of_delivery(
        &installation.settings,
        &source.name,
        &expected,
        &inputs,
        request.unpacked_max_bytes,
    )?;
    Ok(Plan {
        inputs,
        conversion,
        source,
        expected,
        mode,
        rereads: None,
        choice: request.choice,
        dry_run: request.dry_run,
        quarantine: request.quarantine,
        force: request.force,
        only_open: request.only_open,
        unpacked_max_bytes: request.unpacked_max_bytes,
        problems_to: request.problems_to,
        rules: reading::record(&mut reader, None).await?,
        notes,
    })
}

/// Every file that cannot be used is named, not only the first.
fn inputs(files: &[GivenFile]) -> Result<Vec<Input>, WorkflowError> {
    let (mut inputs, mut wrong) = (Vec::<Input>::new(), Vec::new());
    for GivenFile { name, path } in files {
        match std::fs::metadata(path) {
            Err(error) => wrong.push(format!("{}: {error}", path.display())),
            Ok(metadata) if metadata.is_dir() => {
                wrong.push(format!("{} is a folder; name the files in it", path.display()));
            }
            Ok(_) => inputs.push(Input { name: name.clone(), origin: Origin::Path(path.clone()) }),
        }
    }
    if wrong.is_empty() {
        return Ok(inputs);
    }
    Err(Refusal::new("cannot read what is to be imported").details(wrong).into())
}

/// One delivery is of one source: the names of all its files must say the same.
async fn guess_one_source(
    installation: &Installation,
    reader: &mut ledger::Reader,
    inputs: &[Input],
) -> Result<SourceName, WorkflowError> {
    let mut guesses: Vec<(&str, Option<SourceName>)> = Vec::new();
    for input in inputs {
        let guess = guess_source(&input.name, &installation.settings.sources);
        guesses.push((&input.name, guess.map(|source| source.name.clone())));
    }
    let patterns = installation.settings.sources.iter();
    let patterns: Vec<String> =
        patterns.map(|source| format!("{} ({})", source.name, source.pattern)).collect();
    let unknown: Vec<String> =
        guesses.iter().filter(|(_, guess)| guess.is_none()).map(|(name, _)| format!("`{name}`")).collect();
    if !unknown.is_empty() {
        let known: Vec<String> =
            reader.list_sources().await?.into_iter().map(|source| source.name.0).collect();
        let refusal =
            Refusal::new(format!("cannot tell the source of {} from the file name", unknown.join(", ")))
                .hint(format!("say it: `--source NAME`; patterns are known for {}", patterns.join(", ")));
        let known = if known.is_empty() {
            refusal
        } else {
            refusal.hint(format!("imported so far: {}", known.join(", ")))
        };
        return Err(known.into());
    }
    let mut names: Vec<SourceName> = guesses.iter().filter_map(|(_, guess)| guess.clone()).collect();
    names.dedup();
    if let [name] = names.as_slice() {
        Ok(name.clone())
    } else {
        let lines = guesses.iter().filter_map(|(file, guess)| Some(format!("{file}: {}", guess.as_ref()?)));
        Err(Refusal::new(
            "these files are of different sources, and one import is one delivery of one source",
        )
        .details(lines)
        .hint("import each source by itself, or say `--source NAME` if they are of one")
        .into())
    }
}

fn guessed_periods(inputs: &[Input]) -> Vec<Period> {
    let mut periods = BTreeSet::new();
    for input in inputs {
        match guess_period(&input.name) {
            // A file whose name says nothing may hold anything.
            GuessedPeriod::None => return Vec::new(),
            GuessedPeriod::Month(period) => {
                periods.insert(period);
            }
            GuessedPeriod::Quarter(months) => periods.extend(months),
        }
    }
    periods.into_iter().collect()
}

async fn run(
    installation: &Installation,
    actor: &Actor,
    plan: Plan,
    progress: &(dyn Fn(Progress) + Sync),
) -> Result<Outcome, WorkflowError> {
    sweep(installation, actor).await?;
    let lease_until = actor.at.saturating_add(LEASE).unwrap_or(actor.at);
    let import = installation.ledger.reserve_import(&plan.source.name, actor, lease_until).await?;
    let result = read_and_commit(installation, actor, import, &plan, progress).await;
    if !matches!(&result, Ok(outcome) if outcome.import.is_some()) {
        // Nothing counts: give back the number, and leave no files behind.
        quarantine::remove(installation.lake.root(), import)?;
        installation.lake.sweep(import)?;
        installation.ledger.release_import(import).await?;
    }
    result
}

/// Remove what imports left behind that were stopped before they could count.
async fn sweep(installation: &Installation, actor: &Actor) -> Result<(), WorkflowError> {
    for lease in installation.ledger.expired_imports(actor.at).await? {
        installation.ledger.abandon_import(lease.import).await?;
        quarantine::remove(installation.lake.root(), lease.import)?;
        installation.lake.sweep(lease.import)?;
    }
    Ok(())
}

async fn read_and_commit(
    installation: &Installation,
    actor: &Actor,
    import: ImportId,
    plan: &Plan,
    progress: &(dyn Fn(Progress) + Sync),
) -> Result<Outcome, WorkflowError> {
    let intake = intake(installation, import, plan).await?;
    let delivered = tokio::task::block_in_place(|| {
        let reading = Reading {
            lake: &installation.lake,
            intake: &intake,
            import,
            source: &plan.source.name,
            conversion: plan.conversion.as_ref(),
            quarantine: plan.quarantine,
            unpacked_max_bytes: plan.unpacked_max_bytes,
            problems_to: plan.problems_to.as_deref(),
            progress,
        };
        reading.read(&plan.inputs)
    });
    failpoint::hit("workflow.import.read");
    match delivered {
        Ok(delivered) => commit::commit(installation, actor, import, plan, delivered).await,
        // A file that cannot be read at all: the shape for machines is that of a refusal.
        Err(WorkflowError::Refused(refusal)) => Ok(Outcome::unread(plan, refusal)),
        Err(error) => Err(error),
    }
}

async fn intake(installation: &Installation, import: ImportId, plan: &Plan) -> Result<Intake, WorkflowError> {
    let mut options = IntakeOptions {
        expected_periods: plan.expected.clone(),
        rules: plan.rules.clone(),
        ..IntakeOptions::default()
    };
    let mut reader = installation.ledger.read().await?;
    if plan.only_open {
        let periods = reader.list_periods(None).await?;
        let shut = periods.into_iter().filter(|record| !record.state.is_open());
        options.leave_out = shut.map(|record| record.period).collect();
    }
    let stands_beside = match plan.rereads {
        Some(read) => {
            let row = crate::imports::load(&mut reader, read).await?;
            let first = crate::imports::first_reading(&mut reader, row).await?;
            (first.mode == ImportMode::Append).then_some(first.import)
        }
        None => (plan.choice == Choice::Append).then_some(import),
    };
    if let Some(before) = stands_beside {
        let settings = &installation.settings;
        options.earlier =
            earlier_charges(installation, &mut reader, settings, &plan.source.name, before, None).await?;
    }
    Intake::compile(&installation.settings, &plan.source.name, options)
        .map_err(|error| Refusal::new(error.to_string()).into())
}

/// What was live of the source and first delivered before an import: with `--append`, what overlaps it is
/// flagged, and flagged again when it is read again.
pub(crate) async fn earlier_charges(
    installation: &Installation,
    reader: &mut ledger::Reader,
    settings: &Settings,
    source: &SourceName,
    before: ImportId,
    as_of: Option<LedgerNumber>,
) -> Result<EarlierCharges, WorkflowError> {
    let filter = ledger::PartFilter { source: Some(source.clone()), ..ledger::PartFilter::default() };
    let mut parts = reader.live_parts(&filter, as_of).await?;
    let mut earlier = BTreeSet::new();
    for import in parts.iter().map(|part| part.part.key.import).collect::<BTreeSet<_>>() {
        let row = crate::imports::load(reader, import).await?;
        if crate::imports::first_reading(reader, row).await?.import < before {
            earlier.insert(import);
        }
    }
    parts.retain(|part| earlier.contains(&part.part.key.import));
    let files = crate::charges::live_files(&parts, settings);
    let view = installation.lake.view(lake::ViewSpec { files, ..lake::ViewSpec::default() })?;
    Ok(view.charge_periods().await?.into_iter().collect())
}

impl Outcome {
    fn new(plan: &Plan, delivered: &Delivered) -> Outcome {
        let total = read::total(&delivered.sums);
        Outcome {
            import: None,
            source: plan.source.name.clone(),
            periods: delivered.periods.iter().copied().collect(),
            rows: delivered.files.iter().map(|file| file.rows).sum(),
            charges: delivered.charges,
            flagged: total.flagged_rows,
            quarantined: if plan.quarantine { delivered.problems.bad_rows } else { 0 },
            list_cost: total.list_cost,
            billed_cost: total.billed_cost,
            superseded: Vec::new(),
            unchanged: false,
            notes: plan.notes.iter().chain(&delivered.notes).cloned().collect(),
            problem_count: delivered.problems.count,
            problems: delivered.problems.listed.clone(),
            dry_run: plan.dry_run,
            flags: delivered
                .sums
                .flags
                .iter()
                .map(|(flag, sum)| (*flag, sum.rows, sum.billed_cost))
                .collect(),
            flagged_cost: total.flagged_billed,
            adjustments: 0,
            refusal: None,
        }
    }

    fn unread(plan: &Plan, refusal: Refusal) -> Outcome {
        Outcome {
            import: None,
            source: plan.source.name.clone(),
            periods: Vec::new(),
            rows: 0,
            charges: 0,
            flagged: 0,
            quarantined: 0,
            list_cost: Amount::ZERO,
            billed_cost: Amount::ZERO,
            superseded: Vec::new(),
            unchanged: false,
            notes: plan.notes.clone(),
            problem_count: 0,
            problems: Vec::new(),
            dry_run: plan.dry_run,
            flags: Vec::new(),
            flagged_cost: Amount::ZERO,
            adjustments: 0,
            refusal: Some(refusal),
        }
    }

    fn refused(mut self, refusal: Refusal) -> Outcome {
        self.refusal = Some(refusal);
        self
    }
}
