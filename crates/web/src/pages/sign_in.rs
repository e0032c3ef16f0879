use askama::Template;
use axum::extract::{Extension, Path, State};
use axum::http::header::{HeaderMap, SET_COOKIE};
use axum::response::{Html, IntoResponse, Response};
use serde::Deserialize;
use std::sync::atomic::Ordering;
use workflow::Refusal;
use workflow::accounts::{self, Client, NewSession, NewUser, SignIn};

use crate::access::{Access, Caller};
use crate::error::{PageError, PageResult};
use crate::flash::Next;
use crate::form::{Form, Query, own};
use crate::frame::{Frame, page, refused_page};
use crate::gate::{Address, SESSION, user_agent};
use crate::pages::account;
use crate::routes::Routes;
use crate::{App, cookies, unsent};

pub fn routes() -> Routes {
    Routes::default()
        .page("/sign-in", Access::Public, ask)
        .entrance("/sign-in", sign_in)
        .page("/sign-in/code", Access::HalfSignedIn, ask_code)
        .form("/sign-in/code", Access::HalfSignedIn, confirm)
        .form("/sign-out", Access::HalfSignedIn, sign_out)
        .page("/set-up/{link}", Access::Public, ask_first)
        .entrance("/set-up/{link}", set_up)
}

#[derive(Template)]
#[template(path = "sign_in/sign_in.html")]
struct SignInPage {
    frame: Frame,
    name: String,
    next: String,
    /// A form that was not sent, sealed for whoever wrote it: [`crate::unsent`].
    held: String,
    /// A form was sent without a session.
    was_signed_out: bool,
    refusal: Option<Refusal>,
}

impl SignInPage {
    fn new(frame: Frame, next: String) -> SignInPage {
        let frame = frame.titled("Sign in");
        let (name, held) = (String::new(), String::new());
        SignInPage { frame, name, next, held, was_signed_out: false, refusal: None }
    }
}

/// For a form that came without a session; what it held, sealed.
///
/// # Errors
/// A template that cannot be rendered.
pub fn ask_again(frame: Frame, held: String, next: String) -> PageResult<Html<String>> {
    let asked = SignInPage::new(frame, next);
    Ok(Html(SignInPage { held, was_signed_out: true, ..asked }.render()?))
}

#[derive(Deserialize)]
struct Wanted {
    #[serde(default)]
    next: String,
}

async fn ask(frame: Frame, Query(wanted): Query<Wanted>) -> PageResult<Response> {
    page(&SignInPage::new(frame, own(&wanted.next)))
}

#[derive(Deserialize)]
struct Given {
    name: String,
    password: String,
    #[serde(default)]
    next: String,
    #[serde(default)]
    held: String,
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
            return entered(&app, &headers, &session, frame, (&given.held, &given.next)).await;
        }
        SignIn::NeedsTotp(session) => {
            return entered(&app, &headers, &session, frame, (&given.held, &given.next)).await;
        }
        SignIn::Wait(delay) => Refusal::new("there were too many tries that failed")
            .hint(format!("wait {} seconds and try again", delay.as_secs().max(1))),
        SignIn::Refused(refusal) => refusal,
    };
    app.metrics.sign_ins_refused.fetch_add(1, Ordering::Relaxed);
    tracing::warn!(user = %given.name, from = %address.0, "sign-in refused");
    let asked = SignInPage::new(frame, own(&given.next));
    refused_page(&SignInPage { name: given.name, held: given.held, refusal: Some(refusal), ..asked })
}

/// The browser gets the session's token, and a new one at each step.
pub fn with_session(
    app: &App,
    headers: &HeaderMap,
    session: &NewSession,
    mut response: Response,
) -> Response {
    let cookie = cookies::write(SESSION, session.token.as_str(), None, app.settings.is_secure());
    for cookie in [cookie, unsent::cookie(app, headers, session)].into_iter().flatten() {
        response.headers_mut().append(SET_COOKIE, cookie);
    }
    response
}

/// What comes after a step of signing in: the next one, the form that was held, or the page that was wanted.
pub async fn entered(
    app: &App,
    headers: &HeaderMap,
    session: &NewSession,
    frame: Frame,
    (held, next): (&str, &str),
) -> PageResult<Response> {
    let at = app.now();
    let known = accounts::session(&app.installation, &app.settings.accounts, &session.token, at).await?;
    let caller = Caller::of(known.ok_or_else(PageError::signed_out)?, at);
    let asks = |caller: &Caller| {
        let session = caller.session.as_ref();
        session.map_or((false, false), |session| (session.pending_totp, session.must_change_password))
    };
    let next = own(next);
    let response = match asks(&caller) {
        (true, _) if held.is_empty() => {
            Next::page(format!("/sign-in/code?next={}", crate::form::encoded(&next))).into_response()
        }
        (true, _) => {
            let frame = frame.of_caller(app, caller).await?.titled("Second factor");
            page(&CodePage { frame, next, held: held.to_owned(), refusal: None })?
        }
        (false, true) if !held.is_empty() => {
            let frame = frame.of_caller(app, caller.clone()).await?;
            account::ask_password_first(app, &caller, frame, held)?
        }
        _ if held.is_empty() => Next::page(next).into_response(),
        _ => match unsent::show(app, &caller, frame.of_caller(app, caller.clone()).await?, held)? {
            Some(form) => form.into_response(),
            None => Next::page(next)
                .warning(
                    "what was typed before is not shown: it was of another account, or more than a day old",
                )
                .into_response(),
        },
    };
    Ok(with_session(app, headers, session, response))
}

#[derive(Template)]
#[template(path = "sign_in/code.html")]
struct CodePage {
    frame: Frame,
    next: String,
    held: String,
    refusal: Option<Refusal>,
}

async fn ask_code(frame: Frame, Query(wanted): Query<Wanted>) -> PageResult<Response> {
    let frame = frame.titled("Second factor");
    page(&CodePage { frame, next: own(&wanted.next), held: String::new(), refusal: None })
}

#[derive(Deserialize)]
struct GivenCode {
    code: String,
    #[serde(default)]
    next: String,
    #[serde(default)]
    held: String,
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
            return entered(&app, &headers, &session, frame, (&given.held, &given.next)).await;
        }
        SignIn::Wait(delay) => Refusal::new("there were too many codes that failed")
            .hint(format!("wait {} seconds and try again", delay.as_secs().max(1))),
        SignIn::Refused(refusal) => refusal,
    };
    tracing::warn!(user = %caller.name, "second factor refused");
    refused_page(&CodePage {
        frame: frame.titled("Second factor"),
        next: own(&given.next),
        held: given.held,
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
