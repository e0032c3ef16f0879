//! Pages, as visitors see them over the wire; `browser.rs` looks at them in Chromium.

#[path = "web/review.rs"]
mod review;
#[path = "web/roles.rs"]
mod roles;
#[path = "web/safety.rs"]
mod safety;
#[path = "support/mod.rs"]
mod support;
