use std::fmt;
use std::future::Future;
use std::time::Duration;

use lettre::transport::smtp::Error;
use lettre::transport::smtp::authentication::{Credentials as Login, Mechanism};
use lettre::transport::smtp::client::{AsyncSmtpConnection, Certificate, TlsParameters};
use lettre::transport::smtp::commands::{Data, Mail, Rcpt};
use lettre::transport::smtp::extension::{ClientId, Extension, MailParameter};
use tokio::sync::Mutex;
use tokio::time::timeout;

use crate::{BadMessage, Message, Outbox, SendError, Sending, Sent};

/// A relay: the keys `smtp.*` of the configuration.
#[derive(Clone, Debug)]
pub struct SmtpSettings {
    pub host: String,
    pub port: u16,
    /// TLS, required and checked. Without it everything goes in the clear, for a relay on the same
    /// machine.
    pub use_tls: bool,
    /// With TLS: from the first byte (port 465; RFC 8314, 3.3) instead of by STARTTLS.
    pub tls_from_start: bool,
    pub credentials: Option<Credentials>,
    /// PEM certificates that are trusted beside those of the system.
    pub extra_roots: Vec<Vec<u8>>,
    /// How long the server may take for each answer.
    pub patience: Duration,
    /// How long it may take to receive the text and answer for it. Relays scan a message first, and
    /// giving up too early leaves it uncertain (RFC 5321, 4.5.3.2.6, has ten minutes).
    pub patience_for_text: Duration,
}

impl SmtpSettings {
    /// TLS as the port has it, no login, the roots of the system; patience of 30 seconds, of two minutes for the text.
    pub fn new(host: impl Into<String>, port: u16) -> SmtpSettings {
        SmtpSettings {
            host: host.into(),
            port,
            use_tls: true,
            tls_from_start: port == SUBMISSIONS,
            credentials: None,
            extra_roots: Vec::new(),
            patience: Duration::from_secs(30),
            patience_for_text: Duration::from_mins(2),
        }
    }
}

#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    pub username: String,
    pub password: String,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Credentials({}, …)", self.username)
    }
}

#[derive(Debug, thiserror::Error)]
pub enum SmtpSettingsError {
    #[error("`smtp.host` is empty; name the mail relay, or set `dev_mode: true` to write e-mails to files")]
    NoHost,
    #[error("certificate {number} of the mail server is not a PEM certificate")]
    Certificate { number: usize },
    #[error("the certificates of this system cannot be used")]
    Tls(#[source] Error),
}

/// Sends over one connection, which is kept from message to message.
pub struct Smtp {
    settings: SmtpSettings,
    tls: Option<TlsParameters>,
    hello: ClientId,
    connection: Mutex<Option<AsyncSmtpConnection>>,
}

impl fmt::Debug for Smtp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Smtp({}:{})", self.settings.host, self.settings.port)
    }
}

const PEM_START: &[u8] = b"-----BEGIN CERTIFICATE-----";

const SUBMISSIONS: u16 = 465;

impl Smtp {
    pub fn new(settings: SmtpSettings) -> Result<Smtp, SmtpSettingsError> {
        if settings.host.trim().is_empty() {
            return Err(SmtpSettingsError::NoHost);
        }
        let tls = settings.use_tls.then(|| tls(&settings)).transpose()?;
        Ok(Smtp { settings, tls, hello: ClientId::default(), connection: Mutex::new(None) })
    }

    /// Say goodbye to the server. Optional: dropping the connection loses nothing.
    pub async fn close(&self) {
        if let Some(mut connection) = self.connection.lock().await.take() {
            let _ = timeout(self.settings.patience, connection.quit()).await;
        }
    }

    async fn deliver(&self, message: &Message) -> Result<Sent, SendError> {
        let message = message.build()?;
        let mut kept = self.connection.lock().await;
        // Taken out while it is used: after any failure, and when the caller gives up in the middle, the
        // next message starts with a new one.
        let mut connection = match kept.take() {
            Some(connection) => self.reuse(connection).await?,
            None => self.connect().await?,
        };
        self.envelope(&mut connection, &message).await?;
        let reply = self.contents(&mut connection, &message.formatted()).await?;
        *kept = Some(connection);
        Ok(Sent::Accepted { reply })
    }

    async fn reuse(&self, mut connection: AsyncSmtpConnection) -> Result<AsyncSmtpConnection, SendError> {
        match timeout(self.settings.patience, connection.test_connected()).await {
            Ok(true) => Ok(connection),
            _ => self.connect().await,
        }
    }

    async fn connect(&self) -> Result<AsyncSmtpConnection, SendError> {
        let (wrapped, upgrade) =
            if self.settings.tls_from_start { (self.tls.clone(), None) } else { (None, self.tls.clone()) };
        let server = (self.settings.host.as_str(), self.settings.port);
        let patience = self.settings.patience;
        let connecting =
            AsyncSmtpConnection::connect_tokio1(server, Some(patience), &self.hello, wrapped, None);
        let mut connection = self.step("connecting to the mail server", connecting).await?;
        if let Some(tls) = upgrade {
            self.step("starting TLS", connection.starttls(tls, &self.hello)).await?;
        }
        if let Some(Credentials { username, password }) = &self.settings.credentials {
            let login = Login::new(username.clone(), password.clone());
            let mechanisms = [Mechanism::Plain, Mechanism::Login];
            self.step("logging in", connection.auth(&mechanisms, &login)).await?;
        }
        Ok(connection)
    }

    async fn envelope(
        &self,
        connection: &mut AsyncSmtpConnection,
        message: &lettre::Message,
    ) -> Result<(), SendError> {
        let envelope = message.envelope();
        let mut parameters = Vec::new();
        let addresses = || envelope.from().into_iter().chain(envelope.to());
        if let Some(address) = addresses().find(|address| !address.to_string().is_ascii()) {
            if !connection.server_info().supports_feature(Extension::SmtpUtfEight) {
                return Err(BadMessage::NeedsSmtpUtf8(address.to_string()).into());
            }
            parameters.push(MailParameter::SmtpUtfEight);
        }
        let from = Mail::new(envelope.from().cloned(), parameters);
        self.step("naming the sender", connection.command(from)).await?;
        for to in envelope.to() {
            let to = Rcpt::new(to.clone(), Vec::new());
            self.step("naming the recipient", connection.command(to)).await?;
        }
        self.step("announcing the text", connection.command(Data)).await?;
        Ok(())
    }

    /// From here on a lost connection leaves it open whether the server has the message.
    async fn contents(
        &self,
        connection: &mut AsyncSmtpConnection,
        bytes: &[u8],
    ) -> Result<String, SendError> {
        match timeout(self.settings.patience_for_text, connection.message(bytes)).await {
            Ok(Ok(response)) => Ok(response.message().collect::<Vec<_>>().join(" ")),
            Ok(Err(error)) => {
                Err(refusal(&error).unwrap_or_else(|| SendError::Uncertain { cause: with_causes(&error) }))
            }
            Err(_) => Err(SendError::Uncertain { cause: self.silence(self.settings.patience_for_text) }),
        }
    }

    /// A step before the text: whatever goes wrong, nothing was delivered.
    async fn step<T>(
        &self,
        stage: &'static str,
        step: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, SendError> {
        match timeout(self.settings.patience, step).await {
            Ok(Ok(done)) => Ok(done),
            Ok(Err(error)) => {
                Err(refusal(&error)
                    .unwrap_or_else(|| SendError::NotSent { stage, cause: with_causes(&error) }))
            }
            Err(_) => Err(SendError::NotSent { stage, cause: self.silence(self.settings.patience) }),
        }
    }

    fn silence(&self, patience: Duration) -> String {
        let SmtpSettings { host, port, .. } = &self.settings;
        format!("{host}:{port} did not answer in {} seconds", patience.as_secs())
    }
}

impl Outbox for Smtp {
    fn send<'a>(&'a self, message: &'a Message) -> Sending<'a> {
        Box::pin(self.deliver(message))
    }
}

fn tls(settings: &SmtpSettings) -> Result<TlsParameters, SmtpSettingsError> {
    let mut tls = TlsParameters::builder(settings.host.clone());
    for (at, pem) in settings.extra_roots.iter().enumerate() {
        // A text without any certificate is none to the parser, and no error.
        let certificate = Some(pem)
            .filter(|pem| pem.windows(PEM_START.len()).any(|window| window == PEM_START))
            .and_then(|pem| Certificate::from_pem(pem).ok())
            .ok_or(SmtpSettingsError::Certificate { number: at + 1 })?;
        tls = tls.add_root_certificate(certificate);
    }
    tls.build().map_err(SmtpSettingsError::Tls)
}

/// The server's no, when that is what the error is.
fn refusal(error: &Error) -> Option<SendError> {
    let code = error.status()?;
    let reply = std::error::Error::source(error).map(ToString::to_string).unwrap_or_default();
    Some(SendError::Refused { permanent: error.is_permanent(), code: code.into(), reply })
}

fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let next = error.to_string();
        if !text.contains(&next) {
            text = format!("{text}: {next}");
        }
        cause = error.source();
    }
    text
}
