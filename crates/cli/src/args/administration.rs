//! `users`, `audit`, `config`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::values::{pi_email, words};
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
    },
    /// List accounts
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
    /// Give an account a new password; it is asked for
    #[command(after_help = "Example:\n  focus-billing users reset maria")]
    Reset(UserName),
}

#[derive(Debug, Args)]
pub struct UserName {
    #[arg(value_name = "NAME", value_parser = words)]
    pub name: String,
}

#[derive(Debug, Subcommand)]
pub enum AuditCommand {
    /// List what was done, the latest last
    #[command(after_help = "Example:\n  focus-billing audit list --limit 20")]
    List {
        /// How many at most, from the end [default: 100 in a table, all as JSON]
        #[arg(long, value_name = "COUNT")]
        limit: Option<usize>,
    },
    /// Prove that no entry was edited, inserted or removed
    #[command(after_help = "Example:\n  focus-billing audit verify")]
    Verify,
}

#[derive(Debug, Subcommand)]
pub enum ConfigCommand {
    /// Write a commented configuration file to start from
    #[command(after_help = "Example:\n  focus-billing config init config.yaml")]
    Init(InitArgs),
    /// Name every problem of the configuration with its line
    #[command(after_help = "Example:\n  focus-billing config check --config sample_data/config.yaml")]
    Check,
    /// Print the effective values; secrets are hidden
    #[command(after_help = "Example:\n  focus-billing config show --config sample_data/config.yaml")]
    Show,
}

#[derive(Debug, Args)]
pub struct InitArgs {
    /// The new file; an existing one is never overwritten
    #[arg(value_name = "FILE", default_value = "config.yaml")]
    pub file: PathBuf,
}
