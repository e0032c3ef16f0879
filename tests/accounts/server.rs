//! What a web server has at hand: the installation opened, and accounts as its configuration has them.

use jiff::{SignedDuration, Timestamp};
use ledger::{Ledger, Location, Role};
use workflow::accounts::{
    Accounts, Client, ConfiguredUser, NewSession, NewUser, PasswordPolicy, SecretKey, Session, SessionToken,
    SignIn,
};
use workflow::installation::{EmailSettings, Folders, Installation, KeptConfiguration};
use workflow::{Actor, WorkflowError};

use crate::support::{Engine, Home};

pub const PASSWORD: &str = "correct horse battery staple";
/// A bcrypt hash of cost 4 and its password.
pub const OF_FILE: (&str, &str) =
    ("$2b$04$abcdefghijklmnopqrstuuLqq38lIKiBCtE/xtQf4Fwdw9SYw1IGW", "glühwein im märz");
/// The same of a password that would not be taken today.
pub const WEAK_OF_FILE: (&str, &str) =
    ("$2b$04$abcdefghijklmnopqrstuuDj/aCF10WLku6YcMNjPWP0q/EzcrF7u", "password2024");

pub struct Server {
    pub installation: Installation,
    pub accounts: Accounts,
    _home: Home,
}

/// A second of the day the stories are told on.
pub fn at(second: i64) -> Timestamp {
    "2025-03-03T09:00:00Z".parse::<Timestamp>().unwrap() + SignedDuration::from_secs(second)
}

pub fn by(name: &str, second: i64) -> Actor {
    Actor { by: name.to_owned(), at: at(second) }
}

pub fn client(address: &str) -> Client {
    Client { address: address.to_owned(), user_agent: "Firefox".to_owned() }
}

pub fn configured(name: &str, role: Role, password_hash: &str) -> ConfiguredUser {
    ConfiguredUser {
        name: name.to_owned(),
        email: format!("{name}@x.edu"),
        display_name: String::new(),
        role,
        password_hash: password_hash.to_owned(),
        recovery: false,
    }
}

pub fn new_user(name: &str, role: Role) -> NewUser {
    NewUser {
        name: name.to_owned(),
        email: format!("{name}@x.edu"),
        display_name: String::new(),
        role,
        password: PASSWORD.to_owned(),
        must_change_password: false,
    }
}

/// Why an act was refused, in all its words.
pub fn refused<T: std::fmt::Debug>(outcome: Result<T, WorkflowError>) -> String {
    outcome.unwrap_err().to_string()
}

impl Server {
    pub async fn start(engine: Engine) -> Server {
        // It asks the database server by itself.
        let home = tokio::task::spawn_blocking(move || Home::bare_on(engine)).await.unwrap();
        let location = match home.database() {
            Some(url) => Location::Postgres(url),
            None => Location::Sqlite(home.path().join("instance/ledger.db")),
        };
        let folder = home.path().to_owned();
        let installation = Installation {
            ledger: Ledger::open(&location, &by("office", 0)).await.unwrap(),
            lake: lake::Lake::open(&folder.join("lake")).unwrap(),
            settings: billing::settings::Settings::default(),
            configuration: KeptConfiguration { digest: String::new(), text: String::new() },
            folders: Folders {
                home: folder.clone(),
                documents: folder.clone(),
                pdfs: folder.clone(),
                drafts: folder.clone(),
                journals: folder.clone(),
                emails: folder,
                templates: Vec::new(),
            },
            institution: documents::Institution::default(),
            email: EmailSettings {
                from_address: String::new(),
                from_name: String::new(),
                subject_template: String::new(),
                outbox: std::sync::Arc::new(mail::Memory::default()),
            },
            template_config: serde_json::Value::Null,
            kept: workflow::kept::Kept::default(),
        };
        let accounts = Accounts {
            configured: Vec::new(),
            policy: PasswordPolicy::default(),
            session_hours: 8,
            idle_minutes: 60,
            secret_key: SecretKey::new("0123456789abcdef0123456789abcdef").unwrap(),
        };
        Server { installation, accounts, _home: home }
    }

    /// The same with an administrator and a reviewer.
    pub async fn with_people(engine: Engine) -> Server {
        let server = Server::start(engine).await;
        server.add("ada", Role::Admin).await;
        server.add("maria", Role::Reviewer).await;
        server
    }

    pub async fn add(&self, name: &str, role: Role) {
        let user = new_user(name, role);
        workflow::accounts::add(&self.installation, &self.accounts, &by("ada", 0), &user).await.unwrap();
    }

    pub async fn sign_in(&self, name: &str, password: &str, address: &str, second: i64) -> SignIn {
        let client = client(address);
        workflow::accounts::sign_in(&self.installation, &self.accounts, name, password, &client, at(second))
            .await
            .unwrap()
    }

    /// Sign in from the office, which must do.
    pub async fn enter(&self, name: &str, password: &str, second: i64) -> NewSession {
        done(self.sign_in(name, password, "192.0.2.7", second).await)
    }

    pub async fn session(&self, token: &SessionToken, second: i64) -> Option<Session> {
        workflow::accounts::session(&self.installation, &self.accounts, token, at(second)).await.unwrap()
    }

    /// Every act of the chain after the first.
    pub async fn acts(&self) -> Vec<String> {
        let mut reader = self.installation.ledger.read().await.unwrap();
        let rows = reader.list_audit(&ledger::AuditFilter::default()).await.unwrap();
        assert!(reader.verify_books().await.unwrap().is_sound());
        rows.into_iter().skip(1).map(|row| format!("{} {} {}", row.by, row.act, row.subject)).collect()
    }
}

pub fn done(outcome: SignIn) -> NewSession {
    match outcome {
        SignIn::Done(session) => session,
        other => panic!("not signed in: {other:?}"),
    }
}

/// `done`, `code`, `wait 4`, or the words of the refusal.
pub fn told(outcome: &SignIn) -> String {
    match outcome {
        SignIn::Done(_) => "done".to_owned(),
        SignIn::NeedsTotp(_) => "code".to_owned(),
        SignIn::Refused(refusal) => refusal.to_string(),
        SignIn::Wait(wait) => format!("wait {}", wait.as_secs()),
    }
}
