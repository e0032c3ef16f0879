//! Tokens, by which programs act for their owners.

use jiff::{SignedDuration, Timestamp};
use ledger::{ApiToken, ApiTokenRecord, AuditEvent, LedgerNumber, Role, Scope, sha256_hex};
use serde::Serialize;
use serde_json::json;

use super::Accounts;
use super::directory::key;
use super::secret::random_hex;
use crate::{Actor, Installation, Refusal, WorkflowError};

/// So that people and scanners of code know one when they see it.
const PREFIX: &str = "ocb_";

/// A token that is forgotten ends by itself.
const DAYS_MAX: u32 = 366;

#[derive(Clone, Debug)]
pub struct NewToken {
    /// What its owner calls it.
    pub name: String,
    pub owner: String,
    pub scope: Scope,
    pub days: u32,
    /// What its maker may do: a program never makes a token that may do more than its own.
    pub within: Role,
}

/// The only time the secret is seen.
#[derive(Clone, Serialize)]
pub struct TokenMade {
    #[serde(flatten)]
    pub token: ApiToken,
    pub secret: String,
    pub number: LedgerNumber,
}

impl std::fmt::Debug for TokenMade {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "TokenMade({})", self.token.id)
    }
}

/// For whom a program acts.
#[derive(Clone, Debug)]
pub struct TokenUser {
    pub token: i64,
    /// The owner.
    pub name: String,
    pub display_name: String,
    /// The owner's, as far as the token's scope goes.
    pub role: Role,
}

/// # Errors
/// An unknown owner, a scope beyond the owner's role or the maker's, a name or an expiry that will not do.
pub async fn token_add(
    installation: &Installation,
    accounts: &Accounts,
    actor: &Actor,
    new: &NewToken,
) -> Result<TokenMade, WorkflowError> {
    let mut tx = installation.ledger.begin().await?;
    let owner = accounts.load(&mut tx, &new.owner).await?;
    let name = new.name.trim();
    let mut wrong = Vec::new();
    if name.is_empty() || 100 < name.chars().count() || name.contains(char::is_control) {
        wrong.push(format!("name: `{}` is not 1 to 100 printable characters", name.escape_debug()));
    }
    if !(1..=DAYS_MAX).contains(&new.days) {
        wrong.push(format!("expiry: {} days is not 1 to {DAYS_MAX}", new.days));
    }
    if owner.role < new.scope.role() {
        let (scope, role) = (new.scope.name(), owner.role.name());
        wrong.push(format!("scope: `{}` is a {role} and cannot give `{scope}`", owner.name));
    }
    if new.within < new.scope.role() {
        let (scope, role) = (new.scope.name(), new.within.name());
        wrong.push(format!("scope: who makes this may do what a {role} may, and cannot give `{scope}`"));
    }
    if !wrong.is_empty() {
        return Err(Refusal::new("the token will not do").details(wrong).into());
    }
    let secret = format!("{PREFIX}{}", random_hex(32)?);
    let token = ApiToken {
        id: tx.next_api_token().await?,
        name: name.to_owned(),
        owner: owner.name,
        scope: new.scope,
        secret_sha256: sha256_hex(secret.as_bytes()),
        expires_at: actor.at + SignedDuration::from_hours(24 * i64::from(new.days)),
    };
    tx.create_api_token(&token, actor).await?;
    let detail = json!({
        "name": token.name, "owner": token.owner, "scope": token.scope, "expires_at": token.expires_at,
    });
    let number = tx.commit(AuditEvent::new(actor, "token.created", subject(token.id), detail)).await?;
    Ok(TokenMade { token, secret, number })
}

fn subject(id: i64) -> String {
    format!("token {id}")
}

/// All, in the order they were made; expired and revoked ones too.
///
/// # Errors
/// What the ledger could not read.
pub async fn token_list(installation: &Installation) -> Result<Vec<ApiTokenRecord>, WorkflowError> {
    Ok(installation.ledger.read().await?.list_api_tokens().await?)
}

/// Whose tokens somebody may revoke.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whose {
    /// The actor's.
    Own,
    /// Anybody's: for administrators.
    Anybodys,
}

/// # Errors
/// A token that is not there, is revoked already or is not the actor's to revoke.
pub async fn token_revoke(
    installation: &Installation,
    actor: &Actor,
    id: i64,
    whose: Whose,
) -> Result<LedgerNumber, WorkflowError> {
    let mut tx = installation.ledger.begin().await?;
    let owner = key(&actor.by);
    let mut known = tx.list_api_tokens().await?;
    known.retain(|record| record.token.id == id && (whose == Whose::Anybodys || record.token.owner == owner));
    let Some(record) = known.pop() else {
        return Err(Refusal::new(format!("token {id} is not known")).hint("`tokens list` shows them").into());
    };
    if let Some(stamp) = record.revoked {
        return Err(Refusal::new(format!("token {id} was revoked by {}", stamp.by)).into());
    }
    tx.revoke_api_token(&record.token, actor).await?;
    let detail = json!({ "name": record.token.name, "owner": record.token.owner });
    Ok(tx.commit(AuditEvent::new(actor, "token.revoked", subject(id), detail)).await?)
}

/// For whom a secret speaks; `None` when it is not good, or not any more.
///
/// # Errors
/// What the ledger could not read.
pub async fn token_user(
    installation: &Installation,
    accounts: &Accounts,
    secret: &str,
    at: Timestamp,
) -> Result<Option<TokenUser>, WorkflowError> {
    if !secret.starts_with(PREFIX) {
        return Ok(None);
    }
    let mut reader = installation.ledger.read().await?;
    let record = reader.find_api_token(&sha256_hex(secret.as_bytes())).await?;
    let Some(record) = record.filter(|record| record.revoked.is_none() && at < record.token.expires_at)
    else {
        return Ok(None);
    };
    let owner = accounts.find(&mut reader, &record.token.owner).await?;
    Ok(owner.map(|owner| TokenUser {
        token: record.token.id,
        role: owner.role.min(record.token.scope.role()),
        name: owner.name,
        display_name: owner.display_name,
    }))
}
