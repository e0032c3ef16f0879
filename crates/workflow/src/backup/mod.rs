//! Back up an installation while others work with it: the ledger as of one act, and every file that the
//! ledger speaks of. A backup folder is used again and again: only files that are missing are copied.
//!
//! ```text
//! BACKUP/
//!   manifest.json     what the backup is: every file with its digest; written last
//!   ledger/           the ledger, an SQLite file, whatever the engine
//!   configuration/    the configuration, templates and logo
//!   files/            lake and documents, by their path in the home
//! ```
//!
//! Until the new manifest stands, the old one does, with everything that it names: who is interrupted has
//! the backup before. Start with [`backup`]; [`restore`](restore::restore) puts it back.

mod manifest;
pub mod restore;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{File, TryLockError};
use std::path::{Component, Path, PathBuf};

use ledger::{ImportFilter, Location, PrunedKind, Reader, StatementFilter};
use serde::Serialize;

pub use manifest::{Entry, FORMAT, MANIFEST, Manifest};

use crate::{Actor, Installation, Refusal, WorkflowError};

/// What to back up beside the ledger, the lake and the documents.
#[derive(Clone, Debug)]
pub struct Request {
    /// The backup's folder; made when missing.
    pub folder: PathBuf,
    /// The configuration file, when there is one.
    pub configuration: Option<PathBuf>,
    /// Other files of the configuration: a logo. Those outside the home are left to their owner.
    pub beside: Vec<PathBuf>,
    /// The version of the program, for people.
    pub program: String,
}

/// What was backed up.
#[derive(Clone, Debug, Serialize)]
pub struct BackedUp {
    pub folder: PathBuf,
    /// The last act that the backup has.
    pub head: i64,
    pub files: u64,
    pub size_bytes: u64,
    /// What was not there already, without the ledger, of which every backup has its own copy.
    pub copied_files: u64,
    pub copied_bytes: u64,
}

/// A file to back up.
struct Wanted {
    from: PathBuf,
    /// Where it belongs, relative to the home.
    home_path: String,
    /// What the ledger says of it.
    sha256: Option<String>,
}

/// # Errors
/// A folder that holds something else or the backup of another installation; a file that is missing, or is
/// not what the ledger says; full disks. The backup before stays as it was.
pub async fn backup(
    installation: &Installation,
    actor: &Actor,
    request: &Request,
) -> Result<BackedUp, WorkflowError> {
    let folder = &request.folder;
    let home = &installation.folders.home;
    let mut reader = installation.ledger.read().await?;
    let own = reader.installation().await?;
    let before = open_folder(folder, &own.id)?;
    let _lock = lock(folder)?;
    let ledger_home = match installation.ledger.location() {
        Location::Sqlite(path) => inside(home, path),
        Location::Postgres(_) => None,
    };
    let ledger_path = ledger_home.clone().unwrap_or_else(|| "instance/ledger.db".to_owned());
    let ledger = copy_ledger(&mut reader, folder, ledger_path).await?;
    failpoint::hit("workflow.backup.ledger_kept");
    let wanted = listed(installation, &mut reader).await?;
    let head = reader.head();
    drop(reader);
    let known: BTreeMap<&str, &Entry> = before
        .iter()
        .flat_map(|manifest| &manifest.files)
        .map(|entry| (entry.path.as_str(), entry))
        .collect();
    let keep = || {
        let mut keeper =
            Keeper { folder, known: &known, copied_files: 0, copied_bytes: 0, folders: BTreeSet::new() };
        let files = wanted.iter().map(|file| keeper.keep(file)).collect::<Result<Vec<Entry>, _>>()?;
        let configuration = keep_configuration(installation, request, &mut keeper)?;
        keeper.sync()?;
        Ok::<_, WorkflowError>((files, configuration, keeper.copied_files, keeper.copied_bytes))
    };
    let (files, configuration, copied_files, copied_bytes) = tokio::task::block_in_place(keep)?;
    failpoint::hit("workflow.backup.files_kept");
    let manifest = Manifest {
        product: manifest::PRODUCT.to_owned(),
        format: FORMAT,
        program: request.program.clone(),
        installation: own.id,
        schema_version: own.schema_version,
        by: actor.by.clone(),
        at: actor.at,
        head: head.0,
        ledger,
        ledger_in_home: ledger_home.is_some(),
        configuration,
        files,
    };
    manifest.write(folder)?;
    failpoint::hit("workflow.backup.listed");
    manifest.remove_what_it_does_not_name(folder)?;
    let all = || manifest.files.iter().chain(&manifest.configuration).chain([&manifest.ledger]);
    Ok(BackedUp {
        folder: folder.clone(),
        head: head.0,
        files: all().count() as u64,
        size_bytes: all().map(|entry| entry.size_bytes).sum(),
        copied_files,
        copied_bytes,
    })
}

/// The manifest that is there; `None` for a new folder, or one where the first backup was interrupted.
fn open_folder(folder: &Path, installation: &str) -> Result<Option<Manifest>, WorkflowError> {
    std::fs::create_dir_all(folder).map_err(|source| WorkflowError::file("create", folder, source))?;
    let entries = std::fs::read_dir(folder).map_err(|source| WorkflowError::file("list", folder, source))?;
    for entry in entries {
        let name = entry.map_err(|source| WorkflowError::file("list", folder, source))?.file_name();
        let is_ours = [MANIFEST, LOCK, "ledger", "configuration", "files"].iter().any(|ours| name == *ours);
        if !is_ours && !name.to_string_lossy().starts_with(TEMPORARY) {
            let (shown, name) = (folder.display(), name.display());
            return Err(Refusal::new(format!(
                "`{shown}` is no backup: it holds `{name}`; nothing was written"
            ))
            .hint("name a new folder, or one that `backup` made")
            .into());
        }
    }
    let before = Manifest::read(folder)?;
    match &before {
        Some(before) if before.installation != installation => {
            Err(Refusal::new(format!("`{}` is the backup of another installation", folder.display()))
                .hint("name a folder of its own for each installation")
                .into())
        }
        _ => Ok(before),
    }
}

const LOCK: &str = ".lock";
const TEMPORARY: &str = ".writing-";

/// One backup at a time; the lock is gone with the process.
fn lock(folder: &Path) -> Result<File, WorkflowError> {
    let path = folder.join(LOCK);
    let failed = |source| WorkflowError::file("lock", &path, source);
    let file = File::options().create(true).truncate(false).write(true).open(&path).map_err(failed)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => {
            Err(Refusal::new(format!("another backup into `{}` is running", folder.display())).into())
        }
        Err(TryLockError::Error(source)) => Err(WorkflowError::file("lock", &path, source)),
    }
}

/// `path` from the home, with `/`; `None` outside of it.
fn inside(home: &Path, path: &Path) -> Option<String> {
    let relative = path.strip_prefix(home).ok()?;
    let plain = relative.components().all(|part| matches!(part, Component::Normal(_)));
    let text = relative.to_str().filter(|text| plain && !text.is_empty())?;
    Some(text.to_owned())
}

/// The snapshot as an `SQLite` file, proven while it is written.
async fn copy_ledger(reader: &mut Reader, folder: &Path, home_path: String) -> Result<Entry, WorkflowError> {
    let ledgers = folder.join("ledger");
    let temporary = ledgers.join(format!("{TEMPORARY}ledger.db"));
    for left_over in ["", "-journal", "-wal", "-shm"] {
        let mut name = temporary.clone().into_os_string();
        name.push(left_over);
        match std::fs::remove_file(&name) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(WorkflowError::file("remove", Path::new(&name), error));
            }
            _ => {}
        }
    }
    reader.copy_to(&Location::Sqlite(temporary.clone()), None).await?;
    let (sha256, size_bytes) = manifest::digest(&temporary)?;
    let kept = format!("ledger/{:08}-{}.db", reader.head().0, &sha256[..8]);
    manifest::put(&temporary, &folder.join(&kept))?;
    Ok(Entry { path: home_path, kept, size_bytes, sha256 })
}

/// Every file that the ledger speaks of and that was not pruned.
async fn listed(installation: &Installation, reader: &mut Reader) -> Result<Vec<Wanted>, WorkflowError> {
    let pruned: BTreeSet<(billing::ImportId, PrunedKind, String)> = reader
        .list_pruned_files(None)
        .await?
        .into_iter()
        .map(|row| (row.file.import, row.file.kind, row.file.path))
        .collect();
    let mut lake: BTreeMap<String, Option<String>> = BTreeMap::new();
    for file in reader.list_charge_files(None, None).await? {
        if !pruned.contains(&(file.import, PrunedKind::Charges, file.path.clone())) {
            lake.insert(file.path, Some(file.sha256));
        }
    }
    for row in reader.list_imports(&ImportFilter::default()).await? {
        for file in reader.list_delivered_files(row.import).await? {
            let path = lake::delivery_path(&file.sha256);
            if !pruned.contains(&(row.import, PrunedKind::Delivery, path.clone())) {
                lake.insert(path, None);
            }
        }
        if let Some(path) = row.quarantine_file
            && !pruned.contains(&(row.import, PrunedKind::Quarantine, path.clone()))
        {
            lake.insert(path, None);
        }
    }
    let mut documents: BTreeMap<String, String> = BTreeMap::new();
    for document in reader.list_statement_documents(&StatementFilter::default()).await? {
        documents.insert(document.path, document.sha256);
    }
    for export in reader.list_journal_exports(None).await? {
        documents.insert(format!("{}/{}.journal", &export.sha256[..2], export.sha256), export.sha256);
    }
    let lake = lake.into_iter().map(|(path, sha256)| Wanted {
        from: installation.lake.root().join(&path),
        home_path: format!("instance/lake/{path}"),
        sha256,
    });
    let documents = documents.into_iter().map(|(path, sha256)| Wanted {
        from: installation.folders.documents.join(&path),
        home_path: format!("instance/documents/{path}"),
        sha256: Some(sha256),
    });
    Ok(lake.chain(documents).collect())
}

/// The configuration changes: each backup has its own.
fn keep_configuration(
    installation: &Installation,
    request: &Request,
    keeper: &mut Keeper<'_>,
) -> Result<Vec<Entry>, WorkflowError> {
    let home = &installation.folders.home;
    let mut files: BTreeMap<String, PathBuf> = BTreeMap::new();
    let mut folders: Vec<PathBuf> = installation.folders.templates.clone();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).into_iter().flatten() {
            let path = entry.map_err(|source| WorkflowError::file("list", &folder, source))?.path();
            if path.is_dir() {
                folders.push(path);
            } else if let Some(name) = inside(home, &path) {
                files.insert(name, path);
            }
        }
    }
    for path in &request.beside {
        files.extend(inside(home, path).map(|name| (name, path.clone())));
    }
    if let Some(path) = &request.configuration {
        let name = inside(home, path).unwrap_or_else(|| "config.yaml".to_owned());
        files.insert(name, path.clone());
    }
    files.into_iter().map(|(home_path, from)| keeper.keep_by_digest(&from, home_path)).collect()
}

/// Copies what is missing.
struct Keeper<'a> {
    folder: &'a Path,
    /// What the manifest before says of the files in the folder, by path.
    known: &'a BTreeMap<&'a str, &'a Entry>,
    copied_files: u64,
    copied_bytes: u64,
    folders: BTreeSet<PathBuf>,
}

impl Keeper<'_> {
    /// A file that never changes: once it is there, it is the same.
    fn keep(&mut self, file: &Wanted) -> Result<Entry, WorkflowError> {
        let kept = format!("files/{}", file.home_path);
        let target = self.folder.join(&kept);
        let missing = |source| missing(&file.from, source);
        let size = std::fs::metadata(&file.from).map_err(missing)?.len();
        let there = std::fs::metadata(&target).ok().map(|known| known.len());
        if let Some(known) = self.known.get(file.home_path.as_str())
            && there == Some(size)
            && known.size_bytes == size
        {
            return Ok((*known).clone());
        }
        // Left by a backup that was interrupted: whole, because it has its name, but not listed.
        if there == Some(size) {
            let (sha256, size_bytes) = manifest::digest(&target)?;
            let original = match &file.sha256 {
                Some(sha256) => sha256.clone(),
                None => manifest::digest(&file.from)?.0,
            };
            if sha256 == original {
                return Ok(Entry { path: file.home_path.clone(), kept, size_bytes, sha256 });
            }
        }
        let (sha256, size_bytes) = manifest::copy(&file.from, &target, &mut |found| match &file.sha256 {
            Some(said) if said != found => Err(damaged(&file.from)),
            _ => Ok(()),
        })?;
        self.copied(&target, size_bytes);
        failpoint::hit("workflow.backup.file_kept");
        Ok(Entry { path: file.home_path.clone(), kept, size_bytes, sha256 })
    }

    /// A file that may change: its name in the backup says which content it is.
    fn keep_by_digest(&mut self, from: &Path, home_path: String) -> Result<Entry, WorkflowError> {
        let (sha256, size_bytes) = manifest::digest(from)?;
        let kept = format!("configuration/{sha256}");
        let target = self.folder.join(&kept);
        if !target.exists() {
            let same = &mut |found: &str| if found == sha256 { Ok(()) } else { Err(changed(from)) };
            manifest::copy(from, &target, same)?;
            self.copied(&target, size_bytes);
        }
        Ok(Entry { path: home_path, kept, size_bytes, sha256 })
    }

    fn copied(&mut self, target: &Path, size_bytes: u64) {
        self.copied_files += 1;
        self.copied_bytes += size_bytes;
        // A new folder is an entry of the one above it.
        let above = target.ancestors().skip(1).take_while(|folder| folder.starts_with(self.folder));
        self.folders.extend(above.map(Path::to_owned));
    }

    /// Names last, once for each folder.
    fn sync(&self) -> Result<(), WorkflowError> {
        self.folders.iter().try_for_each(|folder| manifest::sync_folder(folder))
    }
}

fn missing(path: &Path, source: std::io::Error) -> WorkflowError {
    if source.kind() != std::io::ErrorKind::NotFound {
        return WorkflowError::file("read", path, source);
    }
    Refusal::new(format!("`{}` is missing, so the installation cannot be backed up whole", path.display()))
        .hint("put it back from the last backup; if deliveries are being pruned just now, run this again")
        .into()
}

fn damaged(path: &Path) -> WorkflowError {
    Refusal::new(format!("`{}` is not what was written: it is damaged", path.display()))
        .hint("put it back from the last backup, which stays as it is")
        .into()
}

fn changed(path: &Path) -> WorkflowError {
    Refusal::new(format!("`{}` was changed while it was copied", path.display()))
        .hint("run this again")
        .into()
}
