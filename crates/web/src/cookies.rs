//! Cookies: read from a request, written to a response. Their names begin with `__Host-` behind TLS, so
//! that no other host can set them (RFC 6265bis, section 4.1.3.2).

use std::fmt::Write as _;

use axum::http::HeaderMap;
use axum::http::header::{COOKIE, HeaderValue};

/// The value of a cookie.
#[must_use]
pub fn read<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let pairs = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
    pairs.flat_map(|value| value.split(';')).find_map(|pair| {
        let (key, value) = pair.trim().split_once('=')?;
        (key == name).then_some(value)
    })
}

/// The name of a cookie of ours.
#[must_use]
pub fn name(base: &str, secure: bool) -> String {
    if secure { format!("__Host-{base}") } else { base.to_owned() }
}

/// A cookie that scripts cannot read and other sites' requests do not carry. `max_age_seconds`: 0 removes
/// it, `None` ends with the browser.
#[must_use]
pub fn write(base: &str, value: &str, max_age_seconds: Option<u64>, secure: bool) -> Option<HeaderValue> {
    let mut text = format!("{}={value}; Path=/; HttpOnly; SameSite=Lax", name(base, secure));
    if secure {
        text.push_str("; Secure");
    }
    if let Some(seconds) = max_age_seconds {
        let _ = write!(text, "; Max-Age={seconds}");
    }
    HeaderValue::from_str(&text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cookie_is_found_by_its_whole_name() {
        let mut headers = HeaderMap::new();
        headers.append(COOKIE, HeaderValue::from_static("a=1; session=abc; theme=dark"));
        assert_eq!(read(&headers, "session"), Some("abc"));
        assert_eq!(read(&headers, "ession"), None);
    }

    #[test]
    fn behind_tls_a_cookie_is_bound_to_the_host() {
        let cookie = write("session", "abc", None, true).unwrap();
        assert_eq!(cookie, "__Host-session=abc; Path=/; HttpOnly; SameSite=Lax; Secure");
        let cookie = write("theme", "dark", Some(60), false).unwrap();
        assert_eq!(cookie, "theme=dark; Path=/; HttpOnly; SameSite=Lax; Max-Age=60");
    }
}
