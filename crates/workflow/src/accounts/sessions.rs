//! Sessions: kept with the ledger, so that signing out, another role and another password count at once, on
//! every server.

use billing::Period;
use jiff::{SignedDuration, Timestamp};
use ledger::{AuditEvent, LedgerNumber, Reader, Role, SessionRow};
use serde::Serialize;
use serde_json::json;

use super::directory::{Account, Origin, key};
use super::secret::random_hex;
use super::{Accounts, Client, NewSession, SessionToken};
use crate::{Actor, Installation, Refusal, WorkflowError};

/// Somebody who is signed in, or half so.
#[derive(Clone, Debug, Serialize)]
pub struct Session {
    /// By which people call it; no secret.
    pub id: String,
    pub user: SessionUser,
    /// Proves that a form was ours.
    #[serde(skip)]
    pub csrf: String,
    /// The second factor is still to come: nothing else may be done.
    pub pending_totp: bool,
    /// Another password is to be chosen first.
    pub must_change_password: bool,
    /// The billing period that is looked at.
    pub period: Option<Period>,
    pub address: String,
    pub user_agent: String,
    pub created: Timestamp,
    pub last_seen: Timestamp,
    pub expires_at: Timestamp,
}

#[derive(Clone, Debug, Serialize)]
pub struct SessionUser {
    pub name: String,
    pub display_name: String,
    pub email: String,
    pub role: Role,
    /// Has the password that the configuration says, and no other.
    pub is_recovery: bool,
    pub second_factor: bool,
}

/// Who has a password has so long for the code.
const PENDING: SignedDuration = SignedDuration::from_mins(10);

/// Seen is written down so often: reading a page is no reason to write.
const TOUCH: SignedDuration = SignedDuration::from_mins(1);

const USER_AGENT_MAX: usize = 200;
const ADDRESS_MAX: usize = 64;

/// Who holds a token, as things are now; `None` when the session is over.
///
/// # Errors
/// What the ledger could not read.
pub async fn session(
    installation: &Installation,
    accounts: &Accounts,
    token: &SessionToken,
    at: Timestamp,
) -> Result<Option<Session>, WorkflowError> {
    let mut reader = installation.ledger.read().await?;
    let Some((row, account)) = accounts.holder(&mut reader, token, at).await? else { return Ok(None) };
    drop(reader);
    if row.last_seen + TOUCH <= at {
        touch(installation, &row.token_sha256, at);
    }
    Ok(Some(told(row, &account)))
}

/// Not waited for: an act that is being written is no reason to keep a reader waiting.
fn touch(installation: &Installation, token_sha256: &str, at: Timestamp) {
    let (ledger, token_sha256) = (installation.ledger.clone(), token_sha256.to_owned());
    tokio::spawn(async move {
        let mut book = ledger.bookkeeping().await?;
        book.touch_session(&token_sha256, at).await?;
        book.commit().await
    });
}

impl Accounts {
    /// The session of a token and its account, while both are good.
    pub(super) async fn holder(
        &self,
        reader: &mut Reader,
        token: &SessionToken,
        at: Timestamp,
    ) -> Result<Option<(SessionRow, Account)>, WorkflowError> {
        let Some(row) = reader.find_session(&token.digest()).await? else { return Ok(None) };
        let account = self.find(reader, &row.name).await?;
        let good = account.filter(|account| self.is_good(&row, account, at));
        Ok(good.map(|account| (row, account)))
    }

    fn is_good(&self, row: &SessionRow, account: &Account, at: Timestamp) -> bool {
        let idle = SignedDuration::from_mins(i64::from(self.idle_minutes));
        at < row.expires_at && at < row.last_seen + idle && row.credential == account.credential()
    }

    /// A session that begins now.
    pub(super) fn new_session(
        &self,
        account: &Account,
        from: &Client,
        asked: Asked,
        at: Timestamp,
    ) -> Result<(NewSession, SessionRow), WorkflowError> {
        let token = SessionToken::random()?;
        let hours = SignedDuration::from_hours(i64::from(self.session_hours));
        let row = SessionRow {
            token_sha256: token.digest(),
            id: random_hex(6)?,
            name: account.name.clone(),
            credential: account.credential(),
            csrf: random_hex(32)?,
            pending_totp: asked.totp,
            must_change: asked.password || account.must_change_password,
            totp_setup: None,
            period: None,
            address: cut(&from.address, ADDRESS_MAX),
            user_agent: cut(&from.user_agent, USER_AGENT_MAX),
            created: at,
            last_seen: at,
            expires_at: at + if asked.totp { PENDING } else { hours },
        };
        let new = NewSession {
            token,
            id: row.id.clone(),
            name: row.name.clone(),
            csrf: row.csrf.clone(),
            must_change_password: row.must_change,
            expires_at: row.expires_at,
        };
        Ok((new, row))
    }
}

/// What is still asked for when a session begins.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Asked {
    pub totp: bool,
    pub password: bool,
}

/// Printable, and no longer than is of use.
fn cut(text: &str, max: usize) -> String {
    text.chars().filter(|c| !c.is_control()).take(max).collect()
}

fn told(row: SessionRow, account: &Account) -> Session {
    Session {
        id: row.id,
        user: SessionUser {
            name: account.name.clone(),
            display_name: account.display_name.clone(),
            email: account.email.clone(),
            role: account.role,
            is_recovery: account.origin == Origin::Recovery,
            second_factor: account.second_factor,
        },
        csrf: row.csrf,
        pending_totp: row.pending_totp,
        must_change_password: row.must_change && account.origin != Origin::Recovery,
        period: row.period,
        address: row.address,
        user_agent: row.user_agent,
        created: row.created,
        last_seen: row.last_seen,
        expires_at: row.expires_at,
    }
}

/// Who is signed in as somebody, the latest first.
///
/// # Errors
/// What the ledger could not read.
pub async fn sessions_of(
    installation: &Installation,
    accounts: &Accounts,
    name: &str,
    at: Timestamp,
) -> Result<Vec<Session>, WorkflowError> {
    let mut reader = installation.ledger.read().await?;
    let account = accounts.load(&mut reader, name).await?;
    let mut rows = reader.list_sessions(&account.name).await?;
    rows.retain(|row| accounts.is_good(row, &account, at));
    Ok(rows.into_iter().map(|row| told(row, &account)).collect())
}

/// Whether there was a session.
///
/// # Errors
/// A ledger that cannot be written.
pub async fn sign_out(installation: &Installation, token: &SessionToken) -> Result<bool, WorkflowError> {
    let mut book = installation.ledger.bookkeeping().await?;
    let was = book.end_session(&token.digest()).await?;
    book.commit().await?;
    Ok(was)
}

/// End one of one's own sessions, by its id.
///
/// # Errors
/// A session that is not there, or another's.
pub async fn end_session(installation: &Installation, actor: &Actor, id: &str) -> Result<(), WorkflowError> {
    let mut book = installation.ledger.bookkeeping().await?;
    let own = book.list_sessions(&key(&actor.by)).await?;
    let Some(row) = own.iter().find(|row| row.id == id) else {
        return Err(Refusal::new(format!("`{}` has no session `{id}`", actor.by)).into());
    };
    book.end_session(&row.token_sha256).await?;
    Ok(book.commit().await?)
}

/// End one's own sessions but the one at hand. How many that were.
///
/// # Errors
/// A session that has ended itself.
pub async fn end_other_sessions(
    installation: &Installation,
    accounts: &Accounts,
    token: &SessionToken,
    at: Timestamp,
) -> Result<u64, WorkflowError> {
    let mut book = installation.ledger.bookkeeping().await?;
    let Some((row, account)) = accounts.holder(&mut book, token, at).await? else {
        return Err(Refusal::new("the session has ended: sign in again").into());
    };
    let mut ended = 0;
    for other in book.list_sessions(&account.name).await? {
        if other.id != row.id && book.end_session(&other.token_sha256).await? {
            ended += 1;
        }
    }
    book.commit().await?;
    Ok(ended)
}

/// Sign somebody out everywhere. How many sessions that ended; without any nothing is recorded.
///
/// # Errors
/// An unknown user.
pub async fn end_sessions_of(
    installation: &Installation,
    accounts: &Accounts,
    actor: &Actor,
    name: &str,
) -> Result<(u64, Option<LedgerNumber>), WorkflowError> {
    let mut tx = installation.ledger.begin().await?;
    let account = accounts.load(&mut tx, name).await?;
    let ended = tx.end_sessions_of(&account.name, None).await?;
    if ended == 0 {
        return Ok((0, None));
    }
    let event = AuditEvent::new(actor, "user.signed_out", &account.name, json!({ "sessions": ended }));
    Ok((ended, Some(tx.commit(event).await?)))
}

/// Look at another billing period.
///
/// # Errors
/// A ledger that cannot be written.
pub async fn choose_period(
    installation: &Installation,
    token: &SessionToken,
    period: Option<Period>,
) -> Result<(), WorkflowError> {
    let mut book = installation.ledger.bookkeeping().await?;
    book.set_session_period(&token.digest(), period).await?;
    Ok(book.commit().await?)
}
