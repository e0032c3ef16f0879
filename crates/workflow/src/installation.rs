//! What every act works on: the books, the facts, the settings in force and where things are written.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use billing::Period;
use billing::settings::Settings;
use documents::{Institution, StatementRenderer, Template};
use lake::Lake;
use ledger::{Ledger, PeriodRecord, Reader};

use crate::WorkflowError;
use crate::kept::Kept;

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
    /// What was computed for pages and is still true.
    pub kept: Kept,
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
    /// Drafts of statements, a folder for each period.
    pub drafts: PathBuf,
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
pub const RULES_VERSION: u32 = 1;

impl Installation {
    /// The settings that a period is computed with: those it was closed with, or today's while it is open.
    ///
    /// # Errors
    /// A kept configuration that cannot be read.
    pub async fn settings_of(&self, reader: &mut Reader, period: Period) -> Result<Settings, WorkflowError> {
        let record = reader.find_period(period, None).await?;
        let Some(digest) = record.as_ref().and_then(PeriodRecord::closed_with) else {
            return Ok(self.settings.clone());
        };
        let digest = digest.to_owned();
        self.kept_settings(reader, &digest).await
    }

    /// The settings of a configuration that the ledger keeps.
    ///
    /// # Errors
    /// A digest that no act kept; a kept configuration that cannot be read.
    pub async fn kept_settings(&self, reader: &mut Reader, digest: &str) -> Result<Settings, WorkflowError> {
        if digest == self.configuration.digest {
            return Ok(self.settings.clone());
        }
        let text = reader.load_configuration(digest).await?;
        let kept: KeptSettings = serde_json::from_str(&text)
            .map_err(|error| WorkflowError::Internal(format!("kept configuration {digest}: {error}")))?;
        Ok(kept.settings)
    }

    /// As [`settings_of`](Installation::settings_of), and what journals need and the kept settings do not
    /// have is taken from today's: it says where money goes, not how much.
    ///
    /// # Errors
    /// A kept configuration that cannot be read.
    pub async fn settings_for_journal(
        &self,
        reader: &mut Reader,
        period: Period,
    ) -> Result<Settings, WorkflowError> {
        let kept = self.settings_of(reader, period).await?;
        Ok(with_accounts_of(kept, &self.settings))
    }

    /// # Errors
    /// An institution's template that does not work.
    pub fn renderer(&self) -> Result<StatementRenderer, WorkflowError> {
        let name = "statement.typ";
        let path = self.folders.templates.iter().map(|folder| folder.join(name)).find(|path| path.exists());
        let template = match path {
            Some(path) => {
                let text = std::fs::read_to_string(&path)
                    .map_err(|source| WorkflowError::file("read", &path, source))?;
                Some(Template { name: self.folders.shown(&path).to_string(), text })
            }
            None => None,
        };
        StatementRenderer::new(template, self.institution.clone(), &[])
            .map_err(|error| WorkflowError::Render { what: "statements".to_owned(), why: error.to_string() })
    }
}

/// Kept settings with the accounts that they lack taken from `today`.
#[must_use]
pub fn with_accounts_of(mut settings: Settings, today: &Settings) -> Settings {
    // What the other ledger has room for, and how documents are called there, changes no amount.
    settings.journal.limits.clone_from(&today.journal.limits);
    settings.journal.document_format.clone_from(&today.journal.document_format);
    for today in &today.sources {
        match settings.sources.iter_mut().find(|source| source.name == today.name) {
            Some(kept) => {
                kept.fund_org = kept.fund_org.take().or_else(|| today.fund_org.clone());
                kept.account_code = kept.account_code.take().or_else(|| today.account_code.clone());
            }
            None => settings.sources.push(today.clone()),
        }
    }
    if settings.journal.default_account.is_empty() {
        settings.journal.default_account.clone_from(&today.journal.default_account);
    }
    settings
}

/// What is read again of a kept configuration.
#[derive(serde::Deserialize)]
struct KeptSettings {
    settings: Settings,
}

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
