//! Accounts for the web interface. Each event holds the whole account after it; the latest counts.

use std::collections::BTreeMap;

use billing::LedgerNumber;
use billing::period::Stamp;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::books::{Table, Value};
use crate::error::LedgerError;
use crate::query::{Cells, Query, Reader};
use crate::tx::Tx;

pub(crate) const USER_EVENT: Table = Table {
    name: "user_event",
    columns: &[
        "name",
        "event",
        "email",
        "display_name",
        "role",
        "password_hash",
        "at",
        "by_user",
        "totp_secret",
        "recovery_codes",
        "must_change",
        "configured",
    ],
};

/// What a person may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    Viewer,
    Reviewer,
    Admin,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct User {
    /// Trimmed and lower case: two spellings are one account.
    pub name: String,
    pub email: String,
    pub display_name: String,
    pub role: Role,
    /// Argon2 text (PHC format); `None` cannot log in.
    #[serde(skip)]
    pub password_hash: Option<String>,
    /// Of the second factor, sealed.
    #[serde(skip)]
    pub totp_secret: Option<String>,
    /// Digests of the recovery codes that are left.
    #[serde(skip)]
    pub recovery_codes: Vec<String>,
    /// Somebody else chose the password.
    pub must_change: bool,
    /// The digest of the configuration's password, of an account that the configuration has.
    #[serde(skip)]
    pub configured: Option<String>,
}

/// An account with its first and last event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct UserRecord {
    #[serde(flatten)]
    pub user: User,
    pub created: Stamp,
    pub changed: Stamp,
    pub number: LedgerNumber,
    /// Kept for the record, not for logging in.
    pub removed: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a role; it is viewer, reviewer or admin")]
pub struct NotARole(String);

impl Role {
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Role::Viewer => "viewer",
            Role::Reviewer => "reviewer",
            Role::Admin => "admin",
        }
    }
}

impl std::str::FromStr for Role {
    type Err = NotARole;

    fn from_str(text: &str) -> Result<Role, NotARole> {
        let roles = [Role::Viewer, Role::Reviewer, Role::Admin];
        roles.into_iter().find(|role| role.name() == text).ok_or_else(|| NotARole(text.to_owned()))
    }
}

impl Reader {
    /// `None` for an account that never was or was removed.
    pub async fn find_user(&mut self, name: &str) -> Result<Option<UserRecord>, LedgerError> {
        let mut users = self.replay_users(Some(&key(name))).await?;
        Ok(users.pop().filter(|record| !record.removed))
    }

    /// By name, without the removed.
    pub async fn list_users(&mut self) -> Result<Vec<UserRecord>, LedgerError> {
        let mut users = self.replay_users(None).await?;
        users.retain(|record| !record.removed);
        Ok(users)
    }

    async fn replay_users(&mut self, name: Option<&str>) -> Result<Vec<UserRecord>, LedgerError> {
        let query = Query::new(
            "SELECT number, name, event, email, display_name, role, password_hash, at, by_user, \
             totp_secret, recovery_codes, must_change, configured FROM user_event WHERE 1 = 1",
        );
        let query = query.and_some("name =", name).then("ORDER BY number, seq");
        let mut users: BTreeMap<String, UserRecord> = BTreeMap::new();
        self.each(query, |row| {
            let record = read_user(row)?;
            let name = record.user.name.clone();
            // An account made again after its removal is a new one.
            let created = match users.get(&name) {
                Some(before) if !before.removed => before.created.clone(),
                _ => record.changed.clone(),
            };
            users.insert(name, UserRecord { created, ..record });
            Ok(())
        })
        .await?;
        Ok(users.into_values().collect())
    }
}

fn read_user(row: &Cells) -> Result<UserRecord, LedgerError> {
    let role = row.str("role")?;
    let user = User {
        name: row.text("name")?,
        email: row.text("email")?,
        display_name: row.text("display_name")?,
        role: role.parse().map_err(|_| LedgerError::unreadable("user_event.role", role))?,
        password_hash: row.opt_text("password_hash")?,
        totp_secret: row.opt_text("totp_secret")?,
        recovery_codes: match row.opt_text("recovery_codes")? {
            None => Vec::new(),
            Some(codes) => serde_json::from_str(&codes)
                .map_err(|_| LedgerError::unreadable("user_event.recovery_codes", codes))?,
        },
        must_change: row.opt_int("must_change")? == Some(1),
        configured: row.opt_text("configured")?,
    };
    let stamp = row.stamp()?;
    let removed = row.str("event")? == "removed";
    Ok(UserRecord { user, created: stamp.clone(), changed: stamp, number: row.number()?, removed })
}

fn key(name: &str) -> String {
    name.trim().to_lowercase()
}

impl Tx {
    /// # Errors
    /// [`LedgerError::Exists`].
    pub async fn create_user(&mut self, user: &User, stamp: &Stamp) -> Result<(), LedgerError> {
        if self.find_user(&user.name).await?.is_some() {
            return Err(LedgerError::exists("user", key(&user.name)));
        }
        self.insert_user(user, "created", stamp).await
    }

    /// The account named `user.name` is from now on as given.
    ///
    /// # Errors
    /// [`LedgerError::Missing`].
    pub async fn change_user(&mut self, user: &User, stamp: &Stamp) -> Result<(), LedgerError> {
        self.load_user(&user.name).await?;
        self.insert_user(user, "changed", stamp).await
    }

    /// # Errors
    /// [`LedgerError::Missing`].
    pub async fn remove_user(&mut self, name: &str, stamp: &Stamp) -> Result<(), LedgerError> {
        let user = self.load_user(name).await?;
        let user = User { password_hash: None, totp_secret: None, recovery_codes: Vec::new(), ..user };
        self.insert_user(&user, "removed", stamp).await
    }

    async fn load_user(&mut self, name: &str) -> Result<User, LedgerError> {
        let found = self.find_user(name).await?;
        found.map(|record| record.user).ok_or_else(|| LedgerError::missing("user", key(name)))
    }

    async fn insert_user(&mut self, user: &User, event: &str, stamp: &Stamp) -> Result<(), LedgerError> {
        let codes = (!user.recovery_codes.is_empty()).then(|| json!(user.recovery_codes).to_string());
        let row = vec![
            key(&user.name).into(),
            event.into(),
            (&user.email).into(),
            (&user.display_name).into(),
            user.role.name().into(),
            (&user.password_hash).into(),
            stamp.at.into(),
            stamp.by.as_str().into(),
            (&user.totp_secret).into(),
            Value::Text(codes),
            Value::Int(user.must_change.then_some(1)),
            (&user.configured).into(),
        ];
        self.insert_one(&USER_EVENT, row).await?;
        Ok(())
    }
}
