//! What is neither a page nor an act: health, metrics, assets, the look of pages.

use axum::extract::State;
use axum::http::header::{CONTENT_TYPE, SET_COOKIE};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

use crate::access::Access;
use crate::flash::Next;
use crate::form::{Form, own};
use crate::frame::Theme;
use crate::routes::Routes;
use crate::{App, assets, cookies};

pub fn routes() -> Routes {
    Routes::default()
        .page("/health", Access::Public, health)
        .page("/metrics", Access::Public, metrics)
        .page("/assets/{digest}/{name}", Access::Public, assets::asset)
        .form("/theme", Access::Public, theme)
}

/// Says that we answer, and nothing about us.
async fn health() -> &'static str {
    "ok\n"
}

/// For the monitoring of this machine or of the proxy before us: others are not told.
async fn metrics(
    State(app): State<App>,
    axum::Extension(address): axum::Extension<crate::gate::Address>,
) -> Response {
    if !address.0.is_loopback() && !app.settings.trusted_proxies.contains(&address.0) {
        return crate::PageError::not_found("there is no such page").into_response();
    }
    ([(CONTENT_TYPE, "text/plain; version=0.0.4")], app.metrics.text(app.jobs.running())).into_response()
}

#[derive(Deserialize)]
struct Chosen {
    theme: String,
    #[serde(default)]
    back: String,
}

/// A year from now browsers forget it.
const YEAR_SECONDS: u64 = 31_536_000;

async fn theme(State(app): State<App>, Form(chosen): Form<Chosen>) -> Response {
    let name = Theme::named(&chosen.theme).name();
    let mut response = Next::page(own(&chosen.back)).into_response();
    if let Some(cookie) = cookies::write("theme", name, Some(YEAR_SECONDS), app.settings.is_secure()) {
        response.headers_mut().append(SET_COOKIE, cookie);
    }
    response
}
