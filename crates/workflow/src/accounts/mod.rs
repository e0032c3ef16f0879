//! Accounts: who may sign in, and with what. The configuration brings some along, the ledger has the others;
//! what the configuration says is laid over the ledger where both know a name, and is never copied into it but
//! for the password, once that was hashed better.
//!
//! Start with [`sign_in`] (a person at the door) and [`session`] (every request after it). What people change
//! about themselves is in `own.rs`, what administrators change in `users.rs`. Rules that need neither ledger nor
//! chance are pure: [`PasswordPolicy`], `throttle.rs`, `totp.rs`.

mod directory;
mod hashing;
mod own;
mod password;
mod secret;
mod sessions;
mod set_up;
mod sign_in;
mod throttle;
mod tokens;
mod totp;
mod users;

use ledger::Role;

pub use directory::{Account, Origin};
pub use own::{TotpSetup, begin_totp, change_password, finish_totp, remove_own_totp, renew_recovery_codes};
pub use password::{LENGTH_MAX, LENGTH_MIN, PasswordPolicy};
pub use secret::{BadSecretKey, SecretKey};
pub use sessions::{
    Session, SessionUser, choose_period, end_other_sessions, end_session, end_sessions_of, session,
    sessions_of, sign_out,
};
pub use set_up::{set_up, set_up_token};
pub use sign_in::{NewSession, SignIn, confirm_totp, sign_in};
pub use tokens::{NewToken, TokenMade, TokenUser, Whose, token_add, token_list, token_revoke, token_user};
pub use users::{Change, NewUser, ResetTo, add, change, find, list, remove, remove_totp, reset, set_role};

/// What doors hand in about accounts.
#[derive(Clone, Debug)]
pub struct Accounts {
    pub configured: Vec<ConfiguredUser>,
    pub policy: PasswordPolicy,
    /// After these a session ends, used or not.
    pub session_hours: u32,
    /// After these without a request it ends.
    pub idle_minutes: u32,
    pub secret_key: SecretKey,
}

/// An account of the configuration.
#[derive(Clone)]
pub struct ConfiguredUser {
    pub name: String,
    pub email: String,
    pub display_name: String,
    pub role: Role,
    /// Of bcrypt or argon2; empty cannot sign in by it.
    pub password_hash: String,
    /// Signs in with this password always, whatever the ledger says.
    pub recovery: bool,
}

impl std::fmt::Debug for ConfiguredUser {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ConfiguredUser({} {})", self.name, self.role.name())
    }
}

/// Where a request comes from.
#[derive(Clone, Debug)]
pub struct Client {
    /// As a trusted proxy or the connection says it.
    pub address: String,
    pub user_agent: String,
}

/// What a browser holds: 256 random bits, known to the ledger by their digest.
#[derive(Clone, PartialEq, Eq)]
pub struct SessionToken(String);

impl SessionToken {
    fn random() -> Result<SessionToken, crate::WorkflowError> {
        Ok(SessionToken(secret::random_hex(32)?))
    }

    /// The value of a cookie; `None` when it cannot be a token.
    #[must_use]
    pub fn parse(text: &str) -> Option<SessionToken> {
        let is_one = text.len() == 64 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        is_one.then(|| SessionToken(text.to_owned()))
    }

    /// For the cookie, and nothing else.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn digest(&self) -> String {
        ledger::sha256_hex(self.0.as_bytes())
    }
}

impl std::fmt::Debug for SessionToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SessionToken")
    }
}
