//! Responses that are files: named, and streamed where they may be large.

use std::io::Read;

use axum::body::{Body, Bytes};
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_SECURITY_POLICY, CONTENT_TYPE, X_FRAME_OPTIONS};
use axum::response::{IntoResponse, Response};
use tokio_stream::wrappers::ReceiverStream;

use crate::App;

pub const CSV: &str = "text/csv; charset=utf-8";
pub const JSON: &str = "application/json";
pub const BYTES: &str = "application/octet-stream";
pub const PDF: &str = "application/pdf";

/// A file with this name.
#[must_use]
pub fn attachment(name: &str, kind: &'static str, body: impl Into<Body>) -> Response {
    let headers = [(CONTENT_TYPE, kind.to_owned()), (CONTENT_DISPOSITION, disposition(name))];
    (headers, body.into()).into_response()
}

/// The name in ASCII, and whole as RFC 6266 has it.
fn disposition(name: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_. ()".contains(c);
    let ascii: String = name.chars().map(|c| if plain(c) { c } else { '_' }).collect();
    let encoded = crate::form::encoded(name).replace('+', "%20");
    format!("attachment; filename=\"{ascii}\"; filename*=UTF-8''{encoded}")
}

/// A PDF that a page of ours shows in a frame, and nobody else's.
pub fn framed_pdf(bytes: Vec<u8>) -> Response {
    framed(PDF, "default-src 'none'; frame-ancestors 'self'", bytes)
}

/// An HTML message in a frame of ours: it may style itself, and do nothing else.
pub fn framed_html(html: String) -> Response {
    const POLICY: &str =
        "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'self'";
    framed("text/html; charset=utf-8", POLICY, html)
}

fn framed(media_type: &'static str, policy: &'static str, body: impl Into<Body>) -> Response {
    let headers = [
        (CONTENT_TYPE, media_type),
        (CONTENT_DISPOSITION, "inline"),
        (CONTENT_SECURITY_POLICY, policy),
        (X_FRAME_OPTIONS, "SAMEORIGIN"),
    ];
    (headers, body.into()).into_response()
}

/// A file that is made while it is sent: `write` runs on a thread of its own, as fast as the reader takes it.
/// What goes wrong in the middle breaks the download off, so that nobody takes half of it for the whole.
pub fn streamed<E: std::fmt::Display>(
    name: &str,
    media_type: &'static str,
    write: impl FnOnce(&mut dyn std::io::Write) -> Result<(), E> + Send + 'static,
) -> Response {
    let (sender, receiver) = tokio::sync::mpsc::channel::<std::io::Result<Bytes>>(4);
    tokio::task::spawn_blocking(move || {
        let mut pipe = std::io::BufWriter::with_capacity(64 << 10, Pipe(sender.clone()));
        let written = write(&mut pipe).map_err(|error| error.to_string());
        let written =
            written.and_then(|()| std::io::Write::flush(&mut pipe).map_err(|error| error.to_string()));
        if let Err(error) = written {
            tracing::error!(error, "a download broke off");
            let _ = sender.blocking_send(Err(std::io::Error::other(error)));
        }
    });
    attachment(name, media_type, Body::from_stream(ReceiverStream::new(receiver)))
}

struct Pipe(tokio::sync::mpsc::Sender<std::io::Result<Bytes>>);

impl std::io::Write for Pipe {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let gone = |_| std::io::Error::from(std::io::ErrorKind::BrokenPipe);
        self.0.blocking_send(Ok(Bytes::copy_from_slice(bytes))).map_err(gone)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// `12 KB`, for people.
#[must_use]
pub fn size(bytes: &u64) -> String {
    match *bytes {
        0..1_000 => format!("{bytes} B"),
        1_000..1_000_000 => format!("{} KB", bytes.div_ceil(1_000)),
        _ => format!("{}.{} MB", bytes / 1_000_000, bytes % 1_000_000 / 100_000),
    }
}

const CHUNK_BYTES: usize = 256 << 10;
/// So many chunks wait for a slow reader.
const WAITING: usize = 4;

/// What a reader holds, read as fast as it is taken.
pub fn read_out(app: &App, mut reader: impl Read + Send + 'static) -> Body {
    let (sender, receiver) = tokio::sync::mpsc::channel::<std::io::Result<Bytes>>(WAITING);
    app.work.spawn_blocking(move || {
        loop {
            let mut chunk = vec![0; CHUNK_BYTES];
            let next = match reader.read(&mut chunk) {
                Ok(0) => return,
                Ok(length) => {
                    chunk.truncate(length);
                    Ok(Bytes::from(chunk))
                }
                Err(error) => Err(error),
            };
            let is_last = next.is_err();
            // Whoever asked may have left.
            if sender.blocking_send(next).is_err() || is_last {
                return;
            }
        }
    });
    Body::from_stream(ReceiverStream::new(receiver))
}

#[cfg(test)]
mod tests {
    use super::disposition;

    #[test]
    fn a_name_cannot_leave_its_quotes() {
        assert_eq!(
            disposition("a\"b\r\nc;ü.csv"),
            "attachment; filename=\"a_b__c__.csv\"; filename*=UTF-8''a%22b%0D%0Ac%3B%C3%BC.csv"
        );
    }
}
