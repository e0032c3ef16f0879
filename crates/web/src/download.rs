//! Responses that are files: named, and streamed where they may be large.

use std::io::{BufWriter, Read, Write};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use axum::body::Body;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_SECURITY_POLICY, CONTENT_TYPE, X_FRAME_OPTIONS};
use axum::response::{IntoResponse, Response};
use billing::Period;
use futures::stream::unfold;
use lake::Filter;
use workflow::listing::{self, ExportFormat};
use workflow::statements::{BundledFile, write_bundle};

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

/// The name in ASCII, and whole as RFC 6266 has it where it is more.
fn disposition(name: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_. ()".contains(c);
    let ascii: String = name.chars().map(|c| if plain(c) { c } else { '_' }).collect();
    if ascii == name {
        return format!("attachment; filename=\"{ascii}\"");
    }
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

/// A file that is made while it is sent.
pub fn streamed<E: std::fmt::Display>(
    name: &str,
    media_type: &'static str,
    write: impl FnOnce(&mut (dyn Write + Send)) -> Result<(), E> + Send + 'static,
) -> Response {
    attachment(name, media_type, written(write))
}

/// What a reader holds, read as fast as it is taken.
pub fn read_out(mut reader: impl Read + Send + 'static) -> Body {
    written(move |out| std::io::copy(&mut reader, out).map(drop))
}

type Piece = std::io::Result<Vec<u8>>;

const PIECE_BYTES: usize = 256 << 10;
/// So many pieces wait for a slow reader.
const WAITING: usize = 4;

/// `write` runs on a thread of its own, as fast as the reader takes it. What goes wrong in the middle breaks the
/// download off, so that nobody takes half of it for the whole.
fn written<E: std::fmt::Display>(
    write: impl FnOnce(&mut (dyn Write + Send)) -> Result<(), E> + Send + 'static,
) -> Body {
    let (sender, receiver) = sync_channel::<Piece>(WAITING);
    tokio::task::spawn_blocking(move || {
        let mut pipe = BufWriter::with_capacity(PIECE_BYTES, Pipe(sender.clone()));
        let done = write(&mut pipe).map_err(|error| error.to_string());
        let done = done.and_then(|()| pipe.flush().map_err(|error| error.to_string()));
        if let Err(error) = done {
            tracing::warn!(error, "a download broke off");
            let _ = sender.send(Err(std::io::Error::other(error)));
        }
    });
    Body::from_stream(pieces(receiver))
}

fn pieces(receiver: Receiver<Piece>) -> impl futures::Stream<Item = Piece> {
    unfold(receiver, |receiver| async {
        let next = tokio::task::spawn_blocking(move || receiver.recv().ok().map(|piece| (piece, receiver)));
        next.await.ok().flatten()
    })
}

/// A channel of the standard library, since what writes may itself wait for a future.
struct Pipe(SyncSender<Piece>);

impl Write for Pipe {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let gone = |_| std::io::Error::from(std::io::ErrorKind::BrokenPipe);
        self.0.send(Ok(bytes.to_vec())).map_err(gone)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Charges as they are read, so that memory does not grow with their number.
#[must_use]
pub fn charges(app: &App, filter: Filter, format: ExportFormat, name: &str) -> Response {
    let (ending, kind) = match format {
        ExportFormat::Csv => ("csv", CSV),
        ExportFormat::Parquet => ("parquet", "application/vnd.apache.parquet"),
    };
    let (work, installation) = (app.work.clone(), Arc::clone(&app.installation));
    streamed(&format!("{name}.{ending}"), kind, move |out| {
        work.block_on(listing::export(&installation, &filter, format, out)).map(drop)
    })
}

/// The documents of a period's statements in one ZIP file.
#[must_use]
pub fn statements(files: Vec<BundledFile>, period: Period) -> Response {
    let name = format!("statements_{period}.zip");
    streamed(&name, "application/zip", move |out| write_bundle(&files, out))
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
