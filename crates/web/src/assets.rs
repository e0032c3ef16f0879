//! Style, scripts and icons, compiled in. Their addresses carry their digest, so browsers keep them for
//! good and a new version is fetched at once.

use std::sync::LazyLock;

use axum::extract::Path;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use sha2::{Digest as _, Sha256};

use crate::error::PageError;

struct Asset {
    name: &'static str,
    kind: &'static str,
    bytes: &'static [u8],
    digest: String,
}

const CSS: &str = "text/css; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";
const SVG: &str = "image/svg+xml";

static ASSETS: LazyLock<Vec<Asset>> = LazyLock::new(|| {
    let files: [(&str, &str, &[u8]); 5] = [
        ("app.css", CSS, include_bytes!("../assets/app.css")),
        ("app.js", SCRIPT, include_bytes!("../assets/app.js")),
        ("htmx.min.js", SCRIPT, include_bytes!("../assets/htmx.min.js")),
        ("icons.svg", SVG, include_bytes!("../assets/icons.svg")),
        ("favicon.svg", SVG, include_bytes!("../assets/favicon.svg")),
    ];
    let asset = |(name, kind, bytes): (&'static str, &'static str, &'static [u8])| {
        let digest = hex::encode(&Sha256::digest(bytes)[..6]);
        Asset { name, kind, bytes, digest }
    };
    files.map(asset).into()
});

/// The address of an asset.
#[must_use]
pub fn address(name: &str) -> String {
    let found = ASSETS.iter().find(|asset| asset.name == name);
    found.map_or_else(String::new, |asset| format!("/assets/{}/{}", asset.digest, asset.name))
}

/// `GET /assets/{digest}/{name}`: an old digest is answered with what is there now, and not kept.
///
/// # Errors
/// An unknown name.
pub async fn asset(Path((digest, name)): Path<(String, String)>) -> Result<Response, PageError> {
    let found = ASSETS.iter().find(|asset| asset.name == name);
    let asset = found.ok_or_else(|| PageError::not_found("there is no such file"))?;
    let keep = if asset.digest == digest { "public, max-age=31536000, immutable" } else { "no-cache" };
    Ok(([(CONTENT_TYPE, asset.kind), (CACHE_CONTROL, keep)], asset.bytes).into_response())
}
