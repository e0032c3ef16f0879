use std::io::IsTerminal as _;

use serde_json::json;
use workflow::accounts::{self, Account, Accounts, Change, NewUser, Origin, ResetTo, Session};

use super::Door;
use super::accounts::ledger_role;
use super::words::{count, moment};
use crate::args::{KeepPassword, UserCommand};
use crate::config::Role;
use crate::output::{Column, Refusal, Table};

pub async fn run(command: UserCommand, door: &Door) -> Result<(), Refusal> {
    match command {
        UserCommand::List => list(door).await,
        UserCommand::Sessions(user) => sessions(&user.name, door).await,
        UserCommand::Add { user, email, display_name, role, keep } => {
            let new = NewUser {
                display_name: display_name.unwrap_or_default(),
                name: user.name,
                email,
                role: ledger_role(role),
                password: password()?,
                must_change_password: !keep.keep_password,
            };
            add(&new, door).await
        }
        UserCommand::SetRole { user, role } => set_role(&user.name, role, door).await,
        UserCommand::Change { user, email, display_name } => {
            let (installation, known) = (door.installation().await?, door.accounts()?);
            let change = Change { email, display_name };
            let number = accounts::change(&installation, &known, &door.stamp(), &user.name, &change).await?;
            done(number, &format!("user `{}` is changed", user.name), door)
        }
        UserCommand::Reset { user, keep } => reset(&user.name, keep, door).await,
        UserCommand::Remove { user, yes } => {
            door.output.confirm(&format!("remove `{}`?", user.name), yes)?;
            let (installation, known) = (door.installation().await?, door.accounts()?);
            let number = accounts::remove(&installation, &known, &door.stamp(), &user.name).await?;
            done(number, &format!("user `{}` is removed", user.name), door)
        }
        UserCommand::SignOut(user) => sign_out(&user.name, door).await,
        UserCommand::TotpRemove(user) => {
            let (installation, known) = (door.installation().await?, door.accounts()?);
            let number = accounts::remove_totp(&installation, &known, &door.stamp(), &user.name).await?;
            done(number, &format!("user `{}` signs in without a second factor", user.name), door)
        }
    }
}

/// For machines the number of the act, for people a line.
fn done(number: ledger::LedgerNumber, words: &str, door: &Door) -> Result<(), Refusal> {
    if door.output.is_json() {
        door.output.data(&json!({ "number": number }), |_| String::new())?;
    }
    door.output.message(words);
    Ok(())
}

async fn add(new: &NewUser, door: &Door) -> Result<(), Refusal> {
    let (installation, known) = (door.installation().await?, door.accounts()?);
    let number = accounts::add(&installation, &known, &door.stamp(), new).await?;
    let later = if new.must_change_password { ", and is asked for a password of their own" } else { "" };
    done(number, &format!("user `{}` is {}{later}", new.name.to_lowercase(), a_role(new.role)), door)
}

async fn set_role(name: &str, role: Role, door: &Door) -> Result<(), Refusal> {
    let (installation, known) = (door.installation().await?, door.accounts()?);
    let role = ledger_role(role);
    let number = accounts::set_role(&installation, &known, &door.stamp(), name, role).await?;
    done(number, &format!("user `{name}` is {}", a_role(role)), door)
}

fn a_role(role: ledger::Role) -> String {
    let article = if role == ledger::Role::Admin { "an" } else { "a" };
    format!("{article} {}", role.name())
}

async fn reset(name: &str, keep: KeepPassword, door: &Door) -> Result<(), Refusal> {
    let (installation, known) = (door.installation().await?, door.accounts()?);
    let password = password()?;
    let to = if keep.keep_password { ResetTo::Lasting(&password) } else { ResetTo::Temporary(&password) };
    let number = accounts::reset(&installation, &known, &door.stamp(), name, &to).await?;
    let later = if keep.keep_password { "" } else { "; they are asked for their own" };
    done(number, &format!("the password of `{name}` is changed, and their sessions ended{later}"), door)
}

async fn sign_out(name: &str, door: &Door) -> Result<(), Refusal> {
    let (installation, known) = (door.installation().await?, door.accounts()?);
    let (ended, number) = accounts::end_sessions_of(&installation, &known, &door.stamp(), name).await?;
    let words = match ended {
        0 => format!("`{name}` was not signed in"),
        ended => format!("{} of `{name}` ended", count(ended, "session", "sessions")),
    };
    if door.output.is_json() {
        door.output.data(&json!({ "ended": ended, "number": number }), |_| String::new())?;
    }
    door.output.message(&words);
    Ok(())
}

async fn list(door: &Door) -> Result<(), Refusal> {
    let (installation, known) = (door.installation().await?, door.accounts()?);
    let all = accounts::list(&installation, &known).await?;
    Ok(door.output.data(&all, |all| table(all))?)
}

fn table(accounts: &[Account]) -> String {
    if accounts.is_empty() {
        return "no accounts yet; `focus-billing users add NAME --email ADDRESS` makes one\n".to_owned();
    }
    let columns = ["name", "e-mail", "display name", "role", "second factor", "of", "changed (UTC)"];
    let mut table = Table::new(columns.map(Column::text).to_vec());
    for account in accounts {
        let of = match account.origin {
            Origin::Ledger => "the ledger",
            Origin::Configuration => "the configuration",
            Origin::Recovery => "the configuration, for recovery",
        };
        let changed = account.changed.as_ref().map_or_else(|| "–".to_owned(), |stamp| moment(stamp.at));
        let factor = if account.second_factor { "yes" } else { "no" };
        let cells = [&account.name, &account.email, &account.display_name].map(Clone::clone);
        let rest = [account.role.name(), factor, of].map(str::to_owned);
        table.row(cells.into_iter().chain(rest).chain([changed]));
    }
    table.render()
}

async fn sessions(name: &str, door: &Door) -> Result<(), Refusal> {
    let (installation, known): (_, Accounts) = (door.installation().await?, door.accounts()?);
    let sessions = accounts::sessions_of(&installation, &known, name, door.stamp().at).await?;
    Ok(door.output.data(&sessions, |sessions| session_table(name, sessions))?)
}

fn session_table(name: &str, sessions: &[Session]) -> String {
    if sessions.is_empty() {
        return format!("`{name}` is not signed in\n");
    }
    let columns = ["session", "since (UTC)", "last seen (UTC)", "until (UTC)", "address", "browser"];
    let mut table = Table::new(columns.map(Column::text).to_vec());
    for session in sessions {
        let times = [session.created, session.last_seen, session.expires_at].map(moment);
        let browser = if session.pending_totp { "(second factor is asked for)" } else { &session.user_agent };
        let from = [session.address.clone(), browser.to_owned()];
        table.row([session.id.clone()].into_iter().chain(times).chain(from));
    }
    table.render()
}

/// Read a new password: from the terminal, asked, or one line of standard input.
fn password() -> Result<String, Refusal> {
    if std::io::stdin().is_terminal() {
        eprint!("new password (it is shown while you type): ");
    }
    let mut line = String::new();
    std::io::stdin().read_line(&mut line)?;
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}
