//! Files that people send: they wait to be looked at and kept, and are gone after a day. How they come in is
//! [`incoming`].

pub mod incoming;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::extract::Request;
use billing::delivery::Choice;
use billing::source_guess::{GuessedPeriod, guess_period, guess_source};
use billing::{ImportId, Period};
use serde::{Deserialize, Serialize};
use workflow::Refusal;
use workflow::import::{GivenFile, Outcome, Request as ImportRequest};

use crate::App;
use crate::access::Caller;
use crate::error::{PageError, PageResult};
use incoming::{Incoming, IncomingFile};

/// The uploads that wait to be kept or discarded.
#[derive(Clone)]
pub struct Uploads {
    folder: PathBuf,
    known: Arc<Mutex<BTreeMap<String, Upload>>>,
}

/// Files that came together. The part that outlives a restart is beside them in `upload.json`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Upload {
    pub id: String,
    pub by: String,
    pub at: jiff::Timestamp,
    pub files: Vec<UploadedFile>,
    #[serde(skip)]
    pub deliveries: Vec<Delivery>,
    /// What works on it now, or did last.
    #[serde(skip)]
    pub job: Option<u64>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct UploadedFile {
    /// As its sender called it, without folders.
    pub name: String,
    pub size_bytes: u64,
    /// Guessed, until somebody says otherwise; empty where nothing can be guessed.
    pub source: String,
    pub period: Option<Period>,
    /// It counts, or was there already: nothing is left to do with it.
    pub is_done: bool,
}

/// Files that are one delivery: of one source, for one period.
#[derive(Clone, Debug)]
pub struct Delivery {
    pub source: String,
    pub period: Option<Period>,
    /// Places among the files of the upload.
    pub files: Vec<usize>,
    pub choices: Choices,
    pub state: DeliveryState,
}

/// What a person says about a delivery, as with the switches of `ingest`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Choices {
    pub choice: Choice,
    pub quarantine: bool,
    pub force: bool,
    pub only_open: bool,
}

#[derive(Clone, Debug)]
pub enum DeliveryState {
    /// Nobody has looked yet.
    New,
    Seen {
        outcome: Arc<Outcome>,
        /// What counted of the source in its periods then: something else may by the time it is kept.
        beside: BTreeSet<ImportId>,
    },
    /// It could not be looked at.
    Refused(Refusal),
    Kept(Arc<Outcome>),
}

const MANIFEST: &str = "upload.json";
/// So long an upload waits.
const WAITS: jiff::SignedDuration = jiff::SignedDuration::from_hours(24);
impl Uploads {
    /// What an earlier process left is there again; what it did not finish receiving is removed.
    #[must_use]
    pub fn open(folder: PathBuf, now: jiff::Timestamp) -> Uploads {
        let mut known = BTreeMap::new();
        let folders = std::fs::read_dir(&folder).into_iter().flatten().flatten();
        for path in folders.map(|entry| entry.path()) {
            match read_manifest(&path) {
                Some(mut upload) if !upload.is_done() => {
                    upload.sort_out();
                    known.insert(upload.id.clone(), upload);
                }
                _ => remove(&path),
            }
        }
        let uploads = Uploads { folder, known: Arc::new(Mutex::new(known)) };
        uploads.sweep(now);
        uploads
    }

    /// Remove what nobody kept in a day.
    pub fn sweep(&self, now: jiff::Timestamp) {
        let is_old = |upload: &Upload| upload.at.saturating_add(WAITS).is_ok_and(|until| until < now);
        let old: Vec<String> =
            self.lock().values().filter(|upload| is_old(upload)).map(|upload| upload.id.clone()).collect();
        for id in old {
            tracing::info!(upload = %id, "an upload that nobody kept was removed");
            self.discard(&id);
        }
    }

    /// # Errors
    /// An upload that is gone.
    pub fn find(&self, id: &str) -> PageResult<Upload> {
        self.lock().get(id).cloned().ok_or_else(gone)
    }

    /// Those that wait, the latest first.
    #[must_use]
    pub fn waiting(&self) -> Vec<Upload> {
        let mut waiting: Vec<Upload> =
            self.lock().values().filter(|upload| !upload.is_done()).cloned().collect();
        waiting.sort_by_key(|upload| std::cmp::Reverse(upload.at));
        waiting
    }

    /// # Errors
    /// An upload that is gone; what `change` refuses.
    pub fn change<T>(
        &self,
        id: &str,
        change: impl FnOnce(&mut Upload) -> Result<T, Refusal>,
    ) -> PageResult<T> {
        let mut known = self.lock();
        let upload = known.get_mut(id).ok_or_else(gone)?;
        let changed = change(upload)?;
        write_manifest(&self.folder.join(id), upload).map_err(PageError::internal)?;
        Ok(changed)
    }

    /// Remove the files of an upload, and what is known of it.
    pub fn discard(&self, id: &str) {
        if let Some(upload) = self.lock().remove(id) {
            remove(&self.folder.join(upload.id));
        }
    }

    /// Where a file of an upload is; its name is its place.
    #[must_use]
    pub fn path(&self, upload: &Upload, file: usize) -> PathBuf {
        self.folder.join(&upload.id).join(file.to_string())
    }

    /// Where the problems of a delivery are written.
    #[must_use]
    pub fn problems_path(&self, upload: &Upload, delivery: usize) -> PathBuf {
        self.folder.join(&upload.id).join(format!("problems-{delivery}.csv"))
    }

    /// The files of a delivery count now, or did before: their bytes are in the lake.
    pub fn remove_files(&self, upload: &Upload, delivery: &Delivery) {
        for file in &delivery.files {
            if let Err(error) = std::fs::remove_file(self.path(upload, *file)) {
                tracing::warn!(upload = %upload.id, error = %error, "an uploaded file could not be removed");
            }
        }
    }

    /// A delivery as `ingest` takes it.
    #[must_use]
    pub fn request(&self, app: &App, upload: &Upload, at: usize, dry_run: bool) -> Option<ImportRequest> {
        let delivery = upload.deliveries.get(at)?;
        let given = |file: &usize| {
            let name = upload.files.get(*file)?.name.clone();
            Some(GivenFile { name, path: self.path(upload, *file) })
        };
        let Choices { choice, quarantine, force, only_open } = delivery.choices;
        Some(ImportRequest {
            source: Some(billing::SourceName(delivery.source.clone())),
            period: delivery.period,
            choice,
            dry_run,
            quarantine,
            force,
            only_open,
            unpacked_max_bytes: Some(app.settings.unpacked_limit_bytes),
            problems_to: dry_run.then(|| self.problems_path(upload, at)),
            ..ImportRequest::new(delivery.files.iter().filter_map(given).collect())
        })
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Upload>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn gone() -> PageError {
    PageError::not_found("this upload is gone: it was kept, discarded, or older than a day")
}

impl Upload {
    /// Every file is of a source that was said or guessed.
    #[must_use]
    pub fn is_sorted_out(&self) -> bool {
        self.files.iter().all(|file| file.is_done || !file.source.trim().is_empty())
    }

    #[must_use]
    pub fn is_done(&self) -> bool {
        self.files.iter().all(|file| file.is_done)
    }

    /// Files of one source and period are one delivery. What was said of a delivery stays with it.
    pub fn sort_out(&mut self) {
        let before = std::mem::take(&mut self.deliveries);
        let is_kept = |delivery: &&Delivery| matches!(delivery.state, DeliveryState::Kept(_));
        self.deliveries = before.iter().filter(is_kept).cloned().collect();
        let kept = self.deliveries.len();
        for (at, file) in self.files.iter().enumerate().filter(|(_, file)| !file.is_done) {
            let key = |delivery: &&mut Delivery| {
                same(&delivery.source, &file.source) && delivery.period == file.period
            };
            if let Some(delivery) = self.deliveries[kept..].iter_mut().find(key) {
                delivery.files.push(at);
                continue;
            }
            let known = before.iter().find(|delivery| {
                !matches!(delivery.state, DeliveryState::Kept(_))
                    && same(&delivery.source, &file.source)
                    && delivery.period == file.period
            });
            self.deliveries.push(Delivery {
                source: file.source.trim().to_owned(),
                period: file.period,
                files: vec![at],
                choices: known.map(|delivery| delivery.choices).unwrap_or_default(),
                state: DeliveryState::New,
            });
        }
    }
}

impl Default for Choices {
    fn default() -> Choices {
        Choices { choice: Choice::Automatic, quarantine: false, force: false, only_open: false }
    }
}

fn same(one: &str, other: &str) -> bool {
    one.trim().to_lowercase() == other.trim().to_lowercase()
}

/// Take in an upload: its token first, then its files. Nothing of it is left when it is refused.
///
/// # Errors
/// A form of another session, more than may be sent, a full disk, no file at all.
pub async fn receive(app: &App, caller: &Caller, request: Request) -> PageResult<Upload> {
    let headers = request.headers().clone();
    let mut form = incoming::form(request).await?;
    incoming::prove(caller, &mut form).await?;
    let mut incoming = Incoming::begin(app, &headers)?;
    incoming.take_form(form).await?;
    let mut upload = Upload {
        id: incoming.id.clone(),
        by: caller.name.clone(),
        at: caller.at,
        files: incoming.files.iter().map(|file| guessed(app, file)).collect(),
        deliveries: Vec::new(),
        job: None,
    };
    upload.sort_out();
    write_manifest(&incoming.folder, &upload).map_err(PageError::internal)?;
    incoming.keep();
    app.uploads.lock().insert(upload.id.clone(), upload.clone());
    Ok(upload)
}

/// Whose a file is and of when, as its name says it.
fn guessed(app: &App, file: &IncomingFile) -> UploadedFile {
    let source = guess_source(&file.name, &app.installation.settings.sources);
    UploadedFile {
        name: file.name.clone(),
        size_bytes: file.size_bytes,
        source: source.map_or_else(String::new, |source| source.name.0.clone()),
        period: match guess_period(&file.name) {
            GuessedPeriod::Month(period) => Some(period),
            _ => None,
        },
        is_done: false,
    }
}

fn make_folder(folder: &Path) -> std::io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

fn read_manifest(folder: &Path) -> Option<Upload> {
    let upload: Upload = serde_json::from_slice(&std::fs::read(folder.join(MANIFEST)).ok()?).ok()?;
    (folder.file_name()?.to_str()? == upload.id).then_some(upload)
}

fn write_manifest(folder: &Path, upload: &Upload) -> std::io::Result<()> {
    let new = folder.join(format!("{MANIFEST}.new"));
    std::fs::write(&new, serde_json::to_vec(upload).map_err(std::io::Error::other)?)?;
    std::fs::rename(new, folder.join(MANIFEST))
}

fn remove(folder: &Path) {
    match std::fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            tracing::warn!(folder = %folder.display(), error = %error, "an upload could not be removed");
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(source: &str, period: Option<&str>) -> UploadedFile {
        UploadedFile {
            name: "a.csv".to_owned(),
            size_bytes: 1,
            source: source.to_owned(),
            period: period.map(|text| text.parse().unwrap()),
            is_done: false,
        }
    }

    #[test]
    fn files_of_one_source_and_period_are_one_delivery() {
        let mut upload = Upload {
            id: "1".to_owned(),
            by: "pat".to_owned(),
            at: jiff::Timestamp::UNIX_EPOCH,
            files: vec![
                file("AWS", Some("2025-01")),
                file("HPC", None),
                file("aws ", Some("2025-01")),
                file("AWS", Some("2025-02")),
            ],
            deliveries: Vec::new(),
            job: None,
        };
        upload.sort_out();
        let files = |upload: &Upload| upload.deliveries.iter().map(|d| d.files.clone()).collect::<Vec<_>>();
        assert_eq!(files(&upload), [vec![0, 2], vec![1], vec![3]]);
        upload.deliveries[1].choices.quarantine = true;
        upload.files[0].source = "hpc".to_owned();
        upload.files[0].period = None;
        upload.sort_out();
        assert_eq!(files(&upload), [vec![0, 1], vec![2], vec![3]]);
        assert!(upload.deliveries[0].choices.quarantine, "what was said of a delivery stays with it");
    }

    #[test]
    fn uploads_are_there_after_a_restart_and_gone_after_a_day() {
        let folder = tempfile::TempDir::new().unwrap();
        let path = folder.path().join("uploads");
        let upload = Upload {
            id: "00ff".to_owned(),
            by: "pat".to_owned(),
            at: "2025-02-01T10:00:00Z".parse().unwrap(),
            files: vec![file("AWS", None)],
            deliveries: Vec::new(),
            job: None,
        };
        make_folder(&path.join("00ff")).unwrap();
        write_manifest(&path.join("00ff"), &upload).unwrap();
        make_folder(&path.join("interrupted")).unwrap();
        let uploads = Uploads::open(path.clone(), "2025-02-02T09:00:00Z".parse().unwrap());
        assert_eq!(uploads.find("00ff").unwrap().deliveries.len(), 1);
        assert!(!path.join("interrupted").exists());
        uploads.sweep("2025-02-02T10:00:01Z".parse().unwrap());
        assert!(uploads.find("00ff").is_err() && !path.join("00ff").exists());
    }
}
