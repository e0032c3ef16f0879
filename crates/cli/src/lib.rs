//! The command line of OpenChargeback.
pub mod config;
