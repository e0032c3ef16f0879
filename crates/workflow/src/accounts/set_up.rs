//! The first account, where there is none yet: whoever can read what the server prints may make it, once.

use jiff::{SignedDuration, Timestamp};
use ledger::{AuditEvent, LedgerNumber, Role, sha256_hex};
use serde_json::json;

use super::secret::random_hex;
use super::users::{NewUser, check_new, create};
use super::{Accounts, hashing};
use crate::{Actor, Installation, Refusal, WorkflowError};

const GOOD_FOR: SignedDuration = SignedDuration::from_hours(24);

/// A token for a link by which the first administrator is made; good once, for a day. `None` when there is an
/// account.
///
/// # Errors
/// A ledger that cannot be written.
pub async fn set_up_token(
    installation: &Installation,
    accounts: &Accounts,
    at: Timestamp,
) -> Result<Option<String>, WorkflowError> {
    let mut book = installation.ledger.bookkeeping().await?;
    if !accounts.all(&mut book).await?.is_empty() {
        return Ok(None);
    }
    let token = random_hex(32)?;
    book.put_set_up_link(&sha256_hex(token.as_bytes()), at + GOOD_FOR).await?;
    book.commit().await?;
    Ok(Some(token))
}

/// Make the first account, an administrator. All links are used up.
///
/// # Errors
/// A link that is not good, an account that is there, all that is wrong with the new one.
pub async fn set_up(
    installation: &Installation,
    accounts: &Accounts,
    link_token: &str,
    user: &NewUser,
    at: Timestamp,
) -> Result<LedgerNumber, WorkflowError> {
    let digest = sha256_hex(link_token.as_bytes());
    let is_good = |expires: Option<Timestamp>| expires.is_some_and(|expires| at < expires);
    if !is_good(installation.ledger.read().await?.find_set_up_link(&digest).await?) {
        return Err(not_good().into());
    }
    let user = NewUser { role: Role::Admin, must_change_password: false, ..user.clone() };
    check_new(accounts, &user)?;
    let hash = hashing::hash(&user.password).await?;
    let mut tx = installation.ledger.begin().await?;
    if !is_good(tx.find_set_up_link(&digest).await?) || !accounts.all(&mut tx).await?.is_empty() {
        return Err(not_good().into());
    }
    let actor = Actor { by: super::directory::key(&user.name), at };
    create(&mut tx, accounts, &actor, &user, hash).await?;
    tx.end_set_up_links().await?;
    let detail = json!({ "email": user.email, "role": user.role, "by": "set-up link" });
    Ok(tx.commit(AuditEvent::new(&actor, "user.created", &actor.by, detail)).await?)
}

fn not_good() -> Refusal {
    Refusal::new("this link is not good any more")
        .hint("start `focus-billing web` again for a new one, or `focus-billing users add NAME --role admin`")
}
