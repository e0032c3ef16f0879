use askama::Template;
use axum::extract::{Extension, Path, State};
use axum::http::header::{HeaderMap, SET_COOKIE};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use std::sync::atomic::Ordering;
use workflow::Refusal;
use workflow::accounts::{self, Client, NewSession, NewUser, SignIn};

use crate::access::{Access, Caller};
use crate::error::{PageError, PageResult};
use crate::flash::Next;
use crate::form::{Form, Query};
use crate::frame::{Frame, page, refused_page};
use crate::gate::{Address, SESSION, user_agent};
use crate::routes::Routes;
use crate::{App, cookies};

pub fn routes() -> Routes {
    Routes::default()
        .page("/sign-in", Access::Public, ask)
        .form("/sign-in", Access::Public, sign_in)
        .page("/sign-in/code", Access::HalfSignedIn, ask_code)
        .form("/sign-in/code", Access::HalfSignedIn, confirm)
        .form("/sign-out", Access::HalfSignedIn, sign_out)
        .page("/set-up/{link}", Access::Public, ask_first)
        .form("/set-up/{link}", Access::Public, set_up)
}

#[derive(Template)]
#[template(path = "sign_in/sign_in.html")]
struct SignInPage {
    frame: Frame,
    name: String,
    next: String,
    refusal: Option<Refusal>,
}

#[derive(Deserialize)]
struct Wanted {
    #[serde(default)]
    next: String,
}

async fn ask(frame: Frame, Query(wanted): Query<Wanted>) -> PageResult<Response> {
    let frame = frame.titled("Sign in");
    page(&SignInPage { frame, name: String::new(), next: own(&wanted.next), refusal: None })
}

#[derive(Deserialize)]
struct Given {
    name: String,
    password: String,
    #[serde(default)]
    next: String,
}

async fn sign_in(
    State(app): State<App>,
    Extension(address): Extension<Address>,
    headers: HeaderMap,
    frame: Frame,
    Form(given): Form<Given>,
) -> PageResult<Response> {
    let client = Client { address: address.0.to_string(), user_agent: user_agent(&headers) };
    let (installation, known) = (&app.installation, &app.settings.accounts);
    let outcome =
        accounts::sign_in(installation, known, &given.name, &given.password, &client, app.now()).await?;
    let refusal = match outcome {
        SignIn::Done(session) => {
            app.metrics.sign_ins.fetch_add(1, Ordering::Relaxed);
            tracing::info!(user = %given.name, from = %address.0, "signed in");
            return Ok(with_session(&app, &session, Next::page(own(&given.next)).into_response()));
        }
        SignIn::NeedsTotp(session) => {
            let to = format!("/sign-in/code?next={}", crate::form::encoded(&own(&given.next)));
            return Ok(with_session(&app, &session, Next::page(to).into_response()));
        }
        SignIn::Wait(delay) => Refusal::new("there were too many tries that failed")
            .hint(format!("wait {} seconds and try again", delay.as_secs().max(1))),
        SignIn::Refused(refusal) => refusal,
    };
    app.metrics.sign_ins_refused.fetch_add(1, Ordering::Relaxed);
    tracing::warn!(user = %given.name, from = %address.0, "sign-in refused");
    let frame = frame.titled("Sign in");
    refused_page(&SignInPage { frame, name: given.name, next: own(&given.next), refusal: Some(refusal) })
}

/// The browser gets the session's token, and a new one at each step.
pub fn with_session(app: &App, session: &NewSession, mut response: Response) -> Response {
    let cookie = cookies::write(SESSION, session.token.as_str(), None, app.settings.is_secure());
    if let Some(cookie) = cookie {
        response.headers_mut().append(SET_COOKIE, cookie);
    }
    response
}

/// Only pages of ours: a sign-in never leads elsewhere.
fn own(next: &str) -> String {
    let is_ours =
        next.starts_with('/') && !next.starts_with("//") && !next.contains(['\\', '\n', '\r', '\t']);
    if is_ours { next.to_owned() } else { "/".to_owned() }
}

#[derive(Template)]
#[template(path = "sign_in/code.html")]
struct CodePage {
    frame: Frame,
    next: String,
    refusal: Option<Refusal>,
}

async fn ask_code(frame: Frame, Query(wanted): Query<Wanted>) -> PageResult<Response> {
    page(&CodePage { frame: frame.titled("Second factor"), next: own(&wanted.next), refusal: None })
}

#[derive(Deserialize)]
struct GivenCode {
    code: String,
    #[serde(default)]
    next: String,
}

async fn confirm(
    State(app): State<App>,
    caller: Caller,
    headers: HeaderMap,
    frame: Frame,
    Form(given): Form<GivenCode>,
) -> PageResult<Response> {
    let token = token(&app, &headers).ok_or_else(PageError::signed_out)?;
    let (installation, known) = (&app.installation, &app.settings.accounts);
    let outcome = accounts::confirm_totp(installation, known, &token, &given.code, app.now()).await?;
    let refusal = match outcome {
        SignIn::Done(session) | SignIn::NeedsTotp(session) => {
            app.metrics.sign_ins.fetch_add(1, Ordering::Relaxed);
            tracing::info!(user = %caller.name, "second factor given");
            return Ok(with_session(&app, &session, Next::page(own(&given.next)).into_response()));
        }
        SignIn::Wait(delay) => Refusal::new("there were too many codes that failed")
            .hint(format!("wait {} seconds and try again", delay.as_secs().max(1))),
        SignIn::Refused(refusal) => refusal,
    };
    tracing::warn!(user = %caller.name, "second factor refused");
    refused_page(&CodePage {
        frame: frame.titled("Second factor"),
        next: own(&given.next),
        refusal: Some(refusal),
    })
}

pub fn token(app: &App, headers: &HeaderMap) -> Option<accounts::SessionToken> {
    let name = cookies::name(SESSION, app.settings.is_secure());
    cookies::read(headers, &name).and_then(accounts::SessionToken::parse)
}

async fn sign_out(State(app): State<App>, caller: Caller, headers: HeaderMap) -> PageResult<Response> {
    if let Some(token) = token(&app, &headers) {
        accounts::sign_out(&app.installation, &token).await?;
    }
    tracing::info!(user = %caller.name, "signed out");
    let mut response = Next::page("/sign-in").saying("you are signed out").into_response();
    if let Some(cookie) = cookies::write(SESSION, "", Some(0), app.settings.is_secure()) {
        response.headers_mut().append(SET_COOKIE, cookie);
    }
    Ok(response)
}

#[derive(Template)]
#[template(path = "sign_in/set_up.html")]
struct SetUpPage {
    frame: Frame,
    link: String,
    name: String,
    email: String,
    policy: String,
    refusal: Option<Refusal>,
}

async fn ask_first(State(app): State<App>, Path(link): Path<String>, frame: Frame) -> PageResult<Response> {
    page(&SetUpPage {
        frame: frame.titled("The first account"),
        link,
        name: String::new(),
        email: String::new(),
        policy: app.settings.accounts.policy.words(),
        refusal: None,
    })
}

#[derive(Deserialize)]
struct First {
    name: String,
    email: String,
    password: String,
    again: String,
}

async fn set_up(
    State(app): State<App>,
    Path(link): Path<String>,
    frame: Frame,
    Form(first): Form<First>,
) -> PageResult<Response> {
    let known = &app.settings.accounts;
    let done = if first.password == first.again {
        let user = NewUser {
            name: first.name.clone(),
            email: first.email.trim().to_owned(),
            display_name: first.name.trim().to_owned(),
            role: ledger::Role::Admin,
            password: first.password.clone(),
            must_change_password: false,
        };
        accounts::set_up(&app.installation, known, &link, &user, app.now()).await
    } else {
        Err(Refusal::new("the two passwords differ").into())
    };
    match done {
        Ok(_) => Ok(Next::page("/sign-in").saying("the account is made: sign in with it").into_response()),
        Err(workflow::WorkflowError::Refused(refusal)) => refused_page(&SetUpPage {
            frame: frame.titled("The first account"),
            link,
            name: first.name,
            email: first.email,
            policy: known.policy.words(),
            refusal: Some(refusal),
        }),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::own;

    #[test]
    fn a_sign_in_leads_to_our_own_pages_only() {
        for (next, goes) in [
            ("/review?period=2025-01", "/review?period=2025-01"),
            ("", "/"),
            ("https://elsewhere.example", "/"),
            ("//elsewhere.example", "/"),
            ("/\\elsewhere.example", "/"),
            ("javascript:alert(1)", "/"),
        ] {
            assert_eq!(own(next), goes, "{next}");
        }
    }
}
