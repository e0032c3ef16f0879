//! Accounts, for administrators.

use askama::Template;
use axum::extract::{Path, State};
use axum::response::Response;
use ledger::{ApiTokenRecord, Role};
use serde::Deserialize;
use workflow::accounts::{self, Account, Change, NewUser, Origin, ResetTo, Session};
use workflow::{Refusal, WorkflowError};

use crate::App;
use crate::access::{Access, Caller};
use crate::error::{PageError, PageResult};
use crate::flash::Next;
use crate::form::{Form, encoded};
use crate::frame::{Frame, page, refused_page};
use crate::routes::Routes;

pub fn routes() -> Routes {
    Routes::default()
        .page("/users", Access::Admin, list)
        .act("/users", Access::Admin, "users add", add)
        .page("/users/{name}", Access::Admin, show)
        .act("/users/{name}", Access::Admin, "users change", change)
        .act("/users/{name}/role", Access::Admin, "users set-role", set_role)
        .act("/users/{name}/password", Access::Admin, "users reset", reset)
        .act("/users/{name}/sign-out", Access::Admin, "users sign-out", sign_out)
        .act("/users/{name}/second-factor/remove", Access::Admin, "users totp-remove", remove_factor)
        .act("/users/{name}/remove", Access::Admin, "users remove", remove)
}

/// What each role may do, as forms offer it.
const fn roles() -> [(Role, &'static str); 3] {
    [
        (Role::Viewer, "viewer: looks at everything"),
        (Role::Reviewer, "reviewer: imports, decides, generates, sends"),
        (Role::Admin, "admin: everything, also accounts and finalizing"),
    ]
}

fn kept_in(account: &Account) -> &'static str {
    match account.origin {
        Origin::Ledger => "the ledger",
        Origin::Configuration => "the configuration",
        Origin::Recovery => "the configuration, for recovery",
    }
}

#[derive(Template)]
#[template(path = "users/list.html")]
struct ListPage {
    frame: Frame,
    users: Vec<Account>,
    given: GivenUser,
    refusal: Option<Refusal>,
}

impl ListPage {
    async fn of(app: &App, frame: Frame) -> PageResult<ListPage> {
        let users = accounts::list(&app.installation, &app.settings.accounts).await?;
        let given = GivenUser { role: Role::Viewer.name().to_owned(), ..GivenUser::default() };
        Ok(ListPage { frame: frame.titled("Users").help("accounts#users"), users, given, refusal: None })
    }
}

fn address(name: &str) -> String {
    format!("/users/{}", encoded(name))
}

async fn list(State(app): State<App>, frame: Frame) -> PageResult<Response> {
    page(&ListPage::of(&app, frame).await?)
}

#[derive(Clone, Debug, Default, Deserialize)]
struct GivenUser {
    name: String,
    email: String,
    #[serde(default)]
    display_name: String,
    role: String,
}

/// A password that is shown this once.
#[derive(Template)]
#[template(path = "users/password.html")]
struct PasswordPage {
    frame: Frame,
    name: String,
    password: String,
    is_new: bool,
}

impl PasswordPage {
    fn address(&self) -> String {
        address(&self.name)
    }
}

async fn add(
    State(app): State<App>,
    caller: Caller,
    frame: Frame,
    Form(given): Form<GivenUser>,
) -> PageResult<Response> {
    let known = &app.settings.accounts;
    let password = known.policy.temporary()?;
    let user = NewUser {
        name: given.name.trim().to_owned(),
        email: given.email.trim().to_owned(),
        display_name: given.display_name.trim().to_owned(),
        role: role(&given.role)?,
        password: password.clone(),
        must_change_password: true,
    };
    match accounts::add(&app.installation, known, &caller.actor(), &user).await {
        Ok(_) => {
            let frame = frame.titled("A new account").help("accounts#users");
            page(&PasswordPage { frame, name: user.name.to_lowercase(), password, is_new: true })
        }
        Err(WorkflowError::Refused(refusal)) => {
            refused_page(&ListPage { given, refusal: Some(refusal), ..ListPage::of(&app, frame).await? })
        }
        Err(error) => Err(error.into()),
    }
}

fn role(text: &str) -> PageResult<Role> {
    text.parse().map_err(|_| PageError::bad_request(format!("`{text}` is not viewer, reviewer or admin")))
}

#[derive(Template)]
#[template(path = "users/show.html")]
struct ShowPage {
    frame: Frame,
    account: Account,
    sessions: Vec<Session>,
    /// Those that are good.
    tokens: Vec<ApiTokenRecord>,
    /// The admin who looks.
    is_self: bool,
}

impl ShowPage {
    fn kept_in(&self) -> &'static str {
        kept_in(&self.account)
    }

    fn address(&self) -> String {
        address(&self.account.name)
    }

    fn is_of_ledger(&self) -> bool {
        self.account.origin == Origin::Ledger
    }

    fn is_recovery(&self) -> bool {
        self.account.origin == Origin::Recovery
    }
}

async fn show(
    State(app): State<App>,
    caller: Caller,
    Path(name): Path<String>,
    frame: Frame,
) -> PageResult<Response> {
    let (installation, known) = (&app.installation, &app.settings.accounts);
    let wanted = name.trim().to_lowercase();
    let account = accounts::list(installation, known).await?.into_iter().find(|one| one.name == wanted);
    let account = account.ok_or_else(|| PageError::not_found(format!("user `{name}` is not known")))?;
    let sessions = accounts::sessions_of(installation, known, &account.name, caller.at).await?;
    let mut tokens = accounts::token_list(installation).await?;
    tokens.retain(|record| {
        record.token.owner == account.name && record.revoked.is_none() && caller.at < record.token.expires_at
    });
    let frame = frame.titled(account.name.clone()).help("accounts#users");
    let is_self = account.name == caller.name;
    page(&ShowPage { frame, account, sessions, tokens, is_self })
}

#[derive(Deserialize)]
struct GivenChange {
    email: String,
    display_name: String,
}

async fn change(
    State(app): State<App>,
    caller: Caller,
    Path(name): Path<String>,
    Form(given): Form<GivenChange>,
) -> PageResult<Next> {
    let change = Change { email: Some(given.email), display_name: Some(given.display_name) };
    let (installation, known) = (&app.installation, &app.settings.accounts);
    accounts::change(installation, known, &caller.actor(), &name, &change).await?;
    Ok(Next::page(address(&name)).saying(format!("`{name}` is changed")))
}

#[derive(Deserialize)]
struct GivenRole {
    role: String,
}

async fn set_role(
    State(app): State<App>,
    caller: Caller,
    Path(name): Path<String>,
    Form(given): Form<GivenRole>,
) -> PageResult<Next> {
    let role = role(&given.role)?;
    let (installation, known) = (&app.installation, &app.settings.accounts);
    accounts::set_role(installation, known, &caller.actor(), &name, role).await?;
    // Whoever gave the role of an admin up cannot see the page any more.
    let to = if name == caller.name && role != Role::Admin { "/".to_owned() } else { address(&name) };
    Ok(Next::page(to).saying(format!("`{name}` is a {} from now on", role.name())))
}

async fn reset(
    State(app): State<App>,
    caller: Caller,
    Path(name): Path<String>,
    frame: Frame,
) -> PageResult<Response> {
    let known = &app.settings.accounts;
    let password = known.policy.temporary()?;
    let to = ResetTo::Temporary(&password);
    accounts::reset(&app.installation, known, &caller.actor(), &name, &to).await?;
    let frame = frame.titled("A new password").help("accounts#users");
    page(&PasswordPage { frame, name, password: password.clone(), is_new: false })
}

async fn sign_out(State(app): State<App>, caller: Caller, Path(name): Path<String>) -> PageResult<Next> {
    let (installation, known) = (&app.installation, &app.settings.accounts);
    let (ended, _) = accounts::end_sessions_of(installation, known, &caller.actor(), &name).await?;
    let said = match ended {
        0 => format!("`{name}` was not signed in"),
        1 => format!("the session of `{name}` has ended"),
        ended => format!("{ended} sessions of `{name}` have ended"),
    };
    Ok(Next::page(address(&name)).saying(said))
}

async fn remove_factor(State(app): State<App>, caller: Caller, Path(name): Path<String>) -> PageResult<Next> {
    let (installation, known) = (&app.installation, &app.settings.accounts);
    accounts::remove_totp(installation, known, &caller.actor(), &name).await?;
    Ok(Next::page(address(&name)).warning(format!("`{name}` signs in by password alone now")))
}

#[derive(Deserialize)]
struct Confirmation {
    #[serde(default)]
    confirm: String,
}

/// What cannot be taken back is typed.
async fn remove(
    State(app): State<App>,
    caller: Caller,
    Path(name): Path<String>,
    Form(form): Form<Confirmation>,
) -> PageResult<Next> {
    if form.confirm.trim().to_lowercase() != name.to_lowercase() {
        let typed = form.confirm.trim();
        return Err(PageError::bad_request(format!(
            "to remove `{name}`, type the name into the field; `{typed}` was typed"
        )));
    }
    let (installation, known) = (&app.installation, &app.settings.accounts);
    accounts::remove(installation, known, &caller.actor(), &name).await?;
    Ok(Next::page("/users").saying(format!("`{name}` is removed; what they did stays in the audit trail")))
}
