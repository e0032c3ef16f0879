//! Who asks, tokens, and accounts. What needs a person at a browser (a second factor, one's own password) is no
//! business of programs.

use axum::extract::State;
use ledger::{Role, Scope};
use serde::Deserialize;
use serde_json::json;
use utoipa::{IntoParams, ToSchema};
use workflow::accounts::{self, Change, NewToken, NewUser, ResetTo, Whose};

use super::answer::{Answer, answer, done, list as listed};
use super::asked::{Ask, At, Given, Nothing, Paged, Words};
use super::{Api, Door};
use crate::App;
use crate::access::{Access, Caller};

pub fn api() -> Api {
    const PASSWORD: &str = "`number` of the act, and `password`: shown this once, to be changed by its owner";
    Api::of("Accounts")
        .on(Door::Read(Access::Viewer), "/api/v1/me", "", "Who asks, and what they may do", me)
        .answers("`name`, `display_name`, `role`: as far as the token goes")
        .on(Door::Read(Access::Viewer), "/api/v1/tokens", "tokens list", "One's own tokens", tokens)
        .with_query::<AskedTokens>()
        .listed()
        .on(
            Door::Act(Access::Viewer),
            "/api/v1/tokens",
            "tokens add",
            "Make a token for a program, of one's own",
            add_token,
        )
        .takes::<GivenToken>(r#"{"name": "monthly export", "scope": "read", "days": 90}"#)
        .on(
            Door::Delete(Access::Viewer),
            "/api/v1/tokens/{token}",
            "tokens revoke",
            "End a token",
            revoke_token,
        )
        .answers("`number` of the act")
        .on(
            Door::Read(Access::Admin),
            "/api/v1/users",
            "users list",
            "Accounts, those of the configuration too",
            users,
        )
        .listed()
        .on(
            Door::Act(Access::Admin),
            "/api/v1/users",
            "users add",
            "Make an account, with a random password",
            add,
        )
        .takes::<GivenUser>(r#"{"name": "maria", "email": "maria@example.edu", "role": "reviewer"}"#)
        .answers(PASSWORD)
        .on(
            Door::Act(Access::Admin),
            "/api/v1/users/{name}",
            "users change",
            "Change the address or the name shown",
            change,
        )
        .takes::<GivenChange>(r#"{"email": "maria.lopez@example.edu"}"#)
        .answers("`number` of the act")
        .on(Door::Delete(Access::Admin), "/api/v1/users/{name}", "users remove", "Remove an account", remove)
        .answers("`number` of the act")
        .on(
            Door::Act(Access::Admin),
            "/api/v1/users/{name}/role",
            "users set-role",
            "Change what an account may do",
            set_role,
        )
        .takes::<GivenRole>(r#"{"role": "admin"}"#)
        .answers("`number` of the act")
        .on(
            Door::Act(Access::Admin),
            "/api/v1/users/{name}/password",
            "users reset",
            "Give a new random password",
            reset,
        )
        .answers(PASSWORD)
        .on(
            Door::Read(Access::Admin),
            "/api/v1/users/{name}/sessions",
            "users sessions",
            "Who is signed in as an account, from where, since when",
            sessions,
        )
        .listed()
        .on(
            Door::Delete(Access::Admin),
            "/api/v1/users/{name}/sessions",
            "users sign-out",
            "Sign an account out everywhere",
            sign_out,
        )
        .on(
            Door::Delete(Access::Admin),
            "/api/v1/users/{name}/second-factor",
            "users totp-remove",
            "Take the second factor of an account away",
            remove_factor,
        )
        .answers("`number` of the act")
}

async fn me(caller: Caller, Ask(Nothing {}): Ask<Nothing>) -> Answer {
    answer(json!({ "name": caller.name, "display_name": caller.display_name, "role": caller.role }))
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct AskedTokens {
    /// Those of everybody, for admins
    #[serde(default)]
    all: bool,
}

async fn tokens(State(app): State<App>, caller: Caller, Paged { query, page }: Paged<AskedTokens>) -> Answer {
    if query.all && !caller.may(Role::Admin) {
        return Err(crate::PageError::forbidden(Role::Admin, caller.role));
    }
    let mut tokens = accounts::token_list(&app.installation).await?;
    tokens.retain(|record| query.all || record.token.owner == caller.name);
    listed(page, tokens)
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct GivenToken {
    /// What it is for
    #[schema(value_type = String)]
    name: Words,
    /// What it may do at most: `read`, `review` or `admin`; never more than who asks for it
    #[schema(value_type = String, example = "read")]
    scope: Scope,
    /// For how many days
    #[serde(default = "ninety")]
    #[schema(default = 90, minimum = 1, maximum = 366)]
    days: u32,
}

const fn ninety() -> u32 {
    90
}

async fn add_token(State(app): State<App>, caller: Caller, Given(given): Given<GivenToken>) -> Answer {
    let GivenToken { name, scope, days } = given;
    let new = NewToken { name: name.0, owner: caller.name.clone(), scope, days, within: caller.role };
    answer(accounts::token_add(&app.installation, &app.settings.accounts, &caller.actor(), &new).await?)
}

async fn revoke_token(State(app): State<App>, caller: Caller, At(token): At<i64>) -> Answer {
    let whose = if caller.may(Role::Admin) { Whose::Anybodys } else { Whose::Own };
    done(accounts::token_revoke(&app.installation, &caller.actor(), token, whose).await?)
}

async fn users(State(app): State<App>, paged: Paged<Nothing>) -> Answer {
    listed(paged.page, accounts::list(&app.installation, &app.settings.accounts).await?)
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct GivenUser {
    /// Name to sign in with
    #[schema(value_type = String)]
    name: Words,
    /// E-mail address of the person
    #[schema(value_type = String)]
    email: Words,
    /// As pages show it; the name when it is not given
    display_name: Option<String>,
    /// `viewer`, `reviewer` or `admin`
    #[schema(value_type = String, example = "viewer")]
    role: Role,
}

async fn add(State(app): State<App>, caller: Caller, Given(given): Given<GivenUser>) -> Answer {
    let known = &app.settings.accounts;
    let password = known.policy.temporary()?;
    let user = NewUser {
        name: given.name.0,
        email: given.email.0,
        display_name: given.display_name.unwrap_or_default(),
        role: given.role,
        password: password.clone(),
        must_change_password: true,
    };
    let number = accounts::add(&app.installation, known, &caller.actor(), &user).await?;
    answer(json!({ "number": number, "password": password }))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct GivenChange {
    /// E-mail address of the person
    email: Option<String>,
    /// As pages show it
    display_name: Option<String>,
}

async fn change(
    State(app): State<App>,
    caller: Caller,
    At(name): At<String>,
    Given(given): Given<GivenChange>,
) -> Answer {
    let change = Change { email: given.email, display_name: given.display_name };
    let (installation, known) = (&app.installation, &app.settings.accounts);
    done(accounts::change(installation, known, &caller.actor(), &name, &change).await?)
}

async fn remove(State(app): State<App>, caller: Caller, At(name): At<String>) -> Answer {
    done(accounts::remove(&app.installation, &app.settings.accounts, &caller.actor(), &name).await?)
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct GivenRole {
    /// `viewer`, `reviewer` or `admin`
    #[schema(value_type = String, example = "reviewer")]
    role: Role,
}

async fn set_role(
    State(app): State<App>,
    caller: Caller,
    At(name): At<String>,
    Given(given): Given<GivenRole>,
) -> Answer {
    let (installation, known) = (&app.installation, &app.settings.accounts);
    done(accounts::set_role(installation, known, &caller.actor(), &name, given.role).await?)
}

async fn reset(
    State(app): State<App>,
    caller: Caller,
    At(name): At<String>,
    Given(Nothing {}): Given<Nothing>,
) -> Answer {
    let known = &app.settings.accounts;
    let password = known.policy.temporary()?;
    let to = ResetTo::Temporary(&password);
    let number = accounts::reset(&app.installation, known, &caller.actor(), &name, &to).await?;
    answer(json!({ "number": number, "password": password }))
}

async fn sessions(
    State(app): State<App>,
    caller: Caller,
    At(name): At<String>,
    paged: Paged<Nothing>,
) -> Answer {
    let (installation, known) = (&app.installation, &app.settings.accounts);
    listed(paged.page, accounts::sessions_of(installation, known, &name, caller.at).await?)
}

async fn sign_out(State(app): State<App>, caller: Caller, At(name): At<String>) -> Answer {
    let (installation, known) = (&app.installation, &app.settings.accounts);
    let (ended, number) = accounts::end_sessions_of(installation, known, &caller.actor(), &name).await?;
    answer(json!({ "ended": ended, "number": number }))
}

async fn remove_factor(State(app): State<App>, caller: Caller, At(name): At<String>) -> Answer {
    let (installation, known) = (&app.installation, &app.settings.accounts);
    done(accounts::remove_totp(installation, known, &caller.actor(), &name).await?)
}
