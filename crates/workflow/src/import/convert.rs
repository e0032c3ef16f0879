//! Deliveries in a system's own words: the source's connector makes a FOCUS file of what was used, which is
//! kept beside the files that it was made of and read like any other. The connector is a function of these
//! files, its options and the month, so that they can be converted again at any time.

use std::cell::RefCell;
use std::fs::File;
use std::io::{self, BufWriter, Read};
use std::sync::{Arc, Mutex, PoisonError};

use billing::settings::{ConnectorSettings, Settings};
use billing::{Period, SourceName};
use connectors::{Connector, ConvertError, Counted, FocusCsv, Kind, RawFile, Reconciliation, RecordsBehind};
use focus::Source;
use lake::Lake;
use ledger::{DeliveredFile, ImportRow};
use sha2::{Digest as _, Sha256};
use tempfile::NamedTempFile;

use super::evidence::{Evidence, KeepError, Tee};
use super::read::{Input, Origin, chain};
use crate::{Installation, Refusal, WorkflowError, sources};

/// How the files of a delivery become usage.
pub struct Conversion {
    connector: Box<dyn Connector>,
    period: Period,
    /// So much a packed file may hold; `None` where the files are the person's own.
    unpacked_max_bytes: Option<u64>,
}

/// What came of it.
pub struct Converted {
    /// The raw files: they have no rows of their own.
    pub files: Vec<DeliveredFile>,
    pub evidence: Vec<Evidence>,
    /// FOCUS CSV, until it is read.
    pub usage: NamedTempFile,
    pub name: String,
    pub reconciliation: Reconciliation,
}

/// The connector that a source is configured with.
///
/// # Errors
/// Options that it does not understand.
pub fn connector_of(
    settings: &Settings,
    source: &SourceName,
) -> Result<Option<Box<dyn Connector>>, WorkflowError> {
    let own = sources::find_settings(settings, source).and_then(|own| own.connector.as_ref());
    let Some(ConnectorSettings { kind, options }) = own else { return Ok(None) };
    let kind: Kind = kind.parse().map_err(|error: connectors::NoSuchKind| Refusal::new(error.to_string()))?;
    let connector = connectors::configured(kind, options).map_err(|bad| {
        Refusal::new(format!("source `{source}`: options of its connector are wrong"))
            .details(bad.iter().map(ToString::to_string))
    })?;
    Ok(Some(connector))
}

/// Whether a delivered file is one that a connector reads, by the format that the ledger has of it.
pub fn is_raw(file: &DeliveredFile) -> bool {
    file.format.parse::<Kind>().is_ok()
}

impl Conversion {
    /// What a source with a connector delivers is converted, unless it is FOCUS already.
    pub fn of_delivery(
        settings: &Settings,
        source: &SourceName,
        expected: &[Period],
        inputs: &[Input],
        unpacked_max_bytes: Option<u64>,
    ) -> Result<Option<Conversion>, WorkflowError> {
        let Some(connector) = connector_of(settings, source)? else { return Ok(None) };
        if inputs.iter().all(|input| is_focus(input, unpacked_max_bytes)) {
            return Ok(None);
        }
        let [period] = expected else {
            return Err(Refusal::new(format!("which month of `{source}` is to be billed?"))
                .details(
                    ["its files say what was used and when, and one delivery is of one month".to_owned()],
                )
                .hint("say it: `--period 2025-01`")
                .into());
        };
        Ok(Some(Conversion { connector, period: *period, unpacked_max_bytes }))
    }

    /// For what an import converted, under these settings.
    ///
    /// # Errors
    /// A source that has no connector in them.
    pub fn of_import(settings: &Settings, import: &ImportRow) -> Result<Conversion, WorkflowError> {
        let source = &import.source_name;
        let Some(connector) = connector_of(settings, source)? else {
            return Err(Refusal::new(format!("source `{source}` has no connector any more"))
                .hint("give it its `kind` again under imports.known_sources")
                .into());
        };
        let period = import.expected_periods.first().copied();
        let period = period.ok_or_else(|| {
            WorkflowError::Internal(format!("import {} was converted for no month", import.import))
        })?;
        Ok(Conversion { connector, period, unpacked_max_bytes: None })
    }

    /// SHA-256 of the usage that kept files make.
    ///
    /// # Errors
    /// Files that are damaged or cannot be converted any more.
    pub fn digest(
        &self,
        installation: &Installation,
        raw: &[&DeliveredFile],
    ) -> Result<String, WorkflowError> {
        let files = kept_files(&installation.lake, raw)?;
        let mut hash = Hashing(Sha256::new());
        write_usage(self.connector.as_ref(), files, self.period, &mut hash)
            .map_err(|error| refused(&names(raw), &error))?;
        Ok(hex::encode(hash.0.finalize()))
    }

    /// The records of kept files that one row of their usage was made of.
    ///
    /// # Errors
    /// As [`digest`](Conversion::digest); a row that there is not.
    pub fn records_behind(
        &self,
        installation: &Installation,
        raw: &[&DeliveredFile],
        row: u64,
    ) -> Result<RecordsBehind, WorkflowError> {
        let open = || kept_files(&installation.lake, raw).map_err(io::Error::other);
        let behind = self.connector.records_behind(&open, self.period, row);
        behind.map_err(|error| refused(&names(raw), &error).into())
    }

    pub fn kind(&self) -> Kind {
        self.connector.kind()
    }

    /// `seen` is told the bytes that were read so far.
    pub(super) fn run(
        &self,
        lake: &Lake,
        inputs: &[Input],
        (source, import): (&SourceName, billing::ImportId),
        seen: &(dyn Fn(u64) + Sync),
    ) -> Result<Converted, WorkflowError> {
        let total = Mutex::new(0);
        let mut kept: Vec<Option<Arc<Mutex<Evidence>>>> = Vec::new();
        let mut raw = Vec::new();
        for input in inputs {
            let bytes: Box<dyn Read + Send> = match &input.origin {
                Origin::Kept { sha256, .. } => {
                    kept.push(None);
                    Box::new(lake.delivered_reader(sha256)?)
                }
                Origin::Path(path) => {
                    let file = File::open(path).map_err(|error| WorkflowError::file("open", path, error))?;
                    let evidence = Arc::new(Mutex::new(Evidence::new(lake.delivery_writer(import)?)));
                    kept.push(Some(Arc::clone(&evidence)));
                    Box::new(Tee::new(file, evidence))
                }
            };
            let file = RawFile::new(&input.name, Seen { bytes, total: &total, tell: seen });
            let max = self.unpacked_max_bytes.unwrap_or(file.unpacked_max_bytes);
            raw.push(RawFile { unpacked_max_bytes: max, ..file });
        }
        let usage = lake.scratch(import)?;
        let reconciliation = self.write(raw, usage.as_file(), inputs)?;
        let (mut files, mut evidence) = (Vec::new(), Vec::new());
        for ((ordinal, input), kept) in (0_u32..).zip(inputs).zip(kept) {
            let (sha256, size_bytes) = match (&input.origin, kept) {
                (Origin::Kept { sha256, size_bytes }, _) => (*sha256, *size_bytes),
                (Origin::Path(path), kept) => {
                    let own = kept.and_then(Arc::into_inner);
                    let own =
                        own.ok_or_else(|| WorkflowError::Internal("evidence is still in use".to_owned()))?;
                    let mut own = own.into_inner().unwrap_or_else(PoisonError::into_inner);
                    own.keep_rest(path).map_err(|error| match error {
                        KeepError::Io(source) => WorkflowError::file("read", path, source),
                        KeepError::Lake(error) => error.into(),
                    })?;
                    let digest = own.digest();
                    evidence.push(own);
                    digest
                }
            };
            files.push(DeliveredFile {
                ordinal,
                name: input.name.clone(),
                sha256: hex::encode(sha256),
                size_bytes,
                format: self.kind().to_string(),
                rows: 0,
                quarantined: 0,
            });
        }
        let name = format!("{}_{}_usage.csv", source.0.to_lowercase().replace(' ', "-"), self.period);
        Ok(Converted { files, evidence, usage, name, reconciliation })
    }

    fn write(
        &self,
        raw: Vec<RawFile<'_>>,
        out: &File,
        inputs: &[Input],
    ) -> Result<Reconciliation, WorkflowError> {
        let names: Vec<&str> = inputs.iter().map(|input| input.name.as_str()).collect();
        write_usage(self.connector.as_ref(), raw, self.period, BufWriter::with_capacity(1 << 18, out))
            .map_err(|error| match error {
                ConvertError::Sink(error) => {
                    WorkflowError::Internal(format!("usage cannot be written: {error}"))
                }
                error => refused(&names, &error).into(),
            })
    }
}

fn names<'a>(raw: &[&'a DeliveredFile]) -> Vec<&'a str> {
    raw.iter().map(|file| file.name.as_str()).collect()
}

fn kept_files<'a>(lake: &Lake, raw: &[&'a DeliveredFile]) -> Result<Vec<RawFile<'a>>, WorkflowError> {
    let open = |file: &&'a DeliveredFile| {
        let mut sha256 = [0; 32];
        hex::decode_to_slice(&file.sha256, &mut sha256)
            .map_err(|error| WorkflowError::Internal(format!("digest of `{}`: {error}", file.name)))?;
        let bytes = lake.delivered_reader(&sha256)?;
        Ok(RawFile::new(&file.name, bytes))
    };
    raw.iter().map(open).collect()
}

struct Hashing(Sha256);

impl io::Write for Hashing {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The usage of a month as FOCUS CSV.
///
/// # Errors
/// As [`Connector::convert`].
pub fn write_usage(
    connector: &dyn Connector,
    raw: Vec<RawFile<'_>>,
    period: Period,
    out: impl io::Write,
) -> Result<Reconciliation, ConvertError> {
    let csv = RefCell::new(FocusCsv::new(out, connector.lineage_columns()).map_err(ConvertError::Sink)?);
    let reconciliation = connector.convert(raw, period, &mut |row| csv.borrow_mut().write(row))?;
    csv.into_inner().finish().and_then(|mut out| out.flush()).map_err(ConvertError::Sink)?;
    Ok(reconciliation)
}

/// Why files cannot be converted, as whoever delivered them reads it.
pub fn refused(names: &[&str], error: &ConvertError) -> Refusal {
    match error {
        ConvertError::Problems(problems) => {
            let count = problems.count();
            let what = if count == 1 { "1 problem".to_owned() } else { format!("{count} problems") };
            let mut details: Vec<String> = problems.listed.iter().map(ToString::to_string).collect();
            if 0 < problems.more {
                details.push(format!("and {} more", problems.more));
            }
            Refusal::new(format!("{what} in {}; nothing was converted", names.join(", "))).details(details)
        }
        error => Refusal::new(format!("{} cannot be converted: {}", names.join(", "), chain(error))),
    }
}

/// A reconciliation as notes, each a short sentence.
pub fn notes(kind: Kind, reconciliation: &Reconciliation) -> Vec<String> {
    let counted = |counted: &Counted| {
        let records = if counted.records == 1 { "record" } else { "records" };
        format!(
            "{} {records}, {} s, {} core-seconds",
            money::grouped(counted.records),
            money::grouped(counted.elapsed_seconds),
            money::grouped(counted.core_seconds)
        )
    };
    let read = format!("{kind}: read {}", counted(&reconciliation.read));
    let lines =
        reconciliation.lines.iter().map(|line| format!("{kind}: {}: {}", line.what, counted(&line.counted)));
    let notes = reconciliation.notes.iter().map(|note| format!("{kind}: {note}"));
    std::iter::once(read).chain(lines).chain(notes).collect()
}

fn is_focus(input: &Input, unpacked_max_bytes: Option<u64>) -> bool {
    let Origin::Path(path) = &input.origin else { return false };
    let names = |source: Source| {
        source
            .header()
            .columns
            .iter()
            .any(|column| column.delivered.eq_ignore_ascii_case("BillingPeriodStart"))
    };
    Source::open_bounded(path, unpacked_max_bytes).is_ok_and(names)
}

/// Tells how far the files have been read.
struct Seen<'a> {
    bytes: Box<dyn Read + Send + 'a>,
    total: &'a Mutex<u64>,
    tell: &'a (dyn Fn(u64) + Sync),
}

impl Read for Seen<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.bytes.read(buffer)?;
        let mut total = self.total.lock().unwrap_or_else(PoisonError::into_inner);
        *total += read as u64;
        (self.tell)(*total);
        Ok(read)
    }
}
