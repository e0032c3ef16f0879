//! What administrators do about accounts.

use ledger::{AuditEvent, LedgerNumber, Role, Tx};
use serde_json::json;

use super::directory::{Account, Origin, key};
use super::own::in_configuration;
use super::{Accounts, hashing};
use crate::{Actor, Installation, Refusal, WorkflowError};

/// A new account.
#[derive(Clone)]
pub struct NewUser {
    pub name: String,
    pub email: String,
    /// As pages show it; empty is the name.
    pub display_name: String,
    pub role: Role,
    pub password: String,
    /// The person is asked for another password after signing in.
    pub must_change_password: bool,
}

impl std::fmt::Debug for NewUser {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "NewUser({} {})", self.name, self.role.name())
    }
}

/// What is to be another.
#[derive(Clone, Debug, Default)]
pub struct Change {
    pub email: Option<String>,
    pub display_name: Option<String>,
}

/// All accounts by name, those of the configuration too.
///
/// # Errors
/// What the ledger could not read.
pub async fn list(installation: &Installation, accounts: &Accounts) -> Result<Vec<Account>, WorkflowError> {
    accounts.all(&mut installation.ledger.read().await?).await
}

/// # Errors
/// A name that is taken, and all that is wrong with name, address and password.
pub async fn add(
    installation: &Installation,
    accounts: &Accounts,
    actor: &Actor,
    user: &NewUser,
) -> Result<LedgerNumber, WorkflowError> {
    check_new(accounts, user)?;
    let hash = hashing::hash(&user.password).await?;
    let mut tx = installation.ledger.begin().await?;
    create(&mut tx, accounts, actor, user, hash).await?;
    let detail = json!({ "email": user.email, "role": user.role });
    Ok(tx.commit(AuditEvent::new(actor, "user.created", key(&user.name), detail)).await?)
}

pub(super) fn check_new(accounts: &Accounts, user: &NewUser) -> Result<(), Refusal> {
    let mut wrong = wrong_with_name(&user.name);
    wrong.extend(wrong_with_email(&user.email));
    let about = [user.name.as_str(), &user.email];
    wrong.extend(accounts.policy.wrong_with(&user.password, &about).iter().map(of_password));
    if wrong.is_empty() { Ok(()) } else { Err(Refusal::new("the account will not do").details(wrong)) }
}

pub(super) async fn create(
    tx: &mut Tx,
    accounts: &Accounts,
    actor: &Actor,
    user: &NewUser,
    password_hash: String,
) -> Result<(), WorkflowError> {
    let name = key(&user.name);
    if let Some(known) = accounts.find(tx, &name).await? {
        let refusal = Refusal::new(format!("user `{name}` exists already"));
        let hint = match known.origin {
            Origin::Ledger => format!("`users set-role {name} ROLE` or `users reset {name}` change it"),
            Origin::Configuration | Origin::Recovery => {
                format!("it is of the configuration: `web.users.{name}`")
            }
        };
        return Err(refusal.hint(hint).into());
    }
    // What is left of an account that the configuration had is not given to somebody else.
    if tx.find_user(&name).await?.is_some() {
        tx.remove_user(&name, actor).await?;
        forget(tx, &name, actor).await?;
    }
    let display_name = match user.display_name.trim() {
        "" => name.clone(),
        given => given.to_owned(),
    };
    let record = ledger::User {
        name,
        email: user.email.trim().to_owned(),
        display_name,
        role: user.role,
        password_hash: Some(password_hash),
        totp_secret: None,
        recovery_codes: Vec::new(),
        must_change: user.must_change_password,
        configured: None,
    };
    Ok(tx.create_user(&record, actor).await?)
}

/// # Errors
/// An unknown user, one of the configuration, the last administrator.
pub async fn set_role(
    installation: &Installation,
    accounts: &Accounts,
    actor: &Actor,
    name: &str,
    role: Role,
) -> Result<LedgerNumber, WorkflowError> {
    let mut tx = installation.ledger.begin().await?;
    let known = accounts.load(&mut tx, name).await?;
    refuse_configured(&known, "role")?;
    if role != Role::Admin {
        refuse_last_admin(accounts, &mut tx, &known).await?;
    }
    let detail = json!({ "role": role, "was": known.role });
    let name = known.name.clone();
    save(&mut tx, &Account { role, ..known }, actor).await?;
    Ok(tx.commit(AuditEvent::new(actor, "user.role_set", name, detail)).await?)
}

/// Another address or name to be shown.
///
/// # Errors
/// An unknown user, one of the configuration, what is no address.
pub async fn change(
    installation: &Installation,
    accounts: &Accounts,
    actor: &Actor,
    name: &str,
    change: &Change,
) -> Result<LedgerNumber, WorkflowError> {
    let mut tx = installation.ledger.begin().await?;
    let known = accounts.load(&mut tx, name).await?;
    refuse_configured(&known, "email")?;
    if let Some(wrong) = change.email.as_deref().and_then(wrong_with_email) {
        return Err(Refusal::new(format!("user `{}` cannot be changed", known.name)).detail(wrong).into());
    }
    let named = |given: &Option<String>| given.as_deref().map(str::trim).map(str::to_owned);
    let email = named(&change.email).unwrap_or_else(|| known.email.clone());
    let display_name = named(&change.display_name).filter(|name| !name.is_empty());
    let display_name = display_name.unwrap_or_else(|| known.display_name.clone());
    if (&email, &display_name) == (&known.email, &known.display_name) {
        return Err(Refusal::new(format!("user `{}` has these already", known.name)).into());
    }
    let detail = json!({ "email": email, "display_name": display_name });
    let name = known.name.clone();
    save(&mut tx, &Account { email, display_name, ..known }, actor).await?;
    Ok(tx.commit(AuditEvent::new(actor, "user.changed", name, detail)).await?)
}

/// Give somebody a password, to be changed by its owner unless it is to stay. All their sessions end.
///
/// # Errors
/// An unknown user, a password that will not do or is the configuration's.
pub async fn reset(
    installation: &Installation,
    accounts: &Accounts,
    actor: &Actor,
    name: &str,
    password: &ResetTo<'_>,
) -> Result<LedgerNumber, WorkflowError> {
    let known = accounts.load(&mut installation.ledger.read().await?, name).await?;
    if known.origin == Origin::Recovery {
        return Err(in_configuration(&known.name).into());
    }
    let (password, must_change_password) = match password {
        ResetTo::Lasting(password) => (password, false),
        ResetTo::Temporary(password) => (password, true),
    };
    check_password(accounts, password, &known.name, &known.email)?;
    let hash = hashing::hash(password).await?;
    let mut tx = installation.ledger.begin().await?;
    let known = accounts.load(&mut tx, name).await?;
    let name = known.name.clone();
    save(&mut tx, &Account { password_hash: Some(hash), must_change_password, ..known }, actor).await?;
    let ended = tx.end_sessions_of(&name, None).await?;
    let detail = json!({ "sessions_ended": ended });
    Ok(tx.commit(AuditEvent::new(actor, "user.password_reset", name, detail)).await?)
}

/// A password that somebody else chose.
#[derive(Clone, Copy)]
pub enum ResetTo<'a> {
    /// The owner keeps it.
    Lasting(&'a str),
    /// The owner is asked for another after signing in.
    Temporary(&'a str),
}

impl std::fmt::Debug for ResetTo<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ResetTo")
    }
}

/// Sessions end and tokens are revoked; what was done under the name stays in the audit trail.
///
/// # Errors
/// An unknown user, oneself, one of the configuration, the last administrator.
pub async fn remove(
    installation: &Installation,
    accounts: &Accounts,
    actor: &Actor,
    name: &str,
) -> Result<LedgerNumber, WorkflowError> {
    let mut tx = installation.ledger.begin().await?;
    let known = accounts.load(&mut tx, name).await?;
    if known.name == key(&actor.by) {
        return Err(Refusal::new("nobody removes their own account")
            .hint("another administrator may do it")
            .into());
    }
    refuse_configured(&known, "account")?;
    refuse_last_admin(accounts, &mut tx, &known).await?;
    tx.remove_user(&known.name, actor).await?;
    let (sessions, tokens) = forget(&mut tx, &known.name, actor).await?;
    let detail = json!({ "sessions_ended": sessions, "tokens_revoked": tokens });
    Ok(tx.commit(AuditEvent::new(actor, "user.removed", &known.name, detail)).await?)
}

/// Sessions and tokens of somebody who is no more.
async fn forget(tx: &mut Tx, name: &str, actor: &Actor) -> Result<(u64, usize), WorkflowError> {
    let sessions = tx.end_sessions_of(name, None).await?;
    let mut tokens = tx.list_api_tokens().await?;
    tokens.retain(|record| record.token.owner == name && record.revoked.is_none());
    for record in &tokens {
        tx.revoke_api_token(&record.token, actor).await?;
    }
    Ok((sessions, tokens.len()))
}

/// Take a second factor away: for who lost the telephone and the codes.
///
/// # Errors
/// An unknown user, or one without a second factor.
pub async fn remove_totp(
    installation: &Installation,
    accounts: &Accounts,
    actor: &Actor,
    name: &str,
) -> Result<LedgerNumber, WorkflowError> {
    let mut tx = installation.ledger.begin().await?;
    let known = accounts.load(&mut tx, name).await?;
    if !known.second_factor {
        return Err(no_second_factor(&known.name).into());
    }
    let name = known.name.clone();
    let without = Account { totp_secret: None, recovery_digests: Vec::new(), ..known };
    save(&mut tx, &without, actor).await?;
    Ok(tx.commit(AuditEvent::new(actor, "user.totp_removed", name, json!({}))).await?)
}

pub(super) fn no_second_factor(name: &str) -> Refusal {
    Refusal::new(format!("user `{name}` has no second factor"))
}

/// From now on as given. An account that only the configuration had is in the ledger then.
pub(super) async fn save(tx: &mut Tx, account: &Account, actor: &Actor) -> Result<(), WorkflowError> {
    let record = account.record();
    match tx.find_user(&account.name).await? {
        Some(_) => tx.change_user(&record, actor).await?,
        None => tx.create_user(&record, actor).await?,
    }
    Ok(())
}

fn refuse_configured(account: &Account, what: &str) -> Result<(), Refusal> {
    if account.origin == Origin::Ledger {
        return Ok(());
    }
    let name = &account.name;
    let refusal = Refusal::new(format!("user `{name}` is of the configuration"));
    Err(match what {
        "account" => refusal.hint(format!("take `web.users.{name}` out of it")),
        key => refusal.hint(format!("change `web.users.{name}.{key}` there")),
    })
}

async fn refuse_last_admin(accounts: &Accounts, tx: &mut Tx, account: &Account) -> Result<(), WorkflowError> {
    let all = accounts.all(tx).await?;
    let others = all.iter().any(|other| other.role == Role::Admin && other.name != account.name);
    if account.role != Role::Admin || others {
        return Ok(());
    }
    Err(Refusal::new(format!("user `{}` is the last administrator", account.name))
        .hint("make another first: `users set-role NAME admin`")
        .into())
}

pub(super) fn check_password(
    accounts: &Accounts,
    password: &str,
    name: &str,
    email: &str,
) -> Result<(), Refusal> {
    let wrong = accounts.policy.wrong_with(password, &[name, email]);
    if wrong.is_empty() {
        return Ok(());
    }
    Err(Refusal::new("the password will not do").details(wrong.iter().map(of_password)))
}

fn of_password(wrong: &String) -> String {
    format!("password: {wrong}")
}

const NAME_MAX: usize = 64;

fn wrong_with_name(name: &str) -> Vec<String> {
    let name = name.trim();
    let is_good = |c: char| c.is_alphanumeric() || "._-@+".contains(c);
    let mut wrong = Vec::new();
    if name.is_empty() || NAME_MAX < name.chars().count() {
        wrong.push(format!("name: it needs 1 to {NAME_MAX} characters"));
    }
    if !name.chars().all(is_good) {
        wrong.push(format!(
            "name: `{}` has other characters than letters, digits and . _ - @ +",
            name.escape_debug()
        ));
    }
    wrong
}

fn wrong_with_email(email: &str) -> Option<String> {
    let email = email.trim();
    let (local, domain) = email.split_once('@').unwrap_or_default();
    let is_one = !local.is_empty()
        && !domain.is_empty()
        && !domain.contains('@')
        && !email.contains(|c: char| c.is_whitespace() || c.is_control());
    (!is_one).then(|| format!("email: `{}` is not an e-mail address", email.escape_debug()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_addresses() {
        let names = [
            ("maria", ""),
            ("Maria.Lopez-2@x.edu", ""),
            ("Ümit", ""),
            ("", "name: it needs 1 to 64 characters"),
            ("a b", "name: `a b` has other characters than letters, digits and . _ - @ +"),
            ("a\nb", "name: `a\\nb` has other characters than letters, digits and . _ - @ +"),
            ("<b>", "name: `<b>` has other characters than letters, digits and . _ - @ +"),
        ];
        for (name, expected) in names {
            assert_eq!(wrong_with_name(name).join("; "), expected);
        }
        for good in ["a@x.edu", " a@x.edu "] {
            assert_eq!(wrong_with_email(good), None);
        }
        for bad in ["", "a", "@x", "a@", "a b@x", "a@b@c"] {
            assert!(wrong_with_email(bad).is_some(), "{bad}");
        }
    }
}
