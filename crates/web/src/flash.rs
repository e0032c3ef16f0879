//! What the next page says once: "2025-01 is closed". It travels in a cookie that is sealed, so that nobody
//! can put words into our mouth.

use axum::http::StatusCode;
use axum::http::header::{HeaderMap, SET_COOKIE};
use axum::response::{IntoResponse, Response};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use crate::cookies;

const COOKIE: &str = "said";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    Good,
    Warning,
}

/// A message at the top of a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    pub tone: Tone,
    pub text: String,
}

/// After a form: the page to see next, and what it says.
#[derive(Clone, Debug)]
pub struct Next {
    to: String,
    notice: Option<Notice>,
}

impl Next {
    #[must_use]
    pub fn page(to: impl Into<String>) -> Next {
        Next { to: to.into(), notice: None }
    }

    #[must_use]
    pub fn saying(mut self, text: impl Into<String>) -> Next {
        self.notice = Some(Notice { tone: Tone::Good, text: text.into() });
        self
    }

    #[must_use]
    pub fn warning(mut self, text: impl Into<String>) -> Next {
        self.notice = Some(Notice { tone: Tone::Warning, text: text.into() });
        self
    }
}

impl IntoResponse for Next {
    /// 303, so that loading again does not send the form again. The gate seals the notice.
    fn into_response(self) -> Response {
        let mut response = (StatusCode::SEE_OTHER, [("location", self.to)]).into_response();
        if let Some(notice) = self.notice {
            response.extensions_mut().insert(notice);
        }
        response
    }
}

/// Put the notice of a response into its cookie.
pub fn seal(response: &mut Response, key: &[u8], secure: bool) {
    let Some(notice) = response.extensions_mut().remove::<Notice>() else { return };
    let tone = if notice.tone == Tone::Good { 'g' } else { 'w' };
    // A cookie holds 4 KB.
    let text: String = notice.text.chars().take(800).collect();
    let plain = hex::encode(format!("{tone}{text}"));
    let value = format!("{plain}.{}", hex::encode(tag(&plain, key)));
    if let Some(cookie) = cookies::write(COOKIE, &value, Some(60), secure) {
        response.headers_mut().append(SET_COOKIE, cookie);
    }
}

/// The notice that a request brings along, if it is ours.
#[must_use]
pub fn open(headers: &HeaderMap, key: &[u8], secure: bool) -> Option<Notice> {
    let (plain, seal) = cookies::read(headers, &cookies::name(COOKIE, secure))?.split_once('.')?;
    let mut mac = Hmac::<Sha256>::new_from_slice(key).ok()?;
    mac.update(plain.as_bytes());
    mac.verify_slice(&hex::decode(seal).ok()?).ok()?;
    let text = String::from_utf8(hex::decode(plain).ok()?).ok()?;
    let tone = if text.starts_with('g') { Tone::Good } else { Tone::Warning };
    Some(Notice { tone, text: text.get(1..)?.to_owned() })
}

/// Take the cookie back once its words were shown.
pub fn forget(response: &mut Response, secure: bool) {
    if let Some(cookie) = cookies::write(COOKIE, "", Some(0), secure) {
        response.headers_mut().append(SET_COOKIE, cookie);
    }
}

fn tag(plain: &str, key: &[u8]) -> Vec<u8> {
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else { return Vec::new() };
    mac.update(plain.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_own_words_are_shown() {
        let mut response = Next::page("/").saying("2025-01 is closed").into_response();
        seal(&mut response, b"key", false);
        let cookie = response.headers()[SET_COOKIE].to_str().unwrap().split(';').next().unwrap().to_owned();
        let mut headers = HeaderMap::new();
        headers.insert("cookie", cookie.parse().unwrap());
        assert_eq!(open(&headers, b"key", false).unwrap().text, "2025-01 is closed");
        assert_eq!(open(&headers, b"another", false), None);
        let forged = format!("said={}.00", hex::encode("gpay to this account"));
        headers.insert("cookie", forged.parse().unwrap());
        assert_eq!(open(&headers, b"key", false), None);
    }
}
