//! Read a delivery: every file through the pipeline, into charge files and evidence that nobody counts yet.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use billing::intake::{Intake, Sums};
use billing::{ImportId, Period, SourceName};
use focus::{Format, Source};
use lake::{ChargeFile, Lake};
use ledger::DeliveredFile;
use tempfile::NamedTempFile;

use super::convert::{self, Conversion};
use super::evidence::{Evidence, KeepError, Tee};
use super::pipeline::{self, Done, FileWork, PipelineError};
use super::quarantine::{ProblemFile, Problems, Quarantine};
use crate::{Refusal, WorkflowError};

/// A file of a delivery.
#[derive(Clone, Debug)]
pub struct Input {
    /// The name as people and source patterns know it, without folders.
    pub name: String,
    pub origin: Origin,
}

#[derive(Clone, Debug)]
pub enum Origin {
    Path(PathBuf),
    /// Bytes that the lake has kept from an earlier import.
    Kept {
        sha256: [u8; 32],
        size_bytes: u64,
    },
}

/// What came of reading a delivery.
pub struct Delivered {
    pub files: Vec<DeliveredFile>,
    /// The delivered bytes, read and hashed, to be kept when the delivery counts.
    pub evidence: Vec<Evidence>,
    pub charge_files: Vec<ChargeFile>,
    pub quarantine_file: Option<String>,
    pub sums: Sums,
    pub charges: u64,
    pub problems: Problems,
    pub notes: Vec<String>,
    pub periods: BTreeSet<Period>,
    /// Rows of finalized periods were among it; they are no longer (see `corrections.rs`).
    pub touches_finalized: bool,
    /// There was nothing else.
    pub is_corrections_only: bool,
}

/// How far a delivery has been read.
#[derive(Clone, Copy, Debug, Default)]
pub struct Progress {
    pub bytes: u64,
    pub bytes_total: u64,
    pub rows: u64,
}

pub struct Reading<'a> {
    pub lake: &'a Lake,
    pub intake: &'a Intake,
    pub import: ImportId,
    pub source: &'a SourceName,
    /// For files that are not FOCUS.
    pub conversion: Option<&'a Conversion>,
    /// Keep bad rows and take the others; otherwise one bad row refuses the delivery.
    pub quarantine: bool,
    pub unpacked_max_bytes: Option<u64>,
    pub problems_to: Option<&'a Path>,
    pub progress: &'a (dyn Fn(Progress) + Sync),
}

impl Reading<'_> {
    /// Read all files. Blocks its thread; run it where that is allowed.
    ///
    /// # Errors
    /// What makes a whole file unreadable, for every file at once; full disks.
    pub fn read(&self, inputs: &[Input]) -> Result<Delivered, WorkflowError> {
        let mut state = State {
            reading: self,
            writer: self.lake.charge_writer(self.import, self.source),
            quarantine: None,
            listed: self.problems_to.map(ProblemFile::create).transpose()?,
            sums: Sums::default(),
            problems: Problems::default(),
            charges: 0,
            notes: Vec::new(),
            evidence: Vec::new(),
            done: Progress { bytes_total: inputs.iter().map(size_of).sum(), ..Progress::default() },
        };
        let (mut files, mut unreadable) = (Vec::new(), Vec::new());
        let usage = match self.conversion {
            Some(conversion) => Some(state.convert(conversion, inputs, &mut files)?),
            None => None,
        };
        let made = usage.as_ref().map(|(input, _)| std::slice::from_ref(input));
        for input in made.unwrap_or(inputs) {
            let ordinal = u32::try_from(files.len()).unwrap_or(u32::MAX);
            match state.file(ordinal, input) {
                Ok(file) => files.push(file),
                Err(WorkflowError::Refused(refusal)) => unreadable.push(refusal),
                Err(error) => return Err(error),
            }
        }
        if !unreadable.is_empty() {
            return Err(merged(unreadable).into());
        }
        state.finish(files)
    }
}

struct State<'a> {
    reading: &'a Reading<'a>,
    writer: lake::ChargeWriter,
    quarantine: Option<Quarantine>,
    /// All problems, for whoever asked for them.
    listed: Option<ProblemFile>,
    sums: Sums,
    problems: Problems,
    charges: u64,
    notes: Vec<String>,
    evidence: Vec<Evidence>,
    done: Progress,
}

impl State<'_> {
    /// The raw files become `files`; what was used is a further one, to be read while its bytes are there.
    fn convert(
        &mut self,
        conversion: &Conversion,
        inputs: &[Input],
        files: &mut Vec<DeliveredFile>,
    ) -> Result<(Input, NamedTempFile), WorkflowError> {
        let Reading { lake, import, source, progress, .. } = *self.reading;
        let done = self.done;
        let converted =
            conversion.run(lake, inputs, (source, import), &|bytes| progress(Progress { bytes, ..done }))?;
        self.notes.extend(convert::notes(conversion.kind(), &converted.reconciliation));
        self.evidence.extend(converted.evidence);
        *files = converted.files;
        let input = Input { name: converted.name, origin: Origin::Path(converted.usage.path().to_owned()) };
        Ok((input, converted.usage))
    }

    fn file(&mut self, ordinal: u32, input: &Input) -> Result<DeliveredFile, WorkflowError> {
        // `line 3: …` becomes `aws.csv:3: …`, the place where an editor goes.
        let refuse = |message: String| match message.strip_prefix("line ") {
            Some(at) => Refusal::new(format!("{}:{at}", input.name)),
            None => Refusal::new(format!("{}: {message}", input.name)),
        };
        let mut opened = self.open(input)?;
        self.note_file(input, opened.source.notes());
        let first = opened.source.next_block().map_err(|error| refuse(chain(&error)))?;
        let header = opened.source.header().clone();
        let first_cells = first.clone().map(|block| block.cells(&header).0);
        let context = self
            .reading
            .intake
            .file(ordinal, &header, first_cells.as_ref())
            .map_err(|missing| refuse(missing.to_string()).hint(columns_hint(&header)))?;
        drop(first_cells);
        self.note_file(input, &context.notes());
        let encoder = self.writer.encoder();
        let work = FileWork {
            intake: self.reading.intake,
            file: &context,
            header: &header,
            encoder: &encoder,
            first_row: i64::try_from(self.charges).unwrap_or(i64::MAX) + 1,
            keep_bytes: opened.frames,
        };
        let evidence = opened.evidence.clone();
        let mut see = |bytes: &[u8]| {
            if let Some(evidence) = evidence.as_ref().filter(|_| opened.frames) {
                evidence.lock().unwrap_or_else(PoisonError::into_inner).see(bytes);
            }
        };
        let (mut rows, mut bad_rows) = (0, 0);
        pipeline::run(&mut opened.source, first, &work, &mut see, |done: Done| {
            let (charges, bad) = self.block(input, done, opened.evidence.as_deref())?;
            rows += charges + bad;
            bad_rows += bad;
            Ok(())
        })
        .map_err(|error| match error {
            Stop::Pipeline(PipelineError::Read(error)) => refuse(chain(&error)).into(),
            Stop::Pipeline(PipelineError::Lake(error)) => error.into(),
            Stop::Pipeline(error) => WorkflowError::Internal(error.to_string()),
            Stop::Workflow(error) => error,
        })?;
        drop(evidence);
        let format = opened.source.format();
        let (sha256, size_bytes, evidence) = opened.finish(input)?;
        self.evidence.extend(evidence);
        Ok(DeliveredFile {
            ordinal,
            name: input.name.clone(),
            sha256: hex::encode(sha256),
            size_bytes,
            format: format.to_string(),
            rows,
            quarantined: bad_rows,
        })
    }

    /// Take in what a worker made of a block. Returns its charges and bad rows.
    fn block(
        &mut self,
        input: &Input,
        done: Done,
        evidence: Option<&Mutex<Evidence>>,
    ) -> Result<(u64, u64), WorkflowError> {
        let left_out: u64 = done.taken.left_out.values().map(|sums| sums.rows).sum();
        let charges = done.charges.rows() as u64;
        self.sums.add(&done.taken).map_err(|error| Refusal::new(format!("{}: {error}", input.name)))?;
        self.charges += charges;
        if let (Some(evidence), Some(frame)) = (evidence, done.evidence) {
            evidence.lock().unwrap_or_else(PoisonError::into_inner).append(&frame)?;
        }
        self.writer.append(done.charges)?;
        if self.reading.quarantine && !done.problems.is_empty() {
            if self.quarantine.is_none() {
                self.quarantine = Some(Quarantine::create(self.reading.lake.root(), self.reading.import)?);
            }
            if let Some(quarantine) = &mut self.quarantine {
                quarantine.add(&input.name, &done.problems, &done.bad_rows)?;
            }
        }
        if let Some(listed) = &mut self.listed {
            listed.add(&input.name, &done.problems, &done.bad_rows)?;
        }
        let bad = self.problems.add(&input.name, done.problems);
        self.done.bytes += done.bytes;
        self.done.rows += charges + bad + left_out;
        (self.reading.progress)(self.done);
        Ok((charges + left_out, bad))
    }

    fn note_file(&mut self, input: &Input, notes: &[String]) {
        self.notes.extend(notes.iter().map(|note| format!("{}: {note}", input.name)));
    }

    fn open(&self, input: &Input) -> Result<Opened, WorkflowError> {
        let refuse =
            |error: &dyn std::error::Error| Refusal::new(format!("{}: {}", input.name, chain(error)));
        let path = match &input.origin {
            Origin::Kept { sha256, .. } => {
                let reader = self.reading.lake.delivered_reader(sha256)?;
                let source = Source::from_reader(reader).map_err(|error| refuse(&error))?;
                return Ok(Opened { source, evidence: None, frames: false });
            }
            Origin::Path(path) => path,
        };
        let unpacked_max = self.reading.unpacked_max_bytes;
        let source = Source::open_bounded(path, unpacked_max).map_err(|error| refuse(&error))?;
        let mut evidence = Evidence::new(self.reading.lake.delivery_writer(self.reading.import)?);
        match source.format() {
            Format::Csv => {
                evidence.see(source.preamble());
                evidence.append(&lake::compress_frame(source.preamble(), Some(1)))?;
                Ok(Opened { source, evidence: Some(Arc::new(Mutex::new(evidence))), frames: true })
            }
            Format::Parquet => {
                evidence.keep_file(path).map_err(|error| keep_failed(path, error))?;
                Ok(Opened { source, evidence: Some(Arc::new(Mutex::new(evidence))), frames: false })
            }
            Format::Gzip | Format::Zstd => {
                let notes_of = source;
                let evidence = Arc::new(Mutex::new(evidence));
                let file = File::open(path).map_err(|error| WorkflowError::file("open", path, error))?;
                let tee = Tee::new(file, Arc::clone(&evidence));
                drop(notes_of);
                let source =
                    Source::from_reader_bounded(tee, unpacked_max).map_err(|error| refuse(&error))?;
                Ok(Opened { source, evidence: Some(evidence), frames: false })
            }
        }
    }

    fn finish(self, files: Vec<DeliveredFile>) -> Result<Delivered, WorkflowError> {
        let refused = 0 < self.problems.count && !self.reading.quarantine;
        // Nothing of a refused delivery is kept: dropping the writer removes its files.
        let charge_files = if refused { Vec::new() } else { self.writer.finish()? };
        let quarantine_file = match self.quarantine {
            Some(quarantine) => Some(quarantine.finish(self.reading.lake.root(), self.reading.import)?),
            None => None,
        };
        let periods = self.sums.parts.keys().map(|(period, _)| *period).collect();
        let mut notes = self.notes;
        notes.extend(self.sums.notes.sentences());
        Ok(Delivered {
            files,
            evidence: self.evidence,
            charge_files,
            quarantine_file,
            charges: self.charges,
            sums: self.sums,
            problems: self.problems,
            notes,
            periods,
            touches_finalized: false,
            is_corrections_only: false,
        })
    }
}

/// A file that is being read, with where its bytes are kept.
struct Opened {
    source: Source,
    evidence: Option<Arc<Mutex<Evidence>>>,
    /// Whether workers frame the blocks' bytes as evidence.
    frames: bool,
}

impl Opened {
    fn finish(self, input: &Input) -> Result<([u8; 32], u64, Option<Evidence>), WorkflowError> {
        let path = match (&input.origin, self.evidence.is_some()) {
            (Origin::Kept { sha256, size_bytes }, _) => return Ok((*sha256, *size_bytes, None)),
            (Origin::Path(path), _) => path,
        };
        drop(self.source);
        let evidence = self.evidence.and_then(Arc::into_inner);
        let evidence =
            evidence.ok_or_else(|| WorkflowError::Internal("evidence is still in use".to_owned()))?;
        let mut evidence = evidence.into_inner().unwrap_or_else(PoisonError::into_inner);
        evidence.keep_rest(path).map_err(|error| keep_failed(path, error))?;
        let (sha256, size_bytes) = evidence.digest();
        Ok((sha256, size_bytes, Some(evidence)))
    }
}

enum Stop {
    Pipeline(PipelineError),
    Workflow(WorkflowError),
}

impl From<PipelineError> for Stop {
    fn from(error: PipelineError) -> Stop {
        Stop::Pipeline(error)
    }
}

impl From<WorkflowError> for Stop {
    fn from(error: WorkflowError) -> Stop {
        Stop::Workflow(error)
    }
}

fn keep_failed(path: &Path, error: KeepError) -> WorkflowError {
    match error {
        KeepError::Io(source) => WorkflowError::file("read", path, source),
        KeepError::Lake(error) => error.into(),
    }
}

fn size_of(input: &Input) -> u64 {
    match &input.origin {
        Origin::Path(path) => std::fs::metadata(path).map_or(0, |metadata| metadata.len()),
        Origin::Kept { size_bytes, .. } => *size_bytes,
    }
}

/// An error with its causes, as one sentence.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

fn columns_hint(header: &focus::Header) -> String {
    let delivered: Vec<&str> = header.columns.iter().map(|column| column.delivered.as_str()).collect();
    format!("the file's columns are: {}", delivered.join(", "))
}

fn merged(refusals: Vec<Refusal>) -> Refusal {
    let mut refusals = refusals.into_iter();
    let first = refusals.next().unwrap_or_else(|| Refusal::new("the delivery cannot be read"));
    refusals.fold(first, |mut all, next| {
        all.details.push(next.message);
        all.details.extend(next.details);
        for hint in next.hints {
            if !all.hints.contains(&hint) {
                all.hints.push(hint);
            }
        }
        all
    })
}

/// Charge files by period, as the ledger records them.
pub fn ledger_charge_files(import: ImportId, files: &[ChargeFile]) -> Vec<ledger::ChargeFile> {
    files
        .iter()
        .map(|file| ledger::ChargeFile {
            import,
            path: file.path.clone(),
            period: file.period,
            sha256: hex::encode(file.sha256),
            rows: file.rows,
            size_bytes: file.size_bytes,
        })
        .collect()
}

/// Sums over all parts of a delivery.
pub fn total(sums: &Sums) -> billing::intake::PartSums {
    let mut total = billing::intake::PartSums::default();
    for part in sums.parts.values() {
        // The parts were merged with the same check; their total is bounded by MAX_ROWS × 10^12.
        let _ = total.merge(part);
    }
    total
}

/// Rows by period that were left out because their period is not open.
pub fn left_out_by_period(sums: &Sums) -> BTreeMap<Period, (u64, money::Amount)> {
    let mut left_out: BTreeMap<Period, (u64, money::Amount)> = BTreeMap::new();
    for ((period, _), part) in &sums.left_out {
        let entry = left_out.entry(*period).or_default();
        entry.0 += part.rows;
        entry.1 += part.billed_cost;
    }
    left_out
}
