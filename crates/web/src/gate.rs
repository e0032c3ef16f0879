//! What every request passes, whatever its route: who asks, what the log and the metrics keep of it, the
//! headers that browsers are told, and the page of an error.

use std::time::Instant;

use axum::Extension;
use axum::extract::{MatchedPath, Request, State};
use axum::http::StatusCode;
use axum::http::header::{AUTHORIZATION, CACHE_CONTROL, HeaderName, HeaderValue, USER_AGENT};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use std::net::{IpAddr, SocketAddr};
use workflow::accounts::{self, SessionToken};

use crate::access::Caller;
use crate::error::PageError;
use crate::flash::{self, Notice};
use crate::frame::show_error;
use crate::unsent::Unsent;
use crate::{App, cookies};

/// A request's number in the log and on its error page.
#[derive(Clone, Debug)]
pub struct RequestId(pub String);

/// Where a request comes from, behind a proxy that is trusted or not.
#[derive(Clone, Copy, Debug)]
pub struct Address(pub IpAddr);

pub const SESSION: &str = "session";

/// The outermost layer: a number, a clock, a line in the log, headers.
pub async fn enter(State(app): State<App>, mut request: Request, next: Next) -> Response {
    let begun = Instant::now();
    let id = RequestId(hex::encode(random::<8>()));
    let address = address(&app, &request);
    let method = request.method().clone();
    let path = request.uri().path().to_owned();
    request.extensions_mut().insert(id.clone());
    request.extensions_mut().insert(Address(address));
    let mut response = next.run(request).await;
    let took = begun.elapsed();
    let route =
        response.extensions().get::<MatchedRoute>().map_or("none", |route| route.0.as_str()).to_owned();
    app.metrics.answered(&route, response.status().as_u16(), took);
    let by = response.extensions().get::<Caller>().map_or("-", |caller| caller.name.as_str());
    let (status, took_ms) = (response.status().as_u16(), took.as_millis());
    tracing::info!(request = %id.0, %method, path, status, took_ms, by, from = %address, "request");
    headers(&app, &mut response, &id);
    response
}

#[derive(Clone)]
struct MatchedRoute(String);

/// Inside [`enter`]: who asks; then the handler, on the runtime for work; then the page of an error.
pub async fn serve(State(app): State<App>, request: Request, next: Next) -> Response {
    if is_light(request.uri().path()) {
        return remember_route(request, next).await;
    }
    let work = app.work.clone();
    let worked = work.spawn(async move { with_caller(app, request, next).await }).await;
    worked.unwrap_or_else(|error| {
        tracing::error!(error = %error, "a request broke off");
        StatusCode::INTERNAL_SERVER_ERROR.into_response()
    })
}

/// Answered at once, whatever else goes on.
fn is_light(path: &str) -> bool {
    path == "/health" || path == "/metrics" || path.starts_with("/assets/")
}

async fn remember_route(request: Request, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>().map(|path| MatchedRoute(path.as_str().to_owned()));
    let mut response = next.run(request).await;
    if let Some(route) = route {
        response.extensions_mut().insert(route);
    }
    response
}

async fn with_caller(app: App, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    let secure = app.settings.is_secure();
    let request_id = parts.extensions.get::<RequestId>().map(|id| id.0.clone()).unwrap_or_default();
    let key = match app.settings.accounts.secret_key.derived("notices") {
        Ok(key) => key,
        Err(error) => return show_error(&app, parts, error.into(), &request_id, None).await,
    };
    let said = flash::open(&parts.headers, &key, secure);
    if let Some(notice) = &said {
        parts.extensions.insert::<Notice>(notice.clone());
    }
    let caller = match caller(&app, &parts).await {
        Ok(caller) => caller,
        Err(error) => return show_error(&app, parts, error, &request_id, None).await,
    };
    if let Some(caller) = &caller {
        parts.extensions.insert(caller.clone());
    }
    let mut response = remember_route(Request::from_parts(parts.clone(), body), next).await;
    if let Some(error) = refused_by_extractor(&mut response).await {
        response.extensions_mut().insert(error);
    }
    if let Some(error) = response.extensions_mut().remove::<PageError>() {
        let route = response.extensions().get::<MatchedRoute>().cloned();
        let unsent = response.extensions_mut().remove::<Unsent>();
        response = show_error(&app, parts, error, &request_id, unsent).await;
        if let Some(route) = route {
            response.extensions_mut().insert(route);
        }
    }
    if said.is_some()
        && response
            .headers()
            .get("content-type")
            .is_some_and(|kind| kind.as_bytes().starts_with(b"text/html"))
    {
        flash::forget(&mut response, secure);
    }
    flash::seal(&mut response, &key, secure);
    if let Some(caller) = caller {
        response.extensions_mut().insert(caller);
    }
    response
}

/// What the framework answers to a path or a body that it cannot read is a line of text: it gets a page, too.
async fn refused_by_extractor(response: &mut Response) -> Option<PageError> {
    let is_text =
        response.headers().get("content-type").is_some_and(|kind| kind.as_bytes().starts_with(b"text/plain"));
    if !response.status().is_client_error() || !is_text || response.extensions().get::<PageError>().is_some()
    {
        return None;
    }
    let status = response.status();
    let body = std::mem::take(response.body_mut());
    let bytes = axum::body::to_bytes(body, 64 << 10).await.unwrap_or_default();
    tracing::info!(words = %String::from_utf8_lossy(&bytes), "a request was not understood");
    let refusal = workflow::Refusal::new(match status {
        StatusCode::PAYLOAD_TOO_LARGE => "more was sent than is taken",
        _ => "a part of this address, or of what was sent, is not what it should be",
    });
    Some(PageError::refused(status, refusal))
}

/// The person of a session or the program of a token; `None` for a visitor.
async fn caller(app: &App, parts: &axum::http::request::Parts) -> Result<Option<Caller>, PageError> {
    let at = app.now();
    if let Some(given) = parts.headers.get(AUTHORIZATION) {
        let secret = given.to_str().ok().and_then(|text| text.strip_prefix("Bearer "));
        let Some(secret) = secret.filter(|_| parts.uri.path().starts_with("/api/")) else {
            return Err(PageError::signed_out());
        };
        let user = accounts::token_user(&app.installation, &app.settings.accounts, secret.trim(), at).await?;
        let user = user.ok_or_else(PageError::signed_out)?;
        return Ok(Some(Caller {
            display_name: user.name.clone(),
            name: user.name,
            role: user.role,
            session: None,
            at,
        }));
    }
    let name = cookies::name(SESSION, app.settings.is_secure());
    let Some(token) = cookies::read(&parts.headers, &name).and_then(SessionToken::parse) else {
        return Ok(None);
    };
    let session = accounts::session(&app.installation, &app.settings.accounts, &token, at).await?;
    Ok(session.map(|session| Caller::of(session, at)))
}

/// What a browser says it is, cut to what is worth keeping.
#[must_use]
pub fn user_agent(parts: &axum::http::HeaderMap) -> String {
    let text = parts.get(USER_AGENT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    text.chars().take(200).collect()
}

/// The peer, or what a trusted proxy says in the last entry of `X-Forwarded-For`.
fn address(app: &App, request: &Request) -> IpAddr {
    let peer = request
        .extensions()
        .get::<axum::extract::ConnectInfo<SocketAddr>>()
        .map_or(IpAddr::from([127, 0, 0, 1]), |info| info.0.ip());
    if !app.settings.trusted_proxies.contains(&peer) {
        return peer;
    }
    let forwarded = request.headers().get("x-forwarded-for").and_then(|value| value.to_str().ok());
    forwarded.and_then(|list| list.rsplit(',').next()?.trim().parse().ok()).unwrap_or(peer)
}

/// Nothing from elsewhere, nothing inline, in nobody's frame (ASVS 5.0, 3.4).
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
    font-src 'self'; connect-src 'self'; frame-src 'self'; form-action 'self'; manifest-src 'self'; \
    base-uri 'none'; frame-ancestors 'none'; object-src 'none'";

fn headers(app: &App, response: &mut Response, id: &RequestId) {
    let headers = response.headers_mut();
    let mut set = |name: &'static str, value: &'static str| {
        headers.entry(HeaderName::from_static(name)).or_insert(HeaderValue::from_static(value));
    };
    set("content-security-policy", POLICY);
    set("x-content-type-options", "nosniff");
    set("x-frame-options", "DENY");
    set("referrer-policy", "same-origin");
    set("cross-origin-opener-policy", "same-origin");
    set("cross-origin-resource-policy", "same-origin");
    set("permissions-policy", "camera=(), microphone=(), geolocation=(), payment=(), usb=()");
    if app.settings.is_secure() {
        set("strict-transport-security", "max-age=31536000; includeSubDomains");
    }
    // A page of a signed-in person is nobody else's, also after signing out.
    headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    if let Ok(id) = HeaderValue::from_str(&id.0) {
        headers.insert("x-request-id", id);
    }
}

/// Bytes that nobody can foresee.
#[must_use]
pub fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    // Without the system's randomness nothing here is safe; the process ends rather than guess.
    getrandom::fill(&mut bytes).expect("the system gives random bytes");
    bytes
}

/// For handlers that need the address alone.
pub type From = Extension<Address>;
