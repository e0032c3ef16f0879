//! One's own account: the name, the password, where one is signed in, tokens for programs.

use askama::Template;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use ledger::{ApiTokenRecord, Role, Scope};
use serde::Deserialize;
use workflow::Refusal;
use workflow::WorkflowError;
use workflow::accounts::{self, Account, Change, NewToken, Origin, Session, SessionToken, TokenMade, Whose};

use super::sign_in;
use crate::App;
use crate::access::{Access, Caller};
use crate::error::{PageError, PageResult};
use crate::flash::Next;
use crate::form::Form;
use crate::frame::{Frame, page, refused_page};
use crate::routes::Routes;

pub fn routes() -> Routes {
    Routes::default()
        .page("/account", Access::Viewer, show)
        .act("/account/name", Access::Viewer, "users change", rename)
        .page("/account/password", Access::HalfSignedIn, ask_password)
        .act("/account/password", Access::HalfSignedIn, "users reset", change_password)
        .act("/account/sessions/{id}/end", Access::Viewer, "users sign-out", end_session)
        .act("/account/sessions/end-others", Access::Viewer, "users sign-out", end_others)
        .act("/account/tokens", Access::Viewer, "tokens add", add_token)
        .act("/account/tokens/{id}/revoke", Access::Viewer, "tokens revoke", revoke_token)
}

#[derive(Template)]
#[template(path = "account/show.html")]
struct AccountPage {
    frame: Frame,
    account: Account,
    /// By which the page is looked at.
    session: String,
    sessions: Vec<Session>,
    tokens: Vec<ApiTokenRecord>,
    at: jiff::Timestamp,
    token: GivenToken,
    refusal: Option<Refusal>,
}

impl AccountPage {
    async fn of(app: &App, caller: &Caller, frame: Frame) -> PageResult<AccountPage> {
        let (installation, known) = (&app.installation, &app.settings.accounts);
        let account = accounts::find(installation, known, &caller.name).await?;
        let sessions = accounts::sessions_of(installation, known, &caller.name, caller.at).await?;
        let mut tokens = accounts::token_list(installation).await?;
        tokens.retain(|record| record.token.owner == account.name);
        tokens.reverse();
        Ok(AccountPage {
            frame: frame.titled("Your account").help("accounts#your-account"),
            session: caller.session.as_ref().map_or_else(String::new, |session| session.id.clone()),
            account,
            sessions,
            tokens,
            at: caller.at,
            token: GivenToken::default(),
            refusal: None,
        })
    }

    fn is_of_configuration(&self) -> bool {
        self.account.origin != Origin::Ledger
    }

    fn is_recovery(&self) -> bool {
        self.account.origin == Origin::Recovery
    }

    fn is_this(&self, session: &Session) -> bool {
        session.id == self.session
    }

    fn is_good(&self, record: &ApiTokenRecord) -> bool {
        record.revoked.is_none() && self.at < record.token.expires_at
    }

    fn scopes(&self) -> Vec<(Scope, &'static str)> {
        let all = [
            (Scope::Read, "read: look at everything"),
            (Scope::Review, "review: import, decide, generate, send"),
            (Scope::Admin, "admin: everything"),
        ];
        all.into_iter().filter(|(scope, _)| scope.role() <= self.account.role).collect()
    }
}

/// `Firefox on Linux`, of what a browser says of itself.
#[must_use]
pub fn device(user_agent: &str) -> String {
    // Each also names those after it.
    const BROWSERS: [(&str, &str); 7] = [
        ("Edg", "Edge"),
        ("OPR/", "Opera"),
        ("Firefox/", "Firefox"),
        ("Chromium/", "Chromium"),
        ("Chrome/", "Chrome"),
        ("Safari/", "Safari"),
        ("curl/", "curl"),
    ];
    const SYSTEMS: [(&str, &str); 6] = [
        ("iPhone", "iPhone"),
        ("iPad", "iPad"),
        ("Android", "Android"),
        ("Windows", "Windows"),
        ("Mac OS X", "macOS"),
        ("Linux", "Linux"),
    ];
    let find = |known: &[(&str, &'static str)]| {
        known.iter().find(|(mark, _)| user_agent.contains(mark)).map(|(_, name)| *name)
    };
    match (find(&BROWSERS), find(&SYSTEMS)) {
        (Some(browser), Some(system)) => format!("{browser} on {system}"),
        (Some(name), None) | (None, Some(name)) => name.to_owned(),
        (None, None) => "an unknown browser".to_owned(),
    }
}

async fn show(State(app): State<App>, caller: Caller, frame: Frame) -> PageResult<Response> {
    page(&AccountPage::of(&app, &caller, frame).await?)
}

#[derive(Deserialize)]
struct GivenName {
    display_name: String,
}

async fn rename(State(app): State<App>, caller: Caller, Form(given): Form<GivenName>) -> PageResult<Next> {
    let change = Change { display_name: Some(given.display_name), email: None };
    let (installation, known) = (&app.installation, &app.settings.accounts);
    accounts::change(installation, known, &caller.actor(), &caller.name, &change).await?;
    Ok(Next::page("/account").saying("pages show you by your new name"))
}

#[derive(Template)]
#[template(path = "account/password.html")]
struct PasswordPage {
    frame: Frame,
    /// They cannot go on before.
    must_change: bool,
    policy: String,
    /// A form that was not sent, for afterwards: [`crate::unsent`].
    held: String,
    refusal: Option<Refusal>,
}

impl PasswordPage {
    fn of(app: &App, caller: &Caller, frame: Frame, refusal: Option<Refusal>) -> PasswordPage {
        PasswordPage {
            frame: frame.titled("Your password"),
            must_change: caller.session.as_ref().is_some_and(|session| session.must_change_password),
            policy: app.settings.accounts.policy.words(),
            held: String::new(),
            refusal,
        }
    }
}

/// After a sign-in that carries along a form which was not sent.
pub fn ask_password_first(app: &App, caller: &Caller, frame: Frame, held: &str) -> PageResult<Response> {
    page(&PasswordPage { held: held.to_owned(), ..PasswordPage::of(app, caller, frame, None) })
}

/// Without the second factor that is still asked for, nothing is changed.
fn need_whole(caller: &Caller) -> PageResult<()> {
    match &caller.session {
        Some(session) if session.pending_totp => Err(PageError::unfinished(caller)),
        _ => Ok(()),
    }
}

async fn ask_password(State(app): State<App>, caller: Caller, frame: Frame) -> PageResult<Response> {
    need_whole(&caller)?;
    page(&PasswordPage::of(&app, &caller, frame, None))
}

#[derive(Deserialize)]
struct GivenPassword {
    old: String,
    new: String,
    again: String,
    #[serde(default)]
    held: String,
}

async fn change_password(
    State(app): State<App>,
    caller: Caller,
    headers: HeaderMap,
    frame: Frame,
    Form(given): Form<GivenPassword>,
) -> PageResult<Response> {
    need_whole(&caller)?;
    let token = own_token(&app, &headers)?;
    let (installation, known) = (&app.installation, &app.settings.accounts);
    let changed = if given.new == given.again {
        accounts::change_password(installation, known, &token, (&given.old, &given.new), caller.at).await
    } else {
        Err(Refusal::new("the two new passwords differ").into())
    };
    match changed {
        Ok(session) if !given.held.is_empty() => {
            tracing::info!(user = %caller.name, "password changed");
            sign_in::entered(&app, &headers, &session, frame, (&given.held, "/account")).await
        }
        Ok(session) => {
            tracing::info!(user = %caller.name, "password changed");
            let next =
                Next::page("/account").saying("your password is changed; all other sessions have ended");
            Ok(sign_in::with_session(&app, &headers, &session, next.into_response()))
        }
        Err(WorkflowError::Refused(refusal)) => {
            let asked = PasswordPage::of(&app, &caller, frame, Some(refusal));
            refused_page(&PasswordPage { held: given.held, ..asked })
        }
        Err(error) => Err(error.into()),
    }
}

/// The session of a browser: what is asked of it no token of a program can do.
pub fn own_token(app: &App, headers: &HeaderMap) -> PageResult<SessionToken> {
    sign_in::token(app, headers).ok_or_else(PageError::signed_out)
}

async fn end_session(State(app): State<App>, caller: Caller, Path(id): Path<String>) -> PageResult<Next> {
    accounts::end_session(&app.installation, &caller.actor(), &id).await?;
    Ok(Next::page("/account#sessions").saying("that session has ended"))
}

async fn end_others(State(app): State<App>, caller: Caller, headers: HeaderMap) -> PageResult<Next> {
    let token = own_token(&app, &headers)?;
    let (installation, known) = (&app.installation, &app.settings.accounts);
    let ended = accounts::end_other_sessions(installation, known, &token, caller.at).await?;
    let said = match ended {
        0 => "you are signed in nowhere else".to_owned(),
        1 => "the other session has ended".to_owned(),
        ended => format!("{ended} other sessions have ended"),
    };
    Ok(Next::page("/account#sessions").saying(said))
}

#[derive(Clone, Debug, Default, Deserialize)]
struct GivenToken {
    name: String,
    scope: String,
    days: String,
}

#[derive(Template)]
#[template(path = "account/token.html")]
struct TokenPage {
    frame: Frame,
    made: TokenMade,
}

/// The secret is in this answer and nowhere else, so there is no page to go on to.
async fn add_token(
    State(app): State<App>,
    caller: Caller,
    frame: Frame,
    Form(given): Form<GivenToken>,
) -> PageResult<Response> {
    let mut fields = crate::form::Fields::default();
    let scope = fields.required("what it may do", &given.scope, "read, review or admin");
    let days = fields.required("expiry", &given.days, "a number of days");
    let made = match (scope, days, fields.finish("the token will not do")) {
        (Some(scope), Some(days), Ok(())) => {
            let (name, owner) = (given.name.clone(), caller.name.clone());
            let new = NewToken { name, owner, scope, days, within: caller.role };
            accounts::token_add(&app.installation, &app.settings.accounts, &caller.actor(), &new).await
        }
        (_, _, refused) => Err(refused.err().unwrap_or_else(|| Refusal::new("the token will not do")).into()),
    };
    match made {
        Ok(made) => page(&TokenPage { frame: frame.titled("A new token").help("accounts#tokens"), made }),
        Err(WorkflowError::Refused(refusal)) => {
            let shown = AccountPage::of(&app, &caller, frame).await?;
            refused_page(&AccountPage { token: given, refusal: Some(refusal), ..shown })
        }
        Err(error) => Err(error.into()),
    }
}

async fn revoke_token(State(app): State<App>, caller: Caller, Path(id): Path<String>) -> PageResult<Next> {
    let id =
        id.parse().map_err(|_| PageError::bad_request(format!("`{id}` is not the number of a token")))?;
    let whose = if caller.may(Role::Admin) { Whose::Anybodys } else { Whose::Own };
    accounts::token_revoke(&app.installation, &caller.actor(), id, whose).await?;
    Ok(Next::page("/account#tokens").saying(format!("token {id} is good for nothing any more")))
}

#[cfg(test)]
mod tests {
    use super::device;

    #[test]
    fn browsers_are_told_by_their_names() {
        for (agent, expected) in [
            ("Mozilla/5.0 (X11; Linux x86_64; rv:133.0) Gecko/20100101 Firefox/133.0", "Firefox on Linux"),
            (
                "Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 Chrome/131.0 Safari/537.36 Edg/131.0",
                "Edge on Windows",
            ),
            (
                "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) Version/18.1 Safari/604.1",
                "Safari on iPhone",
            ),
            ("curl/8.5.0", "curl"),
            ("", "an unknown browser"),
        ] {
            assert_eq!(device(agent), expected);
        }
    }
}
