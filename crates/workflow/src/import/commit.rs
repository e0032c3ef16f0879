//! Make a delivery count, in one transaction, if the books still are what was decided on.

use std::collections::BTreeSet;

use billing::period::{PeriodAct, PeriodState, may};
use billing::{ImportId, Period};
use ledger::{
    AuditEvent, FlagSum, ImportCosts, ImportRecord, LivePart, Part, PartKey, PeriodRecord, Reader, Tx,
};
use money::Amount;
use serde_json::json;

use super::corrections::{self, Corrections};
use super::read::{Delivered, ledger_charge_files, left_out_by_period, total};
use super::settle::{Settlement, live_parts, new_files, part_key, settle};
use super::{Outcome, Plan};
use crate::unusual::{Changing, Looked, look};
use crate::{Actor, Installation, Refusal, WorkflowError, periods, reading, sources};

/// Other imports may come between settling and committing; then it is settled anew.
const ATTEMPTS: usize = 5;

pub async fn commit(
    installation: &Installation,
    actor: &Actor,
    import: ImportId,
    plan: &Plan,
    mut delivered: Delivered,
) -> Result<Outcome, WorkflowError> {
    let mut outcome = Outcome::new(plan, &delivered);
    if 0 < delivered.problems.count && !plan.quarantine {
        return Ok(outcome.refused(problems_refusal(&delivered)));
    }
    // The same bytes again do no harm, whatever their periods are; reading again is an act on the periods,
    // even where nothing comes of it.
    if plan.rereads.is_none() && is_unchanged(installation, plan, &delivered, &mut outcome).await? {
        return Ok(outcome);
    }
    for (period, (rows, billed)) in left_out_by_period(&delivered.sums) {
        outcome
            .notes
            .push(format!("{rows} rows of {period} (billed {billed}) were left out: it is not open"));
    }
    if let Some(refusal) = shut_periods(installation, actor, plan, &delivered).await? {
        return Ok(outcome.refused(refusal));
    }
    let corrections =
        match corrections::correct(installation, import, plan, &mut delivered, &mut outcome.notes).await {
            Ok(corrections) => corrections,
            Err(WorkflowError::Refused(refusal)) => return Ok(outcome.refused(refusal)),
            Err(error) => return Err(error),
        };
    outcome.adjustments = corrections.rows;
    if delivered.is_corrections_only && corrections.rows == 0 {
        outcome.unchanged = true;
        return Ok(outcome);
    }
    for _ in 0..ATTEMPTS {
        if is_unchanged(installation, plan, &delivered, &mut outcome).await? {
            return Ok(outcome);
        }
        let mut reader = installation.ledger.read().await?;
        let settlement = match settle(installation, &mut reader, import, plan, &delivered).await {
            Ok(settlement) => settlement,
            Err(WorkflowError::Refused(refusal)) => return Ok(outcome.refused(refusal)),
            Err(error) => return Err(error),
        };
        outcome.superseded.clone_from(&settlement.told);
        let unusual = unusual(installation, &mut reader, import, plan, &delivered, &settlement).await?;
        drop(reader);
        if plan.dry_run {
            outcome.notes.extend(unusual.iter().flat_map(Looked::notes));
            return Ok(outcome);
        }
        failpoint::hit("workflow.import.settled");
        // The evidence is there before the charges count.
        for evidence in std::mem::take(&mut delivered.evidence) {
            evidence.finish()?;
        }
        failpoint::hit("workflow.import.evidence_kept");
        let books = Books {
            delivered: &delivered,
            corrections: &corrections,
            settlement: &settlement,
            unusual: &unusual,
        };
        match record(installation, actor, import, plan, &books, &outcome).await {
            Ok(Some(opened)) => {
                outcome
                    .notes
                    .extend(opened.iter().map(|period| format!("period {period} is new: it was opened")));
                outcome.notes.extend(unusual.iter().flat_map(Looked::notes));
                outcome.import = Some(import);
                return Ok(outcome);
            }
            Ok(None) => {}
            Err(WorkflowError::Refused(refusal)) => return Ok(outcome.refused(refusal)),
            Err(error) => return Err(error),
        }
    }
    Err(Refusal::new("other imports of this source kept coming in between; try again").into())
}

/// What the delivery makes unusual in the open periods that it touches.
async fn unusual(
    installation: &Installation,
    reader: &mut Reader,
    import: ImportId,
    plan: &Plan,
    delivered: &Delivered,
    settlement: &Settlement,
) -> Result<Vec<Looked>, WorkflowError> {
    let mut all = Vec::new();
    for period in touched(delivered, settlement) {
        if reader.find_period(period, None).await?.is_some_and(|record| !record.state.is_open()) {
            continue;
        }
        let mut new = new_files(installation, import, plan, delivered);
        new.retain(|file| file.period == period);
        let gone = |part: &LivePart| settlement.supersedes.contains(&part.part.key);
        all.extend(look(installation, reader, period, Changing { gone: &gone, new }).await?);
    }
    Ok(all)
}

fn problems_refusal(delivered: &Delivered) -> Refusal {
    let (problems, rows) = (delivered.problems.count, delivered.problems.bad_rows);
    let count =
        |n: u64, one: &str, many: &str| if n == 1 { format!("1 {one}") } else { format!("{n} {many}") };
    Refusal::new(format!(
        "{} in {} cannot be charges; nothing was imported",
        count(problems, "problem", "problems"),
        count(rows, "row", "rows")
    ))
    .hint("correct the file, or `--quarantine` to import the other rows and keep these aside")
}

/// Whether a live import has delivered the same bytes; then the outcome says so.
async fn is_unchanged(
    installation: &Installation,
    plan: &Plan,
    delivered: &Delivered,
    outcome: &mut Outcome,
) -> Result<bool, WorkflowError> {
    let Some(known) = unchanged(installation, plan, delivered, outcome).await? else { return Ok(false) };
    outcome.unchanged = true;
    outcome.notes.push(format!("the same bytes are import {known} already: nothing changed"));
    Ok(true)
}

/// The live import that delivered the same bytes, if there is one.
async fn unchanged(
    installation: &Installation,
    plan: &Plan,
    delivered: &Delivered,
    outcome: &mut Outcome,
) -> Result<Option<ImportId>, WorkflowError> {
    if let Some(import) = plan.rereads {
        let mut reader = installation.ledger.read().await?;
        let row = crate::imports::load(&mut reader, import).await?;
        let same = row.configuration_digest == installation.configuration.digest
            && reading::was_read_with(&installation.settings, &mut reader, &row, &plan.rules).await?;
        return Ok(same.then_some(import));
    }
    let digests: Vec<String> = delivered.files.iter().map(|file| file.sha256.clone()).collect();
    let mut reader = installation.ledger.read().await?;
    if let Some(row) = reader.find_live_import_by_digest(&plan.source.name, &digests).await? {
        return Ok(Some(row.import));
    }
    for (row, file) in reader.find_same_bytes_elsewhere(&plan.source.name, &digests).await? {
        let warning = format!(
            "warning: `{file}` was imported before as source `{}` (import {}); both count unless one is withdrawn",
            row.source_name, row.import
        );
        if !outcome.notes.contains(&warning) {
            outcome.notes.push(warning);
        }
    }
    Ok(None)
}

/// A delivery that touches a period which is not open is refused whole, with all such periods and sums.
async fn shut_periods(
    installation: &Installation,
    actor: &Actor,
    plan: &Plan,
    delivered: &Delivered,
) -> Result<Option<Refusal>, WorkflowError> {
    let mut reader = installation.ledger.read().await?;
    let (mut lines, mut hints) = (Vec::new(), Vec::new());
    let mut periods: BTreeSet<Period> = delivered.periods.clone();
    if delivered.periods.is_empty() {
        periods.extend(&plan.expected);
    }
    for period in periods {
        let refused = match reader.find_period(period, None).await? {
            // What a finalized period is delivered becomes a correction of it.
            Some(PeriodRecord { state: PeriodState::Finalized { .. }, .. }) if plan.rereads.is_none() => None,
            Some(record) => may(PeriodAct::Import, &record.state)
                .err()
                .map(|why| (why.to_string(), why.of(PeriodAct::Import, period).hint())),
            None => periods::require_near(period, actor).err().map(|refusal| {
                ("it was never opened, and it is far from today".to_owned(), refusal.hints.concat())
            }),
        };
        if let Some((why, hint)) = refused {
            let parts = delivered.sums.parts.iter().filter(|((of, _), _)| *of == period);
            let (rows, billed) = parts.fold((0, money::Amount::ZERO), |(rows, billed), (_, part)| {
                (rows + part.rows, billed + part.billed_cost)
            });
            lines.push(format!("{period}: {why} ({rows} rows, billed {billed})"));
            if !hints.contains(&hint) {
                hints.push(hint);
            }
        }
    }
    if lines.is_empty() {
        return Ok(None);
    }
    let mut refusal = Refusal::new("the delivery has charges of periods that take no imports").details(lines);
    refusal.hints = hints;
    Ok(Some(refusal))
}

/// What is to count.
struct Books<'a> {
    delivered: &'a Delivered,
    corrections: &'a Corrections,
    settlement: &'a Settlement,
    unusual: &'a [Looked],
}

/// Returns the periods that were opened; `None` when the books have changed since they were settled on.
async fn record(
    installation: &Installation,
    actor: &Actor,
    import: ImportId,
    plan: &Plan,
    books: &Books<'_>,
    outcome: &Outcome,
) -> Result<Option<Vec<Period>>, WorkflowError> {
    let Books { delivered, corrections, settlement, unusual } = *books;
    let mut tx = installation.ledger.begin().await?;
    let live: BTreeSet<PartKey> = live_parts(&mut tx, plan, delivered).await?.iter().map(part_key).collect();
    let digests: Vec<String> = delivered.files.iter().map(|file| file.sha256.clone()).collect();
    let came_first = match plan.rereads {
        Some(_) => None,
        None => tx.find_live_import_by_digest(&plan.source.name, &digests).await?,
    };
    if live != settlement.seen || came_first.is_some() {
        return Ok(None);
    }
    // A dry run may try other rules, a commit never has them.
    if reading::record(&mut tx, None).await? != plan.rules {
        return Err(Refusal::new(
            "the attribution table or the rate book changed while the delivery was read",
        )
        .hint("do it again")
        .into());
    }
    let opened = open_periods(&mut tx, actor, delivered, settlement).await?;
    if let Some(into) = corrections.into {
        periods::require(&mut tx, into, PeriodAct::Import).await?;
    }
    if tx.find_source(&plan.source.name).await?.is_none() {
        sources::create(&mut tx, actor, &plan.source.name, None).await?;
    }
    tx.fix_currency(installation.settings.currency.code).await?;
    let configuration_digest = tx.keep_configuration(&installation.configuration.text).await?;
    tx.commit_import(&import_record(import, plan, delivered, corrections, configuration_digest), actor)
        .await?;
    for part in &settlement.supersedes {
        tx.supersede_part(part, import).await?;
    }
    for looked in unusual {
        looked.record(&mut tx).await?;
    }
    let detail = json!({
        "source": plan.source.name,
        "mode": plan.mode,
        "files": delivered.files.iter().map(|file| json!({"name": file.name, "sha256": file.sha256})).collect::<Vec<_>>(),
        "charges": outcome.charges,
        "quarantined": outcome.quarantined,
        "billed_cost": outcome.billed_cost,
        "superseded": settlement.supersedes.iter().map(|part| part.import).collect::<BTreeSet<_>>(),
        "opened": opened,
        "corrected": corrections.corrected,
        "adjustments": corrections.rows,
    });
    let subject = format!("import {import}");
    tx.commit(AuditEvent::new(actor, "import.committed", subject, detail)).await?;
    failpoint::hit("workflow.import.recorded");
    Ok(Some(opened))
}

/// Periods of what is delivered and of what it supersedes.
fn touched(delivered: &Delivered, settlement: &Settlement) -> BTreeSet<Period> {
    let superseded = settlement.supersedes.iter().map(|part| part.period);
    delivered.periods.iter().copied().chain(superseded).collect()
}

async fn open_periods(
    tx: &mut Tx,
    actor: &Actor,
    delivered: &Delivered,
    settlement: &Settlement,
) -> Result<Vec<Period>, WorkflowError> {
    let mut opened = Vec::new();
    for period in touched(delivered, settlement) {
        if periods::open_if_new(tx, actor, period).await? {
            opened.push(period);
        }
        periods::require(tx, period, PeriodAct::Import).await?;
    }
    Ok(opened)
}

fn import_record(
    import: ImportId,
    plan: &Plan,
    delivered: &Delivered,
    corrections: &Corrections,
    configuration_digest: String,
) -> ImportRecord {
    let sums = total(&delivered.sums);
    let flags = delivered.sums.flags.iter();
    let adjusted = |cost: fn(&Part) -> Amount| -> Amount { corrections.parts.iter().map(cost).sum() };
    let parts = delivered.sums.parts.iter();
    ImportRecord {
        import,
        source: plan.source.name.clone(),
        expected_periods: plan.expected.clone(),
        mode: plan.mode,
        rereads: plan.rereads,
        configuration_digest,
        notes: plan.notes.iter().chain(&delivered.notes).cloned().collect(),
        files: delivered.files.clone(),
        charge_files: ledger_charge_files(
            import,
            &[delivered.charge_files.as_slice(), &corrections.files].concat(),
        ),
        quarantine_file: delivered.quarantine_file.clone(),
        rows: delivered.files.iter().map(|file| file.rows).sum(),
        charges: delivered.charges + corrections.rows,
        quarantined: delivered.problems.bad_rows,
        left_out: delivered.sums.left_out.values().map(|part| part.rows).sum(),
        flagged: sums.flagged_rows + corrections.rows,
        flags: flags
            .map(|(flag, sum)| FlagSum {
                flag: flag.name().to_owned(),
                rows: sum.rows,
                billed_cost: sum.billed_cost,
            })
            .collect(),
        costs: ImportCosts {
            list_cost: sums.list_cost + adjusted(|part| part.list_cost),
            contracted_cost: sums.contracted_cost + adjusted(|part| part.contracted_cost),
            billed_cost: sums.billed_cost + adjusted(|part| part.billed_cost),
            effective_cost: sums.effective_cost + adjusted(|part| part.effective_cost),
        },
        parts: parts
            .map(|((period, account), sums)| Part {
                key: PartKey { import, period: *period, account: account.clone().unwrap_or_default() },
                rows: sums.rows,
                flagged: sums.flagged_rows + corrections.rows,
                list_cost: sums.list_cost,
                contracted_cost: sums.contracted_cost,
                billed_cost: sums.billed_cost,
                effective_cost: sums.effective_cost,
                flagged_cost: sums.flagged_billed,
                billed_magnitude: sums.billed_magnitude,
            })
            .chain(corrections.parts.iter().cloned())
            .collect(),
    }
}
