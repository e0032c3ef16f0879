//! Put a backup back, into an empty place.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use ledger::{AuditEvent, Ledger, Location};
use serde::Serialize;
use serde_json::json;

use super::{Entry, MANIFEST, Manifest, manifest};
use crate::{Actor, Refusal, WorkflowError};

/// What was restored.
#[derive(Clone, Debug, Serialize)]
pub struct Restored {
    pub home: PathBuf,
    /// Of the backup: its last act, and when it was made by whom.
    pub head: i64,
    pub made_at: jiff::Timestamp,
    pub made_by: String,
    pub files: u64,
    pub size_bytes: u64,
    /// Where the ledger is now.
    pub ledger: PathBuf,
    /// The configuration that names another database: put aside, so that the restored lake is not used with
    /// a ledger that went on.
    pub configuration_aside: Option<PathBuf>,
}

/// Its presence says that the home is not whole yet.
const UNFINISHED: &str = ".restoring";

/// Every file is compared with its digest before it gets its name; the ledger is proven; then the restoring is
/// recorded in it. Interrupted, it can be repeated into the same place.
///
/// # Errors
/// A place that is not empty; a backup without a manifest, or with a file that is missing or damaged.
pub async fn restore(folder: &Path, home: &Path, actor: &Actor) -> Result<Restored, WorkflowError> {
    let Some(manifest) = Manifest::read(folder)? else {
        let shown = folder.display();
        return Err(Refusal::new(format!(
            "`{shown}` has no `{MANIFEST}`, so it is no backup, or not a whole one"
        ))
        .hint("a backup that was interrupted can be made again into the same folder")
        .into());
    };
    require_empty(home)?;
    let unfinished = home.join(UNFINISHED);
    crate::installation::write_file(&unfinished, folder.display().to_string().as_bytes())?;
    tokio::task::block_in_place(|| put_files(folder, home, &manifest))?;
    let aside = put_configuration(folder, home, &manifest)?;
    let ledger = home.join(&manifest.ledger.path);
    put_ledger(folder, &ledger, &manifest, actor).await?;
    failpoint::hit("workflow.restore.ledger_kept");
    std::fs::remove_file(&unfinished).map_err(|source| WorkflowError::file("remove", &unfinished, source))?;
    manifest::sync_folder(home)?;
    Ok(Restored {
        home: home.to_owned(),
        head: manifest.head,
        made_at: manifest.at,
        made_by: manifest.by.clone(),
        files: manifest.entries().count() as u64,
        size_bytes: manifest.entries().map(|entry| entry.size_bytes).sum(),
        ledger,
        configuration_aside: aside,
    })
}

/// Nothing is there, or what an interrupted restoring left.
fn require_empty(home: &Path) -> Result<(), WorkflowError> {
    if home.join(UNFINISHED).exists() {
        return Ok(());
    }
    let entries = match std::fs::read_dir(home) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        entries => entries.map_err(|source| WorkflowError::file("list", home, source))?,
    };
    match entries.flatten().next() {
        None => Ok(()),
        Some(entry) => {
            let (home, name) = (home.display(), entry.file_name());
            Err(Refusal::new(format!(
                "`{home}` is not empty: it holds `{}`; nothing was restored",
                name.display()
            ))
            .hint("`--home FOLDER` names an empty or a new folder")
            .into())
        }
    }
}

fn put_files(folder: &Path, home: &Path, manifest: &Manifest) -> Result<(), WorkflowError> {
    let mut folders = BTreeSet::new();
    for entry in &manifest.files {
        let target = home.join(&entry.path);
        // What an interrupted restoring left has its name because it was whole.
        if std::fs::metadata(&target).is_ok_and(|there| there.len() == entry.size_bytes)
            && manifest::digest(&target)?.0 == entry.sha256
        {
            continue;
        }
        put(folder, entry, &target)?;
        folders.extend(
            target.ancestors().skip(1).take_while(|above| above.starts_with(home)).map(Path::to_owned),
        );
        failpoint::hit("workflow.restore.file_kept");
    }
    folders.iter().try_for_each(|folder| manifest::sync_folder(folder))
}

/// Copy one file, if it still is what the list says.
fn put(folder: &Path, entry: &Entry, target: &Path) -> Result<(), WorkflowError> {
    let from = folder.join(&entry.kept);
    let lost = |what: &str| {
        Refusal::new(format!(
            "the backup is damaged: `{}` {what}; the restoring is not complete",
            from.display()
        ))
        .hint("restore from another backup, into another empty folder")
    };
    if !from.exists() {
        return Err(lost("is missing").into());
    }
    let check = &mut |found: &str| {
        if found == entry.sha256 { Ok(()) } else { Err(lost("is not what was backed up").into()) }
    };
    manifest::copy(&from, target, check).map(drop)
}

/// A configuration that names another database is put aside; the path is given.
fn put_configuration(
    folder: &Path,
    home: &Path,
    manifest: &Manifest,
) -> Result<Option<PathBuf>, WorkflowError> {
    let mut aside = None;
    for entry in &manifest.configuration {
        let is_the_file = ["config.yaml", "instance/config.yaml"].contains(&entry.path.as_str());
        let target = if is_the_file && !manifest.ledger_in_home {
            let path = home.join(format!("{}.from-backup", entry.path));
            aside = Some(path.clone());
            path
        } else {
            home.join(&entry.path)
        };
        put(folder, entry, &target)?;
    }
    Ok(aside)
}

async fn put_ledger(
    folder: &Path,
    target: &Path,
    manifest: &Manifest,
    actor: &Actor,
) -> Result<(), WorkflowError> {
    for beside in ["-wal", "-shm", "-journal"] {
        let mut name = target.as_os_str().to_owned();
        name.push(beside);
        let _ = std::fs::remove_file(&name);
    }
    put(folder, &manifest.ledger, target)?;
    let ledger = Ledger::open(&Location::Sqlite(target.to_owned()), actor).await?;
    let mut tx = ledger.begin().await?;
    let check = tx.verify_books().await?;
    if let Some(finding) = check.findings.first() {
        return Err(Refusal::new(format!("the restored ledger does not prove: {finding}")).into());
    }
    let detail =
        json!({ "backup": folder.display().to_string(), "head": manifest.head, "made_at": manifest.at });
    let event = AuditEvent::new(actor, "installation.restored", "installation", detail);
    tx.commit(event).await?;
    ledger.close().await;
    Ok(())
}
