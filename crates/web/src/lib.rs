//! The web interface: pages for people and an API for programs, from one binary. Like the command line it
//! is a door: acts are in `workflow`, rules in `billing`, and no page holds one.
//!
//! Start with [`mod@routes`] (the list of routes and who may use them) and [`pages`] (one file a subject, with
//! templates of the same name). A request passes [`server`] (address, limits), [`gate`] (who asks, what is
//! logged, headers), [`access`] (may they?), and reaches a handler that fetches, calls an act and returns a
//! page. [`jobs`] do what takes longer than a request may.

pub mod access;
pub mod api;
mod app;
mod assets;
pub mod change;
pub mod chart;
mod cookies;
pub mod download;
pub mod error;
pub mod flash;
pub mod form;
pub mod frame;
pub mod gate;
pub mod jobs;
mod metrics;
pub mod pager;
pub mod pages;
mod qr;
pub mod routes;
pub mod server;
mod settings;
mod unsent;
pub mod upload;

pub use app::App;
pub use error::{PageError, PageResult};
pub use routes::Listed;
pub use server::serve;
pub use settings::{Clock, Configuration, Settings, Tls};

/// Every route of the program.
#[must_use]
pub fn routes() -> routes::Routes {
    pages::routes().and(api::routes())
}

/// The address of the icons, for templates.
#[must_use]
pub fn icons() -> String {
    assets::address("icons.svg")
}
