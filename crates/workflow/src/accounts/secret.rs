//! The secret key of an installation, what is sealed with it, and chance.

use chacha20poly1305::aead::{Aead as _, KeyInit as _, Payload};
use chacha20poly1305::{ChaCha20Poly1305, Key, Nonce};
use hkdf::Hkdf;
use sha2::Sha256;

use crate::{Refusal, WorkflowError};

/// From `web.secret_key`, or the file that stands for it. Never shown.
#[derive(Clone)]
pub struct SecretKey(Option<String>);

/// Why a text cannot be the secret key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadSecretKey {
    #[error(
        "it is the one of an example, which everybody knows; leave `web.secret_key` out and one is made, or \
         give 32 or more random characters"
    )]
    WellKnown,
    #[error(
        "it has fewer than 32 characters; leave `web.secret_key` out and one is made, or give 32 or more random \
         characters"
    )]
    TooShort,
    #[error(
        "it repeats itself; leave `web.secret_key` out and one is made, or give 32 or more random characters"
    )]
    Repeats,
}

/// Of examples, older and of others.
const WELL_KNOWN: [&str; 12] = [
    "change-me",
    "changeme",
    "change_me",
    "change this",
    "change-this",
    "replace-me",
    "replace_me",
    "your-secret-key",
    "your_secret_key",
    "secret-key-here",
    "dev-secret",
    "example",
];

/// What secrets of second factors are sealed for.
const TOTP: &str = "totp secrets";

impl SecretKey {
    /// # Errors
    /// [`BadSecretKey`] for one that could be guessed.
    pub fn new(text: &str) -> Result<SecretKey, BadSecretKey> {
        let text = text.trim();
        let lower = text.to_lowercase();
        let different: std::collections::BTreeSet<char> = text.chars().collect();
        let is_word = ["secret", "key", "password"].contains(&lower.as_str());
        if is_word || WELL_KNOWN.iter().any(|known| lower.contains(known)) {
            Err(BadSecretKey::WellKnown)
        } else if text.chars().count() < 32 {
            Err(BadSecretKey::TooShort)
        } else if different.len() < 8 {
            Err(BadSecretKey::Repeats)
        } else {
            Ok(SecretKey(Some(text.to_owned())))
        }
    }

    /// For doors that neither seal nor open anything, such as most commands.
    #[must_use]
    pub fn absent() -> SecretKey {
        SecretKey(None)
    }

    /// A new one, as text to be kept.
    ///
    /// # Errors
    /// No chance to be had from the system.
    pub fn random_text() -> Result<String, WorkflowError> {
        random_hex(32)
    }

    /// A key for one purpose; of no use for another.
    ///
    /// # Errors
    /// An absent key.
    pub fn derived(&self, purpose: &str) -> Result<[u8; 32], WorkflowError> {
        let Some(text) = &self.0 else {
            return Err(Refusal::new("this needs the secret key of the web interface").into());
        };
        let mut key = [0; 32];
        Hkdf::<Sha256>::new(Some(b"openchargeback"), text.as_bytes())
            .expand(purpose.as_bytes(), &mut key)
            .map_err(|error| WorkflowError::Internal(error.to_string()))?;
        Ok(key)
    }

    pub(super) fn seal(&self, owner: &str, plain: &[u8]) -> Result<String, WorkflowError> {
        self.seal_as(TOTP, owner, plain)
    }

    pub(super) fn open(&self, owner: &str, sealed: &str) -> Result<Option<Vec<u8>>, WorkflowError> {
        self.open_as(TOTP, owner, sealed)
    }

    /// Sealed for one purpose and one owner: moved to another it does not open.
    ///
    /// # Errors
    /// An absent key.
    pub fn seal_as(&self, purpose: &str, owner: &str, plain: &[u8]) -> Result<String, WorkflowError> {
        let nonce: [u8; 12] = random()?;
        let payload = Payload { msg: plain, aad: owner.as_bytes() };
        let sealed = self.cipher(purpose)?.encrypt(&Nonce::from(nonce), payload);
        let sealed = sealed.map_err(|error| WorkflowError::Internal(error.to_string()))?;
        Ok(format!("v1.{}.{}", hex::encode(nonce), hex::encode(sealed)))
    }

    /// `None` for what was sealed with another key, for another, or is damaged.
    ///
    /// # Errors
    /// An absent key.
    pub fn open_as(
        &self,
        purpose: &str,
        owner: &str,
        sealed: &str,
    ) -> Result<Option<Vec<u8>>, WorkflowError> {
        let cipher = self.cipher(purpose)?;
        let opened = || {
            let (nonce, text) = sealed.strip_prefix("v1.")?.split_once('.')?;
            let nonce: [u8; 12] = hex::decode(nonce).ok()?.try_into().ok()?;
            let bytes = hex::decode(text).ok()?;
            cipher.decrypt(&Nonce::from(nonce), Payload { msg: &bytes, aad: owner.as_bytes() }).ok()
        };
        Ok(opened())
    }

    fn cipher(&self, purpose: &str) -> Result<ChaCha20Poly1305, WorkflowError> {
        Ok(ChaCha20Poly1305::new(&Key::from(self.derived(purpose)?)))
    }
}

impl std::fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SecretKey")
    }
}

pub(super) fn random<const N: usize>() -> Result<[u8; N], WorkflowError> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes)
        .map_err(|error| WorkflowError::Internal(format!("the system gives no random bytes: {error}")))?;
    Ok(bytes)
}

pub(super) fn random_hex(bytes: usize) -> Result<String, WorkflowError> {
    let mut all = vec![0; bytes];
    getrandom::fill(&mut all)
        .map_err(|error| WorkflowError::Internal(format!("the system gives no random bytes: {error}")))?;
    Ok(hex::encode(all))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_that_can_be_guessed_are_refused() {
        let cases = [
            ("change-me-in-production-please-do-it-now", Err(BadSecretKey::WellKnown)),
            ("your-secret-key-here", Err(BadSecretKey::WellKnown)),
            ("secret", Err(BadSecretKey::WellKnown)),
            ("", Err(BadSecretKey::TooShort)),
            ("0123456789abcdef0123456789abcde", Err(BadSecretKey::TooShort)),
            ("abababababababababababababababababab", Err(BadSecretKey::Repeats)),
            ("0123456789abcdef0123456789abcdef", Ok(())),
        ];
        for (text, expected) in cases {
            assert_eq!(SecretKey::new(text).map(drop), expected, "{text}");
        }
        assert!(SecretKey::new(&SecretKey::random_text().unwrap()).is_ok());
    }

    #[test]
    fn what_is_sealed_opens_for_its_owner_with_its_key_alone() {
        let key = SecretKey::new("0123456789abcdef0123456789abcdef").unwrap();
        let other = SecretKey::new("fedcba9876543210fedcba9876543210").unwrap();
        let sealed = key.seal("maria", b"secret").unwrap();
        assert!(!sealed.contains("secret"));
        assert_ne!(sealed, key.seal("maria", b"secret").unwrap(), "no two are alike");
        assert_eq!(key.open("maria", &sealed).unwrap().as_deref(), Some(&b"secret"[..]));
        assert_eq!(key.open("casey", &sealed).unwrap(), None);
        assert_eq!(other.open("maria", &sealed).unwrap(), None);
        assert_eq!(key.open_as("another purpose", "maria", &sealed).unwrap(), None);
        for damaged in ["", "v1.", "v1.00.00", &sealed[..sealed.len() - 2], &sealed.replace("v1", "v2")] {
            assert_eq!(key.open("maria", damaged).unwrap(), None, "{damaged}");
        }
        let refused = SecretKey::absent().seal("maria", b"secret").unwrap_err();
        assert_eq!(refused.to_string(), "this needs the secret key of the web interface");
    }
}
