//! `people`.

use billing::people::PersonId;
use clap::{Args, Subcommand};
use jiff::civil::Date;

use super::attribution::SureArgs;
use super::values::{pi, pi_email, words};

#[derive(Debug, Subcommand)]
pub enum PeopleCommand {
    /// List people with their current addresses
    #[command(after_help = "Example:\n  focus-billing people list")]
    List,
    /// One person with all addresses
    #[command(
        after_help = "Examples:\n  focus-billing people show P-12\n  focus-billing people show ada@example.edu"
    )]
    Show {
        /// Number or any address
        #[arg(value_name = "PERSON", value_parser = pi)]
        person: String,
    },
    /// Write somebody down, after showing what that would change
    #[command(
        after_help = "Example:\n  focus-billing people add \"Ada Lovelace\" ada@example.edu --also a.lovelace@old.example.edu"
    )]
    Add(PeopleAddArgs),
    /// Give a person a new address, which is current then
    #[command(
        after_help = "Examples:\n  focus-billing people address P-12 ada@new.example.edu\n  focus-billing people address P-12 ada@new.example.edu --from 2025-07-01"
    )]
    Address(PeopleAddressArgs),
    /// Make one of two people who are the same
    #[command(after_help = "Example:\n  focus-billing people merge P-14 --into P-12")]
    Merge(PeopleMergeArgs),
}

#[derive(Debug, Args)]
pub struct PeopleAddArgs {
    /// Name
    #[arg(value_name = "NAME", value_parser = words)]
    pub name: String,
    /// Current e-mail address
    #[arg(value_name = "EMAIL", value_parser = pi_email)]
    pub address: String,
    /// Another of their addresses; may be given again
    #[arg(long, value_name = "EMAIL", value_parser = pi_email)]
    pub also: Vec<String>,
    /// Why, for the audit trail
    #[arg(long, value_name = "WORDS", value_parser = words)]
    pub note: Option<String>,
    #[command(flatten)]
    pub sure: SureArgs,
}

#[derive(Debug, Args)]
pub struct PeopleAddressArgs {
    /// Number of the person
    #[arg(value_name = "PERSON")]
    pub person: PersonId,
    /// The new e-mail address
    #[arg(value_name = "EMAIL", value_parser = pi_email)]
    pub address: String,
    /// Only for charges from the first of this day's month on
    #[arg(long, value_name = "YYYY-MM-DD")]
    pub from: Option<Date>,
    /// Why, for the audit trail
    #[arg(long, value_name = "WORDS", value_parser = words)]
    pub note: Option<String>,
    #[command(flatten)]
    pub sure: SureArgs,
}

#[derive(Debug, Args)]
pub struct PeopleMergeArgs {
    /// Number of the person who goes
    #[arg(value_name = "PERSON")]
    pub person: PersonId,
    /// Number of the person who stays, with the current address
    #[arg(long, value_name = "PERSON")]
    pub into: PersonId,
    /// Why, for the audit trail
    #[arg(long, value_name = "WORDS", value_parser = words)]
    pub note: Option<String>,
    #[command(flatten)]
    pub sure: SureArgs,
}
