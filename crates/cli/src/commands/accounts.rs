//! Accounts as commands and the web interface hand them in, and where the secret key is kept.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write as _};
use std::path::Path;

use anyhow::Context as _;
use workflow::accounts::{Accounts, ConfiguredUser, PasswordPolicy, SecretKey};

use crate::config::{Config, Role};
use crate::output::Refusal;

/// For commands: nothing is sealed or opened by them, so no key is made.
///
/// # Errors
/// A password hash from a variable that is not set.
pub fn accounts(config: &Config) -> Result<Accounts, Refusal> {
    accounts_with(config, SecretKey::absent())
}

/// For the web interface.
///
/// # Errors
/// As [`accounts`] and [`secret_key`].
pub fn accounts_of_web(config: &Config) -> Result<Accounts, Refusal> {
    accounts_with(config, secret_key(config)?)
}

fn accounts_with(config: &Config, secret_key: SecretKey) -> Result<Accounts, Refusal> {
    let web = &config.web;
    let configured = web.users.iter().map(|user| {
        Ok(ConfiguredUser {
            name: user.name.clone(),
            email: user.email.clone(),
            display_name: user.display_name.clone(),
            role: ledger_role(user.role),
            password_hash: user.password_hash.resolve()?,
            recovery: user.recovery,
        })
    });
    let asked = &web.password_requirements;
    Ok(Accounts {
        configured: configured.collect::<Result<_, Refusal>>()?,
        policy: PasswordPolicy {
            length_min: asked.length_min,
            uppercase: asked.uppercase,
            lowercase: asked.lowercase,
            numbers: asked.numbers,
            special_chars: asked.special_chars,
        },
        session_hours: web.session_lifetime_hours,
        idle_minutes: web.idle_minutes,
        secret_key,
    })
}

pub(super) fn ledger_role(role: Role) -> ledger::Role {
    match role {
        Role::Viewer => ledger::Role::Viewer,
        Role::Reviewer => ledger::Role::Reviewer,
        Role::Admin => ledger::Role::Admin,
    }
}

/// `web.secret_key`, or without it `instance/secret.key`, which is made when it is not there.
///
/// # Errors
/// A key that can be guessed, a file that others may read or that cannot be written.
pub fn secret_key(config: &Config) -> Result<SecretKey, Refusal> {
    let configured = &config.web.secret_key;
    if !configured.is_empty() {
        let text = configured.resolve()?;
        return SecretKey::new(&text).map_err(|wrong| Refusal::new(format!("web.secret_key: {wrong}")));
    }
    let path = config.instance().join("secret.key");
    let text = match std::fs::read_to_string(&path) {
        Err(error) if error.kind() == ErrorKind::NotFound => make_key(&path)?,
        read => {
            refuse_readable(&path)?;
            read.with_context(|| format!("cannot read `{}`", path.display()))?
        }
    };
    SecretKey::new(&text).map_err(|wrong| Refusal::new(format!("`{}`: {wrong}", path.display())))
}

fn make_key(path: &Path) -> Result<String, Refusal> {
    let text = SecretKey::random_text()?;
    let folder = path.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder).with_context(|| format!("cannot create `{}`", folder.display()))?;
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let write = || {
        let mut file = options.open(path)?;
        file.write_all(format!("{text}\n").as_bytes())?;
        file.sync_all()
    };
    write().with_context(|| format!("cannot write `{}`", path.display()))?;
    Ok(text)
}

/// Whoever reads the key reads the second factors.
#[cfg(unix)]
fn refuse_readable(path: &Path) -> Result<(), Refusal> {
    use std::os::unix::fs::PermissionsExt as _;
    let metadata = std::fs::metadata(path).with_context(|| format!("cannot read `{}`", path.display()))?;
    // The six lowest bits are what the group and others may.
    let mode = metadata.permissions().mode() & 0o777;
    if mode.trailing_zeros() >= 6 {
        return Ok(());
    }
    Err(Refusal::new(format!("`{}` can be read by others (mode {mode:o})", path.display()))
        .with_hint(format!("`chmod 600 {}`", path.display())))
}

#[cfg(not(unix))]
fn refuse_readable(_: &Path) -> Result<(), Refusal> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Location;

    fn config(home: &Path, text: &str) -> Config {
        std::fs::write(home.join("config.yaml"), text).unwrap();
        let location = Location { working_directory: home.to_owned(), ..Location::default() };
        Config::load_in(&location, &|_| None).unwrap()
    }

    #[test]
    fn a_key_is_made_once_for_nobody_else_to_read() {
        let home = tempfile::tempdir().unwrap();
        let config = config(home.path(), "");
        let (one, two) = (secret_key(&config).unwrap(), secret_key(&config).unwrap());
        assert_eq!(one.derived("x").unwrap(), two.derived("x").unwrap());
        let path = home.path().join("instance/secret.key");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = |mode| std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
            mode(0o640);
            let refused = secret_key(&config).unwrap_err().chain();
            assert!(refused.contains("can be read by others (mode 640)"), "{refused}");
            mode(0o600);
        }
        std::fs::write(&path, "short\n").unwrap();
        let refused = secret_key(&config).unwrap_err().chain();
        assert!(refused.contains("it has fewer than 32 characters"), "{refused}");
    }

    #[test]
    fn a_configured_key_counts_and_makes_no_file() {
        let home = tempfile::tempdir().unwrap();
        let given = config(home.path(), "web: {secret_key: 0123456789abcdef0123456789abcdef}");
        secret_key(&given).unwrap();
        assert!(!home.path().join("instance").exists());
        let example = config(home.path(), "web: {secret_key: change-me-in-production-0123456789}");
        let refused = secret_key(&example).unwrap_err().chain();
        assert!(refused.starts_with("web.secret_key: it is the one of an example"), "{refused}");
    }
}
