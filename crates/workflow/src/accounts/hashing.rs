//! Passwords are hashed by argon2id. Hashes of bcrypt, which older configurations have, are read. It is slow on
//! purpose: two at a time, off the threads that serve.

use argon2::password_hash::rand_core::OsRng;
use argon2::password_hash::{PasswordHash, PasswordHasher as _, PasswordVerifier as _, SaltString};
use argon2::{Algorithm, Argon2, Params};
use tokio::sync::Semaphore;

use crate::WorkflowError;

static TURNS: Semaphore = Semaphore::const_new(2);

/// What a password was found to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Verified {
    pub matches: bool,
    /// The hash is not as today's are made.
    pub is_outdated: bool,
}

/// In PHC text.
pub(super) async fn hash(password: &str) -> Result<String, WorkflowError> {
    let password = password.to_owned();
    let hashed = blocking(move || {
        let salt = SaltString::generate(&mut OsRng);
        Argon2::default().hash_password(password.as_bytes(), &salt).map(|hash| hash.to_string())
    });
    hashed.await?.map_err(|error| WorkflowError::Internal(format!("cannot hash the password: {error}")))
}

/// Whether a password is the one of a hash. The same work is done whatever there is to compare with, so that the
/// time taken does not tell which names are known: an argon2 always, and a bcrypt of `bcrypt_cost` as long as
/// some account has one.
pub(super) async fn verify(
    password: &str,
    hash: Option<&str>,
    bcrypt_cost: Option<u32>,
) -> Result<Verified, WorkflowError> {
    let (password, hash) = (password.to_owned(), hash.unwrap_or_default().to_owned());
    blocking(move || {
        let is_bcrypt = cost_of_bcrypt(&hash).is_some();
        let by_bcrypt = match bcrypt_cost {
            _ if is_bcrypt => bcrypt::verify(&password, &hash).unwrap_or(false),
            Some(cost) => bcrypt::hash_with_salt(&password, cost, [0; 16]).is_err(),
            None => false,
        };
        let parsed = PasswordHash::new(&hash).ok().filter(|_| !is_bcrypt);
        let by_argon2 = if let Some(parsed) = &parsed {
            Argon2::default().verify_password(password.as_bytes(), parsed).is_ok()
        } else {
            let mut nowhere = [0; 32];
            let _ = Argon2::default().hash_password_into(password.as_bytes(), &[0; 16], &mut nowhere);
            false
        };
        let matches = if is_bcrypt { by_bcrypt } else { by_argon2 };
        Verified { matches, is_outdated: !parsed.is_some_and(|parsed| is_current(&parsed)) }
    })
    .await
}

fn is_current(hash: &PasswordHash<'_>) -> bool {
    let today = Params::default();
    hash.algorithm == Algorithm::Argon2id.ident()
        && Params::try_from(hash).is_ok_and(|params| {
            (params.m_cost(), params.t_cost(), params.p_cost())
                == (today.m_cost(), today.t_cost(), today.p_cost())
        })
}

/// Of `$2b$12$…`. A cost that would take minutes is no cost that somebody waited for.
pub(super) fn cost_of_bcrypt(hash: &str) -> Option<u32> {
    let rest = hash.strip_prefix("$2")?;
    let (version, rest) = rest.split_once('$')?;
    let cost = rest.split_once('$')?.0.parse().ok()?;
    (matches!(version, "a" | "b" | "x" | "y") && (4..=17).contains(&cost)).then_some(cost)
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, WorkflowError> {
    let internal = |error: String| WorkflowError::Internal(format!("passwords: {error}"));
    let turn = TURNS.acquire().await.map_err(|error| internal(error.to_string()))?;
    let done = tokio::task::spawn_blocking(work).await.map_err(|error| internal(error.to_string()))?;
    drop(turn);
    Ok(done)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn hashes_of_every_kind() {
        let password = "glühwein im märz";
        let bcrypted = bcrypt::hash(password, 4).unwrap();
        let own = hash(password).await.unwrap();
        let old =
            Argon2::new(Algorithm::Argon2i, argon2::Version::V0x13, Params::new(64, 2, 1, None).unwrap());
        let old =
            old.hash_password(password.as_bytes(), &SaltString::generate(&mut OsRng)).unwrap().to_string();
        let cases = [
            (own.as_str(), password, true, false),
            (&own, "other", false, false),
            (&bcrypted, password, true, true),
            (&bcrypted, "other", false, true),
            (&bcrypted.replace("$2b$", "$2y$"), password, true, true),
            (&old, password, true, true),
            ("", "", false, true),
            ("", password, false, true),
            ("plain", "plain", false, true),
            ("$2b$04$short", password, false, true),
            ("$2b$31$KIXxPfAK5bB2c1aJ0hQn1eO2nqkq0fM2rj8i3jFfM0O3l5yq0k8yW", password, false, true),
        ];
        for (hash, password, matches, is_outdated) in cases {
            for cost in [None, Some(4)] {
                let verified = verify(password, Some(hash), cost).await.unwrap();
                assert_eq!(verified, Verified { matches, is_outdated }, "{hash} {password}");
            }
        }
        assert!(!verify(password, None, None).await.unwrap().matches);
    }
}
