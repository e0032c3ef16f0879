//! The files of a delivery become runs; everything else is counted.

use std::collections::BTreeMap;
use std::io;

use super::runs::{Runs, Sighting};
use super::settings::{Charges, Settings};
use super::template::Part;
use super::tres::{COUNT_MAX, Shape};
use crate::error::{Problem, Problems, shorten};
use crate::raw::Content;
use crate::{Counted, Outcome, RawFile};

/// Everything that was read of a delivery.
pub(super) struct Reading<'s> {
    pub settings: &'s Settings,
    pub runs: Runs,
    pub counted: BTreeMap<Outcome, Counted>,
    pub problems: Problems,
    pub files: Vec<String>,
    /// TRES that runs had and that the rating `tres` does not charge, and how many runs.
    pub notes: Notes,
    /// Of the file that is being read.
    file: u16,
    joined: Vec<u8>,
}

/// How many records of each kind that is worth a note.
#[derive(Default)]
pub(super) struct Notes {
    pub without_times: u64,
    pub without_cluster: u64,
    pub memory_rounded: u64,
}

/// A record whose fields were read, one by one.
pub(super) struct Record<'a> {
    pub cluster: &'a [u8],
    pub job: &'a str,
    /// What people call it.
    pub label: &'a str,
    pub db_index: Option<u64>,
    pub sluid: &'a str,
    pub account: &'a [u8],
    pub user: &'a [u8],
    pub partition: &'a [u8],
    pub qos: &'a [u8],
    pub wckey: &'a [u8],
    pub reservation: &'a [u8],
    pub state: u8,
    pub times: Times,
    pub elapsed: u64,
    pub shape: u32,
}

#[derive(Clone, Copy)]
pub(super) enum Times {
    /// The file has none.
    Unsaid,
    Said {
        start: Option<i64>,
        end: Option<i64>,
        suspended: u64,
    },
}

/// What is wrong with a record: field, value, message.
pub(super) type Wrong = (&'static str, String, String);

const ELAPSED_MAX: u64 = 100 * 366 * 86_400;
/// How far clocks are set back, in seconds.
const TWICE: i64 = 3600;
const FILES_MAX: usize = 65_535;
/// Where neither files nor options name the cluster.
const UNNAMED_CLUSTER: &[u8] = b"cluster";

impl<'s> Reading<'s> {
    pub(super) fn new(settings: &'s Settings) -> Reading<'s> {
        Reading {
            settings,
            runs: Runs::default(),
            counted: BTreeMap::new(),
            problems: Problems::default(),
            files: Vec::new(),
            notes: Notes::default(),
            file: 0,
            joined: Vec::new(),
        }
    }

    pub(super) fn read_all(&mut self, files: Vec<RawFile<'_>>) {
        if FILES_MAX < files.len() {
            let name = files[FILES_MAX].name.to_owned();
            let message = format!("is one file too many; a delivery has at most {FILES_MAX}");
            self.problems.push(Problem {
                file: name,
                line: None,
                field: String::new(),
                value: String::new(),
                message,
            });
            return;
        }
        for file in files {
            self.file = u16::try_from(self.files.len()).unwrap_or(u16::MAX);
            self.files.push(file.name.to_owned());
            if let Err(error) = self.read(file) {
                self.refuse_file(format!("cannot be read: {error}"));
            }
        }
    }

    fn read(&mut self, file: RawFile<'_>) -> io::Result<()> {
        let mut content = Content::open(file)?;
        match content.first_byte()? {
            None => {
                self.refuse_file("is empty; not even a header is in it, so sacct was refused or never ran");
                Ok(())
            }
            Some(b'{') => {
                super::json::read(content, self);
                Ok(())
            }
            Some(_) => super::text::read(content, self),
        }
    }

    pub(super) fn refuse_file(&mut self, message: impl Into<String>) {
        self.refuse(None, ("", String::new(), message.into()));
    }

    pub(super) fn refuse(&mut self, line: Option<u64>, (field, value, message): Wrong) {
        let file = self.files.last().cloned().unwrap_or_default();
        self.problems.push(Problem {
            file,
            line,
            field: field.to_owned(),
            value: shorten(value.as_bytes()),
            message,
        });
    }

    pub(super) fn count(&mut self, outcome: Outcome) {
        self.counted.entry(outcome).or_default().records += 1;
    }

    /// A record that is no step: a run, or counted as what it is otherwise.
    pub(super) fn add(&mut self, line: u64, record: &Record<'_>) -> Result<(), Wrong> {
        let state = self.settings.states.get(record.state);
        if state.is_revoked {
            let cpus = if record.elapsed == 0 { 0 } else { self.runs.shape_at(record.shape).cpus };
            *self.counted.entry(Outcome::Revoked).or_default() += Counted {
                records: 1,
                elapsed_seconds: record.elapsed.into(),
                core_seconds: u128::from(record.elapsed) * u128::from(cpus),
            };
            return Ok(());
        }
        if record.elapsed == 0 {
            self.count(match record.times {
                _ if state.is_pending => Outcome::Pending,
                Times::Said { start: None, .. } => Outcome::NeverStarted,
                _ => Outcome::NoTime,
            });
            return Ok(());
        }
        let (start, end, has_ended) = match record.times {
            Times::Unsaid => (0, 0, true),
            Times::Said { start: None, .. } => {
                let message = format!("says no time, but the run lasted {} s", record.elapsed);
                return Err(("Start", String::new(), message));
            }
            Times::Said { start: Some(start), end, suspended } => {
                let seconds = i64::try_from(record.elapsed.saturating_add(suspended)).unwrap_or(i64::MAX);
                let ran = start.saturating_add(seconds);
                let told = match end {
                    None => ran,
                    // In the hour that a clock shows twice, a run can seem to end before it started.
                    Some(end) if end <= start && start - end <= TWICE => ran,
                    Some(end) if end < start => {
                        return Err(("End", end.to_string(), format!("is before the start, {start}")));
                    }
                    Some(end) => end,
                };
                (start, told, end.is_some())
            }
        };
        let too_late =
            |_| ("Start", start.to_string(), "is no time of a run; times go to the year 2105".to_owned());
        let seen = Sighting {
            job: record.job,
            label: if self.settings.charges == Charges::Job { record.label } else { "" },
            db_index: record.db_index,
            sluid: record.sluid,
            owner: self.owner(record),
            shape: record.shape,
            state: record.state,
            start: u32::try_from(start).map_err(too_late)?,
            end: u32::try_from(end).map_err(too_late)?,
            elapsed: u32::try_from(record.elapsed).map_err(too_late)?,
            has_ended,
            file: self.file,
            line: u32::try_from(line).unwrap_or(u32::MAX),
        };
        self.runs.add(&seen);
        Ok(())
    }

    fn owner(&mut self, record: &Record<'_>) -> u32 {
        let cluster = match (record.cluster, &self.settings.cluster) {
            ([], Some(named)) => named.as_bytes(),
            ([], None) => {
                self.notes.without_cluster += 1;
                UNNAMED_CLUSTER
            }
            (named, _) => named,
        };
        self.joined.clear();
        for part in Part::ALL {
            let text = match part {
                _ if !self.settings.parts.contains(&part) => b"",
                Part::Cluster => cluster,
                Part::Account => record.account,
                Part::Partition => record.partition,
                Part::User => record.user,
                Part::Qos => record.qos,
                Part::Wckey => record.wckey,
                Part::Reservation => record.reservation,
            };
            let from = self.joined.len();
            match memchr::memchr(0, text) {
                None => self.joined.extend_from_slice(text),
                Some(_) => self.joined.extend(text.iter().filter(|byte| **byte != 0)),
            }
            // slurmdbd writes accounts in lower case, whatever case people write them in.
            if part == Part::Account {
                self.joined[from..].make_ascii_lowercase();
            }
            self.joined.push(0);
        }
        self.runs.owner(&self.joined)
    }

    /// What a run was given, of `AllocTRES` and of the fields that say less.
    pub(super) fn shape(&mut self, mut shape: Shape, cpus: Option<u64>, nodes: Option<u64>) -> u32 {
        if shape.cpus == 0 {
            shape.cpus = cpus.unwrap_or_default();
        }
        if shape.nodes == 0 {
            shape.nodes = nodes.unwrap_or_default();
        }
        self.runs.shape(shape)
    }
}

pub(super) fn elapsed_below_max(seconds: Option<u64>) -> Option<u64> {
    seconds.filter(|seconds| *seconds <= ELAPSED_MAX)
}

pub(super) fn count_below_max(count: Option<u64>) -> Option<u64> {
    count.filter(|count| *count <= COUNT_MAX)
}
