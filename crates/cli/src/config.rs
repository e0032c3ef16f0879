//! The configuration: one YAML file, read once, every problem named with its line. The keys are those
//! that existing installations have, and new ones beside them; `load.rs` is the list.
//!
//! ```text
//! config.yaml:12: currncy: unknown key (did you mean currency?)
//! config.yaml:9: smtp.port: `abc` is not a port number
//! ```

mod env_text;
mod home;
mod load;
mod reading;
mod show;
mod yaml;

use std::net::IpAddr;
use std::path::{Path, PathBuf};

use billing::settings::Settings;

pub use env_text::{EnvText, Environment, MissingVariable};
pub use home::{ConfigFile, Location, NoConfigFile};
pub use reading::{Finding, Place};

/// Everything the configuration says. Paths are absolute or start at `home`'s own path.
#[derive(Clone, Debug)]
pub struct Config {
    /// `None`: there is no file, the defaults hold.
    pub file: Option<PathBuf>,
    /// The folder that holds `instance/`.
    pub home: PathBuf,
    /// What rules depend on.
    pub settings: Settings,
    pub database: Database,
    pub institution: Institution,
    pub smtp: Smtp,
    pub email: Email,
    pub output: OutputFolders,
    pub logging: Logging,
    pub web: Web,
    /// E-mails go to files, not to SMTP.
    pub dev_mode: bool,
    /// What the owner should know, in the order of the lines; told by `config check`.
    pub notes: Vec<Finding>,
    effective: serde_json::Value,
}

#[derive(Clone, Debug)]
pub enum Database {
    /// An `SQLite` file.
    File(PathBuf),
    /// `postgres://…` or `sqlite:…`.
    Url(EnvText),
}

/// Who sends the statements; empty where not configured.
#[derive(Clone, Debug, Default)]
pub struct Institution {
    pub name: String,
    pub logo: Option<PathBuf>,
    pub contact_email: String,
}

/// The relay for statements. `host` is `None` until somebody configures it.
#[derive(Clone, Debug)]
pub struct Smtp {
    pub host: Option<String>,
    pub port: u16,
    pub use_tls: bool,
    pub username: EnvText,
    pub password: EnvText,
}

#[derive(Clone, Debug)]
pub struct Email {
    pub from_address: Option<String>,
    pub from_name: String,
    /// With `{billing_period}`.
    pub subject_template: String,
}

/// Where documents are written for people.
#[derive(Clone, Debug)]
pub struct OutputFolders {
    pub pdfs: PathBuf,
    pub drafts: PathBuf,
    pub journals: PathBuf,
    pub emails: PathBuf,
}

#[derive(Clone, Debug)]
pub struct Logging {
    pub enabled: bool,
    pub level: LogLevel,
    pub format: LogFormat,
    /// Beside standard error.
    pub file: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogLevel {
    Debug,
    Info,
    Warning,
    Error,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// `key=value`
    Splunk,
    Json,
}

#[derive(Clone, Debug)]
pub struct Web {
    pub enabled: bool,
    pub host: String,
    pub port: u16,
    pub secret_key: EnvText,
    pub session_lifetime_hours: u32,
    /// Without a request a session ends.
    pub idle_minutes: u32,
    /// Who may say on whose behalf a request comes, and that TLS ends there.
    pub trusted_proxy: Vec<IpAddr>,
    pub tls: Option<Tls>,
    /// Of one upload, as it arrives.
    pub upload_limit_mb: u32,
    /// Of one upload, unpacked.
    pub unpacked_limit_mb: u32,
    /// The head of a request must be there by then.
    pub head_seconds: u32,
    /// So long its body may stand still.
    pub body_seconds: u32,
    pub users: Vec<WebUser>,
    pub password_requirements: PasswordRequirements,
}

/// Files in PEM.
#[derive(Clone, Debug)]
pub struct Tls {
    pub certificate: PathBuf,
    pub key: PathBuf,
}

/// An account that the configuration brings along.
#[derive(Clone, Debug)]
pub struct WebUser {
    pub name: String,
    pub email: String,
    pub display_name: String,
    /// A bcrypt hash.
    pub password_hash: EnvText,
    pub role: Role,
    /// Always authenticates against the file.
    pub recovery: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Role {
    Viewer,
    Reviewer,
    Admin,
}

#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "the four keys of the file, as they are")]
pub struct PasswordRequirements {
    pub length_min: u32,
    pub uppercase: bool,
    pub lowercase: bool,
    pub numbers: bool,
    pub special_chars: bool,
}

/// Why there is no configuration to work with.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error(transparent)]
    NoFile(#[from] NoConfigFile),
    #[error("cannot read {}", path.display())]
    Unreadable { path: PathBuf, source: std::io::Error },
    /// `file` as messages name it.
    #[error("{file} has {}", counted(problems(findings).count()))]
    Problems { file: String, findings: Vec<Finding> },
}

/// A value of the command line that may name variables, as values of the file may.
#[must_use]
pub fn text_of_option(written: &str, option: &str) -> EnvText {
    EnvText::new(written, option, None)
}

/// The findings that are problems.
pub fn problems(findings: &[Finding]) -> impl Iterator<Item = &Finding> {
    findings.iter().filter(|finding| finding.is_problem)
}

fn counted(problems: usize) -> String {
    if problems == 1 { "1 problem".to_owned() } else { format!("{problems} problems") }
}

impl Config {
    /// Find the file, read it, fill in the defaults.
    ///
    /// # Errors
    /// [`ConfigError::Problems`] holds all that is wrong, notes included.
    pub fn load(location: &Location) -> Result<Config, ConfigError> {
        Config::load_in(location, &|name| std::env::var(name).ok())
    }

    /// [`load`](Config::load) with an environment handed in.
    pub fn load_in(location: &Location, environment: &Environment<'_>) -> Result<Config, ConfigError> {
        let found = location.find()?;
        let text = match &found.file {
            None => String::new(),
            Some(path) => std::fs::read_to_string(path)
                .map_err(|source| ConfigError::Unreadable { path: path.clone(), source })?,
        };
        let mut findings = found.notes.clone();
        let read = load::read(&text, &found, environment, &mut findings);
        findings.sort_by_key(|finding| finding.place.line);
        match read {
            Some(config) if problems(&findings).next().is_none() => Ok(Config { notes: findings, ..config }),
            _ => Err(ConfigError::Problems { file: found.shown, findings }),
        }
    }

    /// Variables that something will ask for in vain: `send` without a mail password.
    #[must_use]
    pub fn missing_variables(&self, environment: &Environment<'_>) -> Vec<MissingVariable> {
        let mut used = vec![&self.web.secret_key];
        if let Database::Url(url) = &self.database {
            used.push(url);
        }
        if !self.dev_mode {
            used.extend([&self.smtp.username, &self.smtp.password]);
        }
        used.extend(self.web.users.iter().map(|user| &user.password_hash));
        used.into_iter().filter_map(|text| text.resolve_in(environment).err()).collect()
    }

    /// Where an institution's own templates are looked for, in this order; then come the built-in ones.
    #[must_use]
    pub fn template_folders(&self) -> [PathBuf; 2] {
        [self.home.join("instance/templates"), self.home.join("templates")]
    }

    /// A path of the configuration or of a command: as it is, or from the home.
    #[must_use]
    pub fn at_home(&self, path: &Path) -> PathBuf {
        self.home.join(path)
    }

    /// The folder of the ledger, the lake and the documents.
    #[must_use]
    pub fn instance(&self) -> PathBuf {
        self.home.join("instance")
    }
}

/// A commented configuration for a newcomer, as `config init` writes it. It holds no passwords.
pub const COMMENTED: &str = include_str!("config/commented.yaml");

#[cfg(test)]
mod tests;
