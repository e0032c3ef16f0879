//! Tokens of programs. Each event holds the whole token after it; the latest counts.

use std::collections::BTreeMap;

use billing::period::Stamp;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::Role;
use crate::books::Table;
use crate::error::LedgerError;
use crate::query::{Cells, Query, Reader};
use crate::tx::Tx;

pub(crate) const API_TOKEN_EVENT: Table = Table {
    name: "api_token_event",
    columns: &["token_id", "event", "name", "owner", "scope", "secret_sha256", "expires_at", "at", "by_user"],
};

/// What a program may do at most; never more than the owner of its token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    Read,
    Review,
    Admin,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a scope; it is read, review or admin")]
pub struct NotAScope(String);

impl Scope {
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Scope::Read => "read",
            Scope::Review => "review",
            Scope::Admin => "admin",
        }
    }

    #[must_use]
    pub const fn role(self) -> Role {
        match self {
            Scope::Read => Role::Viewer,
            Scope::Review => Role::Reviewer,
            Scope::Admin => Role::Admin,
        }
    }
}

impl std::str::FromStr for Scope {
    type Err = NotAScope;

    fn from_str(text: &str) -> Result<Scope, NotAScope> {
        let scopes = [Scope::Read, Scope::Review, Scope::Admin];
        scopes.into_iter().find(|scope| scope.name() == text).ok_or_else(|| NotAScope(text.to_owned()))
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ApiToken {
    pub id: i64,
    /// What its owner calls it.
    pub name: String,
    pub owner: String,
    pub scope: Scope,
    /// The secret itself is shown once and kept nowhere.
    #[serde(skip)]
    pub secret_sha256: String,
    pub expires_at: Timestamp,
}

/// A token with its first event, and its last when that revoked it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ApiTokenRecord {
    #[serde(flatten)]
    pub token: ApiToken,
    pub created: Stamp,
    pub revoked: Option<Stamp>,
}

impl Reader {
    /// In the order they were made, revoked ones too.
    pub async fn list_api_tokens(&mut self) -> Result<Vec<ApiTokenRecord>, LedgerError> {
        self.replay_tokens(None).await
    }

    /// The token with this secret, revoked or not.
    pub async fn find_api_token(
        &mut self,
        secret_sha256: &str,
    ) -> Result<Option<ApiTokenRecord>, LedgerError> {
        Ok(self.replay_tokens(Some(secret_sha256)).await?.pop())
    }

    async fn replay_tokens(
        &mut self,
        secret_sha256: Option<&str>,
    ) -> Result<Vec<ApiTokenRecord>, LedgerError> {
        let query = Query::new(
            "SELECT token_id, event, name, owner, scope, secret_sha256, expires_at, at, by_user \
             FROM api_token_event WHERE 1 = 1",
        );
        let query = query.and_some("secret_sha256 =", secret_sha256).then("ORDER BY number, seq");
        let mut tokens: BTreeMap<i64, ApiTokenRecord> = BTreeMap::new();
        self.each(query, |row| {
            let (token, stamp) = (read_token(row)?, row.stamp()?);
            match tokens.get_mut(&token.id) {
                Some(known) => known.revoked = (row.str("event")? == "revoked").then_some(stamp),
                None => {
                    tokens.insert(token.id, ApiTokenRecord { token, created: stamp, revoked: None });
                }
            }
            Ok(())
        })
        .await?;
        Ok(tokens.into_values().collect())
    }
}

fn read_token(row: &Cells) -> Result<ApiToken, LedgerError> {
    let scope = row.str("scope")?;
    Ok(ApiToken {
        id: row.int("token_id")?,
        name: row.text("name")?,
        owner: row.text("owner")?,
        scope: scope.parse().map_err(|_| LedgerError::unreadable("api_token_event.scope", scope))?,
        secret_sha256: row.text("secret_sha256")?,
        expires_at: row.at("expires_at")?,
    })
}

impl Tx {
    /// The number that the next token has.
    pub async fn next_api_token(&mut self) -> Result<i64, LedgerError> {
        let query = Query::new("SELECT COALESCE(MAX(token_id), 0) + 1 AS next FROM api_token_event");
        Ok(self.row(query, |row| row.int("next")).await?.unwrap_or(1))
    }

    pub async fn create_api_token(&mut self, token: &ApiToken, stamp: &Stamp) -> Result<(), LedgerError> {
        self.insert_token(token, "created", stamp).await
    }

    pub async fn revoke_api_token(&mut self, token: &ApiToken, stamp: &Stamp) -> Result<(), LedgerError> {
        self.insert_token(token, "revoked", stamp).await
    }

    async fn insert_token(
        &mut self,
        token: &ApiToken,
        event: &str,
        stamp: &Stamp,
    ) -> Result<(), LedgerError> {
        let row = vec![
            token.id.into(),
            event.into(),
            (&token.name).into(),
            (&token.owner).into(),
            token.scope.name().into(),
            (&token.secret_sha256).into(),
            token.expires_at.into(),
            stamp.at.into(),
            stamp.by.as_str().into(),
        ];
        self.insert_one(&API_TOKEN_EVENT, row).await?;
        Ok(())
    }
}
