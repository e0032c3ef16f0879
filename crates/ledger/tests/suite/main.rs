//! One suite for both engines: SQLite always, PostgreSQL when `FOCUS_BILLING_TEST_POSTGRES` holds a URL.

#![expect(clippy::unwrap_used, reason = "what a test takes for granted fails it")]

mod audit;
mod copies;
mod decisions;
mod emails;
mod engines;
mod imports;
mod journals;
mod opening;
mod periods;
mod sessions;
mod statements;
mod upgrades;
mod users;
mod writers;
