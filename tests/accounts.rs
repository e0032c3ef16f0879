//! Accounts: who may sign in to the web interface, with what, and what ends that; tokens of programs.
#![expect(clippy::unwrap_used, reason = "a story that cannot be told is a failed test")]

#[path = "accounts/second_factor.rs"]
mod second_factor;
#[path = "accounts/server.rs"]
mod server;
#[path = "accounts/sign_in.rs"]
mod sign_in;
mod support;

use std::process::Stdio;

use insta::assert_snapshot;
use support::{Answer, Home};

const CONFIGURED: &str = "
web:
  users:
    rescue:
      email: operator@example.edu
      display_name: Night shift
      password_hash: \"$2b$04$abcdefghijklmnopqrstuuLqq38lIKiBCtE/xtQf4Fwdw9SYw1IGW\"
      role: admin
      recovery: true
";

/// Run a line on a certain day, with a password on standard input.
fn with_password(home: &Home, line: &str, password: &str) -> Answer {
    home.write("password", format!("{password}\n"));
    let mut command = home.command(line);
    command.env("FOCUS_BILLING_NOW", "2025-03-03T09:00:00Z");
    command.stdin(Stdio::from(std::fs::File::open(home.path().join("password")).unwrap()));
    home.answer(&command.output().unwrap())
}

/// What it said, all of it.
fn said(answer: &Answer) -> String {
    format!("{}{}", answer.stdout, answer.stderr)
}

#[test]
fn accounts_by_command() {
    let home = Home::with(CONFIGURED);
    let run = |line: &str| said(&with_password(&home, line, "correct horse battery staple"));
    assert_snapshot!(
        [
            run("users add Maria --email maria@example.edu --role reviewer"),
            run("users add lee --email lee@example.edu --display-name 'Lee Chan' --keep-password"),
            run("users set-role maria admin"),
            run("users change maria --display-name 'Maria Lopez'"),
            run("users list"),
            run("users sessions maria"),
            run("users sign-out maria"),
            run("users totp-remove maria"),
            run("users reset lee"),
            run("users remove lee --yes"),
        ]
        .join("\n"),
        @r"
    user `maria` is a reviewer, and is asked for a password of their own

    user `lee` is a viewer

    user `maria` is an admin

    user `maria` is changed

    name    e-mail                display name  role    second factor  of                               changed (UTC)
    ──────  ────────────────────  ────────────  ──────  ─────────────  ───────────────────────────────  ────────────────
    lee     lee@example.edu       Lee Chan      viewer  no             the ledger                       2025-03-03 09:00
    maria   maria@example.edu     Maria Lopez   admin   no             the ledger                       2025-03-03 09:00
    rescue  operator@example.edu  Night shift   admin   no             the configuration, for recovery  –

    `maria` is not signed in

    `maria` was not signed in

    error: user `maria` has no second factor

    the password of `lee` is changed, and their sessions ended; they are asked for their own

    user `lee` is removed
    "
    );
    let refusals = [
        ("users add maria --email maria@example.edu", "correct horse battery staple"),
        ("users add rescue --email r@example.edu", "correct horse battery staple"),
        ("users add 'a b' --email a@example.edu", "Password1"),
        ("users set-role nobody admin", ""),
        ("users set-role rescue viewer", ""),
        ("users reset rescue", "correct horse battery staple"),
        ("users remove rescue --yes", ""),
        ("users change rescue --email other@example.edu", ""),
    ];
    let refused = refusals.map(|(line, password)| {
        let answer = with_password(&home, line, password);
        assert_eq!(answer.code, 1, "{line}");
        format!("$ {line}\n{}", answer.stderr)
    });
    assert_snapshot!(refused.join("\n"), @r"
    $ users add maria --email maria@example.edu
    error: user `maria` exists already
    hint: `users set-role maria ROLE` or `users reset maria` change it

    $ users add rescue --email r@example.edu
    error: user `rescue` exists already
    hint: it is of the configuration: `web.users.rescue`

    $ users add 'a b' --email a@example.edu
    name: `a b` has other characters than letters, digits and . _ - @ +
    password: it is among the first that are tried
    error: the account will not do

    $ users set-role nobody admin
    error: user `nobody` is not known
    hint: known users: maria, rescue

    $ users set-role rescue viewer
    error: user `rescue` is of the configuration
    hint: change `web.users.rescue.role` there

    $ users reset rescue
    error: the password of `rescue` is the one of the configuration
    hint: change `web.users.rescue.password_hash` there, or take `recovery` out

    $ users remove rescue --yes
    error: user `rescue` is of the configuration
    hint: take `web.users.rescue` out of it

    $ users change rescue --email other@example.edu
    error: user `rescue` is of the configuration
    hint: change `web.users.rescue.email` there
    ");
    home.ok("audit verify");
}

#[test]
fn tokens_by_command() {
    let home = Home::with(CONFIGURED);
    let run = |line: &str| with_password(&home, line, "correct horse battery staple");
    assert_snapshot!(said(&run("tokens list")), @"no tokens; `focus-billing tokens add NAME --owner USER --scope read` makes one");
    let made = run("tokens add 'monthly export' --owner rescue --scope read --expires 12w");
    let secret = made.stdout.trim();
    assert!(secret.starts_with("ocb_") && secret.len() == 68, "{secret}");
    assert_snapshot!(made.stderr, @"token 1 of `rescue` may read until 2025-05-26 09:00 UTC; it is shown this once");
    assert_snapshot!(said(&run("tokens add nightly --owner nobody --scope read")), @r"
    error: user `nobody` is not known
    hint: known users: rescue
    ");
    assert_snapshot!(said(&run("tokens add nightly --owner rescue --scope write")), @r"
    error: invalid value 'write' for '--scope <SCOPE>': `write` is not a scope; it is read, review or admin

    For more information, try '--help'.
    ");
    assert_snapshot!(said(&run("tokens add nightly --owner rescue --scope read --expires 2y")), @r"
    error: invalid value '2y' for '--expires <TIME>': not a time such as 90d or 12w

    For more information, try '--help'.
    ");
    run("tokens add 'for a day' --owner rescue --scope admin --expires 1d");
    assert_snapshot!(said(&run("tokens revoke 1")), @"token 1 is good no more");
    assert_snapshot!(said(&run("tokens list")), @r"
    token  name            owner   scope  made (UTC)        good until (UTC)  state
    ─────  ──────────────  ──────  ─────  ────────────────  ────────────────  ────────────────
        1  monthly export  rescue  read   2025-03-03 09:00  2025-05-26 09:00  revoked by casey
        2  for a day       rescue  admin  2025-03-03 09:00  2025-03-04 09:00  good
    ");
    let machine = home.ok("tokens list --json");
    assert!(!machine.contains(secret) && !machine.contains("sha256"), "{machine}");
    assert!(!home.ok("audit export").contains(secret));
}
