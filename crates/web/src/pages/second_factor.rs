//! Setting up one's second factor, new recovery codes, and doing without.

use askama::Template;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use workflow::accounts;
use workflow::{Refusal, WorkflowError};

use super::account::own_token;
use crate::App;
use crate::access::{Access, Caller};
use crate::error::PageResult;
use crate::flash::Next;
use crate::form::Form;
use crate::frame::{Frame, page, refused_page};
use crate::qr::Qr;
use crate::routes::Routes;

pub fn routes() -> Routes {
    Routes::default()
        .page("/account/second-factor", Access::Viewer, show)
        .form("/account/second-factor", Access::Viewer, begin)
        .form("/account/second-factor/confirm", Access::Viewer, confirm)
        .form("/account/second-factor/codes", Access::Viewer, renew)
        .act("/account/second-factor/remove", Access::Viewer, "users totp-remove", remove)
}

#[derive(Template)]
#[template(path = "second_factor/show.html")]
struct FactorPage {
    frame: Frame,
    has_one: bool,
    codes_left: usize,
    refusal: Option<Refusal>,
}

impl FactorPage {
    async fn of(
        app: &App,
        caller: &Caller,
        frame: Frame,
        refusal: Option<Refusal>,
    ) -> PageResult<FactorPage> {
        let account = accounts::find(&app.installation, &app.settings.accounts, &caller.name).await?;
        Ok(FactorPage {
            frame: frame.titled("Second factor").help("accounts#second-factor"),
            has_one: account.second_factor,
            codes_left: account.recovery_codes,
            refusal,
        })
    }
}

async fn show(State(app): State<App>, caller: Caller, frame: Frame) -> PageResult<Response> {
    page(&FactorPage::of(&app, &caller, frame, None).await?)
}

#[derive(Deserialize)]
struct GivenPassword {
    password: String,
}

/// What an authenticator is to know: in this answer, and sealed in the session.
#[derive(Template)]
#[template(path = "second_factor/set_up.html")]
struct SetUpPage {
    frame: Frame,
    uri: String,
    secret: String,
    qr: Option<Qr>,
    refusal: Option<Refusal>,
}

impl SetUpPage {
    fn of(frame: Frame, uri: String, refusal: Option<Refusal>) -> SetUpPage {
        let secret = uri.split_once("secret=").map_or("", |(_, rest)| rest);
        let secret: Vec<char> = secret.chars().take_while(char::is_ascii_alphanumeric).collect();
        let groups: Vec<String> = secret.chunks(4).map(|group| group.iter().collect()).collect();
        let qr = Qr::of(&uri);
        let frame = frame.titled("Set up a second factor").help("accounts#second-factor");
        SetUpPage { frame, uri, secret: groups.join(" "), qr, refusal }
    }
}

/// An act of the account, whose refusal is told where the password was asked.
async fn or_again<T>(
    done: Result<T, WorkflowError>,
    (app, caller, frame): (&App, &Caller, &Frame),
) -> PageResult<Result<T, Response>> {
    match done {
        Ok(done) => Ok(Ok(done)),
        Err(WorkflowError::Refused(refusal)) => {
            let again = FactorPage::of(app, caller, frame.clone(), Some(refusal)).await?;
            Ok(Err(refused_page(&again)?))
        }
        Err(error) => Err(error.into()),
    }
}

async fn begin(
    State(app): State<App>,
    caller: Caller,
    headers: HeaderMap,
    frame: Frame,
    Form(given): Form<GivenPassword>,
) -> PageResult<Response> {
    let token = own_token(&app, &headers)?;
    let (installation, known) = (&app.installation, &app.settings.accounts);
    let begun = accounts::begin_totp(installation, known, &token, &given.password, caller.at).await;
    match or_again(begun, (&app, &caller, &frame)).await? {
        Ok(setup) => page(&SetUpPage::of(frame, setup.otpauth_uri, None)),
        Err(again) => Ok(again),
    }
}

#[derive(Deserialize)]
struct GivenCode {
    code: String,
    /// For the code to be shown again.
    #[serde(default)]
    uri: String,
}

#[derive(Template)]
#[template(path = "second_factor/codes.html")]
struct CodesPage {
    frame: Frame,
    codes: Vec<String>,
    is_new: bool,
}

async fn confirm(
    State(app): State<App>,
    caller: Caller,
    headers: HeaderMap,
    frame: Frame,
    Form(given): Form<GivenCode>,
) -> PageResult<Response> {
    let token = own_token(&app, &headers)?;
    let (installation, known) = (&app.installation, &app.settings.accounts);
    match accounts::finish_totp(installation, known, &token, &given.code, caller.at).await {
        Ok(codes) => {
            tracing::info!(user = %caller.name, "second factor set up");
            page(&CodesPage { frame: frame.titled("Recovery codes"), codes, is_new: true })
        }
        Err(WorkflowError::Refused(refusal)) => refused_page(&SetUpPage::of(frame, given.uri, Some(refusal))),
        Err(error) => Err(error.into()),
    }
}

async fn renew(
    State(app): State<App>,
    caller: Caller,
    headers: HeaderMap,
    frame: Frame,
    Form(given): Form<GivenPassword>,
) -> PageResult<Response> {
    let token = own_token(&app, &headers)?;
    let (installation, known) = (&app.installation, &app.settings.accounts);
    let codes = accounts::renew_recovery_codes(installation, known, &token, &given.password, caller.at).await;
    match or_again(codes, (&app, &caller, &frame)).await? {
        Ok(codes) => page(&CodesPage { frame: frame.titled("Recovery codes"), codes, is_new: false }),
        Err(again) => Ok(again),
    }
}

async fn remove(
    State(app): State<App>,
    caller: Caller,
    headers: HeaderMap,
    frame: Frame,
    Form(given): Form<GivenPassword>,
) -> PageResult<Response> {
    let token = own_token(&app, &headers)?;
    let (installation, known) = (&app.installation, &app.settings.accounts);
    let removed = accounts::remove_own_totp(installation, known, &token, &given.password, caller.at).await;
    match or_again(removed, (&app, &caller, &frame)).await? {
        Ok(()) => {
            Ok(Next::page("/account").warning("you sign in by your password alone now").into_response())
        }
        Err(again) => Ok(again),
    }
}
