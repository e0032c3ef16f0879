//! `users`, `tokens`.

use clap::{Args, Subcommand};
use ledger::Scope;

use super::values::{days, pi_email, words};
use crate::config::Role;

#[derive(Debug, Subcommand)]
pub enum UserCommand {
    /// Make an account; the password is asked for
    #[command(
        after_help = "Example:\n  focus-billing users add maria --email maria@example.edu --role reviewer"
    )]
    Add {
        #[command(flatten)]
        user: UserName,
        /// E-mail address of the person
        #[arg(long, value_name = "EMAIL", value_parser = pi_email)]
        email: String,
        /// As pages show it [default: the name]
        #[arg(long, value_name = "NAME", value_parser = words)]
        display_name: Option<String>,
        /// What the account may do
        #[arg(long, value_enum, default_value_t = Role::Viewer)]
        role: Role,
        #[command(flatten)]
        keep: KeepPassword,
    },
    /// List accounts, those of the configuration too
    #[command(after_help = "Example:\n  focus-billing users list")]
    List,
    /// Change what an account may do
    #[command(after_help = "Example:\n  focus-billing users set-role maria admin")]
    SetRole {
        #[command(flatten)]
        user: UserName,
        #[arg(value_enum)]
        role: Role,
    },
    /// Change the address or the name that pages show
    #[command(after_help = "Example:\n  focus-billing users change maria --email maria.lopez@example.edu")]
    Change {
        #[command(flatten)]
        user: UserName,
        /// E-mail address of the person
        #[arg(long, value_name = "EMAIL", value_parser = pi_email, required_unless_present = "display_name")]
        email: Option<String>,
        /// As pages show it
        #[arg(long, value_name = "NAME", value_parser = words)]
        display_name: Option<String>,
    },
    /// Give an account a new password; it is asked for, and sessions end
    #[command(after_help = "Example:\n  focus-billing users reset maria")]
    Reset {
        #[command(flatten)]
        user: UserName,
        #[command(flatten)]
        keep: KeepPassword,
    },
    /// Remove an account: its sessions end, its tokens are revoked
    #[command(after_help = "Example:\n  focus-billing users remove maria")]
    Remove {
        #[command(flatten)]
        user: UserName,
        /// Do not ask
        #[arg(long, short)]
        yes: bool,
    },
    /// Who is signed in as an account, from where, since when
    #[command(after_help = "Example:\n  focus-billing users sessions maria")]
    Sessions(UserName),
    /// Sign an account out everywhere
    #[command(after_help = "Example:\n  focus-billing users sign-out maria")]
    SignOut(UserName),
    /// Take the second factor of an account away
    #[command(after_help = "Example:\n  focus-billing users totp-remove maria")]
    TotpRemove(UserName),
}

#[derive(Debug, Args)]
pub struct UserName {
    #[arg(value_name = "NAME", value_parser = words)]
    pub name: String,
}

#[derive(Clone, Copy, Debug, Args)]
pub struct KeepPassword {
    /// The person keeps this password, instead of being asked for their own after signing in
    #[arg(long)]
    pub keep_password: bool,
}

#[derive(Debug, Subcommand)]
pub enum TokenCommand {
    /// Make a token for a program; it is shown once
    #[command(
        after_help = "Example:\n  focus-billing tokens add \"monthly export\" --owner maria --scope read --expires 90d"
    )]
    Add(TokenAddArgs),
    /// List tokens
    #[command(after_help = "Example:\n  focus-billing tokens list")]
    List,
    /// End a token
    #[command(after_help = "Example:\n  focus-billing tokens revoke 3")]
    Revoke {
        /// Its number
        #[arg(value_name = "ID")]
        id: i64,
    },
}

#[derive(Debug, Args)]
pub struct TokenAddArgs {
    /// What it is for
    #[arg(value_name = "NAME", value_parser = words)]
    pub name: String,
    /// The account that the program acts for [default: who acts]
    #[arg(long, value_name = "USER", value_parser = words)]
    pub owner: Option<String>,
    /// What it may do at most: read, review or admin
    #[arg(long, value_name = "SCOPE")]
    pub scope: Scope,
    /// For how long: 90d, 12w
    #[arg(long, value_name = "TIME", value_parser = days, default_value = "90d")]
    pub expires: u32,
}
