use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use workflow::accounts::Accounts;

/// What the binary hands in; read from the configuration's `web`.
#[derive(Clone)]
pub struct Settings {
    pub host: String,
    pub port: u16,
    pub tls: Option<Tls>,
    /// Who may say on whose behalf a request comes (`X-Forwarded-For`), and that TLS ends there.
    pub trusted_proxies: Vec<IpAddr>,
    pub accounts: Accounts,
    /// Of one upload, as it arrives.
    pub upload_limit_bytes: u64,
    /// Of one compressed file, unpacked.
    pub unpacked_limit_bytes: u64,
    /// A head of a request that takes longer is of nobody who wants an answer.
    pub head_within: Duration,
    /// A body of which so long nothing more arrives has broken off.
    pub body_goes_on_within: Duration,
    pub configuration: Configuration,
    /// Where the time comes from.
    pub clock: Clock,
    pub version: &'static str,
}

/// The configuration in force, as pages show it.
#[derive(Clone, Debug)]
pub struct Configuration {
    /// `None`: the defaults hold.
    pub file: Option<PathBuf>,
    /// All effective values, without secrets.
    pub effective: serde_json::Value,
    /// Where the ledger is, without passwords.
    pub ledger: String,
}

#[derive(Clone, Debug)]
pub struct Tls {
    pub certificate: PathBuf,
    pub key: PathBuf,
}

pub type Clock = fn() -> jiff::Timestamp;

impl Settings {
    /// Whether browsers reach us by https: cookies are for that alone then.
    #[must_use]
    pub fn is_secure(&self) -> bool {
        self.tls.is_some() || !self.trusted_proxies.is_empty()
    }
}
