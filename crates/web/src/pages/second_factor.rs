//! Setting up one's second factor, new recovery codes, and doing without.

use askama::Template;
use axum::extract::{FromRequest, FromRequestParts as _, Request, State};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use workflow::accounts::{self, Accounts, SessionToken};
use workflow::{Installation, Refusal, WorkflowError};

use super::account::own_token;
use crate::App;
use crate::access::{Access, Caller};
use crate::error::{PageError, PageResult};
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

/// What is asked of one's own second factor, at which session, with what was typed.
struct Asked<F> {
    app: App,
    caller: Caller,
    frame: Frame,
    token: SessionToken,
    form: F,
}

impl<F: DeserializeOwned> FromRequest<App> for Asked<F> {
    type Rejection = PageError;

    async fn from_request(request: Request, app: &App) -> Result<Asked<F>, PageError> {
        let (mut parts, body) = request.into_parts();
        let caller = Caller::from_request_parts(&mut parts, app).await?;
        let frame = Frame::from_request_parts(&mut parts, app).await?;
        let token = own_token(app, &parts.headers)?;
        let Form(form) = Form::from_request(Request::from_parts(parts, body), app).await?;
        Ok(Asked { app: app.clone(), caller, frame, token, form })
    }
}

impl<F> Asked<F> {
    fn known(&self) -> (&Installation, &Accounts) {
        (&self.app.installation, &self.app.settings.accounts)
    }
}

#[derive(Deserialize)]
struct GivenPassword {
    password: String,
}

impl Asked<GivenPassword> {
    /// The page after an act of the account; a refusal is told where the password was asked.
    async fn then<T>(
        self,
        done: Result<T, WorkflowError>,
        next: impl FnOnce(Frame, T) -> PageResult<Response>,
    ) -> PageResult<Response> {
        match done {
            Ok(done) => next(self.frame, done),
            Err(WorkflowError::Refused(refusal)) => {
                refused_page(&FactorPage::of(&self.app, &self.caller, self.frame, Some(refusal)).await?)
            }
            Err(error) => Err(error.into()),
        }
    }
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

async fn begin(asked: Asked<GivenPassword>) -> PageResult<Response> {
    let ((installation, known), password) = (asked.known(), &asked.form.password);
    let begun = accounts::begin_totp(installation, known, &asked.token, password, asked.caller.at).await;
    asked.then(begun, |frame, setup| page(&SetUpPage::of(frame, setup.otpauth_uri, None))).await
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

async fn confirm(asked: Asked<GivenCode>) -> PageResult<Response> {
    let (installation, known) = asked.known();
    let Asked { caller, token, .. } = &asked;
    match accounts::finish_totp(installation, known, token, &asked.form.code, caller.at).await {
        Ok(codes) => {
            tracing::info!(user = %caller.name, "second factor set up");
            page(&CodesPage { frame: asked.frame.titled("Recovery codes"), codes, is_new: true })
        }
        Err(WorkflowError::Refused(refusal)) => {
            refused_page(&SetUpPage::of(asked.frame, asked.form.uri, Some(refusal)))
        }
        Err(error) => Err(error.into()),
    }
}

async fn renew(asked: Asked<GivenPassword>) -> PageResult<Response> {
    let ((installation, known), password) = (asked.known(), &asked.form.password);
    let codes =
        accounts::renew_recovery_codes(installation, known, &asked.token, password, asked.caller.at).await;
    let next = |frame: Frame, codes| {
        page(&CodesPage { frame: frame.titled("Recovery codes"), codes, is_new: false })
    };
    asked.then(codes, next).await
}

async fn remove(asked: Asked<GivenPassword>) -> PageResult<Response> {
    let ((installation, known), password) = (asked.known(), &asked.form.password);
    let removed =
        accounts::remove_own_totp(installation, known, &asked.token, password, asked.caller.at).await;
    let next = Next::page("/account").warning("you sign in by your password alone now");
    asked.then(removed, |_, ()| Ok(next.into_response())).await
}
