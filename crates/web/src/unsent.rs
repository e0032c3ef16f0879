//! A form that arrives without the session it was written in: what was typed is not lost. The page that asks to
//! sign in carries it along, sealed for the account whose session it was, and after that it is shown with a
//! button. Nothing is ever sent by itself.

use askama::Template;
use axum::RequestExt as _;
use axum::body::to_bytes;
use axum::extract::{Multipart, Request};
use axum::http::Method;
use axum::http::header::{HeaderMap, HeaderValue};
use axum::http::request::Parts;
use axum::response::Html;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use workflow::accounts::NewSession;

use crate::access::{Caller, is_form};
use crate::error::{ErrorKind, PageResult};
use crate::form::own;
use crate::frame::Frame;
use crate::pages::sign_in;
use crate::{App, cookies};

/// More than people type.
const MOST_BYTES: usize = 64 << 10;
/// Of files, which are read over and not kept.
const FILES_MOST_BYTES: usize = 2 << 20;
/// A form of yesterday is written again.
const KEPT: jiff::SignedDuration = jiff::SignedDuration::from_hours(24);
/// Of tabs that were opened in sessions before this one.
const SESSIONS_KNOWN: usize = 4;
const ROWS_SHOWN: usize = 60;

const SEAL: &str = "forms that were not sent";
const COOKIE: &str = "whose";
const COOKIE_SEAL: &str = "whose forms are on the screen";

/// Secrets, and what belongs to a session.
const NEVER_KEPT: [&str; 7] = ["csrf", "password", "old", "new", "again", "code", "held"];
/// Nothing that anybody typed.
const NOT_SHOWN: [&str; 6] = ["back", "next", "seen", "digest", "preview", "step"];
/// Forms of secrets alone, and those that are of no use later.
const NEVER_HELD: [&str; 6] =
    ["/sign-in", "/sign-out", "/set-up", "/theme", "/account/password", "/account/second-factor"];

/// What a browser sent, and by which token of a session.
#[derive(Clone, Debug)]
pub struct Unsent {
    path: String,
    fields: Vec<(String, String)>,
    has_files: bool,
    form_of: String,
}

/// The same, sealed for one account.
#[derive(Serialize, Deserialize)]
struct Held {
    path: String,
    fields: Vec<(String, String)>,
    has_files: bool,
    back: String,
    at: jiff::Timestamp,
}

/// Whose forms a browser may have on its screens: a sealed cookie, for the session itself may be gone.
#[derive(Default, Serialize, Deserialize)]
struct Whose {
    name: String,
    /// Digests of the tokens of this account's sessions in this browser, the latest first.
    forms: Vec<String>,
}

impl Unsent {
    /// What a request without a session holds, if it is a form that a person filled in.
    pub async fn read(request: Request) -> Option<Unsent> {
        if request.method() != Method::POST || !may_be_held(request.uri().path()) {
            return None;
        }
        let (parts, body) = request.into_parts();
        if is_form(&parts.headers) {
            let bytes = to_bytes(body, MOST_BYTES).await.ok()?;
            return Unsent::of(&parts, serde_html_form::from_bytes(&bytes).ok()?);
        }
        let mut form: Multipart = Request::from_parts(parts.clone(), body).extract().await.ok()?;
        let (mut fields, mut size, mut has_files) = (Vec::new(), 0, false);
        while let Some(mut part) = form.next_field().await.ok()? {
            let is_file = part.file_name().is_some();
            has_files |= part.file_name().is_some_and(|name| !name.is_empty());
            let name = part.name().unwrap_or_default().to_owned();
            let mut bytes = Vec::new();
            while let Some(chunk) = part.chunk().await.ok()? {
                size += chunk.len();
                if FILES_MOST_BYTES < size {
                    return None;
                }
                if !is_file {
                    bytes.extend_from_slice(&chunk);
                }
            }
            if !is_file {
                fields.push((name, String::from_utf8(bytes).ok()?));
            }
        }
        Unsent::of(&parts, fields).map(|unsent| Unsent { has_files, ..unsent })
    }

    /// Fields as they were sent; nothing when there are none to keep, or more than anybody types.
    #[must_use]
    pub fn of(parts: &Parts, mut fields: Vec<(String, String)>) -> Option<Unsent> {
        let (_, csrf) = fields.iter().find(|(name, _)| name == "csrf")?;
        let form_of = digest(csrf);
        fields.retain(|(name, _)| !NEVER_KEPT.contains(&name.as_str()));
        let size: usize = fields.iter().map(|(name, value)| name.len() + value.len()).sum();
        let is_kept = may_be_held(parts.uri.path()) && !fields.is_empty() && size <= MOST_BYTES;
        let path = parts.uri.path_and_query()?.as_str().to_owned();
        is_kept.then_some(Unsent { path, fields, has_files: false, form_of })
    }

    /// The account in whose session the form was written.
    fn owner(&self, app: &App, headers: &HeaderMap) -> Option<String> {
        let whose = Whose::read(app, headers)?;
        whose.forms.contains(&self.form_of).then_some(whose.name)
    }

    fn held(self, app: &App, back: &str) -> Held {
        let Unsent { path, fields, has_files, .. } = self;
        Held { path, fields, has_files, back: own(back), at: app.now() }
    }
}

fn may_be_held(path: &str) -> bool {
    !path.starts_with("/api/") && !NEVER_HELD.iter().any(|never| path.starts_with(never))
}

fn digest(csrf: &str) -> String {
    hex::encode(&Sha256::digest(csrf)[..16])
}

impl Whose {
    fn read(app: &App, headers: &HeaderMap) -> Option<Whose> {
        let sealed = cookies::read(headers, &cookies::name(COOKIE, app.settings.is_secure()))?;
        let plain = app.settings.accounts.secret_key.open_as(COOKIE_SEAL, "", sealed).ok()??;
        serde_json::from_slice(&plain).ok()
    }
}

/// The cookie that says whose forms this browser shows from now on.
#[must_use]
pub fn cookie(app: &App, headers: &HeaderMap, session: &NewSession) -> Option<HeaderValue> {
    let before = Whose::read(app, headers).filter(|whose| whose.name == session.name).unwrap_or_default();
    let mut forms = vec![digest(&session.csrf)];
    forms.extend(before.forms.into_iter().take(SESSIONS_KNOWN - 1));
    let plain = serde_json::to_vec(&Whose { name: session.name.clone(), forms }).ok()?;
    let sealed = app.settings.accounts.secret_key.seal_as(COOKIE_SEAL, "", &plain).ok()?;
    cookies::write(COOKIE, &sealed, None, app.settings.is_secure())
}

/// The page that a form without its session gets in place of an error: the sign-in that carries it along, or,
/// for who has signed in again elsewhere, the form at once.
///
/// # Errors
/// A page that cannot be made.
pub fn instead(
    app: &App,
    headers: &HeaderMap,
    frame: &Frame,
    why: ErrorKind,
    unsent: Option<Unsent>,
    back: &str,
) -> PageResult<Option<Html<String>>> {
    let form = unsent.and_then(|unsent| Some((unsent.owner(app, headers)?, unsent.held(app, back))));
    let caller = frame.caller.as_ref().map(|caller| caller.name.as_str());
    match (why, form) {
        (ErrorKind::SignedOut, Some((owner, held))) => {
            let sealed = seal(app, &owner, &held)?;
            Ok(Some(sign_in::ask_again(frame.clone(), sealed, held.back)?))
        }
        (ErrorKind::SignedOut, None) => {
            Ok(Some(sign_in::ask_again(frame.clone(), String::new(), own(back))?))
        }
        (ErrorKind::StaleForm, Some((owner, held))) if caller == Some(owner.as_str()) => {
            Ok(Some(Html(page_of(frame.clone(), held).render()?)))
        }
        _ => Ok(None),
    }
}

fn seal(app: &App, owner: &str, held: &Held) -> PageResult<String> {
    let plain = serde_json::to_vec(held).map_err(crate::PageError::internal)?;
    Ok(app.settings.accounts.secret_key.seal_as(SEAL, owner, &plain)?)
}

/// The form of a sign-in that carried one along; `None` for another account, and when it is too old.
///
/// # Errors
/// A page that cannot be made.
pub fn show(app: &App, caller: &Caller, frame: Frame, sealed: &str) -> PageResult<Option<Html<String>>> {
    let Some(plain) = app.settings.accounts.secret_key.open_as(SEAL, &caller.name, sealed)? else {
        return Ok(None);
    };
    let held: Option<Held> = serde_json::from_slice(&plain).ok();
    let is_new = |held: &Held| held.at.saturating_add(KEPT).is_ok_and(|until| app.now() < until);
    match held.filter(is_new) {
        Some(held) => Ok(Some(Html(page_of(frame, held).render()?))),
        None => Ok(None),
    }
}

#[derive(Template)]
#[template(path = "sign_in/unsent.html")]
struct UnsentPage {
    frame: Frame,
    held: Held,
    rows: Vec<Row>,
    /// Rows that are not shown.
    more: u64,
}

/// A field as a person knows it.
struct Row {
    name: String,
    values: Vec<String>,
    /// Of a repeated field, those that are not shown.
    more: u64,
}

const VALUES_SHOWN: usize = 20;

fn page_of(frame: Frame, held: Held) -> UnsentPage {
    let mut rows: Vec<Row> = Vec::new();
    let mut more = 0;
    let shown =
        held.fields.iter().filter(|(name, value)| !NOT_SHOWN.contains(&&**name) && !value.trim().is_empty());
    for (name, value) in shown {
        let name = name.replace('_', " ");
        let room = rows.len() < ROWS_SHOWN;
        match rows.iter_mut().find(|row| row.name == name) {
            Some(row) if row.values.len() < VALUES_SHOWN => row.values.push(value.clone()),
            Some(row) => row.more += 1,
            None if room => rows.push(Row { name, values: vec![value.clone()], more: 0 }),
            None => more += 1,
        }
    }
    UnsentPage { frame: frame.titled("Not sent yet").help("web#signed-out-in-a-form"), held, rows, more }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(path: &str) -> Parts {
        Request::builder().method("POST").uri(path).body(axum::body::Body::empty()).unwrap().into_parts().0
    }

    fn of(path: &str, fields: &[(&str, &str)]) -> Option<Vec<(String, String)>> {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        Unsent::of(&parts(path), fields.iter().map(owned).collect()).map(|unsent| unsent.fields)
    }

    #[test]
    fn secrets_are_not_kept_nor_what_is_too_much() {
        let note = ("note".to_owned(), "as agreed".to_owned());
        let token = ("csrf", "00ff");
        let secret = [token, ("note", "as agreed"), ("password", "x"), ("code", "123456"), ("held", "v1")];
        assert_eq!(of("/review/approve", &secret), Some(vec![note]));
        assert_eq!(of("/review/approve", &[token, ("password", "x")]), None, "nothing is left");
        assert_eq!(of("/review/approve", &[("note", "a form that we did not give")]), None);
        assert_eq!(of("/account/password", &[token, ("note", "x")]), None);
        assert_eq!(of("/sign-in", &[token, ("name", "maria")]), None);
        assert_eq!(of("/api/v1/periods", &[token, ("period", "2025-01")]), None);
        let long = "x".repeat(MOST_BYTES + 1);
        assert_eq!(of("/review/approve", &[token, ("note", &long)]), None);
    }
}
