//! Pages, as visitors see them over the wire; `browser.rs` looks at them in Chromium.
#![expect(clippy::unwrap_used, reason = "a story that cannot be told is a failed test")]

#[path = "web/account.rs"]
mod account;
#[path = "web/api.rs"]
mod api;
#[path = "web/hostile.rs"]
mod hostile;
#[path = "web/imports.rs"]
mod imports;
#[path = "web/issuing.rs"]
mod issuing;
#[path = "web/review.rs"]
mod review;
#[path = "web/roles.rs"]
mod roles;
#[path = "web/rules.rs"]
mod rules;
#[path = "web/safety.rs"]
mod safety;
#[path = "web/settings.rs"]
mod settings;
#[path = "support/mod.rs"]
mod support;
#[path = "web/unsent.rs"]
mod unsent;
#[path = "web/wire.rs"]
mod wire;
