use billing::period::Stamp;
use money::Currency;
use workflow::Installation;

use crate::args::GlobalArgs;
use crate::config::{Config, ConfigError, Location, problems};
use crate::output::{Output, Refusal};

/// What every command that works on an installation has at hand.
#[derive(Clone, Debug)]
pub struct Door {
    pub config: Config,
    pub output: Output,
    by: String,
}

impl Door {
    /// Read the configuration.
    ///
    /// # Errors
    /// With every problem of the configuration as a detail.
    pub fn open(global: &GlobalArgs, output: Output) -> Result<Door, Refusal> {
        let location = Location::new(global.config.as_deref(), global.home.as_deref());
        let config = Config::load(&location).map_err(refusal)?;
        Ok(Door { config, output, by: acting(global) })
    }

    /// Who acts, and now: the only place where the program asks the clock.
    #[must_use]
    pub fn stamp(&self) -> Stamp {
        Stamp { by: self.by.clone(), at: now() }
    }

    /// The books and the lake of the installation.
    ///
    /// # Errors
    /// What keeps them from being opened.
    pub async fn installation(&self) -> Result<Installation, Refusal> {
        let installation = super::installation::open(&self.config, &self.stamp()).await?;
        if let Some(upgraded) = installation.ledger.upgraded() {
            self.output.message(&super::keeping::upgraded(upgraded, &self.config.home));
        }
        Ok(installation)
    }

    /// Who may sign in, as commands need it.
    ///
    /// # Errors
    /// A password hash from a variable that is not set.
    pub fn accounts(&self) -> Result<workflow::accounts::Accounts, Refusal> {
        super::accounts(&self.config)
    }

    /// The currency amounts are shown in.
    #[must_use]
    pub fn currency(&self) -> &Currency {
        &self.config.settings.currency
    }
}

/// Who acts, and now, where there is no configuration yet.
pub fn stamp(global: &GlobalArgs) -> Stamp {
    Stamp { by: acting(global), at: now() }
}

/// `FOCUS_BILLING_NOW` stands for the clock where it is set (an RFC 3339 time), so that a run can be
/// repeated as it was.
#[expect(clippy::disallowed_methods, reason = "here is where times are taken to be handed in")]
pub fn now() -> jiff::Timestamp {
    let given = std::env::var("FOCUS_BILLING_NOW").ok().and_then(|text| text.parse().ok());
    given.unwrap_or_else(jiff::Timestamp::now)
}

fn acting(global: &GlobalArgs) -> String {
    let named = global.acting_as.clone();
    let from_environment =
        || ["USER", "LOGNAME", "USERNAME"].iter().find_map(|name| std::env::var(name).ok());
    named.or_else(from_environment).filter(|name| !name.trim().is_empty()).unwrap_or_else(|| "cli".to_owned())
}

fn refusal(error: ConfigError) -> Refusal {
    let details = match &error {
        ConfigError::Problems { findings, .. } => problems(findings).map(ToString::to_string).collect(),
        _ => Vec::new(),
    };
    Refusal::from(error).with_details(details)
}
