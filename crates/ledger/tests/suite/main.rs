//! One suite for both engines: SQLite always, PostgreSQL when `FOCUS_BILLING_TEST_POSTGRES` holds a URL.

mod engines;
mod imports;
