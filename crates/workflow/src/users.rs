//! Accounts for the web interface.

use ledger::{AuditEvent, LedgerNumber, Role, User, UserRecord};
use serde_json::json;

use crate::{Actor, Installation, Refusal, WorkflowError};

/// A new account, or what is to change of one.
#[derive(Clone, Debug)]
pub struct NewUser {
    pub name: String,
    pub email: String,
    pub display_name: String,
    pub role: Role,
    /// Argon2id in PHC text.
    pub password_hash: String,
}

/// # Errors
/// What the ledger could not read.
pub async fn list(installation: &Installation) -> Result<Vec<UserRecord>, WorkflowError> {
    Ok(installation.ledger.read().await?.list_users().await?)
}

/// # Errors
/// A name that is taken.
pub async fn add(
    installation: &Installation,
    actor: &Actor,
    user: &NewUser,
) -> Result<LedgerNumber, WorkflowError> {
    let mut tx = installation.ledger.begin().await?;
    if tx.find_user(&user.name).await?.is_some() {
        return Err(Refusal::new(format!("user `{}` exists already", user.name))
            .hint(format!("`users set-role {} ROLE` or `users reset {}` change it", user.name, user.name))
            .into());
    }
    let record = User {
        name: user.name.clone(),
        email: user.email.clone(),
        display_name: user.display_name.clone(),
        role: user.role,
        password_hash: Some(user.password_hash.clone()),
    };
    tx.create_user(&record, actor).await?;
    let detail = json!({ "email": user.email, "role": user.role });
    Ok(tx.commit(AuditEvent::new(actor, "user.created", &user.name, detail)).await?)
}

/// # Errors
/// An unknown user.
pub async fn set_role(
    installation: &Installation,
    actor: &Actor,
    name: &str,
    role: Role,
) -> Result<LedgerNumber, WorkflowError> {
    let mut tx = installation.ledger.begin().await?;
    let known = load(&mut tx, name).await?.user;
    let detail = json!({ "role": role, "was": known.role });
    tx.change_user(&User { role, ..known }, actor).await?;
    Ok(tx.commit(AuditEvent::new(actor, "user.role_set", name, detail)).await?)
}

/// # Errors
/// An unknown user.
pub async fn reset(
    installation: &Installation,
    actor: &Actor,
    name: &str,
    password_hash: &str,
) -> Result<LedgerNumber, WorkflowError> {
    let mut tx = installation.ledger.begin().await?;
    let known = load(&mut tx, name).await?.user;
    tx.change_user(&User { password_hash: Some(password_hash.to_owned()), ..known }, actor).await?;
    Ok(tx.commit(AuditEvent::new(actor, "user.password_reset", name, json!({}))).await?)
}

async fn load(tx: &mut ledger::Tx, name: &str) -> Result<UserRecord, WorkflowError> {
    if let Some(user) = tx.find_user(name).await? {
        Ok(user)
    } else {
        let known: Vec<String> = tx.list_users().await?.into_iter().map(|known| known.user.name).collect();
        let refusal = Refusal::new(format!("user `{name}` is not known"));
        Err(match known.as_slice() {
            [] => refusal.hint("`users add NAME --email …` makes the first"),
            known => refusal.hint(format!("known users: {}", known.join(", "))),
        }
        .into())
    }
}
