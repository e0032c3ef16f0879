//! All accounts, of the configuration and of the ledger, as one list.

use billing::period::Stamp;
use ledger::{Reader, Role, User, UserRecord, sha256_hex};
use serde::Serialize;

use super::{Accounts, ConfiguredUser};
use crate::{Refusal, WorkflowError};

/// Where an account is written down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Origin {
    Ledger,
    /// The configuration rules all but the password.
    Configuration,
    /// The configuration rules all, so that there is a way in when nothing else works.
    Recovery,
}

#[derive(Clone, Debug, Serialize)]
pub struct Account {
    pub name: String,
    pub email: String,
    pub display_name: String,
    pub role: Role,
    pub origin: Origin,
    pub second_factor: bool,
    /// Recovery codes that were not used.
    pub recovery_codes: usize,
    /// Another password is to be chosen after signing in.
    pub must_change_password: bool,
    /// `None`: only the configuration knows it.
    pub created: Option<Stamp>,
    pub changed: Option<Stamp>,
    #[serde(skip)]
    pub(super) password_hash: Option<String>,
    #[serde(skip)]
    pub(super) totp_secret: Option<String>,
    #[serde(skip)]
    pub(super) recovery_digests: Vec<String>,
    /// The digest of the configuration's password.
    #[serde(skip)]
    pub(super) configured: Option<String>,
}

impl Account {
    /// What a session holds on to: another password has another.
    pub(super) fn credential(&self) -> String {
        sha256_hex(self.password_hash.as_deref().unwrap_or_default().as_bytes())
    }

    /// As the ledger keeps it.
    pub(super) fn record(&self) -> User {
        User {
            name: self.name.clone(),
            email: self.email.clone(),
            display_name: self.display_name.clone(),
            role: self.role,
            password_hash: self.password_hash.clone().filter(|_| self.origin != Origin::Recovery),
            totp_secret: self.totp_secret.clone(),
            recovery_codes: self.recovery_digests.clone(),
            must_change: self.must_change_password,
            configured: self.configured.clone(),
        }
    }

    fn of_ledger(record: UserRecord) -> Account {
        let user = record.user;
        Account {
            name: user.name,
            email: user.email,
            display_name: user.display_name,
            role: user.role,
            origin: Origin::Ledger,
            second_factor: user.totp_secret.is_some(),
            recovery_codes: user.recovery_codes.len(),
            must_change_password: user.must_change,
            created: Some(record.created),
            changed: Some(record.changed),
            password_hash: user.password_hash,
            totp_secret: user.totp_secret,
            recovery_digests: user.recovery_codes,
            configured: None,
        }
    }

    /// What the ledger knows of it counts for the password as long as the configuration has not got a new one
    /// since, and for the second factor always.
    fn of_configuration(configured: &ConfiguredUser, record: Option<UserRecord>) -> Account {
        let digest = sha256_hex(configured.password_hash.as_bytes());
        let own = Some(configured.password_hash.clone()).filter(|hash| !hash.is_empty());
        let base = Account {
            name: key(&configured.name),
            email: configured.email.clone(),
            display_name: match configured.display_name.as_str() {
                "" => configured.name.clone(),
                named => named.to_owned(),
            },
            role: configured.role,
            origin: if configured.recovery { Origin::Recovery } else { Origin::Configuration },
            second_factor: false,
            recovery_codes: 0,
            must_change_password: false,
            created: None,
            changed: None,
            password_hash: own,
            totp_secret: None,
            recovery_digests: Vec::new(),
            configured: Some(digest),
        };
        let Some(record) = record else { return base };
        let known = Account::of_ledger(record.clone());
        let is_taken_over = !configured.recovery && record.user.configured == base.configured;
        let (password_hash, must_change_password) = match known.password_hash {
            Some(hash) if is_taken_over => (Some(hash), known.must_change_password),
            _ => (base.password_hash.clone(), false),
        };
        Account {
            second_factor: known.second_factor,
            recovery_codes: known.recovery_codes,
            created: known.created,
            changed: known.changed,
            totp_secret: known.totp_secret,
            recovery_digests: known.recovery_digests,
            password_hash,
            must_change_password,
            ..base
        }
    }
}

/// What the configuration says, laid over what the ledger knows. An account that came from a configuration that
/// does not have it any more is none: who is taken out of the file is out.
fn laid_over(configured: Option<&ConfiguredUser>, record: Option<UserRecord>) -> Option<Account> {
    match (configured, record) {
        (Some(configured), record) => Some(Account::of_configuration(configured, record)),
        (None, Some(record)) if record.user.configured.is_none() => Some(Account::of_ledger(record)),
        (None, _) => None,
    }
}

/// Two spellings are one account.
pub(super) fn key(name: &str) -> String {
    name.trim().to_lowercase()
}

impl Accounts {
    pub(super) async fn find(
        &self,
        reader: &mut Reader,
        name: &str,
    ) -> Result<Option<Account>, WorkflowError> {
        let record = reader.find_user(name).await?;
        let name = key(name);
        Ok(laid_over(self.configured.iter().find(|user| key(&user.name) == name), record))
    }

    /// By name.
    pub(super) async fn all(&self, reader: &mut Reader) -> Result<Vec<Account>, WorkflowError> {
        let records = reader.list_users().await?;
        let configured_only = self.configured.iter().map(|user| key(&user.name));
        let mut names: Vec<String> = records.iter().map(|record| record.user.name.clone()).collect();
        names.extend(configured_only);
        names.sort();
        names.dedup();
        let all = names.iter().filter_map(|name| {
            let configured = self.configured.iter().find(|user| key(&user.name) == *name);
            laid_over(configured, records.iter().find(|record| record.user.name == *name).cloned())
        });
        Ok(all.collect())
    }

    pub(super) async fn load(&self, reader: &mut Reader, name: &str) -> Result<Account, WorkflowError> {
        if let Some(account) = self.find(reader, name).await? {
            return Ok(account);
        }
        let known: Vec<String> = self.all(reader).await?.into_iter().map(|account| account.name).collect();
        let refusal = Refusal::new(format!("user `{name}` is not known"));
        Err(match known.as_slice() {
            [] => refusal.hint("`users add NAME --email …` makes the first"),
            known => refusal.hint(format!("known users: {}", known.join(", "))),
        }
        .into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn configured(hash: &str, recovery: bool) -> ConfiguredUser {
        ConfiguredUser {
            name: "Maria".to_owned(),
            email: "maria@x.edu".to_owned(),
            display_name: String::new(),
            role: Role::Admin,
            password_hash: hash.to_owned(),
            recovery,
        }
    }

    fn record(password: &str, configured: Option<&str>) -> UserRecord {
        let stamp = Stamp { by: "office".to_owned(), at: jiff::Timestamp::UNIX_EPOCH };
        let user = User {
            name: "maria".to_owned(),
            email: "old@x.edu".to_owned(),
            display_name: "Old".to_owned(),
            role: Role::Viewer,
            password_hash: Some(password.to_owned()),
            totp_secret: Some("sealed".to_owned()),
            recovery_codes: Vec::new(),
            must_change: false,
            configured: configured.map(|hash| sha256_hex(hash.as_bytes())),
        };
        let number = billing::LedgerNumber(1);
        UserRecord { user, created: stamp.clone(), changed: stamp, number, removed: false }
    }

    #[test]
    fn whose_word_counts() {
        let (file, recovery) = (configured("file", false), configured("file", true));
        let cases = [
            ("only the file", Some(&file), None, "file admin Configuration"),
            ("only the ledger", None, Some(record("own", None)), "own viewer Ledger"),
            (
                "taken over from the file",
                Some(&file),
                Some(record("own", Some("file"))),
                "own admin Configuration",
            ),
            (
                "the file has a new password",
                Some(&file),
                Some(record("own", Some("before"))),
                "file admin Configuration",
            ),
            (
                "the file got the name later",
                Some(&file),
                Some(record("own", None)),
                "file admin Configuration",
            ),
            ("recovery", Some(&recovery), Some(record("own", Some("file"))), "file admin Recovery"),
            ("taken out of the file", None, Some(record("own", Some("file"))), "nobody"),
            ("nobody", None, None, "nobody"),
        ];
        for (case, configured, record, expected) in cases {
            let has_factor = record.is_some();
            let told = laid_over(configured, record).map_or("nobody".to_owned(), |account| {
                assert_eq!(account.second_factor, has_factor, "{case}: the second factor stays");
                let hash = account.password_hash.as_deref().unwrap_or("none");
                format!("{hash} {} {:?}", account.role.name(), account.origin)
            });
            assert_eq!(told, expected, "{case}");
        }
    }
}
