//! What was tried and used up at the door: bookkeeping beside sessions. It is in the ledger, and not in memory,
//! because several servers may share one.

use jiff::Timestamp;

use crate::bookkeeping::Bookkeeping;
use crate::error::LedgerError;
use crate::query::{Query, Reader};

/// An attempt to sign in that did not succeed, or not yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignInAttempt {
    /// Different for each.
    pub id: String,
    /// A digest of whose password or code was tried.
    pub subject: String,
    /// Where it came from.
    pub network: String,
    pub at: Timestamp,
}

impl Reader {
    /// Those about a subject from anywhere, and those from a network about anybody.
    pub async fn sign_in_attempts(
        &mut self,
        subject: &str,
        network: &str,
    ) -> Result<Vec<SignInAttempt>, LedgerError> {
        let query = Query::new(
            "SELECT attempt, subject, network, at FROM sign_in_attempt \
             WHERE subject = $1 OR network = $2",
        );
        self.rows(query.bind(subject).bind(network), |row| {
            Ok(SignInAttempt {
                id: row.text("attempt")?,
                subject: row.text("subject")?,
                network: row.text("network")?,
                at: row.at("at")?,
            })
        })
        .await
    }

    /// Whether a link to make the first account is good.
    pub async fn find_set_up_link(&mut self, token_sha256: &str) -> Result<Option<Timestamp>, LedgerError> {
        let query = Query::new("SELECT expires_at FROM set_up_link WHERE token_sha256 = $1");
        self.row(query.bind(token_sha256), |row| row.at("expires_at")).await
    }
}

impl Bookkeeping {
    pub async fn put_sign_in_attempt(&mut self, attempt: &SignInAttempt) -> Result<(), LedgerError> {
        let sql = "INSERT INTO sign_in_attempt (attempt, subject, network, at) VALUES ($1, $2, $3, $4)";
        let row = vec![
            (&attempt.id).into(),
            (&attempt.subject).into(),
            (&attempt.network).into(),
            attempt.at.into(),
        ];
        self.0.run(sql, row).await?;
        Ok(())
    }

    /// Who succeeds begins anew from there.
    pub async fn forget_sign_in_attempts(&mut self, subject: &str, network: &str) -> Result<(), LedgerError> {
        let sql = "DELETE FROM sign_in_attempt WHERE subject = $1 AND network = $2";
        self.0.run(sql, vec![subject.into(), network.into()]).await?;
        Ok(())
    }

    pub async fn forget_sign_in_attempts_before(&mut self, at: Timestamp) -> Result<(), LedgerError> {
        self.0.run("DELETE FROM sign_in_attempt WHERE at < $1", vec![at.into()]).await?;
        Ok(())
    }

    /// Use up the code of a time step. `false` when it, or a later one, was used.
    pub async fn use_totp_step(&mut self, name: &str, step: i64) -> Result<bool, LedgerError> {
        let sql = "INSERT INTO totp_used (name, step) VALUES ($1, $2) \
                   ON CONFLICT (name) DO UPDATE SET step = excluded.step WHERE totp_used.step < excluded.step";
        Ok(self.0.run(sql, vec![name.into(), step.into()]).await? == 1)
    }

    pub async fn put_set_up_link(
        &mut self,
        token_sha256: &str,
        expires_at: Timestamp,
    ) -> Result<(), LedgerError> {
        let sql = "INSERT INTO set_up_link (token_sha256, expires_at) VALUES ($1, $2)";
        self.0.run(sql, vec![token_sha256.into(), expires_at.into()]).await?;
        Ok(())
    }
}

impl crate::tx::Tx {
    /// With the act that makes the first account.
    pub async fn end_set_up_links(&mut self) -> Result<(), LedgerError> {
        self.run("DELETE FROM set_up_link", vec![]).await?;
        Ok(())
    }
}
