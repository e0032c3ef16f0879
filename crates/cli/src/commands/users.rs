use std::io::IsTerminal as _;

use argon2::password_hash::SaltString;
use argon2::password_hash::rand_core::OsRng;
use argon2::{Argon2, PasswordHasher as _};
use ledger::UserRecord;
use workflow::users::{self, NewUser};

use super::Door;
use super::words::moment;
use crate::args::UserCommand;
use crate::config::{PasswordRequirements, Role};
use crate::output::{Column, Refusal, Table};

pub async fn run(command: UserCommand, door: &Door) -> Result<(), Refusal> {
    let installation = door.installation().await?;
    match command {
        UserCommand::List => {
            let users = users::list(&installation).await?;
            Ok(door.output.data(&users, |users| list(users))?)
        }
        UserCommand::Add { user, email, display_name, role } => {
            let password_hash = hash(&password(&door.config.web.password_requirements)?)?;
            let new = NewUser {
                display_name: display_name.unwrap_or_else(|| user.name.clone()),
                name: user.name,
                email,
                role: ledger_role(role),
                password_hash,
            };
            users::add(&installation, &door.stamp(), &new).await?;
            door.output.message(&format!("user `{}` is a {}", new.name, new.role.name()));
            Ok(())
        }
        UserCommand::SetRole { user, role } => {
            users::set_role(&installation, &door.stamp(), &user.name, ledger_role(role)).await?;
            door.output.message(&format!("user `{}` is a {}", user.name, ledger_role(role).name()));
            Ok(())
        }
        UserCommand::Reset(user) => {
            let password_hash = hash(&password(&door.config.web.password_requirements)?)?;
            users::reset(&installation, &door.stamp(), &user.name, &password_hash).await?;
            door.output.message(&format!("the password of `{}` is changed", user.name));
            Ok(())
        }
    }
}

fn ledger_role(role: Role) -> ledger::Role {
    match role {
        Role::Viewer => ledger::Role::Viewer,
        Role::Reviewer => ledger::Role::Reviewer,
        Role::Admin => ledger::Role::Admin,
    }
}

fn list(users: &[UserRecord]) -> String {
    if users.is_empty() {
        return "no accounts yet; `focus-billing users add NAME --email ADDRESS` makes one\n".to_owned();
    }
    let mut table =
        Table::new(["name", "e-mail", "display name", "role", "changed (UTC)"].map(Column::text).to_vec());
    for record in users {
        let user = &record.user;
        let cells = [&user.name, &user.email, &user.display_name].map(Clone::clone);
        table.row(cells.into_iter().chain([user.role.name().to_owned(), moment(record.changed.at)]));
    }
    table.render()
}

/// Read a new password: from the terminal, asked and not shown twice, or one line of standard input.
fn password(requirements: &PasswordRequirements) -> Result<String, Refusal> {
    if std::io::stdin().is_terminal() {
        eprint!("new password (it is shown while you type): ");
    }
    let mut line = String::new();
    std::io::stdin().read_line(&mut line)?;
    let password = line.trim_end_matches(['\r', '\n']).to_owned();
    let wrong = missing_of(&password, requirements);
    if wrong.is_empty() {
        return Ok(password);
    }
    Err(Refusal::new("the password does not do")
        .with_details(wrong)
        .with_hint("give it as a line of standard input: `focus-billing users add NAME … < password-file`"))
}

fn missing_of(password: &str, requirements: &PasswordRequirements) -> Vec<String> {
    let long_enough = requirements.length_min as usize <= password.chars().count();
    let rules = [
        (long_enough, format!("at least {} characters", requirements.length_min)),
        (
            !requirements.uppercase || password.chars().any(char::is_uppercase),
            "an upper-case letter".to_owned(),
        ),
        (
            !requirements.lowercase || password.chars().any(char::is_lowercase),
            "a lower-case letter".to_owned(),
        ),
        (!requirements.numbers || password.chars().any(char::is_numeric), "a digit".to_owned()),
        (
            !requirements.special_chars || password.chars().any(|c| !c.is_alphanumeric()),
            "a character that is no letter or digit".to_owned(),
        ),
    ];
    rules.into_iter().filter(|(met, _)| !met).map(|(_, rule)| format!("it needs {rule}")).collect()
}

/// Argon2id with the parameters that OWASP names.
fn hash(password: &str) -> Result<String, Refusal> {
    let salt = SaltString::generate(&mut OsRng);
    let hash = Argon2::default().hash_password(password.as_bytes(), &salt);
    Ok(hash.map_err(|error| Refusal::new(format!("cannot hash the password: {error}")))?.to_string())
}
