//! Draft statements, to be looked at before a period is closed: files marked DRAFT, and nothing else. No
//! number is taken, nothing is recorded, nothing can be sent.

use std::path::Path;

use billing::statement::Statement;
use billing::{Period, StatementNumber};
use documents::{statement_csv_name, statement_file_name};

use crate::generate::{Drafts, Generated, draft};
use crate::installation::write_file;
use crate::render::on_every_core;
use crate::{Actor, Installation, WorkflowError};

/// A statement with the bytes of all its resources, where there are more than it lists.
type Work = (Statement, Option<Vec<u8>>);

/// Write a draft for everybody who has something billable in the period, in whatever state it is. Drafts
/// of an earlier run go away.
///
/// # Errors
/// A period that was never opened; a template that does not work; what could not be read or written.
pub async fn write_drafts(
    installation: &Installation,
    actor: &Actor,
    period: Period,
    progress: &(dyn Fn(usize, usize) + Sync),
) -> Result<Generated, WorkflowError> {
    const CHANGES_NOTHING: bool = true;
    let Drafts { drafts, held, alerts, .. } = draft(installation, period, CHANGES_NOTHING).await?;
    let today = actor.day();
    let mut statements = Vec::with_capacity(drafts.len());
    let mut work: Vec<Work> = Vec::with_capacity(drafts.len());
    for (at, mut draft) in (1_u32..).zip(drafts) {
        statements.push(draft.described());
        let statement = Statement {
            // Tells the files of two projects apart whose names look alike.
            number: StatementNumber(format!("draft-{at:04}")),
            version: 0,
            replaces: draft.replaces(),
            issued_on: today,
            ..draft.statement
        };
        work.push((statement, draft.all_resources.take()));
    }
    let folder = installation.folders.drafts.join(period.to_string());
    clear(&folder)?;
    let renderer = installation.renderer()?;
    let write = |item: &Work| write_draft(&folder, &renderer, item);
    let names = tokio::task::block_in_place(|| on_every_core(&work, progress, write))?;
    for (issued, name) in statements.iter_mut().zip(names) {
        issued.path = Some(installation.folders.shown(&folder.join(name)).to_string());
    }
    Ok(Generated { rendered: statements.len(), statements, held, alerts })
}

fn write_draft(
    folder: &Path,
    renderer: &documents::StatementRenderer,
    (statement, all_resources): &Work,
) -> Result<String, WorkflowError> {
    let pdf = renderer.render(statement).map_err(|error| WorkflowError::Render {
        what: format!("the draft for {}, {}", statement.pi_email, statement.project_id),
        why: error.to_string(),
    })?;
    let named = |name: fn(Period, &str, &str, &StatementNumber, u32) -> String| {
        let Statement { period, pi_email, project_id, number, version, .. } = statement;
        name(*period, pi_email, project_id, number, *version)
    };
    let name = named(statement_file_name);
    write_file(&folder.join(&name), &pdf)?;
    if let Some(csv) = all_resources {
        write_file(&folder.join(named(statement_csv_name)), csv)?;
    }
    Ok(name)
}

/// Take away the drafts of an earlier run: a project that is billed nothing any more has none.
fn clear(folder: &Path) -> Result<(), WorkflowError> {
    let failed = |source| WorkflowError::file("read", folder, source);
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(failed(error)),
    };
    for entry in entries {
        let path = entry.map_err(failed)?.path();
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        // Only what this act writes: the folder is the institution's.
        if name.contains("_draft-") && (name.ends_with("_v0.pdf") || name.ends_with("_v0.csv")) {
            std::fs::remove_file(&path).map_err(|source| WorkflowError::file("remove", &path, source))?;
        }
    }
    Ok(())
}
