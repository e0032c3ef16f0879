//! From configuration to what acts work on.

use std::sync::Arc;

use anyhow::Context;
use billing::period::Stamp;
use documents::{Institution, Logo, LogoKind, Paper};
use ledger::{Ledger, Location};
use mail::{Credentials, Directory, Outbox, SendError, Sending, Smtp, SmtpSettings};
use workflow::installation::{EmailSettings, Folders, Installation, KeptConfiguration};
use workflow::kept::Kept;

use crate::config::{Config, Database};
use crate::output::Refusal;

/// Open the books and the lake.
///
/// # Errors
/// A database that is not ours or cannot be opened, a logo that cannot be read, a missing variable.
pub async fn open(config: &Config, stamp: &Stamp) -> Result<Installation, Refusal> {
    let location = match &config.database {
        Database::File(path) => Location::Sqlite(path.clone()),
        Database::Url(url) => Location::from_setting(&url.resolve()?, &config.home),
    };
    if let Location::Sqlite(path) = &location
        && let Some(folder) = path.parent()
    {
        std::fs::create_dir_all(folder).with_context(|| format!("cannot create `{}`", folder.display()))?;
    }
    let ledger = Ledger::open(&location, stamp).await?;
    let lake = lake::Lake::open(&config.instance().join("lake"))?;
    Ok(Installation {
        ledger,
        lake,
        settings: config.settings.clone(),
        configuration: KeptConfiguration { digest: config.digest(), text: config.effective_text() },
        folders: folders(config),
        institution: institution(config)?,
        email: email(config),
        template_config: config.to_json(),
        kept: Kept::default(),
    })
}

fn folders(config: &Config) -> Folders {
    Folders {
        home: config.home.clone(),
        documents: config.instance().join("documents"),
        pdfs: config.output.pdfs.clone(),
        drafts: config.output.drafts.clone(),
        journals: config.output.journals.clone(),
        emails: config.output.emails.clone(),
        templates: config.template_folders().to_vec(),
    }
}

fn institution(config: &Config) -> Result<Institution, Refusal> {
    let logo = match &config.institution.logo {
        None => None,
        Some(path) => {
            let bytes = std::fs::read(path)
                .with_context(|| format!("institution.logo: cannot read `{}`", path.display()))?;
            let extension = path.extension().map(|extension| extension.to_string_lossy().to_lowercase());
            let kind = match extension.as_deref() {
                Some("svg") => LogoKind::Svg,
                Some("jpg" | "jpeg") => LogoKind::Jpeg,
                Some("png") => LogoKind::Png,
                _ => {
                    let shown = path.display();
                    return Err(Refusal::new(format!(
                        "institution.logo: `{shown}` is not a .png, .jpg or .svg file"
                    )));
                }
            };
            Some(Logo { bytes, kind })
        }
    };
    Ok(Institution {
        name: config.institution.name.clone(),
        logo,
        contact_email: config.institution.contact_email.clone(),
        paper: Paper::default(),
    })
}

fn email(config: &Config) -> EmailSettings {
    let host = config.smtp.host.clone();
    let outbox: Arc<dyn Outbox> = if config.dev_mode {
        Arc::new(Directory::new(config.output.emails.clone()))
    } else if let Some(host) = host {
        Arc::new(Relay { config: config.clone(), host, smtp: tokio::sync::OnceCell::new() })
    } else {
        Arc::new(Nowhere)
    };
    let from = config.email.from_address.clone();
    EmailSettings {
        from_address: from.unwrap_or_default(),
        from_name: config.email.from_name.clone(),
        subject_template: config.email.subject_template.clone(),
        outbox,
    }
}

/// A relay whose user name and password are looked up when the first message is sent, and not before.
struct Relay {
    config: Config,
    host: String,
    smtp: tokio::sync::OnceCell<Smtp>,
}

impl Relay {
    fn connect(&self) -> Result<Smtp, SendError> {
        let not_sent = |cause: String| SendError::NotSent { stage: "before connecting", cause };
        let config = &self.config.smtp;
        let mut settings = SmtpSettings::new(self.host.clone(), config.port);
        settings.use_tls = config.use_tls;
        let username = config.username.resolve().map_err(|missing| not_sent(missing.to_string()))?;
        let password = config.password.resolve().map_err(|missing| not_sent(missing.to_string()))?;
        settings.credentials = (!username.is_empty()).then_some(Credentials { username, password });
        Smtp::new(settings).map_err(|error| not_sent(error.to_string()))
    }
}

impl Outbox for Relay {
    fn send<'a>(&'a self, message: &'a mail::Message) -> Sending<'a> {
        Box::pin(async move {
            let smtp = self.smtp.get_or_try_init(|| async { self.connect() }).await?;
            smtp.send(message).await
        })
    }
}

/// Nothing says where e-mail goes.
struct Nowhere;

impl Outbox for Nowhere {
    fn send<'a>(&'a self, _message: &'a mail::Message) -> Sending<'a> {
        Box::pin(async {
            Err(SendError::NotSent {
                stage: "no relay is configured",
                cause: "set `smtp.host`, or `dev_mode: true` to write e-mails to files".to_owned(),
            })
        })
    }
}
