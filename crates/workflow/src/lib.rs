//! The acts: one file for each thing that a person can do. An act loads, lets a rule of `billing`
//! decide, and records; both doors, the command line and the web, call it. Start with
//! [`installation`] (what an act works on), then [`import`], [`charges`] (charges with their
//! decisions, the one view everything else reads) and [`generate`].

pub mod accounts;
pub mod attribution;
pub mod audit;
pub mod backup;
pub mod charges;
pub mod connectors;
pub mod credits;
pub mod drafts;
pub mod emails;
pub mod funding;
pub mod generate;
pub mod given;
pub mod import;
pub mod import_config;
pub mod imports;
pub mod installation;
pub mod journal;
pub mod journals;
pub mod kept;
pub mod ledger_copy;
pub mod listing;
pub mod overview;
pub mod patterns;
pub mod payers;
pub mod people;
pub mod periods;
pub mod projects;
pub mod prune;
pub mod rates;
pub mod reading;
pub mod refusal;
pub mod render;
pub mod report;
pub mod review;
mod rules;
pub mod send;
pub mod send_again;
pub mod shapes;
pub mod sources;
pub mod splits;
pub mod statements;
pub mod story;
pub mod subsidies;
pub mod unusual;
mod usage;
pub mod verify;
pub mod why;

pub use installation::{Actor, Installation};
pub use refusal::{Refusal, WorkflowError};
