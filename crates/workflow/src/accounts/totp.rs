//! Codes that change with the time (RFC 6238: SHA-1, six digits, 30 seconds), and codes on paper for the day the
//! telephone is lost.

use data_encoding::{BASE32_NOPAD, BASE32_NOPAD_NOCASE};
use hmac::{Hmac, KeyInit as _, Mac as _};
use jiff::Timestamp;
use ledger::sha256_hex;
use sha1::Sha1;
use subtle::ConstantTimeEq as _;

use super::secret::random;
use crate::WorkflowError;

const STEP_SECONDS: i64 = 30;
const DIGITS: usize = 6;

/// Clocks of telephones are off by some seconds: the step before and the one after are good, too.
const TOLERANCE: i64 = 1;

const RECOVERY_CODES: usize = 10;

/// As long as the hash, as RFC 4226 recommends.
pub(super) type Secret = [u8; 20];

pub(super) fn new_secret() -> Result<Secret, WorkflowError> {
    random()
}

pub(super) fn base32(secret: &Secret) -> String {
    BASE32_NOPAD.encode(secret)
}

/// What an authenticator reads from a QR code.
pub(super) fn otpauth_uri(secret: &Secret, issuer: &str, name: &str) -> String {
    let (issuer, name) = (escaped(issuer), escaped(name));
    let secret = base32(secret);
    format!(
        "otpauth://totp/{issuer}:{name}?secret={secret}&issuer={issuer}&algorithm=SHA1&digits={DIGITS}&period={STEP_SECONDS}"
    )
}

fn escaped(text: &str) -> String {
    use std::fmt::Write as _;
    let mut out = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

/// The time step whose code this is, near `at`.
pub(super) fn matching_step(secret: &[u8], code: &str, at: Timestamp) -> Option<i64> {
    let digits: String = code.chars().filter(|c| !c.is_whitespace()).collect();
    if digits.len() != DIGITS || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let now = at.as_second().div_euclid(STEP_SECONDS);
    // All are computed, so that the time taken tells nothing.
    let matches = (now - TOLERANCE..=now + TOLERANCE)
        .filter(|step| bool::from(code_of(secret, *step).as_bytes().ct_eq(digits.as_bytes())));
    matches.collect::<Vec<i64>>().pop()
}

fn code_of(secret: &[u8], step: i64) -> String {
    let Ok(mut mac) = Hmac::<Sha1>::new_from_slice(secret) else { return String::new() };
    mac.update(&step.to_be_bytes());
    let hash = mac.finalize().into_bytes();
    let offset = usize::from(hash[19] & 0x0f);
    let bytes = [hash[offset] & 0x7f, hash[offset + 1], hash[offset + 2], hash[offset + 3]];
    format!("{:06}", u32::from_be_bytes(bytes) % 1_000_000)
}

/// Codes for paper, as people read them, and their digests for the ledger. 80 random bits need no slow hash.
pub(super) fn new_recovery_codes() -> Result<(Vec<String>, Vec<String>), WorkflowError> {
    let mut codes = Vec::new();
    for _ in 0..RECOVERY_CODES {
        let bits: [u8; 10] = random()?;
        let text = BASE32_NOPAD.encode(&bits).to_lowercase();
        let groups: Vec<&str> = (0..4).map(|at| &text[at * 4..at * 4 + 4]).collect();
        codes.push(groups.join("-"));
    }
    let digests = codes.iter().filter_map(|code| recovery_digest(code)).collect();
    Ok((codes, digests))
}

/// `None` for what is no such code. Dashes, blanks and case do not matter.
pub(super) fn recovery_digest(code: &str) -> Option<String> {
    let letters: String = code.chars().filter(|c| c.is_alphanumeric()).collect();
    let bits = BASE32_NOPAD_NOCASE.decode(letters.as_bytes()).ok()?;
    (bits.len() == 10).then(|| sha256_hex(&bits))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    /// Appendix B of RFC 6238, with the last six of its eight digits.
    #[test]
    fn codes_are_those_of_the_standard() {
        let secret = b"12345678901234567890";
        let cases = [
            (59, "287082"),
            (1_111_111_109, "081804"),
            (1_111_111_111, "050471"),
            (1_234_567_890, "005924"),
            (2_000_000_000, "279037"),
            (20_000_000_000, "353130"),
        ];
        for (second, code) in cases {
            assert_eq!(code_of(secret, second / 30), code);
            assert_eq!(matching_step(secret, code, at(second)), Some(second / 30));
        }
    }

    #[test]
    fn a_code_is_good_a_step_early_and_a_step_late() {
        let secret = b"12345678901234567890";
        let code = code_of(secret, 100);
        let cases = [(98, false), (99, true), (100, true), (101, true), (102, false)];
        for (step, good) in cases {
            assert_eq!(matching_step(secret, &code, at(step * 30 + 7)).is_some(), good, "{step}");
        }
        let spaced = format!(" {} {}", &code[..3], &code[3..]);
        assert_eq!(matching_step(secret, &spaced, at(3000)), Some(100));
        for wrong in ["", "12345", "1234567", "abcdef", "１２３４５６"] {
            assert_eq!(matching_step(secret, wrong, at(3000)), None, "{wrong}");
        }
    }

    #[test]
    fn what_an_authenticator_reads() {
        let secret = *b"12345678901234567890";
        insta::assert_snapshot!(
            otpauth_uri(&secret, "Example University", "maria@x.edu"),
            @"otpauth://totp/Example%20University:maria%40x.edu?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=Example%20University&algorithm=SHA1&digits=6&period=30"
        );
    }

    #[test]
    fn recovery_codes_are_read_as_people_type_them() {
        let (codes, digests) = new_recovery_codes().unwrap();
        assert_eq!((codes.len(), digests.len()), (10, 10));
        for (code, digest) in codes.iter().zip(&digests) {
            assert_eq!(code.len(), 19, "{code}");
            let typed = code.replace('-', " ").to_uppercase();
            assert_eq!(recovery_digest(&typed).as_ref(), Some(digest));
        }
        for wrong in ["", "123456", "abcd-efgh-ijkl", "abcd-efgh-ijkl-mno1"] {
            assert_eq!(recovery_digest(wrong), None, "{wrong}");
        }
    }
}
