//! Files that acts read from a path: held in a folder of their own under names of ours, and gone with the value.

use std::path::{Path, PathBuf};

use axum::body::Body;
use axum::extract::Multipart;
use axum::http::StatusCode;
use futures::StreamExt as _;
use tokio::io::AsyncWriteExt as _;
use workflow::Refusal;
use workflow::import::GivenFile;

use crate::App;
use crate::error::{PageError, PageResult};
use crate::gate::random;

/// A folder under `instance/uploads` that nobody can foresee.
pub struct Held {
    folder: PathBuf,
    files: Vec<GivenFile>,
    bytes: u64,
}

/// So many files at once.
const FILES_MAX: usize = 100;

impl Held {
    /// # Errors
    /// A disk that takes nothing.
    pub fn folder(app: &App) -> PageResult<Held> {
        let folders = &app.installation.folders;
        let instance = folders.documents.parent().unwrap_or(&folders.home);
        let folder = instance.join("uploads").join(hex::encode(random::<16>()));
        std::fs::create_dir_all(&folder).map_err(PageError::internal)?;
        Ok(Held { folder, files: Vec::new(), bytes: 0 })
    }

    /// A small text.
    ///
    /// # Errors
    /// A disk that takes nothing.
    pub fn text(app: &App, name: &str, text: &str) -> PageResult<Held> {
        let mut held = Held::folder(app)?;
        let path = held.next(name)?;
        std::fs::write(path, text).map_err(PageError::internal)?;
        Ok(held)
    }

    /// Where the first file is.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.files.first().map_or(&self.folder, |file| &file.path)
    }

    #[must_use]
    pub fn files(&self) -> &[GivenFile] {
        &self.files
    }

    /// What somebody called a file is text; where it is, is our own choice.
    fn next(&mut self, name: &str) -> PageResult<PathBuf> {
        if self.files.len() == FILES_MAX {
            return Err(Refusal::new(format!("an upload has {FILES_MAX} files at most")).into());
        }
        let base = name.rsplit(['/', '\\']).next().unwrap_or_default();
        let plain = |c: char| if c.is_control() { '_' } else { c };
        let name: String = base.trim().chars().map(plain).take(200).collect();
        let path = self.folder.join(self.files.len().to_string());
        self.files.push(GivenFile { name, path: path.clone() });
        Ok(path)
    }

    /// # Errors
    /// More than may be sent, a body that breaks off.
    pub async fn receive_body(&mut self, name: &str, body: Body, limit: u64) -> PageResult<()> {
        let mut file = tokio::fs::File::create_new(self.next(name)?).await.map_err(PageError::internal)?;
        let mut chunks = body.into_data_stream();
        while let Some(chunk) = chunks.next().await {
            let chunk = chunk.map_err(|_| PageError::bad_request("the upload broke off"))?;
            self.count(chunk.len(), limit)?;
            file.write_all(&chunk).await.map_err(PageError::internal)?;
        }
        file.flush().await.map_err(PageError::internal)
    }

    /// # Errors
    /// As [`receive_body`](Held::receive_body); a form without a file.
    pub async fn receive_form(&mut self, mut form: Multipart, limit: u64) -> PageResult<()> {
        let broken = |_| PageError::bad_request("the upload broke off");
        while let Some(mut field) = form.next_field().await.map_err(broken)? {
            let Some(name) = field.file_name().map(str::to_owned) else { continue };
            let mut file =
                tokio::fs::File::create_new(self.next(&name)?).await.map_err(PageError::internal)?;
            while let Some(chunk) = field.chunk().await.map_err(broken)? {
                self.count(chunk.len(), limit)?;
                file.write_all(&chunk).await.map_err(PageError::internal)?;
            }
            file.flush().await.map_err(PageError::internal)?;
        }
        if self.files.is_empty() {
            return Err(PageError::bad_request("the form has no file"));
        }
        Ok(())
    }

    fn count(&mut self, bytes: usize, limit: u64) -> PageResult<()> {
        self.bytes += bytes as u64;
        if self.bytes <= limit {
            return Ok(());
        }
        let refusal = Refusal::new(format!("an upload may hold {} MB", limit >> 20))
            .hint("compress the files (gzip or zstd), or send fewer at a time")
            .hint("an administrator can raise `web.upload_limit_mb`, or import with `focus-billing ingest`");
        Err(PageError::refused(StatusCode::PAYLOAD_TOO_LARGE, refusal))
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}
