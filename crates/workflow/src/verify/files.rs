//! Every file that the ledger names: there, of its size, and with its digest.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read as _;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use lake::{FileFound, LakeError};
use ledger::{ImportRow, Reader, StatementFilter};
use sha2::{Digest as _, Sha256};

use super::{Check, Difference, Progress, Verifying};
use crate::import::chain;
use crate::{Installation, WorkflowError};

/// A file to be looked at.
enum Work {
    Charges {
        path: String,
        sha256: String,
        size_bytes: u64,
    },
    /// Quarantined rows: the ledger has their number, not a digest.
    Quarantine {
        path: String,
        rows: u64,
    },
    Evidence {
        sha256: String,
        size_bytes: u64,
        names: String,
    },
    Document {
        path: PathBuf,
        sha256: String,
        size_bytes: u64,
        what: String,
    },
}

impl Work {
    fn check(&self) -> Check {
        match self {
            Work::Charges { .. } | Work::Quarantine { .. } => Check::ChargeFiles,
            Work::Evidence { .. } => Check::Evidence,
            Work::Document { .. } => Check::Documents,
        }
    }

    /// Bytes that will be read.
    fn bytes(&self) -> u64 {
        match self {
            Work::Charges { size_bytes, .. } | Work::Document { size_bytes, .. } => *size_bytes,
            Work::Quarantine { .. } | Work::Evidence { .. } => 0,
        }
    }
}

impl Verifying<'_> {
    pub(super) async fn files(
        &mut self,
        reader: &mut Reader,
        imports: &[ImportRow],
    ) -> Result<(), WorkflowError> {
        let mut work = self.lake_files(reader, imports).await?;
        work.extend(self.documents(reader).await?);
        for item in &work {
            self.findings.count(item.check(), 1);
        }
        let (installation, progress) = (self.installation, self.progress);
        let found = tokio::task::block_in_place(|| look_at_all(installation, &work, progress))?;
        self.findings.differences.extend(found);
        Ok(())
    }

    async fn lake_files(
        &self,
        reader: &mut Reader,
        imports: &[ImportRow],
    ) -> Result<Vec<Work>, WorkflowError> {
        let mut work = Vec::new();
        for file in reader.list_charge_files(None, self.request.period).await? {
            if self.is_pruned(file.import, &file.path) {
                continue;
            }
            work.push(Work::Charges { path: file.path, sha256: file.sha256, size_bytes: file.size_bytes });
        }
        // The same bytes may have been delivered more than once; they are kept once.
        let mut evidence: BTreeMap<String, (u64, String)> = BTreeMap::new();
        for row in imports {
            if let Some(path) = row.quarantine_file.as_ref().filter(|path| !self.is_pruned(row.import, path))
            {
                work.push(Work::Quarantine { path: path.clone(), rows: row.quarantined });
            }
            for file in reader.list_delivered_files(row.import).await? {
                if self.is_pruned(row.import, &lake::delivery_path(&file.sha256)) {
                    continue;
                }
                let name = format!("{} of import {}", file.name, row.import);
                let known = evidence.entry(file.sha256).or_insert((file.size_bytes, String::new()));
                known.1 = if known.1.is_empty() { name } else { format!("{}, {name}", known.1) };
            }
        }
        work.extend(evidence.into_iter().map(|(sha256, (size_bytes, names))| Work::Evidence {
            sha256,
            size_bytes,
            names,
        }));
        Ok(work)
    }

    async fn documents(&self, reader: &mut Reader) -> Result<Vec<Work>, WorkflowError> {
        let folder = &self.installation.folders.documents;
        let mut work = Vec::new();
        let filter = StatementFilter { period: self.request.period, ..StatementFilter::default() };
        for document in reader.list_statement_documents(&filter).await? {
            work.push(Work::Document {
                path: folder.join(&document.path),
                sha256: document.sha256,
                size_bytes: document.size_bytes,
                what: format!(
                    "{} of statement {} v{}",
                    document.kind, document.id.number, document.id.version
                ),
            });
        }
        let mut exports = BTreeMap::new();
        for journal in reader.list_journals(self.request.period, None).await? {
            for export in reader.list_journal_exports(Some(&journal.document)).await? {
                let what = format!("{} file of journal {}", export.format, journal.document);
                exports.entry(export.sha256).or_insert((export.size_bytes, what));
            }
        }
        for (sha256, (size_bytes, what)) in exports {
            let path = folder.join(sha256.get(..2).unwrap_or_default()).join(format!("{sha256}.journal"));
            work.push(Work::Document { path, sha256, size_bytes, what });
        }
        Ok(work)
    }
}

/// On every core: hashing is what takes time.
fn look_at_all(
    installation: &Installation,
    work: &[Work],
    progress: super::OnProgress<'_>,
) -> Result<Vec<Difference>, WorkflowError> {
    let (next, done) = (AtomicUsize::new(0), AtomicU64::new(0));
    let bytes_total: u64 = work.iter().map(Work::bytes).sum();
    let seen = |bytes: u64| {
        let bytes = done.fetch_add(bytes, Ordering::Relaxed) + bytes;
        progress(Progress { step: "files", bytes: bytes.min(bytes_total), bytes_total });
    };
    let found = Mutex::new(BTreeMap::new());
    let workers = std::thread::available_parallelism().map_or(1, NonZeroUsize::get).min(work.len());
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..workers)
            .map(|_| {
                scope.spawn(|| {
                    loop {
                        let at = next.fetch_add(1, Ordering::Relaxed);
                        let Some(item) = work.get(at) else { return };
                        if let Some(difference) = look_at(installation, item, &seen) {
                            let mut found = found.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                            found.insert(at, difference);
                        }
                    }
                })
            })
            .collect();
        let stopped = || WorkflowError::Internal("reading files stopped in the middle".to_owned());
        threads.into_iter().try_for_each(|thread| thread.join().map_err(|_| stopped()))
    })?;
    Ok(found.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner).into_values().collect())
}

fn look_at(installation: &Installation, work: &Work, seen: &dyn Fn(u64)) -> Option<Difference> {
    let (lake, check) = (&installation.lake, work.check());
    let cannot_read = |place: &str, error: &dyn std::error::Error| Some(plain(check, place, &chain(error)));
    match work {
        Work::Charges { path, sha256, size_bytes } => match lake.digest_file(path, seen) {
            Ok(found) => compared(check, path, (*size_bytes, sha256), found),
            Err(error) => cannot_read(path, &error),
        },
        Work::Quarantine { path, rows } => match quarantined_rows(&lake.root().join(path)) {
            Ok(found) if found == *rows => None,
            Ok(found) => {
                Some(differing(check, path, "quarantined rows", &rows.to_string(), &found.to_string()))
            }
            Err(error) => Some(plain(check, path, &error)),
        },
        Work::Evidence { sha256, size_bytes, names } => {
            let place =
                format!("deliveries/{}/{sha256}.frames ({names})", sha256.get(..2).unwrap_or_default());
            let digest = match digest(sha256) {
                Ok(digest) => digest,
                Err(what) => return Some(plain(check, &place, &what)),
            };
            match lake.kept_delivery_bytes(&digest) {
                Ok(kept) if kept == *size_bytes => None,
                Ok(kept) => Some(differing(
                    check,
                    &place,
                    "delivered bytes",
                    &size_bytes.to_string(),
                    &kept.to_string(),
                )),
                Err(LakeError::NoDelivery { .. }) => Some(plain(check, &place, "it is missing")),
                Err(LakeError::Damaged { what, .. }) => Some(plain(check, &place, &what)),
                Err(error) => cannot_read(&place, &error),
            }
        }
        Work::Document { path, sha256, size_bytes, what } => {
            let place = format!("{} ({what})", installation.folders.shown(path));
            match digest_document(path, seen) {
                Ok(found) => compared(check, &place, (*size_bytes, sha256), found),
                Err(error) => Some(plain(check, &place, &error.to_string())),
            }
        }
    }
}

fn compared(
    check: Check,
    place: &str,
    (size_bytes, sha256): (u64, &str),
    found: Option<FileFound>,
) -> Option<Difference> {
    let Some(found) = found else { return Some(plain(check, place, "it is missing")) };
    if found.size_bytes != size_bytes {
        let (expected, found) = (size_bytes.to_string(), found.size_bytes.to_string());
        return Some(differing(check, place, "bytes", &expected, &found));
    }
    let digest = hex::encode(found.sha256);
    (digest != sha256).then(|| differing(check, place, "SHA-256", sha256, &digest))
}

pub(super) fn plain(check: Check, place: &str, what: &str) -> Difference {
    Difference { check, place: place.to_owned(), what: what.to_owned(), expected: None, found: None }
}

fn differing(check: Check, place: &str, what: &str, expected: &str, found: &str) -> Difference {
    Difference {
        check,
        place: place.to_owned(),
        what: format!("{what}: {expected} expected, {found} found"),
        expected: Some(expected.to_owned()),
        found: Some(found.to_owned()),
    }
}

pub(crate) fn digest(text: &str) -> Result<[u8; 32], String> {
    let mut digest = [0; 32];
    hex::decode_to_slice(text, &mut digest)
        .map_err(|_| format!("the ledger says `{text}`, which is no SHA-256"))?;
    Ok(digest)
}

fn digest_document(path: &Path, seen: &dyn Fn(u64)) -> std::io::Result<Option<FileFound>> {
    let mut file = match File::open(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        file => file?,
    };
    let (mut digest, mut size_bytes, mut bytes) = (Sha256::new(), 0, vec![0; 1 << 16]);
    loop {
        match file.read(&mut bytes)? {
            0 => return Ok(Some(FileFound { size_bytes, sha256: digest.finalize().into() })),
            len => {
                digest.update(&bytes[..len]);
                size_bytes += len as u64;
                seen(len as u64);
            }
        }
    }
}

/// A row may have several problems; they follow each other.
fn quarantined_rows(path: &Path) -> Result<u64, String> {
    let mut reader = match csv::Reader::from_path(path) {
        Ok(reader) => reader,
        Err(_) if !path.exists() => return Err("it is missing".to_owned()),
        Err(error) => return Err(error.to_string()),
    };
    let (mut rows, mut last) = (0, None);
    for record in reader.records() {
        let record = record.map_err(|error| error.to_string())?;
        let place = (record.get(0).map(str::to_owned), record.get(1).map(str::to_owned));
        if last.as_ref() != Some(&place) {
            rows += 1;
            last = Some(place);
        }
    }
    Ok(rows)
}
