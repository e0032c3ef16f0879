//! Charge files: the row groups of an import, appended in order, one file (or few) per period.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use billing::{ImportId, Period, SourceName};
use parquet::file::metadata::KeyValue;
use parquet::file::properties::{WriterProperties, WriterVersion};
use parquet::file::writer::SerializedFileWriter;

use super::encode::{ChargeEncoder, EncodedCharges, EncodedGroup};
use super::schema::SchemaKey;
use crate::LakeError;
use crate::files::NewFile;

/// Writes the charges of one import. Dropped before [`finish`](ChargeWriter::finish), nothing is left.
pub struct ChargeWriter {
    root: PathBuf,
    import: ImportId,
    source: SourceName,
    encoder: ChargeEncoder,
    files: BTreeMap<(Period, SchemaKey), OpenFile>,
    full: Vec<FullFile>,
    rows_per_file: u64,
}

/// A writer holds the metadata of its row groups until the footer, some 5 MB a million rows: files end here,
/// so that memory does not grow with a delivery.
const ROWS_PER_FILE: u64 = 1_500_000;

struct OpenFile {
    out: SerializedFileWriter<NewFile>,
    rows: u64,
}

/// Written to its footer, but without its name yet.
struct FullFile {
    file: NewFile,
    period: Period,
    rows: u64,
}

/// A file that an import left: what the ledger keeps of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChargeFile {
    /// Relative to the lake, with `/`: `charges/period=2025-01/source=AWS/import-12-0123abcd.parquet`.
    pub path: String,
    pub period: Period,
    pub rows: u64,
    pub size_bytes: u64,
    pub sha256: [u8; 32],
}

impl ChargeWriter {
    pub(crate) fn new(root: &Path, import: ImportId, source: &SourceName) -> ChargeWriter {
        ChargeWriter {
            root: root.to_owned(),
            import,
            source: source.clone(),
            encoder: ChargeEncoder::default(),
            files: BTreeMap::new(),
            full: Vec::new(),
            rows_per_file: ROWS_PER_FILE,
        }
    }

    /// Files of at most about so many rows, for tests.
    #[doc(hidden)]
    #[must_use]
    pub fn with_rows_per_file(mut self, rows: u64) -> ChargeWriter {
        self.rows_per_file = rows;
        self
    }

    /// For worker threads; clone it as often as needed.
    pub fn encoder(&self) -> ChargeEncoder {
        self.encoder.clone()
    }

    /// Append an encoded block: bytes are copied, nothing is computed. Call in the order of the rows.
    pub fn append(&mut self, block: EncodedCharges) -> Result<(), LakeError> {
        block.groups.into_iter().try_for_each(|group| self.append_group(group))
    }

    fn append_group(&mut self, group: EncodedGroup) -> Result<(), LakeError> {
        let key = (group.period, group.schema.key.clone());
        if self.files.get(&key).is_some_and(|file| self.rows_per_file <= file.rows)
            && let Some(open) = self.files.remove(&key)
        {
            self.full.push(fill(group.period, open)?);
        }
        let file = match self.files.entry(key) {
            std::collections::btree_map::Entry::Occupied(entry) => entry.into_mut(),
            std::collections::btree_map::Entry::Vacant(entry) => {
                let folder = self.root.join(folder(group.period, &self.source));
                let file = NewFile::create(&folder, &owner(self.import))?.with_digest();
                let root = Arc::clone(&group.schema.root);
                let properties = properties(self.import, group.period, &self.source);
                let out = SerializedFileWriter::new(file, root, Arc::new(properties))?;
                entry.insert(OpenFile { out, rows: 0 })
            }
        };
        let path = file.out.inner().path().to_owned();
        let failed = |source| LakeError::Parquet { act: "write", path: path.clone(), source };
        let mut row_group = file.out.next_row_group().map_err(failed)?;
        for column in group.columns {
            row_group.append_column(&group.bytes, column).map_err(failed)?;
        }
        row_group.close().map_err(failed)?;
        file.rows += group.rows as u64;
        Ok(())
    }

    /// Write the footers, sync, and give the files their names. By period.
    pub fn finish(mut self) -> Result<Vec<ChargeFile>, LakeError> {
        let mut full = std::mem::take(&mut self.full);
        for ((period, _), open) in std::mem::take(&mut self.files) {
            full.push(fill(period, open)?);
        }
        full.sort_by_key(|full| full.period);
        let mut done = Vec::with_capacity(full.len());
        for FullFile { mut file, period, rows } in full {
            let sha256 = file.sha256();
            let size_bytes = file.written();
            let named = |digest: &[u8]| {
                let folder = folder(period, &self.source);
                format!("{folder}/{}-{}.parquet", owner(self.import), hex::encode(digest))
            };
            let taken = |name: &str| done.iter().any(|file: &ChargeFile| file.path == name);
            let relative = Some(named(&sha256[..4])).filter(|name| !taken(name));
            let relative = relative.unwrap_or_else(|| named(&sha256));
            file.commit(&self.root.join(&relative))?;
            done.push(ChargeFile { path: relative, period, rows, size_bytes, sha256 });
        }
        Ok(done)
    }
}

fn fill(period: Period, open: OpenFile) -> Result<FullFile, LakeError> {
    let path = open.out.inner().path().to_owned();
    let file = open.out.into_inner().map_err(|source| LakeError::Parquet { act: "finish", path, source })?;
    Ok(FullFile { file, period, rows: open.rows })
}

/// What names of files of this import begin with, before a `-`.
pub(crate) fn owner(import: ImportId) -> String {
    format!("import-{import}")
}

fn folder(period: Period, source: &SourceName) -> String {
    format!("charges/period={period}/source={}", safe_name(&source.0))
}

/// A source's name as part of a path. Files are told apart by import and digest, so that two names may
/// share a folder.
fn safe_name(name: &str) -> String {
    let safe = |c: char| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' };
    let name: String = name.trim().chars().map(safe).take(64).collect();
    if name.is_empty() { "_".to_owned() } else { name }
}

/// A file says by itself what it is, should it ever be found without its ledger.
fn properties(import: ImportId, period: Period, source: &SourceName) -> WriterProperties {
    let says = |key: &str, value: String| KeyValue::new(format!("openchargeback.{key}"), value);
    let metadata = vec![
        says("format", "1".to_owned()),
        says("import", import.to_string()),
        says("period", period.to_string()),
        says("source", source.0.clone()),
    ];
    WriterProperties::builder()
        .set_writer_version(WriterVersion::PARQUET_2_0)
        .set_created_by("OpenChargeback".to_owned())
        .set_key_value_metadata(Some(metadata))
        .build()
}
