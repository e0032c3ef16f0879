//! What people change about their own accounts: only with the password they have.

use jiff::Timestamp;
use ledger::{AuditEvent, SessionRow};
use serde::Serialize;
use serde_json::json;

use super::directory::{Account, Origin};
use super::hashing;
use super::sessions::Asked;
use super::sign_in::verified;
use super::throttle::Knock;
use super::totp;
use super::users::{check_password, save};
use super::{Accounts, Client, NewSession, SessionToken};
use crate::{Actor, Installation, Refusal, WorkflowError};

/// For an authenticator: to be typed, or as a QR code.
#[derive(Clone, Serialize)]
pub struct TotpSetup {
    pub secret_base32: String,
    pub otpauth_uri: String,
}

impl std::fmt::Debug for TotpSetup {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TotpSetup")
    }
}

/// Who holds a session that is whole; a new password may still be asked for.
async fn signed_in(
    installation: &Installation,
    accounts: &Accounts,
    token: &SessionToken,
    at: Timestamp,
) -> Result<(SessionRow, Account), WorkflowError> {
    let holder = accounts.holder(&mut installation.ledger.read().await?, token, at).await?;
    let whole = holder.filter(|(row, _)| !row.pending_totp);
    Ok(whole.ok_or_else(|| Refusal::new("the session has ended: sign in again"))?)
}

/// The same, who has just said the password. Guessing is slowed as at the door.
async fn with_password(
    installation: &Installation,
    accounts: &Accounts,
    token: &SessionToken,
    password: &str,
    at: Timestamp,
) -> Result<(SessionRow, Account), WorkflowError> {
    let (row, account) = signed_in(installation, accounts, token, at).await?;
    let knock = Knock::new("password", &account.name, &row.address);
    if let Some(wait) = knock.attempt(installation, at).await? {
        let seconds = wait.as_secs().max(1);
        return Err(Refusal::new(format!("too many wrong passwords: try again in {seconds} seconds")).into());
    }
    if verified(installation, accounts, &account.name, password).await?.is_none() {
        return Err(Refusal::new("the password that you have now is another").into());
    }
    let mut book = installation.ledger.bookkeeping().await?;
    knock.succeeded(&mut book).await?;
    book.commit().await?;
    Ok((row, account))
}

/// Choose another password. All sessions end; who changed it goes on with the new one.
///
/// # Errors
/// A wrong old password, a new one that will not do, an account whose password is the configuration's.
pub async fn change_password(
    installation: &Installation,
    accounts: &Accounts,
    token: &SessionToken,
    (old, new): (&str, &str),
    at: Timestamp,
) -> Result<NewSession, WorkflowError> {
    let (row, account) = with_password(installation, accounts, token, old, at).await?;
    if account.origin == Origin::Recovery {
        return Err(in_configuration(&account.name).into());
    }
    check_password(accounts, new, &account.name, &account.email)?;
    if old == new {
        return Err(Refusal::new("the new password is the old one").into());
    }
    let hash = hashing::hash(new).await?;
    let mut tx = installation.ledger.begin().await?;
    let now = accounts.load(&mut tx, &account.name).await?;
    if now.credential() != account.credential() {
        return Err(Refusal::new("the password was changed meanwhile: sign in again").into());
    }
    let changed = Account { password_hash: Some(hash), must_change_password: false, ..now };
    let actor = Actor { by: account.name.clone(), at };
    save(&mut tx, &changed, &actor).await?;
    let ended = tx.end_sessions_of(&account.name, None).await?;
    let client = Client { address: row.address, user_agent: row.user_agent };
    let (session, new_row) = accounts.new_session(&changed, &client, Asked::default(), at)?;
    tx.put_session(&SessionRow { period: row.period, ..new_row }).await?;
    let detail = json!({ "sessions_ended": ended.saturating_sub(1) });
    tx.commit(AuditEvent::new(&actor, "user.password_changed", &account.name, detail)).await?;
    Ok(session)
}

pub(super) fn in_configuration(name: &str) -> Refusal {
    Refusal::new(format!("the password of `{name}` is the one of the configuration"))
        .hint(format!("change `web.users.{name}.password_hash` there, or take `recovery` out"))
}

/// Begin to set up a second factor: what to put into an authenticator. It counts after [`finish_totp`].
///
/// # Errors
/// A wrong password, an absent secret key.
pub async fn begin_totp(
    installation: &Installation,
    accounts: &Accounts,
    token: &SessionToken,
    password: &str,
    at: Timestamp,
) -> Result<TotpSetup, WorkflowError> {
    let (row, account) = with_password(installation, accounts, token, password, at).await?;
    let secret = totp::new_secret()?;
    let sealed = accounts.secret_key.seal(&account.name, &secret)?;
    let mut book = installation.ledger.bookkeeping().await?;
    book.set_totp_setup(&row.token_sha256, &sealed).await?;
    book.commit().await?;
    let issuer = match installation.institution.name.as_str() {
        "" => "OpenChargeback".to_owned(),
        name => format!("OpenChargeback {name}"),
    };
    Ok(TotpSetup {
        secret_base32: totp::base32(&secret),
        otpauth_uri: totp::otpauth_uri(&secret, &issuer, &account.name),
    })
}

/// Prove that the authenticator has it: from now on codes are asked for. Other sessions end. The recovery codes
/// are shown this once.
///
/// # Errors
/// A wrong code; nothing that was begun.
pub async fn finish_totp(
    installation: &Installation,
    accounts: &Accounts,
    token: &SessionToken,
    code: &str,
    at: Timestamp,
) -> Result<Vec<String>, WorkflowError> {
    let (row, account) = signed_in(installation, accounts, token, at).await?;
    let begin_again = || Refusal::new("no second factor is being set up: begin again");
    let sealed = row.totp_setup.clone().ok_or_else(begin_again)?;
    let secret = accounts.secret_key.open(&account.name, &sealed)?.ok_or_else(begin_again)?;
    let step = totp::matching_step(&secret, code, at).ok_or_else(|| {
        Refusal::new("the code is not right")
            .hint("codes follow the time: look at the clock of the telephone")
    })?;
    let (codes, digests) = totp::new_recovery_codes()?;
    let mut book = installation.ledger.bookkeeping().await?;
    book.use_totp_step(&account.name, step).await?;
    book.commit().await?;
    let mut tx = installation.ledger.begin().await?;
    let now = accounts.load(&mut tx, &account.name).await?;
    let factor = Account { totp_secret: Some(sealed), recovery_digests: digests, ..now };
    let actor = Actor { by: account.name.clone(), at };
    save(&mut tx, &factor, &actor).await?;
    tx.end_sessions_of(&account.name, Some(&row.token_sha256)).await?;
    let detail = json!({ "recovery_codes": codes.len() });
    tx.commit(AuditEvent::new(&actor, "user.totp_set", &account.name, detail)).await?;
    Ok(codes)
}

/// Take one's own second factor away.
///
/// # Errors
/// A wrong password; an account without one.
pub async fn remove_own_totp(
    installation: &Installation,
    accounts: &Accounts,
    token: &SessionToken,
    password: &str,
    at: Timestamp,
) -> Result<(), WorkflowError> {
    let (_, account) = with_password(installation, accounts, token, password, at).await?;
    let actor = Actor { by: account.name.clone(), at };
    super::users::remove_totp(installation, accounts, &actor, &account.name).await?;
    Ok(())
}

/// New recovery codes; those of before are good no more.
///
/// # Errors
/// A wrong password; an account without a second factor.
pub async fn renew_recovery_codes(
    installation: &Installation,
    accounts: &Accounts,
    token: &SessionToken,
    password: &str,
    at: Timestamp,
) -> Result<Vec<String>, WorkflowError> {
    let (_, account) = with_password(installation, accounts, token, password, at).await?;
    let mut tx = installation.ledger.begin().await?;
    let now = accounts.load(&mut tx, &account.name).await?;
    if !now.second_factor {
        return Err(super::users::no_second_factor(&account.name).into());
    }
    let (codes, digests) = totp::new_recovery_codes()?;
    let actor = Actor { by: account.name.clone(), at };
    save(&mut tx, &Account { recovery_digests: digests, ..now }, &actor).await?;
    let detail = json!({ "recovery_codes": codes.len() });
    tx.commit(AuditEvent::new(&actor, "user.recovery_codes_renewed", &account.name, detail)).await?;
    Ok(codes)
}
