//! Files that are there whole or not at all: written under a temporary name in the same file system,
//! synced, renamed, and the folder synced.

use std::fs::{self, File};
use std::io::{BufWriter, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use sha2::{Digest, Sha256};

use crate::LakeError;

/// What temporary names begin with; readers and listings never look at such files.
pub(crate) const TEMPORARY: &str = ".tmp-";

/// A file being written. Dropped before [`commit`](NewFile::commit), it is removed.
pub(crate) struct NewFile {
    out: BufWriter<File>,
    digest: Option<Sha256>,
    written: u64,
    temporary: PathBuf,
    committed: bool,
}

impl NewFile {
    /// `owner` names who writes (`import-12`), so that a sweep finds what a crash left.
    pub(crate) fn create(folder: &Path, owner: &str) -> Result<NewFile, LakeError> {
        static SERIAL: AtomicU64 = AtomicU64::new(0);
        make_folder(folder)?;
        let serial = SERIAL.fetch_add(1, Ordering::Relaxed);
        let name = format!("{TEMPORARY}{owner}-{}-{serial}", std::process::id());
        let temporary = folder.join(name);
        let file = File::options()
            .write(true)
            .create_new(true)
            .open(&temporary)
            .map_err(LakeError::io("create", &temporary))?;
        Ok(NewFile {
            out: BufWriter::with_capacity(1 << 18, file),
            digest: None,
            written: 0,
            temporary,
            committed: false,
        })
    }

    /// Digest what is written on the way.
    pub(crate) fn with_digest(mut self) -> NewFile {
        self.digest = Some(Sha256::new());
        self
    }

    pub(crate) fn path(&self) -> &Path {
        &self.temporary
    }

    pub(crate) fn written(&self) -> u64 {
        self.written
    }

    /// Of all that was written; zeros without [`with_digest`](NewFile::with_digest).
    pub(crate) fn sha256(&mut self) -> [u8; 32] {
        self.digest.take().map_or([0; 32], |digest| digest.finalize().into())
    }

    /// Sync, and give the file its name. The file is then there for good.
    pub(crate) fn commit(mut self, target: &Path) -> Result<(), LakeError> {
        let temporary = self.temporary.clone();
        failpoint::hit("lake.file.complete");
        self.out.flush().map_err(LakeError::io("write", &temporary))?;
        failpoint::hit("lake.file.written");
        self.out.get_ref().sync_all().map_err(LakeError::io("sync", &temporary))?;
        failpoint::hit("lake.file.synced");
        let folder = target.parent().unwrap_or(Path::new("."));
        make_folder(folder)?;
        fs::rename(&temporary, target).map_err(LakeError::io("rename a new file to", target))?;
        self.committed = true;
        failpoint::hit("lake.file.renamed");
        sync_folder(folder)?;
        failpoint::hit("lake.file.kept");
        Ok(())
    }
}

impl Write for NewFile {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let taken = self.out.write(bytes)?;
        if let Some(digest) = &mut self.digest {
            digest.update(&bytes[..taken]);
        }
        self.written += taken as u64;
        Ok(taken)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.out.flush()
    }
}

impl Drop for NewFile {
    fn drop(&mut self) {
        if !self.committed {
            // A file that cannot be removed is left for the sweep; nobody reads it.
            let _ = fs::remove_file(&self.temporary);
        }
    }
}

/// Make the folder and those above it, syncing each one's entry in its parent.
pub(crate) fn make_folder(folder: &Path) -> Result<(), LakeError> {
    if folder.is_dir() {
        return Ok(());
    }
    if let Some(parent) = folder.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        make_folder(parent)?;
    }
    match fs::create_dir(folder) {
        Ok(()) => failpoint::hit("lake.folder.made"),
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(LakeError::io("create the folder", folder)(error)),
    }
    folder.parent().filter(|parent| !parent.as_os_str().is_empty()).map_or(Ok(()), sync_folder)
}

pub(crate) fn sync_folder(folder: &Path) -> Result<(), LakeError> {
    File::open(folder).and_then(|file| file.sync_all()).map_err(LakeError::io("sync the folder", folder))
}

/// Remove the files below `folder` whose name `is_left_over`. Missing folders have none.
pub(crate) fn remove_where(folder: &Path, is_left_over: &dyn Fn(&str) -> bool) -> Result<usize, LakeError> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(0),
        Err(error) => return Err(LakeError::io("list", folder)(error)),
    };
    let mut removed = 0;
    for entry in entries {
        let entry = entry.map_err(LakeError::io("list", folder))?;
        let path = entry.path();
        if path.is_dir() {
            removed += remove_where(&path, is_left_over)?;
        } else if entry.file_name().to_str().is_some_and(is_left_over) {
            fs::remove_file(&path).map_err(LakeError::io("remove", &path))?;
            removed += 1;
        }
    }
    Ok(removed)
}

/// What a file is now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileFound {
    pub size_bytes: u64,
    pub sha256: [u8; 32],
}

/// Size and SHA-256 of a file; `None` where there is none. `seen` is told of every run of bytes read.
pub(crate) fn digest_file(path: &Path, seen: &dyn Fn(u64)) -> Result<Option<FileFound>, LakeError> {
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(LakeError::io("open", path)(error)),
    };
    let (mut digest, mut size_bytes) = (Sha256::new(), 0);
    let mut bytes = vec![0; 1 << 18];
    loop {
        match file.read(&mut bytes).map_err(LakeError::io("read", path))? {
            0 => break,
            len => {
                digest.update(&bytes[..len]);
                size_bytes += len as u64;
                seen(len as u64);
            }
        }
    }
    Ok(Some(FileFound { size_bytes, sha256: digest.finalize().into() }))
}

/// Whether a file's bytes still have their SHA-256.
pub(crate) fn check_file(path: &Path, sha256: &[u8; 32]) -> Result<(), LakeError> {
    let gone = || LakeError::io("open", path)(std::io::ErrorKind::NotFound.into());
    let found = digest_file(path, &|_| ())?.ok_or_else(gone)?;
    if found.sha256 == *sha256 {
        return Ok(());
    }
    Err(LakeError::damaged(path, format!("its content has SHA-256 {}", hex::encode(found.sha256))))
}
