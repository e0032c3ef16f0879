//! What a backup is: its list of files with their digests, and how files get into it.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::TEMPORARY;
use crate::{Refusal, WorkflowError};

/// The name of the list in a backup's folder.
pub const MANIFEST: &str = "manifest.json";
/// The shape of the list; a newer one is refused.
pub const FORMAT: u32 = 1;
pub(super) const PRODUCT: &str = "OpenChargeback";

/// All that a backup holds. Written last: a folder without it holds no backup.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    pub product: String,
    pub format: u32,
    /// The version of the program that made it.
    pub program: String,
    /// Whose: the id that the ledger has.
    pub installation: String,
    pub schema_version: i64,
    pub by: String,
    pub at: Timestamp,
    /// The last act that the ledger has.
    pub head: i64,
    pub ledger: Entry,
    /// The ledger was an `SQLite` file in the home. Otherwise the configuration names another place.
    pub ledger_in_home: bool,
    pub configuration: Vec<Entry>,
    /// Lake and documents.
    pub files: Vec<Entry>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Relative to the home, with `/`.
    pub path: String,
    /// Relative to the backup, with `/`.
    pub kept: String,
    pub size_bytes: u64,
    /// Lower-case hexadecimal.
    pub sha256: String,
}

impl Manifest {
    /// `None` where there is none.
    ///
    /// # Errors
    /// One that cannot be read, or is of a newer program.
    pub fn read(folder: &Path) -> Result<Option<Manifest>, WorkflowError> {
        let path = folder.join(MANIFEST);
        let text = match std::fs::read_to_string(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            text => text.map_err(|source| WorkflowError::file("read", &path, source))?,
        };
        let unreadable = |why: String| {
            Refusal::new(format!("`{}` cannot be read as the list of a backup: {why}", path.display()))
        };
        let value: serde_json::Value =
            serde_json::from_str(&text).map_err(|error| unreadable(error.to_string()))?;
        if value["product"] != PRODUCT {
            return Err(unreadable("it is another program's".to_owned()).into());
        }
        if value["format"] != FORMAT {
            let found = &value["format"];
            let why = format!("it has format {found}, and this program knows {FORMAT}");
            return Err(unreadable(why).hint("use the program that wrote it, or a newer one").into());
        }
        let manifest: Manifest =
            serde_json::from_value(value).map_err(|error| unreadable(error.to_string()))?;
        if let Some(entry) = manifest.entries().find(|entry| !is_plain(&entry.path) || !is_plain(&entry.kept))
        {
            let why = format!("`{}` is no path inside a folder", entry.path);
            return Err(unreadable(why).into());
        }
        Ok(Some(manifest))
    }

    pub(super) fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.files.iter().chain(&self.configuration).chain([&self.ledger])
    }

    pub(super) fn write(&self, folder: &Path) -> Result<(), WorkflowError> {
        let mut text =
            serde_json::to_string_pretty(self).map_err(|error| WorkflowError::Internal(error.to_string()))?;
        text.push('\n');
        crate::installation::write_file(&folder.join(MANIFEST), text.as_bytes())
    }

    /// Ledgers and configurations of backups before. Files of the lake and documents stay.
    pub(super) fn remove_what_it_does_not_name(&self, folder: &Path) -> Result<(), WorkflowError> {
        let named: BTreeSet<PathBuf> = self.entries().map(|entry| folder.join(&entry.kept)).collect();
        for part in ["ledger", "configuration"] {
            for entry in std::fs::read_dir(folder.join(part)).into_iter().flatten().flatten() {
                let path = entry.path();
                if !named.contains(&path) {
                    std::fs::remove_file(&path)
                        .map_err(|source| WorkflowError::file("remove", &path, source))?;
                }
            }
        }
        Ok(())
    }
}

/// A list that was tampered with must not lead outside of the folder.
fn is_plain(path: &str) -> bool {
    let mut parts = Path::new(path).components();
    !path.is_empty() && parts.all(|part| matches!(part, std::path::Component::Normal(_)))
}

/// SHA-256 in lower-case hexadecimal, and size.
pub(super) fn digest(path: &Path) -> Result<(String, u64), WorkflowError> {
    let mut nowhere = std::io::sink();
    let file = File::open(path).map_err(|source| super::missing(path, source))?;
    pour(file, &mut nowhere).map_err(|source| WorkflowError::file("read", path, source))
}

/// Copy under a temporary name, digesting on the way; `check` sees the digest before the file gets its name.
/// Never a link: damage to one would be damage to the other.
pub(super) fn copy(
    from: &Path,
    to: &Path,
    check: &mut dyn FnMut(&str) -> Result<(), WorkflowError>,
) -> Result<(String, u64), WorkflowError> {
    let source = File::open(from).map_err(|source| super::missing(from, source))?;
    let permissions = source.metadata().map(|data| data.permissions());
    let folder = to.parent().unwrap_or(Path::new("."));
    let failed = |source| WorkflowError::file("write", to, source);
    let create = || {
        std::fs::create_dir_all(folder)?;
        tempfile::Builder::new().prefix(TEMPORARY).tempfile_in(folder)
    };
    let mut file = create().map_err(failed)?;
    let copied = pour(source, file.as_file_mut()).map_err(failed)?;
    check(&copied.0)?;
    let finish = || {
        file.as_file().set_permissions(permissions?)?;
        file.as_file().sync_all()?;
        file.persist(to).map_err(|error| error.error)
    };
    finish().map_err(failed)?;
    Ok(copied)
}

/// Sync a file that is complete, and give it its name.
pub(super) fn put(temporary: &Path, to: &Path) -> Result<(), WorkflowError> {
    let put = || {
        File::open(temporary)?.sync_all()?;
        std::fs::rename(temporary, to)
    };
    put().map_err(|source| WorkflowError::file("write", to, source))?;
    to.parent().map_or(Ok(()), sync_folder)
}

pub(super) fn sync_folder(folder: &Path) -> Result<(), WorkflowError> {
    File::open(folder)
        .and_then(|folder| folder.sync_all())
        .map_err(|source| WorkflowError::file("sync the folder", folder, source))
}

fn pour(mut from: File, to: &mut dyn Write) -> std::io::Result<(String, u64)> {
    let (mut hash, mut size) = (Sha256::new(), 0);
    let mut bytes = vec![0; 1 << 20];
    loop {
        let read = from.read(&mut bytes)?;
        if read == 0 {
            return Ok((hex::encode(hash.finalize()), size));
        }
        hash.update(&bytes[..read]);
        to.write_all(&bytes[..read])?;
        size += read as u64;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_never_leaves_its_folder() {
        for (path, expected) in [
            ("instance/ledger.db", true),
            ("config.yaml", true),
            ("", false),
            ("/etc/passwd", false),
            ("../config.yaml", false),
            ("instance/../../x", false),
        ] {
            assert_eq!(is_plain(path), expected, "{path}");
        }
    }
}
