//! What a form or an address says, read once. Fields arrive as text; [`Fields`] parses them and gathers all
//! that is wrong, so that a person is told everything at once.

use std::fmt::Write as _;

use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::request::Parts;
use serde::de::DeserializeOwned;
use workflow::Refusal;

use crate::error::PageError;

/// The body of a form; a repeated field is a list.
#[derive(Clone, Debug)]
pub struct Form<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Form<T> {
    type Rejection = PageError;

    async fn from_request(request: Request, _state: &S) -> Result<Form<T>, PageError> {
        let bytes = axum::body::to_bytes(request.into_body(), 2 << 20)
            .await
            .map_err(|_| PageError::bad_request("the form could not be read"))?;
        read(&bytes).map(Form)
    }
}

/// What stands behind the `?` of an address.
#[derive(Clone, Debug)]
pub struct Query<T>(pub T);

impl<S: Sync, T: DeserializeOwned> FromRequestParts<S> for Query<T> {
    type Rejection = PageError;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Query<T>, PageError> {
        read(parts.uri.query().unwrap_or_default().as_bytes()).map(Query)
    }
}

fn read<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, PageError> {
    let read = serde_html_form::from_bytes(bytes);
    read.map_err(|error| PageError::bad_request(format!("the request cannot be understood: {error}")))
}

/// Fields being parsed, with what is wrong so far.
#[derive(Clone, Debug, Default)]
pub struct Fields {
    problems: Vec<String>,
}

impl Fields {
    /// `None` when empty; `wants` finishes "… is not".
    pub fn optional<T: std::str::FromStr>(&mut self, name: &str, text: &str, wants: &str) -> Option<T> {
        let text = text.trim();
        if text.is_empty() {
            return None;
        }
        let parsed = text.parse().ok();
        if parsed.is_none() {
            self.problem(format!("{name}: `{text}` is not {wants}"));
        }
        parsed
    }

    /// One of a list of names; `None` when empty.
    pub fn optional_of<T>(
        &mut self,
        name: &str,
        text: &str,
        find: impl FnOnce(&str) -> Option<T>,
    ) -> Option<T> {
        let text = text.trim();
        if text.is_empty() {
            return None;
        }
        let found = find(text);
        if found.is_none() {
            self.problem(format!("{name}: `{text}` is not known"));
        }
        found
    }

    pub fn required<T: std::str::FromStr>(&mut self, name: &str, text: &str, wants: &str) -> Option<T> {
        if text.trim().is_empty() {
            self.problem(format!("{name} is missing; it is {wants}"));
            return None;
        }
        self.optional(name, text, wants)
    }

    pub fn text(&mut self, name: &str, text: &str) -> String {
        let text = text.trim();
        if text.is_empty() {
            self.problem(format!("{name} is missing"));
        }
        text.to_owned()
    }

    pub fn problem(&mut self, problem: String) {
        self.problems.push(problem);
    }

    /// # Errors
    /// All problems at once.
    pub fn finish(self, what: &str) -> Result<(), Refusal> {
        if self.problems.is_empty() {
            return Ok(());
        }
        Err(Refusal::new(what.to_owned()).details(self.problems))
    }
}

/// Empty text is no text.
#[must_use]
pub fn some(text: &str) -> Option<String> {
    let text = text.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

/// The next page as an address or a form names it: one of ours, or the first. Nobody is led elsewhere.
#[must_use]
pub fn own(next: &str) -> String {
    let is_ours = next.starts_with('/') && !next.starts_with("//");
    // Browsers take a backslash for a slash.
    let is_plain = next.chars().all(|c| c != '\\' && !c.is_control());
    if is_ours && is_plain { next.to_owned() } else { "/".to_owned() }
}

/// Text as a value of an address.
#[must_use]
pub fn encoded(text: &str) -> String {
    serde_html_form::to_string([("", text)]).map_or_else(|_| String::new(), |pair| pair[1..].to_owned())
}

/// Text as one part of an address's path: a project may have a slash in its name (defect 40).
#[must_use]
pub fn segment(text: &str) -> String {
    let mut path = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' | b'@' => {
                path.push(char::from(byte));
            }
            byte => drop(write!(path, "%{byte:02X}")),
        }
    }
    path
}

/// Of a name in a list; files hold names of any length, and a page has fifty of them.
const SHOWN: usize = 160;

/// Whether a name is short enough to be shown whole in lists and to be part of an address.
#[must_use]
pub fn is_short(text: &str) -> bool {
    text.len() <= SHOWN
}

/// A name as lists show it; the page of the thing has all of it.
#[must_use]
pub fn short(text: &str) -> String {
    if is_short(text) {
        return text.to_owned();
    }
    format!("{}…", &text[..text.floor_char_boundary(SHOWN)])
}

/// The page of a project, or what is found by the beginning of a name that no address holds.
#[must_use]
pub fn project_page(project: &str) -> String {
    if is_short(project) {
        return format!("/projects/{}", segment(project));
    }
    format!("/charges?period=all&text={}", encoded(&project[..project.floor_char_boundary(SHOWN)]))
}

/// What stands behind the `?` of an address, made of a struct that [`Query`] reads.
#[must_use]
pub fn query(values: &impl serde::Serialize) -> String {
    serde_html_form::to_string(values).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_led_elsewhere() {
        for (next, goes) in [
            ("/review?period=2025-01", "/review?period=2025-01"),
            ("", "/"),
            ("https://elsewhere.example", "/"),
            ("//elsewhere.example", "/"),
            ("/\\elsewhere.example", "/"),
            ("/x\r\nSet-Cookie: a=b", "/"),
            ("/x\u{0}", "/"),
            ("javascript:alert(1)", "/"),
        ] {
            assert_eq!(own(next), goes, "{next}");
        }
    }

    #[test]
    fn a_name_without_end_is_cut_between_letters() {
        let long = "é".repeat(5000);
        assert_eq!(short(&long), format!("{}…", "é".repeat(80)));
        assert_eq!(short("apollo"), "apollo");
        assert_eq!(project_page("a/b"), "/projects/a%2Fb");
        assert!(project_page(&long).len() < 600);
    }

    #[test]
    fn a_name_with_a_slash_is_one_part_of_a_path() {
        assert_eq!(segment("a/b c+d%é"), "a%2Fb%20c%2Bd%25%C3%A9");
        assert_eq!(segment("maren.okafor@example.edu"), "maren.okafor@example.edu");
    }
}
