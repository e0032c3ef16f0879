//! The one reader of files that people and programs send, as a form or as the body itself. Deliveries are
//! streamed to the disk, into a folder of their own under names of ours; what is small stays in memory. What
//! somebody called a file is text that is shown, and reaches no file system.

use std::path::{Path, PathBuf};

use axum::body::{Body, Bytes};
use axum::extract::multipart::{Field, MultipartError};
use axum::extract::{FromRequest as _, Multipart, Request};
use axum::http::header::CONTENT_LENGTH;
use axum::http::{HeaderMap, StatusCode};
use futures::{Stream, StreamExt as _, TryStreamExt as _};
use tokio::io::AsyncWriteExt as _;
use workflow::Refusal;
use workflow::import::GivenFile;

use super::{make_folder, remove};
use crate::App;
use crate::access::{Caller, is_token};
use crate::error::{PageError, PageResult};
use crate::gate::random;

/// So many files at once; a delivery has rarely more than a handful.
const FILES_MAX: usize = 100;
/// What other uploads, the ledger and the lake keep for themselves.
const ROOM_LEFT_BYTES: u64 = 1 << 30;
/// How often the room is looked at while a file comes in.
const LOOK_EVERY_BYTES: u64 = 64 << 20;
/// Of all fields and files of a form that stays in memory: rules are small.
const SMALL_MAX_BYTES: u64 = 2 << 20;
const TOKEN_MAX_BYTES: u64 = 200;

/// The form that a request holds.
///
/// # Errors
/// A request that holds something else.
pub async fn form(request: Request) -> PageResult<Multipart> {
    let form = Multipart::from_request(request, &()).await;
    form.map_err(|_| PageError::bad_request("the upload is not a form with files"))
}

/// The first part is the token of a session; without it nothing else is read.
///
/// # Errors
/// A form of another session.
pub async fn prove(caller: &Caller, form: &mut Multipart) -> PageResult<()> {
    // Programs prove themselves by their own token.
    let Some(session) = &caller.session else { return Ok(()) };
    let field = form.next_field().await.map_err(broken)?;
    let Some(field) = field.filter(|field| field.name() == Some("csrf")) else {
        return Err(PageError::stale_form());
    };
    let mut count = Count { bytes: 0, limit: TOKEN_MAX_BYTES, too_large: |_| PageError::stale_form() };
    let given = in_memory(field, &mut count).await?;
    let is_ours = std::str::from_utf8(&given).is_ok_and(|given| is_token(session, given));
    if is_ours { Ok(()) } else { Err(PageError::stale_form()) }
}

/// A small file.
#[derive(Clone, Debug)]
pub struct TextFile {
    pub name: String,
    pub text: String,
}

/// The fields and the files of a form that is small.
///
/// # Errors
/// A form that is not small, breaks off, or holds what is no text.
pub async fn small(mut form: Multipart) -> PageResult<(Vec<(String, String)>, Vec<TextFile>)> {
    let (mut fields, mut files) = (Vec::new(), Vec::new());
    let mut count = Count { bytes: 0, limit: SMALL_MAX_BYTES, too_large: |_| not_small() };
    while let Some(field) = form.next_field().await.map_err(broken)? {
        let (name, file) = (field.name().unwrap_or_default().to_owned(), field.file_name().map(told_name));
        let text = String::from_utf8(in_memory(field, &mut count).await?).map_err(|_| {
            let called = file.as_ref().unwrap_or(&name);
            Refusal::new(format!("`{called}` is not text in UTF-8; save it so, then send it"))
        })?;
        match file {
            // A place for files that was left empty is sent as one without a name.
            Some(name) if name.is_empty() => {}
            Some(name) => files.push(TextFile { name, text }),
            None => fields.push((name, text)),
        }
    }
    Ok((fields, files))
}

/// Why a form does not stay in memory.
#[must_use]
pub fn not_small() -> PageError {
    let refusal = Refusal::new("the form and its files hold more than 2 MB")
        .hint("rules are small files; deliveries are imported at /imports");
    PageError::refused(StatusCode::PAYLOAD_TOO_LARGE, refusal)
}

/// Files on the disk. Dropped before they are kept, they were never there.
pub struct Incoming {
    pub id: String,
    pub folder: PathBuf,
    pub files: Vec<IncomingFile>,
    count: Count,
    is_kept: bool,
}

pub struct IncomingFile {
    pub name: String,
    pub size_bytes: u64,
}

impl Incoming {
    /// # Errors
    /// More is announced than may be sent; a disk without room for it.
    pub fn begin(app: &App, headers: &HeaderMap) -> PageResult<Incoming> {
        let announced = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
        let limit = app.settings.upload_limit_bytes;
        if announced.is_some_and(|bytes: u64| limit < bytes) {
            return Err(too_large(limit));
        }
        let id = hex::encode(random::<16>());
        let folder = app.uploads.folder.join(&id);
        make_folder(&folder).map_err(PageError::internal)?;
        let count = Count { bytes: 0, limit, too_large };
        let incoming = Incoming { id, folder, files: Vec::new(), count, is_kept: false };
        require_room(&incoming.folder, announced.unwrap_or(0))?;
        Ok(incoming)
    }

    /// The files of a form; its other fields are of no interest.
    ///
    /// # Errors
    /// More than may be sent, a full disk, a form that breaks off or has no file.
    pub async fn take_form(&mut self, mut form: Multipart) -> PageResult<()> {
        while let Some(field) = form.next_field().await.map_err(broken)? {
            let name = field.file_name().map(told_name).filter(|name| !name.is_empty());
            let Some(name) = name else { continue };
            self.take(name, field.map_err(broken)).await?;
        }
        if self.files.is_empty() {
            let refusal = Refusal::new("no file was chosen");
            return Err(refusal.hint("choose one or several files and send them again").into());
        }
        Ok(())
    }

    /// The body itself, as a file of this name.
    ///
    /// # Errors
    /// As [`Incoming::take_form`].
    pub async fn take_body(&mut self, name: &str, body: Body) -> PageResult<()> {
        let broken = |error: axum::Error| PageError::bad_request(format!("the upload broke off: {error}"));
        self.take(told_name(name), body.into_data_stream().map_err(broken)).await
    }

    async fn take(&mut self, name: String, pieces: impl Stream<Item = PageResult<Bytes>>) -> PageResult<()> {
        if self.files.len() == FILES_MAX {
            return Err(Refusal::new(format!("an upload has {FILES_MAX} files at most")).into());
        }
        let path = self.path(self.files.len());
        let mut file = tokio::fs::File::create_new(&path).await.map_err(PageError::internal)?;
        let before = self.count.bytes;
        let mut looked = before;
        let mut pieces = std::pin::pin!(pieces);
        while let Some(piece) = pieces.next().await {
            let piece = piece?;
            self.count.add(&piece)?;
            if looked + LOOK_EVERY_BYTES < self.count.bytes {
                looked = self.count.bytes;
                require_room(&self.folder, 0)?;
            }
            file.write_all(&piece).await.map_err(full_or_internal)?;
        }
        file.flush().await.map_err(full_or_internal)?;
        self.files.push(IncomingFile { name, size_bytes: self.count.bytes - before });
        Ok(())
    }

    /// A file's name on the disk is its place.
    fn path(&self, file: usize) -> PathBuf {
        self.folder.join(file.to_string())
    }

    /// The files as an import takes them.
    #[must_use]
    pub fn given(&self) -> Vec<GivenFile> {
        let given =
            |(at, file): (usize, &IncomingFile)| GivenFile { name: file.name.clone(), path: self.path(at) };
        self.files.iter().enumerate().map(given).collect()
    }

    /// They are whole, and wait in their folder.
    pub fn keep(mut self) {
        self.is_kept = true;
    }
}

impl Drop for Incoming {
    fn drop(&mut self) {
        if !self.is_kept {
            remove(&self.folder);
        }
    }
}

/// So many bytes, and no more.
struct Count {
    bytes: u64,
    limit: u64,
    too_large: fn(u64) -> PageError,
}

impl Count {
    fn add(&mut self, piece: &[u8]) -> PageResult<()> {
        self.bytes += piece.len() as u64;
        if self.limit < self.bytes { Err((self.too_large)(self.limit)) } else { Ok(()) }
    }
}

async fn in_memory(mut field: Field<'_>, count: &mut Count) -> PageResult<Vec<u8>> {
    let mut bytes = Vec::new();
    while let Some(piece) = field.chunk().await.map_err(broken)? {
        count.add(&piece)?;
        bytes.extend_from_slice(&piece);
    }
    Ok(bytes)
}

/// What a file is called, as text: without folders, without what no name holds.
fn told_name(given: &str) -> String {
    let base = given.rsplit(['/', '\\']).next().unwrap_or_default();
    let shown = |c: char| if c.is_control() { '_' } else { c };
    let name: String = base.trim().chars().map(shown).take(200).collect();
    if matches!(name.as_str(), "." | "..") { "file".to_owned() } else { name }
}

#[expect(clippy::needless_pass_by_value, reason = "it is what `map_err` gives")]
fn broken(error: MultipartError) -> PageError {
    PageError::bad_request(format!("the upload broke off: {}", error.body_text()))
}

fn too_large(limit: u64) -> PageError {
    let refusal = Refusal::new(format!("an upload may hold {} MB", limit >> 20))
        .hint("compress the files (gzip or zstd), or send fewer at a time")
        .hint("an administrator can raise `web.upload_limit_mb`, or import with `focus-billing ingest`");
    PageError::refused(StatusCode::PAYLOAD_TOO_LARGE, refusal)
}

/// A disk that an upload filled would stop the ledger too.
fn require_room(folder: &Path, wanted: u64) -> PageResult<()> {
    match room(folder) {
        Some(room) if room < wanted.saturating_add(ROOM_LEFT_BYTES) => Err(no_room()),
        _ => Ok(()),
    }
}

#[cfg(unix)]
fn room(folder: &Path) -> Option<u64> {
    let room = rustix::fs::statvfs(folder).ok()?;
    Some(room.f_bavail.saturating_mul(room.f_frsize))
}

#[cfg(not(unix))]
fn room(_folder: &Path) -> Option<u64> {
    None
}

fn no_room() -> PageError {
    let refusal = Refusal::new("the server's disk has no room for this upload; nothing of it was kept")
        .hint("an administrator can make room: `focus-billing prune` says what may go");
    PageError::refused(StatusCode::INSUFFICIENT_STORAGE, refusal)
}

fn full_or_internal(error: std::io::Error) -> PageError {
    if error.kind() == std::io::ErrorKind::StorageFull { no_room() } else { PageError::internal(error) }
}

#[cfg(test)]
mod tests {
    use super::told_name;

    #[test]
    fn a_name_is_text_without_folders() {
        for (given, told) in [
            ("aws_2025-01.csv", "aws_2025-01.csv"),
            ("../../etc/passwd", "passwd"),
            ("C:\\Users\\pat\\aws.csv", "aws.csv"),
            ("..", "file"),
            ("a\u{0}b\n.csv", "a_b_.csv"),
            ("<img src=x onerror=alert(1)>.csv", "<img src=x onerror=alert(1)>.csv"),
            ("", ""),
        ] {
            assert_eq!(told_name(given), told, "{given:?}");
        }
    }
}
