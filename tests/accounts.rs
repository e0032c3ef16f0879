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
        @""
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
    assert_snapshot!(refused.join("\n"), @"");
    home.ok("audit verify");
}

#[test]
fn tokens_by_command() {
    let home = Home::with(CONFIGURED);
    let run = |line: &str| with_password(&home, line, "correct horse battery staple");
    assert_snapshot!(said(&run("tokens list")), @"");
    let made = run("tokens add 'monthly export' --owner rescue --scope read --expires 12w");
    let secret = made.stdout.trim();
    assert!(secret.starts_with("ocb_") && secret.len() == 68, "{secret}");
    assert_snapshot!(made.stderr, @"");
    assert_snapshot!(said(&run("tokens add nightly --owner nobody --scope read")), @"");
    assert_snapshot!(said(&run("tokens add nightly --owner rescue --scope write")), @"");
    assert_snapshot!(said(&run("tokens add nightly --owner rescue --scope read --expires 2y")), @"");
    run("tokens add 'for a day' --owner rescue --scope admin --expires 1d");
    assert_snapshot!(said(&run("tokens revoke 1")), @"");
    assert_snapshot!(said(&run("tokens list")), @"");
    let machine = home.ok("tokens list --json");
    assert!(!machine.contains(secret) && !machine.contains("sha256"), "{machine}");
    assert!(!home.ok("audit export").contains(secret));
}
