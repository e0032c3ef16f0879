//! At the door: a name and a password, and a code where there is a second factor.

use jiff::{SignedDuration, Timestamp};
use ledger::{AuditEvent, Bookkeeping, SessionRow};
use serde_json::json;

use super::directory::{Account, Origin};
use super::hashing;
use super::password::LENGTH_MAX;
use super::sessions::Asked;
use super::throttle::Knock;
use super::totp;
use super::{Accounts, Client, SessionToken};
use crate::{Actor, Installation, Refusal, WorkflowError};

/// How it ended.
#[derive(Debug)]
pub enum SignIn {
    Done(NewSession),
    /// The password was right; the session is good for the code and nothing else.
    NeedsTotp(NewSession),
    /// In the same words whether the name is known or not.
    Refused(Refusal),
    /// Too many tries: this one was not looked at.
    Wait(SignedDuration),
}

/// For the cookie and the log.
#[derive(Clone, Debug)]
pub struct NewSession {
    pub token: SessionToken,
    pub id: String,
    pub name: String,
    pub csrf: String,
    pub must_change_password: bool,
    pub expires_at: Timestamp,
}

/// Sign in by password.
///
/// # Errors
/// A ledger that cannot be read or written. Wrong passwords are no error.
pub async fn sign_in(
    installation: &Installation,
    accounts: &Accounts,
    name: &str,
    password: &str,
    from: &Client,
    at: Timestamp,
) -> Result<SignIn, WorkflowError> {
    let knock = Knock::new("password", name, &from.address);
    if let Some(wait) = knock.attempt(installation, at).await? {
        return Ok(SignIn::Wait(wait));
    }
    let Some(account) = verified(installation, accounts, name, password).await? else { return Ok(wrong()) };
    let account = match account {
        (account, true) if account.origin != Origin::Recovery => {
            hashed_better(installation, accounts, account, password, at).await?
        }
        (account, _) => Some(account),
    };
    let Some(account) = account else { return Ok(wrong()) };
    let asked = Asked { totp: account.second_factor, password: is_weak(accounts, &account, password) };
    let (new, row) = accounts.new_session(&account, from, asked, at)?;
    let mut book = installation.ledger.bookkeeping().await?;
    // What was read before may have changed while the password was hashed.
    let now = accounts.find(&mut book, &account.name).await?;
    if now.is_none_or(|now| now.credential() != account.credential()) {
        return Ok(wrong());
    }
    knock.succeeded(&mut book).await?;
    begin(&mut book, &row, at).await?;
    book.commit().await?;
    Ok(if row.pending_totp { SignIn::NeedsTotp(new) } else { SignIn::Done(new) })
}

/// A password of before, or of the configuration, that would not be taken today. What the configuration alone
/// says cannot be changed here.
fn is_weak(accounts: &Accounts, account: &Account, password: &str) -> bool {
    account.origin != Origin::Recovery
        && !accounts.policy.wrong_with(password, &[&account.name, &account.email]).is_empty()
}

fn wrong() -> SignIn {
    SignIn::Refused(Refusal::new("the name or the password is not right"))
}

async fn begin(book: &mut Bookkeeping, row: &SessionRow, at: Timestamp) -> Result<(), WorkflowError> {
    book.end_expired_sessions(at).await?;
    Ok(book.put_session(row).await?)
}

/// The account of a name and its password, and whether its hash is outdated.
pub(super) async fn verified(
    installation: &Installation,
    accounts: &Accounts,
    name: &str,
    password: &str,
) -> Result<Option<(Account, bool)>, WorkflowError> {
    let mut reader = installation.ledger.read().await?;
    let all = accounts.all(&mut reader).await?;
    drop(reader);
    let costs = all.iter().filter_map(|account| hashing::cost_of_bcrypt(account.password_hash.as_deref()?));
    let bcrypt_cost = costs.max();
    let wanted = super::directory::key(name);
    let account = all.into_iter().find(|account| account.name == wanted);
    let is_sane = password.chars().count() <= LENGTH_MAX;
    let hash = account.as_ref().and_then(|account| account.password_hash.as_deref()).filter(|_| is_sane);
    let verified = hashing::verify(if is_sane { password } else { "" }, hash, bcrypt_cost).await?;
    Ok(account.filter(|_| verified.matches).map(|account| (account, verified.is_outdated)))
}

/// Keep a password that was right as today's are kept. `None` when the account changed meanwhile.
async fn hashed_better(
    installation: &Installation,
    accounts: &Accounts,
    account: Account,
    password: &str,
    at: Timestamp,
) -> Result<Option<Account>, WorkflowError> {
    let hash = hashing::hash(password).await?;
    let mut tx = installation.ledger.begin().await?;
    let now = accounts.find(&mut tx, &account.name).await?;
    let Some(now) = now.filter(|now| now.credential() == account.credential()) else { return Ok(None) };
    let actor = Actor { by: account.name.clone(), at };
    let better = Account { password_hash: Some(hash), ..now };
    super::users::save(&mut tx, &better, &actor).await?;
    let detail = json!({ "to": "argon2id" });
    tx.commit(AuditEvent::new(&actor, "user.password_rehashed", &account.name, detail)).await?;
    Ok(Some(better))
}

/// Complete a sign-in by a code of the second factor, or by a recovery code. The session gets another token.
///
/// # Errors
/// A second factor that cannot be read: it was sealed with another secret key.
pub async fn confirm_totp(
    installation: &Installation,
    accounts: &Accounts,
    token: &SessionToken,
    code: &str,
    at: Timestamp,
) -> Result<SignIn, WorkflowError> {
    let holder = accounts.holder(&mut installation.ledger.read().await?, token, at).await?;
    let Some((row, account)) = holder.filter(|(row, _)| row.pending_totp) else {
        return Ok(SignIn::Refused(Refusal::new("this took too long: sign in again")));
    };
    let knock = Knock::new("code", &account.name, &row.address);
    if let Some(wait) = knock.attempt(installation, at).await? {
        return Ok(SignIn::Wait(wait));
    }
    let recovery = totp::recovery_digest(code).filter(|digest| account.recovery_digests.contains(digest));
    let step = match &recovery {
        Some(_) => None,
        None => accounts.step_of(&account, code, at)?,
    };
    if let Some(digest) = &recovery
        && !use_recovery_code(installation, accounts, &account.name, digest, at).await?
    {
        return Ok(wrong_code());
    }
    let client = Client { address: row.address.clone(), user_agent: row.user_agent.clone() };
    let asked = Asked { totp: false, password: row.must_change };
    let (new, whole) = accounts.new_session(&account, &client, asked, at)?;
    let mut book = installation.ledger.bookkeeping().await?;
    let is_good = match step {
        Some(step) => book.use_totp_step(&account.name, step).await?,
        None => recovery.is_some(),
    };
    // Of two requests with the same token one comes first, and the other finds it gone.
    if !is_good || !book.end_session(&row.token_sha256).await? {
        return Ok(wrong_code());
    }
    knock.succeeded(&mut book).await?;
    begin(&mut book, &whole, at).await?;
    book.commit().await?;
    Ok(SignIn::Done(new))
}

fn wrong_code() -> SignIn {
    SignIn::Refused(Refusal::new("the code is not right, or was used before"))
}

impl Accounts {
    fn step_of(&self, account: &Account, code: &str, at: Timestamp) -> Result<Option<i64>, WorkflowError> {
        let sealed = account.totp_secret.as_deref().unwrap_or_default();
        let secret = self.secret_key.open(&account.name, sealed)?.ok_or_else(|| {
            Refusal::new(format!(
                "the second factor of `{}` was sealed with another secret key",
                account.name
            ))
            .hint(format!("use a recovery code, or `users totp-remove {}` takes it away", account.name))
        })?;
        Ok(totp::matching_step(&secret, code, at))
    }
}

/// `false` when it was used meanwhile.
async fn use_recovery_code(
    installation: &Installation,
    accounts: &Accounts,
    name: &str,
    digest: &str,
    at: Timestamp,
) -> Result<bool, WorkflowError> {
    let mut tx = installation.ledger.begin().await?;
    let mut account = accounts.load(&mut tx, name).await?;
    let before = account.recovery_digests.len();
    account.recovery_digests.retain(|known| known != digest);
    let left = account.recovery_digests.len();
    if left == before {
        return Ok(false);
    }
    let actor = Actor { by: name.to_owned(), at };
    super::users::save(&mut tx, &account, &actor).await?;
    let detail = json!({ "left": left });
    tx.commit(AuditEvent::new(&actor, "user.recovery_code_used", name, detail)).await?;
    Ok(true)
}
