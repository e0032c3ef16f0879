//! The address we listen at, and the router with everything around it.

use std::net::{SocketAddr, ToSocketAddrs as _};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::middleware::from_fn_with_state;
use axum_server::tls_rustls::RustlsConfig;
use hyper_util::rt::TokioTimer;
use tower_http::compression::CompressionLayer;
use tower_http::compression::predicate::{DefaultPredicate, NotForContentType, Predicate as _};
use tower_http::timeout::RequestBodyTimeoutLayer;
use workflow::{Installation, Refusal};

use crate::error::PageError;
use crate::settings::Settings;
use crate::{App, gate};

/// Serve until told to end; requests under way are finished first.
///
/// # Errors
/// An address that is refused or taken, a certificate that cannot be read.
pub async fn serve(
    installation: Arc<Installation>,
    settings: Settings,
    ready: impl FnOnce(&str),
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> Result<(), Refusal> {
    let address = address(&settings)?;
    let work = worker()?;
    let app = App::new(installation, settings, work.handle().clone());
    let make = router(app.clone()).into_make_service_with_connect_info::<SocketAddr>();
    let listener = std::net::TcpListener::bind(address).map_err(|error| taken(address, &error))?;
    listener.set_nonblocking(true).map_err(|error| taken(address, &error))?;
    let at = listener.local_addr().map_err(|error| taken(address, &error))?;
    work.spawn(sweep_uploads(app.clone()));
    let handle = axum_server::Handle::new();
    tokio::spawn({
        let handle = handle.clone();
        async move {
            shutdown.await;
            handle.graceful_shutdown(Some(Duration::from_secs(10)));
        }
    });
    let head_within = app.settings.head_within;
    let served = if let Some(tls) = &app.settings.tls {
        // Fails only when another part of the program has chosen already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let config = RustlsConfig::from_pem_file(&tls.certificate, &tls.key).await.map_err(|error| {
            Refusal::new(format!("cannot use the certificate `{}`: {error}", tls.certificate.display()))
                .hint("web.tls names a certificate chain and its key, both PEM")
        })?;
        ready(&format!("https://{at}"));
        let server = axum_server::from_tcp_rustls(listener, config);
        let mut server = server.map_err(|error| taken(address, &error))?.handle(handle);
        server.http_builder().http1().timer(TokioTimer::new()).header_read_timeout(head_within);
        server.serve(make).await
    } else {
        ready(&format!("http://{at}"));
        let server = axum_server::from_tcp(listener);
        let mut server = server.map_err(|error| taken(address, &error))?.handle(handle);
        server.http_builder().http1().timer(TokioTimer::new()).header_read_timeout(head_within);
        server.serve(make).await
    };
    work.shutdown_background();
    served.map_err(|error| Refusal::new(format!("the web server ended: {error}")))
}

/// Where pages and jobs are worked on: apart from the threads that accept and answer.
///
/// # Errors
/// A system without threads to give.
pub fn worker() -> Result<tokio::runtime::Runtime, Refusal> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(std::thread::available_parallelism().map_or(2, usize::from).max(2) * 2)
        .thread_name("web-work")
        .enable_all()
        .build()
        .map_err(|error| Refusal::new(format!("cannot start threads: {error}")))
}

/// Uploads that nobody kept are removed when a day old.
async fn sweep_uploads(app: App) {
    let mut hourly = tokio::time::interval(Duration::from_hours(1));
    loop {
        hourly.tick().await;
        app.uploads.sweep(app.now());
    }
}

/// Only this machine may connect without TLS, unless a proxy that is named stands before us.
fn address(settings: &Settings) -> Result<SocketAddr, Refusal> {
    let host = settings.host.trim_start_matches('[').trim_end_matches(']');
    let address = (host, settings.port).to_socket_addrs().ok().and_then(|mut found| found.next());
    let address = address
        .ok_or_else(|| Refusal::new(format!("web.host: `{host}` is not an address of this machine")))?;
    if address.ip().is_loopback() || settings.is_secure() {
        return Ok(address);
    }
    Err(Refusal::new(format!(
        "web.host: {} can be reached by others, and passwords would travel readable",
        address.ip()
    ))
    .hint("name a certificate and its key in `web.tls`")
    .hint("or the proxy that TLS ends at in `web.trusted_proxy`, and let only it connect")
    .hint("or keep `web.host: 127.0.0.1` and reach it through a tunnel"))
}

fn taken(address: SocketAddr, error: &std::io::Error) -> Refusal {
    Refusal::new(format!("cannot listen at {address}: {error}"))
        .hint("another program may have the port; choose one with `--port`")
}

/// Everything between a connection and a handler.
pub fn router(app: App) -> Router {
    let (_, router) = crate::routes().build();
    router
        .fallback(async || PageError::not_found("there is no such page"))
        .method_not_allowed_fallback(async || {
            PageError::refused(
                axum::http::StatusCode::METHOD_NOT_ALLOWED,
                Refusal::new("this address does not take such a request"),
            )
        })
        .layer(from_fn_with_state(app.clone(), gate::serve))
        // Documents are compressed as they are.
        .layer(
            CompressionLayer::new().compress_when(
                DefaultPredicate::new()
                    .and(NotForContentType::const_new("application/zip"))
                    .and(NotForContentType::const_new("application/pdf")),
            ),
        )
        .layer(from_fn_with_state(app.clone(), gate::enter))
        .layer(RequestBodyTimeoutLayer::new(app.settings.body_goes_on_within))
        .with_state(app)
}
