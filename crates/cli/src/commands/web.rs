//! `web`: pages and the API, until told to end.

use std::sync::Arc;
use std::time::Duration;

use workflow::accounts::set_up_token;

use super::{Door, accounts_of_web, door};
use crate::args::WebArgs;
use crate::logging;
use crate::output::Refusal;

pub async fn run(args: WebArgs, door: &Door) -> Result<(), Refusal> {
    let config = &door.config.web;
    let accounts = accounts_of_web(&door.config)?;
    logging::begin(&door.config.logging, door::now)?;
    let installation = Arc::new(door.installation().await?);
    let set_up = set_up_token(&installation, &accounts, door.stamp().at).await?;
    let settings = web::Settings {
        host: args.host.unwrap_or_else(|| config.host.clone()),
        port: args.port.unwrap_or(config.port),
        tls: config
            .tls
            .as_ref()
            .map(|tls| web::Tls { certificate: tls.certificate.clone(), key: tls.key.clone() }),
        trusted_proxies: config.trusted_proxy.clone(),
        accounts,
        upload_limit_bytes: u64::from(config.upload_limit_mb) << 20,
        unpacked_limit_bytes: u64::from(config.unpacked_limit_mb) << 20,
        head_within: Duration::from_secs(config.head_seconds.into()),
        body_goes_on_within: Duration::from_secs(config.body_seconds.into()),
        configuration: web::Configuration {
            file: door.config.file.clone(),
            effective: door.config.to_json(),
            ledger: door.config.database_shown(),
        },
        clock: door::now,
        version: env!("CARGO_PKG_VERSION"),
    };
    let output = door.output;
    let ready = |at: &str| {
        output.message(&format!("OpenChargeback is at {at}"));
        if let Some(token) = set_up {
            output.message("nobody has an account yet; this link makes the first, once, within a day:");
            output.message(&format!("  {at}/set-up/{token}"));
        }
        output.hint("Ctrl C ends it");
    };
    Ok(web::serve(installation, settings, ready, ended()).await?)
}

/// Told to end by a terminal or by a service manager.
async fn ended() {
    let interrupted = tokio::signal::ctrl_c();
    #[cfg(unix)]
    {
        let terminated = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate());
        if let Ok(mut terminated) = terminated {
            tokio::select! { _ = interrupted => {}, _ = terminated.recv() => {} }
            return;
        }
    }
    let _ = interrupted.await;
}
