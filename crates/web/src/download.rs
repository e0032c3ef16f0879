//! Files for people to keep: named, never shown in the page, and streamed where they may be large.

use std::io::Read;

use axum::body::{Body, Bytes};
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};

use crate::App;

pub const CSV: &str = "text/csv; charset=utf-8";
pub const BYTES: &str = "application/octet-stream";

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

const CHUNK_BYTES: usize = 256 << 10;
/// So many chunks wait for a slow reader.
const WAITING: usize = 4;

/// What a reader holds, read as fast as it is taken.
#[must_use]
pub fn streamed(app: &App, mut reader: impl Read + Send + 'static) -> Body {
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
    Body::from_stream(tokio_stream::wrappers::ReceiverStream::new(receiver))
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
