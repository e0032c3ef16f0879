//! What every act works on: the books, the facts, the settings in force and where things are written.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use billing::settings::Settings;
use documents::Institution;
use lake::Lake;
use ledger::Ledger;

use crate::WorkflowError;

/// Who acts, and when: the door reads the clock once for each act.
pub use billing::period::Stamp as Actor;

pub struct Installation {
    pub ledger: Ledger,
    pub lake: Lake,
    pub settings: Settings,
    /// The effective configuration without secrets, as the ledger keeps it.
    pub configuration: KeptConfiguration,
    pub folders: Folders,
    pub institution: Institution,
    pub email: EmailSettings,
    /// The configuration as journal templates may see it: without secrets.
    pub template_config: serde_json::Value,
}

#[derive(Clone, Debug)]
pub struct KeptConfiguration {
    /// SHA-256 of `text`, in hex.
    pub digest: String,
    /// Canonical JSON.
    pub text: String,
}

/// Absolute paths.
#[derive(Clone, Debug)]
pub struct Folders {
    pub home: PathBuf,
    /// Issued documents by digest.
    pub documents: PathBuf,
    pub pdfs: PathBuf,
    pub journals: PathBuf,
    pub emails: PathBuf,
    /// Where institutions keep their own templates, in the order they are searched.
    pub templates: Vec<PathBuf>,
}

#[derive(Clone)]
pub struct EmailSettings {
    pub from_address: String,
    pub from_name: String,
    pub subject_template: String,
    pub outbox: Arc<dyn mail::Outbox>,
}

/// The version of the rules that statements and journals are computed by; recorded with each of them.
pub const RULES_VERSION: &str = "1";

impl Folders {
    /// A path as people should see it: below the home without it, elsewhere in full.
    #[must_use]
    pub fn shown<'a>(&self, path: &'a Path) -> std::path::Display<'a> {
        path.strip_prefix(&self.home).unwrap_or(path).display()
    }
}

/// Write a file so that it is there whole or not at all: to a temporary name, synced, then renamed.
///
/// # Errors
/// [`WorkflowError::File`] names the path.
pub fn write_file(path: &Path, bytes: &[u8]) -> Result<(), WorkflowError> {
    use std::io::Write as _;
    let folder = path.parent().unwrap_or(Path::new("."));
    let write = || {
        std::fs::create_dir_all(folder)?;
        let mut file = tempfile::Builder::new().prefix(".writing-").tempfile_in(folder)?;
        file.write_all(bytes)?;
        file.as_file().sync_all()?;
        file.persist(path).map_err(|error| error.error)?;
        std::fs::File::open(folder)?.sync_all()
    };
    write().map_err(|source| WorkflowError::file("write", path, source))
}
