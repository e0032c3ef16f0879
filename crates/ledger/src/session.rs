//! Who is signed in: bookkeeping, not books, and in no copy of them. The token that a browser holds is known by
//! its digest alone, so that who reads the ledger cannot sign in by it.

use billing::Period;
use jiff::Timestamp;

use crate::bookkeeping::Bookkeeping;
use crate::error::LedgerError;
use crate::query::{Cells, Query, Reader};
use crate::tx::Tx;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionRow {
    pub token_sha256: String,
    /// By which people call it; no secret.
    pub id: String,
    /// Of the account.
    pub name: String,
    /// What the account signed in with: another password ends the session.
    pub credential: String,
    pub csrf: String,
    /// The second factor is still asked for.
    pub pending_totp: bool,
    /// Another password is to be chosen first.
    pub must_change: bool,
    /// A second factor that is being set up, sealed.
    pub totp_setup: Option<String>,
    /// The billing period that is looked at.
    pub period: Option<Period>,
    pub address: String,
    pub user_agent: String,
    pub created: Timestamp,
    pub last_seen: Timestamp,
    pub expires_at: Timestamp,
}

const COLUMNS: &str = "token_sha256, session_id, name, credential, csrf, pending_totp, must_change, totp_setup, \
                       period, address, user_agent, created, last_seen, expires_at";

impl Reader {
    pub async fn find_session(&mut self, token_sha256: &str) -> Result<Option<SessionRow>, LedgerError> {
        let sql = format!("SELECT {COLUMNS} FROM session WHERE token_sha256 = $1");
        self.row(Query::new(&sql).bind(token_sha256), read_session).await
    }

    /// Of an account, the latest first.
    pub async fn list_sessions(&mut self, name: &str) -> Result<Vec<SessionRow>, LedgerError> {
        let sql =
            format!("SELECT {COLUMNS} FROM session WHERE name = $1 ORDER BY last_seen DESC, session_id");
        self.rows(Query::new(&sql).bind(name), read_session).await
    }
}

fn read_session(row: &Cells) -> Result<SessionRow, LedgerError> {
    let period = row.opt_text("period")?;
    let period = period
        .map(|text| text.parse().map_err(|_| LedgerError::unreadable("session.period", text)))
        .transpose()?;
    Ok(SessionRow {
        token_sha256: row.text("token_sha256")?,
        id: row.text("session_id")?,
        name: row.text("name")?,
        credential: row.text("credential")?,
        csrf: row.text("csrf")?,
        pending_totp: row.int("pending_totp")? == 1,
        must_change: row.int("must_change")? == 1,
        totp_setup: row.opt_text("totp_setup")?,
        period,
        address: row.text("address")?,
        user_agent: row.text("user_agent")?,
        created: row.at("created")?,
        last_seen: row.at("last_seen")?,
        expires_at: row.at("expires_at")?,
    })
}

impl Bookkeeping {
    pub async fn put_session(&mut self, session: &SessionRow) -> Result<(), LedgerError> {
        self.0.put_session(session).await
    }

    /// Whether there was one.
    pub async fn end_session(&mut self, token_sha256: &str) -> Result<bool, LedgerError> {
        let sql = "DELETE FROM session WHERE token_sha256 = $1";
        Ok(self.0.run(sql, vec![token_sha256.into()]).await? != 0)
    }

    /// Those that nobody can use any more.
    pub async fn end_expired_sessions(&mut self, now: Timestamp) -> Result<u64, LedgerError> {
        self.0.run("DELETE FROM session WHERE expires_at < $1", vec![now.into()]).await
    }

    pub async fn touch_session(&mut self, token_sha256: &str, seen: Timestamp) -> Result<(), LedgerError> {
        let sql = "UPDATE session SET last_seen = $2 WHERE token_sha256 = $1 AND last_seen < $2";
        self.0.run(sql, vec![token_sha256.into(), seen.into()]).await?;
        Ok(())
    }

    pub async fn set_session_period(
        &mut self,
        token_sha256: &str,
        period: Option<Period>,
    ) -> Result<(), LedgerError> {
        let sql = "UPDATE session SET period = $2 WHERE token_sha256 = $1";
        self.0.run(sql, vec![token_sha256.into(), period.into()]).await?;
        Ok(())
    }

    pub async fn set_totp_setup(&mut self, token_sha256: &str, sealed: &str) -> Result<(), LedgerError> {
        let sql = "UPDATE session SET totp_setup = $2 WHERE token_sha256 = $1";
        self.0.run(sql, vec![token_sha256.into(), sealed.into()]).await?;
        Ok(())
    }
}

impl Tx {
    /// Sessions end with the act that ends their reason.
    pub async fn end_sessions_of(&mut self, name: &str, but: Option<&str>) -> Result<u64, LedgerError> {
        let sql = "DELETE FROM session WHERE name = $1 AND token_sha256 <> $2";
        self.run(sql, vec![name.into(), but.unwrap_or_default().into()]).await
    }

    pub async fn put_session(&mut self, session: &SessionRow) -> Result<(), LedgerError> {
        let sql = format!(
            "INSERT INTO session ({COLUMNS}) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)"
        );
        let row = vec![
            (&session.token_sha256).into(),
            (&session.id).into(),
            (&session.name).into(),
            (&session.credential).into(),
            (&session.csrf).into(),
            i64::from(session.pending_totp).into(),
            i64::from(session.must_change).into(),
            (&session.totp_setup).into(),
            session.period.into(),
            (&session.address).into(),
            (&session.user_agent).into(),
            session.created.into(),
            session.last_seen.into(),
            session.expires_at.into(),
        ];
        self.run(&sql, row).await?;
        Ok(())
    }
}
